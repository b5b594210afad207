/*
 * Inside serve*.c: what they share.
 *
 *	serve.c		connections, their memory, listening
 *	serve_source.c	requests and answers, of a stream or a plain connection
 */
#ifndef RPCD_SERVE_I_H
#define RPCD_SERVE_I_H

#include <bsd/sys/queue.h>

#include "common/acceptor.h"
#include "common/stream.h"
#include "common/util.h"
#include "rpcd/incoming.h"
#include "rpcd/mux.h"
#include "rpcd/peers.h"
#include "rpcd/rpc_stream.h"
#include "rpcd/serve.h"

struct client;

/* Where requests come from: a stream, or a plain connection. */
struct source {
	TAILQ_ENTRY(source)	 entry;		/* of its client */
	TAILQ_ENTRY(source)	 held;		/* while catalogd is away */
	struct client		*client;
	struct yamux_stream	*stream;	/* NULL: plain */
	struct rpc_reader	 reader;
	struct wbuf		 ahead;		/* came during a call */
	size_t			 ahead_off;	/* of it, already read */
	struct rpc_header	 header;	/* of the call */
	struct call		*call;
	uint64_t		 held_ms;
	bool			 busy;		/* a request is being served */
	bool			 is_held;
	bool			 fin;		/* nothing more will come */
	bool			 counted;	/* of the peer's calls */
};
TAILQ_HEAD(sources, source);

struct client {
	TAILQ_ENTRY(client)	 link;
	struct serve		*serve;
	struct peer		*peer;
	struct incoming		*incoming;	/* until the type is known */
	struct stream		*stream;	/* from then on */
	struct mux		*mux;		/* NULL: plain, or no type */
	struct source		*plain;
	bool			 anybody;	/* came without a certificate */
	char			 text[ADDR_TEXT_MAX];
	struct sources		 sources;
	size_t			 nsources;
	size_t			 buffered;	/* requests, partly read */
	size_t			 accounted;	/* of serve->memory */
	bool			 doomed;	/* to be closed next turn */
};
TAILQ_HEAD(clients, client);

struct listener {
	TAILQ_ENTRY(listener)	 entry;
	struct acceptor		*acceptor;
	int			 fd;
};
TAILQ_HEAD(listeners, listener);

struct serve {
	struct ev		*ev;
	struct calls		*calls;
	const struct rpc_tls	*tls;
	struct serve_limits	 limits;
	struct listeners	 listeners;
	struct clients		 clients;
	size_t			 nclients;
	struct peers		*peers;
	size_t			 memory;
	struct sources		 held;		/* by age */
	struct ev_timer		*hold_timer;
	uint64_t		 full_warn_ms;	/* when to say it again */
	bool			 up;
	serve_hand_fn		*hand;		/* NULL: nobody */
	void			*hand_arg;
};

/* serve.c */
void client_account(struct client *);	/* what it makes us keep changed */
void client_drop(struct client *);
/* A line about it, unless there are too many of them. */
void client_log(struct client *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* serve_source.c */
struct source *source_new(struct client *, struct yamux_stream *);
/* Frees it and forgets its call; the stream is not touched. */
void source_free(struct source *);
void source_close(struct source *);
/* Bytes of its stream, in order.  It may be gone after. */
void source_data(struct source *, const uint8_t *, size_t);
/* A whole message is in its reader.  It may be gone after. */
void source_request(struct source *);
void source_hold_expired(void *serve);	/* a timer's */

#endif

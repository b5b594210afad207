/*
 * One outgoing connection and the calls on it (rpc.md 1.3).
 */
#ifndef RPCD_CONN_H
#define RPCD_CONN_H

#include <bsd/sys/queue.h>

#include "common/stream.h"
#include "rpcd/mux.h"
#include "rpcd/outgoing.h"
#include "rpcd/pool.h"
#include "rpcd/rpc_stream.h"

struct conn;

struct pool_call {
	TAILQ_ENTRY(pool_call)	 entry;
	struct conn		*conn;
	struct rpc_out		*out;	/* its stream; NULL: waits for one */
	char			*method;
	unsigned		 via;
	uint64_t		 seq;
	uint8_t			*body;	/* while it waits */
	size_t			 len;
	pool_fn			*fn;
	void			*arg;
};
TAILQ_HEAD(pool_calls, pool_call);

/* A stream that we opened. */
struct rpc_out {
	TAILQ_ENTRY(rpc_out)	 entry;		/* while idle */
	struct conn		*conn;
	struct yamux_stream	*stream;
	struct pool_call	*call;		/* NULL: idle */
	struct rpc_reader	 reader;
};
TAILQ_HEAD(rpc_outs, rpc_out);

struct conn_owner {
	/* It is over: forget it. */
	void	(*gone)(struct conn *, void *arg);
	void	*arg;
};

struct conn {
	TAILQ_ENTRY(conn)	 entry;		/* of its owner */
	struct server_id	 id;
	const struct conn_owner	*owner;
	struct ev		*ev;
	struct outgoing		*dial;		/* NULL: done */
	struct stream		*stream;
	struct mux		*mux;		/* NULL: still dialling */
	struct pool_calls	 calls;		/* in flight */
	struct pool_calls	 waiting;
	struct rpc_outs		 idle;
	size_t			 nidle;
	struct ev_timer		*idle_timer;
	bool			 closing;
};

/* The dialler is needed for as long as the connection. */
struct conn *conn_dial(const struct dialler *, const struct server_id *,
    const struct conn_owner *);
void conn_free(struct conn *);		/* frees its calls, no callbacks */
/* Is there use in calling on it?  Not after its peer's go-away. */
bool conn_usable(const struct conn *);
void conn_call(struct conn *, struct pool_call *, const void *body, size_t);
void conn_cancel(struct pool_call *);

#endif

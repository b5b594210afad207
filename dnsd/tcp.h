/*
 * DNS over TCP (RFC 7766): pipelined queries, answers in any order, idle
 * connections closed.  What all clients together can take is bounded.
 */
#ifndef DNSD_TCP_H
#define DNSD_TCP_H

#include "common/ev.h"
#include "dnsd/names.h"

#define TCP_CONNS_MAX 1024	/* at once; beyond, the longest idle goes */
#define TCP_PER_ADDR_MAX 128	/* of one address, likewise */
#define TCP_QUERY_MAX 4096	/* a longer query is none: closes */
#define TCP_IDLE_MS 10000	/* between two queries, or within one */
#define TCP_LATER_MAX 64	/* unanswered queries of one connection */
#define TCP_QUEUE_MAX (128 * 1024) /* answers a client has not taken */
#define TCP_QUEUE_ALL (16 * 1024 * 1024) /* or all: who has some, waits */

/* The answer's length in out, or 0 with *later: it comes, or does not. */
typedef size_t tcp_query_fn(const struct origin *, const uint8_t *, size_t,
    uint8_t *out, bool *later, void *arg);

/* A connection with a stream of messages took them, or is gone. */
typedef void tcp_stream_fn(const struct origin *, bool closed, void *arg);

/* A query is another process's to answer, and with it its connection. */
typedef bool tcp_elsewhere_fn(const uint8_t *, size_t, void *arg);
/* Takes fd.  The bytes are that query and what was read behind it. */
typedef void tcp_give_fn(int fd, const uint8_t *, size_t, void *arg);

struct tcp;
struct tcp *tcp_new(struct ev *, tcp_query_fn *, void *arg);
void tcp_free(struct tcp *);		/* closes the sockets */
/* A listening socket; takes fd. */
void tcp_add(struct tcp *, int fd);
/* Such a connection is given away when nothing of it is under way. */
void tcp_on_give(struct tcp *, tcp_elsewhere_fn *, tcp_give_fn *);
/* One that was given to us, with those bytes; takes fd. */
void tcp_take(struct tcp *, int fd, const uint8_t *, size_t);
void tcp_start(struct tcp *);		/* begins to accept */
/*
 * Between a query that is answered later and tcp_reply(), which ends it: any
 * number of messages.  False: no more for now, the connection is full or gone;
 * then the function is called when it goes on, or never will.
 */
void tcp_on_stream(struct tcp *, tcp_stream_fn *);
bool tcp_send(struct tcp *, const struct origin *, const uint8_t *, size_t);
/* n == 0: there will be no answer. */
void tcp_reply(struct tcp *, const struct origin *, const uint8_t *, size_t);

#endif

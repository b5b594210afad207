/*
 * Calls from the network to this node: accepts connections, reads requests,
 * has catalogd answer them.
 */
#ifndef RPCD_SERVE_H
#define RPCD_SERVE_H

#include <stddef.h>
#include <stdint.h>

#include "common/call.h"
#include "common/ev.h"
#include "rpcd/tls.h"

struct serve;

/* 0: the usual one. */
struct serve_limits {
	uint64_t	 handshake_ms;
	size_t		 conns_per_ip;
	size_t		 memory;	/* requests and answers, of all */
	size_t		 calls;		/* open at catalogd, of all */
};

/* calls: those on the link to catalogd. */
struct serve *serve_new(struct ev *, struct calls *, const struct rpc_tls *);
void serve_free(struct serve *);
void serve_set_limits(struct serve *, const struct serve_limits *);
/* A listening socket; takes it. */
void serve_listen(struct serve *, int fd);
/* Is catalogd there?  While it is not, requests wait a little. */
void serve_catalog_up(struct serve *, bool up);
/* Types that are not RPC, on servers: takes the stream. */
typedef void serve_hand_fn(struct stream *, uint8_t type, const char *from,
    void *arg);
void serve_set_hand(struct serve *, serve_hand_fn *, void *arg);
/* Takes no new connections. */
void serve_stop_listening(struct serve *);
size_t serve_nconns(const struct serve *);

#endif

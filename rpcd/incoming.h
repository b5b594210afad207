/*
 * A connection that came in, from the accept to its type byte (rpc.md 1.1):
 * TLS and the handshake time are here, what the type means is not.
 */
#ifndef RPCD_INCOMING_H
#define RPCD_INCOMING_H

#include <stdint.h>

#include "common/ev.h"
#include "common/stream.h"
#include "rpcd/tls.h"

enum rpc_type {
	RPC_TYPE_PLAIN = 0,
	RPC_TYPE_RAFT = 1,
	RPC_TYPE_TLS = 3,
	RPC_TYPE_MULTIPLEX = 4,
	RPC_TYPE_SNAPSHOT = 5,
	RPC_TYPE_ANYBODY = 7	/* TLS without a client's certificate */
};

struct incoming;

/*
 * Its type, any that did not concern TLS, or RPC_TYPE_ANYBODY, which goes on
 * as a plain connection: give the stream other callbacks and a deadline.
 * stream NULL: it is closed, why says the reason.  The incoming is gone.
 */
typedef void incoming_fn(struct stream *, uint8_t type, const char *why,
    void *arg);

/* Takes fd. */
struct incoming *incoming_new(struct ev *, int fd, const struct rpc_tls *,
    uint64_t handshake_ms, incoming_fn *, void *arg);
void incoming_free(struct incoming *);	/* closes, no callback; NULL is fine */

#endif

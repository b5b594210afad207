/*
 * Outgoing connections, one per server: dialled at need, shared by all calls,
 * closed when idle.  Each call has a stream of its own while it lasts.
 */
#ifndef RPCD_POOL_H
#define RPCD_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "common/ev.h"
#include "rpcd/outgoing.h"
#include "rpcd/servers.h"

enum pool_result {
	POOL_OK,
	POOL_ERROR,	/* the server says so: error is its text */
	POOL_DIAL,	/* no connection: error is the dialler's */
	POOL_LOST	/* the connection or the stream ended: "EOF" */
};

struct pool;
struct pool_call;

/* body: during the callback. */
typedef void pool_fn(enum pool_result, const char *error, const uint8_t *body,
    size_t len, void *arg);

/* local: the address to call from, or NULL. */
struct pool *pool_new(struct ev *, const struct sockaddr_storage *local,
    const struct rpc_tls *);
/* Others dial in the same way. */
const struct dialler *pool_dialler(const struct pool *);
void pool_free(struct pool *);		/* no callbacks */
/* body is copied if need be.  The callback comes once, never from within. */
/* via: CALL_VIA_, which a server of Consul's is not told. */
struct pool_call *pool_call(struct pool *, const struct server_id *,
    const char *method, unsigned via, const void *body, size_t len, pool_fn *,
    void *arg);
void pool_cancel(struct pool_call *);
size_t pool_nconns(const struct pool *);

#endif

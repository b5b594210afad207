/*
 * A connection going out, from the dial to its type byte: TCP, TLS where the
 * server has it, the byte.  What is said on it then is its owner's.
 */
#ifndef RPCD_OUTGOING_H
#define RPCD_OUTGOING_H

#include <stdint.h>
#include <sys/socket.h>

#include "common/ev.h"
#include "common/stream.h"
#include "rpcd/servers.h"
#include "rpcd/tls.h"

/* What all that dial have in common. */
struct dialler {
	struct ev		*ev;
	struct sockaddr_storage	 local;		/* port 0 */
	bool			 has_local;
	const struct rpc_tls	*tls;
};

struct outgoing;

/*
 * The type byte is on its way: give the stream other callbacks.  stream NULL:
 * it failed, why as callers of the network's other half know it ("dial tcp
 * ...").  The outgoing is gone.
 */
typedef void outgoing_fn(struct stream *, const char *why, void *arg);

/* The callback never comes from within. */
struct outgoing *outgoing_new(const struct dialler *, const struct server_id *,
    uint8_t type, outgoing_fn *, void *arg);
void outgoing_free(struct outgoing *);	/* no callback; NULL is fine */

#endif

/*
 * The exchange of snapshots (rpc.md 9): one connection, one request, an archive
 * this way or that.  Serves those that rpcd and apid hand over; where the
 * request has to go to another server the connection is joined to one there.
 */
#ifndef CATALOGD_EXCHANGE_H
#define CATALOGD_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalogd/server.h"
#include "common/ev.h"

struct exchanges;

struct exchange_env {
	/* A connection of that kind to that address, or to any server ("*"):
	 * answered by exchanges_dialed() under the id. */
	void	(*dial)(uint32_t id, const char *address, void *arg);
	void	*arg;
};
#define EXCHANGE_DIAL 0x80000000u	/* ids have this bit: raft's have not */

/* server: NULL on a client. */
struct exchanges *exchanges_new(struct ev *, struct server *,
    const char *datacenter, const struct exchange_env *);
void exchanges_free(struct exchanges *);
/* Takes the descriptor; from is for logs. */
void exchanges_serve(struct exchanges *, int fd, const char *from);
/* fd -1: it failed, why. */
void exchanges_dialed(struct exchanges *, uint32_t id, int fd,
    const char *why);
/* rpcd is gone, and with it what was to be dialled. */
void exchanges_dials_lost(struct exchanges *);
size_t exchanges_count(const struct exchanges *);

#endif

/*
 * Connections that catalogd speaks itself, raft and snapshots: accepted or
 * dialled here, TLS and type byte included, then handed over.
 */
#ifndef RPCD_HAND_H
#define RPCD_HAND_H

#include <stdint.h>

#include "common/ipc.h"
#include "rpcd/outgoing.h"
#include "rpcd/servers.h"

struct hand;

struct hand *hand_new(struct ev *, const struct dialler *, struct servers *);
void hand_free(struct hand *);
/* The link to catalogd; NULL: those that are being dialled are for nobody. */
void hand_link(struct hand *, struct ipc *);
/* One that came in, with nothing read behind its type byte; takes it. */
void hand_in(struct hand *, struct stream *, uint8_t type, const char *from);
/* DIAL: the answer goes out under its id. */
void hand_dial(struct hand *, uint32_t id, uint8_t type, const char *address);

#endif

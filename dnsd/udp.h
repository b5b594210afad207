/*
 * DNS over UDP: batches in, batches out.
 */
#ifndef DNSD_UDP_H
#define DNSD_UDP_H

#include <sys/socket.h>

#include "common/ev.h"
#include "dnsd/names.h"

/* The answer's length in out, or 0: later, or never. */
typedef size_t udp_query_fn(const struct origin *, const uint8_t *, size_t,
    uint8_t *out, void *arg);

struct udp;
struct udp *udp_new(struct ev *, udp_query_fn *, void *arg);
void udp_free(struct udp *);		/* closes the sockets */
/* A bound socket; takes fd. */
void udp_add(struct udp *, int fd);
/* A query that another process read, from a socket of the same address. */
void udp_take(struct udp *, const struct origin *, const uint8_t *, size_t);
void udp_start(struct udp *);		/* begins to read */
/* From the first socket of that family that takes it. */
void udp_send(struct udp *, const struct sockaddr_storage *, const uint8_t *,
    size_t);
void udp_reply(struct udp *, const struct origin *, const uint8_t *, size_t);

#endif

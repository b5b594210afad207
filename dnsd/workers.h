/*
 * Several processes of dnsd on one port: what the others hand to the first.
 */
#ifndef DNSD_WORKERS_H
#define DNSD_WORKERS_H

#include "common/wire.h"
#include "dnsd/answer.h"
#include "dnsd/names.h"

/*
 * Is that packet for who has the zone: a transfer, the SOA that says whether
 * one is due, or a secondary's answer to a NOTIFY?  (pure)
 */
bool workers_zone_packet(const struct answer_conf *, const uint8_t *, size_t);
/* A query by UDP with where it came from, as it travels; and back: 0, or -1
 * when it is none.  The query points into the body. */
void workers_put(struct wbuf *, const struct origin *, const uint8_t *,
    size_t);
int workers_get(const uint8_t *body, size_t len, struct origin *,
    const uint8_t **q, size_t *n);

#endif

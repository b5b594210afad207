/*
 * The broadcast queues: what is to be gossiped, how often it went, and which
 * of it fills a packet (gossip.md 9.6).
 */
#ifndef GOSSIPD_BCAST_H
#define GOSSIPD_BCAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossipd/packet.h"

/* In the order they are drained. */
enum bcast_kind { BC_MEMBER, BC_INTENT, BC_QUERY, BC_EVENT, BC_MAX };
#define BCAST_NAMELESS	UINT32_MAX
#define PART_COST	2	/* its length in the compound */

struct bcast;
struct bcast *bcast_new(void);
void bcast_free(struct bcast *);

/*
 * Copies msg (type byte included).  One of the same name and kind is replaced.
 * watched: counted by bcast_watched() until it went out often enough, was
 * replaced or pruned.
 */
void bcast_add(struct bcast *, enum bcast_kind, uint32_t name, bool watched,
    const uint8_t *msg, size_t n);
/* Forgets what is queued under a name that is no more. */
void bcast_forget(struct bcast *, uint32_t name);
/*
 * Adds to c what fits in room bytes, each message costing 2 more; what went
 * out limit times is dropped.
 */
void bcast_take(struct bcast *, unsigned limit, size_t room,
    struct compound *c);
size_t bcast_count(const struct bcast *, enum bcast_kind);
bool bcast_empty(const struct bcast *);
unsigned bcast_watched(const struct bcast *);
/* Drops the most sent down to max entries. */
void bcast_prune(struct bcast *, enum bcast_kind, size_t max);

#endif

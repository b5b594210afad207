/*
 * The zone as secondaries transfer it: records, and since which serial each
 * is there or gone, so that every serial of the last while can be told as a
 * whole or as the difference to now.  Pure.
 */
#ifndef DNSD_ZONE_H
#define DNSD_ZONE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/answer.h"

#define ZONE_GONE_MAX 65536	/* records that are gone and remembered */

/* A record: owner, type, class, TTL, length, data; nothing is compressed. */
struct zone_rr {
	TAILQ_ENTRY(zone_rr)	 entry;
	struct zone_rr		*next;		/* in its bucket */
	TAILQ_ENTRY(zone_rr)	 touched;
	uint64_t		 hash;
	uint64_t		 born, died;	/* serials */
	uint32_t		 refs;		/* parts that have it */
	bool			 there;		/* in the last serial */
	bool			 is_touched;	/* since then */
	uint16_t		 len;
	uint8_t			 wire[];
};
/* What one view says: its records. */
struct zone_part { struct zone_rr **rr; size_t n, cap; };

struct zone;
struct zone *zone_new(uint64_t seed);
void zone_free(struct zone *);
/* The next serial is above that one. */
void zone_start(struct zone *, uint64_t serial);
/* One record more in that part; what cannot be said (too long) is left out. */
void zone_add(struct zone *, struct zone_part *, const uint8_t *owner,
    size_t owner_len, uint16_t type, uint32_t ttl, const uint8_t *data,
    size_t len);
/* The part has nothing any more. */
void zone_drop(struct zone *, struct zone_part *);
/*
 * What was added and dropped counts from here on, under the next serial: at
 * least `serial`.  False when nothing is different.
 */
bool zone_commit(struct zone *, uint64_t serial);
uint64_t zone_serial(const struct zone *);	/* 0: none yet */
size_t zone_count(const struct zone *);

/*
 * Records of the last serial, which stay until zone_unpin(): all of them; or
 * what is gone and what is new since a client's serial.  -1: that is too long
 * ago.  The arrays are the caller's to free.
 */
struct zone_diff {
	struct zone_rr	**gone, **added;
	size_t		  ngone, nadded;
	uint64_t	  from, to;
};
void zone_whole(struct zone *, struct zone_diff *);
int zone_since(struct zone *, uint32_t serial, struct zone_diff *);
void zone_unpin(struct zone *, struct zone_diff *);

/* zone_view.c */
/* The records of a view under its (folded) name, added to the part. */
void zone_add_view(struct zone *, struct zone_part *,
    const struct answer_conf *, const struct view *, const char *name);
/* What is there without any view. */
void zone_add_apex(struct zone *, struct zone_part *,
    const struct answer_conf *);
/* The zone's SOA with that serial: owner to data; its length. */
#define ZONE_SOA_MAX (3 * DNS_NAME_MAX + 64)
size_t zone_soa(const struct answer_conf *, uint32_t serial,
    uint8_t out[ZONE_SOA_MAX]);

#endif

/*
 * Network coordinates (gossip.md 10.9): from round-trip times to its neighbours
 * each node works out a place in a space of eight dimensions and a height, so
 * that the distance of any two places is near the round-trip time between them.
 *
 * Pure: seconds in, seconds out; randomness is the caller's.
 */
#ifndef GOSSIPD_COORDINATE_H
#define GOSSIPD_COORDINATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util.h"

#define COORD_DIM	8
#define COORD_SAMPLES	3	/* of one peer, of which the middle counts */

struct coord { double vec[COORD_DIM], error, adjustment, height; };

extern const struct coord coord_new;	/* of one that has measured nothing */
bool coord_valid(const struct coord *);	/* all numbers finite */
/* Estimated round trip, seconds. */
double coord_distance(const struct coord *, const struct coord *);

/* What one node keeps to move its own. */
struct coord_self;
struct coord_self *coord_self_new(uint64_t seed);
void coord_self_free(struct coord_self *);
const struct coord *coord_self_at(const struct coord_self *);
unsigned coord_self_resets(const struct coord_self *);	/* times it went wild */
/* The last samples of one peer; zeroed: none yet.  The caller keeps it. */
struct coord_filter { double rtt_s[COORD_SAMPLES]; uint8_t n, next; };
/* 0, or -1: the coordinate or the time (0 to 10 s) is out of reason. */
int coord_self_update(struct coord_self *, struct coord_filter *,
    const struct coord *other, double rtt_s);

#endif

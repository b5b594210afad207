/*
 * When each check runs next.  Pure: a heap of due times; time is an argument.
 *
 * The first run is at a random point within the first interval, so that the
 * checks of a node, and the nodes of a cluster, spread.  One that was failing
 * before a restart is looked at earlier, within a tenth of it, and then takes
 * its place among the others.  From then on a check keeps its cadence: a run
 * that takes longer than the interval skips those it missed, and none runs
 * twice at once.
 */
#ifndef CHECKD_SCHEDULE_H
#define CHECKD_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util.h"

/* Embedded in what is scheduled. */
struct sched_entry {
	uint64_t	 due_ms, interval_ms;
	uint64_t	 place_ms;	/* of one that runs early; or 0 */
	size_t		 slot;		/* in the heap, from 1; 0: not in it */
};

struct sched {
	struct sched_entry	**heap;	/* from 1 */
	size_t			 n, cap;
	struct rng		 rng;
};

void sched_init(struct sched *, uint64_t seed);
void sched_clear(struct sched *);
void sched_add(struct sched *, struct sched_entry *, uint64_t interval_ms,
    bool early, uint64_t now);
void sched_remove(struct sched *, struct sched_entry *);
/* Takes out one that is due, for sched_done() or sched_remove(); or NULL. */
struct sched_entry *sched_take(struct sched *, uint64_t now);
/* Its run is over. */
void sched_done(struct sched *, struct sched_entry *, uint64_t now);
/* When the next is due; false: none waits. */
bool sched_next(const struct sched *, uint64_t *due_ms);

#endif

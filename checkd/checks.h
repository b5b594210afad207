/*
 * The checks of this node: which there are, which run, what they said last.
 */
#ifndef CHECKD_CHECKS_H
#define CHECKD_CHECKS_H

#include "checkd/probe.h"

struct checks;

typedef void checks_result_fn(const struct msg_result *, void *arg);

struct checks *checks_new(struct ev *, struct prober *, uint64_t seed,
    checks_result_fn *, void *arg);
void checks_free(struct checks *);	/* no callbacks */

/* A whole set begins and ends: what was not in it is gone. */
void checks_begin(struct checks *);
void checks_end(struct checks *);
/*
 * A check is new, changed, or told again.  One told again keeps its cadence
 * and counts, and what it said last is said again: who tells it has forgotten.
 * Takes the definition, leaving it empty.
 */
void checks_set(struct checks *, struct msg_check *);
void checks_remove(struct checks *, const char *id);
/* Runs nothing any more. */
void checks_stop(struct checks *);
size_t checks_count(const struct checks *);
/* Where they stand, in order of their ids; the caller clears it. */
void checks_runs(const struct checks *, struct msg_check_runs *);

#endif

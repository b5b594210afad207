/*
 * The views that dnsd answers from, kept current: each watched name is
 * followed with a blocking query, and dnsd hears of it when it changed.  Where
 * dnsd is several processes a name is followed once for all that watch it.
 *
 * Pure but for struct views_ops; times are monotonic milliseconds.
 */
#ifndef CATALOGD_VIEWS_H
#define CATALOGD_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalogd/views_build.h"
#include "common/call.h"
#include "common/util.h"

struct views;

struct views_ops {
	/* Starts a call; its handle.  The callback never comes from within. */
	void	*(*call)(const char *method, struct schema *, const void *body,
		    uint64_t timeout_ms, call_fn *, void *fn_arg, void *arg);
	void	(*cancel)(void *handle, void *arg);
	/* To those of the workers whose bits are set. */
	void	(*send)(const struct msg_view *, uint64_t workers, void *arg);
	uint64_t (*now)(void *arg);
	/* views_run() has something to do. */
	void	(*changed)(void *arg);
	void	*arg;
	const char *node;	/* ours, that prepared queries are near to */
};

/* max: names followed at once; each is an open call for most of its time. */
struct views *views_new(const struct views_ops *, const char *datacenter,
    size_t max, uint64_t seed);
void views_free(struct views *);
/* Names of other datacenters get the WAN's addresses. */
void views_translate(struct views *, bool);
/*
 * worker: which dnsd, below DNS_WORKERS_MAX.
 * dc: NULL or "" is one's own.  Another's views are followed in the same way,
 * by calls that the servers pass on; there are no reverse ones of it.
 */
void views_watch(struct views *, unsigned worker, enum view_kind,
    const char *name, const char *dc);
void views_unwatch(struct views *, unsigned worker, enum view_kind,
    const char *name, const char *dc);
void views_forget(struct views *, unsigned worker);	/* it is gone */
/* Servers may be there again: those that failed try now. */
void views_retry(struct views *);
/* Starts what is due; the next time, UINT64_MAX: none. */
uint64_t views_run(struct views *, uint64_t now);
size_t views_count(const struct views *);

#endif

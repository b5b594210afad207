/*
 * Anti-entropy: what this node registered is what the servers know of it.
 *
 * A full run reads what the servers have (Catalog.NodeServiceList, then
 * Health.NodeChecks), compares, then pushes; a partial run only pushes what
 * changed here.  One call is under way at a time.
 *
 * Pure: one call leaves through ops->call and its answer comes to
 * sync_answer(); time is an argument in milliseconds.
 */
#ifndef CATALOGD_SYNC_H
#define CATALOGD_SYNC_H

#include "catalogd/agent.h"

struct sync;

struct sync_ops {
	void	(*call)(const char *method, struct schema *, const void *body,
		    bool write, void *arg);
	void	(*log)(bool warning, const char *text, void *arg);
	void	*arg;
};

struct sync *sync_new(struct agent *, const struct sync_ops *, uint64_t seed);
void sync_free(struct sync *);
/* Starts what is due.  When to call again, AGENT_NEVER: after an answer. */
uint64_t sync_run(struct sync *, uint64_t now);
/* error NULL: it went well, and this is the answer's body. */
void sync_answer(struct sync *, const char *error, const uint8_t *, size_t,
    uint64_t now);

/* Something here changed. */
void sync_changed(struct sync *);
/* A server appeared or a leader was elected: a full run soon. */
void sync_server_up(struct sync *, uint64_t now);
void sync_full(struct sync *, uint64_t now);	/* at once */
/* Members of the cluster, for the spread of the runs. */
void sync_members(struct sync *, size_t n);
void sync_stop(struct sync *);			/* leaving: no more runs */

/* Do they say the same?  remote may be altered. */
bool sync_service_same(const struct node_service *local,
    struct node_service *remote);
bool sync_check_same(const struct local_check *, struct health_check *remote);

#endif

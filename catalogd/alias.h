/*
 * Alias checks: what they show is the worst of the node's own checks and those
 * of one service.  For this node agent.c has the checks; for another they are
 * followed with a blocking query.
 */
#ifndef CATALOGD_ALIAS_H
#define CATALOGD_ALIAS_H

#include "catalogd/agent.h"
#include "common/call.h"

/* Fed with checks one by one, then read. */
struct alias_sum {
	const char	*service;	/* "": the node's own alone */
	const char	*status;
	char		*text;		/* free() it */
	bool		 found;		/* a check of that service */
};
void alias_begin(struct alias_sum *, const char *service);
void alias_add(struct alias_sum *, const struct health_check *);
/* Once all are in; exists: the service is known to be there. */
void alias_end(struct alias_sum *, bool exists, const char *node);

/* Is it another node's checks that this one shows? */
bool alias_is_remote(const struct agent *, const struct local_check *);

struct aliases;
struct alias_ops {
	/* As in struct views_ops. */
	void	*(*call)(const char *method, struct schema *, const void *body,
		    uint64_t timeout_ms, call_fn *, void *fn_arg, void *arg);
	void	(*cancel)(void *handle, void *arg);
	uint64_t (*now)(void *arg);
	void	(*changed)(void *arg);
	void	*arg;
};
struct aliases *aliases_new(struct agent *, const struct alias_ops *);
void aliases_free(struct aliases *);
/* Follows what came, drops what went, asks what is due; the next time. */
uint64_t aliases_run(struct aliases *, uint64_t now);

#endif

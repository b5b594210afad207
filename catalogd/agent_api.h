/*
 * The methods Agent.*: bodies in, answers out.  What they do is agent.c's.
 */
#ifndef CATALOGD_AGENT_API_H
#define CATALOGD_AGENT_API_H

#include "catalogd/agent.h"
#include "common/call.h"

struct agent_api;
struct agent_wait;

struct agent_api_ops {
	/* A full anti-entropy run, now. */
	void	(*sync)(void *arg);
	/* More sections for Agent.Stats. */
	void	(*stats)(struct strmap *, void *arg);
	void	*arg;
};

struct agent_api *agent_api_new(struct agent *, const struct agent_api_ops *);
void agent_api_free(struct agent_api *);	/* no callbacks */
/*
 * Unlike other calls, the callback may come from within; then NULL is
 * returned.  Otherwise the answer comes from agent_api_run().
 */
struct agent_wait *agent_api_call(struct agent_api *, const char *method,
    const uint8_t *body, size_t len, uint64_t now, call_fn *, void *arg);
void agent_api_cancel(struct agent_wait *);
/* After a change, and when due: answers those that wait.  The next time. */
uint64_t agent_api_run(struct agent_api *, uint64_t now);

#endif

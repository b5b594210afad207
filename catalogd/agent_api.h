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
	/*
	 * A method of the servers; the callback comes exactly once and later,
	 * unless it is cancelled.
	 */
	void	*(*call)(const char *method, struct schema *, const void *body,
		    bool write, uint64_t timeout_ms, call_fn *, void *fn_arg,
		    void *arg);
	void	(*cancel)(void *handle, void *arg);
	/* Asks checkd where checks stand; false: it is not there. */
	bool	(*ask_runs)(void *arg);
	int64_t	(*wall_ns)(void *arg);
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
/* A user event "consul:event:NAME" that gossip brought. */
void agent_api_event(struct agent_api *, const struct msg_event *);
/* What checkd answered.  Takes its elements. */
void agent_api_runs(struct agent_api *, struct msg_check_runs *);
/* After a change, and when due: answers those that wait.  The next time. */
uint64_t agent_api_run(struct agent_api *, uint64_t now);

#endif

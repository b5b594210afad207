/*
 * What agent_api.c, agent_event.c and agent_runs.c share: one call under way,
 * and those that are answered later.
 */
#ifndef CATALOGD_AGENT_API_INT_H
#define CATALOGD_AGENT_API_INT_H

#include <bsd/sys/queue.h>

#include "catalogd/agent_api.h"
#include "catalogd/user_event.h"

#define API_ERR_MAX	2048	/* a filter may be in it */
#define API_WAIT_MAX_NS	(600 * NS_PER_S)

/* A call that waits: for a change, until a time, or for another call. */
struct agent_wait {
	TAILQ_ENTRY(agent_wait)	 entry;
	struct agent_api	*api;
	uint64_t		 until;
	call_fn			*fn;
	void			*arg;
	/* Is it over by now?  Then it was answered, and it is gone. */
	bool			(*over)(struct agent_wait *, uint64_t now);
	/* Agent.Service: another hash */
	char			*id, *hash;
	/* Agent.EventList: another index; Agent.CheckRuns: another answer */
	struct agent_event_list	 list;
	uint64_t		 gen;
	/* Agent.EventFire: the servers' answer */
	struct user_event	 event;
	void			*call;
};

struct agent_api {
	struct agent		*agent;
	struct agent_api_ops	 ops;
	struct user_events	 events;
	struct msg_check_runs	 runs;		/* while somebody waits */
	uint64_t		 runs_gen;	/* how often they were told */
	TAILQ_HEAD(, agent_wait) waits;
};

struct api_request {
	struct agent_api	*api;
	const uint8_t		*body;
	size_t			 len;
	uint64_t		 now;
	call_fn			*fn;
	void			*arg;
	struct agent_wait	*wait;	/* it is answered later */
	char			 err[API_ERR_MAX];
};

/* 0, or -1 and the error is set. */
int api_body(struct api_request *, struct schema *, void *obj);
void api_answer(struct api_request *, struct schema *, const void *obj);
/* It is answered by over(), or at `until`. */
struct agent_wait *api_wait(struct api_request *, uint64_t until,
    bool (*over)(struct agent_wait *, uint64_t now));
/* The end of a wait: it becomes a request again, to be answered. */
void api_resume(struct agent_wait *, uint64_t now, struct api_request *);

/* agent_event.c */
int api_event_fire(struct api_request *);
int api_event_list(struct api_request *);

/* agent_runs.c */
int api_check_runs(struct api_request *);

#endif

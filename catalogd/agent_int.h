/*
 * What agent.c and agent_register.c share.
 */
#ifndef CATALOGD_AGENT_INT_H
#define CATALOGD_AGENT_INT_H

#include "catalogd/agent.h"

#define AGENT_REAP_EVERY_MS	30000

/* A state found on disk, until its check comes. */
struct remembered {
	char		*id, *status, *output;
	uint64_t	 left_ms;	/* of a TTL */
};
const struct remembered *agent_remembered(const struct agent *,
    const char *id);

void agent_say(struct agent *, bool warning, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* agent_run() is to be called by then. */
void agent_wake_by(struct agent *, uint64_t at);
/* Also those that are deleted and not yet forgotten. */
struct local_service *agent_service_any(struct agent *, const char *id);
struct local_check *agent_check_any(struct agent *, const char *id);

/* Status at once, output alone with delay. */
void agent_set_state(struct agent *, struct local_check *, const char *status,
    const char *output, uint64_t now);
/* Alias checks of this node, after anything else changed. */
void agent_aliases(struct agent *, uint64_t now);
/* Service name and tags are the service's, as the servers will have it. */
void agent_check_bind(struct agent *, struct health_check *);
void agent_probe_start(struct agent *, struct local_check *);
void agent_probe_stop(struct agent *, struct local_check *);
/* Gone here; the servers are still to be told. */
void agent_check_drop(struct agent *, struct local_check *);
void agent_service_drop(struct agent *, struct local_service *);
void agent_past_free(struct local_check *);
/* c is the check that stands for a maintenance mode: it ends. */
void agent_maintenance_off(struct agent *, struct local_check *c);

#endif

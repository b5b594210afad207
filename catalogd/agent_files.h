/*
 * Where services, checks and their states are kept on disk:
 *
 *	services/MD5		what the API registered
 *	checks/MD5
 *	checks/state/MD5	the last state of a check
 *	alive			when this node was last alive
 *
 * States of probed checks are believed only if the node was alive a moment
 * ago: after a long sleep nobody knows.
 */
#ifndef CATALOGD_AGENT_FILES_H
#define CATALOGD_AGENT_FILES_H

#include "catalogd/agent.h"

#define ALIVE_EVERY_MS	60000

struct agent_files;

/*
 * Makes what is missing; NULL when it cannot (logged).  dir "": nothing is
 * kept, everything succeeds.
 */
struct agent_files *agent_files_open(const char *dir);
void agent_files_free(struct agent_files *);

/* What was stored: states first, services after those in files, then checks. */
void agent_files_states(struct agent_files *, struct agent *, int64_t wall_s);
void agent_files_services(struct agent_files *, struct agent *, uint64_t now);
void agent_files_checks(struct agent_files *, struct agent *, uint64_t now,
    int64_t wall_s);

void agent_files_alive(struct agent_files *, int64_t wall_s);
int agent_files_save_service(struct agent_files *,
    const struct local_service *);
/* until_s: when a maintenance mode ends; 0: it does not. */
int agent_files_save_check(struct agent_files *, const struct local_check *,
    int64_t until_s);
void agent_files_save_state(struct agent_files *, const char *id,
    const char *status, const char *output, int64_t expires_s);
void agent_files_drop_service(struct agent_files *, const char *id);
void agent_files_drop_check(struct agent_files *, const char *id);
void agent_files_drop_state(struct agent_files *, const char *id);

#endif

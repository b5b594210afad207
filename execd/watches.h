/*
 * The watches of the configuration: a process of discoctl for each, which
 * follows the API and runs the handler.
 */
#ifndef EXECD_WATCHES_H
#define EXECD_WATCHES_H

#include "common/ev.h"
#include "common/schema/conf.h"
#include "execd/run.h"

struct watches;

/* Processes that end are told by the runs, who reap for all. */
struct watches *watches_new(struct ev *, struct runs *, bool own_user);
/* Kills what runs. */
void watches_free(struct watches *);
/*
 * Those of the configuration, as far as they were not there: of a watch that
 * stays the same nothing is heard.
 */
void watches_set(struct watches *, const struct conf_exec *);

#endif

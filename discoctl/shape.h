/*
 * What a watch shows: the answers of the API as Consul's Go client has them,
 * with its fields, their order, and what stands where nothing was said.
 */
#ifndef DISCOCTL_SHAPE_H
#define DISCOCTL_SHAPE_H

#include "common/json.h"
#include "common/watch.h"

/* The answer (NULL: there is none) as that type of watch has it.  after: of
 * events, the id of the last one that is known, or NULL.  The caller frees. */
char *shape_text(enum watch_type, const struct json *, const char *after,
    bool pretty);

#endif

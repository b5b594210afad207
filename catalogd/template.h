/*
 * Templates of prepared queries: one query for all names that begin alike.
 * Every text of its service part may hold ${name.full}, ${name.prefix},
 * ${name.suffix}, ${agent.segment} and ${match(N)}, the N-th group of its
 * regular expression on the name; $${ is ${.  Pure.
 */
#ifndef CATALOGD_TEMPLATE_H
#define CATALOGD_TEMPLATE_H

#include <stdbool.h>

#include "common/schema/state.h"

struct template;

bool template_is(const struct prepared_query *);
/* NULL and the reason, which the caller frees: it would never work. */
struct template *template_new(const struct prepared_query *, char **error);
void template_free(struct template *);		/* NULL is fine */
/* The query for that name, for the caller to clear.  -1 and the reason. */
int template_render(const struct template *, const struct prepared_query *,
    const char *name, const char *segment, struct prepared_query *,
    char **error);

#endif

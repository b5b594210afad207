/*
 * Filter expressions of ?filter= over the rows of an answer, in the language
 * of Consul 1.8 (go-bexpr), with its words for what is wrong:
 *
 *	Service.Tags contains "v1" and not (Node.Meta["rack"] == r2 or
 *	    Checks.Status != passing)
 *
 * A selector is resolved against a schema table, once; a match then follows
 * offsets.  Pure: no descriptor, no clock, no log.
 */
#ifndef COMMON_FILTER_H
#define COMMON_FILTER_H

#include "common/schema/schema.h"

#define FILTER_BYTES_MAX 16384	/* of the text; a URL has less */
#define FILTER_DEPTH_MAX 100	/* of parentheses and "not" */

struct filter;

/*
 * For rows of that schema.  NULL when the text is no such filter, with *why
 * (the caller frees it), which Consul begins with FILTER_BLAME.
 */
#define FILTER_BLAME "Failed to create boolean expression evaluator: "
struct filter *filter_new(struct schema *, const char *text, char **why);
void filter_free(struct filter *);		/* NULL is fine */
bool filter_match(const struct filter *, const void *row);

/*
 * Puts the rows of the filter's schema that match in front, wherever in obj
 * (of schema s) there is a list or map of them, and cuts the list there.
 * Nothing is freed: filter_restore() gives the list its length again, so that
 * whoever made it can free it.
 */
struct filter_cut { size_t *n, was; };
#define FILTER_CUTS_MAX 4
struct filter_cuts { struct filter_cut cut[FILTER_CUTS_MAX]; size_t n; };
void filter_rows(const struct filter *, struct schema *s, void *obj,
    struct filter_cuts *);
void filter_restore(struct filter_cuts *);

#endif

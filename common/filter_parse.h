/*
 * Between filter_parse.c, which knows the grammar, filter_string.c, which knows
 * its strings, and filter.c, which knows what a selector means.
 */
#ifndef COMMON_FILTER_PARSE_H
#define COMMON_FILTER_PARSE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/regex.h"
#include "common/schema/schema.h"

enum filter_op {
	FILTER_EQ, FILTER_NE, FILTER_IN, FILTER_NOT_IN, FILTER_EMPTY,
	FILTER_NOT_EMPTY, FILTER_MATCHES, FILTER_NOT_MATCHES
};

enum filter_kind { FILTER_OR, FILTER_AND, FILTER_NOT, FILTER_MATCH };

struct filter_node {
	SLIST_ENTRY(filter_node)	 entry;		/* of all, for freeing */
	enum filter_kind		 kind;
	struct filter_node		*child;		/* the first operand */
	struct filter_node		*next;		/* the next one beside it */

	/* Of a FILTER_MATCH. */
	struct strs			 path;
	char				*value;		/* NULL: "is empty" */
	enum filter_op			 op;
	/* What filter.c makes of these. */
	const struct schema_field	**field;	/* NULL: a key of a map */
	struct regex			*regex;
	int64_t				 number;
	uint64_t			 natural;
	double				 real;
	bool				 truth;
};
SLIST_HEAD(filter_nodes, filter_node);

/*
 * The tree, whose nodes are in `all` to be freed with filter_nodes_free(), also
 * after an error: NULL, and *why.
 */
struct filter_node *filter_parse(const char *text, struct filter_nodes *all,
    char **why);
void filter_nodes_free(struct filter_nodes *);
/* As %q of Go writes it. */
void filter_quote(struct wbuf *, const char *);
/* What stands between the quotes, new; NULL: it is no string of Go's. */
char *filter_unquote(const char *, size_t n, char quote);

#endif

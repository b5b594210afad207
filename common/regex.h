/*
 * Regular expressions that came from outside: filters of events and queries,
 * `matches` of an operator.  The syntax is that of Go (RE2), which Consul's
 * clients write; matching is libpcre2's with its work bounded.
 */
#ifndef COMMON_REGEX_H
#define COMMON_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#define REGEX_PATTERN_MAX 1024	/* bytes; an event as a whole has 512 */

struct regex;

/*
 * NULL when it is not one, with *why (the caller frees it) in Go's words:
 * "error parsing regexp: missing closing ]: `[`".
 */
struct regex *regex_new(const char *pattern, char **why);
void regex_free(struct regex *);		/* NULL is fine */
/*
 * Anywhere in the subject, unless the pattern is anchored; `$` is the very end.
 * A pattern that takes too much work on one subject does not match, and from
 * then on nothing: what somebody sent costs that much once, not per subject.
 */
bool regex_match(struct regex *, const char *subject, size_t len);

/*
 * One whose groups can be asked for: how many it has, the whole match counted
 * as the first (0: no match), and where they are; one that took no part is
 * empty.  Too much work is no match of this subject; others may have theirs.
 */
#define REGEX_GROUPS_MAX 32	/* further ones are not seen */
struct regex_group { size_t at, len; };
struct regex *regex_new_groups(const char *pattern, char **why);
size_t regex_groups(struct regex *, const char *subject, size_t len,
    struct regex_group [REGEX_GROUPS_MAX]);

#endif

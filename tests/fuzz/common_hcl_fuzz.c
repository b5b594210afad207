/*
 * Any text as HCL: a tree whose objects have each key once and whose strings
 * are text, or one line that says where it went wrong.
 */
#include <stdlib.h>
#include <string.h>

#include "common/hcl.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct json *j, bool json)
{
	const struct json	*c, *last = NULL;

	if (j->line == 0 || j->col == 0)
		abort();
	if ((j->type == JSON_STRING || j->type == JSON_NUMBER) &&
	    (j->str == NULL || j->str[j->len] != '\0'))
		abort();
	for (c = j->child; c != NULL; c = c->next) {
		if ((c->key != NULL) != (j->type == JSON_OBJECT))
			abort();
		if (!json && c->key != NULL && json_get(j, c->key) != c)
			abort();
		check(c, json);
		last = c;
	}
	if (last != j->last)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const	 lists[] = { "a", "a.b", "a.b.c", NULL };
	struct json			*j;
	char				 err[200] = "";
	const uint8_t			*brace;

	j = hcl_parse((const char *)data, size, err, sizeof(err));
	if (j == NULL) {
		if (strncmp(err, "line ", 5) != 0)
			abort();
		return 0;
	}
	/* JSON's own parser keeps a key that stands there twice. */
	brace = memchr(data, '{', size);
	check(j, brace != NULL);
	hcl_as_lists(j, lists);
	check(j, brace != NULL);
	json_free(j);
	return 0;
}

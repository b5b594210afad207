/*
 * Any text as the body of a registration over HTTP: keys of newer clients are
 * taken away, spellings are looked at, the rest is read as the endpoints read
 * it.  Twice the same is asked of what is left: nothing may go the second time.
 */
#include <stdlib.h>
#include <string.h>

#include "apid/spelling.h"
#include "common/schema/agent.h"
#include "common/schema/rpc.h"
#include "common/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct schema *const schemas[] = {
	&service_def_schema, &check_def_schema, &register_request_schema
};

static size_t
count(const struct json *j)
{
	size_t	n = 0;

	for (; j != NULL; j = j->next)
		n += 1 + count(j->child);
	return n;
}

static void
decode(const struct json *tree, struct schema *s)
{
	const struct json	*at;
	char			 err[512];
	void			*obj = xcalloc(1, s->size);

	if (schema_json_decode(s, tree, SJ_STRICT | SJ_FOLD | SJ_DURNUM, obj,
	    err, sizeof(err), &at) == 0)
		schema_clear(s, obj);
	free(obj);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json	*tree;
	char		 err[512];
	size_t		 i, left;

	if ((tree = json_parse((const char *)data, n, err, sizeof(err)))
	    == NULL)
		return 0;
	spelling_newer(tree);
	left = count(tree);
	spelling_newer(tree);
	if (count(tree) != left || (tree->child != NULL) !=
	    (tree->last != NULL))
		abort();
	(void)spelling_service(tree);
	(void)spelling_check(tree);
	for (i = 0; i < NELEM(schemas); i++)
		decode(tree, schemas[i]);
	json_free(tree);
	return 0;
}

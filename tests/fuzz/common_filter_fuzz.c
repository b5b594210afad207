/*
 * Any text as a filter over the rows that filters are asked of; those that are
 * one are tried on an empty row and on one with something in each list.
 */
#include <stdlib.h>
#include <string.h>

#include "common/filter.h"
#include "common/schema/agent.h"
#include "common/schema/rpc.h"
#include "common/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct schema *const rows[] = {
	&check_service_node_schema, &service_node_schema, &node_schema,
	&health_check_schema, &node_service_schema, &node_info_schema,
	&agent_service_schema
};

static void
try(struct schema *s, const char *text)
{
	struct check_service_node	 full = { 0 };
	struct filter			*f;
	void				*row;
	char				*why;

	if ((f = filter_new(s, text, &why)) == NULL) {
		free(why);
		return;
	}
	row = xcalloc(1, s->size);
	(void)filter_match(f, row);
	free(row);
	if (s == &check_service_node_schema) {
		strmap_put(&full.node.meta, "rack", "r1");
		strs_add(&full.service.tags, "v1");
		str_set(&full.service.service, "api");
		VEC_ADD(&full.checks);
		(void)filter_match(f, &full);
		schema_clear(s, &full);
	}
	filter_free(f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char	*text = xmemdup_str(data, len);
	size_t	 i;

	for (i = 0; i < NELEM(rows); i++)
		try(rows[i], text);
	free(text);
	return 0;
}

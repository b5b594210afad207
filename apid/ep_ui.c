/*
 * /v1/internal/ui: what web pages ask: nodes with all that is on them, services
 * summed up by name.
 */
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/util.h"

/* ---- nodes ---- */

/* Here nil is null, but no list of the node's own is. */
static void
write_node(struct jw *jw, struct node_info *n)
{
	n->services.set = true;
	n->checks.set = true;
	schema_json_encode(&node_info_schema, n, jw);
}

static void
nodes_list(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_node_dump	 a;
	struct jw			*jw;
	size_t				 i;

	if (decoded(r, &indexed_node_dump_schema, body, len, &a) == -1)
		return;
	meta_headers(r, body, len, false);
	jw = json_of(r);
	jw_keep_nil(jw);
	jw_arr(jw);
	for (i = 0; i < a.dump.n; i++)
		write_node(jw, &a.dump.item[i]);
	jw_end_arr(jw);
	schema_clear(&indexed_node_dump_schema, &a);
	reply_json(r, jw);
}

void
ep_ui_nodes(struct request *r)
{
	ask_dc(r, "Internal.NodeDump", nodes_list);
}

static void
one_node(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_node_dump	 a;
	struct jw			*jw;

	if (decoded(r, &indexed_node_dump_schema, body, len, &a) == -1)
		return;
	if (a.dump.n == 0)
		reply_empty(r, 404);
	else {
		meta_headers(r, body, len, false);
		jw = json_of(r);
		jw_keep_nil(jw);
		write_node(jw, &a.dump.item[0]);
		reply_json(r, jw);
	}
	schema_clear(&indexed_node_dump_schema, &a);
}

void
ep_ui_node(struct request *r)
{
	ask_node(r, "Internal.NodeInfo", one_node);
}

/* ---- services ---- */

static int
by_service(const void *a, const void *b)
{
	const struct check_service_node	*x = *(void *const *)a;
	const struct check_service_node	*y = *(void *const *)b;
	int				 c;

	c = strcmp(str_or(x->service.service, ""),
	    str_or(y->service.service, ""));
	return c != 0 ? c : strcmp(str_or(x->node.node, ""),
	    str_or(y->node.node, ""));
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each text once; nil when there is none. */
static void
write_set(struct jw *jw, struct strs *texts)
{
	size_t	i;

	if (texts->n == 0) {
		jw_null(jw);
		return;
	}
	qsort(texts->item, texts->n, sizeof(*texts->item), by_text);
	jw_arr(jw);
	for (i = 0; i < texts->n; i++)
		if (i == 0 || strcmp(texts->item[i], texts->item[i - 1]) != 0)
			jw_str(jw, texts->item[i]);
	jw_end_arr(jw);
}

struct sums { int64_t passing, warning, critical; };

static void
count_checks(const struct health_check_vec *checks, struct sums *s)
{
	const char	*status;
	size_t		 i;

	for (i = 0; i < checks->n; i++) {
		status = str_or(checks->item[i].status, "");
		if (strcmp(status, "passing") == 0)
			s->passing++;
		else if (strcmp(status, "warning") == 0)
			s->warning++;
		else if (strcmp(status, "critical") == 0)
			s->critical++;
	}
}

static void
put_int(struct jw *jw, const char *key, int64_t n)
{
	jw_key(jw, key);
	jw_int(jw, n);
}

/* The n instances of one name. */
static void
write_summary(struct jw *jw, struct check_service_node **inst, size_t n)
{
	struct strs	 tags = { 0 }, sources = { 0 };
	struct sums	 s = { 0 };
	const char	*kind = inst[n - 1]->service.kind, *source;
	size_t		 i, k;

	jw_obj(jw);
	if (!str_empty(kind)) {
		jw_key(jw, "Kind");
		jw_str(jw, kind);
	}
	jw_key(jw, "Name");
	jw_str(jw, inst[0]->service.service);
	for (i = 0; i < n; i++) {
		for (k = 0; k < inst[i]->service.tags.n; k++)
			strs_add(&tags,
			    str_or(inst[i]->service.tags.item[k], ""));
		source = strmap_get(&inst[i]->service.meta, "external-source");
		if (!str_empty(source))
			strs_add(&sources, source);
		count_checks(&inst[i]->checks, &s);
	}
	jw_key(jw, "Tags");
	write_set(jw, &tags);
	jw_key(jw, "Nodes");
	jw_arr(jw);
	for (i = 0; i < n; i++)
		jw_str(jw, inst[i]->node.node);
	jw_end_arr(jw);
	put_int(jw, "InstanceCount", (int64_t)n);
	put_int(jw, "ChecksPassing", s.passing);
	put_int(jw, "ChecksWarning", s.warning);
	put_int(jw, "ChecksCritical", s.critical);
	jw_key(jw, "ExternalSources");
	write_set(jw, &sources);
	jw_key(jw, "GatewayConfig");
	jw_obj(jw);
	jw_end_obj(jw);
	jw_end_obj(jw);
	strs_clear(&tags);
	strs_clear(&sources);
}

static void
summaries(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_check_service_nodes	 a;
	struct check_service_node		**row;
	struct jw				*jw;
	size_t					 i, n;

	if (decoded(r, &indexed_check_service_nodes_schema, body, len, &a)
	    == -1)
		return;
	meta_headers(r, body, len, false);
	row = xreallocarray(NULL, a.nodes.n + 1, sizeof(*row));
	for (i = 0; i < a.nodes.n; i++)
		row[i] = &a.nodes.item[i];
	qsort(row, a.nodes.n, sizeof(*row), by_service);
	jw = json_of(r);
	jw_arr(jw);
	for (i = 0; i < a.nodes.n; i += n) {
		for (n = 1; i + n < a.nodes.n && strcmp(str_or(
		    row[i]->service.service, ""), str_or(
		    row[i + n]->service.service, "")) == 0; n++)
			;
		write_summary(jw, row + i, n);
	}
	jw_end_arr(jw);
	free(row);
	schema_clear(&indexed_check_service_nodes_schema, &a);
	reply_json(r, jw);
}

void
ep_ui_services(struct request *r)
{
	ask_dc(r, "Internal.ServiceDump", summaries);
}

/*
 * catalog datacenters | nodes | services, operator raft list-peers: what the
 * servers know.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discoctl/ctl.h"

/* Adds "?key=value" or "&key=value" to a path. */
static void
add_query(char **path, const char *key, const char *value)
{
	char	*v = escape(value), *longer;

	xasprintf(&longer, "%s%c%s=%s", *path, strchr(*path, '?') == NULL ?
	    '?' : '&', key, v);
	free(*path);
	*path = longer;
	free(v);
}

/* Path, the target's query and the -node-meta filters. */
static char *
read_path(struct ctl *c, const char *base, const struct strs *meta)
{
	char	*path, *query = query_of(c), *pair;
	size_t	 i;

	xasprintf(&path, "%s%s", base, query);
	free(query);
	for (i = 0; i < meta->n; i++) {
		pair = xstrdup(meta->item[i]);
		*strchr(pair, '=') = ':';
		add_query(&path, "node-meta", pair);
		free(pair);
	}
	return path;
}

int
cmd_catalog_datacenters(struct ctl *c, int argc, char **argv)
{
	const struct json	*j;
	struct answer		 ans;
	int			 i, rc;

	if ((i = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	if (request(c, "GET", "/v1/catalog/datacenters", NULL,
	    "listing datacenters", &ans) == -1)
		return 1;
	for (j = ans.json == NULL ? NULL : ans.json->child; j != NULL;
	    j = j->next)
		printf("%s\n", j->str == NULL ? "" : j->str);
	answer_free(&ans);
	return 0;
}

/* "k=v, k=v" of an object, by key as they came; the caller frees it. */
static char *
pairs_text(const struct json *obj)
{
	const struct json	*j;
	struct wbuf		 b;

	wb_init(&b, 0);
	for (j = obj == NULL ? NULL : obj->child; j != NULL; j = j->next)
		wb_printf(&b, "%s%s=%s", b.len > 0 ? ", " : "", j->key,
		    j->str == NULL ? "" : j->str);
	return wb_detach_str(&b);
}

static void
node_row(struct table *t, const struct json *n, bool detailed)
{
	char	*tagged, *meta;

	if (!detailed) {
		table_row(t, "%s\t%.8s\t%s\t%s", text_of(n, "Node"),
		    text_of(n, "ID"), text_of(n, "Address"),
		    text_of(n, "Datacenter"));
		return;
	}
	tagged = pairs_text(json_get(n, "TaggedAddresses"));
	meta = pairs_text(json_get(n, json_get(n, "Meta") != NULL ? "Meta" :
	    "NodeMeta"));
	table_row(t, "%s\t%s\t%s\t%s\t%s\t%s", text_of(n, "Node"),
	    text_of(n, "ID"), text_of(n, "Address"), text_of(n, "Datacenter"),
	    tagged, meta);
	free(tagged);
	free(meta);
}

int
cmd_catalog_nodes(struct ctl *c, int argc, char **argv)
{
	bool			 detailed = false;
	const char		*filter = NULL, *near = NULL, *service = NULL;
	struct strs		 meta = { 0 };
	const struct opt	 opts[] = {
		{ "detailed", OPT_FLAG, &detailed, NULL,
		  "Addresses and metadata too.", NULL },
		{ "filter", OPT_STR, &filter, "<string>",
		  "Filter to use with the request.", NULL },
		{ "near", OPT_STR, &near, "<string>",
		  "Sort by the estimated round trip from this node; _agent is "
		  "the agent's own.", NULL },
		{ "node-meta", OPT_PAIRS, &meta, "<key=value>",
		  "Only nodes with this metadata; may be given several times.",
		  NULL },
		{ "service", OPT_STR, &service, "<id or name>",
		  "Only nodes that provide this service.", NULL },
		{ 0 }
	};
	const struct json	*n;
	struct answer		 ans;
	struct table		*t;
	char			*path, *base, *name;
	const char		*last = NULL;
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	if (service != NULL) {
		name = escape(service);
		xasprintf(&base, "/v1/catalog/service/%s", name);
		free(name);
	} else
		base = xstrdup("/v1/catalog/nodes");
	path = read_path(c, base, &meta);
	free(base);
	strs_clear(&meta);
	if (near != NULL)
		add_query(&path, "near", near);
	if (filter != NULL)
		add_query(&path, "filter", filter);
	rc = request(c, "GET", path, NULL, "listing nodes", &ans);
	free(path);
	if (rc == -1)
		return 1;
	if (c->format == NULL &&
	    (ans.json == NULL || ans.json->child == NULL)) {
		fprintf(stderr, "No nodes match the given query - try "
		    "expanding your search.\n");
		answer_free(&ans);
		return 0;
	}
	t = table_new(TABLE_GAP);
	table_row(t, detailed ? "Node\tID\tAddress\tDC\tTaggedAddresses\tMeta" :
	    "Node\tID\tAddress\tDC");
	for (n = ans.json == NULL ? NULL : ans.json->child; n != NULL;
	    n = n->next) {
		/* Several instances of a service on a node are one row. */
		if (last == NULL || strcmp(last, text_of(n, "Node")) != 0)
			node_row(t, n, detailed);
		last = text_of(n, "Node");
	}
	if (near == NULL)
		table_sort(t, true);
	table_show(t, c, NULL);
	table_free(t);
	answer_free(&ans);
	return 0;
}

/* What Consul leaves between a service and its tags. */
#define TAGS_GAP 6

static void
service_row(struct table *t, const char *name, const struct json *tags,
    bool with_tags)
{
	const struct json	*g;
	struct wbuf		 b;
	char			*text;

	if (!with_tags) {
		table_row(t, "%s", name);
		return;
	}
	wb_init(&b, 0);
	for (g = tags == NULL ? NULL : tags->child; g != NULL; g = g->next)
		wb_printf(&b, "%s%s", b.len > 0 ? "," : "",
		    g->str == NULL ? "" : g->str);
	text = wb_detach_str(&b);
	table_row(t, "%s\t%s", name, text);
	free(text);
}

int
cmd_catalog_services(struct ctl *c, int argc, char **argv)
{
	bool			 with_tags = false;
	const char		*node = NULL;
	struct strs		 meta = { 0 };
	const struct opt	 opts[] = {
		{ "node", OPT_STR, &node, "<id or name>",
		  "Only services of this node.", NULL },
		{ "node-meta", OPT_PAIRS, &meta, "<key=value>",
		  "Only services on nodes with this metadata; may be given "
		  "several times.", NULL },
		{ "tags", OPT_FLAG, &with_tags, NULL,
		  "Display each service's tags.", NULL },
		{ 0 }
	};
	const struct json	*s, *list;
	struct answer		 ans;
	struct table		*t;
	char			*path, *base, *name;
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	if (node != NULL) {
		name = escape(node);
		xasprintf(&base, "/v1/catalog/node/%s", name);
		free(name);
	} else
		base = xstrdup("/v1/catalog/services");
	path = read_path(c, base, &meta);
	free(base);
	strs_clear(&meta);
	rc = request(c, "GET", path, NULL, "listing services", &ans);
	free(path);
	if (rc == -1)
		return 1;
	list = ans.json;
	if (node != NULL)
		list = list == NULL || list->type != JSON_OBJECT ? NULL :
		    json_get(list, "Services");
	if (c->format == NULL && (list == NULL || list->child == NULL)) {
		fprintf(stderr, "No services match the given query - try "
		    "expanding your search.\n");
		answer_free(&ans);
		return 0;
	}
	t = table_new(TAGS_GAP);
	for (s = list == NULL ? NULL : list->child; s != NULL; s = s->next)
		service_row(t, node == NULL ? s->key : text_of(s, "Service"),
		    node == NULL ? s : json_get(s, "Tags"), with_tags);
	table_sort(t, false);
	table_show(t, c, "Service\tTags");
	table_free(t);
	answer_free(&ans);
	return 0;
}

int
cmd_list_peers(struct ctl *c, int argc, char **argv)
{
	const struct json	*s, *list;
	struct answer		 ans;
	struct table		*t;
	char			*path, *query;
	bool			 leader, voter;
	int			 i, rc;

	if ((i = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	query = query_of(c);
	xasprintf(&path, "/v1/operator/raft/configuration%s", query);
	free(query);
	rc = request(c, "GET", path, NULL, "getting peers: "
	    "Failed to retrieve raft configuration", &ans);
	free(path);
	if (rc == -1)
		return 1;
	t = table_new(TABLE_GAP);
	table_row(t, "Node\tID\tAddress\tState\tVoter\tRaftProtocol");
	list = ans.json == NULL ? NULL : json_get(ans.json, "Servers");
	for (s = list == NULL ? NULL : list->child; s != NULL; s = s->next) {
		leader = json_get(s, "Leader") != NULL &&
		    json_get(s, "Leader")->truth;
		voter = json_get(s, "Voter") != NULL &&
		    json_get(s, "Voter")->truth;
		table_row(t, "%s\t%s\t%s\t%s\t%s\t%s", text_of(s, "Node"),
		    text_of(s, "ID"), text_of(s, "Address"),
		    leader ? "leader" : "follower", voter ? "true" : "false",
		    text_of(s, "ProtocolVersion"));
	}
	table_show(t, c, NULL);
	table_free(t);
	answer_free(&ans);
	return 0;
}

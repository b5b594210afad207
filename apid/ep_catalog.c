/*
 * /v1/catalog, /v1/health, /v1/status: what the servers know.  Each is a
 * request struct filled from the path and the query, a method of the RPC, and
 * a way to print the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "apid/far.h"
#include "apid/spelling.h"
#include "common/mp.h"
#include "common/util.h"

/* A list as an array, each element by its schema. */
static void
write_list(struct jw *jw, struct schema *schema, const void *items, size_t n)
{
	const char	*p = items;
	size_t		 i;

	jw_arr(jw);
	for (i = 0; i < n; i++)
		schema_json_encode(schema, p + i * schema->size, jw);
	jw_end_arr(jw);
}

/* ---- status ---- */

static void
bare_string(struct request *r, const uint8_t *body, size_t len)
{
	const uint8_t	*s;
	struct jw	*jw = json_of(r);
	struct rbuf	 rb;
	size_t		 n;

	rb_init(&rb, body, len);
	s = mp_get_raw(&rb, &n);
	jw_strn(jw, s == NULL ? "" : (const char *)s, s == NULL ? 0 : n);
	reply_json(r, jw);
}

static void
bare_strings(struct request *r, const uint8_t *body, size_t len)
{
	const uint8_t	*s;
	struct jw	*jw = json_of(r);
	struct rbuf	 rb;
	size_t		 count, i, n;

	rb_init(&rb, body, len);
	count = mp_get_array(&rb);
	jw_arr(jw);
	for (i = 0; i < count; i++) {
		s = mp_get_raw(&rb, &n);
		if (!rb_ok(&rb))
			break;
		jw_strn(jw, s == NULL ? "" : (const char *)s,
		    s == NULL ? 0 : n);
	}
	jw_end_arr(jw);
	reply_json(r, jw);
}

/* Reads that take a datacenter and the options alone. */
static void
ask_dc_cached(struct request *r, const char *method, bool once,
    answered_fn *fn)
{
	struct dc_request	q = { 0 };
	struct read_options	o;

	if (read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	FILL_SOURCE(&q, &o);
	ASK_MAYBE_CACHED(r, method, dc_request, &q, &o, once, fn);
	schema_clear(&dc_request_schema, &q);
	read_options_clear(&o);
}

void
ep_status_leader(struct request *r)
{
	ask_dc(r, "Status.Leader", bare_string);
}

void
ep_status_peers(struct request *r)
{
	ask_dc(r, "Status.Peers", bare_strings);
}

void
ep_catalog_datacenters(struct request *r)
{
	ask_dc_cached(r, "Catalog.ListDatacenters", true, bare_strings);
}

/* ---- writes ---- */

static void
done_true(struct request *r, const uint8_t *body, size_t len)
{
	struct jw	*jw = json_of(r);

	(void)body;
	(void)len;
	jw_bool(jw, true);
	reply_json(r, jw);
}

/* A body names its own datacenter, or the query does, or it is this one. */
static void
default_dc(struct request *r, char **dc, char **token)
{
	const char	*t;

	if (str_empty(*dc))
		str_set(dc, str_empty(params_get(&r->params, "dc")) ?
		    r->apid->agent.datacenter : params_get(&r->params, "dc"));
	t = params_get(&r->params, "token");
	if (t == NULL)
		t = MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND,
		    "X-Consul-Token");
	if (t != NULL)
		str_set(token, t);
}

void
ep_catalog_register(struct request *r)
{
	struct register_request	q;
	struct json		*tree;

	if ((tree = body_tree(r)) == NULL)
		return;
	spelling_newer(tree);
	if (tree_json(r, tree, &register_request_schema, SJ_STRICT | SJ_FOLD |
	    SJ_DURNUM, &q) == -1)
		return;
	default_dc(r, &q.datacenter, &q.token);
	ask_catalogd(r, "Catalog.Register", &register_request_schema, &q,
	    CALL_WRITE, done_true);
	schema_clear(&register_request_schema, &q);
}

void
ep_catalog_deregister(struct request *r)
{
	struct deregister_request	 q;
	struct json			*tree;

	if ((tree = body_tree(r)) == NULL)
		return;
	spelling_deregister(tree);
	if (tree_json(r, tree, &deregister_request_schema, SJ_STRICT | SJ_FOLD,
	    &q) == -1)
		return;
	default_dc(r, &q.datacenter, &q.token);
	ask_catalogd(r, "Catalog.Deregister", &deregister_request_schema, &q,
	    CALL_WRITE, done_true);
	schema_clear(&deregister_request_schema, &q);
}

/* ---- catalog ---- */

static void
nodes_list(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_nodes	 a;
	struct jw		*jw;
	size_t			 i;

	if (decoded(r, &indexed_nodes_schema, body, len, &a) == -1)
		return;
	for (i = 0; i < a.nodes.n; i++)
		far_node(r, &a.nodes.item[i]);
	meta_headers(r, body, len, true);
	jw = json_of(r);
	write_list(jw, &node_schema, a.nodes.item, a.nodes.n);
	schema_clear(&indexed_nodes_schema, &a);
	reply_json(r, jw);
}

void
ep_catalog_nodes(struct request *r)
{
	ask_dc(r, "Catalog.ListNodes", nodes_list);
}

static void
services_map(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_services	 a;
	struct strs		*tags;
	struct jw		*jw;
	size_t			 i, k;

	if (decoded(r, &indexed_services_schema, body, len, &a) == -1)
		return;
	meta_headers(r, body, len, true);
	jw = json_of(r);
	jw_obj(jw);
	for (i = 0; i < a.services.n; i++) {
		jw_key(jw, a.services.item[i].key);
		tags = &a.services.item[i].val;
		jw_arr(jw);
		for (k = 0; k < tags->n; k++)
			jw_str(jw, tags->item[k]);
		jw_end_arr(jw);
	}
	jw_end_obj(jw);
	schema_clear(&indexed_services_schema, &a);
	reply_json(r, jw);
}

void
ep_catalog_services(struct request *r)
{
	ask_dc_cached(r, "Catalog.ListServices", false, services_map);
}

static answered_fn	checks_list;

/* What reads of one service have in common. */
static void
ask_service(struct request *r, const char *method, answered_fn *fn)
{
	struct service_request	q = { 0 };
	struct read_options	o;

	if (!named(r, "service name") || read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	FILL_SOURCE(&q, &o);
	str_set(&q.service_name, r->tail);
	params_all(&r->params, "tag", &q.service_tags);
	q.tag_filter = q.service_tags.n > 0;
	q.connect = strstr(r->route->path, "/connect/") != NULL;
	q.ingress = strstr(r->route->path, "/ingress/") != NULL;
	/* Consul has no cache for checks. */
	o.cached = o.cached && fn != checks_list;
	ASK_MAYBE_CACHED(r, method, service_request, &q, &o, false, fn);
	schema_clear(&service_request_schema, &q);
	read_options_clear(&o);
}

static void
service_nodes(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_service_nodes	 a;
	struct jw			*jw;
	size_t				 i;

	if (decoded(r, &indexed_service_nodes_schema, body, len, &a) == -1)
		return;
	for (i = 0; i < a.service_nodes.n; i++)
		far_row(r, &a.service_nodes.item[i]);
	meta_headers(r, body, len, true);
	jw = json_of(r);
	write_list(jw, &service_node_schema, a.service_nodes.item,
	    a.service_nodes.n);
	schema_clear(&indexed_service_nodes_schema, &a);
	reply_json(r, jw);
}

void
ep_catalog_service(struct request *r)
{
	ask_service(r, "Catalog.ServiceNodes", service_nodes);
}

/* What reads of one node have in common. */
static void
node_services(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_node_services	 a;
	struct node_services		*n;
	struct jw			*jw;
	size_t				 i;

	if (decoded(r, &indexed_node_services_schema, body, len, &a) == -1)
		return;
	if ((n = a.node_services) != NULL && n->node != NULL) {
		for (i = 0; i < n->services.n; i++)
			far_service(r, n->node->datacenter,
			    &n->services.item[i].val);
		far_node(r, n->node);
	}
	meta_headers(r, body, len, true);
	jw = json_of(r);
	if (a.node_services == NULL)
		jw_null(jw);
	else
		schema_json_encode(&node_services_schema, a.node_services, jw);
	schema_clear(&indexed_node_services_schema, &a);
	reply_json(r, jw);
}

void
ep_catalog_node(struct request *r)
{
	ask_node(r, "Catalog.NodeServices", node_services);
}

static void
node_service_list(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_node_service_list	 a;
	struct node_service_list		*n = &a.node_services;
	struct jw				*jw;
	size_t					 i;

	if (decoded(r, &indexed_node_service_list_schema, body, len, &a) == -1)
		return;
	for (i = 0; n->node != NULL && i < n->services.n; i++)
		far_service(r, n->node->datacenter, &n->services.item[i]);
	if (n->node != NULL)
		far_node(r, n->node);
	meta_headers(r, body, len, true);
	jw = json_of(r);
	schema_json_encode(&node_service_list_schema, &a.node_services, jw);
	schema_clear(&indexed_node_service_list_schema, &a);
	reply_json(r, jw);
}

void
ep_catalog_node_services(struct request *r)
{
	ask_node(r, "Catalog.NodeServiceList", node_service_list);
}

/* ---- health ---- */

/* ?passing, by presence or as a boolean; -1: replied. */
static int
passing_param(struct request *r, bool *passing)
{
	const char	*s = params_get(&r->params, "passing");

	*passing = s != NULL;
	if (str_empty(s) || bool_parse(s, passing) == 0)
		return 0;
	reply_text(r, 400, "Invalid value for ?passing");
	return -1;
}

static bool
all_passing(const struct check_service_node *n)
{
	size_t	i;

	for (i = 0; i < n->checks.n; i++)
		if (strcmp(str_or(n->checks.item[i].status, ""), "passing")
		    != 0)
			return false;
	return true;
}

static void
service_health(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_check_service_nodes	 a;
	struct jw				*jw;
	bool					 passing;
	size_t					 i;

	if (passing_param(r, &passing) == -1)
		return;
	if (decoded(r, &indexed_check_service_nodes_schema, body, len,
	    &a) == -1)
		return;
	meta_headers(r, body, len, true);
	far_instances(r, &a.nodes);
	jw = json_of(r);
	jw_arr(jw);
	/* "Passing only" is the agent's part, not the servers'. */
	for (i = 0; i < a.nodes.n; i++)
		if (!passing || all_passing(&a.nodes.item[i]))
			schema_json_encode(&check_service_node_schema,
			    &a.nodes.item[i], jw);
	jw_end_arr(jw);
	schema_clear(&indexed_check_service_nodes_schema, &a);
	reply_json(r, jw);
}

void
ep_health_service(struct request *r)
{
	bool	passing;

	if (passing_param(r, &passing) == 0)
		ask_service(r, "Health.ServiceNodes", service_health);
}

static void
checks_list(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_health_checks	 a;
	struct jw			*jw;

	if (decoded(r, &indexed_health_checks_schema, body, len, &a) == -1)
		return;
	meta_headers(r, body, len, true);
	jw = json_of(r);
	write_list(jw, &health_check_schema, a.checks.item, a.checks.n);
	schema_clear(&indexed_health_checks_schema, &a);
	reply_json(r, jw);
}

void
ep_health_checks(struct request *r)
{
	ask_service(r, "Health.ServiceChecks", checks_list);
}

void
ep_health_node(struct request *r)
{
	ask_node(r, "Health.NodeChecks", checks_list);
}

void
ep_health_state(struct request *r)
{
	struct checks_request	q = { 0 };
	struct read_options	o;

	if (!named(r, "check state") || read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	FILL_SOURCE(&q, &o);
	str_set(&q.state, r->tail);
	ask_catalogd(r, "Health.ChecksInState", &checks_request_schema, &q, 0,
	    checks_list);
	schema_clear(&checks_request_schema, &q);
	read_options_clear(&o);
}

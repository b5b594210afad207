/*
 * /v1/query: prepared queries, and what they come to.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "apid/far.h"
#include "common/schema/state.h"
#include "common/util.h"

/* ---- writes ---- */

/* id NULL: that of the body. */
static void
write_query(struct request *r, const char *op, const char *id,
    answered_fn *fn)
{
	struct query_request	q = { 0 };

	if (strcmp(op, "delete") != 0 && body_json(r, &prepared_query_schema,
	    SJ_STRICT | SJ_FOLD, &q.query) == -1)
		return;
	if (id != NULL)
		str_set(&q.query.id, id);
	str_set(&q.op, op);
	FILL_WRITE(&q, r);
	ask_catalogd(r, "PreparedQuery.Apply", &query_request_schema, &q,
	    CALL_WRITE, fn);
	schema_clear(&query_request_schema, &q);
}

/* ---- reads ---- */

static void
queries_list(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_queries	 a;
	struct jw		*jw;
	size_t			 i;

	if (decoded(r, &indexed_queries_schema, body, len, &a) == -1)
		return;
	meta_headers(r, body, len, true);
	jw = json_of(r);
	jw_arr(jw);
	for (i = 0; i < a.queries.n; i++)
		schema_json_encode(&prepared_query_schema, &a.queries.item[i],
		    jw);
	jw_end_arr(jw);
	schema_clear(&indexed_queries_schema, &a);
	reply_json(r, jw);
}

static void
list(struct request *r)
{
	struct read_options	o;
	struct dc_request	q = { 0 };

	if (read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	ask_catalogd(r, "PreparedQuery.List", &dc_request_schema, &q, 0,
	    queries_list);
	schema_clear(&dc_request_schema, &q);
	read_options_clear(&o);
}

static void
get_one(struct request *r, const char *id)
{
	struct query_id_request	q = { 0 };
	struct read_options	o;

	if (read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	str_set(&q.query_id, id);
	ask_catalogd(r, "PreparedQuery.Get", &query_id_request_schema, &q, 0,
	    queries_list);
	schema_clear(&query_id_request_schema, &q);
	read_options_clear(&o);
}

void
ep_query(struct request *r)
{
	if (r->method == M_POST)
		write_query(r, "create", NULL, done_id);
	else
		list(r);
}

/* ---- execute, explain ---- */

/* How current the answer is: an agent says so itself. */
static const char *
consistency(const struct request *r)
{
	return params_get(&r->params, "stale") != NULL ? "stale" :
	    params_get(&r->params, "consistent") != NULL ? "consistent" :
	    "leader";
}

static void
executed(struct request *r, const uint8_t *body, size_t len)
{
	struct query_execute_response	 a;
	struct jw			*jw;

	if (decoded(r, &query_execute_response_schema, body, len, &a) == -1)
		return;
	meta_headers(r, body, len, true);
	str_set(&a.consistency_level, consistency(r));
	a.nodes.set = true;
	far_instances(r, &a.nodes);
	jw = json_of(r);
	jw_keep_nil(jw);
	schema_json_encode(&query_execute_response_schema, &a, jw);
	schema_clear(&query_execute_response_schema, &a);
	reply_json(r, jw);
}

static void
explained(struct request *r, const uint8_t *body, size_t len)
{
	struct query_explain_response	 a;
	struct jw			*jw;

	if (decoded(r, &query_explain_response_schema, body, len, &a) == -1)
		return;
	meta_headers(r, body, len, true);
	str_set(&a.consistency_level, consistency(r));
	jw = json_of(r);
	schema_json_encode(&query_explain_response_schema, &a, jw);
	schema_clear(&query_explain_response_schema, &a);
	reply_json(r, jw);
}

/* ?limit; -1: replied, in the words of Go. */
static int
limit(struct request *r, int64_t *out)
{
	const char	*s = params_get(&r->params, "limit");
	char		*end;
	long		 v;

	if (str_empty(s))
		return 0;
	errno = 0;
	v = strtol(s, &end, 10);
	if (end == s || *end != '\0' || strchr(" \t\n\r", *s) != NULL) {
		reply_text(r, 500, "Bad limit: strconv.Atoi: parsing \"%s\": "
		    "invalid syntax", s);
		return -1;
	}
	if (errno == ERANGE) {
		reply_text(r, 500, "Bad limit: strconv.Atoi: parsing \"%s\": "
		    "value out of range", s);
		return -1;
	}
	*out = v;
	return 0;
}

/* Who asks, and from which address, for queries that are near to that. */
static void
fill_source(struct request *r, struct query_execute_request *q,
    const struct read_options *o)
{
	struct sockaddr_storage	 ss;
	char			 ip[ADDR_TEXT_MAX];
	const char		*near;

	str_set(&q->agent.datacenter, r->apid->agent.datacenter);
	str_set(&q->agent.node, r->apid->agent.node_name);
	str_set(&q->source.datacenter, o->dc);
	near = params_get(&r->params, "near");
	str_set(&q->source.node, near != NULL && strcmp(near, "_agent") == 0 ?
	    r->apid->agent.node_name : near);
	if (client_addr(r, &ss))
		str_set(&q->source.ip, addr_ip(&ss, ip, sizeof(ip)));
}

static void
execute(struct request *r, const char *name, const char *method,
    answered_fn *fn)
{
	struct query_execute_request	q = { 0 };
	struct read_options		o;
	bool				connect = false;
	const char			*c = params_get(&r->params, "connect");

	if (limit(r, &q.limit) == -1 || read_options(r, &o) == -1)
		return;
	if (!str_empty(c) && bool_parse(c, &connect) == -1) {
		reply_text(r, 400, "Error parsing 'connect' value: "
		    "strconv.ParseBool: parsing \"%s\": invalid syntax", c);
		read_options_clear(&o);
		return;
	}
	FILL_OPTIONS(&q, &o);
	q.min_query_index = 0;	/* nothing to wait for */
	q.connect = connect;
	str_set(&q.query, name);
	fill_source(r, &q, &o);
	o.cached = o.cached && fn == executed;
	ASK_MAYBE_CACHED(r, method, query_execute_request, &q, &o, true, fn);
	schema_clear(&query_execute_request_schema, &q);
	read_options_clear(&o);
}

/* ---- one of them ---- */

/* The name before that ending, for the caller to free; NULL: has it not. */
static char *
before(const char *tail, const char *ending)
{
	size_t	n = strlen(tail), k = strlen(ending);

	if (n < k || strcmp(tail + n - k, ending) != 0)
		return NULL;
	return xstrndup(tail, n - k);
}

static void
run(struct request *r, const char *name, const char *method, answered_fn *fn)
{
	if (r->method != M_GET) {
		add_header(r, "Allow", "GET");
		reply_text(r, 405, "method %s not allowed", r->method_text);
	} else
		execute(r, name, method, fn);
}

void
ep_query_one(struct request *r)
{
	char	*name;

	if ((name = before(r->tail, "/execute")) != NULL)
		run(r, name, "PreparedQuery.Execute", executed);
	else if ((name = before(r->tail, "/explain")) != NULL)
		run(r, name, "PreparedQuery.Explain", explained);
	else if (r->method == M_PUT)
		write_query(r, "update", r->tail, done_empty);
	else if (r->method == M_DELETE)
		write_query(r, "delete", r->tail, done_empty);
	else
		get_one(r, r->tail);
	free(name);
}

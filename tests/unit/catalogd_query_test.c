/*
 * Prepared queries through the server half: what is refused, what is found.
 */
#include <stdlib.h>
#include <string.h>

#include "common/mp.h"
#include "common/util.h"
#include "tests/unit/catalogd_world.h"

#define UNKNOWN "11111111-2222-4333-8444-555555555555"

static void
put_api(struct world *w, const char *node, const char *tag, const char *status)
{
	put_service(w, node, "api", "api", tag);
	put_check(w, node, "c", "api", status);
}

static char *
create_query(struct world *w, struct prepared_query *q)
{
	struct query_request r;
	struct answer a;
	struct rbuf rb;
	const uint8_t *id;
	char *text;
	size_t n;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.op = S("create");
	r.query = *q;
	begin(w, "PreparedQuery.Apply", &query_request_schema, &r, &a);
	await(&a);
	ck_assert_msg(a.error == NULL, "%s", a.error);
	rb_init(&rb, a.body.p, a.body.len);
	id = mp_get_raw(&rb, &n);
	text = xmemdup_str(id, n);
	answer_clear(&a);
	return text;
}

/* Names of the nodes, in order. */
static void
ck_execute(struct world *w, const char *name, int64_t limit, const char *near,
    const char *want)
{
	struct query_execute_request r;
	struct query_execute_response out;
	char text[256] = "";
	size_t i;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.query = S(name);
	r.limit = limit;
	r.source.node = S(near);
	r.agent.datacenter = DC;
	r.agent.node = S("n2");
	ask(w, "PreparedQuery.Execute", &query_execute_request_schema, &r,
	    &query_execute_response_schema, &out);
	for (i = 0; i < out.nodes.n; i++) {
		strcat(text, out.nodes.item[i].node.node);
		strcat(text, " ");
	}
	ck_assert_str_eq(text, want);
	ck_assert_str_eq(out.datacenter, "dc1");
	ck_assert_uint_eq(out.index, 0);
	schema_clear(&query_execute_response_schema, &out);
}

START_TEST(query_finds_what_is_healthy_and_fits)
{
	struct prepared_query q;
	struct world w;
	char *ids[6];
	size_t i, n = 0;

	world_setup(&w);
	put_api(&w, "n1", "v1", "passing");
	put_api(&w, "n2", "v2", "warning");
	put_api(&w, "n3", "v1", "critical");
	memset(&q, 0, sizeof(q));
	q.name = S("all");
	q.service.service = S("API");
	ids[n++] = create_query(&w, &q);
	q.name = S("passing");
	q.service.only_passing = true;
	ids[n++] = create_query(&w, &q);
	q.name = S("ignoring");
	strs_add(&q.service.ignore_check_ids, "c");
	q.service.near = S("n3");
	ids[n++] = create_query(&w, &q);
	q.name = S("not-v1");
	strs_add(&q.service.tags, "!V1");
	ids[n++] = create_query(&w, &q);
	strs_clear(&q.service.ignore_check_ids);
	strs_clear(&q.service.tags);
	q.service.near = NULL;
	q.service.only_passing = false;
	q.name = S("geo-");
	q.template.type = S("name_prefix_match");
	q.template.regexp = S("^geo-(.*)$");
	q.service.service = S("${match(1)}");
	q.service.near = S("_agent");
	ids[n++] = create_query(&w, &q);

	ck_execute(&w, "passing", 0, NULL, "n1 ");
	ck_execute(&w, ids[1], 0, NULL, "n1 ");
	ck_execute(&w, "ignoring", 1, NULL, "n3 ");
	ck_execute(&w, "ignoring", 1, "N2", "n2 ");
	ck_execute(&w, "not-v1", 0, NULL, "n2 ");
	ck_execute(&w, "all", 0, "n1", "n1 n2 ");
	ck_execute(&w, "geo-api", 0, NULL, "n2 n1 ");
	ck_execute(&w, "geo-zzz", 0, NULL, "");
	for (i = 0; i < n; i++)
		free(ids[i]);
	world_clear(&w);
}
END_TEST

START_TEST(query_errors_have_their_texts)
{
	struct query_execute_request x;
	struct query_id_request id;
	struct query_request r;
	struct world w;
#define CK_QUERY(want) ck_error(&w, "PreparedQuery.Apply",			\
	    &query_request_schema, &r, want)

	world_setup(&w);
	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.op = S("create");
	CK_QUERY("Invalid prepared query: Must be bound to a session");
	r.query.name = S("q");
	CK_QUERY("Invalid prepared query: Must provide a Service name to query");
	r.query.service.service = S("x");
	r.query.service.failover.nearest_n = -1;
	CK_QUERY("Invalid prepared query: Bad NearestN '-1', must be >= 0");
	r.query.service.failover.nearest_n = 0;
	r.query.dns.ttl = S("abc");
	CK_QUERY("Invalid prepared query: Bad DNS TTL 'abc': time: invalid "
	    "duration \"abc\"");
	r.query.dns.ttl = NULL;
	r.query.template.type = S("x");
	CK_QUERY("failed compiling template: Bad Template.Type 'x'");
	r.query.template.type = NULL;
	r.query.session = S(UNKNOWN);
	CK_QUERY("invalid session \"" UNKNOWN "\"");
	r.query.session = NULL;
	r.query.id = S(UNKNOWN);
	CK_QUERY("ID must be empty when creating a new prepared query");
	r.op = S("update");
	CK_QUERY("Cannot modify non-existent prepared query: '" UNKNOWN "'");
	memset(&x, 0, sizeof(x));
	x.datacenter = DC;
	x.query = S("nosuch");
	ck_error(&w, "PreparedQuery.Execute", &query_execute_request_schema,
	    &x, "Query not found");
	ck_error(&w, "PreparedQuery.Explain", &query_execute_request_schema,
	    &x, "Query not found");
	memset(&id, 0, sizeof(id));
	id.datacenter = DC;
	id.query_id = S("nosuch");
	ck_error(&w, "PreparedQuery.Get", &query_id_request_schema, &id,
	    "failed prepared query lookup: index error: UUID must be 36 "
	    "characters");
	id.query_id = S(UNKNOWN);
	ck_error(&w, "PreparedQuery.Get", &query_id_request_schema, &id,
	    "Query not found");
	world_clear(&w);
}
END_TEST

UNIT_MAIN("catalogd_query",
    query_finds_what_is_healthy_and_fits,
    query_errors_have_their_texts)

/*
 * Views: made of answers, followed, sent when they changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/views.h"
#include "tests/unit/common_unit.h"

/* ---- a servers' end ---- */

struct call { char *method; struct wbuf body; call_fn *fn; void *arg; };

struct bench {
	struct views	*vs;
	struct call	*open[16];	/* calls under way, oldest first */
	size_t		 nopen;
	struct msg_view	 last;
	int		 sent;
	uint64_t	 to;		/* whom, the last time */
	int		 cancelled;
	uint64_t	 now;
};

static void *
on_call(const char *method, struct schema *s, const void *body,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct bench	*b = arg;
	struct call	*c = xcalloc(1, sizeof(*c));

	if (strncmp(method, "PreparedQuery.", 14) != 0)
		ck_assert_uint_gt(timeout_ms, 600000);
	c->method = xstrdup(method);
	wb_init(&c->body, 0);
	schema_encode(s, body, &c->body);
	c->fn = fn;
	c->arg = fn_arg;
	ck_assert_uint_lt(b->nopen, NELEM(b->open));
	b->open[b->nopen++] = c;
	return c;
}

static void
call_done(struct bench *b, struct call *c)
{
	size_t	 i;

	for (i = 0; b->open[i] != c; i++)
		ck_assert_uint_lt(i, b->nopen);
	memmove(&b->open[i], &b->open[i + 1],
	    (b->nopen - i - 1) * sizeof(b->open[0]));
	b->nopen--;
	free(c->method);
	wb_free(&c->body);
	free(c);
}

static void
on_cancel(void *handle, void *arg)
{
	struct bench	*b = arg;

	b->cancelled++;
	call_done(b, handle);
}

static void
on_send(const struct msg_view *v, uint64_t workers, void *arg)
{
	struct bench	*b = arg;

	b->sent++;
	b->to = workers;
	schema_clear(&msg_view_schema, &b->last);
	schema_copy(&msg_view_schema, &b->last, v);
}

static uint64_t
on_now(void *arg)
{
	return ((struct bench *)arg)->now;
}

static void
on_changed(void *arg)
{
	(void)arg;
}

#define VIEWS 8

static void
setup(struct bench *b)
{
	struct views_ops	 ops = { on_call, on_cancel, on_send, on_now,
				    on_changed, b, "here" };

	memset(b, 0, sizeof(*b));
	b->now = 1000;
	b->vs = views_new(&ops, "dc1", VIEWS, 3);
}

static void
teardown(struct bench *b)
{
	views_free(b->vs);
	ck_assert_uint_eq(b->nopen, 0);
	schema_clear(&msg_view_schema, &b->last);
}

static void
run(struct bench *b)
{
	b->now += 20000;
	views_run(b->vs, b->now);
}

/* Answers the oldest call, which is one of that method. */
static void
answer(struct bench *b, const char *method, struct schema *s, const void *obj)
{
	struct call	*c = b->open[0];
	struct wbuf	 w;
	call_fn		*fn = c->fn;
	void		*arg = c->arg;

	ck_assert_uint_ge(b->nopen, 1);
	ck_assert_str_eq(c->method, method);
	call_done(b, c);
	wb_init(&w, 0);
	schema_encode(s, obj, &w);
	fn(CALL_OK, NULL, w.p, w.len, arg);
	wb_free(&w);
}

static void
answer_error(struct bench *b, const char *error)
{
	struct call	*c = b->open[0];
	call_fn		*fn = c->fn;
	void		*arg = c->arg;

	ck_assert_uint_ge(b->nopen, 1);
	call_done(b, c);
	fn(CALL_ERROR, error, NULL, 0, arg);
}

/* ---- what servers say ---- */

static struct check_service_node *
instance(struct indexed_check_service_nodes *a, const char *node,
    const char *status)
{
	struct check_service_node	*n = VEC_ADD(&a->nodes);
	struct health_check		*c;

	n->node.node = xstrdup(node);
	n->node.address = xstrdup("10.0.0.1");
	strmap_put(&n->node.meta, "b", "2");
	strmap_put(&n->node.meta, "a", "1");
	n->service.id = xstrdup("web1");
	n->service.service = xstrdup("web");
	n->service.port = 80;
	n->service.weights = xcalloc(1, sizeof(*n->service.weights));
	n->service.weights->passing = 5;
	n->service.weights->warning = 2;
	c = VEC_ADD(&n->checks);
	c->check_id = xstrdup("serfHealth");
	c->status = xstrdup("passing");
	c = VEC_ADD(&n->checks);
	c->check_id = xstrdup("c");
	c->status = xstrdup(status);
	return n;
}

START_TEST(health_is_the_worst_and_weight_by_it)
{
	static const struct { const char *status; unsigned h; int w; } t[] = {
		{ "passing", 0, 5 }, { "warning", 1, 2 },
		{ "critical", 2, 0 }, { "bogus", 2, 0 },
	};
	struct indexed_check_service_nodes	 a;
	struct msg_view				 v;
	size_t					 i;

	for (i = 0; i < NELEM(t); i++) {
		memset(&a, 0, sizeof(a));
		memset(&v, 0, sizeof(v));
		instance(&a, "n1", t[i].status);
		view_service(&a, &v);
		ck_assert_uint_eq(v.entries.n, 1);
		ck_assert_uint_eq(v.entries.item[0].health, t[i].h);
		ck_assert_int_eq(v.entries.item[0].weight, t[i].w);
		ck_assert(v.exists);
		schema_clear(&msg_view_schema, &v);
		schema_clear(&indexed_check_service_nodes_schema, &a);
	}
}
END_TEST

START_TEST(order_of_maps_and_instances_does_not_matter)
{
	struct indexed_check_service_nodes	 a, b;
	struct msg_view				 v, w;
	struct strmap				*m;
	struct str_pair				 p;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	memset(&v, 0, sizeof(v));
	memset(&w, 0, sizeof(w));
	instance(&a, "n1", "passing");
	instance(&a, "n2", "passing");
	instance(&b, "n2", "passing");
	instance(&b, "n1", "passing");
	m = &b.nodes.item[0].node.meta;
	p = m->item[0];
	m->item[0] = m->item[1];
	m->item[1] = p;
	view_service(&a, &v);
	view_service(&b, &w);
	v.index = 5;
	ck_assert_uint_eq(view_hash(&v), view_hash(&w));
	str_set(&w.entries.item[1].address, "10.0.0.2");
	ck_assert_uint_ne(view_hash(&v), view_hash(&w));
	schema_clear(&msg_view_schema, &v);
	schema_clear(&msg_view_schema, &w);
	schema_clear(&indexed_check_service_nodes_schema, &a);
	schema_clear(&indexed_check_service_nodes_schema, &b);
}
END_TEST

START_TEST(tagged_addresses_of_the_lan_go_along)
{
	struct indexed_check_service_nodes	 a;
	struct service_address_pair		*p;
	struct msg_view				 v;

	memset(&a, 0, sizeof(a));
	memset(&v, 0, sizeof(v));
	p = VEC_ADD(&instance(&a, "n1", "passing")->service.tagged_addresses);
	p->key = xstrdup("lan_ipv6");
	p->val.address = xstrdup("fd00::1");
	p = VEC_ADD(&a.nodes.item[0].service.tagged_addresses);
	p->key = xstrdup("wan_ipv4");
	p->val.address = xstrdup("192.0.2.1");
	view_service(&a, &v);
	ck_assert_uint_eq(v.entries.item[0].service_tagged.n, 1);
	ck_assert_str_eq(strmap_get(&v.entries.item[0].service_tagged,
	    "lan_ipv6"), "fd00::1");
	schema_clear(&msg_view_schema, &v);
	schema_clear(&indexed_check_service_nodes_schema, &a);
}
END_TEST

/* ---- following ---- */

static uint64_t
asked_index(struct bench *b)
{
	struct service_request	 r;
	const char		*why;
	uint64_t		 index;

	ck_assert_uint_ge(b->nopen, 1);
	ck_assert_int_eq(schema_decode_all(&service_request_schema,
	    b->open[0]->body.p, b->open[0]->body.len, &r, &why), 0);
	ck_assert(r.allow_stale);
	ck_assert(!r.tag_filter);
	ck_assert_str_eq(r.datacenter, "dc1");
	index = r.min_query_index;
	schema_clear(&service_request_schema, &r);
	return index;
}

START_TEST(service_is_followed_and_told_only_when_it_changed)
{
	struct bench				 b;
	struct indexed_check_service_nodes	 a;

	setup(&b);
	memset(&a, 0, sizeof(a));
	instance(&a, "n1", "passing");
	a.index = 7;
	views_watch(b.vs, 0, VIEW_SERVICE, "web", NULL);
	run(&b);
	ck_assert_uint_eq(asked_index(&b), 0);
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_int_eq(b.sent, 1);
	ck_assert_str_eq(b.last.name, "web");
	ck_assert_uint_eq(b.last.kind, VIEW_SERVICE);
	ck_assert_uint_eq(b.last.index, 7);
	ck_assert_uint_eq(b.last.entries.n, 1);
	run(&b);
	ck_assert_uint_eq(asked_index(&b), 7);
	a.index = 8;
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_int_eq(b.sent, 1);
	run(&b);
	ck_assert_uint_eq(asked_index(&b), 8);
	str_set(&a.nodes.item[0].checks.item[1].status, "critical");
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_int_eq(b.sent, 2);
	ck_assert_uint_eq(b.last.entries.item[0].health, 2);
	schema_clear(&indexed_check_service_nodes_schema, &a);
	/* The last instance went. */
	memset(&a, 0, sizeof(a));
	a.index = 9;
	run(&b);
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_int_eq(b.sent, 3);
	ck_assert(!b.last.exists);
	teardown(&b);
}
END_TEST

START_TEST(index_that_went_back_starts_over_and_zero_is_one)
{
	struct bench				 b;
	struct indexed_check_service_nodes	 a;

	setup(&b);
	memset(&a, 0, sizeof(a));
	views_watch(b.vs, 0, VIEW_SERVICE, "web", NULL);
	run(&b);
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	run(&b);
	ck_assert_uint_eq(asked_index(&b), 1);
	a.index = 50;
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	run(&b);
	a.index = 3;
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	run(&b);
	ck_assert_uint_eq(asked_index(&b), 0);
	teardown(&b);
}
END_TEST

START_TEST(outage_is_told_once_and_ends_with_a_view)
{
	struct bench				 b;
	struct indexed_check_service_nodes	 a;
	uint64_t				 at;

	setup(&b);
	memset(&a, 0, sizeof(a));
	a.index = 7;
	views_watch(b.vs, 0, VIEW_SERVICE, "web", NULL);
	run(&b);
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_int_eq(b.sent, 1);
	run(&b);
	answer_error(&b, "No known Consul servers");
	ck_assert_int_eq(b.sent, 2);
	ck_assert_str_eq(b.last.error, "No known Consul servers");
	run(&b);
	answer_error(&b, "No known Consul servers");
	ck_assert_int_eq(b.sent, 2);
	at = views_run(b.vs, b.now);
	ck_assert_uint_gt(at, b.now);
	ck_assert_uint_le(at, b.now + 1000);
	/* A server is back: now. */
	views_retry(b.vs);
	views_run(b.vs, b.now);
	ck_assert_uint_eq(asked_index(&b), 0);
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_int_eq(b.sent, 3);
	ck_assert_str_eq(str_or(b.last.error, ""), "");
	teardown(&b);
}
END_TEST

START_TEST(garbage_is_an_outage)
{
	struct bench	 b;
	struct call	*c;
	call_fn		*fn;
	void		*arg;

	setup(&b);
	views_watch(b.vs, 0, VIEW_NODE, "n1", NULL);
	run(&b);
	c = b.open[0];
	fn = c->fn;
	arg = c->arg;
	call_done(&b, c);
	fn(CALL_OK, NULL, (const uint8_t *)"\xc1", 1, arg);
	ck_assert_int_eq(b.sent, 1);
	ck_assert(!str_empty(b.last.error));
	teardown(&b);
}
END_TEST

START_TEST(node_is_there_or_not)
{
	struct bench			 b;
	struct indexed_node_services	 a;

	setup(&b);
	memset(&a, 0, sizeof(a));
	a.index = 4;
	views_watch(b.vs, 0, VIEW_NODE, "n1", NULL);
	run(&b);
	answer(&b, "Catalog.NodeServices", &indexed_node_services_schema,
	    &a);
	ck_assert(!b.last.exists);
	a.node_services = xcalloc(1, sizeof(*a.node_services));
	a.node_services->node = xcalloc(1, sizeof(struct node));
	a.node_services->node->node = xstrdup("n1");
	a.node_services->node->address = xstrdup("10.0.0.7");
	run(&b);
	answer(&b, "Catalog.NodeServices", &indexed_node_services_schema,
	    &a);
	ck_assert(b.last.exists);
	ck_assert_str_eq(b.last.entries.item[0].address, "10.0.0.7");
	schema_clear(&indexed_node_services_schema, &a);
	teardown(&b);
}
END_TEST

START_TEST(reverse_names_share_one_list)
{
	struct bench			 b;
	struct indexed_nodes		 a;
	struct indexed_service_nodes	 s;
	struct service_node		*sn;
	struct node			*n;

	setup(&b);
	memset(&a, 0, sizeof(a));
	memset(&s, 0, sizeof(s));
	n = VEC_ADD(&a.nodes);
	n->node = xstrdup("n1");
	n->address = xstrdup("10.0.0.1");
	a.index = 4;
	views_watch(b.vs, 0, VIEW_REVERSE, "10.0.0.1", NULL);
	views_watch(b.vs, 0, VIEW_REVERSE, "10.0.0.2", NULL);
	run(&b);
	ck_assert_uint_eq(b.nopen, 1);
	answer(&b, "Catalog.ListNodes", &indexed_nodes_schema, &a);
	ck_assert_int_eq(b.sent, 1);
	ck_assert_str_eq(b.last.name, "10.0.0.1");
	ck_assert_str_eq(b.last.entries.item[0].node, "n1");
	/* No node has the other: perhaps a service. */
	b.now += 1;
	views_run(b.vs, b.now);
	ck_assert_uint_eq(b.nopen, 1);
	sn = VEC_ADD(&s.service_nodes);
	sn->node = xstrdup("n1");
	sn->service_name = xstrdup("web");
	sn->service_id = xstrdup("web1");
	sn->service_address = xstrdup("10.0.0.2");
	s.index = 4;
	answer(&b, "Catalog.ServiceNodes", &indexed_service_nodes_schema,
	    &s);
	ck_assert_int_eq(b.sent, 2);
	ck_assert_str_eq(b.last.name, "10.0.0.2");
	ck_assert_str_eq(b.last.entries.item[0].service, "web");
	/* A third is answered from the list that is there. */
	views_watch(b.vs, 0, VIEW_REVERSE, "10.0.0.1", NULL);
	ck_assert_int_eq(b.sent, 3);
	/* The last one gone, nothing is followed. */
	views_unwatch(b.vs, 0, VIEW_REVERSE, "10.0.0.1", NULL);
	views_unwatch(b.vs, 0, VIEW_REVERSE, "10.0.0.2", NULL);
	ck_assert_uint_eq(views_count(b.vs), 0);
	ck_assert_uint_eq(views_run(b.vs, b.now + 100000), UINT64_MAX);
	schema_clear(&indexed_nodes_schema, &a);
	schema_clear(&indexed_service_nodes_schema, &s);
	teardown(&b);
}
END_TEST

START_TEST(names_compare_without_case_and_unwatch_stops)
{
	struct bench	 b;

	setup(&b);
	views_watch(b.vs, 0, VIEW_SERVICE, "Web", NULL);
	run(&b);
	ck_assert_uint_eq(b.nopen, 1);
	views_unwatch(b.vs, 0, VIEW_SERVICE, "wEB", NULL);
	ck_assert_int_eq(b.cancelled, 1);
	ck_assert_uint_eq(views_count(b.vs), 0);
	views_unwatch(b.vs, 0, VIEW_SERVICE, "web", NULL);
	teardown(&b);
}
END_TEST

/* The one call that is open, of node n1. */
static void
asked_dc(struct bench *b, const char *dc)
{
	struct node_request	 r;
	const char		*why;

	ck_assert_uint_eq(b->nopen, 1);
	ck_assert_int_eq(schema_decode_all(&node_request_schema,
	    b->open[0]->body.p, b->open[0]->body.len, &r, &why), 0);
	ck_assert_str_eq(r.datacenter, dc);
	schema_clear(&node_request_schema, &r);
}

START_TEST(name_of_another_datacenter_is_a_view_of_its_own)
{
	struct bench			 b;
	struct indexed_node_services	 a;

	setup(&b);
	memset(&a, 0, sizeof(a));
	views_watch(b.vs, 0, VIEW_NODE, "n1", NULL);
	run(&b);
	asked_dc(&b, "dc1");
	answer(&b, "Catalog.NodeServices", &indexed_node_services_schema, &a);
	ck_assert(str_empty(b.last.datacenter));
	views_unwatch(b.vs, 0, VIEW_NODE, "n1", "dc2");
	ck_assert_uint_eq(views_count(b.vs), 1);
	views_unwatch(b.vs, 0, VIEW_NODE, "n1", "");
	ck_assert_uint_eq(views_count(b.vs), 0);
	views_watch(b.vs, 0, VIEW_NODE, "n1", "dc2");
	run(&b);
	asked_dc(&b, "dc2");
	answer_error(&b, "No path to datacenter");
	ck_assert_str_eq(b.last.datacenter, "dc2");
	ck_assert_str_eq(b.last.error, "No path to datacenter");
	run(&b);
	asked_dc(&b, "dc2");
	answer(&b, "Catalog.NodeServices", &indexed_node_services_schema, &a);
	ck_assert_str_eq(b.last.datacenter, "dc2");
	ck_assert(b.last.error == NULL);
	views_watch(b.vs, 0, VIEW_REVERSE, "10.0.0.1", "dc2");
	ck_assert_ptr_nonnull(strstr(b.last.error, "reverse"));
	ck_assert_uint_eq(views_count(b.vs), 1);
	teardown(&b);
}
END_TEST

static void
answer_query(struct bench *b, const char *address)
{
	struct query_execute_response	 a;
	struct check_service_node	*n;

	memset(&a, 0, sizeof(a));
	str_set(&a.service, "web");
	str_set(&a.dns.ttl, "20s");
	str_set(&a.datacenter, "dc2");
	n = VEC_ADD(&a.nodes);
	str_set(&n->node.node, "n2");
	str_set(&n->node.address, address);
	n = VEC_ADD(&a.nodes);
	str_set(&n->node.node, "n1");
	str_set(&n->node.address, "10.0.0.9");
	answer(b, "PreparedQuery.Execute", &query_execute_response_schema,
	    &a);
	schema_clear(&query_execute_response_schema, &a);
}

START_TEST(prepared_query_is_explained_once_and_carried_out_each_second)
{
	struct query_explain_response	 e;
	struct bench			 b;

	setup(&b);
	memset(&e, 0, sizeof(e));
	str_set(&e.query.service.near, "_agent");
	views_watch(b.vs, 0, VIEW_QUERY, "pq", NULL);
	run(&b);
	answer(&b, "PreparedQuery.Explain", &query_explain_response_schema,
	    &e);
	ck_assert_int_eq(b.sent, 0);
	run(&b);
	answer_query(&b, "10.0.0.1");
	ck_assert_int_eq(b.sent, 1);
	ck_assert(b.last.ordered);
	ck_assert_str_eq(b.last.service, "web");
	ck_assert_str_eq(b.last.ttl, "20s");
	ck_assert_str_eq(b.last.answered_by, "dc2");
	ck_assert_str_eq(b.last.entries.item[0].node, "n2");
	ck_assert_uint_eq(views_run(b.vs, b.now), b.now + 1000);
	b.now += 1000;
	views_run(b.vs, b.now);
	answer_query(&b, "10.0.0.1");
	ck_assert_int_eq(b.sent, 1);	/* the same as before */
	b.now += 1000;
	views_run(b.vs, b.now);
	answer_query(&b, "10.0.0.2");
	ck_assert_int_eq(b.sent, 2);
	b.now += 1000;
	views_run(b.vs, b.now);
	answer_error(&b, "rpc error making call: Query not found");
	ck_assert_int_eq(b.sent, 3);
	ck_assert(b.last.error == NULL && !b.last.exists);
	schema_clear(&query_explain_response_schema, &e);
	teardown(&b);
}
END_TEST

START_TEST(views_are_bounded)
{
	struct bench	 b;
	char		 name[] = "a";

	setup(&b);
	for (; name[0] < 'a' + VIEWS; name[0]++)
		views_watch(b.vs, 0, VIEW_SERVICE, name, NULL);
	ck_assert_int_eq(b.sent, 0);
	views_watch(b.vs, 0, VIEW_SERVICE, "z", NULL);
	ck_assert_int_eq(b.sent, 1);
	ck_assert_str_eq(b.last.error, "too many views");
	ck_assert_uint_eq(views_count(b.vs), VIEWS);
	views_unwatch(b.vs, 0, VIEW_SERVICE, "a", NULL);
	views_watch(b.vs, 0, VIEW_SERVICE, "z", NULL);
	ck_assert_int_eq(b.sent, 1);
	teardown(&b);
}
END_TEST

START_TEST(busy_view_is_asked_for_at_intervals)
{
	struct bench				 b;
	struct indexed_check_service_nodes	 a;
	char					 name[16];
	int					 i;

	setup(&b);
	memset(&a, 0, sizeof(a));
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		instance(&a, name, "passing");
	}
	a.index = 7;
	views_watch(b.vs, 0, VIEW_SERVICE, "web", NULL);
	views_run(b.vs, b.now);
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_uint_eq(views_run(b.vs, b.now), b.now + 30);
	schema_clear(&indexed_check_service_nodes_schema, &a);
	teardown(&b);
}
END_TEST

START_TEST(workers_share_a_query_and_each_is_told_once)
{
	struct bench				 b;
	struct indexed_check_service_nodes	 a;

	setup(&b);
	memset(&a, 0, sizeof(a));
	instance(&a, "n1", "passing");
	a.index = 7;
	views_watch(b.vs, 0, VIEW_SERVICE, "web", NULL);
	run(&b);
	views_watch(b.vs, 63, VIEW_SERVICE, "web", NULL);
	ck_assert_uint_eq(b.nopen, 1);		/* it is not blocking yet */
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_uint_eq(b.to, 1 | UINT64_C(1) << 63);

	/* a third comes while the query blocks */
	run(&b);
	views_watch(b.vs, 1, VIEW_SERVICE, "WEB", "");
	ck_assert_int_eq(b.cancelled, 1);
	run(&b);
	ck_assert_uint_eq(views_count(b.vs), 1);
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_uint_eq(b.to, 2);
	ck_assert_int_eq(b.sent, 2);

	/* all hear of a change, and of an outage */
	run(&b);
	a.index = 8;
	instance(&a, "n2", "passing");
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_uint_eq(b.to, 3 | UINT64_C(1) << 63);
	run(&b);
	answer_error(&b, "gone");
	ck_assert_uint_eq(b.to, 3 | UINT64_C(1) << 63);
	ck_assert_str_eq(b.last.error, "gone");

	/* one that is started again, and those that go */
	views_forget(b.vs, 63);
	views_watch(b.vs, 63, VIEW_SERVICE, "web", NULL);
	run(&b);
	answer(&b, "Health.ServiceNodes",
	    &indexed_check_service_nodes_schema, &a);
	ck_assert_uint_eq(b.to, 3 | UINT64_C(1) << 63);
	run(&b);
	views_forget(b.vs, 63);
	views_unwatch(b.vs, 0, VIEW_SERVICE, "web", NULL);
	ck_assert_uint_eq(views_count(b.vs), 1);
	views_unwatch(b.vs, 1, VIEW_SERVICE, "web", NULL);
	ck_assert_uint_eq(views_count(b.vs), 0);
	ck_assert_uint_eq(b.nopen, 0);
	schema_clear(&indexed_check_service_nodes_schema, &a);
	teardown(&b);
}
END_TEST

START_TEST(reverse_name_is_told_to_a_worker_that_comes_later)
{
	struct bench		 b;
	struct indexed_nodes	 a;
	struct node		*n;

	setup(&b);
	memset(&a, 0, sizeof(a));
	a.index = 4;
	n = VEC_ADD(&a.nodes);
	n->node = xstrdup("n1");
	n->address = xstrdup("10.0.0.1");
	views_watch(b.vs, 0, VIEW_REVERSE, "10.0.0.1", NULL);
	run(&b);
	answer(&b, "Catalog.ListNodes", &indexed_nodes_schema, &a);
	ck_assert_uint_eq(b.to, 1);
	views_watch(b.vs, 2, VIEW_REVERSE, "10.0.0.1", NULL);
	ck_assert_uint_eq(b.to, 4);
	ck_assert_int_eq(b.sent, 2);
	views_unwatch(b.vs, 0, VIEW_REVERSE, "10.0.0.1", NULL);
	ck_assert_uint_eq(views_count(b.vs), 1);
	schema_clear(&indexed_nodes_schema, &a);
	teardown(&b);
}
END_TEST

UNIT_MAIN("catalogd_views",
    health_is_the_worst_and_weight_by_it,
    order_of_maps_and_instances_does_not_matter,
    tagged_addresses_of_the_lan_go_along,
    service_is_followed_and_told_only_when_it_changed,
    index_that_went_back_starts_over_and_zero_is_one,
    outage_is_told_once_and_ends_with_a_view,
    garbage_is_an_outage,
    node_is_there_or_not,
    reverse_names_share_one_list,
    names_compare_without_case_and_unwatch_stops,
    name_of_another_datacenter_is_a_view_of_its_own,
    prepared_query_is_explained_once_and_carried_out_each_second,
    views_are_bounded,
    busy_view_is_asked_for_at_intervals,
    workers_share_a_query_and_each_is_told_once,
    reverse_name_is_told_to_a_worker_that_comes_later)

/*
 * Anti-entropy: what is read, what counts as different, what is pushed, when.
 */
#include "catalogd/sync.h"
#include "tests/unit/catalogd_agent_unit.h"

static char err[1024];

/* The last call that left, decoded by its method. */
struct wire {
	char	*method;
	struct wbuf body;
	int	 n;
};

static void
on_call(const char *method, struct schema *s, const void *body, bool write,
    void *arg)
{
	struct wire	*w = arg;

	ck_assert(write == (strstr(method, "egister") != NULL));
	w->n++;
	free(w->method);
	w->method = xstrdup(method);
	wb_reset(&w->body);
	schema_encode(s, body, &w->body);
}

struct bench {
	struct effects	 e;
	struct agent	*a;
	struct sync	*s;
	struct wire	 w;
	uint64_t	 now;
};

static void
setup(struct bench *b)
{
	struct sync_ops	 ops = { on_call, fx_log, &b->w };

	memset(b, 0, sizeof(*b));
	b->a = agent_make(&b->e);
	b->s = sync_new(b->a, &ops, 7);
	b->now = SEC;
}

static void
teardown(struct bench *b)
{
	sync_free(b->s);
	agent_free(b->a);
	effects_clear(&b->e);
	free(b->w.method);
	wb_free(&b->w.body);
}

#define called(b, want) do {						\
	ck_assert_ptr_nonnull((b)->w.method);				\
	ck_assert_str_eq((b)->w.method, want);				\
	free((b)->w.method);						\
	(b)->w.method = NULL;						\
} while (0)
#define idle(b) ck_assert_ptr_null((b)->w.method)

static void
body(struct bench *b, struct schema *s, void *obj)
{
	const char	*why;

	ck_assert_int_eq(schema_decode_all(s, b->w.body.p, b->w.body.len,
	    obj, &why), 0);
}

static void
answer(struct bench *b, struct schema *s, const void *obj)
{
	struct wbuf	 w;

	wb_init(&w, 0);
	schema_encode(s, obj, &w);
	sync_answer(b->s, NULL, w.p, w.len, b->now);
	wb_free(&w);
}

static void
answer_ok(struct bench *b)
{
	sync_answer(b->s, NULL, (const uint8_t *)"\x80", 1, b->now);
}

/* What the servers hold. */
struct held {
	struct indexed_node_service_list	 list;
	struct indexed_health_checks		 checks;
};

static void
held_node(struct held *h, struct bench *b)
{
	struct node	*n = xcalloc(1, sizeof(*n));

	memset(h, 0, sizeof(*h));
	str_set(&n->id, b->a->conf.node_id);
	str_set(&n->node, "node1");
	str_set(&n->address, "10.77.0.2");
	strmap_copy(&n->tagged_addresses, &b->a->conf.tagged_addresses);
	strmap_copy(&n->meta, &b->a->conf.node_meta);
	h->list.node_services.node = n;
}

static struct node_service *
held_service(struct held *h, struct bench *b, const char *id)
{
	struct node_service	*s =
	    VEC_ADD(&h->list.node_services.services);

	schema_copy(&node_service_schema, s,
	    &agent_service_find(b->a, id)->svc);
	s->create_index = s->modify_index = 99;
	return s;
}

static struct health_check *
held_check(struct held *h, struct bench *b, const char *id)
{
	struct health_check	*c = VEC_ADD(&h->checks.checks);

	schema_copy(&health_check_schema, c,
	    &agent_check_find(b->a, id)->chk);
	c->create_index = c->modify_index = 99;
	return c;
}

static void
held_clear(struct held *h)
{
	schema_clear(&indexed_node_service_list_schema, &h->list);
	schema_clear(&indexed_health_checks_schema, &h->checks);
}

/* Both reads of a full run. */
static void
full(struct bench *b, struct held *h)
{
	sync_full(b->s, b->now);
	sync_run(b->s, b->now);
	called(b, "Catalog.NodeServiceList");
	answer(b, &indexed_node_service_list_schema, &h->list);
	called(b, "Health.NodeChecks");
	answer(b, &indexed_health_checks_schema, &h->checks);
}

/* ---- what is read and pushed ---- */

START_TEST(fresh_node_registers_itself_first)
{
	struct bench		 b;
	struct node_request	 q;
	struct register_request	 r;

	setup(&b);
	register_service(b.a, "{\"Name\":\"web\",\"Checks\":[{\"TTL\":"
	    "\"1h\"},{\"TTL\":\"2h\"}]}", false, 0, err, sizeof(err));
	sync_run(b.s, b.now);
	called(&b, "Catalog.NodeServiceList");
	body(&b, &node_request_schema, &q);
	ck_assert_str_eq(q.node, "node1");
	ck_assert_str_eq(q.datacenter, "dc1");
	ck_assert(q.allow_stale);
	ck_assert_int_eq(q.max_stale_duration, 2 * NS_PER_S);
	schema_clear(&node_request_schema, &q);
	answer_ok(&b);
	called(&b, "Health.NodeChecks");
	answer_ok(&b);
	called(&b, "Catalog.Register");
	body(&b, &register_request_schema, &r);
	ck_assert(!r.skip_node_update);
	ck_assert_ptr_null(r.service);
	ck_assert_str_eq(r.id, "22222222-2222-4222-8222-222222222222");
	ck_assert_str_eq(r.address, "10.77.0.2");
	ck_assert_str_eq(strmap_get(&r.node_meta, "consul-network-segment"),
	    "");
	schema_clear(&register_request_schema, &r);
	answer_ok(&b);
	called(&b, "Catalog.Register");
	body(&b, &register_request_schema, &r);
	ck_assert(r.skip_node_update);
	ck_assert_str_eq(r.service->id, "web");
	ck_assert(!r.service->tags.set);
	ck_assert_ptr_null(r.check);
	ck_assert_uint_eq(r.checks.n, 2);
	ck_assert_str_eq(r.checks.item[0].node, "node1");
	schema_clear(&register_request_schema, &r);
	answer_ok(&b);
	idle(&b);
	ck_assert(agent_check_find(b.a, "service:web:2")->in_sync);
	teardown(&b);
}
END_TEST

START_TEST(one_check_goes_in_check)
{
	struct bench		 b;
	struct held		 h;
	struct register_request	 r;

	setup(&b);
	held_node(&h, &b);
	register_service(b.a, "{\"Name\":\"web\",\"Check\":{\"TTL\":"
	    "\"1h\"}}", false, 0, err, sizeof(err));
	full(&b, &h);
	called(&b, "Catalog.Register");
	body(&b, &register_request_schema, &r);
	ck_assert_str_eq(r.check->check_id, "service:web");
	ck_assert(!r.checks.set);
	schema_clear(&register_request_schema, &r);
	answer_ok(&b);
	idle(&b);
	/* Its status alone later: with the service it belongs to. */
	update_check(b.a, "service:web", "passing", "", b.now);
	sync_changed(b.s);
	sync_run(b.s, b.now);
	called(&b, "Catalog.Register");
	body(&b, &register_request_schema, &r);
	ck_assert_str_eq(r.check->status, "passing");
	ck_assert_str_eq(r.service->id, "web");
	schema_clear(&register_request_schema, &r);
	answer_ok(&b);
	idle(&b);
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(nothing_is_pushed_when_all_is_the_same)
{
	struct bench	 b;
	struct held	 h;

	setup(&b);
	held_node(&h, &b);
	register_service(b.a, "{\"Name\":\"web\",\"Address\":\"10.0.0.9\","
	    "\"Meta\":{\"a\":\"1\",\"b\":\"2\"},\"Check\":{\"TTL\":\"1h\"}}",
	    false, 0, err, sizeof(err));
	held_service(&h, &b, "web");
	held_check(&h, &b, "service:web");
	full(&b, &h);
	idle(&b);
	ck_assert(b.a->node_in_sync);
	held_clear(&h);
	teardown(&b);
}
END_TEST

/* rpc.md, pitfall 3. */
START_TEST(nil_is_not_empty)
{
	struct bench		 b;
	struct held		 h;
	struct node_service	*s;

	setup(&b);
	held_node(&h, &b);
	register_service(b.a, "{\"Name\":\"web\"}", false, 0, err,
	    sizeof(err));
	s = held_service(&h, &b, "web");
	ck_assert(!s->tags.set);
	s->tags.set = true;
	full(&b, &h);
	called(&b, "Catalog.Register");
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(check_with_empty_tags_for_nil_is_pushed)
{
	struct bench	 b;
	struct held	 h;

	setup(&b);
	held_node(&h, &b);
	register_check(b.a, "{\"Name\":\"n\",\"TTL\":\"1h\"}", 0, err,
	    sizeof(err));
	held_check(&h, &b, "n")->service_tags.set = true;
	full(&b, &h);
	called(&b, "Catalog.Register");
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(type_of_a_check_is_not_compared)
{
	struct bench	 b;
	struct held	 h;

	setup(&b);
	held_node(&h, &b);
	register_check(b.a, "{\"Name\":\"n\",\"TTL\":\"1h\"}", 0, err,
	    sizeof(err));
	str_set(&held_check(&h, &b, "n")->type, "other");
	full(&b, &h);
	idle(&b);
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(strays_are_deregistered_but_what_the_leader_owns)
{
	struct bench			 b;
	struct held			 h;
	struct deregister_request	 d;
	struct node_service		*s;
	struct health_check		*c;

	setup(&b);
	held_node(&h, &b);
	s = VEC_ADD(&h.list.node_services.services);
	s->id = xstrdup("consul");
	s = VEC_ADD(&h.list.node_services.services);
	s->id = xstrdup("foreign");
	c = VEC_ADD(&h.checks.checks);
	c->check_id = xstrdup("serfHealth");
	c = VEC_ADD(&h.checks.checks);
	c->check_id = xstrdup("stray");
	full(&b, &h);
	called(&b, "Catalog.Deregister");
	body(&b, &deregister_request_schema, &d);
	ck_assert_str_eq(d.service_id, "foreign");
	ck_assert_str_eq(str_or(d.check_id, ""), "");
	ck_assert_str_eq(d.node, "node1");
	schema_clear(&deregister_request_schema, &d);
	answer_ok(&b);
	called(&b, "Catalog.Deregister");
	body(&b, &deregister_request_schema, &d);
	ck_assert_str_eq(d.check_id, "stray");
	ck_assert_str_eq(str_or(d.service_id, ""), "");
	schema_clear(&deregister_request_schema, &d);
	sync_answer(b.s, "Unknown check 'stray'", NULL, 0, b.now);
	idle(&b);
	ck_assert(RB_EMPTY(&b.a->services) && RB_EMPTY(&b.a->checks));
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(output_in_deferral_is_not_compared)
{
	struct bench	 b;
	struct held	 h;

	setup(&b);
	held_node(&h, &b);
	register_check(b.a, "{\"Name\":\"n\",\"TTL\":\"1h\",\"Status\":"
	    "\"passing\"}", 0, err, sizeof(err));
	held_check(&h, &b, "n");
	full(&b, &h);
	idle(&b);
	update_check(b.a, "n", "passing", "new words", b.now);
	full(&b, &h);
	idle(&b);
	/* Once the timer has run it counts. */
	agent_run(b.a, b.now + 451 * SEC);
	full(&b, &h);
	called(&b, "Catalog.Register");
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(tags_come_from_the_server_if_the_service_allows)
{
	struct bench		 b;
	struct held		 h;
	struct node_service	*s;

	setup(&b);
	held_node(&h, &b);
	register_service(b.a, "{\"Name\":\"web\",\"Tags\":[\"a\"],"
	    "\"EnableTagOverride\":true,\"Check\":{\"TTL\":\"1h\"}}", false,
	    0, err, sizeof(err));
	s = held_service(&h, &b, "web");
	strs_add(&s->tags, "b");
	strs_add(&held_check(&h, &b, "service:web")->service_tags, "b");
	full(&b, &h);
	idle(&b);
	ck_assert(strs_has(&agent_service_find(b.a, "web")->svc.tags, "b"));
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(change_during_a_push_is_pushed_again)
{
	struct bench		 b;
	struct held		 h;
	struct register_request	 r;

	setup(&b);
	held_node(&h, &b);
	register_service(b.a, "{\"Name\":\"web\",\"Port\":1}", false, 0, err,
	    sizeof(err));
	full(&b, &h);
	called(&b, "Catalog.Register");
	register_service(b.a, "{\"Name\":\"web\",\"Port\":2}", false, 0, err,
	    sizeof(err));
	answer_ok(&b);
	called(&b, "Catalog.Register");
	body(&b, &register_request_schema, &r);
	ck_assert_int_eq(r.service->port, 2);
	schema_clear(&register_request_schema, &r);
	agent_deregister_service(b.a, "web", b.now);
	answer_ok(&b);
	called(&b, "Catalog.Deregister");
	/* And back while that is under way. */
	register_service(b.a, "{\"Name\":\"web\",\"Port\":3}", false, 0, err,
	    sizeof(err));
	answer_ok(&b);
	called(&b, "Catalog.Register");
	answer_ok(&b);
	idle(&b);
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(refused_by_acls_waits_for_the_next_full_run)
{
	struct bench	 b;
	struct held	 h;

	setup(&b);
	held_node(&h, &b);
	register_service(b.a, "{\"Name\":\"web\"}", false, 0, err,
	    sizeof(err));
	full(&b, &h);
	called(&b, "Catalog.Register");
	sync_answer(b.s, "rpc error making call: Permission denied", NULL, 0,
	    b.now);
	idle(&b);
	sync_changed(b.s);
	sync_run(b.s, b.now);
	idle(&b);
	full(&b, &h);
	called(&b, "Catalog.Register");
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(servers_without_the_list_method_are_asked_the_old_way)
{
	struct bench			 b;
	struct indexed_node_services	 old;
	struct node_service_pair	*p;

	setup(&b);
	register_service(b.a, "{\"Name\":\"web\"}", false, 0, err,
	    sizeof(err));
	sync_run(b.s, b.now);
	called(&b, "Catalog.NodeServiceList");
	sync_answer(b.s, "rpc error making call: rpc: can't find method "
	    "Catalog.NodeServiceList", NULL, 0, b.now);
	called(&b, "Catalog.NodeServices");
	memset(&old, 0, sizeof(old));
	old.node_services = xcalloc(1, sizeof(*old.node_services));
	p = VEC_ADD(&old.node_services->services);
	p->key = xstrdup("web");
	schema_copy(&node_service_schema, &p->val,
	    &agent_service_find(b.a, "web")->svc);
	answer(&b, &indexed_node_services_schema, &old);
	schema_clear(&indexed_node_services_schema, &old);
	called(&b, "Health.NodeChecks");
	answer_ok(&b);
	called(&b, "Catalog.Register");		/* the node */
	answer_ok(&b);
	idle(&b);
	teardown(&b);
}
END_TEST

START_TEST(tokens_are_the_items_own_else_the_default)
{
	struct bench		 b;
	struct held		 h;
	struct register_request	 r;

	setup(&b);
	held_node(&h, &b);
	str_set(&b.a->cat.token_default, "def");
	register_service(b.a, "{\"Name\":\"a\",\"Token\":\"own\"}", false, 0,
	    err, sizeof(err));
	register_service(b.a, "{\"Name\":\"b\"}", false, 0, err,
	    sizeof(err));
	full(&b, &h);
	body(&b, &register_request_schema, &r);
	ck_assert_str_eq(r.token, "own");
	schema_clear(&register_request_schema, &r);
	answer_ok(&b);
	body(&b, &register_request_schema, &r);
	ck_assert_str_eq(r.token, "def");
	schema_clear(&register_request_schema, &r);
	held_clear(&h);
	teardown(&b);
}
END_TEST

/* ---- when ---- */

START_TEST(runs_every_one_to_two_minutes)
{
	struct bench	 b;
	struct held	 h;
	uint64_t	 at;

	setup(&b);
	held_node(&h, &b);
	full(&b, &h);
	at = sync_run(b.s, b.now);
	ck_assert_uint_ge(at, b.now + 60 * SEC);
	ck_assert_uint_le(at, b.now + 120 * SEC);
	sync_run(b.s, at);
	called(&b, "Catalog.NodeServiceList");
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(large_clusters_spread_out)
{
	struct bench	 b;
	struct held	 h;
	uint64_t	 at, latest = 0;
	int		 i;

	setup(&b);
	held_node(&h, &b);
	sync_members(b.s, 8192);
	for (i = 0; i < 50; i++) {
		full(&b, &h);
		at = sync_run(b.s, b.now) - b.now;
		ck_assert_uint_le(at, (60 + 7 * 60) * SEC);
		if (at > latest)
			latest = at;
	}
	ck_assert_uint_gt(latest, 200 * SEC);
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(failure_is_retried_sooner_when_a_server_comes)
{
	struct bench	 b;
	uint64_t	 at;

	setup(&b);
	sync_run(b.s, b.now);
	called(&b, "Catalog.NodeServiceList");
	sync_answer(b.s, "No known Consul servers", NULL, 0, b.now);
	at = sync_run(b.s, b.now);
	ck_assert_uint_ge(at, b.now + 15 * SEC);
	ck_assert_uint_le(at, b.now + 30 * SEC);
	/* Nobody to tell meanwhile. */
	sync_changed(b.s);
	sync_run(b.s, b.now);
	idle(&b);
	sync_server_up(b.s, b.now);
	at = sync_run(b.s, b.now);
	ck_assert_uint_le(at, b.now + 3 * SEC);
	sync_run(b.s, at);
	called(&b, "Catalog.NodeServiceList");
	teardown(&b);
}
END_TEST

START_TEST(a_server_that_came_during_a_run_is_tried_when_it_fails)
{
	struct bench	 b;

	setup(&b);
	sync_run(b.s, b.now);
	called(&b, "Catalog.NodeServiceList");
	sync_server_up(b.s, b.now);
	sync_answer(b.s, "No known Consul servers", NULL, 0, b.now);
	ck_assert_uint_le(sync_run(b.s, b.now), b.now + 3 * SEC);
	teardown(&b);
}
END_TEST

START_TEST(failed_push_leads_to_a_full_run)
{
	struct bench	 b;
	struct held	 h;
	uint64_t	 at;

	setup(&b);
	held_node(&h, &b);
	full(&b, &h);
	idle(&b);
	register_service(b.a, "{\"Name\":\"web\"}", false, 0, err,
	    sizeof(err));
	sync_changed(b.s);
	sync_run(b.s, b.now);
	called(&b, "Catalog.Register");
	sync_answer(b.s, "rpc error making call: No cluster leader", NULL, 0,
	    b.now);
	at = sync_run(b.s, b.now);
	ck_assert_uint_le(at, b.now + 30 * SEC);
	sync_run(b.s, at);
	called(&b, "Catalog.NodeServiceList");
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(leaving_pushes_nothing_more)
{
	struct bench	 b;
	struct held	 h;

	setup(&b);
	held_node(&h, &b);
	register_service(b.a, "{\"Name\":\"web\"}", false, 0, err,
	    sizeof(err));
	register_service(b.a, "{\"Name\":\"web2\"}", false, 0, err,
	    sizeof(err));
	full(&b, &h);
	called(&b, "Catalog.Register");
	sync_stop(b.s);
	answer_ok(&b);
	idle(&b);
	ck_assert_uint_eq(sync_run(b.s, b.now + 1000 * SEC), AGENT_NEVER);
	idle(&b);
	held_clear(&h);
	teardown(&b);
}
END_TEST

START_TEST(answer_that_is_garbage_fails_the_run)
{
	struct bench	 b;

	setup(&b);
	sync_run(b.s, b.now);
	sync_answer(b.s, NULL, (const uint8_t *)"\xc1", 1, b.now);
	ck_assert_uint_ge(sync_run(b.s, b.now), b.now + 15 * SEC);
	teardown(&b);
}
END_TEST

UNIT_MAIN("catalogd_sync",
    fresh_node_registers_itself_first,
    one_check_goes_in_check,
    nothing_is_pushed_when_all_is_the_same,
    nil_is_not_empty,
    check_with_empty_tags_for_nil_is_pushed,
    type_of_a_check_is_not_compared,
    strays_are_deregistered_but_what_the_leader_owns,
    output_in_deferral_is_not_compared,
    tags_come_from_the_server_if_the_service_allows,
    change_during_a_push_is_pushed_again,
    refused_by_acls_waits_for_the_next_full_run,
    servers_without_the_list_method_are_asked_the_old_way,
    tokens_are_the_items_own_else_the_default,
    runs_every_one_to_two_minutes,
    large_clusters_spread_out,
    failure_is_retried_sooner_when_a_server_comes,
    a_server_that_came_during_a_run_is_tried_when_it_fails,
    failed_push_leads_to_a_full_run,
    leaving_pushes_nothing_more,
    answer_that_is_garbage_fails_the_run)

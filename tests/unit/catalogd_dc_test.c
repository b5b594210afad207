/*
 * Other datacenters: which there are and how far, calls that are theirs, and
 * queries that found nothing here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/datacenters.h"
#include "common/mp.h"
#include "common/util.h"
#include "tests/unit/catalogd_world.h"

#define LIMIT_MS 30000

/* ---- which there are ---- */

static void
tell(struct datacenters *d, const char *name, const char *dc, const char *role,
    uint64_t status)
{
	struct member	 m;

	memset(&m, 0, sizeof(m));
	m.wan = true;
	m.name = xstrdup(name);
	m.status = status;
	strmap_put(&m.tags, "role", role);
	strmap_put(&m.tags, "dc", dc);
	datacenters_member(d, &m);
	schema_clear(&member_schema, &m);
}

static void
ck_list(struct strs *l, const char *want)
{
	char	 have[256] = "";
	size_t	 i, n = 0;

	for (i = 0; i < l->n; i++)
		n += (size_t)snprintf(have + n, sizeof(have) - n, "%s ",
		    l->item[i]);
	ck_assert_str_eq(have, want);
	strs_clear(l);
}

START_TEST(datacenters_are_those_of_members_that_have_not_left)
{
	struct datacenters	*d = datacenters_new("dc1");
	struct strs		 l;

	datacenters_names(d, &l);
	ck_list(&l, "dc1 ");
	tell(d, "a.dc3", "dc3", "consul", MEMBER_FAILED);
	tell(d, "b.dc2", "dc2", "consul", MEMBER_ALIVE);
	tell(d, "c.dc2", "dc2", "consul", MEMBER_ALIVE);
	tell(d, "d.dc4", "dc4", "node", MEMBER_ALIVE);
	tell(d, "e.dc1", "dc1", "consul", MEMBER_ALIVE);
	datacenters_names(d, &l);
	ck_list(&l, "dc1 dc2 dc3 ");
	tell(d, "b.dc2", "dc2", "consul", MEMBER_LEFT);
	tell(d, "a.dc3", "dc3", "consul", MEMBER_NONE);
	datacenters_names(d, &l);
	ck_list(&l, "dc1 dc2 ");
	datacenters_begin(d);
	tell(d, "f.dc5", "dc5", "consul", MEMBER_ALIVE);
	datacenters_end(d);
	datacenters_names(d, &l);
	ck_list(&l, "dc1 dc5 ");
	datacenters_free(d);
}
END_TEST

static void
far(struct gossip_coordinates *g, const char *node, double s)
{
	struct node_coordinate	*c = VEC_ADD(&g->others);

	c->node = xstrdup(node);
	c->coord.height = s;
}

START_TEST(nearest_is_by_the_median_of_the_servers)
{
	struct datacenters		*d = datacenters_new("home");
	struct gossip_coordinates	 g;
	struct strs			 l;

	memset(&g, 0, sizeof(g));
	tell(d, "1.east", "east", "consul", MEMBER_ALIVE);
	tell(d, "2.east", "east", "consul", MEMBER_ALIVE);
	tell(d, "3.east", "east", "consul", MEMBER_ALIVE);
	tell(d, "1.west", "west", "consul", MEMBER_ALIVE);
	tell(d, "1.blind", "blind", "consul", MEMBER_ALIVE);
	tell(d, "1.alike", "alike", "consul", MEMBER_ALIVE);
	datacenters_nearest(d, &g, &l);
	ck_list(&l, "home alike blind east west ");
	far(&g, "1.east", 0.001);
	far(&g, "2.east", 0.3);
	far(&g, "3.east", 0.4);
	far(&g, "1.west", 0.2);
	far(&g, "1.alike", 0.2);
	far(&g, "1.gone", 0.0001);
	datacenters_nearest(d, &g, &l);
	ck_list(&l, "home alike west east blind ");
	schema_clear(&gossip_coordinates_schema, &g);
	datacenters_free(d);
}
END_TEST

/* ---- a server whose calls go nowhere but here ---- */

struct asked {
	char		*method, *dc;
	unsigned	 target;
	unsigned	 flags;
	struct wbuf	 body;
	call_fn		*fn;
	void		*arg;
};

/* The world, and who was asked last. */
struct stage {
	struct world		 w;
	struct answer		 a;		/* of the test's last call */
	struct asked		 asked;		/* what is open */
	int			 nasked, ncancelled;
};

static void *
on_call(const struct msg_call *m, const uint8_t *body, size_t len,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct world	*w = arg;
	struct stage	*t = w->own;

	(void)timeout_ms;
	ck_assert_ptr_null(t->asked.fn);
	str_set(&t->asked.method, m->method);
	str_set(&t->asked.dc, m->datacenter);
	t->asked.target = m->target;
	t->asked.flags = m->flags;
	wb_reset(&t->asked.body);
	wb_bytes(&t->asked.body, body, len);
	t->asked.fn = fn;
	t->asked.arg = fn_arg;
	t->nasked++;
	ev_stop(w->ev);
	return t;
}

static void
on_cancel(void *handle, void *arg)
{
	struct world	*w = arg;
	struct stage	*t = w->own;

	ck_assert_ptr_eq(handle, t);
	t->asked.fn = NULL;
	t->ncancelled++;
}

static void
setup(struct stage *t)
{
	memset(t, 0, sizeof(*t));
	wb_init(&t->asked.body, 0);
	world_init(&t->w, "");
	t->w.env.call = on_call;
	t->w.env.call_cancel = on_cancel;
	t->w.own = t;
	world_start(&t->w);
}

static void
teardown(struct stage *t)
{
	world_clear(&t->w);
	answer_clear(&t->a);
	free(t->asked.method);
	free(t->asked.dc);
	wb_free(&t->asked.body);
}

static struct server_call *
call(struct stage *t, const char *method, struct schema *s, const void *req)
{
	answer_clear(&t->a);
	return begin(&t->w, method, s, req, &t->a);
}

/* Until there is an answer, or somebody else is asked. */
static void
await_either(struct stage *t)
{
	int	 n = t->nasked;

	ev_timer_set(t->w.limit, LIMIT_MS);
	while (!t->a.there && t->nasked == n && ev_timer_pending(t->w.limit))
		ev_run(t->w.ev);
}

/* Whoever was asked says this. */
static void
say(struct stage *t, const char *error, const void *body, size_t len)
{
	call_fn	*fn = t->asked.fn;

	ck_assert_ptr_nonnull(fn);
	t->asked.fn = NULL;
	fn(error == NULL ? CALL_OK : CALL_ERROR, error, body, len,
	    t->asked.arg);
}

/* ---- calls for others ---- */

START_TEST(call_for_another_datacenter_passes_both_ways_as_it_is)
{
	struct stage		 t;
	struct key_request	 k;
	struct kvs_request	 p;
	struct wbuf		 same;

	setup(&t);
	memset(&k, 0, sizeof(k));
	k.datacenter = S("dc2");
	k.key = S("a");
	k.min_query_index = 7;
	/* No leader is needed here. */
	call(&t, "KVS.Get", &key_request_schema, &k);
	await_either(&t);
	ck_assert_int_eq(t.nasked, 1);
	ck_assert_str_eq(t.asked.method, "KVS.Get");
	ck_assert_uint_eq(t.asked.target, CALL_DC);
	ck_assert_str_eq(t.asked.dc, "dc2");
	ck_assert_uint_eq(t.asked.flags, CALL_VIA_DC);
	wb_init(&same, 0);
	schema_encode(&key_request_schema, &k, &same);
	ck_assert_uint_eq(t.asked.body.len, same.len);
	ck_assert_mem_eq(t.asked.body.p, same.p, same.len);
	wb_free(&same);
	say(&t, NULL, "\x81\xa1x\x09", 4);
	ck_assert(t.a.there);
	ck_assert_uint_eq(t.a.body.len, 4);
	ck_assert_mem_eq(t.a.body.p, "\x81\xa1x\x09", 4);

	memset(&p, 0, sizeof(p));
	p.datacenter = S("dc3");
	p.op = S("set");
	p.entry.key = S("a");
	call(&t, "KVS.Apply", &kvs_request_schema, &p);
	await_either(&t);
	ck_assert_str_eq(t.asked.dc, "dc3");
	ck_assert_uint_eq(t.asked.flags, CALL_WRITE | CALL_VIA_DC);
	say(&t, "No path to datacenter", NULL, 0);
	ck_assert_str_eq(t.a.error, "No path to datacenter");

	/* Empty is not ours. */
	k.datacenter = S("");
	call(&t, "KVS.Get", &key_request_schema, &k);
	await_either(&t);
	ck_assert_int_eq(t.nasked, 2);
	ck_assert_str_eq(t.a.error, "No path to datacenter");
	teardown(&t);
}
END_TEST

START_TEST(method_without_a_leader_goes_there_when_one_is_named)
{
	struct stage		 t;
	struct dc_request	 q;

	setup(&t);
	memset(&q, 0, sizeof(q));
	call(&t, "Status.Leader", &dc_request_schema, &q);
	await_either(&t);
	ck_assert(t.a.there);
	ck_assert_int_eq(t.nasked, 0);
	q.datacenter = S("dc2");
	call(&t, "Status.Leader", &dc_request_schema, &q);
	await_either(&t);
	ck_assert_int_eq(t.nasked, 1);
	say(&t, NULL, "\xa0", 1);
	ck_assert(t.a.there);
	teardown(&t);
}
END_TEST

START_TEST(what_is_not_here_may_be_there)
{
	static const char	 off[] = "Connect must be enabled in order to "
				    "use this endpoint";
	struct stage		 t;
	struct dc_request	 q;

	setup(&t);
	memset(&q, 0, sizeof(q));
	q.datacenter = S("dc1");
	call(&t, "ConnectCA.Roots", &dc_request_schema, &q);
	await_either(&t);
	ck_assert_str_eq(t.a.error, off);
	q.datacenter = S("dc2");
	call(&t, "ACL.TokenList", &dc_request_schema, &q);
	await_either(&t);
	ck_assert_str_eq(t.a.error, "ACL support disabled");
	ck_assert_int_eq(t.nasked, 0);
	call(&t, "ConnectCA.Roots", &dc_request_schema, &q);
	await_either(&t);
	ck_assert_int_eq(t.nasked, 1);
	ck_assert_str_eq(t.asked.dc, "dc2");
	say(&t, NULL, "\x80", 1);
	ck_assert_pstr_eq(t.a.error, NULL);
	teardown(&t);
}
END_TEST

START_TEST(call_from_another_datacenter_goes_to_no_third)
{
	struct stage		 t;
	struct key_request	 k;

	setup(&t);
	memset(&k, 0, sizeof(k));
	k.key = S("a");
	t.w.flags = CALL_VIA_DC;
	k.datacenter = S("dc2");
	call(&t, "KVS.Get", &key_request_schema, &k);
	await_either(&t);
	ck_assert_str_eq(t.a.error, "No path to datacenter");
	k.datacenter = S("dc1");
	call(&t, "KVS.Get", &key_request_schema, &k);
	await_either(&t);
	ck_assert(t.a.there);
	ck_assert_pstr_eq(t.a.error, NULL);
	ck_assert_int_eq(t.nasked, 0);
	teardown(&t);
}
END_TEST

START_TEST(cancelled_call_is_cancelled_there)
{
	struct stage		 t;
	struct server_call	*c;
	struct key_request	 k;

	setup(&t);
	memset(&k, 0, sizeof(k));
	k.datacenter = S("dc2");
	c = call(&t, "KVS.Get", &key_request_schema, &k);
	await_either(&t);
	server_call_cancel(c);
	ck_assert_int_eq(t.ncancelled, 1);
	ck_assert(!t.a.there);
	teardown(&t);
}
END_TEST

/* ---- failover ---- */

/* n instances of web, here. */
static void
put_query(struct stage *t, int64_t nearest, const char *one, const char *two)
{
	struct query_request	 q;

	memset(&q, 0, sizeof(q));
	q.datacenter = S("dc1");
	q.op = S("create");
	q.query.name = S("q");
	q.query.service.service = S("web");
	q.query.service.failover.nearest_n = nearest;
	q.query.dns.ttl = S("3s");
	if (one != NULL)
		strs_add(&q.query.service.failover.datacenters, one);
	if (two != NULL)
		strs_add(&q.query.service.failover.datacenters, two);
	ck_error(&t->w, "PreparedQuery.Apply", &query_request_schema, &q, NULL);
	strs_clear(&q.query.service.failover.datacenters);
}

static void
put_web(struct stage *t)
{
	struct register_request	 r;
	struct node_service	 s;

	memset(&r, 0, sizeof(r));
	memset(&s, 0, sizeof(s));
	r.datacenter = S("dc1");
	r.node = S("n1");
	r.address = S("10.0.0.9");
	s.service = S("web");
	r.service = &s;
	ck_error(&t->w, "Catalog.Register", &register_request_schema, &r, NULL);
}

static struct server_call *
execute(struct stage *t, struct schema *s, const void *req)
{
	struct server_call	*c;

	c = call(t, s == &query_remote_request_schema ?
	    "PreparedQuery.ExecuteRemote" : "PreparedQuery.Execute", s, req);
	await_either(t);
	return c;
}

static struct query_execute_response
found(struct stage *t)
{
	struct query_execute_response	 a;
	const char			*why = "";

	ck_assert(t->a.there);
	ck_assert_pstr_eq(t->a.error, NULL);
	ck_assert_msg(schema_decode_all(&query_execute_response_schema,
	    t->a.body.p, t->a.body.len, &a, &why) == 0, "%s", why);
	return a;
}

static void
say_names(struct stage *t, const char *const *names, size_t n)
{
	struct wbuf	 b;
	size_t		 i;

	ck_assert_str_eq(t->asked.method, "Catalog.ListDatacenters");
	ck_assert_uint_eq(t->asked.target, CALL_HERE);
	wb_init(&b, 0);
	mp_array(&b, n);
	for (i = 0; i < n; i++)
		mp_str(&b, names[i]);
	say(t, NULL, b.p, b.len);
	wb_free(&b);
}

static void
ck_asked(struct stage *t, const char *dc)
{
	struct query_remote_request	 q;
	const char			*why = "";

	ck_assert_str_eq(t->asked.method, "PreparedQuery.ExecuteRemote");
	ck_assert_uint_eq(t->asked.target, CALL_DC);
	ck_assert_str_eq(t->asked.dc, dc);
	ck_assert_int_eq(schema_decode_all(&query_remote_request_schema,
	    t->asked.body.p, t->asked.body.len, &q, &why), 0);
	ck_assert_str_eq(q.datacenter, dc);
	ck_assert_str_eq(q.query.service.service, "web");
	ck_assert_int_eq(q.limit, 5);
	ck_assert(q.allow_stale);
	schema_clear(&query_remote_request_schema, &q);
}

static void
say_found(struct stage *t, const char *dc, size_t n)
{
	struct query_execute_response	 a;
	struct wbuf			 b;

	memset(&a, 0, sizeof(a));
	a.service = xstrdup("web");
	a.datacenter = xstrdup(dc);
	a.nodes.set = true;
	for (; n > 0; n--)
		(void)VEC_ADD(&a.nodes);
	wb_init(&b, 0);
	schema_encode(&query_execute_response_schema, &a, &b);
	say(t, NULL, b.p, b.len);
	wb_free(&b);
	schema_clear(&query_execute_response_schema, &a);
}

static const char *const names[] = { "dc1", "near", "mid", "far" };

START_TEST(query_that_found_nothing_asks_the_nearest_and_then_the_named)
{
	struct query_execute_response	 a;
	struct query_execute_request	 q;
	struct stage			 t;

	setup(&t);
	put_query(&t, 2, "far", "near");
	memset(&q, 0, sizeof(q));
	q.datacenter = S("dc1");
	q.query = S("q");
	q.limit = 5;
	q.allow_stale = true;
	execute(&t, &query_execute_request_schema, &q);
	say_names(&t, names, NELEM(names));
	ck_asked(&t, "near");
	say(&t, "rpc error getting client: no", NULL, 0);
	ck_asked(&t, "mid");
	say_found(&t, "mid", 0);
	ck_asked(&t, "far");
	say_found(&t, "far", 2);
	a = found(&t);
	ck_assert_uint_eq(a.nodes.n, 2);
	ck_assert_str_eq(a.datacenter, "far");
	ck_assert_int_eq(a.failovers, 3);
	schema_clear(&query_execute_response_schema, &a);

	/* Nobody has one. */
	execute(&t, &query_execute_request_schema, &q);
	say_names(&t, names, NELEM(names));
	say_found(&t, "near", 0);
	say(&t, "timed out", NULL, 0);
	say(&t, NULL, "\xc1", 1);
	a = found(&t);
	ck_assert_uint_eq(a.nodes.n, 0);
	ck_assert_str_eq(a.datacenter, "near");
	ck_assert_int_eq(a.failovers, 3);
	schema_clear(&query_execute_response_schema, &a);

	/* With one of our own nobody is asked. */
	put_web(&t);
	t.nasked = 0;
	execute(&t, &query_execute_request_schema, &q);
	a = found(&t);
	ck_assert_uint_eq(a.nodes.n, 1);
	ck_assert_str_eq(a.datacenter, "dc1");
	ck_assert_int_eq(a.failovers, 0);
	ck_assert_int_eq(t.nasked, 0);
	schema_clear(&query_execute_response_schema, &a);
	teardown(&t);
}
END_TEST

START_TEST(query_leaves_out_who_is_unknown_and_itself)
{
	struct query_execute_response	 a;
	struct query_execute_request	 q;
	struct server_call		*c;
	struct stage			 t;

	setup(&t);
	put_query(&t, 0, "nowhere", "dc1");
	memset(&q, 0, sizeof(q));
	q.datacenter = S("dc1");
	q.query = S("q");
	execute(&t, &query_execute_request_schema, &q);
	say_names(&t, names, NELEM(names));
	a = found(&t);
	ck_assert_uint_eq(a.nodes.n, 0);
	ck_assert_str_eq(a.datacenter, "dc1");
	ck_assert_str_eq(a.dns.ttl, "3s");
	ck_assert_int_eq(a.failovers, 0);
	schema_clear(&query_execute_response_schema, &a);
	c = execute(&t, &query_execute_request_schema, &q);
	ck_assert_ptr_nonnull(t.asked.fn);
	server_call_cancel(c);
	ck_assert_int_eq(t.ncancelled, 1);
	teardown(&t);
}
END_TEST

START_TEST(query_of_another_datacenter_is_carried_out_with_our_instances)
{
	struct query_execute_response	 a;
	struct query_remote_request	 q;
	struct stage			 t;

	setup(&t);
	put_web(&t);
	memset(&q, 0, sizeof(q));
	q.datacenter = S("dc1");
	q.query.service.service = S("web");
	/* It is not passed on. */
	q.query.service.failover.nearest_n = 3;
	q.query.dns.ttl = S("4s");
	execute(&t, &query_remote_request_schema, &q);
	a = found(&t);
	ck_assert_uint_eq(a.nodes.n, 1);
	ck_assert_str_eq(a.nodes.item[0].node.node, "n1");
	ck_assert_str_eq(a.datacenter, "dc1");
	ck_assert_str_eq(a.dns.ttl, "4s");
	schema_clear(&query_execute_response_schema, &a);
	q.query.service.service = S("nosuch");
	execute(&t, &query_remote_request_schema, &q);
	a = found(&t);
	ck_assert_uint_eq(a.nodes.n, 0);
	ck_assert_int_eq(t.nasked, 0);
	schema_clear(&query_execute_response_schema, &a);
	teardown(&t);
}
END_TEST

UNIT_MAIN("catalogd_dc",
    datacenters_are_those_of_members_that_have_not_left,
    nearest_is_by_the_median_of_the_servers,
    call_for_another_datacenter_passes_both_ways_as_it_is,
    method_without_a_leader_goes_there_when_one_is_named,
    what_is_not_here_may_be_there,
    call_from_another_datacenter_goes_to_no_third,
    cancelled_call_is_cancelled_there,
    query_that_found_nothing_asks_the_nearest_and_then_the_named,
    query_leaves_out_who_is_unknown_and_itself,
    query_of_another_datacenter_is_carried_out_with_our_instances)

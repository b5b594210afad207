/*
 * Other datacenters: which there are and how far, calls that are theirs, and
 * queries that found nothing here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/datacenters.h"
#include "catalogd/server.h"
#include "common/log.h"
#include "common/mp.h"
#include "common/schema/state.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define S(s) ((char *)(uintptr_t)(s))
#define LIMIT_MS 8000

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

struct world {
	struct ev		*ev;
	struct ev_timer		*limit;
	struct server		*srv;
	struct conf_agent	 agent;
	struct conf_catalog	 conf;
	struct asked		 asked;		/* what is open */
	int			 nasked, ncancelled;
	unsigned		 flags;		/* of the test's calls */
	/* the answer to the test */
	bool			 there;
	char			*error;
	struct wbuf		 body;
};

static void *
on_call(const struct msg_call *m, const uint8_t *body, size_t len,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct world	*w = arg;

	(void)timeout_ms;
	ck_assert_ptr_null(w->asked.fn);
	str_set(&w->asked.method, m->method);
	str_set(&w->asked.dc, m->datacenter);
	w->asked.target = m->target;
	w->asked.flags = m->flags;
	wb_reset(&w->asked.body);
	wb_bytes(&w->asked.body, body, len);
	w->asked.fn = fn;
	w->asked.arg = fn_arg;
	w->nasked++;
	ev_stop(w->ev);
	return w;
}

static void
on_cancel(void *handle, void *arg)
{
	struct world	*w = arg;

	ck_assert_ptr_eq(handle, w);
	w->asked.fn = NULL;
	w->ncancelled++;
}

static bool
on_fire(const char *name, const void *p, size_t len, void *arg)
{
	(void)name;
	(void)p;
	(void)len;
	(void)arg;
	return true;
}

static void
on_name(enum view_kind kind, const char *name, bool exists, void *arg)
{
	(void)kind;
	(void)name;
	(void)exists;
	(void)arg;
}

static void
on_names(void *arg)
{
	(void)arg;
}

static void
on_refuse(const char *why, void *arg)
{
	(void)arg;
	ck_abort_msg("%s", why);
}

static void
on_limit(void *arg)
{
	struct world	*w = arg;

	ev_stop(w->ev);
}

static void
setup(struct world *w)
{
	struct server_env	 env = { .fire = on_fire, .name = on_name,
				    .names = on_names, .refuse = on_refuse,
				    .call = on_call,
				    .call_cancel = on_cancel };
	char			 err[512];

	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	wb_init(&w->asked.body, 0);
	wb_init(&w->body, 0);
	w->ev = ev_new();
	w->limit = ev_timer_new(w->ev, on_limit, w);
	w->agent.node_name = xstrdup("node1");
	w->agent.node_id = xstrdup("11111111-1111-4111-8111-111111111111");
	w->agent.datacenter = xstrdup("dc1");
	w->agent.advertise_addr = xstrdup("10.77.0.1");
	w->agent.port_rpc = 8300;
	w->agent.bootstrap = w->agent.server = true;
	env.arg = w;
	w->srv = server_new(w->ev, &w->agent, &w->conf, "", &env);
	if (server_start(w->srv, err, sizeof(err)) == -1)
		ck_abort_msg("%s", err);
}

static void
teardown(struct world *w)
{
	server_free(w->srv);
	ev_timer_free(w->limit);
	ev_free(w->ev);
	schema_clear(&conf_agent_schema, &w->agent);
	schema_clear(&conf_catalog_schema, &w->conf);
	free(w->asked.method);
	free(w->asked.dc);
	free(w->error);
	wb_free(&w->asked.body);
	wb_free(&w->body);
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct world	*w = arg;

	ck_assert(status == CALL_OK || status == CALL_ERROR);
	ck_assert(!w->there);
	w->there = true;
	str_set(&w->error, error);
	wb_reset(&w->body);
	wb_bytes(&w->body, body, len);
	ev_stop(w->ev);
}

static struct server_call *
begin(struct world *w, const char *method, struct schema *s, const void *req)
{
	struct server_call	*c;
	struct msg_call		 mc;
	struct wbuf		 b;

	w->there = false;
	memset(&mc, 0, sizeof(mc));
	mc.method = S(method);
	mc.flags = w->flags;
	wb_init(&b, 0);
	schema_encode(s, req, &b);
	c = server_call(w->srv, &mc, b.p, b.len, on_answer, w);
	wb_free(&b);
	return c;
}

/* Until there is an answer, or somebody else is asked. */
static void
await(struct world *w)
{
	int	 n = w->nasked;

	ev_timer_set(w->limit, LIMIT_MS);
	while (!w->there && w->nasked == n && ev_timer_pending(w->limit))
		ev_run(w->ev);
}

static void
write_ok(struct world *w, const char *method, struct schema *s,
    const void *req)
{
	begin(w, method, s, req);
	await(w);
	ck_assert(w->there);
	ck_assert_pstr_eq(w->error, NULL);
}

/* Whoever was asked says this. */
static void
say(struct world *w, const char *error, const void *body, size_t len)
{
	call_fn	*fn = w->asked.fn;

	ck_assert_ptr_nonnull(fn);
	w->asked.fn = NULL;
	fn(error == NULL ? CALL_OK : CALL_ERROR, error, body, len,
	    w->asked.arg);
}

/* ---- calls for others ---- */

START_TEST(call_for_another_datacenter_passes_both_ways_as_it_is)
{
	struct world		 w;
	struct key_request	 k;
	struct kvs_request	 p;
	struct wbuf		 same;

	setup(&w);
	memset(&k, 0, sizeof(k));
	k.datacenter = S("dc2");
	k.key = S("a");
	k.min_query_index = 7;
	/* No leader is needed here. */
	begin(&w, "KVS.Get", &key_request_schema, &k);
	await(&w);
	ck_assert_int_eq(w.nasked, 1);
	ck_assert_str_eq(w.asked.method, "KVS.Get");
	ck_assert_uint_eq(w.asked.target, CALL_DC);
	ck_assert_str_eq(w.asked.dc, "dc2");
	ck_assert_uint_eq(w.asked.flags, CALL_VIA_DC);
	wb_init(&same, 0);
	schema_encode(&key_request_schema, &k, &same);
	ck_assert_uint_eq(w.asked.body.len, same.len);
	ck_assert_mem_eq(w.asked.body.p, same.p, same.len);
	wb_free(&same);
	say(&w, NULL, "\x81\xa1x\x09", 4);
	ck_assert(w.there);
	ck_assert_uint_eq(w.body.len, 4);
	ck_assert_mem_eq(w.body.p, "\x81\xa1x\x09", 4);

	memset(&p, 0, sizeof(p));
	p.datacenter = S("dc3");
	p.op = S("set");
	p.entry.key = S("a");
	begin(&w, "KVS.Apply", &kvs_request_schema, &p);
	await(&w);
	ck_assert_str_eq(w.asked.dc, "dc3");
	ck_assert_uint_eq(w.asked.flags, CALL_WRITE | CALL_VIA_DC);
	say(&w, "No path to datacenter", NULL, 0);
	ck_assert_str_eq(w.error, "No path to datacenter");

	/* Empty is not ours. */
	k.datacenter = S("");
	begin(&w, "KVS.Get", &key_request_schema, &k);
	await(&w);
	ck_assert_int_eq(w.nasked, 2);
	ck_assert_str_eq(w.error, "No path to datacenter");
	teardown(&w);
}
END_TEST

START_TEST(method_without_a_leader_goes_there_when_one_is_named)
{
	struct world		 w;
	struct dc_request	 q;

	setup(&w);
	memset(&q, 0, sizeof(q));
	begin(&w, "Status.Leader", &dc_request_schema, &q);
	await(&w);
	ck_assert(w.there);
	ck_assert_int_eq(w.nasked, 0);
	q.datacenter = S("dc2");
	begin(&w, "Status.Leader", &dc_request_schema, &q);
	await(&w);
	ck_assert_int_eq(w.nasked, 1);
	say(&w, NULL, "\xa0", 1);
	ck_assert(w.there);
	teardown(&w);
}
END_TEST

START_TEST(what_is_not_here_may_be_there)
{
	static const char	 off[] = "Connect must be enabled in order to "
				    "use this endpoint";
	struct world		 w;
	struct dc_request	 q;

	setup(&w);
	memset(&q, 0, sizeof(q));
	q.datacenter = S("dc1");
	begin(&w, "ConnectCA.Roots", &dc_request_schema, &q);
	await(&w);
	ck_assert_str_eq(w.error, off);
	q.datacenter = S("dc2");
	begin(&w, "ACL.TokenList", &dc_request_schema, &q);
	await(&w);
	ck_assert_str_eq(w.error, "ACL support disabled");
	ck_assert_int_eq(w.nasked, 0);
	begin(&w, "ConnectCA.Roots", &dc_request_schema, &q);
	await(&w);
	ck_assert_int_eq(w.nasked, 1);
	ck_assert_str_eq(w.asked.dc, "dc2");
	say(&w, NULL, "\x80", 1);
	ck_assert_pstr_eq(w.error, NULL);
	teardown(&w);
}
END_TEST

START_TEST(call_from_another_datacenter_goes_to_no_third)
{
	struct world		 w;
	struct key_request	 k;

	setup(&w);
	memset(&k, 0, sizeof(k));
	k.key = S("a");
	w.flags = CALL_VIA_DC;
	k.datacenter = S("dc2");
	begin(&w, "KVS.Get", &key_request_schema, &k);
	await(&w);
	ck_assert_str_eq(w.error, "No path to datacenter");
	k.datacenter = S("dc1");
	begin(&w, "KVS.Get", &key_request_schema, &k);
	await(&w);
	ck_assert(w.there);
	ck_assert_pstr_eq(w.error, NULL);
	ck_assert_int_eq(w.nasked, 0);
	teardown(&w);
}
END_TEST

START_TEST(cancelled_call_is_cancelled_there)
{
	struct world		 w;
	struct server_call	*c;
	struct key_request	 k;

	setup(&w);
	memset(&k, 0, sizeof(k));
	k.datacenter = S("dc2");
	c = begin(&w, "KVS.Get", &key_request_schema, &k);
	await(&w);
	server_call_cancel(c);
	ck_assert_int_eq(w.ncancelled, 1);
	ck_assert(!w.there);
	teardown(&w);
}
END_TEST

/* ---- failover ---- */

/* n instances of web, here. */
static void
put_query(struct world *w, int64_t nearest, const char *one, const char *two)
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
	write_ok(w, "PreparedQuery.Apply", &query_request_schema, &q);
	strs_clear(&q.query.service.failover.datacenters);
}

static void
put_web(struct world *w)
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
	write_ok(w, "Catalog.Register", &register_request_schema, &r);
}

static struct server_call *
execute(struct world *w, struct schema *s, const void *req)
{
	struct server_call	*c;

	c = begin(w, s == &query_remote_request_schema ?
	    "PreparedQuery.ExecuteRemote" : "PreparedQuery.Execute", s, req);
	await(w);
	return c;
}

static struct query_execute_response
found(struct world *w)
{
	struct query_execute_response	 a;
	const char			*why = "";

	ck_assert(w->there);
	ck_assert_pstr_eq(w->error, NULL);
	ck_assert_msg(schema_decode_all(&query_execute_response_schema,
	    w->body.p, w->body.len, &a, &why) == 0, "%s", why);
	return a;
}

static void
say_names(struct world *w, const char *const *names, size_t n)
{
	struct wbuf	 b;
	size_t		 i;

	ck_assert_str_eq(w->asked.method, "Catalog.ListDatacenters");
	ck_assert_uint_eq(w->asked.target, CALL_HERE);
	wb_init(&b, 0);
	mp_array(&b, n);
	for (i = 0; i < n; i++)
		mp_str(&b, names[i]);
	say(w, NULL, b.p, b.len);
	wb_free(&b);
}

static void
ck_asked(struct world *w, const char *dc)
{
	struct query_remote_request	 q;
	const char			*why = "";

	ck_assert_str_eq(w->asked.method, "PreparedQuery.ExecuteRemote");
	ck_assert_uint_eq(w->asked.target, CALL_DC);
	ck_assert_str_eq(w->asked.dc, dc);
	ck_assert_int_eq(schema_decode_all(&query_remote_request_schema,
	    w->asked.body.p, w->asked.body.len, &q, &why), 0);
	ck_assert_str_eq(q.datacenter, dc);
	ck_assert_str_eq(q.query.service.service, "web");
	ck_assert_int_eq(q.limit, 5);
	ck_assert(q.allow_stale);
	schema_clear(&query_remote_request_schema, &q);
}

static void
say_found(struct world *w, const char *dc, size_t n)
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
	say(w, NULL, b.p, b.len);
	wb_free(&b);
	schema_clear(&query_execute_response_schema, &a);
}

static const char *const names[] = { "dc1", "near", "mid", "far" };

START_TEST(query_that_found_nothing_asks_the_nearest_and_then_the_named)
{
	struct query_execute_response	 a;
	struct query_execute_request	 q;
	struct world			 w;

	setup(&w);
	put_query(&w, 2, "far", "near");
	memset(&q, 0, sizeof(q));
	q.datacenter = S("dc1");
	q.query = S("q");
	q.limit = 5;
	q.allow_stale = true;
	execute(&w, &query_execute_request_schema, &q);
	say_names(&w, names, NELEM(names));
	ck_asked(&w, "near");
	say(&w, "rpc error getting client: no", NULL, 0);
	ck_asked(&w, "mid");
	say_found(&w, "mid", 0);
	ck_asked(&w, "far");
	say_found(&w, "far", 2);
	a = found(&w);
	ck_assert_uint_eq(a.nodes.n, 2);
	ck_assert_str_eq(a.datacenter, "far");
	ck_assert_int_eq(a.failovers, 3);
	schema_clear(&query_execute_response_schema, &a);

	/* Nobody has one. */
	execute(&w, &query_execute_request_schema, &q);
	say_names(&w, names, NELEM(names));
	say_found(&w, "near", 0);
	say(&w, "timed out", NULL, 0);
	say(&w, NULL, "\xc1", 1);
	a = found(&w);
	ck_assert_uint_eq(a.nodes.n, 0);
	ck_assert_str_eq(a.datacenter, "near");
	ck_assert_int_eq(a.failovers, 3);
	schema_clear(&query_execute_response_schema, &a);

	/* With one of our own nobody is asked. */
	put_web(&w);
	w.nasked = 0;
	execute(&w, &query_execute_request_schema, &q);
	a = found(&w);
	ck_assert_uint_eq(a.nodes.n, 1);
	ck_assert_str_eq(a.datacenter, "dc1");
	ck_assert_int_eq(a.failovers, 0);
	ck_assert_int_eq(w.nasked, 0);
	schema_clear(&query_execute_response_schema, &a);
	teardown(&w);
}
END_TEST

START_TEST(query_leaves_out_who_is_unknown_and_itself)
{
	struct query_execute_response	 a;
	struct query_execute_request	 q;
	struct server_call		*c;
	struct world			 w;

	setup(&w);
	put_query(&w, 0, "nowhere", "dc1");
	memset(&q, 0, sizeof(q));
	q.datacenter = S("dc1");
	q.query = S("q");
	execute(&w, &query_execute_request_schema, &q);
	say_names(&w, names, NELEM(names));
	a = found(&w);
	ck_assert_uint_eq(a.nodes.n, 0);
	ck_assert_str_eq(a.datacenter, "dc1");
	ck_assert_str_eq(a.dns.ttl, "3s");
	ck_assert_int_eq(a.failovers, 0);
	schema_clear(&query_execute_response_schema, &a);
	c = execute(&w, &query_execute_request_schema, &q);
	ck_assert_ptr_nonnull(w.asked.fn);
	server_call_cancel(c);
	ck_assert_int_eq(w.ncancelled, 1);
	teardown(&w);
}
END_TEST

START_TEST(query_of_another_datacenter_is_carried_out_with_our_instances)
{
	struct query_execute_response	 a;
	struct query_remote_request	 q;
	struct world			 w;

	setup(&w);
	put_web(&w);
	memset(&q, 0, sizeof(q));
	q.datacenter = S("dc1");
	q.query.service.service = S("web");
	/* It is not passed on. */
	q.query.service.failover.nearest_n = 3;
	q.query.dns.ttl = S("4s");
	execute(&w, &query_remote_request_schema, &q);
	a = found(&w);
	ck_assert_uint_eq(a.nodes.n, 1);
	ck_assert_str_eq(a.nodes.item[0].node.node, "n1");
	ck_assert_str_eq(a.datacenter, "dc1");
	ck_assert_str_eq(a.dns.ttl, "4s");
	schema_clear(&query_execute_response_schema, &a);
	q.query.service.service = S("nosuch");
	execute(&w, &query_remote_request_schema, &q);
	a = found(&w);
	ck_assert_uint_eq(a.nodes.n, 0);
	ck_assert_int_eq(w.nasked, 0);
	schema_clear(&query_execute_response_schema, &a);
	teardown(&w);
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

/*
 * The server half through server.h, in memory and on disk: methods and their
 * errors, blocking reads, members, leader's duties, restarts.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalogd/server.h"
#include "common/log.h"
#include "common/mp.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define VECTORS "tests/vectors/rpc/"
#define LIMIT_MS 10000

struct answer {
	bool			 there;
	enum call_status	 status;
	char			*error;
	uint8_t			*body;
	size_t			 len;
	uint64_t		 at_ms;
};

struct world {
	struct ev		*ev;
	struct ev_timer		*limit;
	struct server		*srv;
	struct conf_agent	 agent;
	struct conf_catalog	 conf;
	char			 dir[64];
	char			 fired[64], payload[64], refused[512];
	bool			 no_gossip;
	char			 names[1024];	/* "+s:web -n:n1 ..." */
	bool			 left;
	/* a call to others, about to fail */
	struct ev_timer		*far;
	call_fn			*far_fn;
	void			*far_arg;
};

/* ---- the world ---- */

static void
on_far(void *arg)
{
	struct world *w = arg;

	w->far_fn(CALL_ERROR, "No path to datacenter", NULL, 0, w->far_arg);
}

/* Nobody else is there. */
static void *
on_call(const struct msg_call *m, const uint8_t *body, size_t len,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct world *w = arg;

	(void)m;
	(void)body;
	(void)len;
	(void)timeout_ms;
	w->far_fn = fn;
	w->far_arg = fn_arg;
	ev_timer_set(w->far, 0);
	return w;
}

static void
on_call_cancel(void *handle, void *arg)
{
	(void)handle;
	(void)arg;
}

static bool
on_fire(const char *name, const void *p, size_t n, void *arg)
{
	struct world *w = arg;

	snprintf(w->fired, sizeof(w->fired), "%s", name);
	snprintf(w->payload, sizeof(w->payload), "%.*s", (int)n,
	    (const char *)p);
	return !w->no_gossip;
}

static void
on_name(enum view_kind kind, const char *name, bool exists, void *arg)
{
	struct world *w = arg;
	size_t n = strlen(w->names);

	snprintf(w->names + n, sizeof(w->names) - n, "%c%c:%s ",
	    exists ? '+' : '-', kind == VIEW_SERVICE ? 's' : 'n', name);
}

static void
on_names(void *arg)
{
	(void)arg;
}

static void
on_refuse(const char *why, void *arg)
{
	struct world *w = arg;

	snprintf(w->refused, sizeof(w->refused), "%s", why);
}

static void
on_limit(void *arg)
{
	struct world *w = arg;

	ev_stop(w->ev);
}

static void
start(struct world *w)
{
	struct server_env env = { .fire = on_fire, .name = on_name,
	    .names = on_names, .refuse = on_refuse, .call = on_call,
	    .call_cancel = on_call_cancel, .arg = w };
	char err[512] = "";

	w->srv = server_new(w->ev, &w->agent, &w->conf, w->dir, &env);
	if (server_start(w->srv, err, sizeof(err)) == -1)
		ck_abort_msg("%s", err);
}

static void
setup(struct world *w, const char *dir)
{
	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	w->limit = ev_timer_new(w->ev, on_limit, w);
	w->far = ev_timer_new(w->ev, on_far, w);
	snprintf(w->dir, sizeof(w->dir), "%s", dir);
	w->agent.node_name = xstrdup("node1");
	w->agent.node_id = xstrdup("11111111-1111-4111-8111-111111111111");
	w->agent.datacenter = xstrdup("dc1");
	w->agent.advertise_addr = xstrdup("10.77.0.1");
	w->agent.port_rpc = 8300;
	w->agent.bootstrap = true;
	w->agent.server = true;
	w->conf.rpc_hold_timeout = 200 * NS_PER_MS;
}

static void
teardown(struct world *w)
{
	server_free(w->srv);
	ev_timer_free(w->limit);
	ev_timer_free(w->far);
	ev_free(w->ev);
	schema_clear(&conf_agent_schema, &w->agent);
	schema_clear(&conf_catalog_schema, &w->conf);
}

/* Runs the loop for that long. */
static void
run_for(struct world *w, uint64_t ms)
{
	ev_timer_set(w->limit, ms);
	ev_run(w->ev);
}

struct pending {
	struct world	*w;
	struct answer	*a;
};

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct pending *p = arg;
	struct answer *a = p->a;

	ck_assert(!a->there);
	a->there = true;
	a->status = status;
	a->error = xstrdup(error);
	a->len = len;
	a->body = xmalloc(len + 1);
	if (len > 0)
		memcpy(a->body, body, len);
	a->at_ms = ev_hrtime() / 1000000;
	ev_stop(p->w->ev);
	free(p);
}

static struct server_call *
begin(struct world *w, const char *method, const void *body, size_t len,
    struct answer *a)
{
	struct msg_call mc;
	struct server_call *c;
	struct pending *p;

	memset(a, 0, sizeof(*a));
	memset(&mc, 0, sizeof(mc));
	mc.method = (char *)(uintptr_t)method;
	p = xcalloc(1, sizeof(*p));
	p->w = w;
	p->a = a;
	c = server_call(w->srv, &mc, body, len, on_answer, p);
	ck_assert(!a->there);
	return c;
}

static void
await(struct world *w, struct answer *a)
{
	ev_timer_set(w->limit, LIMIT_MS);
	while (!a->there && ev_timer_pending(w->limit))
		ev_run(w->ev);
	ck_assert_msg(a->there, "no answer");
}

static void
answer_clear(struct answer *a)
{
	free(a->error);
	free(a->body);
	memset(a, 0, sizeof(*a));
}

static void
call_schema(struct world *w, const char *method, struct schema *s,
    const void *obj, struct answer *a)
{
	struct wbuf b;

	wb_init(&b, 0);
	schema_encode(s, obj, &b);
	begin(w, method, b.p, b.len, a);
	wb_free(&b);
	await(w, a);
}

/* The error of a call, NULL for none; static. */
static const char *
error_of(struct world *w, const char *method, struct schema *s,
    const void *obj)
{
	static char text[512];
	struct answer a;

	call_schema(w, method, s, obj, &a);
	snprintf(text, sizeof(text), "%s", str_or(a.error, ""));
	answer_clear(&a);
	return text[0] == '\0' ? NULL : text;
}

static void
decode(struct answer *a, struct schema *s, void *obj)
{
	const char *err;

	ck_assert_msg(a->status == CALL_OK, "%s", str_or(a->error, "?"));
	if (schema_decode_all(s, a->body, a->len, obj, &err) == -1)
		ck_abort_msg("%s: %s", s->name, err);
	answer_clear(a);
}

/* ---- short hands ---- */

#define DC (char *)(uintptr_t)"dc1"
#define S(x) (char *)(uintptr_t)(x)

static struct register_request
node_request(const char *node, const char *address)
{
	struct register_request r;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.node = S(node);
	r.address = S(address);
	return r;
}

static void
put_node(struct world *w, const char *node, const char *address)
{
	struct register_request r = node_request(node, address);

	ck_assert_ptr_null(error_of(w, "Catalog.Register",
	    &register_request_schema, &r));
}

static void
put_service(struct world *w, const char *node, const char *id,
    const char *name, const char *tag)
{
	struct register_request r = node_request(node, "10.0.0.1");
	struct node_service s;
	char *item[1];

	memset(&s, 0, sizeof(s));
	s.id = S(id);
	s.service = S(name);
	s.port = 80;
	if (tag != NULL) {
		item[0] = S(tag);
		s.tags.item = item;
		s.tags.n = 1;
		s.tags.set = true;
	}
	r.service = &s;
	r.skip_node_update = true;
	ck_assert_ptr_null(error_of(w, "Catalog.Register",
	    &register_request_schema, &r));
}

static void
put_check(struct world *w, const char *node, const char *id,
    const char *service, const char *status)
{
	struct register_request r = node_request(node, "10.0.0.1");
	struct health_check c;

	memset(&c, 0, sizeof(c));
	c.check_id = S(id);
	c.name = S(id);
	c.service_id = S(service);
	c.status = S(status);
	r.check = &c;
	r.skip_node_update = true;
	ck_assert_ptr_null(error_of(w, "Catalog.Register",
	    &register_request_schema, &r));
}

static void
drop_node(struct world *w, const char *node)
{
	struct deregister_request r;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.node = S(node);
	ck_assert_ptr_null(error_of(w, "Catalog.Deregister",
	    &deregister_request_schema, &r));
}

static void
service_nodes(struct world *w, const char *name,
    struct indexed_check_service_nodes *out)
{
	struct service_request q;
	struct answer a;

	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.service_name = S(name);
	call_schema(w, "Health.ServiceNodes", &service_request_schema, &q, &a);
	decode(&a, &indexed_check_service_nodes_schema, out);
}

static void
list_nodes(struct world *w, struct indexed_nodes *out)
{
	struct dc_request q;
	struct answer a;

	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	call_schema(w, "Catalog.ListNodes", &dc_request_schema, &q, &a);
	decode(&a, &indexed_nodes_schema, out);
}

static size_t
count_nodes(struct world *w)
{
	struct indexed_nodes n;
	size_t count;

	list_nodes(w, &n);
	count = n.nodes.n;
	schema_clear(&indexed_nodes_schema, &n);
	return count;
}

static void
begin_service_nodes(struct world *w, const char *name, uint64_t min,
    int64_t max_ns, struct answer *a)
{
	struct service_request q;
	struct wbuf b;

	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.service_name = S(name);
	q.min_query_index = min;
	q.max_query_time = max_ns;
	wb_init(&b, 0);
	schema_encode(&service_request_schema, &q, &b);
	begin(w, "Health.ServiceNodes", b.p, b.len, a);
	wb_free(&b);
}

/* ---- office ---- */

START_TEST(single_server_leads_at_once)
{
	struct answer a;
	struct world w;
	uint64_t t0;

	setup(&w, "");
	t0 = ev_hrtime();
	start(&w);
	while (!server_is_leader(w.srv))
		run_for(&w, 1);
	ck_assert_uint_lt(ev_hrtime() - t0, NS_PER_S);
	ck_assert_str_eq(w.fired, "consul:new-leader");
	ck_assert_str_eq(w.payload, "node1");
	begin(&w, "Status.Leader", "\x80", 1, &a);
	await(&w, &a);
	ck_assert_uint_eq(a.len, 1 + strlen("10.77.0.1:8300"));
	ck_assert_mem_eq(a.body + 1, "10.77.0.1:8300", a.len - 1);
	answer_clear(&a);
	teardown(&w);
}
END_TEST

START_TEST(without_a_leader_calls_are_held_then_refused)
{
	struct dc_request q;
	struct answer a;
	struct world w;
	uint64_t t0;

	setup(&w, "");
	w.agent.bootstrap = false;
	start(&w);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	t0 = ev_hrtime();
	ck_assert_str_eq(error_of(&w, "Catalog.ListNodes", &dc_request_schema,
	    &q), "No cluster leader");
	ck_assert_uint_ge(ev_hrtime() - t0, 180 * NS_PER_MS);
	/* Which needs no leader. */
	begin(&w, "Status.Leader", "\x80", 1, &a);
	await(&w, &a);
	ck_assert_uint_eq(a.len, 1);
	ck_assert_uint_eq(a.body[0], 0xa0);
	answer_clear(&a);
	begin(&w, "Status.Ping", "\x80", 1, &a);
	await(&w, &a);
	ck_assert_int_eq(a.status, CALL_OK);
	answer_clear(&a);
	teardown(&w);
}
END_TEST

START_TEST(leaving_server_answers_no_leader_at_once)
{
	struct dc_request q;
	struct world w;

	setup(&w, "");
	w.conf.rpc_hold_timeout = 60 * NS_PER_S;
	start(&w);
	put_node(&w, "n1", "10.0.0.1");
	server_leave(w.srv, on_limit, &w);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	ck_assert_str_eq(error_of(&w, "Catalog.ListNodes", &dc_request_schema,
	    &q), "No cluster leader");
	teardown(&w);
}
END_TEST

/* ---- errors ---- */

START_TEST(register_errors_have_their_texts)
{
	struct register_request r;
	struct node_service s;
	struct health_check c;
	struct world w;
#define ERR error_of(&w, "Catalog.Register", &register_request_schema, &r)

	setup(&w, "");
	start(&w);
	r = node_request("", "1.1.1.1");
	ck_assert_str_eq(ERR, "Must provide node");
	r = node_request("x1", "");
	ck_assert_str_eq(ERR,
	    "Must provide address if SkipNodeUpdate is not set");
	r = node_request("x1", "1.1.1.1");
	r.id = S("nope");
	ck_assert_str_eq(ERR, "Bad node ID: uuid string is wrong length");
	r.id = NULL;
	memset(&s, 0, sizeof(s));
	s.id = S("web");
	r.service = &s;
	ck_assert_str_eq(ERR, "Must provide service name with ID");
	s.service = S("web");
	s.address = S("0.0.0.0");
	ck_assert_str_eq(ERR, "Invalid service address");
	r.service = NULL;
	memset(&c, 0, sizeof(c));
	c.name = S("q");
	c.service_id = S("nosuch");
	r.check = &c;
	ck_assert_str_eq(ERR, "failed inserting check: Missing service "
	    "registration on node \"x1\"");
	c.service_id = NULL;
	c.node = S("x2");
	ck_assert_str_eq(ERR,
	    "check node \"x2\" does not match node \"x1\"");
	r = node_request("x1", "1.1.1.1");
	r.datacenter = NULL;
	ck_assert_str_eq(ERR, "No path to datacenter");
	ck_assert_uint_eq(count_nodes(&w), 0);
	teardown(&w);
}
END_TEST

START_TEST(unknown_methods_have_their_words)
{
	static const struct { const char *method, *error; } t[] = {
		{ "Nope.Foo", "rpc: can't find service Nope.Foo" },
		{ "Catalog.Nope", "rpc: can't find method Catalog.Nope" },
		{ "Ping", "rpc: service/method request ill-formed: Ping" },
		{ "ACL.TokenRead", "ACL support disabled" },
		{ "ConnectCA.Roots",
		    "Connect must be enabled in order to use this endpoint" },
		{ "AutoEncrypt.Sign",
		    "Connect must be enabled in order to use this endpoint" },
	};
	struct answer a;
	struct world w;
	size_t i;

	setup(&w, "");
	start(&w);
	for (i = 0; i < NELEM(t); i++) {
		begin(&w, t[i].method, "\x80", 1, &a);
		await(&w, &a);
		ck_assert_int_eq(a.status, CALL_ERROR);
		ck_assert_str_eq(a.error, t[i].error);
		answer_clear(&a);
	}
	ck_assert(server_has_method("Catalog.Register"));
	ck_assert(!server_has_method("Agent.Services"));
	teardown(&w);
}
END_TEST

START_TEST(bodies_that_do_not_decode_are_refused)
{
	struct answer a;
	struct world w;

	setup(&w, "");
	start(&w);
	begin(&w, "Catalog.ListNodes", "\x81\xaa", 2, &a);
	await(&w, &a);
	ck_assert(strncmp(a.error, "codec.decoder: ", 15) == 0);
	answer_clear(&a);
	begin(&w, "Catalog.ListNodes", "", 0, &a);
	await(&w, &a);
	ck_assert_int_eq(a.status, CALL_ERROR);
	answer_clear(&a);
	teardown(&w);
}
END_TEST

START_TEST(what_is_no_filter_is_refused_where_filters_are_obeyed)
{
	struct dc_request q;
	struct world w;

	setup(&w, "");
	start(&w);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.filter = S("Meta.a == b");
	ck_assert_ptr_null(error_of(&w, "Catalog.ListNodes",
	    &dc_request_schema, &q));
	q.filter = S("Meta.a ==");
	ck_assert(strncmp(error_of(&w, "Catalog.ListNodes",
	    &dc_request_schema, &q),
	    "Failed to create boolean expression evaluator: ", 47) == 0);
	ck_assert_ptr_null(error_of(&w, "Catalog.ListServices",
	    &dc_request_schema, &q));
	teardown(&w);
}
END_TEST

/* ---- reading ---- */

START_TEST(registered_service_is_found_with_its_checks)
{
	struct indexed_check_service_nodes n;
	struct world w;

	setup(&w, "");
	start(&w);
	put_node(&w, "n1", "10.0.0.1");
	put_service(&w, "n1", "web1", "web", "v1");
	put_service(&w, "n1", "db1", "db", NULL);
	put_check(&w, "n1", "serfHealth", "", "passing");
	put_check(&w, "n1", "c-web", "web1", "warning");
	put_check(&w, "n1", "c-db", "db1", "critical");
	service_nodes(&w, "WEB", &n);
	ck_assert(n.known_leader);
	ck_assert_uint_eq(n.nodes.n, 1);
	ck_assert_str_eq(n.nodes.item[0].node.node, "n1");
	ck_assert_str_eq(n.nodes.item[0].service.id, "web1");
	ck_assert_int_eq(n.nodes.item[0].service.weights->passing, 1);
	ck_assert_uint_eq(n.nodes.item[0].checks.n, 2);
	ck_assert_str_eq(n.nodes.item[0].checks.item[0].check_id,
	    "serfHealth");
	ck_assert_str_eq(n.nodes.item[0].checks.item[1].check_id, "c-web");
	schema_clear(&indexed_check_service_nodes_schema, &n);
	ck_assert_str_eq(w.names, "+n:n1 +s:web +s:db ");
	teardown(&w);
}
END_TEST

START_TEST(index_is_never_zero)
{
	struct indexed_nodes n;
	struct world w;

	setup(&w, "");
	start(&w);
	list_nodes(&w, &n);
	ck_assert_uint_eq(n.index, 1);
	ck_assert_uint_eq(n.nodes.n, 0);
	schema_clear(&indexed_nodes_schema, &n);
	teardown(&w);
}
END_TEST

START_TEST(tags_filter_only_when_told_to)
{
	struct indexed_check_service_nodes n;
	struct service_request q;
	struct answer a;
	struct world w;
	char *tags[1] = { S("V2") };

	setup(&w, "");
	start(&w);
	put_service(&w, "n1", "web1", "web", "v1");
	put_service(&w, "n2", "web2", "web", "v2");
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.service_name = S("web");
	q.service_tags.item = tags;
	q.service_tags.n = 1;
	q.service_tags.set = true;
	call_schema(&w, "Health.ServiceNodes", &service_request_schema, &q,
	    &a);
	decode(&a, &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_eq(n.nodes.n, 2);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	q.tag_filter = true;
	call_schema(&w, "Health.ServiceNodes", &service_request_schema, &q,
	    &a);
	decode(&a, &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_eq(n.nodes.n, 1);
	ck_assert_str_eq(n.nodes.item[0].service.id, "web2");
	schema_clear(&indexed_check_service_nodes_schema, &n);
	teardown(&w);
}
END_TEST

START_TEST(services_are_listed_with_the_union_of_their_tags)
{
	struct indexed_services s;
	struct dc_request q;
	struct answer a;
	struct world w;

	setup(&w, "");
	start(&w);
	put_service(&w, "n1", "web1", "web", "v1");
	put_service(&w, "n2", "web2", "web", "v2");
	put_service(&w, "n3", "web3", "web", "v1");
	put_service(&w, "n3", "db", "db", NULL);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	call_schema(&w, "Catalog.ListServices", &dc_request_schema, &q, &a);
	decode(&a, &indexed_services_schema, &s);
	ck_assert_uint_eq(s.services.n, 2);
	ck_assert_str_eq(s.services.item[0].key, "db");
	ck_assert_uint_eq(s.services.item[0].val.n, 0);
	ck_assert_uint_eq(s.services.item[1].val.n, 2);
	ck_assert_str_eq(s.services.item[1].val.item[0], "v1");
	ck_assert_str_eq(s.services.item[1].val.item[1], "v2");
	schema_clear(&indexed_services_schema, &s);
	teardown(&w);
}
END_TEST

START_TEST(coordinate_updates_are_checked_and_written_in_batches)
{
	struct coordinate_update u;
	struct indexed_coordinates c;
	struct node_request q;
	struct answer a;
	struct world w;
	double vec[8] = { 0 };
	int i;
#define ERR_C error_of(&w, "Coordinate.Update", &coordinate_update_schema, &u)

	setup(&w, "");
	start(&w);
	put_node(&w, "n1", "10.0.0.1");
	memset(&u, 0, sizeof(u));
	u.datacenter = DC;
	u.node = S("n1");
	u.coord.vec.item = vec;
	u.coord.vec.n = 4;
	u.coord.vec.set = true;
	ck_assert_str_eq(ERR_C, "incompatible coordinate");
	u.coord.vec.n = 8;
	vec[3] = 1.0 / 0.0;
	ck_assert_str_eq(ERR_C, "invalid coordinate");
	vec[3] = 0.25;
	ck_assert_ptr_null(ERR_C);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.node = S("n1");
	c.coordinates.n = 0;
	for (i = 0; i < 8 && c.coordinates.n == 0; i++) {
		run_for(&w, 1000);
		call_schema(&w, "Coordinate.Node", &node_request_schema, &q,
		    &a);
		decode(&a, &indexed_coordinates_schema, &c);
		if (c.coordinates.n == 0)
			schema_clear(&indexed_coordinates_schema, &c);
	}
	ck_assert_uint_eq(c.coordinates.n, 1);
	ck_assert_double_eq(c.coordinates.item[0].coord.vec.item[3], 0.25);
	schema_clear(&indexed_coordinates_schema, &c);
	teardown(&w);
}
END_TEST

static void
put_coordinate(struct world *w, const char *node, double x)
{
	struct coordinate_update u;
	double vec[8] = { x };

	memset(&u, 0, sizeof(u));
	u.datacenter = DC;
	u.node = S(node);
	u.coord.vec.item = vec;
	u.coord.vec.n = 8;
	u.coord.vec.set = true;
	ck_assert_ptr_null(error_of(w, "Coordinate.Update",
	    &coordinate_update_schema, &u));
}

START_TEST(near_sorts_by_distance_and_the_unknown_last)
{
	static const char *const want[] = { "n3", "n4", "n1", "n2" };
	struct indexed_nodes n;
	struct dc_request q;
	struct answer a;
	struct world w;
	size_t i;

	setup(&w, "");
	start(&w);
	for (i = 1; i <= 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "n%zu", i);
		put_node(&w, name, "10.0.0.1");
	}
	put_coordinate(&w, "n1", 0.5);
	put_coordinate(&w, "n3", 0.1);
	put_coordinate(&w, "n4", 0.2);
	run_for(&w, 5500);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.source.datacenter = DC;
	q.source.node = S("n3");
	call_schema(&w, "Catalog.ListNodes", &dc_request_schema, &q, &a);
	decode(&a, &indexed_nodes_schema, &n);
	ck_assert_uint_eq(n.nodes.n, 4);
	for (i = 0; i < 4; i++)
		ck_assert_str_eq(n.nodes.item[i].node, want[i]);
	schema_clear(&indexed_nodes_schema, &n);
	teardown(&w);
}
END_TEST

START_TEST(event_is_fired_under_its_name)
{
	struct event_fire_request q;
	struct world w;
	uint8_t p[] = "data", large[70000] = { 0 };

	setup(&w, "");
	start(&w);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.name = S("deploy");
	q.payload.p = p;
	q.payload.n = 4;
	q.payload.set = true;
	q.allow_stale = true;
	ck_assert_ptr_null(error_of(&w, "Internal.EventFire",
	    &event_fire_request_schema, &q));
	ck_assert_str_eq(w.fired, "consul:event:deploy");
	ck_assert_str_eq(w.payload, "data");
	/* What gossip does not carry would not fit a message to gossipd. */
	q.payload.n = sizeof(large);
	q.payload.p = large;
	ck_assert_str_eq(error_of(&w, "Internal.EventFire",
	    &event_fire_request_schema, &q), "1 error occurred:\n\t* error "
	    "broadcasting event to segment \"\": user event exceeds configured "
	    "limit of 512 bytes before encoding\n\n");
	ck_assert_str_eq(w.fired, "consul:event:deploy");
	q.payload.n = 512 - strlen("consul:event:deploy");
	ck_assert_str_eq(error_of(&w, "Internal.EventFire",
	    &event_fire_request_schema, &q), "1 error occurred:\n\t* error "
	    "broadcasting event to segment \"\": encoded user event exceeds "
	    "configured limit of 512 bytes after encoding\n\n");
	q.payload.n -= 35;
	ck_assert_ptr_null(error_of(&w, "Internal.EventFire",
	    &event_fire_request_schema, &q));
	w.no_gossip = true;
	ck_assert_str_eq(error_of(&w, "Internal.EventFire",
	    &event_fire_request_schema, &q),
	    "event not sent: gossipd is restarting");
	teardown(&w);
}
END_TEST

/* ---- blocking ---- */

START_TEST(blocked_read_wakes_for_its_service_and_sleeps_for_others)
{
	struct indexed_check_service_nodes n;
	struct answer a;
	struct world w;
	uint64_t index;

	setup(&w, "");
	start(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	put_service(&w, "n2", "db1", "db", NULL);
	service_nodes(&w, "web", &n);
	index = n.index;
	schema_clear(&indexed_check_service_nodes_schema, &n);
	begin_service_nodes(&w, "web", index, 0, &a);
	run_for(&w, 20);
	ck_assert(!a.there);
	put_check(&w, "n2", "c", "db1", "passing");
	put_node(&w, "n2", "10.0.0.9");
	put_service(&w, "n1", "web1", "web", NULL);	/* nothing new */
	run_for(&w, 20);
	ck_assert(!a.there);
	put_check(&w, "n1", "c", "web1", "passing");
	await(&w, &a);
	decode(&a, &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_gt(n.index, index);
	ck_assert_uint_eq(n.nodes.item[0].checks.n, 1);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	teardown(&w);
}
END_TEST

/* Of one turn: equal questions of equal length, and others between them. */
START_TEST(many_who_ask_the_same_are_answered_the_same_others_their_own)
{
	static const char *const name[] = {
		"web", "web", "wee", "wee", "web", "web"
	};
	struct indexed_check_service_nodes n;
	struct answer a[NELEM(name)];
	struct world w;
	size_t i;

	setup(&w, "");
	start(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	put_service(&w, "n2", "wee1", "wee", NULL);
	service_nodes(&w, "web", &n);
	/* Those of "wee" are answered at once, those of "web" wait. */
	for (i = 0; i < NELEM(name); i++)
		begin_service_nodes(&w, name[i], n.index, 0, &a[i]);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	put_service(&w, "n3", "web2", "web", NULL);
	for (i = 0; i < NELEM(name); i++) {
		await(&w, &a[i]);
		decode(&a[i], &indexed_check_service_nodes_schema, &n);
		ck_assert_uint_eq(n.nodes.n, name[i][2] == 'b' ? 2 : 1);
		ck_assert_str_eq(n.nodes.item[0].service.service, name[i]);
		schema_clear(&indexed_check_service_nodes_schema, &n);
	}
	teardown(&w);
}
END_TEST

START_TEST(blocked_read_of_a_vanishing_service_wakes)
{
	struct indexed_check_service_nodes n;
	struct answer a;
	struct world w;
	uint64_t index;

	setup(&w, "");
	start(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	service_nodes(&w, "web", &n);
	index = n.index;
	schema_clear(&indexed_check_service_nodes_schema, &n);
	begin_service_nodes(&w, "web", index, 0, &a);
	run_for(&w, 10);
	drop_node(&w, "n1");
	await(&w, &a);
	decode(&a, &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_gt(n.index, index);
	ck_assert_uint_eq(n.nodes.n, 0);
	index = n.index;
	schema_clear(&indexed_check_service_nodes_schema, &n);
	/* And again when it comes back. */
	begin_service_nodes(&w, "web", index, 0, &a);
	run_for(&w, 10);
	ck_assert(!a.there);
	put_service(&w, "n1", "web1", "web", NULL);
	await(&w, &a);
	decode(&a, &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_eq(n.nodes.n, 1);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	teardown(&w);
}
END_TEST

START_TEST(blocked_read_ends_with_its_time_and_what_there_is)
{
	struct indexed_check_service_nodes n;
	struct answer a;
	struct world w;
	uint64_t t0;

	setup(&w, "");
	start(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	t0 = ev_hrtime();
	begin_service_nodes(&w, "web", 1000, 160 * NS_PER_MS, &a);
	await(&w, &a);
	ck_assert_uint_ge(ev_hrtime() - t0, 158 * NS_PER_MS);
	ck_assert_uint_lt(ev_hrtime() - t0, 1000 * NS_PER_MS);
	decode(&a, &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_lt(n.index, 1000);
	ck_assert_uint_eq(n.nodes.n, 1);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	teardown(&w);
}
END_TEST

START_TEST(lower_index_answers_at_once)
{
	struct answer a;
	struct world w;

	setup(&w, "");
	start(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	begin_service_nodes(&w, "web", 1, 0, &a);
	await(&w, &a);
	ck_assert_int_eq(a.status, CALL_OK);
	answer_clear(&a);
	teardown(&w);
}
END_TEST

START_TEST(cancelled_calls_are_silent)
{
	struct server_call *c;
	struct pending *p;
	struct answer a;
	struct msg_call mc;
	struct world w;

	setup(&w, "");
	start(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	memset(&a, 0, sizeof(a));
	memset(&mc, 0, sizeof(mc));
	mc.method = S("Status.Ping");
	p = xcalloc(1, sizeof(*p));
	p->w = &w;
	p->a = &a;
	c = server_call(w.srv, &mc, (const uint8_t *)"\x80", 1, on_answer, p);
	server_call_cancel(c);
	run_for(&w, 20);
	ck_assert(!a.there);
	free(p);
	teardown(&w);
}
END_TEST

/* ---- members ---- */

static struct member
member(const char *name, const char *addr, enum member_status status,
    const char *role)
{
	struct member m;

	memset(&m, 0, sizeof(m));
	m.name = xstrdup(name);
	m.addr = xstrdup(addr);
	m.port = 8301;
	m.status = status;
	m.pmin = 1;
	m.pmax = 5;
	m.pcur = 2;
	strmap_put(&m.tags, "role", role);
	strmap_put(&m.tags, "dc", "dc1");
	strmap_put(&m.tags, "build", DISCO_BUILD);
	if (strcmp(role, "consul") == 0) {
		strmap_put(&m.tags, "port", "8300");
		strmap_put(&m.tags, "raft_vsn", "3");
		strmap_put(&m.tags, "disco", "1");
	}
	return m;
}

static void
tell(struct world *w, const char *name, const char *addr,
    enum member_status status, const char *role)
{
	struct member m = member(name, addr, status, role);

	server_member(w->srv, &m);
	schema_clear(&member_schema, &m);
}

static void
serf_health(struct world *w, const char *node, char *out, size_t len)
{
	struct indexed_health_checks c;
	struct node_request q;
	struct answer a;

	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.node = S(node);
	call_schema(w, "Health.NodeChecks", &node_request_schema, &q, &a);
	decode(&a, &indexed_health_checks_schema, &c);
	snprintf(out, len, "%s", c.checks.n == 0 ? "" :
	    c.checks.item[0].status);
	schema_clear(&indexed_health_checks_schema, &c);
}

START_TEST(members_are_registered_marked_and_removed)
{
	struct indexed_check_service_nodes n;
	struct world w;
	char status[32];

	setup(&w, "");
	start(&w);
	server_members_begin(w.srv);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	tell(&w, "node2", "10.77.0.2", MEMBER_ALIVE, "node");
	server_members_end(w.srv);
	run_for(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 2);
	service_nodes(&w, "consul", &n);
	ck_assert_uint_eq(n.nodes.n, 1);
	ck_assert_int_eq(n.nodes.item[0].service.port, 8300);
	ck_assert_str_eq(strmap_get(&n.nodes.item[0].service.meta, "version"),
	    "1.8.7");
	ck_assert(!n.nodes.item[0].node.meta.set);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	serf_health(&w, "node2", status, sizeof(status));
	ck_assert_str_eq(status, "passing");

	tell(&w, "node2", "10.77.0.2", MEMBER_FAILED, "node");
	run_for(&w, 20);
	serf_health(&w, "node2", status, sizeof(status));
	ck_assert_str_eq(status, "critical");
	tell(&w, "node2", "10.77.0.2", MEMBER_ALIVE, "node");
	run_for(&w, 20);
	serf_health(&w, "node2", status, sizeof(status));
	ck_assert_str_eq(status, "passing");
	/* Before the first has reached the catalog: the last word counts. */
	tell(&w, "node2", "10.77.0.2", MEMBER_FAILED, "node");
	tell(&w, "node2", "10.77.0.2", MEMBER_ALIVE, "node");
	run_for(&w, 20);
	serf_health(&w, "node2", status, sizeof(status));
	ck_assert_str_eq(status, "passing");
	tell(&w, "node2", "10.77.0.2", MEMBER_LEFT, "node");
	run_for(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 1);
	/* Never itself. */
	tell(&w, "node1", "10.77.0.1", MEMBER_LEFT, "consul");
	run_for(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 1);
	ck_assert_str_eq(w.refused, "");
	teardown(&w);
}
END_TEST

START_TEST(a_gossipd_that_forgot_the_dead_costs_no_registration)
{
	struct world w;

	setup(&w, "");
	start(&w);
	server_members_begin(w.srv);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	tell(&w, "node2", "10.77.0.2", MEMBER_FAILED, "node");
	tell(&w, "node3", "10.77.0.3", MEMBER_ALIVE, "node");
	server_members_end(w.srv);
	put_check(&w, "node2", "serfHealth", "", "critical");
	run_for(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 3);
	/* Started again, it knows nobody but itself. */
	server_members_begin(w.srv);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	server_members_end(w.srv);
	run_for(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 3);
	/* A leave is a leave all the same. */
	tell(&w, "node3", "10.77.0.3", MEMBER_LEFT, "node");
	run_for(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 2);
	teardown(&w);
}
END_TEST

START_TEST(nodes_that_gossip_forgot_count_as_failed_external_ones_stay)
{
	struct world w;
	char status[32];

	setup(&w, "");
	start(&w);
	put_node(&w, "ext", "10.0.0.7");
	put_check(&w, "old", "serfHealth", "", "passing");
	server_members_begin(w.srv);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	server_members_end(w.srv);
	run_for(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 3);
	serf_health(&w, "old", status, sizeof(status));
	ck_assert_str_eq(status, "critical");
	serf_health(&w, "ext", status, sizeof(status));
	ck_assert_str_eq(status, "");
	tell(&w, "old", "10.77.0.9", MEMBER_ALIVE, "node");
	run_for(&w, 20);
	serf_health(&w, "old", status, sizeof(status));
	ck_assert_str_eq(status, "passing");
	teardown(&w);
}
END_TEST

START_TEST(member_known_to_be_well_is_not_written_again)
{
	struct indexed_nodes a, b;
	struct world w;

	setup(&w, "");
	start(&w);
	server_members_begin(w.srv);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	server_members_end(w.srv);
	run_for(&w, 20);
	list_nodes(&w, &a);
	ck_assert_uint_eq(a.nodes.n, 1);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	run_for(&w, 20);
	list_nodes(&w, &b);
	ck_assert_uint_eq(a.index, b.index);
	schema_clear(&indexed_nodes_schema, &a);
	schema_clear(&indexed_nodes_schema, &b);
	teardown(&w);
}
END_TEST

START_TEST(consul_server_in_our_datacenter_is_refused)
{
	struct member m = member("c1", "10.77.0.9", MEMBER_ALIVE, "consul");
	struct world w;

	setup(&w, "");
	start(&w);
	server_member(w.srv, &m);
	ck_assert_str_eq(w.refused, "");
	strmap_clear(&m.tags);
	strmap_put(&m.tags, "role", "consul");
	strmap_put(&m.tags, "dc", "dc2");
	server_member(w.srv, &m);
	ck_assert_str_eq(w.refused, "");
	strmap_put(&m.tags, "dc", "dc1");
	server_member(w.srv, &m);
	ck_assert_ptr_nonnull(strstr(w.refused, "c1 (10.77.0.9)"));
	schema_clear(&member_schema, &m);
	teardown(&w);
}
END_TEST

/* ---- recorded answers ---- */

static uint8_t *
vector(const char *name, const char *which, size_t *len)
{
	char path[256], *text;
	size_t n, i, k = 0;
	uint8_t *out;

	snprintf(path, sizeof(path), VECTORS "%s.%s.hex", name, which);
	if ((text = file_read(path, 1 << 20, &n)) == NULL)
		ck_abort_msg("%s", path);
	for (i = 0; i < n; i++)
		if (text[i] != '\n' && text[i] != ' ')
			text[k++] = text[i];
	out = xmalloc(k / 2 + 1);
	ck_assert_int_eq(hex_decode(text, k, out), 0);
	free(text);
	*len = k / 2;
	return out;
}

/* Header and body of a recorded message; the header's method is copied. */
static const uint8_t *
split(const uint8_t *p, size_t len, bool request, char *method, size_t mlen,
    char *error, size_t elen, size_t *body_len)
{
	struct rpc_request_header q;
	struct rpc_response_header a;
	struct rbuf r;

	rb_init(&r, p, len);
	if (request) {
		ck_assert_int_eq(schema_decode(&rpc_request_header_schema, &r,
		    &q), 0);
		snprintf(method, mlen, "%s", q.method);
		schema_clear(&rpc_request_header_schema, &q);
	} else {
		ck_assert_int_eq(schema_decode(&rpc_response_header_schema, &r,
		    &a), 0);
		snprintf(error, elen, "%s", str_or(a.error, ""));
		schema_clear(&rpc_response_header_schema, &a);
	}
	*body_len = r.n;
	return r.p;
}

/*
 * Sends the recorded request.  The answer's body must be the recorded one,
 * `exact`ly or (where indexes, order of maps differ) in kind: NULL error.
 */
static void
replay(struct world *w, const char *name, bool exact)
{
	char method[128], error[512], dummy[1];
	const uint8_t *qb, *ab;
	size_t ql, al, qbl, abl;
	uint8_t *q, *r;
	struct answer a;

	q = vector(name, "req", &ql);
	r = vector(name, "resp", &al);
	qb = split(q, ql, true, method, sizeof(method), dummy, 1, &qbl);
	ab = split(r, al, false, dummy, 1, error, sizeof(error), &abl);
	begin(w, method, qb, qbl, &a);
	await(w, &a);
	ck_assert_msg(strcmp(str_or(a.error, ""), error) == 0,
	    "%s: \"%s\", not \"%s\"", name, str_or(a.error, ""), error);
	if (error[0] == '\0' && exact) {
		ck_assert_msg(a.len == abl &&
		    memcmp(a.body, ab, abl) == 0, "%s: body differs: "
		    "%zu bytes, not %zu", name, a.len, abl);
	}
	answer_clear(&a);
	free(q);
	free(r);
}

START_TEST(recorded_requests_get_the_recorded_answers)
{
	/* In the order of the recording; true: to the byte. */
	static const struct { const char *name; bool exact; } v[] = {
		{ "003-ae-register-node", true },
		{ "004-register-service-2-checks", true },
		{ "005-register-service-1-check", true },
		{ "006-register-check-status-change", true },
		{ "007-register-node-check", true },
		{ "008-register-external", true },
		{ "009-deregister-service", true },
		{ "010-deregister-check", true },
		{ "013-status-ping", true },
		{ "014-status-leader", true },
		{ "015-status-peers", true },
		{ "016-catalog-list-nodes", false },
		{ "017-catalog-list-services", false },
		{ "018-catalog-service-nodes-tag", false },
		{ "019-catalog-node-services", false },
		{ "021-catalog-gateway-services", true },
		{ "022-health-service-nodes", false },
		{ "025-health-service-checks", false },
		{ "026-health-checks-in-state", false },
		{ "027-kv-set", true },
		{ "028-kv-get-hit", false },
		{ "029-kv-get-miss", false },
		{ "031-kv-cas-fail", true },
		{ "033-kv-set-binary-300", true },
		{ "034-kv-list", false },
		{ "035-kv-list-keys", false },
		{ "039-kv-delete", true },
		{ "040-kv-delete-tree", true },
		{ "041-kv-delete-cas-missing", true },
		{ "043-session-get", false },
		{ "044-session-list", false },
		{ "045-session-node-sessions", false },
		{ "047-session-renew-unknown", false },
		{ "048-session-destroy", true },
		{ "049-session-create-bad-ttl", true },
		{ "050-session-create-missing-check", false },
		{ "051-kv-lock-bad-session", true },
		{ "052-txn-apply-mixed", false },
		{ "053-txn-apply-failed", true },
		{ "054-txn-read", false },
		{ "060-prepared-query-create", false },
		{ "061-prepared-query-list", false },
		{ "062-prepared-query-execute", false },
		{ "063-prepared-query-execute-unknown", true },
		{ "064-prepared-query-explain", false },
		{ "055-event-fire", true },
		{ "056-coordinate-update", true },
		{ "057-coordinate-list-nodes", false },
		{ "066-internal-node-info", false },
		{ "067-internal-node-dump", false },
		{ "068-internal-service-dump", false },
		{ "069-internal-gateway-service-dump", true },
		{ "070-operator-server-health", false },
		{ "071-operator-raft-configuration", false },
		{ "072-operator-autopilot-configuration", false },
		{ "073-status-raft-stats", false },
		{ "075-config-entry-get-missing", false },
		{ "077-config-entry-resolve", false },
		{ "078-connect-ca-roots-disabled", true },
		{ "079-discovery-chain-disabled", true },
		{ "080-intention-list-empty", true },
		{ "085-error-unknown-datacenter", true },
		{ "087-error-register-no-address", true },
		{ "088-error-register-missing-service", true },
		{ "089-error-unknown-service", true },
		{ "095-catalog-node-services-unknown", true },
		{ "096-catalog-node-service-list-unknown", true },
		{ "011-deregister-node", true },
	};
	struct world w;
	size_t i;

	setup(&w, "");
	start(&w);
	for (i = 0; i < NELEM(v); i++)
		replay(&w, v[i].name, v[i].exact);
	teardown(&w);
}
END_TEST

#define DC1 "\xaa" "Datacenter\xa3" "dc1"
#define KIND "\xa4" "Kind"

/* What is not recorded, or not without a feature that nobody has here. */
START_TEST(features_that_nobody_has_answer_with_nothing)
{
	static const struct {
		const char *method, *body, *has, *error;
	} t[] = {
		{ "Intention.Match", "\x82" DC1 "\xa5Match\x81\xa7" "Entries"
		    "\x92\x81\xa4Name\xa3web\x81\xa4Name\xa2" "db",
		    "\xa7Matches\x92\xc0\xc0", NULL },
		{ "Intention.Check", "\x81" DC1, "\x81\xa7" "Allowed\xc3",
		    NULL },
		{ "Intention.Get", "\x82" DC1 "\xabIntentionID\xa1x", NULL,
		    "failed intention lookup: index error: UUID must be 36 "
		    "characters" },
		{ "Intention.Get", "\x82" DC1 "\xabIntentionID\xd9\x24"
		    "11111111-2222-4333-8444-555555555555", NULL,
		    "Intention not found" },
		{ "Intention.Apply", "\x81" DC1, NULL,
		    "disco's servers do not have intentions" },
		/* Inside a raw string: how many, the kind, then the rest. */
		{ "ConfigEntry.List", "\x82" DC1 KIND "\xb0service-defaults",
		    "\x00\xb0service-defaults\x86", NULL },
		{ "ConfigEntry.List", "\x82" DC1 KIND "\xa7nothing", NULL,
		    "invalid config entry kind: nothing" },
		{ "ConfigEntry.ListAll", "\x81" DC1, "\x00\x85", NULL },
		{ "ConfigEntry.Get", "\x82" DC1 KIND "\xb0service-defaults",
		    "\xa0\x84", NULL },
		{ "ConfigEntry.Apply", "\xa0", NULL,
		    "disco's servers do not have configuration entries" },
		{ "FederationState.List", "\x81" DC1, "\xa6States\x90",
		    NULL },
		{ "FederationState.Get", "\x81" DC1, "\xa5State\xc0", NULL },
		{ "FederationState.ListMeshGateways", "\x81" DC1,
		    "\xaf" "DatacenterNodes\x80", NULL },
		{ "ACL.TokenRead", "\x81" DC1, NULL, "ACL support disabled" },
		{ "ConnectCA.SignIntermediate", "\x81" DC1, NULL, "Connect "
		    "must be enabled in order to use this endpoint" },
	};
	size_t i, n;
	struct world w;
	struct answer a;

	setup(&w, "");
	start(&w);
	for (i = 0; i < NELEM(t); i++) {
		begin(&w, t[i].method, t[i].body, strlen(t[i].body), &a);
		await(&w, &a);
		ck_assert_msg(strcmp(str_or(a.error, ""),
		    str_or(t[i].error, "")) == 0, "%s: %s", t[i].method,
		    a.error);
		if (t[i].has != NULL) {
			/* A zero byte in front is part of it. */
			n = t[i].has[0] != '\0' ? strlen(t[i].has) :
			    1 + strlen(t[i].has + 1);
			ck_assert_msg(memmem(a.body, a.len, t[i].has, n) !=
			    NULL, "%s", t[i].method);
		}
		answer_clear(&a);
	}
	teardown(&w);
}
END_TEST

/* As recorded, but for the indexes and what is in the rows' order of maps. */
START_TEST(rows_come_back_as_they_were_registered)
{
	struct register_request q;
	struct indexed_node_service_list a, b;
	struct node_request nq;
	struct answer ans;
	struct world w;
	uint8_t *p, *r;
	const uint8_t *body;
	size_t len, rlen, blen;
	char m[128], e[8];
	const char *err;

	setup(&w, "");
	start(&w);
	replay(&w, "003-ae-register-node", true);
	replay(&w, "004-register-service-2-checks", true);
	p = vector("004-register-service-2-checks", "req", &len);
	body = split(p, len, true, m, sizeof(m), e, sizeof(e), &blen);
	ck_assert_int_eq(schema_decode_all(&register_request_schema, body,
	    blen, &q, &err), 0);
	memset(&nq, 0, sizeof(nq));
	nq.datacenter = DC;
	nq.node = q.node;
	call_schema(&w, "Catalog.NodeServiceList", &node_request_schema, &nq,
	    &ans);
	decode(&ans, &indexed_node_service_list_schema, &a);
	ck_assert_uint_eq(a.node_services.services.n, 1);
	r = vector("012-ae-node-service-list-populated", "resp", &rlen);
	body = split(r, rlen, false, m, 1, e, sizeof(e), &blen);
	ck_assert_int_eq(schema_decode_all(&indexed_node_service_list_schema,
	    body, blen, &b, &err), 0);
	ck_assert_uint_eq(b.node_services.services.n, 1);
	b.node_services.services.item[0].create_index =
	    a.node_services.services.item[0].create_index;
	b.node_services.services.item[0].modify_index =
	    a.node_services.services.item[0].modify_index;
	ck_assert(schema_equal(&node_service_schema,
	    &a.node_services.services.item[0],
	    &b.node_services.services.item[0]));
	b.node_services.node->create_index =
	    a.node_services.node->create_index;
	b.node_services.node->modify_index =
	    a.node_services.node->modify_index;
	ck_assert(schema_equal(&node_schema, a.node_services.node,
	    b.node_services.node));
	schema_clear(&indexed_node_service_list_schema, &a);
	schema_clear(&indexed_node_service_list_schema, &b);
	schema_clear(&register_request_schema, &q);
	free(p);
	free(r);
	teardown(&w);
}
END_TEST

/* ---- disk ---- */

static void
make_dir(char *dir, size_t len)
{
	snprintf(dir, len, "/tmp/disco-server-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
remove_dir(const char *dir)
{
	struct dirent *de;
	char path[512];
	DIR *d;

	snprintf(path, sizeof(path), "%s/raft", dir);
	if ((d = opendir(path)) == NULL)
		return;
	while ((de = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/raft/%s", dir, de->d_name);
		unlink(path);
	}
	closedir(d);
	snprintf(path, sizeof(path), "%s/raft", dir);
	rmdir(path);
	rmdir(dir);
}

/* What a node says of itself is on its way while gossip tells of it. */
START_TEST(member_is_registered_without_loss_of_what_it_said)
{
	struct indexed_check_service_nodes n;
	struct node_service svc;
	struct register_request q = node_request("node2", "10.77.0.2");
	struct answer a;
	struct world w;
	struct wbuf b;
	char dir[64], status[32];

	make_dir(dir, sizeof(dir));
	setup(&w, dir);
	start(&w);
	server_members_begin(w.srv);
	server_members_end(w.srv);
	run_for(&w, 20);
	memset(&svc, 0, sizeof(svc));
	strmap_put(&q.node_meta, "rack", "r1");
	strmap_put(&q.tagged_addresses, "lan", "10.77.0.2");
	svc.id = svc.service = S("web");
	q.service = &svc;
	wb_init(&b, 0);
	schema_encode(&register_request_schema, &q, &b);
	strmap_clear(&q.node_meta);
	strmap_clear(&q.tagged_addresses);
	begin(&w, "Catalog.Register", b.p, b.len, &a);
	run_for(&w, 0);
	tell(&w, "node2", "10.77.0.2", MEMBER_ALIVE, "node");
	if (!a.there)
		await(&w, &a);
	ck_assert_ptr_null(a.error);
	answer_clear(&a);
	wb_free(&b);
	run_for(&w, 20);
	serf_health(&w, "node2", status, sizeof(status));
	ck_assert_str_eq(status, "passing");
	service_nodes(&w, "web", &n);
	ck_assert_uint_eq(n.nodes.n, 1);
	ck_assert_str_eq(str_or(strmap_get(&n.nodes.item[0].node.meta, "rack"),
	    ""), "r1");
	ck_assert_str_eq(str_or(strmap_get(
	    &n.nodes.item[0].node.tagged_addresses, "lan"), ""), "10.77.0.2");
	schema_clear(&indexed_check_service_nodes_schema, &n);
	teardown(&w);
	remove_dir(dir);
}
END_TEST

START_TEST(restart_brings_everything_back)
{
	struct indexed_check_service_nodes n;
	struct indexed_nodes a, b;
	struct world w;
	char dir[64];

	make_dir(dir, sizeof(dir));
	setup(&w, dir);
	start(&w);
	put_node(&w, "n1", "10.0.0.1");
	put_service(&w, "n1", "web1", "web", "v1");
	put_check(&w, "n1", "c", "web1", "passing");
	put_node(&w, "n2", "10.0.0.2");
	drop_node(&w, "n2");
	list_nodes(&w, &a);
	server_free(w.srv);
	w.names[0] = '\0';
	start(&w);
	list_nodes(&w, &b);
	ck_assert_uint_eq(a.index, b.index);
	ck_assert(schema_equal(&indexed_nodes_schema, &a, &b));
	schema_clear(&indexed_nodes_schema, &a);
	schema_clear(&indexed_nodes_schema, &b);
	service_nodes(&w, "web", &n);
	ck_assert_uint_eq(n.nodes.n, 1);
	ck_assert_uint_eq(n.nodes.item[0].checks.n, 1);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	put_node(&w, "n3", "10.0.0.3");
	ck_assert_uint_eq(count_nodes(&w), 2);
	teardown(&w);
	remove_dir(dir);
}
END_TEST

/* Writes nodes w0, w1 ... and says on a pipe which one is acknowledged. */
static void
writer(const char *dir, int fd)
{
	struct world w;
	char name[32];
	uint32_t i;

	setup(&w, dir);
	start(&w);
	for (i = 0;; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		put_node(&w, name, "10.0.0.1");
		if (write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

START_TEST(kill_loses_nothing_acknowledged)
{
	uint32_t last, got;
	struct world w;
	int fds[2], round, status;
	char dir[64];
	pid_t pid;

	make_dir(dir, sizeof(dir));
	for (round = 0; round < 3; round++) {
		ck_assert_int_eq(pipe(fds), 0);
		if ((pid = fork()) == 0) {
			close(fds[0]);
			writer(dir, fds[1]);
		}
		close(fds[1]);
		last = 0;
		while (last < 40 + 20 * (unsigned)round &&
		    read(fds[0], &got, sizeof(got)) == sizeof(got))
			last = got;
		kill(pid, SIGKILL);
		/* What it still said before it died counts as well. */
		while (read(fds[0], &got, sizeof(got)) == sizeof(got))
			last = got;
		close(fds[0]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		ck_assert_uint_ge(last, 40);
		setup(&w, dir);
		start(&w);
		ck_assert_uint_ge(count_nodes(&w), last + 1);
		teardown(&w);
	}
	remove_dir(dir);
}
END_TEST

START_TEST(damaged_log_refuses_to_start_with_a_remedy)
{
	struct server_env env = { .fire = on_fire, .name = on_name,
	    .names = on_names, .refuse = on_refuse };
	char dir[64], path[128], err[512] = "";
	struct world w;
	uint8_t b;
	int fd, i;

	make_dir(dir, sizeof(dir));
	setup(&w, dir);
	start(&w);
	for (i = 0; i < 20; i++)
		put_node(&w, i % 2 ? "a" : "b", i % 3 ? "10.0.0.1" : "10.0.0.2");
	server_free(w.srv);
	snprintf(path, sizeof(path), "%s/raft/log-%016x", dir, 1);
	ck_assert_int_ge(fd = open(path, O_RDWR), 0);
	ck_assert_int_eq(pread(fd, &b, 1, 300), 1);
	b ^= 0x10;
	ck_assert_int_eq(pwrite(fd, &b, 1, 300), 1);
	close(fd);
	w.srv = server_new(w.ev, &w.agent, &w.conf, dir, &env);
	ck_assert_int_eq(server_start(w.srv, err, sizeof(err)), -1);
	ck_assert_ptr_nonnull(strstr(err, path));
	ck_assert_ptr_nonnull(strstr(err, "mv "));
	teardown(&w);
	remove_dir(dir);
}
END_TEST

int
main(void)
{
	const TTest *tests[] = {
		single_server_leads_at_once,
		without_a_leader_calls_are_held_then_refused,
		leaving_server_answers_no_leader_at_once,
		register_errors_have_their_texts,
		unknown_methods_have_their_words,
		bodies_that_do_not_decode_are_refused,
		what_is_no_filter_is_refused_where_filters_are_obeyed,
		registered_service_is_found_with_its_checks,
		index_is_never_zero,
		tags_filter_only_when_told_to,
		services_are_listed_with_the_union_of_their_tags,
		coordinate_updates_are_checked_and_written_in_batches,
		near_sorts_by_distance_and_the_unknown_last,
		event_is_fired_under_its_name,
		blocked_read_wakes_for_its_service_and_sleeps_for_others,
		many_who_ask_the_same_are_answered_the_same_others_their_own,
		blocked_read_of_a_vanishing_service_wakes,
		blocked_read_ends_with_its_time_and_what_there_is,
		lower_index_answers_at_once,
		cancelled_calls_are_silent,
		members_are_registered_marked_and_removed,
		member_is_registered_without_loss_of_what_it_said,
		nodes_that_gossip_forgot_count_as_failed_external_ones_stay,
		a_gossipd_that_forgot_the_dead_costs_no_registration,
		member_known_to_be_well_is_not_written_again,
		consul_server_in_our_datacenter_is_refused,
		recorded_requests_get_the_recorded_answers,
		features_that_nobody_has_answer_with_nothing,
		rows_come_back_as_they_were_registered,
		restart_brings_everything_back,
		kill_loses_nothing_acknowledged,
		damaged_log_refuses_to_start_with_a_remedy,
	};
	Suite *suite = suite_create("catalogd_server");
	TCase *tc = tcase_create("server");
	SRunner *sr;
	size_t i;
	int failed;

	/* Coordinates are written every five seconds. */
	tcase_set_timeout(tc, 30);
	for (i = 0; i < NELEM(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

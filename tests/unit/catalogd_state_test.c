/*
 * Keys, sessions, transactions and prepared queries through the server half:
 * what it judges before the log, what time does, whom a write wakes.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/server.h"
#include "common/log.h"
#include "common/mp.h"
#include "common/schema/state.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define LIMIT_MS 10000
#define MANY 10000
#define S(x) (char *)(uintptr_t)(x)
#define DC S("dc1")
#define UNKNOWN "11111111-2222-4333-8444-555555555555"

struct world {
	struct ev		*ev;
	struct ev_timer		*limit;
	struct server		*srv;
	struct conf_agent	 agent;
	struct conf_catalog	 conf;
	size_t			 nanswers;
};

struct answer {
	struct world	*w;
	bool		 there;
	char		*error;
	struct wbuf	 body;
};

static bool
on_fire(const char *name, const void *p, size_t n, void *arg)
{
	(void)name;
	(void)p;
	(void)n;
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
	struct world *w = arg;

	ev_stop(w->ev);
}

static void
setup(struct world *w)
{
	struct server_env env = { .fire = on_fire, .name = on_name,
	    .names = on_names, .refuse = on_refuse };
	char err[512];

	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	w->limit = ev_timer_new(w->ev, on_limit, w);
	w->agent.node_name = xstrdup("node1");
	w->agent.node_id = xstrdup("11111111-1111-4111-8111-111111111111");
	w->agent.datacenter = xstrdup("dc1");
	w->agent.advertise_addr = xstrdup("10.77.0.1");
	w->agent.port_rpc = 8300;
	w->agent.bootstrap = w->agent.server = true;
	w->conf.session_ttl_min = NS_PER_MS;
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
}

static void
run_for(struct world *w, uint64_t ms)
{
	uint64_t end = ev_hrtime() / 1000000 + ms, now;

	while ((now = ev_hrtime() / 1000000) < end) {
		ev_timer_set(w->limit, end - now);
		ev_run(w->ev);
	}
}

/* ---- calls ---- */

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct answer *a = arg;

	ck_assert(!a->there);
	ck_assert(status == CALL_OK || status == CALL_ERROR);
	a->there = true;
	a->w->nanswers++;
	a->error = xstrdup(error);
	wb_bytes(&a->body, body, len);
	ev_stop(a->w->ev);
}

static struct server_call *
begin(struct world *w, const char *method, struct schema *s, const void *req,
    struct answer *a)
{
	struct server_call *c;
	struct msg_call mc;
	struct wbuf b;

	memset(a, 0, sizeof(*a));
	a->w = w;
	wb_init(&a->body, 0);
	memset(&mc, 0, sizeof(mc));
	mc.method = S(method);
	wb_init(&b, 0);
	schema_encode(s, req, &b);
	c = server_call(w->srv, &mc, b.p, b.len, on_answer, a);
	wb_free(&b);
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
	wb_free(&a->body);
}

/* A good answer's body. */
static void
ask(struct world *w, const char *method, struct schema *s, const void *req,
    struct schema *as, void *out)
{
	struct answer a;
	const char *err = "";

	begin(w, method, s, req, &a);
	await(w, &a);
	ck_assert_msg(a.error == NULL, "%s: %s", method, a.error);
	ck_assert_msg(schema_decode_all(as, a.body.p, a.body.len, out,
	    &err) == 0, "%s: %s", method, err);
	answer_clear(&a);
}

static void
ck_error(struct world *w, const char *method, struct schema *s,
    const void *req, const char *want)
{
	struct answer a;

	begin(w, method, s, req, &a);
	await(w, &a);
	ck_assert_pstr_eq(a.error, want);
	answer_clear(&a);
}

/* ---- short hands ---- */

static bool
kv(struct world *w, const char *op, const char *key, const char *value,
    const char *session)
{
	struct kvs_request r;
	struct answer a;
	struct rbuf rb;
	bool done;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.op = S(op);
	r.entry.key = S(key);
	r.entry.session = S(session);
	r.entry.value.p = (uint8_t *)S(value);
	r.entry.value.n = strlen(value);
	begin(w, "KVS.Apply", &kvs_request_schema, &r, &a);
	await(w, &a);
	ck_assert_msg(a.error == NULL, "%s", a.error);
	rb_init(&rb, a.body.p, a.body.len);
	done = mp_get_bool(&rb);
	ck_assert(rb_done(&rb));
	answer_clear(&a);
	return done;
}

static struct server_call *
watch(struct world *w, const char *method, const char *key, uint64_t index,
    struct answer *a)
{
	struct key_request r;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.key = S(key);
	r.min_query_index = index;
	r.max_query_time = 600 * NS_PER_S;
	return begin(w, method, &key_request_schema, &r, a);
}

static uint64_t
index_of(struct world *w, const char *method, const char *key)
{
	struct indexed_dir_entries e;
	struct key_request r;
	uint64_t index;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.key = S(key);
	ask(w, method, &key_request_schema, &r, &indexed_dir_entries_schema,
	    &e);
	index = e.index;
	schema_clear(&indexed_dir_entries_schema, &e);
	return index;
}

static void
put_node(struct world *w, const char *node, const char *service,
    const char *tag, const char *status)
{
	struct register_request r;
	struct node_service s;
	struct health_check c;
	struct empty none;

	memset(&r, 0, sizeof(r));
	memset(&s, 0, sizeof(s));
	memset(&c, 0, sizeof(c));
	r.datacenter = DC;
	r.node = S(node);
	r.address = S("10.0.0.1");
	if (service != NULL) {
		s.id = s.service = S(service);
		strs_add(&s.tags, tag);
		r.service = &s;
		c.service_id = S(service);
	}
	c.check_id = S("c");
	c.status = S(status);
	r.check = &c;
	ask(w, "Catalog.Register", &register_request_schema, &r, &empty_schema,
	    &none);
	strs_clear(&s.tags);
}

static char *
session(struct world *w, const char *ttl, int64_t delay_ms)
{
	struct session_request r;
	struct answer a;
	struct rbuf rb;
	const uint8_t *id;
	char *text;
	size_t n;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.op = S("create");
	r.session.node = S("n1");
	r.session.ttl = S(ttl);
	r.session.lock_delay = delay_ms * NS_PER_MS;
	begin(w, "Session.Apply", &session_request_schema, &r, &a);
	await(w, &a);
	ck_assert_msg(a.error == NULL, "%s", a.error);
	rb_init(&rb, a.body.p, a.body.len);
	id = mp_get_raw(&rb, &n);
	ck_assert_uint_eq(n, 36);
	text = xmemdup_str(id, n);
	answer_clear(&a);
	return text;
}

static size_t
sessions(struct world *w, const char *method, const char *id)
{
	struct session_id_request r;
	struct indexed_sessions out;
	size_t n;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.session_id = S(id);
	ask(w, method, &session_id_request_schema, &r,
	    &indexed_sessions_schema, &out);
	n = out.sessions.n;
	schema_clear(&indexed_sessions_schema, &out);
	return n;
}

/* ---- keys: whom a write wakes ---- */

START_TEST(write_wakes_its_key_and_the_prefixes_above)
{
	static const struct { const char *method, *key; bool woken; } who[] = {
		{ "KVS.Get", "a/b/c", true },
		{ "KVS.List", "a/b/c", true },
		{ "KVS.List", "a/b/", true },
		{ "KVS.List", "a", true },
		{ "KVS.List", "", true },
		{ "KVS.List", "a/c", false },
		{ "KVS.List", "a/b/cc", false },
		{ "KVS.List", "b", false },
		{ "KVS.Get", "a/b", false },
		{ "KVS.Get", "b", false },
	};
	struct answer a[NELEM(who)];
	struct world w;
	size_t i;

	setup(&w);
	kv(&w, "set", "a/b", "1", "");
	kv(&w, "set", "a/c1", "1", "");
	kv(&w, "set", "b", "1", "");
	kv(&w, "set", "a/b/cc", "1", "");
	kv(&w, "set", "a/b/c", "1", "");
	for (i = 0; i < NELEM(who); i++)
		watch(&w, who[i].method, who[i].key,
		    index_of(&w, who[i].method, who[i].key), &a[i]);
	run_for(&w, 20);
	for (i = 0; i < NELEM(who); i++)
		ck_assert(!a[i].there);
	kv(&w, "set", "a/b/c", "1", "");	/* the same */
	run_for(&w, 20);
	for (i = 0; i < NELEM(who); i++)
		ck_assert(!a[i].there);
	kv(&w, "set", "a/b/c", "2", "");
	run_for(&w, 50);
	for (i = 0; i < NELEM(who); i++)
		ck_assert_msg(a[i].there == who[i].woken, "%s %s",
		    who[i].method, who[i].key);
	/* All below a tree that goes, and those above it. */
	kv(&w, "delete-tree", "a/", "", "");
	run_for(&w, 50);
	for (i = 0; i < NELEM(who); i++) {
		ck_assert_msg(a[i].there == (who[i].key[0] != 'b'), "%s %s",
		    who[i].method, who[i].key);
		answer_clear(&a[i]);
	}
	server_free(w.srv);
	w.srv = NULL;
	teardown(&w);
}
END_TEST

START_TEST(missing_key_waits_for_its_neighbourhood)
{
	struct answer a;
	struct world w;

	setup(&w);
	kv(&w, "set", "other/x", "1", "");
	kv(&w, "set", "blk/y", "1", "");
	watch(&w, "KVS.Get", "blk/missing", index_of(&w, "KVS.Get",
	    "blk/missing"), &a);
	kv(&w, "set", "other/x", "2", "");
	run_for(&w, 20);
	ck_assert(!a.there);
	kv(&w, "set", "blk/missing", "1", "");
	await(&w, &a);
	answer_clear(&a);
	/* Deleted: it goes on waiting, now for a key that is not there. */
	watch(&w, "KVS.Get", "blk/missing", 1000, &a);
	run_for(&w, 10);
	kv(&w, "delete", "blk/missing", "", "");
	run_for(&w, 20);
	ck_assert(!a.there);
	server_free(w.srv);
	w.srv = NULL;
	answer_clear(&a);
	teardown(&w);
}
END_TEST

START_TEST(ten_thousand_wait_and_one_is_woken)
{
	struct answer *a = xcalloc(MANY, sizeof(*a));
	struct mallinfo2 before, after;
	struct world w;
	uint64_t start, one;
	char key[32];
	size_t i;

	setup(&w);
	kv(&w, "set", "k/1", "1", "");
	before = mallinfo2();
	for (i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "k/%zu/", i);
		watch(&w, "KVS.List", key, 1000, &a[i]);
	}
	run_for(&w, 50);
	after = mallinfo2();
	kv(&w, "set", "none/x", "1", "");
	start = ev_hrtime();
	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "none/%zu", i);
		kv(&w, "set", key, "1", "");
	}
	one = (ev_hrtime() - start) / 100;
	ck_assert_uint_eq(w.nanswers, 102);
	printf("# %d wait: %zu bytes each; a write beside them %llu us\n",
	    MANY, (after.uordblks - before.uordblks) / MANY,
	    (unsigned long long)one / 1000);
	/* A write that looked at all of them would take longer. */
	ck_assert_uint_lt(one, 2 * NS_PER_MS);
	server_free(w.srv);
	w.srv = NULL;
	for (i = 0; i < MANY; i++)
		answer_clear(&a[i]);
	free(a);
	teardown(&w);
}
END_TEST

START_TEST(keys_are_listed_up_to_the_separator)
{
	struct key_list_request r;
	struct indexed_keys out;
	struct world w;

	setup(&w);
	kv(&w, "set", "foo/bar", "1", "");
	kv(&w, "set", "foo/bin", "1", "");
	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.prefix = S("foo");
	r.separator = S("/");
	ask(&w, "KVS.ListKeys", &key_list_request_schema, &r,
	    &indexed_keys_schema, &out);
	ck_assert_uint_eq(out.keys.n, 1);
	ck_assert_str_eq(out.keys.item[0], "foo/");
	ck_assert(out.known_leader);
	schema_clear(&indexed_keys_schema, &out);
	r.prefix = S("none");
	ask(&w, "KVS.ListKeys", &key_list_request_schema, &r,
	    &indexed_keys_schema, &out);
	ck_assert(!out.keys.set);
	schema_clear(&indexed_keys_schema, &out);
	teardown(&w);
}
END_TEST

/* ---- sessions ---- */

START_TEST(session_errors_have_their_texts)
{
	struct session_id_request id;
	struct session_request r;
	struct world w;
#define CK_SESSION(want)						\
	ck_error(&w, "Session.Apply", &session_request_schema, &r, want)

	setup(&w);
	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.op = S("create");
	CK_SESSION("Must provide Node");
	r.session.node = S("n1");
	CK_SESSION("Missing node registration");
	put_node(&w, "n1", NULL, NULL, "passing");
	r.session.behavior = S("explode");
	CK_SESSION("Invalid Behavior setting 'explode'");
	r.session.behavior = NULL;
	r.session.ttl = S("abc");
	CK_SESSION("Session TTL 'abc' invalid: time: invalid duration \"abc\"");
	r.session.ttl = S("86401s");
	CK_SESSION("Invalid Session TTL '86401000000000', must be between "
	    "[1ms=24h0m0s]");
	r.session.ttl = NULL;
	r.op = S("destroy");
	CK_SESSION("Must provide ID");
	r.session.id = S("abc");
	CK_SESSION("failed session lookup: index error: UUID must be 36 "
	    "characters");
	r.session.id = S(UNKNOWN);
	CK_SESSION(NULL);
	memset(&id, 0, sizeof(id));
	id.datacenter = DC;
	id.session = S("abc");
	ck_error(&w, "Session.Get", &session_id_request_schema, &id,
	    "failed session lookup: index error: UUID must be 36 characters");
	ck_assert_uint_eq(sessions(&w, "Session.Get", UNKNOWN), 0);
	ck_assert_uint_eq(sessions(&w, "Session.Renew", UNKNOWN), 0);
	teardown(&w);
}
END_TEST

START_TEST(session_lives_twice_its_ttl_unless_renewed)
{
	struct world w;
	char *id;
	int i;

	setup(&w);
	put_node(&w, "n1", NULL, NULL, "passing");
	id = session(&w, "200ms", 0);
	ck_assert(kv(&w, "lock", "l", "1", id));
	for (i = 0; i < 4; i++) {
		run_for(&w, 150);
		ck_assert_uint_eq(sessions(&w, "Session.Renew", id), 1);
	}
	run_for(&w, 250);
	ck_assert_uint_eq(sessions(&w, "Session.Get", id), 1);
	run_for(&w, 300);
	ck_assert_uint_eq(sessions(&w, "Session.Get", id), 0);
	ck_assert_uint_eq(sessions(&w, "Session.List", NULL), 0);
	free(id);
	teardown(&w);
}
END_TEST

START_TEST(lock_delay_keeps_others_off_for_its_time)
{
	struct session_request r;
	struct txn_request t;
	struct txn_response out;
	struct txn_kv k;
	struct txn_op op;
	struct world w;
	char *one, *two;

	setup(&w);
	put_node(&w, "n1", NULL, NULL, "passing");
	one = session(&w, NULL, 300);
	two = session(&w, NULL, 0);
	ck_assert(kv(&w, "lock", "l", "1", one));
	/* Let go by the holder, there is no delay. */
	ck_assert(kv(&w, "unlock", "l", "1", one));
	ck_assert(kv(&w, "lock", "l", "2", two));
	ck_assert(kv(&w, "unlock", "l", "2", two));
	ck_assert(kv(&w, "lock", "l", "1", one));
	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.op = S("destroy");
	r.session.id = one;
	ck_error(&w, "Session.Apply", &session_request_schema, &r, NULL);
	ck_assert(!kv(&w, "lock", "l", "2", two));
	ck_assert(kv(&w, "lock", "l2", "2", two));
	memset(&t, 0, sizeof(t));
	memset(&op, 0, sizeof(op));
	memset(&k, 0, sizeof(k));
	t.datacenter = DC;
	t.ops.item = &op;
	t.ops.n = 1;
	op.kv = &k;
	k.verb = S("lock");
	k.entry.key = S("l");
	k.entry.session = two;
	ask(&w, "Txn.Apply", &txn_request_schema, &t, &txn_response_schema,
	    &out);
	ck_assert_str_eq(out.errors.item[0].what,
	    "failed to lock key \"l\" due to lock delay");
	schema_clear(&txn_response_schema, &out);
	run_for(&w, 350);
	ck_assert(kv(&w, "lock", "l", "2", two));
	free(one);
	free(two);
	teardown(&w);
}
END_TEST

/* The end of the holder's session is still on its way to the log. */
START_TEST(lock_delay_keeps_off_who_asks_at_the_same_time)
{
	struct session_request r;
	struct kvs_request k;
	struct answer a, b;
	struct rbuf rb;
	struct world w;
	char *one, *two;

	setup(&w);
	put_node(&w, "n1", NULL, NULL, "passing");
	one = session(&w, NULL, 300);
	two = session(&w, NULL, 0);
	ck_assert(kv(&w, "lock", "l", "1", one));
	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.op = S("destroy");
	r.session.id = one;
	memset(&k, 0, sizeof(k));
	k.datacenter = DC;
	k.op = S("lock");
	k.entry.key = S("l");
	k.entry.session = two;
	begin(&w, "Session.Apply", &session_request_schema, &r, &a);
	begin(&w, "KVS.Apply", &kvs_request_schema, &k, &b);
	await(&w, &a);
	await(&w, &b);
	ck_assert(a.error == NULL && b.error == NULL);
	rb_init(&rb, b.body.p, b.body.len);
	ck_assert(!mp_get_bool(&rb));
	answer_clear(&a);
	answer_clear(&b);
	ck_assert(!kv(&w, "lock", "l", "2", two));
	run_for(&w, 350);
	ck_assert(kv(&w, "lock", "l", "2", two));
	free(one);
	free(two);
	teardown(&w);
}
END_TEST

/* The same with a transaction, unless it frees the key itself. */
START_TEST(lock_delay_keeps_off_transactions_at_the_same_time)
{
	struct session_request r;
	struct txn_request t;
	struct txn_response out;
	struct txn_kv k[2];
	struct txn_op ops[2];
	struct answer a, b;
	struct world w;
	char *one, *two;

	setup(&w);
	put_node(&w, "n1", NULL, NULL, "passing");
	one = session(&w, NULL, 300);
	two = session(&w, NULL, 0);
	ck_assert(kv(&w, "lock", "l", "1", one));
	memset(&t, 0, sizeof(t));
	memset(ops, 0, sizeof(ops));
	memset(k, 0, sizeof(k));
	t.datacenter = DC;
	t.ops.item = ops;
	t.ops.n = 2;
	ops[0].kv = &k[0];
	ops[1].kv = &k[1];
	k[0].verb = S("unlock");
	k[0].entry.key = S("l");
	k[0].entry.session = one;
	k[1].verb = S("lock");
	k[1].entry.key = S("l");
	k[1].entry.session = two;
	ask(&w, "Txn.Apply", &txn_request_schema, &t, &txn_response_schema,
	    &out);
	ck_assert_uint_eq(out.errors.n, 0);
	schema_clear(&txn_response_schema, &out);
	ck_assert(kv(&w, "unlock", "l", "1", two));
	ck_assert(kv(&w, "lock", "l", "1", one));

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.op = S("destroy");
	r.session.id = one;
	t.ops.item = &ops[1];
	t.ops.n = 1;
	begin(&w, "Session.Apply", &session_request_schema, &r, &a);
	begin(&w, "Txn.Apply", &txn_request_schema, &t, &b);
	await(&w, &a);
	await(&w, &b);
	ck_assert(a.error == NULL && b.error == NULL);
	ck_assert(!kv(&w, "lock", "l", "2", two));	/* nor had it */
	answer_clear(&a);
	answer_clear(&b);
	free(one);
	free(two);
	teardown(&w);
}
END_TEST

/* ---- transactions ---- */

START_TEST(transactions_are_judged_before_the_log)
{
	struct txn_read_request rd;
	struct txn_read_response got;
	struct txn_request t;
	struct txn_response out;
	struct txn_op ops[3];
	struct txn_service svc;
	struct service_weights none;
	struct txn_node n;
	struct txn_kv k;
	struct world w;

	setup(&w);
	memset(&t, 0, sizeof(t));
	memset(ops, 0, sizeof(ops));
	memset(&svc, 0, sizeof(svc));
	memset(&n, 0, sizeof(n));
	memset(&k, 0, sizeof(k));
	memset(&none, 0, sizeof(none));
	t.datacenter = DC;
	t.ops.item = ops;
	t.ops.n = 3;
	ops[0].kv = &k;
	ops[1].node = &n;
	ops[2].service = &svc;
	k.verb = n.verb = svc.verb = S("set");
	svc.service.id = S("ts");
	ask(&w, "Txn.Apply", &txn_request_schema, &t, &txn_response_schema,
	    &out);
	ck_assert_uint_eq(out.errors.n, 3);
	ck_assert_str_eq(out.errors.item[0].what, "Must provide key");
	ck_assert_str_eq(out.errors.item[1].what, "Must provide node");
	ck_assert_str_eq(out.errors.item[2].what,
	    "Must provide service name with ID");
	schema_clear(&txn_response_schema, &out);

	k.entry.key = S("t/a");
	n.node.node = svc.node = S("tn");
	n.node.address = S("1.2.3.4");
	svc.service.service = S("ts");
	svc.service.weights = &none;
	ask(&w, "Txn.Apply", &txn_request_schema, &t, &txn_response_schema,
	    &out);
	ck_assert_uint_eq(out.results.n, 3);
	ck_assert_str_eq(out.results.item[1].node->datacenter, "dc1");
	ck_assert_int_eq(out.results.item[2].service->weights->passing, 1);
	schema_clear(&txn_response_schema, &out);

	memset(&rd, 0, sizeof(rd));
	rd.datacenter = DC;
	rd.ops = t.ops;
	k.verb = n.verb = svc.verb = S("get");
	ask(&w, "Txn.Read", &txn_read_request_schema, &rd,
	    &txn_read_response_schema, &got);
	ck_assert_uint_eq(got.results.n, 3);
	ck_assert_uint_eq(got.index, 0);
	ck_assert(got.known_leader);
	schema_clear(&txn_read_response_schema, &got);
	teardown(&w);
}
END_TEST

/* ---- prepared queries ---- */

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
	await(w, &a);
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

	setup(&w);
	put_node(&w, "n1", "api", "v1", "passing");
	put_node(&w, "n2", "api", "v2", "warning");
	put_node(&w, "n3", "api", "v1", "critical");
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
	teardown(&w);
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

	setup(&w);
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
	teardown(&w);
}
END_TEST

UNIT_MAIN("catalogd_state", write_wakes_its_key_and_the_prefixes_above,
    missing_key_waits_for_its_neighbourhood,
    ten_thousand_wait_and_one_is_woken, keys_are_listed_up_to_the_separator,
    session_errors_have_their_texts,
    session_lives_twice_its_ttl_unless_renewed,
    lock_delay_keeps_others_off_for_its_time,
    lock_delay_keeps_off_who_asks_at_the_same_time,
    lock_delay_keeps_off_transactions_at_the_same_time,
    transactions_are_judged_before_the_log,
    query_finds_what_is_healthy_and_fits, query_errors_have_their_texts)

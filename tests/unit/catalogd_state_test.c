/*
 * Keys, sessions and transactions through the server half: what it judges
 * before the log, what time does, whom a write wakes.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mp.h"
#include "common/util.h"
#include "tests/unit/catalogd_world.h"

#define MANY 10000
#define UNKNOWN "11111111-2222-4333-8444-555555555555"

/* Sessions may end soon. */
static void
setup(struct world *w)
{
	world_init(w, "");
	w->conf.session_ttl_min = NS_PER_MS;
	world_start(w);
}

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
	await(&a);
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
	await(&a);
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
	world_run(&w, 20);
	for (i = 0; i < NELEM(who); i++)
		ck_assert(!a[i].there);
	kv(&w, "set", "a/b/c", "1", "");	/* the same */
	world_run(&w, 20);
	for (i = 0; i < NELEM(who); i++)
		ck_assert(!a[i].there);
	kv(&w, "set", "a/b/c", "2", "");
	world_run(&w, 50);
	for (i = 0; i < NELEM(who); i++)
		ck_assert_msg(a[i].there == who[i].woken, "%s %s",
		    who[i].method, who[i].key);
	/* All below a tree that goes, and those above it. */
	kv(&w, "delete-tree", "a/", "", "");
	world_run(&w, 50);
	for (i = 0; i < NELEM(who); i++) {
		ck_assert_msg(a[i].there == (who[i].key[0] != 'b'), "%s %s",
		    who[i].method, who[i].key);
		answer_clear(&a[i]);
	}
	server_free(w.srv);
	w.srv = NULL;
	world_clear(&w);
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
	world_run(&w, 20);
	ck_assert(!a.there);
	kv(&w, "set", "blk/missing", "1", "");
	await(&a);
	answer_clear(&a);
	/* Deleted: it goes on waiting, now for a key that is not there. */
	watch(&w, "KVS.Get", "blk/missing", 1000, &a);
	world_run(&w, 10);
	kv(&w, "delete", "blk/missing", "", "");
	world_run(&w, 20);
	ck_assert(!a.there);
	server_free(w.srv);
	w.srv = NULL;
	answer_clear(&a);
	world_clear(&w);
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
	world_run(&w, 50);
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
	world_clear(&w);
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
	world_clear(&w);
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
	put_check(&w, "n1", "c", "", "passing");
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
	world_clear(&w);
}
END_TEST

START_TEST(session_lives_twice_its_ttl_unless_renewed)
{
	struct world w;
	char *id;
	int i;

	setup(&w);
	put_check(&w, "n1", "c", "", "passing");
	id = session(&w, "200ms", 0);
	ck_assert(kv(&w, "lock", "l", "1", id));
	for (i = 0; i < 4; i++) {
		world_run(&w, 150);
		ck_assert_uint_eq(sessions(&w, "Session.Renew", id), 1);
	}
	world_run(&w, 250);
	ck_assert_uint_eq(sessions(&w, "Session.Get", id), 1);
	world_run(&w, 300);
	ck_assert_uint_eq(sessions(&w, "Session.Get", id), 0);
	ck_assert_uint_eq(sessions(&w, "Session.List", NULL), 0);
	free(id);
	world_clear(&w);
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
	put_check(&w, "n1", "c", "", "passing");
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
	world_run(&w, 350);
	ck_assert(kv(&w, "lock", "l", "2", two));
	free(one);
	free(two);
	world_clear(&w);
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
	put_check(&w, "n1", "c", "", "passing");
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
	await(&a);
	await(&b);
	ck_assert(a.error == NULL && b.error == NULL);
	rb_init(&rb, b.body.p, b.body.len);
	ck_assert(!mp_get_bool(&rb));
	answer_clear(&a);
	answer_clear(&b);
	ck_assert(!kv(&w, "lock", "l", "2", two));
	world_run(&w, 350);
	ck_assert(kv(&w, "lock", "l", "2", two));
	free(one);
	free(two);
	world_clear(&w);
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
	put_check(&w, "n1", "c", "", "passing");
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
	await(&a);
	await(&b);
	ck_assert(a.error == NULL && b.error == NULL);
	ck_assert(!kv(&w, "lock", "l", "2", two));	/* nor had it */
	answer_clear(&a);
	answer_clear(&b);
	free(one);
	free(two);
	world_clear(&w);
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
	world_clear(&w);
}
END_TEST

UNIT_MAIN("catalogd_state",
    write_wakes_its_key_and_the_prefixes_above,
    missing_key_waits_for_its_neighbourhood,
    ten_thousand_wait_and_one_is_woken,
    keys_are_listed_up_to_the_separator,
    session_errors_have_their_texts,
    session_lives_twice_its_ttl_unless_renewed,
    lock_delay_keeps_others_off_for_its_time,
    lock_delay_keeps_off_who_asks_at_the_same_time,
    lock_delay_keeps_off_transactions_at_the_same_time,
    transactions_are_judged_before_the_log)

/*
 * Transactions: all of their operations or none, and in whose words.
 */
#include "tests/unit/catalogd_store_unit.h"

struct txn {
	struct txn_request	 req;
	struct txn_response	 out;
};

static struct txn_op *
op(struct txn *t)
{
	return VEC_ADD(&t->req.ops);
}

static void
op_kv(struct txn *t, const char *verb, const char *key, const char *value,
    const char *session, uint64_t index)
{
	struct txn_kv *k = xcalloc(1, sizeof(*k));

	k->verb = xstrdup(verb);
	k->entry.key = xstrdup(key);
	k->entry.session = xstrdup(session);
	k->entry.modify_index = index;
	if (value != NULL)
		bytes_set(&k->entry.value, value, strlen(value));
	op(t)->kv = k;
}

static void
op_node(struct txn *t, const char *verb, const char *node, uint64_t index)
{
	struct txn_node *n = xcalloc(1, sizeof(*n));

	n->verb = xstrdup(verb);
	n->node.node = xstrdup(node);
	n->node.address = xstrdup("10.9.9.9");
	n->node.modify_index = index;
	op(t)->node = n;
}

static void
op_service(struct txn *t, const char *verb, const char *node, const char *id,
    uint64_t index)
{
	struct txn_service *s = xcalloc(1, sizeof(*s));

	s->verb = xstrdup(verb);
	s->node = xstrdup(node);
	s->service.id = xstrdup(id);
	s->service.service = xstrdup(id);
	s->service.modify_index = index;
	op(t)->service = s;
}

static void
op_check(struct txn *t, const char *verb, const char *node, const char *id,
    const char *service, const char *status)
{
	struct txn_check *c = xcalloc(1, sizeof(*c));

	c->verb = xstrdup(verb);
	c->check.node = xstrdup(node);
	c->check.check_id = xstrdup(id);
	c->check.service_id = xstrdup(service);
	c->check.status = xstrdup(status);
	op(t)->check = c;
}

static bool
commit(struct fixture *f, struct txn *t)
{
	const char *err = "";
	struct wbuf w;

	wb_init(&w, 0);
	store_entry_txn(&w, &t->req);
	apply(f, &w);
	ck_assert_ptr_null(f->a.error);
	schema_clear(&txn_response_schema, &t->out);
	ck_assert_msg(schema_decode_all(&txn_response_schema, f->a.body.p,
	    f->a.body.len, &t->out, &err) == 0, "%s", err);
	schema_clear(&txn_request_schema, &t->req);
	ck_assert_int_eq(f->a.refused, t->out.errors.n > 0);
	ck_assert_int_eq(t->out.results.set, t->out.errors.n == 0);
	return !f->a.refused;
}

/* One operation that fails, with these words. */
static void
ck_fails(struct fixture *f, struct txn *t, const char *what)
{
	ck_assert(!commit(f, t));
	ck_assert_uint_eq(t->out.errors.n, 1);
	ck_assert_str_eq(t->out.errors.item[0].what, what);
}

START_TEST(sees_what_it_wrote_itself)
{
	struct fixture f;
	struct txn t;

	setup(&f);
	memset(&t, 0, sizeof(t));
	op_kv(&t, "set", "t/a", "1", NULL, 0);
	op_kv(&t, "get", "t/a", NULL, NULL, 0);
	op_node(&t, "set", "tn", 0);
	op_service(&t, "set", "tn", "ts", 0);
	op_check(&t, "set", "tn", "tc", "ts", "passing");
	op_kv(&t, "delete", "t/none", NULL, NULL, 0);
	op_kv(&t, "get-tree", "t/", NULL, NULL, 0);
	ck_assert(commit(&f, &t));
	ck_assert_uint_eq(t.out.results.n, 6);
	/* Writes come back without the value, reads with it. */
	ck_assert(!t.out.results.item[0].kv->value.set);
	ck_assert_uint_eq(t.out.results.item[1].kv->value.n, 1);
	ck_assert_uint_eq(t.out.results.item[1].kv->modify_index, 1);
	ck_assert_str_eq(t.out.results.item[2].node->node, "tn");
	ck_assert_str_eq(t.out.results.item[3].service->id, "ts");
	ck_assert_str_eq(t.out.results.item[4].check->service_name, "ts");
	ck_assert_uint_eq(t.out.results.item[5].kv->value.n, 1);
	ck_restored(&f);
	schema_clear(&txn_response_schema, &t.out);
	teardown(&f);
}
END_TEST

START_TEST(failure_leaves_everything_as_it_was)
{
	struct fixture f;
	struct wbuf before, after;
	struct txn t;

	setup(&f);
	memset(&t, 0, sizeof(t));
	put_service(&f, "n1", "web", "web");
	put_check(&f, "n1", "c", "web", "passing");
	session(&f, S1, "n1", "c", "delete", 5);
	kv(&f, "lock", "l", "1", S1, 0);
	set(&f, "t/a", "1");
	wb_init(&before, 0);
	wb_init(&after, 0);
	store_dump(f.s, &before);
	/* The end of the service ends its check, that the session, and that
	 * deletes the key. */
	op_service(&t, "delete", "n1", "web", 0);
	op_kv(&t, "check-not-exists", "l", NULL, NULL, 0);
	op_kv(&t, "delete-tree", "t/", NULL, NULL, 0);
	op_node(&t, "set", "n2", 0);
	op_kv(&t, "get", "t/a", NULL, NULL, 0);
	op_node(&t, "delete", "n1", 0);
	op_service(&t, "get", "n1", "web", 0);
	ck_assert(!commit(&f, &t));
	ck_assert_uint_eq(t.out.errors.n, 2);
	ck_assert_int_eq(t.out.errors.item[0].op_index, 4);
	ck_assert_str_eq(t.out.errors.item[0].what,
	    "key \"t/a\" doesn't exist");
	ck_assert_int_eq(t.out.errors.item[1].op_index, 6);
	ck_assert_str_eq(t.out.errors.item[1].what,
	    "service \"web\" on node \"n1\" doesn't exist");
	store_dump(f.s, &after);
	ck_assert_uint_eq(before.len, after.len);
	ck_assert_int_eq(memcmp(before.p, after.p, after.len), 0);
	wb_free(&before);
	wb_free(&after);
	/* Without the failing ones it goes through. */
	op_service(&t, "delete", "n1", "web", 0);
	op_kv(&t, "check-not-exists", "l", NULL, NULL, 0);
	op_kv(&t, "delete-tree", "t/", NULL, NULL, 0);
	ck_assert(commit(&f, &t));
	ck_assert_uint_eq(t.out.results.n, 0);
	ck_assert_ptr_null(store_session(f.s, S1));
	ck_assert_uint_eq(f.ch.ndelays, 1);
	ck_assert_uint_eq(store_count_keys(f.s), 0);
	schema_clear(&txn_response_schema, &t.out);
	teardown(&f);
}
END_TEST

static const struct {
	const char *verb, *key, *session;
	uint64_t index;
	const char *what;
} kv_failures[] = {
	{ "get", "no", NULL, 0, "key \"no\" doesn't exist" },
	{ "get-or-empty", "a", NULL, 0,
	    "unknown KV verb \"get-or-empty\"" },
	{ "check-index", "a", NULL, 7, "failed index check for key \"a\", "
	    "current modify index 2 != 7" },
	{ "check-index", "no", NULL, 7,
	    "failed to check index, key \"no\" doesn't exist" },
	{ "check-session", "a", S1, 0, "failed session check for key \"a\", "
	    "current session \"\" != \"" S1 "\"" },
	{ "check-session", "no", S1, 0,
	    "failed to check session, key \"no\" doesn't exist" },
	{ "check-not-exists", "a", NULL, 0, "key \"a\" exists" },
	{ "cas", "a", NULL, 1, "failed to set key \"a\", index is stale" },
	{ "lock", "a", S2, 0, "invalid session \"" S2 "\"" },
	{ "unlock", "a", S1, 0, "failed to unlock key \"a\", lock isn't held, "
	    "or is held by another session" },
	{ "delete-cas", "a", NULL, 1,
	    "failed to delete key \"a\", index is stale" },
	{ "set", "", NULL, 0, "Must provide key" },
};

START_TEST(keys_fail_in_the_words_of_consul)
{
	struct fixture f;
	struct txn t;
	size_t i;

	setup(&f);
	memset(&t, 0, sizeof(t));
	put_node(&f, "n1");
	set(&f, "a", "1");
	session(&f, S1, "n1", NULL, "release", 0);
	for (i = 0; i < NELEM(kv_failures); i++) {
		op_kv(&t, kv_failures[i].verb, kv_failures[i].key, NULL,
		    kv_failures[i].session, kv_failures[i].index);
		ck_fails(&f, &t, kv_failures[i].what);
	}
	op_kv(&t, "lock", "l", "1", S1, 0);
	op_kv(&t, "check-session", "l", NULL, S1, 0);
	ck_assert(commit(&f, &t));
	op(&t);
	ck_fails(&f, &t, "no operation specified");
	schema_clear(&txn_response_schema, &t.out);
	teardown(&f);
}
END_TEST

START_TEST(rows_of_the_catalog_compare_their_index)
{
	struct fixture f;
	struct txn t;

	setup(&f);
	memset(&t, 0, sizeof(t));
	op_node(&t, "get", "n", 0);
	ck_fails(&f, &t, "node \"n\" doesn't exist");
	op_node(&t, "cas", "n", 5);
	ck_fails(&f, &t, "failed to set node \"n\", index is stale");
	op_node(&t, "cas", "n", 0);
	ck_assert(commit(&f, &t));
	op_service(&t, "set", "none", "s", 0);
	ck_fails(&f, &t, "Missing node registration");
	op_service(&t, "cas", "n", "s", 1);
	ck_fails(&f, &t, "failed to set service \"s\" on node \"n\", index is "
	    "stale");
	op_check(&t, "set", "n", "c", "s", "passing");
	ck_fails(&f, &t, "Missing service registration on node \"n\"");
	op_check(&t, "get", "n", "c", NULL, NULL);
	ck_fails(&f, &t, "check \"c\" on node \"n\" doesn't exist");
	op_check(&t, "explode", "n", "c", NULL, NULL);
	ck_fails(&f, &t, "unknown Check verb \"explode\"");
	op_service(&t, "delete-cas", "n", "s", 1);
	ck_fails(&f, &t, "failed to delete service \"s\" on node \"n\", index "
	    "is stale");
	op_node(&t, "delete-cas", "n", 1);
	ck_fails(&f, &t, "failed to delete node \"n\", index is stale");
	op_node(&t, "delete-cas", "n", 3);
	op_node(&t, "delete", "n", 0);
	ck_assert(commit(&f, &t));
	ck_assert_ptr_null(store_node(f.s, "n"));
	schema_clear(&txn_response_schema, &t.out);
	teardown(&f);
}
END_TEST

START_TEST(reading_refuses_to_write)
{
	struct fixture f;
	struct txn t;

	setup(&f);
	memset(&t, 0, sizeof(t));
	set(&f, "a", "1");
	op_kv(&t, "get", "a", NULL, NULL, 0);
	op_kv(&t, "get-tree", "", NULL, NULL, 0);
	store_txn_read(f.s, &t.req.ops, &t.out);
	ck_assert_uint_eq(t.out.results.n, 2);
	schema_clear(&txn_response_schema, &t.out);
	op_kv(&t, "set", "a", "2", NULL, 0);
	store_txn_read(f.s, &t.req.ops, &t.out);
	ck_assert_uint_eq(t.out.errors.n, 1);
	ck_assert_uint_eq(store_key(f.s, "a")->modify_index, 1);
	schema_clear(&txn_response_schema, &t.out);
	schema_clear(&txn_request_schema, &t.req);
	teardown(&f);
}
END_TEST

UNIT_MAIN("catalogd_txn", sees_what_it_wrote_itself,
    failure_leaves_everything_as_it_was, keys_fail_in_the_words_of_consul,
    rows_of_the_catalog_compare_their_index, reading_refuses_to_write)

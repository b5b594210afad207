/*
 * Keys, locks and sessions as a function of entries.
 */
#include "tests/unit/catalogd_store_unit.h"

static const struct dir_entry *
key(const struct fixture *f, const char *name)
{
	const struct dir_entry *e = store_key(f->s, name);

	ck_assert_msg(e != NULL, "%s", name);
	return e;
}

static void
ck_value(const struct fixture *f, const char *name, const char *want)
{
	const struct dir_entry *e = key(f, name);

	ck_assert_uint_eq(e->value.n, strlen(want));
	ck_assert_int_eq(memcmp(e->value.p, want, e->value.n), 0);
}

/* ---- keys ---- */

START_TEST(same_value_keeps_its_index_and_wakes_nobody)
{
	struct fixture f;

	setup(&f);
	set(&f, "a", "1");
	ck_assert(changed(&f, WATCH_KEY, "a"));
	ck_assert_uint_eq(key(&f, "a")->create_index, 1);
	set(&f, "a", "1");
	ck_assert_uint_eq(f.ch.n, 0);
	ck_assert_uint_eq(key(&f, "a")->modify_index, 1);
	set(&f, "a", "2");
	ck_assert_uint_eq(key(&f, "a")->modify_index, 3);
	ck_assert_uint_eq(key(&f, "a")->create_index, 1);
	ck_assert_uint_eq(store_keys_index(f.s), 3);
	/* Empty reads back as nil. */
	set(&f, "a", "");
	ck_assert(!key(&f, "a")->value.set);
	ck_restored(&f);
	teardown(&f);
}
END_TEST

START_TEST(cas_compares_the_index)
{
	struct fixture f;

	setup(&f);
	ck_assert(!kv(&f, "cas", "a", "1", NULL, 5));
	ck_assert(kv(&f, "cas", "a", "1", NULL, 0));
	ck_assert(!kv(&f, "cas", "a", "2", NULL, 0));
	ck_assert(!kv(&f, "cas", "a", "2", NULL, 1));
	ck_assert(kv(&f, "cas", "a", "2", NULL, 2));
	ck_assert(!kv(&f, "delete-cas", "a", NULL, NULL, 2));
	ck_assert(!kv(&f, "delete-cas", "a", NULL, NULL, 0));
	ck_assert(kv(&f, "delete-cas", "a", NULL, NULL, 5));
	ck_assert(kv(&f, "delete-cas", "a", NULL, NULL, 77));
	ck_assert(!kv(&f, "explode", "a", NULL, NULL, 0));
	ck_assert_str_eq(f.a.error, "Invalid KVS operation 'explode'");
	teardown(&f);
}
END_TEST

START_TEST(index_of_a_prefix_knows_tombstones)
{
	struct fixture f;

	setup(&f);
	set(&f, "a/x", "1");
	set(&f, "a/y", "1");
	set(&f, "b", "1");
	ck_assert_uint_eq(store_prefix_index(f.s, "a/"), 2);
	ck_assert_uint_eq(store_prefix_index(f.s, "b"), 3);
	ck_assert_uint_eq(store_prefix_index(f.s, ""), 3);
	ck_assert_uint_eq(store_prefix_index(f.s, "nosuch"), 3);
	kv(&f, "delete", "a/y", NULL, NULL, 0);		/* 4 */
	ck_assert(changed(&f, WATCH_KEY, "a/y"));
	ck_assert_uint_eq(store_prefix_index(f.s, "a/"), 4);
	set(&f, "c", "1");				/* 5 */
	ck_assert_uint_eq(store_prefix_index(f.s, "a/"), 4);
	ck_restored(&f);
	ck_assert_uint_eq(store_prefix_index(f.s, "a/"), 4);
	kv(&f, "delete-tree", "a", NULL, NULL, 0);	/* 6 */
	ck_assert(changed(&f, WATCH_PREFIX, "a"));
	ck_assert_uint_eq(store_prefix_index(f.s, "a"), 6);
	ck_assert_uint_eq(store_prefix_index(f.s, "a/"), 4);
	/* Nothing matched: nothing written. */
	kv(&f, "delete-tree", "zz", NULL, NULL, 0);	/* 7 */
	ck_assert_uint_eq(f.ch.n, 0);
	ck_assert_uint_eq(store_keys_index(f.s), 6);
	reap(&f, 4);					/* 8 */
	ck_assert_uint_eq(store_prefix_index(f.s, "a/"), 6);
	reap(&f, 6);
	ck_assert_uint_eq(store_prefix_index(f.s, "a"), 6); /* the table's */
	ck_restored(&f);
	kv(&f, "delete-tree", "", NULL, NULL, 0);	/* 10 */
	ck_assert_uint_eq(store_count_keys(f.s), 0);
	ck_assert_uint_eq(store_keys_index(f.s), 10);
	ck_assert_uint_eq(store_index(f.s)->tombstones, 6);
	teardown(&f);
}
END_TEST

static bool
add_subkey(const char *k, size_t len, void *arg)
{
	char *text = arg;

	strncat(text, k, len);
	strcat(text, " ");
	return true;
}

START_TEST(lists_up_to_a_separator_once)
{
	static const char *const keys[] = {
		"dir/", "dir/a", "dir/b/c", "dir/b/d", "dir/b", "e"
	};
	struct fixture f;
	char text[256];
	size_t i;

	setup(&f);
	for (i = 0; i < NELEM(keys); i++)
		set(&f, keys[i], "1");
	text[0] = '\0';
	store_each_subkey(f.s, "dir/", "/", add_subkey, text);
	ck_assert_str_eq(text, "dir/ dir/a dir/b dir/b/ ");
	text[0] = '\0';
	store_each_subkey(f.s, "", "/", add_subkey, text);
	ck_assert_str_eq(text, "dir/ e ");
	text[0] = '\0';
	store_each_subkey(f.s, "dir/b", "", add_subkey, text);
	ck_assert_str_eq(text, "dir/b dir/b/c dir/b/d ");
	text[0] = '\0';
	store_each_subkey(f.s, "dir", "b/", add_subkey, text);
	ck_assert_str_eq(text, "dir/ dir/a dir/b dir/b/ ");
	teardown(&f);
}
END_TEST

/* ---- locks ---- */

START_TEST(one_session_holds_a_lock)
{
	struct fixture f;

	setup(&f);
	put_node(&f, "n1");
	session(&f, S1, "n1", NULL, "release", 0);
	session(&f, S2, "n1", NULL, "release", 0);
	ck_assert(kv(&f, "lock", "l", "1", S1, 0));
	ck_assert_uint_eq(key(&f, "l")->lock_index, 1);
	ck_assert(kv(&f, "lock", "l", "1b", S1, 0));
	ck_assert_uint_eq(key(&f, "l")->lock_index, 1);
	ck_value(&f, "l", "1b");
	ck_assert(!kv(&f, "lock", "l", "2", S2, 0));
	ck_assert(!kv(&f, "unlock", "l", "2", S2, 0));
	ck_assert(!kv(&f, "unlock", "none", "2", S2, 0));
	/* A plain write keeps the session, and the request's LockIndex. */
	set(&f, "l", "plain");
	ck_assert_str_eq(key(&f, "l")->session, S1);
	ck_assert_uint_eq(key(&f, "l")->lock_index, 0);
	ck_assert(kv(&f, "unlock", "l", "free", S1, 0));
	ck_assert_uint_eq(key(&f, "l")->lock_index, 0);
	ck_assert(str_empty(key(&f, "l")->session));
	ck_assert(kv(&f, "lock", "l", "2", S2, 0));
	ck_assert_uint_eq(key(&f, "l")->lock_index, 1);
	ck_restored(&f);
	ck_assert(!kv(&f, "lock", "l", "1", S1, 0));
	teardown(&f);
}
END_TEST

START_TEST(lock_needs_a_session_that_exists)
{
	struct fixture f;

	setup(&f);
	kv(&f, "lock", "l", "1", NULL, 0);
	ck_assert_str_eq(f.a.error, "missing session");
	kv(&f, "unlock", "l", "1", "", 0);
	ck_assert_str_eq(f.a.error, "missing session");
	kv(&f, "lock", "l", "1", "notauuid", 0);
	ck_assert_str_eq(f.a.error, "failed session lookup: index error: "
	    "UUID must be 36 characters");
	kv(&f, "lock", "l", "1", S1, 0);
	ck_assert_str_eq(f.a.error, "invalid session \"" S1 "\"");
	kv(&f, "set", "", "1", NULL, 0);
	ck_assert_str_eq(f.a.error, "Must provide key");
	teardown(&f);
}
END_TEST

START_TEST(end_of_a_session_frees_or_deletes_its_keys)
{
	struct fixture f;

	setup(&f);
	put_node(&f, "n1");
	session(&f, S1, "n1", NULL, "release", 3);
	session(&f, S2, "n1", NULL, "delete", 90);
	kv(&f, "lock", "r", "1", S1, 0);
	kv(&f, "lock", "d", "1", S2, 0);		/* 5 */
	ck_restored(&f);
	destroy(&f, S1);				/* 6 */
	ck_assert(changed(&f, WATCH_SESSION, S1));
	ck_assert(changed(&f, WATCH_SESSIONS, ""));
	ck_assert(changed(&f, WATCH_NODE_SESSIONS, "n1"));
	ck_assert(changed(&f, WATCH_KEY, "r"));
	ck_assert_uint_eq(f.ch.ndelays, 1);
	ck_assert_str_eq(f.ch.delay[0].key, "r");
	ck_assert_int_eq(f.ch.delay[0].ns, 3 * NS_PER_S);
	ck_assert(str_empty(key(&f, "r")->session));
	ck_assert_uint_eq(key(&f, "r")->modify_index, 6);
	ck_assert_uint_eq(key(&f, "r")->lock_index, 1);
	destroy(&f, S2);				/* 7 */
	ck_assert_ptr_null(store_key(f.s, "d"));
	ck_assert_int_eq(f.ch.delay[0].ns, 60 * NS_PER_S);	/* at most */
	ck_assert(f.ch.tombstones);
	ck_assert_uint_eq(store_prefix_index(f.s, "d"), 7);
	ck_assert_uint_eq(store_index(f.s)->sessions, 7);
	/* Unknown ones are gone already. */
	destroy(&f, S2);
	ck_assert_ptr_null(f.a.error);
	ck_assert_uint_eq(f.ch.n, 0);
	destroy(&f, "abc");
	ck_assert_str_eq(f.a.error, "failed session lookup: index error: "
	    "UUID must be 36 characters");
	teardown(&f);
}
END_TEST

/* ---- sessions ---- */

START_TEST(session_needs_a_node_and_checks_that_stand)
{
	struct session x;
	struct fixture f;

	setup(&f);
	session(&f, S1, "n1", NULL, "release", 0);
	ck_assert_str_eq(f.a.error, "Missing node registration");
	put_node(&f, "n1");
	session(&f, S1, "n1", "c", "release", 0);
	ck_assert_str_eq(f.a.error, "Missing check 'c' registration");
	put_check(&f, "n1", "c", "", "critical");
	session(&f, S1, "n1", "c", "release", 0);
	ck_assert_str_eq(f.a.error, "Check 'c' is in critical state");
	session(&f, S1, "n1", NULL, "explode", 0);
	ck_assert_str_eq(f.a.error, "Invalid session behavior: explode");
	put_check(&f, "n1", "c", "", "passing");
	/* The old form and those of services, too. */
	x = of_session(S1, "n1", NULL, "");
	strs_add(&x.checks, "nosuch");
	session_op(&f, "create", &x);
	ck_assert_str_eq(f.a.error, "Missing check 'nosuch' registration");
	x = of_session(S1, "N1", "c", "");
	((struct service_check_ref *)VEC_ADD(&x.service_checks))->id =
	    xstrdup("c");
	session_op(&f, "create", &x);
	ck_assert_ptr_null(f.a.error);
	ck_assert_str_eq(store_session(f.s, S1)->behavior, "release");
	ck_assert_uint_eq(store_session(f.s, S1)->create_index, f.index);
	ck_restored(&f);
	teardown(&f);
}
END_TEST

START_TEST(what_a_session_stands_on_ends_it)
{
	struct fixture f;
	int i;

	setup(&f);
	for (i = 0; i < 4; i++) {
		put_service(&f, "n1", "w1", "web");
		put_check(&f, "n1", "c", "w1", "passing");
		put_check(&f, "n1", "other", "", "passing");
		session(&f, S1, "n1", "c", "release", 1);
		session(&f, S2, "n1", "other", "release", 1);
		ck_assert(kv(&f, "lock", "l", "1", S1, 0));
		if (i == 0)
			put_check(&f, "n1", "c", "w1", "critical");
		else if (i == 1)
			drop(&f, "n1", NULL, "c");
		else if (i == 2)
			drop(&f, "n1", "w1", NULL);
		else
			drop(&f, "n1", NULL, NULL);
		ck_assert_ptr_null(store_session(f.s, S1));
		ck_assert(str_empty(key(&f, "l")->session));
		ck_assert(changed(&f, WATCH_KEY, "l"));
		ck_assert_uint_eq(f.ch.ndelays, 1);
		ck_assert_int_eq(store_session(f.s, S2) == NULL, i == 3);
		destroy(&f, S2);
	}
	teardown(&f);
}
END_TEST

static bool
count(const struct session *x, void *arg)
{
	(void)x;
	++*(int *)arg;
	return true;
}

START_TEST(sessions_of_a_node)
{
	struct fixture f;
	int n = 0;

	setup(&f);
	put_node(&f, "n1");
	put_node(&f, "n10");
	session(&f, S1, "n1", NULL, "release", 0);
	session(&f, S2, "n10", NULL, "release", 0);
	session(&f, S3, "n1", NULL, "release", 0);
	store_each_session(f.s, "N1", count, &n);
	ck_assert_int_eq(n, 2);
	store_each_session(f.s, "n", count, &n);
	ck_assert_int_eq(n, 2);
	store_each_session(f.s, NULL, count, &n);
	ck_assert_int_eq(n, 5);
	teardown(&f);
}
END_TEST

UNIT_MAIN("catalogd_kv", same_value_keeps_its_index_and_wakes_nobody,
    cas_compares_the_index, index_of_a_prefix_knows_tombstones,
    lists_up_to_a_separator_once, one_session_holds_a_lock,
    lock_needs_a_session_that_exists,
    end_of_a_session_frees_or_deletes_its_keys,
    session_needs_a_node_and_checks_that_stand,
    what_a_session_stands_on_ends_it, sessions_of_a_node)

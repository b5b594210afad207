/*
 * The keys of a pool, changed by one member for all, while messages flow.
 */
#include "tests/unit/gossipd_mesh.h"
#include "tests/unit/common_unit.h"

static struct mesh m;
static const uint8_t key1[16] = "first key of all";
static const uint8_t key2[32] = "a second one, twice as long as 1";

struct result {
	unsigned	calls, nodes, answers, errors, nkeys, nprimary;
	char		error[64], message[MESH_MAX][200], key[4][64];
	unsigned	on[4];
	char		primary[64];
	unsigned	nmessages;
};

static void
on_keys(void *arg, const struct serf_keys *k)
{
	struct result	*r = arg;
	size_t		 i;

	r->calls++;
	r->nodes = k->nodes;
	r->answers = k->answers;
	r->errors = k->errors;
	r->nkeys = (unsigned)k->nkeys;
	r->nprimary = (unsigned)k->nprimary;
	(void)snprintf(r->error, sizeof(r->error), "%s",
	    k->error == NULL ? "" : k->error);
	r->nmessages = (unsigned)k->nmessages;
	for (i = 0; i < k->nmessages && i < MESH_MAX; i++)
		(void)snprintf(r->message[i], sizeof(r->message[i]), "%s: %s",
		    k->message[i].node, k->message[i].text);
	for (i = 0; i < k->nkeys && i < NELEM(r->key); i++) {
		(void)snprintf(r->key[i], sizeof(r->key[i]), "%s",
		    k->key[i].key);
		r->on[i] = k->key[i].nodes;
	}
	if (k->nprimary > 0)
		(void)snprintf(r->primary, sizeof(r->primary), "%s",
		    k->primary[0].key);
}

static struct result
keys(struct peer *x, enum serf_key_op op, const uint8_t *key, size_t len)
{
	static struct result	r;
	int			i;

	memset(&r, 0, sizeof(r));
	ck_assert_ptr_null(serf_keys(x->serf, m.now, op, key, len, 0,
	    on_keys, &r));
	ck_assert_uint_eq(r.calls, 0);
	for (i = 0; i < 500 && r.calls == 0; i++)
		mesh_run(&m, 10);
	mesh_run(&m, 100);
	ck_assert_uint_eq(r.calls, 1);
	return r;
}

static void
encrypted_cluster(int n)
{
	int	i;

	mesh_init(&m);
	for (i = 0; i < n; i++) {
		(void)mesh_add(&m);
		ck_assert_ptr_null(keyring_add(m.node[i].ring, key1,
		    sizeof(key1)));
		if (i > 0)
			ck_assert_ptr_null(mesh_exchange(&m.node[i],
			    &m.node[0], true));
	}
	mesh_run(&m, 5000);
}

static bool
has_key(const struct peer *x, size_t at, const uint8_t *key, size_t len)
{
	const uint8_t	*have;
	size_t		 n;

	if (at >= keyring_count(x->ring))
		return false;
	have = keyring_key(x->ring, at, &n);
	return n == len && memcmp(have, key, len) == 0;
}

START_TEST(a_key_is_rotated_while_messages_flow)
{
	struct result	r;
	int		i;

	encrypted_cluster(5);
	r = keys(&m.node[2], KEY_INSTALL, key2, sizeof(key2));
	ck_assert_str_eq(r.error, "");
	ck_assert_uint_eq(r.nodes, 5);
	ck_assert_uint_eq(r.answers, 5);
	for (i = 0; i < 5; i++) {
		ck_assert(has_key(&m.node[i], 1, key2, sizeof(key2)));
		ck_assert_uint_eq(m.node[i].saves, 1);
	}
	r = keys(&m.node[2], KEY_USE, key2, sizeof(key2));
	ck_assert_str_eq(r.error, "");
	for (i = 0; i < 5; i++)
		ck_assert(has_key(&m.node[i], 0, key2, sizeof(key2)));
	mesh_run(&m, 20000);
	r = keys(&m.node[0], KEY_REMOVE, key1, sizeof(key1));
	ck_assert_str_eq(r.error, "");
	for (i = 0; i < 5; i++) {
		ck_assert_uint_eq(keyring_count(m.node[i].ring), 1);
		ck_assert_uint_eq(m.node[i].saves, 3);
		ck_assert_uint_eq(m.node[i].unreadable, 0);
		ck_assert_uint_eq(m.node[i].events[SERF_FAILED], 0);
	}
	mesh_free(&m);
}
END_TEST

START_TEST(a_list_counts_who_has_which_and_which_is_first)
{
	struct result	r;

	encrypted_cluster(3);
	ck_assert_ptr_null(keyring_add(m.node[1].ring, key2, sizeof(key2)));
	r = keys(&m.node[0], KEY_LIST, NULL, 0);
	ck_assert_str_eq(r.error, "");
	ck_assert_uint_eq(r.nkeys, 2);
	ck_assert_str_eq(r.key[0], "Zmlyc3Qga2V5IG9mIGFsbA==");
	ck_assert_uint_eq(r.on[0], 3);
	ck_assert_uint_eq(r.on[1], 1);
	ck_assert_uint_eq(r.nprimary, 1);
	ck_assert_str_eq(r.primary, "Zmlyc3Qga2V5IG9mIGFsbA==");
	ck_assert_uint_eq(m.node[0].saves, 0);
	mesh_free(&m);
}
END_TEST

START_TEST(refusals_are_told_in_the_words_of_peers)
{
	struct result	r;

	encrypted_cluster(2);
	r = keys(&m.node[0], KEY_REMOVE, key1, sizeof(key1));
	ck_assert_str_eq(r.error, "2/2 nodes reported failure");
	ck_assert_uint_eq(r.nmessages, 2);
	ck_assert_str_eq(r.message[0],
	    "n0: Removing the primary key is not allowed");
	r = keys(&m.node[0], KEY_USE, key2, sizeof(key2));
	ck_assert_str_eq(r.error, "2/2 nodes reported failure");
	ck_assert_str_eq(r.message[1],
	    "n1: Requested key is not in the keyring");
	r = keys(&m.node[0], KEY_INSTALL, key2, 7);
	ck_assert_str_eq(r.message[1],
	    "n1: key size must be 16, 24 or 32 bytes");
	r = keys(&m.node[0], KEY_REMOVE, key2, sizeof(key2));
	ck_assert_str_eq(r.error, "");
	mesh_free(&m);
}
END_TEST

START_TEST(without_encryption_there_is_nothing_to_change)
{
	struct result	r;

	mesh_cluster(&m, 1);
	r = keys(&m.node[0], KEY_INSTALL, key2, sizeof(key2));
	ck_assert_str_eq(r.error, "1/1 nodes reported failure");
	ck_assert_str_eq(r.message[0],
	    "n0: No keyring to modify (encryption not enabled)");
	r = keys(&m.node[0], KEY_LIST, NULL, 0);
	ck_assert_str_eq(r.message[0],
	    "n0: Keyring is empty (encryption not enabled)");
	ck_assert_uint_eq(keyring_count(m.node[0].ring), 0);
	mesh_free(&m);
}
END_TEST

START_TEST(what_cannot_be_written_down_is_undone)
{
	struct result	r;

	encrypted_cluster(3);
	m.node[1].save_error = "local.keyring: No space left on device";
	r = keys(&m.node[0], KEY_INSTALL, key2, sizeof(key2));
	ck_assert_str_eq(r.error, "1/3 nodes reported failure");
	ck_assert_str_eq(r.message[0],
	    "n1: local.keyring: No space left on device");
	ck_assert_uint_eq(keyring_count(m.node[1].ring), 1);
	ck_assert_uint_eq(keyring_count(m.node[2].ring), 2);
	m.node[1].save_error = NULL;
	(void)keys(&m.node[0], KEY_INSTALL, key2, sizeof(key2));
	m.node[1].save_error = "no";
	r = keys(&m.node[0], KEY_USE, key2, sizeof(key2));
	ck_assert_str_eq(r.error, "1/3 nodes reported failure");
	ck_assert(has_key(&m.node[1], 0, key1, sizeof(key1)));
	ck_assert(has_key(&m.node[1], 1, key2, sizeof(key2)));
	ck_assert(has_key(&m.node[2], 0, key2, sizeof(key2)));
	mesh_free(&m);
}
END_TEST

START_TEST(a_silent_member_is_waited_for_and_told)
{
	struct result	r;
	uint64_t	before;

	encrypted_cluster(3);
	m.cut[2][0] = m.cut[2][1] = true;
	before = m.now;
	r = keys(&m.node[0], KEY_LIST, NULL, 0);
	ck_assert_str_eq(r.error, "2/3 nodes reported success");
	ck_assert_uint_ge(m.now - before, 3200 * NS_PER_MS);
	mesh_free(&m);
}
END_TEST

START_TEST(a_long_list_is_cut_to_fit_and_says_so)
{
	struct result	r;
	uint8_t		key[32] = { 0 };
	int		i;

	encrypted_cluster(2);
	for (i = 0; i < 60; i++) {
		key[0] = (uint8_t)i;
		ck_assert_ptr_null(keyring_add(m.node[1].ring, key,
		    sizeof(key)));
	}
	r = keys(&m.node[0], KEY_LIST, NULL, 0);
	ck_assert_str_eq(r.error, "");
	ck_assert_uint_eq(r.nmessages, 1);
	ck_assert_ptr_nonnull(strstr(r.message[0],
	    "n1: truncated key list response, showing first "));
	ck_assert_ptr_nonnull(strstr(r.message[0], " of 61 keys"));
	ck_assert_uint_gt(r.nkeys, 15);
	ck_assert_uint_lt(r.nkeys, 22);
	mesh_free(&m);
}
END_TEST

static void
on_never(void *arg, const struct serf_keys *k)
{
	(void)arg, (void)k;
	ck_abort_msg("called");
}

START_TEST(a_core_that_ends_calls_nobody)
{
	encrypted_cluster(2);
	ck_assert_ptr_null(serf_keys(m.node[0].serf, m.now, KEY_LIST, NULL, 0,
	    0, on_never, NULL));
	mesh_free(&m);
}
END_TEST

UNIT_MAIN("gossipd_keys",
    a_key_is_rotated_while_messages_flow,
    a_list_counts_who_has_which_and_which_is_first,
    refusals_are_told_in_the_words_of_peers,
    without_encryption_there_is_nothing_to_change,
    what_cannot_be_written_down_is_undone,
    a_silent_member_is_waited_for_and_told,
    a_long_list_is_cut_to_fit_and_says_so,
    a_core_that_ends_calls_nobody)

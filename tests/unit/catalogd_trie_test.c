/*
 * The tree of keys beside a plain list: the same keys, order, maxima.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/trie.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define KEYS 400

struct item { struct trie_leaf leaf; char key[16]; bool in; };

/* Short keys of few letters, so that many begin alike. */
static void
make_key(struct rng *rng, char *key)
{
	static const char letters[] = "ab/\xc3\x01";
	unsigned i, n = rng_below(rng, 7);

	for (i = 0; i < n; i++)
		key[i] = letters[rng_below(rng, 5)];
	key[n] = '\0';
}

static int
by_key(const void *a, const void *b)
{
	return strcmp((*(struct item *const *)a)->key,
	    (*(struct item *const *)b)->key);
}

static size_t
listed(struct item *items, const char *prefix, struct item **out)
{
	size_t i, n = 0;

	for (i = 0; i < KEYS; i++)
		if (items[i].in &&
		    strncmp(items[i].key, prefix, strlen(prefix)) == 0)
			out[n++] = &items[i];
	qsort(out, n, sizeof(*out), by_key);
	return n;
}

static void
ck_prefix(struct trie *t, struct item *items, const char *prefix)
{
	struct item *want[KEYS];
	struct trie_leaf *l;
	uint64_t max = 0;
	size_t i, n;

	n = listed(items, prefix, want);
	l = trie_first(t, prefix);
	for (i = 0; i < n; i++) {
		ck_assert_ptr_eq(l, &want[i]->leaf);
		max = l->index > max ? l->index : max;
		l = trie_next(l, prefix);
	}
	ck_assert_ptr_null(l);
	ck_assert_uint_eq(trie_prefix_index(t, prefix), max);
}

static void
ck_common(struct trie *t, struct item *items, const char *key)
{
	size_t i, n, best = 0;

	for (i = 0; i < KEYS; i++) {
		for (n = 0; items[i].in && key[n] != '\0' &&
		    key[n] == items[i].key[n]; n++)
			;
		best = items[i].in && n > best ? n : best;
	}
	ck_assert_uint_eq(trie_common(t, key), best);
}

static void
change_one(struct trie *t, struct item *items, struct rng *rng, uint64_t index)
{
	struct item *x = &items[rng_below(rng, KEYS)];

	if (x->in && rng_below(rng, 2) == 0) {
		trie_remove(t, &x->leaf);
		x->in = false;
	} else if (x->in) {
		trie_set_index(&x->leaf, index);
	} else {
		make_key(rng, x->key);
		if (trie_find(t, x->key) != NULL)
			return;
		x->leaf.key = x->key;
		x->leaf.index = index;
		trie_insert(t, &x->leaf);
		x->in = true;
		ck_assert_ptr_eq(trie_find(t, x->key), &x->leaf);
	}
}

START_TEST(is_what_a_list_would_be)
{
	static struct item items[KEYS];
	struct trie t;
	struct rng rng;
	char key[16];
	uint64_t i;

	rng_seed(&rng, 7);
	trie_init(&t);
	for (i = 1; i < 20000; i++) {
		change_one(&t, items, &rng, i);
		if (i % 16 != 0)
			continue;
		make_key(&rng, key);
		ck_prefix(&t, items, key);
		ck_common(&t, items, key);
	}
	ck_prefix(&t, items, "");
	for (i = 0; i < KEYS; i++)
		if (items[i].in)
			trie_remove(&t, &items[i].leaf);
	ck_assert_ptr_null(t.root);
	ck_assert_uint_eq(t.n, 0);
}
END_TEST

START_TEST(steps_past_what_begins_alike)
{
	static const char *const keys[] = {
		"a", "a/", "a/b", "a/c/d", "a/c/e", "b"
	};
	struct trie_leaf l[6], *p;
	struct trie t;
	size_t i;

	trie_init(&t);
	for (i = 0; i < 6; i++) {
		l[i].key = keys[i];
		l[i].index = i + 1;
		trie_insert(&t, &l[i]);
	}
	ck_assert_ptr_eq(trie_next_past(&l[1], 2, ""), &l[5]);
	ck_assert_ptr_null(trie_next_past(&l[1], 2, "a"));
	ck_assert_ptr_eq(trie_next_past(&l[2], 3, "a/"), &l[3]);
	ck_assert_ptr_null(trie_next_past(&l[3], 4, "a/"));
	ck_assert_ptr_eq(trie_next_past(&l[0], 1, ""), &l[5]);
	ck_assert_ptr_null(trie_next_past(&l[5], 1, ""));
	for (i = 0; i < 6; i++) {
		p = trie_first(&t, "");
		trie_remove(&t, p);
	}
}
END_TEST

UNIT_MAIN("catalogd_trie", is_what_a_list_would_be,
    steps_past_what_begins_alike)

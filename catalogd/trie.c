/*
 * The tree of trie.h.  An inner node tests one bit, that in which its two
 * halves differ first; everything under it agrees in all bits before.  A key
 * ends with its NUL, which sorts before every other byte.
 */
#include "catalogd/trie.h"

#include <stdlib.h>
#include <string.h>

#include "common/util.h"

struct trie_node {
	struct trie_node	*parent;
	void			*child[2];
	uint64_t		 max;
	uint32_t		 byte;
	uint8_t			 mask;		/* the one bit that is tested */
};

static struct trie_node *
as_node(void *p)
{
	return (uintptr_t)p & 1 ? (struct trie_node *)((uintptr_t)p - 1) : NULL;
}

static void *
node_ref(struct trie_node *n)
{
	return (void *)((uintptr_t)n + 1);
}

static int
side(const struct trie_node *n, const char *key, size_t len)
{
	return n->byte < len && ((uint8_t)key[n->byte] & n->mask) != 0;
}

static uint64_t
max_of(void *p)
{
	struct trie_node *n = as_node(p);

	return n != NULL ? n->max : ((struct trie_leaf *)p)->index;
}

static struct trie_leaf *
leftmost(void *p)
{
	struct trie_node *n;

	while ((n = as_node(p)) != NULL)
		p = n->child[0];
	return p;
}

/* The leaf that shares most with the key. */
static struct trie_leaf *
nearest(const struct trie *t, const char *key, size_t len)
{
	struct trie_node *n;
	void *p = t->root;

	while ((n = as_node(p)) != NULL)
		p = n->child[side(n, key, len)];
	return p;
}

static void
set_parent(void *p, struct trie_node *parent)
{
	struct trie_node *n = as_node(p);

	if (n != NULL)
		n->parent = parent;
	else
		((struct trie_leaf *)p)->parent = parent;
}

/* Where the pointer to a child of that parent is. */
static void **
slot_of(struct trie *t, struct trie_node *parent, const void *child)
{
	if (parent == NULL)
		return &t->root;
	return &parent->child[parent->child[1] == child];
}

static void
raise_up(struct trie_node *n)
{
	uint64_t a, b;

	for (; n != NULL; n = n->parent) {
		a = max_of(n->child[0]);
		b = max_of(n->child[1]);
		a = a > b ? a : b;
		if (n->max == a)
			break;
		n->max = a;
	}
}

void
trie_init(struct trie *t)
{
	t->root = NULL;
	t->n = 0;
}

struct trie_leaf *
trie_find(const struct trie *t, const char *key)
{
	struct trie_leaf *l;

	if (t->root == NULL)
		return NULL;
	l = nearest(t, key, strlen(key));
	return strcmp(l->key, key) == 0 ? l : NULL;
}

void
trie_insert(struct trie *t, struct trie_leaf *l)
{
	struct trie_node *n, *x;
	const char *key = l->key, *other;
	size_t i, len = strlen(key);
	uint8_t diff;
	void **at;

	t->n++;
	l->parent = NULL;
	if (t->root == NULL) {
		t->root = l;
		return;
	}
	other = nearest(t, key, len)->key;
	for (i = 0; key[i] != '\0' && key[i] == other[i]; i++)
		;
	diff = (uint8_t)key[i] ^ (uint8_t)other[i];
	n = xcalloc(1, sizeof(*n));
	n->byte = (uint32_t)i;
	n->mask = (uint8_t)(1u << (31 - __builtin_clz(diff)));

	/* Bits are in order of their place on every way down. */
	at = &t->root;
	while ((x = as_node(*at)) != NULL && (x->byte < n->byte ||
	    (x->byte == n->byte && x->mask > n->mask))) {
		n->parent = x;
		at = &x->child[side(x, key, len)];
	}
	n->child[side(n, key, len)] = l;
	n->child[!side(n, key, len)] = *at;
	n->max = max_of(*at);
	set_parent(*at, n);
	l->parent = n;
	*at = node_ref(n);
	raise_up(n);
}

void
trie_remove(struct trie *t, struct trie_leaf *l)
{
	struct trie_node *n = l->parent;
	void *brother;

	t->n--;
	if (n == NULL) {
		t->root = NULL;
		return;
	}
	brother = n->child[n->child[0] == (void *)l];
	*slot_of(t, n->parent, node_ref(n)) = brother;
	set_parent(brother, n->parent);
	raise_up(n->parent);
	free(n);
}

void
trie_set_index(struct trie_leaf *l, uint64_t index)
{
	l->index = index;
	raise_up(l->parent);
}

/* All that begin so are under one place. */
static void *
prefix_root(const struct trie *t, const char *prefix)
{
	size_t len = strlen(prefix);
	struct trie_node *n;
	void *p = t->root;

	if (p == NULL)
		return NULL;
	while ((n = as_node(p)) != NULL && n->byte < len)
		p = n->child[side(n, prefix, len)];
	return strncmp(leftmost(p)->key, prefix, len) == 0 ? p : NULL;
}

uint64_t
trie_prefix_index(const struct trie *t, const char *prefix)
{
	void *p = prefix_root(t, prefix);

	return p == NULL ? 0 : max_of(p);
}

struct trie_leaf *
trie_first(const struct trie *t, const char *prefix)
{
	void *p = prefix_root(t, prefix);

	return p == NULL ? NULL : leftmost(p);
}

/* The first leaf behind everything under p. */
static struct trie_leaf *
behind(void *p, struct trie_node *parent)
{
	for (; parent != NULL; parent = parent->parent) {
		if (parent->child[0] == p)
			return leftmost(parent->child[1]);
		p = node_ref(parent);
	}
	return NULL;
}

static struct trie_leaf *
if_begins(struct trie_leaf *l, const char *prefix)
{
	return l != NULL && strncmp(l->key, prefix, strlen(prefix)) == 0 ? l :
	    NULL;
}

struct trie_leaf *
trie_next(const struct trie_leaf *l, const char *prefix)
{
	return if_begins(behind((void *)(uintptr_t)l, l->parent), prefix);
}

struct trie_leaf *
trie_next_past(const struct trie_leaf *l, size_t n, const char *prefix)
{
	struct trie_node *parent = l->parent;
	void *p = (void *)(uintptr_t)l;

	/* Up to the last node that differs only past those bytes. */
	while (parent != NULL && parent->byte >= n) {
		p = node_ref(parent);
		parent = parent->parent;
	}
	return if_begins(behind(p, parent), prefix);
}

size_t
trie_common(const struct trie *t, const char *key)
{
	const struct trie_leaf *l;
	size_t i;

	if (t->root == NULL)
		return 0;
	l = nearest(t, key, strlen(key));
	for (i = 0; key[i] != '\0' && key[i] == l->key[i]; i++)
		;
	return i;
}

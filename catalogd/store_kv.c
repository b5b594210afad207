/*
 * Keys: what writes do to them (rpc.md 8.4), and reading them.  A key that went
 * away leaves a tombstone, so that the index of what is above it does not go
 * back; tombstones go when an entry of the log says so.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/store_i.h"
#include "common/mp.h"
#include "common/util.h"

#define KV_ROW(l) ((struct kv_row *)(void *)((char *)(l) - \
	offsetof(struct kv_row, leaf)))
#define STONE_ROW(l) ((struct stone_row *)(void *)((char *)(l) - \
	offsetof(struct stone_row, leaf)))

static uint64_t
max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct kv_row *
kv_find(const struct store *s, const char *key)
{
	struct trie_leaf *l;

	l = trie_find(&s->keys, str_or(key, ""));
	return l != NULL ? KV_ROW(l) : NULL;
}

/* ---- tombstones ---- */

static struct stone_row *
stone_get(struct store *s, const char *key, uint64_t index)
{
	struct stone_row *t;
	struct trie_leaf *l;
	size_t n;

	if ((l = trie_find(&s->stones, key)) != NULL) {
		t = STONE_ROW(l);
		TAILQ_REMOVE(&s->stones_by_index, t, entry);
		trie_set_index(l, index);
	} else {
		n = strlen(key) + 1;
		t = xcalloc(1, sizeof(*t) + n);
		memcpy(t->key, key, n);
		t->leaf.key = t->key;
		t->leaf.index = index;
		trie_insert(&s->stones, &t->leaf);
	}
	TAILQ_INSERT_TAIL(&s->stones_by_index, t, entry);
	return t;
}

static void
stone_put(struct store *s, uint64_t index, const char *key,
    struct changes *ch)
{
	stone_get(s, key, index);
	s->index.tombstones = index;
	ch->tombstones = true;
}

static void
stone_free(struct store *s, struct stone_row *t)
{
	TAILQ_REMOVE(&s->stones_by_index, t, entry);
	trie_remove(&s->stones, &t->leaf);
	free(t);
}

void
apply_tombstone(struct store *s, uint64_t index,
    const struct tombstone_request *req, struct store_answer *a)
{
	struct stone_row *t;

	(void)index;
	if (strcmp(str_or(req->op, ""), "reap") != 0) {
		xasprintf(&a->error, "Invalid tombstone operation '%s'",
		    str_or(req->op, ""));
		return;
	}
	while ((t = TAILQ_FIRST(&s->stones_by_index)) != NULL &&
	    t->leaf.index <= req->reap_index)
		stone_free(s, t);
}

/* ---- rows ---- */

static void
row_hold(struct store *s, struct kv_row *row)
{
	struct session_row *to = NULL;

	if (!str_empty(row->e.session))
		to = session_find(s, row->e.session);
	if (to == row->holder)
		return;
	if (row->holder != NULL)
		LIST_REMOVE(row, held_entry);
	row->holder = to;
	if (to != NULL)
		LIST_INSERT_HEAD(&to->held, row, held_entry);
}

static bool
same_value(const struct dir_entry *a, const struct dir_entry *b)
{
	return a->lock_index == b->lock_index && a->flags == b->flags &&
	    a->value.n == b->value.n && (a->value.n == 0 ||
	    memcmp(a->value.p, b->value.p, a->value.n) == 0) &&
	    strcmp(str_or(a->session, ""), str_or(b->session, "")) == 0;
}

/* The row of a key that is new takes over the entry. */
static struct kv_row *
row_new(struct store *s, struct dir_entry *src)
{
	struct kv_row *row;

	row = xcalloc(1, sizeof(*row));
	row->e = *src;
	if (row->e.key == NULL)
		row->e.key = xstrdup("");
	row->leaf.key = row->e.key;
	row->leaf.index = row->e.modify_index;
	trie_insert(&s->keys, &row->leaf);
	return row;
}

/* Nothing changes, and no index moves, when the key has it all already. */
static void
row_write(struct store *s, uint64_t index, struct kv_row *row,
    struct dir_entry *src, struct changes *ch)
{
	char *key;

	/* Empty reads back as nil. */
	if (src->value.n == 0) {
		free(src->value.p);
		memset(&src->value, 0, sizeof(src->value));
	}
	src->modify_index = index;
	if (row == NULL) {
		src->create_index = index;
		row = row_new(s, src);
	} else {
		if (same_value(src, &row->e)) {
			schema_clear(&dir_entry_schema, src);
			return;
		}
		src->create_index = row->e.create_index;
		/* The tree has the key of the row. */
		key = src->key;
		src->key = row->e.key;
		row->e.key = key;
		schema_clear(&dir_entry_schema, &row->e);
		row->e = *src;
		trie_set_index(&row->leaf, index);
	}
	memset(src, 0, sizeof(*src));
	row_hold(s, row);
	s->index.kvs = index;
	changes_add(ch, WATCH_KEY, row->e.key);
}

static void
row_free(struct store *s, struct kv_row *row)
{
	if (row->holder != NULL)
		LIST_REMOVE(row, held_entry);
	trie_remove(&s->keys, &row->leaf);
	schema_clear(&dir_entry_schema, &row->e);
	free(row);
}

/* ---- writes ---- */

void
kv_set(struct store *s, uint64_t index, struct dir_entry *src,
    struct changes *ch)
{
	struct kv_row *row = kv_find(s, src->key);

	str_set(&src->session, row != NULL ? row->e.session : NULL);
	row_write(s, index, row, src, ch);
}

bool
kv_cas(struct store *s, uint64_t index, struct dir_entry *src,
    struct changes *ch)
{
	struct kv_row *row = kv_find(s, src->key);

	if (src->modify_index != (row != NULL ? row->e.modify_index : 0))
		return false;
	kv_set(s, index, src, ch);
	return true;
}

bool
kv_lock(struct store *s, uint64_t index, struct dir_entry *src, char **error,
    struct changes *ch)
{
	struct kv_row *row = kv_find(s, src->key);
	const char *bad;
	bool ours;

	if (str_empty(src->session)) {
		*error = xstrdup("missing session");
		return false;
	}
	if ((bad = store_id_error(src->session)) != NULL) {
		xasprintf(error, "failed session lookup: index error: %s", bad);
		return false;
	}
	if (session_find(s, src->session) == NULL) {
		xasprintf(error, "invalid session \"%s\"", src->session);
		return false;
	}
	ours = row != NULL && strcmp(str_or(row->e.session, ""),
	    src->session) == 0;
	if (row != NULL && !str_empty(row->e.session) && !ours)
		return false;
	src->lock_index = row == NULL ? 1 : row->e.lock_index + !ours;
	row_write(s, index, row, src, ch);
	return true;
}

bool
kv_unlock(struct store *s, uint64_t index, struct dir_entry *src,
    char **error, struct changes *ch)
{
	struct kv_row *row = kv_find(s, src->key);

	if (str_empty(src->session)) {
		*error = xstrdup("missing session");
		return false;
	}
	if (row == NULL ||
	    strcmp(str_or(row->e.session, ""), src->session) != 0)
		return false;
	str_set(&src->session, NULL);
	src->lock_index = row->e.lock_index;
	row_write(s, index, row, src, ch);
	return true;
}

void
kv_release(struct store *s, uint64_t index, struct kv_row *row,
    struct changes *ch)
{
	struct dir_entry e;

	schema_copy(&dir_entry_schema, &e, &row->e);
	str_set(&e.session, NULL);
	row_write(s, index, row, &e, ch);
}

void
kv_delete(struct store *s, uint64_t index, const char *key,
    struct changes *ch)
{
	struct kv_row *row = kv_find(s, key);

	if (row == NULL)
		return;
	stone_put(s, index, row->e.key, ch);
	s->index.kvs = index;
	changes_add(ch, WATCH_KEY, row->e.key);
	row_free(s, row);
}

bool
kv_delete_cas(struct store *s, uint64_t index, const char *key, uint64_t cas,
    struct changes *ch)
{
	struct kv_row *row = kv_find(s, key);

	if (row != NULL && row->e.modify_index != cas)
		return false;
	kv_delete(s, index, key, ch);
	return true;
}

void
kv_delete_tree(struct store *s, uint64_t index, const char *prefix,
    struct changes *ch)
{
	struct trie_leaf *l, *next;

	prefix = str_or(prefix, "");
	if ((l = trie_first(&s->keys, prefix)) == NULL)
		return;
	for (; l != NULL; l = next) {
		next = trie_next(l, prefix);
		row_free(s, KV_ROW(l));
	}
	/* Without a prefix, all see the index of the table. */
	if (prefix[0] != '\0')
		stone_put(s, index, prefix, ch);
	s->index.kvs = index;
	changes_add(ch, WATCH_PREFIX, prefix);
}

/* ---- entries ---- */

enum kv_op {
	KV_SET, KV_CAS, KV_LOCK, KV_UNLOCK, KV_DELETE, KV_DELETE_CAS,
	KV_DELETE_TREE, KV_OP_MAX
};
static const char *const kv_ops[KV_OP_MAX] = {
	"set", "cas", "lock", "unlock", "delete", "delete-cas", "delete-tree"
};

void
apply_kv(struct store *s, uint64_t index, struct kvs_request *req,
    struct store_answer *a, struct changes *ch)
{
	struct dir_entry *e = &req->entry;
	const char *name = str_or(req->op, "");
	bool done = false;
	unsigned op;

	for (op = 0; op < KV_OP_MAX; op++)
		if (strcmp(kv_ops[op], name) == 0)
			break;
	if (op < KV_DELETE_TREE && str_empty(e->key)) {
		a->error = xstrdup("Must provide key");
		return;
	}
	switch ((enum kv_op)op) {
	case KV_SET:
		kv_set(s, index, e, ch);
		break;
	case KV_CAS:
		done = kv_cas(s, index, e, ch);
		break;
	case KV_LOCK:
		done = kv_lock(s, index, e, &a->error, ch);
		break;
	case KV_UNLOCK:
		done = kv_unlock(s, index, e, &a->error, ch);
		break;
	case KV_DELETE:
		kv_delete(s, index, e->key, ch);
		break;
	case KV_DELETE_CAS:
		done = kv_delete_cas(s, index, e->key, e->modify_index, ch);
		break;
	case KV_DELETE_TREE:
		kv_delete_tree(s, index, e->key, ch);
		break;
	case KV_OP_MAX:
		xasprintf(&a->error, "Invalid KVS operation '%s'", name);
		break;
	}
	/* Consul answers false to what cannot fail, too. */
	if (a->error == NULL)
		mp_bool(&a->body, done);
}

/* ---- snapshots ---- */

/* Of two records for one key the later counts. */
void
kv_restore(struct store *s, struct dir_entry *src)
{
	struct kv_row *row;

	if ((row = kv_find(s, src->key)) != NULL)
		row_free(s, row);
	if (src->value.n == 0) {
		free(src->value.p);
		memset(&src->value, 0, sizeof(src->value));
	}
	s->index.kvs = max64(s->index.kvs, src->modify_index);
	row_new(s, src);
	memset(src, 0, sizeof(*src));
}

void
stone_restore(struct store *s, const char *key, uint64_t index)
{
	stone_get(s, key, index);
	s->index.tombstones = max64(s->index.tombstones, index);
}

static int
stone_by_index(const void *pa, const void *pb)
{
	const struct stone_row *a = *(struct stone_row *const *)pa;
	const struct stone_row *b = *(struct stone_row *const *)pb;

	if (a->leaf.index != b->leaf.index)
		return a->leaf.index < b->leaf.index ? -1 : 1;
	return strcmp(a->key, b->key);
}

/* They came by key. */
void
stones_sort(struct store *s)
{
	struct stone_row **v, *t;
	size_t i, n = 0;

	v = xcalloc(s->stones.n + 1, sizeof(*v));
	TAILQ_FOREACH(t, &s->stones_by_index, entry)
		v[n++] = t;
	qsort(v, n, sizeof(*v), stone_by_index);
	TAILQ_INIT(&s->stones_by_index);
	for (i = 0; i < n; i++)
		TAILQ_INSERT_TAIL(&s->stones_by_index, v[i], entry);
	free(v);
}

void
kv_clear(struct store *s)
{
	struct trie_leaf *l;
	struct stone_row *t;

	while ((l = trie_first(&s->keys, "")) != NULL)
		row_free(s, KV_ROW(l));
	while ((t = TAILQ_FIRST(&s->stones_by_index)) != NULL)
		stone_free(s, t);
}

/* ---- reading ---- */

size_t
store_count_keys(const struct store *s)
{
	return s->keys.n;
}

const struct dir_entry *
store_key(const struct store *s, const char *key)
{
	struct kv_row *row = kv_find(s, key);

	return row != NULL ? &row->e : NULL;
}

uint64_t
store_keys_index(const struct store *s)
{
	return max64(s->index.kvs, s->index.tombstones);
}

uint64_t
store_prefix_index(const struct store *s, const char *prefix)
{
	uint64_t index = 0;

	prefix = str_or(prefix, "");
	if (prefix[0] != '\0')
		index = max64(trie_prefix_index(&s->keys, prefix),
		    trie_prefix_index(&s->stones, prefix));
	return index != 0 ? index : store_keys_index(s);
}

size_t
store_key_common(const struct store *s, const char *key)
{
	return trie_common(&s->keys, str_or(key, ""));
}

void
store_each_key(const struct store *s, const char *prefix, store_key_fn *fn,
    void *arg)
{
	struct trie_leaf *l;

	prefix = str_or(prefix, "");
	for (l = trie_first(&s->keys, prefix); l != NULL;
	    l = trie_next(l, prefix))
		if (!fn(&KV_ROW(l)->e, arg))
			return;
}

void
store_each_subkey(const struct store *s, const char *prefix,
    const char *separator, store_subkey_fn *fn, void *arg)
{
	struct trie_leaf *l;
	const char *at;
	size_t n, len;

	prefix = str_or(prefix, "");
	separator = str_or(separator, "");
	n = strlen(prefix);
	for (l = trie_first(&s->keys, prefix); l != NULL;) {
		at = separator[0] == '\0' ? NULL :
		    strstr(l->key + n, separator);
		if (at == NULL) {
			len = strlen(l->key);
			if (!fn(l->key, len, arg))
				return;
			l = trie_next(l, prefix);
		} else {
			len = (size_t)(at - l->key) + strlen(separator);
			if (!fn(l->key, len, arg))
				return;
			l = trie_next_past(l, len, prefix);
		}
	}
}

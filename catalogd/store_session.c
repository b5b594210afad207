/*
 * Sessions: how they come to be, what ends them, and what ends with them
 * (rpc.md 8.3).  A session that ends lets go of its keys or deletes them, and
 * takes the prepared queries along that are tied to it; the delay before
 * another may lock such a key needs a clock and is left to who leads.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/store_i.h"
#include "common/mp.h"
#include "common/util.h"

#define LOCK_DELAY_MAX_NS (60 * NS_PER_S)
#define ID_LEN 36

static int
session_cmp(struct session_row *a, struct session_row *b)
{
	return strcasecmp(str_or(a->s.id, ""), str_or(b->s.id, ""));
}

static int
node_session_cmp(struct session_row *a, struct session_row *b)
{
	int c;

	c = strcasecmp(str_or(a->s.node, ""), str_or(b->s.node, ""));
	return c != 0 ? c : session_cmp(a, b);
}

RB_GENERATE(session_tree, session_row, entry, session_cmp)
RB_GENERATE(node_session_tree, session_row, node_entry, node_session_cmp)

struct session_row *
session_find(const struct store *s, const char *id)
{
	struct session_row want;

	want.s.id = (char *)(uintptr_t)str_or(id, "");
	return RB_FIND(session_tree,
	    (struct session_tree *)(uintptr_t)&s->sessions, &want);
}

struct session_row *
session_first(const struct store *s, const char *node)
{
	struct session_row want, *row;

	want.s.node = (char *)(uintptr_t)str_or(node, "");
	want.s.id = NULL;
	row = RB_NFIND(node_session_tree,
	    (struct node_session_tree *)(uintptr_t)&s->node_sessions, &want);
	return row != NULL && strcasecmp(str_or(row->s.node, ""),
	    str_or(node, "")) == 0 ? row : NULL;
}

struct session_row *
session_next(struct session_row *row)
{
	struct session_row *next;

	next = RB_NEXT(node_session_tree, NULL, row);
	return next != NULL && strcasecmp(str_or(next->s.node, ""),
	    str_or(row->s.node, "")) == 0 ? next : NULL;
}

const char *
store_id_error(const char *id)
{
	if (strlen(str_or(id, "")) != ID_LEN)
		return "UUID must be 36 characters";
	return uuid_valid(id) ? NULL : "Invalid UUID";
}

bool
session_has_check(const struct session *x, const char *check_id)
{
	size_t i;

	for (i = 0; i < x->checks.n; i++)
		if (strcasecmp(str_or(x->checks.item[i], ""), check_id) == 0)
			return true;
	for (i = 0; i < x->node_checks.n; i++)
		if (strcasecmp(str_or(x->node_checks.item[i], ""),
		    check_id) == 0)
			return true;
	for (i = 0; i < x->service_checks.n; i++)
		if (strcasecmp(str_or(x->service_checks.item[i].id, ""),
		    check_id) == 0)
			return true;
	return false;
}

/* ---- ends ---- */

static void
delay_add(struct changes *ch, const char *key, int64_t ns)
{
	struct lock_delay *d;

	if (ch->ndelays == ch->delays_cap) {
		ch->delays_cap = ch->delays_cap == 0 ? 4 : ch->delays_cap * 2;
		ch->delay = xreallocarray(ch->delay, ch->delays_cap,
		    sizeof(*ch->delay));
	}
	d = &ch->delay[ch->ndelays++];
	d->key = xstrdup(key);
	d->ns = ns;
}

static void
session_changed(struct store *s, uint64_t index, const struct session *x,
    struct changes *ch)
{
	s->index.sessions = index;
	changes_add(ch, WATCH_SESSIONS, "");
	changes_add(ch, WATCH_SESSION, str_or(x->id, ""));
	changes_add(ch, WATCH_NODE_SESSIONS, str_or(x->node, ""));
}

void
session_end(struct store *s, uint64_t index, struct session_row *row,
    struct changes *ch)
{
	int64_t delay = row->s.lock_delay;
	struct query_row *q;
	struct kv_row *k;

	if (delay > LOCK_DELAY_MAX_NS)
		delay = LOCK_DELAY_MAX_NS;
	while ((k = LIST_FIRST(&row->held)) != NULL) {
		if (delay > 0)
			delay_add(ch, k->e.key, delay);
		if (strcmp(str_or(row->s.behavior, ""), "delete") == 0)
			kv_delete(s, index, k->e.key, ch);
		else
			kv_release(s, index, k, ch);
	}
	while ((q = LIST_FIRST(&row->bound)) != NULL)
		query_remove(s, index, q, ch);
	session_changed(s, index, &row->s, ch);
	RB_REMOVE(session_tree, &s->sessions, row);
	RB_REMOVE(node_session_tree, &s->node_sessions, row);
	schema_clear(&session_schema, &row->s);
	free(row);
}

void
sessions_end(struct store *s, uint64_t index, const char *node,
    const char *check_id, struct changes *ch)
{
	struct session_row *row, *next;

	for (row = session_first(s, node); row != NULL; row = next) {
		next = session_next(row);
		if (check_id == NULL || session_has_check(&row->s, check_id))
			session_end(s, index, row, ch);
	}
}

/* ---- beginnings ---- */

/* Takes over what the source holds. */
static struct session_row *
session_insert(struct store *s, struct session *src)
{
	struct session_row *row;

	row = xcalloc(1, sizeof(*row));
	LIST_INIT(&row->held);
	LIST_INIT(&row->bound);
	row->s = *src;
	memset(src, 0, sizeof(*src));
	RB_INSERT(session_tree, &s->sessions, row);
	RB_INSERT(node_session_tree, &s->node_sessions, row);
	return row;
}

static bool
check_stands(const struct node_row *n, const char *id, char **error)
{
	const struct check_row *c = check_find(n, id);

	if (c == NULL)
		xasprintf(error, "Missing check '%s' registration",
		    str_or(id, ""));
	else if (strcmp(str_or(c->c.status, ""), "critical") == 0)
		xasprintf(error, "Check '%s' is in critical state",
		    str_or(id, ""));
	return *error == NULL;
}

static bool
checks_stand(const struct node_row *n, const struct session *x, char **error)
{
	size_t i;

	for (i = 0; i < x->checks.n; i++)
		if (!check_stands(n, x->checks.item[i], error))
			return false;
	for (i = 0; i < x->node_checks.n; i++)
		if (!check_stands(n, x->node_checks.item[i], error))
			return false;
	for (i = 0; i < x->service_checks.n; i++)
		if (!check_stands(n, x->service_checks.item[i].id, error))
			return false;
	return true;
}

static void
session_create(struct store *s, uint64_t index, struct session *src,
    struct store_answer *a, struct changes *ch)
{
	const char *behavior;
	struct session_row *row;
	struct node_row *n;

	if (store_id_error(src->id) != NULL) {
		a->error = xstrdup("Missing session ID");
		return;
	}
	if (str_empty(src->behavior))
		str_set(&src->behavior, "release");
	behavior = src->behavior;
	if (strcmp(behavior, "release") != 0 &&
	    strcmp(behavior, "delete") != 0) {
		xasprintf(&a->error, "Invalid session behavior: %s", behavior);
		return;
	}
	if ((n = node_find(s, src->node)) == NULL) {
		a->error = xstrdup("Missing node registration");
		return;
	}
	if (!checks_stand(n, src, &a->error))
		return;
	if (session_find(s, src->id) != NULL) {
		xasprintf(&a->error, "session \"%s\" exists", src->id);
		return;
	}
	src->create_index = src->modify_index = index;
	row = session_insert(s, src);
	session_changed(s, index, &row->s, ch);
	mp_str(&a->body, row->s.id);
}

static void
session_destroy(struct store *s, uint64_t index, const struct session *src,
    struct store_answer *a, struct changes *ch)
{
	struct session_row *row;
	const char *bad;

	if ((bad = store_id_error(src->id)) != NULL) {
		xasprintf(&a->error, "failed session lookup: index error: %s",
		    bad);
		return;
	}
	if ((row = session_find(s, src->id)) != NULL)
		session_end(s, index, row, ch);
	mp_str(&a->body, "");
}

void
apply_session(struct store *s, uint64_t index, struct session_request *req,
    struct store_answer *a, struct changes *ch)
{
	const char *op = str_or(req->op, "");

	if (strcmp(op, "create") == 0)
		session_create(s, index, &req->session, a, ch);
	else if (strcmp(op, "destroy") == 0)
		session_destroy(s, index, &req->session, a, ch);
	else
		xasprintf(&a->error, "Invalid session operation '%s'", op);
}

/* ---- snapshots ---- */

/* Of two records for one id the later counts. */
void
session_restore(struct store *s, struct session *src)
{
	struct session_row *row;

	if ((row = session_find(s, src->id)) != NULL) {
		RB_REMOVE(session_tree, &s->sessions, row);
		RB_REMOVE(node_session_tree, &s->node_sessions, row);
		schema_clear(&session_schema, &row->s);
		free(row);
	}
	if (src->modify_index > s->index.sessions)
		s->index.sessions = src->modify_index;
	session_insert(s, src);
}

void
session_link(struct store *s)
{
	struct session_row *to;
	struct query_row *q;
	struct kv_row *k;
	struct trie_leaf *l;

	for (l = trie_first(&s->keys, ""); l != NULL; l = trie_next(l, "")) {
		k = (struct kv_row *)(void *)((char *)l -
		    offsetof(struct kv_row, leaf));
		if (k->holder != NULL || str_empty(k->e.session) ||
		    (to = session_find(s, k->e.session)) == NULL)
			continue;
		k->holder = to;
		LIST_INSERT_HEAD(&to->held, k, held_entry);
	}
	RB_FOREACH(q, query_tree, &s->queries) {
		if (q->bound != NULL || str_empty(q->q.session) ||
		    (to = session_find(s, q->q.session)) == NULL)
			continue;
		q->bound = to;
		LIST_INSERT_HEAD(&to->bound, q, bound_entry);
	}
}

/* ---- reading ---- */

const struct session *
store_session(const struct store *s, const char *id)
{
	struct session_row *row = session_find(s, id);

	return row != NULL ? &row->s : NULL;
}

void
store_each_session(const struct store *s, const char *node,
    store_session_fn *fn, void *arg)
{
	struct session_row *row;

	if (node != NULL) {
		for (row = session_first(s, node); row != NULL;
		    row = session_next(row))
			if (!fn(&row->s, arg))
				return;
		return;
	}
	RB_FOREACH(row, session_tree,
	    (struct session_tree *)(uintptr_t)&s->sessions)
		if (!fn(&row->s, arg))
			return;
}

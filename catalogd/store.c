/*
 * The store's frame: its life, the lookup of rows, what changed, and the
 * dispatch of log entries.
 *
 *	store_rows.c		nodes, services, checks, coordinates
 *	store_register.c	the rules of registration
 *	store_query.c		reading the catalog
 *	store_kv.c		keys and tombstones
 *	store_session.c		sessions
 *	store_prepared.c	prepared queries
 *	store_txn.c		transactions
 *	store_snapshot.c	snapshots, store_restore.c: and back
 */
#include "catalogd/store.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/store_i.h"
#include "common/mp.h"
#include "common/util.h"

/* More in one batch would be our own bug. */
#define COORDINATES_MAX 4096

/* ---- keys: names and ids compare without regard to case ---- */

static int
node_cmp(struct node_row *a, struct node_row *b)
{
	return strcasecmp(str_or(a->n.node, ""), str_or(b->n.node, ""));
}

static int
node_id_cmp(struct node_row *a, struct node_row *b)
{
	return strcasecmp(str_or(a->n.id, ""), str_or(b->n.id, ""));
}

static int
service_cmp(struct service_row *a, struct service_row *b)
{
	return strcasecmp(str_or(a->s.id, ""), str_or(b->s.id, ""));
}

static int
instance_cmp(struct service_row *a, struct service_row *b)
{
	int c;

	c = node_cmp(a->node, b->node);
	return c != 0 ? c : service_cmp(a, b);
}

static int
check_cmp(struct check_row *a, struct check_row *b)
{
	return strcasecmp(str_or(a->c.check_id, ""), str_or(b->c.check_id, ""));
}

static int
set_cmp(struct service_set *a, struct service_set *b)
{
	return strcasecmp(a->name, b->name);
}

static int
named_cmp(struct named_index *a, struct named_index *b)
{
	return strcmp(a->name, b->name);
}

RB_GENERATE(node_tree, node_row, entry, node_cmp)
RB_GENERATE(node_id_tree, node_row, id_entry, node_id_cmp)
RB_GENERATE(service_tree, service_row, entry, service_cmp)
RB_GENERATE(instance_tree, service_row, set_entry, instance_cmp)
RB_GENERATE(check_tree, check_row, entry, check_cmp)
RB_GENERATE(set_tree, service_set, entry, set_cmp)
RB_GENERATE(named_tree, named_index, entry, named_cmp)

/* A key is only read while it is looked for. */
static char *
key(const char *s)
{
	return (char *)(uintptr_t)str_or(s, "");
}

struct node_row *
node_find(const struct store *s, const char *name)
{
	struct node_row want;

	want.n.node = key(name);
	return RB_FIND(node_tree, (struct node_tree *)(uintptr_t)&s->nodes,
	    &want);
}

struct node_row *
node_find_id(const struct store *s, const char *id)
{
	struct node_row want;

	if (str_empty(id))
		return NULL;
	want.n.id = key(id);
	return RB_FIND(node_id_tree,
	    (struct node_id_tree *)(uintptr_t)&s->node_ids, &want);
}

struct service_row *
service_find(const struct node_row *n, const char *id)
{
	struct service_row want;

	want.s.id = key(id);
	return RB_FIND(service_tree,
	    (struct service_tree *)(uintptr_t)&n->services, &want);
}

struct check_row *
check_find(const struct node_row *n, const char *id)
{
	struct check_row want;

	want.c.check_id = key(id);
	return RB_FIND(check_tree, (struct check_tree *)(uintptr_t)&n->checks,
	    &want);
}

struct service_set *
set_find(const struct store *s, const char *name)
{
	struct service_set want;

	want.name = key(name);
	return RB_FIND(set_tree, (struct set_tree *)(uintptr_t)&s->sets,
	    &want);
}

struct named_index *
named_get(struct store *s, const char *name)
{
	struct named_index want, *x;

	want.name = key(name);
	if ((x = RB_FIND(named_tree, &s->named, &want)) != NULL)
		return x;
	x = xcalloc(1, sizeof(*x));
	x->name = xstrdup(name);
	RB_INSERT(named_tree, &s->named, x);
	return x;
}

/* ---- what changed ---- */

static bool
same_change(const struct change *c, enum watch_kind kind, const char *name)
{
	if (c->kind != kind)
		return false;
	return kind >= WATCH_KEY ? strcmp(c->name, name) == 0 :
	    strcasecmp(c->name, name) == 0;
}

void
changes_add(struct changes *c, enum watch_kind kind, const char *name)
{
	struct change *x;
	size_t i, back;

	/* Rows of one entry are close together: most doubles are near. */
	back = c->n < 8 ? c->n : 8;
	for (i = c->n - back; i < c->n; i++)
		if (same_change(&c->item[i], kind, name))
			return;
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 16 : c->cap * 2;
		c->item = xreallocarray(c->item, c->cap, sizeof(*c->item));
	}
	x = &c->item[c->n++];
	x->kind = kind;
	x->name = xstrdup(name);
}

void
changes_name(struct changes *c, enum view_kind kind, const char *name,
    bool exists)
{
	struct name_change *x;

	if (c->nnames == c->names_cap) {
		c->names_cap = c->names_cap == 0 ? 4 : c->names_cap * 2;
		c->name = xreallocarray(c->name, c->names_cap,
		    sizeof(*c->name));
	}
	x = &c->name[c->nnames++];
	x->kind = kind;
	x->name = xstrdup(name);
	x->exists = exists;
}

void
changes_clear(struct changes *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		free(c->item[i].name);
	for (i = 0; i < c->nnames; i++)
		free(c->name[i].name);
	for (i = 0; i < c->ndelays; i++)
		free(c->delay[i].key);
	free(c->item);
	free(c->name);
	free(c->delay);
	memset(c, 0, sizeof(*c));
}

void
store_answer_clear(struct store_answer *a)
{
	free(a->error);
	wb_free(&a->body);
	memset(a, 0, sizeof(*a));
}

/* The index of its name moves, and that of all services of its kind. */
void
service_touch(struct service_row *svc, uint64_t index, struct changes *ch)
{
	svc->set->index = index;
	svc->kind->value = index;
	changes_add(ch, WATCH_SERVICE, svc->set->name);
}

/* A node's row and its own checks are part of each of its services' health. */
void
node_touch_services(struct store *s, struct node_row *n, uint64_t index,
    struct changes *ch)
{
	struct service_row *svc;

	(void)s;
	RB_FOREACH(svc, service_tree, &n->services)
		service_touch(svc, index, ch);
}

/* ---- life ---- */

struct store *
store_new(void)
{
	struct store *s;

	s = xcalloc(1, sizeof(*s));
	RB_INIT(&s->nodes);
	RB_INIT(&s->node_ids);
	RB_INIT(&s->sets);
	trie_init(&s->keys);
	trie_init(&s->stones);
	TAILQ_INIT(&s->stones_by_index);
	RB_INIT(&s->sessions);
	RB_INIT(&s->node_sessions);
	RB_INIT(&s->queries);
	RB_INIT(&s->query_names);
	TAILQ_INIT(&s->kept);
	RB_INIT(&s->named);
	return s;
}

static void
catalog_clear(struct store *s)
{
	struct node_row *n;
	struct changes ch;

	memset(&ch, 0, sizeof(ch));
	while ((n = RB_MIN(node_tree, &s->nodes)) != NULL) {
		node_remove(s, s->applied, n, &ch);
		changes_clear(&ch);
	}
}

void
store_free(struct store *s)
{
	struct session_row *x;
	struct kept_record *k;
	struct named_index *i;
	struct query_row *q;
	struct changes ch;

	if (s == NULL)
		return;
	memset(&ch, 0, sizeof(ch));
	kv_clear(s);
	while ((q = RB_MIN(query_tree, &s->queries)) != NULL)
		query_remove(s, s->applied, q, &ch);
	while ((x = RB_MIN(session_tree, &s->sessions)) != NULL)
		session_end(s, s->applied, x, &ch);
	changes_clear(&ch);
	catalog_clear(s);
	schema_clear(&autopilot_config_schema, &s->autopilot);
	while ((k = TAILQ_FIRST(&s->kept)) != NULL) {
		TAILQ_REMOVE(&s->kept, k, entry);
		free(k);
	}
	while ((i = RB_MIN(named_tree, &s->named)) != NULL) {
		RB_REMOVE(named_tree, &s->named, i);
		free(i->name);
		free(i);
	}
	free(s);
}

uint64_t
store_applied(const struct store *s)
{
	return s->applied;
}

/* ---- entries ---- */

void
store_entry_register(struct wbuf *w, const struct register_request *r)
{
	wb_u8(w, ENTRY_REGISTER);
	schema_encode(&register_request_schema, r, w);
}

void
store_entry_deregister(struct wbuf *w, const struct deregister_request *r)
{
	wb_u8(w, ENTRY_DEREGISTER);
	schema_encode(&deregister_request_schema, r, w);
}

void
store_entry_coordinates(struct wbuf *w, const struct coordinate_update *u,
    size_t n)
{
	size_t i;

	wb_u8(w, ENTRY_COORDINATES);
	mp_array(w, n);
	for (i = 0; i < n; i++)
		schema_encode(&coordinate_update_schema, &u[i], w);
}

void
store_entry_kv(struct wbuf *w, const struct kvs_request *r)
{
	wb_u8(w, ENTRY_KV);
	schema_encode(&kvs_request_schema, r, w);
}

void
store_entry_session(struct wbuf *w, const struct session_request *r)
{
	wb_u8(w, ENTRY_SESSION);
	schema_encode(&session_request_schema, r, w);
}

void
store_entry_tombstone(struct wbuf *w, const struct tombstone_request *r)
{
	wb_u8(w, ENTRY_TOMBSTONE);
	schema_encode(&tombstone_request_schema, r, w);
}

void
store_entry_query(struct wbuf *w, const struct query_request *r)
{
	wb_u8(w, ENTRY_QUERY);
	schema_encode(&query_request_schema, r, w);
}

void
store_entry_txn(struct wbuf *w, const struct txn_request *r)
{
	wb_u8(w, ENTRY_TXN);
	schema_encode(&txn_request_schema, r, w);
}

void
store_entry_autopilot(struct wbuf *w, const struct autopilot_request *r)
{
	wb_u8(w, ENTRY_AUTOPILOT);
	schema_encode(&autopilot_request_schema, r, w);
}

static void
entry_coordinates(struct store *s, uint64_t index, struct rbuf *r,
    struct store_answer *a, struct changes *ch)
{
	struct coordinate_update *u;
	size_t i, n, got;

	n = mp_get_array(r);
	if (n > COORDINATES_MAX)
		rb_fail(r, "too many coordinates");
	if (!rb_ok(r))
		n = 0;
	u = xcalloc(n + 1, sizeof(*u));
	for (got = 0; got < n; got++)
		if (schema_decode(&coordinate_update_schema, r, &u[got]) == -1)
			break;
	if (!rb_done(r))
		xasprintf(&a->error, "bad entry: %s",
		    str_or(r->err, "left over"));
	else
		for (i = 0; i < n; i++)
			coordinate_put(s, index, u[i].node, u[i].segment,
			    &u[i].coord, ch);
	for (i = 0; i < got; i++)
		schema_clear(&coordinate_update_schema, &u[i]);
	free(u);
}

/* With CAS only if it was not changed since that index; what was never set
 * is shown with the index 1. */
void
apply_autopilot(struct store *s, uint64_t index,
    struct autopilot_request *req, struct store_answer *a)
{
	struct autopilot_config *c = &req->config;
	bool done;

	done = !req->cas || c->modify_index == (s->autopilot_set ?
	    s->autopilot.modify_index : 1);
	if (done) {
		c->create_index = s->autopilot_set ?
		    s->autopilot.create_index : index;
		c->modify_index = index;
		schema_clear(&autopilot_config_schema, &s->autopilot);
		s->autopilot = *c;
		s->autopilot_set = true;
		memset(c, 0, sizeof(*c));
	}
	mp_bool(&a->body, done);
}

const struct autopilot_config *
store_autopilot(const struct store *s)
{
	return s->autopilot_set ? &s->autopilot : NULL;
}

/* A request of any of the kinds that have a schema. */
union request {
	struct register_request		reg;
	struct deregister_request	dereg;
	struct kvs_request		kv;
	struct session_request		session;
	struct tombstone_request	tombstone;
	struct query_request		query;
	struct txn_request		txn;
	struct autopilot_request	autopilot;
};

static struct schema *
entry_schema(enum store_entry type)
{
	switch (type) {
	case ENTRY_REGISTER:
		return &register_request_schema;
	case ENTRY_DEREGISTER:
		return &deregister_request_schema;
	case ENTRY_KV:
		return &kvs_request_schema;
	case ENTRY_SESSION:
		return &session_request_schema;
	case ENTRY_TOMBSTONE:
		return &tombstone_request_schema;
	case ENTRY_QUERY:
		return &query_request_schema;
	case ENTRY_TXN:
		return &txn_request_schema;
	case ENTRY_AUTOPILOT:
		return &autopilot_request_schema;
	case ENTRY_COORDINATES:
	case ENTRY_NOOP:
		break;
	}
	return NULL;
}

static void
apply_request(struct store *s, uint64_t index, enum store_entry type,
    union request *r, struct store_answer *a, struct changes *ch)
{
	switch (type) {
	case ENTRY_REGISTER:
		apply_register(s, index, &r->reg, a, ch);
		break;
	case ENTRY_DEREGISTER:
		apply_deregister(s, index, &r->dereg, ch);
		break;
	case ENTRY_KV:
		apply_kv(s, index, &r->kv, a, ch);
		break;
	case ENTRY_SESSION:
		apply_session(s, index, &r->session, a, ch);
		break;
	case ENTRY_TOMBSTONE:
		apply_tombstone(s, index, &r->tombstone, a);
		break;
	case ENTRY_QUERY:
		apply_query(s, index, &r->query, a, ch);
		break;
	case ENTRY_TXN:
		apply_txn(s, index, &r->txn, a, ch);
		break;
	case ENTRY_AUTOPILOT:
		apply_autopilot(s, index, &r->autopilot, a);
		break;
	case ENTRY_COORDINATES:
	case ENTRY_NOOP:
		break;
	}
}

void
store_apply(struct store *s, uint64_t index, const uint8_t *entry, size_t len,
    struct store_answer *a, struct changes *ch)
{
	enum store_entry type;
	struct schema *schema;
	union request req;
	struct rbuf r;
	const char *err;

	memset(a, 0, sizeof(*a));
	if (index <= s->applied)
		return;
	s->applied = index;

	rb_init(&r, entry, len);
	type = (enum store_entry)rb_u8(&r);
	if (!rb_ok(&r)) {
		a->error = xstrdup("bad entry: empty");
	} else if (type == ENTRY_COORDINATES) {
		entry_coordinates(s, index, &r, a, ch);
	} else if ((schema = entry_schema(type)) == NULL) {
		if (type != ENTRY_NOOP)
			a->error = xstrdup("bad entry: unknown type");
	} else if (schema_decode_all(schema, r.p, r.n, &req, &err) == -1) {
		xasprintf(&a->error, "bad entry: %s", err);
	} else {
		apply_request(s, index, type, &req, a, ch);
		schema_clear(schema, &req);
	}
	a->refused = a->refused || a->error != NULL;
}

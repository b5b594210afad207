/*
 * The store's frame: its life, the lookup of rows, what changed, and the
 * dispatch of log entries.  Rows are in store_rows.c, the rules of
 * registration in store_register.c, reading in store_query.c, snapshots in
 * store_snapshot.c.
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

RB_GENERATE(node_tree, node_row, entry, node_cmp)
RB_GENERATE(node_id_tree, node_row, id_entry, node_id_cmp)
RB_GENERATE(service_tree, service_row, entry, service_cmp)
RB_GENERATE(instance_tree, service_row, set_entry, instance_cmp)
RB_GENERATE(check_tree, check_row, entry, check_cmp)
RB_GENERATE(set_tree, service_set, entry, set_cmp)

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

/* ---- what changed ---- */

void
changes_add(struct changes *c, enum watch_kind kind, const char *name)
{
	struct change *x;
	size_t i, back;

	/* Rows of one entry are close together: most doubles are near. */
	back = c->n < 8 ? c->n : 8;
	for (i = c->n - back; i < c->n; i++)
		if (c->item[i].kind == kind &&
		    strcasecmp(c->item[i].name, name) == 0)
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
	free(c->item);
	free(c->name);
	memset(c, 0, sizeof(*c));
}

void
set_touch(struct service_set *set, uint64_t index, struct changes *ch)
{
	set->index = index;
	changes_add(ch, WATCH_SERVICE, set->name);
}

/* A node's row and its own checks are part of each of its services' health. */
void
node_touch_services(struct store *s, struct node_row *n, uint64_t index,
    struct changes *ch)
{
	struct service_row *svc;

	(void)s;
	RB_FOREACH(svc, service_tree, &n->services)
		set_touch(svc->set, index, ch);
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
	return s;
}

void
store_free(struct store *s)
{
	struct node_row *n;
	struct changes ch;

	if (s == NULL)
		return;
	memset(&ch, 0, sizeof(ch));
	while ((n = RB_MIN(node_tree, &s->nodes)) != NULL) {
		node_remove(s, s->applied, n, &ch);
		changes_clear(&ch);
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

static void
entry_register(struct store *s, uint64_t index, struct rbuf *r,
    struct store_answer *a, struct changes *ch)
{
	struct register_request req;
	const char *err;

	if (schema_decode_all(&register_request_schema, r->p, r->n, &req,
	    &err) == -1) {
		xasprintf(&a->error, "bad entry: %s", err);
		return;
	}
	apply_register(s, index, &req, a, ch);
	schema_clear(&register_request_schema, &req);
}

static void
entry_deregister(struct store *s, uint64_t index, struct rbuf *r,
    struct store_answer *a, struct changes *ch)
{
	struct deregister_request req;
	const char *err;

	if (schema_decode_all(&deregister_request_schema, r->p, r->n, &req,
	    &err) == -1) {
		xasprintf(&a->error, "bad entry: %s", err);
		return;
	}
	apply_deregister(s, index, &req, ch);
	schema_clear(&deregister_request_schema, &req);
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

void
store_apply(struct store *s, uint64_t index, const uint8_t *entry, size_t len,
    struct store_answer *a, struct changes *ch)
{
	struct rbuf r;

	a->error = NULL;
	if (index <= s->applied)
		return;
	s->applied = index;

	rb_init(&r, entry, len);
	switch (rb_u8(&r)) {
	case ENTRY_REGISTER:
		if (!rb_ok(&r))
			goto bad;
		entry_register(s, index, &r, a, ch);
		break;
	case ENTRY_DEREGISTER:
		entry_deregister(s, index, &r, a, ch);
		break;
	case ENTRY_COORDINATES:
		entry_coordinates(s, index, &r, a, ch);
		break;
	case ENTRY_NOOP:
		break;
	default:
	bad:
		a->error = xstrdup("bad entry: unknown type");
		break;
	}
}

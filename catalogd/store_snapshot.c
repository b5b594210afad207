/*
 * The store as a stream of records, those of Consul's own snapshots
 * (snapshot.md 3): {LastIndex}, then one type byte and one msgpack object each.
 * Order: a node, its services, its checks; coordinates; indexes.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/store_i.h"
#include "common/mp.h"
#include "common/util.h"

enum record { REC_REGISTER = 0, REC_COORDINATES = 6, REC_INDEX = 16,
	REC_CHUNKING = 29 };

#define HEADER(F, T)							\
	F(T, UINT, , last_index, "LastIndex", 0, NULL)
SCHEMA_DECLARE(snap_header, HEADER)
SCHEMA_DEFINE(snap_header, HEADER)

#define INDEX(F, T)							\
	F(T, STR, , key, "Key", 0, NULL)				\
	F(T, UINT, , value, "Value", 0, NULL)
SCHEMA_DECLARE(snap_index, INDEX)
SCHEMA_DEFINE(snap_index, INDEX)

/* The indexes of whole tables, by the names they have in a snapshot. */
static const struct {
	const char	*key;
	size_t		 off;
} tables[] = {
	{ "nodes", offsetof(struct store_index, nodes) },
	{ "services", offsetof(struct store_index, services) },
	{ "checks", offsetof(struct store_index, checks) },
	{ "coordinates", offsetof(struct store_index, coordinates) },
	{ "service_last_extinction", offsetof(struct store_index, gone) },
};

static uint64_t *
table_index(struct store *s, size_t i)
{
	return (uint64_t *)(void *)((char *)&s->index + tables[i].off);
}

/* ---- writing ---- */

static void
put_register(struct wbuf *w, const struct node_row *n,
    struct node_service *service, struct health_check *check)
{
	struct register_request r;

	memset(&r, 0, sizeof(r));
	r.datacenter = n->n.datacenter;
	r.id = n->n.id;
	r.node = n->n.node;
	r.address = n->n.address;
	r.tagged_addresses = n->n.tagged_addresses;
	r.node_meta = n->n.meta;
	r.service = service;
	r.check = check;
	r.create_index = n->n.create_index;
	r.modify_index = n->n.modify_index;
	wb_u8(w, REC_REGISTER);
	schema_encode(&register_request_schema, &r, w);
}

static void
put_node(struct wbuf *w, struct node_row *n)
{
	struct service_row *svc;
	struct check_row *c;

	put_register(w, n, NULL, NULL);
	RB_FOREACH(svc, service_tree, &n->services)
		put_register(w, n, &svc->s, NULL);
	RB_FOREACH(c, check_tree, &n->checks)
		put_register(w, n, NULL, &c->c);
}

static void
put_coordinates(struct wbuf *w, const struct node_row *n)
{
	const struct coord_row *c;
	struct node_coordinate sc;

	SLIST_FOREACH(c, &n->coords, entry) {
		sc.node = n->n.node;
		sc.segment = c->segment;
		sc.coord = c->coord;
		wb_u8(w, REC_COORDINATES);
		mp_array(w, 1);
		schema_encode(&node_coordinate_schema, &sc, w);
	}
}

static void
put_index(struct wbuf *w, const char *prefix, const char *key, uint64_t value)
{
	struct snap_index x;

	xasprintf(&x.key, "%s%s", prefix, key);
	x.value = value;
	wb_u8(w, REC_INDEX);
	schema_encode(&snap_index_schema, &x, w);
	free(x.key);
}

void
store_dump(const struct store *cs, struct wbuf *w)
{
	struct store *s = (struct store *)(uintptr_t)cs; /* for the macros */
	struct snap_header h;
	struct service_set *set;
	struct node_row *n;
	size_t i;

	h.last_index = 0;
	for (i = 0; i < NELEM(tables); i++)
		if (*table_index(s, i) > h.last_index)
			h.last_index = *table_index(s, i);
	schema_encode(&snap_header_schema, &h, w);
	RB_FOREACH(n, node_tree, &s->nodes)
		put_node(w, n);
	RB_FOREACH(n, node_tree, &s->nodes)
		put_coordinates(w, n);
	for (i = 0; i < NELEM(tables); i++)
		if (*table_index(s, i) != 0)
			put_index(w, "", tables[i].key, *table_index(s, i));
	RB_FOREACH(set, set_tree, &s->sets)
		put_index(w, "service.", set->name, set->index);
	wb_u8(w, REC_CHUNKING);
	mp_map(w, 1);
	mp_str(w, "ChunkMap");
	mp_map(w, 0);
}

/* ---- reading ---- */

/* The indexes of rows are those of the record, not of a write. */
static void
restore_register(struct store *s, struct register_request *r,
    struct changes *ch, struct rbuf *rb)
{
	struct node_row *n;
	struct node node;

	if (str_empty(r->node)) {
		rb_fail(rb, "node without a name");
		return;
	}
	if (r->service == NULL && r->check == NULL) {
		memset(&node, 0, sizeof(node));
		node.id = xstrdup(r->id);
		node.node = xstrdup(r->node);
		node.address = xstrdup(r->address);
		node.datacenter = xstrdup(r->datacenter);
		strmap_copy(&node.tagged_addresses, &r->tagged_addresses);
		strmap_copy(&node.meta, &r->node_meta);
		node.create_index = r->create_index;
		if (node_find_id(s, r->id) != NULL ||
		    node_find(s, r->node) != NULL) {
			schema_clear(&node_schema, &node);
			rb_fail(rb, "a node twice");
			return;
		}
		node_put(s, r->modify_index, &node, ch);
		return;
	}
	if ((n = node_find(s, r->node)) == NULL) {
		rb_fail(rb, "a service or check before its node");
		return;
	}
	if (r->service != NULL) {
		if (str_empty(r->service->service))
			rb_fail(rb, "service without a name");
		else
			service_put(s, r->service->modify_index, n, r->service,
			    ch);
	}
	if (r->check != NULL) {
		if (!str_empty(r->check->service_id) &&
		    service_find(n, r->check->service_id) == NULL)
			rb_fail(rb, "a check before its service");
		else
			check_put(s, r->check->modify_index, n, r->check, ch);
	}
}

static void
restore_coordinates(struct store *s, struct rbuf *rb, uint64_t index,
    struct changes *ch)
{
	struct node_coordinate c;
	size_t n;

	for (n = mp_get_array(rb); n > 0 && rb_ok(rb); n--) {
		if (schema_decode(&node_coordinate_schema, rb, &c) == -1)
			return;
		coordinate_put(s, index, c.node, c.segment, &c.coord, ch);
		schema_clear(&node_coordinate_schema, &c);
	}
}

static void
restore_index(struct store *s, const struct snap_index *x)
{
	struct service_set *set;
	const char *key = str_or(x->key, "");
	size_t i;

	for (i = 0; i < NELEM(tables); i++)
		if (strcmp(key, tables[i].key) == 0)
			*table_index(s, i) = x->value;
	if (strncmp(key, "service.", 8) == 0 &&
	    (set = set_find(s, key + 8)) != NULL) {
		set->index = x->value;
		/* Its rows came in another order than they were registered,
		 * and may spell it in several ways; the trees ignore case. */
		str_set(&set->name, key + 8);
	}
}

static void
restore_record(struct store *s, struct rbuf *rb, uint64_t last,
    struct changes *ch)
{
	struct register_request r;
	struct snap_index x;

	switch (rb_u8(rb)) {
	case REC_REGISTER:
		if (schema_decode(&register_request_schema, rb, &r) == -1)
			return;
		restore_register(s, &r, ch, rb);
		schema_clear(&register_request_schema, &r);
		break;
	case REC_COORDINATES:
		restore_coordinates(s, rb, last, ch);
		break;
	case REC_INDEX:
		if (schema_decode(&snap_index_schema, rb, &x) == -1)
			return;
		restore_index(s, &x);
		schema_clear(&snap_index_schema, &x);
		break;
	case REC_CHUNKING:
		mp_skip(rb);
		break;
	default:
		rb_fail(rb, "unknown record type");
		break;
	}
}

int
store_restore(struct store *s, uint64_t index, const uint8_t *p, size_t len,
    const char **why)
{
	struct snap_header h;
	struct changes ch;
	struct rbuf rb;

	memset(&ch, 0, sizeof(ch));
	rb_init(&rb, p, len);
	if (schema_decode(&snap_header_schema, &rb, &h) == -1) {
		*why = rb.err;
		return -1;
	}
	while (rb_ok(&rb) && rb.n > 0) {
		restore_record(s, &rb, h.last_index, &ch);
		changes_clear(&ch);
	}
	if (!rb_ok(&rb)) {
		*why = rb.err;
		return -1;
	}
	s->applied = index;
	return 0;
}

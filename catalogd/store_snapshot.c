/*
 * The store as a stream of records in the order of Consul's own snapshots.
 * Tables that mean nothing to us are written back as they came.
 */
#include "catalogd/store_snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mp.h"
#include "common/util.h"

SCHEMA_DEFINE(snap_header, SNAP_HEADER)
SCHEMA_DEFINE(snap_index, SNAP_INDEX)

const struct snap_table snap_tables[SNAP_TABLES] = {
	{ "nodes", offsetof(struct store_index, nodes) },
	{ "services", offsetof(struct store_index, services) },
	{ "checks", offsetof(struct store_index, checks) },
	{ "coordinates", offsetof(struct store_index, coordinates) },
	{ "service_last_extinction", offsetof(struct store_index, gone) },
	{ "kvs", offsetof(struct store_index, kvs) },
	{ "tombstones", offsetof(struct store_index, tombstones) },
	{ "sessions", offsetof(struct store_index, sessions) },
	{ "prepared-queries", offsetof(struct store_index, queries) },
};

/* Is no index, for all that it stands among them. */
#define NOT_AN_INDEX "connect-ca-builtin-serial"

/* Each at its place: behind the sessions, and behind autopilot. */
static const enum record kept_acl[] = {
	REC_TOKEN, REC_POLICY, REC_ROLE, REC_BINDING_RULE, REC_AUTH_METHOD
};
static const enum record kept_rest[] = {
	REC_INTENTION, REC_CA_ROOT, REC_CA_STATE, REC_CA_CONFIG,
	REC_CONFIG_ENTRY, REC_FEDERATION
};

/* ---- the catalog ---- */

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

/* ---- the rest ---- */

static void
put_record(struct wbuf *w, enum record type, struct schema *schema,
    const void *row)
{
	wb_u8(w, (uint8_t)type);
	schema_encode(schema, row, w);
}

static void
put_kept(struct wbuf *w, const struct store *s, const enum record *types,
    size_t n)
{
	const struct kept_record *k;
	size_t i;

	for (i = 0; i < n; i++)
		TAILQ_FOREACH(k, &s->kept, entry)
			if (k->type == types[i]) {
				wb_u8(w, k->type);
				wb_bytes(w, k->body, k->len);
			}
}

static bool
put_key(const struct dir_entry *e, void *arg)
{
	put_record(arg, REC_KEY, &dir_entry_schema, e);
	return true;
}

static void
put_stones(struct wbuf *w, const struct store *s)
{
	const struct trie_leaf *l;
	struct dir_entry e;

	memset(&e, 0, sizeof(e));
	for (l = trie_first(&s->stones, ""); l != NULL; l = trie_next(l, "")) {
		e.key = (char *)(uintptr_t)l->key;
		e.modify_index = l->index;
		put_record(w, REC_TOMBSTONE, &dir_entry_schema, &e);
	}
}

/* ---- indexes, by name ---- */

struct index_list {
	struct snap_index	*item;
	size_t			 n;
	bool			 set;
};

static void
index_add(struct index_list *v, const char *prefix, const char *key,
    uint64_t value)
{
	struct snap_index *x;

	if (value == 0)
		return;
	x = VEC_ADD(v);
	xasprintf(&x->key, "%s%s", prefix, key);
	x->value = value;
}

static int
index_cmp(const void *pa, const void *pb)
{
	const struct snap_index *a = pa, *b = pb;
	int c;

	c = strcasecmp(a->key, b->key);
	return c != 0 ? c : strcmp(a->key, b->key);
}

static void
put_indexes(struct wbuf *w, struct store *s)
{
	struct index_list v;
	struct named_index *x;
	struct service_set *set;
	size_t i;

	memset(&v, 0, sizeof(v));
	for (i = 0; i < NELEM(snap_tables); i++)
		index_add(&v, "", snap_tables[i].key, *snap_table_index(s, i));
	RB_FOREACH(set, set_tree, &s->sets)
		index_add(&v, "service.", set->name, set->index);
	RB_FOREACH(x, named_tree, &s->named)
		index_add(&v, "", x->name, x->value);
	if (v.n > 0)
		qsort(v.item, v.n, sizeof(*v.item), index_cmp);
	for (i = 0; i < v.n; i++) {
		put_record(w, REC_INDEX, &snap_index_schema, &v.item[i]);
		free(v.item[i].key);
	}
	free(v.item);
}

uint64_t
store_last_index(struct store *s)
{
	struct named_index *x;
	uint64_t max = 0;
	size_t i;

	for (i = 0; i < NELEM(snap_tables); i++)
		if (*snap_table_index(s, i) > max)
			max = *snap_table_index(s, i);
	RB_FOREACH(x, named_tree, &s->named)
		if (x->value > max && strcmp(x->name, NOT_AN_INDEX) != 0)
			max = x->value;
	return max;
}

void
store_dump(const struct store *cs, struct wbuf *w)
{
	struct store *s = (struct store *)(uintptr_t)cs; /* for the macros */
	struct session_row *x;
	struct snap_header h;
	struct query_row *q;
	struct node_row *n;

	h.last_index = store_last_index(s);
	schema_encode(&snap_header_schema, &h, w);
	RB_FOREACH(n, node_tree, &s->nodes)
		put_node(w, n);
	RB_FOREACH(n, node_tree, &s->nodes)
		put_coordinates(w, n);
	RB_FOREACH(x, session_tree, &s->sessions)
		put_record(w, REC_SESSION, &session_schema, &x->s);
	put_kept(w, s, kept_acl, NELEM(kept_acl));
	store_each_key(s, "", put_key, w);
	put_stones(w, s);
	RB_FOREACH(q, query_tree, &s->queries)
		put_record(w, REC_QUERY, &prepared_query_schema, &q->q);
	if (s->autopilot_set)
		put_record(w, REC_AUTOPILOT, &autopilot_config_schema,
		    &s->autopilot);
	put_kept(w, s, kept_rest, NELEM(kept_rest));
	put_indexes(w, s);
	wb_u8(w, REC_CHUNKING);
	mp_map(w, 1);
	mp_str(w, "ChunkMap");
	mp_map(w, 0);
}

/*
 * A store from the records of a snapshot, ours or Consul's (snapshot.md 3.2,
 * 4): in an order that rows need, a later record of one key in place of an
 * earlier.  Indexes are those of the records.  What does not fit together is
 * refused, in Consul's words where it has some.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/store_snapshot.h"
#include "common/mp.h"
#include "common/util.h"

struct restore {
	struct store	*s;
	struct rbuf	 rb;
	uint64_t	 last;		/* the header's LastIndex */
	unsigned	 seen;		/* tables that had an index record */
	struct changes	 ch;
};

static void __attribute__((format(printf, 2, 3)))
refuse(struct restore *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->s->why, sizeof(r->s->why), fmt, ap);
	va_end(ap);
	rb_fail(&r->rb, r->s->why);
}

/* ---- the catalog ---- */

static struct node_row *
restore_node(struct restore *r, const struct register_request *q)
{
	struct node_row *n, *same_id;
	struct node node;

	n = node_find(r->s, q->node);
	if (n != NULL && (q->service != NULL || q->check != NULL))
		return n;
	if ((same_id = node_find_id(r->s, q->id)) != NULL && same_id != n)
		node_remove(r->s, r->last, same_id, &r->ch);
	memset(&node, 0, sizeof(node));
	node.id = xstrdup(q->id);
	node.node = xstrdup(q->node);
	node.address = xstrdup(q->address);
	node.datacenter = xstrdup(q->datacenter);
	strmap_copy(&node.tagged_addresses, &q->tagged_addresses);
	strmap_copy(&node.meta, &q->node_meta);
	/* Older archives have no indexes of nodes. */
	node.create_index = q->create_index != 0 ? q->create_index : r->last;
	return node_put(r->s, q->create_index != 0 ? q->modify_index : r->last,
	    &node, &r->ch);
}

static void
restore_service(struct restore *r, struct node_row *n, struct node_service *s)
{
	if (str_empty(s->service)) {
		refuse(r, "failed inserting service: "
		    "object missing primary index");
		return;
	}
	service_put(r->s, s->modify_index, n, s, &r->ch);
}

static void
restore_check(struct restore *r, struct node_row *n, struct health_check *c)
{
	struct service_row *svc = NULL;

	if (strcasecmp(str_or(c->node, ""), str_or(n->n.node, "")) != 0) {
		refuse(r, "check node \"%.64s\" does not match node \"%.64s\"",
		    str_or(c->node, ""), str_or(n->n.node, ""));
		return;
	}
	if (!str_empty(c->service_id) &&
	    (svc = service_find(n, c->service_id)) == NULL) {
		refuse(r, "failed inserting check: Missing service "
		    "registration on node \"%.64s\"", str_or(n->n.node, ""));
		return;
	}
	if (str_empty(c->status))
		str_set(&c->status, "critical");
	if (svc != NULL && str_empty(c->service_name)) {
		str_set(&c->service_name, svc->s.service);
		strs_clear(&c->service_tags);
		strs_copy(&c->service_tags, &svc->s.tags);
	}
	check_put(r->s, c->modify_index, n, c, &r->ch);
}

static void
restore_register(struct restore *r)
{
	struct register_request q;
	struct node_row *n;

	if (schema_decode(&register_request_schema, &r->rb, &q) == -1)
		return;
	if (str_empty(q.node)) {
		refuse(r, "failed inserting node: "
		    "object missing primary index");
	} else {
		n = restore_node(r, &q);
		if (q.service != NULL)
			restore_service(r, n, q.service);
		if (q.check != NULL && rb_ok(&r->rb))
			restore_check(r, n, q.check);
	}
	schema_clear(&register_request_schema, &q);
}

static void
restore_coordinates(struct restore *r)
{
	struct node_coordinate c;
	size_t n;

	for (n = mp_get_array(&r->rb); n > 0 && rb_ok(&r->rb); n--) {
		if (schema_decode(&node_coordinate_schema, &r->rb, &c) == -1)
			return;
		if (str_empty(c.node))
			refuse(r, "failed restoring coordinates: "
			    "object missing primary index");
		else
			coordinate_put(r->s, r->last, c.node, c.segment,
			    &c.coord, &r->ch);
		schema_clear(&node_coordinate_schema, &c);
	}
}

/* ---- sessions, keys, queries ---- */

static void
restore_session(struct restore *r)
{
	struct session x;
	const char *bad;

	if (schema_decode(&session_schema, &r->rb, &x) == -1)
		return;
	if ((bad = store_id_error(x.id)) != NULL) {
		refuse(r, "failed inserting session: failed to build primary "
		    "index: %s", bad);
		schema_clear(&session_schema, &x);
		return;
	}
	session_restore(r->s, &x);
}

static void
restore_key(struct restore *r, bool stone)
{
	struct dir_entry e;

	if (schema_decode(&dir_entry_schema, &r->rb, &e) == -1)
		return;
	if (str_empty(e.key))
		refuse(r, "failed inserting kvs entry: "
		    "object missing primary index");
	else if (stone)
		stone_restore(r->s, e.key, e.modify_index);
	else
		kv_restore(r->s, &e);
	schema_clear(&dir_entry_schema, &e);
}

static void
restore_query(struct restore *r)
{
	struct prepared_query q;
	const char *bad;

	if (schema_decode(&prepared_query_schema, &r->rb, &q) == -1)
		return;
	if ((bad = store_id_error(q.id)) != NULL) {
		refuse(r, "failed restoring prepared query: failed to build "
		    "primary index: %s", bad);
		schema_clear(&prepared_query_schema, &q);
		return;
	}
	query_restore(r->s, &q);
}

static void
restore_autopilot(struct restore *r)
{
	struct store *s = r->s;

	schema_clear(&autopilot_config_schema, &s->autopilot);
	s->autopilot_set = schema_decode(&autopilot_config_schema, &r->rb,
	    &s->autopilot) == 0;
}

/* ---- what is kept ---- */

static void
keep(struct store *s, enum record type, const uint8_t *p, size_t n)
{
	struct kept_record *k;

	k = xcalloc(1, sizeof(*k) + n);
	k->type = (uint8_t)type;
	k->len = n;
	memcpy(k->body, p, n);
	TAILQ_INSERT_TAIL(&s->kept, k, entry);
}

static void
restore_kept(struct restore *r, enum record type)
{
	const uint8_t *from = r->rb.p;

	mp_skip(&r->rb);
	if (rb_ok(&r->rb))
		keep(r->s, type, from, (size_t)(r->rb.p - from));
}

#define OLD_ACL(F, T)							\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, STR, , type, "Type", 0, NULL)				\
	F(T, STR, , rules, "Rules", 0, NULL)				\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(old_acl, OLD_ACL)
SCHEMA_DEFINE(old_acl, OLD_ACL)

/* The token that an old list of access rights becomes. */
#define OLD_TOKEN(F, T)							\
	F(T, STR, , accessor_id, "AccessorID", 0, NULL)			\
	F(T, STR, , secret_id, "SecretID", S_SECRET, NULL)		\
	F(T, STR, , description, "Description", 0, NULL)		\
	F(T, STR, , type, "Type", 0, NULL)				\
	F(T, STR, , rules, "Rules", 0, NULL)				\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(old_token, OLD_TOKEN)
SCHEMA_DEFINE(old_token, OLD_TOKEN)

static void
restore_old_acl(struct restore *r)
{
	struct old_token t;
	struct old_acl a;
	struct wbuf w;

	if (schema_decode(&old_acl_schema, &r->rb, &a) == -1)
		return;
	memset(&t, 0, sizeof(t));
	t.secret_id = a.id;
	t.description = a.name;
	t.type = a.type;
	t.rules = a.rules;
	t.create_index = a.create_index;
	t.modify_index = a.modify_index;
	wb_init(&w, 0);
	schema_encode(&old_token_schema, &t, &w);
	keep(r->s, REC_TOKEN, w.p, w.len);
	wb_free(&w);
	schema_clear(&old_acl_schema, &a);
}

#define OLD_BOOTSTRAP(F, T)						\
	F(T, BOOL, , allow, "AllowBootstrap", 0, NULL)			\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(old_bootstrap, OLD_BOOTSTRAP)
SCHEMA_DEFINE(old_bootstrap, OLD_BOOTSTRAP)

static void
restore_old_bootstrap(struct restore *r)
{
	struct old_bootstrap b;

	if (schema_decode(&old_bootstrap_schema, &r->rb, &b) == -1)
		return;
	named_get(r->s, "acl-token-bootstrap")->value = b.modify_index;
}

static void
restore_unknown(struct restore *r, uint8_t type)
{
	mp_skip(&r->rb);
	r->s->nunknown++;
	r->s->unknown_type = type;
}

/* ---- indexes ---- */

static void
restore_index(struct restore *r)
{
	struct service_set *set;
	struct snap_index x;
	const char *key;
	size_t i;

	if (schema_decode(&snap_index_schema, &r->rb, &x) == -1)
		return;
	key = str_or(x.key, "");
	for (i = 0; i < SNAP_TABLES; i++)
		if (strcmp(key, snap_tables[i].key) == 0)
			break;
	/* None is 0: it would not be written again. */
	if (x.value == 0) {
		schema_clear(&snap_index_schema, &x);
		return;
	}
	if (i < SNAP_TABLES) {
		*snap_table_index(r->s, i) = x.value;
		r->seen |= 1u << i;
	} else if (strncmp(key, "service.", 8) != 0) {
		named_get(r->s, key)->value = x.value;
	} else if ((set = set_find(r->s, key + 8)) != NULL) {
		set->index = x.value;
		/* Its rows came in another order than they were registered,
		 * and may spell it in several ways; the trees ignore case. */
		str_set(&set->name, key + 8);
	}
	schema_clear(&snap_index_schema, &x);
}

static bool
has_coordinates(struct store *s)
{
	struct node_row *n;

	RB_FOREACH(n, node_tree, &s->nodes)
		if (!SLIST_EMPTY(&n->coords))
			return true;
	return false;
}

/* Of the tables of the catalog, in the order of snap_tables. */
static bool
has_rows(struct restore *r, size_t table)
{
	return table == 0 ? store_count_nodes(r->s) > 0 :
	    table == 1 ? store_count_services(r->s) > 0 :
	    table == 2 ? store_count_checks(r->s) > 0 : has_coordinates(r->s);
}

static void
raise_to(uint64_t *index, uint64_t least)
{
	if (*index < least)
		*index = least;
}

/* A name and a kind are not older than an instance and what belongs to it. */
static void
raise_service(struct service_row *svc, uint64_t least)
{
	raise_to(&svc->set->index, least);
	raise_to(&svc->kind->value, least);
}

/*
 * In whatever order rows and records came: what the rows alone say, for an
 * index of 0 is not written, and the next restore sees only the rows.  Returns
 * the highest index of a row.
 */
static uint64_t
raise_by_rows(struct store *s)
{
	struct service_row *svc;
	struct check_row *c;
	struct node_row *n;
	uint64_t own, max = 0;

	RB_FOREACH(n, node_tree, &s->nodes) {
		raise_to(&max, n->n.modify_index);
		own = 0;
		TAILQ_FOREACH(c, &n->own_checks, group_entry)
			raise_to(&own, c->c.modify_index);
		raise_to(&max, own);
		RB_FOREACH(svc, service_tree, &n->services) {
			raise_service(svc, own);
			raise_service(svc, svc->s.modify_index);
			TAILQ_FOREACH(c, &svc->checks, group_entry)
				raise_service(svc, c->c.modify_index);
			raise_to(&max, svc->kind->value);
		}
	}
	return max;
}

/*
 * Tables of the catalog that had rows and no record have the header's index,
 * which is the highest of all: where it is not, those of records and rows are.
 * The same goes for nodes of archives from before they had indexes.
 */
static void
default_indexes(struct restore *r)
{
	uint64_t last = raise_by_rows(r->s);
	struct node_row *n;
	size_t i;

	raise_to(&last, store_last_index(r->s));
	raise_to(&last, r->last);
	for (i = 0; i < 4; i++)
		if ((r->seen & 1u << i) == 0 && has_rows(r, i))
			*snap_table_index(r->s, i) = last;
	RB_FOREACH(n, node_tree, &r->s->nodes)
		if (n->n.create_index == 0)
			n->n.create_index = n->n.modify_index = last;
}

/* ---- the stream ---- */

static void
restore_record(struct restore *r)
{
	uint8_t type = rb_u8(&r->rb);

	switch ((enum record)type) {
	case REC_REGISTER:
		restore_register(r);
		break;
	case REC_KEY:
	case REC_TOMBSTONE:
		restore_key(r, type == REC_TOMBSTONE);
		break;
	case REC_SESSION:
		restore_session(r);
		break;
	case REC_COORDINATES:
		restore_coordinates(r);
		break;
	case REC_QUERY:
		restore_query(r);
		break;
	case REC_AUTOPILOT:
		restore_autopilot(r);
		break;
	case REC_INDEX:
		restore_index(r);
		break;
	case REC_OLD_ACL:
		restore_old_acl(r);
		break;
	case REC_OLD_BOOTSTRAP:
		restore_old_bootstrap(r);
		break;
	case REC_CHUNKING:
		mp_skip(&r->rb);
		break;
	case REC_INTENTION:
	case REC_CA_ROOT:
	case REC_CA_STATE:
	case REC_CA_CONFIG:
	case REC_TOKEN:
	case REC_POLICY:
	case REC_CONFIG_ENTRY:
	case REC_ROLE:
	case REC_BINDING_RULE:
	case REC_AUTH_METHOD:
	case REC_FEDERATION:
		restore_kept(r, (enum record)type);
		break;
	default:
		restore_unknown(r, type);
		break;
	}
}

int
store_restore(struct store *s, uint64_t index, const uint8_t *p, size_t len,
    const char **why)
{
	struct snap_header h;
	struct restore r;

	memset(&r, 0, sizeof(r));
	r.s = s;
	rb_init(&r.rb, p, len);
	if (schema_decode(&snap_header_schema, &r.rb, &h) == -1) {
		*why = r.rb.err;
		return -1;
	}
	r.last = h.last_index;
	while (rb_ok(&r.rb) && r.rb.n > 0) {
		restore_record(&r);
		changes_clear(&r.ch);
	}
	if (!rb_ok(&r.rb)) {
		*why = r.rb.err;
		return -1;
	}
	default_indexes(&r);
	stones_sort(s);
	session_link(s);
	s->applied = index;
	return 0;
}

size_t
store_unknown_records(const struct store *s, uint8_t *type)
{
	*type = s->unknown_type;
	return s->nunknown;
}

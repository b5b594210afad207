/*
 * Views out of answers.  See views_build.h.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/views_build.h"
#include "common/util.h"

enum { PASSING, WARNING, CRITICAL };

static unsigned
health_of(const char *status)
{
	if (strcmp(str_or(status, ""), "passing") == 0)
		return PASSING;
	if (strcmp(str_or(status, ""), "warning") == 0)
		return WARNING;
	return CRITICAL;
}

unsigned
view_health(const struct health_check_vec *v)
{
	unsigned	 worst = PASSING, h;
	size_t		 i;

	for (i = 0; i < v->n; i++)
		if ((h = health_of(v->item[i].status)) > worst)
			worst = h;
	return worst;
}

static int
pair_cmp(const void *a, const void *b)
{
	const struct str_pair	*x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* Servers send maps in any order; the same content is to be the same. */
static void
map_put(struct strmap *dst, const struct strmap *src)
{
	strmap_copy(dst, src);
	if (dst->n > 1)
		qsort(dst->item, dst->n, sizeof(*dst->item), pair_cmp);
}

static void
put_node(struct view_entry *e, const struct node *n)
{
	str_set(&e->node, n->node);
	str_set(&e->address, n->address);
	map_put(&e->node_tagged, &n->tagged_addresses);
	map_put(&e->node_meta, &n->meta);
}

/* Of a service's tagged addresses DNS uses those of the LAN, by family. */
static void
put_tagged(struct view_entry *e, const struct service_address_map *m)
{
	static const char *const	 used[] = { "lan_ipv4", "lan_ipv6" };
	size_t				 i, j;

	for (i = 0; i < NELEM(used); i++)
		for (j = 0; j < m->n; j++)
			if (strcmp(m->item[j].key, used[i]) == 0)
				strmap_put(&e->service_tagged, used[i],
				    str_or(m->item[j].val.address, ""));
}

static void
put_service(struct view_entry *e, const struct node_service *s)
{
	int64_t	 passing = 1, warning = 1;

	str_set(&e->service_id, s->id);
	str_set(&e->service_address, s->address);
	e->port = s->port;
	strs_copy(&e->tags, &s->tags);
	if (s->weights != NULL) {
		passing = s->weights->passing;
		warning = s->weights->warning;
	}
	e->weight = e->health == PASSING ? passing :
	    e->health == WARNING ? warning : 0;
	put_tagged(e, &s->tagged_addresses);
}

static int
entry_cmp(const void *a, const void *b)
{
	const struct view_entry	*x = a, *y = b;
	int			 c;

	if ((c = strcmp(str_or(x->node, ""), str_or(y->node, ""))) != 0)
		return c;
	return strcmp(str_or(x->service_id, ""), str_or(y->service_id, ""));
}

static void
finish(struct msg_view *v)
{
	v->exists = v->entries.n > 0;
	if (v->entries.n > 1)
		qsort(v->entries.item, v->entries.n, sizeof(*v->entries.item),
		    entry_cmp);
}

static void
put_instances(struct msg_view *v, const struct check_service_node_vec *a)
{
	const struct check_service_node	*n;
	struct view_entry		*e;
	size_t				 i;

	for (i = 0; i < a->n; i++) {
		n = &a->item[i];
		e = VEC_ADD(&v->entries);
		put_node(e, &n->node);
		e->health = view_health(&n->checks);
		put_service(e, &n->service);
	}
}

void
view_service(const struct indexed_check_service_nodes *a, struct msg_view *v)
{
	put_instances(v, &a->nodes);
	finish(v);
}

void
view_query(const struct query_execute_response *a, struct msg_view *v)
{
	put_instances(v, &a->nodes);
	str_set(&v->service, a->service);
	str_set(&v->ttl, a->dns.ttl);
	str_set(&v->answered_by, a->datacenter);
	if (!v->ordered)
		finish(v);
	v->exists = true;	/* it may find nobody */
}

void
view_node(const struct indexed_node_services *a, struct msg_view *v)
{
	if (a->node_services != NULL && a->node_services->node != NULL &&
	    !str_empty(a->node_services->node->node))
		put_node(VEC_ADD(&v->entries), a->node_services->node);
	finish(v);
}

void
view_reverse(const struct indexed_nodes *a, const char *ip,
    struct msg_view *v)
{
	size_t	 i;

	for (i = 0; i < a->nodes.n; i++)
		if (strcmp(str_or(a->nodes.item[i].address, ""), ip) == 0)
			put_node(VEC_ADD(&v->entries), &a->nodes.item[i]);
	finish(v);
}

void
view_reverse_service(const struct indexed_service_nodes *a, struct msg_view *v)
{
	const struct service_node	*n;
	struct view_entry		*e;
	size_t				 i;

	for (i = 0; i < a->service_nodes.n; i++) {
		n = &a->service_nodes.item[i];
		e = VEC_ADD(&v->entries);
		str_set(&e->node, n->node);
		str_set(&e->address, n->address);
		str_set(&e->service_id, n->service_id);
		str_set(&e->service, n->service_name);
		str_set(&e->service_address, n->service_address);
	}
	finish(v);
}

uint64_t
view_hash(const struct msg_view *v)
{
	struct msg_view	 flat = *v;
	struct wbuf	 w;
	uint64_t	 h;

	flat.index = 0;
	wb_init(&w, 0);
	schema_encode(&msg_view_schema, &flat, &w);
	h = hash_bytes(w.p, w.len, 0);
	wb_free(&w);
	return h;
}

/*
 * The datacenters: their names, the nearest first, and their servers'
 * coordinates, both as the WAN pool has measured.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/gossip_i.h"
#include "common/mp.h"
#include "common/util.h"

#define COORDINATES_TIMEOUT_MS 5000

/* ---- Catalog.ListDatacenters ---- */

static void
names_reply(struct gossip_call *c, const struct gossip_coordinates *a)
{
	struct strs	 names;
	size_t		 i;

	datacenters_nearest(c->g->dcs, a, &names);
	mp_array(&c->reply, (uint32_t)names.n);
	for (i = 0; i < names.n; i++)
		mp_str(&c->reply, names.item[i]);
	strs_clear(&names);
}

bool
names_run(struct gossip_call *c)
{
	struct gossip_coordinates_request	 q = { .wan = true,
						.all = true };
	struct gossip_coordinates		 none;

	if (c->step++ == STEP_START && c->g->wan) {
		gossip_step(c, "Gossip.Coordinates",
		    &gossip_coordinates_request_schema, &q,
		    COORDINATES_TIMEOUT_MS);
		return true;
	}
	if (c->reply.len == 0) {
		memset(&none, 0, sizeof(none));
		names_reply(c, &none);
	}
	return false;
}

/* Without an answer they are known all the same, but not how far they are. */
void
names_got(struct gossip_call *c, const char *error, const uint8_t *body,
    size_t len)
{
	struct gossip_coordinates	 a;

	if (error != NULL || schema_decode_all(&gossip_coordinates_schema,
	    body, len, &a, &error) == -1)
		return;
	names_reply(c, &a);
	schema_clear(&gossip_coordinates_schema, &a);
}

/* ---- Coordinate.ListDatacenters ---- */

bool
datacenters_run(struct gossip_call *c)
{
	struct gossip_coordinates_request	 q = { .wan = true,
						.all = true };

	if (c->step++ == STEP_START && c->g->wan) {
		gossip_step(c, "Gossip.Coordinates",
		    &gossip_coordinates_request_schema, &q,
		    COORDINATES_TIMEOUT_MS);
		return true;
	}
	if (c->reply.len == 0)
		mp_array(&c->reply, 0);
	return false;
}

struct maps {
	struct datacenter_map	*item;
	size_t			 n;
	bool			 set;
};

static int
map_cmp(const void *a, const void *b)
{
	return strcmp(((const struct datacenter_map *)a)->datacenter,
	    ((const struct datacenter_map *)b)->datacenter);
}

/* Takes the coordinate of "node.datacenter". */
static void
place(struct maps *l, struct node_coordinate *nc)
{
	struct datacenter_map	*m = NULL;
	char			*dot = strrchr(str_or(nc->node, ""), '.');
	size_t			 i;

	if (dot == NULL)
		return;
	*dot = '\0';
	for (i = 0; i < l->n && m == NULL; i++)
		if (strcmp(l->item[i].datacenter, dot + 1) == 0)
			m = &l->item[i];
	if (m == NULL) {
		m = VEC_ADD(l);
		m->datacenter = xstrdup(dot + 1);
		m->area_id = xstrdup("wan");
	}
	memcpy(VEC_ADD(&m->coordinates), nc, sizeof(*nc));
	memset(nc, 0, sizeof(*nc));
}

static void
datacenters_reply(struct gossip_call *c, struct gossip_coordinates *a)
{
	struct node_coordinate	 own;
	struct maps		 l = { 0 };
	size_t			 i;

	memset(&own, 0, sizeof(own));
	xasprintf(&own.node, "%s.%s", c->g->node_name,
	    datacenters_own(c->g->dcs));
	for (i = 0; i < a->others.n; i++)
		if (strcmp(str_or(a->others.item[i].node, ""), own.node) != 0)
			place(&l, &a->others.item[i]);
	own.coord = a->own;
	memset(&a->own, 0, sizeof(a->own));
	place(&l, &own);
	qsort(l.item, l.n, sizeof(*l.item), map_cmp);
	mp_array(&c->reply, l.n);
	for (i = 0; i < l.n; i++) {
		schema_encode(&datacenter_map_schema, &l.item[i], &c->reply);
		schema_clear(&datacenter_map_schema, &l.item[i]);
	}
	free(l.item);
}

void
datacenters_got(struct gossip_call *c, const char *error, const uint8_t *body,
    size_t len)
{
	struct gossip_coordinates	 a;

	if (error != NULL || schema_decode_all(&gossip_coordinates_schema,
	    body, len, &a, &error) == -1) {
		c->error = xstrdup(error);
		return;
	}
	datacenters_reply(c, &a);
	schema_clear(&gossip_coordinates_schema, &a);
}

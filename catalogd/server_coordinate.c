/*
 * Coordinate.*: updates are gathered, the latest of each node, and written in
 * batches; a full queue costs a coordinate its place, not the log its peace.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/server_i.h"

#define DIMENSIONS 8
#define FLUSH_MS 5000
#define BATCH_MAX 128
#define BATCHES_MAX 5

static int
coord_cmp(struct coord_pending *a, struct coord_pending *b)
{
	int c;

	c = strcasecmp(str_or(a->u.node, ""), str_or(b->u.node, ""));
	return c != 0 ? c : strcmp(str_or(a->u.segment, ""),
	    str_or(b->u.segment, ""));
}

RB_GENERATE_INTERNAL(coord_tree, coord_pending, entry, coord_cmp, TREE_STATIC)

static void
coord_drop(struct server *srv, struct coord_pending *p)
{
	RB_REMOVE(coord_tree, &srv->coords, p);
	srv->ncoords--;
	schema_clear(&coordinate_update_schema, &p->u);
	free(p);
}

static void
flush_batch(struct server *srv)
{
	struct coordinate_update u[BATCH_MAX];
	struct coord_pending *p;
	struct wbuf w;
	size_t n = 0;

	memset(u, 0, sizeof(u));
	while (n < BATCH_MAX &&
	    (p = RB_MIN(coord_tree, &srv->coords)) != NULL) {
		u[n++] = p->u;
		RB_REMOVE(coord_tree, &srv->coords, p);
		srv->ncoords--;
		free(p);
	}
	wb_init(&w, 0);
	store_entry_coordinates(&w, u, n);
	server_propose(srv, &w);
	wb_free(&w);
	while (n > 0)
		schema_clear(&coordinate_update_schema, &u[--n]);
}

static void
on_flush(void *arg)
{
	struct server *srv = arg;
	struct coord_pending *p;
	unsigned i;

	if (server_in_office(srv))
		for (i = 0; i < BATCHES_MAX && srv->ncoords > 0; i++)
			flush_batch(srv);
	while ((p = RB_MIN(coord_tree, &srv->coords)) != NULL)
		coord_drop(srv, p);
}

void
coordinate_update_write(struct server *srv, void *arg, struct wbuf *entry,
    struct reply *r)
{
	struct coordinate_update *req = arg;
	struct coord_pending *p, *old;

	(void)entry;
	if (!coordinate_finite(&req->coord)) {
		reply_error(r, "invalid coordinate");
		return;
	}
	if (req->coord.vec.n != DIMENSIONS) {
		reply_error(r, "incompatible coordinate");
		return;
	}
	reply_empty(r);
	p = xcalloc(1, sizeof(*p));
	p->u = *req;
	if ((old = RB_FIND(coord_tree, &srv->coords, p)) != NULL)
		coord_drop(srv, old);
	if (srv->ncoords >= BATCH_MAX * BATCHES_MAX) {
		free(p);
		return;
	}
	memset(req, 0, sizeof(*req));
	str_set(&p->u.token, NULL);
	RB_INSERT(coord_tree, &srv->coords, p);
	srv->ncoords++;
	if (srv->coords_flush == NULL)
		srv->coords_flush = ev_timer_new(srv->ev, on_flush, srv);
	if (!ev_timer_pending(srv->coords_flush))
		ev_timer_set(srv->coords_flush, FLUSH_MS);
}

void
coordinate_free(struct server *srv)
{
	struct coord_pending *p;

	while ((p = RB_MIN(coord_tree, &srv->coords)) != NULL)
		coord_drop(srv, p);
	ev_timer_free(srv->coords_flush);
}

/* ---- reading ---- */

static bool
add_coordinate(const struct node *n, const char *segment,
    const struct coordinate *c, void *arg)
{
	struct indexed_coordinates *a = arg;
	struct node_coordinate *x;

	x = VEC_ADD(&a->coordinates);
	x->node = n->node;
	x->segment = (char *)(uintptr_t)segment;
	x->coord = *c;
	return true;
}

static void
reply_coordinates(struct server *srv, const char *node,
    const struct query_meta *meta, struct reply *r)
{
	struct indexed_coordinates a;

	memset(&a, 0, sizeof(a));
	META_PUT(&a, meta);
	store_each_coordinate(srv->store, node, add_coordinate, &a);
	reply_schema(r, &indexed_coordinates_schema, &a);
	free(a.coordinates.item);
}

void
coordinate_list_nodes_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)req;
	d->index = store_index(srv->store)->coordinates;
	depends_on(d, WATCH_COORDINATES, "");
}

void
coordinate_list_nodes_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	(void)req;
	reply_coordinates(srv, NULL, meta, r);
}

void
coordinate_node_depends(struct server *srv, const void *req,
    struct depends *d)
{
	coordinate_list_nodes_depends(srv, req, d);
}

void
coordinate_node_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct node_request *req = arg;

	reply_coordinates(srv, str_or(req->node, ""), meta, r);
}

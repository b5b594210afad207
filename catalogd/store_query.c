/*
 * Reading the store: indexes and walks over rows.  Nothing here allocates or
 * changes anything.
 */
#include <string.h>
#include <strings.h>

#include "catalogd/store_i.h"
#include "common/util.h"

static uint64_t
max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* RB_FOREACH wants to write what it only reads. */
#define WALK(x, tree, head)						\
	RB_FOREACH(x, tree, (struct tree *)(uintptr_t)(head))

const struct store_index *
store_index(const struct store *s)
{
	return &s->index;
}

uint64_t
store_service_index(const struct store *s, const char *service)
{
	struct service_set *set;

	if ((set = set_find(s, service)) != NULL)
		return set->index;
	if (s->index.gone != 0)
		return s->index.gone;
	return max64(s->index.nodes, max64(s->index.services,
	    s->index.checks));
}

size_t
store_count_nodes(const struct store *s)
{
	return s->nnodes;
}

size_t
store_count_services(const struct store *s)
{
	return s->nservices;
}

size_t
store_count_checks(const struct store *s)
{
	return s->nchecks;
}

const struct node *
store_node(const struct store *s, const char *node)
{
	struct node_row *n;

	n = node_find(s, node);
	return n != NULL ? &n->n : NULL;
}

const struct node_service *
store_service(const struct store *s, const char *node, const char *id)
{
	struct node_row *n;
	struct service_row *svc;

	if ((n = node_find(s, node)) == NULL ||
	    (svc = service_find(n, id)) == NULL)
		return NULL;
	return &svc->s;
}

const struct health_check *
store_check(const struct store *s, const char *node, const char *id)
{
	struct node_row *n;
	struct check_row *c;

	if ((n = node_find(s, node)) == NULL || (c = check_find(n, id)) == NULL)
		return NULL;
	return &c->c;
}

const struct coordinate *
store_coordinate(const struct store *s, const char *node, const char *segment)
{
	struct node_row *n;
	struct coord_row *c;

	if ((n = node_find(s, node)) == NULL)
		return NULL;
	SLIST_FOREACH(c, &n->coords, entry)
		if (strcmp(c->segment, segment) == 0)
			return &c->coord;
	return NULL;
}

void
store_each_node(const struct store *s, store_node_fn *fn, void *arg)
{
	struct node_row *n;

	WALK(n, node_tree, &s->nodes)
		if (!fn(&n->n, arg))
			return;
}

void
store_each_name(const struct store *s, store_name_fn *fn, void *arg)
{
	struct service_set *set;

	WALK(set, set_tree, &s->sets)
		if (!fn(set->name, arg))
			return;
}

static bool
node_services(const struct node_row *n, store_service_fn *fn, void *arg)
{
	struct service_row *svc;

	WALK(svc, service_tree, &n->services)
		if (!fn(&n->n, &svc->s, arg))
			return false;
	return true;
}

void
store_each_service(const struct store *s, const char *node,
    const char *service, store_service_fn *fn, void *arg)
{
	struct service_set *set;
	struct service_row *svc;
	struct node_row *n;

	if (service != NULL) {
		if ((set = set_find(s, service)) == NULL)
			return;
		WALK(svc, instance_tree, &set->rows)
			if (!fn(&svc->node->n, &svc->s, arg))
				return;
	} else if (node != NULL) {
		if ((n = node_find(s, node)) != NULL)
			node_services(n, fn, arg);
	} else {
		WALK(n, node_tree, &s->nodes)
			if (!node_services(n, fn, arg))
				return;
	}
}

static bool
node_checks(const struct node_row *n, store_check_fn *fn, void *arg)
{
	struct check_row *c;

	WALK(c, check_tree, &n->checks)
		if (!fn(&n->n, &c->c, arg))
			return false;
	return true;
}

void
store_each_check(const struct store *s, const char *node, store_check_fn *fn,
    void *arg)
{
	struct node_row *n;

	if (node != NULL) {
		if ((n = node_find(s, node)) != NULL)
			node_checks(n, fn, arg);
		return;
	}
	WALK(n, node_tree, &s->nodes)
		if (!node_checks(n, fn, arg))
			return;
}

/*
 * Instances of one node are neighbours; their checks are merged by id, for
 * which each node's own tree already has the order.
 */
void
store_each_service_check(const struct store *s, const char *service,
    store_check_fn *fn, void *arg)
{
	struct service_set *set;
	struct service_row *svc;
	struct check_row *c;
	struct node_row *last = NULL;

	if ((set = set_find(s, service)) == NULL)
		return;
	WALK(svc, instance_tree, &set->rows) {
		if (svc->node == last)
			continue;
		last = svc->node;
		WALK(c, check_tree, &last->checks)
			if (c->service != NULL && c->service->set == set &&
			    !fn(&last->n, &c->c, arg))
				return;
	}
}

void
store_each_instance_check(const struct store *s, const char *node,
    const char *service_id, store_check_fn *fn, void *arg)
{
	struct node_row *n;
	struct service_row *svc;
	struct check_row *c;

	if ((n = node_find(s, node)) == NULL)
		return;
	TAILQ_FOREACH(c, &n->own_checks, group_entry)
		if (!fn(&n->n, &c->c, arg))
			return;
	if ((svc = service_find(n, service_id)) == NULL)
		return;
	TAILQ_FOREACH(c, &svc->checks, group_entry)
		if (!fn(&n->n, &c->c, arg))
			return;
}

static bool
node_coordinates(const struct node_row *n, store_coord_fn *fn, void *arg)
{
	struct coord_row *c;

	SLIST_FOREACH(c, &n->coords, entry)
		if (!fn(&n->n, c->segment, &c->coord, arg))
			return false;
	return true;
}

void
store_each_coordinate(const struct store *s, const char *node,
    store_coord_fn *fn, void *arg)
{
	struct node_row *n;

	if (node != NULL) {
		if ((n = node_find(s, node)) != NULL)
			node_coordinates(n, fn, arg);
		return;
	}
	WALK(n, node_tree, &s->nodes)
		if (!node_coordinates(n, fn, arg))
			return;
}

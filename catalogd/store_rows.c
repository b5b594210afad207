/*
 * Rows: putting and removing them, and which indexes that raises.  A row that
 * would be the same keeps its ModifyIndex, and nobody is woken.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/store_i.h"
#include "common/util.h"

/* ---- nodes ---- */

static void
node_unlink_id(struct store *s, struct node_row *n)
{
	if (!str_empty(n->n.id))
		RB_REMOVE(node_id_tree, &s->node_ids, n);
}

static struct node_row *
node_insert(struct store *s, struct node *src, struct changes *ch)
{
	struct node_row *n;

	n = xcalloc(1, sizeof(*n));
	RB_INIT(&n->services);
	RB_INIT(&n->checks);
	TAILQ_INIT(&n->own_checks);
	SLIST_INIT(&n->coords);
	n->n = *src;
	RB_INSERT(node_tree, &s->nodes, n);
	s->nnodes++;
	changes_name(ch, VIEW_NODE, n->n.node, true);
	return n;
}

/*
 * An indexed source (a snapshot's) keeps its indexes, otherwise they are made
 * here: the creation's of an earlier row, `index` for a change.
 */
struct node_row *
node_put(struct store *s, uint64_t index, struct node *src,
    struct changes *ch)
{
	struct node_row *n;

	n = node_find(s, src->node);
	if (n == NULL) {
		if (src->create_index == 0)
			src->create_index = index;
		src->modify_index = index;
		n = node_insert(s, src, ch);
	} else {
		if (src->create_index == 0)
			src->create_index = n->n.create_index;
		src->modify_index = n->n.modify_index;
		if (schema_equal(&node_schema, src, &n->n)) {
			schema_clear(&node_schema, src);
			return n;
		}
		src->modify_index = index;
		node_unlink_id(s, n);
		/* The key is equal but for case: the tree keeps its order. */
		schema_clear(&node_schema, &n->n);
		n->n = *src;
	}
	memset(src, 0, sizeof(*src));
	if (!str_empty(n->n.id))
		RB_INSERT(node_id_tree, &s->node_ids, n);
	s->index.nodes = index;
	changes_add(ch, WATCH_NODES, "");
	changes_add(ch, WATCH_NODE, n->n.node);
	node_touch_services(s, n, index, ch);
	return n;
}

static void
coords_remove(struct store *s, uint64_t index, struct node_row *n,
    struct changes *ch)
{
	struct coord_row *c;

	if (SLIST_EMPTY(&n->coords))
		return;
	while ((c = SLIST_FIRST(&n->coords)) != NULL) {
		SLIST_REMOVE_HEAD(&n->coords, entry);
		schema_clear(&coordinate_schema, &c->coord);
		free(c->segment);
		free(c);
	}
	s->index.coordinates = index;
	changes_add(ch, WATCH_COORDINATES, "");
}

void
node_remove(struct store *s, uint64_t index, struct node_row *n,
    struct changes *ch)
{
	struct service_row *svc;
	struct check_row *c;

	while ((svc = RB_MIN(service_tree, &n->services)) != NULL)
		service_remove(s, index, svc, ch);
	while ((c = RB_MIN(check_tree, &n->checks)) != NULL)
		check_remove(s, index, c, ch);
	coords_remove(s, index, n, ch);
	sessions_end(s, index, n->n.node, NULL, ch);
	node_unlink_id(s, n);
	RB_REMOVE(node_tree, &s->nodes, n);
	s->nnodes--;
	s->index.nodes = index;
	changes_add(ch, WATCH_NODES, "");
	changes_add(ch, WATCH_NODE, n->n.node);
	changes_name(ch, VIEW_NODE, n->n.node, false);
	schema_clear(&node_schema, &n->n);
	free(n);
}

/* ---- services ---- */

static struct named_index *
kind_index(struct store *s, const char *kind)
{
	struct named_index *x;
	char *name;

	if (str_empty(kind))
		return named_get(s, "service_kind.typical");
	xasprintf(&name, "service_kind.%s", kind);
	x = named_get(s, name);
	free(name);
	return x;
}

static void
set_join(struct store *s, struct service_row *svc, struct changes *ch)
{
	struct service_set *set;

	set = set_find(s, svc->s.service);
	if (set == NULL) {
		set = xcalloc(1, sizeof(*set));
		set->name = xstrdup(str_or(svc->s.service, ""));
		RB_INIT(&set->rows);
		RB_INSERT(set_tree, &s->sets, set);
		changes_name(ch, VIEW_SERVICE, set->name, true);
	}
	svc->set = set;
	RB_INSERT(instance_tree, &set->rows, svc);
}

/* The last instance takes the name with it, and leaves an index behind. */
static void
set_part(struct store *s, uint64_t index, struct service_row *svc,
    struct changes *ch)
{
	struct service_set *set = svc->set;

	service_touch(svc, index, ch);
	RB_REMOVE(instance_tree, &set->rows, svc);
	svc->set = NULL;
	if (!RB_EMPTY(&set->rows))
		return;
	s->index.gone = index;
	changes_name(ch, VIEW_SERVICE, set->name, false);
	RB_REMOVE(set_tree, &s->sets, set);
	free(set->name);
	free(set);
}

/* Registered on this agent or not is no property of the instance. */
static bool
service_same(struct node_service *src, const struct node_service *old)
{
	bool same, sidecar = src->sidecar;

	src->modify_index = old->modify_index;
	src->sidecar = old->sidecar;
	same = schema_equal(&node_service_schema, src, old);
	src->sidecar = sidecar;
	return same;
}

struct service_row *
service_put(struct store *s, uint64_t index, struct node_row *n,
    struct node_service *src, struct changes *ch)
{
	struct service_row *svc;

	if (src->weights == NULL) {
		src->weights = xcalloc(1, sizeof(*src->weights));
		src->weights->passing = src->weights->warning = 1;
	}
	svc = service_find(n, src->id);
	if (svc == NULL) {
		svc = xcalloc(1, sizeof(*svc));
		TAILQ_INIT(&svc->checks);
		svc->node = n;
		svc->s = *src;
		if (svc->s.create_index == 0)
			svc->s.create_index = index;
		RB_INSERT(service_tree, &n->services, svc);
		s->nservices++;
		set_join(s, svc, ch);
	} else {
		if (src->create_index == 0)
			src->create_index = svc->s.create_index;
		if (service_same(src, &svc->s)) {
			schema_clear(&node_service_schema, src);
			return svc;
		}
		if (strcasecmp(str_or(src->service, ""), svc->set->name) != 0) {
			set_part(s, index, svc, ch);
			schema_clear(&node_service_schema, &svc->s);
			svc->s = *src;
			set_join(s, svc, ch);
		} else {
			schema_clear(&node_service_schema, &svc->s);
			svc->s = *src;
		}
	}
	memset(src, 0, sizeof(*src));
	svc->s.modify_index = index;
	svc->kind = kind_index(s, svc->s.kind);
	s->index.services = index;
	service_touch(svc, index, ch);
	changes_add(ch, WATCH_SERVICES, "");
	changes_add(ch, WATCH_NODE, n->n.node);
	return svc;
}

void
service_remove(struct store *s, uint64_t index, struct service_row *svc,
    struct changes *ch)
{
	struct node_row *n = svc->node;
	struct check_row *c;

	while ((c = TAILQ_FIRST(&svc->checks)) != NULL)
		check_remove(s, index, c, ch);
	set_part(s, index, svc, ch);
	RB_REMOVE(service_tree, &n->services, svc);
	s->nservices--;
	s->index.services = index;
	changes_add(ch, WATCH_SERVICES, "");
	changes_add(ch, WATCH_NODE, n->n.node);
	schema_clear(&node_service_schema, &svc->s);
	free(svc);
}

/* ---- checks ---- */

static struct check_group *
check_group(struct check_row *c)
{
	return c->service != NULL ? &c->service->checks : &c->node->own_checks;
}

static void
check_join(struct check_row *c)
{
	struct check_group *g = check_group(c);
	struct check_row *x;

	TAILQ_FOREACH(x, g, group_entry)
		if (strcasecmp(str_or(c->c.check_id, ""),
		    str_or(x->c.check_id, "")) < 0) {
			TAILQ_INSERT_BEFORE(x, c, group_entry);
			return;
		}
	TAILQ_INSERT_TAIL(g, c, group_entry);
}

static void
check_touch(struct store *s, uint64_t index, struct check_row *c,
    struct changes *ch)
{
	s->index.checks = index;
	changes_add(ch, WATCH_CHECKS, "");
	changes_add(ch, WATCH_NODE_CHECKS, c->node->n.node);
	if (c->service != NULL) {
		service_touch(c->service, index, ch);
		changes_add(ch, WATCH_SERVICE_CHECKS, c->service->set->name);
	} else {
		node_touch_services(s, c->node, index, ch);
	}
}

/* Type is the agent's word for it and not compared: rpc.md 7.3. */
static bool
check_same(struct health_check *src, const struct health_check *old)
{
	char *type = src->type;
	bool same;

	src->modify_index = old->modify_index;
	src->type = old->type;
	same = schema_equal(&health_check_schema, src, old);
	src->type = type;
	return same;
}

void
check_put(struct store *s, uint64_t index, struct node_row *n,
    struct health_check *src, struct changes *ch)
{
	struct service_row *svc = NULL;
	struct check_row *c;

	/* Even if it was critical before. */
	if (strcmp(str_or(src->status, ""), "critical") == 0)
		sessions_end(s, index, n->n.node, str_or(src->check_id, ""),
		    ch);
	if (!str_empty(src->service_id))
		svc = service_find(n, src->service_id);
	c = check_find(n, src->check_id);
	if (c == NULL) {
		c = xcalloc(1, sizeof(*c));
		c->node = n;
		c->c = *src;
		if (c->c.create_index == 0)
			c->c.create_index = index;
		RB_INSERT(check_tree, &n->checks, c);
		s->nchecks++;
	} else {
		if (src->create_index == 0)
			src->create_index = c->c.create_index;
		if (check_same(src, &c->c)) {
			schema_clear(&health_check_schema, src);
			return;
		}
		/* It may have moved away from another service. */
		if (c->service != svc)
			check_touch(s, index, c, ch);
		TAILQ_REMOVE(check_group(c), c, group_entry);
		schema_clear(&health_check_schema, &c->c);
		c->c = *src;
	}
	memset(src, 0, sizeof(*src));
	c->c.modify_index = index;
	c->service = svc;
	check_join(c);
	check_touch(s, index, c, ch);
}

void
check_remove(struct store *s, uint64_t index, struct check_row *c,
    struct changes *ch)
{
	sessions_end(s, index, c->node->n.node, str_or(c->c.check_id, ""), ch);
	check_touch(s, index, c, ch);
	TAILQ_REMOVE(check_group(c), c, group_entry);
	RB_REMOVE(check_tree, &c->node->checks, c);
	s->nchecks--;
	schema_clear(&health_check_schema, &c->c);
	free(c);
}

/* ---- coordinates ---- */

bool
coordinate_finite(const struct coordinate *c)
{
	size_t i;

	for (i = 0; i < c->vec.n; i++)
		if (!isfinite(c->vec.item[i]))
			return false;
	return isfinite(c->error) && isfinite(c->adjustment) &&
	    isfinite(c->height);
}

bool
coordinate_put(struct store *s, uint64_t index, const char *node,
    const char *segment, const struct coordinate *src, struct changes *ch)
{
	struct node_row *n;
	struct coord_row *c, *before = NULL;

	if (!coordinate_finite(src) || (n = node_find(s, node)) == NULL)
		return false;
	segment = str_or(segment, "");
	SLIST_FOREACH(c, &n->coords, entry) {
		if (strcmp(c->segment, segment) >= 0)
			break;
		before = c;
	}
	if (c == NULL || strcmp(c->segment, segment) != 0) {
		c = xcalloc(1, sizeof(*c));
		c->segment = xstrdup(segment);
		if (before != NULL)
			SLIST_INSERT_AFTER(before, c, entry);
		else
			SLIST_INSERT_HEAD(&n->coords, c, entry);
	}
	schema_clear(&coordinate_schema, &c->coord);
	schema_copy(&coordinate_schema, &c->coord, src);
	s->index.coordinates = index;
	changes_add(ch, WATCH_COORDINATES, "");
	return true;
}

/*
 * The rules of registration (rpc.md 5.3) at the time an entry is applied.
 * What needs no store was checked before the entry was made; here is what
 * depends on the rows.  Everything is checked before the first row changes, so
 * that an entry is carried out wholly or not at all.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/store_i.h"
#include "common/util.h"

/* What a request comes to, found before anything changes. */
struct plan {
	struct node_row	*target;	/* the row of the request's name */
	struct node_row	*renamed;	/* to be removed: its ID has a new name */
	bool		 write_node;
};

static bool
serf_critical(const struct node_row *n)
{
	const struct check_row *c;

	c = check_find(n, "serfHealth");
	return c != NULL && strcmp(str_or(c->c.status, ""), "critical") == 0;
}

/*
 * The name may belong to another node, unless that one is known to be dead or,
 * for a node that is new, has no ID yet (it is adopted).
 */
static bool
name_taken(const struct register_request *req, const struct node_row *holder,
    bool may_adopt, char **error)
{
	if (holder == NULL ||
	    strcasecmp(str_or(holder->n.id, ""), str_or(req->id, "")) == 0 ||
	    serf_critical(holder) ||
	    (may_adopt && str_empty(holder->n.id)))
		return false;
	xasprintf(error, "failed inserting node: Error while renaming Node ID: "
	    "\"%s\": Node name %s is reserved by node %s with name %s (%s)",
	    str_or(req->id, ""), str_or(req->node, ""),
	    str_or(holder->n.id, ""), str_or(holder->n.node, ""),
	    str_or(holder->n.address, ""));
	return true;
}

static bool
node_differs(const struct register_request *req, const struct node *n)
{
	return strcmp(str_or(req->id, ""), str_or(n->id, "")) != 0 ||
	    strcasecmp(str_or(req->node, ""), str_or(n->node, "")) != 0 ||
	    strcmp(str_or(req->address, ""), str_or(n->address, "")) != 0 ||
	    strcmp(str_or(req->datacenter, ""),
	    str_or(n->datacenter, "")) != 0 ||
	    !strmap_equal(&req->tagged_addresses, &n->tagged_addresses) ||
	    !strmap_equal(&req->node_meta, &n->meta);
}

static bool
plan_node(const struct store *s, const struct register_request *req,
    struct plan *p, char **error)
{
	struct node_row *known;

	memset(p, 0, sizeof(*p));
	p->target = node_find(s, req->node);
	if (p->target != NULL && (req->skip_node_update ||
	    !node_differs(req, &p->target->n)))
		return true;
	p->write_node = true;
	if (str_empty(req->id))
		return true;
	known = node_find_id(s, req->id);
	if (known == NULL)
		return !name_taken(req, p->target, true, error);
	if (strcmp(str_or(known->n.node, ""), str_or(req->node, "")) == 0)
		return true;
	if (name_taken(req, p->target, false, error))
		return false;
	p->renamed = known;
	if (p->target == known)
		p->target = NULL;
	return true;
}

static bool
plan_checks(const struct register_request *req, const struct plan *p,
    char **error)
{
	const struct health_check *c;
	size_t i;

	for (i = 0; i < req->checks.n; i++) {
		c = &req->checks.item[i];
		if (strcmp(str_or(c->node, ""), str_or(req->node, "")) != 0) {
			xasprintf(error, "check node \"%s\" does not match "
			    "node \"%s\"", str_or(c->node, ""),
			    str_or(req->node, ""));
			return false;
		}
		if (!str_empty(c->service_id) &&
		    (req->service == NULL || strcasecmp(c->service_id,
		    str_or(req->service->id, "")) != 0) &&
		    (p->target == NULL ||
		    service_find(p->target, c->service_id) == NULL)) {
			xasprintf(error, "failed inserting check: Missing "
			    "service registration on node \"%s\"",
			    str_or(req->node, ""));
			return false;
		}
		if (str_empty(c->check_id)) {
			*error = xstrdup("failed inserting check: "
			    "Missing check ID");
			return false;
		}
	}
	return true;
}

/* Moves the node part out of the request. */
static void
take_node(struct register_request *req, struct node *n)
{
	memset(n, 0, sizeof(*n));
	n->id = req->id;
	n->address = req->address;
	n->datacenter = req->datacenter;
	n->tagged_addresses = req->tagged_addresses;
	n->meta = req->node_meta;
	n->node = xstrdup(str_or(req->node, ""));
	req->id = req->address = req->datacenter = NULL;
	memset(&req->tagged_addresses, 0, sizeof(req->tagged_addresses));
	memset(&req->node_meta, 0, sizeof(req->node_meta));
}

static void
write_node(struct store *s, uint64_t index, struct register_request *req,
    struct plan *p, struct changes *ch)
{
	struct node_row *known;
	struct node n;

	take_node(req, &n);
	if (p->renamed != NULL) {
		n.create_index = p->renamed->n.create_index;
		node_remove(s, index, p->renamed, ch);
	}
	/* A dead node's name goes to its successor, the ID with it. */
	known = node_find_id(s, n.id);
	if (known != NULL && known != p->target)
		node_remove(s, index, known, ch);
	p->target = node_put(s, index, &n, ch);
}

/*
 * A check has its service's name and tags as they were when it was written
 * last, so that this is not done for the rows of a snapshot.
 */
static void
take_service(const struct node_row *n, struct health_check *c)
{
	const struct service_row *svc;

	if (str_empty(c->service_id) ||
	    (svc = service_find(n, c->service_id)) == NULL)
		return;
	str_set(&c->service_name, svc->s.service);
	strs_clear(&c->service_tags);
	strs_copy(&c->service_tags, &svc->s.tags);
}

void
apply_register(struct store *s, uint64_t index, struct register_request *req,
    struct store_answer *a, struct changes *ch)
{
	struct health_check *c;
	struct plan p;
	size_t i;

	if (str_empty(req->node)) {
		a->error = xstrdup("failed inserting node: Must provide node");
		return;
	}
	if (req->service != NULL && (str_empty(req->service->id) ||
	    str_empty(req->service->service))) {
		a->error = xstrdup("failed inserting service: "
		    "Must provide service name with ID");
		return;
	}
	if (!plan_node(s, req, &p, &a->error) ||
	    !plan_checks(req, &p, &a->error))
		return;
	if (p.write_node)
		write_node(s, index, req, &p, ch);
	if (req->service != NULL) {
		req->service->create_index = 0;
		service_put(s, index, p.target, req->service, ch);
	}
	for (i = 0; i < req->checks.n; i++) {
		c = &req->checks.item[i];
		c->create_index = 0;
		if (str_empty(c->status))
			str_set(&c->status, "critical");
		take_service(p.target, c);
		check_put(s, index, p.target, c, ch);
	}
}

void
apply_deregister(struct store *s, uint64_t index,
    const struct deregister_request *req, struct changes *ch)
{
	struct service_row *svc;
	struct check_row *c;
	struct node_row *n;

	if ((n = node_find(s, req->node)) == NULL)
		return;
	if (!str_empty(req->service_id)) {
		if ((svc = service_find(n, req->service_id)) != NULL)
			service_remove(s, index, svc, ch);
	} else if (!str_empty(req->check_id)) {
		if ((c = check_find(n, req->check_id)) != NULL)
			check_remove(s, index, c, ch);
	} else {
		node_remove(s, index, n, ch);
	}
}

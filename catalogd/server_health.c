/*
 * Health.* and the dumps of Internal.*: instances with the checks that decide
 * about them, and checks by themselves.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/server_i.h"

/* ---- instances ---- */

void
health_service_nodes_depends(struct server *srv, const void *arg,
    struct depends *d)
{
	const struct service_request *req = arg;

	if (req->connect) {
		/* Proxies of any name may stand for the service. */
		d->index = store_index(srv->store)->services;
		if (store_index(srv->store)->checks > d->index)
			d->index = store_index(srv->store)->checks;
		depends_on(d, WATCH_SERVICES, "");
		depends_on(d, WATCH_CHECKS, "");
		return;
	}
	d->index = store_service_index(srv->store, req->service_name);
	depends_on(d, WATCH_SERVICE, req->service_name);
}

struct health_arg {
	const struct server		*srv;
	const struct service_request	*req;	/* NULL: take all */
	const char			*kind;	/* NULL: any */
	struct indexed_check_service_nodes a;
};

static bool
add_check(const struct node *n, const struct health_check *c, void *arg)
{
	struct health_check_vec *v = arg;

	(void)n;
	*(struct health_check *)VEC_ADD(v) = *c;
	return true;
}

static bool
wanted(const struct health_arg *x, const struct node *n,
    const struct node_service *s)
{
	const struct service_request *req = x->req;
	const char *kind = str_or(s->kind, "");

	if (x->kind != NULL && strcmp(kind, x->kind) != 0)
		return false;
	if (req == NULL)
		return true;
	if (req->ingress)
		return false;
	if (req->connect && (strcmp(kind, "connect-proxy") == 0 ?
	    strcasecmp(str_or(s->proxy.destination_service_name, ""),
	    str_or(req->service_name, "")) != 0 :
	    !s->connect.native || strcasecmp(str_or(s->service, ""),
	    str_or(req->service_name, "")) != 0))
		return false;
	return tags_match(&s->tags, req) &&
	    node_meta_matches(n, &req->node_meta_filters);
}

static bool
add_health(const struct node *n, const struct node_service *s, void *arg)
{
	struct health_arg *x = arg;
	struct check_service_node *e;

	if (!wanted(x, n, s))
		return true;
	e = VEC_ADD(&x->a.nodes);
	e->node = *n;
	e->service = *s;
	store_each_instance_check(x->srv->store, n->node, s->id, add_check,
	    &e->checks);
	return true;
}

static const char *
instance_node(const void *item)
{
	return ((const struct check_service_node *)item)->node.node;
}

static void
reply_health(struct health_arg *x, struct reply *r)
{
	size_t i;

	reply_schema(r, &indexed_check_service_nodes_schema, &x->a);
	for (i = 0; i < x->a.nodes.n; i++)
		free(x->a.nodes.item[i].checks.item);
	free(x->a.nodes.item);
}

void
health_service_nodes_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct service_request *req = arg;
	struct health_arg x;

	if (str_empty(req->service_name)) {
		reply_error(r, "Must provide service name");
		return;
	}
	memset(&x, 0, sizeof(x));
	x.srv = srv;
	x.req = req;
	META_PUT(&x.a, meta);
	store_each_service(srv->store, NULL, req->connect ? NULL :
	    req->service_name, add_health, &x);
	near_sort(srv, &req->source, x.a.nodes.item, x.a.nodes.n,
	    sizeof(*x.a.nodes.item), instance_node);
	reply_health(&x, r);
}

/* ---- checks ---- */

struct checks_arg {
	const struct strmap		*meta_filters;	/* NULL: none */
	const char			*state;		/* NULL: any */
	struct indexed_health_checks	 a;
};

static bool
add_matching(const struct node *n, const struct health_check *c, void *arg)
{
	struct checks_arg *x = arg;

	if ((x->state == NULL || strcmp(x->state,
	    str_or(c->status, "")) == 0) && (x->meta_filters == NULL ||
	    node_meta_matches(n, x->meta_filters)))
		*(struct health_check *)VEC_ADD(&x->a.checks) = *c;
	return true;
}

static void
reply_checks(struct checks_arg *x, const struct query_meta *meta,
    struct reply *r)
{
	META_PUT(&x->a, meta);
	reply_schema(r, &indexed_health_checks_schema, &x->a);
	free(x->a.checks.item);
}

static const char *
check_node(const void *item)
{
	return ((const struct health_check *)item)->node;
}

static void
sort_checks(const struct server *srv, const struct query_source *from,
    struct checks_arg *x)
{
	near_sort(srv, from, x->a.checks.item, x->a.checks.n,
	    sizeof(*x->a.checks.item), check_node);
}

void
health_service_checks_depends(struct server *srv, const void *arg,
    struct depends *d)
{
	const struct service_request *req = arg;

	d->index = store_index(srv->store)->checks;
	depends_on(d, WATCH_SERVICE_CHECKS, req->service_name);
}

void
health_service_checks_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct service_request *req = arg;
	struct checks_arg x;

	memset(&x, 0, sizeof(x));
	x.meta_filters = &req->node_meta_filters;
	store_each_service_check(srv->store, req->service_name, add_matching,
	    &x);
	sort_checks(srv, &req->source, &x);
	reply_checks(&x, meta, r);
}

void
health_node_checks_depends(struct server *srv, const void *arg,
    struct depends *d)
{
	const struct node_request *req = arg;

	d->index = store_index(srv->store)->checks;
	depends_on(d, WATCH_NODE_CHECKS, req->node);
}

void
health_node_checks_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct node_request *req = arg;
	struct checks_arg x;

	memset(&x, 0, sizeof(x));
	store_each_check(srv->store, str_or(req->node, ""), add_matching, &x);
	reply_checks(&x, meta, r);
}

void
health_checks_in_state_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)req;
	d->index = store_index(srv->store)->checks;
	depends_on(d, WATCH_CHECKS, "");
}

void
health_checks_in_state_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct checks_request *req = arg;
	struct checks_arg x;

	memset(&x, 0, sizeof(x));
	x.meta_filters = &req->node_meta_filters;
	if (strcmp(str_or(req->state, ""), "any") != 0)
		x.state = str_or(req->state, "");
	store_each_check(srv->store, NULL, add_matching, &x);
	sort_checks(srv, &req->source, &x);
	reply_checks(&x, meta, r);
}

/* ---- dumps ---- */

static uint64_t
highest_index(const struct server *srv)
{
	const struct store_index *ix = store_index(srv->store);
	uint64_t max = ix->nodes;

	if (ix->services > max)
		max = ix->services;
	return ix->checks > max ? ix->checks : max;
}

struct dump_arg {
	const struct server		*srv;
	struct indexed_node_dump	 a;
};

static bool
add_service(const struct node *n, const struct node_service *s, void *arg)
{
	struct node_service_vec *v = arg;

	(void)n;
	*(struct node_service *)VEC_ADD(v) = *s;
	return true;
}

static bool
add_info(const struct node *n, void *arg)
{
	struct dump_arg *x = arg;
	struct node_info *i;

	i = VEC_ADD(&x->a.dump);
	i->id = n->id;
	i->node = n->node;
	i->address = n->address;
	i->tagged_addresses = n->tagged_addresses;
	i->meta = n->meta;
	store_each_service(x->srv->store, n->node, NULL, add_service,
	    &i->services);
	store_each_check(x->srv->store, n->node, add_check, &i->checks);
	return true;
}

static void
reply_dump(struct dump_arg *x, const struct query_meta *meta, struct reply *r)
{
	size_t i;

	META_PUT(&x->a, meta);
	reply_schema(r, &indexed_node_dump_schema, &x->a);
	for (i = 0; i < x->a.dump.n; i++) {
		free(x->a.dump.item[i].services.item);
		free(x->a.dump.item[i].checks.item);
	}
	free(x->a.dump.item);
}

void
internal_node_info_depends(struct server *srv, const void *arg,
    struct depends *d)
{
	const struct node_request *req = arg;

	d->index = highest_index(srv);
	depends_on(d, WATCH_NODE, req->node);
	depends_on(d, WATCH_NODE_CHECKS, req->node);
}

void
internal_node_info_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct node_request *req = arg;
	const struct node *n;
	struct dump_arg x;

	memset(&x, 0, sizeof(x));
	x.srv = srv;
	if ((n = store_node(srv->store, req->node)) != NULL)
		add_info(n, &x);
	reply_dump(&x, meta, r);
}

/* Any node, service or check. */
static void
depends_on_all(const struct server *srv, struct depends *d)
{
	d->index = highest_index(srv);
	depends_on(d, WATCH_SERVICES, "");
	depends_on(d, WATCH_CHECKS, "");
	depends_on(d, WATCH_NODES, "");
}

void
internal_node_dump_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)req;
	depends_on_all(srv, d);
}

void
internal_node_dump_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct dump_arg x;

	(void)req;
	memset(&x, 0, sizeof(x));
	x.srv = srv;
	store_each_node(srv->store, add_info, &x);
	reply_dump(&x, meta, r);
}

void
internal_service_dump_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)req;
	depends_on_all(srv, d);
}

static bool
add_health_of(const char *name, void *arg)
{
	struct health_arg *x = arg;

	store_each_service(x->srv->store, NULL, name, add_health, x);
	return true;
}

void
internal_service_dump_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct service_dump_request *req = arg;
	struct health_arg x;

	memset(&x, 0, sizeof(x));
	x.srv = srv;
	if (req->use_service_kind)
		x.kind = str_or(req->service_kind, "");
	META_PUT(&x.a, meta);
	store_each_name(srv->store, add_health_of, &x);
	reply_health(&x, r);
}

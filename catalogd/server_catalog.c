/*
 * Catalog.*: registration as far as it is checked before the log, and the
 * lists.  Answers are put together of rows that stay the store's.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/server_i.h"
#include "common/mp.h"

static uint64_t
max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- writing ---- */

static const char *
uuid_error(const char *id)
{
	if (strlen(id) != 36)
		return "uuid string is wrong length";
	return uuid_valid(id) ? NULL : "uuid is improperly formatted";
}

static bool
is_any_address(const char *a)
{
	return strcmp(a, "0.0.0.0") == 0 || strcmp(a, "::") == 0 ||
	    strcmp(a, "[::]") == 0;
}

void
check_node_id(const char *id, struct reply *r)
{
	const char *bad;

	if (!str_empty(id) && (bad = uuid_error(id)) != NULL)
		reply_error(r, "Bad node ID: %s", bad);
}

void
check_service(struct node_service *s, struct reply *r)
{
	if (str_empty(s->service)) {
		/* The second is what Consul's table of services says. */
		reply_error(r, !str_empty(s->id) ?
		    "Must provide service name with ID" :
		    "failed inserting service: failed inserting service: "
		    "object missing primary index");
		return;
	}
	if (str_empty(s->id))
		str_set(&s->id, s->service);
	if (is_any_address(str_or(s->address, "")))
		reply_error(r, "Invalid service address");
	if (s->weights == NULL) {
		s->weights = xcalloc(1, sizeof(*s->weights));
		s->weights->passing = s->weights->warning = 1;
	}
}

/* The kind of check that a definition makes; "" when it makes none. */
static const char *
type_of(const struct check_definition *d)
{
	return !str_empty(d->http) ? "http" : !str_empty(d->tcp) ? "tcp" : "";
}

/* The old single form joins the list, behind what is in it. */
static void
fold_checks(struct register_request *req)
{
	struct health_check *c;
	size_t i;

	if (req->check != NULL) {
		c = VEC_ADD(&req->checks);
		*c = *req->check;
		free(req->check);
		req->check = NULL;
	}
	for (i = 0; i < req->checks.n; i++) {
		c = &req->checks.item[i];
		if (str_empty(c->check_id))
			str_set(&c->check_id, c->name);
		if (str_empty(c->node))
			str_set(&c->node, req->node);
		if (str_empty(c->status))
			str_set(&c->status, "critical");
		if (str_empty(c->type))
			str_set(&c->type, type_of(&c->definition));
	}
}

void
catalog_register_write(struct server *srv, void *arg, struct wbuf *entry,
    struct reply *r)
{
	struct register_request *req = arg;

	(void)srv;
	if (str_empty(req->node))
		reply_error(r, "Must provide node");
	else if (str_empty(req->address) && !req->skip_node_update)
		reply_error(r,
		    "Must provide address if SkipNodeUpdate is not set");
	else
		check_node_id(req->id, r);
	if (r->error == NULL && req->service != NULL)
		check_service(req->service, r);
	if (r->error != NULL)
		return;
	fold_checks(req);
	/* Tokens are judged here, they have no business in the log. */
	str_set(&req->token, NULL);
	store_entry_register(entry, req);
}

void
catalog_deregister_write(struct server *srv, void *arg, struct wbuf *entry,
    struct reply *r)
{
	struct deregister_request *req = arg;

	(void)srv;
	if (str_empty(req->node)) {
		reply_error(r, "Must provide node");
		return;
	}
	str_set(&req->token, NULL);
	store_entry_deregister(entry, req);
}

/* ---- filters ---- */

bool
node_meta_matches(const struct node *n, const struct strmap *filters)
{
	const char *v;
	size_t i;

	for (i = 0; i < filters->n; i++) {
		v = strmap_get(&n->meta, filters->item[i].key);
		if (v == NULL ||
		    strcmp(v, str_or(filters->item[i].val, "")) != 0)
			return false;
	}
	return true;
}

/* ServiceTags count only with TagFilter; the old single form goes first. */
bool
tags_match(const struct strs *tags, const struct service_request *req)
{
	size_t i;

	if (!req->tag_filter)
		return true;
	if (!str_empty(req->service_tag))
		return strs_has_nocase(tags, req->service_tag);
	for (i = 0; i < req->service_tags.n; i++)
		if (!strs_has_nocase(tags, str_or(req->service_tags.item[i],
		    "")))
			return false;
	return true;
}

/* ---- nodes ---- */

void
catalog_list_nodes_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)req;
	d->index = store_index(srv->store)->nodes;
	depends_on(d, WATCH_NODES, "");
}

struct nodes_arg {
	const struct dc_request	*req;
	struct indexed_nodes	 a;
};

static bool
add_node(const struct node *n, void *arg)
{
	struct nodes_arg *x = arg;

	if (node_meta_matches(n, &x->req->node_meta_filters))
		*(struct node *)VEC_ADD(&x->a.nodes) = *n;
	return true;
}

static const char *
node_name(const void *item)
{
	return ((const struct node *)item)->node;
}

void
catalog_list_nodes_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct nodes_arg x;

	memset(&x, 0, sizeof(x));
	x.req = req;
	META_PUT(&x.a, meta);
	store_each_node(srv->store, add_node, &x);
	near_sort(srv, &x.req->source, x.a.nodes.item, x.a.nodes.n,
	    sizeof(*x.a.nodes.item), node_name);
	reply_schema(r, &indexed_nodes_schema, &x.a);
	free(x.a.nodes.item);
}

/* ---- services by name ---- */

void
catalog_list_services_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)req;
	d->index = store_index(srv->store)->services;
	depends_on(d, WATCH_SERVICES, "");
}

/* Tags seen already, by address: an open table of twice the size. */
struct tag_set {
	const char	**slot;
	size_t		  cap, n;
};

static bool
tag_set_add(struct tag_set *t, const char *tag)
{
	const char **old = t->slot;
	size_t i, at, old_cap = t->cap;

	if (t->n * 2 >= t->cap) {
		t->cap = old_cap == 0 ? 64 : old_cap * 2;
		t->slot = xcalloc(t->cap, sizeof(*t->slot));
		t->n = 0;
		for (i = 0; i < old_cap; i++)
			if (old[i] != NULL)
				tag_set_add(t, old[i]);
		free(old);
	}
	at = (size_t)hash_bytes(tag, strlen(tag), 0) & (t->cap - 1);
	for (; t->slot[at] != NULL; at = (at + 1) & (t->cap - 1))
		if (strcmp(t->slot[at], tag) == 0)
			return false;
	t->slot[at] = tag;
	t->n++;
	return true;
}

struct services_arg {
	const struct dc_request	*req;
	const struct server	*srv;
	struct wbuf		*w;
	struct tag_set		 tags;
	size_t			 ntags, nservices;
	struct wbuf		 list;	/* the tags of one service */
	struct wbuf		 all;	/* the services */
};

static bool
add_tags(const struct node *n, const struct node_service *s, void *arg)
{
	struct services_arg *x = arg;
	const char *tag;
	size_t i;

	if (!node_meta_matches(n, &x->req->node_meta_filters))
		return true;
	x->nservices = 1;
	for (i = 0; i < s->tags.n; i++) {
		tag = str_or(s->tags.item[i], "");
		if (!tag_set_add(&x->tags, tag))
			continue;
		mp_str(&x->list, tag);
		x->ntags++;
	}
	return true;
}

static bool
add_service_tags(const char *name, void *arg)
{
	struct services_arg *x = arg;
	size_t total = x->nservices;

	memset(&x->tags, 0, sizeof(x->tags));
	wb_reset(&x->list);
	x->ntags = 0;
	x->nservices = 0;
	store_each_service(x->srv->store, NULL, name, add_tags, x);
	free(x->tags.slot);
	if (x->nservices > 0) {
		mp_str(&x->all, name);
		mp_array(&x->all, x->ntags);
		wb_bytes(&x->all, x->list.p, x->list.len);
	}
	x->nservices += total;
	return true;
}

/* 100,000 instances: written directly, without a struct in between. */
void
catalog_list_services_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct services_arg x;

	memset(&x, 0, sizeof(x));
	x.req = req;
	x.srv = srv;
	wb_init(&x.list, 0);
	wb_init(&x.all, 0);
	store_each_name(srv->store, add_service_tags, &x);
	mp_map(&r->body, 5);
	mp_str(&r->body, "ConsistencyLevel");
	mp_str(&r->body, meta->consistency_level);
	mp_str(&r->body, "Index");
	mp_uint(&r->body, meta->index);
	mp_str(&r->body, "KnownLeader");
	mp_bool(&r->body, meta->known_leader);
	mp_str(&r->body, "LastContact");
	mp_int(&r->body, meta->last_contact);
	mp_str(&r->body, "Services");
	mp_map(&r->body, x.nservices);
	wb_bytes(&r->body, x.all.p, x.all.len);
	wb_free(&x.all);
	wb_free(&x.list);
}

void
catalog_service_list_depends(struct server *srv, const void *req,
    struct depends *d)
{
	catalog_list_services_depends(srv, req, d);
}

static bool
add_name(const char *name, void *arg)
{
	struct indexed_service_list *a = arg;
	struct service_name *x;

	x = VEC_ADD(&a->services);
	x->name = (char *)(uintptr_t)name;
	return true;
}

void
catalog_service_list_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct indexed_service_list a;

	(void)req;
	memset(&a, 0, sizeof(a));
	META_PUT(&a, meta);
	a.services.set = true;
	store_each_name(srv->store, add_name, &a);
	reply_schema(r, &indexed_service_list_schema, &a);
	free(a.services.item);
}

/* ---- instances ---- */

void
catalog_service_nodes_depends(struct server *srv, const void *arg,
    struct depends *d)
{
	const struct service_request *req = arg;

	/* By address alone, or by what a proxy stands for: any service. */
	if (str_empty(req->service_name) || req->connect) {
		d->index = max64(store_index(srv->store)->services,
		    store_index(srv->store)->nodes);
		depends_on(d, WATCH_SERVICES, "");
		depends_on(d, WATCH_NODES, "");
		return;
	}
	d->index = store_service_index(srv->store, req->service_name);
	depends_on(d, WATCH_SERVICE, req->service_name);
}

/* A row joined with its node; nothing of it is owned. */
static void
service_node_of(struct service_node *x, const struct node *n,
    const struct node_service *s)
{
	memset(x, 0, sizeof(*x));
	x->id = n->id;
	x->node = n->node;
	x->address = n->address;
	x->datacenter = n->datacenter;
	x->tagged_addresses = n->tagged_addresses;
	x->node_meta = n->meta;
	x->service_kind = s->kind;
	x->service_id = s->id;
	x->service_name = s->service;
	x->service_tags = s->tags;
	x->service_address = s->address;
	x->service_tagged_addresses = s->tagged_addresses;
	x->service_weights.passing = s->weights != NULL ?
	    s->weights->passing : 1;
	x->service_weights.warning = s->weights != NULL ?
	    s->weights->warning : 1;
	x->service_meta = s->meta;
	x->service_meta.set = true;	/* Consul copies it: empty, never nil */
	x->service_port = s->port;
	x->service_enable_tag_override = s->enable_tag_override;
	x->service_proxy = s->proxy;
	x->service_connect = s->connect;
	x->create_index = s->create_index;
	x->modify_index = s->modify_index;
}

struct instances_arg {
	const struct service_request	*req;
	struct indexed_service_nodes	 a;
};

/* ServiceAddress matches the instance's own, or the node's where it has none.*/
static bool
address_matches(const struct node *n, const struct node_service *s,
    const char *want)
{
	if (str_empty(want))
		return true;
	return strcmp(str_empty(s->address) ? str_or(n->address, "") :
	    s->address, want) == 0;
}

static bool
connect_matches(const struct node_service *s, const char *name)
{
	return strcmp(str_or(s->kind, ""), "connect-proxy") == 0 ?
	    strcasecmp(str_or(s->proxy.destination_service_name, ""),
	    name) == 0 :
	    s->connect.native && strcasecmp(str_or(s->service, ""), name) == 0;
}

static bool
add_instance(const struct node *n, const struct node_service *s, void *arg)
{
	struct instances_arg *x = arg;
	const struct service_request *req = x->req;

	if (req->connect &&
	    !connect_matches(s, str_or(req->service_name, "")))
		return true;
	if (tags_match(&s->tags, req) &&
	    address_matches(n, s, req->service_address) &&
	    node_meta_matches(n, &req->node_meta_filters))
		service_node_of(VEC_ADD(&x->a.service_nodes), n, s);
	return true;
}

static const char *
instance_node(const void *item)
{
	return ((const struct service_node *)item)->node;
}

void
catalog_service_nodes_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct service_request *req = arg;
	struct instances_arg x;

	if (str_empty(req->service_name) && str_empty(req->service_address)) {
		reply_error(r, "Must provide service name");
		return;
	}
	memset(&x, 0, sizeof(x));
	x.req = req;
	META_PUT(&x.a, meta);
	store_each_service(srv->store, NULL, str_empty(req->service_name) ||
	    req->connect ? NULL : req->service_name, add_instance, &x);
	near_sort(srv, &req->source, x.a.service_nodes.item,
	    x.a.service_nodes.n, sizeof(*x.a.service_nodes.item),
	    instance_node);
	reply_schema(r, &indexed_service_nodes_schema, &x.a);
	free(x.a.service_nodes.item);
}

/* ---- one node's services ---- */

struct by_id {
	const char		*prefix;
	size_t			 len;
	const struct node	*found;
	size_t			 n;
};

static bool
match_id(const struct node *n, void *arg)
{
	struct by_id *b = arg;

	if (strncasecmp(str_or(n->id, ""), b->prefix, b->len) == 0) {
		b->found = n;
		b->n++;
	}
	return b->n < 2;
}

const struct node *
node_by_name_or_id(const struct server *srv, const char *name)
{
	const struct node *n;
	struct by_id b;

	if ((n = store_node(srv->store, name)) != NULL)
		return n;
	memset(&b, 0, sizeof(b));
	b.prefix = str_or(name, "");
	b.len = strlen(b.prefix);
	if (b.len < 2 || strspn(b.prefix, "0123456789abcdefABCDEF-") != b.len)
		return NULL;
	store_each_node(srv->store, match_id, &b);
	return b.n == 1 ? b.found : NULL;
}

void
catalog_node_services_depends(struct server *srv, const void *arg,
    struct depends *d)
{
	const struct store_index *ix = store_index(srv->store);
	const struct node_request *req = arg;
	const struct node *n;

	n = node_by_name_or_id(srv, req->node);
	/* An unknown node has no index yet; by any name it may come to be. */
	d->index = n != NULL ? max64(ix->nodes, ix->services) : 0;
	depends_on(d, WATCH_NODE, n != NULL ? n->node : req->node);
	if (n == NULL)
		depends_on(d, WATCH_NODES, "");
}

static bool
add_to_map(const struct node *n, const struct node_service *s, void *arg)
{
	struct node_services *a = arg;
	struct node_service_pair *p;

	(void)n;
	p = VEC_ADD(&a->services);
	p->key = s->id;
	p->val = *s;
	return true;
}

void
catalog_node_services_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct node_request *req = arg;
	struct indexed_node_services a;
	struct node_services ns;
	const struct node *n;

	if (str_empty(req->node)) {
		reply_error(r, "Must provide node");
		return;
	}
	memset(&a, 0, sizeof(a));
	memset(&ns, 0, sizeof(ns));
	META_PUT(&a, meta);
	if ((n = node_by_name_or_id(srv, req->node)) != NULL) {
		ns.node = (struct node *)(uintptr_t)n;
		ns.services.set = true;
		store_each_service(srv->store, n->node, NULL, add_to_map, &ns);
		a.node_services = &ns;
	}
	reply_schema(r, &indexed_node_services_schema, &a);
	free(ns.services.item);
}

void
catalog_node_service_list_depends(struct server *srv, const void *arg,
    struct depends *d)
{
	catalog_node_services_depends(srv, arg, d);
}

static bool
add_to_list(const struct node *n, const struct node_service *s, void *arg)
{
	struct node_service_vec *v = arg;

	(void)n;
	*(struct node_service *)VEC_ADD(v) = *s;
	return true;
}

void
catalog_node_service_list_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct node_request *req = arg;
	struct indexed_node_service_list a;
	const struct node *n;

	if (str_empty(req->node)) {
		reply_error(r, "Must provide node");
		return;
	}
	memset(&a, 0, sizeof(a));
	META_PUT(&a, meta);
	if ((n = node_by_name_or_id(srv, req->node)) != NULL) {
		a.node_services.node = (struct node *)(uintptr_t)n;
		store_each_service(srv->store, n->node, NULL, add_to_list,
		    &a.node_services.services);
	}
	reply_schema(r, &indexed_node_service_list_schema, &a);
	free(a.node_services.services.item);
}

/* ---- gateways: none are configured, none will be ---- */

void
catalog_gateway_services_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)srv;
	(void)req;
	d->index = 1;
	depends_on(d, WATCH_SERVICE, "");
}

void
catalog_gateway_services_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct indexed_service_list a;

	(void)srv;
	(void)req;
	memset(&a, 0, sizeof(a));
	META_PUT(&a, meta);
	reply_schema(r, &indexed_service_list_schema, &a);
}

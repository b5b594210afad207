/*
 * PreparedQuery.*: what is judged before the log, and carrying a query out:
 * instances that are healthy enough and fit, shuffled, those nearby first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/server_i.h"
#include "catalogd/template.h"
#include "common/mp.h"

/* Of the nearest only so many are looked at for the asked node itself. */
#define NEAREST_LOOKED_AT 10

/* ---- writing ---- */

/* What Consul shows in place of a token; it must not come back as one. */
#define REDACTED "<hidden>"

static void
judge_ttl(const char *ttl, struct reply *r)
{
	int64_t ns;

	if (str_empty(ttl))
		return;
	if (dur_parse(ttl, &ns) == -1)
		reply_error(r, "Invalid prepared query: Bad DNS TTL '%s': "
		    "time: invalid duration \"%s\"", ttl, ttl);
	else if (ns < 0)
		reply_error(r, "Invalid prepared query: DNS TTL '%lld', must "
		    "be >=0", (long long)ns);
}

static void
judge_query(const struct prepared_query *q, struct reply *r)
{
	struct template *t;
	char *why = NULL;

	if (str_empty(q->name) && !template_is(q) && str_empty(q->session))
		reply_error(r, "Invalid prepared query: Must be bound to a "
		    "session");
	else if (strcmp(str_or(q->token, ""), REDACTED) == 0)
		reply_error(r, "Invalid prepared query: Bad Token '%s', it "
		    "looks like a query definition with a redacted token was "
		    "submitted", q->token);
	else if (str_empty(q->service.service))
		reply_error(r, "Invalid prepared query: Must provide a Service "
		    "name to query");
	else if (q->service.failover.nearest_n < 0)
		reply_error(r, "Invalid prepared query: Bad NearestN '%lld', "
		    "must be >= 0", (long long)q->service.failover.nearest_n);
	else
		judge_ttl(q->dns.ttl, r);
	if (r->error != NULL || !template_is(q))
		return;
	if ((t = template_new(q, &why)) == NULL)
		reply_error(r, "failed compiling template: %s", why);
	template_free(t);
	free(why);
}

static void
make_id(const struct server *srv, struct prepared_query *q, struct reply *r)
{
	char id[37];

	if (!str_empty(q->id)) {
		reply_error(r, "ID must be empty when creating a new prepared "
		    "query");
		return;
	}
	do
		uuid_make(id);
	while (store_query(srv->store, id) != NULL);
	str_set(&q->id, id);
}

static void
known_id(const struct server *srv, const struct prepared_query *q,
    struct reply *r)
{
	const char *bad = store_id_error(q->id);

	if (bad != NULL)
		reply_error(r, "Prepared Query lookup failed: failed prepared "
		    "query lookup: index error: %s", bad);
	else if (store_query(srv->store, q->id) == NULL)
		reply_error(r, "Cannot modify non-existent prepared query: "
		    "'%s'", q->id);
}

void
query_apply_write(struct server *srv, void *arg, struct wbuf *entry,
    struct reply *r)
{
	struct query_request *req = arg;
	const char *op = str_or(req->op, "");

	if (strcmp(op, "create") == 0)
		make_id(srv, &req->query, r);
	else
		known_id(srv, &req->query, r);
	if (r->error == NULL && strcmp(op, "delete") != 0) {
		if (strcmp(op, "create") != 0 && strcmp(op, "update") != 0)
			reply_error(r, "Unknown prepared query operation: %s",
			    op);
		else
			judge_query(&req->query, r);
	}
	if (r->error != NULL)
		return;
	str_set(&req->token, NULL);
	store_entry_query(entry, req);
}

/* ---- reading ---- */

static bool
add_query(const struct prepared_query *q, void *arg)
{
	struct indexed_queries *a = arg;

	*(struct prepared_query *)VEC_ADD(&a->queries) = *q;
	return true;
}

static void
reply_queries(struct indexed_queries *a, const struct query_meta *meta,
    struct reply *r)
{
	META_PUT(a, meta);
	reply_schema(r, &indexed_queries_schema, a);
	free(a->queries.item);
}

void
query_get_depends(struct server *srv, const void *arg, struct depends *d)
{
	const struct query_id_request *req = arg;

	d->index = store_index(srv->store)->queries;
	depends_on(d, WATCH_QUERY, req->query_id);
}

void
query_get_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct query_id_request *req = arg;
	const char *bad = store_id_error(req->query_id);
	const struct prepared_query *q;
	struct indexed_queries a;

	if (bad != NULL) {
		reply_error(r, "failed prepared query lookup: index error: %s",
		    bad);
		return;
	}
	if ((q = store_query(srv->store, req->query_id)) == NULL) {
		reply_error(r, "Query not found");
		return;
	}
	memset(&a, 0, sizeof(a));
	add_query(q, &a);
	reply_queries(&a, meta, r);
}

void
query_list_depends(struct server *srv, const void *req, struct depends *d)
{
	(void)req;
	d->index = store_index(srv->store)->queries;
	depends_on(d, WATCH_QUERIES, "");
}

void
query_list_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct indexed_queries a;

	(void)req;
	memset(&a, 0, sizeof(a));
	store_each_query(srv->store, add_query, &a);
	reply_queries(&a, meta, r);
}

/* ---- which instances ---- */

struct execute {
	const struct server		*srv;
	const struct query_service	*want;
	bool				 connect;
	struct query_execute_response	 out;
	struct check_service_node	*now;	/* being put together */
	bool				 sick;
};

static bool
add_check(const struct node *n, const struct health_check *c, void *arg)
{
	const char *status = str_or(c->status, "");
	struct execute *x = arg;

	(void)n;
	*(struct health_check *)VEC_ADD(&x->now->checks) = *c;
	if (strs_has(&x->want->ignore_check_ids, c->check_id))
		return true;
	if (strcmp(status, "critical") == 0 ||
	    (x->want->only_passing && strcmp(status, "passing") != 0))
		x->sick = true;
	return true;
}

/* All of them; "!tag" must not be there. */
static bool
tags_fit(const struct strs *want, const struct strs *tags)
{
	const char *tag;
	size_t i;

	for (i = 0; i < want->n; i++) {
		tag = str_or(want->item[i], "");
		if (strs_has_nocase(tags, tag[0] == '!' ? tag + 1 : tag) ==
		    (tag[0] == '!'))
			return false;
	}
	return true;
}

static bool
meta_fits(const struct strmap *want, const struct strmap *meta)
{
	const char *v;
	size_t i;

	for (i = 0; i < want->n; i++) {
		v = strmap_get(meta, want->item[i].key);
		if (v == NULL || strcmp(v, str_or(want->item[i].val, "")) != 0)
			return false;
	}
	return true;
}

static bool
connect_fits(const struct execute *x, const struct node_service *s)
{
	const char *name = str_or(x->want->service, "");

	if (strcmp(str_or(s->kind, ""), "connect-proxy") == 0)
		return strcasecmp(str_or(s->proxy.destination_service_name,
		    ""), name) == 0;
	return s->connect.native &&
	    strcasecmp(str_or(s->service, ""), name) == 0;
}

static bool
add_instance(const struct node *n, const struct node_service *s, void *arg)
{
	struct execute *x = arg;
	struct check_service_node *e;

	if (x->connect && !connect_fits(x, s))
		return true;
	if (!meta_fits(&x->want->node_meta, &n->meta) ||
	    !meta_fits(&x->want->service_meta, &s->meta) ||
	    !tags_fit(&x->want->tags, &s->tags))
		return true;
	e = VEC_ADD(&x->out.nodes);
	e->node = *n;
	e->service = *s;
	x->now = e;
	x->sick = false;
	store_each_instance_check(x->srv->store, n->node, s->id, add_check, x);
	if (x->sick) {
		free(e->checks.item);
		x->out.nodes.n--;
	}
	return true;
}

/* ---- their order ---- */

static void
swap(struct check_service_node *a, struct check_service_node *b)
{
	struct check_service_node t = *a;

	*a = *b;
	*b = t;
}

static void
shuffle(struct rng *rng, struct check_service_node_vec *v)
{
	size_t i;

	for (i = v->n; i > 1; i--)
		swap(&v->item[i - 1], &v->item[rng_below(rng, (uint32_t)i)]);
}

static const char *
instance_node(const void *item)
{
	return ((const struct check_service_node *)item)->node.node;
}

struct by_ip { const char *ip; const char *node; };

static bool
find_ip(const struct node *n, void *arg)
{
	struct by_ip *b = arg;

	if (strcmp(str_or(n->address, ""), b->ip) != 0)
		return true;
	b->node = n->node;
	return false;
}

/* Whom to be near to: as the client says, else the query. */
static void
near_whom(const struct server *srv, const struct prepared_query *q,
    const struct query_execute_request *req, struct query_source *qs)
{
	struct by_ip b = { str_or(req->source.ip, ""), NULL };

	*qs = req->source;
	if (str_empty(qs->datacenter))
		qs->datacenter = req->agent.datacenter;
	if (str_empty(qs->node))
		qs->node = q->service.near;
	if (strcmp(str_or(qs->node, ""), "_agent") == 0) {
		qs->node = req->agent.node;
	} else if (strcmp(str_or(qs->node, ""), "_ip") == 0) {
		if (b.ip[0] != '\0')
			store_each_node(srv->store, find_ip, &b);
		qs->node = (char *)(uintptr_t)b.node;
	}
}

/* The node itself comes first, if it is among the nearest. */
static void
itself_first(const struct query_source *qs, struct check_service_node_vec *v)
{
	size_t i;

	for (i = 0; i < v->n && i < NEAREST_LOOKED_AT; i++)
		if (strcasecmp(str_or(v->item[i].node.node, ""),
		    qs->node) == 0) {
			swap(&v->item[0], &v->item[i]);
			return;
		}
}

static void
put_in_order(struct server *srv, const struct prepared_query *q,
    const struct query_execute_request *req, struct check_service_node_vec *v)
{
	struct query_source qs;

	shuffle(&srv->rng, v);
	near_whom(srv, q, req, &qs);
	if (str_empty(qs.node))
		return;
	near_sort(srv, &qs, v->item, v->n, sizeof(*v->item), instance_node);
	if (strcmp(str_or(qs.datacenter, ""),
	    str_or(srv->agent.datacenter, "")) == 0)
		itself_first(&qs, v);
}

/* ---- carrying out ---- */

bool
query_resolve(const struct server *srv, const struct query_execute_request *req,
    struct prepared_query *q, struct reply *r)
{
	char *error = NULL;
	int rc;

	rc = store_query_resolve(srv->store, req->query, req->agent.segment, q,
	    &error);
	if (rc == 0)
		reply_error(r, "Query not found");
	else if (rc == -1)
		reply_error(r, "%s", error);
	free(error);
	return rc == 1;
}

static void
find_instances(const struct server *srv, const struct prepared_query *q,
    bool connect, struct execute *x)
{
	memset(x, 0, sizeof(*x));
	x->srv = srv;
	x->want = &q->service;
	x->connect = connect || q->service.connect;
	store_each_service(srv->store, NULL, x->connect ? NULL :
	    str_or(q->service.service, ""), add_instance, x);
	x->out.nodes.set = true;
}

static void
free_instances(struct execute *x)
{
	size_t i;

	for (i = 0; i < x->out.nodes.n; i++)
		free(x->out.nodes.item[i].checks.item);
	free(x->out.nodes.item);
}

static void
reply_found(struct server *srv, const struct prepared_query *q,
    struct execute *x, int64_t limit, const struct query_meta *meta,
    struct reply *r)
{
	struct query_execute_response out = x->out;

	if (limit > 0 && (uint64_t)limit < out.nodes.n)
		out.nodes.n = (size_t)limit;
	out.service = q->service.service;
	out.dns = q->dns;
	out.datacenter = srv->agent.datacenter;
	META_PUT(&out, meta);
	reply_schema(r, &query_execute_response_schema, &out);
}

void
query_execute_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct query_execute_request *req = arg;
	struct prepared_query q;
	struct execute x;

	if (!query_resolve(srv, req, &q, r))
		return;
	find_instances(srv, &q, req->connect, &x);
	put_in_order(srv, &q, req, &x.out.nodes);
	reply_found(srv, &q, &x, req->limit, meta, r);
	r->failover = x.out.nodes.n == 0 &&
	    (q.service.failover.nearest_n > 0 ||
	    q.service.failover.datacenters.n > 0);
	free_instances(&x);
	schema_clear(&prepared_query_schema, &q);
}

/*
 * For a server of another datacenter, which has the query and none of its
 * instances.  Nobody there is near.
 */
void
query_execute_remote_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct query_remote_request *req = arg;
	struct execute x;

	find_instances(srv, &req->query, req->connect, &x);
	shuffle(&srv->rng, &x.out.nodes);
	reply_found(srv, &req->query, &x, req->limit, meta, r);
	free_instances(&x);
}

void
query_explain_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	struct query_explain_response out;

	memset(&out, 0, sizeof(out));
	if (!query_resolve(srv, arg, &out.query, r))
		return;
	META_PUT(&out, meta);
	reply_schema(r, &query_explain_response_schema, &out);
	schema_clear(&prepared_query_schema, &out.query);
}

/*
 * What is asked of the catalog for a view, and what dnsd is told of the answer.
 *
 *	WATCH ---> query, index 0 ---> VIEW ---> query, blocking ---> ...
 *	                |                             |
 *	                +-- error: VIEW with error (once), again later
 *
 * A service or a node is a query each.  All reverse names share one list of
 * nodes; an address that no node has is looked for among the services by a
 * query of its own.
 *
 * A prepared query cannot be waited for.  It is explained once, to know if its
 * order means something, and carried out every second while dnsd wants it.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/views_i.h"
#include "common/reach.h"

#define BLOCK_NS	(600 * NS_PER_S)
#define ANSWER_MS	(660 * 1000)	/* blocking time, a 16th, some more */
#define RETRY_MIN_MS	500
#define RETRY_MAX_MS	10000
/* A view is asked for again no sooner than this, and the larger it is the
 * later: 100,000 instances once in a second. */
#define GAP_MS		20
#define GAP_ENTRIES	100
#define QUERY_MS	1000	/* a prepared query is as old as that */
#define QUERY_ANSWER_MS	5000

/* ---- following ---- */

static void
wait_until(struct follow *f, uint64_t at)
{
	if (!f->waiting)
		TAILQ_INSERT_TAIL(&f->vs->waiting, f, entry);
	f->waiting = true;
	f->at = at;
	f->vs->ops.changed(f->vs->ops.arg);
}

struct follow *
follow_new(struct views *vs, enum follow_kind kind, struct view *view)
{
	struct follow	*f = xcalloc(1, sizeof(*f));

	f->vs = vs;
	f->kind = kind;
	f->view = view;
	wait_until(f, 0);
	return f;
}

/* Somebody has to hear of it who has not: a blocking query would tell late. */
void
follow_again(struct follow *f)
{
	if (f->call != NULL && f->index == 0)
		return;
	if (f->call != NULL)
		f->vs->ops.cancel(f->call, f->vs->ops.arg);
	f->call = NULL;
	f->index = 0;
	f->failures = 0;
	wait_until(f, 0);
}

void
follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	if (f->call != NULL)
		f->vs->ops.cancel(f->call, f->vs->ops.arg);
	if (f->waiting)
		TAILQ_REMOVE(&f->vs->waiting, f, entry);
	free(f);
}

static void on_answer(enum call_status, const char *, const uint8_t *, size_t,
    void *);

static char *
follow_dc(const struct follow *f)
{
	return f->view != NULL && f->view->dc != NULL ? f->view->dc :
	    f->vs->dc;
}

static void
follow_query(struct follow *f)
{
	struct views			*vs = f->vs;
	struct query_execute_request	 q;
	bool				 explain = f->kind == FOLLOW_EXPLAIN;

	memset(&q, 0, sizeof(q));
	q.datacenter = follow_dc(f);
	q.query = f->view->name;
	q.agent.datacenter = vs->dc;
	q.agent.node = (char *)(uintptr_t)vs->ops.node;
	q.allow_stale = true;
	f->call = vs->ops.call(explain ? "PreparedQuery.Explain" :
	    "PreparedQuery.Execute", &query_execute_request_schema, &q,
	    QUERY_ANSWER_MS, on_answer, f, vs->ops.arg);
}

void
follow_start(struct follow *f, uint64_t now)
{
	struct views		*vs = f->vs;
	struct service_request	 s;
	struct node_request	 n;
	struct dc_request	 d;

	if (f->waiting)
		TAILQ_REMOVE(&vs->waiting, f, entry);
	f->waiting = false;
	f->started = now;
	switch (f->kind) {
	case FOLLOW_SERVICE:
	case FOLLOW_ADDR:
		memset(&s, 0, sizeof(s));
		s.datacenter = follow_dc(f);
		if (f->kind == FOLLOW_SERVICE)
			s.service_name = f->view->name;
		else
			s.service_address = f->view->name;
		s.allow_stale = true;
		s.min_query_index = f->index;
		s.max_query_time = BLOCK_NS;
		f->call = vs->ops.call(f->kind == FOLLOW_SERVICE ?
		    "Health.ServiceNodes" : "Catalog.ServiceNodes",
		    &service_request_schema, &s, ANSWER_MS, on_answer, f,
		    vs->ops.arg);
		break;
	case FOLLOW_NODE:
		memset(&n, 0, sizeof(n));
		n.datacenter = follow_dc(f);
		n.node = f->view->name;
		n.allow_stale = true;
		n.min_query_index = f->index;
		n.max_query_time = BLOCK_NS;
		f->call = vs->ops.call("Catalog.NodeServices",
		    &node_request_schema, &n, ANSWER_MS, on_answer, f,
		    vs->ops.arg);
		break;
	case FOLLOW_NODES:
		memset(&d, 0, sizeof(d));
		d.datacenter = vs->dc;
		d.allow_stale = true;
		d.min_query_index = f->index;
		d.max_query_time = BLOCK_NS;
		f->call = vs->ops.call("Catalog.ListNodes",
		    &dc_request_schema, &d, ANSWER_MS, on_answer, f,
		    vs->ops.arg);
		break;
	case FOLLOW_EXPLAIN:
	case FOLLOW_QUERY:
		follow_query(f);
		break;
	}
}

/* ---- telling dnsd ---- */

void
view_error(struct views *vs, struct view *v, const char *error)
{
	uint64_t	 to = v->watchers & ~v->failed;
	struct msg_view	 m;

	if (to == 0)
		return;
	v->failed |= to;
	memset(&m, 0, sizeof(m));
	m.kind = v->kind;
	m.name = v->name;
	m.datacenter = v->dc;
	m.error = (char *)(uintptr_t)error;
	vs->ops.send(&m, to, vs->ops.arg);
}

/* Takes what m holds.  Who has it already is not sent it again. */
static void
view_send(struct views *vs, struct view *v, uint64_t index,
    struct msg_view *m)
{
	uint64_t	 hash, to = v->watchers;

	m->kind = v->kind;
	m->name = xstrdup(v->name);
	str_set(&m->datacenter, v->dc);
	m->index = index;
	hash = view_hash(m);
	if (hash == v->hash)
		to &= ~v->sent | v->failed;
	if (to != 0)
		vs->ops.send(m, to, vs->ops.arg);
	v->sent = v->watchers;
	v->failed = 0;
	v->hash = hash;
	schema_clear(&msg_view_schema, m);
}

/* From the list of nodes, or by asking for services of that address. */
void
reverse_update(struct views *vs, struct view *v)
{
	struct msg_view	 m;

	memset(&m, 0, sizeof(m));
	view_reverse(&vs->nodes, v->name, &m);
	if (!m.exists) {
		schema_clear(&msg_view_schema, &m);
		if (v->follow == NULL)
			v->follow = follow_new(vs, FOLLOW_ADDR, v);
		return;
	}
	follow_free(v->follow);
	v->follow = NULL;
	view_send(vs, v, vs->nodes.index, &m);
}

static void
each_reverse(struct views *vs, const char *error)
{
	struct view	*v;

	RB_FOREACH(v, view_tree, &vs->tree) {
		if (v->kind != VIEW_REVERSE)
			continue;
		if (error != NULL)
			view_error(vs, v, error);
		else
			reverse_update(vs, v);
	}
}

/* ---- answers ---- */

/*
 * An index that went back means another history: from the start.  Zero would
 * not block.
 */
static void
take_index(struct follow *f, uint64_t index)
{
	if (index == 0)
		index = 1;
	f->index = index < f->index ? 0 : index;
}

static void
translate_node(const struct views *vs, struct node *n)
{
	if (vs->translate && !str_empty(n->datacenter) &&
	    strcmp(n->datacenter, vs->dc) != 0)
		reach_swap_node(n);
}

static void
translate(const struct views *vs, struct check_service_node_vec *v)
{
	size_t	i;

	for (i = 0; vs->translate && i < v->n; i++) {
		if (str_empty(v->item[i].node.datacenter) ||
		    strcmp(v->item[i].node.datacenter, vs->dc) == 0)
			continue;
		reach_swap_node(&v->item[i].node);
		reach_swap_service(&v->item[i].service);
	}
}

/* 0 and the number of entries, or -1 and why. */
static int
take_service(struct follow *f, const uint8_t *p, size_t len, size_t *n,
    const char **why)
{
	struct indexed_check_service_nodes	 a;
	struct msg_view				 m;

	if (schema_decode_all(&indexed_check_service_nodes_schema, p, len, &a,
	    why) == -1)
		return -1;
	memset(&m, 0, sizeof(m));
	translate(f->vs, &a.nodes);
	view_service(&a, &m);
	*n = m.entries.n;
	take_index(f, a.index);
	schema_clear(&indexed_check_service_nodes_schema, &a);
	view_send(f->vs, f->view, f->index, &m);
	return 0;
}

static int
take_node(struct follow *f, const uint8_t *p, size_t len, size_t *n,
    const char **why)
{
	struct indexed_node_services	 a;
	struct msg_view			 m;

	if (schema_decode_all(&indexed_node_services_schema, p, len, &a,
	    why) == -1)
		return -1;
	memset(&m, 0, sizeof(m));
	if (a.node_services != NULL && a.node_services->node != NULL)
		translate_node(f->vs, a.node_services->node);
	view_node(&a, &m);
	*n = a.node_services != NULL ? a.node_services->services.n : 0;
	take_index(f, a.index);
	schema_clear(&indexed_node_services_schema, &a);
	view_send(f->vs, f->view, f->index, &m);
	return 0;
}

static int
take_addr(struct follow *f, const uint8_t *p, size_t len, size_t *n,
    const char **why)
{
	struct indexed_service_nodes	 a;
	struct msg_view			 m;

	if (schema_decode_all(&indexed_service_nodes_schema, p, len, &a,
	    why) == -1)
		return -1;
	memset(&m, 0, sizeof(m));
	view_reverse_service(&a, &m);
	*n = m.entries.n;
	take_index(f, a.index);
	schema_clear(&indexed_service_nodes_schema, &a);
	view_send(f->vs, f->view, f->index, &m);
	return 0;
}

static int
take_nodes(struct follow *f, const uint8_t *p, size_t len, size_t *n,
    const char **why)
{
	struct views		*vs = f->vs;
	struct indexed_nodes	 a;

	if (schema_decode_all(&indexed_nodes_schema, p, len, &a, why) == -1)
		return -1;
	schema_clear(&indexed_nodes_schema, &vs->nodes);
	vs->nodes = a;
	vs->have_nodes = true;
	*n = a.nodes.n;
	take_index(f, a.index);
	each_reverse(vs, NULL);
	return 0;
}

/* "_ip" is near to each client, who is not known here: then none is first. */
static int
take_explain(struct follow *f, const uint8_t *p, size_t len, size_t *n,
    const char **why)
{
	struct query_explain_response	 a;
	const char			*near;

	if (schema_decode_all(&query_explain_response_schema, p, len, &a,
	    why) == -1)
		return -1;
	near = str_or(a.query.service.near, "");
	f->ordered = *near != '\0' && strcmp(near, "_ip") != 0;
	f->kind = FOLLOW_QUERY;
	*n = 0;
	schema_clear(&query_explain_response_schema, &a);
	return 0;
}

static int
take_query(struct follow *f, const uint8_t *p, size_t len, size_t *n,
    const char **why)
{
	struct query_execute_response	 a;
	struct msg_view			 m;

	if (schema_decode_all(&query_execute_response_schema, p, len, &a,
	    why) == -1)
		return -1;
	memset(&m, 0, sizeof(m));
	m.ordered = f->ordered;
	translate(f->vs, &a.nodes);
	view_query(&a, &m);
	*n = m.entries.n;
	schema_clear(&query_execute_response_schema, &a);
	view_send(f->vs, f->view, 0, &m);
	return 0;
}

static int (*const take[])(struct follow *, const uint8_t *, size_t, size_t *,
    const char **) = {
	[FOLLOW_SERVICE] = take_service,
	[FOLLOW_NODE] = take_node,
	[FOLLOW_NODES] = take_nodes,
	[FOLLOW_ADDR] = take_addr,
	[FOLLOW_EXPLAIN] = take_explain,
	[FOLLOW_QUERY] = take_query,
};

static void
follow_failed(struct follow *f, const char *error)
{
	struct views	*vs = f->vs;
	uint64_t	 ms = RETRY_MIN_MS;
	unsigned	 i;

	for (i = 0; i < f->failures && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	f->failures++;
	/* Another server may be elsewhere: ask it for all. */
	f->index = 0;
	wait_until(f, vs->ops.now(vs->ops.arg) + ms / 2 +
	    rng_below(&vs->rng, (uint32_t)ms / 2 + 1));
	if (f->view != NULL)
		view_error(vs, f->view, error);
	else
		each_reverse(vs, error);
}

/* The answer of a server, or what stands around it on its way here. */
static bool
no_such_query(const struct follow *f, const char *error)
{
	return (f->kind == FOLLOW_EXPLAIN || f->kind == FOLLOW_QUERY) &&
	    strstr(str_or(error, ""), "Query not found") != NULL;
}

static void
query_gone(struct follow *f)
{
	struct msg_view	 m;

	memset(&m, 0, sizeof(m));
	f->kind = FOLLOW_EXPLAIN;
	wait_until(f, f->started + QUERY_MS);
	view_send(f->vs, f->view, 0, &m);
}

/* When it is to be asked next. */
static uint64_t
gap(enum follow_kind was, size_t n)
{
	if (was == FOLLOW_EXPLAIN)
		return 0;
	return (was == FOLLOW_QUERY ? QUERY_MS : GAP_MS) + n / GAP_ENTRIES;
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct follow	*f = arg;
	enum follow_kind kind = f->kind;
	const char	*why = error;
	size_t		 n = 0;

	f->call = NULL;
	if (status != CALL_OK && no_such_query(f, error)) {
		query_gone(f);
		return;
	}
	if (status != CALL_OK) {
		follow_failed(f, str_or(error, "no answer"));
		return;
	}
	if (take[kind](f, body, len, &n, &why) == -1) {
		follow_failed(f, why);
		return;
	}
	f->failures = 0;
	wait_until(f, f->started + gap(kind, n));
}

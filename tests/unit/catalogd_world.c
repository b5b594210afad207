/*
 * A server half in a loop of its own: see catalogd_world.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "tests/unit/catalogd_world.h"

#define LIMIT_MS 30000

/* ---- the surroundings ---- */

static void
on_far(void *arg)
{
	struct world	*w = arg;

	w->far_fn(CALL_ERROR, "No path to datacenter", NULL, 0, w->far_arg);
}

/* Nobody else is there. */
static void *
on_call(const struct msg_call *m, const uint8_t *body, size_t len,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct world	*w = arg;

	(void)m;
	(void)body;
	(void)len;
	(void)timeout_ms;
	w->far_fn = fn;
	w->far_arg = fn_arg;
	ev_timer_set(w->far, 0);
	return w;
}

static void
on_call_cancel(void *handle, void *arg)
{
	struct world	*w = arg;

	ck_assert_ptr_eq(handle, w);
	ev_timer_stop(w->far);
}

static bool
on_fire(const char *name, const void *p, size_t n, void *arg)
{
	struct world	*w = arg;

	snprintf(w->fired, sizeof(w->fired), "%s", name);
	snprintf(w->payload, sizeof(w->payload), "%.*s", (int)n,
	    (const char *)p);
	return !w->no_gossip;
}

static void
on_name(enum view_kind kind, const char *name, bool exists, void *arg)
{
	struct world	*w = arg;
	size_t		 n = strlen(w->names);

	snprintf(w->names + n, sizeof(w->names) - n, "%c%c:%s ",
	    exists ? '+' : '-', kind == VIEW_SERVICE ? 's' : 'n', name);
}

static void
on_names(void *arg)
{
	struct world	*w = arg;

	w->nnames++;
}

static void
on_refuse(const char *why, void *arg)
{
	struct world	*w = arg;

	ck_assert_msg(w->may_refuse, "%s", why);
	snprintf(w->refused, sizeof(w->refused), "%s", why);
}

/* ---- its life ---- */

void
world_stop(void *arg)
{
	struct world	*w = arg;

	ev_stop(w->ev);
}

void
world_init(struct world *w, const char *dir)
{
	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	w->limit = ev_timer_new(w->ev, world_stop, w);
	w->far = ev_timer_new(w->ev, on_far, w);
	snprintf(w->dir, sizeof(w->dir), "%s", dir);
	w->agent.node_name = xstrdup("node1");
	w->agent.node_id = xstrdup("11111111-1111-4111-8111-111111111111");
	w->agent.datacenter = xstrdup("dc1");
	w->agent.advertise_addr = xstrdup("10.77.0.1");
	w->agent.port_rpc = 8300;
	w->agent.bootstrap = w->agent.server = true;
	w->conf.rpc_hold_timeout = 200 * NS_PER_MS;
	w->env = (struct server_env){ .fire = on_fire, .name = on_name,
	    .names = on_names, .refuse = on_refuse, .call = on_call,
	    .call_cancel = on_call_cancel, .arg = w };
}

int
world_try_start(struct world *w, char *err, size_t len)
{
	w->srv = server_new(w->ev, &w->agent, &w->conf, w->dir, &w->env);
	return server_start(w->srv, err, len);
}

void
world_start(struct world *w)
{
	char	 err[512] = "";

	if (world_try_start(w, err, sizeof(err)) == -1)
		ck_abort_msg("%s", err);
}

void
world_setup(struct world *w)
{
	world_init(w, "");
	world_start(w);
}

void
world_clear(struct world *w)
{
	server_free(w->srv);
	ev_timer_free(w->limit);
	ev_timer_free(w->far);
	ev_free(w->ev);
	schema_clear(&conf_agent_schema, &w->agent);
	schema_clear(&conf_catalog_schema, &w->conf);
}

void
world_run(struct world *w, uint64_t ms)
{
	uint64_t	 now = ev_hrtime() / NS_PER_MS, end = now + ms;

	do {
		ev_timer_set(w->limit, end - now);
		ev_run(w->ev);
		now = ev_hrtime() / NS_PER_MS;
	} while (now < end);
}

void
world_until(struct world *w, const size_t *count, size_t n)
{
	ev_timer_set(w->limit, LIMIT_MS);
	while (*count < n && ev_timer_pending(w->limit))
		ev_run(w->ev);
	ck_assert_uint_ge(*count, n);
}

/* ---- calls ---- */

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct answer	*a = arg;

	ck_assert(!a->there);
	ck_assert(status == CALL_OK || status == CALL_ERROR);
	a->there = true;
	a->w->nanswers++;
	a->status = status;
	a->error = xstrdup(error);
	wb_bytes(&a->body, body, len);
	ev_stop(a->w->ev);
}

struct server_call *
begin_bytes(struct world *w, const char *method, const void *body, size_t len,
    struct answer *a)
{
	struct msg_call		 mc;
	struct server_call	*c;

	memset(a, 0, sizeof(*a));
	a->w = w;
	wb_init(&a->body, 0);
	memset(&mc, 0, sizeof(mc));
	mc.method = S(method);
	mc.flags = w->flags;
	c = server_call(w->srv, &mc, body, len, on_answer, a);
	ck_assert(!a->there);
	return c;
}

struct server_call *
begin(struct world *w, const char *method, struct schema *s, const void *req,
    struct answer *a)
{
	struct server_call	*c;
	struct wbuf		 b;

	wb_init(&b, 0);
	schema_encode(s, req, &b);
	c = begin_bytes(w, method, b.p, b.len, a);
	wb_free(&b);
	return c;
}

void
await(struct answer *a)
{
	ev_timer_set(a->w->limit, LIMIT_MS);
	while (!a->there && ev_timer_pending(a->w->limit))
		ev_run(a->w->ev);
	ck_assert_msg(a->there, "no answer");
}

void
answer_clear(struct answer *a)
{
	free(a->error);
	wb_free(&a->body);
	memset(a, 0, sizeof(*a));
}

void
answer_decode(struct answer *a, struct schema *s, void *obj)
{
	const char	*why = "";

	ck_assert_msg(a->status == CALL_OK, "%s", str_or(a->error, "?"));
	ck_assert_msg(schema_decode_all(s, a->body.p, a->body.len, obj,
	    &why) == 0, "%s: %s", s->name, why);
	answer_clear(a);
}

void
ask(struct world *w, const char *method, struct schema *s, const void *req,
    struct schema *as, void *obj)
{
	struct answer	 a;

	begin(w, method, s, req, &a);
	await(&a);
	ck_assert_msg(a.error == NULL, "%s: %s", method, a.error);
	answer_decode(&a, as, obj);
}

const char *
error_of(struct world *w, const char *method, struct schema *s,
    const void *req)
{
	static char	 text[512];
	struct answer	 a;

	begin(w, method, s, req, &a);
	await(&a);
	snprintf(text, sizeof(text), "%s", str_or(a.error, ""));
	answer_clear(&a);
	return text[0] == '\0' ? NULL : text;
}

void
ck_error(struct world *w, const char *method, struct schema *s,
    const void *req, const char *want)
{
	ck_assert_pstr_eq(error_of(w, method, s, req), want);
}

/* ---- short hands ---- */

struct register_request
node_request(const char *node, const char *address)
{
	struct register_request	 r;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.node = S(node);
	r.address = S(address);
	return r;
}

static void
put(struct world *w, const struct register_request *r)
{
	ck_error(w, "Catalog.Register", &register_request_schema, r, NULL);
}

void
put_node(struct world *w, const char *node, const char *address)
{
	struct register_request	 r = node_request(node, address);

	put(w, &r);
}

void
put_service(struct world *w, const char *node, const char *id,
    const char *name, const char *tag)
{
	struct register_request	 r = node_request(node, "10.0.0.1");
	struct node_service	 s;

	memset(&s, 0, sizeof(s));
	s.id = S(id);
	s.service = S(name);
	s.port = 80;
	if (tag != NULL)
		strs_add(&s.tags, tag);
	r.service = &s;
	r.skip_node_update = true;
	put(w, &r);
	strs_clear(&s.tags);
}

void
put_check(struct world *w, const char *node, const char *id,
    const char *service, const char *status)
{
	struct register_request	 r = node_request(node, "10.0.0.1");
	struct health_check	 c;

	memset(&c, 0, sizeof(c));
	c.check_id = S(id);
	c.name = S(id);
	c.service_id = S(service);
	c.status = S(status);
	r.check = &c;
	r.skip_node_update = true;
	put(w, &r);
}

void
drop_node(struct world *w, const char *node)
{
	struct deregister_request	 r;

	memset(&r, 0, sizeof(r));
	r.datacenter = DC;
	r.node = S(node);
	ck_error(w, "Catalog.Deregister", &deregister_request_schema, &r, NULL);
}

void
service_nodes(struct world *w, const char *name,
    struct indexed_check_service_nodes *out)
{
	struct service_request	 q;

	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.service_name = S(name);
	ask(w, "Health.ServiceNodes", &service_request_schema, &q,
	    &indexed_check_service_nodes_schema, out);
}

void
list_nodes(struct world *w, struct indexed_nodes *out)
{
	struct dc_request	 q;

	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	ask(w, "Catalog.ListNodes", &dc_request_schema, &q,
	    &indexed_nodes_schema, out);
}

size_t
count_nodes(struct world *w)
{
	struct indexed_nodes	 n;
	size_t			 count;

	list_nodes(w, &n);
	count = n.nodes.n;
	schema_clear(&indexed_nodes_schema, &n);
	return count;
}

struct member
member(const char *name, const char *addr, enum member_status status,
    const char *role)
{
	struct member	 m;

	memset(&m, 0, sizeof(m));
	m.name = xstrdup(name);
	m.addr = xstrdup(addr);
	m.port = 8301;
	m.status = status;
	m.pmin = 1;
	m.pmax = 5;
	m.pcur = 2;
	strmap_put(&m.tags, "role", role);
	strmap_put(&m.tags, "dc", "dc1");
	strmap_put(&m.tags, "build", DISCO_BUILD);
	if (strcmp(role, "consul") == 0) {
		strmap_put(&m.tags, "port", "8300");
		strmap_put(&m.tags, "raft_vsn", "3");
		strmap_put(&m.tags, "disco", "1");
	}
	return m;
}

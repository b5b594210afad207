/*
 * Calls that gossipd answers.  See gossip.h.
 *
 * Happy path of Internal.KeyringOperation: gossipd runs a query over the WAN
 * pool, then one over the LAN's; both answers go out together.  Failures: one
 * pool's error stands in its answer and does not keep the other from being
 * asked; gossipd going away ends the call.  Other datacenters are not asked:
 * one operation is for this datacenter's LAN and the WAN pool.
 */
#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/gossip.h"
#include "common/mp.h"
#include "common/util.h"

/* Both within what apid waits.  A query's own time grows with the pool. */
#define KEYRING_TIMEOUT_MS 14000
#define COORDINATES_TIMEOUT_MS 5000

enum step { STEP_START, STEP_WAN, STEP_LAN, STEP_END };

struct gossip_method {
	const char	*name;
	struct schema	*schema;	/* NULL: the body is not read */
	/* Goes on; true when it waits for gossipd, false: it is over. */
	bool		(*run)(struct gossip_call *);
	/* An answer of gossipd's. */
	void		(*got)(struct gossip_call *, const char *error,
			    const uint8_t *, size_t);
};

struct gossip_call {
	TAILQ_ENTRY(gossip_call)	 entry;
	struct gossip			*g;
	const struct gossip_method	*method;
	call_fn				*fn;
	void				*arg;
	struct ev_timer			*soon;	/* starts it */
	struct call			*call;	/* gossipd is asked */
	enum step			 step;
	char				*error;
	struct wbuf			 reply;
	struct keyring_request		 keyring;
	struct keyring_responses	 keys;
};

struct gossip {
	struct ev			*ev;
	struct calls			*calls;
	char				*datacenter, *node_name;
	bool				 wan;	/* there is such a pool */
	TAILQ_HEAD(, gossip_call)	 open;
};

/* ---- the link ---- */

struct gossip *
gossip_new(struct ev *ev, const struct conf_agent *conf)
{
	struct gossip	*g = xcalloc(1, sizeof(*g));

	g->ev = ev;
	g->calls = calls_new(ev);
	g->datacenter = xstrdup(str_or(conf->datacenter, ""));
	g->node_name = xstrdup(str_or(conf->node_name, ""));
	g->wan = conf->server && conf->port_wan > 0;
	TAILQ_INIT(&g->open);
	return g;
}

void
gossip_free(struct gossip *g)
{
	struct gossip_call	*c;

	if (g == NULL)
		return;
	while ((c = TAILQ_FIRST(&g->open)) != NULL)
		gossip_call_cancel(c);
	calls_free(g->calls);
	free(g->datacenter);
	free(g->node_name);
	free(g);
}

void
gossip_link(struct gossip *g, struct ipc *ipc)
{
	calls_link(g->calls, ipc);
}

void
gossip_answer(struct gossip *g, const struct imsg *m)
{
	(void)calls_answer(g->calls, m);	/* late: cancelled before */
}

struct call *
gossip_ask(struct gossip *g, const char *method, struct schema *s,
    const void *obj, uint64_t timeout_ms, call_fn *fn, void *arg)
{
	struct msg_call	 m;
	struct wbuf	 w;
	struct call	*c;

	memset(&m, 0, sizeof(m));
	m.method = (char *)(uintptr_t)method;
	m.target = CALL_HERE;
	m.timeout_ms = timeout_ms;
	wb_init(&w, 0);
	schema_encode(s, obj, &w);
	c = call_start(g->calls, &m, w.p, w.len, timeout_ms, fn, arg);
	wb_free(&w);
	return c;
}

/* ---- the life of a call ---- */

void
gossip_call_cancel(struct gossip_call *c)
{
	TAILQ_REMOVE(&c->g->open, c, entry);
	if (c->call != NULL)
		call_cancel(c->call);
	ev_timer_free(c->soon);
	schema_clear(&keyring_request_schema, &c->keyring);
	schema_clear(&keyring_responses_schema, &c->keys);
	wb_free(&c->reply);
	free(c->error);
	free(c);
}

static void
end(struct gossip_call *c, enum call_status status, const char *error)
{
	call_fn		*fn = c->fn;
	void		*arg = c->arg;
	struct wbuf	 reply = c->reply;
	char		*text = xstrdup(error);

	wb_init(&c->reply, 0);
	gossip_call_cancel(c);
	fn(status, text, reply.p, status == CALL_OK ? reply.len : 0, arg);
	wb_free(&reply);
	free(text);
}

static void
run(struct gossip_call *c)
{
	if (c->error == NULL && c->method->run(c))
		return;
	end(c, c->error == NULL ? CALL_OK : CALL_ERROR, c->error);
}

static void
on_soon(void *arg)
{
	run(arg);
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct gossip_call	*c = arg;

	c->call = NULL;
	if (status == CALL_LOST || status == CALL_BUSY) {
		end(c, status, error);
		return;
	}
	if (status != CALL_OK && str_empty(error))
		error = "timed out";
	c->method->got(c, status == CALL_OK ? NULL : error, body, len);
	run(c);
}

static void
ask(struct gossip_call *c, const char *method, struct schema *s,
    const void *obj, uint64_t timeout_ms)
{
	c->call = gossip_ask(c->g, method, s, obj, timeout_ms, on_answer, c);
}

/* ---- Internal.KeyringOperation ---- */

static bool
keyring_run(struct gossip_call *c)
{
	struct keyring_request	*q = &c->keyring;
	struct gossip_keyring	 k;

	if (c->step == STEP_START && q->local_only &&
	    strcmp(str_or(q->operation, ""), "list") != 0) {
		c->error = xstrdup("argument error: LocalOnly can only be "
		    "used for List operations");
		return false;
	}
	c->step++;
	if (c->step == STEP_WAN && (!c->g->wan || q->local_only ||
	    q->forwarded))
		c->step++;
	if (c->step == STEP_END) {
		schema_encode(&keyring_responses_schema, &c->keys, &c->reply);
		return false;
	}
	memset(&k, 0, sizeof(k));
	k.operation = q->operation;
	k.key = q->key;
	k.relay_factor = q->relay_factor;
	k.wan = c->step == STEP_WAN;
	ask(c, "Gossip.Keyring", &gossip_keyring_schema, &k,
	    KEYRING_TIMEOUT_MS);
	return true;
}

static void
keyring_got(struct gossip_call *c, const char *error, const uint8_t *body,
    size_t len)
{
	struct keyring_response	*r = VEC_ADD(&c->keys.responses);

	if (error == NULL)
		(void)schema_decode_all(&keyring_response_schema, body, len, r,
		    &error);
	if (error != NULL) {
		schema_clear(&keyring_response_schema, r);
		r->error = xstrdup(error);
	}
	r->wan = c->step == STEP_WAN;
	str_set(&r->datacenter, c->g->datacenter);
}

/* ---- Coordinate.ListDatacenters ---- */

static bool
datacenters_run(struct gossip_call *c)
{
	struct gossip_coordinates_request	 q = { .wan = true,
						.all = true };

	if (c->step++ == STEP_START && c->g->wan) {
		ask(c, "Gossip.Coordinates",
		    &gossip_coordinates_request_schema, &q,
		    COORDINATES_TIMEOUT_MS);
		return true;
	}
	if (c->reply.len == 0)
		mp_array(&c->reply, 0);
	return false;
}

struct datacenters {
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
place(struct datacenters *l, struct node_coordinate *nc)
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
	struct datacenters	 l = { 0 };
	size_t			 i;

	memset(&own, 0, sizeof(own));
	xasprintf(&own.node, "%s.%s", c->g->node_name, c->g->datacenter);
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

static void
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

/* ---- the door ---- */

static const struct gossip_method methods[] = {
	{ "Internal.KeyringOperation", &keyring_request_schema, keyring_run,
	    keyring_got },
	{ "Coordinate.ListDatacenters", NULL, datacenters_run,
	    datacenters_got },
};

static const struct gossip_method *
find(const char *name)
{
	size_t	 i;

	for (i = 0; i < NELEM(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

bool
gossip_has_method(const char *name)
{
	return find(name) != NULL;
}

struct gossip_call *
gossip_call(struct gossip *g, const struct msg_call *m, const uint8_t *body,
    size_t len, call_fn *fn, void *arg)
{
	struct gossip_call	*c = xcalloc(1, sizeof(*c));
	const char		*why, *dc;

	c->g = g;
	c->fn = fn;
	c->arg = arg;
	c->method = find(m->method);
	wb_init(&c->reply, 0);
	TAILQ_INSERT_TAIL(&g->open, c, entry);
	c->soon = ev_timer_new(g->ev, on_soon, c);
	ev_timer_set(c->soon, 0);
	if (c->method->schema == NULL)
		return c;
	if (schema_decode_all(c->method->schema, body, len, &c->keyring,
	    &why) == -1) {
		xasprintf(&c->error, "codec.decoder: %s", why);
		return c;
	}
	dc = str_or(c->keyring.datacenter, "");
	if (*dc != '\0' && strcmp(dc, g->datacenter) != 0)
		c->error = xstrdup("No path to datacenter");
	return c;
}

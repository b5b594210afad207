/*
 * Calls that gossipd answers.  See gossip.h.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/gossip_i.h"
#include "common/util.h"

/* ---- the link ---- */

struct gossip *
gossip_new(struct ev *ev, const struct conf_agent *conf)
{
	struct gossip	*g = xcalloc(1, sizeof(*g));

	g->ev = ev;
	g->calls = calls_new(ev);
	g->dcs = datacenters_new(str_or(conf->datacenter, ""));
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
	datacenters_free(g->dcs);
	free(g->node_name);
	free(g);
}

void
gossip_set_remote(struct gossip *g, const struct gossip_remote *r)
{
	g->remote = *r;
}

struct datacenters *
gossip_datacenters(struct gossip *g)
{
	return g->dcs;
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
	keyring_drop(c);
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

void
gossip_run(struct gossip_call *c)
{
	if (c->error == NULL && c->method->run(c))
		return;
	end(c, c->error == NULL ? CALL_OK : CALL_ERROR, c->error);
}

static void
on_soon(void *arg)
{
	gossip_run(arg);
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct gossip_call	*c = arg;

	c->call = NULL;
	if (!c->method->alone &&
	    (status == CALL_LOST || status == CALL_BUSY)) {
		end(c, status, error);
		return;
	}
	if (status != CALL_OK && str_empty(error))
		error = "timed out";
	c->method->got(c, status == CALL_OK ? NULL : error, body, len);
	gossip_run(c);
}

void
gossip_step(struct gossip_call *c, const char *method, struct schema *s,
    const void *obj, uint64_t timeout_ms)
{
	c->call = gossip_ask(c->g, method, s, obj, timeout_ms, on_answer, c);
}

/* ---- the door ---- */

static const struct gossip_method methods[] = {
	{ "Internal.KeyringOperation", true, keyring_run, keyring_got, false },
	{ "Catalog.ListDatacenters", false, names_run, names_got, true },
	{ "Coordinate.ListDatacenters", false, datacenters_run,
	    datacenters_got, false },
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
	const char		*why;

	c->g = g;
	c->fn = fn;
	c->arg = arg;
	c->method = find(m->method);
	wb_init(&c->reply, 0);
	TAILQ_INSERT_TAIL(&g->open, c, entry);
	c->soon = ev_timer_new(g->ev, on_soon, c);
	ev_timer_set(c->soon, 0);
	/* One operation is for all datacenters, whichever it names. */
	if (c->method->keyring && schema_decode_all(&keyring_request_schema,
	    body, len, &c->keyring, &why) == -1)
		xasprintf(&c->error, "codec.decoder: %s", why);
	return c;
}

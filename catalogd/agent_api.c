/*
 * The methods Agent.*.  See agent_api.h and common/schema/agent.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/agent_api_int.h"

#define WAIT_DEFAULT_NS	(300 * NS_PER_S)

void
api_answer(struct api_request *r, struct schema *s, const void *obj)
{
	struct wbuf	 w;

	wb_init(&w, 0);
	schema_encode(s, obj, &w);
	r->fn(CALL_OK, NULL, w.p, w.len, r->arg);
	wb_free(&w);
}

static void
answer_empty(struct api_request *r)
{
	static const uint8_t	 none = 0x80;

	r->fn(CALL_OK, NULL, &none, 1, r->arg);
}

static void
answer_error(struct api_request *r)
{
	r->fn(CALL_ERROR, r->err, NULL, 0, r->arg);
}

int
api_body(struct api_request *r, struct schema *s, void *obj)
{
	const char	*why;

	if (schema_decode_all(s, r->body, r->len, obj, &why) == 0)
		return 0;
	return def_error(r->err, sizeof(r->err), 400,
	    "Request decode failed: %s", why);
}

/* ---- reading ---- */

/* Other kinds are only words here, and have no Proxy to show. */
static bool
is_proxy(const char *kind)
{
	static const char *const kinds[] = {
		"connect-proxy", "mesh-gateway", "terminating-gateway",
		"ingress-gateway"
	};

	for (size_t i = 0; i < NELEM(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

static void
show_service(const struct node_service *s, struct agent_service *out)
{
	memset(out, 0, sizeof(*out));
	str_set(&out->kind, s->kind);
	str_set(&out->id, s->id);
	str_set(&out->service, s->service);
	strs_copy(&out->tags, &s->tags);
	strmap_copy(&out->meta, &s->meta);
	out->port = s->port;
	str_set(&out->address, s->address);
	for (size_t i = 0; i < s->tagged_addresses.n; i++) {
		struct service_address_pair	*p;

		p = VEC_ADD(&out->tagged_addresses);
		p->key = xstrdup(s->tagged_addresses.item[i].key);
		schema_copy(&service_address_schema, &p->val,
		    &s->tagged_addresses.item[i].val);
	}
	if (s->weights != NULL)
		out->weights = *s->weights;
	out->enable_tag_override = s->enable_tag_override;
	if (is_proxy(str_or(s->kind, ""))) {
		out->proxy = xcalloc(1, sizeof(*out->proxy));
		schema_copy(&proxy_config_schema, out->proxy, &s->proxy);
	}
	if (s->connect.native) {
		out->connect = xcalloc(1, sizeof(*out->connect));
		out->connect->native = true;
	}
}

static char *
content_hash(const struct agent_service *s)
{
	struct wbuf	 w;
	char		*text;

	wb_init(&w, 0);
	schema_encode(&agent_service_schema, s, &w);
	xasprintf(&text, "%llx", (unsigned long long)hash_bytes(w.p, w.len,
	    0));
	wb_free(&w);
	return text;
}

static int
on_services(struct api_request *r)
{
	struct agent_services		 out;
	struct agent_service_pair	*p;
	struct local_service		*s;

	memset(&out, 0, sizeof(out));
	RB_FOREACH(s, local_services, &r->api->agent->services) {
		if (s->deleted)
			continue;
		p = VEC_ADD(&out.services);
		p->key = xstrdup(s->svc.id);
		show_service(&s->svc, &p->val);
	}
	api_answer(r, &agent_services_schema, &out);
	schema_clear(&agent_services_schema, &out);
	return 0;
}

static int
on_checks(struct api_request *r)
{
	struct agent_checks		 out;
	struct health_check_pair	*p;
	struct local_check		*c;

	memset(&out, 0, sizeof(out));
	RB_FOREACH(c, local_checks, &r->api->agent->checks) {
		if (c->deleted)
			continue;
		p = VEC_ADD(&out.checks);
		p->key = xstrdup(c->chk.check_id);
		schema_copy(&health_check_schema, &p->val, &c->chk);
	}
	api_answer(r, &agent_checks_schema, &out);
	schema_clear(&agent_checks_schema, &out);
	return 0;
}

static bool	 hash_over(struct agent_wait *, uint64_t);

static void
wait_for_hash(struct api_request *r, const struct agent_id *id)
{
	struct agent_wait	*w;
	int64_t			 ns = id->wait;

	if (ns <= 0)
		ns = WAIT_DEFAULT_NS;
	if (ns > API_WAIT_MAX_NS)
		ns = API_WAIT_MAX_NS;
	w = api_wait(r, r->now + (uint64_t)(ns / NS_PER_MS), hash_over);
	w->id = xstrdup(id->id);
	w->hash = xstrdup(id->hash);
}

/* 0: answered, or (hash given and still the same) waits; -1: the error. */
static int
service_answer(struct api_request *r, const struct agent_id *id)
{
	struct local_service	*s;
	struct agent_service	 out;
	char			*hash;

	if ((s = agent_service_find(r->api->agent, id->id)) == NULL)
		return def_error(r->err, sizeof(r->err), 404,
		    "unknown service ID: %s", str_or(id->id, ""));
	show_service(&s->svc, &out);
	hash = content_hash(&out);
	if (!str_empty(id->hash) && strcmp(id->hash, hash) == 0) {
		free(hash);
		wait_for_hash(r, id);
	} else {
		out.content_hash = hash;
		api_answer(r, &agent_service_schema, &out);
	}
	schema_clear(&agent_service_schema, &out);
	return 0;
}

/* Its service changed or went, or time is up. */
static bool
hash_over(struct agent_wait *w, uint64_t now)
{
	struct local_service	*s;
	struct agent_service	 out;
	struct api_request	 r;
	struct agent_id		 id;
	char			*hash;
	bool			 same = false;

	if (now < w->until &&
	    (s = agent_service_find(w->api->agent, w->id)) != NULL) {
		show_service(&s->svc, &out);
		hash = content_hash(&out);
		same = strcmp(hash, w->hash) == 0;
		free(hash);
		schema_clear(&agent_service_schema, &out);
	}
	if (same)
		return false;
	memset(&id, 0, sizeof(id));
	id.id = xstrdup(w->id);
	api_resume(w, now, &r);
	if (service_answer(&r, &id) == -1)
		answer_error(&r);
	free(id.id);
	return true;
}

static int
on_service(struct api_request *r)
{
	struct agent_id	 id;
	int		 rc;

	if (api_body(r, &agent_id_schema, &id) == -1)
		return -1;
	rc = service_answer(r, &id);
	schema_clear(&agent_id_schema, &id);
	return rc;
}

static void
put_count(struct strmap *m, const char *key, size_t n)
{
	char	 text[24];

	snprintf(text, sizeof(text), "%zu", n);
	strmap_put(m, key, text);
}

static int
on_stats(struct api_request *r)
{
	struct agent_stats	 out;
	size_t			 services, checks, ttls, monitors;

	memset(&out, 0, sizeof(out));
	agent_counts(r->api->agent, &services, &checks, &ttls, &monitors);
	put_count(&out.stats, "agent.check_monitors", monitors);
	put_count(&out.stats, "agent.check_ttls", ttls);
	put_count(&out.stats, "agent.checks", checks);
	put_count(&out.stats, "agent.services", services);
	r->api->ops.stats(&out.stats, r->api->ops.arg);
	api_answer(r, &agent_stats_schema, &out);
	schema_clear(&agent_stats_schema, &out);
	return 0;
}

/* ---- writing ---- */

static int
done(struct api_request *r, int rc)
{
	if (rc == 0)
		answer_empty(r);
	return rc;
}

static int
on_register_service(struct api_request *r)
{
	struct agent_register	 a;
	int			 rc;

	if (api_body(r, &agent_register_schema, &a) == -1)
		return -1;
	rc = agent_register_service(r->api->agent, &a, r->now, r->err,
	    sizeof(r->err));
	schema_clear(&agent_register_schema, &a);
	return done(r, rc);
}

static int
on_register_check(struct api_request *r)
{
	struct check_def	 d;
	int			 rc;

	if (api_body(r, &check_def_schema, &d) == -1)
		return -1;
	rc = agent_register_check(r->api->agent, &d, r->now, r->err,
	    sizeof(r->err));
	schema_clear(&check_def_schema, &d);
	return done(r, rc);
}

static int
on_deregister_service(struct api_request *r)
{
	struct agent_id	 id;

	if (api_body(r, &agent_id_schema, &id) == -1)
		return -1;
	agent_deregister_service(r->api->agent, str_or(id.id, ""), r->now);
	schema_clear(&agent_id_schema, &id);
	return done(r, 0);
}

static int
on_deregister_check(struct api_request *r)
{
	struct agent_id	 id;

	if (api_body(r, &agent_id_schema, &id) == -1)
		return -1;
	agent_deregister_check(r->api->agent, str_or(id.id, ""), r->now);
	schema_clear(&agent_id_schema, &id);
	return done(r, 0);
}

static int
on_update_check(struct api_request *r)
{
	struct agent_update	 u;
	int			 rc;

	if (api_body(r, &agent_update_schema, &u) == -1)
		return -1;
	rc = agent_update_check(r->api->agent, &u, r->now, r->err,
	    sizeof(r->err));
	schema_clear(&agent_update_schema, &u);
	return done(r, rc);
}

static int
on_maintenance(struct api_request *r)
{
	struct agent_maintenance	 m;
	int				 rc;

	if (api_body(r, &agent_maintenance_schema, &m) == -1)
		return -1;
	rc = agent_maintenance(r->api->agent, &m, r->now, r->err,
	    sizeof(r->err));
	schema_clear(&agent_maintenance_schema, &m);
	return done(r, rc);
}

static int
on_sync(struct api_request *r)
{
	r->api->ops.sync(r->api->ops.arg);
	return done(r, 0);
}

static const struct method {
	const char	*name;
	int		(*fn)(struct api_request *);
} methods[] = {
	{ "Agent.Services",		on_services },
	{ "Agent.Service",		on_service },
	{ "Agent.Checks",		on_checks },
	{ "Agent.RegisterService",	on_register_service },
	{ "Agent.DeregisterService",	on_deregister_service },
	{ "Agent.RegisterCheck",	on_register_check },
	{ "Agent.DeregisterCheck",	on_deregister_check },
	{ "Agent.UpdateCheck",		on_update_check },
	{ "Agent.Maintenance",		on_maintenance },
	{ "Agent.CheckRuns",		api_check_runs },
	{ "Agent.Stats",		on_stats },
	{ "Agent.Sync",			on_sync },
	{ "Agent.EventFire",		api_event_fire },
	{ "Agent.EventList",		api_event_list },
};

/* ---- the door ---- */

struct agent_api *
agent_api_new(struct agent *a, const struct agent_api_ops *ops)
{
	struct agent_api	*api = xcalloc(1, sizeof(*api));

	api->agent = a;
	api->ops = *ops;
	TAILQ_INIT(&api->waits);
	return api;
}

struct agent_wait *
api_wait(struct api_request *r, uint64_t until,
    bool (*over)(struct agent_wait *, uint64_t))
{
	struct agent_wait	*w = xcalloc(1, sizeof(*w));

	w->api = r->api;
	w->until = until;
	w->over = over;
	w->fn = r->fn;
	w->arg = r->arg;
	TAILQ_INSERT_TAIL(&r->api->waits, w, entry);
	r->wait = w;
	return w;
}

void
api_resume(struct agent_wait *w, uint64_t now, struct api_request *r)
{
	memset(r, 0, sizeof(*r));
	r->api = w->api;
	r->now = now;
	r->fn = w->fn;
	r->arg = w->arg;
	agent_api_cancel(w);
}

void
agent_api_cancel(struct agent_wait *w)
{
	if (w->call != NULL)
		w->api->ops.cancel(w->call, w->api->ops.arg);
	TAILQ_REMOVE(&w->api->waits, w, entry);
	free(w->id);
	free(w->hash);
	schema_clear(&agent_event_list_schema, &w->list);
	schema_clear(&user_event_schema, &w->event);
	free(w);
}

void
agent_api_free(struct agent_api *api)
{
	struct agent_wait	*w;

	if (api == NULL)
		return;
	while ((w = TAILQ_FIRST(&api->waits)) != NULL)
		agent_api_cancel(w);
	user_events_clear(&api->events);
	schema_clear(&msg_check_runs_schema, &api->runs);
	free(api);
}

struct agent_wait *
agent_api_call(struct agent_api *api, const char *method, const uint8_t *p,
    size_t len, uint64_t now, call_fn *fn, void *arg)
{
	struct api_request	 r;
	size_t		 i;

	memset(&r, 0, sizeof(r));
	r.api = api;
	r.body = p;
	r.len = len;
	r.now = now;
	r.fn = fn;
	r.arg = arg;
	for (i = 0; i < NELEM(methods); i++)
		if (strcmp(methods[i].name, method) == 0)
			break;
	if (i == NELEM(methods)) {
		snprintf(r.err, sizeof(r.err), "rpc: can't find method %.256s",
		    method);
		answer_error(&r);
	} else if (methods[i].fn(&r) == -1)
		answer_error(&r);
	return r.wait;
}

uint64_t
agent_api_run(struct agent_api *api, uint64_t now)
{
	struct agent_wait	*w;
	uint64_t		 next = AGENT_NEVER;
again:
	/* An answer may lead to another being cancelled: start over. */
	TAILQ_FOREACH(w, &api->waits, entry)
		if (w->over(w, now))
			goto again;
	TAILQ_FOREACH(w, &api->waits, entry)
		if (w->until < next)
			next = w->until;
	return next;
}

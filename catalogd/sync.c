/*
 * Anti-entropy.  See sync.h; the rules are those of Consul 1.8.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/sync.h"

#define INTERVAL_MS	60000
#define RETRY_MS	15000
#define SERVER_UP_MS	3000
#define SCALE_FROM	128	/* nodes; beyond it the spread grows */
#define STALE_MAX_NS	(2 * NS_PER_S)
#define LOG_LINE_MAX	512

enum phase { IDLE, READ_SERVICES, READ_CHECKS, PUSH };
enum push { PUSH_NODE, PUSH_SERVICE, PUSH_CHECK };

struct sync {
	struct agent	*agent;
	struct sync_ops	 ops;
	struct rng	 rng;
	size_t		 members;
	enum phase	 phase;
	bool		 full;		/* the run under way is one */
	bool		 failed;	/* the last full run */
	bool		 changed;
	bool		 again;		/* a full run was asked for meanwhile */
	bool		 stopped;
	bool		 old_method;	/* servers lack NodeServiceList */
	uint64_t	 full_at;
	uint64_t	 up_at;		/* a server came during a run: try it
					   then, should the run fail */
	struct indexed_node_service_list remote;

	/* the write under way */
	enum push	 push;
	bool		 deregister;
	char		*id;
	uint64_t	 gen;
	struct sent { char *id; uint64_t gen; } *sent;	/* checks in it */
	size_t		 nsent;
};

struct sync *
sync_new(struct agent *a, const struct sync_ops *ops, uint64_t seed)
{
	struct sync	*s = xcalloc(1, sizeof(*s));

	s->agent = a;
	s->ops = *ops;
	s->up_at = AGENT_NEVER;
	rng_seed(&s->rng, seed);
	return s;
}

static void
sent_clear(struct sync *s)
{
	size_t	 i;

	for (i = 0; i < s->nsent; i++)
		free(s->sent[i].id);
	free(s->sent);
	s->sent = NULL;
	s->nsent = 0;
	free(s->id);
	s->id = NULL;
}

void
sync_free(struct sync *s)
{
	if (s == NULL)
		return;
	sent_clear(s);
	schema_clear(&indexed_node_service_list_schema, &s->remote);
	free(s);
}

static void say(struct sync *, bool, const char *, ...)
    __attribute__((format(printf, 3, 4)));

static void
say(struct sync *s, bool warning, const char *fmt, ...)
{
	char	 line[LOG_LINE_MAX];
	va_list	 ap;

	va_start(ap, fmt);
	/* A long name may cut the line; that is all it does. */
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	s->ops.log(warning, line, s->ops.arg);
}

/* ---- when ---- */

/* Up to ms, more in a large cluster, so that servers are not stormed. */
static uint64_t
stagger(struct sync *s, uint64_t ms)
{
	double	 scale = 1;

	if (s->members > SCALE_FROM)
		scale += ceil(log2((double)s->members) - log2(SCALE_FROM));
	return (uint64_t)(rng_double(&s->rng) * scale * (double)ms);
}

void
sync_changed(struct sync *s)
{
	s->changed = true;
}

void
sync_server_up(struct sync *s, uint64_t now)
{
	uint64_t	 at = now + stagger(s, SERVER_UP_MS);

	if (s->phase != IDLE)
		s->up_at = at < s->up_at ? at : s->up_at;
	else if (at < s->full_at)
		s->full_at = at;
}

void
sync_full(struct sync *s, uint64_t now)
{
	if (s->phase != IDLE)
		s->again = true;
	else if (now < s->full_at)
		s->full_at = now;
}

void
sync_members(struct sync *s, size_t n)
{
	s->members = n;
}

void
sync_stop(struct sync *s)
{
	s->stopped = true;
}

static void
run_done(struct sync *s, uint64_t now)
{
	s->phase = IDLE;
	sent_clear(s);
	schema_clear(&indexed_node_service_list_schema, &s->remote);
	if (s->full) {
		s->failed = false;
		s->full_at = now + INTERVAL_MS + stagger(s, INTERVAL_MS);
	}
	s->full = false;
	if (s->again)
		s->full_at = now;
	s->up_at = AGENT_NEVER;
	s->again = false;
}

static void
run_failed(struct sync *s, const char *error, uint64_t now)
{
	uint64_t	 at = now + RETRY_MS + stagger(s, RETRY_MS);

	if (s->up_at < at)
		at = s->up_at;
	s->up_at = AGENT_NEVER;
	say(s, true, "anti-entropy: failed to sync %s: %s",
	    s->full ? "remote state" : "changes", error);
	s->failed = s->full;
	s->phase = IDLE;
	sent_clear(s);
	schema_clear(&indexed_node_service_list_schema, &s->remote);
	if (s->again)
		s->full_at = now;
	else if (s->full || at < s->full_at)
		s->full_at = at;
	s->full = s->again = false;
}

/* ---- reading and comparing ---- */

static void
ask(struct sync *s, enum phase phase)
{
	struct node_request	 r;
	struct agent		*a = s->agent;
	const char		*method = "Health.NodeChecks";

	s->phase = phase;
	memset(&r, 0, sizeof(r));
	r.datacenter = a->conf.datacenter;
	r.node = a->conf.node_name;
	r.token = str_empty(a->cat.token_agent) ? a->cat.token_default :
	    a->cat.token_agent;
	r.allow_stale = true;
	r.max_stale_duration = STALE_MAX_NS;
	if (phase == READ_SERVICES)
		method = s->old_method ? "Catalog.NodeServices" :
		    "Catalog.NodeServiceList";
	s->ops.call(method, &node_request_schema, &r, false, s->ops.arg);
}

bool
sync_service_same(const struct node_service *l, struct node_service *r)
{
	r->create_index = l->create_index;
	r->modify_index = l->modify_index;
	r->sidecar = l->sidecar;
	return schema_equal(&node_service_schema, l, r);
}

bool
sync_check_same(const struct local_check *c, struct health_check *r)
{
	r->create_index = c->chk.create_index;
	r->modify_index = c->chk.modify_index;
	str_set(&r->type, c->chk.type);
	if (c->defer_at != AGENT_NEVER)
		str_set(&r->output, c->chk.output);
	return schema_equal(&health_check_schema, &c->chk, r);
}

static void
compare_node(struct sync *s)
{
	const struct node	*n = s->remote.node_services.node;
	struct agent		*a = s->agent;

	a->node_in_sync = n != NULL &&
	    strcmp(str_or(n->id, ""), str_or(a->conf.node_id, "")) == 0 &&
	    strmap_equal(&n->tagged_addresses, &a->conf.tagged_addresses) &&
	    strmap_equal(&n->meta, &a->conf.node_meta);
}

static void
compare_services(struct sync *s)
{
	struct agent		*a = s->agent;
	struct local_service	*l, key;
	struct node_service	*r;
	size_t			 i;

	RB_FOREACH(l, local_services, &a->services)
		l->in_sync = false;
	for (i = 0; i < s->remote.node_services.services.n; i++) {
		r = &s->remote.node_services.services.item[i];
		if (str_empty(r->id))
			continue;
		memset(&key, 0, sizeof(key));
		key.svc.id = r->id;
		l = RB_FIND(local_services, &a->services, &key);
		if (l == NULL) {
			/* The servers' own; the leader looks after it. */
			if (strcmp(r->id, "consul") != 0)
				agent_service_stray(a, r->id);
			continue;
		}
		if (l->deleted)
			continue;
		if (l->svc.enable_tag_override)
			agent_service_tags(a, l, &r->tags);
		l->in_sync = sync_service_same(&l->svc, r);
	}
}

static void
compare_checks(struct sync *s, struct indexed_health_checks *remote)
{
	struct agent		*a = s->agent;
	struct local_check	*l, key;
	struct health_check	*r;
	size_t			 i;

	RB_FOREACH(l, local_checks, &a->checks)
		l->in_sync = false;
	for (i = 0; i < remote->checks.n; i++) {
		r = &remote->checks.item[i];
		if (str_empty(r->check_id))
			continue;
		memset(&key, 0, sizeof(key));
		key.chk.check_id = r->check_id;
		l = RB_FIND(local_checks, &a->checks, &key);
		if (l == NULL) {
			/* The leader's verdict on this node. */
			if (strcmp(r->check_id, "serfHealth") != 0)
				agent_check_stray(a, r->check_id);
			continue;
		}
		if (!l->deleted)
			l->in_sync = sync_check_same(l, r);
	}
}

/* The old method answers a map; the rest of us works on a list. */
static int
decode_services(struct sync *s, const uint8_t *p, size_t len, const char **err)
{
	struct indexed_node_services	 old;
	struct node_service		*svc;
	struct node_services		*ns;
	size_t				 i;

	if (!s->old_method)
		return schema_decode_all(&indexed_node_service_list_schema, p,
		    len, &s->remote, err);
	if (schema_decode_all(&indexed_node_services_schema, p, len, &old,
	    err) == -1)
		return -1;
	memset(&s->remote, 0, sizeof(s->remote));
	if ((ns = old.node_services) != NULL) {
		s->remote.node_services.node = ns->node;
		ns->node = NULL;
		for (i = 0; i < ns->services.n; i++) {
			svc = VEC_ADD(&s->remote.node_services.services);
			*svc = ns->services.item[i].val;
			memset(&ns->services.item[i].val, 0, sizeof(*svc));
		}
	}
	schema_clear(&indexed_node_services_schema, &old);
	return 0;
}

/* ---- pushing ---- */

static const char *
service_token(const struct sync *s, const char *own)
{
	return str_empty(own) ? s->agent->cat.token_default : own;
}

static void
request_node(const struct sync *s, struct register_request *r)
{
	const struct conf_agent	*c = &s->agent->conf;

	memset(r, 0, sizeof(*r));
	r->datacenter = c->datacenter;
	r->id = c->node_id;
	r->node = c->node_name;
	r->address = c->advertise_addr;
	r->tagged_addresses = c->tagged_addresses;
	r->node_meta = c->node_meta;
	r->skip_node_update = s->agent->node_in_sync;
}

static void
remember_check(struct sync *s, const struct local_check *c)
{
	s->sent = xreallocarray(s->sent, s->nsent + 1, sizeof(*s->sent));
	s->sent[s->nsent].id = xstrdup(c->chk.check_id);
	s->sent[s->nsent++].gen = c->gen;
}

static void
push_begin(struct sync *s, enum push what, const char *id, uint64_t gen,
    bool deregister)
{
	sent_clear(s);
	s->phase = PUSH;
	s->push = what;
	s->id = xstrdup(id);
	s->gen = gen;
	s->deregister = deregister;
}

static void
send_register(struct sync *s, struct register_request *r)
{
	s->ops.call("Catalog.Register", &register_request_schema, r, true,
	    s->ops.arg);
}

static void
push_node(struct sync *s)
{
	struct register_request	 r;

	push_begin(s, PUSH_NODE, "", s->agent->node_gen, false);
	request_node(s, &r);
	r.skip_node_update = false;
	r.token = str_empty(s->agent->cat.token_agent) ?
	    s->agent->cat.token_default : s->agent->cat.token_agent;
	send_register(s, &r);
}

static void
push_deregister(struct sync *s, enum push what, const char *id,
    const char *token, uint64_t gen)
{
	struct deregister_request	 r;

	push_begin(s, what, id, gen, true);
	memset(&r, 0, sizeof(r));
	r.datacenter = s->agent->conf.datacenter;
	r.node = s->agent->conf.node_name;
	if (what == PUSH_SERVICE)
		r.service_id = s->id;
	else
		r.check_id = s->id;
	r.token = (char *)(uintptr_t)service_token(s, token);
	s->ops.call("Catalog.Deregister", &deregister_request_schema, &r, true,
	    s->ops.arg);
}

/* One check goes in Check, several in Checks, as Consul sends them. */
static void
push_service(struct sync *s, struct local_service *l)
{
	struct agent		*a = s->agent;
	struct register_request	 r;
	struct health_check_vec	 v;
	struct health_check	*slot;
	struct local_check	*c;

	push_begin(s, PUSH_SERVICE, l->svc.id, l->gen, false);
	request_node(s, &r);
	r.service = &l->svc;
	r.token = (char *)(uintptr_t)service_token(s, l->token);
	memset(&v, 0, sizeof(v));
	RB_FOREACH(c, local_checks, &a->checks) {
		if (c->deleted || c->in_sync ||
		    strcmp(str_or(c->chk.service_id, ""), l->svc.id) != 0 ||
		    strcmp(str_or(service_token(s, c->token), ""),
		    str_or(r.token, "")) != 0)
			continue;
		slot = VEC_ADD(&v);
		*slot = c->chk;		/* borrowed */
		remember_check(s, c);
	}
	if (v.n == 1)
		r.check = &v.item[0];
	else
		r.checks = v;
	send_register(s, &r);
	free(v.item);
}

static void
push_check(struct sync *s, struct local_check *c)
{
	struct register_request	 r;
	struct local_service	*l = NULL;

	push_begin(s, PUSH_CHECK, c->chk.check_id, c->gen, false);
	request_node(s, &r);
	r.check = &c->chk;
	r.token = (char *)(uintptr_t)service_token(s, c->token);
	if (!str_empty(c->chk.service_id) &&
	    (l = agent_service_find(s->agent, c->chk.service_id)) != NULL)
		r.service = &l->svc;
	remember_check(s, c);
	send_register(s, &r);
}

/* The next thing to push; ends the run when there is none. */
static void
push_next(struct sync *s, uint64_t now)
{
	struct agent		*a = s->agent;
	struct local_service	*l;
	struct local_check	*c;

	if (s->stopped) {
		run_done(s, now);
		return;
	}
	if (!a->node_in_sync) {
		push_node(s);
		return;
	}
	RB_FOREACH(l, local_services, &a->services) {
		if (l->in_sync)
			continue;
		if (l->deleted)
			push_deregister(s, PUSH_SERVICE, l->svc.id, l->token,
			    l->gen);
		else
			push_service(s, l);
		return;
	}
	RB_FOREACH(c, local_checks, &a->checks) {
		if (c->in_sync)
			continue;
		if (c->deleted)
			push_deregister(s, PUSH_CHECK, c->chk.check_id,
			    c->token, c->gen);
		else
			push_check(s, c);
		return;
	}
	run_done(s, now);
}

/* Checks of a service that is gone went with it. */
static void
forget_checks_of(struct sync *s, const char *service_id)
{
	struct local_check	*c, *next;

	RB_FOREACH_SAFE(c, local_checks, &s->agent->checks, next)
		if (c->deleted && strcmp(str_or(c->chk.service_id, ""),
		    service_id) == 0)
			agent_check_forget(s->agent, c);
}

static void
deregistered(struct sync *s)
{
	struct local_service	*l, lkey;
	struct local_check	*c, ckey;

	if (s->push == PUSH_SERVICE) {
		memset(&lkey, 0, sizeof(lkey));
		lkey.svc.id = s->id;
		l = RB_FIND(local_services, &s->agent->services, &lkey);
		say(s, false, "service %s: deregistered", s->id);
		forget_checks_of(s, s->id);
		if (l != NULL && l->deleted && l->gen == s->gen)
			agent_service_forget(s->agent, l);
		return;
	}
	memset(&ckey, 0, sizeof(ckey));
	ckey.chk.check_id = s->id;
	c = RB_FIND(local_checks, &s->agent->checks, &ckey);
	say(s, false, "check %s: deregistered", s->id);
	if (c != NULL && c->deleted && c->gen == s->gen)
		agent_check_forget(s->agent, c);
}

/* What was sent is in sync, unless it changed in the meantime. */
static void
registered(struct sync *s, bool refused)
{
	struct agent		*a = s->agent;
	struct local_service	*l;
	struct local_check	*c;
	size_t			 i;

	if (s->push == PUSH_NODE) {
		if (!refused)
			say(s, false, "node %s: synced", a->conf.node_name);
		a->node_in_sync = a->node_gen == s->gen;
		return;
	}
	/* A registration carries the node along. */
	if (s->push == PUSH_SERVICE) {
		l = agent_service_find(a, s->id);
		if (l != NULL && l->gen == s->gen)
			l->in_sync = true;
		if (!refused)
			say(s, false, "service %s: synced", s->id);
	} else if (!refused)
		say(s, false, "check %s: synced", s->id);
	for (i = 0; i < s->nsent; i++) {
		c = agent_check_find(a, s->sent[i].id);
		if (c == NULL || c->gen != s->sent[i].gen)
			continue;
		c->in_sync = true;
		c->defer_at = AGENT_NEVER;
	}
}

/*
 * A refused deregistration is not asked for again before the next full run,
 * which finds the stray anew.
 */
static void
refused(struct sync *s, const char *error)
{
	struct local_service	*l, lkey;
	struct local_check	*c, ckey;

	say(s, true, "%s %s: %s blocked by ACLs: %s",
	    s->push == PUSH_NODE ? "node" : s->push == PUSH_SERVICE ?
	    "service" : "check", s->push == PUSH_NODE ?
	    s->agent->conf.node_name : s->id,
	    s->deregister ? "deregistration" : "registration", error);
	if (!s->deregister) {
		registered(s, true);
		return;
	}
	memset(&lkey, 0, sizeof(lkey));
	memset(&ckey, 0, sizeof(ckey));
	lkey.svc.id = ckey.chk.check_id = s->id;
	if (s->push == PUSH_SERVICE) {
		if ((l = RB_FIND(local_services, &s->agent->services,
		    &lkey)) != NULL)
			l->in_sync = true;
	} else if ((c = RB_FIND(local_checks, &s->agent->checks,
	    &ckey)) != NULL)
		c->in_sync = true;
}

static void
push_answer(struct sync *s, const char *error, uint64_t now)
{
	if (error == NULL) {
		if (s->deregister)
			deregistered(s);
		else
			registered(s, false);
	} else if (strstr(error, "Permission denied") != NULL ||
	    strstr(error, "ACL not found") != NULL)
		refused(s, error);
	else if (s->deregister && (strstr(error, "Unknown service") != NULL ||
	    strstr(error, "Unknown check") != NULL))
		deregistered(s);
	else {
		run_failed(s, error, now);
		return;
	}
	push_next(s, now);
}

/* ---- the machine ---- */

void
sync_answer(struct sync *s, const char *error, const uint8_t *p, size_t len,
    uint64_t now)
{
	struct indexed_health_checks	 checks;
	const char			*why = NULL;

	switch (s->phase) {
	case IDLE:
		return;
	case PUSH:
		push_answer(s, error, now);
		return;
	case READ_SERVICES:
		if (error != NULL && !s->old_method &&
		    strstr(error, "rpc: can't find method") != NULL) {
			s->old_method = true;
			ask(s, READ_SERVICES);
			return;
		}
		if (error == NULL && decode_services(s, p, len, &why) == -1)
			error = why;
		if (error == NULL)
			ask(s, READ_CHECKS);
		break;
	case READ_CHECKS:
		if (error == NULL && schema_decode_all(
		    &indexed_health_checks_schema, p, len, &checks,
		    &why) == -1)
			error = why;
		if (error != NULL)
			break;
		compare_node(s);
		compare_services(s);
		compare_checks(s, &checks);
		schema_clear(&indexed_health_checks_schema, &checks);
		s->changed = false;
		push_next(s, now);
		break;
	}
	if (error != NULL)
		run_failed(s, error, now);
}

uint64_t
sync_run(struct sync *s, uint64_t now)
{
	if (s->stopped || s->phase != IDLE)
		return AGENT_NEVER;
	if (now >= s->full_at) {
		s->full = true;
		ask(s, READ_SERVICES);
		return AGENT_NEVER;
	}
	/* While full runs fail there is nobody to tell. */
	if (s->changed && !s->failed) {
		s->changed = false;
		push_next(s, now);
		if (s->phase != IDLE)
			return AGENT_NEVER;
	}
	return s->full_at;
}

/*
 * This node's own services and checks.  See agent.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/agent_int.h"
#include "catalogd/alias.h"

#define LOG_LINE_MAX	512

int
local_service_cmp(const struct local_service *a, const struct local_service *b)
{
	return strcmp(a->svc.id, b->svc.id);
}

int
local_check_cmp(const struct local_check *a, const struct local_check *b)
{
	return strcmp(a->chk.check_id, b->chk.check_id);
}

RB_GENERATE(local_services, local_service, entry, local_service_cmp)
RB_GENERATE(local_checks, local_check, entry, local_check_cmp)

void
agent_say(struct agent *a, bool warning, const char *fmt, ...)
{
	char	 line[LOG_LINE_MAX];
	va_list	 ap;

	va_start(ap, fmt);
	/* A long name may cut the line; that is all it does. */
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	a->ops.log(warning, line, a->ops.arg);
}

struct agent *
agent_new(const struct agent_ops *ops, uint64_t seed)
{
	struct agent	*a = xcalloc(1, sizeof(*a));

	a->ops = *ops;
	rng_seed(&a->rng, seed);
	RB_INIT(&a->services);
	RB_INIT(&a->checks);
	a->wake_at = AGENT_NEVER;
	a->reap_at = AGENT_NEVER;
	return a;
}

static void
service_free(struct local_service *s)
{
	schema_clear(&node_service_schema, &s->svc);
	free(s->token);
	free(s);
}

static void
check_free(struct local_check *c)
{
	schema_clear(&health_check_schema, &c->chk);
	schema_clear(&check_def_schema, &c->def);
	agent_past_free(c);
	free(c->token);
	free(c);
}

void
agent_free(struct agent *a)
{
	struct local_service	*s;
	struct local_check	*c;

	if (a == NULL)
		return;
	while ((s = RB_MIN(local_services, &a->services)) != NULL)
		agent_service_forget(a, s);
	while ((c = RB_MIN(local_checks, &a->checks)) != NULL)
		agent_check_forget(a, c);
	agent_remember_end(a);
	schema_clear(&conf_agent_schema, &a->conf);
	schema_clear(&conf_catalog_schema, &a->cat);
	free(a);
}

void
agent_configure(struct agent *a, const struct conf_agent *conf,
    const struct conf_catalog *cat)
{
	struct conf_agent	 next;

	schema_copy(&conf_agent_schema, &next, conf);
	/* Consul's agents always carry it. */
	if (strmap_get(&next.node_meta, "consul-network-segment") == NULL)
		strmap_put(&next.node_meta, "consul-network-segment", "");
	next.tagged_addresses.set = true;
	if (!schema_equal(&conf_agent_schema, &a->conf, &next)) {
		a->node_in_sync = false;
		a->node_gen++;
	}
	schema_clear(&conf_agent_schema, &a->conf);
	schema_clear(&conf_catalog_schema, &a->cat);
	a->conf = next;
	schema_copy(&conf_catalog_schema, &a->cat, cat);
	a->ops.changed(a->ops.arg);
}

struct local_service *
agent_service_any(struct agent *a, const char *id)
{
	struct local_service	 key;

	memset(&key, 0, sizeof(key));
	key.svc.id = (char *)(uintptr_t)str_or(id, "");
	return RB_FIND(local_services, &a->services, &key);
}

struct local_check *
agent_check_any(struct agent *a, const char *id)
{
	struct local_check	 key;

	memset(&key, 0, sizeof(key));
	key.chk.check_id = (char *)(uintptr_t)str_or(id, "");
	return RB_FIND(local_checks, &a->checks, &key);
}

struct local_service *
agent_service_find(struct agent *a, const char *id)
{
	struct local_service	*s = agent_service_any(a, id);

	return s != NULL && !s->deleted ? s : NULL;
}

struct local_check *
agent_check_find(struct agent *a, const char *id)
{
	struct local_check	*c = agent_check_any(a, id);

	return c != NULL && !c->deleted ? c : NULL;
}

void
agent_service_touch(struct agent *a, struct local_service *s)
{
	s->in_sync = false;
	s->gen = ++a->gen;
	a->ops.changed(a->ops.arg);
}

void
agent_check_touch(struct agent *a, struct local_check *c)
{
	c->in_sync = false;
	c->gen = ++a->gen;
	a->ops.changed(a->ops.arg);
}

void
agent_wake_by(struct agent *a, uint64_t at)
{
	if (at < a->wake_at) {
		a->wake_at = at;
		a->ops.changed(a->ops.arg);
	}
}

/* ---- states remembered from disk ---- */

void
agent_remember(struct agent *a, const char *id, const char *status,
    const char *output, uint64_t left_ms)
{
	struct remembered	*r;

	if (str_empty(id) || !check_status_valid(status))
		return;
	a->remembered = xreallocarray(a->remembered, a->nremembered + 1,
	    sizeof(*r));
	r = &a->remembered[a->nremembered++];
	r->id = xstrdup(id);
	r->status = xstrdup(status);
	r->output = xstrdup(str_or(output, ""));
	r->left_ms = left_ms;
}

void
agent_remember_end(struct agent *a)
{
	size_t	 i;

	for (i = 0; i < a->nremembered; i++) {
		free(a->remembered[i].id);
		free(a->remembered[i].status);
		free(a->remembered[i].output);
	}
	free(a->remembered);
	a->remembered = NULL;
	a->nremembered = 0;
}

const struct remembered *
agent_remembered(const struct agent *a, const char *id)
{
	size_t	 i;

	for (i = 0; i < a->nremembered; i++)
		if (strcmp(a->remembered[i].id, id) == 0)
			return &a->remembered[i];
	return NULL;
}

/* ---- the state of a check ---- */

void
agent_past_free(struct local_check *c)
{
	size_t	 i;

	for (i = 0; c->past != NULL && i < c->past->n; i++) {
		free(c->past->change[i].status);
		free(c->past->change[i].output);
	}
	free(c->past);
	c->past = NULL;
}

static void
past_add(struct local_check *c, const char *status, const char *output,
    uint64_t now)
{
	struct check_past	*p = c->past;

	if (p == NULL)
		p = c->past = xcalloc(1, sizeof(*p));
	if (p->n == AGENT_PAST_MAX) {
		free(p->change[0].status);
		free(p->change[0].output);
		memmove(&p->change[0], &p->change[1],
		    (AGENT_PAST_MAX - 1) * sizeof(p->change[0]));
		p->n--;
	}
	p->change[p->n].at_ms = now;
	p->change[p->n].status = xstrdup(status);
	p->change[p->n++].output = xstrndup(output, AGENT_PAST_OUTPUT);
}

static void
set_critical(struct local_check *c, bool critical, uint64_t now)
{
	if (critical && !c->critical)
		c->critical_ms = now;
	c->critical = critical;
}

static uint64_t
defer_ms(struct agent *a)
{
	uint64_t	 ms = (uint64_t)(a->cat.check_update_interval /
			    NS_PER_MS);

	return ms / 2 + (uint64_t)(rng_double(&a->rng) * (double)ms);
}

/*
 * Status at once, output alone with delay: it changes with every probe of
 * some checks and nobody waits for it.
 */
void
agent_set_state(struct agent *a, struct local_check *c, const char *status,
    const char *output, uint64_t now)
{
	bool	 same = strcmp(str_or(c->chk.status, ""), status) == 0;

	set_critical(c, strcmp(status, "critical") == 0, now);
	if (a->cat.discard_check_output)
		output = "";
	if (same && strcmp(str_or(c->chk.output, ""), output) == 0)
		return;
	str_set(&c->chk.output, output);
	if (same && a->cat.check_update_interval > 0) {
		/* One that is on its way has the old output: send again. */
		if (!c->in_sync)
			c->gen = ++a->gen;
		else if (c->defer_at == AGENT_NEVER) {
			c->defer_at = now + defer_ms(a);
			agent_wake_by(a, c->defer_at);
		}
		return;
	}
	str_set(&c->chk.status, status);
	if (!same)
		past_add(c, status, output, now);
	if (!same && check_kind_probed(c->kind))
		a->ops.save_state(c->chk.check_id, status, output, 0,
		    a->ops.arg);
	agent_check_touch(a, c);
}

static void
alias_state(struct agent *a, struct local_check *al, uint64_t now)
{
	struct alias_sum	 s;
	struct local_check	*c;

	alias_begin(&s, al->def.alias_service);
	RB_FOREACH(c, local_checks, &a->checks)
		if (!c->deleted && c->kind != CHECK_ALIAS)
			alias_add(&s, &c->chk);
	alias_end(&s, agent_service_find(a, al->def.alias_service) != NULL,
	    a->conf.node_name);
	agent_set_state(a, al, s.status, s.text, now);
	free(s.text);
}

void
agent_aliases(struct agent *a, uint64_t now)
{
	struct local_check	*c;

	RB_FOREACH(c, local_checks, &a->checks)
		if (!c->deleted && c->kind == CHECK_ALIAS &&
		    !alias_is_remote(a, c))
			alias_state(a, c, now);
}

/* ---- adding and removing ---- */

static void
probe_msg(struct agent *a, const struct local_check *c, struct msg_check *m)
{
	check_def_msg(&c->def, c->chk.check_id, c->chk.status,
	    a->cat.check_output_max_size, m);
	m->failing = c->found && strcmp(str_or(c->chk.status, ""),
	    "passing") != 0;
}

void
agent_probe_start(struct agent *a, struct local_check *c)
{
	struct msg_check	 m;

	if (!check_kind_probed(c->kind))
		return;
	probe_msg(a, c, &m);
	a->ops.check_set(&m, a->ops.arg);
	schema_clear(&msg_check_schema, &m);
}

void
agent_probe_stop(struct agent *a, struct local_check *c)
{
	if (check_kind_probed(c->kind))
		a->ops.check_remove(c->chk.check_id, a->ops.arg);
	c->ttl_at = AGENT_NEVER;
	c->defer_at = AGENT_NEVER;
	c->until = AGENT_NEVER;
}

void
agent_check_drop(struct agent *a, struct local_check *c)
{
	agent_probe_stop(a, c);
	if (c->source == AGENT_REMOTE)
		a->ops.drop_check(c->chk.check_id, a->ops.arg);
	a->ops.drop_state(c->chk.check_id, a->ops.arg);
	c->deleted = true;
	agent_check_touch(a, c);
}

void
agent_service_drop(struct agent *a, struct local_service *s)
{
	struct local_check	*c;

	/* First: a crash shall not leave it behind without its checks. */
	if (s->source == AGENT_REMOTE)
		a->ops.drop_service(s->svc.id, a->ops.arg);
	RB_FOREACH(c, local_checks, &a->checks)
		if (!c->deleted && strcmp(str_or(c->chk.service_id, ""),
		    s->svc.id) == 0)
			agent_check_drop(a, c);
	s->deleted = true;
	agent_service_touch(a, s);
}

/* Service name and tags are the service's, as the servers will have it. */
void
agent_check_bind(struct agent *a, struct health_check *chk)
{
	struct local_service	*s;

	if (str_empty(chk->service_id) ||
	    (s = agent_service_find(a, chk->service_id)) == NULL)
		return;
	str_set(&chk->service_name, s->svc.service);
	strs_clear(&chk->service_tags);
	strs_copy(&chk->service_tags, &s->svc.tags);
}

/* ---- checkd and the clock ---- */

void
agent_result(struct agent *a, const struct msg_result *r, uint64_t now)
{
	struct local_check	*c = agent_check_find(a, r->id);

	if (c == NULL || !check_kind_probed(c->kind) ||
	    !check_status_valid(r->status))
		return;
	c->found = true;
	agent_set_state(a, c, r->status, str_or(r->output, ""), now);
	agent_aliases(a, now);
}

void
agent_each_probe(struct agent *a, void (*fn)(const struct msg_check *,
    void *arg), void *arg)
{
	struct local_check	*c;
	struct msg_check	 m;

	RB_FOREACH(c, local_checks, &a->checks) {
		if (c->deleted || !check_kind_probed(c->kind))
			continue;
		probe_msg(a, c, &m);
		fn(&m, arg);
		schema_clear(&msg_check_schema, &m);
	}
}

void
agent_alias_set(struct agent *a, const char *id, const char *status,
    const char *output, uint64_t now)
{
	struct local_check	*c = agent_check_find(a, id);

	if (c != NULL && c->kind == CHECK_ALIAS)
		agent_set_state(a, c, status, output, now);
}

static void
ttl_expired(struct agent *a, struct local_check *c, uint64_t now)
{
	char	*text = NULL;

	c->ttl_at = AGENT_NEVER;
	agent_say(a, true, "check %s: critical: missed its TTL",
	    c->chk.check_id);
	if (str_empty(c->chk.output))
		text = xstrdup("TTL expired");
	else
		xasprintf(&text, "TTL expired (last output before timeout "
		    "follows): %s", c->chk.output);
	agent_set_state(a, c, "critical", text, now);
	a->ops.drop_state(c->chk.check_id, a->ops.arg);
	free(text);
}

/* Services whose check has been critical for longer than it allows. */
static void
reap(struct agent *a, uint64_t now)
{
	struct local_service	*s;
	struct local_check	*c;
	bool			 more = false;

	RB_FOREACH(c, local_checks, &a->checks) {
		if (c->deleted || c->reap_ms == 0)
			continue;
		more = true;
		if (!c->critical || now - c->critical_ms <= c->reap_ms ||
		    (s = agent_service_find(a, c->chk.service_id)) == NULL)
			continue;
		agent_say(a, false, "service %s: deregistered: check %s was "
		    "critical for too long", s->svc.id, c->chk.check_id);
		agent_service_drop(a, s);
	}
	a->reap_at = more ? now + AGENT_REAP_EVERY_MS : AGENT_NEVER;
}

uint64_t
agent_run(struct agent *a, uint64_t now)
{
	struct local_check	*c;
	bool			 expired = false;

	if (now < a->wake_at)
		return a->wake_at;
	if (now >= a->reap_at) {
		reap(a, now);
		expired = true;
	}
	a->wake_at = a->reap_at;
	RB_FOREACH(c, local_checks, &a->checks) {
		if (c->deleted)
			continue;
		if (now >= c->until) {
			agent_maintenance_off(a, c);
			expired = true;
			continue;
		}
		if (now >= c->ttl_at) {
			ttl_expired(a, c, now);
			expired = true;
		}
		if (now >= c->defer_at) {
			c->defer_at = AGENT_NEVER;
			agent_check_touch(a, c);
		}
		if (c->ttl_at < a->wake_at)
			a->wake_at = c->ttl_at;
		if (c->defer_at < a->wake_at)
			a->wake_at = c->defer_at;
		if (c->until < a->wake_at)
			a->wake_at = c->until;
	}
	if (expired)
		agent_aliases(a, now);
	return a->wake_at;
}

void
agent_counts(struct agent *a, size_t *services, size_t *checks, size_t *ttls,
    size_t *monitors)
{
	struct local_service	*s;
	struct local_check	*c;

	*services = *checks = *ttls = *monitors = 0;
	RB_FOREACH(s, local_services, &a->services)
		*services += !s->deleted;
	RB_FOREACH(c, local_checks, &a->checks) {
		if (c->deleted)
			continue;
		(*checks)++;
		*ttls += c->kind == CHECK_TTL;
		*monitors += c->kind == CHECK_SCRIPT;
	}
}

/* ---- for sync.c ---- */

void
agent_service_forget(struct agent *a, struct local_service *s)
{
	RB_REMOVE(local_services, &a->services, s);
	service_free(s);
}

void
agent_check_forget(struct agent *a, struct local_check *c)
{
	RB_REMOVE(local_checks, &a->checks, c);
	check_free(c);
}

void
agent_service_stray(struct agent *a, const char *id)
{
	struct local_service	*s = xcalloc(1, sizeof(*s));

	s->svc.id = xstrdup(id);
	s->deleted = true;
	if (RB_INSERT(local_services, &a->services, s) != NULL) {
		service_free(s);
		return;
	}
	agent_service_touch(a, s);
}

void
agent_check_stray(struct agent *a, const char *id)
{
	struct local_check	*c = xcalloc(1, sizeof(*c));

	c->chk.check_id = xstrdup(id);
	c->deleted = true;
	c->kind = CHECK_NONE;
	c->ttl_at = c->defer_at = c->until = AGENT_NEVER;
	if (RB_INSERT(local_checks, &a->checks, c) != NULL) {
		check_free(c);
		return;
	}
	agent_check_touch(a, c);
}

void
agent_service_tags(struct agent *a, struct local_service *s,
    const struct strs *tags)
{
	struct local_check	*c;

	strs_clear(&s->svc.tags);
	strs_copy(&s->svc.tags, tags);
	RB_FOREACH(c, local_checks, &a->checks)
		if (!c->deleted && strcmp(str_or(c->chk.service_id, ""),
		    s->svc.id) == 0)
			agent_check_bind(a, &c->chk);
}

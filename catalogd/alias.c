/*
 * Alias checks.  See alias.h.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <bsd/sys/queue.h>

#include "catalogd/alias.h"

#define BLOCK_NS	(60 * NS_PER_S)
#define ANSWER_MS	90000
#define GAP_MS		1000	/* the node's checks may be many and lively */
#define RETRY_MIN_MS	1000
#define RETRY_MAX_MS	60000

/* ---- the verdict ---- */

void
alias_begin(struct alias_sum *s, const char *service)
{
	s->service = str_or(service, "");
	s->status = "passing";
	s->text = NULL;
	s->found = false;
}

void
alias_add(struct alias_sum *s, const struct health_check *c)
{
	const char	*id = str_or(c->service_id, "");
	const char	*status = str_or(c->status, "");

	if (*id != '\0' && strcmp(id, s->service) != 0)
		return;
	s->found |= *id != '\0';
	if (strcmp(s->status, "critical") == 0)
		return;
	if (strcmp(status, "critical") == 0)
		s->status = "critical";
	else if (strcmp(status, "warning") == 0)
		s->status = "warning";
	else {
		if (s->text == NULL)
			s->text = xstrdup("All checks passing.");
		return;
	}
	free(s->text);
	xasprintf(&s->text, "Aliased check \"%s\" failing: %s",
	    str_or(c->name, ""), str_or(c->output, ""));
}

void
alias_end(struct alias_sum *s, bool exists, const char *node)
{
	if (*s->service != '\0' && !s->found && !exists) {
		free(s->text);
		xasprintf(&s->text,
		    "Service %s could not be found on node %s", s->service,
		    node);
		s->status = "critical";
	}
	if (s->text == NULL)
		s->text = xstrdup("No checks found.");
}

bool
alias_is_remote(const struct agent *a, const struct local_check *c)
{
	return c->kind == CHECK_ALIAS && !str_empty(c->def.alias_node) &&
	    strcasecmp(c->def.alias_node, a->conf.node_name) != 0;
}

/* ---- another node's ---- */

struct alias {
	TAILQ_ENTRY(alias)	 entry;
	struct aliases		*as;
	char			*check_id, *node, *service;
	void			*call;
	uint64_t		 index, at;
	unsigned		 failures;
	bool			 seen;
	struct health_check_vec	 checks;	/* while services are asked */
};

struct aliases {
	struct agent		*agent;
	struct alias_ops	 ops;
	uint64_t		 gen;		/* of the agent, when looked */
	TAILQ_HEAD(, alias)	 all;
};

struct aliases *
aliases_new(struct agent *a, const struct alias_ops *ops)
{
	struct aliases	*as = xcalloc(1, sizeof(*as));

	as->agent = a;
	as->ops = *ops;
	TAILQ_INIT(&as->all);
	return as;
}

static void
checks_clear(struct health_check_vec *v)
{
	size_t	 i;

	for (i = 0; i < v->n; i++)
		schema_clear(&health_check_schema, &v->item[i]);
	free(v->item);
	memset(v, 0, sizeof(*v));
}

static void
alias_free(struct alias *al)
{
	TAILQ_REMOVE(&al->as->all, al, entry);
	if (al->call != NULL)
		al->as->ops.cancel(al->call, al->as->ops.arg);
	checks_clear(&al->checks);
	free(al->check_id);
	free(al->node);
	free(al->service);
	free(al);
}

void
aliases_free(struct aliases *as)
{
	struct alias	*al;

	if (as == NULL)
		return;
	while ((al = TAILQ_FIRST(&as->all)) != NULL)
		alias_free(al);
	free(as);
}

static uint64_t
alias_now(struct alias *al)
{
	return al->as->ops.now(al->as->ops.arg);
}

static void
alias_failed(struct alias *al, const char *error)
{
	uint64_t	 ms = RETRY_MIN_MS;
	unsigned	 i;
	char		*text;

	for (i = 0; i < al->failures && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	al->failures++;
	al->index = 0;
	checks_clear(&al->checks);
	al->at = alias_now(al) + (ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS);
	al->as->ops.changed(al->as->ops.arg);
	/* Once is a server, or a daemon of ours, that was started again. */
	if (al->failures < 2)
		return;
	xasprintf(&text, "Failure checking aliased node or service: %s",
	    error);
	agent_alias_set(al->as->agent, al->check_id, "critical", text,
	    alias_now(al));
	free(text);
}

static void
alias_verdict(struct alias *al, bool exists)
{
	struct alias_sum	 s;
	size_t			 i;

	alias_begin(&s, al->service);
	for (i = 0; i < al->checks.n; i++)
		alias_add(&s, &al->checks.item[i]);
	alias_end(&s, exists, al->node);
	agent_alias_set(al->as->agent, al->check_id, s.status, s.text,
	    alias_now(al));
	free(s.text);
	checks_clear(&al->checks);
	al->failures = 0;
	al->at = alias_now(al) + GAP_MS;
	al->as->ops.changed(al->as->ops.arg);
}

static bool
has_service_check(const struct alias *al)
{
	size_t	 i;

	for (i = 0; i < al->checks.n; i++)
		if (strcmp(str_or(al->checks.item[i].service_id, ""),
		    al->service) == 0)
			return true;
	return false;
}

static void ask(struct alias *, const char *, uint64_t, call_fn *);

/* A service may be there without a check of its own. */
static void
on_services(enum call_status status, const char *error, const uint8_t *p,
    size_t len, void *arg)
{
	struct indexed_node_services	 a;
	struct alias			*al = arg;
	const char			*why = error;
	bool				 exists = false;
	size_t				 i;

	al->call = NULL;
	if (status != CALL_OK || schema_decode_all(
	    &indexed_node_services_schema, p, len, &a, &why) == -1) {
		alias_failed(al, str_or(why, "no answer"));
		return;
	}
	for (i = 0; a.node_services != NULL &&
	    i < a.node_services->services.n; i++)
		if (strcmp(a.node_services->services.item[i].key,
		    al->service) == 0)
			exists = true;
	schema_clear(&indexed_node_services_schema, &a);
	alias_verdict(al, exists);
}

static void
on_checks(enum call_status status, const char *error, const uint8_t *p,
    size_t len, void *arg)
{
	struct indexed_health_checks	 a;
	struct alias			*al = arg;
	const char			*why = error;

	al->call = NULL;
	if (status != CALL_OK || schema_decode_all(
	    &indexed_health_checks_schema, p, len, &a, &why) == -1) {
		alias_failed(al, str_or(why, "no answer"));
		return;
	}
	/* An index that went back is another history; zero does not block. */
	if (a.index == 0)
		a.index = 1;
	al->index = a.index < al->index ? 0 : a.index;
	checks_clear(&al->checks);
	al->checks = a.checks;
	memset(&a.checks, 0, sizeof(a.checks));
	schema_clear(&indexed_health_checks_schema, &a);
	if (str_empty(al->service) || has_service_check(al))
		alias_verdict(al, true);
	else
		ask(al, "Catalog.NodeServices", 0, on_services);
}

static void
ask(struct alias *al, const char *method, uint64_t index, call_fn *fn)
{
	struct node_request	 r;
	struct agent		*a = al->as->agent;

	memset(&r, 0, sizeof(r));
	r.datacenter = a->conf.datacenter;
	r.node = al->node;
	r.token = a->cat.token_default;
	r.allow_stale = true;
	r.min_query_index = index;
	r.max_query_time = BLOCK_NS;
	al->call = al->as->ops.call(method, &node_request_schema, &r,
	    ANSWER_MS, fn, al, al->as->ops.arg);
}

/* ---- which there are ---- */

static struct alias *
alias_find(struct aliases *as, const struct local_check *c)
{
	struct alias	*al;

	TAILQ_FOREACH(al, &as->all, entry)
		if (strcmp(al->check_id, c->chk.check_id) == 0 &&
		    strcmp(al->node, c->def.alias_node) == 0 &&
		    strcmp(al->service, str_or(c->def.alias_service,
		    "")) == 0)
			return al;
	return NULL;
}

static void
refresh(struct aliases *as)
{
	struct local_check	*c;
	struct alias		*al, *next;

	TAILQ_FOREACH(al, &as->all, entry)
		al->seen = false;
	RB_FOREACH(c, local_checks, &as->agent->checks) {
		if (c->deleted || !alias_is_remote(as->agent, c))
			continue;
		if ((al = alias_find(as, c)) == NULL) {
			al = xcalloc(1, sizeof(*al));
			al->as = as;
			al->check_id = xstrdup(c->chk.check_id);
			al->node = xstrdup(c->def.alias_node);
			al->service = xstrdup(str_or(c->def.alias_service,
			    ""));
			TAILQ_INSERT_TAIL(&as->all, al, entry);
		}
		al->seen = true;
	}
	TAILQ_FOREACH_SAFE(al, &as->all, entry, next)
		if (!al->seen)
			alias_free(al);
}

uint64_t
aliases_run(struct aliases *as, uint64_t now)
{
	struct alias	*al;
	uint64_t	 next = AGENT_NEVER;

	if (as->gen != as->agent->gen) {
		as->gen = as->agent->gen;
		refresh(as);
	}
	TAILQ_FOREACH(al, &as->all, entry) {
		if (al->call != NULL)
			continue;
		if (al->at <= now)
			ask(al, "Health.NodeChecks", al->index, on_checks);
		else if (al->at < next)
			next = al->at;
	}
	return next;
}

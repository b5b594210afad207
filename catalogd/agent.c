/*
 * This node's own services and checks.  See agent.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/agent.h"
#include "catalogd/alias.h"

#define REAP_EVERY_MS	30000
#define LOG_LINE_MAX	512

#define NODE_MAINT_DEFAULT						\
	"Maintenance mode is enabled for this node, but no reason was "	\
	"provided. This is a default message."
#define SERVICE_MAINT_DEFAULT						\
	"Maintenance mode is enabled for this service, but no reason "	\
	"was provided. This is a default message."
#define SCRIPTS_OFF_REMOTE						\
	"Scripts are disabled on this agent from remote calls; to "	\
	"enable, configure 'enable_script_checks' to true"
#define SCRIPTS_OFF_FILES						\
	"Scripts are disabled on this agent; to enable, configure "	\
	"'enable_script_checks' or 'enable_local_script_checks' to true"

struct remembered {
	char	*id, *status, *output;
};

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

static void say(struct agent *, bool, const char *, ...)
    __attribute__((format(printf, 3, 4)));

static void
say(struct agent *a, bool warning, const char *fmt, ...)
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

static struct local_service *
service_any(struct agent *a, const char *id)
{
	struct local_service	 key;

	memset(&key, 0, sizeof(key));
	key.svc.id = (char *)(uintptr_t)str_or(id, "");
	return RB_FIND(local_services, &a->services, &key);
}

static struct local_check *
check_any(struct agent *a, const char *id)
{
	struct local_check	 key;

	memset(&key, 0, sizeof(key));
	key.chk.check_id = (char *)(uintptr_t)str_or(id, "");
	return RB_FIND(local_checks, &a->checks, &key);
}

struct local_service *
agent_service_find(struct agent *a, const char *id)
{
	struct local_service	*s = service_any(a, id);

	return s != NULL && !s->deleted ? s : NULL;
}

struct local_check *
agent_check_find(struct agent *a, const char *id)
{
	struct local_check	*c = check_any(a, id);

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

static void
wake_by(struct agent *a, uint64_t at)
{
	if (at < a->wake_at) {
		a->wake_at = at;
		a->ops.changed(a->ops.arg);
	}
}

/* ---- states remembered from disk ---- */

void
agent_remember(struct agent *a, const char *id, const char *status,
    const char *output)
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

static const struct remembered *
remembered_find(const struct agent *a, const char *id)
{
	size_t	 i;

	for (i = 0; i < a->nremembered; i++)
		if (strcmp(a->remembered[i].id, id) == 0)
			return &a->remembered[i];
	return NULL;
}

/* ---- the state of a check ---- */

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
static void
set_state(struct agent *a, struct local_check *c, const char *status,
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
			wake_by(a, c->defer_at);
		}
		return;
	}
	str_set(&c->chk.status, status);
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
	set_state(a, al, s.status, s.text, now);
	free(s.text);
}

static void
aliases(struct agent *a, uint64_t now)
{
	struct local_check	*c;

	RB_FOREACH(c, local_checks, &a->checks)
		if (!c->deleted && c->kind == CHECK_ALIAS &&
		    !alias_is_remote(a, c))
			alias_state(a, c, now);
}

/* ---- adding and removing ---- */

static void
probe_start(struct agent *a, struct local_check *c)
{
	struct msg_check	 m;

	if (!check_kind_probed(c->kind))
		return;
	check_def_msg(&c->def, c->chk.check_id, c->chk.status,
	    a->cat.check_output_max_size, &m);
	a->ops.check_set(&m, a->ops.arg);
	schema_clear(&msg_check_schema, &m);
}

static void
probe_stop(struct agent *a, struct local_check *c)
{
	if (check_kind_probed(c->kind))
		a->ops.check_remove(c->chk.check_id, a->ops.arg);
	c->ttl_at = AGENT_NEVER;
	c->defer_at = AGENT_NEVER;
}

static void
check_drop(struct agent *a, struct local_check *c)
{
	probe_stop(a, c);
	if (c->source == AGENT_REMOTE)
		a->ops.drop_check(c->chk.check_id, a->ops.arg);
	a->ops.drop_state(c->chk.check_id, a->ops.arg);
	c->deleted = true;
	agent_check_touch(a, c);
}

static void
service_drop(struct agent *a, struct local_service *s)
{
	struct local_check	*c;

	RB_FOREACH(c, local_checks, &a->checks)
		if (!c->deleted && strcmp(str_or(c->chk.service_id, ""),
		    s->svc.id) == 0)
			check_drop(a, c);
	if (s->source == AGENT_REMOTE)
		a->ops.drop_service(s->svc.id, a->ops.arg);
	s->deleted = true;
	agent_service_touch(a, s);
}

/* One check to be added: chk and def are taken. */
struct add {
	struct health_check	 chk;
	struct check_def	 def;
	const char		*token;
	enum agent_source	 source;
	bool			 keep;		/* its state, if it is there */
};

static void
add_clear(struct add *n)
{
	schema_clear(&health_check_schema, &n->chk);
	schema_clear(&check_def_schema, &n->def);
}

static bool
check_unchanged(const struct local_check *c, const struct add *n)
{
	const struct health_check	*x = &c->chk, *y = &n->chk;

	return schema_equal(&check_def_schema, &c->def, &n->def) &&
	    strcmp(str_or(x->name, ""), str_or(y->name, "")) == 0 &&
	    strcmp(str_or(x->notes, ""), str_or(y->notes, "")) == 0 &&
	    strcmp(str_or(x->service_id, ""), str_or(y->service_id, "")) == 0 &&
	    strcmp(str_or(c->token, ""), str_or(n->token, "")) == 0;
}

/* Service name and tags are the service's, as the servers will have it. */
static void
check_bind(struct agent *a, struct health_check *chk)
{
	struct local_service	*s;

	if (str_empty(chk->service_id) ||
	    (s = agent_service_find(a, chk->service_id)) == NULL)
		return;
	str_set(&chk->service_name, s->svc.service);
	strs_clear(&chk->service_tags);
	strs_copy(&chk->service_tags, &s->svc.tags);
}

/* Which state a check begins with. */
static void
check_initial(struct agent *a, struct local_check *old, struct add *n)
{
	const struct remembered	*r;
	enum check_kind		 kind = check_def_kind(&n->def);

	if (str_empty(n->chk.status))
		str_set(&n->chk.status, "critical");
	str_set(&n->chk.output, "");
	if (old != NULL && !old->deleted) {
		if (n->keep) {
			str_set(&n->chk.status, old->chk.status);
			str_set(&n->chk.output, old->chk.output);
		}
		return;
	}
	if (kind != CHECK_TTL && !check_kind_probed(kind))
		return;
	if ((r = remembered_find(a, n->chk.check_id)) != NULL) {
		str_set(&n->chk.status, r->status);
		str_set(&n->chk.output, r->output);
	}
}

static void
check_limits(struct agent *a, struct local_check *c)
{
	int64_t	 reap = c->def.deregister_critical_service_after;

	if (check_kind_probed(c->kind) &&
	    c->def.interval < CHECK_INTERVAL_MIN_NS)
		say(a, true, "check %s: interval below the minimum of 1s, "
		    "raised to it", c->chk.check_id);
	c->reap_ms = 0;
	if (reap <= 0)
		return;
	if (reap < CHECK_REAP_MIN_NS) {
		say(a, true, "check %s: deregister_critical_service_after "
		    "below the minimum of 1m, raised to it", c->chk.check_id);
		reap = CHECK_REAP_MIN_NS;
	}
	c->reap_ms = (uint64_t)(reap / NS_PER_MS);
}

static void
check_begin(struct agent *a, struct local_check *c, uint64_t now)
{
	check_limits(a, c);
	if (c->reap_ms != 0 && a->reap_at == AGENT_NEVER) {
		a->reap_at = now + REAP_EVERY_MS;
		wake_by(a, a->reap_at);
	}
	switch (c->kind) {
	case CHECK_TTL:
		c->ttl_at = now + (uint64_t)(c->def.ttl / NS_PER_MS);
		wake_by(a, c->ttl_at);
		break;
	case CHECK_HTTP:
	case CHECK_TCP:
	case CHECK_SCRIPT:
		probe_start(a, c);
		break;
	case CHECK_GRPC:
		str_set(&c->chk.output,
		    "gRPC checks are not run by this agent");
		break;
	case CHECK_DOCKER:
		str_set(&c->chk.output,
		    "Docker checks are not run by this agent");
		break;
	case CHECK_ALIAS:
		/* The caller looks at all of them when it is done. */
	case CHECK_NONE:
		break;
	}
}

/* Takes what n holds. */
static struct local_check *
check_add(struct agent *a, struct add *n, uint64_t now)
{
	struct local_check	*c = check_any(a, n->chk.check_id);

	check_bind(a, &n->chk);
	str_set(&n->chk.node, a->conf.node_name);
	if (c != NULL && !c->deleted && n->keep && check_unchanged(c, n)) {
		if (c->source == AGENT_REMOTE && n->source == AGENT_FILE)
			a->ops.drop_check(c->chk.check_id, a->ops.arg);
		c->source = n->source;
		c->seen = true;
		if (c->kind == CHECK_TTL && n->source == AGENT_REMOTE) {
			c->ttl_at = now + (uint64_t)(c->def.ttl / NS_PER_MS);
			wake_by(a, c->ttl_at);
		}
		add_clear(n);
		return c;
	}
	check_initial(a, c, n);
	if (c == NULL) {
		c = xcalloc(1, sizeof(*c));
		c->chk = n->chk;
		RB_INSERT(local_checks, &a->checks, c);
	} else {
		if (!c->deleted)
			probe_stop(a, c);
		if (c->source == AGENT_REMOTE && n->source == AGENT_FILE)
			a->ops.drop_check(c->chk.check_id, a->ops.arg);
		/* The same id: its place in the tree stays. */
		schema_clear(&health_check_schema, &c->chk);
		schema_clear(&check_def_schema, &c->def);
		c->chk = n->chk;
	}
	c->def = n->def;
	memset(n, 0, sizeof(*n));
	c->kind = check_def_kind(&c->def);
	c->deleted = false;
	c->seen = true;
	c->critical = false;
	c->ttl_at = c->defer_at = AGENT_NEVER;
	agent_check_touch(a, c);
	check_begin(a, c, now);
	return c;
}

static const char *
scripts_off(const struct agent *a, const struct check_def *d,
    enum agent_source source)
{
	if (check_def_kind(d) != CHECK_SCRIPT &&
	    check_def_kind(d) != CHECK_DOCKER)
		return NULL;
	if (source == AGENT_REMOTE && !a->cat.script_checks_http)
		return SCRIPTS_OFF_REMOTE;
	if (source == AGENT_FILE && !a->cat.script_checks_files &&
	    !a->cat.script_checks_http)
		return SCRIPTS_OFF_FILES;
	return NULL;
}

/* The i-th of n checks of a service definition. */
static void
service_check(const struct node_service *svc, const struct check_def *d,
    size_t i, size_t n, struct add *out)
{
	char	*id = NULL;

	memset(out, 0, sizeof(*out));
	schema_copy(&check_def_schema, &out->def, d);
	if (!str_empty(d->id))
		id = xstrdup(d->id);
	else if (n > 1)
		xasprintf(&id, "service:%s:%zu", svc->id, i + 1);
	else
		xasprintf(&id, "service:%s", svc->id);
	out->chk.check_id = id;
	if (!str_empty(d->name))
		str_set(&out->chk.name, d->name);
	else
		xasprintf(&out->chk.name, "Service '%s' check", svc->service);
	str_set(&out->chk.status, d->status);
	str_set(&out->chk.notes, d->notes);
	str_set(&out->chk.service_id, svc->id);
	str_set(&out->chk.type, check_def_type(d));
}

/* Its checks carry the service's name and tags. */
static void
rebind_checks(struct agent *a, struct local_service *s)
{
	struct local_check	*c;

	RB_FOREACH(c, local_checks, &a->checks) {
		if (c->deleted || strcmp(str_or(c->chk.service_id, ""),
		    s->svc.id) != 0)
			continue;
		check_bind(a, &c->chk);
		agent_check_touch(a, c);
	}
}

/* Takes svc. */
static struct local_service *
service_add(struct agent *a, struct node_service *svc, const char *token,
    enum agent_source source)
{
	struct local_service	*s = service_any(a, svc->id);
	const char		*why;

	if ((why = service_dns_problem(svc->service)) != NULL)
		say(a, true, "service %s: cannot be found by DNS: %s",
		    svc->service, why);
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->svc = *svc;
		RB_INSERT(local_services, &a->services, s);
		agent_service_touch(a, s);
	} else {
		if (s->source == AGENT_REMOTE && source == AGENT_FILE)
			a->ops.drop_service(s->svc.id, a->ops.arg);
		if (s->deleted || strcmp(str_or(s->token, ""),
		    str_or(token, "")) != 0 ||
		    !schema_equal(&node_service_schema, &s->svc, svc)) {
			schema_clear(&node_service_schema, &s->svc);
			s->svc = *svc;
			s->deleted = false;
			agent_service_touch(a, s);
			rebind_checks(a, s);
		} else
			schema_clear(&node_service_schema, svc);
	}
	memset(svc, 0, sizeof(*svc));
	str_set(&s->token, token);
	s->source = source;
	s->seen = true;
	return s;
}

static int
service_def_add(struct agent *a, const struct service_def *d,
    enum agent_source source, bool replace, uint64_t now, char *err,
    size_t errlen)
{
	const struct check_def	**defs;
	const char		 *why = NULL;
	struct node_service	  svc;
	struct local_service	 *s;
	struct local_check	 *c;
	struct add		  n;
	size_t			  i, ndefs;
	int			  rc = 0;

	if (service_def_check(d, err, errlen) == -1)
		return -1;
	ndefs = service_def_checks(d, &defs);
	for (i = 0; i < ndefs && why == NULL; i++)
		why = scripts_off(a, defs[i], source);
	if (why != NULL) {
		free(defs);
		return def_error(err, errlen, 500, "%s", why);
	}
	service_def_resolve(d, &svc);
	s = service_add(a, &svc, d->token, source);
	if (source == AGENT_REMOTE &&
	    a->ops.save_service(s, a->ops.arg) == -1)
		rc = def_error(err, errlen, 500,
		    "failed persisting service \"%s\"", s->svc.id);
	if (replace)
		RB_FOREACH(c, local_checks, &a->checks)
			if (strcmp(str_or(c->chk.service_id, ""),
			    s->svc.id) == 0)
				c->seen = false;
	for (i = 0; i < ndefs; i++) {
		service_check(&s->svc, defs[i], i, ndefs, &n);
		n.token = d->token;
		n.source = source;
		n.keep = true;
		c = check_add(a, &n, now);
		str_set(&c->token, d->token);
		c->source = source;
		if (source == AGENT_REMOTE &&
		    a->ops.save_check(c, a->ops.arg) == -1)
			rc = def_error(err, errlen, 500,
			    "failed persisting check \"%s\"",
			    c->chk.check_id);
	}
	if (replace)
		RB_FOREACH(c, local_checks, &a->checks)
			if (!c->seen && !c->deleted &&
			    strcmp(str_or(c->chk.service_id, ""),
			    s->svc.id) == 0)
				check_drop(a, c);
	free(defs);
	aliases(a, now);
	return rc;
}

/* ---- files ---- */

void
agent_files_begin(struct agent *a)
{
	struct local_service	*s;
	struct local_check	*c;

	RB_FOREACH(s, local_services, &a->services)
		s->seen = s->source == AGENT_REMOTE;
	RB_FOREACH(c, local_checks, &a->checks)
		c->seen = c->source == AGENT_REMOTE;
}

int
agent_file_service(struct agent *a, const struct service_def *d, uint64_t now,
    char *err, size_t errlen)
{
	return service_def_add(a, d, AGENT_FILE, false, now, err, errlen);
}

/* A check by itself, from a file or the API. */
static int
check_def_add(struct agent *a, const struct check_def *d,
    enum agent_source source, uint64_t now, char *err, size_t errlen)
{
	const char		*why;
	struct local_check	*c;
	struct add		 n;

	if (str_empty(d->name) && str_empty(d->id))
		return def_error(err, errlen, 400, "Missing check name");
	if (source == AGENT_REMOTE && str_empty(d->name))
		return def_error(err, errlen, 400, "Missing check name");
	if (!str_empty(d->status) && !check_status_valid(d->status))
		return def_error(err, errlen, 400, "Bad check status");
	if ((why = check_def_problem(d)) != NULL)
		return def_error(err, errlen, 400, "Invalid check: %s", why);
	if ((why = scripts_off(a, d, source)) != NULL)
		return def_error(err, errlen, 500, "%s", why);
	if (!str_empty(d->service_id) &&
	    agent_service_find(a, d->service_id) == NULL)
		return def_error(err, errlen, 500,
		    "ServiceID \"%s\" does not exist", d->service_id);
	memset(&n, 0, sizeof(n));
	schema_copy(&check_def_schema, &n.def, d);
	str_set(&n.chk.check_id, str_empty(d->id) ? d->name : d->id);
	str_set(&n.chk.name, d->name);
	str_set(&n.chk.status, d->status);
	str_set(&n.chk.notes, d->notes);
	str_set(&n.chk.service_id, d->service_id);
	/* Consul shows no type for those in files. */
	str_set(&n.chk.type, source == AGENT_FILE ? "" : check_def_type(d));
	n.token = d->token;
	n.source = source;
	/* Registered again, a TTL check goes on, a probe begins anew. */
	n.keep = source == AGENT_FILE || check_def_kind(d) == CHECK_TTL;
	c = check_add(a, &n, now);
	str_set(&c->token, d->token);
	c->source = source;
	aliases(a, now);
	if (source == AGENT_REMOTE && a->ops.save_check(c, a->ops.arg) == -1)
		return def_error(err, errlen, 500,
		    "failed persisting check \"%s\"", c->chk.check_id);
	return 0;
}

int
agent_file_check(struct agent *a, const struct check_def *d, uint64_t now,
    char *err, size_t errlen)
{
	return check_def_add(a, d, AGENT_FILE, now, err, errlen);
}

void
agent_files_end(struct agent *a, uint64_t now)
{
	struct local_service	*s;
	struct local_check	*c;

	RB_FOREACH(s, local_services, &a->services)
		if (!s->seen && !s->deleted)
			service_drop(a, s);
	RB_FOREACH(c, local_checks, &a->checks)
		if (!c->seen && !c->deleted)
			check_drop(a, c);
	aliases(a, now);
}

/* ---- from disk ---- */

int
agent_restore_service(struct agent *a, struct node_service *svc,
    const char *token, uint64_t now, char *err, size_t errlen)
{
	if (str_empty(svc->service)) {
		schema_clear(&node_service_schema, svc);
		return def_error(err, errlen, 400, "Missing service name");
	}
	node_service_defaults(svc);
	if (agent_service_find(a, svc->id) != NULL) {
		/* Files win over what the API left behind. */
		a->ops.drop_service(svc->id, a->ops.arg);
		schema_clear(&node_service_schema, svc);
		return 0;
	}
	(void)service_add(a, svc, token, AGENT_REMOTE);
	aliases(a, now);
	return 0;
}

int
agent_restore_check(struct agent *a, struct health_check *chk,
    struct check_def *def, const char *token, uint64_t now, char *err,
    size_t errlen)
{
	const char		*why = NULL;
	struct local_check	*c;
	struct add		 n;
	bool			 maint;

	memset(&n, 0, sizeof(n));
	n.chk = *chk;
	n.def = *def;
	memset(chk, 0, sizeof(*chk));
	memset(def, 0, sizeof(*def));
	if (str_empty(n.chk.check_id))
		why = "no check id";
	else if (agent_check_find(a, n.chk.check_id) != NULL) {
		a->ops.drop_check(n.chk.check_id, a->ops.arg);
		add_clear(&n);
		return 0;
	}
	maint = why == NULL && check_def_empty(&n.def);
	if (why == NULL && !maint)
		why = check_def_problem(&n.def);
	if (why == NULL)
		why = scripts_off(a, &n.def, AGENT_REMOTE);
	if (why == NULL && !str_empty(n.chk.service_id) &&
	    agent_service_find(a, n.chk.service_id) == NULL)
		why = "its service does not exist";
	if (why != NULL) {
		add_clear(&n);
		return def_error(err, errlen, 500, "%s", why);
	}
	n.token = token;
	n.source = AGENT_REMOTE;
	/* Critical until known better: nothing unhealthy joins a pool. */
	str_set(&n.chk.status, "critical");
	c = check_add(a, &n, now);
	str_set(&c->token, token);
	c->source = AGENT_REMOTE;
	aliases(a, now);
	return 0;
}

/* ---- the API ---- */

int
agent_register_service(struct agent *a, const struct agent_register *r,
    uint64_t now, char *err, size_t errlen)
{
	return service_def_add(a, &r->service, AGENT_REMOTE,
	    r->replace_existing_checks, now, err, errlen);
}

int
agent_register_check(struct agent *a, const struct check_def *d, uint64_t now,
    char *err, size_t errlen)
{
	return check_def_add(a, d, AGENT_REMOTE, now, err, errlen);
}

void
agent_deregister_service(struct agent *a, const char *id, uint64_t now)
{
	struct local_service	*s = agent_service_find(a, id);

	if (s == NULL) {
		say(a, true, "service %s: not deregistered: unknown", id);
		return;
	}
	service_drop(a, s);
	aliases(a, now);
}

void
agent_deregister_check(struct agent *a, const char *id, uint64_t now)
{
	struct local_check	*c = agent_check_find(a, id);

	if (c == NULL)
		return;
	check_drop(a, c);
	aliases(a, now);
}

int
agent_update_check(struct agent *a, const struct agent_update *u,
    uint64_t now, char *err, size_t errlen)
{
	struct local_check	*c = agent_check_find(a, u->id);
	const char		*output = str_or(u->output, "");
	size_t			 len = strlen(output), max;
	char			*cut = NULL;

	if (!check_status_valid(u->status))
		return def_error(err, errlen, 400,
		    "Invalid check status: '%s'", str_or(u->status, ""));
	if (c == NULL || c->kind != CHECK_TTL)
		return def_error(err, errlen, 500, "CheckID \"%s\" does not "
		    "have associated TTL", str_or(u->id, ""));
	max = a->cat.check_output_max_size > 0 ?
	    a->cat.check_output_max_size : CHECK_OUTPUT_MAX;
	if (c->def.output_max_size > 0 && c->def.output_max_size < max)
		max = c->def.output_max_size;
	if (len > max) {
		xasprintf(&cut, "%.*s ... (captured %zu of %zu bytes)",
		    (int)max, output, max, len);
		output = cut;
	}
	c->ttl_at = now + (uint64_t)(c->def.ttl / NS_PER_MS);
	wake_by(a, c->ttl_at);
	set_state(a, c, u->status, output, now);
	a->ops.save_state(c->chk.check_id, u->status, output, c->def.ttl,
	    a->ops.arg);
	free(cut);
	aliases(a, now);
	return 0;
}

static int
maintenance_on(struct agent *a, struct local_service *s, const char *id,
    const char *reason, uint64_t now)
{
	struct local_check	*c;
	struct add		 n;

	if (agent_check_find(a, id) != NULL)
		return 0;
	memset(&n, 0, sizeof(n));
	str_set(&n.chk.check_id, id);
	str_set(&n.chk.name, s != NULL ? "Service Maintenance Mode" :
	    "Node Maintenance Mode");
	str_set(&n.chk.status, "critical");
	if (str_empty(reason))
		reason = s != NULL ? SERVICE_MAINT_DEFAULT :
		    NODE_MAINT_DEFAULT;
	str_set(&n.chk.notes, reason);
	str_set(&n.chk.type, "maintenance");
	if (s != NULL)
		str_set(&n.chk.service_id, s->svc.id);
	n.source = AGENT_REMOTE;
	c = check_add(a, &n, now);
	c->source = AGENT_REMOTE;
	say(a, false, "%s %s: entered maintenance mode",
	    s != NULL ? "service" : "node",
	    s != NULL ? s->svc.id : a->conf.node_name);
	return a->ops.save_check(c, a->ops.arg);
}

int
agent_maintenance(struct agent *a, const struct agent_maintenance *m,
    uint64_t now, char *err, size_t errlen)
{
	struct local_service	*s = NULL;
	struct local_check	*c;
	char			*id = NULL;
	int			 rc = 0;

	if (!str_empty(m->service_id) &&
	    (s = agent_service_find(a, m->service_id)) == NULL)
		return def_error(err, errlen, 404,
		    "No service registered with ID \"%s\"", m->service_id);
	if (s != NULL)
		xasprintf(&id, AGENT_SERVICE_MAINT "%s", s->svc.id);
	else
		id = xstrdup(AGENT_NODE_MAINT);
	if (m->enable)
		rc = maintenance_on(a, s, id, m->reason, now);
	else if ((c = agent_check_find(a, id)) != NULL) {
		check_drop(a, c);
		say(a, false, "%s %s: left maintenance mode",
		    s != NULL ? "service" : "node",
		    s != NULL ? s->svc.id : a->conf.node_name);
	}
	if (rc == -1)
		(void)def_error(err, errlen, 500,
		    "failed persisting check \"%s\"", id);
	free(id);
	aliases(a, now);
	return rc;
}

/* ---- checkd and the clock ---- */

void
agent_result(struct agent *a, const struct msg_result *r, uint64_t now)
{
	struct local_check	*c = agent_check_find(a, r->id);

	if (c == NULL || !check_kind_probed(c->kind) ||
	    !check_status_valid(r->status))
		return;
	set_state(a, c, r->status, str_or(r->output, ""), now);
	aliases(a, now);
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
		check_def_msg(&c->def, c->chk.check_id, c->chk.status,
		    a->cat.check_output_max_size, &m);
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
		set_state(a, c, status, output, now);
}

static void
ttl_expired(struct agent *a, struct local_check *c, uint64_t now)
{
	char	*text = NULL;

	c->ttl_at = AGENT_NEVER;
	say(a, true, "check %s: critical: missed its TTL", c->chk.check_id);
	if (str_empty(c->chk.output))
		text = xstrdup("TTL expired");
	else
		xasprintf(&text, "TTL expired (last output before timeout "
		    "follows): %s", c->chk.output);
	set_state(a, c, "critical", text, now);
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
		say(a, false, "service %s: deregistered: check %s was "
		    "critical for too long", s->svc.id, c->chk.check_id);
		service_drop(a, s);
	}
	a->reap_at = more ? now + REAP_EVERY_MS : AGENT_NEVER;
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
	}
	if (expired)
		aliases(a, now);
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
	c->ttl_at = c->defer_at = AGENT_NEVER;
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
			check_bind(a, &c->chk);
}

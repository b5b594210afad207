/*
 * How services and checks come to be and go: definitions in files and over the
 * API, what a former run left on disk, maintenance.  agent.c has what becomes
 * of them after that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/agent_int.h"
#include "catalogd/alias.h"

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

#define MAINT_MAX_NS	(10LL * 365 * 86400 * NS_PER_S)

/* ---- adding ---- */

/* One check to be added: chk and def are taken. */
struct add {
	struct health_check	 chk;
	struct check_def	 def;
	const char		*token;
	enum agent_source	 source;
	bool			 keep;		/* its state, if it is there */
	bool			 found;		/* that state is a run's */
	uint64_t		 left_ms;	/* of a TTL that goes on; 0 */
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
			n->found = old->found;
		}
		return;
	}
	if (kind != CHECK_TTL && !check_kind_probed(kind))
		return;
	if ((r = agent_remembered(a, n->chk.check_id)) != NULL) {
		str_set(&n->chk.status, r->status);
		str_set(&n->chk.output, r->output);
		n->found = true;
		n->left_ms = r->left_ms;
	}
}

static void
check_limits(struct agent *a, struct local_check *c)
{
	int64_t	 reap = c->def.deregister_critical_service_after;

	if (check_kind_probed(c->kind) &&
	    c->def.interval < CHECK_INTERVAL_MIN_NS)
		agent_say(a, true, "check %s: interval below the minimum of "
		    "1s, raised to it", c->chk.check_id);
	c->reap_ms = 0;
	if (reap <= 0)
		return;
	if (reap < CHECK_REAP_MIN_NS) {
		agent_say(a, true, "check %s: "
		    "deregister_critical_service_after below the minimum of "
		    "1m, raised to it", c->chk.check_id);
		reap = CHECK_REAP_MIN_NS;
	}
	c->reap_ms = (uint64_t)(reap / NS_PER_MS);
}

static void
check_begin(struct agent *a, struct local_check *c, uint64_t left_ms,
    uint64_t now)
{
	check_limits(a, c);
	if (c->reap_ms != 0 && a->reap_at == AGENT_NEVER) {
		a->reap_at = now + AGENT_REAP_EVERY_MS;
		agent_wake_by(a, a->reap_at);
	}
	switch (c->kind) {
	case CHECK_TTL:
		/* What was promised before a restart is not more by it. */
		c->ttl_at = now + (uint64_t)(c->def.ttl / NS_PER_MS);
		if (left_ms > 0 && now + left_ms < c->ttl_at)
			c->ttl_at = now + left_ms;
		agent_wake_by(a, c->ttl_at);
		break;
	case CHECK_HTTP:
	case CHECK_TCP:
	case CHECK_UDP:
	case CHECK_DNS:
	case CHECK_GRPC:
	case CHECK_H2PING:
	case CHECK_SCRIPT:
		agent_probe_start(a, c);
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

/* A TTL check starts its time anew; a restart of this process will know. */
static void
ttl_start(struct agent *a, struct local_check *c, bool update, uint64_t now)
{
	c->ttl_at = now + (uint64_t)(c->def.ttl / NS_PER_MS);
	agent_wake_by(a, c->ttl_at);
	/* Without a state on disk it is critical after a restart anyway. */
	if (!update && strcmp(c->chk.status, "critical") == 0)
		return;
	a->ops.save_state(c->chk.check_id, c->chk.status,
	    str_or(c->chk.output, ""), c->def.ttl, a->ops.arg);
}

/* Takes what n holds. */
static struct local_check *
check_add(struct agent *a, struct add *n, uint64_t now)
{
	struct local_check	*c = agent_check_any(a, n->chk.check_id);
	enum agent_source	 source = n->source;
	uint64_t		 left_ms;
	bool			 found;

	agent_check_bind(a, &n->chk);
	str_set(&n->chk.node, a->conf.node_name);
	if (c != NULL && !c->deleted && n->keep && check_unchanged(c, n)) {
		if (c->source == AGENT_REMOTE && n->source == AGENT_FILE)
			a->ops.drop_check(c->chk.check_id, a->ops.arg);
		c->source = n->source;
		c->seen = true;
		if (c->kind == CHECK_TTL && n->source == AGENT_REMOTE)
			ttl_start(a, c, false, now);
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
			agent_probe_stop(a, c);
		if (c->source == AGENT_REMOTE && n->source == AGENT_FILE)
			a->ops.drop_check(c->chk.check_id, a->ops.arg);
		/* The same id: its place in the tree stays. */
		schema_clear(&health_check_schema, &c->chk);
		schema_clear(&check_def_schema, &c->def);
		c->chk = n->chk;
	}
	c->def = n->def;
	found = n->found;
	left_ms = n->left_ms;
	memset(n, 0, sizeof(*n));
	c->kind = check_def_kind(&c->def);
	c->deleted = false;
	c->seen = true;
	c->critical = false;
	c->found = found;
	c->ttl_at = c->defer_at = c->until = AGENT_NEVER;
	agent_check_touch(a, c);
	check_begin(a, c, left_ms, now);
	if (c->kind == CHECK_TTL && source == AGENT_REMOTE && left_ms == 0)
		ttl_start(a, c, false, now);
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
		agent_check_bind(a, &c->chk);
		agent_check_touch(a, c);
	}
}

/* Takes svc. */
static struct local_service *
service_add(struct agent *a, struct node_service *svc, const char *token,
    enum agent_source source)
{
	struct local_service	*s = agent_service_any(a, svc->id);
	const char		*why;

	if ((why = service_dns_problem(svc->service)) != NULL)
		agent_say(a, true, "service %s: cannot be found by DNS: %s",
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
				agent_check_drop(a, c);
	free(defs);
	agent_aliases(a, now);
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
	if (def_size_check(&check_def_schema, d, d->id, d->name, err,
	    errlen) == -1)
		return -1;
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
	agent_aliases(a, now);
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
			agent_service_drop(a, s);
	RB_FOREACH(c, local_checks, &a->checks)
		if (!c->seen && !c->deleted)
			agent_check_drop(a, c);
	agent_aliases(a, now);
}

/* ---- from disk ---- */

static void
maintenance_until(struct agent *a, struct local_check *c, uint64_t until)
{
	c->until = until;
	agent_wake_by(a, until);
}

int
agent_restore_service(struct agent *a, struct node_service *svc,
    const char *token, uint64_t now, char *err, size_t errlen)
{
	if (str_empty(svc->service)) {
		schema_clear(&node_service_schema, svc);
		return def_error(err, errlen, 400, "Missing service name");
	}
	if (def_size_check(&node_service_schema, svc, svc->id, svc->service,
	    err, errlen) == -1) {
		schema_clear(&node_service_schema, svc);
		return -1;
	}
	node_service_defaults(svc);
	if (agent_service_find(a, svc->id) != NULL) {
		/* Files win over what the API left behind. */
		a->ops.drop_service(svc->id, a->ops.arg);
		schema_clear(&node_service_schema, svc);
		return 0;
	}
	(void)service_add(a, svc, token, AGENT_REMOTE);
	agent_aliases(a, now);
	return 0;
}

int
agent_restore_check(struct agent *a, struct health_check *chk,
    struct check_def *def, const char *token, uint64_t left_ms, uint64_t now,
    char *err, size_t errlen)
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
	if (why == NULL && def_size_check(&check_def_schema, &n.def,
	    n.chk.check_id, n.chk.name, err, errlen) == -1) {
		add_clear(&n);
		return -1;
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
	if (maint && left_ms > 0)
		maintenance_until(a, c, now + left_ms);
	agent_aliases(a, now);
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
		agent_say(a, true, "service %s: not deregistered: unknown", id);
		return;
	}
	agent_service_drop(a, s);
	agent_aliases(a, now);
}

void
agent_deregister_check(struct agent *a, const char *id, uint64_t now)
{
	struct local_check	*c = agent_check_find(a, id);

	if (c == NULL)
		return;
	agent_check_drop(a, c);
	agent_aliases(a, now);
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
	agent_set_state(a, c, u->status, output, now);
	ttl_start(a, c, true, now);
	free(cut);
	agent_aliases(a, now);
	return 0;
}

/* On already, it goes on; a new end is taken over. */
static int
maintenance_on(struct agent *a, struct local_service *s, const char *id,
    const char *reason, int64_t lasts, uint64_t now)
{
	uint64_t		 until = now + (uint64_t)(lasts / NS_PER_MS);
	struct local_check	*c;
	struct add		 n;

	if ((c = agent_check_find(a, id)) != NULL) {
		if (lasts <= 0)
			return 0;
		maintenance_until(a, c, until);
		return a->ops.save_check(c, a->ops.arg);
	}
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
	if (lasts > 0)
		maintenance_until(a, c, until);
	agent_say(a, false, "%s %s: entered maintenance mode",
	    s != NULL ? "service" : "node",
	    s != NULL ? s->svc.id : a->conf.node_name);
	return a->ops.save_check(c, a->ops.arg);
}

void
agent_maintenance_off(struct agent *a, struct local_check *c)
{
	bool	 node = strcmp(c->chk.check_id, AGENT_NODE_MAINT) == 0;

	agent_say(a, false, "%s %s: left maintenance mode",
	    node ? "node" : "service",
	    node ? a->conf.node_name : str_or(c->chk.service_id, ""));
	agent_check_drop(a, c);
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
	if (m->lasts < 0 || m->lasts > MAINT_MAX_NS)
		return def_error(err, errlen, 400,
		    "Invalid duration of maintenance");
	if (s != NULL)
		xasprintf(&id, AGENT_SERVICE_MAINT "%s", s->svc.id);
	else
		id = xstrdup(AGENT_NODE_MAINT);
	if (m->enable)
		rc = maintenance_on(a, s, id, m->reason, m->lasts, now);
	else if ((c = agent_check_find(a, id)) != NULL)
		agent_maintenance_off(a, c);
	if (rc == -1)
		(void)def_error(err, errlen, 500,
		    "failed persisting check \"%s\"", id);
	free(id);
	agent_aliases(a, now);
	return rc;
}

/*
 * /v1/agent/health/service: how the services of this agent are, without asking
 * a server; the status of the answer says it, too, for load balancers.
 */
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/util.h"

/* In order: one is as bad as the worst that is true of it. */
enum health { PASSING, WARNING, CRITICAL, MAINTENANCE };
static const struct { const char *text; unsigned status; } healths[] = {
	[PASSING] = { "passing", 200 }, [WARNING] = { "warning", 429 },
	[CRITICAL] = { "critical", 503 }, [MAINTENANCE] = { "maintenance", 503 }
};

struct local {
	struct agent_services	services;
	struct agent_checks	checks;
};

static void
local_free(void *arg)
{
	struct local	*l = arg;

	schema_clear(&agent_services_schema, &l->services);
	schema_clear(&agent_checks_schema, &l->checks);
	free(l);
}

/* Its own, and those of the node. */
static bool
concerns(const struct health_check *c, const char *id)
{
	return str_empty(c->service_id) || strcmp(c->service_id, id) == 0;
}

static enum health
health_of(const struct local *l, const char *id)
{
	const struct health_check	*c;
	enum health			 worst = PASSING, h;
	size_t				 i;

	for (i = 0; i < l->checks.checks.n; i++) {
		c = &l->checks.checks.item[i].val;
		if (!concerns(c, id))
			continue;
		h = strcmp(str_or(c->check_id, ""), "_node_maintenance") == 0 ||
		    strncmp(str_or(c->check_id, ""), "_service_maintenance:",
		    21) == 0 ? MAINTENANCE :
		    strcmp(str_or(c->status, ""), "passing") == 0 ? PASSING :
		    strcmp(str_or(c->status, ""), "warning") == 0 ? WARNING :
		    CRITICAL;
		worst = h > worst ? h : worst;
	}
	return worst;
}

static void
put(struct jw *jw, const char *key, const char *text)
{
	jw_key(jw, key);
	jw_str(jw, text);
}

static void
put_strs(struct jw *jw, const char *key, const struct strs *s)
{
	size_t	i;

	jw_key(jw, key);
	if (s->n == 0) {
		jw_null(jw);
		return;
	}
	jw_arr(jw);
	for (i = 0; i < s->n; i++)
		jw_str(jw, s->item[i]);
	jw_end_arr(jw);
}

/* As Consul's client library knows a check: nothing of its kind. */
static void
write_check(struct jw *jw, const struct health_check *c)
{
	static const char *const empty[] = { "HTTP", "Method", "Body", "TCP" };
	static const char *const zero[] = {
		"Interval", "Timeout", "DeregisterCriticalServiceAfter"
	};
	size_t	i;

	jw_obj(jw);
	put(jw, "Node", c->node);
	put(jw, "CheckID", c->check_id);
	put(jw, "Name", c->name);
	put(jw, "Status", c->status);
	put(jw, "Notes", c->notes);
	put(jw, "Output", c->output);
	put(jw, "ServiceID", c->service_id);
	put(jw, "ServiceName", c->service_name);
	put_strs(jw, "ServiceTags", &c->service_tags);
	put(jw, "Type", "");
	jw_key(jw, "Definition");
	jw_obj(jw);
	for (i = 0; i < NELEM(zero); i++)
		put(jw, zero[i], "0s");
	for (i = 0; i < NELEM(empty); i++)
		put(jw, empty[i], "");
	jw_key(jw, "Header");
	jw_null(jw);
	jw_key(jw, "TLSSkipVerify");
	jw_bool(jw, false);
	jw_end_obj(jw);
	jw_key(jw, "CreateIndex");
	jw_int(jw, 0);
	jw_key(jw, "ModifyIndex");
	jw_int(jw, 0);
	jw_end_obj(jw);
}

static void
write_service(struct jw *jw, const struct local *l, struct agent_service *s)
{
	const struct health_check	*c;
	size_t				 i;

	str_set(&s->content_hash, NULL);
	jw_obj(jw);
	put(jw, "AggregatedStatus", healths[health_of(l, str_or(s->id,
	    ""))].text);
	jw_key(jw, "Service");
	schema_json_encode(&agent_service_schema, s, jw);
	jw_key(jw, "Checks");
	jw_arr(jw);
	for (i = 0; i < l->checks.checks.n; i++) {
		c = &l->checks.checks.item[i].val;
		if (concerns(c, str_or(s->id, "")))
			write_check(jw, c);
	}
	jw_end_arr(jw);
	jw_end_obj(jw);
}

static bool
wants_text(const struct request *r)
{
	return strcmp(str_or(params_get(&r->params, "format"), ""), "text")
	    == 0;
}

/* The reason is a header, and as a text all that there is. */
static void
reply_word(struct request *r, unsigned status, const char *word)
{
	wb_str(&r->answer, word);
	r->type = "text/plain";
	reply_done(r, status);
}

static void
by_id(struct request *r, struct local *l, struct agent_service *s)
{
	struct jw	*jw;
	enum health	 h;
	char		*why;

	if (s != NULL) {
		h = health_of(l, str_or(s->id, ""));
		add_header(r, "X-Consul-Reason", "%s", healths[h].text);
		if (wants_text(r)) {
			reply_word(r, healths[h].status, healths[h].text);
			return;
		}
		jw = json_of(r);
		write_service(jw, l, s);
		reply_json_status(r, healths[h].status, jw);
		return;
	}
	xasprintf(&why, "ServiceId %s not found", r->tail);
	add_header(r, "X-Consul-Reason", "%s", why);
	jw = json_of(r);
	if (wants_text(r))
		jw_str(jw, why);
	else {
		jw_obj(jw);
		put(jw, "AggregatedStatus", "critical");
		jw_key(jw, "Service");
		jw_null(jw);
		jw_key(jw, "Checks");
		jw_null(jw);
		jw_end_obj(jw);
	}
	free(why);
	reply_json_status(r, 404, jw);
}

/* All instances of a name; it is as well as the worst of them. */
static void
by_name(struct request *r, struct local *l)
{
	struct agent_service	*s;
	struct jw		*jw = json_of(r);
	enum health		 worst = PASSING, h;
	size_t			 i, n = 0;
	unsigned		 status;
	char			*why;

	jw_arr(jw);
	for (i = 0; i < l->services.services.n; i++) {
		s = &l->services.services.item[i].val;
		if (strcmp(str_or(s->service, ""), r->tail) != 0)
			continue;
		write_service(jw, l, s);
		h = health_of(l, str_or(s->id, ""));
		worst = h > worst ? h : worst;
		n++;
	}
	jw_end_arr(jw);
	if (n == 0)
		xasprintf(&why, "ServiceName %s Not Found", r->tail);
	else
		why = xstrdup(healths[worst].text);
	status = n == 0 ? 404 : healths[worst].status;
	add_header(r, "X-Consul-Reason", "%s", why);
	if (wants_text(r)) {
		jw_free(jw);
		reply_word(r, status, why);
	} else
		reply_json_status(r, status, jw);
	free(why);
}

static void
got_checks(struct request *r, const uint8_t *body, size_t len)
{
	struct local		*l = r->state;
	struct agent_service	*found = NULL;
	size_t			 i;

	if (decoded(r, &agent_checks_schema, body, len, &l->checks) == -1)
		return;
	if (strcmp(r->route->arg, "name") == 0) {
		by_name(r, l);
		return;
	}
	for (i = 0; i < l->services.services.n && found == NULL; i++)
		if (strcmp(l->services.services.item[i].key, r->tail) == 0)
			found = &l->services.services.item[i].val;
	by_id(r, l, found);
}

static void
got_services(struct request *r, const uint8_t *body, size_t len)
{
	struct local	*l = xcalloc(1, sizeof(*l));
	struct empty	 none = { 0 };

	r->state = l;
	r->state_free = local_free;
	if (decoded(r, &agent_services_schema, body, len, &l->services) == 0)
		ask_catalogd(r, "Agent.Checks", &empty_schema, &none, 0,
		    got_checks);
}

void
ep_agent_health(struct request *r)
{
	struct empty	none = { 0 };

	if (*r->tail == '\0')
		reply_text(r, 500, "Bad request: Missing service%s",
		    strcmp(r->route->arg, "name") == 0 ? " Name" : "ID");
	else
		ask_catalogd(r, "Agent.Services", &empty_schema, &none, 0,
		    got_services);
}

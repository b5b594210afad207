/*
 * /v1/agent and /v1/disco: this node.
 */
#include <sys/utsname.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apid/apid.h"
#include "apid/spelling.h"
#include "common/filter.h"
#include "common/util.h"

/* ---- self ---- */

static void
pair(struct jw *jw, const char *key, const char *val)
{
	jw_key(jw, key);
	jw_str(jw, val);
}

static int
stat_cmp(const void *a, const void *b)
{
	return strcmp(((const struct str_pair *)a)->key,
	    ((const struct str_pair *)b)->key);
}

/* "raft.term" -> "3" ... as objects by section. */
static void
write_stats(struct jw *jw, struct strmap *stats)
{
	const char	*key, *dot, *open = NULL;
	size_t		 i, n, open_len = 0;

	if (stats->n > 0)
		qsort(stats->item, stats->n, sizeof(*stats->item), stat_cmp);
	jw_obj(jw);
	for (i = 0; i < stats->n; i++) {
		key = stats->item[i].key;
		if ((dot = strchr(key, '.')) == NULL)
			continue;
		n = (size_t)(dot - key);
		if (open == NULL || open_len != n ||
		    strncmp(open, key, n) != 0) {
			char	*section = xstrndup(key, n);

			if (open != NULL)
				jw_end_obj(jw);
			jw_key(jw, section);
			jw_obj(jw);
			free(section);
			open = key;
			open_len = n;
		}
		pair(jw, dot + 1, stats->item[i].val);
	}
	if (open != NULL)
		jw_end_obj(jw);
	jw_end_obj(jw);
}

/* Of Consul's own section what is not about Go, in Go's words. */
static void
runtime_stats(struct strmap *stats)
{
	static const struct { const char *machine, *arch; } archs[] = {
		{ "x86_64", "amd64" }, { "aarch64", "arm64" }, { "i686", "386" }
	};
	struct utsname	 u;
	char		 n[24];
	size_t		 i;

	strmap_put(stats, "runtime.os", "linux");
	snprintf(n, sizeof(n), "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	strmap_put(stats, "runtime.cpu_count", n);
	if (uname(&u) == -1)
		return;
	for (i = 0; i < NELEM(archs); i++)
		if (strcmp(u.machine, archs[i].machine) == 0)
			break;
	strmap_put(stats, "runtime.arch", i < NELEM(archs) ? archs[i].arch :
	    u.machine);
}

/* What agent/self has gathered so far. */
struct self {
	struct gossip_members		lan, wan;
	struct gossip_coordinates	coord;
};

static void
self_free(void *p)
{
	struct self	*self = p;

	schema_clear(&gossip_members_schema, &self->lan);
	schema_clear(&gossip_members_schema, &self->wan);
	schema_clear(&gossip_coordinates_schema, &self->coord);
	free(self);
}

/* {"members": "3"} as "serf_lan.members" */
static void
put_section(struct strmap *to, const char *section, const struct strmap *from)
{
	char	*key;
	size_t	 i;

	for (i = 0; i < from->n; i++) {
		xasprintf(&key, "%s.%s", section, from->item[i].key);
		strmap_put(to, key, from->item[i].val);
		free(key);
	}
}

/* What clients look at, and the whole of it as Consul's agents show it. */
static void
write_config(struct jw *jw, struct apid *apid)
{
	const struct conf_agent	*a = &apid->agent;
	const char		*text = apid->http.debug_config;
	struct json		*debug;
	char			 why[128];

	jw_key(jw, "Config");
	jw_obj(jw);
	pair(jw, "Datacenter", a->datacenter);
	pair(jw, "NodeName", a->node_name);
	pair(jw, "NodeID", a->node_id);
	pair(jw, "Revision", "disco" DISCO_VERSION);
	jw_key(jw, "Server");
	jw_bool(jw, a->server);
	pair(jw, "Version", "1.8.7");
	jw_end_obj(jw);
	debug = str_empty(text) ? NULL : json_parse(text, strlen(text), why,
	    sizeof(why));
	if (debug != NULL) {
		jw_key(jw, "DebugConfig");
		jw_tree(jw, debug);
		json_free(debug);
	}
}

static void
write_gossip(struct jw *jw, struct self *self)
{
	struct gossip_members	*g = &self->lan;
	size_t			 i;

	jw_key(jw, "Coord");
	if (self->coord.own.vec.n > 0)
		schema_json_encode(&coordinate_schema, &self->coord.own, jw);
	else
		jw_null(jw);		/* they are off */
	for (i = 0; i < g->members.n; i++)
		if (g->members.item[i].self) {
			jw_key(jw, "Member");
			schema_json_encode(&member_schema, &g->members.item[i],
			    jw);
		}
}

static void
self_stats(struct request *r, const uint8_t *body, size_t len)
{
	struct conf_agent	*a = &r->apid->agent;
	struct self		*self = r->state;
	struct agent_stats	 st = { 0 };
	struct jw		*jw = json_of(r);
	const char		*err;
	size_t			 i;

	/* Without catalogd its part is missing, the rest is still true. */
	if (body != NULL && schema_decode_all(&agent_stats_schema, body, len,
	    &st, &err) == -1)
		memset(&st, 0, sizeof(st));
	put_section(&st.stats, "serf_lan", &self->lan.stats);
	put_section(&st.stats, "serf_wan", &self->wan.stats);
	strmap_put(&st.stats, "build.prerelease", "");
	strmap_put(&st.stats, "build.revision", "disco" DISCO_VERSION);
	strmap_put(&st.stats, "build.version", "1.8.7");
	strmap_put(&st.stats, "consul.acl", "disabled");
	runtime_stats(&st.stats);

	jw_obj(jw);
	write_config(jw, r->apid);
	write_gossip(jw, self);
	jw_key(jw, "Stats");
	write_stats(jw, &st.stats);
	jw_key(jw, "Meta");
	jw_obj(jw);
	for (i = 0; i < a->node_meta.n; i++)
		pair(jw, a->node_meta.item[i].key, a->node_meta.item[i].val);
	jw_end_obj(jw);
	jw_end_obj(jw);
	schema_clear(&agent_stats_schema, &st);
	reply_json(r, jw);
}

/* Without these their part is missing, the rest is still true. */
static void
self_take(struct schema *s, const uint8_t *body, size_t len, void *obj)
{
	const char	*err;

	if (body == NULL || schema_decode_all(s, body, len, obj, &err) == -1)
		memset(obj, 0, s->size);
}

static void
self_coord(struct request *r, const uint8_t *body, size_t len)
{
	struct self	*self = r->state;
	struct empty	 none = { 0 };

	self_take(&gossip_coordinates_schema, body, len, &self->coord);
	try_catalogd(r, "Agent.Stats", &empty_schema, &none, self_stats);
}

static void
ask_coord(struct request *r)
{
	struct gossip_coordinates_request	q = { 0 };

	try_gossipd(r, "Gossip.Coordinates",
	    &gossip_coordinates_request_schema, &q, self_coord);
}

static void
self_wan(struct request *r, const uint8_t *body, size_t len)
{
	struct self	*self = r->state;

	self_take(&gossip_members_schema, body, len, &self->wan);
	ask_coord(r);
}

static void
self_members(struct request *r, const uint8_t *body, size_t len)
{
	struct gossip_members_request	 q = { .wan = true };
	struct self			*self = xcalloc(1, sizeof(*self));

	if (decoded(r, &gossip_members_schema, body, len, &self->lan) == -1) {
		free(self);
		return;
	}
	r->state = self;
	r->state_free = self_free;
	if (r->apid->agent.server)
		try_gossipd(r, "Gossip.Members",
		    &gossip_members_request_schema, &q, self_wan);
	else
		ask_coord(r);
}

void
ep_agent_self(struct request *r)
{
	struct gossip_members_request	q = { 0 };

	ask_gossipd(r, "Gossip.Members", &gossip_members_request_schema, &q,
	    self_members);
}

/* ---- leaving, reading the configuration ---- */

void
ep_agent_leave(struct request *r)
{
	ask_discod(r, "Parent.Leave", done_empty);
}

void
ep_agent_reload(struct request *r)
{
	ask_discod(r, "Parent.Reload", done_empty);
}

static void
status_table(struct request *r, const uint8_t *body, size_t len)
{
	struct parent_status	 st;
	struct jw		*jw;

	if (decoded(r, &parent_status_schema, body, len, &st) == -1)
		return;
	jw = json_of(r);
	schema_json_encode(&parent_status_schema, &st, jw);
	schema_clear(&parent_status_schema, &st);
	reply_json(r, jw);
}

void
ep_disco_status(struct request *r)
{
	ask_discod(r, "Parent.Status", status_table);
}

/* ?every=N logs one query of N, 0 none. */
void
ep_disco_dns_log(struct request *r)
{
	struct dns_log_request	 q = { 0 };
	const char		*every = params_get(&r->params, "every");
	char			*end;

	if (every == NULL || *every < '0' || *every > '9' ||
	    (q.every = strtoull(every, &end, 10), *end != '\0')) {
		reply_text(r, 400, "Missing or invalid ?every=: log one query "
		    "of so many, or 0 for none");
		return;
	}
	ask_discod_with(r, "Parent.DNSLog", &dns_log_request_schema, &q,
	    done_empty);
}

/* ---- services and checks of this agent ---- */

/* ?filter= over the rows of such an answer; -1: replied. */
static int
filtered(struct request *r, struct schema *row, struct schema *s, void *obj,
    struct filter_cuts *cuts)
{
	const char	*text = params_get(&r->params, "filter");
	struct filter	*f;
	char		*why;

	cuts->n = 0;
	if (str_empty(text))
		return 0;
	if ((f = filter_new(row, text, &why)) == NULL) {
		/* Of checks Consul says no more than what is wrong. */
		reply_text(r, 500, "%s%s", row == &health_check_schema ? "" :
		    FILTER_BLAME, why);
		free(why);
		schema_clear(s, obj);
		return -1;
	}
	filter_rows(f, s, obj, cuts);
	filter_free(f);
	return 0;
}

static void
services_map(struct request *r, const uint8_t *body, size_t len)
{
	struct agent_services	 s;
	struct filter_cuts	 cuts;
	struct jw		*jw;
	size_t			 i;

	if (decoded(r, &agent_services_schema, body, len, &s) == -1 ||
	    filtered(r, &agent_service_schema, &agent_services_schema, &s,
	    &cuts) == -1)
		return;
	jw = json_of(r);
	jw_obj(jw);
	for (i = 0; i < s.services.n; i++) {
		jw_key(jw, s.services.item[i].key);
		schema_json_encode(&agent_service_schema,
		    &s.services.item[i].val, jw);
	}
	jw_end_obj(jw);
	filter_restore(&cuts);
	schema_clear(&agent_services_schema, &s);
	reply_json(r, jw);
}

void
ep_agent_services(struct request *r)
{
	struct empty	none = { 0 };

	ask_catalogd(r, "Agent.Services", &empty_schema, &none, 0,
	    services_map);
}

static void
one_service(struct request *r, const uint8_t *body, size_t len)
{
	struct agent_service	 s;
	struct jw		*jw;

	if (decoded(r, &agent_service_schema, body, len, &s) == -1)
		return;
	add_header(r, "X-Consul-Contenthash", "%s", str_or(s.content_hash, ""));
	jw = json_of(r);
	schema_json_encode(&agent_service_schema, &s, jw);
	schema_clear(&agent_service_schema, &s);
	reply_json(r, jw);
}

/* Asks by id (the path's tail) what answers nothing. */
static void
ask_by_id(struct request *r, const char *method, unsigned flags,
    answered_fn *fn)
{
	struct agent_id	q = { 0 };

	str_set(&q.id, r->tail);
	ask_catalogd(r, method, &agent_id_schema, &q, flags, fn);
	schema_clear(&agent_id_schema, &q);
}

void
ep_agent_service(struct request *r)
{
	ask_by_id(r, "Agent.Service", 0, one_service);
}

static void
checks_map(struct request *r, const uint8_t *body, size_t len)
{
	struct agent_checks	 c;
	struct filter_cuts	 cuts;
	struct jw		*jw;
	size_t			 i;

	if (decoded(r, &agent_checks_schema, body, len, &c) == -1 ||
	    filtered(r, &health_check_schema, &agent_checks_schema, &c,
	    &cuts) == -1)
		return;
	jw = json_of(r);
	jw_obj(jw);
	for (i = 0; i < c.checks.n; i++) {
		jw_key(jw, c.checks.item[i].key);
		schema_json_encode(&health_check_schema, &c.checks.item[i].val,
		    jw);
	}
	jw_end_obj(jw);
	filter_restore(&cuts);
	schema_clear(&agent_checks_schema, &c);
	reply_json(r, jw);
}

void
ep_agent_checks(struct request *r)
{
	struct empty	none = { 0 };

	ask_catalogd(r, "Agent.Checks", &empty_schema, &none, 0, checks_map);
}

static void
reply_unknown_field(struct request *r, const char *key)
{
	reply_text(r, 400, "Request decode failed: json: unknown field \"%s\"",
	    key);
}

void
ep_agent_register_service(struct request *r)
{
	struct agent_register	 q = { 0 };
	struct json		*tree;
	const char		*replace, *bad;

	if ((tree = body_tree(r)) == NULL)
		return;
	spelling_newer(tree);
	if ((bad = spelling_service(tree)) != NULL) {
		reply_unknown_field(r, bad);
		json_free(tree);
		return;
	}
	if (tree_json(r, tree, &service_def_schema, SJ_STRICT | SJ_FOLD |
	    SJ_DURNUM, &q.service) == -1)
		return;
	replace = params_get(&r->params, "replace-existing-checks");
	q.replace_existing_checks = replace != NULL &&
	    strcmp(replace, "false") != 0;
	ask_catalogd(r, "Agent.RegisterService", &agent_register_schema, &q,
	    CALL_WRITE, done_empty);
	schema_clear(&agent_register_schema, &q);
}

void
ep_agent_deregister_service(struct request *r)
{
	if (*r->tail == '\0')
		reply_text(r, 500, "ServiceID missing");
	else
		ask_by_id(r, "Agent.DeregisterService", CALL_WRITE, done_empty);
}

void
ep_agent_register_check(struct request *r)
{
	struct check_def	 q;
	struct json		*tree;
	const char		*bad;

	if ((tree = body_tree(r)) == NULL)
		return;
	spelling_newer(tree);
	if ((bad = spelling_check(tree)) != NULL) {
		reply_unknown_field(r, bad);
		json_free(tree);
		return;
	}
	if (tree_json(r, tree, &check_def_schema, SJ_STRICT | SJ_FOLD |
	    SJ_DURNUM, &q) == -1)
		return;
	ask_catalogd(r, "Agent.RegisterCheck", &check_def_schema, &q,
	    CALL_WRITE, done_empty);
	schema_clear(&check_def_schema, &q);
}

void
ep_agent_deregister_check(struct request *r)
{
	if (*r->tail == '\0')
		reply_text(r, 500, "CheckID missing");
	else
		ask_by_id(r, "Agent.DeregisterCheck", CALL_WRITE, done_empty);
}

static void
update_check(struct request *r, const struct agent_update *q)
{
	ask_catalogd(r, "Agent.UpdateCheck", &agent_update_schema, q,
	    CALL_WRITE, done_empty);
}

void
ep_agent_check_status(struct request *r)
{
	struct agent_update	q = { 0 };

	str_set(&q.id, r->tail);
	str_set(&q.status, r->route->arg);
	str_set(&q.output, params_get(&r->params, "note"));
	update_check(r, &q);
	schema_clear(&agent_update_schema, &q);
}

void
ep_agent_check_update(struct request *r)
{
	static const char *const	 known[] = {
		"passing", "warning", "critical"
	};
	struct agent_update		 q;
	size_t				 i;

	if (body_json(r, &agent_update_schema, SJ_FOLD, &q) == -1)
		return;
	for (i = 0; i < NELEM(known); i++)
		if (strcmp(str_or(q.status, ""), known[i]) == 0)
			break;
	if (i == NELEM(known))
		reply_text(r, 400, "Invalid check status: '%s'",
		    str_or(q.status, ""));
	else {
		str_set(&q.id, r->tail);
		update_check(r, &q);
	}
	schema_clear(&agent_update_schema, &q);
}

/* ?enable= and ?reason=, and disco's own ?for=10m; -1: replied. */
static int
maintenance_params(struct request *r, struct agent_maintenance *q)
{
	const char	*enable = params_get(&r->params, "enable");
	const char	*lasts = params_get(&r->params, "for");

	if (str_empty(enable)) {
		reply_text(r, 400, "Missing value for enable");
		return -1;
	}
	if (bool_parse(enable, &q->enable) == -1) {
		reply_text(r, 400, "Invalid value for enable: \"%s\"", enable);
		return -1;
	}
	if (!str_empty(lasts) && (dur_parse(lasts, &q->lasts) == -1 ||
	    q->lasts <= 0)) {
		reply_text(r, 400, "Invalid value for for: \"%s\"", lasts);
		return -1;
	}
	str_set(&q->reason, params_get(&r->params, "reason"));
	return 0;
}

void
ep_agent_maintenance(struct request *r)
{
	struct agent_maintenance	q = { 0 };

	if (maintenance_params(r, &q) == 0)
		ask_catalogd(r, "Agent.Maintenance", &agent_maintenance_schema,
		    &q, CALL_WRITE, done_empty);
	schema_clear(&agent_maintenance_schema, &q);
}

void
ep_agent_service_maintenance(struct request *r)
{
	struct agent_maintenance	q = { 0 };

	if (*r->tail == '\0') {
		reply_text(r, 400, "Missing service ID");
		return;
	}
	str_set(&q.service_id, r->tail);
	if (maintenance_params(r, &q) == 0)
		ask_catalogd(r, "Agent.Maintenance", &agent_maintenance_schema,
		    &q, CALL_WRITE, done_empty);
	schema_clear(&agent_maintenance_schema, &q);
}

/*
 * /v1/agent/metrics: what apid counts, and what the other daemons say of
 * themselves, as Consul's JSON or in the text form that Prometheus reads.
 *
 *	consul.http.METHOD.PATH		ms from the request to its answer
 *	consul.http.answers		by class of status
 *	consul.client.rpc, .failed	calls to the servers, and those in vain
 *	consul.raft.*, consul.agent.*, consul.serf_lan.* ...	each number that
 *		agent/self shows under Stats
 *	consul.runtime.*, consul.daemon.*	memory and restarts
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apid/apid.h"
#include "common/util.h"

/* ---- counting ---- */

static const char *const status_classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
static const char *const methods[] = { "GET", "PUT", "DELETE", "POST" };

/* The series: each route by method, statuses, calls. */
static size_t
by_route(const struct request *r)
{
	size_t	i = route_number(r->route) * NELEM(methods);

	switch (r->method) {
	case M_PUT:
		return i + 1;
	case M_DELETE:
		return i + 2;
	case M_POST:
		return i + 3;
	case M_GET:
	case M_OTHER:
		break;
	}
	return i;
}

#define BY_STATUS (routes_count() * NELEM(methods))
#define BY_CALL (BY_STATUS + NELEM(status_classes))
#define SERIES (BY_CALL + 2)

void
count_start(struct apid *a)
{
	metrics_init(&a->metrics, SERIES, ev_now(a->ev));
}

void
count_call(struct apid *a, bool failed)
{
	metrics_add(&a->metrics, BY_CALL + failed, 1, ev_now(a->ev));
}

void
count_answer(struct request *r)
{
	unsigned	class = r->status / 100;
	uint64_t	now;

	if (r->apid->metrics.n == 0)
		return;		/* nobody counts yet */
	now = ev_now(r->apid->ev);
	if (class >= 1 && class <= NELEM(status_classes))
		metrics_add(&r->apid->metrics, BY_STATUS + class - 1, 1, now);
	if (r->route != NULL && r->method != M_OTHER)
		metrics_add(&r->apid->metrics, by_route(r),
		    (double)(ev_hrtime() - r->began_ns) / 1e6, now);
}

/* ---- gathering ---- */

struct gauge { char *name; const char *daemon; double value; };

struct gathering {
	struct gauge		*gauge;
	size_t			 n;
	struct parent_status	 status;
};

static void
gathering_free(void *arg)
{
	struct gathering	*g = arg;
	size_t			 i;

	for (i = 0; i < g->n; i++)
		free(g->gauge[i].name);
	free(g->gauge);
	schema_clear(&parent_status_schema, &g->status);
	free(g);
}

static void
put_gauge(struct gathering *g, const char *section, const char *name,
    const char *daemon, double value)
{
	struct gauge	*x;

	g->gauge = xreallocarray(g->gauge, g->n + 1, sizeof(*g->gauge));
	x = &g->gauge[g->n++];
	xasprintf(&x->name, "consul%s%s.%s", *section != '\0' ? "." : "",
	    section, name);
	x->daemon = daemon;
	x->value = value;
}

/* Those that are numbers. */
static void
put_stats(struct gathering *g, const char *section, const struct strmap *stats)
{
	const char	*val;
	char		*end;
	double		 v;
	size_t		 i;

	for (i = 0; i < stats->n; i++) {
		val = str_or(stats->item[i].val, "");
		v = strtod(val, &end);
		if (end != val && *end == '\0')
			put_gauge(g, section, stats->item[i].key, NULL, v);
	}
}

static void
put_daemons(struct gathering *g)
{
	const struct daemon_status	*d;
	uint64_t			 anonymous = 0, memory = 0;
	size_t				 i;

	for (i = 0; i < g->status.daemons.n; i++) {
		d = &g->status.daemons.item[i];
		put_gauge(g, "daemon", "memory_bytes", d->name,
		    (double)d->memory);
		put_gauge(g, "daemon", "restarts", d->name,
		    (double)d->restarts);
		put_gauge(g, "daemon", "uptime_seconds", d->name,
		    (double)(d->uptime / NS_PER_S));
		anonymous += d->anonymous;
		memory += d->memory;
	}
	put_gauge(g, "runtime", "alloc_bytes", NULL, (double)anonymous);
	put_gauge(g, "runtime", "sys_bytes", NULL, (double)memory);
}

static int
gauge_cmp(const void *a, const void *b)
{
	const struct gauge	*x = a, *y = b;
	int			 c = strcmp(x->name, y->name);

	return c != 0 ? c : strcmp(str_or(x->daemon, ""),
	    str_or(y->daemon, ""));
}

/* ---- names ---- */

/* "consul.http.GET.v1.agent.service._" of the i-th series, for the caller. */
static char *
route_name(size_t i)
{
	const struct route	*t = route_at(i / NELEM(methods));
	char			*name, *p;

	xasprintf(&name, "consul.http.%s%s%s", methods[i % NELEM(methods)],
	    t->path, t->path[strlen(t->path) - 1] == '/' ? "_" : "");
	for (p = name; *p != '\0'; p++)
		if (*p == '/')
			*p = '.';
	return name;
}

/* ---- as JSON ---- */

static void
put_number(struct jw *jw, const char *key, double v)
{
	jw_key(jw, key);
	if (v == (double)(int64_t)v)
		jw_int(jw, (int64_t)v);
	else
		jw_double(jw, v);
}

static void
put_label(struct jw *jw, const char *label, const char *value)
{
	jw_key(jw, "Labels");
	jw_obj(jw);
	if (label != NULL) {
		jw_key(jw, label);
		jw_str(jw, value);
	}
	jw_end_obj(jw);
}

static void
json_sample(struct jw *jw, const char *name, const char *label,
    const char *value, const struct sample *s)
{
	jw_obj(jw);
	jw_key(jw, "Name");
	jw_str(jw, name);
	jw_key(jw, "Count");
	jw_uint(jw, s->count);
	put_number(jw, "Rate", s->sum / (METRICS_INTERVAL_MS / 1000));
	put_number(jw, "Sum", s->sum);
	put_number(jw, "Min", s->min);
	put_number(jw, "Max", s->max);
	put_number(jw, "Mean", sample_mean(s));
	put_number(jw, "Stddev", sample_stddev(s));
	put_label(jw, label, value);
	jw_end_obj(jw);
}

static void
json_counters(struct jw *jw, const struct metrics *m)
{
	static const char *const calls[] = {
		"consul.client.rpc", "consul.client.rpc.failed"
	};
	const struct sample	*s;
	size_t			 i;

	jw_key(jw, "Counters");
	jw_arr(jw);
	for (i = 0; i < NELEM(calls); i++)
		if ((s = &m->series[BY_CALL + i].last)->count > 0)
			json_sample(jw, calls[i], NULL, NULL, s);
	for (i = 0; i < NELEM(status_classes); i++)
		if ((s = &m->series[BY_STATUS + i].last)->count > 0)
			json_sample(jw, "consul.http.answers", "status",
			    status_classes[i], s);
	jw_end_arr(jw);
}

static void
reply_as_json(struct request *r, const struct gathering *g)
{
	const struct metrics	*m = &r->apid->metrics;
	struct jw		*jw = json_of(r);
	struct tm		 tm;
	char			 when[40], *name;
	time_t			 t;
	size_t			 i;

	t = (time_t)(ev_wall_ns() / NS_PER_S);
	t -= t % (METRICS_INTERVAL_MS / 1000);
	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
	jw_obj(jw);
	jw_key(jw, "Timestamp");
	jw_str(jw, when);
	jw_key(jw, "Gauges");
	jw_arr(jw);
	for (i = 0; i < g->n; i++) {
		jw_obj(jw);
		jw_key(jw, "Name");
		jw_str(jw, g->gauge[i].name);
		put_number(jw, "Value", g->gauge[i].value);
		put_label(jw, g->gauge[i].daemon != NULL ? "daemon" : NULL,
		    g->gauge[i].daemon);
		jw_end_obj(jw);
	}
	jw_end_arr(jw);
	jw_key(jw, "Points");
	jw_arr(jw);
	jw_end_arr(jw);
	json_counters(jw, m);
	jw_key(jw, "Samples");
	jw_arr(jw);
	for (i = 0; i < BY_STATUS; i++)
		if (m->series[i].last.count > 0) {
			name = route_name(i);
			json_sample(jw, name, NULL, NULL, &m->series[i].last);
			free(name);
		}
	jw_end_arr(jw);
	jw_end_obj(jw);
	reply_json(r, jw);
}

/* ---- for Prometheus ---- */

/* A name as it may be there, and its two lines of introduction. */
static char *
introduce(struct wbuf *w, const char *dotted, const char *type, bool said)
{
	char	*name = xstrdup(dotted);
	size_t	 i;

	for (i = 0; name[i] != '\0'; i++)
		if (strchr(".-/", name[i]) != NULL)
			name[i] = '_';
	if (!said)
		wb_printf(w, "# HELP %s %s\n# TYPE %s %s\n", name, name, name,
		    type);
	return name;
}

static void
text_gauges(struct wbuf *w, const struct gathering *g)
{
	const struct gauge	*x;
	char			*name;
	size_t			 i;

	for (i = 0; i < g->n; i++) {
		x = &g->gauge[i];
		name = introduce(w, x->name, "gauge", i > 0 &&
		    strcmp(x->name, g->gauge[i - 1].name) == 0);
		if (x->daemon != NULL)
			wb_printf(w, "%s{daemon=\"%s\"} %.17g\n", name,
			    x->daemon, x->value);
		else
			wb_printf(w, "%s %.17g\n", name, x->value);
		free(name);
	}
}

static void
reply_as_text(struct request *r, const struct gathering *g)
{
	const struct metrics	*m = &r->apid->metrics;
	struct wbuf		*w = &r->answer;
	const struct sample	*s;
	char			*name, *dotted;
	size_t			 i;

	for (i = 0; i < BY_STATUS; i++) {
		s = &m->series[i].total;
		if (s->count == 0)
			continue;
		dotted = route_name(i);
		name = introduce(w, dotted, "summary", false);
		wb_printf(w, "%s_sum %.17g\n%s_count %" PRIu64 "\n", name,
		    s->sum, name, s->count);
		free(name);
		free(dotted);
	}
	for (i = 0; i < NELEM(status_classes); i++) {
		name = introduce(w, "consul.http.answers", "counter", i > 0);
		wb_printf(w, "%s{status=\"%s\"} %" PRIu64 "\n", name,
		    status_classes[i], m->series[BY_STATUS + i].total.count);
		free(name);
	}
	for (i = 0; i < 2; i++) {
		name = introduce(w, i == 0 ? "consul.client.rpc" :
		    "consul.client.rpc.failed", "counter", false);
		wb_printf(w, "%s %" PRIu64 "\n", name,
		    m->series[BY_CALL + i].total.count);
		free(name);
	}
	text_gauges(w, g);
	r->type = "text/plain; version=0.0.4; charset=utf-8";
	reply_empty(r, 200);
}

/* ---- the endpoint ---- */

static void
take(struct schema *s, const uint8_t *body, size_t len, void *obj)
{
	const char	*err;

	if (body == NULL || schema_decode_all(s, body, len, obj, &err) == -1)
		memset(obj, 0, s->size);
}

static bool
wants_text(const struct request *r)
{
	return strcmp(str_or(params_get(&r->params, "format"), ""),
	    "prometheus") == 0;
}

static void
got_stats(struct request *r, const uint8_t *body, size_t len)
{
	struct gathering	*g = r->state;
	struct agent_stats	 st;

	take(&agent_stats_schema, body, len, &st);
	put_stats(g, "", &st.stats);
	schema_clear(&agent_stats_schema, &st);
	put_daemons(g);
	qsort(g->gauge, g->n, sizeof(*g->gauge), gauge_cmp);
	metrics_turn(&r->apid->metrics, ev_now(r->apid->ev));
	if (wants_text(r))
		reply_as_text(r, g);
	else
		reply_as_json(r, g);
}

static void
got_pool(struct request *r, const uint8_t *body, size_t len)
{
	struct gossip_members	 pool;
	struct empty		 none = { 0 };

	take(&gossip_members_schema, body, len, &pool);
	put_stats(r->state, "serf_lan", &pool.stats);
	schema_clear(&gossip_members_schema, &pool);
	try_catalogd(r, "Agent.Stats", &empty_schema, &none, got_stats);
}

static void
got_status(struct request *r, const uint8_t *body, size_t len)
{
	struct gossip_members_request	 q = { 0 };
	struct gathering		*g = xcalloc(1, sizeof(*g));

	take(&parent_status_schema, body, len, &g->status);
	r->state = g;
	r->state_free = gathering_free;
	try_gossipd(r, "Gossip.Members", &gossip_members_request_schema, &q,
	    got_pool);
}

void
ep_agent_metrics(struct request *r)
{
	if (wants_text(r) && r->apid->http.prometheus_retention <= 0)
		reply_text(r, 415, "Prometheus is not enabled since its "
		    "retention time is not positive");
	else
		ask_discod(r, "Parent.Status", got_status);
}

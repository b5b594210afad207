/*
 * catalogd: the agent half of this node, and on servers the replicated store
 * (behind server.h).  It owns the directory catalog/ of the data directory and
 * talks to nobody but its siblings; what goes over the network goes by rpcd.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/catalogd.h"
#include "common/log.h"

#define SYNC_READ_MS	60000	/* a server that does not answer is no server */
#define SYNC_WRITE_MS	60000
#define COORD_ASK_MS	5000
#define COORD_SEND_MS	30000
/* Names followed for dnsd.  On an agent each has a call open to rpcd, whose
 * window anti-entropy and apid need as well. */
#define VIEWS_MAX	65536
#define VIEWS_MAX_AGENT	(CALL_WINDOW / 4)

/* ---- the loop ---- */

static uint64_t
min_time(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Runs what is due in each part, and sets the timer for the next. */
static void
settle(void *arg)
{
	struct catalogd	*c = arg;
	uint64_t	 now = ev_now(c->ev), at;

	at = agent_run(c->agent, now);
	at = min_time(at, aliases_run(c->aliases, now));
	at = min_time(at, sync_run(c->sync, now));
	at = min_time(at, coord_send_run(c->coord, now));
	at = min_time(at, agent_api_run(c->api, now));
	at = min_time(at, views_run(c->views, now));
	if (at == AGENT_NEVER)
		ev_timer_stop(c->timer);
	else
		ev_timer_set(c->timer, at > now ? at - now : 0);
}

void
catalogd_wake(struct catalogd *c)
{
	if (c->job != NULL)
		ev_job_set(c->job);
}

static void
on_alive(void *arg)
{
	struct catalogd	*c = arg;

	agent_files_alive(c->files, ev_wall_ns() / NS_PER_S);
	ev_timer_set(c->alive, ALIVE_EVERY_MS);
}

/* ---- anti-entropy ---- */

static void
on_sync_answer(enum call_status status, const char *error, const uint8_t *p,
    size_t len, void *arg)
{
	struct catalogd	*c = arg;

	c->sync_call = NULL;
	if (status != CALL_OK && error == NULL)
		error = "no answer";
	sync_answer(c->sync, status == CALL_OK ? NULL : error, p, len,
	    ev_now(c->ev));
	catalogd_wake(c);
}

static void
sync_call(const char *method, struct schema *s, const void *body, bool write,
    void *arg)
{
	struct catalogd	*c = arg;

	c->sync_call = route_call(c->route, method, s, body, write,
	    write ? SYNC_WRITE_MS : SYNC_READ_MS, on_sync_answer, c);
}

static void
sync_log(bool warning, const char *text, void *arg)
{
	(void)arg;
	if (warning)
		log_warnx("%s", text);
	else
		log_info("%s", text);
}

/* ---- this node's coordinate ---- */

static void
on_coord(enum call_status status, const char *error, const uint8_t *p,
    size_t len, void *arg)
{
	struct catalogd			*c = arg;
	struct gossip_coordinates	 a;
	bool				 good;

	(void)error;
	c->coord_ask = NULL;
	good = status == CALL_OK && schema_decode_all(
	    &gossip_coordinates_schema, p, len, &a, &error) == 0;
	/* Without a vector they are turned off. */
	coord_send_got(c->coord, good && a.own.vec.n > 0 ? &a.own : NULL,
	    ev_now(c->ev));
	if (good)
		schema_clear(&gossip_coordinates_schema, &a);
	catalogd_wake(c);
}

static void
coord_ask(void *arg)
{
	struct catalogd				*c = arg;
	struct gossip_coordinates_request	 q = { 0 };

	c->coord_ask = gossip_ask(c->gossip, "Gossip.Coordinates",
	    &gossip_coordinates_request_schema, &q, COORD_ASK_MS, on_coord, c);
}

static void
on_coord_sent(enum call_status status, const char *error, const uint8_t *p,
    size_t len, void *arg)
{
	struct catalogd	*c = arg;

	(void)p;
	(void)len;
	c->coord_call = NULL;
	if (status != CALL_OK && error == NULL)
		error = "no answer";
	coord_send_done(c->coord, status == CALL_OK ? NULL : error,
	    ev_now(c->ev));
	catalogd_wake(c);
}

static void
coord_send(const struct coordinate_update *u, void *arg)
{
	struct catalogd	*c = arg;

	c->coord_call = route_call(c->route, "Coordinate.Update",
	    &coordinate_update_schema, u, true, COORD_SEND_MS, on_coord_sent,
	    c);
}

/* ---- views, and checks of other nodes ---- */

static void *
view_call(const char *method, struct schema *s, const void *body,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct catalogd	*c = arg;

	return route_call(c->route, method, s, body, false, timeout_ms, fn,
	    fn_arg);
}

static void
view_cancel(void *handle, void *arg)
{
	(void)arg;
	route_cancel(handle);
}

static uint64_t
view_now(void *arg)
{
	struct catalogd	*c = arg;

	return ev_now(c->ev);
}

static void
view_changed(void *arg)
{
	catalogd_wake(arg);
}

/* ---- methods Agent.* ---- */

static void
api_sync(void *arg)
{
	struct catalogd	*c = arg;

	sync_full(c->sync, ev_now(c->ev));
	catalogd_wake(c);
}

static void
api_stats(struct strmap *m, void *arg)
{
	struct catalogd	*c = arg;
	char		 n[24];

	if (c->server != NULL) {
		server_stats(c->server, m);
		return;
	}
	snprintf(n, sizeof(n), "%zu", c->nservers);
	strmap_put(m, "consul.acl", "disabled");
	strmap_put(m, "consul.known_servers", n);
	strmap_put(m, "consul.server", "false");
}

static void *
api_call(const char *method, struct schema *s, const void *body, bool write,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct catalogd	*c = arg;

	return route_call(c->route, method, s, body, write, timeout_ms, fn,
	    fn_arg);
}

/* ---- configuration ---- */

static void
take(struct schema *s, struct rbuf *r, void *obj)
{
	schema_clear(s, obj);
	if (schema_decode(s, r, obj) == -1)
		fatalx("configuration: %s: %s", s->name, r->err);
}

static void
on_conf_item(struct child *child, enum conf_kind kind, struct rbuf *r,
    void *arg)
{
	struct catalogd	*c = arg;

	(void)child;
	switch ((int)kind) {
	case CONF_AGENT:
		take(&conf_agent_schema, r, &c->conf);
		break;
	case CONF_CATALOG:
		take(&conf_catalog_schema, r, &c->cat);
		break;
	case CONF_SERVICE:
		take(&service_def_schema, r, VEC_ADD(&c->services));
		break;
	case CONF_CHECK:
		take(&check_def_schema, r, VEC_ADD(&c->checks));
		break;
	default:
		fatalx("configuration of kind %d is not for catalogd",
		    (int)kind);
	}
}

static void
defs_clear(struct catalogd *c)
{
	size_t	 i;

	for (i = 0; i < c->services.n; i++)
		schema_clear(&service_def_schema, &c->services.item[i]);
	free(c->services.item);
	memset(&c->services, 0, sizeof(c->services));
	for (i = 0; i < c->checks.n; i++)
		schema_clear(&check_def_schema, &c->checks.item[i]);
	free(c->checks.item);
	memset(&c->checks, 0, sizeof(c->checks));
}

static void
on_conf_begin(struct child *child, void *arg)
{
	(void)child;
	defs_clear(arg);
}

/* err starts with an HTTP status, which a log line does not need. */
static const char *
reason(const char *err)
{
	return strlen(err) > 4 ? err + 4 : err;
}

static void
file_services(struct catalogd *c, uint64_t now)
{
	char	 err[512];
	size_t	 i;

	for (i = 0; i < c->services.n; i++)
		if (agent_file_service(c->agent, &c->services.item[i], now,
		    err, sizeof(err)) == -1)
			log_errorx("service %s: not registered: %s",
			    str_or(c->services.item[i].name, "?"),
			    reason(err));
}

static void
file_checks(struct catalogd *c, uint64_t now)
{
	char	 err[512];
	size_t	 i;

	for (i = 0; i < c->checks.n; i++)
		if (agent_file_check(c->agent, &c->checks.item[i], now, err,
		    sizeof(err)) == -1)
			log_errorx("check %s: not registered: %s",
			    str_or(c->checks.item[i].name, "?"),
			    reason(err));
}

static void
configure_snapshots(struct catalogd *c)
{
	if (c->snap_files != NULL)
		snap_files_configure(c->snap_files, c->cat.snapshot_interval,
		    c->cat.snapshot_retain);
}

static void
on_conf_done(struct child *child, bool first, void *arg)
{
	struct catalogd	*c = arg;
	uint64_t	 now;

	(void)child;
	if (first || !c->started)
		return;		/* on_start() */
	now = ev_now(c->ev);
	configure_snapshots(c);
	agent_configure(c->agent, &c->conf, &c->cat);
	agent_files_begin(c->agent);
	file_services(c, now);
	file_checks(c, now);
	agent_files_end(c->agent, now);
	defs_clear(c);
	catalogd_wake(c);
}

/* ---- start and stop ---- */

static uint64_t
seed(void)
{
	struct rng	 r;

	rng_seed_os(&r);
	return rng_next(&r);
}

static void
refuse(const char *why, void *arg)
{
	struct catalogd	*c = arg;

	child_refuse(c->child, "%s", why);
}

static void *
server_calls(const struct msg_call *m, const uint8_t *body, size_t len,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct catalogd	*c = arg;

	return route_call_server(c->route, m, body, len, timeout_ms, fn,
	    fn_arg);
}

static void
server_cancels(void *handle, void *arg)
{
	struct catalogd	*c = arg;

	/* Without it they are gone already. */
	if (c->route != NULL)
		route_cancel(handle);
}

/* 0, or -1: the suite is being stopped. */
/* Not of what is kept in memory alone. */
static void
start_snapshots(struct catalogd *c)
{
	const char	*dir = child_dir(c->child);
	char		*shown;

	if (c->conf.dev || str_empty(dir))
		return;
	xasprintf(&shown, "%s/catalog", str_or(c->conf.data_dir, ""));
	c->snap_files = snap_files_new(c->ev, c->server, dir, shown);
	free(shown);
	configure_snapshots(c);
}

static int
start_server(struct catalogd *c)
{
	struct server_env	 env;
	char			 err[1024];

	memset(&env, 0, sizeof(env));
	env.fire = catalogd_fire;
	env.name = catalogd_name;
	env.names = catalogd_names;
	env.call = server_calls;
	env.call_cancel = server_cancels;
	env.dial = catalogd_dial;
	env.force_leave = catalogd_force_leave;
	env.refuse = refuse;
	env.arg = c;
	c->server = server_new(c->ev, &c->conf, &c->cat,
	    str_or(child_dir(c->child), ""), &env);
	if (server_start(c->server, err, sizeof(err)) == 0) {
		start_snapshots(c);
		return 0;
	}
	child_refuse(c->child, "%s", err);
	return -1;
}

static int64_t
wall_ns(void *arg)
{
	(void)arg;
	return ev_wall_ns();
}

static void
start_agent(struct catalogd *c)
{
	struct agent_ops	 ops = catalogd_agent_ops;
	struct sync_ops		 sops = { sync_call, sync_log, c };
	struct agent_api_ops	 aops = { api_sync, api_stats, api_call,
				    view_cancel, catalogd_ask_runs, wall_ns,
				    c };
	struct coord_send_ops	 cops = { coord_ask, coord_send, sync_log, c };
	struct views_ops	 vops = { view_call, view_cancel,
				    catalogd_view, view_now, view_changed, c,
				    c->conf.node_name };
	struct exchange_env	 xenv = { catalogd_dial_snapshot, NULL };
	struct gossip_remote	 remote = { server_calls, server_cancels, c };
	struct alias_ops	 lops = { view_call, view_cancel, view_now,
				    view_changed, c };

	xenv.arg = c;
	c->exchanges = exchanges_new(c->ev, c->server,
	    str_or(c->conf.datacenter, ""), &xenv);
	ops.arg = c;
	c->agent = agent_new(&ops, seed());
	c->api = agent_api_new(c->agent, &aops);
	c->sync = sync_new(c->agent, &sops, seed());
	c->views = views_new(&vops, c->conf.datacenter,
	    c->server != NULL ? VIEWS_MAX : VIEWS_MAX_AGENT, seed());
	views_translate(c->views, c->conf.translate_wan);
	c->aliases = aliases_new(c->agent, &lops);
	c->gossip = gossip_new(c->ev, &c->conf);
	gossip_set_remote(c->gossip, &remote);
	c->route = route_new(c->ev, c->api, c->server, c->gossip);
	c->coord = coord_send_new(c->agent, &cops, ev_now(c->ev), seed());
}

static void
load_agent(struct catalogd *c)
{
	uint64_t	 now = ev_now(c->ev);

	agent_configure(c->agent, &c->conf, &c->cat);
	agent_files_states(c->files, c->agent, ev_wall_ns() / NS_PER_S);
	file_services(c, now);
	agent_files_services(c->files, c->agent, now);
	file_checks(c, now);
	agent_files_checks(c->files, c->agent, now, ev_wall_ns() / NS_PER_S);
	agent_remember_end(c->agent);
	defs_clear(c);
}

static void
on_start(struct child *child, void *arg)
{
	struct catalogd	*c = arg;

	c->child = child;
	c->ev = child_ev(child);
	c->files = agent_files_open(str_or(child_dir(child), ""));
	if (c->files == NULL) {
		child_refuse(child, "catalogd: cannot keep services and "
		    "checks in its directory (its log says why)");
		return;
	}
	if (c->conf.server && start_server(c) == -1)
		return;
	start_agent(c);
	load_agent(c);
	c->timer = ev_timer_new(c->ev, settle, c);
	c->alive = ev_timer_new(c->ev, on_alive, c);
	c->job = ev_job_new(c->ev, settle, c);
	c->started = true;
	catalogd_links_start(c);
	on_alive(c);
	catalogd_wake(c);
}

static void
on_handed_over(void *arg)
{
	struct catalogd	*c = arg;

	child_left(c->child);
}

/* Nothing may be registered again after the leader has removed this node. */
static void
on_leave(struct child *child, void *arg)
{
	struct catalogd	*c = arg;

	if (c->leaving)
		return;
	c->leaving = true;
	sync_stop(c->sync);
	coord_send_stop(c->coord);
	if (c->server != NULL)
		server_leave(c->server, on_handed_over, c);
	else
		child_left(child);
}

static void
on_stop(struct child *child, void *arg)
{
	struct catalogd	*c = arg;

	(void)child;
	if (c->started)
		agent_files_alive(c->files, ev_wall_ns() / NS_PER_S);
	c->started = false;
	ev_job_free(c->job);
	c->job = NULL;
	ev_timer_free(c->timer);
	ev_timer_free(c->alive);
	views_free(c->views);
	aliases_free(c->aliases);
	if (c->sync_call != NULL)
		route_cancel(c->sync_call);
	if (c->coord_call != NULL)
		route_cancel(c->coord_call);
	if (c->coord_ask != NULL)
		call_cancel(c->coord_ask);
	route_free(c->route);
	c->route = NULL;
	gossip_free(c->gossip);
	coord_send_free(c->coord);
	sync_free(c->sync);
	c->sync = NULL;
	agent_api_free(c->api);
	agent_free(c->agent);
	exchanges_free(c->exchanges);
	snap_files_free(c->snap_files);
	if (c->server != NULL)
		server_free(c->server);
	agent_files_free(c->files);
	catalogd_peers_clear(c);
	defs_clear(c);
	schema_clear(&conf_agent_schema, &c->conf);
	schema_clear(&conf_catalog_schema, &c->cat);
}

static const struct sandbox_role catalogd_role = {
	.name = "catalogd",
	.files = true,
	.forks = true
};

static const struct child_ops catalogd_ops = {
	.self = PROC_CATALOGD,
	.link = catalogd_link,
	.conf_begin = on_conf_begin,
	.conf_item = on_conf_item,
	.conf_done = on_conf_done,
	.start = on_start,
	.msg = catalogd_msg,
	.leave = on_leave,
	.stop = on_stop,
	.role = &catalogd_role
};

int
main(int argc, char **argv)
{
	struct catalogd	 c;

	memset(&c, 0, sizeof(c));
	RB_INIT(&c.peers);
	return child_main(argc, argv, &catalogd_ops, &c);
}

/*
 * Servers from gossip into the membership: whom the leader takes for whom.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalogd/server.h"
#include "catalogd/server_raft_i.h"
#include "common/log.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define LIMIT_MS 30000
#define OLD "22222222-2222-4222-8222-222222222222"
#define NEW "33333333-3333-4333-8333-333333333333"

struct world {
	struct ev		*ev;
	struct ev_timer		*limit, *answer;
	struct server		*srv;
	struct conf_agent	 agent;
	struct conf_catalog	 conf;
	char			 dir[64];
	/* the other server, as it answers who it is */
	const char		*says;
	call_fn			*fn;
	void			*fn_arg;
	size_t			 nasked, ndialled;
	bool			 late;
};

/* ---- the world ---- */

static bool
on_fire(const char *name, const void *p, size_t n, void *arg)
{
	(void)name;
	(void)p;
	(void)n;
	(void)arg;
	return true;
}

static void
on_name(enum view_kind kind, const char *name, bool exists, void *arg)
{
	(void)kind;
	(void)name;
	(void)exists;
	(void)arg;
}

static void
on_names(void *arg)
{
	(void)arg;
}

static void
on_refuse(const char *why, void *arg)
{
	(void)arg;
	ck_abort_msg("%s", why);
}

static void *
on_call(const struct msg_call *m, const uint8_t *body, size_t len,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct world *w = arg;

	(void)body;
	(void)len;
	(void)timeout_ms;
	ck_assert_str_eq(m->method, "Status.DiscoServer");
	if (strcmp(m->server, "node2") != 0)
		return w;	/* of itself: that takes its time */
	ck_assert_ptr_null(w->fn);
	w->fn = fn;
	w->fn_arg = fn_arg;
	ev_timer_set(w->answer, 0);
	return &w->fn;
}

static void
on_call_cancel(void *handle, void *arg)
{
	struct world *w = arg;

	if (handle == &w->fn)
		w->fn = NULL;
}

static void
on_dial(uint32_t id, const char *address, void *arg)
{
	struct world *w = arg;

	(void)id;
	ck_assert_str_eq(address, "10.77.0.2:8300");
	w->ndialled++;
	ev_stop(w->ev);
}

static void
on_answer(void *arg)
{
	struct world *w = arg;
	struct disco_server is = { .raft_id = 4711,
	    .node_id = (char *)(uintptr_t)w->says };
	call_fn *fn = w->fn;
	struct wbuf b;

	if (fn == NULL)
		return;
	w->fn = NULL;
	wb_init(&b, 0);
	schema_encode(&disco_server_schema, &is, &b);
	fn(CALL_OK, NULL, b.p, b.len, w->fn_arg);
	wb_free(&b);
	w->nasked++;
	ev_stop(w->ev);
}

static void
on_limit(void *arg)
{
	struct world *w = arg;

	w->late = true;
	ev_stop(w->ev);
}

static void
setup(struct world *w)
{
	struct server_env env = { .fire = on_fire, .name = on_name,
	    .names = on_names, .refuse = on_refuse, .call = on_call,
	    .call_cancel = on_call_cancel, .dial = on_dial, .arg = w };
	char err[512];

	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	w->limit = ev_timer_new(w->ev, on_limit, w);
	w->answer = ev_timer_new(w->ev, on_answer, w);
	snprintf(w->dir, sizeof(w->dir), "/tmp/disco-members-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	w->agent.node_name = xstrdup("node1");
	w->agent.node_id = xstrdup("11111111-1111-4111-8111-111111111111");
	w->agent.datacenter = xstrdup("dc1");
	w->agent.advertise_addr = xstrdup("10.77.0.1");
	w->agent.port_rpc = 8300;
	w->agent.bootstrap = w->agent.server = true;
	w->srv = server_new(w->ev, &w->agent, &w->conf, w->dir, &env);
	if (server_start(w->srv, err, sizeof(err)) == -1)
		ck_abort_msg("%s", err);
}

static void
remove_tree(const char *dir)
{
	struct dirent *de;
	char path[512];
	DIR *d;

	if ((d = opendir(dir)) == NULL)
		return;
	while ((de = readdir(d)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		if (unlink(path) == -1)
			remove_tree(path);
	}
	closedir(d);
	(void)rmdir(dir);
}

static void
teardown(struct world *w)
{
	server_free(w->srv);
	ev_timer_free(w->limit);
	ev_timer_free(w->answer);
	ev_free(w->ev);
	schema_clear(&conf_agent_schema, &w->agent);
	schema_clear(&conf_catalog_schema, &w->conf);
	remove_tree(w->dir);
}

/* Until that counter is there. */
static void
run_until(struct world *w, const size_t *count, size_t n)
{
	ev_timer_set(w->limit, LIMIT_MS);
	while (*count < n && !w->late)
		ev_run(w->ev);
	ck_assert(!w->late);
}

static void
tell(struct world *w, const char *name, const char *addr, const char *id)
{
	struct member m;

	memset(&m, 0, sizeof(m));
	m.name = xstrdup(name);
	m.addr = xstrdup(addr);
	m.port = 8301;
	m.status = MEMBER_ALIVE;
	m.pmin = 1;
	m.pmax = 5;
	m.pcur = 2;
	strmap_put(&m.tags, "role", "consul");
	strmap_put(&m.tags, "dc", "dc1");
	strmap_put(&m.tags, "port", "8300");
	strmap_put(&m.tags, "raft_vsn", "3");
	strmap_put(&m.tags, "disco", "1");
	strmap_put(&m.tags, "id", id);
	server_member(w->srv, &m);
	schema_clear(&member_schema, &m);
}

/* ---- the tests ---- */

/*
 * A machine with an empty disk took the name and the address; gossip still has
 * the id of the one before.  Under that id it would never be found again.
 */
START_TEST(server_in_anothers_place_waits_until_gossip_knows_it)
{
	struct world w;

	setup(&w);
	w.says = NEW;
	tell(&w, "node1", "10.77.0.1", w.agent.node_id);
	tell(&w, "node2", "10.77.0.2", OLD);
	server_members_end(w.srv);
	run_until(&w, &w.nasked, 2);
	ck_assert_uint_eq(w.ndialled, 0);
	tell(&w, "node2", "10.77.0.2", NEW);
	run_until(&w, &w.ndialled, 1);
	teardown(&w);
}
END_TEST

UNIT_MAIN("catalogd_members",
    server_in_anothers_place_waits_until_gossip_knows_it)

/*
 * The server half's frame: its life, the store behind the log, and what
 * catalogd asks of it.
 */
#include "catalogd/server_i.h"

#include <bsd/string.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mp.h"

#define LEAVE_MS 3000	/* for another server to take over */
#define LEAVE_LOOK_MS 20

/* ---- replies ---- */

void
reply_error(struct reply *r, const char *fmt, ...)
{
	struct wbuf w;
	va_list ap;
	char buf[1024];

	if (r->error != NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	wb_init(&w, 0);
	wb_str(&w, buf);
	r->error = wb_detach_str(&w);
}

void
reply_empty(struct reply *r)
{
	mp_map(&r->body, 0);
}

void
reply_schema(struct reply *r, struct schema *s, void *obj)
{
	struct filter_cuts cuts = { .n = 0 };

	if (r->filter != NULL)
		filter_rows(r->filter, s, obj, &cuts);
	schema_encode(s, obj, &r->body);
	filter_restore(&cuts);
}

void
rpc_addr_text(const char *ip, unsigned port, char *buf, size_t len)
{
	bool v6 = strchr(str_or(ip, ""), ':') != NULL;

	snprintf(buf, len, v6 ? "[%s]:%u" : "%s:%u", str_or(ip, ""), port);
}

void
server_rpc_addr(const struct server *srv, char *buf, size_t len)
{
	rpc_addr_text(srv->agent.advertise_addr, (unsigned)srv->agent.port_rpc,
	    buf, len);
}

bool
server_in_office(const struct server *srv)
{
	return srv->replica != NULL && replica_leads(srv->replica);
}

/* ---- the log's side ---- */

static void
on_apply(uint64_t index, const uint8_t *entry, size_t len, void *tag,
    void *arg)
{
	struct server *srv = arg;
	struct store_answer a;
	struct changes ch;
	struct reply r;
	size_t i;

	if (len == 0 || snapshot_apply(srv, index, entry, len))
		return;
	index = snapshot_index(srv, index);
	memset(&ch, 0, sizeof(ch));
	store_apply(srv->store, index, entry, len, &a, &ch);
	for (i = 0; i < ch.n; i++)
		watch_wake(srv, &ch.item[i], call_wake);
	session_applied(srv, index, &ch);
	leader_applied(srv, &ch);
	for (i = 0; srv->started && i < ch.nnames; i++)
		srv->env.name(ch.name[i].kind, ch.name[i].name,
		    ch.name[i].exists, srv->env.arg);
	changes_clear(&ch);
	if (tag == NULL) {
		if (a.error != NULL)
			log_warnx("log entry %llu: %s",
			    (unsigned long long)index, a.error);
		store_answer_clear(&a);
		return;
	}
	r.body = a.body;
	r.error = a.error;
	if (r.error == NULL && r.body.len == 0)
		reply_empty(&r);
	call_end(tag, &r);
}

static void
on_lost(void *tag, void *arg)
{
	(void)arg;
	call_fail(tag, "leadership lost while committing log");
}

static void
on_office(bool in, void *arg)
{
	struct server *srv = arg;

	if (in)
		srv->leader_ns = ev_wall_ns();
	snapshot_office(srv, in);
	leader_office(srv, in);
	session_office(srv, in);
	calls_office(srv);
	raft_members_changed(srv);
}

static void
on_current(void *arg)
{
	struct server *srv = arg;

	srv->env.names(srv->env.arg);
	calls_requeue(srv, CALL_HELD);
}

static void
on_changed(void *arg)
{
	struct server *srv = arg;

	calls_requeue(srv, CALL_HELD);
	forward_leader_changed(srv);
	raft_members_changed(srv);
}

static void
on_confirmed(uint64_t number, void *arg)
{
	calls_confirmed(arg, number);
}

static void
on_dial(uint32_t id, const char *address, void *arg)
{
	struct server *srv = arg;

	srv->env.dial(id, address, srv->env.arg);
}

static bool
on_where(const char *node_id, char *buf, size_t len, void *arg)
{
	return raft_where(arg, node_id, buf, len);
}

static void
on_dump(struct wbuf *w, void *arg)
{
	struct server *srv = arg;

	snapshot_dump(srv, w);
}

static int
on_restore(uint64_t index, const uint8_t *p, size_t len, const char **why,
    void *arg)
{
	return snapshot_restore(arg, index, p, len, why);
}

void
server_propose(struct server *srv, const struct wbuf *entry)
{
	if (srv->replica != NULL && !replica_full(srv->replica) &&
	    entry->len <= REPLICA_ENTRY_MAX)
		(void)replica_propose(srv->replica, entry->p, entry->len, NULL);
}

/* ---- life ---- */

struct server *
server_new(struct ev *ev, const struct conf_agent *agent,
    const struct conf_catalog *conf, const char *dir,
    const struct server_env *env)
{
	struct server *srv;
	size_t i;

	srv = xcalloc(1, sizeof(*srv));
	srv->ev = ev;
	schema_copy(&conf_agent_schema, &srv->agent, agent);
	schema_copy(&conf_catalog_schema, &srv->conf, conf);
	srv->env = *env;
	srv->dir = xstrdup(str_or(dir, ""));
	rng_seed_os(&srv->rng);
	for (i = 0; i < NELEM(srv->list); i++)
		TAILQ_INIT(&srv->list[i]);
	RB_INIT(&srv->watches);
	RB_INIT(&srv->members);
	RB_INIT(&srv->coords);
	session_init(srv);
	srv->store = store_new();
	srv->turn = ev_timer_new(ev, calls_turn, srv);
	share_init(srv);
	srv->start_ns = ev_wall_ns();
	raft_members_init(srv);
	snapshot_init(srv);
	return srv;
}

int
server_start(struct server *srv, char *err, size_t errlen)
{
	static const struct replica_ops base = { on_apply, on_lost, on_office,
	    on_current, on_changed, on_confirmed, on_dump, on_restore,
	    on_dial, on_where, NULL };
	struct replica_ops ops = base;
	struct replica_conf rc;
	struct replica_stats st;
	char *dir = NULL, *shown = NULL, addr[ADDR_TEXT_MAX];

	memset(&rc, 0, sizeof(rc));
	server_rpc_addr(srv, addr, sizeof(addr));
	/* The agent half has its files beside: what is moved away is ours. */
	if (!str_empty(srv->dir))
		xasprintf(&dir, "%s/raft", srv->dir);
	if (!str_empty(srv->agent.data_dir))
		xasprintf(&shown, "%s/catalog/raft", srv->agent.data_dir);
	rc.dir = str_or(dir, "");
	rc.shown = str_or(shown, rc.dir);
	rc.node_id = srv->agent.node_id;
	rc.bootstrap = srv->agent.bootstrap || srv->agent.dev ||
	    srv->agent.bootstrap_expect == 1;
	rc.multiplier = (unsigned)srv->conf.raft_multiplier;
	rc.address = addr;
	rc.datacenter = srv->agent.datacenter;
	ops.arg = srv;
	srv->replica = replica_start(srv->ev, &rc, &ops, err, errlen);
	free(dir);
	free(shown);
	if (srv->replica == NULL)
		return -1;
	srv->started = true;
	replica_stats(srv->replica, &st);
	if (st.servers == 0 && srv->agent.bootstrap_expect > 1)
		log_info("raft: no log: bootstrapping when %llu servers are "
		    "there", (unsigned long long)srv->agent.bootstrap_expect);
	else if (st.servers == 0)
		log_info("raft: no log and not told to bootstrap: waiting for "
		    "a leader to add this server");
	raft_members_changed(srv);
	return 0;
}

void
server_free(struct server *srv)
{
	struct server_call *c;
	size_t i;

	if (srv == NULL)
		return;
	srv->started = false;
	/* Answers that would come now find nobody. */
	for (i = 0; i < NELEM(srv->list); i++)
		TAILQ_FOREACH(c, &srv->list[i], entry)
			c->fn = NULL;
	replica_free(srv->replica);
	srv->replica = NULL;
	for (i = 0; i < NELEM(srv->list); i++)
		while ((c = TAILQ_FIRST(&srv->list[i])) != NULL)
			call_free(c);
	raft_members_free(srv);
	leader_free(srv);
	session_free(srv);
	snapshot_free(srv);
	coordinate_free(srv);
	share_drop(srv);
	ev_timer_free(srv->turn);
	ev_timer_free(srv->left_timer);
	store_free(srv->store);
	store_free(srv->unusable);
	schema_clear(&conf_agent_schema, &srv->agent);
	schema_clear(&conf_catalog_schema, &srv->conf);
	free(srv->dir);
	free(srv);
}

/* ---- what catalogd calls ---- */

bool
server_has_method(const char *method)
{
	return method_find(method) != NULL;
}

struct names_arg {
	void	(*fn)(enum view_kind, const char *, void *);
	void	*arg;
};

static bool
names_service(const char *name, void *arg)
{
	struct names_arg *a = arg;

	a->fn(VIEW_SERVICE, name, a->arg);
	return true;
}

static bool
names_node(const struct node *n, void *arg)
{
	struct names_arg *a = arg;

	a->fn(VIEW_NODE, n->node, a->arg);
	return true;
}

static bool
names_query(const struct prepared_query *q, void *arg)
{
	struct names_arg *a = arg;

	query_each_name(q, a->fn, a->arg);
	return true;
}

bool
server_names_known(const struct server *srv)
{
	return srv->replica != NULL && replica_current(srv->replica);
}

void
server_names(struct server *srv,
    void (*fn)(enum view_kind, const char *, void *), void *arg)
{
	struct names_arg a = { fn, arg };

	store_each_name(srv->store, names_service, &a);
	store_each_node(srv->store, names_node, &a);
	store_each_query(srv->store, names_query, &a);
}

bool
server_is_leader(const struct server *srv)
{
	return server_in_office(srv);
}

void
server_raft_peer(struct server *srv, int fd, const char *from)
{
	replica_accept(srv->replica, fd, from);
}

void
server_dialed(struct server *srv, uint32_t id, int fd, const char *why)
{
	replica_dialed(srv->replica, id, fd, why);
}

void
server_dials_lost(struct server *srv)
{
	if (srv->replica != NULL)
		replica_dials_lost(srv->replica);
}

/*
 * Hands over and looks until somebody else leads, for a while.  That this
 * server goes is then the next leader's to see in gossip, and to remove it.
 */
static void
on_left(void *arg)
{
	struct server *srv = arg;
	struct replica_server leader;

	if (srv->replica != NULL && ev_now(srv->ev) < srv->left_ms &&
	    (!replica_leader(srv->replica, &leader) || leader.self)) {
		ev_timer_set(srv->left_timer, LEAVE_LOOK_MS);
		return;
	}
	srv->left(srv->left_arg);
}

void
server_leave(struct server *srv, void (*done)(void *), void *arg)
{
	srv->leaving = true;
	srv->left = done;
	srv->left_arg = arg;
	if (srv->replica != NULL) {
		replica_flush(srv->replica);
		if (server_in_office(srv) &&
		    replica_transfer(srv->replica) == 0) {
			log_info("leaving: leadership is being handed over");
			srv->left_ms = ev_now(srv->ev) + LEAVE_MS;
		}
	}
	if (srv->left_timer == NULL)
		srv->left_timer = ev_timer_new(srv->ev, on_left, srv);
	ev_timer_set(srv->left_timer, 0);
}

static void
put_stat(struct strmap *m, const char *key, uint64_t v)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v);
	strmap_put(m, key, buf);
}

static void
put_servers(const struct server *srv, struct strmap *m)
{
	struct replica_server s[REPLICA_SERVERS_MAX];
	char addr[80], *text;
	size_t i, n;
	struct wbuf w;

	n = replica_servers(srv->replica, s, NELEM(s));
	wb_init(&w, 0);
	wb_str(&w, "[");
	for (i = 0; i < n; i++) {
		raft_address(srv, &s[i], addr, sizeof(addr));
		wb_printf(&w, "%s{Suffrage:%s ID:%s Address:%s}",
		    i > 0 ? " " : "", s[i].voter ? "Voter" : "Nonvoter",
		    s[i].node_id, addr);
	}
	wb_str(&w, "]");
	text = wb_detach_str(&w);
	strmap_put(m, "raft.latest_configuration", text);
	free(text);
}

void
server_stats(const struct server *srv, struct strmap *m)
{
	struct replica_server leader;
	struct replica_stats st;
	char addr[80] = "", text[32];
	uint64_t ms;

	strmap_put(m, "consul.server", "true");
	strmap_put(m, "consul.bootstrap", srv->agent.bootstrap ||
	    srv->agent.bootstrap_expect == 1 ? "true" : "false");
	strmap_put(m, "consul.known_datacenters", "1");
	strmap_put(m, "consul.leader", server_in_office(srv) ? "true" :
	    "false");
	if (srv->replica != NULL && replica_leader(srv->replica, &leader))
		raft_address(srv, &leader, addr, sizeof(addr));
	strmap_put(m, "consul.leader_addr", addr);
	if (srv->replica == NULL)
		return;
	replica_stats(srv->replica, &st);
	strmap_put(m, "raft.state", st.state);
	put_stat(m, "raft.term", st.term);
	put_stat(m, "raft.last_log_index", st.last_index);
	put_stat(m, "raft.last_log_term", st.term);
	put_stat(m, "raft.commit_index", st.commit);
	put_stat(m, "raft.applied_index", st.applied);
	put_stat(m, "raft.fsm_pending", st.pending);
	put_stat(m, "raft.last_snapshot_index", st.snapshot_index);
	put_stat(m, "raft.last_snapshot_term", st.snapshot_term);
	put_servers(srv, m);
	put_stat(m, "raft.latest_configuration_index", st.conf_index);
	put_stat(m, "raft.num_peers", st.servers > 0 ? st.servers - 1 : 0);
	if (!replica_last_contact(srv->replica, &ms))
		(void)strlcpy(text, "never", sizeof(text));
	else if (server_in_office(srv))
		(void)strlcpy(text, "0", sizeof(text));
	else
		dur_format((int64_t)ms * NS_PER_MS, text, sizeof(text));
	strmap_put(m, "raft.last_contact", text);
	strmap_put(m, "raft.protocol_version", "3");
	/* Of the library that Consul uses, for who compares versions. */
	strmap_put(m, "raft.protocol_version_min", "0");
	strmap_put(m, "raft.protocol_version_max", "3");
	strmap_put(m, "raft.snapshot_version_min", "0");
	strmap_put(m, "raft.snapshot_version_max", "1");
}

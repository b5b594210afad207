/*
 * The server half's frame: its life, and the life of a call.
 *
 *	queued -> [held: no leader yet] -> run -> answered
 *	                                      -> blocked -> woken: run again
 *	                                      -> proposed -> applied: answered
 *
 * All calls of one turn of the loop run together, and what they write becomes
 * one group in the log.
 */
#include "catalogd/server_i.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mp.h"

#define HOLD_DEFAULT_NS (7 * NS_PER_S)
#define BLOCK_DEFAULT_MS 300000u
#define BLOCK_MAX_MS 600000u
#define JITTER_FRACTION 16

static const char no_leader[] = "No cluster leader";

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
reply_schema(struct reply *r, struct schema *s, const void *obj)
{
	schema_encode(s, obj, &r->body);
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

/* ---- the life of a call ---- */

static void
call_move(struct server_call *c, enum call_state to)
{
	struct server *srv = c->srv;

	TAILQ_REMOVE(&srv->list[c->state], c, entry);
	c->state = to;
	TAILQ_INSERT_TAIL(&srv->list[to], c, entry);
	if (to == CALL_QUEUED)
		ev_timer_set(srv->turn, 0);
}

static void
call_free(struct server_call *c)
{
	watch_drop(c);
	TAILQ_REMOVE(&c->srv->list[c->state], c, entry);
	ev_timer_free(c->timer);
	schema_clear(&query_head_schema, &c->head);
	if (c->req != NULL) {
		schema_clear(c->method->schema, c->req);
		free(c->req);
	}
	free(c->body);
	free(c->name);
	free(c);
}

/* Ends the call; the reply is freed. */
static void
call_end(struct server_call *c, struct reply *r)
{
	call_fn *fn = c->fn;
	void *arg = c->arg;

	call_free(c);
	if (fn != NULL && r->error != NULL)
		fn(CALL_ERROR, r->error, NULL, 0, arg);
	else if (fn != NULL)
		fn(CALL_OK, NULL, r->body.p, r->body.len, arg);
	free(r->error);
	wb_free(&r->body);
}

static void
call_fail(struct server_call *c, const char *text)
{
	struct reply r;

	memset(&r, 0, sizeof(r));
	r.error = xstrdup(text);
	call_end(c, &r);
}

static void
on_call_timer(void *arg)
{
	struct server_call *c = arg;

	c->expired = true;
	call_move(c, CALL_QUEUED);
}

static void
call_set_timer(struct server_call *c, uint64_t ms)
{
	if (c->timer == NULL)
		c->timer = ev_timer_new(c->srv->ev, on_call_timer, c);
	ev_timer_set(c->timer, ms);
}

static void
call_wake(struct server_call *c)
{
	if (c->state == CALL_BLOCKED)
		call_move(c, CALL_QUEUED);
}

/* ---- running one ---- */

static bool
call_decode(struct server_call *c, struct reply *r)
{
	const struct method *m = c->method;
	const char *err;
	struct rbuf rb;

	if (m->schema == NULL || c->req != NULL)
		return true;
	rb_init(&rb, c->body, c->len);
	if (schema_decode(&query_head_schema, &rb, &c->head) == -1) {
		reply_error(r, "codec.decoder: %s", str_or(rb.err, "bad body"));
		return false;
	}
	c->req = xcalloc(1, m->schema->size);
	if (schema_decode_all(m->schema, c->body, c->len, c->req,
	    &err) == -1) {
		free(c->req);
		c->req = NULL;
		reply_error(r, "codec.decoder: %s", str_or(err, "bad body"));
		return false;
	}
	free(c->body);
	c->body = NULL;
	return true;
}

/* What is refused whatever the state of the cluster. */
static bool
call_refused(struct server_call *c, struct reply *r)
{
	const struct method *m = c->method;
	const char *dc;

	if (m == NULL) {
		if (strrchr(c->name, '.') == NULL)
			reply_error(r, "rpc: service/method request "
			    "ill-formed: %s", c->name);
		else
			reply_error(r, "rpc: can't find %s %s",
			    method_service_known(c->name) ? "method" :
			    "service", c->name);
		return true;
	}
	if (m->kind == METHOD_REFUSED) {
		reply_error(r, "%s", m->error);
		return true;
	}
	if (!call_decode(c, r))
		return true;
	dc = str_or(c->head.datacenter, "");
	if (m->schema != NULL && !(m->any_dc && dc[0] == '\0') &&
	    strcmp(dc, str_or(c->srv->agent.datacenter, "")) != 0) {
		reply_error(r, "No path to datacenter");
		return true;
	}
	return false;
}

/* False: it may run now.  True: it is held, or ended for want of a leader. */
static bool
call_hold(struct server_call *c)
{
	struct server *srv = c->srv;
	int64_t ns;

	if (server_in_office(srv) && !srv->leaving)
		return false;
	if (srv->leaving) {
		call_fail(c, no_leader);
		return true;
	}
	if (c->expired) {
		call_fail(c, replica_leader_known(srv->replica) &&
		    c->head.require_consistent ?
		    "Not ready to serve consistent reads" : no_leader);
		return true;
	}
	if (c->timer == NULL) {
		ns = srv->conf.rpc_hold_timeout > 0 ?
		    srv->conf.rpc_hold_timeout : HOLD_DEFAULT_NS;
		call_set_timer(c, (uint64_t)(ns / NS_PER_MS));
	}
	call_move(c, CALL_HELD);
	return true;
}

static uint64_t
block_ms(struct server *srv, int64_t max_query_ns)
{
	uint64_t ms = BLOCK_DEFAULT_MS;

	if (max_query_ns > 0)
		ms = (uint64_t)(max_query_ns / NS_PER_MS);
	if (ms > BLOCK_MAX_MS)
		ms = BLOCK_MAX_MS;
	return ms + rng_below(&srv->rng,
	    (uint32_t)(ms / JITTER_FRACTION) + 1);
}

static void
run_read(struct server_call *c, struct reply *r)
{
	const struct method *m = c->method;
	struct server *srv = c->srv;
	struct query_meta meta;
	struct depends d;

	if (m->filters && !str_empty(c->head.filter)) {
		reply_error(r, "Failed to create boolean expression evaluator: "
		    "filters are not supported yet");
		call_end(c, r);
		return;
	}
	memset(&d, 0, sizeof(d));
	memset(&meta, 0, sizeof(meta));
	if (m->depends != NULL) {
		m->depends(srv, c->req, &d);
		if (d.index == 0)
			d.index = 1;
	}
	if (m->depends != NULL && d.n > 0 && c->head.min_query_index > 0 &&
	    d.index <= c->head.min_query_index && !c->expired) {
		if (!c->watching)
			call_set_timer(c, block_ms(srv,
			    c->head.max_query_time));
		/* What it was woken by may have changed what to wait for. */
		watch_drop(c);
		watch_add(c, &d);
		call_move(c, CALL_BLOCKED);
		return;
	}
	meta.index = d.index;
	meta.known_leader = server_in_office(srv) ||
	    (srv->replica != NULL && replica_leader_known(srv->replica));
	m->read(srv, c->req, &meta, r);
	call_end(c, r);
}

static void
run_write(struct server_call *c, struct reply *r)
{
	struct server *srv = c->srv;
	struct wbuf entry;

	wb_init(&entry, 0);
	c->method->write(srv, c->req, &entry, r);
	if (r->error == NULL && entry.len > REPLICA_ENTRY_MAX)
		reply_error(r, "request too large");
	if (r->error != NULL || entry.len == 0) {
		call_end(c, r);
	} else {
		call_move(c, CALL_PROPOSED);
		if (replica_propose(srv->replica, entry.p, entry.len, c) == -1)
			call_fail(c, no_leader);
	}
	wb_free(&entry);
}

static void
call_run(struct server_call *c)
{
	struct reply r;

	memset(&r, 0, sizeof(r));
	wb_init(&r.body, 0);
	if (call_refused(c, &r)) {
		call_end(c, &r);
		return;
	}
	if (c->method->kind != METHOD_LOCAL && !c->watching && call_hold(c))
		return;
	/* The hold is over; the timer is free for blocking. */
	if (!c->watching && c->timer != NULL) {
		ev_timer_free(c->timer);
		c->timer = NULL;
		c->expired = false;
	}
	switch (c->method->kind) {
	case METHOD_READ:
	case METHOD_LOCAL:
		run_read(c, &r);
		break;
	case METHOD_WRITE:
		run_write(c, &r);
		break;
	case METHOD_REFUSED:
		break;
	}
}

static void
on_turn(void *arg)
{
	struct server *srv = arg;
	struct server_call *c;
	size_t n = 0;

	/* Those that come in meanwhile have the next turn. */
	TAILQ_FOREACH(c, &srv->list[CALL_QUEUED], entry)
		n++;
	for (; n > 0; n--) {
		if ((c = TAILQ_FIRST(&srv->list[CALL_QUEUED])) == NULL)
			break;
		call_run(c);
	}
	if (!TAILQ_EMPTY(&srv->list[CALL_QUEUED]))
		ev_timer_set(srv->turn, 0);
	if (srv->replica != NULL)
		replica_flush(srv->replica);
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

	if (len == 0)
		return;
	memset(&ch, 0, sizeof(ch));
	store_apply(srv->store, index, entry, len, &a, &ch);
	for (i = 0; i < ch.n; i++)
		watch_wake(srv, &ch.item[i], call_wake);
	session_applied(srv, index, &ch);
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
	struct server_call *c;

	if (in)
		srv->leader_ns = ev_wall_ns();
	leader_office(srv, in);
	session_office(srv, in);
	while (in && (c = TAILQ_FIRST(&srv->list[CALL_HELD])) != NULL)
		call_move(c, CALL_QUEUED);
}

static void
on_dump(struct wbuf *w, void *arg)
{
	struct server *srv = arg;

	store_dump(srv->store, w);
}

static int
on_restore(uint64_t index, const uint8_t *p, size_t len, const char **why,
    void *arg)
{
	struct server *srv = arg;

	struct store *s;

	s = store_new();
	if (store_restore(s, index, p, len, why) == -1) {
		store_free(srv->unusable);
		srv->unusable = s;
		return -1;
	}
	store_free(srv->store);
	srv->store = s;
	return 0;
}

void
server_propose(struct server *srv, const struct wbuf *entry)
{
	if (srv->replica != NULL && entry->len <= REPLICA_ENTRY_MAX)
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
	srv->turn = ev_timer_new(ev, on_turn, srv);
	srv->start_ns = ev_wall_ns();
	return srv;
}

int
server_start(struct server *srv, char *err, size_t errlen)
{
	struct replica_conf rc;
	struct replica_stats st;
	struct replica_ops ops;
	char *dir = NULL, *shown = NULL;

	memset(&rc, 0, sizeof(rc));
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
	ops.apply = on_apply;
	ops.lost = on_lost;
	ops.office = on_office;
	ops.dump = on_dump;
	ops.restore = on_restore;
	ops.arg = srv;
	srv->replica = replica_start(srv->ev, &rc, &ops, err, errlen);
	free(dir);
	free(shown);
	if (srv->replica == NULL)
		return -1;
	srv->started = true;
	replica_stats(srv->replica, &st);
	if (st.servers == 0)
		log_warnx("raft: no log and not told to bootstrap: there will "
		    "be no leader: this version runs one server, which needs "
		    "bootstrap or bootstrap_expect 1");
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
	leader_free(srv);
	session_free(srv);
	coordinate_free(srv);
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

struct server_call *
server_call(struct server *srv, const struct msg_call *mc,
    const uint8_t *body, size_t len, call_fn *fn, void *arg)
{
	struct server_call *c;

	c = xcalloc(1, sizeof(*c));
	c->srv = srv;
	c->name = xstrdup(str_or(mc->method, ""));
	c->method = method_find(c->name);
	c->body = xmalloc(len + 1);
	if (len > 0)
		memcpy(c->body, body, len);
	c->len = len;
	c->fn = fn;
	c->arg = arg;
	c->state = CALL_QUEUED;
	TAILQ_INSERT_TAIL(&srv->list[CALL_QUEUED], c, entry);
	ev_timer_set(srv->turn, 0);
	return c;
}

void
server_call_cancel(struct server_call *c)
{
	/* An entry under way comes to its end without us. */
	if (c->state == CALL_PROPOSED)
		c->fn = NULL;
	else
		call_free(c);
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

void
server_names(struct server *srv,
    void (*fn)(enum view_kind, const char *, void *), void *arg)
{
	struct names_arg a = { fn, arg };

	store_each_name(srv->store, names_service, &a);
	store_each_node(srv->store, names_node, &a);
}

bool
server_is_leader(const struct server *srv)
{
	return server_in_office(srv);
}

static void
on_left(void *arg)
{
	struct server *srv = arg;

	srv->left(srv->left_arg);
}

/* A single server has nobody to hand over to: it only stops answering. */
void
server_leave(struct server *srv, void (*done)(void *), void *arg)
{
	srv->leaving = true;
	srv->left = done;
	srv->left_arg = arg;
	if (srv->replica != NULL)
		replica_flush(srv->replica);
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

void
server_stats(const struct server *srv, struct strmap *m)
{
	struct replica_stats st;
	char addr[80], *voters;

	strmap_put(m, "consul.server", "true");
	strmap_put(m, "consul.bootstrap", srv->agent.bootstrap ||
	    srv->agent.bootstrap_expect == 1 ? "true" : "false");
	strmap_put(m, "consul.known_datacenters", "1");
	strmap_put(m, "consul.leader", server_in_office(srv) ? "true" :
	    "false");
	server_rpc_addr(srv, addr, sizeof(addr));
	strmap_put(m, "consul.leader_addr", server_in_office(srv) ? addr : "");
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
	/* One voter: this server. */
	xasprintf(&voters, "[{Suffrage:Voter ID:%s Address:%s}]",
	    str_or(srv->agent.node_id, ""), addr);
	strmap_put(m, "raft.latest_configuration", voters);
	free(voters);
	put_stat(m, "raft.latest_configuration_index", st.conf_index);
	put_stat(m, "raft.num_peers", st.servers > 0 ? st.servers - 1 : 0);
	strmap_put(m, "raft.last_contact", server_in_office(srv) ? "0" :
	    "never");
	strmap_put(m, "raft.protocol_version", "3");
	/* Of the library that Consul uses, for who compares versions. */
	strmap_put(m, "raft.protocol_version_min", "0");
	strmap_put(m, "raft.protocol_version_max", "3");
	strmap_put(m, "raft.snapshot_version_min", "0");
	strmap_put(m, "raft.snapshot_version_max", "1");
}

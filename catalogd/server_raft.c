/*
 * Which servers there are: from gossip into the membership.
 *
 *	no log, bootstrap_expect N: when N servers see the same N, and none of
 *		them knows of a log, each makes the same first entry
 *	leader: a server that joined is added without a vote, gets it once it
 *		has been healthy for a while; one that left is removed, one that
 *		is dead by the autopilot's rule (rpc.md 8.5)
 *
 * Servers tell each other who they are by Status.DiscoServer: the id of their
 * log, of which cluster it is, and on whom they would begin one.
 */
#include "catalogd/server_raft_i.h"

#include <bsd/string.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"

#define ROUND_MS 1000
#define BOOT_ROUND_MS 250
#define ASK_LIMIT_MS 2000
#define ASK_AGAIN_MS 2000
#define ASK_MEMBER_MS 10000	/* one that is in and does not answer */
#define FRESH_MS 3000		/* an answer to bootstrap on */
#define WARN_MS 60000

SCHEMA_DEFINE(disco_server, DISCO_SERVER)

/* ---- members ---- */

static const char *
tag(const struct member *m, const char *key)
{
	return str_or(strmap_get(&m->tags, key), "");
}

/* A server of ours, of this datacenter. */
static bool
is_peer(const struct server *srv, const struct member *m)
{
	return strcmp(tag(m, "role"), "consul") == 0 &&
	    strmap_get(&m->tags, "disco") != NULL &&
	    strcmp(tag(m, "dc"), str_or(srv->agent.datacenter, "")) == 0 &&
	    tag(m, "id")[0] != '\0';
}

static bool
is_self(const struct server *srv, const struct member *m)
{
	return strcmp(tag(m, "id"), str_or(srv->agent.node_id, "")) == 0;
}

static const struct member *
member_by_id(const struct server *srv, const char *node_id)
{
	struct member_row *row, *best = NULL;

	RB_FOREACH(row, member_tree,
	    (struct member_tree *)(uintptr_t)&srv->members)
		if (is_peer(srv, &row->m) &&
		    strcmp(tag(&row->m, "id"), node_id) == 0 &&
		    (best == NULL || row->m.status == MEMBER_ALIVE))
			best = row;
	return best != NULL ? &best->m : NULL;
}

static void
member_rpc(const struct member *m, char *buf, size_t len)
{
	rpc_addr_text(m->addr, (unsigned)strtoul(tag(m, "port"), NULL, 10),
	    buf, len);
}

bool
raft_where(const struct server *srv, const char *node_id, char *buf,
    size_t len)
{
	const struct member *m = member_by_id(srv, node_id);

	if (m == NULL || m->status == MEMBER_LEFT)
		return false;
	member_rpc(m, buf, len);
	return true;
}

void
raft_address(const struct server *srv, const struct replica_server *s,
    char *buf, size_t len)
{
	if (s->self)
		server_rpc_addr(srv, buf, len);
	else if (!raft_where(srv, s->node_id, buf, len))
		(void)strlcpy(buf, s->address, len);
}

const struct member *
raft_member(const struct server *srv, const struct replica_server *s)
{
	return member_by_id(srv, s->node_id);
}

const struct autopilot_config *
raft_autopilot(const struct server *srv)
{
	const struct autopilot_config *a = store_autopilot(srv->store);

	return a != NULL ? a : &srv->raft->autopilot;
}

/* ---- asking the others ---- */

struct ident *
raft_ident(struct server *srv, const char *node_id)
{
	struct ident *i;

	LIST_FOREACH(i, &srv->raft->idents, entry)
		if (strcmp(i->node_id, node_id) == 0)
			return i;
	i = xcalloc(1, sizeof(*i));
	i->srv = srv;
	i->node_id = xstrdup(node_id);
	LIST_INSERT_HEAD(&srv->raft->idents, i, entry);
	return i;
}

static void
ident_free(struct ident *i)
{
	if (i->call != NULL)
		i->srv->env.call_cancel(i->call, i->srv->env.arg);
	LIST_REMOVE(i, entry);
	free(i->node_id);
	free(i);
}

static void
on_ident(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct ident *i = arg;
	struct disco_server is;
	const char *why;

	i->call = NULL;
	if (status != CALL_OK) {
		log_debug("raft: server %s does not say who it is: %s",
		    i->node_id, str_or(error, "no answer"));
		return;
	}
	if (schema_decode_all(&disco_server_schema, body, len, &is,
	    &why) == -1) {
		log_warnx("raft: server %s: %s", i->node_id, why);
		return;
	}
	/* Another machine is at its place, of which gossip has not told yet. */
	if (str_empty(is.node_id) || strcmp(is.node_id, i->node_id) == 0) {
		i->is = is;
		i->told_ms = ev_now(i->srv->ev);
		raft_members_changed(i->srv);
	} else
		log_debug("raft: server %s: %s is at its place", i->node_id,
		    is.node_id);
	schema_clear(&disco_server_schema, &is);
	i->is.node_id = NULL;
}

void
raft_ask(struct server *srv, const struct member *m, uint64_t again_ms)
{
	static const uint8_t empty = 0x80;
	struct ident *i = raft_ident(srv, tag(m, "id"));
	uint64_t now = ev_now(srv->ev);
	struct msg_call mc;

	if (i->call != NULL ||
	    (i->asked_ms != 0 && now - i->asked_ms < again_ms))
		return;
	i->asked_ms = now;
	memset(&mc, 0, sizeof(mc));
	mc.method = (char *)(uintptr_t)"Status.DiscoServer";
	mc.target = CALL_SERVER;
	mc.server = m->name;
	i->call = srv->env.call(&mc, &empty, 1, ASK_LIMIT_MS, on_ident, i,
	    srv->env.arg);
}

void
status_disco_server_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct replica_stats st;
	struct disco_server a;

	(void)req;
	(void)meta;
	replica_stats(srv->replica, &st);
	memset(&a, 0, sizeof(a));
	a.raft_id = replica_id(srv->replica);
	a.cluster = replica_cluster(srv->replica);
	a.servers = st.servers;
	a.last_index = st.last_index;
	a.set = srv->raft->set_hash;
	a.node_id = srv->agent.node_id;
	reply_schema(r, &disco_server_schema, &a);
}

/* ---- beginning a log ---- */

static int
cmp_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_candidate(const struct server *srv, const struct member *m)
{
	return is_peer(srv, m) && m->status == MEMBER_ALIVE &&
	    strmap_get(&m->tags, "nonvoter") == NULL &&
	    strtoull(tag(m, "expect"), NULL, 10) ==
	    srv->agent.bootstrap_expect;
}

static void
set_clear(struct server_raft *r)
{
	while (r->nset > 0)
		free(r->set[--r->nset]);
	r->set_hash = 0;
}

/* What we said we would begin with stays, as long as they are all there. */
static bool
set_holds(const struct server *srv)
{
	const struct server_raft *r = srv->raft;
	const struct member *m;
	size_t i;

	for (i = 0; i < r->nset; i++) {
		m = member_by_id(srv, r->set[i]);
		if (m == NULL || !is_candidate(srv, m))
			return false;
	}
	return r->nset > 0;
}

static void
set_choose(struct server *srv)
{
	struct server_raft *r = srv->raft;
	size_t n = 0, i, want = (size_t)srv->agent.bootstrap_expect;
	struct member_row *row;
	const char *id[64];

	set_clear(r);
	RB_FOREACH(row, member_tree, &srv->members)
		if (is_candidate(srv, &row->m) && n < NELEM(id))
			id[n++] = tag(&row->m, "id");
	if (n < want || want > EXPECT_MAX)
		return;
	qsort(id, n, sizeof(id[0]), cmp_text);
	for (i = 0; i < want; i++) {
		r->set[r->nset++] = xstrdup(id[i]);
		r->set_hash = hash_bytes(id[i], strlen(id[i]), r->set_hash);
	}
	r->set_hash |= 1;
}

/* True: others have a log, or nobody may begin one. */
static bool
boot_barred(struct server *srv)
{
	struct member_row *row;
	struct ident *i;

	RB_FOREACH(row, member_tree, &srv->members) {
		if (!is_peer(srv, &row->m) || is_self(srv, &row->m) ||
		    row->m.status != MEMBER_ALIVE)
			continue;
		if (strmap_get(&row->m.tags, "bootstrap") != NULL)
			return true;
		raft_ask(srv, &row->m, ASK_AGAIN_MS / 4);
		i = raft_ident(srv, tag(&row->m, "id"));
		if (i->told_ms != 0 && i->is.servers > 0 &&
		    i->is.set != srv->raft->set_hash)
			return true;
	}
	return false;
}

static void
boot_round(struct server *srv)
{
	struct replica_server s[EXPECT_MAX];
	struct server_raft *r = srv->raft;
	uint64_t now = ev_now(srv->ev);
	const struct member *m;
	struct ident *id;
	bool self = false;
	uint64_t begun = 0;
	size_t i;

	if (!set_holds(srv))
		set_choose(srv);
	if (boot_barred(srv))
		return;
	memset(s, 0, sizeof(s));
	for (i = 0; i < r->nset; i++) {
		m = member_by_id(srv, r->set[i]);
		(void)strlcpy(s[i].node_id, r->set[i], sizeof(s[i].node_id));
		member_rpc(m, s[i].address, sizeof(s[i].address));
		s[i].voter = true;
		if (is_self(srv, m)) {
			self = true;
			s[i].id = replica_id(srv->replica);
			continue;
		}
		id = raft_ident(srv, r->set[i]);
		if (id->told_ms == 0 || now - id->told_ms > FRESH_MS ||
		    id->is.set != r->set_hash)
			return;
		s[i].id = id->is.raft_id;
		if (id->is.servers > 0)
			begun = id->is.cluster;
	}
	/* Who was faster began with the same, or long ago with another log. */
	if (self && (begun == 0 ||
	    begun == replica_first_cluster(s, r->nset)))
		(void)replica_bootstrap(srv->replica, s, r->nset);
}

/* ---- the leader ---- */

static void
change(struct server *srv, struct replica_server *s, size_t n,
    const struct replica_server *who, const char *what)
{
	if (replica_change(srv->replica, s, n) == 0)
		log_info("raft: server %s at %s: %s", who->node_id,
		    who->address, what);
}

static void
drop(struct server *srv, const struct replica_server *s, size_t n, size_t i,
    const char *why)
{
	struct replica_server left[REPLICA_SERVERS_MAX];

	memcpy(left, s, n * sizeof(*s));
	memmove(left + i, left + i + 1, (n - i - 1) * sizeof(*s));
	change(srv, left, n - 1, &s[i], why);
}

static void
add(struct server *srv, struct replica_server *s, size_t n,
    const struct member *m, const struct ident *id)
{
	if (id->is.cluster != 0 &&
	    id->is.cluster != replica_cluster(srv->replica)) {
		if (ev_now(srv->ev) - srv->raft->warned_ms > WARN_MS ||
		    srv->raft->warned_ms == 0) {
			srv->raft->warned_ms = ev_now(srv->ev);
			log_warnx("raft: server %s is not added: it has the "
			    "log of other servers", m->name);
		}
		return;
	}
	if (n == REPLICA_SERVERS_MAX)
		return;
	memset(&s[n], 0, sizeof(s[n]));
	s[n].id = id->is.raft_id;
	(void)strlcpy(s[n].node_id, tag(m, "id"), sizeof(s[n].node_id));
	member_rpc(m, s[n].address, sizeof(s[n].address));
	change(srv, s, n + 1, &s[n], "added, without a vote yet");
}

/* What gossip says of an alive server against what the membership has. */
static void
look_at_member(struct server *srv, struct replica_server *s, size_t n,
    const struct member *m)
{
	struct ident *id = raft_ident(srv, tag(m, "id"));
	uint64_t now = ev_now(srv->ev);
	char addr[ADDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(s[i].node_id, tag(m, "id")) == 0)
			break;
	if (i == n) {
		raft_ask(srv, m, ASK_AGAIN_MS);
		if (id->told_ms != 0 && now - id->told_ms < ASK_MEMBER_MS)
			add(srv, s, n, m, id);
		return;
	}
	member_rpc(m, addr, sizeof(addr));
	if (strcmp(addr, s[i].address) != 0) {
		(void)strlcpy(s[i].address, addr, sizeof(s[i].address));
		change(srv, s, n, &s[i], "has another address");
		return;
	}
	/* The same node with another disk cannot answer for the old one. */
	if (s[i].heard_ms != 0 && now - s[i].heard_ms < ASK_MEMBER_MS / 2)
		return;
	raft_ask(srv, m, ASK_AGAIN_MS);
	if (id->told_ms > s[i].heard_ms && id->is.raft_id != s[i].id)
		drop(srv, s, n, i, "removed: its disk is another");
}

static struct health *
health_of(const struct server *srv, uint64_t id)
{
	struct server_raft *r = srv->raft;
	size_t i;

	for (i = 0; i < r->nhealth; i++)
		if (r->health[i].id == id)
			return &r->health[i];
	if (r->nhealth == REPLICA_SERVERS_MAX)
		r->nhealth = 0;
	memset(&r->health[r->nhealth], 0, sizeof(r->health[0]));
	r->health[r->nhealth].id = id;
	r->health[r->nhealth].since_ns = ev_wall_ns();
	r->health[r->nhealth].since_ms = ev_now(srv->ev);
	return &r->health[r->nhealth++];
}

static void
judge(struct server *srv, const struct replica_server *s)
{
	const struct autopilot_config *a = raft_autopilot(srv);
	const struct member *m = raft_member(srv, s);
	struct health *h = health_of(srv, s->id);
	uint64_t now = ev_now(srv->ev), contact;
	struct replica_stats st;
	bool healthy, dead;

	replica_stats(srv->replica, &st);
	contact = (uint64_t)(a->last_contact_threshold / NS_PER_MS);
	/* Its age when the next answer is due is no fault of the server's. */
	if (contact < 3 * st.heartbeat_ms)
		contact = 3 * st.heartbeat_ms;
	healthy = s->self || (m != NULL && m->status == MEMBER_ALIVE &&
	    s->heard_ms != 0 && now - s->heard_ms <= contact &&
	    s->match + a->max_trailing_logs >= st.last_index);
	if (healthy != h->healthy) {
		h->healthy = healthy;
		h->since_ms = now;
		h->since_ns = ev_wall_ns();
	}
	/* After a cut gossip finds out later than we do that it is back. */
	dead = !s->self && (m == NULL || m->status == MEMBER_NONE ||
	    (m->status == MEMBER_FAILED && (s->heard_ms == 0 ||
	    now - s->heard_ms > contact + ROUND_MS)));
	if (!dead)
		h->dead_ms = 0;
	else if (h->dead_ms == 0)
		h->dead_ms = now;
}

bool
raft_healthy(const struct server *srv, const struct replica_server *s,
    int64_t *since_ns)
{
	const struct health *h = health_of(srv, s->id);

	*since_ns = h->since_ns;
	return h->healthy;
}

/* Promote who has been healthy, remove who has been dead, for long enough. */
static void
autopilot(struct server *srv, struct replica_server *s, size_t n)
{
	const struct autopilot_config *a = raft_autopilot(srv);
	uint64_t now = ev_now(srv->ev);
	uint64_t stable = (uint64_t)(a->server_stabilization_time / NS_PER_MS);
	const struct member *m;
	size_t i, voters = 0, dead = 0;
	struct health *h;

	for (i = 0; i < n; i++) {
		judge(srv, &s[i]);
		voters += s[i].voter;
		dead += s[i].voter && health_of(srv, s[i].id)->dead_ms != 0;
	}
	for (i = 0; i < n; i++) {
		h = health_of(srv, s[i].id);
		m = raft_member(srv, &s[i]);
		if (!s[i].voter && h->healthy && now - h->since_ms >= stable &&
		    (m == NULL || strmap_get(&m->tags, "nonvoter") == NULL)) {
			s[i].voter = true;
			change(srv, s, n, &s[i], "has a vote now");
			return;
		}
		if (a->cleanup_dead_servers && h->dead_ms != 0 &&
		    now - h->dead_ms >= stable && voters > 0 &&
		    dead <= (voters - 1) / 2 &&
		    voters - dead >= a->min_quorum) {
			if (m != NULL)
				srv->env.force_leave(m->name, srv->env.arg);
			drop(srv, s, n, i, "removed: it is dead");
			return;
		}
	}
}

static void
leader_round(struct server *srv)
{
	struct replica_server s[REPLICA_SERVERS_MAX + 1];
	const struct member *m;
	struct member_row *row;
	size_t i, n;

	if (replica_in_memory(srv->replica))
		return;
	n = replica_servers(srv->replica, s, REPLICA_SERVERS_MAX);
	for (i = 0; i < n; i++) {
		m = raft_member(srv, &s[i]);
		if (!s[i].self && m != NULL && m->status == MEMBER_LEFT) {
			drop(srv, s, n, i, "removed: it left");
			return;
		}
	}
	RB_FOREACH(row, member_tree, &srv->members)
		if (is_peer(srv, &row->m) && row->m.status == MEMBER_ALIVE)
			look_at_member(srv, s, n, &row->m);
	n = replica_servers(srv->replica, s, REPLICA_SERVERS_MAX);
	autopilot(srv, s, n);
}

/* ---- rounds ---- */

static void
on_round(void *arg)
{
	struct server *srv = arg;
	struct replica_stats st;

	if (srv->replica == NULL || srv->leaving)
		return;
	replica_stats(srv->replica, &st);
	if (server_in_office(srv)) {
		if (srv->members_known)
			leader_round(srv);
		ev_timer_set(srv->raft->timer, ROUND_MS);
	} else if (st.servers == 0 && srv->agent.bootstrap_expect > 1 &&
	    !srv->agent.bootstrap) {
		if (srv->members_known)
			boot_round(srv);
		ev_timer_set(srv->raft->timer, BOOT_ROUND_MS);
	}
}

void
raft_members_changed(struct server *srv)
{
	if (srv->started)
		ev_timer_set(srv->raft->timer, 0);
}

void
raft_members_init(struct server *srv)
{
	struct server_raft *r = xcalloc(1, sizeof(*r));

	r->timer = ev_timer_new(srv->ev, on_round, srv);
	LIST_INIT(&r->idents);
	/* Consul's defaults. */
	r->autopilot.cleanup_dead_servers = true;
	r->autopilot.last_contact_threshold = 200 * NS_PER_MS;
	r->autopilot.max_trailing_logs = 250;
	r->autopilot.server_stabilization_time = 10 * NS_PER_S;
	srv->raft = r;
}

void
raft_members_free(struct server *srv)
{
	struct server_raft *r = srv->raft;

	while (!LIST_EMPTY(&r->idents))
		ident_free(LIST_FIRST(&r->idents));
	set_clear(r);
	ev_timer_free(r->timer);
	free(r);
}

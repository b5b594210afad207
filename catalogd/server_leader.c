/*
 * Members and the leader's duties (rpc.md 8): say that there is a leader, and
 * keep the catalog to what gossip knows: who is alive has a passing serfHealth,
 * who failed a critical one, who left is gone.
 *
 *	member list or change -> reconcile one -> a log entry, if it differs
 *	every minute, and on taking office     -> reconcile all
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/server_i.h"
#include "common/log.h"

#define LOST_KEEP_MS	(72 * 3600 * 1000ull)	/* Serf's reconnect timeout */
#define RECONCILE_MS 60000
#define SERF_HEALTH "serfHealth"

int
member_cmp(struct member_row *a, struct member_row *b)
{
	return strcasecmp(str_or(a->m.name, ""), str_or(b->m.name, ""));
}

RB_GENERATE(member_tree, member_row, entry, member_cmp)

static struct member_row *
member_find(const struct server *srv, const char *name)
{
	struct member_row want;

	want.m.name = (char *)(uintptr_t)str_or(name, "");
	return RB_FIND(member_tree,
	    (struct member_tree *)(uintptr_t)&srv->members, &want);
}

static const char *
tag(const struct member *m, const char *key)
{
	return str_or(strmap_get(&m->tags, key), "");
}

static bool
is_server(const struct member *m)
{
	return strcmp(tag(m, "role"), "consul") == 0;
}

static bool
is_ours(const struct server *srv, const struct member *m)
{
	return (is_server(m) || strcmp(tag(m, "role"), "node") == 0) &&
	    strcmp(tag(m, "dc"), str_or(srv->agent.datacenter, "")) == 0;
}

static bool
is_self(const struct server *srv, const struct member *m)
{
	return m->self || strcasecmp(str_or(m->name, ""),
	    str_or(srv->agent.node_name, "")) == 0;
}

/* ---- alive ---- */

static void
put_number(struct strmap *map, const char *key, uint64_t v)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v);
	strmap_put(map, key, buf);
}

/* The service "consul" of a server. */
static struct node_service *
server_service(const struct member *m)
{
	struct node_service *s;
	const char *build = tag(m, "build");
	char *version;

	s = xcalloc(1, sizeof(*s));
	s->id = xstrdup("consul");
	s->service = xstrdup("consul");
	s->port = (int64_t)strtol(tag(m, "port"), NULL, 10);
	s->weights = xcalloc(1, sizeof(*s->weights));
	s->weights->passing = s->weights->warning = 1;
	s->meta.set = true;
	strmap_put(&s->meta, "raft_version", tag(m, "raft_vsn"));
	put_number(&s->meta, "serf_protocol_current", m->pcur);
	put_number(&s->meta, "serf_protocol_min", m->pmin);
	put_number(&s->meta, "serf_protocol_max", m->pmax);
	version = xstrndup(build, strcspn(build, ":"));
	strmap_put(&s->meta, "version", version);
	strmap_put(&s->meta, "non_voter",
	    strmap_get(&m->tags, "nonvoter") != NULL ? "true" : "false");
	free(version);
	return s;
}

static bool
serf_health_is(const struct server *srv, const char *node, const char *status)
{
	const struct health_check *c;

	c = store_check(srv->store, node, SERF_HEALTH);
	return c != NULL && strcmp(str_or(c->status, ""), status) == 0;
}

static bool
same_meta(const struct strmap *a, const struct strmap *b)
{
	const char *v;
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if ((v = strmap_get(b, a->item[i].key)) == NULL ||
		    strcmp(v, str_or(a->item[i].val, "")) != 0)
			return false;
	return true;
}

static struct health_check *
serf_health(const struct member *m, bool alive)
{
	struct health_check *c;

	c = xcalloc(1, sizeof(*c));
	c->node = xstrdup(m->name);
	c->check_id = xstrdup(SERF_HEALTH);
	c->name = xstrdup("Serf Health Status");
	c->status = xstrdup(alive ? "passing" : "critical");
	c->output = xstrdup(alive ? "Agent alive and reachable" :
	    "Agent not live or unreachable");
	return c;
}

static void
propose_register(struct server *srv, struct register_request *req)
{
	struct member_row *row = member_find(srv, req->node);
	struct wbuf w;
	struct health_check *c;

	if (row != NULL)
		row->proposed = true;
	c = req->check;
	req->check = NULL;
	*(struct health_check *)VEC_ADD(&req->checks) = *c;
	free(c);
	wb_init(&w, 0);
	store_entry_register(&w, req);
	server_propose(srv, &w);
	wb_free(&w);
	schema_clear(&register_request_schema, req);
}

static void
member_request(const struct server *srv, const struct member *m,
    const struct node *n, struct register_request *req)
{
	memset(req, 0, sizeof(*req));
	req->datacenter = xstrdup(srv->agent.datacenter);
	req->node = xstrdup(m->name);
	req->id = xstrdup(tag(m, "id"));
	req->address = xstrdup(m->addr);
	if (n == NULL)
		return;
	strmap_copy(&req->tagged_addresses, &n->tagged_addresses);
	strmap_copy(&req->node_meta, &n->meta);
}

static void
reconcile_alive(struct server *srv, const struct member *m)
{
	const struct node *n = store_node(srv->store, m->name);
	const struct node_service *have;
	struct register_request req;
	struct node_service *s = NULL;
	bool same;

	same = n != NULL && strcmp(str_or(n->address, ""),
	    str_or(m->addr, "")) == 0 &&
	    serf_health_is(srv, m->name, "passing");
	if (is_server(m)) {
		s = server_service(m);
		have = store_service(srv->store, m->name, "consul");
		same = same && have != NULL && have->port == s->port &&
		    same_meta(&have->meta, &s->meta);
	}
	if (!same) {
		log_info("member %s: alive: registering it", m->name);
		member_request(srv, m, n, &req);
		/* Its own registration may be under way, and knows more. */
		req.skip_node_update = n == NULL;
		req.service = s;
		req.check = serf_health(m, true);
		propose_register(srv, &req);
	} else if (s != NULL) {
		schema_clear(&node_service_schema, s);
		free(s);
	}
}

/* ---- failed, left, reaped ---- */

static void
reconcile_failed(struct server *srv, const struct member *m)
{
	const struct node *n = store_node(srv->store, m->name);
	struct register_request req;

	if (n == NULL)
		return;
	if (serf_health_is(srv, m->name, "critical"))
		return;
	log_info("member %s: failed: marking it critical", m->name);
	member_request(srv, m, n, &req);
	req.skip_node_update = true;
	req.check = serf_health(m, false);
	propose_register(srv, &req);
}

static void
deregister_node(struct server *srv, const char *node, const char *why)
{
	struct deregister_request req;
	struct wbuf w;

	if (store_node(srv->store, node) == NULL)
		return;
	log_info("member %s: %s: deregistering it", node, why);
	memset(&req, 0, sizeof(req));
	req.datacenter = srv->agent.datacenter;
	req.node = (char *)(uintptr_t)node;
	wb_init(&w, 0);
	store_entry_deregister(&w, &req);
	server_propose(srv, &w);
	wb_free(&w);
}

static void
reconcile(struct server *srv, const struct member *m)
{
	if (!server_in_office(srv) || srv->leaving || !is_ours(srv, m))
		return;
	switch ((enum member_status)m->status) {
	case MEMBER_ALIVE:
		reconcile_alive(srv, m);
		break;
	case MEMBER_FAILED:
		if (!is_self(srv, m))
			reconcile_failed(srv, m);
		break;
	case MEMBER_LEFT:
	case MEMBER_NONE:
		if (!is_self(srv, m))
			deregister_node(srv, m->name,
			    m->status == MEMBER_LEFT ? "left" : "reaped");
		break;
	case MEMBER_LEAVING:
		break;
	}
}

static void
member_drop(struct server *srv, struct member_row *row)
{
	RB_REMOVE(member_tree, &srv->members, row);
	schema_clear(&member_schema, &row->m);
	free(row);
}

/*
 * Nodes that gossip made and no longer knows.  That alone is no reason to
 * forget them: peers do not pass on the dead, so a gossipd that was restarted
 * has not heard of a failed node, nor of one that is cut off.  They count as
 * failed, and are reaped when Serf would have done it.
 */
static bool
add_stranger(const struct node *n, void *arg)
{
	struct server *srv = arg;
	struct member_row *row;

	if (store_check(srv->store, n->node, SERF_HEALTH) == NULL ||
	    member_find(srv, n->node) != NULL ||
	    strcasecmp(n->node, str_or(srv->agent.node_name, "")) == 0)
		return true;
	row = xcalloc(1, sizeof(*row));
	str_set(&row->m.name, n->node);
	strmap_put(&row->m.tags, "role", "node");
	strmap_put(&row->m.tags, "dc", str_or(srv->agent.datacenter, ""));
	str_set(&row->m.addr, n->address);
	row->m.status = MEMBER_FAILED;
	row->lost_ms = ev_now(srv->ev);
	RB_INSERT(member_tree, &srv->members, row);
	return true;
}

static void
reconcile_all(struct server *srv)
{
	struct member_row *row, *next;

	if (!server_in_office(srv) || !srv->members_known)
		return;
	store_each_node(srv->store, add_stranger, srv);
	RB_FOREACH_SAFE(row, member_tree, &srv->members, next) {
		if (row->lost_ms == 0 ||
		    ev_now(srv->ev) - row->lost_ms < LOST_KEEP_MS) {
			reconcile(srv, &row->m);
			continue;
		}
		deregister_node(srv, row->m.name, "unknown to gossip for long");
		member_drop(srv, row);
	}
}

static void
on_reconcile(void *arg)
{
	struct server *srv = arg;

	ev_timer_set(srv->reconcile, RECONCILE_MS);
	reconcile_all(srv);
}

/*
 * What gossip told while an entry of ours was on its way was compared with the
 * catalog as it was before.
 */
void
leader_applied(struct server *srv, const struct changes *ch)
{
	struct member_row *row;
	size_t i;

	if (!server_in_office(srv))
		return;
	for (i = 0; i < ch->n; i++) {
		if (ch->item[i].kind != WATCH_NODE_CHECKS ||
		    (row = member_find(srv, ch->item[i].name)) == NULL ||
		    !row->proposed)
			continue;
		row->proposed = false;
		reconcile(srv, &row->m);
	}
}

/* ---- what gossipd tells ---- */

/* Our leader would make no Consul server a member, nor could we be theirs. */
static void
refuse_consul(struct server *srv, const struct member *m)
{
	char why[512];

	if (!is_server(m) || !is_ours(srv, m) || is_self(srv, m) ||
	    m->status != MEMBER_ALIVE || strmap_get(&m->tags, "disco") != NULL)
		return;
	snprintf(why, sizeof(why), "%s (%s) is a Consul server of datacenter "
	    "%s: servers of disco and of Consul do not mix in one datacenter",
	    str_or(m->name, ""), str_or(m->addr, ""),
	    str_or(srv->agent.datacenter, ""));
	srv->env.refuse(why, srv->env.arg);
}

void
server_members_begin(struct server *srv)
{
	struct member_row *row;

	srv->members_telling = true;
	RB_FOREACH(row, member_tree, &srv->members)
		row->seen = false;
}

void
server_member(struct server *srv, const struct member *m)
{
	struct member_row *row;

	if (m->wan || str_empty(m->name))
		return;
	refuse_consul(srv, m);
	row = member_find(srv, m->name);
	if (m->status == MEMBER_NONE) {
		if (row == NULL)
			return;
		/* What it was decides whether it concerns us. */
		row->m.status = MEMBER_NONE;
		reconcile(srv, &row->m);
		member_drop(srv, row);
		return;
	}
	if (row == NULL) {
		row = xcalloc(1, sizeof(*row));
		schema_copy(&member_schema, &row->m, m);
		RB_INSERT(member_tree, &srv->members, row);
	} else {
		schema_clear(&member_schema, &row->m);
		schema_copy(&member_schema, &row->m, m);
	}
	row->seen = true;
	row->lost_ms = 0;
	if (srv->members_telling)
		return;
	reconcile(srv, &row->m);
	raft_members_changed(srv);
}

void
server_members_end(struct server *srv)
{
	struct member_row *row, *next;

	srv->members_telling = false;
	RB_FOREACH_SAFE(row, member_tree, &srv->members, next) {
		if (row->seen)
			continue;
		if (row->m.status == MEMBER_LEFT)
			member_drop(srv, row);
		else if (row->lost_ms == 0) {
			row->m.status = MEMBER_FAILED;
			row->lost_ms = ev_now(srv->ev);
		}
	}
	srv->members_known = true;
	reconcile_all(srv);
	raft_members_changed(srv);
}

/* ---- office ---- */

void
leader_office(struct server *srv, bool in)
{
	const char *node = str_or(srv->agent.node_name, "");
	struct member_row *row;

	if (srv->reconcile == NULL)
		srv->reconcile = ev_timer_new(srv->ev, on_reconcile, srv);
	RB_FOREACH(row, member_tree, &srv->members)
		row->proposed = false;
	if (!in) {
		log_info("leadership lost");
		ev_timer_stop(srv->reconcile);
		return;
	}
	log_info("New leader elected: payload=%s", node);
	(void)srv->env.fire("consul:new-leader", node, strlen(node),
	    srv->env.arg);
	ev_timer_set(srv->reconcile, RECONCILE_MS);
	reconcile_all(srv);
}

void
leader_free(struct server *srv)
{
	struct member_row *row;

	while ((row = RB_MIN(member_tree, &srv->members)) != NULL)
		member_drop(srv, row);
	ev_timer_free(srv->reconcile);
}

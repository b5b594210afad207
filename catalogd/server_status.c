/*
 * Status.* and Operator.*, events, and the methods of features that disco does
 * not have, answered as a server answers that does not use them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/server_i.h"
#include "common/mp.h"

/* Consul's own defaults, which nobody can change here yet. */
#define AUTOPILOT_CONTACT_NS (200 * NS_PER_MS)
#define AUTOPILOT_TRAILING 250
#define AUTOPILOT_STABLE_NS (10 * NS_PER_S)
/* Seconds from year 1 to 1970, for Go's times. */
#define GO_EPOCH 62135596800ll

static void
put_meta(struct wbuf *w, const struct query_meta *m)
{
	mp_str(w, "ConsistencyLevel");
	mp_str(w, m->consistency_level);
	mp_str(w, "Index");
	mp_uint(w, m->index);
	mp_str(w, "KnownLeader");
	mp_bool(w, m->known_leader);
	mp_str(w, "LastContact");
	mp_int(w, m->last_contact);
}
#define META_KEYS 4

/* ---- Status ---- */

void
status_ping_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	(void)srv;
	(void)req;
	(void)meta;
	reply_empty(r);
}

void
status_leader_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	char addr[80] = "";

	(void)req;
	(void)meta;
	if (server_in_office(srv))
		server_rpc_addr(srv, addr, sizeof(addr));
	mp_str(&r->body, addr);
}

void
status_peers_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct replica_stats st;
	char addr[80];

	(void)req;
	(void)meta;
	replica_stats(srv->replica, &st);
	if (st.servers == 0) {
		mp_array(&r->body, 0);
		return;
	}
	server_rpc_addr(srv, addr, sizeof(addr));
	mp_array(&r->body, 1);
	mp_str(&r->body, addr);
}

void
status_raft_stats_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct replica_stats st;

	(void)req;
	(void)meta;
	replica_stats(srv->replica, &st);
	mp_map(&r->body, 3);
	mp_str(&r->body, "LastContact");
	mp_str(&r->body, server_in_office(srv) ? "0" : "never");
	mp_str(&r->body, "LastIndex");
	mp_uint(&r->body, st.last_index);
	mp_str(&r->body, "LastTerm");
	mp_uint(&r->body, st.term);
}

/* ---- Operator ---- */

void
operator_raft_configuration_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct replica_stats st;
	char addr[80];

	(void)req;
	(void)meta;
	replica_stats(srv->replica, &st);
	server_rpc_addr(srv, addr, sizeof(addr));
	mp_map(&r->body, 2);
	mp_str(&r->body, "Index");
	/* Consul says 0 here, always. */
	mp_uint(&r->body, 0);
	mp_str(&r->body, "Servers");
	mp_array(&r->body, 1);
	mp_map(&r->body, 6);
	mp_str(&r->body, "Address");
	mp_str(&r->body, addr);
	mp_str(&r->body, "ID");
	mp_str(&r->body, srv->agent.node_id);
	mp_str(&r->body, "Leader");
	mp_bool(&r->body, server_in_office(srv));
	mp_str(&r->body, "Node");
	mp_str(&r->body, srv->agent.node_name);
	mp_str(&r->body, "ProtocolVersion");
	mp_str(&r->body, "3");
	mp_str(&r->body, "Voter");
	mp_bool(&r->body, st.voters > 0);
}

void
operator_autopilot_configuration_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct wbuf *w = &r->body;

	(void)srv;
	(void)req;
	(void)meta;
	mp_map(w, 10);
	mp_str(w, "CleanupDeadServers");
	mp_bool(w, true);
	mp_str(w, "CreateIndex");
	mp_uint(w, 1);
	mp_str(w, "DisableUpgradeMigration");
	mp_bool(w, false);
	mp_str(w, "LastContactThreshold");
	mp_int(w, AUTOPILOT_CONTACT_NS);
	mp_str(w, "MaxTrailingLogs");
	mp_uint(w, AUTOPILOT_TRAILING);
	mp_str(w, "MinQuorum");
	mp_uint(w, 0);
	mp_str(w, "ModifyIndex");
	mp_uint(w, 1);
	mp_str(w, "RedundancyZoneTag");
	mp_str(w, "");
	mp_str(w, "ServerStabilizationTime");
	mp_int(w, AUTOPILOT_STABLE_NS);
	mp_str(w, "UpgradeVersionTag");
	mp_str(w, "");
}

static void
put_time(struct wbuf *w, int64_t unix_ns)
{
	uint8_t buf[15];
	uint64_t sec = (uint64_t)(unix_ns / NS_PER_S + GO_EPOCH);
	uint32_t nsec = (uint32_t)(unix_ns % NS_PER_S);
	int i;

	buf[0] = 1;
	for (i = 0; i < 8; i++)
		buf[1 + i] = (uint8_t)(sec >> (56 - 8 * i));
	for (i = 0; i < 4; i++)
		buf[9 + i] = (uint8_t)(nsec >> (24 - 8 * i));
	buf[13] = buf[14] = 0xff;	/* UTC */
	mp_raw(w, buf, sizeof(buf));
}

void
operator_server_health_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	const struct member *m;
	struct replica_stats st;
	struct wbuf *w = &r->body;
	char addr[80];

	(void)req;
	(void)meta;
	replica_stats(srv->replica, &st);
	server_rpc_addr(srv, addr, sizeof(addr));
	m = leader_member(srv, srv->agent.node_name);
	mp_map(w, 3);
	mp_str(w, "FailureTolerance");
	mp_int(w, 0);
	mp_str(w, "Healthy");
	mp_bool(w, true);
	mp_str(w, "Servers");
	mp_array(w, 1);
	mp_map(w, 12);
	mp_str(w, "Address");
	mp_str(w, addr);
	mp_str(w, "Healthy");
	mp_bool(w, true);
	mp_str(w, "ID");
	mp_str(w, srv->agent.node_id);
	mp_str(w, "LastContact");
	mp_int(w, 0);
	mp_str(w, "LastIndex");
	mp_uint(w, st.last_index);
	mp_str(w, "LastTerm");
	mp_uint(w, st.term);
	mp_str(w, "Leader");
	mp_bool(w, server_in_office(srv));
	mp_str(w, "Name");
	mp_str(w, srv->agent.node_name);
	mp_str(w, "SerfStatus");
	mp_uint(w, m != NULL ? m->status : MEMBER_ALIVE);
	mp_str(w, "StableSince");
	put_time(w, srv->leader_ns);
	mp_str(w, "Version");
	mp_raw(w, DISCO_BUILD, strcspn(DISCO_BUILD, ":"));
	mp_str(w, "Voter");
	mp_bool(w, st.voters > 0);
}

/* ---- events ---- */

void
internal_event_fire_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct event_fire_request *req = arg;
	struct query_meta m = *meta;
	char *name;

	xasprintf(&name, "consul:event:%s", str_or(req->name, ""));
	srv->env.fire(name, req->payload.p, req->payload.n, srv->env.arg);
	free(name);
	m.index = 0;
	mp_map(&r->body, META_KEYS);
	put_meta(&r->body, &m);
}

/* ---- what nobody uses here: nothing ever changes ---- */

static void
depends_on_nothing(struct depends *d)
{
	d->index = 1;
	/* Blocks until its time runs out. */
	depends_on(d, WATCH_SERVICE, "");
}

void
intention_list_depends(struct server *srv, const void *req, struct depends *d)
{
	(void)srv;
	(void)req;
	depends_on_nothing(d);
}

void
intention_list_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	(void)srv;
	(void)req;
	mp_map(&r->body, META_KEYS + 1);
	put_meta(&r->body, meta);
	mp_str(&r->body, "Intentions");
	mp_array(&r->body, 0);
}

void
intention_match_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)srv;
	(void)req;
	depends_on_nothing(d);
}

void
intention_match_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	(void)srv;
	(void)req;
	mp_map(&r->body, META_KEYS + 1);
	mp_str(&r->body, "Matches");
	mp_array(&r->body, 1);
	mp_array(&r->body, 0);
	put_meta(&r->body, meta);
}

/* Config entries answer with msgpack inside one raw string (rpc.md 2.5). */
void
config_entry_get_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)srv;
	(void)req;
	depends_on_nothing(d);
}

void
config_entry_get_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct wbuf w;

	(void)srv;
	(void)req;
	wb_init(&w, 0);
	mp_str(&w, "");
	mp_map(&w, META_KEYS);
	put_meta(&w, meta);
	mp_raw(&r->body, w.p, w.len);
	wb_free(&w);
}

void
config_entry_list_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)srv;
	(void)req;
	depends_on_nothing(d);
}

void
config_entry_list_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct kind_request *req = arg;
	struct wbuf w;

	(void)srv;
	wb_init(&w, 0);
	mp_int(&w, 0);
	mp_map(&w, META_KEYS + 2);
	put_meta(&w, meta);
	mp_str(&w, "Entries");
	mp_array(&w, 0);
	mp_str(&w, "Kind");
	mp_str(&w, req->kind);
	mp_raw(&r->body, w.p, w.len);
	wb_free(&w);
}

void
config_entry_resolve_depends(struct server *srv, const void *req,
    struct depends *d)
{
	(void)srv;
	(void)req;
	depends_on_nothing(d);
}

void
config_entry_resolve_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct wbuf w;

	(void)srv;
	(void)req;
	wb_init(&w, 0);
	mp_map(&w, META_KEYS + 5);
	mp_str(&w, "ConsistencyLevel");
	mp_str(&w, meta->consistency_level);
	mp_str(&w, "Expose");
	mp_map(&w, 2);
	mp_str(&w, "Checks");
	mp_bool(&w, false);
	mp_str(&w, "Paths");
	mp_nil(&w);
	mp_str(&w, "Index");
	mp_uint(&w, meta->index);
	mp_str(&w, "KnownLeader");
	mp_bool(&w, meta->known_leader);
	mp_str(&w, "LastContact");
	mp_int(&w, meta->last_contact);
	mp_str(&w, "MeshGateway");
	mp_map(&w, 1);
	mp_str(&w, "Mode");
	mp_str(&w, "");
	mp_str(&w, "ProxyConfig");
	mp_nil(&w);
	mp_str(&w, "UpstreamConfigs");
	mp_nil(&w);
	mp_str(&w, "UpstreamIDConfigs");
	mp_nil(&w);
	mp_raw(&r->body, w.p, w.len);
	wb_free(&w);
}

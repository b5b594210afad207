/*
 * Status.* and Operator.*, and events.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/server_i.h"
#include "common/mp.h"

/* Serf's, of name and payload; more would not fit a message to gossipd. */
#define EVENT_MAX 512 /* also what gossipd sends at most */
/* Seconds from year 1 to 1970, for Go's times. */
#define GO_EPOCH 62135596800ll

#define RAFT_STATS(F, T)							\
	F(T, STR, , last_contact, "LastContact", 0, NULL)		\
	F(T, UINT, , last_index, "LastIndex", 0, NULL)			\
	F(T, UINT, , last_term, "LastTerm", 0, NULL)
SCHEMA_DECLARE(raft_stats, RAFT_STATS)
SCHEMA_DEFINE(raft_stats, RAFT_STATS)

/* Structs hold char *, and an answer only reads them. */
static char *
text(const char *s)
{
	return (char *)(uintptr_t)s;
}

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
	struct replica_server leader;
	char addr[80] = "";

	(void)req;
	(void)meta;
	if (replica_leader(srv->replica, &leader))
		raft_address(srv, &leader, addr, sizeof(addr));
	mp_str(&r->body, addr);
}

void
status_peers_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct replica_server s[REPLICA_SERVERS_MAX];
	char addr[80];
	size_t i, n;

	(void)req;
	(void)meta;
	n = replica_servers(srv->replica, s, NELEM(s));
	mp_array(&r->body, (uint32_t)n);
	for (i = 0; i < n; i++) {
		raft_address(srv, &s[i], addr, sizeof(addr));
		mp_str(&r->body, addr);
	}
}

void
status_raft_stats_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct replica_stats st;
	struct raft_stats a;
	char contact[32];
	uint64_t ms;

	(void)req;
	(void)meta;
	replica_stats(srv->replica, &st);
	memset(&a, 0, sizeof(a));
	if (!replica_last_contact(srv->replica, &ms))
		snprintf(contact, sizeof(contact), "never");
	else if (ms == 0)
		snprintf(contact, sizeof(contact), "0");
	else
		dur_format((int64_t)ms * NS_PER_MS, contact, sizeof(contact));
	a.last_contact = contact;
	a.last_index = st.last_index;
	a.last_term = st.term;
	reply_schema(r, &raft_stats_schema, &a);
}

/* ---- Operator ---- */

void
operator_raft_configuration_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct replica_server s[REPLICA_SERVERS_MAX];
	char addr[REPLICA_SERVERS_MAX][80];
	struct raft_configuration a;
	const struct member *m;
	struct raft_server *rs;
	size_t i, n;

	(void)req;
	(void)meta;
	n = replica_servers(srv->replica, s, NELEM(s));
	memset(&a, 0, sizeof(a));	/* Index is 0 in Consul's, too */
	for (i = 0; i < n; i++) {
		raft_address(srv, &s[i], addr[i], sizeof(addr[i]));
		m = raft_member(srv, &s[i]);
		rs = VEC_ADD(&a.servers);
		rs->id = s[i].node_id;
		rs->node = s[i].self ? srv->agent.node_name :
		    m != NULL ? m->name : text("(unknown)");
		rs->address = addr[i];
		rs->leader = s[i].leader;
		rs->protocol_version = text("3");
		rs->voter = s[i].voter;
	}
	reply_schema(r, &raft_configuration_schema, &a);
	free(a.servers.item);
}

void
operator_autopilot_configuration_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct autopilot_config a = *raft_autopilot(srv);

	(void)req;
	(void)meta;
	if (a.modify_index == 0)
		a.create_index = a.modify_index = 1;
	reply_schema(r, &autopilot_config_schema, &a);
}

void
operator_autopilot_set_write(struct server *srv, void *req,
    struct wbuf *entry, struct reply *r)
{
	(void)srv;
	(void)r;
	store_entry_autopilot(entry, req);
}

static void
healthy_server(struct server *srv, const struct replica_server *s,
    struct healthy_server *h, char *addr, size_t len)
{
	const struct member *m = raft_member(srv, s);
	struct replica_stats st;
	int64_t since;

	replica_stats(srv->replica, &st);
	raft_address(srv, s, addr, len);
	h->id = text(s->node_id);
	h->name = s->self ? srv->agent.node_name : m != NULL ? m->name :
	    text("");
	h->address = addr;
	h->serf_status = m != NULL ? m->status :
	    s->self ? MEMBER_ALIVE : MEMBER_NONE;
	h->version = xstrndup(DISCO_BUILD, strcspn(DISCO_BUILD, ":"));
	h->leader = s->leader;
	h->voter = s->voter;
	h->last_term = st.term;
	h->last_index = s->self ? st.last_index : s->match;
	if (!s->self && s->heard_ms != 0)
		h->last_contact = (int64_t)(ev_now(srv->ev) - s->heard_ms) *
		    NS_PER_MS;
	h->healthy = raft_healthy(srv, s, &since);
	if (s->self) {
		h->healthy = server_in_office(srv);
		since = srv->leader_ns;
	}
	h->stable_since.sec = since / NS_PER_S + GO_EPOCH;
	h->stable_since.nsec = (int32_t)(since % NS_PER_S);
	h->stable_since.zone_min = -1;	/* UTC */
}

void
operator_server_health_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct replica_server s[REPLICA_SERVERS_MAX];
	char addr[REPLICA_SERVERS_MAX][80];
	int64_t voters = 0, well = 0;
	struct server_health a;
	size_t i, n;

	(void)req;
	(void)meta;
	n = replica_servers(srv->replica, s, NELEM(s));
	memset(&a, 0, sizeof(a));
	a.healthy = n > 0;
	for (i = 0; i < n; i++) {
		healthy_server(srv, &s[i], VEC_ADD(&a.servers), addr[i],
		    sizeof(addr[i]));
		voters += s[i].voter;
		well += s[i].voter && a.servers.item[i].healthy;
		a.healthy = a.healthy && a.servers.item[i].healthy;
	}
	/* How many more may fail before there is no majority. */
	if (well > voters / 2 + 1)
		a.tolerance = well - (voters / 2 + 1);
	reply_schema(r, &server_health_schema, &a);
	for (i = 0; i < n; i++)
		free(a.servers.item[i].version);
	free(a.servers.item);
}

/* ---- events ---- */

/* Of the message that carries it all but name and payload, with a clock of 32
 * bits; gossipd, which knows the clock, refuses what is longer still. */
#define EVENT_FRAME 35

/* NULL, or what gossipd would refuse it for. */
static const char *
event_refused(size_t name, size_t payload)
{
	if (name > EVENT_MAX || payload > EVENT_MAX - name)
		return "user event exceeds configured limit of 512 bytes "
		    "before encoding";
	if (name + payload + EVENT_FRAME > EVENT_MAX)
		return "encoded user event exceeds configured limit of 512 "
		    "bytes after encoding";
	return NULL;
}

void
internal_event_fire_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct event_fire_request *req = arg;
	struct query_meta m = *meta;
	const char *why;
	char *name;

	xasprintf(&name, "consul:event:%s", str_or(req->name, ""));
	if ((why = event_refused(strlen(name), req->payload.n)) != NULL)
		reply_error(r, "1 error occurred:\n\t* error broadcasting "
		    "event to segment \"\": %s\n\n", why);
	else if (!srv->env.fire(name, req->payload.p, req->payload.n,
	    srv->env.arg))
		reply_error(r, "event not sent: gossipd is restarting");
	else {
		m.index = 0;
		reply_schema(r, &query_meta_schema, &m);
	}
	free(name);
}

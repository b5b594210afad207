/*
 * What an operator does to the membership: going on alone when a majority is
 * lost for good, and removing a server.
 */
#include "catalogd/server_raft_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define RECOVER_MS 200	/* for the answer to go out */

/* ---- recovery ---- */

/* Who of the voters is there, and what speaks against going on alone. */
static const char *
recovery_plan(struct server *srv, struct wbuf *w)
{
	struct replica_server s[REPLICA_SERVERS_MAX], leader;
	const struct member *m;
	size_t i, n, voters = 0, there = 0;
	struct replica_stats st;
	struct ident *id;
	bool ahead = false;
	char addr[80];

	n = replica_servers(srv->replica, s, NELEM(s));
	replica_stats(srv->replica, &st);
	wb_printf(w, "This server has the log up to index %llu.\n",
	    (unsigned long long)st.last_index);
	for (i = 0; i < n; i++) {
		m = raft_member(srv, &s[i]);
		raft_address(srv, &s[i], addr, sizeof(addr));
		voters += s[i].voter;
		if (s[i].self || (m != NULL && m->status == MEMBER_ALIVE))
			there += s[i].voter;
		id = raft_ident(srv, s[i].node_id);
		if (!s[i].self && m != NULL && m->status == MEMBER_ALIVE) {
			raft_ask(srv, m, 0);
			ahead = ahead || id->is.last_index > st.last_index;
		}
		wb_printf(w, "%s  %s  %s  %s\n", s[i].node_id, addr,
		    s[i].voter ? "voter" : "no vote", s[i].self ?
		    "this server: goes on alone" : m != NULL &&
		    m->status == MEMBER_ALIVE ? "alive: has to begin anew" :
		    "dead: must not come back with what it has");
	}
	if (replica_leader(srv->replica, &leader))
		return "there is a leader";
	if (there > voters / 2)
		return "a majority of the servers is there";
	if (ahead)
		return "another server that is alive has more of the log";
	if (n == 0 || replica_in_memory(srv->replica))
		return "there is no log to go on with";
	return NULL;
}

static void
on_recover(void *arg)
{
	(void)arg;
	fatalx("raft: starting again, to go on without the other servers");
}

void
agent_raft_recover_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct raft_recover_request *req = arg;
	struct raft_recover_answer a = { 0 };
	const char *why;
	struct wbuf w;

	(void)meta;
	wb_init(&w, 0);
	why = recovery_plan(srv, &w);
	a.plan = wb_detach_str(&w);
	if (why != NULL)
		reply_error(r, "refused: %s\n%s", why, a.plan);
	else if (req->doit && replica_recover_alone(srv->replica,
	    a.plan) == -1)
		reply_error(r, "cannot write it down: %s", strerror(errno));
	else if (req->doit) {
		log_warnx("raft: recovery begun by an operator: %s", a.plan);
		a.begun = true;
		ev_timer_free(srv->raft->timer);
		srv->raft->timer = ev_timer_new(srv->ev, on_recover, srv);
		ev_timer_set(srv->raft->timer, RECOVER_MS);
	}
	if (r->error == NULL)
		reply_schema(r, &raft_recover_answer_schema, &a);
	free(a.plan);
}

/* ---- Operator ---- */

void
operator_raft_remove_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct raft_remove_request *req = arg;
	struct replica_server s[REPLICA_SERVERS_MAX];
	char addr[ADDR_TEXT_MAX];
	size_t i, n;

	(void)meta;
	n = replica_servers(srv->replica, s, NELEM(s));
	for (i = 0; i < n; i++) {
		raft_address(srv, &s[i], addr, sizeof(addr));
		if (!str_empty(req->id) ? strcmp(s[i].node_id, req->id) == 0 :
		    strcmp(addr, str_or(req->address, "")) == 0 ||
		    strcmp(s[i].address, str_or(req->address, "")) == 0)
			break;
	}
	if (i == n) {
		if (!str_empty(req->id))
			reply_error(r, "id \"%s\" was not found in the Raft "
			    "configuration", req->id);
		else
			reply_error(r, "address \"%s\" was not found in the "
			    "Raft configuration", str_or(req->address, ""));
		return;
	}
	if (n == 1)
		reply_error(r, "the last server cannot be removed");
	else if (s[i].self) {
		(void)replica_transfer(srv->replica);
		reply_error(r, "that server leads: it hands over now, and "
		    "can be removed then");
	} else {
		memmove(s + i, s + i + 1, (n - i - 1) * sizeof(*s));
		if (replica_change(srv->replica, s, n - 1) == -1)
			reply_error(r, "another change of the Raft "
			    "configuration is under way");
		else
			reply_empty(r);
	}
}

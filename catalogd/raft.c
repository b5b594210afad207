/*
 * Core, disk, connections and time together: see raft.h.
 *
 *	propose -> core -> entries to keep: disk; messages: peers
 *	durable, messages -> core -> apply()
 */
#include "catalogd/raft_i.h"

#include <bsd/string.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/raft_recover.h"
#include "common/log.h"

#define WINDOW_BYTES (16u << 20)	/* kept in memory for followers behind */
/*
 * Times `raft_multiplier`, whose default is 5: a new leader in half a second to
 * one and a half.  Below the floor a busy disk would look like a dead leader.
 */
#define MULTIPLIER 5
#define ELECTION_MS 150
#define ELECTION_MIN_MS 300
#define HEARTBEATS 5		/* in one election timeout */

/* ---- addresses: "NODE-ID 10.0.0.1:8300" ---- */

static void
member_address(const struct replica_server *s, char *buf, size_t len)
{
	snprintf(buf, len, "%s %s", s->node_id, s->address);
}

static void
parse_address(const char *text, struct replica_server *s)
{
	const char *space = strchr(text, ' ');
	size_t n = space != NULL ? (size_t)(space - text) : strlen(text);

	snprintf(s->node_id, sizeof(s->node_id), "%.*s", (int)n, text);
	(void)strlcpy(s->address, space != NULL ? space + 1 : "",
	    sizeof(s->address));
}

/* ---- after each event ---- */

static void
set_timeout(struct replica *r)
{
	uint64_t at, now = ev_now(r->ev);

	if (!r->running)
		return;
	at = rcore_timeout(r->core);
	ev_timer_set(r->timeout, at > now ? at - now : 1);
}

static void
forget_removed(struct replica *r)
{
	uint64_t id[REPLICA_SERVERS_MAX];
	struct rcore_server s;
	unsigned i, n = rcore_nservers(r->core);

	for (i = 0; i < n && i < NELEM(id); i++) {
		rcore_server(r->core, i, &s);
		id[i] = s.id;
	}
	peers_only(r->peers, id, i);
}

/*
 * A leader that was just elected does not know yet how far its log is
 * committed: an entry of its own term has to be among what is applied.
 */
static bool
caught_up(const struct replica *r)
{
	return rcore_in_office(r->core) || (r->goal_term != 0 &&
	    rcore_applied_term(r->core) >= r->goal_term &&
	    rcore_applied(r->core) >= r->goal);
}

/* What the core says, all of it, is looked at when a turn ends. */
void
replica_settle(struct replica *r)
{
	if (rcore_broken(r->core) != NULL)
		fatalx("raft: %s", rcore_broken(r->core));
	set_timeout(r);
	if (r->mem_last != 0 || r->office != rcore_in_office(r->core) ||
	    r->leader != rcore_leader(r->core) ||
	    r->state != rcore_state(r->core) ||
	    r->nservers != rcore_nservers(r->core) ||
	    r->confirmed != rcore_confirmed(r->core) ||
	    r->memb_index != 0 || (!r->current && caught_up(r)))
		ev_timer_set(r->turn, 0);
	replica_maybe_snapshot(r);
}

static void
log_state(struct replica *r)
{
	static const char *const names[] = { "follower", "candidate",
	    "leader" };
	enum rcore_state state = rcore_state(r->core);

	if (state == r->state)
		return;
	log_info("raft: %s in term %llu", names[state],
	    (unsigned long long)rcore_term(r->core));
	r->state = state;
}

/* An election that begins with dialling takes twice the time. */
static void
connect_all(struct replica *r)
{
	struct rcore_server s;
	unsigned i;

	for (i = 0; i < rcore_nservers(r->core); i++) {
		rcore_server(r->core, i, &s);
		if (s.id != r->meta.id)
			peers_connect(r->peers, s.id);
	}
}

static void
tell_changes(struct replica *r)
{
	struct replica_server s;
	uint64_t leader = rcore_leader(r->core);
	bool in = rcore_in_office(r->core);

	log_state(r);
	if (!r->current && caught_up(r)) {
		r->current = true;
		r->ops.current(r->ops.arg);
	}
	if (leader != r->leader || r->nservers != rcore_nservers(r->core) ||
	    r->memb_index != 0) {
		if (leader != r->leader && leader != 0 &&
		    leader != r->meta.id && replica_leader(r, &s))
			log_info("raft: leader is %s in term %llu", s.address,
			    (unsigned long long)rcore_term(r->core));
		r->leader = leader;
		if (r->memb_index != 0)
			forget_removed(r);
		r->nservers = rcore_nservers(r->core);
		r->memb_index = 0;
		connect_all(r);
		r->ops.changed(r->ops.arg);
	}
	if (in != r->office) {
		r->office = in;
		r->ops.office(in, r->ops.arg);
	}
	if (r->confirmed != rcore_confirmed(r->core)) {
		r->confirmed = rcore_confirmed(r->core);
		r->ops.confirmed(r->confirmed, r->ops.arg);
	}
}

static void
on_turn(void *arg)
{
	struct replica *r = arg;

	if (!r->running)
		return;
	replica_flush(r);
	tell_changes(r);
	replica_settle(r);
}

/*
 * With a full disk this server leads nobody, if somebody else can; nor does it
 * stand for election.  Alone it goes on to answer what it has.
 */
static bool
stands_aside(struct replica *r)
{
	if (!r->full)
		return false;
	if (rcore_state(r->core) == RCORE_LEADER &&
	    rcore_nservers(r->core) > 1)
		(void)rcore_transfer(r->core, ev_now(r->ev), 0);
	return rcore_state(r->core) != RCORE_LEADER;
}

void
replica_on_full(bool full, void *arg)
{
	struct replica *r = arg;

	r->full = full;
	if (full)
		log_errorx("raft: the disk is full: writes are refused");
	else
		log_info("raft: there is space on the disk again");
	(void)stands_aside(r);
	replica_settle(r);
}

static void
on_timeout(void *arg)
{
	struct replica *r = arg;

	if (!r->running)
		return;
	if (stands_aside(r)) {
		ev_timer_set(r->timeout, r->heartbeat_ms);
		return;
	}
	rcore_tick(r->core, ev_now(r->ev));
	/* What waited for a transfer that came to nothing. */
	rcore_flush(r->core, ev_now(r->ev));
	replica_settle(r);
}

/* ---- the core's effects ---- */

static void
core_meta(uint64_t term, uint64_t vote, void *arg)
{
	struct replica *r = arg;

	r->meta.term = term;
	r->meta.vote = vote;
	disk_meta(r->disk, &r->meta);
}

static void
core_append(const struct log_entry *e, size_t n, void *arg)
{
	struct replica *r = arg;

	if (disk_in_memory(r->disk)) {
		r->mem_last = e[n - 1].index;
		return;
	}
	disk_append(r->disk, e, n);
}

static void
core_send(uint64_t to, const struct peer_msg *m, void *arg)
{
	struct replica *r = arg;

	peers_send(r->peers, to, m);
}

static void
core_want_snapshot(void *arg)
{
	struct replica *r = arg;

	r->want_snapshot = true;
}

static void
core_apply(uint64_t index, const uint8_t *p, size_t len, void *tag, void *arg)
{
	struct replica *r = arg;

	if (len == 0)
		r->memb_index = index;	/* perhaps a membership */
	r->ops.apply(index, p, len, tag, r->ops.arg);
}

static void
core_lost(void *tag, void *arg)
{
	struct replica *r = arg;

	r->ops.lost(tag, r->ops.arg);
}

/* ---- proposing ---- */

int
replica_propose(struct replica *r, const uint8_t *p, size_t len, void *tag)
{
	if (!r->running || len > REPLICA_ENTRY_MAX ||
	    rcore_propose(r->core, p, len, tag) == -1)
		return -1;
	ev_timer_set(r->turn, 0);
	return 0;
}

void
replica_flush(struct replica *r)
{
	uint64_t last;

	if (!r->running)
		return;
	rcore_flush(r->core, ev_now(r->ev));
	if ((last = r->mem_last) != 0) {
		r->mem_last = 0;
		rcore_persisted(r->core, ev_now(r->ev), last);
	}
	replica_settle(r);
}

uint64_t
replica_confirm(struct replica *r)
{
	uint64_t number;

	number = rcore_confirm(r->core, ev_now(r->ev));
	replica_settle(r);
	return number;
}

/* ---- membership ---- */

uint64_t
replica_id(const struct replica *r)
{
	return r->meta.id;
}

uint64_t
replica_cluster(const struct replica *r)
{
	return r->meta.cluster;
}

bool
replica_in_memory(const struct replica *r)
{
	return disk_in_memory(r->disk);
}

static void
describe(const struct replica *r, const struct rcore_server *cs,
    struct replica_server *s)
{
	memset(s, 0, sizeof(*s));
	parse_address(cs->address, s);
	s->id = cs->id;
	s->voter = cs->voter;
	s->self = cs->id == r->meta.id;
	s->leader = cs->id == rcore_leader(r->core);
	s->match = cs->match;
	s->heard_ms = cs->heard_ms;
	if (s->self) {
		if (s->address[0] == '\0')
			(void)strlcpy(s->address, r->address,
			    sizeof(s->address));
	}
}

size_t
replica_servers(const struct replica *r, struct replica_server *s, size_t max)
{
	struct rcore_server cs;
	unsigned i, n;

	if (!r->running)
		return 0;
	n = rcore_nservers(r->core);
	for (i = 0; i < n && i < max; i++) {
		rcore_server(r->core, i, &cs);
		describe(r, &cs, &s[i]);
	}
	return i;
}

uint8_t *
replica_encode(const struct replica_server *s, size_t n, size_t *len)
{
	struct rcore_member m[REPLICA_SERVERS_MAX];
	char text[REPLICA_SERVERS_MAX][192];
	size_t i;

	if (n > REPLICA_SERVERS_MAX)
		return NULL;
	for (i = 0; i < n; i++) {
		member_address(&s[i], text[i], sizeof(text[i]));
		m[i].id = s[i].id;
		m[i].address = text[i];
		m[i].voter = s[i].voter;
	}
	return rcore_conf_encode(m, n, len);
}

int
replica_change(struct replica *r, const struct replica_server *s, size_t n)
{
	size_t len;
	uint8_t *p;
	int rc;

	if (!r->running || disk_in_memory(r->disk) ||
	    (p = replica_encode(s, n, &len)) == NULL)
		return -1;
	rc = rcore_change(r->core, ev_now(r->ev), p, len);
	free(p);
	if (rc == 0)
		forget_removed(r);
	replica_settle(r);
	return rc;
}

int
replica_transfer(struct replica *r)
{
	int rc;

	if (!r->running)
		return -1;
	rc = rcore_transfer(r->core, ev_now(r->ev), 0);
	replica_settle(r);
	return rc;
}

int
replica_recover_alone(struct replica *r, const char *record)
{
	return disk_in_memory(r->disk) ? -1 : recover_alone(r->dir,
	    r->node_id, r->address, record);
}

/* ---- connections ---- */

void
replica_accept(struct replica *r, int fd, const char *from)
{
	peers_accept(r->peers, fd, from);
}

void
replica_dialed(struct replica *r, uint32_t id, int fd, const char *why)
{
	peers_dialed(r->peers, id, fd, why);
}

void
replica_dials_lost(struct replica *r)
{
	peers_dials_lost(r->peers);
}

static void
peer_dial(uint32_t id, const char *address, void *arg)
{
	struct replica *r = arg;

	r->ops.dial(id, address, r->ops.arg);
}

static bool
peer_where(uint64_t id, char *buf, size_t len, void *arg)
{
	struct replica *r = arg;
	struct replica_server s;
	struct rcore_server cs;
	unsigned i;

	for (i = 0; i < rcore_nservers(r->core); i++) {
		rcore_server(r->core, i, &cs);
		if (cs.id != id)
			continue;
		describe(r, &cs, &s);
		if (r->ops.where(s.node_id, buf, len, r->ops.arg))
			return true;
		(void)strlcpy(buf, s.address, len);
		return s.address[0] != '\0';
	}
	return false;
}

static void
peer_receive(uint64_t from, const struct peer_msg *m, void *arg)
{
	struct replica *r = arg;

	if (!r->running)
		return;
	/* Entries would only pile up; they are sent again. */
	if (r->full && m->n > 0)
		return;
	rcore_receive(r->core, ev_now(r->ev), from, m);
	if (!r->current && m->type == PEER_APPEND &&
	    m->term != r->goal_term && rcore_leader(r->core) == from) {
		r->goal_term = m->term;
		r->goal = m->commit;
	}
	replica_settle(r);
}

void
replica_save_cluster(struct replica *r, uint64_t cluster)
{
	r->meta.cluster = cluster;
	disk_meta(r->disk, &r->meta);
	peers_set_cluster(r->peers, cluster);
}

static void
peer_cluster(uint64_t cluster, void *arg)
{
	replica_save_cluster(arg, cluster);
}

/* ---- together ---- */

void
replica_make_core(struct replica *r, const struct replica_conf *c)
{
	static const struct peers_ops pops = { peer_dial, peer_where,
	    peer_receive, replica_snap_begin, replica_snap_add,
	    replica_take_snapshot, replica_snap_drop, peer_cluster, NULL };
	struct rcore_ops ops = { core_meta, core_append, core_send,
	    replica_send_snapshot, core_want_snapshot, core_apply, core_lost,
	    r };
	unsigned mult = c->multiplier == 0 ? MULTIPLIER : c->multiplier;
	struct peers_ops po = pops;
	struct rcore_conf rc;
	struct rng rng;

	rng_seed_os(&rng);
	memset(&rc, 0, sizeof(rc));
	rc.id = r->meta.id;
	rc.seed = (unsigned)rng_next(&rng);
	rc.election_ms = ELECTION_MS * mult;
	if (rc.election_ms < ELECTION_MIN_MS)
		rc.election_ms = ELECTION_MIN_MS;
	rc.heartbeat_ms = rc.election_ms / HEARTBEATS;
	rc.window = WINDOW_BYTES;
	r->heartbeat_ms = rc.heartbeat_ms;
	r->core = rcore_new(&rc, &ops);
	r->timeout = ev_timer_new(r->ev, on_timeout, r);
	r->turn = ev_timer_new(r->ev, on_turn, r);
	po.arg = r;
	r->peers = peers_new(r->ev, r->meta.id, str_or(c->datacenter, ""),
	    r->address, &po);
	peers_set_cluster(r->peers, r->meta.cluster);
}

/* ---- looking ---- */

bool
replica_full(const struct replica *r)
{
	return r->full;
}

bool
replica_leads(const struct replica *r)
{
	return r->office;
}

bool
replica_leader(const struct replica *r, struct replica_server *s)
{
	uint64_t id = r->running ? rcore_leader(r->core) : 0;
	struct rcore_server cs;
	unsigned i;

	for (i = 0; id != 0 && i < rcore_nservers(r->core); i++) {
		rcore_server(r->core, i, &cs);
		if (cs.id == id) {
			describe(r, &cs, s);
			return true;
		}
	}
	return false;
}

bool
replica_alone(const struct replica *r)
{
	struct rcore_server s;
	unsigned i;

	for (i = 0; i < rcore_nservers(r->core); i++) {
		rcore_server(r->core, i, &s);
		if (s.voter && s.id != r->meta.id)
			return false;
	}
	return r->office;
}

bool
replica_current(const struct replica *r)
{
	return r->current;
}

bool
replica_last_contact(const struct replica *r, uint64_t *ms)
{
	uint64_t heard = rcore_leader_heard(r->core);

	*ms = 0;
	if (r->office)
		return true;
	if (heard == 0)
		return false;
	*ms = ev_now(r->ev) - heard;
	return true;
}

void
replica_stats(const struct replica *r, struct replica_stats *st)
{
	static const char *const names[] = { "Follower", "Candidate",
	    "Leader" };
	struct rcore_server s;
	size_t len;
	unsigned i;

	memset(st, 0, sizeof(*st));
	st->state = names[rcore_state(r->core)];
	st->heartbeat_ms = r->heartbeat_ms;
	if (!r->running)
		return;
	st->term = rcore_term(r->core);
	st->last_index = rcore_last_index(r->core);
	st->commit = rcore_commit(r->core);
	st->applied = rcore_applied(r->core);
	st->snapshot_index = r->snap_index;
	st->snapshot_term = r->snap_term;
	(void)rcore_conf_bytes(r->core, &len, &st->conf_index);
	st->servers = rcore_nservers(r->core);
	for (i = 0; i < st->servers; i++) {
		rcore_server(r->core, i, &s);
		if (s.voter)
			st->voters++;
	}
	st->pending = rcore_pending(r->core);
}

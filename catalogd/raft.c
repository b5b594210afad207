/*
 * Core, disk, connections and time together: see raft.h.
 *
 *	propose -> core -> entries to keep: disk; messages: peers
 *	durable, messages -> core -> apply()
 *	a lagging follower: the newest snapshot's file, in pieces
 */
#include "catalogd/raft.h"

#include <bsd/string.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/raft_core.h"
#include "catalogd/raft_disk.h"
#include "catalogd/raft_peers.h"
#include "catalogd/raft_recover.h"
#include "common/log.h"

/* Entries and bytes of log between two snapshots. */
#define SNAPSHOT_ENTRIES 16384
#define SNAPSHOT_BYTES (64u << 20)
/* Kept in memory for followers that are behind. */
#define SNAPSHOT_RETRY_MS 30000	/* after one found no space */
#define WINDOW_BYTES (16u << 20)
/*
 * Times `raft_multiplier`, whose default is 5: a new leader in half a second to
 * one and a half.  Below the floor a busy disk would look like a dead leader.
 */
#define MULTIPLIER 5
#define ELECTION_MS 150
#define ELECTION_MIN_MS 300
#define HEARTBEATS 5		/* in one election timeout */

struct replica {
	struct ev	*ev;
	struct ev_timer	*timeout, *turn;
	struct disk	*disk;
	struct rcore	*core;
	struct peers	*peers;
	struct replica_ops ops;
	struct log_meta	 meta;
	char		*node_id, *address, *dir;
	unsigned	 heartbeat_ms;
	bool		 running;	/* the core has begun */
	bool		 booting;	/* a first entry is being written */

	uint64_t	 snap_index, snap_term;
	struct log_snapshot taking;	/* index != 0: being written */
	struct wbuf	 taking_conf;
	bool		 want_snapshot;
	uint64_t	 snap_retry_ms;	/* none before */
	bool		 full;		/* the disk is */
	struct log_snapshot installing;	/* index != 0: being written */
	struct wbuf	 install_file;	/* came, waits for our own */
	uint64_t	 install_from, install_term;
	struct wbuf	 install_data, install_conf;
	struct log_entry *boot;		/* that first entry */
	uint64_t	 mem_last;	/* in memory: kept, not yet reported */

	/* as told last */
	bool		 office;
	uint64_t	 leader, confirmed, memb_index;
	size_t		 nservers;
	enum rcore_state state;
};

static void maybe_snapshot(struct replica *);

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
forget_removed(struct replica *r, const struct replica_server *old, size_t n)
{
	struct rcore_server s;
	unsigned k;
	size_t i;

	for (i = 0; i < n; i++) {
		for (k = 0; k < rcore_nservers(r->core); k++) {
			rcore_server(r->core, k, &s);
			if (s.id == old[i].id)
				break;
		}
		if (k == rcore_nservers(r->core))
			peers_forget(r->peers, old[i].id);
	}
}

/* What the core says, all of it, is looked at when a turn ends. */
static void
settle(struct replica *r)
{
	if (rcore_broken(r->core) != NULL)
		fatalx("raft: %s", rcore_broken(r->core));
	set_timeout(r);
	if (r->mem_last != 0 || r->office != rcore_in_office(r->core) ||
	    r->leader != rcore_leader(r->core) ||
	    r->state != rcore_state(r->core) ||
	    r->nservers != rcore_nservers(r->core) ||
	    r->confirmed != rcore_confirmed(r->core) ||
	    r->memb_index != 0)
		ev_timer_set(r->turn, 0);
	maybe_snapshot(r);
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
	if (leader != r->leader || r->nservers != rcore_nservers(r->core) ||
	    r->memb_index != 0) {
		if (leader != r->leader && leader != 0 &&
		    leader != r->meta.id && replica_leader(r, &s))
			log_info("raft: leader is %s in term %llu", s.address,
			    (unsigned long long)rcore_term(r->core));
		r->leader = leader;
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
	settle(r);
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

static void
on_full(bool full, void *arg)
{
	struct replica *r = arg;

	r->full = full;
	if (full)
		log_errorx("raft: the disk is full: writes are refused");
	else
		log_info("raft: there is space on the disk again");
	(void)stands_aside(r);
	settle(r);
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
	settle(r);
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
core_send_snapshot(uint64_t to, void *arg)
{
	struct replica *r = arg;
	struct peer_msg m;
	int fd;

	if (r->snap_index == 0) {
		r->want_snapshot = true;
		return;
	}
	if (peers_snapshot_busy(r->peers, to, r->snap_index))
		return;
	memset(&m, 0, sizeof(m));
	m.type = PEER_SNAP_BEGIN;
	m.term = rcore_term(r->core);
	m.index = r->snap_index;
	m.index_term = r->snap_term;
	fd = disk_snapshot_open(r->disk, r->snap_index, r->snap_term, &m.size);
	if (fd == -1) {
		log_warn("raft: snapshot at index %llu cannot be opened",
		    (unsigned long long)r->snap_index);
		return;
	}
	peers_send_snapshot(r->peers, to, &m, fd);
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
	settle(r);
}

uint64_t
replica_confirm(struct replica *r)
{
	uint64_t number;

	number = rcore_confirm(r->core, ev_now(r->ev));
	settle(r);
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

static uint8_t *
encode(const struct replica_server *s, size_t n, size_t *len)
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
	struct replica_server old[REPLICA_SERVERS_MAX];
	size_t len, nold;
	uint8_t *p;
	int rc;

	if (!r->running || disk_in_memory(r->disk) ||
	    (p = encode(s, n, &len)) == NULL)
		return -1;
	nold = replica_servers(r, old, REPLICA_SERVERS_MAX);
	rc = rcore_change(r->core, ev_now(r->ev), p, len);
	free(p);
	if (rc == 0)
		forget_removed(r, old, nold);
	settle(r);
	return rc;
}

int
replica_transfer(struct replica *r)
{
	int rc;

	if (!r->running)
		return -1;
	rc = rcore_transfer(r->core, ev_now(r->ev), 0);
	settle(r);
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
	settle(r);
}

static void
save_cluster(struct replica *r, uint64_t cluster)
{
	r->meta.cluster = cluster;
	disk_meta(r->disk, &r->meta);
	peers_set_cluster(r->peers, cluster);
}

static void
peer_cluster(uint64_t cluster, void *arg)
{
	save_cluster(arg, cluster);
}

/* ---- snapshots ---- */

/* A follower is sent the one there is: what is before it is not here. */
static void
snapshot_again(struct replica *r)
{
	struct log_snapshot s;

	memset(&s, 0, sizeof(s));
	s.index = r->snap_index;
	s.term = r->snap_term;
	s.conf = rcore_conf_bytes(r->core, &s.conf_len, &s.conf_index);
	rcore_snapshot(r->core, ev_now(r->ev), &s);
}

static void
maybe_snapshot(struct replica *r)
{
	uint64_t applied = rcore_applied(r->core);
	const uint8_t *conf;
	struct wbuf data;
	size_t len;

	if (disk_in_memory(r->disk) || r->taking.index != 0 ||
	    r->installing.index != 0 || rcore_installing(r->core) ||
	    applied < RCORE_SNAPSHOT_MIN || ev_now(r->ev) < r->snap_retry_ms)
		return;
	if (applied == r->snap_index) {
		if (r->want_snapshot && applied > 0)
			snapshot_again(r);
		r->want_snapshot = false;
		return;
	}
	if (!r->want_snapshot && applied - r->snap_index < SNAPSHOT_ENTRIES &&
	    disk_log_bytes(r->disk) < SNAPSHOT_BYTES)
		return;
	r->want_snapshot = false;
	memset(&r->taking, 0, sizeof(r->taking));
	conf = rcore_conf_bytes(r->core, &len, &r->taking.conf_index);
	wb_reset(&r->taking_conf);
	wb_bytes(&r->taking_conf, conf, len);
	r->taking.index = applied;
	r->taking.term = rcore_applied_term(r->core);
	r->taking.conf = r->taking_conf.p;
	r->taking.conf_len = r->taking_conf.len;
	wb_init(&data, 0);
	r->ops.dump(&data, r->ops.arg);
	r->taking.data = data.p;
	r->taking.data_len = data.len;
	log_info("snapshot: writing: index %llu, %zu bytes",
	    (unsigned long long)r->taking.index, data.len);
	disk_snapshot(r->disk, &r->taking, &data);
}

/* One that came from the leader, now that none of our own is being written. */
static void
try_install(struct replica *r)
{
	struct log_snapshot *s = &r->installing;
	struct wbuf file = r->install_file;

	if (file.len == 0 || r->taking.index != 0 || s->index != 0)
		return;
	wb_init(&r->install_file, 0);
	if (log_snapshot_decode(file.p, file.len, s) == -1) {
		log_warnx("raft: a snapshot from the leader does not check "
		    "out: it is asked for again");
		memset(s, 0, sizeof(*s));
	} else if (!rcore_install(r->core, ev_now(r->ev), r->install_from,
	    r->install_term, s))
		memset(s, 0, sizeof(*s));
	if (s->index == 0) {
		wb_free(&file);
		return;
	}
	wb_reset(&r->install_data);
	wb_bytes(&r->install_data, s->data, s->data_len);
	wb_reset(&r->install_conf);
	wb_bytes(&r->install_conf, s->conf, s->conf_len);
	s->data = r->install_data.p;
	s->conf = r->install_conf.p;
	log_info("snapshot: from the leader: writing: index %llu, %zu bytes",
	    (unsigned long long)s->index, file.len);
	disk_install(r->disk, s, &file);
}

static void
peer_snapshot(uint64_t from, uint64_t term, struct wbuf *file, void *arg)
{
	struct replica *r = arg;

	if (!r->running || disk_in_memory(r->disk) ||
	    r->installing.index != 0)
		return;
	wb_free(&r->install_file);
	r->install_file = *file;
	memset(file, 0, sizeof(*file));
	r->install_from = from;
	r->install_term = term;
	try_install(r);
	settle(r);
}

static void
installed(struct replica *r)
{
	struct log_snapshot *s = &r->installing;
	const char *why = "";

	if (r->ops.restore(s->index, s->data, s->data_len, &why,
	    r->ops.arg) == -1)
		fatalx("snapshot from the leader at index %llu: %s",
		    (unsigned long long)s->index, why);
	r->snap_index = s->index;
	r->snap_term = s->term;
	log_info("snapshot: installed: index %llu",
	    (unsigned long long)s->index);
	memset(s, 0, sizeof(*s));
	wb_free(&r->install_data);
	wb_init(&r->install_data, 0);
	rcore_installed(r->core, ev_now(r->ev));
}

static void
on_snapshotted(uint64_t index, void *arg)
{
	struct replica *r = arg;

	if (index == 0) {
		log_warnx("snapshot: index %llu: no space left on the disk",
		    (unsigned long long)r->taking.index);
		r->taking.index = 0;
		r->snap_retry_ms = ev_now(r->ev) + SNAPSHOT_RETRY_MS;
		try_install(r);
	} else if (r->installing.index == index)
		installed(r);
	else {
		r->snap_index = index;
		r->snap_term = r->taking.term;
		log_info("snapshot: written: index %llu",
		    (unsigned long long)index);
		rcore_snapshot(r->core, ev_now(r->ev), &r->taking);
		r->taking.index = 0;
		r->want_snapshot = false;
		try_install(r);
	}
	settle(r);
}

/* ---- starting ---- */

static uint64_t
cluster_of(const uint8_t *p, size_t n)
{
	return hash_bytes(p, n, 0) | 1;
}

/* A log's first entry. */
static struct log_entry *
first_entry(const struct replica_server *s, size_t n)
{
	struct log_entry *le = xcalloc(1, sizeof(*le));

	le->index = 1;
	le->term = 1;
	le->type = 3;		/* RAFT_CHANGE */
	le->p = encode(s, n, &le->len);
	if (le->p == NULL) {
		free(le);
		return NULL;
	}
	return le;
}

uint64_t
replica_first_cluster(const struct replica_server *s, size_t n)
{
	uint64_t cluster = 0;
	size_t len;
	uint8_t *p;

	if ((p = encode(s, n, &len)) != NULL)
		cluster = cluster_of(p, len);
	free(p);
	return cluster;
}

static void
describe_self(const struct replica *r, struct replica_server *s)
{
	memset(s, 0, sizeof(*s));
	s->id = r->meta.id;
	s->voter = s->self = true;
	(void)strlcpy(s->node_id, r->node_id, sizeof(s->node_id));
	(void)strlcpy(s->address, r->address, sizeof(s->address));
}

/*
 * Metadata first, then the entry, then the metadata that says there is one: a
 * crash between them starts over.
 */
static void
bootstrap_alone(struct replica *r, struct disk_found *f)
{
	struct replica_server self;

	describe_self(r, &self);
	if ((f->entry = first_entry(&self, 1)) == NULL)
		fatalx("raft: no first entry for %s", r->node_id);
	f->n = 1;
	r->meta.term = 1;
	r->meta.cluster = cluster_of(f->entry->p, f->entry->len);
	disk_meta(r->disk, &r->meta);
	if (!disk_in_memory(r->disk))
		disk_append_sync(r->disk, f->entry, f->n);
	log_info("raft: bootstrapped: this server alone");
}

static void
start_core(struct replica *r, const struct log_snapshot *snap,
    struct log_entry *e, size_t n)
{
	uint64_t now = ev_now(r->ev);

	/* What is on disk is replayed while it begins. */
	r->running = true;
	if (rcore_start(r->core, now, r->meta.term, r->meta.vote, snap, e,
	    n) == -1)
		fatalx("raft: the membership on disk cannot be read");
	settle(r);
}

/* The first entry is on disk: the consensus begins with it. */
static void
booted(struct replica *r)
{
	r->booting = false;
	r->meta.flags |= META_HAS_LOG;
	disk_meta(r->disk, &r->meta);
	start_core(r, NULL, r->boot, 1);
	free(r->boot);
	r->boot = NULL;
}

int
replica_bootstrap(struct replica *r, const struct replica_server *s, size_t n)
{
	if (r->booting || !r->running || rcore_last_index(r->core) > 0 ||
	    rcore_nservers(r->core) > 0 || disk_in_memory(r->disk) ||
	    (r->boot = first_entry(s, n)) == NULL)
		return -1;
	r->running = false;
	r->booting = true;
	if (r->meta.term == 0)
		r->meta.term = 1;
	save_cluster(r, cluster_of(r->boot->p, r->boot->len));
	disk_append(r->disk, r->boot, 1);
	log_info("raft: bootstrapping: %zu servers", n);
	return 0;
}

static void
on_persisted(uint64_t index, void *arg)
{
	struct replica *r = arg;

	if (r->booting) {
		if (index >= 1)
			booted(r);
		return;
	}
	if ((r->meta.flags & META_HAS_LOG) == 0) {
		r->meta.flags |= META_HAS_LOG;
		disk_meta(r->disk, &r->meta);
	}
	rcore_persisted(r->core, ev_now(r->ev), index);
	settle(r);
}

static int
restore_snapshot(struct replica *r, const struct disk_found *f,
    const char *shown, char *err, size_t errlen)
{
	const char *why = "no membership";

	if (peer_conf_valid(f->snapshot.conf, f->snapshot.conf_len) &&
	    r->ops.restore(f->snapshot.index, f->snapshot.data,
	    f->snapshot.data_len, &why, r->ops.arg) == 0) {
		r->snap_index = f->snapshot.index;
		r->snap_term = f->snapshot.term;
		return 0;
	}
	snprintf(err, errlen, "%s: snapshot at index %llu: %s; to start "
	    "without this server's copy of the catalog: mv %s %s.damaged",
	    shown, (unsigned long long)f->snapshot.index, why, shown, shown);
	return -1;
}

static void
make_core(struct replica *r, const struct replica_conf *c)
{
	static const struct peers_ops pops = { peer_dial, peer_where,
	    peer_receive, peer_snapshot, peer_cluster, NULL };
	struct rcore_ops ops = { core_meta, core_append, core_send,
	    core_send_snapshot, core_want_snapshot, core_apply, core_lost,
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
	po.arg = r;
	r->peers = peers_new(r->ev, r->meta.id, str_or(c->datacenter, ""),
	    r->address, &po);
	peers_set_cluster(r->peers, r->meta.cluster);
}

static void
choose_id(struct replica *r, const struct disk_found *f)
{
	struct rng rng;

	if (f->has_meta) {
		r->meta = f->meta;
		return;
	}
	/* Made anew with the data: an id whose log is lost never returns. */
	rng_seed_os(&rng);
	while ((r->meta.id = rng_next(&rng) >> 2) == 0)
		;
}

/* The log that is there, or a new one if we are told to. */
static void
prepare_log(struct replica *r, const struct replica_conf *c,
    struct disk_found *f)
{
	bool had_log = f->n > 0 || f->has_snapshot;

	choose_id(r, f);
	if (!had_log && c->bootstrap) {
		bootstrap_alone(r, f);
		had_log = true;
	}
	if (!had_log || ((r->meta.flags & META_HAS_LOG) != 0 &&
	    r->meta.cluster != 0))
		return;
	/* Until now one server was all there could be. */
	if (r->meta.cluster == 0)
		r->meta.cluster = cluster_of((uint8_t *)&r->meta.id,
		    sizeof(r->meta.id));
	r->meta.flags |= META_HAS_LOG;
	disk_meta(r->disk, &r->meta);
}

struct replica *
replica_start(struct ev *ev, const struct replica_conf *c,
    const struct replica_ops *ops, char *err, size_t errlen)
{
	struct disk_ops dops = { on_persisted, on_snapshotted, on_full, NULL };
	struct disk_found found;
	struct replica *r;

	r = xcalloc(1, sizeof(*r));
	r->ev = ev;
	r->ops = *ops;
	r->node_id = xstrdup(str_or(c->node_id, ""));
	r->address = xstrdup(str_or(c->address, ""));
	r->dir = xstrdup(c->dir);
	wb_init(&r->taking_conf, 0);
	wb_init(&r->install_file, 0);
	wb_init(&r->install_data, 0);
	wb_init(&r->install_conf, 0);
	r->disk = disk_open(c->dir, c->shown, &found, err, errlen);
	if (r->disk == NULL || (found.has_snapshot &&
	    restore_snapshot(r, &found, c->shown, err, errlen) == -1)) {
		if (r->disk != NULL)
			disk_found_clear(&found);
		replica_free(r);
		return NULL;
	}
	if (found.cut > 0)
		log_warnx("%s: log: %llu bytes of an unfinished write cut off",
		    c->shown, (unsigned long long)found.cut);
	prepare_log(r, c, &found);
	if (!disk_in_memory(r->disk) && recover_at_start(r->disk, &found,
	    &r->meta, c->dir, c->shown, r->node_id, err, errlen) == -1) {
		disk_found_clear(&found);
		replica_free(r);
		return NULL;
	}
	dops.arg = r;
	disk_start(r->disk, ev, &dops);
	r->timeout = ev_timer_new(ev, on_timeout, r);
	r->turn = ev_timer_new(ev, on_turn, r);
	make_core(r, c);
	start_core(r, found.has_snapshot ? &found.snapshot : NULL,
	    found.entry, found.n);
	disk_found_clear(&found);
	return r;
}

void
replica_free(struct replica *r)
{
	if (r == NULL)
		return;
	if (r->core != NULL)
		replica_flush(r);
	disk_close(r->disk);
	peers_free(r->peers);
	ev_timer_free(r->timeout);
	ev_timer_free(r->turn);
	rcore_free(r->core);
	if (r->boot != NULL)
		free((void *)(uintptr_t)r->boot->p);
	free(r->boot);
	wb_free(&r->taking_conf);
	wb_free(&r->install_file);
	wb_free(&r->install_data);
	wb_free(&r->install_conf);
	free(r->node_id);
	free(r->address);
	free(r->dir);
	free(r);
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

/*
 * The simulation of catalogd_raft_sim.h, and its runs.  RAFT_SIM_SEEDS says how
 * many of each kind; RAFT_SIM_SEED runs one alone.
 */
#include "tests/unit/catalogd_raft_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/raft_core.h"
#include "catalogd/raft_core_i.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define NODES_MAX 7
#define ENTRIES_MAX 200000
#define PACKETS_MAX 8192
#define TERMS_MAX 20000
#define ELECTION_MS 150
#define HEARTBEAT_MS 30
#define SETTLE_MS 60000
#define RAFT_CHANGE_TYPE 3

struct dentry {
	uint64_t term;
	uint8_t	 type;
	uint8_t	*p;
	size_t	 len;
};

struct snap {
	uint64_t index, term, conf_index, hash;
	uint8_t	*conf;
	size_t	 conf_len;
};

/* Entries on their way to the disk. */
struct job {
	uint64_t at, first, epoch;
	struct dentry *e;
	size_t	 n;
	struct job *next;
};

struct packet {
	uint64_t at, seq;
	int	 from, to;
	uint64_t link;		/* of the connection it is on */
	uint8_t	*p;
	size_t	 n;
	struct snap *snap;	/* instead */
	uint64_t term;
};

struct sim;
struct node {
	struct sim *sim;
	int	 i;
	bool	 up;
	uint64_t down_until;
	struct rcore *c;
	/* on disk */
	uint64_t term, vote;
	struct dentry *log;
	size_t	 nlog, cap;
	uint64_t first;		/* index of log[0] */
	struct snap snap;
	/* in memory */
	struct job *jobs;
	uint64_t epoch, queued, disk_busy;
	uint64_t applied, hash, commit;
	struct snap *install;	/* being written until install_at */
	uint64_t install_at;
	uint64_t confirm_number, confirm_floor;
	bool	 want_snapshot;
};

struct sim {
	struct sim_conf conf;
	struct sim_result *res;
	struct rng rng;
	uint64_t now, seq;
	struct node node[NODES_MAX];
	struct packet packet[PACKETS_MAX];
	size_t	 npackets;
	int	 side[NODES_MAX];
	uint64_t link[NODES_MAX][NODES_MAX];	/* raised when one breaks */
	uint64_t last[NODES_MAX][NODES_MAX];
	uint64_t *applied;	/* by index: the hash of that entry */
	uint64_t *chain;	/* by index: of all up to it */
	uint64_t top;		/* highest index applied anywhere */
	uint64_t acked;		/* highest acknowledged */
	uint64_t leader_of[TERMS_MAX];
	uint64_t proposals;
	bool	 quiet;		/* nobody proposes of himself */
	uint64_t mute_term;	/* entries of that term stay behind */
};

static bool
chance(struct sim *s, uint32_t one_in)
{
	return rng_below(&s->rng, one_in) == 0;
}

static void
broken(struct sim *s, const char *why)
{
	if (s->res->broken == NULL) {
		s->res->broken = why;
		s->res->broken_ms = s->now;
	}
}

static uint64_t
node_id(int i)
{
	return 1000 + (uint64_t)i;
}

/* ---- disk ---- */

static void
dentries_free(struct dentry *e, size_t n)
{
	while (n > 0)
		free(e[--n].p);
	free(e);
}

static void
disk_truncate(struct node *n, uint64_t index)
{
	while (n->nlog > 0 && n->first + n->nlog - 1 >= index)
		free(n->log[--n->nlog].p);
}

static void
disk_store(struct node *n, uint64_t index, struct dentry *e)
{
	disk_truncate(n, index);
	/* Behind a snapshot that is ahead of the log. */
	if (n->nlog > 0 && n->first + n->nlog < index)
		disk_truncate(n, 0);
	if (n->nlog == 0)
		n->first = index;
	if (n->nlog == n->cap) {
		n->cap = n->cap == 0 ? 64 : n->cap * 2;
		n->log = xreallocarray(n->log, n->cap, sizeof(*n->log));
	}
	n->log[n->nlog++] = *e;
	e->p = NULL;
}

static void
job_free(struct job *j)
{
	dentries_free(j->e, j->n);
	free(j);
}

static void
disk_run(struct node *n)
{
	struct job *j;
	size_t i;

	while (n->up && (j = n->jobs) != NULL && j->at <= n->sim->now) {
		n->jobs = j->next;
		for (i = 0; i < j->n; i++)
			disk_store(n, j->first + i, &j->e[i]);
		if (j->epoch == n->epoch && !n->sim->conf.lies)
			rcore_persisted(n->c, n->sim->now,
			    j->first + j->n - 1);
		job_free(j);
	}
}

static void
snap_set(struct snap *to, const struct snap *from)
{
	uint8_t *old = to->conf;

	*to = *from;
	to->conf = memcpy(xmalloc(from->conf_len + 1), from->conf,
	    from->conf_len);
	free(old);
}

/* ---- ops ---- */

static void
op_meta(uint64_t term, uint64_t vote, void *arg)
{
	struct node *n = arg;

	if (term < n->term)
		broken(n->sim, "a term went back");
	if (term == n->term && n->vote != 0 && vote != n->vote)
		broken(n->sim, "two votes in one term");
	n->term = term;
	n->vote = vote;
}

static void
op_append(const struct log_entry *e, size_t n, void *arg)
{
	struct node *node = arg;
	struct sim *s = node->sim;
	struct job *j = xcalloc(1, sizeof(*j)), **at;
	size_t i;

	if (e[0].index < node->queued)
		node->epoch++;
	node->queued = e[n - 1].index + 1;
	j->first = e[0].index;
	j->n = n;
	j->epoch = node->epoch;
	j->e = xcalloc(n, sizeof(*j->e));
	for (i = 0; i < n; i++) {
		j->e[i].term = e[i].term;
		j->e[i].type = e[i].type;
		j->e[i].len = e[i].len;
		j->e[i].p = memcpy(xmalloc(e[i].len + 1), e[i].p, e[i].len);
	}
	if (node->disk_busy < s->now)
		node->disk_busy = s->now;
	node->disk_busy += s->conf.faults ? rng_below(&s->rng, 20) : 1;
	j->at = node->disk_busy;
	for (at = &node->jobs; *at != NULL; at = &(*at)->next)
		;
	*at = j;
}

static struct packet *
packet_add(struct sim *s, int from, int to)
{
	struct packet *p;
	uint64_t at;

	if (s->npackets == PACKETS_MAX)
		return NULL;
	if (s->conf.faults && !s->conf.ordered && chance(s, 15))
		return NULL;
	at = s->now + 1 + (s->conf.faults ? rng_below(&s->rng,
	    chance(s, 50) ? 300 : 8) : 0);
	if (s->conf.ordered && at < s->last[from][to])
		at = s->last[from][to];
	s->last[from][to] = at;
	p = &s->packet[s->npackets++];
	memset(p, 0, sizeof(*p));
	p->at = at;
	p->seq = s->seq++;
	p->from = from;
	p->to = to;
	p->link = s->link[from][to];
	return p;
}

static void
send_one(struct node *node, uint64_t to, const struct peer_msg *m)
{
	struct sim *s = node->sim;
	struct packet *p;
	struct wbuf w;
	int i, copies = 1;

	if (s->conf.faults && !s->conf.ordered && chance(s, 20))
		copies = 2;
	for (i = 0; i < copies; i++) {
		if ((p = packet_add(s, node->i, (int)(to - 1000))) == NULL)
			continue;
		wb_init(&w, 0);
		peer_msg_encode(&w, m);
		p->p = w.p;
		p->n = w.len;
	}
}

/*
 * Entries that go together need not arrive together: some of them may be all
 * that a follower ever gets from this leader.
 */
static void
op_send(uint64_t to, const struct peer_msg *m, void *arg)
{
	struct node *node = arg;
	struct sim *s = node->sim;
	struct peer_msg part = *m;
	size_t left = m->n;

	if (left < 2 || (s->mute_term == 0 &&
	    (!s->conf.faults || chance(s, 2)))) {
		send_one(node, to, m);
		return;
	}
	for (; left > 0; left -= part.n) {
		part.n = s->mute_term != 0 ? 1 :
		    1 + rng_below(&s->rng, (uint32_t)left);
		send_one(node, to, &part);
		part.index += part.n;
		part.index_term = part.entry[part.n - 1].term;
		part.entry += part.n;
	}
}

static void
op_send_snapshot(uint64_t to, void *arg)
{
	struct node *node = arg;
	struct packet *p;

	if (node->snap.index == 0) {
		node->want_snapshot = true;
		return;
	}
	if ((p = packet_add(node->sim, node->i, (int)(to - 1000))) == NULL)
		return;
	p->term = rcore_term(node->c);
	p->snap = xcalloc(1, sizeof(*p->snap));
	snap_set(p->snap, &node->snap);
}

static void
op_want_snapshot(void *arg)
{
	struct node *node = arg;

	node->want_snapshot = true;
}

static void
op_apply(uint64_t index, const uint8_t *p, size_t len, void *tag, void *arg)
{
	struct node *n = arg;
	struct sim *s = n->sim;
	uint64_t h = hash_bytes(p, len, 0x5eed);

	if (index != n->applied + 1)
		broken(s, "an index was left out or applied twice");
	if (index >= ENTRIES_MAX)
		return;
	n->applied = index;
	n->hash = hash_bytes(&h, sizeof(h), n->hash);
	if (index > s->top) {
		s->top = index;
		s->applied[index] = h;
		s->chain[index] = n->hash;
	} else if (s->applied[index] != h || s->chain[index] != n->hash)
		broken(s, "two servers applied different entries");
	if (tag != NULL && index > s->acked) {
		s->acked = index;
		s->res->acked++;
	}
}

static void
op_lost(void *tag, void *arg)
{
	(void)tag;
	(void)arg;
}

/* ---- life of a server ---- */

static void
node_start(struct node *n)
{
	static const struct rcore_ops ops = { op_meta, op_append, op_send,
	    op_send_snapshot, op_want_snapshot, op_apply, op_lost, NULL };
	struct rcore_ops o = ops;
	struct rcore_conf c;
	struct log_snapshot ls;
	struct log_entry *e;
	size_t i, k = 0;

	memset(&c, 0, sizeof(c));
	c.id = node_id(n->i);
	c.seed = (unsigned)rng_next(&n->sim->rng);
	c.election_ms = ELECTION_MS;
	c.heartbeat_ms = HEARTBEAT_MS;
	c.window = 2000;
	o.arg = n;
	n->up = true;
	n->c = rcore_new(&c, &o);
	n->applied = n->hash = n->commit = 0;
	n->disk_busy = 0;
	n->epoch++;
	e = xcalloc(n->nlog + 1, sizeof(*e));
	for (i = 0; i < n->nlog; i++) {
		if (n->first + i <= n->snap.index)
			continue;
		/* As raft_disk_load.c's drop_stale(). */
		if (k == 0 && n->log[i].term < n->snap.term)
			break;
		e[k].index = n->first + i;
		e[k].term = n->log[i].term;
		e[k].type = n->log[i].type;
		e[k].len = n->log[i].len;
		e[k].p = memcpy(xmalloc(e[k].len + 1), n->log[i].p, e[k].len);
		k++;
	}
	n->queued = n->snap.index + k + 1;
	memset(&ls, 0, sizeof(ls));
	if (n->snap.index > 0) {
		ls.index = n->snap.index;
		ls.term = n->snap.term;
		ls.conf_index = n->snap.conf_index;
		ls.conf = n->snap.conf;
		ls.conf_len = n->snap.conf_len;
		n->applied = n->snap.index;
		n->hash = n->snap.hash;
	}
	if (rcore_start(n->c, n->sim->now, n->term, n->vote,
	    n->snap.index > 0 ? &ls : NULL, e, k) == -1)
		broken(n->sim, "a server cannot start again");
	free(e);
}

/* What was not synced is gone, or part of it. */
static void
node_crash(struct node *n)
{
	struct sim *s = n->sim;
	struct job *j;
	bool keep = true;
	size_t i;

	s->res->crashes++;
	while ((j = n->jobs) != NULL) {
		n->jobs = j->next;
		for (i = 0; keep && i < j->n; i++) {
			keep = chance(s, 2);
			if (keep)
				disk_store(n, j->first + i, &j->e[i]);
		}
		job_free(j);
	}
	if (n->install != NULL) {
		free(n->install->conf);
		free(n->install);
		n->install = NULL;
	}
	rcore_free(n->c);
	n->c = NULL;
	n->up = false;
	n->down_until = s->now + 50 + rng_below(&s->rng, 1500);
	for (i = 0; i < s->conf.servers; i++) {
		s->link[n->i][i]++;
		s->link[i][n->i]++;
	}
	n->confirm_number = 0;
}

static void
node_snapshot(struct node *n)
{
	struct log_snapshot ls;
	struct snap sn;

	n->want_snapshot = false;
	if (n->applied < RCORE_SNAPSHOT_MIN || n->install != NULL ||
	    rcore_installing(n->c))
		return;
	memset(&sn, 0, sizeof(sn));
	memset(&ls, 0, sizeof(ls));
	ls.conf = rcore_conf_bytes(n->c, &ls.conf_len, &ls.conf_index);
	if (ls.conf_len == 0)
		return;
	sn.index = ls.index = rcore_applied(n->c);
	sn.term = ls.term = rcore_applied_term(n->c);
	sn.conf_index = ls.conf_index;
	sn.conf = (uint8_t *)(uintptr_t)ls.conf;
	sn.conf_len = ls.conf_len;
	sn.hash = n->hash;
	if (sn.index != n->snap.index)
		snap_set(&n->snap, &sn);
	rcore_snapshot(n->c, n->sim->now, &ls);
}

static void
install_begin(struct node *n, const struct packet *p)
{
	struct log_snapshot ls;
	struct job *j;

	memset(&ls, 0, sizeof(ls));
	ls.index = p->snap->index;
	ls.term = p->snap->term;
	ls.conf_index = p->snap->conf_index;
	ls.conf = p->snap->conf;
	ls.conf_len = p->snap->conf_len;
	if (n->install != NULL || !rcore_install(n->c, n->sim->now,
	    node_id(p->from), p->term, &ls))
		return;
	n->sim->res->installs++;
	while ((j = n->jobs) != NULL) {
		n->jobs = j->next;
		job_free(j);
	}
	n->epoch++;
	n->queued = p->snap->index + 1;
	n->install = xcalloc(1, sizeof(*n->install));
	snap_set(n->install, p->snap);
	n->install_at = n->sim->now + rng_below(&n->sim->rng, 60);
}

static void
install_end(struct node *n)
{
	snap_set(&n->snap, n->install);
	/* A crash may come before the old log is gone. */
	if (!chance(n->sim, 4))
		disk_truncate(n, 0);
	n->applied = n->install->index;
	n->hash = n->install->hash;
	if (n->applied <= n->sim->top &&
	    n->sim->chain[n->applied] != n->hash)
		broken(n->sim, "a snapshot holds another state");
	free(n->install->conf);
	free(n->install);
	n->install = NULL;
	rcore_installed(n->c, n->sim->now);
}

/* ---- network ---- */

static void
packet_free(struct packet *p)
{
	free(p->p);
	if (p->snap != NULL)
		free(p->snap->conf);
	free(p->snap);
}

static void
deliver(struct sim *s, struct packet *p)
{
	struct node *n = &s->node[p->to];
	struct peer_msg m;
	const char *why;
	size_t kept;

	if (!n->up || s->side[p->from] != s->side[p->to] ||
	    (s->conf.ordered && p->link != s->link[p->from][p->to]))
		return;
	if (p->snap != NULL) {
		install_begin(n, p);
		return;
	}
	if (peer_msg_decode(p->p, p->n, &m, &why) != (long)p->n) {
		broken(s, "a message does not read back");
		return;
	}
	kept = m.n;
	if (s->mute_term != 0 && m.n > 0 &&
	    m.entry[m.n - 1].term == s->mute_term)
		m.n = 0;
	rcore_receive(n->c, s->now, node_id(p->from), &m);
	m.n = kept;
	peer_msg_clear(&m);
}

static void
network_run(struct sim *s)
{
	struct packet p;
	size_t i, best;

	for (;;) {
		best = s->npackets;
		for (i = 0; i < s->npackets; i++)
			if (s->packet[i].at <= s->now &&
			    (best == s->npackets ||
			    s->packet[i].at < s->packet[best].at ||
			    (s->packet[i].at == s->packet[best].at &&
			    s->packet[i].seq < s->packet[best].seq)))
				best = i;
		if (best == s->npackets)
			return;
		p = s->packet[best];
		s->packet[best] = s->packet[--s->npackets];
		deliver(s, &p);
		packet_free(&p);
	}
}

static void
split(struct sim *s)
{
	unsigned i, j;

	for (i = 0; i < s->conf.servers; i++)
		s->side[i] = (int)rng_below(&s->rng, 2);
	for (i = 0; i < s->conf.servers; i++)
		for (j = 0; j < s->conf.servers; j++)
			if (s->side[i] != s->side[j])
				s->link[i][j]++;
}

/* ---- what happens ---- */

static void
propose(struct node *n)
{
	static char tag;
	uint8_t buf[96];
	size_t len = 8 + rng_below(&n->sim->rng, 80);

	memset(buf, (int)(n->sim->proposals & 0xff), sizeof(buf));
	n->sim->proposals++;
	memcpy(buf, &n->sim->proposals, sizeof(n->sim->proposals));
	if (rcore_propose(n->c, buf, len, &tag) == 0)
		rcore_flush(n->c, n->sim->now);
}

static void
change_membership(struct node *n)
{
	struct rcore_member m[NODES_MAX + 1];
	char address[NODES_MAX + 1][16];
	struct sim *s = n->sim;
	struct rcore_server cs;
	unsigned i, k, voters = 0, count = rcore_nservers(n->c);
	size_t len;
	uint8_t *p;

	for (i = 0; i < count; i++) {
		rcore_server(n->c, i, &cs);
		m[i].id = cs.id;
		m[i].voter = cs.voter;
		snprintf(address[i], sizeof(address[i]), "%s", cs.address);
		m[i].address = address[i];
		voters += cs.voter;
	}
	k = rng_below(&s->rng, s->conf.servers);
	for (i = 0; i < count && m[i].id != node_id((int)k); i++)
		;
	if (i == count) {
		m[i].id = node_id((int)k);
		m[i].voter = chance(s, 3);
		snprintf(address[i], sizeof(address[i]), "a%u", k);
		m[i].address = address[i];
		count++;
	} else if (!m[i].voter)
		m[i].voter = true;
	else if (voters > 1 && chance(s, 2)) {
		memmove(m + i, m + i + 1, (count - i - 1) * sizeof(*m));
		count--;
	} else
		return;
	p = rcore_conf_encode(m, count, &len);
	if (rcore_change(n->c, s->now, p, len) == 0)
		s->res->changes++;
	free(p);
}

static void
confirm(struct node *n)
{
	if (n->confirm_number != 0 || !rcore_in_office(n->c))
		return;
	n->confirm_floor = n->sim->acked;
	n->confirm_number = rcore_confirm(n->c, n->sim->now);
}

static void
leader_events(struct node *n)
{
	struct sim *s = n->sim;

	if (!s->quiet && chance(s, 4))
		propose(n);
	if (chance(s, 100))
		confirm(n);
	if (s->conf.membership && s->conf.faults && chance(s, 400))
		change_membership(n);
	if (s->conf.faults && chance(s, 3000))
		(void)rcore_transfer(n->c, s->now, 0);
}

static int
cmp_index(const void *a, const void *b)
{
	const raft_index *x = a, *y = b;

	return *x < *y ? 1 : *x > *y ? -1 : 0;
}

/*
 * What Figure 8 of the paper is about: what most servers have is taken for
 * committed though it is of an older term.
 */
static void
commit_by_counting(struct node *n)
{
	struct raft *r = &n->c->core;
	raft_index match[NODES_MAX];
	unsigned i, voters = 0;

	for (i = 0; i < r->configuration.n; i++) {
		if (r->configuration.servers[i].role != RAFT_VOTER)
			continue;
		match[voters] = r->last_stored;
		if (r->configuration.servers[i].id != node_id(n->i))
			(void)raft_match_index(r,
			    r->configuration.servers[i].id, &match[voters]);
		voters++;
	}
	qsort(match, voters, sizeof(*match), cmp_index);
	if (voters > 0 && match[voters / 2] > r->commit_index)
		r->commit_index = match[voters / 2];
}

static void
check_node(struct node *n)
{
	struct sim *s = n->sim;
	uint64_t term = rcore_term(n->c);

	if (rcore_broken(n->c) != NULL)
		broken(s, rcore_broken(n->c));
	if (rcore_commit(n->c) < n->commit)
		broken(s, "a commit index went back");
	n->commit = rcore_commit(n->c);
	if (rcore_state(n->c) == RCORE_LEADER && term < TERMS_MAX) {
		if (s->leader_of[term] == 0)
			s->res->elections++;
		else if (s->leader_of[term] != node_id(n->i))
			broken(s, "two leaders in one term");
		s->leader_of[term] = node_id(n->i);
	}
	if (n->confirm_number == 0)
		return;
	if (!rcore_in_office(n->c))
		n->confirm_number = 0;
	else if (rcore_confirmed(n->c) >= n->confirm_number) {
		if (n->applied < n->confirm_floor)
			broken(s, "a confirmed leader lacks what was "
			    "acknowledged");
		s->res->confirms++;
		n->confirm_number = 0;
	}
}

static void
node_turn(struct node *n)
{
	struct sim *s = n->sim;

	disk_run(n);
	if (n->install != NULL && n->install_at <= s->now)
		install_end(n);
	rcore_tick(n->c, s->now);
	rcore_flush(n->c, s->now);
	/* It says so before it is: the control. */
	if (s->conf.lies && n->queued > 0)
		rcore_persisted(n->c, s->now, n->queued - 1);
	if (n->want_snapshot || chance(s, 1500))
		node_snapshot(n);
	if (rcore_state(n->c) == RCORE_LEADER)
		leader_events(n);
	if (s->conf.counts && rcore_state(n->c) == RCORE_LEADER)
		commit_by_counting(n);
	check_node(n);
	if (s->conf.faults && chance(s, 2500))
		node_crash(n);
}

static void
step(struct sim *s)
{
	unsigned i;

	s->now++;
	network_run(s);
	for (i = 0; i < s->conf.servers; i++) {
		if (s->node[i].up)
			node_turn(&s->node[i]);
		else if (s->now >= s->node[i].down_until)
			node_start(&s->node[i]);
	}
	if (s->conf.faults && chance(s, 700)) {
		if (chance(s, 2))
			split(s);
		else
			memset(s->side, 0, sizeof(s->side));
	}
}

/* Everybody in the leader's membership has everything. */
static bool
settled(struct sim *s)
{
	struct rcore_server cs;
	struct node *l = NULL, *n;
	unsigned i;

	for (i = 0; i < s->conf.servers; i++)
		if (s->node[i].up && rcore_in_office(s->node[i].c) &&
		    (l == NULL || rcore_term(s->node[i].c) >
		    rcore_term(l->c)))
			l = &s->node[i];
	if (l == NULL || l->applied < s->top || rcore_changing(l->c))
		return false;
	for (i = 0; i < rcore_nservers(l->c); i++) {
		rcore_server(l->c, i, &cs);
		n = &s->node[cs.id - 1000];
		if (!n->up || n->applied + 50 < l->applied)
			return false;
	}
	return true;
}

/* ---- a run ---- */

/* For whoever looks into a failure. */
static void
show(const struct sim *s)
{
	const struct node *n;
	struct rcore_server cs;
	unsigned i, k;

	for (i = 0; i < s->conf.servers; i++) {
		n = &s->node[i];
		printf("# server %u: %s", i, n->up ? "up" : "down");
		if (n->up)
			printf(", state %d term %llu last %llu commit %llu "
			    "applied %llu snapshot %llu%s%s:",
			    (int)rcore_state(n->c),
			    (unsigned long long)rcore_term(n->c),
			    (unsigned long long)rcore_last_index(n->c),
			    (unsigned long long)rcore_commit(n->c),
			    (unsigned long long)n->applied,
			    (unsigned long long)n->snap.index,
			    rcore_changing(n->c) ? ", changing" : "",
			    rcore_installing(n->c) ? ", installing" : "");
		for (k = 0; n->up && k < rcore_nservers(n->c); k++) {
			rcore_server(n->c, k, &cs);
			printf(" %llu%s(%llu)", (unsigned long long)cs.id -
			    1000, cs.voter ? "" : "-",
			    (unsigned long long)cs.match);
		}
		printf("\n");
	}
}

static void
begin(struct sim *s)
{
	struct rcore_member m[NODES_MAX];
	char address[NODES_MAX][16];
	struct dentry e;
	unsigned i;

	for (i = 0; i < s->conf.first; i++) {
		m[i].id = node_id((int)i);
		snprintf(address[i], sizeof(address[i]), "a%u", i);
		m[i].address = address[i];
		m[i].voter = true;
	}
	for (i = 0; i < s->conf.servers; i++) {
		s->node[i].sim = s;
		s->node[i].i = (int)i;
		if (i < s->conf.first) {
			e.term = 1;
			e.type = RAFT_CHANGE_TYPE;
			e.p = rcore_conf_encode(m, s->conf.first, &e.len);
			disk_store(&s->node[i], 1, &e);
			s->node[i].term = 1;
		}
		node_start(&s->node[i]);
	}
}

static void
end(struct sim *s)
{
	struct node *n;
	struct job *j;
	unsigned i;

	for (i = 0; i < s->conf.servers; i++) {
		n = &s->node[i];
		rcore_free(n->c);
		while ((j = n->jobs) != NULL) {
			n->jobs = j->next;
			job_free(j);
		}
		dentries_free(n->log, n->nlog);
		free(n->snap.conf);
		if (n->install != NULL)
			free(n->install->conf);
		free(n->install);
	}
	while (s->npackets > 0)
		packet_free(&s->packet[--s->npackets]);
	free(s->applied);
	free(s->chain);
	free(s);
}

static struct sim *
sim_new(const struct sim_conf *conf, struct sim_result *res)
{
	struct sim *s = xcalloc(1, sizeof(*s));

	memset(res, 0, sizeof(*res));
	s->conf = *conf;
	s->res = res;
	s->now = 1000;
	s->applied = xcalloc(ENTRIES_MAX, sizeof(*s->applied));
	s->chain = xcalloc(ENTRIES_MAX, sizeof(*s->chain));
	rng_seed(&s->rng, conf->seed);
	begin(s);
	return s;
}

void
sim_run(const struct sim_conf *conf, struct sim_result *res)
{
	struct sim *s = sim_new(conf, res);
	uint64_t limit = s->now + conf->ms;

	while (res->broken == NULL && s->now < limit)
		step(s);
	s->conf.faults = false;
	memset(s->side, 0, sizeof(s->side));
	limit = s->now + SETTLE_MS;
	while (res->broken == NULL && !settled(s) && s->now < limit)
		step(s);
	if (res->broken == NULL && s->now >= limit) {
		broken(s, "no agreement after the faults ended");
		show(s);
	}
	res->entries = s->top;
	end(s);
}

/* ---- the tests ---- */

static unsigned
seeds(unsigned fallback)
{
	const char *v = getenv("RAFT_SIM_SEEDS");

	return v != NULL ? (unsigned)strtoul(v, NULL, 10) : fallback;
}

static void
run_seeds(struct sim_conf c, unsigned n)
{
	const char *one = getenv("RAFT_SIM_SEED");
	struct sim_result r, sum;
	unsigned i;

	memset(&sum, 0, sizeof(sum));
	for (i = 1; i <= n; i++) {
		c.seed = one != NULL ? strtoull(one, NULL, 10) : i;
		sim_run(&c, &r);
		ck_assert_msg(r.broken == NULL, "%u servers, seed %llu: %s "
		    "(at %llu ms)", c.servers, (unsigned long long)c.seed,
		    r.broken, (unsigned long long)r.broken_ms);
		sum.entries += r.entries;
		sum.acked += r.acked;
		sum.elections += r.elections;
		sum.crashes += r.crashes;
		sum.installs += r.installs;
		sum.changes += r.changes;
		sum.confirms += r.confirms;
	}
	if (getenv("RAFT_SIM_SEEDS") != NULL)
		printf("# %u servers, %u runs: %llu entries, %llu acked, %llu "
		    "elections, %llu crashes, %llu snapshots sent, %llu "
		    "changes, %llu confirmed\n", c.servers, n,
		    (unsigned long long)sum.entries,
		    (unsigned long long)sum.acked,
		    (unsigned long long)sum.elections,
		    (unsigned long long)sum.crashes,
		    (unsigned long long)sum.installs,
		    (unsigned long long)sum.changes,
		    (unsigned long long)sum.confirms);
	/* A test in which nothing happens says nothing. */
	ck_assert_uint_gt(sum.acked, 100);
	ck_assert_uint_gt(sum.elections, n);
	ck_assert_uint_gt(sum.crashes, n);
	ck_assert_uint_gt(sum.confirms, n);
}

START_TEST(three_servers_agree_over_connections_that_break)
{
	struct sim_conf c = { .servers = 3, .first = 3, .ms = 20000,
	    .ordered = true, .faults = true };

	run_seeds(c, seeds(40));
}
END_TEST

START_TEST(five_servers_agree_whatever_the_network_does)
{
	struct sim_conf c = { .servers = 5, .first = 5, .ms = 20000,
	    .faults = true };

	run_seeds(c, seeds(25));
}
END_TEST

START_TEST(memberships_change_under_faults)
{
	struct sim_conf c = { .servers = 7, .first = 3, .ms = 20000,
	    .ordered = true, .faults = true, .membership = true };

	run_seeds(c, seeds(25));
}
END_TEST

START_TEST(memberships_change_whatever_the_network_does)
{
	struct sim_conf c = { .servers = 5, .first = 1, .ms = 20000,
	    .faults = true, .membership = true };

	run_seeds(c, seeds(25));
}
END_TEST

/* The control: the checks find a server that lies about its disk. */
START_TEST(acknowledging_before_it_is_durable_is_found)
{
	struct sim_conf c = { .servers = 3, .first = 3, .ms = 20000,
	    .ordered = true, .faults = true, .lies = true };
	struct sim_result r;
	unsigned found = 0;

	for (c.seed = 1; c.seed <= 10; c.seed++) {
		sim_run(&c, &r);
		found += r.broken != NULL;
	}
	ck_assert_uint_gt(found, 0);
}
END_TEST

/* ---- Figure 8 of the paper, step by step ---- */

#define STEP_MS 5000

static struct node *
leader_of(struct sim *s)
{
	struct node *l = NULL, *n;
	unsigned i;

	for (i = 0; i < s->conf.servers; i++) {
		n = &s->node[i];
		if (n->up && rcore_state(n->c) == RCORE_LEADER &&
		    (l == NULL || rcore_term(n->c) > rcore_term(l->c)))
			l = n;
	}
	return l;
}

/* Those, and nobody else, hear each other. */
static void
only(struct sim *s, unsigned set)
{
	unsigned i;

	for (i = 0; i < s->conf.servers; i++)
		s->side[i] = (set & 1u << i) != 0 ? 0 : 1 + (int)i;
}

/* Runs until one of those leads in a term above that one. */
static struct node *
elected(struct sim *s, unsigned set, uint64_t above)
{
	uint64_t limit = s->now + STEP_MS;
	struct node *l;

	only(s, set);
	do {
		step(s);
		l = leader_of(s);
		if (l != NULL && (set & 1u << l->i) != 0 &&
		    rcore_term(l->c) > above)
			return l;
	} while (s->now < limit && s->res->broken == NULL);
	ck_abort_msg("no leader");
}

static void
run_ms(struct sim *s, uint64_t ms)
{
	for (ms += s->now; s->now < ms; )
		step(s);
}

/* Down for as long as it is to be. */
static void
stop(struct node *n)
{
	node_crash(n);
	n->down_until = UINT64_MAX;
}

/* What it has is durable, and nothing leaves it. */
static void
run_disk(struct node *n)
{
	while (n->jobs != NULL) {
		n->jobs->at = n->sim->now;
		disk_run(n);
	}
}

/*
 * A writes on B too and stops.  C is elected by the others, writes on itself
 * alone and stops.  A or B is elected and gives D what A wrote, not what it
 * wrote itself: most have the entry now, nobody may believe it committed.  For
 * C comes back, has the higher term, and is elected by those without A and B.
 */
static void
figure_8(bool counts, struct sim_result *r)
{
	struct sim_conf c = { .seed = 8, .servers = 5, .first = 5,
	    .ordered = true, .counts = counts };
	struct sim *s = sim_new(&c, r);
	struct node *a, *b, *x, *l;
	unsigned rest;

	a = elected(s, 31, 0);
	run_ms(s, 200);
	b = &s->node[(a->i + 1) % 5];
	rest = 31u & ~(1u << a->i | 1u << b->i);
	s->quiet = true;
	only(s, 1u << a->i | 1u << b->i);
	propose(a);
	run_ms(s, 20);
	stop(a);
	/* Nobody hears of the entry that each writes when elected. */
	x = elected(s, rest, rcore_term(b->c));
	run_disk(x);
	stop(x);
	a->down_until = 0;
	l = elected(s, 31u & ~(1u << x->i), x->term);
	ck_assert(l == a || l == b);
	s->mute_term = rcore_term(l->c);
	run_ms(s, 200);
	stop(a);
	stop(b);
	s->mute_term = 0;
	x->down_until = 0;
	ck_assert(elected(s, rest, x->term) == x);
	a->down_until = b->down_until = 0;
	only(s, 31);
	run_ms(s, 2000);
	end(s);
}

START_TEST(entry_of_an_older_term_that_most_have_may_be_replaced)
{
	struct sim_result r;

	figure_8(false, &r);
	ck_assert_msg(r.broken == NULL, "%s", r.broken);
	/* The control: a leader that counts, and another entry comes later. */
	figure_8(true, &r);
	ck_assert_ptr_nonnull(r.broken);
}
END_TEST

UNIT_MAIN("catalogd_raft_sim",
    three_servers_agree_over_connections_that_break,
    five_servers_agree_whatever_the_network_does,
    memberships_change_under_faults,
    memberships_change_whatever_the_network_does,
    acknowledging_before_it_is_durable_is_found,
    entry_of_an_older_term_that_most_have_may_be_replaced)

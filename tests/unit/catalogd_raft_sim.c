/*
 * The simulation of catalogd_raft_sim.h: the network, what happens to the
 * servers, what is checked, a run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/raft_core_i.h"
#include "tests/unit/catalogd_raft_sim_i.h"

bool
sim_chance(struct sim *s, uint32_t one_in)
{
	return rng_below(&s->rng, one_in) == 0;
}

void
sim_broken(struct sim *s, const char *why)
{
	if (s->res->broken == NULL) {
		s->res->broken = why;
		s->res->broken_ms = s->now;
	}
}

uint64_t
sim_node_id(int i)
{
	return 1000 + (uint64_t)i;
}

/* ---- network ---- */

struct packet *
sim_packet_add(struct sim *s, int from, int to)
{
	struct packet *p;
	uint64_t at;

	if (s->npackets == PACKETS_MAX)
		return NULL;
	if (s->conf.faults && !s->conf.ordered && sim_chance(s, 15))
		return NULL;
	at = s->now + 1 + (s->conf.faults ? rng_below(&s->rng,
	    sim_chance(s, 50) ? 300 : 8) : 0);
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
		node_install_begin(n, p);
		return;
	}
	if (peer_msg_decode(p->p, p->n, &m, &why) != (long)p->n) {
		sim_broken(s, "a message does not read back");
		return;
	}
	kept = m.n;
	if (s->mute_term != 0 && m.n > 0 &&
	    m.entry[m.n - 1].term == s->mute_term)
		m.n = 0;
	rcore_receive(n->c, s->now, sim_node_id(p->from), &m);
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

void
sim_propose(struct node *n)
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
	for (i = 0; i < count && m[i].id != sim_node_id((int)k); i++)
		;
	if (i == count) {
		m[i].id = sim_node_id((int)k);
		m[i].voter = sim_chance(s, 3);
		snprintf(address[i], sizeof(address[i]), "a%u", k);
		m[i].address = address[i];
		count++;
	} else if (!m[i].voter)
		m[i].voter = true;
	else if (voters > 1 && sim_chance(s, 2)) {
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

	if (!s->quiet && sim_chance(s, 4))
		sim_propose(n);
	if (sim_chance(s, 100))
		confirm(n);
	if (s->conf.membership && s->conf.faults && sim_chance(s, 400))
		change_membership(n);
	if (s->conf.faults && sim_chance(s, 3000))
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
		if (r->configuration.servers[i].id != sim_node_id(n->i))
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
		sim_broken(s, rcore_broken(n->c));
	if (rcore_commit(n->c) < n->commit)
		sim_broken(s, "a commit index went back");
	n->commit = rcore_commit(n->c);
	if (rcore_state(n->c) == RCORE_LEADER && term < TERMS_MAX) {
		if (s->leader_of[term] == 0)
			s->res->elections++;
		else if (s->leader_of[term] != sim_node_id(n->i))
			sim_broken(s, "two leaders in one term");
		s->leader_of[term] = sim_node_id(n->i);
	}
	if (n->confirm_number == 0)
		return;
	if (!rcore_in_office(n->c))
		n->confirm_number = 0;
	else if (rcore_confirmed(n->c) >= n->confirm_number) {
		if (n->applied < n->confirm_floor)
			sim_broken(s, "a confirmed leader lacks what was "
			    "acknowledged");
		s->res->confirms++;
		n->confirm_number = 0;
	}
}

static void
node_turn(struct node *n)
{
	struct sim *s = n->sim;

	node_disk_run(n);
	if (n->install != NULL && n->install_at <= s->now)
		node_install_end(n);
	rcore_tick(n->c, s->now);
	rcore_flush(n->c, s->now);
	/* It says so before it is: the control. */
	if (s->conf.lies && n->queued > 0)
		rcore_persisted(n->c, s->now, n->queued - 1);
	if (n->want_snapshot || sim_chance(s, 1500))
		node_snapshot(n);
	if (rcore_state(n->c) == RCORE_LEADER)
		leader_events(n);
	if (s->conf.counts && rcore_state(n->c) == RCORE_LEADER)
		commit_by_counting(n);
	check_node(n);
	if (s->conf.faults && sim_chance(s, 2500))
		node_crash(n);
}

void
sim_step(struct sim *s)
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
	if (s->conf.faults && sim_chance(s, 700)) {
		if (sim_chance(s, 2))
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
		m[i].id = sim_node_id((int)i);
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
			node_disk_store(&s->node[i], 1, &e);
			s->node[i].term = 1;
		}
		node_start(&s->node[i]);
	}
}

void
sim_end(struct sim *s)
{
	unsigned i;

	for (i = 0; i < s->conf.servers; i++)
		node_clear(&s->node[i]);
	while (s->npackets > 0)
		packet_free(&s->packet[--s->npackets]);
	free(s->applied);
	free(s->chain);
	free(s);
}

struct sim *
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
		sim_step(s);
	s->conf.faults = false;
	memset(s->side, 0, sizeof(s->side));
	limit = s->now + SETTLE_MS;
	while (res->broken == NULL && !settled(s) && s->now < limit)
		sim_step(s);
	if (res->broken == NULL && s->now >= limit) {
		sim_broken(s, "no agreement after the faults ended");
		show(s);
	}
	res->entries = s->top;
	sim_end(s);
}

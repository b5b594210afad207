/*
 * A server of the simulation: its disk, what its core asks of it, its starts,
 * crashes and snapshots.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/catalogd_raft_sim_i.h"

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

void
node_disk_store(struct node *n, uint64_t index, struct dentry *e)
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

void
node_disk_run(struct node *n)
{
	struct job *j;
	size_t i;

	while (n->up && (j = n->jobs) != NULL && j->at <= n->sim->now) {
		n->jobs = j->next;
		for (i = 0; i < j->n; i++)
			node_disk_store(n, j->first + i, &j->e[i]);
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
		sim_broken(n->sim, "a term went back");
	if (term == n->term && n->vote != 0 && vote != n->vote)
		sim_broken(n->sim, "two votes in one term");
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

static void
send_one(struct node *node, uint64_t to, const struct peer_msg *m)
{
	struct sim *s = node->sim;
	struct packet *p;
	struct wbuf w;
	int i, copies = 1;

	if (s->conf.faults && !s->conf.ordered && sim_chance(s, 20))
		copies = 2;
	for (i = 0; i < copies; i++) {
		if ((p = sim_packet_add(s, node->i, (int)(to - 1000))) == NULL)
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
	    (!s->conf.faults || sim_chance(s, 2)))) {
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
	if ((p = sim_packet_add(node->sim, node->i, (int)(to - 1000))) == NULL)
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
		sim_broken(s, "an index was left out or applied twice");
	if (index >= ENTRIES_MAX)
		return;
	n->applied = index;
	n->hash = hash_bytes(&h, sizeof(h), n->hash);
	if (index > s->top) {
		s->top = index;
		s->applied[index] = h;
		s->chain[index] = n->hash;
	} else if (s->applied[index] != h || s->chain[index] != n->hash)
		sim_broken(s, "two servers applied different entries");
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

void
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
	c.id = sim_node_id(n->i);
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
		sim_broken(n->sim, "a server cannot start again");
	free(e);
}

/* What was not synced is gone, or part of it. */
void
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
			keep = sim_chance(s, 2);
			if (keep)
				node_disk_store(n, j->first + i, &j->e[i]);
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

void
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

void
node_install_begin(struct node *n, const struct packet *p)
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
	    sim_node_id(p->from), p->term, &ls))
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

void
node_install_end(struct node *n)
{
	snap_set(&n->snap, n->install);
	/* A crash may come before the old log is gone. */
	if (!sim_chance(n->sim, 4))
		disk_truncate(n, 0);
	n->applied = n->install->index;
	n->hash = n->install->hash;
	if (n->applied <= n->sim->top &&
	    n->sim->chain[n->applied] != n->hash)
		sim_broken(n->sim, "a snapshot holds another state");
	free(n->install->conf);
	free(n->install);
	n->install = NULL;
	rcore_installed(n->c, n->sim->now);
}

void
node_clear(struct node *n)
{
	struct job *j;

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

/*
 * Driving libraft's core: see raft_core.h.
 *
 * What raft_step() of 0.22.1 leaves to its user, found by trying and reading:
 * entries are ours, before and after, and their term must be set before
 * RAFT_SUBMIT; messages to send name entries and do not carry them;
 * configurations in events become the core's.  A single voter elects itself in
 * the term it had, so the term is raised here before.
 */
#include "catalogd/raft_core_i.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"

_Static_assert(RAFT_VERSION_NUMBER == 2201, "libraft 0.22.1, see mk/libraft");

/* The engine's default of 32 costs two thirds of the throughput. */
#define INFLIGHT_MAX 4096
#define INSTALL_MS 600000	/* until a snapshot is sent again */

/* ---- updates ---- */

/* Entries that the engine has taken into its log: copied to slots. */
static void
keep_entries(struct rcore *c, const struct raft_update *u)
{
	const struct raft_entry *re;
	struct log_entry *le;
	struct slot *s;
	unsigned i;

	rcore_log_truncate(c, u->entries.index);
	le = xcalloc(u->entries.n, sizeof(*le));
	for (i = 0; i < u->entries.n; i++) {
		re = &u->entries.batch[i];
		s = rcore_log_add(c, u->entries.index + i, re->term, (int)re->type,
		    memcpy(xmalloc(re->buf.len + 1), re->buf.base,
		    re->buf.len), re->buf.len);
		le[i].index = s->index;
		le[i].term = s->term;
		le[i].type = (uint8_t)s->type;
		le[i].p = s->p;
		le[i].len = s->len;
	}
	c->ops.append(le, u->entries.n, c->ops.arg);
	free(le);
	/* The engine's own no-op; it will not come back for it. */
	if (u->entries.batch == &c->core.barrier)
		raft_free(c->core.barrier.buf.base);
}

static void
apply_committed(struct rcore *c)
{
	struct slot *s, copy;

	/* A membership makes a step of its own: the outer one goes on. */
	if (c->applying)
		return;
	c->applying = true;
	while (c->broken == NULL && c->applied < c->core.commit_index &&
	    (s = rcore_slot(c, c->applied + 1)) != NULL) {
		copy = *s;
		s->tag = NULL;
		c->applied = copy.index;
		c->applied_term = copy.term;
		if (copy.type == RAFT_CHANGE)
			rcore_conf_apply(c, &copy);
		if (copy.type == RAFT_COMMAND)
			c->ops.apply(copy.index, copy.p, copy.len, copy.tag,
			    c->ops.arg);
		else
			c->ops.apply(copy.index, copy.p, 0, NULL, c->ops.arg);
		rcore_log_trim(c);
	}
	c->applying = false;
}

static void
drop_batch(struct rcore *c)
{
	struct slot s;

	while (rcore_slots_count(&c->batch) > 0) {
		s = c->batch.item[c->batch.head++];
		free(s.p);
		if (s.tag != NULL)
			c->ops.lost(s.tag, c->ops.arg);
	}
}

static void
on_deposed(struct rcore *c)
{
	size_t i;

	/* Of who led until now it was we that was heard. */
	if (c->led_term != 0)
		c->leader_heard = c->now;
	c->led_term = 0;
	c->round_open = c->round_again = false;
	for (i = c->log.head; i < c->log.n; i++)
		rcore_lose_tag(c, &c->log.item[i]);
	drop_batch(c);
}

/*
 * Elected.  The engine adds a no-op of the new term only if it saw entries that
 * might not be committed; a change of membership must wait for one in any case.
 */
static void
on_elected(struct rcore *c)
{
	struct raft_entry entry;
	struct raft_event e;
	uint64_t zero = 0;

	c->led_term = c->core.current_term;
	c->nheard = 0;
	c->office_at = raft_last_index(&c->core);
	if (rcore_conf_alone(&c->core.configuration, c->conf.id) ||
	    c->office_at > c->core.commit_index)
		return;
	memset(&entry, 0, sizeof(entry));
	entry.term = c->core.current_term;
	entry.type = RAFT_BARRIER;
	entry.buf.base = &zero;
	entry.buf.len = sizeof(zero);
	memset(&e, 0, sizeof(e));
	e.type = RAFT_SUBMIT;
	e.submit.entries = &entry;
	e.submit.n = 1;
	c->office_at++;
	rcore_step(c, &e);
}

static void
handle_update(struct rcore *c, const struct raft_update *u)
{
	unsigned i;

	/* Term and vote are durable before anything that rests on them. */
	if ((u->flags & ((RAFT_UPDATE_CURRENT_TERM) |
	    (RAFT_UPDATE_VOTED_FOR))) != 0)
		c->ops.meta(raft_current_term(&c->core),
		    raft_voted_for(&c->core), c->ops.arg);
	if ((u->flags & (RAFT_UPDATE_ENTRIES)) != 0)
		keep_entries(c, u);
	if ((u->flags & (RAFT_UPDATE_MESSAGES)) != 0)
		for (i = 0; i < u->messages.n; i++)
			rcore_send_message(c, &u->messages.batch[i]);
	if (c->led_term != 0 && (c->core.state != RAFT_LEADER ||
	    c->led_term != c->core.current_term))
		on_deposed(c);
	if (c->core.state == RAFT_LEADER && c->led_term == 0)
		on_elected(c);
	apply_committed(c);
}

void
rcore_step(struct rcore *c, struct raft_event *e)
{
	uint64_t commit = c->core.commit_index;
	struct raft_update u;
	int rv;

	if (c->broken != NULL)
		return;
	memset(&u, 0, sizeof(u));
	e->time = c->now;
	rv = raft_step(&c->core, e, &u);
	if (rv != 0) {
		/* The rest is refused before it gets there. */
		if (e->type != RAFT_SUBMIT && e->type != RAFT_TRANSFER)
			c->broken = raft_strerror(rv);
		return;
	}
	if (c->core.commit_index < commit)
		c->core.commit_index = commit;
	handle_update(c, &u);
	if (e->type == RAFT_RECEIVE &&
	    (u.flags & (RAFT_UPDATE_ENTRIES)) != 0) {
		c->kept = true;
		rcore_conf_settle(c);
	}
}

/* ---- life ---- */

static void
on_trace(struct raft_tracer *t, int type, const void *info)
{
	const struct raft_tracer_info *i = info;

	(void)t;
	if (type == RAFT_TRACER_DIAGNOSTIC && i->diagnostic.level <= 2)
		log_debug("raft: %s", i->diagnostic.message);
}

static void
core_init(struct rcore *c)
{
	memset(&c->core, 0, sizeof(c->core));
	if (raft_init(&c->core, NULL, NULL, c->conf.id, "self") != 0)
		fatalx("raft: out of memory");
	c->tracer.version = 2;
	c->tracer.emit = on_trace;
	/* At once, or it writes to standard error. */
	c->core.tracer = &c->tracer;
	raft_seed(&c->core, c->conf.seed);
	raft_set_pre_vote(&c->core, true);
	raft_set_max_inflight_entries(&c->core, INFLIGHT_MAX);
	raft_set_election_timeout(&c->core, c->conf.election_ms);
	raft_set_heartbeat_timeout(&c->core, c->conf.heartbeat_ms);
	raft_set_install_snapshot_timeout(&c->core, INSTALL_MS);
}

struct rcore *
rcore_new(const struct rcore_conf *conf, const struct rcore_ops *ops)
{
	struct rcore *c;

	c = xcalloc(1, sizeof(*c));
	c->conf = *conf;
	c->ops = *ops;
	wb_init(&c->memb, 0);
	core_init(c);
	return c;
}

void
rcore_free(struct rcore *c)
{
	if (c == NULL)
		return;
	raft_close(&c->core, NULL);
	raft_configuration_close(&c->install.configuration);
	rcore_slots_free(&c->batch);
	rcore_slots_free(&c->log);
	wb_free(&c->memb);
	free(c);
}

/* The last membership in it says whether nobody else votes. */
static bool
starts_alone(const struct rcore *c, const struct log_snapshot *snap,
    const struct log_entry *e, size_t n)
{
	struct raft_configuration conf;
	const uint8_t *p = snap != NULL ? snap->conf : NULL;
	size_t len = snap != NULL ? snap->conf_len : 0;
	bool alone;

	for (; n > 0; n--)
		if (e[n - 1].type == RAFT_CHANGE) {
			p = e[n - 1].p;
			len = e[n - 1].len;
			break;
		}
	if (p == NULL || rcore_conf_decode(p, len, &conf) == -1)
		return false;
	alone = rcore_conf_alone(&conf, c->conf.id);
	raft_configuration_close(&conf);
	return alone;
}

/* Hands everything that is on disk to the engine, and to the slots. */
static void
start_core(struct rcore *c, uint64_t term, uint64_t vote,
    struct raft_snapshot_metadata *m, struct log_entry *e, size_t n)
{
	struct raft_entry *entries;
	struct raft_event ev;
	struct slot *s;
	size_t i;

	entries = xcalloc(n + 1, sizeof(*entries));
	for (i = 0; i < n; i++) {
		s = rcore_log_add(c, e[i].index, e[i].term, e[i].type,
		    (uint8_t *)(uintptr_t)e[i].p, e[i].len);
		e[i].p = NULL;
		entries[i].term = s->term;
		entries[i].type = (enum raft_entry_type)s->type;
		entries[i].buf.base = s->p;
		entries[i].buf.len = s->len;
	}
	memset(&ev, 0, sizeof(ev));
	ev.type = RAFT_START;
	ev.start.term = term;
	ev.start.voted_for = vote;
	ev.start.metadata = m;
	ev.start.start_index = (m != NULL ? m->index : 0) + 1;
	ev.start.entries = n > 0 ? entries : NULL;
	ev.start.n_entries = (unsigned)n;
	rcore_step(c, &ev);
	free(entries);
}

int
rcore_start(struct rcore *c, uint64_t now, uint64_t term, uint64_t vote,
    const struct log_snapshot *snap, struct log_entry *e, size_t n)
{
	struct raft_snapshot_metadata m;

	c->now = now;
	if (c->started) {
		raft_close(&c->core, NULL);
		rcore_slots_free(&c->log);
		core_init(c);
	}
	c->started = true;
	memset(&m, 0, sizeof(m));
	if (snap != NULL) {
		m.index = snap->index;
		m.term = snap->term;
		m.configuration_index = snap->conf_index;
		if (rcore_conf_decode(snap->conf, snap->conf_len,
		    &m.configuration) == -1)
			return -1;
		rcore_conf_keep(c, snap->conf_index, snap->conf,
		    snap->conf_len);
		c->applied = snap->index;
		c->applied_term = snap->term;
	}
	if ((n > 0 || snap != NULL) && starts_alone(c, snap, e, n)) {
		vote = c->conf.id;
		c->ops.meta(++term, vote, c->ops.arg);
	}
	start_core(c, term, vote, snap != NULL ? &m : NULL, e, n);
	return 0;
}

/* ---- time ---- */

uint64_t
rcore_timeout(const struct rcore *c)
{
	return c->started ? raft_timeout(&c->core) : UINT64_MAX;
}

/* One that has no vote, or is busy writing, would believe in it for ever. */
static void
forget_leader(struct raft *core)
{
	core->follower_state.current_leader.id = 0;
	if (core->follower_state.current_leader.address != NULL)
		raft_free(core->follower_state.current_leader.address);
	core->follower_state.current_leader.address = NULL;
}

/*
 * Before the engine acts on a timeout: a leader that was not heard is none;
 * whoever is the only voter now leads in a term of its own, for its last leader
 * may have written in this one; and a candidate that was not elected asks again
 * before it raises the term again.
 */
static void
before_timeout(struct rcore *c)
{
	struct raft *core = &c->core;

	if (core->state == RAFT_FOLLOWER)
		forget_leader(core);
	if (core->state == RAFT_FOLLOWER &&
	    rcore_conf_alone(&core->configuration, c->conf.id) &&
	    !core->snapshot.installing &&
	    core->last_stored == raft_last_index(core)) {
		core->current_term++;
		core->voted_for = c->conf.id;
		c->ops.meta(core->current_term, core->voted_for, c->ops.arg);
	} else if (core->state == RAFT_CANDIDATE) {
		core->candidate_state.in_pre_vote = true;
		core->candidate_state.disrupt_leader = false;
	}
}

void
rcore_tick(struct rcore *c, uint64_t now)
{
	struct raft_event e;

	c->now = now;
	if (!c->started || now < raft_timeout(&c->core))
		return;
	before_timeout(c);
	memset(&e, 0, sizeof(e));
	e.type = RAFT_TIMEOUT;
	rcore_step(c, &e);
	rcore_round_tick(c);
}

/* ---- entries ---- */

void
rcore_persisted(struct rcore *c, uint64_t now, uint64_t index)
{
	struct raft_event e;

	c->now = now;
	/* A report on what was replaced meanwhile, or is below a snapshot. */
	if (index > raft_last_index(&c->core) ||
	    index <= c->core.last_stored || c->core.snapshot.installing ||
	    c->core.state == RAFT_CANDIDATE)
		return;
	memset(&e, 0, sizeof(e));
	e.type = RAFT_PERSISTED_ENTRIES;
	e.persisted_entries.index = index;
	rcore_step(c, &e);
}

int
rcore_propose(struct rcore *c, const uint8_t *p, size_t len, void *tag)
{
	struct slot *s;

	if (c->core.state != RAFT_LEADER)
		return -1;
	s = rcore_slots_add(&c->batch);
	s->type = RAFT_COMMAND;
	s->p = memcpy(xmalloc(len + 1), p, len);
	s->len = len;
	s->tag = tag;
	return 0;
}

void
rcore_flush(struct rcore *c, uint64_t now)
{
	struct raft_entry *entries;
	struct raft_event e;
	uint64_t first = raft_last_index(&c->core) + 1;
	struct raft_update u;
	struct slot *s;
	size_t i, n;

	c->now = now;
	/* What comes while leadership is being handed over waits for it. */
	if ((n = rcore_slots_count(&c->batch)) == 0 || rcore_transferring(c))
		return;
	entries = xcalloc(n, sizeof(*entries));
	for (i = 0; i < n; i++) {
		entries[i].term = raft_current_term(&c->core);
		entries[i].type = RAFT_COMMAND;
		entries[i].buf.base = c->batch.item[c->batch.head + i].p;
		entries[i].buf.len = c->batch.item[c->batch.head + i].len;
	}
	memset(&e, 0, sizeof(e));
	memset(&u, 0, sizeof(u));
	e.type = RAFT_SUBMIT;
	e.time = c->now;
	e.submit.entries = entries;
	e.submit.n = (unsigned)n;
	if (raft_step(&c->core, &e, &u) != 0) {
		/* Deposed meanwhile: none of them is in the log. */
		free(entries);
		drop_batch(c);
		return;
	}
	keep_entries(c, &u);
	u.flags &= ~(unsigned)(RAFT_UPDATE_ENTRIES);
	for (i = 0; i < n; i++) {
		s = &c->batch.item[c->batch.head++];
		rcore_slot(c, first + i)->tag = s->tag;
		free(s->p);
	}
	free(entries);
	handle_update(c, &u);
}

int
rcore_transfer(struct rcore *c, uint64_t now, uint64_t to)
{
	struct raft_event e;

	rcore_flush(c, now);
	if (c->core.state != RAFT_LEADER || rcore_transferring(c))
		return -1;
	memset(&e, 0, sizeof(e));
	e.type = RAFT_TRANSFER;
	e.transfer.server_id = to;
	rcore_step(c, &e);
	return rcore_transferring(c) ? 0 : -1;
}

/* ---- snapshots ---- */

void
rcore_snapshot(struct rcore *c, uint64_t now, const struct log_snapshot *snap)
{
	struct raft_event e;
	size_t i, trailing = 0;

	c->now = now;
	if (c->broken != NULL)
		return;
	/* What is still here may still be asked for. */
	for (i = c->log.head; i < c->log.n &&
	    c->log.item[i].index <= snap->index; i++)
		trailing++;
	/* The engine fails when there is nothing for it to forget. */
	if (c->core.trail.snapshot.index == snap->index &&
	    c->core.trail.offset + trailing >= snap->index)
		return;
	memset(&e, 0, sizeof(e));
	e.type = RAFT_SNAPSHOT;
	e.snapshot.metadata.index = snap->index;
	e.snapshot.metadata.term = snap->term;
	e.snapshot.metadata.configuration_index = snap->conf_index;
	if (rcore_conf_decode(snap->conf, snap->conf_len,
	    &e.snapshot.metadata.configuration) == -1)
		fatalx("raft: a membership of our own cannot be read");
	e.snapshot.trailing = (unsigned)trailing;
	rcore_step(c, &e);
}

void
rcore_installed(struct rcore *c, uint64_t now)
{
	struct raft_event e;

	c->now = now;
	c->applied = c->install.index;
	c->applied_term = c->install.term;
	memset(&e, 0, sizeof(e));
	e.type = RAFT_PERSISTED_SNAPSHOT;
	e.persisted_snapshot.metadata = c->install;
	e.persisted_snapshot.last = true;
	memset(&c->install, 0, sizeof(c->install));
	rcore_step(c, &e);
}

bool
rcore_install(struct rcore *c, uint64_t now, uint64_t from, uint64_t term,
    const struct log_snapshot *snap)
{
	struct raft_message m;
	struct raft_event e;
	struct raft_update u;
	char address[] = "peer";

	c->now = now;
	if (c->broken != NULL || rcore_installing(c) ||
	    (c->core.state == RAFT_LEADER && term <= c->core.current_term))
		return false;
	memset(&m, 0, sizeof(m));
	m.type = RAFT_INSTALL_SNAPSHOT;
	m.server_id = from;
	m.server_address = address;
	m.install_snapshot.term = term;
	m.install_snapshot.last_index = snap->index;
	m.install_snapshot.last_term = snap->term;
	m.install_snapshot.conf_index = snap->conf_index;
	if (rcore_conf_decode(snap->conf, snap->conf_len,
	    &m.install_snapshot.conf) == -1)
		return false;
	memset(&e, 0, sizeof(e));
	memset(&u, 0, sizeof(u));
	e.type = RAFT_RECEIVE;
	e.time = c->now;
	e.receive.message = &m;
	if (raft_step(&c->core, &e, &u) != 0) {
		c->broken = "a snapshot could not be begun";
		return false;
	}
	if ((u.flags & (RAFT_UPDATE_SNAPSHOT)) != 0) {
		c->install = u.snapshot.metadata;
		if (snap->index < c->applied)
			c->broken = "a snapshot would undo what is applied";
		rcore_conf_keep(c, snap->conf_index, snap->conf,
		    snap->conf_len);
		on_deposed(c);
		rcore_slots_free(&c->log);
	}
	handle_update(c, &u);
	return (u.flags & (RAFT_UPDATE_SNAPSHOT)) != 0;
}

bool
rcore_installing(const struct rcore *c)
{
	return c->core.snapshot.installing;
}

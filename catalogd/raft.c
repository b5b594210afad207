/*
 * Driving libraft's core: see raft.h.
 *
 *	propose -> batch -> RAFT_SUBMIT -> entries to keep: disk_append()
 *	durable -> RAFT_PERSISTED_ENTRIES -> commit index -> apply()
 *
 * What raft_step() of 0.22.1 leaves to its user, found by trying: entries are
 * ours, before and after, and their term must be set before RAFT_SUBMIT;
 * configurations in events become the core's.  A single voter elects itself
 * within RAFT_START, in the term it had, and everything it has on disk is
 * committed by that.
 */
#include "catalogd/raft.h"

#include <raft.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/raft_disk.h"
#include "common/log.h"
#include "common/util.h"

_Static_assert(RAFT_VERSION_NUMBER == 2201, "libraft 0.22.1, see mk/libraft");

/* Entries and bytes of log between two snapshots. */
#define SNAPSHOT_ENTRIES 16384
#define SNAPSHOT_BYTES (64u << 20)
/* The engine's default of 32 costs two thirds of the throughput. */
#define INFLIGHT_MAX 4096
#define ELECTION_MS 1000
#define HEARTBEAT_MS 100

/* An entry from being proposed until it is applied. */
struct slot {
	uint64_t	 index, term;
	int		 type;
	uint8_t		*p;
	size_t		 len;
	void		*tag;
};
struct slots {
	struct slot	*item;
	size_t		 head, n, cap;	/* head: applied, memory not yet reused */
};

struct replica {
	struct raft	 core;
	struct raft_tracer tracer;
	struct ev	*ev;
	struct ev_timer	*timeout, *turn;
	struct disk	*disk;
	struct replica_ops ops;
	struct log_meta	 meta;
	char		*node_id;

	struct slots	 batch;		/* proposed, not yet submitted */
	struct slots	 ring;		/* submitted, not yet applied */
	uint64_t	 applied, applied_term;
	uint64_t	 snap_index, snap_term;
	struct log_snapshot taking;	/* index != 0: being written */
	struct wbuf	 taking_conf;
	uint64_t	 office_at;	/* applying this is being in office */
	bool		 office;
};

/* ---- slots ---- */

static struct slot *
slots_add(struct slots *s)
{
	if (s->head > 0 && s->head == s->n)
		s->head = s->n = 0;
	if (s->n == s->cap) {
		if (s->head > s->cap / 2) {
			memmove(s->item, s->item + s->head,
			    (s->n - s->head) * sizeof(*s->item));
			s->n -= s->head;
			s->head = 0;
		} else {
			s->cap = s->cap == 0 ? 64 : s->cap * 2;
			s->item = xreallocarray(s->item, s->cap,
			    sizeof(*s->item));
		}
	}
	memset(&s->item[s->n], 0, sizeof(*s->item));
	return &s->item[s->n++];
}

static size_t
slots_count(const struct slots *s)
{
	return s->n - s->head;
}

static void
slots_free(struct slots *s)
{
	while (s->head < s->n)
		free(s->item[s->head++].p);
	free(s->item);
	memset(s, 0, sizeof(*s));
}

/* ---- the engine ---- */

static void
on_trace(struct raft_tracer *t, int type, const void *info)
{
	const struct raft_tracer_info *i = info;

	(void)t;
	if (type == RAFT_TRACER_DIAGNOSTIC && i->diagnostic.level <= 2)
		log_debug("raft: %s", i->diagnostic.message);
}

static void handle_update(struct replica *, struct raft_update *);

/* A failed step is our own misuse, or no memory. */
static void
step(struct replica *r, struct raft_event *e)
{
	struct raft_update u;
	int rv;

	memset(&u, 0, sizeof(u));
	e->time = ev_now(r->ev);
	if ((rv = raft_step(&r->core, e, &u)) != 0)
		fatalx("raft: %s", raft_strerror(rv));
	handle_update(r, &u);
}

static void
persisted(struct replica *r, uint64_t index)
{
	struct raft_event e;

	memset(&e, 0, sizeof(e));
	e.type = RAFT_PERSISTED_ENTRIES;
	e.persisted_entries.index = index;
	step(r, &e);
}

/* Entries that the engine has taken into its log. */
static void
keep_entries(struct replica *r, const struct raft_update *u)
{
	struct log_entry *le;
	struct slot *s;
	unsigned i;

	le = xcalloc(u->entries.n, sizeof(*le));
	for (i = 0; i < u->entries.n; i++) {
		s = slots_add(&r->ring);
		s->index = u->entries.index + i;
		s->term = u->entries.batch[i].term;
		s->type = (int)u->entries.batch[i].type;
		s->p = u->entries.batch[i].buf.base;
		s->len = u->entries.batch[i].buf.len;
		le[i].index = s->index;
		le[i].term = s->term;
		le[i].type = (uint8_t)s->type;
		le[i].p = s->p;
		le[i].len = s->len;
	}
	if (!disk_in_memory(r->disk))
		disk_append(r->disk, le, u->entries.n);
	free(le);
}

static void
apply_configuration(struct replica *r, const struct slot *s)
{
	struct raft_buffer buf = { s->p, s->len };
	struct raft_event e;

	memset(&e, 0, sizeof(e));
	e.type = RAFT_CONFIGURATION;
	e.configuration.index = s->index;
	if (raft_configuration_decode(&buf, &e.configuration.conf) != 0)
		fatalx("raft: entry %llu: no configuration",
		    (unsigned long long)s->index);
	step(r, &e);
}

static void maybe_snapshot(struct replica *);

static void
apply_committed(struct replica *r)
{
	uint64_t commit = raft_commit_index(&r->core);
	struct slot s;

	while (slots_count(&r->ring) > 0 &&
	    r->ring.item[r->ring.head].index <= commit) {
		s = r->ring.item[r->ring.head++];
		r->applied = s.index;
		r->applied_term = s.term;
		if (s.type == RAFT_CHANGE)
			apply_configuration(r, &s);
		if (s.type == RAFT_COMMAND)
			r->ops.apply(s.index, s.p, s.len, s.tag, r->ops.arg);
		else
			r->ops.apply(s.index, s.p, 0, NULL, r->ops.arg);
		free(s.p);
	}
	maybe_snapshot(r);
}

/* In office once everything up to the election is applied. */
static void
look_at_office(struct replica *r)
{
	bool leads;

	leads = raft_state(&r->core) == RAFT_LEADER &&
	    r->applied >= r->office_at;
	if (leads != r->office)
		ev_timer_set(r->turn, 0);
}

static void
set_timeout(struct replica *r)
{
	uint64_t at = raft_timeout(&r->core), now = ev_now(r->ev);

	ev_timer_set(r->timeout, at > now ? at - now : 0);
}

static void
handle_update(struct replica *r, struct raft_update *u)
{
	/* Term and vote are durable before anything that rests on them. */
	if ((u->flags & ((RAFT_UPDATE_CURRENT_TERM) |
	    (RAFT_UPDATE_VOTED_FOR))) != 0) {
		r->meta.term = raft_current_term(&r->core);
		r->meta.vote = raft_voted_for(&r->core);
		disk_meta(r->disk, &r->meta);
	}
	if ((u->flags & (RAFT_UPDATE_ENTRIES)) != 0)
		keep_entries(r, u);
	if ((u->flags & (RAFT_UPDATE_STATE)) != 0) {
		if (raft_state(&r->core) == RAFT_LEADER)
			r->office_at = raft_last_index(&r->core);
		log_debug("raft: %s in term %llu",
		    raft_state_name(raft_state(&r->core)),
		    (unsigned long long)raft_current_term(&r->core));
	}
	if ((u->flags & (RAFT_UPDATE_COMMIT_INDEX)) != 0)
		apply_committed(r);
	if ((u->flags & (RAFT_UPDATE_TIMEOUT)) != 0)
		set_timeout(r);
	look_at_office(r);
}

static void
on_timeout(void *arg)
{
	struct replica *r = arg;
	struct raft_event e;

	memset(&e, 0, sizeof(e));
	e.type = RAFT_TIMEOUT;
	step(r, &e);
}

/* ---- proposing ---- */

int
replica_propose(struct replica *r, const uint8_t *p, size_t len, void *tag)
{
	struct slot *s;

	if (raft_state(&r->core) != RAFT_LEADER || len > REPLICA_ENTRY_MAX)
		return -1;
	s = slots_add(&r->batch);
	s->type = RAFT_COMMAND;
	s->p = memcpy(xmalloc(len + 1), p, len);
	s->len = len;
	s->tag = tag;
	ev_timer_set(r->turn, 0);
	return 0;
}

static void
drop_batch(struct replica *r)
{
	struct slot s;

	while (slots_count(&r->batch) > 0) {
		s = r->batch.item[r->batch.head++];
		free(s.p);
		if (s.tag != NULL)
			r->ops.lost(s.tag, r->ops.arg);
	}
}

void
replica_flush(struct replica *r)
{
	struct raft_entry *entries;
	struct raft_event e;
	struct raft_update u;
	size_t i, n, base;

	if ((n = slots_count(&r->batch)) == 0)
		return;
	entries = xcalloc(n, sizeof(*entries));
	for (i = 0; i < n; i++) {
		entries[i].term = raft_current_term(&r->core);
		entries[i].type = RAFT_COMMAND;
		entries[i].buf.base = r->batch.item[r->batch.head + i].p;
		entries[i].buf.len = r->batch.item[r->batch.head + i].len;
	}
	memset(&e, 0, sizeof(e));
	memset(&u, 0, sizeof(u));
	e.type = RAFT_SUBMIT;
	e.time = ev_now(r->ev);
	e.submit.entries = entries;
	e.submit.n = (unsigned)n;
	base = slots_count(&r->ring);
	if (raft_step(&r->core, &e, &u) != 0) {
		/* Deposed meanwhile: none of them is in the log. */
		free(entries);
		drop_batch(r);
		return;
	}
	if ((u.flags & (RAFT_UPDATE_ENTRIES)) != 0) {
		keep_entries(r, &u);
		u.flags &= ~(unsigned)(RAFT_UPDATE_ENTRIES);
	}
	if (slots_count(&r->ring) != base + n)
		fatalx("raft: %zu entries became %zu", n,
		    slots_count(&r->ring) - base);
	for (i = 0; i < n; i++)
		r->ring.item[r->ring.head + base + i].tag =
		    r->batch.item[r->batch.head++].tag;
	free(entries);
	handle_update(r, &u);
	if (disk_in_memory(r->disk))
		persisted(r, raft_last_index(&r->core));
}

static void
on_turn(void *arg)
{
	struct replica *r = arg;
	bool leads;

	replica_flush(r);
	leads = raft_state(&r->core) == RAFT_LEADER &&
	    r->applied >= r->office_at;
	if (leads != r->office) {
		r->office = leads;
		r->ops.office(leads, r->ops.arg);
	}
}

/* ---- disk ---- */

static void
on_persisted(uint64_t index, void *arg)
{
	persisted(arg, index);
}

static void
maybe_snapshot(struct replica *r)
{
	struct raft_buffer conf;
	struct wbuf data;

	if (disk_in_memory(r->disk) || r->taking.index != 0 ||
	    r->applied == r->snap_index ||
	    (r->applied - r->snap_index < SNAPSHOT_ENTRIES &&
	    disk_log_bytes(r->disk) < SNAPSHOT_BYTES))
		return;
	if (raft_configuration_encode(&r->core.configuration_committed,
	    &conf) != 0)
		fatalx("raft: out of memory");
	wb_reset(&r->taking_conf);
	wb_bytes(&r->taking_conf, conf.base, conf.len);
	raft_free(conf.base);

	memset(&r->taking, 0, sizeof(r->taking));
	r->taking.index = r->applied;
	r->taking.term = r->applied_term;
	r->taking.conf_index = r->core.configuration_committed_index;
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

static int
decode_conf(const uint8_t *p, size_t len, struct raft_configuration *conf)
{
	struct raft_buffer buf;
	int rc;

	/* The decoder wants memory that it may read in words. */
	buf.base = memcpy(xmalloc(len + 8), p, len);
	buf.len = len;
	rc = len == 0 ? -1 : raft_configuration_decode(&buf, conf);
	free(buf.base);
	return rc == 0 ? 0 : -1;
}

static void
on_snapshotted(uint64_t index, void *arg)
{
	struct replica *r = arg;
	struct raft_event e;

	memset(&e, 0, sizeof(e));
	e.type = RAFT_SNAPSHOT;
	e.snapshot.metadata.index = index;
	e.snapshot.metadata.term = r->taking.term;
	e.snapshot.metadata.configuration_index = r->taking.conf_index;
	if (decode_conf(r->taking_conf.p, r->taking_conf.len,
	    &e.snapshot.metadata.configuration) == -1)
		fatalx("raft: out of memory");
	r->snap_index = index;
	r->snap_term = r->taking.term;
	r->taking.index = 0;
	log_info("snapshot: written: index %llu", (unsigned long long)index);
	step(r, &e);
}

/* ---- starting ---- */

/* A log's first entry: we, and nobody else, vote. */
static int
first_entry(struct replica *r, struct disk_found *f)
{
	struct raft_configuration conf;
	struct raft_buffer buf;
	struct log_entry *le;

	raft_configuration_init(&conf);
	if (raft_configuration_add(&conf, r->meta.id, r->node_id,
	    RAFT_VOTER) != 0 || raft_configuration_encode(&conf, &buf) != 0)
		return -1;
	raft_configuration_close(&conf);
	le = xcalloc(1, sizeof(*le));
	le->index = 1;
	le->term = 1;
	le->type = RAFT_CHANGE;
	le->p = memcpy(xmalloc(buf.len), buf.base, buf.len);
	le->len = buf.len;
	raft_free(buf.base);
	f->entry = le;
	f->n = 1;
	return 0;
}

/*
 * Metadata first, then the entry, then the metadata that says there is one: a
 * crash between them starts over.
 */
static void
bootstrap(struct replica *r, struct disk_found *f)
{
	r->meta.term = 1;
	disk_meta(r->disk, &r->meta);
	if (first_entry(r, f) == -1)
		fatalx("raft: out of memory");
	if (!disk_in_memory(r->disk))
		disk_append_sync(r->disk, f->entry, f->n);
	log_info("raft: bootstrapped: this server alone");
}

static int
restore_snapshot(struct replica *r, const struct disk_found *f,
    struct raft_snapshot_metadata *m, const char *shown, char *err,
    size_t errlen)
{
	const char *why = "no membership";

	memset(m, 0, sizeof(*m));
	m->index = f->snapshot.index;
	m->term = f->snapshot.term;
	m->configuration_index = f->snapshot.conf_index;
	if (decode_conf(f->snapshot.conf, f->snapshot.conf_len,
	    &m->configuration) == -1)
		goto bad;
	if (r->ops.restore(m->index, f->snapshot.data, f->snapshot.data_len,
	    &why, r->ops.arg) == -1) {
		raft_configuration_close(&m->configuration);
		goto bad;
	}
	r->applied = r->snap_index = m->index;
	r->applied_term = r->snap_term = m->term;
	return 0;
bad:
	snprintf(err, errlen, "%s: snapshot at index %llu: %s; to start "
	    "without this server's copy of the catalog: mv %s %s.damaged",
	    shown, (unsigned long long)m->index, why, shown, shown);
	return -1;
}

/* Hands everything that is on disk to the engine, and to the ring. */
static void
start_core(struct replica *r, struct disk_found *f,
    struct raft_snapshot_metadata *m)
{
	struct raft_entry *entries;
	struct raft_event e;
	struct slot *s;
	size_t i;

	entries = xcalloc(f->n + 1, sizeof(*entries));
	for (i = 0; i < f->n; i++) {
		s = slots_add(&r->ring);
		s->index = f->entry[i].index;
		s->term = f->entry[i].term;
		s->type = f->entry[i].type;
		s->p = (uint8_t *)(uintptr_t)f->entry[i].p;
		s->len = f->entry[i].len;
		f->entry[i].p = NULL;
		entries[i].term = s->term;
		entries[i].type = (enum raft_entry_type)s->type;
		entries[i].buf.base = s->p;
		entries[i].buf.len = s->len;
	}
	memset(&e, 0, sizeof(e));
	e.type = RAFT_START;
	e.start.term = r->meta.term;
	e.start.voted_for = r->meta.vote;
	e.start.metadata = m;
	e.start.start_index = (m != NULL ? m->index : 0) + 1;
	e.start.entries = f->n > 0 ? entries : NULL;
	e.start.n_entries = (unsigned)f->n;
	step(r, &e);
	free(entries);
}

static void
init_core(struct replica *r, const struct replica_conf *c)
{
	unsigned mult = c->multiplier == 0 ? 1 : c->multiplier;
	struct rng rng;

	rng_seed_os(&rng);
	if (raft_init(&r->core, NULL, NULL, r->meta.id, r->node_id) != 0)
		fatalx("raft: out of memory");
	r->tracer.version = 2;
	r->tracer.emit = on_trace;
	/* At once, or it writes to standard error. */
	r->core.tracer = &r->tracer;
	raft_seed(&r->core, (unsigned)rng_next(&rng));
	raft_set_pre_vote(&r->core, true);
	raft_set_max_inflight_entries(&r->core, INFLIGHT_MAX);
	raft_set_election_timeout(&r->core, ELECTION_MS * mult);
	raft_set_heartbeat_timeout(&r->core, HEARTBEAT_MS * mult);
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
	while ((r->meta.id = rng_next(&rng) >> 1) == 0)
		;
}

struct replica *
replica_start(struct ev *ev, const struct replica_conf *c,
    const struct replica_ops *ops, char *err, size_t errlen)
{
	struct raft_snapshot_metadata m;
	struct disk_ops dops;
	struct disk_found found;
	struct replica *r;
	bool had_log;

	r = xcalloc(1, sizeof(*r));
	r->ev = ev;
	r->ops = *ops;
	r->node_id = xstrdup(str_or(c->node_id, ""));
	wb_init(&r->taking_conf, 0);
	r->disk = disk_open(c->dir, c->shown, &found, err, errlen);
	if (r->disk == NULL)
		goto fail;
	if (found.has_snapshot &&
	    restore_snapshot(r, &found, &m, c->shown, err, errlen) == -1)
		goto fail;
	if (found.cut > 0)
		log_warnx("%s: log: %llu bytes of an unfinished write cut off",
		    c->shown, (unsigned long long)found.cut);
	choose_id(r, &found);
	had_log = found.n > 0 || found.has_snapshot;
	if (!had_log && c->bootstrap) {
		bootstrap(r, &found);
		had_log = true;
	}
	if (had_log && (r->meta.flags & META_HAS_LOG) == 0) {
		r->meta.flags |= META_HAS_LOG;
		disk_meta(r->disk, &r->meta);
	}
	dops.persisted = on_persisted;
	dops.snapshotted = on_snapshotted;
	dops.arg = r;
	disk_start(r->disk, ev, &dops);
	r->timeout = ev_timer_new(ev, on_timeout, r);
	r->turn = ev_timer_new(ev, on_turn, r);
	init_core(r, c);
	start_core(r, &found, found.has_snapshot ? &m : NULL);
	disk_found_clear(&found);
	return r;
fail:
	if (r->disk != NULL) {
		disk_found_clear(&found);
		disk_close(r->disk);
	}
	wb_free(&r->taking_conf);
	free(r->node_id);
	free(r);
	return NULL;
}

void
replica_free(struct replica *r)
{
	if (r == NULL)
		return;
	replica_flush(r);
	disk_close(r->disk);
	ev_timer_free(r->timeout);
	ev_timer_free(r->turn);
	raft_close(&r->core, NULL);
	slots_free(&r->batch);
	slots_free(&r->ring);
	wb_free(&r->taking_conf);
	free(r->node_id);
	free(r);
}

/* ---- looking ---- */

bool
replica_leads(const struct replica *r)
{
	return r->office;
}

bool
replica_leader_known(const struct replica *r)
{
	struct raft *core = (struct raft *)(uintptr_t)&r->core;
	const char *address;
	raft_id id;

	raft_leader(core, &id, &address);
	return id != 0;
}

void
replica_stats(const struct replica *r, struct replica_stats *st)
{
	struct raft *core = (struct raft *)(uintptr_t)&r->core;
	unsigned i;

	memset(st, 0, sizeof(*st));
	switch (raft_state(core)) {
	case RAFT_LEADER:
		st->state = "Leader";
		break;
	case RAFT_CANDIDATE:
		st->state = "Candidate";
		break;
	case RAFT_FOLLOWER:
	case RAFT_UNAVAILABLE:
		st->state = "Follower";
		break;
	}
	st->term = raft_current_term(core);
	st->last_index = raft_last_index(core);
	st->commit = raft_commit_index(core);
	st->applied = r->applied;
	st->snapshot_index = r->snap_index;
	st->snapshot_term = r->snap_term;
	st->conf_index = r->core.configuration_committed_index;
	st->servers = r->core.configuration.n;
	for (i = 0; i < r->core.configuration.n; i++)
		if (r->core.configuration.servers[i].role == RAFT_VOTER)
			st->voters++;
	st->pending = slots_count(&r->batch) + slots_count(&r->ring);
}

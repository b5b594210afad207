/*
 * The state as a whole: taken for an archive, and put in the place of what is
 * there, on every server at the same point of the log.
 *
 * A restore is a run of log entries: begin, the state in pieces, end; at the
 * end every server that has it all installs it.  What has come of it is part
 * of the log's snapshots, for they may be taken in between.  A new leader drops
 * what the one before it did not bring to its end.
 *
 * Rows keep the indexes that they had, which may be ahead of the log's: from
 * there on an entry's index in the store is the log's and a shift, so that
 * what changes after a restore is always later than what was restored.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/server_i.h"
#include "common/log.h"

#define PIECE		(1u << 20)
#define JOB_MS		60000		/* for one entry to be applied */
#define HEAD_MAGIC	0x00445301u	/* a state as it is begins with 0x8. */

enum { OP_BEGIN, OP_DATA, OP_END };

/* Coming in through the log. */
struct part {
	uint64_t	 id;		/* 0: none */
	uint64_t	 meta_index, total;
	struct wbuf	 bytes;
};

/* Going out into it, on the leader. */
struct job {
	uint64_t	 id, meta_index;
	struct wbuf	 state;
	size_t		 off;
	bool		 ending;
	struct ev_timer	*timer;
	server_restored_fn *fn;
	void		*arg;
};

struct server_snapshot {
	uint64_t	 shift;
	struct part	 part;
	struct job	*job;
};

void
snapshot_init(struct server *srv)
{
	srv->snapshot = xcalloc(1, sizeof(*srv->snapshot));
	wb_init(&srv->snapshot->part.bytes, 0);
}

static void
job_free(struct server *srv)
{
	struct job *j = srv->snapshot->job;

	srv->snapshot->job = NULL;
	wb_free(&j->state);
	ev_timer_free(j->timer);
	free(j);
}

/* Whoever waits for it hears; error NULL: it is done. */
static void
job_end(struct server *srv, const char *error)
{
	struct job *j = srv->snapshot->job;
	server_restored_fn *fn = j->fn;
	void *arg = j->arg;

	job_free(srv);
	if (fn != NULL)
		fn(error, arg);
}

void
snapshot_free(struct server *srv)
{
	if (srv->snapshot->job != NULL)
		job_free(srv);
	wb_free(&srv->snapshot->part.bytes);
	free(srv->snapshot);
	srv->snapshot = NULL;
}

uint64_t
snapshot_index(const struct server *srv, uint64_t index)
{
	return index + srv->snapshot->shift;
}

/* ---- in the place of what is there ---- */

/* What it waits for is gone: it answers with what there is now. */
static void
wake_restored(struct server_call *c)
{
	c->expired = true;
	call_wake(c);
}

static void
install(struct server *srv, struct store *store)
{
	store_free(srv->store);
	srv->store = store;
	if (!srv->started)
		return;
	session_office(srv, server_in_office(srv));
	watch_wake_all(srv, wake_restored);
	srv->env.names(srv->env.arg);
}

static void
part_clear(struct part *p)
{
	wb_free(&p->bytes);
	memset(p, 0, sizeof(*p));
	wb_init(&p->bytes, 0);
}

static const char *
part_install(struct server *srv, uint64_t index)
{
	struct server_snapshot *s = srv->snapshot;
	struct part *p = &s->part;
	struct store *store = store_new();
	uint64_t shift = s->shift;
	const char *why;

	if (p->meta_index >= index + shift)
		shift = p->meta_index + 1 - index;
	if (store_restore(store, index + shift, p->bytes.p, p->bytes.len,
	    &why) == -1) {
		log_errorx("restore: %s", why);
		store_free(store);
		return "failed to restore snapshot: the state did not check "
		    "out";
	}
	s->shift = shift;
	install(srv, store);
	log_info("restored a snapshot of index %llu: what follows is from %llu "
	    "on", (unsigned long long)p->meta_index,
	    (unsigned long long)(index + shift));
	return NULL;
}

/* ---- through the log ---- */

static bool
propose(struct server *srv, uint8_t op, const void *p, size_t n)
{
	struct job *j = srv->snapshot->job;
	struct wbuf w;
	int rc;

	wb_init(&w, 0);
	wb_u8(&w, ENTRY_RESTORE);
	wb_u8(&w, op);
	wb_u64(&w, j->id);
	wb_bytes(&w, p, n);
	rc = replica_propose(srv->replica, w.p, w.len, NULL);
	wb_free(&w);
	ev_timer_set(j->timer, JOB_MS);
	return rc == 0;
}

/* The last one was applied: the next. */
static void
job_step(struct server *srv)
{
	struct job *j = srv->snapshot->job;
	size_t n = j->state.len - j->off;
	bool ok;

	n = n < PIECE ? n : PIECE;
	if (n > 0)
		ok = propose(srv, OP_DATA, j->state.p + j->off, n);
	else {
		j->ending = true;
		ok = propose(srv, OP_END, NULL, 0);
	}
	j->off += n;
	if (!ok)
		job_end(srv, "leadership lost while restoring the snapshot");
}

static void
on_job_timer(void *arg)
{
	job_end(arg, "timed out restoring the snapshot");
}

static void
part_begin(struct part *p, uint64_t id, struct rbuf *r)
{
	part_clear(p);
	p->meta_index = rb_u64(r);
	p->total = rb_u64(r);
	if (rb_done(r) && p->total <= ARCHIVE_STATE_MAX)
		p->id = id;
}

bool
snapshot_apply(struct server *srv, uint64_t index, const uint8_t *entry,
    size_t len)
{
	struct server_snapshot *s = srv->snapshot;
	struct part *p = &s->part;
	const char *error = NULL;
	struct rbuf r;
	uint64_t id;
	uint8_t op;

	if (entry[0] != ENTRY_RESTORE)
		return false;
	rb_init(&r, entry + 1, len - 1);
	op = rb_u8(&r);
	id = rb_u64(&r);
	if (!rb_ok(&r))
		return true;
	if (op == OP_BEGIN)
		part_begin(p, id, &r);
	else if (op == OP_DATA && p->id == id &&
	    r.n <= p->total - p->bytes.len)
		wb_bytes(&p->bytes, r.p, r.n);
	else if (op == OP_END && p->id == id) {
		error = p->bytes.len == p->total ? part_install(srv, index) :
		    "the snapshot came in part only";
		part_clear(p);
	}
	if (s->job == NULL || s->job->id != id)
		return true;
	if (s->job->ending)
		job_end(srv, error);
	else
		job_step(srv);
	return true;
}

/* Who was sending it is gone: the rest will not come. */
static void
drop_part(struct server *srv)
{
	struct wbuf w;

	log_warnx("restore: dropped: whoever led while it came is gone");
	wb_init(&w, 0);
	wb_u8(&w, ENTRY_RESTORE);
	wb_u8(&w, OP_BEGIN);
	wb_u64(&w, 0);
	wb_u64(&w, 0);
	wb_u64(&w, 0);
	(void)replica_propose(srv->replica, w.p, w.len, NULL);
	wb_free(&w);
}

void
snapshot_office(struct server *srv, bool in)
{
	if (!in && srv->snapshot->job != NULL)
		job_end(srv, "leadership lost while restoring the snapshot");
	if (in && srv->snapshot->part.id != 0)
		drop_part(srv);
}

void
server_restore(struct server *srv, uint64_t meta_index, const uint8_t *state,
    size_t len, server_restored_fn *fn, void *arg)
{
	struct store *scratch;
	struct wbuf w;
	struct job *j;
	const char *why;
	char *text;
	uint8_t type;

	if (srv->snapshot->job != NULL) {
		fn("another snapshot is being restored", arg);
		return;
	}
	/* All of it is looked at before anything is begun. */
	scratch = store_new();
	if (store_restore(scratch, 1, state, len, &why) == -1) {
		xasprintf(&text, "failed to restore snapshot: %s", why);
		fn(text, arg);
		free(text);
		store_free(scratch);
		return;
	}
	if (store_unknown_records(scratch, &type) > 0)
		log_warnx("restore: %zu records of unknown types are left out "
		    "(type %u)", store_unknown_records(scratch, &type), type);
	store_free(scratch);
	j = srv->snapshot->job = xcalloc(1, sizeof(*j));
	j->id = rng_next(&srv->rng) | 1;
	j->meta_index = meta_index;
	wb_init(&j->state, 0);
	wb_bytes(&j->state, state, len);
	j->timer = ev_timer_new(srv->ev, on_job_timer, srv);
	j->fn = fn;
	j->arg = arg;
	wb_init(&w, 0);
	wb_u64(&w, meta_index);
	wb_u64(&w, len);
	if (!propose(srv, OP_BEGIN, w.p, w.len))
		job_end(srv, "No cluster leader");
	wb_free(&w);
}

void
server_restore_forget(struct server *srv, void *arg)
{
	struct job *j = srv->snapshot->job;

	if (j != NULL && j->arg == arg)
		j->fn = NULL;
}

/* ---- as a whole ---- */

/* For the log's own snapshots. */
void
snapshot_dump(struct server *srv, struct wbuf *w)
{
	const struct server_snapshot *s = srv->snapshot;

	wb_u32(w, HEAD_MAGIC);
	wb_u64(w, s->shift);
	wb_u64(w, s->part.id);
	wb_u64(w, s->part.meta_index);
	wb_u64(w, s->part.total);
	wb_u64(w, s->part.bytes.len);
	wb_bytes(w, s->part.bytes.p, s->part.bytes.len);
	store_dump(srv->store, w);
}

/* Into a store of its own: what is there stays when it is no good. */
int
snapshot_restore(struct server *srv, uint64_t index, const uint8_t *p,
    size_t len, const char **why)
{
	struct server_snapshot *s = srv->snapshot;
	struct store *store;
	struct part part;
	struct rbuf r;
	const uint8_t *bytes;
	uint64_t shift = 0, n;

	memset(&part, 0, sizeof(part));
	wb_init(&part.bytes, 0);
	rb_init(&r, p, len);
	if (len > 0 && p[0] == HEAD_MAGIC >> 24) {
		if (rb_u32(&r) != HEAD_MAGIC)
			rb_fail(&r, "another version");
		shift = rb_u64(&r);
		part.id = rb_u64(&r);
		part.meta_index = rb_u64(&r);
		part.total = rb_u64(&r);
		n = rb_u64(&r);
		if (n > part.total || part.total > ARCHIVE_STATE_MAX ||
		    n > r.n)
			rb_fail(&r, "a restore in it is damaged");
		else if ((bytes = rb_bytes(&r, (size_t)n)) != NULL)
			wb_bytes(&part.bytes, bytes, (size_t)n);
	}
	store = store_new();
	if (!rb_ok(&r)) {
		*why = r.err;
	} else if (store_restore(store, index + shift, r.p, r.n, why) == 0) {
		part_clear(&s->part);
		s->part = part;
		s->shift = shift;
		install(srv, store);
		return 0;
	}
	/* The reason lives with the store. */
	store_free(srv->unusable);
	srv->unusable = store;
	wb_free(&part.bytes);
	return -1;
}

/* For an archive. */
void
server_snapshot(struct server *srv, struct archive_meta *m, struct wbuf *state)
{
	struct replica_server all[REPLICA_SERVERS_MAX];
	struct archive_server *x;
	struct replica_stats st;
	char addr[ADDR_TEXT_MAX];
	size_t i, n;

	memset(m, 0, sizeof(*m));
	replica_stats(srv->replica, &st);
	m->version = 1;
	m->term = st.term;
	m->index = snapshot_index(srv, st.applied);
	if (store_applied(srv->store) > m->index)
		m->index = store_applied(srv->store);
	m->conf_index = st.conf_index;
	xasprintf(&m->id, "%llu-%llu-%lld", (unsigned long long)m->term,
	    (unsigned long long)m->index,
	    (long long)(ev_wall_ns() / NS_PER_MS));
	n = replica_servers(srv->replica, all, NELEM(all));
	for (i = 0; i < n && i < NELEM(all); i++) {
		raft_address(srv, &all[i], addr, sizeof(addr));
		x = VEC_ADD(&m->servers);
		x->id = xstrdup(all[i].node_id);
		x->address = xstrdup(addr);
	}
	store_dump(srv->store, state);
}

int
server_leader(const struct server *srv, char *buf, size_t len)
{
	struct replica_server leader;

	if (server_in_office(srv))
		return 1;
	if (srv->replica == NULL || !replica_leader(srv->replica, &leader) ||
	    leader.self)
		return -1;
	raft_address(srv, &leader, buf, len);
	return 0;
}

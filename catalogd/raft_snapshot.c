/*
 * Snapshots of the replicated log: when one is written, the newest one's file
 * sent in pieces to a lagging follower, and one that came put in the place of
 * what is there.
 */
#include "catalogd/raft_i.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

/* Entries and bytes of log between two snapshots. */
#define SNAPSHOT_ENTRIES 16384
#define SNAPSHOT_BYTES (64u << 20)
#define SNAPSHOT_RETRY_MS 30000	/* after one found no space */

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

/* Everything waits meanwhile. */
static void
dump_here(struct replica *r)
{
	struct wbuf data;

	log_warn("snapshot: no process to write it");
	wb_init(&data, 0);
	r->ops.dump(&data, r->ops.arg);
	r->taking.data = data.p;
	r->taking.data_len = data.len;
	disk_snapshot(r->disk, &r->taking, &data);
}

void
replica_maybe_snapshot(struct replica *r)
{
	uint64_t applied = rcore_applied(r->core);
	const uint8_t *conf;
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
	log_info("snapshot: writing: index %llu",
	    (unsigned long long)r->taking.index);
	if (disk_snapshot_fork(r->disk, &r->taking, r->ops.dump,
	    r->ops.arg) == -1)
		dump_here(r);
}

/* Its file has its name, or is no longer needed. */
static void
install_end(struct replica *r)
{
	memset(&r->installing, 0, sizeof(r->installing));
	disk_incoming_free(r->install_data);
	r->install_data = NULL;
}

/* One that came from the leader, now that none of our own is being written. */
static void
try_install(struct replica *r)
{
	struct log_snapshot *s = &r->installing;
	const uint8_t *p;

	if (r->install_file == NULL || r->taking.index != 0 || s->index != 0)
		return;
	r->install_data = r->install_file;
	r->install_file = NULL;
	p = disk_incoming_map(r->install_data);
	if (p == NULL || log_snapshot_decode(p, (size_t)disk_incoming_len(
	    r->install_data), s) == -1 || s->index == 0) {
		log_warnx("raft: a snapshot from the leader does not check "
		    "out: it is asked for again");
		install_end(r);
	} else if (!rcore_install(r->core, ev_now(r->ev), r->install_from,
	    r->install_term, s)) {
		install_end(r);
	} else {
		log_info("snapshot: from the leader: index %llu, %llu bytes",
		    (unsigned long long)s->index, (unsigned long long)
		    disk_incoming_len(r->install_data));
		disk_install(r->disk, s, r->install_data);
	}
}

void *
replica_snap_begin(uint64_t size, void *arg)
{
	struct replica *r = arg;
	struct disk_incoming *in = disk_incoming_new(r->disk, size);

	if (in == NULL)
		log_warn("raft: no file for a snapshot of %llu bytes",
		    (unsigned long long)size);
	return in;
}

int
replica_snap_add(void *snap, const uint8_t *p, size_t n)
{
	int rc = disk_incoming_add(snap, p, n);

	if (rc == -1)
		log_warn("raft: a snapshot from the leader");
	return rc;
}

void
replica_snap_drop(void *snap)
{
	disk_incoming_free(snap);
}

void
replica_take_snapshot(uint64_t from, uint64_t term, void *snap, void *arg)
{
	struct replica *r = arg;

	if (!r->running || r->installing.index != 0) {
		disk_incoming_free(snap);
		return;
	}
	disk_incoming_free(r->install_file);
	r->install_file = snap;
	r->install_from = from;
	r->install_term = term;
	try_install(r);
	replica_settle(r);
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
	install_end(r);
	rcore_installed(r->core, ev_now(r->ev));
}

void
replica_on_snapshotted(uint64_t index, void *arg)
{
	struct replica *r = arg;

	if (index == 0) {
		log_warnx("snapshot: index %llu: not written: again in %d s",
		    (unsigned long long)r->taking.index,
		    SNAPSHOT_RETRY_MS / 1000);
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
	replica_settle(r);
}

void
replica_send_snapshot(uint64_t to, void *arg)
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

/*
 * A replica on disk: what it brings back, what it refuses, and what snapshots
 * drop.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalogd/raft.h"
#include "catalogd/raft_log.h"
#include "common/log.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

struct bench {
	struct ev	*ev;
	struct ev_timer	*limit;
	struct replica	*r;
	char		 dir[64];
	uint64_t	 sum, n;	/* the state: of all entries */
	uint64_t	 want;
	size_t		 acked, dumps;
	bool		 office;
};

static void
on_apply(uint64_t index, const uint8_t *p, size_t len, void *tag, void *arg)
{
	struct bench *w = arg;

	(void)index;
	if (len == 0)
		return;
	w->sum = hash_bytes(p, len, w->sum);
	w->n++;
	if (tag != NULL)
		w->acked++;
	if (w->want != 0 && w->n >= w->want)
		ev_stop(w->ev);
}

static void
on_lost(void *tag, void *arg)
{
	(void)tag;
	(void)arg;
	ck_abort_msg("lost");
}

static void
on_office(bool in, void *arg)
{
	struct bench *w = arg;

	w->office = in;
	ev_stop(w->ev);
}

static void
on_dump(struct wbuf *b, void *arg)
{
	struct bench *w = arg;

	w->dumps++;
	wb_u64(b, w->sum);
	wb_u64(b, w->n);
}

static int
on_restore(uint64_t index, const uint8_t *p, size_t len, const char **why,
    void *arg)
{
	struct bench *w = arg;
	struct rbuf r;

	(void)index;
	rb_init(&r, p, len);
	w->sum = rb_u64(&r);
	w->n = rb_u64(&r);
	*why = r.err;
	return rb_done(&r) ? 0 : -1;
}

static void
on_changed(void *arg)
{
	(void)arg;
}

static void
on_limit(void *arg)
{
	struct bench *w = arg;

	ev_stop(w->ev);
}

static void
run_for(struct bench *w, uint64_t ms)
{
	ev_timer_set(w->limit, ms);
	ev_run(w->ev);
	ev_timer_stop(w->limit);
}

static bool
try_start(struct bench *w, char *err, size_t len)
{
	struct replica_ops ops = { .apply = on_apply, .lost = on_lost,
	    .office = on_office, .current = on_changed, .changed = on_changed,
	    .dump = on_dump, .restore = on_restore, .arg = w };
	struct replica_conf c = { .dir = w->dir, .shown = w->dir,
	    .node_id = "me", .bootstrap = true, .multiplier = 1 };

	w->sum = w->n = w->acked = w->want = 0;
	w->office = false;
	w->r = replica_start(w->ev, &c, &ops, err, len);
	return w->r != NULL;
}

static void
start(struct bench *w)
{
	char err[512];

	if (!try_start(w, err, sizeof(err)))
		ck_abort_msg("%s", err);
	while (!w->office)
		run_for(w, 100);
}

static void
setup(struct bench *w)
{
	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	w->limit = ev_timer_new(w->ev, on_limit, w);
	unit_dir_make(w->dir, sizeof(w->dir));
}

static void
stop(struct bench *w)
{
	replica_free(w->r);
	w->r = NULL;
}

static void
teardown(struct bench *w)
{
	stop(w);
	ev_timer_free(w->limit);
	ev_free(w->ev);
	unit_dir_remove(w->dir);
}

/* n entries of len bytes, waited for. */
static void
write_entries(struct bench *w, size_t n, size_t len)
{
	uint8_t *p;
	size_t i;

	p = xcalloc(1, len);
	w->want = w->n + n;
	for (i = 0; i < n; i++) {
		memcpy(p, &i, sizeof(i) < len ? sizeof(i) : len);
		ck_assert_int_eq(replica_propose(w->r, p, len, w), 0);
		if (i % 512 == 511)
			replica_flush(w->r);
	}
	run_for(w, 10000);
	ck_assert_uint_eq(w->n, w->want);
	free(p);
}

START_TEST(restart_replays_the_same_state)
{
	struct replica_stats st;
	struct bench w;
	uint64_t sum, n;
	int i;

	setup(&w);
	start(&w);
	for (i = 0; i < 5; i++)
		write_entries(&w, 10, 33);
	ck_assert_uint_eq(w.acked, 50);
	sum = w.sum;
	n = w.n;
	replica_stats(w.r, &st);
	ck_assert_uint_eq(st.applied, st.last_index);
	stop(&w);
	start(&w);
	ck_assert_uint_eq(w.n, n);
	ck_assert_uint_eq(w.sum, sum);
	ck_assert_uint_eq(w.acked, 0);
	teardown(&w);
}
END_TEST

/* The metadata say that it was stopped in order: as if it had not been. */
static void
crashed(struct bench *w)
{
	struct log_meta m;
	struct wbuf b;
	char path[128], *p;
	size_t len;

	snprintf(path, sizeof(path), "%s/meta", w->dir);
	ck_assert_ptr_nonnull(p = file_read(path, 4096, &len));
	ck_assert_int_eq(log_meta_decode((uint8_t *)p, len, &m), 0);
	free(p);
	ck_assert_uint_ne(m.last, 0);
	m.last = 0;
	wb_init(&b, 0);
	log_meta_encode(&b, &m);
	ck_assert_int_eq(file_write_atomic(path, b.p, b.len, 0600), 0);
	wb_free(&b);
}

START_TEST(torn_tail_is_cut)
{
	struct bench w;
	struct stat sb;
	char log[512];

	setup(&w);
	start(&w);
	write_entries(&w, 1, 100);
	write_entries(&w, 1, 100);
	stop(&w);
	ck_assert_uint_eq(unit_dir_files(w.dir, "log-", log, sizeof(log)), 1);
	ck_assert_int_eq(stat(log, &sb), 0);
	ck_assert_int_eq(truncate(log, sb.st_size - 7), 0);
	crashed(&w);
	start(&w);
	ck_assert_uint_eq(w.n, 1);
	/* And goes on behind the cut. */
	write_entries(&w, 3, 50);
	stop(&w);
	start(&w);
	ck_assert_uint_eq(w.n, 4);
	teardown(&w);
}
END_TEST

/* What a crash leaves has zeros behind its records; a stop leaves none. */
START_TEST(space_ahead_survives_a_crash_and_is_given_back_at_a_stop)
{
	size_t running, stopped, i;
	char log[512], *p;
	struct stat sb;
	struct bench w;

	setup(&w);
	start(&w);
	for (i = 0; i < 3; i++)
		write_entries(&w, 1, 100);
	ck_assert_uint_eq(unit_dir_files(w.dir, "log-", log, sizeof(log)), 1);
	ck_assert_ptr_nonnull(p = file_read(log, 1 << 20, &running));
	stop(&w);
	ck_assert_int_eq(stat(log, &sb), 0);
	stopped = (size_t)sb.st_size;
	ck_assert_uint_gt(running, stopped);
	for (i = stopped; i < running; i++)
		ck_assert_int_eq(p[i], 0);
	/* As the crash left it, and whole. */
	ck_assert_int_eq(file_write_atomic(log, p, running, 0600), 0);
	free(p);
	crashed(&w);
	start(&w);
	ck_assert_uint_eq(w.n, 3);
	write_entries(&w, 2, 100);
	stop(&w);
	start(&w);
	ck_assert_uint_eq(w.n, 5);
	teardown(&w);
}
END_TEST

/* Wherever it is cut, also between two records. */
START_TEST(log_that_is_cut_after_a_stop_in_order_refuses)
{
	char log[512], err[1024], *p;
	size_t len, cut;
	struct bench w;

	setup(&w);
	start(&w);
	write_entries(&w, 1, 20);
	write_entries(&w, 1, 20);
	stop(&w);
	ck_assert_uint_eq(unit_dir_files(w.dir, "log-", log, sizeof(log)), 1);
	ck_assert_ptr_nonnull(p = file_read(log, 4096, &len));
	for (cut = 0; cut < len; cut++) {
		ck_assert_int_eq(file_write_atomic(log, p, cut, 0600), 0);
		ck_assert(!try_start(&w, err, sizeof(err)));
		ck_assert_ptr_nonnull(strstr(err, log));
		ck_assert_ptr_nonnull(strstr(err, "mv "));
	}
	ck_assert_int_eq(file_write_atomic(log, p, len, 0600), 0);
	free(p);
	start(&w);
	ck_assert_uint_eq(w.n, 2);
	teardown(&w);
}
END_TEST

START_TEST(each_missing_file_is_noticed)
{
	static const char *const missing[] = { "meta", "log-" };
	char path[512], err[1024];
	struct bench w;
	size_t i;

	for (i = 0; i < NELEM(missing); i++) {
		setup(&w);
		start(&w);
		write_entries(&w, 3, 10);
		stop(&w);
		unit_dir_files(w.dir, missing[i], path, sizeof(path));
		ck_assert_int_eq(unlink(path), 0);
		ck_assert(!try_start(&w, err, sizeof(err)));
		ck_assert_ptr_nonnull(strstr(err, w.dir));
		ck_assert_ptr_nonnull(strstr(err, "mv "));
		teardown(&w);
	}
}
END_TEST

START_TEST(interrupted_bootstrap_starts_over)
{
	struct log_meta m = { .id = 1234, .term = 1 };
	char path[128];
	struct bench w;
	struct wbuf b;

	setup(&w);
	wb_init(&b, 0);
	log_meta_encode(&b, &m);
	snprintf(path, sizeof(path), "%s/meta", w.dir);
	ck_assert_int_eq(file_write_atomic(path, b.p, b.len, 0600), 0);
	wb_free(&b);
	start(&w);
	write_entries(&w, 1, 10);
	teardown(&w);
}
END_TEST

/* ---- peers.json ---- */

static void
write_peers(const struct bench *w)
{
	static const char text[] =
	    "[ { \"id\": \"me\", \"address\": \"10.0.0.1:8300\" } ]";
	char path[128];

	snprintf(path, sizeof(path), "%s/peers.json", w->dir);
	ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600), 0);
}

/* What a recovery makes of the log; crashes: how often it begins anew. */
static uint64_t
recovered(struct bench *w, unsigned crashes, uint64_t *last)
{
	struct replica_stats st;
	char err[512], used[128];
	uint64_t cluster;

	snprintf(used, sizeof(used), "%s/peers.json.used", w->dir);
	write_peers(w);
	/* Over a directory nothing can be renamed: the file stays. */
	if (crashes > 0)
		ck_assert_int_eq(mkdir(used, 0700), 0);
	for (; crashes > 0; crashes--) {
		ck_assert(!try_start(w, err, sizeof(err)));
		ck_assert_ptr_nonnull(strstr(err, "rename"));
	}
	(void)rmdir(used);
	start(w);
	replica_stats(w->r, &st);
	*last = st.conf_index;
	cluster = replica_cluster(w->r);
	stop(w);
	ck_assert_int_eq(unlink(used), 0);
	return cluster;
}

/* All servers that go on have to come to the same. */
START_TEST(interrupted_recovery_makes_the_same_cluster)
{
	struct log_meta m = { .id = 1234, .term = 1, .cluster = 77 };
	uint64_t cluster[2], last[2], again;
	char path[128];
	struct bench w;
	struct wbuf b;
	unsigned i;

	for (i = 0; i < 2; i++) {
		setup(&w);
		wb_init(&b, 0);
		log_meta_encode(&b, &m);
		snprintf(path, sizeof(path), "%s/meta", w.dir);
		ck_assert_int_eq(file_write_atomic(path, b.p, b.len, 0600), 0);
		wb_free(&b);
		start(&w);
		write_entries(&w, 3, 10);
		stop(&w);
		cluster[i] = recovered(&w, i * 3, &last[i]);
		/* The next one is another, of the same servers too. */
		again = recovered(&w, 0, &last[i]);
		ck_assert(again != cluster[i]);
		teardown(&w);
	}
	ck_assert_uint_eq(cluster[0], cluster[1]);
	ck_assert_uint_eq(last[0], last[1]);
}
END_TEST

/* Nothing is acknowledged that did not reach the disk. */
START_TEST(failed_write_ends_the_process)
{
	static const uint8_t entry[400];
	struct rlimit small = { 300, 300 };
	int status, fds[2];
	struct bench w;
	char c;
	pid_t pid;

	setup(&w);
	ck_assert_int_eq(pipe(fds), 0);
	if ((pid = fork()) == 0) {
		close(fds[0]);
		start(&w);
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		replica_propose(w.r, entry, sizeof(entry), &w);
		run_for(&w, 5000);
		if (w.acked > 0)
			(void)!write(fds[1], "a", 1);
		_exit(0);
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &c, 1), 0);
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	/* What was torn is cut at the next start. */
	start(&w);
	ck_assert_uint_eq(w.n, 0);
	teardown(&w);
}
END_TEST

START_TEST(snapshot_replaces_old_segments)
{
	struct replica_stats st;
	struct bench w;
	uint64_t sum, n;
	char snap[512], err[1024];
	int i, fd;

	setup(&w);
	start(&w);
	/* More than one segment of 4 MiB, and past the threshold. */
	for (i = 0; i < 9; i++)
		write_entries(&w, 2000, 600);
	for (i = 0; i < 100; i++) {
		replica_stats(w.r, &st);
		if (st.snapshot_index > 0)
			break;
		run_for(&w, 50);
	}
	ck_assert_uint_ge(st.snapshot_index, 16384);
	/* It was not this process that put the state into records. */
	ck_assert_uint_eq(w.dumps, 0);
	ck_assert_uint_eq(unit_dir_files(w.dir, "snap-", snap, sizeof(snap)),
	    1);
	ck_assert_uint_le(unit_dir_files(w.dir, "log-", NULL, 0), 2);
	write_entries(&w, 5, 10);
	sum = w.sum;
	n = w.n;
	stop(&w);
	start(&w);
	ck_assert_uint_eq(w.n, n);
	ck_assert_uint_eq(w.sum, sum);
	write_entries(&w, 5, 10);
	n = w.n;
	stop(&w);
	start(&w);
	ck_assert_uint_eq(w.n, n);
	stop(&w);
	/* A damaged one refuses. */
	fd = open(snap, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "x", 1, 60), 1);
	close(fd);
	ck_assert(!try_start(&w, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, snap));
	teardown(&w);
}
END_TEST

START_TEST(without_bootstrap_nobody_leads)
{
	struct replica_conf c = { .dir = "", .shown = "", .node_id = "me" };
	struct replica_ops ops = { .apply = on_apply, .lost = on_lost,
	    .office = on_office, .current = on_changed, .changed = on_changed,
	    .dump = on_dump, .restore = on_restore };
	struct replica_server s;
	struct bench w;
	char err[512];

	setup(&w);
	ops.arg = &w;
	w.r = replica_start(w.ev, &c, &ops, err, sizeof(err));
	run_for(&w, 50);
	ck_assert(!replica_leads(w.r));
	ck_assert(!replica_leader(w.r, &s));
	ck_assert_int_eq(replica_propose(w.r, (const uint8_t *)"x", 1, NULL),
	    -1);
	teardown(&w);
}
END_TEST

UNIT_MAIN("catalogd_raft_replica",
    restart_replays_the_same_state,
    torn_tail_is_cut,
    space_ahead_survives_a_crash_and_is_given_back_at_a_stop,
    log_that_is_cut_after_a_stop_in_order_refuses,
    each_missing_file_is_noticed,
    interrupted_bootstrap_starts_over,
    interrupted_recovery_makes_the_same_cluster,
    failed_write_ends_the_process,
    snapshot_replaces_old_segments,
    without_bootstrap_nobody_leads)

/*
 * The log's bytes and files: what a crash may leave, what is damage, and what
 * snapshots drop.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bsd/string.h>

#include "catalogd/raft.h"
#include "catalogd/raft_disk.h"
#include "catalogd/raft_log.h"
#include "common/log.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

/* ---- a segment in memory ---- */

struct seen { size_t n; uint64_t last; size_t bytes; };

static void
on_entry(const struct log_entry *e, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->last = e->index;
	s->bytes += e->len;
}

static void
add_frame(struct wbuf *seg, uint64_t first, uint32_t count, size_t len)
{
	struct log_entry e;
	struct wbuf f;
	uint8_t *p;
	uint32_t i;

	p = xmalloc(len + 1);
	memset(p, 'x', len);
	wb_init(&f, 0);
	log_frame_begin(&f, first);
	memset(&e, 0, sizeof(e));
	e.term = 1;
	e.type = 1;
	e.p = p;
	e.len = len;
	for (i = 0; i < count; i++)
		log_frame_add(&f, &e);
	log_frame_end(&f, count);
	wb_bytes(seg, f.p, f.len);
	wb_free(&f);
	free(p);
}

static void
three_frames(struct wbuf *seg)
{
	wb_init(seg, 0);
	log_segment_head(seg, 1);
	add_frame(seg, 1, 2, 100);
	add_frame(seg, 3, 1, 700);
	add_frame(seg, 4, 3, 900);
}

static enum log_result
scan(const struct wbuf *seg, size_t len, bool last, struct seen *s,
    size_t *good)
{
	const char *why;
	enum log_result r;

	memset(s, 0, sizeof(*s));
	r = log_scan(seg->p, len, 1, last, on_entry, s, good, &why);
	ck_assert(r == LOG_OK || why != NULL);
	return r;
}

START_TEST(segment_reads_back_as_written)
{
	struct wbuf seg;
	struct seen s;
	size_t good;

	three_frames(&seg);
	ck_assert_int_eq(scan(&seg, seg.len, true, &s, &good), LOG_OK);
	ck_assert_uint_eq(good, seg.len);
	ck_assert_uint_eq(s.n, 6);
	ck_assert_uint_eq(s.last, 6);
	ck_assert_uint_eq(s.bytes, 2 * 100 + 700 + 3 * 900);
	wb_free(&seg);
}
END_TEST

START_TEST(file_that_ends_in_its_last_frame_is_torn_there)
{
	struct wbuf seg;
	struct seen s;
	size_t good, n, last_frame;

	three_frames(&seg);
	last_frame = seg.len - (LOG_FRAME_HEAD + 3 * (13 + 900) + 1);
	for (n = last_frame + 1; n < seg.len; n++) {
		ck_assert_int_eq(scan(&seg, n, true, &s, &good), LOG_TORN);
		ck_assert_uint_eq(good, last_frame);
		ck_assert_uint_eq(s.n, 3);
		/* The same in an older segment was synced once. */
		ck_assert_int_eq(scan(&seg, n, false, &s, &good), LOG_DAMAGED);
	}
	wb_free(&seg);
}
END_TEST

START_TEST(blocks_that_never_arrived_are_torn)
{
	struct wbuf seg;
	struct seen s;
	size_t good, at, last_frame;

	three_frames(&seg);
	last_frame = seg.len - (LOG_FRAME_HEAD + 3 * (13 + 900) + 1);
	for (at = (last_frame / 512 + 1) * 512; at + 512 <= seg.len;
	    at += 512) {
		struct wbuf copy;

		wb_init(&copy, 0);
		wb_bytes(&copy, seg.p, seg.len);
		memset(copy.p + at, 0, 512);
		ck_assert_int_eq(scan(&copy, copy.len, true, &s, &good),
		    LOG_TORN);
		ck_assert_uint_eq(good, last_frame);
		wb_free(&copy);
	}
	wb_free(&seg);
}
END_TEST

/* Anywhere, the last frame included: all of it was acknowledged. */
START_TEST(flipped_byte_refuses)
{
	struct wbuf seg;
	struct seen s;
	size_t good, i;

	three_frames(&seg);
	for (i = 0; i < seg.len; i++) {
		seg.p[i] ^= 0x41;
		ck_assert_msg(scan(&seg, seg.len, true, &s, &good) ==
		    LOG_DAMAGED, "byte %zu", i);
		seg.p[i] ^= 0x41;
	}
	wb_free(&seg);
}
END_TEST

/* ---- with space that was taken ahead ---- */

#define AHEAD 3000

static size_t
add_zeros(struct wbuf *seg)
{
	static const uint8_t zeros[AHEAD];
	size_t len = seg->len;

	wb_bytes(seg, zeros, sizeof(zeros));
	return len;
}

START_TEST(zeros_behind_the_last_frame_are_the_end)
{
	struct wbuf seg;
	struct seen s;
	size_t good, end, n;

	three_frames(&seg);
	end = add_zeros(&seg);
	for (n = end; n <= seg.len; n++) {
		ck_assert_int_eq(scan(&seg, n, true, &s, &good), LOG_OK);
		ck_assert_uint_eq(good, end);
		ck_assert_uint_eq(s.n, 6);
	}
	/* Of an older one too: a crash may come before it is cut. */
	ck_assert_int_eq(scan(&seg, seg.len, false, &s, &good), LOG_OK);
	ck_assert_uint_eq(good, end);
	seg.p[seg.len - 1] = 1;
	ck_assert_int_eq(scan(&seg, seg.len, false, &s, &good), LOG_DAMAGED);
	wb_free(&seg);
}
END_TEST

START_TEST(file_of_zeros_never_had_its_header)
{
	struct wbuf seg;
	struct seen s;
	size_t good;

	wb_init(&seg, 0);
	(void)add_zeros(&seg);
	ck_assert_int_eq(scan(&seg, seg.len, true, &s, &good), LOG_TORN);
	ck_assert_uint_eq(good, 0);
	ck_assert_int_eq(scan(&seg, seg.len, false, &s, &good), LOG_DAMAGED);
	wb_free(&seg);
}
END_TEST

START_TEST(flipped_byte_before_the_zeros_refuses)
{
	struct wbuf seg;
	struct seen s;
	size_t good, end, i;

	three_frames(&seg);
	end = add_zeros(&seg);
	for (i = 0; i < end; i++) {
		seg.p[i] ^= 0x41;
		ck_assert_msg(scan(&seg, seg.len, true, &s, &good) ==
		    LOG_DAMAGED, "byte %zu", i);
		seg.p[i] ^= 0x41;
	}
	wb_free(&seg);
}
END_TEST

/* Any blocks of the last frame, its first one included. */
START_TEST(frame_of_which_blocks_never_arrived_is_torn_before_the_zeros)
{
	struct wbuf seg, copy;
	struct seen s;
	size_t good, end, at, from, last_frame;
	unsigned mask;

	three_frames(&seg);
	last_frame = seg.len - (LOG_FRAME_HEAD + 3 * (13 + 900) + 1);
	end = add_zeros(&seg);
	for (mask = 1; mask < 64; mask++) {
		wb_init(&copy, 0);
		wb_bytes(&copy, seg.p, seg.len);
		for (at = last_frame / 512 * 512; at < end; at += 512) {
			if ((mask >> (at - last_frame / 512 * 512) / 512 & 1) ==
			    0)
				continue;
			from = at < last_frame ? last_frame : at;
			memset(copy.p + from, 0, at + 512 - from);
		}
		/* All of them: there was no such frame. */
		ck_assert_int_eq(scan(&copy, copy.len, true, &s, &good),
		    memcmp(copy.p + last_frame, seg.p + end, AHEAD) == 0 ?
		    LOG_OK : LOG_TORN);
		ck_assert_uint_eq(good, last_frame);
		ck_assert_uint_eq(s.n, 3);
		wb_free(&copy);
	}
	wb_free(&seg);
}
END_TEST

START_TEST(later_entries_replace_what_conflicts)
{
	struct wbuf seg;
	struct seen s;
	size_t good;

	three_frames(&seg);
	add_frame(&seg, 5, 1, 10);
	add_frame(&seg, 6, 1, 10);
	ck_assert_int_eq(scan(&seg, seg.len, true, &s, &good), LOG_OK);
	ck_assert_uint_eq(s.last, 6);
	add_frame(&seg, 9, 1, 10);
	ck_assert_int_eq(scan(&seg, seg.len, true, &s, &good), LOG_DAMAGED);
	wb_free(&seg);
}
END_TEST

START_TEST(metadata_and_snapshots_check_out_or_are_refused)
{
	struct log_meta m = { 7, 8, 9, 10, META_HAS_LOG, 11 }, m2;
	struct log_snapshot s, s2;
	struct wbuf w;
	size_t i;

	wb_init(&w, 0);
	log_meta_encode(&w, &m);
	ck_assert_int_eq(log_meta_decode(w.p, w.len, &m2), 0);
	ck_assert_uint_eq(m2.id, 7);
	ck_assert_uint_eq(m2.term, 8);
	ck_assert_uint_eq(m2.vote, 9);
	ck_assert_uint_eq(m2.flags, META_HAS_LOG);
	ck_assert_uint_eq(m2.last, 11);
	for (i = 0; i < w.len; i++) {
		w.p[i] ^= 1;
		ck_assert_int_eq(log_meta_decode(w.p, w.len, &m2), -1);
		w.p[i] ^= 1;
	}
	memset(&s, 0, sizeof(s));
	s.index = 5;
	s.term = 2;
	s.conf = (const uint8_t *)"conf";
	s.conf_len = 4;
	s.data = (const uint8_t *)"data!";
	s.data_len = 5;
	log_snapshot_head(&w, &s);
	wb_bytes(&w, s.data, s.data_len);
	ck_assert_int_eq(log_snapshot_decode(w.p, w.len, &s2), 0);
	ck_assert_uint_eq(s2.data_len, 5);
	ck_assert_mem_eq(s2.data, "data!", 5);
	for (i = 0; i < w.len; i++) {
		w.p[i] ^= 1;
		ck_assert_int_eq(log_snapshot_decode(w.p, w.len, &s2), -1);
		w.p[i] ^= 1;
		ck_assert_int_eq(log_snapshot_decode(w.p, i, &s2), -1);
	}
	wb_free(&w);
}
END_TEST

/* ---- a replica on disk ---- */

struct world {
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
	struct world *w = arg;

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
	struct world *w = arg;

	w->office = in;
	ev_stop(w->ev);
}

static void
on_dump(struct wbuf *b, void *arg)
{
	struct world *w = arg;

	w->dumps++;
	wb_u64(b, w->sum);
	wb_u64(b, w->n);
}

static int
on_restore(uint64_t index, const uint8_t *p, size_t len, const char **why,
    void *arg)
{
	struct world *w = arg;
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
	struct world *w = arg;

	ev_stop(w->ev);
}

static void
run_for(struct world *w, uint64_t ms)
{
	ev_timer_set(w->limit, ms);
	ev_run(w->ev);
	ev_timer_stop(w->limit);
}

static bool
try_start(struct world *w, char *err, size_t len)
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
start(struct world *w)
{
	char err[512];

	if (!try_start(w, err, sizeof(err)))
		ck_abort_msg("%s", err);
	while (!w->office)
		run_for(w, 100);
}

static void
setup(struct world *w)
{
	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	w->limit = ev_timer_new(w->ev, on_limit, w);
	strlcpy(w->dir, "/tmp/disco-raft-test.XXXXXX", sizeof(w->dir));
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
}

static void
stop(struct world *w)
{
	replica_free(w->r);
	w->r = NULL;
}

/* Files of that beginning; the first one's name. */
static size_t
files(const struct world *w, const char *prefix, char *first, size_t len)
{
	struct dirent *de;
	size_t n = 0;
	DIR *d;

	d = opendir(w->dir);
	while ((de = readdir(d)) != NULL)
		if (strncmp(de->d_name, prefix, strlen(prefix)) == 0 &&
		    n++ == 0 && first != NULL)
			snprintf(first, len, "%s/%s", w->dir, de->d_name);
	closedir(d);
	return n;
}

static void
teardown(struct world *w)
{
	struct dirent *de;
	char path[512];
	DIR *d;

	stop(w);
	ev_timer_free(w->limit);
	ev_free(w->ev);
	d = opendir(w->dir);
	while ((de = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", w->dir, de->d_name);
		unlink(path);
	}
	closedir(d);
	rmdir(w->dir);
}

/* n entries of len bytes, waited for. */
static void
write_entries(struct world *w, size_t n, size_t len)
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
	struct world w;
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
crashed(struct world *w)
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
	struct world w;
	struct stat sb;
	char log[512];

	setup(&w);
	start(&w);
	write_entries(&w, 1, 100);
	write_entries(&w, 1, 100);
	stop(&w);
	ck_assert_uint_eq(files(&w, "log-", log, sizeof(log)), 1);
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
	struct world w;

	setup(&w);
	start(&w);
	for (i = 0; i < 3; i++)
		write_entries(&w, 1, 100);
	ck_assert_uint_eq(files(&w, "log-", log, sizeof(log)), 1);
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
	struct world w;

	setup(&w);
	start(&w);
	write_entries(&w, 1, 20);
	write_entries(&w, 1, 20);
	stop(&w);
	ck_assert_uint_eq(files(&w, "log-", log, sizeof(log)), 1);
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
	static const char *const files_[] = { "meta", "log-" };
	char path[512], err[1024];
	struct world w;
	size_t i;

	for (i = 0; i < NELEM(files_); i++) {
		setup(&w);
		start(&w);
		write_entries(&w, 3, 10);
		stop(&w);
		files(&w, files_[i], path, sizeof(path));
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
	struct world w;
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
write_peers(const struct world *w)
{
	static const char text[] =
	    "[ { \"id\": \"me\", \"address\": \"10.0.0.1:8300\" } ]";
	char path[128];

	snprintf(path, sizeof(path), "%s/peers.json", w->dir);
	ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600), 0);
}

/* What a recovery makes of the log; crashes: how often it begins anew. */
static uint64_t
recovered(struct world *w, unsigned crashes, uint64_t *last)
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
	struct world w;
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
	struct rlimit small = { 300, 300 };
	int status, fds[2];
	struct world w;
	char c;
	pid_t pid;

	setup(&w);
	ck_assert_int_eq(pipe(fds), 0);
	if ((pid = fork()) == 0) {
		close(fds[0]);
		start(&w);
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		replica_propose(w.r, xcalloc(1, 400), 400, &w);
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
	struct world w;
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
	ck_assert_uint_eq(files(&w, "snap-", snap, sizeof(snap)), 1);
	ck_assert_uint_le(files(&w, "log-", NULL, 0), 2);
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

#define FRAMES 40

struct disk_world {
	struct ev	*ev;
	uint64_t	 persisted, at_snapshot;
};

static void
on_persisted(uint64_t index, void *arg)
{
	struct disk_world *w = arg;

	w->persisted = index;
	if (index == FRAMES && w->at_snapshot != 0)
		ev_stop(w->ev);
}

static void
on_snapshotted(uint64_t index, void *arg)
{
	struct disk_world *w = arg;

	ck_assert_uint_eq(index, 1);
	w->at_snapshot = w->persisted;
	if (w->persisted == FRAMES)
		ev_stop(w->ev);
}

/* When the last of the files so named was written; its name is its order. */
static struct timespec
written(const char *dir, const char *prefix)
{
	char path[400], last[300] = "";
	struct dirent *de;
	struct stat st;
	DIR *d = opendir(dir);

	ck_assert_ptr_nonnull(d);
	while ((de = readdir(d)) != NULL)
		if (strncmp(de->d_name, prefix, strlen(prefix)) == 0 &&
		    strcmp(de->d_name, last) > 0)
			strlcpy(last, de->d_name, sizeof(last));
	closedir(d);
	snprintf(path, sizeof(path), "%s/%s", dir, last);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_mtim;
}

/* What the files say: the loop may hear of both at once. */
START_TEST(snapshot_gets_on_under_a_load_that_never_pauses)
{
	struct disk_world dw = { .ev = NULL };
	struct disk_ops ops = { .persisted = on_persisted,
	    .snapshotted = on_snapshotted, .arg = &dw };
	struct log_snapshot snap = { .index = 1, .term = 1 };
	struct disk_found found;
	struct timespec snapshot, log;
	struct log_entry e[FRAMES];
	struct wbuf data;
	struct world w;
	struct disk *d;
	char err[256];
	size_t i;

	setup(&w);
	dw.ev = w.ev;
	d = disk_open(w.dir, w.dir, &found, err, sizeof(err));
	ck_assert_ptr_nonnull(d);
	disk_start(d, w.ev, &ops);
	memset(e, 0, sizeof(e));
	for (i = 0; i < FRAMES; i++) {
		e[i].index = i + 1;
		e[i].term = 1;
		e[i].len = LOG_FRAME_FULL;
		e[i].p = xcalloc(1, LOG_FRAME_FULL);
	}
	disk_append(d, e, FRAMES);
	wb_init(&data, 0);
	wb_bytes(&data, "data", 4);
	snap.data = data.p;
	snap.data_len = data.len;
	disk_snapshot(d, &snap, &data);
	run_for(&w, 20000);
	ck_assert_uint_eq(dw.persisted, FRAMES);
	ck_assert(dw.at_snapshot > 0);
	snapshot = written(w.dir, "snap-");
	log = written(w.dir, "log-");
	ck_assert(snapshot.tv_sec < log.tv_sec ||
	    (snapshot.tv_sec == log.tv_sec &&
	    snapshot.tv_nsec <= log.tv_nsec));
	disk_close(d);
	for (i = 0; i < FRAMES; i++)
		free((void *)(uintptr_t)e[i].p);
	disk_found_clear(&found);
	teardown(&w);
}
END_TEST

/* ---- a snapshot by another process ---- */

struct fork_world {
	struct ev	*ev;
	size_t		 ends;
	uint64_t	 index;		/* of the last end; 0: none written */
};

static void
on_fork_end(uint64_t index, void *arg)
{
	struct fork_world *w = arg;

	w->ends++;
	w->index = index;
	ev_stop(w->ev);
}

static void
dump_and_die(struct wbuf *b, void *arg)
{
	(void)b;
	(void)arg;
	raise(SIGKILL);
}

/* How many descriptors it has. */
static void
dump_descriptors(struct wbuf *b, void *arg)
{
	uint8_t n = 0;
	int fd;

	(void)arg;
	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	wb_u8(b, n);
}

START_TEST(snapshot_by_another_process_ends_well_or_leaves_nothing)
{
	struct log_snapshot snap = { .index = 5, .term = 1, .conf_index = 1,
	    .conf = (const uint8_t *)"conf", .conf_len = 4 }, read;
	struct fork_world fw = { .ends = 0 };
	struct disk_ops ops = { .snapshotted = on_fork_end, .arg = &fw };
	struct disk_found found;
	char err[256], path[512], *p;
	struct world w;
	struct disk *d;
	size_t len;

	setup(&w);
	fw.ev = w.ev;
	d = disk_open(w.dir, w.dir, &found, err, sizeof(err));
	ck_assert_ptr_nonnull(d);
	disk_start(d, w.ev, &ops);
	ck_assert_int_eq(disk_snapshot_fork(d, &snap, dump_and_die, NULL), 0);
	run_for(&w, 30000);
	ck_assert_uint_eq(fw.ends, 1);
	ck_assert_uint_eq(fw.index, 0);
	ck_assert_uint_eq(files(&w, "snap", NULL, 0), 0);
	ck_assert_int_eq(disk_snapshot_fork(d, &snap, dump_descriptors, NULL),
	    0);
	run_for(&w, 30000);
	ck_assert_uint_eq(fw.ends, 2);
	ck_assert_uint_eq(fw.index, 5);
	ck_assert_uint_eq(files(&w, "snap", path, sizeof(path)), 1);
	ck_assert_ptr_nonnull(p = file_read(path, 4096, &len));
	ck_assert_int_eq(log_snapshot_decode((uint8_t *)p, len, &read), 0);
	ck_assert_uint_eq(read.index, 5);
	ck_assert_uint_eq(read.conf_len, 4);
	ck_assert_uint_eq(read.data_len, 1);
	/* The file, and what it reports on. */
	ck_assert_uint_eq(read.data[0], 2);
	free(p);
	disk_close(d);
	disk_found_clear(&found);
	teardown(&w);
}
END_TEST

/* Whoever stops does not wait for it, and takes nothing of it for a snapshot. */
START_TEST(stop_while_another_process_writes_leaves_no_snapshot)
{
	struct log_snapshot snap = { .index = 5, .term = 1 };
	struct fork_world fw = { .ends = 0 };
	struct disk_ops ops = { .snapshotted = on_fork_end, .arg = &fw };
	struct disk_found found;
	struct world w;
	struct disk *d;
	char err[256];

	setup(&w);
	d = disk_open(w.dir, w.dir, &found, err, sizeof(err));
	disk_start(d, w.ev, &ops);
	ck_assert_int_eq(disk_snapshot_fork(d, &snap, dump_descriptors, NULL),
	    0);
	disk_close(d);
	d = disk_open(w.dir, w.dir, &found, err, sizeof(err));
	ck_assert_ptr_nonnull(d);
	ck_assert(!found.has_snapshot);
	ck_assert_uint_eq(fw.ends, 0);
	disk_close(d);
	disk_found_clear(&found);
	teardown(&w);
}
END_TEST

/* ---- a snapshot from elsewhere ---- */

static void
on_persisted_nothing(uint64_t index, void *arg)
{
	(void)index;
	(void)arg;
}

START_TEST(snapshot_from_elsewhere_goes_to_its_file_as_it_comes)
{
	struct log_snapshot snap = { .index = 5, .term = 3, .conf_index = 1,
	    .conf = (const uint8_t *)"conf", .conf_len = 4,
	    .data = (const uint8_t *)"state", .data_len = 5 };
	struct log_entry e = { .index = 1, .term = 1,
	    .p = (const uint8_t *)"entry", .len = 5 };
	struct log_meta m = { .id = 1, .term = 3, .flags = META_HAS_LOG };
	struct fork_world fw = { .ends = 0 };
	struct disk_ops ops = { .persisted = on_persisted_nothing,
	    .snapshotted = on_fork_end, .arg = &fw };
	struct disk_incoming *in, *dropped;
	struct disk_found found;
	struct log_snapshot s;
	struct wbuf file;
	struct world w;
	struct disk *d;
	char err[256];
	size_t i;

	setup(&w);
	fw.ev = w.ev;
	d = disk_open(w.dir, w.dir, &found, err, sizeof(err));
	disk_meta(d, &m);
	disk_append_sync(d, &e, 1);
	disk_start(d, w.ev, &ops);
	wb_init(&file, 0);
	log_snapshot_head(&file, &snap);
	wb_bytes(&file, snap.data, snap.data_len);
	dropped = disk_incoming_new(d, file.len);
	in = disk_incoming_new(d, file.len);
	ck_assert_ptr_nonnull(dropped);
	ck_assert_ptr_nonnull(in);
	for (i = 0; i < file.len; i++) {
		ck_assert_uint_eq(disk_incoming_len(in), i);
		ck_assert_int_eq(disk_incoming_add(in, file.p + i, 1), 0);
	}
	/* No more than was said. */
	ck_assert_int_eq(disk_incoming_add(in, file.p, 1), -1);
	disk_incoming_free(dropped);
	ck_assert_int_eq(log_snapshot_decode(disk_incoming_map(in),
	    (size_t)disk_incoming_len(in), &s), 0);
	disk_install(d, &s, in);
	run_for(&w, 30000);
	ck_assert_uint_eq(fw.index, 5);
	ck_assert_mem_eq(s.data, "state", 5);	/* until it is let go */
	disk_incoming_free(in);
	disk_close(d);
	disk_found_clear(&found);
	ck_assert_uint_eq(files(&w, "snap", NULL, 0), 1);
	d = disk_open(w.dir, w.dir, &found, err, sizeof(err));
	ck_assert_ptr_nonnull(d);
	ck_assert(found.has_snapshot);
	ck_assert_uint_eq(found.snapshot.index, 5);
	ck_assert_uint_eq(found.n, 0);
	disk_found_clear(&found);
	disk_close(d);
	wb_free(&file);
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
	struct world w;
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

UNIT_MAIN("catalogd_raft_log",
    segment_reads_back_as_written,
    file_that_ends_in_its_last_frame_is_torn_there,
    blocks_that_never_arrived_are_torn,
    flipped_byte_refuses,
    zeros_behind_the_last_frame_are_the_end,
    file_of_zeros_never_had_its_header,
    flipped_byte_before_the_zeros_refuses,
    frame_of_which_blocks_never_arrived_is_torn_before_the_zeros,
    later_entries_replace_what_conflicts,
    metadata_and_snapshots_check_out_or_are_refused,
    restart_replays_the_same_state,
    torn_tail_is_cut,
    space_ahead_survives_a_crash_and_is_given_back_at_a_stop,
    log_that_is_cut_after_a_stop_in_order_refuses,
    each_missing_file_is_noticed,
    interrupted_bootstrap_starts_over,
    interrupted_recovery_makes_the_same_cluster,
    failed_write_ends_the_process,
    snapshot_replaces_old_segments,
    snapshot_gets_on_under_a_load_that_never_pauses,
    snapshot_by_another_process_ends_well_or_leaves_nothing,
    stop_while_another_process_writes_leaves_no_snapshot,
    snapshot_from_elsewhere_goes_to_its_file_as_it_comes,
    without_bootstrap_nobody_leads)

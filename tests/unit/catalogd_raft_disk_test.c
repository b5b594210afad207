/*
 * The log's files: snapshots under load, by another process and from another
 * server.
 */
#include <sys/stat.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bsd/string.h"
#include "catalogd/raft_disk.h"
#include "catalogd/raft_log.h"
#include "common/log.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define FRAMES 40

struct bench {
	struct ev	*ev;
	struct ev_timer	*limit;
	struct disk	*d;
	struct disk_found found;
	char		 dir[64];
	/* of what was appended */
	uint64_t	 persisted, at_snapshot;
	/* of snapshots by another process */
	size_t		 ends;
	uint64_t	 index;		/* of the last end; 0: none written */
};

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
disk_begin(struct bench *w)
{
	char err[256];

	w->d = disk_open(w->dir, w->dir, &w->found, err, sizeof(err));
	ck_assert_msg(w->d != NULL, "%s", err);
}

static void
disk_end(struct bench *w)
{
	disk_close(w->d);
	disk_found_clear(&w->found);
}

static void
teardown(struct bench *w)
{
	ev_timer_free(w->limit);
	ev_free(w->ev);
	unit_dir_remove(w->dir);
}

static void
on_persisted(uint64_t index, void *arg)
{
	struct bench *w = arg;

	w->persisted = index;
	if (index == FRAMES && w->at_snapshot != 0)
		ev_stop(w->ev);
}

static void
on_snapshotted(uint64_t index, void *arg)
{
	struct bench *w = arg;

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
	struct bench w;
	struct disk_ops ops = { .persisted = on_persisted,
	    .snapshotted = on_snapshotted, .arg = &w };
	struct log_snapshot snap = { .index = 1, .term = 1 };
	struct timespec snapshot, log;
	struct log_entry e[FRAMES];
	struct wbuf data;
	size_t i;

	setup(&w);
	disk_begin(&w);
	disk_start(w.d, w.ev, &ops);
	memset(e, 0, sizeof(e));
	for (i = 0; i < FRAMES; i++) {
		e[i].index = i + 1;
		e[i].term = 1;
		e[i].len = LOG_FRAME_FULL;
		e[i].p = xcalloc(1, LOG_FRAME_FULL);
	}
	disk_append(w.d, e, FRAMES);
	wb_init(&data, 0);
	wb_bytes(&data, "data", 4);
	snap.data = data.p;
	snap.data_len = data.len;
	disk_snapshot(w.d, &snap, &data);
	run_for(&w, 20000);
	ck_assert_uint_eq(w.persisted, FRAMES);
	ck_assert(w.at_snapshot > 0);
	snapshot = written(w.dir, "snap-");
	log = written(w.dir, "log-");
	ck_assert(snapshot.tv_sec < log.tv_sec ||
	    (snapshot.tv_sec == log.tv_sec &&
	    snapshot.tv_nsec <= log.tv_nsec));
	disk_end(&w);
	for (i = 0; i < FRAMES; i++)
		free((void *)(uintptr_t)e[i].p);
	teardown(&w);
}
END_TEST

/* ---- a snapshot by another process ---- */

static void
on_fork_end(uint64_t index, void *arg)
{
	struct bench *w = arg;

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
	struct bench w;
	struct disk_ops ops = { .snapshotted = on_fork_end, .arg = &w };
	char path[512], *p;
	size_t len;

	setup(&w);
	disk_begin(&w);
	disk_start(w.d, w.ev, &ops);
	ck_assert_int_eq(disk_snapshot_fork(w.d, &snap, dump_and_die, NULL), 0);
	run_for(&w, 30000);
	ck_assert_uint_eq(w.ends, 1);
	ck_assert_uint_eq(w.index, 0);
	ck_assert_uint_eq(unit_dir_files(w.dir, "snap", NULL, 0), 0);
	ck_assert_int_eq(disk_snapshot_fork(w.d, &snap, dump_descriptors, NULL),
	    0);
	run_for(&w, 30000);
	ck_assert_uint_eq(w.ends, 2);
	ck_assert_uint_eq(w.index, 5);
	ck_assert_uint_eq(unit_dir_files(w.dir, "snap", path, sizeof(path)), 1);
	ck_assert_ptr_nonnull(p = file_read(path, 4096, &len));
	ck_assert_int_eq(log_snapshot_decode((uint8_t *)p, len, &read), 0);
	ck_assert_uint_eq(read.index, 5);
	ck_assert_uint_eq(read.conf_len, 4);
	ck_assert_uint_eq(read.data_len, 1);
	/* The file, and what it reports on. */
	ck_assert_uint_eq(read.data[0], 2);
	free(p);
	disk_end(&w);
	teardown(&w);
}
END_TEST

/* Whoever stops neither waits for it nor takes its file for a snapshot. */
START_TEST(stop_while_another_process_writes_leaves_no_snapshot)
{
	struct log_snapshot snap = { .index = 5, .term = 1 };
	struct bench w;
	struct disk_ops ops = { .snapshotted = on_fork_end, .arg = &w };

	setup(&w);
	disk_begin(&w);
	disk_start(w.d, w.ev, &ops);
	ck_assert_int_eq(disk_snapshot_fork(w.d, &snap, dump_descriptors, NULL),
	    0);
	disk_end(&w);
	disk_begin(&w);
	ck_assert(!w.found.has_snapshot);
	ck_assert_uint_eq(w.ends, 0);
	disk_end(&w);
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
	struct bench w;
	struct disk_ops ops = { .persisted = on_persisted_nothing,
	    .snapshotted = on_fork_end, .arg = &w };
	struct disk_incoming *in, *dropped;
	struct log_snapshot s;
	struct wbuf file;
	size_t i;

	setup(&w);
	disk_begin(&w);
	disk_meta(w.d, &m);
	disk_append_sync(w.d, &e, 1);
	disk_start(w.d, w.ev, &ops);
	wb_init(&file, 0);
	log_snapshot_head(&file, &snap);
	wb_bytes(&file, snap.data, snap.data_len);
	dropped = disk_incoming_new(w.d, file.len);
	in = disk_incoming_new(w.d, file.len);
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
	disk_install(w.d, &s, in);
	run_for(&w, 30000);
	ck_assert_uint_eq(w.index, 5);
	ck_assert_mem_eq(s.data, "state", 5);	/* until it is let go */
	disk_incoming_free(in);
	disk_end(&w);
	ck_assert_uint_eq(unit_dir_files(w.dir, "snap", NULL, 0), 1);
	disk_begin(&w);
	ck_assert(w.found.has_snapshot);
	ck_assert_uint_eq(w.found.snapshot.index, 5);
	ck_assert_uint_eq(w.found.n, 0);
	disk_end(&w);
	wb_free(&file);
	teardown(&w);
}
END_TEST

UNIT_MAIN("catalogd_raft_disk",
    snapshot_gets_on_under_a_load_that_never_pauses,
    snapshot_by_another_process_ends_well_or_leaves_nothing,
    stop_while_another_process_writes_leaves_no_snapshot,
    snapshot_from_elsewhere_goes_to_its_file_as_it_comes)

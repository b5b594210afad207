/*
 * Files of the log, seen from the loop: see raft_disk.h.
 */
#include "catalogd/raft_disk_i.h"

#include <sys/eventfd.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"

#define RESERVE_BYTES 65536	/* for term and vote on a full disk */

/* Space that is given up when term and vote find no other. */
static void
reserve_make(struct disk *d)
{
	uint8_t zero[4096] = { 0 };
	size_t n;
	int fd;

	fd = openat(d->dirfd, "reserve", O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0600);
	if (fd == -1)
		return;
	for (n = 0; n < RESERVE_BYTES; n += sizeof(zero))
		if (disk_write_all(fd, zero, sizeof(zero)) == -1)
			break;
	(void)fdatasync(fd);
	close(fd);
}

static void
on_event(struct ev_io *io, int fd, int events, void *arg)
{
	struct disk *d = arg;
	uint64_t n, persisted, snapshotted;
	bool bad, full, snap_failed;

	(void)io;
	(void)events;
	if (read(fd, &n, sizeof(n)) == -1)
		return;
	pthread_mutex_lock(&d->lock);
	persisted = d->persisted;
	snapshotted = d->snapshotted;
	d->snapshotted = 0;
	full = d->full;
	snap_failed = d->snap_failed;
	d->snap_failed = false;
	bad = d->error[0] != '\0';
	pthread_mutex_unlock(&d->lock);
	/* Nothing that is not on disk may ever be acknowledged. */
	if (bad)
		fatalx("%s", d->error);
	if (persisted != d->reported) {
		d->reported = persisted;
		d->ops.persisted(persisted, d->ops.arg);
	}
	if (snap_failed)
		log_warnx("%s: no space left for a snapshot", d->shown);
	if (snapshotted != 0 || snap_failed)
		d->ops.snapshotted(snapshotted, d->ops.arg);
	if (full == d->reported_full)
		return;
	d->reported_full = full;
	if (!full)
		reserve_make(d);
	d->ops.full(full, d->ops.arg);
}

void
disk_start(struct disk *d, struct ev *ev, const struct disk_ops *ops)
{
	sigset_t all, old;

	d->ev = ev;
	d->ops = *ops;
	d->reported = d->persisted;
	if (d->dirfd == -1)
		return;
	reserve_make(d);
	if ((d->evfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) == -1)
		fatal("eventfd");
	d->io = ev_io_new(ev, d->evfd, on_event, d);
	ev_io_set(d->io, EV_READ);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if ((errno = pthread_create(&d->thread, NULL, disk_thread, d)) != 0)
		fatal("pthread_create");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	d->running = true;
}

uint64_t
disk_stop(struct disk *d)
{
	if (!d->running)
		return 0;
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_signal(&d->cond);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	d->running = false;
	if (d->error[0] != '\0')
		log_errorx("%s", d->error);
	return d->error[0] == '\0' && TAILQ_EMPTY(&d->jobs) ? d->next - 1 : 0;
}

void
disk_close(struct disk *d)
{
	struct frame_job *j;

	if (d == NULL)
		return;
	(void)disk_stop(d);
	disk_writer_leave(d);
	ev_io_free(d->io);
	while ((j = TAILQ_FIRST(&d->jobs)) != NULL) {
		TAILQ_REMOVE(&d->jobs, j, entry);
		disk_frame_free(j);
	}
	disk_snapshot_free(d->snap);
	if (d->evfd != -1)
		close(d->evfd);
	disk_segment_end(d);
	if (d->dirfd != -1)
		close(d->dirfd);
	pthread_cond_destroy(&d->cond);
	pthread_mutex_destroy(&d->lock);
	free(d->seg);
	free(d->dir);
	free(d->shown);
	free(d);
}

void
disk_meta(struct disk *d, const struct log_meta *m)
{
	struct wbuf w;
	char *path;

	if (d->dirfd == -1)
		return;
	wb_init(&w, 0);
	log_meta_encode(&w, m);
	xasprintf(&path, "%s/meta", d->dir);
	if (file_write_atomic(path, w.p, w.len, 0600) == -1 &&
	    (!disk_no_space() || unlinkat(d->dirfd, "reserve", 0) == -1 ||
	    file_write_atomic(path, w.p, w.len, 0600) == -1))
		fatal("write %s/meta", d->shown);
	free(path);
	wb_free(&w);
}

void
disk_append(struct disk *d, const struct log_entry *e, size_t n)
{
	struct frame_job *j;
	size_t i;

	if (n == 0)
		return;
	pthread_mutex_lock(&d->lock);
	if (e[0].index < d->queued) {
		d->epoch++;
		if (d->persisted >= e[0].index)
			d->persisted = e[0].index - 1;
		if (d->reported >= e[0].index)
			d->reported = e[0].index - 1;
	}
	d->queued = e[n - 1].index + 1;
	for (i = 0; i < n; i++) {
		j = TAILQ_LAST(&d->jobs, frame_jobs);
		if (j == NULL || j->ended || j->w.len >= LOG_FRAME_FULL ||
		    j->epoch != d->epoch ||
		    e[i].index != j->first + j->count) {
			j = xcalloc(1, sizeof(*j));
			j->first = e[i].index;
			j->epoch = d->epoch;
			wb_init(&j->w, 0);
			log_frame_begin(&j->w, j->first);
			TAILQ_INSERT_TAIL(&d->jobs, j, entry);
		}
		log_frame_add(&j->w, &e[i]);
		j->count++;
	}
	/* Without the lock, which the thread would find taken as it wakes. */
	pthread_mutex_unlock(&d->lock);
	pthread_cond_signal(&d->cond);
}

void
disk_append_sync(struct disk *d, const struct log_entry *e, size_t n)
{
	struct frame_job *j;

	disk_append(d, e, n);
	while ((j = TAILQ_FIRST(&d->jobs)) != NULL) {
		TAILQ_REMOVE(&d->jobs, j, entry);
		if (disk_write_frame(d, j) != 0)
			fatalx("%s", d->error[0] != '\0' ? d->error :
			    "no space for the log");
		disk_frame_free(j);
	}
}

void
disk_snapshot(struct disk *d, const struct log_snapshot *s, struct wbuf *data)
{
	struct snapshot_job *j;

	j = xcalloc(1, sizeof(*j));
	j->index = s->index;
	j->term = s->term;
	j->fd = -1;
	wb_init(&j->head, 0);
	log_snapshot_head(&j->head, s);
	j->data = *data;
	memset(data, 0, sizeof(*data));
	pthread_mutex_lock(&d->lock);
	d->snap = j;
	pthread_cond_signal(&d->cond);
	pthread_mutex_unlock(&d->lock);
}

void
disk_install(struct disk *d, const struct log_snapshot *s,
    const struct disk_incoming *in)
{
	struct snapshot_job *j;
	struct frame_job *f;

	j = xcalloc(1, sizeof(*j));
	j->index = s->index;
	j->term = s->term;
	j->fd = in->fd;
	j->install = in;
	wb_init(&j->head, 0);
	wb_init(&j->data, 0);
	pthread_mutex_lock(&d->lock);
	while ((f = TAILQ_FIRST(&d->jobs)) != NULL) {
		TAILQ_REMOVE(&d->jobs, f, entry);
		disk_frame_free(f);
	}
	d->epoch++;
	d->queued = s->index + 1;
	d->reported = d->persisted = s->index;
	d->snap = j;
	pthread_cond_signal(&d->cond);
	pthread_mutex_unlock(&d->lock);
}

int
disk_snapshot_open(struct disk *d, uint64_t index, uint64_t term,
    uint64_t *size)
{
	char name[64];
	struct stat st;
	int fd;

	if (d->dirfd == -1)
		return -1;
	disk_snapshot_name(name, sizeof(name), index, term);
	fd = openat(d->dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

bool
disk_in_memory(const struct disk *d)
{
	return d->dirfd == -1;
}

uint64_t
disk_log_bytes(struct disk *d)
{
	uint64_t n;

	pthread_mutex_lock(&d->lock);
	n = d->log_bytes;
	pthread_mutex_unlock(&d->lock);
	return n;
}

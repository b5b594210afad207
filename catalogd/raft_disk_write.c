/*
 * The thread that writes the log: frames, and between them a snapshot piece by
 * piece.  See raft_disk_i.h.
 */
#include "catalogd/raft_disk_i.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"

#define SEGMENT_FULL (4u << 20)
#define SNAPSHOT_CHUNK (1u << 20)	/* between two looks for log writes */
#define FULL_PAUSE_MS 500	/* between two tries on a full disk */
#define FRAMES_PER_CHUNK 8	/* a load that never pauses needs it most */
/* Of space ahead of a segment's end: little, for a full disk is to be noticed
 * when it is full; more where much is written. */
#define AHEAD_MIN 16384
#define AHEAD_MAX (1u << 20)
#define AHEAD_FRAMES 4
#define AHEAD_ZEROS 4096	/* frames up to it go to blocks that were written */

__attribute__((format(printf, 2, 3))) static int
thread_failed(struct disk *d, const char *fmt, ...)
{
	int e = errno;
	va_list ap;
	size_t n;

	pthread_mutex_lock(&d->lock);
	va_start(ap, fmt);
	vsnprintf(d->error, sizeof(d->error) - 64, fmt, ap);
	va_end(ap);
	n = strlen(d->error);
	snprintf(d->error + n, sizeof(d->error) - n, ": %s", strerror(e));
	pthread_mutex_unlock(&d->lock);
	return -1;
}

static void
thread_report(struct disk *d)
{
	uint64_t one = 1;

	/* Only a full counter could refuse, and then a wake-up is due anyway.*/
	if (write(d->evfd, &one, sizeof(one)) == -1)
		return;
}

bool
disk_no_space(void)
{
	return errno == ENOSPC || errno == EDQUOT;
}

int
disk_write_all(int fd, const uint8_t *p, size_t n)
{
	ssize_t k;

	while (n > 0) {
		k = write(fd, p, n);
		if (k == -1 && errno == EINTR)
			continue;
		if (k <= 0) {
			if (k == 0)
				errno = EIO;
			return -1;
		}
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static int
segment_drop(struct disk *d, size_t i)
{
	char name[64];

	disk_segment_name(name, sizeof(name), d->seg[i].first);
	if (unlinkat(d->dirfd, name, 0) == -1 && errno != ENOENT)
		return thread_failed(d, "remove %s/%s", d->shown, name);
	memmove(d->seg + i, d->seg + i + 1,
	    (d->nseg - i - 1) * sizeof(*d->seg));
	d->nseg--;
	return 0;
}

/* What was taken ahead is given back: nothing more comes behind its end. */
void
disk_segment_end(struct disk *d)
{
	if (d->segfd == -1)
		return;
	/* Zeros that stay are no harm: see raft_log.h. */
	if (d->nseg > 0 && d->ahead > d->seg[d->nseg - 1].size)
		(void)!ftruncate(d->segfd, (off_t)d->seg[d->nseg - 1].size);
	close(d->segfd);
	d->segfd = -1;
	d->ahead = 0;
}

/* Written ones: of blocks only set aside the first use is metadata again. */
static int
zeros_ahead(struct disk *d, size_t at, size_t n)
{
	static const uint8_t zeros[AHEAD_MIN + AHEAD_ZEROS];

	if (pwrite(d->segfd, zeros, n, (off_t)at) == (ssize_t)n)
		return 0;
	(void)!ftruncate(d->segfd, (off_t)at);
	return -1;
}

/*
 * Room for a frame, and some more: where the file has its size and its blocks
 * beforehand, a sync writes the data and no metadata.  What cannot be had is
 * found by the write.
 */
static void
segment_ahead(struct disk *d, size_t frame)
{
	size_t n = frame * AHEAD_FRAMES, size = d->seg[d->nseg - 1].size;

	if (size + frame <= d->ahead)
		return;
	if (frame <= AHEAD_ZEROS) {
		n = AHEAD_MIN + frame;
		d->ahead = zeros_ahead(d, size, n) == 0 ? size + n : 0;
		return;
	}
	if (d->no_ahead)
		return;
	if (n > AHEAD_MAX)
		n = AHEAD_MAX;
	if (n < AHEAD_MIN)
		n = AHEAD_MIN;
	n += frame;
	if (fallocate(d->segfd, 0, (off_t)size, (off_t)n) == 0)
		d->ahead = size + n;
	else if (!disk_no_space())
		d->no_ahead = true;
}

/* 0, 1 when there is no space for it, or -1. */
static int
segment_new(struct disk *d, uint64_t first)
{
	struct wbuf w;
	char name[64];
	int rc = 0;

	disk_segment_end(d);
	disk_segment_name(name, sizeof(name), first);
	d->segfd = openat(d->dirfd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (d->segfd == -1)
		return disk_no_space() ? 1 : thread_failed(d, "create %s/%s",
		    d->shown, name);
	wb_init(&w, 0);
	log_segment_head(&w, first);
	if (disk_write_all(d->segfd, w.p, w.len) == -1 ||
	    fsync(d->segfd) == -1 || fsync(d->dirfd) == -1)
		rc = disk_no_space() ? 1 : thread_failed(d, "write %s/%s",
		    d->shown, name);
	wb_free(&w);
	if (rc == 1) {
		close(d->segfd);
		d->segfd = -1;
		(void)unlinkat(d->dirfd, name, 0);
		return 1;
	}
	d->seg = xreallocarray(d->seg, d->nseg + 1, sizeof(*d->seg));
	d->seg[d->nseg].first = first;
	d->seg[d->nseg++].size = LOG_SEGMENT_HEAD;
	return rc;
}

/* Behind the last record, where zeros may follow. */
static int
segment_seek(struct disk *d)
{
	return lseek(d->segfd, (off_t)d->seg[d->nseg - 1].size, SEEK_SET) ==
	    -1 ? -1 : 0;
}

/* The segment that a frame beginning at `first` goes to. */
static int
segment_for(struct disk *d, uint64_t first)
{
	char name[64];
	struct segment *s;

	while (d->nseg > 0 && first < d->seg[d->nseg - 1].first) {
		disk_segment_end(d);
		if (segment_drop(d, d->nseg - 1) == -1)
			return -1;
	}
	if (d->nseg == 0)
		return segment_new(d, first);
	s = &d->seg[d->nseg - 1];
	/* A gap is what a snapshot from elsewhere leaves. */
	if ((s->size >= SEGMENT_FULL && first > s->first) || first > d->next)
		return segment_new(d, first);
	if (d->segfd != -1)
		return 0;
	disk_segment_name(name, sizeof(name), s->first);
	d->segfd = openat(d->dirfd, name, O_WRONLY | O_CLOEXEC);
	if (d->segfd == -1 || segment_seek(d) == -1)
		return thread_failed(d, "open %s/%s", d->shown, name);
	return 0;
}

/* 0, 1 when there is no space for it, or -1. */
int
disk_write_frame(struct disk *d, struct frame_job *j)
{
	struct segment *s;
	int rc;

	if (!j->ended)
		log_frame_end(&j->w, j->count);
	j->ended = true;
	if ((rc = segment_for(d, j->first)) != 0)
		return rc;
	s = &d->seg[d->nseg - 1];
	segment_ahead(d, j->w.len);
	rc = disk_write_all(d->segfd, j->w.p, j->w.len);
	/* Part of it would look like damage, once more follows. */
	if (rc == -1 && disk_no_space() &&
	    ftruncate(d->segfd, (off_t)s->size) == 0 &&
	    segment_seek(d) == 0) {
		d->ahead = 0;
		return 1;
	}
	if (rc == -1 || fdatasync(d->segfd) == -1)
		return thread_failed(d, "write %s/log-%016llx", d->shown,
		    (unsigned long long)s->first);
	d->seg[d->nseg - 1].size += j->w.len;
	d->next = j->first + j->count;
	pthread_mutex_lock(&d->lock);
	d->log_bytes += j->w.len;
	/* Not if it has been replaced meanwhile: what did that follows. */
	if (j->epoch == d->epoch)
		d->persisted = j->first + j->count - 1;
	pthread_mutex_unlock(&d->lock);
	return 0;
}

/* Segments that hold nothing behind the snapshot, and older snapshots. */
static int
prune(struct disk *d, uint64_t index, const char *keep)
{
	struct dirent *de;
	uint64_t bytes = 0;
	size_t i;
	DIR *dir;
	int fd;

	while (d->nseg > 1 && d->seg[1].first <= index + 1)
		if (segment_drop(d, 0) == -1)
			return -1;
	fd = openat(d->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return thread_failed(d, "read %s", d->shown);
	}
	while ((de = readdir(dir)) != NULL)
		if (strncmp(de->d_name, "snap-", 5) == 0 &&
		    strcmp(de->d_name, keep) != 0)
			(void)unlinkat(d->dirfd, de->d_name, 0);
	closedir(dir);
	for (i = 0; i < d->nseg; i++)
		bytes += d->seg[i].size;
	pthread_mutex_lock(&d->lock);
	/* What is left of the last segment is as good as covered. */
	d->log_bytes = d->nseg > 1 ? bytes : 0;
	pthread_mutex_unlock(&d->lock);
	return 0;
}

/* Behind a snapshot from elsewhere; nothing that was before it is left. */
static int
log_anew(struct disk *d, uint64_t index)
{
	size_t i;

	for (i = d->nseg; i > 0; i--)
		if (d->seg[i - 1].first == index + 1 &&
		    segment_drop(d, i - 1) == -1)
			return -1;
	if (segment_new(d, index + 1) != 0)
		return thread_failed(d, "create %s/log-%016llx", d->shown,
		    (unsigned long long)index + 1);
	while (d->nseg > 1)
		if (segment_drop(d, 0) == -1)
			return -1;
	d->next = index + 1;
	pthread_mutex_lock(&d->lock);
	d->persisted = index;
	pthread_mutex_unlock(&d->lock);
	return 0;
}

static int
snapshot_finish(struct disk *d, struct snapshot_job *j)
{
	char name[64];

	disk_snapshot_name(name, sizeof(name), j->index, j->term);
	if (fsync(j->fd) == -1 || renameat(d->dirfd, j->install != NULL ?
	    j->install->name : "snap.tmp", d->dirfd, name) == -1 ||
	    fsync(d->dirfd) == -1)
		return thread_failed(d, "write %s/%s", d->shown, name);
	if (j->install != NULL && log_anew(d, j->index) == -1)
		return -1;
	return prune(d, j->index, name);
}

/* No space for it: it begins anew, some time. */
static int
snapshot_again(struct disk *d, struct snapshot_job *j)
{
	if (j->fd != -1)
		close(j->fd);
	j->fd = -1;
	j->done = 0;
	(void)unlinkat(d->dirfd, "snap.tmp", 0);
	return 2;
}

/* One piece; 1 when it is finished, 2 when there is no space. */
static int
snapshot_step(struct disk *d, struct snapshot_job *j)
{
	size_t n = j->data.len - j->done;

	/* All of it is written, and had its space beforehand. */
	if (j->install != NULL)
		return snapshot_finish(d, j) == -1 ? -1 : 1;
	if (j->fd == -1) {
		j->fd = openat(d->dirfd, "snap.tmp",
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (j->fd == -1 ||
		    disk_write_all(j->fd, j->head.p, j->head.len) == -1)
			return disk_no_space() ? snapshot_again(d, j) :
			    thread_failed(d, "write %s/snap.tmp", d->shown);
	}
	if (n > SNAPSHOT_CHUNK)
		n = SNAPSHOT_CHUNK;
	if (disk_write_all(j->fd, j->data.p + j->done, n) == -1 ||
	    fdatasync(j->fd) == -1)
		return disk_no_space() ? snapshot_again(d, j) :
		    thread_failed(d, "write %s/snap.tmp", d->shown);
	j->done += n;
	if (j->done < j->data.len)
		return 0;
	return snapshot_finish(d, j) == -1 ? -1 : 1;
}

void
disk_snapshot_free(struct snapshot_job *j)
{
	if (j == NULL)
		return;
	if (j->fd != -1 && j->install == NULL)
		close(j->fd);
	wb_free(&j->head);
	wb_free(&j->data);
	free(j);
}

void
disk_frame_free(struct frame_job *j)
{
	wb_free(&j->w);
	free(j);
}

/* A frame, or a piece of a snapshot.  -1 ends the thread. */
static int
thread_turn(struct disk *d, struct frame_job *j, struct snapshot_job *snap)
{
	int rc;

	if (j != NULL) {
		rc = disk_write_frame(d, j);
		pthread_mutex_lock(&d->lock);
		d->full = rc == 1;
		/* Nobody else takes from the front. */
		if (rc == 1)
			TAILQ_INSERT_HEAD(&d->jobs, j, entry);
		pthread_mutex_unlock(&d->lock);
		if (rc != 1)
			disk_frame_free(j);
		thread_report(d);
		return rc == -1 ? -1 : 0;
	}
	if ((rc = snapshot_step(d, snap)) == 0)
		return 0;
	pthread_mutex_lock(&d->lock);
	d->snap_failed = rc == 2;
	d->snap = NULL;
	if (rc == 1)
		d->snapshotted = snap->index;
	pthread_mutex_unlock(&d->lock);
	disk_snapshot_free(snap);
	thread_report(d);
	return rc == -1 ? -1 : 0;
}

/* On a full disk; a stop, or a job that replaces others, ends it early. */
static void
full_pause(struct disk *d)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_nsec += FULL_PAUSE_MS * NS_PER_MS;
	if (at.tv_nsec >= NS_PER_S) {
		at.tv_nsec -= NS_PER_S;
		at.tv_sec++;
	}
	(void)pthread_cond_timedwait(&d->cond, &d->lock, &at);
}

void *
disk_thread(void *arg)
{
	struct disk *d = arg;
	struct snapshot_job *snap;
	struct frame_job *j;
	unsigned frames = 0;
	bool stop;

	for (;;) {
		pthread_mutex_lock(&d->lock);
		while (TAILQ_EMPTY(&d->jobs) && d->snap == NULL && !d->stop)
			pthread_cond_wait(&d->cond, &d->lock);
		if (d->full && !d->stop)
			full_pause(d);
		snap = d->snap;
		stop = d->stop;
		/* Log first, but not for ever. */
		j = NULL;
		if (snap == NULL || stop || frames < FRAMES_PER_CHUNK)
			j = TAILQ_FIRST(&d->jobs);
		if (j != NULL)
			TAILQ_REMOVE(&d->jobs, j, entry);
		frames = j != NULL ? frames + 1 : 0;
		pthread_mutex_unlock(&d->lock);
		/* At the end the log is flushed, a snapshot is not worth it. */
		if (j == NULL && stop)
			return NULL;
		if (thread_turn(d, j, snap) == -1) {
			thread_report(d);
			return NULL;
		}
		/* What finds no space now was never acknowledged. */
		if (stop && d->full)
			return NULL;
	}
}

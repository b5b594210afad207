/*
 * Files of the log: see raft_disk.h.  The thread owns the segments once it
 * runs; between it and the loop are a queue of jobs under one lock and an
 * eventfd back.
 */
#include "catalogd/raft_disk.h"

#include <sys/eventfd.h>
#include <sys/stat.h>

#include <bsd/sys/queue.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"

#define SEGMENT_FULL (4u << 20)
#define SEGMENT_READ_MAX (64u << 20)	/* a full one and a frame more */
#define SNAPSHOT_READ_MAX ((size_t)4 << 30)
#define SNAPSHOT_CHUNK (1u << 20)	/* between two looks for log writes */
#define FULL_PAUSE_MS 500	/* between two tries on a full disk */
#define RESERVE_BYTES 65536	/* for term and vote on a full disk */
#define FRAMES_PER_CHUNK 8	/* a load that never pauses needs it most */

struct frame_job {
	TAILQ_ENTRY(frame_job)	 entry;
	struct wbuf		 w;
	uint64_t		 first;
	uint32_t		 count;
	uint64_t		 epoch;
	bool			 ended;
};
TAILQ_HEAD(frame_jobs, frame_job);

struct segment {
	uint64_t	 first;
	size_t		 size;
};

struct snapshot_job {
	uint64_t	 index, term;
	struct wbuf	 head, data;
	size_t		 done;		/* of data */
	int		 fd;
	bool		 install;	/* from elsewhere: the log goes */
};

struct disk {
	int		 dirfd;		/* -1: in memory */
	char		*dir, *shown;

	/* the thread's, once it runs */
	struct segment	*seg;
	size_t		 nseg;
	int		 segfd;		/* of the last, or -1 */
	uint64_t	 next;		/* index behind its last record */

	pthread_t	 thread;
	bool		 running;
	pthread_mutex_t	 lock;
	pthread_cond_t	 cond;
	/* under the lock */
	struct frame_jobs jobs;
	struct snapshot_job *snap;	/* under way */
	uint64_t	 persisted;	/* highest durable index */
	uint64_t	 epoch;		/* rises when entries are replaced */
	uint64_t	 snapshotted;	/* finished, not yet reported */
	bool		 snap_failed;	/* no space, not yet reported */
	bool		 full;		/* the last write found no space */
	uint64_t	 log_bytes;
	bool		 stop;
	char		 error[256];

	/* the loop's */
	int		 evfd;
	struct ev_io	*io;
	struct disk_ops	 ops;
	uint64_t	 reported;
	bool		 reported_full;
	uint64_t	 queued;	/* index behind the last one queued */
};

static void
segment_name(char *buf, size_t len, uint64_t first)
{
	snprintf(buf, len, "log-%016llx", (unsigned long long)first);
}

static void
snapshot_name(char *buf, size_t len, uint64_t index, uint64_t term)
{
	snprintf(buf, len, "snap-%016llx-%llx", (unsigned long long)index,
	    (unsigned long long)term);
}

/* ---- loading ---- */

struct loader {
	struct disk		*d;
	struct disk_found	*found;
	uint64_t		*first;		/* segments */
	size_t			 nfirst;
	uint64_t		 snap_index, snap_term;
	uint64_t		 base;		/* of found->entry[0] */
	uint64_t		 next;
	char			*err;
	size_t			 errlen;
};

static int
damaged(const struct disk *d, const char *file, size_t at, const char *why,
    char *err, size_t errlen)
{
	snprintf(err, errlen, "%s/%s: %s (at byte %zu); to start without this "
	    "server's copy of the catalog: mv %s %s.damaged", d->shown, file,
	    why, at, d->shown, d->shown);
	return -1;
}

static int
failed(const struct disk *d, const char *file, char *err, size_t errlen)
{
	snprintf(err, errlen, "%s/%s: %s", d->shown, file, strerror(errno));
	return -1;
}

static char *
disk_read(const struct disk *d, const char *file, size_t max, size_t *len)
{
	char *path, *p;

	xasprintf(&path, "%s/%s", d->dir, file);
	p = file_read(path, max, len);
	free(path);
	return p;
}

static int
cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int
list_files(struct loader *l)
{
	unsigned long long a, b;
	struct dirent *de;
	DIR *dir;
	int fd, n;

	fd = openat(l->d->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return failed(l->d, ".", l->err, l->errlen);
	}
	while ((de = readdir(dir)) != NULL) {
		n = 0;
		if (sscanf(de->d_name, "log-%16llx%n", &a, &n) == 1 &&
		    de->d_name[n] == '\0') {
			l->first = xreallocarray(l->first, l->nfirst + 1,
			    sizeof(*l->first));
			l->first[l->nfirst++] = a;
		} else if (sscanf(de->d_name, "snap-%16llx-%llx%n", &a, &b,
		    &n) == 2 && de->d_name[n] == '\0' && a > l->snap_index) {
			l->snap_index = a;
			l->snap_term = b;
		}
	}
	closedir(dir);
	if (l->nfirst > 0)
		qsort(l->first, l->nfirst, sizeof(*l->first), cmp_u64);
	return 0;
}

static int
load_meta(struct loader *l)
{
	struct disk_found *f = l->found;
	size_t len;
	char *p;

	if ((p = disk_read(l->d, "meta", 4096, &len)) == NULL) {
		if (errno != ENOENT)
			return failed(l->d, "meta", l->err, l->errlen);
		if (l->nfirst > 0 || l->snap_index > 0)
			return damaged(l->d, "meta", 0, "the file is missing "
			    "beside a log", l->err, l->errlen);
		return 0;
	}
	f->has_meta = true;
	if (log_meta_decode((uint8_t *)p, len, &f->meta) == -1) {
		free(p);
		return damaged(l->d, "meta", 0, "it does not check out",
		    l->err, l->errlen);
	}
	free(p);
	if ((f->meta.flags & META_HAS_LOG) != 0 && l->nfirst == 0)
		return damaged(l->d, "meta", 0, "the log beside it is missing",
		    l->err, l->errlen);
	return 0;
}

static int
load_snapshot(struct loader *l)
{
	struct disk_found *f = l->found;
	char name[64];
	size_t len;

	if (l->snap_index == 0)
		return 0;
	snapshot_name(name, sizeof(name), l->snap_index, l->snap_term);
	f->snapshot_file = disk_read(l->d, name, SNAPSHOT_READ_MAX, &len);
	if (f->snapshot_file == NULL)
		return failed(l->d, name, l->err, l->errlen);
	if (log_snapshot_decode((uint8_t *)f->snapshot_file, len,
	    &f->snapshot) == -1 || f->snapshot.index != l->snap_index)
		return damaged(l->d, name, 0, "it does not check out", l->err,
		    l->errlen);
	f->has_snapshot = true;
	return 0;
}

static void
load_entry(const struct log_entry *e, void *arg)
{
	struct loader *l = arg;
	struct disk_found *f = l->found;
	struct log_entry *x;

	l->next = e->index + 1;
	if (e->index < l->base)
		return;
	/* A newer leader's entries replace what was there. */
	while (f->n > 0 && f->entry[f->n - 1].index >= e->index)
		free((void *)(uintptr_t)f->entry[--f->n].p);
	if ((f->n & (f->n - 1)) == 0)
		f->entry = xreallocarray(f->entry, f->n == 0 ? 1 : f->n * 2,
		    sizeof(*f->entry));
	x = &f->entry[f->n++];
	*x = *e;
	x->p = memcpy(xmalloc(e->len + 1), e->p, e->len);
}

/* What a crash tore off was never acknowledged. */
static int
cut_tail(struct loader *l, const char *name, size_t good, size_t len)
{
	int fd;

	if (good == 0)
		return unlinkat(l->d->dirfd, name, 0);
	fd = openat(l->d->dirfd, name, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (ftruncate(fd, (off_t)good) == -1 || fsync(fd) == -1) {
		close(fd);
		return -1;
	}
	l->found->cut = len - good;
	return close(fd);
}

static int
load_segment(struct loader *l, size_t i)
{
	bool last = i + 1 == l->nfirst;
	enum log_result res;
	const char *why;
	char name[64];
	size_t len, good;
	uint8_t *p;

	segment_name(name, sizeof(name), l->first[i]);
	if ((p = (uint8_t *)disk_read(l->d, name, SEGMENT_READ_MAX,
	    &len)) == NULL)
		return failed(l->d, name, l->err, l->errlen);
	/* What a snapshot covers need not be there. */
	if (l->first[i] > l->next && l->first[i] > l->base) {
		free(p);
		return damaged(l->d, name, 0, "records before it are missing",
		    l->err, l->errlen);
	}
	l->next = l->first[i];
	res = log_scan(p, len, l->first[i], last, load_entry, l, &good, &why);
	free(p);
	if (res == LOG_DAMAGED)
		return damaged(l->d, name, good, why, l->err, l->errlen);
	if (res == LOG_TORN && cut_tail(l, name, good, len) == -1)
		return failed(l->d, name, l->err, l->errlen);
	if (good == 0)
		return 0;
	l->d->seg = xreallocarray(l->d->seg, l->d->nseg + 1,
	    sizeof(*l->d->seg));
	l->d->seg[l->d->nseg].first = l->first[i];
	l->d->seg[l->d->nseg++].size = good;
	l->d->log_bytes += good;
	return 0;
}

/*
 * A crash between a snapshot from elsewhere and the end of the log that it
 * replaced: what follows the snapshot then is of an older term.
 */
static void
drop_stale(struct loader *l)
{
	struct disk_found *f = l->found;

	if (!f->has_snapshot || f->n == 0 ||
	    f->entry[0].term >= f->snapshot.term)
		return;
	while (f->n > 0)
		free((void *)(uintptr_t)f->entry[--f->n].p);
}

static int
load(struct loader *l)
{
	size_t i;

	if (list_files(l) == -1 || load_meta(l) == -1 ||
	    load_snapshot(l) == -1)
		return -1;
	(void)unlinkat(l->d->dirfd, "snap.tmp", 0);
	l->base = l->snap_index + 1;
	l->next = l->base;
	for (i = 0; i < l->nfirst; i++)
		if (load_segment(l, i) == -1)
			return -1;
	drop_stale(l);
	l->d->next = l->next;
	l->d->persisted = l->base - 1 + l->found->n;
	l->d->queued = l->d->persisted + 1;
	return 0;
}

struct disk *
disk_open(const char *dir, const char *shown, struct disk_found *found,
    char *err, size_t errlen)
{
	struct loader l;
	struct disk *d;
	int rc;

	memset(found, 0, sizeof(*found));
	d = xcalloc(1, sizeof(*d));
	d->dirfd = d->segfd = d->evfd = -1;
	d->dir = xstrdup(dir);
	d->shown = xstrdup(shown);
	TAILQ_INIT(&d->jobs);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->cond, NULL);
	if (str_empty(dir))
		return d;

	memset(&l, 0, sizeof(l));
	l.d = d;
	l.found = found;
	l.err = err;
	l.errlen = errlen;
	/* A new one is not lost with what is synced in it. */
	if (dir_make(dir, 0700) == -1)
		rc = failed(d, "", err, errlen);
	else if ((d->dirfd = open(dir, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) == -1)
		rc = failed(d, "", err, errlen);
	else
		rc = load(&l);
	free(l.first);
	if (rc == -1) {
		disk_found_clear(found);
		disk_close(d);
		return NULL;
	}
	return d;
}

void
disk_found_clear(struct disk_found *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free((void *)(uintptr_t)f->entry[i].p);
	free(f->entry);
	free(f->snapshot_file);
	memset(f, 0, sizeof(*f));
}

/* ---- the thread ---- */

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

static bool
no_space(void)
{
	return errno == ENOSPC || errno == EDQUOT;
}

static int
write_all(int fd, const uint8_t *p, size_t n)
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

	segment_name(name, sizeof(name), d->seg[i].first);
	if (unlinkat(d->dirfd, name, 0) == -1 && errno != ENOENT)
		return thread_failed(d, "remove %s/%s", d->shown, name);
	memmove(d->seg + i, d->seg + i + 1,
	    (d->nseg - i - 1) * sizeof(*d->seg));
	d->nseg--;
	return 0;
}

/* 0, 1 when there is no space for it, or -1. */
static int
segment_new(struct disk *d, uint64_t first)
{
	struct wbuf w;
	char name[64];
	int rc = 0;

	if (d->segfd != -1)
		close(d->segfd);
	segment_name(name, sizeof(name), first);
	d->segfd = openat(d->dirfd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (d->segfd == -1)
		return no_space() ? 1 : thread_failed(d, "create %s/%s",
		    d->shown, name);
	wb_init(&w, 0);
	log_segment_head(&w, first);
	if (write_all(d->segfd, w.p, w.len) == -1 ||
	    fsync(d->segfd) == -1 || fsync(d->dirfd) == -1)
		rc = no_space() ? 1 : thread_failed(d, "write %s/%s",
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

/* The segment that a frame beginning at `first` goes to. */
static int
segment_for(struct disk *d, uint64_t first)
{
	char name[64];
	struct segment *s;

	while (d->nseg > 0 && first < d->seg[d->nseg - 1].first) {
		if (d->segfd != -1)
			close(d->segfd);
		d->segfd = -1;
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
	segment_name(name, sizeof(name), s->first);
	d->segfd = openat(d->dirfd, name, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (d->segfd == -1)
		return thread_failed(d, "open %s/%s", d->shown, name);
	return 0;
}

/* 0, 1 when there is no space for it, or -1. */
static int
write_frame(struct disk *d, struct frame_job *j)
{
	struct segment *s;
	int rc;

	if (!j->ended)
		log_frame_end(&j->w, j->count);
	j->ended = true;
	if ((rc = segment_for(d, j->first)) != 0)
		return rc;
	s = &d->seg[d->nseg - 1];
	rc = write_all(d->segfd, j->w.p, j->w.len);
	/* Part of it would look like damage, once more follows. */
	if (rc == -1 && no_space() &&
	    ftruncate(d->segfd, (off_t)s->size) == 0)
		return 1;
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

	snapshot_name(name, sizeof(name), j->index, j->term);
	if (fsync(j->fd) == -1 ||
	    renameat(d->dirfd, "snap.tmp", d->dirfd, name) == -1 ||
	    fsync(d->dirfd) == -1)
		return thread_failed(d, "write %s/%s", d->shown, name);
	if (j->install && log_anew(d, j->index) == -1)
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

	if (j->fd == -1) {
		j->fd = openat(d->dirfd, "snap.tmp",
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (j->fd == -1 ||
		    write_all(j->fd, j->head.p, j->head.len) == -1)
			return no_space() ? snapshot_again(d, j) :
			    thread_failed(d, "write %s/snap.tmp", d->shown);
	}
	if (n > SNAPSHOT_CHUNK)
		n = SNAPSHOT_CHUNK;
	if (write_all(j->fd, j->data.p + j->done, n) == -1 ||
	    fdatasync(j->fd) == -1)
		return no_space() ? snapshot_again(d, j) :
		    thread_failed(d, "write %s/snap.tmp", d->shown);
	j->done += n;
	if (j->done < j->data.len)
		return 0;
	return snapshot_finish(d, j) == -1 ? -1 : 1;
}

static void
snapshot_job_free(struct snapshot_job *j)
{
	if (j == NULL)
		return;
	if (j->fd != -1)
		close(j->fd);
	wb_free(&j->head);
	wb_free(&j->data);
	free(j);
}

static void
frame_job_free(struct frame_job *j)
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
		rc = write_frame(d, j);
		pthread_mutex_lock(&d->lock);
		d->full = rc == 1;
		/* Nobody else takes from the front. */
		if (rc == 1)
			TAILQ_INSERT_HEAD(&d->jobs, j, entry);
		pthread_mutex_unlock(&d->lock);
		if (rc != 1)
			frame_job_free(j);
		thread_report(d);
		return rc == -1 ? -1 : 0;
	}
	if ((rc = snapshot_step(d, snap)) == 0)
		return 0;
	pthread_mutex_lock(&d->lock);
	d->full = rc == 2 && snap->install;
	d->snap_failed = rc == 2 && !snap->install;
	if (rc != 2 || !snap->install)
		d->snap = NULL;
	if (rc == 1)
		d->snapshotted = snap->index;
	pthread_mutex_unlock(&d->lock);
	if (rc != 2 || !snap->install)
		snapshot_job_free(snap);
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

static void *
thread_main(void *arg)
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

/* ---- the loop's side ---- */

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
		if (write_all(fd, zero, sizeof(zero)) == -1)
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
	if ((errno = pthread_create(&d->thread, NULL, thread_main, d)) != 0)
		fatal("pthread_create");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	d->running = true;
}

void
disk_close(struct disk *d)
{
	struct frame_job *j;

	if (d == NULL)
		return;
	if (d->running) {
		pthread_mutex_lock(&d->lock);
		d->stop = true;
		pthread_cond_signal(&d->cond);
		pthread_mutex_unlock(&d->lock);
		pthread_join(d->thread, NULL);
		if (d->error[0] != '\0')
			log_errorx("%s", d->error);
	}
	ev_io_free(d->io);
	while ((j = TAILQ_FIRST(&d->jobs)) != NULL) {
		TAILQ_REMOVE(&d->jobs, j, entry);
		frame_job_free(j);
	}
	snapshot_job_free(d->snap);
	if (d->evfd != -1)
		close(d->evfd);
	if (d->segfd != -1)
		close(d->segfd);
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
	    (!no_space() || unlinkat(d->dirfd, "reserve", 0) == -1 ||
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
	pthread_cond_signal(&d->cond);
	pthread_mutex_unlock(&d->lock);
}

void
disk_append_sync(struct disk *d, const struct log_entry *e, size_t n)
{
	struct frame_job *j;

	disk_append(d, e, n);
	while ((j = TAILQ_FIRST(&d->jobs)) != NULL) {
		TAILQ_REMOVE(&d->jobs, j, entry);
		if (write_frame(d, j) != 0)
			fatalx("%s", d->error[0] != '\0' ? d->error :
			    "no space for the log");
		frame_job_free(j);
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
disk_install(struct disk *d, const struct log_snapshot *s, struct wbuf *file)
{
	struct snapshot_job *j;
	struct frame_job *f;

	j = xcalloc(1, sizeof(*j));
	j->index = s->index;
	j->term = s->term;
	j->fd = -1;
	j->install = true;
	wb_init(&j->head, 0);
	j->data = *file;
	memset(file, 0, sizeof(*file));
	pthread_mutex_lock(&d->lock);
	while ((f = TAILQ_FIRST(&d->jobs)) != NULL) {
		TAILQ_REMOVE(&d->jobs, f, entry);
		frame_job_free(f);
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
	snapshot_name(name, sizeof(name), index, term);
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

/*
 * What is on disk when a server starts: checked, read, and cut where a crash
 * tore it.  See raft_disk.h.
 */
#include "catalogd/raft_disk_i.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"

#define SEGMENT_READ_MAX (64u << 20)	/* a full one and a frame more */
#define SNAPSHOT_READ_MAX ((size_t)4 << 30)

void
disk_segment_name(char *buf, size_t len, uint64_t first)
{
	snprintf(buf, len, "log-%016llx", (unsigned long long)first);
}

void
disk_snapshot_name(char *buf, size_t len, uint64_t index, uint64_t term)
{
	snprintf(buf, len, "snap-%016llx-%llx", (unsigned long long)index,
	    (unsigned long long)term);
}

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
		/* What had not come to its end. */
		if (strncmp(de->d_name, DISK_INCOMING,
		    strlen(DISK_INCOMING)) == 0)
			(void)unlinkat(l->d->dirfd, de->d_name, 0);
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
	disk_snapshot_name(name, sizeof(name), l->snap_index, l->snap_term);
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

	disk_segment_name(name, sizeof(name), l->first[i]);
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
	/* Whoever is stopped in order leaves no write half done. */
	if (res == LOG_DAMAGED ||
	    (res == LOG_TORN && l->found->meta.last != 0))
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

/* Cut where a record ends, or without its last file. */
static int
lost_end(struct loader *l)
{
	char name[64], why[128];

	disk_segment_name(name, sizeof(name),
	    l->nfirst > 0 ? l->first[l->nfirst - 1] : l->next);
	snprintf(why, sizeof(why), "records %llu to %llu, which were there "
	    "when the server was stopped, are missing",
	    (unsigned long long)l->next,
	    (unsigned long long)l->found->meta.last);
	return damaged(l->d, name, 0, why, l->err, l->errlen);
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
	if (l->next <= l->found->meta.last)
		return lost_end(l);
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

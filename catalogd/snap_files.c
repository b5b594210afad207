/*
 * One at a time, a slice a turn of the loop: the archive to a file that has no
 * name yet that anybody looks for, from there through the reader and into a
 * store, then its name.  What fails is said and tried again an interval later.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "catalogd/snap_files.h"
#include "catalogd/store.h"
#include "common/archive.h"
#include "common/log.h"
#include "common/util.h"

#define SUFFIX		".snap"
#define TEMP		"unverified"
#define MODE		0600		/* it holds secrets */
#define DIR_MODE	0700

struct snap_files {
	struct ev		*ev;
	struct server		*server;
	char			*dir, *shown;
	uint64_t		 interval_ms, retain;
	struct ev_timer		*timer;		/* the next one; the next step */
	/* while one is made */
	struct archive_out	*out;
	struct archive_in	*in;
	struct archive_meta	 meta;
	int			 fd;
};

struct snap_files *
snap_files_new(struct ev *ev, struct server *server, const char *dir,
    const char *shown)
{
	struct snap_files	*f = xcalloc(1, sizeof(*f));

	f->ev = ev;
	f->server = server;
	f->fd = -1;
	xasprintf(&f->dir, "%s/snapshots", dir);
	xasprintf(&f->shown, "%s/snapshots", shown);
	return f;
}

static void
clear(struct snap_files *f)
{
	archive_out_free(f->out);
	archive_in_free(f->in);
	archive_meta_clear(&f->meta);
	if (f->fd != -1)
		close(f->fd);
	f->out = NULL;
	f->in = NULL;
	f->fd = -1;
}

void
snap_files_free(struct snap_files *f)
{
	if (f == NULL)
		return;
	clear(f);
	ev_timer_free(f->timer);
	free(f->dir);
	free(f->shown);
	free(f);
}

static char *
path_of(const struct snap_files *f, const char *name)
{
	char	*path;

	xasprintf(&path, "%s/%s", f->dir, name);
	return path;
}

static void
unlink_temp(struct snap_files *f)
{
	char	*path = path_of(f, TEMP);

	(void)unlink(path);
	free(path);
}

static void
next_later(struct snap_files *f)
{
	if (f->interval_ms > 0)
		ev_timer_set(f->timer, f->interval_ms);
}

static void
give_up(struct snap_files *f, const char *what, const char *why)
{
	log_errorx("snapshot: none is written to %s: %s: %s", f->shown, what,
	    why);
	clear(f);
	unlink_temp(f);
	next_later(f);
}

/* ---- the old ones ---- */

static int
is_ours(const struct dirent *e)
{
	size_t	n = strlen(e->d_name), s = strlen(SUFFIX);

	return n > s && strcmp(e->d_name + n - s, SUFFIX) == 0 &&
	    e->d_name[0] >= '0' && e->d_name[0] <= '9';
}

/* Their names begin with their times. */
static void
prune(struct snap_files *f)
{
	struct dirent	**list;
	char		 *path;
	int		  i, n = scandir(f->dir, &list, is_ours, alphasort);

	for (i = 0; i < n; i++) {
		if ((uint64_t)(n - i) > f->retain) {
			path = path_of(f, list[i]->d_name);
			if (unlink(path) == -1)
				log_warn("snapshot: %s/%s: cannot be removed",
				    f->shown, list[i]->d_name);
			free(path);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	else
		log_warn("snapshot: %s", f->shown);
}

/* ---- one ---- */

/* It reads back as it was meant: now it gets its name. */
static void
keep(struct snap_files *f)
{
	char		 when[32], *name, *from, *to;
	time_t		 now = (time_t)(ev_wall_ns() / NS_PER_S);
	struct tm	 tm;
	int		 rc;

	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm) == 0)
		(void)snprintf(when, sizeof(when), "%lld", (long long)now);
	xasprintf(&name, "%s-%llu" SUFFIX, when,
	    (unsigned long long)f->meta.index);
	from = path_of(f, TEMP);
	to = path_of(f, name);
	rc = rename(from, to);
	if (rc == -1)
		give_up(f, name, strerror(errno));
	else {
		log_info("snapshot: %s/%s: written and verified, index %llu",
		    f->shown, name, (unsigned long long)f->meta.index);
		clear(f);
		prune(f);
		next_later(f);
	}
	free(from);
	free(to);
	free(name);
}

static void
verify_end(struct snap_files *f)
{
	struct archive_meta	 m;
	struct store		*scratch;
	const uint8_t		*state;
	const char		*why = NULL;
	size_t			 len;
	char			 buf[256];

	if (archive_in_end(f->in, &m, &state, &len) == -1) {
		give_up(f, "verifying", archive_in_error(f->in));
		return;
	}
	why = archive_meta_refusal(&m, len, buf, sizeof(buf));
	scratch = store_new();
	if (why == NULL)
		(void)store_restore(scratch, m.index, state, len, &why);
	archive_meta_clear(&m);
	if (why != NULL)
		give_up(f, "verifying", why);
	else
		keep(f);
	store_free(scratch);
}

static void
verify_step(struct snap_files *f)
{
	static uint8_t	buf[65536];
	ssize_t		n = read(f->fd, buf, sizeof(buf));

	if (n == -1)
		give_up(f, "verifying", strerror(errno));
	else if (n == 0)
		verify_end(f);
	else if (archive_in_feed(f->in, buf, (size_t)n) == -1)
		give_up(f, "verifying", archive_in_error(f->in));
	else
		ev_timer_set(f->timer, 0);
}

static int
write_all(int fd, const struct wbuf *w)
{
	size_t	off;
	ssize_t	n;

	for (off = 0; off < w->len; off += (size_t)n)
		if ((n = write(fd, w->p + off, w->len - off)) == -1)
			return -1;
	return 0;
}

static void
write_step(struct snap_files *f)
{
	struct wbuf	w;
	bool		more;
	int		rc;

	wb_init(&w, 0);
	more = archive_out_next(f->out, &w);
	rc = write_all(f->fd, &w);
	wb_free(&w);
	if (rc == -1 || (!more && (fsync(f->fd) == -1 ||
	    lseek(f->fd, 0, SEEK_SET) == -1))) {
		give_up(f, "writing", strerror(errno));
		return;
	}
	if (!more) {
		archive_out_free(f->out);
		f->out = NULL;
		f->in = archive_in_new(ARCHIVE_STATE_MAX);
	}
	ev_timer_set(f->timer, 0);
}

static void
begin(struct snap_files *f)
{
	char		 addr[ADDR_TEXT_MAX], *path;
	struct wbuf	 state;

	if (server_leader(f->server, addr, sizeof(addr)) == -1) {
		give_up(f, "no cluster leader", "what this server has may be "
		    "old");
		return;
	}
	if (dir_make(f->dir, DIR_MODE) == -1) {
		give_up(f, "the directory", strerror(errno));
		return;
	}
	unlink_temp(f);
	path = path_of(f, TEMP);
	f->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    MODE);
	free(path);
	if (f->fd == -1) {
		give_up(f, "writing", strerror(errno));
		return;
	}
	wb_init(&state, 0);
	server_snapshot(f->server, &f->meta, &state);
	f->out = archive_out_new(&f->meta, &state, ev_wall_ns() / NS_PER_S);
	ev_timer_set(f->timer, 0);
}

static void
on_timer(void *arg)
{
	struct snap_files	*f = arg;

	if (f->out != NULL)
		write_step(f);
	else if (f->in != NULL)
		verify_step(f);
	else
		begin(f);
}

void
snap_files_configure(struct snap_files *f, int64_t interval_ns,
    uint64_t retain)
{
	uint64_t	ms = (uint64_t)(interval_ns / NS_PER_MS);

	f->retain = retain;
	if (ms == f->interval_ms)
		return;
	f->interval_ms = ms;
	if (f->timer == NULL)
		f->timer = ev_timer_new(f->ev, on_timer, f);
	/* One that is being made is finished first. */
	if (f->out != NULL || f->in != NULL)
		return;
	if (ms == 0)
		ev_timer_stop(f->timer);
	else
		ev_timer_set(f->timer, ms);
}

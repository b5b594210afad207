/*
 * Views on disk: see keep.h.
 *
 *	"disco views 1\n", u64 ms since 1970, u32 number of views
 *	each: u64 ms that nobody had confirmed it, u32 length, a VIEW's body
 *	u64 hash of all that
 *
 * The file is written in slices, so that answers do not wait, and not synced:
 * the hash tells one that a power failure cut.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "dnsd/keep.h"

#define MAGIC "disco views 1\n"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define COUNT_OFF (MAGIC_LEN + 8)
#define HASH_LEN 8
#define LOOK_MS 5000		/* how often it looks for changes */
#define BYTES_MS 1000		/* so many a millisecond, over time */
#define SLICE (1u << 20)

struct keep {
	struct ev	*ev;
	struct names	*names;
	struct ev_timer	*timer;
	char		*path, *tmp;
	uint64_t	 stale_ms;
	uint64_t	 next;		/* it is not written before */
	struct wbuf	 out;		/* what is being written */
	size_t		 done;
	int		 fd;		/* -1: nothing is */
	bool		 warned;
	bool		 writes;	/* it is not another process's file */
};

/* ---- the bytes ---- */

void
keep_begin(struct wbuf *w, uint64_t wall_ms)
{
	wb_bytes(w, MAGIC, MAGIC_LEN);
	wb_u64(w, wall_ms);
	wb_u32(w, 0);
}

void
keep_put(struct wbuf *w, const uint8_t *raw, size_t len, uint64_t age_ms)
{
	uint8_t	*n;

	if (w->len + 12 + len + HASH_LEN > KEEP_FILE_MAX)
		return;
	wb_u64(w, age_ms);
	wb_u32(w, (uint32_t)len);
	wb_bytes(w, raw, len);
	/* one more, big-endian */
	for (n = w->p + COUNT_OFF + 3; ++*n == 0; n--)
		;
}

void
keep_end(struct wbuf *w)
{
	wb_u64(w, hash_bytes(w->p, w->len, 0));
}

static bool
hash_fits(const uint8_t *p, size_t len)
{
	struct rbuf	 r;

	rb_init(&r, p + len - HASH_LEN, HASH_LEN);
	return rb_u64(&r) == hash_bytes(p, len - HASH_LEN, 0);
}

int
keep_read(const uint8_t *p, size_t len, uint64_t *wall_ms, keep_fn *fn,
    void *arg, const char **why)
{
	struct rbuf	 r;
	const uint8_t	*raw;
	uint64_t	 age;
	uint32_t	 count, i, n;

	*why = "not a file of views";
	if (len < COUNT_OFF + 4 + HASH_LEN || memcmp(p, MAGIC, MAGIC_LEN) != 0)
		return -1;
	*why = "damaged";
	if (!hash_fits(p, len))
		return -1;
	rb_init(&r, p + MAGIC_LEN, len - MAGIC_LEN - HASH_LEN);
	*wall_ms = rb_u64(&r);
	count = rb_u32(&r);
	for (i = 0; i < count && rb_ok(&r); i++) {
		age = rb_u64(&r);
		n = rb_u32(&r);
		if ((raw = rb_bytes(&r, n)) != NULL && fn != NULL)
			fn(raw, n, age, arg);
	}
	return rb_ok(&r) && r.n == 0 && count <= INT32_MAX ? (int)count : -1;
}

/* ---- writing ---- */

static uint64_t
wall_ms(void)
{
	return (uint64_t)(ev_wall_ns() / NS_PER_MS);
}

static void
put_one(const uint8_t *raw, size_t len, uint64_t age_ms, void *arg)
{
	keep_put(arg, raw, len, age_ms);
}

static void
out_clear(struct keep *k)
{
	wb_free(&k->out);
	wb_init(&k->out, 0);
}

/* Into k->out; false: it is all on disk already. */
static bool
collect(struct keep *k)
{
	out_clear(k);
	keep_begin(&k->out, wall_ms());
	if (!names_each_kept(k->names, ev_now(k->ev), put_one, &k->out)) {
		out_clear(k);
		return false;
	}
	keep_end(&k->out);
	return true;
}

static void
failed(struct keep *k, const char *path)
{
	if (!k->warned)
		log_warn("dns: views are not kept on disk: %s", path);
	k->warned = true;
}

/* Done with the file under way. */
static void
close_file(struct keep *k)
{
	if (k->fd != -1)
		close(k->fd);
	k->fd = -1;
	out_clear(k);
}

static void
begin(struct keep *k)
{
	if (ev_now(k->ev) < k->next || !collect(k))
		return;
	k->next = ev_now(k->ev) + LOOK_MS + k->out.len / BYTES_MS;
	k->done = 0;
	k->fd = open(k->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (k->fd == -1) {
		failed(k, k->tmp);
		out_clear(k);
	}
}

static void
slice(struct keep *k)
{
	size_t	n = k->out.len - k->done;
	ssize_t	rc;

	rc = write(k->fd, k->out.p + k->done, n > SLICE ? SLICE : n);
	if (rc == -1 && errno != EINTR) {
		failed(k, k->tmp);
		close_file(k);
		names_changed(k->names);
		return;
	}
	if (rc > 0)
		k->done += (size_t)rc;
	if (k->done < k->out.len)
		return;
	if (rename(k->tmp, k->path) == -1)
		failed(k, k->path);
	else
		k->warned = false;
	close_file(k);
}

static void
on_timer(void *arg)
{
	struct keep	*k = arg;

	if (k->stale_ms == 0)
		return;
	if (k->fd == -1)
		begin(k);
	else
		slice(k);
	ev_timer_set(k->timer, k->fd == -1 ? LOOK_MS : 0);
}

void
keep_write(struct keep *k)
{
	if (k->fd != -1)
		names_changed(k->names);
	close_file(k);
	if (k->writes && k->stale_ms > 0 && collect(k) && file_write_atomic(k->path,
	    k->out.p, k->out.len, 0600) == -1)
		failed(k, k->path);
	out_clear(k);
}

/* ---- reading ---- */

struct loading {
	struct keep	*k;
	struct view	*(*view)(const struct msg_view *, void *);
	void		*arg;
	uint64_t	 more_ms;	/* since it was written */
};

static void
load_one(const uint8_t *raw, size_t len, uint64_t age_ms, void *arg)
{
	struct loading	*l = arg;
	struct msg_view	 mv;
	struct view	*v;
	const char	*why;
	char		*name;

	if (schema_decode_all(&msg_view_schema, raw, len, &mv, &why) == -1)
		return;
	if (!str_empty(mv.name) && mv.exists && str_empty(mv.error) &&
	    mv.kind >= VIEW_SERVICE && mv.kind <= VIEW_QUERY) {
		name = view_name(&mv);
		v = l->view(&mv, l->arg);
		view_keep(v, raw, len);
		names_keep(l->k->names, (enum view_kind)mv.kind, name, v,
		    age_ms + l->more_ms, ev_now(l->k->ev));
		free(name);
	}
	schema_clear(&msg_view_schema, &mv);
}

void
keep_load(struct keep *k, struct view *(*view)(const struct msg_view *,
    void *), void *arg)
{
	struct loading	 l = { k, view, arg, 0 };
	const char	*why;
	uint64_t	 then;
	size_t		 len;
	char		*p;
	int		 n;

	if (k->stale_ms == 0)
		return;
	if ((p = file_read(k->path, KEEP_FILE_MAX, &len)) == NULL) {
		if (errno != ENOENT)
			log_warn("dns: views of before: %s", k->path);
		return;
	}
	/* nothing of it is taken before all of it is known to be whole */
	n = keep_read((uint8_t *)p, len, &then, NULL, NULL, &why);
	if (n == -1)
		log_warnx("dns: views of before: %s: %s: it is not used",
		    k->path, why);
	else {
		l.more_ms = wall_ms() > then ? wall_ms() - then : 0;
		(void)keep_read((uint8_t *)p, len, &then, load_one, &l, &why);
		log_info("dns: %d views of %llu s ago", n,
		    (unsigned long long)(l.more_ms / 1000));
	}
	free(p);
}

/* ---- life ---- */

void
keep_conf(struct keep *k, uint64_t stale_ms)
{
	k->stale_ms = stale_ms;
	if (!k->writes)
		return;
	if (stale_ms == 0) {
		close_file(k);
		(void)unlink(k->path);
		(void)unlink(k->tmp);
	} else if (!ev_timer_pending(k->timer))
		ev_timer_set(k->timer, LOOK_MS);
}

struct keep *
keep_new(struct ev *ev, const char *dir, struct names *names, bool writes)
{
	struct keep	*k = xcalloc(1, sizeof(*k));

	k->ev = ev;
	k->names = names;
	k->writes = writes;
	k->fd = -1;
	xasprintf(&k->path, "%s/views", strcmp(dir, "/") == 0 ? "" : dir);
	xasprintf(&k->tmp, "%s.new", k->path);
	k->timer = ev_timer_new(ev, on_timer, k);
	wb_init(&k->out, 0);
	return k;
}

void
keep_free(struct keep *k)
{
	if (k == NULL)
		return;
	close_file(k);
	ev_timer_free(k->timer);
	free(k->path);
	free(k->tmp);
	free(k);
}

/*
 * What gossipd keeps on disk for each pool: the snapshot of members and the
 * keyring, in Consul's formats and under its names, "local" for the LAN pool
 * and "remote" for the WAN pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"
#include "common/util.h"
#include "gossipd/gossipd.h"

#define SNAPSHOT_MAX	(64u << 20)
#define KEYRING_SIZE_MAX (64u << 10)
#define REWRITE_MS	60000	/* a snapshot that could not be written */

enum file { FILE_SNAPSHOT, FILE_KEYRING };

static const char *
file_name(const struct pool *p, enum file file)
{
	static const char *const	names[2][2] = {
		{ "local.snapshot", "local.keyring" },
		{ "remote.snapshot", "remote.keyring" }
	};

	return names[p->wan][file];
}

/* NULL: nothing is kept. */
static char *
path_of(const struct pool *p, enum file file)
{
	const char	*dir = child_dir(p->g->child);
	char		*path;

	if (dir == NULL ||
	    (file == FILE_KEYRING && p->g->conf.disable_keyring_file))
		return NULL;
	(void)xasprintf(&path, "%s/%s", dir, file_name(p, file));
	return path;
}

/* ---- keyring ---- */

static const char *
add_key(struct keyring *ring, const char *text)
{
	uint8_t		 key[CRYPT_KEY_MAX + 1];
	const char	*why;
	int		 n;

	if (text == NULL || (n = base64_decode(text, key, sizeof(key))) == -1)
		return "a key is not base64 of 16, 24 or 32 bytes";
	why = keyring_add(ring, key, (size_t)n);
	explicit_bzero(key, sizeof(key));
	return why;
}

/* A JSON list of keys, the primary first. */
static const char *
read_keys(struct keyring *ring, const char *text, size_t n)
{
	struct json		*j;
	const struct json	*k;
	const char		*why = NULL;
	char			 err[128];

	if ((j = json_parse(text, n, err, sizeof(err))) == NULL ||
	    j->type != JSON_ARRAY)
		why = "it is not a JSON list of keys";
	else if (j->child == NULL)	/* which is not: no encryption */
		why = "there are no keys in it";
	for (k = why == NULL ? j->child : NULL; k != NULL && why == NULL;
	    k = k->next)
		why = add_key(ring, k->type == JSON_STRING ? k->str : NULL);
	json_free(j);
	return why;
}

/* As Consul prints it: two blanks, no newline at the end. */
static void
write_keys(const struct keyring *ring, struct wbuf *w)
{
	const uint8_t	*key;
	char		*text;
	size_t		 i, len;

	wb_str(w, "[");
	for (i = 0; i < keyring_count(ring); i++) {
		key = keyring_key(ring, i, &len);
		text = base64_text(key, len);
		wb_printf(w, "%s\n  \"%s\"", i > 0 ? "," : "", text);
		explicit_bzero(text, strlen(text));
		free(text);
	}
	wb_str(w, "\n]");
}

const char *
files_save_keys(struct pool *p)
{
	char		*path = path_of(p, FILE_KEYRING);
	const char	*why = NULL;
	struct wbuf	 w;

	if (path == NULL)
		return NULL;
	wb_init(&w, 0);
	write_keys(p->ring, &w);
	if (file_write_atomic(path, w.p, w.len, 0600) == -1) {
		why = strerror(errno);
		log_warn("%skeyring: %s", p->prefix, path);
	}
	explicit_bzero(w.p, w.len);
	wb_free(&w);
	free(path);
	return why;
}

void
files_keyring_undo(struct pool *p)
{
	char	*path = p->keyring_new ? path_of(p, FILE_KEYRING) : NULL;

	p->keyring_new = false;
	if (path != NULL && file_remove(path) == -1)
		log_warn("%skeyring: %s", p->prefix, path);
	free(path);
}

/* The file counts, not the configuration: who changed the key there alone
 * must hear so. */
static void
warn_of_other_key(struct pool *p)
{
	struct keyring	*ring = keyring_new();
	const uint8_t	*key, *want;
	size_t		 i, n, nwant;
	bool		 there = false;

	if (add_key(ring, p->g->conf.encrypt) == NULL) {
		want = keyring_key(ring, 0, &nwant);
		for (i = 0; i < keyring_count(p->ring); i++) {
			key = keyring_key(p->ring, i, &n);
			there |= n == nwant && memcmp(key, want, n) == 0;
		}
		if (!there)
			log_warnx("%skeyring doesn't include key provided with "
			    "-encrypt, using keyring: %s; remove the file to "
			    "start with the other key", p->prefix,
			    file_name(p, FILE_KEYRING));
	}
	keyring_free(ring);
}

static int
load_keyring(struct pool *p, const char *text, size_t n)
{
	const char	*why = read_keys(p->ring, text, n);

	if (why != NULL) {
		child_refuse(p->g->child, "keyring file %s: %s",
		    file_name(p, FILE_KEYRING), why);
		return -1;
	}
	if (!str_empty(p->g->conf.encrypt))
		warn_of_other_key(p);
	return 0;
}

static int
first_key(struct pool *p)
{
	const char	*why;

	if (str_empty(p->g->conf.encrypt))
		return 0;
	if ((why = add_key(p->ring, p->g->conf.encrypt)) != NULL) {
		child_refuse(p->g->child, "Failed to configure keyring: "
		    "Invalid key: %s", why);
		return -1;
	}
	p->keyring_new = files_save_keys(p) == NULL;
	return 0;
}

int
files_keyring(struct pool *p)
{
	char	*path = path_of(p, FILE_KEYRING), *text = NULL;
	size_t	 n;
	int	 rc;

	p->ring = keyring_new();
	errno = ENOENT;
	if (path != NULL)
		text = file_read(path, KEYRING_SIZE_MAX, &n);
	if (text != NULL) {
		rc = load_keyring(p, text, n);
		explicit_bzero(text, n);
		free(text);
	} else if (errno == ENOENT)
		rc = first_key(p);
	else {
		child_refuse(p->g->child, "keyring file %s: %s",
		    file_name(p, FILE_KEYRING), strerror(errno));
		rc = -1;
	}
	free(path);
	return rc;
}

/* ---- snapshot ---- */

/* Writes it anew and appends from there; or later, when that fails. */
static void
rewrite(struct pool *p)
{
	char		*path = path_of(p, FILE_SNAPSHOT);
	struct wbuf	 w;

	if (p->snapshot_fd != -1)
		close(p->snapshot_fd);
	p->snapshot_fd = -1;
	wb_init(&w, 0);
	snapshot_write(p->snapshot, &w);
	p->snapshot_torn = file_write_atomic(path, w.p, w.len, 0644) == -1 ||
	    (p->snapshot_fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)) ==
	    -1;
	if (p->snapshot_torn) {
		log_warn("%ssnapshot: %s: next try in %d s", p->prefix, path,
		    REWRITE_MS / 1000);
		ev_timer_set(p->snapshot_timer, REWRITE_MS);
	}
	p->snapshot_size = w.len;
	wb_free(&w);
	free(path);
}

void
files_snapshot_open(struct pool *p)
{
	char	*path = path_of(p, FILE_SNAPSHOT), *text;
	size_t	 n;

	p->snapshot = snapshot_new();
	p->snapshot_fd = -1;
	if (path == NULL)
		return;
	if ((text = file_read(path, SNAPSHOT_MAX, &n)) != NULL) {
		snapshot_replay(p->snapshot, text, n,
		    p->g->conf.rejoin_after_leave);
		free(text);
	} else if (errno != ENOENT)
		log_warn("%ssnapshot: %s", p->prefix, path);
	free(path);
	rewrite(p);
}

static struct serf_clocks
last_seen(struct pool *p)
{
	struct serf_clocks	c = serf_clocks(p->serf);

	c.member--;
	c.event--;
	c.query--;
	return c;
}

/* A part of it is half a line: what there is is written anew then. */
static void
append(struct pool *p, const struct wbuf *w)
{
	ssize_t	n = write(p->snapshot_fd, w->p, w->len);

	if (n == -1)
		log_warn("%ssnapshot: write", p->prefix);
	p->snapshot_torn = n == -1 || (size_t)n != w->len;
	p->snapshot_size += w->len;
}

void
files_snapshot_flush(void *arg)
{
	struct pool		*p = arg;
	struct wbuf		*w = snapshot_pending(p->snapshot);
	struct serf_clocks	 last = last_seen(p);

	snapshot_clock(p->snapshot, &last);
	if (p->snapshot_fd != -1 && w->len > 0)
		append(p, w);
	if (p->snapshot_torn ||
	    (p->snapshot_fd != -1 &&
	    snapshot_grown(p->snapshot, p->snapshot_size)))
		rewrite(p);
	wb_reset(w);
}

void
files_snapshot_close(struct pool *p)
{
	if (p->snapshot == NULL)
		return;
	if (p->serf != NULL)
		files_snapshot_flush(p);
	if (p->snapshot_fd != -1)
		close(p->snapshot_fd);
	p->snapshot_fd = -1;
	snapshot_free(p->snapshot);
	p->snapshot = NULL;
}

/*
 * What gossipd keeps on disk: the snapshot of members (local.snapshot) and the
 * keyring (local.keyring), in Consul's formats and under its names.
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

#define SNAPSHOT_FILE	"local.snapshot"
#define SNAPSHOT_MAX	(64u << 20)
#define KEYRING_FILE	"local.keyring"
#define KEYRING_SIZE_MAX (64u << 10)

static char *
path_of(struct gossipd *g, const char *file)
{
	const char	*dir = child_dir(g->child);
	char		*path;

	if (dir == NULL)
		return NULL;
	(void)xasprintf(&path, "%s/%s", dir, file);
	return path;
}

/* ---- keyring ---- */

static const char *
add_key(struct gossipd *g, const char *text)
{
	uint8_t		 key[CRYPT_KEY_MAX + 1];
	const char	*why;
	int		 n;

	if (text == NULL || (n = base64_decode(text, key, sizeof(key))) == -1)
		return "a key is not base64 of 16, 24 or 32 bytes";
	why = keyring_add(g->ring, key, (size_t)n);
	explicit_bzero(key, sizeof(key));
	return why;
}

/* A JSON list of keys, the primary first. */
static const char *
read_keys(struct gossipd *g, const char *text, size_t n)
{
	struct json		*j;
	const struct json	*k;
	const char		*why = NULL;
	char			 err[128];

	if ((j = json_parse(text, n, err, sizeof(err))) == NULL ||
	    j->type != JSON_ARRAY)
		why = "it is not a JSON list of keys";
	for (k = why == NULL ? j->child : NULL; k != NULL && why == NULL;
	    k = k->next)
		why = add_key(g, k->type == JSON_STRING ? k->str : NULL);
	json_free(j);
	return why;
}

static void
write_key(struct gossipd *g, const char *path)
{
	char	*text;
	int	 n;

	n = xasprintf(&text, "[\n  \"%s\"\n]", g->conf.encrypt);
	if (file_write_atomic(path, text, (size_t)n, 0600) == -1)
		log_warn("keyring: %s", path);
	explicit_bzero(text, (size_t)n);
	free(text);
}

int
files_keyring(struct gossipd *g)
{
	char		*path = path_of(g, KEYRING_FILE), *text = NULL;
	const char	*why = NULL;
	size_t		 n;

	g->ring = keyring_new();
	if (path != NULL && !g->conf.disable_keyring_file)
		text = file_read(path, KEYRING_SIZE_MAX, &n);
	if (text != NULL) {
		if ((why = read_keys(g, text, n)) != NULL)
			child_refuse(g->child, "keyring file %s: %s",
			    KEYRING_FILE, why);
		explicit_bzero(text, n);
		free(text);
	} else if (path != NULL && !g->conf.disable_keyring_file &&
	    errno != ENOENT) {
		child_refuse(g->child, "keyring file %s: %s", KEYRING_FILE,
		    strerror(errno));
		why = "unreadable";
	} else if (!str_empty(g->conf.encrypt)) {
		if ((why = add_key(g, g->conf.encrypt)) != NULL)
			child_refuse(g->child, "Failed to configure keyring: "
			    "Invalid key: %s", why);
		else if (path != NULL && !g->conf.disable_keyring_file)
			write_key(g, path);
	}
	free(path);
	return why == NULL ? 0 : -1;
}

/* ---- snapshot ---- */

/* Writes it anew and appends from there. */
static void
rewrite(struct gossipd *g)
{
	char		*path = path_of(g, SNAPSHOT_FILE);
	struct wbuf	 w;

	if (g->snapshot_fd != -1)
		close(g->snapshot_fd);
	g->snapshot_fd = -1;
	wb_init(&w, 0);
	snapshot_write(g->snapshot, &w);
	if (file_write_atomic(path, w.p, w.len, 0644) == -1 ||
	    (g->snapshot_fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)) ==
	    -1)
		log_warn("snapshot: %s: members are not remembered", path);
	g->snapshot_size = w.len;
	wb_free(&w);
	free(path);
}

void
files_snapshot_open(struct gossipd *g)
{
	char	*path = path_of(g, SNAPSHOT_FILE), *text;
	size_t	 n;

	g->snapshot = snapshot_new();
	g->snapshot_fd = -1;
	if (path == NULL)
		return;
	if ((text = file_read(path, SNAPSHOT_MAX, &n)) != NULL) {
		snapshot_replay(g->snapshot, text, n,
		    g->conf.rejoin_after_leave);
		free(text);
	} else if (errno != ENOENT)
		log_warn("snapshot: %s", path);
	free(path);
	rewrite(g);
}

static struct serf_clocks
last_seen(struct gossipd *g)
{
	struct serf_clocks	c = serf_clocks(g->serf);

	c.member--;
	c.event--;
	c.query--;
	return c;
}

void
files_snapshot_flush(void *arg)
{
	struct gossipd		*g = arg;
	struct wbuf		*w = snapshot_pending(g->snapshot);
	struct serf_clocks	 last = last_seen(g);
	ssize_t			 n;

	snapshot_clock(g->snapshot, &last);
	if (g->snapshot_fd == -1 || w->len == 0) {
		wb_reset(w);
		return;
	}
	n = write(g->snapshot_fd, w->p, w->len);
	if (n == -1)
		log_warn("snapshot: write");
	g->snapshot_size += w->len;
	/* A short write leaves half a line: start over. */
	if ((n != -1 && (size_t)n != w->len) ||
	    snapshot_grown(g->snapshot, g->snapshot_size))
		rewrite(g);
	wb_reset(w);
}

void
files_snapshot_close(struct gossipd *g)
{
	if (g->snapshot == NULL)
		return;
	if (g->serf != NULL)
		files_snapshot_flush(g);
	if (g->snapshot_fd != -1)
		close(g->snapshot_fd);
	g->snapshot_fd = -1;
	snapshot_free(g->snapshot);
	g->snapshot = NULL;
}

/*
 * The agent's files.  See agent_files.h.  A file that cannot be read or
 * understood is named in the log and left where it is: one bad file must not
 * take the others with it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalogd/agent_files.h"
#include "catalogd/agent_persist.h"
#include "common/log.h"

#define FILE_BYTES_MAX	(1u << 20)	/* a definition is a few hundred */
#define FILES_MAX	100000
#define LEFT_MAX_S	(20LL * 365 * 86400)	/* no maintenance is longer */
#define ALIVE_TRUST_S	(2 * ALIVE_EVERY_MS / 1000)

enum { DIR_SERVICES, DIR_CHECKS, DIR_STATE, NDIRS };
static const char *const subdir[NDIRS] = {
	"services", "checks", "checks/state"
};

struct text { char *name, *text; size_t len; };
struct clocks { uint64_t now_ms; int64_t wall_s; };

struct agent_files {
	char	*dir;			/* NULL: nothing is kept */
};

/* ---- reading a directory ---- */

static int
is_name(const char *s)
{
	return strlen(s) == PERSIST_NAME_LEN - 1 &&
	    strspn(s, "0123456789abcdef") == PERSIST_NAME_LEN - 1;
}

/* Every regular file in it whose name is one of ours. */
static size_t
read_dir(const char *dir, struct text **out)
{
	struct text	*v = NULL;
	struct dirent	*e;
	size_t		 n = 0;
	char		*path, *text;
	DIR		*d;

	*out = NULL;
	if ((d = opendir(dir)) == NULL) {
		if (errno != ENOENT)
			log_warn("cannot read %s", dir);
		return 0;
	}
	while (n < FILES_MAX && (e = readdir(d)) != NULL) {
		if (!is_name(e->d_name))
			continue;
		v = xreallocarray(v, n + 1, sizeof(*v));
		xasprintf(&path, "%s/%s", dir, e->d_name);
		text = file_read(path, FILE_BYTES_MAX, &v[n].len);
		if (text == NULL)
			log_warn("cannot read %s", path);
		else {
			v[n].text = text;
			v[n++].name = xstrdup(e->d_name);
		}
		free(path);
	}
	closedir(d);
	*out = v;
	return n;
}

static void
texts_free(struct text *v, size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++) {
		free(v[i].name);
		free(v[i].text);
	}
	free(v);
}

/* ---- opening ---- */

static char *
path_of(const struct agent_files *f, int which, const char *id)
{
	char	 name[PERSIST_NAME_LEN], *path;

	persist_name(id, name);
	xasprintf(&path, "%s/%s/%s", f->dir, subdir[which], name);
	return path;
}

struct agent_files *
agent_files_open(const char *dir)
{
	struct agent_files	*f = xcalloc(1, sizeof(*f));
	char			*path;
	int			 i;

	if (str_empty(dir))
		return f;
	/* "/" would make "//services". */
	f->dir = xstrdup(strcmp(dir, "/") == 0 ? "" : dir);
	for (i = 0; i < NDIRS; i++) {
		xasprintf(&path, "%s/%s", f->dir, subdir[i]);
		if (dir_make(path, 0700) == -1) {
			log_warn("cannot make %s", path);
			free(path);
			agent_files_free(f);
			return NULL;
		}
		free(path);
	}
	return f;
}

void
agent_files_free(struct agent_files *f)
{
	if (f == NULL)
		return;
	free(f->dir);
	free(f);
}

/* ---- writing ---- */

static int
save(struct agent_files *f, int which, const char *id, struct schema *schema,
    const void *obj)
{
	size_t	 len;
	char	*text, *path;
	int	 rc;

	if (f->dir == NULL)
		return 0;
	text = persist_encode(schema, obj, &len);
	path = path_of(f, which, id);
	if ((rc = file_write_atomic(path, text, len, 0600)) == -1)
		log_warn("cannot write %s for %s", path, id);
	free(path);
	free(text);
	return rc;
}

/* A deregistration is acknowledged: it is not to come back after a crash.  A
 * state may. */
static void
drop(struct agent_files *f, int which, const char *id)
{
	char	*path;
	int	 rc;

	if (f->dir == NULL)
		return;
	path = path_of(f, which, id);
	rc = which == DIR_STATE ? unlink(path) : file_remove(path);
	if (rc == -1 && errno != ENOENT)
		log_warn("cannot remove %s of %s", path, id);
	free(path);
}

/* Without fsync: a lost state costs a check its memory and nothing else. */
static void
write_plain(const char *path, const char *text, size_t len)
{
	char	*tmp;
	ssize_t	 n;
	int	 fd;

	xasprintf(&tmp, "%s.new", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1) {
		log_warn("cannot write %s", tmp);
		free(tmp);
		return;
	}
	n = write(fd, text, len);
	if (n == -1 || (size_t)n != len)
		log_warn("cannot write %s", tmp);
	else if (rename(tmp, path) == -1)
		log_warn("cannot rename %s", tmp);
	close(fd);
	free(tmp);
}

int
agent_files_save_service(struct agent_files *f, const struct local_service *s)
{
	struct persisted_service	 p;
	char				 remote[] = "remote";

	memset(&p, 0, sizeof(p));
	p.token = s->token;
	p.service = s->svc;	/* borrowed */
	p.source = remote;
	return save(f, DIR_SERVICES, s->svc.id, &persisted_service_schema, &p);
}

int
agent_files_save_check(struct agent_files *f, const struct local_check *c,
    int64_t until_s)
{
	struct persisted_check	 p;
	struct check_def	 def = c->def;	/* borrowed */
	char			 remote[] = "remote";

	memset(&p, 0, sizeof(p));
	p.check = c->chk;
	p.chk_type = c->kind == CHECK_NONE ? NULL : &def;
	p.token = c->token;
	p.source = remote;
	p.until = until_s;
	return save(f, DIR_CHECKS, c->chk.check_id, &persisted_check_schema,
	    &p);
}

void
agent_files_save_state(struct agent_files *f, const char *id,
    const char *status, const char *output, int64_t expires_s)
{
	struct persisted_state	 p;
	size_t			 len;
	char			*text, *path;

	if (f->dir == NULL)
		return;
	p.check_id = (char *)(uintptr_t)id;
	p.status = (char *)(uintptr_t)status;
	p.output = (char *)(uintptr_t)output;
	p.expires = expires_s;
	text = persist_encode(&persisted_state_schema, &p, &len);
	path = path_of(f, DIR_STATE, id);
	write_plain(path, text, len);
	free(path);
	free(text);
}

void
agent_files_drop_service(struct agent_files *f, const char *id)
{
	drop(f, DIR_SERVICES, id);
}

void
agent_files_drop_check(struct agent_files *f, const char *id)
{
	drop(f, DIR_CHECKS, id);
}

void
agent_files_drop_state(struct agent_files *f, const char *id)
{
	drop(f, DIR_STATE, id);
}

void
agent_files_alive(struct agent_files *f, int64_t wall_s)
{
	char	*path, text[32];
	int	 n;

	if (f->dir == NULL)
		return;
	n = snprintf(text, sizeof(text), "%lld\n", (long long)wall_s);
	xasprintf(&path, "%s/alive", f->dir);
	write_plain(path, text, (size_t)n);
	free(path);
}

/* ---- loading ---- */

static size_t
load_dir(struct agent_files *f, int which, struct text **v)
{
	char	*path;
	size_t	 n;

	*v = NULL;
	if (f->dir == NULL)
		return 0;
	xasprintf(&path, "%s/%s", f->dir, subdir[which]);
	n = read_dir(path, v);
	free(path);
	return n;
}

static bool
was_alive(struct agent_files *f, int64_t wall_s)
{
	char		*path, *text;
	long long	 then = 0;
	size_t		 len;

	xasprintf(&path, "%s/alive", f->dir);
	if ((text = file_read(path, 64, &len)) != NULL)
		then = strtoll(text, NULL, 10);
	free(text);
	free(path);
	return wall_s >= then && wall_s - then <= ALIVE_TRUST_S;
}

/* Files are written by the second: at least one is left. */
static uint64_t
ttl_left(int64_t expires, int64_t wall_s)
{
	if (expires == 0)
		return 0;
	if (expires - wall_s >= LEFT_MAX_S)
		return (uint64_t)LEFT_MAX_S * 1000;
	return (uint64_t)(expires - wall_s) * 1000 + 1000;
}

void
agent_files_states(struct agent_files *f, struct agent *a, int64_t wall_s)
{
	struct persisted_state	 p;
	struct text		*v;
	size_t			 i, n;
	char			 err[256];
	bool			 alive;

	if (f->dir == NULL)
		return;
	alive = was_alive(f, wall_s);
	n = load_dir(f, DIR_STATE, &v);
	for (i = 0; i < n; i++) {
		if (persist_decode_state(v[i].text, v[i].len, &p, err,
		    sizeof(err)) == -1) {
			log_warnx("check state %s: not restored: %s",
			    v[i].name, err);
			continue;
		}
		if (p.expires == 0 ? alive : p.expires >= wall_s)
			agent_remember(a, p.check_id, p.status, p.output,
			    ttl_left(p.expires, wall_s));
		else
			agent_files_drop_state(f, p.check_id);
		schema_clear(&persisted_state_schema, &p);
	}
	texts_free(v, n);
}

static void
load_service(struct agent *a, const struct text *t, const struct clocks *k)
{
	struct persisted_service	 p;
	char				 err[256];

	if (persist_decode_service(t->text, t->len, &p, err,
	    sizeof(err)) == -1) {
		log_warnx("service %s: not restored: %s", t->name, err);
		return;
	}
	if (agent_restore_service(a, &p.service, p.token, k->now_ms, err,
	    sizeof(err)) == -1)
		log_warnx("service %s: not restored: %s", t->name, err);
	memset(&p.service, 0, sizeof(p.service));
	schema_clear(&persisted_service_schema, &p);
}

static void
load_check(struct agent *a, const struct text *t, const struct clocks *k)
{
	struct persisted_check	 p;
	struct check_def	 none;
	uint64_t		 left_ms = 0;
	char			 err[256];

	memset(&none, 0, sizeof(none));
	if (persist_decode_check(t->text, t->len, &p, err,
	    sizeof(err)) == -1) {
		log_warnx("check %s: not restored: %s", t->name, err);
		return;
	}
	/* One that ended meanwhile ends right away, and so leaves no file. */
	if (p.until > 0)
		left_ms = 1;
	if (p.until > k->wall_s && p.until - k->wall_s < LEFT_MAX_S)
		left_ms = (uint64_t)(p.until - k->wall_s) * 1000;
	if (agent_restore_check(a, &p.check, p.chk_type != NULL ? p.chk_type :
	    &none, p.token, left_ms, k->now_ms, err, sizeof(err)) == -1)
		log_warnx("check %s: not restored: %s", t->name, err);
	schema_clear(&persisted_check_schema, &p);
}

static void
load_all(struct agent_files *f, int which, void (*fn)(struct agent *,
    const struct text *, const struct clocks *), struct agent *a,
    const struct clocks *k)
{
	struct text	*v;
	size_t		 i, n;

	n = load_dir(f, which, &v);
	for (i = 0; i < n; i++)
		fn(a, &v[i], k);
	texts_free(v, n);
}

void
agent_files_services(struct agent_files *f, struct agent *a, uint64_t now)
{
	struct clocks	 k = { now, 0 };

	load_all(f, DIR_SERVICES, load_service, a, &k);
}

void
agent_files_checks(struct agent_files *f, struct agent *a, uint64_t now,
    int64_t wall_s)
{
	struct clocks	 k = { now, wall_s };

	load_all(f, DIR_CHECKS, load_check, a, &k);
}

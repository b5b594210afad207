/*
 * A data directory that was Consul's.  node-id and serf/ mean the same to us
 * and stay where they are.  The agent's services and checks are copied into
 * catalogd's own directory, which is all that catalogd can see; the originals
 * stay, for a way back.  A server's raft.db cannot be read by us, so a server
 * does not start on it.
 *
 * Both sides may belong to somebody else than root: nothing here follows a
 * symbolic link or changes the owner of what a name leads to, and a directory
 * appears in catalogd's under its name when it is complete.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"

#define DEFINITION_MAX	(1 << 20)	/* one service or check, as JSON */
#define DIR_FLAGS	(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define WORK_DIR	"takeover.new"

/* One directory being copied. */
struct copy {
	struct parent		*p;
	const struct passwd	*pw;	/* NULL: we are not root */
	const char		*shown;	/* where from */
	unsigned		 n;	/* files so far */
};

__attribute__((noreturn)) static void
cannot(struct copy *c, const char *name)
{
	start_fail(c->p, "data_dir: cannot take over %s/%s: %s", c->shown,
	    name, strerror(errno));
}

static DIR *
dir_of(int fd)
{
	int	 copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR	*d = copy != -1 ? fdopendir(copy) : NULL;

	if (d == NULL && copy != -1)
		close(copy);
	return d;
}

static bool
is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void
give(struct copy *c, int fd, const char *name)
{
	if (c->pw != NULL && fchown(fd, c->pw->pw_uid, c->pw->pw_gid) == -1)
		cannot(c, name);
}

static void
copy_bytes(struct copy *c, int from, int to, const char *name)
{
	char	buf[16384];
	ssize_t	n;
	off_t	total = 0;

	while ((n = read(from, buf, sizeof(buf))) > 0) {
		total += n;
		if (total > DEFINITION_MAX)
			errno = EFBIG;
		if (total > DEFINITION_MAX || write(to, buf, (size_t)n) != n)
			cannot(c, name);
	}
	if (n == -1 || fsync(to) == -1)
		cannot(c, name);
}

/* Regular files; anything else is none of Consul's. */
static void
copy_file(struct copy *c, int fromdir, int todir, const char *name)
{
	struct stat	st;
	int		from, to;

	from = openat(fromdir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (from == -1 && errno == ELOOP)
		return;
	if (from == -1 || fstat(from, &st) == -1)
		cannot(c, name);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
		close(from);
		return;
	}
	to = openat(todir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (to == -1)
		cannot(c, name);
	copy_bytes(c, from, to, name);
	give(c, to, name);
	close(from);
	close(to);
	c->n++;
}

/* What a start that was interrupted left behind. */
static void
empty_dir(int fd)
{
	struct dirent	*e;
	DIR		*d;
	int		 sub;

	if ((d = dir_of(fd)) == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (is_dot(e->d_name) || unlinkat(fd, e->d_name, 0) == 0)
			continue;
		if ((sub = openat(fd, e->d_name, DIR_FLAGS)) == -1)
			continue;
		empty_dir(sub);
		close(sub);
		(void)unlinkat(fd, e->d_name, AT_REMOVEDIR);
	}
	closedir(d);
}

static int
work_dir(struct copy *c, int parent, const char *name)
{
	int	fd;

	if ((mkdirat(parent, name, 0700) == -1 && errno != EEXIST) ||
	    (fd = openat(parent, name, DIR_FLAGS)) == -1)
		cannot(c, name);
	empty_dir(fd);
	return fd;
}

/* Its files, and those of the one directory in it that is named. */
static void
copy_tree(struct copy *c, int from, int to, const char *sub)
{
	struct dirent	*e;
	int		 subfrom, subto;
	DIR		*d;

	if ((d = dir_of(from)) == NULL)
		cannot(c, "");
	while ((e = readdir(d)) != NULL)
		if (!is_dot(e->d_name) && (sub == NULL ||
		    strcmp(e->d_name, sub) != 0))
			copy_file(c, from, to, e->d_name);
	closedir(d);
	if (sub != NULL && (subfrom = openat(from, sub, DIR_FLAGS)) != -1) {
		subto = work_dir(c, to, sub);
		copy_tree(c, subfrom, subto, NULL);
		close(subfrom);
		close(subto);
	}
	if (fsync(to) == -1)
		cannot(c, "");
	give(c, to, "");
}

static void
take(struct parent *p, int data, int mine, const char *name, const char *sub)
{
	struct copy	 c = { .p = p };
	struct stat	 st;
	char		*shown;
	int		 from, to;

	if (fstatat(mine, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    (from = openat(data, name, DIR_FLAGS)) == -1)
		return;
	xasprintf(&shown, "%s/%s", p->cfg.data_dir, name);
	c.shown = shown;
	if (p->as_root)
		c.pw = getpwnam(proc_user(PROC_CATALOGD));
	to = work_dir(&c, data, WORK_DIR);
	copy_tree(&c, from, to, sub);
	if (renameat(data, WORK_DIR, mine, name) == -1 || fsync(mine) == -1)
		cannot(&c, "");
	close(from);
	close(to);
	log_info("data_dir: took over %u files of Consul's %s", c.n, shown);
	free(shown);
}

void
takeover(struct parent *p)
{
	const char	*path = p->cfg.data_dir;
	char		*raft;
	int		 data, mine;

	if (path == NULL)
		return;
	xasprintf(&raft, "%s/raft/raft.db", path);
	if (p->cfg.agent.server && access(raft, F_OK) == 0)
		start_fail(p, "data_dir: %s belongs to a Consul server, whose "
		    "log disco cannot read: give this server another "
		    "-data-dir, and register again or restore a snapshot",
		    raft);
	free(raft);
	data = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (data == -1 ||
	    (mine = openat(data, dirs_name(PROC_CATALOGD), DIR_FLAGS)) == -1)
		start_fail(p, "data_dir: %s: %s", path, strerror(errno));
	take(p, data, mine, "services", NULL);
	take(p, data, mine, "checks", "state");
	close(mine);
	close(data);
}

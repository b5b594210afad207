/*
 * Directories and the pid file.  Each child that writes has a directory of
 * its own below the data directory, owned by its user; as root it is its
 * whole file system.
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"

static const char *const subdirs[PROC_MAX] = {
	[PROC_GOSSIPD] = "serf",
	[PROC_CATALOGD] = "catalog",
	[PROC_DNSD] = "dns",
};

const char *
dirs_name(enum proc proc)
{
	return subdirs[proc];
}

char *
dirs_of(const struct parent *p, enum proc proc)
{
	char	*path;

	if (p->cfg.data_dir == NULL || subdirs[proc] == NULL)
		return NULL;
	xasprintf(&path, "%s/%s", p->cfg.data_dir, subdirs[proc]);
	return path;
}

/* Not what is known by another name, too: that might be anybody's. */
static void
give_one(int dir, const char *name, uid_t uid, gid_t gid)
{
	struct stat	 st;
	int		 fd;

	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && (S_ISDIR(st.st_mode) || st.st_nlink == 1))
		(void)!fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
	close(fd);
}

/* A data directory of Consul's is taken over: what is in it changes hands. */
static void
give_contents(int dir, uid_t uid, gid_t gid)
{
	struct dirent	*e;
	DIR		*d;
	int		 fd = dup(dir);

	if (fd == -1 || (d = fdopendir(fd)) == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			give_one(dir, e->d_name, uid, gid);
	closedir(d);
}

static void
make_data(struct parent *p, enum proc proc, const char *path)
{
	struct passwd	*pw;
	struct stat	 st;
	int		 fd;

	if (path_make(path, 0700) == -1 ||
	    (fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
	    == -1 || fstat(fd, &st) == -1)
		start_fail(p, "data_dir: %s: %s", path, strerror(errno));
	if (p->as_root && (pw = getpwnam(proc_user(proc))) != NULL &&
	    st.st_uid != pw->pw_uid) {
		if (fchown(fd, pw->pw_uid, pw->pw_gid) == -1)
			start_fail(p, "data_dir: %s: give it to %s: %s", path,
			    pw->pw_name, strerror(errno));
		give_contents(fd, pw->pw_uid, pw->pw_gid);
	}
	close(fd);
	if (!p->as_root && access(path, R_OK | W_OK | X_OK) == -1)
		start_fail(p, "data_dir: %s: %s (run as its owner, or give "
		    "another -data-dir)", path, strerror(errno));
}

/* Two agents on one data directory would be one node under two names. */
static void
lock_data_dir(struct parent *p)
{
	p->data_fd = open(p->cfg.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->data_fd == -1 || flock(p->data_fd, LOCK_EX | LOCK_NB) == 0 ||
	    errno != EWOULDBLOCK)	/* file systems without locks */
		return;
	start_fail(p, "data_dir: %s: another agent is using it; a second node "
	    "on this machine needs its own -data-dir", p->cfg.data_dir);
}

static void
make_data_dirs(struct parent *p)
{
	char	*path;
	size_t	 i;

	if (p->cfg.data_dir == NULL)
		return;
	if (path_make(p->cfg.data_dir, 0755) == -1 ||
	    access(p->cfg.data_dir, W_OK | X_OK) == -1)
		start_fail(p, "data_dir: %s: %s (run as its owner, or give "
		    "another -data-dir)", p->cfg.data_dir, strerror(errno));
	lock_data_dir(p);
	for (i = 0; i < PROC_MAX; i++) {
		if ((path = dirs_of(p, (enum proc)i)) == NULL)
			continue;
		make_data(p, (enum proc)i, path);
		free(path);
	}
}

static void
make_run_dir(struct parent *p)
{
	struct stat	st;

	/* In a directory that others write to it must be new. */
	if (p->cfg.run_temporary) {
		if (mkdir(p->cfg.run_dir, 0755) == -1)
			start_fail(p, "run directory %s: %s (give another "
			    "-run-dir)", p->cfg.run_dir, strerror(errno));
		p->run_made = true;
	}
	if (path_make(p->cfg.run_dir, 0755) == -1 ||
	    access(p->cfg.run_dir, W_OK | X_OK) == -1)
		start_fail(p, "run directory %s: %s (give another -run-dir)",
		    p->cfg.run_dir, strerror(errno));
	if (!p->as_root)
		return;
	xasprintf(&p->empty_dir, "%s/empty", p->cfg.run_dir);
	if (path_make(p->empty_dir, 0555) == -1 ||
	    lstat(p->empty_dir, &st) == -1)
		start_fail(p, "%s: %s", p->empty_dir, strerror(errno));
	/* It becomes the root of processes of ours. */
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		start_fail(p, "%s: not a directory of root's that nobody else "
		    "may write to: remove it, or give another -run-dir",
		    p->empty_dir);
}

/* 0 with pid_fd open and locked; -1 with errno, and pid_fd open if it could
 * not be locked. */
static int
open_pid_file(struct parent *p)
{
	struct stat	here, there;

	for (;;) {
		p->pid_fd = open(p->pid_path, O_RDWR | O_CREAT | O_NOFOLLOW |
		    O_CLOEXEC, 0644);
		if (p->pid_fd == -1 ||
		    flock(p->pid_fd, LOCK_EX | LOCK_NB) == -1)
			return -1;
		/* One that ends just now may have removed it under us. */
		if (fstat(p->pid_fd, &here) == 0 &&
		    stat(p->pid_path, &there) == 0 &&
		    here.st_dev == there.st_dev && here.st_ino == there.st_ino)
			return 0;
		close(p->pid_fd);
	}
}

/* Who holds the lock runs; who does not is a second one. */
static void
lock_pid_file(struct parent *p)
{
	char	old[32], text[32];
	ssize_t	n;
	int	len;

	if (p->cfg.pid_file != NULL)
		p->pid_path = xstrdup(p->cfg.pid_file);
	else
		xasprintf(&p->pid_path, "%s/discod.pid", p->cfg.run_dir);
	if (open_pid_file(p) == -1) {
		if (p->pid_fd == -1)
			start_fail(p, "pid_file: %s: %s", p->pid_path,
			    strerror(errno));
		n = read(p->pid_fd, old, sizeof(old) - 1);
		old[n > 0 ? n : 0] = '\0';
		old[strcspn(old, "\n")] = '\0';
		close(p->pid_fd);
		p->pid_fd = -1;
		start_fail(p, "already running with pid %s (%s); a second "
		    "node on this machine needs its own -run-dir", old,
		    p->pid_path);
	}
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(p->pid_fd, 0) == -1 ||
	    write(p->pid_fd, text, (size_t)len) != len)
		start_fail(p, "pid_file: %s: %s", p->pid_path,
		    strerror(errno));
}

void
dirs_make(struct parent *p)
{
	make_run_dir(p);
	lock_pid_file(p);
	make_data_dirs(p);
	takeover(p);
	if (p->cfg.log_dir != NULL && path_make(p->cfg.log_dir, 0750) == -1)
		start_fail(p, "log directory %s: %s", p->cfg.log_dir,
		    strerror(errno));
}

void
dirs_remove(struct parent *p)
{
	if (p->pid_fd != -1) {
		(void)unlink(p->pid_path);
		close(p->pid_fd);
		p->pid_fd = -1;
	}
	if (!p->run_made)
		return;
	if (p->empty_dir != NULL)
		(void)rmdir(p->empty_dir);
	if (rmdir(p->cfg.run_dir) == -1)
		log_warn("%s", p->cfg.run_dir);
	p->run_made = false;
}

/*
 * The kernel's limit of processes is a user's, shared by all commands: one that
 * forks without end would take what the others need.  So each is counted, and
 * only when there is a reason to.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "common/util.h"
#include "execd/crowd.h"

#define PASSES	4	/* what forks while it is looked for */

bool
crowd_grew(unsigned *seen, unsigned by)
{
	struct sysinfo	 si;

	if (sysinfo(&si) == -1)
		return true;
	if (si.procs > *seen && si.procs - *seen >= by) {
		*seen = si.procs;
		return true;
	}
	if (si.procs < *seen)
		*seen = si.procs;
	return false;
}

/* "12 (a name) S 1 12 12 ...": the fourth number.  Names may have anything in
 * them, and end at the last parenthesis. */
pid_t
crowd_session(const char *stat)
{
	const char	*p = strrchr(stat, ')');
	long		 session;

	if (p == NULL || sscanf(p, ") %*c %*d %*d %ld", &session) != 1 ||
	    session <= 0)
		return -1;
	return (pid_t)session;
}

static pid_t
session_of(const char *pid)
{
	char	 path[64], buf[512];
	ssize_t	 n;
	int	 fd;

	(void)snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	return crowd_session(buf);
}

int
crowd_count(const pid_t *session, size_t *count, size_t n)
{
	struct dirent	*e;
	size_t		 i;
	pid_t		 s;
	DIR		*d;

	memset(count, 0, n * sizeof(*count));
	if ((d = opendir("/proc")) == NULL)
		return -1;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
		    (s = session_of(e->d_name)) == -1)
			continue;
		for (i = 0; i < n; i++)
			count[i] += session[i] == s;
	}
	closedir(d);
	return 0;
}

static size_t
kill_once(pid_t session)
{
	struct dirent	*e;
	size_t		 n = 0;
	DIR		*d;

	if ((d = opendir("/proc")) == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
		    session_of(e->d_name) == session)
			n += kill((pid_t)strtol(e->d_name, NULL, 10),
			    SIGKILL) == 0;
	closedir(d);
	return n;
}

void
crowd_kill(pid_t session)
{
	unsigned	 i;

	/* The group at once, so that most of them fork no more. */
	(void)kill(-session, SIGKILL);
	for (i = 0; i < PASSES && kill_once(session) > 0; i++)
		;
}

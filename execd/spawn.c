/*
 * fork and exec.  The new process gets /dev/null, a pipe, a short environment,
 * default signals, a session of its own and limits; nothing else of ours.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"
#include "execd/spawn.h"

#define PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MEMORY_MAX	(512u << 20)
#define FILE_MAX	(64u << 20)
#define FILES_MAX	256
#define PROCESSES_MAX	2048	/* of all commands together */

static const char *const environment[] = {
	"PATH=" PATH, "HOME=/", "SHELL=/bin/sh", "LANG=C.UTF-8", NULL
};

static const char *
reason(int error, char *buf, size_t len)
{
	(void)snprintf(buf, len, "%s", strerror(error));
	buf[0] = (char)tolower((unsigned char)buf[0]);
	return buf;
}

/* The file to run; NULL and err when a bare name is in no directory. */
static char *
find_command(const char *name, char *err, size_t errlen)
{
	char		 dirs[] = PATH, *dir, *rest = dirs, *path;
	struct stat	 st;

	if (strchr(name, '/') != NULL)
		return xstrdup(name);
	while ((dir = strsep(&rest, ":")) != NULL) {
		xasprintf(&path, "%s/%s", dir, name);
		if (access(path, X_OK) == 0 && stat(path, &st) == 0 &&
		    S_ISREG(st.st_mode))
			return path;
		free(path);
	}
	(void)snprintf(err, errlen,
	    "exec: \"%s\": executable file not found in $PATH", name);
	return NULL;
}

static int
limit(int what, rlim_t n)
{
	struct rlimit	 r = { n, n }, now;

	/* What is lower already cannot be raised. */
	if (getrlimit((__rlimit_resource_t)what, &now) == 0 &&
	    now.rlim_max < n)
		return 0;
	return setrlimit((__rlimit_resource_t)what, &r);
}

static int
set_limits(const struct spawn *s)
{
	if (limit(RLIMIT_DATA, MEMORY_MAX) == -1 ||
	    (s->cpu_s > 0 && limit(RLIMIT_CPU, s->cpu_s) == -1) ||
	    limit(RLIMIT_FSIZE, FILE_MAX) == -1 ||
	    limit(RLIMIT_NOFILE, FILES_MAX) == -1 ||
	    limit(RLIMIT_CORE, 0) == -1)
		return -1;
	/* It counts all processes of a user: only where these are ours. */
	return s->own_user ? limit(RLIMIT_NPROC, PROCESSES_MAX) : 0;
}

static int
set_signals(void)
{
	sigset_t	 none;
	int		 sig;

	for (sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
set_descriptors(int in, int out)
{
	if (in == -1)
		in = open("/dev/null", O_RDONLY);
	if (in == -1 || dup2(in, STDIN_FILENO) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1 ||
	    dup2(out, STDERR_FILENO) == -1)
		return -1;
	/* All of ours are close-on-exec; this is for those that are not. */
	(void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	return 0;
}

/*
 * Memory is limited for each process, not for all: where the host runs out of
 * it, a script is to go before a service.
 */
static void
go_first(void)
{
	int	 fd;

	/* Our own files in /proc are root's while we may not be dumped; exec
	 * would change that anyway. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	(void)!write(fd, "1000", 4);
	close(fd);
}

/* The new process.  Errors are written to `report` as an errno. */
static void __attribute__((noreturn))
run_child(const struct spawn *s, const char *path, char **argv, int out,
    int report)
{
	int	 error;

	go_first();
	if (setsid() != -1 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    set_descriptors(s->in, out) == 0 && set_signals() == 0 &&
	    chdir("/") == 0 && set_limits(s) == 0)
		(void)execve(path, argv, (char **)(uintptr_t)environment);
	error = errno;
	(void)!write(report, &error, sizeof(error));
	_exit(127);
}

/* Waits for exec (short: no command has run yet); 0 or its errno. */
static int
exec_result(int report)
{
	int	 error = 0;
	ssize_t	 n;

	do
		n = read(report, &error, sizeof(error));
	while (n == -1 && errno == EINTR);
	return n == (ssize_t)sizeof(error) ? error : 0;
}

static pid_t
fork_exec(const struct spawn *s, const char *path, int out[2],
    int report[2], int *error)
{
	char	**argv;
	size_t	 i;
	pid_t	 pid;

	argv = xcalloc(s->args->n + 1, sizeof(*argv));
	for (i = 0; i < s->args->n; i++)
		argv[i] = s->args->item[i];
	if ((pid = fork()) == 0)
		run_child(s, path, argv, out[1], report[1]);
	*error = pid == -1 ? errno : 0;
	free(argv);
	return pid;
}

pid_t
spawn(const struct spawn *s, int *fd, char *err, size_t errlen)
{
	int	 out[2], report[2], error;
	char	 text[128], *path;
	pid_t	 pid = -1;

	if ((path = find_command(s->args->item[0], err, errlen)) == NULL)
		return -1;
	if (pipe2(out, O_CLOEXEC) == -1) {
		error = errno;
		goto fail;
	}
	if (pipe2(report, O_CLOEXEC) == -1) {
		error = errno;
		close(out[0]);
		close(out[1]);
		goto fail;
	}
	pid = fork_exec(s, path, out, report, &error);
	close(out[1]);
	close(report[1]);
	if (pid != -1)
		error = exec_result(report[0]);
	close(report[0]);
	if (error == 0 && fd_nonblock(out[0]) == 0) {
		*fd = out[0];
		free(path);
		return pid;
	}
	close(out[0]);
 fail:
	/* One that failed to exec is reaped with the others. */
	(void)snprintf(err, errlen, "fork/exec %s: %s", path,
	    reason(error, text, sizeof(text)));
	free(path);
	return -1;
}

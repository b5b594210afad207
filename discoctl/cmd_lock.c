/*
 * lock: runs a command while a lock is held.  Beside the command runs a copy of
 * this process, which renews the session and watches the lock; when it ends
 * first, the lock is lost, and the command is told to end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"
#include "discoctl/lock.h"

#define WAIT_S		2	/* a signal is noticed so late */
#define WATCH_S		5
#define GRACE_MS	5000	/* from SIGTERM to SIGKILL */
#define POLL_MS		50

struct run {
	struct lock	 lock;
	bool		 child_exit_code, pass_stdin, shell, verbose;
	int64_t		 timeout_ns;
	uint64_t	 retries;
};

static volatile sig_atomic_t	 told_to_stop;

static void
on_signal(int sig)
{
	told_to_stop = sig;
}

static void
catch_signals(void)
{
	struct sigaction	 sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;	/* no SA_RESTART: waiting ends */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

static void
say(const struct run *r, const char *line)
{
	if (r->verbose)
		printf("%s\n", line);
	fflush(stdout);
}

/* ---- getting it ---- */

static enum lock_state
acquire(struct run *r)
{
	uint64_t	 start = lock_now_ms(), left;
	enum lock_state	 s;
	unsigned	 wait_s = WAIT_S;

	for (;;) {
		if (r->timeout_ns > 0) {
			left = (uint64_t)(r->timeout_ns / NS_PER_MS);
			if (lock_now_ms() - start >= left)
				return LOCK_WAIT;
			left -= lock_now_ms() - start;
			wait_s = left < WAIT_S * 1000 ?
			    (unsigned)(left / 1000) + 1 : WAIT_S;
		}
		s = lock_try(&r->lock, wait_s);
		if (s != LOCK_WAIT || told_to_stop)
			return s;
	}
}

/* ---- the command, and who watches ---- */

static char *
joined(char **argv)
{
	struct wbuf	 b;
	int		 i;

	wb_init(&b, 0);
	for (i = 0; argv[i] != NULL; i++)
		wb_printf(&b, "%s%s", i > 0 ? " " : "", argv[i]);
	return wb_detach_str(&b);
}

static void __attribute__((noreturn))
exec_command(const struct run *r, char **argv)
{
	const char	*shell = getenv("SHELL");
	char		*line = joined(argv);
	int		 fd;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (!r->pass_stdin && (fd = open("/dev/null", O_RDONLY)) != -1) {
		dup2(fd, STDIN_FILENO);
		close(fd);
	}
	setenv("CONSUL_LOCK_HELD", "true", 1);
	if (!r->shell)
		execvp(argv[0], argv);
	else {
		shell = str_or(shell, "/bin/sh");
		execl(shell, shell, "-c", line, (char *)NULL);
	}
	fprintf(stderr, "%s: %s\n", r->shell ? shell : argv[0],
	    strerror(errno));
	_exit(127);
}

/* Until the lock is lost; errors are borne so many times in a row. */
static void __attribute__((noreturn))
watch(struct run *r)
{
	uint64_t	 failed = 0;
	int		 fd;

	/* What it cannot ask it asks again; nobody has to read that. */
	if ((fd = open("/dev/null", O_WRONLY)) != -1)
		dup2(fd, STDERR_FILENO);
	r->lock.index = 0;
	while (!told_to_stop) {
		switch (lock_watch(&r->lock, WATCH_S)) {
		case LOCK_OURS:
			failed = 0;
			break;
		case LOCK_WAIT:
			_exit(1);
		case LOCK_FAILED:
			if (failed++ >= r->retries)
				_exit(1);
			sleep(1);
			break;
		}
	}
	_exit(0);
}

/* Told to end, then made to. */
static int
end_command(pid_t child)
{
	struct timespec	 pause = { 0, POLL_MS * 1000000 };
	uint64_t	 start = lock_now_ms();
	int		 status = 0;

	kill(child, SIGTERM);
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (lock_now_ms() - start > GRACE_MS)
			kill(child, SIGKILL);
		nanosleep(&pause, NULL);
	}
	return status;
}

/* Its status; *lost: it was ended, for the lock is not ours any more. */
static int
wait_command(const struct run *r, pid_t child, pid_t watcher, bool *lost)
{
	int	 status;
	pid_t	 pid;

	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid == child)
			return status;
		if (pid == watcher) {
			*lost = true;
			say(r, "Lock lost, killing child");
			return end_command(child);
		}
		if (told_to_stop)
			return end_command(child);
	}
}

static void
say_status(int status)
{
	if (WIFSIGNALED(status))
		fprintf(stderr, "Error running handler: signal: %s\n",
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		fprintf(stderr, "Error running handler: exit status %d\n",
		    WEXITSTATUS(status));
}

/* The exit status. */
static int
run_command(struct run *r, char **argv)
{
	pid_t	 child, watcher;
	bool	 lost = false;
	int	 status;

	say(r, "Starting handler");
	if ((child = fork()) == 0)
		exec_command(r, argv);
	if (child == -1 || (watcher = fork()) == -1) {
		fprintf(stderr, "Error running handler: %s\n",
		    strerror(errno));
		return 1;
	}
	if (watcher == 0)
		watch(r);
	status = wait_command(r, child, watcher, &lost);
	if (!lost) {
		kill(watcher, SIGKILL);
		waitpid(watcher, NULL, 0);
		say(r, "Child terminated, releasing lock");
	}
	say_status(status);
	if (lost)
		return 1;
	return r->child_exit_code && status != 0 ? 2 : 0;
}

/* ---- the command line ---- */

static int
with_lock(struct run *r, char **argv)
{
	enum lock_state	 s;
	bool		 gone;
	int		 rc = 1;

	catch_signals();
	if (lock_open(&r->lock) == -1)
		return 1;
	if (r->verbose && r->lock.limit == 1)
		printf("Setting up lock at path: %s\n", r->lock.key);
	else if (r->verbose)
		printf("Setting up semaphore (limit %llu) at prefix: %s\n",
		    (unsigned long long)r->lock.limit, r->lock.prefix);
	say(r, "Attempting lock acquisition");
	s = acquire(r);
	if (s == LOCK_OURS && !told_to_stop)
		rc = run_command(r, argv);
	else if (s != LOCK_FAILED)
		fprintf(stderr, "Shutdown triggered or timeout during lock "
		    "acquisition\n");
	gone = lock_close(&r->lock, s == LOCK_OURS);
	if (s == LOCK_OURS)
		say(r, gone ? "Cleanup succeeded" :
		    "Cleanup aborted, lock in use");
	return rc;
}

int
cmd_lock(struct ctl *c, int argc, char **argv)
{
	struct run	 r = { .lock = { .ctl = c, .limit = 1 }, .shell = true,
			    .retries = 3 };
	int64_t		 try_ns = 0;
	struct opt	 own[] = {
		{ "child-exit-code", OPT_FLAG, &r.child_exit_code, NULL,
		  "Exit with 2 when the command failed.", NULL },
		{ "monitor-retry", OPT_UINT, &r.retries, "<n>",
		  "How often in a row the lock may not be looked at before it "
		  "counts as lost.  Default: 3.", NULL },
		{ "n", OPT_UINT, &r.lock.limit, "<n>",
		  "How many may hold it at once.  Default: 1.", NULL },
		{ "name", OPT_STR, &r.lock.name, "<name>",
		  "A name for the session.", NULL },
		{ "pass-stdin", OPT_FLAG, &r.pass_stdin, NULL,
		  "The command reads standard input.", NULL },
		{ "shell", OPT_FLAG, &r.shell, NULL,
		  "Run the command by $SHELL; -shell=false: directly.", NULL },
		{ "timeout", OPT_DUR, &r.timeout_ns, "<duration>",
		  "How long to wait for the lock.  Default: as long as it "
		  "takes.", NULL },
		{ "try", OPT_DUR, &try_ns, "<duration>",
		  "The old name of -timeout.", NULL },
		{ "verbose", OPT_FLAG, &r.verbose, NULL,
		  "Say what happens.", NULL },
		{ 0 }
	};
	char		*line, *name;
	int		 a, rc;

	if ((a = options(c, own, argc, argv, &rc)) == -1)
		return rc;
	if (argc - a < 2) {
		fprintf(stderr, "Key prefix and child command must be "
		    "specified\n");
		return 1;
	}
	if (r.lock.limit == 0) {
		fprintf(stderr, "Lock holder limit must be positive\n");
		return 1;
	}
	if (r.timeout_ns == 0)
		r.timeout_ns = try_ns;
	if (r.timeout_ns < 0) {
		fprintf(stderr, "Timeout must be positive\n");
		return 1;
	}
	r.lock.prefix = argv[a][0] == '/' ? argv[a] + 1 : argv[a];
	line = joined(argv + a + 1);
	xasprintf(&name, "Consul lock for '%s' at '%s'", line, r.lock.prefix);
	if (str_empty(r.lock.name))
		r.lock.name = name;
	rc = with_lock(&r, argv + a + 1);
	free(line);
	free(name);
	return rc;
}

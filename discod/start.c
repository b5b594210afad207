/*
 * What can go wrong before anything runs, and how the one who started us gets
 * to know: one line on standard error and exit status 1.
 *
 * To detach is to fork first and do everything in the second process; the
 * first waits at a pipe for one byte, or for its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "common/wire.h"
#include "discod/parent.h"

void
start_fail(struct parent *p, const char *fmt, ...)
{
	char	text[2048];
	va_list	ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "discod: %s\n", text);
	/* On a terminal the line above was it. */
	if (p->kids != NULL && p->kids[PROC_DISCOD].sink != NULL &&
	    p->cfg.log_dir != NULL)
		log_errorx("%s", text);
	start_done(p, 1);
	listen_close(p);
	dirs_remove(p);
	exit(1);
}

void
start_done(struct parent *p, int status)
{
	int	null;

	if (p->waiter == -1)
		return;
	if (status == 0) {
		(void)!write(p->waiter, "", 1);
		if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) != -1) {
			dup2(null, STDIN_FILENO);
			dup2(null, STDOUT_FILENO);
			dup2(null, STDERR_FILENO);
			close(null);
		}
	}
	close(p->waiter);
	p->waiter = -1;
}

/*
 * The working directory stays: paths on the command line may be relative, and
 * are read again at a reload.
 */
void
start_detach(struct parent *p)
{
	int	fds[2];
	char	c;
	pid_t	pid;

	if (p->cfg.foreground)
		return;
	if (pipe2(fds, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		start_fail(p, "cannot start in the background: %s "
		    "(-f stays in the foreground)", strerror(errno));
	if (pid > 0) {
		close(fds[1]);
		_exit(read(fds[0], &c, 1) == 1 ? 0 : 1);
	}
	/* What else the one who started us had open is not for us to keep. */
	if (dup2(fds[1], 3) == -1)
		start_fail(p, "cannot start in the background: %s",
		    strerror(errno));
	(void)close_range(4, ~0u, 0);
	(void)fcntl(3, F_SETFD, FD_CLOEXEC);
	p->waiter = 3;
	(void)setsid();
}

/* With one of the first three closed, a file or a socket of ours would take
 * its place, and get what is printed. */
void
start_stdio(void)
{
	int	fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd != -1)
		close(fd);
}

static bool
has_programs(const char *dir)
{
	char	*path;
	bool	 ok;

	xasprintf(&path, "%s/%s", dir, proc_name(PROC_GOSSIPD));
	ok = access(path, X_OK) == 0;
	free(path);
	return ok;
}

/*
 * In a build tree they lie beside us, installed in ../libexec/disco: an
 * installed tree can be moved.
 */
void
start_find_programs(struct parent *p)
{
	char	 self[PATH_MAX], *beside, *libexec;
	ssize_t	 n;

	if ((n = readlink("/proc/self/exe", self, sizeof(self) - 1)) == -1)
		start_fail(p, "/proc/self/exe: %s (is /proc mounted?)",
		    strerror(errno));
	self[n] = '\0';
	beside = xstrdup(dirname(self));
	xasprintf(&libexec, "%s/../libexec/disco", beside);
	if (!has_programs(beside) && !has_programs(libexec))
		start_fail(p, "the daemons are neither in %s nor in %s: "
		    "install the whole of disco", beside, libexec);
	if (has_programs(beside)) {
		p->bin_dir = beside;
		free(libexec);
	} else {
		p->bin_dir = libexec;
		free(beside);
	}
}

/* Root gives each child a user of its own; a missing one is an error with the
 * command that makes it. */
void
start_check_users(struct parent *p)
{
	struct wbuf	 names, how;
	struct strs	 seen = { 0 };
	const char	*user;
	size_t		 i;

	p->as_root = geteuid() == 0;
	if (!p->as_root)
		return;
	wb_init(&names, 0);
	wb_init(&how, 0);
	for (i = 0; i < PROC_MAX; i++) {
		user = proc_user((enum proc)i);
		if (i == PROC_DISCOD || !kid_wanted(p, (enum proc)i) ||
		    strs_has(&seen, user) || getpwnam(user) != NULL)
			continue;
		strs_add(&seen, user);
		wb_printf(&names, "%s%s", names.len > 0 ? ", " : "", user);
		wb_printf(&how, "%suseradd --system --no-create-home "
		    "--shell /usr/sbin/nologin %s", how.len > 0 ? " && " : "",
		    user);
	}
	if (seen.n > 0)
		start_fail(p, "no such user: %s; make %s with: %s",
		    wb_detach_str(&names), seen.n == 1 ? "it" : "them",
		    wb_detach_str(&how));
	strs_clear(&seen);
	wb_free(&names);
	wb_free(&how);
}

void
start_banner(const struct parent *p)
{
	const struct config	*c = &p->cfg;
	const struct conf_agent	*a = &c->agent;

	if (!c->as_consul)
		return;
	printf("==> Starting Consul agent...\n"
	    "           Version: '1.8.7'\n"
	    "           Node ID: '%s'\n"
	    "         Node name: '%s'\n"
	    "        Datacenter: '%s' (Segment: '%s')\n"
	    "            Server: %s (Bootstrap: %s)\n"
	    "      Cluster Addr: %s (LAN: %d, WAN: %d)\n\n"
	    "==> Log data will now stream in as it occurs:\n\n",
	    a->node_id, a->node_name, a->datacenter, a->server ? "<all>" : "",
	    a->server ? "true" : "false", a->bootstrap ? "true" : "false",
	    a->advertise_addr, (int)a->port_lan, (int)a->port_wan);
	fflush(stdout);
}

void
start_banner_ready(const struct parent *p)
{
	if (!p->cfg.as_consul)
		return;
	printf("==> Consul agent running!\n");
	fflush(stdout);
}

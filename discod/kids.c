/*
 * The children: start, hand-out, READY, death, start again.
 *
 * A child's start, as it sees it, is in common/child.h.  When one died its
 * links are made again, for both ends; the others notice the end of the old
 * one and get the new one with a LINK message.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"

#define CHILD_FD	3
#define MAX_FILES	65536	/* what a child may open, if the limit allows */
#define KILL_AFTER_MS	2000	/* between its end of the link and its end */

static const enum proc link_ends[][2] = {
#define L(a, b) { PROC_##a, PROC_##b },
	LINK_LIST(L)
#undef L
};

static const struct {
	const char	*name;
	unsigned	 next;		/* states it may go to */
} states[] = {
	[KID_OFF] = { "off", 1 << KID_STARTING },
	[KID_STARTING] = { "starting", 1 << KID_RUNNING | 1 << KID_DOWN |
	    1 << KID_OFF },
	[KID_RUNNING] = { "running", 1 << KID_DOWN | 1 << KID_OFF },
	[KID_DOWN] = { "down", 1 << KID_STARTING | 1 << KID_OFF },
};

static void	start_kid(struct kid *);

const char *
kid_state_name(enum kid_state s)
{
	return states[s].name;
}

static void
set_state(struct kid *k, enum kid_state s)
{
	if ((states[k->state].next & 1u << s) == 0)
		fatalx("%s: %s -> %s", k->name,
		    kid_state_name(k->state), kid_state_name(s));
	log_debug("%s: %s -> %s", k->name,
	    kid_state_name(k->state), kid_state_name(s));
	k->state = s;
}

bool
kid_wanted(const struct parent *p, enum proc proc)
{
	switch (proc) {
	case PROC_DISCOD:
	case PROC_MAX:
		return false;
	case PROC_EXECD:
		return p->cfg.need_exec;
	case PROC_GOSSIPD:
	case PROC_RPCD:
	case PROC_CATALOGD:
	case PROC_CHECKD:
	case PROC_DNSD:
	case PROC_APID:
		return true;
	}
	return false;
}

/* ---- the new process ---- */

/*
 * Libraries obey variables, and whoever started us may have secrets in his:
 * a child gets none but these.
 */
static const char *const kept_env[] = {
	"TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS"
};

static char **
child_env(void)
{
	char		**env = xcalloc(NELEM(kept_env) + 3, sizeof(*env));
	const char	*value;
	size_t		 i, n = 0;

	env[n++] = xstrdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	env[n++] = xstrdup("LANG=C.UTF-8");
	for (i = 0; i < NELEM(kept_env); i++)
		if ((value = getenv(kept_env[i])) != NULL)
			xasprintf(&env[n++], "%s=%s", kept_env[i], value);
	return env;
}

__attribute__((noreturn)) static void
exec_kid(struct kid *k, const char *path, int link)
{
	char	*argv[] = { k->name, NULL };
	sigset_t none;
	int	 null, err = sink_stderr(k->sink), sig;

	/* dup2() onto itself would leave close-on-exec set: not for 3, which
	 * the pid file or a pipe has long taken. */
	if ((null = open("/dev/null", O_RDWR)) == -1 ||
	    dup2(null, STDIN_FILENO) == -1 || dup2(err, STDOUT_FILENO) == -1 ||
	    dup2(err, STDERR_FILENO) == -1)
		_exit(126);
	if (link == CHILD_FD)
		(void)fcntl(link, F_SETFD, 0);
	else if (dup2(link, CHILD_FD) == -1)
		_exit(126);
	(void)close_range(CHILD_FD + 1, ~0u, 0);
	for (sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	execve(path, argv, child_env());
	dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
	_exit(126);
}

/* 0, or -1 after a log line. */
static int
fork_kid(struct kid *k, int *link)
{
	struct parent	*p = k->parent;
	char		*path;
	int		 sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1) {
		log_warn("%s: socketpair", k->name);
		return -1;
	}
	xasprintf(&path, "%s/%s", p->bin_dir, proc_name(k->proc));
	if ((k->pid = fork()) == 0)
		exec_kid(k, path, sv[1]);
	free(path);
	close(sv[1]);
	if (k->pid == -1) {
		log_warn("%s: fork", k->name);
		close(sv[0]);
		k->pid = 0;
		return -1;
	}
	*link = sv[0];
	return 0;
}

/* ---- the hand-out ---- */

/* What a child is allowed: as root its own user and file system. */
static void
send_setup(struct kid *k)
{
	struct parent		*p = k->parent;
	struct msg_setup	 m = { .hash = imsg_hash(),
				    .max_files = MAX_FILES,
				    .restarts = k->restarts,
				    .worker = k->worker,
				    .sandbox = !p->cfg.sandbox_optional };
	char			*dir = dirs_of(p, k->proc);
	const char		*level = log_level_name(p->cfg.log_level);

	m.log_level = (char *)(uintptr_t)level;
	m.dir = dir;
	if (p->as_root) {
		m.user = (char *)(uintptr_t)proc_user(k->proc);
		if (k->proc != PROC_EXECD)
			m.chroot = dir != NULL ? dir : p->empty_dir;
		if (dir != NULL)
			m.dir = (char *)(uintptr_t)"/";
	}
	ipc_send_schema(k->ipc, IMSG_SETUP, 0, &msg_setup_schema, &m);
	free(dir);
}

static void
send_item(const uint8_t *item, size_t len, void *arg)
{
	struct kid	*k = arg;

	ipc_send(k->ipc, IMSG_CONF_ITEM, 0, item, len, -1);
}

static void
send_conf(struct kid *k)
{
	ipc_send(k->ipc, IMSG_CONF_BEGIN, 0, NULL, 0, -1);
	config_items(&k->parent->cfg, k->proc, send_item, k);
	ipc_send(k->ipc, IMSG_CONF_DONE, 0, NULL, 0, -1);
}

static void
send_link(struct kid *k, const struct kid *peer, int fd)
{
	uint8_t	body[2] = { (uint8_t)peer->proc, (uint8_t)peer->worker };

	ipc_send(k->ipc, IMSG_LINK, 0, body, sizeof(body), fd);
}

static void
make_link(struct kid *a, struct kid *b)
{
	int	sv[2];

	if (a->ipc == NULL || b->ipc == NULL)
		return;		/* made when the other one starts */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		fatal("link %s - %s", a->name, b->name);
	send_link(a, b, sv[0]);
	send_link(b, a, sv[1]);
}

/* Names of hosts are the first dnsd's, and so is the zone. */
static bool
are_linked(const struct kid *a, const struct kid *b)
{
	if (a->proc == b->proc)
		return a->worker == 0 && b->worker > 0;
	return (a->worker == 0 && b->worker == 0) ||
	    a->proc == PROC_CATALOGD || b->proc == PROC_CATALOGD;
}

static struct kid *
next_of(struct parent *p, enum proc proc, const struct kid *k)
{
	size_t	i;

	if (k == NULL)
		return &p->kids[proc];
	i = k->worker == 0 ? PROC_MAX : (size_t)(k - p->kids) + 1;
	return proc == PROC_DNSD && i < p->nkids ? &p->kids[i] : NULL;
}

/* All links, or those of one child that came back. */
static void
make_links(struct parent *p, const struct kid *only)
{
	const enum proc	*e;
	struct kid	*a, *b;
	size_t		 i;

	for (i = 0; i < NELEM(link_ends); i++) {
		e = link_ends[i];
		for (a = next_of(p, e[0], NULL); a != NULL;
		    a = next_of(p, e[0], a))
			for (b = next_of(p, e[1], NULL); b != NULL;
			    b = next_of(p, e[1], b))
				if (are_linked(a, b) && (only == NULL ||
				    a == only || b == only))
					make_link(a, b);
	}
}

void
kids_send_conf(struct parent *p)
{
	size_t	i;

	for (i = 0; i < p->nkids; i++)
		if (p->kids[i].ipc != NULL)
			send_conf(&p->kids[i]);
}

/* ---- what a child says ---- */

static void
on_ready(struct kid *k)
{
	struct parent	*p = k->parent;

	set_state(k, KID_RUNNING);
	log_info("%s: ready, pid %ld", k->name, (long)k->pid);
	k->ready_once = true;
	ipc_send(k->ipc, IMSG_LOGFILE, 0, NULL, 0,
	    sink_child_fd(k->sink, false));
	if (monitor_on(p))
		monitor_tell(k);
	if (k->proc == PROC_DNSD)
		discod_tell_dns_log(k);
	suite_check_ready(p);
}

/* Reasons may have the lines of Consul's lists of errors: here it is one. */
static char *
one_line(const uint8_t *p, size_t n)
{
	char	*text = xmalloc(n + 1);
	size_t	 i, len = 0;

	for (i = 0; i < n; i++)
		if (p[i] > ' ')
			text[len++] = (char)p[i];
		else if (len > 0 && text[len - 1] != ' ')
			text[len++] = ' ';
	while (len > 0 && text[len - 1] == ' ')
		len--;
	text[len] = '\0';
	return text;
}

static void
on_refuse(struct kid *k, const struct imsg *m)
{
	struct parent	*p = k->parent;
	char		*text = one_line(m->body, m->len);

	log_errorx("%s: %s", k->name, text);
	/* Whoever looks at a terminal and not at the log. */
	if ((p->cfg.foreground || p->waiter != -1) && p->cfg.log_dir != NULL)
		fprintf(stderr, "discod: %s: %s\n", k->name, text);
	free(text);
	suite_stop(p, 1);
}

static void
on_link_end(struct kid *k)
{
	ipc_free(k->ipc);
	k->ipc = NULL;
	if (k->proc == PROC_APID)
		monitor_set(k->parent, LOG_LEVEL_NONE);
	/* Its process ends as well; if it does not, it is stuck. */
	if (k->pid != 0)
		ev_timer_set(k->timer, KILL_AFTER_MS);
}

static void
on_msg(struct ipc *l, const struct imsg *m, void *arg)
{
	struct kid	*k = arg;

	if (m == NULL) {
		on_link_end(k);
		return;
	}
	switch ((int)m->type) {
	case IMSG_READY:
		if (k->state == KID_STARTING)
			on_ready(k);
		break;
	case IMSG_JOINED:
		k->parent->join_pending = false;
		suite_check_ready(k->parent);
		break;
	case IMSG_LEFT:
		suite_kid_left(k->parent, k);
		break;
	case IMSG_REFUSE:
		on_refuse(k, m);
		break;
	default:	/* CALL */
		discod_msg(l, m, k->parent);
	}
}

/* ---- start ---- */

/* As far as the links, which need both ends. */
static int
start_kid_alone(struct kid *k)
{
	struct parent	*p = k->parent;
	int		 fd;

	if (fork_kid(k, &fd) == -1)
		return -1;
	set_state(k, KID_STARTING);
	ev_timer_stop(k->timer);
	k->started_ms = ev_hrtime() / NS_PER_MS;
	k->left = false;
	log_info("%s: started, pid %ld", k->name, (long)k->pid);
	k->ipc = ipc_new(p->ev, fd, PROC_DISCOD, k->proc, on_msg, k);
	send_setup(k);
	ipc_send(k->ipc, IMSG_LOGFILE, 0, NULL, 0,
	    sink_child_fd(k->sink, true));
	listen_send(p, k);
	return 0;
}

static void
start_kid(struct kid *k)
{
	if (start_kid_alone(k) == -1) {
		ev_timer_set(k->timer, backoff_died(&k->backoff, 0));
		return;
	}
	make_links(k->parent, k);
	send_conf(k);
}

/* One that a reload asked for: what it lacks must not stop the others. */
static void
start_late(struct kid *k)
{
	const char	*user = proc_user(k->proc);

	if (k->parent->as_root && getpwnam(user) == NULL)
		log_errorx("%s: not started: no such user: %s (useradd "
		    "--system --no-create-home --shell /usr/sbin/nologin %s)",
		    k->name, user, user);
	else
		start_kid(k);
}

void
kids_start(struct parent *p)
{
	struct kid	*k;
	size_t		 i;

	if (p->phase != SUITE_STARTING) {
		for (i = 0; i < p->nkids; i++)
			if (kid_wanted(p, p->kids[i].proc) &&
			    p->kids[i].state == KID_OFF)
				start_late(&p->kids[i]);
		return;
	}
	for (i = 0; i < p->nkids; i++) {
		k = &p->kids[i];
		if (kid_wanted(p, k->proc) && start_kid_alone(k) == -1)
			start_fail(p, "%s: cannot start: %s",
			    k->name, strerror(errno));
	}
	make_links(p, NULL);
	kids_send_conf(p);
}

/* ---- end ---- */

/* "exit status 1", "killed by signal 31 (Bad system call: ...)" */
static void
how_ended(int status, char *buf, size_t len)
{
	if (WIFEXITED(status))
		(void)snprintf(buf, len, "exit status %d",
		    WEXITSTATUS(status));
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		(void)snprintf(buf, len, "killed for a system call that its "
		    "sandbox forbids");
	else
		(void)snprintf(buf, len, "killed by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
}

static void
died_at_start(struct kid *k, const char *how)
{
	struct parent	*p = k->parent;
	char		 text[700];
	const char	*last = sink_last(k->sink);

	(void)snprintf(text, sizeof(text), "%s: ended before it was ready: "
	    "%s%s%s", k->name, how, *last != '\0' ? ": " : "",
	    last);
	log_errorx("%s", text);
	if (p->cfg.log_dir != NULL)
		fprintf(stderr, "discod: %s\n", text);
	suite_stop(p, 1);
}

static void
died(struct kid *k, const char *how)
{
	uint64_t	lived_ms, wait_ms;
	char		when[48] = "at once";
	/* Of one that was not READY, what it said went through us. */
	const char	*last = k->state == KID_STARTING ?
			    sink_last(k->sink) : "";

	lived_ms = ev_hrtime() / NS_PER_MS - k->started_ms;
	wait_ms = backoff_died(&k->backoff, lived_ms);
	if (wait_ms > 0)
		(void)snprintf(when, sizeof(when), "in %llu ms",
		    (unsigned long long)wait_ms);
	k->restarts++;
	set_state(k, KID_DOWN);
	log_errorx("%s: pid %ld ended after %llu ms: %s%s%s; starting it "
	    "again %s", k->name, (long)k->pid,
	    (unsigned long long)lived_ms, how, *last != '\0' ? ": " : "",
	    last, when);
	k->pid = 0;
	ev_timer_set(k->timer, wait_ms);
}

static void
on_exit_of(struct kid *k, int status)
{
	struct parent	*p = k->parent;
	char		 how[128];

	sink_drain(k->sink);
	ipc_free(k->ipc);
	k->ipc = NULL;
	ev_timer_stop(k->timer);
	how_ended(status, how, sizeof(how));
	switch (p->phase) {
	case SUITE_STARTING:
		set_state(k, KID_OFF);
		k->pid = 0;
		died_at_start(k, how);
		return;
	case SUITE_RUNNING:
		died(k, how);
		return;
	case SUITE_LEAVING:
	case SUITE_DRAINING:
	case SUITE_STOPPING:
		break;
	}
	if (p->phase != SUITE_STOPPING || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0)
		log_warnx("%s: pid %ld ended: %s", k->name,
		    (long)k->pid, how);
	k->pid = 0;
	set_state(k, KID_OFF);
	suite_kid_left(p, k);
	suite_kid_gone(p);
}

void
kids_reap(struct parent *p)
{
	size_t	i;
	pid_t	pid;
	int	status;

	/* As process 1 of a container we inherit what scripts leave behind. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < p->nkids; i++)
			if (p->kids[i].pid == pid) {
				on_exit_of(&p->kids[i], status);
				break;
			}
}

bool
kids_all_gone(const struct parent *p)
{
	size_t	i;

	for (i = 0; i < p->nkids; i++)
		if (p->kids[i].pid != 0)
			return false;
	return true;
}

static void
on_kid_timer(void *arg)
{
	struct kid	*k = arg;

	if (k->pid != 0) {
		log_warnx("%s: pid %ld closed its link and runs on: killing "
		    "it", k->name, (long)k->pid);
		(void)kill(k->pid, SIGKILL);
	} else if (k->parent->phase == SUITE_RUNNING)
		start_kid(k);
}

void
kids_init(struct parent *p)
{
	struct kid	*k;
	size_t		 i;

	p->nkids = PROC_MAX + p->cfg.dns_workers - 1;
	p->kids = xcalloc(p->nkids, sizeof(*p->kids));
	for (i = 0; i < p->nkids; i++) {
		k = &p->kids[i];
		k->parent = p;
		k->proc = i < PROC_MAX ? (enum proc)i : PROC_DNSD;
		k->worker = i < PROC_MAX ? 0 : (unsigned)(i - PROC_MAX) + 1;
		(void)proc_worker_name(k->proc, k->worker, k->name);
		k->timer = ev_timer_new(p->ev, on_kid_timer, k);
	}
}

void
kids_clear(struct parent *p)
{
	size_t	i;

	for (i = 0; i < p->nkids; i++) {
		ipc_free(p->kids[i].ipc);
		ev_timer_free(p->kids[i].timer);
	}
	free(p->kids);
	p->kids = NULL;
	p->nkids = 0;
}

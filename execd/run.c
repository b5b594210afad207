/*
 * The life of a command.
 *
 *	WAITING -> RUNNING -> (exit) done
 *	              |  deadline
 *	              v
 *	        TERMINATING (TERM to the group, KILL_MS)
 *	              |
 *	              v
 *	          KILLING   (KILL to the group, GIVE_UP_MS)
 *	              |  not even that ended it
 *	              v
 *	         reported as timed out, reaped whenever it ends
 *
 * The command is over when its own process is: what it left behind in its
 * group is killed then, so that a check does not gather processes.
 */
#include <bsd/sys/queue.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/tail.h"
#include "common/util.h"
#include "execd/crowd.h"
#include "execd/run.h"
#include "execd/spawn.h"

#define KILL_MS		500
#define GIVE_UP_MS	2000
#define READS_PER_TURN	16	/* so that one flood does not stop the rest */
#define WATCH_MS	50	/* looks for commands with too many processes */
#define CROWD_MAX	128	/* processes of one */
#define CROWD_MAX_TEXT	"128"
#define LAST_READS	256	/* of what a dead command left in its pipe */

enum run_state { RS_WAITING, RS_RUNNING, RS_TERMINATING, RS_KILLING, RS_LOST };

struct run {
	TAILQ_ENTRY(run)	 entry;
	struct runs		*runs;
	enum run_state		 state;
	struct strs		 args;
	uint64_t		 timeout_ms;
	bool			 timed_out, crowded;
	pid_t			 pid;
	int			 fd;
	struct ev_io		*io;
	struct ev_timer		*timer;
	struct tail		 output;
	run_fn			*fn;		/* NULL: nobody waits */
	void			*arg;
};
TAILQ_HEAD(run_list, run);

struct runs {
	struct ev	*ev;
	struct ev_signal *sigchld;
	struct ev_job	*job;		/* starts those that wait */
	struct ev_timer	*watch;		/* for crowds, while any runs */
	unsigned	 nseen;		/* processes of this host */
	struct run_list	 waiting, running;
	size_t		 nwaiting, nrunning;
	bool		 own_user;
	reaped_fn	*reaped;	/* others' processes; or NULL */
	void		*reaped_arg;
};

static void
run_set_state(struct run *r, enum run_state state, const char *why)
{
	static const unsigned	 allowed[] = {
		[RS_WAITING] = 1u << RS_RUNNING,
		[RS_RUNNING] = 1u << RS_TERMINATING,
		[RS_TERMINATING] = 1u << RS_KILLING,
		[RS_KILLING] = 1u << RS_LOST,
		[RS_LOST] = 0
	};

	if ((allowed[r->state] & 1u << state) == 0)
		fatalx("command %s: state %d after %d", r->args.item[0],
		    (int)state, (int)r->state);
	log_debug("command %s: pid %d: %s", r->args.item[0], (int)r->pid, why);
	r->state = state;
}

/* ---- output ---- */

static void
output_close(struct run *r)
{
	ev_io_free(r->io);
	r->io = NULL;
	if (r->fd != -1)
		close(r->fd);
	r->fd = -1;
}

static void
output_read(struct run *r, unsigned reads)
{
	uint8_t	 buf[8192];
	ssize_t	 n = 1;

	while (r->fd != -1 && reads-- > 0 && n > 0) {
		n = read(r->fd, buf, sizeof(buf));
		if (n > 0)
			tail_add(&r->output, buf, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			output_close(r);
	}
}

static void
on_output(struct ev_io *io, int fd, int events, void *arg)
{
	(void)io;
	(void)fd;
	(void)events;
	output_read(arg, READS_PER_TURN);
}

/* ---- the end ---- */

static void
run_free(struct run *r)
{
	struct runs	*rs = r->runs;

	if (r->state == RS_WAITING) {
		TAILQ_REMOVE(&rs->waiting, r, entry);
		rs->nwaiting--;
	} else {
		TAILQ_REMOVE(&rs->running, r, entry);
		rs->nrunning--;
		if (rs->nwaiting > 0)
			ev_job_set(rs->job);
	}
	output_close(r);
	ev_timer_free(r->timer);
	tail_clear(&r->output);
	strs_clear(&r->args);
	free(r);
}

/* Tells the one who asked; the process may still be there. */
static void
run_report(struct run *r, enum run_end end, int code, const char *error)
{
	struct msg_exited	 m;
	const uint8_t		*p;
	size_t			 n;
	run_fn			*fn = r->fn;

	r->fn = NULL;
	if (fn == NULL)
		return;
	memset(&m, 0, sizeof(m));
	m.end = end;
	m.code = code;
	p = tail_bytes(&r->output, &n);
	bytes_set(&m.output, p, n);
	m.total = r->output.total;
	m.error = xstrdup(error);
	fn(&m, r->arg);
	schema_clear(&msg_exited_schema, &m);
}

static void
kill_group(const struct run *r, int sig)
{
	if (r->pid > 1 && kill(-r->pid, sig) == -1 && errno != ESRCH)
		log_warn("command %s: kill", r->args.item[0]);
}

static void
on_exit_status(struct run *r, int status)
{
	output_read(r, LAST_READS);
	kill_group(r, SIGKILL);
	if (r->crowded)
		run_report(r, RUN_FAILED, 0, "killed: it had more than "
		    CROWD_MAX_TEXT " processes");
	else if (r->timed_out)
		run_report(r, RUN_TIMEOUT, 0, NULL);
	else if (WIFSIGNALED(status))
		run_report(r, RUN_SIGNAL, WTERMSIG(status), NULL);
	else
		run_report(r, RUN_EXIT, WEXITSTATUS(status), NULL);
	run_free(r);
}

static void
on_sigchld(int signo, void *arg)
{
	struct runs	*rs = arg;
	struct run	*r, *next;
	int		 status;
	pid_t		 pid;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		TAILQ_FOREACH_SAFE(r, &rs->running, entry, next)
			if (r->pid == pid)
				break;
		if (r != NULL)
			on_exit_status(r, status);
		else if (rs->reaped != NULL)
			rs->reaped(pid, status, rs->reaped_arg);
	}
}

void
runs_on_reaped(struct runs *rs, reaped_fn *fn, void *arg)
{
	rs->reaped = fn;
	rs->reaped_arg = arg;
}

static void
on_timer(void *arg)
{
	struct run	*r = arg;

	switch (r->state) {
	case RS_RUNNING:
		r->timed_out = true;
		run_set_state(r, RS_TERMINATING, "deadline passed");
		kill_group(r, SIGTERM);
		ev_timer_set(r->timer, KILL_MS);
		break;
	case RS_TERMINATING:
		run_set_state(r, RS_KILLING, "did not end by itself");
		kill_group(r, SIGKILL);
		ev_timer_set(r->timer, GIVE_UP_MS);
		break;
	case RS_KILLING:
		run_set_state(r, RS_LOST, "cannot be killed");
		log_warnx("command %s: pid %d cannot be killed",
		    r->args.item[0], (int)r->pid);
		run_report(r, RUN_TIMEOUT, 0, NULL);
		break;
	case RS_WAITING:
	case RS_LOST:
		break;
	}
}

/* ---- crowds ---- */

static void
on_watch(void *arg)
{
	struct runs	*rs = arg;
	struct run	*r;
	pid_t		 session[RUNS_MAX + 1];
	size_t		 count[RUNS_MAX + 1], n = 0;

	if (rs->nrunning == 0)
		return;
	ev_timer_set(rs->watch, WATCH_MS);
	if (!crowd_grew(&rs->nseen, CROWD_MAX / 2))
		return;
	TAILQ_FOREACH(r, &rs->running, entry)
		if (n < NELEM(session))
			session[n++] = r->pid;
	if (crowd_count(session, count, n) == -1)
		return;
	n = 0;
	TAILQ_FOREACH(r, &rs->running, entry) {
		if (n >= NELEM(session))
			break;
		if (count[n++] <= CROWD_MAX)
			continue;
		if (!r->crowded)
			log_warnx("command %s: killed: it had more than "
			    CROWD_MAX_TEXT " processes", r->args.item[0]);
		r->crowded = true;
		crowd_kill(r->pid);
	}
}

/* ---- the beginning ---- */

static void
run_begin(struct run *r)
{
	struct runs	*rs = r->runs;
	struct spawn	 s;
	char		 err[512];

	memset(&s, 0, sizeof(s));
	s.args = &r->args;
	s.cpu_s = (unsigned)(r->timeout_ms / 1000) + 5;
	s.own_user = rs->own_user;
	s.in = -1;
	r->pid = spawn(&s, &r->fd, err, sizeof(err));
	if (r->pid == -1) {
		run_report(r, RUN_FAILED, 0, err);
		run_free(r);
		return;
	}
	TAILQ_REMOVE(&rs->waiting, r, entry);
	rs->nwaiting--;
	TAILQ_INSERT_TAIL(&rs->running, r, entry);
	rs->nrunning++;
	run_set_state(r, RS_RUNNING, "started");
	if (!ev_timer_pending(rs->watch))
		ev_timer_set(rs->watch, WATCH_MS);
	r->io = ev_io_new(rs->ev, r->fd, on_output, r);
	ev_io_set(r->io, EV_READ);
	r->timer = ev_timer_new(rs->ev, on_timer, r);
	ev_timer_set(r->timer, r->timeout_ms);
}

static void
on_job(void *arg)
{
	struct runs	*rs = arg;

	while (rs->nrunning < RUNS_MAX && !TAILQ_EMPTY(&rs->waiting))
		run_begin(TAILQ_FIRST(&rs->waiting));
}

struct run *
run_start(struct runs *rs, const struct msg_run *m, run_fn *fn, void *arg)
{
	struct run	*r;
	size_t		 keep = m->output_max == 0 ? RUN_OUTPUT :
			    (size_t)m->output_max;

	if (rs->nwaiting >= RUNS_WAITING)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->runs = rs;
	r->fd = -1;
	r->pid = -1;
	strs_copy(&r->args, &m->args);
	r->timeout_ms = m->timeout <= 0 ? RUN_TIMEOUT_MS :
	    (uint64_t)(m->timeout / NS_PER_MS);
	tail_init(&r->output, keep < RUN_OUTPUT_MAX ? keep : RUN_OUTPUT_MAX);
	r->fn = fn;
	r->arg = arg;
	TAILQ_INSERT_TAIL(&rs->waiting, r, entry);
	rs->nwaiting++;
	ev_job_set(rs->job);
	return r;
}

void
run_cancel(struct run *r)
{
	r->fn = NULL;
	switch (r->state) {
	case RS_WAITING:
		run_free(r);
		break;
	case RS_RUNNING:
		on_timer(r);
		break;
	case RS_TERMINATING:
	case RS_KILLING:
	case RS_LOST:
		break;
	}
}

struct runs *
runs_new(struct ev *ev, bool own_user)
{
	struct runs	*rs = xcalloc(1, sizeof(*rs));

	rs->ev = ev;
	rs->own_user = own_user;
	TAILQ_INIT(&rs->waiting);
	TAILQ_INIT(&rs->running);
	rs->job = ev_job_new(ev, on_job, rs);
	rs->watch = ev_timer_new(ev, on_watch, rs);
	rs->sigchld = ev_signal_new(ev, SIGCHLD, on_sigchld, rs);
	return rs;
}

void
runs_free(struct runs *rs)
{
	struct run	*r;

	if (rs == NULL)
		return;
	while ((r = TAILQ_FIRST(&rs->waiting)) != NULL)
		run_free(r);
	while ((r = TAILQ_FIRST(&rs->running)) != NULL) {
		kill_group(r, SIGKILL);
		run_free(r);
	}
	ev_signal_free(rs->sigchld);
	ev_job_free(rs->job);
	ev_timer_free(rs->watch);
	free(rs);
}

size_t
runs_count(const struct runs *rs)
{
	return rs->nrunning + rs->nwaiting;
}

/*
 * The suite as a whole: ready, reload, leave, stop; and the signals that ask
 * for it.
 *
 *	SIGHUP		read the configuration again
 *	SIGUSR1		open the log files again
 *	SIGTERM		leave if leave_on_terminate, else stop
 *	SIGINT		stop if skip_leave_on_interrupt, else leave
 *	SIGQUIT		stop
 *
 * Leaving goes in order: checks stop, the catalog hands over, the pools are
 * told; on a server requests drain.  A second signal ends the waiting.  The
 * exit status is 0 after a leave that went well, 1 otherwise, 2 after SIGQUIT.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"

#define LEAVE_STEP_MS	25000	/* for one child: gossipd leaves two pools */
#define STOP_MS		5000	/* from STOP to SIGKILL */
#define ANSWER_MS	200	/* for apid to pass on that we have left */
#define SLOW_START_MS	10000	/* between complaints */
#define DAY_MS		(24 * 3600 * 1000)	/* between warnings of ends */

static const enum proc leave_order[] = {
	PROC_CHECKD, PROC_CATALOGD, PROC_GOSSIPD };

static void	leave_next(struct parent *);
static void	on_timer(void *);

/* ---- ready ---- */

void
suite_log_warnings(const struct config *cfg)
{
	size_t	i;

	for (i = 0; i < cfg->warnings.n; i++)
		log_warnx("configuration: %s", cfg->warnings.item[i]);
}

/* ---- certificates ---- */

static void
log_expiring(const struct parent *p, bool past)
{
	struct strs	 lines = { 0 };
	size_t		 i;

	config_expiring(&p->cfg, past, &lines);
	for (i = 0; i < lines.n; i++)
		log_warnx("%s", lines.item[i]);
	strs_clear(&lines);
}

static void
on_expiry_timer(void *arg)
{
	struct parent	*p = arg;

	log_expiring(p, true);
	ev_timer_set(p->expiry, DAY_MS);
}

void
suite_watch_expiry(struct parent *p)
{
	if (p->expiry == NULL)
		p->expiry = ev_timer_new(p->ev, on_expiry_timer, p);
	/* What has expired stopped the start, or is among its warnings. */
	log_expiring(p, false);
	ev_timer_set(p->expiry, DAY_MS);
}

void
suite_check_ready(struct parent *p)
{
	size_t	i;

	if (p->phase != SUITE_STARTING || p->join_pending)
		return;
	for (i = 0; i < p->nkids; i++)
		if (p->kids[i].state == KID_STARTING)
			return;
	p->phase = SUITE_RUNNING;
	ev_timer_stop(p->timer);
	log_info("disco " DISCO_VERSION ": node %s is up, all daemons ready",
	    p->cfg.agent.node_name);
	start_banner_ready(p);
	start_done(p, 0);
	notify(p, "READY=1\nSTATUS=all daemons ready");
}

/* ---- reload ---- */

static void
notify_reloading(struct parent *p)
{
	char	text[96];

	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)(ev_hrtime() / 1000));
	notify(p, text);
}

int
suite_reload(struct parent *p, char *err, size_t errlen)
{
	struct config	cfg;

	if (p->phase != SUITE_RUNNING) {
		(void)snprintf(err, errlen, "not now: the suite is %s",
		    p->phase == SUITE_STARTING ? "starting" : "stopping");
		log_warnx("reload: %s", err);
		return -1;
	}
	notify_reloading(p);
	memset(&cfg, 0, sizeof(cfg));
	if (config_reload(&p->cfg, &cfg, err, errlen) != CONFIG_RUN) {
		log_errorx("reload: %s; the configuration stays as it was",
		    err);
		notify(p, "READY=1\nSTATUS=reload failed, see the log");
		return -1;
	}
	config_clear(&p->cfg);
	p->cfg = cfg;
	log_set_level(monitor_level(p));
	suite_log_warnings(&p->cfg);
	suite_watch_expiry(p);
	kids_send_conf(p);
	kids_start(p);
	log_info("reload: the new configuration is handed out");
	notify(p, "READY=1\nSTATUS=all daemons ready");
	return 0;
}

/* ---- stop ---- */

static void
signal_all(struct parent *p, int sig)
{
	size_t	i;

	for (i = 0; i < p->nkids; i++) {
		if (p->kids[i].pid == 0)
			continue;
		log_warnx("%s: pid %ld does not stop: killing it",
		    p->kids[i].name, (long)p->kids[i].pid);
		(void)kill(p->kids[i].pid, sig);
	}
}

void
suite_kid_gone(struct parent *p)
{
	if (p->phase == SUITE_STOPPING && kids_all_gone(p))
		ev_stop(p->ev);
}

void
suite_stop(struct parent *p, int status)
{
	size_t	i;

	if (p->phase == SUITE_STOPPING)
		return;
	log_info("stopping");
	p->phase = SUITE_STOPPING;
	p->exit_status = status;
	notify(p, "STOPPING=1");
	for (i = 0; i < p->nkids; i++)
		ipc_send(p->kids[i].ipc, IMSG_STOP, 0, NULL, 0, -1);
	ev_timer_set(p->timer, STOP_MS);
	suite_kid_gone(p);
}

/* ---- leave ---- */

static void
leave_done(struct parent *p)
{
	discod_left(p);
	if (p->leave_asked) {
		/* The one who asked shall get the answer before apid stops. */
		p->phase = SUITE_DRAINING;
		p->leave_asked = false;
		ev_timer_set(p->timer, ANSWER_MS);
		return;
	}
	suite_stop(p, p->leave_late ? 1 : 0);
}

static void
drain(struct parent *p)
{
	uint64_t	ms = (uint64_t)(p->cfg.leave_drain_ns / NS_PER_MS);

	p->phase = SUITE_DRAINING;
	if (!p->cfg.agent.server || ms == 0) {
		leave_done(p);
		return;
	}
	log_info("leave: answering requests for another %llu ms",
	    (unsigned long long)ms);
	ev_timer_set(p->timer, ms);
}

static void
leave_next(struct parent *p)
{
	struct kid	*k;

	for (; p->leave_step < NELEM(leave_order); p->leave_step++) {
		k = &p->kids[leave_order[p->leave_step]];
		if (k->state != KID_RUNNING || k->ipc == NULL || k->left)
			continue;
		log_debug("leave: waiting for %s", proc_name(k->proc));
		ipc_send(k->ipc, IMSG_LEAVE, 0, NULL, 0, -1);
		ev_timer_set(p->timer, LEAVE_STEP_MS);
		return;
	}
	log_info("leave: this node has left");
	drain(p);
}

void
suite_leave(struct parent *p)
{
	if (p->phase != SUITE_RUNNING) {
		suite_stop(p, 1);
		return;
	}
	log_info("leaving the cluster");
	notify(p, "STOPPING=1\nSTATUS=leaving the cluster");
	p->phase = SUITE_LEAVING;
	p->leave_step = 0;
	leave_next(p);
}

void
suite_kid_left(struct parent *p, struct kid *k)
{
	k->left = true;
	if (p->phase != SUITE_LEAVING || p->leave_step >= NELEM(leave_order) ||
	    leave_order[p->leave_step] != k->proc)
		return;
	p->leave_step++;
	leave_next(p);
}

static void
on_timer(void *arg)
{
	struct parent	*p = arg;
	size_t		 i;

	switch (p->phase) {
	case SUITE_STARTING:
		for (i = 0; i < p->nkids; i++)
			if (p->kids[i].state == KID_STARTING)
				log_warnx("%s: not ready yet",
				    p->kids[i].name);
		ev_timer_set(p->timer, SLOW_START_MS);
		break;
	case SUITE_RUNNING:
		break;
	case SUITE_LEAVING:
		log_warnx("leave: %s did not do its part in %d ms: going on",
		    proc_name(leave_order[p->leave_step]), LEAVE_STEP_MS);
		p->leave_late = true;
		p->leave_step++;
		leave_next(p);
		break;
	case SUITE_DRAINING:
		leave_done(p);
		break;
	case SUITE_STOPPING:
		signal_all(p, SIGKILL);
		break;
	}
}

/* ---- signals ---- */

static void
end_by_signal(struct parent *p, int signo, bool leave)
{
	log_info("signal %d (%s)", signo, strsignal(signo));
	if (p->phase == SUITE_STOPPING) {
		signal_all(p, SIGKILL);
		return;
	}
	if (p->phase == SUITE_RUNNING && leave)
		suite_leave(p);
	else
		suite_stop(p, signo == SIGQUIT ? 2 : 1);
}

static void
on_signal(int signo, void *arg)
{
	struct parent	*p = arg;
	char		 err[1024];

	switch (signo) {
	case SIGCHLD:
		kids_reap(p);
		break;
	case SIGHUP:
		log_info("signal 1 (Hangup): reloading");
		(void)suite_reload(p, err, sizeof(err));
		break;
	case SIGUSR1:
		if (sinks_reopen(p) == 0)
			log_info("log files opened again");
		break;
	case SIGTERM:
		end_by_signal(p, signo, p->cfg.leave_on_terminate);
		break;
	case SIGINT:
		end_by_signal(p, signo, !p->cfg.skip_leave_on_interrupt);
		break;
	case SIGQUIT:
		end_by_signal(p, signo, false);
		break;
	}
}

void
suite_signals(struct parent *p)
{
	static const int	sigs[] = { SIGCHLD, SIGHUP, SIGUSR1, SIGTERM,
				    SIGINT, SIGQUIT };
	size_t			i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < NELEM(sigs); i++)
		p->signals[i] = ev_signal_new(p->ev, sigs[i], on_signal, p);
	p->timer = ev_timer_new(p->ev, on_timer, p);
	ev_timer_set(p->timer, SLOW_START_MS);
}

/*
 * The life of a watch.
 *
 *	WAITING -> RUNNING -> (its process ended) WAITING, later and later
 *	   |          |  no longer in the configuration
 *	   |          v
 *	   |        ENDING (TERM to the group, then KILL) -> (reaped) gone
 *	   +-> gone
 *
 * The process is `discoctl watch -plan=-`, with the watch on its standard
 * input, for there may be a token in it.  What it and its handlers print goes
 * to our log.
 */
#include <bsd/sys/queue.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "common/watch.h"
#include "execd/spawn.h"
#include "execd/watches.h"

#define RETRY_FIRST_MS	500
#define RETRY_MAX_MS	60000
#define OLD_MS		60000	/* who lived so long begins anew at once */
#define KILL_MS		2000
#define LINE_MAX_LEN	1024
#define READS_PER_TURN	4

enum watch_state { WS_WAITING, WS_RUNNING, WS_ENDING };

struct one {
	TAILQ_ENTRY(one)	 entry;
	struct watches		*all;
	enum watch_state	 state;
	char			*plan, *api, *title;
	bool			 wanted;
	pid_t			 pid;
	int			 fd;
	struct ev_io		*io;
	struct ev_timer		*timer;
	uint64_t		 started_ms;
	unsigned		 retry_ms;
	char			 line[LINE_MAX_LEN];
	size_t			 len;
};
TAILQ_HEAD(one_list, one);

struct watches {
	struct ev	*ev;
	struct one_list	 list;
	char		*program;
	bool		 own_user;
};

static void	start(struct one *);

/* In a build tree it lies beside us; installed we are in libexec/disco. */
static char *
find_program(void)
{
	static const char *const places[] = { "discoctl",
					      "../../bin/discoctl" };
	char			 self[PATH_MAX], *path;
	ssize_t			 n;
	size_t			 i;

	if ((n = readlink("/proc/self/exe", self, sizeof(self) - 1)) == -1)
		return xstrdup("discoctl");
	self[n] = '\0';
	(void)dirname(self);
	for (i = 0; i < NELEM(places); i++) {
		xasprintf(&path, "%s/%s", self, places[i]);
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return xstrdup("discoctl");
}

/* ---- what it prints ---- */

static void
flush_line(struct one *w)
{
	w->line[w->len] = '\0';
	if (strncmp(w->line, "Error ", 6) == 0)
		log_warnx("watch %s: %s", w->title, w->line);
	else if (w->len > 0)
		log_debug("watch %s: %s", w->title, w->line);
	w->len = 0;
}

static void
on_bytes(struct one *w, const char *p, size_t n)
{
	for (; n > 0; n--, p++) {
		if (*p == '\n' || w->len == sizeof(w->line) - 1)
			flush_line(w);
		if (*p != '\n')
			w->line[w->len++] = (unsigned char)*p < ' ' ? ' ' : *p;
	}
}

static void
output_close(struct one *w)
{
	flush_line(w);
	ev_io_free(w->io);
	w->io = NULL;
	if (w->fd != -1)
		close(w->fd);
	w->fd = -1;
}

static void
output_read(struct one *w)
{
	char	 buf[4096];
	ssize_t	 n = 1;
	unsigned turns = READS_PER_TURN;

	while (w->fd != -1 && turns-- > 0 && n > 0) {
		n = read(w->fd, buf, sizeof(buf));
		if (n > 0)
			on_bytes(w, buf, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			output_close(w);
	}
}

static void
on_output(struct ev_io *io, int fd, int events, void *arg)
{
	(void)io;
	(void)fd;
	(void)events;
	output_read(arg);
}

/* ---- beginning and end ---- */

static void
one_free(struct one *w)
{
	TAILQ_REMOVE(&w->all->list, w, entry);
	output_close(w);
	ev_timer_free(w->timer);
	explicit_bzero(w->plan, strlen(w->plan));
	free(w->plan);
	free(w->api);
	free(w->title);
	free(w);
}

static void
later(struct one *w)
{
	w->state = WS_WAITING;
	w->retry_ms = w->retry_ms == 0 ? RETRY_FIRST_MS :
	    w->retry_ms < RETRY_MAX_MS / 2 ? w->retry_ms * 2 : RETRY_MAX_MS;
	ev_timer_set(w->timer, w->retry_ms);
}

static void
on_timer(void *arg)
{
	struct one	*w = arg;

	switch (w->state) {
	case WS_WAITING:
		start(w);
		break;
	case WS_ENDING:
		(void)kill(-w->pid, SIGKILL);
		break;
	case WS_RUNNING:
		break;
	}
}

/* The plan, to be read from its beginning; -1 after a log line. */
static int
plan_fd(const struct one *w)
{
	size_t	 n = strlen(w->plan);
	int	 fd = memfd_create("watch", MFD_CLOEXEC);

	if (fd != -1 && write(fd, w->plan, n) == (ssize_t)n &&
	    lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	log_warn("watch %s", w->title);
	if (fd != -1)
		close(fd);
	return -1;
}

static void
start(struct one *w)
{
	struct strs	 args = { 0 };
	struct spawn	 s = { .args = &args, .own_user = w->all->own_user };
	char		*addr, err[512] = "";

	if ((s.in = plan_fd(w)) == -1) {
		later(w);
		return;
	}
	xasprintf(&addr, "-http-addr=%s", w->api);
	strs_add(&args, w->all->program);
	strs_add(&args, "watch");
	strs_add(&args, addr);
	strs_add(&args, "-plan=-");
	w->pid = spawn(&s, &w->fd, err, sizeof(err));
	close(s.in);
	strs_clear(&args);
	free(addr);
	if (w->pid == -1) {
		log_warnx("watch %s: %s", w->title, err);
		later(w);
		return;
	}
	w->state = WS_RUNNING;
	w->started_ms = ev_now(w->all->ev);
	w->io = ev_io_new(w->all->ev, w->fd, on_output, w);
	ev_io_set(w->io, EV_READ);
	log_debug("watch %s: pid %d", w->title, (int)w->pid);
}

static void
on_reaped(pid_t pid, int status, void *arg)
{
	struct watches	*ws = arg;
	struct one	*w;

	TAILQ_FOREACH(w, &ws->list, entry)
		if (w->state != WS_WAITING && w->pid == pid)
			break;
	if (w == NULL)
		return;
	(void)kill(-pid, SIGKILL);	/* a handler that it left */
	output_read(w);
	output_close(w);
	if (w->state == WS_ENDING) {
		one_free(w);
		return;
	}
	if (ev_now(ws->ev) - w->started_ms > OLD_MS)
		w->retry_ms = 0;
	later(w);
	log_warnx("watch %s: pid %d ended with status %#x: again in %u ms",
	    w->title, (int)pid, (unsigned)status, w->retry_ms);
}

static void
end(struct one *w)
{
	log_info("watch %s: not in the configuration any more", w->title);
	if (w->state == WS_WAITING) {
		one_free(w);
		return;
	}
	w->state = WS_ENDING;
	(void)kill(-w->pid, SIGTERM);
	ev_timer_set(w->timer, KILL_MS);
}

/* ---- the configuration ---- */

static char *
title_of(const char *plan)
{
	struct json	*j;
	struct watch	 w;
	char		 err[256], *title = NULL;

	if ((j = json_parse(plan, strlen(plan), err, sizeof(err))) != NULL &&
	    watch_read(j, true, &w, err, sizeof(err)) == 0) {
		title = watch_title(&w);
		watch_clear(&w);
	}
	json_free(j);
	return title != NULL ? title : xstrdup("?");
}

static void
add(struct watches *ws, const char *plan, const char *api)
{
	struct one	*w = xcalloc(1, sizeof(*w));

	w->all = ws;
	w->plan = xstrdup(plan);
	w->api = xstrdup(api);
	w->title = title_of(plan);
	w->fd = -1;
	w->wanted = true;
	w->timer = ev_timer_new(ws->ev, on_timer, w);
	TAILQ_INSERT_TAIL(&ws->list, w, entry);
	log_info("watch %s: followed", w->title);
	/* From the loop: what starts before the sandbox would be outside. */
	ev_timer_set(w->timer, 1);
}

void
watches_set(struct watches *ws, const struct conf_exec *conf)
{
	struct one	*w, *next;
	const char	*plan, *api = str_or(conf->watch_api, "");
	size_t		 i;

	TAILQ_FOREACH(w, &ws->list, entry)
		w->wanted = false;
	for (i = 0; i < conf->watches.n; i++) {
		plan = conf->watches.item[i];
		TAILQ_FOREACH(w, &ws->list, entry)
			if (!w->wanted && w->state != WS_ENDING &&
			    strcmp(w->plan, plan) == 0 &&
			    strcmp(w->api, api) == 0)
				break;
		if (w != NULL)
			w->wanted = true;
		else
			add(ws, plan, api);
	}
	TAILQ_FOREACH_SAFE(w, &ws->list, entry, next)
		if (!w->wanted && w->state != WS_ENDING)
			end(w);
}

struct watches *
watches_new(struct ev *ev, struct runs *runs, bool own_user)
{
	struct watches	*ws = xcalloc(1, sizeof(*ws));

	ws->ev = ev;
	ws->own_user = own_user;
	ws->program = find_program();
	TAILQ_INIT(&ws->list);
	runs_on_reaped(runs, on_reaped, ws);
	return ws;
}

void
watches_free(struct watches *ws)
{
	struct one	*w;

	if (ws == NULL)
		return;
	while ((w = TAILQ_FIRST(&ws->list)) != NULL) {
		if (w->state != WS_WAITING)
			(void)kill(-w->pid, SIGKILL);
		one_free(w);
	}
	free(ws->program);
	free(ws);
}

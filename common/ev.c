/*
 * The event loop over libuv.  Handles are on the heap and freed in libuv's
 * close callback, so that a pointer stays good until the turn ends even when
 * its owner frees it from within its own callback.
 *
 * Order of a turn: timers, jobs, the after hook, jobs again, sleep, I/O.
 */
#include <bsd/sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "common/ev.h"
#include "common/log.h"
#include "common/util.h"

struct ev_job {
	TAILQ_ENTRY(ev_job)	 entry;
	struct ev		*ev;
	ev_timer_fn		*fn;
	void			*arg;
	bool			 set;
};

struct ev {
	uv_loop_t		 loop;
	uv_prepare_t		 prepare;
	TAILQ_HEAD(, ev_job)	 jobs;
	ev_timer_fn		*after;
	void			*after_arg;
};

struct ev_io {
	uv_poll_t	 poll;
	ev_io_fn	*fn;
	void		*arg;
	int		 fd;
	int		 events;
};

struct ev_timer {
	uv_timer_t	 timer;
	ev_timer_fn	*fn;
	void		*arg;
};

struct ev_signal {
	uv_signal_t	 sig;
	ev_signal_fn	*fn;
	void		*arg;
};

_Static_assert(EV_READ == (int)UV_READABLE && EV_WRITE == (int)UV_WRITABLE &&
    EV_HANGUP == (int)UV_DISCONNECT, "event bits are libuv's");

static void
must(int rc, const char *what)
{
	if (rc < 0)
		fatalx("event loop: %s: %s", what, uv_strerror(rc));
}

static void
run_jobs(struct ev *ev)
{
	struct ev_job	*j;

	while ((j = TAILQ_FIRST(&ev->jobs)) != NULL) {
		TAILQ_REMOVE(&ev->jobs, j, entry);
		j->set = false;
		j->fn(j->arg);
	}
}

static void
on_prepare(uv_prepare_t *h)
{
	struct ev	*ev = h->data;

	run_jobs(ev);
	if (ev->after != NULL) {
		ev->after(ev->after_arg);
		run_jobs(ev);
	}
}

struct ev *
ev_new(void)
{
	struct ev	*ev = xcalloc(1, sizeof(*ev));

	TAILQ_INIT(&ev->jobs);
	must(uv_loop_init(&ev->loop), "init");
	ev->loop.data = ev;
	must(uv_prepare_init(&ev->loop, &ev->prepare), "prepare");
	ev->prepare.data = ev;
	must(uv_prepare_start(&ev->prepare, on_prepare), "prepare");
	return ev;
}

static void
free_handle(uv_handle_t *h)
{
	/* The uv handle is the first member of each of ours. */
	free(h->data);
}

static void
close_left(uv_handle_t *h, void *arg)
{
	struct ev	*ev = arg;

	if (uv_is_closing(h))
		return;
	uv_close(h, h == (uv_handle_t *)&ev->prepare ? NULL : free_handle);
}

void
ev_free(struct ev *ev)
{
	if (ev == NULL)
		return;
	uv_walk(&ev->loop, close_left, ev);
	while (uv_run(&ev->loop, UV_RUN_DEFAULT) != 0)
		;
	must(uv_loop_close(&ev->loop), "close");
	free(ev);
}

void
ev_run(struct ev *ev)
{
	uv_run(&ev->loop, UV_RUN_DEFAULT);
}

void
ev_stop(struct ev *ev)
{
	uv_stop(&ev->loop);
}

uint64_t
ev_now(struct ev *ev)
{
	return uv_now(&ev->loop);
}

uint64_t
ev_hrtime(void)
{
	return uv_hrtime();
}

int64_t
ev_wall_ns(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct ev_io	*io = h->data;

	if (status >= 0) {
		io->fn(io, io->fd, events, io->arg);
		return;
	}
	/*
	 * POLLERR: libuv has stopped the watch.  Let the owner read or write
	 * and see the error for itself, then go on if it wants to: on a UDP
	 * socket the next datagram may well be fine.
	 */
	io->fn(io, io->fd, io->events, io->arg);
	if (!uv_is_closing((uv_handle_t *)h) && io->events != 0 &&
	    !uv_is_active((uv_handle_t *)h))
		must(uv_poll_start(&io->poll, io->events, on_poll), "poll");
}

struct ev_io *
ev_io_new(struct ev *ev, int fd, ev_io_fn *fn, void *arg)
{
	struct ev_io	*io = xcalloc(1, sizeof(*io));

	io->fn = fn;
	io->arg = arg;
	io->fd = fd;
	must(uv_poll_init(&ev->loop, &io->poll, fd), "watch");
	io->poll.data = io;
	return io;
}

void
ev_io_set(struct ev_io *io, int events)
{
	if (io->events == events)
		return;
	io->events = events;
	if (events == 0)
		must(uv_poll_stop(&io->poll), "poll stop");
	else
		must(uv_poll_start(&io->poll, events, on_poll), "poll");
}

void
ev_io_free(struct ev_io *io)
{
	/* uv_close() takes it out of epoll at once: fd may be closed next. */
	if (io != NULL)
		uv_close((uv_handle_t *)&io->poll, free_handle);
}

static void
on_timer(uv_timer_t *h)
{
	struct ev_timer	*t = h->data;

	t->fn(t->arg);
}

struct ev_timer *
ev_timer_new(struct ev *ev, ev_timer_fn *fn, void *arg)
{
	struct ev_timer	*t = xcalloc(1, sizeof(*t));

	t->fn = fn;
	t->arg = arg;
	must(uv_timer_init(&ev->loop, &t->timer), "timer");
	t->timer.data = t;
	return t;
}

void
ev_timer_set(struct ev_timer *t, uint64_t ms)
{
	must(uv_timer_start(&t->timer, on_timer, ms, 0), "timer");
}

void
ev_timer_stop(struct ev_timer *t)
{
	uv_timer_stop(&t->timer);
}

bool
ev_timer_pending(const struct ev_timer *t)
{
	return uv_is_active((const uv_handle_t *)&t->timer) != 0;
}

void
ev_timer_free(struct ev_timer *t)
{
	if (t != NULL)
		uv_close((uv_handle_t *)&t->timer, free_handle);
}

static void
on_signal(uv_signal_t *h, int signo)
{
	struct ev_signal	*s = h->data;

	s->fn(signo, s->arg);
}

struct ev_signal *
ev_signal_new(struct ev *ev, int signo, ev_signal_fn *fn, void *arg)
{
	struct ev_signal	*s = xcalloc(1, sizeof(*s));

	s->fn = fn;
	s->arg = arg;
	must(uv_signal_init(&ev->loop, &s->sig), "signal");
	s->sig.data = s;
	must(uv_signal_start(&s->sig, on_signal, signo), "signal");
	return s;
}

void
ev_signal_free(struct ev_signal *s)
{
	if (s != NULL)
		uv_close((uv_handle_t *)&s->sig, free_handle);
}

struct ev_job *
ev_job_new(struct ev *ev, ev_timer_fn *fn, void *arg)
{
	struct ev_job	*j = xcalloc(1, sizeof(*j));

	j->ev = ev;
	j->fn = fn;
	j->arg = arg;
	return j;
}

void
ev_job_set(struct ev_job *j)
{
	if (j->set)
		return;
	j->set = true;
	TAILQ_INSERT_TAIL(&j->ev->jobs, j, entry);
}

void
ev_job_free(struct ev_job *j)
{
	if (j == NULL)
		return;
	if (j->set)
		TAILQ_REMOVE(&j->ev->jobs, j, entry);
	free(j);
}

void
ev_after(struct ev *ev, ev_timer_fn *fn, void *arg)
{
	ev->after = fn;
	ev->after_arg = arg;
}

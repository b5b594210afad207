/*
 * libunbound on our event loop: its events (libevent's kind, by
 * unbound-event.h) made of our watches and timers.
 *
 * An event without UB_EV_PERSIST is over when it fires; one with it, and with a
 * timeout, has the timeout started again each time.  The callback may free the
 * event: nothing here touches it afterwards.
 */
#include <sys/time.h>

#include <stdlib.h>
#include <unbound.h>
#include <unbound-event.h>

#include "common/log.h"
#include "common/util.h"
#include "dnsd/ub_loop.h"

typedef void ub_fn(int fd, short bits, void *arg);

struct loop_base {
	struct ub_event_base	 super;
	struct ev		*ev;
};

struct loop_event {
	struct ub_event		 super;
	struct ev		*ev;
	struct ev_io		*io;		/* while it is added */
	struct ev_timer		*timer;
	uint64_t		 timeout_ms;	/* 0: none */
	int			 fd;
	short			 bits;
	ub_fn			*fn;
	void			*arg;
};

static struct loop_event *
self(struct ub_event *e)
{
	return (struct loop_event *)(void *)e;
}

static uint64_t
tv_ms(const struct timeval *tv)
{
	uint64_t	ms;

	if (tv == NULL)
		return 0;
	ms = (uint64_t)tv->tv_sec * 1000 + ((uint64_t)tv->tv_usec + 999) / 1000;
	return ms == 0 ? 1 : ms;
}

static int
loop_del(struct ub_event *e)
{
	struct loop_event	*l = self(e);

	ev_io_free(l->io);
	l->io = NULL;
	if (l->timer != NULL)
		ev_timer_stop(l->timer);
	return 0;
}

static void
fire(struct loop_event *l, short bits)
{
	if (!(l->bits & UB_EV_PERSIST))
		(void)loop_del(&l->super);
	else if (l->timeout_ms > 0)
		ev_timer_set(l->timer, l->timeout_ms);
	l->fn(l->fd, bits, l->arg);
}

static void
on_io(struct ev_io *io, int fd, int events, void *arg)
{
	struct loop_event	*l = arg;
	short			 bits = 0;

	(void)io;
	(void)fd;
	if (events & (EV_READ | EV_HANGUP))
		bits |= l->bits & UB_EV_READ;
	if (events & (EV_WRITE | EV_HANGUP))
		bits |= l->bits & UB_EV_WRITE;
	if (bits != 0)
		fire(l, bits);
}

static void
on_timeout(void *arg)
{
	fire(arg, UB_EV_TIMEOUT);
}

static void
start_timer(struct loop_event *l, uint64_t ms)
{
	l->timeout_ms = ms;
	if (ms == 0)
		return;
	if (l->timer == NULL)
		l->timer = ev_timer_new(l->ev, on_timeout, l);
	ev_timer_set(l->timer, ms);
}

static int
loop_add(struct ub_event *e, struct timeval *tv)
{
	struct loop_event	*l = self(e);
	int			 events = 0;

	(void)loop_del(e);
	if (l->bits & UB_EV_READ)
		events |= EV_READ;
	if (l->bits & UB_EV_WRITE)
		events |= EV_WRITE;
	if (l->fd != -1 && events != 0) {
		l->io = ev_io_new(l->ev, l->fd, on_io, l);
		ev_io_set(l->io, events);
	}
	start_timer(l, tv_ms(tv));
	return 0;
}

static void
loop_add_bits(struct ub_event *e, short bits)
{
	self(e)->bits |= bits;
}

static void
loop_del_bits(struct ub_event *e, short bits)
{
	self(e)->bits &= (short)~bits;
}

static void
loop_set_fd(struct ub_event *e, int fd)
{
	self(e)->fd = fd;
}

static void
loop_free(struct ub_event *e)
{
	struct loop_event	*l = self(e);

	(void)loop_del(e);
	ev_timer_free(l->timer);
	free(l);
}

static int
loop_add_timer(struct ub_event *e, struct ub_event_base *base, ub_fn *fn,
    void *arg, struct timeval *tv)
{
	struct loop_event	*l = self(e);

	(void)base;
	l->fn = fn;
	l->arg = arg;
	start_timer(l, tv_ms(tv));
	return 0;
}

static int
no_signal(struct ub_event *e, struct timeval *tv)
{
	(void)e;
	(void)tv;
	return -1;
}

static int
no_signal_del(struct ub_event *e)
{
	(void)e;
	return -1;
}

static struct ub_event_vmt event_vmt = {
	.add_bits = loop_add_bits,
	.del_bits = loop_del_bits,
	.set_fd = loop_set_fd,
	.free = loop_free,
	.add = loop_add,
	.del = loop_del,
	.add_timer = loop_add_timer,
	.del_timer = loop_del,
	.add_signal = no_signal,
	.del_signal = no_signal_del,
};

static struct ub_event *
loop_new_event(struct ub_event_base *b, int fd, short bits, ub_fn *fn,
    void *arg)
{
	struct loop_event	*l = xcalloc(1, sizeof(*l));

	l->super.magic = UB_EVENT_MAGIC;
	l->super.vmt = &event_vmt;
	l->ev = ((struct loop_base *)(void *)b)->ev;
	l->fd = fd;
	l->bits = bits;
	l->fn = fn;
	l->arg = arg;
	return &l->super;
}

static struct ub_event *
no_new_signal(struct ub_event_base *b, int fd, void (*fn)(int, short, void *),
    void *arg)
{
	(void)b;
	(void)fd;
	(void)fn;
	(void)arg;
	return NULL;
}

static struct ub_event_base_vmt base_vmt = {
	.new_event = loop_new_event,
	.new_signal = no_new_signal,
};

struct ub_event_base *
ub_loop_new(struct ev *ev)
{
	struct loop_base	*b = xcalloc(1, sizeof(*b));

	b->super.magic = UB_EVENT_MAGIC;
	b->super.vmt = &base_vmt;
	b->ev = ev;
	return &b->super;
}

void
ub_loop_free(struct ub_event_base *b)
{
	free(b);
}

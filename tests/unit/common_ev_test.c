/*
 * The loop: order of a turn, and that what was freed never calls back.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ev.h"
#include "tests/unit/common_unit.h"

struct t {
	struct ev	*ev;
	struct ev_io	*a, *b;
	struct ev_timer	*timer;
	struct ev_job	*job;
	int		 sv[2], sv2[2];
	int		 calls;
	char		 order[16];
	int		 n;
};

static void
on_stop(void *arg)
{
	struct t	*t = arg;

	ev_stop(t->ev);
}

/* Runs the loop for ms. */
static void
run(struct t *t, uint64_t ms)
{
	struct ev_timer	*end = ev_timer_new(t->ev, on_stop, t);

	ev_timer_set(end, ms);
	ev_run(t->ev);
	ev_timer_free(end);
}

static void
setup(struct t *t)
{
	*t = (struct t){ 0 };
	t->ev = ev_new();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, t->sv), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, t->sv2), 0);
}

static void
teardown(struct t *t)
{
	ev_free(t->ev);
	close(t->sv[1]);
	close(t->sv2[1]);
}

static void
free_both(struct ev_io *io, int fd, int events, void *arg)
{
	struct t	*t = arg;

	(void)io;
	(void)fd;
	ck_assert(events & EV_READ);
	t->calls++;
	ev_io_free(t->a);
	ev_io_free(t->b);
	close(t->sv[0]);
	close(t->sv2[0]);
}

START_TEST(freed_watch_never_calls_back)
{
	struct t	t;

	/* Both are readable in one turn; whichever comes first frees both. */
	setup(&t);
	t.a = ev_io_new(t.ev, t.sv[0], free_both, &t);
	t.b = ev_io_new(t.ev, t.sv2[0], free_both, &t);
	ev_io_set(t.a, EV_READ);
	ev_io_set(t.b, EV_READ);
	ck_assert_int_eq(write(t.sv[1], "x", 1), 1);
	ck_assert_int_eq(write(t.sv2[1], "x", 1), 1);
	run(&t, 20);
	ck_assert_int_eq(t.calls, 1);
	teardown(&t);
}
END_TEST

static void
count(struct ev_io *io, int fd, int events, void *arg)
{
	struct t	*t = arg;
	char		 c;

	(void)io;
	(void)events;
	t->calls++;
	(void)!read(fd, &c, 1);
}

START_TEST(number_of_closed_descriptor_can_be_watched_again)
{
	struct t	t;
	int		sv[2], fd;

	setup(&t);
	t.a = ev_io_new(t.ev, t.sv[0], free_both, &t);
	ev_io_set(t.a, EV_READ);
	run(&t, 1);
	fd = t.sv[0];
	ev_io_free(t.a);
	close(fd);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	ck_assert_int_eq(sv[0], fd);
	t.a = ev_io_new(t.ev, sv[0], count, &t);
	ev_io_set(t.a, EV_READ);
	ck_assert_int_eq(write(sv[1], "x", 1), 1);
	run(&t, 20);
	ck_assert_int_eq(t.calls, 1);
	ev_io_free(t.a);
	close(sv[0]);
	close(sv[1]);
	close(t.sv2[0]);
	teardown(&t);
}
END_TEST

static void
mark_timer(void *arg)
{
	struct t	*t = arg;

	t->order[t->n++] = 't';
	ev_job_set(t->job);
	ev_job_set(t->job);
}

static void
mark_job(void *arg)
{
	struct t	*t = arg;

	t->order[t->n++] = 'j';
}

static void
mark_after(void *arg)
{
	struct t	*t = arg;

	if (t->n > 0 && t->n < 15)
		t->order[t->n++] = 'a';
}

START_TEST(jobs_run_once_between_timers_and_after)
{
	struct t	t;

	setup(&t);
	t.job = ev_job_new(t.ev, mark_job, &t);
	t.timer = ev_timer_new(t.ev, mark_timer, &t);
	ev_after(t.ev, mark_after, &t);
	ev_timer_set(t.timer, 1);
	run(&t, 10);
	ck_assert_str_eq(t.order, "tjaa");	/* and the turn that ended it */
	ev_after(t.ev, NULL, NULL);
	ev_timer_free(t.timer);
	ev_job_free(t.job);
	close(t.sv[0]);
	close(t.sv2[0]);
	teardown(&t);
}
END_TEST

START_TEST(stopped_timer_is_not_pending_and_does_not_fire)
{
	struct t	t;

	setup(&t);
	t.job = ev_job_new(t.ev, mark_job, &t);
	t.timer = ev_timer_new(t.ev, mark_timer, &t);
	ck_assert(!ev_timer_pending(t.timer));
	ev_timer_set(t.timer, 5);
	ck_assert(ev_timer_pending(t.timer));
	ev_timer_stop(t.timer);
	ck_assert(!ev_timer_pending(t.timer));
	run(&t, 15);
	ck_assert_int_eq(t.n, 0);
	ev_timer_free(t.timer);
	ev_job_free(t.job);
	close(t.sv[0]);
	close(t.sv2[0]);
	teardown(&t);
}
END_TEST

static void
on_sig(int signo, void *arg)
{
	struct t	*t = arg;

	ck_assert_int_eq(signo, SIGUSR1);
	t->calls++;
	ev_stop(t->ev);
}

START_TEST(signal_arrives_in_the_loop)
{
	struct ev_signal	*s;
	struct t		 t;

	setup(&t);
	s = ev_signal_new(t.ev, SIGUSR1, on_sig, &t);
	kill(getpid(), SIGUSR1);
	ck_assert_int_eq(t.calls, 0);
	ev_run(t.ev);
	ck_assert_int_eq(t.calls, 1);
	ev_signal_free(s);
	close(t.sv[0]);
	close(t.sv2[0]);
	teardown(&t);
}
END_TEST

UNIT_MAIN("common_ev",
    freed_watch_never_calls_back,
    number_of_closed_descriptor_can_be_watched_again,
    jobs_run_once_between_timers_and_after,
    stopped_timer_is_not_pending_and_does_not_fire,
    signal_arrives_in_the_loop)

/*
 * Connections: bytes that are left over come again, bounds, deadlines, ends.
 */
#include <bsd/string.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/acceptor.h"
#include "common/stream.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

struct t {
	struct ev	*ev;
	struct stream	*s;
	int		 peer;
	size_t		 take;		/* multiples of this are taken */
	char		 got[64];
	size_t		 ngot, most, total;
	int		 calls, connected, drained, closed;
	char		 why[64];
	bool		 free_in_data, pause_in_data;
};

static void
on_connected(struct stream *s, void *arg)
{
	struct t	*t = arg;

	(void)s;
	t->connected++;
}

static size_t
on_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct t	*t = arg;
	size_t		 took = t->take == 0 ? 0 : n / t->take * t->take;

	t->calls++;
	t->most = n > t->most ? n : t->most;
	t->total += took;
	if (took > 0 && t->ngot + took < sizeof(t->got)) {
		memcpy(t->got + t->ngot, p, took);
		t->ngot += took;
	}
	if (t->free_in_data) {
		stream_free(s);
		t->s = NULL;
	}
	if (t->pause_in_data)
		stream_pause(s);
	return took;
}

static void
on_drained(struct stream *s, void *arg)
{
	struct t	*t = arg;

	(void)s;
	t->drained++;
}

static void
on_closed(struct stream *s, const char *why, void *arg)
{
	struct t	*t = arg;

	(void)s;
	t->closed++;
	strlcpy(t->why, why == NULL ? "" : why, sizeof(t->why));
	ev_stop(t->ev);
}

static const struct stream_ops ops = {
	.connected = on_connected, .data = on_data, .drained = on_drained,
	.closed = on_closed
};

static void
setup(struct t *t)
{
	int	sv[2];

	memset(t, 0, sizeof(*t));
	t->ev = ev_new();
	t->take = 1;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	t->peer = sv[1];
	t->s = stream_new(t->ev, sv[0], &ops, t);
}

static void
teardown(struct t *t)
{
	stream_free(t->s);
	close(t->peer);
	ev_free(t->ev);
}

static void
on_end(void *arg)
{
	ev_stop(arg);
}

static void
run(struct t *t, uint64_t ms)
{
	struct ev_timer	*end = ev_timer_new(t->ev, on_end, t->ev);

	ev_timer_set(end, ms);
	ev_run(t->ev);
	ev_timer_free(end);
}

static void
say(struct t *t, const char *text)
{
	ck_assert_int_eq(write(t->peer, text, strlen(text)),
	    (ssize_t)strlen(text));
	run(t, 5);
}

START_TEST(what_is_left_over_comes_again_in_front)
{
	struct t	t;

	setup(&t);
	t.take = 3;
	say(&t, "ab");
	ck_assert_uint_eq(t.ngot, 0);
	say(&t, "cdefg");
	ck_assert_str_eq(t.got, "abcdef");
	say(&t, "hi");
	ck_assert_str_eq(t.got, "abcdefghi");
	ck_assert_int_eq(t.closed, 0);
	teardown(&t);
}
END_TEST

START_TEST(nothing_taken_up_to_the_limit_ends_it)
{
	struct t	t;

	setup(&t);
	t.take = 0;
	stream_limit(t.s, 8);
	say(&t, "1234567");
	ck_assert_int_eq(t.closed, 0);
	say(&t, "89abc");
	ck_assert_int_eq(t.closed, 1);
	ck_assert_str_eq(t.why, "message too long");
	ck_assert_uint_eq(t.most, 8);
	teardown(&t);
}
END_TEST

START_TEST(pause_keeps_bytes_and_resume_brings_them)
{
	struct t	t;

	setup(&t);
	t.take = 3;
	t.pause_in_data = true;
	say(&t, "abcdefgh");
	ck_assert_str_eq(t.got, "abcdef");
	t.take = 1;
	say(&t, "xyz");
	ck_assert_int_eq(t.calls, 1);
	t.pause_in_data = false;
	stream_resume(t.s);
	run(&t, 5);
	ck_assert_str_eq(t.got, "abcdefghxyz");
	teardown(&t);
}
END_TEST

START_TEST(end_of_the_peer_is_clean)
{
	struct t	t;

	setup(&t);
	shutdown(t.peer, SHUT_WR);
	ev_run(t.ev);
	ck_assert_int_eq(t.closed, 1);
	ck_assert_str_eq(t.why, "");
	stream_write(t.s, "x", 1);	/* ignored */
	run(&t, 5);
	ck_assert_int_eq(t.closed, 1);
	teardown(&t);
}
END_TEST

START_TEST(it_may_be_freed_while_it_hands_over_data)
{
	struct t	t;

	setup(&t);
	t.free_in_data = true;
	t.take = 2;
	say(&t, "abc");
	ck_assert_int_eq(t.calls, 1);
	ck_assert_int_eq(t.closed, 0);
	teardown(&t);
}
END_TEST

START_TEST(deadline_passes)
{
	struct t	t;

	setup(&t);
	stream_deadline(t.s, 10);
	ev_run(t.ev);
	ck_assert_str_eq(t.why, "timed out");
	teardown(&t);
}
END_TEST

/* Reads what the peer gets until its end. */
static size_t
read_all(struct t *t, char *last)
{
	char	buf[65536];
	ssize_t	n;
	size_t	total = 0;
	int	i;

	fd_nonblock(t->peer);
	for (i = 0; i < 1000; i++) {
		if ((n = read(t->peer, buf, sizeof(buf))) == 0)
			return total;
		if (n > 0) {
			total += (size_t)n;
			*last = buf[n - 1];
		} else
			run(t, 1);
	}
	ck_abort_msg("no end");
}

START_TEST(finish_sends_everything_first)
{
	struct t	t;
	char		*big = xcalloc(1, 3 << 20), last = 0;

	setup(&t);
	stream_write(t.s, big, 3 << 20);
	stream_write(t.s, "z", 1);
	ck_assert_uint_eq(stream_queued(t.s), (3 << 20) + 1);
	stream_finish(t.s);
	t.s = NULL;
	ck_assert_uint_eq(read_all(&t, &last), (3 << 20) + 1);
	ck_assert_int_eq(last, 'z');
	ck_assert_int_eq(t.closed, 0);
	free(big);
	teardown(&t);
}
END_TEST

START_TEST(shutdown_waits_for_what_is_queued)
{
	struct t	t;
	char		*big = xcalloc(1, 1 << 20), last = 0;

	setup(&t);
	stream_write(t.s, big, 1 << 20);
	stream_shutdown(t.s);
	ck_assert_uint_eq(read_all(&t, &last), 1 << 20);
	ck_assert_int_eq(t.drained, 1);
	say(&t, "still heard");
	ck_assert_str_eq(t.got, "still heard");
	free(big);
	teardown(&t);
}
END_TEST

/* ---- TCP ---- */

struct server { struct ev *ev; int n, last; };

static void
on_accept(int fd, const struct sockaddr_storage *ss, void *arg)
{
	struct server	*s = arg;

	ck_assert_int_eq(ss->ss_family, AF_INET);
	s->n++;
	if (s->last != -1)
		close(s->last);
	s->last = fd;
	(void)!write(fd, "hello", 5);
}

static int
listener(struct sockaddr_storage *ss)
{
	socklen_t	len = sizeof(*ss);
	int		fd;

	ck_assert_int_eq(addr_parse("127.0.0.1", 0, ss), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)ss, addr_len(ss)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)ss, &len), 0);
	return fd;
}

START_TEST(connects_and_is_accepted)
{
	struct sockaddr_storage	 ss;
	struct server		 srv = { .last = -1 };
	struct acceptor		*a;
	struct t		 t;
	int			 fd;

	setup(&t);
	stream_free(t.s);
	fd = listener(&ss);
	a = acceptor_new(t.ev, fd, on_accept, &srv);
	t.s = stream_connect(t.ev, (struct sockaddr *)&ss, addr_len(&ss), NULL,
	    0, 1000, &ops, &t);
	stream_write(t.s, "early", 5);
	run(&t, 30);
	ck_assert_int_eq(srv.n, 1);
	ck_assert_int_eq(t.connected, 1);
	ck_assert_str_eq(t.got, "hello");
	ck_assert_int_eq(t.drained, 1);
	ck_assert_uint_eq(addr_port(stream_peer(t.s)), addr_port(&ss));
	acceptor_free(a);
	close(fd);
	close(srv.last);
	run(&t, 30);
	ck_assert_int_eq(t.closed, 1);
	teardown(&t);
}
END_TEST

START_TEST(refused_connection_is_told_later)
{
	struct sockaddr_storage	ss;
	struct t		t;

	setup(&t);
	stream_free(t.s);
	close(listener(&ss));
	t.s = stream_connect(t.ev, (struct sockaddr *)&ss, addr_len(&ss), NULL,
	    0, 1000, &ops, &t);
	ck_assert_int_eq(t.closed, 0);
	ev_run(t.ev);
	ck_assert_int_eq(t.closed, 1);
	ck_assert_str_eq(t.why, "Connection refused");
	teardown(&t);
}
END_TEST

START_TEST(local_address_that_is_not_ours_is_told_later)
{
	struct sockaddr_storage	ss, local;
	struct t		t;

	setup(&t);
	stream_free(t.s);
	close(listener(&ss));
	ck_assert_int_eq(addr_parse("192.0.2.1", 0, &local), 0);
	t.s = stream_connect(t.ev, (struct sockaddr *)&ss, addr_len(&ss),
	    (struct sockaddr *)&local, addr_len(&local), 1000, &ops, &t);
	ck_assert_int_eq(t.closed, 0);
	ev_run(t.ev);
	ck_assert_str_eq(t.why, "Cannot assign requested address");
	teardown(&t);
}
END_TEST

UNIT_MAIN("common_stream",
    what_is_left_over_comes_again_in_front,
    nothing_taken_up_to_the_limit_ends_it,
    pause_keeps_bytes_and_resume_brings_them,
    end_of_the_peer_is_clean,
    it_may_be_freed_while_it_hands_over_data,
    deadline_passes,
    finish_sends_everything_first,
    shutdown_waits_for_what_is_queued,
    connects_and_is_accepted,
    refused_connection_is_told_later,
    local_address_that_is_not_ours_is_told_later)

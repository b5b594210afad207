/*
 * UDP batches and TCP connections, over loopback and ports of the kernel's
 * choice.  What a query means plays no part: the answer is its echo.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util.h"
#include "dnsd/tcp.h"
#include "dnsd/udp.h"

#define GIVE_UP_MS 5000

static struct ev		*ev;
static struct tcp		*tcp;
static struct tcp		*taker;		/* to which queries are given */
static struct udp		*udp;
static struct sockaddr_in	 addr;
static struct origin		 kept[128];
static size_t			 nkept;
static unsigned			 nqueries;

static int
bound(int type, in_addr_t ip)
{
	socklen_t	len = sizeof(addr);
	int		fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	addr = (struct sockaddr_in){ .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(ip) };
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 16), 0);
	return fd;
}

static int
client(int type)
{
	int	fd = socket(AF_INET, type, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)),
	    0);
	return fd;
}

static void
stop_loop(void *arg)
{
	(void)arg;
	ev_stop(ev);
}

static void
turn(uint64_t ms)
{
	struct ev_timer	*t = ev_timer_new(ev, stop_loop, NULL);

	ev_timer_set(t, ms);
	ev_run(ev);
	ev_timer_free(t);
}

/* Turns the loop until cond() or too late. */
static void
until(bool (*cond)(void *), void *arg)
{
	uint64_t	end = ev_hrtime() + GIVE_UP_MS * NS_PER_MS;

	while (!cond(arg)) {
		ck_assert_msg(ev_hrtime() < end, "not within %d ms",
		    GIVE_UP_MS);
		turn(1);
	}
}

struct wanted { int fd; size_t n; };

static bool
readable(void *arg)
{
	struct wanted	*x = arg;
	uint8_t		 buf[65536];
	ssize_t		 n;

	n = recv(x->fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT);
	return n == 0 || (n > 0 && (size_t)n >= x->n);
}

static void
wait_bytes(int fd, size_t n)
{
	struct wanted	x = { fd, n };

	until(readable, &x);
}

static bool
asked(void *arg)
{
	return nqueries >= *(unsigned *)arg;
}

static void
wait_queries(unsigned n)
{
	until(asked, &n);
}

/* A query that starts with 'L' is answered later. */
static size_t
tcp_echo(const struct origin *o, const uint8_t *q, size_t n, uint8_t *out,
    bool *later, void *arg)
{
	(void)arg;
	nqueries++;
	*later = q[0] == 'L';
	if (*later) {
		kept[nkept++] = *o;
		return 0;
	}
	memcpy(out, q, n);
	return n;
}

static size_t
udp_echo(const struct origin *o, const uint8_t *q, size_t n, uint8_t *out,
    void *arg)
{
	bool	later;

	return tcp_echo(o, q, n, out, &later, arg);
}

static void
setup(void)
{
	nkept = 0;
	nqueries = 0;
	ev = ev_new();
	tcp = tcp_new(ev, tcp_echo, NULL);
	taker = tcp_new(ev, tcp_echo, NULL);
	udp = udp_new(ev, udp_echo, NULL);
}

static void
teardown(void)
{
	tcp_free(tcp);
	tcp_free(taker);
	udp_free(udp);
	ev_free(ev);
}

static void
listen_tcp(void)
{
	tcp_add(tcp, bound(SOCK_STREAM, INADDR_LOOPBACK));
	tcp_start(tcp);
}

static size_t
frame(uint8_t *p, const char *text)
{
	size_t	n = strlen(text);

	dns_put16(p, (uint16_t)n);
	memcpy(p + 2, text, n);
	return n + 2;
}

START_TEST(pipelined_queries_are_answered_as_they_are_ready)
{
	uint8_t	buf[256], got[256];
	size_t	n;
	int	fd;

	listen_tcp();
	fd = client(SOCK_STREAM);
	n = frame(buf, "A-query-of-12");
	n += frame(buf + n, "Later-query-b");
	n += frame(buf + n, "C-query-of-12");
	ck_assert_int_eq(write(fd, buf, n), (ssize_t)n);
	wait_bytes(fd, 30);
	ck_assert_int_eq(read(fd, got, sizeof(got)), 30);
	ck_assert_mem_eq(got + 2, "A-query", 7);
	ck_assert_mem_eq(got + 17, "C-query", 7);
	tcp_reply(tcp, &kept[0], (const uint8_t *)"reply", 5);
	wait_bytes(fd, 7);
	ck_assert_int_eq(read(fd, got, sizeof(got)), 7);
	ck_assert_mem_eq(got, "\0\5reply", 7);
	close(fd);
}
END_TEST

/* A query that starts with 'T' is not ours. */
static bool
is_elsewhere(const uint8_t *q, size_t n, void *arg)
{
	(void)n;
	(void)arg;
	return q[0] == 'T';
}

static unsigned	ngiven;

static void
give(int fd, const uint8_t *p, size_t n, void *arg)
{
	(void)arg;
	ngiven++;
	tcp_take(taker, fd, p, n);
}

static bool
given(void *arg)
{
	(void)arg;
	return ngiven > 0;
}

START_TEST(a_connection_is_given_away_when_nothing_of_it_is_under_way)
{
	uint8_t	buf[256], got[256];
	size_t	n;
	int	fd;

	ngiven = 0;
	listen_tcp();
	tcp_on_give(tcp, is_elsewhere, give);
	fd = client(SOCK_STREAM);
	n = frame(buf, "A-query-of-12");
	n += frame(buf + n, "Later-query-b");
	n += frame(buf + n, "To-the-first-");
	n += frame(buf + n, "D-query-of-12");
	/* the last one is not there yet as a whole */
	ck_assert_int_eq(write(fd, buf, n - 5), (ssize_t)n - 5);
	wait_bytes(fd, 15);
	wait_queries(2);
	ck_assert_uint_eq(ngiven, 0);
	tcp_reply(tcp, &kept[0], (const uint8_t *)"reply", 5);
	until(given, NULL);
	ck_assert_int_eq(write(fd, buf + n - 5, 5), 5);
	wait_bytes(fd, 15 + 7 + 30);
	ck_assert_int_eq(read(fd, got, sizeof(got)), 52);
	ck_assert_mem_eq(got + 2, "A-query-of-12", 13);
	ck_assert_mem_eq(got + 15, "\0\5reply", 7);
	ck_assert_mem_eq(got + 24, "To-the-first-", 13);
	ck_assert_mem_eq(got + 39, "D-query-of-12", 13);
	ck_assert_uint_eq(ngiven, 1);
	close(fd);
}
END_TEST

START_TEST(a_connection_that_its_client_closed_may_be_given_away)
{
	uint8_t	buf[256];
	size_t	n;
	int	fd;

	ngiven = 0;
	listen_tcp();
	tcp_on_give(tcp, is_elsewhere, give);
	fd = client(SOCK_STREAM);
	n = frame(buf, "Later-query-b");
	n += frame(buf + n, "To-the-first-");
	ck_assert_int_eq(write(fd, buf, n), (ssize_t)n);
	wait_queries(1);
	close(fd);
	turn(1);
	tcp_reply(tcp, &kept[0], (const uint8_t *)"reply", 5);
	turn(20);
	/* it answers the next one */
	tcp_on_give(tcp, NULL, NULL);
	fd = client(SOCK_STREAM);
	n = frame(buf, "A-query-of-12");
	ck_assert_int_eq(write(fd, buf, n), (ssize_t)n);
	wait_bytes(fd, n);
	close(fd);
}
END_TEST

START_TEST(a_query_may_come_byte_by_byte)
{
	uint8_t	buf[64], got[64];
	size_t	n, i;
	int	fd;

	listen_tcp();
	fd = client(SOCK_STREAM);
	n = frame(buf, "A-query-of-12");
	for (i = 0; i < n; i++) {
		ck_assert_int_eq(write(fd, buf + i, 1), 1);
		turn(1);
	}
	wait_bytes(fd, n);
	ck_assert_int_eq(read(fd, got, sizeof(got)), (ssize_t)n);
	ck_assert_mem_eq(got, buf, n);
	close(fd);
}
END_TEST

START_TEST(a_length_below_a_header_closes)
{
	uint8_t	got[8];
	int	fd;

	listen_tcp();
	fd = client(SOCK_STREAM);
	ck_assert_int_eq(write(fd, "\0\3abc", 5), 5);
	wait_bytes(fd, 1);
	ck_assert_int_eq(read(fd, got, sizeof(got)), 0);
	close(fd);
}
END_TEST

START_TEST(a_client_with_too_many_open_queries_waits)
{
	uint8_t		buf[32];
	size_t		n = frame(buf, "Later-query-b"), i;
	unsigned	max = TCP_LATER_MAX;
	int		fd;

	listen_tcp();
	fd = client(SOCK_STREAM);
	for (i = 0; i < max + 8; i++)
		ck_assert_int_eq(write(fd, buf, n), (ssize_t)n);
	wait_queries(max);
	turn(20);		/* time to do what it must not */
	ck_assert_uint_eq(nqueries, max);
	for (i = 0; i < 8; i++)
		tcp_reply(tcp, &kept[i], NULL, 0);
	wait_queries(max + 8);
	close(fd);
}
END_TEST

START_TEST(a_reply_to_a_client_that_left_is_dropped)
{
	uint8_t		buf[32];
	size_t		n = frame(buf, "Later-query-b");
	struct origin	first;
	int		fd, other;

	listen_tcp();
	fd = client(SOCK_STREAM);
	ck_assert_int_eq(write(fd, buf, n), (ssize_t)n);
	wait_queries(1);
	first = kept[0];
	close(fd);
	other = client(SOCK_STREAM);
	ck_assert_int_eq(write(other, buf, n), (ssize_t)n);
	wait_queries(2);
	tcp_reply(tcp, &first, (const uint8_t *)"reply", 5);
	tcp_reply(tcp, &kept[1], (const uint8_t *)"right", 5);
	wait_bytes(other, 7);
	ck_assert_int_eq(read(other, buf, sizeof(buf)), 7);
	ck_assert_mem_eq(buf + 2, "right", 5);
	close(other);
}
END_TEST

static int
echoes(int fd)
{
	uint8_t	buf[64];
	size_t	n = frame(buf, "A-query-of-12");

	if (write(fd, buf, n) != (ssize_t)n)
		return 0;
	wait_bytes(fd, n);
	return read(fd, buf, sizeof(buf)) == (ssize_t)n;
}

START_TEST(the_quietest_connection_of_an_address_makes_room)
{
	int	fd[TCP_PER_ADDR_MAX + 1], i, busy;

	listen_tcp();
	busy = client(SOCK_STREAM);
	ck_assert_int_eq(echoes(busy), 1);
	for (i = 0; i < TCP_PER_ADDR_MAX; i++) {
		fd[i] = client(SOCK_STREAM);
		turn(1);
		if (i == TCP_PER_ADDR_MAX / 2)
			ck_assert_int_eq(echoes(busy), 1);
	}
	wait_bytes(fd[0], 1);
	ck_assert_int_eq(recv(fd[0], &i, 1, MSG_DONTWAIT), 0);
	ck_assert_int_eq(echoes(busy), 1);
	for (i = 0; i < TCP_PER_ADDR_MAX; i++)
		close(fd[i]);
	close(busy);
}
END_TEST

START_TEST(a_length_that_no_query_has_closes)
{
	uint8_t	got[8];
	int	fd;

	listen_tcp();
	fd = client(SOCK_STREAM);
	ck_assert_int_eq(write(fd, "\xff\xff", 2), 2);
	wait_bytes(fd, 1);
	ck_assert_int_eq(read(fd, got, sizeof(got)), 0);
	close(fd);
}
END_TEST

/* ---- many messages for one query ---- */

#define STREAM_MESSAGES 400
#define STREAM_BYTES 10000

static unsigned	nsent, nclosed;

static void
send_more(const struct origin *o)
{
	static uint8_t	p[STREAM_BYTES];

	while (nsent < STREAM_MESSAGES) {
		nsent++;
		if (!tcp_send(tcp, o, p, sizeof(p)))
			return;
	}
	tcp_reply(tcp, o, NULL, 0);
}

static void
on_stream(const struct origin *o, bool closed, void *arg)
{
	(void)arg;
	if (closed)
		nclosed++;
	else
		send_more(o);
}

static int
start_stream(void)
{
	uint8_t	buf[32];
	size_t	n = frame(buf, "Later-query-b");
	int	fd, small = 65536;

	nsent = nclosed = 0;
	listen_tcp();
	tcp_on_stream(tcp, on_stream);
	fd = client(SOCK_STREAM);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small,
	    sizeof(small)), 0);
	ck_assert_int_eq(write(fd, buf, n), (ssize_t)n);
	wait_queries(1);
	send_more(&kept[0]);
	return fd;
}

START_TEST(a_stream_waits_for_its_client_and_goes_on)
{
	static uint8_t	buf[65536];
	size_t		want = STREAM_MESSAGES * (STREAM_BYTES + 2), got = 0;
	uint64_t	end = ev_hrtime() + 30000 * NS_PER_MS;
	ssize_t		n;
	int		fd = start_stream();

	ck_assert_uint_lt(nsent, STREAM_MESSAGES);
	while (got < want) {
		ck_assert(ev_hrtime() < end);
		turn(1);
		while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			got += (size_t)n;
	}
	ck_assert_uint_eq(nsent, STREAM_MESSAGES);
	ck_assert_uint_eq(nclosed, 0);
	close(fd);
}
END_TEST

static bool
told_of_the_end(void *arg)
{
	(void)arg;
	return nclosed == 1;
}

START_TEST(a_stream_hears_that_its_client_left)
{
	int	fd = start_stream();

	close(fd);
	until(told_of_the_end, NULL);
	ck_assert(!tcp_send(tcp, &kept[0], (const uint8_t *)"x", 1));
}
END_TEST

START_TEST(udp_answers_from_the_address_that_was_asked)
{
	uint8_t		 buf[64];
	struct sockaddr_in from;
	socklen_t	 len = sizeof(from);
	int		 fd;

	udp_add(udp, bound(SOCK_DGRAM, INADDR_ANY));
	udp_start(udp);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	addr.sin_addr.s_addr = htonl(0x7f000002);	/* 127.0.0.2 */
	ck_assert_int_eq(sendto(fd, "A-query-of-12", 13, 0,
	    (struct sockaddr *)&addr, sizeof(addr)), 13);
	wait_bytes(fd, 13);
	ck_assert_int_eq(recvfrom(fd, buf, sizeof(buf), 0,
	    (struct sockaddr *)&from, &len), 13);
	ck_assert_uint_eq(from.sin_addr.s_addr, addr.sin_addr.s_addr);
	ck_assert_uint_eq(from.sin_port, addr.sin_port);
	/* and so does a late one */
	ck_assert_int_eq(sendto(fd, "Later", 5, 0, (struct sockaddr *)&addr,
	    sizeof(addr)), 5);
	wait_queries(2);
	udp_reply(udp, &kept[0], (const uint8_t *)"reply", 5);
	wait_bytes(fd, 5);
	ck_assert_int_eq(recvfrom(fd, buf, sizeof(buf), 0,
	    (struct sockaddr *)&from, &len), 5);
	ck_assert_uint_eq(from.sin_addr.s_addr, addr.sin_addr.s_addr);
	close(fd);
}
END_TEST

START_TEST(udp_answers_what_another_process_read)
{
	uint8_t	buf[64];
	int	fd;

	udp_add(udp, bound(SOCK_DGRAM, INADDR_ANY));
	udp_start(udp);
	fd = client(SOCK_DGRAM);
	ck_assert_int_eq(send(fd, "Later-query-b", 13, 0), 13);
	wait_queries(1);
	udp_take(udp, &kept[0], (const uint8_t *)"A-query-of-12", 13);
	ck_assert_int_eq(recv(fd, buf, sizeof(buf), 0), 13);
	ck_assert_mem_eq(buf, "A-query-of-12", 13);
	close(fd);
}
END_TEST

START_TEST(udp_answers_more_than_a_batch)
{
	uint8_t	buf[64];
	int	fd, i;

	udp_add(udp, bound(SOCK_DGRAM, INADDR_LOOPBACK));
	udp_start(udp);
	fd = client(SOCK_DGRAM);
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(send(fd, "A-query-of-12", 13, 0), 13);
	wait_queries(100);
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(recv(fd, buf, sizeof(buf), 0), 13);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("dnsd io");
	TCase	*c = tcase_create("tcp"), *u = tcase_create("udp");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, pipelined_queries_are_answered_as_they_are_ready);
	tcase_add_test(c, a_query_may_come_byte_by_byte);
	tcase_add_test(c,
	    a_connection_is_given_away_when_nothing_of_it_is_under_way);
	tcase_add_test(c,
	    a_connection_that_its_client_closed_may_be_given_away);
	tcase_add_test(c, a_length_below_a_header_closes);
	tcase_add_test(c, a_client_with_too_many_open_queries_waits);
	tcase_add_test(c, a_reply_to_a_client_that_left_is_dropped);
	tcase_add_test(c, the_quietest_connection_of_an_address_makes_room);
	tcase_add_test(c, a_length_that_no_query_has_closes);
	tcase_add_test(c, a_stream_waits_for_its_client_and_goes_on);
	tcase_add_test(c, a_stream_hears_that_its_client_left);
	suite_add_tcase(s, c);
	tcase_add_checked_fixture(u, setup, teardown);
	tcase_add_test(u, udp_answers_from_the_address_that_was_asked);
	tcase_add_test(u, udp_answers_what_another_process_read);
	tcase_add_test(u, udp_answers_more_than_a_batch);
	suite_add_tcase(s, u);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

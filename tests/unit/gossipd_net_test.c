/*
 * What strangers do to the sockets of a pool: they ask and do not read, come in
 * numbers, and send what nobody can read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mp.h"
#include "common/util.h"
#include "gossipd/gossipd.h"
#include "tests/unit/common_unit.h"

#define MEMBERS	1500

/* gossipd.c's, which is not linked here. */
void
gossipd_left(struct pool *p)
{
	(void)p;
}

static void
no_send(void *arg, const struct gaddr *to, bool crc, const uint8_t *p,
    size_t n)
{
	(void)arg;
	(void)to;
	(void)crc;
	(void)p;
	(void)n;
}

static const char *
all_in(void *arg, const struct swim_said *a, size_t n, bool join)
{
	(void)arg;
	(void)a;
	(void)n;
	(void)join;
	return NULL;
}

static void
no_member(void *arg, enum serf_event ev, const struct serf_member *m)
{
	(void)arg;
	(void)ev;
	(void)m;
}

static unsigned	events;

static void
count_event(void *arg, const struct sf_event *e)
{
	(void)arg;
	(void)e;
	events++;
}

static const struct serf_ops ops = {
	.send = no_send, .admit = all_in, .member = no_member,
	.event = count_event
};

struct world {
	struct gossipd		 g;
	struct pool		*p;
	struct ev_timer		*limit;
	struct sockaddr_in	 addr;
};

static void
on_limit(void *arg)
{
	ev_stop(((struct world *)arg)->g.ev);
}

static void
spin(struct world *w, uint64_t ms)
{
	ev_timer_set(w->limit, ms);
	ev_run(w->g.ev);
}

static int
bound(struct world *w, int type)
{
	int	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&w->addr,
	    sizeof(w->addr)), 0);
	return fd;
}

/* A table that is a few hundred kilobytes long. */
static void
fill(struct world *w)
{
	struct ml_alive	 a = {
		.addr = span_of("\x0a\0\0\x63", 4), .inc = 1, .port = 8301,
		.vsn = span_of("\1\5\2\2\5\4", 6)
	};
	uint8_t		 meta[256] = { 0xff };
	char		 name[16];
	struct wbuf	 b;
	int		 i;

	wb_init(&b, 0);
	a.meta = span_of(meta, sizeof(meta));
	for (i = 0; i < MEMBERS; i++) {
		(void)snprintf(name, sizeof(name), "m%d", i);
		a.node = span_str(name);
		wb_reset(&b);
		wb_u8(&b, ML_ALIVE);
		body_encode(&ml_alive_body, &a, &b);
		serf_input(w->p->serf, gossipd_now(), &(struct gaddr){ 0 }, b.p,
		    b.len);
	}
	wb_free(&b);
}

static void
world_init(struct world *w)
{
	static const uint8_t	 vsn[VSN_LEN] = { 1, 5, 2, 2, 5, 4 };
	struct gossipd		*g = &w->g;
	struct pool		*p = &g->lan;
	struct gaddr		 self = { .len = 4, .ip = { 10, 0, 0, 1 },
				    .port = 8301 };
	socklen_t		 len = sizeof(w->addr);
	int			 small = 4096;

	log_init("test");
	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->p = p;
	pool_init(g, p, false);
	g->ev = ev_new();
	p->name = xstrdup("n0");
	p->idents = idents_new();
	p->serf = serf_new(&serf_conf_lan, p->idents, &ops, p, 5);
	serf_start(p->serf, gossipd_now(), span_str(p->name), &self,
	    span_of("\xff\x80", 2), vsn);
	layers_init(&p->layers, NULL);
	p->layers.compress = false;
	w->addr.sin_family = AF_INET;
	w->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->tcp_fd = bound(w, SOCK_STREAM);
	(void)setsockopt(p->tcp_fd, SOL_SOCKET, SO_SNDBUF, &small,
	    sizeof(small));
	ck_assert_int_eq(listen(p->tcp_fd, 128), 0);
	ck_assert_int_eq(getsockname(p->tcp_fd, (struct sockaddr *)&w->addr,
	    &len), 0);
	p->udp_fd = bound(w, SOCK_DGRAM);
	w->limit = ev_timer_new(g->ev, on_limit, w);
	udp_start(p);
	net_start(p);
}

static void
world_clear(struct world *w)
{
	struct pool	*p = w->p;

	net_stop(p);
	udp_stop(p);
	serf_free(p->serf);
	idents_free(p->idents);
	layers_clear(&p->layers);
	free(p->name);
	ev_timer_free(w->limit);
	ev_free(w->g.ev);
	close(p->tcp_fd);
	close(p->udp_fd);
}

/* Connects from 127.0.0.1, or another address of this host. */
static int
connected(struct world *w, unsigned from)
{
	struct sockaddr_in	local = { .sin_family = AF_INET };
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
				    0), small = 4096;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	local.sin_addr.s_addr = htonl(INADDR_LOOPBACK + from);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&local, sizeof(local)),
	    0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&w->addr,
	    sizeof(w->addr)), 0);
	return fd;
}

/* Asks for the whole table, after which so many bytes are to follow. */
static int
ask_from(struct world *w, unsigned from, int64_t user_len)
{
	struct ml_header	h = { .user_len = user_len };
	struct wbuf		b;
	int			fd = connected(w, from);

	wb_init(&b, 0);
	wb_u8(&b, ML_PUSHPULL);
	body_encode(&ml_header_body, &h, &b);
	ck_assert_int_eq(send(fd, b.p, b.len, MSG_NOSIGNAL), (ssize_t)b.len);
	wb_free(&b);
	spin(w, 5);
	return fd;
}

static int
ask(struct world *w)
{
	return ask_from(w, 0, 0);
}

static size_t
memory_used(void)
{
	struct mallinfo2	 mi = mallinfo2();

	return mi.uordblks + mi.hblkhd;
}

START_TEST(the_whole_answer_arrives_then_the_end)
{
	size_t			before;
	static struct world	w;
	static uint8_t		buf[65536];
	ssize_t			n;
	size_t			total = 0;
	int			fd, i;

	world_init(&w);
	fill(&w);
	before = memory_used();
	fd = ask(&w);
	for (i = 0; i < 2000; i++) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == 0)
			break;
		if (n > 0)
			total += (size_t)n;
		spin(&w, 1);
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_gt(total, MEMBERS * 256);
	/* And the memory it took is given back. */
	ck_assert_uint_lt(memory_used(), before + (128u << 10));
	close(fd);
	world_clear(&w);
}
END_TEST

START_TEST(who_asks_and_does_not_read_keeps_its_place)
{
	static struct world	w;
	int			fd[40], i, refused = 0;
	uint8_t			c;

	world_init(&w);
	fill(&w);
	for (i = 0; i < 40; i++)
		fd[i] = ask(&w);
	spin(&w, 50);
	for (i = 0; i < 40; i++) {
		refused += recv(fd[i], &c, 1, MSG_DONTWAIT) <= 0;
		close(fd[i]);
	}
	ck_assert_int_eq(refused, 40 - 32);
	/* They went: there is room again. */
	spin(&w, 300);
	fd[0] = ask(&w);
	spin(&w, 200);
	ck_assert_int_eq(recv(fd[0], &c, 1, MSG_DONTWAIT), 1);
	close(fd[0]);
	world_clear(&w);
}
END_TEST

START_TEST(all_together_have_as_many_places_as_with_peers)
{
	static struct world	w;
	int			fd[140], i, refused = 0;
	uint8_t			c;

	world_init(&w);
	fill(&w);
	for (i = 0; i < 140; i++)
		fd[i] = ask_from(&w, (unsigned)i / 30, 0);
	spin(&w, 50);
	for (i = 0; i < 140; i++) {
		refused += recv(fd[i], &c, 1, MSG_DONTWAIT) <= 0;
		close(fd[i]);
	}
	ck_assert_int_eq(refused, 140 - 127);
	world_clear(&w);
}
END_TEST

/* Sends up to n bytes, as the other end takes them; what it took. */
static size_t
push(struct world *w, int fd, size_t n)
{
	static uint8_t	zero[65536];
	ssize_t		k;
	size_t		done = 0;
	int		idle = 0;

	while (done < n && idle < 100) {
		k = send(fd, zero, n - done < sizeof(zero) ? n - done :
		    sizeof(zero), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (k > 0)
			done += (size_t)k;
		else if (errno != EAGAIN)
			break;
		idle = k > 0 ? 0 : idle + 1;
		spin(w, 1);
	}
	return done;
}

START_TEST(one_address_cannot_take_the_memory_of_all)
{
	static struct world	w;
	const size_t		size = 14u << 20;
	int			fd[3];
	size_t			sent[3];
	uint8_t			c;

	world_init(&w);
	fd[0] = ask_from(&w, 0, 15 << 20);
	fd[1] = ask_from(&w, 0, 15 << 20);
	fd[2] = ask_from(&w, 1, 15 << 20);
	sent[0] = push(&w, fd[0], size);
	sent[1] = push(&w, fd[1], size);
	sent[2] = push(&w, fd[2], size);
	/* Two of the same address would be more than its share. */
	ck_assert_uint_eq(sent[0], size);
	ck_assert_uint_lt(sent[1], size);
	ck_assert_uint_eq(sent[2], size);
	ck_assert_int_eq(recv(fd[0], &c, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(recv(fd[2], &c, 1, MSG_DONTWAIT), -1);
	close(fd[0]);
	close(fd[1]);
	close(fd[2]);
	world_clear(&w);
}
END_TEST

static unsigned		 ticks;
static struct ev_timer	*tick;

static void
on_tick(void *arg)
{
	(void)arg;
	ticks++;
	ev_timer_set(tick, 10);
}

static void
flood(const struct world *w)
{
	struct sockaddr_in	to = w->addr;
	socklen_t		len = sizeof(to);
	uint8_t			junk[1400];
	int			fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC,
				    0);

	memset(junk, ML_CRC, sizeof(junk));	/* a wrong one */
	(void)getsockname(w->p->udp_fd, (struct sockaddr *)&to, &len);
	for (;;)
		(void)sendto(fd, junk, sizeof(junk), 0,
		    (struct sockaddr *)&to, len);
}

START_TEST(a_flood_of_garbage_does_not_stop_the_clock)
{
	static struct world	w;
	pid_t			pid;

	world_init(&w);
	if ((pid = fork()) == 0)
		flood(&w);
	tick = ev_timer_new(w.g.ev, on_tick, NULL);
	ev_timer_set(tick, 10);
	spin(&w, 1000);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	/* 100 if nobody else were on this machine. */
	ck_assert_uint_gt(ticks, 20);
	ck_assert_uint_gt(w.p->bad_packets, 1000);
	ev_timer_free(tick);
	world_clear(&w);
}
END_TEST

/* A socket that takes connections, and where. */
static int
listening(struct sockaddr_storage *ss)
{
	struct sockaddr_in	a = { .sin_family = AF_INET };
	socklen_t		len = sizeof(a);
	int			l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
				    0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(l, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&a, &len), 0);
	memset(ss, 0, sizeof(*ss));
	memcpy(ss, &a, sizeof(a));
	return l;
}

/* The state of one that knows no member and one event, of the time 5. */
static void
write_event_state(struct wbuf *w)
{
	struct ml_header	h = { .join = true };
	struct sf_pushpull	pp = { .event_ltime = 6 };
	struct sf_slot		slot = { .ltime = 5 };
	struct sf_past		past = { .name = span_str("e") };
	struct wbuf		list, slots, user;

	wb_init(&list, 0);
	wb_init(&slots, 0);
	wb_init(&user, 0);
	mp_array(&list, 1);
	body_encode(&sf_past_body, &past, &list);
	slot.events = span_of(list.p, list.len);
	mp_array(&slots, 1);
	body_encode(&sf_slot_body, &slot, &slots);
	pp.events = span_of(slots.p, slots.len);
	wb_u8(&user, SF_PUSHPULL);
	body_encode(&sf_pushpull_body, &pp, &user);
	h.user_len = user.len;
	wb_u8(w, ML_PUSHPULL);
	body_encode(&ml_header_body, &h, w);
	wb_bytes(w, user.p, user.len);
	wb_free(&list);
	wb_free(&slots);
	wb_free(&user);
}

static void
exchange(struct world *w, enum net_exchange what)
{
	struct sockaddr_storage	ss;
	struct wbuf		answer;
	int			l = listening(&ss), fd;

	wb_init(&answer, 0);
	write_event_state(&answer);
	net_exchange(w->p, &ss, what, NULL, NULL);
	spin(w, 50);
	fd = accept(l, NULL, NULL);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(send(fd, answer.p, answer.len, MSG_NOSIGNAL),
	    (ssize_t)answer.len);
	spin(w, 50);
	close(fd);
	close(l);
	wb_free(&answer);
}

START_TEST(events_of_a_partition_come_with_the_reconnection)
{
	static struct world	w;

	world_init(&w);
	exchange(&w, NET_LOOK);
	ck_assert_uint_eq(events, 0);
	exchange(&w, NET_RECONNECT);
	ck_assert_uint_eq(events, 1);
	world_clear(&w);
	/* But what happened before we came is not for us. */
	events = 0;
	world_init(&w);
	exchange(&w, NET_JOIN);
	exchange(&w, NET_SYNC);
	ck_assert_uint_eq(events, 0);
	world_clear(&w);
}
END_TEST

/* A process that was stopped, say: its kernel takes connections. */
START_TEST(a_peer_that_never_answers_is_given_up_in_time)
{
	static struct world	w;
	struct sockaddr_storage	ss;
	struct gaddr		at;
	struct ident		*id;
	static uint8_t		buf[4096];
	ssize_t			n;
	int			l = listening(&ss), fd;

	world_init(&w);
	at = gaddr_from_sockaddr(&ss);
	id = ident_get(w.p->idents, span_str("silent"), &at, span_of(NULL, 0),
	    (const uint8_t[VSN_LEN]){ 1, 5, 2, 2, 5, 4 });
	net_tcp_ping(w.p, id, 1, gossipd_now() + 200 * NS_PER_MS);
	ident_unref(w.p->idents, id);
	spin(&w, 100);
	fd = accept(l, NULL, NULL);
	ck_assert_int_gt(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 0);
	spin(&w, 300);
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	ck_assert_int_eq(n, 0);
	close(fd);
	close(l);
	world_clear(&w);
}
END_TEST

UNIT_MAIN("gossipd_net",
    the_whole_answer_arrives_then_the_end,
    who_asks_and_does_not_read_keeps_its_place,
    all_together_have_as_many_places_as_with_peers,
    one_address_cannot_take_the_memory_of_all,
    a_flood_of_garbage_does_not_stop_the_clock,
    events_of_a_partition_come_with_the_reconnection,
    a_peer_that_never_answers_is_given_up_in_time)

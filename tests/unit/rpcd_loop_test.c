/*
 * rpcd's two halves against each other over loopback: calls leave by forward
 * and pool, come in by serve, and a stand-in for catalogd answers.
 */
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "rpcd/forward.h"
#include "rpcd/mux.h"
#include "rpcd/rpc_stream.h"
#include "rpcd/serve.h"
#include "tests/unit/common_unit.h"

#define ANSWERS_MAX 700

struct answer {
	bool		 there;
	enum call_status status;
	char		*error;
	uint8_t		*body;
	size_t		 len;
};

struct world {
	struct ev	*ev;
	struct ipc	*rpcd_end, *catalogd_end;
	struct calls	*calls;
	struct rpc_tls	 tls;		/* none */
	struct serve	*serve;
	struct servers	*servers;
	struct pool	*pool;
	struct forward	*forward;
	struct answer	 answers[ANSWERS_MAX];
	size_t		 nanswers, want;
	size_t		 ncancelled, nasked;
	struct sockaddr_in addr;
	struct ev_timer	*limit;
	bool		 consul;	/* servers are Consul's */
	unsigned	 flags;		/* of the last call that arrived */
};

/* ---- the stand-in ---- */

static void
catalogd_call(struct world *w, struct ipc *ipc, const struct imsg *m)
{
	struct msg_call	 c;
	const uint8_t	*body;
	size_t		 len;

	ck_assert_int_eq(call_read(m, &c, &body, &len), 0);
	ck_assert_uint_eq(c.target, CALL_HERE);
	w->flags = (unsigned)c.flags;
	w->nasked++;
	if (strcmp(c.method, "Test.Echo") == 0)
		call_answer(ipc, m->id, body, len);
	else if (strcmp(c.method, "Test.Silent") == 0)
		;
	else if (strcmp(c.method, "Test.Fail") == 0)
		call_error(ipc, m->id, "it failed");
	else
		call_error(ipc, m->id, "rpc: can't find method %s", c.method);
	schema_clear(&msg_call_schema, &c);
}

static void
on_catalogd(struct ipc *ipc, const struct imsg *m, void *arg)
{
	struct world	*w = arg;

	if (m == NULL)
		return;
	if (m->type == IMSG_CALL)
		catalogd_call(w, ipc, m);
	else if (m->type == IMSG_CANCEL) {
		w->ncancelled++;
		ev_stop(w->ev);
	}
}

static void
on_rpcd(struct ipc *ipc, const struct imsg *m, void *arg)
{
	struct world	*w = arg;

	(void)ipc;
	if (m != NULL && m->type == IMSG_ANSWER)
		(void)calls_answer(w->calls, m);
}

/* ---- the world ---- */

static void
on_answer(uint32_t id, enum call_status status, const char *error,
    const uint8_t *body, size_t len, void *arg)
{
	struct world	*w = arg;
	struct answer	*a = &w->answers[id];

	ck_assert(!a->there);
	a->there = true;
	a->status = status;
	a->error = xstrdup(error);
	a->body = xmalloc(len + 1);
	if (len > 0)
		memcpy(a->body, body, len);
	a->len = len;
	if (++w->nanswers == w->want)
		ev_stop(w->ev);
}

static void
on_limit(void *arg)
{
	struct world	*w = arg;

	ev_stop(w->ev);
}

/* dc NULL: ours. */
static void
know_server_of(struct world *w, const char *dc, const char *name,
    uint16_t port)
{
	struct member	 m;
	char		 text[16];

	memset(&m, 0, sizeof(m));
	str_set(&m.name, name);
	str_set(&m.addr, "127.0.0.1");
	m.status = MEMBER_ALIVE;
	(void)snprintf(text, sizeof(text), "%u", port);
	strmap_put(&m.tags, "role", "consul");
	strmap_put(&m.tags, "dc", str_or(dc, "dc1"));
	m.wan = dc != NULL;
	strmap_put(&m.tags, "port", text);
	strmap_put(&m.tags, "vsn", "2");
	strmap_put(&m.tags, "build", "1.8.7:x");
	if (!w->consul)
		strmap_put(&m.tags, "disco", "0.1.0");
	servers_member(w->servers, &m);
	schema_clear(&member_schema, &m);
}

static void
know_server(struct world *w, const char *name, uint16_t port)
{
	know_server_of(w, NULL, name, port);
}

static uint16_t
listen_any(struct world *w, int *fd)
{
	socklen_t	 len = sizeof(w->addr);

	memset(&w->addr, 0, sizeof(w->addr));
	w->addr.sin_family = AF_INET;
	w->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(*fd, (struct sockaddr *)&w->addr, len), 0);
	ck_assert_int_eq(listen(*fd, 128), 0);
	ck_assert_int_eq(getsockname(*fd, (struct sockaddr *)&w->addr, &len),
	    0);
	return ntohs(w->addr.sin_port);
}

static void
world_init(struct world *w)
{
	int		 sv[2], fd;
	uint16_t	 port;

	log_init("test");
	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, sv), 0);
	w->rpcd_end = ipc_new(w->ev, sv[0], PROC_RPCD, PROC_CATALOGD, on_rpcd,
	    w);
	w->catalogd_end = ipc_new(w->ev, sv[1], PROC_CATALOGD, PROC_RPCD,
	    on_catalogd, w);
	w->calls = calls_new(w->ev);
	calls_link(w->calls, w->rpcd_end);
	w->serve = serve_new(w->ev, w->calls, &w->tls);
	serve_catalog_up(w->serve, true);
	port = listen_any(w, &fd);
	serve_listen(w->serve, fd);
	w->servers = servers_new("dc1");
	know_server(w, "s1", port);
	w->pool = pool_new(w->ev, NULL, &w->tls);
	w->forward = forward_new(w->ev, w->pool, w->servers, on_answer, w);
	w->limit = ev_timer_new(w->ev, on_limit, w);
}

static void
world_clear(struct world *w)
{
	size_t	 i;

	forward_free(w->forward);
	pool_free(w->pool);
	servers_free(w->servers);
	serve_free(w->serve);
	calls_free(w->calls);
	ipc_free(w->rpcd_end);
	ipc_free(w->catalogd_end);
	ev_timer_free(w->limit);
	ev_free(w->ev);
	for (i = 0; i < ANSWERS_MAX; i++) {
		free(w->answers[i].error);
		free(w->answers[i].body);
	}
}

static void
run(struct world *w, size_t want)
{
	w->want = want;
	ev_timer_set(w->limit, 8000);
	ev_run(w->ev);
	ck_assert_uint_eq(w->nanswers, want);
}

static void
call(struct world *w, uint32_t id, const char *method, enum call_target t,
    unsigned flags, const void *body, size_t len)
{
	struct msg_call	 m;
	char		 name[64], server[] = "s1", dc[] = "dc2";

	memset(&m, 0, sizeof(m));
	(void)snprintf(name, sizeof(name), "%s", method);
	m.method = name;
	m.target = t;
	m.flags = flags;
	m.server = server;
	m.datacenter = dc;
	forward_call(w->forward, id, &m, body, len);
}

/* A connection of the test's own. */
static int
connect_raw(struct world *w)
{
	int	 fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&w->addr,
	    sizeof(w->addr)), 0);
	return fd;
}

static void
spin(struct world *w, uint64_t ms)
{
	ev_timer_set(w->limit, ms);
	ev_run(w->ev);
}

/* ---- */

START_TEST(echo_comes_back)
{
	struct world	*w = xcalloc(1, sizeof(*w));

	world_init(w);
	call(w, 1, "Test.Echo", CALL_ANY_SERVER, 0, "\x93\1\2\3", 4);
	call(w, 2, "Test.Echo", CALL_SERVER, 0, "\xa2hi", 3);
	run(w, 2);
	ck_assert_int_eq(w->answers[1].status, CALL_OK);
	ck_assert_uint_eq(w->answers[1].len, 4);
	ck_assert_mem_eq(w->answers[1].body, "\x93\1\2\3", 4);
	ck_assert_mem_eq(w->answers[2].body, "\xa2hi", 3);
	ck_assert_uint_eq(pool_nconns(w->pool), 1);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(five_megabytes_cross_the_window_both_ways)
{
	struct world	*w = xcalloc(1, sizeof(*w));
	size_t		 i, n = 5u << 20;
	uint8_t		*big = xmalloc(n + 5);

	world_init(w);
	big[0] = 0xdb;
	big[1] = 0;
	big[2] = 0x50;
	big[3] = big[4] = 0;
	for (i = 0; i < n; i++)
		big[5 + i] = (uint8_t)(i * 31 + i / 257);
	call(w, 1, "Test.Echo", CALL_ANY_SERVER, 0, big, n + 5);
	run(w, 1);
	ck_assert_uint_eq(w->answers[1].len, n + 5);
	ck_assert_mem_eq(w->answers[1].body, big, n + 5);
	free(big);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(more_calls_at_once_than_the_backlog)
{
	struct world	*w = xcalloc(1, sizeof(*w));
	uint32_t	 i;

	world_init(w);
	for (i = 0; i < ANSWERS_MAX; i++)
		call(w, i, "Test.Echo", CALL_ANY_SERVER, 0, "\x2a", 1);
	run(w, ANSWERS_MAX);
	for (i = 0; i < ANSWERS_MAX; i++)
		ck_assert_int_eq(w->answers[i].status, CALL_OK);
	ck_assert_uint_eq(pool_nconns(w->pool), 1);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(errors_get_this_hops_prefix)
{
	struct world	*w = xcalloc(1, sizeof(*w));

	world_init(w);
	call(w, 1, "Test.Fail", CALL_ANY_SERVER, 0, "\x80", 1);
	call(w, 2, "Test.Unknown", CALL_ANY_SERVER, 0, "\x80", 1);
	call(w, 3, "Agent.Services", CALL_ANY_SERVER, 0, "\x80", 1);
	run(w, 3);
	ck_assert_str_eq(w->answers[1].error,
	    "rpc error making call: it failed");
	ck_assert_str_eq(w->answers[2].error,
	    "rpc error making call: rpc: can't find method Test.Unknown");
	ck_assert_str_eq(w->answers[3].error,
	    "rpc error making call: rpc: can't find service Agent.Services");
	ck_assert_uint_eq(w->nasked, 2);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(no_server_and_no_connection_have_their_words)
{
	struct world	*w = xcalloc(1, sizeof(*w));
	uint16_t	 port;
	char		 want[160];
	int		 fd;

	world_init(w);
	servers_begin(w->servers);
	servers_end(w->servers);
	call(w, 1, "Test.Echo", CALL_ANY_SERVER, 0, "\x80", 1);
	ck_assert_str_eq(w->answers[1].error, "No known Consul servers");
	port = listen_any(w, &fd);
	close(fd);
	know_server(w, "dead", port);
	call(w, 2, "Test.Echo", CALL_LEADER, CALL_WRITE, "\x80", 1);
	run(w, 2);
	(void)snprintf(want, sizeof(want), "rpc error getting client: failed "
	    "to get conn: dial tcp <nil>->127.0.0.1:%u: connect: connection "
	    "refused", port);
	ck_assert_str_eq(w->answers[2].error, want);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(another_server_is_asked_when_one_cannot_be_dialled)
{
	struct world	*w = xcalloc(1, sizeof(*w));
	struct world	 other;
	uint16_t	 port, good;
	int		 fd;

	world_init(w);
	good = ntohs(w->addr.sin_port);
	port = listen_any(&other, &fd);
	close(fd);
	servers_begin(w->servers);
	servers_end(w->servers);
	know_server(w, "dead", port);
	know_server(w, "good", good);
	call(w, 1, "Test.Echo", CALL_ANY_SERVER, CALL_WRITE, "\x80", 1);
	run(w, 1);
	ck_assert_int_eq(w->answers[1].status, CALL_OK);
	ck_assert_str_eq(servers_first(w->servers)->name, "good");
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(call_for_a_datacenter_goes_to_a_server_of_it)
{
	struct world	*w = xcalloc(1, sizeof(*w));
	struct world	 other;
	uint16_t	 dead, good;
	int		 fd;

	world_init(w);
	good = ntohs(w->addr.sin_port);
	call(w, 1, "Test.Echo", CALL_DC, 0, "\x80", 1);
	ck_assert_str_eq(w->answers[1].error, "No path to datacenter");
	dead = listen_any(&other, &fd);
	close(fd);
	/* Nothing was sent, so that even a write is tried elsewhere. */
	know_server_of(w, "dc2", "dead.dc2", dead);
	know_server_of(w, "dc2", "good.dc2", good);
	call(w, 2, "Test.Echo", CALL_DC, CALL_WRITE, "\x2a", 1);
	call(w, 3, "Test.Fail", CALL_DC, 0, "\x80", 1);
	run(w, 3);
	ck_assert_int_eq(w->answers[2].status, CALL_OK);
	ck_assert_mem_eq(w->answers[2].body, "\x2a", 1);
	ck_assert_str_eq(w->answers[3].error,
	    "rpc error making call: it failed");
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(whence_a_call_comes_is_said_to_disco_alone)
{
	struct world	*w = xcalloc(1, sizeof(*w));

	world_init(w);
	call(w, 1, "Test.Echo", CALL_SERVER, CALL_WRITE | CALL_VIA_SERVER,
	    "\x80", 1);
	run(w, 1);
	ck_assert_uint_eq(w->flags, CALL_VIA_SERVER);
	call(w, 2, "Test.Echo", CALL_SERVER, 0, "\x80", 1);
	run(w, 2);
	ck_assert_uint_eq(w->flags, 0);
	w->consul = true;
	know_server(w, "s1", ntohs(w->addr.sin_port));
	call(w, 3, "Test.Echo", CALL_SERVER, CALL_VIA_DC, "\x80", 1);
	run(w, 3);
	ck_assert_uint_eq(w->flags, 0);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(client_has_no_more_calls_than_it_leaves_to_others)
{
	struct world		*w = xcalloc(1, sizeof(*w));
	struct serve_limits	 l = { .calls = 8 };
	uint32_t		 i;

	world_init(w);
	serve_set_limits(w->serve, &l);
	for (i = 1; i <= 5; i++)
		call(w, i, "Test.Silent", CALL_ANY_SERVER, 0, "\x80", 1);
	run(w, 1);
	ck_assert_str_eq(w->answers[5].error,
	    "rpc error making call: RPC rate limit exceeded");
	ck_assert_uint_eq(w->nasked, 4);
	/* What is cancelled makes room. */
	forward_cancel(w->forward, 2);
	run(w, 1);
	ck_assert_uint_eq(w->ncancelled, 1);
	call(w, 6, "Test.Echo", CALL_ANY_SERVER, 0, "\x80", 1);
	run(w, 2);
	ck_assert_int_eq(w->answers[6].status, CALL_OK);
	world_clear(w);
	free(w);
}
END_TEST

/* Consul carries it out all the same, and calls a reset an error. */
START_TEST(cancel_does_not_reset_a_stream_of_consuls)
{
	struct world	*w = xcalloc(1, sizeof(*w));

	world_init(w);
	w->consul = true;
	know_server(w, "s1", ntohs(w->addr.sin_port));
	call(w, 1, "Test.Silent", CALL_ANY_SERVER, 0, "\x80", 1);
	call(w, 2, "Test.Echo", CALL_ANY_SERVER, 0, "\x80", 1);
	run(w, 1);
	forward_cancel(w->forward, 1);
	call(w, 3, "Test.Echo", CALL_ANY_SERVER, 0, "\x80", 1);
	run(w, 2);
	ck_assert(w->answers[3].there);
	ck_assert(!w->answers[1].there);
	ck_assert_uint_eq(w->ncancelled, 0);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(cancel_reaches_the_other_catalogd)
{
	struct world	*w = xcalloc(1, sizeof(*w));

	world_init(w);
	call(w, 1, "Test.Silent", CALL_ANY_SERVER, 0, "\x80", 1);
	call(w, 2, "Test.Echo", CALL_ANY_SERVER, 0, "\x80", 1);
	run(w, 1);
	ck_assert(w->answers[2].there);
	forward_cancel(w->forward, 1);
	run(w, 1);
	ck_assert_uint_eq(w->ncancelled, 1);
	ck_assert(!w->answers[1].there);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(deadline_answers_for_the_server)
{
	struct world	*w = xcalloc(1, sizeof(*w));
	struct msg_call	 m;
	char		 method[] = "Test.Silent";

	world_init(w);
	memset(&m, 0, sizeof(m));
	m.method = method;
	m.target = CALL_ANY_SERVER;
	m.timeout_ms = 50;
	forward_call(w->forward, 1, &m, (const uint8_t *)"\x80", 1);
	run(w, 1);
	ck_assert_int_eq(w->answers[1].status, CALL_TIMEOUT);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(catalogd_away_is_no_leader_after_a_while)
{
	struct world	*w = xcalloc(1, sizeof(*w));
	uint64_t	 began;

	world_init(w);
	forward_set_hold(w->forward, 1);
	calls_link(w->calls, NULL);
	serve_catalog_up(w->serve, false);
	began = ev_hrtime();
	call(w, 1, "Test.Echo", CALL_ANY_SERVER, CALL_WRITE, "\x80", 1);
	run(w, 1);
	ck_assert_str_eq(w->answers[1].error,
	    "rpc error making call: No cluster leader");
	ck_assert_uint_ge((ev_hrtime() - began) / 1000000, 1900);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(requests_held_meanwhile_are_served)
{
	struct world	*w = xcalloc(1, sizeof(*w));

	world_init(w);
	calls_link(w->calls, NULL);
	serve_catalog_up(w->serve, false);
	call(w, 1, "Test.Echo", CALL_ANY_SERVER, CALL_WRITE, "\x05", 1);
	spin(w, 200);
	ck_assert_uint_eq(w->nanswers, 0);
	calls_link(w->calls, w->rpcd_end);
	serve_catalog_up(w->serve, true);
	run(w, 1);
	ck_assert_int_eq(w->answers[1].status, CALL_OK);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(lost_write_is_not_repeated)
{
	struct world	*w = xcalloc(1, sizeof(*w));

	world_init(w);
	call(w, 1, "Test.Silent", CALL_ANY_SERVER, CALL_WRITE, "\x05", 1);
	spin(w, 200);
	ck_assert_uint_eq(w->nasked, 1);
	calls_link(w->calls, NULL);
	calls_link(w->calls, w->rpcd_end);
	run(w, 1);
	ck_assert_str_eq(w->answers[1].error, "rpc error making call: EOF");
	ck_assert_uint_eq(w->nasked, 1);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(lost_read_is_repeated)
{
	struct world	*w = xcalloc(1, sizeof(*w));

	world_init(w);
	call(w, 1, "Test.Silent", CALL_ANY_SERVER, 0, "\x05", 1);
	spin(w, 200);
	ck_assert_uint_eq(w->nasked, 1);
	calls_link(w->calls, NULL);
	calls_link(w->calls, w->rpcd_end);
	spin(w, 700);
	ck_assert_uint_eq(w->nasked, 2);
	ck_assert_uint_eq(w->nanswers, 0);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(plain_connection_serves_in_order)
{
	struct world	*w = xcalloc(1, sizeof(*w));
	struct wbuf	 b;
	struct rpc_reader r;
	struct rpc_header h;
	uint8_t		 buf[4096];
	ssize_t		 n;
	size_t		 used, at = 0, i;
	int		 fd;

	world_init(w);
	fd = connect_raw(w);
	wb_init(&b, 0);
	wb_u8(&b, 0);
	for (i = 1; i <= 3; i++) {
		rpc_put_request(&b, i, "Test.Echo", 0);
		wb_u8(&b, (uint8_t)i);
	}
	ck_assert_int_eq(write(fd, b.p, b.len), (ssize_t)b.len);
	spin(w, 200);
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	ck_assert_int_gt(n, 0);
	rpc_reader_init(&r);
	for (i = 1; i <= 3; i++) {
		ck_assert_int_eq(rpc_reader_feed(&r, buf + at, (size_t)n - at,
		    &used), RPC_MESSAGE);
		ck_assert_int_eq(rpc_reader_header(&r, &h), 0);
		ck_assert_uint_eq(h.seq, i);
		ck_assert_uint_eq(buf[at + used - 1], i);
		at += used;
		rpc_header_clear(&h);
		rpc_reader_clear(&r);
	}
	ck_assert_uint_eq(at, (size_t)n);
	wb_free(&b);
	close(fd);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(other_types_and_silence_are_closed)
{
	struct world		*w = xcalloc(1, sizeof(*w));
	struct serve_limits	 l = { .handshake_ms = 100, .conns_per_ip = 2 };
	static const uint8_t	 types[] = { 1, 2, 3, 5, 6, 7, 0x16, 0xff };
	uint8_t			 c;
	size_t			 i;
	int			 fd, a, b;

	world_init(w);
	serve_set_limits(w->serve, &l);
	for (i = 0; i < NELEM(types); i++) {
		fd = connect_raw(w);
		ck_assert_int_eq(write(fd, &types[i], 1), 1);
		spin(w, 20);
		ck_assert_int_eq(recv(fd, &c, 1, MSG_DONTWAIT), 0);
		close(fd);
	}
	spin(w, 20);
	ck_assert_uint_eq(serve_nconns(w->serve), 0);
	a = connect_raw(w);
	b = connect_raw(w);
	fd = connect_raw(w);
	spin(w, 40);
	ck_assert_int_eq(recv(fd, &c, 1, MSG_DONTWAIT), 0);
	ck_assert_uint_eq(serve_nconns(w->serve), 2);
	spin(w, 150);
	ck_assert_uint_eq(serve_nconns(w->serve), 0);
	close(a);
	close(b);
	close(fd);
	world_clear(w);
	free(w);
}
END_TEST

START_TEST(client_that_goes_away_cancels_its_calls)
{
	struct world	*w = xcalloc(1, sizeof(*w));

	world_init(w);
	call(w, 1, "Test.Silent", CALL_ANY_SERVER, 0, "\x80", 1);
	spin(w, 100);
	ck_assert_uint_eq(w->nasked, 1);
	forward_free(w->forward);
	pool_free(w->pool);
	w->forward = NULL;
	w->pool = NULL;
	spin(w, 2000);
	ck_assert_uint_eq(w->ncancelled, 1);
	ck_assert_uint_eq(serve_nconns(w->serve), 0);
	world_clear(w);
	free(w);
}
END_TEST

/* ---- a client that always has requests ahead ---- */

#define PIPE_BODY	20000
#define PIPE_CALLS	1500
#define PIPE_AHEAD	10

struct piper {
	struct world		*w;
	struct mux		*mux;
	struct yamux_stream	*ys;
	struct rpc_reader	 reader;
	size_t			 sent, got, most;
};

static size_t
memory_used(void)
{
	struct mallinfo2	 mi = mallinfo2();

	return mi.uordblks + mi.hblkhd;
}

static void
piper_send(struct piper *x)
{
	static uint8_t	 body[PIPE_BODY];
	struct wbuf	 b;

	if (x->sent == PIPE_CALLS)
		return;
	x->sent++;
	wb_init(&b, 0);
	rpc_put_request(&b, x->sent, "Test.Echo", 0);
	mp_raw(&b, body, sizeof(body));
	yamux_send(x->ys, b.p, b.len);
	wb_free(&b);
}

static void
piper_data(struct yamux_stream *ys, const uint8_t *p, size_t n, void *arg)
{
	struct piper	*x = arg;
	size_t		 used;

	yamux_consumed(ys, n);
	for (; n > 0; p += used, n -= used) {
		if (rpc_reader_feed(&x->reader, p, n, &used) != RPC_MESSAGE)
			continue;
		rpc_reader_clear(&x->reader);
		piper_send(x);
		if (memory_used() > x->most)
			x->most = memory_used();
		if (++x->got == PIPE_CALLS)
			ev_stop(x->w->ev);
	}
}

static void
piper_end(struct yamux_stream *ys, void *arg)
{
	(void)arg;
	ck_abort_msg("stream %u ended", yamux_id(ys));
}

static void
piper_dead(const char *why, void *arg)
{
	(void)arg;
	ck_abort_msg("session ended: %s", why);
}

static const struct mux_ops piper_mux_ops = {
	.data = piper_data, .fin = piper_end, .reset = piper_end,
	.dead = piper_dead
};

static void
piper_connected(struct stream *s, void *arg)
{
	struct piper	*x = arg;

	stream_write(s, "\4", 1);
	x->mux = mux_new(x->w->ev, s, true, &piper_mux_ops, x);
	x->ys = yamux_open(mux_yamux(x->mux), x);
	while (x->sent < PIPE_AHEAD)
		piper_send(x);
	mux_flush(x->mux);
}

static size_t
piper_bytes(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	(void)s;
	return mux_data(((struct piper *)arg)->mux, p, n);
}

static void
piper_closed(struct stream *s, const char *why, void *arg)
{
	(void)s;
	(void)arg;
	ck_abort_msg("closed: %s", str_or(why, "EOF"));
}

static const struct stream_ops piper_ops = {
	.connected = piper_connected, .data = piper_bytes,
	.closed = piper_closed
};

START_TEST(requests_ahead_do_not_pile_up)
{
	struct world	*w = xcalloc(1, sizeof(*w));
	struct piper	 x = { .w = w };
	struct stream	*s;
	size_t		 before;

	world_init(w);
	rpc_reader_init(&x.reader);
	before = memory_used();
	s = stream_connect(w->ev, (struct sockaddr *)&w->addr,
	    sizeof(w->addr), NULL, 0, 1000, &piper_ops, &x);
	spin(w, 15000);
	ck_assert_uint_eq(x.got, PIPE_CALLS);
	/* 30 MB went through; some windows' worth may be there. */
	ck_assert_uint_lt(x.most, before + (4u << 20));
	mux_free(x.mux);
	stream_free(s);
	rpc_reader_clear(&x.reader);
	world_clear(w);
	free(w);
}
END_TEST

/* Half a request: the rest never comes. */
static void
write_half(struct world *w, int fd)
{
	static uint8_t	 body[600 << 10];
	struct wbuf	 b;
	size_t		 at = 0;
	ssize_t		 n;

	wb_init(&b, 0);
	wb_u8(&b, 0);
	rpc_put_request(&b, 1, "Test.Echo", 0);
	mp_raw(&b, body, sizeof(body));
	for (; at < b.len - 1; spin(w, 5))
		if ((n = send(fd, b.p + at, b.len - 1 - at, MSG_DONTWAIT)) > 0)
			at += (size_t)n;
	wb_free(&b);
}

START_TEST(the_one_that_fills_the_memory_is_closed_and_no_other)
{
	struct world		*w = xcalloc(1, sizeof(*w));
	struct serve_limits	 l = { .memory = 640u << 10 };
	static uint8_t		 body[100 << 10] = { 0xdb, 0, 1, 0x8f, 0xfb };
	uint8_t			 c;
	int			 small, hog;

	world_init(w);
	serve_set_limits(w->serve, &l);
	small = connect_raw(w);
	ck_assert_int_eq(write(small, "\0", 1), 1);
	hog = connect_raw(w);
	write_half(w, hog);
	spin(w, 200);
	call(w, 2, "Test.Echo", CALL_ANY_SERVER, CALL_WRITE, body,
	    sizeof(body));
	run(w, 1);
	ck_assert_int_eq(w->answers[2].status, CALL_OK);
	ck_assert_int_eq(recv(small, &c, 1, MSG_DONTWAIT), -1);
	spin(w, 50);
	ck_assert_uint_eq(serve_nconns(w->serve), 2);
	close(small);
	close(hog);
	world_clear(w);
	free(w);
}
END_TEST

/* Streams cost memory even when nothing is on them. */
START_TEST(idle_streams_count)
{
	struct world		*w = xcalloc(1, sizeof(*w));
	struct serve_limits	 l = { .memory = 100u << 10 };
	struct yamux_frame	 f = { 0, YAMUX_UPDATE, YAMUX_SYN, 1, 0 };
	uint8_t			 h[YAMUX_HEADER], type = 4;
	int			 fd;

	world_init(w);
	serve_set_limits(w->serve, &l);
	fd = connect_raw(w);
	ck_assert_int_eq(write(fd, &type, 1), 1);
	for (f.id = 1; f.id < 400; f.id += 2) {
		yamux_frame_write(&f, h);
		ck_assert_int_eq(write(fd, h, sizeof(h)), sizeof(h));
	}
	spin(w, 100);
	ck_assert_uint_eq(serve_nconns(w->serve), 0);
	close(fd);
	world_clear(w);
	free(w);
}
END_TEST

UNIT_MAIN("rpcd_loop",
    echo_comes_back,
    five_megabytes_cross_the_window_both_ways,
    more_calls_at_once_than_the_backlog,
    errors_get_this_hops_prefix,
    no_server_and_no_connection_have_their_words,
    another_server_is_asked_when_one_cannot_be_dialled,
    call_for_a_datacenter_goes_to_a_server_of_it,
    whence_a_call_comes_is_said_to_disco_alone,
    client_has_no_more_calls_than_it_leaves_to_others,
    cancel_does_not_reset_a_stream_of_consuls,
    cancel_reaches_the_other_catalogd,
    deadline_answers_for_the_server,
    catalogd_away_is_no_leader_after_a_while,
    requests_held_meanwhile_are_served,
    lost_write_is_not_repeated,
    lost_read_is_repeated,
    plain_connection_serves_in_order,
    other_types_and_silence_are_closed,
    client_that_goes_away_cancels_its_calls,
    requests_ahead_do_not_pile_up,
    the_one_that_fills_the_memory_is_closed_and_no_other,
    idle_streams_count)

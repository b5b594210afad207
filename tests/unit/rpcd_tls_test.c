/*
 * TLS against ourselves over loopback: what is served and what refused, with
 * its reason; bytes both ways, ends, and the relay that stands in for a socket.
 */
#include <bsd/string.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/acceptor.h"
#include "common/log.h"
#include "common/util.h"
#include "rpcd/incoming.h"
#include "rpcd/outgoing.h"
#include "rpcd/relay.h"
#include "tests/unit/common_unit.h"

#define BULK (3u << 20)		/* more than sockets hold */

static char	 dir[64];

/* What one side did so far. */
struct end {
	struct world	*w;
	struct stream	*stream;
	bool		 over, eof;
	int		 type;		/* of the one that came in */
	char		 why[300];
	struct wbuf	 got;
	size_t		 drained;
};

struct world {
	struct ev	*ev;
	struct ev_timer	*limit;
	bool		 late;
	int		 listen;
	struct acceptor	*acceptor;
	struct rpc_tls	 server, client;
	struct dialler	 dialler;
	struct incoming	*incoming;
	struct outgoing	*outgoing;
	struct end	 in, out;
	struct server_id id;
};

/* ---- the two sides ---- */

static size_t
on_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct end	*e = arg;

	(void)s;
	wb_bytes(&e->got, p, n);
	return n;
}

static void
on_drained(struct stream *s, void *arg)
{
	struct end	*e = arg;

	(void)s;
	e->drained++;
}

static void
on_closed(struct stream *s, const char *why, void *arg)
{
	struct end	*e = arg;

	stream_free(s);
	e->stream = NULL;
	e->over = true;
	strlcpy(e->why, str_or(why, "EOF"), sizeof(e->why));
}

static void
on_eof(struct stream *s, void *arg)
{
	struct end	*e = arg;

	(void)s;
	e->eof = true;
}

static const struct stream_ops end_ops = {
	.data = on_data, .drained = on_drained, .closed = on_closed
};

static void
end_take(struct end *e, struct stream *s)
{
	e->stream = s;
	stream_set_ops(s, &end_ops, e);
}

static void
on_incoming(struct stream *s, uint8_t type, const char *why, void *arg)
{
	struct world	*w = arg;

	w->incoming = NULL;
	w->in.type = type;
	if (s != NULL)
		end_take(&w->in, s);
	else {
		w->in.over = true;
		strlcpy(w->in.why, why, sizeof(w->in.why));
	}
}

static void
on_outgoing(struct stream *s, const char *why, void *arg)
{
	struct world	*w = arg;

	w->outgoing = NULL;
	if (s != NULL)
		end_take(&w->out, s);
	else {
		w->out.over = true;
		strlcpy(w->out.why, why, sizeof(w->out.why));
	}
}

static void
on_accept(int fd, const struct sockaddr_storage *sa, void *arg)
{
	struct world	*w = arg;

	(void)sa;
	w->incoming = incoming_new(w->ev, fd, &w->server, 5000, on_incoming,
	    w);
}

static void
on_limit(void *arg)
{
	struct world	*w = arg;

	w->late = true;
	ev_stop(w->ev);
}

/* ---- the world ---- */

static void
load_of(struct rpc_tls *t, const char *dc, const char *ca, const char *cert,
    bool verify_in, bool verify_out, bool verify_name)
{
	struct conf_tls	 c = { .verify_incoming = verify_in,
			    .verify_outgoing = verify_out,
			    .verify_name = verify_name };
	const char	*names[] = { ca, cert, cert };
	const char	*ends[] = { "pem", "pem", "key" };
	char		**to[] = { &c.ca, &c.cert, &c.key };
	char		*path, err[256];
	size_t		 i;

	for (i = 0; i < NELEM(names); i++) {
		if (names[i] == NULL)
			continue;
		xasprintf(&path, "%s/%s.%s", dir, names[i], ends[i]);
		*to[i] = file_read(path, 1 << 20, NULL);
		ck_assert(*to[i] != NULL);
		free(path);
	}
	ck_assert_msg(rpc_tls_load(t, &c, dc, "consul.", err,
	    sizeof(err)) == 0, "%s", err);
	schema_clear(&conf_tls_schema, &c);
}

static void
load(struct rpc_tls *t, const char *ca, const char *cert, bool verify_in,
    bool verify_out, bool verify_name)
{
	load_of(t, "dc1", ca, cert, verify_in, verify_out, verify_name);
}

static void
world_init(struct world *w)
{
	struct sockaddr_in	*sin = (struct sockaddr_in *)&w->id.addr;
	socklen_t		 len = sizeof(*sin);

	log_init("test");
	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	w->limit = ev_timer_new(w->ev, on_limit, w);
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	w->listen = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(w->listen, (struct sockaddr *)sin, len), 0);
	ck_assert_int_eq(listen(w->listen, 8), 0);
	getsockname(w->listen, (struct sockaddr *)sin, &len);
	w->acceptor = acceptor_new(w->ev, w->listen, on_accept, w);
	w->id.name = xstrdup("s1");
	w->id.use_tls = true;
	w->dialler.ev = w->ev;
	w->dialler.tls = &w->client;
	w->in.w = w->out.w = w;
}

static void
world_clear(struct world *w)
{
	incoming_free(w->incoming);
	outgoing_free(w->outgoing);
	stream_free(w->in.stream);
	stream_free(w->out.stream);
	wb_free(&w->in.got);
	wb_free(&w->out.got);
	acceptor_free(w->acceptor);
	close(w->listen);
	rpc_tls_clear(&w->server);
	rpc_tls_clear(&w->client);
	free(w->id.name);
	ev_timer_free(w->limit);
	ev_free(w->ev);
}

struct until { bool (*done)(const struct world *); struct world *w; };

static void
on_turn(void *arg)
{
	struct until	*u = arg;

	if (u->done(u->w))
		ev_stop(u->w->ev);
}

/* Runs until that holds, five seconds at most. */
static void
run(struct world *w, bool (*done)(const struct world *))
{
	struct until	u = { done, w };

	ev_timer_set(w->limit, 5000);
	ev_after(w->ev, on_turn, &u);
	if (!done(w))
		ev_run(w->ev);
	ev_after(w->ev, NULL, NULL);
	ck_assert_msg(!w->late, "in: %s, %zu bytes; out: %s, %zu bytes",
	    w->in.why, w->in.got.len, w->out.why, w->out.got.len);
}

static void
dial(struct world *w, uint8_t type)
{
	w->outgoing = outgoing_new(&w->dialler, &w->id, type, on_outgoing, w);
}

static bool both_up(const struct world *w)
{
	return w->in.stream != NULL && w->out.stream != NULL;
}
static bool in_over(const struct world *w) { return w->in.over; }
static bool out_over(const struct world *w) { return w->out.over; }
static bool
both_bulk(const struct world *w)
{
	return w->in.got.len >= BULK && w->out.got.len >= BULK;
}

/* ---- tests ---- */

static void
say(struct end *from, struct end *to, bool (*heard)(const struct world *))
{
	stream_write(from->stream, "hello", 5);
	run(from->w, heard);
	ck_assert_int_eq(memcmp(to->got.p, "hello", 5), 0);
}
static bool in_5(const struct world *w) { return w->in.got.len == 5; }
static bool out_5(const struct world *w) { return w->out.got.len == 5; }

START_TEST(type_3_then_the_type_byte_inside)
{
	struct world	w;

	world_init(&w);
	load(&w.server, "ca", "server", true, true, true);
	load(&w.client, "ca", "client", true, true, true);
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, both_up);
	ck_assert_int_eq(w.in.type, RPC_TYPE_MULTIPLEX);
	ck_assert(stream_is_secure(w.in.stream));
	ck_assert_str_eq(tls_layer_version(stream_layer(w.in.stream)),
	    "TLSv1.3");
	say(&w.out, &w.in, in_5);
	say(&w.in, &w.out, out_5);
	world_clear(&w);
}
END_TEST

START_TEST(server_of_another_datacenter_has_that_ones_name)
{
	static char	 dc[] = "dc2";
	struct world	 w;

	world_init(&w);
	w.id.dc = dc;
	load(&w.server, "ca", "server", true, true, true);
	load(&w.client, "ca", "client", true, true, true);
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, out_over);
	ck_assert_ptr_nonnull(strstr(w.out.why, "name `server.dc2.consul' not "
	    "present in server certificate"));
	world_clear(&w);

	/* To one of dc2, dc1's is another one. */
	world_init(&w);
	load(&w.server, "ca", "server", true, true, true);
	load_of(&w.client, "dc2", "ca", "client", true, true, true);
	strcpy(dc, "dc1");
	w.id.dc = dc;
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, both_up);
	say(&w.out, &w.in, in_5);
	world_clear(&w);
}
END_TEST

START_TEST(without_certificates_it_is_as_it_was)
{
	struct world	w;

	world_init(&w);
	load(&w.server, NULL, NULL, false, false, false);
	load(&w.client, NULL, NULL, false, false, false);
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, both_up);
	ck_assert_int_eq(w.in.type, RPC_TYPE_MULTIPLEX);
	ck_assert(!stream_is_secure(w.in.stream));
	say(&w.out, &w.in, in_5);
	world_clear(&w);
}
END_TEST

START_TEST(a_ca_alone_encrypts_to_those_who_offer_it)
{
	struct world	w;

	world_init(&w);
	load(&w.server, "other-ca", "stranger", false, false, false);
	load(&w.client, "ca", NULL, false, false, false);
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, both_up);
	ck_assert(stream_is_secure(w.in.stream));
	world_clear(&w);

	world_init(&w);
	w.id.use_tls = false;
	load(&w.server, "ca", "server", false, false, false);
	load(&w.client, "ca", NULL, false, false, false);
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, both_up);
	ck_assert(!stream_is_secure(w.in.stream));
	world_clear(&w);
}
END_TEST

#define NO_CERT	"TLS: handshake failed: the client has sent no certificate"
#define BAD_CERT "TLS: handshake failed: the client's certificate is expired"

/* Both ends, and what each says; NULL: whatever. */
static const struct {
	const char	*server_ca, *server;
	bool		 verify_in;
	const char	*client_ca, *client;
	bool		 verify_out, verify_name;
	const char	*in, *out;
} refusals[] = {
	{ "ca", "server", true, NULL, NULL, false, false,
	    "not TLS, but verify_incoming is set", NULL },
	{ "ca", "server", true, "ca", NULL, true, false, NO_CERT,
	    "TLS: handshake failed: the server wants a certificate" },
	{ "ca", "server", true, "ca", "stranger", true, false, BAD_CERT,
	    "the other end does not know the CA of our certificate" },
	{ "ca", "server", true, "ca", "expired", true, false, BAD_CERT,
	    "the other end says that our certificate is expired" },
	{ "ca", "server", true, "ca", "early", true, false, BAD_CERT,
	    "the other end does not take our certificate" },
	{ "ca", "stranger", false, "ca", "client", true, false,
	    NULL, "TLS: certificate verification failed: unable to get local "
	    "issuer certificate" },
	{ "ca", "expired", false, "ca", "client", true, false,
	    NULL, "TLS: certificate verification failed: certificate has "
	    "expired" },
	{ "ca", "early", false, "ca", "client", true, false,
	    NULL, "TLS: certificate verification failed: certificate is not "
	    "yet valid" },
	{ "ca", "elsewhere", false, "ca", "client", true, true,
	    NULL, "TLS: name `server.dc1.consul' not present in server "
	    "certificate" },
	{ "ca", "client", false, "ca", "client", true, true,
	    NULL, "TLS: name `server.dc1.consul' not present in server "
	    "certificate" },
	{ NULL, NULL, false, "ca", "client", true, false,
	    "TLS, but cert_file is not set", "TLS" },
};

START_TEST(refuses_with_the_reason)
{
	struct world	w;

	world_init(&w);
	load(&w.server, refusals[_i].server_ca, refusals[_i].server,
	    refusals[_i].verify_in, false, false);
	load(&w.client, refusals[_i].client_ca, refusals[_i].client, false,
	    refusals[_i].verify_out, refusals[_i].verify_name);
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, in_over);
	ck_assert(w.in.stream == NULL);
	/* With TLS 1.3 a client hears of its certificate with the first read. */
	run(&w, out_over);
	if (refusals[_i].in != NULL)
		ck_assert_msg(strstr(w.in.why, refusals[_i].in) != NULL,
		    "%s", w.in.why);
	if (refusals[_i].out != NULL)
		ck_assert_msg(strstr(w.out.why, refusals[_i].out) != NULL,
		    "%s", w.out.why);
	world_clear(&w);
}
END_TEST

START_TEST(verify_outgoing_does_not_mind_the_name)
{
	struct world	w;

	world_init(&w);
	load(&w.server, "ca", "elsewhere", true, false, false);
	load(&w.client, "ca", "client", false, true, false);
	dial(&w, RPC_TYPE_PLAIN);
	run(&w, both_up);
	ck_assert_int_eq(w.in.type, RPC_TYPE_PLAIN);
	world_clear(&w);
}
END_TEST

START_TEST(bytes_by_the_megabyte_both_ways)
{
	struct world	 w;
	uint8_t		*p = xmalloc(BULK);
	size_t		 i;

	for (i = 0; i < BULK; i++)
		p[i] = (uint8_t)(i * 7 + (i >> 11));
	world_init(&w);
	load(&w.server, "ca", "server", true, true, true);
	load(&w.client, "ca", "client", true, true, true);
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, both_up);
	stream_write(w.out.stream, p, BULK);
	stream_write(w.in.stream, p, BULK);
	run(&w, both_bulk);
	ck_assert_int_eq(memcmp(w.in.got.p, p, BULK), 0);
	ck_assert_int_eq(memcmp(w.out.got.p, p, BULK), 0);
	ck_assert_uint_gt(w.in.drained, 0);
	free(p);
	world_clear(&w);
}
END_TEST

START_TEST(an_end_is_told_from_a_cut)
{
	struct world	w;

	world_init(&w);
	load(&w.server, "ca", "server", true, true, true);
	load(&w.client, "ca", "client", true, true, true);
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, both_up);
	stream_free(w.out.stream);
	w.out.stream = NULL;
	run(&w, in_over);
	ck_assert_str_eq(w.in.why, "EOF");
	world_clear(&w);
}
END_TEST

static bool in_eof(const struct world *w) { return w->in.eof; }

START_TEST(one_half_ends_while_the_other_goes_on)
{
	struct world	w;

	world_init(&w);
	load(&w.server, "ca", "server", true, true, true);
	load(&w.client, "ca", "client", true, true, true);
	dial(&w, RPC_TYPE_SNAPSHOT);
	run(&w, both_up);
	stream_on_eof(w.in.stream, on_eof);
	stream_write(w.out.stream, "hello", 5);
	stream_shutdown(w.out.stream);
	run(&w, in_eof);
	ck_assert_uint_eq(w.in.got.len, 5);
	say(&w.in, &w.out, out_5);
	world_clear(&w);
}
END_TEST

/* What nobody waits for with the loop: a descriptor's own bytes. */
static ssize_t
fd_get(struct world *w, int fd, void *buf, size_t len)
{
	struct pollfd	pfd = { .fd = fd, .events = POLLIN };
	int		i;

	for (i = 0; i < 500 && poll(&pfd, 1, 0) == 0; i++) {
		ev_timer_set(w->limit, 10);
		ev_run(w->ev);
		w->late = false;
	}
	return read(fd, buf, len);
}

START_TEST(a_relay_speaks_for_the_socket)
{
	struct world	 w;
	struct relays	*relays;
	char		 buf[16];
	int		 fd, tls;

	for (tls = 0; tls < 2; tls++) {
		world_init(&w);
		relays = relays_new(w.ev);
		load(&w.server, tls ? "ca" : NULL, tls ? "server" : NULL,
		    tls, false, false);
		load(&w.client, tls ? "ca" : NULL, tls ? "client" : NULL,
		    false, tls, tls);
		dial(&w, RPC_TYPE_RAFT);
		run(&w, both_up);
		ck_assert_int_eq(w.in.type, RPC_TYPE_RAFT);
		fd = relay_fd(relays, w.in.stream);
		w.in.stream = NULL;
		ck_assert_int_ge(fd, 0);
		ck_assert_uint_eq(relays_count(relays), (size_t)tls);
		stream_write(w.out.stream, "ping", 4);
		ck_assert_int_eq(fd_get(&w, fd, buf, sizeof(buf)), 4);
		ck_assert_int_eq(memcmp(buf, "ping", 4), 0);
		ck_assert_int_eq(write(fd, "hello", 5), 5);
		run(&w, out_5);
		/* The end of one half, then of the other. */
		stream_shutdown(w.out.stream);
		ck_assert_int_eq(fd_get(&w, fd, buf, sizeof(buf)), 0);
		close(fd);
		run(&w, out_over);
		ck_assert_str_eq(w.out.why, "EOF");
		ck_assert_uint_eq(relays_count(relays), 0);
		relays_free(relays);
		world_clear(&w);
	}
}
END_TEST

START_TEST(new_certificates_leave_connections_alone)
{
	struct world	w;

	world_init(&w);
	load(&w.server, "ca", "server", true, true, true);
	load(&w.client, "ca", "client", true, true, true);
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, both_up);
	load(&w.server, "ca2", "server2", true, true, true);
	load(&w.client, "ca2", "client2", true, true, true);
	say(&w.out, &w.in, in_5);
	stream_free(w.in.stream);
	stream_free(w.out.stream);
	w.in.stream = w.out.stream = NULL;
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, both_up);
	stream_free(w.in.stream);
	stream_free(w.out.stream);
	w.in.stream = w.out.stream = NULL;
	w.out.over = w.in.over = false;
	/* The old ones are strangers now. */
	load(&w.client, "ca", "client", true, true, true);
	dial(&w, RPC_TYPE_MULTIPLEX);
	run(&w, in_over);
	world_clear(&w);
}
END_TEST

START_TEST(a_bad_reload_changes_nothing)
{
	struct conf_tls	c = { .ca = xstrdup("nonsense") };
	struct rpc_tls	t = { 0 };
	struct tls_set	*before;
	char		err[256] = "";

	load(&t, "ca", "server", true, true, true);
	before = t.set;
	ck_assert_int_eq(rpc_tls_load(&t, &c, "dc1", "consul.", err,
	    sizeof(err)), 0);
	ck_assert(t.set != before);	/* a CA is looked at when it is used */
	schema_clear(&conf_tls_schema, &c);
	c.cert = xstrdup("nonsense");
	c.key = xstrdup("nonsense");
	before = t.set;
	ck_assert_int_eq(rpc_tls_load(&t, &c, "dc1", "consul.", err,
	    sizeof(err)), -1);
	ck_assert(*err != '\0');
	ck_assert(t.set == before);
	ck_assert_str_eq(t.name, "server.dc1.consul");
	schema_clear(&conf_tls_schema, &c);
	rpc_tls_clear(&t);
}
END_TEST

/* A byte at a time and garbage, from a plain socket. */
static const struct { const char *bytes; size_t n; const char *why; } raw[] = {
	{ "\x03garbage that is no record", 26, "TLS: handshake failed: what came is no" },
	{ "\x16\x03\x01\x00\x05hello", 10, "TLS: handshake failed" },
	{ "\x07", 1, "TLS: handshake failed: EOF" },
	{ "\x03", 1, "TLS: handshake failed: EOF" },
	{ "\x04", 1, "not TLS, but verify_incoming is set" },
	{ "", 0, "no type byte: EOF" },
};

START_TEST(closes_what_is_no_tls)
{
	struct world	w;
	int		fd = socket(AF_INET, SOCK_STREAM, 0);

	world_init(&w);
	load(&w.server, "ca", "server", true, true, true);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&w.id.addr,
	    sizeof(struct sockaddr_in)), 0);
	ck_assert_int_eq(write(fd, raw[_i].bytes, raw[_i].n),
	    (ssize_t)raw[_i].n);
	shutdown(fd, SHUT_WR);
	run(&w, in_over);
	ck_assert_msg(strstr(w.in.why, raw[_i].why) != NULL, "%s", w.in.why);
	close(fd);
	world_clear(&w);
}
END_TEST

int
main(void)
{
	TCase	*t = unit_case("rpcd_tls");
	char	 cmd[128];
	int	 status;

	unit_dir_make(dir, sizeof(dir));
	snprintf(cmd, sizeof(cmd), "tests/tls/make %s", dir);
	if (system(cmd) != 0)
		return 1;
	tcase_add_test(t, type_3_then_the_type_byte_inside);
	tcase_add_test(t, server_of_another_datacenter_has_that_ones_name);
	tcase_add_test(t, without_certificates_it_is_as_it_was);
	tcase_add_test(t, a_ca_alone_encrypts_to_those_who_offer_it);
	tcase_add_loop_test(t, refuses_with_the_reason, 0, NELEM(refusals));
	tcase_add_test(t, verify_outgoing_does_not_mind_the_name);
	tcase_add_test(t, bytes_by_the_megabyte_both_ways);
	tcase_add_test(t, an_end_is_told_from_a_cut);
	tcase_add_test(t, one_half_ends_while_the_other_goes_on);
	tcase_add_test(t, a_relay_speaks_for_the_socket);
	tcase_add_test(t, new_certificates_leave_connections_alone);
	tcase_add_test(t, a_bad_reload_changes_nothing);
	tcase_add_loop_test(t, closes_what_is_no_tls, 0, NELEM(raw));
	status = unit_case_run("rpcd_tls", t);
	unit_dir_remove(dir);
	return status;
}

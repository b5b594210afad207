/*
 * rpcd/yamux: recorded frames, two cores talking in memory, and what ends a
 * session.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/util.h"
#include "common/wire.h"
#include "rpcd/yamux.h"
#include "tests/unit/common_unit.h"

#define VECTORS "tests/vectors/rpc/"

/* One side of a conversation, and what it saw. */
struct side {
	struct yamux		*y;
	struct yamux_stream	*last;		/* opened by the peer */
	struct wbuf		 got;
	size_t			 nopened, nfin, nreset, npong, nacked;
	uint32_t		 pong;
	bool			 accept, consume;
};

static void
on_opened(struct yamux_stream *s, void *arg)
{
	struct side	*e = arg;

	e->nopened++;
	e->last = s;
	if (e->accept)
		yamux_accept(s, e);
}

static void
on_data(struct yamux_stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct side	*e = arg;

	wb_bytes(&e->got, p, n);
	if (e->consume)
		yamux_consumed(s, n);
}

static void
on_fin(struct yamux_stream *s, void *arg)
{
	struct side	*e = arg;

	e->nfin++;
	e->last = s;
}

static void
on_reset(struct yamux_stream *s, void *arg)
{
	struct side	*e = arg;

	(void)s;
	e->nreset++;
}

static void
on_acked(void *arg)
{
	((struct side *)arg)->nacked++;
}

static void
on_pong(uint32_t value, void *arg)
{
	struct side	*e = arg;

	e->npong++;
	e->pong = value;
}

static const struct yamux_ops server_ops = {
	on_opened, on_data, on_fin, on_reset, NULL, on_pong
};
static const struct yamux_ops client_ops = {
	NULL, on_data, on_fin, on_reset, on_acked, on_pong
};

static void
side_init(struct side *e, bool client)
{
	memset(e, 0, sizeof(*e));
	wb_init(&e->got, 0);
	e->accept = e->consume = true;
	e->y = yamux_new(client, client ? &client_ops : &server_ops, e);
}

static void
side_clear(struct side *e)
{
	yamux_free(e->y);
	wb_free(&e->got);
}

/* Carries what `a` has to say to `b`; the bytes carried. */
static size_t
carry(struct side *a, struct side *b, size_t piece)
{
	const uint8_t	*p;
	uint8_t		*copy;
	size_t		 n, at, k;

	p = yamux_output(a->y, &n);
	if (n == 0)
		return 0;
	copy = xmalloc(n);
	memcpy(copy, p, n);
	yamux_written(a->y);
	for (at = 0; at < n; at += k) {
		k = n - at < piece ? n - at : piece;
		(void)yamux_input(b->y, copy + at, k);
	}
	free(copy);
	return n;
}

static void
talk(struct side *a, struct side *b, size_t piece)
{
	while (carry(a, b, piece) + carry(b, a, piece) > 0)
		;
}

static void
input_frame(struct side *e, uint8_t type, uint16_t flags, uint32_t id,
    uint32_t len)
{
	struct yamux_frame	 f = { 0, type, flags, id, len };
	uint8_t			 h[YAMUX_HEADER];

	yamux_frame_write(&f, h);
	(void)yamux_input(e->y, h, sizeof(h));
}

/* The n-th frame of what it has to say (payloads skipped); false: none. */
static bool
output_frame(struct side *e, size_t n, struct yamux_frame *f)
{
	const uint8_t	*p;
	size_t		 len, at = 0;

	p = yamux_output(e->y, &len);
	for (;;) {
		if (at + YAMUX_HEADER > len)
			return false;
		yamux_frame_read(f, p + at);
		at += YAMUX_HEADER + (f->type == YAMUX_DATA ? f->len : 0);
		if (n-- == 0)
			return true;
	}
}

static uint8_t *
read_hex(const char *name, size_t *n)
{
	char	*text, *t, *o, path[256];
	uint8_t	*out;
	size_t	 len;

	snprintf(path, sizeof(path), VECTORS "%s", name);
	text = file_read(path, 1 << 22, &len);
	ck_assert_ptr_nonnull(text);
	for (t = o = text; *t != '\0'; t++)
		if (strchr(" \n\r", *t) == NULL)
			*o++ = *t;
	*n = (size_t)(o - text) / 2;
	out = xmalloc(*n);
	ck_assert_int_eq(hex_decode(text, *n * 2, out), 0);
	free(text);
	return out;
}

/* ---- recorded ---- */

static void
check_json_frames(const char *name)
{
	static const char *const	 types[] = {
		"DATA", "WINUPD", "PING", "GOAWAY"
	};
	struct json			*root;
	const struct json		*f, *v;
	struct yamux_frame		 frame;
	char				*text, err[128], path[256];
	uint8_t				 h[YAMUX_HEADER], again[YAMUX_HEADER];
	size_t				 len, n = 0;

	snprintf(path, sizeof(path), VECTORS "%s.json", name);
	text = file_read(path, 1 << 22, &len);
	ck_assert_ptr_nonnull(text);
	root = json_parse(text, len, err, sizeof(err));
	ck_assert_msg(root != NULL, "%s: %s", name, err);
	f = json_get(root, "frames");
	for (f = f->child; f != NULL; f = f->next) {
		if ((v = json_get(f, "header_hex")) == NULL)
			continue;
		ck_assert_int_eq(hex_decode(v->str, 2 * YAMUX_HEADER, h), 0);
		yamux_frame_read(&frame, h);
		ck_assert_str_eq(types[frame.type], json_get(f, "type")->str);
		ck_assert_uint_eq(frame.id,
		    strtoul(json_get(f, "stream")->str, NULL, 10));
		ck_assert_uint_eq(frame.len,
		    strtoul(json_get(f, "length")->str, NULL, 10));
		yamux_frame_write(&frame, again);
		ck_assert_mem_eq(h, again, YAMUX_HEADER);
		n++;
	}
	ck_assert_uint_gt(n, 0);
	json_free(root);
	free(text);
}

START_TEST(reads_and_writes_recorded_frames)
{
	check_json_frames("yamux-01-agent-start");
	check_json_frames("yamux-02-keepalive");
	check_json_frames("yamux-03-error-closes-stream");
	check_json_frames("yamux-04-flow-control");
	check_json_frames("yamux-05-backlog-reset");
}
END_TEST

START_TEST(serves_a_recorded_agent_byte_by_byte)
{
	struct side	 e;
	uint8_t		*p;
	size_t		 n, i;

	side_init(&e, false);
	p = read_hex("yamux-01-agent-start.client.hex", &n);
	ck_assert_uint_eq(p[0], 4);
	for (i = 1; i < n; i++)
		ck_assert_int_eq(yamux_input(e.y, p + i, 1), 0);
	ck_assert_uint_eq(e.nopened, 1);
	ck_assert_uint_eq(yamux_id(e.last), 1);
	ck_assert_mem_eq(e.got.p, "\x82\xa3Seq\x01\xadServiceMethod", 20);
	free(p);
	side_clear(&e);
}
END_TEST

START_TEST(hears_a_recorded_server)
{
	struct side		 e;
	struct yamux_stream	*s;
	uint8_t			*p;
	size_t			 n;

	side_init(&e, true);
	s = yamux_open(e.y, NULL);
	ck_assert_uint_eq(yamux_id(s), 1);
	p = read_hex("yamux-01-agent-start.server.hex", &n);
	ck_assert_int_eq(yamux_input(e.y, p, n), 0);
	ck_assert_uint_eq(e.nacked, 1);
	ck_assert_mem_eq(e.got.p, "\x83\xa5""Error\xa0\xa3Seq\x01", 13);
	free(p);
	side_clear(&e);
}
END_TEST

/* ---- two cores ---- */

START_TEST(opens_as_recorded)
{
	static const uint8_t	 want[] = {
		0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0,	/* SYN */
		0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 'h', 'i'
	};
	struct side		 c, s;
	struct yamux_stream	*st;
	const uint8_t		*p;
	size_t			 n;

	side_init(&c, true);
	side_init(&s, false);
	st = yamux_open(c.y, NULL);
	yamux_send(st, "hi", 2);
	p = yamux_output(c.y, &n);
	ck_assert_uint_eq(n, sizeof(want));
	ck_assert_mem_eq(p, want, n);
	talk(&c, &s, 1);
	ck_assert_uint_eq(s.got.len, 2);
	ck_assert_uint_eq(c.nacked, 1);
	ck_assert_uint_eq(yamux_id(yamux_open(c.y, NULL)), 3);
	side_clear(&c);
	side_clear(&s);
}
END_TEST

START_TEST(big_message_crosses_in_both_directions)
{
	struct side		 c, s;
	struct yamux_stream	*st;
	uint8_t			*big;
	size_t			 i, n = 300000;

	side_init(&c, true);
	side_init(&s, false);
	big = xmalloc(n);
	for (i = 0; i < n; i++)
		big[i] = (uint8_t)(i * 7 + i / 251);
	st = yamux_open(c.y, NULL);
	yamux_send(st, big, n);
	ck_assert_uint_eq(yamux_pending(c.y), n - YAMUX_WINDOW);
	talk(&c, &s, 1009);
	ck_assert_uint_eq(s.got.len, n);
	ck_assert_mem_eq(s.got.p, big, n);
	ck_assert_uint_eq(yamux_pending(c.y), 0);
	yamux_send(s.last, big, n);
	talk(&c, &s, 65536);
	ck_assert_uint_eq(c.got.len, n);
	ck_assert_mem_eq(c.got.p, big, n);
	free(big);
	side_clear(&c);
	side_clear(&s);
}
END_TEST

START_TEST(sender_stalls_without_credit_and_goes_on_at_half_a_window)
{
	struct side		 c, s;
	struct yamux_stream	*st;
	uint8_t			*big = xcalloc(1, 600000);

	side_init(&c, true);
	side_init(&s, false);
	s.consume = false;
	st = yamux_open(c.y, NULL);
	yamux_send(st, big, 600000);
	talk(&c, &s, 65536);
	ck_assert_uint_eq(s.got.len, YAMUX_WINDOW);
	yamux_consumed(s.last, YAMUX_WINDOW / 2 - 1);
	talk(&c, &s, 65536);
	ck_assert_uint_eq(s.got.len, YAMUX_WINDOW);
	yamux_consumed(s.last, 1);
	talk(&c, &s, 65536);
	ck_assert_uint_eq(s.got.len, YAMUX_WINDOW + YAMUX_WINDOW / 2);
	free(big);
	side_clear(&c);
	side_clear(&s);
}
END_TEST

START_TEST(fin_waits_for_queued_data)
{
	struct side		 c, s;
	struct yamux_stream	*st;
	uint8_t			*big = xcalloc(1, 300000);

	side_init(&c, true);
	side_init(&s, false);
	s.consume = false;
	st = yamux_open(c.y, NULL);
	yamux_send(st, big, 300000);
	yamux_close(st);
	talk(&c, &s, 65536);
	ck_assert_uint_eq(s.nfin, 0);
	yamux_consumed(s.last, YAMUX_WINDOW);
	talk(&c, &s, 65536);
	ck_assert_uint_eq(s.got.len, 300000);
	ck_assert_uint_eq(s.nfin, 1);
	yamux_close(s.last);
	talk(&c, &s, 65536);
	ck_assert_uint_eq(yamux_nstreams(c.y), 0);
	ck_assert_uint_eq(yamux_nstreams(s.y), 0);
	free(big);
	side_clear(&c);
	side_clear(&s);
}
END_TEST

START_TEST(half_closed_stream_is_still_answered)
{
	struct side	 c, s;

	side_init(&c, true);
	side_init(&s, false);
	/* A peer that sends its request with FIN riding on it. */
	input_frame(&s, YAMUX_UPDATE, YAMUX_SYN, 1, 0);
	input_frame(&s, YAMUX_DATA, YAMUX_FIN, 1, 3);
	ck_assert_uint_eq(s.nfin, 0);
	(void)yamux_input(s.y, (const uint8_t *)"abc", 3);
	ck_assert_uint_eq(s.nfin, 1);
	yamux_send(s.last, "answer", 6);
	yamux_close(s.last);
	ck_assert_uint_eq(yamux_nstreams(s.y), 0);
	side_clear(&c);
	side_clear(&s);
}
END_TEST

START_TEST(reset_ends_both_directions)
{
	struct side		 c, s;
	struct yamux_stream	*st;

	side_init(&c, true);
	side_init(&s, false);
	st = yamux_open(c.y, NULL);
	yamux_send(st, "x", 1);
	talk(&c, &s, 100);
	yamux_reset(st);
	talk(&c, &s, 100);
	ck_assert_uint_eq(s.nreset, 1);
	ck_assert_uint_eq(yamux_nstreams(c.y), 0);
	ck_assert_uint_eq(yamux_nstreams(s.y), 0);
	side_clear(&c);
	side_clear(&s);
}
END_TEST

START_TEST(frames_of_forgotten_streams_are_dropped)
{
	struct side	 s;
	uint8_t		 junk[5000] = { 0 };

	side_init(&s, false);
	input_frame(&s, YAMUX_DATA, 0, 77, sizeof(junk));
	ck_assert_int_eq(yamux_input(s.y, junk, sizeof(junk)), 0);
	input_frame(&s, YAMUX_UPDATE, YAMUX_FIN, 77, 0);
	input_frame(&s, YAMUX_UPDATE, YAMUX_RST, 77, 0);
	input_frame(&s, YAMUX_DATA, YAMUX_FIN, 77, 0);
	ck_assert_ptr_null(yamux_error(s.y));
	ck_assert_uint_eq(s.got.len, 0);
	ck_assert_uint_eq(s.nfin, 0);
	side_clear(&s);
}
END_TEST

START_TEST(stream_past_the_backlog_is_reset)
{
	struct side		 s;
	struct yamux_frame	 f;
	uint32_t		 i;

	side_init(&s, false);
	input_frame(&s, YAMUX_UPDATE, YAMUX_SYN, 1, 0);
	s.accept = false;
	for (i = 1; i < 260; i++)
		input_frame(&s, YAMUX_UPDATE, YAMUX_SYN, 2 * i + 1, 0);
	ck_assert_uint_eq(yamux_nstreams(s.y), 257);
	/* As recorded: the ACK of the first, then RST for 515, 517, 519. */
	ck_assert(output_frame(&s, 0, &f));
	ck_assert_uint_eq(f.flags, YAMUX_ACK);
	for (i = 0; i < 3; i++) {
		ck_assert(output_frame(&s, 1 + i, &f));
		ck_assert_uint_eq(f.flags, YAMUX_RST);
		ck_assert_uint_eq(f.id, 515 + 2 * i);
	}
	ck_assert(!output_frame(&s, 4, &f));
	side_clear(&s);
}
END_TEST

START_TEST(opener_waits_at_256_without_ack)
{
	struct side		 c;
	struct yamux_stream	*s;
	size_t			 i;

	side_init(&c, true);
	for (i = 0; i < YAMUX_BACKLOG; i++)
		ck_assert_ptr_nonnull(yamux_open(c.y, NULL));
	ck_assert(yamux_busy(c.y));
	ck_assert_ptr_null(yamux_open(c.y, NULL));
	ck_assert(!yamux_ending(c.y));
	input_frame(&c, YAMUX_UPDATE, YAMUX_ACK, 1, 0);
	ck_assert_uint_eq(c.nacked, 1);
	s = yamux_open(c.y, NULL);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(yamux_id(s), 2 * YAMUX_BACKLOG + 1);
	side_clear(&c);
}
END_TEST

START_TEST(ping_is_answered_with_its_value)
{
	struct side	 c, s;

	side_init(&c, true);
	side_init(&s, false);
	yamux_ping(c.y, 77);
	talk(&c, &s, 5);
	ck_assert_uint_eq(c.npong, 1);
	ck_assert_uint_eq(c.pong, 77);
	side_clear(&c);
	side_clear(&s);
}
END_TEST

START_TEST(go_away_stops_new_streams_only)
{
	struct side		 c, s;
	struct yamux_stream	*st;

	side_init(&c, true);
	side_init(&s, false);
	st = yamux_open(c.y, NULL);
	yamux_send(st, "a", 1);
	talk(&c, &s, 100);
	yamux_go_away(s.y, YAMUX_GOAWAY_NORMAL);
	talk(&c, &s, 100);
	ck_assert(yamux_ending(c.y));
	ck_assert_ptr_null(yamux_open(c.y, NULL));
	ck_assert_ptr_null(yamux_error(c.y));
	yamux_send(s.last, "still", 5);
	talk(&c, &s, 100);
	ck_assert_uint_eq(c.got.len, 5);
	/* The side that said it resets what comes anyway. */
	input_frame(&s, YAMUX_UPDATE, YAMUX_SYN, 9, 0);
	ck_assert_uint_eq(s.nopened, 1);
	side_clear(&c);
	side_clear(&s);
}
END_TEST

START_TEST(client_takes_no_streams)
{
	struct side		 c;
	struct yamux_frame	 f;

	side_init(&c, true);
	input_frame(&c, YAMUX_UPDATE, YAMUX_SYN, 2, 0);
	ck_assert(output_frame(&c, 0, &f));
	ck_assert_uint_eq(f.flags, YAMUX_RST);
	ck_assert_uint_eq(yamux_nstreams(c.y), 0);
	side_clear(&c);
}
END_TEST

START_TEST(syn_may_ride_on_data)
{
	struct side	 s;

	side_init(&s, false);
	input_frame(&s, YAMUX_DATA, YAMUX_SYN, 1, 2);
	(void)yamux_input(s.y, (const uint8_t *)"ok", 2);
	ck_assert_uint_eq(s.nopened, 1);
	ck_assert_uint_eq(s.got.len, 2);
	side_clear(&s);
}
END_TEST

/* ---- what ends a session ---- */

/* Frames after "SYN 1"; the last of them is the wrong one. */
static const struct bad {
	const char		*what;
	struct yamux_frame	 frame[3];
	int			 n;
	bool			 quiet;		/* no go-away is due */
} bads[] = {
	{ "version", { { 1, YAMUX_PING, 1, 0, 0 } }, 1, false },
	{ "type", { { 0, 4, 0, 0, 0 } }, 1, false },
	{ "SYN twice", { { 0, YAMUX_UPDATE, YAMUX_SYN, 1, 0 } }, 1, false },
	{ "SYN on stream 0", { { 0, YAMUX_UPDATE, YAMUX_SYN, 0, 0 } }, 1,
	    false },
	{ "too much data", { { 0, YAMUX_DATA, 0, 1, YAMUX_WINDOW + 1 } }, 1,
	    false },
	{ "second FIN", { { 0, YAMUX_UPDATE, YAMUX_FIN, 1, 0 },
	    { 0, YAMUX_UPDATE, YAMUX_FIN, 1, 0 } }, 2, false },
	{ "data after FIN", { { 0, YAMUX_UPDATE, YAMUX_FIN, 1, 0 },
	    { 0, YAMUX_DATA, 0, 1, 1 } }, 2, false },
	{ "go-away 1", { { 0, YAMUX_GOAWAY, 0, 0, 1 } }, 1, true },
	{ "go-away 2", { { 0, YAMUX_GOAWAY, 0, 0, 2 } }, 1, true },
	{ "go-away 9", { { 0, YAMUX_GOAWAY, 0, 0, 9 } }, 1, true },
};

START_TEST(protocol_errors_end_the_session)
{
	const struct bad	*b = &bads[_i];
	struct side		 s;
	struct yamux_frame	 f, last = { 0 };
	uint8_t			 h[YAMUX_HEADER];
	const char		*err;
	size_t			 n;
	int			 i;

	side_init(&s, false);
	input_frame(&s, YAMUX_UPDATE, YAMUX_SYN, 1, 0);
	for (i = 0; i < b->n; i++) {
		ck_assert_msg(yamux_error(s.y) == NULL, "%s: early", b->what);
		yamux_frame_write(&b->frame[i], h);
		(void)yamux_input(s.y, h, sizeof(h));
	}
	err = yamux_error(s.y);
	ck_assert_msg(err != NULL, "%s", b->what);
	for (n = 0; output_frame(&s, n, &f); n++)
		last = f;
	if (!b->quiet) {
		ck_assert_uint_eq(last.type, YAMUX_GOAWAY);
		ck_assert_uint_eq(last.len, YAMUX_GOAWAY_PROTOCOL);
	}
	/* It stays so. */
	yamux_written(s.y);
	input_frame(&s, YAMUX_PING, YAMUX_SYN, 0, 1);
	ck_assert_ptr_eq(yamux_error(s.y), err);
	ck_assert(!output_frame(&s, 0, &f));
	side_clear(&s);
}
END_TEST

START_TEST(credit_does_not_overflow)
{
	struct side		 c;
	struct yamux_stream	*st;

	side_init(&c, true);
	st = yamux_open(c.y, NULL);
	input_frame(&c, YAMUX_UPDATE, 0, 1, UINT32_MAX);
	input_frame(&c, YAMUX_UPDATE, 0, 1, UINT32_MAX);
	yamux_send(st, "x", 1);
	ck_assert_uint_eq(yamux_pending(c.y), 0);
	ck_assert_ptr_null(yamux_error(c.y));
	side_clear(&c);
}
END_TEST

START_TEST(peer_that_never_closes_costs_bounded_memory)
{
	struct side		 c;
	struct yamux_stream	*st;
	size_t			 i;

	side_init(&c, true);
	for (i = 0; i < 5000; i++) {
		st = yamux_open(c.y, NULL);
		ck_assert_ptr_nonnull(st);
		input_frame(&c, YAMUX_UPDATE, YAMUX_ACK, yamux_id(st), 0);
		yamux_close(st);
	}
	ck_assert_uint_le(yamux_nstreams(c.y), 1024);
	side_clear(&c);
}
END_TEST

START_TEST(random_pieces_keep_every_byte_in_order)
{
	struct side		 c, s;
	struct yamux_stream	*st[8] = { NULL };
	struct rng		 rng;
	uint8_t			 buf[70000];
	size_t			 i, n, total = 0, sent = 0;

	rng_seed(&rng, (uint64_t)_i + 1);
	side_init(&c, true);
	side_init(&s, false);
	memset(buf, 'z', sizeof(buf));
	for (i = 0; i < 400; i++) {
		struct yamux_stream **p = &st[rng_below(&rng, 8)];

		if (*p == NULL)
			*p = yamux_open(c.y, NULL);
		n = rng_below(&rng, sizeof(buf));
		yamux_send(*p, buf, n);
		total += n;
		if (rng_below(&rng, 10) == 0) {
			yamux_close(*p);
			*p = NULL;
		}
		(void)carry(&c, &s, 1 + rng_below(&rng, 20000));
		if (rng_below(&rng, 3) == 0)
			(void)carry(&s, &c, 1 + rng_below(&rng, 30));
		sent = s.got.len;
		ck_assert_uint_le(sent, total);
	}
	talk(&c, &s, 4096);
	ck_assert_uint_eq(s.got.len, total);
	ck_assert_ptr_null(yamux_error(c.y));
	ck_assert_ptr_null(yamux_error(s.y));
	side_clear(&c);
	side_clear(&s);
}
END_TEST

int
main(void)
{
	TCase	*tc = unit_case("rpcd_yamux");

	tcase_add_test(tc, reads_and_writes_recorded_frames);
	tcase_add_test(tc, serves_a_recorded_agent_byte_by_byte);
	tcase_add_test(tc, hears_a_recorded_server);
	tcase_add_test(tc, opens_as_recorded);
	tcase_add_test(tc, big_message_crosses_in_both_directions);
	tcase_add_test(tc,
	    sender_stalls_without_credit_and_goes_on_at_half_a_window);
	tcase_add_test(tc, fin_waits_for_queued_data);
	tcase_add_test(tc, half_closed_stream_is_still_answered);
	tcase_add_test(tc, reset_ends_both_directions);
	tcase_add_test(tc, frames_of_forgotten_streams_are_dropped);
	tcase_add_test(tc, stream_past_the_backlog_is_reset);
	tcase_add_test(tc, opener_waits_at_256_without_ack);
	tcase_add_test(tc, ping_is_answered_with_its_value);
	tcase_add_test(tc, go_away_stops_new_streams_only);
	tcase_add_test(tc, client_takes_no_streams);
	tcase_add_test(tc, syn_may_ride_on_data);
	tcase_add_loop_test(tc, protocol_errors_end_the_session, 0,
	    (int)NELEM(bads));
	tcase_add_test(tc, credit_does_not_overflow);
	tcase_add_test(tc, peer_that_never_closes_costs_bounded_memory);
	tcase_add_loop_test(tc, random_pieces_keep_every_byte_in_order, 0, 5);
	return unit_case_run("rpcd_yamux", tc);
}

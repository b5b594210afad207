/*
 * What checkd parses by itself: HTTP answers, HTTP/2 frames, gRPC's health
 * messages, networks.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "checkd/dial.h"
#include "checkd/h1.h"
#include "checkd/h2.h"
#include "checkd/health.h"
#include "checkd/target.h"
#include "tests/unit/common_unit.h"

/* ---- HTTP ---- */

static void
on_body(const uint8_t *p, size_t n, void *arg)
{
	wb_bytes(arg, p, n);
}

#define OK "HTTP/1.1 200 OK\r\n"

static const struct answer {
	const char	*text;
	bool		 to_head;
	enum h1_state	 state;
	long		 code;
	const char	*status, *body, *location;
} answers[] = {
	{ OK "Content-Length: 5\r\n\r\nhello", false, H1_DONE, 200, "200 OK",
	  "hello", "" },
	/* What comes behind it is nobody's. */
	{ OK "content-length:5\r\n\r\nhellomore", false, H1_DONE, 200,
	  "200 OK", "hello", "" },
	{ OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n"
	  " and more!\r\n0\r\nX: y\r\n\r\n", false, H1_DONE, 200, "200 OK",
	  "hello and more!", "" },
	/* Chunks win over a length. */
	{ OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi"
	  "\r\n0\r\n\r\n", false, H1_DONE, 200, "200 OK", "hi", "" },
	{ "HTTP/1.0 200 OK\n\nuntil the end", false, H1_DONE, 200, "200 OK",
	  "until the end", "" },
	{ OK "Content-Length: 5\r\n\r\n", true, H1_DONE, 200, "200 OK", "",
	  "" },
	{ "HTTP/1.1 204 No Content\r\n\r\n", false, H1_DONE, 204,
	  "204 No Content", "", "" },
	{ "HTTP/1.1 200\r\n\r\n", false, H1_DONE, 200, "200", "", "" },
	{ "HTTP/1.1 100 Continue\r\n\r\n" OK "\r\n", false, H1_DONE, 200,
	  "200 OK", "", "" },
	{ "HTTP/1.1 302 Found\r\nLocation:  /there \r\nContent-Length: 0\r\n"
	  "\r\n", false, H1_DONE, 302, "302 Found", "", "/there" },
	{ OK "Content-Length: 5\r\n\r\nhel", false, H1_BAD, 200, "200 OK",
	  "hel", "" },
	{ OK "Content-Length: -5\r\n\r\nhel", false, H1_BAD, 200, "200 OK", "",
	  "" },
	{ OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", false,
	  H1_BAD, 200, "200 OK", "", "" },
	{ OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, H1_BAD, 200,
	  "200 OK", "", "" },
	{ OK "no colon\r\n\r\n", false, H1_BAD, 200, "200 OK", "", "" },
	{ "SSH-2.0-OpenSSH\r\n", false, H1_BAD, 0, "", "", "" },
	{ "HTTP/1.1 99 Low\r\n\r\n", false, H1_BAD, 0, "", "", "" },
	{ "", false, H1_BAD, 0, "", "", "" },
};

START_TEST(answer_is_read_in_pieces_of_any_size)
{
	const struct answer	*a = &answers[_i];
	struct wbuf		 body;
	struct h1		 h;
	size_t			 piece, i, n = strlen(a->text), k;

	for (piece = 1; piece <= n + 1; piece++) {
		h1_init(&h, a->to_head);
		wb_init(&body, 0);
		for (i = 0; i < n; i += k) {
			k = n - i < piece ? n - i : piece;
			h1_feed(&h, (const uint8_t *)a->text + i, k, on_body,
			    &body);
		}
		h1_eof(&h);
		wb_u8(&body, 0);
		ck_assert_int_eq(h.state, a->state);
		ck_assert_int_eq(h.code, a->code);
		ck_assert_str_eq(h.status, a->status);
		ck_assert_str_eq((char *)body.p, a->body);
		ck_assert_str_eq(str_or(h.location, ""), a->location);
		ck_assert((h.state == H1_BAD) == (h.error != NULL));
		wb_free(&body);
		h1_clear(&h);
	}
}
END_TEST

START_TEST(head_is_bounded)
{
	static char	 line[H1_LINE_MAX + 16];
	struct h1	 h;
	unsigned	 i;

	h1_init(&h, false);
	h1_feed(&h, (const uint8_t *)OK, sizeof(OK) - 1, NULL, NULL);
	memset(line, 'x', sizeof(line));
	h1_feed(&h, (const uint8_t *)line, sizeof(line), NULL, NULL);
	ck_assert_int_eq(h.state, H1_BAD);
	h1_clear(&h);
	h1_init(&h, false);
	h1_feed(&h, (const uint8_t *)OK, sizeof(OK) - 1, NULL, NULL);
	for (i = 0; i < H1_HEAD_MAX / 6 && h.state == H1_HEAD; i++)
		h1_feed(&h, (const uint8_t *)"A: b\r\n", 6, NULL, NULL);
	ck_assert_int_eq(h.state, H1_BAD);
	h1_clear(&h);
}
END_TEST

/* ---- HTTP/2 ---- */

static void
frame(struct wbuf *w, uint8_t type, uint8_t flags, const void *p, size_t n)
{
	wb_u8(w, 0);
	wb_u16(w, (uint16_t)n);
	wb_u8(w, type);
	wb_u8(w, flags);
	wb_u32(w, 0);
	wb_bytes(w, p, n);
}

START_TEST(ping_is_answered_among_other_frames)
{
	struct wbuf	 in, out;
	struct h2	 h;
	size_t		 i;

	wb_init(&in, 0);
	wb_init(&out, 0);
	h2_init(&h, 42, &out);
	ck_assert_int_eq(memcmp(out.p, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	    24), 0);
	frame(&in, 4, 0, "\0\3\0\0\0d", 6);
	frame(&in, 8, 0, "\0\0\0\1", 4);
	frame(&in, 6, 1, "otherone", 8);
	frame(&in, 6, 1, h.opaque, 8);
	wb_reset(&out);
	for (i = 0; i < in.len; i++) {
		ck_assert_int_eq(h.state, H2_WAITS);
		h2_feed(&h, in.p + i, 1, &out);
	}
	ck_assert_int_eq(h.state, H2_PONG);
	/* The server's settings were acknowledged, once. */
	ck_assert_uint_eq(out.len, 9);
	ck_assert_uint_eq(out.p[3], 4);
	ck_assert_uint_eq(out.p[4], 1);
	wb_free(&in);
	wb_free(&out);
}
END_TEST

START_TEST(other_protocols_are_not_taken_for_http2)
{
	static const char	*const texts[] = {
		"HTTP/1.1 400 Bad Request\r\n", "220 mail ESMTP\r\n",
		"\0\0\x08\6\1\0\0\0\0********"
	};
	struct wbuf		 out;
	struct h2		 h;

	wb_init(&out, 0);
	h2_init(&h, 42, &out);
	h2_feed(&h, (const uint8_t *)texts[_i], 17, &out);
	ck_assert_int_eq(h.state, H2_BAD);
	wb_free(&out);
}
END_TEST

/* ---- gRPC ---- */

START_TEST(health_messages)
{
	static const struct { const char *p; size_t n; int rc; uint64_t st; }
	    v[] = {
		{ "\0\0\0\0\2\x08\1", 7, 0, HEALTH_SERVING },
		{ "\0\0\0\0\2\x08\2", 7, 0, HEALTH_NOT_SERVING },
		{ "\0\0\0\0\0", 5, 0, HEALTH_UNKNOWN },
		/* Fields of a later version are skipped. */
		{ "\0\0\0\0\7\x12\3abc\x08\1", 12, 0, HEALTH_SERVING },
		{ "\0\0\0\0\2\x08", 6, -1, 0 },
		{ "\0\0\0\0\1\x08\1", 7, -1, 0 },
		{ "\1\0\0\0\2\x08\1", 7, -1, 0 },
		{ "\0\0\0\0\3\x12\x7f" "a", 8, -1, 0 },
		{ "\0\0\0\0\2\x0f\1", 7, -1, 0 },
		{ "", 0, -1, 0 },
	};
	struct wbuf	 w;
	uint64_t	 status;
	char		*text;
	size_t		 i;

	for (i = 0; i < NELEM(v); i++) {
		status = 0;
		ck_assert_int_eq(health_answer((const uint8_t *)v[i].p,
		    v[i].n, &status), v[i].rc);
		ck_assert_uint_eq(status, v[i].st);
	}
	wb_init(&w, 0);
	health_request("web", &w);
	ck_assert_uint_eq(w.len, 10);
	ck_assert_int_eq(memcmp(w.p, "\0\0\0\0\5\x0a\3web", 10), 0);
	wb_reset(&w);
	health_request("", &w);
	ck_assert_uint_eq(w.len, 5);
	wb_free(&w);
	text = health_message("no%20such%2zz%", 14);
	ck_assert_str_eq(text, "no such%2zz%");
	free(text);
	ck_assert_str_eq(health_code(5), "NotFound");
	ck_assert_str_eq(health_code(99), "Unknown");
}
END_TEST

/* ---- targets ---- */

START_TEST(networks_that_may_be_probed)
{
	static const struct { const char *addr; bool ok; } v[] = {
		{ "10.1.2.3", true }, { "11.1.2.3", false },
		{ "192.168.3.255", true }, { "192.168.4.0", false },
		{ "::1", true }, { "::2", false }, { "fd00::5", true },
		{ "::ffff:10.1.1.1", true }, { "::ffff:11.1.1.1", false },
	};
	struct sockaddr_storage	 ss;
	struct strs		 list = { 0 };
	struct nets		 a = { 0 };
	size_t			 i;

	ck_assert_int_eq(addr_parse("8.8.8.8", 0, &ss), 0);
	ck_assert(may_dial(&a, &ss));
	strs_add(&list, "10.0.0.0/8");
	strs_add(&list, "192.168.2.0/23");
	strs_add(&list, "::1/128");
	strs_add(&list, "fd00::/9");
	ck_assert_int_eq(nets_set(&a, &list), 0);
	for (i = 0; i < NELEM(v); i++) {
		ck_assert_int_eq(addr_parse(v[i].addr, 0, &ss), 0);
		ck_assert_msg(may_dial(&a, &ss) == v[i].ok, "%s",
		    v[i].addr);
	}
	strs_add(&list, "10.0.0.0/33");
	ck_assert_int_eq(nets_set(&a, &list), -1);
	strs_clear(&list);
	nets_clear(&a);
}
END_TEST

START_TEST(passwords_are_not_shown)
{
	struct target	 t;
	char		*text, *err;

	ck_assert_int_eq(target_url("http://me:p%40ss@h:81/x?y=1#z", "GET",
	    &t, &err), 0);
	ck_assert_str_eq(t.url, "http://me:xxxxx@h:81/x?y=1#z");
	ck_assert_str_eq(t.path, "/x?y=1");
	ck_assert_str_eq(t.hostport, "h:81");
	ck_assert_str_eq(t.auth, "Basic bWU6cEBzcw==");
	target_clear(&t);
	text = target_redact("http://me:secret@h/");
	ck_assert_str_eq(text, "http://me:xxxxx@h/");
	free(text);
	text = target_redact("http://h/a@b");
	ck_assert_str_eq(text, "http://h/a@b");
	free(text);
	text = target_join("http://me:secret@h/a/b", "../c");
	ck_assert_str_eq(text, "http://me:secret@h/c");
	free(text);
}
END_TEST

int
main(void)
{
	TCase	*tc = unit_case("checkd_answer");

	tcase_add_loop_test(tc, answer_is_read_in_pieces_of_any_size, 0,
	    (int)NELEM(answers));
	tcase_add_test(tc, head_is_bounded);
	tcase_add_test(tc, ping_is_answered_among_other_frames);
	tcase_add_loop_test(tc, other_protocols_are_not_taken_for_http2, 0, 3);
	tcase_add_test(tc, health_messages);
	tcase_add_test(tc, networks_that_may_be_probed);
	tcase_add_test(tc, passwords_are_not_shown);
	return unit_case_run("checkd_answer", tc);
}

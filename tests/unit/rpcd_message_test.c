/*
 * rpcd/rpc_stream: the end of recorded messages is found however they are cut,
 * headers read and written as recorded, nonsense refused.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/util.h"
#include "rpcd/rpc_stream.h"
#include "tests/unit/common_unit.h"

#define VECTORS "tests/vectors/rpc/"

static uint8_t *
read_hex(const char *path, size_t *n)
{
	char	*text, *t, *o;
	uint8_t	*out;
	size_t	 len;

	text = file_read(path, 1 << 22, &len);
	ck_assert_msg(text != NULL, "%s", path);
	for (t = o = text; *t != '\0'; t++)
		if (strchr(" \n\r", *t) == NULL)
			*o++ = *t;
	*n = (size_t)(o - text) / 2;
	out = xmalloc(*n + 1);
	ck_assert_int_eq(hex_decode(text, *n * 2, out), 0);
	free(text);
	return out;
}

/* Reads one message in pieces; what follows it must not be touched. */
static void
check_message(const char *path, size_t piece)
{
	struct rpc_reader	 r;
	struct rpc_header	 h;
	struct wbuf		 w;
	enum rpc_result		 res = RPC_MORE;
	const uint8_t		*body;
	uint8_t			*p;
	size_t			 n, at = 0, k, used, len;

	p = read_hex(path, &n);
	p[n] = 0xc1;		/* the next message: not msgpack */
	rpc_reader_init(&r);
	while (res == RPC_MORE) {
		k = n + 1 - at < piece ? n + 1 - at : piece;
		ck_assert_msg(k > 0, "%s: no end", path);
		res = rpc_reader_feed(&r, p + at, k, &used);
		at += used;
	}
	ck_assert_msg(res == RPC_MESSAGE, "%s", path);
	ck_assert_uint_eq(at, n);
	ck_assert_int_eq(rpc_reader_header(&r, &h), 0);
	body = rpc_reader_body(&r, &len);
	ck_assert_uint_eq(len, n - r.header_len);
	ck_assert_mem_eq(body, p + r.header_len, len);

	wb_init(&w, 0);
	if (strstr(path, ".req.") != NULL)
		rpc_put_request(&w, h.seq, h.method, h.via);
	else
		rpc_put_answer(&w, h.seq, h.method, h.error);
	ck_assert_uint_eq(w.len, r.header_len);
	/* A hand-made client wrote its two keys in another order. */
	if (w.p[1] == p[1] && w.p[2] == p[2])
		ck_assert_msg(memcmp(w.p, p, w.len) == 0, "%s", path);
	wb_free(&w);
	rpc_header_clear(&h);
	rpc_reader_clear(&r);
	free(p);
}

START_TEST(recorded_messages_end_where_they_do)
{
	glob_t	 g;
	size_t	 i;

	ck_assert_int_eq(glob(VECTORS "*.re[qs]*.hex", 0, NULL, &g), 0);
	ck_assert_uint_gt(g.gl_pathc, 150);
	for (i = 0; i < g.gl_pathc; i++) {
		check_message(g.gl_pathv[i], 1);
		check_message(g.gl_pathv[i], 7);
		check_message(g.gl_pathv[i], 1 << 20);
	}
	globfree(&g);
}
END_TEST

START_TEST(error_and_method_are_read)
{
	static const uint8_t	 msg[] = "\x84\xa5""Error\xa3""bad"
	    "\xa3""Seq\xcd\x01\x02\xadServiceMethod\xa3""A.B"
	    "\xa4More\x92\x01\xc0\x80";
	struct rpc_reader	 r;
	struct rpc_header	 h;
	size_t			 used, len;

	rpc_reader_init(&r);
	ck_assert_int_eq(rpc_reader_feed(&r, msg, sizeof(msg) - 1, &used),
	    RPC_MESSAGE);
	ck_assert_int_eq(rpc_reader_header(&r, &h), 0);
	ck_assert_str_eq(h.error, "bad");
	ck_assert_str_eq(h.method, "A.B");
	ck_assert_uint_eq(h.seq, 0x102);
	(void)rpc_reader_body(&r, &len);
	ck_assert_uint_eq(len, 1);
	rpc_header_clear(&h);
	rpc_reader_clear(&r);
}
END_TEST

static const struct {
	const char	*what, *bytes;
	size_t		 n;
} bads[] = {
	{ "reserved byte", "\xc1", 1 },
	{ "array longer than any message", "\xdd\xff\xff\xff\xff", 5 },
	{ "map longer than any message", "\xdf\x80\x00\x00\x00", 5 },
	{ "text longer than a header", "\xdb\x00\x02\x00\x00", 5 },
	{ "text longer than any message", "\xdb\xff\xff\xff\xff", 5 },
};

START_TEST(nonsense_is_refused_at_once)
{
	struct rpc_reader	 r;
	size_t			 used;

	rpc_reader_init(&r);
	ck_assert_msg(rpc_reader_feed(&r, (const uint8_t *)bads[_i].bytes,
	    bads[_i].n, &used) == RPC_BAD, "%s", bads[_i].what);
	rpc_reader_clear(&r);
}
END_TEST

START_TEST(nesting_is_bounded)
{
	struct mp_scan	 s;
	uint8_t		 deep[MP_DEPTH_MAX + 1];
	size_t		 used;

	memset(deep, 0x91, sizeof(deep));
	mp_scan_init(&s, 1000);
	ck_assert_int_eq(mp_scan_feed(&s, deep, MP_DEPTH_MAX, &used),
	    SCAN_MORE);
	mp_scan_init(&s, 1000);
	ck_assert_int_eq(mp_scan_feed(&s, deep, sizeof(deep), &used),
	    SCAN_BAD);
}
END_TEST

START_TEST(length_is_bounded)
{
	struct mp_scan	 s;
	size_t		 used;

	mp_scan_init(&s, 4);
	ck_assert_int_eq(mp_scan_feed(&s, (const uint8_t *)"\x94\1\2\3\4", 5,
	    &used), SCAN_BAD);
	mp_scan_init(&s, 5);
	ck_assert_int_eq(mp_scan_feed(&s, (const uint8_t *)"\x94\1\2\3\4", 5,
	    &used), SCAN_DONE);
}
END_TEST

START_TEST(header_must_be_a_map)
{
	struct rpc_reader	 r;
	struct rpc_header	 h;
	size_t			 used;

	rpc_reader_init(&r);
	ck_assert_int_eq(rpc_reader_feed(&r, (const uint8_t *)"\x90\x80", 2,
	    &used), RPC_MESSAGE);
	ck_assert_int_eq(rpc_reader_header(&r, &h), -1);
	rpc_reader_clear(&r);
	/* A NUL in the method would hide what follows it. */
	ck_assert_int_eq(rpc_reader_feed(&r, (const uint8_t *)
	    "\x81\xadServiceMethod\xa4""A\0.B\x80", 21, &used), RPC_MESSAGE);
	ck_assert_int_eq(rpc_reader_header(&r, &h), -1);
	rpc_reader_clear(&r);
}
END_TEST

START_TEST(inner_methods_are_refused_from_the_network)
{
	char	buf[RPC_METHOD_MAX + 64];

	ck_assert_str_eq(rpc_method_refusal("Agent.Services", buf,
	    sizeof(buf)), "rpc: can't find service Agent.Services");
	ck_assert_str_eq(rpc_method_refusal("Parent.Status", buf,
	    sizeof(buf)), "rpc: can't find service Parent.Status");
	ck_assert_str_eq(rpc_method_refusal("Gossip.Join", buf, sizeof(buf)),
	    "rpc: can't find service Gossip.Join");
	ck_assert_str_eq(rpc_method_refusal("Ping", buf, sizeof(buf)),
	    "rpc: service/method request ill-formed: Ping");
	ck_assert_ptr_null(rpc_method_refusal("Status.Ping", buf,
	    sizeof(buf)));
	ck_assert(rpc_error_closes("rpc: can't find method Status.Pong"));
	ck_assert(!rpc_error_closes("No cluster leader"));
}
END_TEST

int
main(void)
{
	TCase	*tc = unit_case("rpcd_message");

	tcase_add_test(tc, recorded_messages_end_where_they_do);
	tcase_add_test(tc, error_and_method_are_read);
	tcase_add_loop_test(tc, nonsense_is_refused_at_once, 0,
	    (int)NELEM(bads));
	tcase_add_test(tc, nesting_is_bounded);
	tcase_add_test(tc, length_is_bounded);
	tcase_add_test(tc, header_must_be_a_map);
	tcase_add_test(tc, inner_methods_are_refused_from_the_network);
	return unit_case_run("rpcd_message", tc);
}

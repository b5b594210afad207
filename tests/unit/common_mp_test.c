/*
 * msgpack in both dialects, and input that lies about its size.
 */
#include <stdlib.h>
#include <string.h>

#include "common/mp.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

/* Bytes as hex: how rpc.md 2.1 says it. */
static void
ck_hex(struct wbuf *w, const char *want)
{
	char	*hex = xmalloc(2 * w->len + 1);

	ck_assert(!w->err);
	hex_encode(w->p, w->len, hex);
	ck_assert_str_eq(hex, want);
	free(hex);
	wb_reset(w);
}

static void
from_hex(struct rbuf *r, const char *hex, uint8_t *buf)
{
	ck_assert_int_eq(hex_decode(hex, strlen(hex), buf), 0);
	rb_init(r, buf, strlen(hex) / 2);
}

START_TEST(integers_take_the_shortest_form)
{
	static const struct { int64_t v; const char *hex; } t[] = {
		{ 0, "00" }, { 127, "7f" }, { 128, "cc80" },
		{ 255, "ccff" }, { 256, "cd0100" }, { 65535, "cdffff" },
		{ 65536, "ce00010000" }, { 4294967295, "ceffffffff" },
		{ 4294967296, "cf0000000100000000" },
		{ -1, "ff" }, { -32, "e0" }, { -33, "d0df" },
		{ -128, "d080" }, { -129, "d1ff7f" },
		{ -32769, "d2ffff7fff" },
		{ INT64_MIN, "d38000000000000000" }
	};
	struct wbuf	 w;
	struct rbuf	 r;
	uint8_t		 buf[16];
	size_t		 i;

	wb_init(&w, 0);
	for (i = 0; i < NELEM(t); i++) {
		mp_int(&w, t[i].v);
		ck_hex(&w, t[i].hex);
		from_hex(&r, t[i].hex, buf);
		ck_assert_int_eq(mp_get_int(&r), t[i].v);
		ck_assert(rb_done(&r));
	}
	mp_uint(&w, UINT64_MAX);
	ck_hex(&w, "cfffffffffffffffff");
	wb_free(&w);
}
END_TEST

START_TEST(strings_are_raw_of_the_old_dialect)
{
	struct wbuf	 w;
	char		 s[40];

	wb_init(&w, 0);
	memset(s, 'x', sizeof(s));
	mp_str(&w, NULL);
	ck_hex(&w, "a0");
	mp_raw(&w, s, 31);
	ck_assert_uint_eq(w.p[0], 0xbf);
	wb_reset(&w);
	mp_raw(&w, s, 32);
	ck_assert_mem_eq(w.p, "\xda\x00\x20x", 4);
	wb_reset(&w);
	mp_new_str(&w, "ab");
	mp_new_bin(&w, "cd", 2);
	ck_hex(&w, "a26162c4026364");
	wb_free(&w);
}
END_TEST

START_TEST(strings_of_either_dialect_are_read)
{
	static const char *const	 t[] = {
		"a26869", "d9026869", "da00026869", "db000000026869",
		"c4026869", "c500026869", "c6000000026869"
	};
	struct rbuf	 r;
	uint8_t		 buf[16];
	const uint8_t	*p;
	size_t		 i, n;

	for (i = 0; i < NELEM(t); i++) {
		from_hex(&r, t[i], buf);
		ck_assert_int_eq(mp_peek(&r), MP_RAW);
		p = mp_get_raw(&r, &n);
		ck_assert_uint_eq(n, 2);
		ck_assert_mem_eq(p, "hi", 2);
		ck_assert(rb_done(&r));
	}
}
END_TEST

START_TEST(nil_reads_as_zero_of_any_type)
{
	struct rbuf	 r;
	size_t		 n;

	rb_init(&r, "\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0", 8);
	ck_assert_int_eq(mp_get_int(&r), 0);
	ck_assert_uint_eq(mp_get_uint(&r), 0);
	ck_assert(!mp_get_bool(&r));
	ck_assert(mp_get_double(&r) == 0);
	ck_assert_ptr_null(mp_get_raw(&r, &n));
	ck_assert_uint_eq(mp_get_array(&r), 0);
	ck_assert_uint_eq(mp_get_map(&r), 0);
	ck_assert(mp_get_nil(&r));
	ck_assert(!mp_get_nil(&r));
	ck_assert(rb_done(&r));
}
END_TEST

START_TEST(bools_come_from_zero_and_one_too)
{
	struct rbuf	 r;

	rb_init(&r, "\x00\x01\xc2\xc3\x02", 5);
	ck_assert(!mp_get_bool(&r));
	ck_assert(mp_get_bool(&r));
	ck_assert(!mp_get_bool(&r));
	ck_assert(mp_get_bool(&r));
	ck_assert(!mp_get_bool(&r));
	ck_assert_str_eq(r.err, "not a bool");
}
END_TEST

START_TEST(numbers_convert_only_where_nothing_is_lost)
{
	struct rbuf	 r;
	uint8_t		 buf[16];

	from_hex(&r, "03", buf);
	ck_assert(mp_get_double(&r) == 3);
	from_hex(&r, "ff", buf);
	ck_assert(mp_get_double(&r) == -1);
	from_hex(&r, "ca3f000000", buf);
	ck_assert(mp_get_double(&r) == 0.5);
	from_hex(&r, "cb3fe0000000000000", buf);
	ck_assert(mp_get_double(&r) == 0.5);
	from_hex(&r, "cb3fe0000000000000", buf);
	(void)mp_get_int(&r);
	ck_assert_str_eq(r.err, "not an integer");
	from_hex(&r, "ff", buf);
	(void)mp_get_uint(&r);
	ck_assert_str_eq(r.err, "negative integer");
	from_hex(&r, "cfffffffffffffffff", buf);
	(void)mp_get_int(&r);
	ck_assert_str_eq(r.err, "integer too large");
}
END_TEST

START_TEST(counts_never_exceed_the_bytes_left)
{
	struct rbuf	 r;

	rb_init(&r, "\xdd\xff\xff\xff\xff" "abc", 8);
	ck_assert_uint_eq(mp_get_array(&r), 0);
	ck_assert(r.more);
	rb_init(&r, "\x82" "abc", 4);
	ck_assert_uint_eq(mp_get_map(&r), 0);
	ck_assert(r.more);
	rb_init(&r, "\x81" "ab", 3);
	ck_assert_uint_eq(mp_get_map(&r), 1);
	ck_assert(rb_ok(&r));
}
END_TEST

START_TEST(skips_any_value)
{
	static const char *const	 t[] = {
		"c0", "c2", "07", "d3ffffffffffffffff", "ca00000000",
		"a3616263", "93010203", "82a16101a16290", "8181c0c0c0",
		"d40100", "d80100000000000000000000000000000000",
		"c7020161ff", "c800010500", "c9000000010500"
	};
	struct rbuf	 r;
	uint8_t		 buf[32];
	size_t		 i;

	for (i = 0; i < NELEM(t); i++) {
		from_hex(&r, t[i], buf);
		mp_skip(&r);
		ck_assert_msg(rb_done(&r), "%s: %s", t[i], r.err);
	}
	rb_init(&r, "\xc1", 1);
	mp_skip(&r);
	ck_assert(!rb_ok(&r) && !r.more);
	rb_init(&r, "", 0);
	mp_skip(&r);
	ck_assert(r.more);
}
END_TEST

START_TEST(nesting_is_bounded)
{
	uint8_t		 deep[200];
	struct rbuf	 r;

	memset(deep, 0x91, sizeof(deep));
	deep[MP_DEPTH_MAX - 1] = 0xc0;
	rb_init(&r, deep, MP_DEPTH_MAX);
	mp_skip(&r);
	ck_assert(rb_done(&r));
	deep[MP_DEPTH_MAX - 1] = 0x91;
	rb_init(&r, deep, sizeof(deep));
	mp_skip(&r);
	ck_assert_str_eq(r.err, "nested too deep");
}
END_TEST

UNIT_MAIN("common_mp",
    integers_take_the_shortest_form,
    strings_are_raw_of_the_old_dialect,
    strings_of_either_dialect_are_read,
    nil_reads_as_zero_of_any_type,
    bools_come_from_zero_and_one_too,
    numbers_convert_only_where_nothing_is_lost,
    counts_never_exceed_the_bytes_left,
    skips_any_value,
    nesting_is_bounded)

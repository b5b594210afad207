/*
 * The cursors: what sticks, what is short, what does not fit.
 */
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "tests/unit/common_unit.h"

START_TEST(reads_big_endian_integers_in_order)
{
	static const uint8_t	 in[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
				    12, 13, 14, 15, 16 };
	struct rbuf		 r;

	rb_init(&r, in, sizeof(in));
	ck_assert_uint_eq(rb_u8(&r), 1);
	ck_assert_uint_eq(rb_u16(&r), 0x0203);
	ck_assert_uint_eq(rb_u32(&r), 0x04050607);
	ck_assert(!rb_done(&r));
	ck_assert_uint_eq(rb_u64(&r), 0x08090a0b0c0d0e0full);
	ck_assert_ptr_eq(rb_bytes(&r, 1), in + 15);
	ck_assert(rb_done(&r));
}
END_TEST

START_TEST(a_short_read_sticks_and_says_that_more_may_help)
{
	struct rbuf	 r;

	rb_init(&r, "abc", 3);
	ck_assert_uint_eq(rb_u32(&r), 0);
	ck_assert_str_eq(r.err, "short");
	ck_assert(r.more);
	ck_assert_ptr_null(rb_bytes(&r, 0));
	ck_assert_uint_eq(rb_u8(&r), 0);
	rb_fail(&r, "later");
	ck_assert_str_eq(r.err, "short");
	ck_assert(!rb_ok(&r) && !rb_done(&r));
}
END_TEST

START_TEST(a_failure_is_not_short)
{
	struct rbuf	 r;

	rb_init(&r, "abc", 3);
	rb_fail(&r, "bad");
	ck_assert_str_eq(r.err, "bad");
	ck_assert(!r.more);
	ck_assert_uint_eq(r.n, 0);
}
END_TEST

START_TEST(a_length_near_the_end_of_memory_is_short)
{
	struct rbuf	 r;

	rb_init(&r, "abc", 3);
	ck_assert_ptr_null(rb_bytes(&r, SIZE_MAX));
	ck_assert(r.more);
}
END_TEST

START_TEST(writes_what_it_reads)
{
	struct wbuf	 w;
	struct rbuf	 r;

	wb_init(&w, 0);
	wb_u8(&w, 0xfe);
	wb_u16(&w, 0xfedc);
	wb_u32(&w, 0xfedcba98);
	wb_u64(&w, 0xfedcba9876543210ull);
	wb_str(&w, "hello");
	wb_printf(&w, " %d", 42);
	rb_init(&r, w.p, w.len);
	ck_assert_uint_eq(rb_u8(&r), 0xfe);
	ck_assert_uint_eq(rb_u16(&r), 0xfedc);
	ck_assert_uint_eq(rb_u32(&r), 0xfedcba98);
	ck_assert_uint_eq(rb_u64(&r), 0xfedcba9876543210ull);
	ck_assert_mem_eq(rb_bytes(&r, 8), "hello 42", 8);
	ck_assert(rb_done(&r));
	wb_free(&w);
}
END_TEST

START_TEST(what_does_not_fit_is_an_error_and_not_written)
{
	struct wbuf	 w;

	wb_init(&w, 4);
	wb_bytes(&w, "abcd", 4);
	ck_assert(!w.err);
	wb_u8(&w, 'e');
	ck_assert(w.err);
	ck_assert_uint_eq(w.len, 4);
	ck_assert_ptr_null(wb_reserve(&w, 0));
	wb_reset(&w);
	wb_str(&w, "xy");
	ck_assert(!w.err);
	ck_assert_uint_eq(w.len, 2);
	wb_free(&w);
}
END_TEST

START_TEST(text_is_detached_with_its_end)
{
	struct wbuf	 w;
	char		*s;

	wb_init(&w, 0);
	s = wb_detach_str(&w);
	ck_assert_str_eq(s, "");
	free(s);
	wb_str(&w, "text");
	s = wb_detach_str(&w);
	ck_assert_str_eq(s, "text");
	ck_assert_uint_eq(w.len, 0);
	free(s);
	wb_free(&w);
}
END_TEST

UNIT_MAIN("common_wire",
    reads_big_endian_integers_in_order,
    a_short_read_sticks_and_says_that_more_may_help,
    a_failure_is_not_short,
    a_length_near_the_end_of_memory_is_short,
    writes_what_it_reads,
    what_does_not_fit_is_an_error_and_not_written,
    text_is_detached_with_its_end)

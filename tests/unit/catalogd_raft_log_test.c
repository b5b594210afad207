/*
 * The log's bytes: what a crash may leave at the end of a segment, what is
 * damage, metadata and snapshots.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/raft_log.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

struct seen { size_t n; uint64_t last; size_t bytes; };

static void
on_entry(const struct log_entry *e, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->last = e->index;
	s->bytes += e->len;
}

static void
add_frame(struct wbuf *seg, uint64_t first, uint32_t count, size_t len)
{
	struct log_entry e;
	struct wbuf f;
	uint8_t *p;
	uint32_t i;

	p = xmalloc(len + 1);
	memset(p, 'x', len);
	wb_init(&f, 0);
	log_frame_begin(&f, first);
	memset(&e, 0, sizeof(e));
	e.term = 1;
	e.type = 1;
	e.p = p;
	e.len = len;
	for (i = 0; i < count; i++)
		log_frame_add(&f, &e);
	log_frame_end(&f, count);
	wb_bytes(seg, f.p, f.len);
	wb_free(&f);
	free(p);
}

static void
three_frames(struct wbuf *seg)
{
	wb_init(seg, 0);
	log_segment_head(seg, 1);
	add_frame(seg, 1, 2, 100);
	add_frame(seg, 3, 1, 700);
	add_frame(seg, 4, 3, 900);
}

static enum log_result
scan(const struct wbuf *seg, size_t len, bool last, struct seen *s,
    size_t *good)
{
	const char *why;
	enum log_result r;

	memset(s, 0, sizeof(*s));
	r = log_scan(seg->p, len, 1, last, on_entry, s, good, &why);
	ck_assert(r == LOG_OK || why != NULL);
	return r;
}

START_TEST(segment_reads_back_as_written)
{
	struct wbuf seg;
	struct seen s;
	size_t good;

	three_frames(&seg);
	ck_assert_int_eq(scan(&seg, seg.len, true, &s, &good), LOG_OK);
	ck_assert_uint_eq(good, seg.len);
	ck_assert_uint_eq(s.n, 6);
	ck_assert_uint_eq(s.last, 6);
	ck_assert_uint_eq(s.bytes, 2 * 100 + 700 + 3 * 900);
	wb_free(&seg);
}
END_TEST

START_TEST(file_that_ends_in_its_last_frame_is_torn_there)
{
	struct wbuf seg;
	struct seen s;
	size_t good, n, last_frame;

	three_frames(&seg);
	last_frame = seg.len - (LOG_FRAME_HEAD + 3 * (13 + 900) + 1);
	for (n = last_frame + 1; n < seg.len; n++) {
		ck_assert_int_eq(scan(&seg, n, true, &s, &good), LOG_TORN);
		ck_assert_uint_eq(good, last_frame);
		ck_assert_uint_eq(s.n, 3);
		/* The same in an older segment was synced once. */
		ck_assert_int_eq(scan(&seg, n, false, &s, &good), LOG_DAMAGED);
	}
	wb_free(&seg);
}
END_TEST

START_TEST(blocks_that_never_arrived_are_torn)
{
	struct wbuf seg;
	struct seen s;
	size_t good, at, last_frame;

	three_frames(&seg);
	last_frame = seg.len - (LOG_FRAME_HEAD + 3 * (13 + 900) + 1);
	for (at = (last_frame / 512 + 1) * 512; at + 512 <= seg.len;
	    at += 512) {
		struct wbuf copy;

		wb_init(&copy, 0);
		wb_bytes(&copy, seg.p, seg.len);
		memset(copy.p + at, 0, 512);
		ck_assert_int_eq(scan(&copy, copy.len, true, &s, &good),
		    LOG_TORN);
		ck_assert_uint_eq(good, last_frame);
		wb_free(&copy);
	}
	wb_free(&seg);
}
END_TEST

/* Anywhere, the last frame included: all of it was acknowledged. */
START_TEST(flipped_byte_refuses)
{
	struct wbuf seg;
	struct seen s;
	size_t good, i;

	three_frames(&seg);
	for (i = 0; i < seg.len; i++) {
		seg.p[i] ^= 0x41;
		ck_assert_msg(scan(&seg, seg.len, true, &s, &good) ==
		    LOG_DAMAGED, "byte %zu", i);
		seg.p[i] ^= 0x41;
	}
	wb_free(&seg);
}
END_TEST

/* ---- with space that was taken ahead ---- */

#define AHEAD 3000

static size_t
add_zeros(struct wbuf *seg)
{
	static const uint8_t zeros[AHEAD];
	size_t len = seg->len;

	wb_bytes(seg, zeros, sizeof(zeros));
	return len;
}

START_TEST(zeros_behind_the_last_frame_are_the_end)
{
	struct wbuf seg;
	struct seen s;
	size_t good, end, n;

	three_frames(&seg);
	end = add_zeros(&seg);
	for (n = end; n <= seg.len; n++) {
		ck_assert_int_eq(scan(&seg, n, true, &s, &good), LOG_OK);
		ck_assert_uint_eq(good, end);
		ck_assert_uint_eq(s.n, 6);
	}
	/* Of an older one too: a crash may come before it is cut. */
	ck_assert_int_eq(scan(&seg, seg.len, false, &s, &good), LOG_OK);
	ck_assert_uint_eq(good, end);
	seg.p[seg.len - 1] = 1;
	ck_assert_int_eq(scan(&seg, seg.len, false, &s, &good), LOG_DAMAGED);
	wb_free(&seg);
}
END_TEST

START_TEST(file_of_zeros_never_had_its_header)
{
	struct wbuf seg;
	struct seen s;
	size_t good;

	wb_init(&seg, 0);
	(void)add_zeros(&seg);
	ck_assert_int_eq(scan(&seg, seg.len, true, &s, &good), LOG_TORN);
	ck_assert_uint_eq(good, 0);
	ck_assert_int_eq(scan(&seg, seg.len, false, &s, &good), LOG_DAMAGED);
	wb_free(&seg);
}
END_TEST

START_TEST(flipped_byte_before_the_zeros_refuses)
{
	struct wbuf seg;
	struct seen s;
	size_t good, end, i;

	three_frames(&seg);
	end = add_zeros(&seg);
	for (i = 0; i < end; i++) {
		seg.p[i] ^= 0x41;
		ck_assert_msg(scan(&seg, seg.len, true, &s, &good) ==
		    LOG_DAMAGED, "byte %zu", i);
		seg.p[i] ^= 0x41;
	}
	wb_free(&seg);
}
END_TEST

/* Any blocks of the last frame, its first one included. */
START_TEST(frame_of_which_blocks_never_arrived_is_torn_before_the_zeros)
{
	struct wbuf seg, copy;
	struct seen s;
	size_t good, end, at, from, last_frame;
	unsigned mask;

	three_frames(&seg);
	last_frame = seg.len - (LOG_FRAME_HEAD + 3 * (13 + 900) + 1);
	end = add_zeros(&seg);
	for (mask = 1; mask < 64; mask++) {
		wb_init(&copy, 0);
		wb_bytes(&copy, seg.p, seg.len);
		for (at = last_frame / 512 * 512; at < end; at += 512) {
			if ((mask >> (at - last_frame / 512 * 512) / 512 & 1) ==
			    0)
				continue;
			from = at < last_frame ? last_frame : at;
			memset(copy.p + from, 0, at + 512 - from);
		}
		/* All of them: there was no such frame. */
		ck_assert_int_eq(scan(&copy, copy.len, true, &s, &good),
		    memcmp(copy.p + last_frame, seg.p + end, AHEAD) == 0 ?
		    LOG_OK : LOG_TORN);
		ck_assert_uint_eq(good, last_frame);
		ck_assert_uint_eq(s.n, 3);
		wb_free(&copy);
	}
	wb_free(&seg);
}
END_TEST

START_TEST(later_entries_replace_what_conflicts)
{
	struct wbuf seg;
	struct seen s;
	size_t good;

	three_frames(&seg);
	add_frame(&seg, 5, 1, 10);
	add_frame(&seg, 6, 1, 10);
	ck_assert_int_eq(scan(&seg, seg.len, true, &s, &good), LOG_OK);
	ck_assert_uint_eq(s.last, 6);
	add_frame(&seg, 9, 1, 10);
	ck_assert_int_eq(scan(&seg, seg.len, true, &s, &good), LOG_DAMAGED);
	wb_free(&seg);
}
END_TEST

START_TEST(metadata_and_snapshots_check_out_or_are_refused)
{
	struct log_meta m = { 7, 8, 9, 10, META_HAS_LOG, 11 }, m2;
	struct log_snapshot s, s2;
	struct wbuf w;
	size_t i;

	wb_init(&w, 0);
	log_meta_encode(&w, &m);
	ck_assert_int_eq(log_meta_decode(w.p, w.len, &m2), 0);
	ck_assert_uint_eq(m2.id, 7);
	ck_assert_uint_eq(m2.term, 8);
	ck_assert_uint_eq(m2.vote, 9);
	ck_assert_uint_eq(m2.flags, META_HAS_LOG);
	ck_assert_uint_eq(m2.last, 11);
	for (i = 0; i < w.len; i++) {
		w.p[i] ^= 1;
		ck_assert_int_eq(log_meta_decode(w.p, w.len, &m2), -1);
		w.p[i] ^= 1;
	}
	memset(&s, 0, sizeof(s));
	s.index = 5;
	s.term = 2;
	s.conf = (const uint8_t *)"conf";
	s.conf_len = 4;
	s.data = (const uint8_t *)"data!";
	s.data_len = 5;
	log_snapshot_head(&w, &s);
	wb_bytes(&w, s.data, s.data_len);
	ck_assert_int_eq(log_snapshot_decode(w.p, w.len, &s2), 0);
	ck_assert_uint_eq(s2.data_len, 5);
	ck_assert_mem_eq(s2.data, "data!", 5);
	for (i = 0; i < w.len; i++) {
		w.p[i] ^= 1;
		ck_assert_int_eq(log_snapshot_decode(w.p, w.len, &s2), -1);
		w.p[i] ^= 1;
		ck_assert_int_eq(log_snapshot_decode(w.p, i, &s2), -1);
	}
	wb_free(&w);
}
END_TEST

UNIT_MAIN("catalogd_raft_log",
    segment_reads_back_as_written,
    file_that_ends_in_its_last_frame_is_torn_there,
    blocks_that_never_arrived_are_torn,
    flipped_byte_refuses,
    zeros_behind_the_last_frame_are_the_end,
    file_of_zeros_never_had_its_header,
    flipped_byte_before_the_zeros_refuses,
    frame_of_which_blocks_never_arrived_is_torn_before_the_zeros,
    later_entries_replace_what_conflicts,
    metadata_and_snapshots_check_out_or_are_refused)

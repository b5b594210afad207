/*
 * The bytes of log, metadata and snapshots: see raft_log.h.
 */
#include "catalogd/raft_log.h"

#include <string.h>
#include <zlib.h>

#define SEGMENT_MAGIC "DISCOLG1"
#define META_MAGIC "DISCOMD3"
#define META_MAGIC_2 "DISCOMD2"
#define META_MAGIC_1 "DISCOMD1"
#define SNAPSHOT_MAGIC "DISCOSN1"
#define FRAME_MAGIC 0xd15c0f3au
#define FRAME_END 0xa5		/* no frame ends in a zero block */
#define DISK_BLOCK 512		/* what a disk writes whole or not at all */
#define META_LEN 56
#define META_LEN_2 48
#define META_LEN_1 40
#define SNAPSHOT_HEAD 52

static uint32_t
crc(const uint8_t *p, size_t n)
{
	return (uint32_t)crc32_z(0, p, n);
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* ---- writing ---- */

void
log_segment_head(struct wbuf *w, uint64_t first)
{
	size_t at = w->len;

	wb_bytes(w, SEGMENT_MAGIC, 8);
	wb_u64(w, first);
	wb_u32(w, 0);
	wb_u32(w, crc(w->p + at, LOG_SEGMENT_HEAD - 4));
}

void
log_frame_begin(struct wbuf *w, uint64_t first)
{
	wb_reset(w);
	wb_u32(w, FRAME_MAGIC);
	wb_u32(w, 0);
	wb_u64(w, first);
	wb_u64(w, 0);
	wb_u64(w, 0);
}

void
log_frame_add(struct wbuf *w, const struct log_entry *e)
{
	wb_u64(w, e->term);
	wb_u8(w, e->type);
	wb_u32(w, (uint32_t)e->len);
	wb_bytes(w, e->p, e->len);
}

void
log_frame_end(struct wbuf *w, uint32_t count)
{
	wb_u8(w, FRAME_END);
	put_u32(w->p + 4, (uint32_t)(w->len - LOG_FRAME_HEAD));
	put_u32(w->p + 16, count);
	put_u32(w->p + 20, crc(w->p + LOG_FRAME_HEAD, w->len - LOG_FRAME_HEAD));
	put_u32(w->p + 28, crc(w->p, LOG_FRAME_HEAD - 4));
}

/* ---- reading ---- */

struct frame {
	uint64_t first;
	uint32_t body, count, body_crc;
};

static bool
frame_head(const uint8_t *p, size_t n, struct frame *f)
{
	struct rbuf r;

	if (n < LOG_FRAME_HEAD)
		return false;
	rb_init(&r, p, LOG_FRAME_HEAD);
	if (rb_u32(&r) != FRAME_MAGIC)
		return false;
	f->body = rb_u32(&r);
	f->first = rb_u64(&r);
	f->count = rb_u32(&r);
	f->body_crc = rb_u32(&r);
	rb_u32(&r);
	return rb_u32(&r) == crc(p, LOG_FRAME_HEAD - 4) &&
	    f->body <= LOG_FRAME_MAX && f->body > 0 && f->first > 0;
}

/* The part of a disk block within [from, to) that is all zero never arrived. */
static bool
block_missing(const uint8_t *p, size_t from, size_t to)
{
	size_t at, end, i;

	for (at = from; at < to; at = end) {
		end = (at / DISK_BLOCK + 1) * DISK_BLOCK;
		if (end > to)
			end = to;
		for (i = at; i < end && p[i] == 0; i++)
			;
		if (i == end)
			return true;
	}
	return false;
}

/* Any whole header behind this point was written after it was synced. */
static bool
frame_follows(const uint8_t *p, size_t n, size_t at)
{
	struct frame f;

	for (; n - at >= LOG_FRAME_HEAD; at++)
		if (p[at] == (FRAME_MAGIC >> 24) &&
		    frame_head(p + at, n - at, &f))
			return true;
	return false;
}

/* Behind the last byte that is not zero; at, if there is none. */
static size_t
used_to(const uint8_t *p, size_t n, size_t at)
{
	while (n > at && p[n - 1] == 0)
		n--;
	return n;
}

/* What is at `at` does not check out: the end, torn, or damaged? */
static enum log_result
judge(const uint8_t *p, size_t n, size_t at, bool last, const char **why)
{
	size_t used = used_to(p, n, at), end;
	struct frame f;
	bool head;

	if (used == at)
		return LOG_OK;
	*why = "a record does not check out";
	if (!last || frame_follows(p, n, at + 1))
		return LOG_DAMAGED;
	head = frame_head(p + at, n - at, &f);
	if (n - at < LOG_FRAME_HEAD ||
	    (head && f.body > n - at - LOG_FRAME_HEAD))
		return LOG_TORN;
	/* Without its head: up to its last byte, which is none of the zeros. */
	end = at + LOG_FRAME_HEAD;
	if (head)
		end += f.body;
	else if (end < used)
		end = used;
	return block_missing(p, at, end) ? LOG_TORN : LOG_DAMAGED;
}

static bool
frame_entries(const uint8_t *body, const struct frame *f, log_entry_fn *fn,
    void *arg)
{
	struct log_entry e;
	struct rbuf r;
	uint32_t i;

	rb_init(&r, body, f->body);
	for (i = 0; i < f->count && rb_ok(&r); i++) {
		e.index = f->first + i;
		e.term = rb_u64(&r);
		e.type = rb_u8(&r);
		e.len = rb_u32(&r);
		e.p = rb_bytes(&r, e.len);
		if (rb_ok(&r) && fn != NULL)
			fn(&e, arg);
	}
	return rb_u8(&r) == FRAME_END && rb_done(&r);
}

enum log_result
log_scan(const uint8_t *p, size_t n, uint64_t first, bool last,
    log_entry_fn *fn, void *arg, size_t *good, const char **why)
{
	struct frame f;
	uint64_t next = first;
	size_t at;

	*good = 0;
	*why = NULL;
	if (n < LOG_SEGMENT_HEAD) {
		*why = "the file is too short";
		return last ? LOG_TORN : LOG_DAMAGED;
	}
	if (crc(p, LOG_SEGMENT_HEAD - 4) !=
	    ((uint32_t)p[20] << 24 | (uint32_t)p[21] << 16 |
	    (uint32_t)p[22] << 8 | p[23]) ||
	    memcmp(p, SEGMENT_MAGIC, 8) != 0) {
		*why = "the header does not check out";
		return last && used_to(p, n, 0) == 0 ? LOG_TORN : LOG_DAMAGED;
	}
	for (at = LOG_SEGMENT_HEAD; *good = at, at < n;
	    at += LOG_FRAME_HEAD + f.body) {
		if (!frame_head(p + at, n - at, &f) ||
		    f.body > n - at - LOG_FRAME_HEAD ||
		    crc(p + at + LOG_FRAME_HEAD, f.body) != f.body_crc)
			return judge(p, n, at, last, why);
		if (f.first > next || f.first < first ||
		    !frame_entries(p + at + LOG_FRAME_HEAD, &f, fn, arg)) {
			*why = "records are missing or out of order";
			return LOG_DAMAGED;
		}
		next = f.first + f.count;
	}
	return LOG_OK;
}

/* ---- metadata and snapshots ---- */

void
log_meta_encode(struct wbuf *w, const struct log_meta *m)
{
	wb_reset(w);
	wb_bytes(w, META_MAGIC, 8);
	wb_u64(w, m->id);
	wb_u64(w, m->term);
	wb_u64(w, m->vote);
	wb_u64(w, m->cluster);
	wb_u64(w, m->last);
	wb_u32(w, m->flags);
	wb_u32(w, crc(w->p, META_LEN - 4));
}

int
log_meta_decode(const uint8_t *p, size_t n, struct log_meta *m)
{
	struct rbuf r;
	bool first, second;

	first = n == META_LEN_1 && memcmp(p, META_MAGIC_1, 8) == 0;
	second = n == META_LEN_2 && memcmp(p, META_MAGIC_2, 8) == 0;
	if (!first && !second &&
	    (n != META_LEN || memcmp(p, META_MAGIC, 8) != 0))
		return -1;
	rb_init(&r, p + 8, n - 8);
	m->id = rb_u64(&r);
	m->term = rb_u64(&r);
	m->vote = rb_u64(&r);
	m->cluster = first ? 0 : rb_u64(&r);
	m->last = first || second ? 0 : rb_u64(&r);
	m->flags = rb_u32(&r);
	return rb_u32(&r) == crc(p, n - 4) && m->id != 0 ? 0 : -1;
}

void
log_snapshot_head(struct wbuf *w, const struct log_snapshot *s)
{
	uLong sum;

	sum = crc32_z(0, s->conf, s->conf_len);
	if (s->data_len > 0) /* a null pointer would begin anew */
		sum = crc32_z(sum, s->data, s->data_len);
	wb_reset(w);
	wb_bytes(w, SNAPSHOT_MAGIC, 8);
	wb_u64(w, s->index);
	wb_u64(w, s->term);
	wb_u64(w, s->conf_index);
	wb_u32(w, (uint32_t)s->conf_len);
	wb_u64(w, s->data_len);
	wb_u32(w, (uint32_t)sum);
	wb_u32(w, crc(w->p, SNAPSHOT_HEAD - 4));
	wb_bytes(w, s->conf, s->conf_len);
}

int
log_snapshot_decode(const uint8_t *p, size_t n, struct log_snapshot *s)
{
	struct rbuf r;
	uint64_t data_len;
	uint32_t sum;

	if (n < SNAPSHOT_HEAD || memcmp(p, SNAPSHOT_MAGIC, 8) != 0)
		return -1;
	rb_init(&r, p + 8, n - 8);
	s->index = rb_u64(&r);
	s->term = rb_u64(&r);
	s->conf_index = rb_u64(&r);
	s->conf_len = rb_u32(&r);
	data_len = rb_u64(&r);
	sum = rb_u32(&r);
	if (rb_u32(&r) != crc(p, SNAPSHOT_HEAD - 4))
		return -1;
	s->conf = rb_bytes(&r, s->conf_len);
	if (!rb_ok(&r) || data_len != r.n)
		return -1;
	s->data = r.p;
	s->data_len = r.n;
	return crc(p + SNAPSHOT_HEAD, n - SNAPSHOT_HEAD) == sum ? 0 : -1;
}

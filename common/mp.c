/*
 * MessagePack.  Packing is libmsgpack's, in the old dialect; reading is a
 * cursor over bytes from outside, which allocates nothing.
 *
 * Nil reads as the zero value everywhere, as peers do it.
 */
#include <msgpack.h>
#include <string.h>

#include "common/mp.h"

#define MP_FIXRAW	0xa0	/* and the length in the same byte, */
#define MP_FIXRAW_MAX	31	/* up to here */

static int
mp_write(void *data, const char *p, size_t n)
{
	wb_bytes(data, p, n);
	return 0;
}

static msgpack_packer
mp_packer(struct wbuf *w)
{
	msgpack_packer	 pk;

	msgpack_packer_init(&pk, w, mp_write);
	return pk;
}

void
mp_nil(struct wbuf *w)
{
	msgpack_packer	 pk = mp_packer(w);

	msgpack_pack_nil(&pk);
}

void
mp_bool(struct wbuf *w, bool v)
{
	msgpack_packer	 pk = mp_packer(w);

	if (v)
		msgpack_pack_true(&pk);
	else
		msgpack_pack_false(&pk);
}

void
mp_int(struct wbuf *w, int64_t v)
{
	msgpack_packer	 pk = mp_packer(w);

	msgpack_pack_int64(&pk, v);
}

void
mp_uint(struct wbuf *w, uint64_t v)
{
	msgpack_packer	 pk = mp_packer(w);

	msgpack_pack_uint64(&pk, v);
}

void
mp_double(struct wbuf *w, double v)
{
	msgpack_packer	 pk = mp_packer(w);

	msgpack_pack_double(&pk, v);
}

/* Names of fields and most values: half of what is ever packed. */
static void
mp_raw_short(struct wbuf *w, const void *p, size_t n)
{
	uint8_t	*to = wb_reserve(w, n + 1);

	if (to == NULL)
		return;
	*to = MP_FIXRAW | (uint8_t)n;
	if (n > 0)
		memcpy(to + 1, p, n);
}

void
mp_raw(struct wbuf *w, const void *p, size_t n)
{
	msgpack_packer	 pk;

	if (n <= MP_FIXRAW_MAX) {
		mp_raw_short(w, p, n);
		return;
	}
	if (n > UINT32_MAX) {
		w->err = true;
		return;
	}
	pk = mp_packer(w);
	msgpack_pack_v4raw(&pk, n);
	msgpack_pack_v4raw_body(&pk, p, n);
}

void
mp_str(struct wbuf *w, const char *s)
{
	mp_raw(w, s, s != NULL ? strlen(s) : 0);
}

void
mp_array(struct wbuf *w, size_t n)
{
	msgpack_packer	 pk = mp_packer(w);

	msgpack_pack_array(&pk, n);
}

void
mp_map(struct wbuf *w, size_t n)
{
	msgpack_packer	 pk = mp_packer(w);

	msgpack_pack_map(&pk, n);
}

void
mp_new_str(struct wbuf *w, const char *s)
{
	msgpack_packer	 pk = mp_packer(w);
	size_t		 n;

	if (s == NULL)
		s = "";
	n = strlen(s);
	msgpack_pack_str(&pk, n);
	msgpack_pack_str_body(&pk, s, n);
}

void
mp_new_bin(struct wbuf *w, const void *p, size_t n)
{
	msgpack_packer	 pk = mp_packer(w);

	msgpack_pack_bin(&pk, n);
	msgpack_pack_bin_body(&pk, p, n);
}

/* ---- reading ---- */

/* Types of 0xc0 .. 0xdf. */
static const uint8_t mp_types[32] = {
	MP_NIL, MP_NONE, MP_BOOL, MP_BOOL, MP_RAW, MP_RAW, MP_RAW, MP_EXT,
	MP_EXT, MP_EXT, MP_FLOAT, MP_FLOAT, MP_UINT, MP_UINT, MP_UINT, MP_UINT,
	MP_INT, MP_INT, MP_INT, MP_INT, MP_EXT, MP_EXT, MP_EXT, MP_EXT,
	MP_EXT, MP_RAW, MP_RAW, MP_RAW, MP_ARRAY, MP_ARRAY, MP_MAP, MP_MAP
};

static enum mp_type
mp_type_of(uint8_t c)
{
	if (c < 0x80)
		return MP_UINT;
	if (c < 0x90)
		return MP_MAP;
	if (c < 0xa0)
		return MP_ARRAY;
	if (c < 0xc0)
		return MP_RAW;
	if (c >= 0xe0)
		return MP_INT;
	return mp_types[c - 0xc0];
}

enum mp_type
mp_peek(struct rbuf *r)
{
	if (r->err != NULL || r->n == 0)
		return MP_NONE;
	return mp_type_of(r->p[0]);
}

bool
mp_get_nil(struct rbuf *r)
{
	if (mp_peek(r) != MP_NIL)
		return false;
	(void)rb_u8(r);
	return true;
}

/* The next n bytes must be there: short otherwise. */
static bool
mp_need(struct rbuf *r, uint64_t n)
{
	if (n <= r->n)
		return rb_ok(r);
	(void)rb_bytes(r, r->n + 1);
	return false;
}

/* Any integer: its 64 bits, and whether they are below zero. */
static uint64_t
mp_get_number(struct rbuf *r, bool *negative)
{
	uint8_t	 c = rb_u8(r);
	int64_t	 v;

	*negative = false;
	if (!rb_ok(r) || c == 0xc0)
		return 0;
	if (c < 0x80)
		return c;
	switch (c) {
	case 0xcc:
		return rb_u8(r);
	case 0xcd:
		return rb_u16(r);
	case 0xce:
		return rb_u32(r);
	case 0xcf:
		return rb_u64(r);
	case 0xd0:
		v = (int8_t)rb_u8(r);
		break;
	case 0xd1:
		v = (int16_t)rb_u16(r);
		break;
	case 0xd2:
		v = (int32_t)rb_u32(r);
		break;
	case 0xd3:
		v = (int64_t)rb_u64(r);
		break;
	default:
		if (c < 0xe0) {
			rb_fail(r, "not an integer");
			return 0;
		}
		v = (int8_t)c;
	}
	*negative = v < 0;
	return (uint64_t)v;
}

int64_t
mp_get_int(struct rbuf *r)
{
	bool		 negative;
	uint64_t	 v = mp_get_number(r, &negative);

	if (!negative && v > INT64_MAX) {
		rb_fail(r, "integer too large");
		return 0;
	}
	return (int64_t)v;
}

uint64_t
mp_get_uint(struct rbuf *r)
{
	bool		 negative;
	uint64_t	 v = mp_get_number(r, &negative);

	if (negative) {
		rb_fail(r, "negative integer");
		return 0;
	}
	return v;
}

bool
mp_get_bool(struct rbuf *r)
{
	uint8_t	 c = rb_u8(r);

	switch (c) {
	case 0x00:
	case 0xc0:
	case 0xc2:
		return false;
	case 0x01:
	case 0xc3:
		return true;
	default:
		rb_fail(r, "not a bool");
		return false;
	}
}

double
mp_get_double(struct rbuf *r)
{
	uint64_t	 u;
	uint32_t	 u32;
	double		 d;
	float		 f;
	bool		 negative;

	if (mp_peek(r) != MP_FLOAT) {
		u = mp_get_number(r, &negative);
		return negative ? (double)(int64_t)u : (double)u;
	}
	if (rb_u8(r) == 0xca) {
		u32 = rb_u32(r);
		memcpy(&f, &u32, sizeof(f));
		return (double)f;
	}
	u = rb_u64(r);
	memcpy(&d, &u, sizeof(d));
	return d;
}

const uint8_t *
mp_get_raw(struct rbuf *r, size_t *n)
{
	uint8_t		 c = rb_u8(r);
	size_t		 len = 0;
	const uint8_t	*p;

	*n = 0;
	if (!rb_ok(r) || c == 0xc0)
		return NULL;
	if (c >= 0xa0 && c < 0xc0)
		len = c & 0x1f;
	else if (c == 0xd9 || c == 0xc4)
		len = rb_u8(r);
	else if (c == 0xda || c == 0xc5)
		len = rb_u16(r);
	else if (c == 0xdb || c == 0xc6)
		len = rb_u32(r);
	else
		rb_fail(r, "not a string");
	if ((p = rb_bytes(r, len)) != NULL)
		*n = len;
	return p;
}

/* An element takes a byte at least, so that no count outruns the input. */
static size_t
mp_get_count(struct rbuf *r, uint8_t fix, uint8_t c16, size_t each,
    const char *why)
{
	uint8_t	 c = rb_u8(r);
	size_t	 n = 0;

	if (!rb_ok(r) || c == 0xc0)
		return 0;
	if ((c & 0xf0) == fix)
		n = c & 0x0f;
	else if (c == c16)
		n = rb_u16(r);
	else if (c == c16 + 1)
		n = rb_u32(r);
	else
		rb_fail(r, why);
	return mp_need(r, (uint64_t)n * each) ? n : 0;
}

size_t
mp_get_array(struct rbuf *r)
{
	return mp_get_count(r, 0x90, 0xdc, 1, "not an array");
}

size_t
mp_get_map(struct rbuf *r)
{
	return mp_get_count(r, 0x80, 0xde, 2, "not a map");
}

static void
mp_skip_ext(struct rbuf *r)
{
	uint8_t	 c = rb_u8(r);
	size_t	 n = 0;

	if (c >= 0xd4 && c <= 0xd8)
		n = (size_t)1 << (c - 0xd4);
	else if (c == 0xc7)
		n = rb_u8(r);
	else if (c == 0xc8)
		n = rb_u16(r);
	else
		n = rb_u32(r);
	(void)rb_u8(r);		/* its type */
	(void)rb_bytes(r, n);
}

/* Anything but a container. */
static void
mp_skip_scalar(struct rbuf *r, enum mp_type type)
{
	size_t	 n;
	bool	 negative;

	switch (type) {
	case MP_NIL:
	case MP_BOOL:
		(void)rb_u8(r);
		break;
	case MP_INT:
	case MP_UINT:
		(void)mp_get_number(r, &negative);
		break;
	case MP_FLOAT:
		(void)mp_get_double(r);
		break;
	case MP_RAW:
		(void)mp_get_raw(r, &n);
		break;
	case MP_EXT:
		mp_skip_ext(r);
		break;
	case MP_NONE:
	case MP_ARRAY:
	case MP_MAP:
		if (rb_u8(r) == 0xc1)
			rb_fail(r, "byte c1");
		break;
	}
}

void
mp_skip_within(struct rbuf *r, size_t max)
{
	uint64_t	 left[MP_DEPTH_MAX];	/* elements to go, per level */
	enum mp_type	 type;
	size_t		 depth = 0, n;

	left[0] = 1;
	for (;;) {
		while (left[depth] == 0) {
			if (depth-- == 0)
				return;
		}
		left[depth]--;
		type = mp_peek(r);
		if (type != MP_ARRAY && type != MP_MAP) {
			mp_skip_scalar(r, type);
			if (!rb_ok(r))
				return;
			continue;
		}
		n = type == MP_ARRAY ? mp_get_array(r) : 2 * mp_get_map(r);
		if (!rb_ok(r))
			return;
		if (++depth == MP_DEPTH_MAX || depth > max) {
			rb_fail(r, "nested too deep");
			return;
		}
		left[depth] = n;
	}
}

void
mp_skip(struct rbuf *r)
{
	mp_skip_within(r, MP_DEPTH_MAX);
}

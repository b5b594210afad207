/*
 * LZW as gossip compresses (gossip.md section 4).  Knows no message.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "gossipd/lzw.h"

#define CODE_CLEAR	256
#define CODE_END	257
#define CODE_FIRST	258	/* the first that is ever defined */
#define CODE_LAST	4095
#define WIDTH_MIN	9
#define WIDTH_MAX	12
#define SLOTS_BITS	13	/* 3837 in use at most: probes stay short */
#define SLOTS		(1u << SLOTS_BITS)
#define SLOT_EMPTY	UINT32_MAX

struct lzw {
	/* (prefix << 8 | byte) << 12 | code, open addressing */
	uint32_t	slot[SLOTS];
	unsigned	bits;		/* of SLOTS, as many as this input needs */
	/* a code's string is a piece of what was put out before */
	uint32_t	at[CODE_LAST + 1], len[CODE_LAST + 1];
};

struct lzw *
lzw_new(void)
{
	return xmalloc(sizeof(struct lzw));
}

void
lzw_free(struct lzw *z)
{
	free(z);
}

struct bit_out {
	uint8_t		*p;		/* there is room */
	uint32_t	 acc;
	unsigned	 nbits, width, hi, limit;
};

static void
put(struct bit_out *o, unsigned code)
{
	o->acc |= (uint32_t)code << o->nbits;
	o->nbits += o->width;
	while (o->nbits >= 8) {
		*o->p++ = (uint8_t)o->acc;
		o->acc >>= 8;
		o->nbits -= 8;
	}
}

static void
out_clear(struct lzw *z, struct bit_out *o)
{
	memset(z->slot, 0xff, sizeof(*z->slot) << z->bits);
	o->width = WIDTH_MIN;
	o->hi = CODE_END;
	o->limit = 1u << WIDTH_MIN;
}

/* The next code; 0 when the table was full and cleared instead. */
static unsigned
next_code(struct lzw *z, struct bit_out *o)
{
	o->hi++;
	if (o->hi == o->limit) {
		o->width++;
		o->limit *= 2;
	}
	if (o->hi == CODE_LAST) {
		put(o, CODE_CLEAR);
		out_clear(z, o);
		return 0;
	}
	return o->hi;
}

static uint32_t *
slot_find(struct lzw *z, uint32_t key)
{
	uint32_t	 mask = (1u << z->bits) - 1;
	uint32_t	 i = (key * 2654435761u) >> (32 - z->bits);

	while (z->slot[i] != SLOT_EMPTY && z->slot[i] >> 12 != key)
		i = (i + 1) & mask;
	return &z->slot[i];
}

void
lzw_compress(struct lzw *z, const void *buf, size_t n, struct wbuf *w)
{
	const uint8_t	*p = buf;
	struct bit_out	 o = { 0 };
	uint32_t	*slot, key;
	unsigned	 code, fresh;
	size_t		 i, room = n + n / 2 + n / 1024 + 16;

	/* A code of 12 bits a byte at most, and the clears between them. */
	if ((o.p = wb_reserve(w, room)) == NULL)
		return;
	/* A code a byte at most: emptying the whole table would be most of the
	 * work for a small packet. */
	for (z->bits = 6; z->bits < SLOTS_BITS && n > 1u << (z->bits - 1);)
		z->bits++;
	out_clear(z, &o);
	put(&o, CODE_CLEAR);
	if (n > 0) {
		code = p[0];
		for (i = 1; i < n; i++) {
			key = (uint32_t)code << 8 | p[i];
			slot = slot_find(z, key);
			if (*slot != SLOT_EMPTY) {
				code = *slot & 0xfff;
				continue;
			}
			put(&o, code);
			if ((fresh = next_code(z, &o)) != 0)
				*slot = key << 12 | fresh;
			code = p[i];
		}
		put(&o, code);
		(void)next_code(z, &o);
	}
	put(&o, CODE_END);
	if (o.nbits > 0)
		*o.p++ = (uint8_t)o.acc;
	w->len = (size_t)(o.p - w->p);
}

struct bit_in {
	const uint8_t	*p;
	size_t		 n;
	uint32_t	 acc;
	unsigned	 nbits;
};

/* -1: ran out of input. */
static int
get(struct bit_in *in, unsigned width)
{
	int	code;

	while (in->nbits < width) {
		if (in->n == 0)
			return -1;
		in->acc |= (uint32_t)*in->p++ << in->nbits;
		in->n--;
		in->nbits += 8;
	}
	code = (int)(in->acc & ((1u << width) - 1));
	in->acc >>= width;
	in->nbits -= width;
	return code;
}

/* Copies what a code stands for to the end of out. */
static int
put_string(struct wbuf *out, size_t at, size_t len, bool again)
{
	uint8_t	*to;

	if ((to = wb_reserve(out, len + again)) == NULL)
		return -1;
	memcpy(to, out->p + at, len);
	if (again)
		to[len] = to[0];
	return 0;
}

int
lzw_expand(struct lzw *z, const void *buf, size_t n, struct wbuf *out)
{
	struct bit_in	 in = { buf, n, 0, 0 };
	unsigned	 width = WIDTH_MIN, hi = CODE_END, limit = 1 << WIDTH_MIN;
	bool		 last = false;
	size_t		 last_at = 0, last_len = 0, at;
	int		 c;

	for (;;) {
		if ((c = get(&in, width)) == -1)
			return -1;
		if (c == CODE_CLEAR) {
			width = WIDTH_MIN;
			hi = CODE_END;
			limit = 1u << WIDTH_MIN;
			last = false;
			continue;
		}
		if (c == CODE_END)
			return out->err ? -1 : 0;
		at = out->len;
		if (c < CODE_CLEAR && out->len < out->cap)
			out->p[out->len++] = (uint8_t)c;
		else if (c < CODE_CLEAR)
			wb_u8(out, (uint8_t)c);
		else if ((unsigned)c < hi || ((unsigned)c == hi && !last)) {
			/* Codes up to hi are defined, hi itself only once the
			 * table is full. */
			if (c < CODE_FIRST || ((unsigned)c == hi &&
			    hi != CODE_LAST) ||
			    put_string(out, z->at[c], z->len[c], false) == -1)
				return -1;
		} else if ((unsigned)c == hi && last) {
			if (put_string(out, last_at, last_len, true) == -1)
				return -1;
		} else
			return -1;
		if (out->err)
			return -1;
		if (last) {
			/* What came last and the byte after it lie there. */
			z->at[hi] = (uint32_t)last_at;
			z->len[hi] = (uint32_t)last_len + 1;
		}
		last = true;
		last_at = at;
		last_len = out->len - at;
		if (++hi == limit) {
			if (width == WIDTH_MAX) {
				last = false;
				hi--;
			} else {
				width++;
				limit *= 2;
			}
		}
	}
}

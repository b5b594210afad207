/*
 * Layers of datagrams and streams, both ways.  Sockets are gossipd_net.c's,
 * messages swim.c's and serf.c's.
 */
#include <string.h>

#include "common/mp.h"
#include "common/util.h"
#include "gossipd/packet.h"

#define COMPRESS_MIN	256	/* below it a datagram hardly shrinks */
#define FRAME_HEADER	5	/* type byte, be32 length: the AAD of streams */
#define KEEP_MAX	(256u << 10)	/* scratch above it is given back */
/* Of one value on a stream without a length, texts apart: it is read from its
 * beginning each time more of it comes. */
#define VALUE_MAX	4096

/* Half a byte at a time: two look-ups a byte, a table that costs nothing. */
uint32_t
crc32_ieee(const uint8_t *p, size_t n)
{
	static const uint32_t	half[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
	};
	uint32_t	crc = ~0u;

	while (n-- > 0) {
		crc ^= *p++;
		crc = crc >> 4 ^ half[crc & 15];
		crc = crc >> 4 ^ half[crc & 15];
	}
	return ~crc;
}

void
layers_init(struct layers *l, struct keyring *ring)
{
	memset(l, 0, sizeof(*l));
	l->ring = ring;
	l->compress = l->verify_in = l->verify_out = true;
	l->compress_min = COMPRESS_MIN;
	l->lzw = lzw_new();
	wb_init(&l->plain, FRAME_MAX + 1);
	wb_init(&l->packed, 0);
	wb_init(&l->work, 0);
	wb_init(&l->expanded, FRAME_EXPAND_MAX);
}

void
layers_clear(struct layers *l)
{
	lzw_free(l->lzw);
	wb_free(&l->plain);
	wb_free(&l->packed);
	wb_free(&l->work);
	wb_free(&l->expanded);
	memset(l, 0, sizeof(*l));
}

static void
scratch_reset(struct wbuf *w, size_t max)
{
	if (w->cap > KEEP_MAX) {
		wb_free(w);
		wb_init(w, max);
	}
	wb_reset(w);
	w->max = max;
	w->err = false;
}

void
layers_give_back(struct layers *l)
{
	scratch_reset(&l->plain, FRAME_MAX + 1);
	scratch_reset(&l->expanded, FRAME_EXPAND_MAX);
	scratch_reset(&l->packed, 0);
	scratch_reset(&l->work, 0);
}

size_t
layers_overhead(const struct layers *l)
{
	return (keyring_count(l->ring) > 0 && l->verify_out ?
	    CRYPT_OVERHEAD : 0) + (l->label.n > 0 ? 2 + l->label.n : 0);
}

/* ---- datagrams ---- */

static const char frame_undecrypted[] =
    "No installed keys could decrypt the message";
static const char undecrypted[] = "no installed key opens it";

struct opening {
	struct layers	*l;
	packet_fn	*fn;
	void		*arg;
	bool		 expanded;
	unsigned	 parts;
};

static const char *packet_take(struct opening *, const uint8_t *, size_t,
    unsigned);

static const char *
take_compound(struct opening *o, const uint8_t *p, size_t n, unsigned depth)
{
	struct rbuf	 r, lens;
	unsigned	 i, parts;
	size_t		 len;
	const uint8_t	*part;
	const char	*why;

	rb_init(&r, p, n);
	parts = rb_u8(&r);
	rb_init(&lens, r.p, (size_t)parts * 2 <= r.n ? (size_t)parts * 2 : 0);
	(void)rb_bytes(&r, (size_t)parts * 2);
	for (i = 0; i < parts; i++) {
		len = rb_u16(&lens);
		part = rb_bytes(&r, len);
		if (!rb_ok(&r) || !rb_ok(&lens))
			return "truncated compound";
		if (len > 0 &&
		    (why = packet_take(o, part, len, depth + 1)) != NULL)
			return why;
	}
	return NULL;
}

/* Expands the body of a compress message into l->expanded. */
static const char *
expand(struct layers *l, struct rbuf *r, size_t max)
{
	struct ml_compress	c;

	body_decode(&ml_compress_body, r, &c);
	if (!rb_ok(r))
		return r->err;
	if (c.algo != 0)
		return "unknown compression";
	scratch_reset(&l->expanded, max);
	if (lzw_expand(l->lzw, c.buf.p, c.buf.n, &l->expanded) == -1)
		return "bad compression";
	if (l->expanded.len == 0)
		return "empty message";
	return NULL;
}

static const char *
take_compress(struct opening *o, const uint8_t *p, size_t n, unsigned depth)
{
	struct rbuf	 r;
	const char	*why;

	if (o->expanded)
		return "compression inside compression";
	o->expanded = true;
	rb_init(&r, p, n);
	if ((why = expand(o->l, &r, PACKET_EXPAND_MAX)) != NULL)
		return why;
	return packet_take(o, o->l->expanded.p, o->l->expanded.len, depth + 1);
}

static const char *
packet_take(struct opening *o, const uint8_t *p, size_t n, unsigned depth)
{
	if (depth > PACKET_DEPTH)
		return "nested too deep";
	switch (p[0]) {
	case ML_COMPOUND:
		return take_compound(o, p + 1, n - 1, depth);
	case ML_COMPRESS:
		return take_compress(o, p + 1, n - 1, depth);
	default:
		/* Each may be answered: no thousands of them in one. */
		if (++o->parts > PACKET_PARTS)
			return "too many messages";
		o->fn(p, n, o->arg);
		return NULL;
	}
}

static const char *
open_layers(struct layers *l, const uint8_t *p, size_t n, packet_fn *fn,
    void *arg)
{
	struct opening	o = { .l = l, .fn = fn, .arg = arg };
	struct rbuf	r;
	struct span	label = { NULL, 0 };

	rb_init(&r, p, n);
	if (n > 0 && p[0] == ML_LABEL) {
		(void)rb_u8(&r);
		label.n = rb_u8(&r);
		label.p = rb_bytes(&r, label.n);
		if (!rb_ok(&r))
			return "truncated label";
	}
	if (!span_same(label, l->label))
		return "label is not ours";
	p = r.p;
	n = r.n;
	if (keyring_count(l->ring) > 0) {
		scratch_reset(&l->plain, FRAME_MAX + 1);
		if (crypt_open(l->ring, label.p, label.n, p, n,
		    &l->plain) == 0) {
			p = l->plain.p;
			n = l->plain.len;
		} else if (l->verify_in) {
			return undecrypted;
		}
	}
	if (n >= 5 && p[0] == ML_CRC) {
		rb_init(&r, p + 1, n - 1);
		if (rb_u32(&r) != crc32_ieee(p + 5, n - 5))
			return "wrong checksum";
		p += 5;
		n -= 5;
	}
	if (n == 0)
		return "empty";
	return packet_take(&o, p, n, 0);
}

const char *
packet_open(struct layers *l, const uint8_t *p, size_t n, packet_fn *fn,
    void *arg)
{
	const char	*why = open_layers(l, p, n, fn, arg);

	l->undecrypted += why == undecrypted;
	return why;
}

static void
compress(struct layers *l, const uint8_t *msg, size_t n, struct wbuf *out)
{
	struct ml_compress	c = { 0 };

	scratch_reset(&l->work, 0);
	lzw_compress(l->lzw, msg, n, &l->work);
	c.buf = span_of(l->work.p, l->work.len);
	wb_u8(out, ML_COMPRESS);
	body_encode(&ml_compress_body, &c, out);
}

int
packet_seal(struct layers *l, const uint8_t nonce[CRYPT_NONCE], bool crc,
    const uint8_t *msg, size_t n, struct wbuf *out)
{
	struct wbuf	*w = &l->packed;
	bool		 seal = keyring_count(l->ring) > 0 && l->verify_out;
	uint32_t	 sum;
	uint8_t		 be[5];

	scratch_reset(w, 0);
	if (l->compress && n >= l->compress_min) {
		compress(l, msg, n, w);
		if (w->len >= n)
			wb_reset(w);
	}
	if (w->len > 0) {
		msg = w->p;
		n = w->len;
	}
	if (l->label.n > 0) {
		wb_u8(out, ML_LABEL);
		wb_u8(out, (uint8_t)l->label.n);
		wb_bytes(out, l->label.p, l->label.n);
	}
	sum = crc ? crc32_ieee(msg, n) : 0;
	be[0] = ML_CRC;
	be[1] = (uint8_t)(sum >> 24);
	be[2] = (uint8_t)(sum >> 16);
	be[3] = (uint8_t)(sum >> 8);
	be[4] = (uint8_t)sum;
	if (!seal) {
		if (crc)
			wb_bytes(out, be, sizeof(be));
		wb_bytes(out, msg, n);
		return out->err ? -1 : 0;
	}
	scratch_reset(&l->work, 0);
	if (crc)
		wb_bytes(&l->work, be, sizeof(be));
	wb_bytes(&l->work, msg, n);
	return crypt_seal(l->ring, 1, nonce, l->label.p, l->label.n,
	    l->work.p, l->work.len, out);
}

void
compound_init(struct compound *c)
{
	c->n = 0;
	wb_init(&c->body, PACKET_MAX);
}

void
compound_clear(struct compound *c)
{
	c->n = 0;
	wb_free(&c->body);
}

void
compound_reset(struct compound *c)
{
	c->n = 0;
	wb_reset(&c->body);
}

bool
compound_add(struct compound *c, const void *msg, size_t n)
{
	if (c->n == COMPOUND_MAX || n > UINT16_MAX ||
	    c->body.len + n > PACKET_MAX)
		return false;
	wb_bytes(&c->body, msg, n);
	c->len[c->n++] = (uint16_t)n;
	return true;
}

void
compound_encode(const struct compound *c, struct wbuf *w)
{
	unsigned	i;

	if (c->n > 1) {
		wb_u8(w, ML_COMPOUND);
		wb_u8(w, (uint8_t)c->n);
		for (i = 0; i < c->n; i++)
			wb_u16(w, c->len[i]);
	}
	wb_bytes(w, c->body.p, c->body.len);
}

/* ---- streams ---- */

void
frame_init(struct frame *f, bool answer)
{
	memset(f, 0, sizeof(*f));
	f->answer = answer;
}

static enum frame_result
bad(struct frame *f, const char *why)
{
	f->why = why;
	return FRAME_BAD;
}

/* What it takes to read a value again, in bytes: a text is one step. */
static size_t
cost_of(const uint8_t *p, size_t n)
{
	const uint8_t	*from = p;
	struct rbuf	 r;
	size_t		 i, len, cost = 0, count = 0;

	rb_init(&r, p, n);
	if (mp_peek(&r) == MP_MAP)
		count = mp_get_map(&r);
	else
		mp_skip(&r);
	for (i = 0; i < count && rb_ok(&r); i++) {
		(void)mp_get_raw(&r, &len);	/* the key */
		if (mp_peek(&r) == MP_RAW) {
			cost += (size_t)(r.p - from);
			(void)mp_get_raw(&r, &len);
		} else {
			mp_skip(&r);
			cost += (size_t)(r.p - from);
		}
		from = r.p;
	}
	return cost + (size_t)(r.p - from);
}

/* After a failed read: is it for want of bytes that may still come? */
static enum frame_result
stopped(struct frame *f, const struct rbuf *r, const uint8_t *begin, size_t n,
    bool whole)
{
	if (!r->more || whole)
		return bad(f, r->err);
	if (cost_of(begin, n) > VALUE_MAX)
		return bad(f, "value is larger than limit");
	return FRAME_MORE;
}

static enum frame_result
done(struct frame *f, const uint8_t *p, size_t len)
{
	f->msg = p;
	f->len = len;
	return FRAME_DONE;
}

static enum frame_result
raw_rest(struct frame *f, const uint8_t *p, size_t n, bool whole)
{
	if (n - f->at < f->user_len)
		return whole ? bad(f, "truncated message") : FRAME_MORE;
	return done(f, p, f->at + (size_t)f->user_len);
}

static enum frame_result
read_pushpull(struct frame *f, const uint8_t *p, size_t n, bool whole)
{
	struct ml_header	h;
	struct rbuf		r;

	if (!f->header) {
		rb_init(&r, p + 1, n - 1);
		body_decode(&ml_header_body, &r, &h);
		if (!rb_ok(&r))
			return stopped(f, &r, p + 1, n - 1, whole);
		if (h.nodes > FRAME_EXPAND_MAX || h.user_len > FRAME_EXPAND_MAX)
			return bad(f, "Remote node state is larger than limit");
		f->header = true;
		f->nodes_left = h.nodes;
		f->user_len = h.user_len;
		f->at = n - r.n;
	}
	while (f->nodes_left > 0) {
		rb_init(&r, p + f->at, n - f->at);
		mp_skip(&r);
		if (!rb_ok(&r))
			return stopped(f, &r, p + f->at, n - f->at, whole);
		f->at = n - r.n;
		f->nodes_left--;
	}
	return raw_rest(f, p, n, whole);
}

static enum frame_result
read_user(struct frame *f, const uint8_t *p, size_t n, bool whole)
{
	struct ml_user	h;
	struct rbuf	r;

	if (!f->header) {
		rb_init(&r, p + 1, n - 1);
		body_decode(&ml_user_body, &r, &h);
		if (!rb_ok(&r))
			return stopped(f, &r, p + 1, n - 1, whole);
		if (h.len > FRAME_USER_MAX)
			return bad(f, "user message is larger than limit");
		f->header = true;
		f->user_len = h.len;
		f->at = n - r.n;
	}
	return raw_rest(f, p, n, whole);
}

/* whole: no more bytes of this message can come. */
static enum frame_result
read_message(struct frame *f, const uint8_t *p, size_t n, bool whole)
{
	struct rbuf	r;

	switch (p[0]) {
	case ML_PUSHPULL:
		return read_pushpull(f, p, n, whole);
	case ML_USER:
		return read_user(f, p, n, whole);
	case ML_PING:
	case ML_ACK:
	case ML_ERROR:
		rb_init(&r, p + 1, n - 1);
		mp_skip(&r);
		if (!rb_ok(&r))
			return stopped(f, &r, p + 1, n - 1, whole);
		return done(f, p, n - r.n);
	default:
		return bad(f, "unknown message type on a stream");
	}
}

static enum frame_result
read_compressed(struct frame *f, struct layers *l, const uint8_t *p, size_t n,
    bool whole)
{
	struct rbuf	 r;
	const char	*why;

	if (n == 0)
		return bad(f, "empty message");
	if (p[0] != ML_COMPRESS)
		return read_message(f, p, n, whole);
	rb_init(&r, p + 1, n - 1);
	if ((why = expand(l, &r, FRAME_EXPAND_MAX)) != NULL)
		return rb_ok(&r) ? bad(f, why) :
		    stopped(f, &r, p + 1, n - 1, whole);
	return read_message(f, l->expanded.p, l->expanded.len, true);
}

static enum frame_result
read_encrypted(struct frame *f, struct layers *l, const uint8_t *p, size_t n)
{
	uint8_t		aad[FRAME_HEADER + UINT8_MAX];
	struct rbuf	r;
	uint32_t	len;

	if (n < FRAME_HEADER)
		return FRAME_MORE;
	rb_init(&r, p + 1, FRAME_HEADER - 1);
	if ((len = rb_u32(&r)) > FRAME_MAX)
		return bad(f, "Remote node state is larger than limit");
	if (n - FRAME_HEADER < len)
		return FRAME_MORE;
	memcpy(aad, p, FRAME_HEADER);
	if (l->label.n > 0)
		memcpy(aad + FRAME_HEADER, l->label.p, l->label.n);
	scratch_reset(&l->plain, FRAME_MAX + 1);
	if (crypt_open(l->ring, aad, FRAME_HEADER + l->label.n,
	    p + FRAME_HEADER, len, &l->plain) == -1)
		return bad(f, frame_undecrypted);
	return read_compressed(f, l, l->plain.p, l->plain.len, true);
}

static enum frame_result
read_labelled(struct frame *f, struct layers *l, const uint8_t *p, size_t n)
{
	bool	keys = keyring_count(l->ring) > 0;

	if (n == 0)
		return FRAME_MORE;
	if (n > FRAME_MAX + FRAME_HEADER + UINT8_MAX)
		return bad(f, "Remote node state is larger than limit");
	if (!f->answer && p[0] == ML_LABEL) {
		if (n < 2 || n - 2 < p[1])
			return FRAME_MORE;
		if (!span_same(span_of(p + 2, p[1]), l->label))
			return bad(f, "label is not ours");
		n -= 2 + (size_t)p[1];
		p += 2 + (size_t)p[1];
		if (n == 0)
			return FRAME_MORE;
	} else if (!f->answer && l->label.n > 0)
		return bad(f, "label is missing");
	if (p[0] == ML_ENCRYPT) {
		if (!keys)
			return bad(f, "Remote state is encrypted and "
			    "encryption is not configured");
		return read_encrypted(f, l, p, n);
	}
	if (keys && l->verify_in)
		return bad(f, "Encryption is configured but remote state is "
		    "not encrypted");
	return read_compressed(f, l, p, n, false);
}

enum frame_result
frame_read(struct frame *f, struct layers *l, const uint8_t *p, size_t n)
{
	enum frame_result	result = read_labelled(f, l, p, n);

	l->undecrypted += result == FRAME_BAD && f->why == frame_undecrypted;
	return result;
}

int
frame_seal(struct layers *l, const uint8_t nonce[CRYPT_NONCE], bool answer,
    const uint8_t *msg, size_t n, struct wbuf *out)
{
	uint8_t		 aad[FRAME_HEADER + UINT8_MAX];
	size_t		 len;

	scratch_reset(&l->packed, 0);
	if (l->compress) {
		compress(l, msg, n, &l->packed);
		msg = l->packed.p;
		n = l->packed.len;
	}
	if (!answer && l->label.n > 0) {
		wb_u8(out, ML_LABEL);
		wb_u8(out, (uint8_t)l->label.n);
		wb_bytes(out, l->label.p, l->label.n);
	}
	if (keyring_count(l->ring) == 0 || !l->verify_out) {
		wb_bytes(out, msg, n);
		return out->err ? -1 : 0;
	}
	if ((len = n + CRYPT_OVERHEAD) > FRAME_MAX)
		return -1;
	aad[0] = ML_ENCRYPT;
	aad[1] = (uint8_t)(len >> 24);
	aad[2] = (uint8_t)(len >> 16);
	aad[3] = (uint8_t)(len >> 8);
	aad[4] = (uint8_t)len;
	wb_bytes(out, aad, FRAME_HEADER);
	if (l->label.n > 0)
		memcpy(aad + FRAME_HEADER, l->label.p, l->label.n);
	return crypt_seal(l->ring, 1, nonce, aad, FRAME_HEADER + l->label.n,
	    msg, n, out);
}

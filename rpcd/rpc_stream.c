/*
 * Framing of server RPC messages.  Pure; what a method or a body means is
 * catalogd's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/call.h"
#include "common/util.h"
#include "rpcd/rpc_stream.h"

#define VIA_MASK	(CALL_VIA_SERVER | CALL_VIA_DC)

/* ---- the scanner ---- */

void
mp_scan_init(struct mp_scan *s, size_t max)
{
	memset(s, 0, sizeof(*s));
	s->max = max;
}

/* Bytes of a value's head, its first byte included. */
static unsigned
head_size(uint8_t b)
{
	switch (b) {
	case 0xc4: case 0xd9: case 0xc7:
		return 2;
	case 0xc5: case 0xda: case 0xdc: case 0xde: case 0xc8:
		return 3;
	case 0xc6: case 0xdb: case 0xdd: case 0xdf: case 0xc9:
		return 5;
	default:
		return 1;
	}
}

static uint32_t
head_number(const uint8_t *h, unsigned n)
{
	uint32_t	 v = 0;

	while (n-- > 0)
		v = v << 8 | *h++;
	return v;
}

static bool
push(struct mp_scan *s, uint64_t n)
{
	if (n == 0)
		return true;
	/* An element is a byte at least. */
	if (s->depth == MP_DEPTH_MAX || n > s->max - s->total)
		return false;
	s->want[s->depth++] = (uint32_t)n;
	return true;
}

static bool
skip(struct mp_scan *s, uint64_t n)
{
	if (n > s->max - s->total)
		return false;
	s->skip = (uint32_t)n;
	return true;
}

/* A value's head is complete: what follows it?  False: not msgpack. */
static bool
on_head(struct mp_scan *s)
{
	static const uint8_t	 fixed[0x20] = {	/* from 0xc0 */
		[0x0a] = 4, [0x0b] = 8,			/* float */
		[0x0c] = 1, [0x0d] = 2, [0x0e] = 4, [0x0f] = 8,
		[0x10] = 1, [0x11] = 2, [0x12] = 4, [0x13] = 8,
		[0x14] = 2, [0x15] = 3, [0x16] = 5, [0x17] = 9, [0x18] = 17
	};
	uint8_t			 b = s->head[0];
	uint64_t		 n = head_number(s->head + 1, s->nhead - 1);

	if (s->depth > 0)
		s->want[s->depth - 1]--;
	if (b < 0x80 || b >= 0xe0)
		return true;
	if (b < 0x90)
		return push(s, (uint64_t)(b & 0x0f) * 2);
	if (b < 0xa0)
		return push(s, b & 0x0f);
	if (b < 0xc0)
		return skip(s, b & 0x1f);
	switch (b) {
	case 0xc1:
		return false;
	case 0xc4: case 0xc5: case 0xc6:
	case 0xd9: case 0xda: case 0xdb:
		return skip(s, n);
	case 0xc7: case 0xc8: case 0xc9:
		return skip(s, n + 1);
	case 0xdc: case 0xdd:
		return push(s, n);
	case 0xde: case 0xdf:
		return push(s, n * 2);
	default:
		return skip(s, fixed[b - 0xc0]);
	}
}

/* One step's worth of bytes. */
static size_t
scan_step(struct mp_scan *s, const uint8_t *p, size_t n, bool *ok)
{
	if (s->skip > 0) {
		if (n > s->skip)
			n = s->skip;
		s->skip -= (uint32_t)n;
		s->total += n;
		return n;
	}
	s->begun = true;
	s->head[s->nhead++] = *p;
	s->total++;
	if (s->nhead == head_size(s->head[0])) {
		*ok = on_head(s);
		s->nhead = 0;
	}
	return 1;
}

enum scan_result
mp_scan_feed(struct mp_scan *s, const uint8_t *p, size_t n, size_t *used)
{
	size_t	 k, at = 0;
	bool	 ok = true;

	while (at < n && !s->done) {
		if (s->total >= s->max) {
			ok = false;
			break;
		}
		k = scan_step(s, p + at, n - at, &ok);
		if (!ok)
			break;
		at += k;
		if (s->skip > 0 || s->nhead > 0)
			continue;
		while (s->depth > 0 && s->want[s->depth - 1] == 0)
			s->depth--;
		s->done = s->depth == 0;
	}
	*used = at;
	return !ok ? SCAN_BAD : s->done ? SCAN_DONE : SCAN_MORE;
}

/* ---- messages ---- */

void
rpc_header_clear(struct rpc_header *h)
{
	free(h->method);
	free(h->error);
	memset(h, 0, sizeof(*h));
}

void
rpc_reader_init(struct rpc_reader *r)
{
	mp_scan_init(&r->scan, RPC_HEADER_MAX);
	wb_init(&r->buf, RPC_MESSAGE_MAX + RPC_HEADER_MAX);
	r->header_len = 0;
}

void
rpc_reader_clear(struct rpc_reader *r)
{
	wb_free(&r->buf);
	rpc_reader_init(r);
}

enum rpc_result
rpc_reader_feed(struct rpc_reader *r, const uint8_t *p, size_t n,
    size_t *used)
{
	enum scan_result	 res;
	size_t			 k;

	*used = 0;
	for (;;) {
		res = mp_scan_feed(&r->scan, p + *used, n - *used, &k);
		wb_bytes(&r->buf, p + *used, k);
		*used += k;
		if (res == SCAN_BAD || r->buf.err)
			return RPC_BAD;
		if (res == SCAN_MORE)
			return RPC_MORE;
		if (r->header_len > 0)
			return RPC_MESSAGE;
		r->header_len = r->buf.len;
		mp_scan_init(&r->scan, RPC_MESSAGE_MAX);
	}
}

static bool
key_is(const uint8_t *key, size_t n, const char *name)
{
	return key != NULL && strlen(name) == n && memcmp(key, name, n) == 0;
}

/* Text with neither NUL nor more than max bytes; else the reader fails. */
static char *
header_text(struct rbuf *r, size_t max)
{
	const uint8_t	*p;
	size_t		 n;

	p = mp_get_raw(r, &n);
	if (n > max || (n > 0 && memchr(p, '\0', n) != NULL)) {
		rb_fail(r, "bad text in header");
		return NULL;
	}
	return rb_ok(r) && p != NULL ? xmemdup_str(p, n) : NULL;
}

int
rpc_reader_header(const struct rpc_reader *m, struct rpc_header *h)
{
	struct rbuf	 r;
	const uint8_t	*key;
	size_t		 n, len;

	memset(h, 0, sizeof(*h));
	rb_init(&r, m->buf.p, m->header_len);
	if (mp_peek(&r) != MP_MAP)
		return -1;
	for (n = mp_get_map(&r); n > 0 && rb_ok(&r); n--) {
		key = mp_get_raw(&r, &len);
		if (key_is(key, len, "Seq"))
			h->seq = mp_get_uint(&r);
		else if (key_is(key, len, "ServiceMethod")) {
			free(h->method);
			h->method = header_text(&r, RPC_METHOD_MAX);
		} else if (key_is(key, len, "Error")) {
			free(h->error);
			h->error = header_text(&r, RPC_HEADER_MAX);
		} else if (key_is(key, len, "Via"))
			h->via = (unsigned)mp_get_uint(&r) & VIA_MASK;
		else
			mp_skip(&r);
	}
	if (!rb_done(&r)) {
		rpc_header_clear(h);
		return -1;
	}
	if (h->method == NULL)
		h->method = xstrdup("");
	if (h->error == NULL)
		h->error = xstrdup("");
	return 0;
}

const uint8_t *
rpc_reader_body(const struct rpc_reader *r, size_t *len)
{
	*len = r->buf.len - r->header_len;
	return r->buf.p + r->header_len;
}

void
rpc_put_request(struct wbuf *w, uint64_t seq, const char *method,
    unsigned via)
{
	mp_map(w, via != 0 ? 3 : 2);
	mp_str(w, "Seq");
	mp_uint(w, seq);
	mp_str(w, "ServiceMethod");
	mp_str(w, method);
	if (via == 0)
		return;
	mp_str(w, "Via");
	mp_uint(w, via & VIA_MASK);
}

void
rpc_put_answer(struct wbuf *w, uint64_t seq, const char *method,
    const char *error)
{
	mp_map(w, 3);
	mp_str(w, "Error");
	mp_str(w, error);
	mp_str(w, "Seq");
	mp_uint(w, seq);
	mp_str(w, "ServiceMethod");
	mp_str(w, method);
}

/* ---- what names and errors mean to this layer ---- */

const char *
rpc_method_refusal(const char *method, char *buf, size_t len)
{
	static const char *const inner[] = { "Agent.", "Gossip.", "Parent." };
	size_t			 i;

	if (strchr(method, '.') == NULL) {
		if (snprintf(buf, len,
		    "rpc: service/method request ill-formed: %s", method) < 0)
			return "rpc: service/method request ill-formed";
		return buf;
	}
	for (i = 0; i < NELEM(inner); i++) {
		if (strncmp(method, inner[i], strlen(inner[i])) != 0)
			continue;
		if (snprintf(buf, len, "rpc: can't find service %s",
		    method) < 0)
			return "rpc: can't find service";
		return buf;
	}
	return NULL;
}

bool
rpc_error_closes(const char *error)
{
	static const char *const starts[] = {
		"rpc: can't find ", "rpc: service/method request ill-formed",
		"codec.decoder: "
	};
	size_t			 i;

	for (i = 0; i < NELEM(starts); i++)
		if (strncmp(error, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

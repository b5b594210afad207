/*
 * DNS messages on the wire: see dns_packet.h.  What a name means is
 * question.c's, what the answer is answer.c's.
 */
#include <string.h>

#include "common/wire.h"
#include "dnsd/dns_packet.h"

/* Jumps while one name is read: each must go backwards, so this is ample. */
#define POINTERS_MAX 64

uint8_t
dns_fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

size_t
dns_name_read(const uint8_t *p, size_t n, size_t off,
    uint8_t out[DNS_NAME_MAX], size_t *len)
{
	size_t		 at = off, end = 0, used = 0, to;
	unsigned	 jumps = 0;
	uint8_t		 l;

	for (;;) {
		if (at >= n)
			return 0;
		l = p[at];
		if ((l & 0xc0) == 0xc0) {
			if (n - at < 2 || ++jumps > POINTERS_MAX)
				return 0;
			to = dns_get16(p + at) & 0x3fff;
			if (end == 0)
				end = at + 2;
			if (to >= at)
				return 0;	/* forward: a loop */
			at = to;
			continue;
		}
		if (l > DNS_LABEL_MAX || l + 1u > n - at ||
		    l + 1u > DNS_NAME_MAX - used)
			return 0;
		memcpy(out + used, p + at, l + 1u);
		used += l + 1u;
		at += l + 1u;
		if (l == 0)
			break;
	}
	*len = used;
	return end != 0 ? end : at;
}

/* Behind the name, without expanding it. */
static void
name_skip(struct rbuf *r)
{
	uint8_t	l;

	while (rb_ok(r)) {
		l = rb_u8(r);
		if (l == 0)
			return;
		if ((l & 0xc0) == 0xc0) {
			(void)rb_u8(r);
			return;
		}
		if (l > DNS_LABEL_MAX)
			rb_fail(r, "label type");
		(void)rb_bytes(r, l);
	}
}

/* The question's own name: plain labels, for nothing stands before it. */
static void
question_name(struct rbuf *r, struct dns_query *q)
{
	uint8_t	l;

	q->qname = r->p;
	q->qname_len = 0;
	do {
		l = rb_u8(r);
		(void)rb_bytes(r, l);
		q->qname_len += l + 1u;
		if (l > DNS_LABEL_MAX || q->qname_len > DNS_NAME_MAX)
			rb_fail(r, "name");
	} while (l != 0 && rb_ok(r));
}

static void
edns_options(struct dns_query *q, const uint8_t *p, size_t n)
{
	struct rbuf	 r;
	const uint8_t	*data;
	uint16_t	 code, len;

	rb_init(&r, p, n);
	while (rb_ok(&r) && r.n > 0) {
		code = rb_u16(&r);
		len = rb_u16(&r);
		data = rb_bytes(&r, len);
		/* family, source, scope, address of at most 16 bytes */
		if (data != NULL && code == DNS_OPTION_ECS && len >= 4 &&
		    len <= 20) {
			q->ecs = data;
			q->ecs_len = len;
		}
	}
}

/* One record behind the question.  -1: the query is malformed. */
static int
extra_record(struct dns_query *q, struct rbuf *r)
{
	const uint8_t	*owner = r->p, *data;
	uint16_t	 type, class, len;
	uint32_t	 ttl;

	name_skip(r);
	type = rb_u16(r);
	class = rb_u16(r);
	ttl = rb_u32(r);
	len = rb_u16(r);
	data = rb_bytes(r, len);
	if (!rb_ok(r))
		return -1;
	if (type != DNS_T_OPT)
		return 0;
	if (q->edns || owner[0] != 0)
		return -1;
	q->edns = true;
	q->edns_size = class;
	q->edns_version = (uint8_t)(ttl >> 16);
	if (len > 0 && q->edns_version == 0)
		edns_options(q, data, len);
	return 0;
}

enum dns_parse
dns_query_parse(struct dns_query *q, const uint8_t *p, size_t n)
{
	struct rbuf	 r;
	uint32_t	 extra;
	uint16_t	 count[4];
	size_t		 i;

	memset(q, 0, sizeof(*q));
	if (n < DNS_HEADER)
		return DNS_DROP;
	rb_init(&r, p, n);
	q->id = rb_u16(&r);
	q->flags = rb_u16(&r);
	for (i = 0; i < 4; i++)
		count[i] = rb_u16(&r);
	if (q->flags & DNS_QR)
		return DNS_DROP;	/* answering answers makes storms */
	if ((q->flags & DNS_OPCODE) != 0)
		return DNS_UNKNOWN;
	if (count[0] != 1)
		return DNS_BAD;
	question_name(&r, q);
	q->qtype = rb_u16(&r);
	q->qclass = rb_u16(&r);
	if (!rb_ok(&r))
		return DNS_BAD;
	q->question_end = n - r.n;
	extra = (uint32_t)count[1] + count[2] + count[3];
	if (extra > DNS_EXTRA_MAX)
		return DNS_BAD;
	for (; extra > 0; extra--)
		if (extra_record(q, &r) == -1)
			return DNS_BAD;
	return DNS_PARSED;
}

int
dns_walk_start(struct dns_walk *w, const uint8_t *p, size_t n)
{
	uint8_t	name[DNS_NAME_MAX];
	size_t	off, len, i;

	memset(w, 0, sizeof(*w));
	if (n < DNS_HEADER || !(p[2] & 0x80) || dns_get16(p + 4) != 1)
		return -1;
	off = dns_name_read(p, n, DNS_HEADER, name, &len);
	if (off == 0 || n - off < 4)
		return -1;
	for (i = 0; i < 3; i++)
		w->left[i] = dns_get16(p + 6 + 2 * i);
	w->p = p;
	w->n = n;
	w->off = off + 4;
	return 0;
}

bool
dns_walk_next(struct dns_walk *w, struct dns_rr *rr)
{
	const uint8_t	*f;
	size_t		 off;

	while (w->section < 3 && w->left[w->section] == 0)
		w->section++;
	if (w->section == 3 || w->bad)
		return false;
	off = dns_name_read(w->p, w->n, w->off, rr->name, &rr->name_len);
	if (off == 0 || w->n - off < DNS_RR_FIXED) {
		w->bad = true;
		return false;
	}
	f = w->p + off;
	rr->type = dns_get16(f);
	rr->class = dns_get16(f + 2);
	rr->ttl = (uint32_t)dns_get16(f + 4) << 16 | dns_get16(f + 6);
	rr->len = dns_get16(f + 8);
	off += DNS_RR_FIXED;
	if (rr->len > w->n - off) {
		w->bad = true;
		return false;
	}
	rr->data = w->p + off;
	rr->data_off = off;
	rr->section = w->section;
	w->left[w->section]--;
	w->off = off + rr->len;
	return true;
}

size_t
dns_name_from_text(const char *s, uint8_t out[DNS_NAME_MAX])
{
	const char	*dot;
	size_t		 l, used = 0;

	while (*s != '\0') {
		dot = strchrnul(s, '.');
		l = (size_t)(dot - s);
		if (l == 0 || l > DNS_LABEL_MAX ||
		    l + 2 > DNS_NAME_MAX - used)
			return 0;
		out[used++] = (uint8_t)l;
		memcpy(out + used, s, l);
		used += l;
		s = *dot == '.' ? dot + 1 : dot;
	}
	out[used++] = 0;
	return used;
}

bool
dns_name_equal(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	size_t	i;

	if (alen != blen)
		return false;
	for (i = 0; i < alen; i++)
		if (dns_fold(a[i]) != dns_fold(b[i]))
			return false;
	return true;
}

void
dw_init(struct dns_writer *w, uint8_t *p, size_t cap, bool compress)
{
	w->p = p;
	w->cap = cap;
	w->len = 0;
	w->full = false;
	w->compress = compress;
	w->nnames = 0;
}

struct dw_mark
dw_mark(const struct dns_writer *w)
{
	return (struct dw_mark){ w->len, w->nnames };
}

void
dw_rewind(struct dns_writer *w, struct dw_mark m)
{
	w->len = m.len;
	w->nnames = m.nnames;
	w->full = false;
}

static void
remember_one(struct dns_writer *w, size_t off)
{
	if (w->nnames < DW_NAMES && off <= 0x3fff)
		w->names[w->nnames++] = (uint16_t)off;
}

void
dw_remember(struct dns_writer *w, size_t off)
{
	if (!w->compress)
		return;
	for (; w->p[off] != 0; off += w->p[off] + 1u) {
		if ((w->p[off] & 0xc0) == 0xc0)
			return;		/* its rest is remembered already */
		remember_one(w, off);
	}
}

/* Is the name that we wrote at off this one?  With its spelling. */
static bool
same_name(const struct dns_writer *w, size_t off, const uint8_t *name)
{
	uint8_t	l;

	for (;;) {
		while ((w->p[off] & 0xc0) == 0xc0)
			off = dns_get16(w->p + off) & 0x3fff;
		l = w->p[off];
		if (l != name[0])
			return false;
		if (l == 0)
			return true;
		if (memcmp(w->p + off + 1, name + 1, l) != 0)
			return false;
		off += l + 1u;
		name += l + 1u;
	}
}

void
dw_name(struct dns_writer *w, const uint8_t *name, size_t len)
{
	const uint8_t	*s = name;
	size_t		 start = w->len;
	unsigned	 i;

	for (; w->compress && *s != 0; s += *s + 1u)
		for (i = 0; i < w->nnames; i++)
			if (same_name(w, w->names[i], s)) {
				dw_bytes(w, name, (size_t)(s - name));
				dw_u16(w, 0xc000 | w->names[i]);
				goto written;
			}
	dw_bytes(w, name, len);
 written:
	if (!w->full)
		dw_remember(w, start);
}

/*
 * The reader and the writer for the field lists of codec.h.  What the messages
 * mean is swim.c's and serf.c's.
 */
#include <string.h>

#include "common/mp.h"
#include "common/util.h"
#include "gossipd/codec.h"

BODY_DEFINE(ml_ping, ML_PING_)
BODY_DEFINE(ml_indirect, ML_INDIRECT_)
BODY_DEFINE(ml_ack, ML_ACK_)
BODY_DEFINE(ml_nack, ML_NACK_)
BODY_DEFINE(ml_claim, ML_CLAIM_)
BODY_DEFINE(ml_alive, ML_ALIVE_)
BODY_DEFINE(ml_header, ML_HEADER_)
BODY_DEFINE(ml_state, ML_STATE_)
BODY_DEFINE(ml_user, ML_USER_)
BODY_DEFINE(ml_compress, ML_COMPRESS_)
BODY_DEFINE(ml_error, ML_ERROR_)
BODY_DEFINE(sf_leave, SF_LEAVE_)
BODY_DEFINE(sf_join, SF_JOIN_)
BODY_DEFINE(sf_pushpull, SF_PUSHPULL_)
BODY_DEFINE(sf_slot, SF_SLOT_)
BODY_DEFINE(sf_past, SF_PAST_)
BODY_DEFINE(sf_event, SF_EVENT_)
BODY_DEFINE(sf_query, SF_QUERY_)
BODY_DEFINE(sf_tag_filter, SF_TAG_FILTER_)
BODY_DEFINE(sf_response, SF_RESPONSE_)
BODY_DEFINE(sf_member, SF_MEMBER_)
BODY_DEFINE(sf_key, SF_KEY_)
BODY_DEFINE(sf_key_response, SF_KEY_RESPONSE_)
BODY_DEFINE(sf_relay, SF_RELAY_)
BODY_DEFINE(sf_dest, SF_DEST_)
BODY_DEFINE(sf_coord, SF_COORD_)

struct span
span_of(const void *p, size_t n)
{
	struct span s = { p, n };

	return s;
}

struct span
span_str(const char *s)
{
	return span_of(s, s == NULL ? 0 : strlen(s));
}

bool
span_is(struct span s, const char *text)
{
	size_t	n = strlen(text);

	return s.n == n && (n == 0 || memcmp(s.p, text, n) == 0);
}

bool
span_same(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

struct span
mp_span(struct rbuf *r)
{
	const uint8_t	*from = r->p;

	if (mp_get_nil(r))
		return span_of(NULL, 0);
	mp_skip(r);
	if (!rb_ok(r))
		return span_of(NULL, 0);
	return span_of(from, (size_t)(r->p - from));
}

/* Peers write the keys in our order: the next is most often the right one. */
static const struct body_field *
field_find(const struct body *b, struct span key, size_t next)
{
	size_t	i, at;

	for (i = 0; i < b->n; i++) {
		at = next + i < b->n ? next + i : next + i - b->n;
		if (span_is(key, b->field[at].name))
			return &b->field[at];
	}
	return NULL;
}

static uint64_t
get_uint(struct rbuf *r, uint64_t max)
{
	uint64_t	v = mp_get_uint(r);

	if (v > max) {
		rb_fail(r, "integer out of range");
		return 0;
	}
	return v;
}

static void
field_decode(const struct body_field *f, struct rbuf *r, uint8_t *at)
{
	struct span	*s = (struct span *)at;

	if (f->kind == B_ANY) {
		*s = mp_span(r);
		return;
	}
	if (mp_get_nil(r))
		return;
	switch (f->kind) {
	case B_BOOL:
		*(bool *)at = mp_get_bool(r);
		break;
	case B_U8:
		*at = (uint8_t)get_uint(r, UINT8_MAX);
		break;
	case B_U16:
		*(uint16_t *)at = (uint16_t)get_uint(r, UINT16_MAX);
		break;
	case B_U32:
		*(uint32_t *)at = (uint32_t)get_uint(r, UINT32_MAX);
		break;
	case B_U64:
		*(uint64_t *)at = mp_get_uint(r);
		break;
	case B_I64:
		*(int64_t *)at = mp_get_int(r);
		break;
	case B_F64:
		*(double *)at = mp_get_double(r);
		break;
	case B_STR:
	case B_BYTES:
		s->p = mp_get_raw(r, &s->n);
		break;
	case B_ANY:
		break;
	}
}

void
body_decode(const struct body *b, struct rbuf *r, void *obj)
{
	const struct body_field	*f;
	struct span		 key;
	size_t			 i, n, next = 0;

	memset(obj, 0, b->size);
	n = mp_get_map(r);
	for (i = 0; i < n && rb_ok(r); i++) {
		key.p = mp_get_raw(r, &key.n);
		if (!rb_ok(r))
			break;
		if ((f = field_find(b, key, next)) == NULL)
			mp_skip(r);
		else {
			field_decode(f, r, (uint8_t *)obj + f->off);
			next = (size_t)(f - b->field) + 1;
		}
	}
	if (!rb_ok(r))
		memset(obj, 0, b->size);
}

static bool
field_empty(const struct body_field *f, const uint8_t *at)
{
	switch (f->kind) {
	case B_STR:
	case B_BYTES:
	case B_ANY:
		return ((const struct span *)at)->n == 0;
	case B_BOOL:
		return !*(const bool *)at;
	case B_U8:
		return *at == 0;
	case B_U16:
		return *(const uint16_t *)at == 0;
	case B_U32:
		return *(const uint32_t *)at == 0;
	case B_U64:
	case B_I64:
		return *(const uint64_t *)at == 0;
	case B_F64:
		return false;
	}
	return false;
}

static void
field_encode(const struct body_field *f, const uint8_t *at, struct wbuf *w)
{
	const struct span	*s = (const struct span *)at;

	switch (f->kind) {
	case B_BOOL:
		mp_bool(w, *(const bool *)at);
		break;
	case B_U8:
		mp_uint(w, *at);
		break;
	case B_U16:
		mp_uint(w, *(const uint16_t *)at);
		break;
	case B_U32:
		mp_uint(w, *(const uint32_t *)at);
		break;
	case B_U64:
		mp_uint(w, *(const uint64_t *)at);
		break;
	case B_I64:
		mp_int(w, *(const int64_t *)at);
		break;
	case B_F64:
		mp_double(w, *(const double *)at);
		break;
	case B_BYTES:
		if (s->p == NULL) {
			mp_nil(w);
			break;
		}
		/* FALLTHROUGH */
	case B_STR:
		mp_raw(w, s->p, s->n);
		break;
	case B_ANY:
		if (s->p == NULL)
			mp_nil(w);
		else
			wb_bytes(w, s->p, s->n);
		break;
	}
}

void
body_encode(const struct body *b, const void *obj, struct wbuf *w)
{
	const uint8_t	*base = obj;
	size_t		 i, n = 0;

	for (i = 0; i < b->n; i++)
		if (!b->field[i].opt ||
		    !field_empty(&b->field[i], base + b->field[i].off))
			n++;
	mp_map(w, n);
	for (i = 0; i < b->n; i++) {
		if (b->field[i].opt &&
		    field_empty(&b->field[i], base + b->field[i].off))
			continue;
		mp_str(w, b->field[i].name);
		field_encode(&b->field[i], base + b->field[i].off, w);
	}
}

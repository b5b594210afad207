/*
 * Every gossip vector is taken apart, compared with what is written beside it,
 * put together again, and has to come out byte for byte.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/json.h"
#include "common/mp.h"
#include "common/util.h"
#include "gossipd/packet.h"
#include "gossipd/swim.h"
#include "tests/unit/common_unit.h"

#define DIR "tests/vectors/gossip/"

static struct json *
load_json(const char *name)
{
	char		 path[256], err[256], *text;
	struct json	*j;
	size_t		 n;

	(void)snprintf(path, sizeof(path), DIR "%s.json", name);
	text = file_read(path, 4 << 20, &n);
	ck_assert_msg(text != NULL, "%s", path);
	j = json_parse(text, n, err, sizeof(err));
	ck_assert_msg(j != NULL, "%s: %s", path, err);
	free(text);
	return j;
}

static uint8_t *
load_hex(const char *name, size_t *len)
{
	char	 path[256], *text;
	uint8_t	*out;
	size_t	 n, i, k = 0;

	(void)snprintf(path, sizeof(path), DIR "%s.hex", name);
	text = file_read(path, 4 << 20, &n);
	ck_assert_msg(text != NULL, "%s", path);
	for (i = 0; i < n; i++)
		if (text[i] != '\n')
			text[k++] = text[i];
	out = xmalloc(k / 2 + 1);
	ck_assert_int_eq(hex_decode(text, k, out), 0);
	free(text);
	*len = k / 2;
	return out;
}

static const char *
text_of(const struct json *j, const char *key)
{
	const struct json	*x = j == NULL ? NULL : json_get(j, key);

	return x == NULL || x->type != JSON_STRING ? NULL : x->str;
}

/* Text as it stands, or {"hex": ...}. */
static bool
span_matches(struct span s, const struct json *j)
{
	const char	*hex;
	uint8_t		*bytes;
	bool		 same;

	if (j->type == JSON_NULL)
		return s.p == NULL;
	if (j->type == JSON_STRING)
		return s.n == j->len && memcmp(s.p, j->str, s.n) == 0;
	if ((hex = text_of(j, "hex")) == NULL)
		return false;
	bytes = xmalloc(strlen(hex) + 1);
	ck_assert_int_eq(hex_decode(hex, strlen(hex), bytes), 0);
	same = s.n == strlen(hex) / 2 && memcmp(s.p, bytes, s.n) == 0;
	free(bytes);
	return same;
}

static void
field_matches(const struct body_field *f, const void *obj,
    const struct json *body, const char *name)
{
	const uint8_t		*at = (const uint8_t *)obj + f->off;
	const struct json	*j = json_get(body, f->name);
	uint64_t		 v = 0;

	if (j == NULL) {
		ck_assert_msg(f->opt, "%s: no %s", name, f->name);
		return;
	}
	switch (f->kind) {
	case B_BOOL:
		ck_assert_int_eq(*(const bool *)at, j->truth);
		return;
	case B_U8:
		v = *at;
		break;
	case B_U16:
		v = *(const uint16_t *)at;
		break;
	case B_U32:
		v = *(const uint32_t *)at;
		break;
	case B_U64:
	case B_I64:
		v = *(const uint64_t *)at;
		break;
	case B_F64:
		ck_assert(fabs(*(const double *)at - atof(j->str)) < 1e-12);
		return;
	case B_STR:
	case B_BYTES:
		ck_assert_msg(span_matches(*(const struct span *)at, j),
		    "%s: %s differs", name, f->name);
		return;
	case B_ANY:
		return;
	}
	ck_assert_msg(v == strtoull(j->str, NULL, 10), "%s: %s is %llu",
	    name, f->name, (unsigned long long)v);
}

/* Any value, read and written in the dialect. */
static void
recode_value(struct rbuf *r, struct wbuf *w)
{
	struct span	s;
	size_t		i, n;

	switch (mp_peek(r)) {
	case MP_NIL:
		ck_assert(mp_get_nil(r));
		mp_nil(w);
		return;
	case MP_BOOL:
		mp_bool(w, mp_get_bool(r));
		return;
	case MP_INT:
		mp_int(w, mp_get_int(r));
		return;
	case MP_UINT:
		mp_uint(w, mp_get_uint(r));
		return;
	case MP_FLOAT:
		mp_double(w, mp_get_double(r));
		return;
	case MP_RAW:
		s.p = mp_get_raw(r, &s.n);
		mp_raw(w, s.p, s.n);
		return;
	case MP_ARRAY:
		mp_array(w, n = mp_get_array(r));
		for (i = 0; i < n; i++)
			recode_value(r, w);
		return;
	case MP_MAP:
		mp_map(w, n = mp_get_map(r));
		for (i = 0; i < 2 * n; i++)
			recode_value(r, w);
		return;
	case MP_EXT:
	case MP_NONE:
		ck_abort_msg("no value");
	}
}

/* Reads a body, compares it, writes it. */
static void
recode_body(const struct body *b, struct rbuf *r, const struct json *expect,
    struct wbuf *w, const char *name)
{
	uint8_t		obj[512] __attribute__((aligned(16)));
	struct wbuf	nested[8];
	struct span	*s;
	struct rbuf	in;
	size_t		i, n = 0;

	ck_assert(b->size <= sizeof(obj));
	body_decode(b, r, obj);
	ck_assert_msg(rb_ok(r), "%s: %s", name, r->err);
	for (i = 0; i < b->n; i++) {
		if (expect != NULL)
			field_matches(&b->field[i], obj, expect, name);
		s = (struct span *)(void *)(obj + b->field[i].off);
		if (b->field[i].kind != B_ANY || s->p == NULL)
			continue;
		ck_assert(n < NELEM(nested));
		wb_init(&nested[n], 0);
		rb_init(&in, s->p, s->n);
		recode_value(&in, &nested[n]);
		*s = span_of(nested[n].p, nested[n].len);
		n++;
	}
	body_encode(b, obj, w);
	while (n > 0)
		wb_free(&nested[--n]);
}

struct kind { const char *name; int type; const struct body *body; };

static const struct kind serf_kinds[] = {
	{ "leave", SF_LEAVE, &sf_leave_body },
	{ "join", SF_JOIN, &sf_join_body },
	{ "pushPull", SF_PUSHPULL, &sf_pushpull_body },
	{ "userEvent", SF_EVENT, &sf_event_body },
	{ "query", SF_QUERY, &sf_query_body },
	{ "queryResponse", SF_RESPONSE, &sf_response_body },
};
static const struct kind kinds[] = {
	{ "ping", ML_PING, &ml_ping_body },
	{ "indirectPing", ML_INDIRECT, &ml_indirect_body },
	{ "ack", ML_ACK, &ml_ack_body },
	{ "suspect", ML_SUSPECT, &ml_claim_body },
	{ "alive", ML_ALIVE, &ml_alive_body },
	{ "dead", ML_DEAD, &ml_claim_body },
	{ "nack", ML_NACK, &ml_nack_body },
	{ "err", ML_ERROR, &ml_error_body },
};

static const struct kind *
kind_of(const struct kind *k, size_t n, const char *what, uint8_t type,
    const char *name)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (strcmp(k[i].name, what) == 0) {
			ck_assert_int_eq(type, k[i].type);
			return &k[i];
		}
	ck_abort_msg("%s: what is %s?", name, what);
	return NULL;
}

static void
recode_serf(struct rbuf *r, const struct json *expect, struct wbuf *w,
    const char *name)
{
	const char	*what = text_of(expect, "serf");
	uint8_t		 type = rb_u8(r);
	struct rbuf	 dest;
	struct sf_relay	 relay;
	struct wbuf	 d;

	ck_assert_msg(what != NULL, "%s", name);
	wb_u8(w, type);
	if (strcmp(what, "relay") == 0) {
		ck_assert_int_eq(type, SF_RELAY);
		body_decode(&sf_relay_body, r, &relay);
		wb_init(&d, 0);
		rb_init(&dest, relay.dest.p, relay.dest.n);
		recode_body(&sf_dest_body, &dest, json_get(json_get(expect,
		    "header"), "DestAddr"), &d, name);
		relay.dest = span_of(d.p, d.len);
		body_encode(&sf_relay_body, &relay, w);
		wb_free(&d);
		recode_serf(r, json_get(expect, "inner"), w, name);
		return;
	}
	recode_body(kind_of(serf_kinds, NELEM(serf_kinds), what, type,
	    name)->body, r, json_get(expect, "body"), w, name);
}

static void
recode_pushpull(struct rbuf *r, const struct json *expect, struct wbuf *w,
    const char *name)
{
	const struct json	*node;

	recode_body(&ml_header_body, r, json_get(expect, "header"), w, name);
	for (node = json_get(expect, "nodes")->child; node != NULL;
	    node = node->next)
		recode_body(&ml_state_body, r, node, w, name);
	recode_serf(r, json_get(expect, "user_state"), w, name);
}

static void
recode_message(const uint8_t *msg, size_t n, const struct json *expect,
    struct wbuf *w, const char *name)
{
	const char	*what = text_of(expect, "msg");
	struct rbuf	 r;

	ck_assert_msg(what != NULL, "%s: no message expected", name);
	rb_init(&r, msg + 1, n - 1);
	wb_u8(w, msg[0]);
	if (strcmp(what, "pushPull") == 0) {
		ck_assert_int_eq(msg[0], ML_PUSHPULL);
		recode_pushpull(&r, expect, w, name);
	} else if (strcmp(what, "user") == 0) {
		ck_assert_int_eq(msg[0], ML_USER);
		if (json_get(expect, "header") != NULL)
			recode_body(&ml_user_body, &r, json_get(expect,
			    "header"), w, name);
		recode_serf(&r, json_get(expect, "payload"), w, name);
	} else
		recode_body(kind_of(kinds, NELEM(kinds), what, msg[0],
		    name)->body, &r, json_get(expect, "body"), w, name);
	ck_assert_msg(rb_done(&r), "%s: bytes left over", name);
}

/* What is around the message, by the expectation. */
struct shape {
	const struct json	*inner;
	const char		*label;
	bool			 crc, compress, encrypted;
	int			 vsn;
	uint8_t			 nonce[CRYPT_NONCE];
};

static struct shape
shape_of(const struct json *e)
{
	struct shape	 s = { .inner = e };
	const char	*layer;

	while ((layer = text_of(s.inner, "layer")) != NULL) {
		if (strcmp(layer, "label") == 0)
			s.label = text_of(s.inner, "label");
		else if (strcmp(layer, "encrypted") == 0) {
			s.encrypted = true;
			s.vsn = atoi(json_get(s.inner, "vsn")->str);
		} else if (strcmp(layer, "crc") == 0)
			s.crc = true;
		else if (strcmp(layer, "compress") == 0)
			s.compress = true;
		else
			break;
		s.inner = json_get(s.inner, "inner");
	}
	return s;
}

static struct keyring *
keys_of(const struct json *j)
{
	struct keyring		*ring = keyring_new();
	const struct json	*k = json_get(j, "keys");
	uint8_t			 key[CRYPT_KEY_MAX];

	for (k = k == NULL ? NULL : k->child; k != NULL; k = k->next) {
		ck_assert_int_eq(hex_decode(k->str, k->len, key), 0);
		ck_assert_ptr_null(keyring_add(ring, key, k->len / 2));
	}
	return ring;
}

struct taken {
	const struct json	*next;
	const char		*name;
	struct compound		 parts;
};

static void
take(const uint8_t *msg, size_t n, void *arg)
{
	struct taken	*t = arg;
	struct wbuf	 w;

	ck_assert_msg(t->next != NULL, "%s: one message too many", t->name);
	wb_init(&w, 0);
	recode_message(msg, n, t->next, &w, t->name);
	ck_assert(compound_add(&t->parts, w.p, w.len));
	wb_free(&w);
	t->next = t->next->next;
}

static void
same_bytes(const struct wbuf *w, const uint8_t *p, size_t n, const char *name)
{
	size_t	i;

	for (i = 0; i < n && i < w->len; i++)
		ck_assert_msg(w->p[i] == p[i], "%s: byte %zu of %zu differs",
		    name, i, n);
	ck_assert_msg(w->len == n, "%s: %zu bytes, not %zu", name, w->len, n);
}

static size_t
label_size(const struct shape *s)
{
	return s->label == NULL ? 0 : 2 + strlen(s->label);
}

static void
check_udp(const char *name, const struct json *j, const uint8_t *p, size_t n)
{
	struct shape		 s = shape_of(json_get(j, "expect"));
	struct layers		 l;
	struct keyring		*ring = keys_of(j);
	struct taken		 t = { .name = name };
	struct wbuf		 msg, out;
	const struct json	*parts = json_get(s.inner, "parts");
	struct json		 one = *s.inner;
	const char		*why;

	one.next = NULL;
	t.next = parts != NULL ? parts->child : &one;
	compound_init(&t.parts);
	layers_init(&l, ring);
	l.compress_min = 0;
	l.label = span_str(s.label);
	why = packet_open(&l, p, n, take, &t);
	ck_assert_msg(why == NULL, "%s: %s", name, why);
	ck_assert_msg(t.next == NULL, "%s: a message is missing", name);

	wb_init(&msg, 0);
	wb_init(&out, 0);
	compound_encode(&t.parts, &msg);
	l.compress = s.compress;
	if (s.encrypted)
		memcpy(s.nonce, p + label_size(&s) + 1, CRYPT_NONCE);
	if (s.encrypted && s.vsn == 0)
		ck_assert_int_eq(crypt_seal(ring, 0, s.nonce, NULL, 0, msg.p,
		    msg.len, &out), 0);
	else
		ck_assert_int_eq(packet_seal(&l, s.nonce, s.crc, msg.p,
		    msg.len, &out), 0);
	same_bytes(&out, p, n, name);

	/* A flipped bit under a key never passes. */
	if (s.encrypted) {
		out.p[out.len - 1] ^= 1;
		ck_assert_ptr_nonnull(packet_open(&l, out.p, out.len, take,
		    &t));
	}
	wb_free(&msg);
	wb_free(&out);
	compound_clear(&t.parts);
	layers_clear(&l);
	keyring_free(ring);
}

/* A message that no stream carries in life: only its layers are looked at. */
static void
check_sealed_stream(const char *name, const struct json *j, struct layers *l,
    const struct shape *s, const uint8_t *p, size_t n)
{
	const char	*hex = text_of(j, "plaintext");
	uint8_t		 plain[256];
	struct wbuf	 out;

	ck_assert_int_eq(hex_decode(hex, strlen(hex), plain), 0);
	wb_init(&out, 0);
	l->compress = false;
	ck_assert_int_eq(frame_seal(l, s->nonce, false, plain,
	    strlen(hex) / 2, &out), 0);
	same_bytes(&out, p, n, name);
	wb_free(&out);
}

static void
check_tcp(const char *name, const struct json *j, const uint8_t *p, size_t n)
{
	struct shape		 s = shape_of(json_get(j, "expect"));
	struct layers		 l;
	struct keyring		*ring = keys_of(j);
	struct wbuf		 msg, out;
	struct frame		 f;
	size_t			 i;

	layers_init(&l, ring);
	l.label = span_str(s.label);
	if (s.encrypted)
		memcpy(s.nonce, p + label_size(&s) + 6, CRYPT_NONCE);
	if (strcmp(text_of(s.inner, "msg"), "dead") == 0) {
		check_sealed_stream(name, j, &l, &s, p, n);
		goto done;
	}
	/* Byte by byte: never an error, and whole at the last one only. */
	frame_init(&f, false);
	for (i = 0; i < n; i++)
		ck_assert_msg(frame_read(&f, &l, p, i) == FRAME_MORE,
		    "%s: after %zu bytes: %s", name, i, f.why);
	ck_assert_int_eq(frame_read(&f, &l, p, n), FRAME_DONE);
	wb_init(&msg, 0);
	wb_init(&out, 0);
	recode_message(f.msg, f.len, s.inner, &msg, name);
	same_bytes(&msg, f.msg, f.len, name);
	l.compress = s.compress;
	ck_assert_int_eq(frame_seal(&l, s.nonce, false, msg.p, msg.len, &out),
	    0);
	/* Consul 1.8.7 was built with an older compressor, which leaves out the
	 * first clear; what it compressed is the same. */
	if (strncmp(name, "consul-tcp-", 11) != 0)
		same_bytes(&out, p, n, name);
	wb_free(&msg);
	wb_free(&out);
done:
	layers_clear(&l);
	keyring_free(ring);
}

static void
check_lzw(const char *name, const struct json *j, const uint8_t *p, size_t n)
{
	const struct json	*e = json_get(j, "expect");
	const char		*sha = text_of(e, "plain_sha256");
	uint8_t			 digest[32];
	char			 hex[65];
	struct lzw		*z = lzw_new();
	struct wbuf		 plain, packed;

	wb_init(&plain, 1 << 20);
	wb_init(&packed, 0);
	ck_assert_msg(lzw_expand(z, p, n, &plain) == 0, "%s", name);
	ck_assert_int_eq((int)plain.len, atoi(json_get(e, "plain_len")->str));
	ck_assert_int_eq(EVP_Digest(plain.p != NULL ? plain.p : p, plain.len,
	    digest, NULL, EVP_sha256(), NULL), 1);
	hex_encode(digest, sizeof(digest), hex);
	ck_assert_str_eq(hex, sha);
	lzw_compress(z, plain.p, plain.len, &packed);
	same_bytes(&packed, p, n, name);
	wb_free(&plain);
	wb_free(&packed);
	lzw_free(z);
}

START_TEST(every_vector_is_read_and_written_back_byte_for_byte)
{
	struct json		*index = load_json("index"), *j;
	const struct json	*e;
	const char		*name, *transport;
	uint8_t			*p;
	size_t			 n, count = 0;

	for (e = index->child; e != NULL; e = e->next) {
		if ((transport = text_of(e, "transport")) == NULL)
			continue;
		name = text_of(e, "name");
		if (strcmp(transport, "calc") == 0 ||
		    strncmp(name, "calc-", 5) == 0)
			continue;
		j = load_json(name);
		p = load_hex(name, &n);
		if (strcmp(transport, "udp") == 0)
			check_udp(name, j, p, n);
		else if (strcmp(transport, "tcp") == 0)
			check_tcp(name, j, p, n);
		else
			check_lzw(name, j, p, n);
		count++;
		free(p);
		json_free(j);
	}
	ck_assert_uint_ge(count, 55);
	json_free(index);
}
END_TEST

static double
number(const struct json *j, const char *key)
{
	const struct json	*x = json_get(j, key);

	ck_assert_msg(x != NULL, "no %s", key);
	return atof(x->str);
}

START_TEST(swim_arithmetic_is_memberlists)
{
	struct json		*j = load_json("calc-swim");
	const struct json	*e;
	double			 left;
	unsigned		 n = 0;

	for (e = json_get(j, "retransmit_limit")->child; e; e = e->next, n++)
		ck_assert_uint_eq(swim_retransmit_limit(
		    (unsigned)number(e, "mult"), (size_t)number(e, "n")),
		    (unsigned)number(e, "limit"));
	for (e = json_get(j, "push_pull_interval")->child; e;
	    e = e->next, n++)
		ck_assert_uint_eq(swim_pushpull_scale(
		    (uint64_t)number(e, "base_ms"), (size_t)number(e, "n")),
		    (uint64_t)number(e, "interval_ms"));
	for (e = json_get(j, "suspicion_min")->child; e; e = e->next, n++)
		ck_assert_uint_eq(swim_suspicion_min(
		    (unsigned)number(e, "mult"), (size_t)number(e, "n"),
		    (uint64_t)number(e, "probe_interval_ms") * NS_PER_MS) /
		    NS_PER_MS, (uint64_t)number(e, "min_timeout_ms"));
	for (e = json_get(j, "suspicion_remaining")->child; e;
	    e = e->next, n++) {
		left = (double)swim_suspicion_total((unsigned)number(e, "n"),
		    (unsigned)number(e, "k"),
		    (uint64_t)number(e, "min_ms") * NS_PER_MS,
		    (uint64_t)number(e, "max_ms") * NS_PER_MS) / NS_PER_MS -
		    number(e, "elapsed_ms");
		ck_assert_msg(left == number(e, "remaining_ms"),
		    "%g, not %g", left, number(e, "remaining_ms"));
	}
	/* With the 440 of calc-coordinate that is all there is. */
	ck_assert_uint_eq(n, 99);
	json_free(j);
}
END_TEST

START_TEST(lzw_refuses_what_is_torn_or_too_long)
{
	static const uint8_t	 zeros[20000];
	struct lzw		*z = lzw_new();
	struct wbuf		 packed, plain;
	size_t			 i;

	wb_init(&packed, 0);
	lzw_compress(z, zeros, sizeof(zeros), &packed);
	for (i = 0; i < packed.len; i++) {
		wb_init(&plain, 0);
		ck_assert_int_eq(lzw_expand(z, packed.p, i, &plain), -1);
		wb_free(&plain);
	}
	wb_init(&plain, sizeof(zeros) - 1);
	ck_assert_int_eq(lzw_expand(z, packed.p, packed.len, &plain), -1);
	wb_free(&plain);
	wb_init(&plain, sizeof(zeros));
	ck_assert_int_eq(lzw_expand(z, packed.p, packed.len, &plain), 0);
	ck_assert_uint_eq(plain.len, sizeof(zeros));
	wb_free(&plain);
	wb_free(&packed);
	lzw_free(z);
}
END_TEST

START_TEST(lzw_returns_what_it_was_given)
{
	struct lzw	*z = lzw_new();
	struct wbuf	 packed, plain;
	struct rng	 rng;
	uint8_t		*buf;
	size_t		 i, n;
	int		 round;

	rng_seed(&rng, 7);
	for (round = 0; round < 40; round++) {
		n = rng_below(&rng, 40000);
		buf = xmalloc(n + 1);
		for (i = 0; i < n; i++)
			buf[i] = (uint8_t)rng_below(&rng, 1u << (round % 9));
		wb_init(&packed, 0);
		wb_init(&plain, n + 1);
		lzw_compress(z, buf, n, &packed);
		ck_assert_int_eq(lzw_expand(z, packed.p, packed.len, &plain),
		    0);
		ck_assert_uint_eq(plain.len, n);
		ck_assert(n == 0 || memcmp(plain.p, buf, n) == 0);
		wb_free(&packed);
		wb_free(&plain);
		free(buf);
	}
	lzw_free(z);
}
END_TEST

START_TEST(keyring_refuses_to_lose_its_primary)
{
	struct keyring	*k = keyring_new();
	uint8_t		 a[16] = { 1 }, b[32] = { 2 };
	size_t		 len;

	ck_assert_ptr_nonnull(keyring_add(k, a, 15));
	ck_assert_ptr_null(keyring_add(k, a, sizeof(a)));
	ck_assert_ptr_null(keyring_add(k, b, sizeof(b)));
	ck_assert_ptr_null(keyring_add(k, b, sizeof(b)));
	ck_assert_uint_eq(keyring_count(k), 2);
	ck_assert_ptr_nonnull(keyring_remove(k, a, sizeof(a)));
	ck_assert_ptr_null(keyring_use(k, b, sizeof(b)));
	(void)keyring_key(k, 0, &len);
	ck_assert_uint_eq(len, sizeof(b));
	ck_assert_ptr_null(keyring_remove(k, a, sizeof(a)));
	ck_assert_ptr_nonnull(keyring_use(k, a, sizeof(a)));
	keyring_free(k);
}
END_TEST

static void
count(const uint8_t *msg, size_t n, void *arg)
{
	(void)msg;
	(void)n;
	(*(unsigned *)arg)++;
}

START_TEST(a_truncated_compound_yields_its_complete_parts)
{
	static const uint8_t	 p[] = { 7, 2, 0, 1, 0, 9, 1, 2, 3 };
	struct layers		 l;
	unsigned		 n = 0;

	layers_init(&l, NULL);
	ck_assert_ptr_nonnull(packet_open(&l, p, sizeof(p), count, &n));
	ck_assert_uint_eq(n, 1);
	layers_clear(&l);
}
END_TEST

START_TEST(plaintext_is_refused_under_a_key_unless_told_otherwise)
{
	static const uint8_t	 key[16], p[] = { 11, 0x80 };
	struct keyring		*k = keyring_new();
	struct layers		 l;
	unsigned		 n = 0;

	ck_assert_ptr_null(keyring_add(k, key, sizeof(key)));
	layers_init(&l, k);
	ck_assert_ptr_nonnull(packet_open(&l, p, sizeof(p), count, &n));
	l.verify_in = false;
	ck_assert_ptr_null(packet_open(&l, p, sizeof(p), count, &n));
	ck_assert_uint_eq(n, 1);
	layers_clear(&l);
	keyring_free(k);
}
END_TEST

START_TEST(a_stream_is_refused_as_peers_do)
{
	static const uint8_t	 sealed[] = { 10, 0, 0, 0, 40 };
	static const uint8_t	 huge[] = { 10, 0xff, 0, 0, 0 };
	static const uint8_t	 plain[] = { 0, 0x80 };
	static const uint8_t	 key[16];
	struct keyring		*k = keyring_new();
	struct layers		 l;
	struct frame		 f;

	layers_init(&l, k);
	frame_init(&f, false);
	ck_assert_int_eq(frame_read(&f, &l, sealed, 5), FRAME_BAD);
	ck_assert_str_eq(f.why, "Remote state is encrypted and encryption is "
	    "not configured");
	ck_assert_ptr_null(keyring_add(k, key, sizeof(key)));
	frame_init(&f, false);
	ck_assert_int_eq(frame_read(&f, &l, plain, 2), FRAME_BAD);
	frame_init(&f, false);
	ck_assert_int_eq(frame_read(&f, &l, huge, 5), FRAME_BAD);
	layers_clear(&l);
	keyring_free(k);
}
END_TEST

/* Without an end: it would be looked at anew with each byte that comes. */
START_TEST(a_stream_does_not_dwell_on_one_value)
{
	/* A list of 16384 lists of 15. */
	static const uint8_t	 begin[][12] = {
		{ ML_PUSHPULL, 0x81, 0xa5, 'N', 'o', 'd', 'e', 's', 1, 0xdc,
		    0x40 },
		{ ML_PUSHPULL, 0x81, 0xa1, 'x', 0xdc, 0x40 },
		{ ML_COMPRESS, 0x81, 0xa1, 'x', 0xdc, 0x40 },
		{ ML_PING, 0xdc, 0x40 }
	};
	static uint8_t		 bytes[100000];
	struct layers		 l;
	struct frame		 f;
	size_t			 i, j;

	layers_init(&l, NULL);
	for (i = 0; i < NELEM(begin); i++) {
		for (j = 0; j < sizeof(bytes); j++)
			bytes[j] = j % 16 == 12 ? 0x9f : 0xc0;
		memcpy(bytes, begin[i], sizeof(begin[i]));
		frame_init(&f, false);
		ck_assert_int_eq(frame_read(&f, &l, bytes, 1000), FRAME_MORE);
		ck_assert_int_eq(frame_read(&f, &l, bytes, sizeof(bytes)),
		    FRAME_BAD);
	}
	layers_clear(&l);
}
END_TEST

/* A text is waited for at no cost, and one that came costs nothing. */
START_TEST(a_long_compressed_state_is_waited_for)
{
	static const uint8_t	 last[] = {
		ML_COMPRESS, 0x82, 0xa4, 'A', 'l', 'g', 'o', 0, 0xa3, 'B', 'u',
		'f', 0xdb, 0, 0x10, 0, 0
	};
	static const uint8_t	 first[] = {
		ML_COMPRESS, 0x82, 0xa3, 'B', 'u', 'f', 0xda, 0x20, 0
	};
	static uint8_t		 bytes[1u << 19];
	struct layers		 l;
	struct frame		 f;

	layers_init(&l, NULL);
	memcpy(bytes, last, sizeof(last));
	frame_init(&f, false);
	ck_assert_int_eq(frame_read(&f, &l, bytes, sizeof(bytes)), FRAME_MORE);
	memcpy(bytes, first, sizeof(first));
	bytes[sizeof(first) + 0x2000] = 0xa4;	/* "Algo" */
	frame_init(&f, false);
	ck_assert_int_eq(frame_read(&f, &l, bytes, sizeof(first) + 0x2001),
	    FRAME_MORE);
	layers_clear(&l);
}
END_TEST

static void
count_message(const uint8_t *p, size_t n, void *arg)
{
	(void)p, (void)n;
	++*(unsigned *)arg;
}

START_TEST(one_datagram_does_not_hold_thousands_of_messages)
{
	struct layers	l;
	struct wbuf	w;
	unsigned	i, j, n = 0;

	/* 127 compounds of 127 messages, and packed to next to nothing. */
	wb_init(&w, 0);
	wb_bytes(&w, "\7\x7f", 2);
	for (i = 0; i < 127; i++)
		wb_u16(&w, 2 + 127 * 3);
	for (i = 0; i < 127; i++) {
		wb_bytes(&w, "\7\x7f", 2);
		for (j = 0; j < 127; j++)
			wb_u16(&w, 1);
		for (j = 0; j < 127; j++)
			wb_u8(&w, ML_NACK);
	}
	layers_init(&l, NULL);
	ck_assert_str_eq(packet_open(&l, w.p, w.len, count_message, &n),
	    "too many messages");
	ck_assert_uint_eq(n, 255);
	ck_assert_uint_eq(l.undecrypted, 0);
	layers_clear(&l);
	wb_free(&w);
}
END_TEST

START_TEST(what_no_key_opens_is_counted_and_nothing_else)
{
	static const uint8_t	 key[16] = { 1 }, nonce[CRYPT_NONCE];
	struct keyring		*k = keyring_new();
	struct layers		 l;
	struct frame		 f;
	struct wbuf		 w, frame;
	unsigned		 n = 0;

	ck_assert_ptr_null(keyring_add(k, key, sizeof(key)));
	layers_init(&l, k);
	wb_init(&w, 0);
	wb_init(&frame, 0);
	ck_assert_int_eq(packet_seal(&l, nonce, false,
	    (const uint8_t *)"\x0bx", 2, &w), 0);
	ck_assert_int_eq(frame_seal(&l, nonce, false,
	    (const uint8_t *)"\2\x80", 2, &frame), 0);
	ck_assert_ptr_null(packet_open(&l, w.p, w.len, count_message, &n));
	w.p[w.len - 1] ^= 1;
	ck_assert_ptr_nonnull(packet_open(&l, w.p, w.len, count_message, &n));
	ck_assert_uint_eq(n, 1);
	frame.p[frame.len - 1] ^= 1;
	frame_init(&f, false);
	ck_assert_int_eq(frame_read(&f, &l, frame.p, frame.len), FRAME_BAD);
	ck_assert_uint_eq(l.undecrypted, 2);
	wb_free(&w);
	wb_free(&frame);
	layers_clear(&l);
	keyring_free(k);
}
END_TEST

START_TEST(names_have_the_numbers_of_their_store)
{
	struct idents	*s = idents_new();
	struct gaddr	 at = { .len = 4, .port = 1 };
	struct ident	*id[300], *again;
	uint8_t		 vsn[VSN_LEN] = { 1 };
	char		 name[32];
	unsigned	 i;

	idents_seed(s, 0x1234, 0x5678);
	for (i = 0; i < NELEM(id); i++) {
		(void)snprintf(name, sizeof(name), "%.*s%u", (int)(i % 20),
		    "a name of some length", i);
		id[i] = ident_get(s, span_str(name), &at, span_str("m"), vsn);
		ck_assert_uint_eq(id[i]->num, i);
	}
	for (i = 0; i < NELEM(id); i++)
		ck_assert_uint_eq(idents_find(s, ident_name_span(id[i])), i);
	again = ident_next(s, id[7], &at, span_str("m"), vsn);
	ck_assert_ptr_eq(again, id[7]);
	ident_unref(s, again);
	again = ident_next(s, id[7], &at, span_str("other"), vsn);
	ck_assert_ptr_ne(again, id[7]);
	ck_assert_uint_eq(again->num, 7);
	ident_unref(s, again);
	for (i = 0; i < NELEM(id); i++)
		ident_unref(s, id[i]);
	ck_assert_uint_eq(idents_find(s, span_str("0")), IDENT_NONE);
	idents_free(s);
}
END_TEST

UNIT_MAIN("gossipd_vectors",
    every_vector_is_read_and_written_back_byte_for_byte,
    swim_arithmetic_is_memberlists,
    lzw_refuses_what_is_torn_or_too_long,
    lzw_returns_what_it_was_given,
    keyring_refuses_to_lose_its_primary,
    a_truncated_compound_yields_its_complete_parts,
    plaintext_is_refused_under_a_key_unless_told_otherwise,
    a_stream_is_refused_as_peers_do,
    a_stream_does_not_dwell_on_one_value,
    a_long_compressed_state_is_waited_for,
    one_datagram_does_not_hold_thousands_of_messages,
    what_no_key_opens_is_counted_and_nothing_else,
    names_have_the_numbers_of_their_store)

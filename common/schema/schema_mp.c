/*
 * Structs as msgpack, on the network and between our own processes (rpc.md
 * 2.1, 2.2): one map, keys in byte order, every field, nil apart from empty.
 *
 * What is decoded comes from other hosts.  Counts are bounded by the bytes
 * left (mp.c), memory by a multiple of the input, for an element of one byte
 * may ask for a struct of hundreds.
 */
#include <stdlib.h>
#include <string.h>

#include "common/mp.h"
#include "common/schema/schema.h"
#include "common/schema/walk.h"
#include "common/util.h"

#define DECODE_MEM_BASE (1u << 20)
#define DECODE_MEM_EACH 32	/* bytes of struct per byte of input */

/* ---- keys in order ---- */

static int
key_order(const void *a, const void *b, void *arg)
{
	const struct schema	*s = arg;

	return strcmp(s->fields[((const struct schema_key *)a)->field].name,
	    s->fields[((const struct schema_key *)b)->field].name);
}

static const struct schema_key *
schema_keys(struct schema *s)
{
	size_t	 i;

	if (s->keys == NULL) {
		s->keys = xcalloc(s->nfields, sizeof(*s->keys));
		for (i = 0; i < s->nfields; i++) {
			s->keys[i].field = (uint16_t)i;
			s->keys[i].len = (uint16_t)strlen(s->fields[i].name);
		}
		qsort_r(s->keys, s->nfields, sizeof(*s->keys), key_order, s);
	}
	return s->keys;
}

/* ---- encoding ---- */

static void value_encode(enum schema_kind, struct schema *, const void *,
    struct wbuf *);

static void
vec_encode(enum schema_kind kind, struct schema *sub, const struct any_vec *v,
    struct wbuf *w)
{
	size_t	 i, size = item_size(kind, sub);
	bool	 map = kinds[kind].shape == SHAPE_MAP;
	void	*item;

	if (v->n == 0 && !v->set) {
		mp_nil(w);
		return;
	}
	if (map)
		mp_map(w, v->n);
	else
		mp_array(w, v->n);
	for (i = 0; i < v->n; i++) {
		item = item_at(v, i, size);
		if (map) {
			mp_str(w, *pair_key(item));
			item = pair_value(item);
		}
		value_encode(kinds[kind].elem, sub, item, w);
	}
}

static void
bytes_encode(enum schema_kind kind, const struct bytes *b, struct wbuf *w)
{
	if (b->n == 0 && (!b->set || kind == K_ANY))
		mp_nil(w);
	else if (kind == K_ANY)
		wb_bytes(w, b->p, b->n);
	else
		mp_raw(w, b->p, b->n);
}

static void
time_encode(const struct gotime *t, struct wbuf *w)
{
	struct wbuf	 raw;
	bool		 zero = t->sec == 0 && t->nsec == 0;

	wb_init(&raw, 0);
	wb_u8(&raw, 1);
	wb_u64(&raw, (uint64_t)t->sec);
	wb_u32(&raw, (uint32_t)t->nsec);
	wb_u16(&raw, zero ? 0xffff : (uint16_t)t->zone_min);
	mp_raw(w, raw.p, raw.len);
	wb_free(&raw);
}

static void
value_encode(enum schema_kind kind, struct schema *sub, const void *p,
    struct wbuf *w)
{
	switch (kind) {
	case K_STR:
		mp_str(w, *(char *const *)p);
		break;
	case K_BOOL:
		mp_bool(w, *(const bool *)p);
		break;
	case K_INT:
	case K_DUR:
		mp_int(w, *(const int64_t *)p);
		break;
	case K_UINT:
		mp_uint(w, *(const uint64_t *)p);
		break;
	case K_DOUBLE:
		mp_double(w, *(const double *)p);
		break;
	case K_BYTES:
	case K_ANY:
		bytes_encode(kind, p, w);
		break;
	case K_TIME:
		time_encode(p, w);
		break;
	case K_STRUCT:
		schema_encode(sub, p, w);
		break;
	case K_PTR:
		if (*(void *const *)p == NULL)
			mp_nil(w);
		else
			schema_encode(sub, *(void *const *)p, w);
		break;
	case K_STRS:
	case K_DOUBLES:
	case K_STRMAP:
	case K_STRSMAP:
	case K_INTMAP:
	case K_LIST:
	case K_MAP:
		vec_encode(kind, sub, p, w);
		break;
	}
}

static bool
on_wire(const struct schema_field *f, const void *obj)
{
	if (f->flags & S_NOWIRE)
		return false;
	return !(f->flags & S_OPT) ||
	    !value_unset(f->kind, f->sub, (const char *)obj + f->off);
}

void
schema_encode(struct schema *s, const void *obj, struct wbuf *w)
{
	const struct schema_key		*keys = schema_keys(s);
	const struct schema_field	*f;
	size_t				 i, n = 0;

	for (i = 0; i < s->nfields; i++)
		n += on_wire(&s->fields[i], obj);
	mp_map(w, n);
	for (i = 0; i < s->nfields; i++) {
		f = &s->fields[keys[i].field];
		if (!on_wire(f, obj))
			continue;
		mp_raw(w, f->name, keys[i].len);
		value_encode(f->kind, f->sub, (const char *)obj + f->off, w);
	}
}

/* ---- decoding ---- */

struct decode {
	struct rbuf	*r;
	size_t		 budget;	/* bytes of memory still allowed */
};

static void value_decode(struct decode *, enum schema_kind, struct schema *,
    void *);
static void struct_decode(struct decode *, struct schema *, void *);

static void *
decode_alloc(struct decode *d, size_t n, size_t size)
{
	if (n > d->budget / size) {
		rb_fail(d->r, "more elements than bytes account for");
		return NULL;
	}
	d->budget -= n * size;
	return xcalloc(n, size);
}

/* Never NULL unless the cursor failed. */
static char *
text_decode(struct rbuf *r)
{
	const uint8_t	*p;
	size_t		 n;

	p = mp_get_raw(r, &n);
	return rb_ok(r) ? text_dup(p, n) : NULL;
}

static void
vec_decode(struct decode *d, enum schema_kind kind, struct schema *sub,
    struct any_vec *v)
{
	size_t	 i, n, size = item_size(kind, sub);
	bool	 map = kinds[kind].shape == SHAPE_MAP;
	void	*item;

	if (mp_get_nil(d->r))
		return;
	n = map ? mp_get_map(d->r) : mp_get_array(d->r);
	if (!rb_ok(d->r))
		return;
	v->set = true;
	if (n == 0 || (v->item = decode_alloc(d, n, size)) == NULL)
		return;
	for (i = 0; i < n && rb_ok(d->r); i++) {
		v->n = i + 1;
		item = item_at(v, i, size);
		if (map) {
			*pair_key(item) = text_decode(d->r);
			item = pair_value(item);
		}
		if (kinds[kind].elem == K_STR)
			*(char **)item = text_decode(d->r);
		else
			value_decode(d, kinds[kind].elem, sub, item);
	}
	if (map && rb_ok(d->r))
		map_unique(kind, sub, v);
}

static void
str_decode(struct rbuf *r, char **s)
{
	const uint8_t	*p;
	size_t		 n;

	p = mp_get_raw(r, &n);
	if (n > 0)		/* "" is NULL: most fields of most structs */
		*s = text_dup(p, n);
}

static void
bytes_decode(struct rbuf *r, enum schema_kind kind, struct bytes *b)
{
	const uint8_t	*p = r->p;
	size_t		 n;

	if (mp_get_nil(r))
		return;
	if (kind == K_ANY) {
		mp_skip_within(r, ANY_DEPTH_MAX);
		n = (size_t)(r->p - p);
	} else
		p = mp_get_raw(r, &n);
	if (rb_ok(r))
		bytes_set(b, p, n);
}

static void
time_decode(struct rbuf *r, struct gotime *t)
{
	struct rbuf	 raw;
	const uint8_t	*p;
	size_t		 n;

	if ((p = mp_get_raw(r, &n)) == NULL)
		return;
	rb_init(&raw, p, n);
	if (rb_u8(&raw) != 1)
		rb_fail(&raw, "version");
	t->sec = (int64_t)rb_u64(&raw);
	t->nsec = (int32_t)rb_u32(&raw);
	t->zone_min = (int16_t)rb_u16(&raw);
	if (!rb_done(&raw) || t->nsec < 0 || t->nsec >= NS_PER_S)
		rb_fail(r, "bad time");
	if (t->sec == 0 && t->nsec == 0)
		t->zone_min = 0;
}

static void
value_decode(struct decode *d, enum schema_kind kind, struct schema *sub,
    void *p)
{
	switch (kind) {
	case K_STR:
		str_decode(d->r, p);
		break;
	case K_BOOL:
		*(bool *)p = mp_get_bool(d->r);
		break;
	case K_INT:
	case K_DUR:
		*(int64_t *)p = mp_get_int(d->r);
		break;
	case K_UINT:
		*(uint64_t *)p = mp_get_uint(d->r);
		break;
	case K_DOUBLE:
		*(double *)p = mp_get_double(d->r);
		break;
	case K_BYTES:
	case K_ANY:
		bytes_decode(d->r, kind, p);
		break;
	case K_TIME:
		time_decode(d->r, p);
		break;
	case K_STRUCT:
		struct_decode(d, sub, p);
		break;
	case K_PTR:
		if (!mp_get_nil(d->r) && (*(void **)p =
		    decode_alloc(d, 1, sub->size)) != NULL)
			struct_decode(d, sub, *(void **)p);
		break;
	case K_STRS:
	case K_DOUBLES:
	case K_STRMAP:
	case K_STRSMAP:
	case K_INTMAP:
	case K_LIST:
	case K_MAP:
		vec_decode(d, kind, sub, p);
		break;
	}
}

static int
key_cmp(const char *name, size_t len, const uint8_t *key, size_t n)
{
	int	 c = memcmp(name, key, n < len ? n : len);

	return c != 0 ? c : (len > n) - (len < n);
}

/*
 * The field of that name.  Peers write keys in order, so *next, the place
 * after the last one found, mostly has it.
 */
static const struct schema_field *
field_find(struct schema *s, const uint8_t *key, size_t n, size_t *next)
{
	const struct schema_key		*k = schema_keys(s);
	const struct schema_field	*f;
	size_t				 lo = 0, hi = s->nfields, mid = *next;
	int				 c;

	if (n == 0)
		return NULL;
	if (mid >= hi)
		mid = hi / 2;
	while (lo < hi) {
		f = &s->fields[k[mid].field];
		c = key_cmp(f->name, k[mid].len, key, n);
		if (c == 0) {
			*next = mid + 1;
			return f;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
		mid = lo + (hi - lo) / 2;
	}
	return NULL;
}

/* Into a zeroed struct; nil leaves it so. */
static void
struct_decode(struct decode *d, struct schema *s, void *obj)
{
	const struct schema_field	*f;
	const uint8_t			*key;
	size_t				 i, n, len, last = 0, next = 0;

	n = mp_get_map(d->r);
	for (i = 0; i < n && rb_ok(d->r); i++) {
		key = mp_get_raw(d->r, &len);
		f = field_find(s, key, len, &next);
		if (f == NULL || (f->flags & S_NOWIRE)) {
			mp_skip(d->r);
			continue;
		}
		/* A key may come twice, which is possible only out of order. */
		if (next <= last)
			value_clear(f->kind, f->sub, (char *)obj + f->off);
		else
			last = next;
		value_decode(d, f->kind, f->sub, (char *)obj + f->off);
	}
}

int
schema_decode(struct schema *s, struct rbuf *r, void *obj)
{
	struct decode	 d = { r, 0 };

	if (__builtin_mul_overflow(r->n, (size_t)DECODE_MEM_EACH, &d.budget))
		d.budget = SIZE_MAX / 2;
	d.budget += DECODE_MEM_BASE;
	memset(obj, 0, s->size);
	struct_decode(&d, s, obj);
	if (rb_ok(r))
		return 0;
	schema_clear(s, obj);
	return -1;
}

int
schema_decode_all(struct schema *s, const void *p, size_t n, void *obj,
    const char **err)
{
	struct rbuf	 r;

	rb_init(&r, p, n);
	if (schema_decode(s, &r, obj) == 0) {
		if (rb_done(&r))
			return 0;
		rb_fail(&r, "bytes left over");
		schema_clear(s, obj);
	}
	if (err != NULL)
		*err = r.err;
	return -1;
}

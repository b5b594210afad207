/*
 * Structs by their tables: freeing, copying, comparing, and small hands for
 * the containers.  The encodings are in schema_mp.c and schema_json.c.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema/schema.h"
#include "common/schema/walk.h"
#include "common/util.h"

const struct kind_info kinds[] = {
	[K_STR] =	{ SHAPE_VALUE, K_STR, sizeof(char *) },
	[K_BOOL] =	{ SHAPE_VALUE, K_BOOL, sizeof(bool) },
	[K_INT] =	{ SHAPE_VALUE, K_INT, sizeof(int64_t) },
	[K_UINT] =	{ SHAPE_VALUE, K_UINT, sizeof(uint64_t) },
	[K_DOUBLE] =	{ SHAPE_VALUE, K_DOUBLE, sizeof(double) },
	[K_DUR] =	{ SHAPE_VALUE, K_DUR, sizeof(int64_t) },
	[K_BYTES] =	{ SHAPE_VALUE, K_BYTES, sizeof(struct bytes) },
	[K_TIME] =	{ SHAPE_VALUE, K_TIME, sizeof(struct gotime) },
	[K_ANY] =	{ SHAPE_VALUE, K_ANY, sizeof(struct bytes) },
	[K_STRS] =	{ SHAPE_LIST, K_STR, sizeof(struct strs) },
	[K_DOUBLES] =	{ SHAPE_LIST, K_DOUBLE, sizeof(struct doubles) },
	[K_STRMAP] =	{ SHAPE_MAP, K_STR, sizeof(struct strmap) },
	[K_STRSMAP] =	{ SHAPE_MAP, K_STRS, sizeof(struct strsmap) },
	[K_INTMAP] =	{ SHAPE_MAP, K_INT, sizeof(struct intmap) },
	[K_STRUCT] =	{ SHAPE_VALUE, K_STRUCT, 0 },
	[K_PTR] =	{ SHAPE_VALUE, K_PTR, sizeof(void *) },
	[K_LIST] =	{ SHAPE_LIST, K_STRUCT, sizeof(struct any_vec) },
	[K_MAP] =	{ SHAPE_MAP, K_STRUCT, sizeof(struct any_vec) }
};

size_t
kind_size(enum schema_kind kind, const struct schema *sub)
{
	return kind == K_STRUCT ? sub->size : kinds[kind].size;
}

size_t
item_size(enum schema_kind kind, const struct schema *sub)
{
	size_t	 size = kind_size(kinds[kind].elem, sub);

	if (kinds[kind].shape == SHAPE_LIST)
		return size;
	/* A pair is as aligned as its key. */
	return PAIR_VALUE + (size + PAIR_VALUE - 1) / PAIR_VALUE * PAIR_VALUE;
}

char *
text_dup(const void *p, size_t n)
{
	char	*s = xmemdup_str(p, n), *nul;

	/* Cut short it would be another, perhaps valid, name. */
	for (nul = s; (nul = memchr(nul, '\0', n - (size_t)(nul - s))) != NULL;)
		*nul++ = '?';
	return s;
}

/* ---- freeing ---- */

static void value_free(enum schema_kind, struct schema *, void *);
static void struct_free(struct schema *, void *);

static void
vec_free(enum schema_kind kind, struct schema *sub, struct any_vec *v)
{
	size_t	 i, size = item_size(kind, sub);
	bool	 map = kinds[kind].shape == SHAPE_MAP;
	void	*item;

	for (i = 0; i < v->n; i++) {
		item = item_at(v, i, size);
		if (map) {
			free(*pair_key(item));
			item = pair_value(item);
		}
		value_free(kinds[kind].elem, sub, item);
	}
	free(v->item);
}

/* What the value points to; the value itself is left as it was. */
static void
value_free(enum schema_kind kind, struct schema *sub, void *p)
{
	struct bytes	*b = p;

	switch (kind) {
	case K_STR:
		free(*(char **)p);
		break;
	case K_BYTES:
	case K_ANY:
		free(b->p);
		break;
	case K_STRUCT:
		struct_free(sub, p);
		break;
	case K_PTR:
		if (*(void **)p != NULL)
			struct_free(sub, *(void **)p);
		free(*(void **)p);
		break;
	case K_STRS:
	case K_DOUBLES:
	case K_STRMAP:
	case K_STRSMAP:
	case K_INTMAP:
	case K_LIST:
	case K_MAP:
		vec_free(kind, sub, p);
		break;
	case K_BOOL:
	case K_INT:
	case K_UINT:
	case K_DOUBLE:
	case K_DUR:
	case K_TIME:
		break;
	}
}

static void
struct_free(struct schema *s, void *obj)
{
	const struct schema_field	*f;
	char				*text;
	size_t				 i;

	for (i = 0; i < s->nfields; i++) {
		f = &s->fields[i];
		if ((f->flags & S_SECRET) && f->kind == K_STR &&
		    (text = *(char **)((char *)obj + f->off)) != NULL)
			explicit_bzero(text, strlen(text));
		value_free(f->kind, f->sub, (char *)obj + f->off);
	}
}

void
value_clear(enum schema_kind kind, struct schema *sub, void *p)
{
	value_free(kind, sub, p);
	memset(p, 0, kind_size(kind, sub));
}

void
schema_clear(struct schema *s, void *obj)
{
	struct_free(s, obj);
	memset(obj, 0, s->size);
}

/* ---- zero or not ---- */

static bool
struct_unset(const struct schema *s, const void *obj)
{
	size_t	 i;

	for (i = 0; i < s->nfields; i++) {
		if (!value_unset(s->fields[i].kind, s->fields[i].sub,
		    (const char *)obj + s->fields[i].off))
			return false;
	}
	return true;
}

bool
value_unset(enum schema_kind kind, const struct schema *sub, const void *p)
{
	const struct any_vec	*v = p;
	const struct gotime	*t = p;

	switch (kind) {
	case K_STR:
		return str_empty(*(char *const *)p);
	case K_BOOL:
		return !*(const bool *)p;
	case K_INT:
	case K_DUR:
		return *(const int64_t *)p == 0;
	case K_UINT:
		return *(const uint64_t *)p == 0;
	case K_DOUBLE:
		return *(const double *)p == 0;
	case K_TIME:
		return t->sec == 0 && t->nsec == 0;
	case K_STRUCT:
		return struct_unset(sub, p);
	case K_PTR:
		return *(void *const *)p == NULL;
	case K_BYTES:
	case K_ANY:
	case K_STRS:
	case K_DOUBLES:
	case K_STRMAP:
	case K_STRSMAP:
	case K_INTMAP:
	case K_LIST:
	case K_MAP:
		return v->n == 0 && !v->set;
	}
	return true;
}

bool
value_empty(enum schema_kind kind, const struct schema *sub, const void *p)
{
	const struct any_vec	*v = p;
	const struct bytes	*b = p;

	if (kinds[kind].shape != SHAPE_VALUE || kind == K_BYTES)
		return v->n == 0;
	if (kind == K_ANY)	/* nil, [], {} */
		return b->n == 0 || (b->n == 1 && (b->p[0] == 0xc0 ||
		    b->p[0] == 0x90 || b->p[0] == 0x80));
	return value_unset(kind, sub, p);
}

/* ---- copying ---- */

static void value_copy(enum schema_kind, struct schema *, void *,
    const void *);

static void
vec_copy(enum schema_kind kind, struct schema *sub, struct any_vec *dst,
    const struct any_vec *src)
{
	size_t	 i, size = item_size(kind, sub);
	bool	 map = kinds[kind].shape == SHAPE_MAP;
	void	*to, *from;

	memset(dst, 0, sizeof(*dst));
	dst->set = src->set;
	if (src->n == 0)
		return;
	dst->item = xcalloc(src->n, size);
	dst->n = src->n;
	for (i = 0; i < src->n; i++) {
		to = item_at(dst, i, size);
		from = item_at(src, i, size);
		if (map) {
			*pair_key(to) = xstrdup(*pair_key(from));
			to = pair_value(to);
			from = pair_value(from);
		}
		value_copy(kinds[kind].elem, sub, to, from);
	}
}

static void
value_copy(enum schema_kind kind, struct schema *sub, void *dst,
    const void *src)
{
	const struct bytes	*b = src;

	if (kinds[kind].shape != SHAPE_VALUE) {
		vec_copy(kind, sub, dst, src);
		return;
	}
	switch (kind) {
	case K_STR:
		*(char **)dst = xstrdup(*(char *const *)src);
		return;
	case K_BYTES:
	case K_ANY:
		memset(dst, 0, sizeof(*b));
		if (b->set || b->n > 0)
			bytes_set(dst, b->p, b->n);
		return;
	case K_STRUCT:
		schema_copy(sub, dst, src);
		return;
	case K_PTR:
		*(void **)dst = NULL;
		if (*(void *const *)src != NULL) {
			*(void **)dst = xcalloc(1, sub->size);
			schema_copy(sub, *(void **)dst, *(void *const *)src);
		}
		return;
	case K_BOOL:
	case K_INT:
	case K_UINT:
	case K_DOUBLE:
	case K_DUR:
	case K_TIME:
	case K_STRS:
	case K_DOUBLES:
	case K_STRMAP:
	case K_STRSMAP:
	case K_INTMAP:
	case K_LIST:
	case K_MAP:
		memcpy(dst, src, kind_size(kind, sub));
	}
}

void
schema_copy(struct schema *s, void *dst, const void *src)
{
	const struct schema_field	*f;
	size_t				 i;

	memset(dst, 0, s->size);
	for (i = 0; i < s->nfields; i++) {
		f = &s->fields[i];
		value_copy(f->kind, f->sub, (char *)dst + f->off,
		    (const char *)src + f->off);
	}
}

/* ---- maps, in order ---- */

static int
pair_cmp(const void *a, const void *b)
{
	const void *const	*x = a, *const *y = b;
	int			 c;

	c = strcmp(**(char *const *const *)a, **(char *const *const *)b);
	if (c != 0)
		return c;
	return *x < *y ? -1 : *x > *y;
}

void **
map_sorted(const struct any_vec *v, size_t size)
{
	void	**p = xcalloc(v->n, sizeof(*p));
	size_t	  i;

	for (i = 0; i < v->n; i++)
		p[i] = item_at(v, i, size);
	qsort(p, v->n, sizeof(*p), pair_cmp);
	return p;
}

void
map_unique(enum schema_kind kind, struct schema *sub, struct any_vec *v)
{
	size_t	  size = item_size(kind, sub), i, n = 0;
	void	**p, *pair;

	for (i = 1; i < v->n; i++) {
		if (strcmp(*pair_key(item_at(v, i - 1, size)),
		    *pair_key(item_at(v, i, size))) >= 0)
			break;
	}
	if (i >= v->n)		/* ascending: no two are the same */
		return;
	p = map_sorted(v, size);
	for (i = 1; i < v->n; i++) {
		if (strcmp(*pair_key(p[i - 1]), *pair_key(p[i])) != 0)
			continue;
		value_clear(kinds[kind].elem, sub, pair_value(p[i - 1]));
		free(*pair_key(p[i - 1]));
		*pair_key(p[i - 1]) = NULL;
		p[i - 1] = p[i];
	}
	free(p);
	for (i = 0; i < v->n; i++) {
		pair = item_at(v, i, size);
		if (*pair_key(pair) == NULL)
			continue;
		if (n != i)
			memcpy(item_at(v, n, size), pair, size);
		n++;
	}
	v->n = n;
}

/* ---- comparing ---- */

static bool value_equal(enum schema_kind, struct schema *, const void *,
    const void *);

static bool
list_equal(enum schema_kind kind, struct schema *sub, const struct any_vec *a,
    const struct any_vec *b)
{
	size_t	 i, size = item_size(kind, sub);

	for (i = 0; i < a->n; i++) {
		if (!value_equal(kinds[kind].elem, sub, item_at(a, i, size),
		    item_at(b, i, size)))
			return false;
	}
	return true;
}

static bool
map_equal(enum schema_kind kind, struct schema *sub, const struct any_vec *a,
    const struct any_vec *b)
{
	size_t	  i, size = item_size(kind, sub);
	void	**x, **y;
	bool	  same = true;

	if (a->n == 0)
		return true;
	x = map_sorted(a, size);
	y = map_sorted(b, size);
	for (i = 0; i < a->n && same; i++)
		same = strcmp(*pair_key(x[i]), *pair_key(y[i])) == 0 &&
		    value_equal(kinds[kind].elem, sub, pair_value(x[i]),
		    pair_value(y[i]));
	free(x);
	free(y);
	return same;
}

static bool
vec_equal(enum schema_kind kind, struct schema *sub, const struct any_vec *a,
    const struct any_vec *b)
{
	if (a->n != b->n || (a->n == 0 && a->set != b->set))
		return false;
	return kinds[kind].shape == SHAPE_MAP ? map_equal(kind, sub, a, b) :
	    list_equal(kind, sub, a, b);
}

static bool
value_equal(enum schema_kind kind, struct schema *sub, const void *a,
    const void *b)
{
	const struct bytes	*x = a, *y = b;
	const struct gotime	*t = a, *u = b;
	void			*p, *q;

	if (kinds[kind].shape != SHAPE_VALUE)
		return vec_equal(kind, sub, a, b);
	switch (kind) {
	case K_STR:
		return strcmp(str_or(*(char *const *)a, ""),
		    str_or(*(char *const *)b, "")) == 0;
	case K_BYTES:
	case K_ANY:
		if (x->n != y->n || (x->n == 0 && x->set != y->set))
			return false;
		return x->n == 0 || memcmp(x->p, y->p, x->n) == 0;
	case K_TIME:
		return t->sec == u->sec && t->nsec == u->nsec;
	case K_STRUCT:
		return schema_equal(sub, a, b);
	case K_PTR:
		p = *(void *const *)a;
		q = *(void *const *)b;
		if (p == NULL || q == NULL)
			return p == q;
		return schema_equal(sub, p, q);
	case K_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case K_DOUBLE:
		return *(const double *)a == *(const double *)b;
	case K_INT:
	case K_UINT:
	case K_DUR:
	case K_STRS:
	case K_DOUBLES:
	case K_STRMAP:
	case K_STRSMAP:
	case K_INTMAP:
	case K_LIST:
	case K_MAP:
		break;
	}
	return memcmp(a, b, kind_size(kind, sub)) == 0;
}

bool
schema_equal(struct schema *s, const void *a, const void *b)
{
	const struct schema_field	*f;
	size_t				 i;

	for (i = 0; i < s->nfields; i++) {
		f = &s->fields[i];
		if (!value_equal(f->kind, f->sub, (const char *)a + f->off,
		    (const char *)b + f->off))
			return false;
	}
	return true;
}

/* ---- hands ---- */

/*
 * Who made the array is unknown (a decoder, a copy, the caller), so what it
 * has room for is asked of the allocator.
 */
void *
vec_add(void *vec, size_t size)
{
	struct any_vec	*v = vec;
	size_t		 need = (v->n + 1) * size;

	if (v->item == NULL || malloc_usable_size(v->item) < need)
		v->item = xreallocarray(v->item, v->n + v->n / 2 + 1, size);
	v->set = true;
	return memset(item_at(v, v->n++, size), 0, size);
}

void
str_set(char **to, const char *s)
{
	char	*copy = xstrdup(s);	/* s may be part of the old one */

	free(*to);
	*to = copy;
}

void
bytes_set(struct bytes *b, const void *p, size_t n)
{
	uint8_t	*copy = (uint8_t *)xmemdup_str(p, n);

	free(b->p);
	b->p = copy;
	b->n = n;
	b->set = true;
}

void
strs_add(struct strs *l, const char *s)
{
	char	*copy = xstrdup(s != NULL ? s : "");

	*(char **)vec_add(l, sizeof(char *)) = copy;
}

void
strs_clear(struct strs *l)
{
	value_clear(K_STRS, NULL, l);
}

bool
strs_has(const struct strs *l, const char *s)
{
	size_t	 i;

	for (i = 0; i < l->n; i++) {
		if (strcmp(l->item[i], s) == 0)
			return true;
	}
	return false;
}

bool
strs_has_nocase(const struct strs *l, const char *s)
{
	size_t	 i;

	for (i = 0; i < l->n; i++) {
		if (strcasecmp(str_or(l->item[i], ""), s) == 0)
			return true;
	}
	return false;
}

bool
strs_equal(const struct strs *a, const struct strs *b)
{
	size_t	 i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++) {
		if (strcmp(a->item[i], b->item[i]) != 0)
			return false;
	}
	return true;
}

void
strs_copy(struct strs *dst, const struct strs *src)
{
	value_copy(K_STRS, NULL, dst, src);
}

void
strmap_put(struct strmap *m, const char *key, const char *val)
{
	struct str_pair	*pair;
	size_t		 i;

	if (val == NULL)
		val = "";
	for (i = 0; i < m->n; i++) {
		if (strcmp(m->item[i].key, key) == 0) {
			str_set(&m->item[i].val, val);
			return;
		}
	}
	pair = vec_add(m, sizeof(*pair));
	pair->key = xstrdup(key);
	pair->val = xstrdup(val);
}

const char *
strmap_get(const struct strmap *m, const char *key)
{
	size_t	 i;

	for (i = 0; i < m->n; i++) {
		if (strcmp(m->item[i].key, key) == 0)
			return m->item[i].val;
	}
	return NULL;
}

void
strmap_copy(struct strmap *dst, const struct strmap *src)
{
	value_copy(K_STRMAP, NULL, dst, src);
}

void
strmap_clear(struct strmap *m)
{
	value_clear(K_STRMAP, NULL, m);
}

bool
strmap_equal(const struct strmap *a, const struct strmap *b)
{
	return value_equal(K_STRMAP, NULL, a, b);
}

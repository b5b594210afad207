/*
 * Tags in meta, both ways.  What they mean to Consul is consul.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mp.h"
#include "common/util.h"
#include "gossipd/tags.h"

void
tags_each(struct span meta, tag_fn *fn, void *arg)
{
	struct rbuf	r;
	struct span	key, val;
	size_t		i, n;

	if (meta.n == 0)
		return;
	if (meta.p[0] != TAGS_MAGIC) {
		/* Before delegate version 3 all of it was the role. */
		fn(span_str("role"), meta, arg);
		return;
	}
	rb_init(&r, meta.p + 1, meta.n - 1);
	n = mp_get_map(&r);
	for (i = 0; i < n; i++) {
		key.p = mp_get_raw(&r, &key.n);
		val.p = mp_get_raw(&r, &val.n);
		if (!rb_ok(&r))
			return;
		fn(key, val, arg);
	}
}

struct wanted {
	const char	*key;
	struct span	 val;
	bool		 found;
};

static void
tag_match(struct span key, struct span val, void *arg)
{
	struct wanted	*w = arg;

	if (span_is(key, w->key)) {
		w->val = val;
		w->found = true;
	}
}

bool
tag_get(struct span meta, const char *key, struct span *val)
{
	struct wanted	w = { .key = key };

	tags_each(meta, tag_match, &w);
	*val = w.val;
	return w.found;
}

bool
tag_is(struct span meta, const char *key, const char *val)
{
	struct span	got;

	return tag_get(meta, key, &got) && span_is(got, val);
}

bool
tag_has(struct span meta, const char *key)
{
	struct span	got;

	return tag_get(meta, key, &got);
}

bool
tag_number(struct span meta, const char *key, int *val)
{
	struct span	got;
	char		text[12], *end;
	long		n;

	if (!tag_get(meta, key, &got) || got.n == 0 || got.n >= sizeof(text))
		return false;
	memcpy(text, got.p, got.n);
	text[got.n] = '\0';
	if (strspn(text, "+-0123456789") != got.n)
		return false;
	n = strtol(text, &end, 10);
	if (*end != '\0' || n < INT32_MIN || n > INT32_MAX)
		return false;
	*val = (int)n;
	return true;
}

void
tags_put_number(struct strmap *tags, const char *key, uint64_t v)
{
	char	text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	strmap_put(tags, key, text);
}

void
tags_encode(const struct strmap *tags, struct wbuf *w)
{
	size_t	i;

	wb_u8(w, TAGS_MAGIC);
	mp_map(w, tags->n);
	for (i = 0; i < tags->n; i++) {
		mp_str(w, tags->item[i].key);
		mp_str(w, tags->item[i].val);
	}
}

static void
tag_put(struct span key, struct span val, void *arg)
{
	struct strmap	*tags = arg;
	char		*k = xmemdup_str(key.p, key.n);
	char		*v = xmemdup_str(val.p, val.n);

	strmap_put(tags, k, v);
	free(k);
	free(v);
}

void
tags_decode(struct span meta, struct strmap *tags)
{
	tags->set = true;
	tags_each(meta, tag_put, tags);
}

void
tags_copy_map(struct span meta, struct wbuf *w)
{
	struct strmap	tags = { 0 };
	struct wbuf	own;

	wb_init(&own, 0);
	tags_decode(meta, &tags);
	tags_encode(&tags, &own);
	wb_bytes(w, own.p + 1, own.len - 1);
	strmap_clear(&tags);
	wb_free(&own);
}

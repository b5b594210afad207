/*
 * Keeps up to twice the bytes asked for, so that each is moved once at most.
 */
#include <string.h>

#include "common/tail.h"

void
tail_init(struct tail *t, size_t max)
{
	wb_init(&t->buf, 0);
	t->max = max;
	t->total = 0;
}

void
tail_clear(struct tail *t)
{
	wb_free(&t->buf);
	tail_init(t, t->max);
}

void
tail_add(struct tail *t, const void *data, size_t n)
{
	const uint8_t	*p = data;

	t->total += n;
	if (n > t->max) {
		p += n - t->max;
		n = t->max;
	}
	if (n == 0)
		return;
	if (t->buf.len + n > 2 * t->max) {
		memmove(t->buf.p, t->buf.p + t->buf.len - t->max, t->max);
		t->buf.len = t->max;
	}
	wb_bytes(&t->buf, p, n);
}

const uint8_t *
tail_bytes(const struct tail *t, size_t *len)
{
	*len = t->buf.len < t->max ? t->buf.len : t->max;
	return *len == 0 ? NULL : t->buf.p + t->buf.len - *len;
}

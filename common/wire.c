/*
 * Cursors over bytes, for reading what came from outside and for writing what
 * goes there.  Knows big-endian integers and nothing of any format.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "common/wire.h"

void
rb_init(struct rbuf *r, const void *p, size_t n)
{
	r->p = p;
	r->n = n;
	r->err = NULL;
	r->more = false;
}

static void
rb_stop(struct rbuf *r, const char *why, bool more)
{
	if (r->err == NULL) {
		r->err = why;
		r->more = more;
	}
	r->n = 0;
}

void
rb_fail(struct rbuf *r, const char *why)
{
	rb_stop(r, why, false);
}

const uint8_t *
rb_bytes(struct rbuf *r, size_t n)
{
	const uint8_t	*p = r->p;

	if (r->err != NULL)
		return NULL;
	if (n > r->n) {
		rb_stop(r, "short", true);
		return NULL;
	}
	r->p += n;
	r->n -= n;
	return p;
}

static uint64_t
rb_be(struct rbuf *r, size_t n)
{
	const uint8_t	*p = rb_bytes(r, n);
	uint64_t	 v = 0;
	size_t		 i;

	if (p == NULL)
		return 0;
	for (i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t
rb_u8(struct rbuf *r)
{
	return (uint8_t)rb_be(r, 1);
}

uint16_t
rb_u16(struct rbuf *r)
{
	return (uint16_t)rb_be(r, 2);
}

uint32_t
rb_u32(struct rbuf *r)
{
	return (uint32_t)rb_be(r, 4);
}

uint64_t
rb_u64(struct rbuf *r)
{
	return rb_be(r, 8);
}

bool
rb_ok(const struct rbuf *r)
{
	return r->err == NULL;
}

bool
rb_done(const struct rbuf *r)
{
	return r->err == NULL && r->n == 0;
}

void
wb_init(struct wbuf *w, size_t max)
{
	memset(w, 0, sizeof(*w));
	w->max = max;
}

void
wb_free(struct wbuf *w)
{
	free(w->p);
	wb_init(w, w->max);
}

void
wb_reset(struct wbuf *w)
{
	w->len = 0;
	w->err = false;
}

/* The slow way round: no room yet, or never. */
static bool
wb_grow(struct wbuf *w, size_t n)
{
	size_t	 cap, limit = w->max != 0 ? w->max : SIZE_MAX / 2;

	if (w->err)
		return false;
	if (w->len > limit || n > limit - w->len) {
		w->err = true;
		return false;
	}
	cap = w->cap < 64 ? 64 : w->cap + w->cap / 2;
	if (cap < w->len + n)
		cap = w->len + n;
	if (cap > limit)
		cap = limit;
	w->p = xrealloc(w->p, cap);
	w->cap = cap;
	return true;
}

/* cap never exceeds max, so that room is all there is to ask for. */
uint8_t *
wb_reserve(struct wbuf *w, size_t n)
{
	if ((w->err || w->p == NULL || n > w->cap - w->len) && !wb_grow(w, n))
		return NULL;
	w->len += n;
	return w->p + w->len - n;
}

static void
wb_be(struct wbuf *w, uint64_t v, size_t n)
{
	uint8_t	*p = wb_reserve(w, n);

	if (p == NULL)
		return;
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

void
wb_u8(struct wbuf *w, uint8_t v)
{
	wb_be(w, v, 1);
}

void
wb_u16(struct wbuf *w, uint16_t v)
{
	wb_be(w, v, 2);
}

void
wb_u32(struct wbuf *w, uint32_t v)
{
	wb_be(w, v, 4);
}

void
wb_u64(struct wbuf *w, uint64_t v)
{
	wb_be(w, v, 8);
}

void
wb_bytes(struct wbuf *w, const void *p, size_t n)
{
	uint8_t	*to = wb_reserve(w, n);

	if (to != NULL && n > 0)
		memcpy(to, p, n);
}

void
wb_str(struct wbuf *w, const char *s)
{
	wb_bytes(w, s, strlen(s));
}

void
wb_printf(struct wbuf *w, const char *fmt, ...)
{
	va_list	 ap;
	char	*s;
	int	 n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n == -1) {
		w->err = true;
		return;
	}
	wb_bytes(w, s, (size_t)n);
	free(s);
}

char *
wb_detach_str(struct wbuf *w)
{
	char	*s = xrealloc(w->p, w->len + 1);

	s[w->len] = '\0';
	w->p = NULL;
	w->len = w->cap = 0;
	w->err = false;
	return s;
}

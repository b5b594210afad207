/*
 * checkd/h1: answers of HTTP servers.  However they are cut into pieces, the
 * result is the same, and nothing but the body reaches the body.
 */
#include <stdlib.h>
#include <string.h>

#include "checkd/h1.h"
#include "common/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct seen {
	struct h1	 h1;
	uint64_t	 bytes, sum;
};

static void
on_body(const uint8_t *p, size_t n, void *arg)
{
	struct seen	*s = arg;

	if (!s->h1.answered || n == 0)
		abort();
	s->bytes += n;
	while (n-- > 0)
		s->sum = s->sum * 31 + *p++;
}

static void
feed(struct seen *s, bool to_head, const uint8_t *p, size_t n, size_t piece)
{
	size_t	 k;

	memset(s, 0, sizeof(*s));
	h1_init(&s->h1, to_head);
	for (; n > 0; p += k, n -= k) {
		k = n < piece ? n : piece;
		h1_feed(&s->h1, p, k, on_body, s);
	}
	h1_eof(&s->h1);
	if (s->h1.state != H1_DONE && s->h1.state != H1_BAD)
		abort();
	if (s->h1.state == H1_BAD && s->h1.error == NULL)
		abort();
	if (s->h1.answered && (s->h1.code < 101 || s->h1.code > 999))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct seen	 a, b;
	bool		 to_head;

	if (n < 1)
		return 0;
	to_head = *p & 1;
	feed(&a, to_head, p + 1, n - 1, n);
	feed(&b, to_head, p + 1, n - 1, (size_t)(*p >> 1) % 7 + 1);
	if (a.h1.state != b.h1.state || a.h1.code != b.h1.code ||
	    a.bytes != b.bytes || a.sum != b.sum ||
	    strcmp(a.h1.status, b.h1.status) != 0 ||
	    strcmp(str_or(a.h1.location, ""), str_or(b.h1.location, "")) != 0)
		abort();
	h1_clear(&a.h1);
	h1_clear(&b.h1);
	return 0;
}

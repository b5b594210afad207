/*
 * checkd/h2: frames of HTTP/2 servers, in pieces of any size; what is answered
 * stays small.
 */
#include <stdlib.h>
#include <string.h>

#include "checkd/h2.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
feed(struct h2 *h, const uint8_t *p, size_t n, size_t piece)
{
	struct wbuf	 out;
	size_t		 k;

	wb_init(&out, 0);
	h2_init(h, 0x1122334455667788, &out);
	for (; n > 0; p += k, n -= k) {
		k = n < piece ? n : piece;
		h2_feed(h, p, k, &out);
	}
	if (out.len > 1024 * 9 + 64)
		abort();
	wb_free(&out);
	if (h->state == H2_BAD && h->error == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct h2	 a, b;

	if (n < 1)
		return 0;
	feed(&a, p + 1, n - 1, n);
	feed(&b, p + 1, n - 1, *p % 11 + 1);
	if (a.state != b.state || a.nframes != b.nframes)
		abort();
	return 0;
}

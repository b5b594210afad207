/*
 * rpcd/rpc_stream: a message cut in pieces ends where it does in one piece,
 * and the scanner agrees with the decoder about what one object is.
 */
#include <stdlib.h>
#include <string.h>

#include "common/mp.h"
#include "rpcd/rpc_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum rpc_result
feed(struct rpc_reader *r, const uint8_t *p, size_t n, size_t piece,
    size_t *at)
{
	enum rpc_result	 res = RPC_MORE;
	size_t		 k, used;

	for (*at = 0; *at < n && res == RPC_MORE; *at += used) {
		k = n - *at < piece ? n - *at : piece;
		res = rpc_reader_feed(r, p + *at, k, &used);
		if (used > k || (res == RPC_MORE && used != k))
			abort();
	}
	return res;
}

/* Both must stop at the same byte. */
static void
compare_with_decoder(const uint8_t *p, size_t n)
{
	struct mp_scan	 s;
	struct rbuf	 b;
	size_t		 used;

	mp_scan_init(&s, RPC_MESSAGE_MAX);
	if (mp_scan_feed(&s, p, n, &used) != SCAN_DONE)
		return;
	rb_init(&b, p, used);
	mp_skip(&b);
	if (rb_ok(&b) && b.n != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct rpc_reader	 whole, cut;
	struct rpc_header	 h;
	enum rpc_result		 a, b;
	size_t			 at_a, at_b, len;
	char			 buf[RPC_METHOD_MAX + 64];

	rpc_reader_init(&whole);
	rpc_reader_init(&cut);
	a = feed(&whole, p, n, n, &at_a);
	b = feed(&cut, p, n, 3, &at_b);
	if (a != b || (a == RPC_MESSAGE && at_a != at_b))
		abort();
	if (a == RPC_MESSAGE) {
		if (rpc_reader_header(&whole, &h) == 0) {
			(void)rpc_method_refusal(h.method, buf, sizeof(buf));
			rpc_header_clear(&h);
		}
		(void)rpc_reader_body(&whole, &len);
		if (len == 0 || whole.header_len + len != at_a)
			abort();
	}
	compare_with_decoder(p, n);
	rpc_reader_clear(&whole);
	rpc_reader_clear(&cut);
	return 0;
}

/*
 * The decompressor on anything; and what was compressed comes back.
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/lzw.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lzw	*z = lzw_new();
	struct wbuf	 out, packed, again;

	wb_init(&out, 1 << 20);
	(void)lzw_expand(z, data, size, &out);
	if (out.len > 1 << 20)
		abort();
	wb_free(&out);

	wb_init(&packed, 0);
	wb_init(&again, size + 1);
	lzw_compress(z, data, size, &packed);
	if (lzw_expand(z, packed.p, packed.len, &again) == -1 ||
	    again.len != size || (size > 0 &&
	    memcmp(again.p, data, size) != 0))
		abort();
	wb_free(&packed);
	wb_free(&again);
	lzw_free(z);
	return 0;
}

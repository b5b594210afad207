/*
 * Any bytes: skipping ends within the input, and what is well-formed turns
 * into JSON.
 */
#include <stdlib.h>

#include "common/json.h"
#include "common/mp.h"
#include "common/schema/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rbuf	 r;
	struct bytes	 any;
	struct json	*j;
	struct jw	*w;
	const char	*text;
	char		 err[256];
	size_t		 len;

	rb_init(&r, data, size);
	while (rb_ok(&r) && r.n > 0) {
		any.p = (uint8_t *)(uintptr_t)r.p;
		mp_skip(&r);
		if (!rb_ok(&r))
			break;
		any.n = (size_t)(r.p - any.p);
		any.set = true;
		w = jw_new(false);
		any_to_json(&any, w);
		text = jw_text(w, &len);
		if ((j = json_parse(text, len, err, sizeof(err))) == NULL)
			abort();
		json_free(j);
		jw_free(w);
	}
	return 0;
}

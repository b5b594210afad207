/*
 * A file of views: as it is, and with the hash that fits, for no random input
 * would get behind it.  What is in it is decoded as a VIEW and answered from.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/keep.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
each(const uint8_t *raw, size_t len, uint64_t age_ms, void *arg)
{
	struct msg_view	 m;
	struct view	*v;
	const char	*why;
	char		*name;

	(void)age_ms;
	if (schema_decode_all(&msg_view_schema, raw, len, &m, &why) == -1)
		return;
	if (m.kind >= VIEW_SERVICE && m.kind <= VIEW_QUERY) {
		name = view_name(&m);
		v = view_new(&m, arg);
		if (v->npassing > v->nhealthy || v->nhealthy > v->n)
			abort();
		view_free(v);
		free(name);
	}
	schema_clear(&msg_view_schema, &m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dns_zone	 z;
	struct wbuf	 w;
	uint64_t	 then;
	const char	*why;

	(void)dns_zone_set(&z, "consul", NULL, "dc1");
	(void)keep_read(p, n, &then, each, &z, &why);
	wb_init(&w, 0);
	wb_bytes(&w, p, n);
	keep_end(&w);
	(void)keep_read(w.p, w.len, &then, each, &z, &why);
	wb_free(&w);
	return 0;
}

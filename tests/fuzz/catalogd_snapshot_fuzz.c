/*
 * Archives and what is in them, as a restore looks at them.  The first byte
 * says what follows: an archive, in two pieces of any size; the tar in one,
 * for no fuzzer finds its way through gzip; or the records alone.  What is
 * accepted can be written again, and read again is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "catalogd/store.h"
#include "common/archive.h"

#define STATE_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Stored, not compressed: the bytes stay where the fuzzer put them. */
static void
gzip(const uint8_t *p, size_t n, struct wbuf *w)
{
	z_stream z;
	uint8_t *out;
	size_t max;

	memset(&z, 0, sizeof(z));
	if (deflateInit2(&z, 0, Z_DEFLATED, 15 + 16, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	max = deflateBound(&z, n);
	out = malloc(max);
	if (out == NULL)
		abort();
	z.next_in = (uint8_t *)(uintptr_t)p;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)max;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	wb_bytes(w, out, z.total_out);
	deflateEnd(&z);
	free(out);
}

/* Every store that was restored dumps to what restores to the same. */
static void
records(const uint8_t *p, size_t n)
{
	struct store *a = store_new(), *b = store_new();
	struct wbuf da, db;
	const char *why;

	wb_init(&da, 0);
	wb_init(&db, 0);
	if (store_restore(a, 1000, p, n, &why) == 0) {
		store_dump(a, &da);
		if (store_restore(b, 1000, da.p, da.len, &why) == -1)
			abort();
		store_dump(b, &db);
		if (da.len != db.len || memcmp(da.p, db.p, da.len) != 0)
			abort();
	}
	wb_free(&da);
	wb_free(&db);
	store_free(a);
	store_free(b);
}

static void
again(const struct archive_meta *m, const uint8_t *state, size_t n)
{
	struct archive_meta copy, back;
	struct archive_out *out;
	struct archive_in *in = archive_in_new(STATE_MAX);
	struct wbuf w, s;
	const uint8_t *p;
	size_t len;

	copy = *m;
	wb_init(&w, 0);
	wb_init(&s, 0);
	wb_bytes(&s, state, n);
	out = archive_out_new(&copy, &s, 1);
	while (archive_out_next(out, &w))
		;
	archive_out_free(out);
	if (archive_in_feed(in, w.p, w.len) == -1 ||
	    archive_in_end(in, &back, &p, &len) == -1 || len != n ||
	    memcmp(p, state, n) != 0 || back.index != m->index ||
	    back.term != m->term)
		abort();
	archive_meta_clear(&back);
	archive_in_free(in);
	wb_free(&w);
}

static void
archive(const uint8_t *p, size_t n, size_t cut)
{
	struct archive_in *in = archive_in_new(STATE_MAX);
	struct archive_meta m;
	const uint8_t *state;
	char why[256];
	size_t len;

	cut = cut < n ? cut : n;
	(void)archive_in_feed(in, p, cut);
	(void)archive_in_feed(in, p + cut, n - cut);
	if (archive_in_end(in, &m, &state, &len) == 0) {
		if (archive_meta_refusal(&m, len, why, sizeof(why)) == NULL)
			records(state, len);
		again(&m, state, len);
		archive_meta_clear(&m);
	} else if (archive_in_error(in)[0] == '\0')
		abort();
	archive_in_free(in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct wbuf w;
	size_t cut;

	if (n < 2)
		return 0;
	cut = (size_t)p[1] * 16;
	if (p[0] == 0)
		archive(p + 2, n - 2, cut);
	else if (p[0] == 1) {
		wb_init(&w, 0);
		gzip(p + 2, n - 2, &w);
		archive(w.p, w.len, cut);
		wb_free(&w);
	} else
		records(p + 2, n - 2);
	return 0;
}

/*
 * Log entries, one after another (u16 length, then the entry), into two
 * stores, which must be equal; and what they hold survives a snapshot.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct store *
feed(const uint8_t *p, size_t n)
{
	struct store_answer a;
	struct changes ch;
	struct store *s;
	struct rbuf r;
	const uint8_t *e;
	uint64_t index = 0;
	size_t len;

	memset(&ch, 0, sizeof(ch));
	s = store_new();
	rb_init(&r, p, n);
	while (r.n >= 2) {
		len = rb_u16(&r);
		if (len > r.n)
			len = r.n;
		e = rb_bytes(&r, len);
		store_apply(s, ++index, e, len, &a, &ch);
		/* An entry that is refused changes nothing. */
		if (a.refused && ch.n > 0)
			abort();
		store_answer_clear(&a);
		changes_clear(&ch);
	}
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct store *a, *b, *c;
	struct wbuf da, db, dc;
	const char *why;

	a = feed(p, n);
	b = feed(p, n);
	c = store_new();
	wb_init(&da, 0);
	wb_init(&db, 0);
	wb_init(&dc, 0);
	store_dump(a, &da);
	store_dump(b, &db);
	if (da.len != db.len || memcmp(da.p, db.p, da.len) != 0)
		abort();
	if (store_restore(c, store_applied(a), da.p, da.len, &why) == -1)
		abort();
	store_dump(c, &dc);
	if (da.len != dc.len || memcmp(da.p, dc.p, da.len) != 0)
		abort();
	store_free(c);
	/* And as a snapshot itself: anything but a crash. */
	c = store_new();
	(void)store_restore(c, 1, p, n, &why);
	wb_free(&da);
	wb_free(&db);
	wb_free(&dc);
	store_free(a);
	store_free(b);
	store_free(c);
	return 0;
}

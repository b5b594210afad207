/*
 * Bytes of a segment, of metadata, of a snapshot: anything is refused or read,
 * and a segment cut where it says it is good checks out; behind that there are
 * zeros, unless it says that it was torn there.
 */
#include <stdint.h>
#include <stdlib.h>

#include "catalogd/raft_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
on_entry(const struct log_entry *e, void *arg)
{
	unsigned *sum = arg;
	size_t i;

	for (i = 0; i < e->len; i++)
		*sum += e->p[i];
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct log_snapshot s;
	struct log_meta m;
	enum log_result r;
	const char *why;
	unsigned sum = 0;
	size_t good, again;

	r = log_scan(p, n, 1, true, on_entry, &sum, &good, &why);
	if (good > n)
		abort();
	if (r != LOG_DAMAGED && good > 0 && log_scan(p, good, 1, true, on_entry,
	    &sum, &again, &why) != LOG_OK)
		abort();
	for (again = good; r == LOG_OK && again < n; again++)
		if (p[again] != 0)
			abort();
	(void)log_scan(p, n, 1, false, on_entry, &sum, &good, &why);
	(void)log_meta_decode(p, n, &m);
	(void)log_snapshot_decode(p, n, &s);
	return 0;
}

/*
 * The snapshot file: whatever is in it, what is taken from it can be written
 * and read again, and says the same.  Then it goes on being written.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "gossipd/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct seen { struct snapshot *other; size_t n; };

static void
on_known(const char *name, const char *addr, void *arg)
{
	struct seen	*s = arg;

	if (strlen(name) > 1024 || strchr(addr, ' ') != NULL)
		abort();
	s->n++;
	/* Gone from the copy; it is empty in the end. */
	snapshot_gone(s->other, name);
}

static bool
same_clocks(struct serf_clocks a, struct serf_clocks b)
{
	return a.member == b.member && a.event == b.event &&
	    a.query == b.query;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot		*s, *again;
	struct serf_clocks	 last;
	struct wbuf		 w;
	struct seen		 seen;
	bool			 rejoin;

	if (size < 1)
		return 0;
	rejoin = data[0] & 1;
	s = snapshot_new();
	again = snapshot_new();
	snapshot_replay(s, (const char *)data + 1, size - 1, rejoin);
	wb_init(&w, 0);
	snapshot_write(s, &w);
	snapshot_replay(again, (const char *)w.p, w.len, rejoin);
	if (snapshot_count(s) != snapshot_count(again) ||
	    !same_clocks(snapshot_clocks(s), snapshot_clocks(again)))
		abort();
	seen.other = again;
	seen.n = 0;
	snapshot_each(s, on_known, &seen);
	if (seen.n != snapshot_count(s) || snapshot_count(again) != 0)
		abort();
	/* The lines that say so, appended, lead to the same. */
	wb_bytes(&w, snapshot_pending(again)->p, snapshot_pending(again)->len);
	snapshot_free(again);
	again = snapshot_new();
	snapshot_replay(again, (const char *)w.p, w.len, rejoin);
	if (snapshot_count(again) != 0)
		abort();
	last = snapshot_clocks(s);
	snapshot_clock(s, &last);
	snapshot_alive(s, "one more", "127.0.0.1:8301");
	snapshot_leave(s);
	(void)snapshot_grown(s, size);
	wb_free(&w);
	snapshot_free(s);
	snapshot_free(again);
	return 0;
}

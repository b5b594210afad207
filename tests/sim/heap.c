/*
 * What is due, earliest first, in the order of asking: a 4-ary heap.
 */
#include <stdlib.h>

#include "tests/sim/sim.h"

static bool
before(const struct due *a, const struct due *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void
heap_push(struct heap *h, struct due d)
{
	size_t	i, up;

	if (h->n == h->cap) {
		h->cap = h->cap == 0 ? 1024 : h->cap * 2;
		h->a = xreallocarray(h->a, h->cap, sizeof(*h->a));
	}
	d.order = h->order++;
	for (i = h->n++; i > 0; i = up) {
		up = (i - 1) / 4;
		if (!before(&d, &h->a[up]))
			break;
		h->a[i] = h->a[up];
	}
	h->a[i] = d;
}

bool
heap_pop(struct heap *h, uint64_t until, struct due *out)
{
	struct due	last;
	size_t		i, j, down, end;

	if (h->n == 0 || h->a[0].at > until)
		return false;
	*out = h->a[0];
	last = h->a[--h->n];
	for (i = 0; (down = 4 * i + 1) < h->n; i = down) {
		end = down + 4 < h->n ? down + 4 : h->n;
		for (j = down + 1; j < end; j++)
			if (before(&h->a[j], &h->a[down]))
				down = j;
		if (!before(&h->a[down], &last))
			break;
		h->a[i] = h->a[down];
	}
	if (h->n > 0)
		h->a[i] = last;
	return true;
}

void
heap_clear(struct heap *h)
{
	free(h->a);
	h->a = NULL;
	h->n = h->cap = 0;
}

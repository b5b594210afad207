/*
 * Sorting an answer by distance from a node (`near`), by the network
 * coordinates that agents send: round-trip time of the two, in seconds.  Whose
 * coordinate is unknown comes last; equals keep their order.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/server_i.h"
#include "common/distance.h"

struct ranked {
	double	 distance;
	size_t	 at;
};

static int
ranked_cmp(const void *pa, const void *pb)
{
	const struct ranked *a = pa, *b = pb;

	if (a->distance != b->distance)
		return a->distance < b->distance ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

void
near_sort(const struct server *srv, const struct query_source *from,
    void *items, size_t n, size_t size, const char *(*node)(const void *))
{
	const struct coordinate *here;
	struct ranked *r;
	char *copy;
	size_t i;

	if (n < 2 || str_empty(from->node) || strcmp(str_or(from->datacenter,
	    ""), str_or(srv->agent.datacenter, "")) != 0 ||
	    (here = store_coordinate(srv->store, from->node, "")) == NULL)
		return;
	r = xcalloc(n, sizeof(*r));
	for (i = 0; i < n; i++) {
		r[i].at = i;
		r[i].distance = coordinate_distance(here, store_coordinate(
		    srv->store, node((char *)items + i * size), ""));
	}
	qsort(r, n, sizeof(*r), ranked_cmp);
	copy = xcalloc(n, size);
	memcpy(copy, items, n * size);
	for (i = 0; i < n; i++)
		memcpy((char *)items + i * size, copy + r[i].at * size, size);
	free(copy);
	free(r);
}

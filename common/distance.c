/*
 * Distances: of the points, and what each adds for its way to the network
 * (height); what was measured to be off (adjustment) only while it leaves
 * something.
 */
#include <math.h>

#include "common/distance.h"

double
coordinate_distance(const struct coordinate *a, const struct coordinate *b)
{
	double	 sum = 0, d, adjusted;
	size_t	 i;

	if (a == NULL || b == NULL || a->vec.n != b->vec.n)
		return INFINITY;
	for (i = 0; i < a->vec.n; i++) {
		d = a->vec.item[i] - b->vec.item[i];
		sum += d * d;
	}
	d = sqrt(sum) + a->height + b->height;
	adjusted = d + a->adjustment + b->adjustment;
	return adjusted > 0 ? adjusted : d;
}

/*
 * Distances of network coordinates, as Serf's calculates them.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "common/distance.h"
#include "tests/unit/common_unit.h"

static struct coordinate
at(double *vec, double x, double height, double adjustment)
{
	struct coordinate	 c;

	memset(&c, 0, sizeof(c));
	memset(vec, 0, 8 * sizeof(*vec));
	vec[0] = x;
	c.vec.item = vec;
	c.vec.n = 8;
	c.height = height;
	c.adjustment = adjustment;
	return c;
}

START_TEST(is_the_way_between_and_both_heights)
{
	double			 u[8], v[8];
	struct coordinate	 a = at(u, 0, 0.1, 0), b = at(v, 3, 0.2, 0);

	ck_assert_double_eq_tol(coordinate_distance(&a, &b), 3.3, 1e-12);
	ck_assert_double_eq_tol(coordinate_distance(&b, &a), 3.3, 1e-12);
	/* Consul's rtt of a fresh node to itself: 0.020 ms. */
	a = at(u, 0, 1e-5, 0);
	ck_assert_double_eq_tol(coordinate_distance(&a, &a), 2e-5, 1e-12);
}
END_TEST

START_TEST(is_adjusted_while_something_is_left)
{
	double			 u[8], v[8];
	struct coordinate	 a = at(u, 0, 0, -1), b = at(v, 3, 0, 0.5);

	ck_assert_double_eq_tol(coordinate_distance(&a, &b), 2.5, 1e-12);
	a = at(u, 0, 0, -5);
	ck_assert_double_eq_tol(coordinate_distance(&a, &b), 3, 1e-12);
}
END_TEST

START_TEST(is_infinite_to_nobody_and_to_other_dimensions)
{
	double			 u[8], v[8];
	struct coordinate	 a = at(u, 0, 0, 0), b = at(v, 3, 0, 0);

	ck_assert(isinf(coordinate_distance(&a, NULL)));
	ck_assert(isinf(coordinate_distance(NULL, &a)));
	b.vec.n = 7;
	ck_assert(isinf(coordinate_distance(&a, &b)));
}
END_TEST

UNIT_MAIN("common_distance", is_the_way_between_and_both_heights,
    is_adjusted_while_something_is_left,
    is_infinite_to_nobody_and_to_other_dimensions)

/*
 * Counting by interval, with time as an argument.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "apid/metrics.h"
#include "tests/unit/common_unit.h"

START_TEST(shows_the_last_whole_interval)
{
	struct metrics	m;

	metrics_init(&m, 2, 1000);
	metrics_add(&m, 1, 2, 1500);
	metrics_add(&m, 1, 4, 9000);
	metrics_turn(&m, 9000);
	ck_assert_uint_eq(m.series[1].last.count, 0);
	metrics_turn(&m, 11000);
	ck_assert_uint_eq(m.series[1].last.count, 2);
	ck_assert_double_eq(sample_mean(&m.series[1].last), 3);
	ck_assert_double_eq_tol(sample_stddev(&m.series[1].last), sqrt(2),
	    1e-9);
	ck_assert_double_eq(m.series[1].last.min, 2);
	ck_assert_double_eq(m.series[1].last.max, 4);
	ck_assert_uint_eq(m.series[0].last.count, 0);
	metrics_free(&m);
}
END_TEST

START_TEST(is_quiet_after_an_interval_without_anything)
{
	struct metrics	m;

	metrics_init(&m, 1, 0);
	metrics_add(&m, 0, 1, 100);
	metrics_turn(&m, 35000);
	ck_assert_uint_eq(m.series[0].last.count, 0);
	ck_assert_uint_eq(m.series[0].total.count, 1);
	ck_assert_uint_eq(m.start_ms, 30000);
	metrics_add(&m, 0, 1, 36000);
	metrics_turn(&m, 40000);
	ck_assert_uint_eq(m.series[0].last.count, 1);
	metrics_add(&m, 7, 1, 40000);	/* none of its series */
	metrics_free(&m);
}
END_TEST

UNIT_MAIN("metrics", shows_the_last_whole_interval,
    is_quiet_after_an_interval_without_anything)

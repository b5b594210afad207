/*
 * checkd/schedule and thresholds: spread at first, cadence kept, nothing runs
 * twice at once.
 */
#include <string.h>

#include "checkd/outcome.h"
#include "checkd/schedule.h"
#include "tests/unit/common_unit.h"

#define NENTRIES 500

START_TEST(first_runs_spread_over_the_interval)
{
	struct sched		 s;
	struct sched_entry	 e[NENTRIES];
	size_t			 i, early = 0;

	memset(e, 0, sizeof(e));
	sched_init(&s, 1);
	for (i = 0; i < NENTRIES; i++) {
		sched_add(&s, &e[i], 10000, false, 777);
		ck_assert_uint_ge(e[i].due_ms, 777);
		ck_assert_uint_lt(e[i].due_ms, 10777);
		early += e[i].due_ms < 5777;
	}
	ck_assert_uint_gt(early, NENTRIES * 4 / 10);
	ck_assert_uint_lt(early, NENTRIES * 6 / 10);
	sched_clear(&s);
}
END_TEST

START_TEST(cadence_is_kept)
{
	struct sched		 s;
	struct sched_entry	 e = { 0 };
	uint64_t		 due, first;
	int			 i;

	sched_init(&s, 2);
	sched_add(&s, &e, 1000, false, 0);
	ck_assert(sched_next(&s, &first));
	for (i = 0; i < 10; i++) {
		ck_assert(sched_next(&s, &due));
		ck_assert_uint_eq(due, first + (uint64_t)i * 1000);
		ck_assert_ptr_null(sched_take(&s, due - 1));
		/* The loop woke a little late, and the probe took a while. */
		ck_assert_ptr_eq(sched_take(&s, due + 3), &e);
		sched_done(&s, &e, due + 700);
	}
	sched_clear(&s);
}
END_TEST

START_TEST(what_was_failing_runs_first_and_then_takes_its_place)
{
	struct sched		 s;
	struct sched_entry	 e[200] = { { 0 } };
	uint64_t		 due, second[2] = { 0, 0 };
	size_t			 i;

	sched_init(&s, 5);
	for (i = 0; i < NELEM(e); i++)
		sched_add(&s, &e[i], 10000, i % 2 == 0, 0);
	for (i = 0; i < NELEM(e); i += 2) {
		due = e[i].due_ms;
		ck_assert_uint_lt(due, 1000);
		sched_remove(&s, &e[i]);
		sched_done(&s, &e[i], due + 5);
		ck_assert_uint_ge(e[i].due_ms, due);
		ck_assert_uint_lt(e[i].due_ms, 20000);
		second[e[i].due_ms % 10000 > 5000]++;
	}
	/* Not in a herd for ever after. */
	ck_assert_uint_gt(second[0], 20);
	ck_assert_uint_gt(second[1], 20);
	sched_clear(&s);
}
END_TEST

START_TEST(long_run_skips_what_it_missed)
{
	struct sched		 s;
	struct sched_entry	 e = { 0 };
	uint64_t		 due, first;

	sched_init(&s, 3);
	sched_add(&s, &e, 1000, false, 0);
	ck_assert(sched_next(&s, &first));
	ck_assert_ptr_eq(sched_take(&s, first), &e);
	/* It runs, so it is not due. */
	ck_assert(!sched_next(&s, &due));
	ck_assert_ptr_null(sched_take(&s, first + 5000));
	sched_done(&s, &e, first + 3500);
	ck_assert(sched_next(&s, &due));
	ck_assert_uint_eq(due, first + 4000);
	sched_clear(&s);
}
END_TEST

START_TEST(removed_entries_never_come)
{
	struct sched		 s;
	struct sched_entry	 e[NENTRIES], *x;
	uint64_t		 last = 0;
	size_t			 i, n = 0;

	memset(e, 0, sizeof(e));
	sched_init(&s, 4);
	for (i = 0; i < NENTRIES; i++)
		sched_add(&s, &e[i], 1 + i * 13 % 4000, false, 100);
	for (i = 0; i < NENTRIES; i += 3)
		sched_remove(&s, &e[i]);
	sched_remove(&s, &e[0]);
	while ((x = sched_take(&s, UINT64_MAX)) != NULL) {
		ck_assert((size_t)(x - e) % 3 != 0);
		ck_assert_uint_ge(x->due_ms, last);
		last = x->due_ms;
		n++;
	}
	ck_assert_uint_eq(n, NENTRIES - (NENTRIES + 2) / 3);
	sched_clear(&s);
}
END_TEST

START_TEST(random_use_takes_the_earliest)
{
	struct sched		 s;
	struct sched_entry	 e[100], *x;
	struct rng		 rng;
	uint64_t		 now = 0;
	int			 step, i;

	memset(e, 0, sizeof(e));
	rng_seed(&rng, 5);
	sched_init(&s, 5);
	for (i = 0; i < 100; i++)
		sched_add(&s, &e[i], 50 + rng_below(&rng, 500), false, now);
	for (step = 0; step < 20000; step++) {
		now += rng_below(&rng, 4);
		if ((x = sched_take(&s, now)) == NULL)
			continue;
		for (i = 0; i < 100; i++)
			ck_assert(e[i].slot == 0 || e[i].due_ms >= x->due_ms);
		if (rng_below(&rng, 10) == 0)
			sched_add(&s, x, 50 + rng_below(&rng, 500), false, now);
		else
			sched_done(&s, x, now);
		ck_assert_uint_gt(x->due_ms + 1, now);
	}
	ck_assert_uint_eq(s.n, 100);
	sched_clear(&s);
}
END_TEST

START_TEST(without_thresholds_every_result_counts)
{
	struct threshold	 t = { 0 };

	ck_assert(threshold_count(&t, passing));
	ck_assert(threshold_count(&t, critical));
	ck_assert(threshold_count(&t, warning));
}
END_TEST

START_TEST(thresholds_count_results_in_a_row)
{
	struct threshold	 t = { .need_good = 2, .need_bad = 3 };

	ck_assert(!threshold_count(&t, critical));
	ck_assert(!threshold_count(&t, critical));
	ck_assert(!threshold_count(&t, passing));
	ck_assert(!threshold_count(&t, critical));
	ck_assert(!threshold_count(&t, critical));
	ck_assert(threshold_count(&t, critical));
	ck_assert(threshold_count(&t, critical));
	ck_assert(!threshold_count(&t, passing));
	/* A warning is no failure. */
	ck_assert(threshold_count(&t, warning));
	ck_assert(threshold_count(&t, passing));
}
END_TEST

UNIT_MAIN("checkd_schedule",
    first_runs_spread_over_the_interval,
    cadence_is_kept,
    what_was_failing_runs_first_and_then_takes_its_place,
    long_run_skips_what_it_missed,
    removed_entries_never_come,
    random_use_takes_the_earliest,
    without_thresholds_every_result_counts,
    thresholds_count_results_in_a_row)

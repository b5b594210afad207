/*
 * ?cached: who is answered at once, with which age; what is asked anew, and
 * when.
 */
#include "tests/unit/apid_cache_unit.h"

START_TEST(first_waits_and_the_next_is_served_at_once)
{
	struct request	a, b, c;

	setup();
	ask(&a, "web");
	ask(&b, "web");
	ck_assert_uint_eq(nopen(), 1);
	ck_assert_uint_eq(TAILQ_FIRST(&open_calls)->q.min_query_index, 0);
	answer(7, "one");
	ck_said(&a, "one", "MISS", "none");
	ck_said(&b, "one", "MISS", "none");
	/* It is followed: by a call that outlives what it waits for. */
	ck_assert_uint_eq(nopen(), 1);
	ck_assert_uint_eq(TAILQ_FIRST(&open_calls)->q.min_query_index, 7);
	ck_assert_int_gt(TAILQ_FIRST(&open_calls)->q.max_query_time, 0);
	ck_assert_uint_gt(TAILQ_FIRST(&open_calls)->timeout_ms, (uint64_t)
	    TAILQ_FIRST(&open_calls)->q.max_query_time / NS_PER_MS);
	pass(90000);
	ask(&c, "web");
	ck_said(&c, "one", "HIT", "0");
	answer(8, "two");
	ask(&c, "web");
	ck_said(&c, "two", "HIT", "0");
	teardown();
}
END_TEST

START_TEST(age_grows_while_no_server_answers)
{
	struct request	r;

	setup();
	known("web", 7, "one");
	pass(3000);
	fail_call();
	ask(&r, "web");
	ck_said(&r, "one", "HIT", "0");
	pass(12000);
	/* Asked again meanwhile, and that failed too. */
	fail_call();
	pass(12000);
	ask(&r, "web");
	ck_said(&r, "one", "HIT", "24");
	answer(7, "one");
	ask(&r, "web");
	ck_said(&r, "one", "HIT", "0");
	teardown();
}
END_TEST

START_TEST(blocking_reads_wait_for_another_index)
{
	struct request	r, s;

	setup();
	known("web", 7, "one");
	/* Another index, higher or lower, is news already. */
	ask_past(&r, "web", 6, 60000);
	ck_said(&r, "one", "HIT", "0");
	ask_past(&r, "web", 9, 60000);
	ck_said(&r, "one", "HIT", "0");
	ask_past(&r, "web", 7, 60000);
	ask_past(&s, "web", 7, 30000);
	pass(29999);
	ck_assert(!r.answered && !s.answered);
	/* Its time is over, not the other's. */
	pass(1);
	ck_said(&s, "one", "MISS", "none");
	ck_assert(!r.answered);
	/* Nothing new at the servers either. */
	answer(7, "one");
	ck_assert(!r.answered);
	answer(8, "two");
	ck_said(&r, "two", "MISS", "none");
	ck_assert_uint_eq(nopen(), 1);
	teardown();
}
END_TEST

START_TEST(blocking_reads_outlive_a_failure)
{
	struct request	r;

	setup();
	known("web", 7, "one");
	ask_past(&r, "web", 7, 60000);
	fail_call();
	ck_assert(!r.answered);
	pass(11000);
	ck_assert_uint_eq(nopen(), 1);
	answer(8, "two");
	ck_said(&r, "two", "MISS", "none");
	teardown();
}
END_TEST

START_TEST(client_that_leaves_is_not_answered)
{
	struct request	r, s;

	setup();
	ask(&r, "web");
	ask(&s, "web");
	done(&r);
	answer(7, "one");
	ck_assert(!r.answered);
	ck_said(&s, "one", "MISS", "none");
	ask_past(&r, "web", 7, 60000);
	done(&r);
	pass(MINUTE_MS);
	answer(8, "two");
	ck_assert(!r.answered);
	teardown();
}
END_TEST

START_TEST(failure_of_the_first_is_told_and_not_kept)
{
	struct request	r, s;

	setup();
	ask(&r, "web");
	ask(&s, "web");
	fail_call();
	ck_assert_uint_eq(r.status, 500);
	ck_assert_uint_eq(s.status, 500);
	done(&r);
	done(&s);
	ck_assert_uint_eq(nopen(), 0);
	known("web", 7, "one");
	teardown();
}
END_TEST

START_TEST(what_cannot_be_followed_is_true_for_a_minute)
{
	struct request	r;

	setup();
	ask_once(&r, "web");
	answer(7, "one");
	ck_said(&r, "one", "MISS", "none");
	ck_assert_uint_eq(nopen(), 0);
	pass(MINUTE_MS - 1);
	ck_assert_uint_eq(nstarted, 1);
	ask_once(&r, "web");
	ck_said(&r, "one", "HIT", "59");
	pass(1);
	ask_once(&r, "web");
	ck_assert(!r.answered);
	answer(7, "two");
	ck_said(&r, "two", "MISS", "none");
	/* Then a failure is one: old answers are not given. */
	pass(MINUTE_MS);
	ask_once(&r, "web");
	fail_call();
	ck_assert_uint_eq(r.status, 500);
	done(&r);
	teardown();
}
END_TEST

START_TEST(answer_without_an_index_is_not_followed)
{
	struct request	r;

	setup();
	known("web", 0, "one");
	ck_assert_uint_eq(nopen(), 0);
	ask(&r, "web");
	ck_said(&r, "one", "HIT", "0");
	pass(2 * MINUTE_MS);
	ask(&r, "web");
	ck_assert(!r.answered);
	answer(0, "two");
	ck_said(&r, "two", "MISS", "none");
	teardown();
}
END_TEST

START_TEST(server_that_does_not_wait_is_asked_by_and_by)
{
	size_t	before;

	setup();
	known("web", 7, "one");
	before = nstarted;
	answer(7, "one");
	ck_assert_uint_eq(nopen(), 0);
	pass(10000);
	ck_assert_uint_eq(nopen(), 1);
	ck_assert_uint_eq(nstarted, before + 1);
	teardown();
}
END_TEST

UNIT_MAIN("apid_cache", first_waits_and_the_next_is_served_at_once,
    age_grows_while_no_server_answers, blocking_reads_wait_for_another_index,
    blocking_reads_outlive_a_failure, client_that_leaves_is_not_answered,
    failure_of_the_first_is_told_and_not_kept,
    what_cannot_be_followed_is_true_for_a_minute,
    answer_without_an_index_is_not_followed,
    server_that_does_not_wait_is_asked_by_and_by)

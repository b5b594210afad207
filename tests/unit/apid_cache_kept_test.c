/*
 * ?cached: what is kept apart, for how long, and how much of it.
 */
#include "tests/unit/apid_cache_unit.h"

#define ENTRIES 128
#define KEPT_BYTES (4u << 20)

/* What differs in the i-th way from what was asked first. */
static bool
differ(struct service_request *q, size_t i)
{
	switch (i) {
	case 0:
		return str_set(&q->token, "another"), true;
	case 1:
		return str_set(&q->token, NULL), true;
	case 2:
		return str_set(&q->filter, "Node.Node == b"), true;
	case 3:
		return str_set(&q->source.node, "b"), true;
	case 4:
		return str_set(&q->datacenter, "dc2"), true;
	case 5:
		return str_set(&q->service_name, "we"), true;
	case 6:
		return strmap_put(&q->node_meta_filters, "k", "w"), true;
	case 7:
		return strs_add(&q->service_tags, "t"), true;
	case 8:
		return q->allow_stale = true;
	case 9:
		return q->connect = true;
	case 10:
		return q->max_stale_duration = NS_PER_S, true;
	default:
		return false;
	}
}

static void
fill(struct service_request *q)
{
	memset(q, 0, sizeof(*q));
	str_set(&q->datacenter, "dc1");
	str_set(&q->service_name, "web");
	str_set(&q->token, "secret");
	str_set(&q->filter, "Node.Node == a");
	str_set(&q->source.node, "a");
	strmap_put(&q->node_meta_filters, "k", "v");
}

START_TEST(questions_that_differ_are_kept_apart)
{
	struct service_request	q;
	struct request		r;
	char			text[64];
	size_t			i;

	setup();
	fill(&q);
	ask_with(&r, &q, false);
	answer(7, "of the first");
	ck_said(&r, "of the first", "MISS", "none");
	for (i = 0; fill(&q), differ(&q, i); i++) {
		ask_with(&r, &q, false);
		ck_assert_msg(!r.answered, "difference %zu", i);
		ck_assert_uint_eq(nopen(), i + 2);
		/* Behind those that are followed: each turn one is older. */
		while (TAILQ_FIRST(&open_calls)->q.min_query_index != 0) {
			struct call *c = TAILQ_FIRST(&open_calls);

			TAILQ_REMOVE(&open_calls, c, entry);
			TAILQ_INSERT_TAIL(&open_calls, c, entry);
		}
		snprintf(text, sizeof(text), "of the other %zu", i);
		answer(7, text);
		ck_said(&r, text, "MISS", "none");
	}
	ck_assert_uint_eq(i, 11);
	schema_clear(&service_request_schema, &q);
	/* How long one waits, and for what, is no difference. */
	fill(&q);
	q.min_query_index = 3;
	q.max_query_time = NS_PER_S;
	ask_with(&r, &q, false);
	ck_said(&r, "of the first", "HIT", "0");
	teardown();
}
END_TEST

START_TEST(what_nobody_asks_for_goes)
{
	struct request	r;
	int		i;

	setup();
	known("web", 7, "one");
	for (i = 0; i < 3; i++) {
		pass(9 * MINUTE_MS);
		ck_assert_uint_eq(nopen(), 1);
		ask(&r, "web");
		ck_said(&r, "one", "HIT", "0");
	}
	pass(11 * MINUTE_MS);
	ck_assert_uint_eq(nopen(), 0);
	known("web", 8, "two");
	/* Not while one waits for it. */
	ask_past(&r, "web", 8, 30 * MINUTE_MS);
	pass(25 * MINUTE_MS);
	ck_assert_uint_eq(nopen(), 1);
	pass(5 * MINUTE_MS);
	ck_said(&r, "two", "MISS", "none");
	teardown();
}
END_TEST

static void
numbered(char *name, size_t len, unsigned i)
{
	snprintf(name, len, "service-%u", i);
}

START_TEST(places_are_bounded_and_the_least_wanted_goes)
{
	struct request	r;
	char		name[32];
	unsigned	i;

	setup();
	for (i = 0; i < ENTRIES; i++) {
		numbered(name, sizeof(name), i);
		ask_once(&r, name);
		answer(7, name);
		ck_said(&r, name, "MISS", "none");
	}
	/* The oldest is wanted again, so the second goes for one more. */
	ask_once(&r, "service-0");
	ck_said(&r, "service-0", "HIT", "0");
	ask_once(&r, "one-more");
	answer(7, "one-more");
	ck_said(&r, "one-more", "MISS", "none");
	ask_once(&r, "service-0");
	ck_said(&r, "service-0", "HIT", "0");
	ask_once(&r, "service-2");
	ck_said(&r, "service-2", "HIT", "0");
	ask_once(&r, "service-1");
	ck_assert(!r.answered);
	answer(7, "again");
	ck_said(&r, "again", "MISS", "none");
	teardown();
}
END_TEST

START_TEST(one_more_than_are_waited_for_is_passed_on)
{
	struct request	waiting[ENTRIES], r;
	char		name[32];
	unsigned	i;

	setup();
	for (i = 0; i < ENTRIES; i++) {
		numbered(name, sizeof(name), i);
		ask(&waiting[i], name);
	}
	ask_past(&r, "one-more", 17, 1000);
	ck_assert_uint_eq(nopen(), ENTRIES);
	/* With the index that it came with. */
	ck_assert_uint_eq(ndirect, 1);
	ck_assert_uint_eq(direct_index, 17);
	done(&r);
	for (i = 0; i < ENTRIES; i++)
		done(&waiting[i]);
	ask(&r, "one-more");
	ck_assert_uint_eq(ndirect, 1);
	ck_assert_uint_eq(nopen(), ENTRIES);
	done(&r);
	teardown();
}
END_TEST

START_TEST(long_answers_are_passed_on_and_not_kept)
{
	struct request	r;

	setup();
	ask(&r, "web");
	answer_long(7, "long", KEPT_BYTES);
	ck_said(&r, "long", "MISS", "none");
	ck_assert_uint_eq(nopen(), 0);
	/* Nor when it becomes so. */
	known("web", 8, "short");
	ck_assert_uint_eq(nopen(), 1);
	answer_long(9, "long", KEPT_BYTES);
	ck_assert_uint_eq(nopen(), 0);
	ask(&r, "web");
	ck_assert(!r.answered);
	answer(10, "short");
	ck_said(&r, "short", "MISS", "none");
	teardown();
}
END_TEST

UNIT_MAIN("apid_cache_kept", questions_that_differ_are_kept_apart,
    what_nobody_asks_for_goes, places_are_bounded_and_the_least_wanted_goes,
    one_more_than_are_waited_for_is_passed_on,
    long_answers_are_passed_on_and_not_kept)

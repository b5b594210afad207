/*
 * ?cached: who is answered at once, with which age; what is asked anew, and
 * when; what is kept apart, and how much of it.  The loop, its clock and calls
 * to catalogd are those of this file.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/mp.h"
#include "common/schema/rpc.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define MINUTE_MS 60000
#define ENTRIES 128
#define KEPT_BYTES (4u << 20)

/* ---- the loop ---- */

struct ev_timer {
	TAILQ_ENTRY(ev_timer)	 entry;
	ev_timer_fn		*fn;
	void			*arg;
	uint64_t		 due;
	bool			 pending;
};

struct ev {
	uint64_t		 now;
	TAILQ_HEAD(, ev_timer)	 timers;
};
static struct ev loop;

uint64_t
ev_now(struct ev *ev)
{
	return ev->now;
}

struct ev_timer *
ev_timer_new(struct ev *ev, ev_timer_fn *fn, void *arg)
{
	struct ev_timer	*t = xcalloc(1, sizeof(*t));

	t->fn = fn;
	t->arg = arg;
	TAILQ_INSERT_TAIL(&ev->timers, t, entry);
	return t;
}

void
ev_timer_set(struct ev_timer *t, uint64_t ms)
{
	t->due = loop.now + ms;
	t->pending = true;
}

bool
ev_timer_pending(const struct ev_timer *t)
{
	return t->pending;
}

void
ev_timer_free(struct ev_timer *t)
{
	if (t == NULL)
		return;
	TAILQ_REMOVE(&loop.timers, t, entry);
	free(t);
}

static void
pass(uint64_t ms)
{
	struct ev_timer	*t, *next;
	uint64_t	 end = loop.now + ms;

	for (;;) {
		next = NULL;
		TAILQ_FOREACH(t, &loop.timers, entry)
			if (t->pending && t->due <= end &&
			    (next == NULL || t->due < next->due))
				next = t;
		if (next == NULL)
			break;
		loop.now = next->due;
		next->pending = false;
		next->fn(next->arg);
	}
	loop.now = end;
}

/* ---- calls ---- */

struct call {
	TAILQ_ENTRY(call)	 entry;
	struct service_request	 q;
	uint64_t		 timeout_ms;
	call_fn			*fn;
	void			*arg;
};
static TAILQ_HEAD(, call) open_calls = TAILQ_HEAD_INITIALIZER(open_calls);
static size_t nstarted;

struct call *
call_start(struct calls *calls, const struct msg_call *m, const void *body,
    size_t len, uint64_t timeout_ms, call_fn *fn, void *arg)
{
	struct call	*c = xcalloc(1, sizeof(*c));
	const char	*err;

	(void)calls;
	ck_assert_str_eq(m->method, "Health.ServiceNodes");
	ck_assert_int_eq(schema_decode_all(&service_request_schema, body, len,
	    &c->q, &err), 0);
	c->timeout_ms = timeout_ms;
	c->fn = fn;
	c->arg = arg;
	TAILQ_INSERT_TAIL(&open_calls, c, entry);
	nstarted++;
	return c;
}

void
call_cancel(struct call *c)
{
	TAILQ_REMOVE(&open_calls, c, entry);
	schema_clear(&service_request_schema, &c->q);
	free(c);
}

static size_t
nopen(void)
{
	struct call	*c;
	size_t		 n = 0;

	TAILQ_FOREACH(c, &open_calls, entry)
		n++;
	return n;
}

/* The call that has been open for longest ends. */
static void
end_call(enum call_status status, const void *body, size_t len)
{
	struct call	*c = TAILQ_FIRST(&open_calls);
	call_fn		*fn;
	void		*arg;

	ck_assert_ptr_nonnull(c);
	fn = c->fn;
	arg = c->arg;
	call_cancel(c);
	fn(status, status == CALL_OK ? NULL : "no leader", body, len, arg);
}

static void
fail_call(void)
{
	end_call(CALL_ERROR, NULL, 0);
}

/* An answer that consists of text, made longer by `more` bytes. */
static void
answer_long(uint64_t index, const char *text, size_t more)
{
	char		*pad = xcalloc(1, more + 1);
	struct wbuf	 w;

	wb_init(&w, 0);
	mp_map(&w, 3);
	mp_str(&w, "Index");
	mp_uint(&w, index);
	mp_str(&w, "Text");
	mp_str(&w, text);
	mp_str(&w, "Pad");
	memset(pad, 'x', more);
	mp_str(&w, pad);
	end_call(CALL_OK, w.p, w.len);
	wb_free(&w);
	free(pad);
}

static void
answer(uint64_t index, const char *text)
{
	answer_long(index, text, 0);
}

/* ---- the rest of apid ---- */

static size_t	ndirect;
static uint64_t	direct_index;

void
add_header(struct request *r, const char *name, const char *fmt, ...)
{
	struct header	*h = xcalloc(1, sizeof(*h));
	va_list		 ap;

	h->name = xstrdup(name);
	va_start(ap, fmt);
	ck_assert_int_ge(vasprintf(&h->value, fmt, ap), 0);
	va_end(ap);
	SLIST_INSERT_HEAD(&r->headers, h, entry);
}

void
reply_failure(struct request *r, enum call_status status, const char *error)
{
	(void)status;
	ck_assert(!r->answered);
	wb_str(&r->answer, error);
	r->status = 500;
	r->answered = true;
}

void
failed_read_headers(struct request *r)
{
	(void)r;
}

void
ask_catalogd(struct request *r, const char *method, struct schema *schema,
    const void *obj, unsigned flags, answered_fn *fn)
{
	const struct service_request	*q = obj;

	(void)r;
	(void)method;
	(void)schema;
	(void)flags;
	(void)fn;
	ndirect++;
	direct_index = q->min_query_index;
}

/* ---- requests ---- */

static void
handler(struct request *r, const uint8_t *body, size_t len)
{
	ck_assert(!r->answered);
	wb_bytes(&r->answer, body, len);
	r->status = 200;
	r->answered = true;
}

static struct apid	apid;

static void
setup(void)
{
	memset(&apid, 0, sizeof(apid));
	apid.ev = &loop;
	loop.now = 1000;
	TAILQ_INIT(&loop.timers);
}

/* Nobody asks for an hour: nothing may be left. */
static void
teardown(void)
{
	struct ev_timer	*t;

	pass(60 * MINUTE_MS);
	ck_assert_uint_eq(nopen(), 0);
	while ((t = TAILQ_FIRST(&loop.timers)) != NULL) {
		ck_assert(!t->pending);
		ev_timer_free(t);
	}
	free(apid.cache);
}

static void
ask_with(struct request *r, struct service_request *q, bool once)
{
	memset(r, 0, sizeof(*r));
	r->apid = &apid;
	SLIST_INIT(&r->headers);
	wb_init(&r->answer, 0);
	cache_ask(r, "Health.ServiceNodes", &service_request_schema, q,
	    offsetof(struct service_request, min_query_index),
	    offsetof(struct service_request, max_query_time), once, handler);
	schema_clear(&service_request_schema, q);
}

static void
ask_past(struct request *r, const char *name, uint64_t index, uint64_t wait_ms)
{
	struct service_request	q = { 0 };

	str_set(&q.service_name, name);
	q.min_query_index = index;
	q.max_query_time = (int64_t)wait_ms * NS_PER_MS;
	ask_with(r, &q, false);
}

static void
ask(struct request *r, const char *name)
{
	ask_past(r, name, 0, 0);
}

static void
ask_once(struct request *r, const char *name)
{
	struct service_request	q = { 0 };

	str_set(&q.service_name, name);
	ask_with(r, &q, true);
}

/* As http.c: what a handler left there goes with the request. */
static void
done(struct request *r)
{
	struct header	*h;

	if (r->state_free != NULL)
		r->state_free(r->state);
	while ((h = SLIST_FIRST(&r->headers)) != NULL) {
		SLIST_REMOVE_HEAD(&r->headers, entry);
		free(h->name);
		free(h->value);
		free(h);
	}
	wb_free(&r->answer);
}

static const char *
header_of(const struct request *r, const char *name)
{
	struct header	*h;

	SLIST_FOREACH(h, &r->headers, entry)
		if (strcmp(h->name, name) == 0)
			return h->value;
	return "none";
}

static void
ck_said(struct request *r, const char *text, const char *x_cache,
    const char *age)
{
	ck_assert(r->answered);
	ck_assert_uint_eq(r->status, 200);
	ck_assert_ptr_nonnull(memmem(r->answer.p, r->answer.len, text,
	    strlen(text)));
	ck_assert_str_eq(header_of(r, "X-Cache"), x_cache);
	ck_assert_str_eq(header_of(r, "Age"), age);
	done(r);
}

/* The first asks, and gets it. */
static void
known(const char *name, uint64_t index, const char *text)
{
	struct request	r;

	ask(&r, name);
	ck_assert(!r.answered);
	answer(index, text);
	ck_said(&r, text, "MISS", "none");
}

/* ---- tests ---- */

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

UNIT_MAIN("apid_cache", first_waits_and_the_next_is_served_at_once,
    age_grows_while_no_server_answers, blocking_reads_wait_for_another_index,
    blocking_reads_outlive_a_failure, client_that_leaves_is_not_answered,
    failure_of_the_first_is_told_and_not_kept,
    what_cannot_be_followed_is_true_for_a_minute,
    answer_without_an_index_is_not_followed,
    server_that_does_not_wait_is_asked_by_and_by,
    questions_that_differ_are_kept_apart, what_nobody_asks_for_goes,
    places_are_bounded_and_the_least_wanted_goes,
    one_more_than_are_waited_for_is_passed_on,
    long_answers_are_passed_on_and_not_kept)

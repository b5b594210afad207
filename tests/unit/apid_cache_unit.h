/*
 * ?cached with a loop, a clock and calls to catalogd that a test moves by hand.
 */
#ifndef TESTS_UNIT_APID_CACHE_UNIT_H
#define TESTS_UNIT_APID_CACHE_UNIT_H

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
#define UNUSED __attribute__((unused)) static

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

UNUSED void
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
UNUSED size_t nstarted;

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

UNUSED size_t
nopen(void)
{
	struct call	*c;
	size_t		 n = 0;

	TAILQ_FOREACH(c, &open_calls, entry)
		n++;
	return n;
}

/* The call that has been open for longest ends. */
UNUSED void
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

UNUSED void
fail_call(void)
{
	end_call(CALL_ERROR, NULL, 0);
}

/* An answer that consists of text, made longer by `more` bytes. */
UNUSED void
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

UNUSED void
answer(uint64_t index, const char *text)
{
	answer_long(index, text, 0);
}

/* ---- the rest of apid ---- */

UNUSED size_t	ndirect;
UNUSED uint64_t	direct_index;

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

UNUSED void
handler(struct request *r, const uint8_t *body, size_t len)
{
	ck_assert(!r->answered);
	wb_bytes(&r->answer, body, len);
	r->status = 200;
	r->answered = true;
}

static struct apid	apid;

UNUSED void
setup(void)
{
	memset(&apid, 0, sizeof(apid));
	apid.ev = &loop;
	loop.now = 1000;
	TAILQ_INIT(&loop.timers);
}

/* Nobody asks for an hour: nothing may be left. */
UNUSED void
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

UNUSED void
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

UNUSED void
ask_past(struct request *r, const char *name, uint64_t index, uint64_t wait_ms)
{
	struct service_request	q = { 0 };

	str_set(&q.service_name, name);
	q.min_query_index = index;
	q.max_query_time = (int64_t)wait_ms * NS_PER_MS;
	ask_with(r, &q, false);
}

UNUSED void
ask(struct request *r, const char *name)
{
	ask_past(r, name, 0, 0);
}

UNUSED void
ask_once(struct request *r, const char *name)
{
	struct service_request	q = { 0 };

	str_set(&q.service_name, name);
	ask_with(r, &q, true);
}

/* As http.c: what a handler left there goes with the request. */
UNUSED void
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

UNUSED const char *
header_of(const struct request *r, const char *name)
{
	struct header	*h;

	SLIST_FOREACH(h, &r->headers, entry)
		if (strcmp(h->name, name) == 0)
			return h->value;
	return "none";
}

UNUSED void
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
UNUSED void
known(const char *name, uint64_t index, const char *text)
{
	struct request	r;

	ask(&r, name);
	ck_assert(!r.answered);
	answer(index, text);
	ck_said(&r, text, "MISS", "none");
}

#endif

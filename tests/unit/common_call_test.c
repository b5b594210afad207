/*
 * Calls: each is answered exactly once, whatever happens, and never from
 * within call_start().
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/call.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

struct t {
	struct ev	*ev;
	struct ipc	*caller, *callee;
	struct calls	*calls;
	int		 answers, cancels, received;
	uint32_t	 last_id;
	enum call_status status;
	char		 error[64], body[64], method[64];
	uint64_t	 timeout_ms;
	bool		 mute;		/* the callee keeps silent */
	struct call	*open;
};

static void
on_caller(struct ipc *l, const struct imsg *m, void *arg)
{
	struct t	*t = arg;

	(void)l;
	if (m == NULL) {
		calls_link(t->calls, NULL);
		ipc_free(t->caller);
		t->caller = NULL;
	} else if (m->type == IMSG_ANSWER)
		(void)calls_answer(t->calls, m);
}

static void
big_answer(struct ipc *l, uint32_t id)
{
	size_t	n = 65u << 20;
	char	*p = xcalloc(1, n);

	call_answer(l, id, p, n);
	free(p);
}

static void
on_callee(struct ipc *l, const struct imsg *m, void *arg)
{
	struct t	*t = arg;
	struct msg_call	 c;
	const uint8_t	*body;
	size_t		 len;

	if (m == NULL)
		return;
	if (m->type == IMSG_CANCEL) {
		ck_assert_uint_eq(m->id, t->last_id);
		t->cancels++;
		ev_stop(t->ev);
		return;
	}
	ck_assert_int_eq(call_read(m, &c, &body, &len), 0);
	t->received++;
	t->last_id = m->id;
	t->timeout_ms = c.timeout_ms;
	strcpy(t->method, c.method);
	if (!t->mute && strcmp(c.method, "Fail") == 0)
		call_error(l, m->id, "no such %s", "thing");
	else if (!t->mute && strcmp(c.method, "Big") == 0)
		big_answer(l, m->id);
	else if (!t->mute)
		call_answer(l, m->id, body, len);
	schema_clear(&msg_call_schema, &c);
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct t	*t = arg;

	t->answers++;
	t->status = status;
	strcpy(t->error, str_or(error, ""));
	memset(t->body, 0, sizeof(t->body));
	if (len > 0)
		memcpy(t->body, body, len);
	ev_stop(t->ev);
}

static void
setup(struct t *t)
{
	int	sv[2];

	memset(t, 0, sizeof(*t));
	t->ev = ev_new();
	t->calls = calls_new(t->ev);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	t->caller = ipc_new(t->ev, sv[0], PROC_APID, PROC_CATALOGD, on_caller,
	    t);
	t->callee = ipc_new(t->ev, sv[1], PROC_CATALOGD, PROC_APID, on_callee,
	    t);
	calls_link(t->calls, t->caller);
}

static void
teardown(struct t *t)
{
	calls_free(t->calls);
	ipc_free(t->caller);
	ipc_free(t->callee);
	ev_free(t->ev);
}

static void
start(struct t *t, const char *method, uint64_t timeout_ms)
{
	struct msg_call	m = { .method = (char *)(uintptr_t)method };

	t->open = call_start(t->calls, &m, "body", 4, timeout_ms, on_answer,
	    t);
	ck_assert_int_eq(t->answers, 0);
}

START_TEST(answer_brings_the_body)
{
	struct t	t;

	setup(&t);
	start(&t, "Echo", 700);
	ev_run(t.ev);
	ck_assert_int_eq(t.answers, 1);
	ck_assert_int_eq(t.status, CALL_OK);
	ck_assert_str_eq(t.body, "body");
	ck_assert_str_eq(t.method, "Echo");
	ck_assert_uint_eq(t.timeout_ms, 700);
	teardown(&t);
}
END_TEST

START_TEST(error_brings_its_text)
{
	struct t	t;

	setup(&t);
	start(&t, "Fail", 0);
	ev_run(t.ev);
	ck_assert_int_eq(t.status, CALL_ERROR);
	ck_assert_str_eq(t.error, "no such thing");
	teardown(&t);
}
END_TEST

START_TEST(an_answer_that_fits_no_message_is_an_error)
{
	struct t	t;

	setup(&t);
	start(&t, "Big", 0);
	ev_run(t.ev);
	ck_assert_int_eq(t.status, CALL_ERROR);
	ck_assert(strncmp(t.error, "answer too large", 16) == 0);
	teardown(&t);
}
END_TEST

START_TEST(without_a_link_it_is_lost)
{
	struct t	t;

	setup(&t);
	calls_link(t.calls, NULL);
	start(&t, "Echo", 0);
	ev_run(t.ev);
	ck_assert_int_eq(t.status, CALL_LOST);
	ck_assert_int_eq(t.received, 0);
	teardown(&t);
}
END_TEST

START_TEST(link_that_breaks_ends_open_calls)
{
	struct t	t;

	setup(&t);
	t.mute = true;
	start(&t, "Echo", 0);
	ipc_flush(t.caller, 100);
	ipc_free(t.callee);
	t.callee = NULL;
	ev_run(t.ev);
	ck_assert_int_eq(t.answers, 1);
	ck_assert_int_eq(t.status, CALL_LOST);
	teardown(&t);
}
END_TEST

START_TEST(deadline_ends_it_and_tells_the_callee)
{
	struct t	t, other;

	setup(&t);
	t.mute = true;
	start(&t, "Echo", 20);
	ev_run(t.ev);
	ck_assert_int_eq(t.answers, 1);
	ck_assert_int_eq(t.status, CALL_TIMEOUT);
	if (t.cancels == 0)
		ev_run(t.ev);
	ck_assert_int_eq(t.cancels, 1);
	/* The answer that comes too late is nobody's. */
	call_answer(t.callee, t.last_id, "late", 4);
	memset(&other, 0, sizeof(other));
	other.ev = t.ev;
	other.calls = t.calls;
	start(&other, "Echo", 20);
	ev_run(t.ev);
	ck_assert_int_eq(t.answers, 1);
	teardown(&t);
}
END_TEST

START_TEST(cancelled_call_is_silent)
{
	struct t	t;

	setup(&t);
	t.mute = true;
	start(&t, "Echo", 50);
	call_cancel(t.open);
	ev_run(t.ev);
	ck_assert_int_eq(t.cancels, 1);
	ck_assert_int_eq(t.answers, 0);
	teardown(&t);
}
END_TEST

START_TEST(full_window_answers_busy)
{
	struct t	t, last;
	struct msg_call	m = { .method = (char *)(uintptr_t)"Wait" };
	int		i;

	setup(&t);
	t.mute = true;
	for (i = 0; i < CALL_WINDOW; i++)
		(void)call_start(t.calls, &m, NULL, 0, 0, on_answer, &t);
	memset(&last, 0, sizeof(last));
	last.ev = t.ev;
	last.calls = t.calls;
	start(&last, "Wait", 0);
	ev_run(t.ev);
	ck_assert_int_eq(last.status, CALL_BUSY);
	ck_assert_int_eq(t.answers, 0);
	/* One that ends makes room again. */
	call_answer(t.callee, 1, NULL, 0);
	ev_run(t.ev);
	ck_assert_int_eq(t.answers, 1);
	t.mute = false;
	memset(&last, 0, sizeof(last));
	last.ev = t.ev;
	last.calls = t.calls;
	start(&last, "Echo", 0);
	ev_run(t.ev);
	ck_assert_int_eq(last.status, CALL_OK);
	teardown(&t);
}
END_TEST

UNIT_MAIN("common_call",
    answer_brings_the_body,
    error_brings_its_text,
    an_answer_that_fits_no_message_is_an_error,
    without_a_link_it_is_lost,
    link_that_breaks_ends_open_calls,
    deadline_ends_it_and_tells_the_callee,
    cancelled_call_is_silent,
    full_window_answers_busy)

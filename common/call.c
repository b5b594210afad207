/*
 * Open CALLs on a link: numbered, timed, answered once.
 *
 * Whatever ends a call without an ANSWER (no link, a full window, its
 * deadline, a link that broke) goes through the timer, so that no callback
 * ever comes from within call_start() or calls_link().
 */
#include <bsd/sys/tree.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/call.h"
#include "common/log.h"
#include "common/util.h"

struct call {
	RB_ENTRY(call)	 by_id;
	RB_ENTRY(call)	 by_end;
	struct calls	*calls;
	uint32_t	 id;
	uint64_t	 end_ms;	/* when it ends by itself; 0: never */
	enum call_status status;	/* with what, then */
	bool		 sent;
	call_fn		*fn;
	void		*arg;
};
RB_HEAD(calls_by_id, call);
RB_HEAD(calls_by_end, call);

struct calls {
	struct ev		*ev;
	struct ev_timer		*timer;
	struct ipc		*link;
	struct calls_by_id	 by_id;
	struct calls_by_end	 by_end;	/* those with an end */
	size_t			 open;		/* sent, unanswered */
	uint32_t		 next_id;
};

static int
cmp_id(const struct call *a, const struct call *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

static int
cmp_end(const struct call *a, const struct call *b)
{
	if (a->end_ms != b->end_ms)
		return a->end_ms < b->end_ms ? -1 : 1;
	return cmp_id(a, b);
}

/* RB_GENERATE_STATIC needs an __unused that glibc has not. */
RB_GENERATE_INTERNAL(calls_by_id, call, by_id, cmp_id,
    static __attribute__((unused)))
RB_GENERATE_INTERNAL(calls_by_end, call, by_end, cmp_end,
    static __attribute__((unused)))

static const char *const status_text[] = {
	[CALL_OK] = NULL,
	[CALL_ERROR] = "error",
	[CALL_LOST] = "the daemon that should answer is not there",
	[CALL_TIMEOUT] = "no answer in time",
	[CALL_BUSY] = "too many calls at once",
};

static void
arm(struct calls *cs)
{
	struct call	*c = RB_MIN(calls_by_end, &cs->by_end);
	uint64_t	 now = ev_now(cs->ev);

	if (c == NULL)
		ev_timer_stop(cs->timer);
	else
		ev_timer_set(cs->timer, c->end_ms > now ? c->end_ms - now : 0);
}

static void
set_end(struct call *c, uint64_t end_ms, enum call_status status)
{
	struct calls	*cs = c->calls;

	if (c->end_ms != 0)
		RB_REMOVE(calls_by_end, &cs->by_end, c);
	c->end_ms = end_ms;
	c->status = status;
	if (end_ms != 0)
		RB_INSERT(calls_by_end, &cs->by_end, c);
}

/* At the next turn. */
static void
end_soon(struct call *c, enum call_status status)
{
	if (c->sent)
		c->calls->open--;
	c->sent = false;
	set_end(c, 1, status);
}

static void
take_out(struct call *c)
{
	set_end(c, 0, c->status);
	RB_REMOVE(calls_by_id, &c->calls->by_id, c);
	if (c->sent)
		c->calls->open--;
}

static void
tell_cancel(struct call *c)
{
	const char	*why;
	struct ipc	*l = c->calls->link;

	/* Not every callee knows CANCEL: discod's answers are immediate. */
	if (c->sent && l != NULL && imsg_check(IMSG_CANCEL, ipc_self(l),
	    ipc_peer(l), 0, 0, &why) == 0)
		ipc_send(l, IMSG_CANCEL, c->id, NULL, 0, -1);
}

static void
on_timer(void *arg)
{
	struct calls	*cs = arg;
	struct call	*c;
	uint64_t	 now = ev_now(cs->ev);

	while ((c = RB_MIN(calls_by_end, &cs->by_end)) != NULL &&
	    c->end_ms <= now) {
		tell_cancel(c);
		take_out(c);
		c->fn(c->status, status_text[c->status], NULL, 0, c->arg);
		free(c);
	}
	arm(cs);
}

struct calls *
calls_new(struct ev *ev)
{
	struct calls	*cs = xcalloc(1, sizeof(*cs));

	cs->ev = ev;
	cs->timer = ev_timer_new(ev, on_timer, cs);
	RB_INIT(&cs->by_id);
	RB_INIT(&cs->by_end);
	return cs;
}

void
calls_free(struct calls *cs)
{
	struct call	*c;

	if (cs == NULL)
		return;
	while ((c = RB_MIN(calls_by_id, &cs->by_id)) != NULL) {
		take_out(c);
		free(c);
	}
	ev_timer_free(cs->timer);
	free(cs);
}

void
calls_link(struct calls *cs, struct ipc *l)
{
	struct call	*c;

	if (cs->link != NULL)
		RB_FOREACH(c, calls_by_id, &cs->by_id)
			if (c->sent)
				end_soon(c, CALL_LOST);
	cs->link = l;
	arm(cs);
}

static void
send_call(struct call *c, const struct msg_call *m, const void *body,
    size_t len, uint64_t timeout_ms)
{
	struct msg_call	head = *m;
	struct wbuf	b;

	if (head.timeout_ms == 0)
		head.timeout_ms = timeout_ms;
	wb_init(&b, 0);
	schema_encode(&msg_call_schema, &head, &b);
	if (len > 0)
		wb_bytes(&b, body, len);
	ipc_send(c->calls->link, IMSG_CALL, c->id, b.p, b.len, -1);
	wb_free(&b);
}

struct call *
call_start(struct calls *cs, const struct msg_call *m, const void *body,
    size_t len, uint64_t timeout_ms, call_fn *fn, void *arg)
{
	struct call	*c = xcalloc(1, sizeof(*c));

	c->calls = cs;
	c->fn = fn;
	c->arg = arg;
	do
		c->id = ++cs->next_id;
	while (c->id == 0 || RB_INSERT(calls_by_id, &cs->by_id, c) != NULL);

	if (cs->link == NULL)
		end_soon(c, CALL_LOST);
	else if (cs->open >= CALL_WINDOW)
		end_soon(c, CALL_BUSY);
	else {
		send_call(c, m, body, len, timeout_ms);
		c->sent = true;
		cs->open++;
		if (timeout_ms != 0)
			set_end(c, ev_now(cs->ev) + timeout_ms, CALL_TIMEOUT);
	}
	if (c->end_ms != 0 && RB_MIN(calls_by_end, &cs->by_end) == c)
		arm(cs);
	return c;
}

void
call_cancel(struct call *c)
{
	tell_cancel(c);
	take_out(c);
	free(c);
}

int
calls_answer(struct calls *cs, const struct imsg *m)
{
	struct msg_answer	 head;
	struct call		 key = { .id = m->id }, *c;
	struct rbuf		 r;

	if ((c = RB_FIND(calls_by_id, &cs->by_id, &key)) == NULL || !c->sent)
		return -1;
	rb_init(&r, m->body, m->len);
	if (schema_decode(&msg_answer_schema, &r, &head) == -1)
		fatalx("answer from %s: %s", proc_name(ipc_peer(cs->link)),
		    r.err);
	take_out(c);
	if (head.status == CALL_OK)
		c->fn(CALL_OK, NULL, r.p, r.n, c->arg);
	else if (head.status < NELEM(status_text))
		c->fn((enum call_status)head.status, str_empty(head.error) ?
		    status_text[head.status] : head.error, r.p, r.n, c->arg);
	else
		fatalx("answer from %s: unknown status",
		    proc_name(ipc_peer(cs->link)));
	free(c);
	schema_clear(&msg_answer_schema, &head);
	return 0;
}

/* ---- the callee's side ---- */

int
call_read(const struct imsg *m, struct msg_call *call, const uint8_t **body,
    size_t *len)
{
	struct rbuf	r;

	rb_init(&r, m->body, m->len);
	if (schema_decode(&msg_call_schema, &r, call) == -1)
		return -1;
	*body = r.p;
	*len = r.n;
	return 0;
}

/*
 * Takes b: the head, and the body behind it.  What fits no message is an error
 * for the caller; ours it would be to die of it.
 */
static void
send_answer(struct ipc *l, uint32_t id, struct wbuf *b)
{
	struct msg_answer	 head = { .status = CALL_ERROR };
	char			 text[64];
	const char		*why;

	if (imsg_check(IMSG_ANSWER, ipc_self(l), ipc_peer(l), b->len, 0,
	    &why) == -1 && strcmp(why, IMSG_TOO_LONG) == 0) {
		(void)snprintf(text, sizeof(text),
		    "answer too large: %zu bytes", b->len);
		head.error = text;
		wb_reset(b);
		schema_encode(&msg_answer_schema, &head, b);
	}
	ipc_send(l, IMSG_ANSWER, id, b->p, b->len, -1);
	wb_free(b);
}

void
call_answer_status(struct ipc *l, uint32_t id, enum call_status status,
    const char *error, const void *body, size_t len)
{
	struct msg_answer	head = { .status = status,
				    .error = (char *)(uintptr_t)error };
	struct wbuf		b;

	if (l == NULL)
		return;
	wb_init(&b, 0);
	schema_encode(&msg_answer_schema, &head, &b);
	if (len > 0)
		wb_bytes(&b, body, len);
	send_answer(l, id, &b);
}

void
call_answer(struct ipc *l, uint32_t id, const void *body, size_t len)
{
	call_answer_status(l, id, CALL_OK, NULL, body, len);
}

void
call_answer_schema(struct ipc *l, uint32_t id, struct schema *s,
    const void *obj)
{
	struct msg_answer	head = { .status = CALL_OK };
	struct wbuf		b;

	if (l == NULL)
		return;
	wb_init(&b, 0);
	schema_encode(&msg_answer_schema, &head, &b);
	schema_encode(s, obj, &b);
	send_answer(l, id, &b);
}

void
call_error(struct ipc *l, uint32_t id, const char *fmt, ...)
{
	va_list	 ap;
	char	*text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		fatalx("out of memory");
	va_end(ap);
	call_answer_status(l, id, CALL_ERROR, text, NULL, 0);
	free(text);
}

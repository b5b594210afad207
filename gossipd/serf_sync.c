/*
 * The user part of a push/pull: clocks, statuses and recent events, both ways
 * (gossip.md 10.4).
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/serf_int.h"

static void
write_events(const struct serf *s, struct wbuf *w)
{
	const struct event_slot	*slot;
	const struct past_event	*e;
	struct sf_slot		 out;
	struct sf_past		 past;
	struct wbuf		 list;
	size_t			 i, j, n = 0;

	for (i = 0; s->events != NULL && i < RING; i++)
		n += s->events[i] != NULL;
	mp_array(w, n);
	wb_init(&list, 0);
	for (i = 0; n > 0 && i < RING; i++) {
		if ((slot = s->events[i]) == NULL)
			continue;
		wb_reset(&list);
		mp_array(&list, slot->n);
		for (j = 0; j < slot->n; j++) {
			e = &slot->item[j];
			past.name = span_of(e->bytes, e->name_len);
			past.payload = span_of(e->nil ? NULL :
			    e->bytes + e->name_len, e->len - e->name_len);
			body_encode(&sf_past_body, &past, &list);
		}
		out.ltime = slot->ltime;
		out.events = span_of(list.p, list.len);
		body_encode(&sf_slot_body, &out, w);
	}
	wb_free(&list);
}

static void
write_members(struct serf *s, struct wbuf *left, struct wbuf *status)
{
	const struct serf_member	*m;
	uint32_t			 i = 0;

	mp_array(left, s->count[MEMBER_LEFT]);
	mp_map(status, serf_count_all(s));
	while ((m = serf_member_next(s, &i)) != NULL) {
		if (m->status == MEMBER_LEFT)
			mp_raw(left, m->id->data, m->id->name_len);
		mp_raw(status, m->id->data, m->id->name_len);
		/* Taken for the time of a join, that of a leave would make
		 * the leave itself old. */
		mp_uint(status, m->ltime - (m->status == MEMBER_LEAVING &&
		    m->ltime > 0));
	}
}

void
serf_state_write(void *arg, struct wbuf *w)
{
	struct serf		*s = arg;
	struct sf_pushpull	 pp = {
		.event_ltime = s->clock.event, .ltime = s->clock.member,
		.query_ltime = s->clock.query
	};
	struct wbuf		 events, left, status;

	wb_init(&events, 0);
	wb_init(&left, 0);
	wb_init(&status, 0);
	write_events(s, &events);
	write_members(s, &left, &status);
	pp.events = span_of(events.p, events.len);
	pp.left = span_of(left.p, left.len);
	pp.status = span_of(status.p, status.len);
	wb_u8(w, SF_PUSHPULL);
	body_encode(&sf_pushpull_body, &pp, w);
	wb_free(&events);
	wb_free(&left);
	wb_free(&status);
}

static int
span_cmp(const void *a, const void *b)
{
	return serf_span_cmp(*(const struct span *)a,
	    *(const struct span *)b);
}

/* More names than any member can know: none is believed. */
static size_t
names_or_none(struct rbuf *r, size_t n)
{
	if (n > SERF_MEMBERS_MAX)
		rb_fail(r, "too many names");
	return rb_ok(r) ? n : 0;
}

/* The names that left, sorted; the caller frees. */
static struct span *
read_left(struct span list, size_t *nleft)
{
	struct span	*left;
	struct rbuf	 r;
	size_t		 i, n;

	rb_init(&r, list.p, list.n);
	n = list.n == 0 ? 0 : names_or_none(&r, mp_get_array(&r));
	left = xcalloc(n + 1, sizeof(*left));
	for (i = 0; i < n && rb_ok(&r); i++)
		left[i].p = mp_get_raw(&r, &left[i].n);
	*nleft = rb_ok(&r) ? n : 0;
	qsort(left, *nleft, sizeof(*left), span_cmp);
	return left;
}

static void
read_status(struct serf *s, struct span map, const struct span *left,
    size_t nleft)
{
	const struct serf_member	*m;
	struct sf_leave			 leave = { 0 };
	struct sf_join			 join;
	struct rbuf			 r;
	struct span			 name;
	uint64_t			 ltime;
	size_t				 i, n;

	rb_init(&r, map.p, map.n);
	n = map.n == 0 ? 0 : names_or_none(&r, mp_get_map(&r));
	for (i = 0; i < n; i++) {
		name.p = mp_get_raw(&r, &name.n);
		ltime = mp_get_uint(&r);
		if (!rb_ok(&r))
			return;
		if (bsearch(&name, left, nleft, sizeof(name), span_cmp)) {
			/* The time is a guess, above what they have: those who
			 * tell each other of a leave would raise it for ever,
			 * past the join of a later life. */
			if ((m = serf_member_find(s, name)) != NULL &&
			    m->status == MEMBER_LEFT)
				continue;
			/* It missed the return, and of the time of that it
			 * made, by the same guess, one for the leave. */
			if (m != NULL && m->status == MEMBER_ALIVE &&
			    swim_teller_is_behind(s->swim, name))
				continue;
			leave.ltime = ltime + 1;
			leave.node = name;
			(void)serf_leave_intent(s, &leave, true);
		} else {
			join.ltime = ltime;
			join.node = name;
			(void)serf_join_intent(s, &join, true);
		}
	}
}

static void
read_slot(struct serf *s, struct rbuf *r)
{
	struct sf_slot	slot;
	struct sf_past	past;
	struct sf_event	e = { 0 };
	struct rbuf	list;
	size_t		i, n;

	body_decode(&sf_slot_body, r, &slot);
	if (!rb_ok(r) || slot.events.n == 0)
		return;
	rb_init(&list, slot.events.p, slot.events.n);
	n = mp_get_array(&list);
	for (i = 0; i < n; i++) {
		body_decode(&sf_past_body, &list, &past);
		if (!rb_ok(&list))
			return;
		e.ltime = slot.ltime;
		e.name = past.name;
		e.payload = past.payload;
		(void)serf_take_event(s, &e);
	}
}

void
serf_state_read(void *arg, struct span user, bool join)
{
	struct serf		*s = arg;
	struct sf_pushpull	 pp;
	struct rbuf		 r;
	struct span		*left;
	size_t			 i, n, nleft;

	if (user.p[0] != SF_PUSHPULL)
		return;
	rb_init(&r, user.p + 1, user.n - 1);
	body_decode(&sf_pushpull_body, &r, &pp);
	if (!rb_ok(&r))
		return;
	if (pp.ltime > 0)
		serf_witness(&s->clock.member, pp.ltime - 1);
	if (pp.event_ltime > 0)
		serf_witness(&s->clock.event, pp.event_ltime - 1);
	if (pp.query_ltime > 0)
		serf_witness(&s->clock.query, pp.query_ltime - 1);
	left = read_left(pp.left, &nleft);
	read_status(s, pp.status, left, nleft);
	free(left);
	/* What happened before we came is not for us. */
	if (join && s->own_join && pp.event_ltime > s->event_min)
		s->event_min = pp.event_ltime;
	rb_init(&r, pp.events.p, pp.events.n);
	n = pp.events.n == 0 ? 0 : mp_get_array(&r);
	for (i = 0; i < n && rb_ok(&r); i++)
		if (!mp_get_nil(&r))
			read_slot(s, &r);
}

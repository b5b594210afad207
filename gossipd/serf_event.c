/*
 * User events: remembered by clock value so that each is taken once, and
 * passed on as they came.
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/serf_int.h"

static void
slot_free(struct serf *s, struct event_slot *slot)
{
	size_t	i;

	for (i = 0; i < slot->n; i++) {
		s->event_bytes -= slot->item[i].len;
		free(slot->item[i].bytes);
	}
	free(slot);
}

void
serf_events_clear(struct serf *s)
{
	size_t	i;

	for (i = 0; s->events != NULL && i < RING; i++)
		if (s->events[i] != NULL)
			slot_free(s, s->events[i]);
	free(s->events);
	s->events = NULL;
}

static bool
same_event(const struct past_event *p, const struct sf_event *e)
{
	return span_same(span_of(p->bytes, p->name_len), e->name) &&
	    span_same(span_of(p->bytes + p->name_len, p->len - p->name_len),
	    e->payload);
}

bool
serf_too_old(uint64_t clock, uint64_t ltime)
{
	return clock > RING && ltime < clock - RING;
}

/* The slot of this clock value; what was in it is forgotten. */
static struct event_slot **
slot_of(struct serf *s, uint64_t ltime)
{
	struct event_slot	**slot;

	if (s->events == NULL)
		s->events = xcalloc(RING, sizeof(*s->events));
	slot = &s->events[ltime % RING];
	if (*slot != NULL && (*slot)->ltime != ltime) {
		slot_free(s, *slot);
		*slot = NULL;
	}
	return slot;
}

/*
 * Forgets the oldest until there is room, and takes nothing as old any more,
 * or what is forgotten would be news again.  False: this one is the oldest.
 */
static bool
make_room(struct serf *s, uint64_t ltime, size_t len)
{
	struct event_slot	**slot, **oldest;
	size_t			  i;

	while (s->event_bytes + len > EVENT_BYTES_MAX) {
		oldest = NULL;
		for (i = 0; i < RING; i++) {
			slot = &s->events[i];
			if (*slot != NULL && (oldest == NULL ||
			    (*slot)->ltime < (*oldest)->ltime))
				oldest = slot;
		}
		if (oldest == NULL || (*oldest)->ltime >= ltime)
			return false;
		if (s->event_min <= (*oldest)->ltime)
			s->event_min = (*oldest)->ltime + 1;
		slot_free(s, *oldest);
		*oldest = NULL;
	}
	return true;
}

/* True if it was not known; it is remembered then. */
static bool
remember_event(struct serf *s, const struct sf_event *e)
{
	struct event_slot	**at = slot_of(s, e->ltime), *slot = *at;
	struct past_event	*p;
	size_t			 i, len = e->name.n + e->payload.n;
	size_t			 n = slot == NULL ? 0 : slot->n;

	for (i = 0; i < n; i++)
		if (same_event(&slot->item[i], e))
			return false;
	if (n == SLOT_EVENTS || len > EVENT_HARD_MAX ||
	    !make_room(s, e->ltime, len))
		return false;
	slot = *at = xrealloc(slot, sizeof(*slot) + (n + 1) * sizeof(*p));
	slot->ltime = e->ltime;
	slot->n = n + 1;
	p = &slot->item[n];
	p->bytes = xmalloc(len + 1);
	p->name_len = e->name.n;
	p->len = len;
	p->nil = e->payload.p == NULL;
	if (e->name.n > 0)
		memcpy(p->bytes, e->name.p, e->name.n);
	if (e->payload.n > 0)
		memcpy(p->bytes + e->name.n, e->payload.p, e->payload.n);
	s->event_bytes += len;
	return true;
}

bool
serf_take_event(struct serf *s, const struct sf_event *e)
{
	serf_witness(&s->clock.event, e->ltime);
	if (e->ltime < s->event_min || serf_too_old(s->clock.event, e->ltime) ||
	    !remember_event(s, e))
		return false;
	s->ops.event(s->arg, e);
	return true;
}

void
serf_on_event(struct serf *s, const uint8_t *p, size_t n)
{
	struct sf_event	e;
	struct rbuf	r;

	rb_init(&r, p + 1, n - 1);
	body_decode(&sf_event_body, &r, &e);
	if (rb_ok(&r) && serf_take_event(s, &e))
		serf_forward(s, BC_EVENT, p, n);
}

const char *
serf_fire(struct serf *s, uint64_t now, struct span name, struct span payload,
    bool coalesce)
{
	struct sf_event	 e = {
		.cc = coalesce, .ltime = s->clock.event, .name = name,
		.payload = payload
	};
	struct wbuf	*w;

	s->now = now;
	if (name.n + payload.n > SERF_EVENT_MAX)
		return "user event exceeds configured limit of 512 bytes "
		    "before encoding";
	w = serf_msg(s, SF_EVENT);
	body_encode(&sf_event_body, &e, w);
	if (w->len - 1 > SERF_EVENT_MAX)
		return "user event exceeds configured limit of 512 bytes "
		    "after encoding";
	swim_broadcast(s->swim, BC_EVENT, false, w->p, w->len);
	(void)serf_take_event(s, &e);
	return NULL;
}

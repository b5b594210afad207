/*
 * User events and queries: remembered by clock value so that each is taken
 * once, passed on as they came, answered where Serf itself has the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/serf_int.h"

#define RELAY_VSN	5	/* pmax that understands relayed messages */

/* ---- events ---- */

static void
slot_clear(struct serf *s, struct event_slot *slot)
{
	size_t	i;

	for (i = 0; i < slot->n; i++) {
		s->event_bytes -= slot->item[i].len;
		free(slot->item[i].bytes);
	}
	free(slot->item);
	memset(slot, 0, sizeof(*slot));
}

void
serf_events_clear(struct serf *s)
{
	size_t	i;

	for (i = 0; i < RING; i++) {
		slot_clear(s, &s->events[i]);
		free(s->queries[i].id);
		memset(&s->queries[i], 0, sizeof(s->queries[i]));
	}
}

static bool
same_event(const struct past_event *p, const struct sf_event *e)
{
	return span_same(span_of(p->bytes, p->name_len), e->name) &&
	    span_same(span_of(p->bytes + p->name_len, p->len - p->name_len),
	    e->payload);
}

static bool
too_old(uint64_t clock, uint64_t ltime)
{
	return clock > RING && ltime < clock - RING;
}

/* True if it was not known; it is remembered then. */
static bool
remember_event(struct serf *s, const struct sf_event *e)
{
	struct event_slot	*slot = &s->events[e->ltime % RING];
	struct past_event	*p;
	size_t			 i, len = e->name.n + e->payload.n;

	if (slot->n > 0 && slot->ltime != e->ltime)
		slot_clear(s, slot);
	slot->ltime = e->ltime;
	for (i = 0; i < slot->n; i++)
		if (same_event(&slot->item[i], e))
			return false;
	if (slot->n == SLOT_EVENTS || len > EVENT_HARD_MAX ||
	    s->event_bytes + len > EVENT_BYTES_MAX)
		return false;
	slot->item = xreallocarray(slot->item, slot->n + 1, sizeof(*p));
	p = &slot->item[slot->n++];
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
	if (e->ltime < s->event_min || too_old(s->clock.event, e->ltime) ||
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

/* ---- queries ---- */

static bool
remember_query(struct serf *s, const struct sf_query *q)
{
	struct query_slot	*slot = &s->queries[q->ltime % RING];
	size_t			 i;

	if (slot->ltime != q->ltime)
		slot->n = 0;
	slot->ltime = q->ltime;
	for (i = 0; i < slot->n; i++)
		if (slot->id[i] == q->id)
			return false;
	if (slot->n == SLOT_QUERIES)
		return false;
	slot->id = xreallocarray(slot->id, slot->n + 1, sizeof(*slot->id));
	slot->id[slot->n++] = q->id;
	return true;
}

static bool
names_us(const struct serf *s, struct rbuf *r)
{
	struct span	self = ident_name_span(swim_self(s->swim)), name;
	size_t		i, n = mp_get_array(r);

	for (i = 0; i < n && rb_ok(r); i++) {
		name.p = mp_get_raw(r, &name.n);
		if (rb_ok(r) && span_same(name, self))
			return true;
	}
	return false;
}

/*
 * Expressions here are plain text, sought anywhere in the value.  One with an
 * operator in it matches nothing: better no answer than a wrong one.
 */
static bool
tag_matches(const struct serf *s, struct rbuf *r)
{
	struct sf_tag_filter	f;
	struct span		val;
	char			key[META_MAX + 1];
	size_t			i;

	body_decode(&sf_tag_filter_body, r, &f);
	if (!rb_ok(r) || f.tag.n == 0 || f.tag.n > META_MAX)
		return false;
	for (i = 0; i < f.expr.n; i++)
		if (strchr("\\^$.|?*+()[]{}", f.expr.p[i]) != NULL)
			return false;
	memcpy(key, f.tag.p, f.tag.n);
	key[f.tag.n] = '\0';
	if (!tag_get(ident_meta(swim_self(s->swim)), key, &val))
		val.n = 0;
	return f.expr.n == 0 || (val.n > 0 &&
	    memmem(val.p, val.n, f.expr.p, f.expr.n) != NULL);
}

static bool
filter_matches(const struct serf *s, struct span f)
{
	struct rbuf	r;

	if (f.n == 0)
		return false;
	rb_init(&r, f.p + 1, f.n - 1);
	switch (f.p[0]) {
	case 0:
		return names_us(s, &r);
	case 1:
		return tag_matches(s, &r);
	default:
		return false;
	}
}

static bool
for_us(const struct serf *s, struct span filters)
{
	struct rbuf	r;
	struct span	f;
	size_t		i, n;

	rb_init(&r, filters.p, filters.n);
	n = filters.n == 0 ? 0 : mp_get_array(&r);
	for (i = 0; i < n; i++) {
		f.p = mp_get_raw(&r, &f.n);
		if (!rb_ok(&r) || !filter_matches(s, f))
			return false;
	}
	return rb_ok(&r);
}

/* The same answer through others, for when the direct one gets lost. */
static void
relay_response(struct serf *s, const struct sf_query *q,
    const struct gaddr *to, struct wbuf *response)
{
	struct ident	*via[16];
	struct wbuf	 dest, w;
	struct sf_dest	 d = { .ip = gaddr_ip(to), .port = to->port };
	struct sf_relay	 relay = { .name = q->src_node };
	size_t		 i, n = q->relay < NELEM(via) ? q->relay : NELEM(via);

	if (n == 0 || serf_count_all(s) < n + 1)
		return;
	wb_init(&dest, 0);
	wb_init(&w, 0);
	body_encode(&sf_dest_body, &d, &dest);
	relay.dest = span_of(dest.p, dest.len);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_RELAY);
	body_encode(&sf_relay_body, &relay, &w);
	wb_bytes(&w, response->p + 1, response->len - 1);
	n = w.len > SERF_QUERY_MAX ? 0 : swim_random_alive(s->swim, n, via);
	for (i = 0; i < n; i++)
		if (via[i]->vsn[VSN_PMAX] >= RELAY_VSN)
			swim_send(s->swim, &via[i]->addr, w.p, w.len);
	wb_free(&dest);
	wb_free(&w);
}

static void
respond(struct serf *s, const struct sf_query *q, uint32_t flags,
    struct span payload)
{
	struct sf_response	 a = {
		.flags = flags, .from = ident_name_span(swim_self(s->swim)),
		.id = q->id, .ltime = q->ltime, .payload = payload
	};
	struct gaddr		 to = gaddr_of(q->addr, q->port);
	struct wbuf		*w;

	if (to.len == 0 || to.port == 0)
		return;
	w = serf_msg(s, SF_RESPONSE);
	body_encode(&sf_response_body, &a, w);
	if (w->len - 1 > SERF_QUERY_MAX)
		return;
	swim_send(s->swim, &to, w->p, w->len);
	relay_response(s, q, &to, w);
}

/* Who has this name?  The one in question does not vote. */
static void
answer_conflict(struct serf *s, const struct sf_query *q)
{
	const struct serf_member	*m = serf_member_find(s, q->payload);
	struct sf_member		 a;
	struct wbuf			 w, tags;

	if (span_same(q->payload, ident_name_span(swim_self(s->swim))))
		return;
	wb_init(&w, 0);
	wb_init(&tags, 0);
	wb_u8(&w, SF_CONFLICT);
	if (m == NULL)
		mp_nil(&w);
	else {
		tags_copy_map(ident_meta(m->id), &tags);
		a.addr = gaddr_ip(&m->id->addr);
		a.port = m->id->addr.port;
		a.name = ident_name_span(m->id);
		a.status = (uint8_t)m->status;
		a.tags = span_of(tags.p, tags.len);
		a.pmin = m->id->vsn[VSN_PMIN];
		a.pmax = m->id->vsn[VSN_PMAX];
		a.pcur = m->id->vsn[VSN_PCUR];
		a.dmin = m->id->vsn[VSN_DMIN];
		a.dmax = m->id->vsn[VSN_DMAX];
		a.dcur = m->id->vsn[VSN_DCUR];
		body_encode(&sf_member_body, &a, &w);
	}
	respond(s, q, 0, span_of(w.p, w.len));
	wb_free(&w);
	wb_free(&tags);
}

void
serf_on_query(struct serf *s, const uint8_t *p, size_t n)
{
	struct sf_query	q;
	struct rbuf	r;

	rb_init(&r, p + 1, n - 1);
	body_decode(&sf_query_body, &r, &q);
	if (!rb_ok(&r))
		return;
	serf_witness(&s->clock.query, q.ltime);
	if (q.ltime < s->query_min || too_old(s->clock.query, q.ltime) ||
	    !remember_query(s, &q))
		return;
	if ((q.flags & SF_FLAG_NO_BROADCAST) == 0)
		serf_forward(s, BC_QUERY, p, n);
	if (!for_us(s, q.filters))
		return;
	if (q.flags & SF_FLAG_ACK)
		respond(s, &q, SF_FLAG_ACK, span_of(NULL, 0));
	/* _serf_ping wants the ack alone. */
	if (span_is(q.name, "_serf_conflict"))
		answer_conflict(s, &q);
}

void
serf_on_relay(struct serf *s, const uint8_t *p, size_t n)
{
	struct sf_relay	relay;
	struct sf_dest	d;
	struct gaddr	to;
	struct rbuf	r, dest;

	if (n > SERF_QUERY_MAX)
		return;
	rb_init(&r, p + 1, n - 1);
	body_decode(&sf_relay_body, &r, &relay);
	if (!rb_ok(&r) || r.n == 0)
		return;
	rb_init(&dest, relay.dest.p, relay.dest.n);
	body_decode(&sf_dest_body, &dest, &d);
	to = gaddr_of(d.ip, d.port);
	if (!rb_ok(&dest) || to.len == 0 || to.port == 0)
		return;
	wb_reset(&s->msg);
	wb_u8(&s->msg, ML_USER);
	wb_bytes(&s->msg, r.p, r.n);
	swim_send(s->swim, &to, s->msg.p, s->msg.len);
}

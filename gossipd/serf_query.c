/*
 * What others ask: taken once, passed on as it came, acknowledged, and
 * answered where Serf itself has the answer; and what others have us pass on
 * to the one who asked (gossip.md 10.5.2 to 10.5.4).
 *
 * A question names the address that all members send their answers to, and so
 * does a relayed message: only a member's address will do, or one datagram of
 * anybody's would aim a whole cluster at a stranger.
 */
#include <stdlib.h>
#include <string.h>

#include "common/regex.h"
#include "gossipd/serf_int.h"

#define RELAY_VSN	5	/* pmax that understands relayed messages */
#define RELAY_MAX	5	/* of one answer: the most that agents ask */
#define FILTERS_MAX	16	/* of one question */
#define FILTERS_PER_S	64	/* by expression: each may cost some ms */
#define SCANS_PER_S	50	/* of all members for an address */

static bool
remembered(const struct query_slot *slot, uint32_t id)
{
	size_t	i;

	for (i = 0; i < slot->n; i++)
		if (slot->id[i] == id)
			return true;
	return false;
}

bool
serf_query_remember(struct serf *s, const struct sf_query *q)
{
	struct query_slot	**at, *slot;
	size_t			 n;

	if (s->queries == NULL)
		s->queries = xcalloc(RING, sizeof(*s->queries));
	at = &s->queries[q->ltime % RING];
	slot = *at;
	n = slot == NULL || slot->ltime != q->ltime ? 0 : slot->n;
	if (n == SLOT_QUERIES || (n > 0 && remembered(slot, q->id)))
		return false;
	slot = *at = xrealloc(slot, sizeof(*slot) + (n + 1) * sizeof(q->id));
	slot->ltime = q->ltime;
	slot->n = n + 1;
	slot->id[n] = q->id;
	return true;
}

void
serf_queries_clear(struct serf *s)
{
	size_t	i;

	for (i = 0; s->queries != NULL && i < RING; i++)
		free(s->queries[i]);
	free(s->queries);
	s->queries = NULL;
}

/* ---- filters ---- */

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

/* Text of others with an end; false when it does not fit or has a NUL. */
static bool
text_of(struct span from, char *to, size_t size)
{
	if (from.n >= size || (from.n > 0 && memchr(from.p, '\0', from.n)))
		return false;
	if (from.n > 0)
		memcpy(to, from.p, from.n);
	to[from.n] = '\0';
	return true;
}

static bool
tag_matches(struct serf *s, struct rbuf *r)
{
	struct sf_tag_filter	 f;
	struct span		 val;
	struct regex		*re;
	char			 key[META_MAX + 1];
	char			 expr[REGEX_PATTERN_MAX + 1], *why = NULL;
	bool			 match;

	body_decode(&sf_tag_filter_body, r, &f);
	if (!rb_ok(r) || !text_of(f.tag, key, sizeof(key)) ||
	    !text_of(f.expr, expr, sizeof(expr)) ||
	    !rate_take(&s->filters, s->now, FILTERS_PER_S))
		return false;
	if ((re = regex_new(expr, &why)) == NULL) {
		free(why);
		return false;
	}
	/* A tag that is not there is empty. */
	if (!tag_get(ident_meta(swim_self(s->swim)), key, &val))
		val = span_str("");
	match = regex_match(re, (const char *)val.p, val.n);
	regex_free(re);
	return match;
}

static bool
filter_matches(struct serf *s, struct span f)
{
	struct rbuf	r;

	if (f.n == 0)
		return false;
	rb_init(&r, f.p + 1, f.n - 1);
	switch (f.p[0]) {
	case SF_FILTER_NODES:
		return names_us(s, &r);
	case SF_FILTER_TAG:
		return tag_matches(s, &r);
	default:
		return false;
	}
}

static bool
for_us(struct serf *s, struct span filters)
{
	struct rbuf	r;
	struct span	f;
	size_t		i, n;

	rb_init(&r, filters.p, filters.n);
	n = filters.n == 0 ? 0 : mp_get_array(&r);
	if (n > FILTERS_MAX)
		return false;
	for (i = 0; i < n; i++) {
		f.p = mp_get_raw(&r, &f.n);
		if (!rb_ok(&r) || !filter_matches(s, f))
			return false;
	}
	return rb_ok(&r);
}

/* ---- answers ---- */

/*
 * Is there a member at this address?  Peers before Serf 0.9 do not say which:
 * a look at all of them, not as often as somebody likes.
 */
static bool
is_member(struct serf *s, struct span name, const struct gaddr *at)
{
	const struct serf_member	*m;
	uint32_t			 i = 0;

	if (at->len == 0 || at->port == 0)
		return false;
	if (name.n > 0)
		return (m = serf_member_find(s, name)) != NULL &&
		    gaddr_same(&m->id->addr, at);
	if (!rate_take(&s->scans, s->now, SCANS_PER_S))
		return false;
	while ((m = serf_member_next(s, &i)) != NULL)
		if (gaddr_same(&m->id->addr, at))
			return true;
	return false;
}

/* The same answer through others, for when the direct one gets lost. */
static void
relay_response(struct serf *s, const struct sf_query *q,
    const struct gaddr *to, const struct wbuf *response)
{
	struct ident	*via[RELAY_MAX];
	struct wbuf	 dest, w;
	struct sf_dest	 d = { .ip = gaddr_ip(to), .port = to->port };
	struct sf_relay	 relay = { .name = q->src_node };
	size_t		 i, n = q->relay < RELAY_MAX ? q->relay : RELAY_MAX;

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
	n = w.len - 1 > SERF_QUERY_MAX ? 0 :
	    swim_random_alive(s->swim, n, via);
	for (i = 0; i < n; i++)
		if (via[i]->vsn[VSN_PMAX] >= RELAY_VSN)
			swim_send(s->swim, &via[i]->addr, w.p, w.len);
	wb_free(&dest);
	wb_free(&w);
}

static struct sf_response
response_of(const struct serf *s, const struct sf_query *q, uint32_t flags,
    struct span payload)
{
	struct sf_response	a = {
		.flags = flags, .from = ident_name_span(swim_self(s->swim)),
		.id = q->id, .ltime = q->ltime, .payload = payload
	};

	return a;
}

struct wbuf *
serf_response(struct serf *s, const struct sf_query *q, uint32_t flags,
    struct span payload)
{
	struct sf_response	 a = response_of(s, q, flags, payload);
	struct wbuf		*w = serf_msg(s, SF_RESPONSE);

	body_encode(&sf_response_body, &a, w);
	return w;
}

void
serf_respond(struct serf *s, const struct sf_query *q, uint32_t flags,
    struct span payload)
{
	struct sf_response	 a = response_of(s, q, flags, payload);
	struct gaddr		 to = gaddr_of(q->addr, q->port);
	struct wbuf		*w;

	/* Our own question needs no network. */
	if (span_same(q->src_node, a.from) && serf_ask_heard(s, &a))
		return;
	if (!is_member(s, q->src_node, &to))
		return;
	w = serf_response(s, q, flags, payload);
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
	serf_respond(s, q, 0, span_of(w.p, w.len));
	wb_free(&w);
	wb_free(&tags);
}

void
serf_query_local(struct serf *s, const struct sf_query *q)
{
	if (!for_us(s, q->filters))
		return;
	if (q->flags & SF_FLAG_ACK)
		serf_respond(s, q, SF_FLAG_ACK, span_of(NULL, 0));
	/* _serf_ping wants the ack alone. */
	if (span_is(q->name, "_serf_conflict"))
		answer_conflict(s, q);
	else
		(void)serf_keys_answer(s, q);
}

void
serf_on_query(struct serf *s, const uint8_t *p, size_t n)
{
	struct sf_query	q;
	struct rbuf	r;

	rb_init(&r, p + 1, n - 1);
	body_decode(&sf_query_body, &r, &q);
	if (!rb_ok(&r) || n > EVENT_HARD_MAX)
		return;
	serf_witness(&s->clock.query, q.ltime);
	if (q.ltime < s->query_min ||
	    serf_too_old(s->clock.query, q.ltime) ||
	    !serf_query_remember(s, &q))
		return;
	if ((q.flags & SF_FLAG_NO_BROADCAST) == 0)
		serf_forward(s, BC_QUERY, p, n);
	serf_query_local(s, &q);
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
	/* Answers alone are relayed. */
	if (!rb_ok(&r) || r.n == 0 || r.p[0] != SF_RESPONSE)
		return;
	rb_init(&dest, relay.dest.p, relay.dest.n);
	body_decode(&sf_dest_body, &dest, &d);
	to = gaddr_of(d.ip, d.port);
	if (!rb_ok(&dest) || !is_member(s, relay.name, &to))
		return;
	if (gaddr_same(&to, &swim_self(s->swim)->addr)) {
		serf_on_response(s, r.p, r.n);
		return;
	}
	wb_reset(&s->msg);
	wb_u8(&s->msg, ML_USER);
	wb_bytes(&s->msg, r.p, r.n);
	swim_send(s->swim, &to, s->msg.p, s->msg.len);
}

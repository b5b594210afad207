/*
 * What we ask: a query goes out by gossip, answers come by datagram, directly
 * and through others, each of which counts once (gossip.md 10.5.2).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gossipd/serf_int.h"

#define ASKED_MAX	64	/* that run at once */
#define TIMEOUT_MULT	16	/* of the gossip interval */

enum { SEEN_ACK = 1, SEEN_ANSWER = 2 };

struct serf_query {
	TAILQ_ENTRY(serf_query)	 link;
	uint64_t		 ltime, until;
	uint32_t		 id;
	struct serf_hear	 hear;
	void			*arg;
	uint8_t			*msg;	/* until we have heard it, too */
	size_t			 len;
	uint8_t			*seen;	/* by number of a member's name */
	uint32_t		 nseen;
};

uint64_t
serf_query_timeout(const struct serf *s)
{
	double	n = (double)swim_count_alive(s->swim) + 1;

	return s->conf.swim.gossip_interval_ns * TIMEOUT_MULT *
	    (uint64_t)ceil(log10(n + 1));
}

static void
query_free(struct serf *s, struct serf_query *q)
{
	TAILQ_REMOVE(&s->asked, q, link);
	s->nasked--;
	free(q->msg);
	free(q->seen);
	free(q);
}

void
serf_ask_clear(struct serf *s)
{
	while (!TAILQ_EMPTY(&s->asked))
		query_free(s, TAILQ_FIRST(&s->asked));
}

static void
write_filters(const struct serf_question *ask, struct wbuf *w)
{
	struct sf_tag_filter	 f;
	struct wbuf		 one;
	size_t			 i;

	wb_init(&one, 0);
	mp_array(w, (ask->nnodes > 0) + ask->ntags);
	if (ask->nnodes > 0) {
		wb_u8(&one, SF_FILTER_NODES);
		mp_array(&one, ask->nnodes);
		for (i = 0; i < ask->nnodes; i++)
			mp_raw(&one, ask->nodes[i].p, ask->nodes[i].n);
		mp_raw(w, one.p, one.len);
	}
	for (i = 0; i < ask->ntags; i++) {
		f.tag = ask->tags[i].tag;
		f.expr = ask->tags[i].expr;
		wb_reset(&one);
		wb_u8(&one, SF_FILTER_TAG);
		body_encode(&sf_tag_filter_body, &f, &one);
		mp_raw(w, one.p, one.len);
	}
	wb_free(&one);
}

/* The message, type byte of Serf first, at s->msg.p + 1. */
static struct wbuf *
write_query(struct serf *s, const struct serf_question *ask, uint32_t id)
{
	const struct ident	*self = swim_self(s->swim);
	struct sf_query		 q = {
		.addr = gaddr_ip(&self->addr), .port = self->addr.port,
		.flags = ask->ack ? SF_FLAG_ACK : 0, .id = id,
		.ltime = s->clock.query, .name = ask->name,
		.payload = ask->payload,
		.relay = (uint8_t)(ask->relay > UINT8_MAX ? UINT8_MAX :
		    ask->relay),
		.src_node = ident_name_span(self),
		.timeout = (int64_t)(ask->timeout_ns != 0 ? ask->timeout_ns :
		    serf_query_timeout(s))
	};
	struct wbuf		*w, filters;

	wb_init(&filters, 0);
	if (ask->nnodes > 0 || ask->ntags > 0) {
		write_filters(ask, &filters);
		q.filters = span_of(filters.p, filters.len);
	}
	w = serf_msg(s, SF_QUERY);
	body_encode(&sf_query_body, &q, w);
	wb_free(&filters);
	if (w->len - 1 > SERF_QUERY_MAX)
		return NULL;
	serf_witness(&s->clock.query, q.ltime);
	(void)serf_query_remember(s, &q);
	return w;
}

struct serf_query *
serf_ask(struct serf *s, uint64_t now, const struct serf_question *ask,
    const struct serf_hear *hear, void *arg, const char **why)
{
	struct serf_query	*q;
	struct wbuf		*w;
	uint64_t		 ltime = s->clock.query;
	uint32_t		 id = (uint32_t)(rng_next(&s->rng) >> 33);

	s->now = now;
	if (s->nasked == ASKED_MAX) {
		*why = "too many queries are running";
		return NULL;
	}
	if ((w = write_query(s, ask, id)) == NULL) {
		*why = "query exceeds limit of 1024 bytes";
		return NULL;
	}
	swim_broadcast(s->swim, BC_QUERY, false, w->p, w->len);
	q = xcalloc(1, sizeof(*q));
	q->ltime = ltime;
	q->id = id;
	q->until = now + (ask->timeout_ns != 0 ? ask->timeout_ns :
	    serf_query_timeout(s));
	q->hear = *hear;
	q->arg = arg;
	/* Our own answer comes at the next tick, not from within. */
	q->len = w->len - 1;
	q->msg = xmalloc(q->len);
	memcpy(q->msg, w->p + 1, q->len);
	TAILQ_INSERT_TAIL(&s->asked, q, link);
	s->nasked++;
	return q;
}

void
serf_ask_end(struct serf *s, struct serf_query *q)
{
	query_free(s, q);
}

static bool
first_of_it(struct serf_query *q, uint32_t num, uint8_t what)
{
	uint32_t	n;

	if (num >= q->nseen) {
		n = q->nseen * 2 > num + 16 ? q->nseen * 2 : num + 16;
		q->seen = xreallocarray(q->seen, n, 1);
		memset(q->seen + q->nseen, 0, n - q->nseen);
		q->nseen = n;
	}
	if (q->seen[num] & what)
		return false;
	q->seen[num] |= what;
	return true;
}

bool
serf_ask_heard(struct serf *s, const struct sf_response *a)
{
	const struct serf_member	*m;
	struct serf_query		*q;
	bool				 ack = (a->flags & SF_FLAG_ACK) != 0;

	TAILQ_FOREACH(q, &s->asked, link)
		if (q->ltime == a->ltime && q->id == a->id)
			break;
	if (q == NULL)
		return false;
	/* Who is no member has no vote, and costs no memory. */
	if (s->now >= q->until ||
	    (m = serf_member_find(s, a->from)) == NULL ||
	    !first_of_it(q, m->id->num, ack ? SEEN_ACK : SEEN_ANSWER))
		return true;
	/* They may end the query. */
	if (!ack)
		q->hear.answer(q->arg, a->from, a->payload);
	else if (q->hear.ack != NULL)
		q->hear.ack(q->arg, a->from);
	return true;
}

void
serf_on_response(struct serf *s, const uint8_t *p, size_t n)
{
	struct sf_response	a;
	struct rbuf		r;

	rb_init(&r, p + 1, n - 1);
	body_decode(&sf_response_body, &r, &a);
	if (rb_ok(&r))
		(void)serf_ask_heard(s, &a);
}

static void
hear_ourselves(struct serf *s, struct serf_query *q)
{
	struct sf_query	in;
	struct rbuf	r;
	uint8_t		*msg = q->msg;

	q->msg = NULL;
	rb_init(&r, msg + 1, q->len - 1);
	body_decode(&sf_query_body, &r, &in);
	if (rb_ok(&r))
		serf_query_local(s, &in);
	free(msg);
}

void
serf_ask_tick(struct serf *s)
{
	struct serf_query	*q;
	struct serf_hear	 hear;
	void			*arg;

	/* From the first again: whoever is called may ask and end. */
	for (q = TAILQ_FIRST(&s->asked); q != NULL;) {
		if (q->msg != NULL)
			hear_ourselves(s, q);
		else if (s->now >= q->until) {
			hear = q->hear;
			arg = q->arg;
			query_free(s, q);
			hear.over(arg);
		} else {
			q = TAILQ_NEXT(q, link);
			continue;
		}
		q = TAILQ_FIRST(&s->asked);
	}
}

uint64_t
serf_ask_next(const struct serf *s)
{
	const struct serf_query	*q;
	uint64_t		 at = SWIM_NEVER;

	TAILQ_FOREACH(q, &s->asked, link) {
		if (q->msg != NULL)
			return s->now;
		at = q->until < at ? q->until : at;
	}
	return at;
}

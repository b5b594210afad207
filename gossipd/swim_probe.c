/*
 * Failure detection: one probe at a time, and the answers that others' probes
 * get from us (gossip.md 9.3 to 9.5).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossipd/swim_int.h"

#define VSN_TCP_PING	3	/* pmax that answers TCP pings */
#define VSN_NACK	4	/* pmax that sends nacks */
#define STRANGERS_PER_S	100	/* answers to those that are no members */
/*
 * A nack leaves before the whole probe timeout is over, as Lifeguard has it.
 * The one who asked did so a probe timeout into a probe interval that is twice
 * as long: a nack after the full time comes just too late, and it would doubt
 * itself for nothing.
 */
#define NACK_AFTER(ns)	((ns) / 5 * 4)

static void
probe_drop(struct swim *s)
{
	struct probe	*p = &s->probe;
	size_t		 i;

	ident_unref(s->idents, p->id);
	for (i = 0; i < PROBE_VIA; i++)
		ident_unref(s->idents, p->via[i]);
	memset(p, 0, sizeof(*p));
}

static void
probe_end(struct swim *s, int delta)
{
	int		 health = (int)s->health + delta;
	int		 max = (int)s->conf.awareness_max - 1;

	s->health = (unsigned)(health < 0 ? 0 : health > max ? max : health);
	probe_drop(s);
}

void
swim_probe_clear(struct swim *s)
{
	struct relay	*y;

	probe_drop(s);
	while ((y = TAILQ_FIRST(&s->relays)) != NULL) {
		TAILQ_REMOVE(&s->relays, y, link);
		free(y);
	}
	s->nrelays = 0;
}

/* The next member worth a probe, or NULL in this round. */
static struct sview *
next_target(struct swim *s, uint64_t now)
{
	struct sview	*v;
	uint32_t	 tries, max = s->n;

	for (tries = 0; tries < max; tries++) {
		if (s->next >= s->n) {
			swim_reap(s, now);
			s->next = 0;
			if (s->n == 0)
				return NULL;
		}
		v = &s->view[s->list[s->next++]];
		if (v->id != s->self &&
		    (v->state == SWIM_ALIVE || v->state == SWIM_SUSPECT))
			return v;
	}
	return NULL;
}

static struct ml_ping
ping_of(const struct swim *s, uint32_t seq, struct span node)
{
	struct ml_ping	p = {
		.node = node, .seq = seq,
		.src_addr = gaddr_ip(&s->self->addr),
		.src_node = ident_name_span(s->self),
		.src_port = s->self->addr.port
	};

	return p;
}

static struct wbuf *
accusation(struct swim *s, const struct sview *v)
{
	struct wbuf	*w = swim_msg(s, ML_SUSPECT);
	struct ml_claim	 c = {
		.from = ident_name_span(s->self), .inc = v->inc,
		.node = ident_name_span(v->id)
	};

	body_encode(&ml_claim_body, &c, w);
	return w;
}

void
swim_accuse(struct swim *s, const struct sview *v)
{
	struct wbuf	*w = accusation(s, v);

	swim_send(s, &v->id->addr, w->p, w->len);
}

/* Suspects hear of it first, so that they can refute. */
static void
ping_suspect(struct swim *s, const struct sview *v)
{
	struct wbuf	*w;

	compound_reset(&s->parts);
	(void)compound_add(&s->parts, s->msg.p, s->msg.len);
	w = accusation(s, v);
	(void)compound_add(&s->parts, w->p, w->len);
	wb_reset(&s->packet);
	compound_encode(&s->parts, &s->packet);
	s->ops.send(s->arg, &v->id->addr, v->id->vsn[VSN_PMAX] >= 5,
	    s->packet.p, s->packet.len);
}

static void
probe_start(struct swim *s, uint64_t now)
{
	struct probe	*p = &s->probe;
	struct sview	*v;
	struct ml_ping	 ping;

	if ((v = next_target(s, now)) == NULL)
		return;
	p->phase = PROBE_DIRECT;
	p->id = ident_ref(v->id);
	p->inc = v->inc;
	p->seq = ++s->seq;
	p->start = now;
	p->direct_until = now + s->conf.probe_timeout_ns;
	p->until = now + s->conf.probe_interval_ns * (s->health + 1);
	if (p->direct_until > p->until)
		p->direct_until = p->until;
	ping = ping_of(s, p->seq, ident_name_span(v->id));
	body_encode(&ml_ping_body, &ping, swim_msg(s, ML_PING));
	if (v->state == SWIM_ALIVE || !s->conf.buddy)
		swim_send_filled(s, &v->id->addr);
	else
		ping_suspect(s, v);
}

static bool
want_relay(struct swim *s, const struct sview *v, uint64_t now)
{
	return swim_want_alive(s, v, now) && v->id->num != s->probe.id->num;
}

/* No direct ack: others are asked, and TCP is tried. */
static void
probe_indirect(struct swim *s, uint64_t now)
{
	struct probe		*p = &s->probe;
	struct sview		*v[16];
	struct ml_indirect	 m;
	size_t			 i, n = s->conf.indirect;

	p->phase = PROBE_INDIRECT;
	n = swim_random(s, n < NELEM(v) ? n : NELEM(v), v, want_relay, now);
	for (i = 0; i < n; i++) {
		memset(&m, 0, sizeof(m));
		m.nack = v[i]->id->vsn[VSN_PMAX] >= VSN_NACK;
		m.node = ident_name_span(p->id);
		m.target = gaddr_ip(&p->id->addr);
		m.port = p->id->addr.port;
		m.seq = p->seq;
		m.src_addr = gaddr_ip(&s->self->addr);
		m.src_node = ident_name_span(s->self);
		m.src_port = s->self->addr.port;
		if (p->relays < PROBE_VIA)
			p->via[p->relays] = ident_ref(v[i]->id);
		p->relays++;
		p->want_nacks += m.nack;
		body_encode(&ml_indirect_body, &m, swim_msg(s, ML_INDIRECT));
		swim_send_filled(s, &v[i]->id->addr);
	}
	if (p->id->vsn[VSN_PMAX] >= VSN_TCP_PING)
		s->ops.tcp_ping(s->arg, p->id, p->seq, p->until);
}

/* What was tried, and how this node itself is. */
static void
probe_reason(const struct swim *s, uint64_t now, char *buf, size_t len)
{
	const struct probe	*p = &s->probe;
	struct sockaddr_storage	 ss;
	char			 at[ADDR_TEXT_MAX] = "?";
	struct wbuf		 w;
	unsigned		 i;

	wb_init(&w, len);
	if (gaddr_to_sockaddr(&p->id->addr, &ss) == 0)
		(void)addr_text(&ss, at, sizeof(at));
	wb_printf(&w, "no ack from %s in %llu ms", at,
	    (unsigned long long)((p->direct_until - p->start) / NS_PER_MS));
	for (i = 0; i < p->relays && i < PROBE_VIA; i++)
		wb_printf(&w, "%s%s", i == 0 ? ", nor through " : ", ",
		    ident_name(p->via[i]));
	if (p->want_nacks > 0)
		wb_printf(&w, " (%u of %u nacks)", p->nacks, p->want_nacks);
	wb_printf(&w, ", nor by TCP in %llu ms; local health %u",
	    (unsigned long long)((now - p->start) / NS_PER_MS), s->health);
	(void)snprintf(buf, len, "%.*s", (int)w.len, (const char *)w.p);
	wb_free(&w);
}

static void
probe_fail(struct swim *s, uint64_t now)
{
	struct probe	*p = &s->probe;
	struct sview	*v = swim_view(s, ident_name_span(p->id));
	struct ml_claim	 c = { .from = ident_name_span(s->self) };
	char		 why[512] = "";
	int		 delta = 1;

	if (p->tcp_acked) {
		swim_tell(s, now, SWIM_WARN, "member %s: answers by TCP but "
		    "not by UDP: is UDP blocked?", ident_name(p->id));
		probe_end(s, -1);
		return;
	}
	if (p->want_nacks > 0)
		delta = p->want_nacks > p->nacks ?
		    (int)(p->want_nacks - p->nacks) : 0;
	if (v != NULL) {
		if (s->ops.note != NULL)
			probe_reason(s, now, why, sizeof(why));
		/* Not a life that began while we waited for the older one. */
		c.inc = p->inc;
		c.node = ident_name_span(v->id);
		swim_suspect(s, now, &c, why);
	}
	probe_end(s, delta);
}

void
swim_tcp_acked(struct swim *s, uint32_t seq)
{
	if (s->probe.phase != PROBE_IDLE && s->probe.seq == seq)
		s->probe.tcp_acked = true;
}

/* ---- answering ---- */

/* Is this where we know the member of that name to be? */
static bool
is_member(const struct swim *s, struct span name, const struct gaddr *at)
{
	const struct sview	*v = swim_view(s, name);

	return v != NULL && gaddr_same(&v->id->addr, at);
}

/* Whom an answer goes to. */
struct asker { struct gaddr at; bool member; };

/*
 * As the message says, if a member is there or it is where the datagram came
 * from; else to the latter: nobody has us send to third parties.
 */
static struct asker
asker_of(const struct swim *s, const struct gaddr *from, struct span src,
    uint16_t port, struct span name)
{
	struct asker	a = { .at = gaddr_of(src, port) };
	struct gaddr	same_port = *from;

	same_port.port = port;
	if (a.at.len == 0 || port == 0)
		a.at = *from;
	a.member = is_member(s, name, &a.at);
	if (!a.member && !gaddr_same(&a.at, &same_port)) {
		a.at = *from;
		a.member = is_member(s, name, &a.at);
	}
	return a;
}

/* Who is no member yet gets answers, but not as many as somebody likes. */
static bool
may_answer(struct swim *s, uint64_t now, bool member)
{
	return member || rate_take(&s->strangers, now, STRANGERS_PER_S);
}

/*
 * Sends s->msg.  News go along to members alone: anybody may ask, and would
 * get a large packet for a small one, and use up how often our news are told.
 */
static void
send_answer(struct swim *s, const struct gaddr *to, bool member)
{
	if (member)
		swim_send_filled(s, to);
	else
		swim_send(s, to, s->msg.p, s->msg.len);
}

static void
send_ack(struct swim *s, const struct asker *to, uint32_t seq,
    struct span payload)
{
	struct ml_ack	ack = { .payload = payload, .seq = seq };

	body_encode(&ml_ack_body, &ack, swim_msg(s, ML_ACK));
	send_answer(s, &to->at, to->member);
}

void
swim_on_ping(struct swim *s, uint64_t now, const struct gaddr *from,
    struct rbuf *r)
{
	struct ml_ping	p;
	struct asker	to;

	body_decode(&ml_ping_body, r, &p);
	if (!rb_ok(r) || (p.node.n > 0 && !swim_is_self(s, p.node)))
		return;
	s->pinged = true;
	to = asker_of(s, from, p.src_addr, p.src_port, p.src_node);
	if (!may_answer(s, now, to.member))
		return;
	wb_reset(&s->payload);
	if (to.member)
		s->ops.ack_write(s->arg, &s->payload);
	send_ack(s, &to, p.seq, s->payload.len == 0 ? span_of(NULL, 0) :
	    span_of(s->payload.p, s->payload.len));
}

void
swim_on_indirect(struct swim *s, uint64_t now, const struct gaddr *from,
    struct rbuf *r)
{
	struct ml_indirect	 m;
	struct ml_ping		 ping;
	struct gaddr		 target;
	struct asker		 to;
	struct relay		*y;
	bool			 known;

	body_decode(&ml_indirect_body, r, &m);
	if (!rb_ok(r))
		return;
	target = gaddr_of(m.target, m.port != 0 ? m.port : s->self->addr.port);
	to = asker_of(s, from, m.src_addr, m.src_port, m.src_node);
	known = is_member(s, m.node, &target);
	/* For members, or about members: the rest is somebody's scan. */
	if (target.len == 0 || (!known && !to.member) ||
	    s->nrelays >= (to.member ? RELAYS_MAX : RELAYS_MAX / 2) ||
	    !may_answer(s, now, to.member))
		return;
	y = xcalloc(1, sizeof(*y));
	y->seq = ++s->seq;
	y->their_seq = m.seq;
	y->to = to.at;
	y->member = to.member;
	y->nack = m.nack;
	y->until = now + s->conf.probe_timeout_ns;
	y->nack_at = now + NACK_AFTER(s->conf.probe_timeout_ns);
	TAILQ_INSERT_TAIL(&s->relays, y, link);
	s->nrelays++;
	ping = ping_of(s, y->seq, m.node);
	body_encode(&ml_ping_body, &ping, swim_msg(s, ML_PING));
	send_answer(s, &target, known);
}

static void
relay_drop(struct swim *s, struct relay *y)
{
	TAILQ_REMOVE(&s->relays, y, link);
	s->nrelays--;
	free(y);
}

void
swim_on_ack(struct swim *s, uint64_t now, struct rbuf *r)
{
	struct probe	*p = &s->probe;
	struct ml_ack	 ack;
	struct asker	 to;
	struct relay	*y;

	body_decode(&ml_ack_body, r, &ack);
	if (!rb_ok(r))
		return;
	if (p->phase != PROBE_IDLE && ack.seq == p->seq) {
		if (p->phase == PROBE_DIRECT && now <= p->direct_until &&
		    s->ops.ack_read != NULL)
			s->ops.ack_read(s->arg, p->id, now - p->start,
			    ack.payload);
		probe_end(s, -1);
		return;
	}
	TAILQ_FOREACH(y, &s->relays, link)
		if (y->seq == ack.seq)
			break;
	if (y == NULL)
		return;
	if (now <= y->until) {
		to.at = y->to;
		to.member = y->member;
		send_ack(s, &to, y->their_seq, span_of(NULL, 0));
	}
	relay_drop(s, y);
}

void
swim_on_nack(struct swim *s, struct rbuf *r)
{
	struct ml_nack	nack;

	body_decode(&ml_nack_body, r, &nack);
	if (rb_ok(r) && s->probe.phase == PROBE_INDIRECT &&
	    nack.seq == s->probe.seq)
		s->probe.nacks++;
}

static void
relays_expire(struct swim *s, uint64_t now)
{
	struct relay	*y, *next;
	struct ml_nack	 nack;

	TAILQ_FOREACH_SAFE(y, &s->relays, link, next) {
		if (now < y->nack_at)
			break;
		if (y->nack && now >= y->nack_at) {
			y->nack = false;
			nack.seq = y->their_seq;
			body_encode(&ml_nack_body, &nack, swim_msg(s, ML_NACK));
			send_answer(s, &y->to, y->member);
		}
		if (now >= y->until)
			relay_drop(s, y);
	}
}

/* ---- the clock ---- */

void
swim_probe_tick(struct swim *s, uint64_t now)
{
	struct probe	*p = &s->probe;

	relays_expire(s, now);
	if (p->phase == PROBE_DIRECT && now >= p->direct_until)
		probe_indirect(s, now);
	if (p->phase == PROBE_INDIRECT && now >= p->until)
		probe_fail(s, now);
	if (now < s->probe_at)
		return;
	s->probe_at += s->conf.probe_interval_ns;
	if (s->probe_at <= now)
		s->probe_at = now + s->conf.probe_interval_ns;
	if (p->phase == PROBE_IDLE)
		probe_start(s, now);
}

uint64_t
swim_probe_next(const struct swim *s)
{
	const struct probe	*p = &s->probe;
	const struct relay	*y;
	uint64_t		 at = s->probe_at, until;

	if (p->phase != PROBE_IDLE) {
		until = p->phase == PROBE_DIRECT ? p->direct_until : p->until;
		at = until < at ? until : at;
	}
	/* They are in order of time, and so are their nacks. */
	if ((y = TAILQ_FIRST(&s->relays)) != NULL && y->until < at)
		at = y->until;
	while (y != NULL && !y->nack)
		y = TAILQ_NEXT(y, link);
	if (y != NULL && y->nack_at < at)
		at = y->nack_at;
	return at;
}

void
swim_probe_shift(struct swim *s, uint64_t by)
{
	struct relay	*y;

	if (s->probe.phase != PROBE_IDLE) {
		s->probe.direct_until += by;
		s->probe.until += by;
	}
	TAILQ_FOREACH(y, &s->relays, link) {
		y->nack_at += by;
		y->until += by;
	}
}

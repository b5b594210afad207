/*
 * The SWIM core: the table, sending, and its clock.  What messages change is
 * swim_state.c's, probing swim_probe.c's, the exchange of state swim_sync.c's.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossipd/swim_int.h"

#define COMPOUND_HEAD	2	/* allowance for type and count */
#define TELL_PER_S	40	/* lines about members */
/* Draws for one choice: where hardly anybody is alive, not all of the table
 * many times over. */
#define DRAWS_MAX	3000
#define LEFT_MAX	8192	/* that are remembered for long */

const struct swim_conf swim_conf_lan = {
	.probe_interval_ns = 1000 * NS_PER_MS,
	.probe_timeout_ns = 500 * NS_PER_MS,
	.gossip_interval_ns = 200 * NS_PER_MS,
	.pushpull_interval_ns = 30 * NS_PER_S,
	.gossip_dead_ns = 30 * NS_PER_S,
	/* As long as Serf does. */
	.left_ns = 24 * 3600 * NS_PER_S,
	.reclaim_ns = 30 * NS_PER_S,
	.indirect = 3,
	.gossip_nodes = 3,
	.retransmit_mult = 4,
	.suspicion_mult = 4,
	.suspicion_max_mult = 6,
	.awareness_max = 8,
	.buddy = true,
	.second_look = true,
	/* Later than this after it was due, the process was stopped or starved:
	 * its timers say nothing about others. */
	.stall_ns = 1000 * NS_PER_MS,
	.packet_max = 1400,
};

const char *
swim_state_name(enum swim_state st)
{
	switch (st) {
	case SWIM_ALIVE:
		return "alive";
	case SWIM_SUSPECT:
		return "suspect";
	case SWIM_DEAD:
		return "failed";
	case SWIM_LEFT:
		return "left";
	}
	return "?";
}

bool
rate_take(struct rate *r, uint64_t now, unsigned per_s)
{
	if (now / NS_PER_S != r->second) {
		r->second = now / NS_PER_S;
		r->n = 0;
	}
	if (r->n == per_s)
		return false;
	r->n++;
	return true;
}

void
swim_note(struct swim *s, enum swim_note level, const char *fmt, ...)
{
	char	text[512];
	va_list	ap;

	if (s->ops.note == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->ops.note(s->arg, level, text);
}

void
swim_tell(struct swim *s, uint64_t now, enum swim_note level, const char *fmt,
    ...)
{
	char	text[768];
	va_list	ap;

	if (s->ops.note == NULL)
		return;
	if (now / NS_PER_S != s->told_at) {
		s->told_at = now / NS_PER_S;
		s->told = 0;
		if (s->untold > 0)
			swim_note(s, SWIM_WARN, "%u more changes of members "
			    "than can be told one by one", s->untold);
		s->untold = 0;
	}
	if (level != SWIM_DEBUG && ++s->told > TELL_PER_S) {
		s->untold++;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->ops.note(s->arg, level, text);
}

/* ---- the table ---- */

struct swim *
swim_new(const struct swim_conf *conf, struct idents *idents,
    const struct swim_ops *ops, void *arg, uint64_t seed)
{
	struct swim	*s = xcalloc(1, sizeof(*s));

	s->conf = *conf;
	s->ops = *ops;
	s->arg = arg;
	s->idents = idents;
	rng_seed(&s->rng, seed);
	s->bcast = bcast_new();
	RB_INIT(&s->suspects);
	RB_INIT(&s->dues);
	TAILQ_INIT(&s->relays);
	wb_init(&s->msg, 0);
	wb_init(&s->packet, 0);
	wb_init(&s->payload, 0);
	compound_init(&s->parts);
	s->probe_at = s->gossip_at = s->pushpull_at = s->due = SWIM_NEVER;
	return s;
}

void
swim_free(struct swim *s)
{
	uint32_t	i;

	if (s == NULL)
		return;
	suspicion_clear(s);
	swim_probe_clear(s);
	for (i = 0; i < s->n; i++)
		ident_unref(s->idents, s->view[s->list[i]].id);
	free(s->view);
	free(s->list);
	bcast_free(s->bcast);
	wb_free(&s->msg);
	wb_free(&s->packet);
	wb_free(&s->payload);
	compound_clear(&s->parts);
	free(s);
}

struct sview *
swim_view_at(const struct swim *s, uint32_t num)
{
	return num < s->nview && s->view[num].id != NULL ? &s->view[num] : NULL;
}

struct sview *
swim_view(const struct swim *s, struct span name)
{
	return swim_view_at(s, idents_find(s->idents, name));
}

bool
swim_is_self(const struct swim *s, struct span name)
{
	return s->self != NULL && span_same(name, ident_name_span(s->self));
}

static void
list_swap(struct swim *s, uint32_t a, uint32_t b)
{
	uint32_t	num = s->list[a];

	s->list[a] = s->list[b];
	s->list[b] = num;
}

static uint32_t
tick_of(uint64_t now)
{
	return (uint32_t)(now / TICK_NS) & 0x3fffffff;
}

uint64_t
swim_age_ms(const struct sview *v, uint64_t now)
{
	return ((tick_of(now) - v->since) & 0x3fffffff) *
	    (TICK_NS / NS_PER_MS);
}

static bool
long_gone(const struct swim *s, const struct sview *v, uint64_t now)
{
	return swim_age_ms(v, now) > s->conf.gossip_dead_ns / NS_PER_MS;
}

/*
 * Who left is remembered for longer than who is dead.  There may be members
 * that missed it, cut off or unlucky, and still take it for alive: the word of
 * one of them would bring it back everywhere, to fail then.
 */
static bool
may_forget(const struct swim *s, const struct sview *v, uint64_t now)
{
	if (v->id == s->self || !long_gone(s, v, now))
		return false;
	return v->state == SWIM_DEAD || (v->state == SWIM_LEFT &&
	    (s->nleft > LEFT_MAX ||
	    swim_age_ms(v, now) > s->conf.left_ns / NS_PER_MS));
}

size_t
swim_size(const struct swim *s)
{
	return s->n - s->nleft;
}

/* Takes the reference.  A new one is dead until its alive is applied. */
struct sview *
swim_view_add(struct swim *s, uint64_t now, struct ident *id)
{
	struct sview	*v;
	uint32_t	 nview;

	if (id->num >= s->nview) {
		nview = idents_bound(s->idents) + 8;
		nview = s->nview * 2 > nview ? s->nview * 2 : nview;
		s->view = xreallocarray(s->view, nview, sizeof(*s->view));
		memset(s->view + s->nview, 0,
		    (nview - s->nview) * sizeof(*s->view));
		s->nview = nview;
	}
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 16 : s->cap * 2;
		s->list = xreallocarray(s->list, s->cap, sizeof(*s->list));
	}
	v = &s->view[id->num];
	v->id = id;
	v->state = SWIM_DEAD;
	v->since = tick_of(now);
	v->inc = 0;
	s->list[s->n++] = id->num;
	if (s->n > 1)
		list_swap(s, s->n - 1, rng_below(&s->rng, s->n));
	return v;
}

static void
view_remove(struct swim *s, uint32_t at)
{
	struct sview	*v = &s->view[s->list[at]];

	bcast_forget(s->bcast, v->id->num);
	s->nleft -= v->state == SWIM_LEFT;
	s->list[at] = s->list[--s->n];
	ident_unref(s->idents, v->id);
	memset(v, 0, sizeof(*v));
}

void
swim_reap(struct swim *s, uint64_t now)
{
	uint32_t	i;

	for (i = s->n; i-- > 0;)
		if (may_forget(s, &s->view[s->list[i]], now))
			view_remove(s, i);
	for (i = s->n; i > 1; i--)
		list_swap(s, i - 1, rng_below(&s->rng, i));
}

void
swim_set_state(struct swim *s, uint64_t now, struct sview *v,
    enum swim_state st)
{
	if (v->state == st)
		return;
	if (v->id != s->self) {
		s->nalive += st == SWIM_ALIVE;
		s->nalive -= v->state == SWIM_ALIVE;
		s->nsuspect += st == SWIM_SUSPECT;
		s->nsuspect -= v->state == SWIM_SUSPECT;
		s->nleft += st == SWIM_LEFT;
		s->nleft -= v->state == SWIM_LEFT;
	}
	v->state = st & 3;
	v->since = tick_of(now);
}

/* ---- sending ---- */

struct wbuf *
swim_msg(struct swim *s, enum ml_type type)
{
	wb_reset(&s->msg);
	wb_u8(&s->msg, (uint8_t)type);
	return &s->msg;
}

static void
take_broadcasts(struct swim *s, size_t used)
{
	size_t	room = s->conf.packet_max;

	used += COMPOUND_HEAD + s->conf.overhead;
	if (used < room && !bcast_empty(s->bcast))
		bcast_take(s->bcast, swim_retransmit_limit(
		    s->conf.retransmit_mult, swim_size(s)), room - used,
		    &s->parts);
}

static void
send_parts(struct swim *s, const struct gaddr *to, bool crc)
{
	wb_reset(&s->packet);
	compound_encode(&s->parts, &s->packet);
	s->ops.send(s->arg, to, crc, s->packet.p, s->packet.len);
}

void
swim_send_filled(struct swim *s, const struct gaddr *to)
{
	compound_reset(&s->parts);
	(void)compound_add(&s->parts, s->msg.p, s->msg.len);
	take_broadcasts(s, s->msg.len);
	send_parts(s, to, false);
}

void
swim_send(struct swim *s, const struct gaddr *to, const uint8_t *msg, size_t n)
{
	s->ops.send(s->arg, to, false, msg, n);
}

void
swim_broadcast(struct swim *s, enum bcast_kind kind, bool watched,
    const uint8_t *msg, size_t n)
{
	/* What fits no packet would sit there; push/pull carries it. */
	if (n + COMPOUND_HEAD + PART_COST + s->conf.overhead <=
	    s->conf.packet_max)
		bcast_add(s->bcast, kind, BCAST_NAMELESS, watched, msg, n);
}

void
swim_queue_claim(struct swim *s, enum ml_type type, uint32_t num,
    const struct ml_claim *c, bool watched)
{
	struct wbuf	*w = swim_msg(s, type);

	body_encode(&ml_claim_body, c, w);
	bcast_add(s->bcast, BC_MEMBER, num, watched, w->p, w->len);
}

struct wbuf *
swim_alive_msg(struct swim *s, const struct sview *v)
{
	struct wbuf	*w = swim_msg(s, ML_ALIVE);
	struct ml_alive	 a = {
		.addr = gaddr_ip(&v->id->addr), .inc = v->inc,
		.meta = ident_meta(v->id), .node = ident_name_span(v->id),
		.port = v->id->addr.port, .vsn = span_of(v->id->vsn, VSN_LEN)
	};

	body_encode(&ml_alive_body, &a, w);
	return w;
}

void
swim_queue_alive(struct swim *s, const struct sview *v)
{
	struct wbuf	*w = swim_alive_msg(s, v);

	bcast_add(s->bcast, BC_MEMBER, v->id->num, false, w->p, w->len);
}

bool
swim_want_alive(struct swim *s, const struct sview *v, uint64_t now)
{
	(void)now;
	return v->id != s->self && v->state == SWIM_ALIVE;
}

static bool
want_gossip(struct swim *s, const struct sview *v, uint64_t now)
{
	if (v->id == s->self || v->state == SWIM_LEFT)
		return false;
	return v->state != SWIM_DEAD || !long_gone(s, v, now);
}

size_t
swim_random(struct swim *s, size_t k, struct sview **out,
    bool (*want)(struct swim *, const struct sview *, uint64_t now),
    uint64_t now)
{
	struct sview	*v;
	size_t		 i, n = 0, tries = 3 * (size_t)s->n;

	for (tries = tries < DRAWS_MAX ? tries : DRAWS_MAX; tries > 0 && n < k;
	    tries--) {
		v = &s->view[s->list[rng_below(&s->rng, s->n)]];
		if (!want(s, v, now))
			continue;
		for (i = 0; i < n && out[i] != v; i++)
			;
		if (i == n)
			out[n++] = v;
	}
	return n;
}

static void
gossip(struct swim *s, uint64_t now)
{
	struct sview	*v[16];
	size_t		 i, n = s->conf.gossip_nodes;

	n = swim_random(s, n < NELEM(v) ? n : NELEM(v), v, want_gossip, now);
	for (i = 0; i < n; i++) {
		compound_reset(&s->parts);
		take_broadcasts(s, 0);
		if (s->parts.n == 0)
			return;
		send_parts(s, &v[i]->id->addr, v[i]->id->vsn[VSN_PMAX] >= 5);
	}
}

/* ---- messages ---- */

void
swim_input(struct swim *s, uint64_t now, const struct gaddr *from,
    const uint8_t *msg, size_t n)
{
	struct rbuf	r;

	if (n == 0 || s->self == NULL)
		return;
	s->from = from;
	rb_init(&r, msg + 1, n - 1);
	switch (msg[0]) {
	case ML_PING:
		swim_on_ping(s, now, from, &r);
		break;
	case ML_INDIRECT:
		swim_on_indirect(s, now, from, &r);
		break;
	case ML_ACK:
		swim_on_ack(s, now, &r);
		break;
	case ML_NACK:
		swim_on_nack(s, &r);
		break;
	case ML_ALIVE:
		swim_on_alive(s, now, &r);
		break;
	case ML_SUSPECT:
	case ML_DEAD:
		swim_on_claim(s, now, (enum ml_type)msg[0], &r);
		break;
	case ML_USER:
		s->ops.user(s->arg, r.p, r.n);
		break;
	default:
		rb_fail(&r, "unknown type");
	}
	if (!rb_ok(&r))
		swim_note(s, SWIM_DEBUG, "message of type %u dropped: %s",
		    msg[0], r.err);
	s->from = NULL;
}

/* ---- this node ---- */

static void
say_alive(struct swim *s, uint64_t now, struct span name,
    const struct gaddr *addr, struct span meta, const uint8_t vsn[VSN_LEN])
{
	struct swim_said	a = {
		.name = name, .meta = meta, .addr = *addr, .inc = ++s->inc
	};

	memcpy(a.vsn, vsn, VSN_LEN);
	swim_alive(s, now, &a, true);
}

void
swim_start(struct swim *s, uint64_t now, struct span name,
    const struct gaddr *addr, struct span meta, const uint8_t vsn[VSN_LEN])
{
	say_alive(s, now, name, addr, meta, vsn);
	s->probe_at = now + (uint64_t)(rng_double(&s->rng) *
	    (double)s->conf.probe_interval_ns);
	s->gossip_at = now + (uint64_t)(rng_double(&s->rng) *
	    (double)s->conf.gossip_interval_ns);
	s->pushpull_at = now + (uint64_t)(rng_double(&s->rng) *
	    (double)s->conf.pushpull_interval_ns);
}

void
swim_set_meta(struct swim *s, uint64_t now, struct span meta)
{
	struct ident	*id = ident_ref(s->self);

	say_alive(s, now, ident_name_span(id), &id->addr, meta, id->vsn);
	ident_unref(s->idents, id);
}

void
swim_leave(struct swim *s, uint64_t now)
{
	struct ml_claim	c = { .from = ident_name_span(s->self) };

	if (s->leaving)
		return;
	s->leaving = true;
	c.node = c.from;
	c.inc = s->inc;
	swim_dead(s, now, &c, "leaving");
}

/* ---- the clock ---- */

static void
shift(uint64_t *at, uint64_t by)
{
	if (*at != SWIM_NEVER)
		*at += by;
}

/* After a pause of our own, what we wait for has not been given a chance. */
static void
forgive_stall(struct swim *s, uint64_t now)
{
	uint64_t	by = now - s->due;

	swim_note(s, SWIM_WARN, "this process stood still for %llu ms: "
	    "its timers are put off", (unsigned long long)(by / NS_PER_MS));
	suspicion_shift(s, by);
	shift(&s->probe_at, by);
	swim_probe_shift(s, by);
}

void
swim_tick(struct swim *s, uint64_t now)
{
	struct sview	*v;

	if (s->self == NULL)
		return;
	if (s->conf.stall_ns > 0 && s->due != SWIM_NEVER && now > s->due &&
	    now - s->due > s->conf.stall_ns)
		forgive_stall(s, now);
	s->due = SWIM_NEVER;
	suspicion_tick(s, now);
	swim_probe_tick(s, now);
	if (now >= s->gossip_at && !bcast_empty(s->bcast)) {
		gossip(s, now);
		s->gossip_at = now + s->conf.gossip_interval_ns;
	}
	if (now >= s->pushpull_at) {
		s->pushpull_at = now + swim_pushpull_scale(
		    s->conf.pushpull_interval_ns, swim_size(s));
		if (swim_random(s, 1, &v, swim_want_alive, now) == 1)
			s->ops.pushpull(s->arg, v->id);
	}
}

static void
earlier(uint64_t *at, uint64_t other)
{
	if (other < *at)
		*at = other;
}

uint64_t
swim_next(struct swim *s, uint64_t now)
{
	uint64_t	at = SWIM_NEVER;

	/* Alone, there is nobody to probe and nobody to tell. */
	if (swim_size(s) > 1) {
		earlier(&at, swim_probe_next(s));
		earlier(&at, s->pushpull_at);
		if (!bcast_empty(s->bcast))
			earlier(&at, s->gossip_at);
	}
	earlier(&at, suspicion_next(s));
	/* What was due while there was nothing to do is due from now. */
	s->due = at < now ? now : at;
	return s->due;
}

/* ---- questions ---- */

size_t
swim_random_alive(struct swim *s, size_t n, struct ident **out)
{
	struct sview	*v[16];
	size_t		 i;

	n = swim_random(s, n < NELEM(v) ? n : NELEM(v), v, swim_want_alive, 0);
	for (i = 0; i < n; i++)
		out[i] = v[i]->id;
	return n;
}

unsigned
swim_watched(const struct swim *s)
{
	return bcast_watched(s->bcast);
}

struct bcast *
swim_bcast(struct swim *s)
{
	return s->bcast;
}

struct ident *
swim_self(const struct swim *s)
{
	return s->self;
}

uint32_t
swim_incarnation(const struct swim *s)
{
	return s->inc;
}

size_t
swim_count(const struct swim *s)
{
	return s->n;
}

size_t
swim_count_alive(const struct swim *s)
{
	return s->nalive;
}

size_t
swim_count_up(const struct swim *s)
{
	return s->nalive + s->nsuspect + 1;
}

unsigned
swim_health(const struct swim *s)
{
	return s->health;
}

bool
swim_pinged(const struct swim *s)
{
	return s->pinged;
}

int
swim_lookup(const struct swim *s, struct span name, uint32_t *inc)
{
	struct sview	*v = swim_view(s, name);

	if (v == NULL)
		return -1;
	if (inc != NULL)
		*inc = v->inc;
	return (int)v->state;
}

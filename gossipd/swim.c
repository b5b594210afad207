/*
 * The SWIM core: the table, what messages change in it, and its clock.
 * Probing is swim_probe.c's, the exchange of state swim_sync.c's.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossipd/swim_int.h"

#define COMPOUND_HEAD	2	/* allowance for type and count */
#define ACCUSED_NOTE_NS	(1 * NS_PER_S)	/* between lines about it */

const struct swim_conf swim_conf_lan = {
	.probe_interval_ns = 1000 * NS_PER_MS,
	.probe_timeout_ns = 500 * NS_PER_MS,
	.gossip_interval_ns = 200 * NS_PER_MS,
	.pushpull_interval_ns = 30 * NS_PER_S,
	.gossip_dead_ns = 30 * NS_PER_S,
	.reclaim_ns = 30 * NS_PER_S,
	.indirect = 3,
	.gossip_nodes = 3,
	.retransmit_mult = 4,
	.suspicion_mult = 4,
	.suspicion_max_mult = 6,
	.awareness_max = 8,
	.buddy = true,
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

/* ---- arithmetic ---- */

unsigned
swim_retransmit_limit(unsigned mult, size_t n)
{
	return mult * (unsigned)ceil(log10((double)n + 1));
}

uint64_t
swim_suspicion_min(unsigned mult, size_t n, uint64_t probe_ns)
{
	double	scale = fmax(1.0, log10(fmax(1.0, (double)n)));

	return mult * (uint64_t)(scale * 1000) * probe_ns / 1000;
}

uint64_t
swim_suspicion_total(unsigned confirmations, unsigned k, uint64_t min_ns,
    uint64_t max_ns)
{
	double		part, s;
	uint64_t	total;

	if (k < 1)
		return min_ns;
	part = log(confirmations + 1.0) / log(k + 1.0);
	s = (double)max_ns / NS_PER_S -
	    part * ((double)max_ns / NS_PER_S - (double)min_ns / NS_PER_S);
	if (s <= 0)
		return min_ns;
	total = (uint64_t)floor(1000 * s) * NS_PER_MS;
	return total < min_ns ? min_ns : total;
}

uint64_t
swim_pushpull_scale(uint64_t base_ns, size_t n)
{
	if (n <= 32)
		return base_ns;
	return base_ns * ((uint64_t)ceil(log2((double)n) - 5) + 1);
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
	TAILQ_INIT(&s->suspicions);
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
	struct suspicion	*x;
	uint32_t		 i;

	if (s == NULL)
		return;
	while ((x = TAILQ_FIRST(&s->suspicions)) != NULL) {
		TAILQ_REMOVE(&s->suspicions, x, link);
		free(x);
	}
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

static struct sview *
view_at(const struct swim *s, uint32_t num)
{
	return num < s->nview && s->view[num].id != NULL ? &s->view[num] : NULL;
}

struct sview *
swim_view(const struct swim *s, struct span name)
{
	return view_at(s, idents_find(s->idents, name));
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
	s->view[s->list[a]].at = a;
	s->view[s->list[b]].at = b;
}

/* Takes the reference.  A new one is dead until its alive is applied. */
static struct sview *
view_add(struct swim *s, uint64_t now, struct ident *id)
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
	v->since_ms = now / NS_PER_MS;
	v->inc = 0;
	v->at = s->n;
	s->list[s->n++] = id->num;
	if (s->n > 1)
		list_swap(s, s->n - 1, rng_below(&s->rng, s->n));
	return v;
}

static void
view_remove(struct swim *s, struct sview *v)
{
	uint32_t	num = v->id->num;

	list_swap(s, v->at, s->n - 1);
	s->n--;
	bcast_forget(s->bcast, num);
	ident_unref(s->idents, v->id);
	memset(v, 0, sizeof(*v));
}

void
swim_reap(struct swim *s, uint64_t now)
{
	struct sview	*v;
	uint32_t	 i;

	for (i = s->n; i-- > 0;) {
		v = &s->view[s->list[i]];
		if ((v->state == SWIM_DEAD || v->state == SWIM_LEFT) &&
		    v->id != s->self && now / NS_PER_MS - v->since_ms >
		    s->conf.gossip_dead_ns / NS_PER_MS)
			view_remove(s, v);
	}
	for (i = s->n; i > 1; i--)
		list_swap(s, i - 1, rng_below(&s->rng, i));
}

static void
set_state(struct swim *s, uint64_t now, struct sview *v, enum swim_state st,
    enum swim_note level, const char *why)
{
	enum swim_state	old = v->state;

	if (old == st)
		return;
	if (v->id != s->self) {
		s->nalive += st == SWIM_ALIVE;
		s->nalive -= old == SWIM_ALIVE;
		s->nsuspect += st == SWIM_SUSPECT;
		s->nsuspect -= old == SWIM_SUSPECT;
	}
	v->state = st;
	v->since_ms = now / NS_PER_MS;
	swim_note(s, level, "member %s: %s -> %s: %s", ident_name(v->id),
	    swim_state_name(old), swim_state_name(st), why);
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
		    s->conf.retransmit_mult, s->n), room - used, &s->parts);
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

static void
queue_claim(struct swim *s, enum ml_type type, uint32_t num,
    const struct ml_claim *c, bool watched)
{
	struct wbuf	*w = swim_msg(s, type);

	body_encode(&ml_claim_body, c, w);
	bcast_add(s->bcast, BC_MEMBER, num, watched, w->p, w->len);
}

static void
queue_alive(struct swim *s, const struct sview *v)
{
	struct wbuf	*w = swim_msg(s, ML_ALIVE);
	struct ml_alive	 a = {
		.addr = gaddr_ip(&v->id->addr), .inc = v->inc,
		.meta = ident_meta(v->id), .node = ident_name_span(v->id),
		.port = v->id->addr.port, .vsn = span_of(v->id->vsn, VSN_LEN)
	};

	body_encode(&ml_alive_body, &a, w);
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
	return v->state != SWIM_DEAD ||
	    now / NS_PER_MS - v->since_ms <= s->conf.gossip_dead_ns / NS_PER_MS;
}

size_t
swim_random(struct swim *s, size_t k, struct sview **out,
    bool (*want)(struct swim *, const struct sview *, uint64_t now),
    uint64_t now)
{
	struct sview	*v;
	size_t		 i, tries, n = 0;

	for (tries = 0; tries < 3 * (size_t)s->n && n < k; tries++) {
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

/* ---- suspicion ---- */

static struct suspicion *
suspicion_find(struct swim *s, uint32_t num)
{
	struct suspicion	*x;

	TAILQ_FOREACH(x, &s->suspicions, link)
		if (x->num == num)
			return x;
	return NULL;
}

static void
suspicion_cancel(struct swim *s, const struct sview *v)
{
	struct suspicion	*x;

	if (v->state != SWIM_SUSPECT ||
	    (x = suspicion_find(s, v->id->num)) == NULL)
		return;
	TAILQ_REMOVE(&s->suspicions, x, link);
	free(x);
}

static void
suspicion_start(struct swim *s, uint64_t now, uint32_t num, struct span from)
{
	struct suspicion	*x = xcalloc(1, sizeof(*x));
	unsigned		 mult = s->conf.suspicion_mult;

	x->num = num;
	x->k = mult < 2 ? 0 : mult - 2;
	if (s->n < 2 || s->n - 2 < x->k)
		x->k = 0;
	if (x->k > SUSPICION_K_MAX)
		x->k = SUSPICION_K_MAX;
	x->min_ns = swim_suspicion_min(mult, s->n, s->conf.probe_interval_ns);
	x->max_ns = x->min_ns * s->conf.suspicion_max_mult;
	x->start = now;
	x->fire = now + (x->k < 1 ? x->min_ns : x->max_ns);
	x->from[0] = hash_bytes(from.p, from.n, 0);
	TAILQ_INSERT_TAIL(&s->suspicions, x, link);
}

/* True if this accuser counts. */
static bool
suspicion_confirm(struct suspicion *x, struct span from)
{
	uint64_t	hash = hash_bytes(from.p, from.n, 0);
	unsigned	i;

	if (x->n >= x->k)
		return false;
	for (i = 0; i <= x->n; i++)
		if (x->from[i] == hash)
			return false;
	x->from[++x->n] = hash;
	x->fire = x->start +
	    swim_suspicion_total(x->n, x->k, x->min_ns, x->max_ns);
	return true;
}

static void
suspicion_fire(struct swim *s, uint64_t now, struct suspicion *x)
{
	struct sview	*v = view_at(s, x->num);
	struct ml_claim	 c = { .from = ident_name_span(s->self) };
	char		 why[128];

	if (v == NULL || v->state != SWIM_SUSPECT) {
		TAILQ_REMOVE(&s->suspicions, x, link);
		free(x);
		return;
	}
	(void)snprintf(why, sizeof(why),
	    "not refuted in %llu ms, %u of %u confirmations",
	    (unsigned long long)((now - x->start) / NS_PER_MS), x->n, x->k);
	c.inc = v->inc;
	c.node = ident_name_span(v->id);
	swim_dead(s, now, &c, why);
}

/* ---- state changes (gossip.md 9.8) ---- */

static void
refute(struct swim *s, struct sview *v, uint32_t accused)
{
	if (++s->inc <= accused)
		s->inc = accused + 1;
	v->inc = s->inc;
	if (s->health + 1 < s->conf.awareness_max)
		s->health++;
	queue_alive(s, v);
}

/*
 * A name is printed, written to files and handed to other programs; one that
 * fits no packet together with the rest could never be passed on.
 */
static bool
name_bad(struct span name)
{
	size_t	i;

	for (i = 0; i < name.n && i <= NAME_MAX_LEN; i++)
		if (name.p[i] < ' ' || name.p[i] == 0x7f)
			return true;
	return name.n == 0 || name.n > NAME_MAX_LEN;
}

/* Whoever can send packets can accuse us as often: not a line for each. */
static enum swim_note
accused_level(struct swim *s, uint64_t now, enum swim_note level)
{
	if (now < s->accused_at)
		return SWIM_DEBUG;
	s->accused_at = now + ACCUSED_NOTE_NS;
	return level;
}

static bool
vsn_bad(const uint8_t vsn[VSN_LEN])
{
	return vsn[VSN_PMIN] == 0 || vsn[VSN_PMAX] == 0 ||
	    vsn[VSN_PMIN] > vsn[VSN_PMAX] ||
	    vsn[VSN_DMAX] == 0 || vsn[VSN_DMIN] > vsn[VSN_DMAX];
}

/* May this address have the name that stands for another? */
static bool
may_take_over(struct swim *s, uint64_t now, const struct sview *v)
{
	if (v->id == s->self)
		return false;
	return v->state == SWIM_LEFT || (v->state == SWIM_DEAD &&
	    s->conf.reclaim_ns > 0 && now / NS_PER_MS - v->since_ms >
	    s->conf.reclaim_ns / NS_PER_MS);
}

/* Applies an alive that was accepted. */
static void
alive_apply(struct swim *s, uint64_t now, struct sview *v,
    const struct swim_said *a)
{
	enum swim_state	 old = v->state;
	struct ident	*id, *before = v->id;
	bool		 meta_changed = false;
	char		 why[64];

	id = ident_get(s->idents, a->name, &a->addr, a->meta, a->vsn);
	if (id != before) {
		meta_changed = !span_same(ident_meta(id), ident_meta(before));
		if (before == s->self)
			s->self = id;
		v->id = id;
	}
	v->inc = a->inc;
	queue_alive(s, v);
	(void)snprintf(why, sizeof(why), "incarnation %u", a->inc);
	set_state(s, now, v, SWIM_ALIVE,
	    old == SWIM_SUSPECT ? SWIM_INFO : SWIM_DEBUG, why);
	ident_unref(s->idents, before);
	if (old == SWIM_DEAD || old == SWIM_LEFT)
		s->ops.changed(s->arg, SWIM_JOIN, id);
	else if (meta_changed)
		s->ops.changed(s->arg, SWIM_UPDATE, id);
}

void
swim_alive(struct swim *s, uint64_t now, const struct swim_said *a,
    bool bootstrap)
{
	struct sview	*v = swim_view(s, a->name);
	bool		 self = swim_is_self(s, a->name), take_over = false;
	const char	*why;

	if ((s->leaving && self) || (!bootstrap && name_bad(a->name)) ||
	    a->meta.n > META_MAX || a->addr.len == 0 || vsn_bad(a->vsn))
		return;
	if (!bootstrap && (why = s->ops.admit(s->arg, a, 1, false)) != NULL) {
		swim_note(s, SWIM_DEBUG, "member %.*s: alive ignored: %s",
		    (int)a->name.n, (const char *)a->name.p, why);
		return;
	}
	if (v == NULL) {
		if (s->n >= SWIM_MEMBERS_MAX || a->inc == 0)
			return;
		v = view_add(s, now, ident_get(s->idents, a->name, &a->addr,
		    a->meta, a->vsn));
		if (bootstrap)
			s->self = v->id;
	} else if (!gaddr_equal(&v->id->addr, &a->addr)) {
		if (!may_take_over(s, now, v)) {
			s->ops.conflict(s->arg, v->id, &a->addr);
			return;
		}
		take_over = true;
	}
	if (!self && !bootstrap && !take_over && a->inc <= v->inc)
		return;
	if (self && a->inc < v->inc)
		return;
	if (self && !bootstrap) {
		if (a->inc == v->inc &&
		    span_same(a->meta, ident_meta(v->id)) &&
		    memcmp(a->vsn, v->id->vsn, VSN_LEN) == 0)
			return;
		swim_note(s, accused_level(s, now, SWIM_INFO),
		    "an older life of this node is still known with "
		    "incarnation %u: refuting", a->inc);
		refute(s, v, a->inc);
		return;
	}
	suspicion_cancel(s, v);
	alive_apply(s, now, v, a);
}

void
swim_suspect(struct swim *s, uint64_t now, const struct ml_claim *c,
    const char *why)
{
	struct sview		*v = swim_view(s, c->node);
	struct suspicion	*x;
	char			 by[320];

	if (v == NULL || c->inc < v->inc)
		return;
	if (v->state == SWIM_SUSPECT) {
		if ((x = suspicion_find(s, v->id->num)) != NULL &&
		    suspicion_confirm(x, c->from))
			queue_claim(s, ML_SUSPECT, v->id->num, c, false);
		return;
	}
	if (v->state != SWIM_ALIVE)
		return;
	if (v->id == s->self) {
		if (s->leaving)
			return;
		refute(s, v, c->inc);
		swim_note(s, accused_level(s, now, SWIM_WARN),
		    "this node is suspected %s%.*s: refuted with "
		    "incarnation %u", why != NULL ? why : "by word of ",
		    why != NULL ? 0 : (int)c->from.n,
		    (const char *)c->from.p, s->inc);
		return;
	}
	queue_claim(s, ML_SUSPECT, v->id->num, c, false);
	v->inc = c->inc;
	if (why == NULL) {
		(void)snprintf(by, sizeof(by), "by word of %.*s",
		    (int)c->from.n, (const char *)c->from.p);
		why = by;
	}
	set_state(s, now, v, SWIM_SUSPECT, SWIM_INFO, why);
	suspicion_start(s, now, v->id->num, c->from);
}

void
swim_dead(struct swim *s, uint64_t now, const struct ml_claim *c,
    const char *why)
{
	struct sview	*v = swim_view(s, c->node);
	bool		 self;
	char		 by[320];

	if (v == NULL || c->inc < v->inc)
		return;
	suspicion_cancel(s, v);
	if (v->state == SWIM_DEAD || v->state == SWIM_LEFT)
		return;
	self = v->id == s->self;
	if (self && !s->leaving) {
		refute(s, v, c->inc);
		swim_note(s, accused_level(s, now, SWIM_WARN),
		    "%.*s says that this node failed: refuted with "
		    "incarnation %u", (int)c->from.n,
		    (const char *)c->from.p, s->inc);
		return;
	}
	queue_claim(s, ML_DEAD, v->id->num, c, self);
	v->inc = c->inc;
	if (why == NULL) {
		(void)snprintf(by, sizeof(by), "by word of %.*s",
		    (int)c->from.n, (const char *)c->from.p);
		why = by;
	}
	if (span_same(c->node, c->from))
		set_state(s, now, v, SWIM_LEFT, SWIM_DEBUG, "it said so");
	else
		set_state(s, now, v, SWIM_DEAD, SWIM_WARN, why);
	s->ops.changed(s->arg, SWIM_LEAVE, v->id);
}

/* ---- messages ---- */

static void
on_alive(struct swim *s, uint64_t now, struct rbuf *r)
{
	struct ml_alive		a;
	struct swim_said	said = { .state = SWIM_ALIVE };

	body_decode(&ml_alive_body, r, &a);
	if (!rb_ok(r) || a.vsn.n != VSN_LEN)
		return;
	said.name = a.node;
	said.meta = a.meta;
	said.inc = a.inc;
	said.addr = gaddr_of(a.addr, a.port != 0 ? a.port :
	    s->self->addr.port);
	memcpy(said.vsn, a.vsn.p, VSN_LEN);
	swim_alive(s, now, &said, false);
}

void
swim_input(struct swim *s, uint64_t now, const struct gaddr *from,
    const uint8_t *msg, size_t n)
{
	struct rbuf	r;
	struct ml_claim	c;

	if (n == 0 || s->self == NULL)
		return;
	rb_init(&r, msg + 1, n - 1);
	switch (msg[0]) {
	case ML_PING:
		swim_on_ping(s, from, &r);
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
		on_alive(s, now, &r);
		break;
	case ML_SUSPECT:
	case ML_DEAD:
		body_decode(&ml_claim_body, &r, &c);
		if (rb_ok(&r) && (name_bad(c.node) ||
		    (c.from.n > 0 && name_bad(c.from))))
			rb_fail(&r, "bad name");
		if (!rb_ok(&r))
			break;
		if (msg[0] == ML_SUSPECT)
			swim_suspect(s, now, &c, NULL);
		else
			swim_dead(s, now, &c, NULL);
		break;
	case ML_USER:
		s->ops.user(s->arg, r.p, r.n);
		return;
	default:
		rb_fail(&r, "unknown type");
	}
	if (!rb_ok(&r))
		swim_note(s, SWIM_DEBUG, "message of type %u dropped: %s",
		    msg[0], r.err);
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
	struct suspicion	*x;
	uint64_t		 by = now - s->due;

	swim_note(s, SWIM_WARN, "this process stood still for %llu ms: "
	    "its timers are put off", (unsigned long long)(by / NS_PER_MS));
	TAILQ_FOREACH(x, &s->suspicions, link) {
		shift(&x->start, by);
		shift(&x->fire, by);
	}
	shift(&s->probe_at, by);
	swim_probe_shift(s, by);
}

void
swim_tick(struct swim *s, uint64_t now)
{
	struct suspicion	*x, *next;
	struct sview		*v;

	if (s->self == NULL)
		return;
	if (s->conf.stall_ns > 0 && s->due != SWIM_NEVER && now > s->due &&
	    now - s->due > s->conf.stall_ns)
		forgive_stall(s, now);
	s->due = SWIM_NEVER;
	TAILQ_FOREACH_SAFE(x, &s->suspicions, link, next)
		if (now >= x->fire)
			suspicion_fire(s, now, x);
	swim_probe_tick(s, now);
	if (now >= s->gossip_at && !bcast_empty(s->bcast)) {
		gossip(s, now);
		s->gossip_at = now + s->conf.gossip_interval_ns;
	}
	if (now >= s->pushpull_at) {
		s->pushpull_at = now + swim_pushpull_scale(
		    s->conf.pushpull_interval_ns, s->n);
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
	struct suspicion	*x;
	uint64_t		 at = SWIM_NEVER;

	/* Alone, there is nobody to probe and nobody to tell. */
	if (s->n > 1) {
		earlier(&at, swim_probe_next(s));
		earlier(&at, s->pushpull_at);
		if (!bcast_empty(s->bcast))
			earlier(&at, s->gossip_at);
	}
	TAILQ_FOREACH(x, &s->suspicions, link)
		earlier(&at, x->fire);
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

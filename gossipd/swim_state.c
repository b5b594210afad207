/*
 * What messages change in the table: alive, suspect, dead (gossip.md 9.8), and
 * the lines about it from which a flap can be explained.
 */
#include <stdio.h>
#include <string.h>

#include "gossipd/swim_int.h"

#define ACCUSED_NOTE_NS	(1 * NS_PER_S)	/* between lines about it */
#define CORRECTIONS_PER_S 32
/* The last incarnation is no member's: it could not be refuted. */
#define INC_MAX		(UINT32_MAX - 1)

static void
refute(struct swim *s, struct sview *v, uint32_t accused)
{
	if (s->inc < accused)
		s->inc = accused;
	if (s->inc < INC_MAX)
		s->inc++;
	v->inc = s->inc;
	if (s->health + 1 < s->conf.awareness_max)
		s->health++;
	swim_queue_alive(s, v);
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
	    s->conf.reclaim_ns > 0 && swim_age_ms(v, now) >
	    s->conf.reclaim_ns / NS_PER_MS);
}

/* Who told us what is in hand. */
static const char *
teller(const struct swim *s, char buf[ADDR_TEXT_MAX])
{
	struct sockaddr_storage	ss;

	if (s->from == NULL)
		return "an exchange of state";
	if (gaddr_to_sockaddr(s->from, &ss) == -1)
		return "?";
	return addr_text(&ss, buf, ADDR_TEXT_MAX);
}

static void
tell_alive(struct swim *s, uint64_t now, const struct sview *v)
{
	enum swim_state	old = (enum swim_state)v->state;
	char		buf[ADDR_TEXT_MAX];

	if (s->ops.note == NULL || old == SWIM_ALIVE)
		return;
	if (old == SWIM_SUSPECT)
		swim_tell(s, now, SWIM_INFO, "member %s: suspect -> alive: "
		    "refuted after %llu ms with incarnation %u, told by %s",
		    ident_name(v->id),
		    (unsigned long long)swim_age_ms(v, now), v->inc,
		    teller(s, buf));
	else
		swim_tell(s, now, SWIM_DEBUG, "member %s: %s -> alive: "
		    "incarnation %u, told by %s", ident_name(v->id),
		    swim_state_name(old), v->inc, teller(s, buf));
}

/* A message for a message, and not as many as it likes. */
static bool
may_answer(struct swim *s, uint64_t now)
{
	if (!s->conf.second_look)
		return false;
	if (now / NS_PER_S != s->corrected_at) {
		s->corrected_at = now / NS_PER_S;
		s->corrected = 0;
	}
	return ++s->corrected <= CORRECTIONS_PER_S;
}

/*
 * Somebody told us first hand what is older than what we know, for it missed
 * the news between: it is told so, or would believe the old until its next
 * exchange of state.
 */
static bool
may_correct(struct swim *s, uint64_t now, const struct gaddr *at)
{
	return s->from != NULL && gaddr_same(s->from, at) &&
	    may_answer(s, now);
}

/* The accuser hears the refutation at once, of an old accusation again. */
static void
correct_accuser(struct swim *s, uint64_t now, const struct sview *self,
    const struct ml_claim *c)
{
	const struct sview	*v = swim_view(s, c->from);
	struct wbuf		*w;

	if (s->leaving || v == NULL || v == self ||
	    !may_correct(s, now, &v->id->addr))
		return;
	w = swim_alive_msg(s, self);
	swim_send(s, &v->id->addr, w->p, w->len);
}

/* Whoever is alive at that address refutes that it is gone. */
static void
tell_gone(struct swim *s, const struct sview *v, const struct gaddr *at)
{
	struct ml_claim	 c = {
		.from = ident_name_span(s->self), .inc = v->inc,
		.node = ident_name_span(v->id)
	};
	struct wbuf	*w = swim_msg(s, ML_DEAD);

	body_encode(&ml_claim_body, &c, w);
	swim_send(s, at, w->p, w->len);
}

/* It says that it is alive, and does not know how it stands with us. */
static void
correct_gone(struct swim *s, uint64_t now, const struct sview *v)
{
	if ((v->state == SWIM_DEAD || v->state == SWIM_LEFT) &&
	    may_correct(s, now, &v->id->addr))
		tell_gone(s, v, &v->id->addr);
}

/*
 * The name of one who is gone is alive elsewhere, in no later incarnation: a new
 * life, or an older one whose end the teller missed, who may have its address by
 * now.  It is asked itself, and a new life answers with a later incarnation.
 */
static bool
is_doubtful(struct swim *s, uint64_t now, const struct sview *v,
    const struct swim_said *a)
{
	if (!s->conf.second_look || a->inc > v->inc)
		return false;
	if (may_answer(s, now))
		tell_gone(s, v, &a->addr);
	return true;
}

/* Applies an alive that was accepted. */
static void
alive_apply(struct swim *s, uint64_t now, struct sview *v,
    const struct swim_said *a)
{
	enum swim_state	 old = (enum swim_state)v->state;
	struct ident	*id, *before = v->id;

	suspicion_cancel(s, v);
	id = ident_next(s->idents, before, &a->addr, a->meta, a->vsn);
	if (before == s->self)
		s->self = id;
	v->id = id;
	v->inc = a->inc;
	if (!s->quiet)
		swim_queue_alive(s, v);
	tell_alive(s, now, v);
	swim_set_state(s, now, v, SWIM_ALIVE);
	if (old == SWIM_DEAD || old == SWIM_LEFT)
		s->ops.changed(s->arg, SWIM_JOIN, id);
	else if (id != before)
		s->ops.changed(s->arg, SWIM_UPDATE, id);
	ident_unref(s->idents, before);
}

/* Somebody says that we are alive, and how. */
static void
hear_of_self(struct swim *s, uint64_t now, struct sview *v,
    const struct swim_said *a)
{
	if (a->inc < v->inc || (a->inc == v->inc &&
	    span_same(a->meta, ident_meta(v->id)) &&
	    memcmp(a->vsn, v->id->vsn, VSN_LEN) == 0))
		return;
	swim_note(s, accused_level(s, now, SWIM_INFO), "an older life of this "
	    "node is still known with incarnation %u: refuting", a->inc);
	refute(s, v, a->inc);
}

/* True if the member's address is as said, or may become so. */
static bool
address_is_its(struct swim *s, uint64_t now, const struct sview *v,
    const struct swim_said *a, bool *take_over)
{
	if (gaddr_same(&v->id->addr, &a->addr))
		return true;
	if (!may_take_over(s, now, v)) {
		s->ops.conflict(s->arg, v->id, &a->addr);
		return false;
	}
	if (is_doubtful(s, now, v, a))
		return false;
	*take_over = true;
	return true;
}

static bool
alive_bad(const struct swim_said *a)
{
	return name_bad(a->name) || a->meta.n > META_MAX || a->addr.len == 0 ||
	    vsn_bad(a->vsn) || a->inc > INC_MAX;
}

void
swim_alive(struct swim *s, uint64_t now, const struct swim_said *a,
    bool bootstrap)
{
	struct sview	*v = swim_view(s, a->name);
	bool		 self = swim_is_self(s, a->name), take_over = false;
	const char	*why;

	/* Most of what an exchange of state brings is known. */
	if (v != NULL && !self && a->inc <= v->inc &&
	    gaddr_same(&v->id->addr, &a->addr)) {
		correct_gone(s, now, v);
		return;
	}
	if ((s->leaving && self) || (!bootstrap && alive_bad(a)))
		return;
	if (!bootstrap && (why = s->ops.admit(s->arg, a, 1, false)) != NULL) {
		swim_note(s, SWIM_DEBUG, "member %.*s: alive ignored: %s",
		    (int)a->name.n, (const char *)a->name.p, why);
		return;
	}
	if (v == NULL) {
		if (s->n >= SWIM_MEMBERS_MAX || a->inc == 0)
			return;
		v = swim_view_add(s, now, ident_get(s->idents, a->name,
		    &a->addr, a->meta, a->vsn));
		if (bootstrap)
			s->self = v->id;
	} else if (!address_is_its(s, now, v, a, &take_over))
		return;
	if (self && !bootstrap)
		hear_of_self(s, now, v, a);
	else if (self || take_over || a->inc > v->inc)
		alive_apply(s, now, v, a);
}

/* As the log has it when there is no better reason. */
static const char *
word_of(const struct ml_claim *c, char *buf, size_t len)
{
	(void)snprintf(buf, len, "by word of %.*s", (int)c->from.n,
	    (const char *)c->from.p);
	return buf;
}

static void
confirm(struct swim *s, uint64_t now, struct sview *v,
    const struct ml_claim *c)
{
	struct suspicion	*x = suspicion_find(s, v->id->num);

	if (x == NULL || !suspicion_confirm(s, x, c->from))
		return;
	swim_queue_claim(s, ML_SUSPECT, v->id->num, c, false);
	swim_tell(s, now, SWIM_INFO, "member %s: suspected by %.*s, too: "
	    "confirmation %u of %u, %llu ms left", ident_name(v->id),
	    (int)c->from.n, (const char *)c->from.p, x->n, x->k,
	    (unsigned long long)(x->fire > now ?
	    (x->fire - now) / NS_PER_MS : 0));
}

/* It has a later life than the suspect: the suspicion that we have was refuted,
 * and we missed it. */
static void
suspect_anew(struct swim *s, uint64_t now, struct sview *v,
    const struct ml_claim *c)
{
	suspicion_cancel(s, v);
	swim_queue_claim(s, ML_SUSPECT, v->id->num, c, false);
	v->inc = c->inc;
	suspicion_start(s, now, v->id->num, c->from);
}

void
swim_suspect(struct swim *s, uint64_t now, const struct ml_claim *c,
    const char *why)
{
	struct sview	*v = swim_view(s, c->node);
	char		 by[320];

	if (v == NULL || c->inc > INC_MAX)
		return;
	if (c->inc < v->inc) {
		if (v->id == s->self)
			correct_accuser(s, now, v, c);
		return;
	}
	if (v->state == SWIM_SUSPECT && c->inc > v->inc && s->conf.second_look)
		suspect_anew(s, now, v, c);
	else if (v->state == SWIM_SUSPECT)
		confirm(s, now, v, c);
	if (v->state != SWIM_ALIVE || (v->id == s->self && s->leaving))
		return;
	if (why == NULL && s->ops.note != NULL)
		why = word_of(c, by, sizeof(by));
	if (v->id == s->self) {
		refute(s, v, c->inc);
		correct_accuser(s, now, v, c);
		swim_note(s, accused_level(s, now, SWIM_WARN), "this node is "
		    "suspected %s: refuted with incarnation %u; local health "
		    "%u", why, s->inc, s->health);
		return;
	}
	swim_queue_claim(s, ML_SUSPECT, v->id->num, c, false);
	v->inc = c->inc;
	swim_tell(s, now, SWIM_INFO, "member %s: alive -> suspect: %s",
	    ident_name(v->id), why);
	swim_set_state(s, now, v, SWIM_SUSPECT);
	suspicion_start(s, now, v->id->num, c->from);
}

static void
hear_of_own_end(struct swim *s, uint64_t now, struct sview *self,
    const struct ml_claim *c)
{
	refute(s, self, c->inc);
	correct_accuser(s, now, self, c);
	if (span_same(c->node, c->from))
		swim_note(s, accused_level(s, now, SWIM_INFO), "an earlier "
		    "life of this node left: refuted with incarnation %u",
		    s->inc);
	else
		swim_note(s, accused_level(s, now, SWIM_WARN),
		    "%.*s says that this node failed: refuted with "
		    "incarnation %u", (int)c->from.n,
		    (const char *)c->from.p, s->inc);
}

void
swim_dead(struct swim *s, uint64_t now, const struct ml_claim *c,
    const char *why)
{
	struct sview	*v = swim_view(s, c->node);
	bool		 self, left = span_same(c->node, c->from);
	char		 by[320];

	if (v == NULL || c->inc > INC_MAX)
		return;
	self = v->id == s->self;
	if (c->inc < v->inc) {
		if (self)
			correct_accuser(s, now, v, c);
		return;
	}
	if (self && !s->leaving) {
		hear_of_own_end(s, now, v, c);
		return;
	}
	if (v->state == SWIM_DEAD || v->state == SWIM_LEFT)
		return;
	/* The reason may tell of the suspicion. */
	if (s->ops.note != NULL)
		swim_tell(s, now, left ? SWIM_DEBUG : SWIM_WARN,
		    "member %s: %s -> %s: %s", ident_name(v->id),
		    swim_state_name((enum swim_state)v->state),
		    swim_state_name(left ? SWIM_LEFT : SWIM_DEAD),
		    left ? "it said so" :
		    why != NULL ? why : word_of(c, by, sizeof(by)));
	suspicion_cancel(s, v);
	swim_queue_claim(s, ML_DEAD, v->id->num, c, self);
	v->inc = c->inc;
	swim_set_state(s, now, v, left ? SWIM_LEFT : SWIM_DEAD);
	s->ops.changed(s->arg, SWIM_LEAVE, v->id);
}

/* ---- messages ---- */

void
swim_on_alive(struct swim *s, uint64_t now, struct rbuf *r)
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
swim_on_claim(struct swim *s, uint64_t now, enum ml_type type, struct rbuf *r)
{
	struct ml_claim	c;

	body_decode(&ml_claim_body, r, &c);
	if (rb_ok(r) && (name_bad(c.node) ||
	    (c.from.n > 0 && name_bad(c.from))))
		rb_fail(r, "bad name");
	if (!rb_ok(r))
		return;
	if (type == ML_SUSPECT)
		swim_suspect(s, now, &c, NULL);
	else
		swim_dead(s, now, &c, NULL);
}

/*
 * Serf's table of members and what changes it: what SWIM says, intents to join
 * and to leave, and time (gossip.md 10.5 and 10.6).
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/serf_int.h"

#define LEAVING_MS 60000	/* a leave takes no longer */

/* ---- members ---- */

static struct serf_member *
find(const struct serf *s, struct span name)
{
	uint32_t	num = idents_find(s->idents, name);

	return num < s->nmember && s->member[num].id != NULL ?
	    &s->member[num] : NULL;
}

static bool
is_self(const struct serf *s, const struct serf_member *m)
{
	return m->id->num == swim_self(s->swim)->num;
}

static struct serf_member *
member_at(struct serf *s, const struct ident *id)
{
	uint32_t	n;

	if (id->num >= s->nmember) {
		n = idents_bound(s->idents) + 8;
		n = s->nmember * 2 > n ? s->nmember * 2 : n;
		s->member = xreallocarray(s->member, n, sizeof(*s->member));
		memset(s->member + s->nmember, 0,
		    (n - s->nmember) * sizeof(*s->member));
		s->nmember = n;
	}
	return &s->member[id->num];
}

static void
set_identity(struct serf *s, struct serf_member *m, struct ident *id)
{
	struct ident	*before = m->id;

	m->id = ident_ref(id);
	ident_unref(s->idents, before);
}

static void
set_status(struct serf *s, struct serf_member *m, enum member_status status)
{
	s->count[m->status]--;
	s->count[status]++;
	m->status = status;
	m->prune = m->prune && status != MEMBER_ALIVE;
	m->guessed = m->guessed && status != MEMBER_ALIVE;
}

static void
set_gone(struct serf *s, struct serf_member *m, enum member_status status)
{
	set_status(s, m, status);
	if (!m->prune)
		m->at_ms = s->now / NS_PER_MS;
	s->ops.member(s->arg, status == MEMBER_LEFT ? SERF_LEFT : SERF_FAILED,
	    m);
}

static void
member_erase(struct serf *s, struct serf_member *m)
{
	set_status(s, m, MEMBER_NONE);
	s->ops.member(s->arg, SERF_REAPED, m);
	serf_coord_forget(s, m->id->num);
	ident_unref(s->idents, m->id);
	memset(m, 0, sizeof(*m));
}

void
serf_members_clear(struct serf *s)
{
	uint32_t	i;

	for (i = 0; i < s->nmember; i++)
		ident_unref(s->idents, s->member[i].id);
	free(s->member);
	serf_intents_clear(s);
}

/* ---- intents ---- */

int
serf_span_cmp(struct span a, struct span b)
{
	size_t	n = a.n < b.n ? a.n : b.n;
	int	c = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

/* Push/pulls bring thousands of intents for members long forgotten. */
static int
intent_cmp(const struct intent *a, const struct intent *b)
{
	return serf_span_cmp(span_of(a->name, a->len),
	    span_of(b->name, b->len));
}
RB_GENERATE_INTERNAL(intent_tree, intent, by_name, intent_cmp,
    static __attribute__((unused)))

static struct intent *
intent_find(struct serf *s, struct span name)
{
	struct intent	*x = RB_ROOT(&s->intent_names);
	int		 c;

	while (x != NULL && (c = serf_span_cmp(name, span_of(x->name,
	    x->len))) != 0)
		x = c < 0 ? RB_LEFT(x, by_name) : RB_RIGHT(x, by_name);
	return x;
}

static void
intent_drop(struct serf *s, struct intent *x)
{
	TAILQ_REMOVE(&s->intents, x, link);
	RB_REMOVE(intent_tree, &s->intent_names, x);
	s->nintents--;
	free(x);
}

void
serf_intents_clear(struct serf *s)
{
	while (!TAILQ_EMPTY(&s->intents))
		intent_drop(s, TAILQ_FIRST(&s->intents));
}

/*
 * A member's own leave is later than its join: of a join at the same time, the
 * leave is somebody's guess.
 */
static bool
outdoes_leave(bool leaves, bool guessed, bool hearsay)
{
	return leaves && (guessed || !hearsay);
}

/* For a node that is not known yet; true if it is newer than what was. */
static bool
intent_keep(struct serf *s, struct span name, uint64_t ltime, bool leave,
    bool hearsay)
{
	struct intent	*x = intent_find(s, name);

	if (name.n == 0 || name.n > NAME_MAX_LEN)
		return false;
	if (x != NULL && (ltime < x->ltime || (ltime == x->ltime && (leave ||
	    !outdoes_leave(x->leave, x->hearsay, hearsay)))))
		return false;
	if (x != NULL)
		intent_drop(s, x);
	if (s->nintents >= INTENTS_MAX)
		intent_drop(s, TAILQ_FIRST(&s->intents));
	x = xcalloc(1, sizeof(*x) + name.n);
	x->ltime = ltime;
	x->at = s->now;
	x->leave = leave;
	x->hearsay = hearsay;
	x->len = name.n;
	memcpy(x->name, name.p, name.n);
	TAILQ_INSERT_TAIL(&s->intents, x, link);
	RB_INSERT(intent_tree, &s->intent_names, x);
	s->nintents++;
	return true;
}

void
serf_send_join(struct serf *s)
{
	struct sf_join	m = {
		.ltime = s->clock.member,
		.node = ident_name_span(swim_self(s->swim))
	};
	struct wbuf	*w;

	serf_witness(&s->clock.member, m.ltime);
	find(s, m.node)->ltime = m.ltime;
	w = serf_msg(s, SF_JOIN);
	body_encode(&sf_join_body, &m, w);
	swim_broadcast(s->swim, BC_INTENT, false, w->p, w->len);
}

bool
serf_join_intent(struct serf *s, const struct sf_join *m, bool hearsay)
{
	struct serf_member	*x = find(s, m->node);

	serf_witness(&s->clock.member, m->ltime);
	if (x == NULL)
		return intent_keep(s, m->node, m->ltime, false, hearsay);
	if (m->ltime < x->ltime ||
	    (m->ltime == x->ltime && !outdoes_leave(
	    x->status == MEMBER_LEAVING, x->guessed, hearsay)))
		return false;
	if (is_self(s, x) && s->step == LEAVE_NOT && !s->own_join) {
		/* Of us somebody knows what is newer than our last word.  It
		 * may be the leave of an older life, told on with a later
		 * time, and we would look as if we were leaving for ever. */
		serf_send_join(s);
		return false;
	}
	/* Of one that left, until SWIM has it again: who is told that it left
	 * takes our time of it for one before the leave. */
	if (x->status == MEMBER_LEFT)
		return intent_keep(s, m->node, m->ltime, false, hearsay);
	x->ltime = m->ltime;
	if (x->status == MEMBER_LEAVING) {
		set_status(s, x, MEMBER_ALIVE);
		s->ops.member(s->arg, SERF_UPDATED, x);
	}
	return true;
}

/* The intent said that it is to be forgotten, too. */
static void
prune(struct serf *s, struct serf_member *x)
{
	if (is_self(s, x))
		return;
	if (x->status == MEMBER_LEAVING) {
		x->prune = true;
		x->at_ms = (s->now + s->conf.broadcast_timeout_ns +
		    s->conf.propagate_ns) / NS_PER_MS;
	} else if (x->status != MEMBER_ALIVE)
		member_erase(s, x);
}

bool
serf_leave_intent(struct serf *s, const struct sf_leave *m, bool hearsay)
{
	struct serf_member	*x = find(s, m->node);

	serf_witness(&s->clock.member, m->ltime);
	if (x == NULL)
		return intent_keep(s, m->node, m->ltime, true, hearsay);
	if (m->ltime <= x->ltime)
		return false;
	if (is_self(s, x) && s->step == LEAVE_NOT) {
		/* Somebody forces us out, or remembers an older life. */
		swim_note(s->swim, SWIM_WARN, "a leave of this node was "
		    "announced: refuted");
		serf_send_join(s);
		return false;
	}
	x->ltime = m->ltime;
	x->guessed = hearsay;
	switch (x->status) {
	case MEMBER_ALIVE:
		set_status(s, x, MEMBER_LEAVING);
		x->at_ms = s->now / NS_PER_MS;
		s->ops.member(s->arg, SERF_LEAVES, x);
		break;
	case MEMBER_FAILED:
		/* Since when it is gone stays. */
		set_status(s, x, MEMBER_LEFT);
		s->ops.member(s->arg, SERF_LEFT, x);
		break;
	case MEMBER_LEAVING:
	case MEMBER_LEFT:
	case MEMBER_NONE:
		break;
	}
	if (m->prune)
		prune(s, x);
	return true;
}

/* ---- what SWIM says ---- */

static void
on_joined(struct serf *s, struct ident *id)
{
	struct serf_member	*m = member_at(s, id);
	struct intent		*x;

	if (m->id == NULL) {
		s->count[MEMBER_NONE]++;
		m->ltime = 0;
	}
	set_identity(s, m, id);
	set_status(s, m, MEMBER_ALIVE);
	if ((x = intent_find(s, ident_name_span(id))) != NULL) {
		if (x->ltime > m->ltime) {
			m->ltime = x->ltime;
			if (x->leave) {
				set_status(s, m, MEMBER_LEAVING);
				m->guessed = x->hearsay;
				m->at_ms = s->now / NS_PER_MS;
			}
		}
		intent_drop(s, x);
	}
	s->ops.member(s->arg, SERF_JOINED, m);
}

/* By its own word it left, whether or not the intent was heard. */
static void
on_gone(struct serf *s, struct serf_member *m)
{
	bool	said = swim_lookup(s->swim, ident_name_span(m->id), NULL) ==
		    SWIM_LEFT;

	if (m->status == MEMBER_LEAVING || (m->status == MEMBER_ALIVE && said))
		set_gone(s, m, MEMBER_LEFT);
	else if (m->status == MEMBER_ALIVE)
		set_gone(s, m, MEMBER_FAILED);
}

void
serf_on_changed(void *arg, enum swim_event ev, struct ident *id)
{
	struct serf		*s = arg;
	struct serf_member	*m;

	switch (ev) {
	case SWIM_JOIN:
		on_joined(s, id);
		return;
	case SWIM_UPDATE:
		if ((m = find(s, ident_name_span(id))) == NULL)
			return;
		set_identity(s, m, id);
		s->ops.member(s->arg, SERF_UPDATED, m);
		return;
	case SWIM_LEAVE:
		if ((m = find(s, ident_name_span(id))) != NULL)
			on_gone(s, m);
		return;
	}
}

/* ---- time ---- */

static bool
is_over(const struct serf *s, const struct serf_member *m, bool crowded)
{
	uint64_t	keep, now_ms = s->now / NS_PER_MS;

	if (m->prune)
		return now_ms >= m->at_ms;
	if (m->status != MEMBER_FAILED && m->status != MEMBER_LEFT)
		return false;
	keep = crowded ? s->conf.swim.gossip_dead_ns :
	    m->status == MEMBER_FAILED ? s->conf.reconnect_timeout_ns :
	    s->conf.tombstone_ns;
	return now_ms - m->at_ms > keep / NS_PER_MS;
}

/*
 * Who leaves is gone within seconds: one that SWIM has alive for so long does
 * not, and the leave was an earlier life's.  Its own is no older than that.
 */
static void
drop_leave(struct serf *s, struct serf_member *m)
{
	if (m->status != MEMBER_LEAVING || m->prune || m->ltime == 0 ||
	    s->now / NS_PER_MS - m->at_ms < LEAVING_MS)
		return;
	m->ltime--;
	set_status(s, m, MEMBER_ALIVE);
	s->ops.member(s->arg, SERF_UPDATED, m);
}

void
serf_reap(struct serf *s)
{
	struct serf_member	*m;
	struct intent		*x;
	uint32_t		 i, n = s->nmember;
	bool			 crowded;

	while ((x = TAILQ_FIRST(&s->intents)) != NULL &&
	    s->now - x->at > s->conf.intent_ns)
		intent_drop(s, x);
	/* Names by the ten thousand: somebody invents them. */
	crowded = serf_count_all(s) > s->conf.members_max;
	if (s->count[MEMBER_ALIVE] == serf_count_all(s))
		n = 0;
	for (i = 0; i < n; i++) {
		m = &s->member[i];
		if (m->id == NULL || is_self(s, m))
			continue;
		drop_leave(s, m);
		if (is_over(s, m, crowded))
			member_erase(s, m);
	}
}

/* Now and then one of the failed is asked whether it is back. */
void
serf_reconnect(struct serf *s)
{
	size_t		 nfailed = s->count[MEMBER_FAILED], pick;
	size_t		 nalive = s->count[MEMBER_ALIVE];
	uint32_t	 i;

	if (nfailed == 0 || s->step != LEAVE_NOT)
		return;
	if (rng_double(&s->rng) > (double)nfailed / (nalive > 0 ? nalive : 1))
		return;
	pick = rng_below(&s->rng, (uint32_t)nfailed);
	for (i = 0; i < s->nmember; i++)
		if (s->member[i].id != NULL &&
		    s->member[i].status == MEMBER_FAILED && pick-- == 0) {
			s->ops.pushpull(s->arg, s->member[i].id, true);
			return;
		}
}

/* ---- questions ---- */

struct swim *
serf_swim(struct serf *s)
{
	return s->swim;
}

const struct serf_member *
serf_member_next(struct serf *s, uint32_t *i)
{
	while (*i < s->nmember)
		if (s->member[(*i)++].id != NULL)
			return &s->member[*i - 1];
	return NULL;
}

const struct serf_member *
serf_member_find(const struct serf *s, struct span name)
{
	return find(s, name);
}

size_t
serf_count(const struct serf *s, enum member_status status)
{
	return s->count[status];
}

size_t
serf_count_all(const struct serf *s)
{
	return s->count[MEMBER_ALIVE] + s->count[MEMBER_LEAVING] +
	    s->count[MEMBER_LEFT] + s->count[MEMBER_FAILED];
}

struct serf_clocks
serf_clocks(const struct serf *s)
{
	return s->clock;
}

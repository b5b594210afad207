/*
 * Serf's members and intents, leaving, reaping, and its clock.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossipd/serf_int.h"

#define QUEUE_MAX	4096	/* or twice the members */
#define COORD_DIM	8
#define CONFLICT_NOTE_NS (60 * NS_PER_S)

const struct serf_conf serf_conf_lan = {
	.reconnect_timeout_ns = 72 * 3600 * NS_PER_S,
	.tombstone_ns = 24 * 3600 * NS_PER_S,
	.intent_ns = 300 * NS_PER_S,
	.reap_interval_ns = 15 * NS_PER_S,
	.reconnect_interval_ns = 30 * NS_PER_S,
	.broadcast_timeout_ns = 5 * NS_PER_S,
	.propagate_ns = 3 * NS_PER_S,
	.members_max = SERF_MEMBERS_MAX,
	.coordinates = true,
};

void
serf_note(struct serf *s, enum swim_note level, const char *fmt, ...)
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
serf_witness(uint64_t *clock, uint64_t v)
{
	if (v >= *clock && v < UINT64_MAX)
		*clock = v + 1;
}

struct wbuf *
serf_msg(struct serf *s, enum sf_type type)
{
	wb_reset(&s->msg);
	wb_u8(&s->msg, ML_USER);
	wb_u8(&s->msg, (uint8_t)type);
	return &s->msg;
}

/* Peers look every 30 s; that is long when somebody floods. */
static size_t
queue_max(const struct serf *s)
{
	size_t	n = 2 * serf_count_all(s);

	return n > QUEUE_MAX ? n : QUEUE_MAX;
}

void
serf_forward(struct serf *s, enum bcast_kind kind, const uint8_t *p, size_t n)
{
	wb_reset(&s->msg);
	wb_u8(&s->msg, ML_USER);
	wb_bytes(&s->msg, p, n);
	swim_broadcast(s->swim, kind, false, s->msg.p, s->msg.len);
	bcast_prune(swim_bcast(s->swim), kind, queue_max(s));
}

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
}

static void
member_erase(struct serf *s, struct serf_member *m)
{
	set_status(s, m, MEMBER_NONE);
	s->ops.member(s->arg, SERF_REAPED, m);
	ident_unref(s->idents, m->id);
	memset(m, 0, sizeof(*m));
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

/* For a node that is not known yet; true if it is newer than what was. */
static bool
intent_keep(struct serf *s, struct span name, uint64_t ltime, bool leave)
{
	struct intent	*x = intent_find(s, name);

	if (name.n == 0 || name.n > NAME_MAX_LEN)
		return false;
	if (x != NULL && ltime <= x->ltime)
		return false;
	if (x != NULL)
		intent_drop(s, x);
	if (s->nintents >= INTENTS_MAX)
		intent_drop(s, TAILQ_FIRST(&s->intents));
	x = xcalloc(1, sizeof(*x) + name.n);
	x->ltime = ltime;
	x->at = s->now;
	x->leave = leave;
	x->len = name.n;
	memcpy(x->name, name.p, name.n);
	TAILQ_INSERT_TAIL(&s->intents, x, link);
	RB_INSERT(intent_tree, &s->intent_names, x);
	s->nintents++;
	return true;
}

static void
send_join_intent(struct serf *s)
{
	struct sf_join	m = {
		.ltime = s->clock.member,
		.node = ident_name_span(swim_self(s->swim))
	};
	struct wbuf	*w;

	(void)serf_join_intent(s, &m);
	w = serf_msg(s, SF_JOIN);
	body_encode(&sf_join_body, &m, w);
	swim_broadcast(s->swim, BC_INTENT, false, w->p, w->len);
}

bool
serf_join_intent(struct serf *s, const struct sf_join *m)
{
	struct serf_member	*x = find(s, m->node);

	serf_witness(&s->clock.member, m->ltime);
	if (x == NULL)
		return intent_keep(s, m->node, m->ltime, false);
	if (m->ltime <= x->ltime)
		return false;
	x->ltime = m->ltime;
	x->prune_at = 0;
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
	if (x->status == MEMBER_LEAVING)
		x->prune_at = s->now + s->conf.broadcast_timeout_ns +
		    s->conf.propagate_ns;
	else if (x->status != MEMBER_ALIVE)
		member_erase(s, x);
}

bool
serf_leave_intent(struct serf *s, const struct sf_leave *m)
{
	struct serf_member	*x = find(s, m->node);

	serf_witness(&s->clock.member, m->ltime);
	if (x == NULL)
		return intent_keep(s, m->node, m->ltime, true);
	if (m->ltime <= x->ltime)
		return false;
	if (is_self(s, x) && s->step == LEAVE_NOT) {
		/* Somebody forces us out, or remembers an older life. */
		serf_note(s, SWIM_WARN, "a leave of this node was announced: "
		    "refuted");
		send_join_intent(s);
		return false;
	}
	x->ltime = m->ltime;
	switch (x->status) {
	case MEMBER_ALIVE:
		set_status(s, x, MEMBER_LEAVING);
		s->ops.member(s->arg, SERF_LEAVES, x);
		break;
	case MEMBER_FAILED:
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
	m->gone_at = m->prune_at = 0;
	set_status(s, m, MEMBER_ALIVE);
	if ((x = intent_find(s, ident_name_span(id))) != NULL) {
		m->ltime = x->ltime;
		if (x->leave)
			set_status(s, m, MEMBER_LEAVING);
		intent_drop(s, x);
	}
	s->ops.member(s->arg, SERF_JOINED, m);
}

static void
on_gone(struct serf *s, struct serf_member *m)
{
	if (m->status == MEMBER_LEAVING) {
		m->gone_at = s->now;
		set_status(s, m, MEMBER_LEFT);
		s->ops.member(s->arg, SERF_LEFT, m);
	} else if (m->status == MEMBER_ALIVE) {
		m->gone_at = s->now;
		set_status(s, m, MEMBER_FAILED);
		s->ops.member(s->arg, SERF_FAILED, m);
	}
}

static void
on_changed(void *arg, enum swim_event ev, struct ident *id)
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

static void
on_conflict(void *arg, const struct ident *have, const struct gaddr *claimed)
{
	struct serf		*s = arg;
	struct sockaddr_storage	 ss;
	char			 a[ADDR_TEXT_MAX] = "?", b[ADDR_TEXT_MAX] = "?";

	if (s->now < s->conflict_at)
		return;
	s->conflict_at = s->now + CONFLICT_NOTE_NS;
	if (gaddr_to_sockaddr(&have->addr, &ss) == 0)
		(void)addr_text(&ss, a, sizeof(a));
	if (gaddr_to_sockaddr(claimed, &ss) == 0)
		(void)addr_text(&ss, b, sizeof(b));
	serf_note(s, SWIM_WARN, "member %s: two nodes have this name, at %s "
	    "and %s; the first keeps it", ident_name(have), a, b);
}

static void
on_intent(struct serf *s, const uint8_t *p, size_t n)
{
	struct sf_leave	leave;
	struct sf_join	join;
	struct rbuf	r;
	bool		news = false;

	rb_init(&r, p + 1, n - 1);
	if (p[0] == SF_LEAVE) {
		body_decode(&sf_leave_body, &r, &leave);
		news = rb_ok(&r) && serf_leave_intent(s, &leave);
	} else {
		body_decode(&sf_join_body, &r, &join);
		news = rb_ok(&r) && serf_join_intent(s, &join);
	}
	if (news)
		serf_forward(s, BC_INTENT, p, n);
}

static void
on_user(void *arg, const uint8_t *p, size_t n)
{
	struct serf	*s = arg;

	if (n == 0)
		return;
	switch (p[0]) {
	case SF_LEAVE:
	case SF_JOIN:
		on_intent(s, p, n);
		break;
	case SF_EVENT:
		serf_on_event(s, p, n);
		break;
	case SF_QUERY:
		serf_on_query(s, p, n);
		break;
	case SF_RELAY:
		serf_on_relay(s, p, n);
		break;
	default:
		/* Responses to queries: none of ours is running. */
		break;
	}
}

static void
on_send(void *arg, const struct gaddr *to, bool crc, const uint8_t *p, size_t n)
{
	struct serf	*s = arg;

	s->ops.send(s->arg, to, crc, p, n);
}

static void
on_tcp_ping(void *arg, const struct ident *id, uint32_t seq, uint64_t until)
{
	struct serf	*s = arg;

	s->ops.tcp_ping(s->arg, id, seq, until);
}

static void
on_pushpull(void *arg, const struct ident *id)
{
	struct serf	*s = arg;

	s->ops.pushpull(s->arg, id, false);
}

static const char *
on_admit(void *arg, const struct swim_said *a, size_t n, bool join)
{
	struct serf	*s = arg;

	return s->ops.admit(s->arg, a, n, join);
}

static void
on_ack_write(void *arg, struct wbuf *w)
{
	struct serf	*s = arg;

	wb_bytes(w, s->coord.p, s->coord.len);
}

static void
on_note(void *arg, enum swim_note level, const char *text)
{
	struct serf	*s = arg;

	s->ops.note(s->arg, level, text);
}

static const struct swim_ops swim_ops = {
	.send = on_send,
	.tcp_ping = on_tcp_ping,
	.pushpull = on_pushpull,
	.admit = on_admit,
	.changed = on_changed,
	.conflict = on_conflict,
	.user = on_user,
	.ack_write = on_ack_write,
	.state_write = serf_state_write,
	.state_read = serf_state_read,
	.note = on_note,
};

/* ---- life ---- */

/* The coordinate of one that has measured nothing yet. */
static void
write_coord(struct wbuf *w)
{
	struct sf_coord	c = { .error = 1.5, .height = 1e-5 };
	struct wbuf	vec;
	int		i;

	wb_init(&vec, 0);
	mp_array(&vec, COORD_DIM);
	for (i = 0; i < COORD_DIM; i++)
		mp_double(&vec, 0.0);
	c.vec = span_of(vec.p, vec.len);
	wb_u8(w, 1);
	body_encode(&sf_coord_body, &c, w);
	wb_free(&vec);
}

struct serf *
serf_new(const struct serf_conf *conf, struct idents *idents,
    const struct serf_ops *ops, void *arg, uint64_t seed)
{
	struct serf	*s = xcalloc(1, sizeof(*s));
	struct swim_ops	 down = swim_ops;

	s->conf = *conf;
	s->ops = *ops;
	s->arg = arg;
	s->idents = idents;
	if (ops->note == NULL)
		down.note = NULL;
	rng_seed(&s->rng, seed);
	s->swim = swim_new(&conf->swim, idents, &down, s, rng_next(&s->rng));
	TAILQ_INIT(&s->intents);
	RB_INIT(&s->intent_names);
	s->clock.member = s->clock.event = s->clock.query = 1;
	wb_init(&s->coord, 0);
	wb_init(&s->msg, 0);
	if (conf->coordinates)
		write_coord(&s->coord);
	return s;
}

void
serf_free(struct serf *s)
{
	uint32_t	i;

	if (s == NULL)
		return;
	for (i = 0; i < s->nmember; i++)
		ident_unref(s->idents, s->member[i].id);
	while (!TAILQ_EMPTY(&s->intents))
		intent_drop(s, TAILQ_FIRST(&s->intents));
	serf_events_clear(s);
	swim_free(s->swim);
	free(s->member);
	wb_free(&s->coord);
	wb_free(&s->msg);
	free(s);
}

void
serf_resume(struct serf *s, const struct serf_clocks *c)
{
	serf_witness(&s->clock.member, c->member);
	serf_witness(&s->clock.event, c->event);
	serf_witness(&s->clock.query, c->query);
	s->event_min = c->event + 1;
	s->query_min = c->query + 1;
}

void
serf_start(struct serf *s, uint64_t now, struct span name,
    const struct gaddr *addr, struct span meta, const uint8_t vsn[VSN_LEN])
{
	s->now = now;
	s->reap_at = now + s->conf.reap_interval_ns;
	s->reconnect_at = now + s->conf.reconnect_interval_ns;
	swim_start(s->swim, now, name, addr, meta, vsn);
}

void
serf_input(struct serf *s, uint64_t now, const struct gaddr *from,
    const uint8_t *p, size_t n)
{
	s->now = now;
	swim_input(s->swim, now, from, p, n);
}

const char *
serf_merge(struct serf *s, uint64_t now, bool ours, const uint8_t *p, size_t n)
{
	const char	*why;

	s->now = now;
	s->own_join = ours;
	why = swim_merge(s->swim, now, p, n);
	s->own_join = false;
	return why;
}

void
serf_announce(struct serf *s, uint64_t now)
{
	s->now = now;
	if (s->step == LEAVE_NOT)
		send_join_intent(s);
}

/* ---- leaving ---- */

static void
send_leave_intent(struct serf *s, struct span name, bool erase, bool watched)
{
	struct sf_leave	 m = {
		.ltime = s->clock.member++, .node = name, .prune = erase
	};
	struct wbuf	*w;

	/* Encoded first: the member, and with it the name, may be erased. */
	w = serf_msg(s, SF_LEAVE);
	body_encode(&sf_leave_body, &m, w);
	swim_broadcast(s->swim, BC_INTENT, watched, w->p, w->len);
	(void)serf_leave_intent(s, &m);
}

static void
leave_step(struct serf *s, enum leave_step step, uint64_t ns)
{
	s->step = step;
	s->step_until = s->now + ns;
}

void
serf_leave(struct serf *s, uint64_t now)
{
	s->now = now;
	if (s->step != LEAVE_NOT)
		return;
	leave_step(s, LEAVE_INTENT, s->conf.broadcast_timeout_ns);
	send_leave_intent(s, ident_name_span(swim_self(s->swim)), false, true);
}

bool
serf_leaving(const struct serf *s)
{
	return s->step != LEAVE_NOT;
}

/* Nothing left to say, or nobody to say it to. */
static bool
said_it(const struct serf *s)
{
	return swim_watched(s->swim) == 0 || swim_count_alive(s->swim) == 0 ||
	    s->now >= s->step_until;
}

static void
leave_tick(struct serf *s)
{
	switch (s->step) {
	case LEAVE_INTENT:
		if (!said_it(s))
			return;
		leave_step(s, LEAVE_SWIM, s->conf.broadcast_timeout_ns);
		swim_leave(s->swim, s->now);
		return;
	case LEAVE_SWIM:
		if (said_it(s))
			leave_step(s, LEAVE_WAIT,
			    swim_count_alive(s->swim) == 0 ? 0 :
			    s->conf.propagate_ns);
		return;
	case LEAVE_WAIT:
		if (s->now < s->step_until)
			return;
		s->step = LEAVE_DONE;
		s->ops.left(s->arg);
		return;
	case LEAVE_NOT:
	case LEAVE_DONE:
		return;
	}
}

int
serf_force_leave(struct serf *s, uint64_t now, struct span name, bool erase)
{
	s->now = now;
	if (find(s, name) == NULL)
		return -1;
	send_leave_intent(s, name, erase, false);
	return 0;
}

/* ---- the clock ---- */

static void
reap(struct serf *s)
{
	struct serf_member	*m;
	struct intent		*x;
	uint32_t		 i;
	uint64_t		 keep;
	bool			 crowded;

	/* Names by the ten thousand: somebody invents them. */
	crowded = serf_count_all(s) > s->conf.members_max;
	for (i = 0; i < s->nmember; i++) {
		m = &s->member[i];
		if (m->id == NULL || is_self(s, m))
			continue;
		keep = crowded ? s->conf.swim.gossip_dead_ns :
		    m->status == MEMBER_FAILED ?
		    s->conf.reconnect_timeout_ns : s->conf.tombstone_ns;
		if ((m->prune_at != 0 && s->now >= m->prune_at) ||
		    ((m->status == MEMBER_FAILED || m->status == MEMBER_LEFT) &&
		    s->now - m->gone_at > keep))
			member_erase(s, m);
	}
	while ((x = TAILQ_FIRST(&s->intents)) != NULL &&
	    s->now - x->at > s->conf.intent_ns)
		intent_drop(s, x);
}

/* Now and then one of the failed is asked whether it is back. */
static void
reconnect(struct serf *s)
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

void
serf_tick(struct serf *s, uint64_t now)
{
	s->now = now;
	swim_tick(s->swim, now);
	leave_tick(s);
	if (now >= s->reap_at) {
		s->reap_at = now + s->conf.reap_interval_ns;
		reap(s);
	}
	if (now >= s->reconnect_at) {
		s->reconnect_at = now + s->conf.reconnect_interval_ns;
		reconnect(s);
	}
}

uint64_t
serf_next(struct serf *s, uint64_t now)
{
	uint64_t	at = swim_next(s->swim, now);

	if (s->step != LEAVE_NOT && s->step != LEAVE_DONE) {
		if (s->step != LEAVE_WAIT && said_it(s))
			return s->now;
		at = s->step_until < at ? s->step_until : at;
	}
	if (s->count[MEMBER_FAILED] > 0 && s->reconnect_at < at)
		at = s->reconnect_at;
	/* Alone and with nothing to forget, there is nothing to wake up for. */
	if ((serf_count_all(s) > 1 || s->nintents > 0) && s->reap_at < at)
		at = s->reap_at;
	return at;
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
serf_member_find(struct serf *s, struct span name)
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

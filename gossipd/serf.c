/*
 * The Serf core: its life, leaving, its clock, and what it makes of what SWIM
 * hands it.  The table of members is serf_member.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/serf_int.h"

#define QUEUE_MAX	4096	/* or twice the members */
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

/* ---- what SWIM says ---- */

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
	if (have->num == swim_self(s->swim)->num)
		swim_note(s->swim, SWIM_WARN, "another node has the name of "
		    "this one, %s, at %s: give one of them another",
		    ident_name(have), b);
	else
		swim_note(s->swim, SWIM_WARN, "member %s: two nodes have this "
		    "name, at %s and %s; the first keeps it", ident_name(have),
		    a, b);
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
		news = rb_ok(&r) && serf_leave_intent(s, &leave, false);
	} else {
		body_decode(&sf_join_body, &r, &join);
		news = rb_ok(&r) && serf_join_intent(s, &join, false);
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
	case SF_RESPONSE:
		serf_on_response(s, p, n);
		break;
	default:
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

	wb_bytes(w, s->ack.p, s->ack.len);
}

static void
on_ack_read(void *arg, const struct ident *id, uint64_t rtt_ns,
    struct span payload)
{
	struct serf	*s = arg;

	if (s->coord != NULL)
		serf_coord_heard(s, id, rtt_ns, payload);
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
	.changed = serf_on_changed,
	.conflict = on_conflict,
	.user = on_user,
	.ack_write = on_ack_write,
	.ack_read = on_ack_read,
	.state_write = serf_state_write,
	.state_read = serf_state_read,
	.note = on_note,
};

/* ---- life ---- */

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
	TAILQ_INIT(&s->asked);
	LIST_INIT(&s->key_asks);
	wb_init(&s->ack, 0);
	wb_init(&s->msg, 0);
	if (conf->coordinates)
		serf_coord_start(s, rng_next(&s->rng));
	return s;
}

void
serf_free(struct serf *s)
{
	if (s == NULL)
		return;
	serf_keys_clear(s);
	serf_ask_clear(s);
	serf_events_clear(s);
	serf_queries_clear(s);
	serf_coord_stop(s);
	serf_members_clear(s);
	swim_free(s->swim);
	wb_free(&s->ack);
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
		serf_send_join(s);
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
	(void)serf_leave_intent(s, &m, false);
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
	if (serf_member_find(s, name) == NULL)
		return -1;
	send_leave_intent(s, name, erase, false);
	return 0;
}

/* ---- the clock ---- */

void
serf_tick(struct serf *s, uint64_t now)
{
	s->now = now;
	swim_tick(s->swim, now);
	leave_tick(s);
	serf_ask_tick(s);
	if (now >= s->reap_at) {
		s->reap_at = now + s->conf.reap_interval_ns;
		serf_reap(s);
	}
	if (now >= s->reconnect_at) {
		s->reconnect_at = now + s->conf.reconnect_interval_ns;
		serf_reconnect(s);
	}
}

uint64_t
serf_next(struct serf *s, uint64_t now)
{
	uint64_t	at = swim_next(s->swim, now), ask = serf_ask_next(s);

	at = ask < at ? ask : at;
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

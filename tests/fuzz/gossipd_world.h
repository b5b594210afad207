/*
 * A Serf core among three, as fuzzers see it: nobody at the other end, and
 * rules for what it may do, whatever it is told.
 */
#ifndef GOSSIPD_WORLD_H
#define GOSSIPD_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "common/mp.h"
#include "common/util.h"
#include "gossipd/consul.h"
#include "gossipd/packet.h"
#include "gossipd/serf.h"

struct world {
	struct idents	*idents;
	struct serf	*serf;
	struct keyring	*ring;
	struct layers	*layers;	/* NULL: nothing is sealed */
	struct gaddr	 from;
	uint64_t	 now;
	struct wbuf	 out;
	unsigned	 saves;
	uint32_t	 probe_seq;	/* last ping to a member */
	uint64_t	 ask_ltime;	/* last query of our own */
	uint32_t	 ask_id;
};

static void
world_watch(struct world *w, const uint8_t *p, size_t n)
{
	struct ml_ping	ping;
	struct sf_query	q;
	struct rbuf	r;

	rb_init(&r, p + 1, n - 1);
	if (p[0] == ML_PING) {
		body_decode(&ml_ping_body, &r, &ping);
		w->probe_seq = ping.seq;
	} else if (n > 2 && p[0] == ML_USER && p[1] == SF_QUERY) {
		(void)rb_u8(&r);
		body_decode(&sf_query_body, &r, &q);
		if (rb_ok(&r) && span_is(q.src_node, "self")) {
			w->ask_ltime = q.ltime;
			w->ask_id = q.id;
		}
	}
}

/* Parts of a compound, or the message itself. */
static void
world_look(struct world *w, const uint8_t *p, size_t n)
{
	size_t	i, len, at, parts;

	if (p[0] != ML_COMPOUND) {
		world_watch(w, p, n);
		return;
	}
	parts = p[1];
	at = 2 + 2 * parts;
	for (i = 0; i < parts; i++, at += len) {
		len = (size_t)p[2 + 2 * i] << 8 | p[3 + 2 * i];
		if (len == 0 || at + len > n)
			abort();
		world_watch(w, p + at, len);
	}
}

/* Nothing but a relayed ping goes to one that neither asked nor is known. */
static void
world_destination(struct world *w, const struct gaddr *to, const uint8_t *p)
{
	const struct serf_member	*m;
	uint32_t			 i = 0;

	if (to->len == 0)
		abort();
	if (p[0] == ML_PING || memcmp(to->ip, w->from.ip, 4) == 0)
		return;
	while ((m = serf_member_next(w->serf, &i)) != NULL)
		if (gaddr_same(&m->id->addr, to))
			return;
	/* Serf may have forgotten it before SWIM does. */
	if (p[0] == ML_USER && (p[1] == SF_RESPONSE || p[1] == SF_RELAY))
		abort();
}

static void
world_send(void *arg, const struct gaddr *to, bool crc, const uint8_t *p,
    size_t n)
{
	static const uint8_t	 nonce[CRYPT_NONCE];
	struct world		*w = arg;

	if (n == 0)
		abort();
	world_destination(w, to, p);
	world_look(w, p, n);
	if (w->layers == NULL)
		return;
	wb_reset(&w->out);
	if (packet_seal(w->layers, nonce, crc, p, n, &w->out) == -1)
		abort();
}

static void
world_tcp_ping(void *arg, const struct ident *id, uint32_t seq, uint64_t until)
{
	(void)arg, (void)id, (void)seq, (void)until;
}

static void
world_pushpull(void *arg, const struct ident *id, bool join)
{
	(void)arg, (void)id, (void)join;
}

static const char *
world_admit(void *arg, const struct swim_said *a, size_t n, bool join)
{
	struct consul_rules	rules = { .name = "self", .id = "x",
				    .dc = "dc1", .server = true };

	(void)arg, (void)join;
	return n > 0 && a[0].name.n > 0 && a[0].name.p[0] == 'c' ?
	    consul_admit(&rules, a, n) : NULL;
}

static void
world_member(void *arg, enum serf_event ev, const struct serf_member *m)
{
	(void)arg, (void)ev;
	if (m->id == NULL)
		abort();
}

static void
world_event(void *arg, const struct sf_event *e)
{
	(void)arg, (void)e;
}

static void
world_left(void *arg)
{
	(void)arg;
}

static const char *
world_save_keys(void *arg)
{
	struct world	*w = arg;

	return ++w->saves % 3 == 0 ? "disk full" : NULL;
}

static void
world_note(void *arg, enum swim_note level, const char *text)
{
	(void)arg, (void)level;
	if (strlen(text) == 0)
		abort();
}

static const struct serf_ops world_ops = {
	.send = world_send, .tcp_ping = world_tcp_ping,
	.pushpull = world_pushpull, .admit = world_admit,
	.member = world_member, .event = world_event, .left = world_left,
	.save_keys = world_save_keys, .note = world_note,
};

static void
world_message(const uint8_t *p, size_t n, void *arg)
{
	struct world	*w = arg;

	serf_input(w->serf, w->now, &w->from, p, n);
}

static void
world_body(struct world *w, int type, int user, const struct body *b,
    const void *obj)
{
	struct wbuf	msg;

	wb_init(&msg, 0);
	wb_u8(&msg, (uint8_t)type);
	if (user >= 0)
		wb_u8(&msg, (uint8_t)user);
	body_encode(b, obj, &msg);
	world_message(msg.p, msg.len, w);
	wb_free(&msg);
}

static void
world_add(struct world *w, const char *name, uint8_t last)
{
	struct ml_alive	a = {
		.inc = 1, .port = 7946, .node = span_str(name),
		.meta = span_of("\xff\x80", 2), .vsn = span_of(consul_vsn, 6)
	};
	uint8_t		ip[4] = { 127, 0, 0, last };

	a.addr = span_of(ip, sizeof(ip));
	world_body(w, ML_ALIVE, -1, &ml_alive_body, &a);
}

static void
world_init(struct world *w, struct keyring *ring, struct layers *l)
{
	static const uint8_t	meta[] = "\xff\x82\xa4role\xa4node\xa2" "dc\xa3"
				    "dc1";
	struct serf_conf	conf = serf_conf_lan;
	struct gaddr		self = { .ip = { 127, 0, 0, 1 }, .len = 4,
				    .port = 7946 };

	memset(w, 0, sizeof(*w));
	conf.swim = swim_conf_lan;
	conf.ring = ring;
	w->ring = ring;
	w->layers = l;
	w->idents = idents_new();
	w->from = self;
	w->from.ip[3] = 2;
	w->now = NS_PER_S;
	wb_init(&w->out, 0);
	w->serf = serf_new(&conf, w->idents, &world_ops, w, 1);
	serf_start(w->serf, w->now, span_str("self"), &self,
	    span_of(meta, sizeof(meta) - 1), consul_vsn);
	world_add(w, "alpha", 2);
	world_add(w, "beta", 3);
}

static void
world_pass(struct world *w, uint64_t ns)
{
	uint64_t	until = w->now + ns, next;
	unsigned	steps;

	for (steps = 0; steps < 100; steps++) {
		next = serf_next(w->serf, w->now);
		if (next > until)
			break;
		/* What is due may wait for another, but not for ever. */
		w->now = next > w->now ? next : w->now + NS_PER_MS;
		serf_tick(w->serf, w->now);
	}
	if (w->now < until)
		w->now = until;
}

/* Whatever happened, this holds. */
static void
world_check(struct world *w)
{
	struct swim			*swim = serf_swim(w->serf);
	const struct serf_member	*self;
	int				 kind;

	if (swim_incarnation(swim) == 0 || swim_count(swim) == 0 ||
	    swim_count_up(swim) > swim_count(swim) ||
	    swim_health(swim) >= swim_conf_lan.awareness_max)
		abort();
	self = serf_member_find(w->serf, span_str("self"));
	if (self == NULL || (!serf_leaving(w->serf) &&
	    self->status != MEMBER_ALIVE))
		abort();
	for (kind = BC_INTENT; kind < BC_MAX; kind++)
		if (bcast_count(swim_bcast(swim), (enum bcast_kind)kind) >
		    4096 + 2 * serf_count_all(w->serf))
			abort();
	if (!coord_valid(serf_coord(w->serf)))
		abort();
}

static void
world_clear(struct world *w)
{
	world_check(w);
	serf_free(w->serf);
	if (idents_find(w->idents, span_str("self")) != IDENT_NONE)
		abort();
	idents_free(w->idents);
	wb_free(&w->out);
}

#endif

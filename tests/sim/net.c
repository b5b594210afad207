/*
 * What travels between the hosts, and what a core asks of the network.
 *
 *	datagram	arrives after the latency, or is lost
 *	stream		arrives; where streams suffer, too, a lost handshake
 *			costs a second and then twice that, a lost segment
 *			200 ms and then twice that, and 10 s are too long
 *	cut		nothing arrives
 *	blocked host	what arrives waits in its socket, which has an end
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define CRC_BYTES	5
#define SOCKET_BYTES	212992		/* Linux's default, as it counts */
#define SMALL_BYTES	768		/* what it counts for a datagram */
#define LARGE_BYTES	2304
#define LARGE_FROM	448
#define STREAM_GIVE_UP	(10 * NS_PER_S)
#define SYN_AGAIN	(1 * NS_PER_S)
#define SEGMENT_AGAIN	(200 * NS_PER_MS)

/* ---- the network ---- */

static uint64_t
latency(struct sim *s)
{
	double	u = rng_double(&s->rng), v, x;

	if (s->conf.sigma <= 0)
		return (uint64_t)(2 * u * (double)s->conf.latency_ns);
	v = rng_double(&s->rng);
	x = sqrt(-2 * log(1 - u)) * cos(2 * M_PI * v);
	return (uint64_t)((double)s->conf.latency_ns *
	    exp(s->conf.sigma * x));
}

static bool
lost(struct sim *s)
{
	return s->conf.loss > 0 && rng_double(&s->rng) < s->conf.loss;
}

/* How much longer one thing takes that is sent until it arrives. */
static uint64_t
repeats(struct sim *s, uint64_t again)
{
	uint64_t	ns = 0;

	if (!s->conf.lossy_streams)
		return 0;
	for (; lost(s) && ns < STREAM_GIVE_UP; again *= 2)
		ns += again;
	return ns;
}

static uint64_t
connect_time(struct sim *s)
{
	/* The handshake is lost when either half is. */
	uint64_t	ns = repeats(s, SYN_AGAIN) + repeats(s, SYN_AGAIN);

	return latency(s) + latency(s) + ns;
}

static uint64_t
segment_time(struct sim *s)
{
	return latency(s) + repeats(s, SEGMENT_AGAIN);
}

static struct host *
host_at(struct sim *s, const struct gaddr *a)
{
	uint32_t	i = (uint32_t)a->ip[1] << 16 | (uint32_t)a->ip[2] << 8 |
			    a->ip[3];

	return a->len == 4 && a->ip[0] == 10 && a->port == 8301 && i < s->n ?
	    &s->host[i] : NULL;
}

bool
host_hears(const struct host *a, const struct host *b)
{
	return a->part == b->part;
}

static struct item *
item_new(enum item_kind kind, const struct host *from, const struct host *to,
    const void *p, size_t n)
{
	struct item	*x = xmalloc(sizeof(*x) + n);

	memset(x, 0, sizeof(*x));
	x->kind = kind;
	x->from = from->index;
	x->to = to->index;
	x->life = from->life;
	x->n = n;
	if (n > 0)
		memcpy(x->p, p, n);
	return x;
}

static void
post(struct item *x, struct sim *s, uint64_t after)
{
	struct due	d = {
		.at = s->now + after, .item = x, .host = x->to,
		.kind = DUE_ITEM
	};

	heap_push(&s->heap, d);
}

/* From a core; who is blocked holds it back. */
static void
go(struct host *h, struct item *x, uint64_t after)
{
	if (h->blocked_until != 0)
		TAILQ_INSERT_TAIL(&h->outbox, x, link);
	else
		post(x, h->sim, after);
}

void
net_release(struct host *h)
{
	struct item	*x;

	while ((x = TAILQ_FIRST(&h->outbox)) != NULL) {
		TAILQ_REMOVE(&h->outbox, x, link);
		post(x, h->sim, latency(h->sim));
	}
}

static void
stream_count(struct sim *s, size_t n)
{
	s->traffic.streams++;
	s->traffic.stream_bytes += n;
}

/* ---- what a core asks for ---- */

static void
op_send(void *arg, const struct gaddr *addr, bool crc, const uint8_t *p,
    size_t n)
{
	struct host	*h = arg, *to = host_at(h->sim, addr);
	struct sim	*s = h->sim;
	uint8_t		 nonce[CRYPT_NONCE];
	uint64_t	 r;
	size_t		 i;

	if (s->conf.sealed) {
		for (i = 0; i < sizeof(nonce); i++) {
			r = rng_next(&s->rng);
			nonce[i] = (uint8_t)r;
		}
		wb_reset(&s->sealed);
		if (packet_seal(&s->layers, nonce, crc, p, n, &s->sealed) != 0)
			violated(s, INV_QUEUE, "host %u made a message of %zu "
			    "bytes that no packet holds", h->index, n);
		p = s->sealed.p;
		n = s->sealed.len;
		s->traffic.bytes += n;
	} else {
		s->traffic.bytes += n + (crc ? CRC_BYTES : 0);
	}
	s->traffic.datagrams++;
	if (to == NULL || !host_hears(h, to) || lost(s))
		return;
	go(h, item_new(IT_DATAGRAM, h, to, p, n), latency(s));
}

static void
op_tcp_ping(void *arg, const struct ident *id, uint32_t seq, uint64_t until)
{
	struct host	*h = arg, *to = host_at(h->sim, &id->addr);
	struct item	*x;

	stream_count(h->sim, 0);
	if (to == NULL || !host_hears(h, to))
		return;
	x = item_new(IT_PING, h, to, NULL, 0);
	x->seq = seq;
	x->name = sim_name_of(h->sim, id);
	x->until = until;
	go(h, x, connect_time(h->sim) + segment_time(h->sim));
}

void
net_ask(struct host *h, struct host *to, bool join)
{
	struct wbuf	 w;
	struct item	*x;

	if (!host_hears(h, to))
		return;
	wb_init(&w, 0);
	swim_state_write(serf_swim(h->serf), join, false, &w);
	stream_count(h->sim, w.len);
	x = item_new(IT_ASK, h, to, w.p, w.len);
	x->join = join;
	wb_free(&w);
	post(x, h->sim, connect_time(h->sim) + segment_time(h->sim));
}

static void
op_pushpull(void *arg, const struct ident *id, bool join)
{
	struct host	*h = arg, *to = host_at(h->sim, &id->addr);

	if (to != NULL)
		net_ask(h, to, join);
}

static const char *
op_admit(void *arg, const struct swim_said *a, size_t n, bool join)
{
	(void)arg;
	(void)a;
	(void)n;
	(void)join;
	return NULL;
}

static void
op_member(void *arg, enum serf_event ev, const struct serf_member *m)
{
	struct host	*h = arg;
	struct watch	*w = h->sim->watch;

	if (ev == SERF_FAILED)
		check_failed(h, m);
	else if (ev == SERF_REAPED)
		check_reaped(h, m);
	if (w != NULL && w->what == (int)ev &&
	    w->name == sim_name_of(h->sim, m->id))
		watch_hear(h, w);
}

static void
op_event(void *arg, const struct sf_event *e)
{
	struct host	*h = arg;
	struct watch	*w = h->sim->watch;

	h->sim->events++;
	check_event(h, e);
	if (w != NULL && w->what == -1 && span_is(e->name, w->event))
		watch_hear(h, w);
}

static void
op_left(void *arg)
{
	struct host	*h = arg;

	h->left = true;		/* ends when the step is over */
}

static void
op_note(void *arg, enum swim_note level, const char *text)
{
	struct host	*h = arg;
	struct watch	*w = h->sim->watch;
	char		 name[SIM_NAME_LEN];

	if (h->sim->conf.loud) {
		sim_name(h->name, name);
		printf("%12.6f %s: %d %s\n", (double)h->sim->now / NS_PER_S,
		    name, level, text);
	}
	if (w == NULL || w->name == NOBODY || w->suspect_at != 0)
		return;
	sim_name(w->name, name);
	if (strncmp(text, "member ", 7) == 0 &&
	    strncmp(text + 7, name, strlen(name)) == 0 &&
	    strstr(text, "-> suspect") != NULL)
		w->suspect_at = h->sim->now;
}

const struct serf_ops net_ops = {
	.send = op_send, .tcp_ping = op_tcp_ping, .pushpull = op_pushpull,
	.admit = op_admit, .member = op_member, .event = op_event,
	.left = op_left, .note = op_note,
};

/* ---- arrivals ---- */

void
items_clear(struct item_list *list)
{
	struct item	*x;

	while ((x = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, x, link);
		free(x);
	}
}

/* False: its socket is full. */
static bool
inbox_put(struct host *h, struct item *x)
{
	size_t	n;

	n = x->kind != IT_DATAGRAM ? 0 : x->n < LARGE_FROM ? SMALL_BYTES :
	    LARGE_BYTES;
	if (h->inbox_bytes + n > SOCKET_BYTES)
		return false;
	h->inbox_bytes += n;
	TAILQ_INSERT_TAIL(&h->inbox, x, link);
	return true;
}

struct arrival { struct host *to; const struct gaddr *from; };

static void
on_message(const uint8_t *p, size_t n, void *arg)
{
	struct arrival	*a = arg;

	serf_input(a->to->serf, host_clock(a->to), a->from, p, n);
}

static void
on_datagram(struct host *h, const struct item *x)
{
	struct arrival	 a = { h, &h->sim->host[x->from].addr };
	const char	*why;

	why = packet_open(&h->sim->layers, x->p, x->n, on_message, &a);
	if (why != NULL)
		violated(h->sim, INV_QUEUE, "host %u dropped a packet of "
		    "host %u: %s", h->index, x->from, why);
}

/* Its state is answered with ours as it is before the merge. */
static void
on_ask(struct host *h, const struct item *x)
{
	struct host	*from = &h->sim->host[x->from];
	struct wbuf	 w;
	struct item	*y;

	wb_init(&w, 0);
	swim_state_write(serf_swim(h->serf), x->join, false, &w);
	stream_count(h->sim, w.len);
	if (host_hears(h, from)) {
		y = item_new(IT_ANSWER, h, from, w.p, w.len);
		y->life = x->life;
		y->join = x->join;
		post(y, h->sim, segment_time(h->sim));
	}
	wb_free(&w);
	(void)serf_merge(h->serf, host_clock(h), false, x->p, x->n);
}

static void
on_answer(struct host *h, const struct item *x)
{
	if (x->life != h->life)
		return;
	if (serf_merge(h->serf, host_clock(h), x->join, x->p, x->n) != NULL ||
	    !x->join)
		return;
	h->joined = true;
	serf_announce(h->serf, host_clock(h));
}

static void
on_ping(struct host *h, const struct item *x)
{
	struct host	*from = &h->sim->host[x->from];
	struct item	*y;

	if (x->name != h->name || !host_hears(h, from))
		return;
	y = item_new(IT_PONG, h, from, NULL, 0);
	y->life = x->life;
	y->seq = x->seq;
	y->until = x->until;
	post(y, h->sim, segment_time(h->sim));
}

void
net_take(struct host *h, const struct item *x)
{
	h->sim->hash = hash_bytes(&x->kind, sizeof(x->kind),
	    hash_bytes(&x->from, 2 * sizeof(x->from), h->sim->hash ^
	    h->sim->now));
	switch (x->kind) {
	case IT_DATAGRAM:
		on_datagram(h, x);
		return;
	case IT_ASK:
		on_ask(h, x);
		return;
	case IT_ANSWER:
		on_answer(h, x);
		return;
	case IT_PING:
		on_ping(h, x);
		return;
	case IT_PONG:
		if (x->life == h->life && host_clock(h) <= x->until)
			swim_tcp_acked(serf_swim(h->serf), x->seq);
		return;
	}
}

void
net_arrive(struct host *h, struct item *x)
{
	struct sim	*s = h->sim;

	if (h->serf != NULL && host_hears(h, &s->host[x->from])) {
		if (h->blocked_until != 0 && inbox_put(h, x))
			return;
		if (h->blocked_until == 0) {
			net_take(h, x);
			host_settle(h);
		}
	}
	free(x);
}


/*
 * Hosts, their clocks, and the network between them.
 *
 *	datagram	arrives after the latency, or is lost
 *	stream		arrives; where streams suffer, too, a lost handshake
 *			costs a second and then twice that, a lost segment
 *			200 ms and then twice that, and 10 s are too long
 *	cut		nothing arrives
 *	slow		a host that is blocked does nothing; what arrives waits
 *			in its socket, which has an end; then its timers run,
 *			then it reads
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema/schema.h"
#include "gossipd/consul.h"
#include "gossipd/tags.h"
#include "tests/sim/sim.h"

#define CLOCK_START	(1000 * NS_PER_S)
#define CRC_BYTES	5
#define SOCKET_BYTES	212992		/* Linux's default, as it counts */
#define SMALL_BYTES	768		/* what it counts for a datagram */
#define LARGE_BYTES	2304
#define LARGE_FROM	448
#define STREAM_GIVE_UP	(10 * NS_PER_S)
#define SYN_AGAIN	(1 * NS_PER_S)
#define SEGMENT_AGAIN	(200 * NS_PER_MS)
#define JOIN_AGAIN	(1 * NS_PER_S)

/* ---- time ---- */

static uint64_t
clock_at(const struct host *h, uint64_t t)
{
	return h->offset + t + (uint64_t)(int64_t)((double)t * h->skew);
}

uint64_t
host_clock(const struct host *h)
{
	return clock_at(h, h->sim->now);
}

/* The first instant at which the host's clock shows that or later. */
static uint64_t
instant(const struct host *h, uint64_t clock)
{
	uint64_t	t;

	if (clock <= host_clock(h))
		return h->sim->now;
	t = (uint64_t)((double)(clock - h->offset) / (1.0 + h->skew));
	while (t > h->sim->now && clock_at(h, t) >= clock)
		t--;
	while (clock_at(h, t) < clock)
		t++;
	return t;
}

static void
due(struct host *h, enum due_kind kind, uint64_t at, struct item *x)
{
	struct due	d = {
		.at = at, .item = x, .host = h->index, .life = h->life,
		.kind = (uint16_t)kind
	};

	heap_push(&h->sim->heap, d);
}

/* After each step of a host: is all well, and when is it to be called? */
void
host_settle(struct host *h)
{
	uint64_t	next, at;

	if (h->serf == NULL)
		return;
	check_step(h);
	next = serf_next(h->serf, host_clock(h));
	if (next == SWIM_NEVER || h->blocked_until != 0)
		return;
	at = instant(h, next);
	if (at < h->timer_at) {
		h->timer_at = at;
		due(h, DUE_TIMER, at, NULL);
	}
}

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
	post(item_new(IT_DATAGRAM, h, to, p, n), s, latency(s));
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
	post(x, h->sim, connect_time(h->sim) + segment_time(h->sim));
}

static void
ask(struct host *h, struct host *to, bool join)
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
		ask(h, to, join);
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

static const struct serf_ops ops = {
	.send = op_send, .tcp_ping = op_tcp_ping, .pushpull = op_pushpull,
	.admit = op_admit, .member = op_member, .event = op_event,
	.left = op_left, .note = op_note,
};

/* ---- lives ---- */

void
sim_name(uint32_t name, char out[SIM_NAME_LEN])
{
	(void)snprintf(out, SIM_NAME_LEN, "n%05u", name % 100000u);
}

uint32_t
sim_name_of(const struct sim *s, const struct ident *id)
{
	return id->num < s->nby_num ? s->by_num[id->num] : NOBODY;
}

/* Tags of a client agent. */
static void
tags(uint32_t name, unsigned revision, struct wbuf *w)
{
	struct conf_agent	a = { 0 };
	struct strmap		map = { .set = true };
	char			dc[] = "dc1", id[48], rev[16];

	(void)snprintf(id, sizeof(id),
	    "%08x-5a71-4c1e-9d0a-b2c3d4e5f607", name);
	(void)snprintf(rev, sizeof(rev), "%u", revision);
	a.datacenter = dc;
	a.node_id = id;
	consul_tags(&a, &map);
	if (revision > 0)
		strmap_put(&map, "revision", rev);
	tags_encode(&map, w);
	strmap_clear(&map);
}

void
host_start(struct host *h, uint32_t name)
{
	struct sim	*s = h->sim;
	struct wbuf	 meta;
	char		 text[SIM_NAME_LEN];

	h->name = name;
	h->life++;
	h->joined = h->leaving = h->left = h->mute = false;
	h->timer_at = SWIM_NEVER;
	h->disturbed_at = s->now;
	h->serf = serf_new(&s->conf.serf, s->idents, &ops, h,
	    s->conf.seed * 1000003 + (uint64_t)h->life * 100003 + h->index);
	s->nup++;
	sim_name(name, text);
	wb_init(&meta, 0);
	tags(name, 0, &meta);
	check_started(h);
	serf_start(h->serf, host_clock(h), span_str(text), &h->addr,
	    span_of(meta.p, meta.len), consul_vsn);
	wb_free(&meta);
	host_settle(h);
}

static void
inbox_clear(struct host *h)
{
	struct item	*x;

	while ((x = TAILQ_FIRST(&h->inbox)) != NULL) {
		TAILQ_REMOVE(&h->inbox, x, link);
		free(x);
	}
	h->inbox_bytes = 0;
}

static void
stop(struct host *h, bool left)
{
	check_over(h, left);
	serf_free(h->serf);
	h->serf = NULL;
	h->life++;
	h->blocked_until = 0;
	h->slow = false;
	h->sim->nup--;
	inbox_clear(h);
}

void
host_crash(struct host *h)
{
	stop(h, false);
}

void
host_leave(struct host *h)
{
	h->leaving = true;
	serf_leave(h->serf, host_clock(h));
	host_settle(h);
}

void
host_retag(struct host *h, unsigned revision)
{
	struct wbuf	meta;

	wb_init(&meta, 0);
	tags(h->name, revision, &meta);
	swim_set_meta(serf_swim(h->serf), host_clock(h),
	    span_of(meta.p, meta.len));
	wb_free(&meta);
	host_settle(h);
}

const char *
host_fire(struct host *h, const char *name, size_t payload)
{
	static const uint8_t	 zero[SERF_EVENT_MAX];
	const char		*why;

	why = serf_fire(h->serf, host_clock(h), span_str(name),
	    span_of(zero, payload), false);
	host_settle(h);
	return why;
}

void
host_inject(struct host *h, enum ml_type type, const struct body *b,
    const void *obj)
{
	struct wbuf	w;

	wb_init(&w, 0);
	wb_u8(&w, (uint8_t)type);
	body_encode(b, obj, &w);
	serf_input(h->serf, host_clock(h), &h->addr, w.p, w.len);
	wb_free(&w);
	host_settle(h);
}

/* Through any host that is up and has been let in. */
static void
try_join(struct host *h)
{
	struct sim	*s = h->sim;
	struct host	*to;

	if (h->serf == NULL || h->joined || h->leaving)
		return;
	to = &s->host[sim_random_up(s)];
	/* One that has not joined itself would make an island. */
	if (to->joined)
		ask(h, to, true);
	due(h, DUE_JOIN, s->now + JOIN_AGAIN, NULL);
}

void
host_join(struct host *h)
{
	try_join(h);
}

static bool
runs(const struct host *h, uint64_t ns)
{
	return h->serf != NULL && !h->slow && !h->leaving &&
	    h->sim->now - h->disturbed_at >= ns;
}

bool
host_steady(const struct host *a, const struct host *b, uint64_t ns)
{
	return runs(a, ns) && runs(b, ns) && host_hears(a, b) &&
	    a->sim->now - a->sim->network_at >= ns;
}

uint32_t
sim_random_up(struct sim *s)
{
	uint32_t	i;

	do
		i = rng_below(&s->rng, s->n);
	while (s->host[i].serf == NULL || s->host[i].leaving);
	return i;
}

void
sim_cut(struct sim *s, uint32_t i, uint32_t part)
{
	s->host[i].part = part;
	s->network_at = s->now;
}

void
sim_heal(struct sim *s)
{
	uint32_t	i;

	for (i = 0; i < s->n; i++)
		s->host[i].part = 0;
	s->network_at = s->now;
}

/* ---- slow members ---- */

static uint64_t
about(struct sim *s, uint64_t mean)
{
	return s->conf.block_fixed ? mean :
	    (uint64_t)(-log(1 - rng_double(&s->rng)) * (double)mean);
}

void
host_slow(struct host *h, bool slow)
{
	if (slow && !h->slow)
		due(h, DUE_BLOCK, h->sim->now + (uint64_t)(rng_double(
		    &h->sim->rng) * (double)h->sim->conf.run_ns), NULL);
	if (!slow && h->slow)
		h->disturbed_at = h->sim->now;
	h->slow = slow;
}

static void
block(struct host *h)
{
	if (!h->slow)
		return;
	h->blocked_until = h->sim->now + about(h->sim, h->sim->conf.block_ns) +
	    1;
	due(h, DUE_WAKE, h->blocked_until, NULL);
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

/* ---- arrivals ---- */

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

static void
take(struct host *h, const struct item *x)
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

static void
arrive(struct host *h, struct item *x)
{
	struct sim	*s = h->sim;

	if (h->serf != NULL && host_hears(h, &s->host[x->from])) {
		if (h->blocked_until != 0 && inbox_put(h, x))
			return;
		if (h->blocked_until == 0) {
			take(h, x);
			host_settle(h);
		}
	}
	free(x);
}

static void
tick(struct host *h)
{
	if (serf_next(h->serf, host_clock(h)) <= host_clock(h))
		serf_tick(h->serf, host_clock(h));
	host_settle(h);
	if (h->left)
		stop(h, true);
}

static void
wake(struct host *h)
{
	struct item	*x;

	h->blocked_until = 0;
	h->disturbed_at = h->sim->now;
	h->inbox_bytes = 0;
	h->timer_at = SWIM_NEVER;
	tick(h);
	while (h->serf != NULL && (x = TAILQ_FIRST(&h->inbox)) != NULL) {
		TAILQ_REMOVE(&h->inbox, x, link);
		take(h, x);
		host_settle(h);
		free(x);
	}
	if (h->serf != NULL && h->slow)
		due(h, DUE_BLOCK, h->sim->now + about(h->sim,
		    h->sim->conf.run_ns), NULL);
}

static void
handle(struct sim *s, const struct due *d)
{
	struct host	*h = &s->host[d->host];

	if (d->kind == DUE_ITEM) {
		arrive(h, d->item);
		return;
	}
	if (h->serf == NULL || d->life != h->life)
		return;
	switch ((enum due_kind)d->kind) {
	case DUE_TIMER:
		if (d->at != h->timer_at)
			return;
		h->timer_at = SWIM_NEVER;
		if (h->blocked_until == 0)
			tick(h);
		return;
	case DUE_BLOCK:
		block(h);
		return;
	case DUE_WAKE:
		wake(h);
		return;
	case DUE_JOIN:
		try_join(h);
		return;
	case DUE_ITEM:
		return;
	}
}

void
sim_run(struct sim *s, uint64_t ns)
{
	uint64_t	until = s->now + ns;
	struct due	d;

	while (heap_pop(&s->heap, until, &d)) {
		s->now = d.at;
		s->steps++;
		handle(s, &d);
	}
	s->now = until;
}

/* ---- the whole ---- */

void
sim_conf_init(struct sim_conf *c)
{
	memset(c, 0, sizeof(*c));
	c->seed = 1;
	c->latency_ns = NS_PER_MS / 2;
	c->sigma = 0.5;
	c->serf = serf_conf_lan;
	c->serf.swim = swim_conf_lan;
}

static void
host_init(struct sim *s, uint32_t i)
{
	struct host	*h = &s->host[i];

	h->sim = s;
	h->index = i;
	h->name = NOBODY;
	h->addr.len = 4;
	h->addr.ip[0] = 10;
	h->addr.ip[1] = (uint8_t)(i >> 16);
	h->addr.ip[2] = (uint8_t)(i >> 8);
	h->addr.ip[3] = (uint8_t)i;
	h->addr.port = 8301;
	h->skew = s->conf.skew * (2 * rng_double(&s->rng) - 1);
	h->offset = CLOCK_START + (uint64_t)(rng_double(&s->rng) *
	    (double)CLOCK_START);
	h->timer_at = SWIM_NEVER;
	TAILQ_INIT(&h->inbox);
}

struct sim *
sim_new(const struct sim_conf *conf)
{
	static const uint8_t	 key[16] = { 7 };
	struct sim		*s = xcalloc(1, sizeof(*s));
	uint32_t		 i;

	s->conf = *conf;
	s->idents = idents_new();
	rng_seed(&s->rng, conf->seed ^ 0x51d0);
	s->n = conf->hosts;
	s->nnames = 2 * conf->hosts;
	s->host = xcalloc(s->n, sizeof(*s->host));
	s->truth = xcalloc(s->nnames, sizeof(*s->truth));
	s->wronged = xcalloc(s->nnames, sizeof(*s->wronged));
	s->wronged_healthy = xcalloc(s->nnames, sizeof(*s->wronged));
	for (i = 0; i < s->nnames; i++)
		s->truth[i].num = IDENT_NONE;
	for (i = 0; i < s->n; i++)
		host_init(s, i);
	if (conf->sealed) {
		s->ring = keyring_new();
		(void)keyring_add(s->ring, key, sizeof(key));
	}
	layers_init(&s->layers, s->ring);
	if (conf->sealed)
		s->conf.serf.swim.overhead = layers_overhead(&s->layers);
	wb_init(&s->sealed, 0);
	return s;
}

static void
truth_free(struct sim *s, struct truth *t)
{
	uint32_t	i, j;

	for (i = 0; i < t->n; i++) {
		for (j = 0; j < t->life[i].n; j++)
			ident_unref(s->idents, t->life[i].said[j]);
		free(t->life[i].said);
	}
	free(t->life);
}

void
sim_free(struct sim *s)
{
	struct due	d;
	uint32_t	i;

	while (heap_pop(&s->heap, UINT64_MAX, &d))
		if (d.kind == DUE_ITEM)
			free(d.item);
	heap_clear(&s->heap);
	for (i = 0; i < s->n; i++) {
		serf_free(s->host[i].serf);
		inbox_clear(&s->host[i]);
		free(s->host[i].shadow);
		free(s->host[i].tomb);
	}
	for (i = 0; i < s->nnames; i++)
		truth_free(s, &s->truth[i]);
	layers_clear(&s->layers);
	keyring_free(s->ring);
	wb_free(&s->sealed);
	idents_free(s->idents);
	free(s->host);
	free(s->truth);
	free(s->wronged);
	free(s->wronged_healthy);
	free(s->by_num);
	free(s->seen);
	free(s);
}

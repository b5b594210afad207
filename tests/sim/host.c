/*
 * Hosts: their clocks, the lives of members on them, and the loop that calls
 * them when they are due.
 *
 * A slow host is blocked and runs by turns.  Blocked, it does nothing; then
 * its timers run, then it reads what waited.  Or its messages alone wait, both
 * ways, while its clock runs on.
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
#define JOIN_AGAIN	(1 * NS_PER_S)
#define JOIN_TRIES	8	/* to find one */

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

/*
 * As memberlist does when its messages wait: suspicions run out, and one probe
 * starts, to wait for its own ping to go.
 */
static uint64_t
next_of_blocked(struct swim *s)
{
	uint64_t	next = suspicion_next(s);

	return s->probe.phase == PROBE_IDLE && s->probe_at < next ?
	    s->probe_at : next;
}

static void
tick_of_blocked(struct swim *s, uint64_t now)
{
	suspicion_tick(s, now);
	if (s->probe.phase == PROBE_IDLE && now >= s->probe_at)
		swim_probe_tick(s, now);
}

/* After each step of a host: is all well, and when is it to be called? */
void
host_settle(struct host *h)
{
	uint64_t	next, at;

	if (h->serf == NULL)
		return;
	check_step(h);
	if (h->blocked_until == 0)
		next = serf_next(h->serf, host_clock(h));
	else if (h->sim->conf.messages_only)
		next = next_of_blocked(serf_swim(h->serf));
	else
		return;
	if (next == SWIM_NEVER)
		return;
	at = instant(h, next);
	if (at < h->timer_at) {
		h->timer_at = at;
		due(h, DUE_TIMER, at, NULL);
	}
}

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
	h->serf = serf_new(&s->conf.serf, s->idents, &net_ops, h,
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
stop(struct host *h, bool left)
{
	check_over(h, left);
	serf_free(h->serf);
	h->serf = NULL;
	h->life++;
	h->blocked_until = 0;
	h->slow = false;
	h->sim->nup--;
	items_clear(&h->inbox);
	items_clear(&h->outbox);
	h->inbox_bytes = 0;
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
	int		 tries;

	if (h->serf == NULL || h->joined || h->leaving)
		return;
	/* One that has not joined itself would make an island. */
	for (tries = 0; tries < JOIN_TRIES; tries++) {
		to = &s->host[sim_random_up(s)];
		if (to->joined) {
			net_ask(h, to, true);
			break;
		}
	}
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
		due(h, DUE_BLOCK, h->sim->now + about(h->sim,
		    h->sim->conf.run_ns), NULL);
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
	h->timer_at = SWIM_NEVER;
	host_settle(h);
}

/* ---- the loop ---- */

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
	net_release(h);
	/* Its clock did not stand still, and it has nothing to forgive. */
	if (h->sim->conf.messages_only)
		serf_swim(h->serf)->due = SWIM_NEVER;
	tick(h);
	while (h->serf != NULL && (x = TAILQ_FIRST(&h->inbox)) != NULL) {
		TAILQ_REMOVE(&h->inbox, x, link);
		net_take(h, x);
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
		net_arrive(h, d->item);
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
		else if (s->conf.messages_only) {
			tick_of_blocked(serf_swim(h->serf), host_clock(h));
			host_settle(h);
		}
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
	TAILQ_INIT(&h->outbox);
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
		items_clear(&s->host[i].inbox);
		items_clear(&s->host[i].outbox);
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

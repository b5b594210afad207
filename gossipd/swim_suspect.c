/*
 * Suspicion: how long a suspect has to refute, shortened by each accuser of
 * its own mind (gossip.md 9.9), and the rest of the arithmetic.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossipd/swim_int.h"

#define WHO_MAX		160	/* text of the accusers, for the log */
/* How often a suspect is asked, and how long before the end each time. */
#define ASKS_PER_S	16	/* by us */
#define ASKERS		32	/* about, of one that all suspect */
#define ASK_MAX		3u
#define ASK_EVERY_NS(s)	(2 * (s)->conf.probe_timeout_ns)

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

/* ---- timers ---- */

static int
num_cmp(const struct suspicion *a, const struct suspicion *b)
{
	return a->num < b->num ? -1 : a->num > b->num;
}

static int
due_cmp(const struct suspicion *a, const struct suspicion *b)
{
	if (a->due != b->due)
		return a->due < b->due ? -1 : 1;
	return num_cmp(a, b);
}

#define TREE static __attribute__((unused))
RB_GENERATE_INTERNAL(suspect_tree, suspicion, by_num, num_cmp, TREE)
RB_GENERATE_INTERNAL(due_tree, suspicion, by_due, due_cmp, TREE)

struct suspicion *
suspicion_find(struct swim *s, uint32_t num)
{
	struct suspicion	key = { .num = num };

	return RB_FIND(suspect_tree, &s->suspects, &key);
}

static void
suspicion_drop(struct swim *s, struct suspicion *x)
{
	RB_REMOVE(suspect_tree, &s->suspects, x);
	RB_REMOVE(due_tree, &s->dues, x);
	free(x->who);
	free(x);
}

void
suspicion_cancel(struct swim *s, const struct sview *v)
{
	struct suspicion	*x;

	if (v->state == SWIM_SUSPECT &&
	    (x = suspicion_find(s, v->id->num)) != NULL)
		suspicion_drop(s, x);
}

void
suspicion_clear(struct swim *s)
{
	while (!RB_EMPTY(&s->suspects))
		suspicion_drop(s, RB_ROOT(&s->suspects));
}

/* Their names are for the log alone. */
static void
add_who(struct swim *s, struct suspicion *x, struct span from)
{
	size_t	have = x->who == NULL ? 0 : strlen(x->who);
	char	*more;

	if (s->ops.note == NULL || have > WHO_MAX)
		return;
	(void)xasprintf(&more, "%s%s%.*s", have > 0 ? x->who : "",
	    have > 0 ? ", " : "", (int)from.n, (const char *)from.p);
	free(x->who);
	x->who = more;
}

/*
 * Before it is called dead a suspect is asked: we may have missed its
 * refutation, or it the accusation.
 */
static void
set_due(const struct swim *s, struct suspicion *x)
{
	uint64_t	ns = ASK_EVERY_NS(s) * (ASK_MAX - x->asked);

	x->due = s->conf.second_look && x->fire - x->start > ns ?
	    x->fire - ns : x->fire;
}

static void
ask(struct swim *s, uint64_t now, struct suspicion *x)
{
	struct sview	*v = swim_view_at(s, x->num);
	uint64_t	 left = (x->fire - now) / ASK_EVERY_NS(s);

	RB_REMOVE(due_tree, &s->dues, x);
	x->asked = left + 1 < ASK_MAX - x->asked ? ASK_MAX - (unsigned)left :
	    x->asked + 1;
	set_due(s, x);
	RB_INSERT(due_tree, &s->dues, x);
	/* When half of the cluster is gone there is nobody to ask. */
	if (now / NS_PER_S != s->asked_at) {
		s->asked_at = now / NS_PER_S;
		s->asked = 0;
	}
	if (v != NULL && ++s->asked <= ASKS_PER_S)
		swim_accuse(s, v);
}

void
suspicion_start(struct swim *s, uint64_t now, uint32_t num, struct span from)
{
	unsigned		 mult = s->conf.suspicion_mult, k;
	size_t			 n = swim_size(s);
	struct suspicion	*x;

	k = mult < 2 ? 0 : mult - 2;
	if (n < 2 || n - 2 < k)
		k = 0;
	if (k > SUSPICION_K_MAX)
		k = SUSPICION_K_MAX;
	x = xcalloc(1, sizeof(*x) + (k + 1) * sizeof(x->from[0]));
	x->num = num;
	x->k = k;
	x->min_ns = swim_suspicion_min(mult, n, s->conf.probe_interval_ns);
	x->max_ns = x->min_ns * s->conf.suspicion_max_mult;
	x->start = now;
	x->fire = now + (k < 1 ? x->min_ns : x->max_ns);
	/* The first accuser never counts. */
	x->from[0] = hash_bytes(from.p, from.n, 0);
	add_who(s, x, from);
	set_due(s, x);
	RB_INSERT(suspect_tree, &s->suspects, x);
	RB_INSERT(due_tree, &s->dues, x);
}

bool
suspicion_confirm(struct swim *s, struct suspicion *x, struct span from)
{
	uint64_t	hash = hash_bytes(from.p, from.n, 0);
	unsigned	i;

	if (x->n >= x->k)
		return false;
	for (i = 0; i <= x->n; i++)
		if (x->from[i] == hash)
			return false;
	x->from[++x->n] = hash;
	add_who(s, x, from);
	/* All know of it now, and were all to ask, a slow suspect's socket
	 * would be full of it. */
	if (x->n == x->k && rng_below(&s->rng, (uint32_t)swim_size(s)) >=
	    ASKERS)
		x->asked = ASK_MAX;
	RB_REMOVE(due_tree, &s->dues, x);
	x->fire = x->start +
	    swim_suspicion_total(x->n, x->k, x->min_ns, x->max_ns);
	set_due(s, x);
	RB_INSERT(due_tree, &s->dues, x);
	return true;
}

static void
suspicion_fire(struct swim *s, uint64_t now, struct suspicion *x)
{
	struct sview	*v = swim_view_at(s, x->num);
	struct ml_claim	 c = { .from = ident_name_span(s->self) };
	char		 why[320];

	if (v == NULL || v->state != SWIM_SUSPECT) {
		suspicion_drop(s, x);
		return;
	}
	(void)snprintf(why, sizeof(why), "not refuted in %llu ms, %u of %u "
	    "confirmations, suspected by %s; local health %u",
	    (unsigned long long)((now - x->start) / NS_PER_MS), x->n, x->k,
	    x->who == NULL ? "?" : x->who, s->health);
	c.inc = v->inc;
	c.node = ident_name_span(v->id);
	swim_dead(s, now, &c, why);
}

void
suspicion_tick(struct swim *s, uint64_t now)
{
	struct suspicion	*x;

	while ((x = RB_MIN(due_tree, &s->dues)) != NULL && now >= x->due)
		if (now < x->fire)
			ask(s, now, x);
		else
			suspicion_fire(s, now, x);
}

uint64_t
suspicion_next(struct swim *s)
{
	struct suspicion	*x = RB_MIN(due_tree, &s->dues);

	return x == NULL ? SWIM_NEVER : x->due;
}

/* All by as much: their order stays. */
void
suspicion_shift(struct swim *s, uint64_t by)
{
	struct suspicion	*x;

	RB_FOREACH(x, suspect_tree, &s->suspects) {
		x->start += by;
		x->fire += by;
		x->due += by;
	}
}

/*
 * A cluster that has been up for long: every host knows every other, and
 * nobody has anything left to say.  Merging one state into each would take
 * minutes at 10,000 hosts; the tables are laid down instead, and Serf is told
 * of each member as SWIM would.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static void
shuffle(struct swim *s)
{
	uint32_t	i, j, num;

	for (i = s->n; i-- > 0;) {
		j = rng_below(&s->rng, i + 1);
		num = s->list[i];
		s->list[i] = s->list[j];
		s->list[j] = num;
	}
	s->next = rng_below(&s->rng, s->n);
}

static void
lay_down(struct host *h, uint32_t n)
{
	struct sim	*m = h->sim;
	struct swim	*s = serf_swim(h->serf);
	struct sview	*v;
	struct ident	*id;
	uint64_t	 now = host_clock(h);
	uint32_t	 i, num;

	s->nview = idents_bound(m->idents) + 8;
	s->view = xreallocarray(s->view, s->nview, sizeof(*s->view));
	memset(s->view, 0, s->nview * sizeof(*s->view));
	s->n = s->cap = n;
	s->list = xreallocarray(s->list, s->cap, sizeof(*s->list));
	s->nalive = n - 1;
	ident_unref(m->idents, s->self);
	for (i = 0; i < n; i++) {
		id = swim_self(serf_swim(m->host[i].serf));
		num = id->num;
		v = &s->view[num];
		v->id = ident_ref(id);
		v->state = SWIM_ALIVE;
		v->since = (now / TICK_NS) & 0x3fffffff;
		v->inc = swim_incarnation(serf_swim(m->host[i].serf));
		s->list[i] = num;
		if (i != h->index)
			s->ops.changed(s->arg, SWIM_JOIN, id);
	}
	shuffle(s);
	s->due = SWIM_NEVER;
	bcast_prune(s->bcast, BC_MEMBER, 0);
	/* The first exchange comes after a random part of its long interval. */
	s->pushpull_at = now + (uint64_t)(rng_double(&s->rng) *
	    (double)swim_pushpull_scale(s->conf.pushpull_interval_ns, s->n));
}

void
sim_prime(struct sim *m, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
		host_start(&m->host[i], i);
	for (i = 0; i < n; i++) {
		lay_down(&m->host[i], n);
		m->host[i].joined = true;
		m->host[i].disturbed_at = 0;
		host_settle(&m->host[i]);
	}
	sim_run(m, 0);
}

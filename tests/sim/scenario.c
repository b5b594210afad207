/*
 * Runs that must end well.  In each every view is checked after every step;
 * at the end all views must agree with the truth within a time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

static const uint64_t second = NS_PER_S;

static void
agreed(struct sim *s, uint64_t seconds)
{
	uint64_t	ns = check_agree(s, seconds * second);

	printf("    agreed after %.2f s more\n", (double)ns / NS_PER_S);
}

/* Starts a member of that name and lets it join. */
static void
arrive(struct sim *s, uint32_t host, uint32_t name)
{
	host_start(&s->host[host], name);
	host_join(&s->host[host]);
}

/* Up, not about to leave, and not the first, which others join through. */
static struct host *
pick(struct sim *s)
{
	uint32_t	i;

	do
		i = sim_random_up(s);
	while (i == 0);
	return &s->host[i];
}

static void
storm_run(struct sim *s)
{
	uint32_t	i;

	host_start(&s->host[0], 0);
	s->host[0].joined = true;
	for (i = 1; i < s->n; i++) {
		arrive(s, i, i);
		sim_run_ms(s, 10);
	}
	/* Who missed one in the crowd has it from the second exchange. */
	agreed(s, 300);
}

static void
partition_run(struct sim *s)
{
	uint32_t	i;

	sim_prime(s, s->n);
	sim_run(s, 5 * second);
	for (i = 0; i < s->n; i++)
		sim_cut(s, i, i < s->n * 2 / 5);
	/* Long enough for each side to have reaped the other. */
	sim_run(s, 150 * second);
	host_retag(&s->host[1], 1);
	host_crash(&s->host[2]);
	sim_heal(s);
	agreed(s, 600);
}

static void
flicker_run(struct sim *s)
{
	uint32_t	i, round;

	sim_prime(s, s->n);
	for (round = 0; round < 8; round++) {
		for (i = 0; i < s->n; i++)
			sim_cut(s, i, rng_below(&s->rng, 4));
		sim_run_ms(s, 1000 + rng_below(&s->rng, 15000));
		sim_heal(s);
		sim_run_ms(s, 1000 + rng_below(&s->rng, 15000));
		host_retag(pick(s), round + 1);
	}
	agreed(s, 300);
}

static void
loss_conf(struct sim_conf *c)
{
	c->loss = 0.2;
	c->no_wrong = true;
}

static void
loss_run(struct sim *s)
{
	uint32_t	i;

	sim_prime(s, s->n);
	for (i = 0; i < 16; i++) {
		if (i == 8) {
			/* One probe of eight fails now, connections too: all
			 * gossip is accusation and refutation. */
			s->conf.loss = 0.3;
			s->conf.no_wrong = false;
		}
		sim_run(s, 8 * second);
		host_retag(pick(s), i + 1);
	}
	printf("    %llu members wrongly failed at 30 %%, in %llu views\n",
	    (unsigned long long)s->wrong.members,
	    (unsigned long long)s->wrong.views);
	s->conf.loss = 0;
	agreed(s, 120);
}

static void
slow_conf(struct sim_conf *c)
{
	c->block_ns = 8 * second;
	c->run_ns = 2 * second;
}

static void
slow_run(struct sim *s)
{
	uint32_t	i;

	sim_prime(s, s->n);
	for (i = 0; i < s->n / 10; i++)
		host_slow(&s->host[i * 10], true);
	sim_run(s, 180 * second);
	for (i = 0; i < s->n; i++)
		host_slow(&s->host[i], false);
	printf("    %llu failures told of members that were healthy, "
	    "%llu of slow ones\n", (unsigned long long)s->wrong.views,
	    (unsigned long long)s->wrong.slow);
	agreed(s, 180);
}

/* Two hosts crash and come back, half of the time with names exchanged. */
static void
swap(struct sim *s)
{
	struct host	*a = pick(s), *b = pick(s);
	uint32_t	 na = a->name, nb = b->name;

	if (a == b)
		return;
	host_crash(a);
	host_crash(b);
	sim_run_ms(s, rng_below(&s->rng, 20000));
	if (rng_below(&s->rng, 2) == 0) {
		na = b->name;
		nb = a->name;
	}
	arrive(s, a->index, na);
	arrive(s, b->index, nb);
}

static void
restart_run(struct sim *s)
{
	uint32_t	i;

	sim_prime(s, s->n);
	for (i = 0; i < 30; i++)
		swap(s);
	for (i = 0; i < s->n / 10; i++)
		host_crash(pick(s));
	agreed(s, 600);
}

static void
leave_conf(struct sim_conf *c)
{
	c->loss = 0.3;
}

static void
leave_run(struct sim *s)
{
	uint32_t	i;

	sim_prime(s, s->n);
	sim_run(s, 2 * second);
	for (i = 0; i < s->n / 4; i++) {
		host_leave(pick(s));
		sim_run_ms(s, rng_below(&s->rng, 1000));
	}
	s->conf.loss = 0;
	agreed(s, 120);
	/* Past the time at which SWIM forgets them. */
	sim_run(s, 90 * second);
	agreed(s, 1);
	for (i = 0; i < s->n; i++)
		if (s->host[i].serf == NULL)
			arrive(s, i, s->host[i].name);
	/* A leave told on late, as a newer one, is refuted when the member
	 * hears of it: by an exchange of state, every 90 s. */
	agreed(s, 300);
}

static void
skew_conf(struct sim_conf *c)
{
	c->skew = 0.1;
	c->loss = 0.05;
	c->no_wrong = true;
}

static void
skew_run(struct sim *s)
{
	uint32_t	i;

	sim_prime(s, s->n);
	for (i = 0; i < 10; i++) {
		sim_run(s, 9 * second);
		host_retag(pick(s), i + 1);
		host_crash(pick(s));
	}
	agreed(s, 120);
}

#define FLOOD 3000

static void
flood_run(struct sim *s)
{
	char		name[16];
	uint32_t	i;

	s->nseen = FLOOD;
	s->seen = xcalloc((size_t)s->n * FLOOD, 1);
	sim_prime(s, s->n);
	for (i = 0; i < FLOOD; i++) {
		(void)snprintf(name, sizeof(name), "e%u", i);
		(void)host_fire(&s->host[sim_random_up(s)], name,
		    rng_below(&s->rng, 300));
		if (i % 100 == 0)
			host_retag(pick(s), i + 1);
		sim_run_ms(s, 5);
	}
	sim_run(s, 60 * second);
	printf("    %.1f %% of %u events a host\n",
	    100.0 * (double)s->events / FLOOD / s->n, FLOOD);
	agreed(s, 60);
}

/* All of it at once, in an order that the seed gives. */
static void
mixed_conf(struct sim_conf *c)
{
	c->loss = 0.1;
	c->skew = 0.01;
	c->block_ns = 5 * second;
	c->run_ns = 3 * second;
}

static void
mishap(struct sim *s, unsigned *revision)
{
	struct host	*h = pick(s);

	switch (rng_below(&s->rng, 9)) {
	case 0:
		host_crash(h);
		break;
	case 1:
		/* Who cannot say that it leaves has failed. */
		if (h->part == 0 && !h->slow)
			host_leave(h);
		break;
	case 2:
	case 3:
		host_slow(h, !h->slow);
		break;
	case 4:
		if (s->nup > s->n / 2)
			swap(s);
		break;
	case 5:
		sim_cut(s, h->index, 1);
		break;
	case 6:
		sim_heal(s);
		break;
	case 7:
		host_retag(h, ++*revision);
		break;
	case 8:
		(void)host_fire(h, "deploy", 100);
		break;
	}
}

static void
mixed_run(struct sim *s)
{
	unsigned	revision = 0;
	uint32_t	i, j;

	sim_prime(s, s->n);
	for (i = 0; i < 120; i++) {
		if (s->nup > s->n * 2 / 3)
			mishap(s, &revision);
		for (j = 0; j < s->n; j++)
			if (s->host[j].serf == NULL &&
			    rng_below(&s->rng, 40) == 0)
				arrive(s, j, s->host[j].name);
		sim_run_ms(s, rng_below(&s->rng, 4000));
	}
	sim_heal(s);
	for (i = 0; i < s->n; i++)
		host_slow(&s->host[i], false);
	agreed(s, 900);
}

const struct scenario scenarios[] = {
	{ "storm", 150, NULL, storm_run,
	    "hosts join one every 10 ms" },
	{ "partition", 100, NULL, partition_run,
	    "two parts reap each other, then the network heals" },
	{ "flicker", 100, NULL, flicker_run,
	    "short cuts into four parts, again and again" },
	{ "loss", 150, loss_conf, loss_run,
	    "20 % loss: nobody fails by that; 30 %: all agree afterwards" },
	{ "slow", 128, slow_conf, slow_run,
	    "a tenth of the members stand still most of the time" },
	{ "restart", 80, NULL, restart_run,
	    "crashes and restarts, names at others' addresses" },
	{ "leave", 100, leave_conf, leave_run,
	    "a quarter leaves under 30 % loss, and comes back" },
	{ "skew", 100, skew_conf, skew_run,
	    "clocks up to 10 % fast or slow" },
	{ "flood", 60, NULL, flood_run,
	    "200 user events a second, and tags that change" },
	{ "mixed", 80, mixed_conf, mixed_run,
	    "all of it, in the order that the seed gives" },
};
const size_t nscenarios = NELEM(scenarios);

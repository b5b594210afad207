/*
 * False positives: members that run, and are said to have failed, because
 * others stand still for a while and take the silence for theirs.  As in
 * "Lifeguard: Local Health Awareness for More Accurate Failure Detection"
 * (Dadgar, Phillips, Currey 2018), which this is measured against: suspicion
 * multiplier 5; the slow members stand still for a time, run for another, and
 * so on, all at the same time; sums over a grid of both times.  Its members
 * are slow in that their messages wait, both ways, while their clocks run on;
 * ours, of one thread, more often stand still altogether: both are measured.
 *
 *	SWIM		no local health, suspicion of a fixed time, no buddy
 *	Lifeguard	with all three, as memberlist has it
 *	disco		and a second look: who stood still forgives what was due
 *			meanwhile, old news are set right, suspects are asked
 */
#include <stdio.h>

#include "tests/sim/sim.h"

struct variant { const char *name; bool lifeguard, disco; };
static const struct variant variants[] = {
	{ "SWIM", false, false },
	{ "Lifeguard", true, false },
	{ "disco", true, true },
};
static const unsigned block_ms[] = { 512, 2048, 8192, 16384, 32768 };
static const unsigned run_ms[] = { 1, 16, 64, 256, 1024, 4096, 16384 };
static const uint32_t sizes[] = { 128, 1000 };
/* Percent; the paper ends at 32 of 128. */
static const unsigned shares[] = { 1, 10, 25, 30 };

static void
sum(struct wrong *to, const struct wrong *w)
{
	to->views += w->views;
	to->views_healthy += w->views_healthy;
	to->members += w->members;
	to->members_healthy += w->members_healthy;
	to->slow += w->slow;
}

static void
measure(const struct sim_conf *c, unsigned share, unsigned seconds,
    struct wrong *total)
{
	struct sim	*s = sim_new(c);
	uint32_t	 i, nslow = (c->hosts * share + 50) / 100;

	s->replay = "(a table)";
	sim_prime(s, c->hosts);
	sim_run_ms(s, 1000);
	for (i = 0; i < nslow; i++)
		host_slow(&s->host[i * (c->hosts / nslow)], true);
	sim_run_ms(s, (uint64_t)seconds * 1000);
	sum(total, &s->wrong);
	sim_free(s);
}

static struct wrong
measure_grid(const struct table_opts *o, uint32_t hosts, bool messages_only,
    unsigned share, const struct variant *v)
{
	struct sim_conf	 c = o->conf;
	struct swim_conf *w = &c.serf.swim;
	struct wrong	 total = { 0 };
	size_t		 i, j;

	c.hosts = hosts;
	c.block_fixed = true;
	c.messages_only = messages_only;
	w->suspicion_mult = 5;
	if (!v->lifeguard) {
		w->awareness_max = 1;
		w->suspicion_max_mult = 1;
		w->buddy = false;
	}
	if (!v->disco) {
		w->stall_ns = 0;
		w->second_look = false;
	}
	for (i = 0; i < NELEM(block_ms); i++)
		for (j = 0; j < NELEM(run_ms); j++) {
			if (o->conf.block_ns == 0)
				c.block_ns = block_ms[i] * NS_PER_MS;
			if (o->conf.run_ns == 0)
				c.run_ns = run_ms[j] * NS_PER_MS;
			measure(&c, share, o->seconds, &total);
			if (o->conf.block_ns != 0 && o->conf.run_ns != 0)
				return total;
		}
	return total;
}

static void
print_rate(uint64_t n, uint64_t base, double hours)
{
	printf(" %9.0f", (double)n / hours);
	if (n == 0)
		printf(" %7s", base == 0 ? "" : "none");
	else
		printf(" %6.0fx", (double)base / (double)n);
}

static void
print_row(const struct wrong *r, const struct wrong *base, double hours)
{
	print_rate(r->views, base->views, hours);
	print_rate(r->views_healthy, base->views_healthy, hours);
	print_rate(r->members, base->members, hours);
	print_rate(r->members_healthy, base->members_healthy, hours);
	printf(" %9.0f\n", (double)r->slow / hours);
	(void)fflush(stdout);
}

static void
part(const struct table_opts *o, uint32_t hosts, bool messages_only,
    double hours)
{
	struct wrong	swim = { 0 }, r;
	size_t		i, k;

	for (i = 0; i < NELEM(shares); i++)
		for (k = 0; k < NELEM(variants); k++) {
			r = measure_grid(o, hosts, messages_only, shares[i],
			    &variants[k]);
			if (k == 0)
				swim = r;
			printf("%6u %3u %%  %-8s  %-9s", hosts, shares[i],
			    messages_only ? "messages" : "all",
			    variants[k].name);
			print_row(&r, &swim, hours);
		}
}

void
table_slow(const struct table_opts *o)
{
	bool	one = o->conf.block_ns != 0 && o->conf.run_ns != 0;
	double	hours = o->seconds / 3600.0 * (one ? 1 :
		    NELEM(block_ms) * NELEM(run_ms));
	size_t	i;
	int	messages_only;

	printf("false positives per hour, and how many times fewer than "
	    "SWIM's\n%6s %5s  %-8s  %-9s %17s %17s %17s %17s %9s\n", "hosts",
	    "slow", "waits", "", "in all views", "at healthy ones", "members",
	    "by healthy ones", "slow ones");
	for (i = 0; i < NELEM(sizes); i++)
		for (messages_only = 1; messages_only >= 0; messages_only--)
			if (o->hosts == 0 || o->hosts == sizes[i])
				part(o, sizes[i], messages_only, hours);
}

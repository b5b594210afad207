/*
 * False positives: members that run, and are said to have failed, because
 * others stand still for a while and take the silence for theirs.  As in
 * "Lifeguard: Local Health Awareness for More Accurate Failure Detection"
 * (Dadgar, Phillips, Currey 2018): suspicion multiplier 5; the slow members
 * stand still and run by turns.
 *
 *	SWIM		no local health, suspicion of a fixed time, no buddy
 *	Lifeguard	with all three, as memberlist has it
 *	disco		and what stood still forgives what was due meanwhile
 */
#include <stdio.h>

#include "tests/sim/sim.h"

struct variant { const char *name; bool lifeguard; bool forgives; };
static const struct variant variants[] = {
	{ "SWIM", false, false },
	{ "Lifeguard", true, false },
	{ "disco", true, true },
};
static const uint32_t sizes[] = { 128, 1000 };
static const unsigned shares[] = { 1, 10, 30 };	/* percent */

static struct wrong
measure(const struct table_opts *o, uint32_t hosts, unsigned share,
    const struct variant *v)
{
	struct sim_conf	 c = o->conf;
	struct swim_conf *w = &c.serf.swim;
	struct wrong	 wrong;
	struct sim	*s;
	uint32_t	 i, nslow = (hosts * share + 50) / 100;

	c.hosts = hosts;
	if (!v->lifeguard) {
		w->awareness_max = 1;
		w->suspicion_max_mult = 1;
		w->buddy = false;
	}
	if (!v->forgives)
		w->stall_ns = 0;
	s = sim_new(&c);
	s->replay = "(a table)";
	sim_prime(s, hosts);
	sim_run_ms(s, 1000);
	for (i = 0; i < nslow; i++)
		host_slow(&s->host[i * (hosts / nslow)], true);
	sim_run_ms(s, (uint64_t)o->seconds * 1000);
	wrong = s->wrong;
	sim_free(s);
	return wrong;
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

void
table_slow(const struct table_opts *o)
{
	double		 hours = o->seconds / 3600.0;
	struct wrong	 swim = { 0 }, r;
	size_t		 i, j, k;

	printf("false positives per hour among members that stand still %.1f s"
	    " and run %.1f s%s by turns, and how many times fewer than SWIM\n"
	    "%6s %5s  %-9s %17s %17s %17s %17s %9s\n",
	    (double)o->conf.block_ns / NS_PER_S,
	    (double)o->conf.run_ns / NS_PER_S,
	    o->conf.block_fixed ? "" : " on average", "hosts", "slow", "",
	    "in all views", "at healthy ones", "members", "by healthy ones",
	    "slow ones");
	for (i = 0; i < NELEM(sizes); i++)
		for (j = 0; j < NELEM(shares); j++)
			for (k = 0; k < NELEM(variants); k++) {
				if (o->hosts != 0 && o->hosts != sizes[i])
					continue;
				r = measure(o, sizes[i], shares[j],
				    &variants[k]);
				if (k == 0)
					swim = r;
				printf("%6u %3u %%  %-9s", sizes[i],
				    shares[j], variants[k].name);
				print_rate(r.views, swim.views, hours);
				print_rate(r.views_healthy,
				    swim.views_healthy, hours);
				print_rate(r.members, swim.members, hours);
				print_rate(r.members_healthy,
				    swim.members_healthy, hours);
				printf(" %9.0f\n", (double)r.slow / hours);
				(void)fflush(stdout);
			}
}

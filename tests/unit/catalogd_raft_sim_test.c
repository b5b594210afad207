/*
 * Runs of the simulation of catalogd_raft_sim.h, and Figure 8 by hand.
 * RAFT_SIM_SEEDS says how many of each kind; RAFT_SIM_SEED runs one alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/catalogd_raft_sim_i.h"
#include "tests/unit/common_unit.h"

static unsigned
seeds(unsigned fallback)
{
	const char *v = getenv("RAFT_SIM_SEEDS");

	return v != NULL ? (unsigned)strtoul(v, NULL, 10) : fallback;
}

static void
run_seeds(struct sim_conf c, unsigned n)
{
	const char *one = getenv("RAFT_SIM_SEED");
	struct sim_result r, sum;
	unsigned i;

	memset(&sum, 0, sizeof(sum));
	for (i = 1; i <= n; i++) {
		c.seed = one != NULL ? strtoull(one, NULL, 10) : i;
		sim_run(&c, &r);
		ck_assert_msg(r.broken == NULL, "%u servers, seed %llu: %s "
		    "(at %llu ms)", c.servers, (unsigned long long)c.seed,
		    r.broken, (unsigned long long)r.broken_ms);
		sum.entries += r.entries;
		sum.acked += r.acked;
		sum.elections += r.elections;
		sum.crashes += r.crashes;
		sum.installs += r.installs;
		sum.changes += r.changes;
		sum.confirms += r.confirms;
	}
	if (getenv("RAFT_SIM_SEEDS") != NULL)
		printf("# %u servers, %u runs: %llu entries, %llu acked, %llu "
		    "elections, %llu crashes, %llu snapshots sent, %llu "
		    "changes, %llu confirmed\n", c.servers, n,
		    (unsigned long long)sum.entries,
		    (unsigned long long)sum.acked,
		    (unsigned long long)sum.elections,
		    (unsigned long long)sum.crashes,
		    (unsigned long long)sum.installs,
		    (unsigned long long)sum.changes,
		    (unsigned long long)sum.confirms);
	/* A test in which nothing happens says nothing. */
	ck_assert_uint_gt(sum.acked, 100);
	ck_assert_uint_gt(sum.elections, n);
	ck_assert_uint_gt(sum.crashes, n);
	ck_assert_uint_gt(sum.confirms, n);
}

START_TEST(three_servers_agree_over_connections_that_break)
{
	struct sim_conf c = { .servers = 3, .first = 3, .ms = 20000,
	    .ordered = true, .faults = true };

	run_seeds(c, seeds(40));
}
END_TEST

START_TEST(five_servers_agree_whatever_the_network_does)
{
	struct sim_conf c = { .servers = 5, .first = 5, .ms = 20000,
	    .faults = true };

	run_seeds(c, seeds(25));
}
END_TEST

START_TEST(memberships_change_under_faults)
{
	struct sim_conf c = { .servers = 7, .first = 3, .ms = 20000,
	    .ordered = true, .faults = true, .membership = true };

	run_seeds(c, seeds(25));
}
END_TEST

START_TEST(memberships_change_whatever_the_network_does)
{
	struct sim_conf c = { .servers = 5, .first = 1, .ms = 20000,
	    .faults = true, .membership = true };

	run_seeds(c, seeds(25));
}
END_TEST

/* The control: the checks find a server that lies about its disk. */
START_TEST(acknowledging_before_it_is_durable_is_found)
{
	struct sim_conf c = { .servers = 3, .first = 3, .ms = 20000,
	    .ordered = true, .faults = true, .lies = true };
	struct sim_result r;
	unsigned found = 0;

	for (c.seed = 1; c.seed <= 10; c.seed++) {
		sim_run(&c, &r);
		found += r.broken != NULL;
	}
	ck_assert_uint_gt(found, 0);
}
END_TEST

/* ---- Figure 8 of the paper, step by step ---- */

#define STEP_MS 5000

static struct node *
leader_of(struct sim *s)
{
	struct node *l = NULL, *n;
	unsigned i;

	for (i = 0; i < s->conf.servers; i++) {
		n = &s->node[i];
		if (n->up && rcore_state(n->c) == RCORE_LEADER &&
		    (l == NULL || rcore_term(n->c) > rcore_term(l->c)))
			l = n;
	}
	return l;
}

/* Those, and nobody else, hear each other. */
static void
only(struct sim *s, unsigned set)
{
	unsigned i;

	for (i = 0; i < s->conf.servers; i++)
		s->side[i] = (set & 1u << i) != 0 ? 0 : 1 + (int)i;
}

/* Runs until one of those leads in a term above that one. */
static struct node *
elected(struct sim *s, unsigned set, uint64_t above)
{
	uint64_t limit = s->now + STEP_MS;
	struct node *l;

	only(s, set);
	do {
		sim_step(s);
		l = leader_of(s);
		if (l != NULL && (set & 1u << l->i) != 0 &&
		    rcore_term(l->c) > above)
			return l;
	} while (s->now < limit && s->res->broken == NULL);
	ck_abort_msg("no leader");
}

static void
run_ms(struct sim *s, uint64_t ms)
{
	for (ms += s->now; s->now < ms; )
		sim_step(s);
}

/* Down for as long as it is to be. */
static void
stop(struct node *n)
{
	node_crash(n);
	n->down_until = UINT64_MAX;
}

/* What it has is durable, and nothing leaves it. */
static void
run_disk(struct node *n)
{
	while (n->jobs != NULL) {
		n->jobs->at = n->sim->now;
		node_disk_run(n);
	}
}

/*
 * A writes on B too and stops.  C is elected by the others, writes on itself
 * alone and stops.  A or B is elected and gives D what A wrote, not what it
 * wrote itself: most have the entry now, nobody may believe it committed.  For
 * C comes back, has the higher term, and is elected by those without A and B.
 */
static void
figure_8(bool counts, struct sim_result *r)
{
	struct sim_conf c = { .seed = 8, .servers = 5, .first = 5,
	    .ordered = true, .counts = counts };
	struct sim *s = sim_new(&c, r);
	struct node *a, *b, *x, *l;
	unsigned rest;

	a = elected(s, 31, 0);
	run_ms(s, 200);
	b = &s->node[(a->i + 1) % 5];
	rest = 31u & ~(1u << a->i | 1u << b->i);
	s->quiet = true;
	only(s, 1u << a->i | 1u << b->i);
	sim_propose(a);
	run_ms(s, 20);
	stop(a);
	/* Nobody hears of the entry that each writes when elected. */
	x = elected(s, rest, rcore_term(b->c));
	run_disk(x);
	stop(x);
	a->down_until = 0;
	l = elected(s, 31u & ~(1u << x->i), x->term);
	ck_assert(l == a || l == b);
	s->mute_term = rcore_term(l->c);
	run_ms(s, 200);
	stop(a);
	stop(b);
	s->mute_term = 0;
	x->down_until = 0;
	ck_assert(elected(s, rest, x->term) == x);
	a->down_until = b->down_until = 0;
	only(s, 31);
	run_ms(s, 2000);
	sim_end(s);
}

START_TEST(entry_of_an_older_term_that_most_have_may_be_replaced)
{
	struct sim_result r;

	figure_8(false, &r);
	ck_assert_msg(r.broken == NULL, "%s", r.broken);
	/* The control: a leader that counts, and another entry comes later. */
	figure_8(true, &r);
	ck_assert_ptr_nonnull(r.broken);
}
END_TEST

UNIT_MAIN("catalogd_raft_sim",
    three_servers_agree_over_connections_that_break,
    five_servers_agree_whatever_the_network_does,
    memberships_change_under_faults,
    memberships_change_whatever_the_network_does,
    acknowledging_before_it_is_durable_is_found,
    entry_of_an_older_term_that_most_have_may_be_replaced)

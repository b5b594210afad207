/*
 * Figures of a cluster at work: how fast news spread, how fast a crash is
 * seen, what it costs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

#define SETTLE_MS	8000	/* until nobody repeats the last thing */
#define STEP_MS		100
#define RUNS_MAX	64u

static const uint32_t sizes[] = { 100, 1000, 10000 };
static const double losses[] = { 0, 0.05, 0.3 };

struct series { uint64_t v[RUNS_MAX]; unsigned n; };

static int
cmp_u64(const void *a, const void *b)
{
	uint64_t	x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
series_add(struct series *r, uint64_t v)
{
	if (r->n < RUNS_MAX)
		r->v[r->n++] = v;
}

static void
seconds(const char *before, uint64_t ns)
{
	if (ns == SWIM_NEVER)
		printf("%s never", before);
	else
		printf("%s%6.2f", before, (double)ns / NS_PER_S);
}

static void
series_print(struct series *r)
{
	qsort(r->v, r->n, sizeof(r->v[0]), cmp_u64);
	seconds("  ", r->v[r->n / 2]);
	seconds(" / ", r->v[r->n - 1]);
}

static struct sim *
cluster(const struct table_opts *o, uint32_t hosts, uint32_t spare, double loss)
{
	struct sim_conf	 c = o->conf;
	struct sim	*s;

	c.hosts = hosts + spare;
	c.loss = loss;
	s = sim_new(&c);
	s->replay = "(a table)";
	sim_prime(s, hosts);
	sim_run_ms(s, 2000 + rng_below(&s->rng, 1000));
	return s;
}

/* Until that many have heard, or it takes too long. */
static void
wait_for(struct sim *s, const struct watch *w, uint32_t hosts, unsigned secs)
{
	uint64_t	until = s->now + secs * (uint64_t)NS_PER_S;

	while (w->n < hosts && s->now < until)
		sim_run_ms(s, STEP_MS);
}

/* ---- news ---- */

enum news { NEWS_EVENT, NEWS_TAGS, NEWS_MEMBER, NEWS_MAX };
static const char *const news_name[NEWS_MAX] = {
	"event", "tags", "member"
};

static void
tell(struct sim *s, struct watch *w, enum news what, uint32_t hosts,
    unsigned run)
{
	struct host	*h = &s->host[rng_below(&s->rng, hosts)];
	char		 name[32];

	switch (what) {
	case NEWS_EVENT:
		(void)snprintf(name, sizeof(name), "table%u", run);
		watch_event(s, w, name);
		(void)host_fire(h, name, 32);
		return;
	case NEWS_TAGS:
		watch_member(s, w, h->name, SERF_UPDATED);
		host_retag(h, run + 1);
		return;
	case NEWS_MEMBER:
		watch_member(s, w, hosts + run, SERF_JOINED);
		host_start(&s->host[hosts + run], hosts + run);
		host_join(&s->host[hosts + run]);
		return;
	case NEWS_MAX:
		return;
	}
}

static void
spread(struct sim *s, enum news what, uint32_t hosts, double loss,
    unsigned runs)
{
	struct series	most = { .n = 0 }, all = { .n = 0 };
	struct watch	w;
	unsigned	run;
	uint32_t	n;

	for (run = 0; run < runs; run++) {
		sim_run_ms(s, rng_below(&s->rng, 1000));
		/* Who is new knows of itself. */
		n = s->nup;
		tell(s, &w, what, hosts, run);
		wait_for(s, &w, n, 90);
		series_add(&most, watch_at(&w, n, 0.99));
		series_add(&all, watch_at(&w, n, 1));
		watch_clear(s);
		sim_run_ms(s, SETTLE_MS);
	}
	printf("%7u %5.0f %%  %-7s", hosts, 100 * loss, news_name[what]);
	series_print(&most);
	series_print(&all);
	printf("\n");
	(void)fflush(stdout);
}

void
table_spread(const struct table_opts *o)
{
	struct sim	*s;
	size_t		 i, j;
	int		 what;

	printf("news, s from the moment that they are told, median / max of "
	    "%u runs\n%7s %7s  %-7s %16s %16s\n", o->runs, "hosts", "loss",
	    "what", "to 99 %", "to 100 %");
	for (i = 0; i < NELEM(sizes); i++) {
		if (o->hosts != 0 && o->hosts != sizes[i])
			continue;
		for (j = 0; j < NELEM(losses); j++) {
			if (o->loss >= 0 && o->loss != losses[j])
				continue;
			s = cluster(o, sizes[i], o->runs, losses[j]);
			for (what = 0; what < NEWS_MAX; what++)
				spread(s, (enum news)what, sizes[i],
				    losses[j], o->runs);
			sim_free(s);
		}
	}
}

/* ---- crashes ---- */

static void
crashes(struct sim *s, uint32_t hosts, double loss, unsigned runs)
{
	struct series	 suspect = { .n = 0 }, first = suspect, most = suspect,
			 all = suspect;
	struct watch	 w;
	struct host	*h;
	unsigned	 run;
	uint32_t	 n;

	for (run = 0; run < runs; run++) {
		h = &s->host[sim_random_up(s)];
		watch_member(s, &w, h->name, SERF_FAILED);
		host_crash(h);
		n = s->nup;
		wait_for(s, &w, n, 180);
		series_add(&suspect, w.suspect_at == 0 ? SWIM_NEVER :
		    w.suspect_at - w.start);
		series_add(&first, watch_at(&w, n, 0));
		series_add(&most, watch_at(&w, n, 0.99));
		series_add(&all, watch_at(&w, n, 1));
		watch_clear(s);
		sim_run_ms(s, SETTLE_MS);
	}
	printf("%7u %5.0f %%", hosts, 100 * loss);
	series_print(&suspect);
	series_print(&first);
	series_print(&most);
	series_print(&all);
	printf("  %llu\n", (unsigned long long)s->wrong.members);
	(void)fflush(stdout);
}

void
table_crash(const struct table_opts *o)
{
	struct sim	*s;
	size_t		 i, j;

	printf("crash, s after it, median / max of %u runs\n%7s %7s %16s %16s "
	    "%16s %16s  %s\n", o->runs, "hosts", "loss", "suspected",
	    "first failed", "failed at 99 %", "at 100 %", "wrong");
	for (i = 0; i < NELEM(sizes); i++) {
		if (o->hosts != 0 && o->hosts != sizes[i])
			continue;
		for (j = 0; j < NELEM(losses); j++) {
			if (o->loss >= 0 && o->loss != losses[j])
				continue;
			s = cluster(o, sizes[i], 0, losses[j]);
			crashes(s, sizes[i], losses[j], o->runs);
			sim_free(s);
		}
	}
}

/* ---- traffic ---- */

static void
cost(struct sim *s, const char *when, uint32_t hosts, unsigned seconds)
{
	struct traffic	was = s->traffic, *t = &s->traffic;
	double		per = (double)hosts * seconds;

	sim_run_ms(s, seconds * 1000);
	printf("%7u  %-7s %-12s %9.2f %9.0f %9.3f %9.0f\n", hosts,
	    s->conf.sealed ? "sealed" : "plain", when,
	    (double)(t->datagrams - was.datagrams) / per,
	    (double)(t->bytes - was.bytes) / per,
	    (double)(t->streams - was.streams) / per,
	    (double)(t->stream_bytes - was.stream_bytes) / per);
	(void)fflush(stdout);
}

void
table_traffic(const struct table_opts *o)
{
	struct table_opts	 p = *o;
	struct sim		*s;
	size_t			 i;
	int			 sealed;

	printf("traffic sent, per node and second\n%7s  %-7s %-12s %9s %9s "
	    "%9s %9s\n", "hosts", "", "when", "datagrams", "bytes", "streams",
	    "bytes");
	for (i = 0; i < NELEM(sizes); i++) {
		if (o->hosts != 0 && o->hosts != sizes[i])
			continue;
		for (sealed = 0; sealed < 2; sealed++) {
			p.conf.sealed = sealed != 0;
			s = cluster(&p, sizes[i], 0, 0);
			cost(s, "idle", sizes[i], 20);
			(void)host_fire(&s->host[0], "table", 32);
			cost(s, "event, 10 s", sizes[i], 10);
			host_retag(&s->host[0], 1);
			cost(s, "tags, 10 s", sizes[i], 10);
			sim_free(s);
		}
	}
}

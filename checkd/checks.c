/*
 * Checks between their definition and their results: schedule, probe,
 * threshold, report.
 */
#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/log.h"
#include "common/util.h"
#include "checkd/checks.h"
#include "checkd/outcome.h"
#include "checkd/schedule.h"

/*
 * Probes at once; those due wait for their turn.  A probe holds a descriptor,
 * or as many as its name has addresses.
 */
#define PROBES_MIN	256
#define PROBES_MAX	8192

struct check {
	struct sched_entry	 sched;		/* first: see check_of() */
	RB_ENTRY(check)		 entry;
	struct checks		*checks;
	struct msg_check	 def;
	struct threshold	 threshold;
	struct probe		*probe;		/* NULL: waits for its time */
	uint64_t		 began_ns;	/* of the last run; 0: none */
	struct msg_result	 last;		/* told; id NULL: none yet */
	uint64_t		 nruns, in_row;
	const char		*found;		/* by the last run */
	int64_t			 latency_ns;
	bool			 seen;
};
RB_HEAD(check_tree, check);

struct checks {
	struct ev		*ev;
	struct prober		*prober;
	struct check_tree	 tree;
	size_t			 n, nrunning, max;
	struct sched		 sched;
	struct ev_timer		*timer;
	checks_result_fn	*fn;
	void			*arg;
	bool			 stopped;
};

static int
check_cmp(const struct check *a, const struct check *b)
{
	return strcmp(a->def.id, b->def.id);
}
RB_GENERATE_INTERNAL(check_tree, check, entry, check_cmp,
    __attribute__((unused)) static)

static void	 run_due(void *);

static struct check *
check_of(struct sched_entry *e)
{
	return (struct check *)(void *)e;
}

static void
arm(struct checks *cs)
{
	uint64_t	 due, now = ev_now(cs->ev);

	if (cs->stopped || cs->nrunning >= cs->max ||
	    !sched_next(&cs->sched, &due))
		ev_timer_stop(cs->timer);
	else
		ev_timer_set(cs->timer, due > now ? due - now : 0);
}

static size_t
probes_max(void)
{
	struct rlimit	 r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur / 2 < PROBES_MIN)
		return PROBES_MIN;
	return r.rlim_cur / 2 < PROBES_MAX ? (size_t)r.rlim_cur / 2 :
	    PROBES_MAX;
}

struct checks *
checks_new(struct ev *ev, struct prober *prober, uint64_t seed,
    checks_result_fn *fn, void *arg)
{
	struct checks	*cs = xcalloc(1, sizeof(*cs));

	cs->ev = ev;
	cs->max = probes_max();
	cs->prober = prober;
	cs->fn = fn;
	cs->arg = arg;
	RB_INIT(&cs->tree);
	sched_init(&cs->sched, seed);
	cs->timer = ev_timer_new(ev, run_due, cs);
	return cs;
}

static void
probe_end(struct check *c)
{
	if (c->probe == NULL)
		return;
	probe_cancel(c->probe);
	c->probe = NULL;
	c->checks->nrunning--;
}

static void
check_free(struct check *c)
{
	struct checks	*cs = c->checks;

	probe_end(c);
	sched_remove(&cs->sched, &c->sched);
	RB_REMOVE(check_tree, &cs->tree, c);
	cs->n--;
	schema_clear(&msg_check_schema, &c->def);
	schema_clear(&msg_result_schema, &c->last);
	free(c);
}

void
checks_free(struct checks *cs)
{
	struct check	*c, *next;

	if (cs == NULL)
		return;
	RB_FOREACH_SAFE(c, check_tree, &cs->tree, next)
		check_free(c);
	sched_clear(&cs->sched);
	ev_timer_free(cs->timer);
	free(cs);
}

/* ---- results ---- */

static void
report(struct check *c, const char *status, const char *output)
{
	struct checks	*cs = c->checks;

	if (!str_empty(c->last.id) && strcmp(c->last.status, status) == 0 &&
	    strcmp(str_or(c->last.output, ""), output) == 0)
		return;
	if (str_empty(c->last.id) || strcmp(c->last.status, status) != 0)
		log_info("check %s: %s", c->def.id, status);
	str_set(&c->last.id, c->def.id);
	str_set(&c->last.status, status);
	str_set(&c->last.output, output);
	c->last.latency = c->latency_ns;
	cs->fn(&c->last, cs->arg);
}

static void
count(struct check *c, const char *status)
{
	bool	 bad = strcmp(status, critical) == 0;

	c->latency_ns = (int64_t)(ev_hrtime() - c->began_ns);
	c->in_row = c->nruns > 0 && bad == (c->found == critical) ?
	    c->in_row + 1 : 1;
	c->found = bad ? critical : strcmp(status, warning) == 0 ? warning :
	    passing;
	c->nruns++;
}

static void
on_result(const char *status, const char *output, void *arg)
{
	struct check	*c = arg;
	struct checks	*cs = c->checks;

	c->probe = NULL;
	cs->nrunning--;
	sched_done(&cs->sched, &c->sched, ev_now(cs->ev));
	if (status != NULL)
		count(c, status);
	if (status != NULL && threshold_count(&c->threshold, status))
		report(c, status, output);
	else if (status != NULL)
		log_debug("check %s: %s, not yet often enough", c->def.id,
		    status);
	arm(cs);
}

/* ---- runs ---- */

static void
run_due(void *arg)
{
	struct checks		*cs = arg;
	struct sched_entry	*e;
	struct check		*c;

	while (cs->nrunning < cs->max &&
	    (e = sched_take(&cs->sched, ev_now(cs->ev))) != NULL) {
		c = check_of(e);
		cs->nrunning++;
		c->began_ns = ev_hrtime();
		c->probe = probe_start(cs->prober, &c->def, on_result, c);
	}
	arm(cs);
}

/* ---- the set ---- */

static struct check *
check_find(struct checks *cs, const char *id)
{
	struct check	 key;

	memset(&key, 0, sizeof(key));
	key.def.id = (char *)(uintptr_t)id;
	return RB_FIND(check_tree, &cs->tree, &key);
}

/* Equal but for the state as it stands. */
static bool
same_check(const struct msg_check *a, const struct msg_check *b)
{
	struct msg_check	 x = *a, y = *b;

	x.status = y.status = NULL;
	x.failing = y.failing = false;
	return schema_equal(&msg_check_schema, &x, &y);
}

static void
check_new(struct checks *cs, struct msg_check *def)
{
	struct check	*c = xcalloc(1, sizeof(*c));

	c->checks = cs;
	c->def = *def;
	memset(def, 0, sizeof(*def));
	c->seen = true;
	c->threshold.need_good = c->def.success_before_passing;
	c->threshold.need_bad = c->def.failures_before_critical;
	RB_INSERT(check_tree, &cs->tree, c);
	cs->n++;
	sched_add(&cs->sched, &c->sched,
	    c->def.interval > NS_PER_MS ?
	    (uint64_t)(c->def.interval / NS_PER_MS) : 1000, c->def.failing,
	    ev_now(cs->ev));
	arm(cs);
}

void
checks_set(struct checks *cs, struct msg_check *def)
{
	struct check	*c;

	if (cs->stopped || str_empty(def->id))
		return;
	c = check_find(cs, def->id);
	if (c != NULL && same_check(&c->def, def)) {
		c->seen = true;
		if (!str_empty(c->last.id))
			cs->fn(&c->last, cs->arg);
		return;
	}
	if (c != NULL)
		check_free(c);
	check_new(cs, def);
}

void
checks_remove(struct checks *cs, const char *id)
{
	struct check	*c;

	if ((c = check_find(cs, id)) != NULL)
		check_free(c);
	arm(cs);
}

void
checks_begin(struct checks *cs)
{
	struct check	*c;

	RB_FOREACH(c, check_tree, &cs->tree)
		c->seen = false;
}

void
checks_end(struct checks *cs)
{
	struct check	*c, *next;

	RB_FOREACH_SAFE(c, check_tree, &cs->tree, next)
		if (!c->seen)
			check_free(c);
	arm(cs);
}

void
checks_stop(struct checks *cs)
{
	struct check	*c;

	cs->stopped = true;
	ev_timer_stop(cs->timer);
	RB_FOREACH(c, check_tree, &cs->tree)
		probe_end(c);
}

static void
run_of(const struct check *c, uint64_t now, struct check_run *r)
{
	r->id = xstrdup(c->def.id);
	r->running = c->probe != NULL;
	r->runs = c->nruns;
	r->found = xstrdup(c->found);
	r->in_row = c->in_row;
	r->latency = c->latency_ns;
	if (c->began_ns != 0)
		r->ago = (int64_t)(ev_hrtime() - c->began_ns);
	if (c->probe == NULL && c->sched.due_ms > now)
		r->next = (int64_t)(c->sched.due_ms - now) * NS_PER_MS;
}

void
checks_runs(const struct checks *cs, struct msg_check_runs *m)
{
	struct check	*c;
	size_t		 i = 0;

	memset(m, 0, sizeof(*m));
	m->runs.item = xcalloc(cs->n + 1, sizeof(*m->runs.item));
	RB_FOREACH(c, check_tree, (struct check_tree *)(uintptr_t)&cs->tree)
		run_of(c, ev_now(cs->ev), &m->runs.item[i++]);
	m->runs.n = i;
	m->runs.set = true;
}

size_t
checks_count(const struct checks *cs)
{
	return cs->n;
}

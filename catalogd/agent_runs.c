/*
 * Agent.CheckRuns: where each check of this node stands, for its owner.  Half
 * of it is the agent's (state, output, changes), half is checkd's (runs,
 * latency, the next one); without an answer from there only the first half is
 * shown.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/agent_api_int.h"

#define ASK_MS		3000
#define YEAR1_TO_UNIX	62135596800ll	/* seconds */

static int
run_cmp(const void *key, const void *item)
{
	return strcmp(key, ((const struct check_run *)item)->id);
}

/* checkd tells them in order of their ids. */
static const struct check_run *
run_find(const struct agent_api *api, const char *id)
{
	if (api->runs.runs.n == 0)
		return NULL;
	return bsearch(id, api->runs.runs.item, api->runs.runs.n,
	    sizeof(*api->runs.runs.item), run_cmp);
}

static int64_t
until_ns(uint64_t at, uint64_t now)
{
	return at == AGENT_NEVER || at <= now ? 0 :
	    (int64_t)(at - now) * NS_PER_MS;
}

static void
add_changes(const struct check_past *past, int64_t wall_ns, uint64_t now,
    struct agent_check_run *out)
{
	struct check_change	*c;
	size_t			 i;
	int64_t			 ns;

	for (i = 0; past != NULL && i < past->n; i++) {
		c = VEC_ADD(&out->changes);
		ns = wall_ns -
		    (int64_t)(now - past->change[i].at_ms) * NS_PER_MS;
		c->at.sec = ns / NS_PER_S + YEAR1_TO_UNIX;
		c->at.nsec = (int32_t)(ns % NS_PER_S);
		c->status = xstrdup(past->change[i].status);
		c->output = xstrdup(past->change[i].output);
	}
}

static void
add_check(struct api_request *r, const struct local_check *c,
    struct agent_check_run *out)
{
	const struct check_run	*run = run_find(r->api, c->chk.check_id);
	struct agent_api_ops	*ops = &r->api->ops;

	str_set(&out->id, c->chk.check_id);
	str_set(&out->name, c->chk.name);
	str_set(&out->service_id, c->chk.service_id);
	/* A definition in a file has no type in other answers. */
	str_set(&out->type, str_empty(c->chk.type) ? check_def_type(&c->def) :
	    c->chk.type);
	str_set(&out->status, c->chk.status);
	str_set(&out->output, c->chk.output);
	out->interval = c->def.interval;
	out->next = until_ns(c->kind == CHECK_TTL ? c->ttl_at : c->until,
	    r->now);
	add_changes(c->past, ops->wall_ns == NULL ? 0 :
	    ops->wall_ns(ops->arg), r->now, out);
	if (run == NULL)
		return;
	out->running = run->running;
	out->runs = run->runs;
	str_set(&out->found, run->found);
	out->in_row = run->in_row;
	out->latency = run->latency;
	out->ago = run->ago;
	out->next = run->next;
}

static int
runs_answer(struct api_request *r, const char *id)
{
	struct agent_check_runs	 out;
	struct local_check	*c;

	memset(&out, 0, sizeof(out));
	RB_FOREACH(c, local_checks, &r->api->agent->checks)
		if (!c->deleted && (str_empty(id) ||
		    strcmp(c->chk.check_id, id) == 0))
			add_check(r, c, VEC_ADD(&out.checks));
	if (out.checks.n == 0 && !str_empty(id))
		return def_error(r->err, sizeof(r->err), 404,
		    "unknown check ID: %s", id);
	api_answer(r, &agent_check_runs_schema, &out);
	schema_clear(&agent_check_runs_schema, &out);
	return 0;
}

static bool
runs_over(struct agent_wait *w, uint64_t now)
{
	struct agent_api	*api = w->api;
	struct agent_wait	*other;
	struct api_request	 r;
	char			*id;

	if (w->gen == api->runs_gen && now < w->until)
		return false;
	if (w->gen == api->runs_gen)
		schema_clear(&msg_check_runs_schema, &api->runs);
	id = xstrdup(w->id);
	api_resume(w, now, &r);
	if (runs_answer(&r, id) == -1)
		r.fn(CALL_ERROR, r.err, NULL, 0, r.arg);
	free(id);
	TAILQ_FOREACH(other, &api->waits, entry)
		if (other->over == runs_over)
			return true;
	schema_clear(&msg_check_runs_schema, &api->runs);
	return true;
}

int
api_check_runs(struct api_request *r)
{
	struct agent_api_ops	*ops = &r->api->ops;
	struct agent_wait	*w;
	struct agent_id		 id;
	int			 rc = 0;

	if (api_body(r, &agent_id_schema, &id) == -1)
		return -1;
	if (ops->ask_runs == NULL || !ops->ask_runs(ops->arg))
		rc = runs_answer(r, id.id);
	else {
		w = api_wait(r, r->now + ASK_MS, runs_over);
		w->id = xstrdup(str_or(id.id, ""));
		w->gen = r->api->runs_gen;
	}
	schema_clear(&agent_id_schema, &id);
	return rc;
}

void
agent_api_runs(struct agent_api *api, struct msg_check_runs *m)
{
	schema_clear(&msg_check_runs_schema, &api->runs);
	api->runs = *m;
	memset(m, 0, sizeof(*m));
	api->runs_gen++;
}

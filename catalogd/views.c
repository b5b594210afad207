/*
 * Views: each that is wanted, for whom.  See views.h; what is asked of the
 * catalog for one is views_follow.c's.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/views_i.h"

#define NO_TIME		UINT64_MAX

int
view_cmp(const struct view *a, const struct view *b)
{
	int	 rc;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if ((rc = strcasecmp(str_or(a->dc, ""), str_or(b->dc, ""))) != 0)
		return rc;
	return strcasecmp(a->name, b->name);
}

RB_GENERATE(view_tree, view, entry, view_cmp)

struct views *
views_new(const struct views_ops *ops, const char *dc, size_t max,
    uint64_t seed)
{
	struct views	*vs = xcalloc(1, sizeof(*vs));

	vs->ops = *ops;
	vs->dc = xstrdup(dc);
	vs->max = max;
	rng_seed(&vs->rng, seed);
	RB_INIT(&vs->tree);
	TAILQ_INIT(&vs->waiting);
	return vs;
}

void
views_translate(struct views *vs, bool translate)
{
	vs->translate = translate;
}

static void
nodes_stop(struct views *vs)
{
	follow_free(vs->nodes_follow);
	vs->nodes_follow = NULL;
	schema_clear(&indexed_nodes_schema, &vs->nodes);
	vs->have_nodes = false;
}

/* One that is in no tree. */
static void
view_drop(struct view *v)
{
	free(v->name);
	free(v->dc);
	free(v);
}

static void
view_free(struct views *vs, struct view *v)
{
	RB_REMOVE(view_tree, &vs->tree, v);
	vs->n--;
	follow_free(v->follow);
	if (v->kind == VIEW_REVERSE && --vs->nreverse == 0)
		nodes_stop(vs);
	view_drop(v);
}

static void
view_unwatch(struct views *vs, struct view *v, uint64_t who)
{
	v->watchers &= ~who;
	v->sent &= ~who;
	v->failed &= ~who;
	if (v->watchers == 0)
		view_free(vs, v);
}

static void
unwatch_all(struct views *vs, uint64_t who)
{
	struct view	*v, *next;

	RB_FOREACH_SAFE(v, view_tree, &vs->tree, next)
		view_unwatch(vs, v, who);
}

void
views_forget(struct views *vs, unsigned worker)
{
	unwatch_all(vs, UINT64_C(1) << worker);
}

void
views_free(struct views *vs)
{
	if (vs == NULL)
		return;
	unwatch_all(vs, UINT64_MAX);
	free(vs->dc);
	free(vs);
}

static void
reverse_watch(struct views *vs, struct view *v)
{
	vs->nreverse++;
	if (vs->nodes_follow == NULL)
		vs->nodes_follow = follow_new(vs, FOLLOW_NODES, NULL);
	else if (vs->have_nodes)
		reverse_update(vs, v);
}

/* One more worker watches it, or one that has forgotten what it was told. */
static void
view_again(struct views *vs, struct view *v, uint64_t who)
{
	v->watchers |= who;
	v->sent &= ~who;
	v->failed &= ~who;
	if (v->kind == VIEW_REVERSE && vs->have_nodes)
		reverse_update(vs, v);
	if (v->follow != NULL)
		follow_again(v->follow);
}

void
views_watch(struct views *vs, unsigned worker, enum view_kind kind,
    const char *name, const char *dc)
{
	struct view	*v = xcalloc(1, sizeof(*v)), *old;

	v->watchers = UINT64_C(1) << worker;
	v->kind = kind;
	v->name = xstrdup(name);
	if (!str_empty(dc))
		v->dc = xstrdup(dc);
	if ((old = RB_FIND(view_tree, &vs->tree, v)) != NULL) {
		view_again(vs, old, v->watchers);
		view_drop(v);
		return;
	}
	if (vs->n >= vs->max || (kind == VIEW_REVERSE && v->dc != NULL)) {
		view_error(vs, v, vs->n >= vs->max ? "too many views" :
		    "reverse names are this datacenter's");
		view_drop(v);
		return;
	}
	RB_INSERT(view_tree, &vs->tree, v);
	vs->n++;
	switch (kind) {
	case VIEW_SERVICE:
		v->follow = follow_new(vs, FOLLOW_SERVICE, v);
		break;
	case VIEW_NODE:
		v->follow = follow_new(vs, FOLLOW_NODE, v);
		break;
	case VIEW_REVERSE:
		reverse_watch(vs, v);
		break;
	case VIEW_QUERY:
		v->follow = follow_new(vs, FOLLOW_EXPLAIN, v);
		break;
	case VIEW_OUTSIDE:
		break;
	}
}

void
views_unwatch(struct views *vs, unsigned worker, enum view_kind kind,
    const char *name, const char *dc)
{
	struct view	 key, *v;

	memset(&key, 0, sizeof(key));
	key.kind = kind;
	key.name = (char *)(uintptr_t)name;
	key.dc = (char *)(uintptr_t)dc;
	if ((v = RB_FIND(view_tree, &vs->tree, &key)) != NULL)
		view_unwatch(vs, v, UINT64_C(1) << worker);
}

void
views_retry(struct views *vs)
{
	struct follow	*f;

	TAILQ_FOREACH(f, &vs->waiting, entry)
		if (f->failures > 0)
			f->at = 0;
	vs->ops.changed(vs->ops.arg);
}

uint64_t
views_run(struct views *vs, uint64_t now)
{
	struct follow	*f, *next;
	uint64_t	 at = NO_TIME;

	TAILQ_FOREACH_SAFE(f, &vs->waiting, entry, next) {
		if (f->at <= now)
			follow_start(f, now);
		else if (f->at < at)
			at = f->at;
	}
	return at;
}

size_t
views_count(const struct views *vs)
{
	return vs->n;
}

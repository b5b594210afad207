/*
 * Who waits for what: a tree of watched things, each with its calls.  A change
 * finds its waiters by one lookup and touches nobody else.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/server_i.h"

static int
watch_cmp(struct watch *a, struct watch *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return strcasecmp(a->name, b->name);
}

RB_GENERATE_INTERNAL(watch_tree, watch, entry, watch_cmp, TREE_STATIC)

void
depends_on(struct depends *d, enum watch_kind kind, const char *name)
{
	if (d->n == WATCH_MAX)
		return;
	d->on[d->n].kind = kind;
	d->on[d->n++].name = str_or(name, "");
}

static struct watch *
watch_get(struct server *srv, enum watch_kind kind, const char *name)
{
	struct watch want, *w;

	want.kind = kind;
	want.name = (char *)(uintptr_t)name;
	if ((w = RB_FIND(watch_tree, &srv->watches, &want)) != NULL)
		return w;
	w = xcalloc(1, sizeof(*w));
	w->kind = kind;
	w->name = xstrdup(name);
	LIST_INIT(&w->links);
	RB_INSERT(watch_tree, &srv->watches, w);
	return w;
}

void
watch_add(struct server_call *c, const struct depends *d)
{
	struct watch_link *l;
	size_t i;

	if (c->watching)
		return;
	c->watching = true;
	for (i = 0; i < d->n; i++) {
		l = &c->link[i];
		l->call = c;
		l->watch = watch_get(c->srv, d->on[i].kind, d->on[i].name);
		LIST_INSERT_HEAD(&l->watch->links, l, entry);
	}
}

void
watch_drop(struct server_call *c)
{
	struct watch *w;
	size_t i;

	if (!c->watching)
		return;
	c->watching = false;
	for (i = 0; i < WATCH_MAX; i++) {
		if ((w = c->link[i].watch) == NULL)
			continue;
		LIST_REMOVE(&c->link[i], entry);
		c->link[i].watch = NULL;
		if (!LIST_EMPTY(&w->links))
			continue;
		RB_REMOVE(watch_tree, &c->srv->watches, w);
		free(w->name);
		free(w);
	}
}

void
watch_wake(struct server *srv, const struct change *ch,
    void (*fn)(struct server_call *))
{
	struct watch want, *w;
	struct watch_link *l;

	want.kind = ch->kind;
	want.name = ch->name;
	if ((w = RB_FIND(watch_tree, &srv->watches, &want)) == NULL)
		return;
	LIST_FOREACH(l, &w->links, entry)
		fn(l->call);
}

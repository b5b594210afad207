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
	return a->kind >= WATCH_KEY ? strcmp(a->name, b->name) :
	    strcasecmp(a->name, b->name);
}

RB_GENERATE_INTERNAL(watch_tree, watch, entry, watch_cmp, TREE_STATIC)

void
depends_on_part(struct depends *d, enum watch_kind kind, const char *name,
    size_t n)
{
	if (d->n == WATCH_MAX)
		return;
	d->on[d->n].kind = kind;
	d->on[d->n].name = str_or(name, "");
	d->on[d->n++].len = n;
}

void
depends_on(struct depends *d, enum watch_kind kind, const char *name)
{
	depends_on_part(d, kind, name, strlen(str_or(name, "")));
}

static struct watch *
watch_get(struct server *srv, enum watch_kind kind, const char *name,
    size_t len)
{
	struct watch want, *w;

	want.kind = kind;
	want.name = xstrndup(name, len);
	if ((w = RB_FIND(watch_tree, &srv->watches, &want)) != NULL) {
		free(want.name);
		return w;
	}
	w = xcalloc(1, sizeof(*w));
	w->kind = kind;
	w->name = want.name;
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
		l->watch = watch_get(c->srv, d->on[i].kind, d->on[i].name,
		    d->on[i].len);
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

static void
wake(struct watch *w, void (*fn)(struct server_call *))
{
	struct watch_link *l;

	LIST_FOREACH(l, &w->links, entry)
		fn(l->call);
}

/* The last that is not behind it, of the same kind; or NULL. */
static struct watch *
watch_floor(const struct server *srv, struct watch *want)
{
	struct watch *w = RB_ROOT(&srv->watches), *found = NULL;
	int c;

	while (w != NULL) {
		if ((c = watch_cmp(want, w)) == 0)
			return w;
		if (c > 0)
			found = w;
		w = c > 0 ? RB_RIGHT(w, entry) : RB_LEFT(w, entry);
	}
	return found != NULL && found->kind == want->kind ? found : NULL;
}

/*
 * Those who wait for a prefix of the key, longest first: the floor of the key
 * is one, or shows how much of the key a shorter one can have.
 */
static void
wake_prefixes(struct server *srv, const char *key,
    void (*fn)(struct server_call *))
{
	struct watch want, *w;
	size_t n, common;

	want.kind = WATCH_PREFIX;
	want.name = xstrdup(key);
	n = strlen(key);
	for (;;) {
		want.name[n] = '\0';
		if ((w = watch_floor(srv, &want)) == NULL)
			break;
		for (common = 0; w->name[common] != '\0' &&
		    w->name[common] == want.name[common]; common++)
			;
		if (w->name[common] == '\0') {
			wake(w, fn);
			if (common == 0)
				break;
			common--;
		}
		n = common;
	}
	free(want.name);
}

/* Everybody who waits for something that begins so. */
static void
wake_below(struct server *srv, enum watch_kind kind, const char *prefix,
    void (*fn)(struct server_call *))
{
	struct watch want, *w;
	size_t n = strlen(prefix);

	want.kind = kind;
	want.name = (char *)(uintptr_t)prefix;
	for (w = RB_NFIND(watch_tree, &srv->watches, &want); w != NULL &&
	    w->kind == kind && strncmp(w->name, prefix, n) == 0;
	    w = RB_NEXT(watch_tree, &srv->watches, w))
		wake(w, fn);
}

void
watch_wake(struct server *srv, const struct change *ch,
    void (*fn)(struct server_call *))
{
	struct watch want, *w;

	if (ch->kind == WATCH_KEY || ch->kind == WATCH_PREFIX)
		wake_prefixes(srv, ch->name, fn);
	if (ch->kind == WATCH_PREFIX) {
		wake_below(srv, WATCH_KEY, ch->name, fn);
		wake_below(srv, WATCH_PREFIX, ch->name, fn);
		return;
	}
	want.kind = ch->kind;
	want.name = ch->name;
	if ((w = RB_FIND(watch_tree, &srv->watches, &want)) != NULL)
		wake(w, fn);
}

void
watch_wake_all(struct server *srv, void (*fn)(struct server_call *))
{
	struct watch *w;

	RB_FOREACH(w, watch_tree, &srv->watches)
		wake(w, fn);
}

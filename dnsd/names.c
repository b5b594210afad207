/*
 * Names and what is known of them: see names.h.  Nothing here knows of links,
 * clocks or sockets.
 *
 * A name is an entry in one hash table, by kind and folded name, as long as it
 * is listed, watched, or remembered not to exist.
 */
#include <stdlib.h>
#include <string.h>

#include "dnsd/names_i.h"

#define BUCKETS_MIN 256

/* ---- table ---- */

static uint64_t
hash_name(const struct names *ns, enum view_kind kind, const char *p, size_t n)
{
	return hash_bytes(p, n, ns->seed + (uint64_t)kind);
}

struct name *
table_get(const struct names *ns, enum view_kind kind, const char *p,
    size_t len)
{
	uint64_t	 h = hash_name(ns, kind, p, len);
	struct name	*e;

	for (e = ns->bucket[h & (ns->nbuckets - 1)]; e != NULL; e = e->next)
		if (e->hash == h && e->len == len && e->kind == kind &&
		    memcmp(e->text, p, len) == 0)
			return e;
	return NULL;
}

static void
table_resize(struct names *ns, size_t n)
{
	struct name	**b = xcalloc(n, sizeof(*b)), *e, *next;
	size_t		  i;

	for (i = 0; i < ns->nbuckets; i++)
		for (e = ns->bucket[i]; e != NULL; e = next) {
			next = e->next;
			e->next = b[e->hash & (n - 1)];
			b[e->hash & (n - 1)] = e;
		}
	free(ns->bucket);
	ns->bucket = b;
	ns->nbuckets = n;
}

/* A new entry; spelled is the name as it is to be asked for. */
struct name *
table_add(struct names *ns, enum view_kind kind, const char *folded,
    size_t len, const char *spelled)
{
	struct name	 *e = xcalloc(1, sizeof(*e) + 2 * (len + 1));
	struct name	**b;

	if (ns->n >= ns->nbuckets)
		table_resize(ns, ns->nbuckets * 2);
	e->kind = kind;
	e->len = (uint16_t)len;
	e->hash = hash_name(ns, kind, folded, len);
	memcpy(e->text, folded, len);
	memcpy(e->text + len + 1, spelled, len);
	TAILQ_INIT(&e->parked);
	b = &ns->bucket[e->hash & (ns->nbuckets - 1)];
	e->next = *b;
	*b = e;
	ns->n++;
	return e;
}

static const char *
spelled(const struct name *e)
{
	return e->text + e->len + 1;
}

/* ---- states ---- */

static struct name_list *
state_list(struct names *ns, enum name_state s, size_t **count)
{
	switch (s) {
	case NAME_IDLE:
		return NULL;
	case NAME_WAITING:
		*count = &ns->nwaiting;
		return &ns->waiting;
	case NAME_LIVE:
		*count = &ns->nlive;
		return &ns->live;
	case NAME_NONE:
		*count = &ns->nnone;
		return &ns->none;
	case NAME_KEPT:
		*count = &ns->nkept;
		return &ns->kept;
	}
	return NULL;
}

void
name_set_state(struct names *ns, struct name *e, enum name_state s)
{
	struct name_list	*l;
	size_t			*count;

	if ((l = state_list(ns, e->state, &count)) != NULL) {
		TAILQ_REMOVE(l, e, entry);
		(*count)--;
	}
	e->state = s;
	if ((l = state_list(ns, s, &count)) != NULL) {
		TAILQ_INSERT_TAIL(l, e, entry);
		(*count)++;
	}
}

void
name_set_view(struct names *ns, struct name *e, struct view *v)
{
	if (e->view != NULL && e->view->raw != NULL) {
		ns->raw_bytes -= e->view->raw_len;
		ns->changed = true;
	}
	view_free(e->view);
	e->view = v;
	e->unsure = e->aged = 0;
	e->old = false;
	if (v == NULL || v->raw == NULL)
		return;
	if (v->raw_len > NAMES_KEPT_BYTES - ns->raw_bytes) {
		free(v->raw);		/* it ends when it is not followed */
		v->raw = NULL;
		return;
	}
	ns->raw_bytes += v->raw_len;
	ns->changed = true;
}

/* Frees the entry if nothing holds it any more. */
void
name_release(struct names *ns, struct name *e)
{
	struct name	**p;

	if (e->state != NAME_IDLE || e->list != 0)
		return;
	for (p = &ns->bucket[e->hash & (ns->nbuckets - 1)]; *p != e;
	    p = &(*p)->next)
		;
	*p = e->next;
	ns->n--;
	if (ns->wanted == e)
		ns->wanted = NULL;
	name_set_view(ns, e, NULL);
	free(e);
}

static void
start_watch(struct names *ns, struct name *e, uint64_t now)
{
	e->used = e->asked = now;
	name_set_state(ns, e, NAME_WAITING);
	ns->ops->watch(e->kind, spelled(e), ns->arg);
}

/* The view goes, unless it is to be kept. */
void
name_stop_watch(struct names *ns, struct name *e, enum name_state s)
{
	ns->ops->unwatch(e->kind, spelled(e), ns->arg);
	if (s != NAME_KEPT)
		name_set_view(ns, e, NULL);
	name_set_state(ns, e, s);
}

/* ---- parked queries ---- */

int
names_park(struct names *ns, const struct origin *o, const uint8_t *q,
    size_t len, uint64_t now, uint64_t deadline)
{
	struct parked	*p;

	if (ns->wanted == NULL || ns->nparked >= NAMES_PARKED_MAX)
		return -1;
	p = xmalloc(sizeof(*p) + len);
	p->name = ns->wanted;
	p->deadline = deadline != 0 ? deadline : now + NAMES_WAIT_MS;
	p->origin = *o;
	p->len = len;
	memcpy(p->query, q, len);
	TAILQ_INSERT_TAIL(&p->name->parked, p, name_entry);
	TAILQ_INSERT_TAIL(&ns->age, p, age_entry);
	ns->nparked++;
	return 0;
}

void
name_unpark(struct names *ns, struct parked *p, bool failed)
{
	TAILQ_REMOVE(&p->name->parked, p, name_entry);
	TAILQ_REMOVE(&ns->age, p, age_entry);
	ns->nparked--;
	ns->ops->wake(p, failed, ns->arg);
	free(p);
}

/*
 * A woken query may be parked again, at another name or at this one, and this
 * name may be freed meanwhile by nobody: it is watched or listed.
 */
void
name_wake_all(struct names *ns, struct name *e, bool failed)
{
	struct parked	*p, *last = TAILQ_LAST(&e->parked, parked_list);
	bool		 more = last != NULL;

	while (more && (p = TAILQ_FIRST(&e->parked)) != NULL) {
		more = p != last;
		name_unpark(ns, p, failed);
	}
}

/* ---- questions ---- */

static bool
may_ask(const struct names *ns)
{
	return ns->nwaiting < NAMES_UNKNOWN_MAX &&
	    ns->nlive + ns->nwaiting < NAMES_WATCH_MAX;
}

static enum found
find_known(struct names *ns, struct name *e, uint64_t now,
    const struct view **v)
{
	switch (e->state) {
	case NAME_IDLE:
	case NAME_KEPT:
		break;
	case NAME_NONE:
		if (now - e->used < NAMES_NONE_MS)
			return e->failed ? FOUND_FAIL : FOUND_NONE;
		break;
	case NAME_WAITING:
	case NAME_LIVE:
		e->used = now;
		if (e->view != NULL && name_too_old(ns, e, now)) {
			name_stop_watch(ns, e, NAME_IDLE);
			break;
		}
		if (name_usable(ns, e, now)) {
			*v = e->view;
			return FOUND_VIEW;
		}
		ns->wanted = e;
		return FOUND_WAIT;
	}
	if (e->view != NULL && name_too_old(ns, e, now))
		name_set_view(ns, e, NULL);
	if (may_ask(ns))
		start_watch(ns, e, now);
	else if (e->view == NULL)
		return FOUND_FAIL;
	if (e->view != NULL && (e->state != NAME_WAITING ||
	    name_usable(ns, e, now))) {
		*v = e->view;
		return FOUND_VIEW;
	}
	ns->wanted = e;
	return FOUND_WAIT;
}

enum found
names_find(struct names *ns, enum view_kind kind, const char *name,
    size_t len, uint64_t now, const struct view **v)
{
	struct name	*e;

	if (len == 0 || len > DNS_NAME_MAX)
		return FOUND_NONE;
	e = table_get(ns, kind, name, len);
	if (names_deny(ns, kind, e, name, len))
		return FOUND_NONE;
	if (e == NULL) {
		if (!may_ask(ns))
			return FOUND_FAIL;
		e = table_add(ns, kind, name, len, name);
	}
	return find_known(ns, e, now, v);
}

/* ---- what catalogd says ---- */

size_t
name_fold(const char *name, char out[DNS_NAME_MAX + 1])
{
	size_t	i;

	for (i = 0; name[i] != '\0'; i++) {
		if (i == DNS_NAME_MAX)
			return 0;	/* no question can name it */
		out[i] = (char)dns_fold((uint8_t)name[i]);
	}
	out[i] = '\0';
	return i;
}

struct name *
name_by_text(struct names *ns, enum view_kind kind, const char *name)
{
	char	folded[DNS_NAME_MAX + 1];
	size_t	n;

	return (n = name_fold(name, folded)) == 0 ? NULL :
	    table_get(ns, kind, folded, n);
}

void
names_resync(struct names *ns)
{
	struct name	*e;

	ns->linked = true;
	TAILQ_FOREACH(e, &ns->waiting, entry)
		if (e->kind != VIEW_OUTSIDE)
			ns->ops->watch(e->kind, spelled(e), ns->arg);
	TAILQ_FOREACH(e, &ns->live, entry)
		if (e->kind != VIEW_OUTSIDE)
			ns->ops->watch(e->kind, spelled(e), ns->arg);
}

static void
forget_oldest_none(struct names *ns)
{
	struct name	*e = TAILQ_FIRST(&ns->none);

	name_set_state(ns, e, NAME_IDLE);
	name_release(ns, e);
}

/* Remembered for a moment; whoever waited is told. */
static void
give_up(struct names *ns, struct name *e, bool failed, uint64_t now)
{
	name_stop_watch(ns, e, NAME_NONE);
	e->used = now;
	e->failed = failed;
	name_wake_all(ns, e, failed);
	if (ns->nnone > NAMES_NONE_MAX)
		forget_oldest_none(ns);
}

int
names_view(struct names *ns, enum view_kind kind, const char *name,
    struct view *v, uint64_t now)
{
	struct name	*e = name_by_text(ns, kind, name);

	if (e == NULL || (e->state != NAME_LIVE && e->state != NAME_WAITING)) {
		view_free(v);
		return -1;
	}
	if (v != NULL) {
		name_set_view(ns, e, v);
		name_set_state(ns, e, NAME_LIVE);
		name_wake_all(ns, e, false);
		return 0;
	}
	give_up(ns, e, false, now);
	return 0;
}

void
names_failed(struct names *ns, enum view_kind kind, const char *name,
    uint64_t now)
{
	struct name	*e = name_by_text(ns, kind, name);

	if (e == NULL || (e->state != NAME_WAITING && e->state != NAME_LIVE))
		return;
	if (e->view != NULL)
		name_unsure(ns, e, now);
	else if (e->state == NAME_WAITING)
		give_up(ns, e, true, now);
}

bool
names_watched(struct names *ns, enum view_kind kind, const char *name)
{
	struct name	*e = name_by_text(ns, kind, name);

	return e != NULL &&
	    (e->state == NAME_LIVE || e->state == NAME_WAITING);
}

bool
names_has_view(struct names *ns, enum view_kind kind, const char *name)
{
	struct name	*e = name_by_text(ns, kind, name);

	return e != NULL && e->view != NULL;
}

void
names_each(struct names *ns, void (*fn)(enum view_kind, const char *,
    struct view *, void *), void *arg)
{
	struct name	*e;
	size_t		 i;

	for (i = 0; i < ns->nbuckets; i++)
		for (e = ns->bucket[i]; e != NULL; e = e->next)
			if (e->view != NULL)
				fn(e->kind, e->text, e->view, arg);
}

bool
names_decides(const struct names *ns)
{
	return ns->decides;
}

void
names_listed(struct names *ns, void (*fn)(enum view_kind, const char *,
    void *), void *arg)
{
	struct name	*e;
	size_t		 i;

	for (i = 0; i < ns->nbuckets; i++)
		for (e = ns->bucket[i]; e != NULL; e = e->next)
			if (name_listed(ns, e))
				fn(e->kind, e->text, arg);
}

void
names_stats(const struct names *ns, struct names_stats *st)
{
	st->listed = ns->nlisted;
	st->views = ns->nlive;
	st->waiting = ns->nwaiting;
	st->parked = ns->nparked;
}

struct names *
names_new(const struct names_ops *ops, void *arg, uint64_t seed)
{
	struct names	*ns = xcalloc(1, sizeof(*ns));

	ns->ops = ops;
	ns->arg = arg;
	ns->seed = seed;
	TAILQ_INIT(&ns->live);
	TAILQ_INIT(&ns->none);
	TAILQ_INIT(&ns->waiting);
	TAILQ_INIT(&ns->kept);
	ns->linked = true;
	ns->stale_ms = UINT64_MAX;
	TAILQ_INIT(&ns->age);
	table_resize(ns, BUCKETS_MIN);
	return ns;
}

void
names_free(struct names *ns)
{
	struct name	*e, *next;
	struct parked	*p;
	size_t		 i;

	if (ns == NULL)
		return;
	while ((p = TAILQ_FIRST(&ns->age)) != NULL) {
		TAILQ_REMOVE(&ns->age, p, age_entry);
		free(p);
	}
	for (i = 0; i < ns->nbuckets; i++)
		for (e = ns->bucket[i]; e != NULL; e = next) {
			next = e->next;
			view_free(e->view);
			free(e);
		}
	free(ns->bucket);
	free(ns);
}

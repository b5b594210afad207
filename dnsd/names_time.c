/*
 * Time: who waited long enough, which views nobody asks for, and views of
 * before.  See names.h.
 *
 * A view that nobody confirms is unsure from then on, and serves for as long
 * as the configuration says.  One that was not followed all along is older
 * still: it only serves when nobody has said in NAMES_STALE_MS what is now
 * (RFC 8767), or at once when there is nobody to say it.
 */
#include "dnsd/names_i.h"

/* ---- views of before ---- */

/* For how long nobody has confirmed the view. */
static uint64_t
age(const struct name *e, uint64_t now)
{
	return e->unsure == 0 ? 0 : e->aged + (now - e->unsure);
}

bool
name_too_old(const struct names *ns, const struct name *e, uint64_t now)
{
	if (e->view->expires_ms != 0 && e->view->expires_ms <= now)
		return true;
	return age(e, now) > ns->stale_ms;
}

bool
name_usable(const struct names *ns, const struct name *e, uint64_t now)
{
	if (e->view == NULL)
		return false;
	return !e->old || e->state == NAME_LIVE || !ns->linked ||
	    now - e->asked >= NAMES_STALE_MS;
}

void
name_unsure(struct names *ns, struct name *e, uint64_t now)
{
	if (e->unsure == 0)
		e->unsure = now;
	if (e->state == NAME_WAITING)
		name_set_state(ns, e, NAME_LIVE);
	name_wake_all(ns, e, false);
}

void
names_stale(struct names *ns, uint64_t ms)
{
	ns->stale_ms = ms;
}

void
names_unlinked(struct names *ns, uint64_t now)
{
	struct name	*e;

	ns->linked = false;
	TAILQ_FOREACH(e, &ns->live, entry)
		if (e->kind != VIEW_OUTSIDE && e->unsure == 0)
			e->unsure = now;
}

void
names_keep(struct names *ns, enum view_kind kind, const char *name,
    struct view *v, uint64_t age_ms, uint64_t now)
{
	char		 folded[DNS_NAME_MAX + 1];
	struct name	*e;
	size_t		 n = name_fold(name, folded);

	if (n == 0 || age_ms > ns->stale_ms || ns->nkept >= NAMES_KEPT_MAX ||
	    table_get(ns, kind, folded, n) != NULL) {
		view_free(v);
		return;
	}
	e = table_add(ns, kind, folded, n, name);
	name_set_view(ns, e, v);
	e->old = true;
	e->aged = age_ms;
	e->unsure = now;
	name_set_state(ns, e, NAME_KEPT);
}

void
names_changed(struct names *ns)
{
	ns->changed = true;
}

bool
names_each_kept(struct names *ns, uint64_t now, void (*fn)(const uint8_t *raw,
    size_t len, uint64_t age_ms, void *), void *arg)
{
	struct name_list	*all[] = { &ns->live, &ns->waiting, &ns->kept };
	struct name		*e;
	size_t			 i;
	bool			 changed = ns->changed;

	ns->changed = false;
	if (!changed)
		return false;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		TAILQ_FOREACH(e, all[i], entry)
			if (e->view != NULL && e->view->raw != NULL)
				fn(e->view->raw, e->view->raw_len,
				    age(e, now), arg);
	return true;
}

/* ---- time ---- */

static void
sweep_none(struct names *ns, uint64_t now)
{
	struct name	*e;

	/* in the order in which they were put there */
	while ((e = TAILQ_FIRST(&ns->none)) != NULL &&
	    now - e->used >= NAMES_NONE_MS) {
		name_set_state(ns, e, NAME_IDLE);
		name_release(ns, e);
	}
}

/* Of a list of watched names, those nobody asked for since. */
static void
sweep_watched(struct names *ns, struct name_list *l, uint64_t idle,
    uint64_t now)
{
	struct name	*e, *next;

	for (e = TAILQ_FIRST(l); e != NULL; e = next) {
		next = TAILQ_NEXT(e, entry);
		if (!TAILQ_EMPTY(&e->parked) || now - e->used < idle)
			continue;
		if (e->view != NULL && e->view->raw != NULL &&
		    ns->stale_ms > 0) {
			e->old = true;
			if (e->unsure == 0)
				e->unsure = now;
			name_stop_watch(ns, e, NAME_KEPT);
			continue;
		}
		name_stop_watch(ns, e, NAME_IDLE);
		name_release(ns, e);
	}
}

/* Those that nobody answers in time are served from what was. */
static void
sweep_waiting(struct names *ns, uint64_t now)
{
	struct name	*e;

 again:
	TAILQ_FOREACH(e, &ns->waiting, entry)
		if (e->view != NULL && now - e->asked >= NAMES_STALE_MS) {
			/* who is woken may move others in the list */
			name_unsure(ns, e, now);
			goto again;
		}
}

static void
drop_kept(struct names *ns, struct name *e)
{
	name_set_view(ns, e, NULL);
	name_set_state(ns, e, NAME_IDLE);
	name_release(ns, e);
}

static void
sweep_kept(struct names *ns, uint64_t now)
{
	struct name	*e, *next;

	while (ns->nkept > NAMES_KEPT_MAX)
		drop_kept(ns, TAILQ_FIRST(&ns->kept));
	for (e = TAILQ_FIRST(&ns->kept); e != NULL; e = next) {
		next = TAILQ_NEXT(e, entry);
		if (name_too_old(ns, e, now))
			drop_kept(ns, e);
	}
}

void
names_tick(struct names *ns, uint64_t now)
{
	struct parked	*p;

	while ((p = TAILQ_FIRST(&ns->age)) != NULL && p->deadline <= now)
		name_unpark(ns, p, true);
	sweep_none(ns, now);
	sweep_waiting(ns, now);
	sweep_watched(ns, &ns->waiting, NAMES_WAIT_MS, now);
	if (now - ns->swept >= NAMES_SWEEP_MS) {
		ns->swept = now;
		sweep_watched(ns, &ns->live, NAMES_IDLE_MS, now);
		sweep_kept(ns, now);
	}
}

uint64_t
names_due(const struct names *ns)
{
	if (ns->nparked > 0 || ns->nnone > 0 || ns->nwaiting > 0)
		return NAMES_TICK_MS;
	return ns->nlive > 0 || ns->nkept > 0 ? NAMES_SWEEP_MS : 0;
}

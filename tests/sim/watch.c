/*
 * When who heard of something: one thing at a time.
 */
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "tests/sim/sim.h"

static void
start(struct sim *s, struct watch *w)
{
	w->start = s->now;
	w->at = xcalloc(s->n, sizeof(*w->at));
	w->heard = xcalloc(s->n, 1);
	s->watch = w;
}

void
watch_event(struct sim *s, struct watch *w, const char *event)
{
	memset(w, 0, sizeof(*w));
	w->name = NOBODY;
	w->what = -1;
	(void)strlcpy(w->event, event, sizeof(w->event));
	start(s, w);
}

void
watch_member(struct sim *s, struct watch *w, uint32_t name, int what)
{
	memset(w, 0, sizeof(*w));
	w->name = name;
	w->what = what;
	start(s, w);
}

void
watch_hear(struct host *h, struct watch *w)
{
	if (w->heard[h->index] != 0)
		return;
	w->heard[h->index] = 1;
	w->at[w->n++] = h->sim->now;
}

void
watch_clear(struct sim *s)
{
	free(s->watch->at);
	free(s->watch->heard);
	s->watch = NULL;
}

uint64_t
watch_at(const struct watch *w, uint32_t hosts, double part)
{
	uint32_t	k = (uint32_t)((double)hosts * part + 0.999999);

	k = k < 1 ? 1 : k > hosts ? hosts : k;
	return k > w->n ? SWIM_NEVER : w->at[k - 1] - w->start;
}

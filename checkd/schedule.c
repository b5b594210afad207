/*
 * A binary heap of checks by their due time.
 */
#include <stdlib.h>
#include <string.h>

#include "checkd/schedule.h"

#define EARLY	10	/* a tenth of the interval */

void
sched_init(struct sched *s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	rng_seed(&s->rng, seed);
}

void
sched_clear(struct sched *s)
{
	free(s->heap);
	memset(s, 0, sizeof(*s));
}

static void
place(struct sched *s, size_t slot, struct sched_entry *e)
{
	s->heap[slot] = e;
	e->slot = slot;
}

static void
move_up(struct sched *s, size_t slot, struct sched_entry *e)
{
	for (; slot > 1 && s->heap[slot / 2]->due_ms > e->due_ms; slot /= 2)
		place(s, slot, s->heap[slot / 2]);
	place(s, slot, e);
}

static void
move_down(struct sched *s, size_t slot, struct sched_entry *e)
{
	size_t	 child;

	for (; (child = 2 * slot) <= s->n; slot = child) {
		if (child < s->n &&
		    s->heap[child + 1]->due_ms < s->heap[child]->due_ms)
			child++;
		if (s->heap[child]->due_ms >= e->due_ms)
			break;
		place(s, slot, s->heap[child]);
	}
	place(s, slot, e);
}

static void
insert(struct sched *s, struct sched_entry *e)
{
	if (s->n + 1 >= s->cap) {
		s->cap = s->cap == 0 ? 16 : 2 * s->cap;
		s->heap = xreallocarray(s->heap, s->cap, sizeof(*s->heap));
	}
	move_up(s, ++s->n, e);
}

void
sched_remove(struct sched *s, struct sched_entry *e)
{
	struct sched_entry	*last;
	size_t			 slot = e->slot;

	if (slot == 0)
		return;
	e->slot = 0;
	last = s->heap[s->n--];
	if (last == e)
		return;
	if (slot > 1 && s->heap[slot / 2]->due_ms > last->due_ms)
		move_up(s, slot, last);
	else
		move_down(s, slot, last);
}

void
sched_add(struct sched *s, struct sched_entry *e, uint64_t interval_ms,
    bool early, uint64_t now)
{
	e->interval_ms = interval_ms > 0 ? interval_ms : 1;
	e->due_ms = now + rng_next(&s->rng) % e->interval_ms;
	e->place_ms = 0;
	if (early) {
		e->place_ms = e->due_ms;
		e->due_ms = now + (e->due_ms - now) / EARLY;
	}
	insert(s, e);
}

struct sched_entry *
sched_take(struct sched *s, uint64_t now)
{
	struct sched_entry	*e;

	if (s->n == 0 || s->heap[1]->due_ms > now)
		return NULL;
	e = s->heap[1];
	sched_remove(s, e);
	return e;
}

void
sched_done(struct sched *s, struct sched_entry *e, uint64_t now)
{
	uint64_t	 missed = 0;

	if (e->place_ms > now) {
		e->due_ms = e->place_ms;
		e->place_ms = 0;
		insert(s, e);
		return;
	}
	e->place_ms = 0;
	if (now > e->due_ms)
		missed = (now - e->due_ms) / e->interval_ms;
	e->due_ms += (missed + 1) * e->interval_ms;
	insert(s, e);
}

bool
sched_next(const struct sched *s, uint64_t *due_ms)
{
	if (s->n == 0)
		return false;
	*due_ms = s->heap[1]->due_ms;
	return true;
}

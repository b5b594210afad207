/*
 * Entries of the consensus in memory: from being proposed until neither this
 * server nor a follower needs them.  What is in force of them is the engine's.
 */
#include "catalogd/raft_core_i.h"

#include <stdlib.h>
#include <string.h>

#include "common/util.h"

struct slot *
rcore_slots_add(struct slots *s)
{
	if (s->head > 0 && s->head == s->n)
		s->head = s->n = 0;
	if (s->n == s->cap) {
		if (s->head > s->cap / 2) {
			memmove(s->item, s->item + s->head,
			    (s->n - s->head) * sizeof(*s->item));
			s->n -= s->head;
			s->head = 0;
		} else {
			s->cap = s->cap == 0 ? 64 : s->cap * 2;
			s->item = xreallocarray(s->item, s->cap,
			    sizeof(*s->item));
		}
	}
	memset(&s->item[s->n], 0, sizeof(*s->item));
	return &s->item[s->n++];
}

size_t
rcore_slots_count(const struct slots *s)
{
	return s->n - s->head;
}

static void
slots_shift(struct slots *s)
{
	s->bytes -= s->item[s->head].len + sizeof(struct slot);
	free(s->item[s->head++].p);
}

void
rcore_slots_free(struct slots *s)
{
	while (s->head < s->n)
		free(s->item[s->head++].p);
	free(s->item);
	memset(s, 0, sizeof(*s));
}

struct slot *
rcore_slot(const struct rcore *c, uint64_t index)
{
	uint64_t first;

	if (rcore_slots_count(&c->log) == 0)
		return NULL;
	first = c->log.item[c->log.head].index;
	if (index < first || index - first >= rcore_slots_count(&c->log))
		return NULL;
	return &c->log.item[c->log.head + (size_t)(index - first)];
}

void
rcore_lose_tag(struct rcore *c, struct slot *s)
{
	void *tag = s->tag;

	s->tag = NULL;
	if (tag != NULL)
		c->ops.lost(tag, c->ops.arg);
}

/* Entries that a newer leader does not have. */
void
rcore_log_truncate(struct rcore *c, uint64_t index)
{
	struct slot *s;

	while (rcore_slots_count(&c->log) > 0 &&
	    (s = &c->log.item[c->log.n - 1])->index >= index) {
		if (s->index <= c->applied) {
			c->broken = "an applied entry was replaced";
			return;
		}
		rcore_lose_tag(c, s);
		c->log.bytes -= s->len + sizeof(*s);
		free(s->p);
		c->log.n--;
	}
}

/* Takes the memory at p. */
struct slot *
rcore_log_add(struct rcore *c, uint64_t index, uint64_t term, int type, void *p,
    size_t len)
{
	struct slot *s = rcore_slots_add(&c->log);

	s->index = index;
	s->term = term;
	s->type = type;
	s->p = p;
	s->len = len;
	c->log.bytes += len + sizeof(*s);
	return s;
}

/*
 * What is applied stays as long as a follower may ask for it.  The first entry
 * stays until there is a second: of a snapshot of that one alone the engine
 * believes that it is an entry, and never sends it.
 */
void
rcore_log_trim(struct rcore *c)
{
	size_t keep = c->core.configuration.n > 1 ? c->conf.window : 0;

	if (c->applied < RCORE_SNAPSHOT_MIN)
		return;
	while (rcore_slots_count(&c->log) > 0 &&
	    c->log.item[c->log.head].index <= c->applied &&
	    c->log.bytes > keep)
		slots_shift(&c->log);
}

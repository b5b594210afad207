/*
 * A query's way: see serve.h.
 */
#include <stdlib.h>

#include "dnsd/serve.h"

struct serve {
	struct answerer		 answerer;
	struct names		*names;
	struct serve_ops	 ops;
	void			*arg;
	uint64_t		 now;	/* for which the wall clock was read */
	uint8_t			 out[DNS_TCP_MAX];	/* for those woken */
};

static enum found
find(enum view_kind kind, const char *name, size_t len, const struct view **v,
    void *arg)
{
	struct serve	*s = arg;

	return names_find(s->names, kind, name, len, s->ops.now(s->arg), v);
}

static size_t
handle(struct serve *s, const struct origin *o, const uint8_t *q, size_t len,
    uint64_t deadline, uint8_t *out, bool *later)
{
	uint64_t	now = s->ops.now(s->arg);
	size_t		n = 0;

	*later = false;
	if (now != s->now) {
		s->now = now;
		s->answerer.now = s->ops.wall(s->arg);
	}
	switch (answer(&s->answerer, q, len, o->udp, out, &n)) {
	case ANSWER_SEND:
		return n;
	case ANSWER_DROP:
		return 0;
	case ANSWER_WAIT:
		if (names_park(s->names, o, q, len, now, deadline) == -1)
			break;
		*later = true;
		return 0;
	case ANSWER_RECURSE:
		if (s->ops.recurse(o, q, len, s->arg) == -1)
			break;
		*later = true;
		return 0;
	}
	return answer_error(s->answerer.conf, q, len, DNS_SERVFAIL, out);
}

size_t
serve_query(struct serve *s, const struct origin *o, const uint8_t *q,
    size_t len, uint8_t *out, bool *later)
{
	return handle(s, o, q, len, 0, out, later);
}

static void
on_wake(const struct parked *p, bool failed, void *arg)
{
	struct serve	*s = arg;
	bool		 later = false;
	size_t		 n;

	if (failed)
		n = answer_error(s->answerer.conf, p->query, p->len,
		    DNS_SERVFAIL, s->out);
	else
		n = handle(s, &p->origin, p->query, p->len, p->deadline,
		    s->out, &later);
	if (!later)
		s->ops.reply(&p->origin, s->out, n, s->arg);
}

static void
on_watch(enum view_kind kind, const char *name, void *arg)
{
	struct serve	*s = arg;

	s->ops.names.watch(kind, name, s->arg);
}

static void
on_unwatch(enum view_kind kind, const char *name, void *arg)
{
	struct serve	*s = arg;

	s->ops.names.unwatch(kind, name, s->arg);
}

static const struct names_ops names_ops = {
	.watch = on_watch,
	.unwatch = on_unwatch,
	.wake = on_wake,
};

struct names *
serve_names(struct serve *s)
{
	return s->names;
}

void
serve_conf(struct serve *s, const struct answer_conf *c)
{
	s->answerer.conf = c;
}

struct serve *
serve_new(const struct serve_ops *ops, void *arg, uint64_t seed)
{
	struct serve	*s = xcalloc(1, sizeof(*s));

	s->ops = *ops;
	s->arg = arg;
	answerer_init(&s->answerer, NULL, find, s);
	rng_seed(&s->answerer.rng, seed);
	s->names = names_new(&names_ops, s, rng_next(&s->answerer.rng));
	return s;
}

void
serve_free(struct serve *s)
{
	if (s == NULL)
		return;
	names_free(s->names);
	answerer_clear(&s->answerer);
	free(s);
}

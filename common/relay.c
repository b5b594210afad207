/*
 * Each side is read while the other keeps up; the end of one side is
 * passed on as the end of the other's, so that half-closing works through it,
 * and an error on one ends both.
 */
#include <bsd/sys/queue.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/util.h"
#include "common/relay.h"

#define HIGH	(256u << 10)	/* queued on a side: its source is paused */

struct relay;

struct side {
	struct relay	*relay;
	struct side	*other;
	struct stream	*stream;	/* NULL: over */
	bool		 eof;
};

struct relay {
	TAILQ_ENTRY(relay)	 entry;
	struct relays		*all;
	struct side		 net, local;
};
TAILQ_HEAD(relay_list, relay);

struct relays {
	struct ev		*ev;
	struct relay_list	 list;
	size_t			 n;
};

static void
relay_drop(struct relay *r)
{
	stream_free(r->net.stream);
	stream_free(r->local.stream);
	TAILQ_REMOVE(&r->all->list, r, entry);
	r->all->n--;
	free(r);
}

/* Both directions have ended, and all of it is out? */
static bool
relay_done(const struct relay *r)
{
	return r->net.eof && r->local.eof &&
	    stream_queued(r->net.stream) == 0 &&
	    stream_queued(r->local.stream) == 0;
}

static size_t
on_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct side	*from = arg;

	stream_write(from->other->stream, p, n);
	if (stream_queued(from->other->stream) > HIGH)
		stream_pause(s);
	return n;
}

static void
on_drained(struct stream *s, void *arg)
{
	struct side	*to = arg;

	(void)s;
	if (relay_done(to->relay))
		relay_drop(to->relay);
	else
		stream_resume(to->other->stream);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct side	*from = arg;

	(void)s;
	from->eof = true;
	stream_shutdown(from->other->stream);
	if (relay_done(from->relay))
		relay_drop(from->relay);
}

/* What the other side still had to send is of no use to half a stream. */
static void
on_closed(struct stream *s, const char *why, void *arg)
{
	struct side	*side = arg;

	(void)s;
	log_debug("relay: %s side closed: %s",
	    side == &side->relay->net ? "network" : "own", str_or(why, "EOF"));
	relay_drop(side->relay);
}

static const struct stream_ops side_ops = {
	.data = on_data, .drained = on_drained, .closed = on_closed
};

static void
side_init(struct relay *r, struct side *side, struct side *other,
    struct stream *s)
{
	side->relay = r;
	side->other = other;
	side->stream = s;
	stream_deadline(s, 0);
	stream_limit(s, HIGH);
	stream_set_ops(s, &side_ops, side);
	stream_on_eof(s, on_eof);
	stream_resume(s);
}

void
relay_join(struct relays *all, struct stream *net, struct stream *local)
{
	struct relay	*r = xcalloc(1, sizeof(*r));

	r->all = all;
	TAILQ_INSERT_TAIL(&all->list, r, entry);
	all->n++;
	side_init(r, &r->local, &r->net, local);
	side_init(r, &r->net, &r->local, net);
}

struct relays *
relays_new(struct ev *ev)
{
	struct relays	*all = xcalloc(1, sizeof(*all));

	all->ev = ev;
	TAILQ_INIT(&all->list);
	return all;
}

void
relays_free(struct relays *all)
{
	if (all == NULL)
		return;
	while (!TAILQ_EMPTY(&all->list))
		relay_drop(TAILQ_FIRST(&all->list));
	free(all);
}

size_t
relays_count(const struct relays *all)
{
	return all->n;
}

struct ev *
relays_ev(const struct relays *all)
{
	return all->ev;
}

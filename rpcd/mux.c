/*
 * Sessions on connections.  A session ends by its peer's protocol error, a ping
 * without an answer, or frames asked for faster than they are read.
 */
#include <stdlib.h>

#include "common/util.h"
#include "rpcd/mux.h"

#define PING_MS		30000
#define PONG_MS		10000
/* Answers to pings, resets and the like that one may have unread. */
#define REPLIES_MAX	8192

struct mux {
	struct stream		*stream;
	struct yamux		*yamux;
	const struct mux_ops	*ops;
	void			*arg;
	struct ev_timer		*ping;		/* the next; the answer */
	struct ev_job		*end;
	uint32_t		 ping_value;
	bool			 waiting;	/* for a pong */
	const char		*why;
	uint64_t		 replies_seen;
	bool			 inside;	/* yamux_input() */
};

static void
on_opened(struct yamux_stream *s, void *arg)
{
	struct mux	*m = arg;

	m->ops->opened(s, m->arg);
}

static void
on_data(struct yamux_stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct mux	*m = arg;

	m->ops->data(s, p, n, m->arg);
}

static void
on_fin(struct yamux_stream *s, void *arg)
{
	struct mux	*m = arg;

	m->ops->fin(s, m->arg);
}

static void
on_reset(struct yamux_stream *s, void *arg)
{
	struct mux	*m = arg;

	m->ops->reset(s, m->arg);
}

static void
on_acked(void *arg)
{
	struct mux	*m = arg;

	if (m->ops->acked != NULL)
		m->ops->acked(m->arg);
}

static void
on_pong(uint32_t value, void *arg)
{
	struct mux	*m = arg;

	if (!m->waiting || value != m->ping_value)
		return;
	m->waiting = false;
	m->ping_value++;
	ev_timer_set(m->ping, PING_MS);
}

static const struct yamux_ops server_ops = {
	on_opened, on_data, on_fin, on_reset, NULL, on_pong
};
static const struct yamux_ops client_ops = {
	NULL, on_data, on_fin, on_reset, on_acked, on_pong
};

static void
on_ping_timer(void *arg)
{
	struct mux	*m = arg;

	if (m->waiting) {
		mux_fail(m, "no answer to a ping");
		return;
	}
	m->waiting = true;
	yamux_ping(m->yamux, m->ping_value);
	mux_flush(m);
	ev_timer_set(m->ping, PONG_MS);
}

static void
on_end(void *arg)
{
	struct mux	*m = arg;

	m->ops->dead(m->why, m->arg);
}

struct mux *
mux_new(struct ev *ev, struct stream *stream, bool client,
    const struct mux_ops *ops, void *arg)
{
	struct mux	*m = xcalloc(1, sizeof(*m));

	m->stream = stream;
	m->ops = ops;
	m->arg = arg;
	m->yamux = yamux_new(client, client ? &client_ops : &server_ops, m);
	m->ping = ev_timer_new(ev, on_ping_timer, m);
	m->end = ev_job_new(ev, on_end, m);
	ev_timer_set(m->ping, PING_MS);
	return m;
}

void
mux_free(struct mux *m)
{
	if (m == NULL)
		return;
	ev_timer_free(m->ping);
	ev_job_free(m->end);
	yamux_free(m->yamux);
	free(m);
}

struct yamux *
mux_yamux(struct mux *m)
{
	return m->yamux;
}

/* At the end of the turn, for callers still hold the session. */
static void
end_later(struct mux *m, const char *why)
{
	if (m->why != NULL)
		return;
	m->why = why;
	ev_timer_stop(m->ping);
	ev_job_set(m->end);
}

void
mux_flush(struct mux *m)
{
	const uint8_t	*p;
	size_t		 n;

	if (m->inside)
		return;
	p = yamux_output(m->yamux, &n);
	if (n > 0) {
		stream_write(m->stream, p, n);
		yamux_written(m->yamux);
	}
	if (yamux_error(m->yamux) != NULL)
		end_later(m, yamux_error(m->yamux));
	else if (yamux_replies(m->yamux) - m->replies_seen > REPLIES_MAX &&
	    stream_queued(m->stream) > 0)
		mux_fail(m, "peer does not read");
}

size_t
mux_data(struct mux *m, const uint8_t *p, size_t n)
{
	if (m->why == NULL) {
		m->inside = true;
		(void)yamux_input(m->yamux, p, n);
		m->inside = false;
		mux_flush(m);
	}
	return n;
}

void
mux_drained(struct mux *m)
{
	m->replies_seen = yamux_replies(m->yamux);
}

void
mux_fail(struct mux *m, const char *why)
{
	yamux_fail(m->yamux, why);
	mux_flush(m);
}

size_t
mux_queued(struct mux *m)
{
	return yamux_pending(m->yamux) + stream_queued(m->stream);
}

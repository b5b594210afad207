/*
 * One outgoing connection: type byte, session, a stream per call.
 *
 * Happy path: dial (outgoing.c), type byte 4, take an idle stream or open one,
 * write the request at once (a stream opened and left silent blocks those
 * after it), read one answer, keep the stream for the next call.
 *
 * Failures: no connection (POOL_DIAL for all that wait); an answer with an
 * error, after which the stream is closed, since a server may close it too; a
 * stream or connection that ends (POOL_LOST for its calls).
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "rpcd/conn.h"
#include "rpcd/incoming.h"

#define IDLE_MS		127000
#define IDLE_STREAMS	32

static void	 send_waiting(struct conn *);

/* ---- calls ---- */

static void
call_free(struct pool_call *c)
{
	free(c->method);
	free(c->body);
	free(c);
}

static void
call_unlink(struct pool_call *c)
{
	struct conn	*conn = c->conn;

	if (c->out != NULL) {
		TAILQ_REMOVE(&conn->calls, c, entry);
		c->out->call = NULL;
		c->out = NULL;
	} else
		TAILQ_REMOVE(&conn->waiting, c, entry);
	if (TAILQ_EMPTY(&conn->calls) && TAILQ_EMPTY(&conn->waiting))
		ev_timer_set(conn->idle_timer, IDLE_MS);
}

static void
call_end(struct pool_call *c, enum pool_result res, const char *error,
    const uint8_t *body, size_t len)
{
	pool_fn	*fn = c->fn;
	void	*arg = c->arg;

	call_unlink(c);
	call_free(c);
	fn(res, error, body, len, arg);
}

/* ---- streams ---- */

static void
out_free(struct rpc_out *o)
{
	rpc_reader_clear(&o->reader);
	free(o);
}

static void
out_idle_remove(struct rpc_out *o)
{
	TAILQ_REMOVE(&o->conn->idle, o, entry);
	o->conn->nidle--;
}

static struct rpc_out *
out_get(struct conn *conn)
{
	struct rpc_out	*o;

	if ((o = TAILQ_FIRST(&conn->idle)) != NULL) {
		out_idle_remove(o);
		return o;
	}
	o = xcalloc(1, sizeof(*o));
	o->conn = conn;
	rpc_reader_init(&o->reader);
	o->stream = yamux_open(mux_yamux(conn->mux), o);
	if (o->stream == NULL) {
		out_free(o);
		return NULL;
	}
	return o;
}

/* After an answer: keep it for the next call, or close it. */
static void
out_put(struct rpc_out *o, bool keep)
{
	struct conn	*conn = o->conn;

	rpc_reader_clear(&o->reader);
	if (keep && conn->nidle < IDLE_STREAMS) {
		TAILQ_INSERT_HEAD(&conn->idle, o, entry);
		conn->nidle++;
		return;
	}
	yamux_close(o->stream);
	out_free(o);
}

static void
on_message(struct rpc_out *o)
{
	struct pool_call	*c = o->call;
	struct rpc_header	 h;
	struct rpc_reader	 answer;
	const uint8_t		*body;
	size_t			 len;
	bool			 failed;

	if (rpc_reader_header(&o->reader, &h) == -1) {
		log_warnx("server %s: bad answer to %s", o->conn->id.name,
		    c->method);
		yamux_reset(o->stream);
		o->stream = NULL;
		call_end(c, POOL_LOST, "EOF", NULL, 0);
		out_free(o);
		return;
	}
	/* The stream goes back first: the callback may call again on it. */
	answer = o->reader;
	rpc_reader_init(&o->reader);
	failed = *h.error != '\0';
	body = rpc_reader_body(&answer, &len);
	call_unlink(c);
	out_put(o, !failed);
	if (failed)
		c->fn(POOL_ERROR, h.error, NULL, 0, c->arg);
	else
		c->fn(POOL_OK, NULL, body, len, c->arg);
	call_free(c);
	rpc_reader_clear(&answer);
	rpc_header_clear(&h);
}

static void
on_data(struct yamux_stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct rpc_out	*o = yamux_ctx(s);
	struct conn	*conn = arg;
	enum rpc_result	 res = RPC_BAD;
	size_t		 used = 0;

	if (o->call != NULL) {
		res = rpc_reader_feed(&o->reader, p, n, &used);
		/* Given back while the message is only partly read. */
		yamux_consumed(s, used);
	}
	if (res == RPC_MORE)
		return;
	if (res == RPC_MESSAGE && used == n) {
		on_message(o);
		return;
	}
	log_warnx("server %s: %s on a stream", conn->id.name,
	    o->call == NULL || res == RPC_MESSAGE ? "unasked bytes" :
	    "malformed answer");
	if (o->call == NULL)
		out_idle_remove(o);
	yamux_reset(s);
	if (o->call != NULL)
		call_end(o->call, POOL_LOST, "EOF", NULL, 0);
	out_free(o);
}

static void
out_lost(struct rpc_out *o)
{
	if (o->call == NULL)
		out_idle_remove(o);
	else
		call_end(o->call, POOL_LOST, "EOF", NULL, 0);
	out_free(o);
}

static void
on_fin(struct yamux_stream *s, void *arg)
{
	struct rpc_out	*o = yamux_ctx(s);

	(void)arg;
	yamux_close(s);
	out_lost(o);
}

static void
on_reset(struct yamux_stream *s, void *arg)
{
	(void)arg;
	out_lost(yamux_ctx(s));
}

static void
on_acked(void *arg)
{
	send_waiting(arg);
}

/* ---- sending ---- */

static void
send_call(struct conn *conn, struct pool_call *c, struct rpc_out *o,
    const void *body, size_t len)
{
	struct wbuf	 w;

	c->out = o;
	o->call = c;
	TAILQ_INSERT_TAIL(&conn->calls, c, entry);
	wb_init(&w, 0);
	rpc_put_request(&w, c->seq, c->method, c->via);
	wb_bytes(&w, body, len);
	yamux_send(o->stream, w.p, w.len);
	wb_free(&w);
}

static void
send_waiting(struct conn *conn)
{
	struct pool_call	*c;
	struct rpc_out		*o;

	while ((c = TAILQ_FIRST(&conn->waiting)) != NULL) {
		if ((o = out_get(conn)) == NULL)
			break;
		TAILQ_REMOVE(&conn->waiting, c, entry);
		send_call(conn, c, o, c->body, c->len);
		free(c->body);
		c->body = NULL;
	}
	mux_flush(conn->mux);
}

bool
conn_usable(const struct conn *conn)
{
	return conn->mux == NULL || !yamux_ending(mux_yamux(conn->mux));
}

void
conn_call(struct conn *conn, struct pool_call *c, const void *body, size_t len)
{
	struct rpc_out	*o = NULL;

	c->conn = conn;
	ev_timer_stop(conn->idle_timer);
	if (conn->mux != NULL && TAILQ_EMPTY(&conn->waiting))
		o = out_get(conn);
	if (o != NULL) {
		send_call(conn, c, o, body, len);
		mux_flush(conn->mux);
		return;
	}
	c->body = xmalloc(len > 0 ? len : 1);
	memcpy(c->body, body, len);
	c->len = len;
	TAILQ_INSERT_TAIL(&conn->waiting, c, entry);
}

void
conn_cancel(struct pool_call *c)
{
	struct conn	*conn = c->conn;
	struct rpc_out	*o = c->out;

	call_unlink(c);
	call_free(c);
	if (o == NULL || conn->closing)
		return;
	/*
	 * A reset ends the call there, too.  Not in Consul, which carries it
	 * out and then has the reset in its log as an error; there the stream
	 * is closed, and the answer dropped when it comes.
	 */
	if (conn->id.disco)
		yamux_reset(o->stream);
	else
		yamux_close(o->stream);
	out_free(o);
	mux_flush(conn->mux);
}

/* ---- the connection ---- */

static void
streams_free(struct conn *conn)
{
	struct pool_call	*c;
	struct rpc_out		*o;

	while ((o = TAILQ_FIRST(&conn->idle)) != NULL) {
		out_idle_remove(o);
		out_free(o);
	}
	while ((c = TAILQ_FIRST(&conn->calls)) != NULL) {
		o = c->out;
		TAILQ_REMOVE(&conn->calls, c, entry);
		TAILQ_INSERT_TAIL(&conn->waiting, c, entry);
		c->out = NULL;
		out_free(o);
	}
}

void
conn_free(struct conn *conn)
{
	struct pool_call	*c;

	if (conn == NULL)
		return;
	streams_free(conn);
	while ((c = TAILQ_FIRST(&conn->waiting)) != NULL) {
		TAILQ_REMOVE(&conn->waiting, c, entry);
		call_free(c);
	}
	ev_timer_free(conn->idle_timer);
	mux_free(conn->mux);
	outgoing_free(conn->dial);
	stream_free(conn->stream);
	free(conn->id.name);
	free(conn->id.dc);
	free(conn);
}

/* Over: everybody on it is told, then it is freed. */
static void
conn_end(struct conn *conn, enum pool_result res, const char *error)
{
	struct pool_call	*c;

	if (conn->closing)
		return;
	conn->closing = true;
	conn->owner->gone(conn, conn->owner->arg);
	streams_free(conn);
	/* A callback may cancel others in the list, or call: elsewhere. */
	while ((c = TAILQ_FIRST(&conn->waiting)) != NULL)
		call_end(c, res, error, NULL, 0);
	conn_free(conn);
}

static void
on_dead(const char *why, void *arg)
{
	struct conn	*conn = arg;

	log_info("server %s: connection closed: %s", conn->id.name, why);
	conn_end(conn, POOL_LOST, "EOF");
}

static const struct mux_ops mux_ops = {
	NULL, on_data, on_fin, on_reset, on_acked, on_dead
};

static size_t
on_stream_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct conn		*conn = arg;
	struct pool_call	*c;

	(void)s;
	n = mux_data(conn->mux, p, n);
	if (!yamux_ending(mux_yamux(conn->mux)))
		return n;
	/* After a go-away nothing that waits gets a stream. */
	while ((c = TAILQ_FIRST(&conn->waiting)) != NULL)
		call_end(c, POOL_LOST, "EOF", NULL, 0);
	return n;
}

static void
on_drained(struct stream *s, void *arg)
{
	struct conn	*conn = arg;

	(void)s;
	if (conn->mux != NULL)
		mux_drained(conn->mux);
}

static void
on_closed(struct stream *s, const char *why, void *arg)
{
	struct conn	*conn = arg;

	(void)s;
	log_info("server %s: connection closed: %s", conn->id.name,
	    str_or(why, "EOF"));
	conn_end(conn, POOL_LOST, "EOF");
}

static const struct stream_ops stream_ops = {
	NULL, on_stream_data, on_drained, on_closed
};

static void
on_dialled(struct stream *s, const char *why, void *arg)
{
	struct conn	*conn = arg;

	conn->dial = NULL;
	if (s == NULL) {
		log_warnx("server %s: no connection: %s", conn->id.name, why);
		conn_end(conn, POOL_DIAL, why);
		return;
	}
	conn->stream = s;
	stream_set_ops(s, &stream_ops, conn);
	conn->mux = mux_new(conn->ev, s, true, &mux_ops, conn);
	log_debug("server %s: connected%s%s", conn->id.name,
	    stream_is_secure(s) ? ", " : "", stream_is_secure(s) ?
	    tls_layer_version(stream_layer(s)) : "");
	send_waiting(conn);
}

static void
on_idle(void *arg)
{
	struct conn	*conn = arg;

	log_debug("server %s: connection closed: idle", conn->id.name);
	conn_end(conn, POOL_LOST, "EOF");
}

struct conn *
conn_dial(const struct dialler *d, const struct server_id *id,
    const struct conn_owner *owner)
{
	struct conn	*conn = xcalloc(1, sizeof(*conn));

	conn->ev = d->ev;
	conn->owner = owner;
	conn->id.name = xstrdup(id->name);
	conn->id.dc = xstrdup(id->dc);
	conn->id.addr = id->addr;
	conn->id.disco = id->disco;
	TAILQ_INIT(&conn->calls);
	TAILQ_INIT(&conn->waiting);
	TAILQ_INIT(&conn->idle);
	conn->idle_timer = ev_timer_new(d->ev, on_idle, conn);
	conn->dial = outgoing_new(d, id, RPC_TYPE_MULTIPLEX, on_dialled, conn);
	return conn;
}

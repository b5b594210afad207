/*
 * The server's side of RPC.
 *
 * Happy path: TCP connect, TLS maybe, one type byte (0 plain, 4 yamux) within
 * the handshake time (incoming.c); then requests, one at a time on each stream,
 * each answered by catalogd; the next request of a stream is read when its
 * answer is out.
 *
 * Failures: another type byte, too many connections, a protocol error or too
 * much memory close the connection; a malformed message resets its stream; an
 * unknown method is answered, then the stream closed; while catalogd is away
 * requests wait HOLD_MS, then say "No cluster leader", which makes agents try
 * again; what catalogd took with it when it died has an unknown outcome, so
 * the stream ends without an answer.  RST or the end of a connection cancels
 * its calls; FIN does not, for a half-closed peer still reads.
 */
#include <bsd/sys/queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/stream.h"
#include "common/util.h"
#include "rpcd/incoming.h"
#include "rpcd/mux.h"
#include "rpcd/rpc_stream.h"
#include "rpcd/serve.h"

#define CONNS_MAX	8192		/* of 20,000 descriptors */
#define CONNS_PER_IP	100
#define HANDSHAKE_MS	5000
#define HOLD_MS		2000
#define STREAMS_MAX	16384		/* a connection; many reads block */
#define MEMORY_MAX	(512u << 20)	/* buffered for all connections */
#define SOURCE_COST	1024		/* of it for an open stream */
#define FINISH_MS	5000
#define WARN_MS		60000		/* between lines of one kind */

struct client;

/* Where requests come from: a stream, or a plain connection. */
struct source {
	TAILQ_ENTRY(source)	 entry;		/* of its client */
	TAILQ_ENTRY(source)	 held;		/* while catalogd is away */
	struct client		*client;
	struct yamux_stream	*stream;	/* NULL: plain */
	struct rpc_reader	 reader;
	struct wbuf		 ahead;		/* came during a call */
	size_t			 ahead_off;	/* of it, already read */
	struct rpc_header	 header;	/* of the call */
	struct call		*call;
	uint64_t		 held_ms;
	bool			 busy;		/* a request is being served */
	bool			 is_held;
	bool			 fin;		/* nothing more will come */
};
TAILQ_HEAD(sources, source);

struct client {
	TAILQ_ENTRY(client)	 link;
	struct serve		*serve;
	struct incoming		*incoming;	/* until the type is known */
	struct stream		*stream;	/* from then on */
	struct mux		*mux;		/* NULL: plain, or no type */
	struct source		*plain;
	bool			 anybody;	/* came without a certificate */
	struct sockaddr_storage	 addr;
	char			 text[ADDR_TEXT_MAX];
	struct sources		 sources;
	size_t			 nsources;
	size_t			 buffered;	/* requests, partly read */
	size_t			 accounted;	/* of serve->memory */
	bool			 doomed;	/* to be closed next turn */
};
TAILQ_HEAD(clients, client);

struct listener {
	TAILQ_ENTRY(listener)	 entry;
	struct acceptor		*acceptor;
	int			 fd;
};
TAILQ_HEAD(listeners, listener);

struct serve {
	struct ev		*ev;
	struct calls		*calls;
	const struct rpc_tls	*tls;
	struct serve_limits	 limits;
	struct listeners	 listeners;
	struct clients		 clients;
	size_t			 nclients;
	size_t			 memory;
	struct sources		 held;		/* by age */
	struct ev_timer		*hold_timer;
	uint64_t		 full_warn_ms;	/* when to say it again */
	bool			 up;
	serve_hand_fn		*hand;		/* NULL: nobody */
	void			*hand_arg;
};

static void	 on_request(struct source *);
static void	 client_drop(struct client *);

/* ---- memory ---- */

/*
 * Full: the one who has most of it goes.  Were it the one that asked last, a
 * silent hog would have everybody else closed.
 */
static void
drop_largest(struct serve *s)
{
	struct client	*c, *most = NULL;

	TAILQ_FOREACH(c, &s->clients, link)
		if (most == NULL || c->accounted > most->accounted)
			most = c;
	if (most == NULL || most->stream == NULL)
		return;
	if (most->mux != NULL)
		mux_fail(most->mux, "memory for requests and answers is full");
	else if (!most->doomed) {
		most->doomed = true;
		stream_deadline(most->stream, 1);
	}
}

/* Counts what the client makes us keep. */
static void
client_account(struct client *c)
{
	struct serve	*s = c->serve;
	size_t		 now = c->buffered + c->nsources * SOURCE_COST;

	now += c->mux != NULL ? mux_queued(c->mux) : stream_queued(c->stream);
	s->memory = s->memory - c->accounted + now;
	c->accounted = now;
	if (s->memory > s->limits.memory)
		drop_largest(s);
}

/* ---- sources ---- */

static void
source_hold_end(struct source *src)
{
	if (!src->is_held)
		return;
	TAILQ_REMOVE(&src->client->serve->held, src, held);
	src->is_held = false;
}

static struct source *
source_new(struct client *c, struct yamux_stream *stream)
{
	struct source	*src = xcalloc(1, sizeof(*src));

	src->client = c;
	src->stream = stream;
	rpc_reader_init(&src->reader);
	wb_init(&src->ahead, 0);
	TAILQ_INSERT_TAIL(&c->sources, src, entry);
	c->nsources++;
	return src;
}

/* Frees it and forgets its call; the stream is not touched. */
static void
source_free(struct source *src)
{
	struct client	*c = src->client;

	source_hold_end(src);
	if (src->call != NULL)
		call_cancel(src->call);
	c->buffered -= src->reader.buf.len + src->ahead.len - src->ahead_off;
	rpc_reader_clear(&src->reader);
	wb_free(&src->ahead);
	rpc_header_clear(&src->header);
	TAILQ_REMOVE(&c->sources, src, entry);
	c->nsources--;
	if (c->plain == src)
		c->plain = NULL;
	free(src);
}

static void
source_write(struct source *src, const void *p, size_t n)
{
	if (src->stream != NULL)
		yamux_send(src->stream, p, n);
	else
		stream_write(src->client->stream, p, n);
}

/* The connection's bytes have to go, unless a callback of it does that. */
static void
source_flush(struct source *src)
{
	struct client	*c = src->client;

	if (c->mux != NULL)
		mux_flush(c->mux);
	client_account(c);
}

/*
 * FIN: no more is read or answered here.  Of a plain connection it is the end;
 * what was written still goes out.
 */
static void
source_close(struct source *src)
{
	struct client	*c = src->client;

	if (src->stream != NULL) {
		yamux_close(src->stream);
		source_free(src);
		if (c->mux != NULL)
			mux_flush(c->mux);
		return;
	}
	stream_deadline(c->stream, FINISH_MS);
	stream_finish(c->stream);
	c->stream = NULL;
	client_drop(c);
}

/* ---- reading ---- */

/*
 * Keeps bytes of a stream for later: uncredited, so it is a window at most.
 * One that always has a request ahead never lets it run empty, so what was
 * read makes room here.
 */
static void
source_keep(struct source *src, const uint8_t *p, size_t n)
{
	struct wbuf	*b = &src->ahead;

	if (src->ahead_off > b->len / 2) {
		b->len -= src->ahead_off;
		memmove(b->p, b->p + src->ahead_off, b->len);
		src->ahead_off = 0;
	}
	wb_bytes(b, p, n);
	src->client->buffered += n;
}

static enum rpc_result
source_feed(struct source *src, const uint8_t *p, size_t n, size_t *used)
{
	enum rpc_result	 res;

	res = rpc_reader_feed(&src->reader, p, n, used);
	src->client->buffered += *used;
	/* Given back while the message is only partly read. */
	yamux_consumed(src->stream, *used);
	return res;
}

static void
source_malformed(struct source *src)
{
	log_info("client %s: malformed request", src->client->text);
	yamux_reset(src->stream);
	source_free(src);
}

/* Bytes of one stream, in order.  The source may be gone after. */
static void
source_data(struct source *src, const uint8_t *p, size_t n)
{
	enum rpc_result	 res;
	size_t		 used;

	if (src->busy) {
		source_keep(src, p, n);
		return;
	}
	res = source_feed(src, p, n, &used);
	if (res == RPC_BAD)
		source_malformed(src);
	else if (res == RPC_MESSAGE) {
		source_keep(src, p + used, n - used);
		on_request(src);
	}
}

/* The answer is out: what came meanwhile begins the next request. */
static void
source_next(struct source *src)
{
	enum rpc_result	 res = RPC_MORE;
	size_t		 used = 0;

	src->busy = false;
	rpc_header_clear(&src->header);
	if (src->stream == NULL) {
		stream_resume(src->client->stream);
		return;
	}
	if (src->ahead.len > 0) {
		res = source_feed(src, src->ahead.p + src->ahead_off,
		    src->ahead.len - src->ahead_off, &used);
		src->ahead_off += used;
		src->client->buffered -= used;
		if (src->ahead_off == src->ahead.len) {
			wb_free(&src->ahead);
			wb_init(&src->ahead, 0);
			src->ahead_off = 0;
		}
	}
	if (res == RPC_BAD)
		source_malformed(src);
	else if (res == RPC_MESSAGE)
		on_request(src);
	else if (src->fin)
		source_close(src);
}

/* ---- answers ---- */

static void
source_answer(struct source *src, const char *error, const uint8_t *body,
    size_t len)
{
	static const uint8_t	 empty = 0x80;
	struct wbuf		 w;

	wb_init(&w, 0);
	rpc_put_answer(&w, src->header.seq, src->header.method,
	    str_or(error, ""));
	/* One object follows in any case. */
	if (error != NULL || len == 0)
		wb_bytes(&w, &empty, 1);
	else
		wb_bytes(&w, body, len);
	source_write(src, w.p, w.len);
	wb_free(&w);
	source_flush(src);
	if (error != NULL && rpc_error_closes(error))
		source_close(src);
	else
		source_next(src);
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct source	*src = arg;

	src->call = NULL;
	switch (status) {
	case CALL_OK:
		source_answer(src, NULL, body, len);
		break;
	case CALL_ERROR:
		source_answer(src, str_or(error, "unknown error"), NULL, 0);
		break;
	case CALL_BUSY:
		source_answer(src, "RPC rate limit exceeded", NULL, 0);
		break;
	case CALL_LOST:
	case CALL_TIMEOUT:
		/* Whether a write was done nobody knows; EOF says so. */
		source_close(src);
		break;
	}
}

/* ---- requests ---- */

static void
source_call(struct source *src)
{
	struct serve	*s = src->client->serve;
	struct msg_call	 m;
	const uint8_t	*body;
	size_t		 len;

	memset(&m, 0, sizeof(m));
	m.method = src->header.method;
	m.target = CALL_HERE;
	m.flags = src->header.via;
	body = rpc_reader_body(&src->reader, &len);
	src->call = call_start(s->calls, &m, body, len, 0, on_answer, src);
	src->client->buffered -= src->reader.buf.len;
	rpc_reader_clear(&src->reader);
}

static void
on_hold_timer(void *arg)
{
	struct serve	*s = arg;
	struct source	*src;
	uint64_t	 age;

	while ((src = TAILQ_FIRST(&s->held)) != NULL) {
		age = ev_now(s->ev) - src->held_ms;
		if (age < HOLD_MS) {
			ev_timer_set(s->hold_timer, HOLD_MS - age);
			return;
		}
		source_hold_end(src);
		src->client->buffered -= src->reader.buf.len;
		rpc_reader_clear(&src->reader);
		source_answer(src, "No cluster leader", NULL, 0);
	}
}

static void
source_hold(struct source *src)
{
	struct serve	*s = src->client->serve;

	src->is_held = true;
	src->held_ms = ev_now(s->ev);
	TAILQ_INSERT_TAIL(&s->held, src, held);
	if (!ev_timer_pending(s->hold_timer))
		ev_timer_set(s->hold_timer, HOLD_MS);
}

void
serve_catalog_up(struct serve *s, bool up)
{
	struct source	*src;

	s->up = up;
	if (!up)
		return;
	while ((src = TAILQ_FIRST(&s->held)) != NULL) {
		source_hold_end(src);
		source_call(src);
	}
}

/*
 * What somebody without a certificate may call hands certificates out, which
 * takes a CA of our own.
 */
static const char *
anybody_refusal(const char *method, char *buf, size_t len)
{
	if (strcmp(method, "AutoEncrypt.Sign") == 0)
		return "Connect must be enabled in order to use this endpoint";
	(void)snprintf(buf, len, "rpc: can't find service %s", method);
	return buf;
}

/* A whole message is in the reader.  The source may be gone after it. */
static void
on_request(struct source *src)
{
	struct client	*c = src->client;
	const char	*refusal;
	char		 buf[RPC_METHOD_MAX + 64];

	if (rpc_reader_header(&src->reader, &src->header) == -1) {
		log_info("client %s: bad request header", c->text);
		source_close(src);
		return;
	}
	src->busy = true;
	refusal = c->anybody ? anybody_refusal(src->header.method, buf,
	    sizeof(buf)) : rpc_method_refusal(src->header.method, buf,
	    sizeof(buf));
	if (refusal != NULL) {
		log_info("client %s: refused: %s", c->text, refusal);
		source_answer(src, refusal, NULL, 0);
	} else if (!c->serve->up)
		source_hold(src);
	else
		source_call(src);
}

/* ---- streams ---- */

static void
on_opened(struct yamux_stream *ys, void *arg)
{
	struct client	*c = arg;

	if (c->nsources >= STREAMS_MAX) {
		yamux_reset(ys);
		return;
	}
	yamux_accept(ys, source_new(c, ys));
}

static void
on_data(struct yamux_stream *ys, const uint8_t *p, size_t n, void *arg)
{
	(void)arg;
	source_data(yamux_ctx(ys), p, n);
}

static void
on_fin(struct yamux_stream *ys, void *arg)
{
	struct source	*src = yamux_ctx(ys);

	(void)arg;
	src->fin = true;
	if (!src->busy)
		source_close(src);
}

static void
on_reset(struct yamux_stream *ys, void *arg)
{
	(void)arg;
	source_free(yamux_ctx(ys));
}

/* ---- clients ---- */

static void
client_drop(struct client *c)
{
	struct serve	*s = c->serve;
	struct source	*src;

	while ((src = TAILQ_FIRST(&c->sources)) != NULL)
		source_free(src);
	TAILQ_REMOVE(&s->clients, c, link);
	s->nclients--;
	s->memory -= c->accounted;
	mux_free(c->mux);
	incoming_free(c->incoming);
	stream_free(c->stream);
	free(c);
}

static void
on_dead(const char *why, void *arg)
{
	struct client	*c = arg;

	log_info("client %s: closed: %s", c->text, why);
	/* Its go-away is on the way out. */
	stream_deadline(c->stream, FINISH_MS);
	stream_finish(c->stream);
	c->stream = NULL;
	client_drop(c);
}

static const struct mux_ops mux_ops = {
	on_opened, on_data, on_fin, on_reset, NULL, on_dead
};

/* A plain connection: one request, paused until it is answered. */
static size_t
plain_data(struct client *c, const uint8_t *p, size_t n)
{
	struct source	*src = c->plain;
	enum rpc_result	 res;
	size_t		 used;

	res = rpc_reader_feed(&src->reader, p, n, &used);
	c->buffered += used;
	if (res == RPC_BAD) {
		log_info("client %s: closed: malformed request", c->text);
		client_drop(c);
		return n;
	}
	client_account(c);
	if (res == RPC_MESSAGE) {
		stream_pause(c->stream);
		on_request(src);
	}
	return used;
}

static size_t
on_stream_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct client	*c = arg;

	(void)s;
	if (c->plain != NULL)
		return plain_data(c, p, n);
	n = mux_data(c->mux, p, n);
	client_account(c);
	return n;
}

static void
on_drained(struct stream *s, void *arg)
{
	struct client	*c = arg;

	(void)s;
	if (c->mux != NULL)
		mux_drained(c->mux);
	client_account(c);
}

static void
on_closed(struct stream *s, const char *why, void *arg)
{
	struct client	*c = arg;

	(void)s;
	log_debug("client %s: closed: %s", c->text, str_or(why, "EOF"));
	client_drop(c);
}

static const struct stream_ops stream_ops = {
	NULL, on_stream_data, on_drained, on_closed
};

/* It is no client of ours. */
static void
hand_over(struct client *c, struct stream *s, uint8_t type)
{
	struct serve	*serve = c->serve;
	char		 from[ADDR_TEXT_MAX];

	memcpy(from, c->text, sizeof(from));
	c->stream = NULL;
	client_drop(c);
	serve->hand(s, type, from, serve->hand_arg);
}

static void
on_entered(struct stream *s, uint8_t type, const char *why, void *arg)
{
	struct client	*c = arg;

	c->incoming = NULL;
	if (s == NULL) {
		log_info("client %s: closed: %s", c->text, why);
		client_drop(c);
		return;
	}
	c->stream = s;
	stream_set_ops(s, &stream_ops, c);
	switch (type) {
	case RPC_TYPE_ANYBODY:
		c->anybody = true;
		/* FALLTHROUGH */
	case RPC_TYPE_PLAIN:
		c->plain = source_new(c, NULL);
		break;
	case RPC_TYPE_MULTIPLEX:
		c->mux = mux_new(c->serve->ev, s, false, &mux_ops, c);
		break;
	case RPC_TYPE_RAFT:
	case RPC_TYPE_SNAPSHOT:
		if (c->serve->hand != NULL) {
			hand_over(c, s, type);
			break;
		}
		/* FALLTHROUGH */
	default:
		log_info("client %s: closed: type %u is not served", c->text,
		    type);
		client_drop(c);
		break;
	}
}

static size_t
conns_of(const struct serve *s, const struct sockaddr_storage *addr)
{
	struct client	*c;
	size_t		 n = 0;

	TAILQ_FOREACH(c, &s->clients, link)
		n += addr_equal_ip(&c->addr, addr);
	return n;
}

static void
on_accept(int fd, const struct sockaddr_storage *addr, void *arg)
{
	struct serve	*s = arg;
	struct client	*c;
	char		 text[ADDR_TEXT_MAX];

	addr_text(addr, text, sizeof(text));
	if (s->nclients >= CONNS_MAX ||
	    conns_of(s, addr) >= s->limits.conns_per_ip) {
		if (ev_now(s->ev) >= s->full_warn_ms) {
			s->full_warn_ms = ev_now(s->ev) + WARN_MS;
			log_warnx("client %s: closed: too many connections",
			    text);
		}
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->serve = s;
	c->addr = *addr;
	memcpy(c->text, text, sizeof(c->text));
	TAILQ_INIT(&c->sources);
	TAILQ_INSERT_TAIL(&s->clients, c, link);
	s->nclients++;
	c->incoming = incoming_new(s->ev, fd, s->tls, s->limits.handshake_ms,
	    on_entered, c);
}

/* ---- the whole ---- */

struct serve *
serve_new(struct ev *ev, struct calls *calls, const struct rpc_tls *tls)
{
	struct serve	*s = xcalloc(1, sizeof(*s));

	s->ev = ev;
	s->calls = calls;
	s->tls = tls;
	TAILQ_INIT(&s->listeners);
	TAILQ_INIT(&s->clients);
	TAILQ_INIT(&s->held);
	s->limits.handshake_ms = HANDSHAKE_MS;
	s->limits.conns_per_ip = CONNS_PER_IP;
	s->limits.memory = MEMORY_MAX;
	s->hold_timer = ev_timer_new(ev, on_hold_timer, s);
	return s;
}

void
serve_set_limits(struct serve *s, const struct serve_limits *l)
{
	s->limits.handshake_ms = l->handshake_ms > 0 ? l->handshake_ms :
	    HANDSHAKE_MS;
	s->limits.conns_per_ip = l->conns_per_ip > 0 ? l->conns_per_ip :
	    CONNS_PER_IP;
	s->limits.memory = l->memory > 0 ? l->memory : MEMORY_MAX;
}

void
serve_listen(struct serve *s, int fd)
{
	struct listener	*l = xcalloc(1, sizeof(*l));

	l->fd = fd;
	l->acceptor = acceptor_new(s->ev, fd, on_accept, s);
	TAILQ_INSERT_TAIL(&s->listeners, l, entry);
}

void
serve_set_hand(struct serve *s, serve_hand_fn *fn, void *arg)
{
	s->hand = fn;
	s->hand_arg = arg;
}

void
serve_stop_listening(struct serve *s)
{
	struct listener	*l;

	while ((l = TAILQ_FIRST(&s->listeners)) != NULL) {
		TAILQ_REMOVE(&s->listeners, l, entry);
		acceptor_free(l->acceptor);
		close(l->fd);
		free(l);
	}
}

void
serve_free(struct serve *s)
{
	if (s == NULL)
		return;
	serve_stop_listening(s);
	while (!TAILQ_EMPTY(&s->clients))
		client_drop(TAILQ_FIRST(&s->clients));
	ev_timer_free(s->hold_timer);
	free(s);
}

size_t
serve_nconns(const struct serve *s)
{
	return s->nclients;
}

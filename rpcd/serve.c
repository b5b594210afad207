/*
 * The server's side of RPC: connections.
 *
 * Happy path: TCP connect, TLS maybe, one type byte (0 plain, 4 yamux) within
 * the handshake time (incoming.c); then requests (serve_source.c).
 *
 * Failures: another type byte, too many connections, a protocol error or too
 * much memory close the connection, and with it its calls.  Lines about one
 * address that comes again and again are limited.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "rpcd/serve_i.h"

#define CONNS_MAX	8192		/* of 20,000 descriptors */
#define CONNS_PER_IP	100
#define HANDSHAKE_MS	5000
#define STREAMS_MAX	16384		/* a connection; many reads block */
#define MEMORY_MAX	(512u << 20)	/* buffered for all connections */
#define SOURCE_COST	1024		/* of it for an open stream */
#define FINISH_MS	5000
#define WARN_MS		60000		/* between lines of one kind */

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

void
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

/* ---- the log ---- */

void
client_log(struct client *c, const char *fmt, ...)
{
	uint64_t	 hidden;
	va_list		 ap;
	char		*text;

	if (!peer_may_log(c->peer, ev_now(c->serve->ev), &hidden))
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		fatalx("out of memory");
	va_end(ap);
	if (hidden > 0)
		log_info("client %s: %s (and %llu lines about it were not "
		    "logged)", c->text, text, (unsigned long long)hidden);
	else
		log_info("client %s: %s", c->text, text);
	free(text);
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

void
client_drop(struct client *c)
{
	struct serve	*s = c->serve;
	struct source	*src;

	while ((src = TAILQ_FIRST(&c->sources)) != NULL)
		source_free(src);
	TAILQ_REMOVE(&s->clients, c, link);
	s->nclients--;
	s->memory -= c->accounted;
	peer_left(s->peers, c->peer);
	mux_free(c->mux);
	incoming_free(c->incoming);
	stream_free(c->stream);
	free(c);
}

static void
on_dead(const char *why, void *arg)
{
	struct client	*c = arg;

	client_log(c, "closed: %s", why);
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
		client_log(c, "closed: malformed request");
		client_drop(c);
		return n;
	}
	client_account(c);
	if (res == RPC_MESSAGE) {
		stream_pause(c->stream);
		source_request(src);
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
		client_log(c, "closed: %s", why);
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
		client_log(c, "closed: type %u is not served", type);
		client_drop(c);
		break;
	}
}

static void
on_accept(int fd, const struct sockaddr_storage *addr, void *arg)
{
	struct serve	*s = arg;
	struct client	*c;
	char		 text[ADDR_TEXT_MAX];

	addr_text(addr, text, sizeof(text));
	if (s->nclients >= CONNS_MAX ||
	    peers_conns(s->peers, addr) >= s->limits.conns_per_ip) {
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
	c->peer = peer_came(s->peers, addr);
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
	s->peers = peers_new(CALL_WINDOW);
	TAILQ_INIT(&s->listeners);
	TAILQ_INIT(&s->clients);
	TAILQ_INIT(&s->held);
	s->limits.handshake_ms = HANDSHAKE_MS;
	s->limits.conns_per_ip = CONNS_PER_IP;
	s->limits.memory = MEMORY_MAX;
	s->hold_timer = ev_timer_new(ev, source_hold_expired, s);
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
	peers_set_window(s->peers, l->calls > 0 ? l->calls : CALL_WINDOW);
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
	peers_free(s->peers);
	free(s);
}

size_t
serve_nconns(const struct serve *s)
{
	return s->nclients;
}

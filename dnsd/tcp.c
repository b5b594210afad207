/*
 * DNS over TCP: see tcp.h.
 *
 * Happy path: accept; two bytes of length and a query, again and again, not
 * waiting for answers; the client closes.
 * Failure: a client that stalls within a query or sends nothing for
 * TCP_IDLE_MS is closed; one that does not take its answers, or has too many
 * queries open, is not read until it does; a length below a header, or of no
 * query, closes.  Where there are too many connections, of one address or of
 * all, the one that was quiet for longest makes room for the new one.
 */
#include <bsd/sys/queue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/acceptor.h"
#include "common/log.h"
#include "common/stream.h"
#include "common/util.h"
#include "dnsd/tcp.h"

#define TCP_SOCKETS_MAX 64

struct tcp_conn {
	TAILQ_ENTRY(tcp_conn) entry;
	struct tcp	*tcp;
	struct stream	*stream;
	struct origin	 origin;	/* of its queries */
	uint8_t		 ip[16];
	size_t		 ip_len;
	size_t		 queued;	/* answers, as last counted */
	bool		 streams;	/* waits to go on */
	bool		 leaving;	/* to another process */
	struct wbuf	 unread;	/* then: what goes with it */
	unsigned	 nlater;
};
TAILQ_HEAD(tcp_conns, tcp_conn);

struct tcp {
	struct ev		*ev;
	tcp_query_fn		*query;
	tcp_stream_fn		*stream;
	tcp_elsewhere_fn	*elsewhere;
	tcp_give_fn		*give;
	void			*arg;
	int			 fd[TCP_SOCKETS_MAX];
	struct acceptor		*acceptor[TCP_SOCKETS_MAX];
	size_t			 nfd;
	struct tcp_conn		*conn[TCP_CONNS_MAX];
	struct tcp_conns	 quiet;		/* longest quiet first */
	size_t			 nconns;
	size_t			 queued;	/* answers of all */
	uint64_t		 next_id;
	bool			 full;		/* said so already */
	uint8_t			 out[2 + DNS_TCP_MAX];
};

static void
conn_free(struct tcp_conn *c)
{
	struct tcp	*t = c->tcp;

	if (c->streams)
		t->stream(&c->origin, true, t->arg);
	stream_free(c->stream);
	wb_free(&c->unread);
	TAILQ_REMOVE(&t->quiet, c, entry);
	t->conn[c->origin.socket] = NULL;
	t->nconns--;
	t->queued -= c->queued;
	if (t->nconns < TCP_CONNS_MAX / 2)
		t->full = false;
	free(c);
}

static void
conn_count(struct tcp_conn *c)
{
	size_t	n = stream_queued(c->stream);

	c->tcp->queued += n - c->queued;
	c->queued = n;
}

static void
conn_write(struct tcp_conn *c, const uint8_t *p, size_t n)
{
	uint8_t	len[2];

	dns_put16(len, (uint16_t)n);
	stream_write(c->stream, len, 2);
	stream_write(c->stream, p, n);
	conn_count(c);
}

static bool
conn_full(const struct tcp_conn *c)
{
	return c->queued >= TCP_QUEUE_MAX ||
	    (c->queued > 0 && c->tcp->queued >= TCP_QUEUE_ALL);
}

static bool
conn_busy(const struct tcp_conn *c)
{
	return c->nlater >= TCP_LATER_MAX || conn_full(c);
}

/* One query; the answer goes straight behind its length. */
static void
conn_query(struct tcp_conn *c, const uint8_t *q, size_t len)
{
	struct tcp	*t = c->tcp;
	bool		 later = false;
	size_t		 n;

	n = t->query(&c->origin, q, len, t->out + 2, &later, t->arg);
	if (later)
		c->nlater++;
	if (n == 0)
		return;
	dns_put16(t->out, (uint16_t)n);
	stream_write(c->stream, t->out, n + 2);
	conn_count(c);
}

/* Answers that are under way or not taken yet go out first. */
static void
conn_leave(struct tcp_conn *c)
{
	struct tcp	*t = c->tcp;
	int		 fd;

	if (c->nlater > 0 || stream_queued(c->stream) > 0)
		return;
	fd = stream_detach(c->stream);
	c->stream = NULL;
	t->give(fd, c->unread.p, c->unread.len, t->arg);
	conn_free(c);
}

static void
conn_used(struct tcp_conn *c)
{
	stream_deadline(c->stream, TCP_IDLE_MS);
	TAILQ_REMOVE(&c->tcp->quiet, c, entry);
	TAILQ_INSERT_TAIL(&c->tcp->quiet, c, entry);
}

static size_t
on_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct tcp_conn	*c = arg;
	size_t		 used = 0, len;

	while (n - used >= 2 && !conn_busy(c)) {
		len = dns_get16(p + used);
		if (len < DNS_HEADER || len > TCP_QUERY_MAX) {
			conn_free(c);
			return n;
		}
		if (n - used - 2 < len)
			break;
		if (c->tcp->elsewhere != NULL && c->tcp->elsewhere(
		    p + used + 2, len, c->tcp->arg)) {
			c->leaving = true;
			wb_bytes(&c->unread, p + used, n - used);
			stream_pause(s);
			conn_leave(c);
			return n;
		}
		conn_query(c, p + used + 2, len);
		used += 2 + len;
	}
	if (used > 0)
		conn_used(c);
	if (conn_busy(c))
		stream_pause(s);
	return used;
}

static void
conn_resume(struct tcp_conn *c)
{
	conn_count(c);
	if (c->leaving)
		conn_leave(c);
	else if (!conn_busy(c))
		stream_resume(c->stream);
}

static void
on_drained(struct stream *s, void *arg)
{
	struct tcp_conn	*c = arg;
	bool		 streams = c->streams;

	(void)s;
	if (streams) {
		conn_used(c);
		c->streams = false;
	}
	conn_resume(c);
	if (streams)
		c->tcp->stream(&c->origin, false, c->tcp->arg);
}

static void
on_closed(struct stream *s, const char *why, void *arg)
{
	struct tcp_conn	*c = arg;

	(void)s;
	if (why != NULL)
		log_debug("dns: TCP client: %s", why);
	conn_free(c);
}

static const struct stream_ops conn_ops = {
	.data = on_data,
	.drained = on_drained,
	.closed = on_closed,
};

/* ---- too many ---- */

/* The one that was quiet for longest: of an address, or of all. */
static struct tcp_conn *
quietest(struct tcp *t, const struct tcp_conn *of, size_t *n)
{
	struct tcp_conn	*c, *first = NULL;

	*n = 0;
	TAILQ_FOREACH(c, &t->quiet, entry) {
		if (of != NULL && (c == of || c->ip_len != of->ip_len ||
		    memcmp(c->ip, of->ip, c->ip_len) != 0))
			continue;
		(*n)++;
		if (first == NULL)
			first = c;
		if (of == NULL)
			break;
	}
	return first;
}

static void
make_room(struct tcp *t)
{
	size_t	n;

	if (t->nconns < TCP_CONNS_MAX)
		return;
	if (!t->full)
		log_warnx("dns: %d TCP connections: those that are quiet for "
		    "longest are closed", TCP_CONNS_MAX);
	t->full = true;
	conn_free(quietest(t, NULL, &n));
}

static void
make_room_for(struct tcp_conn *c)
{
	struct tcp_conn	*old;
	size_t		 n;

	old = quietest(c->tcp, c, &n);
	if (n >= TCP_PER_ADDR_MAX)
		conn_free(old);
}

/* Who asks, and which of our addresses. */
static void
set_origin(struct tcp_conn *c, int fd, const struct sockaddr_storage *peer)
{
	struct sockaddr_storage	 local;
	struct origin		*o = &c->origin;
	socklen_t		 len = sizeof(local);

	o->udp = false;
	o->conn = ++c->tcp->next_id;
	o->addr_len = (uint8_t)addr_len(peer);
	memcpy(o->addr, peer, o->addr_len);
	c->ip_len = addr_to_bytes(peer, c->ip);
	if (getsockname(fd, (struct sockaddr *)&local, &len) == 0)
		o->local_len = (uint8_t)addr_to_bytes(&local, o->local);
}

static struct tcp_conn *
conn_new(struct tcp *t, int fd, const struct sockaddr_storage *peer)
{
	struct tcp_conn	*c;
	uint32_t	 i;

	make_room(t);
	for (i = 0; t->conn[i] != NULL; i++)
		;
	c = xcalloc(1, sizeof(*c));
	c->tcp = t;
	wb_init(&c->unread, 0);
	set_origin(c, fd, peer);
	c->origin.socket = i;
	t->conn[i] = c;
	t->nconns++;
	TAILQ_INSERT_TAIL(&t->quiet, c, entry);
	make_room_for(c);
	c->stream = stream_new(t->ev, fd, &conn_ops, c);
	stream_limit(c->stream, 2 + TCP_QUERY_MAX);
	stream_deadline(c->stream, TCP_IDLE_MS);
	return c;
}

static void
on_accept(int fd, const struct sockaddr_storage *peer, void *arg)
{
	(void)conn_new(arg, fd, peer);
}

void
tcp_take(struct tcp *t, int fd, const uint8_t *p, size_t n)
{
	struct sockaddr_storage	 peer;
	socklen_t		 len = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &len) == -1)
		close(fd);	/* reset meanwhile */
	else
		stream_unread(conn_new(t, fd, &peer)->stream, p, n);
}

void
tcp_on_give(struct tcp *t, tcp_elsewhere_fn *elsewhere, tcp_give_fn *give)
{
	t->elsewhere = elsewhere;
	t->give = give;
}

static struct tcp_conn *
conn_of(struct tcp *t, const struct origin *o)
{
	struct tcp_conn	*c;

	if (o->socket >= TCP_CONNS_MAX ||
	    (c = t->conn[o->socket]) == NULL || c->origin.conn != o->conn)
		return NULL;	/* the client left meanwhile */
	return c;
}

void
tcp_reply(struct tcp *t, const struct origin *o, const uint8_t *p, size_t n)
{
	struct tcp_conn	*c;

	if ((c = conn_of(t, o)) == NULL)
		return;
	c->nlater--;
	if (n > 0)
		conn_write(c, p, n);
	conn_resume(c);
}

bool
tcp_send(struct tcp *t, const struct origin *o, const uint8_t *p, size_t n)
{
	struct tcp_conn	*c;

	if ((c = conn_of(t, o)) == NULL)
		return false;
	conn_write(c, p, n);
	c->streams = conn_full(c);
	return !c->streams;
}

void
tcp_on_stream(struct tcp *t, tcp_stream_fn *fn)
{
	t->stream = fn;
}

void
tcp_add(struct tcp *t, int fd)
{
	if (t->nfd == TCP_SOCKETS_MAX)
		fatalx("dns: more than %d TCP sockets", TCP_SOCKETS_MAX);
	t->fd[t->nfd++] = fd;
}

void
tcp_start(struct tcp *t)
{
	size_t	i;

	for (i = 0; i < t->nfd; i++)
		if (t->acceptor[i] == NULL)
			t->acceptor[i] = acceptor_new(t->ev, t->fd[i],
			    on_accept, t);
}

struct tcp *
tcp_new(struct ev *ev, tcp_query_fn *query, void *arg)
{
	struct tcp	*t = xcalloc(1, sizeof(*t));

	TAILQ_INIT(&t->quiet);
	t->ev = ev;
	t->query = query;
	t->arg = arg;
	return t;
}

void
tcp_free(struct tcp *t)
{
	size_t	i;

	if (t == NULL)
		return;
	for (i = 0; i < TCP_CONNS_MAX; i++)
		if (t->conn[i] != NULL)
			conn_free(t->conn[i]);
	for (i = 0; i < t->nfd; i++) {
		acceptor_free(t->acceptor[i]);
		close(t->fd[i]);
	}
	free(t);
}

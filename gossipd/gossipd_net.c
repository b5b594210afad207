/*
 * Gossip's sockets: datagrams in and out of the one UDP socket, and streams,
 * each of which carries one request and one answer (gossip.md section 6).
 *
 *	we ask		connect, request ->, <- answer, merged; done() is called
 *	    once, with the reason in Go's words if it went wrong
 *	others ask	request read in full, answered, then merged; what cannot
 *	    be read is answered with an error; 10 s for all of it
 *	too many, too large, too slow: closed without a word
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bsd/stdlib.h>

#include "common/log.h"
#include "common/util.h"
#include "gossipd/gossipd.h"

#define UDP_BATCH	8
#define UDP_BATCHES	8		/* a turn; then others have theirs */
#define WARN_NS		(60 * NS_PER_S)	/* between lines of one kind */
#define STREAMS_MAX	128		/* others' requests at once */
#define STREAM_BYTES_MAX (64u << 20)	/* buffered for all of them */
#define STREAM_MS	10000		/* for all of an exchange */
#define OUT_KEEP	(64u << 10)	/* what packets need; states are larger */

enum session_kind { SESS_IN, SESS_EXCHANGE, SESS_LOOK, SESS_PING };

struct session {
	TAILQ_ENTRY(session)	 link;
	struct gossipd		*g;
	struct stream		*stream;
	enum session_kind	 kind;
	struct frame		 frame;
	size_t			 buffered;	/* either way */
	bool			 connected;
	bool			 answered;	/* it ends when that is sent */
	char			 peer[ADDR_TEXT_MAX];
	/* ours */
	uint64_t		 end_ms;	/* of all of it */
	bool			 join;
	uint32_t		 seq;
	struct ident		*target;	/* of a ping; held */
	net_done_fn		*done;
	void			*arg;
};

struct net {
	struct ev_io		*udp;
	bool			 udp6;
	struct acceptor		*acceptor;
	TAILQ_HEAD(, session)	 sessions;
	unsigned		 nin;
	size_t			 buffered;
	struct wbuf		 out, msg;
	uint64_t		 send_warn_at, drop_warn_at, full_warn_at;
	uint64_t		 stream_warn_at;
	struct mmsghdr		 hdr[UDP_BATCH];
	struct iovec		 iov[UDP_BATCH];
	struct sockaddr_storage	 from[UDP_BATCH];
	uint8_t			*buf;		/* untouched pages cost nothing */
};

/* ---- datagrams ---- */

struct arrival { struct gossipd *g; struct gaddr from; uint64_t now; };

static void
on_message(const uint8_t *p, size_t n, void *arg)
{
	struct arrival	*a = arg;

	serf_input(a->g->serf, a->now, &a->from, p, n);
}

static void
on_datagram(struct gossipd *g, const struct sockaddr_storage *ss,
    const uint8_t *p, size_t n)
{
	struct arrival	 a = { g, gaddr_from_sockaddr(ss), gossipd_now() };
	char		 text[ADDR_TEXT_MAX];
	const char	*why;

	g->source_allowed = gossipd_allowed(g, &a.from);
	why = packet_open(&g->layers, p, n, on_message, &a);
	g->source_allowed = true;
	if (why == NULL)
		return;
	(void)addr_text(ss, text, sizeof(text));
	if (a.now >= g->net->drop_warn_at) {
		g->net->drop_warn_at = a.now + WARN_NS;
		log_warnx("packet from %s dropped: %s", text, why);
	} else
		log_debug("packet from %s dropped: %s", text, why);
}

static void
on_udp(struct ev_io *io, int fd, int events, void *arg)
{
	struct gossipd	*g = arg;
	struct net	*x = g->net;
	int		 i, n, turns = 0;

	(void)io;
	(void)events;
	do {
		for (i = 0; i < UDP_BATCH; i++)
			x->hdr[i].msg_hdr.msg_namelen = sizeof(x->from[i]);
		n = recvmmsg(fd, x->hdr, UDP_BATCH, MSG_DONTWAIT, NULL);
		if (n == -1 && errno != EAGAIN && errno != EINTR &&
		    errno != ECONNREFUSED)
			log_warn("UDP socket: receive");
		for (i = 0; i < n; i++)
			on_datagram(g, &x->from[i], x->iov[i].iov_base,
			    x->hdr[i].msg_len);
	} while (n == UDP_BATCH && ++turns < UDP_BATCHES);
}

/* An IPv4 destination on an IPv6 socket. */
static void
map_v4(struct sockaddr_storage *ss)
{
	struct sockaddr_in	 v4;
	struct sockaddr_in6	*v6 = (struct sockaddr_in6 *)ss;

	if (ss->ss_family != AF_INET)
		return;
	memcpy(&v4, ss, sizeof(v4));
	memset(ss, 0, sizeof(*ss));
	v6->sin6_family = AF_INET6;
	v6->sin6_port = v4.sin_port;
	v6->sin6_addr.s6_addr[10] = v6->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&v6->sin6_addr.s6_addr[12], &v4.sin_addr, 4);
}

static void
make_nonce(const struct gossipd *g, uint8_t nonce[CRYPT_NONCE])
{
	if (keyring_count(g->ring) > 0)
		arc4random_buf(nonce, CRYPT_NONCE);
}

void
net_send(struct gossipd *g, const struct gaddr *to, bool crc,
    const uint8_t *p, size_t n)
{
	struct net		*x = g->net;
	struct sockaddr_storage	 ss;
	uint8_t			 nonce[CRYPT_NONCE];
	char			 text[ADDR_TEXT_MAX];

	if (gaddr_to_sockaddr(to, &ss) == -1 || to->port == 0)
		return;
	make_nonce(g, nonce);
	wb_reset(&x->out);
	if (packet_seal(&g->layers, nonce, crc, p, n, &x->out) == -1)
		return;
	if (x->udp6)
		map_v4(&ss);
	if (sendto(g->udp_fd, x->out.p, x->out.len, MSG_DONTWAIT,
	    (struct sockaddr *)&ss, addr_len(&ss)) != -1)
		return;
	/* A full queue is a lost packet; the rest is worth a line a minute. */
	if (errno == EAGAIN || errno == ENOBUFS ||
	    gossipd_now() < x->send_warn_at)
		return;
	x->send_warn_at = gossipd_now() + WARN_NS;
	log_warn("UDP to %s", addr_text(&ss, text, sizeof(text)));
}

/* ---- streams ---- */

static void
session_buffered(struct session *s, size_t n)
{
	s->g->net->buffered += n;
	s->g->net->buffered -= s->buffered;
	s->buffered = n;
}

/* Without a word to anybody; the stream is the caller's to end. */
static void
session_free(struct session *s)
{
	struct net	*x = s->g->net;

	session_buffered(s, 0);
	TAILQ_REMOVE(&x->sessions, s, link);
	x->nin -= s->kind == SESS_IN;
	ident_unref(s->g->idents, s->target);
	free(s);
}

/* Closes and tells whoever waits; why as in net_done_fn. */
static void
session_end(struct session *s, const char *why)
{
	net_done_fn	*done = s->done;
	void		*arg = s->arg;

	stream_free(s->stream);
	session_free(s);
	if (done != NULL)
		done(arg, why);
}

/* Strangers cause it at will: a line a minute, the rest is for debugging. */
static void
complain(struct session *s, const char *why)
{
	uint64_t	*at = &s->g->net->stream_warn_at, now = gossipd_now();

	if (s->kind != SESS_IN || now >= *at) {
		*at = now + WARN_NS;
		log_warnx("stream %s %s: %s", s->kind == SESS_IN ? "from" :
		    "to", s->peer, why);
	} else
		log_debug("stream from %s: %s", s->peer, why);
}

/* The whole table was in it; for the next minute nothing will be as large. */
static void
give_back(struct wbuf *w)
{
	if (w->cap > OUT_KEEP)
		wb_free(w);
}

static bool
write_frame(struct session *s, bool answer, const struct wbuf *msg)
{
	struct net	*x = s->g->net;
	uint8_t		 nonce[CRYPT_NONCE];

	make_nonce(s->g, nonce);
	wb_reset(&x->out);
	if (frame_seal(&s->g->layers, nonce, answer, msg->p, msg->len,
	    &x->out) == -1)
		return false;
	stream_write(s->stream, x->out.p, x->out.len);
	give_back(&x->out);
	return true;
}

/*
 * The last word on a stream: it closes when that is sent.  Until then it
 * counts: whoever asks and does not read has a place, not any number of them.
 */
static void
session_finish(struct session *s, const struct wbuf *msg)
{
	if (msg != NULL && !write_frame(s, true, msg))
		log_warnx("stream from %s: the answer is too large", s->peer);
	if (stream_queued(s->stream) == 0) {
		session_end(s, NULL);
		return;
	}
	s->answered = true;
	session_buffered(s, stream_queued(s->stream));
	stream_pause(s->stream);
	stream_shutdown(s->stream);
}

static struct wbuf *
new_message(struct gossipd *g, enum ml_type type)
{
	wb_reset(&g->net->msg);
	wb_u8(&g->net->msg, (uint8_t)type);
	return &g->net->msg;
}

static void
answer_error(struct session *s, const char *why)
{
	struct ml_error	 e = { .error = span_str(why) };
	struct wbuf	*w = new_message(s->g, ML_ERROR);

	body_encode(&ml_error_body, &e, w);
	session_finish(s, w);
}

static void
answer_ping(struct session *s)
{
	struct ml_ping	 ping;
	struct ml_ack	 ack = { 0 };
	struct rbuf	 r;
	struct wbuf	*w;

	rb_init(&r, s->frame.msg + 1, s->frame.len - 1);
	body_decode(&ml_ping_body, &r, &ping);
	if (!rb_ok(&r) || (ping.node.n > 0 && !span_is(ping.node,
	    s->g->agent.node_name))) {
		session_end(s, NULL);
		return;
	}
	ack.seq = ping.seq;
	w = new_message(s->g, ML_ACK);
	body_encode(&ml_ack_body, &ack, w);
	session_finish(s, w);
}

/* Whom a server of ours must not share a datacenter with, in a message. */
static char *
clash_in(struct gossipd *g, const uint8_t *p, size_t n)
{
	struct swim_said	*a;
	const struct swim_said	*x;
	struct span		 user;
	char			*why = NULL;
	size_t			 na;
	bool			 join;

	if (!g->rules.server ||
	    swim_state_parse(p, n, &a, &na, &join, &user) != NULL)
		return NULL;
	if ((x = consul_find_clash(&g->rules, a, na)) != NULL) {
		xasprintf(&why, "%.*s: %s", (int)x->name.n,
		    (const char *)x->name.p, consul_server_clash(&g->rules, x));
		gossipd_clash(g, x);
	}
	free(a);
	return why;
}

static void
answer_exchange(struct session *s)
{
	struct gossipd	*g = s->g;
	const uint8_t	*p = s->frame.msg;
	size_t		 n = s->frame.len;
	struct ml_header h;
	struct rbuf	 r;
	struct wbuf	*w;
	const char	*why;
	char		*clash, text[320];

	if ((clash = clash_in(g, p, n)) != NULL) {
		answer_error(s, clash);
		free(clash);
		return;
	}
	rb_init(&r, p + 1, n - 1);
	body_decode(&ml_header_body, &r, &h);
	w = &g->net->msg;
	wb_reset(w);
	swim_state_write(serf_swim(g->serf), h.join, false, w);
	if (!write_frame(s, true, w))
		log_warnx("stream from %s: the answer is too large", s->peer);
	give_back(w);
	why = serf_merge(g->serf, gossipd_now(), false, p, n);
	if (why != NULL) {
		(void)snprintf(text, sizeof(text), "state discarded: %s", why);
		complain(s, text);
	}
	session_finish(s, NULL);
}

static void
answer_user(struct session *s)
{
	struct gaddr	 from = gaddr_from_sockaddr(stream_peer(s->stream));
	struct ml_user	 h;
	struct rbuf	 r;
	struct wbuf	*w = new_message(s->g, ML_USER);

	rb_init(&r, s->frame.msg + 1, s->frame.len - 1);
	body_decode(&ml_user_body, &r, &h);
	wb_bytes(w, r.p, r.n);
	serf_input(s->g->serf, gossipd_now(), &from, w->p, w->len);
	session_end(s, NULL);
}

static void
answer(struct session *s)
{
	switch (s->frame.msg[0]) {
	case ML_PING:
		answer_ping(s);
		break;
	case ML_PUSHPULL:
		answer_exchange(s);
		break;
	case ML_USER:
		answer_user(s);
		break;
	default:
		session_end(s, NULL);
	}
}

/* ---- what comes back to us ---- */

static void
got_state(struct session *s)
{
	struct gossipd	*g = s->g;
	const uint8_t	*p = s->frame.msg;
	size_t		 n = s->frame.len;
	const char	*why;
	char		*clash;

	why = clash = clash_in(g, p, n);
	if (clash == NULL && s->kind == SESS_EXCHANGE)
		why = serf_merge(g->serf, gossipd_now(), s->join, p, n);
	session_end(s, why);
	free(clash);
}

static void
got_error(struct session *s)
{
	struct ml_error	e;
	struct rbuf	r;
	char		text[320];

	rb_init(&r, s->frame.msg + 1, s->frame.len - 1);
	body_decode(&ml_error_body, &r, &e);
	(void)snprintf(text, sizeof(text), "remote error: %.*s",
	    (int)e.error.n, e.error.n > 0 ? (const char *)e.error.p : "");
	session_end(s, text);
}

static void
got_ack(struct session *s)
{
	struct ml_ack	ack;
	struct rbuf	r;

	rb_init(&r, s->frame.msg + 1, s->frame.len - 1);
	body_decode(&ml_ack_body, &r, &ack);
	if (rb_ok(&r) && ack.seq == s->seq)
		swim_tcp_acked(serf_swim(s->g->serf), s->seq);
	session_end(s, NULL);
}

static void
got_answer(struct session *s)
{
	uint8_t	type = s->frame.msg[0];

	if (type == ML_ERROR)
		got_error(s);
	else if (s->kind == SESS_PING && type == ML_ACK)
		got_ack(s);
	else if (s->kind != SESS_PING && type == ML_PUSHPULL)
		got_state(s);
	else
		session_end(s, "the answer is of another kind");
}

/* ---- the stream's callbacks ---- */

static size_t
on_data(struct stream *st, const uint8_t *p, size_t n, void *arg)
{
	struct session	*s = arg;
	struct net	*x = s->g->net;

	(void)st;
	session_buffered(s, n);
	if (x->buffered > STREAM_BYTES_MAX && s->kind == SESS_IN) {
		complain(s, "closed: too much is being received at once");
		session_end(s, NULL);
		return 0;
	}
	switch (frame_read(&s->frame, &s->g->layers, p, n)) {
	case FRAME_MORE:
		return 0;
	case FRAME_BAD:
		complain(s, s->frame.why);
		if (s->kind == SESS_IN)
			answer_error(s, s->frame.why);
		else
			session_end(s, s->frame.why);
		return 0;
	case FRAME_DONE:
		if (s->kind == SESS_IN)
			answer(s);
		else
			got_answer(s);
		return 0;
	}
	return 0;
}

static void
on_connected(struct stream *st, void *arg)
{
	struct session	*s = arg;
	struct gossipd	*g = s->g;
	struct ml_ping	 ping = { 0 };
	struct wbuf	*w = &g->net->msg;

	s->connected = true;
	/* The stream's own limit was for connecting. */
	stream_deadline(st, s->end_ms > ev_now(g->ev) ?
	    s->end_ms - ev_now(g->ev) : 1);
	if (s->kind == SESS_PING) {
		ping.node = ident_name_span(s->target);
		ping.seq = s->seq;
		ping.src_addr = gaddr_ip(&swim_self(serf_swim(g->serf))->addr);
		ping.src_port = swim_self(serf_swim(g->serf))->addr.port;
		ping.src_node = span_str(g->agent.node_name);
		w = new_message(g, ML_PING);
		body_encode(&ml_ping_body, &ping, w);
	} else {
		wb_reset(w);
		swim_state_write(serf_swim(g->serf), s->join,
		    s->kind == SESS_LOOK, w);
	}
	if (!write_frame(s, false, w))
		session_end(s, "our state is too large");
	give_back(&g->net->msg);
}

static void
on_drained(struct stream *st, void *arg)
{
	struct session	*s = arg;

	(void)st;
	if (s->answered)
		session_end(s, NULL);
}

/* As Go's net package says it, which scripts and people know. */
static void
on_closed(struct stream *st, const char *why, void *arg)
{
	struct session	*s = arg;
	char		 text[256], lower[128];

	(void)st;
	if (why == NULL)
		(void)snprintf(text, sizeof(text), "EOF");
	else if (strcmp(why, "timed out") == 0 ||
	    strcmp(why, strerror(ETIMEDOUT)) == 0)
		(void)snprintf(text, sizeof(text), "%s tcp %s: i/o timeout",
		    s->connected ? "read" : "dial", s->peer);
	else {
		(void)snprintf(lower, sizeof(lower), "%s", why);
		if (lower[0] >= 'A' && lower[0] <= 'Z')
			lower[0] += 'a' - 'A';
		(void)snprintf(text, sizeof(text), "%s tcp %s: %s: %s",
		    s->connected ? "read" : "dial", s->peer,
		    s->connected ? "read" : "connect", lower);
	}
	session_end(s, text);
}

static const struct stream_ops session_ops = {
	.connected = on_connected,
	.data = on_data,
	.drained = on_drained,
	.closed = on_closed,
};

static struct session *
session_new(struct gossipd *g, enum session_kind kind,
    const struct sockaddr_storage *ss)
{
	struct session	*s = xcalloc(1, sizeof(*s));

	s->g = g;
	s->kind = kind;
	frame_init(&s->frame, kind != SESS_IN);
	(void)addr_text(ss, s->peer, sizeof(s->peer));
	TAILQ_INSERT_TAIL(&g->net->sessions, s, link);
	g->net->nin += kind == SESS_IN;
	return s;
}

static void
on_accept(int fd, const struct sockaddr_storage *ss, void *arg)
{
	struct gossipd	*g = arg;
	struct session	*s;

	if (g->net->nin >= STREAMS_MAX) {
		if (gossipd_now() >= g->net->full_warn_at) {
			g->net->full_warn_at = gossipd_now() + WARN_NS;
			log_warnx("%u streams at once: more are closed",
			    STREAMS_MAX);
		}
		close(fd);
		return;
	}
	s = session_new(g, SESS_IN, ss);
	s->stream = stream_new(g->ev, fd, &session_ops, s);
	stream_limit(s->stream, FRAME_MAX + 512);
	stream_deadline(s->stream, STREAM_MS);
}

static void
session_connect(struct session *s, const struct sockaddr_storage *ss,
    unsigned ms)
{
	s->stream = stream_connect(s->g->ev, (const struct sockaddr *)ss,
	    addr_len(ss), NULL, 0, ms, &session_ops, s);
	stream_limit(s->stream, FRAME_MAX + 512);
	s->end_ms = ev_now(s->g->ev) + ms;
}

void
net_exchange(struct gossipd *g, const struct sockaddr_storage *ss, bool join,
    bool look, net_done_fn *done, void *arg)
{
	struct session	*s = session_new(g, look ? SESS_LOOK : SESS_EXCHANGE,
			    ss);

	s->join = join;
	s->done = done;
	s->arg = arg;
	session_connect(s, ss, STREAM_MS);
}

void
net_tcp_ping(struct gossipd *g, const struct ident *id, uint32_t seq,
    uint64_t until_ns)
{
	struct sockaddr_storage	 ss;
	struct session		*s;
	uint64_t		 now = gossipd_now();

	if (gaddr_to_sockaddr(&id->addr, &ss) == -1 || until_ns <= now)
		return;
	s = session_new(g, SESS_PING, &ss);
	s->seq = seq;
	s->target = ident_get(g->idents, ident_name_span(id), &id->addr,
	    ident_meta(id), id->vsn);
	session_connect(s, &ss, (unsigned)((until_ns - now) / NS_PER_MS) + 1);
}

/* ---- life ---- */

void
net_start(struct gossipd *g)
{
	struct net		*x = xcalloc(1, sizeof(*x));
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	int			 i;

	g->net = x;
	TAILQ_INIT(&x->sessions);
	wb_init(&x->out, 0);
	wb_init(&x->msg, 0);
	x->buf = xmalloc((size_t)UDP_BATCH * PACKET_MAX);
	for (i = 0; i < UDP_BATCH; i++) {
		x->iov[i].iov_base = x->buf + (size_t)i * PACKET_MAX;
		x->iov[i].iov_len = PACKET_MAX;
		x->hdr[i].msg_hdr.msg_iov = &x->iov[i];
		x->hdr[i].msg_hdr.msg_iovlen = 1;
		x->hdr[i].msg_hdr.msg_name = &x->from[i];
	}
	if (getsockname(g->udp_fd, (struct sockaddr *)&ss, &len) == 0)
		x->udp6 = ss.ss_family == AF_INET6;
	if (fd_nonblock(g->udp_fd) == -1 || fd_nonblock(g->tcp_fd) == -1)
		fatal("gossip sockets");
	x->udp = ev_io_new(g->ev, g->udp_fd, on_udp, g);
	ev_io_set(x->udp, EV_READ);
	x->acceptor = acceptor_new(g->ev, g->tcp_fd, on_accept, g);
}

void
net_stop(struct gossipd *g)
{
	struct net	*x = g->net;
	struct session	*s;

	if (x == NULL)
		return;
	while ((s = TAILQ_FIRST(&x->sessions)) != NULL) {
		stream_free(s->stream);
		session_free(s);
	}
	ev_io_free(x->udp);
	acceptor_free(x->acceptor);
	wb_free(&x->out);
	wb_free(&x->msg);
	free(x->buf);
	free(x);
	g->net = NULL;
}

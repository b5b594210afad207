/*
 * A pool's streams, each of which carries one request and one answer (gossip.md
 * section 6).
 *
 *	we ask		connect, request ->, <- answer, merged; done() is called
 *	    once, with the reason in Go's words if it went wrong
 *	others ask	request read in full, answered, then merged; what cannot
 *	    be read is answered with an error; 10 s for all of it (WAN: 30)
 *	too many, too large, too slow: closed without a word; one address has
 *	    part of the places and bytes, not all
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/acceptor.h"
#include "common/log.h"
#include "common/util.h"
#include "gossipd/gossipd.h"

#define STREAMS_MAX	127		/* others' requests at once, as peers */
#define SOURCE_STREAMS_MAX 32		/* of one address */
#define STREAM_BYTES_MAX (64u << 20)	/* buffered for all of them */
#define SOURCE_BYTES_MAX (24u << 20)	/* of one address: one of the largest */
#define OUT_KEEP	(64u << 10)	/* as packets need; states are larger */

enum session_kind { SESS_IN, SESS_EXCHANGE, SESS_PING };

struct session {
	TAILQ_ENTRY(session)	 link;
	struct pool		*p;
	struct stream		*stream;
	enum session_kind	 kind;
	struct frame		 frame;
	size_t			 buffered;	/* either way */
	bool			 connected;
	bool			 answered;	/* it ends when that is sent */
	char			 peer[ADDR_TEXT_MAX];
	struct sockaddr_storage	 addr;
	/* ours */
	uint64_t		 end_ms;	/* of all of it */
	enum net_exchange	 what;
	uint32_t		 seq;
	struct ident		*target;	/* of a ping; held */
	net_done_fn		*done;
	void			*arg;
};

struct net {
	struct acceptor		*acceptor;
	TAILQ_HEAD(, session)	 sessions;
	unsigned		 nin;
	size_t			 buffered;
	struct wbuf		 out, msg;
};

static void
session_buffered(struct session *s, size_t n)
{
	s->p->net->buffered += n;
	s->p->net->buffered -= s->buffered;
	s->buffered = n;
}

/* Without a word to anybody; the stream is the caller's to end. */
static void
session_free(struct session *s)
{
	struct net	*x = s->p->net;

	session_buffered(s, 0);
	TAILQ_REMOVE(&x->sessions, s, link);
	x->nin -= s->kind == SESS_IN;
	ident_unref(s->p->idents, s->target);
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
	struct pool	*p = s->p;

	if (s->kind != SESS_IN || pool_may_say(p, SAY_STREAM))
		log_warnx("%sstream %s %s: %s", p->prefix,
		    s->kind == SESS_IN ? "from" : "to", s->peer, why);
	else
		log_debug("%sstream from %s: %s", p->prefix, s->peer, why);
}

/* The whole table was in it; for the next minute nothing will be as large. */
static void
give_back(struct wbuf *w)
{
	if (w->cap > OUT_KEEP)
		wb_free(w);
}

/* An exchange of that size is over: what it took, both ways. */
static void
exchanged(struct pool *p, size_t n)
{
	layers_give_back(&p->layers);
	/* Tests have no process around the pool. */
	if (n > OUT_KEEP && p->g->child != NULL)
		child_give_back(p->g->child);
}

static bool
write_frame(struct session *s, bool answer, const struct wbuf *msg)
{
	struct net	*x = s->p->net;
	uint8_t		 nonce[CRYPT_NONCE];

	udp_nonce(s->p, nonce);
	wb_reset(&x->out);
	if (frame_seal(&s->p->layers, nonce, answer, msg->p, msg->len,
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
		log_warnx("%sstream from %s: the answer is too large",
		    s->p->prefix, s->peer);
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
new_message(struct pool *p, enum ml_type type)
{
	wb_reset(&p->net->msg);
	wb_u8(&p->net->msg, (uint8_t)type);
	return &p->net->msg;
}

static void
answer_error(struct session *s, const char *why)
{
	struct ml_error	 e = { .error = span_str(why) };
	struct wbuf	*w = new_message(s->p, ML_ERROR);

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
	    s->p->name))) {
		session_end(s, NULL);
		return;
	}
	ack.seq = ping.seq;
	w = new_message(s->p, ML_ACK);
	body_encode(&ml_ack_body, &ack, w);
	session_finish(s, w);
}

/* Whom a server of ours must not share a datacenter with, in a message. */
static char *
clash_in(struct pool *p, const uint8_t *m, size_t n)
{
	struct swim_said	*a;
	const struct swim_said	*x;
	struct span		 user;
	char			*why = NULL;
	size_t			 na;
	bool			 join;

	if (!p->rules.server ||
	    swim_state_parse(m, n, &a, &na, &join, &user) != NULL)
		return NULL;
	if ((x = consul_find_clash(&p->rules, a, na)) != NULL) {
		xasprintf(&why, "%.*s: %s", (int)x->name.n,
		    (const char *)x->name.p, consul_server_clash(&p->rules, x));
		pool_clash(p, x);
	}
	free(a);
	return why;
}

static void
answer_exchange(struct session *s)
{
	struct pool	*p = s->p;
	const uint8_t	*m = s->frame.msg;
	size_t		 n = s->frame.len;
	struct ml_header h;
	struct rbuf	 r;
	struct wbuf	*w;
	const char	*why;
	char		*clash, text[320];

	if ((clash = clash_in(p, m, n)) != NULL) {
		answer_error(s, clash);
		free(clash);
		return;
	}
	rb_init(&r, m + 1, n - 1);
	body_decode(&ml_header_body, &r, &h);
	w = &p->net->msg;
	wb_reset(w);
	swim_state_write(serf_swim(p->serf), h.join, false, w);
	if (!write_frame(s, true, w))
		log_warnx("%sstream from %s: the answer is too large",
		    p->prefix, s->peer);
	give_back(w);
	why = serf_merge(p->serf, gossipd_now(), false, m, n);
	if (why != NULL) {
		(void)snprintf(text, sizeof(text), "state discarded: %s", why);
		complain(s, text);
	}
	session_finish(s, NULL);
}

static void
answer_user(struct session *s)
{
	struct gaddr	 from = gaddr_from_sockaddr(&s->addr);
	struct ml_user	 h;
	struct rbuf	 r;
	struct wbuf	*w = new_message(s->p, ML_USER);

	rb_init(&r, s->frame.msg + 1, s->frame.len - 1);
	body_decode(&ml_user_body, &r, &h);
	wb_bytes(w, r.p, r.n);
	serf_input(s->p->serf, gossipd_now(), &from, w->p, w->len);
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
	struct pool	*p = s->p;
	const uint8_t	*m = s->frame.msg;
	size_t		 n = s->frame.len;
	const char	*why;
	char		*clash;

	why = clash = clash_in(p, m, n);
	if (clash != NULL)
		(void)snprintf(p->clash, sizeof(p->clash), "member %s", clash);
	else if (s->what != NET_LOOK)
		why = serf_merge(p->serf, gossipd_now(), s->what == NET_JOIN,
		    m, n);
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
		swim_tcp_acked(serf_swim(s->p->serf), s->seq);
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

struct share { unsigned streams; size_t bytes; };

/* What others' streams from one address take. */
static struct share
share_of(const struct net *x, const struct sockaddr_storage *ss)
{
	const struct session	*s;
	struct share		 share = { 0 };

	TAILQ_FOREACH(s, &x->sessions, link)
		if (s->kind == SESS_IN && addr_equal_ip(&s->addr, ss)) {
			share.streams++;
			share.bytes += s->buffered;
		}
	return share;
}

static void
on_frame(struct session *s, enum frame_result result)
{
	if (result == FRAME_BAD) {
		s->p->bad_streams += s->kind == SESS_IN;
		complain(s, s->frame.why);
		if (s->kind == SESS_IN)
			answer_error(s, s->frame.why);
		else
			session_end(s, s->frame.why);
	} else if (s->kind == SESS_IN)
		answer(s);
	else
		got_answer(s);
}

static size_t
on_data(struct stream *st, const uint8_t *m, size_t n, void *arg)
{
	struct session		*s = arg;
	struct pool		*p = s->p;
	enum frame_result	 result;
	size_t			 len;

	(void)st;
	session_buffered(s, n);
	if (s->kind == SESS_IN && (p->net->buffered > STREAM_BYTES_MAX ||
	    share_of(p->net, &s->addr).bytes > SOURCE_BYTES_MAX)) {
		complain(s, "closed: too much is being received at once");
		session_end(s, NULL);
		return 0;
	}
	result = frame_read(&s->frame, &p->layers, m, n);
	if (result != FRAME_MORE) {
		len = s->frame.len > n ? s->frame.len : n;
		on_frame(s, result);
		exchanged(p, len);
	}
	return 0;
}

static void
on_connected(struct stream *st, void *arg)
{
	struct session	*s = arg;
	struct pool	*p = s->p;
	struct swim	*swim = serf_swim(p->serf);
	struct ml_ping	 ping = { 0 };
	struct wbuf	*w = &p->net->msg;
	uint64_t	 now = ev_now(p->g->ev);

	s->connected = true;
	/* The stream's own limit was for connecting. */
	stream_deadline(st, s->end_ms > now ? s->end_ms - now : 1);
	if (s->kind == SESS_PING) {
		ping.node = ident_name_span(s->target);
		ping.seq = s->seq;
		ping.src_addr = gaddr_ip(&swim_self(swim)->addr);
		ping.src_port = swim_self(swim)->addr.port;
		ping.src_node = span_str(p->name);
		w = new_message(p, ML_PING);
		body_encode(&ml_ping_body, &ping, w);
	} else {
		wb_reset(w);
		swim_state_write(swim, s->what != NET_SYNC,
		    s->what == NET_LOOK, w);
	}
	if (!write_frame(s, false, w))
		session_end(s, "our state is too large");
	give_back(&p->net->msg);
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
session_new(struct pool *p, enum session_kind kind,
    const struct sockaddr_storage *ss)
{
	struct session	*s = xcalloc(1, sizeof(*s));

	s->p = p;
	s->kind = kind;
	s->addr = *ss;
	frame_init(&s->frame, kind != SESS_IN);
	(void)addr_text(ss, s->peer, sizeof(s->peer));
	TAILQ_INSERT_TAIL(&p->net->sessions, s, link);
	p->net->nin += kind == SESS_IN;
	return s;
}

static void
on_accept(int fd, const struct sockaddr_storage *ss, void *arg)
{
	struct pool	*p = arg;
	struct session	*s;
	char		 text[ADDR_TEXT_MAX];
	bool		 full = p->net->nin >= STREAMS_MAX;

	if (full || share_of(p->net, ss).streams >= SOURCE_STREAMS_MAX) {
		if (pool_may_say(p, SAY_FULL))
			log_warnx("%sstream from %s: closed: %u at once%s",
			    p->prefix, addr_text(ss, text, sizeof(text)),
			    full ? STREAMS_MAX : SOURCE_STREAMS_MAX,
			    full ? "" : " from this address");
		close(fd);
		return;
	}
	s = session_new(p, SESS_IN, ss);
	s->stream = stream_new(p->g->ev, fd, &session_ops, s);
	stream_limit(s->stream, FRAME_MAX + 512);
	stream_deadline(s->stream, pool_exchange_ms(p));
}

static void
session_connect(struct session *s, unsigned ms)
{
	struct ev	*ev = s->p->g->ev;

	s->stream = stream_connect(ev, (const struct sockaddr *)&s->addr,
	    addr_len(&s->addr), NULL, 0, ms, &session_ops, s);
	stream_limit(s->stream, FRAME_MAX + 512);
	s->end_ms = ev_now(ev) + ms;
}

void
net_exchange(struct pool *p, const struct sockaddr_storage *ss,
    enum net_exchange what, net_done_fn *done, void *arg)
{
	struct session	*s = session_new(p, SESS_EXCHANGE, ss);

	s->what = what;
	s->done = done;
	s->arg = arg;
	session_connect(s, pool_exchange_ms(p));
}

void
net_tcp_ping(struct pool *p, const struct ident *id, uint32_t seq,
    uint64_t until_ns)
{
	struct sockaddr_storage	 ss;
	struct session		*s;
	uint64_t		 now = gossipd_now();

	if (gaddr_to_sockaddr(&id->addr, &ss) == -1 || until_ns <= now)
		return;
	s = session_new(p, SESS_PING, &ss);
	s->seq = seq;
	s->target = ident_get(p->idents, ident_name_span(id), &id->addr,
	    ident_meta(id), id->vsn);
	session_connect(s, (unsigned)((until_ns - now) / NS_PER_MS) + 1);
}

/* ---- life ---- */

void
net_start(struct pool *p)
{
	struct net	*x = xcalloc(1, sizeof(*x));

	p->net = x;
	TAILQ_INIT(&x->sessions);
	wb_init(&x->out, 0);
	wb_init(&x->msg, 0);
	if (fd_nonblock(p->tcp_fd) == -1)
		fatal("%s pool: TCP socket", p->what);
	x->acceptor = acceptor_new(p->g->ev, p->tcp_fd, on_accept, p);
}

void
net_stop(struct pool *p)
{
	struct net	*x = p->net;
	struct session	*s;

	if (x == NULL)
		return;
	while ((s = TAILQ_FIRST(&x->sessions)) != NULL) {
		stream_free(s->stream);
		session_free(s);
	}
	acceptor_free(x->acceptor);
	wb_free(&x->out);
	wb_free(&x->msg);
	free(x);
	p->net = NULL;
}

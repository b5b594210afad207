/*
 * gossip_peers: plays thousands of members of a LAN pool from one process, so
 * that one agent can be measured in a large cluster.
 *
 * Members are at 10.64.0.0/16, one address each, which the host must hold as
 * its own (ip route add local 10.64.0.0/16 dev lo).  They answer pings, carry
 * out indirect ones, refute, exchange their full state, and pass on what one
 * real agent gossips to the others.  They do not suspect anybody: that is left
 * to the agents under measurement.
 *
 * Commands on standard input, each answered by one line:
 *	ping RATE		pings a second to every agent
 *	gossip RATE NEWS	filled packets a second to every agent; news a
 *				second among what they repeat
 *	exchange NAME COUNT	asks that agent for its state, COUNT times
 *	agents			how many are known, packets to and from each
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bsd/stdlib.h>

#include "common/log.h"
#include "common/mp.h"
#include "common/stream.h"
#include "common/util.h"
#include "gossipd/swim.h"
#include "gossipd/tags.h"

#define AGENTS_MAX	16
#define RELAYS		1024		/* indirect pings remembered */
#define SEEN		4096		/* messages already passed on */
#define WINDOW		24		/* pieces of news that are repeated */
#define FILL		1350		/* of a packet, before compression */
#define TICK_MS		10
#define BASE_PING	1		/* a second, as in any cluster */
#define LTIME		3
#define PIECE_MAX	1024

struct agent {
	char			 name[NAME_MAX_LEN + 1];
	struct gaddr		 addr;
	uint8_t			 meta[META_MAX], vsn[VSN_LEN];
	size_t			 meta_len;
	uint32_t		 inc;
	enum swim_state		 state;
	uint64_t		 sent, received;
};

struct relay {
	uint32_t		 their_seq;
	struct sockaddr_storage	 to;
	uint32_t		 as;		/* the member that was asked */
};

struct piece { uint8_t p[PIECE_MAX]; size_t n; };

struct peers {
	struct ev		*ev;
	int			 udp, tcp;
	uint16_t		 port;
	uint32_t		 n, *inc;
	size_t			 meta_len;
	struct layers		 layers;
	struct agent		 agent[AGENTS_MAX];
	size_t			 nagents;
	struct relay		 relay[RELAYS];
	uint32_t		 seq;
	uint64_t		 seen[SEEN];
	unsigned		 nseen;
	struct piece		 window[WINDOW];
	unsigned		 nwindow;
	struct wbuf		 out, msg;
	struct rng		 rng;
	struct ev_timer		*timer;
	uint64_t		 tick_at;
	double			 ping_rate, gossip_rate, news_rate;
	double			 pings_due, gossip_due, news_due;
	/* of the packet in hand */
	struct sockaddr_storage	 from;
	uint32_t		 as;
	char			 line[256];
	size_t			 line_len;
};

struct talk {
	struct peers		*x;
	struct stream		*stream;
	struct frame		 frame;
	bool			 ours;
	struct sockaddr_storage	 to;
	unsigned		 left;		/* exchanges after this one */
};

/* ---- the population ---- */

static const uint8_t vsn[VSN_LEN] = { 1, 5, 2, 2, 5, 4 };

static size_t
peer_name(uint32_t i, char name[16])
{
	return (size_t)snprintf(name, 16, "peer%05u", i % 100000);
}

/* The number of a member's name, or -1. */
static long
peer_number(const struct peers *x, struct span name)
{
	char	text[16];
	long	i;

	if (name.n != 9 || memcmp(name.p, "peer", 4) != 0)
		return -1;
	memcpy(text, name.p, 9);
	text[9] = '\0';
	i = strtol(text + 4, NULL, 10);
	return i >= 0 && i < (long)x->n ? i : -1;
}

static struct gaddr
peer_addr(const struct peers *x, uint32_t i)
{
	struct gaddr	a = { .len = 4, .port = x->port };

	i++;
	a.ip[0] = 10;
	a.ip[1] = 64;
	a.ip[2] = (uint8_t)(i >> 8);
	a.ip[3] = (uint8_t)i;
	return a;
}

/* Tags as a Consul client has them, filled up to the length asked for. */
static void
peer_meta(const struct peers *x, uint32_t i, struct wbuf *w)
{
	static const char *const tag[][2] = {
		{ "acls", "0" }, { "build", "1.8.7:1384ce4+" }, { "dc", "dc1" },
		{ "role", "node" }, { "segment", "" }, { "vsn", "2" },
		{ "vsn_max", "3" }, { "vsn_min", "2" },
	};
	struct rng	rng;
	char		id[40];
	size_t		fill;

	(void)snprintf(id, sizeof(id), "%08x-1d15-4c00-8000-%012x", i,
	    i * 2654435761u);
	wb_u8(w, TAGS_MAGIC);
	mp_map(w, NELEM(tag) + 2);
	for (fill = 0; fill < NELEM(tag); fill++) {
		mp_str(w, tag[fill][0]);
		mp_str(w, tag[fill][1]);
	}
	mp_str(w, "id");
	mp_str(w, id);
	mp_str(w, "zone");
	/* Random digits, for they compress as badly as ids do. */
	fill = x->meta_len > w->len + 3 ? x->meta_len - w->len - 3 : 0;
	wb_u8(w, 0xda);
	wb_u16(w, (uint16_t)fill);
	rng_seed(&rng, i);
	while (fill-- > 0)
		wb_u8(w, "0123456789abcdef"[rng_below(&rng, 16)]);
}

static struct agent *
agent_find(struct peers *x, struct span name)
{
	size_t	i;

	for (i = 0; i < x->nagents; i++)
		if (span_is(name, x->agent[i].name))
			return &x->agent[i];
	return NULL;
}

/* A word about an agent.  True if it is news. */
static bool
agent_said(struct peers *x, const struct swim_said *a)
{
	struct agent	*g = agent_find(x, a->name);

	if (g == NULL) {
		if (a->state != SWIM_ALIVE || x->nagents == AGENTS_MAX ||
		    a->name.n > NAME_MAX_LEN)
			return false;
		g = &x->agent[x->nagents++];
		memcpy(g->name, a->name.p, a->name.n);
	} else if (a->state == SWIM_ALIVE ? a->inc <= g->inc :
	    a->inc < g->inc || g->state >= SWIM_DEAD)
		return false;
	g->inc = a->inc;
	g->state = a->state;
	if (a->state != SWIM_ALIVE)
		return true;
	g->addr = a->addr;
	memcpy(g->vsn, a->vsn, VSN_LEN);
	g->meta_len = a->meta.n < META_MAX ? a->meta.n : META_MAX;
	memcpy(g->meta, a->meta.p, g->meta_len);
	return true;
}

/* ---- sending ---- */

static void
count(struct peers *x, const struct sockaddr_storage *ss, bool sent)
{
	struct gaddr	a = gaddr_from_sockaddr(ss);
	size_t		i;

	for (i = 0; i < x->nagents; i++)
		if (gaddr_equal(&x->agent[i].addr, &a))
			*(sent ? &x->agent[i].sent : &x->agent[i].received) += 1;
}

static void
send_as(struct peers *x, uint32_t as, const struct sockaddr_storage *to,
    bool crc, const uint8_t *p, size_t n)
{
	union { struct cmsghdr h; uint8_t b[CMSG_SPACE(sizeof(struct in_pktinfo))]; }
			 c = { 0 };
	struct gaddr	 me = peer_addr(x, as);
	struct in_pktinfo pi = { 0 };
	struct iovec	 iov;
	struct msghdr	 h = { 0 };
	uint8_t		 nonce[CRYPT_NONCE];

	arc4random_buf(nonce, sizeof(nonce));
	wb_reset(&x->out);
	if (packet_seal(&x->layers, nonce, crc, p, n, &x->out) == -1)
		return;
	memcpy(&pi.ipi_spec_dst, me.ip, 4);
	iov.iov_base = x->out.p;
	iov.iov_len = x->out.len;
	h.msg_name = (void *)(uintptr_t)to;
	h.msg_namelen = addr_len(to);
	h.msg_iov = &iov;
	h.msg_iovlen = 1;
	h.msg_control = c.b;
	h.msg_controllen = sizeof(c.b);
	c.h.cmsg_level = IPPROTO_IP;
	c.h.cmsg_type = IP_PKTINFO;
	c.h.cmsg_len = CMSG_LEN(sizeof(pi));
	memcpy(CMSG_DATA(&c.h), &pi, sizeof(pi));
	if (sendmsg(x->udp, &h, 0) == -1)
		log_warn("send");
	count(x, to, true);
}

static struct wbuf *
message(struct peers *x, enum ml_type type)
{
	wb_reset(&x->msg);
	wb_u8(&x->msg, (uint8_t)type);
	return &x->msg;
}

static void
send_ping(struct peers *x, uint32_t as, uint32_t seq, struct span node,
    const struct sockaddr_storage *to)
{
	struct ml_ping	 ping = { 0 };
	struct gaddr	 me = peer_addr(x, as);
	struct wbuf	*w = message(x, ML_PING);
	char		 name[16];

	ping.node = node;
	ping.seq = seq;
	ping.src_addr = gaddr_ip(&me);
	ping.src_port = me.port;
	ping.src_node = span_of(name, peer_name(as, name));
	body_encode(&ml_ping_body, &ping, w);
	send_as(x, as, to, false, w->p, w->len);
}

static void
send_to_agents(struct peers *x, const struct sockaddr_storage *but,
    const uint8_t *p, size_t n)
{
	struct sockaddr_storage	ss;
	size_t			i;

	for (i = 0; i < x->nagents; i++) {
		if (x->agent[i].state >= SWIM_DEAD ||
		    gaddr_to_sockaddr(&x->agent[i].addr, &ss) == -1 ||
		    (but != NULL && addr_equal_ip(&ss, but)))
			continue;
		send_as(x, rng_below(&x->rng, x->n), &ss, true, p, n);
	}
}

static void
put_alive(struct peers *x, uint32_t i, struct wbuf *w)
{
	struct ml_alive	 a = { 0 };
	struct gaddr	 addr = peer_addr(x, i);
	struct wbuf	 meta;
	char		 name[16];

	wb_init(&meta, 0);
	peer_meta(x, i, &meta);
	a.addr = gaddr_ip(&addr);
	a.port = addr.port;
	a.inc = x->inc[i];
	a.meta = span_of(meta.p, meta.len);
	a.node = span_of(name, peer_name(i, name));
	a.vsn = span_of(vsn, VSN_LEN);
	body_encode(&ml_alive_body, &a, w);
	wb_free(&meta);
}

/* ---- receiving ---- */

static void
on_ping(struct peers *x, struct rbuf *r)
{
	struct ml_ping	 ping;
	struct ml_ack	 ack = { 0 };
	struct sf_coord	 c = { .error = 1.5, .height = 1e-5 };
	struct wbuf	 vec, payload, *w;
	int		 i;

	body_decode(&ml_ping_body, r, &ping);
	if (!rb_ok(r) || peer_number(x, ping.node) != (long)x->as)
		return;
	wb_init(&vec, 0);
	wb_init(&payload, 0);
	mp_array(&vec, 8);
	for (i = 0; i < 8; i++)
		mp_double(&vec, 1e-4 * i);
	c.vec = span_of(vec.p, vec.len);
	wb_u8(&payload, 1);
	body_encode(&sf_coord_body, &c, &payload);
	ack.seq = ping.seq;
	ack.payload = span_of(payload.p, payload.len);
	w = message(x, ML_ACK);
	body_encode(&ml_ack_body, &ack, w);
	send_as(x, x->as, &x->from, false, w->p, w->len);
	wb_free(&vec);
	wb_free(&payload);
}

static void
on_indirect(struct peers *x, struct rbuf *r)
{
	struct ml_indirect	 in;
	struct sockaddr_storage	 ss;
	struct relay		*y;
	struct gaddr		 a;

	body_decode(&ml_indirect_body, r, &in);
	a = gaddr_of(in.target, in.port);
	if (!rb_ok(r) || gaddr_to_sockaddr(&a, &ss) == -1)
		return;
	y = &x->relay[++x->seq % RELAYS];
	y->their_seq = in.seq;
	y->to = x->from;
	y->as = x->as;
	send_ping(x, x->as, x->seq, in.node, &ss);
}

static void
on_ack(struct peers *x, struct rbuf *r)
{
	struct ml_ack	 ack;
	struct relay	*y;
	struct wbuf	*w;

	body_decode(&ml_ack_body, r, &ack);
	y = &x->relay[ack.seq % RELAYS];
	if (!rb_ok(r) || y->to.ss_family == 0)
		return;
	ack = (struct ml_ack){ .seq = y->their_seq };
	w = message(x, ML_ACK);
	body_encode(&ml_ack_body, &ack, w);
	send_as(x, y->as, &y->to, false, w->p, w->len);
	y->to.ss_family = 0;
}

/* Once each: what agents say goes to the others, as gossip would carry it. */
static void
pass_on(struct peers *x, const uint8_t *p, size_t n)
{
	uint64_t	h = hash_bytes(p, n, 0);
	unsigned	i;

	for (i = 0; i < SEEN; i++)
		if (x->seen[i] == h)
			return;
	x->seen[x->nseen++ % SEEN] = h;
	send_to_agents(x, &x->from, p, n);
}

static void
on_claim(struct peers *x, enum swim_state state, const uint8_t *p, size_t n)
{
	struct ml_claim	 c;
	struct swim_said a = { .state = state };
	struct rbuf	 r;
	struct wbuf	*w;
	long		 i;

	rb_init(&r, p + 1, n - 1);
	body_decode(&ml_claim_body, &r, &c);
	if (!rb_ok(&r))
		return;
	if ((i = peer_number(x, c.node)) == -1) {
		a.name = c.node;
		a.inc = c.inc;
		if (state == SWIM_DEAD && span_same(c.node, c.from))
			a.state = SWIM_LEFT;
		(void)agent_said(x, &a);
		pass_on(x, p, n);
	} else if (c.inc >= x->inc[i]) {
		x->inc[i] = c.inc + 1;
		w = message(x, ML_ALIVE);
		put_alive(x, (uint32_t)i, w);
		send_to_agents(x, NULL, w->p, w->len);
	}
}

static void
on_alive(struct peers *x, const uint8_t *p, size_t n)
{
	struct ml_alive	 m;
	struct swim_said a = { .state = SWIM_ALIVE };
	struct rbuf	 r;

	rb_init(&r, p + 1, n - 1);
	body_decode(&ml_alive_body, &r, &m);
	if (!rb_ok(&r) || m.vsn.n != VSN_LEN || peer_number(x, m.node) != -1)
		return;
	a.name = m.node;
	a.meta = m.meta;
	a.addr = gaddr_of(m.addr, m.port);
	a.inc = m.inc;
	memcpy(a.vsn, m.vsn.p, VSN_LEN);
	(void)agent_said(x, &a);
	pass_on(x, p, n);
}

static void
on_message(const uint8_t *p, size_t n, void *arg)
{
	struct peers	*x = arg;
	struct rbuf	 r;

	rb_init(&r, p + 1, n - 1);
	switch (p[0]) {
	case ML_PING:
		on_ping(x, &r);
		break;
	case ML_INDIRECT:
		on_indirect(x, &r);
		break;
	case ML_ACK:
		on_ack(x, &r);
		break;
	case ML_SUSPECT:
		on_claim(x, SWIM_SUSPECT, p, n);
		break;
	case ML_DEAD:
		on_claim(x, SWIM_DEAD, p, n);
		break;
	case ML_ALIVE:
		on_alive(x, p, n);
		break;
	case ML_USER:
		if (n > 1 && p[1] <= SF_QUERY)
			pass_on(x, p, n);
		break;
	default:
		break;
	}
}

static void
on_udp(struct ev_io *io, int fd, int events, void *arg)
{
	static uint8_t	 buf[PACKET_MAX];
	uint8_t		 control[256];
	struct peers	*x = arg;
	struct in_pktinfo pi;
	struct cmsghdr	*c;
	struct iovec	 iov = { buf, sizeof(buf) };
	struct msghdr	 h;
	ssize_t		 n;

	(void)io;
	(void)events;
	for (;;) {
		memset(&h, 0, sizeof(h));
		h.msg_name = &x->from;
		h.msg_namelen = sizeof(x->from);
		h.msg_iov = &iov;
		h.msg_iovlen = 1;
		h.msg_control = control;
		h.msg_controllen = sizeof(control);
		if ((n = recvmsg(fd, &h, MSG_DONTWAIT)) == -1)
			return;
		x->as = 0;
		for (c = CMSG_FIRSTHDR(&h); c != NULL; c = CMSG_NXTHDR(&h, c))
			if (c->cmsg_type == IP_PKTINFO) {
				memcpy(&pi, CMSG_DATA(c), sizeof(pi));
				x->as = (ntohl(pi.ipi_addr.s_addr) & 0xffff) - 1;
			}
		count(x, &x->from, false);
		if (x->as < x->n)
			(void)packet_open(&x->layers, buf, (size_t)n,
			    on_message, x);
	}
}

/* ---- exchange of state ---- */

static void
put_state(struct wbuf *w, struct span name,
    const struct gaddr *addr, uint32_t inc, struct span meta, int state,
    const uint8_t v[VSN_LEN])
{
	struct ml_state	st = { 0 };

	st.addr = gaddr_ip(addr);
	st.port = addr->port;
	st.inc = inc;
	st.meta = meta;
	st.name = name;
	st.state = state;
	st.vsn = span_of(v, VSN_LEN);
	body_encode(&ml_state_body, &st, w);
}

static void
user_state(struct peers *x, struct wbuf *w)
{
	static const uint8_t	 none = 0x90;
	struct sf_pushpull	 pp = { .event_ltime = 1, .ltime = LTIME + 1,
				    .query_ltime = 1 };
	struct wbuf		 status;
	char			 name[16];
	uint32_t		 i;

	wb_init(&status, 0);
	mp_map(&status, x->n);
	for (i = 0; i < x->n; i++) {
		mp_raw(&status, name, peer_name(i, name));
		mp_uint(&status, LTIME);
	}
	pp.events = pp.left = span_of(&none, 1);
	pp.status = span_of(status.p, status.len);
	wb_u8(w, SF_PUSHPULL);
	body_encode(&sf_pushpull_body, &pp, w);
	wb_free(&status);
}

static void
full_state(struct peers *x, bool join, struct wbuf *w)
{
	struct ml_header h = { .join = join };
	struct wbuf	 user, meta;
	struct gaddr	 addr;
	struct agent	*g;
	char		 name[16];
	uint32_t	 i;

	wb_init(&user, 0);
	wb_init(&meta, 0);
	user_state(x, &user);
	h.nodes = x->n + x->nagents;
	h.user_len = user.len;
	wb_u8(w, ML_PUSHPULL);
	body_encode(&ml_header_body, &h, w);
	for (i = 0; i < x->n; i++) {
		addr = peer_addr(x, i);
		wb_reset(&meta);
		peer_meta(x, i, &meta);
		put_state(w, span_of(name, peer_name(i, name)), &addr,
		    x->inc[i], span_of(meta.p, meta.len), SWIM_ALIVE, vsn);
	}
	for (i = 0; i < x->nagents; i++) {
		g = &x->agent[i];
		put_state(w, span_str(g->name), &g->addr, g->inc,
		    span_of(g->meta, g->meta_len), (int)g->state, g->vsn);
	}
	wb_bytes(w, user.p, user.len);
	wb_free(&user);
	wb_free(&meta);
}

static void
talk_free(struct talk *t)
{
	stream_free(t->stream);
	free(t);
}

static void
talk_write(struct talk *t, bool answer, const struct wbuf *msg)
{
	uint8_t		nonce[CRYPT_NONCE];
	struct wbuf	w;

	arc4random_buf(nonce, sizeof(nonce));
	wb_init(&w, 0);
	if (frame_seal(&t->x->layers, nonce, answer, msg->p, msg->len, &w) == 0)
		stream_write(t->stream, w.p, w.len);
	wb_free(&w);
}

static void
talk_state(struct talk *t, bool answer, bool join)
{
	struct wbuf	w;

	wb_init(&w, 0);
	full_state(t->x, join, &w);
	talk_write(t, answer, &w);
	wb_free(&w);
}

/* Whom we did not know comes alive to the other agents as well. */
static void
talk_merge(struct talk *t, bool *join)
{
	struct peers		*x = t->x;
	struct swim_said	*a;
	struct ml_alive		 m;
	struct span		 user;
	struct wbuf		*w;
	size_t			 i, n;

	*join = false;
	if (swim_state_parse(t->frame.msg, t->frame.len, &a, &n, join,
	    &user) != NULL)
		return;
	x->from = *stream_peer(t->stream);
	for (i = 0; i < n; i++) {
		if (peer_number(x, a[i].name) != -1 ||
		    a[i].state != SWIM_ALIVE || !agent_said(x, &a[i]))
			continue;
		m = (struct ml_alive){ .addr = gaddr_ip(&a[i].addr),
		    .inc = a[i].inc, .meta = a[i].meta, .node = a[i].name,
		    .port = a[i].addr.port,
		    .vsn = span_of(a[i].vsn, VSN_LEN) };
		w = message(x, ML_ALIVE);
		body_encode(&ml_alive_body, &m, w);
		pass_on(x, w->p, w->len);
	}
	free(a);
}

static void	exchange(struct peers *, const struct sockaddr_storage *,
		    unsigned);

static void
talk_answer(struct talk *t)
{
	struct ml_ping	 ping;
	struct ml_ack	 ack = { 0 };
	struct rbuf	 r;
	struct wbuf	*w;
	bool		 join;

	if (t->frame.msg[0] == ML_PUSHPULL) {
		talk_merge(t, &join);
		if (!t->ours)
			talk_state(t, true, join);
	} else if (t->frame.msg[0] == ML_PING) {
		rb_init(&r, t->frame.msg + 1, t->frame.len - 1);
		body_decode(&ml_ping_body, &r, &ping);
		ack.seq = ping.seq;
		w = message(t->x, ML_ACK);
		body_encode(&ml_ack_body, &ack, w);
		talk_write(t, true, w);
	}
	if (t->ours && t->left > 0)
		exchange(t->x, &t->to, t->left - 1);
	else if (t->ours)
		printf("exchanged\n");
	stream_finish(t->stream);
	free(t);
}

static size_t
on_data(struct stream *st, const uint8_t *p, size_t n, void *arg)
{
	struct talk	*t = arg;

	(void)st;
	switch (frame_read(&t->frame, &t->x->layers, p, n)) {
	case FRAME_MORE:
		return 0;
	case FRAME_BAD:
		log_warnx("stream: %s", t->frame.why);
		talk_free(t);
		return 0;
	case FRAME_DONE:
		talk_answer(t);
		return 0;
	}
	return 0;
}

static void
on_connected(struct stream *st, void *arg)
{
	(void)st;
	talk_state(arg, false, false);
}

static void
on_closed(struct stream *st, const char *why, void *arg)
{
	struct talk	*t = arg;

	(void)st;
	if (t->ours)
		printf("no exchange: %s\n", why == NULL ? "EOF" : why);
	talk_free(t);
}

static const struct stream_ops talk_ops = {
	.connected = on_connected, .data = on_data, .closed = on_closed,
};

static struct talk *
talk_new(struct peers *x, bool ours)
{
	struct talk	*t = xcalloc(1, sizeof(*t));

	t->x = x;
	t->ours = ours;
	frame_init(&t->frame, ours);
	return t;
}

static void
on_accept(int fd, const struct sockaddr_storage *ss, void *arg)
{
	struct talk	*t = talk_new(arg, false);

	(void)ss;
	t->stream = stream_new(t->x->ev, fd, &talk_ops, t);
	stream_limit(t->stream, FRAME_MAX);
	stream_deadline(t->stream, 10000);
}

static void
exchange(struct peers *x, const struct sockaddr_storage *to, unsigned left)
{
	struct talk	*t = talk_new(x, true);

	t->to = *to;
	t->left = left;
	t->stream = stream_connect(x->ev, (const struct sockaddr *)to,
	    addr_len(to), NULL, 0, 10000, &talk_ops, t);
	stream_limit(t->stream, FRAME_MAX);
}

/* ---- load ---- */

/* A member is suspected by another, and refutes. */
static void
make_news(struct peers *x)
{
	struct ml_claim	 c = { 0 };
	struct piece	*e;
	struct wbuf	 w;
	uint32_t	 i = rng_below(&x->rng, x->n);
	char		 node[16], from[16];

	c.node = span_of(node, peer_name(i, node));
	c.from = span_of(from, peer_name(rng_below(&x->rng, x->n), from));
	c.inc = x->inc[i];
	wb_init(&w, PIECE_MAX);
	wb_u8(&w, ML_SUSPECT);
	body_encode(&ml_claim_body, &c, &w);
	e = &x->window[x->nwindow++ % WINDOW];
	memcpy(e->p, w.p, w.len);
	e->n = w.len;
	x->inc[i]++;
	wb_reset(&w);
	wb_u8(&w, ML_ALIVE);
	put_alive(x, i, &w);
	e = &x->window[x->nwindow++ % WINDOW];
	memcpy(e->p, w.p, w.len);
	e->n = w.len;
	wb_free(&w);
}

static void
send_gossip(struct peers *x)
{
	struct compound	 c;
	struct wbuf	 w;
	struct piece	*e;
	unsigned	 i, n = x->nwindow < WINDOW ? x->nwindow : WINDOW;
	unsigned	 at = n > 0 ? rng_below(&x->rng, n) : 0;

	compound_init(&c);
	wb_init(&w, 0);
	for (i = 0; i < n; i++) {
		e = &x->window[(at + i) % n];
		if (c.body.len + e->n + 2 * (c.n + 1) > FILL)
			break;
		(void)compound_add(&c, e->p, e->n);
	}
	if (c.n > 0) {
		compound_encode(&c, &w);
		send_to_agents(x, NULL, w.p, w.len);
	}
	compound_clear(&c);
	wb_free(&w);
}

static void
send_pings(struct peers *x)
{
	struct sockaddr_storage	ss;
	size_t			i;

	for (i = 0; i < x->nagents; i++)
		if (x->agent[i].state < SWIM_DEAD &&
		    gaddr_to_sockaddr(&x->agent[i].addr, &ss) == 0)
			send_ping(x, rng_below(&x->rng, x->n), ++x->seq,
			    span_str(x->agent[i].name), &ss);
}

static void
on_timer(void *arg)
{
	struct peers	*x = arg;
	uint64_t	 now = ev_hrtime();
	double		 dt = (double)(now - x->tick_at) / (double)NS_PER_S;

	x->tick_at = now;
	x->pings_due += dt * (x->ping_rate + BASE_PING);
	x->gossip_due += dt * x->gossip_rate;
	x->news_due += dt * x->news_rate;
	for (; x->news_due >= 1; x->news_due--)
		make_news(x);
	for (; x->gossip_due >= 1; x->gossip_due--)
		send_gossip(x);
	for (; x->pings_due >= 1; x->pings_due--)
		send_pings(x);
	ev_timer_set(x->timer, TICK_MS);
}

/* ---- commands ---- */

static void
say_agents(struct peers *x)
{
	const struct agent	*g;
	size_t			 i, n = 0;

	for (i = 0; i < x->nagents; i++)
		n += x->agent[i].state < SWIM_DEAD;
	printf("%zu", n);
	for (i = 0; i < x->nagents; i++) {
		g = &x->agent[i];
		printf(" %s %s %llu %llu", g->name, swim_state_name(g->state),
		    (unsigned long long)g->sent,
		    (unsigned long long)g->received);
	}
	printf("\n");
}

static void
command(struct peers *x, const char *line)
{
	struct sockaddr_storage	 ss;
	struct agent		*g;
	char			 name[64];
	double			 a, b;
	unsigned		 n;

	if (sscanf(line, "ping %lf", &a) == 1) {
		x->ping_rate = a;
		printf("ok\n");
	} else if (sscanf(line, "gossip %lf %lf", &a, &b) == 2) {
		x->gossip_rate = a;
		x->news_rate = b;
		printf("ok\n");
	} else if (sscanf(line, "exchange %63s %u", name, &n) == 2 && n > 0) {
		if ((g = agent_find(x, span_str(name))) == NULL ||
		    gaddr_to_sockaddr(&g->addr, &ss) == -1)
			printf("no such agent\n");
		else
			exchange(x, &ss, n - 1);
	} else if (strcmp(line, "agents") == 0)
		say_agents(x);
	else
		printf("unknown command\n");
}

static void
on_stdin(struct ev_io *io, int fd, int events, void *arg)
{
	struct peers	*x = arg;
	char		 c;
	ssize_t		 n;

	(void)io;
	(void)events;
	while ((n = read(fd, &c, 1)) == 1) {
		if (c != '\n') {
			if (x->line_len < sizeof(x->line) - 1)
				x->line[x->line_len++] = c;
			continue;
		}
		x->line[x->line_len] = '\0';
		x->line_len = 0;
		command(x, x->line);
	}
	if (n == 0)
		ev_stop(x->ev);
}

/* ---- start ---- */

static void
sockets(struct peers *x)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET,
				    .sin_port = htons(x->port) };
	int			on = 1, size = 8 << 20;

	x->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	x->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (x->udp == -1 || x->tcp == -1 ||
	    setsockopt(x->tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(x->udp, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) ||
	    bind(x->udp, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    bind(x->tcp, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(x->tcp, 128) == -1)
		fatal("port %u", x->port);
	(void)setsockopt(x->udp, SOL_SOCKET, SO_RCVBUFFORCE, &size,
	    sizeof(size));
}

static int
usage(void)
{
	fprintf(stderr, "usage: gossip_peers [-k KEY] [-m META-BYTES] "
	    "[-n MEMBERS] [-p PORT]\n");
	return 1;
}

int
main(int argc, char **argv)
{
	static struct peers	 x = { .n = 9999, .port = 8301,
				    .meta_len = 250 };
	struct keyring		*ring = keyring_new();
	uint8_t			 key[CRYPT_KEY_MAX];
	int			 ch, n;
	uint32_t		 i;

	while ((ch = getopt(argc, argv, "k:m:n:p:")) != -1)
		switch (ch) {
		case 'k':
			n = base64_decode(optarg, key, sizeof(key));
			if (n == -1 || keyring_add(ring, key, (size_t)n) !=
			    NULL)
				return usage();
			break;
		case 'm':
			x.meta_len = (size_t)atoi(optarg);
			break;
		case 'n':
			x.n = (uint32_t)atoi(optarg);
			break;
		case 'p':
			x.port = (uint16_t)atoi(optarg);
			break;
		default:
			return usage();
		}
	if (x.n == 0 || x.n > 65000 || x.meta_len > META_MAX)
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	x.inc = xcalloc(x.n, sizeof(*x.inc));
	for (i = 0; i < x.n; i++)
		x.inc[i] = 1;
	rng_seed(&x.rng, 1);
	layers_init(&x.layers, ring);
	wb_init(&x.out, 0);
	wb_init(&x.msg, 0);
	x.ev = ev_new();
	sockets(&x);
	ev_io_set(ev_io_new(x.ev, x.udp, on_udp, &x), EV_READ);
	(void)acceptor_new(x.ev, x.tcp, on_accept, &x);
	if (fd_nonblock(STDIN_FILENO) == -1)
		fatal("standard input");
	ev_io_set(ev_io_new(x.ev, STDIN_FILENO, on_stdin, &x), EV_READ);
	x.tick_at = ev_hrtime();
	x.timer = ev_timer_new(x.ev, on_timer, &x);
	on_timer(&x);
	ev_run(x.ev);
	return 0;
}

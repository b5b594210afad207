/*
 * Datagrams that come in, each for the member at whose address it arrived:
 * pings are answered, indirect ones carried out, accusations refuted, and what
 * an agent gossips goes on to the others.
 */
#include <netinet/in.h>
#include <string.h>

#include "bench/peers.h"
#include "common/mp.h"
#include "common/util.h"

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
	w = peers_message(x, ML_ACK);
	body_encode(&ml_ack_body, &ack, w);
	peers_send(x, x->as, &x->from, false, w->p, w->len);
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
	peers_ping(x, x->as, x->seq, in.node, &ss);
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
	w = peers_message(x, ML_ACK);
	body_encode(&ml_ack_body, &ack, w);
	peers_send(x, y->as, &y->to, false, w->p, w->len);
	y->to.ss_family = 0;
}

/* Once each: what agents say goes to the others, as gossip would carry it. */
void
peers_pass_on(struct peers *x, const uint8_t *p, size_t n)
{
	uint64_t	h = hash_bytes(p, n, 0);
	unsigned	i;

	for (i = 0; i < SEEN; i++)
		if (x->seen[i] == h)
			return;
	x->seen[x->nseen++ % SEEN] = h;
	peers_tell(x, &x->from, p, n);
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
		peers_pass_on(x, p, n);
	} else if (c.inc >= x->inc[i]) {
		x->inc[i] = c.inc + 1;
		w = peers_message(x, ML_ALIVE);
		peer_alive(x, (uint32_t)i, w);
		peers_tell(x, NULL, w->p, w->len);
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
	peers_pass_on(x, p, n);
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
			peers_pass_on(x, p, n);
		break;
	default:
		break;
	}
}

void
peers_on_udp(struct ev_io *io, int fd, int events, void *arg)
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
		agent_count(x, &x->from, false);
		if (x->as < x->n)
			(void)packet_open(&x->layers, buf, (size_t)n,
			    on_message, x);
	}
}

/*
 * The crowd: names, addresses, tags and incarnations of its members, what is
 * known of the real agents, and datagrams from one to the other.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <bsd/stdlib.h>

#include "bench/peers.h"
#include "common/log.h"
#include "common/mp.h"
#include "common/util.h"
#include "gossipd/tags.h"

/* ---- who they are ---- */

const uint8_t peers_vsn[VSN_LEN] = { 1, 5, 2, 2, 5, 4 };

size_t
peer_name(uint32_t i, char name[PEER_NAME])
{
	return (size_t)snprintf(name, PEER_NAME, "peer%05u", i % 100000);
}

/* The number of a member's name, or -1. */
long
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

struct gaddr
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
void
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

struct agent *
agent_find(struct peers *x, struct span name)
{
	size_t	i;

	for (i = 0; i < x->nagents; i++)
		if (span_is(name, x->agent[i].name))
			return &x->agent[i];
	return NULL;
}

/* A word about an agent.  True if it is news. */
bool
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

void
agent_count(struct peers *x, const struct sockaddr_storage *ss, bool sent)
{
	struct gaddr	a = gaddr_from_sockaddr(ss);
	size_t		i;

	for (i = 0; i < x->nagents; i++)
		if (gaddr_equal(&x->agent[i].addr, &a))
			*(sent ? &x->agent[i].sent : &x->agent[i].received) += 1;
}

void
peers_send(struct peers *x, uint32_t as, const struct sockaddr_storage *to,
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
	agent_count(x, to, true);
}

struct wbuf *
peers_message(struct peers *x, enum ml_type type)
{
	wb_reset(&x->msg);
	wb_u8(&x->msg, (uint8_t)type);
	return &x->msg;
}

void
peers_ping(struct peers *x, uint32_t as, uint32_t seq, struct span node,
    const struct sockaddr_storage *to)
{
	struct ml_ping	 ping = { 0 };
	struct gaddr	 me = peer_addr(x, as);
	struct wbuf	*w = peers_message(x, ML_PING);
	char		 name[PEER_NAME];

	ping.node = node;
	ping.seq = seq;
	ping.src_addr = gaddr_ip(&me);
	ping.src_port = me.port;
	ping.src_node = span_of(name, peer_name(as, name));
	body_encode(&ml_ping_body, &ping, w);
	peers_send(x, as, to, false, w->p, w->len);
}

void
peers_tell(struct peers *x, const struct sockaddr_storage *but,
    const uint8_t *p, size_t n)
{
	struct sockaddr_storage	ss;
	size_t			i;

	for (i = 0; i < x->nagents; i++) {
		if (x->agent[i].state >= SWIM_DEAD ||
		    gaddr_to_sockaddr(&x->agent[i].addr, &ss) == -1 ||
		    (but != NULL && addr_equal_ip(&ss, but)))
			continue;
		peers_send(x, rng_below(&x->rng, x->n), &ss, true, p, n);
	}
}

void
peer_alive(const struct peers *x, uint32_t i, struct wbuf *w)
{
	struct ml_alive	 a = { 0 };
	struct gaddr	 addr = peer_addr(x, i);
	struct wbuf	 meta;
	char		 name[PEER_NAME];

	wb_init(&meta, 0);
	peer_meta(x, i, &meta);
	a.addr = gaddr_ip(&addr);
	a.port = addr.port;
	a.inc = x->inc[i];
	a.meta = span_of(meta.p, meta.len);
	a.node = span_of(name, peer_name(i, name));
	a.vsn = span_of(peers_vsn, VSN_LEN);
	body_encode(&ml_alive_body, &a, w);
	wb_free(&meta);
}

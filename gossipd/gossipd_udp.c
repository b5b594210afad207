/*
 * A pool's datagrams in and out of its one UDP socket.
 *
 * A flood of garbage costs its own packets, not this node's word: a turn of the
 * loop reads for a few milliseconds at most, so that probes and their answers
 * keep their times, and what cannot be opened is counted and said once a
 * minute.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <bsd/stdlib.h>

#include "common/log.h"
#include "common/util.h"
#include "gossipd/gossipd.h"

#define UDP_BATCH	8
#define TURN_NS		(4 * NS_PER_MS)	/* then others have theirs */

struct udp {
	struct ev_io		*io;
	bool			 v6;
	struct wbuf		 out;
	struct mmsghdr		 hdr[UDP_BATCH];
	struct iovec		 iov[UDP_BATCH];
	struct sockaddr_storage	 from[UDP_BATCH];
	uint8_t			*buf;		/* unused pages cost nothing */
};

struct arrival { struct pool *p; struct gaddr from; uint64_t now; };

static void
on_message(const uint8_t *m, size_t n, void *arg)
{
	struct arrival	*a = arg;

	serf_input(a->p->serf, a->now, &a->from, m, n);
}

static void
on_datagram(struct pool *p, const struct sockaddr_storage *ss,
    const uint8_t *m, size_t n, uint64_t now)
{
	struct arrival	 a = { p, gaddr_from_sockaddr(ss), now };
	char		 text[ADDR_TEXT_MAX];
	const char	*why;

	p->source_allowed = pool_allowed(p, &a.from);
	why = packet_open(&p->layers, m, n, on_message, &a);
	p->source_allowed = true;
	if (why == NULL)
		return;
	p->bad_packets++;
	if (pool_may_say(p, SAY_DROP))
		log_warnx("%spacket from %s dropped: %s (%llu so far)",
		    p->prefix, addr_text(ss, text, sizeof(text)), why,
		    (unsigned long long)p->bad_packets);
	else if (log_enabled(LOG_L_DEBUG))
		log_debug("%spacket from %s dropped: %s", p->prefix,
		    addr_text(ss, text, sizeof(text)), why);
}

static void
on_readable(struct ev_io *io, int fd, int events, void *arg)
{
	struct pool	*p = arg;
	struct udp	*u = p->udp;
	uint64_t	 now = gossipd_now(), end = now + TURN_NS;
	int		 i, n;

	(void)io;
	(void)events;
	do {
		for (i = 0; i < UDP_BATCH; i++)
			u->hdr[i].msg_hdr.msg_namelen = sizeof(u->from[i]);
		n = recvmmsg(fd, u->hdr, UDP_BATCH, MSG_DONTWAIT, NULL);
		if (n == -1 && errno != EAGAIN && errno != EINTR &&
		    errno != ECONNREFUSED)
			log_warn("%sUDP socket: receive", p->prefix);
		for (i = 0; i < n; i++) {
			on_datagram(p, &u->from[i], u->iov[i].iov_base,
			    u->hdr[i].msg_len, now);
			now = gossipd_now();
		}
	} while (n == UDP_BATCH && now < end);
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

void
udp_nonce(const struct pool *p, uint8_t nonce[CRYPT_NONCE])
{
	if (pool_encrypted(p))
		arc4random_buf(nonce, CRYPT_NONCE);
}

void
udp_send(struct pool *p, const struct gaddr *to, bool crc, const uint8_t *m,
    size_t n)
{
	struct udp		*u = p->udp;
	struct sockaddr_storage	 ss;
	uint8_t			 nonce[CRYPT_NONCE];
	char			 text[ADDR_TEXT_MAX];

	if (gaddr_to_sockaddr(to, &ss) == -1 || to->port == 0)
		return;
	udp_nonce(p, nonce);
	wb_reset(&u->out);
	if (packet_seal(&p->layers, nonce, crc, m, n, &u->out) == -1)
		return;
	if (u->v6)
		map_v4(&ss);
	if (sendto(p->udp_fd, u->out.p, u->out.len, MSG_DONTWAIT,
	    (struct sockaddr *)&ss, addr_len(&ss)) != -1)
		return;
	/* A full queue is a lost packet; the rest is worth a line a minute. */
	if (errno != EAGAIN && errno != ENOBUFS && pool_may_say(p, SAY_SEND))
		log_warn("%sUDP to %s", p->prefix,
		    addr_text(&ss, text, sizeof(text)));
}

void
udp_start(struct pool *p)
{
	struct udp		*u = xcalloc(1, sizeof(*u));
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	int			 i;

	p->udp = u;
	wb_init(&u->out, 0);
	u->buf = xmalloc((size_t)UDP_BATCH * PACKET_MAX);
	for (i = 0; i < UDP_BATCH; i++) {
		u->iov[i].iov_base = u->buf + (size_t)i * PACKET_MAX;
		u->iov[i].iov_len = PACKET_MAX;
		u->hdr[i].msg_hdr.msg_iov = &u->iov[i];
		u->hdr[i].msg_hdr.msg_iovlen = 1;
		u->hdr[i].msg_hdr.msg_name = &u->from[i];
	}
	if (getsockname(p->udp_fd, (struct sockaddr *)&ss, &len) == 0)
		u->v6 = ss.ss_family == AF_INET6;
	if (fd_nonblock(p->udp_fd) == -1)
		fatal("%s pool: UDP socket", p->what);
	u->io = ev_io_new(p->g->ev, p->udp_fd, on_readable, p);
	ev_io_set(u->io, EV_READ);
}

void
udp_stop(struct pool *p)
{
	struct udp	*u = p->udp;

	if (u == NULL)
		return;
	ev_io_free(u->io);
	wb_free(&u->out);
	free(u->buf);
	free(u);
	p->udp = NULL;
}

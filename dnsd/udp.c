/*
 * DNS over UDP: see udp.h.
 *
 * Up to UDP_BATCH queries are read with one call, answered into a buffer that
 * is there once for all sockets, and sent with one call.  Answers stand close
 * together there: at a distance of pages they would share a few lines of the
 * cache.  What the kernel does not take is lost, as UDP may.  A socket bound to
 * every address answers from the one that was asked.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "dnsd/udp.h"

#define UDP_BATCH 128
#define UDP_ROUNDS 4		/* batches of one socket in one turn */
#define UDP_ANSWERS 65536	/* bytes of answers that go with one call */
#define UDP_QUERY_MAX 1500	/* a longer query is none */
#define UDP_SOCKETS_MAX 64

union control {
	struct cmsghdr	align;
	char		bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct udp_batch {
	struct mmsghdr	in[UDP_BATCH], out[UDP_BATCH];
	struct iovec	in_iov[UDP_BATCH], out_iov[UDP_BATCH];
	struct sockaddr_storage addr[UDP_BATCH];
	union control	control[UDP_BATCH];
	uint8_t		query[UDP_BATCH][UDP_QUERY_MAX];
	uint8_t		answer[UDP_ANSWERS];
	size_t		used;		/* of it */
	size_t		stale;		/* of in[]: as the kernel left them */
	bool		any;		/* in[] asks for our address */
};

struct udp_socket {
	struct udp	*udp;
	struct ev_io	*io;
	int		 fd;
	uint32_t	 index;
	bool		 any;		/* bound to every address */
};

struct udp {
	struct ev		*ev;
	struct udp_socket	*socket[UDP_SOCKETS_MAX];
	uint32_t		 n;
	udp_query_fn		*query;
	void			*arg;
	struct udp_batch	*batch;
};

/* ---- our own address, where the socket has many ---- */

static bool
bound_to_any(int fd)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	const struct sockaddr_in *in = (const void *)&ss;
	const struct sockaddr_in6 *in6 = (const void *)&ss;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return false;
	if (ss.ss_family == AF_INET)
		return in->sin_addr.s_addr == htonl(INADDR_ANY);
	return ss.ss_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

static void
ask_local(int fd)
{
	int	on = 1;

	/* one of them fits the socket's family, an IPv6 one may want both */
	(void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

static void
read_local(struct origin *o, struct msghdr *h)
{
	struct in6_pktinfo	 i6;
	struct in_pktinfo	 i4;
	struct cmsghdr		*c;

	o->local_len = 0;
	for (c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == IPPROTO_IP &&
		    c->cmsg_type == IP_PKTINFO) {
			memcpy(&i4, CMSG_DATA(c), sizeof(i4));
			memcpy(o->local, &i4.ipi_addr, 4);
			o->local_len = 4;
			o->ifindex = (uint32_t)i4.ipi_ifindex;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&i6, CMSG_DATA(c), sizeof(i6));
			memcpy(o->local, &i6.ipi6_addr, 16);
			o->local_len = 16;
			o->ifindex = i6.ipi6_ifindex;
		}
	}
}

static void
put_control(struct msghdr *h, union control *u, int level, int type,
    const void *p, size_t n)
{
	struct cmsghdr	*c;

	memset(u, 0, sizeof(*u));
	h->msg_control = u->bytes;
	h->msg_controllen = CMSG_SPACE(n);
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), p, n);
}

static void
write_local(const struct origin *o, struct msghdr *h, union control *u)
{
	struct in6_pktinfo	i6 = { 0 };
	struct in_pktinfo	i4 = { 0 };

	h->msg_control = NULL;
	h->msg_controllen = 0;
	if (o->local_len == 4) {
		memcpy(&i4.ipi_spec_dst, o->local, 4);
		put_control(h, u, IPPROTO_IP, IP_PKTINFO, &i4, sizeof(i4));
	} else if (o->local_len == 16) {
		memcpy(&i6.ipi6_addr, o->local, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&i6.ipi6_addr))
			i6.ipi6_ifindex = o->ifindex;
		put_control(h, u, IPPROTO_IPV6, IPV6_PKTINFO, &i6,
		    sizeof(i6));
	}
}

/* ---- batches ---- */

static int
receive(struct udp_socket *s)
{
	struct udp_batch	*b = s->udp->batch;
	struct msghdr		*h;
	size_t			 i;
	int			 n;

	if (b->any != s->any)
		b->stale = UDP_BATCH;
	b->any = s->any;
	for (i = 0; i < b->stale; i++) {
		h = &b->in[i].msg_hdr;
		h->msg_name = &b->addr[i];
		h->msg_namelen = sizeof(b->addr[i]);
		h->msg_iov = &b->in_iov[i];
		h->msg_iovlen = 1;
		h->msg_control = s->any ? b->control[i].bytes : NULL;
		h->msg_controllen = s->any ? sizeof(b->control[i].bytes) : 0;
		h->msg_flags = 0;
		b->in_iov[i].iov_base = b->query[i];
		b->in_iov[i].iov_len = UDP_QUERY_MAX;
	}
	n = recvmmsg(s->fd, b->in, UDP_BATCH, MSG_DONTWAIT, NULL);
	/* after an error nobody knows how many it wrote to */
	b->stale = n >= 0 ? (size_t)n : UDP_BATCH;
	return n;
}

/* Answers message i into the n-th place of what goes out. */
static bool
answer_one(struct udp_socket *s, size_t i, size_t n)
{
	struct udp_batch	*b = s->udp->batch;
	struct msghdr		*in = &b->in[i].msg_hdr,
				*out = &b->out[n].msg_hdr;
	struct origin		 o;
	size_t			 len;

	if ((in->msg_flags & MSG_TRUNC) || in->msg_namelen > sizeof(o.addr))
		return false;
	o.udp = true;
	o.socket = s->index;
	o.addr_len = (uint8_t)in->msg_namelen;
	memcpy(o.addr, in->msg_name, in->msg_namelen);
	o.local_len = 0;
	if (s->any)
		read_local(&o, in);
	len = s->udp->query(&o, b->query[i], b->in[i].msg_len,
	    b->answer + b->used, s->udp->arg);
	if (len == 0)
		return false;
	b->out_iov[n].iov_base = b->answer + b->used;
	b->out_iov[n].iov_len = len;
	b->used += len;
	memset(out, 0, sizeof(*out));
	out->msg_name = in->msg_name;
	out->msg_namelen = in->msg_namelen;
	out->msg_iov = &b->out_iov[n];
	out->msg_iovlen = 1;
	if (s->any)
		write_local(&o, out, &b->control[i]);
	return true;
}

static void
send_all(struct udp_socket *s, size_t n)
{
	struct udp_batch	*b = s->udp->batch;
	size_t			 done = 0;
	int			 sent;

	b->used = 0;
	while (done < n) {
		sent = sendmmsg(s->fd, b->out + done, (unsigned)(n - done),
		    MSG_DONTWAIT);
		if (sent > 0)
			done += (size_t)sent;
		else if (errno == EAGAIN || errno == EWOULDBLOCK ||
		    errno == ENOBUFS)
			return;		/* the clients ask again */
		else if (errno != EINTR)
			done++;		/* this one cannot be reached */
	}
}

static void
on_readable(struct ev_io *io, int fd, int events, void *arg)
{
	struct udp_socket	*s = arg;
	size_t			 i, n;
	int			 round, got;

	(void)io;
	(void)fd;
	(void)events;
	for (round = 0; round < UDP_ROUNDS; round++) {
		if ((got = receive(s)) <= 0)
			return;
		for (i = 0, n = 0; i < (size_t)got; i++) {
			if (UDP_ANSWERS - s->udp->batch->used < DNS_UDP_MAX) {
				send_all(s, n);
				n = 0;
			}
			if (answer_one(s, i, n))
				n++;
		}
		send_all(s, n);
		if (got < UDP_BATCH)
			return;
	}
}

void
udp_reply(struct udp *u, const struct origin *o, const uint8_t *p, size_t n)
{
	struct iovec	iov = { (void *)(uintptr_t)p, n };
	struct msghdr	h = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control	control;
	struct sockaddr_storage ss;

	if (o->socket >= u->n || n == 0)
		return;
	memcpy(&ss, o->addr, o->addr_len);
	h.msg_name = &ss;
	h.msg_namelen = o->addr_len;
	write_local(o, &h, &control);
	if (sendmsg(u->socket[o->socket]->fd, &h, MSG_DONTWAIT) == -1)
		log_debug("dns: late answer not sent: %s", strerror(errno));
}

void
udp_take(struct udp *u, const struct origin *o, const uint8_t *q, size_t n)
{
	uint8_t	out[DNS_UDP_MAX];

	udp_reply(u, o, out, u->query(o, q, n, out, u->arg));
}

void
udp_send(struct udp *u, const struct sockaddr_storage *to, const uint8_t *p,
    size_t n)
{
	char		ip[ADDR_TEXT_MAX];
	uint32_t	i;

	for (i = 0; i < u->n; i++)
		if (sendto(u->socket[i]->fd, p, n, MSG_DONTWAIT,
		    (const struct sockaddr *)to, addr_len(to)) == (ssize_t)n)
			return;
	log_debug("dns: nothing could be sent to %s: %s",
	    addr_ip(to, ip, sizeof(ip)), strerror(errno));
}

void
udp_add(struct udp *u, int fd)
{
	struct udp_socket	*s;

	if (u->n == UDP_SOCKETS_MAX)
		fatalx("dns: more than %d UDP sockets", UDP_SOCKETS_MAX);
	(void)fd_nonblock(fd);
	s = xcalloc(1, sizeof(*s));
	s->udp = u;
	s->fd = fd;
	s->index = u->n;
	s->any = bound_to_any(fd);
	if (s->any)
		ask_local(fd);
	u->socket[u->n++] = s;
}

void
udp_start(struct udp *u)
{
	uint32_t	i;

	if (u->batch == NULL) {
		u->batch = xcalloc(1, sizeof(*u->batch));
		u->batch->stale = UDP_BATCH;
	}
	for (i = 0; i < u->n; i++) {
		if (u->socket[i]->io != NULL)
			continue;
		u->socket[i]->io = ev_io_new(u->ev, u->socket[i]->fd,
		    on_readable, u->socket[i]);
		ev_io_set(u->socket[i]->io, EV_READ);
	}
}

struct udp *
udp_new(struct ev *ev, udp_query_fn *query, void *arg)
{
	struct udp	*u = xcalloc(1, sizeof(*u));

	u->ev = ev;
	u->query = query;
	u->arg = arg;
	return u;
}

void
udp_free(struct udp *u)
{
	uint32_t	i;

	if (u == NULL)
		return;
	for (i = 0; i < u->n; i++) {
		ev_io_free(u->socket[i]->io);
		close(u->socket[i]->fd);
		free(u->socket[i]);
	}
	free(u->batch);
	free(u);
}

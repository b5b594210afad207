/*
 * A link's I/O: queue and send, receive and hand to common/frame.c.
 *
 * What one turn of the loop sends goes out together at its end.  Small
 * messages share a buffer; one with a descriptor starts a new one, for a
 * descriptor travels with the first byte of a sendmsg().
 */
#include <bsd/sys/queue.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/frame.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/util.h"

#define OUT_BLOCK	4096	/* where small messages gather */
#define OUT_IOV		16
#define READS_PER_TURN	8	/* so that one link cannot hold up the others */

struct out {
	STAILQ_ENTRY(out)	 entry;
	int			 fd;	/* goes with the first byte, or -1 */
	size_t			 len, off, cap;
	uint8_t			 data[];
};

struct ipc {
	struct ev		*ev;
	struct ev_io		*io;
	struct ev_job		*job;
	int			 fd;
	enum proc		 self, peer;
	ipc_fn			*fn;
	void			*arg;
	struct frames		 frames;
	STAILQ_HEAD(, out)	 out;
	size_t			 queued;
	bool			 reading;
	bool			 blocked;	/* the socket is full */
	bool			 broken;	/* nothing more can be sent */
	bool			 gone;		/* told the handler so */
	bool			 freed;
	unsigned		 depth;		/* handlers on the stack */
};

static void
watch(struct ipc *l)
{
	ev_io_set(l->io, (l->reading && !l->gone ? EV_READ : 0) |
	    (l->blocked ? EV_WRITE : 0));
}

static void
out_free(struct ipc *l, struct out *o)
{
	/* On these links go keys. */
	if (l->self == PROC_DISCOD)
		explicit_bzero(o->data, o->len);
	free(o);
}

static void
drop_out(struct ipc *l)
{
	struct out	*o;

	while ((o = STAILQ_FIRST(&l->out)) != NULL) {
		STAILQ_REMOVE_HEAD(&l->out, entry);
		if (o->fd != -1)
			close(o->fd);
		out_free(l, o);
	}
	l->queued = 0;
}

static void
destroy(struct ipc *l)
{
	frames_clear(&l->frames);
	free(l);
}

void
ipc_free(struct ipc *l)
{
	if (l == NULL || l->freed)
		return;
	l->freed = true;
	drop_out(l);
	ev_job_free(l->job);
	ev_io_free(l->io);
	close(l->fd);
	if (l->depth == 0)
		destroy(l);
}

/* ---- sending ---- */

/* Up to the next descriptor: what one sendmsg() may carry. */
static size_t
gather(struct ipc *l, struct iovec *iov)
{
	struct out	*o;
	size_t		 n = 0;

	STAILQ_FOREACH(o, &l->out, entry) {
		if (n == OUT_IOV || (n > 0 && o->fd != -1))
			break;
		iov[n].iov_base = o->data + o->off;
		iov[n].iov_len = o->len - o->off;
		n++;
	}
	return n;
}

static ssize_t
send_some(struct ipc *l)
{
	union {
		struct cmsghdr	hdr;
		char		buf[CMSG_SPACE(sizeof(int))];
	}		 ctl;
	struct iovec	 iov[OUT_IOV];
	struct msghdr	 mh = { .msg_iov = iov };
	struct cmsghdr	*cm;
	struct out	*o = STAILQ_FIRST(&l->out);
	ssize_t		 n;

	mh.msg_iovlen = gather(l, iov);
	if (o->fd != -1) {
		memset(&ctl, 0, sizeof(ctl));
		mh.msg_control = ctl.buf;
		mh.msg_controllen = sizeof(ctl.buf);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &o->fd, sizeof(int));
	}
	do
		n = sendmsg(l->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n > 0 && o->fd != -1) {
		close(o->fd);
		o->fd = -1;
	}
	return n;
}

static void
sent(struct ipc *l, size_t n)
{
	struct out	*o;
	size_t		 part;

	l->queued -= n;
	while (n > 0) {
		o = STAILQ_FIRST(&l->out);
		part = o->len - o->off < n ? o->len - o->off : n;
		o->off += part;
		n -= part;
		if (o->off == o->len) {
			STAILQ_REMOVE_HEAD(&l->out, entry);
			out_free(l, o);
		}
	}
}

/*
 * Sends until the queue is empty or the socket full.  When the peer is gone
 * its end is closed: what it said last is still to be read, and the end of
 * that is what tells the handler.
 */
static void
flush(struct ipc *l)
{
	ssize_t	n;

	l->blocked = false;
	while (!STAILQ_EMPTY(&l->out)) {
		if ((n = send_some(l)) >= 0) {
			sent(l, (size_t)n);
			continue;
		}
		if (errno == EAGAIN || errno == ENOBUFS)
			l->blocked = true;
		else if (errno == EPIPE || errno == ECONNRESET) {
			l->broken = true;
			drop_out(l);
		} else
			fatal("link to %s: send", proc_name(l->peer));
		break;
	}
}

static void
on_job(void *arg)
{
	struct ipc	*l = arg;

	flush(l);
	watch(l);
}

static struct out *
out_new(struct ipc *l, size_t cap, int fd)
{
	struct out	*o = xmalloc(sizeof(*o) + cap);

	o->fd = fd;
	o->len = o->off = 0;
	o->cap = cap;
	STAILQ_INSERT_TAIL(&l->out, o, entry);
	return o;
}

static void
queue_frame(struct ipc *l, const struct frame_head *h, const void *p, int fd)
{
	struct out	*o = STAILQ_LAST(&l->out, out, entry);
	size_t		 need = sizeof(*h) + h->len;

	if (o == NULL || fd != -1 || o->cap - o->len < need)
		o = out_new(l, need > OUT_BLOCK ? need : OUT_BLOCK, fd);
	memcpy(o->data + o->len, h, sizeof(*h));
	if (h->len > 0)
		memcpy(o->data + o->len + sizeof(*h), p, h->len);
	o->len += need;
	l->queued += need;
}

void
ipc_send(struct ipc *l, enum imsg_type type, uint32_t id, const void *body,
    size_t len, int fd)
{
	const uint8_t		*p = body;
	struct frame_head	 h = { .type = type, .id = id };
	const char		*why;

	if (l == NULL || l->freed || l->broken) {
		if (fd != -1)
			close(fd);
		return;
	}
	if (imsg_check(type, l->self, l->peer, len, fd != -1, &why) == -1)
		fatalx("message %s to %s: %s (%zu bytes)", imsg_name(type),
		    proc_name(l->peer), why, len);
	do {
		h.len = len > IPC_CHUNK ? IPC_CHUNK : (uint32_t)len;
		h.flags = (fd != -1 ? IPC_FD : 0) |
		    (h.len < len ? IPC_MORE : 0);
		queue_frame(l, &h, p, fd);
		fd = -1;
		p += h.len;
		len -= h.len;
	} while (len > 0);
	if (!l->blocked)
		ev_job_set(l->job);
}

void
ipc_send_schema(struct ipc *l, enum imsg_type type, uint32_t id,
    struct schema *s, const void *obj)
{
	struct wbuf	b;

	if (l == NULL)
		return;
	wb_init(&b, 0);
	schema_encode(s, obj, &b);
	ipc_send(l, type, id, b.p, b.len, -1);
	wb_free(&b);
}

void
ipc_flush(struct ipc *l, unsigned ms)
{
	struct pollfd	pfd;
	uint64_t	until = ev_hrtime() + (uint64_t)ms * NS_PER_MS, now;

	if (l == NULL || l->freed)
		return;
	for (flush(l); l->blocked; flush(l)) {
		if ((now = ev_hrtime()) >= until)
			break;
		pfd.fd = l->fd;
		pfd.events = POLLOUT;
		(void)poll(&pfd, 1, (int)((until - now) / NS_PER_MS) + 1);
	}
}

/* ---- receiving ---- */

static bool
on_message(const struct imsg *m, void *arg)
{
	struct ipc	*l = arg;

	l->fn(l, m, l->arg);
	return !l->freed;
}

static void
on_gone(struct ipc *l)
{
	l->gone = l->broken = true;
	l->blocked = false;
	drop_out(l);
	watch(l);
	l->fn(l, NULL, l->arg);
}

/* -1: violation, in frames.err. */
static int
take_fds(struct ipc *l, struct msghdr *mh)
{
	struct cmsghdr	*cm;
	size_t		 i, n;
	int		 fd, rc = 0;

	for (cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET ||
		    cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int),
			    sizeof(int));
			if (frames_fd(&l->frames, fd) == -1)
				rc = -1;
		}
	}
	if (mh->msg_flags & MSG_CTRUNC) {
		l->frames.err = "descriptor lost (limit of open files?)";
		rc = -1;
	}
	return rc;
}

/* One recvmsg(): 0 go on, 1 stop for now. */
static int
receive(struct ipc *l)
{
	union {
		struct cmsghdr	hdr;
		char		buf[CMSG_SPACE(FRAME_FDS * sizeof(int))];
	}		 ctl;
	uint8_t		 buf[IPC_CHUNK];
	struct iovec	 iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr	 mh = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf) };
	ssize_t		 n;
	int		 rc;

	do
		n = recvmsg(l->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		return 1;
	if (n == 0 || (n == -1 && errno == ECONNRESET)) {
		on_gone(l);
		return 1;
	}
	if (n == -1)
		fatal("link from %s: receive", proc_name(l->peer));
	rc = take_fds(l, &mh);
	if (rc == 0)
		rc = frames_feed(&l->frames, buf, (size_t)n, on_message, l);
	if (rc == -1)
		fatalx("link from %s: %s", proc_name(l->peer), l->frames.err);
	return rc == 1 || (size_t)n < sizeof(buf);
}

static void
on_io(struct ev_io *io, int fd, int events, void *arg)
{
	struct ipc	*l = arg;
	int		 i;

	(void)io;
	(void)fd;
	l->depth++;
	if (events & EV_WRITE)
		flush(l);
	if (events & EV_READ)
		for (i = 0; i < READS_PER_TURN; i++)
			if (receive(l) || l->freed || !l->reading)
				break;
	l->depth--;
	if (l->freed) {
		if (l->depth == 0)
			destroy(l);
		return;
	}
	watch(l);
}

/* ---- */

struct ipc *
ipc_new(struct ev *ev, int fd, enum proc self, enum proc peer, ipc_fn *fn,
    void *arg)
{
	struct ipc	*l = xcalloc(1, sizeof(*l));

	l->ev = ev;
	l->fd = fd;
	l->self = self;
	l->peer = peer;
	l->fn = fn;
	l->arg = arg;
	frames_init(&l->frames, self, peer);
	STAILQ_INIT(&l->out);
	l->io = ev_io_new(ev, fd, on_io, l);
	l->job = ev_job_new(ev, on_job, l);
	l->reading = true;
	watch(l);
	return l;
}

void
ipc_read(struct ipc *l, bool on)
{
	l->reading = on;
	watch(l);
}

enum proc
ipc_self(const struct ipc *l)
{
	return l->self;
}

enum proc
ipc_peer(const struct ipc *l)
{
	return l->peer;
}

size_t
ipc_queued(const struct ipc *l)
{
	return l == NULL ? 0 : l->queued;
}

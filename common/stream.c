/*
 * Buffered connections.  Reads go through a buffer on the stack;
 * only what the owner left over is kept, so that an idle connection costs no
 * buffer.  What one turn writes goes out at its end.
 */
#include <bsd/string.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/stream.h"
#include "common/util.h"
#include "common/wire.h"

#define READ_MAX	65536		/* one read */
#define LAYER_READS	16		/* of a layer in one turn */
#define IN_LIMIT	(1u << 20)	/* default of stream_limit() */
#define BUF_KEEP	4096		/* larger ones are given back */
#define FINISH_MS	5000		/* stream_finish() without a deadline */

struct stream {
	struct ev			*ev;
	struct ev_io			*io;	/* NULL: not watched any more */
	struct ev_timer			*timer;	/* made at first use */
	struct ev_job			*job;
	int				 fd;
	const struct stream_ops		*ops;
	void				*arg;
	struct sockaddr_storage		 peer;
	struct wbuf			 in, out;
	size_t				 out_off, limit;
	const char			*fail;	/* to be told by the job */
	const struct stream_layer	*layer;	/* NULL: the socket itself */
	void				*layer_arg;
	stream_fn			*secured, *on_eof;
	int				 rd_wants, wr_wants;	/* events */
	bool				 shaking;	/* rd_wants is for it */
	bool				 more;	/* may be in the layer */
	bool				 connecting, paused, redeliver;
	bool				 shut;	/* half-close when sent */
	bool				 half_closing;	/* wants wr_wants yet */
	bool				 eof;	/* was told */
	bool				 finishing, over, freed;
	unsigned			 depth;
};

static void	stream_work(void *);

static void
give_back(struct wbuf *b)
{
	if (b->cap > BUF_KEEP) {
		wb_free(b);
		wb_init(b, 0);
	} else
		wb_reset(b);
}

size_t
stream_queued(const struct stream *s)
{
	return s->out.len - s->out_off;
}

static bool
alive(const struct stream *s)
{
	return !s->over && !s->freed;
}

static bool
reading(const struct stream *s)
{
	return alive(s) && !s->paused && !s->finishing && !s->eof;
}

static void
watch(struct stream *s)
{
	int	events = 0;

	if (s->io == NULL)
		return;
	if (s->connecting)
		events = EV_WRITE;
	else if (s->shaking)
		events = s->rd_wants;
	else {
		if (reading(s))
			events |= s->rd_wants;
		if (stream_queued(s) > 0 || s->half_closing)
			events |= s->wr_wants;
	}
	ev_io_set(s->io, events);
}

static void
destroy(struct stream *s)
{
	if (s->layer != NULL)
		s->layer->free(s->layer_arg);
	wb_free(&s->in);
	wb_free(&s->out);
	free(s);
}

static void
close_fd(struct stream *s)
{
	ev_io_free(s->io);
	s->io = NULL;
	/* So that the other end can tell it from a cut line. */
	if (s->fd != -1 && s->layer != NULL && !s->shaking && !s->shut)
		(void)s->layer->finish(s->layer_arg);
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
}

void
stream_free(struct stream *s)
{
	if (s == NULL || s->freed)
		return;
	s->freed = true;
	close_fd(s);
	ev_timer_free(s->timer);
	ev_job_free(s->job);
	if (s->depth == 0)
		destroy(s);
}

static void
enter(struct stream *s)
{
	s->depth++;
}

static void
leave(struct stream *s)
{
	s->depth--;
	if (s->freed) {
		if (s->depth == 0)
			destroy(s);
	} else
		watch(s);
}

/* It is over: tells the owner, once. */
static void
end(struct stream *s, const char *why)
{
	if (s->over || s->freed)
		return;
	if (s->finishing) {
		stream_free(s);
		return;
	}
	s->over = true;
	close_fd(s);
	if (s->timer != NULL)
		ev_timer_stop(s->timer);
	s->ops->closed(s, why, s->arg);
}

/* ---- the socket, or what stands before it ---- */

static const char *
io_why(const struct stream *s)
{
	return s->layer != NULL ? s->layer->why(s->layer_arg) :
	    strerror(errno);
}

static ssize_t
io_read(struct stream *s, void *p, size_t len)
{
	ssize_t	n;

	if (s->layer != NULL)
		return s->layer->read(s->layer_arg, p, len);
	do
		n = recv(s->fd, p, len, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN ? LAYER_READ : LAYER_FAIL;
	return n;
}

static ssize_t
io_write(struct stream *s, const void *p, size_t len)
{
	ssize_t	n;

	if (s->layer != NULL)
		return s->layer->write(s->layer_arg, p, len);
	do
		n = send(s->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN || errno == ENOBUFS ? LAYER_WRITE :
		    LAYER_FAIL;
	return n;
}

/* The event that a layer waits for. */
static int
wanted(ssize_t res)
{
	return res == LAYER_WRITE ? EV_WRITE : EV_READ;
}

/* ---- out ---- */

/* Tells the peer that nothing more comes. */
static void
half_close(struct stream *s)
{
	int	n;

	if (s->layer == NULL) {
		shutdown(s->fd, SHUT_WR);
		return;
	}
	n = s->layer->finish(s->layer_arg);
	s->half_closing = n == LAYER_READ || n == LAYER_WRITE;
	if (s->half_closing)
		s->wr_wants = wanted(n);
}

static void
all_sent(struct stream *s)
{
	give_back(&s->out);
	s->out_off = 0;
	if (s->finishing) {
		half_close(s);
		shutdown(s->fd, SHUT_WR);
		s->shut = true;
		stream_free(s);
		return;
	}
	if (s->shut)
		half_close(s);
	if (s->ops->drained != NULL)
		s->ops->drained(s, s->arg);
}

static void
flush(struct stream *s)
{
	ssize_t	n;

	if (s->connecting || s->shaking)
		return;
	if (alive(s) && s->half_closing)
		half_close(s);
	while (alive(s) && stream_queued(s) > 0) {
		n = io_write(s, s->out.p + s->out_off, stream_queued(s));
		if (n == LAYER_READ || n == LAYER_WRITE) {
			s->wr_wants = wanted(n);
			return;
		}
		if (n < 0) {
			end(s, io_why(s));
			return;
		}
		s->wr_wants = EV_WRITE;
		s->out_off += (size_t)n;
		if (stream_queued(s) == 0)
			all_sent(s);
	}
}

void
stream_write(struct stream *s, const void *p, size_t n)
{
	if (!alive(s) || s->finishing || s->shut || n == 0)
		return;
	if (s->out_off > 0 && s->out_off >= s->out.len / 2) {
		s->out.len -= s->out_off;
		memmove(s->out.p, s->out.p + s->out_off, s->out.len);
		s->out_off = 0;
	}
	wb_bytes(&s->out, p, n);
	ev_job_set(s->job);
}

void
stream_user_timeout(struct stream *s, unsigned ms)
{
	if (setsockopt(s->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
	    sizeof(ms)) == -1)
		log_debug("stream: no user timeout: %s", strerror(errno));
}

void
stream_shutdown(struct stream *s)
{
	if (!alive(s) || s->shut)
		return;
	s->shut = true;
	if (stream_queued(s) == 0 && !s->connecting && !s->shaking) {
		half_close(s);
		watch(s);
	}
}

void
stream_finish(struct stream *s)
{
	if (!alive(s) || s->fail != NULL || stream_queued(s) == 0) {
		stream_free(s);
		return;
	}
	s->finishing = true;
	if (s->timer == NULL || !ev_timer_pending(s->timer))
		stream_deadline(s, FINISH_MS);
	ev_job_set(s->job);
}

/* ---- in ---- */

/* Offers p; how many bytes were taken.  The stream may be gone after it. */
static size_t
offer(struct stream *s, const uint8_t *p, size_t n)
{
	size_t	took, off = 0;

	while (off < n && alive(s) && !s->paused && !s->finishing) {
		took = s->ops->data(s, p + off, n - off, s->arg);
		if (took > n - off)
			fatalx("stream: %zu of %zu bytes taken", took, n - off);
		if (took == 0)
			break;
		off += took;
	}
	return off;
}

/*
 * The bytes that were left over, with new ones behind them.  They are moved
 * out of the stream meanwhile, for the owner may free it.
 */
static void
offer_kept(struct stream *s)
{
	struct wbuf	b = s->in;
	size_t		off;

	wb_init(&s->in, 0);
	off = offer(s, b.p, b.len);
	if (!alive(s)) {
		wb_free(&b);
		return;
	}
	/* A message that is not whole yet stays where it is. */
	if (off > 0) {
		b.len -= off;
		memmove(b.p, b.p + off, b.len);
	}
	s->in = b;
	if (s->in.len == 0)
		give_back(&s->in);
	else if (s->in.len >= s->limit && !s->paused)
		end(s, "message too long");
}

static void
got(struct stream *s, const uint8_t *p, size_t n)
{
	size_t	off;

	if (s->in.len > 0) {
		wb_bytes(&s->in, p, n);
		offer_kept(s);
		return;
	}
	off = offer(s, p, n);
	if (!alive(s) || off == n)
		return;
	wb_bytes(&s->in, p + off, n - off);
	if (s->in.len >= s->limit && !s->paused)
		end(s, "message too long");
}

/* Nothing came: the end of it, or of what there is for now. */
static void
read_ended(struct stream *s, ssize_t res)
{
	if (res == LAYER_READ || res == LAYER_WRITE)
		s->rd_wants = wanted(res);
	else if (res < 0)
		end(s, io_why(s));
	else if (s->on_eof == NULL)
		end(s, NULL);
	else {
		s->eof = true;
		s->on_eof(s, s->arg);
	}
}

/*
 * What a layer holds already makes no event, so it is asked until it has no
 * more; after a while the others' turn comes first.
 */
static void
read_some(struct stream *s)
{
	uint8_t	buf[READ_MAX];
	size_t	room;
	ssize_t	n;
	int	i, times = s->layer != NULL ? LAYER_READS : 1;

	for (i = 0; i < times && reading(s); i++) {
		room = s->limit > s->in.len ? s->limit - s->in.len : 1;
		n = io_read(s, buf, room < sizeof(buf) ? room : sizeof(buf));
		if (n <= 0) {
			read_ended(s, n);
			return;
		}
		s->rd_wants = EV_READ;
		got(s, buf, (size_t)n);
	}
	if (alive(s) && s->layer != NULL && !s->shaking) {
		s->more = true;
		ev_job_set(s->job);
	}
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
	watch(s);
}

void
stream_resume(struct stream *s)
{
	if (!s->paused || !alive(s))
		return;
	s->paused = false;
	if (s->in.len > 0)
		s->redeliver = true;
	if (s->in.len > 0 || s->more)
		ev_job_set(s->job);
	watch(s);
}

void
stream_unread(struct stream *s, const void *p, size_t n)
{
	wb_bytes(&s->in, p, n);
	s->redeliver = true;
	ev_job_set(s->job);
}

void
stream_limit(struct stream *s, size_t n)
{
	s->limit = n > 0 ? n : IN_LIMIT;
}

/* ---- life ---- */

static void
finish_connect(struct stream *s)
{
	socklen_t	len = sizeof(int);
	int		err = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	if (err != 0) {
		end(s, strerror(err));
		return;
	}
	s->connecting = false;
	if (s->timer != NULL)
		ev_timer_stop(s->timer);
	if (s->ops->connected != NULL && !s->finishing)
		s->ops->connected(s, s->arg);
	if (alive(s) && s->shut && stream_queued(s) == 0 && !s->shaking)
		half_close(s);
}

static void
handshake(struct stream *s)
{
	int	n = s->layer->handshake(s->layer_arg);

	if (n == LAYER_READ || n == LAYER_WRITE) {
		s->rd_wants = wanted(n);
		return;
	}
	if (n < 0) {
		end(s, io_why(s));
		return;
	}
	s->shaking = false;
	s->rd_wants = EV_READ;
	if (!s->finishing)
		s->secured(s, s->arg);
	if (!alive(s))
		return;
	if (s->shut && stream_queued(s) == 0)
		half_close(s);
	/* Bytes may have come with the end of the handshake. */
	s->more = true;
	ev_job_set(s->job);
}

static void
on_io(struct ev_io *io, int fd, int events, void *arg)
{
	struct stream	*s = arg;

	(void)io;
	(void)fd;
	enter(s);
	if (s->connecting)
		finish_connect(s);
	else if (s->shaking)
		handshake(s);
	else if ((events & s->rd_wants) && reading(s))
		read_some(s);
	if (alive(s) && (events & s->wr_wants))
		flush(s);
	leave(s);
}

/* The job: what was put off to the end of the turn. */
static void
stream_work(void *arg)
{
	struct stream	*s = arg;

	enter(s);
	if (s->fail != NULL)
		end(s, s->fail);
	if (alive(s) && s->shaking && !s->connecting)
		handshake(s);
	if (alive(s) && s->redeliver && !s->paused) {
		s->redeliver = false;
		offer_kept(s);
	}
	if (s->more && !s->shaking && reading(s)) {
		s->more = false;
		read_some(s);
	}
	flush(s);
	leave(s);
}

static void
on_deadline(void *arg)
{
	struct stream	*s = arg;

	enter(s);
	end(s, "timed out");
	leave(s);
}

void
stream_deadline(struct stream *s, uint64_t ms)
{
	if (!alive(s))
		return;
	if (s->timer == NULL)
		s->timer = ev_timer_new(s->ev, on_deadline, s);
	if (ms == 0)
		ev_timer_stop(s->timer);
	else
		ev_timer_set(s->timer, ms);
}

static struct stream *
new_stream(struct ev *ev, int fd, const struct stream_ops *ops, void *arg)
{
	struct stream	*s = xcalloc(1, sizeof(*s));
	int		 one = 1;

	s->ev = ev;
	s->fd = fd;
	s->ops = ops;
	s->arg = arg;
	s->limit = IN_LIMIT;
	s->rd_wants = EV_READ;
	s->wr_wants = EV_WRITE;
	wb_init(&s->in, 0);
	wb_init(&s->out, 0);
	s->job = ev_job_new(ev, stream_work, s);
	if (fd != -1) {
		s->io = ev_io_new(ev, fd, on_io, s);
		/* On a Unix socket it fails, and is not needed. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
	}
	return s;
}

struct stream *
stream_new(struct ev *ev, int fd, const struct stream_ops *ops, void *arg)
{
	struct stream	*s = new_stream(ev, fd, ops, arg);
	socklen_t	 len = sizeof(s->peer);

	if (getpeername(fd, (struct sockaddr *)&s->peer, &len) == -1)
		memset(&s->peer, 0, sizeof(s->peer));
	watch(s);
	return s;
}

/* NULL, or what failed at once. */
static const char *
begin_connect(int fd, const struct sockaddr *sa, socklen_t len,
    const struct sockaddr *local, socklen_t local_len)
{
	if (fd == -1)
		return strerror(errno);
	if (local != NULL && bind(fd, local, local_len) == -1)
		return strerror(errno);
	if (connect(fd, sa, len) == -1 && errno != EINPROGRESS)
		return strerror(errno);
	return NULL;
}

struct stream *
stream_connect(struct ev *ev, const struct sockaddr *sa, socklen_t len,
    const struct sockaddr *local, socklen_t local_len, unsigned timeout_ms,
    const struct stream_ops *ops, void *arg)
{
	struct stream	*s;
	const char	*fail;
	int		 fd;

	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	fail = begin_connect(fd, sa, len, local, local_len);
	s = new_stream(ev, fd, ops, arg);
	if (len <= sizeof(s->peer))
		memcpy(&s->peer, sa, len);
	s->connecting = true;
	if (fail != NULL) {
		s->fail = fail;
		ev_job_set(s->job);
		return s;
	}
	if (timeout_ms != 0)
		stream_deadline(s, timeout_ms);
	watch(s);
	return s;
}

const struct sockaddr_storage *
stream_peer(const struct stream *s)
{
	return &s->peer;
}

/* ---- changing hands ---- */

void
stream_secure(struct stream *s, const struct stream_layer *layer, void *arg,
    stream_fn *secured)
{
	if (!alive(s) || s->layer != NULL || stream_queued(s) > 0 ||
	    s->in.len > 0)
		fatalx("stream: no layer can be put in here");
	s->layer = layer;
	s->layer_arg = arg;
	s->secured = secured;
	s->shaking = true;
	layer->attach(arg, s->fd);
	ev_job_set(s->job);
}

void
stream_on_eof(struct stream *s, stream_fn *fn)
{
	s->on_eof = fn;
}

bool
stream_is_secure(const struct stream *s)
{
	return s->layer != NULL;
}

void *
stream_layer(struct stream *s)
{
	return s->layer_arg;
}

void
stream_set_ops(struct stream *s, const struct stream_ops *ops, void *arg)
{
	s->ops = ops;
	s->arg = arg;
}

int
stream_detach(struct stream *s)
{
	int	fd = s->fd;

	if (!alive(s) || s->layer != NULL || stream_queued(s) > 0 ||
	    s->in.len > 0 || fd == -1)
		fatalx("stream: its socket cannot be given away");
	ev_io_free(s->io);
	s->io = NULL;
	s->fd = -1;
	stream_free(s);
	return fd;
}

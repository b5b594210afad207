/*
 * Frames to messages.  Pure; the bytes come from our own processes, but are
 * checked as if they did not.
 */
#include <string.h>
#include <unistd.h>

#include "common/frame.h"
#include "common/util.h"

/* A buffer that grew beyond this for one large message is given back. */
#define FRAME_KEEP 4096

void
frames_init(struct frames *f, enum proc self, enum proc peer)
{
	memset(f, 0, sizeof(*f));
	f->self = self;
	f->peer = peer;
	f->chunk_fd = -1;
	wb_init(&f->in, 0);
	wb_init(&f->body, 0);
}

void
frames_clear(struct frames *f)
{
	while (f->nfds > 0)
		close(f->fds[--f->nfds]);
	if (f->chunk_fd != -1)
		close(f->chunk_fd);
	f->chunk_fd = -1;
	wb_free(&f->in);
	wb_free(&f->body);
}

static int
bad(struct frames *f, const char *why)
{
	f->err = why;
	return -1;
}

int
frames_fd(struct frames *f, int fd)
{
	if (f->nfds == FRAME_FDS) {
		close(fd);
		return bad(f, "too many descriptors");
	}
	f->fds[f->nfds++] = fd;
	return 0;
}

static int
take_fd(struct frames *f)
{
	int	fd = f->fds[0];

	memmove(f->fds, f->fds + 1, --f->nfds * sizeof(f->fds[0]));
	return fd;
}

static void
give_back(struct wbuf *b)
{
	if (b->cap > FRAME_KEEP) {
		wb_free(b);
		wb_init(b, 0);
	} else
		wb_reset(b);
}

/* What a header alone can be refused for. */
static int
check_head(struct frames *f, const struct frame_head *h)
{
	size_t	 len = h->len;
	const char *why;

	if (h->len > IPC_CHUNK)
		return bad(f, "frame too long");
	if ((h->flags & ~(uint32_t)(IPC_MORE | IPC_FD)) != 0)
		return bad(f, "unknown frame flag");
	if (h->type >= IMSG_MAX_)
		return bad(f, "unknown message type");
	if (f->chunked) {
		if (h->type != f->first.type || h->id != f->first.id)
			return bad(f, "message inside another");
		if (h->flags & IPC_FD)
			return bad(f, "descriptor inside a message");
		len += f->body.len;
	}
	if ((h->flags & IPC_MORE) && h->len == 0)
		return bad(f, "empty chunk");
	/* With more to come, only "too long" and "not allowed" can be said. */
	if (h->flags & IPC_MORE)
		len++;
	if (imsg_check((enum imsg_type)h->type, f->peer, f->self, len,
	    f->chunked ? f->chunk_fd != -1 : (h->flags & IPC_FD) != 0,
	    &why) == -1 && !((h->flags & IPC_MORE) && strcmp(why,
	    IMSG_TOO_SHORT) == 0))
		return bad(f, why);
	return 0;
}

/* A whole frame with a good header: -1, 0, 1 as frames_feed(). */
static int
on_frame(struct frames *f, const struct frame_head *h, const uint8_t *p,
    frame_fn *fn, void *arg)
{
	struct imsg	m = { .type = (enum imsg_type)h->type, .id = h->id,
			    .body = p, .len = h->len, .fd = -1 };

	if (h->flags & IPC_FD) {
		if (f->nfds == 0)
			return bad(f, "descriptor missing");
		m.fd = take_fd(f);
	}
	if (!f->chunked && (h->flags & IPC_MORE) == 0)
		return fn(&m, arg) ? 0 : 1;

	if (!f->chunked) {
		f->chunked = true;
		f->first = *h;
		f->chunk_fd = m.fd;
	}
	wb_bytes(&f->body, p, h->len);
	if (h->flags & IPC_MORE)
		return 0;
	m.body = f->body.p;
	m.len = f->body.len;
	m.fd = f->chunk_fd;
	f->chunk_fd = -1;
	f->chunked = false;
	if (!fn(&m, arg))
		return 1;
	give_back(&f->body);
	return 0;
}

/* Whole frames at the front of p; how many bytes they took in *used. */
static int
feed_frames(struct frames *f, const uint8_t *p, size_t n, size_t *used,
    frame_fn *fn, void *arg)
{
	struct frame_head	h;
	size_t			off = 0;
	int			rc = 0;

	while (n - off >= sizeof(h)) {
		memcpy(&h, p + off, sizeof(h));
		if ((rc = check_head(f, &h)) != 0)
			return rc;
		if (n - off - sizeof(h) < h.len)
			break;
		rc = on_frame(f, &h, p + off + sizeof(h), fn, arg);
		if (rc != 0)
			return rc;
		off += sizeof(h) + h.len;
	}
	*used = off;
	return 0;
}

int
frames_feed(struct frames *f, const uint8_t *p, size_t n, frame_fn *fn,
    void *arg)
{
	size_t	used = 0;
	int	rc;

	if (f->in.len == 0) {
		if ((rc = feed_frames(f, p, n, &used, fn, arg)) != 0)
			return rc;
		wb_bytes(&f->in, p + used, n - used);
	} else {
		wb_bytes(&f->in, p, n);
		rc = feed_frames(f, f->in.p, f->in.len, &used, fn, arg);
		if (rc != 0)
			return rc;
		memmove(f->in.p, f->in.p + used, f->in.len - used);
		f->in.len -= used;
	}
	if (f->in.len == 0) {
		give_back(&f->in);
		if (f->nfds > 0)
			return bad(f, "descriptor without a frame");
	}
	return 0;
}

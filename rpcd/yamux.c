/*
 * yamux sessions and streams.  Owns framing, ids, credit and the state of each
 * stream; leaves the connection, time and what the bytes mean to others.
 */
#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "common/wire.h"
#include "rpcd/yamux.h"

/*
 * Streams that were closed here and whose peer has not closed yet.  Past it
 * the next one is reset, so that a peer that never closes costs no memory.
 */
#define LINGER_MAX 1024

struct yamux_stream {
	RB_ENTRY(yamux_stream)	 entry;
	struct yamux		*y;
	void			*ctx;
	uint32_t		 id;
	uint32_t		 send_credit;
	uint32_t		 recv_credit;	/* that the peer still has */
	uint32_t		 unread;	/* delivered, not consumed */
	bool			 accepted;	/* by us, if the peer opened */
	bool			 acked;		/* by the peer, if we did */
	bool			 ours;
	bool			 fin_in, fin_out;
	bool			 closed;	/* the handle was given up */
	struct wbuf		 queue;		/* beyond the credit */
	size_t			 sent;		/* of queue */
};
RB_HEAD(stream_tree, yamux_stream);

struct yamux {
	const struct yamux_ops	*ops;
	void			*arg;
	struct stream_tree	 streams;
	size_t			 nstreams;
	size_t			 nwaiting;	/* not accepted by us */
	size_t			 nunacked;	/* not accepted by the peer */
	size_t			 nlinger;
	size_t			 pending;
	uint64_t		 replies;
	uint32_t		 next_id;	/* 0: spent */
	bool			 client;
	bool			 go_away_in, go_away_out;
	const char		*err;
	struct wbuf		 out;

	uint8_t			 header[YAMUX_HEADER];
	size_t			 header_len;
	struct yamux_frame	 frame;		/* whose payload is read */
	uint32_t		 left;		/* of its payload */
	bool			 in_payload;
	bool			 unwanted;	/* payload of nobody's stream */
};

static int
stream_cmp(const struct yamux_stream *a, const struct yamux_stream *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}
RB_GENERATE_INTERNAL(stream_tree, yamux_stream, entry, stream_cmp,
    __attribute__((unused)) static)

/* ---- frames ---- */

void
yamux_frame_read(struct yamux_frame *f, const uint8_t h[YAMUX_HEADER])
{
	struct rbuf	 r;

	rb_init(&r, h, YAMUX_HEADER);
	f->version = rb_u8(&r);
	f->type = rb_u8(&r);
	f->flags = rb_u16(&r);
	f->id = rb_u32(&r);
	f->len = rb_u32(&r);
}

void
yamux_frame_write(const struct yamux_frame *f, uint8_t h[YAMUX_HEADER])
{
	h[0] = f->version;
	h[1] = f->type;
	h[2] = f->flags >> 8;
	h[3] = f->flags & 0xff;
	h[4] = f->id >> 24;
	h[5] = f->id >> 16 & 0xff;
	h[6] = f->id >> 8 & 0xff;
	h[7] = f->id & 0xff;
	h[8] = f->len >> 24;
	h[9] = f->len >> 16 & 0xff;
	h[10] = f->len >> 8 & 0xff;
	h[11] = f->len & 0xff;
}

static void
put_frame(struct yamux *y, enum yamux_type type, uint16_t flags, uint32_t id,
    uint32_t len)
{
	struct yamux_frame	 f = { 0, type, flags, id, len };
	uint8_t			 h[YAMUX_HEADER];

	if (y->err != NULL)
		return;
	yamux_frame_write(&f, h);
	wb_bytes(&y->out, h, sizeof(h));
}

/* ---- life of a session ---- */

struct yamux *
yamux_new(bool client, const struct yamux_ops *ops, void *arg)
{
	struct yamux	*y = xcalloc(1, sizeof(*y));

	y->ops = ops;
	y->arg = arg;
	y->client = client;
	y->next_id = client ? 1 : 2;
	RB_INIT(&y->streams);
	wb_init(&y->out, 0);
	return y;
}

static struct yamux_stream *
stream_find(struct yamux *y, uint32_t id)
{
	struct yamux_stream	 key = { .id = id };

	return RB_FIND(stream_tree, &y->streams, &key);
}

static struct yamux_stream *
stream_make(struct yamux *y, uint32_t id)
{
	struct yamux_stream	*s = xcalloc(1, sizeof(*s));

	s->y = y;
	s->id = id;
	s->send_credit = s->recv_credit = YAMUX_WINDOW;
	wb_init(&s->queue, 0);
	RB_INSERT(stream_tree, &y->streams, s);
	y->nstreams++;
	return s;
}

static void
stream_drop(struct yamux_stream *s)
{
	struct yamux	*y = s->y;

	y->pending -= s->queue.len - s->sent;
	if (s->closed)
		y->nlinger--;
	if (s->ours && !s->acked)
		y->nunacked--;
	if (!s->ours && !s->accepted)
		y->nwaiting--;
	RB_REMOVE(stream_tree, &y->streams, s);
	y->nstreams--;
	wb_free(&s->queue);
	free(s);
}

void
yamux_free(struct yamux *y)
{
	struct yamux_stream	*s, *next;

	if (y == NULL)
		return;
	RB_FOREACH_SAFE(s, stream_tree, &y->streams, next)
		stream_drop(s);
	wb_free(&y->out);
	free(y);
}

static void
session_end(struct yamux *y, uint32_t reason, const char *why)
{
	if (y->err != NULL)
		return;
	put_frame(y, YAMUX_GOAWAY, 0, 0, reason);
	y->err = why;
}

static void
protocol_error(struct yamux *y, const char *why)
{
	session_end(y, YAMUX_GOAWAY_PROTOCOL, why);
}

void
yamux_fail(struct yamux *y, const char *why)
{
	session_end(y, YAMUX_GOAWAY_INTERNAL, why);
}

const char *
yamux_error(const struct yamux *y)
{
	return y->err;
}

const uint8_t *
yamux_output(struct yamux *y, size_t *len)
{
	*len = y->out.len;
	return y->out.p;
}

void
yamux_written(struct yamux *y)
{
	/* A big answer must not keep its memory for the session's life. */
	if (y->out.cap > 65536)
		wb_free(&y->out);
	wb_reset(&y->out);
}

/* ---- sending ---- */

/* Sends what credit allows, then the FIN that waited for it. */
static void
stream_flush(struct yamux_stream *s)
{
	struct yamux	*y = s->y;
	size_t		 n = s->queue.len - s->sent;

	if (n > s->send_credit)
		n = s->send_credit;
	if (n > 0) {
		put_frame(y, YAMUX_DATA, 0, s->id, (uint32_t)n);
		if (y->err == NULL)
			wb_bytes(&y->out, s->queue.p + s->sent, n);
		s->send_credit -= (uint32_t)n;
		s->sent += n;
		y->pending -= n;
	}
	if (s->sent < s->queue.len)
		return;
	if (s->queue.len > 0) {
		wb_free(&s->queue);
		wb_init(&s->queue, 0);
		s->sent = 0;
	}
	if (s->closed && !s->fin_out) {
		s->fin_out = true;
		put_frame(y, YAMUX_UPDATE, YAMUX_FIN, s->id, 0);
	}
}

struct yamux_stream *
yamux_open(struct yamux *y, void *ctx)
{
	struct yamux_stream	*s;

	if (yamux_ending(y) || yamux_busy(y))
		return NULL;
	s = stream_make(y, y->next_id);
	y->next_id = y->next_id > YAMUX_ID_MAX - 2 ? 0 : y->next_id + 2;
	s->ctx = ctx;
	s->ours = s->accepted = true;
	y->nunacked++;
	put_frame(y, YAMUX_UPDATE, YAMUX_SYN, s->id, 0);
	return s;
}

bool
yamux_busy(const struct yamux *y)
{
	return y->nunacked >= YAMUX_BACKLOG;
}

bool
yamux_ending(const struct yamux *y)
{
	return y->err != NULL || y->go_away_in || y->next_id == 0;
}

void
yamux_accept(struct yamux_stream *s, void *ctx)
{
	s->ctx = ctx;
	if (s->accepted)
		return;
	s->accepted = true;
	s->y->nwaiting--;
	put_frame(s->y, YAMUX_UPDATE, YAMUX_ACK, s->id, 0);
}

void
yamux_send(struct yamux_stream *s, const void *p, size_t n)
{
	wb_bytes(&s->queue, p, n);
	s->y->pending += n;
	stream_flush(s);
}

void
yamux_consumed(struct yamux_stream *s, size_t n)
{
	uint32_t	 grant;

	s->unread -= n > s->unread ? s->unread : (uint32_t)n;
	grant = YAMUX_WINDOW - s->unread - s->recv_credit;
	if (grant < YAMUX_WINDOW / 2 || s->fin_in)
		return;
	s->recv_credit += grant;
	s->y->replies++;
	put_frame(s->y, YAMUX_UPDATE, 0, s->id, grant);
}

void
yamux_close(struct yamux_stream *s)
{
	struct yamux	*y = s->y;

	s->closed = true;
	y->nlinger++;
	stream_flush(s);
	if (s->fin_in && s->fin_out)
		stream_drop(s);
	else if (y->nlinger > LINGER_MAX)
		yamux_reset(s);
}

void
yamux_reset(struct yamux_stream *s)
{
	put_frame(s->y, YAMUX_UPDATE, YAMUX_RST, s->id, 0);
	stream_drop(s);
}

void
yamux_ping(struct yamux *y, uint32_t value)
{
	put_frame(y, YAMUX_PING, YAMUX_SYN, 0, value);
}

void
yamux_go_away(struct yamux *y, uint32_t reason)
{
	y->go_away_out = true;
	put_frame(y, YAMUX_GOAWAY, 0, 0, reason);
}

/* ---- receiving ---- */

/* A SYN: the new stream, or NULL when it was refused. */
static struct yamux_stream *
on_syn(struct yamux *y, uint32_t id)
{
	struct yamux_stream	*s;

	if (id == 0 || stream_find(y, id) != NULL) {
		protocol_error(y, "SYN for a stream that exists");
		return NULL;
	}
	if (y->ops->opened == NULL || y->go_away_out ||
	    y->nwaiting >= YAMUX_BACKLOG) {
		y->replies++;
		put_frame(y, YAMUX_UPDATE, YAMUX_RST, id, 0);
		return NULL;
	}
	s = stream_make(y, id);
	y->nwaiting++;
	y->replies++;
	y->ops->opened(s, y->arg);
	return stream_find(y, id);
}

static void
on_reset(struct yamux *y, struct yamux_stream *s)
{
	if (!s->closed)
		y->ops->reset(s, y->arg);
	stream_drop(s);
}

static void
on_fin(struct yamux *y, struct yamux_stream *s)
{
	if (s->fin_in) {
		protocol_error(y, "second FIN on a stream");
		return;
	}
	s->fin_in = true;
	if (!s->closed)
		y->ops->fin(s, y->arg);
	else if (s->fin_out)
		stream_drop(s);
}

static void
on_ack(struct yamux *y, struct yamux_stream *s)
{
	if (!s->ours || s->acked)
		return;
	s->acked = true;
	y->nunacked--;
	if (y->ops->acked != NULL)
		y->ops->acked(y->arg);
}

/* The stream a frame is about, after its SYN, ACK and RST; NULL: nobody's. */
static struct yamux_stream *
frame_stream(struct yamux *y, const struct yamux_frame *f)
{
	struct yamux_stream	*s;

	if (f->flags & YAMUX_SYN)
		s = on_syn(y, f->id);
	else
		s = stream_find(y, f->id);
	if (s != NULL && f->flags & YAMUX_ACK) {
		on_ack(y, s);
		s = stream_find(y, f->id);
	}
	if (s != NULL && f->flags & YAMUX_RST) {
		on_reset(y, s);
		s = NULL;
	}
	return s;
}

static void
on_update(struct yamux *y, const struct yamux_frame *f)
{
	struct yamux_stream	*s = frame_stream(y, f);

	if (s == NULL || y->err != NULL)
		return;
	if (f->len > UINT32_MAX - s->send_credit)
		s->send_credit = UINT32_MAX;
	else
		s->send_credit += f->len;
	stream_flush(s);
	if (f->flags & YAMUX_FIN)
		on_fin(y, s);
	else if (s->closed && s->fin_in && s->fin_out)
		stream_drop(s);
}

static void
on_data(struct yamux *y, const struct yamux_frame *f)
{
	struct yamux_stream	*s = frame_stream(y, f);

	y->left = f->len;
	y->in_payload = true;
	y->unwanted = s == NULL;
	if (s == NULL || y->err != NULL)
		return;
	if (s->fin_in && f->len > 0)
		protocol_error(y, "data after FIN");
	else if (f->len > s->recv_credit)
		protocol_error(y, "receive window exceeded");
	else
		s->recv_credit -= f->len;
}

static void
on_ping(struct yamux *y, const struct yamux_frame *f)
{
	if (f->flags & YAMUX_SYN) {
		y->replies++;
		put_frame(y, YAMUX_PING, YAMUX_ACK, 0, f->len);
	} else if (f->flags & YAMUX_ACK && y->ops->pong != NULL)
		y->ops->pong(f->len, y->arg);
}

static void
on_go_away(struct yamux *y, const struct yamux_frame *f)
{
	switch (f->len) {
	case YAMUX_GOAWAY_NORMAL:
		y->go_away_in = true;
		break;
	case YAMUX_GOAWAY_PROTOCOL:
		y->err = "peer reports a protocol error";
		break;
	case YAMUX_GOAWAY_INTERNAL:
		y->err = "peer reports an internal error";
		break;
	default:
		y->err = "peer says go-away for an unknown reason";
		break;
	}
}

static void
on_frame(struct yamux *y)
{
	struct yamux_frame	*f = &y->frame;

	yamux_frame_read(f, y->header);
	if (f->version != 0) {
		protocol_error(y, "unknown yamux version");
		return;
	}
	switch (f->type) {
	case YAMUX_DATA:
		on_data(y, f);
		break;
	case YAMUX_UPDATE:
		on_update(y, f);
		break;
	case YAMUX_PING:
		on_ping(y, f);
		break;
	case YAMUX_GOAWAY:
		on_go_away(y, f);
		break;
	default:
		protocol_error(y, "unknown frame type");
		break;
	}
}

/*
 * Part of a data frame.  The stream is looked up again each time: a callback
 * may have ended it since.
 */
static void
on_payload(struct yamux *y, const uint8_t *p, size_t n)
{
	struct yamux_stream	*s;

	if (y->unwanted || (s = stream_find(y, y->frame.id)) == NULL)
		return;
	s->unread += (uint32_t)n;
	if (s->closed)
		/* Nobody reads it, but its sender must get to its FIN. */
		yamux_consumed(s, n);
	else
		y->ops->data(s, p, n, y->arg);
}

static void
payload_end(struct yamux *y)
{
	struct yamux_stream	*s;

	y->in_payload = false;
	if ((y->frame.flags & YAMUX_FIN) == 0 || y->unwanted)
		return;
	if ((s = stream_find(y, y->frame.id)) != NULL)
		on_fin(y, s);
}

int
yamux_input(struct yamux *y, const uint8_t *p, size_t n)
{
	size_t	 k;

	while (y->err == NULL && (n > 0 || (y->in_payload && y->left == 0))) {
		if (y->in_payload) {
			k = n < y->left ? n : y->left;
			if (k > 0)
				on_payload(y, p, k);
			y->left -= (uint32_t)k;
			if (y->left == 0 && y->err == NULL)
				payload_end(y);
		} else {
			k = YAMUX_HEADER - y->header_len;
			if (k > n)
				k = n;
			memcpy(y->header + y->header_len, p, k);
			y->header_len += k;
			if (y->header_len == YAMUX_HEADER) {
				y->header_len = 0;
				on_frame(y);
			}
		}
		p += k;
		n -= k;
	}
	return y->err == NULL ? 0 : -1;
}

/* ---- looking ---- */

void *
yamux_ctx(const struct yamux_stream *s)
{
	return s->ctx;
}

uint32_t
yamux_id(const struct yamux_stream *s)
{
	return s->id;
}

size_t
yamux_nstreams(const struct yamux *y)
{
	return y->nstreams;
}

size_t
yamux_pending(const struct yamux *y)
{
	return y->pending;
}

uint64_t
yamux_replies(const struct yamux *y)
{
	return y->replies;
}

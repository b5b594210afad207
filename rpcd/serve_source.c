/*
 * The server's side of RPC: requests and answers.
 *
 * Happy path: requests come one at a time on each stream, each is answered by
 * catalogd; the next request of a stream is read when its answer is out.
 *
 * Failures: a malformed message resets its stream; an unknown method is
 * answered, then the stream closed; an address that has more than its share of
 * the calls that catalogd takes is refused; while catalogd is away requests
 * wait HOLD_MS, then say "No cluster leader", which makes agents try again;
 * what catalogd took with it when it died has an unknown outcome, so the stream
 * ends without an answer.  RST or the end of a connection cancels its calls;
 * FIN does not, for a half-closed peer still reads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "rpcd/serve_i.h"

#define HOLD_MS		2000
#define FINISH_MS	5000

/* ---- sources ---- */

static void
source_hold_end(struct source *src)
{
	if (!src->is_held)
		return;
	TAILQ_REMOVE(&src->client->serve->held, src, held);
	src->is_held = false;
}

/* Its call is none of those that are open any more. */
static void
uncount(struct source *src)
{
	if (src->counted)
		peer_call_end(src->client->serve->peers, src->client->peer);
	src->counted = false;
}

struct source *
source_new(struct client *c, struct yamux_stream *stream)
{
	struct source	*src = xcalloc(1, sizeof(*src));

	src->client = c;
	src->stream = stream;
	rpc_reader_init(&src->reader);
	wb_init(&src->ahead, 0);
	TAILQ_INSERT_TAIL(&c->sources, src, entry);
	c->nsources++;
	return src;
}

void
source_free(struct source *src)
{
	struct client	*c = src->client;

	source_hold_end(src);
	if (src->call != NULL)
		call_cancel(src->call);
	uncount(src);
	c->buffered -= src->reader.buf.len + src->ahead.len - src->ahead_off;
	rpc_reader_clear(&src->reader);
	wb_free(&src->ahead);
	rpc_header_clear(&src->header);
	TAILQ_REMOVE(&c->sources, src, entry);
	c->nsources--;
	if (c->plain == src)
		c->plain = NULL;
	free(src);
}

static void
source_write(struct source *src, const void *p, size_t n)
{
	if (src->stream != NULL)
		yamux_send(src->stream, p, n);
	else
		stream_write(src->client->stream, p, n);
}

/* The connection's bytes have to go, unless a callback of it does that. */
static void
source_flush(struct source *src)
{
	struct client	*c = src->client;

	if (c->mux != NULL)
		mux_flush(c->mux);
	client_account(c);
}

/*
 * FIN: no more is read or answered here.  Of a plain connection it is the end;
 * what was written still goes out.
 */
void
source_close(struct source *src)
{
	struct client	*c = src->client;

	if (src->stream != NULL) {
		yamux_close(src->stream);
		source_free(src);
		if (c->mux != NULL)
			mux_flush(c->mux);
		return;
	}
	stream_deadline(c->stream, FINISH_MS);
	stream_finish(c->stream);
	c->stream = NULL;
	client_drop(c);
}

/* ---- reading ---- */

/*
 * Keeps bytes of a stream for later: uncredited, so it is a window at most.
 * One that always has a request ahead never lets it run empty, so what was
 * read makes room here.
 */
static void
source_keep(struct source *src, const uint8_t *p, size_t n)
{
	struct wbuf	*b = &src->ahead;

	if (src->ahead_off > b->len / 2) {
		b->len -= src->ahead_off;
		memmove(b->p, b->p + src->ahead_off, b->len);
		src->ahead_off = 0;
	}
	wb_bytes(b, p, n);
	src->client->buffered += n;
}

static enum rpc_result
source_feed(struct source *src, const uint8_t *p, size_t n, size_t *used)
{
	enum rpc_result	 res;

	res = rpc_reader_feed(&src->reader, p, n, used);
	src->client->buffered += *used;
	/* Given back while the message is only partly read. */
	yamux_consumed(src->stream, *used);
	return res;
}

static void
source_malformed(struct source *src)
{
	client_log(src->client, "malformed request");
	yamux_reset(src->stream);
	source_free(src);
}

void
source_data(struct source *src, const uint8_t *p, size_t n)
{
	enum rpc_result	 res;
	size_t		 used;

	if (src->busy) {
		source_keep(src, p, n);
		return;
	}
	res = source_feed(src, p, n, &used);
	if (res == RPC_BAD)
		source_malformed(src);
	else if (res == RPC_MESSAGE) {
		source_keep(src, p + used, n - used);
		source_request(src);
	}
}

/* The answer is out: what came meanwhile begins the next request. */
static void
source_next(struct source *src)
{
	enum rpc_result	 res = RPC_MORE;
	size_t		 used = 0;

	src->busy = false;
	rpc_header_clear(&src->header);
	if (src->stream == NULL) {
		stream_resume(src->client->stream);
		return;
	}
	if (src->ahead.len > 0) {
		res = source_feed(src, src->ahead.p + src->ahead_off,
		    src->ahead.len - src->ahead_off, &used);
		src->ahead_off += used;
		src->client->buffered -= used;
		if (src->ahead_off == src->ahead.len) {
			wb_free(&src->ahead);
			wb_init(&src->ahead, 0);
			src->ahead_off = 0;
		}
	}
	if (res == RPC_BAD)
		source_malformed(src);
	else if (res == RPC_MESSAGE)
		source_request(src);
	else if (src->fin)
		source_close(src);
}

/* ---- answers ---- */

static void
source_answer(struct source *src, const char *error, const uint8_t *body,
    size_t len)
{
	static const uint8_t	 empty = 0x80;
	struct wbuf		 w;

	wb_init(&w, 0);
	rpc_put_answer(&w, src->header.seq, src->header.method,
	    str_or(error, ""));
	/* One object follows in any case. */
	if (error != NULL || len == 0)
		wb_bytes(&w, &empty, 1);
	else
		wb_bytes(&w, body, len);
	source_write(src, w.p, w.len);
	wb_free(&w);
	source_flush(src);
	if (error != NULL && rpc_error_closes(error))
		source_close(src);
	else
		source_next(src);
}

static const char busy[] = "RPC rate limit exceeded";

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct source	*src = arg;

	src->call = NULL;
	uncount(src);
	switch (status) {
	case CALL_OK:
		source_answer(src, NULL, body, len);
		break;
	case CALL_ERROR:
		source_answer(src, str_or(error, "unknown error"), NULL, 0);
		break;
	case CALL_BUSY:
		source_answer(src, busy, NULL, 0);
		break;
	case CALL_LOST:
	case CALL_TIMEOUT:
		/* Whether a write was done nobody knows; EOF says so. */
		source_close(src);
		break;
	}
}

/* ---- requests ---- */

/* It is served now; its message is not needed any more. */
static void
source_taken(struct source *src)
{
	src->client->buffered -= src->reader.buf.len;
	rpc_reader_clear(&src->reader);
}

static void
source_call(struct source *src)
{
	struct serve	*s = src->client->serve;
	struct msg_call	 m;
	const uint8_t	*body;
	size_t		 len;

	if (!peer_call_begin(s->peers, src->client->peer)) {
		client_log(src->client, "refused: it has too many calls open");
		source_taken(src);
		source_answer(src, busy, NULL, 0);
		return;
	}
	src->counted = true;
	memset(&m, 0, sizeof(m));
	m.method = src->header.method;
	m.target = CALL_HERE;
	m.flags = src->header.via;
	body = rpc_reader_body(&src->reader, &len);
	src->call = call_start(s->calls, &m, body, len, 0, on_answer, src);
	source_taken(src);
}

void
source_hold_expired(void *arg)
{
	struct serve	*s = arg;
	struct source	*src;
	uint64_t	 age;

	while ((src = TAILQ_FIRST(&s->held)) != NULL) {
		age = ev_now(s->ev) - src->held_ms;
		if (age < HOLD_MS) {
			ev_timer_set(s->hold_timer, HOLD_MS - age);
			return;
		}
		source_hold_end(src);
		source_taken(src);
		source_answer(src, "No cluster leader", NULL, 0);
	}
}

static void
source_hold(struct source *src)
{
	struct serve	*s = src->client->serve;

	src->is_held = true;
	src->held_ms = ev_now(s->ev);
	TAILQ_INSERT_TAIL(&s->held, src, held);
	if (!ev_timer_pending(s->hold_timer))
		ev_timer_set(s->hold_timer, HOLD_MS);
}

void
serve_catalog_up(struct serve *s, bool up)
{
	struct source	*src;

	s->up = up;
	if (!up)
		return;
	while ((src = TAILQ_FIRST(&s->held)) != NULL) {
		source_hold_end(src);
		source_call(src);
	}
}

/*
 * What somebody without a certificate may call hands certificates out, which
 * takes a CA of our own.
 */
static const char *
anybody_refusal(const char *method, char *buf, size_t len)
{
	if (strcmp(method, "AutoEncrypt.Sign") == 0)
		return "Connect must be enabled in order to use this endpoint";
	(void)snprintf(buf, len, "rpc: can't find service %s", method);
	return buf;
}

void
source_request(struct source *src)
{
	struct client	*c = src->client;
	const char	*refusal;
	char		 buf[RPC_METHOD_MAX + 64];

	if (rpc_reader_header(&src->reader, &src->header) == -1) {
		client_log(c, "bad request header");
		source_close(src);
		return;
	}
	src->busy = true;
	refusal = c->anybody ? anybody_refusal(src->header.method, buf,
	    sizeof(buf)) : rpc_method_refusal(src->header.method, buf,
	    sizeof(buf));
	if (refusal != NULL) {
		client_log(c, "refused: %s", refusal);
		source_answer(src, refusal, NULL, 0);
	} else if (!c->serve->up)
		source_hold(src);
	else
		source_call(src);
}

/*
 * /v1/snapshot: the exchange of snapshots (rpc.md 9) with catalogd on a socket
 * of its own, so that an archive passes through here in pieces: an upload waits
 * while catalogd does not keep up, and catalogd while the client does not.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apid/apid.h"
#include "common/log.h"
#include "common/mp.h"
#include "common/stream.h"
#include "common/util.h"

#define HIGH		(256u << 10)	/* kept here, in either direction */
#define ANSWER_MS	150000		/* a restore goes through the log */
#define HEAD_MAX	65536

struct snapshot {
	struct request	*r;
	struct stream	*s;
	bool		 save;
	bool		 head;		/* it was answered */
	bool		 over;		/* nothing more comes */
	const char	*cut;		/* it ended before its end */
	struct wbuf	 got;		/* of the archive, not given yet */
	size_t		 off;
};

static void
snapshot_free(void *arg)
{
	struct snapshot	*x = arg;

	stream_free(x->s);
	wb_free(&x->got);
	free(x);
}

/* ---- the answer ---- */

static ssize_t
give(struct request *r, void *buf, size_t max)
{
	struct snapshot	*x = r->state;
	size_t		 n = x->got.len - x->off;

	if (n == 0)
		return !x->over ? 0 : x->cut != NULL ? -2 : -1;
	n = n < max ? n : max;
	memcpy(buf, x->got.p + x->off, n);
	x->off += n;
	if (x->off == x->got.len) {
		wb_reset(&x->got);
		x->off = 0;
		if (x->s != NULL)
			stream_resume(x->s);
	}
	return (ssize_t)n;
}

static void
answer(struct snapshot *x, const struct snapshot_response *a)
{
	struct request	*r = x->r;

	x->head = true;
	if (r->answered)
		return;
	if (!str_empty(a->error))
		reply_failure(r, CALL_ERROR, a->error);
	else if (!x->save)
		reply_empty(r, 200);
	else {
		add_header(r, "X-Consul-Index", "%llu",
		    (unsigned long long)a->index);
		add_header(r, "X-Consul-Knownleader", "%s",
		    a->known_leader ? "true" : "false");
		add_header(r, "X-Consul-Lastcontact", "%lld",
		    (long long)(a->last_contact / NS_PER_MS));
		r->type = "application/x-gzip";
		r->give = give;
		stream_deadline(x->s, 0);
		reply_empty(r, 200);
	}
}

/* ---- from catalogd ---- */

static size_t
on_head(struct snapshot *x, const uint8_t *p, size_t n)
{
	struct snapshot_response	 a;
	struct rbuf			 b;
	const char			*why;

	rb_init(&b, p, n);
	mp_skip(&b);
	if (!rb_ok(&b) && b.more && n < HEAD_MAX)
		return 0;
	if (!rb_ok(&b) || schema_decode_all(&snapshot_response_schema, p,
	    n - b.n, &a, &why) == -1) {
		x->head = true;
		if (!x->r->answered)
			reply_failure(x->r, CALL_ERROR,
			    "malformed answer to a snapshot");
		return n;
	}
	answer(x, &a);
	schema_clear(&snapshot_response_schema, &a);
	request_more(x->r);	/* an upload that is of no use any more */
	return n - b.n;
}

static size_t
on_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct snapshot	*x = arg;

	if (!x->head)
		return on_head(x, p, n);
	if (!x->save)
		return n;
	wb_bytes(&x->got, p, n);
	if (x->got.len - x->off > HIGH)
		stream_pause(s);
	request_more(x->r);
	return n;
}

static void
ended(struct snapshot *x, const char *why)
{
	x->over = true;
	x->cut = why;
	if (!x->head && !x->r->answered)
		reply_failure(x->r, CALL_ERROR, str_or(why, "EOF"));
	request_more(x->r);
}

/* catalogd has said all; for an upload, nothing of it is of use any more. */
static void
on_eof(struct stream *s, void *arg)
{
	(void)s;
	ended(arg, NULL);
}

static void
on_closed(struct stream *s, const char *why, void *arg)
{
	struct snapshot	*x = arg;

	stream_free(s);
	x->s = NULL;
	ended(x, str_or(why, "EOF"));
}

/* The upload goes on. */
static void
on_drained(struct stream *s, void *arg)
{
	struct snapshot	*x = arg;

	(void)s;
	if (!x->save && !x->head)
		request_more(x->r);
}

static const struct stream_ops stream_ops = {
	.data = on_data, .drained = on_drained, .closed = on_closed
};

/* ---- the upload ---- */

static void
take(struct request *r, const void *p, size_t n)
{
	struct snapshot	*x = r->state;

	if (x->s == NULL)
		return;
	stream_write(x->s, p, n);
	stream_deadline(x->s, ANSWER_MS);
	if (stream_queued(x->s) > HIGH)
		request_hold(r);
}

static void
took(struct request *r)
{
	struct snapshot	*x = r->state;

	if (x->s != NULL)
		stream_shutdown(x->s);
}

/* ---- the request ---- */

static int
connect_catalogd(struct apid *a)
{
	struct ipc	*ipc = child_link(a->child, PROC_CATALOGD);
	int		 sv[2];

	if (ipc == NULL)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1) {
		log_warn("snapshot: socketpair");
		return -1;
	}
	ipc_send(ipc, IMSG_SNAPSHOT, 0, NULL, 0, sv[1]);
	return sv[0];
}

static void
put_request(struct snapshot *x)
{
	struct request		*r = x->r;
	struct snapshot_request	 q = { 0 };
	struct wbuf		 w;
	const char		*dc = params_get(&r->params, "dc");

	q.datacenter = (char *)(uintptr_t)str_or(dc,
	    str_or(r->apid->agent.datacenter, ""));
	q.token = (char *)(uintptr_t)str_or(token_of(r), "");
	q.allow_stale = params_get(&r->params, "stale") != NULL;
	q.op = x->save ? SNAPSHOT_SAVE : SNAPSHOT_RESTORE;
	wb_init(&w, 0);
	schema_encode(&snapshot_request_schema, &q, &w);
	stream_write(x->s, w.p, w.len);
	explicit_bzero(w.p, w.len);
	wb_free(&w);
}

void
ep_snapshot(struct request *r)
{
	struct snapshot	*x;
	int		 fd = connect_catalogd(r->apid);

	if (fd == -1) {
		reply_failure(r, CALL_LOST, NULL);
		return;
	}
	x = xcalloc(1, sizeof(*x));
	x->r = r;
	x->save = r->method == M_GET;
	wb_init(&x->got, 0);
	x->s = stream_new(r->apid->ev, fd, &stream_ops, x);
	stream_on_eof(x->s, on_eof);
	stream_deadline(x->s, ANSWER_MS);
	r->state = x;
	r->state_free = snapshot_free;
	put_request(x);
	if (x->save)
		stream_shutdown(x->s);
	else
		r->take = take;
	r->took = x->save ? NULL : took;
}

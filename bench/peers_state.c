/*
 * Exchanges of state, as a member of a large pool has them: all members go out,
 * and of what comes in the agents are remembered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bsd/stdlib.h>

#include "bench/peers.h"
#include "common/log.h"
#include "common/mp.h"
#include "common/util.h"

struct talk {
	struct peers		*x;
	struct stream		*stream;
	struct frame		 frame;
	bool			 ours;
	struct sockaddr_storage	 to;
	unsigned		 left;		/* exchanges after this one */
};

static void
put_state(struct wbuf *w, struct span name,
    const struct gaddr *addr, uint32_t inc, struct span meta, int state,
    const uint8_t v[VSN_LEN])
{
	struct ml_state	st = { 0 };

	st.addr = gaddr_ip(addr);
	st.port = addr->port;
	st.inc = inc;
	st.meta = meta;
	st.name = name;
	st.state = state;
	st.vsn = span_of(v, VSN_LEN);
	body_encode(&ml_state_body, &st, w);
}

static void
user_state(struct peers *x, struct wbuf *w)
{
	static const uint8_t	 none = 0x90;
	struct sf_pushpull	 pp = { .event_ltime = 1, .ltime = PEERS_LTIME + 1,
				    .query_ltime = 1 };
	struct wbuf		 status;
	char			 name[PEER_NAME];
	uint32_t		 i;

	wb_init(&status, 0);
	mp_map(&status, x->n);
	for (i = 0; i < x->n; i++) {
		mp_raw(&status, name, peer_name(i, name));
		mp_uint(&status, PEERS_LTIME);
	}
	pp.events = pp.left = span_of(&none, 1);
	pp.status = span_of(status.p, status.len);
	wb_u8(w, SF_PUSHPULL);
	body_encode(&sf_pushpull_body, &pp, w);
	wb_free(&status);
}

static void
full_state(struct peers *x, bool join, struct wbuf *w)
{
	struct ml_header h = { .join = join };
	struct wbuf	 user, meta;
	struct gaddr	 addr;
	struct agent	*g;
	char		 name[PEER_NAME];
	uint32_t	 i;

	wb_init(&user, 0);
	wb_init(&meta, 0);
	user_state(x, &user);
	h.nodes = x->n + x->nagents;
	h.user_len = user.len;
	wb_u8(w, ML_PUSHPULL);
	body_encode(&ml_header_body, &h, w);
	for (i = 0; i < x->n; i++) {
		addr = peer_addr(x, i);
		wb_reset(&meta);
		peer_meta(x, i, &meta);
		put_state(w, span_of(name, peer_name(i, name)), &addr,
		    x->inc[i], span_of(meta.p, meta.len), SWIM_ALIVE, peers_vsn);
	}
	for (i = 0; i < x->nagents; i++) {
		g = &x->agent[i];
		put_state(w, span_str(g->name), &g->addr, g->inc,
		    span_of(g->meta, g->meta_len), (int)g->state, g->vsn);
	}
	wb_bytes(w, user.p, user.len);
	wb_free(&user);
	wb_free(&meta);
}

static void
talk_free(struct talk *t)
{
	stream_free(t->stream);
	free(t);
}

static void
talk_write(struct talk *t, bool answer, const struct wbuf *msg)
{
	uint8_t		nonce[CRYPT_NONCE];
	struct wbuf	w;

	arc4random_buf(nonce, sizeof(nonce));
	wb_init(&w, 0);
	if (frame_seal(&t->x->layers, nonce, answer, msg->p, msg->len, &w) == 0)
		stream_write(t->stream, w.p, w.len);
	wb_free(&w);
}

static void
talk_state(struct talk *t, bool answer, bool join)
{
	struct wbuf	w;

	wb_init(&w, 0);
	full_state(t->x, join, &w);
	talk_write(t, answer, &w);
	wb_free(&w);
}

/* Whom we did not know comes alive to the other agents as well. */
static void
talk_merge(struct talk *t, bool *join)
{
	struct peers		*x = t->x;
	struct swim_said	*a;
	struct ml_alive		 m;
	struct span		 user;
	struct wbuf		*w;
	size_t			 i, n;

	*join = false;
	if (swim_state_parse(t->frame.msg, t->frame.len, &a, &n, join,
	    &user) != NULL)
		return;
	x->from = *stream_peer(t->stream);
	for (i = 0; i < n; i++) {
		if (peer_number(x, a[i].name) != -1 ||
		    a[i].state != SWIM_ALIVE || !agent_said(x, &a[i]))
			continue;
		m = (struct ml_alive){ .addr = gaddr_ip(&a[i].addr),
		    .inc = a[i].inc, .meta = a[i].meta, .node = a[i].name,
		    .port = a[i].addr.port,
		    .vsn = span_of(a[i].vsn, VSN_LEN) };
		w = peers_message(x, ML_ALIVE);
		body_encode(&ml_alive_body, &m, w);
		peers_pass_on(x, w->p, w->len);
	}
	free(a);
}

static void
talk_answer(struct talk *t)
{
	struct ml_ping	 ping;
	struct ml_ack	 ack = { 0 };
	struct rbuf	 r;
	struct wbuf	*w;
	bool		 join;

	if (t->frame.msg[0] == ML_PUSHPULL) {
		talk_merge(t, &join);
		if (!t->ours)
			talk_state(t, true, join);
	} else if (t->frame.msg[0] == ML_PING) {
		rb_init(&r, t->frame.msg + 1, t->frame.len - 1);
		body_decode(&ml_ping_body, &r, &ping);
		ack.seq = ping.seq;
		w = peers_message(t->x, ML_ACK);
		body_encode(&ml_ack_body, &ack, w);
		talk_write(t, true, w);
	}
	if (t->ours && t->left > 0)
		peers_exchange(t->x, &t->to, t->left - 1);
	else if (t->ours)
		printf("exchanged\n");
	stream_finish(t->stream);
	free(t);
}

static size_t
on_data(struct stream *st, const uint8_t *p, size_t n, void *arg)
{
	struct talk	*t = arg;

	(void)st;
	switch (frame_read(&t->frame, &t->x->layers, p, n)) {
	case FRAME_MORE:
		return 0;
	case FRAME_BAD:
		log_warnx("stream: %s", t->frame.why);
		talk_free(t);
		return 0;
	case FRAME_DONE:
		talk_answer(t);
		return 0;
	}
	return 0;
}

static void
on_connected(struct stream *st, void *arg)
{
	(void)st;
	talk_state(arg, false, false);
}

static void
on_closed(struct stream *st, const char *why, void *arg)
{
	struct talk	*t = arg;

	(void)st;
	if (t->ours)
		printf("no exchange: %s\n", why == NULL ? "EOF" : why);
	talk_free(t);
}

static const struct stream_ops talk_ops = {
	.connected = on_connected, .data = on_data, .closed = on_closed,
};

static struct talk *
talk_new(struct peers *x, bool ours)
{
	struct talk	*t = xcalloc(1, sizeof(*t));

	t->x = x;
	t->ours = ours;
	frame_init(&t->frame, ours);
	return t;
}

void
peers_accept(int fd, const struct sockaddr_storage *ss, void *arg)
{
	struct talk	*t = talk_new(arg, false);

	(void)ss;
	t->stream = stream_new(t->x->ev, fd, &talk_ops, t);
	stream_limit(t->stream, FRAME_MAX);
	stream_deadline(t->stream, 10000);
}

void
peers_exchange(struct peers *x, const struct sockaddr_storage *to,
    unsigned left)
{
	struct talk	*t = talk_new(x, true);

	t->to = *to;
	t->left = left;
	t->stream = stream_connect(x->ev, (const struct sockaddr *)to,
	    addr_len(to), NULL, 0, 10000, &talk_ops, t);
	stream_limit(t->stream, FRAME_MAX);
}

/*
 * Datagrams into a node of three: layers, bodies, what they change, and what
 * it sends because of them.  The clock moves with the input.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "gossipd/consul.h"
#include "gossipd/packet.h"
#include "gossipd/serf.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct world {
	struct serf	*serf;
	struct layers	 layers;
	struct gaddr	 from;
	uint64_t	 now;
	struct wbuf	 out;
};

static void
on_send(void *arg, const struct gaddr *to, bool crc, const uint8_t *p,
    size_t n)
{
	static const uint8_t	 nonce[CRYPT_NONCE];
	struct world		*w = arg;

	(void)to;
	wb_reset(&w->out);
	if (packet_seal(&w->layers, nonce, crc, p, n, &w->out) == -1)
		abort();
}

static void
on_tcp_ping(void *arg, const struct ident *id, uint32_t seq, uint64_t until)
{
	(void)arg, (void)id, (void)seq, (void)until;
}

static void
on_pushpull(void *arg, const struct ident *id, bool join)
{
	(void)arg, (void)id, (void)join;
}

static const char *
on_admit(void *arg, const struct swim_said *a, size_t n, bool join)
{
	struct consul_rules	rules = { .name = "self", .id = "x",
				    .dc = "dc1", .server = true };

	(void)arg, (void)join;
	return n > 0 && a[0].name.n > 0 && a[0].name.p[0] == 'c' ?
	    consul_admit(&rules, a, n) : NULL;
}

static void
on_member(void *arg, enum serf_event ev, const struct serf_member *m)
{
	(void)arg, (void)ev;
	if (m->id == NULL)
		abort();
}

static void
on_event(void *arg, const struct sf_event *e)
{
	(void)arg, (void)e;
}

static void
on_left(void *arg)
{
	(void)arg;
}

static void
on_note(void *arg, enum swim_note level, const char *text)
{
	(void)arg, (void)level;
	if (strlen(text) == 0)
		abort();
}

static const struct serf_ops ops = {
	.send = on_send, .tcp_ping = on_tcp_ping, .pushpull = on_pushpull,
	.admit = on_admit, .member = on_member, .event = on_event,
	.left = on_left, .note = on_note,
};

static void
on_message(const uint8_t *p, size_t n, void *arg)
{
	struct world	*w = arg;

	serf_input(w->serf, w->now, &w->from, p, n);
}

static void
add_member(struct world *w, const char *name, uint8_t last)
{
	struct ml_alive	a = {
		.inc = 1, .port = 7946, .node = span_str(name),
		.meta = span_of("\xff\x80", 2), .vsn = span_of(consul_vsn, 6)
	};
	uint8_t		ip[4] = { 127, 0, 0, last };
	struct wbuf	msg;

	a.addr = span_of(ip, sizeof(ip));
	wb_init(&msg, 0);
	wb_u8(&msg, ML_ALIVE);
	body_encode(&ml_alive_body, &a, &msg);
	on_message(msg.p, msg.len, w);
	wb_free(&msg);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t	 key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
				    11, 12, 13, 14, 15 };
	struct serf_conf	 conf = serf_conf_lan;
	struct keyring		*ring = keyring_new();
	struct idents		*idents = idents_new();
	struct world		 w = { .now = NS_PER_S };
	struct gaddr		 self = { .ip = { 127, 0, 0, 1 }, .len = 4,
				    .port = 7946 };
	uint64_t		 next;
	size_t			 n;
	int			 i;

	conf.swim = swim_conf_lan;
	w.from = self;
	wb_init(&w.out, 0);
	layers_init(&w.layers, ring);
	w.serf = serf_new(&conf, idents, &ops, &w, 1);
	serf_start(w.serf, w.now, span_str("self"), &self,
	    span_of("\xff\x80", 2), consul_vsn);
	add_member(&w, "alpha", 2);
	add_member(&w, "beta", 3);
	/* Byte 0: under a key or not; then packets of u16 length. */
	if (size > 0 && (data[0] & 1) != 0) {
		(void)keyring_add(ring, key, sizeof(key));
		w.layers.verify_in = (data[0] & 2) != 0;
	}
	for (data++, size = size > 0 ? size - 1 : 0; size >= 2;
	    data += n, size -= n) {
		n = (size_t)data[0] << 8 | data[1];
		data += 2;
		size -= 2;
		n = n < size ? n : size;
		(void)packet_open(&w.layers, data, n, on_message, &w);
		w.now += 300 * NS_PER_MS;
		(void)serf_next(w.serf, w.now);
		serf_tick(w.serf, w.now);
	}
	for (i = 0; i < 50 && (next = serf_next(w.serf, w.now)) != SWIM_NEVER;
	    i++) {
		w.now = next > w.now ? next : w.now + NS_PER_MS;
		serf_tick(w.serf, w.now);
	}
	serf_free(w.serf);
	idents_free(idents);
	layers_clear(&w.layers);
	keyring_free(ring);
	wb_free(&w.out);
	return 0;
}

/*
 * gossip_input KIND COUNT [KEY]: takes COUNT packets of one kind through the
 * layers into the Serf core of a node that knows 10,000 members, for callgrind
 * to count (--toggle-collect=measured): making the packets is not in it, what
 * the node answers is, up to the packet ready for its socket.
 *
 * A KIND with a dot in it is a file of tests/vectors/gossip.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mp.h"
#include "common/util.h"
#include "gossipd/consul.h"
#include "gossipd/serf.h"
#include "gossipd/tags.h"

#define MEMBERS	10000u
#define FILL	1350		/* of a packet, before compression */
#define FILL_TAG 150		/* random digits compress as ids do */
#define SELF	"gamma"		/* whom the recorded ping is for */

void		measured(const uint8_t *, size_t);

static struct serf		*serf;
static struct layers		 layers, theirs;
static struct consul_rules	 rules = {
	.name = SELF, .id = "", .dc = "dc1"
};
static struct wbuf		 answer;
static uint64_t			 now = 1;
static unsigned			 nmessages, nanswers;
static uint32_t			 probe_seq;	/* last ping of ours */
static struct gaddr		 probed;	/* where it went */
static struct gaddr		 source;	/* of the packet in hand */
static uint32_t			 inc[MEMBERS];

static void
on_message(const uint8_t *p, size_t n, void *arg)
{
	(void)arg;
	nmessages++;
	serf_input(serf, now, &source, p, n);
}

/* All that is counted. */
__attribute__((noinline)) void
measured(const uint8_t *p, size_t n)
{
	(void)packet_open(&layers, p, n, on_message, NULL);
}

static void
on_send(void *arg, const struct gaddr *to, bool crc, const uint8_t *p, size_t n)
{
	static const uint8_t	nonce[CRYPT_NONCE];
	struct ml_ping		ping;
	struct rbuf		r;

	(void)arg;
	rb_init(&r, p + 1, n - 1);
	if (p[0] == ML_PING) {
		body_decode(&ml_ping_body, &r, &ping);
		probe_seq = ping.seq;
		probed = *to;
	}
	wb_reset(&answer);
	(void)packet_seal(&layers, nonce, crc, p, n, &answer);
	nanswers++;
}

static const char *
on_admit(void *arg, const struct swim_said *a, size_t n, bool join)
{
	(void)arg;
	(void)join;
	return consul_admit(&rules, a, n);
}

static void
on_tcp_ping(void *arg, const struct ident *id, uint32_t seq, uint64_t until)
{
	(void)arg;
	(void)id;
	(void)seq;
	(void)until;
}

static void
on_pushpull(void *arg, const struct ident *id, bool join)
{
	(void)arg;
	(void)id;
	(void)join;
}

static void
on_member(void *arg, enum serf_event ev, const struct serf_member *m)
{
	(void)arg;
	(void)ev;
	(void)m;
}

static void
on_event(void *arg, const struct sf_event *e)
{
	(void)arg;
	(void)e;
}

static const struct serf_ops ops = {
	.send = on_send, .tcp_ping = on_tcp_ping, .pushpull = on_pushpull,
	.admit = on_admit, .member = on_member, .event = on_event,
};

/* ---- packets ---- */

static struct span
name_of(uint32_t i, char name[16])
{
	return span_of(name, (size_t)snprintf(name, 16, "peer%05u", i % 100000));
}

/* Tags as a Consul client has them, filled up to 250 bytes. */
static void
put_meta(uint32_t i, struct wbuf *w)
{
	struct rng	rng;
	char		text[FILL_TAG];
	int		n;

	wb_u8(w, TAGS_MAGIC);
	mp_map(w, 5);
	mp_str(w, "role");
	mp_str(w, "node");
	mp_str(w, "dc");
	mp_str(w, "dc1");
	mp_str(w, "build");
	mp_str(w, "1.8.7:1384ce4+");
	(void)snprintf(text, sizeof(text), "%08x-1d15-4c00-8000-%012x", i, i);
	mp_str(w, "id");
	mp_str(w, text);
	rng_seed(&rng, i);
	for (n = 0; n < FILL_TAG; n++)
		text[n] = "0123456789abcdef"[rng_below(&rng, 16)];
	mp_str(w, "zone");
	mp_raw(w, text, FILL_TAG);
}

static void
put_alive(uint32_t i, struct wbuf *w)
{
	static const uint8_t	 vsn[VSN_LEN] = { 1, 5, 2, 2, 5, 4 };
	uint8_t			 ip[4] = { 10, 64, (uint8_t)(i >> 8),
				    (uint8_t)i };
	struct ml_alive		 a = { .inc = inc[i], .port = 8301 };
	struct wbuf		 meta;
	char			 name[16];

	wb_init(&meta, 0);
	put_meta(i, &meta);
	a.addr = span_of(ip, 4);
	a.node = name_of(i, name);
	a.meta = span_of(meta.p, meta.len);
	a.vsn = span_of(vsn, VSN_LEN);
	wb_u8(w, ML_ALIVE);
	body_encode(&ml_alive_body, &a, w);
	wb_free(&meta);
}

static void
put_suspect(uint32_t i, struct wbuf *w)
{
	struct ml_claim	c = { .inc = inc[i] };
	char		name[16], from[16];

	c.node = name_of(i, name);
	c.from = name_of((i + 1) % MEMBERS, from);
	wb_u8(w, ML_SUSPECT);
	body_encode(&ml_claim_body, &c, w);
}

static void
put_ping(struct wbuf *w)
{
	struct ml_ping	ping = { .seq = 7, .src_port = 8301 };
	char		name[16];

	ping.node = span_str(SELF);
	ping.src_addr = span_of("\x0a\x40\x00\x01", 4);
	ping.src_node = name_of(1, name);
	wb_u8(w, ML_PING);
	body_encode(&ml_ping_body, &ping, w);
}

/* The answer to the ping that the node sends when the next probe is due. */
static void
put_ack(struct wbuf *w)
{
	struct ml_ack	ack = { 0 };
	struct sf_coord	c = { .error = 0.3, .height = 1e-4 };
	struct wbuf	vec, payload;
	uint32_t	last = probe_seq;
	int		i;

	while (probe_seq == last) {
		now = serf_next(serf, now);
		serf_tick(serf, now);
	}
	now += NS_PER_MS;
	source = probed;
	wb_init(&vec, 0);
	wb_init(&payload, 0);
	mp_array(&vec, COORD_DIM);
	for (i = 0; i < COORD_DIM; i++)
		mp_double(&vec, 1e-4 * i);
	c.vec = span_of(vec.p, vec.len);
	wb_u8(&payload, 1);
	body_encode(&sf_coord_body, &c, &payload);
	ack.seq = probe_seq;
	ack.payload = span_of(payload.p, payload.len);
	wb_u8(w, ML_ACK);
	body_encode(&ml_ack_body, &ack, w);
	wb_free(&vec);
	wb_free(&payload);
}

/* As many pieces of gossip as a packet holds, from member at on. */
static void
put_gossip(uint32_t at, bool news, struct wbuf *w)
{
	struct compound	c;
	struct wbuf	piece;
	uint32_t	i = at;

	compound_init(&c);
	wb_init(&piece, 0);
	for (;; i++) {
		inc[i % MEMBERS] += news;
		wb_reset(&piece);
		put_alive(i % MEMBERS, &piece);
		if (c.body.len + piece.len + PART_COST * (c.n + 1) > FILL)
			break;
		(void)compound_add(&c, piece.p, piece.len);
	}
	inc[i % MEMBERS] -= news;
	compound_encode(&c, w);
	compound_clear(&c);
	wb_free(&piece);
}

static void
put_recorded(const char *name, struct wbuf *w)
{
	char	path[256], *text;
	size_t	n, i, at = 0;

	(void)snprintf(path, sizeof(path), "tests/vectors/gossip/%s", name);
	if ((text = file_read(path, 1 << 20, &n)) == NULL) {
		perror(path);
		exit(1);
	}
	for (i = 0; i < n; i++)
		if (text[i] != '\n')
			text[at++] = text[i];
	(void)hex_decode(text, at, wb_reserve(w, at / 2));
	free(text);
}

static bool
put_kind(const char *kind, uint32_t i, struct wbuf *w)
{
	if (strcmp(kind, "ping") == 0)
		put_ping(w);
	else if (strcmp(kind, "ack") == 0)
		put_ack(w);
	else if (strcmp(kind, "suspect") == 0)
		put_suspect(i % MEMBERS, w);
	else if (strcmp(kind, "alive-known") == 0)
		put_alive(i % MEMBERS, w);
	else if (strcmp(kind, "alive-news") == 0) {
		inc[i % MEMBERS]++;
		put_alive(i % MEMBERS, w);
	} else if (strcmp(kind, "compound-known") == 0)
		put_gossip(i % MEMBERS, false, w);
	else if (strcmp(kind, "compound-news") == 0)
		put_gossip(i % MEMBERS, true, w);
	else
		return false;
	return true;
}

/* ---- the node ---- */

static void
node_start(struct keyring *ring)
{
	static const uint8_t	 vsn[VSN_LEN] = { 1, 5, 2, 2, 5, 4 };
	struct serf_conf	 conf = serf_conf_lan;
	struct gaddr		 self = gaddr_of(span_of("\x0a\x00\x00\x02", 4),
				    8301);
	struct wbuf		 w;
	uint32_t		 i;

	source = gaddr_of(span_of("\x0a\x40\x00\x01", 4), 8301);
	conf.swim = swim_conf_lan;
	conf.coordinates = true;
	layers_init(&layers, ring);
	layers_init(&theirs, ring);
	wb_init(&answer, 0);
	wb_init(&w, 0);
	serf = serf_new(&conf, idents_new(), &ops, NULL, 1);
	put_meta(MEMBERS, &w);
	serf_start(serf, now, span_str(SELF), &self, span_of(w.p, w.len), vsn);
	for (i = 0; i < MEMBERS; i++) {
		inc[i] = 1;
		wb_reset(&w);
		put_alive(i, &w);
		on_message(w.p, w.len, NULL);
	}
	wb_free(&w);
}

int
main(int argc, char **argv)
{
	static const uint8_t	 nonce[CRYPT_NONCE];
	struct keyring		*ring = keyring_new();
	struct wbuf		 msg, packet;
	uint8_t			 key[CRYPT_KEY_MAX];
	unsigned long		 i, n;
	int			 len;

	if (argc < 3 || (n = strtoul(argv[2], NULL, 10)) == 0) {
		fprintf(stderr, "usage: gossip_input KIND COUNT [KEY]\n");
		return 1;
	}
	if (argc > 3 && ((len = base64_decode(argv[3], key, sizeof(key))) == -1
	    || keyring_add(ring, key, (size_t)len) != NULL)) {
		fprintf(stderr, "gossip_input: the key is none\n");
		return 1;
	}
	node_start(ring);
	wb_init(&msg, 0);
	wb_init(&packet, 0);
	nmessages = nanswers = 0;
	for (i = 0; i < n; i++) {
		/* As between bursts of change: nothing waits to be gossiped. */
		bcast_prune(swim_bcast(serf_swim(serf)), BC_MEMBER, 0);
		wb_reset(&msg);
		wb_reset(&packet);
		if (strchr(argv[1], '.') != NULL)
			put_recorded(argv[1], &packet);
		else if (!put_kind(argv[1], (uint32_t)i * 7, &msg)) {
			fprintf(stderr, "gossip_input: no kind %s\n", argv[1]);
			return 1;
		} else
			(void)packet_seal(&theirs, nonce, msg.p[0] ==
			    ML_COMPOUND, msg.p, msg.len, &packet);
		measured(packet.p, packet.len);
	}
	printf("%zu bytes a packet, %u messages, %u packets sent, "
	    "%zu members\n", packet.len, nmessages, nanswers,
	    serf_count_all(serf));
	return 0;
}

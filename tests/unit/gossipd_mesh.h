/*
 * A few nodes in one process: Serf cores joined by a network that can lose,
 * and a clock that only the test moves.
 */
#ifndef GOSSIPD_MESH_H
#define GOSSIPD_MESH_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/util.h"
#include "gossipd/consul.h"
#include "gossipd/packet.h"
#include "gossipd/serf_int.h"
#include "gossipd/swim_int.h"

#define MESH_MAX 16

struct mesh;
struct peer {
	struct mesh	*mesh;
	int		 n;
	char		 name[16];
	struct gaddr	 addr;
	struct serf	*serf;
	struct layers	 layers;
	bool		 up, deaf_udp, no_tcp;
	unsigned	 events[SERF_REAPED + 1];
	unsigned	 user_events, left, sent, refused;
	char		 last_note[512];
	char		 notes[32768];	/* all that fit, a line each */
	unsigned	 warnings, lines;	/* lines: not for debugging */
	struct keyring	*ring;
	unsigned	 saves, unreadable;
	const char	*save_error;	/* what writing the keys says */
};
struct pkt {
	TAILQ_ENTRY(pkt) link;
	uint64_t	 at;
	struct gaddr	 from, to;
	size_t		 n;
	uint8_t		 p[];
};
struct mesh {
	struct idents	*idents;
	struct peer	 node[MESH_MAX];
	int		 n;
	uint64_t	 now;
	TAILQ_HEAD(pkts, pkt) pkts;
	/* pairs that do not hear each other */
	bool		 cut[MESH_MAX][MESH_MAX];
	bool		 plain;
	double		 loss;		/* of datagrams */
	struct rng	 rng;
};

static struct peer *
mesh_at(struct mesh *m, const struct gaddr *a)
{
	int	i;

	for (i = 0; i < m->n; i++)
		if (m->node[i].up && gaddr_equal(&m->node[i].addr, a))
			return &m->node[i];
	return NULL;
}

static void
mesh_send(void *arg, const struct gaddr *to, bool crc, const uint8_t *p,
    size_t n)
{
	static const uint8_t	 nonce[CRYPT_NONCE];
	struct peer		*x = arg;
	struct wbuf		 w;
	struct pkt		*k;

	wb_init(&w, 0);
	ck_assert_int_eq(packet_seal(&x->layers, nonce, crc, p, n, &w), 0);
	ck_assert_uint_le(n, 1500);
	k = xcalloc(1, sizeof(*k) + w.len);
	k->at = x->mesh->now + 1 * NS_PER_MS;
	k->from = x->addr;
	k->to = *to;
	k->n = w.len;
	memcpy(k->p, w.p, w.len);
	TAILQ_INSERT_TAIL(&x->mesh->pkts, k, link);
	x->sent++;
	wb_free(&w);
}

static bool
mesh_hear(struct peer *a, struct peer *b)
{
	return a != NULL && b != NULL && a->up && b->up &&
	    !a->mesh->cut[a->n][b->n];
}

static void
mesh_tcp_ping(void *arg, const struct ident *id, uint32_t seq, uint64_t until)
{
	struct peer	*x = arg, *y = mesh_at(x->mesh, &id->addr);

	(void)until;
	if (mesh_hear(x, y) && !y->no_tcp)
		swim_tcp_acked(serf_swim(x->serf), seq);
}

/*
 * Both ways at once, the listener's answer made before it merges.  ours: x
 * comes; a reconnection is a join for the other alone.
 */
static const char *
mesh_swap(struct peer *x, struct peer *y, bool join, bool ours)
{
	struct wbuf	 ask, answer;
	const char	*why;

	if (!mesh_hear(x, y))
		return "cut off";
	wb_init(&ask, 0);
	wb_init(&answer, 0);
	swim_state_write(serf_swim(x->serf), join, false, &ask);
	swim_state_write(serf_swim(y->serf), join, false, &answer);
	if (serf_merge(y->serf, x->mesh->now, false, ask.p, ask.len) != NULL)
		y->refused++;
	why = serf_merge(x->serf, x->mesh->now, ours, answer.p, answer.len);
	if (why == NULL && ours)
		serf_announce(x->serf, x->mesh->now);
	wb_free(&ask);
	wb_free(&answer);
	return why;
}

static const char *
mesh_exchange(struct peer *x, struct peer *y, bool join)
{
	return mesh_swap(x, y, join, join);
}

static void
mesh_pushpull(void *arg, const struct ident *id, bool join)
{
	struct peer	*x = arg;

	(void)mesh_swap(x, mesh_at(x->mesh, &id->addr), join, false);
}

static const char *
mesh_admit(void *arg, const struct swim_said *a, size_t n, bool join)
{
	struct consul_rules	rules = { .name = "?", .id = "?", .dc = "dc1" };

	(void)join;
	return ((struct peer *)arg)->mesh->plain ? NULL :
	    consul_admit(&rules, a, n);
}

static void
mesh_member(void *arg, enum serf_event ev, const struct serf_member *m)
{
	struct peer	*x = arg;

	if (strcmp(ident_name(m->id), x->name) != 0)
		x->events[ev]++;
}

static void
mesh_event(void *arg, const struct sf_event *e)
{
	(void)e;
	((struct peer *)arg)->user_events++;
}

static void
mesh_left(void *arg)
{
	((struct peer *)arg)->left++;
}

static void
mesh_note(void *arg, enum swim_note level, const char *text)
{
	struct peer	*x = arg;

	if (getenv("MESH_NOTES") != NULL)
		fprintf(stderr, "%8.3f %s: %d %s\n",
		    (double)x->mesh->now / NS_PER_S, x->name, level, text);
	x->warnings += level == SWIM_WARN;
	x->lines += level != SWIM_DEBUG;
	(void)strlcat(x->notes, text, sizeof(x->notes));
	(void)strlcat(x->notes, "\n", sizeof(x->notes));
	(void)strlcpy(x->last_note, text, sizeof(x->last_note));
}

static const char *
mesh_save_keys(void *arg)
{
	struct peer	*x = arg;

	x->saves++;
	return x->save_error;
}

static const struct serf_ops mesh_ops = {
	.send = mesh_send, .tcp_ping = mesh_tcp_ping,
	.pushpull = mesh_pushpull, .admit = mesh_admit, .member = mesh_member,
	.event = mesh_event, .left = mesh_left, .note = mesh_note,
	.save_keys = mesh_save_keys,
};

static void
mesh_init(struct mesh *m)
{
	memset(m, 0, sizeof(*m));
	m->idents = idents_new();
	m->now = 1000 * NS_PER_S;
	m->plain = true;
	rng_seed(&m->rng, 11);
	TAILQ_INIT(&m->pkts);
}

static struct peer *
mesh_start(struct mesh *m, struct peer *x)
{
	static const uint8_t	 meta[] = { 0xff, 0x80 };
	struct serf_conf	 conf = serf_conf_lan;

	conf.swim = swim_conf_lan;
	conf.ring = x->ring;
	x->serf = serf_new(&conf, m->idents, &mesh_ops, x,
	    (uint64_t)x->n * 77 + 5);
	x->up = true;
	serf_start(x->serf, m->now, span_str(x->name), &x->addr,
	    span_of(meta, sizeof(meta)), consul_vsn);
	return x;
}

static struct peer *
mesh_add(struct mesh *m)
{
	struct peer	*x = &m->node[m->n];

	x->mesh = m;
	x->n = m->n++;
	(void)snprintf(x->name, sizeof(x->name), "n%d", x->n);
	x->addr.len = 4;
	x->addr.ip[0] = 10;
	x->addr.ip[3] = (uint8_t)(x->n + 1);
	x->addr.port = 8301;
	x->ring = keyring_new();
	layers_init(&x->layers, x->ring);
	return mesh_start(m, x);
}

struct mesh_in { struct peer *to; const struct gaddr *from; };

static void
mesh_input(const uint8_t *p, size_t n, void *arg)
{
	struct mesh_in	*in = arg;

	serf_input(in->to->serf, in->to->mesh->now, in->from, p, n);
}

static void
mesh_deliver(struct mesh *m, struct pkt *k)
{
	struct mesh_in	in = { mesh_at(m, &k->to), &k->from };
	struct peer	*from = mesh_at(m, &k->from);

	if (!mesh_hear(from, in.to) || in.to->deaf_udp ||
	    rng_double(&m->rng) < m->loss)
		return;
	if (packet_open(&in.to->layers, k->p, k->n, mesh_input, &in) != NULL)
		in.to->unreadable++;
}

static void
mesh_run(struct mesh *m, uint64_t ms)
{
	uint64_t	 until = m->now + ms * NS_PER_MS, at, next;
	struct pkt	*k;
	int		 i;

	for (;;) {
		at = until;
		if ((k = TAILQ_FIRST(&m->pkts)) != NULL && k->at < at)
			at = k->at;
		for (i = 0; i < m->n; i++)
			if (m->node[i].up && (next =
			    serf_next(m->node[i].serf, m->now)) < at)
				at = next;
		if (at > m->now)
			m->now = at;
		if (k != NULL && k->at <= m->now) {
			TAILQ_REMOVE(&m->pkts, k, link);
			mesh_deliver(m, k);
			free(k);
			continue;
		}
		if (m->now >= until)
			return;
		for (i = 0; i < m->n; i++)
			if (m->node[i].up &&
			    serf_next(m->node[i].serf, m->now) <= m->now)
				serf_tick(m->node[i].serf, m->now);
	}
}

/* n nodes that know each other. */
static void
mesh_cluster(struct mesh *m, int n)
{
	int	i;

	mesh_init(m);
	for (i = 0; i < n; i++) {
		(void)mesh_add(m);
		if (i > 0)
			ck_assert_ptr_null(mesh_exchange(&m->node[i],
			    &m->node[0], true));
	}
	mesh_run(m, 5000);
}

static inline void
mesh_stop(struct peer *x)
{
	serf_free(x->serf);
	x->serf = NULL;
	x->up = false;
}

static void
mesh_free(struct mesh *m)
{
	struct pkt	*k;
	int		 i;

	for (i = 0; i < m->n; i++) {
		if (m->node[i].serf != NULL)
			serf_free(m->node[i].serf);
		layers_clear(&m->node[i].layers);
		keyring_free(m->node[i].ring);
	}
	while ((k = TAILQ_FIRST(&m->pkts)) != NULL) {
		TAILQ_REMOVE(&m->pkts, k, link);
		free(k);
	}
	ck_assert_uint_eq(idents_find(m->idents, span_str("n0")), IDENT_NONE);
	idents_free(m->idents);
}

static inline int
mesh_state(struct peer *at, struct peer *of)
{
	return swim_lookup(serf_swim(at->serf), span_str(of->name), NULL);
}

static inline enum member_status
mesh_status(struct peer *at, struct peer *of)
{
	const struct serf_member	*m;

	m = serf_member_find(at->serf, span_str(of->name));
	return m == NULL ? MEMBER_NONE : m->status;
}

/* One message of type and body into a node, as from another. */
static inline void
mesh_inject(struct peer *to, struct peer *from, enum ml_type type,
    const struct body *b, const void *obj)
{
	struct wbuf	w;

	wb_init(&w, 0);
	wb_u8(&w, (uint8_t)type);
	body_encode(b, obj, &w);
	serf_input(to->serf, to->mesh->now, &from->addr, w.p, w.len);
	wb_free(&w);
}

static inline void
mesh_accuse(struct peer *at, const char *whom, const char *by, uint32_t inc)
{
	struct ml_claim	c = {
		.from = span_str(by), .inc = inc, .node = span_str(whom)
	};

	mesh_inject(at, at, ML_SUSPECT, &ml_claim_body, &c);
}

#endif

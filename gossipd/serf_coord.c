/*
 * Network coordinates in acks: ours goes along with each, theirs move ours and
 * are kept by member (gossip.md 10.9).
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/serf_int.h"

#define COORD_VSN	1	/* first byte of an ack's payload */

struct peer_coord {
	struct coord		at;
	struct coord_filter	filter;
	bool			known;
};

static void
encode(const struct coord *c, struct wbuf *w)
{
	struct sf_coord	out = {
		.adjustment = c->adjustment, .error = c->error,
		.height = c->height
	};
	struct wbuf	vec;
	int		i;

	wb_init(&vec, 0);
	mp_array(&vec, COORD_DIM);
	for (i = 0; i < COORD_DIM; i++)
		mp_double(&vec, c->vec[i]);
	out.vec = span_of(vec.p, vec.len);
	wb_reset(w);
	wb_u8(w, COORD_VSN);
	body_encode(&sf_coord_body, &out, w);
	wb_free(&vec);
}

static bool
decode(struct span payload, struct coord *c)
{
	struct sf_coord	in;
	struct rbuf	r;
	int		i;

	if (payload.n < 2 || payload.p[0] != COORD_VSN)
		return false;
	rb_init(&r, payload.p + 1, payload.n - 1);
	body_decode(&sf_coord_body, &r, &in);
	if (!rb_ok(&r) || in.vec.n == 0)
		return false;
	rb_init(&r, in.vec.p, in.vec.n);
	if (mp_get_array(&r) != COORD_DIM)
		return false;
	for (i = 0; i < COORD_DIM; i++)
		c->vec[i] = mp_get_double(&r);
	c->error = in.error;
	c->adjustment = in.adjustment;
	c->height = in.height;
	return rb_ok(&r) && coord_valid(c);
}

void
serf_coord_start(struct serf *s, uint64_t seed)
{
	s->coord = coord_self_new(seed);
	encode(coord_self_at(s->coord), &s->ack);
}

void
serf_coord_stop(struct serf *s)
{
	uint32_t	i;

	for (i = 0; i < s->npeers; i++)
		free(s->peers[i]);
	free(s->peers);
	coord_self_free(s->coord);
}

/* Memory for those alone that answered a probe of ours. */
static struct peer_coord *
peer_at(struct serf *s, uint32_t num)
{
	uint32_t	n;

	if (num >= s->npeers) {
		n = s->npeers * 2 > num + 8 ? s->npeers * 2 : num + 8;
		s->peers = xreallocarray(s->peers, n, sizeof(*s->peers));
		memset(s->peers + s->npeers, 0,
		    (n - s->npeers) * sizeof(*s->peers));
		s->npeers = n;
	}
	if (s->peers[num] == NULL)
		s->peers[num] = xcalloc(1, sizeof(*s->peers[num]));
	return s->peers[num];
}

void
serf_coord_forget(struct serf *s, uint32_t num)
{
	if (num < s->npeers) {
		free(s->peers[num]);
		s->peers[num] = NULL;
	}
}

void
serf_coord_heard(struct serf *s, const struct ident *id, uint64_t rtt_ns,
    struct span payload)
{
	struct peer_coord	*p;
	struct coord		 c;

	if (serf_member_find(s, ident_name_span(id)) == NULL ||
	    !decode(payload, &c))
		return;
	p = peer_at(s, id->num);
	if (coord_self_update(s->coord, &p->filter, &c,
	    (double)rtt_ns / NS_PER_S) == -1)
		return;
	p->at = c;
	p->known = true;
	encode(coord_self_at(s->coord), &s->ack);
}

const struct coord *
serf_coord(const struct serf *s)
{
	return s->coord == NULL ? NULL : coord_self_at(s->coord);
}

unsigned
serf_coord_resets(const struct serf *s)
{
	return s->coord == NULL ? 0 : coord_self_resets(s->coord);
}

bool
serf_coord_of(const struct serf *s, struct span name, struct coord *c)
{
	const struct serf_member	*m = serf_member_find(s, name);
	uint32_t			 num;

	if (s->coord == NULL || m == NULL)
		return false;
	num = m->id->num;
	if (num == swim_self(s->swim)->num) {
		*c = *coord_self_at(s->coord);
		return true;
	}
	if (num >= s->npeers || s->peers[num] == NULL || !s->peers[num]->known)
		return false;
	*c = s->peers[num]->at;
	return true;
}

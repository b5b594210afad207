/*
 * The exchange of full state: writing ours, reading and merging another's
 * (gossip.md 6.4, 8 and 9.8).
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/swim_int.h"

#define WIRE_LEFT 3	/* State on the wire, as in enum swim_state */

void
swim_state_write(struct swim *s, bool join, bool look, struct wbuf *w)
{
	struct ml_header	 h = { .join = join };
	struct ml_state		 st;
	struct wbuf		 user;
	const struct sview	*v;
	uint32_t		 i;

	wb_init(&user, 0);
	if (!look) {
		h.nodes = s->n;
		s->ops.state_write(s->arg, &user);
		h.user_len = user.len;
	}
	wb_u8(w, ML_PUSHPULL);
	body_encode(&ml_header_body, &h, w);
	for (i = 0; i < h.nodes; i++) {
		v = &s->view[s->list[i]];
		st.addr = gaddr_ip(&v->id->addr);
		st.inc = v->inc;
		st.meta = ident_meta(v->id);
		st.name = ident_name_span(v->id);
		st.port = v->id->addr.port;
		st.state = v->state;
		st.vsn = span_of(v->id->vsn, VSN_LEN);
		body_encode(&ml_state_body, &st, w);
	}
	wb_bytes(w, user.p, user.len);
	wb_free(&user);
}

static bool
said_of(const struct ml_state *st, struct swim_said *a)
{
	memset(a, 0, sizeof(*a));
	a->name = st->name;
	a->meta = st->meta;
	a->addr = gaddr_of(st->addr, st->port);
	a->inc = st->inc;
	if (st->vsn.n == VSN_LEN)
		memcpy(a->vsn, st->vsn.p, VSN_LEN);
	if (st->state < 0 || st->state > WIRE_LEFT)
		return false;
	a->state = (enum swim_state)st->state;
	return true;
}

const char *
swim_state_parse(const uint8_t *p, size_t len, struct swim_said **said,
    size_t *nsaid, bool *join, struct span *user)
{
	struct ml_header	 h;
	struct ml_state		 st;
	struct swim_said	*a = NULL;
	struct rbuf		 r;
	size_t			 i, n = 0;

	rb_init(&r, p, len);
	if (rb_u8(&r) != ML_PUSHPULL)
		return "not an exchange of state";
	body_decode(&ml_header_body, &r, &h);
	if (!rb_ok(&r))
		return r.err;
	if (h.nodes > SWIM_MEMBERS_MAX || h.nodes > r.n)
		return "too many members";
	a = xcalloc(h.nodes + 1, sizeof(*a));
	for (i = 0; i < h.nodes && rb_ok(&r); i++) {
		body_decode(&ml_state_body, &r, &st);
		/* A state that we do not know is none of our business. */
		if (rb_ok(&r) && said_of(&st, &a[n]))
			n++;
	}
	user->p = rb_bytes(&r, h.user_len);
	user->n = h.user_len;
	if (!rb_ok(&r)) {
		free(a);
		return r.err;
	}
	*said = a;
	*nsaid = n;
	*join = h.join;
	return NULL;
}

/* What all alive members have in common, of both version numbers. */
struct range { uint8_t min, max; };

static void
range_narrow(struct range r[2], const uint8_t vsn[VSN_LEN])
{
	int	i;

	for (i = 0; i < 2; i++) {
		if (vsn[3 * i] > r[i].min)
			r[i].min = vsn[3 * i];
		if (vsn[3 * i + 1] < r[i].max)
			r[i].max = vsn[3 * i + 1];
	}
}

static bool
range_holds(const struct range r[2], const uint8_t vsn[VSN_LEN])
{
	int	i;

	for (i = 0; i < 2; i++)
		if (vsn[3 * i + 2] < r[i].min || vsn[3 * i + 2] > r[i].max)
			return false;
	return true;
}

static bool
versions_agree(struct swim *s, const struct swim_said *a, size_t n)
{
	static const uint8_t	 none[VSN_LEN];
	struct range		 r[2] = { { 0, UINT8_MAX }, { 0, UINT8_MAX } };
	const struct sview	*v;
	size_t			 i;

	for (i = 0; i < n; i++)
		if (a[i].state == SWIM_ALIVE &&
		    memcmp(a[i].vsn, none, VSN_LEN) != 0)
			range_narrow(r, a[i].vsn);
	for (i = 0; i < s->n; i++) {
		v = &s->view[s->list[i]];
		if (v->state == SWIM_ALIVE)
			range_narrow(r, v->id->vsn);
	}
	for (i = 0; i < n; i++)
		if (!range_holds(r, a[i].vsn))
			return false;
	for (i = 0; i < s->n; i++) {
		v = &s->view[s->list[i]];
		if (v->state != SWIM_LEFT && !range_holds(r, v->id->vsn))
			return false;
	}
	return true;
}

static void
merge_one(struct swim *s, uint64_t now, struct swim_said *a)
{
	struct ml_claim	c = { .node = a->name, .inc = a->inc };

	switch (a->state) {
	case SWIM_ALIVE:
		if (a->addr.port == 0)
			a->addr.port = s->self->addr.port;
		swim_alive(s, now, a, false);
		break;
	case SWIM_LEFT:
		c.from = a->name;
		swim_dead(s, now, &c, NULL);
		break;
	case SWIM_DEAD:
	case SWIM_SUSPECT:
		/* Hearsay: never enough to declare it dead. */
		c.from = ident_name_span(s->self);
		swim_suspect(s, now, &c, "by an exchange of state");
		break;
	}
}

bool
swim_teller_is_behind(const struct swim *s, struct span name)
{
	uint32_t	num = idents_find(s->idents, name);

	return s->behind != NULL && num < s->nview &&
	    (s->behind[num / 8] >> num % 8 & 1) != 0;
}

/* Whom these have as gone, in a life before the one that it is alive in. */
static uint8_t *
find_behind(const struct swim *s, const struct swim_said *a, size_t n)
{
	const struct sview	*v;
	uint8_t			*bits = xcalloc(s->nview / 8 + 1, 1);
	size_t			 i;

	for (i = 0; i < n; i++)
		if ((a[i].state == SWIM_LEFT || a[i].state == SWIM_DEAD) &&
		    (v = swim_view(s, a[i].name)) != NULL &&
		    v->state == SWIM_ALIVE && a[i].inc < v->inc)
			bits[v->id->num / 8] |= (uint8_t)(1 << v->id->num % 8);
	return bits;
}

const char *
swim_merge(struct swim *s, uint64_t now, const uint8_t *p, size_t len)
{
	struct swim_said	*a;
	struct span		 user;
	const char		*why;
	size_t			 i, n;
	bool			 join;

	if ((why = swim_state_parse(p, len, &a, &n, &join, &user)) != NULL)
		return why;
	if (!versions_agree(s, a, n))
		why = "protocol versions are incompatible";
	else if (join)
		why = s->ops.admit(s->arg, a, n, true);
	if (why == NULL) {
		/*
		 * One that knows nobody yet learns what all others know: were
		 * it to tell them, its own news would wait behind it.
		 */
		s->quiet = swim_size(s) == 1;
		for (i = 0; i < n; i++)
			merge_one(s, now, &a[i]);
		s->quiet = false;
		if (user.n > 0) {
			s->behind = find_behind(s, a, n);
			s->ops.state_read(s->arg, user, join);
			free(s->behind);
			s->behind = NULL;
		}
	}
	free(a);
	return why;
}

/*
 * What must hold.  The truth is kept beside the network: which life of which
 * name said what under which incarnation, and which life is over.  After every
 * step of a host its views are compared with the truth and with what they were
 * before the step; in a run that is not checked fully, now and then with the
 * truth alone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define QUEUE_MAX	4096	/* or twice the members */
#define SAMPLE_STEPS	8192	/* a host's views against the truth */
#define POLL_MS		250
#define STEADY_NS	(40 * NS_PER_S)

static const char *const invariant_names[INV_MAX] = {
	[INV_NONE] = "none",
	[INV_CONTENT] = "content",
	[INV_BACKWARDS] = "backwards",
	[INV_RESURRECTED] = "resurrected",
	[INV_QUEUE] = "queue",
	[INV_REAPED] = "reaped",
	[INV_DUPLICATE] = "duplicate",
	[INV_WRONGED] = "wronged",
	[INV_REFUTED] = "refuted",
	[INV_AGREE] = "agree",
};

const char *
invariant_name(enum invariant i)
{
	return invariant_names[i];
}

void
violated(struct sim *s, enum invariant i, const char *fmt, ...)
{
	va_list	ap;

	printf("violated: %s: at %.6f s: ", invariant_name(i),
	    (double)s->now / NS_PER_S);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	printf("\nreplay: %s\n", s->replay);
	(void)fflush(stdout);
	/* Runs are processes; the status says what broke. */
	_exit(10 + (int)i);
}

/* ---- the truth ---- */

static struct life *
last_life(struct sim *s, uint32_t name)
{
	struct truth	*t = &s->truth[name];

	return t->n > 0 ? &t->life[t->n - 1] : NULL;
}

/* The host that has the name now, or NULL. */
static struct host *
host_of(struct sim *s, uint32_t name)
{
	struct life	*l = last_life(s, name);

	return l == NULL || l->over ? NULL : &s->host[l->host];
}

void
check_started(struct host *h)
{
	struct sim	*s = h->sim;
	struct truth	*t = &s->truth[h->name];

	t->life = xreallocarray(t->life, t->n + 1, sizeof(*t->life));
	memset(&t->life[t->n], 0, sizeof(*t->life));
	t->life[t->n++].host = h->index;
	h->said = NULL;
	h->said_inc = 0;
	if (h->nshadow > 0) {
		memset(h->shadow, 0, h->nshadow * sizeof(*h->shadow));
		memset(h->tomb, 0, h->nshadow * sizeof(*h->tomb));
	}
	if (s->nseen > 0)
		memset(s->seen + (size_t)h->index * s->nseen, 0, s->nseen);
}

void
check_over(struct host *h, bool left)
{
	struct life	*l = last_life(h->sim, h->name);

	l->over = true;
	l->left = left;
}

static void
number_is(struct sim *s, uint32_t num, uint32_t name)
{
	uint32_t	n = s->nby_num;

	if (num >= n) {
		s->nby_num = (num + 1) * 2;
		s->by_num = xreallocarray(s->by_num, s->nby_num,
		    sizeof(*s->by_num));
		for (; n < s->nby_num; n++)
			s->by_num[n] = NOBODY;
	}
	s->by_num[num] = name;
	s->truth[name].num = num;
}

static void
publish(struct host *h)
{
	struct sim	*s = h->sim;
	struct swim	*w = serf_swim(h->serf);
	struct ident	*self = swim_self(w);
	uint32_t	 inc = swim_incarnation(w);
	struct life	*l = last_life(s, h->name);

	if (self == h->said && inc == h->said_inc)
		return;
	if (inc < h->said_inc)
		violated(s, INV_BACKWARDS, "host %u goes back itself from "
		    "%u to %u", h->index, h->said_inc, inc);
	if (self != h->said && inc == h->said_inc)
		violated(s, INV_CONTENT, "host %u says another thing with "
		    "the same incarnation %u", h->index, inc);
	if (h->said == NULL)
		number_is(s, self->num, h->name);
	if (inc > l->cap) {
		l->cap = inc * 2;
		l->said = xreallocarray(l->said, l->cap, sizeof(*l->said));
	}
	/* References, so that numbers and identities last as long as the run. */
	while (l->n < inc)
		l->said[l->n++] = ident_ref(self);
	h->said = self;
	h->said_inc = inc;
}

/* The last life that said this under that incarnation, + 1; 0: none did. */
static uint32_t
life_saying(const struct truth *t, const struct ident *id, uint32_t inc)
{
	uint32_t	i;

	for (i = t->n; i > 0; i--)
		if (inc >= 1 && inc <= t->life[i - 1].n &&
		    t->life[i - 1].said[inc - 1] == id)
			return i;
	return 0;
}

/*
 * The last life whose leave this is, + 1; 0: there is none.  A leave says the
 * last incarnation of a life, and the address is where it was.
 */
static uint32_t
life_left(struct sim *s, const struct truth *t, const struct sview *v)
{
	const struct life	*l;
	uint32_t		 i;

	for (i = t->n; i > 0; i--) {
		l = &t->life[i - 1];
		if ((l->left || (!l->over && s->host[l->host].leaving)) &&
		    l->n == v->inc && gaddr_equal(&v->id->addr,
		    &l->said[l->n - 1]->addr))
			return i;
	}
	return 0;
}

/* ---- a step ---- */

/* SWIM forgets who was dead or has left for long; Serf remembers. */
static void
check_removed(struct host *h, uint32_t name, const struct shadow *was)
{
	if (was->state != SWIM_DEAD && was->state != SWIM_LEFT)
		violated(h->sim, INV_REAPED, "host %u dropped n%05u, which "
		    "it had as %s", h->index, name,
		    swim_state_name((enum swim_state)was->state));
}

static void
check_alive(struct host *h, uint32_t name, const struct sview *v,
    uint32_t tomb)
{
	struct truth	*t = &h->sim->truth[name];
	uint32_t	 l = life_saying(t, v->id, v->inc);

	if (tomb != 0 && (l == 0 ? t->n : l) <= tomb)
		violated(h->sim, INV_RESURRECTED, "host %u has n%05u alive "
		    "(incarnation %u), which it knew had left", h->index,
		    name, v->inc);
	if (l == 0)
		violated(h->sim, INV_CONTENT, "host %u has n%05u with "
		    "incarnation %u as nobody ever said", h->index, name,
		    v->inc);
}

static void
check_view(struct host *h, uint32_t num, const struct sview *v)
{
	struct sim	*s = h->sim;
	struct shadow	*was = &h->shadow[num];
	uint32_t	 name = num < s->nby_num ? s->by_num[num] : NOBODY;

	if (name == NOBODY)
		violated(s, INV_CONTENT, "host %u knows a member that there "
		    "never was: %s", h->index, ident_name(v->id));
	if (v->id == NULL) {
		check_removed(h, name, was);
		return;
	}
	if (was->id != NULL && v->inc < was->inc &&
	    (gaddr_equal(&v->id->addr, &was->id->addr) ||
	    (was->state != SWIM_DEAD && was->state != SWIM_LEFT)))
		violated(s, INV_BACKWARDS, "host %u goes back with n%05u "
		    "from incarnation %u to %u", h->index, name, was->inc,
		    v->inc);
	if (v->state == SWIM_ALIVE)
		check_alive(h, name, v, h->tomb[num]);
	if (v->state == SWIM_LEFT)
		h->tomb[num] = life_left(s, &s->truth[name], v);
}

static void
shadow_grow(struct host *h, uint32_t n)
{
	h->shadow = xreallocarray(h->shadow, n, sizeof(*h->shadow));
	h->tomb = xreallocarray(h->tomb, n, sizeof(*h->tomb));
	memset(h->shadow + h->nshadow, 0,
	    (n - h->nshadow) * sizeof(*h->shadow));
	memset(h->tomb + h->nshadow, 0, (n - h->nshadow) * sizeof(*h->tomb));
	h->nshadow = n;
}

static void
check_views(struct host *h)
{
	struct swim	*w = serf_swim(h->serf);
	struct shadow	*was;
	struct sview	*v;
	uint32_t	 i;

	if (w->nview > h->nshadow)
		shadow_grow(h, w->nview);
	for (i = 0; i < w->nview; i++) {
		v = &w->view[i];
		was = &h->shadow[i];
		if (v->id == was->id && v->inc == was->inc &&
		    (v->id == NULL || v->state == was->state))
			continue;
		check_view(h, i, v);
		was->id = v->id;
		was->inc = v->inc;
		was->state = (uint8_t)v->state;
	}
}

/* Against the truth alone: no memory is needed for it. */
static void
check_sample(struct host *h)
{
	struct swim	*w = serf_swim(h->serf);
	uint32_t	 i;

	for (i = 0; i < w->nview; i++)
		if (w->view[i].id != NULL && w->view[i].state == SWIM_ALIVE)
			check_alive(h, h->sim->by_num[i], &w->view[i], 0);
}

void
check_step(struct host *h)
{
	struct sim	*s = h->sim;
	struct bcast	*b = swim_bcast(serf_swim(h->serf));
	size_t		 max = 2 * serf_count_all(h->serf);
	int		 kind;

	publish(h);
	if (max < QUEUE_MAX)
		max = QUEUE_MAX;
	for (kind = 0; kind < BC_MAX; kind++)
		if (bcast_count(b, (enum bcast_kind)kind) > (kind == BC_MEMBER ?
		    idents_bound(s->idents) : max))
			violated(s, INV_QUEUE, "host %u has %zu messages in "
			    "queue %d", h->index,
			    bcast_count(b, (enum bcast_kind)kind), kind);
	if (s->conf.checked)
		check_views(h);
	else if (s->steps % SAMPLE_STEPS == 0)
		check_sample(h);
}

/* ---- what a core says ---- */

void
check_reaped(struct host *h, const struct serf_member *m)
{
	uint32_t	 name = sim_name_of(h->sim, m->id);
	struct host	*y = name == NOBODY ? NULL : host_of(h->sim, name);

	if (y != NULL && gaddr_equal(&m->id->addr, &y->addr) &&
	    host_steady(h, y, STEADY_NS))
		violated(h->sim, INV_REAPED, "host %u forgot n%05u, which is "
		    "in reach", h->index, name);
}

static void
count_wrong(struct host *h, struct host *y, const struct serf_member *m)
{
	struct sim	*s = h->sim;
	struct wrong	*w = &s->wrong;
	uint32_t	 inc = 0;

	(void)swim_lookup(serf_swim(h->serf), ident_name_span(m->id), &inc);
	w->views++;
	if (s->wronged[y->name] < inc) {
		s->wronged[y->name] = inc;
		w->members++;
	}
	if (h->slow)
		return;
	w->views_healthy++;
	if (s->wronged_healthy[y->name] < inc) {
		s->wronged_healthy[y->name] = inc;
		w->members_healthy++;
	}
}

void
check_failed(struct host *h, const struct serf_member *m)
{
	struct sim	*s = h->sim;
	uint32_t	 name = sim_name_of(s, m->id);
	struct host	*y = name == NOBODY ? NULL : host_of(s, name);

	if (y == NULL || !gaddr_equal(&m->id->addr, &y->addr) ||
	    y->leaving || !host_hears(h, y)) {
		s->wrong.true_views++;
		return;
	}
	if (y->slow) {
		s->wrong.slow++;
		return;
	}
	count_wrong(h, y, m);
	if (s->conf.no_wrong && host_steady(h, y, STEADY_NS))
		violated(s, INV_WRONGED, "host %u says that n%05u failed, "
		    "which runs and is in reach", h->index, name);
}

/* Events of scenarios are numbered: "e123". */
void
check_event(struct host *h, const struct sf_event *e)
{
	struct sim	*s = h->sim;
	char		 text[16];
	unsigned long	 n;
	uint8_t		*seen;

	if (s->nseen == 0 || e->name.n < 2 || e->name.n >= sizeof(text) ||
	    e->name.p[0] != 'e')
		return;
	memcpy(text, e->name.p, e->name.n);
	text[e->name.n] = '\0';
	if ((n = strtoul(text + 1, NULL, 10)) >= s->nseen)
		return;
	seen = &s->seen[(size_t)h->index * s->nseen + n];
	if (*seen != 0)
		violated(s, INV_DUPLICATE, "host %u takes event %s twice",
		    h->index, text);
	*seen = 1;
}

/* ---- the end ---- */

struct quarrel { enum invariant breaks; char text[200]; };

static bool
quarrel(struct quarrel *q, enum invariant i, const struct host *x,
    uint32_t name, const char *has, uint32_t inc)
{
	q->breaks = i;
	(void)snprintf(q->text, sizeof(q->text),
	    "host %u has n%05u as %s (incarnation %u)", x->index, name, has,
	    inc);
	return true;
}

/* Does x see the member wrongly that runs on y? */
static bool
quarrel_up(struct quarrel *q, struct host *x, struct host *y)
{
	struct sview			*v;
	const struct serf_member	*m;
	struct swim			*w = serf_swim(y->serf);
	struct span			 name = ident_name_span(swim_self(w));
	enum invariant			 i;
	char				 has[96];

	i = host_hears(x, y) ? INV_REFUTED : INV_AGREE;
	if ((v = swim_view(serf_swim(x->serf), name)) == NULL)
		return quarrel(q, i, x, y->name, "unknown", 0);
	if (v->state != SWIM_ALIVE)
		return quarrel(q, i, x, y->name,
		    swim_state_name((enum swim_state)v->state), v->inc);
	if (v->inc != swim_incarnation(w) || v->id != swim_self(w))
		return quarrel(q, i, x, y->name, "alive, with old news",
		    v->inc);
	if ((m = serf_member_find(x->serf, name)) == NULL)
		return quarrel(q, INV_AGREE, x, y->name,
		    "unknown to Serf", v->inc);
	if (m->status == MEMBER_ALIVE)
		return false;
	(void)snprintf(has, sizeof(has), "alive, but as %u since %llu in "
	    "Serf's memory, itself since %llu", m->status,
	    (unsigned long long)m->ltime, (unsigned long long)
	    serf_member_find(y->serf, name)->ltime);
	return quarrel(q, INV_AGREE, x, y->name, has, v->inc);
}

static bool
quarrel_down(struct quarrel *q, struct host *x, uint32_t name,
    const struct life *l)
{
	const struct serf_member	*m;
	struct span			 text;
	struct sview			*v;
	char				 has[64];

	text = ident_name_span(l->said[0]);
	v = swim_view(serf_swim(x->serf), text);
	if (v != NULL && (v->state == SWIM_ALIVE || v->state == SWIM_SUSPECT))
		return quarrel(q, INV_AGREE, x, name, "still there", v->inc);
	m = serf_member_find(x->serf, text);
	if (m == NULL || m->status == MEMBER_LEFT)
		return false;
	if (m->status != MEMBER_FAILED)
		return quarrel(q, INV_AGREE, x, name,
		    "still alive in Serf's memory", 0);
	if (!l->left)
		return false;
	(void)snprintf(has, sizeof(has), "failed since %llu, though it left",
	    (unsigned long long)m->ltime);
	return quarrel(q, INV_AGREE, x, name, has, v == NULL ? 0 : v->inc);
}

static bool
quarrels(struct host *x, struct quarrel *q)
{
	struct sim	*s = x->sim;
	struct host	*y;
	uint32_t	 i;

	for (i = 0; i < s->nnames; i++) {
		if (s->truth[i].n == 0)
			continue;
		if ((y = host_of(s, i)) == NULL) {
			if (quarrel_down(q, x, i, last_life(s, i)))
				return true;
		} else if (!y->leaving && quarrel_up(q, x, y)) {
			return true;
		}
	}
	return false;
}

uint64_t
check_agree(struct sim *s, uint64_t within_ns)
{
	uint64_t	start = s->now;
	struct quarrel	q;
	uint32_t	i, first = 0;

	for (;;) {
		/* The one who disagreed last is asked first. */
		for (i = 0; i < s->n; i++, first = (first + 1) % s->n)
			if (s->host[first].serf != NULL &&
			    !s->host[first].leaving &&
			    quarrels(&s->host[first], &q))
				break;
		if (i == s->n)
			return s->now - start;
		if (s->now - start >= within_ns)
			violated(s, q.breaks, "%.0f s were not enough: %s",
			    (double)within_ns / NS_PER_S, q.text);
		sim_run_ms(s, POLL_MS);
	}
}

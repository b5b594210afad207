/*
 * Which instances an answer has: those that fit, in random order, as many as
 * this client may get.  See answer_i.h.
 */
#include <stdlib.h>
#include <string.h>

#include "dnsd/answer_i.h"

/* The view, or NULL with what that means noted. */
const struct view *
lookup(struct answering *a, enum view_kind kind, const char *name, size_t len)
{
	const struct view	*v = NULL;

	switch (a->env->find(kind, name, len, &v, a->env->arg)) {
	case FOUND_VIEW:
		return v;
	case FOUND_NONE:
		break;
	case FOUND_WAIT:
		a->wait = true;
		break;
	case FOUND_FAIL:
		a->fail = true;
		break;
	}
	return NULL;
}

struct answer_slot *
slots_for(struct answering *a, size_t n)
{
	struct answerer	*e = a->env;

	if (n > e->nslots) {
		e->slots = xreallocarray(e->slots, n, sizeof(*e->slots));
		memset(e->slots + e->nslots, 0,
		    (n - e->nslots) * sizeof(*e->slots));
		e->nslots = n;
	}
	if (++e->stamp == 0) {
		memset(e->slots, 0, e->nslots * sizeof(*e->slots));
		e->stamp = 1;
	}
	return e->slots;
}

size_t
healthy(const struct answering *a, const struct view *v)
{
	return a->conf->only_passing ? v->npassing : v->nhealthy;
}

/* Which of an instance's addresses a question of that type is for. */
unsigned
wanted(const struct inst *i, uint16_t qtype)
{
	switch (qtype) {
	case DNS_T_A:
		return i->has & INST_V4;
	case DNS_T_AAAA:
		return i->has & INST_V6;
	case DNS_T_ANY:
		return i->any & (INST_V4 | INST_V6);
	case DNS_T_SRV:
		return i->target_len > 0 ? INST_V4 : 0;
	default:
		return 0;
	}
}

bool
follows_names(uint16_t qtype)
{
	return qtype == DNS_T_A || qtype == DNS_T_AAAA ||
	    qtype == DNS_T_ANY || qtype == DNS_T_CNAME;
}

/*
 * Instances with that tag that have what is asked for, into the slots.  Where
 * none has an address of its own, those with a name instead; *any says if an
 * instance was there at all.
 */
size_t
candidates(struct answering *a, const struct view *v,
    const struct question *q, uint16_t qtype, bool *any)
{
	struct answer_slot	*s = slots_for(a, v->n);
	size_t			 i, n = healthy(a, v), m = 0;
	bool			 names = false;

	*any = false;
	for (i = 0; i < n; i++) {
		if (q->tag_len > 0 &&
		    !inst_has_tag(&v->inst[i], q->tag, q->tag_len))
			continue;
		*any = true;
		names = names || (v->inst[i].has & INST_HOST);
		if (wanted(&v->inst[i], qtype) != 0)
			s[m++].order = (uint32_t)i;
	}
	if (m > 0 || !names || !follows_names(qtype))
		return m;
	for (i = 0; i < n; i++)
		if ((v->inst[i].has & INST_HOST) && (q->tag_len == 0 ||
		    inst_has_tag(&v->inst[i], q->tag, q->tag_len)))
			s[m++].order = (uint32_t)i;
	return m;
}

/* Among those from k on, each as often as its weight says. */
static size_t
draw_weighted(struct answering *a, const struct view *v, size_t k, size_t m)
{
	struct answer_slot	*s = a->env->slots;
	uint32_t		 sum = 0, x;
	size_t			 r;

	for (r = k; r < m; r++)
		sum += v->inst[s[r].order].weight;
	if (sum == 0)
		return k + rng_below(&a->env->rng, (uint32_t)(m - k));
	x = rng_below(&a->env->rng, sum);
	for (r = k; x >= v->inst[s[r].order].weight; r++)
		x -= v->inst[s[r].order].weight;
	return r;
}

/*
 * Draws the k-th of m by random and returns it.  The first addresses by
 * weight: that is where clients look.  A client of SRV weighs by itself.
 */
const struct inst *
draw(struct answering *a, const struct view *v, size_t k, size_t m)
{
	struct answer_slot	*s = a->env->slots;
	uint32_t		 x = s[k].order;
	size_t			 r;

	if (m - k > 1 && !v->ordered) {
		if (v->weighted && k < WEIGHTED_MAX &&
		    a->q.qtype != DNS_T_SRV)
			r = draw_weighted(a, v, k, m);
		else
			r = k + rng_below(&a->env->rng, (uint32_t)(m - k));
		s[k].order = s[r].order;
		s[r].order = x;
	}
	return &v->inst[s[k].order];
}

bool
seen(struct answering *a, uint32_t id)
{
	if (a->env->slots[id].seen == a->env->stamp)
		return true;
	a->env->slots[id].seen = a->env->stamp;
	return false;
}

/* How many records this client may get. */
size_t
record_limit(const struct answering *a, uint16_t qtype)
{
	size_t	max = SIZE_MAX;

	if (qtype != DNS_T_SRV && a->conf->a_record_limit > 0)
		max = a->conf->a_record_limit;
	if (a->udp && a->limit <= DNS_UDP_PLAIN) {
		if (max > UDP_ANSWERS_MAX)
			max = UDP_ANSWERS_MAX;
		if (a->conf->udp_answer_limit > 0 &&
		    max > a->conf->udp_answer_limit)
			max = a->conf->udp_answer_limit;
	}
	return max;
}

void
trimmed(struct answering *a)
{
	if (a->udp && a->conf->truncate)
		a->flags |= DNS_TC;
}

void
cut(struct answering *a)
{
	a->flags |= DNS_TC;
}

/* Addresses of m candidates, under that owner. */
void
put_addresses(struct answering *a, const struct view *v,
    const struct owner *o, uint16_t qtype, size_t m, size_t max)
{
	const struct inst	*i;
	size_t			 k, n = 0;

	for (k = 0; k < m; k++) {
		i = draw(a, v, k, m);
		if (seen(a, i->addr_id))
			continue;
		if (n == max) {
			if (n < a->conf->a_record_limit ||
			    a->conf->a_record_limit == 0)
				trimmed(a);
			return;
		}
		if (!put_addr(a, ANSWERS, o, i, wanted(i, qtype), v->ttl)) {
			cut(a);
			return;
		}
		n++;
	}
}

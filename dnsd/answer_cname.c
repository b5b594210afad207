/*
 * Addresses that are names: see answer_i.h.
 */
#include "dnsd/answer_i.h"

static void chase(struct answering *, const struct owner *, unsigned depth);

/* The owner's address is a name: CNAME, and where that leads if it is ours. */
void
put_cname(struct answering *a, const struct owner *o, const struct inst *i,
    uint32_t ttl, unsigned depth)
{
	struct owner	target;

	if (!put_named(a, ANSWERS, o, DNS_T_CNAME, ttl, i->host, i->host_len,
	    &target)) {
		a->flags |= DNS_TC;
		return;
	}
	if (a->q.qtype != DNS_T_CNAME && depth < CHASE_MAX)
		chase(a, &target, depth + 1);
}

/* The view that a name inside the domain stands for. */
static const struct view *
view_of(struct answering *a, struct question *q, const struct owner *o)
{
	question_read(q, &a->conf->zone, o->name, o->len, a->q.qtype);
	if (q->kind == Q_SERVICE)
		return lookup(a, VIEW_SERVICE, q->name, q->name_len);
	if (q->kind == Q_QUERY)
		return lookup(a, VIEW_QUERY, q->name, q->name_len);
	if (q->kind == Q_NODE)
		return lookup(a, VIEW_NODE, q->name, q->name_len);
	return NULL;
}

static void
chase(struct answering *a, const struct owner *o, unsigned depth)
{
	struct question		 q;
	const struct view	*v;
	const struct inst	*i;
	size_t			 m;
	bool			 any;

	if ((v = view_of(a, &q, o)) == NULL || v->n == 0)
		return;
	m = candidates(a, v, &q, a->q.qtype, &any);
	if (v->kind == VIEW_NODE) {
		/* a node is found whatever its health */
		i = &v->inst[0];
		m = 1;
		a->env->slots[0].order = 0;
		if (wanted(i, a->q.qtype) == 0 && !(i->has & INST_HOST))
			return;
	}
	if (m == 0)
		return;
	i = draw(a, v, 0, m);
	if (i->has & INST_HOST)
		put_cname(a, o, i, v->ttl, depth);
	else
		put_addresses(a, v, o, a->q.qtype, m,
		    record_limit(a, a->q.qtype));
}

/* Addresses of an SRV target that is a name of ours, if we have it ready. */
void
host_glue(struct answering *a, const struct owner *o)
{
	struct question		 q;
	const struct view	*v;
	size_t			 k, n, left = HOST_GLUE_MAX;
	bool			 wait = a->wait, fail = a->fail;

	v = view_of(a, &q, o);
	a->wait = wait;		/* nobody waits for what is additional */
	a->fail = fail;
	if (v == NULL)
		return;
	n = v->kind == VIEW_NODE ? v->n : healthy(a, v);
	for (k = 0; k < n && left > 0; k++) {
		if (q.tag_len > 0 &&
		    !inst_has_tag(&v->inst[k], q.tag, q.tag_len))
			continue;
		if (v->inst[k].any & (INST_V4 | INST_V6)) {
			(void)put_addr(a, ADDITIONAL, o, &v->inst[k],
			    v->inst[k].any, v->ttl);
			left--;
		}
	}
}

/*
 * Addresses that are names: see answer_i.h.
 */
#include "dnsd/answer_i.h"
#include "dnsd/outside.h"

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

/* What the recursors know of a name outside, or NULL. */
static const struct view *
outside(struct answering *a, const struct owner *o, uint16_t qtype)
{
	const struct view	*v;
	char			 name[DNS_NAME_MAX + 8];
	size_t			 n;
	bool			 fail = a->fail;

	if (!a->conf->recursion ||
	    (n = outside_name(o->name, o->len, qtype, name)) == 0)
		return NULL;
	v = lookup(a, VIEW_OUTSIDE, name, n);
	a->fail = fail;		/* then the name alone is the answer */
	return v;
}

/* Its records with what is left of their TTLs; false: not all fit. */
static bool
put_outside(struct answering *a, enum section s, const struct owner *o,
    const struct view *v)
{
	uint32_t		 age = a->env->now - v->born, ttl;
	const struct inst	*i;
	struct owner		 owner;
	size_t			 k;
	bool			 ok;

	for (k = 0; k < v->n; k++) {
		i = &v->inst[k];
		ttl = i->ttl > age ? i->ttl - age : 0;
		owner = (struct owner){ i->node, i->node_len, 0 };
		if (dns_name_equal(i->node, i->node_len, o->name, o->len))
			owner = *o;
		if (i->has != INST_HOST)
			ok = put_addr(a, s, &owner, i, i->has, ttl);
		else
			ok = put_named(a, s, &owner, DNS_T_CNAME,
			    ttl, i->host, i->host_len, NULL);
		if (!ok)
			return false;
	}
	return true;
}

static void
chase_outside(struct answering *a, const struct owner *o)
{
	const struct view	*v = outside(a, o, a->q.qtype);

	if (v != NULL && !put_outside(a, ANSWERS, o, v))
		a->flags |= DNS_TC;
}

static void
chase(struct answering *a, const struct owner *o, unsigned depth)
{
	struct question		 q;
	const struct view	*v;
	const struct inst	*i;
	size_t			 m;
	bool			 any;

	v = view_of(a, &q, o);
	if (q.kind == Q_FOREIGN)
		chase_outside(a, o);
	if (v == NULL || v->n == 0)
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
	if (q.kind == Q_FOREIGN && (v = outside(a, o, DNS_T_A)) != NULL)
		(void)put_outside(a, ADDITIONAL, o, v);
	if (v == NULL || v->kind == VIEW_OUTSIDE)
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

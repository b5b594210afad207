/*
 * SRV records.  One is only taken together with its address and text in the
 * additional section; but one alone is better than none.
 */
#include "dnsd/answer_i.h"

static bool
has_text(const struct answering *a, const struct inst *i)
{
	return a->conf->node_meta_txt && i->ntxt > 0 && i->node_len > 0;
}

/* What the additional section needs for it, at most. */
static size_t
glue_len(struct answering *a, const struct inst *i, const struct owner *target)
{
	struct answer_slot	*s = a->env->slots;
	size_t			 n = 0, o = owner_len(a, target);

	if ((i->glue & (INST_V4 | INST_V6)) &&
	    s[i->addr_id].addr_glued != a->env->stamp)
		n += o + DNS_RR_FIXED + (i->glue == INST_V4 ? 4 : 16);
	if (has_text(a, i) && s[i->node_id].node_glued != a->env->stamp) {
		if (!i->target_is_node)
			o = i->node_len;
		n += i->ntxt * (o + DNS_RR_FIXED) + i->txt_len - 2u * i->ntxt;
	}
	return n;
}

static void
glue_mark(struct answering *a, const struct inst *i)
{
	a->env->slots[i->addr_id].addr_glued = a->env->stamp;
	a->env->slots[i->node_id].node_glued = a->env->stamp;
}

/* RFC 2782: the target is not compressed. */
static bool
put_srv(struct answering *a, const struct inst *i, uint32_t ttl,
    struct answer_slot *slot, bool first)
{
	struct dw_mark	 m = dw_mark(&a->w);
	struct owner	 target = { i->target, i->target_len, 0 };
	uint8_t		*p;
	size_t		 glue;

	put_owner(a, &a->self);
	dw_fixed(&a->w, DNS_T_SRV, ttl, (uint16_t)(6 + i->target_len));
	if ((p = dw_room(&a->w, 6)) != NULL) {
		dns_put16(p, 1);	/* priority */
		dns_put16(p + 2, i->weight);
		dns_put16(p + 4, i->port);
	}
	target.off = a->w.len;
	dw_bytes(&a->w, i->target, i->target_len);
	slot->target_off = target.off <= POINTER_MAX ?
	    (uint16_t)target.off : 0;
	glue = glue_len(a, i, &target);
	slot->glue = true;
	a->reserved += glue;
	if (record_done(a, ANSWERS, m)) {
		glue_mark(a, i);
		return true;
	}
	a->reserved -= glue;
	if (!first)
		return false;
	/* one record alone, without its glue, is better than none */
	put_owner(a, &a->self);
	dw_fixed(&a->w, DNS_T_SRV, ttl, (uint16_t)(6 + i->target_len));
	dw_u16(&a->w, 1);
	dw_u16(&a->w, i->weight);
	dw_u16(&a->w, i->port);
	dw_bytes(&a->w, i->target, i->target_len);
	slot->glue = false;
	return record_done(a, ANSWERS, m);
}

/* The additional section of n answered SRV records. */
static void
put_glue(struct answering *a, const struct view *v, size_t n)
{
	struct answer_slot	*s = a->env->slots;
	const struct inst	*i;
	struct owner		 target, node;
	size_t			 k;

	a->reserved = 0;
	(void)slots_for(a, v->n);	/* a new stamp: what is written now */
	for (k = 0; k < n; k++) {
		if (!s[k].glue)
			continue;
		i = &v->inst[s[k].order];
		target = (struct owner){ i->target, i->target_len,
		    s[k].target_off };
		if ((i->glue & (INST_V4 | INST_V6)) &&
		    s[i->addr_id].addr_glued != a->env->stamp)
			(void)put_addr(a, ADDITIONAL, &target, i, i->glue,
			    v->ttl);
		if (has_text(a, i) &&
		    s[i->node_id].node_glued != a->env->stamp) {
			node = (struct owner){ i->node, i->node_len,
			    i->target_is_node ? s[k].target_off : 0 };
			(void)put_txt(a, ADDITIONAL, &node, i, v->ttl);
		}
		glue_mark(a, i);
	}
	for (k = 0; k < n; k++) {
		i = &v->inst[s[k].order];
		if (s[k].glue && i->glue == INST_HOST)
			host_glue(a, &(struct owner){ i->target,
			    i->target_len, s[k].target_off });
	}
}

void
put_srvs(struct answering *a, const struct view *v, size_t m)
{
	struct answer_slot	*s = a->env->slots;
	const struct inst	*i;
	size_t			 k, n = 0, max;

	max = record_limit(a, DNS_T_SRV);
	for (k = 0; k < m; k++) {
		i = draw(a, v, k, m);
		if (seen(a, i->srv_id))
			continue;
		s[n].order = s[k].order;	/* n <= k */
		if (n == max) {
			trimmed(a);
			break;
		}
		if (!put_srv(a, i, v->ttl, &s[n], n == 0)) {
			cut(a);
			break;
		}
		n++;
	}
	put_glue(a, v, n);
}

/*
 * Records of an answer, one by one: see answer_i.h.
 */
#include "dnsd/answer_i.h"

/* 2 bytes, or the whole name where no pointer can be. */
size_t
owner_len(const struct answering *a, const struct owner *o)
{
	return a->conf->compress && o->off != 0 && o->off <= POINTER_MAX ?
	    2 : o->len;
}

void
put_owner(struct answering *a, const struct owner *o)
{
	if (owner_len(a, o) == 2)
		dw_u16(&a->w, (uint16_t)(0xc000 | o->off));
	else
		dw_name(&a->w, o->name, o->len);
}

/* Counts the record written since m, or takes it back. */
bool
record_done(struct answering *a, enum section s, struct dw_mark m)
{
	if (a->w.full || a->w.len + a->reserved > a->w.cap) {
		dw_rewind(&a->w, m);
		return false;
	}
	a->count[s]++;
	return true;
}

bool
put_addr(struct answering *a, enum section s, const struct owner *o,
    const struct inst *i, unsigned which, uint32_t ttl)
{
	struct dw_mark	m = dw_mark(&a->w);

	put_owner(a, o);
	if (which == INST_V4) {
		dw_fixed(&a->w, DNS_T_A, ttl, 4);
		dw_bytes(&a->w, i->v4, 4);
	} else {
		dw_fixed(&a->w, DNS_T_AAAA, ttl, 16);
		dw_bytes(&a->w, i->v6, 16);
	}
	return record_done(a, s, m);
}

/* A record whose data is one name, which may be compressed. */
bool
put_named(struct answering *a, enum section s, const struct owner *o,
    uint16_t type, uint32_t ttl, const uint8_t *name, size_t len,
    struct owner *target)
{
	struct dw_mark	m = dw_mark(&a->w);
	size_t		at;

	put_owner(a, o);
	dw_fixed(&a->w, type, ttl, 0);
	at = a->w.len;
	dw_name(&a->w, name, len);
	if (!record_done(a, s, m))
		return false;
	dns_put16(a->w.p + at - 2, (uint16_t)(a->w.len - at));
	if (target != NULL)
		*target = (struct owner){ name, len, at };
	return true;
}

/* The metadata of an instance's node; false when some did not fit. */
bool
put_txt(struct answering *a, enum section s, struct owner *o,
    const struct inst *i, uint32_t ttl)
{
	const uint8_t	*p = i->txt;
	struct dw_mark	 m;
	uint16_t	 k, n;

	for (k = 0; k < i->ntxt; k++, p += 2 + n) {
		n = dns_get16(p);
		m = dw_mark(&a->w);
		put_owner(a, o);
		dw_fixed(&a->w, DNS_T_TXT, ttl, n);
		dw_bytes(&a->w, p + 2, n);
		if (!record_done(a, s, m))
			return false;
		if (o->off == 0)
			o->off = m.len;	/* the next ones point here */
	}
	return true;
}

void
put_soa(struct answering *a, enum section s)
{
	const struct answer_conf *c = a->conf;
	struct dw_mark	 m = dw_mark(&a->w);
	size_t		 at;
	uint8_t		*p;

	dw_name(&a->w, c->zone.domain, c->zone.domain_len);
	dw_fixed(&a->w, DNS_T_SOA, c->min_ttl, 0);
	at = a->w.len;
	dw_name(&a->w, c->mname, c->mname_len);
	dw_name(&a->w, c->rname, c->rname_len);
	if ((p = dw_room(&a->w, 20)) != NULL) {
		dns_put32(p, a->env->serial);
		dns_put32(p + 4, c->refresh);
		dns_put32(p + 8, c->retry);
		dns_put32(p + 12, c->expire);
		dns_put32(p + 16, c->min_ttl);
	}
	if (record_done(a, s, m))
		dns_put16(a->w.p + at - 2, (uint16_t)(a->w.len - at));
}

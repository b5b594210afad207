/*
 * Answers: see answer.h.
 *
 * Happy path: the question names a service, its view is there, the healthy
 * instances that fit tag and type are drawn at random until the message, or
 * the limit for clients without EDNS, is full.  An SRV record is only taken
 * together with its address and text in the additional section.
 *
 * Names that we make (targets, SOA, NS) are under the main domain, spelled as
 * configured; records answer under the question's own spelling.
 */
#include <stdlib.h>
#include <string.h>

#include "dnsd/answer.h"

#define OPT_LEN 11
#define UDP_ANSWERS_MAX 8	/* without EDNS, whatever the limit is */
#define NS_MAX 3
#define CHASE_MAX 3		/* names followed from one address */
#define HOST_GLUE_MAX 8		/* addresses of a target that is a name */
#define POINTER_MAX 0x3fff

/* Scratch, as many as the largest view has instances. */
struct answer_slot {
	uint32_t	order;		/* which instance */
	uint32_t	seen;		/* stamps, by the ids of view.h */
	uint32_t	addr_glued, node_glued;
	uint16_t	target_off;	/* of an answered SRV; 0: no pointer */
	bool		glue;
};

enum section { ANSWERS, AUTHORITY, ADDITIONAL, SECTIONS };

struct owner {
	const uint8_t	*name;
	size_t		 len;
	size_t		 off;		/* where the message has it */
};

struct answering {
	struct answerer		*env;
	const struct answer_conf *conf;
	struct dns_query	 q;
	struct question		 question;
	struct dns_writer	 w;
	struct owner		 self;	/* the question's name */
	uint16_t		 count[SECTIONS];
	uint16_t		 flags;
	enum dns_rcode		 rcode;
	bool			 udp, wait, fail, no_opt;
	size_t			 limit;
	size_t			 reserved; /* for glue not yet written */
};

/* ---- configuration ---- */

static uint32_t
seconds(int64_t ns)
{
	int64_t	s = ns / NS_PER_S;

	return s < 0 ? 0 : s > INT32_MAX ? INT32_MAX : (uint32_t)s;
}

/* word.DOMAIN */
static size_t
zone_name(const struct dns_zone *z, const char *word, uint8_t *out)
{
	size_t	w = strlen(word);

	if (1 + w + z->domain_len > DNS_NAME_MAX)
		return 0;
	out[0] = (uint8_t)w;
	memcpy(out + 1, word, w);
	memcpy(out + 1 + w, z->domain, z->domain_len);
	return 1 + w + z->domain_len;
}

int
answer_conf_set(struct answer_conf *c, const struct conf_agent *a,
    const struct conf_dns *d)
{
	size_t	i;

	memset(c, 0, sizeof(*c));
	if (dns_zone_set(&c->zone, a->domain, a->alt_domain,
	    a->datacenter) == -1 ||
	    (c->mname_len = zone_name(&c->zone, "ns", c->mname)) == 0 ||
	    (c->rname_len = zone_name(&c->zone, "hostmaster", c->rname)) == 0)
		return -1;
	c->node_ttl = seconds(d->node_ttl);
	c->refresh = (uint32_t)d->soa_refresh;
	c->retry = (uint32_t)d->soa_retry;
	c->expire = (uint32_t)d->soa_expire;
	c->min_ttl = (uint32_t)d->soa_min_ttl;
	c->udp_answer_limit = (uint32_t)d->udp_answer_limit;
	c->a_record_limit = (uint32_t)d->a_record_limit;
	c->only_passing = d->only_passing;
	c->truncate = d->enable_truncate;
	c->node_meta_txt = d->node_meta_txt;
	c->compress = !d->disable_compression;
	c->recursion = d->recursors.n > 0;
	for (i = 0; i < d->service_ttl.n; i++)
		schema_copy(&dns_ttl_schema, VEC_ADD(&c->service_ttl),
		    &d->service_ttl.item[i]);
	return 0;
}

void
answer_conf_clear(struct answer_conf *c)
{
	size_t	i;

	for (i = 0; i < c->service_ttl.n; i++)
		schema_clear(&dns_ttl_schema, &c->service_ttl.item[i]);
	free(c->service_ttl.item);
	memset(c, 0, sizeof(*c));
}

uint32_t
answer_ttl(const struct answer_conf *c, enum view_kind kind, const char *name)
{
	const char	*p;
	size_t		 i, n, best = 0;
	uint32_t	 ttl = 0;

	if (kind == VIEW_NODE)
		return c->node_ttl;
	if (kind == VIEW_REVERSE)
		return 0;
	for (i = 0; i < c->service_ttl.n; i++) {
		p = str_or(c->service_ttl.item[i].name, "");
		n = strlen(p);
		if (strcasecmp(p, name) == 0)
			return seconds(c->service_ttl.item[i].ttl);
		if (n > best && p[n - 1] == '*' &&
		    strncasecmp(p, name, n - 1) == 0) {
			best = n;
			ttl = seconds(c->service_ttl.item[i].ttl);
		}
	}
	return ttl;
}

void
answerer_init(struct answerer *e, const struct answer_conf *c, find_fn *find,
    void *arg)
{
	memset(e, 0, sizeof(*e));
	e->conf = c;
	e->find = find;
	e->arg = arg;
}

void
answerer_clear(struct answerer *e)
{
	free(e->slots);
	e->slots = NULL;
	e->nslots = 0;
}

/* ---- records ---- */

/* 2 bytes, or the whole name where no pointer can be. */
static size_t
owner_len(const struct answering *a, const struct owner *o)
{
	return a->conf->compress && o->off != 0 && o->off <= POINTER_MAX ?
	    2 : o->len;
}

static void
put_owner(struct answering *a, const struct owner *o)
{
	if (owner_len(a, o) == 2)
		dw_u16(&a->w, (uint16_t)(0xc000 | o->off));
	else
		dw_name(&a->w, o->name, o->len);
}

/* Counts the record written since m, or takes it back. */
static bool
record_done(struct answering *a, enum section s, struct dw_mark m)
{
	if (a->w.full || a->w.len + a->reserved > a->w.cap) {
		dw_rewind(&a->w, m);
		return false;
	}
	a->count[s]++;
	return true;
}

static bool
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
static bool
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
static bool
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

static void
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
		dns_put32(p, a->env->now);
		dns_put32(p + 4, c->refresh);
		dns_put32(p + 8, c->retry);
		dns_put32(p + 12, c->expire);
		dns_put32(p + 16, c->min_ttl);
	}
	if (record_done(a, s, m))
		dns_put16(a->w.p + at - 2, (uint16_t)(a->w.len - at));
}

/* ---- negative answers ---- */

static void
negative(struct answering *a, enum dns_rcode rcode)
{
	a->rcode = rcode;
	put_soa(a, AUTHORITY);
}

static void
nodata(struct answering *a)
{
	negative(a, DNS_NOERROR);
}

static void
refuse(struct answering *a)
{
	a->rcode = DNS_REFUSED;
	a->flags &= (uint16_t)~DNS_AA;
	a->no_opt = true;	/* as Consul; nobody minds */
}

/* ---- looking up ---- */

/* The view, or NULL with what that means noted. */
static const struct view *
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

static struct answer_slot *
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

static size_t
healthy(const struct answering *a, const struct view *v)
{
	return a->conf->only_passing ? v->npassing : v->nhealthy;
}

/* Which of an instance's addresses a question of that type is for. */
static unsigned
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

static bool
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
static size_t
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

/* Draws the k-th of m by random and returns it. */
static const struct inst *
draw(struct answering *a, const struct view *v, size_t k, size_t m)
{
	struct answer_slot	*s = a->env->slots;
	uint32_t		 x = s[k].order;
	size_t			 r;

	if (m - k > 1) {
		r = k + rng_below(&a->env->rng, (uint32_t)(m - k));
		s[k].order = s[r].order;
		s[r].order = x;
	}
	return &v->inst[s[k].order];
}

static bool
seen(struct answering *a, uint32_t id)
{
	if (a->env->slots[id].seen == a->env->stamp)
		return true;
	a->env->slots[id].seen = a->env->stamp;
	return false;
}

/* How many records this client may get. */
static size_t
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

static void
trimmed(struct answering *a)
{
	if (a->udp && a->conf->truncate)
		a->flags |= DNS_TC;
}

/* Addresses of m candidates, under that owner. */
static void
put_addresses(struct answering *a, const struct view *v,
    const struct owner *o, uint16_t qtype, size_t m, size_t max)
{
	const struct inst	*i;
	size_t			 k, n = 0;

	for (k = 0; k < m; k++) {
		i = draw(a, v, k, m);
		if (seen(a, i->addr_id))
			continue;
		if (n == max || !put_addr(a, ANSWERS, o, i, wanted(i, qtype),
		    v->ttl)) {
			if (n < a->conf->a_record_limit ||
			    a->conf->a_record_limit == 0)
				trimmed(a);
			return;
		}
		n++;
	}
}

/* ---- addresses that are names ---- */

static void chase(struct answering *, const struct owner *, unsigned depth);

/* The owner's address is a name: CNAME, and where that leads if it is ours. */
static void
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
static void
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

/* ---- SRV ---- */

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

static void
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
		if (n == max || !put_srv(a, i, v->ttl, &s[n], n == 0)) {
			trimmed(a);
			break;
		}
		n++;
	}
	put_glue(a, v, n);
}

/* ---- by kind of name ---- */

static void
answer_service(struct answering *a)
{
	const struct question	*q = &a->question;
	const struct view	*v;
	const struct inst	*i;
	size_t			 m;
	bool			 any;

	if ((v = lookup(a, VIEW_SERVICE, q->name, q->name_len)) == NULL) {
		negative(a, DNS_NXDOMAIN);
		return;
	}
	m = candidates(a, v, q, a->q.qtype, &any);
	if (!any)
		negative(a, DNS_NXDOMAIN);
	else if (m == 0)
		nodata(a);
	else if (a->q.qtype == DNS_T_SRV)
		put_srvs(a, v, m);
	else {
		i = draw(a, v, 0, m);
		if (i->has & INST_HOST)
			put_cname(a, &a->self, i, v->ttl, 0);
		else
			put_addresses(a, v, &a->self, a->q.qtype, m,
			    record_limit(a, a->q.qtype));
	}
}

static void
answer_node(struct answering *a)
{
	const struct question	*q = &a->question;
	const struct view	*v;
	const struct inst	*i;
	uint16_t		 type = a->q.qtype;
	bool			 txt;

	v = lookup(a, VIEW_NODE, q->name, q->name_len);
	if (v == NULL || v->n == 0) {
		negative(a, DNS_NXDOMAIN);
		return;
	}
	i = &v->inst[0];
	/* a node's CNAME is for those who want an address */
	if ((i->has & INST_HOST) && follows_names(type) &&
	    type != DNS_T_CNAME)
		put_cname(a, &a->self, i, v->ttl, 0);
	else if (type != DNS_T_SRV && wanted(i, type) != 0)
		(void)put_addr(a, ANSWERS, &a->self, i, wanted(i, type),
		    v->ttl);
	txt = type == DNS_T_TXT || type == DNS_T_ANY;
	if (txt && !put_txt(a, ANSWERS, &a->self, i, v->ttl))
		a->flags |= DNS_TC;
	if (a->count[ANSWERS] == 0)
		put_soa(a, AUTHORITY);
	if ((type == DNS_T_A || type == DNS_T_AAAA) && a->conf->node_meta_txt)
		(void)put_txt(a, ADDITIONAL, &a->self, i, v->ttl);
}

static void
answer_addr(struct answering *a)
{
	struct inst	i = { 0 };
	unsigned	which;

	if (a->question.addr_len == 0)
		return;
	which = a->question.addr_len == 4 ? INST_V4 : INST_V6;
	memcpy(which == INST_V4 ? i.v4 : i.v6, a->question.addr,
	    a->question.addr_len);
	(void)put_addr(a, ANSWERS, &a->self, &i, which, a->conf->node_ttl);
}

static void
answer_reverse(struct answering *a, enum answer_end *end)
{
	const struct view	*v = NULL;
	size_t			 k;

	if (a->question.name_len > 0)
		v = lookup(a, VIEW_REVERSE, a->question.name,
		    a->question.name_len);
	if (v == NULL || v->n == 0) {
		if (!a->wait && a->conf->recursion)
			*end = ANSWER_RECURSE;
		refuse(a);	/* the zone is not ours, these names are */
		return;
	}
	(void)slots_for(a, v->n);
	for (k = 0; k < v->n; k++)
		if (v->inst[k].target_len > 0 && !seen(a, v->inst[k].srv_id) &&
		    !put_named(a, ANSWERS, &a->self, DNS_T_PTR, 0,
		    v->inst[k].target, v->inst[k].target_len, NULL)) {
			a->flags |= DNS_TC;
			return;
		}
}

/* NS records of the zone into s, their addresses into additional. */
static void
put_ns(struct answering *a, enum section s)
{
	const struct view	*v;
	const struct inst	*i;
	struct owner		 zone = { a->conf->zone.domain,
				    a->conf->zone.domain_len, 0 };
	struct owner		 target[NS_MAX];
	const struct inst	*server[NS_MAX];
	struct question		 any_tag = { .kind = Q_SERVICE };
	size_t			 k, m, n = 0;
	bool			 any;

	if ((v = lookup(a, VIEW_SERVICE, "consul", 6)) == NULL)
		return;
	m = candidates(a, v, &any_tag, DNS_T_SRV, &any);
	for (k = 0; k < m && n < NS_MAX; k++) {
		i = draw(a, v, k, m);
		if (i->node_len == 0 || !put_named(a, s, &zone, DNS_T_NS,
		    a->conf->node_ttl, i->node, i->node_len, &target[n]))
			continue;
		server[n++] = i;
	}
	for (k = 0; k < n; k++)
		if (server[k]->any & (INST_V4 | INST_V6))
			(void)put_addr(a, ADDITIONAL, &target[k], server[k],
			    server[k]->any, a->conf->node_ttl);
}

/* Any SOA or NS question below the domain is answered with the zone's. */
static void
answer_zone(struct answering *a)
{
	if (a->q.qtype == DNS_T_SOA) {
		put_soa(a, ANSWERS);
		put_ns(a, AUTHORITY);
		return;
	}
	put_ns(a, ANSWERS);
	if (a->count[ANSWERS] == 0)
		put_soa(a, AUTHORITY);
}

/* ---- the message ---- */

static void
answer_ours(struct answering *a, enum answer_end *end)
{
	bool	foreign = a->question.kind == Q_FOREIGN ||
		    a->question.kind == Q_REVERSE;

	if (a->q.qclass != DNS_C_IN && a->q.qclass != DNS_C_ANY) {
		refuse(a);
		return;
	}
	if (a->q.qtype == DNS_T_AXFR || a->q.qtype == DNS_T_IXFR) {
		a->rcode = DNS_NOTIMP;
		a->flags &= (uint16_t)~DNS_AA;
		return;
	}
	if (!foreign && (a->q.qtype == DNS_T_SOA || a->q.qtype == DNS_T_NS)) {
		answer_zone(a);
		return;
	}
	switch (a->question.kind) {
	case Q_FOREIGN:
		if (a->conf->recursion)
			*end = ANSWER_RECURSE;
		else
			refuse(a);
		break;
	case Q_NOTHING:
		negative(a, DNS_NXDOMAIN);
		break;
	case Q_SERVICE:
		answer_service(a);
		break;
	case Q_NODE:
		answer_node(a);
		break;
	case Q_ADDR:
		answer_addr(a);
		break;
	case Q_REVERSE:
		answer_reverse(a, end);
		break;
	}
}

/* Header and question as far as the query had them. */
static void
begin(struct answering *a, const uint8_t *q, uint8_t *out)
{
	size_t	n = a->q.question_end;

	if (n == 0) {
		memset(out, 0, DNS_HEADER);
		n = DNS_HEADER;
	} else
		memcpy(out, q, n);
	dw_init(&a->w, out, a->limit, a->conf->compress);
	a->w.len = n;
	if (a->q.edns)
		a->w.cap -= OPT_LEN + (a->q.ecs == NULL ? 0 :
		    4 + a->q.ecs_len);
	if (a->q.question_end != 0)
		dw_remember(&a->w, DNS_HEADER);
	a->self = (struct owner){ a->q.qname, a->q.qname_len, DNS_HEADER };
}

/* As the query had it; a client subnet applies to every network (scope 0). */
static void
put_opt(struct answering *a)
{
	size_t	 ecs = a->q.ecs == NULL ? 0 : 4 + a->q.ecs_len;
	uint8_t	*p;

	a->w.cap = a->limit;
	if ((p = dw_room(&a->w, OPT_LEN + ecs)) == NULL)
		return;
	memset(p, 0, OPT_LEN);
	dns_put16(p + 1, DNS_T_OPT);
	dns_put16(p + 3, a->q.edns_size);
	dns_put16(p + 9, (uint16_t)ecs);
	a->count[ADDITIONAL]++;
	if (ecs == 0)
		return;
	dns_put16(p + 11, DNS_OPTION_ECS);
	dns_put16(p + 13, (uint16_t)a->q.ecs_len);
	memcpy(p + 15, a->q.ecs, a->q.ecs_len);
	p[15 + 3] = 0;
}

static size_t
finish(struct answering *a)
{
	uint8_t	*p = a->w.p;

	if (a->q.edns && !a->no_opt)
		put_opt(a);
	dns_put16(p, a->q.id);
	dns_put16(p + 2, a->flags | DNS_QR | (uint16_t)a->rcode);
	dns_put16(p + 4, a->q.question_end != 0);
	dns_put16(p + 6, a->count[ANSWERS]);
	dns_put16(p + 8, a->count[AUTHORITY]);
	dns_put16(p + 10, a->count[ADDITIONAL]);
	return a->w.len;
}

/* 0, or the length of an answer that says what is wrong; *end: or of none. */
static size_t
start(struct answering *a, const uint8_t *q, size_t len, uint8_t *out,
    enum answer_end *end)
{
	enum dns_parse	p = dns_query_parse(&a->q, q, len);

	*end = ANSWER_SEND;
	a->limit = DNS_UDP_PLAIN;
	if (p == DNS_DROP) {
		*end = ANSWER_DROP;
		return 0;
	}
	if (p == DNS_PARSED) {
		a->flags = a->q.flags & (DNS_RD | DNS_CD);
		return 0;
	}
	/* not even the question can be trusted */
	a->q.question_end = 0;
	a->q.edns = false;
	begin(a, q, out);
	a->flags = a->q.flags & (DNS_OPCODE | DNS_RD | DNS_AD | DNS_CD);
	a->rcode = p == DNS_BAD ? DNS_FORMERR : DNS_NOTIMP;
	return finish(a);
}

enum answer_end
answer(struct answerer *e, const uint8_t *q, size_t len, bool udp,
    uint8_t *out, size_t *outlen)
{
	struct answering	 a = { .env = e, .conf = e->conf, .udp = udp };
	enum answer_end		 end;

	if ((*outlen = start(&a, q, len, out, &end)) > 0 ||
	    end == ANSWER_DROP)
		return end;
	if (!udp)
		a.limit = DNS_TCP_MAX;
	else if (a.q.edns && a.q.edns_size > DNS_UDP_PLAIN)
		a.limit = a.q.edns_size > DNS_UDP_MAX ? DNS_UDP_MAX :
		    a.q.edns_size;
	a.flags |= DNS_AA | (a.conf->recursion ? DNS_RA : 0);
	begin(&a, q, out);
	question_read(&a.question, &a.conf->zone, a.q.qname, a.q.qname_len,
	    a.q.qtype);
	answer_ours(&a, &end);
	if (a.wait)
		return ANSWER_WAIT;
	if (end != ANSWER_SEND)
		return end;
	if (a.fail) {
		*outlen = answer_error(a.conf, q, len, DNS_SERVFAIL, out);
		return ANSWER_SEND;
	}
	*outlen = finish(&a);
	return ANSWER_SEND;
}

size_t
answer_error(const struct answer_conf *c, const uint8_t *q, size_t len,
    enum dns_rcode rcode, uint8_t *out)
{
	struct answering	 a = { .conf = c, .udp = true };
	enum answer_end		 end;
	size_t			 n;

	if ((n = start(&a, q, len, out, &end)) > 0 || end == ANSWER_DROP)
		return n;
	begin(&a, q, out);
	a.flags |= c->recursion ? DNS_RA : 0;
	a.rcode = rcode;
	return finish(&a);
}

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

#include "dnsd/answer_i.h"

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

/* ---- by kind of name ---- */

static void
answer_service(struct answering *a)
{
	const struct question	*q = &a->question;
	const struct view	*v;
	const struct inst	*i;
	size_t			 m;
	bool			 any;

	if ((v = lookup(a, q->kind == Q_QUERY ? VIEW_QUERY : VIEW_SERVICE,
	    q->name, q->name_len)) == NULL) {
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

	if (a->q.edns_version != 0) {
		a->bad_version = true;	/* RFC 6891, 6.1.3 */
		a->flags &= (uint16_t)~DNS_AA;
		return;
	}
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
	case Q_QUERY:
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
	p[5] = a->bad_version ? DNS_BADVERS : 0;
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

/*
 * The records of a view, for secondaries, who know no health, no tags and no
 * drawing of lots: what is healthy is there, under each name that can be asked
 * for it.
 *
 *	NAME.service		A, AAAA, SRV of all; TAG.NAME.service of some
 *	_NAME._tcp.service	SRV; _NAME._TAG.service
 *	NODE.node.DC		A or AAAA, TXT
 *	HEX.addr.DC		what SRV records point to
 *	service.DC, node	DNAME: the same names with the datacenter, without
 *
 * Where all that an instance has is a name, NAME.service is a CNAME (of one of
 * them) and has no SRV, which may not stand beside it.
 */
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/zone.h"

#define DNAME 39

struct adding {
	struct zone		*z;
	struct zone_part	*part;
	const struct answer_conf *c;
	const struct view	*v;
	size_t			 n;	/* healthy ones */
};

/* "web.service" below the domain; 0: no name. */
static size_t
below(const struct answer_conf *c, const char *text, uint8_t out[DNS_NAME_MAX])
{
	size_t	n = dns_name_from_text(text, out);

	if (n == 0 || n - 1 + c->zone.domain_len > DNS_NAME_MAX)
		return 0;
	memcpy(out + n - 1, c->zone.domain, c->zone.domain_len);
	return n - 1 + c->zone.domain_len;
}

static void
add_addr(struct adding *a, const uint8_t *owner, size_t len,
    const struct inst *i, unsigned which)
{
	if (which & INST_V4)
		zone_add(a->z, a->part, owner, len, DNS_T_A, a->v->ttl, i->v4,
		    4);
	if (which & INST_V6)
		zone_add(a->z, a->part, owner, len, DNS_T_AAAA, a->v->ttl,
		    i->v6, 16);
}

static void
add_srv(struct adding *a, const uint8_t *owner, size_t len,
    const struct inst *i)
{
	uint8_t	data[6 + DNS_NAME_MAX];

	if (i->target_len == 0)
		return;
	dns_put16(data, 1);
	dns_put16(data + 2, i->weight);
	dns_put16(data + 4, i->port);
	memcpy(data + 6, i->target, i->target_len);
	zone_add(a->z, a->part, owner, len, DNS_T_SRV, a->v->ttl, data,
	    6 + (size_t)i->target_len);
}

static bool
has(const struct inst *i, const char *tag)
{
	return tag == NULL || inst_has_tag(i, tag, strlen(tag));
}

static void
add_instances(struct adding *a, const uint8_t *owner, size_t len,
    const char *tag, bool addresses)
{
	const struct inst	*i, *host = NULL;
	bool			 any = false;
	size_t			 k;

	for (k = 0; addresses && k < a->n; k++) {
		i = &a->v->inst[k];
		if (!has(i, tag))
			continue;
		any = any || (i->has & (INST_V4 | INST_V6));
		if (host == NULL && (i->has & INST_HOST))
			host = i;
	}
	if (host != NULL && !any) {
		zone_add(a->z, a->part, owner, len, DNS_T_CNAME, a->v->ttl,
		    host->host, host->host_len);
		return;
	}
	for (k = 0; k < a->n; k++) {
		i = &a->v->inst[k];
		if (!has(i, tag))
			continue;
		if (addresses)
			add_addr(a, owner, len, i, i->has);
		add_srv(a, owner, len, i);
	}
}

/* Both names of a service, or of it with a tag. */
static void
add_names(struct adding *a, const char *name, const char *tag)
{
	char	text[2 * DNS_NAME_MAX + 32];
	uint8_t	owner[DNS_NAME_MAX];
	size_t	len;

	if (tag == NULL)
		snprintf(text, sizeof(text), "%s.service", name);
	else
		snprintf(text, sizeof(text), "%s.%s.service", tag, name);
	if ((len = below(a->c, text, owner)) > 0)
		add_instances(a, owner, len, tag, true);
	if (strchr(name, '.') != NULL ||
	    (tag != NULL && strchr(tag, '.') != NULL))
		return;
	snprintf(text, sizeof(text), "_%s._%s.service", name,
	    tag == NULL ? "tcp" : tag);
	if ((len = below(a->c, text, owner)) > 0)
		add_instances(a, owner, len, tag, false);
}

/* The instance's tags that no instance before it has. */
static void
add_tags(struct adding *a, const char *name, size_t k)
{
	const struct inst	*i = &a->v->inst[k];
	char			 tag[DNS_NAME_MAX + 1];
	size_t			 off, n, b;

	for (off = 0; off + 2 <= i->tags_len; off += 2 + n) {
		n = dns_get16(i->tags + off);
		if (n == 0 || n > DNS_NAME_MAX)
			continue;
		memcpy(tag, i->tags + off + 2, n);
		tag[n] = '\0';
		for (b = 0; b < k && !has(&a->v->inst[b], tag); b++)
			;
		if (b == k && strlen(tag) == n)
			add_names(a, name, tag);
	}
}

static void
add_service(struct adding *a, const char *name)
{
	const struct inst	*i;
	size_t			 k;

	a->n = a->c->only_passing ? a->v->npassing : a->v->nhealthy;
	add_names(a, name, NULL);
	for (k = 0; k < a->n; k++) {
		i = &a->v->inst[k];
		add_tags(a, name, k);
		if (!i->target_is_node && i->target_len > 0 &&
		    (i->glue & (INST_V4 | INST_V6)))
			zone_add(a->z, a->part, i->target, i->target_len,
			    i->glue & INST_V4 ? DNS_T_A : DNS_T_AAAA,
			    a->c->node_ttl, i->glue & INST_V4 ? i->v4 : i->v6,
			    i->glue & INST_V4 ? 4 : 16);
		if (strcmp(name, "consul") == 0 && i->node_len > 0)
			zone_add(a->z, a->part, a->c->zone.domain,
			    a->c->zone.domain_len, DNS_T_NS, a->c->node_ttl,
			    i->node, i->node_len);
	}
}

static void
add_node(struct adding *a)
{
	const struct inst	*i = &a->v->inst[0];
	const uint8_t		*p = i->txt;
	uint16_t		 k, n;

	if (a->v->n == 0 || i->node_len == 0)
		return;
	if (i->any & (INST_V4 | INST_V6))
		add_addr(a, i->node, i->node_len, i, i->any);
	else if (i->has & INST_HOST) {
		zone_add(a->z, a->part, i->node, i->node_len, DNS_T_CNAME,
		    a->v->ttl, i->host, i->host_len);
		return;
	}
	for (k = 0; k < i->ntxt; k++, p += 2 + n) {
		n = dns_get16(p);
		zone_add(a->z, a->part, i->node, i->node_len, DNS_T_TXT,
		    a->v->ttl, p + 2, n);
	}
}

void
zone_add_view(struct zone *z, struct zone_part *part,
    const struct answer_conf *c, const struct view *v, const char *name)
{
	struct adding	a = { .z = z, .part = part, .c = c, .v = v };

	if (v->kind == VIEW_SERVICE)
		add_service(&a, name);
	else if (v->kind == VIEW_NODE)
		add_node(&a);
}

void
zone_add_apex(struct zone *z, struct zone_part *part,
    const struct answer_conf *c)
{
	uint8_t	 owner[DNS_NAME_MAX], to[DNS_NAME_MAX];
	char	 text[DNS_LABEL_MAX + 16];
	size_t	 n, m;

	snprintf(text, sizeof(text), "service.%.*s", c->zone.dc[0],
	    (const char *)c->zone.dc + 1);
	n = below(c, text, owner);
	m = below(c, "service", to);
	if (n > 0 && m > 0)
		zone_add(z, part, owner, n, DNAME, c->node_ttl, to, m);
	snprintf(text, sizeof(text), "node.%.*s", c->zone.dc[0],
	    (const char *)c->zone.dc + 1);
	n = below(c, "node", owner);
	m = below(c, text, to);
	if (n > 0 && m > 0)
		zone_add(z, part, owner, n, DNAME, c->node_ttl, to, m);
}

size_t
zone_soa(const struct answer_conf *c, uint32_t serial,
    uint8_t out[ZONE_SOA_MAX])
{
	struct dns_writer	w;
	uint8_t			*p;
	size_t			 at;

	dw_init(&w, out, ZONE_SOA_MAX, false);
	dw_bytes(&w, c->zone.domain, c->zone.domain_len);
	dw_fixed(&w, DNS_T_SOA, c->min_ttl, 0);
	at = w.len;
	dw_bytes(&w, c->mname, c->mname_len);
	dw_bytes(&w, c->rname, c->rname_len);
	if ((p = dw_room(&w, 20)) != NULL) {
		dns_put32(p, serial);
		dns_put32(p + 4, c->refresh);
		dns_put32(p + 8, c->retry);
		dns_put32(p + 12, c->expire);
		dns_put32(p + 16, c->min_ttl);
	}
	dns_put16(out + at - 2, (uint16_t)(w.len - at));
	return w.len;
}

/*
 * What the configuration says about answers: see answer.h.
 */
#include <stdlib.h>
#include <string.h>

#include "dnsd/answer.h"

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

static uint32_t
service_ttl(const struct answer_conf *c, const char *name, size_t len)
{
	const char	*p;
	size_t		 i, n, best = 0;
	uint32_t	 ttl = 0;

	for (i = 0; i < c->service_ttl.n; i++) {
		p = str_or(c->service_ttl.item[i].name, "");
		n = strlen(p);
		if (n == len && strncasecmp(p, name, n) == 0)
			return seconds(c->service_ttl.item[i].ttl);
		if (n > best && p[n - 1] == '*' && n - 1 <= len &&
		    strncasecmp(p, name, n - 1) == 0) {
			best = n;
			ttl = seconds(c->service_ttl.item[i].ttl);
		}
	}
	return ttl;
}

uint32_t
answer_ttl(const struct answer_conf *c, const struct view *v,
    const char *name)
{
	switch (v->kind) {
	case VIEW_NODE:
		return c->node_ttl;
	case VIEW_REVERSE:
	case VIEW_OUTSIDE:
		return 0;
	case VIEW_SERVICE:
		break;
	case VIEW_QUERY:
		if (v->own_ttl_ns >= 0)
			return seconds(v->own_ttl_ns);
		name = str_or(v->service, "");
		break;
	}
	/* what follows a space is the datacenter */
	return service_ttl(c, name, strcspn(name, " "));
}

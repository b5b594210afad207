/*
 * Names outside the domain: see outside.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/outside.h"

size_t
outside_name(const uint8_t *host, size_t len, uint16_t qtype,
    char out[DNS_NAME_MAX + 8])
{
	const char	*type;
	size_t		 i, k, n = 0;

	/* of both families the one that everybody can use */
	type = qtype == DNS_T_AAAA ? " aaaa" : " a";
	if (len < 2 || len > DNS_NAME_MAX)
		return 0;
	for (i = 0; host[i] != 0; i += host[i] + 1u) {
		if (n > 0)
			out[n++] = '.';
		for (k = 0; k < host[i]; k++) {
			out[n] = (char)dns_fold(host[i + 1 + k]);
			if (out[n] == '.' || (out[n] > 0 && out[n] <= ' ') ||
			    out[n] == '\0')
				return 0;
			n++;
		}
	}
	memcpy(out + n, type, strlen(type) + 1);
	return n + strlen(type) > DNS_NAME_MAX ? 0 : n + strlen(type);
}

size_t
outside_query(const char *name, uint8_t *out, size_t cap)
{
	const char	*space = strrchr(name, ' ');
	char		 host[DNS_NAME_MAX + 1];
	uint8_t		 wire[DNS_NAME_MAX];
	size_t		 n, len;

	if (space == NULL || (n = (size_t)(space - name)) > DNS_NAME_MAX)
		return 0;
	memcpy(host, name, n);
	host[n] = '\0';
	if ((len = dns_name_from_text(host, wire)) < 2 ||
	    DNS_HEADER + len + 4 > cap)
		return 0;
	memset(out, 0, DNS_HEADER);
	dns_put16(out + 2, DNS_RD);
	dns_put16(out + 4, 1);
	memcpy(out + DNS_HEADER, wire, len);
	n = DNS_HEADER + len;
	dns_put16(out + n, strcmp(space, " aaaa") == 0 ? DNS_T_AAAA : DNS_T_A);
	dns_put16(out + n + 2, DNS_C_IN);
	return n + 4;
}

static const uint8_t *
keep(uint8_t *bytes, size_t *used, const uint8_t *p, size_t n)
{
	uint8_t	*at = bytes + *used;

	memcpy(at, p, n);
	*used += n;
	return at;
}

/* One record into i; false: of no use. */
static bool
take(struct inst *i, const struct dns_walk *w, const struct dns_rr *rr,
    uint8_t *bytes, size_t *used)
{
	uint8_t	target[DNS_NAME_MAX];
	size_t	len;

	memset(i, 0, sizeof(*i));
	if (rr->section != 0 || rr->class != DNS_C_IN)
		return false;
	if (rr->type == DNS_T_A && rr->len == 4) {
		i->has = INST_V4;
		memcpy(i->v4, rr->data, 4);
	} else if (rr->type == DNS_T_AAAA && rr->len == 16) {
		i->has = INST_V6;
		memcpy(i->v6, rr->data, 16);
	} else if (rr->type == DNS_T_CNAME && dns_name_read(w->p, w->n,
	    rr->data_off, target, &len) == rr->data_off + rr->len) {
		i->has = INST_HOST;
		i->host = keep(bytes, used, target, len);
		i->host_len = (uint8_t)len;
	} else
		return false;
	i->any = i->has;
	i->node = keep(bytes, used, rr->name, rr->name_len);
	i->node_len = (uint8_t)rr->name_len;
	i->ttl = rr->ttl > INT32_MAX ? 0 : rr->ttl;	/* RFC 2181, 8 */
	return true;
}

struct view *
outside_view(const uint8_t *p, size_t n, uint32_t now, uint64_t now_ms)
{
	struct dns_walk	 w;
	struct dns_rr	 rr;
	struct view	*v;
	size_t		 used = 0;
	uint32_t	 ttl = OUTSIDE_TTL_MAX;
	unsigned	 rcode;

	if (dns_walk_start(&w, p, n) == -1)
		return NULL;
	rcode = dns_get16(p + 2) & DNS_RCODE;
	if (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN)
		return NULL;
	v = xcalloc(1, sizeof(*v) + OUTSIDE_RRS_MAX * 2 * DNS_NAME_MAX);
	v->kind = VIEW_OUTSIDE;
	v->own_ttl_ns = -1;
	v->inst = xcalloc(OUTSIDE_RRS_MAX, sizeof(*v->inst));
	while (v->n < OUTSIDE_RRS_MAX && dns_walk_next(&w, &rr)) {
		if (!take(&v->inst[v->n], &w, &rr, v->bytes, &used))
			continue;
		if (v->inst[v->n].ttl < ttl)
			ttl = v->inst[v->n].ttl;
		v->n++;
	}
	if (v->n == 0 || ttl < OUTSIDE_TTL_MIN)
		ttl = OUTSIDE_TTL_MIN;
	v->born = now;
	v->expires_ms = now_ms + (uint64_t)ttl * 1000;
	return v;
}

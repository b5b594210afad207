/*
 * Lines of the query log: see query_log.h.
 */
#include <stdio.h>

#include "common/util.h"
#include "dnsd/query_log.h"

static const struct { uint16_t type; const char *name; } types[] = {
	{ DNS_T_A, "A" }, { DNS_T_NS, "NS" }, { DNS_T_CNAME, "CNAME" },
	{ DNS_T_SOA, "SOA" }, { DNS_T_PTR, "PTR" }, { DNS_T_TXT, "TXT" },
	{ DNS_T_AAAA, "AAAA" }, { DNS_T_SRV, "SRV" }, { DNS_T_IXFR, "IXFR" },
	{ DNS_T_AXFR, "AXFR" }, { DNS_T_ANY, "ANY" },
};
static const char *const rcodes[] = {
	"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"
};

bool
query_log_due(struct query_log *l, uint64_t ms, uint64_t *left_out)
{
	*left_out = 0;
	if (l->every == 0 || ++l->count < l->every)
		return false;
	l->count = 0;
	if (ms / 1000 != l->second) {
		l->second = ms / 1000;
		l->lines = 0;
		*left_out = l->left_out;
		l->left_out = 0;
	}
	if (l->lines == QUERY_LOG_RATE) {
		l->left_out++;
		return false;
	}
	l->lines++;
	return true;
}

static size_t
put_name(char *out, size_t room, const uint8_t *p, size_t len)
{
	size_t	n = 0, i, k;

	for (i = 0; i < len && p[i] != 0; i += p[i] + 1u) {
		for (k = i + 1; k <= i + p[i] && k < len; k++)
			if (p[k] <= ' ' || p[k] >= 0x7f || p[k] == '.' ||
			    p[k] == '\\')
				n += (size_t)snprintf(out + n, room - n,
				    "\\%03u", p[k]);
			else
				out[n++] = (char)p[k];
		out[n++] = '.';
	}
	if (n == 0)
		out[n++] = '.';
	out[n] = '\0';
	return n;
}

static void
type_text(uint16_t type, char out[16])
{
	size_t	i;

	for (i = 0; i < NELEM(types); i++)
		if (types[i].type == type) {
			snprintf(out, 16, "%s", types[i].name);
			return;
		}
	snprintf(out, 16, "TYPE%u", type);
}

void
query_log_line(char out[QUERY_LOG_LINE], const char *client, bool udp,
    const uint8_t *p, size_t n)
{
	char	 name[4 * DNS_NAME_MAX + 2] = "?", type[16] = "?";
	uint8_t	 wire[DNS_NAME_MAX];
	size_t	 len, end = 0;
	unsigned rcode;

	if (n >= DNS_HEADER && dns_get16(p + 4) == 1)
		end = dns_name_read(p, n, DNS_HEADER, wire, &len);
	if (end != 0 && n - end >= 4) {
		put_name(name, sizeof(name), wire, len);
		type_text(dns_get16(p + end), type);
	}
	if (n < DNS_HEADER) {
		snprintf(out, QUERY_LOG_LINE, "%s %s: not answered", client,
		    udp ? "udp" : "tcp");
		return;
	}
	rcode = p[3] & DNS_RCODE;
	snprintf(out, QUERY_LOG_LINE, "%s %s %s %s: %s%s, %u answers, "
	    "%zu bytes", client, udp ? "udp" : "tcp", name, type,
	    rcode < NELEM(rcodes) ? rcodes[rcode] : "?",
	    dns_get16(p + 2) & DNS_TC ? " TC" : "", dns_get16(p + 6), n);
}

/*
 * What a recursor said, made into the answer to a client's query: its id,
 * flags and spelling, its size.  Pure.
 */
#include <string.h>

#include "common/util.h"
#include "dnsd/resolve.h"

#define OPT_LEN 11

/* Where the packet ends without its OPT, which speaks of another hop. */
static size_t
without_opt(const uint8_t *p, size_t n, uint16_t *additional)
{
	struct dns_walk	 w;
	struct dns_rr	 rr;
	size_t		 before;

	*additional = dns_get16(p + 10);
	if (dns_walk_start(&w, p, n) == -1)
		return 0;
	for (before = w.off; dns_walk_next(&w, &rr); before = w.off)
		if (rr.type == DNS_T_OPT && w.left[2] == 0 &&
		    rr.section == 2) {
			(*additional)--;
			return before;
		}
	return w.bad ? 0 : w.off;
}

static size_t
client_limit(const struct dns_query *q, bool udp)
{
	size_t	limit = DNS_UDP_PLAIN;

	if (!udp)
		return DNS_TCP_MAX;
	if (q->edns && q->edns_size > limit)
		limit = q->edns_size;
	return limit > DNS_UDP_MAX ? DNS_UDP_MAX : limit;
}

static size_t
put_opt(uint8_t *out, size_t n, uint16_t size)
{
	memset(out + n, 0, OPT_LEN);
	dns_put16(out + n + 1, DNS_T_OPT);
	dns_put16(out + n + 3, size);
	dns_put16(out + 10, (uint16_t)(dns_get16(out + 10) + 1));
	return n + OPT_LEN;
}

size_t
forward_answer(const uint8_t *qp, size_t qlen, bool udp, bool proved,
    const uint8_t *p, size_t n, uint8_t *out)
{
	struct dns_query q;
	uint8_t		 name[DNS_NAME_MAX];
	size_t		 name_len, end, limit;
	uint16_t	 additional, flags;

	if (dns_query_parse(&q, qp, qlen) != DNS_PARSED ||
	    n < DNS_HEADER || n > DNS_TCP_MAX)
		return 0;
	/* the same question, or it is not our answer */
	end = dns_name_read(p, n, DNS_HEADER, name, &name_len);
	if (end == 0 || end != DNS_HEADER + q.qname_len || n - end < 4 ||
	    !dns_name_equal(name, name_len, q.qname, q.qname_len) ||
	    (n = without_opt(p, n, &additional)) == 0)
		return 0;
	limit = client_limit(&q, udp) - (q.edns ? OPT_LEN : 0);
	flags = DNS_QR | DNS_RA | (q.flags & (DNS_RD | DNS_CD)) |
	    (dns_get16(p + 2) & (DNS_RCODE | DNS_TC));
	/* RFC 6840, 5.7: for those who understand it */
	if (proved && (q.flags & DNS_AD))
		flags |= DNS_AD;
	if (n > limit) {
		n = q.question_end;
		flags |= DNS_TC;
	}
	memcpy(out, p, n);
	memcpy(out + DNS_HEADER, qp + DNS_HEADER, q.question_end - DNS_HEADER);
	dns_put16(out, q.id);
	dns_put16(out + 2, flags);
	dns_put16(out + 10, additional);
	if (n == q.question_end)
		memset(out + 6, 0, 6);
	return q.edns ? put_opt(out, n, q.edns_size) : n;
}

void
resolv_conf_parse(char *text, struct strs *servers, struct strs *search)
{
	char	*line, *word, *save;

	while ((line = strsep(&text, "\n")) != NULL) {
		line[strcspn(line, "#;\r")] = '\0';
		if ((word = strtok_r(line, " \t", &save)) == NULL)
			continue;
		if (strcmp(word, "nameserver") == 0) {
			if ((word = strtok_r(NULL, " \t", &save)) != NULL)
				strs_add(servers, word);
		} else if (strcmp(word, "search") == 0 ||
		    strcmp(word, "domain") == 0) {
			strs_clear(search);	/* the last one counts */
			while ((word = strtok_r(NULL, " \t", &save)) != NULL)
				strs_add(search, word);
		}
	}
}

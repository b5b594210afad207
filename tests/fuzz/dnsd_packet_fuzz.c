/*
 * DNS messages: as a query, as a response walked record by record, as a
 * recursor's answer to a query.
 *
 * Input: u8 length of the query, the query, the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "dnsd/outside.h"
#include "dnsd/question.h"
#include "dnsd/resolve.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
as_query(const uint8_t *p, size_t n, struct dns_zone *z)
{
	struct dns_query q;
	struct question	 question;

	if (dns_query_parse(&q, p, n) != DNS_PARSED)
		return;
	if (q.question_end > n || q.qname_len > DNS_NAME_MAX)
		abort();
	question_read(&question, z, q.qname, q.qname_len, q.qtype);
	if (strlen(question.name) != question.name_len)
		abort();
}

static void
as_response(const uint8_t *p, size_t n)
{
	struct dns_walk	w;
	struct dns_rr	rr;
	uint8_t		name[DNS_NAME_MAX];
	size_t		len;

	if (dns_walk_start(&w, p, n) == -1)
		return;
	while (dns_walk_next(&w, &rr)) {
		if (rr.data_off + rr.len > n || rr.name_len > DNS_NAME_MAX)
			abort();
		(void)dns_name_read(p, n, rr.data_off, name, &len);
	}
}

/* As what a recursor says of a host that an address in the catalog is. */
static void
as_outside(const uint8_t *p, size_t n)
{
	struct view	*v = outside_view(p, n, 1, 1);
	char		 name[DNS_NAME_MAX + 8];
	uint8_t		 q[DNS_HEADER + DNS_NAME_MAX + 4];
	size_t		 i, len;

	if (v == NULL)
		return;
	for (i = 0; i < v->n; i++) {
		len = outside_name(v->inst[i].node, v->inst[i].node_len,
		    DNS_T_AAAA, name);
		if (len != 0 && (strlen(name) != len ||
		    outside_query(name, q, sizeof(q)) == 0))
			abort();
	}
	view_free(v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t	out[DNS_TCP_MAX];
	struct dns_zone	z;
	size_t		ql, got;

	(void)dns_zone_set(&z, "consul", "alt.example", "dc1");
	as_query(p, n, &z);
	as_response(p, n);
	as_outside(p, n);
	if (n < 1 || n - 1 < p[0])
		return 0;
	ql = p[0];
	got = forward_answer(p + 1, ql, n & 1, n & 2, p + 1 + ql, n - 1 - ql, out);
	if (got > ((n & 1) ? (size_t)DNS_UDP_MAX : (size_t)DNS_TCP_MAX))
		abort();
	as_query(p + 1, ql, &z);
	return 0;
}

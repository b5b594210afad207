/*
 * What one of several dnsd hands to the first, and how.
 */
#include <string.h>

#include "common/util.h"
#include "dnsd/workers.h"
#include "tests/unit/common_unit.h"

static void
conf_make(struct answer_conf *c)
{
	struct conf_agent	a = { .domain = xstrdup("consul."),
				    .datacenter = xstrdup("dc1"),
				    .alt_domain = xstrdup("alt.") };
	struct conf_dns		d = { 0 };

	ck_assert_int_eq(answer_conf_set(c, &a, &d), 0);
	schema_clear(&conf_agent_schema, &a);
}

/* A question in wire format; flags as in the header. */
static size_t
packet(uint8_t *p, uint16_t flags, const char *name, size_t name_len,
    uint16_t type)
{
	memset(p, 0, DNS_HEADER);
	dns_put16(p, 7);
	dns_put16(p + 2, flags);
	dns_put16(p + 4, 1);
	memcpy(p + DNS_HEADER, name, name_len);
	dns_put16(p + DNS_HEADER + name_len, type);
	dns_put16(p + DNS_HEADER + name_len + 2, DNS_C_IN);
	return DNS_HEADER + name_len + 4;
}

#define NAME(text) text, sizeof(text)	/* its NUL is the root */

START_TEST(what_concerns_the_zone_is_the_firsts)
{
	static const struct {
		uint16_t	 flags;
		const char	*name;
		size_t		 len;
		uint16_t	 type;
		bool		 is;
	} t[] = {
		{ 0, NAME("\6consul"), DNS_T_AXFR, true },
		{ 0, NAME("\6consul"), DNS_T_IXFR, true },
		{ 0, NAME("\3not\4ours"), DNS_T_AXFR, true },
		{ 0, NAME("\6CONSUL"), DNS_T_SOA, true },
		{ 0xa400, NAME("\6consul"), DNS_T_SOA, true }, /* to a NOTIFY */
		{ 0, NAME("\7service\6consul"), DNS_T_SOA, false },
		{ 0, NAME("\3alt"), DNS_T_SOA, false },
		{ 0, NAME("\6consul"), DNS_T_A, false },
		{ 0, NAME("\6consul"), DNS_T_NS, false },
		{ 0x2400, NAME("\6consul"), DNS_T_SOA, false }, /* a NOTIFY */
		{ 0x8400, NAME("\6consul"), DNS_T_SOA, false },
	};
	struct answer_conf	 c;
	uint8_t			 p[128];
	size_t			 i, n;

	conf_make(&c);
	for (i = 0; i < NELEM(t); i++) {
		n = packet(p, t[i].flags, t[i].name, t[i].len, t[i].type);
		ck_assert_msg(workers_zone_packet(&c, p, n) == t[i].is,
		    "packet %zu", i);
		ck_assert_msg(!workers_zone_packet(&c, p, DNS_HEADER - 1),
		    "packet %zu, cut", i);
	}
	answer_conf_clear(&c);
}
END_TEST

START_TEST(a_query_arrives_with_where_it_came_from)
{
	struct origin	 o = { .udp = true, .socket = 3, .addr_len = 28,
			    .local_len = 16, .ifindex = 9 }, got;
	struct wbuf	 w;
	const uint8_t	*q;
	size_t		 i, n;

	for (i = 0; i < sizeof(o.addr); i++)
		o.addr[i] = (uint8_t)i;
	for (i = 0; i < sizeof(o.local); i++)
		o.local[i] = (uint8_t)(100 + i);
	wb_init(&w, 0);
	workers_put(&w, &o, (const uint8_t *)"question", 8);
	ck_assert_int_eq(workers_get(w.p, w.len, &got, &q, &n), 0);
	ck_assert(got.udp);
	ck_assert_uint_eq(got.socket, 3);
	ck_assert_uint_eq(got.ifindex, 9);
	ck_assert_uint_eq(got.addr_len, 28);
	ck_assert_mem_eq(got.addr, o.addr, 28);
	ck_assert_uint_eq(got.local_len, 16);
	ck_assert_mem_eq(got.local, o.local, 16);
	ck_assert_uint_eq(n, 8);
	ck_assert_mem_eq(q, "question", 8);
	for (i = 0; i < w.len - 8; i++)
		ck_assert_int_eq(workers_get(w.p, i, &got, &q, &n), -1);
	w.p[8] = 29;	/* longer than an address can be */
	ck_assert_int_eq(workers_get(w.p, w.len, &got, &q, &n), -1);
	wb_free(&w);
}
END_TEST

UNIT_MAIN("dnsd_workers",
    what_concerns_the_zone_is_the_firsts,
    a_query_arrives_with_where_it_came_from)

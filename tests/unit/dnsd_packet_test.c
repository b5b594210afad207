/*
 * Messages, questions and forwarded answers, byte by byte.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/dns_packet.h"
#include "dnsd/question.h"
#include "dnsd/resolve.h"
#include "tests/unit/common_unit.h"

static size_t
query(uint8_t *p, const char *name, uint16_t type)
{
	size_t	n;

	memset(p, 0, DNS_HEADER);
	dns_put16(p, 0xbeef);
	dns_put16(p + 2, DNS_RD);
	dns_put16(p + 4, 1);
	n = DNS_HEADER + dns_name_from_text(name, p + DNS_HEADER);
	dns_put16(p + n, type);
	dns_put16(p + n + 2, DNS_C_IN);
	return n + 4;
}

static size_t
add_opt(uint8_t *p, size_t n, uint16_t size, const void *data, uint16_t len)
{
	dns_put16(p + 10, (uint16_t)(dns_get16(p + 10) + 1));
	memset(p + n, 0, 11);
	dns_put16(p + n + 1, DNS_T_OPT);
	dns_put16(p + n + 3, size);
	dns_put16(p + n + 9, len);
	if (len > 0)
		memcpy(p + n + 11, data, len);
	return n + 11 + len;
}

START_TEST(every_truncation_of_a_query_is_refused)
{
	uint8_t		 p[512], *cut;
	struct dns_query q;
	size_t		 n, i;

	n = query(p, "web.service.consul", 1);
	n = add_opt(p, n, 1232, "\0\10\0\7\0\1\30\0\12\0\0", 11);
	ck_assert_int_eq(dns_query_parse(&q, p, n), DNS_PARSED);
	ck_assert_uint_eq(q.ecs_len, 7);
	for (i = 0; i < n; i++) {
		cut = malloc(i + 1);	/* so that reading on is seen */
		memcpy(cut, p, i);
		ck_assert_int_ne(dns_query_parse(&q, cut, i), DNS_PARSED);
		free(cut);
	}
}
END_TEST

START_TEST(a_pointer_in_the_question_is_malformed)
{
	uint8_t		 p[64] = { 0 };
	struct dns_query q;

	p[5] = 1;
	dns_put16(p + 12, 0xc00c);
	ck_assert_int_eq(dns_query_parse(&q, p, 18), DNS_BAD);
}
END_TEST

START_TEST(labels_over_63_and_names_over_255_are_malformed)
{
	uint8_t		 p[600] = { 0 };
	struct dns_query q;
	size_t		 i, n = 12;

	p[5] = 1;
	p[12] = 64;
	ck_assert_int_eq(dns_query_parse(&q, p, 200), DNS_BAD);
	for (i = 0; i < 5; i++, n += 64) {
		p[n] = 63;
		memset(p + n + 1, 'a', 63);
	}
	ck_assert_int_eq(dns_query_parse(&q, p, sizeof(p)), DNS_BAD);
}
END_TEST

START_TEST(answers_and_other_opcodes_are_not_questions)
{
	uint8_t		 p[64];
	struct dns_query q;
	size_t		 n = query(p, "a.consul", 1);

	p[2] |= 0x80;
	ck_assert_int_eq(dns_query_parse(&q, p, n), DNS_DROP);
	p[2] = 0x28;
	ck_assert_int_eq(dns_query_parse(&q, p, n), DNS_UNKNOWN);
	p[2] = 0;
	p[5] = 2;
	ck_assert_int_eq(dns_query_parse(&q, p, n), DNS_BAD);
}
END_TEST

START_TEST(edns_is_read_once_and_at_the_root)
{
	uint8_t		 p[512];
	struct dns_query q;
	size_t		 n = query(p, "a.consul", 1), m;

	m = add_opt(p, n, 4096, NULL, 0);
	ck_assert_int_eq(dns_query_parse(&q, p, m), DNS_PARSED);
	ck_assert(q.edns);
	ck_assert_uint_eq(q.edns_size, 4096);
	m = add_opt(p, m, 4096, NULL, 0);
	ck_assert_int_eq(dns_query_parse(&q, p, m), DNS_BAD);
}
END_TEST

START_TEST(compression_loops_end)
{
	uint8_t	p[64] = { 0 }, out[DNS_NAME_MAX];
	size_t	len, i;

	dns_put16(p + 12, 0xc00c);		/* at itself */
	ck_assert_uint_eq(dns_name_read(p, 64, 12, out, &len), 0);
	dns_put16(p + 12, 0xc00e);		/* forward */
	ck_assert_uint_eq(dns_name_read(p, 64, 12, out, &len), 0);
	for (i = 0; i < 20; i += 2)		/* a label and back, again */
		memcpy(p + 12 + i, "\1a", 2);
	dns_put16(p + 32, 0xc00c);
	ck_assert_uint_eq(dns_name_read(p, 34, 12, out, &len), 0);
	dns_put16(p + 32, 0xc040);		/* beyond the end */
	ck_assert_uint_eq(dns_name_read(p, 34, 32, out, &len), 0);
}
END_TEST

START_TEST(names_are_compressed_to_what_stands_before)
{
	uint8_t		  buf[256], a[DNS_NAME_MAX], b[DNS_NAME_MAX],
			  out[DNS_NAME_MAX];
	struct dns_writer w;
	size_t		  alen, blen, len;

	alen = dns_name_from_text("ns.consul", a);
	blen = dns_name_from_text("host.Consul", b);
	dw_init(&w, buf, sizeof(buf), true);
	dw_name(&w, a, alen);
	dw_name(&w, a, alen);
	ck_assert_uint_eq(w.len, alen + 2);
	ck_assert_uint_eq(dns_name_read(buf, w.len, alen, out, &len), w.len);
	ck_assert(dns_name_equal(out, len, a, alen));
	dw_name(&w, b, blen);		/* another spelling: written out */
	ck_assert_uint_eq(w.len, alen + 2 + blen);
	dw_init(&w, buf, alen, true);
	dw_name(&w, a, alen);
	dw_u16(&w, 1);
	ck_assert(w.full);
	ck_assert_uint_eq(w.len, alen);
}
END_TEST

/* ---- questions ---- */

static struct dns_zone	zone;

static struct question
read_name(const char *name, uint16_t type)
{
	struct question	q;
	uint8_t		w[DNS_NAME_MAX];
	size_t		n;

	ck_assert_int_eq(dns_zone_set(&zone, "consul.", "alt.consul.",
	    "dc1"), 0);
	n = dns_name_from_text(name, w);
	ck_assert_uint_gt(n, 0);
	question_read(&q, &zone, w, n, type);
	return q;
}

static const struct {
	const char		*name;
	uint16_t		 type;
	enum question_kind	 kind;
	const char		*key, *tag;
} questions[] = {
	{ "web.service.consul", 1, Q_SERVICE, "web", "" },
	{ "WEB.Service.DC1.consul", 1, Q_SERVICE, "web", "" },
	{ "web.service.dc2.consul", 1, Q_SERVICE, "web dc2", "" },
	{ "a.b.web.service.consul", 1, Q_SERVICE, "web", "a.b" },
	{ "_web._tcp.service.consul", 33, Q_SERVICE, "web", "" },
	{ "_web._V1.service.consul", 33, Q_SERVICE, "web", "v1" },
	{ "_web._tcp.consul", 33, Q_SERVICE, "web", "" },
	{ "_web._tcp.dc1.consul", 33, Q_SERVICE, "web", "" },
	{ "_web._tcp.consul", 1, Q_NOTHING, "", "" },
	{ "_web._tcp._x.service.consul", 33, Q_SERVICE, "_x", "_web._tcp" },
	{ "dot.ted.node.consul", 1, Q_NODE, "dot.ted", "" },
	{ "service.node.consul", 1, Q_NODE, "service", "" },
	{ "web.service.alt.consul", 1, Q_SERVICE, "web", "" },
	{ "service.consul", 1, Q_NOTHING, "", "" },
	{ "consul", 1, Q_NOTHING, "", "" },
	{ "a b.service.consul", 1, Q_NOTHING, NULL, NULL },
	{ "0a000001.addr.anywhere.consul", 1, Q_ADDR, "", "" },
	{ "zz.addr.consul", 1, Q_ADDR, "", "" },
	{ "zzzzzzzz.addr.consul", 1, Q_NOTHING, "", "" },
	{ "a.0a000001.addr.consul", 1, Q_NOTHING, "", "" },
	{ "consulx", 1, Q_FOREIGN, "", "" },
	{ "xconsul", 1, Q_FOREIGN, "", "" },
	{ "1.0.1.10.in-addr.arpa", 12, Q_REVERSE, "10.1.0.1", "" },
	{ "0.1.10.in-addr.arpa", 12, Q_REVERSE, "", "" },
	{ "256.0.1.10.in-addr.arpa", 12, Q_REVERSE, "", "" },
	{ "01.0.1.10.in-addr.arpa", 12, Q_REVERSE, "", "" },
	{ "arpa", 12, Q_FOREIGN, "", "" },
};

START_TEST(names_are_told_apart)
{
	struct question	q = read_name(questions[_i].name,
			    questions[_i].type);

	ck_assert_int_eq(q.kind, questions[_i].kind);
	if (questions[_i].key == NULL)
		return;
	ck_assert_str_eq(q.name, questions[_i].key);
	ck_assert_str_eq(q.tag, questions[_i].tag);
	ck_assert_uint_eq(q.name_len, strlen(q.name));
}
END_TEST

START_TEST(ipv6_reverse_names_give_the_address)
{
	struct question	q = read_name("5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "0.0.0.0.0.8.B.d.0.1.0.0.2.ip6.arpa", 12);

	ck_assert_int_eq(q.kind, Q_REVERSE);
	ck_assert_str_eq(q.name, "2001:db8::5");
}
END_TEST

/* ---- forwarded answers ---- */

/* A response to it: one A record, then an OPT of its own. */
static size_t
response(uint8_t *p, const uint8_t *q, size_t qlen, size_t records)
{
	size_t	n = qlen, i;

	memcpy(p, q, qlen);
	p[2] |= 0x80;
	dns_put16(p + 6, (uint16_t)records);
	dns_put16(p + 10, 0);
	for (i = 0; i < records; i++, n += 16) {
		dns_put16(p + n, 0xc00c);
		dns_put16(p + n + 2, 1);
		dns_put16(p + n + 4, 1);
		dns_put32(p + n + 6, 60);
		dns_put16(p + n + 10, 4);
		memset(p + n + 12, 7, 4);
	}
	return add_opt(p, n, 1400, NULL, 0);
}

START_TEST(a_forwarded_answer_is_the_clients)
{
	uint8_t	q[64], p[256], out[512];
	size_t	qlen = query(q, "ExAmple.com", 1), n;

	n = response(p, q, qlen, 1);
	dns_put16(p, 0);		/* libunbound's own id */
	memcpy(p + 13, "example", 7);	/* and its spelling */
	n = forward_answer(q, qlen, true, false, p, n, out);
	ck_assert_uint_eq(n, qlen + 16);
	ck_assert_uint_eq(dns_get16(out), 0xbeef);
	ck_assert_uint_eq(dns_get16(out + 2), DNS_QR | DNS_RD | DNS_RA);
	ck_assert_uint_eq(dns_get16(out + 10), 0);	/* no OPT asked for */
	ck_assert_mem_eq(out + 12, q + 12, qlen - 12);
}
END_TEST

START_TEST(a_forwarded_answer_too_large_is_cut)
{
	uint8_t	q[64], p[2048], out[2048];
	size_t	qlen = query(q, "example.com", 1), n;

	n = response(p, q, qlen, 60);
	ck_assert_uint_eq(forward_answer(q, qlen, true, false, p, n, out), qlen);
	ck_assert(out[2] & (DNS_TC >> 8));
	ck_assert_uint_eq(dns_get16(out + 6), 0);
	ck_assert_uint_gt(forward_answer(q, qlen, false, false, p, n, out), 900);
}
END_TEST

START_TEST(a_forwarded_answer_to_another_question_is_none)
{
	uint8_t	q[64], other[64], p[256], out[512];
	size_t	qlen = query(q, "example.com", 1), n;

	n = query(other, "example.org", 1);
	n = response(p, other, n, 1);
	ck_assert_uint_eq(forward_answer(q, qlen, true, false, p, n, out), 0);
}
END_TEST

START_TEST(resolv_conf_gives_servers_and_search)
{
	char		text[] = "# x\nnameserver 10.0.0.53\ndomain a\n"
			    "search b c\nnameserver ::1 ; y\noptions ndots:2";
	struct strs	servers = { 0 }, search = { 0 };

	resolv_conf_parse(text, &servers, &search);
	ck_assert_uint_eq(servers.n, 2);
	ck_assert_str_eq(servers.item[1], "::1");
	ck_assert_uint_eq(search.n, 2);
	ck_assert_str_eq(search.item[0], "b");
	strs_clear(&servers);
	strs_clear(&search);
}
END_TEST

int
main(void)
{
	TCase	*c = unit_case("dnsd_packet");

	tcase_add_test(c, every_truncation_of_a_query_is_refused);
	tcase_add_test(c, a_pointer_in_the_question_is_malformed);
	tcase_add_test(c, labels_over_63_and_names_over_255_are_malformed);
	tcase_add_test(c, answers_and_other_opcodes_are_not_questions);
	tcase_add_test(c, edns_is_read_once_and_at_the_root);
	tcase_add_test(c, compression_loops_end);
	tcase_add_test(c, names_are_compressed_to_what_stands_before);
	tcase_add_loop_test(c, names_are_told_apart, 0,
	    (int)NELEM(questions));
	tcase_add_test(c, ipv6_reverse_names_give_the_address);
	tcase_add_test(c, a_forwarded_answer_is_the_clients);
	tcase_add_test(c, a_forwarded_answer_too_large_is_cut);
	tcase_add_test(c, a_forwarded_answer_to_another_question_is_none);
	tcase_add_test(c, resolv_conf_gives_servers_and_search);
	return unit_case_run("dnsd_packet", c);
}

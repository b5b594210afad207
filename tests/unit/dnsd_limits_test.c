/*
 * How many answers a network gets, what the query log says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/query_log.h"
#include "dnsd/rrl.h"
#include "tests/unit/common_unit.h"

static const uint8_t ten[4] = { 10, 0, 0, 7 }, other[4] = { 10, 0, 1, 7 };

/* An answer to A of a name, with that rcode. */
static size_t
answer(uint8_t *p, const char *name, int rcode)
{
	size_t	n = strlen(name);

	memset(p, 0, DNS_HEADER);
	p[2] = 0x80;
	p[3] = (uint8_t)rcode;
	p[5] = 1;
	p[12] = (uint8_t)n;
	memcpy(p + 13, name, n);
	memcpy(p + 13 + n, "\0\0\1\0\1", 5);
	return 18 + n;
}

static unsigned
sent(struct rrl *r, const uint8_t ip[4], const char *name, int rcode,
    unsigned count, uint64_t ms)
{
	uint8_t	 p[64];
	size_t	 n;
	unsigned i, k = 0;
	char	 text[32];

	for (i = 0; i < count; i++) {
		if (rcode == DNS_NOERROR)
			snprintf(text, sizeof(text), "%s", name);
		else
			snprintf(text, sizeof(text), "%s%u", name, i);
		n = answer(p, text, rcode);
		k += rrl_check(r, 5, ip, 4, p, n, ms) == RRL_SEND;
	}
	return k;
}

START_TEST(a_network_gets_so_many_answers_of_a_kind)
{
	struct rrl	*r = rrl_new(1);

	ck_assert_uint_eq(sent(r, ten, "web", 0, 20, 0), 5);
	ck_assert_uint_eq(sent(r, ten, "WEB", 0, 20, 0), 0);
	ck_assert_uint_eq(sent(r, ten, "db", 0, 20, 0), 5);
	ck_assert_uint_eq(sent(r, other, "web", 0, 20, 0), 5);
	/* names that are not there are all one kind */
	ck_assert_uint_eq(sent(r, ten, "no", DNS_NXDOMAIN, 20, 0), 5);
	/* and time brings more */
	ck_assert_uint_eq(sent(r, ten, "web", 0, 20, 400), 2);
	ck_assert_uint_eq(sent(r, ten, "web", 0, 20, 100000), 5);
	rrl_free(r);
}
END_TEST

START_TEST(of_those_above_the_limit_every_second_is_cut)
{
	struct rrl	*r = rrl_new(1);
	unsigned	 i, count[3] = { 0 };
	uint8_t		 p[64];
	size_t		 n = answer(p, "web", 0);

	for (i = 0; i < 25; i++)
		count[rrl_check(r, 5, ten, 4, p, n, 0)]++;
	ck_assert_uint_eq(count[RRL_SEND], 5);
	ck_assert_uint_eq(count[RRL_SLIP_TC], 10);
	ck_assert_uint_eq(count[RRL_DROP], 10);
	rrl_free(r);
}
END_TEST

START_TEST(who_is_over_the_limit_is_not_forgotten_for_newcomers)
{
	struct rrl	*r = rrl_new(1);
	uint8_t		 ip[4] = { 192, 0, 0, 1 };
	unsigned	 i;

	ck_assert_uint_eq(sent(r, ten, "web", 0, 20, 0), 5);
	for (i = 0; i < 60000; i++) {
		ip[1] = (uint8_t)(i >> 8);
		ip[2] = (uint8_t)i;
		sent(r, ip, "web", 0, 1, 0);
	}
	ck_assert_uint_eq(sent(r, ten, "web", 0, 20, 0), 0);
	rrl_free(r);
}
END_TEST

START_TEST(a_line_says_who_asked_what_and_what_came)
{
	char	line[QUERY_LOG_LINE];
	uint8_t	p[64];
	size_t	n = answer(p, "w.b", 3);

	query_log_line(line, "10.0.0.7", true, p, n);
	ck_assert_str_eq(line,
	    "10.0.0.7 udp w\\046b. A: NXDOMAIN, 0 answers, 21 bytes");
	query_log_line(line, "10.0.0.7", false, p, 3);
	ck_assert_str_eq(line, "10.0.0.7 tcp: not answered");
}
END_TEST

START_TEST(one_of_so_many_is_logged_and_so_many_a_second)
{
	struct query_log l = { .every = 10 };
	uint64_t	 left;
	unsigned	 i, n = 0;

	for (i = 0; i < 100; i++)
		n += query_log_due(&l, 1000, &left);
	ck_assert_uint_eq(n, 10);
	l = (struct query_log){ .every = 1 };
	for (i = 0, n = 0; i < QUERY_LOG_RATE + 7; i++)
		n += query_log_due(&l, 1000, &left);
	ck_assert_uint_eq(n, QUERY_LOG_RATE);
	ck_assert(query_log_due(&l, 2000, &left));
	ck_assert_uint_eq(left, 7);
	l.every = 0;
	ck_assert(!query_log_due(&l, 3000, &left));
}
END_TEST

UNIT_MAIN("dnsd_limits",
    a_network_gets_so_many_answers_of_a_kind,
    of_those_above_the_limit_every_second_is_cut,
    who_is_over_the_limit_is_not_forgotten_for_newcomers,
    a_line_says_who_asked_what_and_what_came,
    one_of_so_many_is_logged_and_so_many_a_second)

/*
 * Answers where chance, order or others decide: which address comes first,
 * what a prepared query's order is worth, names that lead outside.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/answer.h"
#include "dnsd/outside.h"
#include "tests/unit/common_unit.h"

struct world {
	struct answer_conf	 conf;
	struct answerer		 answerer;
	struct view		*view;		/* of every name in the catalog */
	struct view		*outside;	/* NULL: not there yet */
	bool			 failed;	/* no recursor answers */
	char			 asked[DNS_NAME_MAX + 8];
	uint8_t			 out[DNS_TCP_MAX];
	size_t			 len;
};

static enum found
find(enum view_kind kind, const char *name, size_t len, const struct view **v,
    void *arg)
{
	struct world	*w = arg;

	ck_assert_uint_eq(strlen(name), len);
	strcpy(w->asked, name);
	*v = kind == VIEW_OUTSIDE ? w->outside : w->view;
	if (*v != NULL)
		return FOUND_VIEW;
	return w->failed ? FOUND_FAIL : FOUND_WAIT;
}

static void
setup(struct world *w, bool recursion)
{
	struct conf_agent	a = { .domain = xstrdup("consul"),
				    .datacenter = xstrdup("dc1") };
	struct conf_dns		d = { 0 };

	memset(w, 0, sizeof(*w));
	if (recursion)
		strs_add(&d.recursors, "10.0.0.53");
	ck_assert_int_eq(answer_conf_set(&w->conf, &a, &d), 0);
	answerer_init(&w->answerer, &w->conf, find, w);
	rng_seed(&w->answerer.rng, 7);
	w->answerer.now = 1000;
	schema_clear(&conf_agent_schema, &a);
	schema_clear(&conf_dns_schema, &d);
}

static void
teardown(struct world *w)
{
	view_free(w->view);
	view_free(w->outside);
	answerer_clear(&w->answerer);
	answer_conf_clear(&w->conf);
}

/* Instances 10.0.0.1 and so on with those weights. */
static void
instances(struct world *w, enum view_kind kind, bool ordered,
    const int *weights, size_t n)
{
	struct msg_view	 m = { .kind = kind, .ordered = ordered };
	struct view_entry *e;
	char		 addr[16];
	size_t		 i;

	for (i = 0; i < n; i++) {
		e = VEC_ADD(&m.entries);
		snprintf(addr, sizeof(addr), "10.0.0.%zu", i + 1);
		str_set(&e->node, "n");
		str_set(&e->address, addr);
		e->weight = weights[i];
	}
	w->view = view_new(&m, &w->conf.zone);
	schema_clear(&msg_view_schema, &m);
}

static enum answer_end
ask(struct world *w, const char *name, uint16_t type)
{
	uint8_t	q[DNS_HEADER + DNS_NAME_MAX + 4] = { 0 };
	size_t	n;

	q[5] = 1;
	n = DNS_HEADER + dns_name_from_text(name, q + DNS_HEADER);
	dns_put16(q + n, type);
	dns_put16(q + n + 2, DNS_C_IN);
	return answer(&w->answerer, q, n + 4, false, w->out, &w->len);
}

/* The last byte of the k-th answer's address; its TTL. */
static unsigned
address(const struct world *w, size_t k, uint32_t *ttl)
{
	struct dns_walk	walk;
	struct dns_rr	rr;
	size_t		i = 0;

	ck_assert_int_eq(dns_walk_start(&walk, w->out, w->len), 0);
	while (dns_walk_next(&walk, &rr))
		if (i++ == k) {
			ck_assert(rr.type == DNS_T_A);
			if (ttl != NULL)
				*ttl = rr.ttl;
			return rr.data[3];
		}
	ck_abort_msg("no answer %zu", k);
}

START_TEST(first_address_is_drawn_by_weight)
{
	static const int	weights[] = { 1, 8, 1 };
	unsigned		i, n[4] = { 0 };
	struct world		w;

	setup(&w, false);
	instances(&w, VIEW_SERVICE, false, weights, 3);
	for (i = 0; i < 2000; i++) {
		ck_assert_int_eq(ask(&w, "web.service.consul", DNS_T_A),
		    ANSWER_SEND);
		n[address(&w, 0, NULL)]++;
		ck_assert_uint_eq(dns_get16(w.out + 6), 3);
	}
	/* of one generator: always the same numbers */
	ck_assert_uint_gt(n[2], 1500);
	ck_assert_uint_lt(n[2], 1700);
	ck_assert_uint_gt(n[1], 140);
	ck_assert_uint_gt(n[3], 140);
	teardown(&w);
}
END_TEST

START_TEST(weights_of_nothing_are_alike)
{
	static const int	weights[] = { 0, 0, 5 };
	unsigned		i, n[4] = { 0 };
	struct world		w;

	setup(&w, false);
	instances(&w, VIEW_SERVICE, false, weights, 3);
	for (i = 0; i < 200; i++) {
		ck_assert_int_eq(ask(&w, "web.service.consul", DNS_T_A),
		    ANSWER_SEND);
		ck_assert_uint_eq(address(&w, 0, NULL), 3);
		n[address(&w, 1, NULL)]++;
	}
	ck_assert_uint_gt(n[1], 50);
	ck_assert_uint_gt(n[2], 50);
	teardown(&w);
}
END_TEST

START_TEST(order_of_a_prepared_query_is_kept_if_it_means_something)
{
	static const int	weights[] = { 1, 1, 1 };
	unsigned		i, k, other = 0;
	struct world		w;

	setup(&w, false);
	instances(&w, VIEW_QUERY, true, weights, 3);
	for (i = 0; i < 50; i++) {
		ck_assert_int_eq(ask(&w, "pq.query.consul", DNS_T_A),
		    ANSWER_SEND);
		for (k = 0; k < 3; k++)
			ck_assert_uint_eq(address(&w, k, NULL), k + 1);
	}
	view_free(w.view);
	instances(&w, VIEW_QUERY, false, weights, 3);
	for (i = 0; i < 50; i++) {
		ask(&w, "pq.query.consul", DNS_T_A);
		other += address(&w, 0, NULL) != 1;
	}
	ck_assert_uint_gt(other, 20);
	teardown(&w);
}
END_TEST

/* ---- names outside ---- */

static void
host(struct world *w, const char *name)
{
	struct msg_view	 m = { .kind = VIEW_SERVICE };
	struct view_entry *e = VEC_ADD(&m.entries);

	str_set(&e->node, "n");
	str_set(&e->address, name);
	w->view = view_new(&m, &w->conf.zone);
	schema_clear(&msg_view_schema, &m);
}

/* a.example is 192.0.2.1 for a minute; b.example, which is a.example, too. */
static const uint8_t direct[] = "\0\0\x81\x80\0\1\0\1\0\0\0\0"
    "\1a\7example\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1";
static const uint8_t alias[] = "\0\0\x81\x80\0\1\0\2\0\0\0\0"
    "\1b\7example\0\0\1\0\1\xc0\x0c\0\5\0\1\0\0\0\5\0\4\1a\xc0\x0e"
    "\xc0\x27\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1";
static const uint8_t servfail[] = "\0\0\x81\x82\0\1\0\0\0\0\0\0"
    "\1a\7example\0\0\1\0\1";
static const uint8_t none[] = "\0\0\x81\x83\0\1\0\0\0\0\0\0"
    "\1a\7example\0\0\1\0\1";

START_TEST(a_name_outside_is_waited_for_and_its_ttl_runs)
{
	struct world	w;
	uint32_t	ttl;

	setup(&w, true);
	host(&w, "A.example");
	ck_assert_int_eq(ask(&w, "web.service.consul", DNS_T_A), ANSWER_WAIT);
	ck_assert_str_eq(w.asked, "a.example a");
	w.outside = outside_view(direct, sizeof(direct) - 1, 980, 5000);
	ck_assert_uint_eq(w.outside->expires_ms, 65000);
	ck_assert_int_eq(ask(&w, "web.service.consul", DNS_T_A), ANSWER_SEND);
	ck_assert_uint_eq(dns_get16(w.out + 6), 2);
	ck_assert_uint_eq(address(&w, 1, &ttl) + ttl, 1 + 40);
	ck_assert_int_eq(ask(&w, "web.service.consul", DNS_T_AAAA),
	    ANSWER_SEND);
	ck_assert_str_eq(w.asked, "a.example aaaa");
	teardown(&w);
}
END_TEST

START_TEST(aliases_outside_are_part_of_the_answer)
{
	struct world	w;

	setup(&w, true);
	host(&w, "b.example");
	w.outside = outside_view(alias, sizeof(alias) - 1, 1000, 0);
	ck_assert_uint_eq(w.outside->expires_ms, 5000);
	ck_assert_int_eq(ask(&w, "web.service.consul", DNS_T_A), ANSWER_SEND);
	ck_assert_uint_eq(dns_get16(w.out + 6), 3);
	ck_assert_int_eq(ask(&w, "web.service.consul", DNS_T_SRV),
	    ANSWER_SEND);
	ck_assert_uint_eq(dns_get16(w.out + 6), 1);
	ck_assert_uint_eq(dns_get16(w.out + 10), 2);
	teardown(&w);
}
END_TEST

START_TEST(without_recursors_the_name_alone_is_the_answer)
{
	struct world	w;

	setup(&w, true);
	host(&w, "a.example");
	w.failed = true;
	ck_assert_int_eq(ask(&w, "web.service.consul", DNS_T_A), ANSWER_SEND);
	ck_assert_uint_eq(dns_get16(w.out + 2) & DNS_RCODE, DNS_NOERROR);
	ck_assert_uint_eq(dns_get16(w.out + 6), 1);
	w.conf.recursion = false;
	w.failed = false;
	ck_assert_int_eq(ask(&w, "web.service.consul", DNS_T_A), ANSWER_SEND);
	ck_assert_uint_eq(dns_get16(w.out + 6), 1);
	teardown(&w);
}
END_TEST

START_TEST(what_a_recursor_does_not_know_is_no_view)
{
	struct view	*v;

	ck_assert(outside_view(servfail, sizeof(servfail) - 1, 0, 0) == NULL);
	ck_assert(outside_view(none, 5, 0, 0) == NULL);
	v = outside_view(none, sizeof(none) - 1, 0, 1000);
	ck_assert_uint_eq(v->n, 0);
	ck_assert_uint_eq(v->expires_ms, 2000);
	view_free(v);
}
END_TEST

UNIT_MAIN("dnsd_answer",
    first_address_is_drawn_by_weight,
    weights_of_nothing_are_alike,
    order_of_a_prepared_query_is_kept_if_it_means_something,
    a_name_outside_is_waited_for_and_its_ttl_runs,
    aliases_outside_are_part_of_the_answer,
    without_recursors_the_name_alone_is_the_answer,
    what_a_recursor_does_not_know_is_no_view)

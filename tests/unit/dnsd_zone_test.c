/*
 * The zone for secondaries: serials, differences, the records of a view; and
 * that a difference brings a copy of an older serial to the newest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/zone.h"
#include "tests/unit/common_unit.h"

static struct zone		*z;
static struct answer_conf	 conf;

static void
setup(void)
{
	struct conf_agent	a = { .domain = xstrdup("consul."),
				    .datacenter = xstrdup("dc1") };
	struct conf_dns		d = { 0 };

	z = zone_new(1);
	ck_assert_int_eq(answer_conf_set(&conf, &a, &d), 0);
	schema_clear(&conf_agent_schema, &a);
	schema_clear(&conf_dns_schema, &d);
}

static void
teardown(void)
{
	zone_free(z);
	answer_conf_clear(&conf);
}

static void
add(struct zone_part *p, unsigned k)
{
	uint8_t	owner[4] = { 2, (uint8_t)('a' + k / 26),
		    (uint8_t)('a' + k % 26), 0 };

	zone_add(z, p, owner, 4, DNS_T_A, 0, owner, 4);
}

START_TEST(what_did_not_change_is_no_new_serial)
{
	struct zone_part	p = { 0 };

	add(&p, 1);
	ck_assert(zone_commit(z, 100));
	ck_assert_uint_eq(zone_serial(z), 100);
	zone_drop(z, &p);
	add(&p, 1);
	ck_assert(!zone_commit(z, 200));
	zone_drop(z, &p);
	ck_assert(zone_commit(z, 50));
	ck_assert_uint_eq(zone_serial(z), 101);
	ck_assert_uint_eq(zone_count(z), 0);
}
END_TEST

START_TEST(what_two_views_have_stays_until_both_are_gone)
{
	struct zone_part	a = { 0 }, b = { 0 };
	struct zone_diff	d;

	add(&a, 1);
	add(&b, 1);
	zone_commit(z, 1);
	zone_drop(z, &a);
	ck_assert(!zone_commit(z, 2));
	zone_drop(z, &b);
	ck_assert(zone_commit(z, 2));
	ck_assert_int_eq(zone_since(z, 1, &d), 0);
	ck_assert_uint_eq(d.ngone, 1);
	ck_assert_uint_eq(d.nadded, 0);
	zone_unpin(z, &d);
}
END_TEST

/* Sets of up to 100 records, by number. */
struct copy { bool has[100], known; uint32_t serial; };

static unsigned
number(const struct zone_rr *r)
{
	return (unsigned)(r->wire[1] - 'a') * 26 + r->wire[2] - 'a';
}

static void
update(struct copy *c)
{
	struct zone_diff	d;
	size_t			i;

	if (!c->known || zone_since(z, c->serial, &d) == -1) {
		memset(c->has, 0, sizeof(c->has));
		zone_whole(z, &d);
	}
	for (i = 0; i < d.ngone; i++) {
		ck_assert(c->has[number(d.gone[i])]);
		c->has[number(d.gone[i])] = false;
	}
	for (i = 0; i < d.nadded; i++) {
		ck_assert(!c->has[number(d.added[i])]);
		c->has[number(d.added[i])] = true;
	}
	c->known = true;
	c->serial = (uint32_t)d.to;
	zone_unpin(z, &d);
}

START_TEST(a_difference_brings_any_serial_to_the_last)
{
	struct zone_part	p[100] = { 0 };
	struct copy		copy[10] = { 0 };
	struct rng		rng;
	unsigned		i, k, n;
	uint64_t		serial = 0xfffffff0;	/* around the end */

	rng_seed(&rng, _i);
	for (i = 0; i < 300; i++) {
		for (n = rng_below(&rng, 8); n > 0; n--) {
			k = rng_below(&rng, 100);
			if (p[k].n > 0)
				zone_drop(z, &p[k]);
			else
				add(&p[k], k);
		}
		zone_commit(z, serial++);
		k = rng_below(&rng, 10);
		update(&copy[k]);
		for (n = 0; n < 100; n++)
			ck_assert_int_eq(copy[k].has[n], p[n].n > 0);
	}
	for (i = 0; i < 100; i++)
		zone_drop(z, &p[i]);
}
END_TEST

START_TEST(a_serial_that_never_was_needs_all)
{
	struct zone_part	p = { 0 };
	struct zone_diff	d;

	add(&p, 1);
	zone_commit(z, 1000);
	ck_assert_int_eq(zone_since(z, 999, &d), -1);
	ck_assert_int_eq(zone_since(z, 1001, &d), -1);
	ck_assert_int_eq(zone_since(z, 0, &d), -1);
	ck_assert_int_eq(zone_since(z, 1000, &d), 0);
	zone_unpin(z, &d);
	zone_drop(z, &p);
}
END_TEST

START_TEST(records_stay_while_they_are_read)
{
	struct zone_part	p = { 0 };
	struct zone_diff	d;

	add(&p, 1);
	zone_commit(z, 1);
	zone_whole(z, &d);
	zone_drop(z, &p);
	zone_commit(z, 2);
	ck_assert_uint_eq(d.nadded, 1);
	ck_assert_uint_eq(number(d.added[0]), 1);
	zone_unpin(z, &d);
}
END_TEST

/* "name. TYPE" of each record of a view, sorted by nothing. */
static bool
has_record(const char *name, uint16_t type)
{
	struct zone_diff	d;
	uint8_t			wire[DNS_NAME_MAX];
	size_t			n = dns_name_from_text(name, wire), i;
	bool			found = false;

	zone_whole(z, &d);
	for (i = 0; i < d.nadded; i++)
		if (memcmp(d.added[i]->wire, wire, n) == 0 &&
		    dns_get16(d.added[i]->wire + n) == type)
			found = true;
	zone_unpin(z, &d);
	return found;
}

static struct view *
service(const char *address)
{
	struct msg_view		m = { .kind = VIEW_SERVICE, .exists = true };
	struct view_entry	*e = VEC_ADD(&m.entries);
	struct view		*v;

	m.name = xstrdup("web");
	e->node = xstrdup("n1");
	e->address = xstrdup("10.0.0.1");
	e->service_id = xstrdup("web");
	e->service_address = xstrdup(address);
	e->port = 80;
	e->weight = 1;
	strs_add(&e->tags, "v1.2");
	strs_add(&e->tags, "blue");
	v = view_new(&m, &conf.zone);
	schema_clear(&msg_view_schema, &m);
	return v;
}

START_TEST(a_service_is_there_under_each_of_its_names)
{
	struct zone_part	p = { 0 };
	struct view		*v = service("10.0.0.9");

	zone_add_view(z, &p, &conf, v, "web");
	zone_add_apex(z, &p, &conf);
	zone_commit(z, 1);
	ck_assert(has_record("web.service.consul", DNS_T_A));
	ck_assert(has_record("web.service.consul", DNS_T_SRV));
	ck_assert(has_record("blue.web.service.consul", DNS_T_A));
	ck_assert(has_record("v1.2.web.service.consul", DNS_T_A));
	ck_assert(has_record("_web._tcp.service.consul", DNS_T_SRV));
	ck_assert(has_record("_web._blue.service.consul", DNS_T_SRV));
	ck_assert(!has_record("_web._tcp.service.consul", DNS_T_A));
	ck_assert(has_record("0a000009.addr.dc1.consul", DNS_T_A));
	ck_assert(has_record("service.dc1.consul", 39));
	zone_drop(z, &p);
	view_free(v);
}
END_TEST

START_TEST(a_name_as_address_stands_alone)
{
	struct zone_part	p = { 0 };
	struct view		*v = service("www.example.org");

	zone_add_view(z, &p, &conf, v, "web");
	zone_commit(z, 1);
	ck_assert(has_record("web.service.consul", DNS_T_CNAME));
	ck_assert(!has_record("web.service.consul", DNS_T_SRV));
	ck_assert(has_record("_web._tcp.service.consul", DNS_T_SRV));
	zone_drop(z, &p);
	view_free(v);
}
END_TEST

int
main(void)
{
	TCase	*c = unit_case("dnsd_zone");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, what_did_not_change_is_no_new_serial);
	tcase_add_test(c, what_two_views_have_stays_until_both_are_gone);
	tcase_add_loop_test(c, a_difference_brings_any_serial_to_the_last, 0,
	    5);
	tcase_add_test(c, a_serial_that_never_was_needs_all);
	tcase_add_test(c, records_stay_while_they_are_read);
	tcase_add_test(c, a_service_is_there_under_each_of_its_names);
	tcase_add_test(c, a_name_as_address_stands_alone);
	return unit_case_run("dnsd_zone", c);
}

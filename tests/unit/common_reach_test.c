/*
 * Addresses of other datacenters, as Consul 1.8.7 was seen to choose them.
 */
#include <stdlib.h>

#include "common/reach.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

static void
tag(struct service_address_map *m, const char *key, const char *address,
    int64_t port)
{
	struct service_address_pair	*p = VEC_ADD(m);

	p->key = xstrdup(key);
	p->val.address = xstrdup(address);
	p->val.port = port;
}

static const struct {
	const char	*address, *tags[6], *shown;
} nodes[] = {
	{ "10.5.0.1", { "lan", "10.5.0.1", "wan", "198.51.100.1" },
	    "198.51.100.1" },
	{ "10.5.0.2", { "lan_ipv4", "10.5.0.2", "wan", "198.51.100.3" },
	    "10.5.0.2" },
	{ "10.5.0.3", { "wan", "198.51.100.4", "wan_ipv4", "198.51.100.5",
	    "wan_ipv6", "2001:db8::5" }, "2001:db8::5" },
	{ "10.5.0.4", { "wan", "h4.example.com" }, "h4.example.com" },
	{ "10.5.0.5", { NULL }, "10.5.0.5" },
	{ "10.5.0.6", { "lan_ipv6", "2001:db8::6" }, "2001:db8::6" },
};

START_TEST(a_node_is_shown_with_the_address_that_consul_shows)
{
	struct strmap	 tagged = { .n = 0 };
	char		*shown = xstrdup(nodes[_i].address);
	size_t		 i;

	for (i = 0; i < 6 && nodes[_i].tags[i] != NULL; i += 2)
		strmap_put(&tagged, nodes[_i].tags[i], nodes[_i].tags[i + 1]);
	reach_show_node(&shown, &tagged);
	ck_assert_str_eq(shown, nodes[_i].shown);
	free(shown);
	strmap_clear(&tagged);
}
END_TEST

START_TEST(a_service_has_the_port_of_the_wan_unless_that_is_0)
{
	struct node_service	 s = { .port = 80 };

	s.address = xstrdup("10.6.0.1");
	tag(&s.tagged_addresses, "lan", "10.6.0.1", 80);
	reach_show_service(&s.address, &s.port, &s.tagged_addresses);
	ck_assert_str_eq(s.address, "10.6.0.1");
	tag(&s.tagged_addresses, "wan", "198.51.100.2", 8080);
	reach_show_service(&s.address, &s.port, &s.tagged_addresses);
	ck_assert_str_eq(s.address, "198.51.100.2");
	ck_assert_int_eq(s.port, 8080);
	s.tagged_addresses.item[1].val.port = 0;
	s.port = 80;
	reach_show_service(&s.address, &s.port, &s.tagged_addresses);
	ck_assert_int_eq(s.port, 80);
	schema_clear(&node_service_schema, &s);
}
END_TEST

START_TEST(for_dns_the_wan_takes_the_place_of_the_lan_by_family)
{
	struct node		 n = { .address = xstrdup("10.5.0.3") };
	struct node_service	 s = { .port = 82 };

	strmap_put(&n.tagged_addresses, "lan_ipv4", "10.5.0.3");
	strmap_put(&n.tagged_addresses, "wan", "198.51.100.4");
	strmap_put(&n.tagged_addresses, "wan_ipv4", "198.51.100.5");
	strmap_put(&n.tagged_addresses, "wan_ipv6", "2001:db8::5");
	reach_swap_node(&n);
	ck_assert_str_eq(n.address, "198.51.100.4");
	ck_assert_str_eq(strmap_get(&n.tagged_addresses, "lan_ipv4"),
	    "198.51.100.5");
	ck_assert_str_eq(strmap_get(&n.tagged_addresses, "lan_ipv6"),
	    "2001:db8::5");
	schema_clear(&node_schema, &n);

	tag(&s.tagged_addresses, "lan_ipv4", "10.6.0.1", 82);
	tag(&s.tagged_addresses, "wan", "198.51.100.6", 0);
	tag(&s.tagged_addresses, "wan_ipv4", "198.51.100.7", 0);
	tag(&s.tagged_addresses, "wan_ipv6", "2001:db8::7", 0);
	reach_swap_service(&s);
	ck_assert_str_eq(s.address, "198.51.100.6");
	ck_assert_int_eq(s.port, 82);
	ck_assert_str_eq(s.tagged_addresses.item[0].val.address,
	    "198.51.100.7");
	ck_assert_uint_eq(s.tagged_addresses.n, 5);
	ck_assert_str_eq(s.tagged_addresses.item[4].key, "lan_ipv6");
	ck_assert_str_eq(s.tagged_addresses.item[4].val.address,
	    "2001:db8::7");
	schema_clear(&node_service_schema, &s);
}
END_TEST

int
main(void)
{
	TCase	*tc = unit_case("common_reach");

	tcase_add_loop_test(tc,
	    a_node_is_shown_with_the_address_that_consul_shows, 0,
	    (int)NELEM(nodes));
	tcase_add_test(tc, a_service_has_the_port_of_the_wan_unless_that_is_0);
	tcase_add_test(tc,
	    for_dns_the_wan_takes_the_place_of_the_lan_by_family);
	return unit_case_run("common_reach", tc);
}

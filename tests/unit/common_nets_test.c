/*
 * Networks and the addresses in them.
 */
#include "common/nets.h"
#include "tests/unit/common_unit.h"

static const uint8_t ten[4] = { 10, 0, 0, 7 }, other[4] = { 10, 0, 1, 7 };

START_TEST(a_network_covers_its_addresses_alone)
{
	static const uint8_t mapped[16] = { [10] = 255, [11] = 255, [12] = 10,
				 [15] = 7 };
	static const uint8_t six[16] = { 0x20, 1, 0xd, 0xb8, 0x81 };
	struct nets a = { .n = 0 };

	ck_assert_int_eq(nets_add(&a, "10.0.0.0/24"), 0);
	ck_assert_int_eq(nets_add(&a, "2001:db8:8000::/33"), 0);
	ck_assert_int_eq(nets_add(&a, "10.0.0.0/33"), -1);
	ck_assert_int_eq(nets_add(&a, "10.0.0.0/"), -1);
	ck_assert_int_eq(nets_add(&a, "host/8"), -1);
	ck_assert(nets_have(&a, ten, 4));
	ck_assert(nets_have(&a, mapped, 16));
	ck_assert(!nets_have(&a, other, 4));
	ck_assert(nets_have(&a, six, 16));
	ck_assert_int_eq(nets_add(&a, "10.0.1.7:5353"), 0);
	ck_assert(nets_have(&a, other, 4));
	nets_clear(&a);
	ck_assert(!nets_have(&a, ten, 4));
	ck_assert_int_eq(nets_add(&a, "0.0.0.0/0"), 0);
	ck_assert(nets_have(&a, ten, 4));
	ck_assert(!nets_have(&a, six, 16));
	nets_clear(&a);
}
END_TEST

START_TEST(a_network_has_the_length_of_its_prefix)
{
	ck_assert(prefix_is("10.0.0.0/8"));
	ck_assert(prefix_is("::/0"));
	ck_assert(!prefix_is("10.0.0.0"));
	ck_assert(!prefix_is("10.0.0.0/+8"));
	ck_assert(!prefix_is("10.0.0.0/8x"));
	ck_assert(!prefix_is("10.0.0.0/33"));
	ck_assert(!prefix_is("web/8"));
}
END_TEST

UNIT_MAIN("common_nets", a_network_covers_its_addresses_alone,
    a_network_has_the_length_of_its_prefix)

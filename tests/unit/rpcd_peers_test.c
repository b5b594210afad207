/*
 * rpcd/peers: shares of the window of calls, and lines in the log, by address.
 */
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "rpcd/peers.h"
#include "tests/unit/common_unit.h"

static struct sockaddr_storage
address(unsigned i, uint16_t port)
{
	struct sockaddr_storage	 ss;
	char			 text[32];

	snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, i >> 8 & 255,
	    i & 255);
	ck_assert_int_eq(addr_parse(text, port, &ss), 0);
	return ss;
}

static size_t
fill(struct peers *ps, struct peer *p)
{
	size_t	 n = 0;

	while (peer_call_begin(ps, p))
		n++;
	return n;
}

START_TEST(no_peer_has_more_of_the_window_than_it_leaves)
{
	struct sockaddr_storage	 a = address(1, 1), a2 = address(1, 2),
				 b = address(2, 1), c = address(3, 1);
	struct peers		*ps = peers_new(16384);
	struct peer		*pa, *pb, *pc;
	size_t			 i;

	pa = peer_came(ps, &a);
	/* More connections are no more calls. */
	ck_assert_ptr_eq(peer_came(ps, &a2), pa);
	ck_assert_uint_eq(peers_conns(ps, &a), 2);
	ck_assert_uint_eq(fill(ps, pa), 8192);
	pb = peer_came(ps, &b);
	ck_assert_uint_eq(fill(ps, pb), 4096);
	pc = peer_came(ps, &c);
	ck_assert_uint_eq(fill(ps, pc), 2048);
	ck_assert(!peer_call_begin(ps, pa));
	/* What one gives back all may have. */
	for (i = 0; i < 8192; i++)
		peer_call_end(ps, pa);
	ck_assert_uint_gt(fill(ps, pc), 1000);
	peer_left(ps, pa);
	peer_left(ps, pa);
	ck_assert_uint_eq(peers_conns(ps, &a), 0);
	peers_free(ps);
}
END_TEST

START_TEST(lines_about_one_address_are_few_and_the_rest_counted)
{
	struct sockaddr_storage	 a = address(1, 1), b = address(2, 1);
	struct peers		*ps = peers_new(16);
	struct peer		*p;
	uint64_t		 hidden, now = 1000, all = 0;
	int			 i, n = 0;

	/* It comes anew each 100 ms, for ten minutes. */
	for (i = 0; i < 6000; i++, now += 100) {
		p = peer_came(ps, &a);
		if (peer_may_log(p, now, &hidden)) {
			n++;
			all += hidden;
		}
		peer_left(ps, p);
	}
	ck_assert_int_ge(n, 13);
	ck_assert_int_le(n, 15);
	ck_assert_uint_ge(all, 5000);
	/* Another one has lines of its own. */
	p = peer_came(ps, &b);
	ck_assert(peer_may_log(p, now, &hidden));
	ck_assert_uint_eq(hidden, 0);
	/* After a while it is as if nothing had been. */
	now += 3600000;
	p = peer_came(ps, &a);
	for (i = 0; peer_may_log(p, now, &hidden); i++)
		;
	ck_assert_int_eq(i, 5);
	peers_free(ps);
}
END_TEST

START_TEST(those_who_are_gone_are_remembered_within_bounds)
{
	struct sockaddr_storage	 a;
	struct peers		*ps = peers_new(16);
	struct peer		*p;
	uint64_t		 hidden;
	unsigned		 i;
	int			 n;

	for (i = 1; i <= 5000; i++) {
		a = address(i, 1);
		p = peer_came(ps, &a);
		for (n = 0; peer_may_log(p, 1, &hidden); n++)
			;
		peer_left(ps, p);
	}
	/* The last ones still are, the first are not. */
	a = address(5000, 1);
	ck_assert(!peer_may_log(peer_came(ps, &a), 1, &hidden));
	a = address(1, 1);
	ck_assert(peer_may_log(peer_came(ps, &a), 1, &hidden));
	peers_free(ps);
}
END_TEST

UNIT_MAIN("rpcd_peers",
    no_peer_has_more_of_the_window_than_it_leaves,
    lines_about_one_address_are_few_and_the_rest_counted,
    those_who_are_gone_are_remembered_within_bounds)

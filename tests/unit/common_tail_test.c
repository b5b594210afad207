/*
 * common/tail: the last bytes, whatever the pieces.
 */
#include <string.h>

#include "common/tail.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

START_TEST(keeps_the_last_bytes_of_any_pieces)
{
	struct tail	 t;
	struct rng	 rng;
	uint8_t		 all[5000];
	const uint8_t	*p;
	size_t		 i, at, k, n, want;

	rng_seed(&rng, 7);
	for (i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i * 7);
	for (i = 0; i < 200; i++) {
		tail_init(&t, rng_below(&rng, 300));
		for (at = 0; at < sizeof(all); at += k) {
			k = 1 + rng_below(&rng, 700);
			if (k > sizeof(all) - at)
				k = sizeof(all) - at;
			tail_add(&t, all + at, k);
			p = tail_bytes(&t, &n);
			want = at + k < t.max ? at + k : t.max;
			ck_assert_uint_eq(n, want);
			if (n > 0)
				ck_assert_mem_eq(p, all + at + k - n, n);
			ck_assert_uint_eq(t.total, at + k);
		}
		tail_clear(&t);
	}
}
END_TEST

UNIT_MAIN("common_tail",
    keeps_the_last_bytes_of_any_pieces)

/*
 * Randomness for pure cores: xoshiro256** (Blackman, Vigna), seeded by a
 * number in tests and in the simulator, by the kernel in daemons.
 */
#include <err.h>
#include <sys/random.h>

#include "common/util.h"

void
rng_seed(struct rng *rng, uint64_t seed)
{
	uint64_t	 z;
	int		 i;

	for (i = 0; i < 4; i++) {		/* splitmix64 */
		z = (seed += 0x9e3779b97f4a7c15ull);
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
		rng->s[i] = z ^ (z >> 31);
	}
}

void
rng_seed_os(struct rng *rng)
{
	/* 32 bytes never come in pieces, once the pool is ready. */
	if (getrandom(rng->s, sizeof(rng->s), 0) != (ssize_t)sizeof(rng->s))
		err(1, "getrandom");
	rng->s[3] |= 1;		/* all zero is the one state that is stuck */
}

static uint64_t
rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

uint64_t
rng_next(struct rng *rng)
{
	uint64_t	*s = rng->s, t = s[1] << 17;
	uint64_t	 result = rotl(s[1] * 5, 7) * 9;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

/* Lemire's multiplication; the uneven rest is drawn again. */
uint32_t
rng_below(struct rng *rng, uint32_t bound)
{
	uint32_t	 rest;
	uint64_t	 m;

	if (bound == 0)
		return 0;
	rest = -bound % bound;
	do {
		m = (rng_next(rng) >> 32) * bound;
	} while ((uint32_t)m < rest);
	return (uint32_t)(m >> 32);
}

double
rng_double(struct rng *rng)
{
	return (double)(rng_next(rng) >> 11) * 0x1.0p-53;
}

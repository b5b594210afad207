/*
 * Response rate limiting: see rrl.h.
 *
 * What is alike for a network: answers to one name and type, however spelled;
 * all that say no, by how they say it, for the names in those can be endless.
 * A bucket holds a second's answers and fills with time.  Four buckets share a
 * place in the table; a newcomer takes that of the one which is fullest, so
 * that whoever is over the limit stays.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/dns_packet.h"
#include "dnsd/rrl.h"

struct bucket {
	uint32_t	key;		/* 0: free */
	uint32_t	left;		/* answers, in thousandths */
	uint32_t	ms;		/* when it was filled */
	uint32_t	over;		/* answers above the limit */
};

struct rrl {
	uint64_t	seed;
	struct bucket	bucket[RRL_BUCKETS];
};

/* The network, the kind of answer, and for a real one name and type. */
static uint64_t
kind(const struct rrl *r, const uint8_t *ip, size_t len, const uint8_t *p,
    size_t n)
{
	uint8_t	 key[8 + 1 + DNS_NAME_MAX + 2], *k = key;
	size_t	 net = len == 4 ? 3 : 7, end, i;
	unsigned rcode = p[3] & DNS_RCODE;

	memcpy(k, ip, net);
	k += net;
	*k++ = (uint8_t)rcode;
	if (rcode == DNS_NOERROR && n > DNS_HEADER) {
		for (end = DNS_HEADER; end < n && p[end] != 0 && p[end] < 64;
		    end += p[end] + 1u)
			;
		for (i = DNS_HEADER; i < end && i < n &&
		    i < DNS_HEADER + DNS_NAME_MAX; i++)
			*k++ = dns_fold(p[i]);
		if (n - i >= 3) {
			*k++ = p[i + 1];
			*k++ = p[i + 2];
		}
	}
	return hash_bytes(key, (size_t)(k - key), r->seed);
}

static void
refill(struct bucket *b, uint32_t rate, uint32_t ms)
{
	uint64_t	left = b->left + (uint64_t)(ms - b->ms) * rate;
	uint64_t	full = (uint64_t)rate * 1000;

	b->ms = ms;
	b->left = (uint32_t)(left > full ? full : left);
	if (left >= full)
		b->over = 0;
}

static struct bucket *
find(struct rrl *r, uint64_t h, uint32_t rate, uint32_t ms)
{
	struct bucket	*set, *b, *best = NULL;
	uint32_t	 key = (uint32_t)(h >> 32) | 1;
	size_t		 i;

	set = &r->bucket[h % (RRL_BUCKETS / RRL_WAYS) * RRL_WAYS];
	for (i = 0; i < RRL_WAYS; i++) {
		b = &set[i];
		if (b->key == key) {
			refill(b, rate, ms);
			return b;
		}
		if (b->key == 0) {
			best = b;
			continue;
		}
		refill(b, rate, ms);
		if (best == NULL || (best->key != 0 && b->left > best->left))
			best = b;
	}
	*best = (struct bucket){ .key = key, .left = rate * 1000, .ms = ms };
	return best;
}

enum rrl_verdict
rrl_check(struct rrl *r, uint32_t rate, const uint8_t *ip, size_t len,
    const uint8_t *p, size_t n, uint64_t ms)
{
	struct bucket	*b;

	if (rate == 0 || n < DNS_HEADER)
		return RRL_SEND;
	if (rate > UINT32_MAX / 1000)
		rate = UINT32_MAX / 1000;
	b = find(r, kind(r, ip, len, p, n), rate, (uint32_t)ms);
	if (b->left >= 1000) {
		b->left -= 1000;
		return RRL_SEND;
	}
	return ++b->over % RRL_SLIP == 0 ? RRL_SLIP_TC : RRL_DROP;
}

struct rrl *
rrl_new(uint64_t seed)
{
	struct rrl	*r = xcalloc(1, sizeof(*r));

	r->seed = seed;
	return r;
}

void
rrl_free(struct rrl *r)
{
	free(r);
}

/*
 * Response rate limiting: answers over UDP go where the question says it came
 * from, which anybody can write there; so a network gets only so many of one
 * kind.  Pure.
 */
#ifndef DNSD_RRL_H
#define DNSD_RRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RRL_BUCKETS 16384	/* of 16 bytes; the busiest stay */
#define RRL_WAYS 4
#define RRL_SLIP 2		/* every so manieth is sent as TC */

enum rrl_verdict { RRL_SEND, RRL_SLIP_TC, RRL_DROP };

struct rrl;
struct rrl *rrl_new(uint64_t seed);
void rrl_free(struct rrl *);
/*
 * An answer (n bytes, with its question) to that address.  rate: a second,
 * and as many at once; ms: of a clock that does not go back.
 */
enum rrl_verdict rrl_check(struct rrl *, uint32_t rate, const uint8_t *ip,
    size_t len, const uint8_t *answer, size_t n, uint64_t ms);

#endif

/*
 * When a child that died is started again.  Pure.
 */
#ifndef DISCOD_BACKOFF_H
#define DISCOD_BACKOFF_H

#include <stdint.h>

#define BACKOFF_YOUNG_MS	10000	/* dying before that is dying young */
#define BACKOFF_FIRST_MS	100
#define BACKOFF_MAX_MS		30000

struct backoff { uint64_t next_ms; };

/*
 * How long to wait now that a child died after lived_ms: at once the first
 * time, then 100 ms and twice that each time it died young.
 */
uint64_t backoff_died(struct backoff *, uint64_t lived_ms);

#endif

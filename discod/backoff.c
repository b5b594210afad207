/*
 * The restart delay.  Pure.
 */
#include "discod/backoff.h"

uint64_t
backoff_died(struct backoff *b, uint64_t lived_ms)
{
	uint64_t	wait_ms;

	if (lived_ms >= BACKOFF_YOUNG_MS)
		b->next_ms = 0;
	wait_ms = b->next_ms;
	b->next_ms = wait_ms == 0 ? BACKOFF_FIRST_MS : wait_ms * 2;
	if (b->next_ms > BACKOFF_MAX_MS)
		b->next_ms = BACKOFF_MAX_MS;
	return wait_ms;
}

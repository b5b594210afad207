/*
 * The last bytes of an output of any length.
 */
#ifndef COMMON_TAIL_H
#define COMMON_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

struct tail {
	struct wbuf	 buf;
	size_t		 max;
	uint64_t	 total;		/* bytes that were added */
};

void tail_init(struct tail *, size_t max);
void tail_clear(struct tail *);
void tail_add(struct tail *, const void *, size_t);
/* The last `max` bytes at most; valid until the next change. */
const uint8_t *tail_bytes(const struct tail *, size_t *len);

#endif

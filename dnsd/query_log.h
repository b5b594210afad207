/*
 * The log of queries, switched at run time.  Pure: lines come back as text.
 */
#ifndef DNSD_QUERY_LOG_H
#define DNSD_QUERY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/dns_packet.h"

#define QUERY_LOG_RATE 100	/* lines a second, whatever is asked for */
#define QUERY_LOG_LINE (4 * DNS_NAME_MAX + 160)

struct query_log {
	uint32_t	every;		/* one of so many; 0: off */
	uint32_t	count;		/* since the last one */
	uint64_t	second;		/* of the lines counted here */
	uint32_t	lines;
	uint64_t	left_out;	/* by the rate, since it was said */
};
/* Is this answer to be logged?  *left_out: as many as were not before. */
bool query_log_due(struct query_log *, uint64_t ms, uint64_t *left_out);
/* "10.0.0.7 udp web.service.consul. A: NOERROR, 3 answers, 99 bytes" */
void query_log_line(char out[QUERY_LOG_LINE], const char *client, bool udp,
    const uint8_t *answer, size_t n);

#endif

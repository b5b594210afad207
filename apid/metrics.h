/*
 * What apid counts of itself: requests by route, how long they took, calls to
 * the servers.  Pure: time is an argument.
 */
#ifndef APID_METRICS_H
#define APID_METRICS_H

#include <stddef.h>
#include <stdint.h>

#define METRICS_INTERVAL_MS 10000	/* of what agent/metrics shows */

struct sample {
	uint64_t	count;
	double		sum, sum_squares, min, max;
};
/* The last whole interval, the one that runs, and since the start. */
struct series { struct sample last, now, total; };

struct metrics {
	uint64_t	 start_ms;	/* of the interval that runs */
	size_t		 n;
	struct series	*series;
};

void metrics_init(struct metrics *, size_t n, uint64_t now_ms);
void metrics_free(struct metrics *);
/* One thing of the i-th series that took, or was, so much. */
void metrics_add(struct metrics *, size_t i, double value, uint64_t now_ms);
/* Begins the interval that now_ms is in; before reading. */
void metrics_turn(struct metrics *, uint64_t now_ms);
double sample_mean(const struct sample *);
double sample_stddev(const struct sample *);

#endif

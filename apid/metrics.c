/*
 * Counters by interval.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apid/metrics.h"
#include "common/util.h"

void
metrics_init(struct metrics *m, size_t n, uint64_t now_ms)
{
	m->start_ms = now_ms;
	m->n = n;
	m->series = xcalloc(n, sizeof(*m->series));
}

void
metrics_free(struct metrics *m)
{
	free(m->series);
	memset(m, 0, sizeof(*m));
}

void
metrics_turn(struct metrics *m, uint64_t now_ms)
{
	uint64_t	over;
	size_t		i;

	if (now_ms < m->start_ms + METRICS_INTERVAL_MS)
		return;
	over = (now_ms - m->start_ms) / METRICS_INTERVAL_MS;
	for (i = 0; i < m->n; i++) {
		/* Whole intervals went by in which nothing was. */
		if (over > 1)
			memset(&m->series[i].last, 0, sizeof(struct sample));
		else
			m->series[i].last = m->series[i].now;
		memset(&m->series[i].now, 0, sizeof(struct sample));
	}
	m->start_ms += over * METRICS_INTERVAL_MS;
}

static void
add(struct sample *s, double v)
{
	s->min = s->count == 0 || v < s->min ? v : s->min;
	s->max = s->count == 0 || v > s->max ? v : s->max;
	s->count++;
	s->sum += v;
	s->sum_squares += v * v;
}

void
metrics_add(struct metrics *m, size_t i, double value, uint64_t now_ms)
{
	if (i >= m->n)
		return;
	metrics_turn(m, now_ms);
	add(&m->series[i].now, value);
	add(&m->series[i].total, value);
}

double
sample_mean(const struct sample *s)
{
	return s->count == 0 ? 0 : s->sum / (double)s->count;
}

double
sample_stddev(const struct sample *s)
{
	double	n = (double)s->count, v;

	if (s->count < 2)
		return 0;
	v = (n * s->sum_squares - s->sum * s->sum) / (n * (n - 1));
	return v > 0 ? sqrt(v) : 0;
}

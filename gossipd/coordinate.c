/*
 * Vivaldi with Serf's additions: a median over the last samples of each peer,
 * an adjustment that is no place in space, and a pull towards the origin, so
 * that all coordinates do not drift off together.
 *
 * The order of the operations is that of peers: their numbers come out to the
 * last digit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gossipd/coordinate.h"

#define ERROR_MAX	1.5
#define CE		0.25	/* weight of one sample on the error */
#define CC		0.25	/* and on the place */
#define WINDOW		20	/* samples in the adjustment */
#define HEIGHT_MIN	1e-5
#define GRAVITY_RHO	150.0	/* distance at which the pull is strong */
#define NEAR_ZERO	1e-6
#define RTT_MAX_S	10.0

const struct coord coord_new = { .error = ERROR_MAX, .height = HEIGHT_MIN };

struct coord_self {
	struct coord	at;
	double		adjust[WINDOW];
	unsigned	next, resets;
	struct rng	rng;
};

bool
coord_valid(const struct coord *c)
{
	int	i;

	for (i = 0; i < COORD_DIM; i++)
		if (!isfinite(c->vec[i]))
			return false;
	return isfinite(c->error) && isfinite(c->adjustment) &&
	    isfinite(c->height);
}

/* The difference of two places, and its length. */
static double
difference(const double *a, const double *b, double *out)
{
	double	sum = 0;
	int	i;

	for (i = 0; i < COORD_DIM; i++) {
		out[i] = a[i] - b[i];
		sum += out[i] * out[i];
	}
	return sqrt(sum);
}

static double
raw_distance(const struct coord *a, const struct coord *b)
{
	double	diff[COORD_DIM];

	return difference(a->vec, b->vec, diff) + a->height + b->height;
}

double
coord_distance(const struct coord *a, const struct coord *b)
{
	double	dist = raw_distance(a, b), adjusted;
	int64_t	ns;

	adjusted = dist + a->adjustment + b->adjustment;
	if (adjusted > 0)
		dist = adjusted;
	dist *= 1e9;
	/* Peers go through a duration of whole nanoseconds. */
	if (!(fabs(dist) < 9e18))
		return dist / 1e9;
	ns = (int64_t)dist;
	return (double)(ns / NS_PER_S) + (double)(ns % NS_PER_S) / 1e9;
}

/* Where to push a away from b; the length, 0 when they are in one place. */
static double
direction(struct rng *rng, const double *a, const double *b, double *unit)
{
	double	len = difference(a, b, unit), sum = 0;
	int	i;

	if (len <= NEAR_ZERO) {
		for (i = 0; i < COORD_DIM; i++) {
			unit[i] = rng_double(rng) - 0.5;
			sum += unit[i] * unit[i];
		}
		if (sqrt(sum) <= NEAR_ZERO) {
			memset(unit, 0, COORD_DIM * sizeof(*unit));
			unit[0] = sum = 1;
		}
		len = 0;
	}
	for (i = 0; i < COORD_DIM; i++)
		unit[i] *= 1.0 / (len > 0 ? len : sqrt(sum));
	return len;
}

static void
push(struct coord_self *s, double force, const struct coord *other)
{
	struct coord	*c = &s->at;
	double		 unit[COORD_DIM], len;
	int		 i;

	len = direction(&s->rng, c->vec, other->vec, unit);
	for (i = 0; i < COORD_DIM; i++)
		c->vec[i] += unit[i] * force;
	if (len > NEAR_ZERO) {
		c->height = (c->height + other->height) * force / len +
		    c->height;
		/* A NaN stays one: the caller starts anew then. */
		if (c->height < HEIGHT_MIN)
			c->height = HEIGHT_MIN;
	}
}

struct coord_self *
coord_self_new(uint64_t seed)
{
	struct coord_self	*s = xcalloc(1, sizeof(*s));

	s->at = coord_new;
	rng_seed(&s->rng, seed);
	return s;
}

void
coord_self_free(struct coord_self *s)
{
	free(s);
}

const struct coord *
coord_self_at(const struct coord_self *s)
{
	return &s->at;
}

unsigned
coord_self_resets(const struct coord_self *s)
{
	return s->resets;
}

/* The middle one of the last samples: one slow answer says nothing. */
static double
filtered(struct coord_filter *f, double rtt_s)
{
	double	v[COORD_SAMPLES], x;
	int	i, j, n;

	f->rtt_s[f->next] = rtt_s;
	f->next = (uint8_t)((f->next + 1) % COORD_SAMPLES);
	if (f->n < COORD_SAMPLES)
		f->n++;
	n = f->n;
	for (i = 0; i < n; i++) {
		x = f->rtt_s[i];
		for (j = i; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
	return v[n / 2];
}

static void
update_place(struct coord_self *s, const struct coord *other, double rtt)
{
	struct coord	*c = &s->at;
	double		 dist = coord_distance(c, other), wrong, total, weight;

	if (rtt < NEAR_ZERO)
		rtt = NEAR_ZERO;
	wrong = fabs(dist - rtt) / rtt;
	total = c->error + other->error;
	if (total < NEAR_ZERO)
		total = NEAR_ZERO;
	weight = c->error / total;
	c->error = CE * weight * wrong + c->error * (1.0 - CE * weight);
	if (c->error > ERROR_MAX)
		c->error = ERROR_MAX;
	push(s, CC * weight * (rtt - dist), other);
}

static void
update_adjustment(struct coord_self *s, const struct coord *other, double rtt)
{
	double	sum = 0;
	int	i;

	s->adjust[s->next] = rtt - raw_distance(&s->at, other);
	s->next = (s->next + 1) % WINDOW;
	for (i = 0; i < WINDOW; i++)
		sum += s->adjust[i];
	s->at.adjustment = sum / (2.0 * WINDOW);
}

int
coord_self_update(struct coord_self *s, struct coord_filter *f,
    const struct coord *other, double rtt_s)
{
	double	rtt, far;

	if (!coord_valid(other) || !(rtt_s >= 0 && rtt_s <= RTT_MAX_S))
		return -1;
	rtt = filtered(f, rtt_s);
	update_place(s, other, rtt);
	update_adjustment(s, other, rtt);
	far = coord_distance(&coord_new, &s->at) / GRAVITY_RHO;
	push(s, -1.0 * (far * far), &coord_new);
	if (!coord_valid(&s->at)) {
		s->at = coord_new;
		memset(s->adjust, 0, sizeof(s->adjust));
		s->resets++;
	}
	return 0;
}

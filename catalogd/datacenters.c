/*
 * The servers of the WAN pool, by name, with their datacenters.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <bsd/sys/queue.h>

#include "catalogd/datacenters.h"
#include "common/distance.h"
#include "common/util.h"

struct wan_server {
	TAILQ_ENTRY(wan_server)	 entry;
	char			*name, *dc;
	bool			 seen;		/* in the list being told */
};

struct datacenters {
	char			 *own;
	TAILQ_HEAD(, wan_server) servers;
};

struct datacenters *
datacenters_new(const char *own)
{
	struct datacenters	*d = xcalloc(1, sizeof(*d));

	d->own = xstrdup(own);
	TAILQ_INIT(&d->servers);
	return d;
}

static void
drop(struct datacenters *d, struct wan_server *s)
{
	TAILQ_REMOVE(&d->servers, s, entry);
	free(s->name);
	free(s->dc);
	free(s);
}

void
datacenters_free(struct datacenters *d)
{
	if (d == NULL)
		return;
	while (!TAILQ_EMPTY(&d->servers))
		drop(d, TAILQ_FIRST(&d->servers));
	free(d->own);
	free(d);
}

void
datacenters_begin(struct datacenters *d)
{
	struct wan_server	*s;

	TAILQ_FOREACH(s, &d->servers, entry)
		s->seen = false;
}

void
datacenters_end(struct datacenters *d)
{
	struct wan_server	*s, *next;

	TAILQ_FOREACH_SAFE(s, &d->servers, entry, next)
		if (!s->seen)
			drop(d, s);
}

static struct wan_server *
find(const struct datacenters *d, const char *name)
{
	struct wan_server	*s;

	TAILQ_FOREACH(s, &d->servers, entry)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

void
datacenters_member(struct datacenters *d, const struct member *m)
{
	const char		*role, *dc;
	struct wan_server	*s;

	if (!m->wan || str_empty(m->name))
		return;
	s = find(d, m->name);
	role = strmap_get(&m->tags, "role");
	dc = strmap_get(&m->tags, "dc");
	if (m->status == MEMBER_NONE || m->status == MEMBER_LEFT ||
	    role == NULL || strcmp(role, "consul") != 0 || str_empty(dc)) {
		if (s != NULL)
			drop(d, s);
		return;
	}
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->name = xstrdup(m->name);
		TAILQ_INSERT_TAIL(&d->servers, s, entry);
	}
	str_set(&s->dc, dc);
	s->seen = true;
}

const char *
datacenters_own(const struct datacenters *d)
{
	return d->own;
}

static int
text_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
datacenters_names(const struct datacenters *d, struct strs *out)
{
	struct wan_server	*s;

	memset(out, 0, sizeof(*out));
	strs_add(out, d->own);
	TAILQ_FOREACH(s, &d->servers, entry)
		if (!strs_has(out, s->dc))
			strs_add(out, s->dc);
	qsort(out->item, out->n, sizeof(*out->item), text_cmp);
}

/* ---- distances ---- */

struct placed {
	char	*dc;
	double	 distance;
};

static int
placed_cmp(const void *pa, const void *pb)
{
	const struct placed	*a = pa, *b = pb;

	if (a->distance != b->distance)
		return a->distance < b->distance ? -1 : 1;
	return strcmp(a->dc, b->dc);
}

static int
number_cmp(const void *pa, const void *pb)
{
	const double	*a = pa, *b = pb;

	return *a < *b ? -1 : *a > *b;
}

static const struct coordinate *
coordinate_of(const struct gossip_coordinates *g, const char *name)
{
	size_t	 i;

	for (i = 0; i < g->others.n; i++)
		if (strcmp(str_or(g->others.item[i].node, ""), name) == 0)
			return &g->others.item[i].coord;
	return NULL;
}

static double
median(const struct datacenters *d, const char *dc,
    const struct gossip_coordinates *g)
{
	const struct wan_server	*s;
	double			*far = NULL, m = INFINITY;
	size_t			 n = 0;

	if (strcmp(dc, d->own) == 0)
		return -1;
	TAILQ_FOREACH(s, &d->servers, entry) {
		if (strcmp(s->dc, dc) != 0)
			continue;
		far = xreallocarray(far, n + 1, sizeof(*far));
		far[n++] = coordinate_distance(&g->own,
		    coordinate_of(g, s->name));
	}
	if (n > 0) {
		qsort(far, n, sizeof(*far), number_cmp);
		m = far[n / 2];
	}
	free(far);
	return m;
}

void
datacenters_nearest(const struct datacenters *d,
    const struct gossip_coordinates *g, struct strs *out)
{
	struct placed	*p;
	size_t		 i;

	datacenters_names(d, out);
	p = xcalloc(out->n, sizeof(*p));
	for (i = 0; i < out->n; i++) {
		p[i].dc = out->item[i];
		p[i].distance = median(d, p[i].dc, g);
	}
	qsort(p, out->n, sizeof(*p), placed_cmp);
	for (i = 0; i < out->n; i++)
		out->item[i] = p[i].dc;
	free(p);
}

/*
 * Records by serial: see zone.h.
 *
 * live has the records that are there, in the order in which they came; gone
 * those that were, in the order in which they went.  So the difference since
 * a serial stands at the ends of both.  A record that several views have (the
 * address that two services share) is one, with as many references.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/zone.h"

#define BUCKETS_MIN 1024

TAILQ_HEAD(rr_list, zone_rr);

struct zone {
	struct zone_rr	**bucket;
	size_t		  nbuckets, n;
	struct rr_list	  live, gone, touched;
	size_t		  nlive, ngone;
	uint64_t	  serial;
	uint64_t	  oldest;	/* whose difference is known */
	unsigned	  pins;
	uint64_t	  seed;
};

static void
resize(struct zone *z, size_t n)
{
	struct zone_rr	**b = xcalloc(n, sizeof(*b)), *r, *next;
	size_t		  i;

	for (i = 0; i < z->nbuckets; i++)
		for (r = z->bucket[i]; r != NULL; r = next) {
			next = r->next;
			r->next = b[r->hash & (n - 1)];
			b[r->hash & (n - 1)] = r;
		}
	free(z->bucket);
	z->bucket = b;
	z->nbuckets = n;
}

/* The record with these bytes; made if it is not there. */
static struct zone_rr *
intern(struct zone *z, const uint8_t *wire, size_t len)
{
	uint64_t	 h = hash_bytes(wire, len, z->seed);
	struct zone_rr	*r;

	for (r = z->bucket[h & (z->nbuckets - 1)]; r != NULL; r = r->next)
		if (r->hash == h && r->len == len &&
		    memcmp(r->wire, wire, len) == 0)
			return r;
	if (z->n >= z->nbuckets)
		resize(z, z->nbuckets * 2);
	r = xcalloc(1, sizeof(*r) + len);
	r->hash = h;
	r->len = (uint16_t)len;
	memcpy(r->wire, wire, len);
	r->next = z->bucket[h & (z->nbuckets - 1)];
	z->bucket[h & (z->nbuckets - 1)] = r;
	z->n++;
	return r;
}

static void
forget(struct zone *z, struct zone_rr *r)
{
	struct zone_rr	**p;

	for (p = &z->bucket[r->hash & (z->nbuckets - 1)]; *p != r;
	    p = &(*p)->next)
		;
	*p = r->next;
	z->n--;
}

static void
touch(struct zone *z, struct zone_rr *r)
{
	if (r->is_touched)
		return;
	r->is_touched = true;
	TAILQ_INSERT_TAIL(&z->touched, r, touched);
}

void
zone_add(struct zone *z, struct zone_part *p, const uint8_t *owner,
    size_t owner_len, uint16_t type, uint32_t ttl, const uint8_t *data,
    size_t len)
{
	uint8_t		 wire[DNS_NAME_MAX + DNS_RR_FIXED + 1024];
	struct zone_rr	*r;

	if (owner_len == 0 || owner_len > DNS_NAME_MAX || len > 1024)
		return;
	memcpy(wire, owner, owner_len);
	dns_put16(wire + owner_len, type);
	dns_put16(wire + owner_len + 2, DNS_C_IN);
	dns_put32(wire + owner_len + 4, ttl);
	dns_put16(wire + owner_len + 8, (uint16_t)len);
	memcpy(wire + owner_len + DNS_RR_FIXED, data, len);
	r = intern(z, wire, owner_len + DNS_RR_FIXED + len);
	r->refs++;
	touch(z, r);
	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 4 : p->cap * 2;
		p->rr = xreallocarray(p->rr, p->cap, sizeof(*p->rr));
	}
	p->rr[p->n++] = r;
}

void
zone_drop(struct zone *z, struct zone_part *p)
{
	size_t	i;

	for (i = 0; i < p->n; i++) {
		p->rr[i]->refs--;
		touch(z, p->rr[i]);
	}
	free(p->rr);
	*p = (struct zone_part){ NULL, 0, 0 };
}

/* Where nobody reads them, those that went first are forgotten. */
static void
trim(struct zone *z)
{
	struct zone_rr	*r;

	while (z->pins == 0 && z->ngone > ZONE_GONE_MAX) {
		r = TAILQ_FIRST(&z->gone);
		TAILQ_REMOVE(&z->gone, r, entry);
		z->ngone--;
		z->oldest = r->died;
		free(r);
	}
}

static void
settle(struct zone *z, struct zone_rr *r)
{
	bool	now = r->refs > 0;

	TAILQ_REMOVE(&z->touched, r, touched);
	r->is_touched = false;
	if (now && !r->there) {
		r->born = z->serial;
		TAILQ_INSERT_TAIL(&z->live, r, entry);
		z->nlive++;
	} else if (!now && r->there) {
		forget(z, r);
		r->died = z->serial;
		TAILQ_REMOVE(&z->live, r, entry);
		TAILQ_INSERT_TAIL(&z->gone, r, entry);
		z->nlive--;
		z->ngone++;
	} else if (!now) {
		forget(z, r);
		free(r);
		return;
	}
	r->there = now;
}

bool
zone_commit(struct zone *z, uint64_t serial)
{
	struct zone_rr	*r;
	bool		 different = z->serial == 0;

	TAILQ_FOREACH(r, &z->touched, touched)
		different = different || r->there != (r->refs > 0);
	if (different) {
		z->serial = serial > z->serial ? serial : z->serial + 1;
		if (z->oldest == 0)
			z->oldest = z->serial;
	}
	while ((r = TAILQ_FIRST(&z->touched)) != NULL)
		settle(z, r);
	trim(z);
	return different;
}

uint64_t
zone_serial(const struct zone *z)
{
	return z->serial;
}

size_t
zone_count(const struct zone *z)
{
	return z->nlive;
}

/* ---- reading ---- */

void
zone_whole(struct zone *z, struct zone_diff *d)
{
	struct zone_rr	*r;

	memset(d, 0, sizeof(*d));
	d->to = z->serial;
	d->added = xcalloc(z->nlive + 1, sizeof(*d->added));
	TAILQ_FOREACH(r, &z->live, entry)
		d->added[d->nadded++] = r;
	z->pins++;
}

int
zone_since(struct zone *z, uint32_t serial, struct zone_diff *d)
{
	uint64_t	 ago = (uint32_t)((uint32_t)z->serial - serial), from;
	struct zone_rr	*r;

	if (z->serial == 0 || ago > z->serial ||
	    (from = z->serial - ago) < z->oldest)
		return -1;
	memset(d, 0, sizeof(*d));
	d->from = from;
	d->to = z->serial;
	TAILQ_FOREACH_REVERSE(r, &z->live, rr_list, entry) {
		if (r->born <= from)
			break;
		d->nadded++;
	}
	d->added = xcalloc(d->nadded + 1, sizeof(*d->added));
	d->nadded = 0;
	TAILQ_FOREACH_REVERSE(r, &z->live, rr_list, entry) {
		if (r->born <= from)
			break;
		d->added[d->nadded++] = r;
	}
	d->gone = xcalloc(z->ngone + 1, sizeof(*d->gone));
	TAILQ_FOREACH_REVERSE(r, &z->gone, rr_list, entry) {
		if (r->died <= from)
			break;
		if (r->born <= from)
			d->gone[d->ngone++] = r;
	}
	z->pins++;
	return 0;
}

void
zone_unpin(struct zone *z, struct zone_diff *d)
{
	free(d->added);
	free(d->gone);
	memset(d, 0, sizeof(*d));
	z->pins--;
	trim(z);
}

void
zone_start(struct zone *z, uint64_t serial)
{
	z->serial = serial;
}

struct zone *
zone_new(uint64_t seed)
{
	struct zone	*z = xcalloc(1, sizeof(*z));

	TAILQ_INIT(&z->live);
	TAILQ_INIT(&z->gone);
	TAILQ_INIT(&z->touched);
	z->seed = seed;
	resize(z, BUCKETS_MIN);
	return z;
}

void
zone_free(struct zone *z)
{
	struct zone_rr	*r, *next;
	size_t		 i;

	if (z == NULL)
		return;
	for (i = 0; i < z->nbuckets; i++)
		for (r = z->bucket[i]; r != NULL; r = next) {
			next = r->next;
			free(r);
		}
	while ((r = TAILQ_FIRST(&z->gone)) != NULL) {
		TAILQ_REMOVE(&z->gone, r, entry);
		free(r);
	}
	free(z->bucket);
	free(z);
}

/*
 * A query's way through dnsd: answered at once, parked until its view comes,
 * or handed to the recursors.  Knows neither sockets nor links.
 */
#ifndef DNSD_SERVE_H
#define DNSD_SERVE_H

#include "dnsd/answer.h"
#include "dnsd/names.h"

struct serve_ops {
	struct names_ops names;		/* wake is serve's own */
	/* An answer that comes later than its query. */
	void	(*reply)(const struct origin *, const uint8_t *, size_t,
		    void *arg);
	/* -1: no room for it */
	int	(*recurse)(const struct origin *, const uint8_t *, size_t,
		    void *arg);
	uint64_t (*now)(void *arg);	/* milliseconds, of this turn */
	uint32_t (*wall)(void *arg);	/* seconds since 1970 */
};

struct serve;
struct serve *serve_new(const struct serve_ops *, void *arg, uint64_t seed);
void serve_free(struct serve *);
struct names *serve_names(struct serve *);
/* The configuration is the caller's and stays there until the next one. */
void serve_conf(struct serve *, const struct answer_conf *);

/*
 * One query.  The answer's length in out (DNS_TCP_MAX bytes, over UDP
 * DNS_UDP_MAX), or 0: it comes later through reply(), or never; then *later
 * says which.
 */
size_t serve_query(struct serve *, const struct origin *, const uint8_t *,
    size_t, uint8_t *out, bool *later);

#endif

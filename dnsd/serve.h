/*
 * A query's way through dnsd: answered at once, parked until its view comes,
 * or handed to the recursors; and an answer's, past limits and log.  Knows
 * neither sockets nor links.
 */
#ifndef DNSD_SERVE_H
#define DNSD_SERVE_H

#include "common/nets.h"
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
	uint32_t (*serial)(void *arg);	/* of the SOA */
};

struct serve;
struct serve *serve_new(const struct serve_ops *, void *arg, uint64_t seed);
void serve_free(struct serve *);
struct names *serve_names(struct serve *);
/*
 * The configuration is the caller's and stays there until the next one.
 * recurse: who may besides loopback; NULL: this host, whose addresses own has.
 */
void serve_conf(struct serve *, const struct answer_conf *,
    const struct nets *recurse, const struct nets *own, uint32_t rate);
/* One query of so many is logged; 0: none. */
void serve_log(struct serve *, uint32_t every);

/*
 * One query.  The answer's length in out (DNS_TCP_MAX bytes, over UDP
 * DNS_UDP_MAX), or 0: it comes later through reply(), or never; then *later
 * says which.
 */
size_t serve_query(struct serve *, const struct origin *, const uint8_t *,
    size_t, uint8_t *out, bool *later);
/* An answer that did not come from serve_query(): what is to be sent of it. */
size_t serve_late(struct serve *, const struct origin *, uint8_t *out,
    size_t n);

#endif

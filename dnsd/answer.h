/*
 * From a query to its answer: query, views, configuration and a random
 * generator in, bytes out.  Pure; nothing is allocated per query.
 */
#ifndef DNSD_ANSWER_H
#define DNSD_ANSWER_H

#include "common/schema/conf.h"
#include "common/util.h"
#include "dnsd/dns_packet.h"
#include "dnsd/question.h"
#include "dnsd/view.h"

struct answer_conf {
	struct dns_zone	 zone;
	uint8_t		 mname[DNS_NAME_MAX], rname[DNS_NAME_MAX];
	size_t		 mname_len, rname_len;
	uint32_t	 node_ttl;
	uint32_t	 refresh, retry, expire, min_ttl;
	uint32_t	 udp_answer_limit;	/* 0: none */
	uint32_t	 a_record_limit;	/* 0: none */
	bool		 only_passing, truncate, node_meta_txt, compress;
	bool		 recursion;
	struct dns_ttl_vec service_ttl;
};
/* 0, or -1 when a domain is no name.  The strings are copied. */
int answer_conf_set(struct answer_conf *, const struct conf_agent *,
    const struct conf_dns *);
void answer_conf_clear(struct answer_conf *);
/* The TTL of that view under its (folded) name: a prepared query's own, for
 * services by exact name, else longest "prefix*", else "*". */
uint32_t answer_ttl(const struct answer_conf *, const struct view *,
    const char *name);

enum found {
	FOUND_VIEW,
	FOUND_NONE,		/* there is no such name */
	FOUND_WAIT,		/* it was asked for */
	FOUND_FAIL		/* nobody to ask, or too many ask already */
};
typedef enum found find_fn(enum view_kind, const char *name, size_t len,
    const struct view **, void *arg);

struct answer_slot;
struct answerer {
	const struct answer_conf *conf;
	struct rng		 rng;
	find_fn			*find;
	void			*arg;
	uint32_t		 now;	/* seconds since 1970 */
	uint32_t		 serial;	/* of the SOA */
	struct answer_slot	*slots;	/* grows with the largest view */
	size_t			 nslots;
	uint32_t		 stamp;
};
void answerer_init(struct answerer *, const struct answer_conf *, find_fn *,
    void *arg);
void answerer_clear(struct answerer *);

enum answer_end {
	ANSWER_SEND,
	ANSWER_DROP,
	ANSWER_WAIT,		/* again when the view is there */
	ANSWER_RECURSE		/* not ours: for the recursors */
};
/* out has room for DNS_TCP_MAX, or over UDP for DNS_UDP_MAX. */
enum answer_end answer(struct answerer *, const uint8_t *q, size_t len,
    bool udp, uint8_t *out, size_t *outlen);
/* An answer that only says no.  Its length, or 0: nothing may go back. */
size_t answer_error(const struct answer_conf *, const uint8_t *q, size_t len,
    enum dns_rcode, uint8_t *out);

#endif

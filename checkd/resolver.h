/*
 * Names to addresses: literals and the hosts file here, the rest from dnsd.
 */
#ifndef CHECKD_RESOLVER_H
#define CHECKD_RESOLVER_H

#include "common/hosts.h"
#include "common/ipc.h"

#define RESOLVER_ADDRS_MAX 16

struct resolver;
struct lookup;

/* n is 0 on failure; then error says why.  Port is 0. */
typedef void lookup_fn(const struct sockaddr_storage *, size_t n,
    const char *error, void *arg);

struct resolver *resolver_new(const struct hosts *);
void resolver_free(struct resolver *);
/* The link to dnsd came up, or (NULL) broke. */
void resolver_link(struct resolver *, struct ipc *);
/* Hand it RESOLVED messages. */
void resolver_answer(struct resolver *, const struct imsg *);

/* What is known without asking: the number of addresses. */
size_t resolver_now(const struct resolver *, const char *host,
    struct sockaddr_storage *out, size_t max);
/* NULL: dnsd is not there. */
struct lookup *resolver_ask(struct resolver *, const char *host, lookup_fn *,
    void *arg);
void resolver_cancel(struct lookup *);

#endif

/*
 * A TCP connection to a name or address: resolved, then each address in turn,
 * the next one 300 ms after the one before at the latest.
 */
#ifndef CHECKD_DIAL_H
#define CHECKD_DIAL_H

#include "common/ev.h"
#include "common/nets.h"
#include "checkd/resolver.h"

struct dial;

/* fd is yours; -1: error is what the check's output says.  Never from within
 * dial_start(); the dial is gone when it comes. */
typedef void dial_fn(int fd, const char *error, void *arg);

/* Addresses that are not allowed are not dialled; none left is an error.  The
 * list must outlive the dial. */
struct dial *dial_start(struct ev *, struct resolver *, const struct nets *,
    const char *host, uint16_t port, dial_fn *, void *arg);
/* Is it in the list?  Of none: all are. */
bool may_dial(const struct nets *, const struct sockaddr_storage *);
void dial_cancel(struct dial *);	/* NULL is fine */
/* "dial tcp 10.0.0.1:80: i/o timeout": for who ran out of time. */
const char *dial_timeout(const struct dial *, char *buf, size_t len);

#endif

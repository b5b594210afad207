/*
 * Accepts on a listening socket; where descriptors have run out it pauses.
 */
#ifndef COMMON_ACCEPTOR_H
#define COMMON_ACCEPTOR_H

#include <sys/socket.h>

#include "common/ev.h"

struct acceptor;
/* Takes fd. */
typedef void acceptor_fn(int fd, const struct sockaddr_storage *, void *arg);

struct acceptor *acceptor_new(struct ev *, int fd, acceptor_fn *, void *arg);
void acceptor_free(struct acceptor *);	/* does not close fd */

#endif

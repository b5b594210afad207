/*
 * Descriptors of connections, many and short-lived: an epoll of its own that
 * the loop watches as one descriptor.  A connection costs it one system call
 * where a watch of the loop's costs six.
 */
#ifndef CHECKD_POLLER_H
#define CHECKD_POLLER_H

#include "common/ev.h"

struct poller;

typedef void poll_fn(void *arg);

/* Embedded in what is watched; zeroed. */
struct poll_item {
	poll_fn	*fn;
	void	*arg;
	int	 events;	/* EV_READ, EV_WRITE; 0: not added */
};

struct poller *poller_new(struct ev *);
void poller_free(struct poller *);	/* NULL is fine */
/* Once an item is watched, it is until its descriptor is closed. */
void poller_set(struct poller *, struct poll_item *, int fd, int events);
/* Before its descriptor is closed: it is not called any more. */
void poller_forget(struct poller *, struct poll_item *);

#endif

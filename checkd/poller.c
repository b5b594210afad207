/*
 * Level-triggered, as the loop's own.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "checkd/poller.h"
#include "common/log.h"
#include "common/util.h"

#define BATCH	64

struct poller {
	int			 fd;
	struct ev_io		*io;
	struct epoll_event	 batch[BATCH];
	int			 n, at;		/* the one under way */
};

static void
on_ready(struct ev_io *io, int fd, int events, void *arg)
{
	struct poller		*p = arg;
	struct poll_item	*item;

	(void)io;
	(void)events;
	p->n = epoll_wait(fd, p->batch, BATCH, 0);
	for (p->at = 0; p->at < p->n; p->at++)
		if ((item = p->batch[p->at].data.ptr) != NULL)
			item->fn(item->arg);
	p->n = 0;
}

struct poller *
poller_new(struct ev *ev)
{
	struct poller	*p = xcalloc(1, sizeof(*p));

	if ((p->fd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		fatal("epoll");
	p->io = ev_io_new(ev, p->fd, on_ready, p);
	ev_io_set(p->io, EV_READ);
	return p;
}

void
poller_free(struct poller *p)
{
	if (p == NULL)
		return;
	ev_io_free(p->io);
	close(p->fd);
	free(p);
}

void
poller_set(struct poller *p, struct poll_item *item, int fd, int events)
{
	struct epoll_event	 e = { .data.ptr = item };

	if (item->events == events || events == 0)
		return;
	if (events & EV_READ)
		e.events |= EPOLLIN;
	if (events & EV_WRITE)
		e.events |= EPOLLOUT;
	if (epoll_ctl(p->fd, item->events == 0 ? EPOLL_CTL_ADD :
	    EPOLL_CTL_MOD, fd, &e) == -1)
		fatal("epoll: descriptor %d", fd);
	item->events = events;
}

void
poller_forget(struct poller *p, struct poll_item *item)
{
	int	 i;

	for (i = p->at + 1; i < p->n; i++)
		if (p->batch[i].data.ptr == item)
			p->batch[i].data.ptr = NULL;
	item->events = 0;
}

/*
 * Accepting connections: see acceptor.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/acceptor.h"
#include "common/log.h"
#include "common/util.h"

#define ACCEPTS_PER_TURN 64
#define ACCEPT_PAUSE_MS	100		/* after "too many open files" */

struct acceptor {
	struct ev_io	*io;
	struct ev_timer	*timer;
	int		 fd;
	acceptor_fn	*fn;
	void		*arg;
	bool		 freed, busy;
};

static void
acceptor_again(void *arg)
{
	struct acceptor	*a = arg;

	ev_io_set(a->io, EV_READ);
}

/* False: none left for now. */
static bool
accept_one(struct acceptor *a)
{
	struct sockaddr_storage	ss;
	socklen_t		len = sizeof(ss);
	int			fd;

	memset(&ss, 0, sizeof(ss));
	fd = accept4(a->fd, (struct sockaddr *)&ss, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		a->fn(fd, &ss, a->arg);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		/* They wait in the backlog; asking at once would spin. */
		log_warn("accept: pausing for %d ms", ACCEPT_PAUSE_MS);
		ev_io_set(a->io, 0);
		ev_timer_set(a->timer, ACCEPT_PAUSE_MS);
		return false;
	default:
		/* accept(2): errors of the connection itself; try the next. */
		return true;
	}
}

static void
on_accept(struct ev_io *io, int fd, int events, void *arg)
{
	struct acceptor	*a = arg;
	int		 i;

	(void)io;
	(void)fd;
	(void)events;
	a->busy = true;
	for (i = 0; i < ACCEPTS_PER_TURN && !a->freed; i++)
		if (!accept_one(a))
			break;
	a->busy = false;
	if (a->freed)
		free(a);
}

struct acceptor *
acceptor_new(struct ev *ev, int fd, acceptor_fn *fn, void *arg)
{
	struct acceptor	*a = xcalloc(1, sizeof(*a));

	a->fd = fd;
	a->fn = fn;
	a->arg = arg;
	a->io = ev_io_new(ev, fd, on_accept, a);
	a->timer = ev_timer_new(ev, acceptor_again, a);
	ev_io_set(a->io, EV_READ);
	return a;
}

void
acceptor_free(struct acceptor *a)
{
	if (a == NULL || a->freed)
		return;
	a->freed = true;
	ev_io_free(a->io);
	ev_timer_free(a->timer);
	if (!a->busy)
		free(a);
}

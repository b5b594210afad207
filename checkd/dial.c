/*
 * Dialling.  The error that is told is the first address's, unless this host
 * cannot reach its family at all.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "checkd/dial.h"
#include "checkd/outcome.h"

#define NEXT_MS		300	/* RFC 8305's connection attempt delay, as Go */
#define ERROR_MAX	512

struct attempt {
	struct dial	*d;
	struct ev_io	*io;
	int		 fd;		/* -1: failed, or not begun */
	int		 error;
};

struct dial {
	struct ev		*ev;
	struct lookup		*lookup;
	const struct nets	*allow;
	char			 host[256];
	uint16_t		 port;
	struct sockaddr_storage	 addrs[RESOLVER_ADDRS_MAX];
	struct attempt		 tries[RESOLVER_ADDRS_MAX];
	size_t			 n, nbegun, nfailed;
	struct ev_timer		*timer;		/* to the next attempt */
	struct ev_job		*job;		/* tells the end */
	int			 fd;
	char			 error[ERROR_MAX];
	dial_fn			*fn;
	void			*arg;
};

static void	 next_attempt(struct dial *);

static void
attempt_close(struct attempt *a)
{
	ev_io_free(a->io);
	a->io = NULL;
	if (a->fd != -1)
		close(a->fd);
	a->fd = -1;
}

void
dial_cancel(struct dial *d)
{
	size_t	 i;

	if (d == NULL)
		return;
	if (d->lookup != NULL)
		resolver_cancel(d->lookup);
	for (i = 0; i < d->nbegun; i++)
		attempt_close(&d->tries[i]);
	if (d->fd != -1)
		close(d->fd);
	ev_timer_free(d->timer);
	ev_job_free(d->job);
	free(d);
}

/* The end, told at the end of the turn. */
static void
on_job(void *arg)
{
	struct dial	*d = arg;
	dial_fn		*fn = d->fn;
	int		 fd = d->fd;
	char		 error[ERROR_MAX];

	arg = d->arg;
	memcpy(error, d->error, sizeof(error));
	d->fd = -1;
	dial_cancel(d);
	fn(fd, fd == -1 ? error : NULL, arg);
}

static bool
is_unreachable(int error)
{
	return error == EADDRNOTAVAIL || error == EAFNOSUPPORT ||
	    error == ENETUNREACH;
}

static void
dial_failed(struct dial *d)
{
	char	 addr[ADDR_TEXT_MAX], text[128];
	size_t	 i, told = 0;

	for (i = 0; i < d->nbegun; i++)
		if (!is_unreachable(d->tries[i].error)) {
			told = i;
			break;
		}
	(void)snprintf(d->error, sizeof(d->error), "dial tcp %s: connect: %s",
	    addr_text(&d->addrs[told], addr, sizeof(addr)),
	    error_text(d->tries[told].error, text, sizeof(text)));
	ev_job_set(d->job);
}

static void
attempt_failed(struct attempt *a, int error)
{
	struct dial	*d = a->d;

	attempt_close(a);
	a->error = error;
	if (++d->nfailed == d->n)
		dial_failed(d);
	else
		next_attempt(d);
}

static void
attempt_done(struct attempt *a)
{
	struct dial	*d = a->d;

	if (d->fd != -1)
		return;
	ev_io_free(a->io);
	a->io = NULL;
	d->fd = a->fd;
	a->fd = -1;
	ev_job_set(d->job);
}

static void
attempt_ended(struct attempt *a, int fd)
{
	socklen_t	 len = sizeof(int);
	int		 error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0)
		attempt_failed(a, error);
	else
		attempt_done(a);
}

static void
on_writable(struct ev_io *io, int fd, int events, void *arg)
{
	(void)io;
	(void)events;
	attempt_ended(arg, fd);
}

static void
attempt_begin(struct attempt *a, const struct sockaddr_storage *addr)
{
	struct pollfd	 p = { .events = POLLOUT };

	a->fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (a->fd == -1) {
		attempt_failed(a, errno);
		return;
	}
	if (connect(a->fd, (const struct sockaddr *)addr, addr_len(addr)) ==
	    -1 && errno != EINPROGRESS) {
		attempt_failed(a, errno);
		return;
	}
	/* On this host it is there by now: no need for the loop. */
	p.fd = a->fd;
	if (poll(&p, 1, 0) == 1) {
		if (p.revents == POLLOUT)
			attempt_done(a);
		else
			attempt_ended(a, a->fd);
		return;
	}
	a->io = ev_io_new(a->d->ev, a->fd, on_writable, a);
	ev_io_set(a->io, EV_WRITE);
}

static void
next_attempt(struct dial *d)
{
	struct attempt	*a;

	if (d->nbegun == d->n || d->fd != -1)
		return;
	a = &d->tries[d->nbegun++];
	a->d = d;
	a->fd = -1;
	if (d->nbegun < d->n)
		ev_timer_set(d->timer, NEXT_MS);
	else
		ev_timer_stop(d->timer);
	attempt_begin(a, &d->addrs[d->nbegun - 1]);
}

static void
on_timer(void *arg)
{
	next_attempt(arg);
}

static void
on_lookup(const struct sockaddr_storage *addrs, size_t n, const char *error,
    void *arg)
{
	struct dial	*d = arg;
	char		 addr[ADDR_TEXT_MAX];
	size_t		 i;

	d->lookup = NULL;
	if (n == 0) {
		(void)snprintf(d->error, sizeof(d->error),
		    "dial tcp: lookup %s: %.200s", d->host, error);
		ev_job_set(d->job);
		return;
	}
	for (i = 0; i < n && d->n < NELEM(d->addrs); i++) {
		if (!may_dial(d->allow, &addrs[i]))
			continue;
		d->addrs[d->n] = addrs[i];
		addr_set_port(&d->addrs[d->n++], d->port);
	}
	if (d->n == 0) {
		(void)snprintf(d->error, sizeof(d->error), "dial tcp %s: "
		    "not in check_allow_targets",
		    addr_ip(&addrs[0], addr, sizeof(addr)));
		ev_job_set(d->job);
		return;
	}
	next_attempt(d);
}

bool
may_dial(const struct nets *allow, const struct sockaddr_storage *ss)
{
	return allow->n == 0 || nets_have_addr(allow, ss);
}

struct dial *
dial_start(struct ev *ev, struct resolver *r, const struct nets *allow,
    const char *host, uint16_t port, dial_fn *fn, void *arg)
{
	struct dial		*d = xcalloc(1, sizeof(*d));
	struct sockaddr_storage	 addrs[RESOLVER_ADDRS_MAX];
	size_t			 n;

	d->ev = ev;
	d->fd = -1;
	d->fn = fn;
	d->arg = arg;
	d->port = port;
	d->allow = allow;
	(void)snprintf(d->host, sizeof(d->host), "%s", host);
	d->timer = ev_timer_new(ev, on_timer, d);
	d->job = ev_job_new(ev, on_job, d);
	n = resolver_now(r, host, addrs, NELEM(addrs));
	if (n == 0) {
		d->lookup = resolver_ask(r, host, on_lookup, d);
		if (d->lookup != NULL)
			return d;
	}
	on_lookup(addrs, n, "dnsd is being restarted", d);
	return d;
}

const char *
dial_timeout(const struct dial *d, char *buf, size_t len)
{
	char	 addr[ADDR_TEXT_MAX];

	if (d->n == 0)
		(void)snprintf(buf, len, "dial tcp: lookup %s: i/o timeout",
		    d->host);
	else
		(void)snprintf(buf, len, "dial tcp %s: i/o timeout",
		    addr_text(&d->addrs[0], addr, sizeof(addr)));
	return buf;
}

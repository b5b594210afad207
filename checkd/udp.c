/*
 * UDP checks: a datagram that nobody refuses passes.  Most services of this
 * kind do not answer what they do not understand, so silence until the timeout
 * passes, as with later versions of Consul; an ICMP error is critical.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"
#include "checkd/target.h"

#define DATAGRAM_MAX	1200	/* of a datagram */

struct udp_probe {
	struct net		*net;
	const struct msg_check	*check;
	struct target		 target;
	struct lookup		*lookup;
	int			 fd;
	struct ev_io		*io;
	struct ev_timer		*deadline;	/* or the end of a bad one */
	char			*bad;
	probe_fn		*fn;
	void			*arg;
};

static void
udp_cancel(void *arg)
{
	struct udp_probe	*p = arg;

	if (p->lookup != NULL)
		resolver_cancel(p->lookup);
	ev_io_free(p->io);
	if (p->fd != -1)
		close(p->fd);
	ev_timer_free(p->deadline);
	target_clear(&p->target);
	free(p->bad);
	free(p);
}

static void
udp_end(struct udp_probe *p, const char *status, char *output)
{
	probe_fn	*fn = p->fn;
	void		*arg = p->arg;

	udp_cancel(p);
	fn(status, output, arg);
	free(output);
}

static void
udp_success(struct udp_probe *p)
{
	char	*text;

	xasprintf(&text, "UDP connect %s: Success", p->check->udp);
	udp_end(p, passing, text);
}

static void
on_deadline(void *arg)
{
	struct udp_probe	*p = arg;
	char			*bad = p->bad;

	p->bad = NULL;
	if (bad == NULL && p->lookup != NULL)
		xasprintf(&bad, "dial udp: lookup %s: i/o timeout",
		    p->target.host);
	if (bad != NULL)
		udp_end(p, critical, bad);
	else
		udp_success(p);
}

/* The end, but not from within the caller; takes text. */
static void
fail_later(struct udp_probe *p, char *text)
{
	p->bad = text;
	ev_timer_set(p->deadline, 0);
}

static char *
failed(const struct sockaddr_storage *ss, const char *what, int error)
{
	char	*text, addr[ADDR_TEXT_MAX], why[128];

	xasprintf(&text, "%s udp %s: %s", what,
	    addr_text(ss, addr, sizeof(addr)),
	    error_text(error, why, sizeof(why)));
	return text;
}

static void
on_readable(struct ev_io *io, int fd, int events, void *arg)
{
	struct udp_probe	*p = arg;
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	uint8_t			 byte;

	(void)io;
	(void)events;
	if (recv(fd, &byte, 1, MSG_TRUNC) != -1)
		udp_success(p);
	else if (errno != EAGAIN && errno != EINTR) {
		int	 error = errno;

		memset(&ss, 0, sizeof(ss));
		(void)getpeername(fd, (struct sockaddr *)&ss, &len);
		udp_end(p, critical, failed(&ss, "read", error));
	}
}

static void
udp_send(struct udp_probe *p, const struct sockaddr_storage *ss)
{
	const char	*body = str_empty(p->check->body) ? "\n" :
			    p->check->body;
	size_t		 n = strnlen(body, DATAGRAM_MAX);

	p->fd = socket(ss->ss_family, SOCK_DGRAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (p->fd == -1 || connect(p->fd, (const struct sockaddr *)ss,
	    addr_len(ss)) == -1) {
		fail_later(p, failed(ss, "dial", errno));
		return;
	}
	if (send(p->fd, body, n, 0) == -1) {
		fail_later(p, failed(ss, "write", errno));
		return;
	}
	p->io = ev_io_new(p->net->ev, p->fd, on_readable, p);
	ev_io_set(p->io, EV_READ);
}

/* The first address that is allowed: what is silent cannot be told from what
 * is not there, so there is no second try. */
static void
on_lookup(const struct sockaddr_storage *addrs, size_t n, const char *error,
    void *arg)
{
	struct udp_probe	*p = arg;
	struct sockaddr_storage	 ss;
	char			*text, addr[ADDR_TEXT_MAX];
	size_t			 i;

	p->lookup = NULL;
	if (n == 0) {
		xasprintf(&text, "dial udp: lookup %s: %.200s",
		    p->target.host, error);
		fail_later(p, text);
		return;
	}
	for (i = 0; i < n; i++)
		if (may_dial(&p->net->allow, &addrs[i]))
			break;
	if (i == n) {
		xasprintf(&text, "dial udp %s: not in check_allow_targets",
		    addr_ip(&addrs[0], addr, sizeof(addr)));
		fail_later(p, text);
		return;
	}
	ss = addrs[i];
	addr_set_port(&ss, p->target.port);
	udp_send(p, &ss);
}

static void *
udp_start(struct prober *pr, const struct msg_check *c, size_t output_max,
    probe_fn *fn, void *arg)
{
	struct udp_probe	*p = xcalloc(1, sizeof(*p));
	struct sockaddr_storage	 addrs[RESOLVER_ADDRS_MAX];
	struct resolver		*r = pr->net.resolver;
	size_t			 n;

	(void)output_max;
	p->net = &pr->net;
	p->check = c;
	p->fd = -1;
	p->fn = fn;
	p->arg = arg;
	p->deadline = ev_timer_new(pr->net.ev, on_deadline, p);
	if (target_hostport(c->udp, "udp", &p->target, &p->bad) == -1) {
		ev_timer_set(p->deadline, 0);
		return p;
	}
	ev_timer_set(p->deadline, probe_timeout_ms(c));
	n = resolver_now(r, p->target.host, addrs, NELEM(addrs));
	if (n == 0)
		p->lookup = resolver_ask(r, p->target.host, on_lookup, p);
	if (p->lookup == NULL)
		on_lookup(addrs, n, "dnsd is being restarted", p);
	return p;
}

const struct probe_kind udp_kind = { udp_start, udp_cancel };

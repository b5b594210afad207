/*
 * TCP checks: a connection that comes about passes; with TLS, a handshake.
 */
#include <stdlib.h>

#include "common/util.h"
#include "checkd/hostport.h"
#include "checkd/outcome.h"

static void
tcp_fail(struct hostport *p, const char *why)
{
	hostport_end(p, critical, why);
}

static void
on_up(void *arg)
{
	struct hostport	*p = arg;
	char		*text;

	xasprintf(&text, "TCP connect %s: Success", p->check->tcp);
	hostport_end(p, passing, text);
	free(text);
}

static void
on_data(const uint8_t *data, size_t n, void *arg)
{
	(void)data;
	(void)n;
	(void)arg;
}

static const struct hostport_ops tcp_ops = {
	.conn = { on_up, on_data, hostport_down }, .fail = tcp_fail
};

static void *
tcp_start(struct prober *pr, const struct msg_check *c, size_t output_max,
    probe_fn *fn, void *arg)
{
	struct hostport	*p = xcalloc(1, sizeof(*p));

	(void)output_max;
	hostport_start(p, pr, c, c->tcp, &tcp_ops, fn, arg);
	return p;
}

const struct probe_kind tcp_kind = { tcp_start, hostport_cancel };

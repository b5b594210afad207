/*
 * HTTP/2 checks: a connection, with TLS if asked for, on which a PING is
 * answered.
 */
#include <stdlib.h>

#include "common/util.h"
#include "checkd/h2.h"
#include "checkd/hostport.h"
#include "checkd/outcome.h"

struct h2_probe {
	struct hostport	 hp;
	struct h2	 h2;
};

static void
h2_fail(struct hostport *hp, const char *why)
{
	char	*text;

	xasprintf(&text, "HTTP2 ping %s: %s", hp->check->h2ping, why);
	hostport_end(hp, critical, text);
	free(text);
}

static void
on_up(void *arg)
{
	struct h2_probe	*p = arg;
	struct wbuf	 w;

	p->hp.up = true;
	wb_init(&w, 0);
	h2_init(&p->h2, ev_hrtime(), &w);
	conn_send(p->hp.conn, w.p, w.len);
	wb_free(&w);
}

static void
on_data(const uint8_t *data, size_t n, void *arg)
{
	struct h2_probe	*p = arg;
	struct wbuf	 w;

	wb_init(&w, 0);
	h2_feed(&p->h2, data, n, &w);
	if (w.len > 0)
		conn_send(p->hp.conn, w.p, w.len);
	wb_free(&w);
	switch (p->h2.state) {
	case H2_WAITS:
		break;
	case H2_PONG:
		hostport_end(&p->hp, passing, "HTTP2 ping was successful");
		break;
	case H2_BAD:
		h2_fail(&p->hp, p->h2.error);
		break;
	}
}

static const struct hostport_ops h2_ops = {
	.conn = { on_up, on_data, hostport_down }, .fail = h2_fail, .h2 = true
};

static void *
h2_start(struct prober *pr, const struct msg_check *c, size_t output_max,
    probe_fn *fn, void *arg)
{
	struct h2_probe	*p = xcalloc(1, sizeof(*p));

	(void)output_max;
	hostport_start(&p->hp, pr, c, c->h2ping, &h2_ops, fn, arg);
	return p;
}

const struct probe_kind h2ping_kind = { h2_start, hostport_cancel };

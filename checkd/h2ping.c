/*
 * HTTP/2 checks: a connection, with TLS if asked for, on which a PING is
 * answered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "checkd/h2.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"
#include "checkd/target.h"

struct h2_probe {
	const struct msg_check	*check;
	struct conn		*conn;
	struct h2		 h2;
	bool			 up;
	struct ev_timer		*deadline;	/* or the end of a bad one */
	char			*bad;
	probe_fn		*fn;
	void			*arg;
};

static void
h2_cancel(void *arg)
{
	struct h2_probe	*p = arg;

	conn_free(p->conn);
	ev_timer_free(p->deadline);
	free(p->bad);
	free(p);
}

static void
h2_end(struct h2_probe *p, const char *status, const char *output)
{
	probe_fn	*fn = p->fn;
	void		*arg = p->arg;

	fn(status, output, arg);
	h2_cancel(p);
}

static void
h2_fail(struct h2_probe *p, const char *why)
{
	char	*text;

	xasprintf(&text, "HTTP2 ping %s: %s", p->check->h2ping, why);
	h2_end(p, critical, text);
	free(text);
}

static void
on_up(void *arg)
{
	struct h2_probe	*p = arg;
	struct wbuf	 w;

	p->up = true;
	wb_init(&w, 0);
	h2_init(&p->h2, ev_hrtime(), &w);
	conn_send(p->conn, w.p, w.len);
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
		conn_send(p->conn, w.p, w.len);
	wb_free(&w);
	switch (p->h2.state) {
	case H2_WAITS:
		break;
	case H2_PONG:
		h2_end(p, passing, "HTTP2 ping was successful");
		break;
	case H2_BAD:
		h2_fail(p, p->h2.error);
		break;
	}
}

static void
on_down(const char *error, void *arg)
{
	h2_fail(arg, str_or(error, "EOF"));
}

static const struct conn_ops h2_conn_ops = { on_up, on_data, on_down };

static void
on_deadline(void *arg)
{
	struct h2_probe	*p = arg;
	char		 text[512];

	if (p->bad != NULL)
		h2_fail(p, p->bad);
	else if (conn_dialling(p->conn, text, sizeof(text)))
		h2_fail(p, text);
	else
		h2_fail(p, p->up ? "no answer in time" :
		    "tls: handshake: i/o timeout");
}

static void *
h2_start(struct prober *pr, const struct msg_check *c, size_t output_max,
    probe_fn *fn, void *arg)
{
	struct h2_probe	*p = xcalloc(1, sizeof(*p));
	struct target	 t;
	struct conn_to	 to;

	(void)output_max;
	p->check = c;
	p->fn = fn;
	p->arg = arg;
	p->deadline = ev_timer_new(pr->net.ev, on_deadline, p);
	if (target_hostport(c->h2ping, "tcp", &t, &p->bad) == -1) {
		ev_timer_set(p->deadline, 0);
		return p;
	}
	ev_timer_set(p->deadline, probe_timeout_ms(c));
	memset(&to, 0, sizeof(to));
	to.host = t.host;
	to.port = t.port;
	to.tls = c->tls;
	to.skip_verify = c->tls_skip_verify;
	to.server_name = c->tls_server_name;
	to.h2 = true;
	p->conn = conn_start(&pr->net, &to, &h2_conn_ops, p);
	target_clear(&t);
	return p;
}

const struct probe_kind h2ping_kind = { h2_start, h2_cancel };

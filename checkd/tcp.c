/*
 * TCP checks: a connection that comes about passes; with TLS, a handshake.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"
#include "checkd/target.h"

struct tcp_probe {
	const struct msg_check	*check;
	struct conn		*conn;
	struct ev_timer		*deadline;	/* or the end of a bad one */
	char			*bad;		/* the address makes no sense */
	probe_fn		*fn;
	void			*arg;
};

static void
tcp_cancel(void *arg)
{
	struct tcp_probe	*p = arg;

	conn_free(p->conn);
	ev_timer_free(p->deadline);
	free(p->bad);
	free(p);
}

static void
tcp_end(struct tcp_probe *p, const char *status, const char *output)
{
	probe_fn	*fn = p->fn;
	void		*arg = p->arg;

	fn(status, output, arg);
	tcp_cancel(p);
}

static void
on_up(void *arg)
{
	struct tcp_probe	*p = arg;
	char			*text;

	xasprintf(&text, "TCP connect %s: Success", p->check->tcp);
	tcp_end(p, passing, text);
	free(text);
}

static void
on_data(const uint8_t *data, size_t n, void *arg)
{
	(void)data;
	(void)n;
	(void)arg;
}

static void
on_down(const char *error, void *arg)
{
	tcp_end(arg, critical, str_or(error, "EOF"));
}

static const struct conn_ops tcp_conn_ops = { on_up, on_data, on_down };

static void
on_deadline(void *arg)
{
	struct tcp_probe	*p = arg;
	char			 text[512];

	if (p->bad != NULL)
		tcp_end(p, critical, p->bad);
	else if (conn_dialling(p->conn, text, sizeof(text)))
		tcp_end(p, critical, text);
	else
		tcp_end(p, critical, "tls: handshake: i/o timeout");
}

static void *
tcp_start(struct prober *pr, const struct msg_check *c, size_t output_max,
    probe_fn *fn, void *arg)
{
	struct tcp_probe	*p = xcalloc(1, sizeof(*p));
	struct target		 t;
	struct conn_to		 to;

	(void)output_max;
	p->check = c;
	p->fn = fn;
	p->arg = arg;
	p->deadline = ev_timer_new(pr->net.ev, on_deadline, p);
	if (target_hostport(c->tcp, "tcp", &t, &p->bad) == -1) {
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
	p->conn = conn_start(&pr->net, &to, &tcp_conn_ops, p);
	target_clear(&t);
	return p;
}

const struct probe_kind tcp_kind = { tcp_start, tcp_cancel };

/*
 * A probe of a host and a port: see hostport.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "checkd/hostport.h"
#include "checkd/target.h"

void
hostport_cancel(void *arg)
{
	struct hostport	*p = arg;

	conn_free(p->conn);
	ev_timer_free(p->deadline);
	free(p->bad);
	free(p);
}

void
hostport_end(struct hostport *p, const char *status, const char *output)
{
	probe_fn	*fn = p->fn;
	void		*arg = p->arg;

	fn(status, output, arg);
	hostport_cancel(p);
}

void
hostport_down(const char *error, void *arg)
{
	struct hostport	*p = arg;

	p->ops->fail(p, str_or(error, "EOF"));
}

static void
on_deadline(void *arg)
{
	struct hostport	*p = arg;
	char		 text[512];

	if (p->bad != NULL)
		p->ops->fail(p, p->bad);
	else if (conn_dialling(p->conn, text, sizeof(text)))
		p->ops->fail(p, text);
	else
		p->ops->fail(p, p->up ? "no answer in time" :
		    "tls: handshake: i/o timeout");
}

void
hostport_start(struct hostport *p, struct prober *pr,
    const struct msg_check *c, const char *address,
    const struct hostport_ops *ops, probe_fn *fn, void *arg)
{
	struct target	 t;
	struct conn_to	 to;

	p->check = c;
	p->ops = ops;
	p->fn = fn;
	p->arg = arg;
	p->deadline = ev_timer_new(pr->net.ev, on_deadline, p);
	if (target_hostport(address, "tcp", &t, &p->bad) == -1) {
		ev_timer_set(p->deadline, 0);
		return;
	}
	ev_timer_set(p->deadline, probe_timeout_ms(c));
	memset(&to, 0, sizeof(to));
	to.host = t.host;
	to.port = t.port;
	to.tls = c->tls;
	to.skip_verify = c->tls_skip_verify;
	to.server_name = c->tls_server_name;
	to.h2 = ops->h2;
	p->conn = conn_start(&pr->net, &to, &ops->conn, p);
	target_clear(&t);
}

/*
 * TCP checks: a connection that comes about passes.
 */
#include <stdlib.h>
#include <unistd.h>

#include "common/util.h"
#include "checkd/dial.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"
#include "checkd/target.h"

struct tcp_probe {
	const struct msg_check	*check;
	struct dial		*dial;
	struct ev_timer		*deadline;	/* or the end of a bad one */
	char			*bad;		/* the address makes no sense */
	probe_fn		*fn;
	void			*arg;
};

void
tcp_cancel(struct tcp_probe *p)
{
	dial_cancel(p->dial);
	ev_timer_free(p->deadline);
	free(p->bad);
	free(p);
}

static void
tcp_end(struct tcp_probe *p, const char *status, const char *output)
{
	probe_fn	*fn = p->fn;
	void		*arg = p->arg;

	p->fn = NULL;
	fn(status, output, arg);
	tcp_cancel(p);
}

static void
on_dial(int fd, const char *error, void *arg)
{
	struct tcp_probe	*p = arg;
	char			*text;

	p->dial = NULL;
	if (fd == -1) {
		tcp_end(p, critical, error);
		return;
	}
	close(fd);
	xasprintf(&text, "TCP connect %s: Success", p->check->tcp);
	tcp_end(p, passing, text);
	free(text);
}

static void
on_deadline(void *arg)
{
	struct tcp_probe	*p = arg;
	char			 text[512];

	if (p->bad != NULL)
		tcp_end(p, critical, p->bad);
	else
		tcp_end(p, critical, dial_timeout(p->dial, text,
		    sizeof(text)));
}

struct tcp_probe *
tcp_start(struct ev *ev, struct resolver *r, const struct msg_check *c,
    probe_fn *fn, void *arg)
{
	struct tcp_probe	*p = xcalloc(1, sizeof(*p));
	struct target		 t;
	int64_t			 timeout = c->timeout > 0 ? c->timeout :
				    PROBE_TIMEOUT_NS;

	p->check = c;
	p->fn = fn;
	p->arg = arg;
	p->deadline = ev_timer_new(ev, on_deadline, p);
	if (target_tcp(c->tcp, &t, &p->bad) == -1) {
		ev_timer_set(p->deadline, 0);
		return p;
	}
	ev_timer_set(p->deadline, (uint64_t)(timeout / NS_PER_MS));
	p->dial = dial_start(ev, r, t.host, t.port, on_dial, p);
	target_clear(&t);
	return p;
}

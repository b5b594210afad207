/*
 * Which kind of probe a check asks for.
 */
#include <stdlib.h>

#include "common/util.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"

struct probe {
	const struct probe_kind	*kind;
	void			*run;		/* the kind's own */
	struct ev_job		*none;		/* tells that nothing ran */
	probe_fn		*fn;
	void			*arg;
};

uint64_t
probe_timeout_ms(const struct msg_check *c)
{
	return (uint64_t)((c->timeout > 0 ? c->timeout : PROBE_TIMEOUT_NS) /
	    NS_PER_MS);
}

static void
probe_free(struct probe *p)
{
	ev_job_free(p->none);
	free(p);
}

static void
on_end(const char *status, const char *output, void *arg)
{
	struct probe	*p = arg;
	probe_fn	*fn = p->fn;

	arg = p->arg;
	probe_free(p);
	fn(status, output, arg);
}

static void
on_none(void *arg)
{
	on_end(NULL, NULL, arg);
}

/* With several of them Consul runs the first of http, tcp, grpc. */
static const struct probe_kind *
kind_of(const struct msg_check *c)
{
	const struct { const char *target; const struct probe_kind *kind; }
	    kinds[] = {
		{ c->http,	&http_kind },
		{ c->tcp,	&tcp_kind },
		{ c->udp,	&udp_kind },
		{ c->dns,	&name_kind },
		{ c->grpc,	&grpc_kind },
		{ c->h2ping,	&h2ping_kind },
	};
	size_t	 i;

	for (i = 0; i < NELEM(kinds); i++)
		if (!str_empty(kinds[i].target))
			return kinds[i].kind;
	return c->args.n > 0 ? &script_kind : NULL;
}

struct probe *
probe_start(struct prober *pr, const struct msg_check *c, probe_fn *fn,
    void *arg)
{
	struct probe	*p = xcalloc(1, sizeof(*p));
	uint64_t	 max = c->output_max > 0 ? c->output_max :
			    pr->output_max;

	if (max == 0)
		max = OUTPUT_DEFAULT;
	if (max > OUTPUT_MAX)
		max = OUTPUT_MAX;
	p->fn = fn;
	p->arg = arg;
	if ((p->kind = kind_of(c)) != NULL)
		p->run = p->kind->start(pr, c, (size_t)max, on_end, p);
	if (p->run == NULL) {
		p->none = ev_job_new(pr->net.ev, on_none, p);
		ev_job_set(p->none);
	}
	return p;
}

void
probe_cancel(struct probe *p)
{
	if (p->run != NULL)
		p->kind->cancel(p->run);
	probe_free(p);
}

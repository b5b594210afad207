/*
 * Which kind of probe a check asks for.
 */
#include <stdlib.h>

#include "common/util.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"

struct probe {
	struct http_probe	*http;
	struct tcp_probe	*tcp;
	struct script_probe	*script;
	struct ev_job		*none;		/* tells that nothing ran */
	probe_fn		*fn;
	void			*arg;
};

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

/* With both http and tcp Consul runs HTTP. */
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
	if (!str_empty(c->http))
		p->http = http_start(pr->http, c, (size_t)max, on_end, p);
	else if (!str_empty(c->tcp))
		p->tcp = tcp_start(pr->ev, pr->resolver, c, on_end, p);
	else if (c->args.n > 0)
		p->script = script_start(pr->scripts, c, (size_t)max, on_end,
		    p);
	if (p->http == NULL && p->tcp == NULL && p->script == NULL) {
		p->none = ev_job_new(pr->ev, on_none, p);
		ev_job_set(p->none);
	}
	return p;
}

void
probe_cancel(struct probe *p)
{
	if (p->http != NULL)
		http_cancel(p->http);
	if (p->tcp != NULL)
		tcp_cancel(p->tcp);
	if (p->script != NULL)
		script_cancel(p->script);
	probe_free(p);
}

/*
 * Script checks: RUN to execd, EXITED back.  Deadline and limits are execd's.
 */
#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"

struct script_probe {
	TAILQ_ENTRY(script_probe) entry;
	struct scripts		*scripts;
	uint32_t		 id;
	int64_t			 timeout_ns;
	probe_fn		*fn;
	void			*arg;
};
TAILQ_HEAD(script_list, script_probe);

struct scripts {
	struct ipc		*link;
	struct script_list	 running;
	uint32_t		 next_id;
};

struct scripts *
scripts_new(void)
{
	struct scripts	*s = xcalloc(1, sizeof(*s));

	TAILQ_INIT(&s->running);
	return s;
}

static void
script_cancel(void *arg)
{
	struct script_probe	*p = arg;

	TAILQ_REMOVE(&p->scripts->running, p, entry);
	free(p);
}

void
scripts_free(struct scripts *s)
{
	if (s == NULL)
		return;
	while (!TAILQ_EMPTY(&s->running))
		script_cancel(TAILQ_FIRST(&s->running));
	free(s);
}

static void
script_end(struct script_probe *p, const char *status, const char *output)
{
	probe_fn	*fn = p->fn;
	void		*arg = p->arg;

	script_cancel(p);
	fn(status, output, arg);
}

void
scripts_link(struct scripts *s, struct ipc *link)
{
	s->link = link;
	/* What ran there says nothing about its service. */
	while (link == NULL && !TAILQ_EMPTY(&s->running))
		script_end(TAILQ_FIRST(&s->running), NULL, NULL);
}

void
scripts_exited(struct scripts *s, const struct imsg *m)
{
	struct msg_exited	 e;
	struct script_probe	*p;
	const char		*err;
	char			*output;

	if (schema_decode_all(&msg_exited_schema, m->body, m->len, &e,
	    &err) == -1)
		fatalx("EXITED from execd: %s", err);
	TAILQ_FOREACH(p, &s->running, entry)
		if (p->id == m->id)
			break;
	if (p != NULL) {
		output = script_output(&e, p->timeout_ns);
		script_end(p, script_status(&e), output);
		free(output);
	}
	schema_clear(&msg_exited_schema, &e);
}

/* NULL: execd is not there. */
static void *
script_start(struct prober *pr, const struct msg_check *c, size_t output_max,
    probe_fn *fn, void *arg)
{
	struct scripts		*s = pr->scripts;
	struct script_probe	*p;
	struct msg_run		 run;

	if (s->link == NULL)
		return NULL;
	p = xcalloc(1, sizeof(*p));
	p->scripts = s;
	p->id = ++s->next_id;
	p->timeout_ns = c->timeout > 0 ? c->timeout : SCRIPT_TIMEOUT_NS;
	p->fn = fn;
	p->arg = arg;
	TAILQ_INSERT_TAIL(&s->running, p, entry);
	memset(&run, 0, sizeof(run));
	run.args = c->args;		/* lent */
	run.timeout = p->timeout_ns;
	run.output_max = output_max;
	ipc_send_schema(s->link, IMSG_RUN, p->id, &msg_run_schema, &run);
	return p;
}

const struct probe_kind script_kind = { script_start, script_cancel };

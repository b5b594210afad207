/*
 * RUN and EXITED: orders of checkd and catalogd, each answered once, under the
 * id it came with.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "execd/allow.h"
#include "execd/execd.h"

struct order {
	TAILQ_ENTRY(order)	 entry;
	struct execd		*x;
	struct run		*run;
	enum proc		 peer;
	uint32_t		 id;
};

static void
order_free(struct order *o)
{
	TAILQ_REMOVE(&o->x->orders, o, entry);
	free(o);
}

static void
on_exited(const struct msg_exited *m, void *arg)
{
	struct order	*o = arg;

	ipc_send_schema(child_link(o->x->child, o->peer), IMSG_EXITED, o->id,
	    &msg_exited_schema, m);
	order_free(o);
}

static void
send_failure(struct ipc *ipc, uint32_t id, enum run_end end, const char *why)
{
	struct msg_exited	 m;

	memset(&m, 0, sizeof(m));
	m.end = end;
	m.error = xstrdup(why);
	ipc_send_schema(ipc, IMSG_EXITED, id, &msg_exited_schema, &m);
	schema_clear(&msg_exited_schema, &m);
}

static void
on_run(struct execd *x, enum proc peer, struct ipc *ipc, const struct imsg *m)
{
	struct msg_run	 run;
	struct order	*o;
	const char	*err;

	if (schema_decode_all(&msg_run_schema, m->body, m->len, &run,
	    &err) == -1)
		fatalx("RUN from %s: %s", proc_name(peer), err);
	if (!exec_allowed(&x->conf, &run.args)) {
		log_warnx("command %s: refused: not in the configuration",
		    run.args.n > 0 ? run.args.item[0] : "without a name");
		send_failure(ipc, m->id, RUN_REFUSED,
		    "command is not in the configuration");
		schema_clear(&msg_run_schema, &run);
		return;
	}
	o = xcalloc(1, sizeof(*o));
	o->x = x;
	o->peer = peer;
	o->id = m->id;
	TAILQ_INSERT_TAIL(&x->orders, o, entry);
	o->run = run_start(x->runs, &run, on_exited, o);
	if (o->run == NULL) {
		order_free(o);
		send_failure(ipc, m->id, RUN_FAILED,
		    "too many commands are waiting");
	}
	schema_clear(&msg_run_schema, &run);
}

void
execd_msg(struct child *c, enum proc peer, struct ipc *ipc,
    const struct imsg *m, void *arg)
{
	(void)c;
	if (m->type != IMSG_RUN)
		fatalx("%s from %s: not for execd", imsg_name(m->type),
		    proc_name(peer));
	on_run(arg, peer, ipc, m);
}

static void
cancel(struct execd *x, enum proc peer, bool all)
{
	struct order	*o, *next;

	TAILQ_FOREACH_SAFE(o, &x->orders, entry, next)
		if (all || o->peer == peer) {
			run_cancel(o->run);
			order_free(o);
		}
}

void
execd_link(struct child *c, enum proc peer, struct ipc *ipc, void *arg)
{
	(void)c;
	if (ipc == NULL)
		cancel(arg, peer, false);
}

void
execd_cancel_all(struct execd *x)
{
	cancel(x, PROC_DISCOD, true);
}

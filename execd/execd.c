/*
 * execd: runs script checks, by argument vectors out of the configuration, and
 * the processes of its watches.  It alone may exec, so it runs as a user of its
 * own, with limits on what it starts; it hears nothing from a network.  When a
 * command runs and what its end means is the asker's.
 */
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "execd/execd.h"

static const struct sandbox_role execd_role = { .name = "execd", .exec = true };

static void
on_conf_item(struct child *c, enum conf_kind kind, struct rbuf *b, void *arg)
{
	struct execd	*x = arg;

	(void)c;
	if (kind == CONF_AGENT)
		return;
	if (kind != CONF_EXEC)
		fatalx("configuration of kind %d is not for execd", (int)kind);
	schema_clear(&conf_exec_schema, &x->conf);
	if (schema_decode(&conf_exec_schema, b, &x->conf) == -1)
		fatalx("exec configuration: %s", b->err);
}

static void
on_conf_done(struct child *c, bool first, void *arg)
{
	struct execd	*x = arg;

	(void)c;
	if (!first)
		watches_set(x->watches, &x->conf);
}

static void
on_start(struct child *c, void *arg)
{
	struct execd	*x = arg;

	x->child = c;
	x->runs = runs_new(child_ev(c), !str_empty(child_setup(c)->user));
	x->watches = watches_new(child_ev(c), x->runs,
	    !str_empty(child_setup(c)->user));
	watches_set(x->watches, &x->conf);
}

static void
on_leave(struct child *c, void *arg)
{
	execd_cancel_all(arg);
	child_left(c);
}

static void
on_stop(struct child *c, void *arg)
{
	struct execd	*x = arg;

	(void)c;
	execd_cancel_all(x);
	watches_free(x->watches);
	runs_free(x->runs);
	schema_clear(&conf_exec_schema, &x->conf);
}

static const struct child_ops execd_ops = {
	.self = PROC_EXECD,
	.link = execd_link,
	.conf_item = on_conf_item,
	.conf_done = on_conf_done,
	.start = on_start,
	.msg = execd_msg,
	.leave = on_leave,
	.stop = on_stop,
	.role = &execd_role
};

int
main(int argc, char **argv)
{
	struct execd	 x;

	memset(&x, 0, sizeof(x));
	TAILQ_INIT(&x.orders);
	return child_main(argc, argv, &execd_ops, &x);
}

/*
 * What checkd hears and says: checks of catalogd and their results, names of
 * dnsd, commands of execd.
 */
#include <stdlib.h>

#include "common/log.h"
#include "common/util.h"
#include "checkd/checkd.h"

static void
on_check_set(struct checkd *k, const struct imsg *m)
{
	struct msg_check	 def;
	const char		*err;

	if (schema_decode_all(&msg_check_schema, m->body, m->len, &def,
	    &err) == -1)
		fatalx("CHECK_SET from catalogd: %s", err);
	checks_set(k->checks, &def);
	schema_clear(&msg_check_schema, &def);
}

static void
on_check_remove(struct checkd *k, const struct imsg *m)
{
	char	*id = xmemdup_str(m->body, m->len);

	checks_remove(k->checks, id);
	free(id);
}

static void
on_checks_ask(struct checkd *k, struct ipc *ipc)
{
	struct msg_check_runs	 m;

	checks_runs(k->checks, &m);
	ipc_send_schema(ipc, IMSG_CHECK_RUNS, 0, &msg_check_runs_schema, &m);
	schema_clear(&msg_check_runs_schema, &m);
}

void
checkd_result(const struct msg_result *r, void *arg)
{
	struct checkd	*k = arg;

	ipc_send_schema(child_link(k->child, PROC_CATALOGD),
	    IMSG_CHECK_RESULT, 0, &msg_result_schema, r);
}

void
checkd_msg(struct child *c, enum proc peer, struct ipc *ipc,
    const struct imsg *m, void *arg)
{
	struct checkd	*k = arg;

	(void)c;
	switch ((int)m->type) {
	case IMSG_CHECKS_BEGIN:
		checks_begin(k->checks);
		break;
	case IMSG_CHECK_SET:
		on_check_set(k, m);
		break;
	case IMSG_CHECKS_END:
		checks_end(k->checks);
		break;
	case IMSG_CHECK_REMOVE:
		on_check_remove(k, m);
		break;
	case IMSG_CHECKS_ASK:
		on_checks_ask(k, ipc);
		break;
	case IMSG_EXITED:
		scripts_exited(k->prober.scripts, m);
		break;
	case IMSG_RESOLVED:
		resolver_answer(k->prober.net.resolver, m);
		break;
	default:
		fatalx("%s from %s: not for checkd", imsg_name(m->type),
		    proc_name(peer));
	}
}

/* Links that come before start() are picked up there. */
void
checkd_link(struct child *c, enum proc peer, struct ipc *ipc, void *arg)
{
	struct checkd	*k = arg;

	(void)c;
	if (k->checks == NULL)
		return;
	if (peer == PROC_DNSD)
		resolver_link(k->prober.net.resolver, ipc);
	else if (peer == PROC_EXECD)
		scripts_link(k->prober.scripts, ipc);
}

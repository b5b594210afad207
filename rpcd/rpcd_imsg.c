/*
 * What rpcd hears and says inside the suite: members of gossipd, calls of and
 * to catalogd.
 */
#include <stdlib.h>

#include "common/log.h"
#include "common/util.h"
#include "rpcd/rpcd.h"

static void
on_member(struct rpcd *r, const struct imsg *m)
{
	struct member	 member;
	const char	*err;

	if (schema_decode_all(&member_schema, m->body, m->len, &member,
	    &err) == -1)
		fatalx("MEMBER from gossipd: %s", err);
	servers_member(r->servers, &member);
	schema_clear(&member_schema, &member);
}

static void
on_call(struct rpcd *r, const struct imsg *m)
{
	struct msg_call	 call;
	const uint8_t	*body;
	size_t		 len;

	if (call_read(m, &call, &body, &len) == -1)
		fatalx("malformed CALL from catalogd");
	forward_call(r->forward, m->id, &call, body, len);
	schema_clear(&msg_call_schema, &call);
}

static void
on_dial(struct rpcd *r, const struct imsg *m)
{
	char	*address = xmemdup_str(m->body + 1, m->len - 1);

	hand_dial(r->hand, m->id, m->body[0], address);
	free(address);
}

void
rpcd_answer(uint32_t id, enum call_status status, const char *error,
    const uint8_t *body, size_t len, void *arg)
{
	struct rpcd	*r = arg;

	call_answer_status(child_link(r->child, PROC_CATALOGD), id, status,
	    error, body, len);
}

void
rpcd_msg(struct child *c, enum proc peer, struct ipc *ipc,
    const struct imsg *m, void *arg)
{
	struct rpcd	*r = arg;

	(void)c;
	(void)ipc;
	switch ((int)m->type) {
	case IMSG_MEMBERS_BEGIN:
		servers_begin(r->servers);
		break;
	case IMSG_MEMBER:
		on_member(r, m);
		break;
	case IMSG_MEMBERS_END:
		servers_end(r->servers);
		break;
	case IMSG_EVENT:
		/* User events are catalogd's. */
		break;
	case IMSG_CALL:
		on_call(r, m);
		break;
	case IMSG_ANSWER:
		(void)calls_answer(r->calls, m);
		break;
	case IMSG_DIAL:
		on_dial(r, m);
		break;
	case IMSG_CANCEL:
		forward_cancel(r->forward, m->id);
		break;
	default:
		fatalx("%s from %s: not for rpcd", imsg_name(m->type),
		    proc_name(peer));
	}
}

/* Links that come before start() are picked up there. */
void
rpcd_link(struct child *c, enum proc peer, struct ipc *ipc, void *arg)
{
	struct rpcd	*r = arg;

	(void)c;
	if (peer != PROC_CATALOGD || r->calls == NULL)
		return;
	if (ipc == NULL)
		forward_cancel_all(r->forward);
	/* First those it took with it, then those that wait for it. */
	calls_link(r->calls, ipc);
	hand_link(r->hand, ipc);
	serve_catalog_up(r->serve, ipc != NULL);
}

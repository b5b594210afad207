/*
 * What gossipd tells the other daemons, members and events, and the messages
 * that come from them; calls are gossipd_calls.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "gossipd/gossipd.h"
#include "gossipd/tags.h"

/* Who hears of members and events. */
static const enum proc listeners[] = { PROC_RPCD, PROC_CATALOGD };

void
imsg_member_of(struct pool *p, const struct serf_member *m,
    struct member *out)
{
	struct sockaddr_storage	ss;
	char			ip[ADDR_TEXT_MAX] = "";

	memset(out, 0, sizeof(*out));
	if (gaddr_to_sockaddr(&m->id->addr, &ss) == 0)
		(void)addr_ip(&ss, ip, sizeof(ip));
	out->name = xstrdup(ident_name(m->id));
	out->addr = xstrdup(ip);
	out->port = m->id->addr.port;
	tags_decode(ident_meta(m->id), &out->tags);
	out->status = m->status;
	out->pmin = m->id->vsn[VSN_PMIN];
	out->pmax = m->id->vsn[VSN_PMAX];
	out->pcur = m->id->vsn[VSN_PCUR];
	out->dmin = m->id->vsn[VSN_DMIN];
	out->dmax = m->id->vsn[VSN_DMAX];
	out->dcur = m->id->vsn[VSN_DCUR];
	out->wan = p->wan;
	out->self = m->id->num == swim_self(serf_swim(p->serf))->num;
}

static void
send_member(struct pool *p, struct ipc *ipc, const struct serf_member *m)
{
	struct member	out;

	imsg_member_of(p, m, &out);
	ipc_send_schema(ipc, IMSG_MEMBER, 0, &member_schema, &out);
	schema_clear(&member_schema, &out);
}

static void
send_pool(struct pool *p, struct ipc *ipc)
{
	const struct serf_member	*m;
	uint32_t			 i = 0;

	while (p != NULL && (m = serf_member_next(p->serf, &i)) != NULL)
		send_member(p, ipc, m);
}

static void
send_list(struct gossipd *g, struct ipc *ipc)
{
	ipc_send(ipc, IMSG_MEMBERS_BEGIN, 0, NULL, 0, -1);
	send_pool(pool_of(g, false), ipc);
	send_pool(pool_of(g, true), ipc);
	ipc_send(ipc, IMSG_MEMBERS_END, 0, NULL, 0, -1);
}

void
imsg_members_ready(struct gossipd *g)
{
	size_t	i;

	if (g->members_ready)
		return;
	g->members_ready = true;
	for (i = 0; i < NELEM(listeners); i++)
		send_list(g, child_link(g->child, listeners[i]));
}

void
imsg_member(struct pool *p, const struct serf_member *m)
{
	struct gossipd	*g = p->g;
	struct member	 out;
	size_t		 i;

	if (!g->members_ready)
		return;
	imsg_member_of(p, m, &out);
	for (i = 0; i < NELEM(listeners); i++)
		ipc_send_schema(child_link(g->child, listeners[i]),
		    IMSG_MEMBER, 0, &member_schema, &out);
	schema_clear(&member_schema, &out);
}

void
imsg_event(struct gossipd *g, const struct sf_event *e)
{
	struct msg_event	out = { .coalesce = e->cc, .ltime = e->ltime };
	size_t			i;

	out.name = xmemdup_str(e->name.p, e->name.n);
	if (e->payload.p != NULL)
		bytes_set(&out.payload, e->payload.p, e->payload.n);
	for (i = 0; i < NELEM(listeners); i++)
		ipc_send_schema(child_link(g->child, listeners[i]),
		    IMSG_EVENT, 0, &msg_event_schema, &out);
	schema_clear(&msg_event_schema, &out);
}

void
imsg_link(struct gossipd *g, enum proc peer, struct ipc *ipc)
{
	size_t	i;

	g->link_epoch[peer]++;
	if (ipc == NULL) {
		if (peer == PROC_DNSD && g->joins != NULL)
			join_dnsd_gone(g);
		return;
	}
	for (i = 0; i < NELEM(listeners); i++)
		if (peer == listeners[i] && g->members_ready)
			send_list(g, ipc);
}

/* ---- other messages ---- */

static void
on_fire(struct gossipd *g, const struct imsg *m)
{
	struct msg_event	 e;
	const char		*err;

	if (schema_decode_all(&msg_event_schema, m->body, m->len, &e, &err) ==
	    -1)
		fatalx("FIRE: %s", err);
	err = serf_fire(g->lan.serf, gossipd_now(),
	    span_str(str_or(e.name, "")),
	    span_of(e.payload.set ? e.payload.p : NULL, e.payload.n),
	    e.coalesce);
	if (err != NULL)
		log_warnx("event %s: not sent: %s", str_or(e.name, ""), err);
	schema_clear(&msg_event_schema, &e);
}

static void
on_member_gone(struct gossipd *g, const struct imsg *m)
{
	if (serf_force_leave(g->lan.serf, gossipd_now(),
	    span_of(m->body, m->len), false) == 0)
		log_info("member %.*s: forced to leave by catalogd",
		    (int)m->len, (const char *)m->body);
}

void
imsg_msg(struct gossipd *g, enum proc peer, struct ipc *ipc,
    const struct imsg *m)
{
	switch ((int)m->type) {
	case IMSG_CALL:
		methods_call(g, peer, ipc, m);
		break;
	case IMSG_CANCEL:
		/* What is asked of us is short; nobody waits for it. */
		break;
	case IMSG_FIRE:
		on_fire(g, m);
		break;
	case IMSG_MEMBER_GONE:
		on_member_gone(g, m);
		break;
	case IMSG_RESOLVED:
		join_resolved(g, m);
		break;
	default:
		fatalx("%s from %s: not for gossipd", imsg_name(m->type),
		    proc_name(peer));
	}
}

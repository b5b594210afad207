/*
 * What the other daemons ask of gossipd, and what it tells them: members,
 * events, answers to calls.
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

static void
member_of(struct gossipd *g, const struct serf_member *m, struct member *out)
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
	out->self = m->id->num == swim_self(serf_swim(g->serf))->num;
}

static void
send_member(struct gossipd *g, struct ipc *ipc, const struct serf_member *m)
{
	struct member	out;

	member_of(g, m, &out);
	ipc_send_schema(ipc, IMSG_MEMBER, 0, &member_schema, &out);
	schema_clear(&member_schema, &out);
}

static void
send_list(struct gossipd *g, struct ipc *ipc)
{
	const struct serf_member	*m;
	uint32_t			 i = 0;

	ipc_send(ipc, IMSG_MEMBERS_BEGIN, 0, NULL, 0, -1);
	while ((m = serf_member_next(g->serf, &i)) != NULL)
		send_member(g, ipc, m);
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
imsg_member(struct gossipd *g, enum serf_event ev, const struct serf_member *m)
{
	struct member	out;
	size_t		i;

	(void)ev;
	if (!g->members_ready)
		return;
	member_of(g, m, &out);
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

/* ---- calls ---- */

/* Where an answer goes that comes later, unless the link is another by then. */
struct asker {
	enum proc	 peer;
	unsigned	 epoch;
	uint32_t	 id;
};

static int
member_cmp(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name,
	    ((const struct member *)b)->name);
}

static void
put(struct strmap *stats, const char *key, uint64_t v)
{
	char	text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	strmap_put(stats, key, text);
}

static void
stats_of(struct gossipd *g, struct strmap *st)
{
	struct swim		*swim = serf_swim(g->serf);
	struct bcast		*b = swim_bcast(swim);
	struct serf_clocks	 c = serf_clocks(g->serf);

	put(st, "coordinate_resets", 0);
	strmap_put(st, "encrypted",
	    keyring_count(g->ring) > 0 ? "true" : "false");
	put(st, "event_queue", bcast_count(b, BC_EVENT));
	put(st, "event_time", c.event);
	put(st, "failed", serf_count(g->serf, MEMBER_FAILED));
	put(st, "health_score", swim_health(swim));
	put(st, "intent_queue", bcast_count(b, BC_INTENT));
	put(st, "left", serf_count(g->serf, MEMBER_LEFT));
	put(st, "member_time", c.member);
	put(st, "members", serf_count_all(g->serf));
	put(st, "query_queue", bcast_count(b, BC_QUERY));
	put(st, "query_time", c.query);
}

static void
on_members(struct gossipd *g, const struct asker *a, struct ipc *ipc,
    void *body)
{
	struct gossip_members_request	*req = body;
	struct gossip_members		 out = { 0 };
	const struct serf_member	*m;
	uint32_t			 i = 0;

	out.members.set = true;
	out.encrypted = keyring_count(g->ring) > 0;
	if (!req->wan) {
		while ((m = serf_member_next(g->serf, &i)) != NULL)
			member_of(g, m, VEC_ADD(&out.members));
		qsort(out.members.item, out.members.n, sizeof(struct member),
		    member_cmp);
		stats_of(g, &out.stats);
	}
	call_answer_schema(ipc, a->id, &gossip_members_schema, &out);
	schema_clear(&gossip_members_schema, &out);
}

static void
join_done(struct gossipd *g, unsigned joined, const char *text, void *arg)
{
	struct asker		*a = arg;
	struct gossip_joined	 out = { .joined = joined };
	struct ipc		*ipc = child_link(g->child, a->peer);

	if (a->epoch == g->link_epoch[a->peer]) {
		if (joined == 0 && text != NULL)
			call_error(ipc, a->id, "%s", text);
		else
			call_answer_schema(ipc, a->id, &gossip_joined_schema,
			    &out);
	}
	free(a);
}

static void
on_join(struct gossipd *g, const struct asker *a, struct ipc *ipc, void *body)
{
	struct gossip_join	*req = body;
	struct asker		*keep;

	if (req->wan) {
		call_error(ipc, a->id, "1 error occurred:\n\t* Failed to "
		    "join: this node has no WAN pool\n\n");
		return;
	}
	if (serf_leaving(g->serf)) {
		call_error(ipc, a->id, "Serf can't Join after Leave or "
		    "Shutdown");
		return;
	}
	keep = xmalloc(sizeof(*keep));
	*keep = *a;
	join_start(g, &req->addrs, false, join_done, keep);
}

static void
on_force_leave(struct gossipd *g, const struct asker *a, struct ipc *ipc,
    void *body)
{
	struct gossip_force_leave	*req = body;

	if (req->wan || serf_force_leave(g->serf, gossipd_now(),
	    span_str(str_or(req->node, "")), req->prune) == -1) {
		call_error(ipc, a->id, "agent: No node found with name '%s'",
		    str_or(req->node, ""));
		return;
	}
	log_info("member %s: forced to leave%s", req->node,
	    req->prune ? " and forgotten" : "");
	call_answer(ipc, a->id, NULL, 0);
}

static const struct method {
	const char	*name;
	struct schema	*schema;
	void		(*fn)(struct gossipd *, const struct asker *,
			    struct ipc *, void *body);
} methods[] = {
	{ "Gossip.Members", &gossip_members_request_schema, on_members },
	{ "Gossip.Join", &gossip_join_schema, on_join },
	{ "Gossip.ForceLeave", &gossip_force_leave_schema, on_force_leave },
};

union method_body {
	struct gossip_members_request	members;
	struct gossip_join		join;
	struct gossip_force_leave	force_leave;
};

static void
call_with_body(struct gossipd *g, const struct method *method,
    const struct asker *a, struct ipc *ipc, const uint8_t *p, size_t n)
{
	union method_body	 body;
	const char		*err;

	if (schema_decode_all(method->schema, p, n, &body, &err) == -1) {
		call_error(ipc, a->id, "%s: %s", method->name, err);
		return;
	}
	method->fn(g, a, ipc, &body);
	schema_clear(method->schema, &body);
}

static void
on_call(struct gossipd *g, enum proc peer, struct ipc *ipc,
    const struct imsg *m)
{
	struct asker	 a = { peer, g->link_epoch[peer], m->id };
	struct msg_call	 call;
	const uint8_t	*body;
	size_t		 i, n;

	if (call_read(m, &call, &body, &n) == -1)
		fatalx("malformed CALL from %s", proc_name(peer));
	for (i = 0; i < NELEM(methods); i++)
		if (strcmp(str_or(call.method, ""), methods[i].name) == 0)
			break;
	if (i < NELEM(methods))
		call_with_body(g, &methods[i], &a, ipc, body, n);
	else
		call_error(ipc, m->id, "gossipd has no method %s",
		    str_or(call.method, "?"));
	schema_clear(&msg_call_schema, &call);
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
	err = serf_fire(g->serf, gossipd_now(), span_str(str_or(e.name, "")),
	    span_of(e.payload.set ? e.payload.p : NULL, e.payload.n),
	    e.coalesce);
	if (err != NULL)
		log_warnx("event %s: not sent: %s", str_or(e.name, ""), err);
	schema_clear(&msg_event_schema, &e);
}

static void
on_member_gone(struct gossipd *g, const struct imsg *m)
{
	if (serf_force_leave(g->serf, gossipd_now(),
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
		on_call(g, peer, ipc, m);
		break;
	case IMSG_CANCEL:
		/* What is asked of us is short; its answer is not waited for. */
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

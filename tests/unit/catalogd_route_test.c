/*
 * Where calls go: on a client, between links that stand for apid and rpcd.
 */
#include <sys/socket.h>

#include "catalogd/route.h"
#include "tests/unit/catalogd_agent_unit.h"

#define GUARD_MS 5000

/* One end of a link, with what came out of it last. */
struct end {
	struct ipc	*ipc;
	int		 n;
	enum imsg_type	 type;
	uint32_t	 id;
	struct msg_call	 call;
	struct msg_answer answer;
	struct wbuf	 body;
};

struct bench {
	struct ev	*ev;
	struct effects	 e;
	struct agent	*agent;
	struct agent_api *api;
	struct route	*r;
	struct ipc	*apid_here, *rpcd_here;
	struct end	 apid, rpcd;
	struct ev_timer	*guard;
	/* the answer to a call of our own */
	int		 answers;
	enum call_status status;
	char		*error;
};

static struct bench	*bench;

static void
on_guard(void *arg)
{
	(void)arg;
	ck_abort_msg("nothing came");
}

static void
on_here(struct ipc *l, const struct imsg *m, void *arg)
{
	struct bench	*b = arg;

	if (m == NULL)
		return;
	switch ((int)m->type) {
	case IMSG_CALL:
		route_in(b->r, ipc_peer(l), l, m);
		break;
	case IMSG_CANCEL:
		route_in_cancel(b->r, ipc_peer(l), m->id);
		break;
	case IMSG_ANSWER:
		route_answer(b->r, m);
		break;
	default:
		ck_abort_msg("%s", imsg_name(m->type));
	}
}

static void
take_answer(struct end *e, const struct imsg *m)
{
	struct rbuf	 r;

	schema_clear(&msg_answer_schema, &e->answer);
	rb_init(&r, m->body, m->len);
	ck_assert_int_eq(schema_decode(&msg_answer_schema, &r, &e->answer),
	    0);
	wb_reset(&e->body);
	wb_bytes(&e->body, r.p, r.n);
}

static void
on_there(struct ipc *l, const struct imsg *m, void *arg)
{
	struct end	*e = arg;
	const uint8_t	*p;
	size_t		 len;

	(void)l;
	if (m == NULL)
		return;
	e->n++;
	e->type = m->type;
	e->id = m->id;
	if (m->type == IMSG_CALL) {
		schema_clear(&msg_call_schema, &e->call);
		ck_assert_int_eq(call_read(m, &e->call, &p, &len), 0);
		wb_reset(&e->body);
		wb_bytes(&e->body, p, len);
	} else if (m->type == IMSG_ANSWER)
		take_answer(e, m);
	ev_stop(bench->ev);
}

static struct ipc *
link_make(struct bench *b, enum proc peer, struct end *e)
{
	int	 fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fd), 0);
	e->ipc = ipc_new(b->ev, fd[1], peer, PROC_CATALOGD, on_there, e);
	return ipc_new(b->ev, fd[0], PROC_CATALOGD, peer, on_here, b);
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
no_stats(struct strmap *m, void *arg)
{
	(void)m;
	(void)arg;
}

static void
setup(struct bench *b)
{
	struct agent_api_ops	 ops = { .sync = nothing, .stats = no_stats };

	memset(b, 0, sizeof(*b));
	bench = b;
	b->ev = ev_new();
	b->agent = agent_make(&b->e);
	b->api = agent_api_new(b->agent, &ops);
	b->r = route_new(b->ev, b->api, NULL, NULL);
	b->apid_here = link_make(b, PROC_APID, &b->apid);
	b->rpcd_here = link_make(b, PROC_RPCD, &b->rpcd);
	route_rpcd(b->r, b->rpcd_here);
	b->guard = ev_timer_new(b->ev, on_guard, NULL);
	ev_timer_set(b->guard, GUARD_MS);
}

static void
end_clear(struct end *e)
{
	ipc_free(e->ipc);
	schema_clear(&msg_call_schema, &e->call);
	schema_clear(&msg_answer_schema, &e->answer);
	wb_free(&e->body);
}

static void
teardown(struct bench *b)
{
	route_free(b->r);
	agent_api_free(b->api);
	agent_free(b->agent);
	effects_clear(&b->e);
	ipc_free(b->apid_here);
	ipc_free(b->rpcd_here);
	end_clear(&b->apid);
	end_clear(&b->rpcd);
	ev_timer_free(b->guard);
	ev_free(b->ev);
	free(b->error);
}

static void
send_call(struct end *e, uint32_t id, const char *method)
{
	struct msg_call	 m;
	struct wbuf	 w;

	memset(&m, 0, sizeof(m));
	m.method = (char *)(uintptr_t)method;
	wb_init(&w, 0);
	schema_encode(&msg_call_schema, &m, &w);
	wb_u8(&w, 0x80);
	ipc_send(e->ipc, IMSG_CALL, id, w.p, w.len, -1);
	wb_free(&w);
}

static void
on_own(enum call_status status, const char *error, const uint8_t *p,
    size_t len, void *arg)
{
	struct bench	*b = arg;

	(void)p;
	(void)len;
	b->answers++;
	b->status = status;
	str_set(&b->error, error);
	ev_stop(b->ev);
}

START_TEST(writes_are_known_by_name)
{
	static const char *const writes[] = { "Catalog.Register",
	    "Catalog.Deregister", "KVS.Apply", "Session.Apply",
	    "Coordinate.Update", "Internal.EventFire", "ACL.TokenSet",
	    "ACL.PolicyDelete", "Operator.AutopilotSetConfiguration",
	    "Operator.RaftRemovePeerByID" };
	static const char *const reads[] = { "Catalog.ListNodes",
	    "Health.ServiceNodes", "Status.Leader", "KVS.Get", "nodot",
	    "Operator.AutopilotGetConfiguration", "Txn.Read" };
	size_t	 i;

	for (i = 0; i < NELEM(writes); i++)
		ck_assert_msg(route_is_write(writes[i]), "%s", writes[i]);
	for (i = 0; i < NELEM(reads); i++)
		ck_assert_msg(!route_is_write(reads[i]), "%s", reads[i]);
	ck_assert(route_is_private("Agent.Services"));
	ck_assert(route_is_private("Parent.Status"));
	ck_assert(!route_is_private("Status.Ping"));
}
END_TEST

START_TEST(client_sends_to_any_server_and_passes_the_answer_on)
{
	struct bench	 b;

	setup(&b);
	send_call(&b.apid, 5, "Catalog.Register");
	ev_run(b.ev);
	ck_assert_int_eq(b.rpcd.type, IMSG_CALL);
	ck_assert_str_eq(b.rpcd.call.method, "Catalog.Register");
	ck_assert_uint_eq(b.rpcd.call.target, CALL_ANY_SERVER);
	ck_assert_uint_eq(b.rpcd.call.flags, CALL_WRITE);
	ck_assert_uint_eq(b.rpcd.body.len, 1);
	call_error(b.rpcd.ipc, b.rpcd.id,
	    "rpc error making call: No path to datacenter");
	ev_run(b.ev);
	ck_assert_int_eq(b.apid.type, IMSG_ANSWER);
	ck_assert_uint_eq(b.apid.id, 5);
	ck_assert_str_eq(b.apid.answer.error,
	    "rpc error making call: No path to datacenter");
	teardown(&b);
}
END_TEST

START_TEST(cancel_reaches_rpcd_and_the_late_answer_nobody)
{
	struct bench	 b;
	uint32_t	 id;

	setup(&b);
	send_call(&b.apid, 5, "Health.ServiceNodes");
	ev_run(b.ev);
	id = b.rpcd.id;
	ipc_send(b.apid.ipc, IMSG_CANCEL, 5, NULL, 0, -1);
	ev_run(b.ev);
	ck_assert_int_eq(b.rpcd.type, IMSG_CANCEL);
	ck_assert_uint_eq(b.rpcd.id, id);
	call_answer(b.rpcd.ipc, id, "\x80", 1);
	/* The same id may be used again at once. */
	send_call(&b.apid, 5, "Agent.Services");
	ev_run(b.ev);
	ck_assert_int_eq(b.apid.n, 1);
	ck_assert_uint_eq(b.apid.answer.status, CALL_OK);
	teardown(&b);
}
END_TEST

START_TEST(network_calls_nothing_on_a_client)
{
	struct bench	 b;

	setup(&b);
	send_call(&b.rpcd, 9, "Status.Ping");
	ev_run(b.ev);
	ck_assert_str_eq(b.rpcd.answer.error,
	    "rpc: can't find service Status.Ping");
	send_call(&b.rpcd, 10, "Agent.Services");
	ev_run(b.ev);
	ck_assert_str_eq(b.rpcd.answer.error,
	    "rpc: can't find service Agent.Services");
	teardown(&b);
}
END_TEST

START_TEST(without_rpcd_no_server_is_known)
{
	struct bench	 b;
	struct dc_request q;

	setup(&b);
	route_rpcd(b.r, NULL);
	memset(&q, 0, sizeof(q));
	route_call(b.r, "Catalog.ListNodes", &dc_request_schema, &q, false, 0,
	    on_own, &b);
	ck_assert_int_eq(b.answers, 0);
	ev_run(b.ev);
	ck_assert_int_eq(b.answers, 1);
	ck_assert_str_eq(b.error, "No known Consul servers");
	send_call(&b.apid, 1, "Catalog.ListNodes");
	ev_run(b.ev);
	ck_assert_str_eq(b.apid.answer.error, "No known Consul servers");
	teardown(&b);
}
END_TEST

START_TEST(end_of_a_link_ends_its_calls)
{
	struct bench	 b;
	struct dc_request q;

	setup(&b);
	send_call(&b.apid, 5, "Health.ServiceNodes");
	ev_run(b.ev);
	route_in_lost(b.r, PROC_APID);
	ev_run(b.ev);
	ck_assert_int_eq(b.rpcd.type, IMSG_CANCEL);
	/* And rpcd's end those that wait for it. */
	memset(&q, 0, sizeof(q));
	route_call(b.r, "Catalog.ListNodes", &dc_request_schema, &q, false, 0,
	    on_own, &b);
	route_rpcd(b.r, NULL);
	while (b.answers == 0)
		ev_run(b.ev);
	ck_assert_int_eq(b.status, CALL_LOST);
	teardown(&b);
}
END_TEST

UNIT_MAIN("catalogd_route",
    writes_are_known_by_name,
    client_sends_to_any_server_and_passes_the_answer_on,
    cancel_reaches_rpcd_and_the_late_answer_nobody,
    network_calls_nothing_on_a_client,
    without_rpcd_no_server_is_known,
    end_of_a_link_ends_its_calls)

/*
 * Members from gossip: what the leader registers, marks and removes, and whom
 * it takes into raft's membership for whom.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/server_raft_i.h"
#include "common/util.h"
#include "tests/unit/catalogd_world.h"

#define LIMIT_MS 30000
#define OLD "22222222-2222-4222-8222-222222222222"
#define NEW "33333333-3333-4333-8333-333333333333"

/* ---- in the catalog ---- */

static void
tell(struct world *w, const char *name, const char *addr,
    enum member_status status, const char *role)
{
	struct member m = member(name, addr, status, role);

	server_member(w->srv, &m);
	schema_clear(&member_schema, &m);
}

static void
serf_health(struct world *w, const char *node, char *out, size_t len)
{
	struct indexed_health_checks c;
	struct node_request q;

	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.node = S(node);
	ask(w, "Health.NodeChecks", &node_request_schema, &q,
	    &indexed_health_checks_schema, &c);
	snprintf(out, len, "%s", c.checks.n == 0 ? "" :
	    c.checks.item[0].status);
	schema_clear(&indexed_health_checks_schema, &c);
}

static void
until_health(struct world *w, const char *node, const char *want)
{
	uint64_t end = ev_hrtime() + LIMIT_MS * NS_PER_MS;
	char status[32];

	do {
		world_run(w, 5);
		serf_health(w, node, status, sizeof(status));
	} while (strcmp(status, want) != 0 && ev_hrtime() < end);
	ck_assert_str_eq(status, want);
}

START_TEST(members_are_registered_marked_and_removed)
{
	struct indexed_check_service_nodes n;
	struct world w;
	char status[32];

	world_setup(&w);
	server_members_begin(w.srv);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	tell(&w, "node2", "10.77.0.2", MEMBER_ALIVE, "node");
	server_members_end(w.srv);
	world_run(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 2);
	service_nodes(&w, "consul", &n);
	ck_assert_uint_eq(n.nodes.n, 1);
	ck_assert_int_eq(n.nodes.item[0].service.port, 8300);
	ck_assert_str_eq(strmap_get(&n.nodes.item[0].service.meta, "version"),
	    "1.8.7");
	ck_assert(!n.nodes.item[0].node.meta.set);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	serf_health(&w, "node2", status, sizeof(status));
	ck_assert_str_eq(status, "passing");

	tell(&w, "node2", "10.77.0.2", MEMBER_FAILED, "node");
	until_health(&w, "node2", "critical");
	tell(&w, "node2", "10.77.0.2", MEMBER_ALIVE, "node");
	until_health(&w, "node2", "passing");
	/* Before the first has reached the catalog: the last word counts. */
	tell(&w, "node2", "10.77.0.2", MEMBER_FAILED, "node");
	tell(&w, "node2", "10.77.0.2", MEMBER_ALIVE, "node");
	until_health(&w, "node2", "passing");
	tell(&w, "node2", "10.77.0.2", MEMBER_LEFT, "node");
	world_run(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 1);
	/* Never itself. */
	tell(&w, "node1", "10.77.0.1", MEMBER_LEFT, "consul");
	world_run(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 1);
	ck_assert_str_eq(w.refused, "");
	world_clear(&w);
}
END_TEST

START_TEST(a_gossipd_that_forgot_the_dead_costs_no_registration)
{
	struct world w;

	world_setup(&w);
	server_members_begin(w.srv);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	tell(&w, "node2", "10.77.0.2", MEMBER_FAILED, "node");
	tell(&w, "node3", "10.77.0.3", MEMBER_ALIVE, "node");
	server_members_end(w.srv);
	put_check(&w, "node2", "serfHealth", "", "critical");
	world_run(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 3);
	/* Started again, it knows nobody but itself. */
	server_members_begin(w.srv);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	server_members_end(w.srv);
	world_run(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 3);
	/* A leave is a leave all the same. */
	tell(&w, "node3", "10.77.0.3", MEMBER_LEFT, "node");
	world_run(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 2);
	world_clear(&w);
}
END_TEST

START_TEST(nodes_that_gossip_forgot_count_as_failed_external_ones_stay)
{
	struct world w;
	char status[32];

	world_setup(&w);
	put_node(&w, "ext", "10.0.0.7");
	put_check(&w, "old", "serfHealth", "", "passing");
	server_members_begin(w.srv);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	server_members_end(w.srv);
	world_run(&w, 20);
	ck_assert_uint_eq(count_nodes(&w), 3);
	serf_health(&w, "old", status, sizeof(status));
	ck_assert_str_eq(status, "critical");
	serf_health(&w, "ext", status, sizeof(status));
	ck_assert_str_eq(status, "");
	tell(&w, "old", "10.77.0.9", MEMBER_ALIVE, "node");
	until_health(&w, "old", "passing");
	world_clear(&w);
}
END_TEST

START_TEST(member_known_to_be_well_is_not_written_again)
{
	struct indexed_nodes a, b;
	struct world w;

	world_setup(&w);
	server_members_begin(w.srv);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	server_members_end(w.srv);
	world_run(&w, 20);
	list_nodes(&w, &a);
	ck_assert_uint_eq(a.nodes.n, 1);
	tell(&w, "node1", "10.77.0.1", MEMBER_ALIVE, "consul");
	world_run(&w, 20);
	list_nodes(&w, &b);
	ck_assert_uint_eq(a.index, b.index);
	schema_clear(&indexed_nodes_schema, &a);
	schema_clear(&indexed_nodes_schema, &b);
	world_clear(&w);
}
END_TEST

START_TEST(consul_server_in_our_datacenter_is_refused)
{
	struct member m = member("c1", "10.77.0.9", MEMBER_ALIVE, "consul");
	struct world w;

	world_setup(&w);
	w.may_refuse = true;
	server_member(w.srv, &m);
	ck_assert_str_eq(w.refused, "");
	strmap_clear(&m.tags);
	strmap_put(&m.tags, "role", "consul");
	strmap_put(&m.tags, "dc", "dc2");
	server_member(w.srv, &m);
	ck_assert_str_eq(w.refused, "");
	strmap_put(&m.tags, "dc", "dc1");
	server_member(w.srv, &m);
	ck_assert_ptr_nonnull(strstr(w.refused, "c1 (10.77.0.9)"));
	schema_clear(&member_schema, &m);
	world_clear(&w);
}
END_TEST

/* What a node says of itself is on its way while gossip tells of it. */
START_TEST(member_is_registered_without_loss_of_what_it_said)
{
	struct indexed_check_service_nodes n;
	struct node_service svc;
	struct register_request q = node_request("node2", "10.77.0.2");
	struct answer a;
	struct world w;
	char dir[64];

	unit_dir_make(dir, sizeof(dir));
	world_init(&w, dir);
	world_start(&w);
	server_members_begin(w.srv);
	server_members_end(w.srv);
	world_run(&w, 20);
	memset(&svc, 0, sizeof(svc));
	strmap_put(&q.node_meta, "rack", "r1");
	strmap_put(&q.tagged_addresses, "lan", "10.77.0.2");
	svc.id = svc.service = S("web");
	q.service = &svc;
	begin(&w, "Catalog.Register", &register_request_schema, &q, &a);
	strmap_clear(&q.node_meta);
	strmap_clear(&q.tagged_addresses);
	world_run(&w, 0);
	tell(&w, "node2", "10.77.0.2", MEMBER_ALIVE, "node");
	if (!a.there)
		await(&a);
	ck_assert_ptr_null(a.error);
	answer_clear(&a);
	until_health(&w, "node2", "passing");
	service_nodes(&w, "web", &n);
	ck_assert_uint_eq(n.nodes.n, 1);
	ck_assert_str_eq(str_or(strmap_get(&n.nodes.item[0].node.meta, "rack"),
	    ""), "r1");
	ck_assert_str_eq(str_or(strmap_get(
	    &n.nodes.item[0].node.tagged_addresses, "lan"), ""), "10.77.0.2");
	schema_clear(&indexed_check_service_nodes_schema, &n);
	world_clear(&w);
	unit_dir_remove(dir);
}
END_TEST

/* ---- servers ---- */

/* The other server, as it answers who it is. */
struct other {
	const char		*says;
	struct ev_timer		*answer;
	call_fn			*fn;
	void			*fn_arg;
	size_t			 nasked, ndialled;
};

static void *
on_call(const struct msg_call *m, const uint8_t *body, size_t len,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct world *w = arg;
	struct other *o = w->own;

	(void)body;
	(void)len;
	(void)timeout_ms;
	ck_assert_str_eq(m->method, "Status.DiscoServer");
	if (strcmp(m->server, "node2") != 0)
		return w;	/* of itself: that takes its time */
	ck_assert_ptr_null(o->fn);
	o->fn = fn;
	o->fn_arg = fn_arg;
	ev_timer_set(o->answer, 0);
	return &o->fn;
}

static void
on_call_cancel(void *handle, void *arg)
{
	struct world *w = arg;
	struct other *o = w->own;

	if (handle == &o->fn)
		o->fn = NULL;
}

static void
on_dial(uint32_t id, const char *address, void *arg)
{
	struct world *w = arg;
	struct other *o = w->own;

	(void)id;
	ck_assert_str_eq(address, "10.77.0.2:8300");
	o->ndialled++;
	ev_stop(w->ev);
}

static void
on_answer(void *arg)
{
	struct world *w = arg;
	struct other *o = w->own;
	struct disco_server is = { .raft_id = 4711, .node_id = S(o->says) };
	call_fn *fn = o->fn;
	struct wbuf b;

	if (fn == NULL)
		return;
	o->fn = NULL;
	wb_init(&b, 0);
	schema_encode(&disco_server_schema, &is, &b);
	fn(CALL_OK, NULL, b.p, b.len, o->fn_arg);
	wb_free(&b);
	o->nasked++;
	ev_stop(w->ev);
}

static void
tell_server(struct world *w, const char *name, const char *addr,
    const char *id)
{
	struct member m = member(name, addr, MEMBER_ALIVE, "consul");

	strmap_put(&m.tags, "id", id);
	server_member(w->srv, &m);
	schema_clear(&member_schema, &m);
}

/*
 * A machine with an empty disk took the name and the address; gossip still has
 * the id of the one before.  Under that id it would never be found again.
 */
START_TEST(server_in_anothers_place_waits_until_gossip_knows_it)
{
	struct other o = { .says = NEW };
	struct world w;
	char dir[64];

	unit_dir_make(dir, sizeof(dir));
	world_init(&w, dir);
	w.own = &o;
	w.env.call = on_call;
	w.env.call_cancel = on_call_cancel;
	w.env.dial = on_dial;
	o.answer = ev_timer_new(w.ev, on_answer, &w);
	world_start(&w);
	tell_server(&w, "node1", "10.77.0.1", w.agent.node_id);
	tell_server(&w, "node2", "10.77.0.2", OLD);
	server_members_end(w.srv);
	world_until(&w, &o.nasked, 2);
	ck_assert_uint_eq(o.ndialled, 0);
	tell_server(&w, "node2", "10.77.0.2", NEW);
	world_until(&w, &o.ndialled, 1);
	ev_timer_free(o.answer);
	world_clear(&w);
	unit_dir_remove(dir);
}
END_TEST

UNIT_MAIN("catalogd_members",
    members_are_registered_marked_and_removed,
    a_gossipd_that_forgot_the_dead_costs_no_registration,
    nodes_that_gossip_forgot_count_as_failed_external_ones_stay,
    member_known_to_be_well_is_not_written_again,
    consul_server_in_our_datacenter_is_refused,
    member_is_registered_without_loss_of_what_it_said,
    server_in_anothers_place_waits_until_gossip_knows_it)

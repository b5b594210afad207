/*
 * The server half through server.h: when calls are answered at all, methods
 * and their errors, what is read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mp.h"
#include "common/util.h"
#include "tests/unit/catalogd_world.h"

/* ---- office ---- */

START_TEST(single_server_leads_at_once)
{
	struct answer a;
	struct world w;
	uint64_t t0;

	world_init(&w, "");
	t0 = ev_hrtime();
	world_start(&w);
	while (!server_is_leader(w.srv))
		world_run(&w, 1);
	ck_assert_uint_lt(ev_hrtime() - t0, NS_PER_S);
	ck_assert_str_eq(w.fired, "consul:new-leader");
	ck_assert_str_eq(w.payload, "node1");
	begin_bytes(&w, "Status.Leader", "\x80", 1, &a);
	await(&a);
	ck_assert_uint_eq(a.body.len, 1 + strlen("10.77.0.1:8300"));
	ck_assert_mem_eq(a.body.p + 1, "10.77.0.1:8300", a.body.len - 1);
	answer_clear(&a);
	world_clear(&w);
}
END_TEST

START_TEST(without_a_leader_calls_are_held_then_refused)
{
	struct dc_request q;
	struct answer a;
	struct world w;
	uint64_t t0;

	world_init(&w, "");
	w.agent.bootstrap = false;
	world_start(&w);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	t0 = ev_hrtime();
	ck_assert_str_eq(error_of(&w, "Catalog.ListNodes", &dc_request_schema,
	    &q), "No cluster leader");
	ck_assert_uint_ge(ev_hrtime() - t0, 180 * NS_PER_MS);
	/* Which needs no leader. */
	begin_bytes(&w, "Status.Leader", "\x80", 1, &a);
	await(&a);
	ck_assert_uint_eq(a.body.len, 1);
	ck_assert_uint_eq(a.body.p[0], 0xa0);
	answer_clear(&a);
	begin_bytes(&w, "Status.Ping", "\x80", 1, &a);
	await(&a);
	ck_assert_int_eq(a.status, CALL_OK);
	answer_clear(&a);
	world_clear(&w);
}
END_TEST

START_TEST(leaving_server_answers_no_leader_at_once)
{
	struct dc_request q;
	struct world w;

	world_init(&w, "");
	w.conf.rpc_hold_timeout = 60 * NS_PER_S;
	world_start(&w);
	put_node(&w, "n1", "10.0.0.1");
	server_leave(w.srv, world_stop, &w);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	ck_assert_str_eq(error_of(&w, "Catalog.ListNodes", &dc_request_schema,
	    &q), "No cluster leader");
	world_clear(&w);
}
END_TEST

/* ---- errors ---- */

START_TEST(register_errors_have_their_texts)
{
	struct register_request r;
	struct node_service s;
	struct health_check c;
	struct world w;
#define ERR error_of(&w, "Catalog.Register", &register_request_schema, &r)

	world_setup(&w);
	r = node_request("", "1.1.1.1");
	ck_assert_str_eq(ERR, "Must provide node");
	r = node_request("x1", "");
	ck_assert_str_eq(ERR,
	    "Must provide address if SkipNodeUpdate is not set");
	r = node_request("x1", "1.1.1.1");
	r.id = S("nope");
	ck_assert_str_eq(ERR, "Bad node ID: uuid string is wrong length");
	r.id = NULL;
	memset(&s, 0, sizeof(s));
	s.id = S("web");
	r.service = &s;
	ck_assert_str_eq(ERR, "Must provide service name with ID");
	s.service = S("web");
	s.address = S("0.0.0.0");
	ck_assert_str_eq(ERR, "Invalid service address");
	r.service = NULL;
	memset(&c, 0, sizeof(c));
	c.name = S("q");
	c.service_id = S("nosuch");
	r.check = &c;
	ck_assert_str_eq(ERR, "failed inserting check: Missing service "
	    "registration on node \"x1\"");
	c.service_id = NULL;
	c.node = S("x2");
	ck_assert_str_eq(ERR,
	    "check node \"x2\" does not match node \"x1\"");
	r = node_request("x1", "1.1.1.1");
	r.datacenter = NULL;
	ck_assert_str_eq(ERR, "No path to datacenter");
	ck_assert_uint_eq(count_nodes(&w), 0);
	world_clear(&w);
}
END_TEST

START_TEST(unknown_methods_have_their_words)
{
	static const struct { const char *method, *error; } t[] = {
		{ "Nope.Foo", "rpc: can't find service Nope.Foo" },
		{ "Catalog.Nope", "rpc: can't find method Catalog.Nope" },
		{ "Ping", "rpc: service/method request ill-formed: Ping" },
		{ "ACL.TokenRead", "ACL support disabled" },
		{ "ConnectCA.Roots",
		    "Connect must be enabled in order to use this endpoint" },
		{ "AutoEncrypt.Sign",
		    "Connect must be enabled in order to use this endpoint" },
	};
	struct answer a;
	struct world w;
	size_t i;

	world_setup(&w);
	for (i = 0; i < NELEM(t); i++) {
		begin_bytes(&w, t[i].method, "\x80", 1, &a);
		await(&a);
		ck_assert_int_eq(a.status, CALL_ERROR);
		ck_assert_str_eq(a.error, t[i].error);
		answer_clear(&a);
	}
	ck_assert(server_has_method("Catalog.Register"));
	ck_assert(!server_has_method("Agent.Services"));
	world_clear(&w);
}
END_TEST

START_TEST(bodies_that_do_not_decode_are_refused)
{
	struct answer a;
	struct world w;

	world_setup(&w);
	begin_bytes(&w, "Catalog.ListNodes", "\x81\xaa", 2, &a);
	await(&a);
	ck_assert(strncmp(a.error, "codec.decoder: ", 15) == 0);
	answer_clear(&a);
	begin_bytes(&w, "Catalog.ListNodes", "", 0, &a);
	await(&a);
	ck_assert_int_eq(a.status, CALL_ERROR);
	answer_clear(&a);
	world_clear(&w);
}
END_TEST

START_TEST(what_is_no_filter_is_refused_where_filters_are_obeyed)
{
	struct dc_request q;
	struct world w;

	world_setup(&w);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.filter = S("Meta.a == b");
	ck_assert_ptr_null(error_of(&w, "Catalog.ListNodes",
	    &dc_request_schema, &q));
	q.filter = S("Meta.a ==");
	ck_assert(strncmp(error_of(&w, "Catalog.ListNodes",
	    &dc_request_schema, &q),
	    "Failed to create boolean expression evaluator: ", 47) == 0);
	ck_assert_ptr_null(error_of(&w, "Catalog.ListServices",
	    &dc_request_schema, &q));
	world_clear(&w);
}
END_TEST

/* ---- reading ---- */

START_TEST(registered_service_is_found_with_its_checks)
{
	struct indexed_check_service_nodes n;
	struct world w;

	world_setup(&w);
	put_node(&w, "n1", "10.0.0.1");
	put_service(&w, "n1", "web1", "web", "v1");
	put_service(&w, "n1", "db1", "db", NULL);
	put_check(&w, "n1", "serfHealth", "", "passing");
	put_check(&w, "n1", "c-web", "web1", "warning");
	put_check(&w, "n1", "c-db", "db1", "critical");
	service_nodes(&w, "WEB", &n);
	ck_assert(n.known_leader);
	ck_assert_uint_eq(n.nodes.n, 1);
	ck_assert_str_eq(n.nodes.item[0].node.node, "n1");
	ck_assert_str_eq(n.nodes.item[0].service.id, "web1");
	ck_assert_int_eq(n.nodes.item[0].service.weights->passing, 1);
	ck_assert_uint_eq(n.nodes.item[0].checks.n, 2);
	ck_assert_str_eq(n.nodes.item[0].checks.item[0].check_id,
	    "serfHealth");
	ck_assert_str_eq(n.nodes.item[0].checks.item[1].check_id, "c-web");
	schema_clear(&indexed_check_service_nodes_schema, &n);
	ck_assert_str_eq(w.names, "+n:n1 +s:web +s:db ");
	world_clear(&w);
}
END_TEST

START_TEST(index_is_never_zero)
{
	struct indexed_nodes n;
	struct world w;

	world_setup(&w);
	list_nodes(&w, &n);
	ck_assert_uint_eq(n.index, 1);
	ck_assert_uint_eq(n.nodes.n, 0);
	schema_clear(&indexed_nodes_schema, &n);
	world_clear(&w);
}
END_TEST

START_TEST(tags_filter_only_when_told_to)
{
	struct indexed_check_service_nodes n;
	struct service_request q;
	struct world w;
	char *tags[1] = { S("V2") };

	world_setup(&w);
	put_service(&w, "n1", "web1", "web", "v1");
	put_service(&w, "n2", "web2", "web", "v2");
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.service_name = S("web");
	q.service_tags.item = tags;
	q.service_tags.n = 1;
	q.service_tags.set = true;
	ask(&w, "Health.ServiceNodes", &service_request_schema, &q,
	    &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_eq(n.nodes.n, 2);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	q.tag_filter = true;
	ask(&w, "Health.ServiceNodes", &service_request_schema, &q,
	    &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_eq(n.nodes.n, 1);
	ck_assert_str_eq(n.nodes.item[0].service.id, "web2");
	schema_clear(&indexed_check_service_nodes_schema, &n);
	world_clear(&w);
}
END_TEST

START_TEST(services_are_listed_with_the_union_of_their_tags)
{
	struct indexed_services s;
	struct dc_request q;
	struct world w;

	world_setup(&w);
	put_service(&w, "n1", "web1", "web", "v1");
	put_service(&w, "n2", "web2", "web", "v2");
	put_service(&w, "n3", "web3", "web", "v1");
	put_service(&w, "n3", "db", "db", NULL);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	ask(&w, "Catalog.ListServices", &dc_request_schema, &q,
	    &indexed_services_schema, &s);
	ck_assert_uint_eq(s.services.n, 2);
	ck_assert_str_eq(s.services.item[0].key, "db");
	ck_assert_uint_eq(s.services.item[0].val.n, 0);
	ck_assert_uint_eq(s.services.item[1].val.n, 2);
	ck_assert_str_eq(s.services.item[1].val.item[0], "v1");
	ck_assert_str_eq(s.services.item[1].val.item[1], "v2");
	schema_clear(&indexed_services_schema, &s);
	world_clear(&w);
}
END_TEST

START_TEST(coordinate_updates_are_checked_and_written_in_batches)
{
	struct coordinate_update u;
	struct indexed_coordinates c;
	struct node_request q;
	struct world w;
	double vec[8] = { 0 };
	int i;
#define ERR_C error_of(&w, "Coordinate.Update", &coordinate_update_schema, &u)

	world_setup(&w);
	put_node(&w, "n1", "10.0.0.1");
	memset(&u, 0, sizeof(u));
	u.datacenter = DC;
	u.node = S("n1");
	u.coord.vec.item = vec;
	u.coord.vec.n = 4;
	u.coord.vec.set = true;
	ck_assert_str_eq(ERR_C, "incompatible coordinate");
	u.coord.vec.n = 8;
	vec[3] = 1.0 / 0.0;
	ck_assert_str_eq(ERR_C, "invalid coordinate");
	vec[3] = 0.25;
	ck_assert_ptr_null(ERR_C);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.node = S("n1");
	c.coordinates.n = 0;
	for (i = 0; i < 8 && c.coordinates.n == 0; i++) {
		world_run(&w, 1000);
		ask(&w, "Coordinate.Node", &node_request_schema, &q,
		    &indexed_coordinates_schema, &c);
		if (c.coordinates.n == 0)
			schema_clear(&indexed_coordinates_schema, &c);
	}
	ck_assert_uint_eq(c.coordinates.n, 1);
	ck_assert_double_eq(c.coordinates.item[0].coord.vec.item[3], 0.25);
	schema_clear(&indexed_coordinates_schema, &c);
	world_clear(&w);
}
END_TEST

static void
put_coordinate(struct world *w, const char *node, double x)
{
	struct coordinate_update u;
	double vec[8] = { x };

	memset(&u, 0, sizeof(u));
	u.datacenter = DC;
	u.node = S(node);
	u.coord.vec.item = vec;
	u.coord.vec.n = 8;
	u.coord.vec.set = true;
	ck_assert_ptr_null(error_of(w, "Coordinate.Update",
	    &coordinate_update_schema, &u));
}

START_TEST(near_sorts_by_distance_and_the_unknown_last)
{
	static const char *const want[] = { "n3", "n4", "n1", "n2" };
	struct indexed_nodes n;
	struct dc_request q;
	struct world w;
	size_t i;

	world_setup(&w);
	for (i = 1; i <= 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "n%zu", i);
		put_node(&w, name, "10.0.0.1");
	}
	put_coordinate(&w, "n1", 0.5);
	put_coordinate(&w, "n3", 0.1);
	put_coordinate(&w, "n4", 0.2);
	world_run(&w, 5500);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.source.datacenter = DC;
	q.source.node = S("n3");
	ask(&w, "Catalog.ListNodes", &dc_request_schema, &q,
	    &indexed_nodes_schema, &n);
	ck_assert_uint_eq(n.nodes.n, 4);
	for (i = 0; i < 4; i++)
		ck_assert_str_eq(n.nodes.item[i].node, want[i]);
	schema_clear(&indexed_nodes_schema, &n);
	world_clear(&w);
}
END_TEST

START_TEST(event_is_fired_under_its_name)
{
	struct event_fire_request q;
	struct world w;
	uint8_t p[] = "data", large[70000] = { 0 };

	world_setup(&w);
	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.name = S("deploy");
	q.payload.p = p;
	q.payload.n = 4;
	q.payload.set = true;
	q.allow_stale = true;
	ck_assert_ptr_null(error_of(&w, "Internal.EventFire",
	    &event_fire_request_schema, &q));
	ck_assert_str_eq(w.fired, "consul:event:deploy");
	ck_assert_str_eq(w.payload, "data");
	/* What gossip does not carry would not fit a message to gossipd. */
	q.payload.n = sizeof(large);
	q.payload.p = large;
	ck_assert_str_eq(error_of(&w, "Internal.EventFire",
	    &event_fire_request_schema, &q), "1 error occurred:\n\t* error "
	    "broadcasting event to segment \"\": user event exceeds configured "
	    "limit of 512 bytes before encoding\n\n");
	ck_assert_str_eq(w.fired, "consul:event:deploy");
	q.payload.n = 512 - strlen("consul:event:deploy");
	ck_assert_str_eq(error_of(&w, "Internal.EventFire",
	    &event_fire_request_schema, &q), "1 error occurred:\n\t* error "
	    "broadcasting event to segment \"\": encoded user event exceeds "
	    "configured limit of 512 bytes after encoding\n\n");
	q.payload.n -= 35;
	ck_assert_ptr_null(error_of(&w, "Internal.EventFire",
	    &event_fire_request_schema, &q));
	w.no_gossip = true;
	ck_assert_str_eq(error_of(&w, "Internal.EventFire",
	    &event_fire_request_schema, &q),
	    "event not sent: gossipd is restarting");
	world_clear(&w);
}
END_TEST

UNIT_MAIN("catalogd_server",
    single_server_leads_at_once,
    without_a_leader_calls_are_held_then_refused,
    leaving_server_answers_no_leader_at_once,
    register_errors_have_their_texts,
    unknown_methods_have_their_words,
    bodies_that_do_not_decode_are_refused,
    what_is_no_filter_is_refused_where_filters_are_obeyed,
    registered_service_is_found_with_its_checks,
    index_is_never_zero,
    tags_filter_only_when_told_to,
    services_are_listed_with_the_union_of_their_tags,
    coordinate_updates_are_checked_and_written_in_batches,
    near_sorts_by_distance_and_the_unknown_last,
    event_is_fired_under_its_name)

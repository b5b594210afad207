/*
 * Blocking reads of the server half: whom a write wakes, when one ends.
 */
#include <string.h>

#include "common/util.h"
#include "tests/unit/catalogd_world.h"

static void
begin_service_nodes(struct world *w, const char *name, uint64_t min,
    int64_t max_ns, struct answer *a)
{
	struct service_request q;

	memset(&q, 0, sizeof(q));
	q.datacenter = DC;
	q.service_name = S(name);
	q.min_query_index = min;
	q.max_query_time = max_ns;
	begin(w, "Health.ServiceNodes", &service_request_schema, &q, a);
}

START_TEST(blocked_read_wakes_for_its_service_and_sleeps_for_others)
{
	struct indexed_check_service_nodes n;
	struct answer a;
	struct world w;
	uint64_t index;

	world_setup(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	put_service(&w, "n2", "db1", "db", NULL);
	service_nodes(&w, "web", &n);
	index = n.index;
	schema_clear(&indexed_check_service_nodes_schema, &n);
	begin_service_nodes(&w, "web", index, 0, &a);
	world_run(&w, 20);
	ck_assert(!a.there);
	put_check(&w, "n2", "c", "db1", "passing");
	put_node(&w, "n2", "10.0.0.9");
	put_service(&w, "n1", "web1", "web", NULL);	/* nothing new */
	world_run(&w, 20);
	ck_assert(!a.there);
	put_check(&w, "n1", "c", "web1", "passing");
	await(&a);
	answer_decode(&a, &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_gt(n.index, index);
	ck_assert_uint_eq(n.nodes.item[0].checks.n, 1);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	world_clear(&w);
}
END_TEST

/* Of one turn: equal questions of equal length, and others between them. */
START_TEST(many_who_ask_the_same_are_answered_the_same_others_their_own)
{
	static const char *const name[] = {
		"web", "web", "wee", "wee", "web", "web"
	};
	struct indexed_check_service_nodes n;
	struct answer a[NELEM(name)];
	struct world w;
	size_t i;

	world_setup(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	put_service(&w, "n2", "wee1", "wee", NULL);
	service_nodes(&w, "web", &n);
	/* Those of "wee" are answered at once, those of "web" wait. */
	for (i = 0; i < NELEM(name); i++)
		begin_service_nodes(&w, name[i], n.index, 0, &a[i]);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	put_service(&w, "n3", "web2", "web", NULL);
	for (i = 0; i < NELEM(name); i++) {
		await(&a[i]);
		answer_decode(&a[i], &indexed_check_service_nodes_schema, &n);
		ck_assert_uint_eq(n.nodes.n, name[i][2] == 'b' ? 2 : 1);
		ck_assert_str_eq(n.nodes.item[0].service.service, name[i]);
		schema_clear(&indexed_check_service_nodes_schema, &n);
	}
	world_clear(&w);
}
END_TEST

START_TEST(blocked_read_of_a_vanishing_service_wakes)
{
	struct indexed_check_service_nodes n;
	struct answer a;
	struct world w;
	uint64_t index;

	world_setup(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	service_nodes(&w, "web", &n);
	index = n.index;
	schema_clear(&indexed_check_service_nodes_schema, &n);
	begin_service_nodes(&w, "web", index, 0, &a);
	world_run(&w, 10);
	drop_node(&w, "n1");
	await(&a);
	answer_decode(&a, &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_gt(n.index, index);
	ck_assert_uint_eq(n.nodes.n, 0);
	index = n.index;
	schema_clear(&indexed_check_service_nodes_schema, &n);
	/* And again when it comes back. */
	begin_service_nodes(&w, "web", index, 0, &a);
	world_run(&w, 10);
	ck_assert(!a.there);
	put_service(&w, "n1", "web1", "web", NULL);
	await(&a);
	answer_decode(&a, &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_eq(n.nodes.n, 1);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	world_clear(&w);
}
END_TEST

START_TEST(blocked_read_ends_with_its_time_and_what_there_is)
{
	struct indexed_check_service_nodes n;
	struct answer a;
	struct world w;
	uint64_t t0;

	world_setup(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	t0 = ev_hrtime();
	begin_service_nodes(&w, "web", 1000, 160 * NS_PER_MS, &a);
	await(&a);
	ck_assert_uint_ge(ev_hrtime() - t0, 158 * NS_PER_MS);
	ck_assert_uint_lt(ev_hrtime() - t0, 1000 * NS_PER_MS);
	answer_decode(&a, &indexed_check_service_nodes_schema, &n);
	ck_assert_uint_lt(n.index, 1000);
	ck_assert_uint_eq(n.nodes.n, 1);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	world_clear(&w);
}
END_TEST

START_TEST(lower_index_answers_at_once)
{
	struct answer a;
	struct world w;

	world_setup(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	begin_service_nodes(&w, "web", 1, 0, &a);
	await(&a);
	ck_assert_int_eq(a.status, CALL_OK);
	answer_clear(&a);
	world_clear(&w);
}
END_TEST

START_TEST(cancelled_calls_are_silent)
{
	struct server_call *c;
	struct answer a;
	struct world w;

	world_setup(&w);
	put_service(&w, "n1", "web1", "web", NULL);
	c = begin_bytes(&w, "Status.Ping", "\x80", 1, &a);
	server_call_cancel(c);
	world_run(&w, 20);
	ck_assert(!a.there);
	answer_clear(&a);
	world_clear(&w);
}
END_TEST

UNIT_MAIN("catalogd_blocking",
    blocked_read_wakes_for_its_service_and_sleeps_for_others,
    many_who_ask_the_same_are_answered_the_same_others_their_own,
    blocked_read_of_a_vanishing_service_wakes,
    blocked_read_ends_with_its_time_and_what_there_is,
    lower_index_answers_at_once,
    cancelled_calls_are_silent)

/*
 * Where checks stand for their owner (Agent.CheckRuns), what they were before,
 * and maintenance modes that end by themselves.
 */
#include <unistd.h>

#include "catalogd/agent_files.h"
#include "tests/unit/catalogd_agent_unit.h"

static char	 err[256];

/* ---- maintenance ---- */

static int
maintain(struct agent *a, bool enable, int64_t seconds, uint64_t now)
{
	struct agent_maintenance	 m = { .enable = enable,
					    .lasts = seconds * NS_PER_S };

	return agent_maintenance(a, &m, now, err, sizeof(err));
}

START_TEST(maintenance_ends_by_itself)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);

	ck_assert_int_eq(maintain(a, true, 600, SEC), 0);
	ck_assert_uint_le(agent_run(a, 2 * SEC), 601 * SEC);
	agent_run(a, 600 * SEC);
	ck_assert_ptr_nonnull(agent_check_find(a, AGENT_NODE_MAINT));
	effects_clear(&e);
	agent_run(a, 601 * SEC);
	ck_assert_ptr_null(agent_check_find(a, AGENT_NODE_MAINT));
	expect(&e, "drop check _node_maintenance\n"
	    "forget _node_maintenance\n");
	/* Without an end there is none. */
	ck_assert_int_eq(maintain(a, true, 0, 700 * SEC), 0);
	agent_run(a, 900000 * SEC);
	ck_assert_ptr_nonnull(agent_check_find(a, AGENT_NODE_MAINT));
	/* A later word gives it one, or moves it. */
	effects_clear(&e);
	ck_assert_int_eq(maintain(a, true, 60, 900000 * SEC), 0);
	ck_assert_int_eq(maintain(a, true, 90, 900000 * SEC), 0);
	expect(&e, "save check _node_maintenance\n"
	    "save check _node_maintenance\n");
	agent_run(a, 900061 * SEC);
	ck_assert_ptr_nonnull(agent_check_find(a, AGENT_NODE_MAINT));
	agent_run(a, 900091 * SEC);
	ck_assert_ptr_null(agent_check_find(a, AGENT_NODE_MAINT));
	ck_assert_int_eq(maintain(a, true, -1, 0), -1);
	effects_clear(&e);
	agent_free(a);
}
END_TEST

static void
restored(struct agent_files *f, int64_t wall_s, bool there, uint64_t until)
{
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct local_check	*c;

	agent_files_checks(f, a, 5 * SEC, wall_s);
	c = agent_check_find(a, AGENT_NODE_MAINT);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->until, until);
	agent_run(a, 6 * SEC);
	ck_assert((agent_check_find(a, AGENT_NODE_MAINT) != NULL) == there);
	effects_clear(&e);
	agent_free(a);
}

START_TEST(end_of_maintenance_outlives_a_restart)
{
	char			 dir[64];
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct agent_files	*f;

	unit_dir_make(dir, sizeof(dir));
	f = agent_files_open(dir);
	ck_assert_int_eq(maintain(a, true, 600, 0), 0);
	ck_assert_int_eq(agent_files_save_check(f,
	    agent_check_find(a, AGENT_NODE_MAINT), 1000600), 0);
	restored(f, 1000100, true, 505 * SEC);
	/* It was over while nobody was here. */
	restored(f, 1000700, false, 5 * SEC + 1);
	ck_assert_int_eq(agent_files_save_check(f,
	    agent_check_find(a, AGENT_NODE_MAINT), 0), 0);
	restored(f, 1000700, true, AGENT_NEVER);
	agent_files_free(f);
	effects_clear(&e);
	agent_free(a);
	unit_dir_remove(dir);
}
END_TEST

START_TEST(deadline_of_a_ttl_outlives_a_restart)
{
	struct check_def	 d;
	struct effects		 e;
	struct agent		*a = agent_make(&e);

	agent_remember(a, "t", "passing", "ok", 12 * SEC);
	from_json(&check_def_schema, "{\"ID\":\"t\",\"Name\":\"t\","
	    "\"TTL\":\"30s\"}", &d);
	ck_assert_int_eq(agent_file_check(a, &d, SEC, err, sizeof(err)), 0);
	schema_clear(&check_def_schema, &d);
	agent_remember_end(a);
	agent_run(a, 12 * SEC);
	ck_assert_str_eq(agent_check_find(a, "t")->chk.status, "passing");
	agent_run(a, 13 * SEC);
	ck_assert_str_eq(agent_check_find(a, "t")->chk.status, "critical");
	/* The next word is good for the whole time again. */
	ck_assert_int_eq(update_check(a, "t", "passing", "", 20 * SEC), 0);
	agent_run(a, 49 * SEC);
	ck_assert_str_eq(agent_check_find(a, "t")->chk.status, "passing");
	effects_clear(&e);
	agent_free(a);
}
END_TEST

/* ---- where they stand ---- */

static bool	 checkd_there;
static int	 nasked;

static bool
ask_runs(void *arg)
{
	(void)arg;
	nasked++;
	return checkd_there;
}

static int64_t
wall_ns(void *arg)
{
	(void)arg;
	return 1800000000ll * NS_PER_S;
}

static void
ask(struct agent_api *api, const char *id, uint64_t now, struct got *g)
{
	struct agent_id	 q = { .id = (char *)(uintptr_t)id };

	(void)agent_ask(api, "Agent.CheckRuns", &agent_id_schema, &q, now, g);
}

static void
decode(struct got *g, struct agent_check_runs *out)
{
	const char	*why;

	ck_assert_int_eq(g->status, CALL_OK);
	ck_assert_int_eq(schema_decode_all(&agent_check_runs_schema,
	    g->body.p, g->body.len, out, &why), 0);
}

static void
told(struct agent_api *api)
{
	struct msg_check_runs	 m = { .runs = { .set = true } };
	struct check_run	*r;

	r = VEC_ADD(&m.runs);
	r->id = xstrdup("h");
	r->runs = 7;
	r->found = xstrdup("critical");
	r->in_row = 2;
	r->latency = 5;
	r->next = 9;
	agent_api_runs(api, &m);
	schema_clear(&msg_check_runs_schema, &m);
}

START_TEST(runs_are_checkds_and_changes_are_the_agents)
{
	struct agent_api_ops	 ops = { .ask_runs = ask_runs,
				    .wall_ns = wall_ns };
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct agent_api	*api = agent_api_new(a, &ops);
	struct agent_check_runs	 out;
	struct got		 g = { 0 };
	char			*text;
	int			 i;

	register_check(a, "{\"ID\":\"h\",\"Name\":\"h\",\"HTTP\":\"http://a/\","
	    "\"Interval\":\"10s\"}", 0, err, sizeof(err));
	register_check(a, "{\"ID\":\"t\",\"Name\":\"t\",\"TTL\":\"30s\"}", 0,
	    err, sizeof(err));
	for (i = 0; i < 21; i++) {
		xasprintf(&text, "%d", i);
		result(a, "h", i % 2 == 0 ? "passing" : "critical", text,
		    (uint64_t)i * SEC);
		free(text);
	}
	/* No checkd: what the agent knows. */
	ask(api, "", 20 * SEC, &g);
	ck_assert_int_eq(g.n, 1);
	decode(&g, &out);
	ck_assert_uint_eq(out.checks.n, 2);
	ck_assert_str_eq(out.checks.item[0].id, "h");
	ck_assert_str_eq(out.checks.item[0].status, "passing");
	ck_assert_uint_eq(out.checks.item[0].runs, 0);
	/* The last eight, oldest first, with their times. */
	ck_assert_uint_eq(out.checks.item[0].changes.n, AGENT_PAST_MAX);
	ck_assert_str_eq(out.checks.item[0].changes.item[0].output, "13");
	ck_assert_str_eq(out.checks.item[0].changes.item[7].output, "20");
	ck_assert_int_eq(out.checks.item[0].changes.item[7].at.sec -
	    out.checks.item[0].changes.item[0].at.sec, 7);
	ck_assert_int_eq(out.checks.item[1].next, 10 * NS_PER_S);
	schema_clear(&agent_check_runs_schema, &out);

	checkd_there = true;
	ask(api, "h", 20 * SEC, &g);
	ck_assert_int_eq(g.n, 1);
	told(api);
	agent_api_run(api, 20 * SEC);
	ck_assert_int_eq(g.n, 2);
	decode(&g, &out);
	ck_assert_uint_eq(out.checks.n, 1);
	ck_assert_uint_eq(out.checks.item[0].runs, 7);
	ck_assert_uint_eq(out.checks.item[0].in_row, 2);
	ck_assert_str_eq(out.checks.item[0].found, "critical");
	ck_assert_int_eq(out.checks.item[0].next, 9);
	schema_clear(&agent_check_runs_schema, &out);

	/* It does not answer: after a while, without it. */
	ask(api, "", 30 * SEC, &g);
	ck_assert_uint_eq(agent_api_run(api, 31 * SEC), 33 * SEC);
	ck_assert_int_eq(g.n, 2);
	agent_api_run(api, 33 * SEC);
	ck_assert_int_eq(g.n, 3);
	decode(&g, &out);
	ck_assert_uint_eq(out.checks.item[0].runs, 0);
	schema_clear(&agent_check_runs_schema, &out);

	checkd_there = false;
	ask(api, "nosuch", 40 * SEC, &g);
	ck_assert_str_eq(g.error, "404 unknown check ID: nosuch");
	ck_assert_int_eq(nasked, 4);
	free(g.error);
	wb_free(&g.body);
	effects_clear(&e);
	agent_api_free(api);
	agent_free(a);
}
END_TEST

/* ---- what checkd is told ---- */

static void
on_probe(const struct msg_check *m, void *arg)
{
	*(bool *)arg = m->failing;
}

START_TEST(failing_is_what_a_run_found_and_not_how_it_begins)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);
	bool		 failing = true;

	register_check(a, "{\"ID\":\"g\",\"Name\":\"g\",\"GRPC\":\"a:1/x\","
	    "\"GRPCUseTLS\":true,\"Interval\":\"10s\"}", 0, err, sizeof(err));
	expect(&e, "set g critical\nsave check g\n");
	agent_each_probe(a, on_probe, &failing);
	ck_assert(!failing);
	result(a, "g", "critical", "down", SEC);
	agent_each_probe(a, on_probe, &failing);
	ck_assert(failing);
	result(a, "g", "passing", "up", SEC);
	agent_each_probe(a, on_probe, &failing);
	ck_assert(!failing);
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(every_kind_is_told_with_its_own_fields)
{
	static const struct { const char *json, *type; } v[] = {
		{ "{\"HTTP\":\"http://a/\",\"FollowRedirects\":true,"
		  "\"Interval\":\"1s\"}", "http" },
		{ "{\"TCP\":\"a:1\",\"TCPUseTLS\":true,\"Interval\":\"1s\"}",
		  "tcp" },
		{ "{\"UDP\":\"a:1\",\"Body\":\"x\",\"Interval\":\"1s\"}",
		  "udp" },
		{ "{\"DNS\":\"a.b\",\"Interval\":\"1s\"}", "dns" },
		{ "{\"GRPC\":\"a:1\",\"GRPCUseTLS\":true,"
		  "\"Interval\":\"1s\"}", "grpc" },
		{ "{\"H2PING\":\"a:1\",\"H2PingUseTLS\":true,"
		  "\"TLSServerName\":\"b\",\"Interval\":\"1s\"}", "h2ping" },
	};
	struct check_def	 d;
	struct msg_check	 m;

	from_json(&check_def_schema, v[_i].json, &d);
	ck_assert_ptr_null(check_def_problem(&d));
	ck_assert_str_eq(check_def_type(&d), v[_i].type);
	ck_assert(check_kind_probed(check_def_kind(&d)));
	check_def_msg(&d, "x", "critical", 0, &m);
	ck_assert(m.tls == (d.tcp_use_tls || d.grpc_use_tls ||
	    d.h2ping_use_tls));
	ck_assert(m.follow_redirects == d.follow_redirects);
	ck_assert_str_eq(str_or(m.http, ""), str_or(d.http, ""));
	ck_assert_str_eq(str_or(m.tcp, ""), str_or(d.tcp, ""));
	ck_assert_str_eq(str_or(m.udp, ""), str_or(d.udp, ""));
	ck_assert_str_eq(str_or(m.dns, ""), str_or(d.dns, ""));
	ck_assert_str_eq(str_or(m.grpc, ""), str_or(d.grpc, ""));
	ck_assert_str_eq(str_or(m.h2ping, ""), str_or(d.h2ping, ""));
	ck_assert_str_eq(str_or(m.tls_server_name, ""),
	    str_or(d.tls_server_name, ""));
	schema_clear(&msg_check_schema, &m);
	d.interval = 0;
	ck_assert_ptr_nonnull(check_def_problem(&d));
	schema_clear(&check_def_schema, &d);
}
END_TEST

int
main(void)
{
	TCase	*tc = unit_case("catalogd_runs");

	tcase_add_test(tc, maintenance_ends_by_itself);
	tcase_add_test(tc, end_of_maintenance_outlives_a_restart);
	tcase_add_test(tc, deadline_of_a_ttl_outlives_a_restart);
	tcase_add_test(tc, runs_are_checkds_and_changes_are_the_agents);
	tcase_add_test(tc, failing_is_what_a_run_found_and_not_how_it_begins);
	tcase_add_loop_test(tc, every_kind_is_told_with_its_own_fields, 0, 6);
	return unit_case_run("catalogd_runs", tc);
}

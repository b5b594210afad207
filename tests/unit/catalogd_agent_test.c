/*
 * This node's own services and checks: what is registered, how states change,
 * what a reload does, methods.
 */
#include "tests/unit/catalogd_agent_unit.h"

static char err[1024];

/* ---- definitions ---- */

/* Requests and answers as Consul 1.8.7 gave them. */
static const struct { const char *json, *error; } bad_services[] = {
	{ "{\"ID\":\"x\"}", "400 Missing service name" },
	{ "{\"Name\":\"u6\",\"Meta\":{\"bad key!\":\"1\"}}",
	    "400 Invalid Service Meta: Couldn't load metadata pair "
	    "('bad key!', '1'): Key contains invalid characters" },
	{ "{\"Name\":\"u6\",\"Meta\":{\"\":\"1\"}}",
	    "400 Invalid Service Meta: Couldn't load metadata pair "
	    "('', '1'): Key cannot be blank" },
	{ "{\"Name\":\"u7\",\"Address\":\"0.0.0.0\"}",
	    "400 Invalid service address" },
	{ "{\"Name\":\"u7\",\"Address\":\"::\"}",
	    "400 Invalid service address" },
	{ "{\"Name\":\"u9\",\"Weights\":{\"Passing\":0,\"Warning\":1}}",
	    "400 Invalid Weights: Passing must be greater than 0" },
	{ "{\"Name\":\"u9\",\"Weights\":{\"Passing\":1,\"Warning\":70000}}",
	    "400 Invalid Weights: DNS Weight must be between 0 and 65535" },
	{ "{\"Name\":\"u10\",\"Check\":{\"Name\":\"x\"}}",
	    "400 Invalid check: TTL must be > 0 for TTL checks" },
	{ "{\"Name\":\"u11\",\"Check\":{\"HTTP\":\"http://x/\"}}",
	    "400 Invalid check: Interval must be > 0 for Script, HTTP, or "
	    "TCP checks" },
	{ "{\"Name\":\"u15\",\"Check\":{\"TTL\":\"1s\",\"HTTP\":"
	    "\"http://127.0.0.1/\",\"Interval\":\"5s\"}}",
	    "400 Invalid check: Interval and TTL cannot both be specified" },
	{ "{\"Name\":\"u16\",\"Check\":{\"TTL\":\"1s\",\"Status\":"
	    "\"bogus\"}}",
	    "400 Status for checks must 'passing', 'warning', 'critical'" },
	{ "{\"Name\":\"sc\",\"Check\":{\"TTL\":\"1h\",\"AliasNode\":\"n\"}}",
	    "400 Invalid check: TTL must be not be set for Alias checks" },
	{ "{\"Name\":\"s\",\"Check\":{\"Args\":[\"true\"],\"Interval\":"
	    "\"5s\"}}",
	    "500 Scripts are disabled on this agent from remote calls; to "
	    "enable, configure 'enable_script_checks' to true" },
};

START_TEST(refuses_services_as_consul_does)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);
	size_t		 i;

	for (i = 0; i < NELEM(bad_services); i++) {
		ck_assert_int_eq(register_service(a, bad_services[i].json,
		    false, 0, err, sizeof(err)), -1);
		ck_assert_str_eq(err, bad_services[i].error);
	}
	ck_assert(RB_EMPTY(&a->services));
	expect(&e, "");
	agent_free(a);
}
END_TEST

/* They would not fit into a message to checkd. */
START_TEST(refuses_what_is_too_long)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);
	char		*json, *big;

	big = xmalloc(300001);
	memset(big, 'x', 300000);
	big[300000] = '\0';
	xasprintf(&json, "{\"Name\":\"%.*s\",\"TTL\":\"1s\"}", 1025, big);
	ck_assert_int_eq(register_check(a, json, 0, err, sizeof(err)), -1);
	ck_assert_str_eq(err,
	    "400 ID or name is too long (limit: 1024 bytes)");
	free(json);
	xasprintf(&json, "{\"Name\":\"a\",\"Check\":{\"HTTP\":\"%s\","
	    "\"Interval\":\"1s\"}}", big);
	ck_assert_int_eq(register_service(a, json, false, 0, err,
	    sizeof(err)), -1);
	ck_assert_str_eq(err,
	    "400 Definition is too large (limit: 262144 bytes)");
	free(json);
	free(big);
	expect(&e, "");
	agent_free(a);
}
END_TEST

static const struct { const char *json, *error; } bad_checks[] = {
	{ "{\"TTL\":\"1s\"}", "400 Missing check name" },
	{ "{\"Name\":\"x\"}",
	    "400 Invalid check: TTL must be > 0 for TTL checks" },
	{ "{\"Name\":\"x\",\"ServiceID\":\"nosuch\",\"TTL\":\"1s\"}",
	    "500 ServiceID \"nosuch\" does not exist" },
	{ "{\"Name\":\"x\",\"TTL\":\"1s\",\"Status\":\"bogus\"}",
	    "400 Bad check status" },
	{ "{\"Name\":\"dk\",\"DockerContainerID\":\"abc\",\"Interval\":"
	    "\"1s\"}",
	    "400 Invalid check: TTL must be > 0 for TTL checks" },
};

START_TEST(refuses_checks_as_consul_does)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);
	size_t		 i;

	for (i = 0; i < NELEM(bad_checks); i++) {
		ck_assert_int_eq(register_check(a, bad_checks[i].json, 0, err,
		    sizeof(err)), -1);
		ck_assert_str_eq(err, bad_checks[i].error);
	}
	expect(&e, "");
	agent_free(a);
}
END_TEST

START_TEST(service_gets_defaults)
{
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct node_service	*s;

	ck_assert_int_eq(register_service(a, "{\"Name\":\"web\"}", false, 0,
	    err, sizeof(err)), 0);
	s = &agent_service_find(a, "web")->svc;
	ck_assert(!s->tags.set && !s->meta.set);
	ck_assert(s->tagged_addresses.set && s->tagged_addresses.n == 0);
	ck_assert_int_eq(s->weights->passing, 1);
	ck_assert_int_eq(s->weights->warning, 1);
	ck_assert_int_eq(register_service(a, "{\"Name\":\"web\","
	    "\"Address\":\"10.1.1.1\",\"Port\":80,\"Weights\":"
	    "{\"Passing\":3},\"TaggedAddresses\":{\"lan_ipv4\":"
	    "{\"Address\":\"10.2.2.2\",\"Port\":8}}}", false, 0, err,
	    sizeof(err)), 0);
	s = &agent_service_find(a, "web")->svc;
	ck_assert_uint_eq(s->tagged_addresses.n, 2);
	ck_assert_str_eq(s->tagged_addresses.item[0].val.address, "10.2.2.2");
	ck_assert_str_eq(s->tagged_addresses.item[1].key, "wan_ipv4");
	ck_assert_str_eq(s->tagged_addresses.item[1].val.address, "10.1.1.1");
	ck_assert_int_eq(s->weights->warning, 0);
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(checks_of_a_service_are_numbered)
{
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct local_check	*c;

	ck_assert_int_eq(register_service(a, "{\"ID\":\"multi1\","
	    "\"Name\":\"multi\",\"Tags\":[\"a\"],\"Checks\":["
	    "{\"TTL\":\"10s\"},{\"Name\":\"tcp chk\",\"TCP\":"
	    "\"127.0.0.1:8500\",\"Interval\":\"10s\"},{\"CheckID\":\"mh\","
	    "\"HTTP\":\"http://127.0.0.1/\",\"Interval\":\"10s\"}]}", false,
	    0, err, sizeof(err)), 0);
	c = agent_check_find(a, "service:multi1:1");
	ck_assert_str_eq(c->chk.name, "Service 'multi' check");
	ck_assert_str_eq(c->chk.type, "ttl");
	ck_assert_str_eq(c->chk.service_tags.item[0], "a");
	c = agent_check_find(a, "service:multi1:2");
	ck_assert_str_eq(c->chk.name, "tcp chk");
	ck_assert_str_eq(agent_check_find(a, "mh")->chk.service_name,
	    "multi");
	expect(&e, "save service multi1\nsave check service:multi1:1\n"
	    "set service:multi1:2 critical\nsave check service:multi1:2\n"
	    "set mh critical\nsave check mh\n");
	agent_free(a);
}
END_TEST

START_TEST(registering_again_keeps_checks_unless_replaced)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);

	register_service(a, "{\"Name\":\"web\",\"Tags\":[\"t2\"],\"Check\":"
	    "{\"TTL\":\"15s\"}}", false, 0, err, sizeof(err));
	update_check(a, "service:web", "passing", "", 1);
	register_service(a, "{\"Name\":\"web\",\"Port\":8081}", false, 2,
	    err, sizeof(err));
	status_is(a, "service:web", "passing");
	/* The servers will say so: what they return is to be the same. */
	ck_assert(!agent_check_find(a, "service:web")->chk.service_tags.set);
	register_service(a, "{\"Name\":\"web\",\"Port\":8081}", true, 3,
	    err, sizeof(err));
	ck_assert_ptr_null(agent_check_find(a, "service:web"));
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(registration_that_is_not_on_disk_is_an_error)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);

	e.disk_full = true;
	ck_assert_int_eq(register_service(a, "{\"Name\":\"web\"}", false, 0,
	    err, sizeof(err)), -1);
	ck_assert_str_eq(err, "500 failed persisting service \"web\"");
	agent_free(a);
}
END_TEST

/* ---- states ---- */

START_TEST(ttl_expires_and_recovers)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);

	register_check(a, "{\"Name\":\"t\",\"TTL\":\"5s\"}", 0, err,
	    sizeof(err));
	effects_clear(&e);
	ck_assert_int_eq(update_check(a, "t", "passing", "fine", 1 * SEC), 0);
	expect(&e, "state t passing 'fine'\n");
	ck_assert_int_eq(e.ttl_ns, 5 * NS_PER_S);
	ck_assert_uint_eq(agent_run(a, 5 * SEC), 6 * SEC);
	status_is(a, "t", "passing");
	agent_run(a, 6 * SEC);
	status_is(a, "t", "critical");
	output_is(a, "t",
	    "TTL expired (last output before timeout follows): fine");
	expect(&e, "forget t\n");
	ck_assert_int_eq(update_check(a, "t", "warning", "", 9 * SEC), 0);
	status_is(a, "t", "warning");
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(a_registered_ttl_check_is_remembered_as_it_started)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);

	register_check(a, "{\"Name\":\"t\",\"TTL\":\"5s\","
	    "\"Status\":\"passing\"}", 0, err, sizeof(err));
	ck_assert_ptr_nonnull(strstr(e.text, "state t passing ''\n"));
	ck_assert_int_eq(e.ttl_ns, 5 * NS_PER_S);
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(only_ttl_checks_take_updates)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);
	struct agent_update u = { .id = (char[]){ "x" },
	    .status = (char[]){ "passing" } };

	ck_assert_int_eq(agent_update_check(a, &u, 0, err, sizeof(err)), -1);
	ck_assert_str_eq(err, "500 CheckID \"x\" does not have associated "
	    "TTL");
	u.status[0] = 'g';
	ck_assert_int_eq(agent_update_check(a, &u, 0, err, sizeof(err)), -1);
	ck_assert_str_eq(err, "400 Invalid check status: 'gassing'");
	agent_free(a);
}
END_TEST

START_TEST(long_output_is_cut_with_a_note)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);
	char		*big = xmalloc(6001);
	const char	*got;

	memset(big, 'A', 6000);
	big[6000] = '\0';
	register_check(a, "{\"Name\":\"t\",\"TTL\":\"1h\"}", 0, err,
	    sizeof(err));
	update_check(a, "t", "passing", big, 0);
	got = agent_check_find(a, "t")->chk.output;
	ck_assert_uint_eq(strlen(got), 4130);
	ck_assert_str_eq(got + 4096, " ... (captured 4096 of 6000 bytes)");
	free(big);
	effects_clear(&e);
	agent_free(a);
}
END_TEST

/* As if the servers had taken it. */
static void
in_sync(struct agent *a, const char *id)
{
	agent_check_find(a, id)->in_sync = true;
}

START_TEST(output_alone_waits_and_status_does_not)
{
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct local_check	*c;
	uint64_t		 at;

	register_check(a, "{\"Name\":\"c\",\"TCP\":\"a:1\",\"Interval\":"
	    "\"1s\"}", 0, err, sizeof(err));
	c = agent_check_find(a, "c");
	result(a, "c", "passing", "one", 1 * SEC);
	ck_assert(!c->in_sync);
	in_sync(a, "c");
	result(a, "c", "passing", "two", 2 * SEC);
	output_is(a, "c", "two");
	ck_assert(c->in_sync);
	at = c->defer_at;
	ck_assert_uint_ge(at, 2 * SEC + 150 * SEC);
	ck_assert_uint_le(at, 2 * SEC + 450 * SEC);
	result(a, "c", "passing", "three", 3 * SEC);
	ck_assert_uint_eq(c->defer_at, at);
	agent_run(a, at);
	ck_assert(!c->in_sync);
	in_sync(a, "c");
	result(a, "c", "critical", "three", at + 1);
	ck_assert(!c->in_sync);
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(output_that_changes_while_it_is_sent_is_sent_again)
{
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct local_check	*c;
	uint64_t		 gen;

	register_check(a, "{\"Name\":\"c\",\"TCP\":\"a:1\",\"Interval\":"
	    "\"1s\"}", 0, err, sizeof(err));
	c = agent_check_find(a, "c");
	gen = c->gen;
	result(a, "c", "critical", "two", 2 * SEC);
	ck_assert_uint_ne(c->gen, gen);
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(no_deferral_with_interval_zero)
{
	struct effects		 e;
	struct agent		*a = agent_make(&e);

	a->cat.check_update_interval = 0;
	register_check(a, "{\"Name\":\"c\",\"TCP\":\"a:1\",\"Interval\":"
	    "\"1s\"}", 0, err, sizeof(err));
	in_sync(a, "c");
	result(a, "c", "critical", "two", 2 * SEC);
	ck_assert(!agent_check_find(a, "c")->in_sync);
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(status_of_a_probe_is_remembered_and_given_to_checkd)
{
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct check_def	 d;

	register_check(a, "{\"Name\":\"c\",\"TCP\":\"a:1\",\"Interval\":"
	    "\"1s\"}", 0, err, sizeof(err));
	effects_clear(&e);
	result(a, "c", "passing", "ok", 1 * SEC);
	expect(&e, "state c passing 'ok'\n");
	result(a, "c", "passing", "still", 2 * SEC);
	expect(&e, "");
	agent_free(a);

	a = agent_make(&e);
	agent_remember(a, "c", "passing", "ok", 0);
	from_json(&check_def_schema, "{\"name\":\"c\",\"tcp\":\"a:1\","
	    "\"interval\":\"1s\"}", &d);
	ck_assert_int_eq(agent_file_check(a, &d, 0, err, sizeof(err)), 0);
	expect(&e, "set c passing\n");
	output_is(a, "c", "ok");
	schema_clear(&check_def_schema, &d);
	agent_free(a);
}
END_TEST

START_TEST(maintenance_comes_and_goes)
{
	struct effects			 e;
	struct agent			*a = agent_make(&e);
	struct agent_maintenance	 m = { .enable = true };
	struct local_check		*c;

	ck_assert_int_eq(agent_maintenance(a, &m, 0, err, sizeof(err)), 0);
	c = agent_check_find(a, "_node_maintenance");
	ck_assert_str_eq(c->chk.name, "Node Maintenance Mode");
	ck_assert_str_eq(c->chk.type, "maintenance");
	ck_assert_str_eq(c->chk.notes, "Maintenance mode is enabled for this "
	    "node, but no reason was provided. This is a default message.");
	status_is(a, "_node_maintenance", "critical");
	expect(&e, "save check _node_maintenance\n");
	m.enable = false;
	ck_assert_int_eq(agent_maintenance(a, &m, 0, err, sizeof(err)), 0);
	ck_assert_ptr_null(agent_check_find(a, "_node_maintenance"));
	m.enable = true;
	m.service_id = (char[]){ "nosuch" };
	ck_assert_int_eq(agent_maintenance(a, &m, 0, err, sizeof(err)), -1);
	ck_assert_str_eq(err,
	    "404 No service registered with ID \"nosuch\"");
	register_service(a, "{\"Name\":\"web\"}", false, 0, err,
	    sizeof(err));
	m.service_id = (char[]){ "web" };
	m.reason = (char[]){ "upgrade" };
	ck_assert_int_eq(agent_maintenance(a, &m, 0, err, sizeof(err)), 0);
	c = agent_check_find(a, "_service_maintenance:web");
	ck_assert_str_eq(c->chk.notes, "upgrade");
	ck_assert_str_eq(c->chk.service_name, "web");
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(critical_for_too_long_deregisters_the_service)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);
	uint64_t	 now;

	register_service(a, "{\"Name\":\"reapme\",\"Check\":{\"TTL\":\"1s\","
	    "\"DeregisterCriticalServiceAfter\":\"1s\"}}", false, 0, err,
	    sizeof(err));
	/* The floor is a minute; it is looked at every 30 seconds. */
	for (now = 0; now <= 61 * SEC; now += SEC)
		agent_run(a, now);
	ck_assert_ptr_nonnull(agent_service_find(a, "reapme"));
	for (; now <= 91 * SEC; now += SEC)
		agent_run(a, now);
	ck_assert_ptr_null(agent_service_find(a, "reapme"));
	ck_assert_ptr_null(agent_check_find(a, "service:reapme"));
	effects_clear(&e);
	agent_free(a);
}
END_TEST

/* ---- files and reload ---- */

static void
file_service(struct agent *a, const char *json)
{
	struct service_def	 d;

	from_json(&service_def_schema, json, &d);
	ck_assert_int_eq(agent_file_service(a, &d, 0, err, sizeof(err)), 0);
	schema_clear(&service_def_schema, &d);
}

START_TEST(reload_drops_what_left_the_files_and_nothing_else)
{
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct local_service	*s;

	file_service(a, "{\"name\":\"one\",\"check\":{\"tcp\":\"a:1\","
	    "\"interval\":\"1s\"}}");
	file_service(a, "{\"name\":\"two\",\"check\":{\"tcp\":\"a:2\","
	    "\"interval\":\"1s\"}}");
	register_service(a, "{\"Name\":\"api\"}", false, 0, err,
	    sizeof(err));
	result(a, "service:one", "passing", "", 1);
	s = agent_service_find(a, "one");
	s->in_sync = true;
	effects_clear(&e);
	agent_files_begin(a);
	file_service(a, "{\"name\":\"one\",\"check\":{\"tcp\":\"a:1\","
	    "\"interval\":\"1s\"}}");
	agent_files_end(a, 2);
	ck_assert_ptr_null(agent_service_find(a, "two"));
	ck_assert_ptr_null(agent_check_find(a, "service:two"));
	ck_assert_ptr_nonnull(agent_service_find(a, "api"));
	/* Untouched: neither sent nor probed anew. */
	ck_assert(s->in_sync);
	status_is(a, "service:one", "passing");
	expect(&e, "remove service:two\nforget service:two\n");
	agent_free(a);
}
END_TEST

START_TEST(reload_with_another_definition_keeps_the_state)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);

	file_service(a, "{\"name\":\"one\",\"check\":{\"tcp\":\"a:1\","
	    "\"interval\":\"1s\"}}");
	result(a, "service:one", "passing", "", 1);
	effects_clear(&e);
	agent_files_begin(a);
	file_service(a, "{\"name\":\"one\",\"check\":{\"tcp\":\"a:1\","
	    "\"interval\":\"2s\"}}");
	agent_files_end(a, 2);
	status_is(a, "service:one", "passing");
	expect(&e, "remove service:one\nset service:one passing\n");
	agent_free(a);
}
END_TEST

START_TEST(file_wins_over_what_the_api_left)
{
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct node_service	 svc;

	file_service(a, "{\"name\":\"web\",\"port\":1}");
	memset(&svc, 0, sizeof(svc));
	svc.id = xstrdup("web");
	svc.service = xstrdup("web");
	svc.port = 2;
	ck_assert_int_eq(agent_restore_service(a, &svc, NULL, 0, err,
	    sizeof(err)), 0);
	ck_assert_int_eq(agent_service_find(a, "web")->svc.port, 1);
	expect(&e, "drop service web\n");
	agent_free(a);
}
END_TEST

/* ---- methods ---- */

static void
no_sync(void *arg)
{
	(void)arg;
}

static void
no_stats(struct strmap *m, void *arg)
{
	(void)arg;
	strmap_put(m, "consul.server", "false");
}

START_TEST(methods_answer)
{
	struct agent_api_ops	 ops = { .sync = no_sync, .stats = no_stats };
	struct effects		 e;
	struct agent		*a = agent_make(&e);
	struct agent_api	*api = agent_api_new(a, &ops);
	struct agent_service	 svc;
	struct agent_stats	 st;
	struct agent_id		 id = { .id = (char[]){ "web" } };
	struct got		 g = { 0 };
	const char		*why;
	char			*hash;

	register_service(a, "{\"Name\":\"web\",\"Check\":{\"TTL\":\"1h\"}}",
	    false, 0, err, sizeof(err));
	agent_ask(api, "Agent.Service", &agent_id_schema, &id, 0, &g);
	ck_assert_int_eq(g.status, CALL_OK);
	ck_assert_int_eq(schema_decode_all(&agent_service_schema, g.body.p,
	    g.body.len, &svc, &why), 0);
	ck_assert_str_eq(svc.service, "web");
	hash = xstrdup(svc.content_hash);
	schema_clear(&agent_service_schema, &svc);

	/* With the hash it knows, it waits until the service changes. */
	id.hash = hash;
	g.n = 0;
	ck_assert_ptr_nonnull(agent_ask(api, "Agent.Service", &agent_id_schema,
	    &id, 0, &g));
	ck_assert_uint_eq(agent_api_run(api, 1), 300 * SEC);
	ck_assert_int_eq(g.n, 0);
	register_service(a, "{\"Name\":\"web\",\"Port\":1}", false, 2, err,
	    sizeof(err));
	agent_api_run(api, 2);
	ck_assert_int_eq(g.n, 1);
	ck_assert_int_eq(schema_decode_all(&agent_service_schema, g.body.p,
	    g.body.len, &svc, &why), 0);
	ck_assert_int_eq(svc.port, 1);
	ck_assert_str_ne(svc.content_hash, hash);
	/* ... or until its time is over. */
	id.hash = svc.content_hash;
	id.wait = 2 * NS_PER_S;
	g.n = 0;
	ck_assert_ptr_nonnull(agent_ask(api, "Agent.Service", &agent_id_schema,
	    &id, 10 * SEC, &g));
	agent_api_run(api, 12 * SEC);
	ck_assert_int_eq(g.n, 1);
	ck_assert_int_eq(g.status, CALL_OK);
	schema_clear(&agent_service_schema, &svc);
	free(hash);

	id.hash = NULL;
	id.id = (char[]){ "nosuch" };
	agent_ask(api, "Agent.Service", &agent_id_schema, &id, 0, &g);
	ck_assert_str_eq(g.error, "404 unknown service ID: nosuch");
	agent_ask(api, "Agent.Nosuch", &agent_id_schema, &id, 0, &g);
	ck_assert_str_eq(g.error, "rpc: can't find method Agent.Nosuch");
	agent_ask(api, "Agent.Stats", &agent_id_schema, &id, 0, &g);
	ck_assert_int_eq(schema_decode_all(&agent_stats_schema, g.body.p,
	    g.body.len, &st, &why), 0);
	ck_assert_str_eq(strmap_get(&st.stats, "agent.services"), "1");
	ck_assert_str_eq(strmap_get(&st.stats, "agent.check_ttls"), "1");
	ck_assert_str_eq(strmap_get(&st.stats, "consul.server"), "false");
	schema_clear(&agent_stats_schema, &st);
	agent_api_call(api, "Agent.RegisterService", (const uint8_t *)"\xc1",
	    1, 0, got_answer, &g);
	ck_assert_int_eq(strncmp(g.error, "400 Request decode failed: ", 27),
	    0);
	free(g.error);
	wb_free(&g.body);
	effects_clear(&e);
	agent_api_free(api);
	agent_free(a);
}
END_TEST

UNIT_MAIN("catalogd_agent",
    refuses_services_as_consul_does,
    refuses_what_is_too_long,
    refuses_checks_as_consul_does,
    service_gets_defaults,
    checks_of_a_service_are_numbered,
    registering_again_keeps_checks_unless_replaced,
    registration_that_is_not_on_disk_is_an_error,
    ttl_expires_and_recovers,
    a_registered_ttl_check_is_remembered_as_it_started,
    only_ttl_checks_take_updates,
    long_output_is_cut_with_a_note,
    output_alone_waits_and_status_does_not,
    output_that_changes_while_it_is_sent_is_sent_again,
    no_deferral_with_interval_zero,
    status_of_a_probe_is_remembered_and_given_to_checkd,
    maintenance_comes_and_goes,
    critical_for_too_long_deregisters_the_service,
    reload_drops_what_left_the_files_and_nothing_else,
    reload_with_another_definition_keeps_the_state,
    file_wins_over_what_the_api_left,
    methods_answer)

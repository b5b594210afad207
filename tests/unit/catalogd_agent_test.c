/*
 * This node's own services and checks; the files they are kept in.
 */
#include <unistd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "catalogd/agent_api.h"
#include "catalogd/agent_files.h"
#include "catalogd/agent_persist.h"
#include "catalogd/alias.h"
#include "tests/unit/catalogd_agent_unit.h"

static char err[1024];

/* Of libc's place: how often it was asked for. */
static unsigned nfsync;
int	fsync(int);

int
fsync(int fd)
{
	nfsync++;
	return (int)syscall(SYS_fsync, fd);
}

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

START_TEST(alias_shows_the_worst_of_service_and_node)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);

	register_service(a, "{\"ID\":\"r1\",\"Name\":\"redis\",\"Check\":"
	    "{\"TTL\":\"1h\",\"Status\":\"passing\"}}", false, 0, err,
	    sizeof(err));
	register_check(a, "{\"Name\":\"al\",\"AliasService\":\"r1\"}", 0,
	    err, sizeof(err));
	status_is(a, "al", "passing");
	output_is(a, "al", "All checks passing.");
	update_check(a, "service:r1", "warning", "hmm", 1);
	status_is(a, "al", "warning");
	output_is(a, "al", "Aliased check \"Service 'redis' check\" failing: "
	    "hmm");
	register_check(a, "{\"Name\":\"node\",\"TTL\":\"1h\"}", 2, err,
	    sizeof(err));
	status_is(a, "al", "critical");
	agent_deregister_check(a, "node", 3);
	status_is(a, "al", "warning");
	agent_deregister_service(a, "r1", 4);
	status_is(a, "al", "critical");
	output_is(a, "al", "Service r1 could not be found on node node1");
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(alias_of_nothing_passes)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);

	register_check(a, "{\"Name\":\"al\",\"AliasNode\":\"node1\"}", 0,
	    err, sizeof(err));
	status_is(a, "al", "passing");
	output_is(a, "al", "No checks found.");
	effects_clear(&e);
	agent_free(a);
}
END_TEST

/* ---- aliases of another node ---- */

struct far { int n; char *method; call_fn *fn; void *arg; uint64_t index;
    bool cancelled; };

static void *
far_call(const char *method, struct schema *s, const void *body,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	const struct node_request	*r = body;
	struct far			*f = arg;

	ck_assert_ptr_eq(s, &node_request_schema);
	ck_assert_uint_gt(timeout_ms, 60000);
	ck_assert_str_eq(r->node, "node2");
	f->n++;
	str_set(&f->method, method);
	f->index = r->min_query_index;
	f->fn = fn;
	f->arg = fn_arg;
	return f;
}

static void
far_cancel(void *handle, void *arg)
{
	ck_assert_ptr_eq(handle, arg);
	((struct far *)arg)->cancelled = true;
}

static uint64_t
far_now(void *arg)
{
	return (uint64_t)((struct far *)arg)->n * SEC;
}

static void
far_changed(void *arg)
{
	(void)arg;
}

static void
far_answer(struct far *f, struct schema *s, const void *obj)
{
	struct wbuf	 w;

	wb_init(&w, 0);
	schema_encode(s, obj, &w);
	f->fn(CALL_OK, NULL, w.p, w.len, f->arg);
	wb_free(&w);
}

START_TEST(alias_of_another_node_is_followed)
{
	struct far			 f = { 0 };
	struct alias_ops		 ops = { far_call, far_cancel, far_now,
					    far_changed, &f };
	struct indexed_health_checks	 checks = { .index = 9 };
	struct indexed_node_services	 none = { .index = 9 };
	struct effects			 e;
	struct agent			*a = agent_make(&e);
	struct aliases			*as = aliases_new(a, &ops);
	struct health_check		*c;

	register_check(a, "{\"Name\":\"al\",\"AliasNode\":\"node2\","
	    "\"AliasService\":\"web\"}", 0, err, sizeof(err));
	ck_assert_uint_eq(aliases_run(as, 0), AGENT_NEVER);
	ck_assert_str_eq(f.method, "Health.NodeChecks");
	c = VEC_ADD(&checks.checks);
	str_set(&c->name, "Serf Health Status");
	str_set(&c->status, "passing");
	far_answer(&f, &indexed_health_checks_schema, &checks);
	/* No check of that service: is it there at all? */
	ck_assert_str_eq(f.method, "Catalog.NodeServices");
	far_answer(&f, &indexed_node_services_schema, &none);
	status_is(a, "al", "critical");
	output_is(a, "al", "Service web could not be found on node node2");
	aliases_run(as, 100 * SEC);
	ck_assert_uint_eq(f.index, 9);
	c = VEC_ADD(&checks.checks);
	str_set(&c->service_id, "web");
	str_set(&c->name, "w");
	str_set(&c->status, "warning");
	str_set(&c->output, "slow");
	far_answer(&f, &indexed_health_checks_schema, &checks);
	status_is(a, "al", "warning");
	output_is(a, "al", "Aliased check \"w\" failing: slow");
	/* An outage is critical, as nothing is known, and asked from 0;
	 * failing once is not yet one. */
	aliases_run(as, 200 * SEC);
	f.fn(CALL_LOST, "EOF", NULL, 0, f.arg);
	status_is(a, "al", "warning");
	aliases_run(as, 250 * SEC);
	f.fn(CALL_ERROR, "No known Consul servers", NULL, 0, f.arg);
	status_is(a, "al", "critical");
	output_is(a, "al", "Failure checking aliased node or service: "
	    "No known Consul servers");
	aliases_run(as, 300 * SEC);
	ck_assert_uint_eq(f.index, 0);
	agent_deregister_check(a, "al", 0);
	aliases_run(as, 300 * SEC);
	ck_assert(f.cancelled);
	schema_clear(&indexed_health_checks_schema, &checks);
	free(f.method);
	effects_clear(&e);
	aliases_free(as);
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

/* ---- the disk ---- */

/* As Consul 1.8.7 wrote them. */
static const char consul_service[] =
    "{\"Token\":\"\",\"Service\":{\"ID\":\"api1\",\"Service\":\"api\","
    "\"Tags\":null,\"Address\":\"\",\"Meta\":null,\"Port\":9,\"Weights\":"
    "{\"Passing\":1,\"Warning\":1},\"EnableTagOverride\":false,\"Proxy\":"
    "{\"MeshGateway\":{},\"Expose\":{}},\"Connect\":{},\"CreateIndex\":0,"
    "\"ModifyIndex\":0},\"Source\":\"remote\"}";
static const char consul_check[] =
    "{\"Check\":{\"Node\":\"node2\",\"CheckID\":\"nodechk\",\"Name\":"
    "\"node check\",\"Status\":\"critical\",\"Notes\":\"\",\"Output\":\"\","
    "\"ServiceID\":\"\",\"ServiceName\":\"\",\"ServiceTags\":null,\"Type\":"
    "\"ttl\",\"Definition\":{},\"CreateIndex\":0,\"ModifyIndex\":0},"
    "\"ChkType\":{\"CheckID\":\"nodechk\",\"Name\":\"node check\","
    "\"Status\":\"\",\"Notes\":\"\",\"ScriptArgs\":null,\"HTTP\":\"\","
    "\"Header\":null,\"Method\":\"\",\"Body\":\"\",\"TCP\":\"\","
    "\"Interval\":0,\"AliasNode\":\"\",\"AliasService\":\"\","
    "\"DockerContainerID\":\"\",\"Shell\":\"\",\"GRPC\":\"\","
    "\"GRPCUseTLS\":false,\"TLSSkipVerify\":false,\"Timeout\":0,\"TTL\":"
    "3600000000000,\"SuccessBeforePassing\":0,\"FailuresBeforeCritical\":0,"
    "\"ProxyHTTP\":\"\",\"ProxyGRPC\":\"\","
    "\"DeregisterCriticalServiceAfter\":0,\"OutputMaxSize\":0},"
    "\"Token\":\"\",\"Source\":\"remote\"}";
static const char consul_state[] =
    "{\"CheckID\":\"nodechk\",\"Output\":\"fine\",\"Status\":\"passing\","
    "\"Expires\":1795346424}";

START_TEST(file_names_are_those_of_consul)
{
	char	 name[PERSIST_NAME_LEN];

	persist_name("api1", name);
	ck_assert_str_eq(name, "f1f70ec40aaa556905d4a030501c0ba4");
	persist_name("service:api1", name);
	ck_assert_str_eq(name, "1dbb74aa450619213fa10ac625133328");
}
END_TEST

START_TEST(no_flipped_bit_in_a_file_is_believed)
{
	struct persisted_state p = { .check_id = xstrdup("service:web"),
	    .output = xstrdup("all is well"), .status = xstrdup("passing"),
	    .expires = 1800000000 }, q;
	const char *theirs = "{\"CheckID\":\"a\",\"Output\":\"\","
	    "\"Status\":\"passing\",\"Expires\":7}";
	char *text, *again;
	size_t len, n, i;
	int rc;

	text = persist_encode(&persisted_state_schema, &p, &len);
	for (i = 0; i < len * 8; i++) {
		text[i / 8] ^= (char)(1 << i % 8);
		rc = persist_decode_state(text, len, &q, err, sizeof(err));
		text[i / 8] ^= (char)(1 << i % 8);
		if (rc == -1)
			continue;
		/* In the name of the checksum it does no harm. */
		again = persist_encode(&persisted_state_schema, &q, &n);
		ck_assert_uint_eq(n, len);
		ck_assert_mem_eq(again, text, len);
		free(again);
		schema_clear(&persisted_state_schema, &q);
	}
	free(text);
	schema_clear(&persisted_state_schema, &p);

	/* Consul's own has none. */
	ck_assert_int_eq(persist_decode_state(theirs, strlen(theirs), &q, err,
	    sizeof(err)), 0);
	ck_assert_int_eq(q.expires, 7);
	schema_clear(&persisted_state_schema, &q);
}
END_TEST

START_TEST(nil_stays_nil_on_disk)
{
	struct persisted_service	 p, q;
	size_t				 len;
	char				*text;

	ck_assert_int_eq(persist_decode_service(consul_service,
	    sizeof(consul_service) - 1, &p, err, sizeof(err)), 0);
	ck_assert(!p.service.tags.set && !p.service.meta.set);
	text = persist_encode(&persisted_service_schema, &p, &len);
	ck_assert_ptr_nonnull(strstr(text, "\"Tags\":null"));
	ck_assert_int_eq(persist_decode_service(text, len, &q, err,
	    sizeof(err)), 0);
	ck_assert(schema_equal(&node_service_schema, &p.service,
	    &q.service));
	free(text);
	schema_clear(&persisted_service_schema, &q);
	p.service.tags.set = true;
	text = persist_encode(&persisted_service_schema, &p, &len);
	ck_assert_ptr_nonnull(strstr(text, "\"Tags\":[]"));
	free(text);
	schema_clear(&persisted_service_schema, &p);
}
END_TEST

START_TEST(broken_files_are_refused)
{
	struct persisted_service	 s;
	struct persisted_check		 c;
	struct persisted_state		 t;

	ck_assert_int_eq(persist_decode_service("{", 1, &s, err,
	    sizeof(err)), -1);
	ck_assert_int_eq(persist_decode_service("{}", 2, &s, err,
	    sizeof(err)), -1);
	ck_assert_int_eq(persist_decode_check("[]", 2, &c, err, sizeof(err)),
	    -1);
	ck_assert_int_eq(persist_decode_check("{\"ChkType\":null}", 16, &c,
	    err, sizeof(err)), -1);
	ck_assert_int_eq(persist_decode_state("\"x\"", 3, &t, err,
	    sizeof(err)), -1);
}
END_TEST

static void
put(const char *dir, const char *sub, const char *name, const char *text)
{
	char	*path;

	xasprintf(&path, "%s/%s", dir, sub);
	(void)mkdir(path, 0700);
	free(path);
	xasprintf(&path, "%s/%s/%s", dir, sub, name);
	ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600),
	    0);
	free(path);
}

static void
remove_all(const char *dir)
{
	char	*cmd;

	xasprintf(&cmd, "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
	free(cmd);
}

START_TEST(reads_what_consul_wrote)
{
	char			 dir[] = "/tmp/catalogd-test-XXXXXX";
	struct agent_files	*f;
	struct effects		 e;
	struct agent		*a;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	put(dir, "services", "f1f70ec40aaa556905d4a030501c0ba4",
	    consul_service);
	put(dir, "checks", "273c9edf7d08380e6532815ae50688d7", consul_check);
	put(dir, "checks/state", "273c9edf7d08380e6532815ae50688d7",
	    consul_state);
	f = agent_files_open(dir);
	ck_assert_ptr_nonnull(f);
	a = agent_make(&e);
	agent_files_states(f, a, 1795346000);
	agent_files_services(f, a, 0);
	agent_files_checks(f, a, 0, 5000);
	agent_remember_end(a);
	ck_assert_int_eq(agent_service_find(a, "api1")->svc.port, 9);
	status_is(a, "nodechk", "passing");
	output_is(a, "nodechk", "fine");
	ck_assert_str_eq(agent_check_find(a, "nodechk")->chk.node, "node1");
	effects_clear(&e);
	agent_free(a);

	/* Too late: the state has expired. */
	a = agent_make(&e);
	agent_files_states(f, a, 1795346425);
	agent_files_services(f, a, 0);
	agent_files_checks(f, a, 0, 5000);
	status_is(a, "nodechk", "critical");
	effects_clear(&e);
	agent_free(a);
	agent_files_free(f);
	remove_all(dir);
}
END_TEST

START_TEST(restart_finds_what_was_saved)
{
	char			 dir[] = "/tmp/catalogd-test-XXXXXX";
	struct agent_files	*f;
	struct effects		 e;
	struct agent		*a;
	struct local_check	*c;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	nfsync = 0;
	f = agent_files_open(dir);
	ck_assert_uint_eq(nfsync, 3);	/* or all in it is lost with one */
	ck_assert_ptr_nonnull(f);
	a = agent_make(&e);
	register_service(a, "{\"Name\":\"web\",\"Port\":80,\"Token\":\"t\","
	    "\"Check\":{\"HTTP\":\"http://h/\",\"Interval\":\"7s\","
	    "\"Header\":{\"X\":[\"1\",\"2\"]}}}", false, 0, err,
	    sizeof(err));
	result(a, "service:web", "passing", "", 1);
	c = agent_check_find(a, "service:web");
	ck_assert_int_eq(agent_files_save_service(f,
	    agent_service_find(a, "web")), 0);
	ck_assert_int_eq(agent_files_save_check(f, c, 0), 0);
	agent_files_save_state(f, "service:web", "passing", "up", 0);
	agent_files_alive(f, 5000);
	effects_clear(&e);
	agent_free(a);

	a = agent_make(&e);
	agent_files_states(f, a, 5060);
	agent_files_services(f, a, 0);
	agent_files_checks(f, a, 0, 5000);
	ck_assert_str_eq(agent_service_find(a, "web")->token, "t");
	c = agent_check_find(a, "service:web");
	ck_assert_str_eq(c->def.header.item[0].val.item[1], "2");
	ck_assert_int_eq(c->def.interval, 7 * NS_PER_S);
	expect(&e, "set service:web passing\n");
	agent_free(a);

	/* After a long sleep nobody knows whether it is still so. */
	a = agent_make(&e);
	agent_files_states(f, a, 9000);
	agent_files_services(f, a, 0);
	agent_files_checks(f, a, 0, 5000);
	expect(&e, "set service:web critical\n");
	agent_free(a);
	nfsync = 0;
	agent_files_drop_service(f, "web");
	agent_files_drop_check(f, "service:web");
	ck_assert_uint_eq(nfsync, 2);	/* or they are back after a crash */
	a = agent_make(&e);
	agent_files_services(f, a, 0);
	agent_files_checks(f, a, 0, 5000);
	ck_assert_ptr_null(agent_service_find(a, "web"));
	agent_free(a);
	agent_files_free(f);
	remove_all(dir);
}
END_TEST

/* ---- methods ---- */

struct got { int n; enum call_status status; char *error; struct wbuf body; };

static void
on_answer(enum call_status status, const char *error, const uint8_t *p,
    size_t len, void *arg)
{
	struct got	*g = arg;

	g->n++;
	g->status = status;
	free(g->error);
	g->error = xstrdup(error);
	wb_reset(&g->body);
	wb_bytes(&g->body, p, len);
}

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

static struct agent_wait *
call(struct agent_api *api, const char *method, struct schema *s,
    const void *obj, uint64_t now, struct got *g)
{
	struct agent_wait	*w;
	struct wbuf		 b;

	wb_init(&b, 0);
	schema_encode(s, obj, &b);
	w = agent_api_call(api, method, b.p, b.len, now, on_answer, g);
	wb_free(&b);
	return w;
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
	call(api, "Agent.Service", &agent_id_schema, &id, 0, &g);
	ck_assert_int_eq(g.status, CALL_OK);
	ck_assert_int_eq(schema_decode_all(&agent_service_schema, g.body.p,
	    g.body.len, &svc, &why), 0);
	ck_assert_str_eq(svc.service, "web");
	hash = xstrdup(svc.content_hash);
	schema_clear(&agent_service_schema, &svc);

	/* With the hash it knows, it waits until the service changes. */
	id.hash = hash;
	g.n = 0;
	ck_assert_ptr_nonnull(call(api, "Agent.Service", &agent_id_schema,
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
	ck_assert_ptr_nonnull(call(api, "Agent.Service", &agent_id_schema,
	    &id, 10 * SEC, &g));
	agent_api_run(api, 12 * SEC);
	ck_assert_int_eq(g.n, 1);
	ck_assert_int_eq(g.status, CALL_OK);
	schema_clear(&agent_service_schema, &svc);
	free(hash);

	id.hash = NULL;
	id.id = (char[]){ "nosuch" };
	call(api, "Agent.Service", &agent_id_schema, &id, 0, &g);
	ck_assert_str_eq(g.error, "404 unknown service ID: nosuch");
	call(api, "Agent.Nosuch", &agent_id_schema, &id, 0, &g);
	ck_assert_str_eq(g.error, "rpc: can't find method Agent.Nosuch");
	call(api, "Agent.Stats", &agent_id_schema, &id, 0, &g);
	ck_assert_int_eq(schema_decode_all(&agent_stats_schema, g.body.p,
	    g.body.len, &st, &why), 0);
	ck_assert_str_eq(strmap_get(&st.stats, "agent.services"), "1");
	ck_assert_str_eq(strmap_get(&st.stats, "agent.check_ttls"), "1");
	ck_assert_str_eq(strmap_get(&st.stats, "consul.server"), "false");
	schema_clear(&agent_stats_schema, &st);
	agent_api_call(api, "Agent.RegisterService", (const uint8_t *)"\xc1",
	    1, 0, on_answer, &g);
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
    refuses_checks_as_consul_does,
    refuses_what_is_too_long,
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
    alias_shows_the_worst_of_service_and_node,
    alias_of_nothing_passes,
    alias_of_another_node_is_followed,
    maintenance_comes_and_goes,
    critical_for_too_long_deregisters_the_service,
    reload_drops_what_left_the_files_and_nothing_else,
    reload_with_another_definition_keeps_the_state,
    file_wins_over_what_the_api_left,
    file_names_are_those_of_consul,
    nil_stays_nil_on_disk,
    no_flipped_bit_in_a_file_is_believed,
    broken_files_are_refused,
    reads_what_consul_wrote,
    restart_finds_what_was_saved,
    methods_answer)

/*
 * Checks that are others' aliases: of a service, of this node, of another.
 */
#include "catalogd/alias.h"
#include "tests/unit/catalogd_agent_unit.h"

static char err[1024];

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

UNIT_MAIN("catalogd_alias",
    alias_shows_the_worst_of_service_and_node,
    alias_of_nothing_passes,
    alias_of_another_node_is_followed)

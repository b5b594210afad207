/*
 * Filters: what Consul 1.8.7 answered to the same expressions about one
 * instance, texts of errors included.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/filter.h"
#include "common/schema/agent.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

static const char row_json[] =
    "{\"Node\":{\"Node\":\"h1\",\"Address\":\"10.1.0.1\",\"Meta\":"
    "{\"rack\":\"r1\",\"a b\":\"c\"}},"
    "\"Service\":{\"ID\":\"api1\",\"Service\":\"api\",\"Tags\":[\"v1\","
    "\"a\"],\"Port\":2,\"Weights\":{\"Passing\":1,\"Warning\":1},"
    "\"TaggedAddresses\":{\"lan\":{\"Address\":\"10.9.0.1\",\"Port\":3}}},"
    "\"Checks\":[{\"CheckID\":\"a\",\"Status\":\"passing\"},"
    "{\"CheckID\":\"b\",\"Status\":\"warning\"}]}";

static void
row(struct check_service_node *out)
{
	struct json	*j;
	char		 err[200];

	j = json_parse(row_json, strlen(row_json), err, sizeof(err));
	ck_assert_msg(j != NULL, "%s", err);
	ck_assert_msg(schema_json_decode(&check_service_node_schema, j, 0, out,
	    err, sizeof(err), NULL) == 0, "%s", err);
	json_free(j);
}

START_TEST(matches_as_consul_did)
{
	static const struct { const char *text; bool yes; } cases[] = {
		{ "Service.Service == \"api\"", true },
		{ "Service.Service == api", true },
		{ "Service.Service==api", true },
		{ "Service.Service == `api`", true },
		{ "Service.ID == \"ap\\x69\\061\"", true },
		{ "Service.Tags contains \"v1\"", true },
		{ "\"v1\" in Service.Tags", true },
		{ "\"v2\" not in Service.Tags", true },
		{ "Service.Tags is empty", false },
		{ "Service.Tags is not empty", true },
		{ "Service.Port == 2", true },
		{ "Service.Port == \"0x2\"", true },
		{ "Service.Port == -2", false },
		{ "Service.Port != 2", false },
		{ "Node.Node matches \"h[12]\"", true },
		{ "Node.Node not matches \"h[12]\"", false },
		{ "Service.Meta is empty", true },
		{ "Node.Meta.rack == r1", true },
		{ "Node.Meta[\"rack\"] == \"r1\"", true },
		{ "Node.Meta[ \"a b\" ] == c", true },
		{ "rack in Node.Meta", true },
		{ "Node.Meta contains \"shelf\"", false },
		{ "pi in Service.ID", true },
		{ "Node.Meta.shelf == r1", false },
		{ "Node.Meta.shelf != r1", true },
		{ "x in Node.Meta.shelf", false },
		{ "x not in Node.Meta.shelf", true },
		/* Consul says yes, which is why it is not asked: */
		{ "Node.Meta.shelf matches x", false },
		{ "Node.Meta.shelf not matches x", true },
		{ "not Service.Port == 2", false },
		{ "not not Service.Port == 2", true },
		{ "Service.Port == 1 or Service.Port == 2", true },
		{ "Service.Port == 1 and Node.Node == h1 or Service.ID == api1",
		    true },
		{ "Service.Port == 1 and (Node.Node == h1 or "
		    "Service.ID == api1)", false },
		{ "( ( Service.Port == 2 ) )", true },
		{ "(Service.Port == 2) and (Node.Node == h1)", true },
		{ "Checks is empty", false },
		{ "Checks.Status == warning", true },
		{ "Checks.Status != passing", true },
		{ "not Checks.Status == critical", true },
		{ "Service.EnableTagOverride == false", true },
		{ "Service.EnableTagOverride != f", false },
		{ "Service.Weights.Passing == 1", true },
		{ "Service.TaggedAddresses is empty", false },
		{ "Service.TaggedAddresses[\"lan\"].Address == \"10.9.0.1\"",
		    true },
		{ "Service.TaggedAddresses.wan.Address == x", false },
		{ "Service.TaggedAddresses.wan.Address != x", true },
		{ "lan in Service.TaggedAddresses", true },
		{ "Service.Proxy.DestinationServiceName == x", false },
		{ "Service.Proxy.Upstreams is empty", true },
		{ "Service.Proxy.Expose.Paths is empty", true },
		{ "Service.Connect.Native == false", true },
		{ "Service.Kind == \"\"", true },
		{ "Service.ID == a.b.c", false },
		{ " \n\tService.Port == 2 ", true },
	};
	struct check_service_node	 r;
	struct filter			*f;
	char				*why;
	size_t				 i;

	row(&r);
	for (i = 0; i < NELEM(cases); i++) {
		f = filter_new(&check_service_node_schema, cases[i].text,
		    &why);
		ck_assert_msg(f != NULL, "%s: %s", cases[i].text, why);
		ck_assert_msg(filter_match(f, &r) == cases[i].yes, "%s",
		    cases[i].text);
		filter_free(f);
	}
	schema_clear(&check_service_node_schema, &r);
}
END_TEST

#define NO "no match found, expected: "
#define VALUE "\"-\", \"0\", \"\\\"\", \"`\", [ \\t\\r\\n], [1-9] or [a-zA-Z]"
#define START "\"(\", \"-\", \"0\", \"\\\"\", \"`\", \"not\", [ \\t\\r\\n], " \
    "[1-9] or [a-zA-Z]"
#define OPERATOR "\"!=\", \"==\", \"contains\", \"in\", \"is\", \"matches\", " \
    "\"not\" or [ \\t\\r\\n]"
#define SELECTED "\"!=\", \".\", \"==\", \"[\", [ \\t\\r\\n] or [a-zA-Z0-9_]"
#define JOINED "\"and\", \"or\", [ \\t\\r\\n] or EOF"

START_TEST(says_what_is_wrong_in_consuls_words)
{
	static const struct { const char *text, *why; } cases[] = {
		{ "Service.Port > 2", "1:14 (13): " NO OPERATOR },
		{ "Service.Service = \"api\"", "1:17 (16): " NO OPERATOR },
		{ "Service.Service == 'api'", "1:20 (19): " NO VALUE },
		{ "Service.Service ==", "1:19 (18): " NO VALUE },
		{ "Service.Service", "1:16 (15): " NO SELECTED },
		{ "== api", "1:1 (0): " NO START },
		{ "   ", "1:4 (3): " NO START },
		{ "()", "1:2 (1): " NO START },
		{ "\xc3\xbc == 1", "1:1 (0): " NO START },
		{ "Service.Service == \"api\" AND Service.Port == 1",
		    "1:26 (25): " NO JOINED },
		{ "Service.ID == \"\xc3\xbc\" x", "1:19 (19): " NO JOINED },
		{ "Service.ID == \"api1\" or", "1:24 (23): " NO
		    "[ \\t\\r\\n]" },
		{ "Service.ID\n==\nconsul and", "3:11 (24): " NO
		    "[ \\t\\r\\n]" },
		{ "Service.Tags.0 == v1", "1:14 (13): " NO "[a-zA-Z]" },
		{ "Service.ID == consul)", "1:21 (20): " NO "\".\", \"[\", "
		    "[ \\t\\r\\n], [a-zA-Z0-9_] or EOF" },
		{ "Service.Tags is not emptyy", "1:26 (25): " NO
		    "[ \\t\\r\\n] or EOF" },
		{ "5", "1:2 (1): " NO "\".\", [ \\t\\r\\n] or [0-9]" },
		{ "-", "1:2 (1): " NO "\"0\" or [1-9]" },
		{ "\"x\"", "1:4 (3): " NO "[ \\t\\r\\n]" },
		{ "not(Service.ID == consul)", "1:4 (3): " NO SELECTED },
		{ "not not", "1:8 (7): " NO SELECTED },
		{ "Service.Service == \"api", "1:24 (23): rule \"string\": "
		    "Unterminated string literal" },
		{ "Service.ID == \"a\\qb\"", "1:15 (14): rule \"string\": "
		    "invalid syntax" },
		{ "Service.ID == \"a\\\"b\"", "1:15 (14): rule \"string\": "
		    "invalid syntax" },
		{ "Address == 10.1.0.1", "1:16 (15): rule \"number\": "
		    "Invalid number literal" },
		{ "(Service.ID == consul", "1:22 (21): rule \"grouping\": "
		    "Unmatched parentheses" },
		{ "Service.ID == consul or (Node.Node == x and", "1:41 (40): "
		    "rule \"grouping\": Unmatched parentheses" },
		{ "consul in 5", "1:11 (10): rule \"match\": "
		    "Invalid selector" },
		{ "Node.Meta[5] == x", "1:11 (10): rule \"index\": "
		    "Invalid index" },
		{ "Node.Meta[\"x] == x", "1:19 (18): rule \"string\": "
		    "Unterminated string literal\n1:11 (10): rule \"index\": "
		    "Invalid index" },
		{ "Node.Meta[\"x\" == x", "1:15 (14): rule \"index\": "
		    "Unclosed index expression" },
		{ "Bogus == 1", "Selector \"Bogus\" is not valid" },
		{ "Service.Bogus.x == 1",
		    "Selector \"Service.Bogus\" is not valid" },
		{ "Service.Meta.a.b == x",
		    "Selector \"Service.Meta.a.b\" is not valid" },
		{ "service.service == api",
		    "Selector \"service\" is not valid" },
		{ "Service.CreateIndex == 1",
		    "Selector \"Service.CreateIndex\" is not valid" },
		{ "Checks.Definition.HTTP == x",
		    "Selector \"Checks.Definition\" is not valid" },
		{ "Service.Proxy.Config is empty",
		    "Selector \"Service.Proxy.Config\" is not valid" },
		{ "Service.Tags == v1", "Invalid match operator \"Equal\" for "
		    "selector \"Service.Tags\"" },
		{ "Node.Node is empty", "Invalid match operator \"Is Empty\" "
		    "for selector \"Node.Node\"" },
		{ "Service.Port == abc", "Failed to coerce value \"abc\" for "
		    "selector \"Service.Port\": strconv.ParseInt: parsing "
		    "\"abc\": invalid syntax" },
		{ "Service.Port == 99999999999999999999", "Failed to coerce "
		    "value \"99999999999999999999\" for selector "
		    "\"Service.Port\": strconv.ParseInt: parsing "
		    "\"99999999999999999999\": value out of range" },
		{ "Service.EnableTagOverride == yes", "Failed to coerce value "
		    "\"yes\" for selector \"Service.EnableTagOverride\": "
		    "strconv.ParseBool: parsing \"yes\": invalid syntax" },
		{ "Node.Node matches \"[\"", "Failed to compile regular "
		    "expression \"[\": error parsing regexp: missing closing "
		    "]: `[`" },
	};
	struct filter	*f;
	char		*why;
	size_t		 i;

	for (i = 0; i < NELEM(cases); i++) {
		f = filter_new(&check_service_node_schema, cases[i].text,
		    &why);
		ck_assert_msg(f == NULL, "%s", cases[i].text);
		ck_assert_msg(strcmp(why, cases[i].why) == 0,
		    "%s\n%s\nnot %s", cases[i].text, why, cases[i].why);
		free(why);
	}
}
END_TEST

static char *
repeated(const char *before, const char *part, size_t n, const char *after)
{
	struct wbuf	 w;

	wb_init(&w, 0);
	wb_str(&w, before);
	while (n-- > 0)
		wb_str(&w, part);
	wb_str(&w, after);
	return wb_detach_str(&w);
}

static void
refused(char *text, const char *want)
{
	char	*why;

	ck_assert_ptr_null(filter_new(&check_service_node_schema, text, &why));
	ck_assert_msg(strstr(why, want) != NULL, "%s", why);
	free(why);
	free(text);
}

START_TEST(bounds_length_and_depth)
{
	char	*text, *why;
	struct filter	*f;

	refused(repeated("", "(", 1000000, ""), "longer than 16384 bytes");
	refused(repeated("", "(", 16000, ""), "nested deeper than 100");
	refused(repeated("", "not ", 4000, ""), "nested deeper than 100");
	/* A try of each reading would take 2^90 steps. */
	refused(repeated("", "(", 90, "Service.Port == 2"),
	    "Unmatched parentheses");
	refused(repeated("", "a.", 8000, "a == b"), "is not valid");
	text = repeated("Service.Port == 1", " or Service.Port == 1", 700, "");
	f = filter_new(&check_service_node_schema, text, &why);
	ck_assert_ptr_nonnull(f);
	filter_free(f);
	free(text);
}
END_TEST

START_TEST(cuts_the_rows_of_an_answer_and_gives_them_back)
{
	static const char		 text[] = "Status == passing";
	struct indexed_health_checks	 a = { 0 };
	struct filter_cuts		 cuts = { .n = 0 };
	struct filter			*f;
	char				*why;
	int				 i;

	for (i = 0; i < 4; i++)
		str_set(&((struct health_check *)VEC_ADD(&a.checks))->status,
		    i % 2 == 0 ? "critical" : "passing");
	a.checks.item[1].create_index = 1;
	a.checks.item[3].create_index = 3;
	f = filter_new(&health_check_schema, text, &why);
	filter_rows(f, &indexed_health_checks_schema, &a, &cuts);
	ck_assert_uint_eq(a.checks.n, 2);
	ck_assert_uint_eq(a.checks.item[0].create_index, 1);
	ck_assert_uint_eq(a.checks.item[1].create_index, 3);
	filter_restore(&cuts);
	ck_assert_uint_eq(a.checks.n, 4);
	filter_free(f);
	schema_clear(&indexed_health_checks_schema, &a);
}
END_TEST

UNIT_MAIN("filter", matches_as_consul_did, says_what_is_wrong_in_consuls_words,
    bounds_length_and_depth, cuts_the_rows_of_an_answer_and_gives_them_back)

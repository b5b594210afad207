/*
 * Which keys of a check Consul takes over HTTP, as recorded.
 */
#include <stdlib.h>
#include <string.h>

#include "apid/spelling.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

static struct json *
parse(const char *text)
{
	char		 err[128];
	struct json	*j = json_parse(text, strlen(text), err, sizeof(err));

	ck_assert_msg(j != NULL, "%s: %s", text, err);
	return j;
}

static const struct { const char *text, *refused; } checks[] = {
	{ "{}", NULL },
	{ "[{\"check_id\":1}]", NULL },	/* the schema's affair */
	{ "{\"ID\":\"a\",\"id\":\"b\"}", NULL },
	{ "{\"Name\":\"a\",\"CheckID\":\"a\"}", "CheckID" },
	{ "{\"checkid\":\"a\"}", "checkid" },
	{ "{\"check_id\":\"a\"}", "check_id" },
	{ "{\"tls_skip_verify\":true}", NULL },
	{ "{\"alias_node\":\"a\"}", "alias_node" },
	{ "{\"AliasNode\":\"a\"}", NULL },
}, services[] = {
	{ "{\"ID\":\"s\",\"Check\":{\"CheckID\":\"a\"}}", NULL },
	{ "{\"Check\":{\"ID\":\"a\"}}", "ID" },
	{ "{\"check\":{\"id\":\"a\"}}", "id" },
	{ "{\"Check\":null,\"Checks\":null}", NULL },
	{ "{\"Checks\":[{},1,{\"check_id\":\"a\"}]}", "check_id" },
	{ "[]", NULL },
};

static void
ck_refused(const char *bad, const char *wanted)
{
	if (wanted == NULL)
		ck_assert_ptr_null(bad);
	else {
		ck_assert_ptr_nonnull(bad);
		ck_assert_str_eq(bad, wanted);
	}
}

START_TEST(check_of_its_own_has_an_id)
{
	struct json	*j = parse(checks[_i].text);

	ck_refused(spelling_check(j), checks[_i].refused);
	json_free(j);
}
END_TEST

START_TEST(check_inside_a_service_has_a_checkid)
{
	struct json	*j = parse(services[_i].text);

	ck_refused(spelling_service(j), services[_i].refused);
	json_free(j);
}
END_TEST

START_TEST(script_args_become_what_the_schema_knows)
{
	struct json	*j = parse("{\"script_args\":[\"a\"]}");

	ck_assert_ptr_null(spelling_check(j));
	ck_assert_ptr_nonnull(json_get(j, "ScriptArgs"));
	json_free(j);
}
END_TEST

START_TEST(keys_of_newer_clients_go_where_they_mean_nothing)
{
	struct json	*j = parse("{\"Name\":\"web\",\"Locality\":{},"
	    "\"Partition\":\"default\",\"PeerName\":\"\",\"Meta\":"
	    "{\"Locality\":\"mine\"},\"Checks\":[{\"TTL\":\"1s\","
	    "\"ExposedPort\":0}],\"Ports\":[1]}"), *checks_at;

	spelling_newer(j);
	ck_assert_ptr_null(json_get(j, "Locality"));
	ck_assert_ptr_null(json_get(j, "Partition"));
	ck_assert_ptr_null(json_get(j, "PeerName"));
	ck_assert_ptr_null(json_get(j, "Ports"));
	ck_assert_ptr_nonnull(json_get(json_get(j, "Meta"), "Locality"));
	checks_at = json_get(j, "Checks")->child;
	ck_assert_ptr_null(json_get(checks_at, "ExposedPort"));
	ck_assert_ptr_nonnull(json_get(checks_at, "TTL"));
	json_free(j);
	j = parse("{\"Partition\":\"other\"}");
	spelling_newer(j);
	ck_assert_ptr_nonnull(json_get(j, "Partition"));
	json_free(j);
	j = parse("{\"Node\":\"n\",\"address\":\"10.0.0.1\"}");
	spelling_deregister(j);
	ck_assert_ptr_null(json_get(j, "address"));
	ck_assert_ptr_nonnull(json_get(j, "Node"));
	json_free(j);
}
END_TEST

int
main(void)
{
	TCase	*tc = unit_case("apid_spelling");

	tcase_add_loop_test(tc, check_of_its_own_has_an_id, 0,
	    (int)NELEM(checks));
	tcase_add_loop_test(tc, check_inside_a_service_has_a_checkid, 0,
	    (int)NELEM(services));
	tcase_add_test(tc, keys_of_newer_clients_go_where_they_mean_nothing);
	tcase_add_test(tc, script_args_become_what_the_schema_knows);
	return unit_case_run("apid_spelling", tc);
}

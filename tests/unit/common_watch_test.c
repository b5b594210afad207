/*
 * Watches: what is read, what is refused in whose words, what is asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "common/watch.h"
#include "tests/unit/common_unit.h"

static int
read_text(const char *json, bool handler, struct watch *w, char *err)
{
	char		 why[200];
	struct json	*j = json_parse(json, strlen(json), why, sizeof(why));
	int		 rc;

	ck_assert_msg(j != NULL, "%s: %s", json, why);
	err[0] = '\0';
	rc = watch_read(j, handler, w, err, 256);
	json_free(j);
	return rc;
}

START_TEST(each_type_asks_its_question)
{
	static const struct { const char *json, *path; } t[] = {
		{ "\"type\":\"key\",\"key\":\"a/b c\"", "/v1/kv/a/b%20c" },
		{ "\"type\":\"keyprefix\",\"prefix\":\"a/\",\"stale\":true",
		    "/v1/kv/a/?recurse&stale" },
		{ "\"type\":\"services\",\"datacenter\":\"dc2\"",
		    "/v1/catalog/services?dc=dc2" },
		{ "\"type\":\"nodes\"", "/v1/catalog/nodes" },
		{ "\"type\":\"service\",\"service\":\"w\",\"tag\":\"a&b\"",
		    "/v1/health/service/w?tag=a%26b" },
		{ "\"type\":\"service\",\"service\":\"w\",\"tag\":[\"a\",\"b\"],"
		    "\"passingonly\":\"true\"",
		    "/v1/health/service/w?tag=a&tag=b&passing=1" },
		{ "\"type\":\"checks\"", "/v1/health/state/any" },
		{ "\"type\":\"checks\",\"state\":\"critical\"",
		    "/v1/health/state/critical" },
		{ "\"type\":\"checks\",\"service\":\"w\"",
		    "/v1/health/checks/w" },
		{ "\"type\":\"event\",\"name\":\"d\"",
		    "/v1/event/list?name=d" },
		{ "\"type\":\"event\"", "/v1/event/list" },
	};
	char		 json[256], err[256], *path, *want;
	struct watch	 w;
	size_t		 i;

	for (i = 0; i < NELEM(t); i++) {
		snprintf(json, sizeof(json), "{%s}", t[i].json);
		ck_assert_msg(read_text(json, false, &w, err) == 0, "%s", err);
		path = watch_path(&w, 0);
		ck_assert_str_eq(path, t[i].path);
		free(path);
		path = watch_path(&w, 7);
		xasprintf(&want, "%s%cindex=7", t[i].path,
		    strchr(t[i].path, '?') == NULL ? '?' : '&');
		ck_assert_str_eq(path, want);
		free(path);
		free(want);
		watch_clear(&w);
	}
}
END_TEST

START_TEST(what_is_wrong_is_said_as_consul_does)
{
	static const struct { const char *json, *err; bool handler; } t[] = {
		{ "{}", "Watch type must be specified", false },
		{ "{\"type\":\"bogus\"}", "Unsupported watch type: bogus",
		    false },
		{ "{\"type\":\"key\"}", "Must specify a single key to watch",
		    false },
		{ "{\"type\":\"keyprefix\",\"prefix\":\"\"}",
		    "Must specify a single prefix to watch", false },
		{ "{\"type\":\"service\"}",
		    "Must specify a single service to watch", false },
		{ "{\"type\":\"checks\",\"service\":\"a\",\"state\":\"any\"}",
		    "Cannot specify service and state", false },
		{ "{\"type\":\"nodes\",\"service\":\"a\",\"key\":\"b\"}",
		    "Invalid parameters: [service key]", false },
		{ "{\"type\":\"service\",\"service\":\"a\",\"passingonly\":"
		    "\"yes\"}", "Expecting passingonly to be a boolean",
		    false },
		{ "{\"type\":\"nodes\"}", "Must define a watch handler",
		    true },
		{ "{\"type\":\"nodes\",\"args\":[\"a\"],\"handler\":\"b\"}",
		    "Only one watch handler allowed", true },
		{ "{\"type\":\"nodes\",\"args\":[1]}",
		    "Expecting args to be a list of strings", true },
		{ "{\"type\":\"nodes\",\"handler_type\":\"x\",\"handler\":"
		    "\"b\"}", "Handler type 'x' not recognized", true },
		{ "{\"type\":\"nodes\",\"http_handler_config\":{\"path\":"
		    "\"/x\"}}", "Requires 'path' to be set to an http or "
		    "https URL", true },
		{ "{\"type\":\"nodes\",\"http_handler_config\":{\"path\":"
		    "\"http://x\",\"timeout\":\"soon\"}}",
		    "http_handler_config: timeout \"soon\" is no duration",
		    true },
		{ "{\"type\":\"nodes\",\"http_handler_config\":{\"path\":"
		    "\"http://x\",\"header\":{\"a\":[\"b\\nc\"]}}}",
		    "http_handler_config: a header has a line break", true },
	};
	char		 err[256];
	struct watch	 w;
	size_t		 i;

	for (i = 0; i < NELEM(t); i++) {
		ck_assert_int_eq(read_text(t[i].json, t[i].handler, &w, err),
		    -1);
		ck_assert_str_eq(err, t[i].err);
	}
}
END_TEST

START_TEST(handlers_are_read)
{
	char		 err[256], *title;
	struct watch	 w;

	ck_assert_int_eq(read_text("{\"type\":\"key\",\"key\":\"k\",\"token\":"
	    "\"t\",\"handler_type\":\"http\",\"http_handler_config\":{"
	    "\"path\":\"https://h/x\",\"method\":\"PUT\",\"timeout\":\"5s\","
	    "\"header\":{\"A\":[\"1\",\"2\"],\"B\":\"3\"},"
	    "\"tls_skip_verify\":true}}", true, &w, err), 0);
	ck_assert_str_eq(w.token, "t");
	ck_assert_str_eq(w.http.path, "https://h/x");
	ck_assert_str_eq(w.http.method, "PUT");
	ck_assert(w.http.timeout == 5 * NS_PER_S && w.http.skip_verify);
	ck_assert_uint_eq(w.http.headers.n, 3);
	ck_assert_str_eq(w.http.headers.item[1], "A: 2");
	title = watch_title(&w);
	ck_assert_str_eq(title, "key k");
	free(title);
	watch_clear(&w);
	ck_assert_int_eq(read_text("{\"type\":\"nodes\",\"args\":[\"a\",\"\"]"
	    ",\"handler_type\":\"script\"}", true, &w, err), 0);
	ck_assert_uint_eq(w.args.n, 2);
	watch_clear(&w);
}
END_TEST

UNIT_MAIN("common_watch",
    each_type_asks_its_question,
    what_is_wrong_is_said_as_consul_does,
    handlers_are_read)

/*
 * HCL into the tree of JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hcl.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

static struct json *
parse(const char *text)
{
	char		 err[256] = "";
	struct json	*j = hcl_parse(text, strlen(text), err, sizeof(err));

	ck_assert_msg(j != NULL, "%s: %s", text, err);
	return j;
}

static void
ck_tree(const struct json *j, const char *want)
{
	struct jw	*w = jw_new(false);

	jw_tree(w, j);
	ck_assert_str_eq(jw_text(w, NULL), want);
	jw_free(w);
}

static const struct { const char *hcl, *json; } same[] = {
	{ "", "{}" },
	{ "# all\n// is\n/* a\n comment */", "{}" },
	{ "\xef\xbb\xbf" "a = 1", "{\"a\":1}" },
	{ "node_name = \"n\"\nserver = true ui=false",
	  "{\"node_name\":\"n\",\"server\":true,\"ui\":false}" },
	{ "a = -5 b = 0x1F, c = 017\nd = 2.5e1",
	  "{\"a\":-5,\"b\":31,\"c\":15,\"d\":25}" },
	{ "a = [1, \"x\", [true], { b = 2 },]",
	  "{\"a\":[1,\"x\",[true],{\"b\":2}]}" },
	{ "ports { http = 1 }\n\"dns_config\" { soa { refresh = 2 } }",
	  "{\"ports\":{\"http\":1},\"dns_config\":{\"soa\":{\"refresh\":2}}}" },
	{ "m = { a = \"1\", \"b c\" = \"2\" }",
	  "{\"m\":{\"a\":\"1\",\"b c\":\"2\"}}" },
	{ "check { id = \"a\" } check { id = \"b\" } check { id = \"c\" }",
	  "{\"check\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]}" },
	{ "service \"web\" { port = 1 } service \"db\" \"x\" { port = 2 }",
	  "{\"service\":[{\"web\":{\"port\":1}},"
	  "{\"db\":{\"x\":{\"port\":2}}}]}" },
	{ "a = 1 a = 2 b { c = 1 } b = 3 d = [1] d { e = 1 }",
	  "{\"a\":2,\"b\":3,\"d\":{\"e\":1}}" },
	{ "a = true a { b = 1 }", "{\"a\":{\"b\":1}}" },
	{ "a = \"q\\\"\\\\\\n\\t\\x41\\101\\u00e9\\U0001F600\"",
	  "{\"a\":\"q\\\"\\\\\\n\\tAA\xc3\xa9\xf0\x9f\x98\x80\"}" },
	{ "a = \"${x(\"y\")}{\"", "{\"a\":\"${x(\\\"y\\\")}{\"}" },
	{ "a = <<EOF\n one\n\ntwo\nEOF\nb = 1",
	  "{\"a\":\" one\\n\\ntwo\\n\",\"b\":1}" },
	{ "a = <<-E-1\n\t\tone\n\t\t two\n\t\tE-1\n",
	  "{\"a\":\"one\\n two\\n\"}" },
	{ "a = <<-E\n\tone\n two\n\tE\n", "{\"a\":\"\\tone\\n two\\n\"}" },
	{ "a = [<<E\nx\nE\n, 2]", "{\"a\":[\"x\\n\",2]}" },
	{ " \n{\"a\": [{\"b\": null}]}", "{\"a\":[{\"b\":null}]}" },
	{ "a.b-c_1 = \"\xff\"", "{\"a.b-c_1\":\"\xef\xbf\xbd\"}" },
};

START_TEST(text_becomes_the_tree_of_json)
{
	struct json	*j;
	size_t		 i;

	for (i = 0; i < NELEM(same); i++) {
		j = parse(same[i].hcl);
		ck_tree(j, same[i].json);
		json_free(j);
	}
}
END_TEST

static const struct { const char *hcl, *err; } bad[] = {
	{ "a = \n", "line 2, column 1: expected a value, found the end" },
	{ "a = yes", "line 1, column 5: expected a value (text stands in "
	  "quotes), found \"yes\"" },
	{ "a 1", "line 1, column 3: expected \"=\" or \"{\", found \"1\"" },
	{ "a = 1\n}", "line 2, column 1: expected a key, found }" },
	{ "a {\n b = 1\n", "line 3, column 1: expected a key or \"}\", found "
	  "the end" },
	{ "a = [1 2]", "line 1, column 8: expected \",\" or \"]\", found "
	  "\"2\"" },
	{ "a = [1,,2]", "line 1, column 8: expected a value, found ," },
	{ "a = \"x\nb = 1", "line 1, column 5: string is not closed" },
	{ "a = \"\\q\"", "line 1, column 6: no such escape in a string" },
	{ "a = \"\\u12\"", "line 1, column 6: no such escape in a string" },
	{ "a = \"${x\"", "line 1, column 6: \"${\" is not closed" },
	{ "/* x", "line 1, column 1: comment is not closed" },
	{ "a = <<E\nx\n", "line 1, column 5: heredoc: there is no line with E "
	  "alone" },
	{ "a = << E\n", "line 1, column 5: heredoc: a word and the end of the "
	  "line must follow <<" },
	{ "a = 1x", "line 1, column 5: \"1x\" is no number" },
	{ "a = 1.2.3", "line 1, column 5: \"1.2.3\" is no number" },
	{ "a = 99999999999999999999", "line 1, column 5: "
	  "\"99999999999999999999\" is no number" },
	{ "a = ;", "line 1, column 5: unexpected ';'" },
	{ "a = null", "line 1, column 5: expected a value (text stands in "
	  "quotes), found \"null\"" },
	{ "{\"a\": }", "line 1, column 7: parse error: unallowed token at "
	  "this point in JSON text" },
};

START_TEST(error_says_where_and_what)
{
	char	 err[256];
	size_t	 i;

	for (i = 0; i < NELEM(bad); i++) {
		ck_assert_ptr_null(hcl_parse(bad[i].hcl, strlen(bad[i].hcl),
		    err, sizeof(err)));
		ck_assert_str_eq(err, bad[i].err);
	}
}
END_TEST

START_TEST(values_know_where_they_stood)
{
	struct json		*j = parse("a = 1\n\n  b {\n\tc = \"x\"\n}\n");
	const struct json	*b = json_get(j, "b"), *c = json_get(b, "c");

	ck_assert(json_get(j, "a")->line == 1 && json_get(j, "a")->col == 5);
	ck_assert(c->line == 4 && c->col == 6);
	json_free(j);
}
END_TEST

START_TEST(nesting_is_bounded)
{
	static const char *const	 open[] = { "a = ", "[", "a {", "a " };
	char				 text[2000] = "", err[256];
	size_t				 i, k;

	for (i = 1; i < NELEM(open); i++) {
		text[0] = '\0';
		if (i == 1)
			strcat(text, open[0]);
		for (k = 0; k < 200; k++)
			strcat(text, open[i]);
		ck_assert_ptr_null(hcl_parse(text, strlen(text), err,
		    sizeof(err)));
		ck_assert_ptr_nonnull(strstr(err, "nested too deep"));
	}
}
END_TEST

START_TEST(one_block_stands_for_a_list_of_one)
{
	static const char *const	 paths[] = { "services", "checks",
					    "service.checks",
					    "services.checks", NULL };
	struct json			*j;

	j = parse("services { name = \"a\" checks { ttl = \"1s\" } }\n"
	    "service { Checks { ttl = \"2s\" } check { ttl = \"3s\" } }\n"
	    "checks = [{ id = \"x\" }]");
	hcl_as_lists(j, paths);
	ck_tree(j, "{\"services\":[{\"name\":\"a\",\"checks\":[{\"ttl\":"
	    "\"1s\"}]}],\"service\":{\"Checks\":[{\"ttl\":\"2s\"}],\"check\":"
	    "{\"ttl\":\"3s\"}},\"checks\":[{\"id\":\"x\"}]}");
	json_free(j);
}
END_TEST

UNIT_MAIN("common_hcl",
    text_becomes_the_tree_of_json,
    error_says_where_and_what,
    values_know_where_they_stood,
    nesting_is_bounded,
    one_block_stands_for_a_list_of_one)

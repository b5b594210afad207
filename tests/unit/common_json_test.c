/*
 * JSON trees and text, and structs in and out of JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mp.h"
#include "common/schema/agent.h"
#include "common/schema/conf.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

static struct json *
parse(const char *text)
{
	char		 err[256] = "";
	struct json	*j = json_parse(text, strlen(text), err, sizeof(err));

	ck_assert_msg(j != NULL, "%s: %s", text, err);
	return j;
}

static void
ck_refused(const char *text, size_t len, const char *want)
{
	char	 err[256] = "";

	ck_assert_ptr_null(json_parse(text, len, err, sizeof(err)));
	ck_assert_str_eq(err, want);
}

START_TEST(tree_knows_where_each_value_stood)
{
	struct json		*j = parse("{ \"a\" : 1,\n"
				    "  \"list\":[true ,\n"
				    "\t\"x\\ty\", null, {}]\n}");
	const struct json	*l = json_get(j, "list"), *c;

	ck_assert_int_eq(j->type, JSON_OBJECT);
	ck_assert(j->line == 1 && j->col == 1);
	c = json_get(j, "a");
	ck_assert_str_eq(c->str, "1");
	ck_assert(c->line == 1 && c->col == 9);
	ck_assert(l->line == 2 && l->col == 10);
	c = l->child;
	ck_assert(c->type == JSON_BOOL && c->truth && c->col == 11);
	c = c->next;
	ck_assert_str_eq(c->str, "x\ty");
	ck_assert(c->line == 3 && c->col == 2);
	c = c->next;
	ck_assert(c->type == JSON_NULL && c->col == 10);
	c = c->next;
	ck_assert(c->type == JSON_OBJECT && c->col == 16);
	ck_assert_ptr_null(c->next);
	ck_assert_ptr_eq(l->last, c);
	ck_assert_ptr_null(json_get(j, "none"));
	ck_assert_ptr_null(json_get(l, "a"));
	json_free(j);
}
END_TEST

START_TEST(a_lone_number_is_a_document)
{
	struct json	*j = parse(" 12");

	ck_assert_str_eq(j->str, "12");
	ck_assert(j->line == 1 && j->col == 2);
	json_free(j);
}
END_TEST

START_TEST(bad_text_is_refused_with_its_place)
{
	ck_refused("", 0, "line 1, column 1: unexpected end of input");
	ck_refused("{\n", 2, "line 2, column 1: unexpected end of input");
	ck_refused("{\"a\": 1,\n }", 11, "line 2, column 2: parse error: "
	    "invalid object key (must be a string)");
	ck_refused("[1,\n 2 3]", 9, "line 2, column 4: parse error: after "
	    "array element, I expect ',' or ']'");
	ck_refused("// x\n1", 6, "line 1, column 1: lexical error: probable "
	    "comment found in input text, comments are not enabled.");
}
END_TEST

START_TEST(nesting_is_bounded)
{
	char	 deep[130], err[64];

	memset(deep, '[', 65);
	memset(deep + 65, ']', 65);
	ck_assert_ptr_null(json_parse(deep, 130, err, sizeof(err)));
	ck_assert_str_eq(err, "line 1, column 65: nested too deep");
	json_free(json_parse(deep + 1, 128, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "too deep"));
}
END_TEST

START_TEST(bad_utf8_is_replaced)
{
	struct json	*j = parse("[\"a\xff" "b\xc3\", \"\xed\xa0\x80\"]");

	ck_assert_str_eq(j->child->str, "a\357\277\275b\357\277\275");
	ck_assert_str_eq(j->child->next->str,
	    "\357\277\275\357\277\275\357\277\275");
	json_free(j);
}
END_TEST

START_TEST(text_is_escaped_as_go_does)
{
	struct jw	*w = jw_new(false);

	jw_obj(w);
	jw_key(w, "<k>");
	jw_str(w, "a<b>&\"\\/\n\r\t\b\f\x01\x1f\x7f");
	jw_key(w, "u");
	jw_str(w, "\303\244 \342\200\250\342\200\251\342\200\252 \xff");
	jw_key(w, "none");
	jw_str(w, NULL);
	jw_end_obj(w);
	ck_assert_str_eq(jw_text(w, NULL),
	    "{\"\\u003ck\\u003e\":\"a\\u003cb\\u003e\\u0026\\\"\\\\/\\n\\r\\t"
	    "\\u0008\\u000c\\u0001\\u001f\x7f\","
	    "\"u\":\"\303\244 \\u2028\\u2029\342\200\252 \357\277\275\","
	    "\"none\":\"\"}");
	jw_free(w);
}
END_TEST

START_TEST(keys_are_escaped_as_values_are)
{
	struct jw	*w = jw_new(false);

	jw_obj(w);
	jw_key(w, "a\"<\n");
	jw_str(w, "plain \001 \177 \342\200\251 \303\274");
	jw_str(w, "a string where a key stands is one");
	jw_bool(w, false);
	jw_end_obj(w);
	ck_assert_str_eq(jw_text(w, NULL), "{\"a\\\"\\u003c\\n\":"
	    "\"plain \\u0001 \177 \\u2029 \303\274\","
	    "\"a string where a key stands is one\":false}");
	jw_free(w);
}
END_TEST

START_TEST(a_lone_value_ends_its_line_when_pretty)
{
	struct jw	*w = jw_new(true);

	jw_int(w, INT64_MIN);
	ck_assert_str_eq(jw_text(w, NULL), "-9223372036854775808\n");
	jw_free(w);
	w = jw_new(true);
	jw_obj(w);
	jw_end_obj(w);
	ck_assert_str_eq(jw_text(w, NULL), "{}\n");
	jw_free(w);
	w = jw_new(false);
	jw_str(w, "");
	ck_assert_str_eq(jw_text(w, NULL), "\"\"");
	jw_free(w);
}
END_TEST

/* Deeper than anything that is read: left out, and still JSON. */
START_TEST(too_deep_a_value_is_left_out)
{
	struct jw	*w = jw_new(false);
	size_t		 i, len;
	const char	*text;

	for (i = 0; i < 1000; i++)
		jw_arr(w);
	jw_str(w, "not there");
	for (i = 0; i < 1000; i++)
		jw_end_arr(w);
	text = jw_text(w, &len);
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_eq(strspn(text, "["), len / 2);
	ck_assert_uint_eq(strspn(text + len / 2, "]"), len / 2);
	jw_free(w);
}
END_TEST

START_TEST(numbers_print_as_go_does)
{
	static const double	 d[] = { 0, 1, -0.5, 0.1, 1.0 / 3, 100, 1e20,
				    1e21, 0.000001, 1e-7, 1.5e-9, 5e-324,
				    1.7976931348623157e308, 123456789.125 };
	struct jw		*w = jw_new(false);
	size_t			 i;

	jw_arr(w);
	for (i = 0; i < NELEM(d); i++)
		jw_double(w, d[i]);
	jw_double(w, 0.0 / 0.0);
	jw_int(w, INT64_MIN);
	jw_uint(w, UINT64_MAX);
	jw_end_arr(w);
	ck_assert_str_eq(jw_text(w, NULL), "[0,1,-0.5,0.1,0.3333333333333333,"
	    "100,100000000000000000000,1e+21,0.000001,1e-7,1.5e-9,5e-324,"
	    "1.7976931348623157e+308,123456789.125,null,"
	    "-9223372036854775808,18446744073709551615]");
	jw_free(w);
}
END_TEST

static void
sample(struct jw *w)
{
	jw_arr(w);
	jw_obj(w);
	jw_key(w, "Meta");
	jw_obj(w);
	jw_end_obj(w);
	jw_key(w, "Tags");
	jw_arr(w);
	jw_end_arr(w);
	jw_key(w, "Ports");
	jw_arr(w);
	jw_int(w, 80);
	jw_bool(w, true);
	jw_end_arr(w);
	jw_end_obj(w);
	jw_arr(w);
	jw_arr(w);
	jw_end_arr(w);
	jw_end_arr(w);
	jw_end_arr(w);
}

START_TEST(layout_is_that_of_consul)
{
	struct jw	*w = jw_new(false);

	sample(w);
	ck_assert_str_eq(jw_text(w, NULL),
	    "[{\"Meta\":{},\"Tags\":[],\"Ports\":[80,true]},[[]]]");
	jw_free(w);
	w = jw_new(true);
	sample(w);
	ck_assert_str_eq(jw_text(w, NULL),
	    "[\n"
	    "    {\n"
	    "        \"Meta\": {},\n"
	    "        \"Tags\": [],\n"
	    "        \"Ports\": [\n"
	    "            80,\n"
	    "            true\n"
	    "        ]\n"
	    "    },\n"
	    "    [\n"
	    "        []\n"
	    "    ]\n"
	    "]\n");
	jw_free(w);
}
END_TEST

/* ---- structs ---- */

static char *
encode(struct schema *s, const void *obj)
{
	struct jw	*w = jw_new(false);
	char		*text;

	schema_json_encode(s, obj, w);
	text = xstrdup(jw_text(w, NULL));
	jw_free(w);
	return text;
}

static void
decode(struct schema *s, const char *text, unsigned flags, void *obj)
{
	struct json	*j = parse(text);
	char		 err[256] = "";

	ck_assert_msg(schema_json_decode(s, j, flags, obj, err, sizeof(err),
	    NULL) == 0, "%s", err);
	json_free(j);
}

static void
ck_decode_refused(struct schema *s, const char *text, unsigned flags,
    const char *want)
{
	struct json		*j = parse(text);
	const struct json	*at = NULL;
	char			 err[256] = "";
	void			*obj = xmalloc(s->size);

	ck_assert_int_eq(schema_json_decode(s, j, flags, obj, err,
	    sizeof(err), &at), -1);
	ck_assert_str_eq(err, want);
	ck_assert_ptr_nonnull(at);
	json_free(j);
	free(obj);
}

/* An answer of Consul 1.8.7 to catalog/node-services. */
START_TEST(an_answer_of_consul_comes_back_as_it_was)
{
	static const char	 text[] =
	    "{\"Node\":{\"ID\":\"8c21a19f-4664-7afd-d8e2-47b6c805f58a\","
	    "\"Node\":\"node1\",\"Address\":\"10.0.0.2\",\"Datacenter\":"
	    "\"dc1\",\"TaggedAddresses\":{\"lan\":\"10.0.0.2\",\"wan\":"
	    "\"10.0.0.2\"},\"Meta\":null,\"CreateIndex\":5,\"ModifyIndex\":6},"
	    "\"Services\":[{\"ID\":\"web\",\"Service\":\"web\",\"Tags\":[],"
	    "\"Address\":\"\",\"Meta\":null,\"Port\":80,\"Weights\":{"
	    "\"Passing\":1,\"Warning\":1},\"EnableTagOverride\":false,"
	    "\"Proxy\":{\"Config\":{\"a\":[1,-2,0.5,\"x\",null,{}]},"
	    "\"MeshGateway\":{},\"Expose\":{}},\"Connect\":{},"
	    "\"CreateIndex\":10,\"ModifyIndex\":11}]}";
	struct node_service_list l, copy;
	struct wbuf		 w;
	char			*out;

	decode(&node_service_list_schema, text, SJ_STRICT, &l);
	ck_assert_ptr_nonnull(l.node);
	ck_assert(l.node->tagged_addresses.set && !l.node->meta.set);
	ck_assert(l.services.item[0].tags.set);
	out = encode(&node_service_list_schema, &l);
	ck_assert_str_eq(out, text);
	free(out);
	wb_init(&w, 0);
	schema_encode(&node_service_list_schema, &l, &w);
	ck_assert_int_eq(schema_decode_all(&node_service_list_schema, w.p,
	    w.len, &copy, NULL), 0);
	out = encode(&node_service_list_schema, &copy);
	ck_assert_str_eq(out, text);
	ck_assert(schema_equal(&node_service_list_schema, &l, &copy));
	free(out);
	wb_free(&w);
	schema_clear(&node_service_list_schema, &l);
	schema_clear(&node_service_list_schema, &copy);
}
END_TEST

START_TEST(flags_say_what_is_left_out_and_how_nil_looks)
{
	struct health_check	 c = { 0 };
	struct indexed_services	 s = { 0 };
	struct agent_service	 a = { 0 };
	char			*out;

	c.definition.interval = 10 * NS_PER_S;
	c.definition.http = xstrdup("http://x/?a&b");
	out = encode(&health_check_schema, &c);
	ck_assert_str_eq(out, "{\"Node\":\"\",\"CheckID\":\"\",\"Name\":\"\","
	    "\"Status\":\"\",\"Notes\":\"\",\"Output\":\"\",\"ServiceID\":"
	    "\"\",\"ServiceName\":\"\",\"ServiceTags\":[],\"Type\":\"\","
	    "\"Definition\":{\"Interval\":\"10s\",\"HTTP\":"
	    "\"http://x/?a\\u0026b\"},\"CreateIndex\":0,\"ModifyIndex\":0}");
	free(out);
	out = encode(&indexed_services_schema, &s);
	ck_assert_str_eq(out, "{\"Services\":{}}");
	free(out);
	strmap_put(&a.meta, "b", "2");
	strmap_put(&a.meta, "a", "1");
	out = encode(&agent_service_schema, &a);
	ck_assert_ptr_nonnull(strstr(out,
	    "\"Meta\":{\"a\":\"1\",\"b\":\"2\"}"));
	free(out);
	schema_clear(&health_check_schema, &c);
	schema_clear(&agent_service_schema, &a);
}
END_TEST

START_TEST(http_bodies_fold_case_and_take_either_spelling)
{
	struct service_def	 d;

	decode(&service_def_schema, "{\"name\":\"web\",\"PORT\":80,"
	    "\"enable_tag_override\":true,\"Check\":{\"args\":[\"a\",\"\"],"
	    "\"interval\":\"10s\",\"Timeout\":5000000000,"
	    "\"DeregisterCriticalServiceAfter\":null}}",
	    SJ_STRICT | SJ_FOLD | SJ_DURNUM, &d);
	ck_assert_str_eq(d.name, "web");
	ck_assert_int_eq(d.port, 80);
	ck_assert(d.enable_tag_override);
	ck_assert_uint_eq(d.check->args.n, 2);
	ck_assert_str_eq(d.check->args.item[1], "");
	ck_assert_int_eq(d.check->interval, 10 * NS_PER_S);
	ck_assert_int_eq(d.check->timeout, 5 * NS_PER_S);
	schema_clear(&service_def_schema, &d);
}
END_TEST

START_TEST(http_bodies_are_refused_in_the_words_of_go)
{
	unsigned	 f = SJ_STRICT | SJ_FOLD | SJ_DURNUM;

	ck_decode_refused(&service_def_schema, "{\"Bogus\":1}", f,
	    "json: unknown field \"Bogus\"");
	ck_decode_refused(&check_def_schema, "{\"TTL\":\"abc\"}", f,
	    "time: invalid duration \"abc\"");
	ck_decode_refused(&service_def_schema, "{\"Port\":\"80\"}", f,
	    "json: cannot unmarshal string into Go struct field .Port of "
	    "type int");
	ck_decode_refused(&service_def_schema, "{\"Tags\":\"a\"}", f,
	    "json: cannot unmarshal string into Go struct field .Tags of "
	    "type []string");
}
END_TEST

START_TEST(definitions_in_files_are_refused_with_place_and_path)
{
	ck_decode_refused(&service_def_schema, "{\n \"checks\": [{}, {}, {\n"
	    "   \"interval\": \"x\"}]}", SJ_STRICT,
	    "line 3, column 16: checks[2].interval: invalid duration \"x\"");
	ck_decode_refused(&service_def_schema, "{\"NAME\":\"web\"}", SJ_STRICT,
	    "line 1, column 9: NAME: unknown key");
	ck_decode_refused(&service_def_schema, "{\"port\":80.5}", 0,
	    "line 1, column 9: port: expected type 'int', got '80.5'");
	ck_decode_refused(&service_def_schema, "{\"meta\":{\"k\":1}}", 0,
	    "line 1, column 14: meta.k: expected type 'string', got '1'");
	ck_decode_refused(&check_def_schema, "{\"ttl\":10}", 0,
	    "line 1, column 8: ttl: expected type 'string', got '10'");
	ck_decode_refused(&check_def_schema, "{\"output_max_size\":-1}", 0,
	    "line 1, column 20: output_max_size: expected type 'uint64', "
	    "got '-1'");
	ck_decode_refused(&service_def_schema, "[]", 0,
	    "line 1, column 1: expected type 'object', got 'array'");
	ck_decode_refused(&event_fire_request_schema, "{\"Payload\":\"%\"}", 0,
	    "line 1, column 12: Payload: illegal base64 data at input "
	    "byte 0");
}
END_TEST

START_TEST(of_keys_that_come_twice_the_last_stays)
{
	struct service_def	 d;

	decode(&service_def_schema, "{\"name\":\"a\",\"Name\":\"b\","
	    "\"meta\":{\"k\":\"1\",\"j\":\"x\",\"k\":\"2\"}}", 0, &d);
	ck_assert_str_eq(d.name, "b");
	ck_assert_uint_eq(d.meta.n, 2);
	ck_assert_str_eq(strmap_get(&d.meta, "k"), "2");
	ck_assert_str_eq(strmap_get(&d.meta, "j"), "x");
	schema_clear(&service_def_schema, &d);
}
END_TEST

START_TEST(bytes_are_base64)
{
	struct event_fire_request	 e;
	char				*out;

	decode(&event_fire_request_schema, "{\"Payload\":\"aGkA\"}", 0, &e);
	ck_assert_uint_eq(e.payload.n, 3);
	ck_assert_mem_eq(e.payload.p, "hi\0", 3);
	out = encode(&event_fire_request_schema, &e);
	ck_assert_ptr_nonnull(strstr(out, "\"Payload\":\"aGkA\""));
	free(out);
	schema_clear(&event_fire_request_schema, &e);
}
END_TEST

UNIT_MAIN("common_json",
    tree_knows_where_each_value_stood,
    a_lone_number_is_a_document,
    bad_text_is_refused_with_its_place,
    nesting_is_bounded,
    bad_utf8_is_replaced,
    text_is_escaped_as_go_does,
    keys_are_escaped_as_values_are,
    a_lone_value_ends_its_line_when_pretty,
    too_deep_a_value_is_left_out,
    numbers_print_as_go_does,
    layout_is_that_of_consul,
    an_answer_of_consul_comes_back_as_it_was,
    flags_say_what_is_left_out_and_how_nil_looks,
    http_bodies_fold_case_and_take_either_spelling,
    http_bodies_are_refused_in_the_words_of_go,
    definitions_in_files_are_refused_with_place_and_path,
    of_keys_that_come_twice_the_last_stays,
    bytes_are_base64)

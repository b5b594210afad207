/*
 * The query of a URL, and paths as Go's server cleans them.
 */
#include <stdlib.h>

#include "apid/params.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

START_TEST(first_of_repeated_keys_wins)
{
	struct params	p = { 0 };

	params_add(&p, "tag", "a");
	params_add(&p, "tag", "b");
	ck_assert_str_eq(params_get(&p, "tag"), "a");
	params_clear(&p);
}
END_TEST

START_TEST(repeated_keys_are_all_kept_in_order)
{
	struct params	p = { 0 };
	struct strs	all = { 0 };

	params_add(&p, "tag", "b");
	params_add(&p, "near", "n");
	params_add(&p, "tag", "a");
	params_all(&p, "tag", &all);
	ck_assert_uint_eq(all.n, 2);
	ck_assert_str_eq(all.item[0], "b");
	ck_assert_str_eq(all.item[1], "a");
	strs_clear(&all);
	params_clear(&p);
}
END_TEST

START_TEST(bare_key_is_there_and_empty)
{
	struct params	p = { 0 };

	params_add(&p, "stale", NULL);
	ck_assert_str_eq(params_get(&p, "stale"), "");
	ck_assert_ptr_null(params_get(&p, "Stale"));
	params_clear(&p);
}
END_TEST

START_TEST(parameters_past_the_limit_are_dropped)
{
	struct params	p = { 0 };
	int		i;

	for (i = 0; i < PARAMS_MAX + 5; i++)
		params_add(&p, i < PARAMS_MAX ? "a" : "late", "x");
	ck_assert_uint_eq(p.n, PARAMS_MAX);
	ck_assert_ptr_null(params_get(&p, "late"));
	params_clear(&p);
}
END_TEST

static const struct { const char *path, *clean; } paths[] = {
	{ "/", NULL },
	{ "/v1/catalog/nodes", NULL },
	{ "/v1/catalog/nodes/", NULL },		/* the slash is the path's own */
	{ "/v1/agent/service/.hidden", NULL },
	{ "/v1/agent/service/..b", NULL },
	{ "/v1//catalog/nodes", "/v1/catalog/nodes" },
	{ "/v1/catalog/../catalog/nodes", "/v1/catalog/nodes" },
	{ "/v1/./catalog//nodes//", "/v1/catalog/nodes/" },
	{ "/../../etc", "/etc" },
	{ "/a/..", "/" },
	{ "/a/../", "/" },
	{ "/a/b/..", "/a" },
	{ "/a/b/.", "/a/b" },
	{ "", "/" },
	{ "v1/agent", "/v1/agent" },
};

START_TEST(paths_are_cleaned)
{
	char	*clean = path_clean(paths[_i].path);

	if (paths[_i].clean == NULL)
		ck_assert_ptr_null(clean);
	else
		ck_assert_str_eq(clean, paths[_i].clean);
	free(clean);
}
END_TEST

START_TEST(booleans_are_those_of_go)
{
	bool	b = false;

	ck_assert_int_eq(bool_parse("True", &b), 0);
	ck_assert(b);
	ck_assert_int_eq(bool_parse("f", &b), 0);
	ck_assert(!b);
	ck_assert_int_eq(bool_parse("yes", &b), -1);
	ck_assert_int_eq(bool_parse("tRUE", &b), -1);
	ck_assert_int_eq(bool_parse("", &b), -1);
	ck_assert(!b);
}
END_TEST

int
main(void)
{
	TCase	*tc = unit_case("apid_params");

	tcase_add_test(tc, first_of_repeated_keys_wins);
	tcase_add_test(tc, repeated_keys_are_all_kept_in_order);
	tcase_add_test(tc, bare_key_is_there_and_empty);
	tcase_add_test(tc, parameters_past_the_limit_are_dropped);
	tcase_add_loop_test(tc, paths_are_cleaned, 0, (int)NELEM(paths));
	tcase_add_test(tc, booleans_are_those_of_go);
	return unit_case_run("apid_params", tc);
}

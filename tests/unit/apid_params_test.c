/*
 * The query part of a URL and its path.
 */
#include <check.h>
#include <stdlib.h>

#include "apid/params.h"

START_TEST(a_bare_key_is_present_and_empty)
{
	struct params	p = { .n = 0 };

	params_add(&p, "pretty", NULL);
	ck_assert_str_eq(params_get(&p, "pretty"), "");
	ck_assert_ptr_null(params_get(&p, "index"));
	params_clear(&p);
}
END_TEST

START_TEST(a_repeated_key_gives_its_first_and_all)
{
	struct params	p = { .n = 0 };
	struct strs	all = { 0 };

	params_add(&p, "tag", "a");
	params_add(&p, "near", "x");
	params_add(&p, "tag", "b");
	ck_assert_str_eq(params_get(&p, "tag"), "a");
	params_all(&p, "tag", &all);
	ck_assert_uint_eq(all.n, 2);
	ck_assert_str_eq(all.item[1], "b");
	strs_clear(&all);
	params_clear(&p);
}
END_TEST

START_TEST(more_parameters_than_fit_are_dropped)
{
	struct params	p = { .n = 0 };
	int		i;

	for (i = 0; i < PARAMS_MAX + 10; i++)
		params_add(&p, "k", "v");
	ck_assert_uint_eq(p.n, PARAMS_MAX);
	params_clear(&p);
}
END_TEST

static const struct { const char *in, *out; } paths[] = {
	{ "/v1/catalog/nodes", NULL },
	{ "/v1/catalog/service/", NULL },
	{ "/", NULL },
	{ "/v1//catalog/nodes", "/v1/catalog/nodes" },
	{ "/v1/catalog/../catalog/nodes", "/v1/catalog/nodes" },
	{ "/v1/./x", "/v1/x" },
	{ "/../../etc/passwd", "/etc/passwd" },
	{ "//", "/" },
	{ "/a/..", "/" },
	{ "/a/b//", "/a/b/" },
	{ "", "/" },
};

START_TEST(a_path_is_cleaned_as_go_does)
{
	char	*got = path_clean(paths[_i].in);

	if (paths[_i].out == NULL)
		ck_assert_ptr_null(got);
	else {
		ck_assert_ptr_nonnull(got);
		ck_assert_str_eq(got, paths[_i].out);
	}
	free(got);
}
END_TEST

START_TEST(booleans_are_those_of_go)
{
	bool	b = false;

	ck_assert_int_eq(bool_parse("true", &b), 0);
	ck_assert(b);
	ck_assert_int_eq(bool_parse("F", &b), 0);
	ck_assert(!b);
	ck_assert_int_eq(bool_parse("maybe", &b), -1);
	ck_assert_int_eq(bool_parse("", &b), -1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("apid params");
	TCase	*tc = tcase_create("params");
	SRunner	*sr;
	int	 failed;

	tcase_add_test(tc, a_bare_key_is_present_and_empty);
	tcase_add_test(tc, a_repeated_key_gives_its_first_and_all);
	tcase_add_test(tc, more_parameters_than_fit_are_dropped);
	tcase_add_loop_test(tc, a_path_is_cleaned_as_go_does, 0,
	    (int)(sizeof(paths) / sizeof(paths[0])));
	tcase_add_test(tc, booleans_are_those_of_go);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

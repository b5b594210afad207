/*
 * Runs a list of tests: UNIT_MAIN("common_wire", test, test, ...)
 */
#ifndef TESTS_UNIT_COMMON_UNIT_H
#define TESTS_UNIT_COMMON_UNIT_H

#include <check.h>

#define UNIT_MAIN(name, ...)						\
int									\
main(void)								\
{									\
	const TTest	*tests[] = { __VA_ARGS__ };			\
	Suite		*s = suite_create(name);			\
	TCase		*tc = tcase_create(name);			\
	SRunner		*sr;						\
	size_t		 i;						\
	int		 failed;					\
									\
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)		\
		tcase_add_test(tc, tests[i]);				\
	suite_add_tcase(s, tc);						\
	sr = srunner_create(s);						\
	srunner_run_all(sr, CK_ENV);					\
	failed = srunner_ntests_failed(sr);				\
	srunner_free(sr);						\
	return failed != 0;						\
}

#endif

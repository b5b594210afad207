/*
 * Runs a list of tests, UNIT_MAIN("common_wire", test, test, ...), and gives
 * them directories of their own.
 */
#ifndef TESTS_UNIT_COMMON_UNIT_H
#define TESTS_UNIT_COMMON_UNIT_H

#include <check.h>
#include <stddef.h>

#define UNIT_MAIN(name, ...)						\
int									\
main(void)								\
{									\
	const TTest	*tests[] = { __VA_ARGS__ };			\
									\
	return unit_run(name, tests, sizeof(tests) / sizeof(tests[0]));	\
}

int unit_run(const char *name, const TTest *const *, size_t n);
/* For loops and fixtures: a case that main() fills, and its exit status. */
TCase *unit_case(const char *name);
int unit_case_run(const char *name, TCase *);

/* A new directory below /tmp. */
void unit_dir_make(char *dir, size_t len);
/* How many files in it begin so; path: the first found, or NULL. */
size_t unit_dir_files(const char *dir, const char *prefix, char *path,
    size_t len);
/* With all that is in it. */
void unit_dir_remove(const char *dir);

#endif

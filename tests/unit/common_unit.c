/*
 * What tests of every folder share: see common_unit.h.
 */
#include <dirent.h>
#include <err.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/common_unit.h"

#define TIMEOUT_S 60	/* of a test; a loaded machine with sanitizers */

TCase *
unit_case(const char *name)
{
	TCase	*tc = tcase_create(name);

	tcase_set_timeout(tc, TIMEOUT_S);
	return tc;
}

int
unit_case_run(const char *name, TCase *tc)
{
	Suite	*s = suite_create(name);
	SRunner	*sr;
	int	 failed;

	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

int
unit_run(const char *name, const TTest *const *tests, size_t n)
{
	TCase	*tc = unit_case(name);
	size_t	 i;

	for (i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	return unit_case_run(name, tc);
}

void
unit_dir_make(char *dir, size_t len)
{
	if (snprintf(dir, len, "/tmp/disco-unit.XXXXXX") >= (int)len ||
	    mkdtemp(dir) == NULL)
		err(1, "%s", dir);
}

size_t
unit_dir_files(const char *dir, const char *prefix, char *path, size_t len)
{
	struct dirent	*de;
	size_t		 n = 0;
	DIR		*d;

	ck_assert_ptr_nonnull(d = opendir(dir));
	while ((de = readdir(d)) != NULL)
		if (strncmp(de->d_name, prefix, strlen(prefix)) == 0 &&
		    n++ == 0 && path != NULL)
			snprintf(path, len, "%s/%s", dir, de->d_name);
	closedir(d);
	return n;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void
unit_dir_remove(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

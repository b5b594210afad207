/*
 * apid/params: a cleaned path is clean, absolute and without "." elements,
 * whatever came; a parameter that was added is found.  Input: the path, and
 * behind a '?' "key=value&key".
 */
#include <stdlib.h>
#include <string.h>

#include "apid/params.h"
#include "common/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_path(const char *path)
{
	char	*clean = path_clean(path), *again;

	if (clean == NULL) {
		if (*path != '/')
			abort();
		return;
	}
	if (*clean != '/' || strstr(clean, "//") != NULL ||
	    strstr(clean, "/./") != NULL || strstr(clean, "/../") != NULL ||
	    strlen(clean) > strlen(path) + 1)
		abort();
	if ((again = path_clean(clean)) != NULL)
		abort();
	free(clean);
}

static void
check_query(char *query)
{
	struct params	 p = { 0 };
	struct strs	 all = { 0 };
	char		*pair, *val;
	bool		 b;

	while ((pair = strsep(&query, "&")) != NULL) {
		if ((val = strchr(pair, '=')) != NULL)
			*val++ = '\0';
		params_add(&p, pair, val);
		if (p.n < PARAMS_MAX && params_get(&p, pair) == NULL)
			abort();
		(void)bool_parse(str_or(val, ""), &b);
		params_all(&p, pair, &all);
		strs_clear(&all);
	}
	params_clear(&p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char	*text = xmemdup_str(data, n), *query = text;

	(void)path_printable(text);
	check_path(strsep(&query, "?"));
	if (query != NULL)
		check_query(query);
	free(text);
	return 0;
}

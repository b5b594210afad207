/*
 * Regular expressions from outside: Go's syntax, Go's words, bounded work.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/regex.h"
#include "common/ev.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

static bool
matches(const char *pattern, const char *subject)
{
	struct regex	*re;
	char		*why;
	bool		 yes;

	re = regex_new(pattern, &why);
	ck_assert_msg(re != NULL, "%s: %s", pattern, why);
	yes = regex_match(re, subject, strlen(subject));
	regex_free(re);
	return yes;
}

START_TEST(matches_anywhere_unless_anchored)
{
	ck_assert(matches("web", "my-web-1"));
	ck_assert(!matches("^web", "my-web-1"));
	ck_assert(matches("", "anything"));
	ck_assert(matches("^web[0-9]+$", "web12"));
	ck_assert(!matches("^web[0-9]+$", "web12\n"));
	ck_assert(matches("(?i)WEB", "a web"));
	ck_assert(matches("(?P<n>a|b)c{2,3}?", "xbccc"));
	ck_assert(matches("(a)(?:b)(c)", "abc"));
	ck_assert(matches("[[:alpha:]]\\d\\.\\Qa.b\\E", "x1.a.b"));
	ck_assert(matches("a{", "a{"));
	ck_assert(matches("a{,2}", "a{,2}"));
	ck_assert(matches("[]a]", "]"));
	ck_assert(matches("^.$", "\xc3\xa4"));
	ck_assert(matches("x", "\xff" "x"));	/* not UTF-8 */
}
END_TEST

static const struct { const char *pattern, *why; } refused[] = {
	{ "[", "missing closing ]: `[`" },
	{ "ab[c", "missing closing ]: `[c`" },
	{ "a(b", "missing closing ): `a(b`" },
	{ "a)b", "unexpected ): `a)b`" },
	{ "*", "missing argument to repetition operator: `*`" },
	{ "a|+", "missing argument to repetition operator: `+`" },
	{ "(*UTF8)a", "missing argument to repetition operator: `*`" },
	{ "a**", "invalid nested repetition operator: `**`" },
	{ "a++", "invalid nested repetition operator: `++`" },
	{ "a{2}{3}", "invalid nested repetition operator: `{2}{3}`" },
	{ "a{1001}", "invalid repeat count: `{1001}`" },
	{ "a{3,2}", "invalid repeat count: `{3,2}`" },
	{ "(?=a)", "invalid or unsupported Perl syntax: `(?=`" },
	{ "(?<!a)", "invalid or unsupported Perl syntax: `(?<`" },
	{ "(?>a)", "invalid or unsupported Perl syntax: `(?>`" },
	{ "(?R)", "invalid or unsupported Perl syntax: `(?R`" },
	{ "(?", "invalid or unsupported Perl syntax: `(?`" },
	{ "(?P<>a)", "invalid named capture: `(?P<>`" },
	{ "(a)\\1", "invalid escape sequence: `\\1`" },
	{ "\\K", "invalid escape sequence: `\\K`" },
	{ "\\C", "invalid escape sequence: `\\C`" },
	{ "a\\", "trailing backslash at end of expression: ``" },
	{ "[\\b]", "invalid escape sequence: `\\b`" },
};

START_TEST(refuses_in_the_words_of_go)
{
	char	*why, *want;
	size_t	 i;

	for (i = 0; i < NELEM(refused); i++) {
		ck_assert_ptr_null(regex_new(refused[i].pattern, &why));
		xasprintf(&want, "error parsing regexp: %s", refused[i].why);
		ck_assert_str_eq(why, want);
		free(want);
		free(why);
	}
	/* What only the library notices keeps the frame. */
	ck_assert_ptr_null(regex_new("[z-a]", &why));
	ck_assert_ptr_nonnull(strstr(why, "error parsing regexp: "));
	free(why);
}
END_TEST

START_TEST(bounds_length_nesting_and_work)
{
	char		 pattern[REGEX_PATTERN_MAX + 2], subject[201], *why;
	struct regex	*re;
	uint64_t	 start;

	memset(pattern, 'a', sizeof(pattern) - 1);
	pattern[sizeof(pattern) - 1] = '\0';
	ck_assert_ptr_null(regex_new(pattern, &why));
	free(why);
	memset(pattern, '(', 200);
	memset(pattern + 200, ')', 200);
	pattern[400] = '\0';
	ck_assert_ptr_null(regex_new(pattern, &why));
	free(why);

	memset(subject, 'a', 200);
	subject[200] = '\0';
	re = regex_new("(a|a)*(a*)*[bc]", &why);
	ck_assert_ptr_nonnull(re);
	start = ev_hrtime();
	ck_assert(!regex_match(re, subject, 200));
	ck_assert_uint_lt(ev_hrtime() - start, 5 * NS_PER_S);
	ck_assert(!regex_match(re, "c", 1));	/* it had its chance */
	regex_free(re);
}
END_TEST

START_TEST(says_where_its_groups_are)
{
	struct regex_group	 g[REGEX_GROUPS_MAX];
	struct regex		*re;
	char			*why;

	re = regex_new_groups("^geo-(.*?)-([^-]+?)$", &why);
	ck_assert_ptr_nonnull(re);
	ck_assert_uint_eq(regex_groups(re, "geo-a-b-c", 9, g), 3);
	ck_assert_uint_eq(g[0].len, 9);
	ck_assert_uint_eq(g[1].at, 4);
	ck_assert_uint_eq(g[1].len, 3);
	ck_assert_uint_eq(g[2].at, 8);
	ck_assert_uint_eq(regex_groups(re, "geo", 3, g), 0);
	regex_free(re);
	re = regex_new_groups("(a)|(b)", &why);
	ck_assert_uint_eq(regex_groups(re, "b", 1, g), 3);
	ck_assert_uint_eq(g[1].len, 0);
	ck_assert_uint_eq(g[2].len, 1);
	regex_free(re);
}
END_TEST

UNIT_MAIN("regex", says_where_its_groups_are, matches_anywhere_unless_anchored,
    refuses_in_the_words_of_go, bounds_length_nesting_and_work)

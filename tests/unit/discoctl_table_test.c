/*
 * Tables and options of the command.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "discoctl/ctl.h"
#include "tests/unit/common_unit.h"

static char *
printed(struct table *t)
{
	char	*text = NULL;
	size_t	 len;
	FILE	*f = open_memstream(&text, &len);

	table_print(t, f);
	fclose(f);
	table_free(t);
	return text;
}

START_TEST(columns_are_two_spaces_apart_and_the_last_is_not_padded)
{
	struct table	*t = table_new(2);
	char		*got;

	table_row(t, "%s\t%s\t%s", "Node", "Address", "DC");
	table_row(t, "%s\t%s\t%s", "longer-name", "10.0.0.2", "dc1");
	got = printed(t);
	ck_assert_str_eq(got,
	    "Node         Address   DC\n"
	    "longer-name  10.0.0.2  dc1\n");
	free(got);
}
END_TEST

START_TEST(sorting_leaves_the_heading_on_top)
{
	struct table	*t = table_new(2);
	char		*got;

	table_row(t, "Z");
	table_row(t, "b");
	table_row(t, "a");
	table_sort(t, true);
	got = printed(t);
	ck_assert_str_eq(got, "Z\na\nb\n");
	free(got);
}
END_TEST

START_TEST(states_have_colours_and_other_cells_have_none)
{
	ck_assert_str_eq(colour_of("alive\tx", 5), "\033[32m");
	ck_assert_str_eq(colour_of("critical", 8), "\033[31m");
	ck_assert_str_eq(colour_of("alive2", 6), "");
	ck_assert_str_eq(colour_of("", 0), "");
}
END_TEST

START_TEST(no_colours_where_there_is_no_terminal)
{
	ck_assert(!colours_wanted() || isatty(1));
	setenv("NO_COLOR", "1", 1);
	ck_assert(!colours_wanted());
}
END_TEST

static int
nothing(struct ctl *c, int argc, char **argv)
{
	(void)c;
	(void)argv;
	return argc;
}

static const struct command cmd = {
	"test", CMD_HTTP, "", "", "", nothing
};

START_TEST(options_take_one_dash_or_two_and_a_value_either_way)
{
	const char	*reason = NULL, *service = NULL;
	bool		 enable = false;
	struct strs	 tags = { 0 };
	struct opt	 opts[] = {
		{ "enable", OPT_FLAG, &enable, NULL, "", NULL },
		{ "reason", OPT_STR, &reason, "<s>", "", NULL },
		{ "service", OPT_STR, &service, "<s>", "", NULL },
		{ "tag", OPT_LIST, &tags, "<s>", "", NULL },
		{ 0 }
	};
	char		*argv[] = {
		(char[]){ "-enable" }, (char[]){ "--reason=a=b" },
		(char[]){ "-service" }, (char[]){ "web" },
		(char[]){ "-tag=x" }, (char[]){ "-tag" }, (char[]){ "y" },
		(char[]){ "rest" }
	};
	struct ctl	 c = { .prog = "discoctl", .cmd = &cmd };
	int		 status = -1;

	ck_assert_int_eq(options(&c, opts, 8, argv, &status), 7);
	ck_assert(enable);
	ck_assert_str_eq(reason, "a=b");
	ck_assert_str_eq(service, "web");
	ck_assert_uint_eq(tags.n, 2);
	strs_clear(&tags);
}
END_TEST

START_TEST(the_environment_gives_the_address_and_the_option_wins)
{
	struct ctl	 c = { .prog = "discoctl", .cmd = &cmd };
	char		*argv[] = { (char[]){ "-http-addr=10.0.0.1:1" } };
	int		 status;

	setenv("CONSUL_HTTP_ADDR", "unix:///x", 1);
	ck_assert_int_eq(options(&c, NULL, 0, argv, &status), 0);
	ck_assert_str_eq(c.target.addr, "unix:///x");
	ck_assert_int_eq(options(&c, NULL, 1, argv, &status), 1);
	ck_assert_str_eq(c.target.addr, "10.0.0.1:1");
	unsetenv("CONSUL_HTTP_ADDR");
}
END_TEST

START_TEST(an_unknown_option_is_status_1_and_help_status_0)
{
	struct ctl	 c = { .prog = "discoctl", .cmd = &cmd };
	char		*bad[] = { (char[]){ "-nope" } };
	char		*help[] = { (char[]){ "-h" } };
	int		 status = -1;

	ck_assert_int_eq(options(&c, NULL, 1, bad, &status), -1);
	ck_assert_int_eq(status, 1);
	ck_assert_int_eq(options(&c, NULL, 1, help, &status), -1);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(values_are_escaped_for_a_path)
{
	char	*got = escape("a b/c?d%");

	ck_assert_str_eq(got, "a%20b%2Fc%3Fd%25");
	free(got);
}
END_TEST

UNIT_MAIN("discoctl",
    columns_are_two_spaces_apart_and_the_last_is_not_padded,
    sorting_leaves_the_heading_on_top,
    states_have_colours_and_other_cells_have_none,
    no_colours_where_there_is_no_terminal,
    options_take_one_dash_or_two_and_a_value_either_way,
    the_environment_gives_the_address_and_the_option_wins,
    an_unknown_option_is_status_1_and_help_status_0,
    values_are_escaped_for_a_path)

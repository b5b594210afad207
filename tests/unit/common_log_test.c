/*
 * The log line: its form, and that nothing from outside breaks it.
 */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/common_unit.h"

static int	pipe_fds[2];

static void
setup(void)
{
	ck_assert_int_eq(pipe(pipe_fds), 0);
	log_init("testd");
	log_to(pipe_fds[1]);
	log_set_level(LOG_L_INFO);
}

static char *
written(void)
{
	static char	buf[20000];
	ssize_t		n;

	log_to(STDERR_FILENO);		/* closes the pipe */
	n = read(pipe_fds[0], buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = '\0';
	close(pipe_fds[0]);
	return buf;
}

static void
matches(const char *text, const char *pattern)
{
	regex_t	re;

	ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(regexec(&re, text, 0, NULL, 0) == 0, "%s", text);
	regfree(&re);
}

#define STAMP "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z "

START_TEST(line_has_time_level_daemon_message)
{
	setup();
	log_info("member %s: joined", "node2");
	matches(written(), STAMP "\\[INFO\\]  testd: member node2: joined\n$");
	setup();
	log_errorx("bad");
	matches(written(), STAMP "\\[ERROR\\] testd: bad\n$");
}
END_TEST

START_TEST(warn_adds_errno_and_keeps_it)
{
	setup();
	errno = ENOENT;
	log_warn("open %s", "x");
	ck_assert_int_eq(errno, ENOENT);
	matches(written(), "\\[WARN\\]  testd: open x: No such file or "
	    "directory\n$");
}
END_TEST

START_TEST(control_characters_do_not_start_a_line)
{
	setup();
	log_info("name %s", "evil\n2026-11-22T00:00:00.000Z [INFO]  x: \x1b[1m");
	matches(written(), "testd: name evil\\?2026[^\n]*\\?\\[1m\n$");
}
END_TEST

START_TEST(long_message_is_cut_and_says_so)
{
	char	*big = malloc(20000), *line;

	memset(big, 'a', 19999);
	big[19999] = '\0';
	setup();
	log_info("%s", big);
	line = written();
	ck_assert_uint_lt(strlen(line), 9000);
	matches(line, "aaa\\.\\.\\.\n$");
	free(big);
}
END_TEST

START_TEST(lines_below_the_level_are_not_written)
{
	enum log_level	l;

	setup();
	log_debug("no");
	ck_assert(!log_enabled(LOG_L_DEBUG));
	log_set_level(LOG_L_DEBUG);
	log_debug("yes");
	matches(written(), "^[^\n]*yes\n$");
	ck_assert_int_eq(log_level_parse("WARN", &l), 0);
	ck_assert_int_eq(l, LOG_L_WARN);
	ck_assert_int_eq(log_level_parse("error", &l), 0);
	ck_assert_int_eq(l, LOG_L_ERR);
	ck_assert_int_eq(log_level_parse("loud", &l), -1);
	ck_assert_int_eq(log_level_parse(NULL, &l), -1);
	ck_assert_str_eq(log_level_name(LOG_L_ERR), "err");
}
END_TEST

START_TEST(line_for_another_daemon_fits_its_buffer)
{
	char	buf[64];
	size_t	n;

	n = log_line(buf, sizeof(buf), LOG_L_WARN, "dnsd",
	    "a text that is longer than what is left of the buffer");
	ck_assert_uint_eq(n, sizeof(buf));
	ck_assert_mem_eq(buf + n - 4, "...\n", 4);
}
END_TEST

START_TEST(a_flood_of_lines_is_bounded_and_counted)
{
	struct log_rate	r = { 0 };
	unsigned	i, left_out;

	for (i = 0; i < LOG_LINES_PER_S; i++)
		ck_assert(log_rate_pass(&r, 7, &left_out));
	ck_assert(!log_rate_pass(&r, 7, &left_out));
	ck_assert(!log_rate_pass(&r, 7, &left_out));
	ck_assert_uint_eq(left_out, 0);
	ck_assert(log_rate_pass(&r, 8, &left_out));
	ck_assert_uint_eq(left_out, 2);
	ck_assert(log_rate_pass(&r, 8, &left_out));
	ck_assert_uint_eq(left_out, 0);
}
END_TEST

UNIT_MAIN("common_log",
    line_has_time_level_daemon_message,
    warn_adds_errno_and_keeps_it,
    control_characters_do_not_start_a_line,
    long_message_is_cut_and_says_so,
    lines_below_the_level_are_not_written,
    line_for_another_daemon_fits_its_buffer,
    a_flood_of_lines_is_bounded_and_counted)

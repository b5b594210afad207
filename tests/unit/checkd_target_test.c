/*
 * checkd: targets taken apart; statuses and outputs in the recorded words.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "checkd/outcome.h"
#include "checkd/target.h"
#include "tests/unit/common_unit.h"

static const struct {
	const char	*url, *host;
	unsigned	 port;
	bool		 tls;
} urls[] = {
	{ "http://localhost:8080/", "localhost", 8080, false },
	{ "http://web", "web", 80, false },
	{ "https://web.example/x?y=z", "web.example", 443, true },
	{ "HTTP://10.0.0.1:9/", "10.0.0.1", 9, false },
	{ "http://[::1]:8500/v1/", "::1", 8500, false },
	{ "http://u:p@host:81/", "host", 81, false },
	{ "http://host/p a", "host", 80, false },
};

START_TEST(urls_are_taken_apart)
{
	struct target	 t;
	char		*err;

	ck_assert_int_eq(target_url(urls[_i].url, "GET", &t, &err), 0);
	ck_assert_str_eq(t.host, urls[_i].host);
	ck_assert_uint_eq(t.port, urls[_i].port);
	ck_assert_int_eq(t.tls, urls[_i].tls);
	target_clear(&t);
}
END_TEST

static const struct {
	const char	*url, *err;	/* err: how it begins */
} bad_urls[] = {
	{ "ftp://host/",
	    "Get \"ftp://host/\": unsupported protocol scheme \"ftp\"" },
	{ "file:///etc/passwd", "Get \"file:///etc/passwd\": unsupported" },
	{ "127.0.0.1:80", "parse \"127.0.0.1:80\": " },
	{ "http://[::1/", "parse \"http://[::1/\": " },
	{ "http://host:99999/", "parse \"http://host:99999/\": " },
	{ "http://[fe80::1%25lo]/", "parse " },
	{ "http://", "parse \"http://\": " },
	{ "", "parse \"\": " },
};

START_TEST(bad_urls_say_why)
{
	struct target	 t;
	char		*err = NULL;

	ck_assert_int_eq(target_url(bad_urls[_i].url, "GET", &t, &err), -1);
	ck_assert_msg(strncmp(err, bad_urls[_i].err,
	    strlen(bad_urls[_i].err)) == 0, "%s: %s", bad_urls[_i].url, err);
	free(err);
}
END_TEST

static const struct {
	const char	*text, *host, *err;
	unsigned	 port;
} tcps[] = {
	{ "127.0.0.1:8500", "127.0.0.1", NULL, 8500 },
	{ "[::1]:80", "::1", NULL, 80 },
	{ "web.example:1", "web.example", NULL, 1 },
	{ ":9001", "localhost", NULL, 9001 },
	{ "127.0.0.1", NULL,
	    "dial tcp: address 127.0.0.1: missing port in address", 0 },
	{ "127.0.0.1:x", NULL, "dial tcp: address tcp/x: unknown port", 0 },
	{ "127.0.0.1:70000", NULL, "dial tcp: address 70000: invalid port",
	    0 },
	{ "127.0.0.1:99999999999999999999", NULL,
	    "dial tcp: address 99999999999999999999: invalid port", 0 },
	{ "::1:80", NULL,
	    "dial tcp: address ::1:80: too many colons in address", 0 },
	{ "[::1]", NULL, "dial tcp: address [::1]: missing port in address",
	    0 },
	{ "[fe80::1%lo]:80", NULL,
	    "dial tcp: address [fe80::1%lo]:80: bad host", 0 },
	{ "", NULL, "dial tcp: address : missing port in address", 0 },
};

START_TEST(tcp_addresses_are_taken_apart)
{
	struct target	 t;
	char		*err = NULL;
	int		 rc = target_hostport(tcps[_i].text, "tcp", &t, &err);

	if (tcps[_i].err != NULL) {
		ck_assert_int_eq(rc, -1);
		ck_assert_str_eq(err, tcps[_i].err);
		free(err);
		return;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_str_eq(t.host, tcps[_i].host);
	ck_assert_uint_eq(t.port, tcps[_i].port);
}
END_TEST

START_TEST(http_results_are_worded_as_recorded)
{
	struct tail	 body;
	char		*s;

	ck_assert_str_eq(http_status(200), passing);
	ck_assert_str_eq(http_status(204), passing);
	ck_assert_str_eq(http_status(429), warning);
	ck_assert_str_eq(http_status(301), critical);
	ck_assert_str_eq(http_status(503), critical);
	tail_init(&body, 10);
	tail_add(&body, "0123456789abc", 13);
	s = http_output("GET", "http://127.0.0.1:8500/", "200 OK", &body);
	ck_assert_str_eq(s,
	    "HTTP GET http://127.0.0.1:8500/: 200 OK Output: 3456789abc");
	free(s);
	tail_clear(&body);
	s = http_failure("POST", "http://127.0.0.1:9/",
	    "dial tcp 127.0.0.1:9: connect: connection refused");
	ck_assert_str_eq(s, "Post \"http://127.0.0.1:9/\": dial tcp "
	    "127.0.0.1:9: connect: connection refused");
	free(s);
}
END_TEST

static const struct {
	enum run_end	 end;
	int		 code;
	const char	*output;
	uint64_t	 total;
	const char	*error, *status, *text;
} scripts[] = {
	{ RUN_EXIT, 0, "hello\nerr\n", 10, NULL, "passing", "hello\nerr\n" },
	{ RUN_EXIT, 1, "warn\n", 5, NULL, "warning", "warn\n" },
	{ RUN_EXIT, 2, "crit\n", 5, NULL, "critical", "crit\n" },
	{ RUN_EXIT, 0, NULL, 0, NULL, "passing", "" },
	{ RUN_SIGNAL, 9, "a\n", 2, NULL, "critical", "a\n" },
	{ RUN_TIMEOUT, 0, NULL, 0, NULL, "critical",
	    "Timed out (1s) running check" },
	{ RUN_TIMEOUT, 0, "before\n", 7, NULL, "critical",
	    "Timed out (1s) running check\n\nbefore\n" },
	{ RUN_FAILED, 0, NULL, 0,
	    "fork/exec /nonexistent: no such file or directory", "critical",
	    "fork/exec /nonexistent: no such file or directory" },
	{ RUN_EXIT, 0, "9abcdef\n", 17, NULL, "passing",
	    "Captured 8 of 17 bytes\n...\n9abcdef\n" },
};

START_TEST(script_results_are_worded_as_recorded)
{
	struct msg_exited	 m;
	char			*s;

	memset(&m, 0, sizeof(m));
	m.end = scripts[_i].end;
	m.code = scripts[_i].code;
	if (scripts[_i].output != NULL)
		bytes_set(&m.output, scripts[_i].output,
		    strlen(scripts[_i].output));
	m.total = scripts[_i].total;
	m.error = xstrdup(scripts[_i].error);
	ck_assert_str_eq(script_status(&m), scripts[_i].status);
	s = script_output(&m, NS_PER_S);
	ck_assert_str_eq(s, scripts[_i].text);
	free(s);
	schema_clear(&msg_exited_schema, &m);
}
END_TEST

START_TEST(output_is_not_cut_at_a_nul)
{
	char	*s = output_text((const uint8_t *)"a\0b", 3);

	ck_assert_str_eq(s, "a?b");
	free(s);
}
END_TEST

int
main(void)
{
	TCase	*tc = unit_case("checkd_target");

	tcase_add_loop_test(tc, urls_are_taken_apart, 0, (int)NELEM(urls));
	tcase_add_loop_test(tc, bad_urls_say_why, 0, (int)NELEM(bad_urls));
	tcase_add_loop_test(tc, tcp_addresses_are_taken_apart, 0,
	    (int)NELEM(tcps));
	tcase_add_test(tc, http_results_are_worded_as_recorded);
	tcase_add_loop_test(tc, script_results_are_worded_as_recorded, 0,
	    (int)NELEM(scripts));
	tcase_add_test(tc, output_is_not_cut_at_a_nul);
	return unit_case_run("checkd_target", tc);
}

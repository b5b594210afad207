/*
 * The command line: its options, their keys, and that usage and man pages have
 * them all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "tests/unit/discod_config_got.h"

static void
flags(struct flags *f, struct problems *p, const char *line)
{
	char *copy = xstrdup(line), *save, *tok, *argv[32];
	int argc = 0;

	memset(p, 0, sizeof(*p));
	for (tok = strtok_r(copy, " ", &save); tok != NULL;
	    tok = strtok_r(NULL, " ", &save))
		argv[argc++] = tok;
	flags_parse(f, argc, argv, "/srv", p);
	free(copy);
}

START_TEST(flags_take_one_dash_or_two_and_equals_or_space)
{
	struct problems p;
	struct flags f;

	flags(&f, &p, "discod -node a --node=b --data-dir /d -server "
	    "-bootstrap-expect=1 -ui=false --config-file c.json "
	    "-config-dir=/e -f");
	ck_assert_uint_eq(p.line.n, 0);
	ck_assert_uint_eq(f.nval, 7);
	ck_assert_str_eq(f.val[1].text, "b");
	ck_assert_int_eq(f.val[2].key, KEY_DATA_DIR);
	ck_assert_str_eq(f.val[3].text, "true");
	ck_assert_str_eq(f.val[5].text, "false");
	ck_assert_uint_eq(f.sources.n, 2);
	ck_assert_str_eq(f.sources.item[0], "/srv/c.json");
	ck_assert(!f.as_consul);
	flags_clear(&f);
}
END_TEST

START_TEST(consul_agent_is_the_same_program)
{
	struct problems p;
	struct flags f;

	flags(&f, &p, "/usr/bin/consul agent -dev");
	ck_assert_uint_eq(p.line.n, 0);
	ck_assert(f.as_consul && f.dev);
	flags_clear(&f);
}
END_TEST

START_TEST(wrong_flags_are_named)
{
	static const struct { const char *line, *want; } t[] = {
		{ "discod -bogus", "flag provided but not defined: -bogus" },
		{ "discod extra", "Unexpected extra arguments: [extra]" },
		{ "discod -node", "flag needs an argument: -node" },
		{ "discod -config-format=yaml", "use json or hcl" },
	};
	struct problems p;
	struct flags f;
	size_t i;

	for (i = 0; i < NELEM(t); i++) {
		flags(&f, &p, t[i].line);
		ck_assert_msg(any_line(&p.line, t[i].want), "%s", t[i].line);
		strs_clear(&p.line);
		flags_clear(&f);
	}
}
END_TEST

START_TEST(every_option_is_in_usage_and_man_page)
{
	char want[96], name[64], *page;
	const char *p;
	size_t lines = 0, len;

	page = file_read("man/discod.8", 1 << 20, &len);
	ck_assert_msg(page != NULL, "man/discod.8: run from the top");
	for (p = config_usage; (p = strstr(p, "\n  -")) != NULL; lines++) {
		p += strlen("\n  -");
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, " \n"), p);
		snprintf(want, sizeof(want), "\n.It Fl %s\n", name);
		if (strstr(page, want) == NULL)
			snprintf(want, sizeof(want), "\n.It Fl %s ", name);
		ck_assert_msg(strstr(page, want) != NULL, "-%s", name);
	}
	ck_assert_uint_gt(lines, 60);
	free(page);
}
END_TEST

/* Options, and what -n shows once they are given. */
static const struct { const char *options, *shown; } options[] = {
	{ "-advertise 10.9.9.9", "\"advertise_addr\": \"10.9.9.9\"" },
	{ "-advertise-wan 1.2.3.4", "\"advertise_addr_wan\": \"1.2.3.4\"" },
	{ "-allow-write-http-from 10.0.0.0/8", "\"10.0.0.0/8\"" },
	{ "-alt-domain x.y", "\"alt_domain\": \"x.y\"" },
	{ "-bind 10.0.0.2", "\"bind_addr\": \"10.0.0.2\"" },
	{ "-bootstrap -server", "\"bootstrap\": true" },
	{ "-bootstrap-expect 3 -server", "\"bootstrap_expect\": 3" },
	{ "-check_output_max_size 7", "\"check_output_max_size\": 7" },
	{ "-client 127.0.0.2", "\"client_addr\": \"127.0.0.2\"" },
	{ "-data-dir /srv/other", "\"data_dir\": \"/srv/other\"" },
	{ "-datacenter dc9", "\"datacenter\": \"dc9\"" },
	{ "-default-query-time 7s", "\"default_query_time\": \"7s\"" },
	{ "-disable-host-node-id=false", "\"disable_host_node_id\": false" },
	{ "-disable-keyring-file", "\"disable_keyring_file\": true" },
	{ "-dns-port 7", "\"dns\": 7," },
	{ "-domain x.y", "\"domain\": \"x.y.\"" },
	{ "-enable-local-script-checks",
	    "\"enable_local_script_checks\": true" },
	{ "-enable-script-checks", "\"enable_script_checks\": true" },
	{ "-encrypt AAAAAAAAAAAAAAAAAAAAAA==", "{" },	/* never shown */
	{ "-f", "\"foreground\": true" },
	{ "-grpc-port 7", "\"grpc\": 7," },
	{ "-http-port 7", "\"http\": 7," },
	{ "-https-port -1", "\"https\": -1," },
	{ "-join a -join b", "\"start_join\": [\n        \"a\",\n        \"b\"" },
	{ "-join-wan=a -server", "\"start_join_wan\": [\n        \"a\"" },
	{ "-log-file /x/", "\"log_file\": \"/x" },
	{ "-log-json", "\"log_json\": true" },
	{ "-log-level err", "\"log_level\": \"err\"" },
	{ "-log-rotate-bytes 7", "\"log_rotate_bytes\": 7" },
	{ "-log-rotate-duration 7s", "\"log_rotate_duration\": \"7s\"" },
	{ "-log-rotate-max-files 7", "\"log_rotate_max_files\": 7" },
	{ "-max-query-time 7s", "\"max_query_time\": \"7s\"" },
	{ "-node a", "\"node_name\": \"a\"" },
	{ "-node-id 0f6afd0f-6a34-9289-0f33-236dca82d8a3",
	    "\"node_id\": \"0f6afd0f-6a34-9289-0f33-236dca82d8a3\"" },
	{ "-node-meta a:b", "\"a\": \"b\"" },
	{ "-non-voting-server -server", "\"non_voting_server\": true" },
	{ "-pid-file /x.pid", "\"pid_file\": \"/x.pid\"" },
	{ "-primary-gateway a", "\"primary_gateways\": [\n        \"a\"" },
	{ "-protocol 3", "\"protocol\": 3" },
	{ "-raft-protocol 3", "\"raft_protocol\": 3" },
	{ "-recursor 1.1.1.1", "\"recursors\": [\n        \"1.1.1.1\"" },
	{ "-rejoin", "\"rejoin_after_leave\": true" },
	{ "-retry-interval 7s", "\"retry_interval\": \"7s\"" },
	{ "-retry-interval-wan 37s", "\"retry_interval_wan\": \"37s\"" },
	{ "-retry-join a", "\"retry_join\": [\n        \"a\"" },
	{ "-retry-join-wan a", "\"retry_join_wan\": [\n        \"a\"" },
	{ "-retry-max 7", "\"retry_max\": 7" },
	{ "-retry-max-wan 7", "\"retry_max_wan\": 7" },
	{ "-run-dir /run/x", "\"run_dir\": \"/run/x\"" },
	{ "-sandbox optional", "\"sandbox\": \"optional\"" },
	{ "-segment a", "\"segment\": \"a\"" },
	{ "-serf-lan-allowed-cidrs 10.0.0.0/8",
	    "\"serf_lan_allowed_cidrs\": [\n        \"10.0.0.0/8\"" },
	{ "-serf-lan-bind 10.0.0.2", "\"serf_lan\": \"10.0.0.2\"" },
	{ "-serf-lan-port 7", "\"serf_lan\": 7," },
	{ "-serf-wan-allowed-cidrs 10.0.0.0/8",
	    "\"serf_wan_allowed_cidrs\": [\n        \"10.0.0.0/8\"" },
	{ "-serf-wan-bind 10.0.0.2", "\"serf_wan\": \"10.0.0.2\"" },
	{ "-serf-wan-port 7", "\"serf_wan\": 7," },
	{ "-server", "\"server\": true" },
	{ "-server-port 7", "\"server\": 7," },
	{ "-syslog", "\"enable_syslog\": true" },
	{ "-ui", "\"ui\": true" },
	{ "-ui-content-path /x/", "\"ui_content_path\": \"/x/\"" },
	{ "-ui-dir /x", "\"ui_dir\": \"/x\"" },
};

START_TEST(an_option_sets_its_key)
{
	struct config_env env = env_default();
	struct defs d = { 0 };
	struct flags f;
	struct got g;
	char line[256], *shown;
	size_t i;

	memset(&g, 0, sizeof(g));
	values_init(&g.v, false);
	snprintf(line, sizeof(line), "discod -data-dir /srv/data -advertise "
	    "10.0.0.2 %s", options[_i].options);
	flags(&f, &g.p, line);
	for (i = 0; i < f.nval; i++)
		values_text(&g.v, f.val[i].key, f.val[i].text, "", &g.p);
	config_build(&g.v, &d, &env, &g.c, &g.p);
	ck_assert_msg(g.p.line.n == 0, "%s: %s", line,
	    g.p.line.n > 0 ? g.p.line.item[0] : "");
	shown = config_show(&g.v, &g.c);
	ck_assert_msg(strstr(shown, options[_i].shown) != NULL, "%s: no %s",
	    line, options[_i].shown);
	free(shown);
	flags_clear(&f);
	got_clear(&g);
}
END_TEST

START_TEST(every_option_that_sets_a_key_is_tried)
{
	const char *p = strstr(config_usage, "\n  -version");
	char name[64];
	size_t i, len;

	ck_assert_ptr_nonnull(p);
	for (p++; (p = strstr(p, "\n  -")) != NULL; ) {
		p += strlen("\n  ");
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, " \n"),
		    p);
		len = strlen(name);
		for (i = 0; i < NELEM(options); i++)
			if (strncmp(options[i].options, name, len) == 0 &&
			    strchr(" =", options[i].options[len]) != NULL)
				break;
		ck_assert_msg(i < NELEM(options), "%s", name);
	}
}
END_TEST

START_TEST(every_key_is_in_the_man_page)
{
	char *page;
	size_t i, len;

	page = file_read("man/disco.conf.5", 1 << 20, &len);
	ck_assert_msg(page != NULL, "man/disco.conf.5: run from the top");
	for (i = 0; i < KEY_MAX; i++)
		ck_assert_msg(strstr(page, config_keys[i].path) != NULL, "%s",
		    config_keys[i].path);
	free(page);
}
END_TEST

int
main(void)
{
	TCase *tc = unit_case("discod_flags");

	tcase_add_test(tc, flags_take_one_dash_or_two_and_equals_or_space);
	tcase_add_test(tc, consul_agent_is_the_same_program);
	tcase_add_test(tc, wrong_flags_are_named);
	tcase_add_test(tc, every_option_is_in_usage_and_man_page);
	tcase_add_loop_test(tc, an_option_sets_its_key, 0,
	    NELEM(options));
	tcase_add_test(tc, every_option_that_sets_a_key_is_tried);
	tcase_add_test(tc, every_key_is_in_the_man_page);
	return unit_case_run("discod_flags", tc);
}

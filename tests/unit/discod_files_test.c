/*
 * Configuration from files and directories: their order, what is wrong in
 * them, what a start keeps and a reload takes.
 */
#include <sys/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bsd/string.h"
#include "common/util.h"
#include "tests/unit/discod_config_got.h"

static char dir[64];

static void
setup(void)
{
	unit_dir_make(dir, sizeof(dir));
}

static void
teardown(void)
{
	unit_dir_remove(dir);
}

static void
put(const char *name, const char *text)
{
	char path[128];
	FILE *fp;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_ptr_nonnull(fp = fopen(path, "w"));
	fputs(text, fp);
	fclose(fp);
}

/* Arguments with % standing for the test's directory. */
static enum config_result
load(struct config *c, char *err, size_t errlen, const char *line)
{
	char text[1024] = "", *save, *tok, *argv[32];
	enum config_result res;
	int argc = 0;

	for (; *line != '\0'; line++) {
		if (*line == '%')
			strlcat(text, dir, sizeof(text));
		else
			strlcat(text, (char[]){ *line, '\0' }, sizeof(text));
	}
	for (tok = strtok_r(text, " ", &save); tok != NULL;
	    tok = strtok_r(NULL, " ", &save))
		argv[argc++] = tok;
	err[0] = '\0';
	res = config_load(argc, argv, c, err, errlen);
	return res;
}

START_TEST(flags_win_over_files_and_directories_are_read_in_order)
{
	char err[1024];
	struct config c;

	put("z.json", "{\"node_name\": \"file\", \"datacenter\": \"dc9\"}");
	ck_assert_int_eq(mkdir(strcat(strcpy(err, dir), "/d"), 0755), 0);
	put("d/20-b.json", "{\"datacenter\": \"dc3\"}");
	put("d/10-a.json", "{\"datacenter\": \"dc2\"}");
	put("d/readme.txt", "not json");
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -node flag -bind "
	    "127.0.0.1 -data-dir %/data -config-file %/z.json -config-dir "
	    "%/d"), CONFIG_RUN);
	ck_assert_str_eq(c.agent.node_name, "flag");
	ck_assert_str_eq(c.agent.datacenter, "dc3");
	ck_assert(any_line(&c.warnings, "skipping file"));
	ck_assert_ptr_nonnull(strstr(c.http.debug_config,
	    "\"Datacenter\":\"dc3\""));
	config_clear(&c);
}
END_TEST

START_TEST(bad_files_are_named_with_line_and_column)
{
	char err[1024];
	struct config c;

	put("a.json", "{\n  \"server\": true,\n}");
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -dev -config-file "
	    "%/a.json"), CONFIG_BAD);
	ck_assert_ptr_nonnull(strstr(err, "a.json: not JSON: line 3"));
	put("a.hcl", "server = true\nports {\n  http 1\n}\n");
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -dev -config-file "
	    "%/a.hcl"), CONFIG_BAD);
	ck_assert_ptr_nonnull(strstr(err, "a.hcl: not HCL: line 3, column 8"));
	put("a.hcl", "ports {\n  htp = 1\n}\n");
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -dev -config-file "
	    "%/a.hcl"), CONFIG_BAD);
	ck_assert_ptr_nonnull(strstr(err, "a.hcl:2:"));
	ck_assert_ptr_nonnull(strstr(err, "invalid config key ports.htp"));
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -dev -config-file "
	    "%/nosuch.json"), CONFIG_BAD);
	ck_assert_ptr_nonnull(strstr(err, "No such file"));
}
END_TEST

START_TEST(hcl_says_what_json_says)
{
	char err[1024] = "";
	struct config c;

	snprintf(err, sizeof(err), "%s/hcl", dir);
	ck_assert_int_eq(mkdir(err, 0755), 0);
	put("hcl/a.json", "{\"services\": [{\"name\": \"json\"}]}");
	put("hcl/b.hcl", "# as Consul's users have it\n"
	    "node_name = \"n\"\nports { http = 8501 }\n"
	    "service {\n  name = \"one\"\n  port = 80\n"
	    "  checks { name = \"c\" ttl = \"10s\" }\n}\n"
	    "services { name = \"only\" }\n"
	    "check { name = \"x\" ttl = \"1s\" }\n"
	    "node_meta { rack = \"r1\" }\n");
	ck_assert_msg(load(&c, err, sizeof(err), "discod -dev -config-dir "
	    "%/hcl") == CONFIG_RUN, "%s", err);
	ck_assert_str_eq(c.agent.node_name, "n");
	ck_assert_uint_eq(c.services.n, 3);
	ck_assert_str_eq(c.services.item[0].name, "json");
	ck_assert_uint_eq(c.checks.n, 1);
	config_clear(&c);

	put("conf", "datacenter = \"dc7\"");
	ck_assert_msg(load(&c, err, sizeof(err), "discod -dev -config-format "
	    "hcl -config-file %/conf") == CONFIG_RUN, "%s", err);
	ck_assert_str_eq(c.agent.datacenter, "dc7");
	config_clear(&c);
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -dev "
	    "-config-format yaml -config-file %/conf"), CONFIG_BAD);
	ck_assert_ptr_nonnull(strstr(err, "use json or hcl"));
}
END_TEST

START_TEST(watches_go_to_execd_with_whom_they_ask)
{
	char err[1024] = "", *shown;
	struct config c;

	put("w.hcl", "watches {\n  type = \"key\"\n  key = \"k\"\n"
	    "  token = \"secret\"\n  args = [\"/bin/true\"]\n}\n");
	ck_assert_msg(load(&c, err, sizeof(err), "discod -dev -config-file "
	    "%/w.hcl -http-port 8512") == CONFIG_RUN, "%s", err);
	ck_assert(c.need_exec);
	ck_assert_uint_eq(c.exec.watches.n, 1);
	ck_assert_ptr_nonnull(strstr(c.exec.watches.item[0], "secret"));
	ck_assert_str_eq(c.exec.watch_api, "127.0.0.1:8512");
	shown = config_show(c.values, &c);
	ck_assert_ptr_nonnull(strstr(shown, "\"/bin/true\""));
	ck_assert_ptr_null(strstr(shown, "secret"));
	ck_assert_ptr_null(strstr(c.http.debug_config, "secret"));
	free(shown);
	config_clear(&c);

	ck_assert_msg(load(&c, err, sizeof(err), "discod -dev -config-file "
	    "%/w.hcl -client 0.0.0.0") == CONFIG_RUN, "%s", err);
	ck_assert_str_eq(c.exec.watch_api, "127.0.0.1:8500");
	config_clear(&c);
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -dev -config-file "
	    "%/w.hcl -http-port -1"), CONFIG_BAD);
	ck_assert_ptr_nonnull(strstr(err, "no HTTP listener"));
}
END_TEST

START_TEST(a_text_of_hcl_comes_after_all_else)
{
	char err[1024] = "";
	struct config c;

	ck_assert_msg(load(&c, err, sizeof(err), "discod -dev -hcl "
	    "datacenter=\"dc8\" -datacenter dc9") == CONFIG_RUN, "%s", err);
	ck_assert_str_eq(c.agent.datacenter, "dc8");
	ck_assert(c.run_temporary);
	config_clear(&c);
}
END_TEST

START_TEST(the_node_id_is_made_once_and_kept)
{
	char err[1024], id[37], path[128];
	struct config c;
	struct stat st;

	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -bind 127.0.0.1 "
	    "-data-dir %/data"), CONFIG_RUN);
	ck_assert(uuid_valid(c.agent.node_id));
	strlcpy(id, c.agent.node_id, sizeof(id));
	config_clear(&c);
	snprintf(path, sizeof(path), "%s/data/node-id", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -bind 127.0.0.1 "
	    "-data-dir %/data"), CONFIG_RUN);
	ck_assert_str_eq(c.agent.node_id, id);
	config_clear(&c);
	put("data/node-id", "rubbish");
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -bind 127.0.0.1 "
	    "-data-dir %/data"), CONFIG_BAD);
	ck_assert_ptr_nonnull(strstr(err, "node-id: it holds no UUID"));
}
END_TEST

START_TEST(an_impossible_data_directory_is_named)
{
	char err[1024];
	struct config c;

	put("file", "");
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -bind 127.0.0.1 "
	    "-data-dir %/file/data"), CONFIG_BAD);
	ck_assert_ptr_nonnull(strstr(err, "/file/data"));
}
END_TEST

START_TEST(relative_paths_hold_after_a_change_of_directory)
{
	char err[1024], was[512];
	struct config c, n;

	ck_assert_ptr_nonnull(getcwd(was, sizeof(was)));
	ck_assert_int_eq(chdir(dir), 0);
	put("a.json", "{\"service\": {\"name\": \"web\"}}");
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -bind 127.0.0.1 "
	    "-data-dir data -log-file log/ -config-file a.json"), CONFIG_RUN);
	ck_assert_int_eq(chdir(was), 0);
	ck_assert_msg(config_reload(&c, &n, err, sizeof(err)) == CONFIG_RUN,
	    "%s", err);
	ck_assert_str_eq(n.data_dir, c.data_dir);
	ck_assert_str_eq(n.log_dir, c.log_dir);
	ck_assert_uint_eq(n.services.n, 1);
	config_clear(&n);
	config_clear(&c);
}
END_TEST

START_TEST(a_reload_takes_what_can_change_and_keeps_the_rest)
{
	char err[1024];
	struct config c, n;

	put("a.json", "{\"node_name\": \"a\", \"ports\": {\"http\": 8500}, "
	    "\"service\": {\"name\": \"web\"}}");
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -bind 127.0.0.1 "
	    "-data-dir %/data -config-file %/a.json"), CONFIG_RUN);
	put("a.json", "{\"node_name\": \"b\", \"ports\": {\"http\": 9500}, "
	    "\"log_level\": \"debug\", \"services\": [{\"name\": \"web\"}, "
	    "{\"name\": \"db\"}], \"dns_workers\": 3, \"encrypt\": \"AAAAAAAAAAAAAAAAAAAAAA==\"}");
	ck_assert_msg(config_reload(&c, &n, err, sizeof(err)) == CONFIG_RUN,
	    "%s", err);
	ck_assert_str_eq(n.agent.node_name, "a");
	ck_assert_str_eq(n.agent.node_id, c.agent.node_id);
	ck_assert_str_eq(n.data_dir, c.data_dir);
	ck_assert_str_eq(n.agent.advertise_addr, c.agent.advertise_addr);
	ck_assert_uint_eq(listener(&n, SOCK_HTTP_TCP, 0)->port, 8500);
	ck_assert(str_empty(n.gossip.encrypt));
	ck_assert_uint_eq(n.dns_workers, 1);
	ck_assert_int_eq(n.log_level, LOG_L_DEBUG);
	ck_assert_uint_eq(n.services.n, 2);
	ck_assert(any_line(&n.warnings, "node_name cannot change while"));
	ck_assert(any_line(&n.warnings, "ports.http cannot change while"));
	ck_assert(any_line(&n.warnings, "encrypt cannot change while"));
	ck_assert(any_line(&n.warnings, "dns_workers cannot change while"));
	ck_assert(!any_line(&n.warnings, "data_dir"));
	config_clear(&n);

	put("a.json", "{\"enable_local_script_checks\": true, \"check\": "
	    "{\"name\": \"s\", \"args\": [\"true\"], "
	    "\"interval\": \"1s\"}}");
	ck_assert_int_eq(config_reload(&c, &n, err, sizeof(err)), CONFIG_BAD);
	config_clear(&c);
	put("a.json", "{\"enable_local_script_checks\": true}");
	ck_assert_int_eq(load(&c, err, sizeof(err), "discod -bind 127.0.0.1 "
	    "-data-dir %/data -config-file %/a.json"), CONFIG_RUN);
	ck_assert(!c.need_exec);
	put("a.json", "{\"enable_local_script_checks\": true, \"check\": "
	    "{\"name\": \"s\", \"args\": [\"true\"], "
	    "\"interval\": \"1s\"}}");
	ck_assert_int_eq(config_reload(&c, &n, err, sizeof(err)), CONFIG_RUN);
	ck_assert(n.need_exec);
	config_clear(&n);

	put("a.json", "{bad");
	ck_assert_int_eq(config_reload(&c, &n, err, sizeof(err)), CONFIG_BAD);
	ck_assert_ptr_nonnull(strstr(err, "a.json"));
	config_clear(&c);
}
END_TEST

int
main(void)
{
	TCase *tc = unit_case("discod_files");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc,
	    flags_win_over_files_and_directories_are_read_in_order);
	tcase_add_test(tc, bad_files_are_named_with_line_and_column);
	tcase_add_test(tc, hcl_says_what_json_says);
	tcase_add_test(tc, watches_go_to_execd_with_whom_they_ask);
	tcase_add_test(tc, a_text_of_hcl_comes_after_all_else);
	tcase_add_test(tc, the_node_id_is_made_once_and_kept);
	tcase_add_test(tc, an_impossible_data_directory_is_named);
	tcase_add_test(tc, relative_paths_hold_after_a_change_of_directory);
	tcase_add_test(tc, a_reload_takes_what_can_change_and_keeps_the_rest);
	return unit_case_run("discod_files", tc);
}

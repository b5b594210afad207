/*
 * Configuration: defaults, how sources merge, addresses, what is shown and
 * what each child is given.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "tests/unit/discod_config_got.h"

START_TEST(defaults_are_consuls)
{
	struct got g;

	build_ok(&g, "{" BASE "}");
	ck_assert_str_eq(g.c.agent.node_name, "host1");
	ck_assert_str_eq(g.c.agent.datacenter, "dc1");
	ck_assert_str_eq(g.c.agent.primary_datacenter, "dc1");
	ck_assert_str_eq(g.c.agent.domain, "consul.");
	ck_assert(!g.c.agent.server);
	ck_assert_str_eq(g.c.agent.advertise_addr, "10.0.0.2");
	ck_assert_str_eq(strmap_get(&g.c.agent.tagged_addresses, "wan_ipv4"),
	    "10.0.0.2");
	ck_assert_str_eq(strmap_get(&g.c.agent.node_meta,
	    "consul-network-segment"), "");
	ck_assert_uint_eq(g.c.agent.port_lan, 8301);
	ck_assert_int_eq(g.c.gossip.lan.probe_interval, NS_PER_S);
	ck_assert_uint_eq(g.c.gossip.lan.suspicion_mult, 4);
	ck_assert_int_eq(g.c.gossip.reconnect_timeout, 72 * 3600 * NS_PER_S);
	ck_assert_int_eq(g.c.catalog.check_update_interval, 300 * NS_PER_S);
	ck_assert_uint_eq(g.c.dns.udp_answer_limit, 3);
	ck_assert_uint_eq(g.c.http.kv_max_value_size, 524288);
	ck_assert(g.c.leave_on_terminate);
	ck_assert(!g.c.skip_leave_on_interrupt);
	ck_assert_str_eq(g.c.run_dir, "/run/disco");
	ck_assert_str_eq(g.c.log_dir, "/var/log/disco");
	ck_assert(!g.c.need_exec);
	ck_assert_ptr_null(listener(&g.c, SOCK_RPC_TCP, 0));
	ck_assert_str_eq(listener(&g.c, SOCK_DNS_UDP, 0)->ip, "127.0.0.1");
	ck_assert_uint_eq(listener(&g.c, SOCK_HTTP_TCP, 0)->port, 8500);
	ck_assert_str_eq(listener(&g.c, SOCK_HTTP_UNIX, 0)->path,
	    "/run/disco/disco.sock");
	ck_assert_uint_eq(listener(&g.c, SOCK_HTTP_UNIX, 0)->mode, 0660);
	got_clear(&g);
}
END_TEST

START_TEST(a_server_listens_for_rpc_and_stays_on_sigterm)
{
	struct got g;

	build_ok(&g, "{" BASE ", \"server\": true, \"bootstrap_expect\": 1}");
	ck_assert(g.c.agent.bootstrap);
	ck_assert_uint_eq(listener(&g.c, SOCK_RPC_TCP, 0)->port, 8300);
	ck_assert(!g.c.leave_on_terminate);
	ck_assert(g.c.skip_leave_on_interrupt);
	ck_assert(any_line(&g.c.warnings, "same as Bootstrap mode"));
	got_clear(&g);
}
END_TEST

START_TEST(https_without_a_certificate_is_a_warning)
{
	struct got g;

	build_ok(&g, "{" BASE ", \"ports\": {\"https\": 8501}}");
	ck_assert_ptr_null(listener(&g.c, SOCK_HTTPS_TCP, 0));
	ck_assert(any_line(&g.c.warnings, "ports.https: no certificate"));
	got_clear(&g);
}
END_TEST

START_TEST(a_server_has_a_wan_pool_where_its_port_says)
{
	struct got g;

	build_ok(&g, "{" BASE ", \"server\": true, \"serf_wan\": "
	    "\"10.0.0.9\", \"ports\": {\"serf_wan\": 9302}, "
	    "\"start_join_wan\": [\"a\"], \"retry_join_wan\": [\"b\"], "
	    "\"retry_interval_wan\": \"7s\", \"retry_max_wan\": 3, "
	    "\"reconnect_timeout_wan\": \"9h\", "
	    "\"serf_wan_allowed_cidrs\": [\"10.0.0.0/8\"], "
	    "\"gossip_wan\": {\"probe_interval\": \"2s\"}}");
	ck_assert_str_eq(listener(&g.c, SOCK_WAN_UDP, 0)->ip, "10.0.0.9");
	ck_assert_uint_eq(listener(&g.c, SOCK_WAN_TCP, 0)->port, 9302);
	ck_assert_str_eq(g.c.gossip.start_join_wan.item[0], "a");
	ck_assert_str_eq(g.c.gossip.retry_join_wan.item[0], "b");
	ck_assert_int_eq(g.c.gossip.retry_interval_wan, 7 * NS_PER_S);
	ck_assert_uint_eq(g.c.gossip.retry_max_wan, 3);
	ck_assert_int_eq(g.c.gossip.reconnect_timeout_wan,
	    9 * 3600 * NS_PER_S);
	ck_assert_str_eq(g.c.gossip.wan_allowed_cidrs.item[0], "10.0.0.0/8");
	ck_assert_int_eq(g.c.gossip.wan.probe_interval, 2 * NS_PER_S);
	ck_assert(!any_line(&g.c.warnings, "wan"));
	got_clear(&g);
	/* Neither a client has one, nor a server whose port is off. */
	build_ok(&g, "{" BASE ", \"retry_join_wan\": [\"b\"]}");
	ck_assert_ptr_null(listener(&g.c, SOCK_WAN_UDP, 0));
	ck_assert(any_line(&g.c.warnings, "retry_join_wan: ignored"));
	got_clear(&g);
	build_ok(&g, "{" BASE ", \"server\": true, \"ports\": "
	    "{\"serf_wan\": -1}}");
	ck_assert_ptr_null(listener(&g.c, SOCK_WAN_TCP, 0));
	got_clear(&g);
}
END_TEST

START_TEST(dev_is_one_server_in_memory)
{
	struct config_env env = env_default();
	const char *texts[] = { "{\"data_dir\": \"/x\"}", NULL };
	struct got g;

	env.dev = true;
	build_env(&g, &env, texts);
	ck_assert_uint_eq(g.p.line.n, 0);
	ck_assert(g.c.agent.dev && g.c.agent.server && g.c.agent.bootstrap);
	ck_assert_ptr_null(g.c.data_dir);
	ck_assert(g.c.foreground);
	ck_assert_ptr_null(g.c.log_dir);
	ck_assert_int_eq(g.c.log_level, LOG_L_DEBUG);
	ck_assert_str_eq(g.c.agent.bind_addr, "127.0.0.1");
	ck_assert_int_eq(g.c.gossip.lan.probe_interval, 100 * NS_PER_MS);
	ck_assert_uint_eq(g.c.gossip.lan.suspicion_mult, 3);
	ck_assert(any_line(&g.c.warnings, "in memory"));
	got_clear(&g);
}
END_TEST

/* ---- merging ---- */

START_TEST(later_scalars_win_and_lists_grow)
{
	struct config_env env = env_default();
	const char *texts[] = {
		"{" BASE ", \"node_name\": \"a\", \"start_join\": [\"x\"], "
		"\"ports\": {\"dns\": 53}, \"node_meta\": {\"k\": \"1\", "
		"\"l\": \"1\"}, \"services\": [{\"name\": \"s1\"}]}",
		"{\"node_name\": \"b\", \"start_join\": [\"y\", \"z\"], "
		"\"node_meta\": {\"k\": \"2\"}, \"service\": {\"name\": "
		"\"s2\"}}",
		NULL
	};
	struct got g;

	build_env(&g, &env, texts);
	ck_assert_uint_eq(g.p.line.n, 0);
	ck_assert_str_eq(g.c.agent.node_name, "b");
	ck_assert_uint_eq(g.c.gossip.start_join.n, 3);
	ck_assert_str_eq(g.c.gossip.start_join.item[0], "x");
	ck_assert_str_eq(g.c.gossip.start_join.item[2], "z");
	ck_assert_uint_eq(listener(&g.c, SOCK_DNS_TCP, 0)->port, 53);
	ck_assert_str_eq(strmap_get(&g.c.agent.node_meta, "k"), "2");
	ck_assert_str_eq(strmap_get(&g.c.agent.node_meta, "l"), "1");
	ck_assert_uint_eq(g.c.services.n, 2);
	got_clear(&g);
}
END_TEST

START_TEST(the_later_of_two_equal_ids_wins)
{
	struct config_env env = env_default();
	const char *texts[] = {
		"{" BASE ", \"services\": [{\"id\": \"a\", \"name\": \"x\"}, "
		"{\"name\": \"w\"}], \"checks\": [{\"id\": \"c\", \"name\": "
		"\"one\", \"ttl\": \"1s\"}]}",
		"{\"services\": [{\"id\": \"a\", \"name\": \"y\"}], \"checks\": "
		"[{\"id\": \"c\", \"name\": \"two\", \"ttl\": \"1s\"}]}", NULL
	};
	struct got g;

	build_env(&g, &env, texts);
	ck_assert_uint_eq(g.p.line.n, 0);
	ck_assert_uint_eq(g.c.services.n, 2);
	ck_assert_str_eq(g.c.services.item[0].id, "w");
	ck_assert_str_eq(g.c.services.item[1].name, "y");
	ck_assert_uint_eq(g.c.checks.n, 1);
	ck_assert_str_eq(g.c.checks.item[0].name, "two");
	ck_assert(any_line(&g.c.warnings, "service \"a\" is defined again at "
	    "b.json"));
	ck_assert(any_line(&g.c.warnings, "check \"c\" is defined again"));
	got_clear(&g);
}
END_TEST

START_TEST(deprecated_names_are_taken_with_a_warning)
{
	struct got g;

	build_ok(&g, "{" BASE ", \"acl_datacenter\": \"dc2\"}");
	ck_assert_str_eq(g.c.agent.primary_datacenter, "dc2");
	ck_assert(any_line(&g.c.warnings, "The 'acl_datacenter' field is "
	    "deprecated. Use the 'primary_datacenter' field instead."));
	got_clear(&g);
}
END_TEST

START_TEST(keys_without_effect_are_warned_about_when_they_mislead)
{
	struct got g;

	build_ok(&g, "{" BASE ", \"acl\": {\"enabled\": false}, "
	    "\"verify_incoming\": false, \"ui_dir\": \"/x\", "
	    "\"limits\": {\"rpc_max_burst\": 5}}");
	ck_assert(any_line(&g.c.warnings, "ui_dir is accepted, but"));
	ck_assert(!any_line(&g.c.warnings, "acl.enabled"));
	ck_assert(!any_line(&g.c.warnings, "verify_incoming"));
	ck_assert(!any_line(&g.c.warnings, "rpc_max_burst"));
	got_clear(&g);
}
END_TEST

/* ---- services and checks ---- */

START_TEST(services_keep_what_the_file_says)
{
	const struct service_def *s;
	struct got g;

	build_ok(&g, "{" BASE ", \"service\": {\"Name\": \"web\", \"id\": "
	    "\"web1\", \"tags\": [\"a\"], \"port\": 80, \"weights\": "
	    "{\"passing\": 5}, \"meta\": {\"k\": \"v\"}, \"check\": {}, "
	    "\"checks\": [{\"HTTP\": \"http://localhost\", \"Interval\": "
	    "\"200ms\"}, {\"ttl\": \"5s\", "
	    "\"deregister_critical_service_after\": \"1s\"}]}}");
	s = &g.c.services.item[0];
	ck_assert_str_eq(s->id, "web1");
	ck_assert_int_eq(s->port, 80);
	ck_assert_int_eq(s->weights->passing, 5);
	ck_assert_int_eq(s->weights->warning, 1);
	ck_assert_ptr_null(s->check);
	ck_assert_uint_eq(s->checks.n, 2);
	ck_assert_int_eq(s->checks.item[0].interval, NS_PER_S);
	ck_assert_int_eq(s->checks.item[1].deregister_critical_service_after,
	    60 * NS_PER_S);
	ck_assert(any_line(&g.c.warnings, "raised to 1s"));
	ck_assert(any_line(&g.c.warnings, "raised to 1m"));
	got_clear(&g);
}
END_TEST

START_TEST(execd_gets_the_commands_of_files_and_no_others)
{
	struct got g;

	build_ok(&g, "{" BASE ", \"enable_local_script_checks\": true, "
	    "\"check\": {\"name\": \"c\", \"args\": [\"/bin/a\", \"b c\"], "
	    "\"interval\": \"5s\"}, \"service\": {\"name\": \"s\", \"check\": "
	    "{\"args\": [\"/bin/d\"], \"interval\": \"5s\"}}}");
	ck_assert(g.c.need_exec);
	ck_assert(!g.c.exec.any);
	ck_assert_uint_eq(g.c.exec.commands.n, 2);
	ck_assert_str_eq(g.c.exec.commands.item[0].args.item[0], "/bin/d");
	ck_assert_str_eq(g.c.exec.commands.item[1].args.item[1], "b c");
	ck_assert(!g.c.catalog.script_checks_http);
	got_clear(&g);
}
END_TEST

/* ---- addresses ---- */

START_TEST(any_address_advertises_the_one_private_address)
{
	struct got g;

	build_ok(&g, "{\"data_dir\": \"/srv/data\"}");
	ck_assert_str_eq(g.c.agent.advertise_addr, "10.0.0.2");
	ck_assert_str_eq(listener(&g.c, SOCK_LAN_UDP, 0)->ip, "0.0.0.0");
	got_clear(&g);
}
END_TEST

START_TEST(any_address_needs_a_choice_among_several)
{
	struct iface two[] = {
		{ (char *)(uintptr_t)"eth0", (char *)(uintptr_t)"10.0.0.2" },
		{ (char *)(uintptr_t)"eth1", (char *)(uintptr_t)"192.168.1.2" },
	};
	const char *texts[] = { "{\"data_dir\": \"/srv/data\"}", NULL };
	struct config_env env = env_default();
	struct got g;

	env.ifaces.item = two;
	env.ifaces.n = 2;
	build_env(&g, &env, texts);
	ck_assert(any_line(&g.p.line, "Multiple private IPv4 addresses found "
	    "(10.0.0.2, 192.168.1.2). Please configure one with 'bind' and/or "
	    "'advertise'."));
	got_clear(&g);
	env.ifaces.n = 0;
	build_env(&g, &env, texts);
	ck_assert(any_line(&g.p.line, "No private IPv4 address found"));
	got_clear(&g);
}
END_TEST

START_TEST(addresses_may_be_several_templates_and_sockets)
{
	struct got g;

	build_ok(&g, "{\"data_dir\": \"/d\", \"bind_addr\": \"{{ GetPrivateIP }}"
	    "\", \"client_addr\": \"127.0.0.1 {{ GetInterfaceIP \\\"eth1\\\" }}"
	    "\", \"addresses\": {\"http\": \"127.0.0.1 unix:///x/http.sock\"}, "
	    "\"unix_sockets\": {\"mode\": \"0600\"}}");
	ck_assert_str_eq(g.c.agent.bind_addr, "10.0.0.2");
	ck_assert_str_eq(listener(&g.c, SOCK_DNS_UDP, 1)->ip, "198.51.100.7");
	ck_assert_str_eq(listener(&g.c, SOCK_HTTP_TCP, 0)->ip, "127.0.0.1");
	ck_assert_ptr_null(listener(&g.c, SOCK_HTTP_TCP, 1));
	ck_assert_str_eq(listener(&g.c, SOCK_HTTP_UNIX, 0)->path,
	    "/x/http.sock");
	ck_assert_uint_eq(listener(&g.c, SOCK_HTTP_UNIX, 0)->mode, 0600);
	got_clear(&g);
}
END_TEST

START_TEST(ports_can_be_switched_off)
{
	struct got g;

	build_ok(&g, "{" BASE ", \"server\": true, \"ports\": {\"http\": -1, "
	    "\"dns\": -1, \"serf_wan\": -1}}");
	ck_assert_ptr_null(listener(&g.c, SOCK_HTTP_TCP, 0));
	ck_assert_ptr_null(listener(&g.c, SOCK_DNS_TCP, 0));
	ck_assert_uint_eq(g.c.agent.port_wan, 0);
	ck_assert_ptr_nonnull(listener(&g.c, SOCK_HTTP_UNIX, 0));
	got_clear(&g);
}
END_TEST

/* ---- who runs it where ---- */

START_TEST(an_ordinary_user_keeps_to_its_own_directories)
{
	struct config_env env = env_default();
	const char *texts[] = { "{\"data_dir\": \"d\", \"bind_addr\": "
	    "\"127.0.0.1\"}", NULL };
	struct got g;

	env.uid = 1000;
	build_env(&g, &env, texts);
	ck_assert_uint_eq(g.p.line.n, 0);
	ck_assert_str_eq(g.c.data_dir, "/srv/d");
	ck_assert_str_eq(g.c.run_dir, "/srv/d/run");
	ck_assert_str_eq(g.c.log_dir, "/srv/d/log");
	got_clear(&g);
	env.xdg_runtime_dir = "/run/user/1000";
	build_env(&g, &env, texts);
	ck_assert_str_eq(g.c.run_dir, "/run/user/1000/disco");
	got_clear(&g);
}
END_TEST

START_TEST(a_log_file_names_the_directory_of_all_logs)
{
	struct got g;

	build_ok(&g, "{" BASE ", \"log_file\": \"/var/log/x/\"}");
	ck_assert_str_eq(g.c.log_dir, "/var/log/x");
	got_clear(&g);
	build_ok(&g, "{" BASE ", \"log_file\": \"/var/log/consul/consul.log\"}");
	ck_assert_str_eq(g.c.log_dir, "/var/log/consul");
	ck_assert(any_line(&g.c.warnings, "each daemon has its own log file"));
	got_clear(&g);
	build_ok(&g, "{" BASE ", \"disco\": {\"foreground\": true}}");
	ck_assert_ptr_null(g.c.log_dir);
	got_clear(&g);
}
END_TEST

/* ---- what is shown and given away ---- */

START_TEST(what_n_prints_is_read_back_to_the_same)
{
	struct got g, again;
	char *text, *text2;

	build_ok(&g, "{" BASE ", \"server\": true, \"bootstrap_expect\": 3, "
	    "\"node_meta\": {\"z\": \"1\", \"a\": \"2\"}, \"retry_join\": "
	    "[\"x\"], \"enable_script_checks\": true, \"dns_config\": "
	    "{\"service_ttl\": {\"*\": \"5s\"}, \"soa\": {\"refresh\": 7}}, "
	    "\"limits\": {\"rpc_rate\": 2.5}, \"service\": {\"name\": \"web\", "
	    "\"tags\": [\"a\"], \"tagged_addresses\": {\"lan\": {\"address\": "
	    "\"1.1.1.1\", \"port\": 5}}, \"weights\": {\"passing\": 2}, "
	    "\"checks\": [{\"args\": [\"/bin/true\"], \"interval\": \"90s\"}]},"
	    " \"check\": {\"name\": \"c\", \"ttl\": \"1h\"}}");
	text = config_show(&g.v, &g.c);
	build_ok(&again, text);
	text2 = config_show(&again.v, &again.c);
	ck_assert_str_eq(text, text2);
	ck_assert(schema_equal(&conf_dns_schema, &g.c.dns, &again.c.dns));
	ck_assert(schema_equal(&service_def_schema, &g.c.services.item[0],
	    &again.c.services.item[0]));
	ck_assert_ptr_nonnull(strstr(text, "\"interval\": \"1m30s\""));
	free(text);
	free(text2);
	got_clear(&g);
	got_clear(&again);
}
END_TEST

/* A path is no secret, and without it cert_file could not be read back. */
START_TEST(the_place_of_the_key_is_shown)
{
	struct got g;
	char *text;

	build(&g, "{" BASE ", \"cert_file\": \"/etc/passwd\", "
	    "\"key_file\": \"/etc/passwd\"}");
	text = config_show(&g.v, &g.c);
	ck_assert_ptr_nonnull(strstr(text, "\"key_file\": \"/etc/passwd\""));
	free(text);
	got_clear(&g);
}
END_TEST

START_TEST(secrets_are_not_shown)
{
	struct got g;
	char *text;

	build_ok(&g, "{" BASE ", \"encrypt\": \"AAAAAAAAAAAAAAAAAAAAAA==\", "
	    "\"acl\": {\"tokens\": {\"agent\": \"AAAAsecret\"}}, \"service\": "
	    "{\"name\": \"web\", \"token\": \"AAAAsecret\", \"check\": "
	    "{\"http\": \"http://a/\", \"interval\": \"1s\", \"header\": "
	    "{\"Authorization\": [\"AAAAsecret\"]}}}}");
	ck_assert_str_eq(g.c.catalog.token_agent, "AAAAsecret");
	text = config_show(&g.v, &g.c);
	ck_assert_ptr_null(strstr(text, "AAAA"));
	free(text);
	text = config_debug(&g.v, &g.c);
	ck_assert_ptr_null(strstr(text, "AAAA"));
	ck_assert_ptr_nonnull(strstr(text, "\"EncryptKey\":\"hidden\""));
	free(text);
	got_clear(&g);
}
END_TEST

START_TEST(debug_config_has_the_recorded_names_in_order)
{
	char err[128], *text;
	const struct json *c, *before = NULL;
	struct json *j;
	struct got g;
	size_t n = 0;

	build_ok(&g, "{" BASE "}");
	text = config_debug(&g.v, &g.c);
	j = json_parse(text, strlen(text), err, sizeof(err));
	ck_assert_msg(j != NULL, "%s", err);
	for (c = j->child; c != NULL; before = c, c = c->next, n++)
		if (before != NULL)
			ck_assert_msg(strcmp(before->key, c->key) < 0, "%s",
			    c->key);
	ck_assert_uint_eq(n, 206);
	ck_assert_str_eq(json_get(j, "DNSMaxStale")->str, "87600h0m0s");
	ck_assert_str_eq(json_get(j, "RPCAdvertiseAddr")->str,
	    "tcp://10.0.0.2:8300");
	ck_assert_str_eq(json_get(json_get(j, "TaggedAddresses"),
	    "lan_ipv4")->str, "10.0.0.2");
	json_free(j);
	free(text);
	got_clear(&g);
}
END_TEST

static void
count_kind(const uint8_t *p, size_t n, void *arg)
{
	unsigned *seen = arg;

	ck_assert_uint_ge(n, 2);
	ck_assert_uint_le(p[0], CONF_EXEC);
	seen[p[0]]++;
}

START_TEST(a_child_gets_its_own_items_only)
{
	unsigned seen[CONF_EXEC + 1] = { 0 };
	struct got g;

	build_ok(&g, "{" BASE ", \"services\": [{\"name\": \"a\"}, {\"name\": "
	    "\"b\"}], \"check\": {\"name\": \"c\", \"ttl\": \"1s\"}}");
	config_items(&g.c, PROC_CATALOGD, count_kind, seen);
	ck_assert_uint_eq(seen[CONF_AGENT], 1);
	ck_assert_uint_eq(seen[CONF_CATALOG], 1);
	ck_assert_uint_eq(seen[CONF_SERVICE], 2);
	ck_assert_uint_eq(seen[CONF_CHECK], 1);
	ck_assert_uint_eq(seen[CONF_GOSSIP], 0);
	memset(seen, 0, sizeof(seen));
	config_items(&g.c, PROC_DNSD, count_kind, seen);
	ck_assert_uint_eq(seen[CONF_AGENT], 1);
	ck_assert_uint_eq(seen[CONF_DNS], 1);
	ck_assert_uint_eq(seen[CONF_SERVICE] + seen[CONF_GOSSIP], 0);
	got_clear(&g);
}
END_TEST

UNIT_MAIN("discod_config",
    defaults_are_consuls,
    a_server_listens_for_rpc_and_stays_on_sigterm,
    https_without_a_certificate_is_a_warning,
    a_server_has_a_wan_pool_where_its_port_says,
    dev_is_one_server_in_memory,
    later_scalars_win_and_lists_grow,
    the_later_of_two_equal_ids_wins,
    deprecated_names_are_taken_with_a_warning,
    keys_without_effect_are_warned_about_when_they_mislead,
    services_keep_what_the_file_says,
    execd_gets_the_commands_of_files_and_no_others,
    any_address_advertises_the_one_private_address,
    any_address_needs_a_choice_among_several,
    addresses_may_be_several_templates_and_sockets,
    ports_can_be_switched_off,
    an_ordinary_user_keeps_to_its_own_directories,
    a_log_file_names_the_directory_of_all_logs,
    what_n_prints_is_read_back_to_the_same,
    the_place_of_the_key_is_shown,
    secrets_are_not_shown,
    debug_config_has_the_recorded_names_in_order,
    a_child_gets_its_own_items_only)

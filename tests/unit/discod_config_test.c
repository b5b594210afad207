/*
 * Configuration: what is accepted, what is refused and in which words, how
 * sources merge, what a reload keeps.
 */
#include <sys/stat.h>
#include <bsd/string.h>
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "discod/config.h"
#include "discod/config_parts.h"

#define BASE "\"data_dir\": \"/srv/data\", \"bind_addr\": \"10.0.0.2\""

/* ---- in memory ---- */

struct got {
	struct config	 c;
	struct values	 v;
	struct problems	 p;
};

static const struct iface one_private[] = {
	{ (char *)(uintptr_t)"lo", (char *)(uintptr_t)"127.0.0.1" },
	{ (char *)(uintptr_t)"eth0", (char *)(uintptr_t)"10.0.0.2" },
	{ (char *)(uintptr_t)"eth0", (char *)(uintptr_t)"fe80::1" },
	{ (char *)(uintptr_t)"eth1", (char *)(uintptr_t)"198.51.100.7" },
	{ (char *)(uintptr_t)"eth1", (char *)(uintptr_t)"2001:db8::7" },
};

static struct config_env
env_default(void)
{
	struct config_env env = { .hostname = "host1", .cwd = "/srv" };

	env.ifaces.item = (struct iface *)(uintptr_t)one_private;
	env.ifaces.n = NELEM(one_private);
	return env;
}

static void
build_env(struct got *g, const struct config_env *env,
    const char *const *texts)
{
	struct defs d = { 0 };
	struct json *j;
	char err[256], file[16];
	size_t i;

	memset(g, 0, sizeof(*g));
	values_init(&g->v, env->dev);
	for (i = 0; texts[i] != NULL; i++) {
		snprintf(file, sizeof(file), "%c.json", (int)('a' + i));
		j = json_parse(texts[i], strlen(texts[i]), err, sizeof(err));
		ck_assert_msg(j != NULL, "%s: %s", texts[i], err);
		values_tree(&g->v, &d, j, file, &g->c.warnings, &g->p);
		json_free(j);
	}
	if (g->p.line.n == 0)
		config_build(&g->v, &d, env, &g->c, &g->p);
	defs_clear(&d);
}

static void
build(struct got *g, const char *text)
{
	struct config_env env = env_default();
	const char *texts[] = { text, NULL };

	build_env(g, &env, texts);
}

static void
build_ok(struct got *g, const char *text)
{
	build(g, text);
	ck_assert_msg(g->p.line.n == 0, "%s: %s", text,
	    g->p.line.n > 0 ? g->p.line.item[0] : "");
}

static void
got_clear(struct got *g)
{
	values_clear(&g->v);
	strs_clear(&g->p.line);
	config_clear(&g->c);
}

static bool
any_line(const struct strs *s, const char *part)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strstr(s->item[i], part) != NULL)
			return true;
	return false;
}

static const struct listen_addr *
listener(const struct config *c, enum socket_kind kind, size_t nth)
{
	size_t i;

	for (i = 0; i < c->listen.n; i++)
		if (c->listen.item[i].kind == kind && nth-- == 0)
			return &c->listen.item[i];
	return NULL;
}

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

/* ---- refused, with place, key and reason ---- */

static const struct { const char *text, *want; } bad[] = {
	/* keys */
	{ "{\"bogus\": 1}", "a.json:1:11: invalid config key bogus" },
	{ "{\"DataDir\": \"/x\"}", "invalid config key DataDir" },
	{ "{\"dns_config\": {\"prefer_namespace\": true}}",
	    "dns_config.prefer_namespace: only Consul Enterprise has it" },
	{ "{\n \"telemetry\": {\"bogus\": 1}}",
	    "a.json:2:25: invalid config key telemetry.bogus" },
	{ "{\"ports\": {\"bogus\": 1}}", "invalid config key ports.bogus" },
	{ "{\"service\": {\"name\": \"w\", \"bogus\": 1}}",
	    "invalid config key service.bogus" },
	{ "{\"services\": [{\"name\": \"w\", \"checks\": [{\"x\": 1}]}]}",
	    "invalid config key services[0].checks[0].x" },
	{ "{\"check\": {\"name\": \"c\", \"script\": \"/bin/true\"}}",
	    "invalid config key check.script" },
	{ "{\"check\": {\"script_args\": [\"/bin/true\"]}}",
	    "invalid config key check.script_args" },
	{ "{\"check\": {\"check_id\": \"c\"}}",
	    "invalid config key check.check_id" },
	{ "{\"service\": {\"socket_path\": \"c\"}}",
	    "invalid config key service.socket_path" },
	{ "{\"recursor\": \"8.8.8.8\"}", "invalid config key recursor" },
	{ "{\"advertise_addr_wan_ipv6\": \"::1\"}", "invalid config key" },
	/* types */
	{ "{\"server\": \"yes\"}", "server: expected true or false" },
	{ "{\"ports\": {\"dns\": \"53\"}}", "ports.dns: expected a whole" },
	{ "{\"ports\": {\"dns\": 5.5}}", "ports.dns: expected a whole" },
	{ "{\"ports\": 5}", "ports: expected an object" },
	{ "{\"node_name\": 5}", "node_name: expected a string" },
	{ "{\"start_join\": \"a\"}", "start_join: expected a list" },
	{ "{\"start_join\": [1]}", "start_join: expected a list" },
	{ "{\"node_meta\": {\"a\": 1}}", "node_meta: expected an object" },
	{ "{\"retry_interval\": 10}", "retry_interval: expected a string" },
	{ "{\"services\": {\"name\": \"w\"}}", "services: expected a list" },
	{ "{\"services\": [5]}", "services[0]: expected an object" },
	{ "{\"service\": {\"name\": \"w\", \"port\": \"80\"}}",
	    "service.port: expected a number" },
	{ "{\"check\": {\"name\": \"c\", \"http\": \"x\", \"interval\": 10}}",
	    "check.interval: expected a string with a unit" },
	{ "{\"check\": {\"name\": \"c\", \"header\": {\"X\": \"a\"}}}",
	    "check.header: expected an object of lists" },
	{ "{\"check\": {\"name\": \"c\", \"args\": \"/bin/true\"}}",
	    "check.args: expected a list of strings" },
	{ "{\"check\": {\"success_before_passing\": -3}}",
	    "check.success_before_passing: expected a number that is not" },
	{ "[1]", "expected an object" },
	/* durations */
	{ "{\"retry_interval\": \"x\"}",
	    "retry_interval: invalid duration: \"x\"" },
	{ "{\"dns_config\": {\"node_ttl\": \"-5s\"}}",
	    "dns_config.node_ttl: invalid duration: \"-5s\"" },
	{ "{\"dns_config\": {\"service_ttl\": {\"*\": \"x\"}}}",
	    "dns_config.service_ttl[\"*\"]: invalid duration: \"x\"" },
	{ "{\"service\": {\"name\": \"w\", \"check\": {\"ttl\": "
	    "\"10 parsecs\"}}}", "service.check.ttl: invalid duration" },
	/* addresses */
	{ "{\"data_dir\": \"/d\", \"bind_addr\": \"1.2.3\"}",
	    "bind_addr: invalid ip address: 1.2.3" },
	{ "{\"data_dir\": \"/d\", \"bind_addr\": \"1.1.1.1 2.2.2.2\"}",
	    "bind_addr cannot contain multiple addresses" },
	{ "{\"data_dir\": \"/d\", \"bind_addr\": "
	    "\"{{ GetInterfaceIP \\\"nosuch0\\\" }}\"}",
	    "bind_addr cannot be empty" },
	{ "{\"data_dir\": \"/d\", \"bind_addr\": \"{{ GetMoon }}\"}",
	    "bind_addr: cannot evaluate" },
	{ "{" BASE ", \"advertise_addr\": \"0.0.0.0\"}",
	    "Advertise address cannot be 0.0.0.0, :: or [::]" },
	{ "{" BASE ", \"advertise_addr\": \"x y\"}",
	    "advertise_addr: invalid ip address: x" },
	{ "{" BASE ", \"serf_lan\": \"x\"}", "serf_lan: invalid ip address" },
	{ "{" BASE ", \"client_addr\": \"localhost\"}",
	    "client_addr: invalid ip address: localhost" },
	{ "{" BASE ", \"addresses\": {\"dns\": \"unix:///x\"}}",
	    "addresses.dns: cannot be a unix socket" },
	{ "{" BASE ", \"recursors\": [\"not an ip\"]}",
	    "Invalid recursor address" },
	{ "{" BASE ", \"recursors\": [\"unix:///x\"]}",
	    "DNS Recursors cannot be unix sockets: unix:///x" },
	{ "{" BASE ", \"serf_lan_allowed_cidrs\": [\"10.0.0.0\"]}",
	    "invalid CIDR address: 10.0.0.0" },
	{ "{" BASE ", \"ports\": {\"http\": 70000}}",
	    "ports.http: invalid port: 70000" },
	{ "{" BASE ", \"ports\": {\"http\": 8500, \"dns\": 8500}}",
	    "HTTP address 127.0.0.1:8500 already configured for DNS" },
	{ "{" BASE ", \"client_addr\": \"0.0.0.0\", \"ports\": "
	    "{\"http\": 8301}}", "already configured for Serf LAN" },
	{ "{" BASE ", \"ports\": {\"serf_lan\": -1}}",
	    "ports.serf_lan: cannot be switched off" },
	{ "{" BASE ", \"unix_sockets\": {\"mode\": \"rw\"}}",
	    "unix_sockets.mode: \"rw\" is no octal mode" },
	/* rules */
	{ "{}", "data_dir cannot be empty" },
	{ "{\"data_dir\": \"/etc/passwd\"}", "is not a directory" },
	{ "{" BASE ", \"bootstrap\": true}",
	    "'bootstrap = true' requires 'server = true'" },
	{ "{" BASE ", \"bootstrap_expect\": 3}",
	    "'bootstrap_expect > 0' requires 'server = true'" },
	{ "{" BASE ", \"server\": true, \"bootstrap\": true, "
	    "\"bootstrap_expect\": 3}", "mutually exclusive" },
	{ "{" BASE ", \"server\": true, \"bootstrap_expect\": -1}",
	    "bootstrap_expect cannot be -1. Must be greater than or equal" },
	{ "{" BASE ", \"encrypt\": \"abc\"}", "encrypt has invalid key" },
	{ "{" BASE ", \"encrypt\": \"YWJjZGVmZ2hpamtsbW5v\"}",
	    "key size must be 16, 24 or 32 bytes, not 15" },
	{ "{" BASE ", \"datacenter\": \"Bad DC\"}",
	    "datacenter cannot be \"bad dc\". Please use only [a-z0-9-_]" },
	{ "{" BASE ", \"domain\": \"x y\"}", "domain: \"x y\" is no DNS" },
	{ "{" BASE ", \"log_level\": \"loud\"}", "Invalid log level: loud." },
	{ "{" BASE ", \"node_id\": \"abc\"}", "NodeID is invalid: \"abc\"" },
	{ "{" BASE ", \"node_meta\": {\"consul-x\": \"v\"}}",
	    "Key prefix 'consul-' is reserved for internal use" },
	{ "{" BASE ", \"node_meta\": {\"bad key\": \"v\"}}",
	    "Key contains invalid characters" },
	{ "{" BASE ", \"dns_config\": {\"udp_answer_limit\": -1}}",
	    "dns_config.udp_answer_limit cannot be -1" },
	{ "{" BASE ", \"performance\": {\"raft_multiplier\": 11}}",
	    "raft_multiplier cannot be 11. Must be between 1 and 10" },
	{ "{" BASE ", \"performance\": {\"raft_multiplier\": 0}}",
	    "raft_multiplier cannot be 0. Must be between 1 and 10" },
	{ "{" BASE ", \"autopilot\": {\"max_trailing_logs\": -1}}",
	    "autopilot.max_trailing_logs cannot be -1" },
	{ "{" BASE ", \"reconnect_timeout\": \"1h\"}",
	    "reconnect_timeout cannot be 1h0m0s. Must be at least 8h0m0s" },
	{ "{" BASE ", \"protocol\": 99}", "protocol cannot be 99" },
	{ "{" BASE ", \"ui\": true, \"ui_dir\": \"/x\"}",
	    "Both the ui and ui-dir flags were specified" },
	{ "{" BASE ", \"acl\": {\"default_policy\": \"maybe\"}}",
	    "acl.default_policy: \"maybe\" is none of: allow deny" },
#define REFUSED(key, json)						\
	{ "{" BASE ", " json "}", key ": not supported in this version: the "	\
	    "protection that it promises would not be there" }
	REFUSED("acl.enabled", "\"acl\": {\"enabled\": true}"),
	{ "{" BASE ", \"verify_incoming_https\": true}",
	    "verify_incoming_https: VerifyIncoming set, and no CA certificate" },
	{ "{" BASE ", \"ports\": {\"https\": 8501}}",
	    "ports.https: and no certificate to show" },
	{ "{" BASE ", \"verify_incoming\": true}",
	    "verify_incoming: VerifyIncoming set, and no CA certificate" },
	{ "{" BASE ", \"verify_incoming_rpc\": true}",
	    "verify_incoming_rpc: VerifyIncoming set, and no Cert/Key pair" },
	{ "{" BASE ", \"verify_outgoing\": true}",
	    "verify_outgoing: VerifyOutgoing set, and no CA certificate" },
	{ "{" BASE ", \"verify_server_hostname\": true}",
	    "verify_server_hostname: VerifyOutgoing set, and no CA" },
	{ "{" BASE ", \"ca_file\": \"/nonexistent.pem\"}",
	    "ca_file /nonexistent.pem: No such file or directory" },
	{ "{" BASE ", \"ca_path\": \"/nonexistent\"}",
	    "ca_path /nonexistent: No such file or directory" },
	{ "{" BASE ", \"ca_file\": \"/etc/passwd\"}",
	    "ca_file /etc/passwd: not PEM: there is no certificate in it" },
	{ "{" BASE ", \"cert_file\": \"/etc/passwd\"}",
	    "cert_file: and no key_file with its key" },
	{ "{" BASE ", \"tls_cipher_suites\": \"TLS_RSA_WITH_ROT13\"}",
	    "tls_cipher_suites: TLS_RSA_WITH_ROT13 is not known" },
	{ "{" BASE ", \"disco\": {\"sandbox\": \"maybe\"}}",
	    "disco.sandbox: \"maybe\" is none of" },
	{ "{" BASE ", \"start_join_wan\": [\"a\"]}",
	    "start_join_wan: only a server with a port for it" },
	{ "{" BASE ", \"retry_join\": [\"provider=aws tag_key=x\"]}",
	    "cloud providers are not asked" },
	{ "{" BASE ", \"watches\": [{\"key\": \"x\"}]}",
	    "watch type must be specified" },
	{ "{" BASE ", \"watches\": [{\"type\": \"bogus\", \"args\": [\"x\"]}]}",
	    "unsupported watch type: bogus" },
	{ "{" BASE ", \"watches\": [{\"type\": \"nodes\"}]}",
	    "must define a watch handler" },
	/* services and checks */
	{ "{" BASE ", \"service\": {\"port\": 1}}", "Service name missing" },
	{ "{" BASE ", \"service\": {\"name\": \"web\", \"weights\": "
	    "{\"passing\": -1}}}", "Passing must be greater than 0" },
	{ "{" BASE ", \"service\": {\"name\": \"web\", \"weights\": "
	    "{\"passing\": 70000}}}", "DNS Weight must be between 0 and" },
	{ "{" BASE ", \"service\": {\"name\": \"web\", \"meta\": "
	    "{\"bad key!\": \"x\"}}}", "invalid meta for service web" },
	{ "{" BASE ", \"check\": {\"ttl\": \"1s\"}}", "CheckID missing" },
	{ "{" BASE ",\n \"check\": {\"name\": \"c\"}}", "a.json:2:11: check "
	    "\"c\": Check is not valid: TTL must be > 0 for TTL checks" },
	{ "{" BASE ", \"check\": {\"name\": \"c\", \"http\": \"http://a/\"}}",
	    "Interval must be > 0 for Script, HTTP, or TCP checks" },
	{ "{" BASE ", \"check\": {\"name\": \"c\", \"ttl\": \"1s\", "
	    "\"interval\": \"1s\"}}",
	    "Interval and TTL cannot both be specified" },
	{ "{" BASE ", \"check\": {\"name\": \"c\", \"ttl\": \"1s\", "
	    "\"alias_node\": \"n\"}}", "TTL must be not be set for Alias" },
	{ "{" BASE ", \"check\": {\"name\": \"c\", \"ttl\": \"1s\", "
	    "\"service_id\": \"nosuch\"}}",
	    "ServiceID \"nosuch\" does not exist" },
	{ "{" BASE ", \"check\": {\"name\": \"c\", \"args\": [\"/bin/true\"], "
	    "\"interval\": \"5s\"}}", "Scripts are disabled on this agent; "
	    "to enable, configure 'enable_script_checks' or "
	    "'enable_local_script_checks' to true" },
};

START_TEST(refuses_with_place_key_and_reason)
{
	struct got g;

	build(&g, bad[_i].text);
	ck_assert_msg(any_line(&g.p.line, bad[_i].want), "%s\n wanted: %s\n "
	    "got: %s", bad[_i].text, bad[_i].want,
	    g.p.line.n > 0 ? g.p.line.item[0] : "no error");
	got_clear(&g);
}
END_TEST

START_TEST(lists_every_unknown_key)
{
	struct got g;

	build(&g, "{\"bogus\": 1, \"service\": {\"x\": 1, \"check\": {\"y\": 2}},"
	    " \"dns_config\": {\"soa\": {\"z\": 1}}}");
	ck_assert_uint_eq(g.p.line.n, 4);
	ck_assert(any_line(&g.p.line, "invalid config key bogus"));
	ck_assert(any_line(&g.p.line, "invalid config key service.x"));
	ck_assert(any_line(&g.p.line, "invalid config key service.check.y"));
	ck_assert(any_line(&g.p.line, "invalid config key dns_config.soa.z"));
	got_clear(&g);
}
END_TEST

/* What `consul validate` and a starting Consul let through. */
static const char *const good[] = {
	"{" BASE ", \"service\": {\"Name\": \"web\", \"Port\": 80, \"Tags\": "
	    "[\"a\"]}}",
	"{" BASE ", \"check\": {\"Name\": \"c\", \"TTL\": \"10s\"}}",
	"{" BASE ", \"service\": {\"name\": \"web\", \"port\": 70000}}",
	"{" BASE ", \"service\": {\"name\": \"web\", \"port\": -5}}",
	"{" BASE ", \"service\": {\"name\": \"web\", \"address\": \"0.0.0.0\"}}",
	"{" BASE ", \"service\": {\"name\": \"web\", \"check\": {}}}",
	"{" BASE ", \"service\": {\"name\": \"web\", \"tagged_addresses\": "
	    "{\"lan\": {\"address\": \"1.1.1.1\"}}}}",
	"{" BASE ", \"service\": {\"name\": \"web\", \"token\": \"abc\"}}",
	"{" BASE ", \"check\": {\"name\": \"c\", \"http\": \"http://localhost/\","
	    " \"interval\": \"10s\", \"timeout\": \"1s\", \"method\": \"POST\","
	    " \"header\": {\"X\": [\"a\", \"b\"]}, \"body\": \"b\","
	    " \"tls_skip_verify\": true}}",
	"{" BASE ", \"check\": {\"name\": \"c\", \"alias_service\": \"web\","
	    " \"interval\": \"10s\"}}",
	"{" BASE ", \"check\": {\"name\": \"c\", \"http\": \"http://a/\","
	    " \"tcp\": \"a:1\", \"interval\": \"10s\"}}",
	"{" BASE ", \"check\": {\"name\": \"c\", \"ttl\": \"10s\", \"notes\":"
	    " \"n\", \"id\": \"x\", \"token\": \"t\", \"output_max_size\": 1}}",
	"{" BASE ", \"check\": {\"name\": \"c\", \"docker_container_id\": \"f\","
	    " \"shell\": \"/bin/sh\", \"args\": [\"x\"], \"interval\": \"1s\"},"
	    " \"enable_script_checks\": true}",
	"{" BASE ", \"node_name\": \"\"}",
	"{" BASE ", \"ports\": {\"http\": 0}}",
	"{" BASE ", \"acl_datacenter\": \"dc1\", \"acl_default_policy\": "
	    "\"deny\"}",
	"{" BASE ", \"limits\": {\"http_max_conns_per_client\": -1,"
	    " \"rpc_rate\": 1.5}}",
	"{" BASE ", \"connect\": {\"enabled\": true}, \"config_entries\": "
	    "{\"bootstrap\": []}}",
	"{" BASE ", \"watches\": [{\"type\": \"key\", \"key\": \"x\", \"args\":"
	    " [\"/bin/true\"]}]}",
	"{" BASE ", \"syslog_facility\": \"BOGUS\", \"enable_syslog\": true}",
	"{" BASE ", \"service\": {\"name\": \"web\", \"connect\": "
	    "{\"sidecar_service\": {\"port\": 1}}, \"proxy\": {\"config\": "
	    "{\"a\": 1}}}}",
	"{" BASE ", \"service\": null, \"retry_interval\": null}",
};

START_TEST(accepts_what_consul_accepts)
{
	struct got g;

	build_ok(&g, good[_i]);
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

/* ---- flags ---- */

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

/* ---- with files ---- */

static char dir[64];

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void
setup(void)
{
	strlcpy(dir, "/tmp/disco-config-XXXXXX", sizeof(dir));
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
teardown(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
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
	    "{\"name\": \"db\"}], \"encrypt\": \"AAAAAAAAAAAAAAAAAAAAAA==\"}");
	ck_assert_msg(config_reload(&c, &n, err, sizeof(err)) == CONFIG_RUN,
	    "%s", err);
	ck_assert_str_eq(n.agent.node_name, "a");
	ck_assert_str_eq(n.agent.node_id, c.agent.node_id);
	ck_assert_str_eq(n.data_dir, c.data_dir);
	ck_assert_str_eq(n.agent.advertise_addr, c.agent.advertise_addr);
	ck_assert_uint_eq(listener(&n, SOCK_HTTP_TCP, 0)->port, 8500);
	ck_assert(str_empty(n.gossip.encrypt));
	ck_assert_int_eq(n.log_level, LOG_L_DEBUG);
	ck_assert_uint_eq(n.services.n, 2);
	ck_assert(any_line(&n.warnings, "node_name cannot change while"));
	ck_assert(any_line(&n.warnings, "ports.http cannot change while"));
	ck_assert(any_line(&n.warnings, "encrypt cannot change while"));
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

int
main(void)
{
	Suite *s = suite_create("discod_config");
	TCase *mem = tcase_create("memory"), *files = tcase_create("files");
	SRunner *r;
	int failed;

	tcase_add_test(mem, defaults_are_consuls);
	tcase_add_test(mem, a_server_listens_for_rpc_and_stays_on_sigterm);
	tcase_add_test(mem, a_server_has_a_wan_pool_where_its_port_says);
	tcase_add_test(mem, dev_is_one_server_in_memory);
	tcase_add_loop_test(mem, refuses_with_place_key_and_reason, 0,
	    NELEM(bad));
	tcase_add_test(mem, lists_every_unknown_key);
	tcase_add_loop_test(mem, accepts_what_consul_accepts, 0, NELEM(good));
	tcase_add_test(mem, later_scalars_win_and_lists_grow);
	tcase_add_test(mem, the_later_of_two_equal_ids_wins);
	tcase_add_test(mem, deprecated_names_are_taken_with_a_warning);
	tcase_add_test(mem, keys_without_effect_are_warned_about_when_they_mislead);
	tcase_add_test(mem, services_keep_what_the_file_says);
	tcase_add_test(mem, execd_gets_the_commands_of_files_and_no_others);
	tcase_add_test(mem, any_address_advertises_the_one_private_address);
	tcase_add_test(mem, any_address_needs_a_choice_among_several);
	tcase_add_test(mem, addresses_may_be_several_templates_and_sockets);
	tcase_add_test(mem, ports_can_be_switched_off);
	tcase_add_test(mem, an_ordinary_user_keeps_to_its_own_directories);
	tcase_add_test(mem, a_log_file_names_the_directory_of_all_logs);
	tcase_add_test(mem, flags_take_one_dash_or_two_and_equals_or_space);
	tcase_add_test(mem, consul_agent_is_the_same_program);
	tcase_add_test(mem, wrong_flags_are_named);
	tcase_add_test(mem, every_option_is_in_usage_and_man_page);
	tcase_add_loop_test(mem, an_option_sets_its_key, 0, NELEM(options));
	tcase_add_test(mem, every_option_that_sets_a_key_is_tried);
	tcase_add_test(mem, every_key_is_in_the_man_page);
	tcase_add_test(mem, what_n_prints_is_read_back_to_the_same);
	tcase_add_test(mem, secrets_are_not_shown);
	tcase_add_test(mem, the_place_of_the_key_is_shown);
	tcase_add_test(mem, debug_config_has_the_recorded_names_in_order);
	tcase_add_test(mem, a_child_gets_its_own_items_only);
	suite_add_tcase(s, mem);

	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_test(files,
	    flags_win_over_files_and_directories_are_read_in_order);
	tcase_add_test(files, bad_files_are_named_with_line_and_column);
	tcase_add_test(files, hcl_says_what_json_says);
	tcase_add_test(files, watches_go_to_execd_with_whom_they_ask);
	tcase_add_test(files, a_text_of_hcl_comes_after_all_else);
	tcase_add_test(files, the_node_id_is_made_once_and_kept);
	tcase_add_test(files, an_impossible_data_directory_is_named);
	tcase_add_test(files,
	    relative_paths_hold_after_a_change_of_directory);
	tcase_add_test(files,
	    a_reload_takes_what_can_change_and_keeps_the_rest);
	suite_add_tcase(s, files);

	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

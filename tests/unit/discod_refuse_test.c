/*
 * What a configuration is refused for, with place, key and reason, and what is
 * accepted.
 */
#include <string.h>

#include "common/util.h"
#include "tests/unit/discod_config_got.h"

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
	{ "{" BASE ", \"dns_workers\": 0}",
	    "dns_workers cannot be 0. Must be between 1 and 64" },
	{ "{" BASE ", \"dns_workers\": 65}",
	    "dns_workers cannot be 65. Must be between 1 and 64" },
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

int
main(void)
{
	TCase *tc = unit_case("discod_refuse");

	tcase_add_loop_test(tc, refuses_with_place_key_and_reason, 0,
	    NELEM(bad));
	tcase_add_test(tc, lists_every_unknown_key);
	tcase_add_loop_test(tc, accepts_what_consul_accepts, 0,
	    NELEM(good));
	return unit_case_run("discod_refuse", tc);
}

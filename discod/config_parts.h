/*
 * The parts of configuration, for discod/config*.c and their tests alone.
 *
 * A value comes from a default, a file or a flag; the last one wins, lists
 * and maps grow.  All keys are in one list, CONFIG_KEYS, which is the enum,
 * the names, the types, the defaults and what -n prints.
 *
 *	config_flags.c	command line -> files to read, values
 *	config_source.c	files and directories -> trees
 *	config_keys.c	trees and flags -> values
 *	config_defs.c	services and checks
 *	config_addr.c	addresses, listeners
 *	config_tls.c	certificates: files -> texts
 *	config_build.c	values -> struct config
 *	config_rules.c	the rules between keys
 *	config_watch.c	watches
 *	config_show.c	what -n prints
 *	config_debug.c	DebugConfig of agent/self
 *	config.c	the three calls of config.h, and what is outside: files,
 *			host name, interfaces, node-id
 */
#ifndef DISCOD_CONFIG_PARTS_H
#define DISCOD_CONFIG_PARTS_H

#include "common/json.h"
#include "discod/config.h"

enum {
	KF_FIXED = 1,	/* a running suite keeps what it started with */
	KF_SECRET = 2,	/* never shown */
	KF_IDLE = 4,	/* accepted and checked; nothing here acts on it */
	KF_WARN = 8,	/* the same, and whoever sets it must hear so */
	KF_REFUSE = 16	/* promises protection that is not there: an error */
};

enum key_type {
	T_BOOL, T_INT, T_UINT, T_FLOAT, T_PORT, T_STR, T_DUR, T_STRS, T_STRMAP,
	T_DURMAP, T_OBJ, T_LIST, T_WATCHES, T_SERVICE, T_SERVICES, T_CHECK,
	T_CHECKS
};

/* Members of one object stand together: -n prints in this order. */
/*	id, path, type, default, flags */
#define CONFIG_KEYS(K)							\
	K(NODE_NAME, "node_name", STR, NULL, KF_FIXED)			\
	K(NODE_ID, "node_id", STR, NULL, KF_FIXED)			\
	K(NODE_META, "node_meta", STRMAP, NULL, 0)			\
	K(DISABLE_HOST_NODE_ID, "disable_host_node_id", BOOL, "true",	\
	    KF_IDLE)							\
	K(DATACENTER, "datacenter", STR, "dc1", KF_FIXED)		\
	K(PRIMARY_DC, "primary_datacenter", STR, NULL, KF_FIXED)	\
	K(DOMAIN, "domain", STR, "consul.", KF_FIXED)			\
	K(ALT_DOMAIN, "alt_domain", STR, NULL, KF_FIXED)		\
	K(DATA_DIR, "data_dir", STR, NULL, KF_FIXED)			\
	K(SERVER, "server", BOOL, "false", KF_FIXED)			\
	K(BOOTSTRAP, "bootstrap", BOOL, "false", KF_FIXED)		\
	K(BOOTSTRAP_EXPECT, "bootstrap_expect", INT, "0", KF_FIXED)	\
	K(BIND_ADDR, "bind_addr", STR, "0.0.0.0", KF_FIXED)		\
	K(CLIENT_ADDR, "client_addr", STR, "127.0.0.1", KF_FIXED)	\
	K(ADVERTISE, "advertise_addr", STR, NULL, KF_FIXED)		\
	K(ADVERTISE_4, "advertise_addr_ipv4", STR, NULL, KF_FIXED)	\
	K(ADVERTISE_6, "advertise_addr_ipv6", STR, NULL, KF_FIXED)	\
	K(ADVERTISE_WAN, "advertise_addr_wan", STR, NULL, KF_FIXED)	\
	K(ADVERTISE_WAN_4, "advertise_addr_wan_ipv4", STR, NULL, KF_FIXED) \
	K(SERF_LAN, "serf_lan", STR, NULL, KF_FIXED)			\
	K(SERF_WAN, "serf_wan", STR, NULL, KF_FIXED)			\
	K(LAN_CIDRS, "serf_lan_allowed_cidrs", STRS, NULL, KF_FIXED)	\
	K(WAN_CIDRS, "serf_wan_allowed_cidrs", STRS, NULL, KF_FIXED)	\
	K(TRANSLATE_WAN, "translate_wan_addrs", BOOL, "false", KF_FIXED)	\
	K(ADDR_DNS, "addresses.dns", STR, NULL, KF_FIXED)		\
	K(ADDR_HTTP, "addresses.http", STR, NULL, KF_FIXED)		\
	K(ADDR_HTTPS, "addresses.https", STR, NULL, KF_FIXED)		\
	K(ADDR_GRPC, "addresses.grpc", STR, NULL, KF_FIXED|KF_IDLE)	\
	K(PORT_DNS, "ports.dns", PORT, "8600", KF_FIXED)		\
	K(PORT_HTTP, "ports.http", PORT, "8500", KF_FIXED)		\
	K(PORT_HTTPS, "ports.https", PORT, "-1", KF_FIXED)		\
	K(PORT_GRPC, "ports.grpc", PORT, "-1", KF_FIXED|KF_IDLE)	\
	K(PORT_LAN, "ports.serf_lan", PORT, "8301", KF_FIXED)		\
	K(PORT_WAN, "ports.serf_wan", PORT, "8302", KF_FIXED)		\
	K(PORT_SERVER, "ports.server", PORT, "8300", KF_FIXED)		\
	K(PORT_SIDECAR_MIN, "ports.sidecar_min_port", PORT, "21000", KF_IDLE) \
	K(PORT_SIDECAR_MAX, "ports.sidecar_max_port", PORT, "21255", KF_IDLE) \
	K(PORT_EXPOSE_MIN, "ports.expose_min_port", PORT, "21500", KF_IDLE) \
	K(PORT_EXPOSE_MAX, "ports.expose_max_port", PORT, "21755", KF_IDLE) \
	K(UNIX_USER, "unix_sockets.user", STR, NULL, KF_FIXED)		\
	K(UNIX_GROUP, "unix_sockets.group", STR, NULL, KF_FIXED)	\
	K(UNIX_MODE, "unix_sockets.mode", STR, NULL, KF_FIXED)		\
	K(PID_FILE, "pid_file", STR, NULL, KF_FIXED)			\
									\
	K(START_JOIN, "start_join", STRS, NULL, KF_FIXED)		\
	K(START_JOIN_WAN, "start_join_wan", STRS, NULL, KF_FIXED)	\
	K(RETRY_JOIN, "retry_join", STRS, NULL, KF_FIXED)		\
	K(RETRY_INTERVAL, "retry_interval", DUR, "30s", KF_FIXED)	\
	K(RETRY_MAX, "retry_max", INT, "0", KF_FIXED)			\
	K(RETRY_JOIN_WAN, "retry_join_wan", STRS, NULL, KF_FIXED)	\
	K(RETRY_INTERVAL_WAN, "retry_interval_wan", DUR, "30s", KF_FIXED) \
	K(RETRY_MAX_WAN, "retry_max_wan", INT, "0", KF_FIXED)		\
	K(REJOIN, "rejoin_after_leave", BOOL, "false", KF_FIXED)	\
	K(LEAVE_ON_TERM, "leave_on_terminate", BOOL, NULL, 0)		\
	K(SKIP_LEAVE_INT, "skip_leave_on_interrupt", BOOL, NULL, 0)	\
	K(RECONNECT, "reconnect_timeout", DUR, "72h", KF_FIXED)		\
	K(RECONNECT_WAN, "reconnect_timeout_wan", DUR, "72h", KF_FIXED)	\
	K(ENCRYPT, "encrypt", STR, NULL, KF_FIXED|KF_SECRET)		\
	K(ENCRYPT_IN, "encrypt_verify_incoming", BOOL, "true", KF_FIXED) \
	K(ENCRYPT_OUT, "encrypt_verify_outgoing", BOOL, "true", KF_FIXED) \
	K(NO_KEYRING_FILE, "disable_keyring_file", BOOL, "false", KF_FIXED) \
	K(LAN_GOSSIP_INTERVAL, "gossip_lan.gossip_interval", DUR, "200ms", \
	    KF_FIXED)							\
	K(LAN_GOSSIP_NODES, "gossip_lan.gossip_nodes", UINT, "3", KF_FIXED) \
	K(LAN_PROBE_INTERVAL, "gossip_lan.probe_interval", DUR, "1s",	\
	    KF_FIXED)							\
	K(LAN_PROBE_TIMEOUT, "gossip_lan.probe_timeout", DUR, "500ms",	\
	    KF_FIXED)							\
	K(LAN_SUSPICION, "gossip_lan.suspicion_mult", UINT, "4", KF_FIXED) \
	K(LAN_RETRANSMIT, "gossip_lan.retransmit_mult", UINT, "4", KF_FIXED) \
	K(WAN_GOSSIP_INTERVAL, "gossip_wan.gossip_interval", DUR, "500ms", \
	    KF_FIXED)							\
	K(WAN_GOSSIP_NODES, "gossip_wan.gossip_nodes", UINT, "3", KF_FIXED) \
	K(WAN_PROBE_INTERVAL, "gossip_wan.probe_interval", DUR, "5s",	\
	    KF_FIXED)							\
	K(WAN_PROBE_TIMEOUT, "gossip_wan.probe_timeout", DUR, "3s",	\
	    KF_FIXED)							\
	K(WAN_SUSPICION, "gossip_wan.suspicion_mult", UINT, "6", KF_FIXED) \
	K(WAN_RETRANSMIT, "gossip_wan.retransmit_mult", UINT, "4", KF_FIXED) \
									\
	K(LOG_LEVEL, "log_level", STR, "INFO", 0)			\
	K(LOG_JSON, "log_json", BOOL, "false", KF_WARN)			\
	K(LOG_FILE, "log_file", STR, NULL, KF_FIXED)			\
	K(LOG_ROTATE_BYTES, "log_rotate_bytes", INT, "0", KF_WARN)	\
	K(LOG_ROTATE_TIME, "log_rotate_duration", DUR, "0s", KF_WARN)	\
	K(LOG_ROTATE_FILES, "log_rotate_max_files", INT, "0", KF_WARN)	\
	K(SYSLOG, "enable_syslog", BOOL, "false", KF_FIXED)		\
	K(SYSLOG_FACILITY, "syslog_facility", STR, "LOCAL0", KF_IDLE)	\
	K(ENABLE_DEBUG, "enable_debug", BOOL, "false", KF_IDLE)		\
	K(UI, "ui", BOOL, "false", 0)					\
	K(UI_DIR, "ui_dir", STR, NULL, KF_WARN)				\
	K(UI_PATH, "ui_content_path", STR, "/ui/", 0)		\
	K(TEL_NO_HOSTNAME, "telemetry.disable_hostname", BOOL, "false",	\
	    KF_IDLE)							\
	K(TEL_PREFIX, "telemetry.metrics_prefix", STR, "consul", KF_IDLE) \
	K(TEL_FILTER, "telemetry.prefix_filter", STRS, NULL, KF_IDLE)	\
	K(TEL_FILTER_DEFAULT, "telemetry.filter_default", BOOL, "true",	\
	    KF_IDLE)							\
	K(TEL_PROMETHEUS, "telemetry.prometheus_retention_time", DUR,	\
	    "0s", 0)						\
	K(TEL_STATSD, "telemetry.statsd_address", STR, NULL, KF_WARN)	\
	K(TEL_STATSITE, "telemetry.statsite_address", STR, NULL, KF_WARN) \
	K(TEL_DOGSTATSD, "telemetry.dogstatsd_addr", STR, NULL, KF_WARN) \
	K(TEL_DOGSTATSD_TAGS, "telemetry.dogstatsd_tags", STRS, NULL,	\
	    KF_IDLE)							\
	K(TEL_CIR_APP, "telemetry.circonus_api_app", STR, NULL, KF_IDLE) \
	K(TEL_CIR_TOKEN, "telemetry.circonus_api_token", STR, NULL,	\
	    KF_IDLE|KF_SECRET)						\
	K(TEL_CIR_URL, "telemetry.circonus_api_url", STR, NULL, KF_IDLE) \
	K(TEL_CIR_BROKER, "telemetry.circonus_broker_id", STR, NULL,	\
	    KF_IDLE)							\
	K(TEL_CIR_BROKER_TAG, "telemetry.circonus_broker_select_tag", STR, \
	    NULL, KF_IDLE)						\
	K(TEL_CIR_NAME, "telemetry.circonus_check_display_name", STR,	\
	    NULL, KF_IDLE)						\
	K(TEL_CIR_FORCE, "telemetry.circonus_check_force_metric_activation", \
	    STR, NULL, KF_IDLE)						\
	K(TEL_CIR_ID, "telemetry.circonus_check_id", STR, NULL, KF_IDLE) \
	K(TEL_CIR_INSTANCE, "telemetry.circonus_check_instance_id", STR, \
	    NULL, KF_IDLE)						\
	K(TEL_CIR_SEARCH, "telemetry.circonus_check_search_tag", STR,	\
	    NULL, KF_IDLE)						\
	K(TEL_CIR_TAGS, "telemetry.circonus_check_tags", STR, NULL, KF_IDLE) \
	K(TEL_CIR_INTERVAL, "telemetry.circonus_submission_interval", STR, \
	    NULL, KF_IDLE)						\
	K(TEL_CIR_SUBMIT, "telemetry.circonus_submission_url", STR, NULL, \
	    KF_WARN)							\
	K(NO_UPDATE_CHECK, "disable_update_check", BOOL, "false", KF_IDLE) \
	K(NO_SIGNATURE, "disable_anonymous_signature", BOOL, "false",	\
	    KF_IDLE)							\
									\
	K(HTTP_HEADERS, "http_config.response_headers", STRMAP, NULL, 0) \
	K(HTTP_BLOCK, "http_config.block_endpoints", STRS, NULL, 0)	\
	K(HTTP_WRITE_FROM, "http_config.allow_write_http_from", STRS,	\
	    NULL, 0)							\
	K(HTTP_CACHE, "http_config.use_cache", BOOL, "true", KF_IDLE)	\
	K(LIM_HTTP_CONNS, "limits.http_max_conns_per_client", INT, "200", 0) \
	K(LIM_HTTPS_SHAKE, "limits.https_handshake_timeout", DUR, "5s",	\
	    KF_IDLE)							\
	K(LIM_RPC_SHAKE, "limits.rpc_handshake_timeout", DUR, "5s", 0)	\
	K(LIM_RPC_RATE, "limits.rpc_rate", FLOAT, "-1", KF_IDLE)	\
	K(LIM_RPC_BURST, "limits.rpc_max_burst", INT, "1000", KF_IDLE)	\
	K(LIM_RPC_CONNS, "limits.rpc_max_conns_per_client", INT, "100", 0) \
	K(LIM_KV, "limits.kv_max_value_size", UINT, "524288", 0)	\
	K(LIM_TXN, "limits.txn_max_req_len", UINT, "524288", 0)		\
	K(DEF_QUERY_TIME, "default_query_time", DUR, "300s", 0)		\
	K(MAX_QUERY_TIME, "max_query_time", DUR, "600s", 0)		\
	K(NO_UNPRINTABLE, "disable_http_unprintable_char_filter", BOOL,	\
	    "false", 0)						\
	K(MAX_STALE, "discovery_max_stale", DUR, "0s", KF_IDLE)		\
									\
	K(DNS_STALE, "dns_config.allow_stale", BOOL, "true", KF_IDLE)	\
	K(DNS_MAX_STALE, "dns_config.max_stale", DUR, "87600h", KF_IDLE) \
	K(DNS_NODE_TTL, "dns_config.node_ttl", DUR, "0s", 0)		\
	K(DNS_SERVICE_TTL, "dns_config.service_ttl", DURMAP, NULL, 0)	\
	K(DNS_TRUNCATE, "dns_config.enable_truncate", BOOL, "false", 0)	\
	K(DNS_PASSING, "dns_config.only_passing", BOOL, "false", 0)	\
	K(DNS_REC_TIMEOUT, "dns_config.recursor_timeout", DUR, "2s", 0)	\
	K(DNS_NO_COMPRESS, "dns_config.disable_compression", BOOL,	\
	    "false", 0)							\
	K(DNS_UDP_LIMIT, "dns_config.udp_answer_limit", INT, "3", 0)	\
	K(DNS_A_LIMIT, "dns_config.a_record_limit", INT, "0", 0)	\
	K(DNS_META_TXT, "dns_config.enable_additional_node_meta_txt",	\
	    BOOL, "true", 0)						\
	K(SOA_REFRESH, "dns_config.soa.refresh", UINT, "3600", 0)	\
	K(SOA_RETRY, "dns_config.soa.retry", UINT, "600", 0)		\
	K(SOA_EXPIRE, "dns_config.soa.expire", UINT, "86400", 0)	\
	K(SOA_MIN_TTL, "dns_config.soa.min_ttl", UINT, "0", 0)		\
	K(DNS_ACL, "dns_config.recursion_acl", STRS, NULL, 0)		\
	K(DNS_RECURSION, "dns_config.recursion", BOOL, "false", 0)	\
	K(DNS_DNSSEC, "dns_config.dnssec", BOOL, "false", 0)		\
	K(DNS_ANCHORS, "dns_config.trust_anchors", STRS, NULL, 0)	\
	K(DNS_SECONDARIES, "dns_config.secondaries", STRS, NULL, 0)	\
	K(DNS_RATE, "dns_config.responses_per_second", UINT, "0", 0)	\
	K(DNS_SERVE_STALE, "dns_config.serve_stale", DUR, "24h", 0)	\
	K(DNS_CACHE, "dns_config.use_cache", BOOL, "false", KF_IDLE)	\
	K(DNS_CACHE_AGE, "dns_config.cache_max_age", DUR, "0s", KF_IDLE) \
	K(RECURSORS, "recursors", STRS, NULL, 0)			\
									\
	K(SERVICE, "service", SERVICE, NULL, 0)				\
	K(SERVICES, "services", SERVICES, NULL, 0)			\
	K(CHECK, "check", CHECK, NULL, 0)				\
	K(CHECKS, "checks", CHECKS, NULL, 0)				\
	K(WATCHES, "watches", WATCHES, NULL, 0)			\
	K(SCRIPTS, "enable_script_checks", BOOL, "false", KF_FIXED)	\
	K(SCRIPTS_LOCAL, "enable_local_script_checks", BOOL, "false",	\
	    KF_FIXED)							\
	K(CHECK_UPDATE, "check_update_interval", DUR, "5m", 0)		\
	K(DISCARD_OUTPUT, "discard_check_output", BOOL, "false", 0)	\
	K(OUTPUT_MAX, "check_output_max_size", INT, "4096", 0)		\
	K(CENTRAL_CONFIG, "enable_central_service_config", BOOL, "false", \
	    KF_WARN)							\
	K(TLS_FOR_CHECKS, "enable_agent_tls_for_checks", BOOL, "false",	\
	    KF_FIXED)							\
	K(CHECK_TARGETS, "check_allow_targets", STRS, NULL, 0)		\
	K(NO_REMOTE_EXEC, "disable_remote_exec", BOOL, "true", KF_IDLE)	\
	K(NO_COORDINATES, "disable_coordinates", BOOL, "false", KF_FIXED) \
	K(SESSION_TTL_MIN, "session_ttl_min", DUR, "0s", 0)		\
									\
	K(DRAIN_TIME, "performance.leave_drain_time", DUR, "5s", 0)	\
	K(RAFT_MULT, "performance.raft_multiplier", INT, "5", KF_FIXED)	\
	K(RPC_HOLD, "performance.rpc_hold_timeout", DUR, "7s", 0)	\
	K(RAFT_PROTOCOL, "raft_protocol", INT, "0", KF_IDLE)		\
	K(PROTOCOL, "protocol", INT, "2", KF_IDLE)			\
	K(RAFT_SNAP_COUNT, "raft_snapshot_threshold", INT, "0", KF_IDLE) \
	K(RAFT_SNAP_TIME, "raft_snapshot_interval", DUR, "0s", KF_IDLE)	\
	K(RAFT_TRAILING, "raft_trailing_logs", INT, "0", KF_IDLE)	\
	K(AP_CLEANUP, "autopilot.cleanup_dead_servers", BOOL, "true",	\
	    KF_IDLE)							\
	K(AP_CONTACT, "autopilot.last_contact_threshold", DUR, "200ms",	\
	    KF_IDLE)							\
	K(AP_TRAILING, "autopilot.max_trailing_logs", INT, "250", KF_IDLE) \
	K(AP_QUORUM, "autopilot.min_quorum", UINT, "0", KF_IDLE)	\
	K(AP_STABLE, "autopilot.server_stabilization_time", DUR, "10s",	\
	    KF_IDLE)							\
	K(AP_NO_UPGRADE, "autopilot.disable_upgrade_migration", BOOL,	\
	    "false", KF_IDLE)						\
	K(AP_ZONE, "autopilot.redundancy_zone_tag", STR, NULL, KF_IDLE)	\
	K(AP_VERSION, "autopilot.upgrade_version_tag", STR, NULL, KF_IDLE) \
									\
	K(ACL_ENABLED, "acl.enabled", BOOL, "false", KF_REFUSE)		\
	K(ACL_DEFAULT, "acl.default_policy", STR, "allow", KF_IDLE)	\
	K(ACL_DOWN, "acl.down_policy", STR, "extend-cache", KF_IDLE)	\
	K(ACL_POLICY_TTL, "acl.policy_ttl", DUR, "30s", KF_IDLE)	\
	K(ACL_TOKEN_TTL, "acl.token_ttl", DUR, "30s", KF_IDLE)		\
	K(ACL_ROLE_TTL, "acl.role_ttl", DUR, "0s", KF_IDLE)		\
	K(ACL_DISABLED_TTL, "acl.disabled_ttl", DUR, "2m", KF_IDLE)	\
	K(ACL_PERSIST, "acl.enable_token_persistence", BOOL, "false",	\
	    KF_IDLE)							\
	K(ACL_REPLICATE, "acl.enable_token_replication", BOOL, "false",	\
	    KF_IDLE)							\
	K(ACL_KEY_LIST, "acl.enable_key_list_policy", BOOL, "false",	\
	    KF_IDLE)							\
	K(TOKEN_MASTER, "acl.tokens.master", STR, NULL, KF_IDLE|KF_SECRET) \
	K(TOKEN_AGENT, "acl.tokens.agent", STR, NULL, KF_SECRET)	\
	K(TOKEN_AGENT_MASTER, "acl.tokens.agent_master", STR, NULL,	\
	    KF_IDLE|KF_SECRET)						\
	K(TOKEN_DEFAULT, "acl.tokens.default", STR, NULL, KF_SECRET)	\
	K(TOKEN_REPLICATION, "acl.tokens.replication", STR, NULL,	\
	    KF_IDLE|KF_SECRET)						\
	K(CA_FILE, "ca_file", STR, NULL, 0)				\
	K(CA_PATH, "ca_path", STR, NULL, 0)				\
	K(CERT_FILE, "cert_file", STR, NULL, 0)				\
	K(KEY_FILE, "key_file", STR, NULL, 0)				\
	K(VERIFY_IN, "verify_incoming", BOOL, "false", 0)		\
	K(VERIFY_IN_RPC, "verify_incoming_rpc", BOOL, "false", 0)	\
	K(VERIFY_IN_HTTPS, "verify_incoming_https", BOOL, "false", 0) \
	K(VERIFY_OUT, "verify_outgoing", BOOL, "false", 0)		\
	K(VERIFY_NAME, "verify_server_hostname", BOOL, "false", 0)	\
	K(TLS_MIN, "tls_min_version", STR, "tls12", 0)			\
	K(TLS_SUITES, "tls_cipher_suites", STR, NULL, 0)		\
	K(TLS_PREFER, "tls_prefer_server_cipher_suites", BOOL, "false",	\
	    0)								\
	K(SERVER_NAME, "server_name", STR, NULL, KF_IDLE)		\
									\
	K(CONNECT, "connect", OBJ, NULL, KF_WARN)			\
	K(CONFIG_ENTRIES, "config_entries", OBJ, NULL, KF_WARN)		\
	K(AUTO_ENCRYPT, "auto_encrypt", OBJ, NULL, KF_WARN)		\
	K(AUTO_CONFIG, "auto_config", OBJ, NULL, KF_WARN)		\
	K(CACHE, "cache", OBJ, NULL, KF_IDLE)				\
	K(AUDIT, "audit", OBJ, NULL, KF_WARN)				\
	K(SEGMENTS, "segments", LIST, NULL, KF_WARN)			\
	K(SEGMENT, "segment", STR, NULL, KF_WARN)			\
	K(NON_VOTING, "non_voting_server", BOOL, "false", KF_WARN)	\
	K(PRIMARY_GATEWAYS, "primary_gateways", STRS, NULL, KF_WARN)	\
	K(PRIMARY_GATEWAYS_TIME, "primary_gateways_interval", DUR, "30s", \
	    KF_IDLE)							\
	K(ACL_VERSION_8, "acl_enforce_version_8", BOOL, "true", KF_IDLE) \
									\
	/* Ours alone; Consul refuses them. */				\
	K(SNAP_INTERVAL, "snapshot_interval", DUR, "0s", 0)		\
	K(SNAP_RETAIN, "snapshot_retain", INT, "24", 0)			\
	K(DNS_WORKERS, "dns_workers", UINT, "1", KF_FIXED)		\
	K(RUN_DIR, "disco.run_dir", STR, NULL, KF_FIXED)		\
	K(FOREGROUND, "disco.foreground", BOOL, "false", KF_FIXED)	\
	K(SANDBOX, "disco.sandbox", STR, "required", KF_FIXED)

enum key {
#define K(id, path, type, def, flags) KEY_##id,
	CONFIG_KEYS(K)
#undef K
	KEY_MAX
};

struct value {
	bool		 set;		/* by a file or a flag */
	char		*where;		/* "a.json:3:7", "-node"; or NULL */
	char		*str;		/* T_STR */
	int64_t		 num;		/* T_INT, T_UINT, T_PORT, T_DUR: ns */
	double		 real;		/* T_FLOAT */
	bool		 truth;		/* T_BOOL */
	struct strs	 list;		/* T_STRS */
	struct strmap	 map;		/* T_STRMAP, T_DURMAP */
};

struct values { struct value v[KEY_MAX]; };

/* What was found wrong, a line each: place, key, reason, remedy. */
struct problems { struct strs line; };
/* where may be NULL. */
void problem(struct problems *, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void warning(struct strs *, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Services and checks of all files, in order, with where each stood. */
struct defs {
	struct service_def_vec	 services;
	struct check_def_vec	 checks;
	struct strs		 service_at, check_at;
};

/* ---- config_keys.c ---- */

struct key_info {
	const char	*path;
	enum key_type	 type;
	const char	*def;
	unsigned	 flags;
};
extern const struct key_info config_keys[KEY_MAX];

/* Defaults; dev: those of -dev over them. */
void values_init(struct values *, bool dev);
void values_clear(struct values *);
/* A value given as text: a flag, a default. */
void values_text(struct values *, enum key, const char *text,
    const char *where, struct problems *);
/* A whole file. */
void values_tree(struct values *, struct defs *, const struct json *,
    const char *file, struct strs *warnings, struct problems *);
/* Keys that cannot change take the running value, each with a warning. */
void values_keep_fixed(struct values *, const struct values *running,
    struct strs *warnings);
const char *v_str(const struct values *, enum key);	/* NULL when empty */
int64_t v_num(const struct values *, enum key);
bool v_bool(const struct values *, enum key);
bool v_set(const struct values *, enum key);
const char *v_where(const struct values *, enum key);	/* NULL: default */

/* ---- config_defs.c ---- */

void defs_service(struct defs *, const struct json *, const char *path,
    const char *file, struct problems *);
void defs_check(struct defs *, const struct json *, const char *path,
    const char *file, struct problems *);
/* The rules for all of them; raises what is below its minimum; of two with
 * one id the later stays. */
void defs_check_all(struct defs *, bool scripts, struct strs *warnings,
    struct problems *);
void defs_clear(struct defs *);
/* Limits of node_meta and service meta: NULL or what is wrong. */
const char *meta_check(const struct strmap *, char *buf, size_t len);
bool dns_name_ok(const char *);

/* ---- config_flags.c ---- */

/* What a file is written in; BY_NAME: as its extension says. */
enum syntax { SYNTAX_BY_NAME, SYNTAX_JSON, SYNTAX_HCL };
enum flags_do { FLAGS_RUN, FLAGS_CHECK, FLAGS_HELP, FLAGS_VERSION };
struct flags {
	enum flags_do	 what;
	bool		 dev;
	bool		 as_consul;
	enum syntax	 syntax;	/* -config-format */
	struct strs	 sources;	/* files and directories, in order */
	struct strs	 hcl;		/* texts of -hcl */
	/* what was given for keys: name, key, text */
	struct flag_value { const char *name; enum key key; char *text; }
			*val;
	size_t		 nval;
};
/* One problem at most.  cwd makes relative sources absolute. */
void flags_parse(struct flags *, int argc, char **argv, const char *cwd,
    struct problems *);
void flags_clear(struct flags *);
/* "-config-file" and the rest with absolute paths, for a later reload. */
void flags_argv(int argc, char **argv, const char *cwd, int *nargc,
    char ***nargv);

/* ---- config_source.c ---- */

struct source { char *file; struct json *tree; };
struct sources { struct source *item; size_t n; };
void sources_read(struct sources *, const struct strs *paths, enum syntax,
    struct strs *warnings, struct problems *);
void sources_clear(struct sources *);
/* A text of -hcl, which comes after all else. */
void sources_fragment(struct sources *, const char *text, const char *where,
    struct problems *);

/* ---- config_addr.c, config_build.c, config_rules.c ---- */

/* What is outside, as far as it matters. */
struct iface { char *name; char *ip; };
struct iface_vec { struct iface *item; size_t n; bool set; };
struct config_env {
	const char		*hostname;
	const char		*cwd;
	const char		*xdg_runtime_dir;	/* or NULL */
	const char		*temp_dir;	/* a name nobody has, or NULL */
	unsigned		 uid;
	bool			 dev;
	bool			 as_consul;
	struct iface_vec	 ifaces;
	const struct config	*running;		/* reload, or NULL */
};

void addr_advertise(const struct values *, const struct config_env *,
    struct config *, struct problems *);
void addr_listeners(const struct values *, const struct config_env *,
    struct config *, struct problems *);

/* What goes on while a configuration is made of values. */
struct build {
	const struct values		*v;
	const struct config_env		*env;
	struct config			*c;
	struct problems			*p;
};

/* Problems and warnings of values that break a rule. */
void config_rules(const struct build *);

/* Takes the definitions out of defs.  Not filled in: node_id. */
void config_build(const struct values *, struct defs *,
    const struct config_env *, struct config *, struct problems *);
/* "a/b" below cwd, "/a/b" as it is; NULL and "" are NULL. */
char *path_absolute(const char *cwd, const char *path);

/* ---- config_tls.c ---- */

/* Reads the files of certificates.  After who this node is. */
void tls_build(const struct values *, const struct config_env *,
    struct config *, struct problems *);

/* ---- config_watch.c ---- */

/* The texts of watches, each as JSON; wrong ones are problems. */
void watches_set(struct strs *, const struct json *list, const char *where,
    struct problems *);
/* The list again, without what may be secret. */
void watches_show(struct jw *, const struct strs *);
/* After the listeners: whom the watches ask. */
void watches_address(const struct values *, const struct config_env *,
    struct config *, struct problems *);

/* ---- config_show.c ---- */

/* Every effective option, as a file that discod reads again; secrets left
 * out.  The caller frees. */
char *config_show(const struct values *, const struct config *);
/* One key as it took effect.  api: services under the API's names. */
void show_value(struct jw *, enum key, const struct values *,
    const struct config *, bool api);

/* In order of the keys, as Go prints its maps. */
void put_strmap(struct jw *, const struct strmap *);

/* Nested objects from dotted names that come in order. */
struct nest {
	struct jw	*jw;
	char		 open[128];	/* "dns_config.soa." */
};
/* Closes and opens objects until the value of that name can be written. */
void nest_key(struct nest *, const char *path);
void nest_end(struct nest *);

/* ---- config_debug.c ---- */

/* JSON for agent/self.  The caller frees. */
char *config_debug(const struct values *, const struct config *);

#endif

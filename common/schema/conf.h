/*
 * What each child is told of the configuration (CONF_ITEM).  A child gets the
 * items of its own kinds only.
 *
 *	kind		schema			goes to
 *	CONF_AGENT	conf_agent		every child
 *	CONF_GOSSIP	conf_gossip		gossipd
 *	CONF_RPC	conf_rpc		rpcd
 *	CONF_CATALOG	conf_catalog		catalogd
 *	CONF_SERVICE	service_def		catalogd, one item each
 *	CONF_CHECK	check_def		catalogd, one item each
 *	CONF_CHECKD	conf_checkd		checkd
 *	CONF_DNS	conf_dns		dnsd
 *	CONF_HTTP	conf_http		apid
 *	CONF_EXEC	conf_exec		execd
 */
#ifndef COMMON_SCHEMA_CONF_H
#define COMMON_SCHEMA_CONF_H

#include "common/schema/rpc.h"
#include "common/schema/schema.h"

enum conf_kind {
	CONF_AGENT = 1, CONF_GOSSIP, CONF_RPC, CONF_CATALOG, CONF_SERVICE,
	CONF_CHECK, CONF_CHECKD, CONF_DNS, CONF_HTTP, CONF_EXEC
};

/* Who this node is.  Secrets are never here. */
#define CONF_AGENT_(F, T)						\
	F(T, STR, , node_name, "NodeName", 0, NULL)			\
	F(T, STR, , node_id, "NodeID", 0, NULL)				\
	F(T, STRMAP, , node_meta, "NodeMeta", 0, NULL)			\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , primary_datacenter, "PrimaryDatacenter", 0, NULL)	\
	F(T, STR, , domain, "DNSDomain", 0, NULL) /* "consul." */	\
	F(T, STR, , alt_domain, "DNSAltDomain", 0, NULL)		\
	F(T, BOOL, , server, "ServerMode", 0, NULL)			\
	F(T, BOOL, , dev, "DevMode", 0, NULL)				\
	F(T, BOOL, , bootstrap, "Bootstrap", 0, NULL)			\
	F(T, UINT, , bootstrap_expect, "BootstrapExpect", 0, NULL) /* 1: bootstrap
								      too */ \
	F(T, STR, , bind_addr, "BindAddr", 0, NULL)			\
	F(T, STR, , advertise_addr, "AdvertiseAddrLAN", 0, NULL)	\
	F(T, STR, , advertise_addr_wan, "AdvertiseAddrWAN", 0, NULL)	\
	F(T, STRMAP, , tagged_addresses, "TaggedAddresses", 0, NULL) /* lan,
					lan_ipv4, wan, wan_ipv4 ... */	\
	F(T, UINT, , port_rpc, "ServerPort", 0, NULL)			\
	F(T, UINT, , port_lan, "SerfPortLAN", 0, NULL)			\
	F(T, UINT, , port_wan, "SerfPortWAN", 0, NULL) /* 0: off */	\
	F(T, BOOL, , use_tls, "UseTLS", 0, NULL) /* a server's tag: it
					serves TLS */			\
	F(T, STR, , log_level, "LogLevel", 0, NULL)			\
	F(T, STR, , run_dir, "RunDir", 0, NULL)				\
	F(T, STR, , data_dir, "DataDir", 0, NULL)			\
	F(T, BOOL, , translate_wan, "TranslateWANAddrs", 0, NULL)
SCHEMA_DECLARE(conf_agent, CONF_AGENT_)

#define CONF_POOL(F, T)							\
	F(T, DUR, , gossip_interval, "gossip_interval", 0, NULL)	\
	F(T, UINT, , gossip_nodes, "gossip_nodes", 0, NULL)		\
	F(T, DUR, , probe_interval, "probe_interval", 0, NULL)		\
	F(T, DUR, , probe_timeout, "probe_timeout", 0, NULL)		\
	F(T, UINT, , suspicion_mult, "suspicion_mult", 0, NULL)		\
	F(T, UINT, , retransmit_mult, "retransmit_mult", 0, NULL)
SCHEMA_DECLARE(conf_pool, CONF_POOL)

#define CONF_GOSSIP_(F, T)						\
	F(T, STRUCT, conf_pool, lan, "lan", 0, NULL)			\
	F(T, STRUCT, conf_pool, wan, "wan", 0, NULL)			\
	F(T, STR, , encrypt, "encrypt", S_SECRET, NULL)	/* base64 */	\
	F(T, BOOL, , verify_incoming, "verify_incoming", 0, NULL)	\
	F(T, BOOL, , verify_outgoing, "verify_outgoing", 0, NULL)	\
	F(T, BOOL, , disable_keyring_file, "disable_keyring_file", 0, NULL) \
	F(T, STRS, , start_join, "start_join", 0, NULL)			\
	F(T, STRS, , retry_join, "retry_join", 0, NULL)			\
	F(T, DUR, , retry_interval, "retry_interval", 0, NULL)		\
	F(T, UINT, , retry_max, "retry_max", 0, NULL)			\
	F(T, BOOL, , rejoin_after_leave, "rejoin_after_leave", 0, NULL)	\
	F(T, DUR, , reconnect_timeout, "reconnect_timeout", 0, NULL)	\
	F(T, STRS, , lan_allowed_cidrs, "lan_allowed_cidrs", 0, NULL)	\
	F(T, STRS, , start_join_wan, "start_join_wan", 0, NULL)		\
	F(T, STRS, , retry_join_wan, "retry_join_wan", 0, NULL)		\
	F(T, DUR, , retry_interval_wan, "retry_interval_wan", 0, NULL)	\
	F(T, UINT, , retry_max_wan, "retry_max_wan", 0, NULL)		\
	F(T, DUR, , reconnect_timeout_wan, "reconnect_timeout_wan", 0, NULL) \
	F(T, STRS, , wan_allowed_cidrs, "wan_allowed_cidrs", 0, NULL)	\
	F(T, BOOL, , disable_coordinates, "disable_coordinates", 0, NULL)
SCHEMA_DECLARE(conf_gossip, CONF_GOSSIP_)

/* PEM texts, since rpcd has no files. */
#define CONF_TLS(F, T)							\
	F(T, STR, , ca, "ca", 0, NULL)					\
	F(T, STR, , cert, "cert", 0, NULL)				\
	F(T, STR, , key, "key", S_SECRET, NULL)				\
	F(T, BOOL, , verify_incoming, "verify_incoming", 0, NULL)	\
	F(T, BOOL, , verify_outgoing, "verify_outgoing", 0, NULL)	\
	F(T, BOOL, , verify_name, "verify_name", 0, NULL)		\
	F(T, STR, , min_version, "min_version", 0, NULL) /* "tls12" */	\
	F(T, STR, , ciphers, "ciphers", 0, NULL)			\
	F(T, BOOL, , prefer_server, "prefer_server", 0, NULL)
SCHEMA_DECLARE(conf_tls, CONF_TLS)

#define CONF_RPC_(F, T)							\
	F(T, DUR, , rpc_hold_timeout, "rpc_hold_timeout", 0, NULL)	\
	F(T, DUR, , rpc_handshake_timeout, "rpc_handshake_timeout", 0, NULL) \
	F(T, UINT, , max_conns_per_client, "max_conns_per_client", 0, NULL) \
	F(T, STRUCT, conf_tls, tls, "tls", 0, NULL)
SCHEMA_DECLARE(conf_rpc, CONF_RPC_)

#define CONF_CATALOG_(F, T)						\
	F(T, DUR, , check_update_interval, "check_update_interval", 0, NULL) \
	F(T, BOOL, , discard_check_output, "discard_check_output", 0, NULL) \
	F(T, UINT, , check_output_max_size, "check_output_max_size", 0, NULL) \
	F(T, BOOL, , script_checks_http, "script_checks_http", 0, NULL)	\
	F(T, BOOL, , script_checks_files, "script_checks_files", 0, NULL) \
	F(T, DUR, , rpc_hold_timeout, "rpc_hold_timeout", 0, NULL)	\
	F(T, UINT, , raft_multiplier, "raft_multiplier", 0, NULL)	\
	F(T, DUR, , session_ttl_min, "session_ttl_min", 0, NULL) /* 0: 10 s */ \
	F(T, DUR, , default_query_time, "default_query_time", 0, NULL)	\
	F(T, DUR, , max_query_time, "max_query_time", 0, NULL)		\
	F(T, DUR, , snapshot_interval, "snapshot_interval", 0, NULL)	\
	F(T, UINT, , snapshot_retain, "snapshot_retain", 0, NULL)	\
	F(T, STR, , token_agent, "token_agent", S_SECRET, NULL)		\
	F(T, STR, , token_default, "token_default", S_SECRET, NULL)
SCHEMA_DECLARE(conf_catalog, CONF_CATALOG_)

#define CONF_CHECKD_(F, T)						\
	F(T, UINT, , output_max_size, "output_max_size", 0, NULL)	\
	F(T, STRS, , allow_targets, "allow_targets", 0, NULL) /* networks;
					none: all */			\
	F(T, STRUCT, conf_tls, tls, "tls", 0, NULL) /* the agent's, if checks
					are to use it */
SCHEMA_DECLARE(conf_checkd, CONF_CHECKD_)

#define DUR_PAIR_(F, T)							\
	F(T, STR, , name, "name", 0, NULL)				\
	F(T, DUR, , ttl, "ttl", 0, NULL)
SCHEMA_DECLARE(dns_ttl, DUR_PAIR_)
#define CONF_DNS_(F, T)							\
	F(T, STRS, , recursors, "recursors", 0, NULL)			\
	F(T, DUR, , recursor_timeout, "recursor_timeout", 0, NULL)	\
	F(T, DUR, , node_ttl, "node_ttl", 0, NULL)			\
	F(T, LIST, dns_ttl, service_ttl, "service_ttl", 0, NULL)	\
	F(T, BOOL, , only_passing, "only_passing", 0, NULL)		\
	F(T, BOOL, , enable_truncate, "enable_truncate", 0, NULL)	\
	F(T, UINT, , udp_answer_limit, "udp_answer_limit", 0, NULL)	\
	F(T, UINT, , a_record_limit, "a_record_limit", 0, NULL)		\
	F(T, BOOL, , node_meta_txt, "node_meta_txt", 0, NULL)		\
	F(T, BOOL, , disable_compression, "disable_compression", 0, NULL) \
	F(T, UINT, , soa_refresh, "soa_refresh", 0, NULL)		\
	F(T, UINT, , soa_retry, "soa_retry", 0, NULL)			\
	F(T, UINT, , soa_expire, "soa_expire", 0, NULL)			\
	F(T, UINT, , soa_min_ttl, "soa_min_ttl", 0, NULL)		\
	F(T, STRS, , recursion_acl, "recursion_acl", 0, NULL) /* networks;
					none: this host */		\
	F(T, BOOL, , recursion, "recursion", 0, NULL) /* without recursors */ \
	F(T, BOOL, , dnssec, "dnssec", 0, NULL)				\
	F(T, STRS, , trust_anchors, "trust_anchors", 0, NULL) /* none: the
					root's */			\
	F(T, STRS, , secondaries, "secondaries", 0, NULL)		\
	F(T, DUR, , serve_stale, "serve_stale", 0, NULL) /* 0: never */	\
	F(T, UINT, , responses_per_second, "responses_per_second", 0,	\
	    NULL)	/* to one network, of one kind; 0: no limit */
SCHEMA_DECLARE(conf_dns, CONF_DNS_)

#define CONF_HTTP_(F, T)						\
	F(T, STRMAP, , response_headers, "response_headers", 0, NULL)	\
	F(T, STRS, , block_endpoints, "block_endpoints", 0, NULL)	\
	F(T, STRS, , allow_write_from, "allow_write_from", 0, NULL)	\
	F(T, UINT, , max_conns_per_client, "max_conns_per_client", 0, NULL) \
	F(T, DUR, , default_query_time, "default_query_time", 0, NULL)	\
	F(T, DUR, , max_query_time, "max_query_time", 0, NULL)		\
	F(T, UINT, , kv_max_value_size, "kv_max_value_size", 0, NULL)	\
	F(T, UINT, , txn_max_req_len, "txn_max_req_len", 0, NULL)	\
	F(T, BOOL, , disable_coordinates, "disable_coordinates", 0, NULL) \
	F(T, DUR, , prometheus_retention, "prometheus_retention", 0, NULL) \
	F(T, BOOL, , unprintable, "unprintable", 0, NULL) /* paths may have
					what does not show */		\
	F(T, STR, , ui_path, "ui_path", 0, NULL)	/* NULL: no page */ \
	F(T, STRUCT, conf_tls, tls, "tls", 0, NULL)	/* if there is HTTPS */ \
	F(T, STR, , debug_config, "debug_config", 0, NULL) /* JSON text for
					agent/self, secrets hidden */
SCHEMA_DECLARE(conf_http, CONF_HTTP_)

/* Each command that may run, by its argument vector. */
#define EXEC_COMMAND(F, T)						\
	F(T, STRS, , args, "args", 0, NULL)
SCHEMA_DECLARE(exec_command, EXEC_COMMAND)
#define CONF_EXEC_(F, T)						\
	F(T, LIST, exec_command, commands, "commands", 0, NULL)		\
	F(T, BOOL, , any, "any", 0, NULL)	/* enable_script_checks */ \
	F(T, STRS, , watches, "watches", 0, NULL) /* JSON of each */	\
	F(T, STR, , watch_api, "watch_api", 0, NULL) /* address to ask */
SCHEMA_DECLARE(conf_exec, CONF_EXEC_)

/* ---- definitions, in files and in agent/{service,check}/register ---- */

/* Aliases serve both spellings: JSON over HTTP folds case besides. */
#define CHECK_DEF_FIELDS(F, T)						\
	F(T, STR, , id, "CheckID", S_OPT, "id|ID|check_id")		\
	F(T, STR, , name, "Name", S_OPT, "name")			\
	F(T, STR, , notes, "Notes", S_OPT, "notes")			\
	F(T, STR, , service_id, "ServiceID", S_OPT, "service_id")	\
	F(T, STR, , token, "Token", S_OPT|S_SECRET, "token")		\
	F(T, STR, , status, "Status", S_OPT, "status")			\
	F(T, STRS, , args, "Args", S_OPT, "args|ScriptArgs")		\
	F(T, STR, , http, "HTTP", S_OPT, "http")			\
	F(T, STR, , method, "Method", S_OPT, "method")			\
	F(T, STRSMAP, , header, "Header", S_OPT|S_SECRET, "header")	\
	F(T, STR, , body, "Body", S_OPT, "body")			\
	F(T, BOOL, , follow_redirects, "FollowRedirects", S_OPT,	\
	    "follow_redirects")						\
	F(T, BOOL, , tls_skip_verify, "TLSSkipVerify", S_OPT, "tls_skip_verify") \
	F(T, STR, , tls_server_name, "TLSServerName", S_OPT,		\
	    "tls_server_name")						\
	F(T, STR, , tcp, "TCP", S_OPT, "tcp")				\
	F(T, BOOL, , tcp_use_tls, "TCPUseTLS", S_OPT, "tcp_use_tls")	\
	F(T, STR, , udp, "UDP", S_OPT, "udp")				\
	F(T, STR, , dns, "DNS", S_OPT, "dns")				\
	F(T, STR, , grpc, "GRPC", S_OPT, "grpc")			\
	F(T, BOOL, , grpc_use_tls, "GRPCUseTLS", S_OPT, "grpc_use_tls")	\
	F(T, STR, , h2ping, "H2PING", S_OPT, "h2ping")			\
	F(T, BOOL, , h2ping_use_tls, "H2PingUseTLS", S_OPT,		\
	    "h2ping_use_tls")						\
	F(T, STR, , docker_container_id, "DockerContainerID", S_OPT,	\
	    "docker_container_id")					\
	F(T, STR, , shell, "Shell", S_OPT, "shell")			\
	F(T, STR, , alias_node, "AliasNode", S_OPT, "alias_node")	\
	F(T, STR, , alias_service, "AliasService", S_OPT, "alias_service") \
	F(T, DUR, , ttl, "TTL", S_OPT, "ttl")				\
	F(T, DUR, , interval, "Interval", S_OPT, "interval")		\
	F(T, DUR, , timeout, "Timeout", S_OPT, "timeout")		\
	F(T, DUR, , deregister_critical_service_after,			\
	    "DeregisterCriticalServiceAfter", S_OPT,			\
	    "deregister_critical_service_after")			\
	F(T, UINT, , success_before_passing, "SuccessBeforePassing",	\
	    S_OPT, "success_before_passing")				\
	F(T, UINT, , failures_before_critical, "FailuresBeforeCritical", \
	    S_OPT, "failures_before_critical")				\
	F(T, UINT, , output_max_size, "OutputMaxSize", S_OPT,		\
	    "output_max_size")
SCHEMA_DECLARE(check_def, CHECK_DEF_FIELDS)

#define SERVICE_DEF(F, T)						\
	F(T, STR, , kind, "Kind", S_OPT, "kind")			\
	F(T, STR, , id, "ID", S_OPT, "id")				\
	F(T, STR, , name, "Name", S_OPT, "name")			\
	F(T, STRS, , tags, "Tags", S_OPT, "tags")			\
	F(T, STR, , address, "Address", S_OPT, "address")		\
	F(T, MAP, service_address, tagged_addresses, "TaggedAddresses",	\
	    S_OPT, "tagged_addresses")					\
	F(T, STRMAP, , meta, "Meta", S_OPT, "meta")			\
	F(T, INT, , port, "Port", S_OPT, "port")			\
	F(T, BOOL, , enable_tag_override, "EnableTagOverride", S_OPT,	\
	    "enable_tag_override")					\
	F(T, PTR, service_weights, weights, "Weights", S_OPT, "weights") \
	F(T, STR, , token, "Token", S_OPT|S_SECRET, "token")		\
	F(T, PTR, check_def, check, "Check", S_OPT, "check")		\
	F(T, LIST, check_def, checks, "Checks", S_OPT, "checks")	\
	F(T, STRUCT, proxy_config, proxy, "Proxy", S_OPT, "proxy")	\
	F(T, STRUCT, service_connect, connect, "Connect", S_OPT, "connect")
SCHEMA_DECLARE(service_def, SERVICE_DEF)

#endif

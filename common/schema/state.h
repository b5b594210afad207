/*
 * The structs of what servers keep beside the catalog: keys, sessions,
 * transactions, prepared queries, autopilot (rpc.md 3, 5.5 to 5.8, 5.11).
 * Field order is that of the JSON answers.
 */
#ifndef COMMON_SCHEMA_STATE_H
#define COMMON_SCHEMA_STATE_H

#include "common/schema/rpc.h"

/* ---- keys ---- */

#define DIR_ENTRY(F, T)							\
	F(T, UINT, , lock_index, "LockIndex", 0, NULL)			\
	F(T, STR, , key, "Key", 0, NULL)				\
	F(T, UINT, , flags, "Flags", 0, NULL)				\
	F(T, BYTES, , value, "Value", 0, NULL)				\
	F(T, STR, , session, "Session", S_OMIT, NULL)			\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(dir_entry, DIR_ENTRY)

/* set, cas, lock, unlock, delete, delete-cas, delete-tree; the index to
 * compare with is the entry's ModifyIndex. */
#define KVS_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , op, "Op", 0, NULL)					\
	F(T, STRUCT, dir_entry, entry, "DirEnt", 0, NULL)		\
	WRITE_REQUEST(F, T)
SCHEMA_DECLARE(kvs_request, KVS_REQUEST)

#define KEY_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , key, "Key", 0, NULL)				\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(key_request, KEY_REQUEST)

#define KEY_LIST_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , prefix, "Prefix", 0, NULL)				\
	F(T, STR, , separator, "Seperator", 0, NULL)			\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(key_list_request, KEY_LIST_REQUEST)

#define INDEXED_DIR_ENTRIES(F, T)					\
	F(T, LIST, dir_entry, entries, "Entries", 0, NULL)		\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_dir_entries, INDEXED_DIR_ENTRIES)

#define INDEXED_KEYS(F, T)						\
	F(T, STRS, , keys, "Keys", 0, NULL)				\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_keys, INDEXED_KEYS)

/* "reap": forget tombstones up to that index. */
#define TOMBSTONE_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , op, "Op", 0, NULL)					\
	F(T, UINT, , reap_index, "ReapIndex", 0, NULL)			\
	WRITE_REQUEST(F, T)
SCHEMA_DECLARE(tombstone_request, TOMBSTONE_REQUEST)

/* ---- sessions ---- */

#define SERVICE_CHECK_REF(F, T)						\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , ns, "Namespace", 0, NULL)
SCHEMA_DECLARE(service_check_ref, SERVICE_CHECK_REF)

/* Checks is the old form of NodeChecks. */
#define SESSION(F, T)							\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, DUR, , lock_delay, "LockDelay", 0, NULL)			\
	F(T, STR, , behavior, "Behavior", 0, NULL)			\
	F(T, STR, , ttl, "TTL", 0, NULL)				\
	F(T, STRS, , node_checks, "NodeChecks", 0, NULL)		\
	F(T, LIST, service_check_ref, service_checks, "ServiceChecks",	\
	    0, NULL)							\
	F(T, STRS, , checks, "Checks", S_NOJSON, NULL)			\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(session, SESSION)

#define SESSION_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , op, "Op", 0, NULL)		/* create, destroy */	\
	F(T, STRUCT, session, session, "Session", 0, NULL)		\
	WRITE_REQUEST(F, T)
SCHEMA_DECLARE(session_request, SESSION_REQUEST)

/* Both have the same value; old servers know the second alone. */
#define SESSION_ID_REQUEST(F, T)					\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , session_id, "SessionID", 0, NULL)			\
	F(T, STR, , session, "Session", 0, NULL)			\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(session_id_request, SESSION_ID_REQUEST)

#define INDEXED_SESSIONS(F, T)						\
	F(T, LIST, session, sessions, "Sessions", 0, NULL)		\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_sessions, INDEXED_SESSIONS)

/* ---- transactions ---- */

#define TXN_KV(F, T)							\
	F(T, STR, , verb, "Verb", 0, NULL)				\
	F(T, STRUCT, dir_entry, entry, "DirEnt", 0, NULL)
SCHEMA_DECLARE(txn_kv, TXN_KV)
#define TXN_NODE(F, T)							\
	F(T, STR, , verb, "Verb", 0, NULL)				\
	F(T, STRUCT, node, node, "Node", 0, NULL)
SCHEMA_DECLARE(txn_node, TXN_NODE)
#define TXN_SERVICE(F, T)						\
	F(T, STR, , verb, "Verb", 0, NULL)				\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STRUCT, node_service, service, "Service", 0, NULL)
SCHEMA_DECLARE(txn_service, TXN_SERVICE)
#define TXN_CHECK(F, T)							\
	F(T, STR, , verb, "Verb", 0, NULL)				\
	F(T, STRUCT, health_check, check, "Check", 0, NULL)
SCHEMA_DECLARE(txn_check, TXN_CHECK)
#define TXN_SESSION(F, T)						\
	F(T, STR, , verb, "Verb", 0, NULL)				\
	F(T, STRUCT, session, session, "Session", 0, NULL)
SCHEMA_DECLARE(txn_session, TXN_SESSION)

/* One of them is there. */
#define TXN_OP(F, T)							\
	F(T, PTR, txn_kv, kv, "KV", 0, NULL)				\
	F(T, PTR, txn_node, node, "Node", 0, NULL)			\
	F(T, PTR, txn_service, service, "Service", 0, NULL)		\
	F(T, PTR, txn_check, check, "Check", 0, NULL)			\
	F(T, PTR, txn_session, session, "Session", 0, NULL)		\
	F(T, ANY, , intention, "Intention", 0, NULL)
SCHEMA_DECLARE(txn_op, TXN_OP)

#define TXN_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, LIST, txn_op, ops, "Ops", 0, NULL)				\
	WRITE_REQUEST(F, T)
SCHEMA_DECLARE(txn_request, TXN_REQUEST)
#define TXN_READ_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, LIST, txn_op, ops, "Ops", 0, NULL)				\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(txn_read_request, TXN_READ_REQUEST)

#define TXN_RESULT(F, T)						\
	F(T, PTR, dir_entry, kv, "KV", S_OMIT, NULL)			\
	F(T, PTR, node, node, "Node", S_OMIT, NULL)			\
	F(T, PTR, node_service, service, "Service", S_OMIT, NULL)	\
	F(T, PTR, health_check, check, "Check", S_OMIT, NULL)
SCHEMA_DECLARE(txn_result, TXN_RESULT)
#define TXN_ERROR(F, T)							\
	F(T, INT, , op_index, "OpIndex", 0, NULL)			\
	F(T, STR, , what, "What", 0, NULL)
SCHEMA_DECLARE(txn_error, TXN_ERROR)

#define TXN_RESPONSE(F, T)						\
	F(T, LIST, txn_result, results, "Results", 0, NULL)		\
	F(T, LIST, txn_error, errors, "Errors", 0, NULL)
SCHEMA_DECLARE(txn_response, TXN_RESPONSE)
/* These two are the only ones that show their index in JSON. */
#define QUERY_META_SHOWN(F, T)						\
	F(T, UINT, , index, "Index", 0, NULL)				\
	F(T, DUR, , last_contact, "LastContact", 0, NULL)		\
	F(T, BOOL, , known_leader, "KnownLeader", 0, NULL)		\
	F(T, STR, , consistency_level, "ConsistencyLevel", 0, NULL)
#define TXN_READ_RESPONSE(F, T)						\
	F(T, LIST, txn_result, results, "Results", 0, NULL)		\
	F(T, LIST, txn_error, errors, "Errors", 0, NULL)		\
	QUERY_META_SHOWN(F, T)
SCHEMA_DECLARE(txn_read_response, TXN_READ_RESPONSE)

/* ---- prepared queries ---- */

#define QUERY_TEMPLATE(F, T)						\
	F(T, STR, , type, "Type", 0, NULL)				\
	F(T, STR, , regexp, "Regexp", 0, NULL)				\
	F(T, BOOL, , remove_empty_tags, "RemoveEmptyTags", 0, NULL)
SCHEMA_DECLARE(query_template, QUERY_TEMPLATE)
#define QUERY_FAILOVER(F, T)						\
	F(T, INT, , nearest_n, "NearestN", 0, NULL)			\
	F(T, STRS, , datacenters, "Datacenters", 0, NULL)
SCHEMA_DECLARE(query_failover, QUERY_FAILOVER)
#define QUERY_SERVICE(F, T)						\
	F(T, STR, , service, "Service", 0, NULL)			\
	F(T, STRUCT, query_failover, failover, "Failover", 0, NULL)	\
	F(T, BOOL, , only_passing, "OnlyPassing", 0, NULL)		\
	F(T, STRS, , ignore_check_ids, "IgnoreCheckIDs", 0, NULL)	\
	F(T, STR, , near, "Near", 0, NULL)				\
	F(T, STRS, , tags, "Tags", 0, NULL)				\
	F(T, STRMAP, , node_meta, "NodeMeta", 0, NULL)			\
	F(T, STRMAP, , service_meta, "ServiceMeta", 0, NULL)		\
	F(T, BOOL, , connect, "Connect", 0, NULL)
SCHEMA_DECLARE(query_service, QUERY_SERVICE)
#define QUERY_DNS(F, T)							\
	F(T, STR, , ttl, "TTL", 0, NULL)
SCHEMA_DECLARE(query_dns, QUERY_DNS)
#define PREPARED_QUERY(F, T)						\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, STR, , session, "Session", 0, NULL)			\
	F(T, STR, , token, "Token", S_SECRET, NULL)			\
	F(T, STRUCT, query_template, template, "Template", 0, NULL)	\
	F(T, STRUCT, query_service, service, "Service", 0, NULL)	\
	F(T, STRUCT, query_dns, dns, "DNS", 0, NULL)			\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(prepared_query, PREPARED_QUERY)

#define QUERY_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , op, "Op", 0, NULL)	/* create, update, delete */	\
	F(T, STRUCT, prepared_query, query, "Query", 0, NULL)		\
	WRITE_REQUEST(F, T)
SCHEMA_DECLARE(query_request, QUERY_REQUEST)

#define QUERY_ID_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , query_id, "QueryID", 0, NULL)			\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(query_id_request, QUERY_ID_REQUEST)

#define INDEXED_QUERIES(F, T)						\
	F(T, LIST, prepared_query, queries, "Queries", 0, NULL)		\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_queries, INDEXED_QUERIES)

/* Source is whom to be near to, Agent who asks. */
#define QUERY_EXECUTE_REQUEST(F, T)					\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , query, "QueryIDOrName", 0, NULL)			\
	F(T, INT, , limit, "Limit", 0, NULL)				\
	F(T, BOOL, , connect, "Connect", 0, NULL)			\
	F(T, STRUCT, query_source, source, "Source", 0, NULL)		\
	F(T, STRUCT, query_source, agent, "Agent", 0, NULL)		\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(query_execute_request, QUERY_EXECUTE_REQUEST)

/* Server to server, between datacenters: the query as it was found. */
#define QUERY_REMOTE_REQUEST(F, T)					\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STRUCT, prepared_query, query, "Query", 0, NULL)		\
	F(T, INT, , limit, "Limit", 0, NULL)				\
	F(T, BOOL, , connect, "Connect", 0, NULL)			\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(query_remote_request, QUERY_REMOTE_REQUEST)

#define QUERY_EXECUTE_RESPONSE(F, T)					\
	F(T, STR, , service, "Service", 0, NULL)			\
	F(T, LIST, check_service_node, nodes, "Nodes", S_EMPTY, NULL)	\
	F(T, STRUCT, query_dns, dns, "DNS", 0, NULL)			\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, INT, , failovers, "Failovers", 0, NULL)			\
	QUERY_META_SHOWN(F, T)
SCHEMA_DECLARE(query_execute_response, QUERY_EXECUTE_RESPONSE)

#define QUERY_EXPLAIN_RESPONSE(F, T)					\
	F(T, STRUCT, prepared_query, query, "Query", 0, NULL)		\
	QUERY_META_SHOWN(F, T)
SCHEMA_DECLARE(query_explain_response, QUERY_EXPLAIN_RESPONSE)

/* ---- autopilot ---- */

#define AUTOPILOT_CONFIG(F, T)						\
	F(T, BOOL, , cleanup_dead_servers, "CleanupDeadServers", 0, NULL) \
	F(T, DUR, , last_contact_threshold, "LastContactThreshold",	\
	    S_DURTEXT, NULL)						\
	F(T, UINT, , max_trailing_logs, "MaxTrailingLogs", 0, NULL)	\
	F(T, UINT, , min_quorum, "MinQuorum", 0, NULL)			\
	F(T, DUR, , server_stabilization_time,				\
	    "ServerStabilizationTime", S_DURTEXT, NULL)			\
	F(T, STR, , redundancy_zone_tag, "RedundancyZoneTag", 0, NULL)	\
	F(T, BOOL, , disable_upgrade_migration,				\
	    "DisableUpgradeMigration", 0, NULL)				\
	F(T, STR, , upgrade_version_tag, "UpgradeVersionTag", 0, NULL)	\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(autopilot_config, AUTOPILOT_CONFIG)

#define AUTOPILOT_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STRUCT, autopilot_config, config, "Config", 0, NULL)	\
	F(T, BOOL, , cas, "CAS", 0, NULL)				\
	WRITE_REQUEST(F, T)
SCHEMA_DECLARE(autopilot_request, AUTOPILOT_REQUEST)

/* Operator.ServerHealth. */
#define HEALTHY_SERVER(F, T)						\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, STR, , address, "Address", 0, NULL)			\
	F(T, UINT, , serf_status, "SerfStatus", 0, NULL)		\
	F(T, STR, , version, "Version", 0, NULL)			\
	F(T, BOOL, , leader, "Leader", 0, NULL)				\
	F(T, DUR, , last_contact, "LastContact", 0, NULL)		\
	F(T, UINT, , last_term, "LastTerm", 0, NULL)			\
	F(T, UINT, , last_index, "LastIndex", 0, NULL)			\
	F(T, BOOL, , healthy, "Healthy", 0, NULL)			\
	F(T, BOOL, , voter, "Voter", 0, NULL)				\
	F(T, TIME, , stable_since, "StableSince", 0, NULL)
SCHEMA_DECLARE(healthy_server, HEALTHY_SERVER)
#define SERVER_HEALTH(F, T)						\
	F(T, BOOL, , healthy, "Healthy", 0, NULL)			\
	F(T, INT, , tolerance, "FailureTolerance", 0, NULL)		\
	F(T, LIST, healthy_server, servers, "Servers", 0, NULL)
SCHEMA_DECLARE(server_health, SERVER_HEALTH)

/* Operator.RaftRemovePeerByID, ByAddress. */
#define RAFT_REMOVE_REQUEST(F, T)					\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , address, "Address", 0, NULL)			\
	F(T, STR, , id, "ID", 0, NULL)					\
	WRITE_REQUEST(F, T)
SCHEMA_DECLARE(raft_remove_request, RAFT_REMOVE_REQUEST)

/* Agent.RaftRecover: what would be done, and with `Do` doing it. */
#define RAFT_RECOVER_REQUEST(F, T)					\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, BOOL, , doit, "Do", 0, NULL)
SCHEMA_DECLARE(raft_recover_request, RAFT_RECOVER_REQUEST)
#define RAFT_RECOVER_ANSWER(F, T)					\
	F(T, STR, , plan, "Plan", 0, NULL)				\
	F(T, BOOL, , begun, "Begun", 0, NULL)
SCHEMA_DECLARE(raft_recover_answer, RAFT_RECOVER_ANSWER)

#endif

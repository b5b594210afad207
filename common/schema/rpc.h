/*
 * The structs of the server RPC (rpc.md 3 and 5), which are also those of the
 * HTTP API and of catalogd's tables.  Field order is that of the JSON answers.
 */
#ifndef COMMON_SCHEMA_RPC_H
#define COMMON_SCHEMA_RPC_H

#include "common/schema/schema.h"

/* ---- groups that other lists take in (they travel flattened) ---- */

#define QUERY_OPTIONS(F, T)						\
	F(T, STR, , token, "Token", S_SECRET, NULL)			\
	F(T, UINT, , min_query_index, "MinQueryIndex", 0, NULL)		\
	F(T, DUR, , max_query_time, "MaxQueryTime", 0, NULL)		\
	F(T, BOOL, , allow_stale, "AllowStale", 0, NULL)		\
	F(T, BOOL, , require_consistent, "RequireConsistent", 0, NULL)	\
	F(T, BOOL, , use_cache, "UseCache", 0, NULL)			\
	F(T, DUR, , max_stale_duration, "MaxStaleDuration", 0, NULL)	\
	F(T, DUR, , max_age, "MaxAge", 0, NULL)				\
	F(T, BOOL, , must_revalidate, "MustRevalidate", 0, NULL)	\
	F(T, DUR, , stale_if_error, "StaleIfError", 0, NULL)		\
	F(T, STR, , filter, "Filter", 0, NULL)

#define QUERY_META(F, T)						\
	F(T, UINT, , index, "Index", S_NOJSON, NULL)			\
	F(T, DUR, , last_contact, "LastContact", S_NOJSON, NULL)	\
	F(T, BOOL, , known_leader, "KnownLeader", S_NOJSON, NULL)	\
	F(T, STR, , consistency_level, "ConsistencyLevel", S_NOJSON, NULL)

#define WRITE_REQUEST(F, T)						\
	F(T, STR, , token, "Token", S_SECRET, NULL)

#define RAFT_INDEX(F, T)						\
	F(T, UINT, , create_index, "CreateIndex", S_NOFILTER, NULL)	\
	F(T, UINT, , modify_index, "ModifyIndex", S_NOFILTER, NULL)

/* The head of any read request and of any read answer, whatever follows. */
#define QUERY_HEAD(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(query_head, QUERY_HEAD)
SCHEMA_DECLARE(query_meta, QUERY_META)

#define QUERY_SOURCE(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , segment, "Segment", 0, NULL)			\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , ip, "Ip", 0, NULL)
SCHEMA_DECLARE(query_source, QUERY_SOURCE)

/* The header before each request and answer on a stream. */
#define RPC_REQUEST_HEADER(F, T)					\
	F(T, UINT, , seq, "Seq", 0, NULL)				\
	F(T, STR, , method, "ServiceMethod", 0, NULL)
SCHEMA_DECLARE(rpc_request_header, RPC_REQUEST_HEADER)
#define RPC_RESPONSE_HEADER(F, T)					\
	F(T, STR, , error, "Error", 0, NULL)				\
	F(T, UINT, , seq, "Seq", 0, NULL)				\
	F(T, STR, , method, "ServiceMethod", 0, NULL)
SCHEMA_DECLARE(rpc_response_header, RPC_RESPONSE_HEADER)

/* ---- things ---- */

#define NODE(F, T)							\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , address, "Address", 0, NULL)			\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STRMAP, , tagged_addresses, "TaggedAddresses", 0,		\
	    "tagged_addresses")						\
	F(T, STRMAP, , meta, "Meta", 0, NULL)				\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(node, NODE)

#define SERVICE_ADDRESS(F, T)						\
	F(T, STR, , address, "Address", 0, NULL)			\
	F(T, INT, , port, "Port", 0, NULL)
SCHEMA_DECLARE(service_address, SERVICE_ADDRESS)

#define SERVICE_WEIGHTS(F, T)						\
	F(T, INT, , passing, "Passing", 0, NULL)			\
	F(T, INT, , warning, "Warning", 0, NULL)
SCHEMA_DECLARE(service_weights, SERVICE_WEIGHTS)

#define MESH_GATEWAY(F, T)						\
	F(T, STR, , mode, "Mode", S_OMIT, NULL)
SCHEMA_DECLARE(mesh_gateway, MESH_GATEWAY)

#define EXPOSE(F, T)							\
	F(T, BOOL, , checks, "Checks", S_OMIT, NULL)			\
	F(T, ANY, , paths, "Paths", S_OMIT, NULL)
SCHEMA_DECLARE(expose, EXPOSE)

/* Kept and given back; disco does not act on it. */
#define PROXY_CONFIG(F, T)						\
	F(T, STR, , destination_service_name, "DestinationServiceName",	\
	    S_OMIT, "destination_service_name")				\
	F(T, STR, , destination_service_id, "DestinationServiceID",	\
	    S_OMIT, "destination_service_id")				\
	F(T, STR, , local_service_address, "LocalServiceAddress",	\
	    S_OMIT, "local_service_address")				\
	F(T, INT, , local_service_port, "LocalServicePort", S_OMIT,	\
	    "local_service_port")					\
	F(T, ANY, , config, "Config", S_OMIT|S_NOFILTER, NULL)		\
	F(T, ANY, , upstreams, "Upstreams", S_OMIT, NULL)		\
	F(T, STRUCT, mesh_gateway, mesh_gateway, "MeshGateway", 0,	\
	    "mesh_gateway")						\
	F(T, STRUCT, expose, expose, "Expose", 0, NULL)
SCHEMA_DECLARE(proxy_config, PROXY_CONFIG)

#define SERVICE_CONNECT(F, T)						\
	F(T, BOOL, , native, "Native", S_OMIT, NULL)			\
	F(T, ANY, , sidecar_service, "SidecarService",			\
	    S_OMIT|S_NOFILTER, "sidecar_service")
SCHEMA_DECLARE(service_connect, SERVICE_CONNECT)

#define NODE_SERVICE(F, T)						\
	F(T, STR, , kind, "Kind", S_OMIT, NULL)				\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , service, "Service", 0, NULL)			\
	F(T, STRS, , tags, "Tags", S_EMPTY, NULL)			\
	F(T, STR, , address, "Address", 0, NULL)			\
	F(T, MAP, service_address, tagged_addresses, "TaggedAddresses",	\
	    S_OMIT, "tagged_addresses")					\
	F(T, STRMAP, , meta, "Meta", 0, NULL)				\
	F(T, INT, , port, "Port", 0, NULL)				\
	F(T, PTR, service_weights, weights, "Weights", 0, NULL)		\
	F(T, BOOL, , enable_tag_override, "EnableTagOverride", 0,	\
	    "enable_tag_override")					\
	F(T, STRUCT, proxy_config, proxy, "Proxy", 0, NULL)		\
	F(T, STRUCT, service_connect, connect, "Connect", 0, NULL)	\
	F(T, BOOL, , sidecar, "LocallyRegisteredAsSidecar", S_NOJSON, NULL) \
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(node_service, NODE_SERVICE)

#define SERVICE_NODE(F, T)						\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , address, "Address", 0, NULL)			\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STRMAP, , tagged_addresses, "TaggedAddresses", 0, NULL)	\
	F(T, STRMAP, , node_meta, "NodeMeta", 0, NULL)			\
	F(T, STR, , service_kind, "ServiceKind", 0, NULL)		\
	F(T, STR, , service_id, "ServiceID", 0, NULL)			\
	F(T, STR, , service_name, "ServiceName", 0, NULL)		\
	F(T, STRS, , service_tags, "ServiceTags", S_EMPTY, NULL)	\
	F(T, STR, , service_address, "ServiceAddress", 0, NULL)		\
	F(T, MAP, service_address, service_tagged_addresses,		\
	    "ServiceTaggedAddresses", S_OMIT, NULL)			\
	F(T, STRUCT, service_weights, service_weights, "ServiceWeights",\
	    0, NULL)							\
	F(T, STRMAP, , service_meta, "ServiceMeta", S_EMPTY, NULL)	\
	F(T, INT, , service_port, "ServicePort", 0, NULL)		\
	F(T, BOOL, , service_enable_tag_override,			\
	    "ServiceEnableTagOverride", 0, NULL)			\
	F(T, STRUCT, proxy_config, service_proxy, "ServiceProxy", 0, NULL) \
	F(T, STRUCT, service_connect, service_connect, "ServiceConnect", \
	    0, NULL)							\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(service_node, SERVICE_NODE)

/* Consul puts four of its fields before the others in JSON. */
#define CHECK_DEFINITION(F, T)						\
	F(T, DUR, , interval, "Interval", S_OMIT|S_DURTEXT, NULL)	\
	F(T, UINT, , output_max_size, "OutputMaxSize", S_OMIT, NULL)	\
	F(T, DUR, , timeout, "Timeout", S_OMIT|S_DURTEXT, NULL)		\
	F(T, DUR, , deregister_critical_service_after,			\
	    "DeregisterCriticalServiceAfter", S_OMIT|S_DURTEXT, NULL)	\
	F(T, STR, , http, "HTTP", S_OMIT, NULL)				\
	F(T, BOOL, , tls_skip_verify, "TLSSkipVerify", S_OMIT, NULL)	\
	F(T, STRSMAP, , header, "Header", S_OMIT, NULL)			\
	F(T, STR, , method, "Method", S_OMIT, NULL)			\
	F(T, STR, , body, "Body", S_OMIT, NULL)				\
	F(T, STR, , tcp, "TCP", S_OMIT, NULL)				\
	F(T, STRS, , script_args, "ScriptArgs", S_OMIT, NULL)		\
	F(T, STR, , docker_container_id, "DockerContainerID", S_OMIT, NULL) \
	F(T, STR, , shell, "Shell", S_OMIT, NULL)			\
	F(T, STR, , grpc, "GRPC", S_OMIT, NULL)				\
	F(T, BOOL, , grpc_use_tls, "GRPCUseTLS", S_OMIT, NULL)		\
	F(T, STR, , alias_node, "AliasNode", S_OMIT, NULL)		\
	F(T, STR, , alias_service, "AliasService", S_OMIT, NULL)	\
	F(T, DUR, , ttl, "TTL", S_OMIT|S_DURTEXT, NULL)
SCHEMA_DECLARE(check_definition, CHECK_DEFINITION)

#define HEALTH_CHECK(F, T)						\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , check_id, "CheckID", 0, NULL)			\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, STR, , status, "Status", 0, NULL)				\
	F(T, STR, , notes, "Notes", 0, NULL)				\
	F(T, STR, , output, "Output", 0, NULL)				\
	F(T, STR, , service_id, "ServiceID", 0, NULL)			\
	F(T, STR, , service_name, "ServiceName", 0, NULL)		\
	F(T, STRS, , service_tags, "ServiceTags", S_EMPTY, NULL)	\
	F(T, STR, , type, "Type", 0, NULL)				\
	F(T, STRUCT, check_definition, definition, "Definition",	\
	    S_NOFILTER, NULL)						\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(health_check, HEALTH_CHECK)

#define CHECK_SERVICE_NODE(F, T)					\
	F(T, STRUCT, node, node, "Node", 0, NULL)			\
	F(T, STRUCT, node_service, service, "Service", 0, NULL)		\
	F(T, LIST, health_check, checks, "Checks", S_EMPTY, NULL)
SCHEMA_DECLARE(check_service_node, CHECK_SERVICE_NODE)

#define COORDINATE(F, T)						\
	F(T, DOUBLES, , vec, "Vec", 0, NULL)				\
	F(T, DOUBLE, , error, "Error", 0, NULL)				\
	F(T, DOUBLE, , adjustment, "Adjustment", 0, NULL)		\
	F(T, DOUBLE, , height, "Height", 0, NULL)
SCHEMA_DECLARE(coordinate, COORDINATE)

/* ---- requests ---- */

#define DC_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STRMAP, , node_meta_filters, "NodeMetaFilters", 0, NULL)	\
	F(T, STRUCT, query_source, source, "Source", 0, NULL)		\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(dc_request, DC_REQUEST)

#define SERVICE_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STRMAP, , node_meta_filters, "NodeMetaFilters", 0, NULL)	\
	F(T, STR, , service_name, "ServiceName", 0, NULL)		\
	F(T, STR, , service_tag, "ServiceTag", 0, NULL)			\
	F(T, STRS, , service_tags, "ServiceTags", 0, NULL)		\
	F(T, STR, , service_address, "ServiceAddress", 0, NULL)		\
	F(T, BOOL, , tag_filter, "TagFilter", 0, NULL)			\
	F(T, STRUCT, query_source, source, "Source", 0, NULL)		\
	F(T, BOOL, , connect, "Connect", 0, NULL)			\
	F(T, BOOL, , ingress, "Ingress", 0, NULL)			\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(service_request, SERVICE_REQUEST)

#define NODE_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , node, "Node", 0, NULL)				\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(node_request, NODE_REQUEST)

#define CHECKS_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STRMAP, , node_meta_filters, "NodeMetaFilters", 0, NULL)	\
	F(T, STR, , state, "State", 0, NULL)				\
	F(T, STRUCT, query_source, source, "Source", 0, NULL)		\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(checks_request, CHECKS_REQUEST)

#define REGISTER_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , address, "Address", 0, NULL)			\
	F(T, STRMAP, , tagged_addresses, "TaggedAddresses", 0, NULL)	\
	F(T, STRMAP, , node_meta, "NodeMeta", 0, NULL)			\
	F(T, PTR, node_service, service, "Service", 0, NULL)		\
	F(T, PTR, health_check, check, "Check", 0, NULL)		\
	F(T, LIST, health_check, checks, "Checks", 0, NULL)		\
	F(T, BOOL, , skip_node_update, "SkipNodeUpdate", 0, NULL)	\
	WRITE_REQUEST(F, T)						\
	RAFT_INDEX(F, T)
SCHEMA_DECLARE(register_request, REGISTER_REQUEST)

#define DEREGISTER_REQUEST(F, T)					\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , service_id, "ServiceID", 0, NULL)			\
	F(T, STR, , check_id, "CheckID", 0, NULL)			\
	WRITE_REQUEST(F, T)
SCHEMA_DECLARE(deregister_request, DEREGISTER_REQUEST)

#define COORDINATE_UPDATE(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , segment, "Segment", 0, NULL)			\
	F(T, STRUCT, coordinate, coord, "Coord", 0, NULL)		\
	WRITE_REQUEST(F, T)
SCHEMA_DECLARE(coordinate_update, COORDINATE_UPDATE)

#define EVENT_FIRE_REQUEST(F, T)					\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, BYTES, , payload, "Payload", 0, NULL)			\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(event_fire_request, EVENT_FIRE_REQUEST)

/* ---- answers ---- */

#define INDEXED_NODES(F, T)						\
	F(T, LIST, node, nodes, "Nodes", S_EMPTY, NULL)			\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_nodes, INDEXED_NODES)

#define INDEXED_SERVICES(F, T)						\
	F(T, STRSMAP, , services, "Services", S_EMPTY, NULL)		\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_services, INDEXED_SERVICES)

#define SERVICE_NAME(F, T)						\
	F(T, STR, , name, "Name", 0, NULL)
SCHEMA_DECLARE(service_name, SERVICE_NAME)
#define INDEXED_SERVICE_LIST(F, T)					\
	F(T, LIST, service_name, services, "Services", S_EMPTY, NULL)	\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_service_list, INDEXED_SERVICE_LIST)

#define INDEXED_SERVICE_NODES(F, T)					\
	F(T, LIST, service_node, service_nodes, "ServiceNodes", S_EMPTY, NULL) \
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_service_nodes, INDEXED_SERVICE_NODES)

#define NODE_SERVICES(F, T)						\
	F(T, PTR, node, node, "Node", 0, NULL)				\
	F(T, MAP, node_service, services, "Services", S_EMPTY, NULL)
SCHEMA_DECLARE(node_services, NODE_SERVICES)
#define INDEXED_NODE_SERVICES(F, T)					\
	F(T, PTR, node_services, node_services, "NodeServices", 0, NULL) \
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_node_services, INDEXED_NODE_SERVICES)

#define NODE_SERVICE_LIST(F, T)						\
	F(T, PTR, node, node, "Node", 0, NULL)				\
	F(T, LIST, node_service, services, "Services", 0, NULL)
SCHEMA_DECLARE(node_service_list, NODE_SERVICE_LIST)
#define INDEXED_NODE_SERVICE_LIST(F, T)					\
	F(T, STRUCT, node_service_list, node_services, "NodeServices",	\
	    0, NULL)							\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_node_service_list, INDEXED_NODE_SERVICE_LIST)

/* Internal.NodeInfo, Internal.NodeDump. */
#define NODE_INFO(F, T)							\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , address, "Address", 0, NULL)			\
	F(T, STRMAP, , tagged_addresses, "TaggedAddresses", 0, NULL)	\
	F(T, STRMAP, , meta, "Meta", 0, NULL)				\
	F(T, LIST, node_service, services, "Services", S_EMPTY, NULL)	\
	F(T, LIST, health_check, checks, "Checks", S_EMPTY, NULL)
SCHEMA_DECLARE(node_info, NODE_INFO)
#define INDEXED_NODE_DUMP(F, T)						\
	F(T, LIST, node_info, dump, "Dump", S_EMPTY, NULL)		\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_node_dump, INDEXED_NODE_DUMP)

#define INDEXED_HEALTH_CHECKS(F, T)					\
	F(T, LIST, health_check, checks, "HealthChecks", S_EMPTY, NULL)	\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_health_checks, INDEXED_HEALTH_CHECKS)

#define INDEXED_CHECK_SERVICE_NODES(F, T)				\
	F(T, LIST, check_service_node, nodes, "Nodes", S_EMPTY, NULL)	\
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_check_service_nodes, INDEXED_CHECK_SERVICE_NODES)

#define NODE_COORDINATE(F, T)						\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , segment, "Segment", 0, NULL)			\
	F(T, STRUCT, coordinate, coord, "Coord", 0, NULL)
SCHEMA_DECLARE(node_coordinate, NODE_COORDINATE)
#define INDEXED_COORDINATES(F, T)					\
	F(T, LIST, node_coordinate, coordinates, "Coordinates", S_EMPTY, NULL) \
	QUERY_META(F, T)
SCHEMA_DECLARE(indexed_coordinates, INDEXED_COORDINATES)
/* Coordinate.ListDatacenters answers a bare array of these. */
#define DATACENTER_MAP(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , area_id, "AreaID", 0, NULL)		/* "wan" */	\
	F(T, LIST, node_coordinate, coordinates, "Coordinates", S_EMPTY, NULL)
SCHEMA_DECLARE(datacenter_map, DATACENTER_MAP)

/* Internal.KeyringOperation: one response for each pool. */
#define KEYRING_REQUEST(F, T)						\
	F(T, STR, , operation, "Operation", 0, NULL) /* list install use remove */ \
	F(T, STR, , key, "Key", S_SECRET, NULL)	/* base64 */		\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, BOOL, , forwarded, "Forwarded", 0, NULL)			\
	F(T, UINT, , relay_factor, "RelayFactor", 0, NULL)		\
	F(T, BOOL, , local_only, "LocalOnly", 0, NULL)			\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(keyring_request, KEYRING_REQUEST)
#define KEYRING_RESPONSE(F, T)						\
	F(T, BOOL, , wan, "WAN", 0, NULL)				\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , segment, "Segment", 0, NULL)			\
	F(T, STRMAP, , messages, "Messages", S_OMIT, NULL) /* node: text */ \
	F(T, INTMAP, , keys, "Keys", 0, NULL)	/* base64: nodes */	\
	F(T, INTMAP, , primary_keys, "PrimaryKeys", 0, NULL)		\
	F(T, INT, , num_nodes, "NumNodes", 0, NULL)			\
	F(T, STR, , error, "Error", S_OMIT, NULL)
SCHEMA_DECLARE(keyring_response, KEYRING_RESPONSE)
#define KEYRING_RESPONSES(F, T)						\
	F(T, LIST, keyring_response, responses, "Responses", S_EMPTY, NULL) \
	QUERY_META(F, T)
SCHEMA_DECLARE(keyring_responses, KEYRING_RESPONSES)

#define RAFT_SERVER(F, T)						\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , address, "Address", 0, NULL)			\
	F(T, BOOL, , leader, "Leader", 0, NULL)				\
	F(T, STR, , protocol_version, "ProtocolVersion", 0, NULL)	\
	F(T, BOOL, , voter, "Voter", 0, NULL)
SCHEMA_DECLARE(raft_server, RAFT_SERVER)
#define RAFT_CONFIGURATION(F, T)					\
	F(T, LIST, raft_server, servers, "Servers", S_EMPTY, NULL)	\
	F(T, UINT, , index, "Index", 0, NULL)
SCHEMA_DECLARE(raft_configuration, RAFT_CONFIGURATION)

/* The exchange of snapshots (rpc.md 9): in front of the archive. */
enum { SNAPSHOT_SAVE = 0, SNAPSHOT_RESTORE = 1 };
#define SNAPSHOT_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , token, "Token", S_SECRET, NULL)			\
	F(T, BOOL, , allow_stale, "AllowStale", 0, NULL)		\
	F(T, INT, , op, "Op", 0, NULL)
SCHEMA_DECLARE(snapshot_request, SNAPSHOT_REQUEST)
#define SNAPSHOT_RESPONSE(F, T)						\
	F(T, STR, , error, "Error", 0, NULL)				\
	QUERY_META(F, T)
SCHEMA_DECLARE(snapshot_response, SNAPSHOT_RESPONSE)

/* A method without arguments, or without results: an empty map. */
#define EMPTY_STRUCT(F, T)
struct empty { char none; };
extern struct schema empty_schema;

#endif

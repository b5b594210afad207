/*
 * The tables of the server RPC.
 */
#include <stddef.h>

#include "common/schema/rpc.h"

SCHEMA_DEFINE(query_head, QUERY_HEAD)
SCHEMA_DEFINE(query_meta, QUERY_META)
SCHEMA_DEFINE(query_source, QUERY_SOURCE)
SCHEMA_DEFINE(rpc_request_header, RPC_REQUEST_HEADER)
SCHEMA_DEFINE(rpc_response_header, RPC_RESPONSE_HEADER)
SCHEMA_DEFINE(node, NODE)
SCHEMA_DEFINE(service_address, SERVICE_ADDRESS)
SCHEMA_DEFINE(service_weights, SERVICE_WEIGHTS)
SCHEMA_DEFINE(mesh_gateway, MESH_GATEWAY)
SCHEMA_DEFINE(expose, EXPOSE)
SCHEMA_DEFINE(proxy_config, PROXY_CONFIG)
SCHEMA_DEFINE(service_connect, SERVICE_CONNECT)
SCHEMA_DEFINE(node_service, NODE_SERVICE)
SCHEMA_DEFINE(service_node, SERVICE_NODE)
SCHEMA_DEFINE(check_definition, CHECK_DEFINITION)
SCHEMA_DEFINE(health_check, HEALTH_CHECK)
SCHEMA_DEFINE(check_service_node, CHECK_SERVICE_NODE)
SCHEMA_DEFINE(coordinate, COORDINATE)
SCHEMA_DEFINE(dc_request, DC_REQUEST)
SCHEMA_DEFINE(service_request, SERVICE_REQUEST)
SCHEMA_DEFINE(node_request, NODE_REQUEST)
SCHEMA_DEFINE(checks_request, CHECKS_REQUEST)
SCHEMA_DEFINE(register_request, REGISTER_REQUEST)
SCHEMA_DEFINE(deregister_request, DEREGISTER_REQUEST)
SCHEMA_DEFINE(coordinate_update, COORDINATE_UPDATE)
SCHEMA_DEFINE(event_fire_request, EVENT_FIRE_REQUEST)
SCHEMA_DEFINE(indexed_nodes, INDEXED_NODES)
SCHEMA_DEFINE(indexed_services, INDEXED_SERVICES)
SCHEMA_DEFINE(service_name, SERVICE_NAME)
SCHEMA_DEFINE(indexed_service_list, INDEXED_SERVICE_LIST)
SCHEMA_DEFINE(indexed_service_nodes, INDEXED_SERVICE_NODES)
SCHEMA_DEFINE(node_services, NODE_SERVICES)
SCHEMA_DEFINE(indexed_node_services, INDEXED_NODE_SERVICES)
SCHEMA_DEFINE(node_service_list, NODE_SERVICE_LIST)
SCHEMA_DEFINE(indexed_node_service_list, INDEXED_NODE_SERVICE_LIST)
SCHEMA_DEFINE(indexed_health_checks, INDEXED_HEALTH_CHECKS)
SCHEMA_DEFINE(indexed_check_service_nodes, INDEXED_CHECK_SERVICE_NODES)
SCHEMA_DEFINE(raft_server, RAFT_SERVER)
SCHEMA_DEFINE(raft_configuration, RAFT_CONFIGURATION)

struct schema empty_schema = { "empty", sizeof(struct empty), NULL, 0, NULL };

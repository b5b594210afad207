/*
 * The table of methods: how each is carried out.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/server_i.h"

SCHEMA_DEFINE(kind_request, KIND_REQUEST)
SCHEMA_DEFINE(intention_name, INTENTION_NAME)
SCHEMA_DEFINE(intention_match, INTENTION_MATCH)
SCHEMA_DEFINE(intention_request, INTENTION_REQUEST)
SCHEMA_DEFINE(service_dump_request, SERVICE_DUMP_REQUEST)

static const char connect_off[] =
    "Connect must be enabled in order to use this endpoint";
static const char no_intentions[] =
    "disco's servers do not have intentions";
static const char no_entries[] =
    "disco's servers do not have configuration entries";
static const char no_federation[] =
    "disco's servers do not have federation states";
static const char acl_off[] = "ACL support disabled";

#define R(name, schema, fn, row)					\
	{ name, METHOD_READ, &schema##_schema, fn##_depends, fn##_read,	\
	    NULL, NULL, false, &row##_schema }
/* Consul does not apply a filter to these. */
#define R_NOFILTER(name, schema, fn)					\
	{ name, METHOD_READ, &schema##_schema, fn##_depends, fn##_read,	\
	    NULL, NULL, false, NULL }
/* Features that nobody has here: blocking, and never changing. */
#define R_QUIET(name, schema, fn)					\
	{ name, METHOD_READ, &schema##_schema, nothing_depends, fn##_read, \
	    NULL, NULL, false, NULL }
/* Answered from this server's own knowledge; Datacenter may be empty. */
#define L(name, schema, fn)						\
	{ name, METHOD_LOCAL, schema, NULL, fn##_read, NULL, NULL, true, NULL }
/* Not blocking, but only here. */
#define L_DC(name, schema, fn)						\
	{ name, METHOD_LOCAL, schema, NULL, fn##_read, NULL, NULL, false, NULL }
#define RL(name, schema, fn)						\
	{ name, METHOD_READ, &schema##_schema, NULL, fn##_read, NULL,	\
	    NULL, false, NULL }
#define W(name, schema, fn)						\
	{ name, METHOD_WRITE, &schema##_schema, NULL, NULL, fn##_write,	\
	    NULL, false, NULL }
/* Not here; another datacenter may have it. */
#define ELSEWHERE(name, text)						\
	{ name, METHOD_REFUSED, &query_head_schema, NULL, NULL, NULL,	\
	    text, true, NULL }
#define REFUSED(name, text)						\
	{ name, METHOD_REFUSED, NULL, NULL, NULL, NULL, text, true, NULL }

static const struct method methods[] = {
	W("Catalog.Register", register_request, catalog_register),
	W("Catalog.Deregister", deregister_request, catalog_deregister),
	R("Catalog.ListNodes", dc_request, catalog_list_nodes, node),
	R_NOFILTER("Catalog.ListServices", dc_request, catalog_list_services),
	R_NOFILTER("Catalog.ServiceList", dc_request, catalog_service_list),
	R("Catalog.ServiceNodes", service_request,
	    catalog_service_nodes, service_node),
	R("Catalog.NodeServices", node_request,
	    catalog_node_services, node_service),
	R("Catalog.NodeServiceList", node_request,
	    catalog_node_service_list, node_service),
	R_NOFILTER("Catalog.GatewayServices", service_request,
	    catalog_gateway_services),

	R("Health.ServiceNodes", service_request,
	    health_service_nodes, check_service_node),
	R("Health.ServiceChecks", service_request,
	    health_service_checks, health_check),
	R("Health.NodeChecks", node_request,
	    health_node_checks, health_check),
	R("Health.ChecksInState", checks_request,
	    health_checks_in_state, health_check),

	R_NOFILTER("Internal.NodeInfo", node_request, internal_node_info),
	R("Internal.NodeDump", dc_request, internal_node_dump, node_info),
	R("Internal.ServiceDump", service_dump_request,
	    internal_service_dump, check_service_node),
	L_DC("Internal.EventFire", &event_fire_request_schema,
	    internal_event_fire),

	W("Coordinate.Update", coordinate_update, coordinate_update),
	R_NOFILTER("Coordinate.ListNodes", dc_request, coordinate_list_nodes),
	R_NOFILTER("Coordinate.Node", node_request, coordinate_node),

	W("KVS.Apply", kvs_request, kvs_apply),
	R_NOFILTER("KVS.Get", key_request, kvs_get),
	R_NOFILTER("KVS.List", key_request, kvs_list),
	R_NOFILTER("KVS.ListKeys", key_list_request, kvs_list_keys),

	W("Session.Apply", session_request, session_apply),
	R_NOFILTER("Session.Get", session_id_request, session_get),
	R_NOFILTER("Session.List", session_id_request, session_list),
	R_NOFILTER("Session.NodeSessions", node_request,
	    session_node_sessions),
	RL("Session.Renew", session_id_request, session_renew),

	W("Txn.Apply", txn_request, txn_apply),
	RL("Txn.Read", txn_read_request, txn_read),

	W("PreparedQuery.Apply", query_request, query_apply),
	R_NOFILTER("PreparedQuery.Get", query_id_request, query_get),
	R_NOFILTER("PreparedQuery.List", dc_request, query_list),
	RL("PreparedQuery.Execute", query_execute_request, query_execute),
	RL("PreparedQuery.ExecuteRemote", query_remote_request,
	    query_execute_remote),
	RL("PreparedQuery.Explain", query_execute_request, query_explain),

	L("Status.Ping", NULL, status_ping),
	L("Status.Leader", &dc_request_schema, status_leader),
	L("Status.Peers", &dc_request_schema, status_peers),
	L("Status.RaftStats", NULL, status_raft_stats),
	L("Status.DiscoServer", NULL, status_disco_server),
	L("Agent.RaftRecover", &raft_recover_request_schema,
	    agent_raft_recover),

	RL("Operator.RaftGetConfiguration", dc_request,
	    operator_raft_configuration),
	RL("Operator.RaftRemovePeerByID", raft_remove_request,
	    operator_raft_remove),
	RL("Operator.RaftRemovePeerByAddress", raft_remove_request,
	    operator_raft_remove),
	RL("Operator.AutopilotGetConfiguration", dc_request,
	    operator_autopilot_configuration),
	W("Operator.AutopilotSetConfiguration", autopilot_request,
	    operator_autopilot_set),
	RL("Operator.ServerHealth", dc_request, operator_server_health),

	R_QUIET("Intention.List", dc_request, intention_list),
	R_QUIET("Intention.Match", intention_request, intention_match),
	RL("Intention.Check", intention_request, intention_check),
	RL("Intention.Get", intention_request, intention_get),
	ELSEWHERE("Intention.Apply", no_intentions),
	R_QUIET("ConfigEntry.Get", kind_request, config_entry_get),
	R_QUIET("ConfigEntry.List", kind_request, config_entry_list),
	R_QUIET("ConfigEntry.ListAll", kind_request, config_entry_list_all),
	R_QUIET("ConfigEntry.ResolveServiceConfig", kind_request,
	    config_entry_resolve),
	REFUSED("ConfigEntry.Apply", no_entries),
	REFUSED("ConfigEntry.Delete", no_entries),
	R_QUIET("Internal.GatewayServiceDump", service_request,
	    internal_gateway_service_dump),
	R_QUIET("FederationState.List", dc_request, federation_list),
	R_QUIET("FederationState.Get", dc_request, federation_get),
	R_QUIET("FederationState.ListMeshGateways", dc_request,
	    federation_gateways),
	REFUSED("FederationState.Apply", no_federation),
	ELSEWHERE("ConnectCA.Roots", connect_off),
	ELSEWHERE("ConnectCA.Sign", connect_off),
	ELSEWHERE("ConnectCA.SignIntermediate", connect_off),
	ELSEWHERE("ConnectCA.ConfigurationGet", connect_off),
	ELSEWHERE("ConnectCA.ConfigurationSet", connect_off),
	ELSEWHERE("DiscoveryChain.Get", connect_off),
	REFUSED("AutoEncrypt.Sign", connect_off),

	REFUSED("ACL.BootstrapTokens", acl_off),
	REFUSED("ACL.TokenRead", acl_off),
	REFUSED("ACL.TokenSet", acl_off),
	REFUSED("ACL.TokenClone", acl_off),
	REFUSED("ACL.TokenDelete", acl_off),
	REFUSED("ACL.TokenList", acl_off),
	REFUSED("ACL.TokenBatchRead", acl_off),
	REFUSED("ACL.PolicyRead", acl_off),
	REFUSED("ACL.PolicyBatchRead", acl_off),
	REFUSED("ACL.PolicySet", acl_off),
	REFUSED("ACL.PolicyDelete", acl_off),
	REFUSED("ACL.PolicyList", acl_off),
	REFUSED("ACL.PolicyResolve", acl_off),
	REFUSED("ACL.RoleRead", acl_off),
	REFUSED("ACL.RoleBatchRead", acl_off),
	REFUSED("ACL.RoleSet", acl_off),
	REFUSED("ACL.RoleDelete", acl_off),
	REFUSED("ACL.RoleList", acl_off),
	REFUSED("ACL.RoleResolve", acl_off),
	REFUSED("ACL.BindingRuleRead", acl_off),
	REFUSED("ACL.BindingRuleSet", acl_off),
	REFUSED("ACL.BindingRuleDelete", acl_off),
	REFUSED("ACL.BindingRuleList", acl_off),
	REFUSED("ACL.AuthMethodRead", acl_off),
	REFUSED("ACL.AuthMethodSet", acl_off),
	REFUSED("ACL.AuthMethodDelete", acl_off),
	REFUSED("ACL.AuthMethodList", acl_off),
	REFUSED("ACL.Login", acl_off),
	REFUSED("ACL.Logout", acl_off),
	REFUSED("ACL.ReplicationStatus", acl_off),
	REFUSED("ACL.GetPolicy", acl_off),
	REFUSED("ACL.Bootstrap", acl_off),
	REFUSED("ACL.Apply", acl_off),
	REFUSED("ACL.Get", acl_off),
	REFUSED("ACL.List", acl_off),
};

const struct method *
method_find(const char *name)
{
	size_t i;

	for (i = 0; i < NELEM(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

bool
method_service_known(const char *name)
{
	const char *dot;
	size_t i, n;

	if ((dot = strrchr(name, '.')) == NULL)
		return false;
	n = (size_t)(dot - name) + 1;
	for (i = 0; i < NELEM(methods); i++)
		if (strncmp(methods[i].name, name, n) == 0)
			return true;
	return false;
}

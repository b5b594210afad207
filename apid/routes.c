/*
 * The table of routes, and what is said when none fits.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/log.h"
#include "common/util.h"

#define ACL(path, methods)						\
	{ "/v1/acl/" path, (methods), ep_acl_disabled, NULL }
#define CONNECT(path, methods, arg)					\
	{ path, (methods), ep_connect_disabled, arg }

/* The first that fits wins: longer paths stand before their prefixes. */
static const struct route routes[] = {
	{ "/v1/status/leader", M_GET, ep_status_leader, NULL },
	{ "/v1/status/peers", M_GET, ep_status_peers, NULL },
	{ "/v1/agent/self", M_GET, ep_agent_self, NULL },
	{ "/v1/agent/members", M_GET, ep_agent_members, NULL },
	{ "/v1/agent/services", M_GET, ep_agent_services, NULL },
	{ "/v1/agent/service/register", M_PUT,
	    ep_agent_register_service, NULL },
	{ "/v1/agent/service/deregister/", M_PUT,
	    ep_agent_deregister_service, NULL },
	{ "/v1/agent/service/maintenance/", M_PUT,
	    ep_agent_service_maintenance, NULL },
	{ "/v1/agent/service/", M_GET, ep_agent_service, NULL },
	{ "/v1/agent/checks", M_GET, ep_agent_checks, NULL },
	{ "/v1/agent/check/register", M_PUT, ep_agent_register_check, NULL },
	{ "/v1/agent/check/deregister/", M_PUT,
	    ep_agent_deregister_check, NULL },
	{ "/v1/agent/check/pass/", M_PUT, ep_agent_check_status, "passing" },
	{ "/v1/agent/check/warn/", M_PUT, ep_agent_check_status, "warning" },
	{ "/v1/agent/check/fail/", M_PUT, ep_agent_check_status, "critical" },
	{ "/v1/agent/check/update/", M_PUT, ep_agent_check_update, NULL },
	{ "/v1/agent/maintenance", M_PUT | M_LOGGED, ep_agent_maintenance, NULL },
	{ "/v1/agent/join/", M_PUT | M_LOGGED, ep_agent_join, NULL },
	{ "/v1/agent/force-leave/", M_PUT | M_LOGGED, ep_agent_force_leave,
	    NULL },
	{ "/v1/agent/leave", M_PUT | M_LOGGED, ep_agent_leave, NULL },
	{ "/v1/agent/reload", M_PUT | M_LOGGED, ep_agent_reload, NULL },
	{ "/v1/agent/health/service/id/", M_GET, ep_agent_health, "id" },
	{ "/v1/agent/health/service/name/", M_GET, ep_agent_health, "name" },
	{ "/v1/agent/metrics", M_GET, ep_agent_metrics, NULL },
	{ "/v1/agent/monitor", M_GET, ep_agent_monitor, NULL },
	{ "/v1/agent/host", M_GET, ep_agent_host, NULL },
	{ "/v1/disco/status", M_GET, ep_disco_status, NULL },
	{ "/v1/disco/dns/log", M_PUT, ep_disco_dns_log, NULL },
	{ "/v1/disco/checks", M_GET, ep_disco_checks, NULL },
	{ "/v1/disco/checks/", M_GET, ep_disco_checks, NULL },
	{ "/v1/catalog/register", M_PUT, ep_catalog_register, NULL },
	{ "/v1/catalog/deregister", M_PUT, ep_catalog_deregister, NULL },
	{ "/v1/catalog/datacenters", M_GET, ep_catalog_datacenters, NULL },
	{ "/v1/catalog/nodes", M_GET, ep_catalog_nodes, "read" },
	{ "/v1/catalog/services", M_GET, ep_catalog_services, "read" },
	{ "/v1/catalog/service/", M_GET, ep_catalog_service, "read" },
	{ "/v1/catalog/connect/", M_GET, ep_catalog_service, "read" },
	{ "/v1/catalog/gateway-services/", M_GET,
	    ep_gateway_services, "read" },
	{ "/v1/catalog/node-services/", M_GET,
	    ep_catalog_node_services, "read" },
	{ "/v1/catalog/node/", M_GET, ep_catalog_node, "read" },
	{ "/v1/health/service/", M_GET, ep_health_service, "read" },
	{ "/v1/health/connect/", M_GET, ep_health_service, "read" },
	{ "/v1/health/ingress/", M_GET, ep_health_service, "read" },
	{ "/v1/health/checks/", M_GET, ep_health_checks, "read" },
	{ "/v1/health/node/", M_GET, ep_health_node, "read" },
	{ "/v1/health/state/", M_GET, ep_health_state, "read" },
	{ "/v1/coordinate/datacenters", M_GET,
	    ep_coordinate_datacenters, NULL },
	{ "/v1/coordinate/nodes", M_GET, ep_coordinate_nodes, "read" },
	{ "/v1/coordinate/node/", M_GET, ep_coordinate_node, "read" },
	{ "/v1/coordinate/update", M_PUT, ep_coordinate_update, NULL },
	{ "/v1/kv/", M_GET | M_PUT | M_DELETE, ep_kv, NULL },
	{ "/v1/session/create", M_PUT, ep_session_create, NULL },
	{ "/v1/session/destroy/", M_PUT, ep_session_destroy, NULL },
	{ "/v1/session/renew/", M_PUT, ep_session_renew, NULL },
	{ "/v1/session/info/", M_GET, ep_session_info, "read" },
	{ "/v1/session/node/", M_GET, ep_session_node, "read" },
	{ "/v1/session/list", M_GET, ep_session_list, "read" },
	{ "/v1/txn", M_PUT, ep_txn, NULL },
	{ "/v1/query", M_GET | M_POST, ep_query, "read" },
	{ "/v1/query/", M_GET | M_PUT | M_DELETE, ep_query_one, "read" },
	{ "/v1/event/fire/", M_PUT, ep_event_fire, NULL },
	{ "/v1/event/list", M_GET, ep_event_list, NULL },
	{ "/v1/internal/ui/nodes", M_GET, ep_ui_nodes, "read" },
	{ "/v1/internal/ui/node/", M_GET, ep_ui_node, "read" },
	{ "/v1/internal/ui/services", M_GET, ep_ui_services, "read" },
	{ "/v1/internal/ui/gateway-services-nodes/", M_GET,
	    ep_ui_gateway_services, "read" },
	{ "/v1/operator/keyring", M_GET | M_POST | M_PUT | M_DELETE |
	    M_LOGGED, ep_operator_keyring, NULL },
	{ "/v1/operator/raft/configuration", M_GET,
	    ep_operator_raft_configuration, NULL },
	{ "/v1/operator/raft/peer", M_DELETE | M_LOGGED,
	    ep_operator_raft_peer, NULL },
	{ "/v1/disco/raft/recover", M_GET | M_PUT | M_LOGGED,
	    ep_disco_recover, NULL },
	{ "/v1/operator/autopilot/configuration", M_GET | M_PUT | M_LOGGED,
	    ep_operator_autopilot, NULL },
	{ "/v1/operator/autopilot/health", M_GET,
	    ep_operator_health, NULL },
	{ "/v1/snapshot", M_GET | M_PUT | M_STREAMED | M_LOGGED,
	    ep_snapshot, NULL },
	ACL("bootstrap", M_PUT),
	ACL("create", M_PUT),
	ACL("update", M_PUT),
	ACL("destroy/", M_PUT),
	ACL("info/", M_GET),
	ACL("clone/", M_PUT),
	ACL("list", M_GET),
	ACL("login", M_POST),
	ACL("logout", M_POST),
	ACL("replication", M_GET),
	ACL("policies", M_GET),
	ACL("policy/name/", M_GET),
	ACL("policy", M_PUT),
	ACL("policy/", M_GET | M_PUT | M_DELETE),
	ACL("roles", M_GET),
	ACL("role/name/", M_GET),
	ACL("role", M_PUT),
	ACL("role/", M_GET | M_PUT | M_DELETE),
	ACL("binding-rules", M_GET),
	ACL("binding-rule", M_PUT),
	ACL("binding-rule/", M_GET | M_PUT | M_DELETE),
	ACL("auth-methods", M_GET),
	ACL("auth-method", M_PUT),
	ACL("auth-method/", M_GET | M_PUT | M_DELETE),
	ACL("rules/translate", M_POST),
	ACL("rules/translate/", M_GET),
	ACL("tokens", M_GET),
	ACL("token/self", M_GET),
	ACL("token", M_PUT),
	ACL("token/", M_GET | M_PUT | M_DELETE),
	{ "/v1/internal/acl/authorize", M_POST, ep_acl_disabled, NULL },
	{ "/v1/agent/token/", M_PUT, ep_acl_disabled, NULL },
	CONNECT("/v1/connect/ca/configuration", M_GET | M_PUT, NULL),
	CONNECT("/v1/connect/ca/roots", M_GET, "read"),
	CONNECT("/v1/connect/intentions", M_GET | M_POST, "read"),
	CONNECT("/v1/connect/intentions/match", M_GET, "read"),
	CONNECT("/v1/connect/intentions/check", M_GET, "read"),
	CONNECT("/v1/connect/intentions/exact", M_GET, "read"),
	CONNECT("/v1/connect/intentions/", M_GET | M_PUT | M_DELETE, "read"),
	CONNECT("/v1/agent/connect/authorize", M_POST, NULL),
	CONNECT("/v1/agent/connect/ca/roots", M_GET, NULL),
	CONNECT("/v1/agent/connect/ca/leaf/", M_GET, NULL),
	CONNECT("/v1/discovery-chain/", M_GET | M_POST, "read"),
	{ "/v1/config", M_PUT, ep_config_write, NULL },
	{ "/v1/config/", M_GET | M_DELETE, ep_config_entry, "read" },
	{ "/v1/internal/federation-states/mesh-gateways", M_GET,
	    ep_federation_states, "read" },
	{ "/v1/internal/federation-states", M_GET,
	    ep_federation_states, "read" },
	{ "/v1/internal/federation-state/", M_GET,
	    ep_federation_states, "read" },
};

static const struct { enum method bit; const char *name; } methods[] = {
	{ M_GET, "GET" }, { M_POST, "POST" }, { M_PUT, "PUT" },
	{ M_DELETE, "DELETE" },
};

size_t
routes_count(void)
{
	return NELEM(routes);
}

const struct route *
route_at(size_t i)
{
	return &routes[i];
}

size_t
route_number(const struct route *t)
{
	return (size_t)(t - routes);
}

static bool
route_fits(const struct route *t, const char *path)
{
	size_t	n = strlen(t->path);

	if (t->path[n - 1] == '/')
		return strncmp(path, t->path, n) == 0;
	return strcmp(path, t->path) == 0;
}

static void
allow_header(struct request *r)
{
	struct wbuf	 b;
	size_t		 i;
	char		*text;

	wb_init(&b, 0);
	wb_str(&b, "OPTIONS");
	for (i = 0; i < NELEM(methods); i++)
		if (r->route->methods & methods[i].bit)
			wb_printf(&b, ",%s", methods[i].name);
	text = wb_detach_str(&b);
	add_header(r, "Allow", "%s", text);
	free(text);
}

/* Is this path closed by http_config.block_endpoints? */
static bool
blocked(const struct request *r)
{
	const struct strs	*list = &r->apid->http.block_endpoints;
	size_t			 i;

	for (i = 0; i < list->n; i++)
		if (strncmp(r->path, list->item[i], strlen(list->item[i])) == 0)
			return true;
	return false;
}

/* May this client write, by http_config.allow_write_http_from? */
static bool
may_write(const struct request *r)
{
	const struct nets	*nets = &r->apid->may_write;
	struct sockaddr_storage	 ss;

	return nets->n == 0 || r->listener->kind == SOCK_HTTP_UNIX ||
	    (client_addr(r, &ss) && nets_have_addr(nets, &ss));
}

/* What changes the agent or the cluster itself is not done unseen. */
static void
log_write(const struct request *r)
{
	char	who[CLIENT_TEXT_MAX];

	log_info("%s %s, asked by %s", r->method_text, r->path,
	    client_text(r, who, sizeof(who)));
}

void
redirect(struct request *r, const char *path)
{
	add_header(r, "Location", "%s", path);
	if (r->method == M_GET) {
		wb_printf(&r->answer,
		    "<a href=\"%s\">Moved Permanently</a>.\n\n", path);
		r->type = "text/html; charset=utf-8";
	}
	reply_empty(r, 301);
}

bool
dispatch_streams(const struct request *r)
{
	size_t	i;

	for (i = 0; i < NELEM(routes); i++)
		if (route_fits(&routes[i], r->path))
			return (routes[i].methods & M_STREAMED) != 0;
	return false;
}

void
dispatch(struct request *r)
{
	char	*clean;
	size_t	 i;

	if (r->cut) {
		reply_text(r, 400, "%%00 in a path or query");
		return;
	}
	if (!r->apid->http.unprintable && !path_printable(r->path)) {
		reply_empty(r, 400);
		return;
	}
	if ((clean = path_clean(r->path)) != NULL) {
		/* Only what is safe inside HTML and a header is echoed. */
		if (strpbrk(clean, "<>\"'&\r\n") != NULL)
			reply_empty(r, 404);
		else
			redirect(r, clean);
		free(clean);
		return;
	}
	if (page_serves(r))
		return;
	for (i = 0; i < NELEM(routes); i++)
		if (route_fits(&routes[i], r->path))
			break;
	if (i == NELEM(routes)) {
		reply_empty(r, 404);
		return;
	}
	r->route = &routes[i];
	r->began_ns = ev_hrtime();
	r->tail = r->path + strlen(routes[i].path);
	add_header(r, "Vary", "Accept-Encoding");
	if (blocked(r)) {
		reply_text(r, 403,
		    "Endpoint is blocked by agent configuration");
		return;
	}
	if (strcmp(r->method_text, "OPTIONS") == 0) {
		allow_header(r);
		reply_empty(r, 200);
		return;
	}
	if ((r->route->methods & r->method) == 0) {
		allow_header(r);
		reply_text(r, 405, "method %s not allowed", r->method_text);
		return;
	}
	if (r->method != M_GET && !may_write(r)) {
		reply_text(r, 403, "Access is restricted");
		return;
	}
	if (r->method != M_GET && (r->route->methods & M_LOGGED) != 0)
		log_write(r);
	r->route->fn(r);
}

/*
 * Endpoints of what disco has not: ACLs, Connect, configuration entries.
 * Clients probe them, so they are answered as a server of Consul's answers that
 * has none of it, and not by a 404.
 */
#include <string.h>

#include "apid/apid.h"
#include "common/util.h"

void
ep_acl_disabled(struct request *r)
{
	reply_text(r, 401, "ACL support disabled");
}

void
ep_connect_disabled(struct request *r)
{
	failed_read_headers(r);
	reply_text(r, 500, "Connect must be enabled in order to use this "
	    "endpoint");
}

static void
no_list(struct request *r, const uint8_t *body, size_t len)
{
	struct jw	*jw;

	meta_headers(r, body, len, false);
	jw = json_of(r);
	jw_arr(jw);
	jw_end_arr(jw);
	reply_json(r, jw);
}

static void
no_entry(struct request *r, const uint8_t *body, size_t len)
{
	const char	*slash = strchr(r->tail, '/');

	meta_headers(r, body, len, false);
	reply_text(r, 404, "Config entry not found for \"%.*s\" / \"%s\"",
	    (int)(slash - r->tail), r->tail, slash + 1);
}

static bool
known_kind(const char *kind, size_t len)
{
	static const char *const kinds[] = {
		"service-defaults", "proxy-defaults", "service-router",
		"service-splitter", "service-resolver", "ingress-gateway",
		"terminating-gateway"
	};
	size_t	i;

	for (i = 0; i < NELEM(kinds); i++)
		if (strlen(kinds[i]) == len && strncmp(kinds[i], kind, len)
		    == 0)
			return true;
	return false;
}

/* /v1/config/KIND, /v1/config/KIND/NAME */
void
ep_config_entry(struct request *r)
{
	size_t		 len = strcspn(r->tail, "/");
	struct jw	*jw;

	if (len == 0)
		reply_text(r, 404, "Must provide either a kind or both kind "
		    "and name");
	else if (!known_kind(r->tail, len)) {
		failed_read_headers(r);
		reply_text(r, 500, "invalid config entry kind: %.*s", (int)len,
		    r->tail);
	} else if (r->method == M_DELETE && !r->apid->agent.server) {
		/* Consul's servers may have it: it is not gone. */
		reply_text(r, 500, "configuration entries are not passed on to "
		    "the servers");
	} else if (r->method == M_DELETE) {
		jw = json_of(r);
		jw_obj(jw);
		jw_end_obj(jw);
		reply_json(r, jw);
	} else
		/* Another list that is empty: for the headers. */
		ask_dc(r, "FederationState.List", r->tail[len] == '/' ?
		    no_entry : no_list);
}

void
ep_config_write(struct request *r)
{
	reply_text(r, 500, "disco's servers do not have configuration entries");
}

/* Services of a gateway. */
static void
no_gateways(struct request *r, const uint8_t *body, size_t len)
{
	struct jw	*jw;

	meta_headers(r, body, len, true);
	jw = json_of(r);
	jw_null(jw);
	reply_json(r, jw);
}

static void
ask_gateway(struct request *r, answered_fn *fn)
{
	struct service_request	q = { 0 };
	struct read_options	o;

	if (!named(r, "gateway name") || read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	str_set(&q.service_name, r->tail);
	ask_catalogd(r, "Catalog.GatewayServices", &service_request_schema, &q,
	    0, fn);
	schema_clear(&service_request_schema, &q);
	read_options_clear(&o);
}

void
ep_gateway_services(struct request *r)
{
	ask_gateway(r, no_gateways);
}

void
ep_ui_gateway_services(struct request *r)
{
	ask_gateway(r, no_list);
}

/* States of a federation of meshes: a list, a map by datacenter, one. */
static void
no_states(struct request *r, const uint8_t *body, size_t len)
{
	struct jw	*jw;

	meta_headers(r, body, len, false);
	jw = json_of(r);
	if (r->route->path[strlen(r->route->path) - 1] == '/')
		jw_null(jw);
	else if (strstr(r->route->path, "gateways") != NULL) {
		jw_obj(jw);
		jw_end_obj(jw);
	} else {
		jw_arr(jw);
		jw_end_arr(jw);
	}
	reply_json(r, jw);
}

void
ep_federation_states(struct request *r)
{
	ask_dc(r, "FederationState.List", no_states);
}

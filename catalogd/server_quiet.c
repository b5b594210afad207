/*
 * Methods of features that disco does not have (intentions, configuration
 * entries, gateways, federation), answered as a server of Consul answers that
 * does not use them: with nothing, which never changes.  What would have to be
 * kept and acted upon is refused in server_methods.c.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/server_i.h"
#include "common/mp.h"

/* Any number can be asked for in one request; each is answered with nil. */
#define MATCHES_MAX 4096

#define QUIET_INTENTIONS(F, T)						\
	F(T, ANY, , intentions, "Intentions", 0, NULL)			\
	QUERY_META(F, T)
SCHEMA_DECLARE(quiet_intentions, QUIET_INTENTIONS)
SCHEMA_DEFINE(quiet_intentions, QUIET_INTENTIONS)
#define QUIET_MATCHES(F, T)						\
	F(T, ANY, , matches, "Matches", 0, NULL)			\
	QUERY_META(F, T)
SCHEMA_DECLARE(quiet_matches, QUIET_MATCHES)
SCHEMA_DEFINE(quiet_matches, QUIET_MATCHES)
#define QUIET_CHECK(F, T)						\
	F(T, BOOL, , allowed, "Allowed", 0, NULL)
SCHEMA_DECLARE(quiet_check, QUIET_CHECK)
SCHEMA_DEFINE(quiet_check, QUIET_CHECK)
#define QUIET_ENTRIES(F, T)						\
	F(T, ANY, , entries, "Entries", 0, NULL)			\
	F(T, STR, , kind, "Kind", 0, NULL)				\
	QUERY_META(F, T)
SCHEMA_DECLARE(quiet_entries, QUIET_ENTRIES)
SCHEMA_DEFINE(quiet_entries, QUIET_ENTRIES)
#define QUIET_ALL(F, T)							\
	F(T, ANY, , entries, "Entries", 0, NULL)			\
	QUERY_META(F, T)
SCHEMA_DECLARE(quiet_all, QUIET_ALL)
SCHEMA_DEFINE(quiet_all, QUIET_ALL)
#define QUIET_SERVICE(F, T)						\
	F(T, ANY, , proxy, "ProxyConfig", 0, NULL)			\
	F(T, ANY, , upstreams, "UpstreamConfigs", 0, NULL)		\
	F(T, ANY, , upstream_ids, "UpstreamIDConfigs", 0, NULL)		\
	F(T, STRUCT, mesh_gateway, gateway, "MeshGateway", 0, NULL)	\
	F(T, STRUCT, expose, expose, "Expose", 0, NULL)			\
	QUERY_META(F, T)
SCHEMA_DECLARE(quiet_service, QUIET_SERVICE)
SCHEMA_DEFINE(quiet_service, QUIET_SERVICE)
#define QUIET_DUMP(F, T)						\
	F(T, ANY, , dump, "Dump", 0, NULL)				\
	QUERY_META(F, T)
SCHEMA_DECLARE(quiet_dump, QUIET_DUMP)
SCHEMA_DEFINE(quiet_dump, QUIET_DUMP)
#define QUIET_STATES(F, T)						\
	F(T, ANY, , states, "States", 0, NULL)				\
	QUERY_META(F, T)
SCHEMA_DECLARE(quiet_states, QUIET_STATES)
SCHEMA_DEFINE(quiet_states, QUIET_STATES)
#define QUIET_STATE(F, T)						\
	F(T, ANY, , state, "State", 0, NULL)				\
	QUERY_META(F, T)
SCHEMA_DECLARE(quiet_state, QUIET_STATE)
SCHEMA_DEFINE(quiet_state, QUIET_STATE)
#define QUIET_GATEWAYS(F, T)						\
	F(T, ANY, , nodes, "DatacenterNodes", 0, NULL)			\
	QUERY_META(F, T)
SCHEMA_DECLARE(quiet_gateways, QUIET_GATEWAYS)
SCHEMA_DEFINE(quiet_gateways, QUIET_GATEWAYS)

static const uint8_t nothing[] = { 0xc0 };	/* nil */
static const uint8_t no_items[] = { 0x90 };	/* [] */
static const uint8_t no_keys[] = { 0x80 };	/* {} */

static struct bytes
any(const uint8_t *p, size_t n)
{
	struct bytes b = { (uint8_t *)(uintptr_t)p, n, true };

	return b;
}

void
nothing_depends(struct server *srv, const void *req, struct depends *d)
{
	(void)srv;
	(void)req;
	d->index = 1;
	/* Blocks until its time runs out. */
	depends_on(d, WATCH_SERVICE, "");
}

/* ---- intentions ---- */

void
intention_list_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct quiet_intentions a;

	(void)srv;
	(void)req;
	META_PUT(&a, meta);
	a.intentions = any(no_items, sizeof(no_items));
	reply_schema(r, &quiet_intentions_schema, &a);
}

/* For each that was asked for, none: agents count. */
void
intention_match_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct intention_request *req = arg;
	size_t i, n = req->match != NULL ? req->match->entries.n : 0;
	struct quiet_matches a;
	struct wbuf w;

	(void)srv;
	if (n > MATCHES_MAX) {
		reply_error(r, "more than %d names to match", MATCHES_MAX);
		return;
	}
	META_PUT(&a, meta);
	wb_init(&w, 0);
	mp_array(&w, (uint32_t)n);
	for (i = 0; i < n; i++)
		mp_nil(&w);
	a.matches = any(w.p, w.len);
	reply_schema(r, &quiet_matches_schema, &a);
	wb_free(&w);
}

/* Allowed, as by default where ACLs are off. */
void
intention_check_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct quiet_check a = { .allowed = true };

	(void)srv;
	(void)req;
	(void)meta;
	reply_schema(r, &quiet_check_schema, &a);
}

void
intention_get_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct intention_request *req = arg;

	(void)srv;
	(void)meta;
	if (strlen(str_or(req->id, "")) != 36)
		reply_error(r, "failed intention lookup: index error: UUID "
		    "must be 36 characters");
	else
		reply_error(r, "Intention not found");
}

/* ---- configuration entries ---- */

/*
 * They answer with msgpack inside one raw string (rpc.md 2.5): a head, then one
 * struct.
 */
static void
reply_nested(struct reply *r, const struct wbuf *head, struct schema *s,
    const void *obj)
{
	struct wbuf w;

	wb_init(&w, 0);
	wb_bytes(&w, head->p, head->len);
	schema_encode(s, obj, &w);
	mp_raw(&r->body, w.p, w.len);
	wb_free(&w);
}

static bool
kind_refused(const char *kind, struct reply *r)
{
	static const char *const kinds[] = {
		"service-defaults", "proxy-defaults", "service-router",
		"service-splitter", "service-resolver", "ingress-gateway",
		"terminating-gateway"
	};
	size_t i;

	for (i = 0; i < NELEM(kinds); i++)
		if (strcmp(str_or(kind, ""), kinds[i]) == 0)
			return false;
	reply_error(r, "invalid config entry kind: %s", str_or(kind, ""));
	return true;
}

void
config_entry_get_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct wbuf head;

	(void)srv;
	(void)req;
	wb_init(&head, 0);
	mp_str(&head, "");		/* no kind */
	reply_nested(r, &head, &query_meta_schema, meta);
	wb_free(&head);
}

void
config_entry_list_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct kind_request *req = arg;
	struct quiet_entries a;
	struct wbuf head;

	(void)srv;
	if (!str_empty(req->kind) && kind_refused(req->kind, r))
		return;
	META_PUT(&a, meta);
	a.entries = any(no_items, sizeof(no_items));
	a.kind = req->kind;
	wb_init(&head, 0);
	mp_uint(&head, 0);		/* how many, of which kind */
	mp_str(&head, str_or(req->kind, ""));
	reply_nested(r, &head, &quiet_entries_schema, &a);
	wb_free(&head);
}

void
config_entry_list_all_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct quiet_all a;
	struct wbuf head;

	(void)srv;
	(void)req;
	META_PUT(&a, meta);
	a.entries = any(no_items, sizeof(no_items));
	wb_init(&head, 0);
	mp_uint(&head, 0);		/* how many, then the kind of each */
	reply_nested(r, &head, &quiet_all_schema, &a);
	wb_free(&head);
}

void
config_entry_resolve_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct quiet_service a;
	struct wbuf none;

	(void)srv;
	(void)req;
	memset(&a, 0, sizeof(a));
	META_PUT(&a, meta);
	wb_init(&none, 0);
	reply_nested(r, &none, &quiet_service_schema, &a);
	wb_free(&none);
}

/* ---- gateways and federation ---- */

void
internal_gateway_service_dump_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct quiet_dump a;

	(void)srv;
	(void)req;
	META_PUT(&a, meta);
	a.dump = any(nothing, sizeof(nothing));
	reply_schema(r, &quiet_dump_schema, &a);
}

void
federation_list_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct quiet_states a;

	(void)srv;
	(void)req;
	META_PUT(&a, meta);
	a.states = any(no_items, sizeof(no_items));
	reply_schema(r, &quiet_states_schema, &a);
}

void
federation_get_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct quiet_state a;

	(void)srv;
	(void)req;
	META_PUT(&a, meta);
	a.state = any(nothing, sizeof(nothing));
	reply_schema(r, &quiet_state_schema, &a);
}

void
federation_gateways_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct quiet_gateways a;

	(void)srv;
	(void)req;
	META_PUT(&a, meta);
	a.nodes = any(no_keys, sizeof(no_keys));
	reply_schema(r, &quiet_gateways_schema, &a);
}

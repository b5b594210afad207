/*
 * What is about the pools: members, keys of the gossip, user events, network
 * coordinates.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/mp.h"
#include "common/util.h"

#define RELAY_FACTOR_MAX 5
#define DATACENTERS_MAX 65536	/* of an answer; one pool has not so many */

/* ---- members ---- */

static bool
asks_wan(const struct request *r)
{
	return !str_empty(params_get(&r->params, "wan"));
}

static void
members_list(struct request *r, const uint8_t *body, size_t len)
{
	struct gossip_members	 g;
	struct jw		*jw;
	size_t			 i;

	if (decoded(r, &gossip_members_schema, body, len, &g) == -1)
		return;
	jw = json_of(r);
	jw_arr(jw);
	for (i = 0; i < g.members.n; i++)
		schema_json_encode(&member_schema, &g.members.item[i], jw);
	jw_end_arr(jw);
	schema_clear(&gossip_members_schema, &g);
	reply_json(r, jw);
}

void
ep_agent_members(struct request *r)
{
	struct gossip_members_request	 q = { 0 };
	const char			*segment;
	struct jw			*jw;

	segment = params_get(&r->params, "segment");
	if (!str_empty(segment) && strcmp(segment, "_all") != 0) {
		reply_text(r, 500, "Network segments are not supported in this "
		    "version of Consul");
		return;
	}
	q.wan = asks_wan(r);
	if (q.wan && !r->apid->agent.server) {
		jw = json_of(r);
		jw_null(jw);
		reply_json(r, jw);
		return;
	}
	ask_gossipd(r, "Gossip.Members", &gossip_members_request_schema, &q,
	    members_list);
}

void
ep_agent_join(struct request *r)
{
	struct gossip_join	q = { 0 };

	strs_add(&q.addrs, r->tail);
	q.wan = asks_wan(r);
	ask_gossipd(r, "Gossip.Join", &gossip_join_schema, &q, done_empty);
	schema_clear(&gossip_join_schema, &q);
}

void
ep_agent_force_leave(struct request *r)
{
	struct gossip_force_leave	q = { 0 };

	str_set(&q.node, r->tail);
	q.prune = params_get(&r->params, "prune") != NULL;
	ask_gossipd(r, "Gossip.ForceLeave", &gossip_force_leave_schema, &q,
	    done_empty);
	schema_clear(&gossip_force_leave_schema, &q);
}

/* ---- keys ---- */

#define KEYRING_ARGS(F, T)						\
	F(T, STR, , key, "Key", S_SECRET, NULL)
SCHEMA_DECLARE(keyring_args, KEYRING_ARGS)
SCHEMA_DEFINE(keyring_args, KEYRING_ARGS)

static const struct { enum method method; const char *operation; } keyring[] = {
	{ M_GET, "list" }, { M_POST, "install" }, { M_PUT, "use" },
	{ M_DELETE, "remove" },
};

/* "WAN error: ...", then what each node said; their number. */
static size_t
keyring_errors(const struct keyring_response *k, struct wbuf *out)
{
	size_t	 i;

	if (str_empty(k->error))
		return 0;
	if (k->wan)
		wb_printf(out, "\t* WAN error: %s\n", k->error);
	else
		wb_printf(out, "\t* %s (LAN) error: %s\n",
		    str_or(k->datacenter, ""), k->error);
	for (i = 0; i < k->messages.n; i++)
		wb_printf(out, "\t* %s: %s\n", k->messages.item[i].key,
		    k->messages.item[i].val);
	return 1 + k->messages.n;
}

static void
keyring_list(struct request *r, const struct keyring_responses *a)
{
	struct jw	*jw = json_of(r);
	size_t		 i;

	jw_arr(jw);
	for (i = 0; i < a->responses.n; i++)
		schema_json_encode(&keyring_response_schema,
		    &a->responses.item[i], jw);
	jw_end_arr(jw);
	reply_json(r, jw);
}

static void
keyring_done(struct request *r, const uint8_t *body, size_t len)
{
	struct keyring_responses	 a;
	struct wbuf			 text;
	char				*lines;
	size_t				 n = 0, i;

	if (decoded(r, &keyring_responses_schema, body, len, &a) == -1)
		return;
	wb_init(&text, 0);
	for (i = 0; i < a.responses.n; i++)
		n += keyring_errors(&a.responses.item[i], &text);
	lines = wb_detach_str(&text);
	if (n > 0)
		reply_text(r, 500, "%zu error%s occurred:\n%s\n", n,
		    n == 1 ? "" : "s", lines);
	else if (r->method == M_GET)
		keyring_list(r, &a);
	else
		reply_empty(r, 200);
	free(lines);
	schema_clear(&keyring_responses_schema, &a);
}

/* 0, or -1: replied 400. */
static int
relay_factor(struct request *r, uint64_t *out)
{
	const char	*s = params_get(&r->params, "relay-factor");
	char		*end;
	long		 n;

	*out = 0;
	if (str_empty(s))
		return 0;
	n = strtol(s, &end, 10);
	if (*end != '\0' || strchr("0123456789+-", *s) == NULL) {
		reply_text(r, 400, "Bad request: Error parsing relay factor: "
		    "strconv.Atoi: parsing \"%s\": invalid syntax", s);
		return -1;
	}
	if (n < 0 || n > RELAY_FACTOR_MAX) {
		reply_text(r, 400, "Bad request: Invalid relay-factor: Relay "
		    "factor must be in range: [0, %d]", RELAY_FACTOR_MAX);
		return -1;
	}
	*out = (uint64_t)n;
	return 0;
}

/* 0, or -1: replied 400. */
static int
local_only(struct request *r, bool *out)
{
	const char	*s = params_get(&r->params, "local-only");

	*out = false;
	if (str_empty(s))
		return 0;
	if (bool_parse(s, out) == -1) {
		reply_text(r, 400, "Bad request: Error parsing local-only: "
		    "strconv.ParseBool: parsing \"%s\": invalid syntax", s);
		return -1;
	}
	if (*out && r->method != M_GET) {
		reply_text(r, 400, "Bad request: Invalid use of local-only: "
		    "local-only can only be set for list requests");
		return -1;
	}
	return 0;
}

void
ep_operator_keyring(struct request *r)
{
	struct keyring_request	 q = { 0 };
	struct keyring_args	 args = { 0 };
	size_t			 i;

	r->blame = "Bad request: ";
	if (r->method != M_GET &&
	    body_json(r, &keyring_args_schema, SJ_FOLD | SJ_STRICT, &args)
	    == -1)
		return;
	if (relay_factor(r, &q.relay_factor) == -1 ||
	    local_only(r, &q.local_only) == -1) {
		schema_clear(&keyring_args_schema, &args);
		return;
	}
	if (!r->apid->agent.server)
		reply_text(r, 500,
		    "keyring operations must run against a server node");
	else {
		for (i = 0; keyring[i].method != r->method; i++)
			;
		str_set(&q.operation, keyring[i].operation);
		str_set(&q.key, args.key);
		str_set(&q.token, token_of(r));
		ask_catalogd(r, "Internal.KeyringOperation",
		    &keyring_request_schema, &q, CALL_WRITE, keyring_done);
	}
	schema_clear(&keyring_request_schema, &q);
	schema_clear(&keyring_args_schema, &args);
}

/* ---- user events ---- */

static void
fired(struct request *r, const uint8_t *body, size_t len)
{
	struct user_event	 e;
	struct jw		*jw;

	if (decoded(r, &user_event_schema, body, len, &e) == -1)
		return;
	jw = json_of(r);
	schema_json_encode(&user_event_schema, &e, jw);
	schema_clear(&user_event_schema, &e);
	reply_json(r, jw);
}

void
ep_event_fire(struct request *r)
{
	struct agent_event_fire	 q = { 0 };
	const struct params	*p = &r->params;
	const char		*dc = params_get(p, "dc");

	if (*r->tail == '\0') {
		reply_text(r, 400, "Missing name");
		return;
	}
	str_set(&q.datacenter, str_empty(dc) ? r->apid->agent.datacenter : dc);
	str_set(&q.token, token_of(r));
	str_set(&q.event.name, r->tail);
	str_set(&q.event.node_filter, params_get(p, "node"));
	str_set(&q.event.service_filter, params_get(p, "service"));
	str_set(&q.event.tag_filter, params_get(p, "tag"));
	if (r->body.len > 0)
		bytes_set(&q.event.payload, r->body.p, r->body.len);
	ask_catalogd(r, "Agent.EventFire", &agent_event_fire_schema, &q,
	    CALL_WRITE, fired);
	schema_clear(&agent_event_fire_schema, &q);
}

static void
events(struct request *r, const uint8_t *body, size_t len)
{
	struct agent_events	 a;
	struct jw		*jw;
	size_t			 i;

	if (decoded(r, &agent_events_schema, body, len, &a) == -1)
		return;
	add_header(r, "X-Consul-Index", "%" PRIu64, a.index);
	jw = json_of(r);
	jw_arr(jw);
	for (i = 0; i < a.events.n; i++)
		schema_json_encode(&user_event_schema, &a.events.item[i], jw);
	jw_end_arr(jw);
	schema_clear(&agent_events_schema, &a);
	reply_json(r, jw);
}

void
ep_event_list(struct request *r)
{
	struct agent_event_list	 q = { 0 };
	struct read_options	 o;

	if (read_options(r, &o) == -1)
		return;
	str_set(&q.name, params_get(&r->params, "name"));
	q.index = o.index;
	q.wait = o.wait_ns;
	ask_catalogd(r, "Agent.EventList", &agent_event_list_schema, &q, 0,
	    events);
	schema_clear(&agent_event_list_schema, &q);
	read_options_clear(&o);
}

/* ---- coordinates ---- */

static bool
coordinates_off(struct request *r)
{
	if (r->apid->http.disable_coordinates)
		reply_text(r, 401, "Coordinate support disabled");
	return r->apid->http.disable_coordinates;
}

/* Those of ?segment, if it is given; their number. */
static size_t
write_coordinates(struct request *r, const struct indexed_coordinates *a,
    struct jw *jw)
{
	const struct node_coordinate	*c;
	const char			*segment;
	size_t				 i, n = 0;

	segment = params_get(&r->params, "segment");
	jw_arr(jw);
	for (i = 0; i < a->coordinates.n; i++) {
		c = &a->coordinates.item[i];
		if (segment != NULL &&
		    strcmp(segment, str_or(c->segment, "")) != 0)
			continue;
		schema_json_encode(&node_coordinate_schema, c, jw);
		n++;
	}
	jw_end_arr(jw);
	return n;
}

/* A list; of one node none is a 404 without a body or an index. */
static void
coordinates(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_coordinates	 a;
	struct jw			*jw;

	if (decoded(r, &indexed_coordinates_schema, body, len, &a) == -1)
		return;
	jw = json_of(r);
	if (write_coordinates(r, &a, jw) == 0 && r->route->fn ==
	    ep_coordinate_node) {
		jw_free(jw);
		reply_empty(r, 404);
	} else {
		meta_headers(r, body, len, false);
		reply_json(r, jw);
	}
	schema_clear(&indexed_coordinates_schema, &a);
}

void
ep_coordinate_nodes(struct request *r)
{
	struct dc_request	q = { 0 };
	struct read_options	o;

	if (coordinates_off(r) || read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	ask_catalogd(r, "Coordinate.ListNodes", &dc_request_schema, &q, 0,
	    coordinates);
	schema_clear(&dc_request_schema, &q);
	read_options_clear(&o);
}

void
ep_coordinate_node(struct request *r)
{
	struct node_request	q = { 0 };
	struct read_options	o;

	if (coordinates_off(r) || read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	str_set(&q.node, r->tail);
	ask_catalogd(r, "Coordinate.Node", &node_request_schema, &q, 0,
	    coordinates);
	schema_clear(&node_request_schema, &q);
	read_options_clear(&o);
}

/* A bare array. */
static void
datacenters(struct request *r, const uint8_t *body, size_t len)
{
	struct datacenter_map	 m;
	struct jw		*jw = json_of(r);
	struct rbuf		 rb;
	size_t			 n, i;

	rb_init(&rb, body, len);
	n = mp_get_array(&rb);
	jw_arr(jw);
	for (i = 0; i < n && i < DATACENTERS_MAX; i++) {
		if (schema_decode(&datacenter_map_schema, &rb, &m) == -1)
			break;
		schema_json_encode(&datacenter_map_schema, &m, jw);
		schema_clear(&datacenter_map_schema, &m);
	}
	jw_end_arr(jw);
	if (!rb_ok(&rb)) {
		jw_free(jw);
		reply_text(r, 500, "an answer of the datacenter_map kind does "
		    "not decode: %s", rb.err);
		return;
	}
	reply_json(r, jw);
}

void
ep_coordinate_datacenters(struct request *r)
{
	struct empty	none = { 0 };

	if (!coordinates_off(r))
		ask_catalogd(r, "Coordinate.ListDatacenters", &empty_schema,
		    &none, 0, datacenters);
}

void
ep_coordinate_update(struct request *r)
{
	struct coordinate_update	 q;
	const char			*dc = params_get(&r->params, "dc");

	if (coordinates_off(r) || body_json(r, &coordinate_update_schema,
	    SJ_FOLD | SJ_STRICT, &q) == -1)
		return;
	str_set(&q.datacenter, str_empty(dc) ? r->apid->agent.datacenter : dc);
	str_set(&q.token, token_of(r));
	ask_catalogd(r, "Coordinate.Update", &coordinate_update_schema, &q,
	    CALL_WRITE, done_empty);
	schema_clear(&coordinate_update_schema, &q);
}

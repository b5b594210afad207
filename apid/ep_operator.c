/*
 * /v1/operator/raft and /v1/operator/autopilot: the servers among themselves.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apid/apid.h"
#include "common/mp.h"
#include "common/schema/state.h"
#include "common/util.h"

#define UNHEALTHY 429
#define GO_EPOCH 62135596800ll	/* seconds from year 1 to 1970 */

/* ---- raft ---- */

static void
raft_servers(struct request *r, const uint8_t *body, size_t len)
{
	struct raft_configuration	 a;
	struct jw			*jw;

	if (decoded(r, &raft_configuration_schema, body, len, &a) == -1)
		return;
	jw = json_of(r);
	schema_json_encode(&raft_configuration_schema, &a, jw);
	schema_clear(&raft_configuration_schema, &a);
	reply_json(r, jw);
}

void
ep_operator_raft_configuration(struct request *r)
{
	ask_dc(r, "Operator.RaftGetConfiguration", raft_servers);
}

void
ep_operator_raft_peer(struct request *r)
{
	const char			*id = params_get(&r->params, "id");
	const char			*addr = params_get(&r->params, "address");
	struct raft_remove_request	 q = { 0 };

	if (id == NULL && addr == NULL) {
		reply_text(r, 400, "Bad request: Must specify either ?id with "
		    "the server's ID or ?address with IP:port of peer to "
		    "remove");
		return;
	}
	if (id != NULL && addr != NULL) {
		reply_text(r, 400, "Bad request: Must specify only one of ?id "
		    "or ?address");
		return;
	}
	FILL_WRITE(&q, r);
	str_set(&q.id, id);
	str_set(&q.address, addr);
	ask_catalogd(r, id != NULL ? "Operator.RaftRemovePeerByID" :
	    "Operator.RaftRemovePeerByAddress", &raft_remove_request_schema,
	    &q, CALL_WRITE, done_empty);
	schema_clear(&raft_remove_request_schema, &q);
}

static void
recovery(struct request *r, const uint8_t *body, size_t len)
{
	struct raft_recover_answer	 a;
	struct jw			*jw;

	if (decoded(r, &raft_recover_answer_schema, body, len, &a) == -1)
		return;
	jw = json_of(r);
	schema_json_encode(&raft_recover_answer_schema, &a, jw);
	schema_clear(&raft_recover_answer_schema, &a);
	reply_json(r, jw);
}

/* Of this server alone: nobody passes it on. */
void
ep_disco_recover(struct request *r)
{
	struct raft_recover_request	q = { 0 };

	if (!r->apid->agent.server) {
		reply_text(r, 500, "recovery must run against a server node");
		return;
	}
	q.datacenter = r->apid->agent.datacenter;
	q.doit = r->method == M_PUT;
	ask_catalogd(r, "Agent.RaftRecover", &raft_recover_request_schema, &q,
	    0, recovery);
}

/* ---- autopilot ---- */

static void
autopilot_shown(struct request *r, const uint8_t *body, size_t len)
{
	struct autopilot_config	 a;
	struct jw		*jw;

	if (decoded(r, &autopilot_config_schema, body, len, &a) == -1)
		return;
	jw = json_of(r);
	schema_json_encode(&autopilot_config_schema, &a, jw);
	schema_clear(&autopilot_config_schema, &a);
	reply_json(r, jw);
}

static void
autopilot_set(struct request *r, const uint8_t *body, size_t len)
{
	struct jw	*jw = json_of(r);
	struct rbuf	 rb;

	rb_init(&rb, body, len);
	jw_bool(jw, mp_get_bool(&rb));
	reply_json(r, jw);
}

/* -1: replied. */
static int
read_config(struct request *r, struct autopilot_config *c)
{
	static const char	 what[] =
	    "Bad request: Error parsing autopilot config";
	const struct json	*at;
	struct json		*tree;
	char			 err[512];
	int			 rc = 0;

	tree = json_parse((const char *)r->body.p, r->body.len, err,
	    sizeof(err));
	if (tree == NULL) {
		reply_text(r, 400, "%s: %s", what, strstr(err, "premature") !=
		    NULL || strstr(err, "unexpected end") != NULL ?
		    "unexpected EOF" : err);
		return -1;
	}
	if (schema_json_decode(&autopilot_config_schema, tree, SJ_FOLD, c, err,
	    sizeof(err), &at) == -1) {
		reply_text(r, 400, "%s: %s", what, err);
		rc = -1;
	}
	json_free(tree);
	return rc;
}

static int
read_cas(struct request *r, struct autopilot_request *q)
{
	const char	*s = params_get(&r->params, "cas");
	char		*end;

	if (s == NULL)
		return 0;
	errno = 0;
	q->config.modify_index = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end != '\0' || errno != 0) {
		reply_text(r, 400, "Bad request: Error parsing cas value: "
		    "strconv.ParseUint: parsing \"%s\": invalid syntax", s);
		return -1;
	}
	q->cas = true;
	return 0;
}

void
ep_operator_autopilot(struct request *r)
{
	struct autopilot_request	q = { 0 };

	if (r->method == M_GET) {
		ask_dc(r, "Operator.AutopilotGetConfiguration",
		    autopilot_shown);
		return;
	}
	if (read_config(r, &q.config) == -1)
		return;
	if (read_cas(r, &q) == 0) {
		FILL_WRITE(&q, r);
		ask_catalogd(r, "Operator.AutopilotSetConfiguration",
		    &autopilot_request_schema, &q, CALL_WRITE, autopilot_set);
	}
	schema_clear(&autopilot_request_schema, &q);
}

/* ---- health ---- */

static void
put_text(struct jw *jw, const char *key, const char *val)
{
	jw_key(jw, key);
	jw_str(jw, str_or(val, ""));
}

static void
put_server(struct jw *jw, const struct healthy_server *s)
{
	static const char *const	 status[] = { "none", "alive",
	    "leaving", "left", "failed" };
	char				 text[40];
	struct tm			 tm;
	time_t				 t;

	jw_obj(jw);
	put_text(jw, "ID", s->id);
	put_text(jw, "Name", s->name);
	put_text(jw, "Address", s->address);
	put_text(jw, "SerfStatus", s->serf_status < NELEM(status) ?
	    status[s->serf_status] : "none");
	put_text(jw, "Version", s->version);
	jw_key(jw, "Leader");
	jw_bool(jw, s->leader);
	put_text(jw, "LastContact", dur_format(s->last_contact, text,
	    sizeof(text)));
	jw_key(jw, "LastTerm");
	jw_uint(jw, s->last_term);
	jw_key(jw, "LastIndex");
	jw_uint(jw, s->last_index);
	jw_key(jw, "Healthy");
	jw_bool(jw, s->healthy);
	jw_key(jw, "Voter");
	jw_bool(jw, s->voter);
	t = (time_t)(s->stable_since.sec - GO_EPOCH);
	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		text[0] = '\0';
	put_text(jw, "StableSince", text);
	jw_end_obj(jw);
}

static void
health_shown(struct request *r, const uint8_t *body, size_t len)
{
	struct server_health	 h;
	struct jw		*jw;
	const char		*text;
	size_t			 i;
	bool			 healthy;

	if (decoded(r, &server_health_schema, body, len, &h) == -1)
		return;
	healthy = h.healthy;
	jw = json_of(r);
	jw_obj(jw);
	jw_key(jw, "Healthy");
	jw_bool(jw, h.healthy);
	jw_key(jw, "FailureTolerance");
	jw_int(jw, h.tolerance);
	jw_key(jw, "Servers");
	jw_arr(jw);
	for (i = 0; i < h.servers.n; i++)
		put_server(jw, &h.servers.item[i]);
	jw_end_arr(jw);
	jw_end_obj(jw);
	schema_clear(&server_health_schema, &h);
	if (healthy) {
		reply_json(r, jw);
		return;
	}
	/* Consul sends the status before it says what the body is. */
	text = jw_text(jw, &len);
	reply_text(r, UNHEALTHY, "%.*s", (int)len, text);
	jw_free(jw);
}

void
ep_operator_health(struct request *r)
{
	ask_dc(r, "Operator.ServerHealth", health_shown);
}

/*
 * /v1/session.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "apid/apid.h"
#include "common/schema/state.h"
#include "common/util.h"

#define LOCK_DELAY_DEFAULT	(15 * NS_PER_S)
#define SECONDS_BELOW		1000	/* a smaller number means seconds */

/* ---- create ---- */

/* Without LockDelay, which has forms that no schema knows. */
#define SESSION_BODY(F, T)						\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, STR, , node, "Node", 0, NULL)				\
	F(T, STR, , behavior, "Behavior", 0, NULL)			\
	F(T, STR, , ttl, "TTL", 0, NULL)				\
	F(T, STRS, , node_checks, "NodeChecks", 0, NULL)		\
	F(T, LIST, service_check_ref, service_checks, "ServiceChecks",	\
	    0, NULL)							\
	F(T, STRS, , checks, "Checks", 0, NULL)
SCHEMA_DECLARE(session_body, SESSION_BODY)
SCHEMA_DEFINE(session_body, SESSION_BODY)

/* "15s", 15 (seconds) or 15000000000 (nanoseconds).  -1: replied. */
static int
lock_delay(struct request *r, const struct json *tree, int64_t *ns)
{
	const struct json	*j;

	for (j = tree->child; j != NULL; j = j->next)
		if (strcasecmp(j->key, "LockDelay") == 0)
			break;
	if (j == NULL || j->type == JSON_NULL)
		return 0;
	if (j->type == JSON_NUMBER) {
		*ns = (int64_t)strtod(j->str, NULL);
		if (*ns < SECONDS_BELOW)
			*ns *= NS_PER_S;
		return 0;
	}
	if (j->type == JSON_STRING && dur_parse(j->str, ns) == 0)
		return 0;
	reply_text(r, 400, j->type == JSON_STRING ?
	    "Request decode failed: time: invalid duration \"%s\"" :
	    "Request decode failed: invalid LockDelay%s",
	    j->type == JSON_STRING ? j->str : "");
	return -1;
}

/* What the body says over what is usual.  -1: replied. */
static int
read_body(struct request *r, struct session *x)
{
	struct session_body	 b;
	struct json		*tree;

	if ((tree = body_tree(r)) == NULL)
		return -1;
	if (tree->type == JSON_OBJECT &&
	    lock_delay(r, tree, &x->lock_delay) == -1) {
		json_free(tree);
		return -1;
	}
	if (tree_json(r, tree, &session_body_schema, SJ_FOLD, &b) == -1)
		return -1;
	str_set(&x->name, b.name);
	if (!str_empty(b.node))
		str_set(&x->node, b.node);
	str_set(&x->behavior, b.behavior);
	str_set(&x->ttl, b.ttl);
	/* The old list, when it is empty, takes the default away. */
	if (b.node_checks.set || (b.checks.set && b.checks.n == 0)) {
		strs_clear(&x->node_checks);
		strs_copy(&x->node_checks, &b.node_checks);
		x->node_checks.set = true;
	}
	strs_copy(&x->checks, &b.checks);
	x->service_checks = b.service_checks;
	memset(&b.service_checks, 0, sizeof(b.service_checks));
	schema_clear(&session_body_schema, &b);
	return 0;
}

void
ep_session_create(struct request *r)
{
	struct session_request	q = { 0 };
	struct session		*x = &q.session;

	str_set(&q.op, "create");
	str_set(&x->node, r->apid->agent.node_name);
	strs_add(&x->node_checks, "serfHealth");
	x->lock_delay = LOCK_DELAY_DEFAULT;
	if (r->body.len == 0 || read_body(r, x) == 0) {
		if (str_empty(x->behavior))
			str_set(&x->behavior, "release");
		FILL_WRITE(&q, r);
		ask_catalogd(r, "Session.Apply", &session_request_schema, &q,
		    CALL_WRITE, done_id);
	}
	schema_clear(&session_request_schema, &q);
}

/* ---- destroy, renew ---- */

static void
destroyed(struct request *r, const uint8_t *body, size_t len)
{
	struct jw	*jw = json_of(r);

	(void)body;
	(void)len;
	jw_bool(jw, true);
	reply_json(r, jw);
}

void
ep_session_destroy(struct request *r)
{
	struct session_request	q = { 0 };

	if (!named(r, "session"))
		return;
	str_set(&q.op, "destroy");
	str_set(&q.session.id, r->tail);
	FILL_WRITE(&q, r);
	ask_catalogd(r, "Session.Apply", &session_request_schema, &q,
	    CALL_WRITE, destroyed);
	schema_clear(&session_request_schema, &q);
}

static void
reply_sessions(struct request *r, struct indexed_sessions *a)
{
	struct jw	*jw = json_of(r);
	size_t		 i;

	jw_arr(jw);
	for (i = 0; i < a->sessions.n; i++)
		schema_json_encode(&session_schema, &a->sessions.item[i], jw);
	jw_end_arr(jw);
	schema_clear(&indexed_sessions_schema, a);
	reply_json(r, jw);
}

static void
renewed(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_sessions	 a;

	if (decoded(r, &indexed_sessions_schema, body, len, &a) == -1)
		return;
	if (a.sessions.n == 0) {
		reply_text(r, 404, "Session id '%s' not found", r->tail);
		return;
	}
	reply_sessions(r, &a);
}

void
ep_session_renew(struct request *r)
{
	struct session_id_request	q = { 0 };

	if (!named(r, "session"))
		return;
	FILL_WRITE(&q, r);
	str_set(&q.session_id, r->tail);
	str_set(&q.session, r->tail);
	ask_catalogd(r, "Session.Renew", &session_id_request_schema, &q, 0,
	    renewed);
	schema_clear(&session_id_request_schema, &q);
}

/* ---- reads ---- */

static void
sessions_list(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_sessions	 a;

	if (decoded(r, &indexed_sessions_schema, body, len, &a) == -1)
		return;
	meta_headers(r, body, len, false);
	reply_sessions(r, &a);
}

static void
ask_id(struct request *r, const char *method, const char *id)
{
	struct session_id_request	q = { 0 };
	struct read_options		o;

	if (read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	str_set(&q.session_id, id);
	str_set(&q.session, id);
	ask_catalogd(r, method, &session_id_request_schema, &q, 0,
	    sessions_list);
	schema_clear(&session_id_request_schema, &q);
	read_options_clear(&o);
}

void
ep_session_info(struct request *r)
{
	if (named(r, "session"))
		ask_id(r, "Session.Get", r->tail);
}

void
ep_session_list(struct request *r)
{
	ask_id(r, "Session.List", NULL);
}

void
ep_session_node(struct request *r)
{
	ask_node(r, "Session.NodeSessions", sessions_list);
}

/*
 * /v1/txn: operations in the words of the API, as those of the RPC.  What only
 * reads goes another way, which costs no log entry and may be stale.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/schema/state.h"
#include "common/util.h"

#define OPS_MAX		64
#define SIZE_DEFAULT	524288
#define SEE "See https://www.consul.io/docs/agent/options.html#"

/* The API puts a key's parts beside the verb. */
#define KV_BODY(F, T)							\
	F(T, STR, , verb, "Verb", 0, NULL)				\
	F(T, STR, , key, "Key", 0, NULL)				\
	F(T, BYTES, , value, "Value", 0, NULL)				\
	F(T, UINT, , flags, "Flags", 0, NULL)				\
	F(T, UINT, , index, "Index", 0, NULL)				\
	F(T, STR, , session, "Session", 0, NULL)			\
	F(T, STR, , ns, "Namespace", 0, NULL)
SCHEMA_DECLARE(kv_body, KV_BODY)
SCHEMA_DEFINE(kv_body, KV_BODY)
#define OP_BODY(F, T)							\
	F(T, PTR, kv_body, kv, "KV", 0, NULL)				\
	F(T, PTR, txn_node, node, "Node", 0, NULL)			\
	F(T, PTR, txn_service, service, "Service", 0, NULL)		\
	F(T, PTR, txn_check, check, "Check", 0, NULL)
SCHEMA_DECLARE(op_body, OP_BODY)
SCHEMA_DEFINE(op_body, OP_BODY)
/* The body is a list, which a schema has as a member only. */
#define OPS_BODY(F, T)							\
	F(T, LIST, op_body, ops, "Ops", 0, NULL)
SCHEMA_DECLARE(ops_body, OPS_BODY)
SCHEMA_DEFINE(ops_body, OPS_BODY)

/* ---- the body ---- */

static uint64_t
value_max(const struct request *r)
{
	const struct conf_http	*h = &r->apid->http;

	return h->kv_max_value_size != 0 ? h->kv_max_value_size : SIZE_DEFAULT;
}

static bool
too_large(struct request *r)
{
	const struct conf_http	*h = &r->apid->http;
	uint64_t		 max;

	max = h->txn_max_req_len != 0 ? h->txn_max_req_len : SIZE_DEFAULT;
	if (max < value_max(r))
		max = value_max(r);
	if (r->body.len <= max)
		return false;
	add_header(r, "Connection", "close");
	reply_text(r, 413, "Request body(%zu bytes) too large, max size: %llu "
	    "bytes. " SEE "txn_max_req_len.", r->body.len,
	    (unsigned long long)max);
	return true;
}

/* "[...]" as {"Ops": [...]}: the tree of that. */
static struct json *
wrap(struct json *list)
{
	struct json	*obj = xcalloc(1, sizeof(*obj));

	obj->type = JSON_OBJECT;
	list->key = xstrdup("Ops");
	obj->child = obj->last = list;
	return obj;
}

/* What follows "Request decode failed: " elsewhere. */
static void
bad_body(struct request *r, const char *why)
{
	reply_text(r, 400, "Failed to parse body: %s", why);
}

static int
read_ops(struct request *r, struct ops_body *b)
{
	const struct json	*at;
	struct json		*tree;
	char			 err[512];
	size_t			 i;
	int			 rc;

	for (i = 0; i < r->body.len; i++)
		if (strchr(" \t\r\n", r->body.p[i]) == NULL)
			break;
	if (i == r->body.len) {
		bad_body(r, "EOF");
		return -1;
	}
	tree = json_parse((const char *)r->body.p, r->body.len, err,
	    sizeof(err));
	if (tree == NULL) {
		bad_body(r, strstr(err, "premature") != NULL ||
		    strstr(err, "unexpected end") != NULL ?
		    "unexpected EOF" : err);
		return -1;
	}
	if (tree->type != JSON_ARRAY && tree->type != JSON_NULL) {
		snprintf(err, sizeof(err), "json: cannot unmarshal %s into Go "
		    "value of type api.TxnOps", json_type_name(tree->type));
		bad_body(r, err);
		json_free(tree);
		return -1;
	}
	tree = wrap(tree);
	rc = schema_json_decode(&ops_body_schema, tree, SJ_STRICT | SJ_FOLD |
	    SJ_DURNUM, b, err, sizeof(err), &at);
	json_free(tree);
	if (rc == -1)
		bad_body(r, err);
	return rc;
}

/* ---- one operation ---- */

static bool
verb_writes(const char *verb)
{
	static const char *const	writing[] = {
		"set", "delete", "delete-cas", "delete-tree", "cas", "lock",
		"unlock"
	};
	size_t				i;

	for (i = 0; i < NELEM(writing); i++)
		if (strcmp(str_or(verb, ""), writing[i]) == 0)
			return true;
	return false;
}

static bool
is_get(const char *verb)
{
	return strcmp(str_or(verb, ""), "get") == 0;
}

static struct txn_kv *
take_kv(struct kv_body *b)
{
	struct txn_kv	*k = xcalloc(1, sizeof(*k));

	k->verb = b->verb;
	k->entry.key = b->key;
	k->entry.value = b->value;
	k->entry.flags = b->flags;
	k->entry.session = b->session;
	k->entry.modify_index = b->index;
	free(b->ns);
	free(b);
	return k;
}

#define MOVE(to, from) do { (to) = (from); (from) = NULL; } while (0)

/* The first of them counts.  True: it writes. */
static bool
take_op(struct request *r, struct op_body *b, struct txn_op_vec *ops)
{
	struct txn_op	*op;

	if (b->kv == NULL && b->node == NULL && b->service == NULL &&
	    b->check == NULL)
		return false;
	op = VEC_ADD(ops);
	if (b->kv != NULL) {
		op->kv = take_kv(b->kv);
		b->kv = NULL;
		return verb_writes(op->kv->verb);
	}
	if (b->node != NULL) {
		MOVE(op->node, b->node);
		if (str_empty(op->node->node.datacenter))
			str_set(&op->node->node.datacenter,
			    r->apid->agent.datacenter);
		return !is_get(op->node->verb);
	}
	if (b->service != NULL) {
		MOVE(op->service, b->service);
		return !is_get(op->service->verb);
	}
	MOVE(op->check, b->check);
	return !is_get(op->check->verb);
}

/* ---- answers ---- */

static void
reply_txn(struct request *r, struct schema *schema, void *a, bool failed)
{
	struct jw	*jw = json_of(r);

	jw_keep_nil(jw);
	schema_json_encode(schema, a, jw);
	schema_clear(schema, a);
	reply_json(r, jw);
	if (failed)
		r->status = 409;
}

static void
applied(struct request *r, const uint8_t *body, size_t len)
{
	struct txn_response	 a;

	if (decoded(r, &txn_response_schema, body, len, &a) == 0)
		reply_txn(r, &txn_response_schema, &a, a.errors.n > 0);
}

static void
read_back(struct request *r, const uint8_t *body, size_t len)
{
	struct txn_read_response	 a;

	if (decoded(r, &txn_read_response_schema, body, len, &a) == -1)
		return;
	add_header(r, "X-Consul-Lastcontact", "%lld",
	    (long long)(a.last_contact / NS_PER_MS));
	add_header(r, "X-Consul-Knownleader", "%s",
	    a.known_leader ? "true" : "false");
	reply_txn(r, &txn_read_response_schema, &a, a.errors.n > 0);
}

/* ---- the request ---- */

static void
ask_read(struct request *r, struct txn_op_vec *ops)
{
	struct txn_read_request	q = { 0 };
	struct read_options	o;

	if (read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	q.min_query_index = 0;	/* nothing to wait for */
	q.ops = *ops;
	memset(ops, 0, sizeof(*ops));
	q.ops.set = true;
	ask_catalogd(r, "Txn.Read", &txn_read_request_schema, &q, 0,
	    read_back);
	schema_clear(&txn_read_request_schema, &q);
	read_options_clear(&o);
}

static void
ask_apply(struct request *r, struct txn_op_vec *ops)
{
	struct txn_request	q = { 0 };

	FILL_WRITE(&q, r);
	q.ops = *ops;
	memset(ops, 0, sizeof(*ops));
	ask_catalogd(r, "Txn.Apply", &txn_request_schema, &q, CALL_WRITE,
	    applied);
	schema_clear(&txn_request_schema, &q);
}

/* False: replied. */
static bool
values_fit(struct request *r, const struct ops_body *b)
{
	const struct kv_body	*k;
	size_t			 i;

	for (i = 0; i < b->ops.n; i++) {
		k = b->ops.item[i].kv;
		if (k == NULL || k->value.n <= value_max(r))
			continue;
		reply_text(r, 413, "Value for key \"%s\" is too large "
		    "(%zu > %llu bytes)", str_or(k->key, ""), k->value.n,
		    (unsigned long long)value_max(r));
		return false;
	}
	return true;
}

void
ep_txn(struct request *r)
{
	struct txn_op_vec	ops = { 0 };
	struct ops_body		b;
	bool			writes = false;
	size_t			i;

	if (too_large(r) || read_ops(r, &b) == -1)
		return;
	if (b.ops.n > OPS_MAX) {
		reply_text(r, 413, "Transaction contains too many operations "
		    "(%zu > %d)", b.ops.n, OPS_MAX);
	} else if (values_fit(r, &b)) {
		for (i = 0; i < b.ops.n; i++)
			writes |= take_op(r, &b.ops.item[i], &ops);
		if (writes)
			ask_apply(r, &ops);
		else
			ask_read(r, &ops);
		for (i = 0; i < ops.n; i++)
			schema_clear(&txn_op_schema, &ops.item[i]);
		free(ops.item);
	}
	schema_clear(&ops_body_schema, &b);
}

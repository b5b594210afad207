/*
 * Txn.*: what is judged of each operation before the log, and transactions
 * that only read.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/server_i.h"

static bool
is_get(const char *verb)
{
	return strcmp(str_or(verb, ""), "get") == 0;
}

/* Do operations before the n-th change its key? */
static bool
is_touched(const struct txn_op *ops, size_t n)
{
	const char *key = str_or(ops[n].kv->entry.key, "");
	size_t i;

	for (i = 0; i < n; i++)
		if (ops[i].kv != NULL && !is_get(ops[i].kv->verb) &&
		    (strcmp(str_or(ops[i].kv->verb, ""), "delete-tree") == 0 ||
		    strcmp(str_or(ops[i].kv->entry.key, ""), key) == 0))
			return true;
	return false;
}

static void
judge_kv(const struct server *srv, const struct txn_op *ops, size_t n,
    struct reply *r)
{
	const struct txn_kv *op = ops[n].kv;
	const char *verb = str_or(op->verb, "");

	if (!kvs_allowed(srv, verb, &op->entry, r))
		reply_error(r, "failed to lock key \"%s\" due to lock delay",
		    str_or(op->entry.key, ""));
	else if (kvs_held_by_another(srv, verb, &op->entry) &&
	    !is_touched(ops, n))
		reply_error(r, "failed to lock key \"%s\", lock is already "
		    "held", op->entry.key);
}

static void
judge_node(const struct txn_node *op, struct reply *r)
{
	if (is_get(op->verb))
		return;
	if (str_empty(op->node.node))
		reply_error(r, "Must provide node");
	else
		check_node_id(op->node.id, r);
}

static void
judge_service(struct txn_service *op, struct reply *r)
{
	struct service_weights *w = op->service.weights;

	if (is_get(op->verb))
		return;
	check_service(&op->service, r);
	/* An agent sends zeros for what it was not told. */
	if (w != NULL && w->passing < 1)
		w->passing = w->warning = 1;
}

static void
judge_check(struct txn_check *op)
{
	struct health_check *c = &op->check;

	if (is_get(op->verb))
		return;
	if (str_empty(c->check_id))
		str_set(&c->check_id, c->name);
	if (str_empty(c->status))
		str_set(&c->status, "critical");
}

/* Rows of the catalog are of this datacenter. */
static void
fill_in(const struct server *srv, struct txn_op *op)
{
	if (op->node != NULL && str_empty(op->node->node.datacenter))
		str_set(&op->node->node.datacenter, srv->agent.datacenter);
}

/* False: some cannot be; the reply says which, and why. */
static bool
judge(const struct server *srv, struct txn_op_vec *ops,
    struct txn_error_vec *errors)
{
	struct txn_error *e;
	struct txn_op *op;
	struct reply r;
	size_t i;

	for (i = 0; i < ops->n; i++) {
		op = &ops->item[i];
		memset(&r, 0, sizeof(r));
		if (op->kv != NULL)
			judge_kv(srv, ops->item, i, &r);
		else if (op->node != NULL)
			judge_node(op->node, &r);
		else if (op->service != NULL)
			judge_service(op->service, &r);
		else if (op->check != NULL)
			judge_check(op->check);
		fill_in(srv, op);
		if (r.error == NULL)
			continue;
		e = VEC_ADD(errors);
		e->op_index = (int64_t)i;
		e->what = r.error;
	}
	return errors->n == 0;
}

void
txn_apply_write(struct server *srv, void *arg, struct wbuf *entry,
    struct reply *r)
{
	struct txn_request *req = arg;
	struct txn_response out;

	memset(&out, 0, sizeof(out));
	if (!judge(srv, &req->ops, &out.errors)) {
		reply_schema(r, &txn_response_schema, &out);
		schema_clear(&txn_response_schema, &out);
		return;
	}
	str_set(&req->token, NULL);
	store_entry_txn(entry, req);
}

void
txn_read_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct txn_read_request *req = arg;
	struct txn_read_response out;
	struct txn_response got;
	struct txn_op_vec ops = req->ops;

	memset(&out, 0, sizeof(out));
	memset(&got, 0, sizeof(got));
	if (judge(srv, &ops, &got.errors))
		store_txn_read(srv->store, &ops, &got);
	out.results = got.results;
	out.errors = got.errors;
	META_PUT(&out, meta);
	reply_schema(r, &txn_read_response_schema, &out);
	schema_clear(&txn_response_schema, &got);
}

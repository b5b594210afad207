/*
 * Transactions: operations one after another, all of them or none.  What
 * several of them would do is tried first in a small store that holds copies
 * of all rows they could touch; only what succeeds there is carried out here,
 * where it then succeeds too.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/store_i.h"
#include "common/util.h"

struct run {
	struct store		*s;
	uint64_t		 index;
	bool			 read_only;
	struct changes		*ch;
	struct txn_response	*out;
	char			*error;		/* of the present operation */
};

static void __attribute__((format(printf, 2, 3)))
fail(struct run *r, const char *fmt, ...)
{
	va_list ap;

	if (r->error != NULL)
		return;
	va_start(ap, fmt);
	if (vasprintf(&r->error, fmt, ap) == -1)
		abort();
	va_end(ap);
}

/* ---- results ---- */

static struct txn_result *
result(struct run *r)
{
	return VEC_ADD(&r->out->results);
}

static void
result_key(struct run *r, const struct dir_entry *e, bool with_value)
{
	struct dir_entry *out, part;

	part = *e;
	if (!with_value)
		memset(&part.value, 0, sizeof(part.value));
	out = xcalloc(1, sizeof(*out));
	schema_copy(&dir_entry_schema, out, &part);
	result(r)->kv = out;
}

static void
result_node(struct run *r, const struct node_row *n)
{
	struct node *out = xcalloc(1, sizeof(*out));

	schema_copy(&node_schema, out, &n->n);
	result(r)->node = out;
}

static void
result_service(struct run *r, const struct service_row *svc)
{
	struct node_service *out = xcalloc(1, sizeof(*out));

	schema_copy(&node_service_schema, out, &svc->s);
	result(r)->service = out;
}

static void
result_check(struct run *r, const struct check_row *c)
{
	struct health_check *out = xcalloc(1, sizeof(*out));

	schema_copy(&health_check_schema, out, &c->c);
	result(r)->check = out;
}

/* ---- verbs ---- */

enum verb {
	V_SET, V_DELETE, V_DELETE_CAS, V_DELETE_TREE, V_CAS, V_LOCK, V_UNLOCK,
	V_GET, V_GET_TREE, V_CHECK_SESSION, V_CHECK_INDEX, V_CHECK_NOT_EXISTS,
	V_MAX
};
static const char *const verbs[V_MAX] = {
	"set", "delete", "delete-cas", "delete-tree", "cas", "lock", "unlock",
	"get", "get-tree", "check-session", "check-index", "check-not-exists"
};
#define VERB(v) (1u << (v))
#define VERBS_KV (VERB(V_MAX) - 1)
#define VERBS_ROW (VERB(V_GET) | VERB(V_SET) | VERB(V_CAS) |		\
	VERB(V_DELETE) | VERB(V_DELETE_CAS))
#define VERBS_READ (VERB(V_GET) | VERB(V_GET_TREE) |			\
	VERB(V_CHECK_SESSION) | VERB(V_CHECK_INDEX) |			\
	VERB(V_CHECK_NOT_EXISTS))

static enum verb
verb_of(struct run *r, const char *what, const char *name, unsigned allowed)
{
	unsigned v;

	for (v = 0; v < V_MAX; v++)
		if (strcmp(verbs[v], str_or(name, "")) == 0)
			break;
	if (v == V_MAX || (allowed & VERB(v)) == 0) {
		fail(r, "unknown %s verb \"%s\"", what, str_or(name, ""));
		return V_MAX;
	}
	if (r->read_only && (VERBS_READ & VERB(v)) == 0) {
		fail(r, "verb \"%s\" writes in a transaction that reads",
		    verbs[v]);
		return V_MAX;
	}
	return (enum verb)v;
}

/* ---- keys ---- */

static bool
add_tree(const struct dir_entry *e, void *arg)
{
	result_key(arg, e, true);
	return true;
}

/* get and the checks; with_value for the first alone. */
static void
kv_look(struct run *r, enum verb v, const struct dir_entry *want)
{
	const struct kv_row *row = kv_find(r->s, want->key);
	const char *key = str_or(want->key, "");

	if (v == V_CHECK_NOT_EXISTS) {
		if (row != NULL)
			fail(r, "key \"%s\" exists", key);
		return;
	}
	if (row == NULL) {
		fail(r, v == V_GET ? "key \"%s\" doesn't exist" :
		    v == V_CHECK_SESSION ?
		    "failed to check session, key \"%s\" doesn't exist" :
		    "failed to check index, key \"%s\" doesn't exist", key);
		return;
	}
	if (v == V_CHECK_SESSION && strcmp(str_or(row->e.session, ""),
	    str_or(want->session, "")) != 0)
		fail(r, "failed session check for key \"%s\", current session "
		    "\"%s\" != \"%s\"", key, str_or(row->e.session, ""),
		    str_or(want->session, ""));
	else if (v == V_CHECK_INDEX &&
	    row->e.modify_index != want->modify_index)
		fail(r, "failed index check for key \"%s\", current modify "
		    "index %llu != %llu", key,
		    (unsigned long long)row->e.modify_index,
		    (unsigned long long)want->modify_index);
	else
		result_key(r, &row->e, v == V_GET);
}

static void
kv_write(struct run *r, enum verb v, const struct dir_entry *want)
{
	struct dir_entry e;
	const char *key = str_or(want->key, "");
	bool done = true;

	schema_copy(&dir_entry_schema, &e, want);
	if (v == V_SET)
		kv_set(r->s, r->index, &e, r->ch);
	else if (v == V_CAS)
		done = kv_cas(r->s, r->index, &e, r->ch);
	else if (v == V_LOCK)
		done = kv_lock(r->s, r->index, &e, &r->error, r->ch);
	else
		done = kv_unlock(r->s, r->index, &e, &r->error, r->ch);
	schema_clear(&dir_entry_schema, &e);
	if (done)
		result_key(r, &kv_find(r->s, key)->e, false);
	else
		fail(r, v == V_CAS ?
		    "failed to set key \"%s\", index is stale" : v == V_LOCK ?
		    "failed to lock key \"%s\", lock is already held" :
		    "failed to unlock key \"%s\", lock isn't held, or is held "
		    "by another session", key);
}

static void
op_kv(struct run *r, const struct txn_kv *op)
{
	const struct dir_entry *e = &op->entry;
	enum verb v;

	v = verb_of(r, "KV", op->verb, VERBS_KV);
	if (v != V_MAX && v != V_DELETE_TREE && v != V_GET_TREE &&
	    str_empty(e->key)) {
		fail(r, "Must provide key");
		return;
	}
	switch (v) {
	case V_SET:
	case V_CAS:
	case V_LOCK:
	case V_UNLOCK:
		kv_write(r, v, e);
		break;
	case V_DELETE:
		kv_delete(r->s, r->index, e->key, r->ch);
		break;
	case V_DELETE_CAS:
		if (!kv_delete_cas(r->s, r->index, e->key, e->modify_index,
		    r->ch))
			fail(r, "failed to delete key \"%s\", index is stale",
			    str_or(e->key, ""));
		break;
	case V_DELETE_TREE:
		kv_delete_tree(r->s, r->index, e->key, r->ch);
		break;
	case V_GET_TREE:
		store_each_key(r->s, e->key, add_tree, r);
		break;
	case V_GET:
	case V_CHECK_SESSION:
	case V_CHECK_INDEX:
	case V_CHECK_NOT_EXISTS:
		kv_look(r, v, e);
		break;
	case V_MAX:
		break;
	}
}

/* ---- the catalog ---- */

/* A registration's rules without the words that it puts in front. */
static void
put_registration(struct run *r, struct register_request *req)
{
	static const char prefix[] = "failed inserting ";
	struct store_answer a;
	const char *colon;

	memset(&a, 0, sizeof(a));
	apply_register(r->s, r->index, req, &a, r->ch);
	if (a.error != NULL) {
		colon = strncmp(a.error, prefix, sizeof(prefix) - 1) == 0 ?
		    strstr(a.error, ": ") : NULL;
		fail(r, "%s", colon != NULL ? colon + 2 : a.error);
	}
	store_answer_clear(&a);
	schema_clear(&register_request_schema, req);
}

static struct node_row *
node_of(const struct run *r, const struct node *n)
{
	return !str_empty(n->id) ? node_find_id(r->s, n->id) :
	    node_find(r->s, n->node);
}

static void
node_set(struct run *r, const struct node *n)
{
	struct register_request req;
	struct node_row *row;

	memset(&req, 0, sizeof(req));
	req.datacenter = xstrdup(n->datacenter);
	req.id = xstrdup(n->id);
	req.node = xstrdup(n->node);
	req.address = xstrdup(n->address);
	strmap_copy(&req.tagged_addresses, &n->tagged_addresses);
	strmap_copy(&req.node_meta, &n->meta);
	put_registration(r, &req);
	if (r->error == NULL && (row = node_of(r, n)) != NULL)
		result_node(r, row);
}

/* Stale: not as it was when the index was read; 0: there must be none. */
static bool
is_stale(const void *row, uint64_t have, uint64_t want)
{
	return want != (row != NULL ? have : 0);
}

static void
op_node(struct run *r, const struct txn_node *op)
{
	enum verb v = verb_of(r, "Node", op->verb, VERBS_ROW);
	const char *name = str_or(op->node.node, "");
	struct node_row *row = node_find(r->s, name);
	bool stale;

	stale = is_stale(row, row != NULL ? row->n.modify_index : 0,
	    op->node.modify_index);
	if (v == V_MAX) {
		return;
	} else if (v == V_GET) {
		if ((row = node_of(r, &op->node)) != NULL)
			result_node(r, row);
		else
			fail(r, "node \"%s\" doesn't exist", name);
	} else if (v == V_CAS && stale) {
		fail(r, "failed to set node \"%s\", index is stale", name);
	} else if (v == V_SET || v == V_CAS) {
		node_set(r, &op->node);
	} else if (v == V_DELETE_CAS && (row == NULL || stale)) {
		fail(r, "failed to delete node \"%s\", index is stale", name);
	} else if (row != NULL) {
		node_remove(r->s, r->index, row, r->ch);
	}
}

static void
service_set(struct run *r, const char *node, const struct node_service *s)
{
	struct register_request req;

	if (node_find(r->s, node) == NULL) {
		fail(r, "Missing node registration");
		return;
	}
	memset(&req, 0, sizeof(req));
	req.node = xstrdup(node);
	req.skip_node_update = true;
	req.service = xcalloc(1, sizeof(*req.service));
	schema_copy(&node_service_schema, req.service, s);
	put_registration(r, &req);
	if (r->error == NULL)
		result_service(r, service_find(node_find(r->s, node), s->id));
}

static void
op_service(struct run *r, const struct txn_service *op)
{
	enum verb v = verb_of(r, "Service", op->verb, VERBS_ROW);
	const char *node = str_or(op->node, "");
	const char *id = str_or(op->service.id, "");
	struct node_row *n = node_find(r->s, node);
	struct service_row *row = n != NULL ? service_find(n, id) : NULL;
	bool stale;

	stale = is_stale(row, row != NULL ? row->s.modify_index : 0,
	    op->service.modify_index);
	if (v == V_MAX) {
		return;
	} else if (v == V_GET) {
		if (row != NULL)
			result_service(r, row);
		else
			fail(r, "service \"%s\" on node \"%s\" doesn't exist",
			    id, node);
	} else if (v == V_CAS && stale) {
		fail(r, "failed to set service \"%s\" on node \"%s\", index "
		    "is stale", id, node);
	} else if (v == V_SET || v == V_CAS) {
		service_set(r, node, &op->service);
	} else if (v == V_DELETE_CAS && (row == NULL || stale)) {
		fail(r, "failed to delete service \"%s\" on node \"%s\", index "
		    "is stale", id, node);
	} else if (row != NULL) {
		service_remove(r->s, r->index, row, r->ch);
	}
}

static void
check_set(struct run *r, const struct health_check *c)
{
	struct register_request req;
	struct check_row *row;
	struct node_row *n;

	if (node_find(r->s, c->node) == NULL) {
		fail(r, "Missing node registration");
		return;
	}
	memset(&req, 0, sizeof(req));
	req.node = xstrdup(c->node);
	req.skip_node_update = true;
	schema_copy(&health_check_schema, VEC_ADD(&req.checks), c);
	put_registration(r, &req);
	if (r->error != NULL || (n = node_find(r->s, c->node)) == NULL)
		return;
	if ((row = check_find(n, c->check_id)) != NULL)
		result_check(r, row);
}

static void
op_check(struct run *r, const struct txn_check *op)
{
	enum verb v = verb_of(r, "Check", op->verb, VERBS_ROW);
	const char *node = str_or(op->check.node, "");
	const char *id = str_or(op->check.check_id, "");
	struct node_row *n = node_find(r->s, node);
	struct check_row *row = n != NULL ? check_find(n, id) : NULL;
	bool stale;

	stale = is_stale(row, row != NULL ? row->c.modify_index : 0,
	    op->check.modify_index);
	if (v == V_MAX) {
		return;
	} else if (v == V_GET) {
		if (row != NULL)
			result_check(r, row);
		else
			fail(r, "check \"%s\" on node \"%s\" doesn't exist",
			    id, node);
	} else if (v == V_CAS && stale) {
		fail(r, "failed to set check \"%s\" on node \"%s\", index is "
		    "stale", id, node);
	} else if (v == V_SET || v == V_CAS) {
		check_set(r, &op->check);
	} else if (v == V_DELETE_CAS && (row == NULL || stale)) {
		fail(r, "failed to delete check \"%s\" on node \"%s\", index "
		    "is stale", id, node);
	} else if (row != NULL) {
		check_remove(r->s, r->index, row, r->ch);
	}
}

static void
op_session(struct run *r, const struct txn_session *op)
{
	struct session_row *row;

	if (verb_of(r, "Session", op->verb, VERB(V_DELETE)) == V_MAX)
		return;
	if ((row = session_find(r->s, op->session.id)) != NULL)
		session_end(r->s, r->index, row, r->ch);
}

/* ---- one after another ---- */

/* False: at least one failed; the response has the errors alone. */
static bool
run_all(struct run *r, const struct txn_op_vec *ops)
{
	struct txn_error *e;
	const struct txn_op *op;
	size_t i;

	memset(r->out, 0, sizeof(*r->out));
	for (i = 0; i < ops->n; i++) {
		op = &ops->item[i];
		if (op->kv != NULL)
			op_kv(r, op->kv);
		else if (op->node != NULL)
			op_node(r, op->node);
		else if (op->service != NULL)
			op_service(r, op->service);
		else if (op->check != NULL)
			op_check(r, op->check);
		else if (op->session != NULL)
			op_session(r, op->session);
		else
			fail(r, "no operation specified");
		if (r->error == NULL)
			continue;
		e = VEC_ADD(&r->out->errors);
		e->op_index = (int64_t)i;
		e->what = r->error;
		r->error = NULL;
	}
	r->out->results.set = true;
	if (r->out->errors.n == 0)
		return true;
	for (i = 0; i < r->out->results.n; i++)
		schema_clear(&txn_result_schema, &r->out->results.item[i]);
	free(r->out->results.item);
	memset(&r->out->results, 0, sizeof(r->out->results));
	return false;
}

/* ---- the small store ---- */

static struct node_row *
copy_node(struct store *to, const struct node_row *from)
{
	struct changes ch;
	struct node_row *row;
	struct node n;

	if (from == NULL)
		return NULL;
	if ((row = node_find(to, from->n.node)) != NULL)
		return row;
	memset(&ch, 0, sizeof(ch));
	schema_copy(&node_schema, &n, &from->n);
	row = node_put(to, n.modify_index, &n, &ch);
	changes_clear(&ch);
	return row;
}

static void
copy_check_row(struct store *to, struct node_row *n,
    const struct check_row *from)
{
	struct changes ch;
	struct health_check c;

	if (from == NULL || check_find(n, from->c.check_id) != NULL)
		return;
	memset(&ch, 0, sizeof(ch));
	schema_copy(&health_check_schema, &c, &from->c);
	check_put(to, c.modify_index, n, &c, &ch);
	changes_clear(&ch);
}

/* With its checks, which go with it. */
static void
copy_service(struct store *to, const struct node_row *from, const char *id)
{
	struct node_row *n = copy_node(to, from);
	const struct service_row *svc;
	const struct check_row *c;
	struct node_service s;
	struct changes ch;

	if (n == NULL || (svc = service_find(from, id)) == NULL ||
	    service_find(n, id) != NULL)
		return;
	memset(&ch, 0, sizeof(ch));
	schema_copy(&node_service_schema, &s, &svc->s);
	service_put(to, s.modify_index, n, &s, &ch);
	changes_clear(&ch);
	TAILQ_FOREACH(c, &svc->checks, group_entry)
		copy_check_row(to, n, c);
}

static void
copy_check(struct store *to, const struct node_row *from, const char *id)
{
	struct node_row *n = copy_node(to, from);
	const struct check_row *c;

	if (n == NULL || (c = check_find(from, id)) == NULL)
		return;
	if (c->service != NULL)
		copy_service(to, from, c->c.service_id);
	copy_check_row(to, n, c);
}

static void
copy_session(struct store *to, const struct store *from, const char *id)
{
	const struct session_row *row;
	struct session x;

	if (str_empty(id) || session_find(to, id) != NULL ||
	    (row = session_find(from, id)) == NULL)
		return;
	schema_copy(&session_schema, &x, &row->s);
	session_restore(to, &x);
}

struct copy {
	struct store		*to;
	const struct store	*from;
};

static bool
copy_key(const struct dir_entry *e, void *arg)
{
	struct copy *c = arg;
	struct dir_entry x;

	if (kv_find(c->to, e->key) != NULL)
		return true;
	schema_copy(&dir_entry_schema, &x, e);
	kv_restore(c->to, &x);
	copy_session(c->to, c->from, e->session);
	return true;
}

static void
copy_catalog(struct copy *c, const struct txn_op *op)
{
	struct node_row *n;

	if (op->kv != NULL)
		return;
	if (op->node != NULL) {
		n = node_find(c->from, op->node->node.node);
		copy_check(c->to, n, "serfHealth");
		n = node_find_id(c->from, op->node->node.id);
		copy_check(c->to, n, "serfHealth");
	} else if (op->service != NULL) {
		copy_service(c->to, node_find(c->from, op->service->node),
		    op->service->service.id);
	} else if (op->check != NULL) {
		n = node_find(c->from, op->check->check.node);
		copy_check(c->to, n, op->check->check.check_id);
		copy_service(c->to, n, op->check->check.service_id);
	}
}

static void
copy_keys(struct copy *c, const struct txn_op *op)
{
	const struct dir_entry *e;
	const char *verb;

	if (op->session != NULL)
		copy_session(c->to, c->from, op->session->session.id);
	if (op->kv == NULL)
		return;
	verb = str_or(op->kv->verb, "");
	copy_session(c->to, c->from, op->kv->entry.session);
	if (strcmp(verb, "get-tree") == 0 || strcmp(verb, "delete-tree") == 0)
		store_each_key(c->from, op->kv->entry.key, copy_key, c);
	else if ((e = store_key(c->from, op->kv->entry.key)) != NULL)
		copy_key(e, c);
}

/* Sessions come last: a critical check would end them. */
static struct store *
small_store(const struct store *s, const struct txn_op_vec *ops)
{
	struct copy c;
	size_t i;

	c.to = store_new();
	c.from = s;
	for (i = 0; i < ops->n; i++)
		copy_catalog(&c, &ops->item[i]);
	for (i = 0; i < ops->n; i++)
		copy_keys(&c, &ops->item[i]);
	session_link(c.to);
	return c.to;
}

/* ---- entries, reading ---- */

static bool
rehearse(const struct store *s, uint64_t index, const struct txn_op_vec *ops,
    struct txn_response *out)
{
	struct changes ch;
	struct run r;
	bool ok;

	memset(&r, 0, sizeof(r));
	memset(&ch, 0, sizeof(ch));
	r.s = small_store(s, ops);
	r.index = index;
	r.ch = &ch;
	r.out = out;
	ok = run_all(&r, ops);
	changes_clear(&ch);
	store_free(r.s);
	return ok;
}

void
apply_txn(struct store *s, uint64_t index, struct txn_request *req,
    struct store_answer *a, struct changes *ch)
{
	struct txn_response out;
	struct run r;

	/* One alone is all or nothing by itself. */
	if (req->ops.n < 2 || rehearse(s, index, &req->ops, &out)) {
		if (req->ops.n >= 2)
			schema_clear(&txn_response_schema, &out);
		memset(&r, 0, sizeof(r));
		r.s = s;
		r.index = index;
		r.ch = ch;
		r.out = &out;
		run_all(&r, &req->ops);
	}
	a->refused = out.errors.n > 0;
	schema_encode(&txn_response_schema, &out, &a->body);
	schema_clear(&txn_response_schema, &out);
}

void
store_txn_read(const struct store *s, struct txn_op_vec *ops,
    struct txn_response *out)
{
	struct changes ch;
	struct run r;

	memset(&ch, 0, sizeof(ch));
	memset(&r, 0, sizeof(r));
	r.s = (struct store *)(uintptr_t)s;	/* it only reads */
	r.read_only = true;
	r.ch = &ch;
	r.out = out;
	run_all(&r, ops);
	changes_clear(&ch);
}

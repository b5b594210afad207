/*
 * A store that tests write to by entries, as the log would.
 */
#ifndef TESTS_UNIT_CATALOGD_STORE_UNIT_H
#define TESTS_UNIT_CATALOGD_STORE_UNIT_H

#include <stdlib.h>
#include <string.h>

#include "catalogd/store.h"
#include "common/mp.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define UNUSED __attribute__((unused)) static
#define S1 "11111111-1111-4111-8111-111111111111"
#define S2 "22222222-2222-4222-8222-222222222222"
#define S3 "33333333-3333-4333-8333-333333333333"

struct fixture {
	struct store		*s;
	uint64_t		 index;
	struct changes		 ch;
	struct store_answer	 a;
};

UNUSED void
setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->s = store_new();
}

UNUSED void
teardown(struct fixture *f)
{
	changes_clear(&f->ch);
	store_answer_clear(&f->a);
	store_free(f->s);
}

UNUSED void
apply(struct fixture *f, struct wbuf *w)
{
	changes_clear(&f->ch);
	store_answer_clear(&f->a);
	store_apply(f->s, ++f->index, w->p, w->len, &f->a, &f->ch);
	/* What is refused changes nothing. */
	ck_assert(!f->a.refused || f->ch.n == 0);
	wb_free(w);
}

UNUSED bool
changed(const struct fixture *f, enum watch_kind kind, const char *name)
{
	size_t i;

	for (i = 0; i < f->ch.n; i++)
		if (f->ch.item[i].kind == kind &&
		    strcmp(f->ch.item[i].name, name) == 0)
			return true;
	return false;
}

/* ---- the catalog ---- */

UNUSED void
put(struct fixture *f, struct register_request *r)
{
	struct wbuf w;

	wb_init(&w, 0);
	store_entry_register(&w, r);
	schema_clear(&register_request_schema, r);
	apply(f, &w);
}

UNUSED struct register_request
of_node(const char *node)
{
	struct register_request r;

	memset(&r, 0, sizeof(r));
	r.datacenter = xstrdup("dc1");
	r.node = xstrdup(node);
	r.address = xstrdup("10.0.0.1");
	return r;
}

UNUSED void
put_node(struct fixture *f, const char *node)
{
	struct register_request r = of_node(node);

	put(f, &r);
}

UNUSED void
put_service(struct fixture *f, const char *node, const char *id,
    const char *name)
{
	struct register_request r = of_node(node);

	r.service = xcalloc(1, sizeof(*r.service));
	r.service->id = xstrdup(id);
	r.service->service = xstrdup(name);
	r.service->weights = xcalloc(1, sizeof(*r.service->weights));
	r.service->weights->passing = r.service->weights->warning = 1;
	put(f, &r);
}

UNUSED void
put_check(struct fixture *f, const char *node, const char *id,
    const char *service, const char *status)
{
	struct register_request r = of_node(node);
	struct health_check *c = VEC_ADD(&r.checks);

	c->node = xstrdup(node);
	c->check_id = xstrdup(id);
	c->name = xstrdup(id);
	c->service_id = xstrdup(service);
	c->status = xstrdup(status);
	put(f, &r);
}

UNUSED void
drop(struct fixture *f, const char *node, const char *service,
    const char *check)
{
	struct deregister_request r;
	struct wbuf w;

	memset(&r, 0, sizeof(r));
	r.node = xstrdup(node);
	r.service_id = xstrdup(service);
	r.check_id = xstrdup(check);
	wb_init(&w, 0);
	store_entry_deregister(&w, &r);
	schema_clear(&deregister_request_schema, &r);
	apply(f, &w);
}

/* ---- keys ---- */

/* What the method answers; an error is f->a.error. */
UNUSED bool
kv(struct fixture *f, const char *op, const char *key, const char *value,
    const char *session, uint64_t cas)
{
	struct kvs_request r;
	struct rbuf rb;
	struct wbuf w;

	memset(&r, 0, sizeof(r));
	r.op = xstrdup(op);
	r.entry.key = xstrdup(key);
	r.entry.session = xstrdup(session);
	r.entry.modify_index = cas;
	if (value != NULL)
		bytes_set(&r.entry.value, value, strlen(value));
	wb_init(&w, 0);
	store_entry_kv(&w, &r);
	schema_clear(&kvs_request_schema, &r);
	apply(f, &w);
	rb_init(&rb, f->a.body.p, f->a.body.len);
	return f->a.error == NULL && mp_get_bool(&rb);
}

UNUSED void
set(struct fixture *f, const char *key, const char *value)
{
	kv(f, "set", key, value, NULL, 0);
	ck_assert_ptr_null(f->a.error);
}

UNUSED void
reap(struct fixture *f, uint64_t up_to)
{
	struct tombstone_request r;
	struct wbuf w;

	memset(&r, 0, sizeof(r));
	r.op = xstrdup("reap");
	r.reap_index = up_to;
	wb_init(&w, 0);
	store_entry_tombstone(&w, &r);
	schema_clear(&tombstone_request_schema, &r);
	apply(f, &w);
}

/* ---- sessions ---- */

UNUSED struct session
of_session(const char *id, const char *node, const char *check,
    const char *behavior)
{
	struct session x;

	memset(&x, 0, sizeof(x));
	x.id = xstrdup(id);
	x.node = xstrdup(node);
	x.behavior = xstrdup(behavior);
	if (check != NULL)
		strs_add(&x.node_checks, check);
	return x;
}

UNUSED void
session_op(struct fixture *f, const char *op, struct session *x)
{
	struct session_request r;
	struct wbuf w;

	memset(&r, 0, sizeof(r));
	r.op = xstrdup(op);
	r.session = *x;
	wb_init(&w, 0);
	store_entry_session(&w, &r);
	schema_clear(&session_request_schema, &r);
	apply(f, &w);
}

UNUSED void
session(struct fixture *f, const char *id, const char *node,
    const char *check, const char *behavior, int64_t delay_s)
{
	struct session x = of_session(id, node, check, behavior);

	x.lock_delay = delay_s * NS_PER_S;
	session_op(f, "create", &x);
}

UNUSED void
destroy(struct fixture *f, const char *id)
{
	struct session x = of_session(id, NULL, NULL, NULL);

	session_op(f, "destroy", &x);
}

/* ---- the same after a snapshot ---- */

UNUSED void
ck_restored(struct fixture *f)
{
	struct wbuf a, b;
	struct store *s;
	const char *why = "";

	s = store_new();
	wb_init(&a, 0);
	wb_init(&b, 0);
	store_dump(f->s, &a);
	ck_assert_msg(store_restore(s, f->index, a.p, a.len, &why) == 0,
	    "%s", why);
	store_dump(s, &b);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_int_eq(memcmp(a.p, b.p, a.len), 0);
	wb_free(&a);
	wb_free(&b);
	store_free(f->s);
	f->s = s;
}

#endif

/*
 * Transactions drawn from bytes, of few names so that they meet: one that is
 * refused leaves the store as it was, one that is rehearsed goes through.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/store.h"
#include "common/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const keys[] = { "a", "a/b", "a/c", "b", "" };
static const char *const nodes[] = { "n1", "N1", "n2", "" };
static const char *const ids[] = { "c", "s", "serfHealth" };
static const char *const sessions[] = {
	"11111111-1111-4111-8111-111111111111",
	"22222222-2222-4222-8222-222222222222", ""
};
static const char *const verbs[] = {
	"set", "get", "delete", "cas", "delete-cas", "get-tree", "delete-tree",
	"lock", "unlock", "check-session", "check-index", "check-not-exists"
};
static const char *const states[] = { "passing", "critical" };

#define PICK(r, list) xstrdup((list)[rb_u8(r) % NELEM(list)])

struct world {
	struct store	*s;
	uint64_t	 index;
};

static void
apply(struct world *w, struct wbuf *e)
{
	struct wbuf before, after;
	struct store_answer a;
	struct changes ch;

	memset(&ch, 0, sizeof(ch));
	wb_init(&before, 0);
	wb_init(&after, 0);
	store_dump(w->s, &before);
	store_apply(w->s, ++w->index, e->p, e->len, &a, &ch);
	store_dump(w->s, &after);
	if (a.refused && (ch.n > 0 || before.len != after.len ||
	    memcmp(before.p, after.p, after.len) != 0))
		abort();
	store_answer_clear(&a);
	changes_clear(&ch);
	wb_free(&before);
	wb_free(&after);
	wb_free(e);
}

static void
draw_check(struct rbuf *r, struct health_check *c)
{
	c->node = PICK(r, nodes);
	c->check_id = PICK(r, ids);
	c->status = PICK(r, states);
	if (rb_u8(r) & 1)
		c->service_id = PICK(r, ids);
}

static void
draw_op(struct rbuf *r, struct txn_op *op, const struct world *w)
{
	uint8_t kind = rb_u8(r);
	uint64_t cas = w->index - rb_u8(r) % 4;

	if (kind % 8 < 4) {
		op->kv = xcalloc(1, sizeof(*op->kv));
		op->kv->verb = PICK(r, verbs);
		op->kv->entry.key = PICK(r, keys);
		op->kv->entry.session = PICK(r, sessions);
		op->kv->entry.modify_index = cas;
		op->kv->entry.flags = rb_u8(r) % 4;
	} else if (kind % 8 == 4) {
		op->node = xcalloc(1, sizeof(*op->node));
		op->node->verb = PICK(r, verbs);
		op->node->node.node = PICK(r, nodes);
		op->node->node.address = xstrdup("10.0.0.1");
		op->node->node.modify_index = cas;
		op->node->node.id = PICK(r, sessions);
	} else if (kind % 8 == 5) {
		op->service = xcalloc(1, sizeof(*op->service));
		op->service->verb = PICK(r, verbs);
		op->service->node = PICK(r, nodes);
		op->service->service.id = PICK(r, ids);
		op->service->service.service = PICK(r, ids);
		op->service->service.modify_index = cas;
	} else if (kind % 8 == 6) {
		op->check = xcalloc(1, sizeof(*op->check));
		op->check->verb = PICK(r, verbs);
		draw_check(r, &op->check->check);
		op->check->check.modify_index = cas;
	} else {
		op->session = xcalloc(1, sizeof(*op->session));
		op->session->verb = xstrdup("delete");
		op->session->session.id = PICK(r, sessions);
	}
}

static void
draw_txn(struct rbuf *r, struct world *w)
{
	struct txn_request t;
	struct wbuf e;
	unsigned n = rb_u8(r) % 6;

	memset(&t, 0, sizeof(t));
	while (n-- > 0)
		draw_op(r, VEC_ADD(&t.ops), w);
	wb_init(&e, 0);
	store_entry_txn(&e, &t);
	schema_clear(&txn_request_schema, &t);
	apply(w, &e);
}

/* Sessions come to be outside of transactions. */
static void
draw_session(struct rbuf *r, struct world *w)
{
	struct session_request s;
	struct wbuf e;

	memset(&s, 0, sizeof(s));
	s.op = xstrdup("create");
	s.session.id = PICK(r, sessions);
	s.session.node = PICK(r, nodes);
	s.session.behavior = xstrdup(rb_u8(r) & 1 ? "delete" : "release");
	strs_add(&s.session.node_checks, ids[rb_u8(r) % NELEM(ids)]);
	wb_init(&e, 0);
	store_entry_session(&e, &s);
	schema_clear(&session_request_schema, &s);
	apply(w, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct world w;
	struct rbuf r;

	w.s = store_new();
	w.index = 4;
	rb_init(&r, p, n);
	while (r.n > 0) {
		if (rb_u8(&r) % 4 == 0)
			draw_session(&r, &w);
		else
			draw_txn(&r, &w);
	}
	store_free(w.s);
	return 0;
}

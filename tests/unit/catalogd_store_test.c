/*
 * The store as a function of entries: rules of registration, what keeps its
 * index, what wakes whom, what a snapshot brings back.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/store.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define ID_A "11111111-1111-4111-8111-111111111111"
#define ID_B "22222222-2222-4222-8222-222222222222"

struct fixture {
	struct store		*s;
	uint64_t		 index;
	struct changes		 ch;
	char			*error;
};

static void
setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->s = store_new();
}

static void
teardown(struct fixture *f)
{
	changes_clear(&f->ch);
	free(f->error);
	store_free(f->s);
}

static void
apply(struct fixture *f, struct wbuf *w)
{
	struct store_answer a;

	changes_clear(&f->ch);
	free(f->error);
	store_apply(f->s, ++f->index, w->p, w->len, &a, &f->ch);
	f->error = a.error;
	wb_free(w);
}

static void
put(struct fixture *f, struct register_request *r)
{
	struct wbuf w;

	wb_init(&w, 0);
	store_entry_register(&w, r);
	apply(f, &w);
	schema_clear(&register_request_schema, r);
}

static struct register_request
node_request(const char *id, const char *node, const char *address)
{
	struct register_request r;

	memset(&r, 0, sizeof(r));
	r.datacenter = xstrdup("dc1");
	r.id = xstrdup(id);
	r.node = xstrdup(node);
	r.address = xstrdup(address);
	return r;
}

static struct node_service *
with_service(struct register_request *r, const char *id, const char *name)
{
	r->service = xcalloc(1, sizeof(*r->service));
	r->service->id = xstrdup(id);
	r->service->service = xstrdup(name);
	r->service->weights = xcalloc(1, sizeof(*r->service->weights));
	r->service->weights->passing = r->service->weights->warning = 1;
	return r->service;
}

static struct health_check *
with_check(struct register_request *r, const char *id, const char *service,
    const char *status)
{
	struct health_check *c;

	c = VEC_ADD(&r->checks);
	c->node = xstrdup(r->node);
	c->check_id = xstrdup(id);
	c->name = xstrdup(id);
	c->service_id = xstrdup(service);
	c->status = xstrdup(status);
	return c;
}

static void
put_node(struct fixture *f, const char *id, const char *node,
    const char *address)
{
	struct register_request r = node_request(id, node, address);

	put(f, &r);
}

static void
put_service(struct fixture *f, const char *node, const char *id,
    const char *name)
{
	struct register_request r = node_request("", node, "10.0.0.1");

	with_service(&r, id, name);
	r.skip_node_update = true;
	put(f, &r);
}

static void
put_check(struct fixture *f, const char *node, const char *id,
    const char *service, const char *status)
{
	struct register_request r = node_request("", node, "10.0.0.1");

	with_check(&r, id, service, status);
	r.skip_node_update = true;
	put(f, &r);
}

static void
drop(struct fixture *f, const char *node, const char *service,
    const char *check)
{
	struct deregister_request r;
	struct wbuf w;

	memset(&r, 0, sizeof(r));
	r.datacenter = xstrdup("dc1");
	r.node = xstrdup(node);
	r.service_id = xstrdup(service);
	r.check_id = xstrdup(check);
	wb_init(&w, 0);
	store_entry_deregister(&w, &r);
	schema_clear(&deregister_request_schema, &r);
	apply(f, &w);
}

static bool
changed(const struct fixture *f, enum watch_kind kind, const char *name)
{
	size_t i;

	for (i = 0; i < f->ch.n; i++)
		if (f->ch.item[i].kind == kind &&
		    strcmp(f->ch.item[i].name, name) == 0)
			return true;
	return false;
}

static bool
named(const struct fixture *f, const char *name, bool exists)
{
	size_t i;

	for (i = 0; i < f->ch.nnames; i++)
		if (strcmp(f->ch.name[i].name, name) == 0 &&
		    f->ch.name[i].exists == exists)
			return true;
	return false;
}

static bool
count_node(const struct node *n, void *arg)
{
	(void)n;
	++*(size_t *)arg;
	return true;
}

/* ---- indexes ---- */

START_TEST(unchanged_registration_keeps_modify_index)
{
	struct fixture f;

	setup(&f);
	put_node(&f, ID_A, "n1", "10.0.0.1");
	put_service(&f, "n1", "web1", "web");
	put_check(&f, "n1", "c1", "web1", "passing");
	put_node(&f, ID_A, "n1", "10.0.0.1");
	ck_assert_uint_eq(f.ch.n, 0);
	put_service(&f, "n1", "web1", "web");
	ck_assert_uint_eq(f.ch.n, 0);
	put_check(&f, "n1", "c1", "web1", "passing");
	ck_assert_uint_eq(f.ch.n, 0);
	ck_assert_uint_eq(store_node(f.s, "n1")->modify_index, 1);
	ck_assert_uint_eq(store_service(f.s, "n1", "web1")->modify_index, 2);
	ck_assert_uint_eq(store_check(f.s, "n1", "c1")->modify_index, 3);
	ck_assert_uint_eq(store_index(f.s)->nodes, 1);
	ck_assert_uint_eq(store_index(f.s)->services, 2);
	ck_assert_uint_eq(store_index(f.s)->checks, 3);
	teardown(&f);
}
END_TEST

START_TEST(change_keeps_create_index)
{
	struct fixture f;

	setup(&f);
	put_node(&f, ID_A, "n1", "10.0.0.1");
	put_node(&f, ID_A, "n1", "10.0.0.2");
	ck_assert_uint_eq(store_node(f.s, "n1")->create_index, 1);
	ck_assert_uint_eq(store_node(f.s, "n1")->modify_index, 2);
	teardown(&f);
}
END_TEST

START_TEST(service_index_moves_with_its_own_things_only)
{
	struct fixture f;

	setup(&f);
	put_node(&f, "", "n1", "10.0.0.1");		/* 1 */
	put_node(&f, "", "n2", "10.0.0.2");		/* 2 */
	put_service(&f, "n1", "web1", "web");		/* 3 */
	put_service(&f, "n2", "db1", "db");		/* 4 */
	ck_assert_uint_eq(store_service_index(f.s, "web"), 3);
	put_check(&f, "n2", "c", "db1", "passing");	/* 5 */
	put_check(&f, "n2", "node", "", "passing");	/* 6 */
	ck_assert_uint_eq(store_service_index(f.s, "web"), 3);
	ck_assert_uint_eq(store_service_index(f.s, "db"), 6);
	put_check(&f, "n1", "node", "", "passing");	/* 7: node-level */
	ck_assert_uint_eq(store_service_index(f.s, "web"), 7);
	put_node(&f, "", "n1", "10.9.9.9");		/* 8: the node's row */
	ck_assert_uint_eq(store_service_index(f.s, "web"), 8);
	ck_assert(changed(&f, WATCH_SERVICE, "web"));
	ck_assert(!changed(&f, WATCH_SERVICE, "db"));
	ck_assert_uint_eq(store_service_index(f.s, "db"), 6);
	teardown(&f);
}
END_TEST

START_TEST(service_without_instances_has_the_index_of_the_last_extinction)
{
	struct fixture f;

	setup(&f);
	put_node(&f, "", "n1", "10.0.0.1");
	put_check(&f, "n1", "node", "", "passing");
	/* Nothing has vanished yet: the highest of the tables. */
	ck_assert_uint_eq(store_service_index(f.s, "web"), 2);
	put_service(&f, "n1", "web1", "web");
	put_service(&f, "n1", "web2", "web");
	drop(&f, "n1", "web1", "");
	ck_assert_uint_eq(store_index(f.s)->gone, 0);
	ck_assert_uint_eq(store_service_index(f.s, "web"), 5);
	drop(&f, "n1", "web2", "");
	ck_assert_uint_eq(store_service_index(f.s, "web"), 6);
	put_node(&f, "", "n2", "10.0.0.2");
	ck_assert_uint_eq(store_service_index(f.s, "web"), 6);
	ck_assert_uint_eq(store_service_index(f.s, "other"), 6);
	teardown(&f);
}
END_TEST

START_TEST(deregistered_service_wakes_its_watchers_only)
{
	struct fixture f;

	setup(&f);
	put_node(&f, "", "n1", "10.0.0.1");
	put_service(&f, "n1", "web1", "web");
	put_service(&f, "n1", "db1", "db");
	put_check(&f, "n1", "c1", "web1", "passing");
	drop(&f, "n1", "web1", "");
	ck_assert(changed(&f, WATCH_SERVICE, "web"));
	ck_assert(changed(&f, WATCH_SERVICE_CHECKS, "web"));
	ck_assert(changed(&f, WATCH_NODE, "n1"));
	ck_assert(changed(&f, WATCH_CHECKS, ""));
	ck_assert(!changed(&f, WATCH_SERVICE, "db"));
	ck_assert(!changed(&f, WATCH_NODES, ""));
	ck_assert(named(&f, "web", false));
	ck_assert_ptr_null(store_check(f.s, "n1", "c1"));
	ck_assert_uint_eq(store_count_services(f.s), 1);
	ck_assert_uint_eq(store_count_checks(f.s), 0);
	teardown(&f);
}
END_TEST

START_TEST(removing_what_is_absent_changes_nothing)
{
	struct fixture f;

	setup(&f);
	put_node(&f, "", "n1", "10.0.0.1");
	drop(&f, "n2", "", "");
	ck_assert_ptr_null(f.error);
	drop(&f, "n1", "web", "");
	drop(&f, "n1", "", "c");
	ck_assert_ptr_null(f.error);
	ck_assert_uint_eq(f.ch.n, 0);
	ck_assert_uint_eq(store_count_nodes(f.s), 1);
	teardown(&f);
}
END_TEST

START_TEST(removed_node_takes_everything_with_it)
{
	struct fixture f;

	setup(&f);
	put_node(&f, ID_A, "n1", "10.0.0.1");
	put_service(&f, "n1", "web1", "web");
	put_check(&f, "n1", "c1", "web1", "passing");
	put_check(&f, "n1", "serfHealth", "", "passing");
	drop(&f, "n1", "", "");
	ck_assert_uint_eq(store_count_nodes(f.s), 0);
	ck_assert_uint_eq(store_count_services(f.s), 0);
	ck_assert_uint_eq(store_count_checks(f.s), 0);
	ck_assert(named(&f, "n1", false));
	ck_assert(named(&f, "web", false));
	ck_assert_uint_eq(store_index(f.s)->nodes, 5);
	ck_assert_uint_eq(store_index(f.s)->services, 5);
	ck_assert_uint_eq(store_index(f.s)->checks, 5);
	teardown(&f);
}
END_TEST

START_TEST(entry_at_or_below_the_applied_index_is_skipped)
{
	struct register_request r = node_request("", "n1", "10.0.0.1");
	struct store_answer a;
	struct fixture f;
	struct wbuf w;

	setup(&f);
	put_node(&f, "", "n1", "10.0.0.9");
	wb_init(&w, 0);
	store_entry_register(&w, &r);
	changes_clear(&f.ch);
	store_apply(f.s, 1, w.p, w.len, &a, &f.ch);
	ck_assert_uint_eq(f.ch.n, 0);
	ck_assert_str_eq(store_node(f.s, "n1")->address, "10.0.0.9");
	wb_free(&w);
	schema_clear(&register_request_schema, &r);
	teardown(&f);
}
END_TEST

/* ---- values ---- */

START_TEST(nil_tags_stay_nil)
{
	struct register_request r = node_request("", "n1", "10.0.0.1");
	struct fixture f;

	setup(&f);
	with_service(&r, "a", "a");
	put(&f, &r);
	r = node_request("", "n1", "10.0.0.1");
	with_service(&r, "b", "b")->tags.set = true;
	r.service->meta.set = true;
	put(&f, &r);
	ck_assert(!store_service(f.s, "n1", "a")->tags.set);
	ck_assert(!store_service(f.s, "n1", "a")->meta.set);
	ck_assert(store_service(f.s, "n1", "b")->tags.set);
	ck_assert(store_service(f.s, "n1", "b")->meta.set);
	/* nil is another value than empty. */
	r = node_request("", "n1", "10.0.0.1");
	with_service(&r, "b", "b");
	put(&f, &r);
	ck_assert_uint_eq(store_service(f.s, "n1", "b")->modify_index, 3);
	teardown(&f);
}
END_TEST

START_TEST(check_takes_name_and_tags_from_its_service)
{
	struct register_request r = node_request("", "n1", "10.0.0.1");
	const struct health_check *c;
	struct fixture f;

	setup(&f);
	with_service(&r, "web1", "web");
	strs_add(&r.service->tags, "v1");
	str_set(&with_check(&r, "c1", "web1", "passing")->service_name, "x");
	put(&f, &r);
	ck_assert_ptr_null(f.error);
	c = store_check(f.s, "n1", "c1");
	ck_assert_str_eq(c->service_name, "web");
	ck_assert_uint_eq(c->service_tags.n, 1);
	ck_assert_str_eq(c->service_tags.item[0], "v1");
	teardown(&f);
}
END_TEST

START_TEST(names_compare_without_case)
{
	struct fixture f;

	setup(&f);
	put_node(&f, "", "Node1", "10.0.0.1");
	put_service(&f, "node1", "Web1", "Web");
	ck_assert_uint_eq(store_count_nodes(f.s), 1);
	ck_assert_ptr_nonnull(store_service(f.s, "NODE1", "web1"));
	ck_assert_uint_eq(store_service_index(f.s, "web"), 2);
	teardown(&f);
}
END_TEST

START_TEST(instance_under_a_new_name_leaves_the_old_one)
{
	struct fixture f;

	setup(&f);
	put_node(&f, "", "n1", "10.0.0.1");
	put_service(&f, "n1", "x", "web");
	put_service(&f, "n1", "x", "api");
	ck_assert(named(&f, "web", false));
	ck_assert(named(&f, "api", true));
	ck_assert(changed(&f, WATCH_SERVICE, "web"));
	ck_assert_uint_eq(store_index(f.s)->gone, 3);
	ck_assert_uint_eq(store_count_services(f.s), 1);
	teardown(&f);
}
END_TEST

/* ---- errors ---- */

START_TEST(check_of_an_unknown_service_is_refused_wholly)
{
	struct register_request r = node_request("", "x1", "1.1.1.1");
	struct fixture f;

	setup(&f);
	with_service(&r, "web", "web");
	with_check(&r, "q", "nosuch", "passing");
	put(&f, &r);
	ck_assert_str_eq(f.error, "failed inserting check: Missing service "
	    "registration on node \"x1\"");
	ck_assert_uint_eq(store_count_nodes(f.s), 0);
	ck_assert_uint_eq(f.ch.n, 0);
	teardown(&f);
}
END_TEST

START_TEST(check_of_another_node_is_refused)
{
	struct register_request r = node_request("", "a", "1.1.1.1");
	struct fixture f;

	setup(&f);
	str_set(&with_check(&r, "q", "", "passing")->node, "b");
	put(&f, &r);
	ck_assert_str_eq(f.error,
	    "check node \"b\" does not match node \"a\"");
	teardown(&f);
}
END_TEST

START_TEST(known_id_under_a_new_name_is_a_rename)
{
	struct fixture f;

	setup(&f);
	put_node(&f, ID_A, "old", "10.0.0.1");
	put_service(&f, "old", "web1", "web");
	put_node(&f, ID_A, "new", "10.0.0.1");
	ck_assert_ptr_null(f.error);
	ck_assert_ptr_null(store_node(f.s, "old"));
	ck_assert_uint_eq(store_node(f.s, "new")->create_index, 1);
	ck_assert_uint_eq(store_node(f.s, "new")->modify_index, 3);
	ck_assert_uint_eq(store_count_services(f.s), 0);
	teardown(&f);
}
END_TEST

START_TEST(name_of_a_living_node_is_reserved)
{
	struct fixture f;

	setup(&f);
	put_node(&f, ID_A, "n1", "10.0.0.1");
	put_check(&f, "n1", "serfHealth", "", "passing");
	put_node(&f, ID_B, "n1", "10.0.0.2");
	ck_assert_str_eq(f.error, "failed inserting node: Error while renaming "
	    "Node ID: \"" ID_B "\": Node name n1 is reserved by node " ID_A
	    " with name n1 (10.0.0.1)");
	/* A rename onto it neither. */
	put_node(&f, ID_B, "n2", "10.0.0.2");
	put_node(&f, ID_B, "n1", "10.0.0.2");
	ck_assert_ptr_nonnull(f.error);
	ck_assert_ptr_nonnull(store_node(f.s, "n2"));
	teardown(&f);
}
END_TEST

START_TEST(name_of_a_dead_node_is_free)
{
	struct fixture f;

	setup(&f);
	put_node(&f, ID_A, "n1", "10.0.0.1");
	put_check(&f, "n1", "serfHealth", "", "critical");
	put_node(&f, ID_B, "n1", "10.0.0.2");
	ck_assert_ptr_null(f.error);
	ck_assert_str_eq(store_node(f.s, "n1")->id, ID_B);
	/* The old ID is forgotten: it may come back as another node. */
	put_node(&f, ID_A, "n3", "10.0.0.3");
	ck_assert_ptr_null(f.error);
	ck_assert_uint_eq(store_count_nodes(f.s), 2);
	teardown(&f);
}
END_TEST

START_TEST(node_without_id_may_be_adopted)
{
	struct fixture f;

	setup(&f);
	put_node(&f, "", "n1", "10.0.0.1");
	put_service(&f, "n1", "web1", "web");
	put_node(&f, ID_A, "n1", "10.0.0.1");
	ck_assert_ptr_null(f.error);
	ck_assert_str_eq(store_node(f.s, "n1")->id, ID_A);
	ck_assert_uint_eq(store_count_services(f.s), 1);
	teardown(&f);
}
END_TEST

START_TEST(skip_node_update_leaves_the_row_but_makes_a_missing_one)
{
	struct fixture f;

	setup(&f);
	put_node(&f, ID_A, "n1", "10.0.0.1");
	put_service(&f, "n1", "web1", "web");
	ck_assert_str_eq(store_node(f.s, "n1")->id, ID_A);
	ck_assert_uint_eq(store_node(f.s, "n1")->modify_index, 1);
	put_service(&f, "n2", "web1", "web");
	ck_assert_ptr_nonnull(store_node(f.s, "n2"));
	teardown(&f);
}
END_TEST

START_TEST(malformed_entry_is_an_error_and_no_change)
{
	static const uint8_t bad[] = { ENTRY_REGISTER, 0x81, 0xa4, 'N' };
	static const uint8_t unknown[] = { 99 };
	struct store_answer a;
	struct fixture f;

	setup(&f);
	store_apply(f.s, 1, bad, sizeof(bad), &a, &f.ch);
	ck_assert_ptr_nonnull(a.error);
	free(a.error);
	store_apply(f.s, 2, unknown, sizeof(unknown), &a, &f.ch);
	ck_assert_ptr_nonnull(a.error);
	free(a.error);
	store_apply(f.s, 3, bad, 0, &a, &f.ch);
	ck_assert_ptr_nonnull(a.error);
	free(a.error);
	ck_assert_uint_eq(f.ch.n, 0);
	teardown(&f);
}
END_TEST

/* ---- coordinates, snapshots ---- */

static bool
take_coord(const struct node *n, const char *segment,
    const struct coordinate *c, void *arg)
{
	(void)n;
	(void)segment;
	*(double *)arg = c->height;
	return true;
}

static void
put_coordinate(struct fixture *f, const char *node, const char *segment,
    double height)
{
	struct coordinate_update u;
	struct wbuf w;

	memset(&u, 0, sizeof(u));
	u.node = xstrdup(node);
	u.segment = xstrdup(segment);
	u.coord.height = height;
	wb_init(&w, 0);
	store_entry_coordinates(&w, &u, 1);
	schema_clear(&coordinate_update_schema, &u);
	apply(f, &w);
}

START_TEST(coordinates_keep_the_latest_and_forget_unknown_nodes)
{
	struct fixture f;
	double h = 0;

	setup(&f);
	put_coordinate(&f, "n1", "", 1);
	ck_assert_ptr_null(f.error);
	ck_assert_uint_eq(store_index(f.s)->coordinates, 0);
	put_node(&f, "", "n1", "10.0.0.1");
	put_coordinate(&f, "n1", "", 2);
	put_coordinate(&f, "n1", "", 3);
	store_each_coordinate(f.s, NULL, take_coord, &h);
	ck_assert_double_eq(h, 3);
	ck_assert_uint_eq(store_index(f.s)->coordinates, 4);
	teardown(&f);
}
END_TEST

START_TEST(snapshot_brings_back_rows_and_indexes)
{
	struct fixture f, g;
	struct wbuf a, b;
	const char *why;
	size_t n = 0;

	setup(&f);
	setup(&g);
	put_node(&f, ID_A, "n1", "10.0.0.1");
	put_node(&f, "", "n2", "10.0.0.2");
	put_service(&f, "n1", "web1", "web");
	put_service(&f, "n2", "web2", "web");
	put_service(&f, "n2", "gone", "gone");
	put_check(&f, "n1", "c1", "web1", "passing");
	put_check(&f, "n1", "c1", "web1", "warning");
	put_check(&f, "n2", "serfHealth", "", "critical");
	put_coordinate(&f, "n1", "", 1.5);
	drop(&f, "n2", "gone", "");
	wb_init(&a, 0);
	wb_init(&b, 0);
	store_dump(f.s, &a);
	ck_assert_int_eq(store_restore(g.s, 10, a.p, a.len, &why), 0);
	ck_assert_uint_eq(store_applied(g.s), 10);
	store_dump(g.s, &b);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_mem_eq(a.p, b.p, a.len);
	ck_assert(memcmp(store_index(f.s), store_index(g.s),
	    sizeof(struct store_index)) == 0);
	ck_assert_uint_eq(store_service_index(g.s, "web"),
	    store_service_index(f.s, "web"));
	ck_assert_uint_eq(store_check(g.s, "n1", "c1")->create_index, 6);
	ck_assert_uint_eq(store_check(g.s, "n1", "c1")->modify_index, 7);
	store_each_node(g.s, count_node, &n);
	ck_assert_uint_eq(n, 2);
	wb_free(&a);
	wb_free(&b);
	teardown(&f);
	teardown(&g);
}
END_TEST

/* What a store that was restored writes is what it was restored from. */
static void
restore_from(struct fixture *g, const struct fixture *f)
{
	struct wbuf a, b;
	const char *why;

	wb_init(&a, 0);
	wb_init(&b, 0);
	store_dump(f->s, &a);
	ck_assert_int_eq(store_restore(g->s, f->index, a.p, a.len, &why), 0);
	store_dump(g->s, &b);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_mem_eq(a.p, b.p, a.len);
	wb_free(&a);
	wb_free(&b);
}

static bool
take_name(const char *name, void *arg)
{
	*(const char **)arg = name;
	return true;
}

START_TEST(snapshot_brings_back_the_first_spelling_of_a_name)
{
	struct fixture f, g;
	const char *name = NULL;

	setup(&f);
	setup(&g);
	put_node(&f, "", "n1", "10.0.0.1");
	put_node(&f, "", "n2", "10.0.0.2");
	put_service(&f, "n2", "web2", "Web");
	put_service(&f, "n1", "web1", "web");
	restore_from(&g, &f);
	store_each_name(g.s, take_name, &name);
	ck_assert_str_eq(name, "Web");
	teardown(&f);
	teardown(&g);
}
END_TEST

START_TEST(snapshot_leaves_a_check_the_tags_it_was_written_with)
{
	struct register_request r = node_request("", "n1", "10.0.0.1");
	const struct health_check *c;
	struct fixture f, g;

	setup(&f);
	setup(&g);
	strs_add(&with_service(&r, "web1", "web")->tags, "v1");
	with_check(&r, "c1", "web1", "passing");
	put(&f, &r);
	r = node_request("", "n1", "10.0.0.1");
	strs_add(&with_service(&r, "web1", "api")->tags, "v2");
	put(&f, &r);
	restore_from(&g, &f);
	c = store_check(g.s, "n1", "c1");
	ck_assert_str_eq(c->service_name, "web");
	ck_assert_str_eq(c->service_tags.item[0], "v1");
	/* The check's next registration brings what is new. */
	g.index = f.index;
	put_check(&g, "n1", "c1", "web1", "passing");
	c = store_check(g.s, "n1", "c1");
	ck_assert_str_eq(c->service_name, "api");
	ck_assert_str_eq(c->service_tags.item[0], "v2");
	teardown(&f);
	teardown(&g);
}
END_TEST

START_TEST(snapshot_keeps_the_order_of_segments)
{
	struct fixture f, g;

	setup(&f);
	setup(&g);
	put_node(&f, "", "n1", "10.0.0.1");
	put_coordinate(&f, "n1", "b", 2);
	put_coordinate(&f, "n1", "c", 3);
	put_coordinate(&f, "n1", "a", 1);
	restore_from(&g, &f);
	ck_assert_double_eq(store_coordinate(g.s, "n1", "b")->height, 2);
	teardown(&f);
	teardown(&g);
}
END_TEST

START_TEST(cut_snapshot_is_refused)
{
	struct fixture f, g;
	struct wbuf a;
	const char *why;
	size_t n, ok = 0;

	setup(&f);
	put_node(&f, ID_A, "n1", "10.0.0.1");
	put_service(&f, "n1", "web1", "web");
	wb_init(&a, 0);
	store_dump(f.s, &a);
	for (n = 0; n < a.len; n++) {
		setup(&g);
		/* Only between two records can it go unnoticed here; the
		 * file's own checksum is what catches that. */
		if (store_restore(g.s, 2, a.p, n, &why) == 0)
			ok++;
		teardown(&g);
	}
	ck_assert_uint_lt(ok, 8);
	wb_free(&a);
	teardown(&f);
}
END_TEST

UNIT_MAIN("catalogd_store",
    unchanged_registration_keeps_modify_index,
    change_keeps_create_index,
    service_index_moves_with_its_own_things_only,
    service_without_instances_has_the_index_of_the_last_extinction,
    deregistered_service_wakes_its_watchers_only,
    removing_what_is_absent_changes_nothing,
    removed_node_takes_everything_with_it,
    entry_at_or_below_the_applied_index_is_skipped,
    nil_tags_stay_nil,
    check_takes_name_and_tags_from_its_service,
    names_compare_without_case,
    instance_under_a_new_name_leaves_the_old_one,
    check_of_an_unknown_service_is_refused_wholly,
    check_of_another_node_is_refused,
    known_id_under_a_new_name_is_a_rename,
    name_of_a_living_node_is_reserved,
    name_of_a_dead_node_is_free,
    node_without_id_may_be_adopted,
    skip_node_update_leaves_the_row_but_makes_a_missing_one,
    malformed_entry_is_an_error_and_no_change,
    coordinates_keep_the_latest_and_forget_unknown_nodes,
    snapshot_brings_back_rows_and_indexes,
    snapshot_brings_back_the_first_spelling_of_a_name,
    snapshot_leaves_a_check_the_tags_it_was_written_with,
    snapshot_keeps_the_order_of_segments,
    cut_snapshot_is_refused)

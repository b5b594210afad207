/*
 * Prepared queries: the table, finding one, filling in templates.
 */
#include "tests/unit/catalogd_store_unit.h"

static void
query_op(struct fixture *f, const char *op, struct prepared_query *q)
{
	struct query_request r;
	struct wbuf w;

	memset(&r, 0, sizeof(r));
	r.op = xstrdup(op);
	r.query = *q;
	wb_init(&w, 0);
	store_entry_query(&w, &r);
	schema_clear(&query_request_schema, &r);
	apply(f, &w);
}

static struct prepared_query
of_query(const char *id, const char *name, const char *service)
{
	struct prepared_query q;

	memset(&q, 0, sizeof(q));
	q.id = xstrdup(id);
	q.name = xstrdup(name);
	q.service.service = xstrdup(service);
	return q;
}

static void
query(struct fixture *f, const char *id, const char *name,
    const char *service)
{
	struct prepared_query q = of_query(id, name, service);

	query_op(f, "create", &q);
}

static struct prepared_query
of_template(const char *id, const char *name, const char *regexp,
    const char *service)
{
	struct prepared_query q = of_query(id, name, service);

	q.template.type = xstrdup("name_prefix_match");
	q.template.regexp = xstrdup(regexp);
	return q;
}

/* The service that the name comes to; NULL: nothing. */
static char *
resolved(struct fixture *f, const char *name)
{
	struct prepared_query q;
	char *error = NULL, *service;

	if (store_query_resolve(f->s, name, "seg", &q, &error) != 1) {
		free(error);
		return NULL;
	}
	service = xstrdup(q.service.service);
	schema_clear(&prepared_query_schema, &q);
	return service;
}

static void
ck_resolves(struct fixture *f, const char *name, const char *want)
{
	char *have = resolved(f, name);

	if (want == NULL)
		ck_assert_ptr_null(have);
	else
		ck_assert_pstr_eq(have, want);
	free(have);
}

START_TEST(names_are_one_querys_and_no_id)
{
	struct prepared_query q;
	struct fixture f;

	setup(&f);
	query(&f, S1, "api-q", "api");
	ck_assert(changed(&f, WATCH_QUERIES, ""));
	ck_assert(changed(&f, WATCH_QUERY, S1));
	query(&f, S2, "API-Q", "api");
	ck_assert_str_eq(f.a.error, "name 'API-Q' aliases an existing query "
	    "name");
	query(&f, S2, S1, "api");
	ck_assert_str_eq(f.a.error, "name '" S1 "' aliases an existing query "
	    "ID");
	query(&f, S2, S3, "x");
	ck_assert_ptr_null(f.a.error);
	q = of_query(S3, "bs", "x");
	q.session = xstrdup(S3);
	query_op(&f, "create", &q);
	ck_assert_str_eq(f.a.error, "invalid session \"" S3 "\"");
	q = of_query(S1, "other", "api");
	query_op(&f, "update", &q);
	ck_assert_ptr_null(f.a.error);
	ck_assert_uint_eq(store_query(f.s, S1)->create_index, 1);
	ck_assert_uint_eq(store_query(f.s, S1)->modify_index, f.index);
	ck_resolves(&f, "other", "api");
	ck_resolves(&f, "api-q", NULL);
	ck_resolves(&f, S1, "api");
	q = of_query(S1, NULL, NULL);
	query_op(&f, "delete", &q);
	ck_resolves(&f, "other", NULL);
	q = of_query(S1, NULL, NULL);
	query_op(&f, "explode", &q);
	ck_assert_ptr_nonnull(f.a.error);
	ck_restored(&f);
	teardown(&f);
}
END_TEST

START_TEST(ends_with_its_session)
{
	struct prepared_query q;
	struct fixture f;

	setup(&f);
	put_node(&f, "n1");
	session(&f, S1, "n1", NULL, "release", 0);
	q = of_query(S2, "", "x");
	q.session = xstrdup(S1);
	query_op(&f, "create", &q);
	ck_assert_ptr_null(f.a.error);
	ck_restored(&f);
	destroy(&f, S1);
	ck_assert(changed(&f, WATCH_QUERY, S2));
	ck_assert_ptr_null(store_query(f.s, S2));
	ck_assert_uint_eq(store_index(f.s)->queries, f.index);
	teardown(&f);
}
END_TEST

START_TEST(longest_template_wins_behind_whole_names)
{
	struct prepared_query q;
	struct fixture f;

	setup(&f);
	q = of_template(S1, "geo-", "^geo-(.*?)$", "${match(1)}");
	query_op(&f, "create", &q);
	q = of_template(S2, "geo-db-", "", "db of ${name.suffix}");
	query_op(&f, "create", &q);
	query(&f, S3, "geo-db-master", "master");
	ck_resolves(&f, "geo-api", "api");
	ck_resolves(&f, "GEO-api", "");		/* the expression is strict */
	ck_resolves(&f, "geo-db-x", "db of x");
	ck_resolves(&f, "geo-db-master", "master");
	ck_resolves(&f, "geo-db-master2", "db of master2");
	ck_resolves(&f, "ge", NULL);
	ck_resolves(&f, "", NULL);
	ck_restored(&f);
	q = of_template("44444444-4444-4444-8444-444444444444", "", "",
	    "${name.full}|${name.prefix}|${agent.segment}|$${x}");
	query_op(&f, "create", &q);
	ck_resolves(&f, "ge", "ge||seg|${x}");
	q = of_template("55555555-5555-4555-8555-555555555555", "", "", "x");
	query_op(&f, "create", &q);
	ck_assert_ptr_nonnull(f.a.error);
	teardown(&f);
}
END_TEST

static const struct { const char *text, *want; } formats[] = {
	{ "plain", "plain" },
	{ "$", "$" },
	{ "${ name.full }!", "geo-a-b!" },
	{ "${match(0)}-${ match( 2 ) }", "geo-a-b-b" },
	{ "${match(9)}", "" },
	{ "${nosuch}", NULL },
	{ "${name.full", NULL },
	{ "${match(-1)}", NULL },
	{ "${match(1}", NULL },
	{ "${}", NULL },
	{ "a$${b}", "a${b}" },
};

START_TEST(fills_in_what_it_knows)
{
	struct prepared_query q;
	struct fixture f;
	size_t i;

	setup(&f);
	for (i = 0; i < NELEM(formats); i++) {
		q = of_template(S1, "geo-", "^geo-([^-]*)-?(.*)$",
		    formats[i].text);
		query_op(&f, "create", &q);
		ck_resolves(&f, "geo-a-b", formats[i].want);
	}
	q = of_template(S1, "geo-", "", "x");
	q.template.remove_empty_tags = true;
	strs_add(&q.service.tags, "${match(1)}");
	strs_add(&q.service.tags, "${name.suffix}");
	strmap_put(&q.service.node_meta, "k", "${name.prefix}");
	query_op(&f, "update", &q);
	ck_assert_int_eq(store_query_resolve(f.s, "geo-z", "", &q, NULL), 1);
	ck_assert_uint_eq(q.service.tags.n, 1);
	ck_assert_str_eq(q.service.tags.item[0], "z");
	ck_assert_str_eq(strmap_get(&q.service.node_meta, "k"), "geo-");
	schema_clear(&prepared_query_schema, &q);
	teardown(&f);
}
END_TEST

UNIT_MAIN("catalogd_prepared", names_are_one_querys_and_no_id,
    ends_with_its_session, longest_template_wins_behind_whole_names,
    fills_in_what_it_knows)

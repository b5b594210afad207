/*
 * Snapshots of real servers: what they hold is found in the store, and written
 * again it is the same, byte for byte but for the order of maps, which a real
 * server draws anew for each record.
 */
#include <zlib.h>

#include "tests/unit/catalogd_store_unit.h"

#define DIR "tests/vectors/snapshot/"
#define ARCHIVE_MAX (1 << 20)
#define BLOCK 512

/* state.bin of an archive. */
static uint8_t *
load_state(const char *name, size_t *len)
{
	char *path;
	uint8_t *all, *p, *state = NULL;
	gzFile gz;
	int n;

	xasprintf(&path, DIR "%s.snap", name);
	gz = gzopen(path, "rb");
	ck_assert_msg(gz != NULL, "%s", path);
	free(path);
	all = xmalloc(ARCHIVE_MAX);
	n = gzread(gz, all, ARCHIVE_MAX);
	gzclose(gz);
	for (p = all; p + BLOCK <= all + n && *p != '\0';) {
		*len = strtoul((char *)p + 124, NULL, 8);
		if (strcmp((char *)p, "state.bin") == 0) {
			state = xmalloc(*len);
			memcpy(state, p + BLOCK, *len);
			break;
		}
		p += BLOCK + (*len + BLOCK - 1) / BLOCK * BLOCK;
	}
	free(all);
	ck_assert_ptr_nonnull(state);
	return state;
}

struct pair { const uint8_t *p; size_t key, n; };

static int
pair_cmp(const void *pa, const void *pb)
{
	const struct pair *a = pa, *b = pb;
	size_t n = a->key < b->key ? a->key : b->key;
	int c;

	c = memcmp(a->p, b->p, n);
	return c != 0 ? c : (a->key > b->key) - (a->key < b->key);
}

/* One value with all its maps in order of their keys. */
static void
in_order(struct rbuf *r, struct wbuf *w)
{
	const uint8_t *from = r->p;
	struct pair *pairs;
	struct rbuf value;
	size_t i, n;

	switch (mp_peek(r)) {
	case MP_ARRAY:
		n = mp_get_array(r);
		mp_array(w, n);
		for (i = 0; i < n; i++)
			in_order(r, w);
		break;
	case MP_MAP:
		n = mp_get_map(r);
		mp_map(w, n);
		pairs = xcalloc(n + 1, sizeof(*pairs));
		for (i = 0; i < n; i++) {
			pairs[i].p = r->p;
			mp_skip(r);
			pairs[i].key = (size_t)(r->p - pairs[i].p);
			mp_skip(r);
			pairs[i].n = (size_t)(r->p - pairs[i].p);
		}
		qsort(pairs, n, sizeof(*pairs), pair_cmp);
		for (i = 0; i < n; i++) {
			wb_bytes(w, pairs[i].p, pairs[i].key);
			rb_init(&value, pairs[i].p + pairs[i].key,
			    pairs[i].n - pairs[i].key);
			in_order(&value, w);
		}
		free(pairs);
		break;
	default:
		mp_skip(r);
		wb_bytes(w, from, (size_t)(r->p - from));
		break;
	}
}

static void
all_in_order(const uint8_t *p, size_t len, struct wbuf *w)
{
	struct rbuf r;

	wb_init(w, 0);
	rb_init(&r, p, len);
	in_order(&r, w);
	while (r.n > 0) {
		wb_u8(w, rb_u8(&r));
		in_order(&r, w);
	}
	ck_assert(rb_ok(&r));
}

static struct store *
restored(const char *name, uint8_t **state, size_t *len)
{
	const char *why = "";
	struct store *s;

	*state = load_state(name, len);
	s = store_new();
	ck_assert_msg(store_restore(s, 5000, *state, *len, &why) == 0, "%s",
	    why);
	return s;
}

START_TEST(reads_and_writes_real_archives)
{
	static const char *const names[] = { "empty", "basic", "acl" };
	uint8_t *state, type;
	struct store *s;
	struct wbuf w, want, have;
	size_t i, len;

	for (i = 0; i < NELEM(names); i++) {
		s = restored(names[i], &state, &len);
		wb_init(&w, 0);
		store_dump(s, &w);
		all_in_order(state, len, &want);
		all_in_order(w.p, w.len, &have);
		ck_assert_uint_eq(want.len, len);
		ck_assert_msg(w.len == len && memcmp(have.p, want.p, len) == 0,
		    "%s", names[i]);
		ck_assert_uint_eq(store_unknown_records(s, &type), 0);
		wb_free(&w);
		wb_free(&want);
		wb_free(&have);
		free(state);
		store_free(s);
	}
}
END_TEST

START_TEST(knows_what_is_in_them)
{
	const struct prepared_query *q;
	uint8_t *state;
	struct fixture f;
	size_t len;

	setup(&f);
	store_free(f.s);
	f.s = restored("basic", &state, &len);
	f.index = 5000;
	free(state);
	ck_assert_uint_eq(store_count_nodes(f.s), 4);
	ck_assert_uint_eq(store_count_keys(f.s), 8);
	ck_assert_uint_eq(store_key(f.s, "a/flags")->flags, UINT64_MAX);
	ck_assert_str_eq(store_key(f.s, "lock/one")->session,
	    "99daac0e-530c-18c6-2394-2d3599850b5f");
	ck_assert_uint_eq(store_prefix_index(f.s, "gone/"), 28);
	ck_assert_uint_eq(store_service_index(f.s, "web"), 17);
	ck_assert_uint_eq(store_index(f.s)->sessions, 30);
	q = store_query(f.s, "31193c3f-e209-eb1f-7f30-836482621d89");
	ck_assert_ptr_nonnull(q);
	ck_assert_str_eq(q->name, "q-web");
	ck_assert_uint_eq(store_autopilot(f.s)->max_trailing_logs, 250);
	/* Sessions hold keys and queries again. */
	drop(&f, "srv-b", NULL, NULL);
	ck_assert_ptr_null(store_key(f.s, "lock/one"));
	ck_assert_ptr_null(store_query(f.s,
	    "31193c3f-e209-eb1f-7f30-836482621d89"));
	ck_restored(&f);
	teardown(&f);
}
END_TEST

START_TEST(takes_minimal_records_and_unknown_keys)
{
	uint8_t *state;
	struct fixture f;
	const struct node_service *s;
	size_t len;

	setup(&f);
	store_free(f.s);
	f.s = restored("made", &state, &len);
	f.index = 5000;
	free(state);
	s = store_service(f.s, "made-2", "min");
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(s->weights->passing, 1);
	ck_assert_uint_eq(store_node(f.s, "made-2")->modify_index, 4010);
	ck_assert_uint_eq(store_key(f.s, "m/lock")->lock_index, 2);
	ck_assert_uint_eq(store_prefix_index(f.s, "m/"), 4050);
	ck_restored(&f);
	teardown(&f);
}
END_TEST

/* ---- what does not fit ---- */

static void
header(struct wbuf *w)
{
	wb_init(w, 0);
	mp_map(w, 1);
	mp_str(w, "LastIndex");
	mp_uint(w, 9);
}

static void
ck_refused(struct wbuf *w, const char *want)
{
	struct store *s = store_new();
	const char *why = "accepted";

	ck_assert_int_eq(store_restore(s, 9, w->p, w->len, &why), -1);
	ck_assert_str_eq(why, want);
	store_free(s);
	wb_free(w);
}

START_TEST(refuses_in_the_words_of_consul)
{
	struct register_request r;
	struct dir_entry e;
	struct session x;
	struct wbuf w;

	memset(&e, 0, sizeof(e));
	header(&w);
	wb_u8(&w, 2);
	schema_encode(&dir_entry_schema, &e, &w);
	ck_refused(&w, "failed inserting kvs entry: "
	    "object missing primary index");

	memset(&x, 0, sizeof(x));
	header(&w);
	wb_u8(&w, 3);
	schema_encode(&session_schema, &x, &w);
	ck_refused(&w, "failed inserting session: failed to build primary "
	    "index: UUID must be 36 characters");

	r = of_node("n");
	r.check = xcalloc(1, sizeof(*r.check));
	r.check->node = xstrdup("other");
	header(&w);
	wb_u8(&w, 0);
	schema_encode(&register_request_schema, &r, &w);
	ck_refused(&w, "check node \"other\" does not match node \"n\"");
	str_set(&r.check->node, "n");
	r.check->service_id = xstrdup("s");
	header(&w);
	wb_u8(&w, 0);
	schema_encode(&register_request_schema, &r, &w);
	schema_clear(&register_request_schema, &r);
	ck_refused(&w, "failed inserting check: Missing service registration "
	    "on node \"n\"");
}
END_TEST

START_TEST(leaves_out_unknown_types_and_reads_old_ones)
{
	struct store *s = store_new();
	const char *why = "";
	struct wbuf w, out;
	uint8_t type;

	header(&w);
	wb_u8(&w, 31);
	mp_map(&w, 1);
	mp_str(&w, "Key");
	mp_str(&w, "x");
	wb_u8(&w, 11);		/* bootstrap of old rights */
	mp_map(&w, 1);
	mp_str(&w, "ModifyIndex");
	mp_uint(&w, 5);
	wb_u8(&w, 4);
	mp_map(&w, 1);
	mp_str(&w, "ID");
	mp_str(&w, "secret");
	ck_assert_msg(store_restore(s, 9, w.p, w.len, &why) == 0, "%s", why);
	ck_assert_uint_eq(store_unknown_records(s, &type), 1);
	ck_assert_uint_eq(type, 31);
	wb_init(&out, 0);
	store_dump(s, &out);
	ck_assert_ptr_nonnull(memmem(out.p, out.len, "acl-token-bootstrap",
	    19));
	ck_assert_ptr_nonnull(memmem(out.p, out.len, "SecretID\xa6secret",
	    15));
	wb_free(&w);
	wb_free(&out);
	store_free(s);
}
END_TEST

/* ---- rows in an order that no server writes ---- */

static void
put_row(struct wbuf *w, struct register_request *r)
{
	r->create_index = 3;
	wb_u8(w, 0);
	schema_encode(&register_request_schema, r, w);
	schema_clear(&register_request_schema, r);
}

static void
put_service_row(struct wbuf *w, const char *id, uint64_t port, uint64_t index)
{
	struct register_request r = of_node("n");

	r.service = xcalloc(1, sizeof(*r.service));
	r.service->id = xstrdup(id);
	r.service->service = xstrdup(id);
	r.service->port = port;
	r.service->create_index = 3;
	r.service->modify_index = index;
	put_row(w, &r);
}

static void
put_check_row(struct wbuf *w, const char *id, const char *service,
    uint64_t index)
{
	struct register_request r = of_node("n");

	r.check = xcalloc(1, sizeof(*r.check));
	r.check->node = xstrdup("n");
	r.check->check_id = xstrdup(id);
	r.check->service_id = xstrdup(service);
	r.check->create_index = 3;
	r.check->modify_index = index;
	put_row(w, &r);
}

static void
ck_same_again(struct wbuf *w)
{
	struct store *a = store_new(), *b = store_new();
	const char *why = "";
	struct wbuf da, db;

	wb_init(&da, 0);
	wb_init(&db, 0);
	ck_assert_msg(store_restore(a, 9, w->p, w->len, &why) == 0, "%s", why);
	store_dump(a, &da);
	ck_assert_msg(store_restore(b, 9, da.p, da.len, &why) == 0, "%s", why);
	store_dump(b, &db);
	ck_assert_uint_eq(da.len, db.len);
	ck_assert_mem_eq(da.p, db.p, da.len);
	store_free(a);
	store_free(b);
	wb_free(&da);
	wb_free(&db);
	wb_free(w);
}

START_TEST(a_service_is_not_older_than_its_checks)
{
	struct wbuf w;

	/* The service again, and without an index. */
	header(&w);
	put_service_row(&w, "s", 80, 8);
	put_check_row(&w, "c", "s", 8);
	put_service_row(&w, "s", 81, 0);
	ck_same_again(&w);
}
END_TEST

START_TEST(tables_are_not_older_than_their_rows)
{
	struct wbuf w;

	/* No other index says anything, nor does the last to come. */
	wb_init(&w, 0);
	mp_map(&w, 0);
	put_service_row(&w, "b", 80, 12);
	put_service_row(&w, "a", 80, 0);
	ck_same_again(&w);
}
END_TEST

UNIT_MAIN("catalogd_snapshot", reads_and_writes_real_archives,
    knows_what_is_in_them, takes_minimal_records_and_unknown_keys,
    refuses_in_the_words_of_consul,
    leaves_out_unknown_types_and_reads_old_ones,
    a_service_is_not_older_than_its_checks,
    tables_are_not_older_than_their_rows)

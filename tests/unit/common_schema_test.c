/*
 * Structs in msgpack, and what is done to them by their tables.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mp.h"
#include "common/schema/agent.h"
#include "common/schema/conf.h"
#include "common/schema/msg.h"
#include "common/schema/walk.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

/* One field of every kind. */
#define EVERY(F, T)							\
	F(T, STR, , str, "str", 0, NULL)				\
	F(T, BOOL, , truth, "bool", 0, NULL)				\
	F(T, INT, , i, "int", 0, NULL)					\
	F(T, UINT, , u, "uint", 0, NULL)				\
	F(T, DOUBLE, , d, "double", 0, NULL)				\
	F(T, DUR, , dur, "dur", 0, NULL)				\
	F(T, BYTES, , bytes, "bytes", 0, NULL)				\
	F(T, TIME, , time, "time", 0, NULL)				\
	F(T, ANY, , any, "any", 0, NULL)				\
	F(T, STRS, , strs, "strs", 0, NULL)				\
	F(T, DOUBLES, , doubles, "doubles", 0, NULL)			\
	F(T, STRMAP, , strmap, "strmap", 0, NULL)			\
	F(T, STRSMAP, , strsmap, "strsmap", 0, NULL)			\
	F(T, INTMAP, , intmap, "intmap", 0, NULL)			\
	F(T, STRUCT, service_address, one, "struct", 0, NULL)		\
	F(T, PTR, service_address, ptr, "ptr", 0, NULL)			\
	F(T, LIST, service_address, list, "list", 0, NULL)		\
	F(T, MAP, service_address, map, "map", 0, NULL)			\
	F(T, STR, , opt, "opt", S_OPT, NULL)				\
	F(T, STR, , local, "local", S_NOWIRE, NULL)
SCHEMA_DECLARE(every, EVERY)
SCHEMA_DEFINE(every, EVERY)

static void
fill(struct every *e)
{
	struct strs_pair	*sp;
	struct int_pair		*ip;
	struct service_address	*a;
	struct service_address_pair *ap;

	memset(e, 0, sizeof(*e));
	e->str = xstrdup("text");
	e->truth = true;
	e->i = -5;
	e->u = UINT64_MAX;
	e->d = 0.25;
	e->dur = NS_PER_S;
	bytes_set(&e->bytes, "\0\xff", 2);
	e->time = (struct gotime){ 63930938766, 23544199, 60 };
	bytes_set(&e->any, "\x81\xa1k\x92\x01\xc0", 6);
	strs_add(&e->strs, "a");
	strs_add(&e->strs, "");
	*(double *)VEC_ADD(&e->doubles) = 1.5;
	strmap_put(&e->strmap, "z", "1");
	strmap_put(&e->strmap, "a", "");
	sp = VEC_ADD(&e->strsmap);
	sp->key = xstrdup("k");
	strs_add(&sp->val, "v");
	ip = VEC_ADD(&e->intmap);
	ip->key = xstrdup("n");
	ip->val = -1;
	e->one.port = 1;
	e->ptr = xcalloc(1, sizeof(*e->ptr));
	e->ptr->address = xstrdup("10.0.0.1");
	a = VEC_ADD(&e->list);
	a->port = 2;
	a = VEC_ADD(&e->list);
	a->port = 3;
	ap = VEC_ADD(&e->map);
	ap->key = xstrdup("lan");
	ap->val.port = 4;
	e->opt = xstrdup("given");
}

static void
again(const struct every *e, struct every *back)
{
	struct wbuf	 w;
	const char	*err = "";

	wb_init(&w, 0);
	schema_encode(&every_schema, e, &w);
	ck_assert_msg(schema_decode_all(&every_schema, w.p, w.len, back,
	    &err) == 0, "%s", err);
	wb_free(&w);
}

static void
from_hex(struct rbuf *r, const char *hex, uint8_t *buf)
{
	ck_assert_int_eq(hex_decode(hex, strlen(hex), buf), 0);
	rb_init(r, buf, strlen(hex) / 2);
}

START_TEST(every_kind_survives_the_wire)
{
	struct every	 e, back;

	fill(&e);
	e.local = xstrdup("stays here");
	again(&e, &back);
	ck_assert_ptr_null(back.local);
	ck_assert(!schema_equal(&every_schema, &e, &back));
	str_set(&e.local, NULL);
	ck_assert(schema_equal(&every_schema, &e, &back));
	ck_assert_int_eq(back.time.zone_min, 60);
	ck_assert_str_eq(back.strmap.item[0].key, "z");
	ck_assert_str_eq(back.strs.item[1], "");
	schema_clear(&every_schema, &back);
	schema_clear(&every_schema, &e);
}
END_TEST

START_TEST(nil_and_empty_stay_apart)
{
	struct every	 nil, empty, back;

	memset(&nil, 0, sizeof(nil));
	memset(&empty, 0, sizeof(empty));
	empty.bytes.set = empty.strs.set = empty.doubles.set = true;
	empty.strmap.set = empty.strsmap.set = empty.intmap.set = true;
	empty.list.set = empty.map.set = true;
	empty.ptr = xcalloc(1, sizeof(*empty.ptr));
	again(&nil, &back);
	ck_assert(schema_equal(&every_schema, &nil, &back));
	ck_assert(!back.strs.set && !back.map.set && back.ptr == NULL);
	schema_clear(&every_schema, &back);
	again(&empty, &back);
	ck_assert(schema_equal(&every_schema, &empty, &back));
	ck_assert(back.strs.set && back.bytes.set && back.list.set);
	ck_assert(back.ptr != NULL);
	ck_assert(!schema_equal(&every_schema, &nil, &back));
	schema_clear(&every_schema, &back);
	schema_clear(&every_schema, &empty);
}
END_TEST

START_TEST(keys_are_written_in_byte_order)
{
	struct service_address	 a = { 0 };
	struct service_weights	 w = { 1, 2 };
	struct msg_answer	 m = { 0 };
	struct empty		 none = { 0 };
	struct wbuf		 b;

	wb_init(&b, 0);
	schema_encode(&service_address_schema, &a, &b);
	ck_assert_uint_eq(b.len, 16);
	ck_assert_mem_eq(b.p, "\x82\xa7" "Address\xa0\xa4Port\x00", 16);
	wb_reset(&b);
	schema_encode(&service_weights_schema, &w, &b);
	ck_assert_mem_eq(b.p, "\x82\xa7Passing\x01\xa7Warning\x02", b.len);
	wb_reset(&b);
	schema_encode(&msg_answer_schema, &m, &b);	/* error is S_OPT */
	ck_assert_mem_eq(b.p, "\x81\xa6status\x00", b.len);
	wb_reset(&b);
	schema_encode(&empty_schema, &none, &b);
	ck_assert_uint_eq(b.len, 1);
	ck_assert_uint_eq(b.p[0], 0x80);
	wb_free(&b);
}
END_TEST

START_TEST(any_order_unknown_keys_and_nil_are_fine)
{
	struct service_address	 a;
	struct rbuf		 r;
	uint8_t			 buf[64];

	/* {Port: 80, x: [1, {}], Address: "a" (str8)} */
	from_hex(&r, "83" "a4506f7274" "50" "a178" "920180"
	    "a741646472657373" "d90161", buf);
	ck_assert_int_eq(schema_decode(&service_address_schema, &r, &a), 0);
	ck_assert_str_eq(a.address, "a");
	ck_assert_int_eq(a.port, 80);
	schema_clear(&service_address_schema, &a);
	/* {Port: nil, port: 7}, then nil for the struct */
	from_hex(&r, "82" "a4506f7274" "c0" "a4706f7274" "07" "c0", buf);
	ck_assert_int_eq(schema_decode(&service_address_schema, &r, &a), 0);
	ck_assert_int_eq(a.port, 0);
	ck_assert_int_eq(schema_decode(&service_address_schema, &r, &a), 0);
	ck_assert(rb_done(&r));
}
END_TEST

START_TEST(a_key_that_comes_twice_leaks_nothing)
{
	struct service_address	 a;
	struct rbuf		 r;
	uint8_t			 buf[64];

	from_hex(&r, "82" "a741646472657373" "a161" "a741646472657373" "a162",
	    buf);
	ck_assert_int_eq(schema_decode(&service_address_schema, &r, &a), 0);
	ck_assert_str_eq(a.address, "b");
	schema_clear(&service_address_schema, &a);
}
END_TEST

START_TEST(map_keys_are_unique_after_decoding)
{
	struct every	 e;
	struct rbuf	 r;
	uint8_t		 buf[64];

	/* strmap: {b: 1, a: 2, b: 3} */
	from_hex(&r, "81" "a67374726d6170" "83" "a162a131" "a161a132"
	    "a162a133", buf);
	ck_assert_int_eq(schema_decode(&every_schema, &r, &e), 0);
	ck_assert_uint_eq(e.strmap.n, 2);
	ck_assert_str_eq(strmap_get(&e.strmap, "b"), "3");
	ck_assert_str_eq(strmap_get(&e.strmap, "a"), "2");
	schema_clear(&every_schema, &e);
}
END_TEST

START_TEST(bad_input_is_refused_and_leaves_nothing)
{
	static const struct { const char *hex, *err; bool more; } t[] = {
		{ "", "short", true },
		{ "82a4506f727450", "short", true },
		{ "81a4506f7274a161", "not an integer", false },
		{ "81a7416464726573737f", "not a string", false },
		{ "9101", "not a map", false },
		{ "810102", "not a string", false }
	};
	struct service_address	 a;
	struct rbuf		 r;
	uint8_t			 buf[64];
	const char		*err;
	size_t			 i;

	for (i = 0; i < NELEM(t); i++) {
		from_hex(&r, t[i].hex, buf);
		ck_assert_int_eq(schema_decode(&service_address_schema, &r,
		    &a), -1);
		ck_assert_str_eq(r.err, t[i].err);
		ck_assert(r.more == t[i].more);
		ck_assert(a.address == NULL && a.port == 0);
	}
	ck_assert_int_eq(schema_decode_all(&service_address_schema,
	    "\x80\x00", 2, &a, &err), -1);
	ck_assert_str_eq(err, "bytes left over");
}
END_TEST

START_TEST(a_list_asks_for_no_more_memory_than_its_bytes_account_for)
{
	struct indexed_check_service_nodes	 l;
	size_t					 n = 1 << 20;
	struct wbuf				 w;
	struct rbuf				 r;

	wb_init(&w, 0);
	mp_map(&w, 1);
	mp_str(&w, "Nodes");
	mp_array(&w, n);
	memset(wb_reserve(&w, n), 0x80, n);
	rb_init(&r, w.p, w.len);
	ck_assert_int_eq(schema_decode(&indexed_check_service_nodes_schema,
	    &r, &l), -1);
	ck_assert_str_eq(r.err, "more elements than bytes account for");
	wb_free(&w);
}
END_TEST

START_TEST(a_value_of_any_type_nests_only_so_deep)
{
	struct every	 e;
	uint8_t		 deep[64] = "\x81\xa3" "any";
	size_t		 n;

	for (n = ANY_DEPTH_MAX; n <= ANY_DEPTH_MAX + 1; n++) {
		memset(deep + 5, 0x91, n);
		deep[5 + n] = 0xc0;
		ck_assert_int_eq(schema_decode_all(&every_schema, deep, n + 6,
		    &e, NULL), n == ANY_DEPTH_MAX ? 0 : -1);
		schema_clear(&every_schema, &e);
	}
}
END_TEST

START_TEST(a_nul_in_text_makes_no_other_name)
{
	struct service_address	 a;
	struct rbuf		 r;
	uint8_t			 buf[64];

	from_hex(&r, "81" "a741646472657373" "a3610062", buf);
	ck_assert_int_eq(schema_decode(&service_address_schema, &r, &a), 0);
	ck_assert_str_eq(a.address, "a?b");
	schema_clear(&service_address_schema, &a);
}
END_TEST

START_TEST(times_are_as_go_marshals_them)
{
	static const struct { const char *hex, *text; } t[] = {
		{ "af010000000000000000" "00000000" "ffff",
		    "0001-01-01T00:00:00Z" },
		{ "af01" "0000000ee294b58e" "01674187" "0000",
		    "2026-11-22T10:06:06.023544199Z" },
		{ "af01" "0000000ee294b58e" "1dcd6500" "ffa6",
		    "2026-11-22T08:36:06.5-01:30" }
	};
	struct every	 e, back;
	struct wbuf	 w;
	uint8_t		 buf[32];
	struct rbuf	 r;
	char		 text[64];
	size_t		 i;

	wb_init(&w, 0);
	for (i = 0; i < NELEM(t); i++) {
		wb_reset(&w);
		mp_map(&w, 1);
		mp_str(&w, "time");
		from_hex(&r, t[i].hex, buf);
		wb_bytes(&w, r.p, r.n);
		ck_assert_int_eq(schema_decode_all(&every_schema, w.p, w.len,
		    &e, NULL), 0);
		time_text(&e.time, text, sizeof(text));
		ck_assert_str_eq(text, t[i].text);
		ck_assert_int_eq(time_parse(text, &back.time), 0);
		ck_assert(back.time.sec == e.time.sec &&
		    back.time.nsec == e.time.nsec);
		wb_reset(&w);
		schema_encode(&every_schema, &e, &w);
		ck_assert_ptr_nonnull(memmem(w.p, w.len, buf,
		    strlen(t[i].hex) / 2));
	}
	ck_assert_int_eq(time_parse("2026-11-22", &e.time), -1);
	ck_assert_int_eq(time_parse("2026-11-22T10:00:00", &e.time), -1);
	ck_assert_int_eq(time_parse("2026-11-22T10:00:00+1:00", &e.time), -1);
	wb_free(&w);
}
END_TEST

START_TEST(a_copy_is_equal_and_its_own)
{
	struct every	 e, copy;

	fill(&e);
	schema_copy(&every_schema, &copy, &e);
	ck_assert(schema_equal(&every_schema, &e, &copy));
	copy.strs.item[0][0] = 'b';
	ck_assert(!schema_equal(&every_schema, &e, &copy));
	copy.strs.item[0][0] = 'a';
	copy.map.item[0].val.port++;
	ck_assert(!schema_equal(&every_schema, &e, &copy));
	schema_clear(&every_schema, &e);
	ck_assert_ptr_null(e.str);
	ck_assert_uint_eq(e.list.n, 0);
	ck_assert_str_eq(copy.str, "text");
	schema_clear(&every_schema, &copy);
}
END_TEST

START_TEST(maps_compare_whatever_their_order)
{
	struct strmap	 a = { 0 }, b = { 0 }, nil = { 0 }, empty = { 0 };

	empty.set = true;
	strmap_put(&a, "x", "1");
	strmap_put(&a, "y", "2");
	strmap_put(&b, "y", "2");
	strmap_put(&b, "x", "0");
	ck_assert(!strmap_equal(&a, &b));
	strmap_put(&b, "x", "1");
	ck_assert_uint_eq(b.n, 2);
	ck_assert(strmap_equal(&a, &b));
	ck_assert(!strmap_equal(&nil, &empty));
	ck_assert_ptr_null(strmap_get(&a, "z"));
	strmap_clear(&a);
	ck_assert(!a.set);
	strmap_copy(&a, &b);
	ck_assert(strmap_equal(&a, &b));
	strmap_clear(&a);
	strmap_clear(&b);
}
END_TEST

START_TEST(vectors_grow_wherever_they_came_from)
{
	struct strs	 l = { 0 }, copy;
	char		 num[16];
	int		 i;

	strs_add(&l, "a");
	strs_add(&l, "b");
	strs_add(&l, "c");
	strs_copy(&copy, &l);
	for (i = 0; i < 1000; i++) {
		snprintf(num, sizeof(num), "%d", i);
		strs_add(&copy, num);
	}
	ck_assert_uint_eq(copy.n, 1003);
	ck_assert(strs_has(&copy, "999") && strs_has(&copy, "c"));
	ck_assert(!strs_has(&l, "0"));
	strs_clear(&l);
	strs_clear(&copy);
	ck_assert(!copy.set && copy.n == 0);
}
END_TEST

UNIT_MAIN("common_schema",
    every_kind_survives_the_wire,
    nil_and_empty_stay_apart,
    keys_are_written_in_byte_order,
    any_order_unknown_keys_and_nil_are_fine,
    a_key_that_comes_twice_leaks_nothing,
    map_keys_are_unique_after_decoding,
    bad_input_is_refused_and_leaves_nothing,
    a_list_asks_for_no_more_memory_than_its_bytes_account_for,
    a_value_of_any_type_nests_only_so_deep,
    a_nul_in_text_makes_no_other_name,
    times_are_as_go_marshals_them,
    a_copy_is_equal_and_its_own,
    maps_compare_whatever_their_order,
    vectors_grow_wherever_they_came_from)

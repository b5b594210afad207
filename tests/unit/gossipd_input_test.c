/*
 * What a member makes of messages that are odd, forged, or from who is none.
 */
#include "tests/unit/gossipd_mesh.h"
#include "tests/unit/common_unit.h"

static struct mesh m;

START_TEST(short_or_impossible_versions_are_refused)
{
	struct ml_alive	a = {
		.addr = span_of("\x0a\0\0\x63", 4), .inc = 1, .port = 8301,
		.node = span_str("bad"), .meta = span_of("\xff\x80", 2)
	};

	mesh_cluster(&m, 1);
	a.vsn = span_of("\1\5\2\2\5", 5);
	mesh_inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	a.vsn = span_of("\1\5\2\2\0\0", 6);
	mesh_inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	a.vsn = span_of("\0\5\2\2\5\4", 6);
	mesh_inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	a.vsn = span_of("\5\1\2\2\5\4", 6);
	mesh_inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(swim_count(serf_swim(m.node[0].serf)), 1);
	a.vsn = span_of("\1\5\2\2\5\4", 6);
	mesh_inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(swim_count(serf_swim(m.node[0].serf)), 2);
	mesh_free(&m);
}
END_TEST

static size_t
last_sent(const struct gaddr *to)
{
	struct pkt	*k = TAILQ_LAST(&m.pkts, pkts);

	ck_assert(gaddr_equal(&k->to, to));
	return k->n;
}

static unsigned
count_sent(const struct gaddr *to)
{
	struct pkt	*k;
	unsigned	 n = 0;

	TAILQ_FOREACH(k, &m.pkts, link)
		n += gaddr_equal(&k->to, to);
	return n;
}

START_TEST(strangers_get_answers_where_they_are_and_without_our_news)
{
	struct peer	 outside = { .addr = { .len = 4,
			    .ip = { 198, 51, 100, 7 }, .port = 4000 } };
	struct gaddr	 victim = { .len = 4, .ip = { 192, 0, 2, 1 },
			    .port = 53 };
	struct ml_ping	 p = {
		.node = span_str("n0"), .seq = 9,
		.src_addr = span_of("\xc0\0\2\1", 4), .src_port = 53,
		.src_node = span_str("n1")
	};
	static uint8_t	 news[900];
	int		 i;

	mesh_cluster(&m, 2);
	swim_broadcast(serf_swim(m.node[0].serf), BC_EVENT, false, news,
	    sizeof(news));
	m.node[0].layers.compress = false;
	mesh_inject(&m.node[0], &outside, ML_PING, &ml_ping_body, &p);
	ck_assert_uint_eq(count_sent(&victim), 0);
	/* No coordinate either: less comes back than was sent. */
	ck_assert_uint_lt(last_sent(&outside.addr), 30);
	/* Another port of the same host is its own affair. */
	p.src_addr = gaddr_ip(&outside.addr);
	p.src_port = 4001;
	outside.addr.port = 4001;
	mesh_inject(&m.node[0], &outside, ML_PING, &ml_ping_body, &p);
	ck_assert_uint_eq(count_sent(&outside.addr), 1);
	/* A member does get all. */
	p.src_addr = gaddr_ip(&m.node[1].addr);
	p.src_port = m.node[1].addr.port;
	mesh_inject(&m.node[0], &outside, ML_PING, &ml_ping_body, &p);
	ck_assert_uint_gt(last_sent(&m.node[1].addr), 900);
	/* And strangers not as often as they like. */
	mesh_run(&m, 1000);
	p.src_node = span_str("");
	p.src_addr = span_of(NULL, 0);
	for (i = 0; i < 1000; i++)
		mesh_inject(&m.node[0], &outside, ML_PING, &ml_ping_body, &p);
	ck_assert_uint_eq(count_sent(&outside.addr), 100);
	mesh_free(&m);
}
END_TEST

START_TEST(nobody_has_a_stranger_pinged)
{
	struct peer	 outside = { .addr = { .len = 4,
			    .ip = { 198, 51, 100, 7 }, .port = 4000 } };
	struct gaddr	 victim = { .len = 4, .ip = { 192, 0, 2, 1 },
			    .port = 53 };
	struct ml_indirect i = {
		.node = span_str("n1"), .target = span_of("\xc0\0\2\1", 4),
		.port = 53, .seq = 4, .nack = true
	};

	mesh_cluster(&m, 3);
	mesh_inject(&m.node[0], &outside, ML_INDIRECT, &ml_indirect_body, &i);
	ck_assert_uint_eq(count_sent(&victim), 0);
	/* One that we do not know, about one that we do: peers before 0.2. */
	i.target = gaddr_ip(&m.node[1].addr);
	i.port = m.node[1].addr.port;
	mesh_inject(&m.node[0], &outside, ML_INDIRECT, &ml_indirect_body, &i);
	ck_assert_uint_eq(count_sent(&m.node[1].addr), 1);
	/* A member about one that we do not know yet. */
	i.node = span_str("new");
	i.target = span_of("\xc0\0\2\1", 4);
	i.port = 53;
	i.src_node = span_str("n2");
	i.src_addr = gaddr_ip(&m.node[2].addr);
	i.src_port = m.node[2].addr.port;
	mesh_inject(&m.node[0], &m.node[2], ML_INDIRECT, &ml_indirect_body, &i);
	ck_assert_uint_eq(count_sent(&victim), 1);
	mesh_free(&m);
}
END_TEST

START_TEST(an_incarnation_that_cannot_be_refuted_is_not_believed)
{
	struct ml_alive	 a = {
		.inc = UINT32_MAX, .port = 8301, .node = span_str("n1"),
		.meta = span_of("\xff\x80", 2), .vsn = span_of(consul_vsn, 6)
	};
	uint32_t	 inc;

	mesh_cluster(&m, 3);
	mesh_accuse(&m.node[0], "n1", "n2", UINT32_MAX);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_ALIVE);
	mesh_accuse(&m.node[1], "n1", "n2", UINT32_MAX);
	a.addr = gaddr_ip(&m.node[1].addr);
	mesh_inject(&m.node[0], &m.node[2], ML_ALIVE, &ml_alive_body, &a);
	mesh_inject(&m.node[1], &m.node[2], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_lt(swim_incarnation(serf_swim(m.node[1].serf)), 9);
	(void)swim_lookup(serf_swim(m.node[0].serf), span_str("n1"), &inc);
	ck_assert_uint_lt(inc, 9);
	/* The last but one is; never is it wrapped to 0. */
	mesh_accuse(&m.node[1], "n1", "n2", UINT32_MAX - 1);
	ck_assert_uint_eq(swim_incarnation(serf_swim(m.node[1].serf)),
	    UINT32_MAX - 1);
	mesh_free(&m);
}
END_TEST

START_TEST(one_that_joins_does_not_tell_what_all_know)
{
	struct bcast	*b;
	int		 i;

	mesh_cluster(&m, 9);
	mesh_run(&m, 60000);
	ck_assert_uint_eq(bcast_count(swim_bcast(serf_swim(
	    m.node[0].serf)), BC_MEMBER), 0);
	(void)mesh_add(&m);
	ck_assert_ptr_null(mesh_exchange(&m.node[9], &m.node[0], true));
	b = swim_bcast(serf_swim(m.node[9].serf));
	ck_assert_uint_eq(bcast_count(b, BC_MEMBER), 1);
	mesh_run(&m, 3000);
	for (i = 0; i < 9; i++)
		ck_assert_int_eq(mesh_state(&m.node[i], &m.node[9]),
		    SWIM_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(two_clusters_that_meet_tell_each_other_of_all)
{
	int	i, j;

	mesh_init(&m);
	for (i = 0; i < 8; i++) {
		(void)mesh_add(&m);
		if (i % 4 != 0)
			ck_assert_ptr_null(mesh_exchange(&m.node[i],
			    &m.node[i / 4 * 4], true));
	}
	mesh_run(&m, 5000);
	ck_assert_ptr_null(mesh_exchange(&m.node[2], &m.node[6], true));
	mesh_run(&m, 4000);
	for (i = 0; i < 8; i++)
		for (j = 0; j < 8; j++)
			ck_assert_int_eq(mesh_state(&m.node[i], &m.node[j]),
			    SWIM_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(an_address_of_either_form_is_the_same_place)
{
	struct ml_alive	 a = {
		.addr = span_of("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\2",
		    16),
		.inc = 7, .port = 8301, .node = span_str("n1"),
		.meta = span_of("\xff\x80", 2), .vsn = span_of(consul_vsn, 6)
	};
	unsigned	 warnings;

	mesh_cluster(&m, 2);
	warnings = m.node[0].warnings;
	mesh_inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(m.node[0].warnings, warnings);
	ck_assert_uint_eq(serf_member_find(m.node[0].serf,
	    span_str("n1"))->id->addr.len, 16);
	/* Each form is kept as it came. */
	a.node = span_str("other");
	mesh_inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(serf_member_find(m.node[0].serf,
	    span_str("other"))->id->addr.len, 16);
	a.inc++;
	a.addr = span_of("\x0a\0\0\2", 4);
	mesh_inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(m.node[0].warnings, warnings);
	ck_assert_uint_eq(serf_member_find(m.node[0].serf,
	    span_str("other"))->id->addr.len, 4);
	mesh_free(&m);
}
END_TEST

START_TEST(names_that_cannot_be_passed_on_or_printed_are_refused)
{
	static uint8_t	 from[3000];
	struct ml_claim	 c = { .inc = 1, .node = span_str("n1") };
	struct ml_alive	 a = {
		.addr = span_of("\x0a\0\0\x63", 4), .inc = 1, .port = 8301,
		.meta = span_of("\xff\x80", 2),
		.vsn = span_of("\1\5\2\2\5\4", 6)
	};

	mesh_cluster(&m, 2);
	mesh_run(&m, 5000);
	memset(from, 'x', sizeof(from));
	c.from = span_of(from, sizeof(from));
	mesh_inject(&m.node[0], &m.node[1], ML_SUSPECT, &ml_claim_body, &c);
	mesh_inject(&m.node[0], &m.node[1], ML_DEAD, &ml_claim_body, &c);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_ALIVE);
	ck_assert(bcast_empty(swim_bcast(serf_swim(m.node[0].serf))));
	a.node = span_str("new\nline");
	mesh_inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	a.node = span_of("n1\0", 3);
	mesh_inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(swim_count(serf_swim(m.node[0].serf)), 2);
	a.node = span_str("n\xc3\xa9 2");
	mesh_inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(swim_count(serf_swim(m.node[0].serf)), 3);
	mesh_free(&m);
}
END_TEST

START_TEST(foreign_addresses_are_repeated_as_they_came)
{
	static const uint8_t	 mapped[16] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 99
	};
	struct ml_alive		 a = {
		.addr = span_of(mapped, 16), .inc = 1, .port = 8301,
		.node = span_str("six"), .meta = span_of("\xff\x80", 2),
		.vsn = span_of("\1\5\2\2\5\4", 6)
	};
	struct swim_said	*said;
	struct span		 user;
	struct wbuf		 w;
	size_t			 i, n;
	bool			 join, found = false;

	mesh_cluster(&m, 1);
	mesh_inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	wb_init(&w, 0);
	swim_state_write(serf_swim(m.node[0].serf), true, false, &w);
	ck_assert_ptr_null(swim_state_parse(w.p, w.len, &said, &n, &join,
	    &user));
	ck_assert(join);
	for (i = 0; i < n; i++)
		if (span_is(said[i].name, "six")) {
			ck_assert_uint_eq(said[i].addr.len, 16);
			found = true;
		}
	ck_assert(found);
	free(said);
	wb_free(&w);
	mesh_free(&m);
}
END_TEST

START_TEST(one_with_delegate_version_zero_poisons_an_exchange)
{
	struct ml_header	h = { .nodes = 1 };
	struct ml_state		st = {
		.addr = span_of("\x0a\0\0\x63", 4), .inc = 1, .port = 8301,
		.name = span_str("bad"), .vsn = span_of("\1\5\2\0\0\0", 6)
	};
	struct wbuf		w;

	mesh_cluster(&m, 2);
	wb_init(&w, 0);
	wb_u8(&w, ML_PUSHPULL);
	body_encode(&ml_header_body, &h, &w);
	body_encode(&ml_state_body, &st, &w);
	ck_assert_ptr_nonnull(serf_merge(m.node[0].serf, m.now, false, w.p,
	    w.len));
	wb_free(&w);
	mesh_free(&m);
}
END_TEST

START_TEST(hearsay_of_death_only_makes_a_suspect)
{
	struct ml_header	h = { .nodes = 1 };
	struct ml_state		st = {
		.addr = span_of("\x0a\0\0\x2", 4), .inc = 1, .port = 8301,
		.name = span_str("n1"), .vsn = span_of("\1\5\2\2\5\4", 6),
		.state = SWIM_DEAD
	};
	struct wbuf		w;

	mesh_cluster(&m, 3);
	wb_init(&w, 0);
	wb_u8(&w, ML_PUSHPULL);
	body_encode(&ml_header_body, &h, &w);
	body_encode(&ml_state_body, &st, &w);
	ck_assert_ptr_null(serf_merge(m.node[0].serf, m.now, false, w.p,
	    w.len));
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_SUSPECT);
	mesh_run(&m, 5000);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_ALIVE);
	wb_free(&w);
	mesh_free(&m);
}
END_TEST

UNIT_MAIN("gossipd_input",
    short_or_impossible_versions_are_refused,
    strangers_get_answers_where_they_are_and_without_our_news,
    nobody_has_a_stranger_pinged,
    an_incarnation_that_cannot_be_refuted_is_not_believed,
    one_that_joins_does_not_tell_what_all_know,
    two_clusters_that_meet_tell_each_other_of_all,
    an_address_of_either_form_is_the_same_place,
    names_that_cannot_be_passed_on_or_printed_are_refused,
    foreign_addresses_are_repeated_as_they_came,
    one_with_delegate_version_zero_poisons_an_exchange,
    hearsay_of_death_only_makes_a_suspect)

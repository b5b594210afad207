/*
 * How long members and words about them are remembered, and forms in which
 * they come.
 */
#include "common/mp.h"
#include "tests/unit/gossipd_mesh.h"
#include "tests/unit/common_unit.h"

static struct mesh m;

static void
say_leave(struct peer *to, const char *node, uint64_t ltime, bool prune)
{
	struct sf_leave	x = {
		.ltime = ltime, .node = span_str(node), .prune = prune
	};
	struct gaddr	from = { .len = 4, .ip = { 10, 0, 0, 200 },
			    .port = 8301 };
	struct wbuf	w;

	wb_init(&w, 0);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_LEAVE);
	body_encode(&sf_leave_body, &x, &w);
	serf_input(to->serf, m.now, &from, w.p, w.len);
	wb_free(&w);
}

START_TEST(who_left_is_forgotten_after_the_tombstone_timeout)
{
	mesh_cluster(&m, 3);
	m.node[0].serf->conf.tombstone_ns = 60 * NS_PER_S;
	m.node[0].serf->conf.reconnect_timeout_ns = 1000 * NS_PER_S;
	serf_leave(m.node[2].serf, m.now);
	mesh_run(&m, 12000);
	mesh_stop(&m.node[2]);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEFT);
	mesh_run(&m, 40000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEFT);
	mesh_run(&m, 40000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_NONE);
	ck_assert_uint_eq(m.node[0].events[SERF_REAPED], 1);
	/* Its neighbour has the usual day. */
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[2]), MEMBER_LEFT);
	mesh_free(&m);
}
END_TEST

START_TEST(who_leaves_for_good_and_is_silent_is_forgotten_soon)
{
	mesh_cluster(&m, 3);
	m.node[2].up = false;
	say_leave(&m.node[0], "n2", 900, true);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEAVING);
	mesh_run(&m, 7000);
	ck_assert_int_ne(mesh_status(&m.node[0], &m.node[2]), MEMBER_NONE);
	/* That SWIM takes it for dead in the meantime changes nothing. */
	mesh_run(&m, 17000);
	ck_assert_uint_eq(m.node[0].events[SERF_LEFT], 1);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_NONE);
	mesh_free(&m);
}
END_TEST

START_TEST(words_about_strangers_are_kept_for_five_minutes)
{
	mesh_cluster(&m, 2);
	say_leave(&m.node[0], "n2", 900, false);
	ck_assert_uint_eq(m.node[0].serf->nintents, 1);
	mesh_run(&m, 290000);
	ck_assert_uint_eq(m.node[0].serf->nintents, 1);
	mesh_run(&m, 40000);
	ck_assert_uint_eq(m.node[0].serf->nintents, 0);
	(void)mesh_add(&m);
	ck_assert_ptr_null(mesh_exchange(&m.node[2], &m.node[0], true));
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(a_packet_has_127_parts_at_most)
{
	struct swim	*s;
	struct pkt	*k;
	uint8_t		 tiny[3] = { ML_USER, 99, 0 };
	int		 i, full = 0;

	mesh_cluster(&m, 3);
	m.node[0].layers.compress = false;
	s = serf_swim(m.node[0].serf);
	for (i = 0; i < 200; i++) {
		tiny[2] = (uint8_t)i;
		swim_broadcast(s, BC_EVENT, false, tiny, sizeof(tiny));
	}
	while (TAILQ_EMPTY(&m.pkts) || full == 0) {
		mesh_run(&m, 1);
		TAILQ_FOREACH(k, &m.pkts, link) {
			if (!gaddr_equal(&k->from, &m.node[0].addr) ||
			    k->n < 400)
				continue;
			i = k->p[0] == ML_CRC ? 5 : 0;
			ck_assert_int_eq(k->p[i], ML_COMPOUND);
			ck_assert_uint_le(k->p[i + 1], 127);
			full += k->p[i + 1] == 127;
		}
	}
	mesh_free(&m);
}
END_TEST

START_TEST(port_0_is_our_own)
{
	struct ml_alive	a = {
		.addr = span_of("\x0a\0\0\x63", 4), .inc = 1, .port = 0,
		.meta = span_of("\xff\x80", 2), .node = span_str("old"),
		.vsn = span_of(consul_vsn, 6)
	};
	struct wbuf	w;

	mesh_cluster(&m, 1);
	wb_init(&w, 0);
	wb_u8(&w, ML_ALIVE);
	body_encode(&ml_alive_body, &a, &w);
	serf_input(m.node[0].serf, m.now, &m.node[0].addr, w.p, w.len);
	ck_assert_uint_eq(serf_member_find(m.node[0].serf,
	    span_str("old"))->id->addr.port, 8301);
	wb_free(&w);
	mesh_free(&m);
}
END_TEST

START_TEST(rings_of_events_cost_nothing_before_the_first)
{
	mesh_cluster(&m, 2);
	ck_assert_ptr_null(m.node[0].serf->events);
	ck_assert_ptr_null(m.node[0].serf->queries);
	ck_assert_ptr_null(serf_fire(m.node[0].serf, m.now, span_str("x"),
	    span_str("y"), false));
	mesh_run(&m, 2000);
	ck_assert_uint_eq(m.node[1].user_events, 1);
	ck_assert_ptr_nonnull(m.node[1].serf->events);
	mesh_free(&m);
}
END_TEST

START_TEST(events_travel_with_the_exchange_of_state)
{
	mesh_cluster(&m, 3);
	m.cut[0][1] = m.cut[1][0] = m.cut[2][1] = m.cut[1][2] = true;
	ck_assert_ptr_null(serf_fire(m.node[0].serf, m.now, span_str("x"),
	    span_str("y"), false));
	mesh_run(&m, 3000);
	ck_assert_uint_eq(m.node[1].user_events, 0);
	m.cut[0][1] = m.cut[1][0] = false;
	bcast_prune(swim_bcast(serf_swim(m.node[0].serf)), BC_EVENT, 0);
	ck_assert_ptr_null(mesh_exchange(&m.node[1], &m.node[0], false));
	ck_assert_uint_eq(m.node[1].user_events, 1);
	ck_assert_ptr_null(mesh_exchange(&m.node[1], &m.node[0], false));
	ck_assert_uint_eq(m.node[1].user_events, 1);
	mesh_free(&m);
}
END_TEST

static void
say_event(struct peer *to, uint64_t ltime, unsigned n, size_t len)
{
	static char	big[9000];
	struct sf_event	e = { .ltime = ltime, .name = span_str("flood") };
	struct gaddr	from = { .len = 4, .ip = { 10, 0, 0, 200 },
			    .port = 8301 };
	struct wbuf	w;

	(void)snprintf(big, sizeof(big), "%u", n);
	e.payload = span_of(big, len);
	wb_init(&w, 0);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_EVENT);
	body_encode(&sf_event_body, &e, &w);
	serf_input(to->serf, m.now, &from, w.p, w.len);
	wb_free(&w);
}

START_TEST(a_flood_of_large_events_does_not_keep_out_the_next)
{
	struct peer	*x;
	unsigned	 i, before;

	mesh_cluster(&m, 1);
	x = &m.node[0];
	for (i = 0; i < 1000; i++)
		say_event(x, 10 + i / 4, i, 9000 - 5);
	ck_assert_uint_eq(x->user_events, 1000);
	ck_assert_uint_le(x->serf->event_bytes, EVENT_BYTES_MAX);
	/* What had to be forgotten is not news again. */
	before = x->user_events;
	say_event(x, 10, 0, 9000 - 5);
	say_event(x, 10 + 249, 999, 9000 - 5);
	ck_assert_uint_eq(x->user_events, before);
	ck_assert_ptr_null(serf_fire(x->serf, m.now, span_str("ours"),
	    span_str(""), false));
	ck_assert_uint_eq(x->user_events, before + 1);
	mesh_free(&m);
}
END_TEST

START_TEST(two_that_heard_of_a_leave_do_not_talk_each_other_out_of_it)
{
	mesh_cluster(&m, 3);
	m.node[2].up = false;
	say_leave(&m.node[0], "n2", 900, false);
	say_leave(&m.node[1], "n2", 900, false);
	ck_assert_ptr_null(mesh_exchange(&m.node[0], &m.node[1], false));
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEAVING);
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[2]), MEMBER_LEAVING);
	mesh_free(&m);
}
END_TEST

START_TEST(who_comes_back_after_it_left_is_not_told_that_it_failed)
{
	struct peer	*x = &m.node[2];

	mesh_cluster(&m, 3);
	serf_leave(x->serf, m.now);
	mesh_run(&m, 12000);
	mesh_stop(x);
	x->warnings = 0;
	x->notes[0] = '\0';
	mesh_start(&m, x);
	ck_assert_ptr_null(mesh_exchange(x, &m.node[0], true));
	mesh_run(&m, 3000);
	ck_assert_int_eq(mesh_status(&m.node[0], x), MEMBER_ALIVE);
	ck_assert_uint_eq(x->warnings, 0);
	ck_assert_ptr_nonnull(strstr(x->notes, "an earlier life of this node "
	    "left: refuted with incarnation 2"));
	mesh_free(&m);
}
END_TEST

UNIT_MAIN("gossipd_member",
    who_left_is_forgotten_after_the_tombstone_timeout,
    who_leaves_for_good_and_is_silent_is_forgotten_soon,
    words_about_strangers_are_kept_for_five_minutes,
    a_packet_has_127_parts_at_most,
    port_0_is_our_own,
    rings_of_events_cost_nothing_before_the_first,
    events_travel_with_the_exchange_of_state,
    a_flood_of_large_events_does_not_keep_out_the_next,
    two_that_heard_of_a_leave_do_not_talk_each_other_out_of_it,
    who_comes_back_after_it_left_is_not_told_that_it_failed)

/*
 * How members behave towards each other: cores in memory, a clock that only
 * the test moves.
 */
#include "tests/unit/gossipd_mesh.h"
#include "tests/unit/common_unit.h"

static struct mesh m;

START_TEST(nodes_find_each_other_through_one)
{
	int	i, j;

	mesh_cluster(&m, 5);
	for (i = 0; i < 5; i++)
		for (j = 0; j < 5; j++)
			ck_assert_int_eq(mesh_status(&m.node[i], &m.node[j]),
			    MEMBER_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(refutes_suspicion_with_higher_incarnation)
{
	struct swim	*s;
	uint32_t	 before, seen;

	mesh_cluster(&m, 3);
	s = serf_swim(m.node[1].serf);
	before = swim_incarnation(s);
	mesh_accuse(&m.node[0], "n1", "n2", before);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_SUSPECT);
	mesh_run(&m, 3000);
	ck_assert_uint_eq(swim_incarnation(s), before + 1);
	ck_assert_int_eq(swim_lookup(serf_swim(m.node[0].serf),
	    span_str("n1"), &seen), SWIM_ALIVE);
	ck_assert_uint_eq(seen, before + 1);
	ck_assert_uint_eq(m.node[0].events[SERF_FAILED], 0);
	mesh_free(&m);
}
END_TEST

START_TEST(refutes_an_accusation_from_the_future_above_it)
{
	mesh_cluster(&m, 2);
	mesh_accuse(&m.node[1], "n1", "n0", 41);
	ck_assert_uint_eq(swim_incarnation(serf_swim(m.node[1].serf)), 42);
	mesh_free(&m);
}
END_TEST

START_TEST(a_storm_of_accusations_is_no_storm_of_warnings)
{
	uint32_t	inc;

	mesh_cluster(&m, 2);
	for (inc = 1; inc < 200; inc++)
		mesh_accuse(&m.node[1], "n1", "n0", inc);
	ck_assert_uint_eq(swim_incarnation(serf_swim(m.node[1].serf)), 200);
	ck_assert_uint_eq(m.node[1].warnings, 1);
	mesh_run(&m, 2000);
	mesh_accuse(&m.node[1], "n1", "n0", 200);
	ck_assert_uint_eq(m.node[1].warnings, 2);
	mesh_free(&m);
}
END_TEST

START_TEST(an_older_accusation_is_ignored)
{
	mesh_cluster(&m, 3);
	mesh_accuse(&m.node[1], "n1", "n0", 9);
	mesh_run(&m, 3000);
	mesh_accuse(&m.node[0], "n1", "n2", 9);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(a_killed_node_fails_after_the_suspicion_timeout_and_not_before)
{
	uint64_t	killed;
	int		i;

	mesh_cluster(&m, 3);
	m.node[2].up = false;
	killed = m.now;
	/* 4 s of suspicion at least, after a second without an ack. */
	mesh_run(&m, 4900);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(mesh_status(&m.node[i], &m.node[2]),
		    MEMBER_ALIVE);
	mesh_run(&m, 5000);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(mesh_status(&m.node[i], &m.node[2]),
		    MEMBER_FAILED);
		ck_assert_uint_eq(m.node[i].events[SERF_FAILED], 1);
	}
	ck_assert_uint_gt(m.now, killed);
	mesh_free(&m);
}
END_TEST

START_TEST(confirmations_shorten_suspicion)
{
	uint64_t	start;

	mesh_cluster(&m, 5);
	/* n4 hears and says nothing, and nobody probes in the meantime. */
	m.node[4].up = false;
	start = m.now;
	mesh_accuse(&m.node[0], "n4", "n0", 1);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[4]), SWIM_SUSPECT);
	mesh_accuse(&m.node[0], "n4", "n0", 1);	/* counts once */
	ck_assert_uint_eq(RB_ROOT(&serf_swim(m.node[0].serf)->
	    suspects)->fire - start, 24 * NS_PER_S);
	mesh_accuse(&m.node[0], "n4", "n1", 1);
	ck_assert_uint_eq((RB_ROOT(&serf_swim(m.node[0].serf)->
	    suspects)->fire - start) / NS_PER_MS, 11381);
	mesh_accuse(&m.node[0], "n4", "n2", 1);
	ck_assert_uint_eq(RB_ROOT(&serf_swim(m.node[0].serf)->
	    suspects)->fire - start, 4 * NS_PER_S);
	mesh_free(&m);
}
END_TEST

START_TEST(an_indirect_ack_saves_a_member)
{
	mesh_cluster(&m, 3);
	m.cut[0][1] = m.cut[1][0] = true;
	mesh_run(&m, 20000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_ALIVE);
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[0]), MEMBER_ALIVE);
	ck_assert_uint_eq(m.node[0].events[SERF_FAILED], 0);
	mesh_free(&m);
}
END_TEST

START_TEST(a_member_without_udp_lives_by_tcp)
{
	mesh_cluster(&m, 2);
	m.node[1].deaf_udp = true;
	mesh_run(&m, 15000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_ALIVE);
	ck_assert_ptr_nonnull(strstr(m.node[0].last_note, "UDP"));
	mesh_free(&m);
}
END_TEST

START_TEST(lost_packets_alone_fail_nobody_and_a_death_is_still_seen)
{
	unsigned	failed = 0;
	int		i;

	mesh_cluster(&m, 16);
	m.loss = 0.1;
	mesh_run(&m, 300000);
	for (i = 0; i < 16; i++)
		failed += m.node[i].events[SERF_FAILED];
	ck_assert_uint_eq(failed, 0);
	m.node[15].up = false;
	mesh_run(&m, 40000);
	for (i = 0; i < 15; i++)
		ck_assert_int_eq(mesh_status(&m.node[i], &m.node[15]),
		    MEMBER_FAILED);
	mesh_free(&m);
}
END_TEST

START_TEST(missing_nacks_lower_our_own_health)
{
	struct swim	*s;

	mesh_cluster(&m, 5);
	s = serf_swim(m.node[0].serf);
	/* All others vanish: whoever gets no nack must doubt itself. */
	m.node[1].up = m.node[2].up = m.node[3].up = m.node[4].up = false;
	mesh_run(&m, 4000);
	ck_assert_uint_ge(swim_health(s), 3);
	mesh_free(&m);

	/* One vanishes, the others say so: no reason to doubt. */
	mesh_cluster(&m, 5);
	s = serf_swim(m.node[0].serf);
	m.node[4].up = false;
	mesh_run(&m, 8000);
	ck_assert_uint_eq(swim_health(s), 0);
	mesh_free(&m);
}
END_TEST

START_TEST(a_suspect_is_told_with_the_ping)
{
	mesh_cluster(&m, 2);
	mesh_accuse(&m.node[0], "n1", "nobody", 1);
	/* Without gossip of it, the next probe's buddy message must do. */
	bcast_prune(swim_bcast(serf_swim(m.node[0].serf)), BC_MEMBER, 0);
	mesh_run(&m, 1500);
	ck_assert_uint_eq(swim_incarnation(serf_swim(m.node[1].serf)), 2);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_ALIVE);
	/* A core without it leaves the suspect in the dark. */
	serf_swim(m.node[0].serf)->conf.buddy = false;
	serf_swim(m.node[0].serf)->conf.second_look = false;
	mesh_accuse(&m.node[0], "n1", "nobody", 2);
	bcast_prune(swim_bcast(serf_swim(m.node[0].serf)), BC_MEMBER, 0);
	mesh_run(&m, 1500);
	ck_assert_uint_eq(swim_incarnation(serf_swim(m.node[1].serf)), 2);
	mesh_free(&m);
}
END_TEST

START_TEST(a_graceful_leave_shows_left_and_not_failed)
{
	int	i;

	mesh_cluster(&m, 4);
	serf_leave(m.node[3].serf, m.now);
	mesh_run(&m, 15000);
	ck_assert_uint_eq(m.node[3].left, 1);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(mesh_status(&m.node[i], &m.node[3]),
		    MEMBER_LEFT);
		ck_assert_int_eq(mesh_state(&m.node[i], &m.node[3]),
		    SWIM_LEFT);
		ck_assert_uint_eq(m.node[i].events[SERF_FAILED], 0);
		ck_assert_uint_eq(m.node[i].events[SERF_LEFT], 1);
	}
	mesh_free(&m);
}
END_TEST

START_TEST(who_missed_a_leave_does_not_bring_it_back)
{
	struct ml_alive	a = { .inc = 1, .node = span_str("n2") };

	mesh_cluster(&m, 4);
	serf_leave(m.node[2].serf, m.now);
	mesh_run(&m, 12000);
	m.node[2].up = false;
	mesh_run(&m, 120000);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[2]), SWIM_LEFT);
	a.addr = gaddr_ip(&m.node[2].addr);
	a.port = m.node[2].addr.port;
	a.vsn = span_of(consul_vsn, VSN_LEN);
	mesh_inject(&m.node[0], &m.node[3], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[2]), SWIM_LEFT);
	/* It is none of the cluster's size. */
	ck_assert_uint_eq(swim_size(serf_swim(m.node[0].serf)), 3);
	mesh_run(&m, 25 * 3600 * 1000ull);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[2]), -1);
	mesh_free(&m);
}
END_TEST

START_TEST(a_name_that_left_comes_back_elsewhere_by_its_own_word)
{
	struct ml_alive	 a = { .inc = 1, .node = span_str("n2") };
	struct peer	*x;
	uint64_t	 before;
	int		 i;

	mesh_cluster(&m, 4);
	x = mesh_add(&m);
	mesh_stop(x);
	serf_leave(m.node[2].serf, m.now);
	mesh_run(&m, 12000);
	m.node[2].up = false;
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[2]), SWIM_LEFT);
	/* It may be an older life that n3 tells of: n2 is asked itself. */
	a.addr = gaddr_ip(&x->addr);
	a.port = x->addr.port;
	a.vsn = span_of(consul_vsn, VSN_LEN);
	before = m.node[0].sent;
	mesh_inject(&m.node[0], &m.node[3], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[2]), SWIM_LEFT);
	ck_assert_uint_eq(m.node[0].sent, before + 1);
	/* There it is: all hear of it, and who asks is answered. */
	(void)strlcpy(x->name, "n2", sizeof(x->name));
	(void)mesh_start(&m, x);
	ck_assert_ptr_null(mesh_exchange(x, &m.node[1], true));
	mesh_run(&m, 3000);
	for (i = 0; i < 4; i++) {
		if (i == 2)
			continue;
		ck_assert_int_eq(mesh_status(&m.node[i], x), MEMBER_ALIVE);
		ck_assert(gaddr_equal(&serf_member_find(m.node[i].serf,
		    span_str("n2"))->id->addr, &x->addr));
	}
	mesh_free(&m);
}
END_TEST

START_TEST(one_that_left_is_back_at_once)
{
	mesh_cluster(&m, 4);
	serf_leave(m.node[2].serf, m.now);
	mesh_run(&m, 12000);
	mesh_stop(&m.node[2]);
	/* n3 is new, too, and knows nothing of the earlier life. */
	mesh_stop(&m.node[3]);
	(void)mesh_start(&m, &m.node[3]);
	ck_assert_ptr_null(mesh_exchange(&m.node[3], &m.node[0], true));
	mesh_run(&m, 1000);
	ck_assert_int_eq(mesh_state(&m.node[3], &m.node[2]), -1);
	(void)mesh_start(&m, &m.node[2]);
	ck_assert_ptr_null(mesh_exchange(&m.node[2], &m.node[3], true));
	mesh_run(&m, 1000);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[2]), SWIM_ALIVE);
	ck_assert_int_eq(mesh_state(&m.node[1], &m.node[2]), SWIM_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(an_accuser_that_missed_the_refutation_is_told)
{
	mesh_cluster(&m, 4);
	mesh_accuse(&m.node[1], "n2", "n1", 1);
	mesh_accuse(&m.node[2], "n2", "n1", 1);
	bcast_prune(swim_bcast(serf_swim(m.node[1].serf)), BC_MEMBER, 0);
	/* n2 refuted, and nobody heard it. */
	bcast_prune(swim_bcast(serf_swim(m.node[2].serf)), BC_MEMBER, 0);
	ck_assert_int_eq(mesh_state(&m.node[1], &m.node[2]), SWIM_SUSPECT);
	/* Its next ping of n2 comes with the accusation. */
	mesh_run(&m, 4500);
	ck_assert_int_eq(mesh_state(&m.node[1], &m.node[2]), SWIM_ALIVE);
	ck_assert_uint_eq(m.node[1].events[SERF_FAILED], 0);
	mesh_free(&m);
}
END_TEST

/* n0 suspects n4, which refuted, but the refutation was lost. */
static void
missed_refutation(void)
{
	struct swim	*s;

	mesh_cluster(&m, 6);
	s = serf_swim(m.node[0].serf);
	/* The ping of a suspect would tell it, too. */
	s->conf.buddy = false;
	mesh_accuse(&m.node[4], "n4", "n0", 1);
	mesh_accuse(&m.node[0], "n4", "n0", 1);
	bcast_prune(swim_bcast(serf_swim(m.node[4].serf)), BC_MEMBER, 0);
	bcast_prune(swim_bcast(s), BC_MEMBER, 0);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[4]), SWIM_SUSPECT);
	s->pushpull_at = m.now + 100 * NS_PER_S;
}

START_TEST(a_suspect_is_asked_before_it_is_called_dead)
{
	int	i;

	missed_refutation();
	for (i = 0; i < 6; i++)
		serf_swim(m.node[i].serf)->pushpull_at += 100 * NS_PER_S;
	mesh_run(&m, 20500);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[4]), SWIM_SUSPECT);
	mesh_run(&m, 600);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[4]), SWIM_ALIVE);
	ck_assert_uint_eq(m.node[0].events[SERF_FAILED], 0);
	mesh_free(&m);
	/* Without the question it fails. */
	missed_refutation();
	for (i = 0; i < 6; i++) {
		serf_swim(m.node[i].serf)->conf.second_look = false;
		serf_swim(m.node[i].serf)->pushpull_at += 100 * NS_PER_S;
	}
	mesh_run(&m, 25000);
	ck_assert_uint_eq(m.node[0].events[SERF_FAILED], 1);
	mesh_free(&m);
}
END_TEST

START_TEST(of_all_who_suspect_one_a_few_ask)
{
	struct suspicion	*x;
	struct swim		*s;
	struct ml_alive		 a = { .inc = 1, .port = 8301 };
	uint8_t			 ip[4] = { 10, 9, 0, 0 };
	char			 name[8];
	unsigned		 asking = 0;
	int			 i;

	mesh_cluster(&m, 3);
	s = serf_swim(m.node[0].serf);
	a.addr = span_of(ip, sizeof(ip));
	a.vsn = span_of(consul_vsn, VSN_LEN);
	for (i = 0; i < 200; i++) {
		ip[3] = (uint8_t)i;
		(void)snprintf(name, sizeof(name), "x%d", i);
		a.node = span_str(name);
		mesh_inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	}
	/* Each stands for the same suspect at one of 203 members. */
	for (i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "x%d", i);
		mesh_accuse(&m.node[0], name, "n0", 1);
		mesh_accuse(&m.node[0], name, "n1", 1);
		x = suspicion_find(s, swim_view(s, span_str(name))->id->num);
		ck_assert_uint_eq(x->asked, 0);
		ck_assert_uint_lt(x->due, x->fire);
		mesh_accuse(&m.node[0], name, "n2", 1);
		ck_assert_uint_eq(x->n, x->k);
		asking += x->due < x->fire;
	}
	ck_assert_uint_gt(asking, 15);
	ck_assert_uint_lt(asking, 60);
	mesh_free(&m);
}
END_TEST

START_TEST(a_suspicion_of_a_later_life_starts_anew)
{
	struct swim	*s;
	uint32_t	 num, seen;

	mesh_cluster(&m, 6);
	s = serf_swim(m.node[0].serf);
	num = swim_self(serf_swim(m.node[4].serf))->num;
	mesh_accuse(&m.node[0], "n4", "n1", 1);
	m.now += 3 * NS_PER_S;
	mesh_accuse(&m.node[0], "n4", "n2", 3);
	ck_assert_uint_eq(suspicion_find(s, num)->start, m.now);
	ck_assert_uint_eq(suspicion_find(s, num)->n, 0);
	(void)swim_lookup(s, span_str("n4"), &seen);
	ck_assert_uint_eq(seen, 3);
	/* Of the same life it confirms. */
	mesh_accuse(&m.node[0], "n4", "n3", 3);
	ck_assert_uint_eq(suspicion_find(s, num)->n, 1);
	mesh_free(&m);
}
END_TEST

START_TEST(corrections_go_to_the_teller_and_are_counted)
{
	struct ml_claim	c = {
		.from = span_str("n1"), .inc = 1, .node = span_str("n2")
	};
	unsigned	before;
	int		i;

	mesh_cluster(&m, 3);
	mesh_accuse(&m.node[2], "n2", "n1", 5);
	before = m.node[2].sent;
	/* By another's word: n1 may know better by now. */
	mesh_inject(&m.node[2], &m.node[0], ML_SUSPECT, &ml_claim_body, &c);
	ck_assert_uint_eq(m.node[2].sent, before);
	for (i = 0; i < 1000; i++)
		mesh_inject(&m.node[2], &m.node[1], ML_SUSPECT,
		    &ml_claim_body, &c);
	ck_assert_uint_eq(m.node[2].sent, before + 32);
	mesh_free(&m);
}
END_TEST

START_TEST(a_lone_node_leaves_at_once)
{
	mesh_init(&m);
	(void)mesh_add(&m);
	serf_leave(m.node[0].serf, m.now);
	mesh_run(&m, 10);
	ck_assert_uint_eq(m.node[0].left, 1);
	mesh_free(&m);
}
END_TEST

START_TEST(a_restarted_node_outruns_its_older_life)
{
	struct peer	*x;

	mesh_cluster(&m, 3);
	x = &m.node[2];
	mesh_accuse(x, "n2", "n0", 6);
	mesh_run(&m, 3000);
	mesh_stop(x);
	(void)mesh_start(&m, x);
	ck_assert_ptr_null(mesh_exchange(x, &m.node[0], true));
	mesh_run(&m, 20000);
	ck_assert_uint_ge(swim_incarnation(serf_swim(x->serf)), 8);
	ck_assert_int_eq(mesh_status(&m.node[0], x), MEMBER_ALIVE);
	ck_assert_int_eq(mesh_status(&m.node[1], x), MEMBER_ALIVE);
	ck_assert_uint_eq(m.node[0].events[SERF_FAILED] +
	    m.node[1].events[SERF_FAILED], 0);
	mesh_free(&m);
}
END_TEST

START_TEST(new_tags_reach_everybody)
{
	struct strmap	tags = { 0 };
	struct wbuf	w;

	mesh_cluster(&m, 3);
	wb_init(&w, 0);
	strmap_put(&tags, "role", "web");
	tags_encode(&tags, &w);
	swim_set_meta(serf_swim(m.node[1].serf), m.now, span_of(w.p, w.len));
	mesh_run(&m, 2000);
	ck_assert(tag_is(ident_meta(serf_member_find(m.node[2].serf,
	    span_str("n1"))->id), "role", "web"));
	ck_assert_uint_eq(m.node[2].events[SERF_UPDATED], 1);
	wb_free(&w);
	strmap_clear(&tags);
	mesh_free(&m);
}
END_TEST

START_TEST(a_second_node_of_a_name_is_kept_out_until_the_first_is_gone)
{
	struct peer	*thief;

	mesh_cluster(&m, 3);
	thief = mesh_add(&m);
	mesh_stop(thief);
	(void)strlcpy(thief->name, "n1", sizeof(thief->name));
	(void)mesh_start(&m, thief);
	(void)mesh_exchange(thief, &m.node[0], true);
	mesh_run(&m, 3000);
	ck_assert(gaddr_equal(&serf_member_find(m.node[0].serf,
	    span_str("n1"))->id->addr, &m.node[1].addr));
	ck_assert_ptr_nonnull(strstr(m.node[0].notes, "member n1: two nodes "
	    "have this name, at 10.0.0.2:8301 and 10.0.0.4:8301"));
	ck_assert_ptr_nonnull(strstr(thief->notes, "another node has the "
	    "name of this one, n1, at 10.0.0.2:8301"));
	mesh_stop(thief);

	/* Dead for longer than the reclaim time, the name is free. */
	m.node[1].up = false;
	mesh_run(&m, 50000);
	(void)mesh_start(&m, thief);
	ck_assert_ptr_null(mesh_exchange(thief, &m.node[0], true));
	mesh_run(&m, 3000);
	ck_assert(gaddr_equal(&serf_member_find(m.node[2].serf,
	    span_str("n1"))->id->addr, &thief->addr));
	ck_assert_int_eq(mesh_status(&m.node[2], thief), MEMBER_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(the_long_dead_leave_the_table_but_not_the_memory)
{
	mesh_cluster(&m, 3);
	m.node[2].up = false;
	mesh_run(&m, 60000);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[2]), -1);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_FAILED);
	mesh_free(&m);
}
END_TEST

START_TEST(a_failed_node_that_is_back_is_found_again)
{
	mesh_cluster(&m, 2);
	m.cut[0][1] = m.cut[1][0] = true;
	mesh_run(&m, 120000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_FAILED);
	m.cut[0][1] = m.cut[1][0] = false;
	mesh_run(&m, 40000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_ALIVE);
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[0]), MEMBER_ALIVE);
	mesh_free(&m);
}
END_TEST

/* ---- what the log says ---- */

static bool
noted(const struct peer *x, const char *part)
{
	return strstr(x->notes, part) != NULL;
}

START_TEST(the_log_explains_a_flap)
{
	mesh_cluster(&m, 5);
	m.node[4].deaf_udp = m.node[4].no_tcp = true;
	mesh_run(&m, 30000);
	/* Who noticed, how, and who else. */
	ck_assert(noted(&m.node[0], "member n4: alive -> suspect: "));
	ck_assert(noted(&m.node[0], "member n4: suspected by n") ||
	    noted(&m.node[1], "member n4: suspected by n") ||
	    noted(&m.node[2], "member n4: suspected by n"));
	ck_assert(noted(&m.node[0],
	    "member n4: suspect -> failed: ") ||
	    noted(&m.node[0], "member n4: alive -> failed: "));
	mesh_free(&m);
	mesh_cluster(&m, 4);
	m.node[3].deaf_udp = m.node[3].no_tcp = true;
	while (mesh_state(&m.node[0], &m.node[3]) == SWIM_ALIVE)
		mesh_run(&m, 10);
	m.node[3].deaf_udp = m.node[3].no_tcp = false;
	mesh_run(&m, 5000);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[3]), SWIM_ALIVE);
	ck_assert(noted(&m.node[0], "member n3: suspect -> alive: refuted "
	    "after "));
	ck_assert(noted(&m.node[0], " with incarnation 2, told by 10.0.0."));
	mesh_free(&m);
}
END_TEST

START_TEST(a_failed_probe_says_what_was_tried)
{
	int	i;
	bool	found = false;

	mesh_cluster(&m, 4);
	m.node[3].up = false;
	mesh_run(&m, 20000);
	for (i = 0; i < 3; i++)
		found = found || noted(&m.node[i], "alive -> suspect: no ack "
		    "from 10.0.0.4:8301 in 500 ms, nor through n");
	ck_assert(found);
	for (found = false, i = 0; i < 3; i++)
		found = found || noted(&m.node[i],
		    " (2 of 2 nacks), nor by TCP in 1000 ms; local health 0");
	ck_assert(found);
	for (found = false, i = 0; i < 3; i++)
		found = found || noted(&m.node[i], "suspect -> failed: not "
		    "refuted in ");
	ck_assert(found);
	mesh_free(&m);
}
END_TEST

START_TEST(a_storm_of_failures_is_told_in_few_lines)
{
	struct ml_alive	a = {
		.addr = span_of("\x0a\0\0\x63", 4), .inc = 1, .port = 8301,
		.meta = span_of("\xff\x80", 2), .vsn = span_of(consul_vsn, 6)
	};
	char		name[16];
	unsigned	lines, i;

	mesh_cluster(&m, 1);
	for (i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "x%u", i);
		a.node = span_str(name);
		mesh_inject(&m.node[0], &m.node[0], ML_ALIVE,
		    &ml_alive_body, &a);
	}
	lines = m.node[0].lines;
	for (i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "x%u", i);
		mesh_accuse(&m.node[0], name, "y", 1);
	}
	ck_assert_uint_le(m.node[0].lines - lines, 40);
	m.now += 2 * NS_PER_S;
	m.node[0].notes[0] = '\0';
	mesh_accuse(&m.node[0], "x7", "z", 1);
	ck_assert(noted(&m.node[0], "960 more changes of members than can"));
	mesh_free(&m);
}
END_TEST

START_TEST(a_probe_that_fails_does_not_accuse_a_newer_life)
{
	struct ml_alive	 a = {
		.addr = span_of("\x0a\0\0\2", 4), .inc = 7, .port = 8301,
		.node = span_str("n1"), .meta = span_of("\xff\x80", 2),
		.vsn = span_of("\1\5\2\2\5\4", 6)
	};
	struct swim	*s;
	int		 i;

	mesh_cluster(&m, 2);
	s = serf_swim(m.node[0].serf);
	m.node[1].up = false;
	for (i = 0; s->probe.phase != PROBE_INDIRECT; i++) {
		ck_assert_int_lt(i, 300);
		mesh_run(&m, 10);
	}
	mesh_inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	while (s->probe.phase == PROBE_INDIRECT)
		mesh_run(&m, 10);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_ALIVE);
	mesh_run(&m, 2500);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_SUSPECT);
	mesh_free(&m);
}
END_TEST

static void
stopped_while_probing(uint64_t s)
{
	while (serf_swim(m.node[0].serf)->probe.phase == PROBE_IDLE)
		mesh_run(&m, 1);
	m.now += s * NS_PER_S;
	serf_tick(m.node[0].serf, m.now);
}

START_TEST(a_pause_of_our_own_accuses_nobody)
{
	mesh_cluster(&m, 3);
	stopped_while_probing(20);
	ck_assert_uint_eq(swim_count_alive(serf_swim(m.node[0].serf)), 2);
	/* Unless it is told not to forgive itself. */
	serf_swim(m.node[0].serf)->conf.stall_ns = 0;
	m.node[1].no_tcp = m.node[2].no_tcp = true;
	mesh_run(&m, 3000);
	stopped_while_probing(20);
	ck_assert_uint_eq(swim_count_alive(serf_swim(m.node[0].serf)), 1);
	mesh_free(&m);
}
END_TEST

START_TEST(news_after_a_quiet_time_are_no_pause)
{
	mesh_cluster(&m, 2);
	mesh_run(&m, 10000);
	m.node[0].last_note[0] = '\0';
	/* The gossip timer was idle for seconds. */
	ck_assert_ptr_null(serf_fire(m.node[0].serf, m.now, span_str("e"),
	    span_of(NULL, 0), false));
	mesh_run(&m, 1000);
	ck_assert_str_eq(m.node[0].last_note, "");
	ck_assert_uint_eq(m.node[1].user_events, 1);
	mesh_free(&m);
}
END_TEST

START_TEST(a_lone_node_sleeps)
{
	mesh_init(&m);
	(void)mesh_add(&m);
	ck_assert_uint_eq(serf_next(m.node[0].serf, m.now), SWIM_NEVER);
	mesh_free(&m);
}
END_TEST

START_TEST(broadcasts_go_out_as_often_as_the_limit_and_newest_replaces)
{
	struct bcast	*b = bcast_new();
	struct compound	 c;
	unsigned	 i, total = 0;

	compound_init(&c);
	bcast_add(b, BC_MEMBER, 3, false, (const uint8_t *)"old", 3);
	bcast_add(b, BC_MEMBER, 3, false, (const uint8_t *)"news", 4);
	ck_assert_uint_eq(bcast_count(b, BC_MEMBER), 1);
	for (i = 0; i < 10; i++) {
		compound_reset(&c);
		bcast_take(b, 4, 1000, &c);
		total += c.n;
	}
	ck_assert_uint_eq(total, 4);
	ck_assert(bcast_empty(b));
	compound_clear(&c);
	bcast_free(b);
}
END_TEST

START_TEST(the_least_sent_and_the_longest_that_fits_go_first)
{
	struct bcast	*b = bcast_new();
	struct compound	 c;

	compound_init(&c);
	bcast_add(b, BC_EVENT, BCAST_NAMELESS, false,
	    (const uint8_t *)"aaaaaaaaaa", 10);
	bcast_take(b, 4, 100, &c);
	bcast_add(b, BC_EVENT, BCAST_NAMELESS, false,
	    (const uint8_t *)"bbb", 3);
	bcast_add(b, BC_EVENT, BCAST_NAMELESS, false,
	    (const uint8_t *)"ccccccc", 7);
	compound_reset(&c);
	bcast_take(b, 4, 9, &c);	/* 7 + 2 */
	ck_assert_uint_eq(c.n, 1);
	ck_assert_int_eq(c.body.p[0], 'c');
	compound_reset(&c);
	bcast_take(b, 4, 100, &c);
	ck_assert_uint_eq(c.n, 3);
	ck_assert_int_eq(c.body.p[0], 'b');
	ck_assert_int_eq(c.body.p[3], 'a');
	ck_assert_int_eq(c.body.p[13], 'c');
	compound_clear(&c);
	bcast_free(b);
}
END_TEST

START_TEST(a_view_of_a_member_is_small)
{
	ck_assert_uint_le(sizeof(struct sview), 16);
	ck_assert_uint_le(sizeof(struct serf_member), 24);
	ck_assert_uint_le(sizeof(struct swim) + sizeof(struct serf), 2048);
}
END_TEST

UNIT_MAIN("gossipd_swim",
    nodes_find_each_other_through_one,
    refutes_suspicion_with_higher_incarnation,
    refutes_an_accusation_from_the_future_above_it,
    a_storm_of_accusations_is_no_storm_of_warnings,
    an_older_accusation_is_ignored,
    a_killed_node_fails_after_the_suspicion_timeout_and_not_before,
    confirmations_shorten_suspicion,
    an_indirect_ack_saves_a_member,
    a_member_without_udp_lives_by_tcp,
    lost_packets_alone_fail_nobody_and_a_death_is_still_seen,
    missing_nacks_lower_our_own_health,
    a_suspect_is_told_with_the_ping,
    a_graceful_leave_shows_left_and_not_failed,
    who_missed_a_leave_does_not_bring_it_back,
    a_name_that_left_comes_back_elsewhere_by_its_own_word,
    one_that_left_is_back_at_once,
    an_accuser_that_missed_the_refutation_is_told,
    a_suspect_is_asked_before_it_is_called_dead,
    of_all_who_suspect_one_a_few_ask,
    a_suspicion_of_a_later_life_starts_anew,
    corrections_go_to_the_teller_and_are_counted,
    a_lone_node_leaves_at_once,
    a_restarted_node_outruns_its_older_life,
    new_tags_reach_everybody,
    a_second_node_of_a_name_is_kept_out_until_the_first_is_gone,
    the_long_dead_leave_the_table_but_not_the_memory,
    a_failed_node_that_is_back_is_found_again,
    the_log_explains_a_flap,
    a_failed_probe_says_what_was_tried,
    a_storm_of_failures_is_told_in_few_lines,
    a_probe_that_fails_does_not_accuse_a_newer_life,
    a_pause_of_our_own_accuses_nobody,
    news_after_a_quiet_time_are_no_pause,
    a_lone_node_sleeps,
    broadcasts_go_out_as_often_as_the_limit_and_newest_replaces,
    the_least_sent_and_the_longest_that_fits_go_first,
    a_view_of_a_member_is_small)

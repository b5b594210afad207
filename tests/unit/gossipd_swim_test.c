/*
 * How members behave towards each other: cores in memory, a clock that only
 * the test moves.
 */
#include "tests/unit/gossipd_mesh.h"

static struct mesh m;

/* One message of type and body into a node, as from another. */
static void
inject(struct peer *to, struct peer *from, enum ml_type type,
    const struct body *b, const void *obj)
{
	struct wbuf	w;

	wb_init(&w, 0);
	wb_u8(&w, (uint8_t)type);
	body_encode(b, obj, &w);
	serf_input(to->serf, m.now, &from->addr, w.p, w.len);
	wb_free(&w);
}

static void
accuse(struct peer *at, const char *whom, const char *by, uint32_t inc)
{
	struct ml_claim	c = {
		.from = span_str(by), .inc = inc, .node = span_str(whom)
	};

	inject(at, at, ML_SUSPECT, &ml_claim_body, &c);
}

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
	accuse(&m.node[0], "n1", "n2", before);
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
	accuse(&m.node[1], "n1", "n0", 41);
	ck_assert_uint_eq(swim_incarnation(serf_swim(m.node[1].serf)), 42);
	mesh_free(&m);
}
END_TEST

START_TEST(a_storm_of_accusations_is_no_storm_of_warnings)
{
	uint32_t	inc;

	mesh_cluster(&m, 2);
	for (inc = 1; inc < 200; inc++)
		accuse(&m.node[1], "n1", "n0", inc);
	ck_assert_uint_eq(swim_incarnation(serf_swim(m.node[1].serf)), 200);
	ck_assert_uint_eq(m.node[1].warnings, 1);
	mesh_run(&m, 2000);
	accuse(&m.node[1], "n1", "n0", 200);
	ck_assert_uint_eq(m.node[1].warnings, 2);
	mesh_free(&m);
}
END_TEST

START_TEST(an_older_accusation_is_ignored)
{
	mesh_cluster(&m, 3);
	accuse(&m.node[1], "n1", "n0", 9);
	mesh_run(&m, 3000);
	accuse(&m.node[0], "n1", "n2", 9);
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
	accuse(&m.node[0], "n4", "n0", 1);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[4]), SWIM_SUSPECT);
	accuse(&m.node[0], "n4", "n0", 1);	/* counts once */
	ck_assert_uint_eq(RB_ROOT(&serf_swim(m.node[0].serf)->
	    suspects)->fire - start, 24 * NS_PER_S);
	accuse(&m.node[0], "n4", "n1", 1);
	ck_assert_uint_eq((RB_ROOT(&serf_swim(m.node[0].serf)->
	    suspects)->fire - start) / NS_PER_MS, 11381);
	accuse(&m.node[0], "n4", "n2", 1);
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
	accuse(&m.node[0], "n1", "nobody", 1);
	/* Without gossip of it, the next probe's buddy message must do. */
	bcast_prune(swim_bcast(serf_swim(m.node[0].serf)), BC_MEMBER, 0);
	mesh_run(&m, 1500);
	ck_assert_uint_eq(swim_incarnation(serf_swim(m.node[1].serf)), 2);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_ALIVE);
	/* A core without it leaves the suspect in the dark. */
	serf_swim(m.node[0].serf)->conf.buddy = false;
	serf_swim(m.node[0].serf)->conf.second_look = false;
	accuse(&m.node[0], "n1", "nobody", 2);
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
	inject(&m.node[0], &m.node[3], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[2]), SWIM_LEFT);
	/* It is none of the cluster's size. */
	ck_assert_uint_eq(swim_size(serf_swim(m.node[0].serf)), 3);
	mesh_run(&m, 25 * 3600 * 1000ull);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[2]), -1);
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
	accuse(&m.node[1], "n2", "n1", 1);
	accuse(&m.node[2], "n2", "n1", 1);
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
	accuse(&m.node[4], "n4", "n0", 1);
	accuse(&m.node[0], "n4", "n0", 1);
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

START_TEST(a_suspicion_of_a_later_life_starts_anew)
{
	struct swim	*s;
	uint32_t	 num, seen;

	mesh_cluster(&m, 6);
	s = serf_swim(m.node[0].serf);
	num = swim_self(serf_swim(m.node[4].serf))->num;
	accuse(&m.node[0], "n4", "n1", 1);
	m.now += 3 * NS_PER_S;
	accuse(&m.node[0], "n4", "n2", 3);
	ck_assert_uint_eq(suspicion_find(s, num)->start, m.now);
	ck_assert_uint_eq(suspicion_find(s, num)->n, 0);
	(void)swim_lookup(s, span_str("n4"), &seen);
	ck_assert_uint_eq(seen, 3);
	/* Of the same life it confirms. */
	accuse(&m.node[0], "n4", "n3", 3);
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
	accuse(&m.node[2], "n2", "n1", 5);
	before = m.node[2].sent;
	/* By another's word: n1 may know better by now. */
	inject(&m.node[2], &m.node[0], ML_SUSPECT, &ml_claim_body, &c);
	ck_assert_uint_eq(m.node[2].sent, before);
	for (i = 0; i < 1000; i++)
		inject(&m.node[2], &m.node[1], ML_SUSPECT, &ml_claim_body, &c);
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
	accuse(x, "n2", "n0", 6);
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

START_TEST(short_or_impossible_versions_are_refused)
{
	struct ml_alive	a = {
		.addr = span_of("\x0a\0\0\x63", 4), .inc = 1, .port = 8301,
		.node = span_str("bad"), .meta = span_of("\xff\x80", 2)
	};

	mesh_cluster(&m, 1);
	a.vsn = span_of("\1\5\2\2\5", 5);
	inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	a.vsn = span_of("\1\5\2\2\0\0", 6);
	inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	a.vsn = span_of("\0\5\2\2\5\4", 6);
	inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	a.vsn = span_of("\5\1\2\2\5\4", 6);
	inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(swim_count(serf_swim(m.node[0].serf)), 1);
	a.vsn = span_of("\1\5\2\2\5\4", 6);
	inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
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
	inject(&m.node[0], &outside, ML_PING, &ml_ping_body, &p);
	ck_assert_uint_eq(count_sent(&victim), 0);
	/* No coordinate either: less comes back than was sent. */
	ck_assert_uint_lt(last_sent(&outside.addr), 30);
	/* Another port of the same host is its own affair. */
	p.src_addr = gaddr_ip(&outside.addr);
	p.src_port = 4001;
	outside.addr.port = 4001;
	inject(&m.node[0], &outside, ML_PING, &ml_ping_body, &p);
	ck_assert_uint_eq(count_sent(&outside.addr), 1);
	/* A member does get all. */
	p.src_addr = gaddr_ip(&m.node[1].addr);
	p.src_port = m.node[1].addr.port;
	inject(&m.node[0], &outside, ML_PING, &ml_ping_body, &p);
	ck_assert_uint_gt(last_sent(&m.node[1].addr), 900);
	/* And strangers not as often as they like. */
	mesh_run(&m, 1000);
	p.src_node = span_str("");
	p.src_addr = span_of(NULL, 0);
	for (i = 0; i < 1000; i++)
		inject(&m.node[0], &outside, ML_PING, &ml_ping_body, &p);
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
	inject(&m.node[0], &outside, ML_INDIRECT, &ml_indirect_body, &i);
	ck_assert_uint_eq(count_sent(&victim), 0);
	/* One that we do not know, about one that we do: peers before 0.2. */
	i.target = gaddr_ip(&m.node[1].addr);
	i.port = m.node[1].addr.port;
	inject(&m.node[0], &outside, ML_INDIRECT, &ml_indirect_body, &i);
	ck_assert_uint_eq(count_sent(&m.node[1].addr), 1);
	/* A member about one that we do not know yet. */
	i.node = span_str("new");
	i.target = span_of("\xc0\0\2\1", 4);
	i.port = 53;
	i.src_node = span_str("n2");
	i.src_addr = gaddr_ip(&m.node[2].addr);
	i.src_port = m.node[2].addr.port;
	inject(&m.node[0], &m.node[2], ML_INDIRECT, &ml_indirect_body, &i);
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
	accuse(&m.node[0], "n1", "n2", UINT32_MAX);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_ALIVE);
	accuse(&m.node[1], "n1", "n2", UINT32_MAX);
	a.addr = gaddr_ip(&m.node[1].addr);
	inject(&m.node[0], &m.node[2], ML_ALIVE, &ml_alive_body, &a);
	inject(&m.node[1], &m.node[2], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_lt(swim_incarnation(serf_swim(m.node[1].serf)), 9);
	(void)swim_lookup(serf_swim(m.node[0].serf), span_str("n1"), &inc);
	ck_assert_uint_lt(inc, 9);
	/* The last but one is; never is it wrapped to 0. */
	accuse(&m.node[1], "n1", "n2", UINT32_MAX - 1);
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
	inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(m.node[0].warnings, warnings);
	ck_assert_uint_eq(serf_member_find(m.node[0].serf,
	    span_str("n1"))->id->addr.len, 16);
	/* Each form is kept as it came. */
	a.node = span_str("other");
	inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(serf_member_find(m.node[0].serf,
	    span_str("other"))->id->addr.len, 16);
	a.inc++;
	a.addr = span_of("\x0a\0\0\2", 4);
	inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(m.node[0].warnings, warnings);
	ck_assert_uint_eq(serf_member_find(m.node[0].serf,
	    span_str("other"))->id->addr.len, 4);
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
		inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
	}
	lines = m.node[0].lines;
	for (i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "x%u", i);
		accuse(&m.node[0], name, "y", 1);
	}
	ck_assert_uint_le(m.node[0].lines - lines, 40);
	m.now += 2 * NS_PER_S;
	m.node[0].notes[0] = '\0';
	accuse(&m.node[0], "x7", "z", 1);
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
	inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	while (s->probe.phase == PROBE_INDIRECT)
		mesh_run(&m, 10);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_ALIVE);
	mesh_run(&m, 2500);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_SUSPECT);
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
	inject(&m.node[0], &m.node[1], ML_SUSPECT, &ml_claim_body, &c);
	inject(&m.node[0], &m.node[1], ML_DEAD, &ml_claim_body, &c);
	ck_assert_int_eq(mesh_state(&m.node[0], &m.node[1]), SWIM_ALIVE);
	ck_assert(bcast_empty(swim_bcast(serf_swim(m.node[0].serf))));
	a.node = span_str("new\nline");
	inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	a.node = span_of("n1\0", 3);
	inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
	ck_assert_uint_eq(swim_count(serf_swim(m.node[0].serf)), 2);
	a.node = span_str("n\xc3\xa9 2");
	inject(&m.node[0], &m.node[1], ML_ALIVE, &ml_alive_body, &a);
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
	inject(&m.node[0], &m.node[0], ML_ALIVE, &ml_alive_body, &a);
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

int
main(void)
{
	Suite	*s = suite_create("gossipd_swim");
	TCase	*t = tcase_create("swim");
	SRunner	*r;
	int	 failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, nodes_find_each_other_through_one);
	tcase_add_test(t, refutes_suspicion_with_higher_incarnation);
	tcase_add_test(t, refutes_an_accusation_from_the_future_above_it);
	tcase_add_test(t, a_storm_of_accusations_is_no_storm_of_warnings);
	tcase_add_test(t, an_older_accusation_is_ignored);
	tcase_add_test(t,
	    a_killed_node_fails_after_the_suspicion_timeout_and_not_before);
	tcase_add_test(t, confirmations_shorten_suspicion);
	tcase_add_test(t, an_indirect_ack_saves_a_member);
	tcase_add_test(t, a_member_without_udp_lives_by_tcp);
	tcase_add_test(t,
	    lost_packets_alone_fail_nobody_and_a_death_is_still_seen);
	tcase_add_test(t, missing_nacks_lower_our_own_health);
	tcase_add_test(t, a_suspect_is_told_with_the_ping);
	tcase_add_test(t, a_graceful_leave_shows_left_and_not_failed);
	tcase_add_test(t, who_missed_a_leave_does_not_bring_it_back);
	tcase_add_test(t, one_that_left_is_back_at_once);
	tcase_add_test(t, an_accuser_that_missed_the_refutation_is_told);
	tcase_add_test(t, a_suspect_is_asked_before_it_is_called_dead);
	tcase_add_test(t, a_suspicion_of_a_later_life_starts_anew);
	tcase_add_test(t, corrections_go_to_the_teller_and_are_counted);
	tcase_add_test(t, a_lone_node_leaves_at_once);
	tcase_add_test(t, a_restarted_node_outruns_its_older_life);
	tcase_add_test(t, new_tags_reach_everybody);
	tcase_add_test(t,
	    a_second_node_of_a_name_is_kept_out_until_the_first_is_gone);
	tcase_add_test(t, the_long_dead_leave_the_table_but_not_the_memory);
	tcase_add_test(t, a_failed_node_that_is_back_is_found_again);
	tcase_add_test(t, short_or_impossible_versions_are_refused);
	tcase_add_test(t,
	    strangers_get_answers_where_they_are_and_without_our_news);
	tcase_add_test(t, nobody_has_a_stranger_pinged);
	tcase_add_test(t,
	    an_incarnation_that_cannot_be_refuted_is_not_believed);
	tcase_add_test(t, one_that_joins_does_not_tell_what_all_know);
	tcase_add_test(t, two_clusters_that_meet_tell_each_other_of_all);
	tcase_add_test(t, an_address_of_either_form_is_the_same_place);
	tcase_add_test(t, the_log_explains_a_flap);
	tcase_add_test(t, a_failed_probe_says_what_was_tried);
	tcase_add_test(t, a_storm_of_failures_is_told_in_few_lines);
	tcase_add_test(t, a_probe_that_fails_does_not_accuse_a_newer_life);
	tcase_add_test(t,
	    names_that_cannot_be_passed_on_or_printed_are_refused);
	tcase_add_test(t, foreign_addresses_are_repeated_as_they_came);
	tcase_add_test(t, one_with_delegate_version_zero_poisons_an_exchange);
	tcase_add_test(t, hearsay_of_death_only_makes_a_suspect);
	tcase_add_test(t, a_pause_of_our_own_accuses_nobody);
	tcase_add_test(t, news_after_a_quiet_time_are_no_pause);
	tcase_add_test(t, a_lone_node_sleeps);
	tcase_add_test(t,
	    broadcasts_go_out_as_often_as_the_limit_and_newest_replaces);
	tcase_add_test(t, the_least_sent_and_the_longest_that_fits_go_first);
	tcase_add_test(t, a_view_of_a_member_is_small);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

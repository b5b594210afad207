/*
 * Intents, events, queries.
 */
#include "common/mp.h"
#include "tests/unit/gossipd_mesh.h"
#include "tests/unit/common_unit.h"

static struct mesh m;

/* A Serf message into a node, as a user message by UDP. */
static void
say(struct peer *to, enum sf_type type, const struct body *b, const void *obj)
{
	struct gaddr	from = { .len = 4, .ip = { 10, 0, 0, 200 },
			    .port = 8301 };
	struct wbuf	w;

	wb_init(&w, 0);
	wb_u8(&w, ML_USER);
	wb_u8(&w, (uint8_t)type);
	body_encode(b, obj, &w);
	serf_input(to->serf, m.now, &from, w.p, w.len);
	wb_free(&w);
}

static void
say_leave(struct peer *to, const char *node, uint64_t ltime, bool prune)
{
	struct sf_leave	x = {
		.ltime = ltime, .node = span_str(node), .prune = prune
	};

	say(to, SF_LEAVE, &sf_leave_body, &x);
}

static void
say_join(struct peer *to, const char *node, uint64_t ltime)
{
	struct sf_join	x = { .ltime = ltime, .node = span_str(node) };

	say(to, SF_JOIN, &sf_join_body, &x);
}

static void
say_event(struct peer *to, const char *name, const char *payload,
    uint64_t ltime)
{
	struct sf_event	x = {
		.ltime = ltime, .name = span_str(name),
		.payload = span_str(payload)
	};

	say(to, SF_EVENT, &sf_event_body, &x);
}

START_TEST(force_leave_turns_a_failed_member_into_one_that_left)
{
	mesh_cluster(&m, 3);
	m.node[2].up = false;
	mesh_run(&m, 12000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_FAILED);
	ck_assert_int_eq(serf_force_leave(m.node[0].serf, m.now,
	    span_str("n2"), false), 0);
	mesh_run(&m, 2000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEFT);
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[2]), MEMBER_LEFT);
	ck_assert_int_eq(serf_force_leave(m.node[0].serf, m.now,
	    span_str("nosuch"), false), -1);
	mesh_free(&m);
}
END_TEST

START_TEST(a_leave_that_it_never_heard_of_does_not_stick)
{
	struct sf_leave	 leave = { .ltime = 50, .node = span_str("n2") };
	struct wbuf	 w;

	mesh_cluster(&m, 3);
	wb_init(&w, 0);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_LEAVE);
	body_encode(&sf_leave_body, &leave, &w);
	serf_input(m.node[0].serf, m.now, &m.node[1].addr, w.p, w.len);
	wb_free(&w);
	/* As when an exchange brought it: it is not passed on. */
	bcast_prune(swim_bcast(serf_swim(m.node[0].serf)), BC_INTENT, 0);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEAVING);
	ck_assert_ptr_null(mesh_exchange(&m.node[0], &m.node[2], false));
	mesh_run(&m, 2000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(a_join_at_the_time_of_a_guessed_leave_stands)
{
	struct sf_leave	leave = { .ltime = 50, .node = span_str("n2") };
	struct sf_join	join = { .ltime = 50, .node = span_str("n2") };
	struct wbuf	w;

	mesh_cluster(&m, 3);
	wb_init(&w, 0);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_LEAVE);
	body_encode(&sf_leave_body, &leave, &w);
	serf_input(m.node[0].serf, m.now, &m.node[1].addr, w.p, w.len);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEAVING);
	wb_reset(&w);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_JOIN);
	body_encode(&sf_join_body, &join, &w);
	serf_input(m.node[0].serf, m.now, &m.node[1].addr, w.p, w.len);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_ALIVE);
	wb_free(&w);
	mesh_free(&m);
}
END_TEST

START_TEST(a_guess_from_before_it_was_known_does_not_stand_either)
{
	struct sf_leave	 leave = { .ltime = 50, .node = span_str("n2") };
	struct sf_join	 join = { .ltime = 50, .node = span_str("n2") };
	struct peer	*x;

	mesh_cluster(&m, 2);
	ck_assert(serf_leave_intent(m.node[0].serf, &leave, true));
	x = mesh_add(&m);
	ck_assert_ptr_null(mesh_exchange(x, &m.node[1], true));
	mesh_run(&m, 1000);
	ck_assert_int_eq(mesh_status(&m.node[0], x), MEMBER_LEAVING);
	ck_assert(serf_join_intent(m.node[0].serf, &join, true));
	ck_assert_int_eq(mesh_status(&m.node[0], x), MEMBER_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(a_leave_of_one_who_stays_is_dropped)
{
	const struct serf_member	*x;
	uint64_t			 ltime;

	mesh_cluster(&m, 3);
	x = serf_member_find(m.node[0].serf, span_str("n2"));
	ltime = x->ltime + 1;
	say_leave(&m.node[0], "n2", ltime, false);
	/* It does not hear of that, and cannot refute it. */
	bcast_prune(swim_bcast(serf_swim(m.node[0].serf)), BC_INTENT, 0);
	mesh_run(&m, 40000);
	ck_assert_int_eq(x->status, MEMBER_LEAVING);
	mesh_run(&m, 60000);
	ck_assert_int_eq(x->status, MEMBER_ALIVE);
	/* Its own leave is no older than that was. */
	say_leave(&m.node[0], "n2", ltime, false);
	ck_assert_int_eq(x->status, MEMBER_LEAVING);
	mesh_free(&m);
}
END_TEST

START_TEST(who_missed_the_intent_takes_the_leave_itself)
{
	struct ml_claim	c = {
		.from = span_str("n2"), .node = span_str("n2"), .inc = 1
	};

	mesh_cluster(&m, 3);
	mesh_inject(&m.node[0], &m.node[1], ML_DEAD, &ml_claim_body, &c);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEFT);
	ck_assert_uint_eq(m.node[0].events[SERF_FAILED], 0);
	mesh_free(&m);
}
END_TEST

START_TEST(who_heard_of_a_leave_by_exchange_still_takes_it)
{
	struct sf_leave	leave = { .ltime = 50, .node = span_str("n2") };
	struct wbuf	w;

	mesh_cluster(&m, 3);
	wb_init(&w, 0);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_LEAVE);
	body_encode(&sf_leave_body, &leave, &w);
	serf_input(m.node[0].serf, m.now, &m.node[2].addr, w.p, w.len);
	bcast_prune(swim_bcast(serf_swim(m.node[0].serf)), BC_INTENT, 0);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEAVING);
	ck_assert_ptr_null(mesh_exchange(&m.node[0], &m.node[1], false));
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[2]), MEMBER_ALIVE);
	serf_input(m.node[1].serf, m.now, &m.node[2].addr, w.p, w.len);
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[2]), MEMBER_LEAVING);
	wb_free(&w);
	mesh_free(&m);
}
END_TEST

START_TEST(telling_each_other_of_a_leave_does_not_make_it_newer)
{
	uint64_t	before;
	int		i;

	mesh_cluster(&m, 3);
	serf_leave(m.node[2].serf, m.now);
	mesh_run(&m, 12000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEFT);
	before = serf_member_find(m.node[0].serf, span_str("n2"))->ltime;
	for (i = 0; i < 5; i++)
		ck_assert_ptr_null(mesh_exchange(&m.node[0], &m.node[1],
		    false));
	ck_assert_uint_eq(serf_member_find(m.node[0].serf,
	    span_str("n2"))->ltime, before);
	mesh_free(&m);
}
END_TEST

START_TEST(news_of_a_return_do_not_date_the_leave_before_it)
{
	struct sf_join	join = { .node = span_str("n2") };
	struct wbuf	w;
	uint64_t	before;

	mesh_cluster(&m, 3);
	serf_leave(m.node[2].serf, m.now);
	mesh_run(&m, 12000);
	before = serf_member_find(m.node[0].serf, span_str("n2"))->ltime;
	/* The intent of its next life arrives before it is alive. */
	join.ltime = before + 10;
	wb_init(&w, 0);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_JOIN);
	body_encode(&sf_join_body, &join, &w);
	serf_input(m.node[0].serf, m.now, &m.node[1].addr, w.p, w.len);
	wb_free(&w);
	ck_assert_uint_eq(serf_member_find(m.node[0].serf,
	    span_str("n2"))->ltime, before);
	mesh_stop(&m.node[2]);
	(void)mesh_start(&m, &m.node[2]);
	ck_assert_ptr_null(mesh_exchange(&m.node[2], &m.node[1], true));
	mesh_run(&m, 3000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_ALIVE);
	ck_assert_uint_ge(serf_member_find(m.node[0].serf,
	    span_str("n2"))->ltime, before + 10);
	mesh_free(&m);
}
END_TEST

/* What one says that has n2 as left, in its life inc, at the time ltime. */
static void
say_it_left(struct peer *to, uint32_t inc, uint64_t ltime)
{
	struct ml_header	h = { .nodes = 1 };
	struct ml_state		st = {
		.addr = gaddr_ip(&m.node[2].addr), .inc = inc, .port = 8301,
		.name = span_str("n2"), .vsn = span_of("\1\5\2\2\5\4", 6),
		.state = SWIM_LEFT
	};
	struct sf_pushpull	pp = { .ltime = ltime + 1 };
	struct wbuf		left, status, user, w;

	wb_init(&left, 0);
	wb_init(&status, 0);
	wb_init(&user, 0);
	wb_init(&w, 0);
	mp_array(&left, 1);
	mp_str(&left, "n2");
	mp_map(&status, 1);
	mp_str(&status, "n2");
	mp_uint(&status, ltime);
	pp.left = span_of(left.p, left.len);
	pp.status = span_of(status.p, status.len);
	wb_u8(&user, SF_PUSHPULL);
	body_encode(&sf_pushpull_body, &pp, &user);
	h.user_len = user.len;
	wb_u8(&w, ML_PUSHPULL);
	body_encode(&ml_header_body, &h, &w);
	body_encode(&ml_state_body, &st, &w);
	wb_bytes(&w, user.p, user.len);
	ck_assert_ptr_null(serf_merge(to->serf, m.now, false, w.p, w.len));
	wb_free(&left);
	wb_free(&status);
	wb_free(&user);
	wb_free(&w);
}

START_TEST(who_missed_a_return_does_not_make_it_leave_again)
{
	static const uint8_t	meta[] = { 0xff, 0x80 };
	struct serf		*s;
	uint32_t		 inc;

	mesh_cluster(&m, 3);
	s = m.node[0].serf;
	swim_set_meta(serf_swim(m.node[2].serf), m.now, span_of(meta, 2));
	mesh_run(&m, 3000);
	ck_assert_int_eq(swim_lookup(serf_swim(s), span_str("n2"), &inc),
	    SWIM_ALIVE);
	ck_assert_uint_ge(inc, 2);
	say_it_left(&m.node[0], inc - 1,
	    serf_member_find(s, span_str("n2"))->ltime + 5);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_ALIVE);
	/* It is believed of the life that we know. */
	say_it_left(&m.node[0], inc,
	    serf_member_find(s, span_str("n2"))->ltime + 5);
	ck_assert_int_ne(mesh_status(&m.node[0], &m.node[2]), MEMBER_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(prune_makes_it_forgotten)
{
	mesh_cluster(&m, 3);
	m.node[2].up = false;
	mesh_run(&m, 12000);
	ck_assert_int_eq(serf_force_leave(m.node[0].serf, m.now,
	    span_str("n2"), true), 0);
	mesh_run(&m, 2000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_NONE);
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[2]), MEMBER_NONE);
	ck_assert_uint_eq(m.node[1].events[SERF_REAPED], 1);
	mesh_free(&m);
}
END_TEST

START_TEST(prune_of_one_that_refutes_it_forgets_nobody)
{
	mesh_cluster(&m, 3);
	say_leave(&m.node[0], "n2", 900, true);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_LEAVING);
	mesh_run(&m, 40000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_ALIVE);
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[2]), MEMBER_ALIVE);
	ck_assert_uint_eq(m.node[0].events[SERF_REAPED], 0);
	mesh_free(&m);
}
END_TEST

START_TEST(a_leave_that_is_older_than_the_join_is_ignored)
{
	mesh_cluster(&m, 2);
	say_join(&m.node[0], "n1", 20);
	say_leave(&m.node[0], "n1", 20, false);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_ALIVE);
	say_leave(&m.node[0], "n1", 21, false);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_LEAVING);
	say_join(&m.node[0], "n1", 22);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_ALIVE);
	mesh_free(&m);
}
END_TEST

START_TEST(a_leave_of_ourselves_is_refuted_with_a_join)
{
	mesh_cluster(&m, 2);
	say_leave(&m.node[1], "n1", 50, false);
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[1]), MEMBER_ALIVE);
	ck_assert_uint_ge(serf_clocks(m.node[1].serf).member, 51);
	mesh_run(&m, 2000);
	ck_assert_uint_ge(serf_member_find(m.node[0].serf,
	    span_str("n1"))->ltime, 51);
	mesh_free(&m);
}
END_TEST

START_TEST(an_intent_about_a_stranger_waits_for_it)
{
	struct wbuf	w;

	mesh_cluster(&m, 1);
	say_leave(&m.node[0], "n1", 30, false);
	(void)mesh_add(&m);
	/* The newcomer's table is told without its own join intent. */
	m.cut[0][1] = true;
	wb_init(&w, 0);
	swim_state_write(serf_swim(m.node[1].serf), false, false, &w);
	ck_assert_ptr_null(serf_merge(m.node[0].serf, m.now, false, w.p,
	    w.len));
	wb_free(&w);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_LEAVING);
	mesh_free(&m);
}
END_TEST

/* A push/pull from a stranger, whose user part is w. */
static const char *
exchange_user(struct peer *to, const struct wbuf *user)
{
	struct ml_header	h = { .user_len = user->len };
	struct wbuf		b;
	const char		*why;

	wb_init(&b, 0);
	wb_u8(&b, ML_PUSHPULL);
	body_encode(&ml_header_body, &h, &b);
	wb_bytes(&b, user->p, user->len);
	why = serf_merge(to->serf, m.now, false, b.p, b.len);
	wb_free(&b);
	return why;
}

START_TEST(an_endless_list_of_names_is_not_believed)
{
	struct sf_pushpull	 pp = { 0 };
	struct wbuf		 left, status, user;
	char			 name[24];
	size_t			 i, n = SERF_MEMBERS_MAX + 1;

	mesh_cluster(&m, 1);
	wb_init(&left, 0);
	wb_init(&status, 0);
	wb_init(&user, 0);
	mp_array(&left, n);
	mp_map(&status, n);
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "node-%zu", i);
		mp_raw(&left, "", 0);
		mp_str(&status, name);
		mp_uint(&status, i + 1);
	}
	pp.left = span_of(left.p, left.len);
	pp.status = span_of(status.p, status.len);
	wb_u8(&user, SF_PUSHPULL);
	body_encode(&sf_pushpull_body, &pp, &user);
	ck_assert_ptr_null(exchange_user(&m.node[0], &user));
	ck_assert_uint_eq(m.node[0].serf->nintents, 0);
	wb_free(&left);
	wb_free(&status);
	wb_free(&user);
	mesh_free(&m);
}
END_TEST

START_TEST(intents_for_strangers_are_found_by_name_and_the_oldest_goes)
{
	char	name[24];
	int	i;

	mesh_cluster(&m, 1);
	for (i = 0; i < INTENTS_MAX + 10; i++) {
		(void)snprintf(name, sizeof(name), "node-%d", i);
		say_join(&m.node[0], name, 5);
		say_join(&m.node[0], name, 4);
	}
	ck_assert_uint_eq(m.node[0].serf->nintents, INTENTS_MAX);
	say_leave(&m.node[0], "node-3000", 6, false);
	say_join(&m.node[0], "node-0", 5);
	ck_assert_uint_eq(m.node[0].serf->nintents, INTENTS_MAX);
	ck_assert(TAILQ_LAST(&m.node[0].serf->intents, intent_list)->ltime ==
	    5);
	mesh_run(&m, 320000);
	ck_assert_uint_eq(m.node[0].serf->nintents, 0);
	mesh_free(&m);
}
END_TEST

START_TEST(the_failed_are_forgotten_after_the_reconnect_timeout)
{
	struct serf	*s;

	mesh_cluster(&m, 2);
	s = m.node[0].serf;
	m.node[1].up = false;
	mesh_run(&m, 12000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_FAILED);
	s->conf.reconnect_timeout_ns = 60 * NS_PER_S;
	mesh_run(&m, 80000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_NONE);
	mesh_free(&m);
}
END_TEST

START_TEST(past_the_limit_the_gone_are_soon_forgotten)
{
	mesh_cluster(&m, 4);
	m.node[0].serf->conf.members_max = 2;
	m.node[2].up = m.node[3].up = false;
	mesh_run(&m, 20000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_FAILED);
	mesh_run(&m, 60000);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[2]), MEMBER_NONE);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[3]), MEMBER_NONE);
	ck_assert_int_eq(mesh_status(&m.node[0], &m.node[1]), MEMBER_ALIVE);
	ck_assert_int_eq(mesh_status(&m.node[1], &m.node[2]), MEMBER_FAILED);
	mesh_free(&m);
}
END_TEST

START_TEST(a_flood_of_events_fills_no_queue_without_end)
{
	uint64_t	i;

	mesh_cluster(&m, 1);
	for (i = 1; i <= 6000; i++)
		say_event(&m.node[0], "flood", "x", i);
	ck_assert_uint_eq(m.node[0].user_events, 6000);
	ck_assert_uint_eq(bcast_count(swim_bcast(serf_swim(m.node[0].serf)),
	    BC_EVENT), 4096);
	mesh_free(&m);
}
END_TEST

START_TEST(an_event_is_taken_once_and_reaches_all)
{
	int	i;

	mesh_cluster(&m, 6);
	ck_assert_ptr_null(serf_fire(m.node[2].serf, m.now, span_str("deploy"),
	    span_str("x"), false));
	mesh_run(&m, 3000);
	for (i = 0; i < 6; i++)
		ck_assert_uint_eq(m.node[i].user_events, 1);
	say_event(&m.node[0], "deploy", "x", 1);
	ck_assert_uint_eq(m.node[0].user_events, 1);
	say_event(&m.node[0], "deploy", "y", 1);
	ck_assert_uint_eq(m.node[0].user_events, 2);
	mesh_free(&m);
}
END_TEST

START_TEST(events_out_of_the_window_are_dropped)
{
	mesh_cluster(&m, 1);
	say_event(&m.node[0], "a", "", 2000);
	say_event(&m.node[0], "b", "", 1000);
	ck_assert_uint_eq(m.node[0].user_events, 1);
	say_event(&m.node[0], "c", "", 1999);
	ck_assert_uint_eq(m.node[0].user_events, 2);
	mesh_free(&m);
}
END_TEST

START_TEST(an_event_too_large_is_refused)
{
	char	big[600];

	memset(big, 'x', sizeof(big));
	mesh_cluster(&m, 1);
	ck_assert_ptr_nonnull(serf_fire(m.node[0].serf, m.now, span_str("e"),
	    span_of(big, sizeof(big)), false));
	ck_assert_ptr_nonnull(serf_fire(m.node[0].serf, m.now, span_str("e"),
	    span_of(big, 510), false));
	ck_assert_uint_eq(m.node[0].user_events, 0);
	mesh_free(&m);
}
END_TEST

START_TEST(what_happened_before_a_node_came_is_not_for_it)
{
	struct peer	*x;

	mesh_cluster(&m, 2);
	ck_assert_ptr_null(serf_fire(m.node[0].serf, m.now, span_str("old"),
	    span_of(NULL, 0), false));
	mesh_run(&m, 3000);
	x = mesh_add(&m);
	ck_assert_ptr_null(mesh_exchange(x, &m.node[0], true));
	mesh_run(&m, 40000);
	ck_assert_uint_eq(x->user_events, 0);
	/* What it missed later comes with an exchange of state. */
	m.cut[0][2] = m.cut[1][2] = true;
	ck_assert_ptr_null(serf_fire(m.node[0].serf, m.now, span_str("new"),
	    span_of(NULL, 0), false));
	mesh_run(&m, 1000);
	ck_assert_uint_eq(x->user_events, 0);
	m.cut[0][2] = m.cut[1][2] = false;
	ck_assert_ptr_null(mesh_exchange(x, &m.node[0], false));
	ck_assert_uint_eq(x->user_events, 1);
	mesh_free(&m);
}
END_TEST

/* A query from n1 to n0; what comes back to n1's address. */
static void
ask(const char *name, const char *payload, struct span filters,
    uint32_t flags, uint32_t id)
{
	struct sf_query	q = {
		.addr = gaddr_ip(&m.node[1].addr), .port = 8301, .id = id,
		.flags = flags, .ltime = 5, .name = span_str(name),
		.payload = span_str(payload), .src_node = span_str("n1"),
		.timeout = 1000000000, .filters = filters
	};

	say(&m.node[0], SF_QUERY, &sf_query_body, &q);
}

static bool
answered(struct sf_response *a)
{
	struct pkt	*k;
	struct rbuf	 r;

	while ((k = TAILQ_FIRST(&m.pkts)) != NULL) {
		TAILQ_REMOVE(&m.pkts, k, link);
		if (k->n > 2 && k->p[0] == ML_USER && k->p[1] == SF_RESPONSE) {
			rb_init(&r, k->p + 2, k->n - 2);
			body_decode(&sf_response_body, &r, a);
			ck_assert(rb_ok(&r));
			TAILQ_INSERT_HEAD(&m.pkts, k, link);
			return true;
		}
		free(k);
	}
	return false;
}

static void
drop_packets(void)
{
	struct pkt	*k;

	while ((k = TAILQ_FIRST(&m.pkts)) != NULL) {
		TAILQ_REMOVE(&m.pkts, k, link);
		free(k);
	}
}

START_TEST(a_query_is_acknowledged_once_when_it_is_for_us)
{
	struct sf_response	 a;
	struct wbuf		 f;

	mesh_cluster(&m, 2);
	m.node[0].layers.compress = false;
	drop_packets();
	ask("uptime", "", span_of(NULL, 0), SF_FLAG_ACK, 1);
	ck_assert(answered(&a));
	ck_assert_uint_eq(a.id, 1);
	ck_assert_uint_eq(a.flags, SF_FLAG_ACK);
	ck_assert(span_is(a.from, "n0"));
	drop_packets();
	ask("uptime", "", span_of(NULL, 0), SF_FLAG_ACK, 1);
	ck_assert(!answered(&a));

	wb_init(&f, 0);
	/* [ 0 ["nx"] ] */
	mp_array(&f, 1);
	mp_raw(&f, "\0\x91\xa2nx", 5);
	drop_packets();
	ask("uptime", "", span_of(f.p, f.len), SF_FLAG_ACK, 3);
	ck_assert(!answered(&a));
	wb_reset(&f);
	mp_array(&f, 1);
	mp_raw(&f, "\0\x91\xa2n0", 5);
	drop_packets();
	ask("uptime", "", span_of(f.p, f.len), SF_FLAG_ACK, 4);
	ck_assert(answered(&a));
	wb_free(&f);
	mesh_free(&m);
}
END_TEST

START_TEST(who_has_a_name_is_answered_but_not_by_the_one_in_question)
{
	struct sf_response	a;
	struct sf_member	who;
	struct rbuf		r;

	mesh_cluster(&m, 2);
	m.node[0].layers.compress = false;
	drop_packets();
	ask("_serf_conflict", "n1", span_of(NULL, 0), 0, 7);
	ck_assert(answered(&a));
	ck_assert_int_eq(a.payload.p[0], SF_CONFLICT);
	rb_init(&r, a.payload.p + 1, a.payload.n - 1);
	body_decode(&sf_member_body, &r, &who);
	ck_assert(rb_done(&r));
	ck_assert(span_same(who.addr, gaddr_ip(&m.node[1].addr)));
	ck_assert_uint_eq(who.status, MEMBER_ALIVE);
	drop_packets();
	ask("_serf_conflict", "nobody", span_of(NULL, 0), 0, 8);
	ck_assert(answered(&a));
	ck_assert_uint_eq(a.payload.n, 2);
	ck_assert_int_eq(a.payload.p[1], 0xc0);
	drop_packets();
	ask("_serf_conflict", "n0", span_of(NULL, 0), 0, 9);
	ck_assert(!answered(&a));
	mesh_free(&m);
}
END_TEST

START_TEST(a_relayed_message_goes_where_it_says)
{
	struct sf_dest	d = { .port = 8301 };
	struct sf_relay	relay = { .name = span_str("n1") };
	struct gaddr	from = m.node[1].addr;
	struct wbuf	dest, w;
	struct pkt	*k;

	mesh_cluster(&m, 2);
	m.node[0].layers.compress = false;
	drop_packets();
	d.ip = gaddr_ip(&m.node[1].addr);
	wb_init(&dest, 0);
	wb_init(&w, 0);
	body_encode(&sf_dest_body, &d, &dest);
	relay.dest = span_of(dest.p, dest.len);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_RELAY);
	body_encode(&sf_relay_body, &relay, &w);
	wb_bytes(&w, "\5xyz", 4);
	serf_input(m.node[0].serf, m.now, &from, w.p, w.len);
	k = TAILQ_FIRST(&m.pkts);
	ck_assert_ptr_nonnull(k);
	ck_assert(gaddr_equal(&k->to, &m.node[1].addr));
	ck_assert_uint_eq(k->n, 5);
	ck_assert(memcmp(k->p, "\10\5xyz", 5) == 0);
	wb_free(&dest);
	wb_free(&w);
	mesh_free(&m);
}
END_TEST

START_TEST(a_resumed_node_takes_no_old_events)
{
	struct serf_clocks	c = { 5, 40, 3 };

	mesh_cluster(&m, 1);
	serf_resume(m.node[0].serf, &c);
	say_event(&m.node[0], "old", "", 40);
	ck_assert_uint_eq(m.node[0].user_events, 0);
	say_event(&m.node[0], "new", "", 41);
	ck_assert_uint_eq(m.node[0].user_events, 1);
	mesh_free(&m);
}
END_TEST

UNIT_MAIN("gossipd_serf",
    force_leave_turns_a_failed_member_into_one_that_left,
    a_leave_that_it_never_heard_of_does_not_stick,
    a_join_at_the_time_of_a_guessed_leave_stands,
    a_guess_from_before_it_was_known_does_not_stand_either,
    a_leave_of_one_who_stays_is_dropped,
    who_missed_the_intent_takes_the_leave_itself,
    who_heard_of_a_leave_by_exchange_still_takes_it,
    telling_each_other_of_a_leave_does_not_make_it_newer,
    news_of_a_return_do_not_date_the_leave_before_it,
    who_missed_a_return_does_not_make_it_leave_again,
    prune_makes_it_forgotten,
    prune_of_one_that_refutes_it_forgets_nobody,
    a_leave_that_is_older_than_the_join_is_ignored,
    a_leave_of_ourselves_is_refuted_with_a_join,
    an_intent_about_a_stranger_waits_for_it,
    an_endless_list_of_names_is_not_believed,
    intents_for_strangers_are_found_by_name_and_the_oldest_goes,
    the_failed_are_forgotten_after_the_reconnect_timeout,
    past_the_limit_the_gone_are_soon_forgotten,
    a_flood_of_events_fills_no_queue_without_end,
    an_event_is_taken_once_and_reaches_all,
    events_out_of_the_window_are_dropped,
    an_event_too_large_is_refused,
    what_happened_before_a_node_came_is_not_for_it,
    a_query_is_acknowledged_once_when_it_is_for_us,
    who_has_a_name_is_answered_but_not_by_the_one_in_question,
    a_relayed_message_goes_where_it_says,
    a_resumed_node_takes_no_old_events)

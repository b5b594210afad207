/*
 * Queries of our own: who answers, how often that counts, when it is over; and
 * what nobody gets out of a cluster by asking.
 */
#include "common/mp.h"
#include "tests/unit/gossipd_mesh.h"
#include "tests/unit/common_unit.h"

static struct mesh m;

struct heard {
	unsigned	 acks, answers, over;
	char		 from[MESH_MAX][16];
	struct peer	*at;
	struct serf_query *end;		/* ended at the first ack */
};

static void
on_ack(void *arg, struct span from)
{
	struct heard	*h = arg;

	(void)snprintf(h->from[h->acks++], sizeof(h->from[0]), "%.*s",
	    (int)from.n, (const char *)from.p);
	if (h->end != NULL)
		serf_ask_end(h->at->serf, h->end);
}

static void
on_answer(void *arg, struct span from, struct span payload)
{
	struct heard	*h = arg;

	ck_assert_uint_gt(payload.n, 0);
	(void)from;
	h->answers++;
}

static void
on_over(void *arg)
{
	((struct heard *)arg)->over++;
}

static const struct serf_hear hear = {
	.ack = on_ack, .answer = on_answer, .over = on_over
};

static struct serf_query *
ask(struct peer *x, struct serf_question *q, struct heard *h)
{
	struct serf_query	*made;
	const char		*why = NULL;

	memset(h, 0, sizeof(*h));
	h->at = x;
	made = serf_ask(x->serf, m.now, q, &hear, h, &why);
	ck_assert_msg(made != NULL, "%s", why);
	ck_assert_uint_eq(h->acks + h->answers + h->over, 0);
	return made;
}

static void
set_tags(struct peer *x, const char *key, const char *val)
{
	struct wbuf	w;
	struct strmap	map = { 0 };

	wb_init(&w, 0);
	strmap_put(&map, key, val);
	tags_encode(&map, &w);
	swim_set_meta(serf_swim(x->serf), m.now, span_of(w.p, w.len));
	strmap_clear(&map);
	wb_free(&w);
}

START_TEST(each_member_acknowledges_and_answers_once)
{
	struct serf_question	 q = {
		.name = span_str("_serf_conflict"),
		.payload = span_str("n3"), .ack = true, .relay = 3
	};
	struct heard		 h;
	unsigned		 relayed;

	mesh_cluster(&m, 5);
	relayed = m.node[1].sent;
	(void)ask(&m.node[0], &q, &h);
	ck_assert_uint_eq(serf_query_timeout(m.node[0].serf),
	    16 * 200 * NS_PER_MS);
	mesh_run(&m, 3100);
	ck_assert_uint_gt(m.node[1].sent, relayed);
	ck_assert_uint_eq(h.acks, 5);
	/* The one in question has no vote. */
	ck_assert_uint_eq(h.answers, 4);
	ck_assert_uint_eq(h.over, 0);
	mesh_run(&m, 200);
	ck_assert_uint_eq(h.over, 1);
	mesh_free(&m);
}
END_TEST

START_TEST(answers_arrive_through_others_when_the_direct_way_is_cut)
{
	struct serf_question	 q = {
		.name = span_str("uptime"), .ack = true
	};
	struct heard		 h;

	mesh_cluster(&m, 4);
	m.cut[3][0] = true;
	(void)ask(&m.node[0], &q, &h);
	mesh_run(&m, 3000);
	ck_assert_uint_eq(h.acks, 3);
	q.relay = 2;
	mesh_run(&m, 1000);
	(void)ask(&m.node[0], &q, &h);
	mesh_run(&m, 3000);
	ck_assert_uint_eq(h.acks, 4);
	mesh_run(&m, 1000);
	mesh_free(&m);
}
END_TEST

START_TEST(filters_choose_by_name_and_by_expression_on_a_tag)
{
	struct span		 names[] = { span_str("n1"), span_str("n2") };
	struct serf_tag_filter	 tags[] = {
		{ span_str("zone"), span_str("^e(ast|ur)[0-9]$") }
	};
	struct serf_question	 q = {
		.name = span_str("uptime"), .ack = true, .nodes = names,
		.nnodes = 2
	};
	static const struct { const char *expr; unsigned acks; } each[] = {
		{ "^e(ast|ur)[0-9]$", 2 }, { "as", 1 }, { "(?i)EAST1", 1 },
		{ "^$", 2 }, { "", 4 }, { "[", 0 }, { "(?=east)", 0 },
		{ "(a*)*b", 0 },
	};
	struct heard		 h;
	size_t			 i;

	mesh_cluster(&m, 4);
	(void)ask(&m.node[0], &q, &h);
	mesh_run(&m, 4000);
	ck_assert_uint_eq(h.acks, 2);
	set_tags(&m.node[1], "zone", "east1");
	set_tags(&m.node[2], "zone", "eur7");
	q.nnodes = 0;
	q.tags = tags;
	q.ntags = 1;
	for (i = 0; i < NELEM(each); i++) {
		tags[0].expr = span_str(each[i].expr);
		(void)ask(&m.node[0], &q, &h);
		mesh_run(&m, 4000);
		ck_assert_msg(h.acks == each[i].acks, "%s: %u",
		    each[i].expr, h.acks);
	}
	/* All filters must match. */
	tags[0].expr = span_str("e");
	q.nodes = names;
	q.nnodes = 1;
	(void)ask(&m.node[0], &q, &h);
	mesh_run(&m, 4000);
	ck_assert_uint_eq(h.acks, 1);
	ck_assert_str_eq(h.from[0], "n1");
	mesh_free(&m);
}
END_TEST

START_TEST(a_query_can_be_ended_from_within_an_answer)
{
	struct serf_question	 q = {
		.name = span_str("uptime"), .ack = true
	};
	struct heard		 h;
	struct serf_query	*made;

	mesh_cluster(&m, 3);
	made = ask(&m.node[0], &q, &h);
	h.end = made;
	mesh_run(&m, 5000);
	ck_assert_uint_eq(h.acks, 1);
	ck_assert_uint_eq(h.over, 0);
	mesh_free(&m);
}
END_TEST

START_TEST(too_large_or_too_many_are_refused_with_the_reason)
{
	static char		 big[1100];
	struct serf_question	 q = { .name = span_str("x") };
	struct heard		 h = { 0 };
	const char		*why = NULL;
	int			 i;

	mesh_cluster(&m, 1);
	memset(big, 'x', sizeof(big) - 1);
	q.payload = span_str(big);
	ck_assert_ptr_null(serf_ask(m.node[0].serf, m.now, &q, &hear, &h,
	    &why));
	ck_assert_str_eq(why, "query exceeds limit of 1024 bytes");
	q.payload = span_of(NULL, 0);
	for (i = 0; i < 64; i++)
		ck_assert_ptr_nonnull(serf_ask(m.node[0].serf, m.now, &q,
		    &hear, &h, &why));
	ck_assert_ptr_null(serf_ask(m.node[0].serf, m.now, &q, &hear, &h,
	    &why));
	mesh_run(&m, 4000);
	ck_assert_uint_eq(h.over, 64);
	ck_assert_ptr_nonnull(serf_ask(m.node[0].serf, m.now, &q, &hear, &h,
	    &why));
	mesh_free(&m);
}
END_TEST

static void
say_response(struct peer *to, const struct sf_response *a)
{
	struct gaddr	from = { .len = 4, .ip = { 192, 0, 2, 9 }, .port = 1 };
	struct wbuf	w;

	wb_init(&w, 0);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_RESPONSE);
	body_encode(&sf_response_body, a, &w);
	serf_input(to->serf, m.now, &from, w.p, w.len);
	wb_free(&w);
}

START_TEST(answers_of_strangers_and_to_other_questions_do_not_count)
{
	struct serf_question	 q = {
		.name = span_str("uptime"), .ack = true
	};
	struct sf_query		 sent;
	struct sf_response	 a = { .flags = SF_FLAG_ACK };
	struct rbuf		 r;
	struct heard		 h;
	struct compound		 c;
	unsigned		 acks;

	mesh_cluster(&m, 2);
	(void)ask(&m.node[0], &q, &h);
	compound_init(&c);
	bcast_take(swim_bcast(serf_swim(m.node[0].serf)), 100, 1200, &c);
	ck_assert_uint_eq(c.n, 1);
	rb_init(&r, c.body.p + 2, c.body.len - 2);
	body_decode(&sf_query_body, &r, &sent);
	ck_assert(rb_ok(&r));
	ck_assert_uint_lt(sent.id, 1u << 31);
	mesh_run(&m, 1000);
	acks = h.acks;
	ck_assert_uint_eq(acks, 2);
	a.ltime = sent.ltime;
	a.id = sent.id;
	a.from = span_str("stranger");
	say_response(&m.node[0], &a);
	a.from = span_str("n1");
	say_response(&m.node[0], &a);
	a.id++;
	say_response(&m.node[0], &a);
	ck_assert_uint_eq(h.acks, acks);
	compound_clear(&c);
	mesh_free(&m);
}
END_TEST

static void
say_query(struct peer *to, const struct sf_query *q)
{
	struct wbuf	w;

	wb_init(&w, 0);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_QUERY);
	body_encode(&sf_query_body, q, &w);
	serf_input(to->serf, m.now, &m.node[1].addr, w.p, w.len);
	wb_free(&w);
}

static unsigned
sent_to(const struct gaddr *a)
{
	struct pkt	*k;
	unsigned	 n = 0;

	TAILQ_FOREACH(k, &m.pkts, link)
		n += gaddr_equal(&k->to, a);
	return n;
}

START_TEST(no_cluster_answers_to_a_stranger)
{
	struct gaddr	victim = { .len = 4, .ip = { 192, 0, 2, 1 },
			    .port = 53 };
	struct sf_query	q = {
		.addr = gaddr_ip(&victim), .port = 53, .flags = SF_FLAG_ACK,
		.ltime = 5, .name = span_str("x"), .relay = 200,
		.src_node = span_str("n1")
	};
	unsigned	before;

	mesh_cluster(&m, 8);
	for (q.id = 1; q.id < 20; q.id++)
		say_query(&m.node[0], &q);
	q.src_node = span_str("");
	for (; q.id < 40; q.id++)
		say_query(&m.node[0], &q);
	ck_assert_uint_eq(sent_to(&victim), 0);
	/* A member without a name, as peers before 0.9, and as mapped. */
	q.addr = span_of("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\2", 16);
	q.port = 8301;
	before = m.node[0].sent;
	say_query(&m.node[0], &q);
	/* One answer and no more relays than agents can ask for. */
	ck_assert_uint_eq(m.node[0].sent - before, 6);
	mesh_free(&m);
}
END_TEST

START_TEST(expressions_of_others_are_tried_some_times_a_second)
{
	struct sf_query	q = {
		.flags = SF_FLAG_ACK, .ltime = 5, .name = span_str("x"),
		.src_node = span_str("n1")
	};
	struct sf_tag_filter f = { span_str("^$"), span_str("none") };
	struct wbuf	one, all;
	unsigned	before;

	mesh_cluster(&m, 2);
	wb_init(&one, 0);
	wb_init(&all, 0);
	wb_u8(&one, SF_FILTER_TAG);
	body_encode(&sf_tag_filter_body, &f, &one);
	mp_array(&all, 1);
	mp_raw(&all, one.p, one.len);
	q.filters = span_of(all.p, all.len);
	q.addr = gaddr_ip(&m.node[1].addr);
	q.port = m.node[1].addr.port;
	before = m.node[0].sent;
	for (q.id = 1; q.id < 200; q.id++)
		say_query(&m.node[0], &q);
	ck_assert_uint_eq(m.node[0].sent - before, 64);
	mesh_run(&m, 1000);
	before = m.node[0].sent;
	q.id = 1000;
	say_query(&m.node[0], &q);
	ck_assert_uint_eq(m.node[0].sent - before, 1);
	wb_free(&one);
	wb_free(&all);
	mesh_free(&m);
}
END_TEST

static void
say_relay(struct peer *to, const struct gaddr *at, const char *name,
    const char *inner, size_t n)
{
	struct sf_dest	d = { .ip = gaddr_ip(at), .port = at->port };
	struct sf_relay	relay = { .name = span_str(name) };
	struct wbuf	dest, w;

	wb_init(&dest, 0);
	wb_init(&w, 0);
	body_encode(&sf_dest_body, &d, &dest);
	relay.dest = span_of(dest.p, dest.len);
	wb_u8(&w, ML_USER);
	wb_u8(&w, SF_RELAY);
	body_encode(&sf_relay_body, &relay, &w);
	wb_bytes(&w, inner, n);
	serf_input(to->serf, m.now, &m.node[1].addr, w.p, w.len);
	wb_free(&dest);
	wb_free(&w);
}

START_TEST(relays_go_to_members_and_carry_answers_alone)
{
	struct gaddr	victim = { .len = 4, .ip = { 192, 0, 2, 1 },
			    .port = 53 };
	unsigned	before;
	int		i;

	mesh_cluster(&m, 3);
	before = m.node[0].sent;
	say_relay(&m.node[0], &victim, "", "\5x", 2);
	say_relay(&m.node[0], &victim, "n2", "\5x", 2);
	say_relay(&m.node[0], &victim, "stranger", "\5x", 2);
	say_relay(&m.node[0], &m.node[2].addr, "n2", "\3x", 2);
	say_relay(&m.node[0], &m.node[2].addr, "n2", "\11x", 2);
	ck_assert_uint_eq(m.node[0].sent, before);
	say_relay(&m.node[0], &m.node[2].addr, "n2", "\5x", 2);
	ck_assert_uint_eq(m.node[0].sent, before + 1);
	/* Without a name all members are looked at, not without end. */
	for (i = 0; i < 1000; i++)
		say_relay(&m.node[0], &m.node[2].addr, "", "\5x", 2);
	ck_assert_uint_gt(m.node[0].sent, before + 10);
	ck_assert_uint_lt(m.node[0].sent, before + 100);
	mesh_free(&m);
}
END_TEST

START_TEST(a_resumed_node_answers_no_old_query)
{
	struct serf_clocks	c = { .query = 20 };
	struct sf_query		q = {
		.flags = SF_FLAG_ACK, .ltime = 20, .id = 1,
		.name = span_str("x"), .src_node = span_str("n1")
	};
	unsigned		before;

	mesh_cluster(&m, 2);
	q.addr = gaddr_ip(&m.node[1].addr);
	q.port = m.node[1].addr.port;
	serf_resume(m.node[0].serf, &c);
	before = m.node[0].sent;
	say_query(&m.node[0], &q);
	ck_assert_uint_eq(m.node[0].sent, before);
	q.ltime = 21;
	say_query(&m.node[0], &q);
	ck_assert_uint_eq(m.node[0].sent, before + 1);
	/* 512 later it is too old, and its slot is another's. */
	q.ltime = 21 + 600;
	say_query(&m.node[0], &q);
	q.ltime = 25;
	say_query(&m.node[0], &q);
	ck_assert_uint_eq(m.node[0].sent, before + 2);
	mesh_free(&m);
}
END_TEST

UNIT_MAIN("gossipd_query",
    each_member_acknowledges_and_answers_once,
    answers_arrive_through_others_when_the_direct_way_is_cut,
    filters_choose_by_name_and_by_expression_on_a_tag,
    a_query_can_be_ended_from_within_an_answer,
    too_large_or_too_many_are_refused_with_the_reason,
    answers_of_strangers_and_to_other_questions_do_not_count,
    no_cluster_answers_to_a_stranger,
    relays_go_to_members_and_carry_answers_alone,
    expressions_of_others_are_tried_some_times_a_second,
    a_resumed_node_answers_no_old_query)

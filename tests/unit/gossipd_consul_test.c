/*
 * Who is let into which pool, under which tags, from which networks, with which
 * timing.
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/gossipd.h"
#include "gossipd/tags.h"
#include "tests/unit/common_unit.h"

/* gossipd.c's, which is not linked here. */
void
gossipd_left(struct pool *p)
{
	(void)p;
}

#define TAGS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SERVER "role", "consul", "port", "8300", "vsn", "2", "build", "1.8.7:"

/* A member with those tags; meta is the caller's to free. */
static struct swim_said
said(const char *name, struct wbuf *meta, const char *const *tags)
{
	struct swim_said	 a = { .state = SWIM_ALIVE, .inc = 1 };
	struct strmap		 map = { 0 };

	for (; *tags != NULL; tags += 2)
		strmap_put(&map, tags[0], tags[1]);
	wb_init(meta, 0);
	tags_encode(&map, meta);
	strmap_clear(&map);
	a.name = span_str(name);
	a.meta = span_of(meta->p, meta->len);
	return a;
}

static const struct {
	const char		*name;
	const char *const	*tags;
	bool			 in;	/* the WAN pool of a server of dc1 */
} wan_cases[] = {
	{ "s2.dc2", TAGS(SERVER, "dc", "dc2"), true },
	{ "s2.dc2", TAGS(SERVER, "dc", "dc2", "disco", "0.1.0"), true },
	{ "other.dc1", TAGS(SERVER, "dc", "dc1"), false },
	{ "c.dc2", TAGS("role", "node", "dc", "dc2"), false },
	{ "c.dc1", TAGS("role", "node", "dc", "dc1"), false },
	{ "s2", TAGS(SERVER, "dc", "dc2"), false },
	{ "dc2", TAGS(SERVER, "dc", "dc2"), false },
	{ ".dc2", TAGS(SERVER, "dc", "dc2"), false },
	{ "s2.dc3", TAGS(SERVER, "dc", "dc2"), false },
	{ "x.dc2", TAGS(SERVER), false },
	{ "bad.dc2", TAGS("role", "consul", "port", "8300", "vsn", "2",
	    "dc", "dc2", "build", "none"), false },
	/* A segment or an id is nothing to the WAN pool. */
	{ "s3.dc2", TAGS(SERVER, "dc", "dc2", "segment", "x", "id", "me"),
	    true },
};

START_TEST(the_wan_pool_takes_servers_of_all_datacenters)
{
	struct consul_rules	 us = { .name = "me.dc1", .id = "me",
				    .dc = "dc1", .server = true, .wan = true };
	struct swim_said	 a;
	struct wbuf		 w;
	const char		*why;

	a = said(wan_cases[_i].name, &w, wan_cases[_i].tags);
	why = consul_admit(&us, &a, 1);
	ck_assert_msg((why == NULL) == wan_cases[_i].in, "%s: %s",
	    wan_cases[_i].name, why == NULL ? "in" : why);
	wb_free(&w);
}
END_TEST

START_TEST(one_that_is_no_server_keeps_a_whole_list_out_of_the_wan_pool)
{
	struct consul_rules	us = { .name = "me.dc1", .id = "me",
				    .dc = "dc1", .server = true, .wan = true };
	struct swim_said	a[2];
	struct wbuf		w[2];

	a[0] = said("s2.dc2", &w[0], TAGS(SERVER, "dc", "dc2"));
	a[1] = said("c", &w[1], TAGS("role", "node", "dc", "dc2"));
	ck_assert_str_eq(consul_admit(&us, a, 2), "it is no server");
	wb_free(&w[1]);
	/* One of a LAN pool among them is for each of us to leave out. */
	a[1] = said("s3", &w[1], TAGS(SERVER, "dc", "dc2"));
	ck_assert_ptr_null(consul_admit(&us, a, 2));
	ck_assert_ptr_nonnull(consul_admit(&us, &a[1], 1));
	wb_free(&w[0]);
	wb_free(&w[1]);
}
END_TEST

START_TEST(servers_of_another_datacenter_never_clash)
{
	struct consul_rules	us = { .name = "me.dc1", .id = "me",
				    .dc = "dc1", .server = true, .wan = true };
	struct swim_said	a[2];
	struct wbuf		w[2];

	a[0] = said("s2.dc2", &w[0], TAGS(SERVER, "dc", "dc2"));
	a[1] = said("s1.dc1", &w[1], TAGS(SERVER, "dc", "dc1"));
	ck_assert_ptr_eq(consul_find_clash(&us, a, 2), &a[1]);
	ck_assert_ptr_null(consul_find_clash(&us, a, 1));
	/* One that is gone is no clash. */
	a[1].state = SWIM_DEAD;
	ck_assert_ptr_null(consul_find_clash(&us, a, 2));
	wb_free(&w[0]);
	wb_free(&w[1]);
}
END_TEST

START_TEST(tags_in_the_wan_pool_are_those_of_a_consul_server)
{
	static char	dc[] = "dc1", id[] = "1234";
	struct conf_agent agent = {
		.server = true, .datacenter = dc, .node_id = id,
		.port_rpc = 8300, .port_wan = 8302, .bootstrap_expect = 3
	};
	static const char *const want[] = { "acls", "build", "dc", "disco",
	    "expect", "id", "port", "raft_vsn", "role", "segment", "vsn",
	    "vsn_max", "vsn_min" };
	struct strmap	t = { 0 };
	size_t		i;

	consul_tags_wan(&agent, &t);
	ck_assert_uint_eq(t.n, NELEM(want));
	for (i = 0; i < t.n; i++)
		ck_assert_str_eq(t.item[i].key, want[i]);
	strmap_clear(&t);
	/* The LAN pool is told where the WAN pool is. */
	consul_tags(&agent, &t);
	ck_assert_str_eq(strmap_get(&t, "wan_join_port"), "8302");
	strmap_clear(&t);
}
END_TEST

START_TEST(a_wan_is_given_more_time)
{
	static struct gossipd	g;
	struct serf_conf	lan, wan;

	pool_init(&g, &g.lan, false);
	pool_init(&g, &g.wan, true);
	lan = pool_conf(&g.lan);
	wan = pool_conf(&g.wan);
	ck_assert_uint_eq(lan.swim.probe_interval_ns, NS_PER_S);
	ck_assert_uint_eq(wan.swim.probe_interval_ns, 5 * NS_PER_S);
	ck_assert_uint_eq(wan.swim.probe_timeout_ns, 3 * NS_PER_S);
	ck_assert_uint_eq(wan.swim.gossip_interval_ns, 500 * NS_PER_MS);
	ck_assert_uint_eq(wan.swim.pushpull_interval_ns, 60 * NS_PER_S);
	ck_assert_uint_eq(wan.swim.gossip_dead_ns, 60 * NS_PER_S);
	ck_assert_uint_eq(wan.swim.reclaim_ns, 30 * NS_PER_S);
	ck_assert_uint_eq(wan.swim.suspicion_mult, 6);
	/* Consul's, where memberlist has 4. */
	ck_assert_uint_eq(wan.swim.gossip_nodes, 3);
	ck_assert_uint_eq(wan.swim.retransmit_mult, 4);
	ck_assert_uint_eq(pool_exchange_ms(&g.wan), 30000);
	ck_assert_uint_eq(wan.reconnect_timeout_ns, 72 * 3600 * NS_PER_S);
	g.conf.wan.probe_interval = NS_PER_S;
	g.conf.reconnect_timeout_wan = 9 * 3600 * NS_PER_S;
	wan = pool_conf(&g.wan);
	ck_assert_uint_eq(wan.swim.probe_interval_ns, NS_PER_S);
	ck_assert_uint_eq(wan.reconnect_timeout_ns, 9 * 3600 * NS_PER_S);
	ck_assert_uint_eq(pool_conf(&g.lan).reconnect_timeout_ns,
	    72 * 3600 * NS_PER_S);
}
END_TEST

START_TEST(a_server_is_known_by_its_tags)
{
	const struct { const char *const *tags; bool valid; } cases[] = {
		{ TAGS(SERVER), true },
		{ TAGS(SERVER, "expect", "3", "ft_fs", "1"), true },
		{ TAGS(SERVER, "expect", "x"), false },
		{ TAGS(SERVER, "raft_vsn", ""), false },
		{ TAGS(SERVER, "sl_a", "10.0.0.1:8301"), true },
		{ TAGS(SERVER, "sl_a", "nonsense"), false },
		{ TAGS("role", "node", "port", "1", "vsn", "2", "build",
		    "1.8.7"), false },
		{ TAGS("role", "consul", "vsn", "2", "build", "1.8.7"), false },
		{ TAGS("role", "consul", "port", "8300", "vsn", "2", "build",
		    "new"), false },
	};
	struct swim_said	a;
	struct wbuf		w;
	size_t			i;

	for (i = 0; i < NELEM(cases); i++) {
		a = said("s", &w, cases[i].tags);
		ck_assert_msg(consul_valid_server(a.meta) == cases[i].valid,
		    "case %zu", i);
		wb_free(&w);
	}
}
END_TEST

START_TEST(admission_is_consuls_and_servers_do_not_mix)
{
	struct consul_rules	us = {
		.name = "me", .id = "id-me", .dc = "dc1", .server = false
	};
	const struct {
		const char *const *tags;
		bool	client_admits, server_admits;
	} cases[] = {
		{ TAGS("role", "node", "dc", "dc1"), true, true },
		{ TAGS("role", "node", "dc", "dc2"), false, false },
		{ TAGS("role", "node", "dc", "dc1", "id", "id-me"), false,
		    false },
		{ TAGS("role", "node", "dc", "dc1", "segment", "a"), false,
		    false },
		{ TAGS("role", "web"), true, true },
		{ TAGS(SERVER, "dc", "dc2"), false, false },
		{ TAGS(SERVER, "dc", "dc1"), true, false },
		{ TAGS(SERVER, "dc", "dc1", "disco", "0.1.0"), true, true },
	};
	struct swim_said	a;
	struct wbuf		w;
	size_t			i;

	for (i = 0; i < NELEM(cases); i++) {
		a = said("other", &w, cases[i].tags);
		us.server = false;
		ck_assert_msg((consul_admit(&us, &a, 1) == NULL) ==
		    cases[i].client_admits, "client, case %zu", i);
		us.server = true;
		ck_assert_msg((consul_admit(&us, &a, 1) == NULL) ==
		    cases[i].server_admits, "server, case %zu", i);
		/* What is gone hurts nobody. */
		a.state = SWIM_DEAD;
		if (consul_valid_server(a.meta) && i >= 6)
			ck_assert_ptr_null(consul_admit(&us, &a, 1));
		wb_free(&w);
	}
}
END_TEST

START_TEST(two_members_of_a_list_do_not_share_an_id)
{
	struct consul_rules	us = { .name = "me", .id = "x", .dc = "dc1" };
	const char *const	*tags = TAGS("role", "node", "dc", "dc1",
				    "id", "same", "build", "1.8.7:");
	struct swim_said	a[2];
	struct wbuf		w[2];

	a[0] = said("a", &w[0], tags);
	a[1] = said("b", &w[1], tags);
	ck_assert_ptr_nonnull(consul_admit(&us, a, 2));
	a[1].state = SWIM_LEFT;
	ck_assert_ptr_null(consul_admit(&us, a, 2));
	wb_free(&w[0]);
	wb_free(&w[1]);
}
END_TEST

START_TEST(our_own_tags_are_those_of_a_consul_agent)
{
	struct conf_agent	a = { .node_id = (char *)(uintptr_t)"u",
				    .datacenter = (char *)(uintptr_t)"dc1",
				    .port_rpc = 8300, .bootstrap_expect = 3 };
	struct strmap		t = { 0 };
	struct wbuf		w;
	struct consul_rules	rules = { .name = "me", .dc = "dc1",
				    .server = true };
	struct swim_said	said = { .state = SWIM_ALIVE,
				    .name = span_str("other") };

	consul_tags(&a, &t);
	ck_assert_str_eq(strmap_get(&t, "role"), "node");
	ck_assert_str_eq(strmap_get(&t, "segment"), "");
	ck_assert_str_eq(strmap_get(&t, "build"), DISCO_BUILD);
	ck_assert_ptr_null(strmap_get(&t, "disco"));
	ck_assert_ptr_null(strmap_get(&t, "expect"));
	strmap_clear(&t);

	a.server = true;
	consul_tags(&a, &t);
	ck_assert_str_eq(strmap_get(&t, "role"), "consul");
	ck_assert_str_eq(strmap_get(&t, "expect"), "3");
	ck_assert_str_eq(strmap_get(&t, "disco"), DISCO_VERSION);
	wb_init(&w, 0);
	tags_encode(&t, &w);
	ck_assert(consul_valid_server(span_of(w.p, w.len)));
	ck_assert(!consul_foreign_server(span_of(w.p, w.len), "dc1"));
	ck_assert_uint_le(w.len, META_MAX);
	said.meta = span_of(w.p, w.len);
	/* Another of disco's, this one again, one that is gone, a client's
	 * view. */
	ck_assert_ptr_null(consul_server_clash(&rules, &said));
	said.name = span_str("me");
	ck_assert_ptr_null(consul_server_clash(&rules, &said));
	said.name = span_str("other");
	said.state = SWIM_DEAD;
	ck_assert_ptr_null(consul_server_clash(&rules, &said));
	said.state = SWIM_ALIVE;
	rules.server = false;
	ck_assert_ptr_null(consul_server_clash(&rules, &said));
	wb_free(&w);
	strmap_clear(&t);

	a.bootstrap_expect = 1;
	consul_tags(&a, &t);
	ck_assert_str_eq(strmap_get(&t, "bootstrap"), "1");
	ck_assert_ptr_null(strmap_get(&t, "expect"));
	strmap_clear(&t);
}
END_TEST

START_TEST(meta_without_the_magic_byte_is_a_role)
{
	struct strmap	t = { 0 };

	tags_decode(span_str("web"), &t);
	ck_assert_uint_eq(t.n, 1);
	ck_assert_str_eq(strmap_get(&t, "role"), "web");
	strmap_clear(&t);
}
END_TEST

int
main(void)
{
	TCase	*t = unit_case("gossipd_consul");

	tcase_add_loop_test(t, the_wan_pool_takes_servers_of_all_datacenters,
	    0, NELEM(wan_cases));
	tcase_add_test(t,
	    one_that_is_no_server_keeps_a_whole_list_out_of_the_wan_pool);
	tcase_add_test(t, servers_of_another_datacenter_never_clash);
	tcase_add_test(t, tags_in_the_wan_pool_are_those_of_a_consul_server);
	tcase_add_test(t, a_wan_is_given_more_time);
	tcase_add_test(t, a_server_is_known_by_its_tags);
	tcase_add_test(t, admission_is_consuls_and_servers_do_not_mix);
	tcase_add_test(t, two_members_of_a_list_do_not_share_an_id);
	tcase_add_test(t, our_own_tags_are_those_of_a_consul_agent);
	tcase_add_test(t, meta_without_the_magic_byte_is_a_role);
	return unit_case_run("gossipd_consul", t);
}

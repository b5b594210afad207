/*
 * rpcd/servers: who counts as a server, and the order they are asked in; and
 * which failures of a call may be repeated.
 */
#include <stdio.h>
#include <string.h>

#include "rpcd/forward.h"
#include "rpcd/servers.h"
#include "tests/unit/common_unit.h"

static void
make_server(struct member *m, const char *name, const char *ip)
{
	memset(m, 0, sizeof(*m));
	str_set(&m->name, name);
	str_set(&m->addr, ip);
	m->port = 8301;
	m->status = MEMBER_ALIVE;
	strmap_put(&m->tags, "role", "consul");
	strmap_put(&m->tags, "dc", "dc1");
	strmap_put(&m->tags, "port", "8300");
	strmap_put(&m->tags, "vsn", "2");
	strmap_put(&m->tags, "build", "1.8.7:abc");
}

static void
tell(struct servers *s, const char *name, const char *ip, uint64_t status)
{
	struct member	 m;

	make_server(&m, name, ip);
	m.status = status;
	servers_member(s, &m);
	schema_clear(&member_schema, &m);
}

static const char *
first(const struct servers *s)
{
	const struct server_id	*id = servers_first(s);

	return id == NULL ? "none" : id->name;
}

static const struct {
	const char	*key, *val;
	bool		 is;
} tags[] = {
	{ "role", "node", false },
	{ "dc", "dc2", false },
	{ "port", "", false },
	{ "port", "70000", false },
	{ "port", "83x0", false },
	{ "port", "8310", true },
	{ "vsn", "two", false },
	{ "build", "1.8", false },
	{ "build", "v1.8.7-rc1", true },
	{ "raft_vsn", "x", false },
	{ "raft_vsn", "3", true },
	{ "expect", "-1", false },
	{ "expect", "3", true },
	{ "segment", "anything", true },
};

START_TEST(server_is_what_its_tags_say)
{
	struct member		 m;
	struct sockaddr_storage	 a;
	const char		*why;
	size_t			 i;
	bool			 put = false;

	make_server(&m, "s1", "10.0.0.2");
	for (i = 0; i < m.tags.n; i++)
		if (strcmp(m.tags.item[i].key, tags[_i].key) == 0) {
			str_set(&m.tags.item[i].val, tags[_i].val);
			put = true;
		}
	if (!put)
		strmap_put(&m.tags, tags[_i].key, tags[_i].val);
	ck_assert_msg(servers_parse(&m, "dc1", &a, &why) == tags[_i].is,
	    "%s=%s", tags[_i].key, tags[_i].val);
	schema_clear(&member_schema, &m);
}
END_TEST

START_TEST(address_is_the_members_with_the_tags_port)
{
	struct servers	*s = servers_new("dc1");
	char		 text[ADDR_TEXT_MAX];

	tell(s, "s1", "10.0.0.2", MEMBER_ALIVE);
	ck_assert_str_eq(addr_text(&servers_first(s)->addr, text,
	    sizeof(text)), "10.0.0.2:8300");
	/* It came back elsewhere. */
	tell(s, "s1", "fd00::2", MEMBER_ALIVE);
	ck_assert_uint_eq(servers_count(s), 1);
	ck_assert_str_eq(addr_text(&servers_first(s)->addr, text,
	    sizeof(text)), "[fd00::2]:8300");
	servers_free(s);
}
END_TEST

START_TEST(dead_and_left_servers_are_not_asked)
{
	struct servers	*s = servers_new("dc1");

	tell(s, "s1", "10.0.0.2", MEMBER_ALIVE);
	tell(s, "s2", "10.0.0.3", MEMBER_ALIVE);
	tell(s, "s1", "10.0.0.2", MEMBER_FAILED);
	ck_assert_str_eq(first(s), "s2");
	tell(s, "s2", "10.0.0.3", MEMBER_LEFT);
	ck_assert_str_eq(first(s), "none");
	ck_assert_uint_eq(servers_nodes(s), 0);
	servers_free(s);
}
END_TEST

START_TEST(whole_list_replaces_what_was_known)
{
	struct servers	*s = servers_new("dc1");

	tell(s, "s1", "10.0.0.2", MEMBER_ALIVE);
	tell(s, "s2", "10.0.0.3", MEMBER_ALIVE);
	servers_begin(s);
	tell(s, "s2", "10.0.0.3", MEMBER_ALIVE);
	ck_assert_uint_eq(servers_count(s), 2);
	servers_end(s);
	ck_assert_uint_eq(servers_count(s), 1);
	ck_assert_str_eq(first(s), "s2");
	ck_assert_uint_eq(servers_nodes(s), 1);
	servers_free(s);
}
END_TEST

START_TEST(failed_server_goes_to_the_end_only_from_the_head)
{
	struct servers	*s = servers_new("dc1");

	tell(s, "s1", "10.0.0.2", MEMBER_ALIVE);
	tell(s, "s2", "10.0.0.3", MEMBER_ALIVE);
	tell(s, "s3", "10.0.0.4", MEMBER_ALIVE);
	servers_failed(s, "s1");
	ck_assert_str_eq(first(s), "s2");
	servers_failed(s, "s1");
	ck_assert_str_eq(first(s), "s2");
	servers_failed(s, "s2");
	ck_assert_str_eq(first(s), "s3");
	servers_free(s);
}
END_TEST

START_TEST(order_is_adopted_while_its_first_is_known)
{
	struct servers	*s = servers_new("dc1");
	struct strs	 order = { 0 };

	tell(s, "s1", "10.0.0.2", MEMBER_ALIVE);
	tell(s, "s2", "10.0.0.3", MEMBER_ALIVE);
	strs_add(&order, "s2");
	strs_add(&order, "s1");
	tell(s, "s3", "10.0.0.4", MEMBER_ALIVE);
	servers_adopt(s, &order);
	ck_assert_str_eq(first(s), "s2");
	ck_assert_uint_eq(servers_count(s), 3);
	strs_clear(&order);
	strs_add(&order, "gone");
	strs_add(&order, "s1");
	servers_adopt(s, &order);
	ck_assert_str_eq(first(s), "s2");
	strs_clear(&order);
	servers_free(s);
}
END_TEST

START_TEST(shuffle_keeps_everybody)
{
	struct servers	*s = servers_new("dc1");
	struct strs	 order;
	struct rng	 rng;

	rng_seed(&rng, 1);
	tell(s, "s1", "10.0.0.2", MEMBER_ALIVE);
	tell(s, "s2", "10.0.0.3", MEMBER_ALIVE);
	tell(s, "s3", "10.0.0.4", MEMBER_ALIVE);
	servers_shuffled(s, &rng, &order);
	ck_assert_uint_eq(order.n, 3);
	ck_assert(strs_has(&order, "s1") && strs_has(&order, "s2") &&
	    strs_has(&order, "s3"));
	strs_clear(&order);
	servers_free(s);
}
END_TEST

/* ---- other datacenters ---- */

static void
tell_wan(struct servers *s, const char *name, const char *dc, uint64_t status)
{
	struct member	 m;

	make_server(&m, name, "10.1.0.2");
	strmap_put(&m.tags, "dc", dc);
	m.status = status;
	m.wan = true;
	servers_member(s, &m);
	schema_clear(&member_schema, &m);
}

/* Whom to ask there, or why nobody. */
static const char *
remote(struct servers *s, const char *dc, uint64_t now, size_t *n)
{
	const struct server_id	*id;
	const char		*why = NULL;
	struct rng		 rng;

	rng_seed(&rng, now + 1);
	if ((id = servers_remote(s, dc, now, &rng, n, &why)) == NULL)
		return why;
	ck_assert_str_eq(id->dc, dc);
	return id->name;
}

static const char no_path[] = "No path to datacenter";
static const char nobody[] = "Remote DC has no server currently reachable";

START_TEST(servers_of_the_wan_pool_are_their_datacenters)
{
	struct servers	*s = servers_new("dc1");
	size_t		 n;

	tell(s, "a", "10.0.0.2", MEMBER_ALIVE);
	tell_wan(s, "a.dc1", "dc1", MEMBER_ALIVE);
	tell_wan(s, "b.dc2", "dc2", MEMBER_ALIVE);
	ck_assert_uint_eq(servers_count(s), 1);
	ck_assert_uint_eq(servers_nodes(s), 1);
	ck_assert_str_eq(first(s), "a");
	ck_assert_str_eq(remote(s, "dc2", 0, &n), "b.dc2");
	ck_assert_uint_eq(n, 1);
	/* Our own servers are asked by the LAN. */
	ck_assert_str_eq(remote(s, "dc1", 0, &n), no_path);
	ck_assert_str_eq(remote(s, "dc3", 0, &n), no_path);
	ck_assert_str_eq(remote(s, "", 0, &n), no_path);
	ck_assert_uint_eq(n, 0);
	servers_free(s);
}
END_TEST

START_TEST(datacenter_is_known_while_it_has_members)
{
	struct servers	*s = servers_new("dc1");
	size_t		 n;

	tell_wan(s, "b.dc2", "dc2", MEMBER_ALIVE);
	tell_wan(s, "c.dc2", "dc2", MEMBER_FAILED);
	ck_assert_str_eq(remote(s, "dc2", 0, &n), "b.dc2");
	ck_assert_uint_eq(n, 1);
	tell_wan(s, "b.dc2", "dc2", MEMBER_FAILED);
	ck_assert_str_eq(remote(s, "dc2", 0, &n), nobody);
	tell_wan(s, "c.dc2", "dc2", MEMBER_ALIVE);
	ck_assert_str_eq(remote(s, "dc2", 0, &n), "c.dc2");
	tell_wan(s, "c.dc2", "dc2", MEMBER_LEFT);
	ck_assert_str_eq(remote(s, "dc2", 0, &n), nobody);
	tell_wan(s, "b.dc2", "dc2", MEMBER_NONE);
	ck_assert_str_eq(remote(s, "dc2", 0, &n), no_path);
	/* A whole list without it. */
	tell_wan(s, "b.dc2", "dc2", MEMBER_ALIVE);
	tell_wan(s, "d.dc3", "dc3", MEMBER_ALIVE);
	servers_begin(s);
	tell_wan(s, "d.dc3", "dc3", MEMBER_ALIVE);
	servers_end(s);
	ck_assert_str_eq(remote(s, "dc2", 0, &n), no_path);
	ck_assert_str_eq(remote(s, "dc3", 0, &n), "d.dc3");
	/* The same name, elsewhere. */
	tell_wan(s, "d.dc3", "dc4", MEMBER_ALIVE);
	ck_assert_str_eq(remote(s, "dc3", 0, &n), no_path);
	ck_assert_str_eq(remote(s, "dc4", 0, &n), "d.dc3");
	servers_free(s);
}
END_TEST

START_TEST(remote_servers_take_turns_at_failure_and_with_time)
{
	struct servers	*s = servers_new("dc1");
	static const char *const names[] = { "a.dc2", "b.dc2", "c.dc2" };
	bool		 was[NELEM(names)] = { false };
	const char	*one;
	char		 before[8];
	uint64_t	 now;
	size_t		 i, n;

	for (i = 0; i < NELEM(names); i++)
		tell_wan(s, names[i], "dc2", MEMBER_ALIVE);
	for (i = 0; i < NELEM(names); i++) {
		one = remote(s, "dc2", 5, &n);
		ck_assert_uint_eq(n, NELEM(names));
		was[one[0] - 'a'] = true;
		servers_failed(s, "z.dc2");
		ck_assert_str_eq(remote(s, "dc2", 6, &n), one);
		snprintf(before, sizeof(before), "%s", one);
		servers_failed(s, before);
		/* News of those who are there change no order. */
		tell_wan(s, before, "dc2", MEMBER_ALIVE);
		ck_assert_str_ne(remote(s, "dc2", 7, &n), before);
	}
	for (i = 0; i < NELEM(names); i++)
		ck_assert(was[i]);
	memset(was, 0, sizeof(was));
	for (now = 0; now < 100 * 200000; now += 200000)
		was[remote(s, "dc2", now, &n)[0] - 'a'] = true;
	for (i = 0; i < NELEM(names); i++)
		ck_assert(was[i]);
	servers_free(s);
}
END_TEST

START_TEST(rebalance_stretches_with_the_cluster)
{
	struct servers	*s = servers_new("dc1");
	struct member	 m;
	struct rng	 rng;
	uint64_t	 ms;
	char		 name[32];
	int		 i;

	rng_seed(&rng, 1);
	tell(s, "s1", "10.0.0.2", MEMBER_ALIVE);
	ms = servers_rebalance_ms(s, &rng);
	ck_assert_uint_ge(ms, 120000);
	ck_assert_uint_lt(ms, 180000);
	make_server(&m, "x", "10.0.0.9");
	strmap_clear(&m.tags);
	for (i = 0; i < 19999; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		str_set(&m.name, name);
		servers_member(s, &m);
	}
	schema_clear(&member_schema, &m);
	ck_assert_uint_eq(servers_nodes(s), 20000);
	ck_assert_uint_eq(servers_rebalance_ms(s, &rng), 312500);
	servers_free(s);
}
END_TEST

START_TEST(retries_what_no_leader_took_and_reads_that_were_cut)
{
	ck_assert(forward_retryable("No cluster leader", true));
	ck_assert(forward_retryable("rpc error making call: "
	    "No cluster leader", false));
	ck_assert(forward_retryable("EOF", false));
	ck_assert(!forward_retryable("EOF", true));
	ck_assert(forward_retryable("session shutdown", false));
	ck_assert(!forward_retryable("Permission denied", false));
}
END_TEST

int
main(void)
{
	TCase	*tc = unit_case("rpcd_servers");

	tcase_add_loop_test(tc, server_is_what_its_tags_say, 0,
	    (int)NELEM(tags));
	tcase_add_test(tc, address_is_the_members_with_the_tags_port);
	tcase_add_test(tc, dead_and_left_servers_are_not_asked);
	tcase_add_test(tc, whole_list_replaces_what_was_known);
	tcase_add_test(tc, failed_server_goes_to_the_end_only_from_the_head);
	tcase_add_test(tc, order_is_adopted_while_its_first_is_known);
	tcase_add_test(tc, shuffle_keeps_everybody);
	tcase_add_test(tc, servers_of_the_wan_pool_are_their_datacenters);
	tcase_add_test(tc, datacenter_is_known_while_it_has_members);
	tcase_add_test(tc, remote_servers_take_turns_at_failure_and_with_time);
	tcase_add_test(tc, rebalance_stretches_with_the_cluster);
	tcase_add_test(tc, retries_what_no_leader_took_and_reads_that_were_cut);
	return unit_case_run("rpcd_servers", tc);
}

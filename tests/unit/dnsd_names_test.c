/*
 * Which names are known, asked for, waited for and forgotten.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/keep.h"
#include "dnsd/serve.h"

/* What went out, in a line each. */
struct world {
	struct names		*ns;
	char			 log[4096];
	struct dns_zone		 zone;
	uint64_t		 now;
	/* with serve */
	struct serve		*serve;
	struct answer_conf	 conf;
	struct nets		 own;
};

static struct world	w;

static void
say(const char *what, enum view_kind kind, const char *name)
{
	size_t	n = strlen(w.log);

	snprintf(w.log + n, sizeof(w.log) - n, "%s %d %s\n", what, (int)kind,
	    name);
}

static void
on_watch(enum view_kind kind, const char *name, void *arg)
{
	(void)arg;
	say("watch", kind, name);
}

static void
on_unwatch(enum view_kind kind, const char *name, void *arg)
{
	(void)arg;
	say("unwatch", kind, name);
}

static void
on_wake(const struct parked *p, bool failed, void *arg)
{
	char	text[32];

	(void)arg;
	snprintf(text, sizeof(text), "%.*s", (int)p->len, p->query);
	say(failed ? "fail" : "wake", 0, text);
}

static const struct names_ops ops = { on_watch, on_unwatch, on_wake };

static void
setup(void)
{
	memset(&w, 0, sizeof(w));
	ck_assert_int_eq(dns_zone_set(&w.zone, "consul", NULL, "dc1"), 0);
	w.ns = names_new(&ops, NULL, 1);
	w.now = 100000;
}

static void
teardown(void)
{
	names_free(w.ns);
}

static void
expect(const char *log)
{
	ck_assert_str_eq(w.log, log);
	w.log[0] = '\0';
}

static enum found
find(enum view_kind kind, const char *name)
{
	const struct view	*v = NULL;
	enum found		 f;

	f = names_find(w.ns, kind, name, strlen(name), w.now, &v);
	ck_assert(f != FOUND_VIEW || v != NULL);
	return f;
}

static void
park(const char *query)
{
	struct origin	o = { .udp = true };

	ck_assert_int_eq(names_park(w.ns, &o, (const uint8_t *)query,
	    strlen(query), w.now, 0), 0);
}

static struct view *
some_view(enum view_kind kind, const char *addr)
{
	struct msg_view	 m = { .kind = kind, .exists = true };
	struct view_entry *e = VEC_ADD(&m.entries);
	struct view	*v;

	str_set(&e->node, "n1");
	str_set(&e->address, addr);
	v = view_new(&m, &w.zone);
	schema_clear(&msg_view_schema, &m);
	return v;
}

static void
live(const char *name)
{
	ck_assert_int_eq(find(VIEW_SERVICE, name), FOUND_WAIT);
	ck_assert_int_eq(names_view(w.ns, VIEW_SERVICE, name,
	    some_view(VIEW_SERVICE, "10.0.0.1"), w.now), 0);
	w.log[0] = '\0';
}

START_TEST(first_question_watches_and_waits_for_the_view)
{
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_WAIT);
	park("q1");
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_WAIT);
	park("q2");
	expect("watch 1 web\n");	/* once for both */
	ck_assert_int_eq(names_view(w.ns, VIEW_SERVICE, "Web",
	    some_view(VIEW_SERVICE, "10.0.0.1"), w.now), 0);
	expect("wake 0 q1\nwake 0 q2\n");
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_VIEW);
	ck_assert_int_eq(find(VIEW_NODE, "web"), FOUND_WAIT);
}
END_TEST

START_TEST(a_query_is_given_up_after_five_seconds)
{
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_WAIT);
	park("q1");
	w.log[0] = '\0';
	names_tick(w.ns, w.now + NAMES_WAIT_MS - 1);
	expect("");
	names_tick(w.ns, w.now + NAMES_WAIT_MS);
	expect("fail 0 q1\nunwatch 1 web\n");
	ck_assert_uint_eq(names_due(w.ns), 0);
}
END_TEST

START_TEST(a_name_that_is_not_is_remembered_for_a_second)
{
	ck_assert_int_eq(find(VIEW_NODE, "x"), FOUND_WAIT);
	park("q1");
	ck_assert_int_eq(names_view(w.ns, VIEW_NODE, "x", NULL, w.now), 0);
	expect("watch 2 x\nunwatch 2 x\nwake 0 q1\n");
	ck_assert_int_eq(find(VIEW_NODE, "x"), FOUND_NONE);
	w.now += NAMES_NONE_MS;
	ck_assert_int_eq(find(VIEW_NODE, "x"), FOUND_WAIT);
	expect("watch 2 x\n");
}
END_TEST

START_TEST(an_exact_list_denies_without_asking)
{
	names_begin(w.ns, true);
	names_set(w.ns, VIEW_SERVICE, "Web", true);
	/* while the first list comes, nothing is denied */
	ck_assert_int_eq(find(VIEW_SERVICE, "db"), FOUND_WAIT);
	names_end(w.ns);
	w.log[0] = '\0';
	ck_assert_int_eq(find(VIEW_SERVICE, "nosuch"), FOUND_NONE);
	ck_assert_int_eq(find(VIEW_SERVICE, "db"), FOUND_NONE);
	expect("");
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_WAIT);
	expect("watch 1 Web\n");	/* as the catalog spells it */
	names_set(w.ns, VIEW_SERVICE, "db", true);
	ck_assert_int_eq(find(VIEW_SERVICE, "db"), FOUND_WAIT);
	names_set(w.ns, VIEW_SERVICE, "db", false);
	ck_assert_int_eq(find(VIEW_SERVICE, "db"), FOUND_NONE);
	/* addresses are in no list */
	ck_assert_int_eq(find(VIEW_REVERSE, "10.0.0.1"), FOUND_WAIT);
}
END_TEST

START_TEST(a_list_has_queries_and_what_templates_begin_with)
{
	names_begin(w.ns, true);
	names_set(w.ns, VIEW_QUERY, "pq", true);
	names_end(w.ns);
	ck_assert_int_eq(find(VIEW_QUERY, "pq"), FOUND_WAIT);
	ck_assert_int_eq(find(VIEW_QUERY, "geo-web"), FOUND_NONE);
	expect("watch 4 pq\n");
	names_set(w.ns, VIEW_QUERY, "Geo-*", true);
	ck_assert_int_eq(find(VIEW_QUERY, "geo-web"), FOUND_WAIT);
	ck_assert_int_eq(find(VIEW_QUERY, "geo-"), FOUND_WAIT);
	ck_assert_int_eq(find(VIEW_QUERY, "geo"), FOUND_NONE);
	ck_assert_int_eq(find(VIEW_QUERY, "geo dc2"), FOUND_WAIT);
	names_set(w.ns, VIEW_QUERY, "geo-*", false);
	ck_assert_int_eq(find(VIEW_QUERY, "geo-db"), FOUND_NONE);
	names_set(w.ns, VIEW_QUERY, "*", true);
	ck_assert_int_eq(find(VIEW_QUERY, "geo-db"), FOUND_WAIT);
	names_begin(w.ns, true);
	names_end(w.ns);
	ck_assert_int_eq(find(VIEW_QUERY, "any"), FOUND_NONE);
}
END_TEST

START_TEST(the_old_list_counts_until_the_new_one_is_complete)
{
	names_begin(w.ns, true);
	names_set(w.ns, VIEW_SERVICE, "old", true);
	names_end(w.ns);
	names_begin(w.ns, true);
	names_set(w.ns, VIEW_SERVICE, "new", true);
	ck_assert_int_eq(find(VIEW_SERVICE, "old"), FOUND_WAIT);
	ck_assert_int_eq(find(VIEW_SERVICE, "new"), FOUND_WAIT);
	ck_assert_int_eq(find(VIEW_SERVICE, "other"), FOUND_NONE);
	names_begin(w.ns, true);	/* broke off; again from its start */
	names_set(w.ns, VIEW_SERVICE, "new", true);
	ck_assert_int_eq(find(VIEW_SERVICE, "old"), FOUND_WAIT);
	names_end(w.ns);
	ck_assert_int_eq(find(VIEW_SERVICE, "old"), FOUND_NONE);
}
END_TEST

START_TEST(an_unused_view_is_dropped)
{
	live("web");
	names_tick(w.ns, w.now + NAMES_IDLE_MS - 1);
	expect("");
	w.now += NAMES_IDLE_MS / 2;
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_VIEW);
	names_tick(w.ns, w.now + NAMES_IDLE_MS / 2);
	expect("");
	names_tick(w.ns, w.now + NAMES_IDLE_MS + NAMES_SWEEP_MS);
	expect("unwatch 1 web\n");
	ck_assert_int_eq(names_view(w.ns, VIEW_SERVICE, "web",
	    some_view(VIEW_SERVICE, "10.0.0.1"), w.now), -1);
}
END_TEST

START_TEST(views_stay_when_catalogd_cannot_say)
{
	live("web");
	names_failed(w.ns, VIEW_SERVICE, "web", w.now);
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_VIEW);
	ck_assert_int_eq(find(VIEW_SERVICE, "db"), FOUND_WAIT);
	park("q1");
	names_failed(w.ns, VIEW_SERVICE, "db", w.now);
	expect("watch 1 db\nunwatch 1 db\nfail 0 q1\n");
	ck_assert_int_eq(find(VIEW_SERVICE, "db"), FOUND_FAIL);
}
END_TEST

/* A view that may be kept, and serves for ten seconds unconfirmed. */
static void
live_and_kept(const char *name)
{
	struct view	*v = some_view(VIEW_SERVICE, "10.0.0.1");

	names_stale(w.ns, 10000);
	view_keep(v, (const uint8_t *)name, strlen(name));
	ck_assert_int_eq(find(VIEW_SERVICE, name), FOUND_WAIT);
	ck_assert_int_eq(names_view(w.ns, VIEW_SERVICE, name, v, w.now), 0);
	w.log[0] = '\0';
}

static void
count_kept(const uint8_t *raw, size_t len, uint64_t age_ms, void *arg)
{
	ck_assert_int_eq(memcmp(raw, "web", len), 0);
	*(uint64_t *)arg += 1 + age_ms;
}

START_TEST(an_unconfirmed_view_serves_for_as_long_as_configured)
{
	live_and_kept("web");
	names_failed(w.ns, VIEW_SERVICE, "web", w.now);
	w.now += 10000;
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_VIEW);
	w.now++;
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_WAIT);
	expect("unwatch 1 web\nwatch 1 web\n");
	park("q1");
	names_failed(w.ns, VIEW_SERVICE, "web", w.now);
	expect("unwatch 1 web\nfail 0 q1\n");
}
END_TEST

START_TEST(a_confirmed_view_is_not_old_again)
{
	live_and_kept("web");
	names_failed(w.ns, VIEW_SERVICE, "web", w.now);
	w.now += 9000;
	ck_assert_int_eq(names_view(w.ns, VIEW_SERVICE, "web",
	    some_view(VIEW_SERVICE, "10.0.0.2"), w.now), 0);
	w.now += 9000;
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_VIEW);
}
END_TEST

START_TEST(a_kept_view_waits_for_news_and_serves_without)
{
	live_and_kept("web");
	w.now += NAMES_IDLE_MS;
	names_stale(w.ns, 1000000);
	names_tick(w.ns, w.now);
	expect("unwatch 1 web\n");
	/* there may be news */
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_WAIT);
	park("q1");
	names_tick(w.ns, w.now + NAMES_STALE_MS - 1);
	expect("watch 1 web\n");
	w.now += NAMES_STALE_MS;
	names_tick(w.ns, w.now);
	expect("wake 0 q1\n");
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_VIEW);
	/* and when they come they count */
	ck_assert_int_eq(names_view(w.ns, VIEW_SERVICE, "web", NULL, w.now),
	    0);
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_NONE);
}
END_TEST

START_TEST(an_error_ends_the_wait_for_news)
{
	live_and_kept("web");
	w.now += NAMES_IDLE_MS;
	names_stale(w.ns, 1000000);
	names_tick(w.ns, w.now);
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_WAIT);
	park("q1");
	w.log[0] = '\0';
	names_failed(w.ns, VIEW_SERVICE, "web", w.now);
	expect("wake 0 q1\n");
}
END_TEST

START_TEST(views_of_before_the_start_serve_without_catalogd)
{
	struct view	*v = some_view(VIEW_SERVICE, "10.0.0.1");
	uint64_t	 n = 0;

	names_stale(w.ns, 10000);
	names_unlinked(w.ns, w.now);
	view_keep(v, (const uint8_t *)"web", 3);
	names_keep(w.ns, VIEW_SERVICE, "Web", v, 4000, w.now);
	names_keep(w.ns, VIEW_SERVICE, "db",
	    some_view(VIEW_SERVICE, "10.0.0.2"), 10001, w.now);
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_VIEW);
	expect("watch 1 Web\n");
	ck_assert_int_eq(find(VIEW_SERVICE, "db"), FOUND_WAIT);
	w.now += 6000;
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_VIEW);
	ck_assert(names_each_kept(w.ns, w.now, count_kept, &n));
	ck_assert_uint_eq(n, 1 + 10000);
	ck_assert(!names_each_kept(w.ns, w.now, count_kept, &n));
	w.now++;
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_WAIT);
	ck_assert(names_each_kept(w.ns, w.now, count_kept, &n));
	ck_assert_uint_eq(n, 1 + 10000);
}
END_TEST

START_TEST(a_name_that_left_the_list_is_not_kept)
{
	names_begin(w.ns, true);
	names_set(w.ns, VIEW_SERVICE, "web", true);
	names_end(w.ns);
	live_and_kept("web");
	names_stale(w.ns, 1000000);
	w.now += NAMES_IDLE_MS;
	names_tick(w.ns, w.now);
	names_set(w.ns, VIEW_SERVICE, "web", false);
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_NONE);
	names_set(w.ns, VIEW_SERVICE, "web", true);
	names_unlinked(w.ns, w.now);
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_WAIT);
}
END_TEST

START_TEST(a_file_of_views_is_whole_or_not_used)
{
	struct wbuf	 f;
	uint64_t	 then = 0, n = 0;
	const char	*why;
	size_t		 i;

	wb_init(&f, 0);
	keep_begin(&f, 77);
	keep_put(&f, (const uint8_t *)"web", 3, 5);
	for (i = 0; i < 299; i++)
		keep_put(&f, (const uint8_t *)"web", 3, 0);
	keep_end(&f);
	ck_assert_int_eq(keep_read(f.p, f.len, &then, count_kept, &n, &why),
	    300);
	ck_assert_uint_eq(then, 77);
	ck_assert_uint_eq(n, 305);
	for (i = 0; i < f.len; i++)
		ck_assert_int_eq(keep_read(f.p, i, &then, NULL, NULL, &why),
		    -1);
	for (i = 0; i < f.len; i++) {
		f.p[i] ^= 0x10;
		ck_assert_int_eq(keep_read(f.p, f.len, &then, NULL, NULL,
		    &why), -1);
		f.p[i] ^= 0x10;
	}
	wb_free(&f);
}
END_TEST

START_TEST(after_a_restart_everything_is_asked_for_again)
{
	live("web");
	ck_assert_int_eq(find(VIEW_SERVICE, "db"), FOUND_WAIT);
	w.log[0] = '\0';
	names_resync(w.ns);
	expect("watch 1 db\nwatch 1 web\n");
	ck_assert_int_eq(find(VIEW_SERVICE, "web"), FOUND_VIEW);
}
END_TEST

START_TEST(a_storm_of_names_is_bounded)
{
	char	name[32];
	size_t	i;

	for (i = 0; i < NAMES_UNKNOWN_MAX; i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		ck_assert_int_eq(find(VIEW_NODE, name), FOUND_WAIT);
		w.log[0] = '\0';
	}
	ck_assert_int_eq(find(VIEW_NODE, "more"), FOUND_FAIL);
	names_tick(w.ns, w.now + NAMES_WAIT_MS);
	ck_assert_int_eq(find(VIEW_NODE, "more"), FOUND_WAIT);
}
END_TEST

/* ---- a query's way ---- */

static size_t
query(uint8_t *p, const char *name, uint16_t type)
{
	size_t	n;

	memset(p, 0, DNS_HEADER);
	p[5] = 1;
	n = DNS_HEADER + dns_name_from_text(name, p + DNS_HEADER);
	dns_put16(p + n, type);
	dns_put16(p + n + 2, DNS_C_IN);
	return n + 4;
}

static void
on_reply(const struct origin *o, const uint8_t *p, size_t n, void *arg)
{
	(void)arg;
	say("reply", (enum view_kind)dns_get16(p + 6), n > 3 && p[3] == 0 ?
	    "ok" : n == 0 ? "none" : "error");
	ck_assert_uint_eq(o->conn, 7);
}

static int
on_recurse(const struct origin *o, const uint8_t *q, size_t n, void *arg)
{
	(void)o;
	(void)q;
	(void)n;
	(void)arg;
	return -1;
}

static uint64_t
now(void *arg)
{
	(void)arg;
	return w.now;
}

static uint32_t
wall(void *arg)
{
	(void)arg;
	return 1795342456;
}

static const struct serve_ops serve_ops = {
	.names = { .watch = on_watch, .unwatch = on_unwatch },
	.reply = on_reply, .recurse = on_recurse, .now = now, .wall = wall,
	.serial = wall,
};

static void
serve_setup(const char *recursor)
{
	struct conf_agent	a = { .domain = xstrdup("consul."),
				    .datacenter = xstrdup("dc1") };
	struct conf_dns		d = { 0 };

	memset(&w, 0, sizeof(w));
	ck_assert_int_eq(dns_zone_set(&w.zone, "consul", NULL, "dc1"), 0);
	w.now = 100000;
	if (recursor != NULL)
		strs_add(&d.recursors, recursor);
	ck_assert_int_eq(answer_conf_set(&w.conf, &a, &d), 0);
	schema_clear(&conf_agent_schema, &a);
	schema_clear(&conf_dns_schema, &d);
	w.serve = serve_new(&serve_ops, NULL, 1);
	serve_conf(w.serve, &w.conf, NULL, &w.own, 0);
}

static void
serve_teardown(void)
{
	serve_free(w.serve);
	answer_conf_clear(&w.conf);
}

START_TEST(a_late_view_answers_the_query_that_asked)
{
	struct origin	o = { .udp = true, .conn = 7 };
	uint8_t		q[512], out[DNS_TCP_MAX];
	size_t		n = query(q, "web.service.consul", 1);
	bool		later;

	serve_setup(NULL);
	ck_assert_uint_eq(serve_query(w.serve, &o, q, n, out, &later), 0);
	ck_assert(later);
	expect("watch 1 web\n");
	names_view(serve_names(w.serve), VIEW_SERVICE, "web",
	    some_view(VIEW_SERVICE, "10.0.0.1"), w.now);
	expect("reply 1 ok\n");
	ck_assert_uint_gt(serve_query(w.serve, &o, q, n, out, &later), n);
	ck_assert(!later);
	expect("");
	serve_teardown();
}
END_TEST

START_TEST(a_cname_waits_for_the_name_it_leads_to)
{
	struct origin	o = { .udp = true, .conn = 7 };
	uint8_t		q[512], out[DNS_TCP_MAX];
	size_t		n = query(q, "a.node.consul", 1);
	bool		later;

	serve_setup(NULL);
	(void)serve_query(w.serve, &o, q, n, out, &later);
	names_view(serve_names(w.serve), VIEW_NODE, "a",
	    some_view(VIEW_NODE, "b.node.consul"), w.now);
	expect("watch 2 a\nwatch 2 b\n");
	names_view(serve_names(w.serve), VIEW_NODE, "b",
	    some_view(VIEW_NODE, "a.node.consul"), w.now);	/* a loop */
	ck_assert_ptr_nonnull(strstr(w.log, "reply 4 ok\n"));
	serve_teardown();
}
END_TEST

START_TEST(no_room_at_the_recursors_is_a_failure_at_once)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct origin	o = { .udp = true, .conn = 7 };
	uint8_t		q[512], out[DNS_TCP_MAX];
	size_t		n = query(q, "example.com", 1);
	bool		later;

	memcpy(o.addr, &sin, sizeof(sin));
	serve_setup("10.0.0.53");
	ck_assert_uint_eq(serve_query(w.serve, &o, q, n, out, &later), n);
	ck_assert_uint_eq(out[3] & DNS_RCODE, DNS_SERVFAIL);
	serve_teardown();
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("dnsd names");
	TCase	*c = tcase_create("names"), *q = tcase_create("serve");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, first_question_watches_and_waits_for_the_view);
	tcase_add_test(c, a_query_is_given_up_after_five_seconds);
	tcase_add_test(c, a_name_that_is_not_is_remembered_for_a_second);
	tcase_add_test(c, an_exact_list_denies_without_asking);
	tcase_add_test(c, a_list_has_queries_and_what_templates_begin_with);
	tcase_add_test(c, the_old_list_counts_until_the_new_one_is_complete);
	tcase_add_test(c, an_unused_view_is_dropped);
	tcase_add_test(c, views_stay_when_catalogd_cannot_say);
	tcase_add_test(c, an_unconfirmed_view_serves_for_as_long_as_configured);
	tcase_add_test(c, a_confirmed_view_is_not_old_again);
	tcase_add_test(c, a_kept_view_waits_for_news_and_serves_without);
	tcase_add_test(c, an_error_ends_the_wait_for_news);
	tcase_add_test(c, views_of_before_the_start_serve_without_catalogd);
	tcase_add_test(c, a_name_that_left_the_list_is_not_kept);
	tcase_add_test(c, a_file_of_views_is_whole_or_not_used);
	tcase_add_test(c, after_a_restart_everything_is_asked_for_again);
	tcase_add_test(c, a_storm_of_names_is_bounded);
	suite_add_tcase(s, c);
	tcase_add_test(q, a_late_view_answers_the_query_that_asked);
	tcase_add_test(q, a_cname_waits_for_the_name_it_leads_to);
	tcase_add_test(q, no_room_at_the_recursors_is_a_failure_at_once);
	suite_add_tcase(s, q);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

/*
 * The snapshot of members: what is written is replayed, and what comes after a
 * leave is no reason to come back.
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/snapshot.h"
#include "tests/unit/common_unit.h"

static void
add(const char *name, const char *addr, void *arg)
{
	wb_printf(arg, "%s=%s;", name, addr);
}

static void
known_is(const struct snapshot *s, const char *expect)
{
	struct wbuf	 w;
	char		*text;

	wb_init(&w, 0);
	snapshot_each(s, add, &w);
	text = wb_detach_str(&w);
	ck_assert_str_eq(text, expect);
	free(text);
	wb_free(&w);
}

START_TEST(a_snapshot_is_replayed_in_order)
{
	static const char	 text[] =
	    "alive: node1 10.0.0.2:8301\nevent-clock: 7\n"
	    "alive: node 2 10.0.0.3:8301\nclock: 4\n# a remark\n"
	    "coordinate: {}\nnot-alive: node1\nquery-clock: 9\n"
	    "alive: node3 10.0.0.4:8301\nalive: torn 10.0";
	struct snapshot		*s = snapshot_new();

	snapshot_replay(s, text, sizeof(text) - 1, false);
	known_is(s, "node 2=10.0.0.3:8301;node3=10.0.0.4:8301;");
	ck_assert_uint_eq(snapshot_clocks(s).member, 4);
	ck_assert_uint_eq(snapshot_clocks(s).event, 7);
	ck_assert_uint_eq(snapshot_clocks(s).query, 9);
	snapshot_free(s);
}
END_TEST

START_TEST(after_a_leave_nobody_is_rejoined_unless_told_to)
{
	static const char	 text[] = "alive: a 10.0.0.2:1\nleave\n";
	struct snapshot		*s = snapshot_new();

	snapshot_replay(s, text, sizeof(text) - 1, false);
	known_is(s, "");
	snapshot_free(s);
	s = snapshot_new();
	snapshot_replay(s, text, sizeof(text) - 1, true);
	known_is(s, "a=10.0.0.2:1;");
	snapshot_free(s);
}
END_TEST

START_TEST(a_snapshot_says_what_changed_and_can_be_rewritten)
{
	struct serf_clocks	 c = { 3, 0, 2 };
	struct snapshot		*s = snapshot_new(), *again = snapshot_new();
	struct wbuf		*p = snapshot_pending(s), w;

	snapshot_alive(s, "a", "10.0.0.2:1");
	snapshot_alive(s, "a", "10.0.0.2:1");
	snapshot_alive(s, "b", "10.0.0.3:1");
	snapshot_alive(s, "bad\nalive: c", "10.0.0.4:1");
	snapshot_clock(s, &c);
	snapshot_gone(s, "a");
	ck_assert(p->len > 0 && memmem(p->p, p->len, "bad", 3) == NULL);
	snapshot_replay(again, (const char *)p->p, p->len, false);
	known_is(again, "b=10.0.0.3:1;");
	wb_init(&w, 0);
	snapshot_write(s, &w);
	ck_assert_uint_eq(w.len, strlen(
	    "alive: b 10.0.0.3:1\nclock: 3\nquery-clock: 2\n"));
	ck_assert_uint_eq(snapshot_pending(s)->len, 0);
	ck_assert(snapshot_grown(s, 200000));
	ck_assert(!snapshot_grown(s, 100000));
	wb_free(&w);
	snapshot_free(s);
	snapshot_free(again);
}
END_TEST

START_TEST(who_came_while_we_left_is_not_rejoined)
{
	struct snapshot	*s = snapshot_new(), *again = snapshot_new();
	struct wbuf	*p = snapshot_pending(s);

	snapshot_alive(s, "a", "10.0.0.2:1");
	snapshot_leave(s);
	snapshot_alive(s, "b", "10.0.0.3:1");
	snapshot_gone(s, "a");
	snapshot_replay(again, (const char *)p->p, p->len, false);
	known_is(again, "");
	snapshot_free(again);
	/* And who rejoins all the same finds whom it had then. */
	again = snapshot_new();
	snapshot_replay(again, (const char *)p->p, p->len, true);
	known_is(again, "a=10.0.0.2:1;");
	snapshot_free(again);
	snapshot_free(s);
}
END_TEST

UNIT_MAIN("gossipd_snapshot",
    a_snapshot_is_replayed_in_order,
    after_a_leave_nobody_is_rejoined_unless_told_to,
    a_snapshot_says_what_changed_and_can_be_rewritten,
    who_came_while_we_left_is_not_rejoined)

/*
 * The snapshot of members once this node leaves: what comes after that is no
 * reason to come back.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gossipd/snapshot.h"

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

int
main(void)
{
	Suite	*s = suite_create("gossipd_snapshot");
	TCase	*t = tcase_create("snapshot");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, who_came_while_we_left_is_not_rejoined);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

/*
 * When a child is started again, and what /proc says about it.
 */
#include <stdlib.h>

#include "discod/backoff.h"
#include "discod/status.h"
#include "tests/unit/common_unit.h"

START_TEST(first_death_is_answered_at_once)
{
	struct backoff	b = { 0 };

	ck_assert_uint_eq(backoff_died(&b, 20), 0);
	ck_assert_uint_eq(backoff_died(&b, 20), 100);
}
END_TEST

START_TEST(delay_doubles_up_to_thirty_seconds)
{
	struct backoff	b = { 0 };
	uint64_t	want = 100;
	int		i;

	(void)backoff_died(&b, 0);
	for (i = 0; i < 20; i++) {
		ck_assert_uint_eq(backoff_died(&b, 9999), want);
		want = want * 2 < 30000 ? want * 2 : 30000;
	}
	ck_assert_uint_eq(want, 30000);
}
END_TEST

START_TEST(long_life_starts_anew)
{
	struct backoff	b = { 0 };
	int		i;

	for (i = 0; i < 5; i++)
		(void)backoff_died(&b, 1);
	ck_assert_uint_eq(backoff_died(&b, 10000), 0);
	ck_assert_uint_eq(backoff_died(&b, 1), 100);
}
END_TEST

static const char status_file[] =
    "Name:\tdnsd\nUmask:\t0022\nState:\tS (sleeping)\nPid:\t42\n"
    "Uid:\t999\t999\t999\t999\nGid:\t998\t998\t998\t998\n"
    "VmRSS:\t    7000 kB\nRssAnon:\t    1200 kB\nRssFile:\t    5800 kB\n"
    "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n"
    "Seccomp_filters:\t1\n";

START_TEST(status_of_a_sandboxed_child_is_read)
{
	struct proc_status	st;
	char			buf[64];

	ck_assert_int_eq(status_parse(status_file, &st), 0);
	ck_assert_uint_eq(st.uid, 999);
	ck_assert_uint_eq(st.rss, 7000 * 1024);
	ck_assert_uint_eq(st.anonymous, 1200 * 1024);
	ck_assert_uint_eq(st.seccomp, 2);
	ck_assert_str_eq(sandbox_text(&st, true, buf, sizeof(buf)),
	    "chroot,no-caps,no-new-privs,seccomp");
	st.seccomp = 0;
	st.no_new_privs = false;
	st.uid = 0;
	ck_assert_str_eq(sandbox_text(&st, false, buf, sizeof(buf)), "none");
	ck_assert_int_eq(status_parse("nonsense", &st), -1);
}
END_TEST

START_TEST(smaps_rollup_is_read)
{
	uint64_t	pss, anon;

	ck_assert_int_eq(smaps_parse("55d0-7ffe ---p 0 00:00 0  [rollup]\n"
	    "Rss:                7000 kB\nPss:                2500 kB\n"
	    "Pss_Anon:           1100 kB\nAnonymous:          1150 kB\n",
	    &pss, &anon), 0);
	ck_assert_uint_eq(pss, 2500 * 1024);
	ck_assert_uint_eq(anon, 1150 * 1024);
	ck_assert_int_eq(smaps_parse("", &pss, &anon), -1);
}
END_TEST

START_TEST(cpu_time_is_read_whatever_the_name)
{
	uint64_t ticks = 0;

	ck_assert_int_eq(stat_parse("12 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 22 "
	    "0 0 20 0", &ticks), 0);
	ck_assert_uint_eq(ticks, 33);
	ck_assert_int_eq(stat_parse("12 (a) S 1 2", &ticks), -1);
	ck_assert_int_eq(stat_parse("", &ticks), -1);
}
END_TEST

UNIT_MAIN("discod_backoff",
    first_death_is_answered_at_once,
    delay_doubles_up_to_thirty_seconds,
    long_life_starts_anew,
    status_of_a_sandboxed_child_is_read,
    smaps_rollup_is_read,
    cpu_time_is_read_whatever_the_name)

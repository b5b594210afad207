/*
 * execd: which commands may run; real ones with their ends, outputs and
 * limits.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "execd/allow.h"
#include "execd/crowd.h"
#include "execd/run.h"
#include "tests/unit/common_unit.h"

struct world {
	struct ev	*ev;
	struct runs	*runs;
	struct ev_timer	*limit;
	size_t		 nended, want;
	struct msg_exited last;
	char		*output;	/* of the last, as text */
};

static void
on_limit(void *arg)
{
	struct world	*w = arg;

	ev_stop(w->ev);
}

static void
world_init(struct world *w)
{
	log_init("test");
	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	w->runs = runs_new(w->ev, false);
	w->limit = ev_timer_new(w->ev, on_limit, w);
}

static void
world_clear(struct world *w)
{
	runs_free(w->runs);
	ev_timer_free(w->limit);
	ev_free(w->ev);
	schema_clear(&msg_exited_schema, &w->last);
	free(w->output);
}

static void
on_exited(const struct msg_exited *m, void *arg)
{
	struct world	*w = arg;

	schema_clear(&msg_exited_schema, &w->last);
	schema_copy(&msg_exited_schema, &w->last, m);
	free(w->output);
	w->output = xmemdup_str(m->output.p, m->output.n);
	if (++w->nended == w->want)
		ev_stop(w->ev);
}

static struct run *
start(struct world *w, const char *const *args, int64_t timeout_ms,
    uint64_t keep)
{
	struct msg_run	 m;
	struct run	*r;

	memset(&m, 0, sizeof(m));
	for (; *args != NULL; args++)
		strs_add(&m.args, *args);
	m.timeout = timeout_ms * NS_PER_MS;
	m.output_max = keep;
	r = run_start(w->runs, &m, on_exited, w);
	schema_clear(&msg_run_schema, &m);
	return r;
}

static void
spin(struct world *w, size_t want, uint64_t ms)
{
	w->want = want;
	ev_timer_set(w->limit, ms);
	ev_run(w->ev);
}

/* Runs one shell command to its end. */
static void
shell(struct world *w, const char *script, int64_t timeout_ms)
{
	const char	*args[] = { "/bin/sh", "-c", script, NULL };

	ck_assert_ptr_nonnull(start(w, args, timeout_ms, 4096));
	spin(w, w->nended + 1, 30000);
	ck_assert_uint_eq(runs_count(w->runs), 0);
}

/* Does the process run?  (Whose zombies nobody reaps do not.) */
static bool
lives(pid_t pid)
{
	char	*text, *end, path[64];
	bool	 is;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((text = file_read(path, 4096, NULL)) == NULL)
		return false;
	end = strrchr(text, ')');
	is = end != NULL && end[2] != 'Z' && end[2] != 'X';
	free(text);
	return is;
}

/* ---- */

START_TEST(only_configured_commands_are_allowed)
{
	struct conf_exec	 conf;
	struct exec_command	*c;
	struct strs		 args = { 0 };

	memset(&conf, 0, sizeof(conf));
	ck_assert(!exec_allowed(&conf, &args));
	c = VEC_ADD(&conf.commands);
	strs_add(&c->args, "/bin/check");
	strs_add(&c->args, "-a");
	strs_add(&args, "/bin/check");
	ck_assert(!exec_allowed(&conf, &args));
	strs_add(&args, "-a");
	ck_assert(exec_allowed(&conf, &args));
	strs_add(&args, "-b");
	ck_assert(!exec_allowed(&conf, &args));
	conf.any = true;
	ck_assert(exec_allowed(&conf, &args));
	strs_clear(&args);
	ck_assert(!exec_allowed(&conf, &args));
	schema_clear(&conf_exec_schema, &conf);
}
END_TEST

START_TEST(exit_status_and_both_outputs_come_back)
{
	struct world	 w;

	world_init(&w);
	shell(&w, "echo hello; echo err >&2; exit 3", 5000);
	ck_assert_uint_eq(w.last.end, RUN_EXIT);
	ck_assert_int_eq(w.last.code, 3);
	ck_assert_str_eq(w.output, "hello\nerr\n");
	ck_assert_uint_eq(w.last.total, 10);
	shell(&w, "kill -9 $$", 5000);
	ck_assert_uint_eq(w.last.end, RUN_SIGNAL);
	ck_assert_int_eq(w.last.code, SIGKILL);
	world_clear(&w);
}
END_TEST

START_TEST(failures_to_start_have_their_words)
{
	static const struct {
		const char	*cmd, *error;
	} t[] = {
		{ "/nonexistent",
		    "fork/exec /nonexistent: no such file or directory" },
		{ "/etc/passwd", "fork/exec /etc/passwd: permission denied" },
		{ "nosuchcmd", "exec: \"nosuchcmd\": executable file not "
		    "found in $PATH" },
	};
	const char	*args[2] = { NULL, NULL };
	struct world	 w;
	size_t		 i;

	world_init(&w);
	for (i = 0; i < NELEM(t); i++) {
		args[0] = t[i].cmd;
		ck_assert_ptr_nonnull(start(&w, args, 1000, 0));
		spin(&w, i + 1, 4000);
		ck_assert_uint_eq(w.last.end, RUN_FAILED);
		ck_assert_str_eq(w.last.error, t[i].error);
	}
	ck_assert_uint_eq(runs_count(w.runs), 0);
	world_clear(&w);
}
END_TEST

START_TEST(last_bytes_of_the_output_are_kept)
{
	const char	*args[] = { "/bin/sh", "-c", "echo 0123456789abcdef",
			    NULL };
	struct world	 w;

	world_init(&w);
	start(&w, args, 5000, 8);
	spin(&w, 1, 4000);
	ck_assert_uint_eq(w.last.total, 17);
	ck_assert_str_eq(w.output, "9abcdef\n");
	shell(&w, "i=0; while [ $i -lt 60000 ]; do echo line $i; "
	    "i=$((i+1)); done", 8000);
	ck_assert_uint_eq(w.last.output.n, 4096);
	ck_assert_ptr_nonnull(strstr(w.output, "line 59999\n"));
	world_clear(&w);
}
END_TEST

START_TEST(deadline_ends_the_whole_group)
{
	struct world	 w;
	uint64_t	 began;
	pid_t		 left;

	world_init(&w);
	began = ev_hrtime();
	shell(&w, "echo before; sleep 30 & echo $!; sleep 30", 200);
	ck_assert_uint_lt((ev_hrtime() - began) / 1000000, 700);
	ck_assert_uint_eq(w.last.end, RUN_TIMEOUT);
	ck_assert_int_eq(strncmp(w.output, "before\n", 7), 0);
	left = (pid_t)atoi(w.output + 7);
	ck_assert_int_gt(left, 1);
	spin(&w, 0, 100);
	ck_assert(!lives(left));
	world_clear(&w);
}
END_TEST

START_TEST(one_that_ignores_term_is_killed)
{
	struct world	 w;
	uint64_t	 began;

	world_init(&w);
	began = ev_hrtime();
	shell(&w, "trap '' TERM; while :; do sleep 1; done", 200);
	ck_assert_uint_eq(w.last.end, RUN_TIMEOUT);
	ck_assert_uint_ge((ev_hrtime() - began) / 1000000, 650);
	ck_assert_uint_lt((ev_hrtime() - began) / 1000000, 3000);
	world_clear(&w);
}
END_TEST

START_TEST(what_a_command_leaves_behind_is_killed)
{
	struct world	 w;
	uint64_t	 began;
	pid_t		 left;

	world_init(&w);
	began = ev_hrtime();
	/* It holds the output open, too: that must not delay the end. */
	shell(&w, "sleep 30 & echo $!", 5000);
	ck_assert_uint_lt((ev_hrtime() - began) / 1000000, 2000);
	ck_assert_uint_eq(w.last.end, RUN_EXIT);
	left = (pid_t)atoi(w.output);
	ck_assert_int_gt(left, 1);
	spin(&w, 0, 100);
	ck_assert(!lives(left));
	world_clear(&w);
}
END_TEST

START_TEST(command_sees_little_of_us)
{
	struct world	 w;
	int		 fd;

	world_init(&w);
	setenv("SECRET", "x", 1);
	signal(SIGUSR1, SIG_IGN);
	fd = open("/etc/passwd", O_RDONLY);	/* not close-on-exec */
	ck_assert_int_ge(fd, 0);
	shell(&w, "env | grep -v '^\\(PWD\\|_\\|SHLVL\\|OLDPWD\\)=' | sort; "
	    "pwd; wc -c; ls /proc/self/fd | wc -w; "
	    "ign=$(sed -n 's/^SigIgn:\t//p' /proc/self/status); "
	    "echo $((0x$ign & 0x7fffffff))", 5000);
	/*
	 * 0, 1, 2 and the directory that ls reads; no signal ignored, but for
	 * 32 and 33, which are libc's own and which make leaves ignored.
	 */
	ck_assert_str_eq(w.output, "HOME=/\nLANG=C.UTF-8\n"
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	    "\nSHELL=/bin/sh\n/\n0\n4\n0\n");
	close(fd);
	world_clear(&w);
}
END_TEST

START_TEST(limits_are_set)
{
	struct world	 w;

	world_init(&w);
	shell(&w, "ulimit -d; ulimit -c; ulimit -t; ulimit -n; ulimit -f; "
	    "grep NoNewPrivs /proc/self/status", 5000);
	ck_assert_str_eq(w.output, "524288\n0\n10\n256\n131072\n"
	    "NoNewPrivs:\t1\n");
	world_clear(&w);
}
END_TEST

START_TEST(one_that_forks_without_end_is_killed)
{
	struct world	 w;

	world_init(&w);
	shell(&w, "i=0; while [ $i -lt 300 ]; do sleep 77 & i=$((i + 1)); "
	    "done; echo all; wait", 60000);
	ck_assert_int_eq(w.last.end, RUN_FAILED);
	ck_assert_str_eq(w.last.error,
	    "killed: it had more than 128 processes");
	world_clear(&w);
}
END_TEST

START_TEST(sessions_are_read_whatever_the_name)
{
	ck_assert_int_eq(crowd_session("12 (sh) S 1 12 34 0 -1"), 34);
	ck_assert_int_eq(crowd_session("12 (a) S 1 2 3 (b) R 1 12 35 0"), 35);
	ck_assert_int_eq(crowd_session("12 (sh"), -1);
	ck_assert_int_eq(crowd_session("12 (sh) S 1 12"), -1);
	ck_assert_int_eq(crowd_session(""), -1);
}
END_TEST

START_TEST(more_than_may_run_at_once_wait)
{
	const char	*args[] = { "/bin/sleep", "0.2", NULL };
	struct world	 w;
	size_t		 i;

	world_init(&w);
	for (i = 0; i < RUNS_MAX + 10; i++)
		ck_assert_ptr_nonnull(start(&w, args, 5000, 0));
	spin(&w, RUNS_MAX + 10, 8000);
	ck_assert_uint_eq(w.nended, RUNS_MAX + 10);
	world_clear(&w);
}
END_TEST

START_TEST(cancelled_command_ends_in_silence)
{
	const char	*args[] = { "/bin/sleep", "30", NULL };
	struct world	 w;
	struct run	*r;

	world_init(&w);
	r = start(&w, args, 20000, 0);
	run_cancel(r);
	ck_assert_uint_eq(runs_count(w.runs), 0);
	r = start(&w, args, 20000, 0);
	spin(&w, 99, 100);
	run_cancel(r);
	spin(&w, 99, 300);
	ck_assert_uint_eq(runs_count(w.runs), 0);
	ck_assert_uint_eq(w.nended, 0);
	world_clear(&w);
}
END_TEST

UNIT_MAIN("execd_run",
    only_configured_commands_are_allowed,
    exit_status_and_both_outputs_come_back,
    failures_to_start_have_their_words,
    last_bytes_of_the_output_are_kept,
    deadline_ends_the_whole_group,
    one_that_ignores_term_is_killed,
    what_a_command_leaves_behind_is_killed,
    command_sees_little_of_us,
    limits_are_set,
    one_that_forks_without_end_is_killed,
    sessions_are_read_whatever_the_name,
    more_than_may_run_at_once_wait,
    cancelled_command_ends_in_silence)

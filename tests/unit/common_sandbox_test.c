/*
 * The sandbox: what it allows works, what it refuses gives an error, what it
 * forbids ends the process.  Each in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ev.h"
#include "common/sandbox.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

/* A sanitizer needs more calls; those tests are for the real thing. */
#if defined(DISCO_SANITIZED) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
const char	*__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";	/* it traces, which is forbidden */
}
#else
#define SANITIZED false
#endif

static const struct sandbox_role plain = { .name = "plain" };
static const struct sandbox_role files = { .name = "files", .files = true };
static const struct sandbox_role scripts = { .name = "exec", .exec = true };
static const struct sandbox_role forks = { .name = "forks", .forks = true };
static const char *const more[] = { "sethostname", NULL };
static const struct sandbox_role extra = { .name = "extra",
	.syscalls = more };

typedef int part_fn(void);

/* fn in the sandbox of that role: its wait status.  fn's own is 0 to 99. */
static int
in_sandbox(const struct sandbox_role *role, const char *dir, part_fn *fn)
{
	struct sandbox_privs	p = { .max_files = 128 };
	char			err[256];
	pid_t			pid;
	int			status;

	if ((pid = fork()) == 0) {
		if (sandbox_privs(&p, err, sizeof(err)) == -1 ||
		    sandbox_syscalls(role, dir, err, sizeof(err)) == -1) {
			fprintf(stderr, "%s\n", err);
			_exit(100);
		}
		_exit(fn());
	}
	ck_assert_int_ne(pid, -1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void
works(const struct sandbox_role *role, const char *dir, part_fn *fn)
{
	int	status = in_sandbox(role, dir, fn);

	ck_assert_msg(status == 0, "exit %d, signal %d", WEXITSTATUS(status),
	    WTERMSIG(status));
}

static void
killed(const struct sandbox_role *role, part_fn *fn)
{
	int	status = in_sandbox(role, NULL, fn);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
	    "status %x", status);
}

/* ---- what ends the process ---- */

static int
do_ptrace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int
do_mount(void)
{
	return (int)syscall(SYS_mount, "a", "b", "c", 0, NULL);
}

static int
do_hostname(void)
{
	return sethostname("x", 1) == -1 && errno == EPERM ? 0 : 1;
}

static int
do_kill_other(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

START_TEST(forbidden_call_kills)
{
	killed(&plain, do_ptrace);
	killed(&plain, do_mount);
	killed(&plain, do_hostname);
	killed(&files, do_ptrace);
	if (!SANITIZED)
		killed(&plain, do_kill_other);
}
END_TEST

static void *
thread(void *arg)
{
	int	*go = arg;
	char	 c;

	(void)!read(go[0], &c, 1);
	(void)do_ptrace();
	return NULL;
}

static int	go[2];


static int
thread_status(void)
{
	pthread_t	t;
	char		err[256];
	int		status;
	pid_t		pid;

	ck_assert_int_eq(pipe(go), 0);
	if ((pid = fork()) == 0) {
		pthread_create(&t, NULL, thread, go);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (sandbox_syscalls(&plain, NULL, err, sizeof(err)) == -1)
			_exit(100);
		(void)!write(go[1], "", 1);
		for (;;)
			poll(NULL, 0, 1000);
	}
	waitpid(pid, &status, 0);
	close(go[0]);
	close(go[1]);
	return status;
}

START_TEST(thread_started_before_is_bound_too)
{
	int	status = thread_status();

	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGSYS);
}
END_TEST

static int
do_fork(void)
{
	int	status;
	pid_t	pid;

	if ((pid = fork()) == 0)
		_exit(7);
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : 2;
}

/* As pthread_create() asks for one where there is no clone3(). */
static int
do_thread(void)
{
	return (int)syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES |
	    CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL, NULL, NULL, 0);
}

static int
do_user_namespace(void)
{
	return (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL,
	    NULL, 0);
}

/* 0 where the kernel has no such thing. */
static uint64_t
slice_ns(bool prompt)
{
	struct sandbox_privs	p = { .prompt = prompt };
	uint64_t		attr[6] = { 0 };
	char			err[256];

	if (sandbox_privs(&p, err, sizeof(err)) == -1 ||
	    syscall(SYS_sched_getattr, 0, attr, sizeof(attr), 0) == -1)
		_exit(1);
	return attr[3];
}

static void
slice_in_child(bool prompt, bool (*good)(uint64_t))
{
	int	status;
	pid_t	pid;

	if ((pid = fork()) == 0)
		_exit(good(slice_ns(prompt)) ? 0 : 2);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static bool
is_short(uint64_t ns)
{
	return ns == 100000 || ns == 0;
}

static bool
is_usual(uint64_t ns)
{
	return ns != 100000;
}

START_TEST(prompt_ones_have_short_slices_others_the_usual)
{
	slice_in_child(true, is_short);
	slice_in_child(false, is_usual);
}
END_TEST

START_TEST(role_that_forks_does_nothing_else_of_the_kind)
{
	works(&forks, NULL, do_fork);
	if (SANITIZED)
		return;
	killed(&plain, do_fork);
	killed(&forks, do_thread);
	killed(&forks, do_user_namespace);
}
END_TEST

START_TEST(role_may_add_calls)
{
	/* It gets as far as the kernel, which refuses: no capability. */
	works(&extra, NULL, do_hostname);
}
END_TEST

/* ---- what is refused ---- */

static int
refusals(void)
{
	struct rlimit	rl = { 10, 10 };
	struct stat	st;
	int		bad = 0;

	bad |= (open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES) ?
	    0 : 1;
	bad |= (socket(AF_PACKET, SOCK_RAW, 0) == -1 &&
	    errno == EAFNOSUPPORT) ? 0 : 2;
	bad |= (socket(AF_NETLINK, SOCK_RAW, 0) == -1 &&
	    errno == EAFNOSUPPORT) ? 0 : 4;
	bad |= (stat("/etc/passwd", &st) == -1 && errno == EACCES) ? 0 : 8;
	bad |= (setrlimit(RLIMIT_NOFILE, &rl) == -1 && errno == EPERM) ?
	    0 : 16;
	bad |= syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS ? 0 : 32;
	return bad;
}

START_TEST(probes_get_an_error)
{
	if (!SANITIZED)
		works(&plain, NULL, refusals);
}
END_TEST

/* ---- what works ---- */

static void
on_timer(void *arg)
{
	ev_stop(arg);
}

static int
daily_work(void)
{
	struct ev	*ev = ev_new();
	struct ev_timer	*t = ev_timer_new(ev, on_timer, ev);
	struct rlimit	 rl;
	struct stat	 st;
	int		 one = 1, fd, sv[2];
	void		*p;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd == -1 || ioctl(fd, FIONBIO, &one) == -1 || fstat(fd, &st) == -1)
		return 1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1 || rl.rlim_cur != 128)
		return 3;
	if ((p = malloc(64 << 20)) == NULL)
		return 4;
	memset(p, 1, 1 << 20);
	free(p);
	ev_timer_set(t, 1);
	ev_run(ev);
	ev_timer_free(t);
	ev_free(ev);
	return 0;
}

START_TEST(loop_sockets_and_memory_work)
{
	works(&plain, NULL, daily_work);
}
END_TEST

static int
abort_self(void)
{
	abort();
}

START_TEST(abort_is_an_abort)
{
	int	status = in_sandbox(&plain, NULL, abort_self);

	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

static char	dir[] = "/tmp/disco_sandbox_XXXXXX";

static int
write_own(void)
{
	char	path[128];
	int	fd;

	snprintf(path, sizeof(path), "%s/a", dir);
	if ((fd = open(path, O_CREAT | O_RDWR, 0600)) == -1 ||
	    write(fd, "x", 1) != 1 || fdatasync(fd) == -1)
		return 1;
	snprintf(path, sizeof(path), "%s/b", dir);
	if (rename(strcat(strcpy(path, dir), "/a"), "/tmp/elsewhere") == 0)
		return 2;
	return 0;
}

/* 0: Landlock kept it out; 1: the kernel has no Landlock; else wrong. */
static int
open_elsewhere(void)
{
	if (open("/etc/passwd", O_RDONLY) == -1)
		return errno == EACCES ? 0 : 2;
	return 1;
}

START_TEST(role_with_files_works_in_its_directory)
{
	char	path[128];
	int	status;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	works(&files, dir, write_own);
	status = in_sandbox(&files, dir, open_elsewhere);
	ck_assert(WIFEXITED(status));
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0)
		ck_assert_int_eq(WEXITSTATUS(status), 0);
	snprintf(path, sizeof(path), "%s/a", dir);
	unlink(path);
	rmdir(dir);
}
END_TEST

static int
run_script(void)
{
	int	status;
	pid_t	pid;

	if ((pid = fork()) == 0) {
		execl("/bin/sh", "sh", "-c", "ls / | grep -q etc", NULL);
		_exit(9);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int
admin_calls(void)
{
	if (syscall(SYS_mount, "a", "b", "c", 0, NULL) != -1 || errno != EPERM)
		return 1;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != -1 || errno != EPERM)
		return 2;
	return 0;
}

static int
new_namespaces(void)
{
	long	pid;

	if (syscall(SYS_unshare, CLONE_NEWUSER) != -1 || errno != EPERM)
		return 1;
	pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL,
	    NULL);
	if (pid == 0)
		_exit(0);
	if (pid != -1 || errno != EPERM)
		return 2;
	return syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS ? 0 : 3;
}

START_TEST(role_with_exec_runs_scripts_but_nothing_administrative)
{
	works(&scripts, NULL, run_script);
	works(&scripts, NULL, admin_calls);
	works(&scripts, NULL, new_namespaces);
}
END_TEST

/* ---- privileges ---- */

static int
is_stripped(void)
{
	char	*text = file_read("/proc/self/status", 65536, NULL), *p;

	if (text == NULL)
		return 1;
	if ((p = strstr(text, "CapEff:")) == NULL ||
	    strtoull(p + 7, NULL, 16) != 0)
		return 2;
	if ((p = strstr(text, "CapPrm:")) == NULL ||
	    strtoull(p + 7, NULL, 16) != 0)
		return 3;
	if (strstr(text, "NoNewPrivs:\t1") == NULL)
		return 4;
	if (strstr(text, "Seccomp:\t2") == NULL)
		return 5;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 6;
	free(text);
	return 0;
}

START_TEST(capabilities_are_gone_and_cannot_come_back)
{
	works(&scripts, NULL, is_stripped);
}
END_TEST

START_TEST(user_and_chroot_change)
{
	struct sandbox_privs	p = { .user = "nobody", .chroot_dir = "/tmp" };
	char			err[256];
	pid_t			pid;
	int			status;

	if (geteuid() != 0)
		return;		/* only root can */
	if ((pid = fork()) == 0) {
		if (sandbox_privs(&p, err, sizeof(err)) == -1) {
			fprintf(stderr, "%s\n", err);
			_exit(1);
		}
		if (getuid() == 0 || setuid(0) == 0 || setgid(0) == 0)
			_exit(2);
		_exit(access("/etc", F_OK) == 0 ? 3 : 0);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(missing_user_is_an_error)
{
	struct sandbox_privs	p = { .user = "nobody-of-that-name" };
	char			err[256];

	ck_assert_int_eq(sandbox_privs(&p, err, sizeof(err)), -1);
	ck_assert_str_eq(err, "user nobody-of-that-name: no such user");
}
END_TEST

UNIT_MAIN("common_sandbox",
    forbidden_call_kills,
    thread_started_before_is_bound_too,
    prompt_ones_have_short_slices_others_the_usual,
    role_that_forks_does_nothing_else_of_the_kind,
    role_may_add_calls,
    probes_get_an_error,
    loop_sockets_and_memory_work,
    abort_is_an_abort,
    role_with_files_works_in_its_directory,
    role_with_exec_runs_scripts_but_nothing_administrative,
    capabilities_are_gone_and_cannot_come_back,
    user_and_chroot_change,
    missing_user_is_an_error)

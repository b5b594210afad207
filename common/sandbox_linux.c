/*
 * The sandbox on Linux: user and chroot, capabilities, limits, no_new_privs,
 * Landlock where the kernel has it, a seccomp filter per role.
 *
 * The filter is a list of what is allowed; architecture is the native one
 * alone.  What libraries merely probe gets an error, so that they fall back;
 * anything else ends the process.  execd's filter is the other way round, for
 * scripts inherit it.
 */
#include <bsd/string.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/sandbox.h"
#include "common/util.h"

#define SLICE_NS 100000	/* the shortest there is */

#if defined(DISCO_SANITIZED) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static int __attribute__((format(printf, 3, 4)))
fail(char *err, size_t errlen, const char *fmt, ...)
{
	va_list	 ap;
	size_t	 n;
	int	 saved = errno;

	va_start(ap, fmt);
	(void)vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	n = strlen(err);
	if (saved != 0)
		(void)snprintf(err + n, errlen - n, ": %s", strerror(saved));
	return -1;
}

/* ---- privileges ---- */

/* The bounding set needs CAP_SETPCAP: before the user changes. */
static int
drop_bounding(char *err, size_t errlen)
{
	int	cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1 &&
		    errno != EPERM)
			return fail(err, errlen, "capability %d", cap);
	return 0;
}

static int
drop_capabilities(char *err, size_t errlen)
{
	struct __user_cap_header_struct	h = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct	d[2] = { { 0 }, { 0 } };

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &h, d) == -1)
		return fail(err, errlen, "drop capabilities");
	return 0;
}

static int
enter_chroot(const char *dir, char *err, size_t errlen)
{
	if (chdir(dir) == -1)
		return fail(err, errlen, "chdir %s", dir);
	if (chroot(".") == -1)
		return fail(err, errlen, "chroot %s", dir);
	if (chdir("/") == -1)
		return fail(err, errlen, "chdir / in %s", dir);
	return 0;
}

static int
become(const char *user, uid_t uid, gid_t gid, char *err, size_t errlen)
{
	if (setgroups(1, &gid) == -1)
		return fail(err, errlen, "user %s: setgroups", user);
	if (setresgid(gid, gid, gid) == -1)
		return fail(err, errlen, "user %s: setresgid", user);
	if (setresuid(uid, uid, uid) == -1)
		return fail(err, errlen, "user %s: setresuid", user);
	if (uid != 0 && setresuid(0, 0, 0) == 0) {
		errno = 0;
		return fail(err, errlen, "user %s: root came back", user);
	}
	return 0;
}

static int
set_limits(unsigned max_files, char *err, size_t errlen)
{
	struct rlimit	rl = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &rl) == -1)
		return fail(err, errlen, "limit of core files");
	if (max_files == 0)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return fail(err, errlen, "limit of open files");
	/* Only root may raise the hard limit; take what there is. */
	rl.rlim_cur = max_files;
	if (rl.rlim_cur > rl.rlim_max) {
		rl.rlim_max = max_files;
		if (setrlimit(RLIMIT_NOFILE, &rl) == 0)
			return 0;
		(void)getrlimit(RLIMIT_NOFILE, &rl);
		rl.rlim_cur = rl.rlim_max;
	}
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		return fail(err, errlen, "limit of open files");
	return 0;
}

/*
 * Time slices that are as short as what a daemon does in one go: among processes
 * that only calculate, who is woken waits less for his turn, and gets no more of
 * the processor.  Since Linux 6.12, of anybody; without it nothing is lost.
 */
static void
be_prompt(void)
{
	struct {
		uint32_t	size, policy;
		uint64_t	flags;
		int32_t		nice;
		uint32_t	priority;
		uint64_t	runtime_ns, deadline_ns, period_ns;
	} attr = { .size = sizeof(attr), .policy = SCHED_OTHER,
	    .runtime_ns = SLICE_NS };

	if (sched_getscheduler(0) != SCHED_OTHER)
		return;
	attr.nice = getpriority(PRIO_PROCESS, 0);
	(void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

int
sandbox_privs(const struct sandbox_privs *p, char *err, size_t errlen)
{
	struct passwd	*pw;
	uid_t		 uid = 0;
	gid_t		 gid = 0;

	if (p->user != NULL) {
		/* Before chroot hides the user database. */
		errno = 0;
		if ((pw = getpwnam(p->user)) == NULL)
			return fail(err, errlen, "user %s: no such user",
			    p->user);
		uid = pw->pw_uid;
		gid = pw->pw_gid;
	}
	if (set_limits(p->max_files, err, errlen) == -1)
		return -1;
	if (p->prompt)
		be_prompt();
	if (p->chroot_dir != NULL &&
	    enter_chroot(p->chroot_dir, err, errlen) == -1)
		return -1;
	if (drop_bounding(err, errlen) == -1)
		return -1;
	if (p->user != NULL &&
	    become(p->user, uid, gid, err, errlen) == -1)
		return -1;
	if (drop_capabilities(err, errlen) == -1)
		return -1;
	/* After the change of user, which sets it anew. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return fail(err, errlen, "no ptrace");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return fail(err, errlen, "no_new_privs");
	return 0;
}

/* ---- Landlock ---- */

/* Everything that ABI 1 knows; later ABIs add a bit each. */
#define LANDLOCK_V1	((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define LANDLOCK_REFER	(1ULL << 13)	/* ABI 2 */
#define LANDLOCK_TRUNC	(1ULL << 14)	/* ABI 3 */

static int
landlock_allow(int ruleset, const char *dir, uint64_t access)
{
	struct landlock_path_beneath_attr	a = {
		.allowed_access = access & ~(uint64_t)
		    LANDLOCK_ACCESS_FS_EXECUTE };
	int					rc, saved;

	if ((a.parent_fd = open(dir, O_PATH | O_CLOEXEC)) == -1)
		return -1;
	rc = (int)syscall(SYS_landlock_add_rule, ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &a, 0);
	saved = errno;
	close(a.parent_fd);
	errno = saved;
	return rc;
}

/* 0 also where the kernel has none. */
static int
landlock(const char *dir, char *err, size_t errlen)
{
	struct landlock_ruleset_attr	a = {
		.handled_access_fs = LANDLOCK_V1 };
	long				abi;
	int				fd, rc = -1;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1)
		return 0;
	if (abi >= 2)
		a.handled_access_fs |= LANDLOCK_REFER;
	if (abi >= 3)
		a.handled_access_fs |= LANDLOCK_TRUNC;
	fd = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0);
	if (fd == -1)
		return fail(err, errlen, "landlock");
	if (dir != NULL && landlock_allow(fd, dir, a.handled_access_fs) == -1)
		(void)fail(err, errlen, "landlock: %s", dir);
	else if (syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		(void)fail(err, errlen, "landlock");
	else
		rc = 0;
	close(fd);
	return rc;
}

/* ---- system calls ---- */

static const char *const allowed_common[] = {
	/* memory */
	"brk", "mmap", "munmap", "mremap", "mprotect", "madvise",
	/* descriptors */
	"read", "readv", "write", "writev", "close", "close_range", "fstat",
	"lseek", "fcntl", "dup", "dup2", "dup3", "pipe", "pipe2", "eventfd2",
	/* waiting */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
	"epoll_pwait2", "poll", "ppoll", "select", "pselect6",
	"timerfd_create", "timerfd_settime", "timerfd_gettime",
	/* sockets; socket() itself is below */
	"socketpair", "connect", "bind", "listen", "accept", "accept4",
	"getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown",
	"sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg",
	/* time */
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
	"gettimeofday", "time",
	/* the process itself */
	"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid",
	"getegid", "getrandom", "uname", "sysinfo", "getrusage", "times",
	"getcpu", "sched_yield", "sched_getaffinity", "umask", "exit",
	"exit_group",
	/* signals and threads */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
	"restart_syscall", "futex", "set_robust_list", "rseq", "membarrier",
	NULL
};

static const char *const allowed_files[] = {
	"open", "openat", "creat", "stat", "lstat", "newfstatat", "statx",
	"access", "faccessat", "faccessat2", "readlink", "readlinkat",
	"getdents64", "getcwd", "statfs", "fstatfs", "pread64", "pwrite64",
	"preadv", "pwritev", "preadv2", "pwritev2", "ftruncate", "truncate",
	"fallocate", "fadvise64", "fsync", "fdatasync", "sync_file_range",
	"copy_file_range", "sendfile", "flock", "mkdir", "mkdirat", "rmdir",
	"unlink", "unlinkat", "rename", "renameat", "renameat2", "link",
	"linkat", "fchmod", "fchmodat", "utimensat",
	NULL
};

#if SANITIZED
/* So that a report is printed, with names of functions. */
static const char *const allowed_sanitized[] = {
	"openat", "newfstatat", "readlink", "clone", "execve", "wait4",
	"kill", "tgkill", "prctl", "sched_getaffinity", "pread64", "gettid",
	NULL
};
#endif

/* What libraries try, and do without when it is refused. */
static const struct {
	const char	*name;
	int		 error;
} refused[] = {
	{ "clone3", ENOSYS },
	{ "openat2", ENOSYS },
	{ "io_uring_setup", ENOSYS },
	{ "memfd_create", ENOSYS },
	{ "inotify_init1", ENOSYS },
	{ "open", EACCES },
	{ "openat", EACCES },
	{ "stat", EACCES },
	{ "lstat", EACCES },
	{ "statx", ENOSYS },
	{ "access", EACCES },
	{ "faccessat", EACCES },
	{ "faccessat2", EACCES },
	{ "readlink", EACCES },
	{ "readlinkat", EACCES },
	{ "getcwd", EACCES },
	{ "statfs", EACCES },
	{ "unlink", EACCES },
	{ "getrlimit", EPERM },
	{ "setrlimit", EPERM },
	{ "prctl", EPERM },
	{ "mlock", EPERM },
	{ "sched_setaffinity", EPERM },
	{ "sched_setscheduler", EPERM },
	{ "sched_getparam", EPERM },
	{ "sched_getscheduler", EPERM },
	{ "setpriority", EPERM },
	{ "set_mempolicy", EPERM },
};

/* What neither execd nor a script has any business with. */
static const char *const denied_exec[] = {
	"acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime",
	"clock_settime", "delete_module", "finit_module", "fsconfig",
	"fsmount", "fsopen", "init_module", "io_uring_enter",
	"io_uring_register", "io_uring_setup", "ioperm", "iopl",
	"kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mount",
	"mount_setattr", "move_mount", "name_to_handle_at", "nfsservctl",
	"open_by_handle_at", "open_tree", "perf_event_open", "pivot_root",
	"process_vm_readv", "process_vm_writev", "ptrace", "quotactl",
	"quotactl_fd", "reboot", "request_key", "setdomainname",
	"sethostname", "setns", "settimeofday", "swapoff", "swapon", "syslog",
	"umount2", "unshare", "userfaultfd", "vhangup",
	NULL
};

/*
 * Calls that depend on an argument.  A rule can look at each argument once
 * only, so that "none of these" is spelled out value by value.
 */
static const struct arg_rule {
	const char		*name;
	unsigned		 arg;
	enum scmp_compare	 op;
	scmp_datum_t		 a, b;
	int			 error;		/* 0: allowed */
} arg_rules[] = {
	{ "socket", 0, SCMP_CMP_EQ, AF_UNIX, 0, 0 },
	{ "socket", 0, SCMP_CMP_EQ, AF_INET, 0, 0 },
	{ "socket", 0, SCMP_CMP_EQ, AF_INET6, 0, 0 },
	{ "socket", 0, SCMP_CMP_GT, AF_INET6, 0, EAFNOSUPPORT },
	{ "ioctl", 1, SCMP_CMP_EQ, FIONBIO, 0, 0 },
	{ "ioctl", 1, SCMP_CMP_EQ, FIONREAD, 0, 0 },
	{ "ioctl", 1, SCMP_CMP_EQ, FIOCLEX, 0, 0 },
	{ "ioctl", 1, SCMP_CMP_EQ, TCGETS, 0, ENOTTY },	/* isatty() */
	{ "ioctl", 1, SCMP_CMP_EQ, TIOCGWINSZ, 0, ENOTTY },
	{ "prlimit64", 2, SCMP_CMP_EQ, 0, 0, 0 },
	{ "prlimit64", 2, SCMP_CMP_NE, 0, 0, EPERM },
	/* glibc's fstat(), and nothing by name */
	{ "newfstatat", 3, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH,
	    0 },
	{ "newfstatat", 3, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, 0, EACCES },
};

struct filter {
	scmp_filter_ctx			 ctx;
	const struct sandbox_role	*role;
	int				 rc;	/* first error, -errno */
	const char			*what;
};

static void
note(struct filter *f, int rc, const char *what)
{
	/* EEXIST: two lists name the same call. */
	if (rc < 0 && rc != -EEXIST && f->rc == 0) {
		f->rc = rc;
		f->what = what;
	}
}

/* Negative: this architecture has no such call, so there is nothing to say. */
static int
number(const char *name)
{
	int	nr = seccomp_syscall_resolve_name(name);

	return nr == __NR_SCMP_ERROR ? -1 : nr;
}

static void
add(struct filter *f, uint32_t action, const char *name)
{
	int	nr = number(name);

	if (nr >= 0)
		note(f, seccomp_rule_add(f->ctx, action, nr, 0), name);
}

static void
add_all(struct filter *f, uint32_t action, const char *const *names)
{
	for (; names != NULL && *names != NULL; names++)
		add(f, action, *names);
}

static void
add_arg(struct filter *f, const struct arg_rule *r)
{
	struct scmp_arg_cmp	cmp = { .arg = r->arg, .op = r->op,
				    .datum_a = r->a, .datum_b = r->b };
	int			nr = number(r->name);

	if (nr >= 0)
		note(f, seccomp_rule_add_array(f->ctx, r->error == 0 ?
		    SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint16_t)r->error), nr,
		    1, &cmp), r->name);
}

static bool
listed(const char *const *names, const char *name)
{
	for (; names != NULL && *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static bool
role_allows(const struct sandbox_role *role, const char *name)
{
#if SANITIZED
	if (listed(allowed_sanitized, name))
		return true;
#endif
	return listed(allowed_common, name) ||
	    listed(role->syscalls, name) ||
	    (role->files && listed(allowed_files, name));
}

static void
list_socket_families(struct filter *f)
{
	struct arg_rule	r = { "socket", 0, SCMP_CMP_EQ, 0, 0, EAFNOSUPPORT };

	for (r.a = 0; r.a < AF_INET6; r.a++)
		if (r.a != AF_UNIX && r.a != AF_INET)
			add_arg(f, &r);
}

/*
 * A user namespace gives back within it every capability that was dropped, by
 * clone() as by unshare().  The flags of clone3() are out of a filter's reach:
 * libraries fall back.
 */
static void
deny_exec(struct filter *f)
{
	struct arg_rule	new_user = { "clone", 0, SCMP_CMP_MASKED_EQ,
			    CLONE_NEWUSER, CLONE_NEWUSER, EPERM };

	add_all(f, SCMP_ACT_ERRNO(EPERM), denied_exec);
	add_arg(f, &new_user);
	add(f, SCMP_ACT_ERRNO(ENOSYS), "clone3");
}

/* fork() and no other use of clone(): no thread, no namespace. */
static void
allow_fork(struct filter *f)
{
	struct arg_rule	fork_only = { "clone", 0, SCMP_CMP_MASKED_EQ,
			    ~(scmp_datum_t)(CLONE_CHILD_SETTID |
			    CLONE_CHILD_CLEARTID), SIGCHLD, 0 };

	if (!role_allows(f->role, "clone"))
		add_arg(f, &fork_only);
	add(f, SCMP_ACT_ALLOW, "fork");
	add(f, SCMP_ACT_ALLOW, "wait4");
}

/* All that is listed and nothing else. */
static void
only_listed(struct filter *f)
{
	struct arg_rule	abort_self = { "tgkill", 0, SCMP_CMP_EQ,
			    (scmp_datum_t)getpid(), 0, 0 };
	size_t		i;

	add_all(f, SCMP_ACT_ALLOW, allowed_common);
	add_all(f, SCMP_ACT_ALLOW, f->role->syscalls);
	if (f->role->files)
		add_all(f, SCMP_ACT_ALLOW, allowed_files);
	if (f->role->forks)
		allow_fork(f);
#if SANITIZED
	add_all(f, SCMP_ACT_ALLOW, allowed_sanitized);
#endif
	for (i = 0; i < NELEM(arg_rules); i++)
		if (!role_allows(f->role, arg_rules[i].name))
			add_arg(f, &arg_rules[i]);
	if (!role_allows(f->role, "socket"))
		list_socket_families(f);
	if (!role_allows(f->role, "tgkill"))
		add_arg(f, &abort_self);
	for (i = 0; i < NELEM(refused); i++)
		if (!role_allows(f->role, refused[i].name))
			add(f, SCMP_ACT_ERRNO((uint16_t)refused[i].error),
			    refused[i].name);
}

static int
load_filter(const struct sandbox_role *role, char *err, size_t errlen)
{
	struct filter	f = { .role = role };

	f.ctx = seccomp_init(role->exec ? SCMP_ACT_ALLOW :
	    SCMP_ACT_KILL_PROCESS);
	if (f.ctx == NULL) {
		errno = ENOMEM;
		return fail(err, errlen, "seccomp");
	}
	note(&f, seccomp_attr_set(f.ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS), "architecture");
	/* Threads that were started before, too. */
	note(&f, seccomp_attr_set(f.ctx, SCMP_FLTATR_CTL_TSYNC, 1),
	    "all threads");
	if (role->exec)
		deny_exec(&f);
	else
		only_listed(&f);
	if (f.rc == 0)
		note(&f, seccomp_load(f.ctx), "load");
	seccomp_release(f.ctx);
	if (f.rc == 0)
		return 0;
	errno = -f.rc;
	return fail(err, errlen, "seccomp: %s", f.what);
}

int
sandbox_syscalls(const struct sandbox_role *role, const char *dir, char *err,
    size_t errlen)
{
	if (!role->exec &&
	    landlock(role->files ? dir : NULL, err, errlen) == -1)
		return -1;
	return load_filter(role, err, errlen);
}

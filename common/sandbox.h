/*
 * What a child may do: user, root directory, limits, system calls.  One file
 * per operating system implements it (sandbox_linux.c).
 *
 * Order: sandbox_privs() before anything from outside is read, then
 * sandbox_syscalls() when everything is set up.
 */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox_role {
	const char		*name;
	const char *const	*syscalls;	/* besides the common; NULL-ended */
	bool			 files;		/* may open them, in its chroot */
	bool			 forks;		/* a copy of itself, no more */
	bool			 exec;		/* execd alone */
};

struct sandbox_privs {
	const char	*user;		/* NULL: stay who we are */
	const char	*chroot_dir;	/* NULL: none */
	unsigned	 max_files;	/* RLIMIT_NOFILE, 0: as it is */
	bool		 prompt;	/* runs briefly, and soon when woken */
};

/* 0, or -1 with one line in err.  Also no_new_privs, no core, no ptrace. */
int sandbox_privs(const struct sandbox_privs *, char *err, size_t errlen);
/*
 * Unlisted calls end the process; openat, clone3 and what libraries probe get
 * an error instead.  A role with exec has the opposite, for its filter is
 * inherited by what it runs: all but a list of administrative calls.
 * dir: where a role with files may work ("/" after chroot; NULL: nowhere).
 * 0, or -1 with one line in err.
 */
int sandbox_syscalls(const struct sandbox_role *, const char *dir, char *err,
    size_t errlen);

#endif

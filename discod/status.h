/*
 * What /proc says about a child.  Pure: text in, numbers out.
 */
#ifndef DISCOD_STATUS_H
#define DISCOD_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_status {
	uid_t		uid;
	uint64_t	rss, anonymous;		/* bytes */
	uint64_t	caps;			/* effective */
	unsigned	seccomp;		/* mode: 2 is a filter */
	bool		no_new_privs;
};

/* /proc/PID/status.  0, or -1 if it is not that. */
int status_parse(const char *text, struct proc_status *);
/* /proc/PID/smaps_rollup, bytes.  0, or -1. */
int smaps_parse(const char *text, uint64_t *pss, uint64_t *anonymous);
/* /proc/PID/stat: CPU time used, in ticks.  0, or -1. */
int stat_parse(const char *text, uint64_t *ticks);
/* "chroot,no-caps,no-new-privs,seccomp": what is in force, or "none". */
const char *sandbox_text(const struct proc_status *, bool chrooted, char *,
    size_t);

#endif

/*
 * Commands that run: a process group each, with limits, a deadline, and the
 * end of its output.
 */
#ifndef EXECD_RUN_H
#define EXECD_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/ev.h"
#include "common/schema/msg.h"

#define RUN_TIMEOUT_MS	30000	/* of a command that names none */
#define RUN_OUTPUT	4096	/* the same for what is kept of its output */
#define RUN_OUTPUT_MAX	(512u << 10)
#define RUNS_MAX	64	/* at once; the next ones wait */
#define RUNS_WAITING	4096	/* past it they fail */

struct runs;
struct run;

/* Once, never from within run_start(), and not after run_cancel(). */
typedef void run_fn(const struct msg_exited *, void *arg);

/* own_user: we run as a user of our own, whose processes can be counted. */
struct runs *runs_new(struct ev *, bool own_user);
void runs_free(struct runs *);		/* kills what runs */
struct run *run_start(struct runs *, const struct msg_run *, run_fn *,
    void *arg);
/* Who is told of processes that are none of these. */
typedef void reaped_fn(pid_t, int status, void *arg);
void runs_on_reaped(struct runs *, reaped_fn *, void *arg);
/* Nobody waits for it: it is ended without a word. */
void run_cancel(struct run *);
size_t runs_count(const struct runs *);

#endif

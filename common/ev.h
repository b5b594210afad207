/*
 * The event loop: a thin wrapper around libuv, so that handles are plain
 * pointers and a freed handle never calls back.  Only ev, ipc, stream and the
 * daemons' I/O files include this.
 */
#ifndef COMMON_EV_H
#define COMMON_EV_H

#include <stdbool.h>
#include <stdint.h>

struct ev;
struct ev_io;
struct ev_timer;
struct ev_signal;
struct ev_job;

enum { EV_READ = 1, EV_WRITE = 2, EV_HANGUP = 4 };

typedef void ev_io_fn(struct ev_io *, int fd, int events, void *arg);
typedef void ev_timer_fn(void *arg);
typedef void ev_signal_fn(int signo, void *arg);

/* Out of memory or descriptors: fatal. */
struct ev *ev_new(void);
/* Closes what is left open (handles, not descriptors). */
void ev_free(struct ev *);
/* Until ev_stop(). */
void ev_run(struct ev *);
void ev_stop(struct ev *);
/* Monotonic milliseconds, as of the start of this turn of the loop. */
uint64_t ev_now(struct ev *);
/* Monotonic nanoseconds, now. */
uint64_t ev_hrtime(void);
/* Wall clock, nanoseconds since 1970. */
int64_t ev_wall_ns(void);

/*
 * Watches fd; nothing is watched before ev_io_set().  The descriptor stays the
 * caller's: free the watch first, then close.
 */
struct ev_io *ev_io_new(struct ev *, int fd, ev_io_fn *, void *arg);
void ev_io_set(struct ev_io *, int events);	/* 0: none */
void ev_io_free(struct ev_io *);		/* NULL is fine */

struct ev_timer *ev_timer_new(struct ev *, ev_timer_fn *, void *arg);
void ev_timer_set(struct ev_timer *, uint64_t ms);	/* once; replaces */
void ev_timer_stop(struct ev_timer *);
bool ev_timer_pending(const struct ev_timer *);
void ev_timer_free(struct ev_timer *);		/* NULL is fine */

struct ev_signal *ev_signal_new(struct ev *, int signo, ev_signal_fn *,
    void *arg);
void ev_signal_free(struct ev_signal *);

/*
 * A job runs once at the end of the turn in which it was set: for what is
 * cheaper done in one go (flushing) and for what must not happen within a
 * call (reporting a failure).
 */
struct ev_job *ev_job_new(struct ev *, ev_timer_fn *, void *arg);
void ev_job_set(struct ev_job *);
void ev_job_free(struct ev_job *);		/* NULL is fine */

/*
 * Called once per turn, after all events and timers of it were handled and
 * before the loop sleeps; NULL removes.
 */
void ev_after(struct ev *, ev_timer_fn *, void *arg);

#endif

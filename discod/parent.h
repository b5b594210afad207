/*
 * discod's own state: the suite as the parent sees it.  Each part below has
 * its file; discod.c puts them in order.
 */
#ifndef DISCOD_PARENT_H
#define DISCOD_PARENT_H

#include <sys/types.h>

#include "common/call.h"
#include "common/ev.h"
#include "common/ipc.h"
#include "common/proc.h"
#include "discod/backoff.h"
#include "discod/config.h"

struct parent;
struct sink;

enum kid_state {
	KID_OFF,	/* not wanted, or ended for good */
	KID_STARTING,	/* started, not READY yet */
	KID_RUNNING,
	KID_DOWN	/* ended; will be started again */
};

struct kid {
	struct parent	*parent;
	enum proc	 proc;
	unsigned	 worker;	/* which of several dnsd; else 0 */
	char		 name[PROC_NAME_MAX];	/* "dnsd.2" */
	enum kid_state	 state;
	pid_t		 pid;		/* 0: no process */
	struct ipc	*ipc;
	struct sink	*sink;		/* where its lines go */
	struct ev_timer	*timer;		/* DOWN: restart; else: time to kill */
	struct backoff	 backoff;
	uint64_t	 started_ms;
	uint64_t	 restarts;
	bool		 ready_once;
	bool		 left;		/* did its part of leaving */
};

/* A bound socket: kept open for as long as we live. */
struct bound {
	int			 fd;
	enum socket_kind	 kind;
	unsigned		 worker;	/* whose it is */
	char			*key;		/* "ports.dns" */
	char			*text, *ip;	/* ip NULL: Unix */
	uint16_t		 port;
};

enum suite_phase {
	SUITE_STARTING, SUITE_RUNNING, SUITE_LEAVING, SUITE_DRAINING,
	SUITE_STOPPING
};

struct parent {
	struct ev		*ev;
	struct config		 cfg;
	struct kid		*kids;		/* by enum proc (DISCOD: its
						   sink only), then the dnsd
						   beyond the first */
	size_t			 nkids;
	struct bound		*bound;
	size_t			 nbound;
	bool			 join_pending;	/* start_join not done yet */
	enum suite_phase	 phase;
	bool			 as_root;
	char			*bin_dir;	/* where the daemons are */
	char			*empty_dir;	/* chroot of those that write
						   nothing */
	bool			 run_made;	/* to be removed at the end */
	char			*pid_path;
	int			 pid_fd;	/* locked */
	int			 data_fd;	/* locked */
	int			 waiter;	/* who waits for our start, or -1 */
	char			*notify_path;	/* NOTIFY_SOCKET, or NULL */
	uint64_t		 started_ms;
	struct ev_timer		*timer;		/* of the phase */
	struct ev_timer		*expiry;	/* of certificates */
	struct ev_signal	*signals[8];
	int			 exit_status;
	/* leaving */
	size_t			 leave_step;
	bool			 leave_late;	/* somebody did not answer */
	bool			 leave_asked;	/* by this CALL */
	uint32_t		 leave_call;
	uint32_t		 dns_log;	/* one query of so many; 0: none */
	/* monitor.c */
	uint8_t			 monitor;	/* enum log_level, or
						   LOG_LEVEL_NONE */
	uint64_t		 monitor_dropped;
};

/* ---- start.c: errors before everything runs ---- */
/* Standard input, output and error are open, somewhere. */
void start_stdio(void);
/* Says why on standard error and in the log, undoes what was done, exits 1. */
__attribute__((noreturn, format(printf, 2, 3)))
void start_fail(struct parent *, const char *fmt, ...);
/* The start went well (0) or not (1): the command that started us may end. */
void start_done(struct parent *, int status);
/* Forks unless in the foreground; the first process waits and exits. */
void start_detach(struct parent *);
/* Where the daemons' programs are, from our own place. */
void start_find_programs(struct parent *);
void start_check_users(struct parent *);
/* What Consul's agent prints, which scripts wait for; on a link of its name. */
void start_banner(const struct parent *);
void start_banner_ready(const struct parent *);

/* ---- dirs.c ---- */
/* Run directory, the empty one, the pid file, data and log directories. */
void dirs_make(struct parent *);
/* The name of a child's directory in the data directory, or NULL. */
const char *dirs_name(enum proc);
/* Where a child writes, as the file system has it; NULL: nowhere.  Freed by
 * the caller. */
char *dirs_of(const struct parent *, enum proc);
void dirs_remove(struct parent *);	/* the pid file, what is temporary */

/* ---- takeover.c: what a Consul agent left in the data directory ---- */
void takeover(struct parent *);

/* ---- listen.c ---- */
void listen_all(struct parent *);
void listen_close(struct parent *);	/* and removes Unix sockets */
const char *bound_proto(const struct bound *);	/* "udp", "tcp", "unix" */
/* Sends those of its kind to a child. */
void listen_send(struct parent *, struct kid *);

/* ---- sink.c: log files and what children write ---- */
void sinks_open(struct parent *);
int sinks_reopen(struct parent *);
void sinks_close(struct parent *);
/* What a child gets as standard error. */
int sink_stderr(const struct sink *);
/* A descriptor for LOGFILE: while it starts, lines come through us. */
int sink_child_fd(struct sink *, bool starting);
/* Reads what is waiting now. */
void sink_drain(struct sink *);
/* Whether lines come through us has changed. */
void sinks_redirect(struct parent *);
/* The last line that came through, without time and level; "" if none. */
const char *sink_last(const struct sink *);

/* ---- monitor.c: lines for agent/monitor ---- */
bool monitor_on(const struct parent *);
/* What has to be logged, by the configuration or for who looks. */
enum log_level monitor_level(const struct parent *);
void monitor_set(struct parent *, unsigned level);
/* To a child that has just come up. */
void monitor_tell(struct kid *);
void monitor_line(struct parent *, enum log_level, const char *line, size_t);

/* ---- kids.c ---- */
void kids_init(struct parent *);
bool kid_wanted(const struct parent *, enum proc);
/* Starts all that are wanted and are off. */
void kids_start(struct parent *);
void kids_send_conf(struct parent *);
void kids_reap(struct parent *);	/* on SIGCHLD */
bool kids_all_gone(const struct parent *);
void kids_clear(struct parent *);
const char *kid_state_name(enum kid_state);

/* ---- stop.c ---- */
/* STOP to all, then the loop ends with this exit status. */
void suite_stop(struct parent *, int status);
/* Leave the cluster first. */
void suite_leave(struct parent *);
/* A child did its part, or died. */
void suite_kid_left(struct parent *, struct kid *);
/* One is gone: was it the last? */
void suite_kid_gone(struct parent *);
void suite_signals(struct parent *);
/* 0, or -1 with err; logs either way. */
int suite_reload(struct parent *, char *err, size_t errlen);
void suite_log_warnings(const struct config *);
/* Says which certificates are about to expire, now and every day. */
void suite_watch_expiry(struct parent *);
/* Tells the world, once all are READY and -join has reached somebody. */
void suite_check_ready(struct parent *);

/* ---- discod_imsg.c ---- */
void discod_msg(struct ipc *, const struct imsg *, void *arg);
/* Which queries are logged: to a dnsd that has come up. */
void discod_tell_dns_log(struct kid *);
/* Answers the CALL that asked us to leave, if there is one. */
void discod_left(struct parent *);

/* ---- notify.c ---- */
void notify_init(struct parent *);
void notify(const struct parent *, const char *state);

/* ---- host.c ---- */
void host_read(const char *data_dir, struct parent_host *);

#endif

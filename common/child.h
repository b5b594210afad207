/*
 * How every child of discod starts, lives and stops.
 *
 * Descriptor 3 is the link to discod.  In order: SETUP; prepare(); chroot and
 * users (when discod is root), no_new_privs, limits; LOGFILE, SOCKETs, LINKs;
 * CONF_BEGIN, CONF_ITEMs, CONF_DONE; start(); the seccomp filter; READY; the
 * loop.  Nothing that came from a network is read before READY.
 *
 * On reload CONF_BEGIN .. CONF_DONE come again.  When another child died and
 * came back, its LINK comes again: link() is called with the new one, after
 * link(NULL) when the old one broke.  EOF on descriptor 3 ends the process.
 */
#ifndef COMMON_CHILD_H
#define COMMON_CHILD_H

#include "common/ev.h"
#include "common/ipc.h"
#include "common/sandbox.h"
#include "common/schema/conf.h"
#include "common/schema/msg.h"

struct child;

struct child_ops {
	enum proc	 self;
	/* Before chroot: read what the sandbox will hide (hosts, CA bundle). */
	void	(*prepare)(struct child *, void *arg);
	/* A listening or bound socket; fd is yours.  kind: enum socket_kind */
	void	(*socket)(struct child *, const struct msg_socket *, int fd,
		    void *arg);
	/* A link came up, or (ipc NULL) went down.  The child owns links. */
	void	(*link)(struct child *, enum proc peer, struct ipc *, void *arg);
	void	(*conf_begin)(struct child *, void *arg);
	/* One item, in the schema of its kind. */
	void	(*conf_item)(struct child *, enum conf_kind, struct rbuf *,
		    void *arg);
	/* All of it is there.  `first`: at start, else a reload. */
	void	(*conf_done)(struct child *, bool first, void *arg);
	/* After the first conf_done: make handles, start timers. */
	void	(*start)(struct child *, void *arg);
	/* A message from a peer (never from discod but CALL/ANSWER). */
	void	(*msg)(struct child *, enum proc peer, struct ipc *,
		    const struct imsg *, void *arg);
	/* Leave gracefully; call child_left() when done.  NULL: at once. */
	void	(*leave)(struct child *, void *arg);
	/* Tidy up; the process exits after it returns. */
	void	(*stop)(struct child *, void *arg);
	/* System calls beyond the common list.  NULL: none. */
	const struct sandbox_role *role;
};

/* The body of main().  Returns the exit status. */
int child_main(int argc, char **argv, const struct child_ops *, void *arg);

struct ev *child_ev(struct child *);
/* The link to a peer, or NULL while it is down. */
struct ipc *child_link(struct child *, enum proc peer);
/* Within link() and msg(): from which of several workers; else 0. */
unsigned child_peer_worker(struct child *);
/* The link to discod. */
struct ipc *child_parent(struct child *);
/* Where this child may write: "/" after chroot, else a path.  NULL: nowhere. */
const char *child_dir(struct child *);
const struct msg_setup *child_setup(struct child *);
void child_left(struct child *);
/* Tells discod that the suite must stop, with the reason (REFUSE). */
void child_refuse(struct child *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Something large is done with: in a second what is free goes back to the
 * system.  Else many small pieces of a burst stay for good.
 */
void child_give_back(struct child *);

#endif

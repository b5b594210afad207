/*
 * A TCP (or Unix) connection on the loop: buffered in both directions, with a
 * deadline and bounds.  It knows no protocol.
 */
#ifndef COMMON_STREAM_H
#define COMMON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/ev.h"

struct stream;

struct stream_ops {
	/* An outgoing connection is up. */
	void	(*connected)(struct stream *, void *arg);
	/*
	 * Bytes are there: returns how many it took; what is left comes again
	 * in front of what follows.
	 */
	size_t	(*data)(struct stream *, const uint8_t *, size_t, void *arg);
	/* What was written has all been sent. */
	void	(*drained)(struct stream *, void *arg);
	/*
	 * It is over: why is NULL at a clean EOF, else a reason such as
	 * "Connection refused" or "timed out".  Called once; free it here or
	 * later.  Not called after stream_free().
	 */
	void	(*closed)(struct stream *, const char *why, void *arg);
};

/* Takes a connected fd. */
struct stream *stream_new(struct ev *, int fd, const struct stream_ops *,
    void *arg);
/*
 * Starts to connect.  local may be NULL.  Failures, too, come through closed()
 * and never from within.  timeout_ms is for connecting alone: no deadline is
 * running when connected() is called, which sets one if it wants one.
 */
struct stream *stream_connect(struct ev *, const struct sockaddr *, socklen_t,
    const struct sockaddr *local, socklen_t local_len, unsigned timeout_ms,
    const struct stream_ops *, void *arg);
void stream_free(struct stream *);	/* closes; safe inside callbacks */
void stream_write(struct stream *, const void *, size_t);
size_t stream_queued(const struct stream *);
void stream_pause(struct stream *);	/* reads no more */
void stream_resume(struct stream *);
/* Half-close once everything is sent. */
void stream_shutdown(struct stream *);
/* Frees itself once everything is sent or the deadline passed; no callbacks. */
void stream_finish(struct stream *);
/* closed("timed out") unless moved on before; 0: none. */
void stream_deadline(struct stream *, uint64_t ms);
/* data() is not given more than this at once, and beyond it without progress
 * the stream ends with "message too long".  Default 1 MiB. */
void stream_limit(struct stream *, size_t);
const struct sockaddr_storage *stream_peer(const struct stream *);

/*
 * Accepts on a listening socket until paused; over max at once, new ones are
 * closed.  The callback takes fd.
 */
struct acceptor;
typedef void acceptor_fn(int fd, const struct sockaddr_storage *, void *arg);
struct acceptor *acceptor_new(struct ev *, int fd, acceptor_fn *, void *arg);
void acceptor_free(struct acceptor *);	/* does not close fd */

#endif

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
#include <sys/types.h>

#include "common/ev.h"

struct stream;

/*
 * What may stand between a stream and its socket, such as TLS.  read, write
 * and finish never block: bytes, 0 at the end, or one of these.
 */
enum {
	LAYER_FAIL = -1,	/* why() has the reason */
	LAYER_READ = -2,	/* again when the socket is readable */
	LAYER_WRITE = -3	/* again when it is writable */
};
struct stream_layer {
	void		 (*attach)(void *layer, int fd);
	int		 (*handshake)(void *layer);	/* 0: done */
	ssize_t		 (*read)(void *layer, void *, size_t);
	ssize_t		 (*write)(void *layer, const void *, size_t);
	int		 (*finish)(void *layer);	/* no more is written */
	const char	*(*why)(void *layer);
	void		 (*free)(void *layer);
};

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
/* closed() when the peer has acknowledged nothing for that long (TCP). */
void stream_user_timeout(struct stream *, unsigned ms);
size_t stream_queued(const struct stream *);
void stream_pause(struct stream *);	/* reads no more */
void stream_resume(struct stream *);
/* What was read of it elsewhere, before it was given to us. */
void stream_unread(struct stream *, const void *, size_t);
/* Half-close once everything is sent. */
void stream_shutdown(struct stream *);
/* Frees itself once everything is sent or the deadline passed; no callbacks. */
void stream_finish(struct stream *);
/* closed("timed out") unless moved on before; 0: none. */
void stream_deadline(struct stream *, uint64_t ms);
/* data() is not given more than this at once, and beyond it without progress
 * the stream ends with "message too long".  0: the default, 1 MiB. */
void stream_limit(struct stream *, size_t);
typedef void stream_fn(struct stream *, void *arg);
/* Called at EOF instead of closed(): nothing more comes, writing goes on. */
void stream_on_eof(struct stream *, stream_fn *);
/*
 * From here on a layer is between: takes it, begins its handshake, calls
 * secured() when that is done.  Nothing may be queued, and nothing be read
 * beyond what data() took: who does this after a byte of the peer's reads with
 * stream_limit(1) until then.
 */
void stream_secure(struct stream *, const struct stream_layer *, void *layer,
    stream_fn *secured);
bool stream_is_secure(const struct stream *);
void *stream_layer(struct stream *);	/* what was given; NULL: none */
/* Other callbacks for what follows. */
void stream_set_ops(struct stream *, const struct stream_ops *, void *arg);
/* Frees it and gives its socket away: neither layer nor bytes are in it. */
int stream_detach(struct stream *);
const struct sockaddr_storage *stream_peer(const struct stream *);

#endif

/*
 * A yamux session on a connection: carries bytes between the two, pings, and
 * notices a peer that is gone or does not read.
 */
#ifndef RPCD_MUX_H
#define RPCD_MUX_H

#include <stddef.h>
#include <stdint.h>

#include "common/ev.h"
#include "common/stream.h"
#include "rpcd/yamux.h"

struct mux;

struct mux_ops {
	/* As in yamux_ops. */
	void	(*opened)(struct yamux_stream *, void *arg);
	void	(*data)(struct yamux_stream *, const uint8_t *, size_t,
		    void *arg);
	void	(*fin)(struct yamux_stream *, void *arg);
	void	(*reset)(struct yamux_stream *, void *arg);
	void	(*acked)(void *arg);
	/* The session is over; free mux and stream.  Never from within another
	 * call. */
	void	(*dead)(const char *why, void *arg);
};

struct mux *mux_new(struct ev *, struct stream *, bool client,
    const struct mux_ops *, void *arg);
void mux_free(struct mux *);		/* not the stream; NULL is fine */
struct yamux *mux_yamux(struct mux *);
/* What the stream's own callbacks hand on. */
size_t mux_data(struct mux *, const uint8_t *, size_t);
void mux_drained(struct mux *);
/* After anything was done to the session from outside its callbacks. */
void mux_flush(struct mux *);
void mux_fail(struct mux *, const char *why);
/* Bytes on their way out. */
size_t mux_queued(struct mux *);

#endif

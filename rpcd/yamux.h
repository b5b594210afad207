/*
 * yamux: streams over one connection, as rpc.md 1.2 has it.  Pure: bytes go
 * in, callbacks and bytes to write come out; no descriptor, no clock.
 *
 *	client				server
 *	yamux_open()   -- SYN --------> ops->opened; yamux_accept()
 *			 <------ ACK --
 *	yamux_send()   -- DATA -------> ops->data; yamux_consumed()
 *			 <-- window ---
 *	yamux_close()  -- FIN --------> ops->fin; yamux_close()
 *			 <------ FIN --
 *
 * What fails: RST kills one stream (ops->reset); a protocol error or a go-away
 * with a reason ends the session, and the error is sticky (yamux_error()).
 *
 * Callbacks come from within yamux_input() alone.  They may use any stream,
 * but not free the session.
 */
#ifndef RPCD_YAMUX_H
#define RPCD_YAMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YAMUX_HEADER	12
#define YAMUX_WINDOW	262144u	/* credit of a new stream, each direction */
#define YAMUX_BACKLOG	256	/* streams opened and not yet accepted */
#define YAMUX_ID_MAX	0xfffffffdu

enum yamux_type { YAMUX_DATA, YAMUX_UPDATE, YAMUX_PING, YAMUX_GOAWAY };
enum { YAMUX_SYN = 1, YAMUX_ACK = 2, YAMUX_FIN = 4, YAMUX_RST = 8 };
enum { YAMUX_GOAWAY_NORMAL, YAMUX_GOAWAY_PROTOCOL, YAMUX_GOAWAY_INTERNAL };

struct yamux_frame {
	uint8_t		 version, type;
	uint16_t	 flags;
	uint32_t	 id, len;
};

void yamux_frame_read(struct yamux_frame *, const uint8_t[YAMUX_HEADER]);
void yamux_frame_write(const struct yamux_frame *, uint8_t[YAMUX_HEADER]);

struct yamux;
struct yamux_stream;

struct yamux_ops {
	/* The peer opened a stream: accept, reset or keep it for later.  NULL:
	 * this side takes none. */
	void	(*opened)(struct yamux_stream *, void *arg);
	/* Payload, counted against the peer's credit until yamux_consumed(). */
	void	(*data)(struct yamux_stream *, const uint8_t *, size_t,
		    void *arg);
	/* Nothing more comes on it. */
	void	(*fin)(struct yamux_stream *, void *arg);
	/* It is gone, and freed after the callback. */
	void	(*reset)(struct yamux_stream *, void *arg);
	/* The peer accepted a stream of ours: there is room to open more. */
	void	(*acked)(void *arg);
	/* The answer to a ping. */
	void	(*pong)(uint32_t value, void *arg);
};

struct yamux *yamux_new(bool client, const struct yamux_ops *, void *arg);
void yamux_free(struct yamux *);	/* no callbacks; NULL is fine */

/* 0, or -1 when the session is over (also after an earlier error). */
int yamux_input(struct yamux *, const uint8_t *, size_t);
/* NULL while the session is alive, else why it ended. */
const char *yamux_error(const struct yamux *);
/* Ends it with go-away `internal`; the reason must be a literal. */
void yamux_fail(struct yamux *, const char *why);
/* What is to be written; valid until the next call. */
const uint8_t *yamux_output(struct yamux *, size_t *len);
void yamux_written(struct yamux *);	/* all of it was taken */

/*
 * NULL: no ids left, the peer said go-away, or 256 wait for their ACK
 * (yamux_busy() tells the last one apart).
 */
struct yamux_stream *yamux_open(struct yamux *, void *ctx);
bool yamux_busy(const struct yamux *);
/* It will never open another. */
bool yamux_ending(const struct yamux *);
void yamux_accept(struct yamux_stream *, void *ctx);
/* Queues what the peer's credit does not allow yet.  After yamux_close(), or
 * when the stream was never accepted, it is our bug. */
void yamux_send(struct yamux_stream *, const void *, size_t);
/* n bytes of payload were used up: credit goes back at half a window. */
void yamux_consumed(struct yamux_stream *, size_t n);
/* FIN after what is queued; the handle is given up. */
void yamux_close(struct yamux_stream *);
/* RST; the handle is given up. */
void yamux_reset(struct yamux_stream *);
void yamux_ping(struct yamux *, uint32_t value);
void yamux_go_away(struct yamux *, uint32_t reason);

void *yamux_ctx(const struct yamux_stream *);
uint32_t yamux_id(const struct yamux_stream *);
size_t yamux_nstreams(const struct yamux *);
/* Payload queued for want of credit, over all streams. */
size_t yamux_pending(const struct yamux *);
/* Frames written only because the peer asked for an answer, over its life. */
uint64_t yamux_replies(const struct yamux *);

#endif

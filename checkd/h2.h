/*
 * As much of HTTP/2 as a PING takes: the preface, and frames looked at as they
 * come.  Pure.
 */
#ifndef CHECKD_H2_H
#define CHECKD_H2_H

#include "common/wire.h"

#define H2_FRAME_MAX	16384	/* we announce no larger one */

enum h2_state { H2_WAITS, H2_PONG, H2_BAD };

struct h2 {
	enum h2_state	 state;
	uint8_t		 opaque[8];
	bool		 settled;	/* the server's SETTINGS came first */
	const char	*error;		/* when bad */
	uint8_t		 head[9];
	size_t		 head_len;
	uint8_t		 payload[8];	/* its beginning */
	size_t		 payload_len, left;
	unsigned	 nframes;
};

/* What is to be sent first is put into out. */
void h2_init(struct h2 *, uint64_t opaque, struct wbuf *out);
/* Feeds what came; what is to be sent is put into out. */
void h2_feed(struct h2 *, const uint8_t *, size_t, struct wbuf *out);

#endif

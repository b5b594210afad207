/*
 * The framing of a link, without its descriptor: bytes and received
 * descriptors in, whole and checked messages out.  common/ipc.c does the I/O.
 */
#ifndef COMMON_FRAME_H
#define COMMON_FRAME_H

#include "common/ipc.h"

enum { IPC_MORE = 1, IPC_FD = 2 };	/* frame flags */

struct frame_head {
	uint32_t	type;
	uint32_t	id;
	uint32_t	len;
	uint32_t	flags;
};

#define FRAME_FDS 4	/* received before their frame is whole */

struct frames {
	enum proc	 self, peer;
	struct wbuf	 in;		/* an incomplete frame */
	struct wbuf	 body;		/* of a chunked message, so far */
	struct frame_head first;	/* its first frame */
	bool		 chunked;	/* such a message is under way */
	int		 chunk_fd;	/* its descriptor, or -1 */
	int		 fds[FRAME_FDS];
	size_t		 nfds;
	const char	*err;
};

/* Takes m->fd.  False: stop here, the reader is gone (not to be touched). */
typedef bool frame_fn(const struct imsg *m, void *arg);

void frames_init(struct frames *, enum proc self, enum proc peer);
/* Closes descriptors that nobody got. */
void frames_clear(struct frames *);
/* Takes fd.  0, or -1 with err. */
int frames_fd(struct frames *, int fd);
/*
 * Feeds bytes.  0: fine; -1: a violation, err says which; 1: fn said stop.
 */
int frames_feed(struct frames *, const uint8_t *, size_t, frame_fn *,
    void *arg);

#endif

/*
 * An HTTP/1 answer, read as it comes: status line, head, body in any of its
 * forms.  Pure.  What it keeps of a head is bounded, the body goes to a
 * function in pieces.
 */
#ifndef CHECKD_H1_H
#define CHECKD_H1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H1_LINE_MAX	8192		/* one line of a head */
#define H1_HEAD_MAX	(256u << 10)	/* all of them */

enum h1_state {
	H1_STATUS, H1_HEAD, H1_BODY_LENGTH, H1_BODY_EOF, H1_CHUNK_SIZE,
	H1_CHUNK, H1_CHUNK_END, H1_TRAILER, H1_DONE, H1_BAD
};

struct h1 {
	enum h1_state	 state;
	bool		 to_head;	/* the request was HEAD */
	bool		 answered;	/* its head is complete */
	long		 code;
	char		 status[160];	/* "200 OK" */
	char		*location;
	const char	*error;		/* when bad */
	bool		 chunked, has_length;
	uint64_t	 left;		/* of the body, or of the chunk */
	size_t		 head_len;
	char		*line;		/* the part of one that has come */
	size_t		 line_len, line_cap;
};

typedef void h1_body_fn(const uint8_t *, size_t, void *arg);

void h1_init(struct h1 *, bool to_head);
void h1_clear(struct h1 *);
/* Feeds what came; the state says where it stands. */
void h1_feed(struct h1 *, const uint8_t *, size_t, h1_body_fn *, void *arg);
/* The connection ended: DONE if that is how the body ends. */
void h1_eof(struct h1 *);

#endif

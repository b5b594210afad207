/*
 * Cursors over bytes.  The error is sticky: read or write on, check once.
 */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reading.  `err` is NULL, or the first reason that made it stop. */
struct rbuf {
	const uint8_t	*p;
	size_t		 n;		/* left */
	const char	*err;
	bool		 more;		/* err is "short": more bytes may help */
};

void rb_init(struct rbuf *, const void *, size_t);
/* Sets the error, unless one is set; nothing is left afterwards. */
void rb_fail(struct rbuf *, const char *why);
/* After an error: 0, NULL. */
uint8_t rb_u8(struct rbuf *);
uint16_t rb_u16(struct rbuf *);		/* big-endian */
uint32_t rb_u32(struct rbuf *);
uint64_t rb_u64(struct rbuf *);
const uint8_t *rb_bytes(struct rbuf *, size_t);	/* into the buffer */
bool rb_ok(const struct rbuf *);
/* No error and nothing left over. */
bool rb_done(const struct rbuf *);

/* Writing, into memory that grows up to `max` (0: no bound but memory). */
struct wbuf {
	uint8_t		*p;
	size_t		 len, cap, max;
	bool		 err;		/* would not fit in max */
};

void wb_init(struct wbuf *, size_t max);
void wb_free(struct wbuf *);
void wb_reset(struct wbuf *);		/* empty, memory kept */
void wb_u8(struct wbuf *, uint8_t);
void wb_u16(struct wbuf *, uint16_t);	/* big-endian */
void wb_u32(struct wbuf *, uint32_t);
void wb_u64(struct wbuf *, uint64_t);
void wb_bytes(struct wbuf *, const void *, size_t);
void wb_str(struct wbuf *, const char *);	/* without the NUL */
void wb_printf(struct wbuf *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for n bytes at the end, counted in; NULL when it would not fit. */
uint8_t *wb_reserve(struct wbuf *, size_t n);
/* The bytes as NUL-terminated text that the caller frees; empties it. */
char *wb_detach_str(struct wbuf *);

#endif

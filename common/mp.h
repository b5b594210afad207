/*
 * MessagePack in the dialect of the network protocols: strings and bytes are
 * old-style raw on output; input may be old or new.  Reading is on the sticky
 * cursor, and bounded: nesting by MP_DEPTH_MAX, counts by the bytes left.
 */
#ifndef COMMON_MP_H
#define COMMON_MP_H

#include "common/wire.h"

#define MP_DEPTH_MAX 64

enum mp_type {
	MP_NIL, MP_BOOL, MP_INT, MP_UINT, MP_FLOAT, MP_RAW, MP_ARRAY, MP_MAP,
	MP_EXT, MP_NONE		/* nothing left, or an error */
};

void mp_nil(struct wbuf *);
void mp_bool(struct wbuf *, bool);
void mp_int(struct wbuf *, int64_t);		/* shortest form */
void mp_uint(struct wbuf *, uint64_t);
void mp_double(struct wbuf *, double);
void mp_raw(struct wbuf *, const void *, size_t);
void mp_str(struct wbuf *, const char *);	/* NULL: "" */
void mp_array(struct wbuf *, size_t);
void mp_map(struct wbuf *, size_t);
/* The new dialect, for the payload of Consul's user events alone. */
void mp_new_str(struct wbuf *, const char *);
void mp_new_bin(struct wbuf *, const void *, size_t);

enum mp_type mp_peek(struct rbuf *);
/* True and consumed if the next value is nil. */
bool mp_get_nil(struct rbuf *);
bool mp_get_bool(struct rbuf *);		/* also from 0 and 1 */
int64_t mp_get_int(struct rbuf *);
uint64_t mp_get_uint(struct rbuf *);
double mp_get_double(struct rbuf *);		/* also from an integer */
/* str or bin of either dialect; nil is NULL, 0. */
const uint8_t *mp_get_raw(struct rbuf *, size_t *n);
/* Number of elements (nil: 0), never more than the bytes left. */
size_t mp_get_array(struct rbuf *);
size_t mp_get_map(struct rbuf *);
/* One value of any type; within: containers nested at most so deep. */
void mp_skip(struct rbuf *);
void mp_skip_within(struct rbuf *, size_t depth);

#endif

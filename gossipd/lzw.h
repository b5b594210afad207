/*
 * The LZW of gossip compression: 8-bit literals, codes of 9 to 12 bits packed
 * low bit first, late width change (gossip.md section 4).
 */
#ifndef GOSSIPD_LZW_H
#define GOSSIPD_LZW_H

#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

/* Working memory of both directions; make one and keep it. */
struct lzw;
struct lzw *lzw_new(void);
void lzw_free(struct lzw *);

/* Appends to out, byte for byte as peers compress. */
void lzw_compress(struct lzw *, const void *, size_t, struct wbuf *out);
/* Appends to out, no further than out->max, which is below 4 GB.  0, or -1:
 * malformed or too long. */
int lzw_expand(struct lzw *, const void *, size_t, struct wbuf *out);

#endif

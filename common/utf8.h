/*
 * UTF-8 from outside: what is bad becomes U+FFFD, as in Go.
 */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>

#include "common/wire.h"

/* Length of the character at s (n > 0 bytes there), or 0 if it is bad. */
size_t utf8_char(const char *s, size_t n);
/* Bytes at the start of s that are good. */
size_t utf8_good(const char *s, size_t n);
/* A copy, NUL-ended, with each bad byte replaced; its length in *out. */
char *utf8_dup(const char *s, size_t n, size_t *out);
/* The bytes of a code point, or of U+FFFD where it is none. */
void utf8_put(struct wbuf *, unsigned long rune);

#endif

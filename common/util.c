/*
 * Memory that is there or ends the process, text, UUIDs, base64 and hex.
 * Addresses are in addr.c, durations in dur.c, randomness in rng.c, files in
 * file.c.
 */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"

static void *
must(void *p)
{
	if (p == NULL)
		errx(1, "out of memory");
	return p;
}

void *
xmalloc(size_t n)
{
	return must(malloc(n > 0 ? n : 1));
}

void *
xcalloc(size_t n, size_t size)
{
	return must(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *
xrealloc(void *p, size_t n)
{
	return must(realloc(p, n > 0 ? n : 1));
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
	size_t	 total;

	if (__builtin_mul_overflow(n, size, &total))
		return must(NULL);
	return xrealloc(p, total);
}

char *
xstrdup(const char *s)
{
	return s == NULL ? NULL : must(strdup(s));
}

char *
xstrndup(const char *s, size_t n)
{
	return s == NULL ? NULL : must(strndup(s, n));
}

char *
xmemdup_str(const void *p, size_t n)
{
	char	*s = xmalloc(n + 1);

	if (n > 0)
		memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

int
xasprintf(char **out, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vasprintf(out, fmt, ap);
	va_end(ap);
	if (n == -1)
		(void)must(NULL);
	return n;
}

bool
str_empty(const char *s)
{
	return s == NULL || *s == '\0';
}

const char *
str_or(const char *s, const char *fallback)
{
	return str_empty(s) ? fallback : s;
}

uint64_t
hash_bytes(const void *p, size_t n, uint64_t seed)
{
	const uint8_t	*b = p;
	uint64_t	 h = 0xcbf29ce484222325ull ^ seed;

	while (n-- > 0) {
		h ^= *b++;
		h *= 0x100000001b3ull;
	}
	return h;
}

void
uuid_make(char out[37])
{
	struct rng	 rng;
	uint64_t	 a, b;

	rng_seed_os(&rng);
	a = (rng.s[0] & ~0xf000ull) | 0x4000;			/* version 4 */
	b = (rng.s[1] & ~(3ull << 62)) | (2ull << 62);		/* RFC 4122 */
	snprintf(out, 37, "%08x-%04x-%04x-%04x-%012llx",
	    (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
	    (unsigned)(a & 0xffff), (unsigned)(b >> 48),
	    (unsigned long long)(b & 0xffffffffffffull));
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
uuid_valid(const char *s)
{
	size_t	 i;

	if (s == NULL || strlen(s) != 36)
		return false;
	for (i = 0; i < 36; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s[i] != '-')
				return false;
		} else if (hex_value(s[i]) == -1)
			return false;
	}
	return true;
}

void
hex_encode(const void *p, size_t n, char *out)
{
	static const char	 digits[] = "0123456789abcdef";
	const uint8_t		*b = p;
	size_t			 i;

	for (i = 0; i < n; i++) {
		*out++ = digits[b[i] >> 4];
		*out++ = digits[b[i] & 0x0f];
	}
	*out = '\0';
}

int
hex_decode(const char *s, size_t n, uint8_t *out)
{
	int	 hi, lo;
	size_t	 i;

	if (n % 2 != 0)
		return -1;
	for (i = 0; i < n; i += 2) {
		hi = hex_value(s[i]);
		lo = hex_value(s[i + 1]);
		if (hi == -1 || lo == -1)
			return -1;
		*out++ = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int
base64_value(char c)
{
	const char	*p;

	if (c == '\0' || (p = strchr(base64_digits, c)) == NULL)
		return -1;
	return (int)(p - base64_digits);
}

size_t
base64_bad_at(const char *s)
{
	static const char	 digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t			 n = strlen(s), i, in_group = 0;

	for (i = 0; i < n; i++) {
		if (strchr(digits, s[i]) != NULL) {
			in_group = (in_group + 1) % 4;
			continue;
		}
		if (s[i] != '=' || in_group < 2)
			return i;
		if (in_group == 3)
			return i + 1;	/* what follows the last pad */
		if (i + 1 >= n)
			return n;
		return s[i + 1] == '=' ? i + 2 : i;
	}
	return n - in_group;
}

int
base64_decode(const char *s, uint8_t *out, size_t max)
{
	size_t		 len = strlen(s), i, n = 0;
	uint32_t	 acc = 0;
	int		 v;

	if (len % 4 != 0 || len / 4 * 3 > INT32_MAX)
		return -1;
	while (len > 0 && s[len - 1] == '=')
		len--;
	if (strlen(s) - len > 2)
		return -1;
	for (i = 0; i < len; i++) {
		if ((v = base64_value(s[i])) == -1)
			return -1;
		acc = acc << 6 | (uint32_t)v;
		if (i % 4 == 0)
			continue;
		if (n == max)
			return -1;
		out[n++] = (uint8_t)(acc >> (6 - i % 4 * 2));
	}
	return (int)n;
}

char *
base64_text(const void *p, size_t n)
{
	const uint8_t	*b = p;
	char		*text = xmalloc((n + 2) / 3 * 4 + 1), *to = text;
	uint32_t	 v;
	size_t		 i;

	for (i = 0; i < n; i += 3) {
		v = (uint32_t)b[i] << 16;
		if (i + 1 < n)
			v |= (uint32_t)b[i + 1] << 8;
		if (i + 2 < n)
			v |= b[i + 2];
		*to++ = base64_digits[v >> 18];
		*to++ = base64_digits[v >> 12 & 63];
		*to++ = i + 1 < n ? base64_digits[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? base64_digits[v & 63] : '=';
	}
	*to = '\0';
	return text;
}

/*
 * UTF-8 by the table of RFC 3629.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "common/wire.h"

size_t
utf8_char(const char *s, size_t n)
{
	const uint8_t	*b = (const uint8_t *)s;
	uint8_t		 lo = 0x80, hi = 0xbf;
	size_t		 len, i;

	if (b[0] < 0x80)
		return 1;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	len = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	if (len > n)
		return 0;
	switch (b[0]) {
	case 0xe0:		/* shortest form only */
		lo = 0xa0;
		break;
	case 0xed:		/* no surrogates */
		hi = 0x9f;
		break;
	case 0xf0:
		lo = 0x90;
		break;
	case 0xf4:		/* up to U+10FFFF */
		hi = 0x8f;
		break;
	}
	if (b[1] < lo || b[1] > hi)
		return 0;
	for (i = 2; i < len; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

size_t
utf8_good(const char *s, size_t n)
{
	size_t	 i = 0, len;

	while (i < n) {
		if ((unsigned char)s[i] < 0x80) {
			i++;
			continue;
		}
		if ((len = utf8_char(s + i, n - i)) == 0)
			break;
		i += len;
	}
	return i;
}

char *
utf8_dup(const char *s, size_t n, size_t *out)
{
	struct wbuf	 w;
	size_t		 good;

	wb_init(&w, 0);
	for (;;) {
		good = utf8_good(s, n);
		wb_bytes(&w, s, good);
		if (good == n)
			break;
		wb_str(&w, "\357\277\275");
		s += good + 1;
		n -= good + 1;
	}
	*out = w.len;
	return wb_detach_str(&w);
}

void
utf8_put(struct wbuf *b, unsigned long r)
{
	if (r > 0x10ffff || (r >= 0xd800 && r < 0xe000))
		r = 0xfffd;
	if (r < 0x80)
		wb_u8(b, (uint8_t)r);
	else if (r < 0x800) {
		wb_u8(b, (uint8_t)(0xc0 | r >> 6));
		wb_u8(b, (uint8_t)(0x80 | (r & 0x3f)));
	} else if (r < 0x10000) {
		wb_u8(b, (uint8_t)(0xe0 | r >> 12));
		wb_u8(b, (uint8_t)(0x80 | (r >> 6 & 0x3f)));
		wb_u8(b, (uint8_t)(0x80 | (r & 0x3f)));
	} else {
		wb_u8(b, (uint8_t)(0xf0 | r >> 18));
		wb_u8(b, (uint8_t)(0x80 | (r >> 12 & 0x3f)));
		wb_u8(b, (uint8_t)(0x80 | (r >> 6 & 0x3f)));
		wb_u8(b, (uint8_t)(0x80 | (r & 0x3f)));
	}
}

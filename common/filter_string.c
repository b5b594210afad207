/*
 * Strings of filters: quoted as Go quotes them.
 */
#include <stdlib.h>
#include <string.h>

#include "common/filter_parse.h"
#include "common/utf8.h"
#include "common/util.h"

/* What a backslash stands for; the number of bytes read, or 0: nothing. */
static size_t
unescape(const char *s, size_t n, struct wbuf *out)
{
	static const char	 from[] = "abfnrtv\\\"";
	static const char	 to[] = "\a\b\f\n\r\t\v\\\"";
	const char		*known;
	char			 digits[9];
	size_t			 ndigits, skip = 1;
	unsigned long		 v;
	int			 base = 16;

	if (n == 0)
		return 0;
	if ((known = strchr(from, *s)) != NULL && *s != '\0') {
		wb_u8(out, (uint8_t)to[known - from]);
		return 1;
	}
	if (*s == 'x')
		ndigits = 2;
	else if (*s == 'u')
		ndigits = 4;
	else if (*s == 'U')
		ndigits = 8;
	else {
		ndigits = 3;
		base = 8;
		skip = 0;
	}
	if (n - skip < ndigits)
		return 0;
	memcpy(digits, s + skip, ndigits);
	digits[ndigits] = '\0';
	if (strspn(digits, base == 8 ? "01234567" :
	    "0123456789abcdefABCDEF") != ndigits)
		return 0;
	v = strtoul(digits, NULL, base);
	if (v == 0)
		return 0;		/* a string here ends at a NUL */
	if (ndigits <= 3) {
		if (v > 255)
			return 0;
		wb_u8(out, (uint8_t)v);
	} else {
		if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
			return 0;
		utf8_put(out, v);
	}
	return skip + ndigits;
}

char *
filter_unquote(const char *s, size_t n, char quote)
{
	struct wbuf	 w;
	char		*text;
	size_t		 i, k;

	wb_init(&w, 0);
	for (i = 0; i < n; i++) {
		if (quote == '`') {
			if (s[i] != '\r')
				wb_u8(&w, (uint8_t)s[i]);
			continue;
		}
		if (s[i] == '\n')
			break;
		if (s[i] != '\\') {
			wb_u8(&w, (uint8_t)s[i]);
			continue;
		}
		if ((k = unescape(s + i + 1, n - i - 1, &w)) == 0)
			break;
		i += k;
	}
	text = wb_detach_str(&w);
	if (i < n) {
		free(text);
		return NULL;
	}
	return text;
}

void
filter_quote(struct wbuf *w, const char *s)
{
	static const char	 from[] = "\a\b\f\n\r\t\v\\\"";
	static const char	 to[] = "abfnrtv\\\"";
	const char		*known;

	wb_u8(w, '"');
	for (; *s != '\0'; s++) {
		if ((known = strchr(from, *s)) != NULL)
			wb_printf(w, "\\%c", to[known - from]);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			wb_printf(w, "\\x%02x", (unsigned char)*s);
		else
			wb_u8(w, (uint8_t)*s);
	}
	wb_u8(w, '"');
}

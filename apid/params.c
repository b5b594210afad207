/*
 * The query part of a URL, and its path.
 */
#include <stdlib.h>
#include <string.h>

#include "apid/params.h"
#include "common/util.h"

void
params_add(struct params *p, const char *key, const char *val)
{
	if (p->n == PARAMS_MAX)
		return;
	p->item[p->n].key = xstrdup(key);
	p->item[p->n].val = xstrdup(val == NULL ? "" : val);
	p->n++;
}

void
params_clear(struct params *p)
{
	size_t	i;

	for (i = 0; i < p->n; i++) {
		free(p->item[i].key);
		free(p->item[i].val);
	}
	p->n = 0;
}

const char *
params_get(const struct params *p, const char *key)
{
	size_t	i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->item[i].key, key) == 0)
			return p->item[i].val;
	return NULL;
}

void
params_all(const struct params *p, const char *key, struct strs *out)
{
	size_t	i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->item[i].key, key) == 0)
			strs_add(out, p->item[i].val);
}

char *
path_clean(const char *path)
{
	struct wbuf	 b;
	const char	*p = path;
	char		*clean;
	size_t		 n;
	bool		 slash;

	wb_init(&b, 0);
	while (*p != '\0') {
		while (*p == '/')
			p++;
		n = strcspn(p, "/");
		if (n == 0 || (n == 1 && p[0] == '.'))
			;
		else if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (b.len > 0 && b.p[--b.len] != '/')
				;
		} else {
			wb_u8(&b, '/');
			wb_bytes(&b, p, n);
		}
		p += n;
	}
	slash = p > path && p[-1] == '/';
	if (b.len == 0 || slash)
		wb_u8(&b, '/');
	clean = wb_detach_str(&b);
	if (strcmp(clean, path) == 0) {
		free(clean);
		return NULL;
	}
	return clean;
}

/*
 * Go's idea of what cannot be printed: control characters, and spaces and marks
 * that do not show.  Bytes that are no UTF-8 are another matter.
 */
static bool
shows(unsigned long c)
{
	static const struct { unsigned long from, to; } hidden[] = {
		{ 0x00, 0x1f }, { 0x7f, 0xa0 }, { 0xad, 0xad },
		{ 0x600, 0x605 }, { 0x61c, 0x61c }, { 0x1680, 0x1680 },
		{ 0x180e, 0x180e }, { 0x2000, 0x200f }, { 0x2028, 0x202f },
		{ 0x205f, 0x206f }, { 0x3000, 0x3000 }, { 0xd800, 0xf8ff },
		{ 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xe0000, 0x10ffff }
	};
	size_t	i;

	for (i = 0; i < NELEM(hidden); i++)
		if (c >= hidden[i].from && c <= hidden[i].to)
			return false;
	return true;
}

bool
path_printable(const char *path)
{
	const unsigned char	*p = (const unsigned char *)path;
	unsigned long		 c;
	size_t			 n, i;

	while (*p != '\0') {
		n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
		c = n == 1 ? *p : *p & (0x7fu >> n);
		for (i = 1; i < n && (p[i] & 0xc0) == 0x80; i++)
			c = c << 6 | (p[i] & 0x3f);
		if (i < n || *p == 0xff) {
			p++;		/* it stands for U+FFFD, which shows */
			continue;
		}
		if (!shows(c))
			return false;
		p += n;
	}
	return true;
}

int
bool_parse(const char *s, bool *out)
{
	static const char *const yes[] = {
		"1", "t", "T", "TRUE", "true", "True"
	};
	static const char *const no[] = {
		"0", "f", "F", "FALSE", "false", "False"
	};
	size_t	i;

	for (i = 0; i < NELEM(yes); i++) {
		if (strcmp(s, yes[i]) == 0) {
			*out = true;
			return 0;
		}
		if (strcmp(s, no[i]) == 0) {
			*out = false;
			return 0;
		}
	}
	return -1;
}

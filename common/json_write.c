/*
 * JSON out: layout is that of Consul's ?pretty or without any space; escapes and
 * numbers are Go's, whose clients compare text.
 *
 * An answer is thousands of short texts that need no escape, so that is the case
 * which is looked at first.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/utf8.h"
#include "common/util.h"

#define DEPTH_MAX 256	/* deeper than anything that is read */
#define INDENT 4

/* What comes next at a level. */
enum next { TOP, FIRST_ITEM, ITEM, FIRST_KEY, KEY, VALUE };

struct jw {
	struct wbuf	 out;
	bool		 pretty;
	bool		 keep_nil;
	unsigned	 depth;
	unsigned	 skipped;	/* levels below the deepest */
	uint8_t		 next[DEPTH_MAX + 1];	/* enum next, by level */
};

struct jw *
jw_new(bool pretty)
{
	struct jw	*w = xcalloc(1, sizeof(*w));

	wb_init(&w->out, 0);
	w->pretty = pretty;
	return w;
}

void
jw_free(struct jw *w)
{
	if (w == NULL)
		return;
	wb_free(&w->out);
	free(w);
}

void
jw_keep_nil(struct jw *w)
{
	w->keep_nil = true;
}

bool
jw_keeps_nil(const struct jw *w)
{
	return w->keep_nil;
}

/* ---- layout ---- */

static void
new_line(struct jw *w)
{
	uint8_t	*p;

	if (!w->pretty)
		return;
	p = wb_reserve(&w->out, 1 + INDENT * (size_t)w->depth);
	p[0] = '\n';
	memset(p + 1, ' ', INDENT * (size_t)w->depth);
}

/* In front of a value, or of a key. */
static void
begin(struct jw *w)
{
	uint8_t	*next = &w->next[w->depth];

	switch ((enum next)*next) {
	case TOP:
		break;
	case VALUE:
		*next = KEY;
		break;
	case ITEM:
	case KEY:
		wb_u8(&w->out, ',');
		new_line(w);
		break;
	case FIRST_ITEM:
	case FIRST_KEY:
		++*next;
		new_line(w);
		break;
	}
}

static void
end(struct jw *w)
{
	if (w->depth == 0 && w->pretty)
		wb_u8(&w->out, '\n');
}

/* A value that is written as it stands. */
static void
plain(struct jw *w, const char *s, size_t n)
{
	if (w->skipped > 0)
		return;
	begin(w);
	wb_bytes(&w->out, s, n);
	end(w);
}

static void
open_level(struct jw *w, char c, enum next next)
{
	if (w->skipped > 0 || w->depth == DEPTH_MAX) {
		w->skipped++;
		return;
	}
	begin(w);
	wb_u8(&w->out, (uint8_t)c);
	w->next[++w->depth] = next;
}

/* Nothing in it: no line break either. */
static void
close_level(struct jw *w, char c)
{
	uint8_t	next = w->next[w->depth];

	if (w->skipped > 0) {
		w->skipped--;
		return;
	}
	w->depth--;
	if (next != FIRST_ITEM && next != FIRST_KEY)
		new_line(w);
	wb_u8(&w->out, (uint8_t)c);
	end(w);
}

void
jw_obj(struct jw *w)
{
	open_level(w, '{', FIRST_KEY);
}

void
jw_arr(struct jw *w)
{
	open_level(w, '[', FIRST_ITEM);
}

void
jw_end_obj(struct jw *w)
{
	close_level(w, '}');
}

void
jw_end_arr(struct jw *w)
{
	close_level(w, ']');
}

/* ---- values ---- */

void
jw_null(struct jw *w)
{
	plain(w, "null", 4);
}

void
jw_bool(struct jw *w, bool v)
{
	if (v)
		plain(w, "true", 4);
	else
		plain(w, "false", 5);
}

static void
put_number(struct jw *w, uint64_t v, bool minus)
{
	char	 buf[24], *p = buf + sizeof(buf);

	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	if (minus)
		*--p = '-';
	plain(w, p, (size_t)(buf + sizeof(buf) - p));
}

void
jw_int(struct jw *w, int64_t v)
{
	put_number(w, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0);
}

void
jw_uint(struct jw *w, uint64_t v)
{
	put_number(w, v, false);
}

/*
 * Shortest text that reads back as v.  Fifteen digits hold any shorter one,
 * followed by zeros, except of numbers too small to be normal.
 */
static void
double_text(double v, char *buf, size_t len)
{
	char	 e[40], *p, *exp;
	int	 prec, x;

	prec = v != 0 && fabs(v) < DBL_MIN ? 0 : 14;
	for (; prec <= 16; prec++) {
		snprintf(e, sizeof(e), "%.*e", prec, v);
		if (strtod(e, NULL) == v)
			break;
	}
	x = (exp = strchr(e, 'e')) != NULL ? atoi(exp + 1) : 0;
	if (exp == NULL)
		exp = e + strlen(e);
	for (p = exp; p[-1] == '0'; p--)
		;
	if (p[-1] == '.')
		p--;
	/* Digits after the point, had it no exponent. */
	prec = (int)(p - e) - (e[0] == '-') - 1;
	prec = (prec > 0 ? prec - 1 : 0) - x;
	if (v != 0 && (x < -6 || x >= 21))	/* Go's choice */
		snprintf(buf, len, "%.*se%c%d", (int)(p - e), e,
		    x < 0 ? '-' : '+', abs(x));
	else
		snprintf(buf, len, "%.*f", prec > 0 ? prec : 0, v);
}

void
jw_double(struct jw *w, double v)
{
	char	 buf[64];

	if (!isfinite(v)) {		/* JSON has no such number */
		jw_null(w);
		return;
	}
	double_text(v, buf, sizeof(buf));
	plain(w, buf, strlen(buf));
}

/* ---- text ---- */

/* Bytes that may need more than copying; those from 0x80 on are looked at. */
static bool
is_plain(unsigned char c)
{
	static const bool	special[0x80] = {
		['"'] = true, ['\\'] = true, ['<'] = true, ['>'] = true,
		['&'] = true
	};

	return c >= 0x20 && c < 0x80 && !special[c];
}

static bool
is_line_separator(const char *s, size_t len)
{
	return len >= 3 && (memcmp(s, "\342\200\250", 3) == 0 ||
	    memcmp(s, "\342\200\251", 3) == 0);
}

/* One that is not plain; how many bytes it took. */
static size_t
escape(struct wbuf *w, const char *s, size_t len)
{
	switch (s[0]) {
	case '"':
	case '\\':
		wb_u8(w, '\\');
		wb_u8(w, (uint8_t)s[0]);
		return 1;
	case '\n':
		wb_str(w, "\\n");
		return 1;
	case '\r':
		wb_str(w, "\\r");
		return 1;
	case '\t':
		wb_str(w, "\\t");
		return 1;
	}
	if ((unsigned char)s[0] < 0x80) {
		wb_printf(w, "\\u%04x", (unsigned)s[0]);
		return 1;
	}
	if (is_line_separator(s, len)) {
		wb_str(w, s[2] == '\250' ? "\\u2028" : "\\u2029");
		return 3;
	}
	wb_u8(w, (uint8_t)s[0]);
	return 1;
}

static void
put_escaped(struct wbuf *w, const char *s, size_t n)
{
	char	*copy = NULL;
	size_t	 i, from = 0;

	if (utf8_good(s, n) != n)
		s = copy = utf8_dup(s, n, &n);
	wb_u8(w, '"');
	for (i = 0; i < n;) {
		if (is_plain((unsigned char)s[i])) {
			i++;
			continue;
		}
		wb_bytes(w, s + from, i - from);
		i += escape(w, s + i, n - i);
		from = i;
	}
	wb_bytes(w, s + from, n - from);
	wb_u8(w, '"');
	free(copy);
}

static void
put_text(struct wbuf *w, const char *s, size_t n)
{
	uint8_t	*p;
	size_t	 i;

	for (i = 0; i < n && is_plain((unsigned char)s[i]); i++)
		;
	if (i < n) {
		put_escaped(w, s, n);
		return;
	}
	p = wb_reserve(w, n + 2);
	p[0] = '"';
	memcpy(p + 1, s, n);
	p[n + 1] = '"';
}

/* A value; where a key has to stand, a key. */
void
jw_strn(struct jw *w, const char *s, size_t n)
{
	uint8_t	*next = &w->next[w->depth];
	bool	 key = *next == KEY || *next == FIRST_KEY;

	if (w->skipped > 0)
		return;
	begin(w);
	put_text(&w->out, s, n);
	if (!key) {
		end(w);
		return;
	}
	wb_u8(&w->out, ':');
	if (w->pretty)
		wb_u8(&w->out, ' ');
	*next = VALUE;
}

void
jw_str(struct jw *w, const char *s)
{
	if (s == NULL)
		s = "";
	jw_strn(w, s, strlen(s));
}

void
jw_key(struct jw *w, const char *key)
{
	jw_str(w, key);
}

const char *
jw_text(struct jw *w, size_t *len)
{
	wb_u8(&w->out, '\0');
	w->out.len--;
	if (len != NULL)
		*len = w->out.len;
	return (const char *)w->out.p;
}

static void
jw_number(struct jw *w, const char *s)
{
	unsigned long long	 u;
	long long		 n;
	char			*end;

	errno = 0;
	u = strtoull(s, &end, 10);
	if (*s != '-' && *end == '\0' && errno == 0) {
		jw_uint(w, u);
		return;
	}
	errno = 0;
	n = strtoll(s, &end, 10);
	if (*end == '\0' && errno == 0)
		jw_int(w, n);
	else
		jw_double(w, strtod(s, NULL));
}

void
jw_tree(struct jw *w, const struct json *j)
{
	const struct json	*c;

	switch (j->type) {
	case JSON_NULL:
		jw_null(w);
		break;
	case JSON_BOOL:
		jw_bool(w, j->truth);
		break;
	case JSON_NUMBER:
		jw_number(w, j->str);
		break;
	case JSON_STRING:
		jw_strn(w, j->str, j->len);
		break;
	case JSON_ARRAY:
		jw_arr(w);
		for (c = j->child; c != NULL; c = c->next)
			jw_tree(w, c);
		jw_end_arr(w);
		break;
	case JSON_OBJECT:
		jw_obj(w);
		for (c = j->child; c != NULL; c = c->next) {
			jw_key(w, c->key);
			jw_tree(w, c);
		}
		jw_end_obj(w);
		break;
	}
}

/*
 * JSON out: layout is yajl's, escapes and numbers are Go's, whose clients
 * compare text.
 *
 * Everything yajl prints passes through one callback, which escapes what Go
 * does besides.  That is safe there because < > & and U+2028/9 cannot stand
 * outside a string.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "common/json.h"
#include "common/utf8.h"
#include "common/util.h"

struct jw {
	yajl_gen	 gen;
	struct wbuf	 out;
	char		 pending;	/* '{' or '[' opened, nothing in it */
	bool		 keep_nil;
};

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

/*
 * yajl escapes a control character in a call of its own: \b and \f, which Go
 * writes by number, and \u00XX, whose digits Go has in lower case.
 */
static bool
print_escape(struct wbuf *w, const char *s, size_t len)
{
	if (len == 2 && s[0] == '\\' && (s[1] == 'b' || s[1] == 'f')) {
		wb_str(w, s[1] == 'b' ? "\\u0008" : "\\u000c");
		return true;
	}
	if (len == 6 && s[0] == '\\' && s[1] == 'u') {
		wb_printf(w, "\\u%04x", (unsigned)strtoul(s + 2, NULL, 16));
		return true;
	}
	return false;
}

static bool
is_line_separator(const char *s, size_t len)
{
	return len >= 3 && (memcmp(s, "\342\200\250", 3) == 0 ||
	    memcmp(s, "\342\200\251", 3) == 0);
}

/* Bytes that may need more than copying. */
static const bool special[256] = {
	['<'] = true, ['>'] = true, ['&'] = true, [0xe2] = true
};

static void
print(void *ctx, const char *s, size_t len)
{
	struct wbuf	*w = ctx;
	size_t		 i, from = 0;

	if (len > 0 && s[0] == '\\' && print_escape(w, s, len))
		return;
	for (i = 0; i < len; i++) {
		if (!special[(unsigned char)s[i]])
			continue;
		if (s[i] != '\342') {
			wb_bytes(w, s + from, i - from);
			wb_printf(w, "\\u%04x", (unsigned)s[i]);
			from = i + 1;
		} else if (is_line_separator(s + i, len - i)) {
			wb_bytes(w, s + from, i - from);
			wb_str(w, s[i + 2] == '\250' ? "\\u2028" : "\\u2029");
			i += 2;
			from = i + 1;
		}
	}
	wb_bytes(w, s + from, len - from);
}

struct jw *
jw_new(bool pretty)
{
	struct jw	*w = xcalloc(1, sizeof(*w));

	wb_init(&w->out, 0);
	if ((w->gen = yajl_gen_alloc(NULL)) == NULL)
		abort();
	yajl_gen_config(w->gen, yajl_gen_print_callback, print, &w->out);
	if (pretty) {
		yajl_gen_config(w->gen, yajl_gen_beautify, 1);
		yajl_gen_config(w->gen, yajl_gen_indent_string, "    ");
	}
	return w;
}

void
jw_free(struct jw *w)
{
	if (w == NULL)
		return;
	yajl_gen_free(w->gen);
	wb_free(&w->out);
	free(w);
}

/* yajl puts a line break into an empty container, so it opens when filled. */
static void
settle(struct jw *w)
{
	char	 c = w->pending;

	w->pending = '\0';
	if (c == '{')
		yajl_gen_map_open(w->gen);
	else if (c == '[')
		yajl_gen_array_open(w->gen);
}

void
jw_obj(struct jw *w)
{
	settle(w);
	w->pending = '{';
}

void
jw_arr(struct jw *w)
{
	settle(w);
	w->pending = '[';
}

void
jw_end_obj(struct jw *w)
{
	if (w->pending != '\0') {
		w->pending = '\0';
		yajl_gen_number(w->gen, "{}", 2);
	} else
		yajl_gen_map_close(w->gen);
}

void
jw_end_arr(struct jw *w)
{
	if (w->pending != '\0') {
		w->pending = '\0';
		yajl_gen_number(w->gen, "[]", 2);
	} else
		yajl_gen_array_close(w->gen);
}

void
jw_null(struct jw *w)
{
	settle(w);
	yajl_gen_null(w->gen);
}

void
jw_bool(struct jw *w, bool v)
{
	settle(w);
	yajl_gen_bool(w->gen, v);
}

void
jw_int(struct jw *w, int64_t v)
{
	settle(w);
	yajl_gen_integer(w->gen, v);
}

void
jw_uint(struct jw *w, uint64_t v)
{
	char	 buf[24];
	int	 n;

	settle(w);
	n = snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v);
	yajl_gen_number(w->gen, buf, (size_t)n);
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

	settle(w);
	if (!isfinite(v)) {		/* JSON has no such number */
		yajl_gen_null(w->gen);
		return;
	}
	double_text(v, buf, sizeof(buf));
	yajl_gen_number(w->gen, buf, strlen(buf));
}

void
jw_strn(struct jw *w, const char *s, size_t n)
{
	char	*copy = NULL;

	settle(w);
	if (utf8_good(s, n) != n)
		s = copy = utf8_dup(s, n, &n);
	yajl_gen_string(w->gen, (const unsigned char *)s, n);
	free(copy);
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

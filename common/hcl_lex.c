/*
 * Tokens of HCL, with their places: words, strings and heredocs as what they
 * stand for, numbers in decimal.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hcl_lex.h"
#include "common/utf8.h"
#include "common/util.h"

void
hcl_fail(struct hcl *h, unsigned line, unsigned col, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	if (h->err[0] != '\0')
		return;
	n = snprintf(h->err, sizeof(h->err), "line %u, column %u: ", line,
	    col);
	va_start(ap, fmt);
	(void)vsnprintf(h->err + n, sizeof(h->err) - (size_t)n, fmt, ap);
	va_end(ap);
}

/* ---- characters ---- */

static int
peek(const struct hcl *h, size_t off)
{
	return h->len - h->at > off ? (unsigned char)h->text[h->at + off] : -1;
}

static int
next(struct hcl *h)
{
	int	 c = peek(h, 0);

	if (c == -1)
		return -1;
	h->at++;
	if (c == '\n') {
		h->line++;
		h->col = 1;
	} else
		h->col++;
	return c;
}

static bool
is_letter(int c)
{
	return c >= 0x80 || c == '_' || isalpha(c);
}

static bool
in_ident(int c)
{
	return c != -1 && (is_letter(c) || isdigit(c) || c == '-' || c == '.');
}

/* ---- tokens ---- */

static void
skip_line(struct hcl *h)
{
	while (peek(h, 0) != -1 && peek(h, 0) != '\n')
		(void)next(h);
}

static void
skip_block_comment(struct hcl *h)
{
	unsigned	 line = h->line, col = h->col;

	(void)next(h);
	(void)next(h);
	while (peek(h, 0) != -1) {
		if (next(h) == '*' && peek(h, 0) == '/') {
			(void)next(h);
			return;
		}
	}
	hcl_fail(h, line, col, "comment is not closed");
}

/* White space and comments. */
static void
skip(struct hcl *h)
{
	int	 c;

	while ((c = peek(h, 0)) != -1) {
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			(void)next(h);
		else if (c == '#' || (c == '/' && peek(h, 1) == '/'))
			skip_line(h);
		else if (c == '/' && peek(h, 1) == '*')
			skip_block_comment(h);
		else
			break;
	}
}

static int
digit_of(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = c == -1 ? -1 : tolower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

static bool
read_digits(struct hcl *h, int base, int n, unsigned long *v)
{
	*v = 0;
	for (; n > 0; n--) {
		if (digit_of(peek(h, 0)) >= base)
			return false;
		*v = *v * (unsigned)base + (unsigned)digit_of(next(h));
	}
	return true;
}

/* After a backslash. */
static void
read_escape(struct hcl *h, struct wbuf *b)
{
	static const char	 from[] = "abfnrtv\\\"";
	static const char	 to[] = "\a\b\f\n\r\t\v\\\"";
	unsigned		 line = h->line, col = h->col - 1;
	unsigned long		 v;
	const char		*p;
	int			 c = peek(h, 0);

	if (c > 0 && (p = strchr(from, c)) != NULL) {
		(void)next(h);
		wb_u8(b, (uint8_t)to[p - from]);
		return;
	}
	if (c >= '0' && c <= '7') {
		if (read_digits(h, 8, 3, &v) && v <= 255) {
			wb_u8(b, (uint8_t)v);
			return;
		}
	} else if (c == 'x' || c == 'u' || c == 'U') {
		(void)next(h);
		if (read_digits(h, 16, c == 'x' ? 2 : c == 'u' ? 4 : 8, &v)) {
			if (c == 'x')
				wb_u8(b, (uint8_t)v);
			else
				utf8_put(b, v);
			return;
		}
	}
	hcl_fail(h, line, col, "no such escape in a string");
}

/* "${...}" is kept as it is, quotes and newlines in it, too. */
static void
read_interpolation(struct hcl *h, struct wbuf *b)
{
	unsigned	 line = h->line, col = h->col, open = 0;
	int		 c;

	wb_u8(b, (uint8_t)next(h));
	do {
		if ((c = next(h)) == -1) {
			hcl_fail(h, line, col, "\"${\" is not closed");
			return;
		}
		open += c == '{';
		open -= c == '}';
		wb_u8(b, (uint8_t)c);
	} while (open > 0);
}

static void
read_string(struct hcl *h)
{
	struct wbuf	 b;
	int		 c;

	wb_init(&b, 0);
	(void)next(h);
	for (;;) {
		c = peek(h, 0);
		if (c == -1 || c == '\n') {
			hcl_fail(h, h->tline, h->tcol, "string is not closed");
			break;
		}
		if (c == '$' && peek(h, 1) == '{') {
			read_interpolation(h, &b);
			if (h->err[0] != '\0')
				break;
			continue;
		}
		(void)next(h);
		if (c == '"')
			break;
		if (c != '\\')
			wb_u8(&b, (uint8_t)c);
		else
			read_escape(h, &b);
		if (h->err[0] != '\0')
			break;
	}
	h->str = utf8_dup(b.len > 0 ? (char *)b.p : "", b.len, &h->slen);
	wb_free(&b);
	h->tok = TOK_STRING;
}

/* Does the marker, alone, end this line?  Where it begins; else NULL. */
static const char *
marker_in(const char *line, size_t len, const char *mark, size_t nmark)
{
	size_t	 i = 0;

	while (len > 0 && line[len - 1] == '\r')
		len--;
	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	return len - i == nmark && memcmp(line + i, mark, nmark) == 0 ?
	    line + i : NULL;
}

/*
 * "<<-": the marker's own indentation is taken from each line, if each line
 * that is not empty has it.
 */
static void
unindent(const char *text, size_t len, const char *margin, size_t nmargin,
    struct wbuf *b)
{
	const char	*p, *nl, *end = text + len;

	for (p = text; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if ((size_t)(nl - p) < nmargin ||
		    memcmp(p, margin, nmargin) != 0) {
			wb_bytes(b, text, len);
			return;
		}
	}
	for (p = text; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		wb_bytes(b, p + nmargin, (size_t)(nl + 1 - p) - nmargin);
	}
}

static void
read_heredoc(struct hcl *h)
{
	const char	*mark, *body, *line, *found = NULL;
	struct wbuf	 b;
	size_t		 nmark, n;
	bool		 indented = peek(h, 2) == '-';

	h->tok = TOK_HEREDOC;
	(void)next(h);
	(void)next(h);
	if (indented)
		(void)next(h);
	mark = h->text + h->at;
	while (in_ident(peek(h, 0)))
		(void)next(h);
	nmark = (size_t)(h->text + h->at - mark);
	if (peek(h, 0) == '\r')
		(void)next(h);
	if (nmark == 0 || next(h) != '\n') {
		hcl_fail(h, h->tline, h->tcol, "heredoc: a word and the end of "
		    "the line must follow <<");
		return;
	}
	body = h->text + h->at;
	while (found == NULL && peek(h, 0) != -1) {
		line = h->text + h->at;
		skip_line(h);
		n = (size_t)(h->text + h->at - line);
		if ((found = marker_in(line, n, mark, nmark)) == NULL)
			(void)next(h);
	}
	if (found == NULL) {
		hcl_fail(h, h->tline, h->tcol, "heredoc: there is no line with "
		    "%.*s alone", nmark > 40 ? 40 : (int)nmark, mark);
		return;
	}
	wb_init(&b, 0);
	if (indented)
		unindent(body, (size_t)(line - body), line,
		    (size_t)(found - line), &b);
	else
		wb_bytes(&b, body, (size_t)(found - body));
	h->str = utf8_dup(b.len > 0 ? (char *)b.p : "", b.len, &h->slen);
	wb_free(&b);
}

/* Hexadecimal and octal numbers become decimal ones, as JSON has them. */
static void
read_number(struct hcl *h)
{
	const char	*start = h->text + h->at;
	char		 buf[64], *end;
	size_t		 n;
	long long	 v;
	bool		 plain;

	if (peek(h, 0) == '-')
		(void)next(h);
	while (in_ident(peek(h, 0)) || (peek(h, 0) == '+' &&
	    tolower((unsigned char)h->text[h->at - 1]) == 'e'))
		(void)next(h);
	n = (size_t)(h->text + h->at - start);
	h->tok = TOK_NUMBER;
	if (n >= sizeof(buf)) {
		hcl_fail(h, h->tline, h->tcol, "number is too long");
		return;
	}
	memcpy(buf, start, n);
	buf[n] = '\0';
	plain = strpbrk(buf, ".eE") == NULL || strpbrk(buf, "xX") != NULL;
	errno = 0;
	v = strtoll(buf, &end, 0);
	if (plain && (*end != '\0' || errno != 0)) {
		hcl_fail(h, h->tline, h->tcol, "\"%s\" is no number", buf);
		return;
	}
	if (plain)
		snprintf(buf, sizeof(buf), "%lld", v);
	else if (strspn(buf, "+-.0123456789eE") != n ||
	    (strtod(buf, &end), *end != '\0')) {
		hcl_fail(h, h->tline, h->tcol, "\"%s\" is no number", buf);
		return;
	}
	h->str = xstrdup(buf);
	h->slen = strlen(buf);
}

static void
read_ident(struct hcl *h)
{
	const char	*start = h->text + h->at;

	while (in_ident(peek(h, 0)))
		(void)next(h);
	h->str = utf8_dup(start, (size_t)(h->text + h->at - start), &h->slen);
	h->tok = TOK_IDENT;
}

/* Reads the next token into h. */
void
hcl_next(struct hcl *h)
{
	static const char	 marks[] = "={}[],";
	static const enum tok	 mark_tok[] = { TOK_ASSIGN, TOK_LBRACE,
		    TOK_RBRACE, TOK_LBRACK, TOK_RBRACK, TOK_COMMA };
	const char		*m;
	int			 c;

	free(h->str);
	h->str = NULL;
	skip(h);
	h->tline = h->line;
	h->tcol = h->col;
	h->tok = TOK_BAD;
	if (h->err[0] != '\0')
		return;
	if ((c = peek(h, 0)) == -1)
		h->tok = TOK_END;
	else if (c == '"')
		read_string(h);
	else if (c == '<' && peek(h, 1) == '<')
		read_heredoc(h);
	else if (isdigit(c) || c == '-')
		read_number(h);
	else if (is_letter(c))
		read_ident(h);
	else if (c != '\0' && (m = strchr(marks, c)) != NULL) {
		(void)next(h);
		h->tok = mark_tok[m - marks];
	} else
		hcl_fail(h, h->line, h->col, isprint(c) ?
		    "unexpected '%c'" : "unexpected character %d", c);
	if (h->err[0] != '\0')
		h->tok = TOK_BAD;
}

void
hcl_unexpected(struct hcl *h, const char *wanted)
{
	static const char *const names[] = {
		[TOK_END] = "the end", [TOK_IDENT] = "a word",
		[TOK_STRING] = "a string", [TOK_HEREDOC] = "a heredoc",
		[TOK_NUMBER] = "a number", [TOK_ASSIGN] = "=",
		[TOK_LBRACE] = "{", [TOK_RBRACE] = "}", [TOK_LBRACK] = "[",
		[TOK_RBRACK] = "]", [TOK_COMMA] = ",", [TOK_BAD] = "?"
	};

	if (h->str != NULL && h->slen < 40)
		hcl_fail(h, h->tline, h->tcol, "expected %s, found \"%s\"",
		    wanted, h->str);
	else
		hcl_fail(h, h->tline, h->tcol, "expected %s, found %s", wanted,
		    names[h->tok]);
}

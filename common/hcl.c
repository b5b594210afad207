/*
 * HCL 1: keys and values, blocks, lists, heredocs, three kinds of comment.
 *
 *	file	= { item }
 *	item	= key ( "=" value | { key } "{" { item [ "," ] } "}" ) [ "," ]
 *	key	= identifier | string
 *	value	= number | bool | string | heredoc | list | "{" ... "}"
 *	list	= "[" [ value { "," value } [ "," ] ] "]"
 *
 * What a repeated key means is HCL's: objects gather, other values replace.
 */
#include <bsd/string.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hcl.h"
#include "common/utf8.h"
#include "common/util.h"

#define HCL_DEPTH_MAX 64	/* as JSON's */

const char *const hcl_config_lists[] = {
	"services", "checks", "watches", "segments", "service.checks",
	"services.checks", NULL
};

enum tok {
	TOK_END, TOK_IDENT, TOK_STRING, TOK_HEREDOC, TOK_NUMBER, TOK_ASSIGN,
	TOK_LBRACE, TOK_RBRACE, TOK_LBRACK, TOK_RBRACK, TOK_COMMA, TOK_BAD
};

struct hcl {
	const char	*text;
	size_t		 len, at;
	unsigned	 line, col;	/* of at */
	/* the token that was read last */
	enum tok	 tok;
	char		*str;		/* identifier, string, number */
	size_t		 slen;
	unsigned	 tline, tcol;
	char		 err[160];	/* the first error; "" if none */
};

static struct json	*read_object(struct hcl *, bool braces, unsigned depth);
static struct json	*read_value(struct hcl *, unsigned depth);

static void __attribute__((format(printf, 4, 5)))
fail_at(struct hcl *h, unsigned line, unsigned col, const char *fmt, ...)
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
	fail_at(h, line, col, "comment is not closed");
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

static void
put_rune(struct wbuf *b, unsigned long r)
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
	static const char	 from[] = "abfnrtv\\\"", to[] = "\a\b\f\n\r\t\v\\\"";
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
				put_rune(b, v);
			return;
		}
	}
	fail_at(h, line, col, "no such escape in a string");
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
			fail_at(h, line, col, "\"${\" is not closed");
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
			fail_at(h, h->tline, h->tcol, "string is not closed");
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
		fail_at(h, h->tline, h->tcol, "heredoc: a word and the end of "
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
		fail_at(h, h->tline, h->tcol, "heredoc: there is no line with "
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
		fail_at(h, h->tline, h->tcol, "number is too long");
		return;
	}
	memcpy(buf, start, n);
	buf[n] = '\0';
	plain = strpbrk(buf, ".eE") == NULL || strpbrk(buf, "xX") != NULL;
	errno = 0;
	v = strtoll(buf, &end, 0);
	if (plain && (*end != '\0' || errno != 0)) {
		fail_at(h, h->tline, h->tcol, "\"%s\" is no number", buf);
		return;
	}
	if (plain)
		snprintf(buf, sizeof(buf), "%lld", v);
	else if (strspn(buf, "+-.0123456789eE") != n ||
	    (strtod(buf, &end), *end != '\0')) {
		fail_at(h, h->tline, h->tcol, "\"%s\" is no number", buf);
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
static void
advance(struct hcl *h)
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
		fail_at(h, h->line, h->col, isprint(c) ?
		    "unexpected '%c'" : "unexpected character %d", c);
	if (h->err[0] != '\0')
		h->tok = TOK_BAD;
}

static void
unexpected(struct hcl *h, const char *wanted)
{
	static const char *const names[] = {
		[TOK_END] = "the end", [TOK_IDENT] = "a word",
		[TOK_STRING] = "a string", [TOK_HEREDOC] = "a heredoc",
		[TOK_NUMBER] = "a number", [TOK_ASSIGN] = "=",
		[TOK_LBRACE] = "{", [TOK_RBRACE] = "}", [TOK_LBRACK] = "[",
		[TOK_RBRACK] = "]", [TOK_COMMA] = ",", [TOK_BAD] = "?"
	};

	if (h->str != NULL && h->slen < 40)
		fail_at(h, h->tline, h->tcol, "expected %s, found \"%s\"",
		    wanted, h->str);
	else
		fail_at(h, h->tline, h->tcol, "expected %s, found %s", wanted,
		    names[h->tok]);
}

/* ---- the tree ---- */

static struct json *
new_node(const struct hcl *h, enum json_type type)
{
	struct json	*j = xcalloc(1, sizeof(*j));

	j->type = type;
	j->line = h->tline;
	j->col = h->tcol;
	return j;
}

static void
append(struct json *to, struct json *j)
{
	if (to->last != NULL)
		to->last->next = j;
	else
		to->child = j;
	to->last = j;
}

static void
take_place(struct json *old, struct json *j)
{
	struct json	 was = *old;

	*old = *j;
	old->next = was.next;
	was.next = NULL;
	*j = was;
	json_free(j);
}

/* Takes key and value.  A second block makes a list of both. */
static void
put_member(struct json *obj, char *key, struct json *val)
{
	struct json	*old, *first;

	for (old = obj->child; old != NULL; old = old->next)
		if (strcmp(old->key, key) == 0)
			break;
	if (old == NULL) {
		val->key = key;
		append(obj, val);
		return;
	}
	if (val->type != JSON_OBJECT || !old->truth ||
	    (old->type != JSON_OBJECT && old->type != JSON_ARRAY)) {
		val->key = key;
		take_place(old, val);
		return;
	}
	free(key);
	if (old->type == JSON_OBJECT) {
		first = xcalloc(1, sizeof(*first));
		*first = *old;
		first->key = NULL;
		first->next = NULL;
		old->type = JSON_ARRAY;
		old->child = old->last = first;
	}
	append(old, val);
}

/* After "[". */
static struct json *
read_list(struct hcl *h, unsigned depth)
{
	struct json	*list = new_node(h, JSON_ARRAY), *j;

	advance(h);
	while (h->tok != TOK_RBRACK) {
		if ((j = read_value(h, depth + 1)) == NULL)
			break;
		append(list, j);
		if (h->tok == TOK_COMMA)
			advance(h);
		else if (h->tok != TOK_RBRACK)
			unexpected(h, "\",\" or \"]\"");
	}
	if (h->err[0] != '\0') {
		json_free(list);
		return NULL;
	}
	advance(h);
	return list;
}

/* From its first token on; the one after it is read, too. */
static struct json *
read_value(struct hcl *h, unsigned depth)
{
	struct json	*j;

	if (depth > HCL_DEPTH_MAX) {
		fail_at(h, h->tline, h->tcol, "nested too deep");
		return NULL;
	}
	if (h->tok == TOK_LBRACK)
		return read_list(h, depth);
	if (h->tok == TOK_LBRACE) {
		advance(h);
		return read_object(h, true, depth + 1);
	}
	if (h->tok == TOK_STRING || h->tok == TOK_HEREDOC)
		j = new_node(h, JSON_STRING);
	else if (h->tok == TOK_NUMBER)
		j = new_node(h, JSON_NUMBER);
	else if (h->tok == TOK_IDENT && (strcmp(h->str, "true") == 0 ||
	    strcmp(h->str, "false") == 0)) {
		j = new_node(h, JSON_BOOL);
		j->truth = h->str[0] == 't';
		advance(h);
		return j;
	} else {
		unexpected(h, h->tok == TOK_IDENT ?
		    "a value (text stands in quotes)" : "a value");
		return NULL;
	}
	j->str = h->str;
	j->len = h->slen;
	h->str = NULL;
	advance(h);
	return j;
}

/* What is behind the first key: "= value", or labels and a block. */
static struct json *
read_item(struct hcl *h, unsigned depth)
{
	struct json	*j, *inner;
	char		*label;

	if (depth > HCL_DEPTH_MAX) {
		fail_at(h, h->tline, h->tcol, "nested too deep");
		return NULL;
	}
	if (h->tok == TOK_LBRACE) {
		advance(h);
		return read_object(h, true, depth);
	}
	if (h->tok != TOK_IDENT && h->tok != TOK_STRING) {
		unexpected(h, "\"=\" or \"{\"");
		return NULL;
	}
	j = new_node(h, JSON_OBJECT);
	j->truth = true;
	label = h->str;
	h->str = NULL;
	advance(h);
	if ((inner = read_item(h, depth + 1)) == NULL) {
		free(label);
		json_free(j);
		return NULL;
	}
	put_member(j, label, inner);
	return j;
}

/* Items up to "}", or to the end of the text. */
static struct json *
read_object(struct hcl *h, bool braces, unsigned depth)
{
	struct json	*obj = new_node(h, JSON_OBJECT), *val;
	enum tok	 end = braces ? TOK_RBRACE : TOK_END;
	char		*key;

	obj->truth = true;
	while (h->tok != end) {
		if (h->tok != TOK_IDENT && h->tok != TOK_STRING) {
			unexpected(h, braces ? "a key or \"}\"" : "a key");
			break;
		}
		key = h->str;
		h->str = NULL;
		advance(h);
		if (h->tok == TOK_ASSIGN) {
			advance(h);
			val = read_value(h, depth + 1);
		} else
			val = read_item(h, depth + 1);
		if (val == NULL) {
			free(key);
			break;
		}
		put_member(obj, key, val);
		if (h->tok == TOK_COMMA)
			advance(h);
	}
	if (h->err[0] != '\0') {
		json_free(obj);
		return NULL;
	}
	if (braces)
		advance(h);
	return obj;
}

static bool
begins_with_brace(const char *text, size_t len)
{
	size_t	 i;

	for (i = 0; i < len && isspace((unsigned char)text[i]); i++)
		continue;
	return i < len && text[i] == '{';
}

struct json *
hcl_parse(const char *text, size_t len, char *err, size_t errlen)
{
	struct hcl	 h = { .text = text, .len = len, .line = 1, .col = 1 };
	struct json	*root;

	/* A byte order mark is let pass, as HCL does. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		h.text += 3;
		h.len -= 3;
	}
	if (begins_with_brace(h.text, h.len))
		return json_parse(h.text, h.len, err, errlen);
	advance(&h);
	root = read_object(&h, false, 0);
	if (root != NULL && h.err[0] != '\0') {
		json_free(root);
		root = NULL;
	}
	free(h.str);
	if (root == NULL)
		strlcpy(err, h.err, errlen);
	return root;
}

/* ---- lists ---- */

static void
wrap(struct json *j)
{
	struct json	*only;

	if (j->type != JSON_OBJECT || !j->truth)
		return;
	only = xcalloc(1, sizeof(*only));
	*only = *j;
	only->key = NULL;
	only->next = NULL;
	j->type = JSON_ARRAY;
	j->child = j->last = only;
}

static void
wrap_path(struct json *j, const char *path)
{
	size_t		 n = strcspn(path, ".");
	struct json	*c;

	for (c = j->child; c != NULL; c = c->next) {
		if (j->type == JSON_ARRAY)
			wrap_path(c, path);
		else if (j->type == JSON_OBJECT && strlen(c->key) == n &&
		    strncasecmp(c->key, path, n) == 0) {
			if (path[n] == '.')
				wrap_path(c, path + n + 1);
			else
				wrap(c);
		}
	}
}

void
hcl_as_lists(struct json *root, const char *const *paths)
{
	for (; *paths != NULL; paths++)
		wrap_path(root, *paths);
}

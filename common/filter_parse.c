/*
 * The grammar of filters.  Clients see what was expected where, and Consul's
 * parser (a parsing expression grammar, generated) says that of the farthest
 * place that any of its tries came to.  So this reads in the same order, tries
 * the same alternatives and notes each failure; but where the grammar would
 * read a part again in another alternative with the same outcome, the outcome
 * is used again, or nested parentheses would cost 2^depth.
 *
 *	Input		<- _? "(" _? Or _? ")" _? EOF / _? Or _? EOF
 *	Or		<- And _ "or" _ Or / And
 *	And		<- Not _ "and" _ And / Not
 *	Not		<- "not" _ Not / Grouping
 *	Grouping	<- "(" _? Or _? ")" / Match
 *	Match		<- Selector Op Value / Selector IsEmpty
 *			 / Value In Selector
 *	Selector	<- Name ("." Name / "[" _? String _? "]")*
 *	Value		<- Selector / Number / String
 */
#include <stdlib.h>
#include <string.h>

#include "common/filter.h"
#include "common/filter_parse.h"
#include "common/util.h"

#define WANTS_MAX 48	/* the grammar has half of these */
#define ERRORS_MAX 8

struct parse {
	const char		*s;
	size_t			 len, pos;
	struct filter_nodes	*all;
	unsigned		 depth;
	bool			 too_deep;

	/* What was expected at the farthest failure. */
	size_t			 fail_pos;
	const char		*want[WANTS_MAX];
	size_t			 nwant;

	struct strs		 errors;
};

static const char ws_name[] = "[ \\t\\r\\n]";

/* ---- nodes ---- */

static struct filter_node *
node_new(struct parse *p, enum filter_kind kind)
{
	struct filter_node	*n = xcalloc(1, sizeof(*n));

	n->kind = kind;
	SLIST_INSERT_HEAD(p->all, n, entry);
	return n;
}

void
filter_nodes_free(struct filter_nodes *all)
{
	struct filter_node	*n;

	while ((n = SLIST_FIRST(all)) != NULL) {
		SLIST_REMOVE_HEAD(all, entry);
		strs_clear(&n->path);
		free(n->value);
		free(n->field);
		regex_free(n->regex);
		free(n);
	}
}

/* ---- failures ---- */

static void
expect(struct parse *p, const char *what)
{
	size_t	i;

	if (p->pos < p->fail_pos)
		return;
	if (p->pos > p->fail_pos) {
		p->fail_pos = p->pos;
		p->nwant = 0;
	}
	for (i = 0; i < p->nwant; i++)
		if (strcmp(p->want[i], what) == 0)
			return;
	if (p->nwant < WANTS_MAX)
		p->want[p->nwant++] = what;
}

/* "2:7 (31)": line, character of it, byte of all. */
static void
put_place(const struct parse *p, size_t at, struct wbuf *w)
{
	size_t		i, line = 1, col = 0;
	unsigned char	c;

	for (i = 0; i <= at; i++) {
		c = i < p->len ? (unsigned char)p->s[i] : 0;
		if ((c & 0xc0) == 0x80)
			continue;
		if (c == '\n') {
			line++;
			col = 0;
		} else
			col++;
	}
	wb_printf(w, "%zu:%zu (%zu)", line, col, at);
}

/* An error proper, of the place where we are. */
static void
blame(struct parse *p, size_t at, const char *rule, const char *what)
{
	struct wbuf	 w;
	char		*text;

	wb_init(&w, 0);
	put_place(p, at, &w);
	wb_printf(&w, ": rule \"%s\": %s", rule, what);
	text = wb_detach_str(&w);
	if (p->errors.n < ERRORS_MAX && !strs_has(&p->errors, text))
		strs_add(&p->errors, text);
	free(text);
}

/* ---- terminals ---- */

/* Text, named as it is expected: "\"or\"". */
static bool
lit(struct parse *p, const char *text, const char *name)
{
	size_t	n = strlen(text);

	if (p->len - p->pos >= n && memcmp(p->s + p->pos, text, n) == 0) {
		p->pos += n;
		return true;
	}
	expect(p, name);
	return false;
}
#define LIT(p, text) lit((p), (text), "\"" text "\"")

static bool
in_class(struct parse *p, const char *set, const char *name)
{
	if (p->pos < p->len && strchr(set, p->s[p->pos]) != NULL) {
		p->pos++;
		return true;
	}
	expect(p, name);
	return false;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define LETTER(p) in_class((p), LETTERS, "[a-zA-Z]")
#define NAME_CHAR(p) in_class((p), LETTERS DIGITS "_", "[a-zA-Z0-9_]")
#define DIGIT(p) in_class((p), DIGITS, "[0-9]")
#define DIGIT19(p) in_class((p), "123456789", "[1-9]")

static bool
ws(struct parse *p)
{
	if (!in_class(p, " \t\r\n", ws_name))
		return false;
	while (in_class(p, " \t\r\n", ws_name))
		;
	return true;
}

static bool
at_end(struct parse *p)
{
	if (p->pos == p->len)
		return true;
	expect(p, "EOF");
	return false;
}

/* ---- strings and numbers ---- */

/* A new string, or NULL. */
static char *
string(struct parse *p)
{
	size_t		 start = p->pos, n;
	const char	*end;
	char		 quote, *text;

	if (lit(p, "`", "\"`\""))
		quote = '`';
	else if (lit(p, "\"", "\"\\\"\""))
		quote = '"';
	else
		return NULL;
	end = memchr(p->s + p->pos, quote, p->len - p->pos);
	if (end == NULL) {
		blame(p, p->len, "string", "Unterminated string literal");
		p->pos = start;
		return NULL;
	}
	n = (size_t)(end - (p->s + p->pos));
	if ((text = filter_unquote(p->s + p->pos, n, quote)) == NULL) {
		blame(p, start, "string", "invalid syntax");
		p->pos = start;
		return NULL;
	}
	p->pos += n + 1;
	return text;
}

static bool
after_number(struct parse *p)
{
	size_t	save = p->pos;
	bool	ok;

	ok = ws(p) || at_end(p) || LIT(p, ")");
	p->pos = save;
	return ok;
}

static char *
number(struct parse *p)
{
	size_t	start = p->pos, dot;

	(void)LIT(p, "-");
	if (!LIT(p, "0")) {
		if (!DIGIT19(p)) {
			p->pos = start;
			return NULL;
		}
		while (DIGIT(p))
			;
	}
	dot = p->pos;
	if (LIT(p, ".")) {
		if (DIGIT(p))
			while (DIGIT(p))
				;
		else
			p->pos = dot;
	}
	if (!after_number(p)) {
		blame(p, p->pos, "number", "Invalid number literal");
		p->pos = start;
		return NULL;
	}
	return xstrndup(p->s + start, p->pos - start);
}

/* ---- selectors and values ---- */

static bool
name(struct parse *p, struct strs *path)
{
	size_t	 start = p->pos;
	char	*text;

	if (!LETTER(p))
		return false;
	while (NAME_CHAR(p))
		;
	text = xstrndup(p->s + start, p->pos - start);
	strs_add(path, text);
	free(text);
	return true;
}

static bool
bracketed(struct parse *p, struct strs *path)
{
	size_t	 start = p->pos, inner;
	char	*key;

	if (!LIT(p, "["))
		return false;
	(void)ws(p);
	inner = p->pos;
	if ((key = string(p)) == NULL) {
		blame(p, inner, "index", "Invalid index");
		p->pos = start;
		return false;
	}
	(void)ws(p);
	if (!LIT(p, "]")) {
		blame(p, p->pos, "index", "Unclosed index expression");
		free(key);
		p->pos = start;
		return false;
	}
	strs_add(path, key);
	free(key);
	return true;
}

static bool
selector(struct parse *p, struct strs *path)
{
	size_t	save;

	if (!name(p, path))
		return false;
	for (;;) {
		save = p->pos;
		if (LIT(p, ".") && name(p, path))
			continue;
		p->pos = save;
		if (!bracketed(p, path))
			return true;
	}
}

/* A new string, or NULL; words without quotes look like a selector. */
static char *
value(struct parse *p)
{
	struct strs	 path = { 0 };
	struct wbuf	 w;
	char		*text;
	size_t		 i;

	if (selector(p, &path)) {
		wb_init(&w, 0);
		for (i = 0; i < path.n; i++)
			wb_printf(&w, "%s%s", i > 0 ? "." : "", path.item[i]);
		strs_clear(&path);
		return wb_detach_str(&w);
	}
	strs_clear(&path);
	if ((text = number(p)) != NULL)
		return text;
	return string(p);
}

/* ---- matches ---- */

#define WORDS_MAX 3
struct operator {
	enum filter_op	 op;
	bool		 word;		/* must stand apart from what is beside */
	bool		 last;		/* nothing follows it */
	const char	*text[WORDS_MAX + 1];
	const char	*name[WORDS_MAX];
};
#define Q(w) "\"" w "\""
static const struct operator with_value[] = {
	{ FILTER_EQ, false, false, { "==" }, { Q("==") } },
	{ FILTER_NE, false, false, { "!=" }, { Q("!=") } },
	{ FILTER_IN, true, false, { "contains" }, { Q("contains") } },
	{ FILTER_NOT_IN, true, false, { "not", "contains" },
	    { Q("not"), Q("contains") } },
	{ FILTER_MATCHES, true, false, { "matches" }, { Q("matches") } },
	{ FILTER_NOT_MATCHES, true, false, { "not", "matches" },
	    { Q("not"), Q("matches") } },
};
static const struct operator without_value[] = {
	{ FILTER_EMPTY, true, true, { "is", "empty" }, { Q("is"), Q("empty") } },
	{ FILTER_NOT_EMPTY, true, true, { "is", "not", "empty" },
	    { Q("is"), Q("not"), Q("empty") } },
};
static const struct operator with_selector[] = {
	{ FILTER_IN, true, false, { "in" }, { Q("in") } },
	{ FILTER_NOT_IN, true, false, { "not", "in" }, { Q("not"), Q("in") } },
};

static bool
operator_fits(struct parse *p, const struct operator *o)
{
	size_t	save = p->pos, i;

	if (!o->word) {
		(void)ws(p);
		if (lit(p, o->text[0], o->name[0])) {
			(void)ws(p);
			return true;
		}
		p->pos = save;
		return false;
	}
	for (i = 0; o->text[i] != NULL; i++)
		if (!ws(p) || !lit(p, o->text[i], o->name[i]))
			break;
	if (o->text[i] == NULL && (o->last || ws(p)))
		return true;
	p->pos = save;
	return false;
}

static bool
operator(struct parse *p, const struct operator *o, size_t n,
    enum filter_op *op)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (operator_fits(p, &o[i])) {
			*op = o[i].op;
			return true;
		}
	return false;
}

static struct filter_node *
match(struct parse *p)
{
	struct filter_node	*n = node_new(p, FILTER_MATCH);
	size_t			 save = p->pos;

	if (selector(p, &n->path)) {
		size_t	after = p->pos;

		if (operator(p, with_value, NELEM(with_value), &n->op) &&
		    (n->value = value(p)) != NULL)
			return n;
		p->pos = after;
		if (operator(p, without_value, NELEM(without_value), &n->op))
			return n;
	}
	strs_clear(&n->path);
	p->pos = save;
	if ((n->value = value(p)) != NULL && operator(p, with_selector,
	    NELEM(with_selector), &n->op)) {
		if (selector(p, &n->path))
			return n;
		blame(p, p->pos, "match", "Invalid selector");
	}
	p->pos = save;
	return NULL;
}

/* ---- expressions ---- */

static struct filter_node *or_expression(struct parse *);

static bool
deeper(struct parse *p)
{
	if (p->depth == FILTER_DEPTH_MAX)
		p->too_deep = true;
	else
		p->depth++;
	return !p->too_deep;
}

static struct filter_node *
grouping(struct parse *p)
{
	struct filter_node	*inner = NULL, *n;
	size_t			 save = p->pos, close = 0;

	if (LIT(p, "(")) {
		if (!deeper(p))
			return NULL;
		(void)ws(p);
		inner = or_expression(p);
		p->depth--;
		if (p->too_deep)
			return NULL;
		if (inner != NULL) {
			(void)ws(p);
			close = p->pos;
			if (LIT(p, ")"))
				return inner;
		}
		p->pos = save;
	}
	if ((n = match(p)) != NULL)
		return n;
	if (inner != NULL)
		blame(p, close, "grouping", "Unmatched parentheses");
	return NULL;
}

static struct filter_node *
not_expression(struct parse *p)
{
	struct filter_node	*n, *inner = NULL;
	size_t			 save = p->pos;

	if (LIT(p, "not") && ws(p)) {
		if (!deeper(p))
			return NULL;
		inner = not_expression(p);
		p->depth--;
	}
	if (inner == NULL) {
		p->pos = save;
		return p->too_deep ? NULL : grouping(p);
	}
	n = node_new(p, FILTER_NOT);
	n->child = inner;
	return n;
}

/* Operands joined by a word; one alone is itself. */
static struct filter_node *
joined(struct parse *p, enum filter_kind kind, const char *word,
    const char *word_name, struct filter_node *(*operand)(struct parse *))
{
	struct filter_node	*first, *n, *list = NULL, *last;
	size_t			 save;

	if ((first = last = operand(p)) == NULL)
		return NULL;
	for (;;) {
		save = p->pos;
		if (!ws(p) || !lit(p, word, word_name) || !ws(p) ||
		    (n = operand(p)) == NULL)
			break;
		if (list == NULL) {
			list = node_new(p, kind);
			list->child = first;
		}
		last = last->next = n;
	}
	p->pos = save;
	return list != NULL ? list : first;
}

static struct filter_node *
and_expression(struct parse *p)
{
	return joined(p, FILTER_AND, "and", "\"and\"", not_expression);
}

static struct filter_node *
or_expression(struct parse *p)
{
	return joined(p, FILTER_OR, "or", "\"or\"", and_expression);
}

static struct filter_node *
input(struct parse *p)
{
	struct filter_node	*n;

	(void)ws(p);
	if (LIT(p, "(")) {
		(void)ws(p);
		if ((n = or_expression(p)) != NULL) {
			(void)ws(p);
			if (LIT(p, ")")) {
				(void)ws(p);
				if (at_end(p))
					return n;
			}
		}
		if (p->too_deep)
			return NULL;
	}
	p->pos = 0;
	(void)ws(p);
	if ((n = or_expression(p)) == NULL)
		return NULL;
	(void)ws(p);
	return at_end(p) ? n : NULL;
}

/* ---- what is said ---- */

static int
want_cmp(const void *a, const void *b)
{
	const char	*x = *(const char *const *)a;
	const char	*y = *(const char *const *)b;

	/* The end comes last. */
	if ((strcmp(x, "EOF") == 0) != (strcmp(y, "EOF") == 0))
		return strcmp(x, "EOF") == 0 ? 1 : -1;
	return strcmp(x, y);
}

static char *
complaint(struct parse *p)
{
	struct wbuf	 w;
	size_t		 i;

	wb_init(&w, 0);
	if (p->too_deep) {
		wb_printf(&w, "the expression is nested deeper than %d",
		    FILTER_DEPTH_MAX);
		return wb_detach_str(&w);
	}
	for (i = 0; i < p->errors.n; i++)
		wb_printf(&w, "%s%s", i > 0 ? "\n" : "", p->errors.item[i]);
	if (i > 0)
		return wb_detach_str(&w);
	put_place(p, p->fail_pos, &w);
	wb_str(&w, ": no match found, expected: ");
	qsort(p->want, p->nwant, sizeof(p->want[0]), want_cmp);
	for (i = 0; i < p->nwant; i++)
		wb_printf(&w, "%s%s", i == 0 ? "" :
		    i + 1 == p->nwant ? " or " : ", ", p->want[i]);
	return wb_detach_str(&w);
}

struct filter_node *
filter_parse(const char *text, struct filter_nodes *all, char **why)
{
	struct filter_node	*n;
	struct parse		 p;

	memset(&p, 0, sizeof(p));
	p.s = text;
	p.len = strlen(text);
	p.all = all;
	if (p.len > FILTER_BYTES_MAX) {
		xasprintf(why, "the expression is longer than %d bytes",
		    FILTER_BYTES_MAX);
		return NULL;
	}
	n = input(&p);
	if (n == NULL || p.errors.n > 0 || p.too_deep) {
		*why = complaint(&p);
		n = NULL;
	}
	strs_clear(&p.errors);
	return n;
}

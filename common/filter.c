/*
 * What a filter's selectors mean in a schema table, and whether a row matches.
 * The grammar is filter_parse.c's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/filter.h"
#include "common/filter_parse.h"
#include "common/schema/walk.h"
#include "common/util.h"

#define OP(x) (1u << FILTER_##x)
#define OPS_EQUAL (OP(EQ) | OP(NE))
#define OPS_EMPTY (OP(EMPTY) | OP(NOT_EMPTY))
#define OPS_IN (OP(IN) | OP(NOT_IN))
#define OPS_TEXT (OPS_EQUAL | OPS_IN | OP(MATCHES) | OP(NOT_MATCHES))

struct filter {
	struct schema		*schema;
	struct filter_nodes	 all;
	struct filter_node	*root;
};

static const char *const op_name[] = {
	[FILTER_EQ] = "Equal", [FILTER_NE] = "Not Equal", [FILTER_IN] = "In",
	[FILTER_NOT_IN] = "Not In", [FILTER_EMPTY] = "Is Empty",
	[FILTER_NOT_EMPTY] = "Is Not Empty", [FILTER_MATCHES] = "Matches",
	[FILTER_NOT_MATCHES] = "Not Matches"
};

/* What can be asked of a value of that kind. */
static const unsigned ops_of[] = {
	[K_STR] = OPS_TEXT,
	[K_BOOL] = OPS_EQUAL,
	[K_INT] = OPS_EQUAL,
	[K_UINT] = OPS_EQUAL,
	[K_DOUBLE] = OPS_EQUAL,
	[K_DUR] = OPS_EQUAL,
	[K_BYTES] = 0,
	[K_TIME] = 0,
	[K_ANY] = OPS_EMPTY,
	[K_STRS] = OPS_EMPTY | OPS_IN,
	[K_DOUBLES] = OPS_EMPTY,
	[K_STRMAP] = OPS_EMPTY | OPS_IN,
	[K_STRSMAP] = OPS_EMPTY | OPS_IN,
	[K_INTMAP] = OPS_EMPTY | OPS_IN,
	[K_STRUCT] = 0,
	[K_PTR] = 0,
	[K_LIST] = OPS_EMPTY,
	[K_MAP] = OPS_EMPTY | OPS_IN
};

/* ---- making one ---- */

static void
put_path(struct wbuf *w, const struct strs *path, size_t n)
{
	struct wbuf	 dotted;
	char		*text;
	size_t		 i;

	wb_init(&dotted, 0);
	for (i = 0; i < n; i++)
		wb_printf(&dotted, "%s%s", i > 0 ? "." : "", path->item[i]);
	text = wb_detach_str(&dotted);
	filter_quote(w, text);
	free(text);
}

static const struct schema_field *
field_of(const struct schema *s, const char *name)
{
	const struct schema_field	*f;
	size_t				 i;

	for (i = 0; i < s->nfields; i++) {
		f = &s->fields[i];
		if (strcmp(f->name, name) == 0 &&
		    (f->flags & (S_NOJSON | S_NOFILTER)) == 0)
			return f;
	}
	return NULL;
}

/* The kind of what the path leads to; -1: nowhere, and said. */
static int
resolve(struct schema *s, struct filter_node *m, struct wbuf *why)
{
	enum schema_kind	 kind = K_STRUCT;
	const struct schema_field *f;
	bool			 map = false;
	size_t			 i;

	m->field = xcalloc(m->path.n, sizeof(*m->field));
	for (i = 0; i < m->path.n; i++) {
		if (map) {
			/* Any key; what it holds is a value or a struct. */
			kind = kinds[kind].elem;
			map = false;
			continue;
		}
		if (s == NULL || (f = field_of(s, m->path.item[i])) == NULL) {
			wb_str(why, "Selector ");
			put_path(why, &m->path, i + 1);
			wb_str(why, " is not valid");
			return -1;
		}
		m->field[i] = f;
		kind = f->kind;
		s = f->sub;
		map = kinds[kind].shape == SHAPE_MAP;
	}
	return (int)kind;
}

static int
not_coerced(struct filter_node *m, struct wbuf *why, const char *fn,
    const char *what)
{
	wb_str(why, "Failed to coerce value ");
	filter_quote(why, m->value);
	wb_str(why, " for selector ");
	put_path(why, &m->path, m->path.n);
	wb_printf(why, ": strconv.%s: parsing ", fn);
	filter_quote(why, m->value);
	wb_printf(why, ": %s", what);
	return -1;
}

static int
coerce_bool(struct filter_node *m, struct wbuf *why)
{
	static const struct { const char *text; bool truth; } known[] = {
		{ "1", true }, { "t", true }, { "T", true }, { "true", true },
		{ "TRUE", true }, { "True", true }, { "0", false },
		{ "f", false }, { "F", false }, { "false", false },
		{ "FALSE", false }, { "False", false }
	};
	size_t	i;

	for (i = 0; i < NELEM(known); i++)
		if (strcmp(m->value, known[i].text) == 0) {
			m->truth = known[i].truth;
			return 0;
		}
	return not_coerced(m, why, "ParseBool", "invalid syntax");
}

/* As Go's ParseInt and ParseUint with base 0; their signs, no spaces. */
static int
coerce_int(struct filter_node *m, bool is_signed, struct wbuf *why)
{
	const char	*fn = is_signed ? "ParseInt" : "ParseUint";
	const char	*s = m->value, *digits;
	char		*end;
	int		 base = 10;

	digits = s + (is_signed && (*s == '-' || *s == '+'));
	if (digits[0] == '0' && digits[1] != '\0') {
		base = strchr("xX", digits[1]) != NULL ? 16 :
		    strchr("bB", digits[1]) != NULL ? 2 : 8;
		if (base != 8 || strchr("oO", digits[1]) != NULL)
			digits += 2;
		else
			digits++;
	}
	if (strspn(digits, base == 16 ? "0123456789abcdefABCDEF" :
	    base == 8 ? "01234567" : base == 2 ? "01" : "0123456789") !=
	    strlen(digits) || *digits == '\0')
		return not_coerced(m, why, fn, "invalid syntax");
	errno = 0;
	m->natural = strtoull(digits, &end, base);
	if (errno == ERANGE || (is_signed && m->natural > (uint64_t)INT64_MAX +
	    (*s == '-')))
		return not_coerced(m, why, fn, "value out of range");
	if (is_signed)
		m->number = *s == '-' ? (int64_t)(0 - m->natural) :
		    (int64_t)m->natural;
	return 0;
}

static int
coerce_double(struct filter_node *m, struct wbuf *why)
{
	char	*end;

	m->real = strtod(m->value, &end);
	if (end == m->value || *end != '\0' || *m->value == ' ')
		return not_coerced(m, why, "ParseFloat", "invalid syntax");
	return 0;
}

static int
coerce(struct filter_node *m, int kind, struct wbuf *why)
{
	switch (kind) {
	case K_BOOL:
		return coerce_bool(m, why);
	case K_INT:
	case K_DUR:
		return coerce_int(m, true, why);
	case K_UINT:
		return coerce_int(m, false, why);
	case K_DOUBLE:
		return coerce_double(m, why);
	default:
		return 0;		/* compared as text */
	}
}

static int
compile(struct filter_node *m, struct wbuf *why)
{
	char	*reason;

	if (strlen(m->value) > REGEX_PATTERN_MAX) {
		wb_printf(why, "Failed to compile regular expression: longer "
		    "than %d bytes", REGEX_PATTERN_MAX);
		return -1;
	}
	if ((m->regex = regex_new(m->value, &reason)) != NULL)
		return 0;
	wb_str(why, "Failed to compile regular expression ");
	filter_quote(why, m->value);
	wb_printf(why, ": %s", reason);
	free(reason);
	return -1;
}

static int
prepare_match(struct schema *s, struct filter_node *m, struct wbuf *why)
{
	int	kind;

	if ((kind = resolve(s, m, why)) == -1)
		return -1;
	if ((ops_of[kind] & 1u << m->op) == 0) {
		wb_printf(why, "Invalid match operator \"%s\" for selector ",
		    op_name[m->op]);
		put_path(why, &m->path, m->path.n);
		return -1;
	}
	if (m->value == NULL)
		return 0;
	if (coerce(m, kind, why) == -1)
		return -1;
	return m->op == FILTER_MATCHES || m->op == FILTER_NOT_MATCHES ?
	    compile(m, why) : 0;
}

/* Depth is what the parser allowed. */
static int
prepare(struct schema *s, struct filter_node *n, struct wbuf *why)
{
	struct filter_node	*c;

	if (n->kind == FILTER_MATCH)
		return prepare_match(s, n, why);
	for (c = n->child; c != NULL; c = c->next)
		if (prepare(s, c, why) == -1)
			return -1;
	return 0;
}

struct filter *
filter_new(struct schema *s, const char *text, char **why)
{
	struct filter	*f = xcalloc(1, sizeof(*f));
	struct wbuf	 w;

	f->schema = s;
	SLIST_INIT(&f->all);
	if ((f->root = filter_parse(text, &f->all, why)) == NULL) {
		filter_free(f);
		return NULL;
	}
	wb_init(&w, 0);
	if (prepare(s, f->root, &w) == -1) {
		*why = wb_detach_str(&w);
		filter_free(f);
		return NULL;
	}
	wb_free(&w);
	return f;
}

void
filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	filter_nodes_free(&f->all);
	free(f);
}

/* ---- matching ---- */

/* The operator without its "not"; *negate: it had one. */
static enum filter_op
plain_op(enum filter_op op, bool *negate)
{
	static const enum filter_op opposite[] = {
		[FILTER_NE] = FILTER_EQ, [FILTER_NOT_IN] = FILTER_IN,
		[FILTER_NOT_EMPTY] = FILTER_EMPTY,
		[FILTER_NOT_MATCHES] = FILTER_MATCHES
	};

	*negate = op == FILTER_NE || op == FILTER_NOT_IN ||
	    op == FILTER_NOT_EMPTY || op == FILTER_NOT_MATCHES;
	return *negate ? opposite[op] : op;
}

static bool
is_empty(enum schema_kind kind, const void *p)
{
	const struct bytes	*b = p;

	if (kind == K_ANY)	/* nil, [] or {} as msgpack */
		return b->n == 0 || b->p[0] == 0xc0 || b->p[0] == 0x90 ||
		    b->p[0] == 0x80;
	return ((const struct any_vec *)p)->n == 0;
}

static const void *
map_value(enum schema_kind kind, struct schema *sub, const void *p,
    const char *key)
{
	const struct any_vec	*v = p;
	size_t			 i, size = item_size(kind, sub);
	void			*item;

	for (i = 0; i < v->n; i++) {
		item = item_at(v, i, size);
		if (strcmp(str_or(*pair_key(item), ""), key) == 0)
			return pair_value(item);
	}
	return NULL;
}

static bool
holds(const struct filter_node *m, enum schema_kind kind, struct schema *sub,
    const void *p)
{
	if (kind == K_STR)
		return strstr(str_or(*(char *const *)p, ""), m->value) != NULL;
	if (kind == K_STRS)
		return strs_has(p, m->value);
	return map_value(kind, sub, p, m->value) != NULL;
}

static bool
equals(const struct filter_node *m, enum schema_kind kind, const void *p)
{
	switch (kind) {
	case K_STR:
		return strcmp(str_or(*(char *const *)p, ""), m->value) == 0;
	case K_BOOL:
		return *(const bool *)p == m->truth;
	case K_INT:
	case K_DUR:
		return *(const int64_t *)p == m->number;
	case K_UINT:
		return *(const uint64_t *)p == m->natural;
	case K_DOUBLE:
		return *(const double *)p == m->real;
	default:
		return false;
	}
}

static bool
test(const struct filter_node *m, enum schema_kind kind, struct schema *sub,
    const void *p)
{
	const char	*text;
	bool		 negate, yes = false;

	switch (plain_op(m->op, &negate)) {
	case FILTER_EQ:
		yes = equals(m, kind, p);
		break;
	case FILTER_IN:
		yes = holds(m, kind, sub, p);
		break;
	case FILTER_EMPTY:
		yes = is_empty(kind, p);
		break;
	case FILTER_MATCHES:
		text = str_or(*(char *const *)p, "");
		yes = regex_match(m->regex, text, strlen(text));
		break;
	case FILTER_NE:
	case FILTER_NOT_IN:
	case FILTER_NOT_EMPTY:
	case FILTER_NOT_MATCHES:
		break;			/* they are said by `negate` */
	}
	return yes != negate;
}

/*
 * From the value at p on, whose kind it is, along the rest of the path.  Of a
 * list of structs any one is enough, also for "not equal".
 */
static bool
follow(const struct filter_node *m, size_t at, enum schema_kind kind,
    struct schema *sub, const void *p)
{
	const struct schema_field	*f;
	const struct any_vec		*v = p;
	bool				 negate;
	size_t				 i;

	if (at == m->path.n)
		return test(m, kind, sub, p);
	if (kind == K_LIST) {
		for (i = 0; i < v->n; i++)
			if (follow(m, at, K_STRUCT, sub,
			    item_at(v, i, sub->size)))
				return true;
		return false;
	}
	if (kind == K_PTR) {
		p = *(void *const *)p;
		kind = K_STRUCT;
	} else if (kinds[kind].shape == SHAPE_MAP) {
		p = map_value(kind, sub, p, m->path.item[at]);
		if (p != NULL)
			return follow(m, at + 1, kinds[kind].elem, sub, p);
	}
	if (p == NULL) {
		/* What is not there equals nothing. */
		(void)plain_op(m->op, &negate);
		return negate;
	}
	f = m->field[at];
	return follow(m, at + 1, f->kind, f->sub, (const char *)p + f->off);
}

static bool
node_matches(const struct filter *f, const struct filter_node *n,
    const void *row)
{
	const struct filter_node	*c;

	switch (n->kind) {
	case FILTER_MATCH:
		return follow(n, 0, K_STRUCT, f->schema, row);
	case FILTER_NOT:
		return !node_matches(f, n->child, row);
	case FILTER_AND:
		for (c = n->child; c != NULL; c = c->next)
			if (!node_matches(f, c, row))
				return false;
		return true;
	case FILTER_OR:
		break;
	}
	for (c = n->child; c != NULL; c = c->next)
		if (node_matches(f, c, row))
			return true;
	return false;
}

bool
filter_match(const struct filter *f, const void *row)
{
	return node_matches(f, f->root, row);
}

/* ---- the rows of an answer ---- */

static void
cut(const struct filter *f, enum schema_kind kind, struct any_vec *v,
    struct filter_cuts *cuts)
{
	size_t	 size = item_size(kind, f->schema), i, kept = 0, gone = 0;
	bool	 map = kinds[kind].shape == SHAPE_MAP;
	char	*sorted, *out;
	void	*item;

	if (v->n == 0 || cuts->n == FILTER_CUTS_MAX)
		return;
	/* Those that do not match come last, from the back. */
	sorted = xreallocarray(NULL, v->n, size);
	for (i = 0; i < v->n; i++) {
		item = item_at(v, i, size);
		out = sorted + (filter_match(f, map ? pair_value(item) : item) ?
		    kept++ : v->n - ++gone) * size;
		memcpy(out, item, size);
	}
	memcpy(v->item, sorted, v->n * size);
	free(sorted);
	cuts->cut[cuts->n].n = &v->n;
	cuts->cut[cuts->n++].was = v->n;
	v->n = kept;
	v->set = true;
}

void
filter_rows(const struct filter *f, struct schema *s, void *obj,
    struct filter_cuts *cuts)
{
	const struct schema_field	*d;
	char				*p;
	size_t				 i;

	for (i = 0; i < s->nfields; i++) {
		d = &s->fields[i];
		p = (char *)obj + d->off;
		if (d->sub == f->schema && (d->kind == K_LIST ||
		    d->kind == K_MAP))
			cut(f, d->kind, (struct any_vec *)(void *)p, cuts);
		else if (d->kind == K_STRUCT)
			filter_rows(f, d->sub, p, cuts);
		else if (d->kind == K_PTR && *(void **)(void *)p != NULL)
			filter_rows(f, d->sub, *(void **)(void *)p, cuts);
	}
}

void
filter_restore(struct filter_cuts *cuts)
{
	size_t	i;

	for (i = 0; i < cuts->n; i++)
		*cuts->cut[i].n = cuts->cut[i].was;
	cuts->n = 0;
}

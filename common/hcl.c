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
#include <stdlib.h>
#include <string.h>

#include "common/hcl.h"
#include "common/hcl_lex.h"
#include "common/util.h"

#define HCL_DEPTH_MAX 64	/* as JSON's */

const char *const hcl_config_lists[] = {
	"services", "checks", "watches", "segments", "service.checks",
	"services.checks", NULL
};

static struct json	*read_object(struct hcl *, bool braces, unsigned depth);
static struct json	*read_value(struct hcl *, unsigned depth);

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

	hcl_next(h);
	while (h->tok != TOK_RBRACK) {
		if ((j = read_value(h, depth + 1)) == NULL)
			break;
		append(list, j);
		if (h->tok == TOK_COMMA)
			hcl_next(h);
		else if (h->tok != TOK_RBRACK)
			hcl_unexpected(h, "\",\" or \"]\"");
	}
	if (h->err[0] != '\0') {
		json_free(list);
		return NULL;
	}
	hcl_next(h);
	return list;
}

/* From its first token on; the one after it is read, too. */
static struct json *
read_value(struct hcl *h, unsigned depth)
{
	struct json	*j;

	if (depth > HCL_DEPTH_MAX) {
		hcl_fail(h, h->tline, h->tcol, "nested too deep");
		return NULL;
	}
	if (h->tok == TOK_LBRACK)
		return read_list(h, depth);
	if (h->tok == TOK_LBRACE) {
		hcl_next(h);
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
		hcl_next(h);
		return j;
	} else {
		hcl_unexpected(h, h->tok == TOK_IDENT ?
		    "a value (text stands in quotes)" : "a value");
		return NULL;
	}
	j->str = h->str;
	j->len = h->slen;
	h->str = NULL;
	hcl_next(h);
	return j;
}

/* What is behind the first key: "= value", or labels and a block. */
static struct json *
read_item(struct hcl *h, unsigned depth)
{
	struct json	*j, *inner;
	char		*label;

	if (depth > HCL_DEPTH_MAX) {
		hcl_fail(h, h->tline, h->tcol, "nested too deep");
		return NULL;
	}
	if (h->tok == TOK_LBRACE) {
		hcl_next(h);
		return read_object(h, true, depth);
	}
	if (h->tok != TOK_IDENT && h->tok != TOK_STRING) {
		hcl_unexpected(h, "\"=\" or \"{\"");
		return NULL;
	}
	j = new_node(h, JSON_OBJECT);
	j->truth = true;
	label = h->str;
	h->str = NULL;
	hcl_next(h);
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
			hcl_unexpected(h, braces ? "a key or \"}\"" : "a key");
			break;
		}
		key = h->str;
		h->str = NULL;
		hcl_next(h);
		if (h->tok == TOK_ASSIGN) {
			hcl_next(h);
			val = read_value(h, depth + 1);
		} else
			val = read_item(h, depth + 1);
		if (val == NULL) {
			free(key);
			break;
		}
		put_member(obj, key, val);
		if (h->tok == TOK_COMMA)
			hcl_next(h);
	}
	if (h->err[0] != '\0') {
		json_free(obj);
		return NULL;
	}
	if (braces)
		hcl_next(h);
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
	hcl_next(&h);
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

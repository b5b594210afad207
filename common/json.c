/*
 * JSON into a tree with positions.  yajl finds the tokens; where each began is
 * worked out here, for yajl only knows where it ended.  Writing is in
 * json_write.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "common/json.h"
#include "common/utf8.h"
#include "common/util.h"

#define JSON_DEPTH_MAX 64	/* recursion when the tree is walked */

struct parse {
	yajl_handle	 yajl;
	const char	*text;
	size_t		 len, end;	/* of the token before */
	size_t		 seen;		/* line and col are those of it */
	unsigned	 line, col;
	struct json	*root, *open[JSON_DEPTH_MAX];
	size_t		 depth;
	char		*key;
	const char	*err;
};

static void
move_to(struct parse *p, size_t off)
{
	for (; p->seen < off; p->seen++) {
		if (p->text[p->seen] == '\n') {
			p->line++;
			p->col = 1;
		} else
			p->col++;
	}
}

/* The token after the last one begins after white space, comma and colon. */
static size_t
token_start(const struct parse *p)
{
	size_t	 at = p->end;

	while (at < p->len && p->text[at] != '\0' &&
	    strchr(" \t\r\n,:", p->text[at]) != NULL)
		at++;
	return at;
}

/* A token has just ended. */
static void
token(struct parse *p)
{
	move_to(p, token_start(p));
	p->end = yajl_get_bytes_consumed(p->yajl);
}

static struct json *
add(struct parse *p, enum json_type type)
{
	struct json	*j = xcalloc(1, sizeof(*j)), *parent;

	token(p);
	j->type = type;
	j->line = p->line;
	j->col = p->col;
	j->key = p->key;
	p->key = NULL;
	if (p->depth == 0) {
		p->root = j;
		return j;
	}
	parent = p->open[p->depth - 1];
	if (parent->last != NULL)
		parent->last->next = j;
	else
		parent->child = j;
	parent->last = j;
	return j;
}

static int
on_null(void *ctx)
{
	add(ctx, JSON_NULL);
	return 1;
}

static int
on_bool(void *ctx, int truth)
{
	add(ctx, JSON_BOOL)->truth = truth != 0;
	return 1;
}

static int
on_number(void *ctx, const char *s, size_t len)
{
	struct json	*j = add(ctx, JSON_NUMBER);

	j->str = xmemdup_str(s, len);
	j->len = len;
	return 1;
}

static int
on_string(void *ctx, const unsigned char *s, size_t len)
{
	struct json	*j = add(ctx, JSON_STRING);

	j->str = utf8_dup((const char *)s, len, &j->len);
	return 1;
}

static int
on_key(void *ctx, const unsigned char *s, size_t len)
{
	struct parse	*p = ctx;
	size_t		 n;

	token(p);
	free(p->key);
	p->key = utf8_dup((const char *)s, len, &n);
	return 1;
}

static int
on_open(struct parse *p, enum json_type type)
{
	struct json	*j = add(p, type);

	if (p->depth == JSON_DEPTH_MAX) {
		p->err = "nested too deep";
		return 0;
	}
	p->open[p->depth++] = j;
	return 1;
}

static int
on_obj(void *ctx)
{
	return on_open(ctx, JSON_OBJECT);
}

static int
on_arr(void *ctx)
{
	return on_open(ctx, JSON_ARRAY);
}

static int
on_close(void *ctx)
{
	struct parse	*p = ctx;

	token(p);
	p->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_obj,
	.yajl_map_key = on_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_arr,
	.yajl_end_array = on_close
};

/* One line, with the place; `used` is how far yajl had read. */
static void
explain(struct parse *p, size_t used, char *err, size_t errlen)
{
	unsigned char	*why = NULL;
	size_t		 at = token_start(p);

	if (p->err == NULL) {
		why = yajl_get_error(p->yajl, 0, NULL, 0);
		why[strcspn((char *)why, "\n")] = '\0';
		if (strstr((char *)why, "premature EOF") != NULL) {
			p->err = "unexpected end of input";
			at = p->len;
		} else if (used > 0 && at > used - 1)	/* a stray comma */
			at = used - 1;
		move_to(p, at);
	}
	snprintf(err, errlen, "line %u, column %u: %s", p->line, p->col,
	    p->err != NULL ? p->err : (char *)why);
	if (why != NULL)
		yajl_free_error(p->yajl, why);
}

struct json *
json_parse(const char *text, size_t len, char *err, size_t errlen)
{
	struct parse	 p = { .text = text, .len = len, .line = 1, .col = 1 };
	size_t		 used;
	bool		 ok;

	if ((p.yajl = yajl_alloc(&callbacks, NULL, &p)) == NULL) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	/* Bad UTF-8 is replaced, as Go does, and not an error. */
	yajl_config(p.yajl, yajl_dont_validate_strings, 1);
	ok = yajl_parse(p.yajl, (const unsigned char *)text, len) ==
	    yajl_status_ok;
	used = ok ? len : yajl_get_bytes_consumed(p.yajl);
	if (ok)
		ok = yajl_complete_parse(p.yajl) == yajl_status_ok;
	if (!ok) {
		explain(&p, used, err, errlen);
		json_free(p.root);
		p.root = NULL;
	}
	free(p.key);
	yajl_free(p.yajl);
	return p.root;
}

void
json_free(struct json *j)
{
	struct json	*next;

	for (; j != NULL; j = next) {
		next = j->next;
		json_free(j->child);
		free(j->key);
		free(j->str);
		free(j);
	}
}

const struct json *
json_get(const struct json *j, const char *key)
{
	const struct json	*m;

	if (j == NULL || j->type != JSON_OBJECT)
		return NULL;
	for (m = j->child; m != NULL; m = m->next) {
		if (strcmp(m->key, key) == 0)
			return m;
	}
	return NULL;
}

const char *
json_type_name(enum json_type type)
{
	switch (type) {
	case JSON_NULL:
		return "null";
	case JSON_BOOL:
		return "bool";
	case JSON_NUMBER:
		return "number";
	case JSON_STRING:
		return "string";
	case JSON_ARRAY:
		return "array";
	case JSON_OBJECT:
		return "object";
	}
	return "?";
}

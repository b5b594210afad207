/*
 * JSON: a tree that knows where each value stood, for configuration files and
 * request bodies; and a writer.  Parsing and printing are yajl's.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

enum json_type {
	JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT
};

struct json {
	enum json_type	 type;
	char		*key;		/* in an object, else NULL */
	char		*str;		/* string; number: as it was written */
	size_t		 len;		/* of str */
	bool		 truth;
	struct json	*child, *next;	/* members or elements, in order */
	struct json	*last;		/* of child */
	unsigned	 line, col;	/* from 1 */
};

/*
 * NULL on error, with one line in err ("line 3, column 7: ...").  Nesting is
 * bounded by 64, keys and strings by the input.  Bad UTF-8 becomes U+FFFD.
 */
struct json *json_parse(const char *text, size_t len, char *err, size_t errlen);
void json_free(struct json *);
/* First member of that name, or NULL. */
const struct json *json_get(const struct json *, const char *key);
const char *json_type_name(enum json_type);	/* "string", "bool" ... */

/* Writing. */
struct jw;
struct jw *jw_new(bool pretty);		/* pretty: four spaces, as Consul */
void jw_free(struct jw *);
/* Lists that others show as empty are null when they are nil: transactions and
 * prepared queries answer so. */
void jw_keep_nil(struct jw *);
bool jw_keeps_nil(const struct jw *);
void jw_obj(struct jw *);
void jw_end_obj(struct jw *);
void jw_arr(struct jw *);
void jw_end_arr(struct jw *);
void jw_key(struct jw *, const char *);
void jw_null(struct jw *);
void jw_bool(struct jw *, bool);
void jw_int(struct jw *, int64_t);
void jw_uint(struct jw *, uint64_t);
void jw_double(struct jw *, double);
/* Escapes as Go does: also < > & and U+2028/9; bad UTF-8 becomes U+FFFD. */
void jw_str(struct jw *, const char *);		/* NULL: "" */
void jw_strn(struct jw *, const char *, size_t);
void jw_tree(struct jw *, const struct json *);	/* what was read */
/* Valid until the writer is freed. */
const char *jw_text(struct jw *, size_t *len);

#endif

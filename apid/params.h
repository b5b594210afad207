/*
 * The query part of a URL: pure.
 */
#ifndef APID_PARAMS_H
#define APID_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/schema/schema.h"

#define PARAMS_MAX 64		/* further ones are dropped */

struct param { char *key, *val; };	/* val is "" for a bare key */
struct params { struct param item[PARAMS_MAX]; size_t n; };

void params_add(struct params *, const char *key, const char *val);
void params_clear(struct params *);
/* First value, or NULL when the key is absent. */
const char *params_get(const struct params *, const char *key);
/* All values of a key that may be repeated. */
void params_all(const struct params *, const char *key, struct strs *out);

/*
 * The path as Go's server cleans it: no "//", no "." or ".." elements.  NULL
 * when it is clean already, else the clean one that the caller frees.
 */
char *path_clean(const char *path);
/* False: something in it cannot be seen. */
bool path_printable(const char *path);
/* Go's strconv.ParseBool: 1 t T TRUE true True, and the other six.  -1: none. */
int bool_parse(const char *, bool *);

#endif

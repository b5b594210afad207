/*
 * Configuration in HCL 1, as Consul's users write it, into the tree that JSON
 * gives.
 */
#ifndef COMMON_HCL_H
#define COMMON_HCL_H

#include <stddef.h>

#include "common/json.h"

/*
 * NULL on error, with one line in err ("line 3, column 7: ...").  A block is
 * an object, one that stands there more than once a list of them; of any
 * other value the last one counts.  `truth` marks an object that a list may be
 * meant by (hcl_as_lists()).  A text that begins with { is JSON.  Bounds are
 * those of json_parse().
 */
struct json *hcl_parse(const char *text, size_t len, char *err, size_t errlen);

/*
 * What a syntax without types cannot tell: a single block where a list is
 * wanted becomes a list of one.  paths are those of keys that are lists,
 * "services", "service.checks", up to a NULL.
 */
void hcl_as_lists(struct json *, const char *const *paths);
/* Those of Consul's configuration. */
extern const char *const hcl_config_lists[];

#endif

/*
 * Serf's tags in a member's meta: one byte ff, then a map of text to text.
 * Foreign meta is never decoded and encoded again: the order in it counts.
 */
#ifndef GOSSIPD_TAGS_H
#define GOSSIPD_TAGS_H

#include "common/schema/schema.h"
#include "gossipd/codec.h"

#define TAGS_MAGIC 0xff

/* The value of a tag; false when it is not there. */
bool tag_get(struct span meta, const char *key, struct span *val);
bool tag_is(struct span meta, const char *key, const char *val);
bool tag_has(struct span meta, const char *key);
/* A decimal integer that fits int; a missing tag or another text is none. */
bool tag_number(struct span meta, const char *key, int *val);
/* Calls fn for each; stops at what is malformed. */
typedef void tag_fn(struct span key, struct span val, void *arg);
void tags_each(struct span meta, tag_fn *, void *arg);

void tags_put_number(struct strmap *, const char *key, uint64_t);
void tags_encode(const struct strmap *, struct wbuf *);
void tags_decode(struct span meta, struct strmap *);
/* The map alone, as in a Member of an answer. */
void tags_copy_map(struct span meta, struct wbuf *);

#endif

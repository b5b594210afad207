/*
 * What the readings of a schema share.  Kinds fall into three shapes: a value,
 * a list of values, a map from string to values; lists and maps of every kind
 * are laid out alike.  Private to common/schema/.
 */
#ifndef COMMON_SCHEMA_WALK_H
#define COMMON_SCHEMA_WALK_H

#include "common/schema/schema.h"

enum shape { SHAPE_VALUE, SHAPE_LIST, SHAPE_MAP };

struct kind_info {
	enum shape		 shape;
	enum schema_kind	 elem;	/* of lists and maps */
	size_t			 size;	/* 0: the struct's own */
};
extern const struct kind_info kinds[];

/* Any list or map, seen as one. */
struct any_vec {
	void	*item;
	size_t	 n;
	bool	 set;
} __attribute__((may_alias));

/* A pair is a key and, behind it, the value. */
#define PAIR_VALUE sizeof(char *)

/* Size of a value of that kind, and of a pair with it. */
size_t kind_size(enum schema_kind, const struct schema *sub);
/* Size of an item of that list or map. */
size_t item_size(enum schema_kind, const struct schema *sub);

static inline void *
item_at(const struct any_vec *v, size_t i, size_t size)
{
	return (char *)v->item + i * size;
}

static inline char **
pair_key(void *pair)
{
	return pair;
}

static inline void *
pair_value(void *pair)
{
	return (char *)pair + PAIR_VALUE;
}

void value_clear(enum schema_kind, struct schema *sub, void *);
/* Unset: zero, NULL, nil. */
bool value_unset(enum schema_kind, const struct schema *sub, const void *);
/* Unset, or a container with nothing in it. */
bool value_empty(enum schema_kind, const struct schema *sub, const void *);
/*
 * The pairs of a map in order of their keys, pairs of one key in the order they
 * stood; n pointers that the caller frees.
 */
void **map_sorted(const struct any_vec *, size_t size);
/* Of pairs with one key the last stays. */
void map_unique(enum schema_kind, struct schema *sub, struct any_vec *);
/* Text as we hold it: NUL-ended, and NULs in it become '?'. */
char *text_dup(const void *, size_t n);

/* A K_ANY nests at most so deep, and what it stands in no more than the rest
 * of what a reader of msgpack or JSON takes. */
#define ANY_DEPTH_MAX 32
/* Any JSON value as msgpack; any msgpack value as JSON. */
void any_from_json(const struct json *, struct wbuf *);
void any_to_json(const struct bytes *, struct jw *);
/* "2026-11-22T10:20:19.758Z" */
void time_text(const struct gotime *, char *buf, size_t len);
int time_parse(const char *, struct gotime *);

#endif

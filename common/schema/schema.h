/*
 * One description of each struct that travels, three readings of it: msgpack
 * on the network, the same msgpack inside an imsg, JSON over HTTP.
 *
 * A struct is a list macro of fields:
 *
 *	#define SERVICE_WEIGHTS(F, T)				\
 *		F(T, INT, , passing, "Passing", 0, NULL)	\
 *		F(T, INT, , warning, "Warning", 0, NULL)
 *	SCHEMA_DECLARE(service_weights, SERVICE_WEIGHTS)	// header
 *	SCHEMA_DEFINE(service_weights, SERVICE_WEIGHTS)		// one .c
 *
 * F(T, kind, sub, member, "Wire", flags, "alias|alias"): the list makes the C
 * struct (struct service_weights, with _vec, _map and _pair beside it) and the
 * table (service_weights_schema).  Order of the list is the order in JSON; in
 * msgpack keys are sorted by byte value, as peers write them.
 *
 * Everything a struct points to is its own: schema_clear() frees it.  A zeroed
 * struct is a valid empty one.  A NULL string is "".
 */
#ifndef COMMON_SCHEMA_SCHEMA_H
#define COMMON_SCHEMA_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"
#include "common/wire.h"

/*
 * nil is kept apart from empty: `set` is false for nil.  (An agent compares
 * what it registered with what a server returns, and nil is not empty.)
 */
struct bytes { uint8_t *p; size_t n; bool set; };
struct strs { char **item; size_t n; bool set; };
struct str_pair { char *key; char *val; };
struct strmap { struct str_pair *item; size_t n; bool set; };
struct strs_pair { char *key; struct strs val; };
struct strsmap { struct strs_pair *item; size_t n; bool set; };
struct int_pair { char *key; int64_t val; };
struct intmap { struct int_pair *item; size_t n; bool set; };
struct doubles { double *item; size_t n; bool set; };
/* An instant as rpc.md 2.4 writes it; all zero is the zero time. */
struct gotime { int64_t sec; int32_t nsec; int16_t zone_min; };

enum schema_kind {
	K_STR,		/* char * */
	K_BOOL,
	K_INT,		/* int64_t */
	K_UINT,		/* uint64_t */
	K_DOUBLE,
	K_DUR,		/* int64_t nanoseconds */
	K_BYTES,	/* struct bytes; base64 in JSON */
	K_TIME,		/* struct gotime */
	K_ANY,		/* struct bytes holding one msgpack value, kept as is */
	K_STRS,		/* struct strs */
	K_DOUBLES,	/* struct doubles */
	K_STRMAP,	/* string -> string */
	K_STRSMAP,	/* string -> list of strings */
	K_INTMAP,	/* string -> integer */
	K_STRUCT,	/* embedded under its own key */
	K_PTR,		/* pointer, nil when NULL */
	K_LIST,		/* struct SUB_vec */
	K_MAP		/* struct SUB_map: string -> struct */
};

enum {
	S_OMIT = 1,	/* JSON: left out when zero, nil or empty */
	S_NOJSON = 2,	/* not in JSON */
	S_NOWIRE = 4,	/* not in msgpack */
	S_EMPTY = 8,	/* JSON: nil list is [], nil map is {} (else null) */
	S_DURTEXT = 16,	/* JSON: duration as "10s" (else nanoseconds) */
	S_OPT = 32,	/* msgpack: left out when zero */
	S_SECRET = 64,	/* never in a log, a dump, an answer about oneself */
	S_NOFILTER = 128 /* no selector of a filter names it */
};

struct schema_field {
	const char		*name;
	const char		*aliases;	/* "a|b", JSON input only */
	enum schema_kind	 kind;
	unsigned		 flags;
	size_t			 off;
	struct schema		*sub;
};

/* A field by its place in msgpack, and the length of its name. */
struct schema_key {
	uint16_t	 field, len;
};

struct schema {
	const char			*name;
	size_t				 size;
	const struct schema_field	*fields;
	size_t				 nfields;
	struct schema_key		*keys;		/* made at first use */
};

/* The C type of each kind. */
#define SC_STR(sub)	char *
#define SC_BOOL(sub)	bool
#define SC_INT(sub)	int64_t
#define SC_UINT(sub)	uint64_t
#define SC_DOUBLE(sub)	double
#define SC_DUR(sub)	int64_t
#define SC_BYTES(sub)	struct bytes
#define SC_TIME(sub)	struct gotime
#define SC_ANY(sub)	struct bytes
#define SC_STRS(sub)	struct strs
#define SC_DOUBLES(sub)	struct doubles
#define SC_STRMAP(sub)	struct strmap
#define SC_STRSMAP(sub)	struct strsmap
#define SC_INTMAP(sub)	struct intmap
#define SC_STRUCT(sub)	struct sub
#define SC_PTR(sub)	struct sub *
#define SC_LIST(sub)	struct sub##_vec
#define SC_MAP(sub)	struct sub##_map

#define SS_STR(sub)	NULL
#define SS_BOOL(sub)	NULL
#define SS_INT(sub)	NULL
#define SS_UINT(sub)	NULL
#define SS_DOUBLE(sub)	NULL
#define SS_DUR(sub)	NULL
#define SS_BYTES(sub)	NULL
#define SS_TIME(sub)	NULL
#define SS_ANY(sub)	NULL
#define SS_STRS(sub)	NULL
#define SS_DOUBLES(sub)	NULL
#define SS_STRMAP(sub)	NULL
#define SS_STRSMAP(sub)	NULL
#define SS_INTMAP(sub)	NULL
#define SS_STRUCT(sub)	&sub##_schema
#define SS_PTR(sub)	&sub##_schema
#define SS_LIST(sub)	&sub##_schema
#define SS_MAP(sub)	&sub##_schema

#define SCHEMA_MEMBER(T, kind, sub, member, wire, flags, aliases)		\
	SC_##kind(sub) member;
#define SCHEMA_DECLARE(tag, LIST)					\
	struct tag { LIST(SCHEMA_MEMBER, tag) };			\
	struct tag##_vec { struct tag *item; size_t n; bool set; };	\
	struct tag##_pair { char *key; struct tag val; };		\
	struct tag##_map { struct tag##_pair *item; size_t n; bool set; }; \
	extern struct schema tag##_schema;

#define SCHEMA_ROW(T, kind, sub, member, wire, flags, aliases)		\
	{ wire, aliases, K_##kind, flags,				\
	    offsetof(struct T, member), SS_##kind(sub) },
#define SCHEMA_DEFINE(tag, LIST)					\
	static const struct schema_field tag##_fields[] = {		\
		LIST(SCHEMA_ROW, tag)					\
	};								\
	struct schema tag##_schema = { #tag, sizeof(struct tag),	\
	    tag##_fields, sizeof(tag##_fields) / sizeof(tag##_fields[0]), \
	    NULL };

/* msgpack.  The whole struct as one map. */
void schema_encode(struct schema *, const void *obj, struct wbuf *);
/*
 * Reads one map into obj, which need not be initialised.  Unknown keys are
 * skipped, missing ones zero.  0, or -1 with r->err set and obj cleared.
 */
int schema_decode(struct schema *, struct rbuf *r, void *obj);
/* The same, and nothing may be left over. */
int schema_decode_all(struct schema *, const void *p, size_t n, void *obj,
    const char **err);

/* JSON. */
void schema_json_encode(struct schema *, const void *obj, struct jw *);

enum {
	SJ_STRICT = 1,	/* an unknown key is an error */
	SJ_FOLD = 2,	/* keys match without regard to case, as Go's do */
	SJ_DURNUM = 4	/* durations may be integers, nanoseconds */
};
/*
 * 0, or -1 with obj cleared and one line in err: place, path of the key, reason
 * ("line 3, column 7: checks[2].interval: invalid duration "x""); under SJ_FOLD
 * Go's own words, which API clients know (json: unknown field "x").  `at`, if
 * not NULL, is the node in question.  null leaves a field zero.
 */
int schema_json_decode(struct schema *, const struct json *, unsigned flags,
    void *obj, char *err, size_t errlen, const struct json **at);

void schema_clear(struct schema *, void *obj);	/* frees, then zeroes */
void schema_copy(struct schema *, void *dst, const void *src);	/* deep; dst
						   is overwritten, not freed */
bool schema_equal(struct schema *, const void *a, const void *b); /* nil is
						   not empty */

/* Small hands for the containers.  They copy what they are given. */
void strs_add(struct strs *, const char *);
void strs_clear(struct strs *);
bool strs_has(const struct strs *, const char *);
bool strs_has_nocase(const struct strs *, const char *);
bool strs_equal(const struct strs *, const struct strs *);	/* in order */
void strs_copy(struct strs *dst, const struct strs *src);
void strmap_put(struct strmap *, const char *key, const char *val);
const char *strmap_get(const struct strmap *, const char *key);	/* or NULL */
void strmap_copy(struct strmap *dst, const struct strmap *src);
void strmap_clear(struct strmap *);
bool strmap_equal(const struct strmap *, const struct strmap *);
void bytes_set(struct bytes *, const void *, size_t);
/* A new zeroed element at the end of any *_vec. */
void *vec_add(void *vec, size_t itemsize);
#define VEC_ADD(vec) vec_add((vec), sizeof(*(vec)->item))
/* char * member: frees the old, copies the new (NULL stays NULL). */
void str_set(char **, const char *);

#endif

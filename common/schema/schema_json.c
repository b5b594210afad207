/*
 * Structs as JSON: the HTTP API's bodies as Go writes and reads them, and the
 * definitions in configuration files.
 */
#include <bsd/string.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/schema/schema.h"
#include "common/schema/walk.h"
#include "common/util.h"

/* ---- out ---- */

static void value_json(enum schema_kind, struct schema *, unsigned,
    const void *, struct jw *);

static void
list_json(enum schema_kind kind, struct schema *sub, unsigned flags,
    const struct any_vec *v, struct jw *w)
{
	size_t	 i, size = item_size(kind, sub);

	jw_arr(w);
	for (i = 0; i < v->n; i++)
		value_json(kinds[kind].elem, sub, flags, item_at(v, i, size),
		    w);
	jw_end_arr(w);
}

/* In order of the keys, as Go prints its maps. */
static void
map_json(enum schema_kind kind, struct schema *sub, unsigned flags,
    const struct any_vec *v, struct jw *w)
{
	size_t	  i;
	void	**p;

	jw_obj(w);
	if (v->n > 0) {
		p = map_sorted(v, item_size(kind, sub));
		for (i = 0; i < v->n; i++) {
			jw_key(w, *pair_key(p[i]));
			value_json(kinds[kind].elem, sub, flags,
			    pair_value(p[i]), w);
		}
		free(p);
	}
	jw_end_obj(w);
}

static void
bytes_json(const struct bytes *b, struct jw *w)
{
	char	*text;

	if (b->n == 0 && !b->set) {
		jw_null(w);
		return;
	}
	text = base64_text(b->p, b->n);
	jw_str(w, text);
	free(text);
}

static void
value_json(enum schema_kind kind, struct schema *sub, unsigned flags,
    const void *p, struct jw *w)
{
	char	 buf[64];

	if (kinds[kind].shape != SHAPE_VALUE) {
		if ((!(flags & S_EMPTY) || jw_keeps_nil(w)) &&
		    value_unset(kind, sub, p))
			jw_null(w);
		else if (kinds[kind].shape == SHAPE_LIST)
			list_json(kind, sub, flags, p, w);
		else
			map_json(kind, sub, flags, p, w);
		return;
	}
	switch (kind) {
	case K_STR:
		jw_str(w, *(char *const *)p);
		break;
	case K_BOOL:
		jw_bool(w, *(const bool *)p);
		break;
	case K_INT:
		jw_int(w, *(const int64_t *)p);
		break;
	case K_UINT:
		jw_uint(w, *(const uint64_t *)p);
		break;
	case K_DOUBLE:
		jw_double(w, *(const double *)p);
		break;
	case K_DUR:
		if (flags & S_DURTEXT)
			jw_str(w, dur_format(*(const int64_t *)p, buf,
			    sizeof(buf)));
		else
			jw_int(w, *(const int64_t *)p);
		break;
	case K_BYTES:
		bytes_json(p, w);
		break;
	case K_TIME:
		time_text(p, buf, sizeof(buf));
		jw_str(w, buf);
		break;
	case K_ANY:
		any_to_json(p, w);
		break;
	case K_STRUCT:
		schema_json_encode(sub, p, w);
		break;
	case K_PTR:
		if (*(void *const *)p == NULL)
			jw_null(w);
		else
			schema_json_encode(sub, *(void *const *)p, w);
		break;
	case K_STRS:
	case K_DOUBLES:
	case K_STRMAP:
	case K_STRSMAP:
	case K_INTMAP:
	case K_LIST:
	case K_MAP:
		break;
	}
}

void
schema_json_encode(struct schema *s, const void *obj, struct jw *w)
{
	const struct schema_field	*f;
	const void			*p;
	size_t				 i;

	jw_obj(w);
	for (i = 0; i < s->nfields; i++) {
		f = &s->fields[i];
		p = (const char *)obj + f->off;
		if ((f->flags & S_NOJSON) ||
		    ((f->flags & S_OMIT) && value_empty(f->kind, f->sub, p)))
			continue;
		jw_key(w, f->name);
		value_json(f->kind, f->sub, f->flags, p, w);
	}
	jw_end_obj(w);
}

/* ---- in ---- */

/* Where we are: the steps from the top, on the stack of the recursion. */
struct step {
	const struct step	*up;
	const char		*key;	/* NULL: an element */
	size_t			 index;
};

struct input {
	unsigned		 flags;
	char			*err;
	size_t			 errlen;
	const struct json	**at;
};

static int value_input(const struct input *, const struct step *,
    enum schema_kind, struct schema *, const struct json *, void *);
static int struct_input(const struct input *, const struct step *,
    struct schema *, const struct json *, void *);

static void
step_text(const struct step *s, char *buf, size_t len)
{
	char	 num[32];

	if (s == NULL)
		return;
	step_text(s->up, buf, len);
	if (s->key != NULL) {
		if (buf[0] != '\0')
			strlcat(buf, ".", len);
		strlcat(buf, s->key, len);
	} else {
		snprintf(num, sizeof(num), "[%zu]", s->index);
		strlcat(buf, num, len);
	}
}

/* Place, key and reason; a path that is too long for the line is cut. */
static int
refuse(const struct input *in, const struct step *step, const struct json *j,
    const char *why)
{
	char	 path[256] = "";

	step_text(step, path, sizeof(path));
	if (in->errlen > 0 && (in->flags & SJ_FOLD))
		snprintf(in->err, in->errlen, "%s", why);
	else if (in->errlen > 0)
		snprintf(in->err, in->errlen, "line %u, column %u: %s%s%s",
		    j->line, j->col, path, path[0] != '\0' ? ": " : "", why);
	if (in->at != NULL)
		*in->at = j;
	return -1;
}

/* What Go calls the type that it would have taken. */
static const char *
kind_name(enum schema_kind kind)
{
	static const char *const	 names[] = {
		[K_STR] = "string", [K_BOOL] = "bool", [K_INT] = "int",
		[K_UINT] = "uint64", [K_DOUBLE] = "float64",
		[K_DUR] = "string", [K_BYTES] = "[]uint8",
		[K_TIME] = "string", [K_ANY] = "interface {}",
		[K_STRS] = "[]string", [K_DOUBLES] = "[]float64",
		[K_STRMAP] = "map[string]string",
		[K_STRSMAP] = "map[string][]string",
		[K_INTMAP] = "map[string]int", [K_STRUCT] = "object",
		[K_PTR] = "object", [K_LIST] = "list of objects",
		[K_MAP] = "map of objects"
	};

	return names[kind];
}

static int
refuse_type(const struct input *in, const struct step *step,
    const struct json *j, enum schema_kind kind)
{
	char	 why[512], path[256] = "";

	if (in->flags & SJ_FOLD) {
		step_text(step, path, sizeof(path));
		snprintf(why, sizeof(why),
		    "json: cannot unmarshal %s into Go %s%s of type %s",
		    json_type_name(j->type), path[0] != '\0' ?
		    "struct field ." : "value", path, kind_name(kind));
	} else
		snprintf(why, sizeof(why), "expected type '%s', got '%s'",
		    kind_name(kind), j->type == JSON_NUMBER ? j->str :
		    json_type_name(j->type));
	return refuse(in, step, j, why);
}

static int
refuse_value(const struct input *in, const struct step *step,
    const struct json *j, const char *what)
{
	char	 why[256];

	snprintf(why, sizeof(why), "%s \"%s\"", what, j->str);
	return refuse(in, step, j, why);
}

/* Digits only, as Go: 1.0 and 1e3 are no integers. */
static int
int_input(const struct json *j, int64_t *v)
{
	char	*end;

	if (j->type != JSON_NUMBER)
		return -1;
	errno = 0;
	*v = strtoll(j->str, &end, 10);
	return errno == 0 && *end == '\0' ? 0 : -1;
}

static int
uint_input(const struct json *j, uint64_t *v)
{
	char	*end;

	if (j->type != JSON_NUMBER || j->str[0] == '-')
		return -1;
	errno = 0;
	*v = strtoull(j->str, &end, 10);
	return errno == 0 && *end == '\0' ? 0 : -1;
}

/* Over HTTP in the words of Go's time package. */
static int
refuse_dur(const struct input *in, const struct step *step,
    const struct json *j)
{
	static const char	 digits[] = "0123456789.";
	const char		*p, *unit, *end;
	char			*part, what[128];
	int64_t			 ns;
	int			 rc = 0;

	if (!(in->flags & SJ_FOLD))
		return refuse_value(in, step, j, "invalid duration");
	for (p = j->str + strspn(j->str, "+-"); rc == 0; p = end) {
		unit = p + strspn(p, digits);
		end = unit + strcspn(unit, digits);
		if (unit == p)
			return refuse_value(in, step, j,
			    "time: invalid duration");
		if (unit == end)
			return refuse_value(in, step, j,
			    "time: missing unit in duration");
		part = xstrndup(p, (size_t)(end - p));
		rc = dur_parse(part, &ns);
		free(part);
		snprintf(what, sizeof(what),
		    "time: unknown unit \"%.*s\" in duration",
		    end - unit < 64 ? (int)(end - unit) : 64, unit);
	}
	return refuse_value(in, step, j, what);
}

static int
dur_input(const struct input *in, const struct step *step,
    const struct json *j, int64_t *v)
{
	if (j->type == JSON_NUMBER && (in->flags & SJ_DURNUM)) {
		if (int_input(j, v) == 0)
			return 0;
	} else if (j->type == JSON_STRING) {
		if (dur_parse(j->str, v) == 0)
			return 0;
		return refuse_dur(in, step, j);
	}
	return refuse_type(in, step, j, K_DUR);
}

static int
bytes_input(const struct input *in, const struct step *step,
    const struct json *j, struct bytes *b)
{
	size_t	 max;
	char	 why[64];
	int	 n;

	if (j->type != JSON_STRING)
		return refuse_type(in, step, j, K_BYTES);
	max = j->len / 4 * 3 + 1;
	b->p = xmalloc(max);
	if ((n = base64_decode(j->str, b->p, max)) == -1) {
		snprintf(why, sizeof(why), "illegal base64 data at input byte "
		    "%zu", base64_bad_at(j->str));
		return refuse(in, step, j, why);
	}
	b->n = (size_t)n;
	b->set = true;
	return 0;
}

static bool
deeper(const struct json *j, unsigned max)
{
	const struct json	*c;

	if (j->type != JSON_ARRAY && j->type != JSON_OBJECT)
		return false;
	if (max == 0)
		return true;
	for (c = j->child; c != NULL; c = c->next) {
		if (deeper(c, max - 1))
			return true;
	}
	return false;
}

static int
any_input(const struct input *in, const struct step *step,
    const struct json *j, struct bytes *b)
{
	struct wbuf	 w;

	if (deeper(j, ANY_DEPTH_MAX))
		return refuse(in, step, j, "nested too deep");
	wb_init(&w, 0);
	any_from_json(j, &w);
	b->p = w.p;
	b->n = w.len;
	b->set = true;
	return 0;
}

static int
time_input(const struct input *in, const struct step *step,
    const struct json *j, struct gotime *t)
{
	if (j->type != JSON_STRING)
		return refuse_type(in, step, j, K_TIME);
	return time_parse(j->str, t) == 0 ? 0 :
	    refuse_value(in, step, j, "invalid time");
}

static int
vec_input(const struct input *in, const struct step *step,
    enum schema_kind kind, struct schema *sub, const struct json *j,
    struct any_vec *v)
{
	const struct json	*c;
	struct step		 here = { step, NULL, 0 };
	size_t			 size = item_size(kind, sub), n = 0;
	bool			 map = kinds[kind].shape == SHAPE_MAP;
	void			*item;

	if (j->type != (map ? JSON_OBJECT : JSON_ARRAY))
		return refuse_type(in, step, j, kind);
	v->set = true;
	for (c = j->child; c != NULL; c = c->next)
		n++;
	if (n > 0)
		v->item = xcalloc(n, size);
	for (c = j->child; c != NULL; c = c->next) {
		here.key = map ? c->key : NULL;
		here.index = v->n;
		item = item_at(v, v->n++, size);
		if (map) {
			*pair_key(item) = xstrdup(c->key);
			item = pair_value(item);
		}
		if (value_input(in, &here, kinds[kind].elem, sub, c, item) ==
		    -1)
			return -1;
		/* In a container a string is always there. */
		if (kinds[kind].elem == K_STR && *(char **)item == NULL)
			*(char **)item = xstrdup("");
	}
	if (map)
		map_unique(kind, sub, v);
	return 0;
}

/* Into a zeroed value; null leaves it so. */
static int
value_input(const struct input *in, const struct step *step,
    enum schema_kind kind, struct schema *sub, const struct json *j, void *p)
{
	bool	 ok = true;

	if (j->type == JSON_NULL)
		return 0;
	if (kinds[kind].shape != SHAPE_VALUE)
		return vec_input(in, step, kind, sub, j, p);
	switch (kind) {
	case K_STR:
		if ((ok = j->type == JSON_STRING) && j->len > 0)
			*(char **)p = text_dup(j->str, j->len);
		break;
	case K_BOOL:
		if ((ok = j->type == JSON_BOOL))
			*(bool *)p = j->truth;
		break;
	case K_INT:
		ok = int_input(j, p) == 0;
		break;
	case K_UINT:
		ok = uint_input(j, p) == 0;
		break;
	case K_DOUBLE:
		if ((ok = j->type == JSON_NUMBER))
			*(double *)p = strtod(j->str, NULL);
		break;
	case K_DUR:
		return dur_input(in, step, j, p);
	case K_BYTES:
		return bytes_input(in, step, j, p);
	case K_TIME:
		return time_input(in, step, j, p);
	case K_ANY:
		return any_input(in, step, j, p);
	case K_STRUCT:
		return struct_input(in, step, sub, j, p);
	case K_PTR:
		*(void **)p = xcalloc(1, sub->size);
		return struct_input(in, step, sub, j, *(void **)p);
	case K_STRS:
	case K_DOUBLES:
	case K_STRMAP:
	case K_STRSMAP:
	case K_INTMAP:
	case K_LIST:
	case K_MAP:
		break;
	}
	return ok ? 0 : refuse_type(in, step, j, kind);
}

static bool
same_key(const char *name, size_t n, const char *key, bool fold)
{
	if (strlen(key) != n)
		return false;
	return (fold ? strncasecmp(name, key, n) : strncmp(name, key, n)) == 0;
}

static bool
field_named(const struct schema_field *f, const char *key, bool fold)
{
	const char	*a;
	size_t		 n;

	if (f->flags & S_NOJSON)
		return false;
	if (same_key(f->name, strlen(f->name), key, fold))
		return true;
	for (a = f->aliases; a != NULL && *a != '\0'; a += n + (a[n] == '|')) {
		n = strcspn(a, "|");
		if (same_key(a, n, key, fold))
			return true;
	}
	return false;
}

/* An exact name goes before one that differs in case. */
static const struct schema_field *
field_for(const struct schema *s, const char *key, unsigned flags)
{
	size_t	 i;
	int	 fold;

	for (fold = 0; fold <= ((flags & SJ_FOLD) != 0); fold++) {
		for (i = 0; i < s->nfields; i++) {
			if (field_named(&s->fields[i], key, fold))
				return &s->fields[i];
		}
	}
	return NULL;
}

static int
refuse_key(const struct input *in, const struct step *step,
    const struct json *j)
{
	char	 why[256];

	if (!(in->flags & SJ_FOLD))
		return refuse(in, step, j, "unknown key");
	snprintf(why, sizeof(why), "json: unknown field \"%s\"", j->key);
	return refuse(in, step, j, why);
}

static int
struct_input(const struct input *in, const struct step *step,
    struct schema *s, const struct json *j, void *obj)
{
	const struct schema_field	*f;
	const struct json		*c;
	struct step			 here = { step, NULL, 0 };
	void				*p;

	if (j->type != JSON_OBJECT)
		return refuse_type(in, step, j, K_STRUCT);
	for (c = j->child; c != NULL; c = c->next) {
		here.key = c->key;
		if ((f = field_for(s, c->key, in->flags)) == NULL) {
			if (in->flags & SJ_STRICT)
				return refuse_key(in, &here, c);
			continue;
		}
		if (c->type == JSON_NULL)
			continue;
		p = (char *)obj + f->off;
		value_clear(f->kind, f->sub, p);	/* the last one wins */
		if (value_input(in, &here, f->kind, f->sub, c, p) == -1)
			return -1;
	}
	return 0;
}

int
schema_json_decode(struct schema *s, const struct json *j, unsigned flags,
    void *obj, char *err, size_t errlen, const struct json **at)
{
	struct input	 in = { flags, err, errlen, at };

	memset(obj, 0, s->size);
	if (struct_input(&in, NULL, s, j, obj) == 0)
		return 0;
	schema_clear(s, obj);
	return -1;
}

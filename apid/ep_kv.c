/*
 * /v1/kv: a key is the rest of the path; what is done with it is in the query.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/mp.h"
#include "common/schema/state.h"
#include "common/util.h"

#define VALUE_MAX_DEFAULT 524288

static bool
has(const struct request *r, const char *param)
{
	return params_get(&r->params, param) != NULL;
}

static bool
key_missing(struct request *r)
{
	if (*r->tail != '\0')
		return false;
	reply_text(r, 400, "Missing key name");
	return true;
}

/* ---- parameters that exclude each other ---- */

static void
put_escaped(struct wbuf *w, const char *s)
{
	for (; *s != '\0'; s++) {
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		    "0123456789-_.~", *s) != NULL)
			wb_u8(w, (uint8_t)*s);
		else if (*s == ' ')
			wb_u8(w, '+');
		else
			wb_printf(w, "%%%02X", (unsigned char)*s);
	}
}

static int
param_cmp(const void *a, const void *b)
{
	return strcmp(((const struct param *)a)->key,
	    ((const struct param *)b)->key);
}

/* The whole query, by its keys, as Consul repeats it. */
static void
reply_conflict(struct request *r)
{
	struct params	 p = r->params;
	struct wbuf	 w;
	char		*text;
	size_t		 i;

	qsort(p.item, p.n, sizeof(p.item[0]), param_cmp);
	wb_init(&w, 0);
	for (i = 0; i < p.n; i++) {
		if (i > 0)
			wb_u8(&w, '&');
		put_escaped(&w, p.item[i].key);
		wb_u8(&w, '=');
		put_escaped(&w, p.item[i].val);
	}
	text = wb_detach_str(&w);
	reply_text(r, 400, "Conflicting flags: %s", text);
	free(text);
}

static bool
conflict(struct request *r, const char *const *names, size_t n)
{
	size_t	i, found = 0;

	for (i = 0; i < n; i++)
		found += has(r, names[i]);
	if (found < 2)
		return false;
	reply_conflict(r);
	return true;
}

/* A number in the query; absent it stays.  -1: replied, in the words of Go. */
static int
number(struct request *r, const char *name, uint64_t *out)
{
	const char		*s = params_get(&r->params, name);
	unsigned long long	 v;
	char			*end;

	if (s == NULL)
		return 0;
	errno = 0;
	v = *s >= '0' && *s <= '9' ? strtoull(s, &end, 10) : 0;
	if (*s < '0' || *s > '9' || *end != '\0') {
		reply_text(r, 500, "strconv.ParseUint: parsing \"%s\": invalid "
		    "syntax", s);
		return -1;
	}
	if (errno == ERANGE) {
		reply_text(r, 500, "strconv.ParseUint: parsing \"%s\": value "
		    "out of range", s);
		return -1;
	}
	*out = v;
	return 0;
}

/* ---- writes ---- */

static void
written(struct request *r, const uint8_t *body, size_t len)
{
	struct jw	*jw = json_of(r);
	struct rbuf	 rb;
	bool		 done;

	rb_init(&rb, body, len);
	done = mp_get_bool(&rb);
	/* Of what cannot fail the servers say nothing of use. */
	if (!has(r, "cas") && (r->method == M_DELETE ||
	    (!has(r, "acquire") && !has(r, "release"))))
		done = true;
	jw_bool(jw, done);
	reply_json(r, jw);
}

static void
apply(struct request *r, struct kvs_request *q, const char *op)
{
	str_set(&q->op, op);
	str_set(&q->entry.key, r->tail);
	FILL_WRITE(q, r);
	ask_catalogd(r, "KVS.Apply", &kvs_request_schema, q, CALL_WRITE,
	    written);
	schema_clear(&kvs_request_schema, q);
}

static bool
too_large(struct request *r)
{
	uint64_t	max = r->apid->http.kv_max_value_size;

	if (max == 0)
		max = VALUE_MAX_DEFAULT;
	if (r->body.len <= max)
		return false;
	add_header(r, "Connection", "close");
	reply_text(r, 413, "Request body(%zu bytes) too large, max size: %llu "
	    "bytes. See https://www.consul.io/docs/agent/options.html"
	    "#kv_max_value_size.", r->body.len, (unsigned long long)max);
	return true;
}

static void
put(struct request *r)
{
	static const char *const	 excluding[] = {
		"cas", "acquire", "release"
	};
	struct kvs_request		 q = { 0 };
	const char			*op = "set";

	if (key_missing(r) || conflict(r, excluding, NELEM(excluding)) ||
	    number(r, "flags", &q.entry.flags) == -1 ||
	    number(r, "cas", &q.entry.modify_index) == -1 || too_large(r))
		return;
	if (has(r, "cas"))
		op = "cas";
	if (has(r, "acquire")) {
		op = "lock";
		str_set(&q.entry.session, params_get(&r->params, "acquire"));
	} else if (has(r, "release")) {
		op = "unlock";
		str_set(&q.entry.session, params_get(&r->params, "release"));
	}
	bytes_set(&q.entry.value, r->body.p, r->body.len);
	apply(r, &q, op);
}

static void
delete(struct request *r)
{
	static const char *const	excluding[] = { "recurse", "cas" };
	struct kvs_request		q = { 0 };

	if (conflict(r, excluding, NELEM(excluding)) ||
	    (!has(r, "recurse") && key_missing(r)) ||
	    number(r, "cas", &q.entry.modify_index) == -1)
		return;
	apply(r, &q, has(r, "recurse") ? "delete-tree" :
	    has(r, "cas") ? "delete-cas" : "delete");
}

/* ---- reads ---- */

static void
keys_list(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_keys	 a;
	struct jw		*jw;
	size_t			 i;

	if (decoded(r, &indexed_keys_schema, body, len, &a) == -1)
		return;
	meta_headers(r, body, len, false);
	/* The root may be empty; what is not there is not found. */
	if (a.keys.n == 0 && *r->tail != '\0') {
		reply_empty(r, 404);
	} else {
		jw = json_of(r);
		jw_arr(jw);
		for (i = 0; i < a.keys.n; i++)
			jw_str(jw, a.keys.item[i]);
		jw_end_arr(jw);
		reply_json(r, jw);
	}
	schema_clear(&indexed_keys_schema, &a);
}

static void
get_keys(struct request *r, const struct read_options *o)
{
	struct key_list_request	q = { 0 };

	FILL_OPTIONS(&q, o);
	str_set(&q.prefix, r->tail);
	str_set(&q.separator, params_get(&r->params, "separator"));
	ask_catalogd(r, "KVS.ListKeys", &key_list_request_schema, &q, 0,
	    keys_list);
	schema_clear(&key_list_request_schema, &q);
}

static void
raw_value(struct request *r, const struct dir_entry *e)
{
	add_header(r, "X-Content-Type-Options", "nosniff");
	add_header(r, "Content-Security-Policy", "sandbox");
	wb_bytes(&r->answer, e->value.p, e->value.n);
	r->type = "text/plain";
	reply_empty(r, 200);
}

static void
entries(struct request *r, const uint8_t *body, size_t len)
{
	struct indexed_dir_entries	 a;
	struct jw			*jw;
	size_t				 i;

	if (decoded(r, &indexed_dir_entries_schema, body, len, &a) == -1)
		return;
	meta_headers(r, body, len, false);
	if (a.entries.n == 0) {
		reply_empty(r, 404);
	} else if (has(r, "raw") && !has(r, "recurse")) {
		raw_value(r, &a.entries.item[0]);
	} else {
		jw = json_of(r);
		jw_arr(jw);
		for (i = 0; i < a.entries.n; i++)
			schema_json_encode(&dir_entry_schema,
			    &a.entries.item[i], jw);
		jw_end_arr(jw);
		reply_json(r, jw);
	}
	schema_clear(&indexed_dir_entries_schema, &a);
}

static void
get(struct request *r)
{
	struct read_options	o;
	struct key_request	q = { 0 };

	if (read_options(r, &o) == -1)
		return;
	if (has(r, "keys")) {
		get_keys(r, &o);
	} else if (has(r, "recurse") || !key_missing(r)) {
		FILL_OPTIONS(&q, &o);
		str_set(&q.key, r->tail);
		ask_catalogd(r, has(r, "recurse") ? "KVS.List" : "KVS.Get",
		    &key_request_schema, &q, 0, entries);
		schema_clear(&key_request_schema, &q);
	}
	read_options_clear(&o);
}

void
ep_kv(struct request *r)
{
	if (r->method == M_PUT)
		put(r);
	else if (r->method == M_DELETE)
		delete(r);
	else
		get(r);
}

/*
 * From a request to a CALL and back: links, the options that all reads share,
 * bodies.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "apid/apid.h"
#include "common/mp.h"
#include "common/util.h"

/* A call must outlive the longest blocking query by what a server adds. */
#define CALL_TIMEOUT_MS	30000
#define WAIT_DEFAULT_NS	(300 * NS_PER_S)
#define WAIT_MAX_NS	(600 * NS_PER_S)

struct asked {
	struct request	*r;
	answered_fn	*fn;
	bool		 failures;	/* fn gets them, as body NULL */
	bool		 same;		/* may be what another was answered */
};

void
failed_read_headers(struct request *r)
{
	if (r->method != M_GET || r->route->arg == NULL ||
	    strcmp(r->route->arg, "read") != 0)
		return;
	add_header(r, "X-Consul-Index", "1");
	add_header(r, "X-Consul-Knownleader", "false");
	add_header(r, "X-Consul-Lastcontact", "0");
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct asked	*k = arg;
	struct request	*r = k->r;
	answered_fn	*fn = k->fn;
	bool		 failures = k->failures, same = k->same;

	r->call = NULL;
	r->asked = NULL;
	free(k);
	if (status != CALL_OK)
		count_call(r->apid, true);
	if (status == CALL_OK && same && same_reply(r, fn, body, len))
		return;
	if (status == CALL_OK) {
		fn(r, body, len);
		if (same)
			same_keep(r, fn, body, len);
	} else if (failures)
		fn(r, NULL, 0);
	else {
		/* Consul says them of everything but a query not found. */
		if (strstr(str_or(error, ""), "Query not found") == NULL)
			failed_read_headers(r);
		reply_failure(r, status, error);
	}
}

static void
ask(struct request *r, struct calls *calls, const char *method,
    struct schema *schema, const void *obj, unsigned flags, uint64_t timeout_ms,
    answered_fn *fn, bool failures)
{
	struct msg_call	 call;
	struct asked	*k = xcalloc(1, sizeof(*k));
	struct wbuf	 body;

	count_call(r->apid, false);
	k->r = r;
	k->fn = fn;
	k->failures = failures;
	k->same = calls == r->apid->catalogd && !failures;
	memset(&call, 0, sizeof(call));
	call.method = xstrdup(method);
	call.flags = flags;
	call.target = CALL_ANY_SERVER;
	call.timeout_ms = timeout_ms;
	wb_init(&body, 0);
	schema_encode(schema, obj, &body);
	r->asked = k;
	r->call = call_start(calls, &call, body.p, body.len, timeout_ms,
	    on_answer, k);
	wb_free(&body);
	schema_clear(&msg_call_schema, &call);
}

void
ask_catalogd(struct request *r, const char *method, struct schema *schema,
    const void *obj, unsigned flags, answered_fn *fn)
{
	int64_t	most = r->apid->http.max_query_time;

	if (most <= 0)
		most = WAIT_MAX_NS;
	/* Blocking reads answer late by what ?wait allowed and a sixteenth. */
	ask(r, r->apid->catalogd, method, schema, obj, flags, CALL_TIMEOUT_MS +
	    (uint64_t)(params_get(&r->params, "index") != NULL ||
	    params_get(&r->params, "hash") != NULL ?
	    (most + most / 16) / NS_PER_MS : 0), fn, false);
}

void
try_catalogd(struct request *r, const char *method, struct schema *schema,
    const void *obj, answered_fn *fn)
{
	ask(r, r->apid->catalogd, method, schema, obj, 0, CALL_TIMEOUT_MS, fn,
	    true);
}

void
ask_gossipd(struct request *r, const char *method, struct schema *schema,
    const void *obj, answered_fn *fn)
{
	ask(r, r->apid->gossipd, method, schema, obj, 0, CALL_TIMEOUT_MS, fn,
	    false);
}

void
try_gossipd(struct request *r, const char *method, struct schema *schema,
    const void *obj, answered_fn *fn)
{
	ask(r, r->apid->gossipd, method, schema, obj, 0, CALL_TIMEOUT_MS, fn,
	    true);
}

void
ask_discod(struct request *r, const char *method, answered_fn *fn)
{
	struct empty	none = { 0 };

	ask_discod_with(r, method, &empty_schema, &none, fn);
}

void
ask_discod_with(struct request *r, const char *method, struct schema *schema,
    const void *obj, answered_fn *fn)
{
	ask(r, r->apid->discod, method, schema, obj, 0, CALL_TIMEOUT_MS, fn,
	    false);
}

void
done_empty(struct request *r, const uint8_t *body, size_t len)
{
	(void)body;
	(void)len;
	reply_empty(r, 200);
}

void
done_id(struct request *r, const uint8_t *body, size_t len)
{
	struct jw	*jw = json_of(r);
	const uint8_t	*id;
	struct rbuf	 rb;
	size_t		 n;

	rb_init(&rb, body, len);
	id = mp_get_raw(&rb, &n);
	jw_obj(jw);
	jw_key(jw, "ID");
	jw_strn(jw, id == NULL ? "" : (const char *)id, id == NULL ? 0 : n);
	jw_end_obj(jw);
	reply_json(r, jw);
}

int
decoded(struct request *r, struct schema *schema, const uint8_t *body,
    size_t len, void *obj)
{
	struct rbuf	rb;

	rb_init(&rb, body, len);
	if (schema_decode(schema, &rb, obj) == 0)
		return 0;
	reply_text(r, 500, "an answer of the %s kind does not decode: %s",
	    schema->name, rb.err);
	return -1;
}

/* "key:value" filters of ?node-meta. */
static void
node_meta(struct request *r, struct strmap *out)
{
	struct strs	 pairs = { 0 };
	size_t		 i, n;
	char		*key;

	params_all(&r->params, "node-meta", &pairs);
	for (i = 0; i < pairs.n; i++) {
		n = strcspn(pairs.item[i], ":");
		key = xstrndup(pairs.item[i], n);
		strmap_put(out, key, pairs.item[i][n] == ':' ?
		    pairs.item[i] + n + 1 : "");
		free(key);
	}
	strs_clear(&pairs);
}

static int
parse_index(const char *s, uint64_t *out)
{
	char			*end;
	unsigned long long	 v;

	if (*s < '0' || *s > '9')
		return -1;
	v = strtoull(s, &end, 10);
	*out = v;
	return *end == '\0' ? 0 : -1;
}

const char *
token_of(const struct request *r)
{
	const char	*token = params_get(&r->params, "token");

	return token != NULL ? token : MHD_lookup_connection_value(r->conn,
	    MHD_HEADER_KIND, "X-Consul-Token");
}

/*
 * Cache-Control says nothing that matters to an answer that is followed, but
 * what it says must be numbers of seconds.
 */
static bool
cache_control_fine(const struct request *r)
{
	static const char *const timed[] = { "max-age=", "stale-if-error=" };
	const char	*s, *digits;
	size_t		 i, n;

	s = MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND,
	    "Cache-Control");
	for (; s != NULL && *s != '\0'; s += n + (s[n] == ',')) {
		s += strspn(s, " \t");
		n = strcspn(s, ",");
		for (i = 0; i < NELEM(timed); i++) {
			if (strncasecmp(s, timed[i], strlen(timed[i])) != 0)
				continue;
			digits = s + strlen(timed[i]);
			if (strspn(digits, "0123456789") < (size_t)(s + n -
			    digits) || digits == s + n)
				return false;
		}
	}
	return true;
}

int
read_options(struct request *r, struct read_options *o)
{
	const struct params	*p = &r->params;
	const char		*s;

	memset(o, 0, sizeof(*o));
	if ((s = params_get(p, "wait")) != NULL && *s != '\0' &&
	    dur_parse(s, &o->wait_ns) == -1) {
		reply_text(r, 400, "Invalid wait time");
		return -1;
	}
	if ((s = params_get(p, "index")) != NULL && *s != '\0' &&
	    parse_index(s, &o->index) == -1) {
		reply_text(r, 400, "Invalid index");
		return -1;
	}
	o->stale = params_get(p, "stale") != NULL;
	o->consistent = params_get(p, "consistent") != NULL;
	if (o->stale && o->consistent) {
		reply_text(r, 400, "Cannot specify ?stale with ?consistent, "
		    "conflicting semantics.");
		return -1;
	}
	o->cached = params_get(p, "cached") != NULL;
	if (o->cached && o->consistent) {
		reply_text(r, 400, "Cannot specify ?cached with ?consistent, "
		    "conflicting semantics.");
		return -1;
	}
	if (!cache_control_fine(r)) {
		reply_text(r, 400, "Invalid Cache-Control header.");
		return -1;
	}
	if ((s = params_get(p, "max_stale")) != NULL && *s != '\0' &&
	    dur_parse(s, &o->max_stale_ns) == -1) {
		reply_text(r, 400, "Invalid max_stale value \"%s\"", s);
		return -1;
	}
	if (o->wait_ns < 0)
		o->wait_ns = 0;		/* the default, not for ever */
	o->dc = params_get(p, "dc");
	if (str_empty(o->dc))
		o->dc = r->apid->agent.datacenter;
	o->token = token_of(r);
	o->filter = params_get(p, "filter");
	o->near = params_get(p, "near");
	if (o->near != NULL && strcmp(o->near, "_agent") == 0)
		o->near = r->apid->agent.node_name;
	node_meta(r, &o->node_meta);
	return 0;
}

void
read_options_clear(struct read_options *o)
{
	strmap_clear(&o->node_meta);
}

void
meta_headers(struct request *r, const uint8_t *body, size_t len, bool effective)
{
	struct query_meta	m;
	struct rbuf		rb;

	rb_init(&rb, body, len);
	if (schema_decode(&query_meta_schema, &rb, &m) == -1)
		return;
	/* 0 would make who waits for it run in circles. */
	if (m.index == 0)
		m.index = 1;
	/* Inserted in front: last comes first. */
	add_header(r, "X-Consul-Lastcontact", "%lld",
	    (long long)(m.last_contact / NS_PER_MS));
	add_header(r, "X-Consul-Knownleader", "%s",
	    m.known_leader ? "true" : "false");
	add_header(r, "X-Consul-Index", "%" PRIu64, m.index);
	if (effective)
		add_header(r, "X-Consul-Effective-Consistency", "%s",
		    params_get(&r->params, "stale") != NULL ? "stale" :
		    params_get(&r->params, "consistent") != NULL ?
		    "consistent" : "leader");
	schema_clear(&query_meta_schema, &m);
}

struct json *
body_tree(struct request *r)
{
	struct json	*tree;
	char		 err[512];
	size_t		 i;

	for (i = 0; i < r->body.len; i++)
		if (strchr(" \t\r\n", r->body.p[i]) == NULL)
			break;
	if (i == r->body.len) {
		reply_text(r, 400, "%sRequest decode failed: EOF",
		    str_or(r->blame, ""));
		return NULL;
	}
	tree = json_parse((const char *)r->body.p, r->body.len, err,
	    sizeof(err));
	if (tree == NULL) {
		/* What clients' tests know is the cut-off document. */
		reply_text(r, 400, "%sRequest decode failed: %s",
		    str_or(r->blame, ""), strstr(err, "premature") != NULL ||
		    strstr(err, "unexpected end") != NULL ? "unexpected EOF" :
		    err);
	}
	return tree;
}

int
tree_json(struct request *r, struct json *tree, struct schema *schema,
    unsigned flags, void *obj)
{
	const struct json	*at;
	char			 err[512];

	if (tree->type == JSON_NULL)
		memset(obj, 0, schema->size);
	else if (schema_json_decode(schema, tree, flags, obj, err, sizeof(err),
	    &at) == -1) {
		reply_text(r, 400, "%sRequest decode failed: %s",
		    str_or(r->blame, ""), err);
		json_free(tree);
		return -1;
	}
	json_free(tree);
	return 0;
}

int
body_json(struct request *r, struct schema *schema, unsigned flags, void *obj)
{
	struct json	*tree = body_tree(r);

	return tree == NULL ? -1 : tree_json(r, tree, schema, flags, obj);
}

bool
named(struct request *r, const char *what)
{
	if (*r->tail != '\0')
		return true;
	reply_text(r, 400, "Missing %s", what);
	return false;
}

void
ask_dc(struct request *r, const char *method, answered_fn *fn)
{
	struct dc_request	q = { 0 };
	struct read_options	o;

	if (read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	FILL_SOURCE(&q, &o);
	ask_catalogd(r, method, &dc_request_schema, &q, 0, fn);
	schema_clear(&dc_request_schema, &q);
	read_options_clear(&o);
}

void
ask_node(struct request *r, const char *method, answered_fn *fn)
{
	struct node_request	q = { 0 };
	struct read_options	o;

	if (!named(r, "node name") || read_options(r, &o) == -1)
		return;
	FILL_OPTIONS(&q, &o);
	str_set(&q.node, r->tail);
	ask_catalogd(r, method, &node_request_schema, &q, 0, fn);
	schema_clear(&node_request_schema, &q);
	read_options_clear(&o);
}

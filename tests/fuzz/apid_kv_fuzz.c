/*
 * Requests to /v1/kv from their first line to the answer: the path is decoded
 * as the HTTP library does, found among the routes, and what its handler asks
 * catalogd for is caught here.  One request is one call or one reply; the key
 * in the call is the path's, its options are the query's; any answer of
 * catalogd's gives a reply, and JSON that can be read.  Input: "GET URI", a
 * line feed, and the value to put, which is the answer to a read as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/schema/state.h"
#include "common/util.h"

#define ROUTE "/v1/kv/"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The only call of a request. */
static struct {
	unsigned	 n;
	char		*method;
	struct wbuf	 body;
	call_fn		*fn;
	void		*arg;
} asked;

/* In place of common/call.c's. */
struct call *
call_start(struct calls *calls, const struct msg_call *m, const void *body,
    size_t len, uint64_t timeout_ms, call_fn *fn, void *arg)
{
	(void)calls;
	(void)timeout_ms;
	if (asked.n++ > 0)
		abort();
	asked.method = xstrdup(m->method);
	wb_init(&asked.body, 0);
	wb_bytes(&asked.body, body, len);
	asked.fn = fn;
	asked.arg = arg;
	return NULL;
}

void
call_cancel(struct call *c)
{
	(void)c;
	abort();
}

/* ---- a request, as http.c would make it ---- */

static char *
unescaped(const char *s, size_t n)
{
	char	*text = xstrndup(s, n);

	MHD_http_unescape(text);
	return text;
}

static void
add_params(struct request *r, char *query)
{
	char	*pair, *val, *p;

	while ((pair = strsep(&query, "&")) != NULL) {
		for (p = pair; *p != '\0'; p++)
			if (*p == '+')
				*p = ' ';
		if ((val = strchr(pair, '=')) != NULL) {
			*val++ = '\0';
			MHD_http_unescape(val);
		}
		MHD_http_unescape(pair);
		params_add(&r->params, pair, val);
	}
}

static void
request_init(struct request *r, struct apid *a, char *line,
    const uint8_t *body, size_t len)
{
	char	*uri = line, *method = strsep(&uri, " "), *query;

	memset(r, 0, sizeof(*r));
	r->apid = a;
	r->method_text = xstrdup(method);
	r->method = strcmp(method, "GET") == 0 ? M_GET :
	    strcmp(method, "PUT") == 0 ? M_PUT :
	    strcmp(method, "DELETE") == 0 ? M_DELETE : M_OTHER;
	SLIST_INIT(&r->headers);
	wb_init(&r->body, 0);
	wb_bytes(&r->body, body, len);
	wb_init(&r->answer, 0);
	r->cut = strstr(uri, "%00") != NULL;
	query = uri;
	(void)strsep(&query, "?");
	r->path = unescaped(uri, strlen(uri));
	if (query != NULL)
		add_params(r, query);
}

static void
request_clear(struct request *r)
{
	struct header	*h;

	while ((h = SLIST_FIRST(&r->headers)) != NULL) {
		SLIST_REMOVE_HEAD(&r->headers, entry);
		/* It would end the header, or all of them. */
		if (strpbrk(h->value, "\r\n") != NULL)
			abort();
		free(h->name);
		free(h->value);
		free(h);
	}
	params_clear(&r->params);
	wb_free(&r->body);
	wb_free(&r->answer);
	free(r->path);
	free(r->method_text);
}

static void
apid_clear(struct apid *a)
{
	ev_timer_free(a->same.forget);
	wb_free(&a->same.question);
	wb_free(&a->same.body);
	wb_free(&a->same.text);
	wb_free(&a->same.headers);
	wb_free(&a->same.asked);
}

/* ---- what is asked for ---- */

static bool
has(const struct request *r, const char *param)
{
	return params_get(&r->params, param) != NULL;
}

static void
want_text(const char *have, const char *want)
{
	if (strcmp(str_or(have, ""), str_or(want, "")) != 0)
		abort();
}

/* The number is the parameter's, but for zeros in front. */
static void
want_number(const struct request *r, const char *param, uint64_t have)
{
	const char	*want = params_get(&r->params, param);
	char		 text[32];

	if (want == NULL) {
		if (have != 0)
			abort();
		return;
	}
	while (want[0] == '0' && want[1] != '\0')
		want++;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)have);
	want_text(text, want);
}

static void
decode(struct schema *s, void *obj)
{
	const char	*err;

	if (schema_decode_all(s, asked.body.p, asked.body.len, obj, &err) == -1)
		abort();
}

static void
check_write(const struct request *r)
{
	struct kvs_request	 q;
	const char		*op;

	decode(&kvs_request_schema, &q);
	op = q.op;
	want_text(q.entry.key, r->tail);
	if (*r->tail == '\0' && strcmp(op, "delete-tree") != 0)
		abort();
	want_number(r, "cas", q.entry.modify_index);
	want_text(q.token, params_get(&r->params, "token"));
	if (r->method == M_DELETE) {
		want_text(op, has(r, "recurse") ? "delete-tree" :
		    has(r, "cas") ? "delete-cas" : "delete");
		if (has(r, "recurse") && has(r, "cas"))
			abort();
	} else if (r->method == M_PUT) {
		want_text(op, has(r, "cas") ? "cas" : has(r, "acquire") ?
		    "lock" : has(r, "release") ? "unlock" : "set");
		if (has(r, "cas") + has(r, "acquire") + has(r, "release") > 1)
			abort();
		want_number(r, "flags", q.entry.flags);
		want_text(q.entry.session, has(r, "acquire") ?
		    params_get(&r->params, "acquire") :
		    params_get(&r->params, "release"));
		if (q.entry.value.n != r->body.len || (r->body.len > 0 &&
		    memcmp(q.entry.value.p, r->body.p, r->body.len) != 0))
			abort();
	} else
		abort();
	schema_clear(&kvs_request_schema, &q);
}

static void
check_list(const struct request *r)
{
	struct key_list_request	q;

	decode(&key_list_request_schema, &q);
	if (r->method != M_GET || !has(r, "keys"))
		abort();
	want_text(q.prefix, r->tail);
	want_text(q.separator, params_get(&r->params, "separator"));
	schema_clear(&key_list_request_schema, &q);
}

static void
check_read(const struct request *r)
{
	struct key_request	q;

	decode(&key_request_schema, &q);
	if (r->method != M_GET || has(r, "keys") ||
	    (*r->tail == '\0' && !has(r, "recurse")))
		abort();
	want_text(asked.method, has(r, "recurse") ? "KVS.List" : "KVS.Get");
	want_text(q.key, r->tail);
	if (q.allow_stale != has(r, "stale") ||
	    q.require_consistent != has(r, "consistent") ||
	    (q.allow_stale && q.require_consistent) || q.max_query_time < 0)
		abort();
	schema_clear(&key_request_schema, &q);
}

static void
check_call(const struct request *r)
{
	/* The whole path, and one that a log and a header can show. */
	if (r->cut || strncmp(r->path, ROUTE, strlen(ROUTE)) != 0 ||
	    r->tail != r->path + strlen(ROUTE) || !path_printable(r->path))
		abort();
	if (strcmp(asked.method, "KVS.Apply") == 0)
		check_write(r);
	else if (strcmp(asked.method, "KVS.ListKeys") == 0)
		check_list(r);
	else
		check_read(r);
}

static void
check_reply(const struct request *r)
{
	struct json	*tree;
	char		 err[512];

	if (!r->answered || r->status < 200 || r->status > 599)
		abort();
	if (r->type == NULL || strcmp(r->type, "application/json") != 0)
		return;
	tree = json_parse((const char *)r->answer.p, r->answer.len, err,
	    sizeof(err));
	if (tree == NULL)
		abort();
	json_free(tree);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct ev	*ev;
	const uint8_t		*end = memchr(data, '\n', n);
	struct apid		 a = { 0 };
	struct request		 r;
	char			*line, *uri;

	/* Other routes have other calls. */
	line = xmemdup_str(data, end == NULL ? n : (size_t)(end - data));
	uri = strchr(line, ' ');
	if (uri == NULL || strncmp(uri + 1, ROUTE, strlen(ROUTE)) != 0) {
		free(line);
		return 0;
	}
	if (ev == NULL)
		ev = ev_new();
	a.ev = ev;
	end = end == NULL ? data + n : end + 1;
	request_init(&r, &a, line, end, (size_t)(data + n - end));
	dispatch(&r);
	if ((asked.n > 0) == r.answered)
		abort();
	if (asked.n > 0) {
		check_call(&r);
		asked.fn(CALL_OK, NULL, r.body.p, r.body.len, asked.arg);
		wb_free(&asked.body);
		free(asked.method);
		memset(&asked, 0, sizeof(asked));
	}
	check_reply(&r);
	request_clear(&r);
	apid_clear(&a);
	free(line);
	return 0;
}

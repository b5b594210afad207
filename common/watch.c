/*
 * Watches read from JSON, and what they ask of the API.  Which parameters
 * belong to which type is one table.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "common/watch.h"
#include "common/wire.h"

#define HTTP_TIMEOUT_NS	(10 * NS_PER_S)	/* as Consul's */

static const struct {
	const char	*name;
	const char	*param;		/* of what is looked at; "" none */
	const char	*missing;	/* when it has to be there */
	const char	*path;
} types[] = {
	[WATCH_KEY] = { "key", "key", "a single key", "/v1/kv/" },
	[WATCH_KEYPREFIX] = { "keyprefix", "prefix", "a single prefix",
	    "/v1/kv/" },
	[WATCH_SERVICES] = { "services", "", NULL, "/v1/catalog/services" },
	[WATCH_NODES] = { "nodes", "", NULL, "/v1/catalog/nodes" },
	[WATCH_SERVICE] = { "service", "service", "a single service",
	    "/v1/health/service/" },
	[WATCH_CHECKS] = { "checks", "service", NULL, "/v1/health/checks/" },
	[WATCH_EVENT] = { "event", "name", NULL, "/v1/event/list" },
	[WATCH_AGENT_SERVICE] = { "agent_service", "service_id",
	    "a single service ID", "/v1/agent/service/" },
};

/* What any watch may have. */
static const char *const common_keys[] = {
	"type", "datacenter", "token", "handler_type", "handler", "args",
	"http_handler_config"
};

struct reader {
	const struct json	*from;
	struct watch		*w;
	char			*err;
	size_t			 errlen;
	bool			 bad;
};

static void __attribute__((format(printf, 2, 3)))
fail(struct reader *r, const char *fmt, ...)
{
	va_list	 ap;

	if (r->bad)
		return;
	r->bad = true;
	va_start(ap, fmt);
	(void)vsnprintf(r->err, r->errlen, fmt, ap);
	va_end(ap);
}

static bool
is_text(const struct json *j)
{
	return j->type == JSON_STRING && strlen(j->str) == j->len;
}

/* The text under a key; NULL when it is not there, or empty. */
static char *
text(struct reader *r, const struct json *obj, const char *key)
{
	const struct json	*j = json_get(obj, key);

	if (j == NULL || j->type == JSON_NULL)
		return NULL;
	if (!is_text(j)) {
		fail(r, "Expecting %s to be a string", key);
		return NULL;
	}
	return j->len == 0 ? NULL : xstrdup(j->str);
}

/* "true" is as good as true: the command gives text. */
static bool
truth(struct reader *r, const struct json *obj, const char *key)
{
	const struct json	*j = json_get(obj, key);

	if (j == NULL || j->type == JSON_NULL)
		return false;
	if (j->type == JSON_BOOL)
		return j->truth;
	if (!is_text(j) || (strcmp(j->str, "true") != 0 &&
	    strcmp(j->str, "false") != 0)) {
		fail(r, "Expecting %s to be a boolean", key);
		return false;
	}
	return j->str[0] == 't';
}

/* One text, or a list of them. */
static void
texts(struct reader *r, const struct json *obj, const char *key,
    struct strs *out)
{
	const struct json	*j = json_get(obj, key), *c;

	if (j == NULL || j->type == JSON_NULL)
		return;
	if (is_text(j)) {
		if (j->len > 0)
			strs_add(out, j->str);
		return;
	}
	for (c = j->child; j->type == JSON_ARRAY && c != NULL; c = c->next) {
		if (!is_text(c))
			break;
		strs_add(out, c->str);
	}
	if (j->type != JSON_ARRAY || c != NULL)
		fail(r, "Expecting %s to be a list of strings", key);
}

static void
read_headers(struct reader *r, const struct json *obj)
{
	const struct json	*h = json_get(obj, "header"), *c;
	struct strs		 values;
	char			*line;
	size_t			 i;

	for (c = h == NULL ? NULL : h->child; c != NULL; c = c->next) {
		memset(&values, 0, sizeof(values));
		if (c->key != NULL)
			texts(r, h, c->key, &values);
		for (i = 0; i < values.n; i++) {
			xasprintf(&line, "%s: %s", c->key, values.item[i]);
			if (strpbrk(line, "\r\n") != NULL)
				fail(r, "http_handler_config: a header has a "
				    "line break");
			strs_add(&r->w->http.headers, line);
			free(line);
		}
		strs_clear(&values);
	}
}

static void
read_http(struct reader *r, const struct json *j)
{
	struct watch_http	*h = &r->w->http;
	char			*timeout;

	if (j == NULL)
		return;
	if (j->type != JSON_OBJECT) {
		fail(r, "http_handler_config must be an object");
		return;
	}
	h->path = text(r, j, "path");
	if (h->path == NULL || (strncmp(h->path, "http://", 7) != 0 &&
	    strncmp(h->path, "https://", 8) != 0))
		fail(r, "Requires 'path' to be set to an http or https URL");
	if ((h->method = text(r, j, "method")) == NULL)
		h->method = xstrdup("POST");
	if (h->method[strspn(h->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0')
		fail(r, "http_handler_config: method \"%s\" is none",
		    h->method);
	h->timeout = HTTP_TIMEOUT_NS;
	if ((timeout = text(r, j, "timeout")) != NULL &&
	    (dur_parse(timeout, &h->timeout) == -1 || h->timeout <= 0))
		fail(r, "http_handler_config: timeout \"%s\" is no duration",
		    timeout);
	free(timeout);
	h->skip_verify = truth(r, j, "tls_skip_verify");
	read_headers(r, j);
}

static void
read_handler(struct reader *r, bool wanted)
{
	struct watch	*w = r->w;
	char		*kind = text(r, r->from, "handler_type");
	int		 n;

	w->script = text(r, r->from, "handler");
	texts(r, r->from, "args", &w->args);
	read_http(r, json_get(r->from, "http_handler_config"));
	n = (w->script != NULL) + (w->args.n > 0) + (w->http.path != NULL);
	if (n > 1)
		fail(r, "Only one watch handler allowed");
	if (wanted && n == 0)
		fail(r, "Must define a watch handler");
	if (kind != NULL && strcmp(kind, "script") != 0 &&
	    strcmp(kind, "http") != 0)
		fail(r, "Handler type '%s' not recognized", kind);
	else if (kind != NULL && n == 1 &&
	    (strcmp(kind, "http") == 0) != (w->http.path != NULL))
		fail(r, "Handler type '%s' does not fit the handler", kind);
	free(kind);
}

static bool
key_allowed(const struct watch *w, const char *key)
{
	size_t	 i;

	for (i = 0; i < NELEM(common_keys); i++)
		if (strcmp(key, common_keys[i]) == 0)
			return true;
	if (strcmp(key, "stale") == 0)
		return w->type != WATCH_EVENT &&
		    w->type != WATCH_AGENT_SERVICE;
	if (w->type == WATCH_SERVICE && (strcmp(key, "tag") == 0 ||
	    strcmp(key, "passingonly") == 0))
		return true;
	if (w->type == WATCH_CHECKS && strcmp(key, "state") == 0)
		return true;
	return strcmp(key, types[w->type].param) == 0;
}

/* As Go prints a list. */
static void
refuse_others(struct reader *r)
{
	const struct json	*c;
	struct wbuf		 b;
	char			*names;

	wb_init(&b, 256);
	for (c = r->from->child; c != NULL; c = c->next)
		if (!key_allowed(r->w, c->key))
			wb_printf(&b, "%s%s", b.len > 0 ? " " : "", c->key);
	names = wb_detach_str(&b);
	if (*names != '\0')
		fail(r, "Invalid parameters: [%s]", names);
	free(names);
}

static bool
read_type(struct reader *r)
{
	char	*name = text(r, r->from, "type");
	size_t	 i;

	if (name == NULL) {
		fail(r, "Watch type must be specified");
		return false;
	}
	for (i = 0; i < NELEM(types); i++)
		if (strcmp(name, types[i].name) == 0)
			break;
	r->w->type = (enum watch_type)i;
	if (i == NELEM(types))
		fail(r, "Unsupported watch type: %s", name);
	free(name);
	return i < NELEM(types);
}

int
watch_read(const struct json *from, bool handler, struct watch *w, char *err,
    size_t errlen)
{
	struct reader	 r = { from, w, err, errlen, false };

	memset(w, 0, sizeof(*w));
	if (!read_type(&r))
		return -1;
	w->name = text(&r, from, types[w->type].param);
	if (w->name == NULL && types[w->type].missing != NULL)
		fail(&r, "Must specify %s to watch", types[w->type].missing);
	w->datacenter = text(&r, from, "datacenter");
	w->token = text(&r, from, "token");
	w->stale = truth(&r, from, "stale");
	if (w->type == WATCH_SERVICE) {
		texts(&r, from, "tag", &w->tags);
		w->passing = truth(&r, from, "passingonly");
	}
	if (w->type == WATCH_CHECKS)
		w->state = text(&r, from, "state");
	if (w->state != NULL && w->name != NULL)
		fail(&r, "Cannot specify service and state");
	read_handler(&r, handler);
	refuse_others(&r);
	if (!r.bad)
		return 0;
	watch_clear(w);
	return -1;
}

void
watch_clear(struct watch *w)
{
	free(w->name);
	free(w->state);
	strs_clear(&w->tags);
	free(w->datacenter);
	free(w->token);
	strs_clear(&w->args);
	free(w->script);
	free(w->http.path);
	free(w->http.method);
	strs_clear(&w->http.headers);
	memset(w, 0, sizeof(*w));
}

char *
watch_title(const struct watch *w)
{
	char	*s;

	xasprintf(&s, "%s%s%s", types[w->type].name, w->name != NULL ||
	    w->state != NULL ? " " : "", w->name != NULL ? w->name :
	    str_or(w->state, ""));
	return s;
}

/* A key keeps its slashes. */
static void
put_escaped(struct wbuf *b, const char *s, const char *keep)
{
	for (; *s != '\0'; s++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "abcdefghijklmnopqrstuvwxyz0123456789-._~", *s) != NULL ||
		    strchr(keep, *s) != NULL)
			wb_u8(b, (uint8_t)*s);
		else
			wb_printf(b, "%%%02X", (unsigned char)*s);
}

static void
put_query(struct wbuf *b, const char *name, const char *value)
{
	bool	 first = memchr(b->p, '?', b->len) == NULL;

	wb_printf(b, "%c%s", first ? '?' : '&', name);
	if (value != NULL) {
		wb_u8(b, '=');
		put_escaped(b, value, "");
	}
}

char *
watch_path(const struct watch *w, unsigned long long index)
{
	struct wbuf	 b;
	char		 number[24];
	size_t		 i;

	wb_init(&b, 0);
	if (w->type == WATCH_CHECKS && w->name == NULL) {
		wb_str(&b, "/v1/health/state/");
		put_escaped(&b, str_or(w->state, "any"), "");
	} else {
		wb_str(&b, types[w->type].path);
		if (w->type != WATCH_EVENT)
			put_escaped(&b, str_or(w->name, ""), "/");
	}
	if (w->type == WATCH_EVENT && w->name != NULL)
		put_query(&b, "name", w->name);
	if (w->type == WATCH_KEYPREFIX)
		put_query(&b, "recurse", NULL);
	for (i = 0; i < w->tags.n; i++)
		put_query(&b, "tag", w->tags.item[i]);
	if (w->passing)
		put_query(&b, "passing", "1");
	if (w->datacenter != NULL)
		put_query(&b, "dc", w->datacenter);
	if (w->stale)
		put_query(&b, "stale", NULL);
	if (index > 0) {
		snprintf(number, sizeof(number), "%llu", index);
		put_query(&b, "index", number);
	}
	return wb_detach_str(&b);
}

char *
watch_path_hash(const struct watch *w, const char *hash)
{
	struct wbuf	 b;

	wb_init(&b, 0);
	wb_str(&b, types[w->type].path);
	put_escaped(&b, str_or(w->name, ""), "/");
	if (hash != NULL)
		put_query(&b, "hash", hash);
	return wb_detach_str(&b);
}

/*
 * What a handler says: text, JSON, nothing, or what went wrong.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "apid/apid.h"
#include "common/util.h"

#define RETRY_AFTER_S "1"

void
add_header(struct request *r, const char *name, const char *fmt, ...)
{
	struct header	*h = xcalloc(1, sizeof(*h));
	va_list		 ap;

	h->name = xstrdup(name);
	va_start(ap, fmt);
	if (vasprintf(&h->value, fmt, ap) == -1)
		abort();
	va_end(ap);
	SLIST_INSERT_HEAD(&r->headers, h, entry);
}

/* ---- compression ---- */

#define ZIP_BYTES_MIN 1400	/* as Consul: less is one packet anyway */
#define ZIP_LEVEL 1
#define ZIP_WINDOW (15 + 16)	/* the largest, and a header of gzip's */

/* "gzip" among what the client takes, and not with ";q=0". */
bool
takes_gzip(const struct request *r)
{
	const char	*s, *q;
	size_t		 n;

	s = MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND,
	    "Accept-Encoding");
	for (; s != NULL && *s != '\0'; s += n + (s[n] == ',')) {
		s += strspn(s, " \t");
		n = strcspn(s, ",");
		if (strncasecmp(s, "gzip", 4) != 0 ||
		    strchr(" \t;,", s[4]) == NULL)
			continue;
		q = memmem(s, n, "q=", 2);
		return q == NULL || strtod(q + 2, NULL) > 0;
	}
	return false;
}

static void
zip(struct request *r)
{
	z_stream	 z;
	struct wbuf	 out;
	uint8_t		*room;
	size_t		 max;

	memset(&z, 0, sizeof(z));
	if (deflateInit2(&z, ZIP_LEVEL, Z_DEFLATED, ZIP_WINDOW, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK)
		return;
	max = deflateBound(&z, r->answer.len);
	wb_init(&out, 0);
	room = wb_reserve(&out, max);
	z.next_in = r->answer.p;
	z.avail_in = (unsigned)r->answer.len;
	z.next_out = room;
	z.avail_out = (unsigned)max;
	if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
		out.len = z.total_out;
		wb_free(&r->answer);
		r->answer = out;
		add_header(r, "Content-Encoding", "gzip");
	} else
		wb_free(&out);
	deflateEnd(&z);
}

static bool
encoded(const struct request *r)
{
	const struct header	*h;

	SLIST_FOREACH(h, &r->headers, entry)
		if (strcmp(h->name, "Content-Encoding") == 0)
			return true;
	return false;
}

/* ---- answers ---- */

void
reply_done(struct request *r, unsigned status)
{
	if (r->answer.len >= ZIP_BYTES_MIN && r->give == NULL &&
	    takes_gzip(r) && !encoded(r))
		zip(r);
	r->status = status;
	count_answer(r);
	request_answered(r);
}

void
reply_empty(struct request *r, unsigned status)
{
	reply_done(r, status);
}

void
reply_text(struct request *r, unsigned status, const char *fmt, ...)
{
	va_list	 ap;
	char	*text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		abort();
	va_end(ap);
	wb_str(&r->answer, text);
	free(text);
	r->type = "text/plain; charset=utf-8";
	reply_done(r, status);
}

struct jw *
json_of(const struct request *r)
{
	return jw_new(params_get(&r->params, "pretty") != NULL);
}

void
reply_json(struct request *r, struct jw *jw)
{
	reply_json_status(r, 200, jw);
}

void
reply_json_status(struct request *r, unsigned status, struct jw *jw)
{
	const char	*text;
	size_t		 len;

	text = jw_text(jw, &len);
	wb_bytes(&r->answer, text, len);
	if (params_get(&r->params, "pretty") != NULL &&
	    (len == 0 || text[len - 1] != '\n'))
		wb_u8(&r->answer, '\n');
	jw_free(jw);
	r->type = "application/json";
	reply_done(r, status);
}

/* The status that Consul's HTTP layer gives an error by its text. */
static unsigned
status_of(const char *error)
{
	static const struct { const char *text; unsigned status; } known[] = {
		{ "ACL support disabled", 401 },
		{ "Permission denied", 403 },
		{ "ACL not found", 403 },
		{ "Query not found", 404 },
		{ "RPC rate limit exceeded", 429 },
	};
	size_t	i;

	for (i = 0; i < NELEM(known); i++)
		if (strstr(error, known[i].text) != NULL)
			return known[i].status;
	return 500;
}

void
reply_failure(struct request *r, enum call_status status, const char *error)
{
	unsigned	code;

	switch (status) {
	case CALL_OK:
	case CALL_ERROR:
		error = str_or(error, "");
		/* Methods of this suite say the status in front. */
		if (error[0] >= '4' && error[0] <= '5' && strlen(error) > 4 &&
		    error[3] == ' ' && (code = (unsigned)atoi(error)) >= 400 &&
		    code < 600)
			reply_text(r, code, "%s", error + 4);
		else
			reply_text(r, status_of(error), "%s", error);
		return;
	case CALL_TIMEOUT:
		reply_text(r, 500, "rpc error making call: i/o deadline "
		    "reached");
		return;
	case CALL_LOST:
	case CALL_BUSY:
		break;
	}
	add_header(r, "Retry-After", RETRY_AFTER_S);
	reply_text(r, 503, "%s", r->method == M_GET || status == CALL_BUSY ?
	    "Service unavailable: a part of the agent is restarting" :
	    "Outcome unknown: a part of the agent is restarting");
}

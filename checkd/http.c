/*
 * HTTP checks: one request on a connection of its own, as Consul makes them.
 * conn.c has the bytes and TLS, h1.c the answer, target.c the URL.
 *
 * Happy path: dial, ask, read the head, keep the end of the body; where the
 * check says so, up to ten requests while the answer is a redirect.  Failures:
 * the URL makes no sense, no connection, no answer.  An answer whose body
 * breaks off, is too long or runs out of time still counts by its status, as
 * with Consul.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "checkd/conn.h"
#include "checkd/h1.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"
#include "checkd/target.h"
#include "common/util.h"

#define REQUESTS_MAX	10
#define READ_BODY_MAX	(4u << 20)	/* read of one answer */

struct http_probe {
	struct net		*net;
	const struct msg_check	*check;
	char			*method;
	bool			 with_body;	/* of the request */
	struct target		 target;
	char			*url;		/* as it is, for redirects */
	unsigned		 nrequests;
	char			*first_host;
	struct conn		*conn;
	struct ev_timer		*deadline;
	char			*bad;		/* told at once */
	struct h1		 answer;
	struct tail		 body;
	probe_fn		*fn;
	void			*arg;
};

static void	 request(struct http_probe *, const char *url);

/* ---- the end ---- */

static void
request_clear(struct http_probe *p)
{
	conn_free(p->conn);
	p->conn = NULL;
	h1_clear(&p->answer);
	tail_clear(&p->body);
}

static void
http_cancel(void *arg)
{
	struct http_probe	*p = arg;

	request_clear(p);
	target_clear(&p->target);
	ev_timer_free(p->deadline);
	free(p->method);
	free(p->url);
	free(p->first_host);
	free(p->bad);
	free(p);
}

static void
http_end(struct http_probe *p, const char *status, char *output)
{
	probe_fn	*fn = p->fn;
	void		*arg = p->arg;

	http_cancel(p);
	fn(status, output, arg);
	free(output);
}

static void
http_fail(struct http_probe *p, const char *url, const char *reason)
{
	http_end(p, critical, http_failure(p->method, url, reason));
}

static void
http_answered(struct http_probe *p)
{
	char	*url = target_redact(p->check->http), *output;

	output = http_output(str_empty(p->check->method) ? "GET" :
	    p->check->method, url, p->answer.status, &p->body);
	free(url);
	http_end(p, http_status(p->answer.code), output);
}

static void
on_deadline(void *arg)
{
	struct http_probe	*p = arg;
	char			*bad;

	if (p->bad != NULL) {
		bad = p->bad;
		p->bad = NULL;
		http_end(p, critical, bad);
	} else if (p->answer.answered)
		http_answered(p);
	else
		http_fail(p, p->target.url, "context deadline exceeded "
		    "(Client.Timeout exceeded while awaiting headers)");
}

/* The end, but not from within the caller; takes text. */
static void
fail_later(struct http_probe *p, char *text)
{
	p->bad = text;
	ev_timer_set(p->deadline, 0);
}

/* ---- the request ---- */

static bool
is_token(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s >= 127 ||
		    strchr("()<>@,;:\\\"/[]?={}", *s) != NULL)
			return false;
	return true;
}

static bool
is_value(const char *s)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 127)
			return false;
	return true;
}

/* After a redirect to another host what was meant for the first stays here. */
static bool
for_first_host_only(const char *name)
{
	static const char *const	 names[] = {
		"authorization", "www-authenticate", "cookie", "cookie2",
		"host"
	};
	size_t				 i;

	for (i = 0; i < NELEM(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

/* What this side says by itself. */
static bool
is_ours(const char *name)
{
	return strcasecmp(name, "Content-Length") == 0 ||
	    strcasecmp(name, "Transfer-Encoding") == 0 ||
	    strcasecmp(name, "Connection") == 0;
}

static bool
same_site(const char *first, const char *host)
{
	size_t	 a = strlen(first), b = strlen(host);

	return b >= a && strcasecmp(host + b - a, first) == 0 &&
	    (b == a || host[b - a - 1] == '.');
}

static bool
has_header(const struct http_probe *p, const char *name)
{
	const struct strsmap	*h = &p->check->header;
	size_t			 i;

	for (i = 0; i < h->n; i++)
		if (strcasecmp(h->item[i].key, name) == 0)
			return true;
	return false;
}

/* The check's own headers.  0, or -1 with what is wrong. */
static int
own_headers(struct http_probe *p, bool away, struct wbuf *w, const char **why)
{
	const struct strsmap	*h = &p->check->header;
	size_t			 i, k;

	for (i = 0; i < h->n; i++) {
		if (!is_token(h->item[i].key)) {
			*why = "net/http: invalid header field name";
			return -1;
		}
		if ((away && for_first_host_only(h->item[i].key)) ||
		    is_ours(h->item[i].key))
			continue;
		for (k = 0; k < h->item[i].val.n; k++) {
			if (!is_value(h->item[i].val.item[k])) {
				*why = "net/http: invalid header field value";
				return -1;
			}
			wb_printf(w, "%s: %s\r\n", h->item[i].key,
			    h->item[i].val.item[k]);
		}
	}
	return 0;
}

static int
make_request(struct http_probe *p, struct wbuf *w, const char **why)
{
	static const struct { const char *name, *value; } always[] = {
		{ "User-Agent", "Consul Health Check" },
		{ "Accept", "text/plain, text/*, */*" },
	};
	const char	*body = p->with_body ? str_or(p->check->body, "") : "";
	bool		 away = !same_site(p->first_host, p->target.host);
	size_t		 i;

	wb_printf(w, "%s %s HTTP/1.1\r\n", p->method, p->target.path);
	if (away || !has_header(p, "Host"))
		wb_printf(w, "Host: %s\r\n", p->target.hostport);
	for (i = 0; i < NELEM(always); i++)
		if (!has_header(p, always[i].name))
			wb_printf(w, "%s: %s\r\n", always[i].name,
			    always[i].value);
	if (own_headers(p, away, w, why) == -1)
		return -1;
	if (p->target.auth != NULL && !has_header(p, "Authorization"))
		wb_printf(w, "Authorization: %s\r\n", p->target.auth);
	if (*body != '\0' || strcmp(p->method, "POST") == 0 ||
	    strcmp(p->method, "PUT") == 0)
		wb_printf(w, "Content-Length: %zu\r\n", strlen(body));
	wb_printf(w, "Connection: close\r\n\r\n%s", body);
	return 0;
}

/* ---- the answer ---- */

static void
on_redirect(struct http_probe *p)
{
	char	*next, *location, reason[64];

	if (str_empty(p->answer.location)) {
		(void)snprintf(reason, sizeof(reason),
		    "%ld response missing Location header", p->answer.code);
		http_fail(p, p->target.url, reason);
		return;
	}
	if (p->answer.code <= 303) {
		p->with_body = false;
		if (strcmp(p->method, "HEAD") != 0)
			str_set(&p->method, "GET");
	}
	location = xstrdup(p->answer.location);
	next = target_join(p->url, location);
	if (p->nrequests >= REQUESTS_MAX)
		http_fail(p, location, "stopped after 10 redirects");
	else if (next == NULL)
		http_fail(p, p->target.url, "failed to parse Location header");
	else {
		request_clear(p);
		request(p, next);
	}
	free(location);
	free(next);
}

static bool
is_redirect(const struct http_probe *p)
{
	if (!p->check->follow_redirects)
		return false;
	switch (p->answer.code) {
	case 301: case 302: case 303:
		return true;
	case 307: case 308:
		return !str_empty(p->answer.location);
	default:
		return false;
	}
}

static void
answer_over(struct http_probe *p)
{
	if (is_redirect(p))
		on_redirect(p);
	else
		http_answered(p);
}

static void
on_body(const uint8_t *data, size_t n, void *arg)
{
	struct http_probe	*p = arg;

	tail_add(&p->body, data, n);
}

static void
on_data(const uint8_t *data, size_t n, void *arg)
{
	struct http_probe	*p = arg;
	char			 reason[160];

	h1_feed(&p->answer, data, n, on_body, p);
	if (p->answer.answered && (p->answer.state == H1_DONE ||
	    p->answer.state == H1_BAD || p->body.total > READ_BODY_MAX ||
	    is_redirect(p)))
		answer_over(p);
	else if (p->answer.state == H1_BAD) {
		(void)snprintf(reason, sizeof(reason), "net/http: HTTP/1.x "
		    "transport connection broken: %s", p->answer.error);
		http_fail(p, p->target.url, reason);
	}
}

static void
on_down(const char *error, void *arg)
{
	struct http_probe	*p = arg;

	if (error == NULL)
		h1_eof(&p->answer);
	if (p->answer.answered)
		answer_over(p);
	else
		http_fail(p, p->target.url, error != NULL ? error :
		    p->answer.error);
}

static void
on_up(void *arg)
{
	struct http_probe	*p = arg;
	const char		*why = "out of memory";
	struct wbuf		 w;

	wb_init(&w, 0);
	if (make_request(p, &w, &why) == 0)
		conn_send(p->conn, w.p, w.len);
	else
		http_fail(p, p->target.url, why);
	wb_free(&w);
}

static const struct conn_ops http_conn_ops = { on_up, on_data, on_down };

/* ---- the start ---- */

static void
request(struct http_probe *p, const char *url)
{
	struct conn_to	 to;
	char		*err;

	target_clear(&p->target);
	if (target_url(url, p->method, &p->target, &err) == -1) {
		fail_later(p, err);
		return;
	}
	str_set(&p->url, url);
	if (p->first_host == NULL)
		p->first_host = xstrdup(p->target.host);
	p->nrequests++;
	h1_init(&p->answer, strcmp(p->method, "HEAD") == 0);
	memset(&to, 0, sizeof(to));
	to.host = p->target.host;
	to.port = p->target.port;
	to.tls = p->target.tls;
	to.skip_verify = p->check->tls_skip_verify;
	/* It is for the host of the check, not for where that leads to. */
	if (strcasecmp(p->first_host, p->target.host) == 0)
		to.server_name = p->check->tls_server_name;
	p->conn = conn_start(p->net, &to, &http_conn_ops, p);
}

static void *
http_start(struct prober *pr, const struct msg_check *c, size_t output_max,
    probe_fn *fn, void *arg)
{
	struct http_probe	*p = xcalloc(1, sizeof(*p));
	char			*text;

	p->net = &pr->net;
	p->check = c;
	p->fn = fn;
	p->arg = arg;
	p->with_body = true;
	p->method = xstrdup(str_empty(c->method) ? "GET" : c->method);
	tail_init(&p->body, output_max);
	p->deadline = ev_timer_new(pr->net.ev, on_deadline, p);
	ev_timer_set(p->deadline, probe_timeout_ms(c));
	if (is_token(p->method))
		request(p, c->http);
	else {
		xasprintf(&text, "net/http: invalid method \"%s\"", p->method);
		fail_later(p, text);
	}
	return p;
}

const struct probe_kind http_kind = { http_start, http_cancel };

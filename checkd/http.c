/*
 * HTTP checks, on libcurl's multi interface.  It parses, encrypts and speaks
 * HTTP; it neither resolves nor connects (dial.c does), nor follows redirects,
 * for each may lead to another name.
 *
 * Happy path: dial, ask, read the head, keep the end of the body; up to ten
 * requests while the answer is a redirect.  Failures: the URL makes no sense,
 * no connection, no answer.  An answer whose body breaks off or runs out of
 * time still counts by its status, as with Consul.
 */
#include <curl/curl.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "checkd/dial.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"
#include "checkd/target.h"

#define REQUESTS_MAX	10
#define BODY_MAX	(64u << 20)	/* read of one answer */
#define CA_MAX		(4u << 20)

struct http {
	struct ev		*ev;
	struct resolver		*resolver;
	int			 ca_fd;
	X509_STORE		*store;		/* made at the first https */
	CURLM			*multi;		/* made at the first check */
	struct ev_timer		*timer;
};

struct http_probe {
	struct http		*http;
	const struct msg_check	*check;
	char			*method;
	bool			 with_body;	/* of the request */
	struct target		 target;
	unsigned		 nrequests;
	char			*first_host;
	struct dial		*dial;
	int			 fd;		/* connected, not yet curl's */
	CURL			*easy;
	struct curl_slist	*headers, *connect_to;
	char			 errbuf[CURL_ERROR_SIZE];
	struct ev_timer		*deadline;
	char			*bad;		/* told at once */

	/* the answer */
	long			 code;
	char			 status[160];	/* "200 OK" */
	char			*location;
	bool			 answered;	/* its head is complete */
	struct tail		 body;

	probe_fn		*fn;
	void			*arg;
};

static void	 request(struct http_probe *, const char *url);

/* ---- one probe ---- */

static void
request_clear(struct http_probe *p)
{
	dial_cancel(p->dial);
	p->dial = NULL;
	if (p->easy != NULL) {
		curl_multi_remove_handle(p->http->multi, p->easy);
		curl_easy_cleanup(p->easy);
		p->easy = NULL;
	}
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
	curl_slist_free_all(p->headers);
	curl_slist_free_all(p->connect_to);
	p->headers = p->connect_to = NULL;
	free(p->location);
	p->location = NULL;
	p->answered = false;
	tail_clear(&p->body);
}

void
http_cancel(struct http_probe *p)
{
	request_clear(p);
	target_clear(&p->target);
	ev_timer_free(p->deadline);
	free(p->method);
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
	http_end(p, http_status(p->code), http_output(
	    str_empty(p->check->method) ? "GET" : p->check->method,
	    p->check->http, p->status, &p->body));
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
	} else if (p->answered)
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

/* ---- what curl tells ---- */

/* "HTTP/1.1 200 OK\r\n": a new head begins. */
static void
on_status_line(struct http_probe *p, const char *line, size_t n)
{
	const char	*sp = memchr(line, ' ', n);
	size_t		 len;

	free(p->location);
	p->location = NULL;
	p->code = 0;
	p->status[0] = '\0';
	if (sp == NULL)
		return;
	len = n - (size_t)(sp + 1 - line);
	while (len > 0 && strchr("\r\n ", sp[len]) != NULL)
		len--;
	if (len >= sizeof(p->status))
		len = sizeof(p->status) - 1;
	memcpy(p->status, sp + 1, len);
	p->status[len] = '\0';
	p->code = strtol(p->status, NULL, 10);
}

static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	static const char	 location[] = "location:";
	struct http_probe	*p = arg;
	size_t			 skip = sizeof(location) - 1, len = n * size;

	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		on_status_line(p, line, len);
	else if (len <= 2 && p->code >= 200)
		p->answered = true;
	else if (len > skip && len < 4096 &&
	    strncasecmp(line, location, skip) == 0) {
		while (skip < len && line[skip] == ' ')
			skip++;
		while (len > skip && strchr("\r\n", line[len - 1]) != NULL)
			len--;
		free(p->location);
		p->location = xstrndup(line + skip, len - skip);
	}
	return n * size;
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_probe	*p = arg;

	if (p->body.total > BODY_MAX)
		return 0;
	tail_add(&p->body, data, size * n);
	return size * n;
}

static curl_socket_t
on_open_socket(void *arg, curlsocktype type, struct curl_sockaddr *addr)
{
	struct http_probe	*p = arg;
	int			 fd = p->fd;

	(void)type;
	(void)addr;
	p->fd = -1;
	return fd == -1 ? CURL_SOCKET_BAD : fd;
}

static int
on_sockopt(void *arg, curl_socket_t fd, curlsocktype type)
{
	(void)arg;
	(void)fd;
	(void)type;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* ---- certificates ---- */

static X509_STORE *
store_load(int fd)
{
	X509_STORE	*store = X509_STORE_new();
	struct wbuf	 w;
	uint8_t		*room;
	ssize_t		 n = 0;
	BIO		*bio;
	X509		*cert;

	wb_init(&w, CA_MAX);
	do {
		if ((room = wb_reserve(&w, 65536)) == NULL)
			break;
		n = read(fd, room, 65536);
		w.len -= 65536 - (n > 0 ? (size_t)n : 0);
	} while (n > 0);
	if (n == -1)
		log_warn("certificates: read");
	bio = BIO_new_mem_buf(w.p, (int)w.len);
	while (bio != NULL && store != NULL &&
	    (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		(void)X509_STORE_add_cert(store, cert);
		X509_free(cert);
	}
	BIO_free(bio);
	wb_free(&w);
	return store;
}

/* One store for all, read when first needed: it costs 16 ms and a megabyte. */
static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	struct http_probe	*p = arg;
	struct http		*h = p->http;

	(void)easy;
	if (p->check->tls_skip_verify)
		return CURLE_OK;
	if (h->store == NULL && h->ca_fd != -1) {
		h->store = store_load(h->ca_fd);
		close(h->ca_fd);
		h->ca_fd = -1;
	}
	if (h->store != NULL)
		SSL_CTX_set1_cert_store(ctx, h->store);
	return CURLE_OK;
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

static bool
same_site(const char *first, const char *host)
{
	size_t	 a = strlen(first), b = strlen(host);

	return b >= a && strcasecmp(host + b - a, first) == 0 &&
	    (b == a || host[b - a - 1] == '.');
}

static void
add_header(struct http_probe *p, const char *name, const char *value)
{
	char	*line;

	/* libcurl's way to say "present and empty". */
	if (*value == '\0')
		xasprintf(&line, "%s;", name);
	else
		xasprintf(&line, "%s: %s", name, value);
	p->headers = curl_slist_append(p->headers, line);
	free(line);
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

/* 0, or -1 with what is wrong. */
static int
make_headers(struct http_probe *p, const char **why)
{
	static const struct { const char *name, *value; } always[] = {
		{ "User-Agent", "Consul Health Check" },
		{ "Accept", "text/plain, text/*, */*" },
		{ "Connection", "close" },
	};
	const struct strsmap	*h = &p->check->header;
	bool			 away;
	size_t			 i, k;

	away = !same_site(p->first_host, p->target.host);
	for (i = 0; i < h->n; i++) {
		if (!is_token(h->item[i].key)) {
			*why = "net/http: invalid header field name";
			return -1;
		}
		if (away && for_first_host_only(h->item[i].key))
			continue;
		for (k = 0; k < h->item[i].val.n; k++) {
			if (!is_value(h->item[i].val.item[k])) {
				*why = "net/http: invalid header field value";
				return -1;
			}
			add_header(p, h->item[i].key,
			    h->item[i].val.item[k]);
		}
	}
	for (i = 0; i < NELEM(always); i++)
		if (!has_header(p, always[i].name))
			add_header(p, always[i].name, always[i].value);
	/* What libcurl would add by itself. */
	p->headers = curl_slist_append(p->headers, "Expect:");
	if (!has_header(p, "Content-Type"))
		p->headers = curl_slist_append(p->headers, "Content-Type:");
	return 0;
}

static void
set_method(struct http_probe *p)
{
	bool	 get = strcmp(p->method, "GET") == 0;

	if (strcmp(p->method, "HEAD") == 0) {
		curl_easy_setopt(p->easy, CURLOPT_NOBODY, 1L);
		return;
	}
	curl_easy_setopt(p->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	if ((p->with_body && !str_empty(p->check->body)) ||
	    strcmp(p->method, "POST") == 0 || strcmp(p->method, "PUT") == 0) {
		curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS,
		    p->with_body ? str_or(p->check->body, "") : "");
		get = false;
	}
	if (!get)
		curl_easy_setopt(p->easy, CURLOPT_CUSTOMREQUEST, p->method);
}

static void
set_options(struct http_probe *p)
{
	CURL	*e = p->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, p);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, p->errbuf);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_URL, p->target.url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	/*
	 * The socket is connected already; a literal address keeps the name
	 * from being resolved, which would start a thread.
	 */
	p->connect_to = curl_slist_append(NULL, "::127.0.0.1:");
	curl_easy_setopt(e, CURLOPT_CONNECT_TO, p->connect_to);
	curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, p);
	curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_sockopt);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, p);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, p);
	if (!p->target.tls)
		return;
	curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, p);
	if (p->check->tls_skip_verify) {
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void
on_dial(int fd, const char *error, void *arg)
{
	struct http_probe	*p = arg;
	const char		*why = "out of memory";

	p->dial = NULL;
	if (fd == -1) {
		http_fail(p, p->target.url, error);
		return;
	}
	p->fd = fd;
	if (make_headers(p, &why) == -1 ||
	    (p->easy = curl_easy_init()) == NULL) {
		http_fail(p, p->target.url, why);
		return;
	}
	set_options(p);
	set_method(p);
	if (curl_multi_add_handle(p->http->multi, p->easy) != CURLM_OK) {
		curl_easy_cleanup(p->easy);
		p->easy = NULL;
		http_fail(p, p->target.url, "out of memory");
	}
}

/* ---- the answer ---- */

static const char *
failure_text(const struct http_probe *p, CURLcode rc, char *buf, size_t len)
{
	char	 reason[128];
	long	 err = 0;

	switch ((int)rc) {
	case CURLE_GOT_NOTHING:
		return "EOF";
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return "net/http: HTTP/1.x transport connection broken: "
		    "malformed HTTP response";
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		curl_easy_getinfo(p->easy, CURLINFO_OS_ERRNO, &err);
		(void)snprintf(buf, len, "%s: %s",
		    rc == CURLE_RECV_ERROR ? "read" : "write",
		    error_text(err != 0 ? (int)err : ECONNRESET, reason,
		    sizeof(reason)));
		return buf;
	default:
		(void)snprintf(buf, len, "%s", p->errbuf[0] != '\0' ?
		    p->errbuf : curl_easy_strerror(rc));
		return buf;
	}
}

static void
on_redirect(struct http_probe *p)
{
	char	*url = NULL, *next, *location, reason[64];

	curl_easy_getinfo(p->easy, CURLINFO_REDIRECT_URL, &url);
	if (p->location == NULL || url == NULL) {
		(void)snprintf(reason, sizeof(reason),
		    "%ld response missing Location header", p->code);
		http_fail(p, p->target.url, reason);
		return;
	}
	if (p->code <= 303) {
		p->with_body = false;
		if (strcmp(p->method, "HEAD") != 0)
			str_set(&p->method, "GET");
	}
	if (p->nrequests >= REQUESTS_MAX) {
		location = xstrdup(p->location);
		http_fail(p, location, "stopped after 10 redirects");
		free(location);
		return;
	}
	next = xstrdup(url);
	request_clear(p);
	request(p, next);
	free(next);
}

static void
on_done(struct http_probe *p, CURLcode rc)
{
	char	 text[CURL_ERROR_SIZE + 64];

	if (!p->answered) {
		http_fail(p, p->target.url, failure_text(p, rc, text,
		    sizeof(text)));
		return;
	}
	switch (p->code) {
	case 301: case 302: case 303:
		on_redirect(p);
		break;
	case 307: case 308:
		if (p->location != NULL)
			on_redirect(p);
		else
			http_answered(p);
		break;
	default:
		http_answered(p);
		break;
	}
}

/* ---- curl on the loop ---- */

static void
read_done(struct http *h)
{
	struct http_probe	*p;
	CURLMsg			*m;
	CURLcode		 rc;
	int			 left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		rc = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
		on_done(p, rc);
	}
}

static void
on_io(struct ev_io *io, int fd, int events, void *arg)
{
	struct http	*h = arg;
	int		 mask = 0, running;

	(void)io;
	if (events & (EV_READ | EV_HANGUP))
		mask |= CURL_CSELECT_IN;
	if (events & EV_WRITE)
		mask |= CURL_CSELECT_OUT;
	curl_multi_socket_action(h->multi, fd, mask, &running);
	read_done(h);
}

static void
on_timer(void *arg)
{
	struct http	*h = arg;
	int		 running;

	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	read_done(h);
}

static int
on_set_timer(CURLM *multi, long ms, void *arg)
{
	struct http	*h = arg;

	(void)multi;
	if (ms < 0)
		ev_timer_stop(h->timer);
	else
		ev_timer_set(h->timer, (uint64_t)ms);
	return 0;
}

static int
on_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *sockp)
{
	struct http	*h = arg;
	struct ev_io	*io = sockp;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		ev_io_free(io);
		curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (io == NULL) {
		io = ev_io_new(h->ev, fd, on_io, h);
		curl_multi_assign(h->multi, fd, io);
	}
	ev_io_set(io, (what & CURL_POLL_IN ? EV_READ : 0) |
	    (what & CURL_POLL_OUT ? EV_WRITE : 0));
	return 0;
}

struct http *
http_new(struct ev *ev, struct resolver *r, int ca_fd)
{
	struct http	*h = xcalloc(1, sizeof(*h));

	h->ev = ev;
	h->resolver = r;
	h->ca_fd = ca_fd;
	h->timer = ev_timer_new(ev, on_timer, h);
	return h;
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	if (h->multi != NULL)
		curl_multi_cleanup(h->multi);
	X509_STORE_free(h->store);
	if (h->ca_fd != -1)
		close(h->ca_fd);
	ev_timer_free(h->timer);
	free(h);
}

/* At the first check; OpenSSL starts itself when it is first used. */
static void
multi_make(struct http *h)
{
	if (curl_global_init(CURL_GLOBAL_NOTHING) != 0 ||
	    (h->multi = curl_multi_init()) == NULL)
		fatalx("libcurl: cannot start");
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
}

/* ---- the start ---- */

static void
request(struct http_probe *p, const char *url)
{
	char	*err;

	target_clear(&p->target);
	if (target_url(url, p->method, &p->target, &err) == -1) {
		fail_later(p, err);
		return;
	}
	if (p->first_host == NULL)
		p->first_host = xstrdup(p->target.host);
	p->nrequests++;
	p->dial = dial_start(p->http->ev, p->http->resolver, p->target.host,
	    p->target.port, on_dial, p);
}

struct http_probe *
http_start(struct http *h, const struct msg_check *c, size_t output_max,
    probe_fn *fn, void *arg)
{
	struct http_probe	*p = xcalloc(1, sizeof(*p));
	int64_t			 timeout = c->timeout > 0 ? c->timeout :
				    PROBE_TIMEOUT_NS;
	char			*text;

	if (h->multi == NULL)
		multi_make(h);
	p->http = h;
	p->check = c;
	p->fd = -1;
	p->fn = fn;
	p->arg = arg;
	p->with_body = true;
	p->method = xstrdup(str_empty(c->method) ? "GET" : c->method);
	tail_init(&p->body, output_max);
	p->deadline = ev_timer_new(h->ev, on_deadline, p);
	ev_timer_set(p->deadline, (uint64_t)(timeout / NS_PER_MS));
	if (is_token(p->method))
		request(p, c->http);
	else {
		xasprintf(&text, "net/http: invalid method \"%s\"", p->method);
		fail_later(p, text);
	}
	return p;
}

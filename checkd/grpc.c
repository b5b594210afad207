/*
 * gRPC checks, by the health protocol, on libcurl's HTTP/2.  It frames,
 * encrypts and speaks HTTP/2; it neither resolves nor connects (dial.c does).
 *
 * Happy path: dial, POST the question, one message back, grpc-status 0 in the
 * trailer, SERVING.  Failures: no connection, no HTTP/2, an error status, a
 * message that is none, another state than SERVING.
 */
#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "checkd/health.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"
#include "checkd/target.h"

#define METHOD	"/grpc.health.v1.Health/Check"

struct grpcs {
	struct net		*net;
	CURLM			*multi;		/* made at the first check */
	struct ev_timer		*timer;
};

struct grpc_probe {
	struct grpcs		*all;
	const struct msg_check	*check;
	struct target		 target;
	struct dial		*dial;
	int			 fd;		/* connected, not yet curl's */
	CURL			*easy;
	struct curl_slist	*headers, *connect_to;
	struct wbuf		 question;
	char			 errbuf[CURL_ERROR_SIZE];
	struct ev_timer		*deadline;	/* or the end of a bad one */
	char			*bad;

	/* the answer */
	long			 code, grpc_status;	/* -1: none */
	char			*message;
	uint8_t			 body[HEALTH_ANSWER_MAX];
	size_t			 body_len;
	bool			 too_long;

	probe_fn		*fn;
	void			*arg;
};

/* ---- the end ---- */

static void
grpc_cancel(void *arg)
{
	struct grpc_probe	*p = arg;

	dial_cancel(p->dial);
	if (p->easy != NULL) {
		curl_multi_remove_handle(p->all->multi, p->easy);
		curl_easy_cleanup(p->easy);
	}
	if (p->fd != -1)
		close(p->fd);
	curl_slist_free_all(p->headers);
	curl_slist_free_all(p->connect_to);
	ev_timer_free(p->deadline);
	target_clear(&p->target);
	wb_free(&p->question);
	free(p->message);
	free(p->bad);
	free(p);
}

static void
grpc_end(struct grpc_probe *p, const char *status, char *output)
{
	probe_fn	*fn = p->fn;
	void		*arg = p->arg;

	grpc_cancel(p);
	fn(status, output, arg);
	free(output);
}

static void __attribute__((format(printf, 3, 4)))
grpc_fail(struct grpc_probe *p, const char *code, const char *fmt, ...)
{
	char	*why = NULL, *text;
	va_list	 ap;

	va_start(ap, fmt);
	if (vasprintf(&why, fmt, ap) == -1)
		why = NULL;
	va_end(ap);
	xasprintf(&text, "rpc error: code = %s desc = %s", code,
	    str_or(why, "out of memory"));
	free(why);
	grpc_end(p, critical, text);
}

static void
grpc_unavailable(struct grpc_probe *p, const char *why)
{
	grpc_fail(p, "Unavailable", "connection error: desc = \"transport: "
	    "%s\"", why);
}

static void
on_deadline(void *arg)
{
	struct grpc_probe	*p = arg;
	char			*bad = p->bad;

	p->bad = NULL;
	if (bad != NULL)
		grpc_end(p, critical, bad);
	else
		grpc_fail(p, "DeadlineExceeded", "context deadline exceeded");
}

static void
grpc_answered(struct grpc_probe *p)
{
	uint64_t	 status;
	char		*text;

	if (p->code != 200)
		grpc_fail(p, "Unknown", "the server answered HTTP status %ld",
		    p->code);
	else if (p->grpc_status > 0)
		grpc_fail(p, health_code(p->grpc_status), "%s",
		    str_or(p->message, ""));
	else if (p->grpc_status != 0)
		grpc_fail(p, "Internal", "server closed the stream without "
		    "sending trailers");
	else if (p->too_long ||
	    health_answer(p->body, p->body_len, &status) == -1)
		grpc_fail(p, "Internal", "the answer is no "
		    "HealthCheckResponse");
	else if (status != HEALTH_SERVING)
		grpc_end(p, critical, xstrdup("gRPC application didn't report "
		    "service healthy"));
	else {
		xasprintf(&text, "gRPC check %s: success", p->check->grpc);
		grpc_end(p, passing, text);
	}
}

static void
on_done(struct grpc_probe *p, CURLcode rc)
{
	if (rc == CURLE_OK || p->code != 0)
		grpc_answered(p);
	else if (rc == CURLE_PEER_FAILED_VERIFICATION)
		grpc_unavailable(p, "authentication handshake failed: x509: "
		    "certificate is not trusted");
	else
		grpc_unavailable(p, p->errbuf[0] != '\0' ? p->errbuf :
		    curl_easy_strerror(rc));
}

/* ---- what curl tells ---- */

static bool
header_is(const char *line, size_t len, const char *name, const char **value,
    size_t *n)
{
	size_t	 k = strlen(name);

	if (len <= k || line[k] != ':' || strncasecmp(line, name, k) != 0)
		return false;
	line += k + 1;
	len -= k + 1;
	while (len > 0 && *line == ' ') {
		line++;
		len--;
	}
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	*value = line;
	*n = len;
	return true;
}

/* The head's, and the trailer's. */
static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct grpc_probe	*p = arg;
	const char		*v;
	char			 number[8] = "";
	size_t			 len, all = size * n;

	if (all >= 5 && memcmp(line, "HTTP/", 5) == 0)
		curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &p->code);
	else if (header_is(line, all, "grpc-status", &v, &len) &&
	    len > 0 && len < sizeof(number)) {
		memcpy(number, v, len);
		p->grpc_status = strtol(number, NULL, 10);
	} else if (header_is(line, all, "grpc-message", &v, &len)) {
		free(p->message);
		p->message = health_message(v, len);
	}
	return all;
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct grpc_probe	*p = arg;
	size_t			 len = size * n;

	if (len > sizeof(p->body) - p->body_len) {
		p->too_long = true;
		return 0;
	}
	memcpy(p->body + p->body_len, data, len);
	p->body_len += len;
	return len;
}

static curl_socket_t
on_open_socket(void *arg, curlsocktype type, struct curl_sockaddr *addr)
{
	struct grpc_probe	*p = arg;
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

static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	struct grpc_probe	*p = arg;
	X509_STORE		*store;

	(void)easy;
	trust_identify(p->all->net->trust, ctx);
	if (!p->check->tls_skip_verify &&
	    (store = trust_store(p->all->net->trust)) != NULL)
		SSL_CTX_set1_cert_store(ctx, store);
	return CURLE_OK;
}

/* ---- the request ---- */

static void
set_tls(struct grpc_probe *p)
{
	CURL	*e = p->easy;

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
set_options(struct grpc_probe *p, const char *url)
{
	CURL	*e = p->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, p);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, p->errbuf);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, p->check->tls ?
	    CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	p->headers = curl_slist_append(NULL, "Content-Type: application/grpc");
	p->headers = curl_slist_append(p->headers, "TE: trailers");
	p->headers = curl_slist_append(p->headers,
	    "User-Agent: Consul Health Check");
	p->headers = curl_slist_append(p->headers, "Expect:");
	p->headers = curl_slist_append(p->headers, "Accept:");
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, p->question.p);
	curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)p->question.len);
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
	if (p->check->tls)
		set_tls(p);
}

static void
on_dial(int fd, const char *error, void *arg)
{
	struct grpc_probe	*p = arg;
	bool			 six = strchr(p->target.host, ':') != NULL;
	char			*url, *text;

	p->dial = NULL;
	if (fd == -1) {
		xasprintf(&text, "Error while dialing %s", error);
		grpc_unavailable(p, text);
		free(text);
		return;
	}
	p->fd = fd;
	if ((p->easy = curl_easy_init()) == NULL) {
		grpc_unavailable(p, "out of memory");
		return;
	}
	/* A name to be expected in the certificate is asked for as the host:
	 * where the connection leads to is settled already. */
	if (p->check->tls && !str_empty(p->check->tls_server_name))
		xasprintf(&url, "https://%s:%u" METHOD,
		    p->check->tls_server_name, p->target.port);
	else
		xasprintf(&url, "%s://%s%s%s:%u" METHOD, p->check->tls ?
		    "https" : "http", six ? "[" : "", p->target.host,
		    six ? "]" : "", p->target.port);
	set_options(p, url);
	free(url);
	if (curl_multi_add_handle(p->all->multi, p->easy) != CURLM_OK) {
		curl_easy_cleanup(p->easy);
		p->easy = NULL;
		grpc_unavailable(p, "out of memory");
	}
}

/* ---- curl on the loop ---- */

static void
read_done(struct grpcs *g)
{
	struct grpc_probe	*p;
	CURLMsg			*m;
	CURLcode		 rc;
	int			 left;

	while ((m = curl_multi_info_read(g->multi, &left)) != NULL) {
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
	struct grpcs	*g = arg;
	int		 mask = 0, running;

	(void)io;
	if (events & (EV_READ | EV_HANGUP))
		mask |= CURL_CSELECT_IN;
	if (events & EV_WRITE)
		mask |= CURL_CSELECT_OUT;
	curl_multi_socket_action(g->multi, fd, mask, &running);
	read_done(g);
}

static void
on_timer(void *arg)
{
	struct grpcs	*g = arg;
	int		 running;

	curl_multi_socket_action(g->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	read_done(g);
}

static int
on_set_timer(CURLM *multi, long ms, void *arg)
{
	struct grpcs	*g = arg;

	(void)multi;
	if (ms < 0)
		ev_timer_stop(g->timer);
	else
		ev_timer_set(g->timer, (uint64_t)ms);
	return 0;
}

static int
on_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *sockp)
{
	struct grpcs	*g = arg;
	struct ev_io	*io = sockp;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		ev_io_free(io);
		curl_multi_assign(g->multi, fd, NULL);
		return 0;
	}
	if (io == NULL) {
		io = ev_io_new(g->net->ev, fd, on_io, g);
		curl_multi_assign(g->multi, fd, io);
	}
	ev_io_set(io, (what & CURL_POLL_IN ? EV_READ : 0) |
	    (what & CURL_POLL_OUT ? EV_WRITE : 0));
	return 0;
}

struct grpcs *
grpcs_new(struct net *net)
{
	struct grpcs	*g = xcalloc(1, sizeof(*g));

	g->net = net;
	g->timer = ev_timer_new(net->ev, on_timer, g);
	return g;
}

void
grpcs_free(struct grpcs *g)
{
	if (g == NULL)
		return;
	if (g->multi != NULL)
		curl_multi_cleanup(g->multi);
	ev_timer_free(g->timer);
	free(g);
}

/* At the first check; OpenSSL starts itself when it is first used. */
static void
multi_make(struct grpcs *g)
{
	if (curl_global_init(CURL_GLOBAL_NOTHING) != 0 ||
	    (g->multi = curl_multi_init()) == NULL)
		fatalx("libcurl: cannot start");
	curl_multi_setopt(g->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
	curl_multi_setopt(g->multi, CURLMOPT_SOCKETDATA, g);
	curl_multi_setopt(g->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
	curl_multi_setopt(g->multi, CURLMOPT_TIMERDATA, g);
}

/* ---- the start ---- */

static void *
grpc_start(struct prober *pr, const struct msg_check *c, size_t output_max,
    probe_fn *fn, void *arg)
{
	struct grpc_probe	*p = xcalloc(1, sizeof(*p));
	const char		*slash = strchr(c->grpc, '/');
	char			*hostport;

	(void)output_max;
	if (pr->grpcs->multi == NULL)
		multi_make(pr->grpcs);
	p->all = pr->grpcs;
	p->check = c;
	p->fd = -1;
	p->grpc_status = -1;
	p->fn = fn;
	p->arg = arg;
	wb_init(&p->question, 0);
	health_request(slash == NULL ? "" : slash + 1, &p->question);
	p->deadline = ev_timer_new(pr->net.ev, on_deadline, p);
	hostport = slash == NULL ? xstrdup(c->grpc) :
	    xstrndup(c->grpc, (size_t)(slash - c->grpc));
	(void)target_hostport(hostport, "tcp", &p->target, &p->bad);
	free(hostport);
	if (p->bad != NULL) {
		ev_timer_set(p->deadline, 0);
		return p;
	}
	ev_timer_set(p->deadline, probe_timeout_ms(c));
	p->dial = dial_start(pr->net.ev, pr->net.resolver, &pr->net.allow,
	    p->target.host, p->target.port, on_dial, p);
	return p;
}

const struct probe_kind grpc_kind = { grpc_start, grpc_cancel };

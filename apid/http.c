/*
 * The HTTP library on our loop: one daemon of it per listening socket, each
 * with its own epoll descriptor, which the loop watches.  Owns connections and
 * the life of a request; what a request means is in routes.c and the ep_ files.
 *
 *	access handler, headers	-> request_new
 *	access handler, body	-> collected
 *	access handler, end	-> dispatch(): answered, or suspended until a
 *				   daemon of the suite answers
 *	request_answered()	-> resumed; the library asks again; queued
 *
 * A suspended client that goes away is not noticed by the library, so its
 * descriptor is watched for the hang-up until the request ends: not at once, for
 * most are answered in no time, and that would cost as much as the rest.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apid/apid.h"
#include "apid/https.h"
#include "common/log.h"
#include "common/util.h"

#define IDLE_TIMEOUT_S	120	/* of a connection between requests */
#define CONNECTIONS_MAX	16000	/* below the limit of descriptors */
#define GIVE_BYTES	32768	/* of a streamed answer at once */
#define LARGE_BYTES	(1u << 20)	/* of an answer: cleaned up after */
#define WATCH_AFTER_MS	1000	/* of being suspended */
#define CONN_MEMORY	16384	/* bounds the header of a request */
#define REQUEST_MAX_MS	180000	/* from the end of one to that of the next */

static void
listener_free(struct listener *l)
{
	ev_io_free(l->io);
	ev_timer_free(l->timer);
	free(l);
}

/* One that was replaced: has its last client gone? */
static bool
is_done(const struct listener *l)
{
	const union MHD_DaemonInfo	*info;

	info = MHD_get_daemon_info(l->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	return l->closing && info != NULL && info->num_connections == 0;
}

static void
listener_run(struct listener *l)
{
	MHD_UNSIGNED_LONG_LONG	ms;

	l->kick = false;
	do
		MHD_run(l->mhd);
	while (MHD_get_timeout(l->mhd, &ms) == MHD_YES && ms == 0);
	if (MHD_get_timeout(l->mhd, &ms) == MHD_YES)
		ev_timer_set(l->timer, ms);
	else
		ev_timer_stop(l->timer);
}

static void
on_epoll(struct ev_io *io, int fd, int events, void *arg)
{
	(void)io;
	(void)fd;
	(void)events;
	listener_run(arg);
}

static void
on_timer(void *arg)
{
	listener_run(arg);
}

/* After each turn of the loop: those with connections that were resumed. */
static void
run_kicked(void *arg)
{
	struct apid	*a = arg;
	struct listener	*l, *next;

	SLIST_FOREACH_SAFE(l, &a->listeners, entry, next) {
		if (l->kick)
			listener_run(l);
		if (is_done(l)) {
			SLIST_REMOVE(&a->listeners, l, listener, entry);
			MHD_stop_daemon(l->mhd);
			listener_free(l);
		}
	}
}

/* ---- connections: who is too slow ---- */

static void
not_waiting(struct conn *c)
{
	if (c->waiting)
		TAILQ_REMOVE(&c->apid->waiting, c, entry);
	c->waiting = false;
}

/* The library's own limit begins anew with each byte that drips in. */
static void
on_waiting_timer(void *arg)
{
	struct apid	*a = arg;
	struct conn	*c;
	uint64_t	 age;

	while ((c = TAILQ_FIRST(&a->waiting)) != NULL) {
		age = ev_now(a->ev) - c->since_ms;
		if (age < REQUEST_MAX_MS) {
			ev_timer_set(a->waiting_timer, REQUEST_MAX_MS - age);
			break;
		}
		not_waiting(c);
		(void)shutdown(c->fd, SHUT_RDWR);
	}
}

static void
is_waiting(struct conn *c)
{
	struct apid	*a = c->apid;

	not_waiting(c);
	c->since_ms = ev_now(a->ev);
	c->waiting = true;
	TAILQ_INSERT_TAIL(&a->waiting, c, entry);
	if (a->waiting_timer == NULL)
		a->waiting_timer = ev_timer_new(a->ev, on_waiting_timer, a);
	if (!ev_timer_pending(a->waiting_timer))
		ev_timer_set(a->waiting_timer, REQUEST_MAX_MS);
}

static void
on_connection(void *arg, struct MHD_Connection *conn, void **ctx,
    enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo	*info;
	struct listener			*l = arg;
	struct conn			*c = *ctx;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(conn,
		    MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info == NULL)
			return;
		*ctx = c = xcalloc(1, sizeof(*c));
		c->apid = l->apid;
		c->fd = info->connect_fd;
		is_waiting(c);
	} else if (c != NULL) {
		not_waiting(c);
		free(c);
		*ctx = NULL;
	}
}

static struct conn *
conn_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo	*info;

	info = MHD_get_connection_info(conn,
	    MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info == NULL ? NULL : info->socket_context;
}

/* ---- requests ---- */

static enum MHD_Result
on_query(void *arg, enum MHD_ValueKind kind, const char *key, const char *val)
{
	struct request	*r = arg;

	(void)kind;
	params_add(&r->params, key, val);
	return MHD_YES;
}

/* A value, or a transaction, may be configured to be longer. */
static size_t
body_max(const struct conf_http *h)
{
	uint64_t	max = BODY_MAX_BYTES;

	if (h->kv_max_value_size > max)
		max = h->kv_max_value_size;
	if (h->txn_max_req_len > max)
		max = h->txn_max_req_len;
	return max;
}

static struct request *
request_new(struct listener *l, struct MHD_Connection *conn, const char *url,
    const char *method)
{
	struct request	*r = xcalloc(1, sizeof(*r));

	r->apid = l->apid;
	r->listener = l;
	r->conn = conn;
	r->path = xstrdup(url);
	r->method_text = xstrdup(method);
	r->method = strcmp(method, "GET") == 0 ? M_GET :
	    strcmp(method, "PUT") == 0 ? M_PUT :
	    strcmp(method, "DELETE") == 0 ? M_DELETE :
	    strcmp(method, "POST") == 0 ? M_POST : M_OTHER;
	wb_init(&r->body, body_max(&l->apid->http));
	wb_init(&r->answer, 0);
	SLIST_INIT(&r->headers);
	MHD_get_connection_values(conn, MHD_GET_ARGUMENT_KIND, on_query, r);
	return r;
}

static void
not_young(struct request *r)
{
	if (r->is_young)
		TAILQ_REMOVE(&r->apid->young, r, young_entry);
	r->is_young = false;
}

static void
request_free(struct request *r)
{
	struct header	*h;

	not_young(r);
	if (r->call != NULL)
		call_cancel(r->call);
	free(r->asked);
	if (r->state_free != NULL)
		r->state_free(r->state);
	ev_io_free(r->watch);
	while ((h = SLIST_FIRST(&r->headers)) != NULL) {
		SLIST_REMOVE_HEAD(&r->headers, entry);
		free(h->name);
		free(h->value);
		free(h);
	}
	params_clear(&r->params);
	if (r->answer.len >= LARGE_BYTES)
		child_give_back(r->apid->child);
	wb_free(&r->body);
	wb_free(&r->answer);
	free(r->path);
	free(r->method_text);
	free(r);
}

/* Of an answer that streams. */
static ssize_t
on_give(void *arg, uint64_t at, char *buf, size_t max)
{
	struct request	*r = arg;
	ssize_t		 n = r->give(r, buf, max);

	(void)at;
	if (n == 0)
		request_hold(r);
	return n == -1 ? MHD_CONTENT_READER_END_OF_STREAM :
	    n == -2 ? MHD_CONTENT_READER_END_WITH_ERROR : n;
}

static enum MHD_Result
queue_answer(struct request *r)
{
	struct MHD_Response	*resp;
	struct header		*h;
	enum MHD_Result		 rc;
	size_t			 i;
	const struct strmap	*extra = &r->apid->http.response_headers;

	resp = r->give != NULL ? MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, GIVE_BYTES, on_give, r, NULL) :
	    MHD_create_response_from_buffer(r->answer.len, r->answer.p,
	    MHD_RESPMEM_PERSISTENT);	/* r outlives it: on_completed() */
	if (resp == NULL)
		return MHD_NO;
	if (r->type != NULL)
		MHD_add_response_header(resp, "Content-Type", r->type);
	SLIST_FOREACH(h, &r->headers, entry)
		MHD_add_response_header(resp, h->name, h->value);
	/* Of endpoints alone, as in Consul: not of what there is none of. */
	for (i = 0; r->route != NULL && i < extra->n; i++)
		MHD_add_response_header(resp, extra->item[i].key,
		    extra->item[i].val);
	if (r->route != NULL && r->apid->agent.translate_wan)
		MHD_add_response_header(resp, "X-Consul-Translate-Addresses",
		    "true");
	rc = MHD_queue_response(r->conn, r->status, resp);
	MHD_destroy_response(resp);
	r->queued = true;
	return rc;
}

/* The client of a suspended request hung up: let the library see it. */
static void
on_hangup(struct ev_io *io, int fd, int events, void *arg)
{
	struct request	*r = arg;

	(void)io;
	(void)fd;
	(void)events;
	if (r->call != NULL) {
		call_cancel(r->call);
		r->call = NULL;
	}
	reply_empty(r, 499);	/* nobody will read it */
}

static void
watch(struct request *r)
{
	const union MHD_ConnectionInfo	*info;

	info = MHD_get_connection_info(r->conn,
	    MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info == NULL)
		return;
	r->watch = ev_io_new(r->apid->ev, info->connect_fd, on_hangup, r);
	ev_io_set(r->watch, EV_HANGUP);
}

static void
on_young_timer(void *arg)
{
	struct apid	*a = arg;
	struct request	*r;
	uint64_t	 age;

	while ((r = TAILQ_FIRST(&a->young)) != NULL) {
		age = ev_now(a->ev) - r->suspended_ms;
		if (age < WATCH_AFTER_MS) {
			ev_timer_set(a->young_timer, WATCH_AFTER_MS - age);
			break;
		}
		not_young(r);
		watch(r);
	}
}

static void
suspend(struct request *r)
{
	struct apid	*a = r->apid;

	r->suspended = true;
	MHD_suspend_connection(r->conn);
	r->suspended_ms = ev_now(a->ev);
	r->is_young = true;
	TAILQ_INSERT_TAIL(&a->young, r, young_entry);
	if (a->young_timer == NULL)
		a->young_timer = ev_timer_new(a->ev, on_young_timer, a);
	if (!ev_timer_pending(a->young_timer))
		ev_timer_set(a->young_timer, WATCH_AFTER_MS);
}

void
request_answered(struct request *r)
{
	r->answered = true;
	if (!r->suspended)
		return;		/* still inside the access handler */
	r->suspended = false;
	not_young(r);
	ev_io_free(r->watch);
	r->watch = NULL;
	MHD_resume_connection(r->conn);
	r->listener->kick = true;
}

void
request_hold(struct request *r)
{
	if (r->held)
		return;
	r->held = true;
	MHD_suspend_connection(r->conn);
}

void
request_more(struct request *r)
{
	if (!r->held)
		return;
	r->held = false;
	MHD_resume_connection(r->conn);
	/* Perhaps from a job that run_kicked() led to: it comes no more in this
	 * turn. */
	ev_timer_set(r->listener->timer, 0);
}

static void
too_large(struct request *r)
{
	reply_text(r, 413, "Request body too large, max size: %zu bytes",
	    body_max(&r->apid->http));
}

/* Does its header say that the body will be too long? */
static bool
says_too_large(const struct request *r)
{
	const char	*text = MHD_lookup_connection_value(r->conn,
			    MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return text != NULL && strtoull(text, NULL, 10) >
	    body_max(&r->apid->http);
}

/*
 * The body of one that streams, or of any other.  The library takes no answer
 * in the middle of a body: one in chunks that becomes too long is cut off.
 */
static enum MHD_Result
take_body(struct request *r, const char *data, size_t n)
{
	if (!r->begun)
		wb_bytes(&r->body, data, n);
	else if (r->take != NULL && !r->answered)
		r->take(r, data, n);
	return r->body.err ? MHD_NO : MHD_YES;
}

/*
 * Text ends at a NUL, for the library as for us: of a path with %00 only the
 * part before would be seen, and that is another key.  What is returned stands
 * for the request until there is one.
 */
static char	 cut_uri;

static void *
on_uri(void *arg, const char *uri, struct MHD_Connection *conn)
{
	(void)arg;
	(void)conn;
	return strstr(uri, "%00") != NULL ? &cut_uri : NULL;
}

/* All of it is there, or a handler takes it as it comes. */
static void
begin(struct request *r)
{
	struct conn	*c = conn_of(r->conn);

	if (c != NULL)
		not_waiting(c);
	dispatch(r);
}

static enum MHD_Result
on_access(void *arg, struct MHD_Connection *conn, const char *url,
    const char *method, const char *version, const char *data, size_t *size,
    void **con_cls)
{
	struct listener	*l = arg;
	struct request	*r = *con_cls;
	bool		 cut = *con_cls == &cut_uri;
	size_t		 n;

	(void)version;
	if (r == NULL || cut) {
		if (l->verify && !https_client_known(conn))
			return MHD_NO;
		*con_cls = r = request_new(l, conn, url, method);
		r->cut = cut;
		r->begun = dispatch_streams(r);
		if (r->begun)
			begin(r);
		else if (says_too_large(r)) {
			too_large(r);
			return queue_answer(r);
		}
		return MHD_YES;
	}
	if (*size > 0) {
		n = *size;
		*size = 0;
		return take_body(r, data, n);
	}
	if (r->queued)
		return MHD_YES;
	if (r->answered)
		return queue_answer(r);
	if (!r->begun)
		begin(r);
	else if (r->took != NULL)
		r->took(r);
	if (r->answered)
		return queue_answer(r);
	suspend(r);
	return MHD_YES;
}

static void
on_completed(void *arg, struct MHD_Connection *conn, void **con_cls,
    enum MHD_RequestTerminationCode code)
{
	struct conn	*c = conn_of(conn);

	(void)arg;
	(void)code;
	if (*con_cls != NULL && *con_cls != &cut_uri)
		request_free(*con_cls);
	*con_cls = NULL;
	if (c != NULL)
		is_waiting(c);
}

static void __attribute__((format(printf, 2, 0)))
on_library_log(void *arg, const char *fmt, va_list ap)
{
	char	line[512];

	(void)arg;
	if (vsnprintf(line, sizeof(line), fmt, ap) < 0)
		return;
	line[strcspn(line, "\n")] = '\0';
	log_debug("http: %s", line);
}

int
listener_open(struct apid *a, int fd, enum socket_kind kind)
{
	const union MHD_DaemonInfo	*info;
	struct MHD_OptionItem		 tls[HTTPS_OPTIONS_MAX] = {
		{ .option = MHD_OPTION_END }
	};
	struct listener			*l = xcalloc(1, sizeof(*l));
	unsigned			 flags = MHD_USE_EPOLL | MHD_USE_TURBO |
	    MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

	l->apid = a;
	l->kind = kind;
	if (kind == SOCK_HTTPS_TCP) {
		flags |= MHD_USE_TLS;
		https_options(&a->http.tls, tls);
		l->verify = a->http.tls.verify_incoming;
	}
	l->mhd = MHD_start_daemon(flags, 0, NULL, NULL, on_access, l,
	    MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL,
	    MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, l,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT,
	    kind == SOCK_HTTP_UNIX ? 0u :
	    (unsigned)a->http.max_conns_per_client,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONN_MEMORY,
	    MHD_OPTION_ARRAY, tls,
	    MHD_OPTION_END);
	if (l->mhd == NULL || (info = MHD_get_daemon_info(l->mhd,
	    MHD_DAEMON_INFO_EPOLL_FD)) == NULL) {
		log_warnx("listener: the HTTP library refuses descriptor %d",
		    fd);
		if (l->mhd != NULL)
			MHD_stop_daemon(l->mhd);
		free(l);
		return -1;
	}
	l->timer = ev_timer_new(a->ev, on_timer, l);
	l->io = ev_io_new(a->ev, info->epoll_fd, on_epoll, l);
	ev_io_set(l->io, EV_READ);
	if (SLIST_EMPTY(&a->listeners))
		ev_after(a->ev, run_kicked, a);
	SLIST_INSERT_HEAD(&a->listeners, l, entry);
	return 0;
}

void
listeners_renew(struct apid *a)
{
	struct listener	*l, *next;
	int		 fd;

	SLIST_FOREACH_SAFE(l, &a->listeners, entry, next) {
		if (l->kind != SOCK_HTTPS_TCP || l->closing)
			continue;
		l->closing = true;
		fd = MHD_quiesce_daemon(l->mhd);
		if (fd == -1 || listener_open(a, fd, l->kind) == -1)
			fatalx("cannot serve HTTPS");
	}
}

void
listeners_close(struct apid *a)
{
	struct listener	*l;

	while ((l = SLIST_FIRST(&a->listeners)) != NULL) {
		SLIST_REMOVE_HEAD(&a->listeners, entry);
		if (l->kick)
			listener_run(l);	/* last answers */
		/* The library wants nothing suspended when it stops: the
		 * process ends instead, and the kernel closes the rest. */
		listener_free(l);
	}
}

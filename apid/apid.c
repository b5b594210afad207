/*
 * apid: the HTTP API, on TCP and on the Unix socket that discoctl uses.  Owns
 * its listening sockets and connections; knows nothing of the catalog: a
 * request becomes a CALL, an ANSWER becomes JSON.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apid/apid.h"
#include "common/log.h"
#include "common/util.h"

#define SOCKETS_MAX 16

struct waiting { int fd; enum socket_kind kind; };

/* Sockets come before the configuration that serving them needs. */
struct start {
	struct apid	apid;
	struct waiting	socket[SOCKETS_MAX];
	size_t		nsockets;
};

static struct calls **
calls_of(struct apid *a, enum proc peer)
{
	switch ((int)peer) {
	case PROC_CATALOGD:
		return &a->catalogd;
	case PROC_GOSSIPD:
		return &a->gossipd;
	case PROC_DISCOD:
		return &a->discod;
	}
	return NULL;
}

static void
on_socket(struct child *c, const struct msg_socket *s, int fd, void *arg)
{
	struct start	*st = arg;

	(void)c;
	if (st->nsockets == SOCKETS_MAX) {
		log_warnx("socket %s: more than %d", s->text, SOCKETS_MAX);
		close(fd);
		return;
	}
	st->socket[st->nsockets].fd = fd;
	st->socket[st->nsockets++].kind = (enum socket_kind)s->kind;
}

/* Every table of open calls, before the first link comes up. */
static void
make_calls(struct apid *a, struct child *c)
{
	if (a->ev != NULL)
		return;
	a->child = c;
	a->ev = child_ev(c);
	a->catalogd = calls_new(a->ev);
	a->gossipd = calls_new(a->ev);
	a->discod = calls_new(a->ev);
	count_start(a);
	LIST_INIT(&a->monitors);
	a->monitor_level = LOG_LEVEL_NONE;
}

static void
on_link(struct child *c, enum proc peer, struct ipc *ipc, void *arg)
{
	struct apid	 *a = arg;
	struct calls	**calls = calls_of(a, peer);

	make_calls(a, c);
	if (calls != NULL)
		calls_link(*calls, ipc);
}

/* The library has read it. */
static void
forget_key(struct apid *a)
{
	char	*key = a->http.tls.key;

	if (key != NULL)
		explicit_bzero(key, strlen(key));
	str_set(&a->http.tls.key, NULL);
}

static void
on_conf_item(struct child *c, enum conf_kind kind, struct rbuf *r, void *arg)
{
	struct apid		*a = arg;
	struct conf_agent	 agent;
	struct conf_http	 http;

	(void)c;
	switch ((int)kind) {
	case CONF_AGENT:
		if (schema_decode(&conf_agent_schema, r, &agent) == -1)
			fatalx("configuration: %s", r->err);
		schema_clear(&conf_agent_schema, &a->agent);
		a->agent = agent;
		break;
	case CONF_HTTP:
		if (schema_decode(&conf_http_schema, r, &http) == -1)
			fatalx("configuration: %s", r->err);
		schema_clear(&conf_http_schema, &a->http);
		a->http = http;
		(void)nets_set(&a->may_write, &http.allow_write_from);
		if (!SLIST_EMPTY(&a->listeners)) {
			listeners_renew(a);
			forget_key(a);
		}
		break;
	}
}

static void
on_start(struct child *c, void *arg)
{
	struct start	*st = arg;
	struct apid	*a = &st->apid;
	size_t		 i;

	make_calls(a, c);
	calls_link(a->discod, child_parent(c));
	for (i = 0; i < st->nsockets; i++)
		if (listener_open(a, st->socket[i].fd, st->socket[i].kind)
		    == -1)
			fatalx("cannot serve HTTP");
	forget_key(a);
}

static void
on_msg(struct child *c, enum proc peer, struct ipc *ipc, const struct imsg *m,
    void *arg)
{
	struct calls	**calls = calls_of(arg, peer);

	(void)c;
	(void)ipc;
	if (m->type == IMSG_LOG_LINE)
		monitor_line(arg, m->body, m->len);
	if (m->type == IMSG_ANSWER && calls != NULL)
		(void)calls_answer(*calls, m);	/* late ones are dropped */
}

static void
on_stop(struct child *c, void *arg)
{
	(void)c;
	listeners_close(arg);
}

/* What the HTTP library calls beyond the common list. */
static const char *const syscalls[] = {
	"accept4", "sendfile", "shutdown", "getpeername", "writev", NULL
};

static const struct sandbox_role role = {
	.name = "apid", .syscalls = syscalls
};

static const struct child_ops ops = {
	.self = PROC_APID,
	.socket = on_socket,
	.link = on_link,
	.conf_item = on_conf_item,
	.start = on_start,
	.msg = on_msg,
	.stop = on_stop,
	.role = &role,
};

int
main(int argc, char **argv)
{
	static struct start	st;

	SLIST_INIT(&st.apid.listeners);
	TAILQ_INIT(&st.apid.young);
	TAILQ_INIT(&st.apid.waiting);
	return child_main(argc, argv, &ops, &st);
}

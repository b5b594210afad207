/*
 * Where a call goes.  See route.h.
 *
 *	Agent.*			agent_api.c
 *	else, on a server	gossipd's part (gossip.c), or the store in
 *				this process
 *	else			rpcd, any server; from the network: no such
 *				service
 *
 * A call that came over a link is remembered by peer and id until it is
 * answered, cancelled, or its link is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "catalogd/route.h"
#include "common/log.h"
#include "common/util.h"

#define NO_SERVERS	"No known Consul servers"
#define ERR_MAX		512
/* A message between our processes is 64 MB at most, header included. */
#define ROUTE_BODY_MAX	((64u << 20) - 65536)

enum way { WAY_ERROR, WAY_SERVER, WAY_GOSSIP, WAY_RPCD };

/* A call to the servers, ours or one on behalf of a link. */
struct route_call {
	TAILQ_ENTRY(route_call)	 entry;
	struct route		*route;
	enum way		 way;
	struct server_call	*server;
	struct gossip_call	*gossip;
	struct call		*rpcd;
	struct ev_timer		*timer;	/* WAY_ERROR; a deadline else */
	call_fn			*fn;
	void			*arg;
};

/* A call over a link. */
struct in {
	RB_ENTRY(in)		 entry;
	enum proc		 peer;
	uint32_t		 id;
	struct route		*route;
	struct ipc		*ipc;
	struct route_call	*call;
	struct agent_wait	*wait;
	bool			 inside;	/* agent_api_call() */
	bool			 answered;
};
RB_HEAD(ins, in);

struct route {
	struct ev			*ev;
	struct agent_api		*api;
	struct server			*server;
	struct gossip			*gossip;
	struct ipc			*rpcd_link;
	struct calls			*rpcd;
	struct ins			 ins;
	TAILQ_HEAD(, route_call)	 calls;
};

static int
in_cmp(const struct in *a, const struct in *b)
{
	if (a->peer != b->peer)
		return a->peer < b->peer ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* RB_GENERATE_STATIC needs an __unused that glibc has not. */
RB_GENERATE_INTERNAL(ins, in, entry, in_cmp,
    static __attribute__((unused)))

struct route *
route_new(struct ev *ev, struct agent_api *api, struct server *server,
    struct gossip *gossip)
{
	struct route	*r = xcalloc(1, sizeof(*r));

	r->ev = ev;
	r->api = api;
	r->server = server;
	r->gossip = gossip;
	r->rpcd = calls_new(ev);
	RB_INIT(&r->ins);
	TAILQ_INIT(&r->calls);
	return r;
}

void
route_free(struct route *r)
{
	struct route_call	*c;

	if (r == NULL)
		return;
	while (!RB_EMPTY(&r->ins))
		route_in_lost(r, RB_MIN(ins, &r->ins)->peer);
	while ((c = TAILQ_FIRST(&r->calls)) != NULL)
		route_cancel(c);
	calls_free(r->rpcd);
	free(r);
}

void
route_rpcd(struct route *r, struct ipc *ipc)
{
	r->rpcd_link = ipc;
	calls_link(r->rpcd, ipc);
}

bool
route_is_write(const char *method)
{
	static const char *const	 verbs[] = {
		"Apply", "Register", "Deregister", "Update", "EventFire",
		"KeyringOperation"
	};
	const char			*verb = strrchr(method, '.');
	size_t				 i, n;

	if (verb == NULL)
		return false;
	verb++;
	for (i = 0; i < NELEM(verbs); i++)
		if (strcmp(verb, verbs[i]) == 0)
			return true;
	/* ACL.TokenSet, ACL.PolicyDelete, Operator.AutopilotSetConfiguration,
	 * Operator.RaftRemovePeerByID. */
	n = strlen(verb);
	return (n > 3 && strcmp(verb + n - 3, "Set") == 0) ||
	    (n > 6 && strcmp(verb + n - 6, "Delete") == 0) ||
	    strstr(verb, "SetConfiguration") != NULL ||
	    strstr(verb, "Remove") != NULL;
}

bool
route_is_private(const char *method)
{
	return strncmp(method, "Agent.", 6) == 0 ||
	    strncmp(method, "Gossip.", 7) == 0 ||
	    strncmp(method, "Parent.", 7) == 0;
}

/* ---- to the servers ---- */

static void
call_free(struct route_call *c)
{
	TAILQ_REMOVE(&c->route->calls, c, entry);
	ev_timer_free(c->timer);
	free(c);
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct route_call	*c = arg;
	call_fn			*fn = c->fn;
	void			*fn_arg = c->arg;

	call_free(c);
	fn(status, error, body, len, fn_arg);
}

static void
on_no_servers(void *arg)
{
	on_answer(CALL_ERROR, NO_SERVERS, NULL, 0, arg);
}

static void
on_deadline(void *arg)
{
	struct route_call	*c = arg;

	server_call_cancel(c->server);
	on_answer(CALL_TIMEOUT, "timed out", NULL, 0, c);
}

static struct route_call *
call_new(struct route *r, call_fn *fn, void *arg)
{
	struct route_call	*c = xcalloc(1, sizeof(*c));

	c->route = r;
	c->fn = fn;
	c->arg = arg;
	TAILQ_INSERT_TAIL(&r->calls, c, entry);
	return c;
}

static void
call_rpcd(struct route_call *c, const struct msg_call *m,
    const uint8_t *body, size_t len, uint64_t timeout_ms)
{
	struct route	*r = c->route;

	if (r->rpcd_link != NULL) {
		c->way = WAY_RPCD;
		c->rpcd = call_start(r->rpcd, m, body, len, timeout_ms,
		    on_answer, c);
	} else {
		c->way = WAY_ERROR;
		c->timer = ev_timer_new(r->ev, on_no_servers, c);
		ev_timer_set(c->timer, 0);
	}
}

static struct route_call *
call_out(struct route *r, const struct msg_call *m, const uint8_t *body,
    size_t len, uint64_t timeout_ms, call_fn *fn, void *arg)
{
	struct route_call	*c = call_new(r, fn, arg);

	if (r->server != NULL && gossip_has_method(str_or(m->method, ""))) {
		c->way = WAY_GOSSIP;
		c->gossip = gossip_call(r->gossip, m, body, len, on_answer, c);
	} else if (r->server != NULL) {
		c->way = WAY_SERVER;
		c->server = server_call(r->server, m, body, len, on_answer, c);
		if (timeout_ms > 0) {
			c->timer = ev_timer_new(r->ev, on_deadline, c);
			ev_timer_set(c->timer, timeout_ms);
		}
	} else
		call_rpcd(c, m, body, len, timeout_ms);
	return c;
}

struct route_call *
route_call(struct route *r, const char *method, struct schema *s,
    const void *obj, bool write, uint64_t timeout_ms, call_fn *fn, void *arg)
{
	struct route_call	*c;
	struct msg_call		 m;
	struct wbuf		 w;

	memset(&m, 0, sizeof(m));
	m.method = (char *)(uintptr_t)method;
	m.target = r->server != NULL ? CALL_HERE : CALL_ANY_SERVER;
	m.flags = write ? CALL_WRITE : 0;
	wb_init(&w, 0);
	schema_encode(s, obj, &w);
	c = call_out(r, &m, w.p, w.len, timeout_ms, fn, arg);
	wb_free(&w);
	return c;
}

struct route_call *
route_call_server(struct route *r, const struct msg_call *m,
    const uint8_t *body, size_t len, uint64_t timeout_ms, call_fn *fn,
    void *arg)
{
	struct route_call	*c;

	if (m->target == CALL_HERE)
		return call_out(r, m, body, len, timeout_ms, fn, arg);
	c = call_new(r, fn, arg);
	call_rpcd(c, m, body, len, timeout_ms);
	return c;
}

void
route_cancel(struct route_call *c)
{
	switch (c->way) {
	case WAY_SERVER:
		server_call_cancel(c->server);
		break;
	case WAY_GOSSIP:
		gossip_call_cancel(c->gossip);
		break;
	case WAY_RPCD:
		call_cancel(c->rpcd);
		break;
	case WAY_ERROR:
		break;
	}
	call_free(c);
}

void
route_answer(struct route *r, const struct imsg *m)
{
	(void)calls_answer(r->rpcd, m);	/* late ones: cancelled before */
}

/* ---- from links ---- */

static void
in_free(struct in *i)
{
	RB_REMOVE(ins, &i->route->ins, i);
	free(i);
}

static void
on_in_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct in	*i = arg;
	struct ipc	*ipc = i->ipc;
	uint32_t	 id = i->id;

	/* The one whom it answers from within frees it. */
	i->answered = true;
	if (!i->inside)
		in_free(i);
	if (len > ROUTE_BODY_MAX) {
		call_error(ipc, id, "answer too large: %zu bytes", len);
		return;
	}
	call_answer_status(ipc, id, status, error, body, len);
}

static void
start(struct route *r, struct in *i, struct msg_call *m, const uint8_t *body,
    size_t len)
{
	const char	*method = str_or(m->method, "");
	char		 err[ERR_MAX];

	if (i->peer == PROC_RPCD && (r->server == NULL ||
	    route_is_private(method))) {
		snprintf(err, sizeof(err), "rpc: can't find service %.256s",
		    method);
		on_in_answer(CALL_ERROR, err, NULL, 0, i);
		return;
	}
	if (strncmp(method, "Agent.", 6) == 0 &&
	    (r->server == NULL || !server_has_method(method))) {
		i->inside = true;
		i->wait = agent_api_call(r->api, method, body, len,
		    ev_now(r->ev), on_in_answer, i);
		i->inside = false;
		if (i->answered)
			in_free(i);
		return;
	}
	if (route_is_write(method))
		m->flags |= CALL_WRITE;
	if (r->server == NULL)
		m->target = CALL_ANY_SERVER;
	i->call = call_out(r, m, body, len, m->timeout_ms, on_in_answer, i);
}

void
route_in(struct route *r, enum proc peer, struct ipc *ipc,
    const struct imsg *im)
{
	struct msg_call	 m;
	const uint8_t	*body;
	size_t		 len;
	struct in	*i;

	if (call_read(im, &m, &body, &len) == -1)
		fatalx("malformed CALL from %s", proc_name(peer));
	i = xcalloc(1, sizeof(*i));
	i->peer = peer;
	i->id = im->id;
	i->route = r;
	i->ipc = ipc;
	if (RB_INSERT(ins, &r->ins, i) != NULL)
		fatalx("%s used call id %u twice", proc_name(peer), im->id);
	start(r, i, &m, body, len);
	schema_clear(&msg_call_schema, &m);
}

static void
in_cancel(struct in *i)
{
	if (i->call != NULL)
		route_cancel(i->call);
	if (i->wait != NULL)
		agent_api_cancel(i->wait);
	in_free(i);
}

void
route_in_cancel(struct route *r, enum proc peer, uint32_t id)
{
	struct in	 key, *i;

	memset(&key, 0, sizeof(key));
	key.peer = peer;
	key.id = id;
	/* Not there: the answer is on its way. */
	if ((i = RB_FIND(ins, &r->ins, &key)) != NULL)
		in_cancel(i);
}

void
route_in_lost(struct route *r, enum proc peer)
{
	struct in	*i, *next;

	RB_FOREACH_SAFE(i, ins, &r->ins, next)
		if (i->peer == peer)
			in_cancel(i);
}

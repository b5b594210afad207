/*
 * Calls on their way to a server.
 *
 * Happy path: the first of the list, ours or that of the datacenter that is
 * meant, answers.  Failures: no server known; no connection (nothing was sent,
 * so each other server is tried once); the call failed in a way that allows
 * another try within the hold time; the caller's time is up; the caller goes
 * away.
 */
#include <bsd/sys/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "rpcd/forward.h"

#define HOLD_MS		7000
#define HOLD_FRACTION	16	/* a retry waits up to hold / 16 */

struct fcall {
	RB_ENTRY(fcall)	 entry;
	struct forward	*f;
	uint32_t	 id;		/* of catalogd's CALL */
	char		*method;
	char		*fixed;		/* the server asked for, or NULL */
	char		*dc;		/* another datacenter, or NULL */
	char		*server;	/* tried now */
	uint8_t		*body;
	size_t		 len;
	unsigned	 via;		/* CALL_VIA_ */
	bool		 write;
	size_t		 nservers;	/* that may be asked */
	size_t		 ndials;	/* of them without a connection */
	uint64_t	 first_ms;
	struct pool_call *call;		/* NULL: waits for retry */
	struct ev_timer	*retry;
	struct ev_timer	*deadline;	/* NULL: none */
};
RB_HEAD(fcall_tree, fcall);

struct forward {
	struct ev		*ev;
	struct pool		*pool;
	struct servers		*servers;
	struct fcall_tree	 calls;
	struct rng		 rng;
	uint64_t		 hold_ms;
	forward_answer_fn	*fn;
	void			*arg;
};

static void	 try_call(struct fcall *);

static int
fcall_cmp(const struct fcall *a, const struct fcall *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}
RB_GENERATE_INTERNAL(fcall_tree, fcall, entry, fcall_cmp,
    __attribute__((unused)) static)

struct forward *
forward_new(struct ev *ev, struct pool *pool, struct servers *servers,
    forward_answer_fn *fn, void *arg)
{
	struct forward	*f = xcalloc(1, sizeof(*f));

	f->ev = ev;
	f->pool = pool;
	f->servers = servers;
	f->fn = fn;
	f->arg = arg;
	f->hold_ms = HOLD_MS;
	RB_INIT(&f->calls);
	rng_seed_os(&f->rng);
	return f;
}

static void
fcall_free(struct fcall *c)
{
	RB_REMOVE(fcall_tree, &c->f->calls, c);
	if (c->call != NULL)
		pool_cancel(c->call);
	ev_timer_free(c->retry);
	ev_timer_free(c->deadline);
	free(c->method);
	free(c->fixed);
	free(c->dc);
	free(c->server);
	free(c->body);
	free(c);
}

void
forward_cancel_all(struct forward *f)
{
	struct fcall	*c, *next;

	RB_FOREACH_SAFE(c, fcall_tree, &f->calls, next)
		fcall_free(c);
}

void
forward_free(struct forward *f)
{
	if (f == NULL)
		return;
	forward_cancel_all(f);
	free(f);
}

void
forward_set_hold(struct forward *f, uint64_t hold_ms)
{
	f->hold_ms = hold_ms > 0 ? hold_ms : HOLD_MS;
}

void
forward_cancel(struct forward *f, uint32_t id)
{
	struct fcall	 key = { .id = id }, *c;

	if ((c = RB_FIND(fcall_tree, &f->calls, &key)) != NULL)
		fcall_free(c);
}

static void
answer(struct fcall *c, enum call_status status, const char *error,
    const uint8_t *body, size_t len)
{
	struct forward	*f = c->f;
	uint32_t	 id = c->id;

	fcall_free(c);
	f->fn(id, status, error, body, len, f->arg);
}

bool
forward_retryable(const char *error, bool is_write)
{
	if (strstr(error, "No cluster leader") != NULL)
		return true;
	return !is_write && (strcmp(error, "EOF") == 0 ||
	    strstr(error, "stream closed") != NULL ||
	    strstr(error, "session shutdown") != NULL);
}

static void
on_retry(void *arg)
{
	try_call(arg);
}

/* Another try, if the error and the time allow it. */
static bool
retry(struct fcall *c, const char *error)
{
	struct forward	*f = c->f;

	if (c->fixed != NULL || !forward_retryable(error, c->write) ||
	    ev_now(f->ev) - c->first_ms >= f->hold_ms)
		return false;
	log_debug("call %s: retried: server %s: %s", c->method, c->server,
	    error);
	c->ndials = 0;
	ev_timer_set(c->retry,
	    rng_below(&f->rng, (uint32_t)(f->hold_ms / HOLD_FRACTION) + 1));
	return true;
}

static void
on_result(enum pool_result res, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct fcall	*c = arg;
	char		*text;

	c->call = NULL;
	if (res == POOL_OK) {
		answer(c, CALL_OK, NULL, body, len);
		return;
	}
	if (c->fixed == NULL)
		servers_failed(c->f->servers, c->server);
	if (res == POOL_DIAL) {
		if (c->fixed == NULL && ++c->ndials < c->nservers) {
			ev_timer_set(c->retry, 0);
			return;
		}
		xasprintf(&text, "rpc error getting client: "
		    "failed to get conn: %s", error);
	} else {
		if (retry(c, error))
			return;
		xasprintf(&text, "rpc error making call: %s", error);
	}
	answer(c, CALL_ERROR, text, NULL, 0);
	free(text);
}

static const struct server_id *
choose(struct fcall *c, const char **why)
{
	struct forward	*f = c->f;

	*why = "No known Consul servers";
	if (c->dc != NULL)
		return servers_remote(f->servers, c->dc, ev_now(f->ev),
		    &f->rng, &c->nservers, why);
	c->nservers = servers_count(f->servers);
	return c->fixed != NULL ? servers_find(f->servers, c->fixed) :
	    servers_first(f->servers);
}

static void
try_call(struct fcall *c)
{
	const struct server_id	*id;
	const char		*why;

	if ((id = choose(c, &why)) == NULL) {
		answer(c, CALL_ERROR, why, NULL, 0);
		return;
	}
	str_set(&c->server, id->name);
	c->call = pool_call(c->f->pool, id, c->method, c->via, c->body,
	    c->len, on_result, c);
}

static void
on_deadline(void *arg)
{
	struct fcall	*c = arg;

	answer(c, CALL_TIMEOUT, "rpc error making call: i/o deadline reached",
	    NULL, 0);
}

void
forward_call(struct forward *f, uint32_t id, const struct msg_call *m,
    const uint8_t *body, size_t len)
{
	struct fcall	*c;

	c = xcalloc(1, sizeof(*c));
	c->f = f;
	c->id = id;
	if (RB_INSERT(fcall_tree, &f->calls, c) != NULL)
		fatalx("catalogd used call id %u twice", id);
	c->method = xstrdup(str_or(m->method, ""));
	if (m->target == CALL_SERVER)
		c->fixed = xstrdup(str_or(m->server, ""));
	if (m->target == CALL_DC)
		c->dc = xstrdup(str_or(m->datacenter, ""));
	c->write = (m->flags & CALL_WRITE) != 0;
	c->via = m->flags & (CALL_VIA_SERVER | CALL_VIA_DC);
	c->body = xmalloc(len > 0 ? len : 1);
	memcpy(c->body, body, len);
	c->len = len;
	c->first_ms = ev_now(f->ev);
	c->retry = ev_timer_new(f->ev, on_retry, c);
	if (m->timeout_ms > 0) {
		c->deadline = ev_timer_new(f->ev, on_deadline, c);
		ev_timer_set(c->deadline, m->timeout_ms);
	}
	try_call(c);
}

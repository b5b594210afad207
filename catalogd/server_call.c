/*
 * The life of a call.
 *
 *	queued -> [held: no leader yet] -> run -> answered
 *	       -> forwarded, remote -> answered	-> blocked -> woken: run again
 *	       -> confirming -> run		-> proposed -> applied: answered
 *
 * A read that must be the leader's goes to it from any other server; one that
 * may be stale is answered here.  All calls of one turn of the loop run
 * together, and what they write becomes one group in the log.
 */
#include "catalogd/server_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define HOLD_DEFAULT_NS (7 * NS_PER_S)
#define BLOCK_DEFAULT_NS (300 * NS_PER_S)
#define BLOCK_MAX_NS (600 * NS_PER_S)
#define JITTER_FRACTION 16

static const char no_leader[] = "No cluster leader";

void
call_move(struct server_call *c, enum call_state to)
{
	struct server *srv = c->srv;

	TAILQ_REMOVE(&srv->list[c->state], c, entry);
	c->state = to;
	TAILQ_INSERT_TAIL(&srv->list[to], c, entry);
	if (to == CALL_QUEUED)
		ev_timer_set(srv->turn, 0);
}

void
call_free(struct server_call *c)
{
	watch_drop(c);
	TAILQ_REMOVE(&c->srv->list[c->state], c, entry);
	ev_timer_free(c->timer);
	schema_clear(&query_head_schema, &c->head);
	failover_free(c->failover);
	free(c->last_error);
	filter_free(c->filter);
	if (c->req != NULL) {
		schema_clear(c->method->schema, c->req);
		free(c->req);
	}
	free(c->body);
	free(c->name);
	free(c);
}

/* Ends the call; the reply is freed. */
void
call_end(struct server_call *c, struct reply *r)
{
	call_fn *fn = c->fn;
	void *arg = c->arg;

	call_free(c);
	if (fn != NULL && r->error != NULL)
		fn(CALL_ERROR, r->error, NULL, 0, arg);
	else if (fn != NULL)
		fn(CALL_OK, NULL, r->body.p, r->body.len, arg);
	free(r->error);
	wb_free(&r->body);
}

void
call_fail(struct server_call *c, const char *text)
{
	struct reply r;

	memset(&r, 0, sizeof(r));
	r.error = xstrdup(text);
	call_end(c, &r);
}

static void
timer_drop(struct server_call *c)
{
	ev_timer_free(c->timer);
	c->timer = NULL;
	c->expired = false;
}

static void
on_call_timer(void *arg)
{
	struct server_call *c = arg;

	if (c->state == CALL_FORWARDED) {
		forward_give_up(c);
		return;
	}
	if (c->retry) {
		c->retry = false;
		timer_drop(c);
	} else
		c->expired = true;
	call_move(c, CALL_QUEUED);
}

void
call_set_timer(struct server_call *c, uint64_t ms)
{
	if (c->timer == NULL)
		c->timer = ev_timer_new(c->srv->ev, on_call_timer, c);
	ev_timer_set(c->timer, ms);
}

void
call_wake(struct server_call *c)
{
	if (c->state == CALL_BLOCKED)
		call_move(c, CALL_QUEUED);
}

/* ---- running one ---- */

static bool
call_decode(struct server_call *c, struct reply *r)
{
	const struct method *m = c->method;
	const char *err;
	struct rbuf rb;

	if (m->schema == NULL || c->req != NULL)
		return true;
	rb_init(&rb, c->body, c->len);
	if (schema_decode(&query_head_schema, &rb, &c->head) == -1) {
		reply_error(r, "codec.decoder: %s", str_or(rb.err, "bad body"));
		return false;
	}
	c->req = xcalloc(1, m->schema->size);
	if (schema_decode_all(m->schema, c->body, c->len, c->req,
	    &err) == -1) {
		free(c->req);
		c->req = NULL;
		reply_error(r, "codec.decoder: %s", str_or(err, "bad body"));
		return false;
	}
	return true;
}

static bool
is_remote(const struct server_call *c)
{
	const char *dc = str_or(c->head.datacenter, "");

	return c->method->schema != NULL && dc[0] != '\0' &&
	    strcmp(dc, str_or(c->srv->agent.datacenter, "")) != 0;
}

/* What is refused whatever the state of the cluster. */
static bool
call_refused(struct server_call *c, struct reply *r)
{
	const struct method *m = c->method;

	if (m == NULL) {
		if (strrchr(c->name, '.') == NULL)
			reply_error(r, "rpc: service/method request "
			    "ill-formed: %s", c->name);
		else
			reply_error(r, "rpc: can't find %s %s",
			    method_service_known(c->name) ? "method" :
			    "service", c->name);
		return true;
	}
	if (!call_decode(c, r))
		return true;
	if (m->kind == METHOD_REFUSED && !is_remote(c)) {
		reply_error(r, "%s", m->error);
		return true;
	}
	/* It is not said to be ours. */
	if (m->schema != NULL && !m->any_dc && str_empty(c->head.datacenter)) {
		reply_error(r, "No path to datacenter");
		return true;
	}
	return false;
}

uint64_t
call_hold_ms(const struct server *srv)
{
	int64_t ns = srv->conf.rpc_hold_timeout > 0 ?
	    srv->conf.rpc_hold_timeout : HOLD_DEFAULT_NS;

	return (uint64_t)(ns / NS_PER_MS);
}

/* Why it ends that has waited for a leader as long as it may. */
static const char *
hold_error(const struct server_call *c)
{
	struct replica_server leader;

	if (c->last_error != NULL)
		return c->last_error;
	return replica_leader(c->srv->replica, &leader) && leader.self &&
	    c->head.require_consistent ?
	    "Not ready to serve consistent reads" : no_leader;
}

static void
call_hold(struct server_call *c)
{
	struct server *srv = c->srv;
	uint64_t waited = ev_now(srv->ev) - c->start_ms;
	uint64_t hold = call_hold_ms(srv);

	if (srv->leaving || c->expired || waited >= hold) {
		call_fail(c, srv->leaving ? no_leader : hold_error(c));
		return;
	}
	if (c->timer == NULL)
		call_set_timer(c, hold - waited);
	call_move(c, CALL_HELD);
}

/*
 * Any server may answer a stale read once it has heard of a leader, and has
 * what it had before it was started again.
 */
static bool
may_be_stale(const struct server_call *c)
{
	uint64_t ms;

	return c->method->kind == METHOD_READ && c->head.allow_stale &&
	    replica_current(c->srv->replica) &&
	    replica_last_contact(c->srv->replica, &ms);
}

/* True: it may run now.  False: it is held, asked elsewhere, or ended. */
static bool
call_here(struct server_call *c)
{
	struct server *srv = c->srv;

	if (c->method->kind == METHOD_LOCAL)
		return true;
	if (may_be_stale(c) && !srv->leaving)
		return true;
	if (!server_in_office(srv) || srv->leaving) {
		watch_drop(c);
		if (srv->leaving || !forward_call(c))
			call_hold(c);
		return false;
	}
	/*
	 * Consul's default trusts in a lease.  A leader that was stopped for a
	 * while, or is cut off, does not know that another leads: ask.
	 */
	if (c->method->kind == METHOD_READ && !c->confirmed &&
	    !replica_alone(srv->replica)) {
		c->confirm = replica_confirm(srv->replica);
		call_move(c, CALL_CONFIRMING);
		return false;
	}
	return true;
}

static uint64_t
block_ms(struct server *srv, int64_t max_query_ns)
{
	int64_t usual = srv->conf.default_query_time;
	int64_t most = srv->conf.max_query_time;
	uint64_t ms;

	if (usual <= 0)
		usual = BLOCK_DEFAULT_NS;
	if (most <= 0)
		most = BLOCK_MAX_NS;
	if (max_query_ns <= 0)
		max_query_ns = usual;
	ms = (uint64_t)((max_query_ns < most ? max_query_ns : most) /
	    NS_PER_MS);
	return ms + rng_below(&srv->rng,
	    (uint32_t)(ms / JITTER_FRACTION) + 1);
}

void
server_freshness(struct server *srv, struct query_meta *meta)
{
	struct replica_server leader;
	uint64_t ms;

	if (srv->replica == NULL)
		return;
	meta->known_leader = server_in_office(srv) ||
	    replica_leader(srv->replica, &leader);
	(void)replica_last_contact(srv->replica, &ms);
	meta->last_contact = (int64_t)ms * NS_PER_MS;
}

static void
run_read(struct server_call *c, struct reply *r)
{
	const struct method *m = c->method;
	struct server *srv = c->srv;
	struct query_meta meta;
	struct depends d;
	char *why;

	if (m->rows != NULL && c->filter == NULL &&
	    !str_empty(c->head.filter) && (c->filter = filter_new(m->rows,
	    c->head.filter, &why)) == NULL) {
		reply_error(r, FILTER_BLAME "%s", why);
		free(why);
		call_end(c, r);
		return;
	}
	r->filter = c->filter;
	memset(&d, 0, sizeof(d));
	memset(&meta, 0, sizeof(meta));
	if (m->depends != NULL) {
		m->depends(srv, c->req, &d);
		if (d.index == 0)
			d.index = 1;
	}
	if (m->depends != NULL && d.n > 0 && c->head.min_query_index > 0 &&
	    d.index <= c->head.min_query_index && !c->expired) {
		if (!c->watching)
			call_set_timer(c, block_ms(srv,
			    c->head.max_query_time));
		/* What it was woken by may have changed what to wait for. */
		watch_drop(c);
		watch_add(c, &d);
		c->confirmed = false;
		call_move(c, CALL_BLOCKED);
		return;
	}
	meta.index = d.index;
	server_freshness(srv, &meta);
	if (m->kind != METHOD_READ) {
		share_drop(srv);
		m->read(srv, c->req, &meta, r);
	} else if (!share_take(c, &meta, r)) {
		m->read(srv, c->req, &meta, r);
		share_keep(c, &meta, r);
	}
	if (r->failover)
		failover_start(c, r);
	else
		call_end(c, r);
}

static void
run_write(struct server_call *c, struct reply *r)
{
	struct server *srv = c->srv;
	struct wbuf entry;

	share_drop(srv);
	if (replica_full(srv->replica)) {
		reply_error(r, "the disk of the leading server is full: writes "
		    "are refused until there is space");
		call_end(c, r);
		return;
	}
	wb_init(&entry, 0);
	c->method->write(srv, c->req, &entry, r);
	if (r->error == NULL && entry.len > REPLICA_ENTRY_MAX)
		reply_error(r, "request too large");
	if (r->error != NULL || entry.len == 0) {
		call_end(c, r);
	} else {
		call_move(c, CALL_PROPOSED);
		if (replica_propose(srv->replica, entry.p, entry.len, c) == -1)
			call_fail(c, no_leader);
	}
	wb_free(&entry);
}

static void
call_run(struct server_call *c)
{
	struct reply r;

	memset(&r, 0, sizeof(r));
	wb_init(&r.body, 0);
	if (call_refused(c, &r)) {
		call_end(c, &r);
		return;
	}
	if (is_remote(c)) {
		/* Two datacenters that take each other for a third. */
		if (c->from_dc)
			call_fail(c, "No path to datacenter");
		else
			forward_datacenter(c);
		return;
	}
	if (!call_here(c))
		return;
	/* The hold is over; the timer is free for blocking. */
	if (!c->watching && c->timer != NULL)
		timer_drop(c);
	switch (c->method->kind) {
	case METHOD_READ:
	case METHOD_LOCAL:
		run_read(c, &r);
		break;
	case METHOD_WRITE:
		run_write(c, &r);
		break;
	case METHOD_REFUSED:
		break;
	}
}

void
calls_turn(void *arg)
{
	struct server *srv = arg;
	struct server_call *c;
	size_t n = 0;

	/* Those that come in meanwhile have the next turn. */
	TAILQ_FOREACH(c, &srv->list[CALL_QUEUED], entry)
		n++;
	for (; n > 0; n--) {
		if ((c = TAILQ_FIRST(&srv->list[CALL_QUEUED])) == NULL)
			break;
		call_run(c);
	}
	share_drop(srv);
	if (!TAILQ_EMPTY(&srv->list[CALL_QUEUED]))
		ev_timer_set(srv->turn, 0);
	if (srv->replica != NULL)
		replica_flush(srv->replica);
}

void
calls_requeue(struct server *srv, enum call_state state)
{
	struct server_call *c;

	while ((c = TAILQ_FIRST(&srv->list[state])) != NULL)
		call_move(c, CALL_QUEUED);
}

void
calls_office(struct server *srv)
{
	struct server_call *c, *next;

	calls_requeue(srv, CALL_HELD);
	if (server_in_office(srv))
		return;
	calls_requeue(srv, CALL_CONFIRMING);
	/* They waited for what now happens elsewhere. */
	TAILQ_FOREACH_SAFE(c, &srv->list[CALL_BLOCKED], entry, next)
		if (!may_be_stale(c)) {
			watch_drop(c);
			timer_drop(c);
			c->start_ms = ev_now(srv->ev);
			call_move(c, CALL_QUEUED);
		}
}

void
calls_confirmed(struct server *srv, uint64_t number)
{
	struct server_call *c, *next;

	TAILQ_FOREACH_SAFE(c, &srv->list[CALL_CONFIRMING], entry, next)
		if (c->confirm <= number) {
			c->confirmed = true;
			call_move(c, CALL_QUEUED);
		}
}

/* ---- from outside ---- */

struct server_call *
server_call(struct server *srv, const struct msg_call *mc,
    const uint8_t *body, size_t len, call_fn *fn, void *arg)
{
	struct server_call *c;

	c = xcalloc(1, sizeof(*c));
	c->srv = srv;
	c->name = xstrdup(str_or(mc->method, ""));
	c->method = method_find(c->name);
	c->body = xmalloc(len + 1);
	if (len > 0)
		memcpy(c->body, body, len);
	c->len = len;
	c->relayed = (mc->flags & CALL_VIA_SERVER) != 0;
	c->from_dc = (mc->flags & CALL_VIA_DC) != 0;
	c->start_ms = ev_now(srv->ev);
	c->fn = fn;
	c->arg = arg;
	c->state = CALL_QUEUED;
	TAILQ_INSERT_TAIL(&srv->list[CALL_QUEUED], c, entry);
	ev_timer_set(srv->turn, 0);
	return c;
}

void
server_call_cancel(struct server_call *c)
{
	/* An entry under way comes to its end without us. */
	if (c->state == CALL_PROPOSED) {
		c->fn = NULL;
		return;
	}
	forward_cancel(c);
	call_free(c);
}

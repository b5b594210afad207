/*
 * Calls that this server cannot answer go to the leader, as they came, by the
 * same RPC that an agent uses (rpc.md 6).  Those that name another datacenter
 * go to one of its servers from any server, leader or not.
 *
 * Happy path: the leader is known and a member, its answer is ours.  Failures:
 * nobody leads, or the leader is ourselves and not yet in office: held.  The
 * leader cannot be reached, or says that it is none, or a read's connection
 * ended: asked again a little later, as long as a call may be held.  A write
 * that was on its way when the connection ended is not repeated.  When another
 * leads, or nobody is heard to lead for a while, the one before may be gone
 * without a word, or out of our reach alone: soon after, a read is asked of the
 * new one, and a write ends with its outcome unknown, which has whoever called
 * us turn to another server.
 */
#include "catalogd/server_i.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define RETRY_FRACTION 16	/* of the hold */
#define GRACE_MS 1000		/* for answers of a leader that handed over */
#define SILENCE_MS 2500		/* and of one that is not heard any more */
#define NOT_SENT "rpc error getting client: "

/* Would trying again do no harm, and perhaps some good? */
static bool
retryable(const struct server_call *c, enum call_status status,
    const char *error)
{
	if (status == CALL_ERROR && (strstr(error, "No cluster leader") ||
	    strncmp(error, NOT_SENT, strlen(NOT_SENT)) == 0 ||
	    strcmp(error, "No known Consul servers") == 0))
		return true;
	if (c->method->kind == METHOD_WRITE)
		return false;
	return status == CALL_LOST || (status == CALL_ERROR &&
	    (strstr(error, "EOF") != NULL ||
	    strstr(error, "stream closed") != NULL ||
	    strstr(error, "session shutdown") != NULL));
}

/* True: it will be tried again. */
static bool
try_again(struct server_call *c, enum call_status status, const char *error)
{
	struct server *srv = c->srv;
	uint64_t hold = call_hold_ms(srv);

	/* A blocked read was asked long ago; its failure is news. */
	if (c->head.min_query_index > 0 && c->last_error == NULL &&
	    retryable(c, status, error))
		c->start_ms = ev_now(srv->ev);
	if (c->fn == NULL || !retryable(c, status, error) ||
	    ev_now(srv->ev) - c->start_ms >= hold)
		return false;
	str_set(&c->last_error, error);
	ev_timer_free(c->timer);
	c->timer = NULL;
	c->retry = true;
	call_set_timer(c, rng_below(&srv->rng,
	    (uint32_t)(hold / RETRY_FRACTION) + 1));
	call_move(c, CALL_HELD);
	return true;
}

/* What was said there is said here. */
static void
call_end_as(struct server_call *c, const uint8_t *body, size_t len)
{
	struct reply r;

	memset(&r, 0, sizeof(r));
	wb_init(&r.body, 0);
	wb_bytes(&r.body, body, len);
	call_end(c, &r);
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct server_call *c = arg;

	c->forward = NULL;
	if (status != CALL_OK) {
		if (!try_again(c, status, str_or(error, "")))
			call_fail(c, str_or(error, "EOF"));
		return;
	}
	call_end_as(c, body, len);
}

/*
 * Which of its servers, and whether another one after that, is rpcd's to say;
 * the error is told as it is.
 */
static void
on_datacenter(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct server_call *c = arg;

	c->forward = NULL;
	if (status != CALL_OK) {
		call_fail(c, str_or(error, "EOF"));
		return;
	}
	call_end_as(c, body, len);
}

void
forward_datacenter(struct server_call *c)
{
	struct server *srv = c->srv;
	struct msg_call mc;

	memset(&mc, 0, sizeof(mc));
	mc.method = c->name;
	mc.target = CALL_DC;
	mc.datacenter = c->head.datacenter;
	mc.flags = CALL_VIA_DC;
	/* What is refused here may be a write there. */
	if (c->method->kind == METHOD_WRITE ||
	    c->method->kind == METHOD_REFUSED)
		mc.flags |= CALL_WRITE;
	call_move(c, CALL_REMOTE);
	c->forward = srv->env.call(&mc, c->body, c->len, 0, on_datacenter, c,
	    srv->env.arg);
}

bool
forward_call(struct server_call *c)
{
	struct server *srv = c->srv;
	struct replica_server leader;
	const struct member *m;
	struct msg_call mc;

	if (c->relayed || srv->replica == NULL ||
	    !replica_leader(srv->replica, &leader) || leader.self ||
	    (m = raft_member(srv, &leader)) == NULL)
		return false;
	ev_timer_free(c->timer);
	c->timer = NULL;
	memset(&mc, 0, sizeof(mc));
	mc.method = c->name;
	mc.target = CALL_SERVER;
	mc.server = m->name;
	mc.flags = CALL_VIA_SERVER;
	if (c->method->kind == METHOD_WRITE)
		mc.flags |= CALL_WRITE;
	call_move(c, CALL_FORWARDED);
	c->forward_to = leader.id;
	c->forward = srv->env.call(&mc, c->body, c->len, 0, on_answer, c,
	    srv->env.arg);
	return true;
}

void
forward_cancel(struct server_call *c)
{
	if (c->forward != NULL)
		c->srv->env.call_cancel(c->forward, c->srv->env.arg);
	c->forward = NULL;
}

/* 0: none that is known. */
static uint64_t
leader_id(const struct server *srv)
{
	struct replica_server leader;

	return srv->replica != NULL && replica_leader(srv->replica, &leader) ?
	    leader.id : 0;
}

void
forward_leader_changed(struct server *srv)
{
	uint64_t leader = leader_id(srv);
	struct server_call *c;

	TAILQ_FOREACH(c, &srv->list[CALL_FORWARDED], entry)
		if (c->forward_to != leader && (c->timer == NULL ||
		    leader != 0))
			call_set_timer(c, leader != 0 ? GRACE_MS : SILENCE_MS);
}

void
forward_give_up(struct server_call *c)
{
	ev_timer_free(c->timer);
	c->timer = NULL;
	/* It was not heard for a moment only. */
	if (c->forward_to == leader_id(c->srv))
		return;
	forward_cancel(c);
	if (c->method->kind == METHOD_WRITE) {
		call_fail(c, "leadership lost while committing log");
		return;
	}
	c->start_ms = ev_now(c->srv->ev);
	call_move(c, CALL_QUEUED);
}

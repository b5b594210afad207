/*
 * catalogd's server half: the replicated store, its methods, blocking reads,
 * the leader's duties.  The agent half and the wiring (catalogd.c) see nothing
 * else of it.
 */
#ifndef CATALOGD_SERVER_H
#define CATALOGD_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/call.h"
#include "common/ev.h"
#include "common/schema/conf.h"
#include "common/schema/msg.h"

struct server;
struct server_call;

/* What it asks of its surroundings. */
struct server_env {
	/* Send a Serf user event ("consul:new-leader"). */
	void	(*fire)(const char *name, const void *payload, size_t,
		    void *arg);
	/* A service or node name came to be or ceased to be. */
	void	(*name)(enum view_kind, const char *name, bool exists,
		    void *arg);
	/* The suite must not go on; the reason. */
	void	(*refuse)(const char *why, void *arg);
	void	*arg;
};

/*
 * dir is where it keeps log and snapshots, in a folder "raft" ("": in memory,
 * -dev).  agent and conf are copied.
 */
struct server *server_new(struct ev *, const struct conf_agent *,
    const struct conf_catalog *, const char *dir, const struct server_env *);
/* Opens and replays.  0, or -1 with one line (which names the remedy). */
int server_start(struct server *, char *err, size_t errlen);
void server_free(struct server *);	/* also flushes */

/* Membership as gossipd tells it; end after a whole list. */
void server_members_begin(struct server *);
void server_member(struct server *, const struct member *);
void server_members_end(struct server *);

/*
 * Does the store have this method?  (Catalog., Health., Status., Coordinate.,
 * Operator., Internal.EventFire ...)
 */
bool server_has_method(const char *method);
/*
 * Runs a method with its body.  The callback comes exactly once unless it is
 * cancelled before, never from within this function.  Unknown methods answer
 * "rpc: can't find service X.Y" or "rpc: can't find method X.Y".
 */
struct server_call *server_call(struct server *, const struct msg_call *,
    const uint8_t *body, size_t len, call_fn *, void *arg);
void server_call_cancel(struct server_call *);

/* Each name that exists now (services, nodes). */
void server_names(struct server *, void (*)(enum view_kind, const char *name,
    void *arg), void *arg);
bool server_is_leader(const struct server *);
/* Sections "consul", "raft" of `discoctl info`. */
void server_stats(const struct server *, struct strmap *);
/* Hand over before a graceful leave; done() when finished. */
void server_leave(struct server *, void (*done)(void *arg), void *arg);

#endif

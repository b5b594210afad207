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

#include "common/archive.h"
#include "common/call.h"
#include "common/ev.h"
#include "common/schema/conf.h"
#include "common/schema/msg.h"
#include "common/schema/rpc.h"

struct server;
struct server_call;

/* What it asks of its surroundings. */
struct server_env {
	/* Send a Serf user event ("consul:new-leader").  False: gossipd is
	 * away, and it is not sent. */
	bool	(*fire)(const char *name, const void *payload, size_t,
		    void *arg);
	/* A service or node name came to be or ceased to be. */
	void	(*name)(enum view_kind, const char *name, bool exists,
		    void *arg);
	/* The names are others altogether: the list has to be told anew. */
	void	(*names)(void *arg);
	/* A call to another server or datacenter, or to gossipd's part of this
	 * one; as route_call_server() and route_cancel(). */
	void	*(*call)(const struct msg_call *, const uint8_t *body,
		    size_t len, uint64_t timeout_ms, call_fn *, void *fn_arg,
		    void *arg);
	void	(*call_cancel)(void *handle, void *arg);
	/* A connection to a server's raft; answered by server_dialed(). */
	void	(*dial)(uint32_t id, const char *address, void *arg);
	/* gossipd is to forget a failed member. */
	void	(*force_leave)(const char *node, void *arg);
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

/*
 * Each name that exists now (services, nodes).  False: nobody can say yet, for
 * the log is still being caught up with; names() is called when it is.
 */
bool server_names_known(const struct server *);
void server_names(struct server *, void (*)(enum view_kind, const char *name,
    void *arg), void *arg);
bool server_is_leader(const struct server *);
/* Connections of raft, from and by rpcd: descriptors are taken. */
void server_raft_peer(struct server *, int fd, const char *from);
void server_dialed(struct server *, uint32_t id, int fd, const char *why);
void server_dials_lost(struct server *);

/* Whether there is a leader, and when this server heard of it last. */
void server_freshness(struct server *, struct query_meta *);
/*
 * The state, for an archive: the description, which the caller clears, and
 * Consul's records.
 */
void server_snapshot(struct server *, struct archive_meta *,
    struct wbuf *state);
/*
 * Puts a state in the place of what all servers have, which only the leader
 * can.  The bytes are looked at, and copied.  error NULL: it is done.
 */
typedef void server_restored_fn(const char *error, void *arg);
void server_restore(struct server *, uint64_t meta_index,
    const uint8_t *state, size_t, server_restored_fn *, void *arg);
/* Nobody is to be told any more. */
void server_restore_forget(struct server *, void *arg);
/* 1: we lead; 0: where the leader is; -1: there is none. */
int server_leader(const struct server *, char *addr, size_t len);

/* Sections "consul", "raft" of `discoctl info`. */
void server_stats(const struct server *, struct strmap *);
/* Hand over before a graceful leave; done() when finished. */
void server_leave(struct server *, void (*done)(void *arg), void *arg);

#endif

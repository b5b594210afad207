/*
 * One server of the consensus: libraft's core with what it leaves to its user
 * and the guards that it needs.  Pure: time is an argument, effects come back
 * through ops; the daemon, the unit tests and the simulation run this file.
 *
 *	rcore_receive(), rcore_tick(), rcore_propose() + rcore_flush()
 *		-> ops: meta, append, send, apply ...
 *	append -> (durable) -> rcore_persisted()
 *
 * Entries from outside are split so that a membership comes first in its part,
 * and the commit index never goes back: libraft 0.22.1 gets both wrong.
 */
#ifndef CATALOGD_RAFT_CORE_H
#define CATALOGD_RAFT_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalogd/raft_wire.h"

struct rcore;

struct rcore_conf {
	uint64_t	 id;
	unsigned	 seed;
	unsigned	 election_ms, heartbeat_ms;
	size_t		 window;	/* bytes of applied entries kept for
					   followers */
};

struct rcore_ops {
	/* Term and vote; durable when it returns. */
	void	(*meta)(uint64_t term, uint64_t vote, void *arg);
	/* Keep these; what is at or behind the first of them is replaced. */
	void	(*append)(const struct log_entry *, size_t n, void *arg);
	void	(*send)(uint64_t to, const struct peer_msg *, void *arg);
	/* That server needs the newest snapshot. */
	void	(*send_snapshot)(uint64_t to, void *arg);
	/* A follower needs entries that only a new snapshot would have. */
	void	(*want_snapshot)(void *arg);
	/*
	 * A committed entry; tag is what it was proposed with here, else NULL.
	 * Also called for entries of the engine's own, with len 0.
	 */
	void	(*apply)(uint64_t index, const uint8_t *, size_t, void *tag,
		    void *arg);
	/* A proposal whose outcome this server will not learn. */
	void	(*lost)(void *tag, void *arg);
	void	*arg;
};

/* A server in the membership. */
struct rcore_server {
	uint64_t	 id;
	const char	*address;	/* as it was added */
	bool		 voter;
	/* On the leader: */
	uint64_t	 match;		/* the last that it has */
	uint64_t	 heard_ms;	/* its last answer; 0: none yet */
};

struct rcore *rcore_new(const struct rcore_conf *, const struct rcore_ops *);
void rcore_free(struct rcore *);
/*
 * Begins, or begins again, with what is on disk.  snapshot: NULL when there is
 * none (its data is not looked at).  Takes the entries' memory.  0, or -1: the
 * membership in it cannot be read.
 */
int rcore_start(struct rcore *, uint64_t now, uint64_t term, uint64_t vote,
    const struct log_snapshot *snapshot, struct log_entry *, size_t n);

void rcore_tick(struct rcore *, uint64_t now);
/* When to call it again. */
uint64_t rcore_timeout(const struct rcore *);
void rcore_receive(struct rcore *, uint64_t now, uint64_t from,
    const struct peer_msg *);
/* All entries up to that index are durable. */
void rcore_persisted(struct rcore *, uint64_t now, uint64_t index);

/* Copies the entry.  -1: not the leader.  Submitted by rcore_flush(). */
int rcore_propose(struct rcore *, const uint8_t *, size_t, void *tag);
void rcore_flush(struct rcore *, uint64_t now);
/* A new membership, one server different, not the leader.  -1: not now. */
int rcore_change(struct rcore *, uint64_t now, const uint8_t *conf, size_t);
/* Hands leadership over; who leads afterwards has to be looked at. */
int rcore_transfer(struct rcore *, uint64_t now, uint64_t to);
/*
 * Asks the voters whether we still lead.  Once rcore_confirmed() is at or above
 * the number returned, we did at some time after this call.
 */
uint64_t rcore_confirm(struct rcore *, uint64_t now);
uint64_t rcore_confirmed(const struct rcore *);

/* A snapshot holds at least that many entries. */
#define RCORE_SNAPSHOT_MIN 2
/* A snapshot was written: entries it covers are no longer needed. */
void rcore_snapshot(struct rcore *, uint64_t now,
    const struct log_snapshot *);
/*
 * A whole snapshot came from the leader.  True: make it durable, the log behind
 * it begins anew, restore, then rcore_installed().  False: it is of no use.
 */
bool rcore_install(struct rcore *, uint64_t now, uint64_t from, uint64_t term,
    const struct log_snapshot *);
void rcore_installed(struct rcore *, uint64_t now);
bool rcore_installing(const struct rcore *);

/* ---- looking ---- */

enum rcore_state { RCORE_FOLLOWER, RCORE_CANDIDATE, RCORE_LEADER };
enum rcore_state rcore_state(const struct rcore *);
bool rcore_in_office(const struct rcore *);	/* and all before is applied */
uint64_t rcore_term(const struct rcore *);
uint64_t rcore_last_index(const struct rcore *);
uint64_t rcore_commit(const struct rcore *);
uint64_t rcore_applied(const struct rcore *);
uint64_t rcore_applied_term(const struct rcore *);
uint64_t rcore_leader(const struct rcore *);	/* 0: none known */
/* When the leader was last heard; 0: never any. */
uint64_t rcore_leader_heard(const struct rcore *);
size_t rcore_pending(const struct rcore *);	/* proposed, not applied */
/* The membership in force, perhaps not yet committed.  Count of servers. */
unsigned rcore_nservers(const struct rcore *);
void rcore_server(const struct rcore *, unsigned i, struct rcore_server *);
bool rcore_changing(const struct rcore *);	/* one is not committed */
bool rcore_transferring(const struct rcore *);
/* The last one applied, as libraft encodes it; 0 bytes: none. */
const uint8_t *rcore_conf_bytes(const struct rcore *, size_t *len,
    uint64_t *index);
/* NULL, or why it must not run on: what others committed differs from ours. */
const char *rcore_broken(const struct rcore *);

/* Encodes a membership: the caller frees. */
struct rcore_member { uint64_t id; const char *address; bool voter; };
uint8_t *rcore_conf_encode(const struct rcore_member *, size_t n, size_t *len);

#endif

/*
 * The replicated log as the server sees it: propose an entry, and see every
 * committed entry once, in order, on every server.
 *
 * The engine is libraft's core, driven by raft_step() (events in, updates out);
 * disk and, later, the wire between servers are disco's own.
 */
#ifndef CATALOGD_RAFT_H
#define CATALOGD_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ev.h"
#include "common/wire.h"

struct replica;

struct replica_conf {
	const char	*dir;		/* "": in memory */
	const char	*shown;		/* dir as a user knows it */
	const char	*node_id;	/* who we are in the membership */
	bool		 bootstrap;	/* a new log begins with us alone */
	unsigned	 multiplier;	/* of timeouts; 0: 1 */
};

struct replica_ops {
	/*
	 * A committed entry; tag is what it was proposed with here, else NULL.
	 * Also called for entries of the engine's own, with len 0.
	 */
	void	(*apply)(uint64_t index, const uint8_t *, size_t, void *tag,
		    void *arg);
	/* A proposal whose outcome this server will not learn. */
	void	(*lost)(void *tag, void *arg);
	/* In office: everything before it is applied.  Out of office. */
	void	(*office)(bool, void *arg);
	/* The state as of now; and back, into an empty one. */
	void	(*dump)(struct wbuf *, void *arg);
	int	(*restore)(uint64_t index, const uint8_t *, size_t,
		    const char **why, void *arg);
	void	*arg;
};

/* Opens, restores and replays; office() comes later, from the loop. */
struct replica *replica_start(struct ev *, const struct replica_conf *,
    const struct replica_ops *, char *err, size_t errlen);
/* Writes what was proposed, answers nothing more. */
void replica_free(struct replica *);

/*
 * Copies the entry (at most REPLICA_ENTRY_MAX bytes).  -1: not the leader.  It
 * is handed on at the end of this turn of the loop, or by replica_flush().
 * apply() or lost() come once, never from within.
 */
#define REPLICA_ENTRY_MAX (8u << 20)
int replica_propose(struct replica *, const uint8_t *, size_t, void *tag);
void replica_flush(struct replica *);

/* In office. */
bool replica_leads(const struct replica *);
/* Some server of which we know is leader, perhaps not yet in office. */
bool replica_leader_known(const struct replica *);

struct replica_stats {
	const char	*state;		/* "Leader", "Follower", "Candidate" */
	uint64_t	 term, last_index, commit, applied;
	uint64_t	 snapshot_index, snapshot_term;
	uint64_t	 conf_index;
	unsigned	 voters, servers;
	size_t		 pending;	/* proposed and not applied */
};
void replica_stats(const struct replica *, struct replica_stats *);

#endif

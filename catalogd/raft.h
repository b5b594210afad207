/*
 * The replicated log as the server sees it: propose an entry, and see every
 * committed entry once, in order, on every server.
 *
 *	raft_core.c	the consensus, pure, around libraft's core
 *	raft_disk.c	log, snapshots and metadata
 *	raft_peers.c	the connections between servers
 *	raft.c		these three together, and time; raft_start.c how it begins,
 *			raft_snapshot.c its snapshots
 */
#ifndef CATALOGD_RAFT_H
#define CATALOGD_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ev.h"
#include "common/util.h"
#include "common/wire.h"

struct replica;

struct replica_conf {
	const char	*dir;		/* "": in memory */
	const char	*shown;		/* dir as a user knows it */
	const char	*node_id;	/* who we are in the membership */
	const char	*address;	/* "10.0.0.1:8300", where we are */
	const char	*datacenter;
	bool		 bootstrap;	/* a new log begins with us alone */
	unsigned	 multiplier;	/* of timeouts; 0: 5 */
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
	/* replica_current() from now on. */
	void	(*current)(void *arg);
	/* Another leader, or none; another membership. */
	void	(*changed)(void *arg);
	/*
	 * Leadership was confirmed after replica_confirm() gave a number up
	 * to this one.
	 */
	void	(*confirmed)(uint64_t number, void *arg);
	/* The state as of now; and back, in place of what is there. */
	void	(*dump)(struct wbuf *, void *arg);
	int	(*restore)(uint64_t index, const uint8_t *, size_t,
		    const char **why, void *arg);
	/* A connection to another server; the answer is replica_dialed(). */
	void	(*dial)(uint32_t id, const char *address, void *arg);
	/* Where gossip knows that node to be; false: it does not. */
	bool	(*where)(const char *node_id, char *, size_t, void *arg);
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
/* Its disk has no space: what is proposed may wait for ever. */
bool replica_full(const struct replica *);
/* Do we still lead?  A number; confirmed() tells, never from within. */
uint64_t replica_confirm(struct replica *);

/* ---- membership ---- */

#define REPLICA_SERVERS_MAX 64
struct replica_server {
	uint64_t	 id;		/* of that server with that disk */
	char		 node_id[64];
	char		 address[ADDR_TEXT_MAX];	/* as it was added */
	bool		 voter, self, leader;
	uint64_t	 match;		/* on the leader: what it has, and */
	uint64_t	 heard_ms;	/* when it answered; 0: not yet */
};

uint64_t replica_id(const struct replica *);
/* Of which log we are; 0: of none yet. */
uint64_t replica_cluster(const struct replica *);
bool replica_in_memory(const struct replica *);
/* The membership in force.  Count. */
size_t replica_servers(const struct replica *, struct replica_server *,
    size_t max);
/* A first entry for all of these, the same on each.  -1: there is a log. */
int replica_bootstrap(struct replica *, const struct replica_server *,
    size_t n);
/* The cluster that would be. */
uint64_t replica_first_cluster(const struct replica_server *, size_t n);
/*
 * A new membership, in which one server came, went or changed.  -1: not now:
 * not in office, or the last change is not committed yet.
 */
int replica_change(struct replica *, const struct replica_server *, size_t n);
/* To the server that has most; look at who leads afterwards.  -1: nobody. */
int replica_transfer(struct replica *);

/*
 * When the others are lost for good: writes down that this server goes on
 * alone.  It takes effect at the next start.
 */
int replica_recover_alone(struct replica *, const char *record);

/* What rpcd sends: descriptors are taken. */
void replica_accept(struct replica *, int fd, const char *from);
void replica_dialed(struct replica *, uint32_t id, int fd, const char *why);
void replica_dials_lost(struct replica *);

/* ---- looking ---- */

/* In office. */
bool replica_leads(const struct replica *);
/* In office, and nobody else could be: there is no other vote. */
bool replica_alone(const struct replica *);
/* Some server of which we know is leader, perhaps not yet in office. */
bool replica_leader(const struct replica *, struct replica_server *);
/*
 * Applied is at least what was committed when this process started: until then
 * the state is one that somebody may have seen the end of.
 */
bool replica_current(const struct replica *);
/* Since the leader was heard; 0 on the leader.  False: never any. */
bool replica_last_contact(const struct replica *, uint64_t *ms);

struct replica_stats {
	const char	*state;		/* "Leader", "Follower", "Candidate" */
	uint64_t	 term, last_index, commit, applied;
	uint64_t	 snapshot_index, snapshot_term;
	uint64_t	 conf_index;
	unsigned	 voters, servers;
	unsigned	 heartbeat_ms;
	size_t		 pending;	/* proposed and not applied */
};
void replica_stats(const struct replica *, struct replica_stats *);

#endif

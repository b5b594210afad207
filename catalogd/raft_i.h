/*
 * The replicated log as raft.c, raft_snapshot.c and raft_start.c share it.
 */
#ifndef CATALOGD_RAFT_I_H
#define CATALOGD_RAFT_I_H

#include "catalogd/raft.h"
#include "catalogd/raft_core.h"
#include "catalogd/raft_disk.h"
#include "catalogd/raft_peers.h"

struct replica {
	struct ev	*ev;
	struct ev_timer	*timeout, *turn;
	struct disk	*disk;
	struct rcore	*core;
	struct peers	*peers;
	struct replica_ops ops;
	struct log_meta	 meta;
	char		*node_id, *address, *dir;
	unsigned	 heartbeat_ms;
	bool		 running;	/* the core has begun */
	bool		 booting;	/* a first entry is being written */

	uint64_t	 snap_index, snap_term;
	struct log_snapshot taking;	/* index != 0: being written */
	struct wbuf	 taking_conf;
	bool		 want_snapshot;
	uint64_t	 snap_retry_ms;	/* none before */
	bool		 full;		/* the disk is */
	struct disk_incoming *install_file;	/* came, waits for our own */
	struct log_snapshot installing;	/* index != 0: being synced */
	struct disk_incoming *install_data;	/* what it is in */
	uint64_t	 install_from, install_term;
	struct log_entry *boot;		/* that first entry */
	uint64_t	 mem_last;	/* in memory: kept, not yet reported */

	/* Is what was committed before the start of this process applied? */
	bool		 current;
	uint64_t	 goal, goal_term;	/* what a leader had committed */

	/* as told last */
	bool		 office;
	uint64_t	 leader, confirmed, memb_index;
	size_t		 nservers;
	enum rcore_state state;
};

/* raft.c */
/* What the core says, all of it, is looked at when a turn ends. */
void replica_settle(struct replica *);
void replica_on_full(bool, void *);
void replica_save_cluster(struct replica *, uint64_t cluster);
/* A membership's bytes; the caller frees. */
uint8_t *replica_encode(const struct replica_server *, size_t n, size_t *len);
/* The core, its connections and its timers. */
void replica_make_core(struct replica *, const struct replica_conf *);

/* raft_snapshot.c */
void replica_maybe_snapshot(struct replica *);
void replica_send_snapshot(uint64_t to, void *);
/* One comes from the leader, in pieces: struct peers_ops. */
void *replica_snap_begin(uint64_t size, void *);
int replica_snap_add(void *snap, const uint8_t *, size_t);
void replica_snap_drop(void *snap);
void replica_take_snapshot(uint64_t from, uint64_t term, void *snap, void *);
void replica_on_snapshotted(uint64_t index, void *);

#endif

/*
 * What the parts of the simulation know of each other: servers with their
 * disks (catalogd_raft_sim_node.c), the network and what happens to them
 * (catalogd_raft_sim.c), and tests that move them by hand.
 */
#ifndef TESTS_UNIT_CATALOGD_RAFT_SIM_I_H
#define TESTS_UNIT_CATALOGD_RAFT_SIM_I_H

#include "catalogd/raft_core.h"
#include "common/util.h"
#include "tests/unit/catalogd_raft_sim.h"

#define NODES_MAX 7
#define ENTRIES_MAX 200000
#define PACKETS_MAX 8192
#define TERMS_MAX 20000
#define ELECTION_MS 150
#define HEARTBEAT_MS 30
#define SETTLE_MS 60000
#define RAFT_CHANGE_TYPE 3

struct dentry {
	uint64_t term;
	uint8_t	 type;
	uint8_t	*p;
	size_t	 len;
};

struct snap {
	uint64_t index, term, conf_index, hash;
	uint8_t	*conf;
	size_t	 conf_len;
};

/* Entries on their way to the disk. */
struct job {
	uint64_t at, first, epoch;
	struct dentry *e;
	size_t	 n;
	struct job *next;
};

struct packet {
	uint64_t at, seq;
	int	 from, to;
	uint64_t link;		/* of the connection it is on */
	uint8_t	*p;
	size_t	 n;
	struct snap *snap;	/* instead */
	uint64_t term;
};

struct sim;
struct node {
	struct sim *sim;
	int	 i;
	bool	 up;
	uint64_t down_until;
	struct rcore *c;
	/* on disk */
	uint64_t term, vote;
	struct dentry *log;
	size_t	 nlog, cap;
	uint64_t first;		/* index of log[0] */
	struct snap snap;
	/* in memory */
	struct job *jobs;
	uint64_t epoch, queued, disk_busy;
	uint64_t applied, hash, commit;
	struct snap *install;	/* being written until install_at */
	uint64_t install_at;
	uint64_t confirm_number, confirm_floor;
	bool	 want_snapshot;
};

struct sim {
	struct sim_conf conf;
	struct sim_result *res;
	struct rng rng;
	uint64_t now, seq;
	struct node node[NODES_MAX];
	struct packet packet[PACKETS_MAX];
	size_t	 npackets;
	int	 side[NODES_MAX];
	uint64_t link[NODES_MAX][NODES_MAX];	/* raised when one breaks */
	uint64_t last[NODES_MAX][NODES_MAX];
	uint64_t *applied;	/* by index: the hash of that entry */
	uint64_t *chain;	/* by index: of all up to it */
	uint64_t top;		/* highest index applied anywhere */
	uint64_t acked;		/* highest acknowledged */
	uint64_t leader_of[TERMS_MAX];
	uint64_t proposals;
	bool	 quiet;		/* nobody proposes of himself */
	uint64_t mute_term;	/* entries of that term stay behind */
};

/* catalogd_raft_sim.c */
struct sim *sim_new(const struct sim_conf *, struct sim_result *);
void sim_end(struct sim *);
void sim_step(struct sim *);			/* a millisecond */
void sim_broken(struct sim *, const char *why);	/* the first one counts */
bool sim_chance(struct sim *, uint32_t one_in);
uint64_t sim_node_id(int i);
void sim_propose(struct node *);
/* NULL: lost, as soon as it is sent. */
struct packet *sim_packet_add(struct sim *, int from, int to);

/* catalogd_raft_sim_node.c */
void node_start(struct node *);
/* What was not synced is gone, or part of it. */
void node_crash(struct node *);
void node_clear(struct node *);
void node_snapshot(struct node *);
void node_install_begin(struct node *, const struct packet *);
void node_install_end(struct node *);
void node_disk_store(struct node *, uint64_t index, struct dentry *);
void node_disk_run(struct node *);		/* what is due */

#endif

/*
 * Several servers of the consensus in one process, with virtual time: a network
 * that loses, delays, repeats and splits, disks that lose what was not synced,
 * servers that crash, memberships that change.  Same seed, same run.
 *
 * Checked all the time: one leader a term, every server applies the same entry
 * at an index, what was acknowledged stays, commits do not go back, and a
 * leader that was confirmed has everything that was acknowledged before.
 */
#ifndef TESTS_UNIT_CATALOGD_RAFT_SIM_H
#define TESTS_UNIT_CATALOGD_RAFT_SIM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_conf {
	uint64_t	 seed;
	unsigned	 servers;	/* there are */
	unsigned	 first;		/* of them in the first membership */
	uint64_t	 ms;		/* with faults; then as long as it takes */
	bool		 ordered;	/* as connections are; else anything goes */
	bool		 faults;
	bool		 membership;	/* changes */
	/* A server that acknowledges before it is durable: must be found. */
	bool		 lies;
	/* A leader that commits by counting, whatever the term: likewise. */
	bool		 counts;
};

struct sim_result {
	const char	*broken;	/* NULL, or the invariant */
	uint64_t	 broken_ms;
	uint64_t	 entries, acked, elections, crashes, installs,
			 changes, confirms;
};

void sim_run(const struct sim_conf *, struct sim_result *);

#endif

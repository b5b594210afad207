/*
 * Which servers there are, as server_raft.c and server_recover.c share it.
 */
#ifndef CATALOGD_SERVER_RAFT_I_H
#define CATALOGD_SERVER_RAFT_I_H

#include "catalogd/server_i.h"

#define EXPECT_MAX 16

#define DISCO_SERVER(F, T)						\
	F(T, UINT, , raft_id, "RaftID", 0, NULL)			\
	F(T, UINT, , cluster, "Cluster", 0, NULL)			\
	F(T, UINT, , servers, "Servers", 0, NULL)			\
	F(T, UINT, , last_index, "LastIndex", 0, NULL)			\
	F(T, UINT, , set, "Set", 0, NULL)				\
	F(T, STR, , node_id, "NodeID", 0, NULL)
SCHEMA_DECLARE(disco_server, DISCO_SERVER)

/* What another server said of itself. */
struct ident {
	LIST_ENTRY(ident)	 entry;
	struct server		*srv;
	char			*node_id;
	void			*call;
	uint64_t		 asked_ms, told_ms;	/* 0: never */
	struct disco_server	 is;
};

struct health {
	uint64_t	 id;
	bool		 healthy;
	int64_t		 since_ns;	/* wall clock */
	uint64_t	 since_ms, dead_ms;	/* dead_ms 0: it is not */
};

struct server_raft {
	struct ev_timer		*timer;
	LIST_HEAD(, ident)	 idents;
	struct health		 health[REPLICA_SERVERS_MAX];
	size_t			 nhealth;
	/* whom we would begin a log with, by node id */
	char			*set[EXPECT_MAX];
	size_t			 nset;
	uint64_t		 set_hash;
	uint64_t		 warned_ms;
	struct autopilot_config	 autopilot;	/* when none is stored */
};

/* What that node said of itself, so far. */
struct ident *raft_ident(struct server *, const char *node_id);
/* Asks it, if that is not under way, nor was within again_ms. */
void raft_ask(struct server *, const struct member *, uint64_t again_ms);

#endif

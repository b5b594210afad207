/*
 * Inside the consensus: what raft_core.c (life, entries, applying) and
 * raft_core_recv.c (messages, guards) share.
 */
#ifndef CATALOGD_RAFT_CORE_I_H
#define CATALOGD_RAFT_CORE_I_H

#include <raft.h>

#include "catalogd/raft_core.h"

/* An entry from being proposed until neither we nor a follower needs it. */
struct slot {
	uint64_t	 index, term;
	int		 type;
	uint8_t		*p;
	size_t		 len;
	void		*tag;
};
/* In order of index, without a gap. */
struct slots {
	struct slot	*item;
	size_t		 head, n, cap;
	size_t		 bytes;
};

/* What the leader knows of another server. */
struct heard {
	uint64_t	 id, ms, confirmed;
};
#define HEARD_MAX 64

struct rcore {
	struct raft	 core;
	bool		 started;
	struct raft_tracer tracer;
	struct rcore_conf conf;
	struct rcore_ops ops;
	uint64_t	 now;

	struct slots	 batch;		/* proposed, not yet submitted */
	struct slots	 log;
	uint64_t	 applied, applied_term;
	bool		 applying;
	struct wbuf	 memb;		/* the last membership applied */
	uint64_t	 memb_index;
	uint64_t	 office_at;	/* applying this is being in office */
	uint64_t	 led_term;	/* office_at is of it */

	struct heard	 heard[HEARD_MAX];
	size_t		 nheard;
	uint64_t	 leader_heard;
	/* a round of confirming leadership */
	uint64_t	 round, round_done;
	uint64_t	 round_sent;	/* when */
	bool		 round_open, round_again;

	struct raft_snapshot_metadata install;
	bool		 kept;		/* entries of the message fed last */
	const char	*broken;
};

/* raft_core.c */
void rcore_step(struct rcore *, struct raft_event *);

/* raft_core_log.c */
struct slot *rcore_slots_add(struct slots *);
size_t rcore_slots_count(const struct slots *);
void rcore_slots_free(struct slots *);
struct slot *rcore_slot(const struct rcore *, uint64_t index);
void rcore_lose_tag(struct rcore *, struct slot *);
void rcore_log_truncate(struct rcore *, uint64_t index);
struct slot *rcore_log_add(struct rcore *, uint64_t index, uint64_t term,
    int type, void *p, size_t len);
void rcore_log_trim(struct rcore *);

/* raft_core_conf.c */
int rcore_conf_decode(const uint8_t *, size_t, struct raft_configuration *);
/* Is that server the only one with a vote? */
bool rcore_conf_alone(const struct raft_configuration *, uint64_t id);
void rcore_conf_keep(struct rcore *, uint64_t index, const uint8_t *, size_t);
void rcore_conf_apply(struct rcore *, const struct slot *);
void rcore_conf_settle(struct rcore *);

/* raft_core_recv.c */
void rcore_send_message(struct rcore *, const struct raft_message *);
void rcore_round_tick(struct rcore *);
void rcore_round_check(struct rcore *);

#endif

/*
 * Serf on top of SWIM (gossip.md section 10): the longer memory of members,
 * intents to join and to leave under Lamport clocks, user events, queries.
 *
 *	graceful leave: leave intent, then SWIM's own departure, each until it
 *	    was gossiped often enough, then a while of still answering
 *	a member that only vanishes is failed; after reconnect_timeout reaped
 *	force-leave: a leave intent about a failed member makes it left
 *	duplicates: dropped by clock value, or they would circulate for ever
 *
 * A pure core like swim.c, which it drives: callers talk to this one.
 */
#ifndef GOSSIPD_SERF_H
#define GOSSIPD_SERF_H

#include "common/schema/msg.h"
#include "gossipd/swim.h"

#define SERF_EVENT_MAX	512	/* name and payload; and encoded */
#define SERF_QUERY_MAX	1024	/* query, response, relay */

struct serf_conf {
	struct swim_conf swim;
	uint64_t	reconnect_timeout_ns, tombstone_ns, intent_ns;
	uint64_t	reap_interval_ns, reconnect_interval_ns;
	uint64_t	broadcast_timeout_ns, propagate_ns;
	size_t		members_max;	/* past it the gone are soon forgotten */
	bool		coordinates;	/* send one with acks */
};
/* Serf's values on a LAN, with Consul's changes. */
extern const struct serf_conf serf_conf_lan;

struct serf_member {
	struct ident	*id;		/* NULL: unknown */
	uint64_t	 ltime;		/* of its status */
	uint64_t	 gone_at;	/* failed or left */
	uint64_t	 prune_at;	/* leaving with prune; 0: no */
	enum member_status status;
};

enum serf_event {
	SERF_JOINED, SERF_UPDATED, SERF_LEAVES, SERF_LEFT, SERF_FAILED,
	SERF_REAPED
};

struct serf_clocks { uint64_t member, event, query; };

struct serf_ops {
	void	(*send)(void *arg, const struct gaddr *to, bool crc,
		    const uint8_t *msg, size_t n);
	void	(*tcp_ping)(void *arg, const struct ident *, uint32_t seq,
		    uint64_t until_ns);
	/* join: it failed; see whether it is back. */
	void	(*pushpull)(void *arg, const struct ident *, bool join);
	const char *(*admit)(void *arg, const struct swim_said *, size_t n,
		    bool join);
	void	(*member)(void *arg, enum serf_event,
		    const struct serf_member *);
	void	(*event)(void *arg, const struct sf_event *);
	/* Leaving is over. */
	void	(*left)(void *arg);
	void	(*note)(void *arg, enum swim_note, const char *text);
};

struct serf;
struct serf *serf_new(const struct serf_conf *, struct idents *,
    const struct serf_ops *, void *arg, uint64_t seed);
void serf_free(struct serf *);
/* What an earlier life knew: its events and queries are not taken again. */
void serf_resume(struct serf *, const struct serf_clocks *);
void serf_start(struct serf *, uint64_t now, struct span name,
    const struct gaddr *, struct span meta, const uint8_t vsn[VSN_LEN]);

void serf_input(struct serf *, uint64_t now, const struct gaddr *from,
    const uint8_t *, size_t);
void serf_tick(struct serf *, uint64_t now);
uint64_t serf_next(struct serf *, uint64_t now);
/* A push/pull message.  ours: the answer to our own join.  NULL, or why it
 * was discarded. */
const char *serf_merge(struct serf *, uint64_t now, bool ours,
    const uint8_t *, size_t);
/* After a join: says so to everybody. */
void serf_announce(struct serf *, uint64_t now);
void serf_leave(struct serf *, uint64_t now);
bool serf_leaving(const struct serf *);
/* -1: no such member. */
int serf_force_leave(struct serf *, uint64_t now, struct span name, bool prune);
/* NULL, or why not. */
const char *serf_fire(struct serf *, uint64_t now, struct span name,
    struct span payload, bool coalesce);

struct swim *serf_swim(struct serf *);
/* In order of their numbers; start with *i = 0.  NULL: that was all. */
const struct serf_member *serf_member_next(struct serf *, uint32_t *i);
const struct serf_member *serf_member_find(struct serf *, struct span name);
size_t serf_count(const struct serf *, enum member_status);
size_t serf_count_all(const struct serf *);
struct serf_clocks serf_clocks(const struct serf *);

#endif

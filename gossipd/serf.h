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
#include "gossipd/coordinate.h"
#include "gossipd/crypt.h"
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
	struct keyring	*ring;		/* what key queries act on; NULL: none;
					   not owned */
};
/* Serf's values on a LAN, with Consul's changes. */
extern const struct serf_conf serf_conf_lan;

/* Keep it small: a simulation has some for each pair of its nodes. */
struct serf_member {
	struct ident	*id;		/* NULL: unknown */
	uint64_t	 ltime;		/* of its status */
	uint64_t	 at_ms : 48;	/* failed, left or leaving since; when to
					   forget it, if prune */
	enum member_status status : 8;
	bool		 prune : 1;
	bool		 guessed : 1;	/* ltime, of a leave */
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
	/* A key query changed the ring: write it down.  NULL, or why not. */
	const char *(*save_keys)(void *arg);
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

/* ---- queries ---- */

/*
 * A question to the members: each that the filters leave may acknowledge it,
 * and answers at most once, by datagram to the asker and through others.
 */
struct serf_tag_filter { struct span tag, expr; };
struct serf_question {
	struct span			 name, payload;
	const struct span		*nodes;		/* nnodes 0: all */
	size_t				 nnodes;
	const struct serf_tag_filter	*tags;
	size_t				 ntags;
	bool				 ack;
	unsigned			 relay;
	uint64_t			 timeout_ns;	/* 0: by cluster size */
};
struct serf_hear {
	void	(*ack)(void *arg, struct span from);		/* may be NULL */
	void	(*answer)(void *arg, struct span from, struct span payload);
	/* Time is up; the query is freed.  The last call. */
	void	(*over)(void *arg);
};
struct serf_query;
/* NULL and *why: too large, or too many are running. */
struct serf_query *serf_ask(struct serf *, uint64_t now,
    const struct serf_question *, const struct serf_hear *, void *arg,
    const char **why);
/* No more calls; freed. */
void serf_ask_end(struct serf *, struct serf_query *);
/* Gossip interval x 16 x ceil(log10(alive + 1)). */
uint64_t serf_query_timeout(const struct serf *);

/* ---- keys of the whole pool (gossipd/serf_keys.c) ---- */

enum serf_key_op { KEY_INSTALL, KEY_USE, KEY_REMOVE, KEY_LIST };
struct serf_key_count { char *key; unsigned nodes; };	/* base64 */
struct serf_key_message { char *node, *text; };
struct serf_keys {
	unsigned		 nodes, answers, errors;
	struct serf_key_message	*message;	/* of those that said something */
	size_t			 nmessages;
	struct serf_key_count	*key, *primary;	/* KEY_LIST */
	size_t			 nkeys, nprimary;
	const char		*error;		/* NULL, or what went wrong, as
						   peers say it */
};
typedef void serf_keys_fn(void *arg, const struct serf_keys *);
/*
 * Asks all members, this one included, and reports when all alive have answered
 * or time is up; never from within.  NULL, or why it was not asked.
 */
const char *serf_keys(struct serf *, uint64_t now, enum serf_key_op,
    const uint8_t *key, size_t len, unsigned relay, serf_keys_fn *, void *arg);

/* ---- coordinates ---- */

/* This node's; NULL when they are off. */
const struct coord *serf_coord(const struct serf *);
unsigned serf_coord_resets(const struct serf *);
/* What that member's last ack brought; false: nothing yet. */
bool serf_coord_of(const struct serf *, struct span name, struct coord *);

struct swim *serf_swim(struct serf *);
/* In order of their numbers; start with *i = 0.  NULL: that was all. */
const struct serf_member *serf_member_next(struct serf *, uint32_t *i);
const struct serf_member *serf_member_find(const struct serf *,
    struct span name);
size_t serf_count(const struct serf *, enum member_status);
size_t serf_count_all(const struct serf *);
struct serf_clocks serf_clocks(const struct serf *);

#endif

/*
 * What the parts of the Serf core share: serf.c (life, leaving, clock),
 * serf_member.c (members, intents), serf_event.c (user events), serf_query.c
 * (what others ask), serf_ask.c (what we ask), serf_keys.c (keys of the pool),
 * serf_coord.c (coordinates), serf_sync.c (the user part of push/pull).
 */
#ifndef GOSSIPD_SERF_INT_H
#define GOSSIPD_SERF_INT_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "common/mp.h"
#include "gossipd/serf.h"
#include "gossipd/tags.h"

#define RING		512	/* slots of recent events, and of queries */
#define SLOT_EVENTS	256	/* of one clock value */
#define SLOT_QUERIES	256
#define EVENT_HARD_MAX	(9u << 10)
#define EVENT_BYTES_MAX	(4u << 20)	/* all that is remembered */
#define INTENTS_MAX	4096
/* Members that are remembered, those that failed or left included. */
#define SERF_MEMBERS_MAX (2 * SWIM_MEMBERS_MAX)

struct intent {
	TAILQ_ENTRY(intent)	 link;		/* by age */
	RB_ENTRY(intent)	 by_name;
	uint64_t		 ltime, at;
	bool			 leave, hearsay;
	size_t			 len;
	uint8_t			 name[];
};

struct past_event { uint8_t *bytes; size_t name_len, len; bool nil; };
struct event_slot { uint64_t ltime; size_t n; struct past_event item[]; };
struct query_slot { uint64_t ltime; size_t n; uint32_t id[]; };

enum leave_step { LEAVE_NOT, LEAVE_INTENT, LEAVE_SWIM, LEAVE_WAIT, LEAVE_DONE };

struct serf {
	struct serf_conf	 conf;
	struct serf_ops		 ops;
	void			*arg;
	struct idents		*idents;
	struct swim		*swim;
	struct rng		 rng;
	uint64_t		 now;		/* of the call that we are in */

	struct serf_member	*member;	/* by number of the name */
	uint32_t		 nmember;
	size_t			 count[MEMBER_FAILED + 1];
	TAILQ_HEAD(intent_list, intent) intents;
	RB_HEAD(intent_tree, intent) intent_names;
	unsigned		 nintents;

	struct serf_clocks	 clock;
	uint64_t		 event_min, query_min;
	struct event_slot	**events;	/* RING of them, or NULL: no */
	struct query_slot	**queries;	/* event, no query so far */
	size_t			 event_bytes;
	TAILQ_HEAD(, serf_query) asked;		/* our own that still run */
	unsigned		 nasked;
	LIST_HEAD(, key_ask)	 key_asks;
	struct rate		 scans, filters;

	bool			 own_join;	/* in serf_merge() */
	enum leave_step		 step;
	uint64_t		 step_until;
	uint64_t		 reap_at, reconnect_at, conflict_at;
	struct coord_self	*coord;		/* NULL: they are off */
	struct peer_coord	**peers;	/* by number of the name */
	uint32_t		 npeers;
	struct wbuf		 ack, msg;	/* payload of acks; being made */
};

void serf_witness(uint64_t *clock, uint64_t);
/* s->msg with both type bytes in it. */
struct wbuf *serf_msg(struct serf *, enum sf_type);
/* Queues a message, given without memberlist's type byte, as it came. */
void serf_forward(struct serf *, enum bcast_kind, const uint8_t *, size_t);
/* A < B, as memcmp(3). */
int serf_span_cmp(struct span, struct span);

/* serf_member.c */
/*
 * True if it is news, to be passed on.  hearsay: what an exchange of state says
 * of others; the time of a leave is a guess then, and what is said to be a join
 * may be a leave that is under way.
 */
bool serf_join_intent(struct serf *, const struct sf_join *, bool hearsay);
bool serf_leave_intent(struct serf *, const struct sf_leave *, bool hearsay);
/* Our own join intent, now. */
void serf_send_join(struct serf *);
void serf_on_changed(void *arg, enum swim_event, struct ident *);
void serf_reap(struct serf *);
void serf_reconnect(struct serf *);
void serf_intents_clear(struct serf *);
void serf_members_clear(struct serf *);

/* serf_event.c */
bool serf_too_old(uint64_t clock, uint64_t ltime);
bool serf_take_event(struct serf *, const struct sf_event *);
void serf_on_event(struct serf *, const uint8_t *, size_t);
void serf_events_clear(struct serf *);

/* serf_query.c */
/* True if it was not known; it is remembered then. */
bool serf_query_remember(struct serf *, const struct sf_query *);
/* Acknowledges and answers as far as it is for us. */
void serf_query_local(struct serf *, const struct sf_query *);
void serf_on_query(struct serf *, const uint8_t *, size_t);
void serf_on_relay(struct serf *, const uint8_t *, size_t);
void serf_queries_clear(struct serf *);
/* The message of an answer, in s->msg. */
struct wbuf *serf_response(struct serf *, const struct sf_query *,
    uint32_t flags, struct span payload);
void serf_respond(struct serf *, const struct sf_query *, uint32_t flags,
    struct span payload);

/* serf_ask.c */
void serf_ask_clear(struct serf *);
void serf_ask_tick(struct serf *);
uint64_t serf_ask_next(const struct serf *);
/* True if the query is one of ours that still runs. */
bool serf_ask_heard(struct serf *, const struct sf_response *);
void serf_on_response(struct serf *, const uint8_t *, size_t);

/* serf_keys.c */
/* True if it is about keys; it is answered then. */
bool serf_keys_answer(struct serf *, const struct sf_query *);
void serf_keys_clear(struct serf *);

/* serf_coord.c */
void serf_coord_start(struct serf *, uint64_t seed);
void serf_coord_stop(struct serf *);
void serf_coord_forget(struct serf *, uint32_t num);
void serf_coord_heard(struct serf *, const struct ident *, uint64_t rtt_ns,
    struct span payload);

/* serf_sync.c */
void serf_state_write(void *arg, struct wbuf *);
void serf_state_read(void *arg, struct span, bool join);

#endif

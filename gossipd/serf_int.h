/*
 * What the parts of the Serf core share: serf.c (members, intents, clock),
 * serf_event.c (user events, queries), serf_sync.c (the user part of
 * push/pull).
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
	bool			 leave;
	size_t			 len;
	uint8_t			 name[];
};

struct past_event { uint8_t *bytes; size_t name_len, len; bool nil; };
struct event_slot { uint64_t ltime; struct past_event *item; size_t n; };
struct query_slot { uint64_t ltime; uint32_t *id; size_t n; };

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
	struct event_slot	 events[RING];
	size_t			 event_bytes;
	struct query_slot	 queries[RING];

	bool			 own_join;	/* in serf_merge() */
	enum leave_step		 step;
	uint64_t		 step_until;
	uint64_t		 reap_at, reconnect_at, conflict_at;
	struct wbuf		 coord, msg;
};

void serf_note(struct serf *, enum swim_note, const char *, ...)
    __attribute__((format(printf, 3, 4)));
void serf_witness(uint64_t *clock, uint64_t);
/* s->msg with both type bytes in it. */
struct wbuf *serf_msg(struct serf *, enum sf_type);
/* Queues a message, given without memberlist's type byte, as it came. */
void serf_forward(struct serf *, enum bcast_kind, const uint8_t *, size_t);
/* True if it is news, to be passed on. */
bool serf_join_intent(struct serf *, const struct sf_join *);
bool serf_leave_intent(struct serf *, const struct sf_leave *);

/* A < B, as memcmp(3). */
int serf_span_cmp(struct span, struct span);

/* serf_event.c */
bool serf_take_event(struct serf *, const struct sf_event *);
void serf_on_event(struct serf *, const uint8_t *, size_t);
void serf_on_query(struct serf *, const uint8_t *, size_t);
void serf_on_relay(struct serf *, const uint8_t *, size_t);
void serf_events_clear(struct serf *);

/* serf_sync.c */
void serf_state_write(void *arg, struct wbuf *);
void serf_state_read(void *arg, struct span, bool join);

#endif

/*
 * What the parts of the SWIM core share: swim.c (table, sending, clock),
 * swim_state.c (what messages change), swim_suspect.c (suspicion),
 * swim_probe.c (pings and their answers), swim_sync.c (push/pull).
 */
#ifndef GOSSIPD_SWIM_INT_H
#define GOSSIPD_SWIM_INT_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "gossipd/packet.h"
#include "gossipd/swim.h"

#define SUSPICION_K_MAX	16	/* confirmations that still shorten it */
#define RELAYS_MAX	256	/* indirect pings under way */
#define PROBE_VIA	8	/* helpers of a probe that the log names */

/*
 * How we see a member; by the number of its name.  Keep it small: a simulation
 * has one for each pair of its nodes.
 */
struct sview {
	struct ident	*id;		/* NULL: not in the table */
	uint32_t	 inc;
	uint32_t	 since : 30;	/* of the state, in TICKs, modulo */
	uint32_t	 state : 2;
};
#define TICK_NS		(10 * NS_PER_MS)

struct suspicion {
	RB_ENTRY(suspicion)	 by_num, by_due;
	uint32_t		 num;
	unsigned		 n, k;
	uint64_t		 min_ns, max_ns, start, fire;
	uint64_t		 due;		/* fire, or to ask it before */
	unsigned		 asked;
	char			*who;		/* accused it */
	uint64_t		 from[];	/* k + 1 hashes of them */
};
RB_HEAD(suspect_tree, suspicion);
RB_HEAD(due_tree, suspicion);

/* An indirect ping that we carry out for somebody. */
struct relay {
	TAILQ_ENTRY(relay)	 link;
	uint32_t		 seq, their_seq;
	struct gaddr		 to;
	bool			 member;	/* to is a member's place */
	bool			 nack;
	uint64_t		 nack_at, until;
};

enum probe_phase { PROBE_IDLE, PROBE_DIRECT, PROBE_INDIRECT };
struct probe {
	enum probe_phase	 phase;
	struct ident		*id;		/* held */
	struct ident		*via[PROBE_VIA]; /* asked to ping; held */
	uint32_t		 inc, seq;
	uint64_t		 start, direct_until, until;
	unsigned		 relays, want_nacks, nacks;
	bool			 tcp_acked;
};

struct swim {
	struct swim_conf	 conf;
	struct swim_ops		 ops;
	void			*arg;
	struct idents		*idents;
	struct rng		 rng;

	struct ident		*self;
	uint32_t		 inc, seq;	/* own, last used */
	unsigned		 health;
	bool			 leaving, pinged;
	uint8_t			*behind;	/* bits by number; NULL: none */

	struct sview		*view;
	uint32_t		 nview;
	uint32_t		*list;		/* numbers, in probing order */
	uint32_t		 n, cap, next;
	size_t			 nalive, nsuspect, nleft; /* without self */

	struct bcast		*bcast;
	struct suspect_tree	 suspects;
	struct due_tree	 dues;
	TAILQ_HEAD(, relay)	 relays;
	unsigned		 nrelays;
	struct probe		 probe;
	uint64_t		 probe_at, gossip_at, pushpull_at;
	uint64_t		 accused_at;	/* when to say so again */
	uint64_t		 told_at;	/* second that told counts */
	unsigned		 told, untold;	/* lines about members */
	struct rate		 strangers;	/* answers to no member */
	uint64_t		 corrected_at;	/* second that corrected counts */
	unsigned		 corrected;	/* old news set right */
	uint64_t		 asked_at;	/* second that asked counts */
	unsigned		 asked;		/* suspects, by us */
	const struct gaddr	*from;		/* of the datagram in hand */
	bool			 quiet;		/* what we learn is no news */
	uint64_t		 due;		/* as swim_next() last said */

	struct wbuf		 msg, packet, payload;	/* being made */
	struct compound		 parts;
};

struct sview *swim_view(const struct swim *, struct span name);
bool swim_is_self(const struct swim *, struct span name);
struct sview *swim_view_at(const struct swim *, uint32_t num);
uint64_t swim_age_ms(const struct sview *, uint64_t now);	/* of its state */
/* A line about a member: no more of them than somebody can read. */
void swim_tell(struct swim *, uint64_t now, enum swim_note, const char *, ...)
    __attribute__((format(printf, 4, 5)));
struct sview *swim_view_add(struct swim *, uint64_t now, struct ident *);
void swim_set_state(struct swim *, uint64_t now, struct sview *,
    enum swim_state);
/* s->msg with what we have of it. */
struct wbuf *swim_alive_msg(struct swim *, const struct sview *);
void swim_queue_alive(struct swim *, const struct sview *);
void swim_queue_claim(struct swim *, enum ml_type, uint32_t num,
    const struct ml_claim *, bool watched);
/* Of the cluster: the table without those who left. */
size_t swim_size(const struct swim *);
/* At the end of the probe list: the long dead go, the rest is shuffled. */
void swim_reap(struct swim *, uint64_t now);
/* s->msg with a type byte in it. */
struct wbuf *swim_msg(struct swim *, enum ml_type);
/* Sends s->msg and what broadcasts fit beside it. */
void swim_send_filled(struct swim *, const struct gaddr *);
/* Up to k random members that want() accepts. */
size_t swim_random(struct swim *, size_t k, struct sview **out,
    bool (*want)(struct swim *, const struct sview *, uint64_t now),
    uint64_t now);
bool swim_want_alive(struct swim *, const struct sview *, uint64_t);

/* swim_state.c: what a claim changes; why: for the log, NULL: as c has it. */
void swim_suspect(struct swim *, uint64_t now, const struct ml_claim *c,
    const char *why);
void swim_dead(struct swim *, uint64_t now, const struct ml_claim *c,
    const char *why);
void swim_alive(struct swim *, uint64_t now, const struct swim_said *,
    bool bootstrap);
void swim_on_alive(struct swim *, uint64_t now, struct rbuf *);
void swim_on_claim(struct swim *, uint64_t now, enum ml_type, struct rbuf *);

/* swim_probe.c: tells one that it is suspected; from us, not by gossip. */
void swim_accuse(struct swim *, const struct sview *);

/* swim_suspect.c */
struct suspicion *suspicion_find(struct swim *, uint32_t num);
void suspicion_start(struct swim *, uint64_t now, uint32_t num,
    struct span from);
/* True if this accuser counts. */
bool suspicion_confirm(struct swim *, struct suspicion *, struct span from);
void suspicion_cancel(struct swim *, const struct sview *);
void suspicion_clear(struct swim *);
void suspicion_tick(struct swim *, uint64_t now);
uint64_t suspicion_next(struct swim *);
void suspicion_shift(struct swim *, uint64_t by);

/* swim_probe.c */
void swim_on_ping(struct swim *, uint64_t now, const struct gaddr *from,
    struct rbuf *);
void swim_on_indirect(struct swim *, uint64_t now, const struct gaddr *from,
    struct rbuf *);
void swim_on_ack(struct swim *, uint64_t now, struct rbuf *);
void swim_on_nack(struct swim *, struct rbuf *);
void swim_probe_tick(struct swim *, uint64_t now);
uint64_t swim_probe_next(const struct swim *);
void swim_probe_shift(struct swim *, uint64_t by);
void swim_probe_clear(struct swim *);

#endif

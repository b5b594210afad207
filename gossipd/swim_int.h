/*
 * What the parts of the SWIM core share: swim.c (table, state changes, clock),
 * swim_probe.c (pings and their answers), swim_sync.c (push/pull).
 */
#ifndef GOSSIPD_SWIM_INT_H
#define GOSSIPD_SWIM_INT_H

#include <bsd/sys/queue.h>

#include "gossipd/packet.h"
#include "gossipd/swim.h"

#define SUSPICION_K_MAX	16	/* confirmations that still shorten it */
#define RELAYS_MAX	256	/* indirect pings under way */

/* How we see a member; by the number of its name.  Keep it small. */
struct sview {
	struct ident	*id;		/* NULL: not in the table */
	uint64_t	 since_ms:56;	/* of the state */
	uint64_t	 state:8;
	uint32_t	 inc;
	uint32_t	 at;		/* place in the probe list */
};

struct suspicion {
	TAILQ_ENTRY(suspicion)	 link;
	uint32_t		 num;
	unsigned		 n, k;
	uint64_t		 min_ns, max_ns, start, fire;
	uint64_t		 from[SUSPICION_K_MAX + 1];	/* hashes */
};

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

	struct sview		*view;
	uint32_t		 nview;
	uint32_t		*list;		/* numbers, in probing order */
	uint32_t		 n, cap, next;
	size_t			 nalive, nsuspect; /* without self */

	struct bcast		*bcast;
	TAILQ_HEAD(, suspicion)	 suspicions;
	TAILQ_HEAD(, relay)	 relays;
	unsigned		 nrelays;
	struct probe		 probe;
	uint64_t		 probe_at, gossip_at, pushpull_at;
	uint64_t		 accused_at;	/* when to say so again */
	uint64_t		 due;		/* as swim_next() last said */

	struct wbuf		 msg, packet, payload;	/* being made */
	struct compound		 parts;
};

void swim_note(struct swim *, enum swim_note, const char *, ...)
    __attribute__((format(printf, 3, 4)));
struct sview *swim_view(const struct swim *, struct span name);
bool swim_is_self(const struct swim *, struct span name);
/* What a claim changes; why: for the log. */
void swim_suspect(struct swim *, uint64_t now, const struct ml_claim *,
    const char *why);
void swim_dead(struct swim *, uint64_t now, const struct ml_claim *,
    const char *why);
void swim_alive(struct swim *, uint64_t now, const struct swim_said *,
    bool bootstrap);
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

/* swim_probe.c */
void swim_on_ping(struct swim *, const struct gaddr *from, struct rbuf *);
void swim_on_indirect(struct swim *, uint64_t now, const struct gaddr *from,
    struct rbuf *);
void swim_on_ack(struct swim *, uint64_t now, struct rbuf *);
void swim_on_nack(struct swim *, struct rbuf *);
void swim_probe_tick(struct swim *, uint64_t now);
uint64_t swim_probe_next(const struct swim *);
void swim_probe_shift(struct swim *, uint64_t by);
void swim_probe_clear(struct swim *);

#endif

/*
 * SWIM with Lifeguard as memberlist does it (gossip.md section 9): the table
 * of members, probing, suspicion, dissemination and the exchange of state.
 *
 *	happy path: every probe interval one member is pinged and acks within
 *	    the probe timeout; what changes is piggybacked and gossiped
 *	no ack: others are asked to ping it and TCP is tried; then it is
 *	    suspected, and failed when nobody hears it refute in time
 *	false accusation: the accused gossips itself with a higher incarnation
 *	packets lost: a full exchange with one member every push/pull interval
 *	this node slow: missed acks and nacks lower its own health, which
 *	    stretches its probes
 *
 * A pure core: nanoseconds of any monotonic clock come in as arguments, what
 * is to be done goes out through swim_ops.
 */
#ifndef GOSSIPD_SWIM_H
#define GOSSIPD_SWIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util.h"
#include "gossipd/bcast.h"
#include "gossipd/ident.h"

#define SWIM_MEMBERS_MAX	65536u
#define SWIM_NEVER		UINT64_MAX

enum swim_state { SWIM_ALIVE, SWIM_SUSPECT, SWIM_DEAD, SWIM_LEFT };
const char *swim_state_name(enum swim_state);

struct swim_conf {
	uint64_t	probe_interval_ns, probe_timeout_ns;
	uint64_t	gossip_interval_ns, pushpull_interval_ns;
	uint64_t	gossip_dead_ns;		/* gossip to the dead, then reap */
	uint64_t	left_ns;		/* remember who left */
	uint64_t	reclaim_ns;		/* name of the dead; 0: never */
	unsigned	indirect;		/* members asked to ping */
	unsigned	gossip_nodes;
	unsigned	retransmit_mult, suspicion_mult, suspicion_max_mult;
	unsigned	awareness_max;		/* 1: no local health */
	bool		buddy;			/* a suspect's ping tells it so */
	bool		second_look;		/* not memberlist's: old news are
						   set right, suspects asked */
	uint64_t	stall_ns;		/* of our own that is forgiven;
						   0: none is */
	size_t		packet_max;		/* before CRC */
	size_t		overhead;		/* of encryption and label */
};
/* memberlist's LAN values, with the reclaim time that Consul sets. */
extern const struct swim_conf swim_conf_lan;

/* A member as a message has it. */
struct swim_said {
	struct span	name, meta;
	struct gaddr	addr;
	uint8_t		vsn[VSN_LEN];	/* zero if it was not six bytes */
	uint32_t	inc;
	enum swim_state	state;
};

enum swim_event { SWIM_JOIN, SWIM_UPDATE, SWIM_LEAVE };
enum swim_note { SWIM_DEBUG, SWIM_INFO, SWIM_WARN };

struct swim_ops {
	/* crc: the receiver is known to understand the checksum layer. */
	void	(*send)(void *arg, const struct gaddr *to, bool crc,
		    const uint8_t *msg, size_t n);
	/* Ping over TCP; swim_tcp_acked() if it answers until then. */
	void	(*tcp_ping)(void *arg, const struct ident *, uint32_t seq,
		    uint64_t until_ns);
	/* Exchange state with it, without joining. */
	void	(*pushpull)(void *arg, const struct ident *);
	/* NULL, or why these are not to be let in.  join: the whole list of
	 * one that joins (us, or somebody us); else one alive. */
	const char *(*admit)(void *arg, const struct swim_said *, size_t n,
		    bool join);
	void	(*changed)(void *arg, enum swim_event, struct ident *);
	void	(*conflict)(void *arg, const struct ident *have,
		    const struct gaddr *claimed);
	void	(*user)(void *arg, const uint8_t *msg, size_t n);
	/* Payload of our acks, and of others' with the round-trip time (may be
	 * NULL). */
	void	(*ack_write)(void *arg, struct wbuf *);
	void	(*ack_read)(void *arg, const struct ident *, uint64_t rtt_ns,
		    struct span payload);
	/* The user part of a push/pull. */
	void	(*state_write)(void *arg, struct wbuf *);
	void	(*state_read)(void *arg, struct span, bool join);
	/* A line for the log; may be NULL. */
	void	(*note)(void *arg, enum swim_note, const char *text);
};

/* Of what strangers can ask for, so much a second. */
struct rate { uint64_t second; unsigned n; };
bool rate_take(struct rate *, uint64_t now, unsigned per_s);

struct swim;

/* Identities are shared and not owned; the rest is copied. */
struct swim *swim_new(const struct swim_conf *, struct idents *,
    const struct swim_ops *, void *arg, uint64_t seed);
void swim_free(struct swim *);
/* This node comes alive, with incarnation 1. */
void swim_start(struct swim *, uint64_t now, struct span name,
    const struct gaddr *, struct span meta, const uint8_t vsn[VSN_LEN]);
void swim_set_meta(struct swim *, uint64_t now, struct span meta);
/* No more refutation; the departure is queued (swim_watched()). */
void swim_leave(struct swim *, uint64_t now);

/* One message, type byte first, that is no layer. */
void swim_input(struct swim *, uint64_t now, const struct gaddr *from,
    const uint8_t *, size_t);
/* Does what is due; call it at swim_next(), SWIM_NEVER: nothing is.  Ask anew
 * after each input. */
void swim_tick(struct swim *, uint64_t now);
uint64_t swim_next(struct swim *, uint64_t now);
void swim_tcp_acked(struct swim *, uint32_t seq);

/*
 * The full state, type byte included.  look: no member and no user state; the
 * other end still answers with all of its own.
 */
void swim_state_write(struct swim *, bool join, bool look, struct wbuf *);
/* Of a push/pull message: the members (the caller frees), the header's join,
 * the user part.  NULL, or why it is none. */
const char *swim_state_parse(const uint8_t *, size_t, struct swim_said **,
    size_t *n, bool *join, struct span *user);
/* NULL, or why all of it was discarded. */
const char *swim_merge(struct swim *, uint64_t now, const uint8_t *, size_t);

/*
 * While state_read() runs: does whoever sent this exchange have a member as
 * gone, in a life that was over before the one that we have it alive in?
 */
bool swim_teller_is_behind(const struct swim *, struct span name);

/* A line for the log. */
void swim_note(struct swim *, enum swim_note, const char *, ...)
    __attribute__((format(printf, 3, 4)));
/* Queues a user message (both type bytes included) for gossip. */
void swim_broadcast(struct swim *, enum bcast_kind, bool watched,
    const uint8_t *, size_t);
/* Sends a message to one address, now. */
void swim_send(struct swim *, const struct gaddr *, const uint8_t *, size_t);
/* Up to n random members that are alive and not us; the number found. */
size_t swim_random_alive(struct swim *, size_t n, struct ident **);
unsigned swim_watched(const struct swim *);
struct bcast *swim_bcast(struct swim *);
struct ident *swim_self(const struct swim *);
uint32_t swim_incarnation(const struct swim *);
size_t swim_count(const struct swim *);		/* the table, self included */
size_t swim_count_alive(const struct swim *);	/* not self */
size_t swim_count_up(const struct swim *);	/* not gone; self, suspects */
unsigned swim_health(const struct swim *);
bool swim_pinged(const struct swim *);		/* ever, by its name */
/* The state of a member, or -1 when it is not in the table. */
int swim_lookup(const struct swim *, struct span name, uint32_t *inc);

/* The arithmetic of 9.6, 9.9 and 9.11. */
unsigned swim_retransmit_limit(unsigned mult, size_t n);
uint64_t swim_suspicion_min(unsigned mult, size_t n, uint64_t probe_ns);
uint64_t swim_suspicion_total(unsigned confirmations, unsigned k,
    uint64_t min_ns, uint64_t max_ns);
uint64_t swim_pushpull_scale(uint64_t base_ns, size_t n);

#endif

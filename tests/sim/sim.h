/*
 * A network of real gossip cores in one process, with virtual time: what the
 * files of this folder share.
 *
 *	heap.c		what is due when
 *	host.c		hosts: clocks, lives, standing still, the loop
 *	net.c		what travels between them
 *	prime.c		thousands of hosts that know each other from the start
 *	check.c		what must hold at every step, and in the end
 *	scenario.c	runs that must end well
 *	control.c	forgeries that the checks must notice
 *	watch.c		when who heard of something
 *	table.c		figures: propagation, detection, traffic
 *	table_slow.c	figures: false positives among slow members
 *	sim.c		options; runs side by side, each in a process
 *
 * A host has a fixed index, address and clock; the member on it has a name,
 * which another host may have later.  Everything random comes from one seed.
 */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <bsd/sys/queue.h>

#include "common/util.h"
#include "gossipd/packet.h"
#include "gossipd/serf_int.h"
#include "gossipd/swim_int.h"

#define SIM_HOSTS_MAX	20000u
#define NOBODY		UINT32_MAX

/* ---- what is due when ---- */

enum due_kind { DUE_TIMER, DUE_ITEM, DUE_BLOCK, DUE_WAKE, DUE_JOIN };
struct item;
struct due {
	uint64_t	 at, order;
	struct item	*item;		/* DUE_ITEM */
	uint32_t	 host;
	uint16_t	 life;		/* of that host; another one's is void */
	uint16_t	 kind;
};
struct heap { struct due *a; size_t n, cap; uint64_t order; };
void heap_push(struct heap *, struct due);
/* False: nothing is due until then. */
bool heap_pop(struct heap *, uint64_t until, struct due *);
void heap_clear(struct heap *);

/* ---- hosts ---- */

enum item_kind { IT_DATAGRAM, IT_ASK, IT_ANSWER, IT_PING, IT_PONG };
struct item {
	TAILQ_ENTRY(item) link;		/* in the inbox of one that is blocked */
	enum item_kind	  kind;
	uint32_t	  from, to;
	uint16_t	  life;		/* that the answer is for */
	bool		  join;
	uint32_t	  seq, name;	/* TCP ping: whom it is for */
	uint64_t	  until;	/* asker's clock */
	size_t		  n;
	uint8_t		  p[];
};

TAILQ_HEAD(item_list, item);

struct shadow { const struct ident *id; uint32_t inc; uint8_t state; };

struct sim;
struct host {
	struct sim	*sim;
	struct serf	*serf;		/* NULL: down */
	uint32_t	 index, name;
	uint16_t	 life;		/* counts starts and ends */
	struct gaddr	 addr;
	double		 skew;		/* seconds gained a second */
	uint64_t	 offset;	/* clock at time 0 */
	uint64_t	 timer_at;	/* SWIM_NEVER: none */

	uint32_t	 part;		/* hears those of the same */
	bool		 slow, joined, leaving, left;
	bool		 mute;		/* a forgery: refutes nothing */
	uint64_t	 blocked_until;	/* 0: runs */
	struct item_list inbox;
	struct item_list outbox;	/* messages_only: held back */
	size_t		 inbox_bytes;
	uint64_t	 disturbed_at;	/* last blocked, cut off or down */

	struct ident	*said;		/* what it last said of itself */
	uint32_t	 said_inc;
	struct shadow	*shadow;	/* view after the last step, by number */
	uint32_t	*tomb;		/* lives that had left, + 1, by number */
	uint32_t	 nshadow;
};

/* What a name has really said, in each of its lives. */
struct life {
	uint32_t	 host, n, cap;
	struct ident	**said;		/* by incarnation - 1; held */
	bool		 over, left;
};
struct truth { struct life *life; uint32_t n, num; };

/* Who has heard of something, and when. */
struct watch {
	uint32_t	 name;		/* NOBODY: an event */
	int		 what;		/* enum serf_event, or -1: an event */
	char		 event[32];
	uint64_t	 start, suspect_at;
	uint32_t	 n;
	uint64_t	*at;		/* n of them, in order */
	uint8_t		*heard;		/* by host */
};

struct traffic { uint64_t datagrams, bytes, streams, stream_bytes; };

/* Failures that were told of members that ran. */
struct wrong {
	uint64_t	views;		/* one per view */
	uint64_t	views_healthy;	/* at hosts that are not slow */
	uint64_t	members;	/* one per member and incarnation */
	uint64_t	members_healthy; /* told by hosts that are not slow */
	uint64_t	slow;		/* per view, about slow members */
	uint64_t	true_views;	/* about members that were down */
};

enum invariant {
	INV_NONE, INV_CONTENT, INV_BACKWARDS, INV_RESURRECTED, INV_QUEUE,
	INV_REAPED, INV_DUPLICATE, INV_WRONGED, INV_REFUTED, INV_AGREE, INV_MAX
};
const char *invariant_name(enum invariant);

struct sim_conf {
	uint64_t	 seed;
	uint32_t	 hosts;
	uint64_t	 latency_ns;	/* median */
	double		 sigma;		/* of its logarithm; 0: uniform to 2x */
	double		 loss;
	bool		 lossy_streams;	/* they are late then, or give up */
	double		 skew;		/* clocks run at 1 +- this */
	bool		 sealed;	/* through CRC, compression, encryption */
	bool		 checked;	/* every view after every step */
	bool		 loud;		/* notes of the cores */
	bool		 no_wrong;	/* no failure may be told wrongly */
	/* Slow members are blocked and run by turns: so long on average. */
	uint64_t	 block_ns, run_ns;
	bool		 block_fixed;	/* exactly, and all at once */
	bool		 messages_only;	/* wait; clocks run on */
	struct serf_conf serf;
};

struct sim {
	struct sim_conf	 conf;
	struct idents	*idents;
	struct rng	 rng;		/* the network's */
	struct heap	 heap;
	uint64_t	 now, network_at; /* when it last changed */
	struct host	*host;
	uint32_t	 n, nup;
	uint32_t	*by_num;	/* name of an identity's number */
	uint32_t	 nby_num;
	struct truth	*truth;		/* by name */
	uint32_t	 nnames;
	struct layers	 layers;
	struct keyring	*ring;
	struct wbuf	 sealed;
	struct traffic	 traffic;
	struct wrong	 wrong;
	uint32_t	*wronged;	/* by name: incarnation last counted */
	uint32_t	*wronged_healthy;
	struct watch	*watch;
	uint64_t	 events;	/* user events that were heard */
	uint8_t		*seen;		/* host x event number: heard it */
	uint32_t	 nseen;		/* event numbers */
	uint64_t	 steps, hash;	/* of all that happened */
	const char	*replay;	/* command line */
};

void sim_conf_init(struct sim_conf *);
struct sim *sim_new(const struct sim_conf *);
void sim_free(struct sim *);
void sim_run(struct sim *, uint64_t ns);
static inline void
sim_run_ms(struct sim *s, uint64_t ms)
{
	sim_run(s, ms * NS_PER_MS);
}

/* Names: "n00012". */
#define SIM_NAME_LEN 8
void sim_name(uint32_t name, char out[SIM_NAME_LEN]);
uint32_t sim_name_of(const struct sim *, const struct ident *);

uint64_t host_clock(const struct host *);
/* A new life of that name begins; alone. */
void host_start(struct host *, uint32_t name);
/* Joins through one of the first n hosts, again and again until it works. */
void host_join(struct host *);
void host_crash(struct host *);
void host_leave(struct host *);
/* Other tags. */
void host_retag(struct host *, unsigned revision);
/* NULL, or why not. */
const char *host_fire(struct host *, const char *name, size_t payload);
void host_slow(struct host *, bool);
/* A message from nowhere. */
void host_inject(struct host *, enum ml_type, const struct body *,
    const void *);
bool host_hears(const struct host *, const struct host *);
/* After each call into its core: checks, and asks when to call again. */
void host_settle(struct host *);
/* Both have been up, running and in contact for that long. */
bool host_steady(const struct host *, const struct host *, uint64_t ns);
void sim_cut(struct sim *, uint32_t host, uint32_t part);
void sim_heal(struct sim *);
uint32_t sim_random_up(struct sim *);

/* net.c */
extern const struct serf_ops net_ops;
/* An exchange of state, as a join or not. */
void net_ask(struct host *, struct host *to, bool join);
/* Takes the item. */
void net_arrive(struct host *, struct item *);
void net_take(struct host *, const struct item *);
/* What a blocked host held back goes out. */
void net_release(struct host *);
void items_clear(struct item_list *);

/* prime.c: the first n hosts up, knowing each other, nothing left to say. */
void sim_prime(struct sim *, uint32_t n);

/* check.c */
void check_step(struct host *);
void check_started(struct host *);
void check_over(struct host *, bool left);
void check_reaped(struct host *, const struct serf_member *);
void check_failed(struct host *, const struct serf_member *);
void check_event(struct host *, const struct sf_event *);
/* Runs until all views agree with the truth; the time it took. */
uint64_t check_agree(struct sim *, uint64_t within_ns);
void violated(struct sim *, enum invariant, const char *, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* watch.c */
void watch_event(struct sim *, struct watch *, const char *event);
void watch_member(struct sim *, struct watch *, uint32_t name, int what);
void watch_hear(struct host *, struct watch *);
void watch_clear(struct sim *);
/* ns after the start until a part of the hosts had heard; SWIM_NEVER. */
uint64_t watch_at(const struct watch *, uint32_t hosts, double part);

struct scenario {
	const char	*name;
	uint32_t	 hosts;
	void		(*conf)(struct sim_conf *);
	void		(*run)(struct sim *);
	const char	*what;
};
extern const struct scenario scenarios[];
extern const size_t nscenarios;
/* Forgeries: each must break its invariant. */
struct control {
	const char	*name;
	enum invariant	 breaks;
	uint32_t	 hosts;
	void		(*conf)(struct sim_conf *);
	void		(*run)(struct sim *);
	const char	*what;
};
extern const struct control controls[];
extern const size_t ncontrols;

struct table_opts {
	struct sim_conf	 conf;
	uint32_t	 hosts;		/* 0: all sizes of the table */
	double		 loss;		/* < 0: all */
	unsigned	 runs, seconds;
};
struct table {
	const char	*name;
	void		(*print)(const struct table_opts *);
	const char	*what;
};
extern const struct table tables[];
extern const size_t ntables;
void table_spread(const struct table_opts *);
void table_crash(const struct table_opts *);
void table_traffic(const struct table_opts *);
void table_slow(const struct table_opts *);

#endif

/*
 * What the files of gossip_peers share: a crowd of members in one process, and
 * the real agents that it has met.
 *
 *	gossip_peers.c	start, commands, load
 *	peers_crowd.c	who they are, sending
 *	peers_hear.c	datagrams that come in
 *	peers_state.c	exchanges of state
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "common/stream.h"
#include "gossipd/packet.h"
#include "gossipd/swim.h"

#define AGENTS_MAX	16
#define RELAYS		1024		/* indirect pings remembered */
#define SEEN		4096		/* messages already passed on */
#define WINDOW		24		/* pieces of news that are repeated */
#define PIECE_MAX	1024
#define PEER_NAME	16
#define PEERS_LTIME	3		/* of everybody's join */

struct agent {
	char			 name[NAME_MAX_LEN + 1];
	struct gaddr		 addr;
	uint8_t			 meta[META_MAX], vsn[VSN_LEN];
	size_t			 meta_len;
	uint32_t		 inc;
	enum swim_state		 state;
	uint64_t		 sent, received;
};

struct relay {
	uint32_t		 their_seq;
	struct sockaddr_storage	 to;
	uint32_t		 as;		/* the member that was asked */
};

struct piece { uint8_t p[PIECE_MAX]; size_t n; };

struct peers {
	struct ev		*ev;
	int			 udp, tcp;
	uint16_t		 port;
	uint32_t		 n, *inc;
	size_t			 meta_len;
	struct layers		 layers;
	struct agent		 agent[AGENTS_MAX];
	size_t			 nagents;
	struct relay		 relay[RELAYS];
	uint32_t		 seq;
	uint64_t		 seen[SEEN];
	unsigned		 nseen;
	struct piece		 window[WINDOW];
	unsigned		 nwindow;
	struct wbuf		 out, msg;
	struct rng		 rng;
	struct ev_timer		*timer;
	uint64_t		 tick_at;
	double			 ping_rate, gossip_rate, news_rate;
	double			 pings_due, gossip_due, news_due;
	/* of the packet in hand */
	struct sockaddr_storage	 from;
	uint32_t		 as;
	char			 line[256];
	size_t			 line_len;
};

extern const uint8_t peers_vsn[VSN_LEN];

/* peers_crowd.c */
size_t peer_name(uint32_t, char name[PEER_NAME]);
/* The number of a member's name, or -1. */
long peer_number(const struct peers *, struct span name);
struct gaddr peer_addr(const struct peers *, uint32_t);
void peer_meta(const struct peers *, uint32_t, struct wbuf *);
/* The body of its alive. */
void peer_alive(const struct peers *, uint32_t, struct wbuf *);
struct agent *agent_find(struct peers *, struct span name);
/* A word about an agent.  True if it is news. */
bool agent_said(struct peers *, const struct swim_said *);
/* A datagram to or from an agent. */
void agent_count(struct peers *, const struct sockaddr_storage *, bool sent);
/* x->msg with a type byte in it. */
struct wbuf *peers_message(struct peers *, enum ml_type);
void peers_send(struct peers *, uint32_t as, const struct sockaddr_storage *,
    bool crc, const uint8_t *, size_t);
void peers_ping(struct peers *, uint32_t as, uint32_t seq, struct span node,
    const struct sockaddr_storage *);
/* To all that are up, but one (may be NULL). */
void peers_tell(struct peers *, const struct sockaddr_storage *but,
    const uint8_t *, size_t);

/* peers_hear.c */
void peers_on_udp(struct ev_io *, int fd, int events, void *peers);
/* Once each: what agents say goes to the others, as gossip would carry it. */
void peers_pass_on(struct peers *, const uint8_t *, size_t);

/* peers_state.c */
void peers_accept(int fd, const struct sockaddr_storage *, void *peers);
/* Asks for its state, left times more; then a line is printed. */
void peers_exchange(struct peers *, const struct sockaddr_storage *,
    unsigned left);

#endif

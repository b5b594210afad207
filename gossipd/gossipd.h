/*
 * The daemon around the cores: what its files share.
 *
 *	gossipd.c	start, the clock, leaving, the end
 *	pool.c		one pool: what the Serf core wants done, who is let in
 *	gossipd_udp.c	datagrams
 *	gossipd_net.c	streams
 *	gossipd_join.c	names to addresses to exchanges of state
 *	gossipd_retry.c	who is joined without being asked, and again
 *	gossipd_imsg.c	what the other daemons are told
 *	gossipd_calls.c	what they ask
 *	gossipd_files.c	snapshots and keyrings on disk
 */
#ifndef GOSSIPD_GOSSIPD_H
#define GOSSIPD_GOSSIPD_H

#include <bsd/sys/queue.h>
#include <sys/socket.h>

#include "common/call.h"
#include "common/child.h"
#include "common/hosts.h"
#include "common/nets.h"
#include "common/stream.h"
#include "gossipd/consul.h"
#include "gossipd/serf.h"
#include "gossipd/snapshot.h"

struct gossipd;
struct pool;
struct net;
struct udp;
struct joins;

/* What is said at most once a minute, for strangers can cause it. */
enum say {
	SAY_SEND, SAY_DROP, SAY_FULL, SAY_STREAM, SAY_CLASH, SAY_MAX
};
struct said_of { uint64_t hash, until; };

/* A list of addresses that is joined until somebody is reached. */
struct retry {
	struct pool	*p;
	struct strs	 addrs;
	const char	*what;
	uint64_t	 interval_ms;
	unsigned	 tries, max;	/* max 0: for ever */
	bool		 one, fatal;	/* fatal: what happens at max */
	struct ev_timer	*timer;
};

/*
 * A pool and this node's membership in it.  The LAN pool has all agents of the
 * datacenter, the WAN pool the servers of all.
 */
struct pool {
	struct gossipd		*g;
	bool			 wan;
	const char		*what;		/* "LAN", "WAN" */
	const char		*prefix;	/* of a line in the log */
	char			*name;		/* this node's */
	uint16_t		 port;
	int			 udp_fd, tcp_fd;	/* -1: none */

	struct idents		*idents;
	struct serf		*serf;		/* NULL: no such pool */
	struct consul_rules	 rules;
	struct keyring		*ring;
	struct layers		 layers;
	struct nets		 allowed;	/* none: all */
	bool			 source_allowed; /* of the datagram in hand */
	struct udp		*udp;
	struct net		*net;

	struct snapshot		*snapshot;
	int			 snapshot_fd;	/* -1: kept in memory only */
	bool			 snapshot_torn;	/* to be written anew */
	size_t			 snapshot_size;
	struct ev_timer		*snapshot_timer;
	bool			 keyring_new;	/* its file is of this life */

	struct ev_timer		*timer;		/* the cores' clock */
	uint64_t		 timer_at;
	struct ev_timer		*heard_timer;	/* joined: are we known? */
	struct retry		 rejoin, retry_join;
	bool			 settled;	/* those of before are back */
	bool			 reached;	/* somebody, in this life */
	char			 clash[NAME_MAX_LEN + 128]; /* a server that we
						looked at and cannot be with */
	uint64_t		 said_at[SAY_MAX];
	struct said_of		 said_of[16];	/* members not let in */
	uint64_t		 bad_packets, bad_streams, refused;
};

/* Somebody's call that is answered later. */
struct asker {
	TAILQ_ENTRY(asker)	 link;
	struct gossipd		*g;
	enum proc		 peer;
	unsigned		 epoch;		/* of the link it came by */
	uint32_t		 id;
	bool			 wan;
};

struct gossipd {
	struct child		*child;
	struct ev		*ev;
	struct conf_agent	 agent;
	struct conf_gossip	 conf;
	struct hosts		*hosts;
	struct pool		 lan, wan;
	struct joins		*joins;
	struct ev_timer		*ready_timer;
	struct ev_timer		*flood_timer;
	unsigned		 start_joins;	/* that discod waits for */
	bool			 members_ready;	/* lists are worth telling */
	bool			 leaving;
	unsigned		 link_epoch[PROC_MAX]; /* counts links made */
	TAILQ_HEAD(, asker)	 askers;
};

/* pool.c */
uint64_t gossipd_now(void);		/* monotonic nanoseconds */
/* NULL when this node has no such pool. */
struct pool *pool_of(struct gossipd *, bool wan);
void pool_init(struct gossipd *, struct pool *, bool wan);
/* This node appears in the pool.  0, or -1 after child_refuse(). */
int pool_start(struct pool *);
void pool_leave(struct pool *);
void pool_stop(struct pool *);
/* When is the next thing due? */
void pool_turn(struct pool *);
/* The core's settings: the pool's own, changed by the configuration. */
struct serf_conf pool_conf(const struct pool *);
/* May a member be there? */
bool pool_allowed(const struct pool *, const struct gaddr *);
bool pool_encrypted(const struct pool *);
/* A minute has passed since it was said. */
bool pool_may_say(struct pool *, enum say);
/* Loud, but not more than once a minute. */
void pool_clash(struct pool *, const struct swim_said *);
/* Somebody was joined: does anybody probe us then? */
void pool_joined(struct pool *);
/* Time that an exchange of state may take. */
unsigned pool_exchange_ms(const struct pool *);

/* gossipd.c: the pool was left.  (Tests have their own.) */
void gossipd_left(struct pool *);

/* gossipd_udp.c */
void udp_start(struct pool *);
void udp_stop(struct pool *);
void udp_send(struct pool *, const struct gaddr *, bool crc, const uint8_t *,
    size_t);
void udp_nonce(const struct pool *, uint8_t nonce[CRYPT_NONCE]);

/* gossipd_net.c */
void net_start(struct pool *);
void net_stop(struct pool *);
void net_tcp_ping(struct pool *, const struct ident *, uint32_t seq,
    uint64_t until_ns);
/* why: NULL when the state was exchanged and merged, else as Go says it. */
typedef void net_done_fn(void *arg, const char *why);
/*
 *	SYNC		with a member
 *	RECONNECT	with one that failed: it takes it for a join, we do not,
 *			for what happened in between is news to us
 *	JOIN		we come: what happened before is none
 *	LOOK		reads the other's state and merges nothing; a server of
 *			another kind among its members is an error
 */
enum net_exchange { NET_SYNC, NET_RECONNECT, NET_JOIN, NET_LOOK };
/* done may be NULL. */
void net_exchange(struct pool *, const struct sockaddr_storage *,
    enum net_exchange, net_done_fn *done, void *arg);

/* gossipd_join.c */
void joins_start(struct gossipd *);
void joins_stop(struct gossipd *);
/* text: NULL, or all errors as peers list them; it may be set beside joined. */
typedef void join_fn(struct pool *, unsigned joined, const char *text,
    void *arg);
/* one: enough when one exchange succeeded. */
void join_start(struct pool *, const struct strs *addrs, bool one, join_fn *,
    void *arg);
void join_resolved(struct gossipd *, const struct imsg *);
void join_dnsd_gone(struct gossipd *);

/* gossipd_retry.c */
void retry_start(struct gossipd *);
void retry_stop(struct gossipd *);
/* A server of ours came up in the LAN pool: is it in the WAN pool too? */
void retry_flood(struct gossipd *, const struct serf_member *);

/* gossipd_imsg.c */
void imsg_link(struct gossipd *, enum proc, struct ipc *);
void imsg_msg(struct gossipd *, enum proc, struct ipc *, const struct imsg *);
void imsg_member(struct pool *, const struct serf_member *);
void imsg_event(struct gossipd *, const struct sf_event *);
/* Both lists may be told from now on. */
void imsg_members_ready(struct gossipd *);
void imsg_member_of(struct pool *, const struct serf_member *,
    struct member *);

/* gossipd_calls.c */
void methods_call(struct gossipd *, enum proc, struct ipc *,
    const struct imsg *);
void methods_stop(struct gossipd *);

/* gossipd_files.c */
/* 0, or -1 after child_refuse(). */
int files_keyring(struct pool *);
/* NULL, or why the ring could not be written down. */
const char *files_save_keys(struct pool *);
/* The start fails: a key that nobody took must not stay to be used. */
void files_keyring_undo(struct pool *);
void files_snapshot_open(struct pool *);
void files_snapshot_flush(void *pool);
void files_snapshot_close(struct pool *);

#endif

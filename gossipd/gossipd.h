/*
 * The daemon around the cores: what its files share.
 *
 *	gossipd.c	start, clock, what the Serf core wants done
 *	gossipd_net.c	datagrams and streams
 *	gossipd_join.c	names to addresses to exchanges of state
 *	gossipd_imsg.c	what the other daemons ask and are told
 *	gossipd_files.c	snapshot and keyring on disk
 */
#ifndef GOSSIPD_GOSSIPD_H
#define GOSSIPD_GOSSIPD_H

#include <sys/socket.h>

#include "common/call.h"
#include "common/child.h"
#include "common/hosts.h"
#include "common/stream.h"
#include "gossipd/cidr.h"
#include "gossipd/consul.h"
#include "gossipd/serf.h"
#include "gossipd/snapshot.h"

struct net;
struct joins;

struct gossipd {
	struct child		*child;
	struct ev		*ev;
	struct conf_agent	 agent;
	struct conf_gossip	 conf;
	struct hosts		*hosts;
	int			 udp_fd, tcp_fd;	/* LAN; -1: none */

	struct idents		*idents;
	struct serf		*serf;		/* NULL before the start */
	struct consul_rules	 rules;
	struct keyring		*ring;
	struct layers		 layers;
	struct cidr		*allowed;	/* none: all */
	size_t			 nallowed;
	struct net		*net;
	struct joins		*joins;

	struct snapshot		*snapshot;
	int			 snapshot_fd;	/* -1: kept in memory only */
	size_t			 snapshot_size;
	struct ev_timer		*snapshot_timer;

	struct ev_timer		*timer;		/* the cores' clock */
	uint64_t		 timer_at;
	struct ev_timer		*ready_timer;
	struct ev_timer		*heard_timer;	/* after a join: are we known? */
	bool			 members_ready;	/* the list is worth telling */
	bool			 source_allowed; /* of the datagram in hand */
	uint64_t		 clash_at;	/* when to complain again */
	char			 clash[NAME_MAX_LEN + 128]; /* a server was met
						that we cannot be with */
	bool			 reached;	/* somebody, in this life */
	unsigned		 link_epoch[PROC_MAX]; /* counts links made */
};

uint64_t gossipd_now(void);		/* monotonic nanoseconds */
/* Loud, but not more than once a minute. */
void gossipd_clash(struct gossipd *, const struct swim_said *);

/* May a member be there? */
bool gossipd_allowed(const struct gossipd *, const struct gaddr *);

/* Somebody was joined: does anybody probe us then? */
void gossipd_joined(struct gossipd *);

/* gossipd_net.c */
void net_start(struct gossipd *);
void net_stop(struct gossipd *);
void net_send(struct gossipd *, const struct gaddr *, bool crc,
    const uint8_t *, size_t);
void net_tcp_ping(struct gossipd *, const struct ident *, uint32_t seq,
    uint64_t until_ns);
/* why: NULL when the state was exchanged and merged, else as Go says it. */
typedef void net_done_fn(void *arg, const char *why);
/* look: reads the other's state and merges nothing; a server among
 * its members is an error.  done may be NULL. */
void net_exchange(struct gossipd *, const struct sockaddr_storage *, bool join,
    bool look, net_done_fn *done, void *arg);

/* gossipd_join.c */
void joins_start(struct gossipd *);
void joins_stop(struct gossipd *);
/* text: NULL, or all errors as peers list them; it may be set beside joined. */
typedef void join_fn(struct gossipd *, unsigned joined, const char *text,
    void *arg);
/* one: enough when one exchange succeeded. */
void join_start(struct gossipd *, const struct strs *addrs, bool one,
    join_fn *, void *arg);
void join_resolved(struct gossipd *, const struct imsg *);
void join_dnsd_gone(struct gossipd *);

/* gossipd_imsg.c */
void imsg_link(struct gossipd *, enum proc, struct ipc *);
void imsg_msg(struct gossipd *, enum proc, struct ipc *, const struct imsg *);
void imsg_member(struct gossipd *, enum serf_event, const struct serf_member *);
void imsg_event(struct gossipd *, const struct sf_event *);
/* The list may be told from now on. */
void imsg_members_ready(struct gossipd *);

/* gossipd_files.c */
/* 0, or -1 after child_refuse(). */
int files_keyring(struct gossipd *);
void files_snapshot_open(struct gossipd *);
void files_snapshot_flush(void *gossipd);
void files_snapshot_close(struct gossipd *);

#endif

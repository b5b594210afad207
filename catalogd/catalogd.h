/*
 * catalogd: what its two I/O files share.
 */
#ifndef CATALOGD_CATALOGD_H
#define CATALOGD_CATALOGD_H

#include <bsd/sys/tree.h>

#include "catalogd/agent_api.h"
#include "catalogd/agent_files.h"
#include "catalogd/alias.h"
#include "catalogd/coord_send.h"
#include "catalogd/exchange.h"
#include "catalogd/gossip.h"
#include "catalogd/route.h"
#include "catalogd/server.h"
#include "catalogd/snap_files.h"
#include "catalogd/sync.h"
#include "catalogd/views.h"
#include "common/child.h"

/* A member of the LAN, as far as this half cares. */
struct peer {
	RB_ENTRY(peer)	 entry;
	char		*name;
	bool		 server;	/* one that can be asked */
	bool		 seen;		/* in the list that is arriving */
};
RB_HEAD(peers, peer);

struct catalogd {
	struct child		*child;
	struct ipc		*dns[DNS_WORKERS_MAX];	/* NULL: not there */
	unsigned		 ndns;		/* beyond it none ever was */
	struct ev		*ev;
	struct conf_agent	 conf;
	struct conf_catalog	 cat;
	/* Definitions in files, until all of them are there. */
	struct service_def_vec	 services;
	struct check_def_vec	 checks;

	struct agent		*agent;
	struct agent_files	*files;
	struct agent_api	*api;
	struct sync		*sync;
	struct route_call	*sync_call;
	struct server		*server;	/* NULL on a client */
	struct exchanges	*exchanges;	/* of snapshots */
	struct snap_files	*snap_files;	/* NULL: a client, or in memory */
	struct route		*route;
	struct gossip		*gossip;
	struct coord_send	*coord;
	struct call		*coord_ask;	/* gossipd is asked */
	struct route_call	*coord_call;	/* a server is told */
	struct views		*views;
	struct aliases		*aliases;

	struct ev_job		*job;		/* catalogd_settle() */
	struct ev_timer		*timer;
	struct ev_timer		*alive;
	struct peers		 peers;
	size_t			 npeers, nservers;
	bool			 started;
	bool			 leaving;
};

/* Something happened: runs what is due at the end of this turn. */
void catalogd_wake(struct catalogd *);

/* catalogd_imsg.c: links, and what is said on them. */
void catalogd_link(struct child *, enum proc, struct ipc *, void *);
void catalogd_msg(struct child *, enum proc, struct ipc *, const struct imsg *,
    void *);
void catalogd_links_start(struct catalogd *);
void catalogd_peers_clear(struct catalogd *);
extern const struct agent_ops catalogd_agent_ops;
void catalogd_names(void *);
void catalogd_dial(uint32_t id, const char *address, void *);
void catalogd_dial_snapshot(uint32_t id, const char *address, void *);
void catalogd_force_leave(const char *node, void *);
void catalogd_name(enum view_kind, const char *, bool, void *);
bool catalogd_ask_runs(void *);
bool catalogd_fire(const char *, const void *, size_t, void *);
void catalogd_view(const struct msg_view *, uint64_t workers, void *);

#endif

/*
 * dnsd as a whole: its parts and how they are wired (dnsd.c), what it hears
 * from and says to the other processes (dnsd_imsg.c).
 */
#ifndef DNSD_DNSD_H
#define DNSD_DNSD_H

#include "common/child.h"
#include "dnsd/answer.h"
#include "dnsd/keep.h"
#include "dnsd/resolve.h"
#include "dnsd/serve.h"
#include "dnsd/tcp.h"
#include "dnsd/udp.h"
#include "dnsd/xfr.h"

struct dnsd {
	struct child		*child;
	struct ev		*ev;
	struct conf_agent	 agent;		/* as configured */
	struct conf_dns		 dns;
	struct answer_conf	 conf;		/* as answers need it */
	struct nets		 recurse;	/* recursion_acl */
	struct nets		 own;		/* where we listen */
	struct serve		*serve;
	struct udp		*udp;
	struct tcp		*tcp;
	struct resolver		*resolver;
	struct xfr		*xfr;
	struct keep		*keep;		/* NULL: nowhere to write */
	struct ev_timer		*tick;
	bool			 conf_changed;	/* by the items of now */
	bool			 catalog_gone;	/* and it was logged */
	uint64_t		 tick_ms;	/* as it was set */
	uint64_t		 generation[PROC_MAX];	/* of each link */
	/* workers.c */
	unsigned		 worker;	/* which one we are; 0: the first */
	uint32_t		 serial;	/* as the first said it; 0: not yet */
	struct ipc		*others[DNS_WORKERS_MAX]; /* of the first */
};

/* dnsd_imsg.c */
void dnsd_link(struct child *, enum proc, struct ipc *, void *);
void dnsd_msg(struct child *, enum proc, struct ipc *, const struct imsg *,
    void *);
void dnsd_watch(enum view_kind, const char *name, void *);
void dnsd_unwatch(enum view_kind, const char *name, void *);
/* workers.c: once there is a tcp. */
void dnsd_workers_init(struct dnsd *);
/* A query by UDP that is the first's: it has it now. */
bool dnsd_pass(struct dnsd *, const struct origin *, const uint8_t *, size_t);
void dnsd_committed(uint32_t serial, void *);
void dnsd_worker_link(struct dnsd *, struct ipc *);
void dnsd_worker_msg(struct dnsd *, const struct imsg *);
/* dnsd.c: names_tick() is to come, unless it is to come already. */
void dnsd_arm(struct dnsd *);

#endif

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
};

/* dnsd_imsg.c */
void dnsd_link(struct child *, enum proc, struct ipc *, void *);
void dnsd_msg(struct child *, enum proc, struct ipc *, const struct imsg *,
    void *);
void dnsd_watch(enum view_kind, const char *name, void *);
void dnsd_unwatch(enum view_kind, const char *name, void *);
/* names_tick() is to come, unless it is to come already. */
void dnsd_arm(struct dnsd *);

#endif

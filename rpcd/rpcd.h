/*
 * rpcd as a whole: what its files share.
 */
#ifndef RPCD_RPCD_H
#define RPCD_RPCD_H

#include "common/call.h"
#include "common/child.h"
#include "rpcd/forward.h"
#include "rpcd/hand.h"
#include "rpcd/pool.h"
#include "rpcd/rebalance.h"
#include "rpcd/serve.h"
#include "rpcd/servers.h"
#include "rpcd/tls.h"

#define RPCD_LISTEN_MAX	4

struct rpcd {
	struct child		*child;
	struct conf_agent	 agent;
	struct conf_rpc		 conf;
	int			 listen[RPCD_LISTEN_MAX];
	size_t			 nlisten;
	struct rpc_tls		 tls;
	bool			 refused;	/* STOP will come */
	struct servers		*servers;
	struct pool		*pool;
	struct forward		*forward;
	struct rebalance	*rebalance;	/* agents */
	struct calls		*calls;		/* to catalogd */
	struct serve		*serve;
	struct hand		*hand;
};

/* Messages of gossipd and catalogd. */
void rpcd_msg(struct child *, enum proc, struct ipc *, const struct imsg *,
    void *arg);
void rpcd_link(struct child *, enum proc, struct ipc *, void *arg);
/* An answer to catalogd. */
void rpcd_answer(uint32_t id, enum call_status, const char *error,
    const uint8_t *body, size_t len, void *arg);

#endif

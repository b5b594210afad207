/*
 * What gossipd of this node answers for catalogd: calls over its link, and
 * those methods of a server that are about the pools and not the store.
 *
 *	Internal.KeyringOperation	the keys of the WAN pool and the LAN's,
 *					here and in other datacenters
 *	Catalog.ListDatacenters		their names, the nearest first
 *	Coordinate.ListDatacenters	the servers, as the WAN pool measured
 */
#ifndef CATALOGD_GOSSIP_H
#define CATALOGD_GOSSIP_H

#include "catalogd/datacenters.h"
#include "common/call.h"
#include "common/ev.h"
#include "common/schema/conf.h"
#include "common/schema/msg.h"

struct gossip;
struct gossip_call;

/* A call to another datacenter; as route_call_server(), route_cancel(). */
struct gossip_remote {
	void	*(*call)(const struct msg_call *, const uint8_t *body,
		    size_t len, uint64_t timeout_ms, call_fn *, void *fn_arg,
		    void *arg);
	void	(*cancel)(void *handle, void *arg);
	void	*arg;
};

/* What it needs of the configuration is copied. */
struct gossip *gossip_new(struct ev *, const struct conf_agent *);
void gossip_free(struct gossip *);		/* no callbacks */
void gossip_set_remote(struct gossip *, const struct gossip_remote *);
/* To be told of members. */
struct datacenters *gossip_datacenters(struct gossip *);
/* The link to gossipd; NULL: it is gone, and what was under way is lost. */
void gossip_link(struct gossip *, struct ipc *);
void gossip_answer(struct gossip *, const struct imsg *);
/* One method of gossipd's; as call_start(), to be ended by call_cancel(). */
struct call *gossip_ask(struct gossip *, const char *method, struct schema *,
    const void *obj, uint64_t timeout_ms, call_fn *, void *arg);

bool gossip_has_method(const char *method);
/* The callback comes exactly once and later, unless it is cancelled before. */
struct gossip_call *gossip_call(struct gossip *, const struct msg_call *,
    const uint8_t *body, size_t len, call_fn *, void *arg);
void gossip_call_cancel(struct gossip_call *);

#endif

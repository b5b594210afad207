/*
 * Where a call goes: to this agent, to the store in this process, or by rpcd
 * to a server.  Calls come from apid, dnsd and gossipd, from the network (by
 * rpcd, servers only), and from anti-entropy and views here.
 */
#ifndef CATALOGD_ROUTE_H
#define CATALOGD_ROUTE_H

#include "catalogd/agent_api.h"
#include "catalogd/gossip.h"
#include "catalogd/server.h"
#include "common/call.h"
#include "common/ev.h"
#include "common/ipc.h"

struct route;
struct route_call;

/* server: NULL on a client. */
struct route *route_new(struct ev *, struct agent_api *, struct server *,
    struct gossip *);
void route_free(struct route *);	/* no callbacks */
/* The link to rpcd; NULL: it is gone, and what was under way is lost. */
void route_rpcd(struct route *, struct ipc *);

/*
 * One of our own, to the servers.  The callback comes exactly once, never from
 * within, unless it is cancelled before.  Errors are texts for the user.
 */
struct route_call *route_call(struct route *, const char *method,
    struct schema *, const void *body, bool write, uint64_t timeout_ms,
    call_fn *, void *arg);
void route_cancel(struct route_call *);

/* The same as it is, to the server or the datacenter that it names; with
 * CALL_HERE, to what answers here. */
struct route_call *route_call_server(struct route *, const struct msg_call *,
    const uint8_t *body, size_t len, uint64_t timeout_ms, call_fn *,
    void *arg);

/* A CALL or CANCEL on a link, and the end of that link. */
void route_in(struct route *, enum proc peer, struct ipc *,
    const struct imsg *);
void route_in_cancel(struct route *, enum proc peer, uint32_t id);
void route_in_lost(struct route *, enum proc peer);
/* An ANSWER of rpcd's. */
void route_answer(struct route *, const struct imsg *);

/* Pure: does this method change anything?  (A read may be repeated.) */
bool route_is_write(const char *method);
/* Pure: the network must not call it. */
bool route_is_private(const char *method);

#endif

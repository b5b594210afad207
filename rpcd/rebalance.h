/*
 * Spreads the load of a cluster over its servers: every two to three minutes
 * another order, taken over when its first answers a ping (rpc.md 7.1).
 */
#ifndef RPCD_REBALANCE_H
#define RPCD_REBALANCE_H

#include "common/ev.h"
#include "rpcd/pool.h"
#include "rpcd/servers.h"

struct rebalance;

struct rebalance *rebalance_new(struct ev *, struct pool *, struct servers *);
void rebalance_free(struct rebalance *);

#endif

/*
 * Under which address a node or a service of another datacenter is reached with
 * translate_wan_addrs, as Consul chooses it: the WAN's tagged addresses go before
 * the LAN's.  Pure.
 */
#ifndef COMMON_REACH_H
#define COMMON_REACH_H

#include <stdint.h>

#include "common/schema/rpc.h"

/* The one address that HTTP shows in place of the row's own. */
void reach_show_node(char **address, const struct strmap *tagged);
void reach_show_service(char **address, int64_t *port,
    const struct service_address_map *tagged);
/* For DNS, which chooses by family: rows are as if the LAN had the WAN's. */
void reach_swap_node(struct node *);
void reach_swap_service(struct node_service *);

#endif

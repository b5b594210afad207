/*
 * Under which address a node or a service of another datacenter is reached,
 * as Consul chooses it.  Pure.
 */
#ifndef COMMON_REACH_H
#define COMMON_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/schema/rpc.h"

/*
 * The one address that HTTP shows in place of the row's own.  wan: the WAN's
 * tagged addresses go before the others.
 */
void reach_show_node(char **address, const struct strmap *tagged, bool wan);
void reach_show_service(char **address, int64_t *port,
    const struct service_address_map *tagged, bool wan);
/* For DNS, which chooses by family: rows are as if the LAN had the WAN's. */
void reach_swap_node(struct node *);
void reach_swap_service(struct node_service *);

#endif

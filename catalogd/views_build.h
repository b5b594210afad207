/*
 * From what the servers answer to what DNS answers with.  Pure.
 */
#ifndef CATALOGD_VIEWS_BUILD_H
#define CATALOGD_VIEWS_BUILD_H

#include "common/schema/msg.h"
#include "common/schema/rpc.h"
#include "common/schema/state.h"

/* Worst of the checks: 0 passing, 1 warning, 2 critical (or unknown). */
unsigned view_health(const struct health_check_vec *);
/* Each fills entries and exists; kind, name and index are the caller's. */
void view_service(const struct indexed_check_service_nodes *,
    struct msg_view *);
void view_node(const struct indexed_node_services *, struct msg_view *);
void view_reverse(const struct indexed_nodes *, const char *ip,
    struct msg_view *);
/* Where the address is not a node's but services'. */
void view_reverse_service(const struct indexed_service_nodes *,
    struct msg_view *);
/* m->ordered: the order is kept. */
void view_query(const struct query_execute_response *, struct msg_view *);
/* Of what it says, whatever the index and the order of maps. */
uint64_t view_hash(const struct msg_view *);

#endif

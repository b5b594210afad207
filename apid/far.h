/*
 * Answers of other datacenters show the addresses by which their nodes and
 * services are reached from here.
 */
#ifndef APID_FAR_H
#define APID_FAR_H

#include "apid/apid.h"

void far_node(const struct request *, struct node *);
void far_service(const struct request *, const char *dc,
    struct node_service *);
void far_row(const struct request *, struct service_node *);
void far_instances(const struct request *, struct check_service_node_vec *);

#endif

/*
 * Which datacenters there are: this one, and those that servers of the WAN
 * pool say they are of, for as long as they have not left.  Pure.
 */
#ifndef CATALOGD_DATACENTERS_H
#define CATALOGD_DATACENTERS_H

#include "common/schema/msg.h"

struct datacenters;

struct datacenters *datacenters_new(const char *own);
void datacenters_free(struct datacenters *);

/* Members as gossipd tells them; a whole list begins and ends. */
void datacenters_begin(struct datacenters *);
void datacenters_end(struct datacenters *);
void datacenters_member(struct datacenters *, const struct member *);

const char *datacenters_own(const struct datacenters *);
/* Their names, sorted.  strs_clear() them. */
void datacenters_names(const struct datacenters *, struct strs *);
/*
 * The nearest first: this one, then by the median of the round trips to their
 * servers, by name where they are equal or unknown.
 */
void datacenters_nearest(const struct datacenters *,
    const struct gossip_coordinates *, struct strs *);

#endif

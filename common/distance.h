/*
 * How far two nodes are from each other by their network coordinates.
 */
#ifndef COMMON_DISTANCE_H
#define COMMON_DISTANCE_H

#include "common/schema/rpc.h"

/* Round trip in seconds; INFINITY when one is NULL or of other dimensions. */
double coordinate_distance(const struct coordinate *,
    const struct coordinate *);

#endif

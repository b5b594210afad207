/*
 * Networks that gossip may come from (allowed_lan): text to prefix, address to
 * answer.  IPv4 and IPv6 are listed separately.
 */
#ifndef GOSSIPD_CIDR_H
#define GOSSIPD_CIDR_H

#include <stdbool.h>
#include <stddef.h>

#include "gossipd/ident.h"

struct cidr { uint8_t ip[16], len; unsigned bits; };

/* "10.0.0.0/8".  0, or -1. */
int cidr_parse(const char *, struct cidr *);
bool cidr_covers(const struct cidr *, const struct gaddr *);

#endif

/*
 * Which addresses may be probed (check_allow_targets).  Pure.
 */
#ifndef CHECKD_ALLOW_H
#define CHECKD_ALLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/schema/schema.h"

struct network { uint8_t ip[16]; size_t len; unsigned bits; };
struct allow { struct network *net; size_t n; };	/* none: all */

/* "10.0.0.0/8".  0, or -1. */
int network_parse(const char *, struct network *);
/* Replaces the list; what is no network is left out, and -1 returned. */
int allow_set(struct allow *, const struct strs *);
void allow_clear(struct allow *);
bool allow_covers(const struct allow *, const struct sockaddr_storage *);

#endif

/*
 * Lists of addresses and networks, as configuration has them.  Pure.
 */
#ifndef COMMON_NETS_H
#define COMMON_NETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/schema/schema.h"

struct prefix {
	uint8_t		ip[16], len;	/* 4 or 16 */
	unsigned	bits;
};
struct nets {
	struct prefix	*item;
	size_t		 n;
};

/* "10.0.0.0/8", "10.0.0.1", "10.0.0.1:53": 0, or -1. */
int prefix_parse(const char *, struct prefix *);
/* Is it a network, with the length of its prefix? */
bool prefix_is(const char *);
/* 0, or -1: no such thing. */
int nets_add(struct nets *, const char *);
/* Replaces the list; what is no network is left out, and -1 returned. */
int nets_set(struct nets *, const struct strs *);
void nets_clear(struct nets *);
/* Is the address in one of them?  IPv4 within IPv6 counts as IPv4. */
bool nets_have(const struct nets *, const uint8_t *ip, size_t len);
bool nets_have_addr(const struct nets *, const struct sockaddr_storage *);
/* 127.0.0.0/8, ::1 */
bool ip_is_loopback(const uint8_t *ip, size_t len);

#endif

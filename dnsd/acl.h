/*
 * Addresses and networks that may do something.  Pure.
 */
#ifndef DNSD_ACL_H
#define DNSD_ACL_H

#include "common/schema/schema.h"

#define ACL_MAX 256		/* what is beyond is left out */

struct acl_net {
	uint8_t		ip[16], len;	/* 4 or 16 */
	unsigned	bits;
};
struct acl {
	struct acl_net	net[ACL_MAX];
	size_t		n;
};

/* "10.0.0.0/8", "10.0.0.1", "10.0.0.1:53": 0, or -1: no such thing, or no
 * room. */
int acl_add(struct acl *, const char *);
/* IPv4 within IPv6 counts as IPv4. */
bool acl_has(const struct acl *, const uint8_t *ip, size_t len);
/* 127.0.0.0/8, ::1 */
bool ip_is_loopback(const uint8_t *ip, size_t len);

#endif

/*
 * Address prefixes.
 */
#include <stdlib.h>
#include <string.h>
#include <bsd/string.h>

#include "common/util.h"
#include "gossipd/cidr.h"

int
cidr_parse(const char *text, struct cidr *c)
{
	struct sockaddr_storage	 ss;
	char			 ip[64], *slash, *end;
	unsigned long		 bits;

	if (strlcpy(ip, text, sizeof(ip)) >= sizeof(ip) ||
	    (slash = strchr(ip, '/')) == NULL)
		return -1;
	*slash++ = '\0';
	bits = strtoul(slash, &end, 10);
	if (*slash < '0' || *slash > '9' || *end != '\0' ||
	    addr_parse(ip, 0, &ss) == -1)
		return -1;
	c->len = (uint8_t)addr_to_bytes(&ss, c->ip);
	if (bits > c->len * 8u)
		return -1;
	c->bits = (unsigned)bits;
	return 0;
}

bool
cidr_covers(const struct cidr *c, const struct gaddr *a)
{
	struct sockaddr_storage	ss;
	uint8_t			ip[16], mask;
	unsigned		whole = c->bits / 8;

	/* A mapped IPv4 address is the IPv4 address. */
	if (gaddr_to_sockaddr(a, &ss) == -1 ||
	    addr_to_bytes(&ss, ip) != c->len || memcmp(ip, c->ip, whole) != 0)
		return false;
	if (c->bits % 8 == 0)
		return true;
	mask = (uint8_t)(0xff << (8 - c->bits % 8));
	return (ip[whole] & mask) == (c->ip[whole] & mask);
}

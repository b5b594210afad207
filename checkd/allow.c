/*
 * Networks that probes may go to.  An address is looked at once it is known,
 * just before it is used, so that no name leads around the list.
 */
#include <stdlib.h>
#include <string.h>
#include <bsd/string.h>

#include "checkd/allow.h"
#include "common/util.h"

int
network_parse(const char *text, struct network *n)
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
	n->len = addr_to_bytes(&ss, n->ip);
	if (bits > n->len * 8)
		return -1;
	n->bits = (unsigned)bits;
	return 0;
}

void
allow_clear(struct allow *a)
{
	free(a->net);
	memset(a, 0, sizeof(*a));
}

int
allow_set(struct allow *a, const struct strs *list)
{
	size_t	 i;
	int	 rc = 0;

	allow_clear(a);
	if (list->n == 0)
		return 0;
	a->net = xcalloc(list->n, sizeof(*a->net));
	for (i = 0; i < list->n; i++)
		if (network_parse(list->item[i], &a->net[a->n]) == 0)
			a->n++;
		else
			rc = -1;
	return rc;
}

static bool
network_covers(const struct network *n, const uint8_t *ip, size_t len)
{
	size_t	 whole = n->bits / 8;
	uint8_t	 mask;

	if (len != n->len || memcmp(ip, n->ip, whole) != 0)
		return false;
	if (n->bits % 8 == 0)
		return true;
	mask = (uint8_t)(0xff << (8 - n->bits % 8));
	return (ip[whole] & mask) == (n->ip[whole] & mask);
}

bool
allow_covers(const struct allow *a, const struct sockaddr_storage *ss)
{
	static const uint8_t	 mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t			 raw[16], *ip = raw;
	size_t			 i, len;

	if (a->n == 0)
		return true;
	len = addr_to_bytes(ss, raw);
	/* ::ffff:10.0.0.1 is 10.0.0.1 by another way. */
	if (len == 16 && memcmp(raw, mapped, sizeof(mapped)) == 0) {
		ip += 12;
		len = 4;
	}
	for (i = 0; i < a->n; i++)
		if (network_covers(&a->net[i], ip, len))
			return true;
	return false;
}

/*
 * Lists of networks: see nets.h.
 */
#include <bsd/string.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/nets.h"
#include "common/util.h"

static void
unmap(const uint8_t **ip, size_t *len)
{
	static const uint8_t	mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (*len == 16 && memcmp(*ip, mapped, sizeof(mapped)) == 0) {
		*ip += sizeof(mapped);
		*len = 4;
	}
}

int
prefix_parse(const char *text, struct prefix *n)
{
	struct sockaddr_storage	 ss;
	char			 host[ADDR_TEXT_MAX + 8], *slash, *end;
	unsigned long		 bits;

	if (strlcpy(host, text, sizeof(host)) >= sizeof(host))
		return -1;
	if ((slash = strchr(host, '/')) != NULL)
		*slash++ = '\0';
	if (addr_parse(host, 0, &ss) == -1)
		return -1;
	n->len = (uint8_t)addr_to_bytes(&ss, n->ip);
	bits = n->len * 8u;
	if (slash != NULL) {
		bits = strtoul(slash, &end, 10);
		if (!isdigit((unsigned char)*slash) || *end != '\0' ||
		    bits > n->len * 8u)
			return -1;
	}
	n->bits = (unsigned)bits;
	return 0;
}

bool
prefix_is(const char *text)
{
	struct prefix	n;

	return strchr(text, '/') != NULL && prefix_parse(text, &n) == 0;
}

int
nets_add(struct nets *l, const char *text)
{
	struct prefix	n;

	if (prefix_parse(text, &n) == -1)
		return -1;
	l->item = xreallocarray(l->item, l->n + 1, sizeof(*l->item));
	l->item[l->n++] = n;
	return 0;
}

int
nets_set(struct nets *l, const struct strs *list)
{
	size_t	 i;
	int	 rc = 0;

	nets_clear(l);
	for (i = 0; i < list->n; i++)
		if (nets_add(l, list->item[i]) == -1)
			rc = -1;
	return rc;
}

void
nets_clear(struct nets *l)
{
	free(l->item);
	l->item = NULL;
	l->n = 0;
}

static bool
covers(const struct prefix *n, const uint8_t *ip, size_t len)
{
	unsigned	whole = n->bits / 8, rest = n->bits % 8;

	if (n->len != len || memcmp(n->ip, ip, whole) != 0)
		return false;
	return rest == 0 || ((n->ip[whole] ^ ip[whole]) >> (8 - rest)) == 0;
}

bool
nets_have(const struct nets *l, const uint8_t *ip, size_t len)
{
	size_t	i;

	unmap(&ip, &len);
	for (i = 0; i < l->n; i++)
		if (covers(&l->item[i], ip, len))
			return true;
	return false;
}

bool
nets_have_addr(const struct nets *l, const struct sockaddr_storage *ss)
{
	uint8_t	ip[16];

	return nets_have(l, ip, addr_to_bytes(ss, ip));
}

bool
ip_is_loopback(const uint8_t *ip, size_t len)
{
	static const uint8_t	one[16] = { [15] = 1 };

	unmap(&ip, &len);
	return len == 4 ? ip[0] == 127 : memcmp(ip, one, sizeof(one)) == 0;
}

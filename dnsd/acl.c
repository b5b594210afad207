/*
 * Lists of networks: see acl.h.
 */
#include <bsd/string.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/acl.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static void
unmap(const uint8_t **ip, size_t *len)
{
	if (*len == 16 && memcmp(*ip, mapped, sizeof(mapped)) == 0) {
		*ip += sizeof(mapped);
		*len = 4;
	}
}

int
acl_add(struct acl *a, const char *text)
{
	struct sockaddr_storage	 ss;
	struct acl_net		*n = &a->net[a->n];
	char			 host[ADDR_TEXT_MAX + 8], *slash, *end;
	unsigned long		 bits = 128;

	if (a->n == ACL_MAX ||
	    strlcpy(host, text, sizeof(host)) >= sizeof(host))
		return -1;
	if ((slash = strchr(host, '/')) != NULL) {
		*slash++ = '\0';
		bits = strtoul(slash, &end, 10);
		if (end == slash || *end != '\0')
			return -1;
	}
	if (addr_parse(host, 0, &ss) == -1)
		return -1;
	n->len = (uint8_t)addr_to_bytes(&ss, n->ip);
	n->bits = slash == NULL ? n->len * 8u : (unsigned)bits;
	if (bits > n->len * 8u && slash != NULL)
		return -1;
	a->n++;
	return 0;
}

static bool
covers(const struct acl_net *n, const uint8_t *ip, size_t len)
{
	unsigned	whole = n->bits / 8, rest = n->bits % 8;

	if (n->len != len || memcmp(n->ip, ip, whole) != 0)
		return false;
	return rest == 0 || ((n->ip[whole] ^ ip[whole]) >> (8 - rest)) == 0;
}

bool
acl_has(const struct acl *a, const uint8_t *ip, size_t len)
{
	size_t	i;

	unmap(&ip, &len);
	for (i = 0; i < a->n; i++)
		if (covers(&a->net[i], ip, len))
			return true;
	return false;
}

bool
ip_is_loopback(const uint8_t *ip, size_t len)
{
	static const uint8_t	one[16] = { [15] = 1 };

	unmap(&ip, &len);
	return len == 4 ? ip[0] == 127 : memcmp(ip, one, sizeof(one)) == 0;
}

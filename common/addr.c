/*
 * Addresses: text, bytes and sockaddr.  Literal ones only; names are
 * common/hosts.h and dnsd.
 */
#include <arpa/inet.h>
#include <bsd/string.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"

static struct sockaddr_in *
in4(struct sockaddr_storage *ss)
{
	return (struct sockaddr_in *)ss;
}

static struct sockaddr_in6 *
in6(struct sockaddr_storage *ss)
{
	return (struct sockaddr_in6 *)ss;
}

static const struct sockaddr_in *
cin4(const struct sockaddr_storage *ss)
{
	return (const struct sockaddr_in *)ss;
}

static const struct sockaddr_in6 *
cin6(const struct sockaddr_storage *ss)
{
	return (const struct sockaddr_in6 *)ss;
}

static int
port_parse(const char *s, int *port)
{
	char	*end;
	long	 v;

	if (*s < '0' || *s > '9')
		return -1;
	v = strtol(s, &end, 10);
	if (*end != '\0' || v > 65535)
		return -1;
	*port = (int)v;
	return 0;
}

static int
host_copy(char *host, size_t len, const char *from, size_t n)
{
	if (n >= len)
		return -1;
	memcpy(host, from, n);
	host[n] = '\0';
	return 0;
}

int
hostport_split(const char *s, char *host, size_t len, int *port)
{
	const char	*end, *colon;
	int		 p = -1;

	if (*s == '\0')
		return -1;
	if (*s == '[') {
		if ((end = strchr(s, ']')) == NULL || end == s + 1)
			return -1;
		if (end[1] != '\0' &&
		    (end[1] != ':' || port_parse(end + 2, &p) == -1))
			return -1;
		s++;
	} else if ((colon = strchr(s, ':')) == NULL ||
	    strchr(colon + 1, ':') != NULL)
		end = s + strlen(s);	/* no port, or bare IPv6 */
	else {
		if (port_parse(colon + 1, &p) == -1)
			return -1;
		end = colon;
	}
	if (host_copy(host, len, s, (size_t)(end - s)) == -1)
		return -1;
	*port = p;
	return 0;
}

int
addr_parse(const char *s, uint16_t defport, struct sockaddr_storage *out)
{
	struct sockaddr_storage	 ss;
	char			 host[INET6_ADDRSTRLEN];
	int			 port;

	if (hostport_split(s, host, sizeof(host), &port) == -1)
		return -1;
	memset(&ss, 0, sizeof(ss));
	if (inet_pton(AF_INET, host, &in4(&ss)->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &in6(&ss)->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	else
		return -1;
	addr_set_port(&ss, port == -1 ? defport : (uint16_t)port);
	*out = ss;
	return 0;
}

int
addr_from_bytes(const uint8_t *p, size_t n, uint16_t port,
    struct sockaddr_storage *out)
{
	static const uint8_t	 mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (n != 4 && n != 16)
		return -1;
	memset(out, 0, sizeof(*out));
	if (n == 16 && memcmp(p, mapped, sizeof(mapped)) == 0) {
		p += 12;
		n = 4;
	}
	if (n == 4) {
		out->ss_family = AF_INET;
		memcpy(&in4(out)->sin_addr, p, 4);
	} else {
		out->ss_family = AF_INET6;
		memcpy(&in6(out)->sin6_addr, p, 16);
	}
	addr_set_port(out, port);
	return 0;
}

size_t
addr_to_bytes(const struct sockaddr_storage *ss, uint8_t out[16])
{
	switch (ss->ss_family) {
	case AF_INET:
		memcpy(out, &cin4(ss)->sin_addr, 4);
		return 4;
	case AF_INET6:
		memcpy(out, &cin6(ss)->sin6_addr, 16);
		return 16;
	default:
		return 0;
	}
}

socklen_t
addr_len(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
	    sizeof(struct sockaddr_in6);
}

uint16_t
addr_port(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET ? cin4(ss)->sin_port :
	    cin6(ss)->sin6_port);
}

void
addr_set_port(struct sockaddr_storage *ss, uint16_t port)
{
	if (ss->ss_family == AF_INET)
		in4(ss)->sin_port = htons(port);
	else
		in6(ss)->sin6_port = htons(port);
}

const char *
addr_ip(const struct sockaddr_storage *ss, char *buf, size_t len)
{
	const void	*addr = &cin6(ss)->sin6_addr;

	if (ss->ss_family == AF_INET)
		addr = &cin4(ss)->sin_addr;
	if ((ss->ss_family != AF_INET && ss->ss_family != AF_INET6) ||
	    inet_ntop(ss->ss_family, addr, buf, (socklen_t)len) == NULL)
		strlcpy(buf, "?", len);
	return buf;
}

const char *
addr_text(const struct sockaddr_storage *ss, char *buf, size_t len)
{
	char	 ip[INET6_ADDRSTRLEN];

	addr_ip(ss, ip, sizeof(ip));
	snprintf(buf, len, ss->ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip,
	    addr_port(ss));
	return buf;
}

bool
addr_equal_ip(const struct sockaddr_storage *a,
    const struct sockaddr_storage *b)
{
	uint8_t	 x[16], y[16];
	size_t	 n = addr_to_bytes(a, x);

	return n != 0 && n == addr_to_bytes(b, y) && memcmp(x, y, n) == 0;
}

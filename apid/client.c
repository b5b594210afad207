/*
 * Who asks: an address, or the process behind the Unix socket.
 */
#include <bsd/string.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "apid/apid.h"
#include "common/util.h"

bool
client_addr(const struct request *r, struct sockaddr_storage *ss)
{
	const union MHD_ConnectionInfo	*info;

	if (r->listener->kind == SOCK_HTTP_UNIX)
		return false;
	info = MHD_get_connection_info(r->conn,
	    MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (info == NULL || info->client_addr == NULL)
		return false;
	memset(ss, 0, sizeof(*ss));
	memcpy(ss, info->client_addr, info->client_addr->sa_family == AF_INET6
	    ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	return true;
}

const char *
client_text(const struct request *r, char *buf, size_t len)
{
	const union MHD_ConnectionInfo	*info;
	struct sockaddr_storage		 ss;
	struct ucred			 peer;
	socklen_t			 n = sizeof(peer);
	char				 text[ADDR_TEXT_MAX];

	if (client_addr(r, &ss)) {
		(void)snprintf(buf, len, "%s", addr_text(&ss, text,
		    sizeof(text)));
		return buf;
	}
	info = MHD_get_connection_info(r->conn,
	    MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL && getsockopt(info->connect_fd, SOL_SOCKET,
	    SO_PEERCRED, &peer, &n) == 0)
		(void)snprintf(buf, len, "user %u, process %d",
		    (unsigned)peer.uid, (int)peer.pid);
	else
		strlcpy(buf, "an unknown client", len);
	return buf;
}

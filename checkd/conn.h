/*
 * One connection of a probe: dialled, with TLS if asked for, then bytes both
 * ways.  What they mean is the probe's.
 */
#ifndef CHECKD_CONN_H
#define CHECKD_CONN_H

#include "checkd/dial.h"
#include "checkd/poller.h"
#include "checkd/trust.h"

/* What all probes that use the network share. */
struct net {
	struct ev		*ev;
	struct resolver		*resolver;
	struct trust		*trust;
	struct poller		*poller;
	struct nets		 allow;
};

struct conn_to {
	const char	*host;
	uint16_t	 port;
	bool		 tls, skip_verify;
	const char	*server_name;	/* to ask for and to expect; "": host */
	bool		 h2;		/* offer HTTP/2 by ALPN */
};

/* None comes from within conn_start(); conn_free() may be called in all. */
struct conn_ops {
	/* Connected, and TLS agreed upon. */
	void	(*up)(void *arg);
	void	(*data)(const uint8_t *, size_t, void *arg);
	/* The end: error is NULL when the peer closed. */
	void	(*down)(const char *error, void *arg);
};

struct conn;

struct conn *conn_start(struct net *, const struct conn_to *,
    const struct conn_ops *, void *arg);
void conn_free(struct conn *);		/* NULL is fine; closes */
void conn_send(struct conn *, const void *, size_t);
/* Is it still being dialled?  Then text says so for who ran out of time. */
bool conn_dialling(const struct conn *, char *text, size_t len);

#endif

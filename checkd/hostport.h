/*
 * A probe of a host and a port: one connection and a deadline.  What is said on
 * it is the kind's, whose struct begins with this one.
 */
#ifndef CHECKD_HOSTPORT_H
#define CHECKD_HOSTPORT_H

#include "checkd/probe.h"

struct hostport;

struct hostport_ops {
	struct conn_ops	 conn;		/* arg: the probe */
	/* Ends it with what went wrong. */
	void		(*fail)(struct hostport *, const char *why);
	bool		 h2;		/* offered by ALPN */
};

struct hostport {
	const struct msg_check		*check;
	const struct hostport_ops	*ops;
	struct conn			*conn;
	bool				 up;
	struct ev_timer			*deadline; /* or the end of a bad one */
	char				*bad;	/* the address makes no sense */
	probe_fn			*fn;
	void				*arg;
};

void hostport_start(struct hostport *, struct prober *,
    const struct msg_check *, const char *address,
    const struct hostport_ops *, probe_fn *, void *arg);
/* Says so and frees the probe. */
void hostport_end(struct hostport *, const char *status, const char *output);
/* A probe_kind's cancel. */
void hostport_cancel(void *);
/* For conn_ops' down. */
void hostport_down(const char *error, void *);

#endif

/*
 * Where a probe goes: URLs and "host:port" taken apart.  Pure.
 */
#ifndef CHECKD_TARGET_H
#define CHECKD_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target {
	char		 host[256];	/* a name or an address, no brackets */
	uint16_t	 port;
	bool		 tls;
	/* HTTP only: */
	char		*url;		/* to be shown: without the password */
	char		*path;		/* what is asked for: path and query */
	char		*hostport;	/* the Host header */
	char		*auth;		/* "Basic ...", or NULL */
};

void target_clear(struct target *);
/* http and https alone.  0, or -1 with the check's whole output in *err,
 * which is the caller's. */
int target_url(const char *url, const char *method, struct target *,
    char **err);
/* A URL that stands in an answer to `base`, made whole; NULL: it is none.  The
 * caller frees it. */
char *target_join(const char *base, const char *url);
/* "http://user:xxxxx@host/": for outputs.  The caller frees it. */
char *target_redact(const char *url);
/* "host:port", the port a number.  0, or -1 with err as above; net is the
 * first word of it: "tcp". */
int target_hostport(const char *text, const char *net, struct target *,
    char **err);

#endif

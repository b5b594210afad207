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
	char		*url;		/* as it is asked for; HTTP only */
};

void target_clear(struct target *);
/* http and https alone.  0, or -1 with the check's whole output in *err,
 * which is the caller's. */
int target_url(const char *url, const char *method, struct target *,
    char **err);
/* "host:port", the port a number.  0, or -1 with err as above. */
int target_tcp(const char *text, struct target *, char **err);

#endif

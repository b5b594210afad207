/*
 * A watch, as "watches" in a configuration and the command have it: what is
 * looked at, and who is told of a change.
 */
#ifndef COMMON_WATCH_H
#define COMMON_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"
#include "common/schema/schema.h"

enum watch_type {
	WATCH_KEY, WATCH_KEYPREFIX, WATCH_SERVICES, WATCH_NODES,
	WATCH_SERVICE, WATCH_CHECKS, WATCH_EVENT,
	WATCH_AGENT_SERVICE	/* blocks by the hash of its answer */
};

/* The handler that is an HTTP request. */
struct watch_http {
	char		*path;		/* NULL: there is none */
	char		*method;
	int64_t		 timeout;
	struct strs	 headers;	/* "Name: value" */
	bool		 skip_verify;
};

struct watch {
	enum watch_type	 type;
	char		*name;		/* key, prefix, service, event, or id
					   of a service of the agent */
	char		*state;		/* of checks */
	struct strs	 tags;
	bool		 passing;
	char		*datacenter, *token;
	bool		 stale;
	struct strs	 args;		/* a command without a shell */
	char		*script;	/* one for the shell */
	struct watch_http http;
};

/*
 * -1: err says why in Consul's words ("Unsupported watch type: x"), nothing to
 * clear.  handler: one has to be there.
 */
int watch_read(const struct json *, bool handler, struct watch *, char *err,
    size_t errlen);
void watch_clear(struct watch *);
/* "service web", for the log.  The caller frees. */
char *watch_title(const struct watch *);
/* Path and query of what is asked; index 0: now.  The caller frees. */
char *watch_path(const struct watch *, unsigned long long index);
/* The same of an agent's service; hash NULL: now. */
char *watch_path_hash(const struct watch *, const char *hash);

#endif

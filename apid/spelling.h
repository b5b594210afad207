/*
 * How a registration over HTTP spells the keys of its checks: pure.
 *
 * Files and the API share one schema; Consul has two.  Over HTTP it refuses
 * most of the words with underscores, takes script_args for args, and the id
 * of a check is ID in a check of its own, CheckID inside a service.
 */
#ifndef APID_SPELLING_H
#define APID_SPELLING_H

#include "common/json.h"

/*
 * The first key that is refused, or NULL; a key that only the API knows is
 * renamed for the schema.
 */
const char *spelling_check(struct json *check);
const char *spelling_service(struct json *service);

/*
 * Takes away what clients of newer versions send in registrations and Consul
 * 1.8 would refuse, though it is nothing that a service depends on.
 */
void spelling_newer(struct json *tree);
/* The same of a catalog's deregistration, and the address that clients send. */
void spelling_deregister(struct json *tree);

#endif

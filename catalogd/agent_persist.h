/*
 * The files in which services, checks and their last states outlive a restart:
 * text to struct and back, in Consul's own format, so that its data directory
 * can be taken over.  Pure; agent_files.c does the reading and writing.
 */
#ifndef CATALOGD_AGENT_PERSIST_H
#define CATALOGD_AGENT_PERSIST_H

#include "common/schema/conf.h"
#include "common/schema/rpc.h"

#define PERSISTED_SERVICE(F, T)						\
	F(T, STR, , token, "Token", 0, NULL)				\
	F(T, STRUCT, node_service, service, "Service", 0, NULL)		\
	F(T, STR, , source, "Source", 0, NULL)
SCHEMA_DECLARE(persisted_service, PERSISTED_SERVICE)

#define PERSISTED_CHECK(F, T)						\
	F(T, STRUCT, health_check, check, "Check", 0, NULL)		\
	F(T, PTR, check_def, chk_type, "ChkType", 0, NULL)		\
	F(T, STR, , token, "Token", 0, NULL)				\
	F(T, STR, , source, "Source", 0, NULL)				\
	F(T, INT, , until, "Until", S_OMIT, NULL) /* disco's own: when a
			maintenance mode ends, seconds since 1970 */
SCHEMA_DECLARE(persisted_check, PERSISTED_CHECK)

/* expires: seconds since 1970; 0 (disco's own): as long as the node lives. */
#define PERSISTED_STATE(F, T)						\
	F(T, STR, , check_id, "CheckID", 0, NULL)			\
	F(T, STR, , output, "Output", 0, NULL)				\
	F(T, STR, , status, "Status", 0, NULL)				\
	F(T, INT, , expires, "Expires", 0, NULL)
SCHEMA_DECLARE(persisted_state, PERSISTED_STATE)

/* Text that the caller frees. */
char *persist_encode(struct schema *, const void *obj, size_t *len);
/* 0, or -1 and one line in err; obj is cleared then. */
int persist_decode_service(const char *text, size_t len,
    struct persisted_service *, char *err, size_t errlen);
int persist_decode_check(const char *text, size_t len,
    struct persisted_check *, char *err, size_t errlen);
int persist_decode_state(const char *text, size_t len,
    struct persisted_state *, char *err, size_t errlen);
/* Hex MD5 of the id: the name of its file. */
#define PERSIST_NAME_LEN 33
void persist_name(const char *id, char out[PERSIST_NAME_LEN]);

#endif

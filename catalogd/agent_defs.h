/*
 * Definitions of services and checks, from files or from the API: what is
 * allowed, which defaults they get, which kind a check is.  Pure; errors start
 * with the HTTP status they mean.
 */
#ifndef CATALOGD_AGENT_DEFS_H
#define CATALOGD_AGENT_DEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/schema/conf.h"
#include "common/schema/msg.h"
#include "common/schema/rpc.h"

enum check_kind {
	CHECK_TTL, CHECK_HTTP, CHECK_TCP, CHECK_UDP, CHECK_DNS, CHECK_GRPC,
	CHECK_H2PING, CHECK_DOCKER, CHECK_SCRIPT, CHECK_ALIAS,
	CHECK_NONE		/* nothing runs it: maintenance */
};

#define CHECK_INTERVAL_MIN_NS	1000000000ll
#define CHECK_REAP_MIN_NS	60000000000ll
#define CHECK_OUTPUT_MAX	4096
/* What is larger would not fit the messages between our processes, in which it
 * travels along with others. */
#define DEF_ID_MAX		1024
#define DEF_BYTES_MAX		262144

/* "400 Invalid ...": writes it and returns -1. */
int def_error(char *err, size_t errlen, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

bool check_def_empty(const struct check_def *);
/* Is it run at intervals? */
bool check_def_timed(const struct check_def *);
/* NULL, or what is wrong with it. */
const char *check_def_problem(const struct check_def *);
/* 0, or -1 with err: an id or the whole is too long. */
int def_size_check(struct schema *, const void *def, const char *id,
    const char *name, char *err, size_t errlen);
/* Also for a definition without anything to run: CHECK_NONE. */
enum check_kind check_def_kind(const struct check_def *);
/* "ttl", "http", ... as the API shows it; "" when there is none. */
const char *check_def_type(const struct check_def *);
bool check_status_valid(const char *);
/* Does checkd run it? */
bool check_kind_probed(enum check_kind);

/* The definitions in `check` and `checks` that are not empty, in order.  The
 * array is the caller's to free, the elements are not. */
size_t service_def_checks(const struct service_def *,
    const struct check_def ***);
/* 0, or -1 with err. */
int service_def_check(const struct service_def *, char *err, size_t errlen);
/* With every default filled in; out is the caller's to clear. */
void service_def_resolve(const struct service_def *, struct node_service *out);
/* The defaults alone, for a service that comes from disk. */
void node_service_defaults(struct node_service *);
/* NULL, or a warning about names that DNS cannot ask for. */
const char *service_dns_problem(const char *name);

/* What checkd is to run.  out is the caller's to clear. */
void check_def_msg(const struct check_def *, const char *id,
    const char *status, uint64_t output_max, struct msg_check *out);

#endif

/*
 * The messages of gRPC's health protocol (grpc.health.v1), by hand: one string
 * out, one number in.  Pure.
 */
#ifndef CHECKD_HEALTH_H
#define CHECKD_HEALTH_H

#include "common/wire.h"

#define HEALTH_ANSWER_MAX	4096	/* bytes of one that we read */

enum health_status {
	HEALTH_UNKNOWN, HEALTH_SERVING, HEALTH_NOT_SERVING,
	HEALTH_SERVICE_UNKNOWN
};

/* HealthCheckRequest with gRPC's prefix. */
void health_request(const char *service, struct wbuf *);
/* HealthCheckResponse with its prefix.  0, or -1: it is none. */
int health_answer(const uint8_t *, size_t, uint64_t *status);
/* "NotFound", of a grpc-status. */
const char *health_code(long);
/* A grpc-message, percent-encoded; the caller frees it. */
char *health_message(const char *, size_t);

#endif

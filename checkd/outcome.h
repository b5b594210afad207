/*
 * From what a probe saw to a check's status and output, in the words that
 * Consul uses.  Pure.
 */
#ifndef CHECKD_OUTCOME_H
#define CHECKD_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/schema/msg.h"
#include "common/tail.h"

#define OUTPUT_DEFAULT	4096
#define OUTPUT_MAX	(512u << 10)	/* a message between daemons is 1 MB */

extern const char	passing[], warning[], critical[];

/*
 * How many results in a row change a status: at success_before_passing good
 * ones, at failures_before_critical bad ones (0 and 1: at once).
 */
struct threshold {
	uint64_t	 need_good, need_bad;
	uint64_t	 good, bad;
};
/* Counts a result; true if it is to be reported. */
bool threshold_count(struct threshold *, const char *status);

/* An HTTP answer: 2xx passes, 429 warns.  The text is the caller's. */
const char *http_status(long code);
char *http_output(const char *method, const char *url, const char *status,
    const struct tail *body);
/* A request that got no answer: Get "http://...": reason. */
char *http_failure(const char *method, const char *url, const char *reason);

/* The end of a script. */
const char *script_status(const struct msg_exited *);
char *script_output(const struct msg_exited *, int64_t timeout_ns);

/* Text out of bytes: a NUL would end it. */
char *output_text(const uint8_t *, size_t);
/* "connection refused", as Go has it: strerror() in lower case. */
const char *error_text(int error, char *buf, size_t len);

#endif

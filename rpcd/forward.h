/*
 * Calls of this node's catalogd: which server to ask, when to ask again, what
 * the failure is called (rpc.md 6, "Agent retries").
 */
#ifndef RPCD_FORWARD_H
#define RPCD_FORWARD_H

#include "common/call.h"
#include "rpcd/pool.h"
#include "rpcd/servers.h"

struct forward;

typedef void forward_answer_fn(uint32_t id, enum call_status,
    const char *error, const uint8_t *body, size_t len, void *arg);

struct forward *forward_new(struct ev *, struct pool *, struct servers *,
    forward_answer_fn *, void *arg);
void forward_free(struct forward *);
void forward_set_hold(struct forward *, uint64_t hold_ms);
/* The answer may come from within. */
void forward_call(struct forward *, uint32_t id, const struct msg_call *,
    const uint8_t *body, size_t len);
void forward_cancel(struct forward *, uint32_t id);
/* Nobody waits for any of them any more. */
void forward_cancel_all(struct forward *);

/*
 * Pure: may a call that failed with this text be repeated?  Reads may also
 * after the stream ended; anything when no leader took it.
 */
bool forward_retryable(const char *error, bool is_write);

#endif

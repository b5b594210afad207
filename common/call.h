/*
 * CALLs and ANSWERs over a link: one request, one answer, perhaps much later,
 * unless it is cancelled or a side dies.
 *
 * Methods are those of the network RPC ("Catalog.ListNodes") with their bodies;
 * what concerns one node is named Agent., Gossip. or Parent.
 *
 *	caller				callee
 *	call_start() ---- CALL ------> msg handler: call_read()
 *	callback    <--- ANSWER -----  call_answer() / call_error()
 *	call_cancel() --- CANCEL ----> msg handler
 *
 * When the link breaks, every open call is answered with CALL_LOST.
 */
#ifndef COMMON_CALL_H
#define COMMON_CALL_H

#include "common/ev.h"
#include "common/ipc.h"
#include "common/schema/msg.h"

enum call_status {
	CALL_OK,
	CALL_ERROR,	/* error text as the network has it */
	CALL_LOST,	/* the other side died; a write's outcome is unknown */
	CALL_TIMEOUT,	/* nothing within the deadline */
	CALL_BUSY	/* the window of open calls is full */
};

enum call_target {
	CALL_HERE, CALL_LEADER, CALL_ANY_SERVER, CALL_SERVER, CALL_DC
};
/*
 * Flags of msg_call.  The last two say whence a server has it: from one of its
 * own, which takes it for the leader, or from one of another datacenter.  They
 * travel in the header of a request; who sets them without need harms himself.
 */
enum { CALL_WRITE = 1, CALL_VIA_SERVER = 2, CALL_VIA_DC = 4 };

/* Open CALLs per link; past it CALL_BUSY. */
#define CALL_WINDOW 16384

/* error: NULL when CALL_OK.  body: of msgpack, good during the callback. */
typedef void call_fn(enum call_status, const char *error, const uint8_t *body,
    size_t len, void *arg);

struct calls;		/* the caller's open calls on one link */
struct call;

struct calls *calls_new(struct ev *);
void calls_free(struct calls *);	/* no callbacks; not from within one */
/* The link came up or went down (NULL: soon answers all open: CALL_LOST). */
void calls_link(struct calls *, struct ipc *);
/*
 * Sends.  The callback comes exactly once, never from within call_start(),
 * unless call_cancel()led before.  timeout_ms 0: for ever.
 */
struct call *call_start(struct calls *, const struct msg_call *,
    const void *body, size_t len, uint64_t timeout_ms, call_fn *, void *arg);
void call_cancel(struct call *);
/* Hand it ANSWER messages; 0, or -1 if nobody waits for it (late: fine). */
int calls_answer(struct calls *, const struct imsg *);

/*
 * Callee: the header and where the body starts.  -1: malformed.  The header's
 * strings are the caller's to schema_clear(&msg_call_schema).
 */
int call_read(const struct imsg *, struct msg_call *, const uint8_t **body,
    size_t *len);
void call_answer(struct ipc *, uint32_t id, const void *body, size_t len);
void call_answer_schema(struct ipc *, uint32_t id, struct schema *,
    const void *obj);
void call_error(struct ipc *, uint32_t id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* From one status and text to an ANSWER: for those that relay. */
void call_answer_status(struct ipc *, uint32_t id, enum call_status,
    const char *error, const void *body, size_t len);

#endif

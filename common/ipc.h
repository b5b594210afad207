/*
 * A link between two processes of the suite: framed messages over a
 * Unix-domain socketpair, with descriptor passing.
 *
 * Frame: type u32, id u32, length u32, flags u32 in host order, then the body.
 * A body above IPC_CHUNK travels as several frames, all but the last with
 * IPC_MORE; the descriptor comes with the first, marked IPC_FD.  What arrives is
 * checked against imsg.def (direction, size, descriptor) before the handler sees
 * it; a violation is fatal, for it is our own bug.  A link is always read.
 */
#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ev.h"
#include "common/proc.h"
#include "common/schema/schema.h"

#define IPC_CHUNK 65536

enum imsg_type {
#define IMSG(name, value, from, to, min, max, fd) IMSG_##name = value,
#include "common/imsg.def"
#undef IMSG
	IMSG_MAX_ = 64
};

struct imsg {
	enum imsg_type	 type;
	uint32_t	 id;		/* pairs a request with its answer */
	const uint8_t	*body;		/* valid during the handler */
	size_t		 len;
	int		 fd;		/* -1, or the handler's to close */
};

struct ipc;
/* m == NULL: the other end is gone; the handler frees the link. */
typedef void ipc_fn(struct ipc *, const struct imsg *m, void *arg);

/* Takes fd.  self and peer are what the check uses. */
struct ipc *ipc_new(struct ev *, int fd, enum proc self, enum proc peer,
    ipc_fn *, void *arg);
void ipc_free(struct ipc *);		/* closes; NULL is fine; no callback */
enum proc ipc_self(const struct ipc *);
enum proc ipc_peer(const struct ipc *);
/*
 * Queues a message; takes fd (-1: none).  Never blocks, never fails: a link
 * that is broken drops it and reports through the handler.  A NULL link drops.
 */
void ipc_send(struct ipc *, enum imsg_type, uint32_t id, const void *body,
    size_t len, int fd);
/* The same with a body made by schema. */
void ipc_send_schema(struct ipc *, enum imsg_type, uint32_t id,
    struct schema *, const void *obj);
/*
 * A new link is read from the start.  A child that is not READY yet turns
 * that off and on again; nobody else does, for two that stop reading each
 * other would hang.
 */
void ipc_read(struct ipc *, bool on);
/* Bytes queued and not yet sent. */
size_t ipc_queued(const struct ipc *);
/* Writes what is queued, blocking, up to ms; for the last words of a process.*/
void ipc_flush(struct ipc *, unsigned ms);

/* "CALL", or "?" */
const char *imsg_name(enum imsg_type);
/* 0, or -1 with a reason: what is checked before dispatch (pure). */
int imsg_check(enum imsg_type, enum proc from, enum proc to, size_t len,
    int has_fd, const char **why);
/* Of the table, the schemas that travel and the version: SETUP carries it. */
uint64_t imsg_hash(void);
#define IMSG_TOO_SHORT "body too short"	/* two of the reasons */
#define IMSG_TOO_LONG "body too long"

#endif

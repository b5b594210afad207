/*
 * The snapshot of known members (gossip.md 10.10): text lines that are
 * appended as things change, replayed after a restart, and now and then
 * written anew.  The file is gossipd_files.c's.
 */
#ifndef GOSSIPD_SNAPSHOT_H
#define GOSSIPD_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/wire.h"
#include "gossipd/serf.h"

struct snapshot;
struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *);

/* Takes over what an earlier life wrote; lines it does not know are skipped. */
void snapshot_replay(struct snapshot *, const char *, size_t,
    bool rejoin_after_leave);
/* Last values seen. */
struct serf_clocks snapshot_clocks(const struct snapshot *);
size_t snapshot_count(const struct snapshot *);
/* Calls fn for each member that was alive: its name, "10.0.0.1:8301". */
typedef void snapshot_fn(const char *name, const char *addr, void *arg);
void snapshot_each(const struct snapshot *, snapshot_fn *, void *arg);

void snapshot_alive(struct snapshot *, const char *name, const char *addr);
void snapshot_gone(struct snapshot *, const char *name);
void snapshot_clock(struct snapshot *, const struct serf_clocks *last);
void snapshot_leave(struct snapshot *);

/* What is to be appended; the caller resets it then. */
struct wbuf *snapshot_pending(struct snapshot *);
/* Has a file of this size grown beyond use? */
bool snapshot_grown(const struct snapshot *, size_t size);
/* The whole of it, for a new file; nothing is pending afterwards. */
void snapshot_write(struct snapshot *, struct wbuf *);

#endif

/*
 * The files of one server's log: loading at start, then appending, snapshots
 * and metadata.  Appends and snapshots are written by one thread of its own and
 * reported on the loop when they are durable; a failed write or fsync ends the
 * process, but for a full disk, which is waited for.  Without a directory
 * everything is durable at once and forgotten.
 */
#ifndef CATALOGD_RAFT_DISK_H
#define CATALOGD_RAFT_DISK_H

#include "catalogd/raft_log.h"
#include "common/ev.h"

struct disk;

struct disk_ops {
	/* All entries up to this index are durable. */
	void	(*persisted)(uint64_t index, void *arg);
	/* The snapshot is durable, older files are gone; 0: there is none, and
	 * the log says why. */
	void	(*snapshotted)(uint64_t index, void *arg);
	/* There is no space for the log; there is again.  Nothing is lost:
	 * what is queued is tried again. */
	void	(*full)(bool, void *arg);
	void	*arg;
};

/* What was found at start.  Freed by disk_found_clear(). */
struct disk_found {
	bool			 has_meta;
	struct log_meta		 meta;
	bool			 has_snapshot;
	struct log_snapshot	 snapshot;
	char			*snapshot_file;	/* what it points into */
	struct log_entry	*entry;		/* after the snapshot */
	size_t			 n;
	uint64_t		 cut;		/* bytes torn off the end */
};

/*
 * dir "": in memory.  shown: the directory's name in messages (where dir is
 * inside a chroot).  Reads everything; NULL with one line that names the file
 * and what to do.
 */
struct disk *disk_open(const char *dir, const char *shown,
    struct disk_found *, char *err, size_t errlen);
void disk_found_clear(struct disk_found *);
/* Starts the thread; before the sandbox closes. */
void disk_start(struct disk *, struct ev *, const struct disk_ops *);
/* Waits until everything is written. */
/*
 * Writes what is queued, and no more after it.  The index of the last record; 0:
 * not all of it could be written.
 */
uint64_t disk_stop(struct disk *);
void disk_close(struct disk *);

/* Synchronous: returns when it is durable. */
void disk_meta(struct disk *, const struct log_meta *);
/* The same for a log's first entries, before disk_start(). */
void disk_append_sync(struct disk *, const struct log_entry *, size_t n);
/* Queues entries of rising index; what is not below the first is replaced. */
void disk_append(struct disk *, const struct log_entry *, size_t n);
/*
 * Has the state put into records and written by a process of its own, as it is
 * now.  One at a time.  -1: no process can be had.
 */
typedef void disk_dump_fn(struct wbuf *, void *arg);
int disk_snapshot_fork(struct disk *, const struct log_snapshot *,
    disk_dump_fn *, void *arg);
/* The same of records that are there.  Takes the data's memory. */
void disk_snapshot(struct disk *, const struct log_snapshot *,
    struct wbuf *data);
/*
 * A snapshot's file of that size that comes from elsewhere, in pieces; space is
 * taken for all of it.  NULL, -1: errno.  It is gone with disk_incoming_free(),
 * unless it was installed, and that comes before disk_close().
 */
struct disk_incoming;
struct disk_incoming *disk_incoming_new(struct disk *, uint64_t size);
int disk_incoming_add(struct disk_incoming *, const uint8_t *, size_t n);
uint64_t disk_incoming_len(const struct disk_incoming *);
/* Its bytes, as long as it is there; NULL: errno. */
const uint8_t *disk_incoming_map(struct disk_incoming *);
void disk_incoming_free(struct disk_incoming *);
/*
 * Takes such a one, whole, for the newest snapshot; it stays as it is until
 * snapshotted(): once it is durable the log begins anew behind it.
 */
void disk_install(struct disk *, const struct log_snapshot *,
    const struct disk_incoming *);
/* The newest snapshot's file, to be read; -1 when there is none. */
int disk_snapshot_open(struct disk *, uint64_t index, uint64_t term,
    uint64_t *size);
/* Bytes of log not covered by a snapshot, about. */
uint64_t disk_log_bytes(struct disk *);
/* Everything counts as durable at once; no append, no snapshot. */
bool disk_in_memory(const struct disk *);

#endif

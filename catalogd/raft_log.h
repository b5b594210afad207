/*
 * What is on disk, as bytes: segments of the log, the metadata, snapshots.
 * Coding and checking alone; files are raft_disk.c's.
 *
 * A segment is a header and frames, and zeros up to the file's end: space is
 * taken ahead, and given back when the segment ends.  A frame is what one write
 * carried, synced before the next began: so a frame that does not check out was
 * torn by a crash only if none follows it and bytes of it are missing (the file
 * ends, or a disk block is all zero).  Everything else is damage, which is not
 * repaired here.  Frames that are zeros now are found missing by what follows:
 * the next segment, or what the metadata say of a stop in order.
 *
 *	segment:  "DISCOLG1" first u64  zero u32  crc u32
 *	frame:    magic u32  body u32  first u64  count u32  crc u32 (of the body)
 *		  zero u32  crc u32 (of these)
 *	body:     count times { term u64, type u8, len u32, bytes }, then 0xa5
 *	metadata: "DISCOMD2" id u64  term u64  vote u64  cluster u64  flags u32
 *		  crc u32 ("DISCOMD1", from before there were several servers,
 *		  has no cluster)
 *	snapshot: "DISCOSN1" index u64  term u64  conf index u64  conf u32
 *		  data u64  crc u32 (conf and data)  crc u32 (of these)
 */
#ifndef CATALOGD_RAFT_LOG_H
#define CATALOGD_RAFT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

#define LOG_SEGMENT_HEAD 24
#define LOG_FRAME_HEAD 32
/* One entry; larger ones are refused before they are proposed. */
#define LOG_ENTRY_MAX (16u << 20)
/* A frame is closed at this size, and then holds one entry at most more. */
#define LOG_FRAME_FULL (1u << 20)
#define LOG_FRAME_MAX (LOG_FRAME_FULL + LOG_ENTRY_MAX + 64)

struct log_entry {
	uint64_t	 index, term;
	uint8_t		 type;		/* enum raft_entry_type */
	const uint8_t	*p;
	size_t		 len;
};

void log_segment_head(struct wbuf *, uint64_t first);
/* A frame: begin on an empty buffer, add entries, end. */
void log_frame_begin(struct wbuf *, uint64_t first);
void log_frame_add(struct wbuf *, const struct log_entry *);
void log_frame_end(struct wbuf *, uint32_t count);

enum log_result { LOG_OK, LOG_TORN, LOG_DAMAGED };
typedef void log_entry_fn(const struct log_entry *, void *arg);
/*
 * Reads a segment whose name says it begins at `first`.  Entries are given in
 * order; one whose index is not above those before replaces them and what
 * follows them.  *good: the bytes that check out, of which LOG_OK says that all
 * behind them is zeros.  LOG_TORN only if `last`.
 */
enum log_result log_scan(const uint8_t *, size_t, uint64_t first, bool last,
    log_entry_fn *, void *arg, size_t *good, const char **why);

/*
 * last: the index of the last record when the server was stopped in order, so
 * that a log that is cut is told from one that a crash left; 0: it was not, or
 * it runs.
 */
enum {
	META_HAS_LOG = 1,
	META_RECOVERED = 2,	/* by peers.json, which may still be there */
};
struct log_meta {
	uint64_t	id, term, vote, cluster;
	uint32_t	flags;
	uint64_t	last;
};
void log_meta_encode(struct wbuf *, const struct log_meta *);
int log_meta_decode(const uint8_t *, size_t, struct log_meta *);

struct log_snapshot {
	uint64_t	 index, term, conf_index;
	const uint8_t	*conf;		/* as libraft encodes it */
	size_t		 conf_len;
	const uint8_t	*data;
	size_t		 data_len;
};
/* Everything but the data, which follows. */
void log_snapshot_head(struct wbuf *, const struct log_snapshot *);
int log_snapshot_decode(const uint8_t *, size_t, struct log_snapshot *);

#endif

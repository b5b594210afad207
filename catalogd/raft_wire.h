/*
 * What servers say to each other, as bytes: coding and checking alone.
 *
 * A connection carries one direction: who dials speaks, and hears the answers
 * on the one that the other side dialled.
 *
 *	hello:   "DISCORFT" version u8  lengths u8 u8 (of the texts)
 *		 from u64  to u64  cluster u64  datacenter
 *		 address ("10.0.0.1:8300", where the answers go)
 *	message: length u32 (of what follows)  type u8  body
 *
 *	APPEND		term, index, index term, commit, count u32,
 *			count times { term u64, type u8, len u32, bytes }
 *	APPENDED	term, rejected, index
 *	VOTE		term, candidate, index, index term, flags u8
 *	VOTED		term, flags u8
 *	TIMEOUT_NOW	term, index, index term
 *	SNAP_BEGIN	term, index, index term, size
 *	SNAP_DATA	offset, bytes of the snapshot's file
 *	CONFIRM(ED)	term, number
 *
 * All numbers are u64 where nothing else is said.  from and to are the ids
 * that servers have in the membership, so that a server with a new disk behind
 * an old address is told from the one that was there; cluster is the same on
 * all servers that began with the same first entry, 0 on one that has no log.
 */
#ifndef CATALOGD_RAFT_WIRE_H
#define CATALOGD_RAFT_WIRE_H

#include "catalogd/raft_log.h"
#include "common/wire.h"

#define PEER_VERSION 1
#define PEER_HEAD 5		/* length and type */
#define PEER_ENTRIES_MAX 4096	/* in one message */
/* A message with entries is closed at this size, and holds one more at most. */
#define PEER_FULL (1u << 20)
#define PEER_MSG_MAX (PEER_FULL + LOG_ENTRY_MAX + 4096)
#define PEER_CHUNK (256u << 10)	/* of a snapshot */

struct peer_hello {
	uint64_t	 from, to, cluster;
	char		 datacenter[256], address[256];
};
void peer_hello_encode(struct wbuf *, const struct peer_hello *);
/* Bytes taken, 0: more are needed, -1: it is none, or not of this version. */
int peer_hello_decode(const uint8_t *, size_t, struct peer_hello *);

enum peer_type {
	PEER_APPEND = 1, PEER_APPENDED, PEER_VOTE, PEER_VOTED,
	PEER_TIMEOUT_NOW, PEER_SNAP_BEGIN, PEER_SNAP_DATA, PEER_CONFIRM,
	PEER_CONFIRMED
};
enum { PEER_PRE_VOTE = 1, PEER_DISRUPT = 2, PEER_GRANTED = 4 };

struct peer_msg {
	enum peer_type	 type;
	uint64_t	 term;
	/*
	 * APPEND: of the entry before those in it.  APPENDED, VOTE,
	 * TIMEOUT_NOW: the sender's last.  SNAP_BEGIN: the last in it.
	 */
	uint64_t	 index, index_term;
	uint64_t	 commit;
	uint64_t	 rejected;
	uint64_t	 candidate;
	uint8_t		 flags;
	uint64_t	 size;		/* SNAP_BEGIN */
	uint64_t	 offset;	/* SNAP_DATA */
	uint64_t	 number;	/* CONFIRM, CONFIRMED */
	struct log_entry *entry;	/* APPEND; index is not set on encode */
	size_t		 n;
	const uint8_t	*data;		/* SNAP_DATA */
	size_t		 len;
};

/* Appends the whole message, with its length. */
void peer_msg_encode(struct wbuf *, const struct peer_msg *);
/*
 * Bytes taken, 0: more are needed, -1 and why: the connection is of no use.
 * Entries and data point into the buffer; the array is freed by
 * peer_msg_clear().
 */
long peer_msg_decode(const uint8_t *, size_t, struct peer_msg *,
    const char **why);
void peer_msg_clear(struct peer_msg *);

/* Is it a membership that libraft can read? */
bool peer_conf_valid(const uint8_t *, size_t);

#endif

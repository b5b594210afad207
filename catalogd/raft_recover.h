/*
 * Getting a log back to work whose quorum is lost for good: a file peers.json
 * in its directory, as Consul's users know it, names who goes on.  It is read
 * at the start, becomes an entry of the log, and is renamed.
 *
 *	[ { "id": NODE-ID, "address": "10.0.0.1:8300", "non_voter": false } ]
 *
 * All servers that go on need the same file.  They make another cluster of
 * themselves: who is not in the file must come back with an empty directory.
 */
#ifndef CATALOGD_RAFT_RECOVER_H
#define CATALOGD_RAFT_RECOVER_H

#include "catalogd/raft_disk.h"

/*
 * Is there such a file?  Then the entry is added to what was found, and the
 * metadata changed, both durably.  1: done, 0: no file, -1 and why.
 */
int recover_at_start(struct disk *, struct disk_found *, struct log_meta *,
    const char *dir, const char *shown, const char *node_id, char *err,
    size_t errlen);
/* Writes the file for that server alone, and a record of it.  -1: errno. */
int recover_alone(const char *dir, const char *node_id, const char *address,
    const char *record);

#endif

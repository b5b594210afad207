/*
 * Snapshots by the clock: written beside the log every interval, verified, the
 * oldest removed.  A server writes what it has itself; that a disk is lost is
 * what the other servers' are for.
 */
#ifndef CATALOGD_SNAP_FILES_H
#define CATALOGD_SNAP_FILES_H

#include <stdint.h>

#include "catalogd/server.h"
#include "common/ev.h"

struct snap_files;

/* dir: where the folder "snapshots" is to be; shown: as a user knows it. */
struct snap_files *snap_files_new(struct ev *, struct server *,
    const char *dir, const char *shown);
void snap_files_free(struct snap_files *);	/* NULL is fine */
/* interval 0: none are written. */
void snap_files_configure(struct snap_files *, int64_t interval_ns,
    uint64_t retain);

#endif

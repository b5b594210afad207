/*
 * Views on disk, so that names are answered after a start without a server:
 * data/dns/views, written while dnsd runs whenever views have changed, and at
 * its end.  A file that is damaged in any way is not used.
 */
#ifndef DNSD_KEEP_H
#define DNSD_KEEP_H

#include "common/ev.h"
#include "common/wire.h"
#include "dnsd/names.h"

#define KEEP_FILE_MAX (128u << 20)

typedef void keep_fn(const uint8_t *raw, size_t len, uint64_t age_ms,
    void *arg);
/* Pure: the file's bytes. */
void keep_begin(struct wbuf *, uint64_t wall_ms);
void keep_put(struct wbuf *, const uint8_t *raw, size_t len, uint64_t age_ms);
void keep_end(struct wbuf *);
/* How many views there are, or -1 and what is wrong.  fn, if there is one, has
 * each with its age when it was written; nobody has looked at raw. */
int keep_read(const uint8_t *, size_t, uint64_t *wall_ms, keep_fn *fn,
    void *arg, const char **why);

struct keep;
/* dir: where the file is, which this process writes, or only reads. */
struct keep *keep_new(struct ev *, const char *dir, struct names *,
    bool writes);
void keep_free(struct keep *);
/* stale_ms 0: nothing is kept, and what was is removed. */
void keep_conf(struct keep *, uint64_t stale_ms);
/* Into names, as views of before; view() makes each. */
void keep_load(struct keep *, struct view *(*view)(const struct msg_view *,
    void *), void *arg);
/* At the end: now, and until it is on disk. */
void keep_write(struct keep *);

#endif

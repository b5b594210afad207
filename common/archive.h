/*
 * Snapshot archives (snapshot.md): a gzip'd tar with the description, the state
 * and their digests, as Consul writes and reads them.  Written and read in
 * pieces; what the state's records mean is the store's.
 *
 * Of a library's tar and gzip nothing would be left here but the loops: which
 * bytes are written, which are refused and in which words is all prescribed.
 */
#ifndef COMMON_ARCHIVE_H
#define COMMON_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/schema/schema.h"
#include "common/wire.h"

#define ARCHIVE_STATE_MAX (1u << 30)	/* gzip expands a thousandfold */

struct archive_server { char *id, *address; };
struct archive_server_vec { struct archive_server *item; size_t n; bool set; };

struct archive_meta {
	int64_t			 version;	/* 1 */
	char			*id;	/* term-index-milliseconds */
	uint64_t		 index, term, conf_index;
	int64_t			 size;		/* of the state */
	struct archive_server_vec servers;	/* not read back */
};
void archive_meta_clear(struct archive_meta *);

/* ---- writing ---- */

struct archive_out;

/*
 * Takes the state's bytes, which it frees; meta->size is set from them.
 * now_s: of the members.
 */
struct archive_out *archive_out_new(struct archive_meta *, struct wbuf *state,
    int64_t now_s);
void archive_out_free(struct archive_out *);
/* Appends what 64 kB of the content became (perhaps nothing); false when that
 * was the last. */
bool archive_out_next(struct archive_out *, struct wbuf *);

/* ---- reading ---- */

struct archive_in;

/* More state than that is refused. */
struct archive_in *archive_in_new(size_t state_max);
void archive_in_free(struct archive_in *);
/* -1: it is no good, archive_in_error() says why; and so for the rest. */
int archive_in_feed(struct archive_in *, const uint8_t *, size_t);
/*
 * All of it came: 0, or -1 as above.  Then meta, which the caller clears, and
 * the state, which stays the reader's.
 */
int archive_in_end(struct archive_in *, struct archive_meta *,
    const uint8_t **state, size_t *len);
const char *archive_in_error(const struct archive_in *);
/*
 * What restoring asks beyond that, inspecting does not: NULL, or why not, in
 * buf.
 */
const char *archive_meta_refusal(const struct archive_meta *, size_t len,
    char *buf, size_t buflen);

#endif

/*
 * Transfers of the zone to secondaries: AXFR (RFC 5936), IXFR (RFC 1995),
 * NOTIFY (RFC 1996).
 */
#ifndef DNSD_XFR_H
#define DNSD_XFR_H

#include "common/ev.h"
#include "common/nets.h"
#include "dnsd/names.h"

#define XFR_MAX 16		/* transfers at once */
#define XFR_MESSAGE 16384	/* bytes of one message, about */
#define XFR_SPACING_MS 1000	/* between two serials: one a second at most */
#define XFR_NOTIFY_MS 2000	/* to the second NOTIFY; then doubled */
#define XFR_NOTIFY_TRIES 5
#define XFR_KEEP_MS 20000	/* each view is asked for that often */
#define XFR_PUMP_MS 20		/* while there are views to come */

struct xfr_ops {
	/* A message more on that connection.  False: no more for now. */
	bool	(*send)(const struct origin *, const uint8_t *, size_t, void *);
	/* The answer is complete. */
	void	(*done)(const struct origin *, void *);
	void	(*notify)(const struct sockaddr_storage *, const uint8_t *,
		    size_t, void *);
	uint32_t (*wall)(void *);
	/* There is a new serial; before anybody is notified of it. */
	void	(*committed)(uint32_t serial, void *);
};

struct xfr;
struct xfr *xfr_new(struct ev *, const struct xfr_ops *, void *arg,
    uint64_t seed);
void xfr_free(struct xfr *);
/* The configuration stays the caller's; names is asked for every view. */
void xfr_conf(struct xfr *, const struct answer_conf *,
    const struct strs *secondaries, struct names *);

/* The list of names changed; a view came (NULL: there is no such name). */
void xfr_names(struct xfr *);
void xfr_name(struct xfr *, enum view_kind, const char *name, bool exists);
void xfr_view(struct xfr *, enum view_kind, const char *name,
    const struct view *);

/* What the SOA says; false: nobody transfers, any serial will do. */
bool xfr_serial(const struct xfr *, uint32_t *serial);
/*
 * Is it a query for a transfer?  Then *n bytes are the answer, or with *later
 * messages follow through send().
 */
bool xfr_query(struct xfr *, const struct origin *, const uint8_t *q,
    size_t len, uint8_t *out, size_t *n, bool *later);
/* An answer to a NOTIFY. */
bool xfr_heard(struct xfr *, const struct origin *, const uint8_t *, size_t);
/* The connection took what it was sent, or is gone. */
void xfr_drained(struct xfr *, const struct origin *, bool closed);

#endif

/*
 * A connection for another process of the suite: its socket itself, or where
 * TLS is on it, one end of a socketpair, the bytes carried between the two.
 */
#ifndef RPCD_RELAY_H
#define RPCD_RELAY_H

#include "common/relay.h"

/*
 * Takes the stream, of which nothing has been read ahead and nothing is left
 * to be sent; its owner hears no more of it.  A descriptor, non-blocking, that
 * the caller passes on; or -1 when there is none to be had (logged).
 */
int relay_fd(struct relays *, struct stream *);

#endif

/*
 * Two connections made one: what comes on either goes out on the other.
 */
#ifndef COMMON_RELAY_H
#define COMMON_RELAY_H

#include <stddef.h>

#include "common/ev.h"
#include "common/stream.h"

struct relays;

struct relays *relays_new(struct ev *);
void relays_free(struct relays *);	/* closes all; NULL is fine */
/*
 * Takes both; whoever owned them hears no more of them.  What is queued for
 * one goes out before what the other brings.
 */
void relay_join(struct relays *, struct stream *net, struct stream *local);
size_t relays_count(const struct relays *);
struct ev *relays_ev(const struct relays *);

#endif

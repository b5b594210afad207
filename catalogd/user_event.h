/*
 * User events of Consul's kind ("consul:event:NAME"): what travels in the
 * payload, whom it is for, and the last ones that arrived.
 *
 * Pure.  Firing them, and waiting for them, is agent_event.c's.
 */
#ifndef CATALOGD_USER_EVENT_H
#define CATALOGD_USER_EVENT_H

#include "catalogd/agent.h"

#define USER_EVENT_PREFIX	"consul:event:"
#define USER_EVENT_VERSION	1
#define USER_EVENT_RING		256
/* Serf's own bound of any event; its configured one of 512 is the sender's. */
#define USER_EVENT_MAX		(9 * 1024)

/* The payload: msgpack of the new dialect, which nothing else here speaks. */
void user_event_encode(const struct user_event *, struct wbuf *);
/* 0, or -1 with the reason; the LTime is Serf's and not in it. */
int user_event_decode(const uint8_t *, size_t, struct user_event *,
    const char **why);
/* 0, or -1 with "500 text" in err: filters that nobody could follow. */
int user_event_check(const struct user_event *, char *err, size_t errlen);
/* Is it for this node, by its name, its services and their tags? */
bool user_event_for(const struct user_event *, struct agent *);
/* X-Consul-Index of a list that ends with this event. */
uint64_t user_event_index(const char *id);

/* The last events, oldest first from `first`. */
struct user_events {
	struct user_event	 item[USER_EVENT_RING];
	size_t			 first, n;
	uint64_t		 gen;	/* counts arrivals */
};
/* Takes what the event holds.  False: it is there already. */
bool user_events_add(struct user_events *, struct user_event *);
void user_events_clear(struct user_events *);
const struct user_event *user_events_at(const struct user_events *, size_t);

#endif

/*
 * Those who connect, by address: how many connections and open calls each has,
 * and what has been said of it in the log.  Pure; times are monotonic
 * milliseconds.
 */
#ifndef RPCD_PEERS_H
#define RPCD_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct peers;
struct peer;

/* window: open calls that all of them may have together. */
struct peers *peers_new(size_t window);
void peers_free(struct peers *);
void peers_set_window(struct peers *, size_t);

/* A connection from there; it holds the peer until peer_left(). */
struct peer *peer_came(struct peers *, const struct sockaddr_storage *);
void peer_left(struct peers *, struct peer *);
/* Connections it has. */
size_t peers_conns(const struct peers *, const struct sockaddr_storage *);

/*
 * May it open another call?  No one has more of the window than it leaves to
 * the others: alone a half, beside one that has so much a quarter, and so on.
 * True: it is counted until peer_call_end().
 */
bool peer_call_begin(struct peers *, struct peer *);
void peer_call_end(struct peers *, struct peer *);

/*
 * May a line about it be logged?  A few at once, then one a minute; *hidden is
 * how many were not, since.  Those who are gone are remembered so long.
 */
bool peer_may_log(struct peer *, uint64_t now_ms, uint64_t *hidden);

#endif

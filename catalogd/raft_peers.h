/*
 * Connections between servers: one that we dialled to each server we speak to,
 * one that it dialled to us.  rpcd dials and accepts; the descriptor comes here.
 *
 * Of two connections from one server the newer counts, and what is on it is
 * taken in its order: libraft needs both.
 */
#ifndef CATALOGD_RAFT_PEERS_H
#define CATALOGD_RAFT_PEERS_H

#include "catalogd/raft_wire.h"
#include "common/ev.h"

struct peers;

struct peers_ops {
	/* Ask for a connection; the answer is peers_dialed(). */
	void	(*dial)(uint32_t id, const char *address, void *arg);
	/* Where that server is, "10.0.0.1:8300".  False: nobody knows. */
	bool	(*where)(uint64_t server, char *, size_t, void *arg);
	/* Never PEER_SNAP_*; entries and data hold during the call. */
	void	(*receive)(uint64_t from, const struct peer_msg *, void *arg);
	/* A snapshot's file comes, so large: what it goes to (NULL: nothing
	 * can be had for it), piece by piece (-1: errno), until it is there
	 * whole, and is taken, or is given up. */
	void	*(*snap_begin)(uint64_t size, void *arg);
	int	(*snap_add)(void *snap, const uint8_t *, size_t);
	void	(*snap_done)(uint64_t from, uint64_t term, void *snap,
		    void *arg);
	void	(*snap_drop)(void *snap);
	/* A server of that cluster speaks to us, who are in none yet. */
	void	(*cluster)(uint64_t, void *arg);
	void	*arg;
};

struct peers *peers_new(struct ev *, uint64_t self, const char *datacenter,
    const char *address, const struct peers_ops *);
void peers_free(struct peers *);
void peers_set_cluster(struct peers *, uint64_t);

/* Drops it when there is no connection, and then asks for one. */
void peers_send(struct peers *, uint64_t to, const struct peer_msg *);
/* Soon there will be something to send. */
void peers_connect(struct peers *, uint64_t to);
/* Is one on its way, or was this one sent a moment ago? */
bool peers_snapshot_busy(struct peers *, uint64_t to, uint64_t index);
/* Sends that file, whose descriptor it takes, beside everything else. */
void peers_send_snapshot(struct peers *, uint64_t to,
    const struct peer_msg *begin, int fd);

/* A connection came in; takes the descriptor. */
void peers_accept(struct peers *, int fd, const char *from);
/* What dial() led to: a descriptor, or -1 and why. */
void peers_dialed(struct peers *, uint32_t id, int fd, const char *why);
/* rpcd is gone: no answers will come. */
void peers_dials_lost(struct peers *);
/* Those are the members: no more connections to others. */
void peers_only(struct peers *, const uint64_t *server, size_t n);
/* Connections to others that there are, or that are tried. */
size_t peers_count(const struct peers *);

#endif

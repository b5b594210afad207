/*
 * Which servers there are and whom to ask first (rpc.md 7.1): this
 * datacenter's by the LAN pool, those of others by the WAN pool.  Pure: fed
 * with members as gossipd tells them.
 */
#ifndef RPCD_SERVERS_H
#define RPCD_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/schema/msg.h"
#include "common/util.h"

struct server_id {
	char			*name;		/* another datacenter's: in
						   the WAN pool, "a.dc2" */
	char			*dc;		/* NULL: this datacenter */
	struct sockaddr_storage	 addr;		/* of its RPC port */
	bool			 use_tls;	/* it says that it has TLS */
	bool			 disco;		/* not Consul's */
};

struct servers;

struct servers *servers_new(const char *datacenter);
void servers_free(struct servers *);

/* A whole list begins and ends: what was not in it is gone. */
void servers_begin(struct servers *);
void servers_end(struct servers *);
void servers_member(struct servers *, const struct member *);

/*
 * An alive server of the datacenter by its tags?  Then its address is set;
 * else why says what is wrong (NULL: it does not claim to be one).
 */
bool servers_parse(const struct member *, const char *datacenter,
    struct sockaddr_storage *, const char **why);

size_t servers_count(const struct servers *);
size_t servers_nodes(const struct servers *);	/* alive LAN members */
/* Pointers hold until the next change. */
const struct server_id *servers_first(const struct servers *);
const struct server_id *servers_find(const struct servers *, const char *name);
const struct server_id *servers_at(const struct servers *,
    const struct sockaddr_storage *);
/* A call to it failed: if it is still the first, there or in its own
 * datacenter, it becomes the last. */
void servers_failed(struct servers *, const char *name);

/*
 * The server to ask in another datacenter, n of those that may be asked.  They
 * are put in a new order every few minutes.  NULL: why says, in the words of
 * the network, that nobody knows the datacenter or that none of its servers is
 * alive.
 */
const struct server_id *servers_remote(struct servers *, const char *dc,
    uint64_t now_ms, struct rng *, size_t *n, const char **why);

/* The names in a random order; strs_clear() it. */
void servers_shuffled(const struct servers *, struct rng *, struct strs *);
/* Takes an order over, if its first is still known. */
void servers_adopt(struct servers *, const struct strs *);
/* When to shuffle next. */
uint64_t servers_rebalance_ms(const struct servers *, struct rng *);

#endif

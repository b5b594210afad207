/*
 * What Consul makes of Serf: the tags of an agent, who counts as a server, who
 * is let in (gossip.md section 11), and disco's rule against mixed servers.
 */
#ifndef GOSSIPD_CONSUL_H
#define GOSSIPD_CONSUL_H

#include "common/schema/conf.h"
#include "gossipd/swim.h"

/* Marks a server of disco's; the value is its version. */
#define TAG_DISCO "disco"

/* Versions that Consul's agents announce: memberlist 1..5 speaking 2, Serf
 * 2..5 speaking 4. */
extern const uint8_t consul_vsn[VSN_LEN];

/* Tags of this node in the LAN pool, of a server in the WAN pool; sorted. */
void consul_tags(const struct conf_agent *, struct strmap *);
void consul_tags_wan(const struct conf_agent *, struct strmap *);
/* Would a Consul agent take it for a server (11.4)? */
bool consul_valid_server(struct span meta);
/* A server of this datacenter that is not disco's: it cannot share ours. */
bool consul_foreign_server(struct span meta, const char *dc);

struct consul_rules {
	const char	*name, *id, *dc;	/* ours */
	bool		 server;
	bool		 wan;			/* else LAN */
};
/*
 * Why a server of ours cannot be in one pool with this member, as a clause
 * ("it is a Consul server: ..."), or NULL: servers of a datacenter do not mix.
 */
const char *consul_server_clash(const struct consul_rules *,
    const struct swim_said *);
/* The first such among those that run, or NULL. */
const struct swim_said *consul_find_clash(const struct consul_rules *,
    const struct swim_said *, size_t n);

/* NULL, or why these may not be members of the pool (11.3). */
const char *consul_admit(const struct consul_rules *, const struct swim_said *,
    size_t n);

#endif

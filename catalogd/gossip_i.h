/*
 * Inside gossip*.c: what they share.
 *
 *	gossip.c		the link to gossipd, the life of a call
 *	gossip_keyring.c	Internal.KeyringOperation
 *	gossip_dc.c		Catalog. and Coordinate.ListDatacenters
 */
#ifndef CATALOGD_GOSSIP_I_H
#define CATALOGD_GOSSIP_I_H

#include <bsd/sys/queue.h>

#include "catalogd/datacenters.h"
#include "catalogd/gossip.h"

enum step { STEP_START, STEP_WAN, STEP_LAN, STEP_END };

struct gossip_method {
	const char	*name;
	bool		 keyring;	/* its body is a keyring_request */
	/* Goes on; true when it waits for an answer, false: it is over. */
	bool		(*run)(struct gossip_call *);
	/* An answer of gossipd's. */
	void		(*got)(struct gossip_call *, const char *error,
			    const uint8_t *, size_t);
	bool		 alone;		/* goes on without gossipd */
};

struct key_part;

struct gossip_call {
	TAILQ_ENTRY(gossip_call)	 entry;
	struct gossip			*g;
	const struct gossip_method	*method;
	call_fn				*fn;
	void				*arg;
	struct ev_timer			*soon;	/* starts it */
	struct call			*call;	/* gossipd is asked */
	enum step			 step;
	char				*error;
	struct wbuf			 reply;
	struct keyring_request		 keyring;
	struct keyring_responses	 keys;
	struct key_part			*part;	/* other datacenters */
	size_t				 npart, nopen;
};

struct gossip {
	struct ev			*ev;
	struct calls			*calls;
	struct datacenters		*dcs;
	char				*node_name;
	bool				 wan;	/* there is such a pool */
	struct gossip_remote		 remote;
	TAILQ_HEAD(, gossip_call)	 open;
};

/* Goes on with a call after an answer; it may be gone afterwards. */
void gossip_run(struct gossip_call *);
/* Asks gossipd for it; the answer is got(). */
void gossip_step(struct gossip_call *, const char *method, struct schema *,
    const void *obj, uint64_t timeout_ms);

/* gossip_keyring.c */
bool keyring_run(struct gossip_call *);
void keyring_got(struct gossip_call *, const char *, const uint8_t *, size_t);
void keyring_drop(struct gossip_call *);	/* what it has open */

/* gossip_dc.c */
bool names_run(struct gossip_call *);
void names_got(struct gossip_call *, const char *, const uint8_t *, size_t);
bool datacenters_run(struct gossip_call *);
void datacenters_got(struct gossip_call *, const char *, const uint8_t *,
    size_t);

#endif

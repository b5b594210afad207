/*
 * A view: one name of the catalog in the form that answers are copied from.
 * Built when catalogd sends it, never changed, replaced as a whole.  Pure.
 */
#ifndef DNSD_VIEW_H
#define DNSD_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/schema/msg.h"
#include "dnsd/question.h"

enum { INST_V4 = 1, INST_V6 = 2, INST_HOST = 4 };

/* One instance of a service; the node of a node's view. */
struct inst {
	uint8_t		 health;	/* 0 passing, 1 warning, 2 critical */
	uint8_t		 has;		/* INST_: what A and AAAA find */
	uint8_t		 any;		/* which one of them ANY and SRV take */
	uint8_t		 glue;		/* which one is target's; 0: none */
	bool		 target_is_node;
	uint8_t		 host_len, target_len, node_len;
	uint16_t	 port, weight;
	uint16_t	 txt_len, ntxt;
	uint16_t	 tags_len;
	uint8_t		 v4[4], v6[16];
	/* equal for equal addresses; address and port; nodes */
	uint32_t	 addr_id, srv_id, node_id;
	const uint8_t	*host;		/* a name; address is not a literal */
	const uint8_t	*target;	/* SRV, PTR */
	const uint8_t	*node;		/* NAME.node.DC.DOMAIN */
	const uint8_t	*txt;		/* ntxt times: u16 length, data */
	const uint8_t	*tags;		/* u16 length, folded tag, ... */
	uint32_t	 ttl;		/* VIEW_OUTSIDE: of this record */
};

struct view {
	enum view_kind	 kind;
	uint64_t	 index;
	uint32_t	 ttl;		/* the owner's, by its configuration */
	int64_t		 own_ttl_ns;	/* a prepared query's; -1: none */
	char		*service;	/* a prepared query's, for its TTL */
	bool		 ordered;	/* the first ones are to be used first */
	bool		 weighted;	/* weights differ */
	uint32_t	 born;		/* VIEW_OUTSIDE: when TTLs began */
	uint8_t		*raw;		/* the message, if it may be kept */
	size_t		 raw_len;
	uint64_t	 expires_ms;	/* it is to be asked for anew; 0: no */
	size_t		 n;
	size_t		 npassing, nhealthy; /* the first ones of inst[]; all
					of a prepared query, who judged them */
	struct inst	*inst;
	uint8_t		 bytes[];	/* what inst[] points into */
};

/*
 * Instances whose names cannot be said in DNS keep what can.  No more than
 * VIEW_MAX instances are kept, for no message holds more.  Never NULL.
 */
#define VIEW_MAX 65536
struct view *view_new(const struct msg_view *, const struct dns_zone *);
void view_free(struct view *);
/* Its name as a question has it (question.h), for free(). */
char *view_name(const struct msg_view *);
/* Copies the message that it was made of. */
void view_keep(struct view *, const uint8_t *raw, size_t len);

/* True if the instance has that tag (folded, len > 0). */
bool inst_has_tag(const struct inst *, const char *tag, size_t len);

#endif

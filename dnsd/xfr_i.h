/*
 * Between xfr.c, which has the zone and its secondaries, and xfr_send.c, which
 * answers those who ask for it.
 */
#ifndef DNSD_XFR_I_H
#define DNSD_XFR_I_H

#include "dnsd/xfr.h"
#include "dnsd/zone.h"

struct xname {
	struct xname	*next;
	uint64_t	 hash;
	enum view_kind	 kind;
	bool		 known;		/* its view was here */
	bool		 listed;
	struct zone_part part;
	uint16_t	 len;
	char		 text[];	/* folded */
};

struct transfer {
	TAILQ_ENTRY(transfer)	 entry;
	struct origin		 origin;
	struct zone_diff	 diff;
	struct zone_rr		*soa[2];	/* from, to */
	struct zone_rr		**item;		/* in the order they go out */
	size_t			 n, next;
	uint16_t		 id;
	uint8_t			 question[DNS_NAME_MAX + 4];
	size_t			 question_len;
	bool			 first;
};

struct secondary {
	struct sockaddr_storage	 ss;
	uint8_t			 ip[16];
	size_t			 ip_len;
	struct ev_timer		*timer;
	struct xfr		*x;
	unsigned		 tries;		/* left */
	uint16_t		 id;
};

struct xfr {
	struct ev		*ev;
	struct xfr_ops		 ops;
	void			*arg;
	const struct answer_conf *conf;
	struct names		*names;
	struct strs		 configured;
	struct secondary	*secondary;
	size_t			 n;
	struct zone		*zone;		/* NULL: nobody transfers */
	struct zone_part	 apex;
	struct xname		**bucket;
	size_t			 nbuckets, nnames, nunknown;
	struct ev_timer		*pump, *commit;
	uint64_t		 committed;	/* when, in ms; at first: the start */
	TAILQ_HEAD(, transfer)	 transfers;
	size_t			 ntransfers;
	struct rng		 rng;
	uint64_t		 seed;
	uint8_t			 out[DNS_TCP_MAX];
};

/* Was each name's view here? */
bool xfr_complete(const struct xfr *);
void xfr_transfer_free(struct xfr *, struct transfer *);

#endif

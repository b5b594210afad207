/*
 * Identities: what a member says of itself (name, address, meta, versions),
 * kept once however many look at it, and a small number for each name, by
 * which views are arrays instead of maps.
 */
#ifndef GOSSIPD_IDENT_H
#define GOSSIPD_IDENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <bsd/sys/queue.h>

#include "gossipd/codec.h"

#define IDENT_NONE	UINT32_MAX
#define NAME_MAX_LEN	255		/* of a member */
#define META_MAX	512		/* as peers have it */
#define VSN_LEN		6

/* An address as the wire has it: 4 or 16 bytes, repeated as received. */
struct gaddr {
	uint8_t		ip[16];
	uint8_t		len;		/* 0: none */
	uint16_t	port;
};
struct gaddr gaddr_of(struct span ip, uint16_t port);	/* len 0 if malformed */
bool gaddr_equal(const struct gaddr *, const struct gaddr *);
/* The same place, be it written as an IPv4 address or a mapped one. */
bool gaddr_same(const struct gaddr *, const struct gaddr *);
struct span gaddr_ip(const struct gaddr *);
int gaddr_to_sockaddr(const struct gaddr *, struct sockaddr_storage *);
struct gaddr gaddr_from_sockaddr(const struct sockaddr_storage *);

enum { VSN_PMIN, VSN_PMAX, VSN_PCUR, VSN_DMIN, VSN_DMAX, VSN_DCUR };

struct ident {
	uint32_t		 num;		/* of the name */
	uint32_t		 refs;
	struct gaddr		 addr;
	uint8_t			 vsn[VSN_LEN];
	uint16_t		 name_len, meta_len;
	LIST_ENTRY(ident)	 other;		/* of that name */
	char			 data[];	/* name, NUL, meta */
};

static inline const char *
ident_name(const struct ident *id)
{
	return id->data;
}
struct span ident_name_span(const struct ident *);
struct span ident_meta(const struct ident *);

/* A store of them, for one daemon or a whole simulation. */
struct idents;
struct idents *idents_new(void);
void idents_free(struct idents *);	/* all must be unreferenced */
/* A secret for the hash of names, before the first; else it is 0. */
void idents_seed(struct idents *, uint64_t, uint64_t);
/* One above the highest number ever given. */
uint32_t idents_bound(const struct idents *);
/* The number of a name that somebody holds, or IDENT_NONE. */
uint32_t idents_find(const struct idents *, struct span name);

/* A reference to the one that is equal, or to a new one. */
struct ident *ident_get(struct idents *, struct span name,
    const struct gaddr *, struct span meta, const uint8_t vsn[VSN_LEN]);
/* The same for the name of this one. */
struct ident *ident_next(struct idents *, struct ident *, const struct gaddr *,
    struct span meta, const uint8_t vsn[VSN_LEN]);
struct ident *ident_ref(struct ident *);
/* The number of a name is free again when its last identity is. */
void ident_unref(struct idents *, struct ident *);	/* NULL is fine */

#endif

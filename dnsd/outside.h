/*
 * Names outside the domain that addresses in the catalog are: an answer
 * follows them where clients may recurse.  What a recursor said becomes a
 * view (VIEW_OUTSIDE), so that it is waited for, kept and dropped like those
 * of the catalog.  Pure.
 *
 * Such a view's name is the host's text, a space, and the type: "a.example a".
 */
#ifndef DNSD_OUTSIDE_H
#define DNSD_OUTSIDE_H

#include "dnsd/view.h"

#define OUTSIDE_TTL_MIN 1	/* seconds that an answer is kept */
#define OUTSIDE_TTL_MAX 3600
#define OUTSIDE_RRS_MAX 32

/* The length of the view's name, or 0: no host has that one, or no address
 * of that type is to be had. */
size_t outside_name(const uint8_t *host, size_t len, uint16_t qtype,
    char out[DNS_NAME_MAX + 8]);
/* A recursor's query for the view of that name; its length, or 0. */
size_t outside_query(const char *name, uint8_t *out, size_t cap);
/*
 * The answer section's addresses and the names that lead there, each an inst
 * with owner (node) and ttl.  NULL: the packet is none, or says that it does
 * not know.  now: seconds since 1970; now_ms: as names_find() is told.
 */
struct view *outside_view(const uint8_t *packet, size_t n, uint32_t now,
    uint64_t now_ms);

#endif

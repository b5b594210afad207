/*
 * What a question asks for: its name taken apart below the domain.  Pure.
 */
#ifndef DNSD_QUESTION_H
#define DNSD_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/dns_packet.h"

/* The names we answer for. */
struct dns_zone {
	uint8_t	domain[DNS_NAME_MAX];	/* wire form, as configured */
	size_t	domain_len;
	uint8_t	alt[DNS_NAME_MAX];
	size_t	alt_len;		/* 0: none */
	uint8_t	dc[DNS_LABEL_MAX + 1];	/* one label with its length */
};
/* 0, or -1: one of them is no name.  alt may be NULL or "". */
int dns_zone_set(struct dns_zone *, const char *domain, const char *alt,
    const char *dc);

enum question_kind {
	Q_FOREIGN,	/* not ours */
	Q_NOTHING,	/* below the domain, but no name we could have */
	Q_SERVICE,	/* name, perhaps tag */
	Q_NODE,		/* name */
	Q_QUERY,	/* name: a prepared query's, its id, or for a template */
	Q_ADDR,		/* addr; addr_len 0: a name without a record */
	Q_REVERSE	/* name is the address as text; "": only part of one */
};
struct question {
	enum question_kind kind;
	/* folded, labels with dots; of another datacenter a space and its
	 * label behind it, for no name that DNS asks for has a space */
	char	 name[DNS_NAME_MAX + 1];
	size_t	 name_len;
	bool	 other_dc;
	char	 tag[DNS_NAME_MAX + 1];		/* folded; "": any */
	size_t	 tag_len;
	uint8_t	 addr[16];
	size_t	 addr_len;
	size_t	 domain_off;	/* where in the name the domain starts */
	bool	 domain_exact;	/* it is the main domain, spelled as ours */
};
void question_read(struct question *, const struct dns_zone *,
    const uint8_t *qname, size_t len, uint16_t qtype);

#endif

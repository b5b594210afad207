/*
 * DNS messages on the wire (RFC 1035, EDNS of RFC 6891): reading a query,
 * walking a response, writing names with compression.  Pure.
 */
#ifndef DNSD_DNS_PACKET_H
#define DNSD_DNS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DNS_HEADER 12
#define DNS_NAME_MAX 255	/* on the wire, with lengths and the root */
#define DNS_LABEL_MAX 63
#define DNS_TEXT_MAX 255	/* of one character-string */
#define DNS_UDP_PLAIN 512	/* without EDNS */
#define DNS_UDP_MAX 4096	/* whatever the client says it can take */
#define DNS_TCP_MAX 65535
#define DNS_RR_FIXED 10		/* type, class, TTL, length of the data */
#define DNS_EXTRA_MAX 16	/* records a query may carry besides itself */

enum dns_type {
	DNS_T_A = 1, DNS_T_NS = 2, DNS_T_CNAME = 5, DNS_T_SOA = 6,
	DNS_T_PTR = 12, DNS_T_TXT = 16, DNS_T_AAAA = 28, DNS_T_SRV = 33,
	DNS_T_OPT = 41, DNS_T_IXFR = 251, DNS_T_AXFR = 252, DNS_T_ANY = 255
};
enum { DNS_C_IN = 1, DNS_C_ANY = 255 };
enum dns_rcode {
	DNS_NOERROR, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP,
	DNS_REFUSED
};
enum {
	DNS_QR = 0x8000, DNS_AA = 0x0400, DNS_TC = 0x0200, DNS_RD = 0x0100,
	DNS_RA = 0x0080, DNS_AD = 0x0020, DNS_CD = 0x0010,
	DNS_OPCODE = 0x7800, DNS_RCODE = 0x000f
};
enum { DNS_BADVERS = 1 };	/* upper bits of 16, in the OPT */
enum { DNS_OPTION_ECS = 8 };	/* client subnet, RFC 7871 */

struct dns_query {
	uint16_t	 id, flags;
	const uint8_t	*qname;		/* into the packet */
	size_t		 qname_len;	/* with the root */
	uint16_t	 qtype, qclass;
	size_t		 question_end;	/* offset behind the question */
	bool		 edns;
	uint16_t	 edns_size;	/* as the client said it */
	uint8_t		 edns_version;
	const uint8_t	*ecs;		/* the option's data, NULL: none */
	size_t		 ecs_len;
};

enum dns_parse {
	DNS_PARSED,
	DNS_DROP,	/* no query at all: not even an error goes back */
	DNS_BAD,	/* FORMERR */
	DNS_UNKNOWN	/* NOTIMP: an opcode we do not have */
};
/* Only with DNS_PARSED everything is set; with BAD and UNKNOWN id, flags. */
enum dns_parse dns_query_parse(struct dns_query *, const uint8_t *, size_t);

/* A response, record by record. */
struct dns_rr {
	uint8_t		 name[DNS_NAME_MAX];	/* owner, expanded */
	size_t		 name_len;
	uint16_t	 type, class;
	uint32_t	 ttl;
	const uint8_t	*data;
	size_t		 data_off, len;
	unsigned	 section;	/* 0 answer, 1 authority, 2 more */
};
struct dns_walk {
	const uint8_t	*p;
	size_t		 n, off;
	uint16_t	 left[3];
	unsigned	 section;
	bool		 bad;		/* ended by an error */
};
/* 0, or -1: not a response with one question. */
int dns_walk_start(struct dns_walk *, const uint8_t *, size_t);
bool dns_walk_next(struct dns_walk *, struct dns_rr *);
/* Expands the name at off.  Offset behind it, or 0 when it is none (a loop,
 * too long, beyond the end). */
size_t dns_name_read(const uint8_t *p, size_t n, size_t off,
    uint8_t out[DNS_NAME_MAX], size_t *len);

/*
 * Text with dots to wire form ("web.service.consul", with or without the last
 * dot).  Its length, or 0 when it is no name (an empty or long label).
 */
size_t dns_name_from_text(const char *, uint8_t out[DNS_NAME_MAX]);
bool dns_name_equal(const uint8_t *, size_t, const uint8_t *, size_t);
uint8_t dns_fold(uint8_t);	/* A-Z to a-z, nothing else */

/*
 * Writing.  What does not fit sets `full` and is left out; dw_rewind() takes
 * back to a mark and clears it.
 */
#define DW_NAMES 24		/* places that a name may be compressed to */
struct dns_writer {
	uint8_t		*p;
	size_t		 len, cap;
	bool		 full, compress;
	uint16_t	 names[DW_NAMES];
	unsigned	 nnames;
};
struct dw_mark { size_t len; unsigned nnames; };

void dw_init(struct dns_writer *, uint8_t *, size_t cap, bool compress);
/* A name, compressed to what was written before; remembers its suffixes. */
void dw_name(struct dns_writer *, const uint8_t *, size_t);
/* The name at off may be pointed to (each suffix of it). */
void dw_remember(struct dns_writer *, size_t off);
struct dw_mark dw_mark(const struct dns_writer *);
void dw_rewind(struct dns_writer *, struct dw_mark);

static inline uint8_t *
dw_room(struct dns_writer *w, size_t n)
{
	uint8_t	*p;

	if (w->full || n > w->cap - w->len) {
		w->full = true;
		return NULL;
	}
	p = w->p + w->len;
	w->len += n;
	return p;
}

static inline void
dns_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
dns_put32(uint8_t *p, uint32_t v)
{
	dns_put16(p, (uint16_t)(v >> 16));
	dns_put16(p + 2, (uint16_t)v);
}

static inline uint16_t
dns_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void
dw_u16(struct dns_writer *w, uint16_t v)
{
	uint8_t	*p;

	if ((p = dw_room(w, 2)) != NULL)
		dns_put16(p, v);
}

static inline void
dw_bytes(struct dns_writer *w, const void *b, size_t n)
{
	uint8_t	*p;

	if ((p = dw_room(w, n)) != NULL && n > 0)
		memcpy(p, b, n);
}

/* Type, class IN, TTL, length of what follows. */
static inline void
dw_fixed(struct dns_writer *w, uint16_t type, uint32_t ttl, uint16_t len)
{
	uint8_t	*p;

	if ((p = dw_room(w, DNS_RR_FIXED)) == NULL)
		return;
	dns_put16(p, type);
	dns_put16(p + 2, DNS_C_IN);
	dns_put32(p + 4, ttl);
	dns_put16(p + 8, len);
}

#endif

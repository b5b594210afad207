/*
 * Inside of answers: one message being put together.  By subject:
 *
 *	answer.c	the message, and what each kind of name is answered with
 *	answer_conf.c	what the configuration says about answers
 *	answer_rr.c	single records
 *	answer_pick.c	which instances, drawn at random, and how many
 *	answer_cname.c	addresses that are names, and where they lead
 *	answer_srv.c	SRV records with their additional section
 */
#ifndef DNSD_ANSWER_I_H
#define DNSD_ANSWER_I_H

#include "dnsd/answer.h"

#define OPT_LEN 11
#define UDP_ANSWERS_MAX 8	/* without EDNS, whatever the limit is */
#define NS_MAX 3
#define CHASE_MAX 3		/* names followed from one address */
#define HOST_GLUE_MAX 8		/* addresses of a target that is a name */
#define WEIGHTED_MAX 64		/* drawn by weight; the rest alike */
#define POINTER_MAX 0x3fff


/* Scratch, as many as the largest view has instances. */
struct answer_slot {
	uint32_t	order;		/* which instance */
	uint32_t	seen;		/* stamps, by the ids of view.h */
	uint32_t	addr_glued, node_glued;
	uint16_t	target_off;	/* of an answered SRV; 0: no pointer */
	bool		glue;
};

enum section { ANSWERS, AUTHORITY, ADDITIONAL, SECTIONS };

struct owner {
	const uint8_t	*name;
	size_t		 len;
	size_t		 off;		/* where the message has it */
};

struct answering {
	struct answerer		*env;
	const struct answer_conf *conf;
	struct dns_query	 q;
	struct question		 question;
	struct dns_writer	 w;
	struct owner		 self;	/* the question's name */
	uint16_t		 count[SECTIONS];
	uint16_t		 flags;
	enum dns_rcode		 rcode;
	bool			 udp, wait, fail, no_opt;
	bool			 bad_version;	/* of EDNS */
	size_t			 limit;
	size_t			 reserved; /* for glue not yet written */
};

/* answer_rr.c: each is false, and has written nothing, when it does not fit;
 * put_txt() when one of its records did not. */
size_t owner_len(const struct answering *, const struct owner *);
void put_owner(struct answering *, const struct owner *);
/* Counts the record written since the mark, or takes it back. */
bool record_done(struct answering *, enum section, struct dw_mark);
bool put_addr(struct answering *, enum section, const struct owner *,
    const struct inst *, unsigned which, uint32_t ttl);
/* *target: where the message has the name, if asked for. */
bool put_named(struct answering *, enum section, const struct owner *,
    uint16_t type, uint32_t ttl, const uint8_t *name, size_t len,
    struct owner *target);
bool put_txt(struct answering *, enum section, struct owner *,
    const struct inst *, uint32_t ttl);
void put_soa(struct answering *, enum section);

/* answer_pick.c */
/* The view, or NULL with what that means noted. */
const struct view *lookup(struct answering *, enum view_kind,
    const char *name, size_t len);
/* At least n slots, under a stamp that none of them has. */
struct answer_slot *slots_for(struct answering *, size_t n);
size_t healthy(const struct answering *, const struct view *);
/* Which of an instance's addresses a question of that type is for. */
unsigned wanted(const struct inst *, uint16_t qtype);
bool follows_names(uint16_t qtype);
size_t candidates(struct answering *, const struct view *,
    const struct question *, uint16_t qtype, bool *any);
/* Draws the k-th of m by random and returns it. */
const struct inst *draw(struct answering *, const struct view *, size_t k,
    size_t m);
/* Did one with that id come before?  It has now. */
bool seen(struct answering *, uint32_t id);
/* How many records this client may get. */
size_t record_limit(const struct answering *, uint16_t qtype);
/* Some were left out, for there are more than this client may get. */
void trimmed(struct answering *);
/* Or for want of room (RFC 2181, 9). */
void cut(struct answering *);
void put_addresses(struct answering *, const struct view *,
    const struct owner *, uint16_t qtype, size_t m, size_t max);

/* answer_cname.c */
/* The owner's address is a name: CNAME, and where that leads if it is ours. */
void put_cname(struct answering *, const struct owner *, const struct inst *,
    uint32_t ttl, unsigned depth);
/* Addresses of an SRV target that is a name: of ours, if we have it ready. */
void host_glue(struct answering *, const struct owner *);

/* answer_srv.c: SRV records of m candidates. */
void put_srvs(struct answering *, const struct view *, size_t m);

#endif

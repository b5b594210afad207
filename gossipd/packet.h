/*
 * The layers around gossip messages: label, encryption, CRC, compression,
 * compound (gossip.md 3.2) on datagrams, and the framing of streams (6.1).
 */
#ifndef GOSSIPD_PACKET_H
#define GOSSIPD_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"
#include "gossipd/codec.h"
#include "gossipd/crypt.h"
#include "gossipd/lzw.h"

#define PACKET_MAX	65536		/* what UDP can carry */
#define PACKET_EXPAND_MAX (1u << 20)	/* a datagram, expanded */
#define PACKET_DEPTH	8		/* compound in compress in ... */
#define PACKET_PARTS	255		/* messages in all of one datagram */
#define COMPOUND_MAX	127		/* memberlist <= 0.2.3 counts in 8 bits */
#define FRAME_MAX	(20u << 20)	/* a stream, as peers have it */
#define FRAME_EXPAND_MAX (40u << 20)
#define FRAME_USER_MAX	65536u		/* user message on a stream */

/* What this end does with layers, and memory to work in. */
struct layers {
	struct keyring	*ring;		/* empty: no encryption; not owned */
	bool		 compress;
	size_t		 compress_min;	/* datagrams below it are not */
	bool		 verify_in, verify_out;
	struct span	 label;		/* nil: none */
	struct lzw	*lzw;
	struct wbuf	 plain, expanded;	/* what came in */
	struct wbuf	 work, packed;		/* what goes out */
	uint64_t	 undecrypted;		/* datagrams and streams */
};

void layers_init(struct layers *, struct keyring *);
void layers_clear(struct layers *);
/* After a large frame: its message is no more, nor the room for it. */
void layers_give_back(struct layers *);
/* Bytes that encryption and label cost each packet. */
size_t layers_overhead(const struct layers *);

/*
 * Takes a datagram apart and calls fn for each message in it (type byte
 * included).  NULL, or why it was dropped (what came before was handed out).
 */
typedef void packet_fn(const uint8_t *msg, size_t n, void *arg);
const char *packet_open(struct layers *, const uint8_t *, size_t, packet_fn *,
    void *arg);
/* Appends the datagram for a message.  -1: it did not fit or no key worked. */
int packet_seal(struct layers *, const uint8_t nonce[CRYPT_NONCE], bool crc,
    const uint8_t *msg, size_t n, struct wbuf *out);

/* Messages gathered for one datagram: bare when alone, else a compound. */
struct compound {
	unsigned	n;
	uint16_t	len[COMPOUND_MAX];
	struct wbuf	body;
};
void compound_init(struct compound *);
void compound_clear(struct compound *);		/* frees */
void compound_reset(struct compound *);
bool compound_add(struct compound *, const void *, size_t);
void compound_encode(const struct compound *, struct wbuf *);

/*
 * A stream's request or answer.  Feed frame_read() all bytes so far, from the
 * first, each time some came; it remembers how far it looked.
 */
enum frame_result { FRAME_MORE, FRAME_DONE, FRAME_BAD };
struct frame {
	bool		 answer;	/* we asked: no label in front */
	/* result: the message, type byte included; valid until the next call
	 * with the same layers, or as long as the bytes fed */
	const uint8_t	*msg;
	size_t		 len;
	const char	*why;		/* FRAME_BAD, in the words of peers */
	/* progress in an unencrypted message without length */
	size_t		 at;
	uint64_t	 nodes_left;
	uint64_t	 user_len;
	bool		 header;
};
void frame_init(struct frame *, bool answer);
enum frame_result frame_read(struct frame *, struct layers *, const uint8_t *,
    size_t);
/* Appends; label only in front of a request. */
int frame_seal(struct layers *, const uint8_t nonce[CRYPT_NONCE], bool answer,
    const uint8_t *msg, size_t n, struct wbuf *out);

uint32_t crc32_ieee(const uint8_t *, size_t);

#endif

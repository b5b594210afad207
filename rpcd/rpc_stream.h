/*
 * Messages on a stream of server RPC: a msgpack header, then one msgpack
 * object as the body.  The end of a message is found by a scanner that goes on
 * where it stopped, so that a big body is looked at once; the body itself is
 * passed on undecoded.
 */
#ifndef RPCD_RPC_STREAM_H
#define RPCD_RPC_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/mp.h"
#include "common/wire.h"

#define RPC_MESSAGE_MAX	(63u << 20)	/* with its header below BODY_MAX */
#define RPC_HEADER_MAX	65536		/* error texts are in it */
#define RPC_METHOD_MAX	256

/* Finds where one msgpack object ends. */
struct mp_scan {
	uint32_t	 want[MP_DEPTH_MAX + 1];	/* elements left */
	unsigned	 depth;
	uint32_t	 skip;		/* bytes of a value left */
	uint8_t		 head[5];	/* of a value, as far as it came */
	uint8_t		 nhead;
	bool		 begun, done;
	size_t		 total;		/* bytes taken so far */
	size_t		 max;
};

enum scan_result { SCAN_MORE, SCAN_DONE, SCAN_BAD };

void mp_scan_init(struct mp_scan *, size_t max);
/* Takes bytes; *used is how many belong to the object. */
enum scan_result mp_scan_feed(struct mp_scan *, const uint8_t *, size_t,
    size_t *used);

struct rpc_header {
	uint64_t	 seq;
	char		*method;
	char		*error;		/* answers; "" : none */
	unsigned	 via;		/* CALL_VIA_ of a request */
};
void rpc_header_clear(struct rpc_header *);

enum rpc_result { RPC_MORE, RPC_MESSAGE, RPC_BAD };

struct rpc_reader {
	struct mp_scan	 scan;
	struct wbuf	 buf;		/* header and body so far */
	size_t		 header_len;	/* 0: still in the header */
};

void rpc_reader_init(struct rpc_reader *);
void rpc_reader_clear(struct rpc_reader *);	/* frees, ready for another */
/*
 * Takes bytes up to the end of one message.  RPC_MESSAGE: header and body can
 * be asked for, and rpc_reader_clear() comes before the next feed.
 */
enum rpc_result rpc_reader_feed(struct rpc_reader *, const uint8_t *, size_t,
    size_t *used);
/* Decodes the header; 0, or -1 when it is none. */
int rpc_reader_header(const struct rpc_reader *, struct rpc_header *);
const uint8_t *rpc_reader_body(const struct rpc_reader *, size_t *len);

/* via: CALL_VIA_, for disco's servers; a header of Consul's has none. */
void rpc_put_request(struct wbuf *, uint64_t seq, const char *method,
    unsigned via);
void rpc_put_answer(struct wbuf *, uint64_t seq, const char *method,
    const char *error);

/*
 * What a method's name says before anybody is asked: NULL, or the error text
 * (in buf) for one that the network may not call or that is none.
 */
const char *rpc_method_refusal(const char *method, char *buf, size_t len);
/* Does a server close the stream after answering this? */
bool rpc_error_closes(const char *error);

#endif

/*
 * Bodies of gossip messages, read and written without a copy: what a decoded
 * body points to lies in the packet.  A body is a list of fields, as in
 * common/schema; the lists are sorted by key, as peers write them.
 */
#ifndef GOSSIPD_CODEC_H
#define GOSSIPD_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

/* Bytes of somebody else's; p == NULL is nil, which is not empty. */
struct span { const uint8_t *p; size_t n; };

struct span span_of(const void *, size_t);
struct span span_str(const char *);
bool span_is(struct span, const char *);
bool span_same(struct span, struct span);

enum body_kind {
	B_BOOL, B_U8, B_U16, B_U32, B_U64, B_I64, B_F64,
	B_STR,		/* span, never nil on the wire */
	B_BYTES,	/* span */
	B_ANY		/* span of one msgpack value as it stands; NULL is nil */
};

struct body_field {
	const char	*name;
	enum body_kind	 kind;
	bool		 opt;		/* left out when zero or empty */
	size_t		 off;
};
struct body {
	const struct body_field	*field;
	size_t			 n;
	size_t			 size;
};

/*
 * Reads one map.  Unknown keys are skipped, missing ones zero, a value of the
 * wrong type or out of range fails the whole.  Check r afterwards.
 */
void body_decode(const struct body *, struct rbuf *r, void *obj);
void body_encode(const struct body *, const void *obj, struct wbuf *);
/* The next value as it stands. */
struct span mp_span(struct rbuf *);

#define BC_BOOL bool
#define BC_U8	uint8_t
#define BC_U16	uint16_t
#define BC_U32	uint32_t
#define BC_U64	uint64_t
#define BC_I64	int64_t
#define BC_F64	double
#define BC_STR	struct span
#define BC_BYTES struct span
#define BC_ANY	struct span

#define BODY_MEMBER(T, kind, member, wire, opt) BC_##kind member;
#define BODY_ROW(T, kind, member, wire, opt)				\
	{ wire, B_##kind, opt, offsetof(struct T, member) },
#define BODY_DECLARE(tag, LIST)						\
	struct tag { LIST(BODY_MEMBER, tag) };				\
	extern const struct body tag##_body;
#define BODY_DEFINE(tag, LIST)						\
	static const struct body_field tag##_fields[] = {		\
		LIST(BODY_ROW, tag)					\
	};								\
	const struct body tag##_body = { tag##_fields,			\
	    sizeof(tag##_fields) / sizeof(tag##_fields[0]),		\
	    sizeof(struct tag) };

/* ---- memberlist ---- */

enum ml_type {
	ML_PING, ML_INDIRECT, ML_ACK, ML_SUSPECT, ML_ALIVE, ML_DEAD,
	ML_PUSHPULL, ML_COMPOUND, ML_USER, ML_COMPRESS, ML_ENCRYPT, ML_NACK,
	ML_CRC, ML_ERROR,
	ML_LABEL = 244
};

#define ML_PING_(F, T)							\
	F(T, STR, node, "Node", false)					\
	F(T, U32, seq, "SeqNo", false)					\
	F(T, BYTES, src_addr, "SourceAddr", true)			\
	F(T, STR, src_node, "SourceNode", true)				\
	F(T, U16, src_port, "SourcePort", true)
BODY_DECLARE(ml_ping, ML_PING_)

#define ML_INDIRECT_(F, T)						\
	F(T, BOOL, nack, "Nack", false)					\
	F(T, STR, node, "Node", false)					\
	F(T, U16, port, "Port", false)					\
	F(T, U32, seq, "SeqNo", false)					\
	F(T, BYTES, src_addr, "SourceAddr", true)			\
	F(T, STR, src_node, "SourceNode", true)				\
	F(T, U16, src_port, "SourcePort", true)				\
	F(T, BYTES, target, "Target", false)
BODY_DECLARE(ml_indirect, ML_INDIRECT_)

#define ML_ACK_(F, T)							\
	F(T, BYTES, payload, "Payload", false)				\
	F(T, U32, seq, "SeqNo", false)
BODY_DECLARE(ml_ack, ML_ACK_)

#define ML_NACK_(F, T)							\
	F(T, U32, seq, "SeqNo", false)
BODY_DECLARE(ml_nack, ML_NACK_)

/* suspect and dead */
#define ML_CLAIM_(F, T)							\
	F(T, STR, from, "From", false)					\
	F(T, U32, inc, "Incarnation", false)				\
	F(T, STR, node, "Node", false)
BODY_DECLARE(ml_claim, ML_CLAIM_)

#define ML_ALIVE_(F, T)							\
	F(T, BYTES, addr, "Addr", false)				\
	F(T, U32, inc, "Incarnation", false)				\
	F(T, BYTES, meta, "Meta", false)				\
	F(T, STR, node, "Node", false)					\
	F(T, U16, port, "Port", false)					\
	F(T, BYTES, vsn, "Vsn", false)
BODY_DECLARE(ml_alive, ML_ALIVE_)

#define ML_HEADER_(F, T)						\
	F(T, BOOL, join, "Join", false)					\
	F(T, U64, nodes, "Nodes", false)				\
	F(T, U64, user_len, "UserStateLen", false)
BODY_DECLARE(ml_header, ML_HEADER_)

#define ML_STATE_(F, T)							\
	F(T, BYTES, addr, "Addr", false)				\
	F(T, U32, inc, "Incarnation", false)				\
	F(T, BYTES, meta, "Meta", false)				\
	F(T, STR, name, "Name", false)					\
	F(T, U16, port, "Port", false)					\
	F(T, I64, state, "State", false)				\
	F(T, BYTES, vsn, "Vsn", false)
BODY_DECLARE(ml_state, ML_STATE_)

#define ML_USER_(F, T)							\
	F(T, U64, len, "UserMsgLen", false)
BODY_DECLARE(ml_user, ML_USER_)

#define ML_COMPRESS_(F, T)						\
	F(T, U8, algo, "Algo", false)					\
	F(T, BYTES, buf, "Buf", false)
BODY_DECLARE(ml_compress, ML_COMPRESS_)

#define ML_ERROR_(F, T)							\
	F(T, STR, error, "Error", false)
BODY_DECLARE(ml_error, ML_ERROR_)

/* ---- Serf ---- */

enum sf_type {
	SF_LEAVE, SF_JOIN, SF_PUSHPULL, SF_EVENT, SF_QUERY, SF_RESPONSE,
	SF_CONFLICT, SF_KEY, SF_KEY_RESPONSE, SF_RELAY
};
enum { SF_FLAG_ACK = 1, SF_FLAG_NO_BROADCAST = 2 };
enum { SF_FILTER_NODES, SF_FILTER_TAG };

#define SF_LEAVE_(F, T)							\
	F(T, U64, ltime, "LTime", false)				\
	F(T, STR, node, "Node", false)					\
	F(T, BOOL, prune, "Prune", false)
BODY_DECLARE(sf_leave, SF_LEAVE_)

#define SF_JOIN_(F, T)							\
	F(T, U64, ltime, "LTime", false)				\
	F(T, STR, node, "Node", false)
BODY_DECLARE(sf_join, SF_JOIN_)

#define SF_PUSHPULL_(F, T)						\
	F(T, U64, event_ltime, "EventLTime", false)			\
	F(T, ANY, events, "Events", false)	/* nil | sf_slot ... */	\
	F(T, U64, ltime, "LTime", false)				\
	F(T, ANY, left, "LeftMembers", false)	/* names */		\
	F(T, U64, query_ltime, "QueryLTime", false)			\
	F(T, ANY, status, "StatusLTimes", false) /* name -> u64 */
BODY_DECLARE(sf_pushpull, SF_PUSHPULL_)

#define SF_SLOT_(F, T)							\
	F(T, ANY, events, "Events", false)	/* sf_past ... */	\
	F(T, U64, ltime, "LTime", false)
BODY_DECLARE(sf_slot, SF_SLOT_)
#define SF_PAST_(F, T)							\
	F(T, STR, name, "Name", false)					\
	F(T, BYTES, payload, "Payload", false)
BODY_DECLARE(sf_past, SF_PAST_)

#define SF_EVENT_(F, T)							\
	F(T, BOOL, cc, "CC", false)					\
	F(T, U64, ltime, "LTime", false)				\
	F(T, STR, name, "Name", false)					\
	F(T, BYTES, payload, "Payload", false)
BODY_DECLARE(sf_event, SF_EVENT_)

#define SF_QUERY_(F, T)							\
	F(T, BYTES, addr, "Addr", false)				\
	F(T, ANY, filters, "Filters", false)				\
	F(T, U32, flags, "Flags", false)				\
	F(T, U32, id, "ID", false)					\
	F(T, U64, ltime, "LTime", false)				\
	F(T, STR, name, "Name", false)					\
	F(T, BYTES, payload, "Payload", false)				\
	F(T, U16, port, "Port", false)					\
	F(T, U8, relay, "RelayFactor", false)				\
	F(T, STR, src_node, "SourceNode", false)			\
	F(T, I64, timeout, "Timeout", false)
BODY_DECLARE(sf_query, SF_QUERY_)

#define SF_TAG_FILTER_(F, T)						\
	F(T, STR, expr, "Expr", false)					\
	F(T, STR, tag, "Tag", false)
BODY_DECLARE(sf_tag_filter, SF_TAG_FILTER_)

#define SF_RESPONSE_(F, T)						\
	F(T, U32, flags, "Flags", false)				\
	F(T, STR, from, "From", false)					\
	F(T, U32, id, "ID", false)					\
	F(T, U64, ltime, "LTime", false)				\
	F(T, BYTES, payload, "Payload", false)
BODY_DECLARE(sf_response, SF_RESPONSE_)

#define SF_MEMBER_(F, T)						\
	F(T, BYTES, addr, "Addr", false)				\
	F(T, U8, dcur, "DelegateCur", false)				\
	F(T, U8, dmax, "DelegateMax", false)				\
	F(T, U8, dmin, "DelegateMin", false)				\
	F(T, STR, name, "Name", false)					\
	F(T, U16, port, "Port", false)					\
	F(T, U8, pcur, "ProtocolCur", false)				\
	F(T, U8, pmax, "ProtocolMax", false)				\
	F(T, U8, pmin, "ProtocolMin", false)				\
	F(T, U8, status, "Status", false)				\
	F(T, ANY, tags, "Tags", false)
BODY_DECLARE(sf_member, SF_MEMBER_)

#define SF_KEY_(F, T)							\
	F(T, BYTES, key, "Key", false)
BODY_DECLARE(sf_key, SF_KEY_)
#define SF_KEY_RESPONSE_(F, T)						\
	F(T, ANY, keys, "Keys", false)		/* base64 texts */	\
	F(T, STR, message, "Message", false)				\
	F(T, STR, primary, "PrimaryKey", false)				\
	F(T, BOOL, result, "Result", false)
BODY_DECLARE(sf_key_response, SF_KEY_RESPONSE_)

#define SF_RELAY_(F, T)							\
	F(T, ANY, dest, "DestAddr", false)	/* sf_dest */		\
	F(T, STR, name, "DestName", false)
BODY_DECLARE(sf_relay, SF_RELAY_)
#define SF_DEST_(F, T)							\
	F(T, BYTES, ip, "IP", false)					\
	F(T, U16, port, "Port", false)					\
	F(T, STR, zone, "Zone", false)
BODY_DECLARE(sf_dest, SF_DEST_)

/* Network coordinate, after a byte 1 in ack payloads; seconds. */
#define SF_COORD_(F, T)							\
	F(T, F64, adjustment, "Adjustment", false)			\
	F(T, F64, error, "Error", false)				\
	F(T, F64, height, "Height", false)				\
	F(T, ANY, vec, "Vec", false)
BODY_DECLARE(sf_coord, SF_COORD_)

#endif

/*
 * What writing and reading snapshots share: the records of Consul's own
 * (snapshot.md 3), a header {LastIndex}, then one type byte and one msgpack
 * object each.
 */
#ifndef CATALOGD_STORE_SNAPSHOT_H
#define CATALOGD_STORE_SNAPSHOT_H

#include "catalogd/store_i.h"

enum record {
	REC_REGISTER = 0,
	REC_KEY = 2,
	REC_SESSION = 3,
	REC_OLD_ACL = 4,
	REC_TOMBSTONE = 5,
	REC_COORDINATES = 6,
	REC_QUERY = 7,
	REC_AUTOPILOT = 9,
	REC_OLD_BOOTSTRAP = 11,
	REC_INTENTION = 12,
	REC_CA_ROOT = 13,
	REC_CA_STATE = 14,
	REC_CA_CONFIG = 15,
	REC_INDEX = 16,
	REC_TOKEN = 17,
	REC_POLICY = 19,
	REC_CONFIG_ENTRY = 22,
	REC_ROLE = 23,
	REC_BINDING_RULE = 25,
	REC_AUTH_METHOD = 27,
	REC_CHUNKING = 29,
	REC_FEDERATION = 30
};

#define SNAP_HEADER(F, T)						\
	F(T, UINT, , last_index, "LastIndex", 0, NULL)
SCHEMA_DECLARE(snap_header, SNAP_HEADER)

#define SNAP_INDEX(F, T)						\
	F(T, STR, , key, "Key", 0, NULL)				\
	F(T, UINT, , value, "Value", 0, NULL)
SCHEMA_DECLARE(snap_index, SNAP_INDEX)

/* The indexes of whole tables, by the names they have in a snapshot. */
struct snap_table {
	const char	*key;
	size_t		 off;		/* in struct store_index */
};
#define SNAP_TABLES 9
extern const struct snap_table snap_tables[SNAP_TABLES];

/* The highest of any table. */
uint64_t store_last_index(struct store *);

static inline uint64_t *
snap_table_index(struct store *s, size_t i)
{
	return (uint64_t *)(void *)((char *)&s->index + snap_tables[i].off);
}

#endif

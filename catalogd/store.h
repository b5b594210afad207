/*
 * What servers keep, as a pure function of a log: the catalog, keys, sessions,
 * prepared queries and what belongs to them, with the index at which each thing
 * that can be watched last changed.  No clock, no random numbers, no I/O: two
 * stores that were fed the same entries are equal.
 *
 * Writing is store_apply() alone.  Reading hands out rows that belong to the
 * store and hold until the next store_apply().
 */
#ifndef CATALOGD_STORE_H
#define CATALOGD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/schema/msg.h"
#include "common/schema/state.h"
#include "common/wire.h"

struct store;

/*
 * First byte of a log entry; the body is the msgpack of the RPC request.  The
 * numbers are those of Consul's log and of its snapshot records.
 */
enum store_entry {
	ENTRY_REGISTER = 0,
	ENTRY_DEREGISTER = 1,
	ENTRY_KV = 2,
	ENTRY_SESSION = 3,
	ENTRY_TOMBSTONE = 5,
	ENTRY_COORDINATES = 6,	/* an array of coordinate_update */
	ENTRY_QUERY = 7,
	ENTRY_TXN = 8,
	ENTRY_AUTOPILOT = 9,
	ENTRY_NOOP = 127
};

/* What can be waited for. */
enum watch_kind {
	WATCH_NODES,		/* any node row */
	WATCH_SERVICES,		/* any service row */
	WATCH_CHECKS,		/* any check row */
	WATCH_COORDINATES,	/* any coordinate */
	WATCH_NODE,		/* a node's row or one of its services */
	WATCH_NODE_CHECKS,	/* a check of a node */
	WATCH_SERVICE,		/* an instance of a service, its node, checks */
	WATCH_SERVICE_CHECKS,	/* a check of a service's instances */
	WATCH_SESSIONS,		/* any session */
	WATCH_SESSION,		/* one of them, by id */
	WATCH_NODE_SESSIONS,	/* those of a node */
	WATCH_QUERIES,		/* any prepared query */
	WATCH_QUERY,		/* one of them, by id */
	/* Names of these are keys, in which case matters. */
	WATCH_KEY,		/* a key */
	WATCH_PREFIX		/* any key that begins so; as a change: all of
				   them went away together */
};

/* What an entry changed.  name is "" for the whole tables. */
struct change {
	enum watch_kind	 kind;
	char		*name;
};
/* A name that DNS answers for came to be or ceased to be. */
struct name_change {
	enum view_kind	 kind;
	char		*name;
	bool		 exists;
};
/* A session that ended held this key; who leads gives nobody the lock before
 * the delay has passed on its clock. */
struct lock_delay {
	char	*key;
	int64_t	 ns;
};
struct changes {
	struct change		*item;
	size_t			 n, cap;
	struct name_change	*name;
	size_t			 nnames, names_cap;
	struct lock_delay	*delay;
	size_t			 ndelays, delays_cap;
	bool			 tombstones;	/* to be reaped some time */
};
void changes_clear(struct changes *);	/* frees, then zeroes */

/*
 * Of one entry.  error is NULL when it was carried out, else the text for the
 * caller; body is the answer of methods that have one (empty: they have none).
 * refused: nothing was changed, though the body says why and not the error.
 */
struct store_answer {
	char		*error;
	struct wbuf	 body;
	bool		 refused;
};
void store_answer_clear(struct store_answer *);

struct store *store_new(void);
void store_free(struct store *);
/*
 * Carries out one entry, wholly or not at all.  Entries at or below the index
 * that was applied last are skipped (a replay may start early).
 */
void store_apply(struct store *, uint64_t index, const uint8_t *entry,
    size_t len, struct store_answer *, struct changes *);
uint64_t store_applied(const struct store *);

/* Entries, made of requests that were checked. */
void store_entry_register(struct wbuf *, const struct register_request *);
void store_entry_deregister(struct wbuf *, const struct deregister_request *);
/* Are all its numbers numbers?  Others are refused, here and in the log. */
bool coordinate_finite(const struct coordinate *);
void store_entry_coordinates(struct wbuf *, const struct coordinate_update *,
    size_t n);
void store_entry_kv(struct wbuf *, const struct kvs_request *);
void store_entry_session(struct wbuf *, const struct session_request *);
void store_entry_tombstone(struct wbuf *, const struct tombstone_request *);
void store_entry_query(struct wbuf *, const struct query_request *);
void store_entry_txn(struct wbuf *, const struct txn_request *);
void store_entry_autopilot(struct wbuf *, const struct autopilot_request *);

/*
 * The whole store as Consul's snapshot records, and back into an empty store:
 * what was applied up to index.  -1 and a reason (which lives as long as the
 * store) when the records do not check out.
 */
void store_dump(const struct store *, struct wbuf *);
int store_restore(struct store *, uint64_t index, const uint8_t *, size_t,
    const char **why);
/* Records of types that nobody knows were left out; of which type the last. */
size_t store_unknown_records(const struct store *, uint8_t *type);

/* ---- reading ---- */

struct store_index {
	uint64_t nodes, services, checks, coordinates;
	uint64_t gone;		/* the last instance of any service vanished */
	uint64_t kvs, tombstones, sessions, queries;
};
const struct store_index *store_index(const struct store *);
/* Of a service's instances, by the rules of rpc.md 6. */
uint64_t store_service_index(const struct store *, const char *service);
size_t store_count_nodes(const struct store *);
size_t store_count_services(const struct store *);	/* instances */
size_t store_count_checks(const struct store *);

/* Rows, or NULL.  Names compare without regard to case. */
const struct node *store_node(const struct store *, const char *node);
const struct node_service *store_service(const struct store *,
    const char *node, const char *service_id);
const struct health_check *store_check(const struct store *,
    const char *node, const char *check_id);

/* What a node last sent for that segment ("" is usual), or NULL. */
const struct coordinate *store_coordinate(const struct store *,
    const char *node, const char *segment);

/* Each in key order; a callback that returns false ends the walk. */
typedef bool store_node_fn(const struct node *, void *arg);
typedef bool store_name_fn(const char *, void *arg);
typedef bool store_service_fn(const struct node *, const struct node_service *,
    void *arg);
typedef bool store_check_fn(const struct node *, const struct health_check *,
    void *arg);
typedef bool store_coord_fn(const struct node *, const char *segment,
    const struct coordinate *, void *arg);
void store_each_node(const struct store *, store_node_fn *, void *arg);
void store_each_name(const struct store *, store_name_fn *, void *arg);
/* All instances of a service; of a node; of everything (both NULL). */
void store_each_service(const struct store *, const char *node,
    const char *service, store_service_fn *, void *arg);
/* All checks of a node (NULL: of all nodes). */
void store_each_check(const struct store *, const char *node,
    store_check_fn *, void *arg);
/* Those of a service's instances, by node and check id. */
void store_each_service_check(const struct store *, const char *service,
    store_check_fn *, void *arg);
/* Those that decide an instance's health: the node's own, then its own. */
void store_each_instance_check(const struct store *, const char *node,
    const char *service_id, store_check_fn *, void *arg);
/* Of a node (NULL: of all). */
void store_each_coordinate(const struct store *, const char *node,
    store_coord_fn *, void *arg);

/* ---- keys ---- */

size_t store_count_keys(const struct store *);
const struct dir_entry *store_key(const struct store *, const char *key);
/* Of the whole table; of the keys that begin so, by the rules of rpc.md 6. */
uint64_t store_keys_index(const struct store *);
uint64_t store_prefix_index(const struct store *, const char *prefix);
/* How much of that key others begin with too: who waits for it to come to be
 * waits for any that begins so. */
size_t store_key_common(const struct store *, const char *key);
typedef bool store_key_fn(const struct dir_entry *, void *arg);
typedef bool store_subkey_fn(const char *key, size_t len, void *arg);
void store_each_key(const struct store *, const char *prefix, store_key_fn *,
    void *arg);
/* Keys up to the first separator past the prefix, each once. */
void store_each_subkey(const struct store *, const char *prefix,
    const char *separator, store_subkey_fn *, void *arg);

/* ---- sessions ---- */

/* NULL: is an id, whether or not there is such a session; else what is wrong
 * with it. */
const char *store_id_error(const char *id);
const struct session *store_session(const struct store *, const char *id);
typedef bool store_session_fn(const struct session *, void *arg);
/* Of a node (NULL: of all), by id. */
void store_each_session(const struct store *, const char *node,
    store_session_fn *, void *arg);

/* ---- prepared queries ---- */

const struct prepared_query *store_query(const struct store *, const char *id);
typedef bool store_query_fn(const struct prepared_query *, void *arg);
void store_each_query(const struct store *, store_query_fn *, void *arg);
/* The id; the name, or of a template "prefix*". */
void query_each_name(const struct prepared_query *, void (*)(enum view_kind,
    const char *, void *), void *arg);
/*
 * The query of that id, of that name, or of the template whose name is the
 * longest beginning of it, filled in, for an agent in that segment.  1: there
 * it is, for the caller to clear; 0: no such query; -1 and an error that the
 * caller frees.
 */
int store_query_resolve(const struct store *, const char *id_or_name,
    const char *segment, struct prepared_query *, char **error);

/* ---- transactions, autopilot ---- */

/* Operations that only read; the caller clears the response. */
void store_txn_read(const struct store *, struct txn_op_vec *,
    struct txn_response *);
/* NULL: never set. */
const struct autopilot_config *store_autopilot(const struct store *);

#endif

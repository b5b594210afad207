/*
 * The catalog as a pure function of a log: nodes, services, checks and
 * coordinates, with the index at which each thing that can be watched last
 * changed.  No clock, no random numbers, no I/O: two stores that were fed the
 * same entries are equal.
 *
 * Writing is store_apply() alone.  Reading (store_query.c) hands out rows that
 * belong to the store and hold until the next store_apply().
 */
#ifndef CATALOGD_STORE_H
#define CATALOGD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/schema/msg.h"
#include "common/schema/rpc.h"
#include "common/wire.h"

struct store;

/*
 * First byte of a log entry; the body is the msgpack of the RPC request.  The
 * numbers are those of Consul's log and of its snapshot records.
 */
enum store_entry {
	ENTRY_REGISTER = 0,
	ENTRY_DEREGISTER = 1,
	ENTRY_COORDINATES = 6,	/* an array of coordinate_update */
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
	WATCH_SERVICE_CHECKS	/* a check of a service's instances */
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
struct changes {
	struct change		*item;
	size_t			 n, cap;
	struct name_change	*name;
	size_t			 nnames, names_cap;
};
void changes_clear(struct changes *);	/* frees, then zeroes */

/* Of one entry: NULL when it was carried out, else the text for the caller. */
struct store_answer {
	char	*error;
};

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
void store_entry_coordinates(struct wbuf *, const struct coordinate_update *,
    size_t n);

/*
 * The whole store as Consul's snapshot records, and back into an empty store:
 * what was applied up to index.  -1 and a reason (static) when the records do
 * not check out.
 */
void store_dump(const struct store *, struct wbuf *);
int store_restore(struct store *, uint64_t index, const uint8_t *, size_t,
    const char **why);

/* ---- reading ---- */

struct store_index {
	uint64_t nodes, services, checks, coordinates;
	uint64_t gone;		/* the last instance of any service vanished */
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

#endif

/*
 * The tables behind store.h, shared by the store_*.c files alone.
 */
#ifndef CATALOGD_STORE_I_H
#define CATALOGD_STORE_I_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "catalogd/store.h"
#include "catalogd/template.h"
#include "catalogd/trie.h"

struct node_row;
struct service_row;
struct service_set;
struct session_row;

/* The indexes that have names: of each kind of service, and those which came
 * with a snapshot and mean nothing here. */
struct named_index {
	RB_ENTRY(named_index)	 entry;
	char			*name;
	uint64_t		 value;
};
RB_HEAD(named_tree, named_index);

struct check_row {
	RB_ENTRY(check_row)	 entry;		/* of its node, by id */
	TAILQ_ENTRY(check_row)	 group_entry;
	struct node_row		*node;
	struct service_row	*service;	/* NULL: the node's own */
	struct health_check	 c;
};
RB_HEAD(check_tree, check_row);
TAILQ_HEAD(check_group, check_row);		/* by id */

struct service_row {
	RB_ENTRY(service_row)	 entry;		/* of its node, by id */
	RB_ENTRY(service_row)	 set_entry;	/* of its name */
	struct node_row		*node;
	struct service_set	*set;
	struct named_index	*kind;
	struct check_group	 checks;
	struct node_service	 s;
};
RB_HEAD(service_tree, service_row);
RB_HEAD(instance_tree, service_row);

/* Everything of one service name. */
struct service_set {
	RB_ENTRY(service_set)	 entry;
	char			*name;
	struct instance_tree	 rows;		/* by node, then id */
	uint64_t		 index;
};
RB_HEAD(set_tree, service_set);

struct coord_row {
	SLIST_ENTRY(coord_row)	 entry;
	char			*segment;
	struct coordinate	 coord;
};
SLIST_HEAD(coord_list, coord_row);		/* by segment */

struct node_row {
	RB_ENTRY(node_row)	 entry;
	RB_ENTRY(node_row)	 id_entry;	/* when it has an ID */
	struct service_tree	 services;
	struct check_tree	 checks;
	struct check_group	 own_checks;	/* not of a service */
	struct coord_list	 coords;
	struct node		 n;
};
RB_HEAD(node_tree, node_row);
RB_HEAD(node_id_tree, node_row);

/* ---- keys ---- */

struct kv_row {
	struct trie_leaf	 leaf;
	LIST_ENTRY(kv_row)	 held_entry;
	struct session_row	*holder;	/* NULL: free, or unknown */
	struct dir_entry	 e;
};

/* A key or prefix that was deleted, so that indexes do not go back. */
struct stone_row {
	struct trie_leaf	 leaf;
	TAILQ_ENTRY(stone_row)	 entry;		/* by index */
	char			 key[];
};
TAILQ_HEAD(stone_list, stone_row);

/* ---- sessions, prepared queries ---- */

struct query_row {
	RB_ENTRY(query_row)	 entry;		/* by id */
	RB_ENTRY(query_row)	 name_entry;	/* when it has a name */
	LIST_ENTRY(query_row)	 bound_entry;
	struct session_row	*bound;		/* NULL: to none */
	struct template		*tmpl;		/* NULL: is none */
	struct prepared_query	 q;
};
RB_HEAD(query_tree, query_row);
RB_HEAD(query_name_tree, query_row);

struct session_row {
	RB_ENTRY(session_row)	 entry;		/* by id */
	RB_ENTRY(session_row)	 node_entry;	/* by node, then id */
	LIST_HEAD(, kv_row)	 held;
	LIST_HEAD(, query_row)	 bound;
	struct session		 s;
};
RB_HEAD(session_tree, session_row);
RB_HEAD(node_session_tree, session_row);

/* A snapshot's record that is kept and written back as it came. */
struct kept_record {
	TAILQ_ENTRY(kept_record) entry;
	uint8_t			 type;
	size_t			 len;
	uint8_t			 body[];
};
TAILQ_HEAD(kept_list, kept_record);

struct store {
	struct node_tree	 nodes;
	struct node_id_tree	 node_ids;
	struct set_tree		 sets;
	struct trie		 keys, stones;
	struct stone_list	 stones_by_index;
	struct session_tree	 sessions;
	struct node_session_tree node_sessions;
	struct query_tree	 queries;
	struct query_name_tree	 query_names;
	struct query_row	*any_query;	/* the template without a name */
	size_t			 ntemplates;
	struct autopilot_config	 autopilot;
	bool			 autopilot_set;
	struct kept_list	 kept;
	struct named_tree	 named;
	struct store_index	 index;
	uint64_t		 applied;
	size_t			 nnodes, nservices, nchecks;
	size_t			 nunknown;	/* records left out, */
	uint8_t			 unknown_type;	/* the last one's type */
	char			 why[256];	/* a restore failed */
};

RB_PROTOTYPE(node_tree, node_row, entry, node_cmp)
RB_PROTOTYPE(node_id_tree, node_row, id_entry, node_id_cmp)
RB_PROTOTYPE(service_tree, service_row, entry, service_cmp)
RB_PROTOTYPE(instance_tree, service_row, set_entry, instance_cmp)
RB_PROTOTYPE(check_tree, check_row, entry, check_cmp)
RB_PROTOTYPE(set_tree, service_set, entry, set_cmp)
RB_PROTOTYPE(named_tree, named_index, entry, named_cmp)
RB_PROTOTYPE(session_tree, session_row, entry, session_cmp)
RB_PROTOTYPE(node_session_tree, session_row, node_entry, node_session_cmp)
RB_PROTOTYPE(query_tree, query_row, entry, query_cmp)
RB_PROTOTYPE(query_name_tree, query_row, name_entry, query_name_cmp)

/* Lookups; NULL is "". */
struct node_row *node_find(const struct store *, const char *name);
struct node_row *node_find_id(const struct store *, const char *id);
struct service_row *service_find(const struct node_row *, const char *id);
struct check_row *check_find(const struct node_row *, const char *id);
struct service_set *set_find(const struct store *, const char *name);
struct kv_row *kv_find(const struct store *, const char *key);
struct session_row *session_find(const struct store *, const char *id);
struct query_row *query_find(const struct store *, const char *id);
/* Found or made. */
struct named_index *named_get(struct store *, const char *name);
/* The first session of a node, the next of the same. */
struct session_row *session_first(const struct store *, const char *node);
struct session_row *session_next(struct session_row *);

/* What a change of one row means for indexes and watchers. */
void changes_add(struct changes *, enum watch_kind, const char *name);
void changes_name(struct changes *, enum view_kind, const char *name,
    bool exists);
void node_touch_services(struct store *, struct node_row *, uint64_t index,
    struct changes *);
void service_touch(struct service_row *, uint64_t index, struct changes *);

/* Rows.  put: takes over what the source holds and leaves it empty; nothing
 * changes, and no index moves, when the row is the same already. */
struct node_row *node_put(struct store *, uint64_t index, struct node *,
    struct changes *);
void node_remove(struct store *, uint64_t index, struct node_row *,
    struct changes *);
struct service_row *service_put(struct store *, uint64_t index,
    struct node_row *, struct node_service *, struct changes *);
void service_remove(struct store *, uint64_t index, struct service_row *,
    struct changes *);
void check_put(struct store *, uint64_t index, struct node_row *,
    struct health_check *, struct changes *);
void check_remove(struct store *, uint64_t index, struct check_row *,
    struct changes *);
/* False: no such node, or no such place. */
bool coordinate_put(struct store *, uint64_t index, const char *node,
    const char *segment, const struct coordinate *, struct changes *);

/*
 * Keys (store_kv.c).  What is put takes over what the source holds and leaves
 * it empty.  The bool says whether it was done; false with *error set: it made
 * no sense.
 */
void kv_set(struct store *, uint64_t index, struct dir_entry *,
    struct changes *);
bool kv_cas(struct store *, uint64_t index, struct dir_entry *,
    struct changes *);
bool kv_lock(struct store *, uint64_t index, struct dir_entry *,
    char **error, struct changes *);
bool kv_unlock(struct store *, uint64_t index, struct dir_entry *,
    char **error, struct changes *);
void kv_delete(struct store *, uint64_t index, const char *key,
    struct changes *);
bool kv_delete_cas(struct store *, uint64_t index, const char *key,
    uint64_t cas, struct changes *);
void kv_delete_tree(struct store *, uint64_t index, const char *prefix,
    struct changes *);
/* A session lets go of a key. */
void kv_release(struct store *, uint64_t index, struct kv_row *,
    struct changes *);
void kv_restore(struct store *, struct dir_entry *);
void stone_restore(struct store *, const char *key, uint64_t index);
void stones_sort(struct store *);
void kv_clear(struct store *);

/* Sessions (store_session.c). */
void session_restore(struct store *, struct session *);
/* Ties keys and queries to the sessions that they name. */
void session_link(struct store *);
void session_end(struct store *, uint64_t index, struct session_row *,
    struct changes *);
/* Those that are bound to that check of a node (NULL: to the node). */
void sessions_end(struct store *, uint64_t index, const char *node,
    const char *check_id, struct changes *);
bool session_has_check(const struct session *, const char *check_id);

/* Prepared queries (store_prepared.c).  False: *error says why. */
bool query_put(struct store *, uint64_t index, struct prepared_query *,
    char **error, struct changes *);
void query_restore(struct store *, struct prepared_query *);
void query_remove(struct store *, uint64_t index, struct query_row *,
    struct changes *);

/* Entries. */
void apply_register(struct store *, uint64_t index, struct register_request *,
    struct store_answer *, struct changes *);
void apply_deregister(struct store *, uint64_t index,
    const struct deregister_request *, struct changes *);
void apply_kv(struct store *, uint64_t index, struct kvs_request *,
    struct store_answer *, struct changes *);
void apply_tombstone(struct store *, uint64_t index,
    const struct tombstone_request *, struct store_answer *);
void apply_session(struct store *, uint64_t index, struct session_request *,
    struct store_answer *, struct changes *);
void apply_query(struct store *, uint64_t index, struct query_request *,
    struct store_answer *, struct changes *);
void apply_txn(struct store *, uint64_t index, struct txn_request *,
    struct store_answer *, struct changes *);
void apply_autopilot(struct store *, uint64_t index,
    struct autopilot_request *, struct store_answer *);

#endif

/*
 * The tables behind store.h, shared by the store_*.c files alone.
 */
#ifndef CATALOGD_STORE_I_H
#define CATALOGD_STORE_I_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "catalogd/store.h"

struct node_row;
struct service_row;
struct service_set;

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

struct store {
	struct node_tree	 nodes;
	struct node_id_tree	 node_ids;
	struct set_tree		 sets;
	struct store_index	 index;
	uint64_t		 applied;
	size_t			 nnodes, nservices, nchecks;
};

RB_PROTOTYPE(node_tree, node_row, entry, node_cmp)
RB_PROTOTYPE(node_id_tree, node_row, id_entry, node_id_cmp)
RB_PROTOTYPE(service_tree, service_row, entry, service_cmp)
RB_PROTOTYPE(instance_tree, service_row, set_entry, instance_cmp)
RB_PROTOTYPE(check_tree, check_row, entry, check_cmp)
RB_PROTOTYPE(set_tree, service_set, entry, set_cmp)

/* Lookups; NULL is "". */
struct node_row *node_find(const struct store *, const char *name);
struct node_row *node_find_id(const struct store *, const char *id);
struct service_row *service_find(const struct node_row *, const char *id);
struct check_row *check_find(const struct node_row *, const char *id);
struct service_set *set_find(const struct store *, const char *name);

/* What a change of one row means for indexes and watchers. */
void changes_add(struct changes *, enum watch_kind, const char *name);
void changes_name(struct changes *, enum view_kind, const char *name,
    bool exists);
void node_touch_services(struct store *, struct node_row *, uint64_t index,
    struct changes *);
void set_touch(struct service_set *, uint64_t index, struct changes *);

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
/* False: no such node. */
bool coordinate_put(struct store *, uint64_t index, const char *node,
    const char *segment, const struct coordinate *, struct changes *);

/* Entries (store_register.c). */
void apply_register(struct store *, uint64_t index, struct register_request *,
    struct store_answer *, struct changes *);
void apply_deregister(struct store *, uint64_t index,
    const struct deregister_request *, struct changes *);

#endif

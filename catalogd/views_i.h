/*
 * Between views.c, which knows what dnsd wants, and views_follow.c, which asks
 * for it.
 */
#ifndef CATALOGD_VIEWS_I_H
#define CATALOGD_VIEWS_I_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "catalogd/views.h"

enum follow_kind {
	FOLLOW_SERVICE, FOLLOW_NODE, FOLLOW_NODES, FOLLOW_ADDR,
	FOLLOW_EXPLAIN, FOLLOW_QUERY
};

struct view;

struct follow {
	TAILQ_ENTRY(follow)	 entry;		/* while it waits */
	struct views		*vs;
	enum follow_kind	 kind;
	struct view		*view;		/* NULL: the list of nodes */
	void			*call;
	bool			 waiting;
	uint64_t		 at, started;
	uint64_t		 index;
	unsigned		 failures;
	bool			 ordered;	/* FOLLOW_QUERY */
};
TAILQ_HEAD(follows, follow);

struct view {
	RB_ENTRY(view)		 entry;
	enum view_kind		 kind;
	char			*name;
	char			*dc;		/* NULL: our own */
	struct follow		*follow;	/* reverse: FOLLOW_ADDR */
	uint64_t		 watchers;	/* bits of workers */
	uint64_t		 sent, failed;	/* who has it, who was told */
	uint64_t		 hash;
};
RB_HEAD(view_tree, view);

struct views {
	struct views_ops	 ops;
	struct rng		 rng;
	char			*dc;
	struct view_tree	 tree;
	size_t			 n, nreverse, max;
	struct follows		 waiting;
	struct follow		*nodes_follow;
	struct indexed_nodes	 nodes;
	bool			 have_nodes;
	bool			 translate;	/* views_translate() */
};

int view_cmp(const struct view *, const struct view *);
RB_PROTOTYPE(view_tree, view, entry, view_cmp)

/* view NULL: the list of nodes. */
struct follow *follow_new(struct views *, enum follow_kind, struct view *);
void follow_free(struct follow *);
void follow_start(struct follow *, uint64_t now);
/* Asks anew, for all of it. */
void follow_again(struct follow *);
/* Tells who was not told yet that there is no answer. */
void view_error(struct views *, struct view *, const char *error);
/* A reverse name by the list of nodes. */
void reverse_update(struct views *, struct view *);

#endif

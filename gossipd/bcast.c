/*
 * Broadcast queues as trees: by number of transmissions, then longest first,
 * then newest first, so that the next that fits is one look-up.
 */
#include <stdlib.h>
#include <string.h>
#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "common/util.h"
#include "gossipd/bcast.h"

struct entry {
	RB_ENTRY(entry)		 by_order, by_name;
	SLIST_ENTRY(entry)	 taken;
	uint64_t		 serial;
	unsigned		 sent;
	uint32_t		 name;
	bool			 watched;
	size_t			 len;
	const uint8_t		*msg;	/* behind the struct */
};

static int
order_cmp(const struct entry *a, const struct entry *b)
{
	if (a->sent != b->sent)
		return a->sent < b->sent ? -1 : 1;
	if (a->len != b->len)
		return a->len > b->len ? -1 : 1;
	if (a->serial != b->serial)
		return a->serial > b->serial ? -1 : 1;
	return 0;
}

static int
name_cmp(const struct entry *a, const struct entry *b)
{
	return a->name < b->name ? -1 : a->name > b->name;
}

RB_HEAD(order_tree, entry);
RB_HEAD(name_tree, entry);
#define TREE static __attribute__((unused))
RB_PROTOTYPE_INTERNAL(order_tree, entry, by_order, order_cmp, TREE);
RB_PROTOTYPE_INTERNAL(name_tree, entry, by_name, name_cmp, TREE);
RB_GENERATE_INTERNAL(order_tree, entry, by_order, order_cmp, TREE);
RB_GENERATE_INTERNAL(name_tree, entry, by_name, name_cmp, TREE);

struct queue {
	struct order_tree	order;
	struct name_tree	names;
	size_t			n;
};

struct bcast {
	struct queue	q[BC_MAX];
	uint64_t	serial;
	unsigned	watched;
};

struct bcast *
bcast_new(void)
{
	struct bcast	*b = xcalloc(1, sizeof(*b));
	int		 i;

	for (i = 0; i < BC_MAX; i++) {
		RB_INIT(&b->q[i].order);
		RB_INIT(&b->q[i].names);
	}
	return b;
}

static void
entry_drop(struct bcast *b, struct queue *q, struct entry *e)
{
	RB_REMOVE(order_tree, &q->order, e);
	if (e->name != BCAST_NAMELESS)
		RB_REMOVE(name_tree, &q->names, e);
	if (e->watched)
		b->watched--;
	q->n--;
	free(e);
}

void
bcast_free(struct bcast *b)
{
	struct entry	*e;
	int		 i;

	if (b == NULL)
		return;
	for (i = 0; i < BC_MAX; i++)
		while ((e = RB_ROOT(&b->q[i].order)) != NULL)
			entry_drop(b, &b->q[i], e);
	free(b);
}

static void
queue_forget(struct bcast *b, struct queue *q, uint32_t name)
{
	struct entry	key = { .name = name }, *e;

	if ((e = RB_FIND(name_tree, &q->names, &key)) != NULL)
		entry_drop(b, q, e);
}

void
bcast_add(struct bcast *b, enum bcast_kind kind, uint32_t name, bool watched,
    const uint8_t *msg, size_t n)
{
	struct queue	*q = &b->q[kind];
	struct entry	*e;

	if (name != BCAST_NAMELESS)
		queue_forget(b, q, name);
	e = xcalloc(1, sizeof(*e) + n);
	memcpy(e + 1, msg, n);
	e->msg = (const uint8_t *)(e + 1);
	e->len = n;
	e->name = name;
	e->serial = ++b->serial;
	e->watched = watched;
	b->watched += watched;
	RB_INSERT(order_tree, &q->order, e);
	if (name != BCAST_NAMELESS)
		RB_INSERT(name_tree, &q->names, e);
	q->n++;
}

void
bcast_forget(struct bcast *b, uint32_t name)
{
	queue_forget(b, &b->q[BC_MEMBER], name);
}

static size_t
queue_take(struct bcast *b, struct queue *q, unsigned limit, size_t room,
    struct compound *c)
{
	SLIST_HEAD(, entry)	 taken = SLIST_HEAD_INITIALIZER(taken);
	struct entry		*e, key = { 0 };

	e = RB_MIN(order_tree, &q->order);
	while (e != NULL && room > PART_COST) {
		/* The longest of this tier that fits, or the next tier. */
		key.sent = e->sent;
		key.len = room - PART_COST;
		key.serial = UINT64_MAX;
		if ((e = RB_NFIND(order_tree, &q->order, &key)) == NULL)
			break;
		if (e->sent != key.sent)
			continue;
		if (!compound_add(c, e->msg, e->len))
			break;
		room -= e->len + PART_COST;
		RB_REMOVE(order_tree, &q->order, e);
		SLIST_INSERT_HEAD(&taken, e, taken);
		if ((e = RB_NFIND(order_tree, &q->order, &key)) == NULL)
			break;
	}
	while ((e = SLIST_FIRST(&taken)) != NULL) {
		SLIST_REMOVE_HEAD(&taken, taken);
		e->sent++;
		RB_INSERT(order_tree, &q->order, e);
		if (e->sent >= limit)
			entry_drop(b, q, e);
	}
	return room;
}

void
bcast_take(struct bcast *b, unsigned limit, size_t room, struct compound *c)
{
	int	i;

	for (i = 0; i < BC_MAX; i++)
		room = queue_take(b, &b->q[i], limit, room, c);
}

size_t
bcast_count(const struct bcast *b, enum bcast_kind kind)
{
	return b->q[kind].n;
}

bool
bcast_empty(const struct bcast *b)
{
	int	i;

	for (i = 0; i < BC_MAX; i++)
		if (b->q[i].n > 0)
			return false;
	return true;
}

unsigned
bcast_watched(const struct bcast *b)
{
	return b->watched;
}

void
bcast_prune(struct bcast *b, enum bcast_kind kind, size_t max)
{
	struct queue	*q = &b->q[kind];

	while (q->n > max)
		entry_drop(b, q, RB_MAX(order_tree, &q->order));
}

/*
 * Which names there are, what is known of each, and who waits for it.  Pure:
 * time is an argument, messages go out through ops.
 *
 *	find() ---> a view                         FOUND_VIEW
 *	       ---> the list says no, or we know   FOUND_NONE
 *	       ---> WATCH, park the query          FOUND_WAIT
 *	VIEW   ---> parked queries are tried again
 *	5 s    ---> parked queries are given up    (SERVFAIL)
 *	60 s without a question ---> UNWATCH, the view is dropped
 *
 * On a server catalogd sends the list of all names, and what is not in it does
 * not exist.  On an agent every unknown name is asked for, a limited number at
 * a time, and one that does not exist is remembered for a second.
 *
 * Of prepared queries the list has names and ids, and of templates what names
 * begin with ("prefix*").  Names of another datacenter ("web dc2") are in no
 * list: each is asked for.
 *
 * While catalogd is away, views and list stay as they are.  A view that nobody
 * confirms, and one that was not followed any more, serve for as long as
 * names_stale() says when nobody knows better.
 */
#ifndef DNSD_NAMES_H
#define DNSD_NAMES_H

#include <bsd/sys/queue.h>

#include "common/schema/msg.h"
#include "dnsd/answer.h"

#define NAMES_WAIT_MS 5000	/* a query waits that long for its view */
#define NAMES_IDLE_MS 60000	/* a view nobody asks for is dropped */
#define NAMES_NONE_MS 1000	/* an agent remembers "no such name" */
#define NAMES_UNKNOWN_MAX 256	/* names asked for and not yet answered */
#define NAMES_WATCH_MAX 65536	/* views followed at once */
#define NAMES_NONE_MAX 4096	/* names remembered not to exist */
#define NAMES_PARKED_MAX 4096	/* queries waiting at once */
#define NAMES_KEPT_MAX 65536	/* views of before */
#define NAMES_KEPT_BYTES (64u << 20) /* of messages, to have them on disk */
#define NAMES_STALE_MS 1500	/* then a view of before is served */
#define NAMES_TICK_MS 500	/* how late a waiting query may be told */
#define NAMES_SWEEP_MS 5000	/* how late an idle view may be dropped */

/* Where an answer goes. */
struct origin {
	bool		 udp;
	uint32_t	 socket;	/* UDP: which one; TCP: its slot */
	uint64_t	 conn;		/* TCP: which one had that slot */
	uint8_t		 addr[28];	/* UDP: struct sockaddr_in or _in6 */
	uint8_t		 addr_len;
	uint8_t		 local_len;	/* UDP: from which of our addresses */
	uint8_t		 local[16];
	uint32_t	 ifindex;
};

struct parked {
	TAILQ_ENTRY(parked)	 name_entry, age_entry;
	struct name		*name;
	uint64_t		 deadline;
	struct origin		 origin;
	size_t			 len;
	uint8_t			 query[];
};
TAILQ_HEAD(parked_list, parked);

struct names_ops {
	void	(*watch)(enum view_kind, const char *name, void *arg);
	void	(*unwatch)(enum view_kind, const char *name, void *arg);
	/* Try again, or with `failed` answer that it cannot be answered.
	 * The parked query is freed afterwards. */
	void	(*wake)(const struct parked *, bool failed, void *arg);
};

struct names;
struct names *names_new(const struct names_ops *, void *arg, uint64_t seed);
void names_free(struct names *);

enum found names_find(struct names *, enum view_kind, const char *name,
    size_t len, uint64_t now, const struct view **);
/*
 * Keeps a query until the name that names_find() last said FOUND_WAIT for is
 * known.  deadline 0: NAMES_WAIT_MS from now.  -1: too many wait already.
 */
int names_park(struct names *, const struct origin *, const uint8_t *, size_t,
    uint64_t now, uint64_t deadline);

/* The list: everything between begin and end, then single changes. */
void names_begin(struct names *, bool decides);
void names_set(struct names *, enum view_kind, const char *name, bool exists);
void names_end(struct names *);
/* The link to catalogd is up again: ask for everything once more. */
void names_resync(struct names *);

/* The link is down: nothing is confirmed any more. */
void names_unlinked(struct names *, uint64_t now);

/* ---- views of before ---- */

/* How long a view serves that nobody confirms.  At first: for ever. */
void names_stale(struct names *, uint64_t ms);
/* A view of age_ms ago.  Takes it. */
void names_keep(struct names *, enum view_kind, const char *name,
    struct view *, uint64_t age_ms, uint64_t now);
/* It is to be told again. */
void names_changed(struct names *);
/* Each view that may be kept, as its message, and since when it is unsure.
 * False: nothing has changed since the last time, and none was told. */
bool names_each_kept(struct names *, uint64_t now, void (*)(const uint8_t *raw,
    size_t len, uint64_t age_ms, void *arg), void *arg);

/*
 * A VIEW came.  Takes view (NULL: the name does not exist).  -1: nobody
 * watches that name (any more); the view is freed.
 */
int names_view(struct names *, enum view_kind, const char *name,
    struct view *view, uint64_t now);
/* catalogd cannot say: whoever waits is told, a view stays as it is. */
void names_failed(struct names *, enum view_kind, const char *name,
    uint64_t now);
/* Is it watched? */
bool names_watched(struct names *, enum view_kind, const char *name);
/* Is something known that may be answered? */
bool names_has_view(struct names *, enum view_kind, const char *name);
void names_tick(struct names *, uint64_t now);
/* Milliseconds until names_tick() should be called, 0: when a watch starts. */
uint64_t names_due(const struct names *);

/* Each view, to set what depends on the configuration. */
void names_each(struct names *, void (*)(enum view_kind, const char *name,
    struct view *, void *arg), void *arg);

/* Is the list exact, and each name on it. */
bool names_decides(const struct names *);
void names_listed(struct names *, void (*)(enum view_kind, const char *name,
    void *arg), void *arg);

struct names_stats {
	size_t	listed, views, waiting, parked;
};
void names_stats(const struct names *, struct names_stats *);

#endif

/*
 * Inside of names: the entry and the table (names.c), the list of names
 * (names_list.c), time and views of before (names_time.c).
 */
#ifndef DNSD_NAMES_I_H
#define DNSD_NAMES_I_H

#include "dnsd/names.h"

enum name_state {
	NAME_IDLE,	/* listed, nothing more */
	NAME_WAITING,	/* WATCH sent, no VIEW yet */
	NAME_LIVE,	/* followed: the view is current, or was */
	NAME_KEPT,	/* not followed: the last view, for bad times */
	NAME_NONE	/* known not to exist, for NAMES_NONE_MS */
};

struct name {
	struct name		*next;		/* in its bucket */
	TAILQ_ENTRY(name)	 entry;		/* in the list of its state */
	struct view		*view;		/* NAME_LIVE */
	struct parked_list	 parked;
	uint64_t		 used;		/* when it was last asked for */
	uint64_t		 asked;		/* when WATCH went out */
	uint64_t		 unsure;	/* since when nobody confirms the
						   view; 0: it is current */
	uint64_t		 aged;		/* ms it was unsure before */
	bool			 old;		/* it was not followed all along */
	uint64_t		 hash;
	enum view_kind		 kind;
	enum name_state		 state;
	uint32_t		 list;		/* the list it was last in */
	uint16_t		 len;
	bool			 failed;	/* NONE: nobody could say */
	char			 text[];	/* folded, NUL, listed, NUL */
};
TAILQ_HEAD(name_list, name);

struct names {
	struct name		**bucket;
	size_t			  nbuckets, n;
	struct name_list	  live, none, waiting, kept;
	size_t			  nlive, nnone, nwaiting, nkept;
	size_t			  nlisted, nparked;
	size_t			  ntemplates;	/* "prefix*" in the list */
	uint64_t		  stale_ms;	/* a view serves unconfirmed */
	size_t			  raw_bytes;	/* of views that may be kept */
	bool			  linked;	/* catalogd is there */
	bool			  changed;	/* what names_each_kept() has */
	struct parked_list	  age;		/* oldest first */
	struct name		 *wanted;	/* of the last FOUND_WAIT */
	bool			  decides;	/* the list is exact */
	bool			  coming;	/* between begin and end */
	bool			  will_decide;	/* the one that comes is */
	uint64_t		  swept;	/* when live was gone through */
	uint32_t		  list;		/* number of the current one */
	uint64_t		  seed;
	const struct names_ops	 *ops;
	void			 *arg;
};

/* names.c */
struct name *table_get(const struct names *, enum view_kind, const char *,
    size_t len);
/* A new entry; spelled is the name as it is to be asked for. */
struct name *table_add(struct names *, enum view_kind, const char *folded,
    size_t len, const char *spelled);
struct name *name_by_text(struct names *, enum view_kind, const char *);
/* Folded, its length, or 0: no question can name it. */
size_t name_fold(const char *, char out[DNS_NAME_MAX + 1]);
void name_set_state(struct names *, struct name *, enum name_state);
/* Takes the view. */
void name_set_view(struct names *, struct name *, struct view *);
/* Frees the entry if nothing holds it any more. */
void name_release(struct names *, struct name *);
void name_stop_watch(struct names *, struct name *, enum name_state);
void name_unpark(struct names *, struct parked *, bool failed);
void name_wake_all(struct names *, struct name *, bool failed);

/* names_list.c */
bool name_listed(const struct names *, const struct name *);
/* The list is complete, and it has neither the name nor a template for it. */
bool names_deny(const struct names *, enum view_kind, const struct name *,
    const char *name, size_t len);

/* names_time.c */
/* May the view be answered with now? */
bool name_usable(const struct names *, const struct name *, uint64_t now);
/* Has it been unconfirmed for longer than a view may serve? */
bool name_too_old(const struct names *, const struct name *, uint64_t now);
/* Nobody confirms the view since now. */
void name_unsure(struct names *, struct name *, uint64_t now);

#endif

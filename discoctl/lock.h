/*
 * A lock, or a semaphore of several holders, in the keys below a prefix, as
 * Consul's command and library use them: both kinds of client may compete.
 *
 *	lock		PREFIX/.lock is acquired by a session
 *	semaphore	each contender acquires PREFIX/SESSION; who holds is a
 *			list in PREFIX/.lock that is changed by compare and swap
 */
#ifndef DISCOCTL_LOCK_H
#define DISCOCTL_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "discoctl/ctl.h"

struct lock {
	struct ctl	*ctl;
	const char	*prefix;
	const char	*name;		/* of its session */
	uint64_t	 limit;		/* of holders; 1: a lock */
	char		*key;		/* PREFIX/.lock */
	char		*session;
	uint64_t	 renewed_ms;
	unsigned long long index;	/* of what was read last */
};

enum lock_state {
	LOCK_OURS,
	LOCK_WAIT,	/* somebody else's */
	LOCK_FAILED	/* said why */
};

/* With a session of its own.  -1: said why not. */
int lock_open(struct lock *);
/* Tries to get it, waiting at most so long for a change. */
enum lock_state lock_try(struct lock *, unsigned wait_s);
/* Is it ours still?  Waits at most so long for a change.  */
enum lock_state lock_watch(struct lock *, unsigned wait_s);
/* Lets go of it, and ends the session.  True: nobody wanted it, and the key is
 * gone too. */
bool lock_close(struct lock *, bool held);
uint64_t lock_now_ms(void);

#endif

/*
 * A tree of addresses.  One without connections is kept until its lines may
 * flow freely again, GONE_MAX of them at most; then the oldest goes.
 */
#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "rpcd/peers.h"

#define LINES_AT_ONCE	5
#define LINE_MS		60000		/* and then one in so long */
#define GONE_MAX	1024

struct peer {
	RB_ENTRY(peer)		 by_addr;
	TAILQ_ENTRY(peer)	 entry;		/* without connections */
	uint8_t			 addr[16];
	size_t			 naddr;
	size_t			 nconns, ncalls;
	unsigned		 lines;		/* may be logged still */
	uint64_t		 since_ms;	/* more of them were given */
	uint64_t		 hidden;
};
RB_HEAD(peer_tree, peer);

struct peers {
	struct peer_tree	 tree;
	TAILQ_HEAD(, peer)	 gone;		/* the oldest first */
	size_t			 ngone;
	size_t			 window, ncalls;
};

static int
peer_cmp(const struct peer *a, const struct peer *b)
{
	if (a->naddr != b->naddr)
		return a->naddr < b->naddr ? -1 : 1;
	return memcmp(a->addr, b->addr, a->naddr);
}

/* RB_GENERATE_STATIC needs an __unused that glibc has not. */
RB_GENERATE_INTERNAL(peer_tree, peer, by_addr, peer_cmp,
    static __attribute__((unused)))

struct peers *
peers_new(size_t window)
{
	struct peers	*ps = xcalloc(1, sizeof(*ps));

	RB_INIT(&ps->tree);
	TAILQ_INIT(&ps->gone);
	ps->window = window;
	return ps;
}

void
peers_free(struct peers *ps)
{
	struct peer	*p;

	if (ps == NULL)
		return;
	while ((p = RB_ROOT(&ps->tree)) != NULL) {
		RB_REMOVE(peer_tree, &ps->tree, p);
		free(p);
	}
	free(ps);
}

void
peers_set_window(struct peers *ps, size_t window)
{
	ps->window = window;
}

static struct peer *
peer_find(const struct peers *ps, const struct sockaddr_storage *addr,
    struct peer *key)
{
	memset(key, 0, sizeof(*key));
	key->naddr = addr_to_bytes(addr, key->addr);
	return RB_FIND(peer_tree, (struct peer_tree *)(uintptr_t)&ps->tree,
	    key);
}

static void
gone_remove(struct peers *ps, struct peer *p)
{
	TAILQ_REMOVE(&ps->gone, p, entry);
	ps->ngone--;
}

struct peer *
peer_came(struct peers *ps, const struct sockaddr_storage *addr)
{
	struct peer	 key, *p;

	if ((p = peer_find(ps, addr, &key)) == NULL) {
		p = xcalloc(1, sizeof(*p));
		memcpy(p->addr, key.addr, sizeof(p->addr));
		p->naddr = key.naddr;
		p->lines = LINES_AT_ONCE;
		RB_INSERT(peer_tree, &ps->tree, p);
	} else if (p->nconns == 0)
		gone_remove(ps, p);
	p->nconns++;
	return p;
}

void
peer_left(struct peers *ps, struct peer *p)
{
	if (--p->nconns > 0)
		return;
	TAILQ_INSERT_TAIL(&ps->gone, p, entry);
	ps->ngone++;
	/* Nothing was said of most. */
	if (p->lines < LINES_AT_ONCE && ps->ngone <= GONE_MAX)
		return;
	if (p->lines < LINES_AT_ONCE)
		p = TAILQ_FIRST(&ps->gone);
	gone_remove(ps, p);
	RB_REMOVE(peer_tree, &ps->tree, p);
	free(p);
}

size_t
peers_conns(const struct peers *ps, const struct sockaddr_storage *addr)
{
	struct peer	 key, *p;

	p = peer_find(ps, addr, &key);
	return p == NULL ? 0 : p->nconns;
}

bool
peer_call_begin(struct peers *ps, struct peer *p)
{
	if (ps->ncalls >= ps->window || p->ncalls >= ps->window - ps->ncalls)
		return false;
	p->ncalls++;
	ps->ncalls++;
	return true;
}

void
peer_call_end(struct peers *ps, struct peer *p)
{
	p->ncalls--;
	ps->ncalls--;
}

bool
peer_may_log(struct peer *p, uint64_t now_ms, uint64_t *hidden)
{
	uint64_t	 more;

	more = p->since_ms == 0 ? 0 : (now_ms - p->since_ms) / LINE_MS;
	if (more > 0 || p->since_ms == 0) {
		p->since_ms = p->since_ms == 0 ? now_ms :
		    p->since_ms + more * LINE_MS;
		p->lines = more >= LINES_AT_ONCE - p->lines ? LINES_AT_ONCE :
		    p->lines + (unsigned)more;
	}
	if (p->lines == 0) {
		p->hidden++;
		return false;
	}
	p->lines--;
	*hidden = p->hidden;
	p->hidden = 0;
	return true;
}

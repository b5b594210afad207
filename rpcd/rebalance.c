/*
 * Rebalancing: a shuffled order, Status.Ping to its first, the next when that
 * one fails; when none answers the old order stays.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "rpcd/rebalance.h"

#define PING_LIMIT_MS	10000

struct rebalance {
	struct ev		*ev;
	struct pool		*pool;
	struct servers		*servers;
	struct rng		 rng;
	struct ev_timer		*timer;		/* the next run, or a limit */
	struct strs		 order;
	size_t			 tried;
	struct pool_call	*ping;		/* NULL: between runs */
};

static void	 ping_next(struct rebalance *);

static void
run_end(struct rebalance *b)
{
	strs_clear(&b->order);
	ev_timer_set(b->timer, servers_rebalance_ms(b->servers, &b->rng));
}

/* The first becomes the last. */
static void
rotate(struct strs *s)
{
	char	*first = s->item[0];

	memmove(s->item, s->item + 1, (s->n - 1) * sizeof(*s->item));
	s->item[s->n - 1] = first;
}

static void
ping_failed(struct rebalance *b)
{
	rotate(&b->order);
	b->tried++;
	ping_next(b);
}

static void
on_pong(enum pool_result res, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct rebalance	*b = arg;

	(void)body;
	(void)len;
	b->ping = NULL;
	if (res == POOL_OK) {
		servers_adopt(b->servers, &b->order);
		log_debug("servers: %s is first now", b->order.item[0]);
		run_end(b);
		return;
	}
	log_debug("server %s: no answer to ping: %s", b->order.item[0], error);
	ping_failed(b);
}

static void
ping_next(struct rebalance *b)
{
	const struct server_id	*id = NULL;
	static const uint8_t	 empty = 0x80;

	for (; b->tried < b->order.n; b->tried++) {
		if ((id = servers_find(b->servers, b->order.item[0])) != NULL)
			break;
		rotate(&b->order);
	}
	if (id == NULL) {
		run_end(b);
		return;
	}
	b->ping = pool_call(b->pool, id, "Status.Ping", 0, &empty, 1, on_pong,
	    b);
	ev_timer_set(b->timer, PING_LIMIT_MS);
}

static void
on_timer(void *arg)
{
	struct rebalance	*b = arg;

	if (b->ping != NULL) {
		pool_cancel(b->ping);
		b->ping = NULL;
		ping_failed(b);
		return;
	}
	servers_shuffled(b->servers, &b->rng, &b->order);
	b->tried = 0;
	ping_next(b);
}

struct rebalance *
rebalance_new(struct ev *ev, struct pool *pool, struct servers *servers)
{
	struct rebalance	*b = xcalloc(1, sizeof(*b));

	b->ev = ev;
	b->pool = pool;
	b->servers = servers;
	rng_seed_os(&b->rng);
	b->timer = ev_timer_new(ev, on_timer, b);
	run_end(b);
	return b;
}

void
rebalance_free(struct rebalance *b)
{
	if (b == NULL)
		return;
	if (b->ping != NULL)
		pool_cancel(b->ping);
	ev_timer_free(b->timer);
	strs_clear(&b->order);
	free(b);
}

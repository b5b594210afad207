/*
 * Sending this node's coordinate.  See coord_send.h; the schedule is Consul's:
 * every max(15 s, members / 64 s), and up to as much again at random.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/coord_send.h"

#define INTERVAL_MIN_MS	15000
#define RATE_PER_S	64	/* of the whole cluster */

struct coord_send {
	struct agent		*agent;
	struct coord_send_ops	 ops;
	struct rng		 rng;
	size_t			 members;
	uint64_t		 at;	/* AGENT_NEVER: one is under way */
	bool			 failed;	/* the last one, as was said */
	bool			 stopped;
};

static void
schedule(struct coord_send *s, uint64_t now)
{
	uint64_t	 ms = s->members * 1000 / RATE_PER_S;

	if (ms < INTERVAL_MIN_MS)
		ms = INTERVAL_MIN_MS;
	if (ms > UINT32_MAX / 2)
		ms = UINT32_MAX / 2;
	s->at = now + ms + rng_below(&s->rng, (uint32_t)ms);
}

struct coord_send *
coord_send_new(struct agent *a, const struct coord_send_ops *ops, uint64_t now,
    uint64_t seed)
{
	struct coord_send	*s = xcalloc(1, sizeof(*s));

	s->agent = a;
	s->ops = *ops;
	rng_seed(&s->rng, seed);
	schedule(s, now);
	return s;
}

void
coord_send_free(struct coord_send *s)
{
	free(s);
}

void
coord_send_members(struct coord_send *s, size_t n)
{
	s->members = n;
}

uint64_t
coord_send_run(struct coord_send *s, uint64_t now)
{
	if (s->at == AGENT_NEVER || now < s->at)
		return s->at;
	s->at = AGENT_NEVER;
	s->ops.ask(s->ops.arg);
	return s->at;
}

void
coord_send_got(struct coord_send *s, const struct coordinate *c, uint64_t now)
{
	const struct conf_catalog	*cat = &s->agent->cat;
	struct coordinate_update	 u;

	if (s->stopped)
		return;
	/* Turned off (disable_coordinates), or gossipd is away. */
	if (c == NULL) {
		schedule(s, now);
		return;
	}
	memset(&u, 0, sizeof(u));
	u.datacenter = s->agent->conf.datacenter;
	u.node = s->agent->conf.node_name;
	u.coord = *c;
	u.token = str_empty(cat->token_agent) ? cat->token_default :
	    cat->token_agent;
	s->ops.send(&u, s->ops.arg);
}

void
coord_send_done(struct coord_send *s, const char *error, uint64_t now)
{
	char	 text[512];

	if (s->stopped)
		return;
	schedule(s, now);
	if (error != NULL && !s->failed) {
		snprintf(text, sizeof(text), "coordinate: not sent: %.400s",
		    error);
		s->ops.log(true, text, s->ops.arg);
	} else if (error == NULL && s->failed)
		s->ops.log(false, "coordinate: sent again", s->ops.arg);
	s->failed = error != NULL;
}

void
coord_send_stop(struct coord_send *s)
{
	s->stopped = true;
	s->at = AGENT_NEVER;
}

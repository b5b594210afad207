/*
 * Looking at libraft's core: who leads, how far it is, who is a member.
 */
#include "catalogd/raft_core_i.h"

#include <string.h>

enum rcore_state
rcore_state(const struct rcore *c)
{
	return c->core.state == RAFT_LEADER ? RCORE_LEADER :
	    c->core.state == RAFT_CANDIDATE ? RCORE_CANDIDATE : RCORE_FOLLOWER;
}

bool
rcore_in_office(const struct rcore *c)
{
	return c->core.state == RAFT_LEADER && c->applied >= c->office_at;
}

uint64_t
rcore_term(const struct rcore *c)
{
	return c->core.current_term;
}

uint64_t
rcore_last_index(const struct rcore *c)
{
	return raft_last_index((struct raft *)(uintptr_t)&c->core);
}

uint64_t
rcore_commit(const struct rcore *c)
{
	return c->core.commit_index;
}

uint64_t
rcore_applied(const struct rcore *c)
{
	return c->applied;
}

uint64_t
rcore_applied_term(const struct rcore *c)
{
	return c->applied_term;
}

uint64_t
rcore_leader(const struct rcore *c)
{
	if (c->core.state == RAFT_LEADER)
		return c->conf.id;
	return c->core.state == RAFT_FOLLOWER ?
	    c->core.follower_state.current_leader.id : 0;
}

uint64_t
rcore_leader_heard(const struct rcore *c)
{
	return c->leader_heard;
}

size_t
rcore_pending(const struct rcore *c)
{
	uint64_t last = rcore_last_index(c);

	return rcore_slots_count(&c->batch) +
	    (last > c->applied ? (size_t)(last - c->applied) : 0);
}

unsigned
rcore_nservers(const struct rcore *c)
{
	return c->core.configuration.n;
}

void
rcore_server(const struct rcore *c, unsigned i, struct rcore_server *s)
{
	const struct raft_server *rs = &c->core.configuration.servers[i];
	raft_index match;
	size_t k;

	memset(s, 0, sizeof(*s));
	s->id = rs->id;
	s->address = rs->address;
	s->voter = rs->role == RAFT_VOTER;
	if (raft_match_index(&c->core, rs->id, &match) == 0)
		s->match = match;
	for (k = 0; k < c->nheard; k++)
		if (c->heard[k].id == rs->id)
			s->heard_ms = c->heard[k].ms;
}

bool
rcore_changing(const struct rcore *c)
{
	return c->core.configuration_uncommitted_index != 0;
}

bool
rcore_transferring(const struct rcore *c)
{
	return raft_transferee(&c->core) != 0;
}

const uint8_t *
rcore_conf_bytes(const struct rcore *c, size_t *len, uint64_t *index)
{
	*len = c->memb.len;
	*index = c->memb_index;
	return c->memb.p;
}

const char *
rcore_broken(const struct rcore *c)
{
	return c->broken;
}

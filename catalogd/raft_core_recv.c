/*
 * Messages of the consensus: to and from libraft's structs, the guards in
 * between, and the rounds by which a leader learns that it still is one.
 *
 *	leader				voter
 *	CONFIRM term, number	------>	same term, and that one leads here?
 *				<------	CONFIRMED term, number
 *	a majority, itself included: nobody else had been elected when the
 *	first of these answers was given
 */
#include "catalogd/raft_core_i.h"

#include <stdlib.h>
#include <string.h>

#include "common/util.h"

/* ---- sending ---- */

/* Its last entry's term is what the part behind it is anchored to. */
static size_t
fill_part(struct rcore *c, struct peer_msg *m, uint64_t index, size_t n,
    struct log_entry *e)
{
	size_t i, bytes = 0;
	struct slot *s;

	for (i = 0; i < n && i < PEER_ENTRIES_MAX && bytes < PEER_FULL; i++) {
		if ((s = rcore_slot(c, index + i)) == NULL)
			return 0;
		if (i > 0 && s->type == RAFT_CHANGE)
			break;
		e[i].index = s->index;
		e[i].term = s->term;
		e[i].type = (uint8_t)s->type;
		e[i].p = s->p;
		e[i].len = s->len;
		bytes += s->len;
	}
	m->entry = e;
	m->n = i;
	return i;
}

static void
send_append(struct rcore *c, uint64_t to, const struct raft_append_entries *a)
{
	struct log_entry *e;
	struct peer_msg m;
	size_t n, left = a->n_entries;

	memset(&m, 0, sizeof(m));
	m.type = PEER_APPEND;
	m.term = a->term;
	m.index = a->prev_log_index;
	m.index_term = a->prev_log_term;
	m.commit = a->leader_commit;
	if (left == 0) {
		c->ops.send(to, &m, c->ops.arg);
		return;
	}
	e = xcalloc(left < PEER_ENTRIES_MAX ? left : PEER_ENTRIES_MAX,
	    sizeof(*e));
	for (; left > 0; left -= n) {
		n = fill_part(c, &m, m.index + 1, left, e);
		if (n == 0) {
			/* No longer here; nor is an answer due. */
			c->ops.want_snapshot(c->ops.arg);
			break;
		}
		c->ops.send(to, &m, c->ops.arg);
		m.index += n;
		m.index_term = e[n - 1].term;
	}
	free(e);
}

void
rcore_send_message(struct rcore *c, const struct raft_message *rm)
{
	const struct raft_append_entries_result *ar =
	    &rm->append_entries_result;
	const struct raft_request_vote *v = &rm->request_vote;
	const struct raft_request_vote_result *vr = &rm->request_vote_result;
	const struct raft_timeout_now *t = &rm->timeout_now;
	struct peer_msg m;

	memset(&m, 0, sizeof(m));
	switch (rm->type) {
	case RAFT_APPEND_ENTRIES:
		send_append(c, rm->server_id, &rm->append_entries);
		return;
	case RAFT_INSTALL_SNAPSHOT:
		c->ops.send_snapshot(rm->server_id, c->ops.arg);
		return;
	case RAFT_APPEND_ENTRIES_RESULT:
		m.type = PEER_APPENDED;
		m.term = ar->term;
		m.rejected = ar->rejected;
		/* The engine leaves it unset where the term says it all. */
		m.index = ar->last_log_index <= raft_last_index(&c->core) ?
		    ar->last_log_index : 0;
		break;
	case RAFT_REQUEST_VOTE:
		m.type = PEER_VOTE;
		m.term = v->term;
		m.candidate = v->candidate_id;
		m.index = v->last_log_index;
		m.index_term = v->last_log_term;
		m.flags = (uint8_t)((v->pre_vote ? PEER_PRE_VOTE : 0) |
		    (v->disrupt_leader ? PEER_DISRUPT : 0));
		break;
	case RAFT_REQUEST_VOTE_RESULT:
		m.type = PEER_VOTED;
		m.term = vr->term;
		m.flags = (uint8_t)((vr->pre_vote ? PEER_PRE_VOTE : 0) |
		    (vr->vote_granted ? PEER_GRANTED : 0));
		break;
	case RAFT_TIMEOUT_NOW:
		m.type = PEER_TIMEOUT_NOW;
		m.term = t->term;
		m.index = t->last_log_index;
		m.index_term = t->last_log_term;
		break;
	}
	c->ops.send(rm->server_id, &m, c->ops.arg);
}

/* ---- receiving ---- */

static struct heard *
heard_of(struct rcore *c, uint64_t id)
{
	size_t i;

	for (i = 0; i < c->nheard; i++)
		if (c->heard[i].id == id)
			return &c->heard[i];
	if (c->nheard == HEARD_MAX)
		return NULL;
	memset(&c->heard[c->nheard], 0, sizeof(c->heard[0]));
	c->heard[c->nheard].id = id;
	return &c->heard[c->nheard++];
}

static void
feed(struct rcore *c, struct raft_message *rm, uint64_t from)
{
	static char address[] = "peer";
	struct raft_event e;

	rm->server_id = from;
	rm->server_address = address;
	memset(&e, 0, sizeof(e));
	e.type = RAFT_RECEIVE;
	e.receive.message = rm;
	rcore_step(c, &e);
}

/* Part of an APPEND, in which a membership can only be the first. */
static void
feed_part(struct rcore *c, uint64_t from, const struct peer_msg *m, size_t n)
{
	struct raft_append_entries *a;
	struct raft_entry *re;
	struct raft_message rm;
	uint64_t last = m->index + n;
	uint8_t *batch;
	size_t i, len = 0;

	for (i = 0; i < n; i++)
		len += m->entry[i].len + 8;
	batch = raft_malloc(len + 8);
	re = xcalloc(n + 1, sizeof(*re));
	for (i = 0, len = 0; i < n; i++) {
		re[i].term = m->entry[i].term;
		re[i].type = (enum raft_entry_type)m->entry[i].type;
		re[i].batch = batch;
		re[i].buf.base = memcpy(batch + len, m->entry[i].p,
		    m->entry[i].len);
		re[i].buf.len = m->entry[i].len;
		len += (m->entry[i].len + 7) & ~(size_t)7;
	}
	memset(&rm, 0, sizeof(rm));
	rm.type = RAFT_APPEND_ENTRIES;
	a = &rm.append_entries;
	a->term = m->term;
	a->prev_log_index = m->index;
	a->prev_log_term = m->index_term;
	/* A late one must not take the commit index back. */
	a->leader_commit = last < c->core.commit_index ? 0 : m->commit;
	a->entries = re;
	a->n_entries = (unsigned)n;
	/* The engine frees what it does not keep, which is what it had. */
	c->kept = n == 0;
	feed(c, &rm, from);
	if (c->kept)
		raft_free(batch);
	free(re);
}

static void
on_append(struct rcore *c, uint64_t from, const struct peer_msg *m)
{
	struct peer_msg part = *m;
	size_t n;

	/* Two leaders in one term there are not; nor an entry before none. */
	if ((c->core.state == RAFT_LEADER && m->term == c->core.current_term) ||
	    (m->index == 0) != (m->index_term == 0))
		return;
	if (m->term >= c->core.current_term)
		c->leader_heard = c->now;
	do {
		for (n = 0; n < part.n && (n == 0 ||
		    part.entry[n].type != RAFT_CHANGE); n++)
			;
		feed_part(c, from, &part, n);
		if (n == 0)
			break;
		part.index += n;
		part.index_term = part.entry[n - 1].term;
		part.entry += n;
		part.n -= n;
	} while (part.n > 0 && c->broken == NULL);
}

static void
on_appended(struct rcore *c, uint64_t from, const struct peer_msg *m)
{
	struct raft_message rm;
	struct heard *h;

	if (c->core.state == RAFT_LEADER && m->term == c->core.current_term &&
	    (h = heard_of(c, from)) != NULL)
		h->ms = c->now;
	memset(&rm, 0, sizeof(rm));
	rm.type = RAFT_APPEND_ENTRIES_RESULT;
	rm.append_entries_result.term = m->term;
	rm.append_entries_result.rejected = m->rejected;
	rm.append_entries_result.last_log_index = m->index;
	feed(c, &rm, from);
}

/*
 * Whoever is asked votes: the candidate may know of a membership in which we
 * have a vote before we do, and may need it to become leader at all.  The
 * engine looks for itself in its own; whether a vote counts is the candidate's
 * to say.
 */
static void
feed_vote(struct rcore *c, struct raft_message *rm, uint64_t from)
{
	struct raft_configuration real = c->core.configuration;
	char address[] = "self";
	struct raft_server self = { c->conf.id, address, RAFT_VOTER };

	/* Of these nothing is read on the way. */
	if (c->core.state != RAFT_FOLLOWER) {
		feed(c, rm, from);
		return;
	}
	c->core.configuration.servers = &self;
	c->core.configuration.n = 1;
	feed(c, rm, from);
	c->core.configuration = real;
}

static void
on_vote(struct rcore *c, uint64_t from, const struct peer_msg *m)
{
	struct raft_message rm;

	memset(&rm, 0, sizeof(rm));
	rm.type = RAFT_REQUEST_VOTE;
	rm.request_vote.version = 2;
	rm.request_vote.term = m->term;
	rm.request_vote.candidate_id = m->candidate;
	rm.request_vote.last_log_index = m->index;
	rm.request_vote.last_log_term = m->index_term;
	rm.request_vote.pre_vote = (m->flags & PEER_PRE_VOTE) != 0;
	rm.request_vote.disrupt_leader = (m->flags & PEER_DISRUPT) != 0;
	if (m->candidate == from)
		feed_vote(c, &rm, from);
}

static void
on_voted(struct rcore *c, uint64_t from, const struct peer_msg *m)
{
	struct raft_message rm;
	bool pre = (m->flags & PEER_PRE_VOTE) != 0;

	/* The term in it is not one that anybody has: it must not raise ours
	 * when the question is no longer open. */
	if (pre && (c->core.state != RAFT_CANDIDATE ||
	    !c->core.candidate_state.in_pre_vote))
		return;
	memset(&rm, 0, sizeof(rm));
	rm.type = RAFT_REQUEST_VOTE_RESULT;
	rm.request_vote_result.version = 2;
	rm.request_vote_result.term = m->term;
	rm.request_vote_result.pre_vote = pre;
	rm.request_vote_result.vote_granted = (m->flags & PEER_GRANTED) != 0;
	feed(c, &rm, from);
}

static void
on_timeout_now(struct rcore *c, uint64_t from, const struct peer_msg *m)
{
	struct raft_message rm;

	memset(&rm, 0, sizeof(rm));
	rm.type = RAFT_TIMEOUT_NOW;
	rm.timeout_now.term = m->term;
	rm.timeout_now.last_log_index = m->index;
	rm.timeout_now.last_log_term = m->index_term;
	feed(c, &rm, from);
}

/* ---- confirming leadership ---- */

static void
on_confirm(struct rcore *c, uint64_t from, const struct peer_msg *m)
{
	struct peer_msg a;

	if (m->term != c->core.current_term || rcore_leader(c) != from ||
	    from == c->conf.id)
		return;
	memset(&a, 0, sizeof(a));
	a.type = PEER_CONFIRMED;
	a.term = m->term;
	a.number = m->number;
	c->ops.send(from, &a, c->ops.arg);
}

static void
on_confirmed(struct rcore *c, uint64_t from, const struct peer_msg *m)
{
	struct heard *h;

	if (c->core.state != RAFT_LEADER || m->term != c->core.current_term ||
	    (h = heard_of(c, from)) == NULL)
		return;
	h->ms = c->now;
	if (m->number > h->confirmed)
		h->confirmed = m->number;
	rcore_round_check(c);
}

static void
round_send(struct rcore *c)
{
	struct peer_msg m;
	unsigned i;

	memset(&m, 0, sizeof(m));
	m.type = PEER_CONFIRM;
	m.term = c->core.current_term;
	m.number = c->round;
	c->round_sent = c->now;
	for (i = 0; i < c->core.configuration.n; i++)
		if (c->core.configuration.servers[i].role == RAFT_VOTER &&
		    c->core.configuration.servers[i].id != c->conf.id)
			c->ops.send(c->core.configuration.servers[i].id, &m,
			    c->ops.arg);
}

static void
round_begin(struct rcore *c)
{
	c->round++;
	c->round_open = true;
	c->round_again = false;
	round_send(c);
	rcore_round_check(c);
}

void
rcore_round_check(struct rcore *c)
{
	unsigned i, votes = 0, voters = 0;
	struct heard *h;
	uint64_t id;

	if (!c->round_open)
		return;
	for (i = 0; i < c->core.configuration.n; i++) {
		if (c->core.configuration.servers[i].role != RAFT_VOTER)
			continue;
		voters++;
		id = c->core.configuration.servers[i].id;
		if (id == c->conf.id || ((h = heard_of(c, id)) != NULL &&
		    h->confirmed >= c->round))
			votes++;
	}
	if (votes <= voters / 2)
		return;
	c->round_open = false;
	c->round_done = c->round;
	if (c->round_again)
		round_begin(c);
}

/* Answers may have been lost with a connection. */
void
rcore_round_tick(struct rcore *c)
{
	if (c->round_open && c->core.state == RAFT_LEADER &&
	    c->now - c->round_sent >= c->conf.heartbeat_ms)
		round_send(c);
}

uint64_t
rcore_confirm(struct rcore *c, uint64_t now)
{
	c->now = now;
	/* Those answers may be to questions asked before this one. */
	if (c->round_open) {
		c->round_again = true;
		return c->round + 1;
	}
	round_begin(c);
	return c->round;
}

uint64_t
rcore_confirmed(const struct rcore *c)
{
	return c->round_done;
}

void
rcore_receive(struct rcore *c, uint64_t now, uint64_t from,
    const struct peer_msg *m)
{
	c->now = now;
	if (!c->started || c->broken != NULL || from == c->conf.id)
		return;
	switch (m->type) {
	case PEER_APPEND:
		on_append(c, from, m);
		break;
	case PEER_APPENDED:
		on_appended(c, from, m);
		break;
	case PEER_VOTE:
		on_vote(c, from, m);
		break;
	case PEER_VOTED:
		on_voted(c, from, m);
		break;
	case PEER_TIMEOUT_NOW:
		on_timeout_now(c, from, m);
		break;
	case PEER_CONFIRM:
		on_confirm(c, from, m);
		break;
	case PEER_CONFIRMED:
		on_confirmed(c, from, m);
		break;
	case PEER_SNAP_BEGIN:
	case PEER_SNAP_DATA:
		break;		/* rcore_install() */
	}
}

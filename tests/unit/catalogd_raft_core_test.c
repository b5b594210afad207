/*
 * The guards around libraft's core, each with its control: the same events given
 * to the bare engine show the fault.  When a control passes no more the library
 * has changed, and the guard can be looked at again.
 */
#include <raft.h>

#include <stdlib.h>
#include <string.h>

#include "catalogd/raft_core.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define COMMAND RAFT_COMMAND
#define CHANGE RAFT_CHANGE

/* ---- our side ---- */

struct world {
	struct rcore	*c;
	uint64_t	 now, term, vote, last_sent_to;
	struct peer_msg	 sent;		/* the last */
	size_t		 nsent, applied;
	uint64_t	 kept;
};

static void
on_meta(uint64_t term, uint64_t vote, void *arg)
{
	struct world *w = arg;

	w->term = term;
	w->vote = vote;
}

static void
on_append(const struct log_entry *e, size_t n, void *arg)
{
	struct world *w = arg;

	w->kept = e[n - 1].index;
}

static void
on_send(uint64_t to, const struct peer_msg *m, void *arg)
{
	struct world *w = arg;

	w->sent = *m;
	w->last_sent_to = to;
	w->nsent++;
}

static void
on_snapshot(uint64_t to, void *arg)
{
	(void)to;
	(void)arg;
}

static void
on_want(void *arg)
{
	(void)arg;
}

static void
on_apply(uint64_t index, const uint8_t *p, size_t len, void *tag, void *arg)
{
	struct world *w = arg;

	(void)p;
	(void)len;
	(void)tag;
	w->applied = index;
}

static void
on_lost(void *tag, void *arg)
{
	(void)tag;
	(void)arg;
}

static uint8_t *
members(unsigned n, unsigned voters, size_t *len)
{
	static const char *const address[] = { "a1", "a2", "a3", "a4", "a5" };
	struct rcore_member m[5];
	unsigned i;

	for (i = 0; i < n; i++) {
		m[i].id = i + 1;
		m[i].address = address[i];
		m[i].voter = i < voters;
	}
	return rcore_conf_encode(m, n, len);
}

/* Server 1 of that many, with one entry in term 1. */
static void
setup(struct world *w, uint64_t self, unsigned n, unsigned voters)
{
	struct rcore_conf conf = { self, 42, 1000, 100, 1u << 20 };
	struct rcore_ops ops = { on_meta, on_append, on_send, on_snapshot,
	    on_want, on_apply, on_lost, w };
	struct log_entry e;

	memset(w, 0, sizeof(*w));
	w->now = 1000;
	w->c = rcore_new(&conf, &ops);
	memset(&e, 0, sizeof(e));
	e.index = e.term = 1;
	e.type = CHANGE;
	e.p = members(n, voters, &e.len);
	ck_assert_int_eq(rcore_start(w->c, w->now, 1, 0, NULL, &e, 1), 0);
}

static struct log_entry
command(uint64_t term)
{
	struct log_entry e;

	memset(&e, 0, sizeof(e));
	e.term = term;
	e.type = COMMAND;
	e.p = (const uint8_t *)"command-";
	e.len = 8;
	return e;
}

static struct log_entry
change(uint64_t term, unsigned n)
{
	struct log_entry e;

	memset(&e, 0, sizeof(e));
	e.term = term;
	e.type = CHANGE;
	e.p = members(n, n, &e.len);
	return e;
}

static void
append(struct world *w, uint64_t from, uint64_t term, uint64_t prev,
    uint64_t prev_term, uint64_t commit, struct log_entry *e, size_t n)
{
	struct peer_msg m;
	size_t i;

	memset(&m, 0, sizeof(m));
	m.type = PEER_APPEND;
	m.term = term;
	m.index = prev;
	m.index_term = prev_term;
	m.commit = commit;
	m.entry = e;
	m.n = n;
	rcore_receive(w->c, ++w->now, from, &m);
	if (w->kept != 0)
		rcore_persisted(w->c, w->now, w->kept);
	for (i = 0; i < n; i++)
		if (e[i].type == CHANGE)
			free((void *)(uintptr_t)e[i].p);
}

/* ---- the bare engine ---- */

static struct raft R;
static struct raft_update U;
static raft_time now_ms;
static void *made[16];	/* what entries point to is ours */
static size_t nmade;

static void
on_trace(struct raft_tracer *t, int type, const void *info)
{
	(void)t;
	(void)type;
	(void)info;
}
static struct raft_tracer tracer = { .version = 2, .emit = on_trace };

static struct raft_entry
bare_entry(raft_term term, int type, unsigned n)
{
	struct raft_entry e;
	uint8_t *p;

	memset(&e, 0, sizeof(e));
	e.term = term;
	e.type = (enum raft_entry_type)type;
	if (type == CHANGE) {
		p = members(n, n, &e.buf.len);
		e.buf.base = memcpy(raft_malloc(e.buf.len), p, e.buf.len);
		free(p);
	} else {
		e.buf.len = 8;
		e.buf.base = raft_calloc(1, 8);
	}
	e.batch = e.buf.base;
	ck_assert_uint_lt(nmade, NELEM(made));
	made[nmade++] = e.buf.base;
	return e;
}

static void
bare_end(void)
{
	raft_close(&R, NULL);
	while (nmade > 0)
		raft_free(made[--nmade]);
}

static void
bare_step(struct raft_event *e)
{
	e->time = ++now_ms;
	ck_assert_int_eq(raft_step(&R, e, &U), 0);
}

/* With that many entries, of which the first is a membership. */
static void
bare_start(raft_id self, unsigned entries)
{
	struct raft_event ev;
	struct raft_entry *e = calloc(entries, sizeof(*e));
	unsigned i;

	now_ms = 1000;
	memset(&R, 0, sizeof(R));
	memset(&ev, 0, sizeof(ev));
	ck_assert_int_eq(raft_init(&R, NULL, NULL, self, "self"), 0);
	R.tracer = &tracer;
	raft_seed(&R, 42);
	raft_set_pre_vote(&R, true);
	for (i = 0; i < entries; i++)
		e[i] = bare_entry(1, i == 0 ? CHANGE : COMMAND, 3);
	ev.type = RAFT_START;
	ev.start.term = 1;
	ev.start.start_index = 1;
	ev.start.entries = e;
	ev.start.n_entries = entries;
	bare_step(&ev);
	free(e);
}

static void
bare_append(raft_id from, raft_term term, raft_index prev, raft_term pt,
    raft_index commit, struct raft_entry *e, unsigned n)
{
	struct raft_message m;
	struct raft_event ev;

	memset(&m, 0, sizeof(m));
	memset(&ev, 0, sizeof(ev));
	m.type = RAFT_APPEND_ENTRIES;
	m.server_id = from;
	m.server_address = "peer";
	m.append_entries.term = term;
	m.append_entries.prev_log_index = prev;
	m.append_entries.prev_log_term = pt;
	m.append_entries.leader_commit = commit;
	m.append_entries.entries = e;
	m.append_entries.n_entries = n;
	ev.type = RAFT_RECEIVE;
	ev.receive.message = &m;
	bare_step(&ev);
}

/* ---- fault 1: a membership that is not the first of its message ---- */

START_TEST(membership_behind_a_command_is_committed)
{
	struct log_entry e[2] = { command(2), change(2, 4) };
	struct world w;
	uint64_t index;
	size_t len;

	setup(&w, 1, 3, 3);
	append(&w, 2, 2, 1, 1, 1, e, 2);
	ck_assert(rcore_changing(w.c));
	ck_assert_uint_eq(rcore_nservers(w.c), 4);
	append(&w, 2, 2, 3, 2, 3, NULL, 0);
	ck_assert(!rcore_changing(w.c));
	(void)rcore_conf_bytes(w.c, &len, &index);
	ck_assert_uint_eq(index, 3);
	ck_assert_uint_eq(w.applied, 3);
	rcore_free(w.c);
}
END_TEST

START_TEST(membership_behind_a_command_is_rolled_back)
{
	struct log_entry e[2] = { command(2), change(2, 4) };
	struct log_entry other = command(3);
	struct world w;

	setup(&w, 1, 3, 3);
	append(&w, 2, 2, 1, 1, 1, e, 2);
	append(&w, 3, 3, 2, 2, 1, &other, 1);
	ck_assert_uint_eq(rcore_nservers(w.c), 3);
	ck_assert(!rcore_changing(w.c));
	rcore_free(w.c);
}
END_TEST

START_TEST(control_the_engine_gives_it_a_wrong_index)
{
	struct raft_entry e[2];

	bare_start(1, 1);
	e[0] = bare_entry(2, COMMAND, 0);
	e[1] = bare_entry(2, CHANGE, 4);
	bare_append(2, 2, 1, 1, 1, e, 2);
	ck_assert_uint_ne(R.configuration_uncommitted_index, 3);
	bare_end();
}
END_TEST

/* Both are uncommitted as far as this server knows; the second goes. */
START_TEST(rollback_ends_at_the_membership_before_it)
{
	struct log_entry a = change(2, 4), b = change(2, 5);
	struct log_entry other = command(3);
	struct world w;

	setup(&w, 1, 3, 3);
	append(&w, 2, 2, 1, 1, 1, &a, 1);
	append(&w, 2, 2, 2, 2, 1, &b, 1);
	ck_assert_uint_eq(rcore_nservers(w.c), 5);
	append(&w, 3, 3, 2, 2, 1, &other, 1);
	ck_assert_uint_eq(rcore_nservers(w.c), 4);
	rcore_free(w.c);
}
END_TEST

/* ---- fault 2: the commit index goes back ---- */

START_TEST(commit_index_stays_at_a_late_message)
{
	struct log_entry e[9];
	struct world w;
	size_t i;

	setup(&w, 1, 3, 3);
	for (i = 0; i < 9; i++)
		e[i] = command(1);
	append(&w, 2, 1, 1, 1, 10, e, 9);
	ck_assert_uint_eq(rcore_commit(w.c), 10);
	append(&w, 2, 1, 5, 1, 12, NULL, 0);
	ck_assert_uint_eq(rcore_commit(w.c), 10);
	rcore_free(w.c);
}
END_TEST

START_TEST(control_the_engine_takes_it_back)
{
	bare_start(1, 10);
	bare_append(2, 1, 10, 1, 10, NULL, 0);
	ck_assert_uint_eq(raft_commit_index(&R), 10);
	bare_append(2, 1, 5, 1, 12, NULL, 0);
	ck_assert_uint_lt(raft_commit_index(&R), 10);
	bare_end();
}
END_TEST

/* ---- votes ---- */

static void
ask_vote(struct world *w, uint64_t from, uint64_t term, uint64_t last,
    uint64_t last_term)
{
	struct peer_msg m;

	memset(&m, 0, sizeof(m));
	m.type = PEER_VOTE;
	m.term = term;
	m.candidate = from;
	m.index = last;
	m.index_term = last_term;
	w->nsent = 0;
	rcore_receive(w->c, ++w->now, from, &m);
}

/* It may have been given its vote in an entry that it does not have yet. */
START_TEST(server_without_a_vote_gives_it_when_asked)
{
	struct world w;

	setup(&w, 3, 3, 2);
	ask_vote(&w, 1, 2, 5, 1);
	ck_assert_uint_eq(w.nsent, 1);
	ck_assert(w.sent.type == PEER_VOTED &&
	    (w.sent.flags & PEER_GRANTED) != 0);
	ck_assert_uint_eq(w.vote, 1);
	/* Once a term, and not to who has less. */
	ask_vote(&w, 2, 2, 5, 1);
	ck_assert((w.sent.flags & PEER_GRANTED) == 0);
	ask_vote(&w, 2, 3, 0, 0);
	ck_assert((w.sent.flags & PEER_GRANTED) == 0);
	rcore_free(w.c);
}
END_TEST

/* An answer to a question that is no longer open carries a term of nobody's. */
START_TEST(late_answer_to_a_pre_vote_raises_no_term)
{
	struct peer_msg m;
	struct world w;

	setup(&w, 1, 3, 3);
	append(&w, 2, 1, 1, 1, 1, NULL, 0);
	memset(&m, 0, sizeof(m));
	m.type = PEER_VOTED;
	m.term = 9;
	m.flags = PEER_PRE_VOTE;
	rcore_receive(w.c, ++w.now, 3, &m);
	ck_assert_uint_eq(rcore_term(w.c), 1);
	rcore_free(w.c);
}
END_TEST

START_TEST(only_voter_leads_in_a_term_of_its_own)
{
	struct world w;

	setup(&w, 1, 1, 1);
	ck_assert(rcore_state(w.c) == RCORE_LEADER);
	ck_assert_uint_eq(rcore_term(w.c), 2);
	ck_assert_uint_eq(w.term, 2);
	rcore_free(w.c);
}
END_TEST

/* ---- a leader ---- */

static void
elect(struct world *w)
{
	struct peer_msg m;
	int i;

	memset(&m, 0, sizeof(m));
	m.type = PEER_VOTED;
	for (i = 0; i < 2; i++) {
		if (i == 0)
			rcore_tick(w->c, w->now = rcore_timeout(w->c));
		m.term = 2;
		m.flags = PEER_GRANTED | (i == 0 ? PEER_PRE_VOTE : 0);
		rcore_receive(w->c, ++w->now, 2, &m);
	}
	ck_assert(rcore_state(w->c) == RCORE_LEADER);
}

static void
appended(struct world *w, uint64_t from, uint64_t index)
{
	struct peer_msg m;

	memset(&m, 0, sizeof(m));
	m.type = PEER_APPENDED;
	m.term = rcore_term(w->c);
	m.index = index;
	rcore_receive(w->c, ++w->now, from, &m);
}

/* Figure 8 of the paper. */
START_TEST(entries_of_older_terms_are_not_committed_by_counting)
{
	struct log_entry e = command(1);
	struct world w;

	setup(&w, 1, 3, 3);
	append(&w, 2, 1, 1, 1, 1, &e, 1);
	elect(&w);
	appended(&w, 2, 2);
	ck_assert_uint_eq(rcore_commit(w.c), 1);
	ck_assert(!rcore_in_office(w.c));
	rcore_persisted(w.c, ++w.now, 3);
	appended(&w, 2, 3);
	ck_assert_uint_eq(rcore_commit(w.c), 3);
	ck_assert(rcore_in_office(w.c));
	rcore_free(w.c);
}
END_TEST

START_TEST(membership_waits_for_an_entry_of_the_term)
{
	struct world w;
	uint8_t *p;
	size_t len;

	setup(&w, 1, 3, 3);
	elect(&w);
	p = members(4, 3, &len);
	ck_assert_int_eq(rcore_change(w.c, ++w.now, p, len), -1);
	ck_assert_uint_eq(rcore_last_index(w.c), 2);	/* the no-op */
	rcore_persisted(w.c, ++w.now, 2);
	appended(&w, 2, 2);
	ck_assert_int_eq(rcore_change(w.c, ++w.now, p, len), 0);
	ck_assert_int_eq(rcore_change(w.c, ++w.now, p, len), -1);
	free(p);
	rcore_free(w.c);
}
END_TEST

START_TEST(leadership_is_confirmed_by_a_majority_asked_after)
{
	struct peer_msg m;
	struct world w;
	uint64_t first, second;

	setup(&w, 1, 3, 3);
	elect(&w);
	rcore_persisted(w.c, ++w.now, 2);
	appended(&w, 2, 2);
	first = rcore_confirm(w.c, ++w.now);
	ck_assert_uint_lt(rcore_confirmed(w.c), first);
	/* The answers to the first say nothing of who asks now. */
	second = rcore_confirm(w.c, ++w.now);
	ck_assert_uint_gt(second, first);
	memset(&m, 0, sizeof(m));
	m.type = PEER_CONFIRMED;
	m.term = 1;
	m.number = first;
	rcore_receive(w.c, ++w.now, 2, &m);
	ck_assert_uint_lt(rcore_confirmed(w.c), first);
	m.term = rcore_term(w.c);
	rcore_receive(w.c, ++w.now, 2, &m);
	ck_assert_uint_eq(rcore_confirmed(w.c), first);
	m.number = second;
	rcore_receive(w.c, ++w.now, 3, &m);
	ck_assert_uint_eq(rcore_confirmed(w.c), second);
	rcore_free(w.c);
}
END_TEST

UNIT_MAIN("catalogd_raft_core",
    membership_behind_a_command_is_committed,
    membership_behind_a_command_is_rolled_back,
    control_the_engine_gives_it_a_wrong_index,
    rollback_ends_at_the_membership_before_it,
    commit_index_stays_at_a_late_message,
    control_the_engine_takes_it_back,
    server_without_a_vote_gives_it_when_asked,
    late_answer_to_a_pre_vote_raises_no_term,
    only_voter_leads_in_a_term_of_its_own,
    entries_of_older_terms_are_not_committed_by_counting,
    membership_waits_for_an_entry_of_the_term,
    leadership_is_confirmed_by_a_majority_asked_after)

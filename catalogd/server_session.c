/*
 * Session.*, and what time does to sessions, locks and tombstones.  The store
 * has no clock: whoever leads arms a timer for each session that has a time to
 * live, and puts its end into the log; keeps the delay of a lock whose holder's
 * session ended; and has tombstones reaped when nobody can ask for them any
 * more.
 *
 *	created, renewed -> armed (2 x TTL) -> expires -> destroy in the log
 *	                                    -> not taken -> again, later
 *	office taken     -> armed for all   office left -> all forgotten
 *
 * Delays are kept by every server as it applies the end of a session, so that
 * one that takes over has them: a little later than the one before, never
 * earlier.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/server_i.h"
#include "common/log.h"
#include "common/mp.h"

#define TTL_MIN_NS	(10 * NS_PER_S)
#define TTL_MAX_NS	(24 * 3600 * NS_PER_S)
#define TTL_GRACE	2		/* times what was asked for */
#define EXPIRE_TRIES	6
#define EXPIRE_RETRY_MS	10000u		/* doubles */
#define TOMB_KEEP_MS	(15 * 60 * 1000u)
#define TOMB_STEP_MS	30000u

/* ---- a session's time ---- */

static int
session_timer_cmp(struct session_timer *a, struct session_timer *b)
{
	return strcasecmp(a->id, b->id);
}

RB_GENERATE_INTERNAL(session_timers, session_timer, entry, session_timer_cmp,
    TREE_STATIC)

static struct session_timer *
timer_new(struct server *srv, const char *id)
{
	struct session_timer *t;
	size_t n = strlen(id) + 1;

	t = xcalloc(1, sizeof(*t) + n);
	memcpy(t->id, id, n);
	t->srv = srv;
	return t;
}

static struct session_timer *
timer_find(struct server *srv, const char *id)
{
	struct session_timer *want = timer_new(srv, id), *t;

	t = RB_FIND(session_timers, &srv->session_timers, want);
	free(want);
	return t;
}

static void
timer_drop(struct session_timer *t)
{
	RB_REMOVE(session_timers, &t->srv->session_timers, t);
	ev_timer_free(t->timer);
	free(t);
}

static void
propose_destroy(struct server *srv, const char *id)
{
	struct session_request req;
	struct wbuf w;

	memset(&req, 0, sizeof(req));
	req.datacenter = srv->agent.datacenter;
	req.op = (char *)(uintptr_t)"destroy";
	req.session.id = (char *)(uintptr_t)id;
	wb_init(&w, 0);
	store_entry_session(&w, &req);
	server_propose(srv, &w);
	wb_free(&w);
}

/* Proposed until it is gone, which is what drops the timer. */
static void
on_expired(void *arg)
{
	struct session_timer *t = arg;

	if (store_session(t->srv->store, t->id) == NULL ||
	    t->tries >= EXPIRE_TRIES) {
		timer_drop(t);
		return;
	}
	if (t->tries == 0)
		log_debug("session %s: not renewed in its time: it ends",
		    t->id);
	propose_destroy(t->srv, t->id);
	ev_timer_set(t->timer, (uint64_t)EXPIRE_RETRY_MS << t->tries++);
}

/* 0: lives until somebody ends it. */
static int64_t
ttl_ns(const struct session *x)
{
	int64_t ns;

	if (str_empty(x->ttl) || dur_parse(x->ttl, &ns) == -1 || ns < 0)
		return 0;
	return ns;
}

static void
session_arm(struct server *srv, const struct session *x)
{
	struct session_timer *t = timer_find(srv, x->id);
	int64_t ns = ttl_ns(x);

	if (ns == 0) {
		if (t != NULL)
			timer_drop(t);
		return;
	}
	if (t == NULL) {
		t = timer_new(srv, x->id);
		t->timer = ev_timer_new(srv->ev, on_expired, t);
		RB_INSERT(session_timers, &srv->session_timers, t);
	}
	t->tries = 0;
	ev_timer_set(t->timer, (uint64_t)(ns / NS_PER_MS) * TTL_GRACE);
}

static bool
arm_one(const struct session *x, void *arg)
{
	session_arm(arg, x);
	return true;
}

/* ---- delays of locks ---- */

static int
lock_hold_cmp(struct lock_hold *a, struct lock_hold *b)
{
	return strcmp(a->key, b->key);
}

RB_GENERATE_INTERNAL(lock_delays, lock_hold, entry, lock_hold_cmp, TREE_STATIC)

static struct lock_hold *
hold_new(struct server *srv, const char *key)
{
	struct lock_hold *h;
	size_t n = strlen(key) + 1;

	h = xcalloc(1, sizeof(*h) + n);
	memcpy(h->key, key, n);
	h->srv = srv;
	return h;
}

static void
hold_drop(struct lock_hold *h)
{
	RB_REMOVE(lock_delays, &h->srv->lock_delays, h);
	ev_timer_free(h->timer);
	free(h);
}

static void
on_delay_over(void *arg)
{
	hold_drop(arg);
}

static void
hold_set(struct server *srv, const struct lock_delay *d)
{
	struct lock_hold *h = hold_new(srv, d->key), *old;

	if ((old = RB_FIND(lock_delays, &srv->lock_delays, h)) != NULL) {
		free(h);
		h = old;
	} else {
		h->timer = ev_timer_new(srv->ev, on_delay_over, h);
		RB_INSERT(lock_delays, &srv->lock_delays, h);
	}
	ev_timer_set(h->timer, (uint64_t)((d->ns + NS_PER_MS - 1) /
	    NS_PER_MS));
}

bool
lock_delayed(const struct server *srv, const char *key)
{
	struct lock_hold *want;
	bool held;

	if (RB_EMPTY(&srv->lock_delays))
		return false;
	want = hold_new(NULL, str_or(key, ""));
	held = RB_FIND(lock_delays,
	    (struct lock_delays *)(uintptr_t)&srv->lock_delays, want) != NULL;
	free(want);
	return held;
}

/* ---- tombstones ---- */

static void
propose_reap(struct server *srv, uint64_t index)
{
	struct tombstone_request req;
	struct wbuf w;

	memset(&req, 0, sizeof(req));
	req.datacenter = srv->agent.datacenter;
	req.op = (char *)(uintptr_t)"reap";
	req.reap_index = index;
	wb_init(&w, 0);
	store_entry_tombstone(&w, &req);
	server_propose(srv, &w);
	wb_free(&w);
}

static void
tomb_set_timer(struct server *srv)
{
	struct tomb_bin *b = TAILQ_FIRST(&srv->tomb_bins);
	uint64_t now = ev_now(srv->ev);

	if (b == NULL)
		ev_timer_stop(srv->tomb_timer);
	else
		ev_timer_set(srv->tomb_timer, b->at_ms > now ?
		    b->at_ms - now : 0);
}

static void
on_tomb_timer(void *arg)
{
	struct server *srv = arg;
	struct tomb_bin *b;

	while ((b = TAILQ_FIRST(&srv->tomb_bins)) != NULL &&
	    b->at_ms <= ev_now(srv->ev)) {
		propose_reap(srv, b->index);
		TAILQ_REMOVE(&srv->tomb_bins, b, entry);
		free(b);
	}
	tomb_set_timer(srv);
}

/* What is gathered in one step goes together, when the last has its age. */
static void
tomb_hint(struct server *srv, uint64_t index)
{
	uint64_t at;
	struct tomb_bin *b = TAILQ_LAST(&srv->tomb_bins, tomb_bins);

	at = ev_now(srv->ev) + TOMB_KEEP_MS;
	at += TOMB_STEP_MS - at % TOMB_STEP_MS;
	if (b != NULL && b->at_ms == at) {
		b->index = index;
		return;
	}
	b = xcalloc(1, sizeof(*b));
	b->at_ms = at;
	b->index = index;
	TAILQ_INSERT_TAIL(&srv->tomb_bins, b, entry);
	if (srv->tomb_timer == NULL)
		srv->tomb_timer = ev_timer_new(srv->ev, on_tomb_timer, srv);
	tomb_set_timer(srv);
}

/* ---- hooks ---- */

void
session_init(struct server *srv)
{
	RB_INIT(&srv->session_timers);
	RB_INIT(&srv->lock_delays);
	TAILQ_INIT(&srv->tomb_bins);
}

static void
office_clear(struct server *srv)
{
	struct session_timer *t;
	struct tomb_bin *b;

	while ((t = RB_MIN(session_timers, &srv->session_timers)) != NULL)
		timer_drop(t);
	while ((b = TAILQ_FIRST(&srv->tomb_bins)) != NULL) {
		TAILQ_REMOVE(&srv->tomb_bins, b, entry);
		free(b);
	}
	if (srv->tomb_timer != NULL)
		ev_timer_stop(srv->tomb_timer);
}

void
session_office(struct server *srv, bool in)
{
	office_clear(srv);
	if (!in)
		return;
	store_each_session(srv->store, NULL, arm_one, srv);
	if (store_index(srv->store)->tombstones != 0)
		tomb_hint(srv, store_applied(srv->store));
}

void
session_applied(struct server *srv, uint64_t index, const struct changes *ch)
{
	const struct session *x;
	struct session_timer *t;
	size_t i;

	for (i = 0; i < ch->ndelays; i++)
		hold_set(srv, &ch->delay[i]);
	if (!server_in_office(srv))
		return;
	for (i = 0; i < ch->n; i++) {
		if (ch->item[i].kind != WATCH_SESSION)
			continue;
		if ((x = store_session(srv->store, ch->item[i].name)) != NULL)
			session_arm(srv, x);
		else if ((t = timer_find(srv, ch->item[i].name)) != NULL)
			timer_drop(t);
	}
	if (ch->tombstones)
		tomb_hint(srv, index);
}

void
session_free(struct server *srv)
{
	struct lock_hold *h;

	office_clear(srv);
	while ((h = RB_MIN(lock_delays, &srv->lock_delays)) != NULL)
		hold_drop(h);
	ev_timer_free(srv->tomb_timer);
	srv->tomb_timer = NULL;
}

/* ---- writing ---- */

static void
check_ttl(const struct server *srv, const char *ttl, struct reply *r)
{
	int64_t ns, min = srv->conf.session_ttl_min > 0 ?
	    srv->conf.session_ttl_min : TTL_MIN_NS;
	char a[32], b[32];

	if (str_empty(ttl))
		return;
	if (dur_parse(ttl, &ns) == -1)
		reply_error(r, "Session TTL '%s' invalid: time: invalid "
		    "duration \"%s\"", ttl, ttl);
	else if (ns != 0 && (ns < min || ns > TTL_MAX_NS))
		reply_error(r, "Invalid Session TTL '%lld', must be between "
		    "[%s=%s]", (long long)ns, dur_format(min, a, sizeof(a)),
		    dur_format(TTL_MAX_NS, b, sizeof(b)));
}

void
session_apply_write(struct server *srv, void *arg, struct wbuf *entry,
    struct reply *r)
{
	struct session_request *req = arg;
	struct session *x = &req->session;
	const char *op = str_or(req->op, ""), *behavior;
	bool create = strcmp(op, "create") == 0;
	char id[37];

	behavior = str_or(x->behavior, "");
	if (!create && strcmp(op, "destroy") != 0)
		reply_error(r, "Invalid session operation '%s'", op);
	else if (!create && str_empty(x->id))
		reply_error(r, "Must provide ID");
	else if (create && str_empty(x->node))
		reply_error(r, "Must provide Node");
	else if (behavior[0] != '\0' && strcmp(behavior, "release") != 0 &&
	    strcmp(behavior, "delete") != 0)
		reply_error(r, "Invalid Behavior setting '%s'", behavior);
	else
		check_ttl(srv, x->ttl, r);
	if (r->error != NULL)
		return;
	if (behavior[0] == '\0')
		str_set(&x->behavior, "release");
	if (create) {
		do
			uuid_make(id);
		while (store_session(srv->store, id) != NULL);
		str_set(&x->id, id);
	}
	str_set(&req->token, NULL);
	store_entry_session(entry, req);
}

/* ---- reading ---- */

static const char *
session_id(const struct session_id_request *req)
{
	return !str_empty(req->session_id) ? req->session_id :
	    str_or(req->session, "");
}

static void
reply_sessions(struct indexed_sessions *a, const struct query_meta *meta,
    struct reply *r)
{
	META_PUT(a, meta);
	reply_schema(r, &indexed_sessions_schema, a);
	free(a->sessions.item);
}

static bool
add_session(const struct session *x, void *arg)
{
	struct indexed_sessions *a = arg;

	*(struct session *)VEC_ADD(&a->sessions) = *x;
	return true;
}

void
session_get_depends(struct server *srv, const void *arg, struct depends *d)
{
	const struct session_id_request *req = arg;

	d->index = store_index(srv->store)->sessions;
	depends_on(d, WATCH_SESSION, session_id(req));
}

static bool
id_fits(const char *id, struct reply *r)
{
	const char *bad = store_id_error(id);

	if (bad != NULL)
		reply_error(r, "failed session lookup: index error: %s", bad);
	return bad == NULL;
}

void
session_get_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const char *id = session_id(arg);
	struct indexed_sessions a;
	const struct session *x;

	if (!id_fits(id, r))
		return;
	memset(&a, 0, sizeof(a));
	if ((x = store_session(srv->store, id)) != NULL)
		add_session(x, &a);
	reply_sessions(&a, meta, r);
}

void
session_list_depends(struct server *srv, const void *req, struct depends *d)
{
	(void)req;
	d->index = store_index(srv->store)->sessions;
	depends_on(d, WATCH_SESSIONS, "");
}

void
session_list_read(struct server *srv, const void *req,
    const struct query_meta *meta, struct reply *r)
{
	struct indexed_sessions a;

	(void)req;
	memset(&a, 0, sizeof(a));
	store_each_session(srv->store, NULL, add_session, &a);
	reply_sessions(&a, meta, r);
}

void
session_node_sessions_depends(struct server *srv, const void *arg,
    struct depends *d)
{
	const struct node_request *req = arg;

	d->index = store_index(srv->store)->sessions;
	depends_on(d, WATCH_NODE_SESSIONS, req->node);
}

void
session_node_sessions_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct node_request *req = arg;
	struct indexed_sessions a;

	memset(&a, 0, sizeof(a));
	store_each_session(srv->store, str_or(req->node, ""), add_session, &a);
	reply_sessions(&a, meta, r);
}

/* Not blocking, but with the table's index; no word about a leader. */
void
session_renew_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const char *id = session_id(arg);
	struct indexed_sessions a;
	struct query_meta m = *meta;
	const struct session *x;

	if (!id_fits(id, r))
		return;
	memset(&a, 0, sizeof(a));
	m.index = store_index(srv->store)->sessions;
	m.known_leader = false;
	if ((x = store_session(srv->store, id)) != NULL) {
		add_session(x, &a);
		session_arm(srv, x);
	}
	reply_sessions(&a, &m, r);
}

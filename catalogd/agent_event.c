/*
 * User events of this agent: Agent.EventFire gives one to a server, which
 * spreads it; what gossip brings is kept if it is for this node, and
 * Agent.EventList shows it or waits for more.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/agent_api_int.h"
#include "common/log.h"

#define FIRE_TIMEOUT_MS	30000
#define REMOTE_EXEC	"_rexec"	/* not run here, whoever asks */

/* ---- firing ---- */

static void
on_fired(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct agent_wait	*w = arg;
	struct user_event	 e = w->event;
	struct api_request	 r;

	(void)body;
	(void)len;
	w->call = NULL;
	memset(&w->event, 0, sizeof(w->event));
	api_resume(w, 0, &r);
	if (status == CALL_OK)
		api_answer(&r, &user_event_schema, &e);
	else
		r.fn(status, error, NULL, 0, r.arg);
	schema_clear(&user_event_schema, &e);
}

static bool
not_by_time(struct agent_wait *w, uint64_t now)
{
	(void)w;
	(void)now;
	return false;
}

static void
fire(struct api_request *r, struct agent_event_fire *q)
{
	const struct conf_catalog	*cat = &r->api->agent->cat;
	struct event_fire_request	 f;
	struct agent_wait		*w;
	struct wbuf			 payload;

	q->event.id = xcalloc(1, 37);
	uuid_make(q->event.id);
	q->event.version = USER_EVENT_VERSION;
	wb_init(&payload, 0);
	user_event_encode(&q->event, &payload);
	memset(&f, 0, sizeof(f));
	f.datacenter = q->datacenter;
	f.token = !str_empty(q->token) ? q->token : cat->token_default;
	f.name = q->event.name;
	f.payload.p = payload.p;
	f.payload.n = payload.len;
	f.payload.set = true;
	f.allow_stale = true;		/* any server can spread it */
	w = api_wait(r, AGENT_NEVER, not_by_time);
	w->event = q->event;
	memset(&q->event, 0, sizeof(q->event));
	w->call = r->api->ops.call("Internal.EventFire",
	    &event_fire_request_schema, &f, true, FIRE_TIMEOUT_MS, on_fired, w,
	    r->api->ops.arg);
	wb_free(&payload);
}

int
api_event_fire(struct api_request *r)
{
	struct agent_event_fire	 q;
	int			 rc;

	if (api_body(r, &agent_event_fire_schema, &q) == -1)
		return -1;
	str_set(&q.event.id, NULL);	/* it gets one of ours */
	rc = user_event_check(&q.event, r->err, sizeof(r->err));
	if (rc == 0)
		fire(r, &q);
	schema_clear(&agent_event_fire_schema, &q);
	return rc;
}

/* ---- the list ---- */

/* Shallow: the events stay the ring's, the caller frees the vector alone. */
static void
collect(const struct user_events *l, const char *name,
    struct agent_events *out)
{
	const struct user_event	*e;
	size_t			 i;

	memset(out, 0, sizeof(*out));
	out->index = 1;		/* not 0, which would never wait */
	for (i = 0; i < l->n; i++) {
		e = user_events_at(l, i);
		if (!str_empty(name) && strcmp(str_or(e->name, ""), name) != 0)
			continue;
		memcpy(VEC_ADD(&out->events), e, sizeof(*e));
		out->index = user_event_index(e->id);
	}
}

/* Answers, unless it is to wait and the list is the same. */
static bool
list_answer(struct api_request *r, const struct agent_event_list *q, bool wait)
{
	struct agent_events	 a;
	bool			 yes;

	collect(&r->api->events, q->name, &a);
	yes = !wait || q->index == 0 || a.index != q->index;
	if (yes)
		api_answer(r, &agent_events_schema, &a);
	free(a.events.item);
	return yes;
}

static bool
list_over(struct agent_wait *w, uint64_t now)
{
	struct agent_event_list	 q;
	struct api_request	 r;
	struct agent_events	 a;
	bool			 same;

	if (now < w->until) {
		if (w->gen == w->api->events.gen)
			return false;
		w->gen = w->api->events.gen;
		collect(&w->api->events, w->list.name, &a);
		same = a.index == w->list.index;
		free(a.events.item);
		if (same)
			return false;
	}
	q = w->list;
	memset(&w->list, 0, sizeof(w->list));
	api_resume(w, now, &r);
	(void)list_answer(&r, &q, false);
	schema_clear(&agent_event_list_schema, &q);
	return true;
}

int
api_event_list(struct api_request *r)
{
	struct agent_event_list	 q;
	struct agent_wait	*w;
	int64_t			 ns;

	if (api_body(r, &agent_event_list_schema, &q) == -1)
		return -1;
	if (list_answer(r, &q, true)) {
		schema_clear(&agent_event_list_schema, &q);
		return 0;
	}
	ns = q.wait > 0 && q.wait < API_WAIT_MAX_NS ? q.wait : API_WAIT_MAX_NS;
	w = api_wait(r, r->now + (uint64_t)(ns / NS_PER_MS), list_over);
	w->list = q;
	w->gen = r->api->events.gen;
	return 0;
}

/* ---- what gossip brings ---- */

void
agent_api_event(struct agent_api *api, const struct msg_event *m)
{
	struct user_event	 e;
	const char		*why;

	if (user_event_decode(m->payload.p, m->payload.n, &e, &why) == -1) {
		log_warnx("event %s: dropped: %s", str_or(m->name, ""), why);
		return;
	}
	e.ltime = m->ltime;
	if (e.version > USER_EVENT_VERSION)
		log_warnx("event %s: version %llu may say more than is "
		    "understood here", str_or(e.name, ""),
		    (unsigned long long)e.version);
	if (strcmp(str_or(e.name, ""), REMOTE_EXEC) == 0)
		log_info("event %s: ignored: remote execution is not "
		    "supported", e.name);
	else if (user_event_for(&e, api->agent))
		(void)user_events_add(&api->events, &e);
	schema_clear(&user_event_schema, &e);
}

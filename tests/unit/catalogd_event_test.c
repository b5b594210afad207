/*
 * User events: the payload that travels, whom it is for, the ring, firing and
 * waiting.
 */
#include "catalogd/agent_api.h"
#include "catalogd/user_event.h"
#include "tests/unit/catalogd_agent_unit.h"

/* Of an event that Consul 1.8.7 sent (tests/vectors/gossip). */
static const char consul_payload[] =
    "85a24944d92430643233313338322d303934322d336563652d623361312d6164306666"
    "65303039343565a16ea66465706c6f79a170c408637061796c6f6164a27366a3776562"
    "a17601";

static size_t
unhex(const char *text, uint8_t *out)
{
	size_t	 n = strlen(text);

	ck_assert_int_eq(hex_decode(text, n, out), 0);
	return n / 2;
}

START_TEST(reads_and_writes_what_consul_sends)
{
	struct user_event	 e;
	struct wbuf		 w;
	uint8_t			 p[256];
	const char		*why;
	size_t			 n = unhex(consul_payload, p);

	ck_assert_int_eq(user_event_decode(p, n, &e, &why), 0);
	ck_assert_str_eq(e.id, "0d231382-0942-3ece-b3a1-ad0ffe00945e");
	ck_assert_str_eq(e.name, "deploy");
	ck_assert_uint_eq(e.payload.n, 8);
	ck_assert_mem_eq(e.payload.p, "cpayload", 8);
	ck_assert_str_eq(e.service_filter, "web");
	ck_assert_uint_eq(e.version, 1);
	wb_init(&w, 0);
	user_event_encode(&e, &w);
	ck_assert_uint_eq(w.len, n);
	ck_assert_mem_eq(w.p, p, n);
	wb_free(&w);
	schema_clear(&user_event_schema, &e);
}
END_TEST

START_TEST(refuses_what_is_no_event)
{
	static const char *const bad[] = {
		"",
		"c0c0",
		"81a24944a178",			/* no UUID */
		"80",
		"81a24944",			/* cut off */
	};
	struct user_event	 e;
	uint8_t			 p[USER_EVENT_MAX + 1] = { 0x80 };
	const char		*why;
	size_t			 i, n;

	for (i = 0; i < NELEM(bad); i++) {
		n = unhex(bad[i], p);
		ck_assert_int_eq(user_event_decode(p, n, &e, &why), -1);
		ck_assert_ptr_nonnull(why);
	}
	ck_assert_int_eq(user_event_decode(p, sizeof(p), &e, &why), -1);
	ck_assert_str_eq(why, "too long");
}
END_TEST

START_TEST(index_is_that_of_consul)
{
	/* From a recording of event/list. */
	ck_assert_uint_eq(user_event_index(
	    "af9b5ac9-ff4d-d7b0-7227-14945fde43a8"), 15977731742036628504u);
	ck_assert_uint_eq(user_event_index(
	    "dabec74d-80c9-18a2-4a57-8c9cc78544a7"), 10441960573251640325u);
}
END_TEST

static struct user_event
filters(const char *node, const char *service, const char *tag)
{
	struct user_event	 e;

	memset(&e, 0, sizeof(e));
	e.name = (char *)(uintptr_t)"deploy";
	e.node_filter = (char *)(uintptr_t)node;
	e.service_filter = (char *)(uintptr_t)service;
	e.tag_filter = (char *)(uintptr_t)tag;
	return e;
}

static bool
is_for(struct agent *a, const char *node, const char *service, const char *tag)
{
	struct user_event	 e = filters(node, service, tag);

	return user_event_for(&e, a);
}

START_TEST(filters_by_node_service_and_tag)
{
	struct effects	 e;
	struct agent	*a = agent_make(&e);
	char		 err[256];

	ck_assert_int_eq(register_service(a, "{\"ID\":\"web1\","
	    "\"Name\":\"api\",\"Tags\":[\"blue\",\"v1\"]}", false, 0, err,
	    sizeof(err)), 0);
	ck_assert(is_for(a, NULL, NULL, NULL));
	ck_assert(is_for(a, "^node1$", NULL, NULL));
	ck_assert(is_for(a, "ode", NULL, NULL));
	ck_assert(!is_for(a, "^node2$", NULL, NULL));
	/* By the ID of the service, as Consul does it. */
	ck_assert(is_for(a, NULL, "^web1$", NULL));
	ck_assert(!is_for(a, NULL, "^api$", NULL));
	ck_assert(is_for(a, "node1", "web", "^v[0-9]$"));
	ck_assert(!is_for(a, "node1", "web", "green"));
	ck_assert(!is_for(a, "node2", "web", "blue"));
	/* What is no expression is for nobody. */
	ck_assert(!is_for(a, "[", NULL, NULL));
	agent_deregister_service(a, "web1", 0);
	ck_assert(!is_for(a, NULL, "web", NULL));
	effects_clear(&e);
	agent_free(a);
}
END_TEST

START_TEST(checks_an_event_in_the_words_of_consul)
{
	static const struct {
		const char *node, *service, *tag, *err;
	} bad[] = {
		{ NULL, NULL, "v1", "500 Cannot provide tag filter without "
		    "service filter" },
		{ "[", NULL, NULL, "500 Invalid node filter: error parsing "
		    "regexp: missing closing ]: `[`" },
		{ NULL, "(", NULL, "500 Invalid service filter: error parsing "
		    "regexp: missing closing ): `(`" },
		{ NULL, "a", "*", "500 Invalid tag filter: error parsing "
		    "regexp: missing argument to repetition operator: `*`" },
	};
	struct user_event	 e;
	char			 err[2048];
	size_t			 i;

	for (i = 0; i < NELEM(bad); i++) {
		e = filters(bad[i].node, bad[i].service, bad[i].tag);
		ck_assert_int_eq(user_event_check(&e, err, sizeof(err)), -1);
		ck_assert_str_eq(err, bad[i].err);
	}
	e = filters("n", "s", "t");
	ck_assert_int_eq(user_event_check(&e, err, sizeof(err)), 0);
	e.name = NULL;
	ck_assert_int_eq(user_event_check(&e, err, sizeof(err)), -1);
	ck_assert_str_eq(err, "500 User event missing name");
}
END_TEST

static bool
add(struct user_events *l, unsigned i)
{
	struct user_event	 e;
	bool			 yes;

	memset(&e, 0, sizeof(e));
	xasprintf(&e.id, "00000000-0000-0000-0000-%012u", i);
	yes = user_events_add(l, &e);
	schema_clear(&user_event_schema, &e);
	return yes;
}

START_TEST(ring_keeps_the_last_256_once_each)
{
	struct user_events	*l = xcalloc(1, sizeof(*l));
	unsigned		 i;

	for (i = 0; i < 300; i++)
		ck_assert(add(l, i));
	ck_assert_uint_eq(l->n, USER_EVENT_RING);
	ck_assert_str_eq(user_events_at(l, 0)->id,
	    "00000000-0000-0000-0000-000000000044");
	ck_assert_str_eq(user_events_at(l, 255)->id,
	    "00000000-0000-0000-0000-000000000299");
	ck_assert(!add(l, 100));
	ck_assert(add(l, 43));		/* forgotten, so new */
	ck_assert_uint_eq(l->gen, 301);
	user_events_clear(l);
	free(l);
}
END_TEST

/* ---- the methods ---- */

struct bench {
	struct effects		 e;
	struct agent		*agent;
	struct agent_api	*api;
	/* the call to the servers */
	struct event_fire_request fired;
	call_fn			*fn;
	void			*fn_arg;
	int			 calls, cancels;
	/* the last answer */
	int			 answers;
	enum call_status	 status;
	char			*error;
	struct agent_events	 list;
	struct user_event	 event;
	bool			 is_list;
};

static void
nothing(void *arg)
{
	(void)arg;
}

static void
no_stats(struct strmap *m, void *arg)
{
	(void)m;
	(void)arg;
}

static void *
on_call(const char *method, struct schema *s, const void *body, bool write,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct bench	*b = arg;

	ck_assert_str_eq(method, "Internal.EventFire");
	ck_assert(write);
	ck_assert_uint_gt(timeout_ms, 0);
	schema_clear(s, &b->fired);
	schema_copy(s, &b->fired, body);
	b->fn = fn;
	b->fn_arg = fn_arg;
	b->calls++;
	return b;
}

static void
on_cancel(void *handle, void *arg)
{
	struct bench	*b = arg;

	ck_assert_ptr_eq(handle, arg);
	b->cancels++;
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *p,
    size_t len, void *arg)
{
	struct bench	*b = arg;
	const char	*err;

	b->answers++;
	b->status = status;
	str_set(&b->error, error);
	if (status != CALL_OK)
		return;
	schema_clear(&agent_events_schema, &b->list);
	schema_clear(&user_event_schema, &b->event);
	ck_assert_int_eq(b->is_list ? schema_decode_all(&agent_events_schema,
	    p, len, &b->list, &err) : schema_decode_all(&user_event_schema, p,
	    len, &b->event, &err), 0);
}

static void
bench_init(struct bench *b)
{
	struct agent_api_ops	 ops = { .sync = nothing, .stats = no_stats,
				    .call = on_call, .cancel = on_cancel,
				    .arg = b };

	memset(b, 0, sizeof(*b));
	b->agent = agent_make(&b->e);
	b->api = agent_api_new(b->agent, &ops);
}

static void
bench_free(struct bench *b)
{
	agent_api_free(b->api);
	effects_clear(&b->e);
	agent_free(b->agent);
	schema_clear(&event_fire_request_schema, &b->fired);
	schema_clear(&agent_events_schema, &b->list);
	schema_clear(&user_event_schema, &b->event);
	free(b->error);
}

static struct agent_wait *
ask(struct bench *b, const char *method, struct schema *s, const void *obj,
    uint64_t now)
{
	struct agent_wait	*w;
	struct wbuf		 body;

	wb_init(&body, 0);
	schema_encode(s, obj, &body);
	w = agent_api_call(b->api, method, body.p, body.len, now, on_answer,
	    b);
	wb_free(&body);
	return w;
}

static struct agent_wait *
fire(struct bench *b, const char *name, const char *tag)
{
	struct agent_event_fire	 q;

	memset(&q, 0, sizeof(q));
	q.datacenter = (char *)(uintptr_t)"dc1";
	q.event = filters(NULL, NULL, tag);
	q.event.name = (char *)(uintptr_t)name;
	q.event.payload.p = (uint8_t *)(uintptr_t)"pay";
	q.event.payload.n = 3;
	q.event.payload.set = true;
	b->is_list = false;
	return ask(b, "Agent.EventFire", &agent_event_fire_schema, &q, 0);
}

static struct agent_wait *
list(struct bench *b, const char *name, uint64_t index, int64_t wait,
    uint64_t now)
{
	struct agent_event_list	 q;

	memset(&q, 0, sizeof(q));
	q.name = (char *)(uintptr_t)name;
	q.index = index;
	q.wait = wait;
	b->is_list = true;
	return ask(b, "Agent.EventList", &agent_event_list_schema, &q, now);
}

/* As it comes from gossip. */
static void
arrive(struct bench *b, const char *name, unsigned i)
{
	struct user_event	 e;
	struct msg_event	 m;
	struct wbuf		 w;

	memset(&e, 0, sizeof(e));
	xasprintf(&e.id, "00000000-0000-0000-0000-%012u", i);
	e.name = xstrdup(name);
	wb_init(&w, 0);
	user_event_encode(&e, &w);
	schema_clear(&user_event_schema, &e);
	memset(&m, 0, sizeof(m));
	m.name = (char *)(uintptr_t)USER_EVENT_PREFIX "x";
	m.payload.p = w.p;
	m.payload.n = w.len;
	m.ltime = i;
	agent_api_event(b->api, &m);
	wb_free(&w);
}

START_TEST(fires_by_a_server_and_answers_the_event)
{
	struct bench		 b;
	struct user_event	 sent;
	const char		*why;
	static const uint8_t	 none = 0x80;

	bench_init(&b);
	ck_assert_ptr_nonnull(fire(&b, "deploy", NULL));
	ck_assert_int_eq(b.calls, 1);
	ck_assert_int_eq(b.answers, 0);
	ck_assert_str_eq(b.fired.datacenter, "dc1");
	ck_assert_str_eq(b.fired.name, "deploy");
	ck_assert(b.fired.allow_stale);
	ck_assert_int_eq(user_event_decode(b.fired.payload.p,
	    b.fired.payload.n, &sent, &why), 0);
	b.fn(CALL_OK, NULL, &none, 1, b.fn_arg);
	ck_assert_int_eq(b.answers, 1);
	ck_assert_int_eq(b.status, CALL_OK);
	ck_assert_str_eq(b.event.id, sent.id);
	ck_assert_str_eq(b.event.name, "deploy");
	ck_assert_mem_eq(b.event.payload.p, "pay", 3);
	ck_assert_uint_eq(b.event.version, 1);
	ck_assert_uint_eq(b.event.ltime, 0);
	schema_clear(&user_event_schema, &sent);

	/* The server's error is the answer. */
	ck_assert_ptr_nonnull(fire(&b, "deploy", NULL));
	b.fn(CALL_ERROR, "No cluster leader", NULL, 0, b.fn_arg);
	ck_assert_int_eq(b.status, CALL_ERROR);
	ck_assert_str_eq(b.error, "No cluster leader");

	/* One that is not good does not reach a server. */
	ck_assert_ptr_null(fire(&b, "deploy", "tag"));
	ck_assert_int_eq(b.calls, 2);
	ck_assert_str_eq(b.error, "500 Cannot provide tag filter without "
	    "service filter");
	bench_free(&b);
}
END_TEST

START_TEST(a_caller_that_left_ends_the_call)
{
	struct bench		 b;
	struct agent_wait	*w;

	bench_init(&b);
	w = fire(&b, "deploy", NULL);
	ck_assert_ptr_nonnull(w);
	agent_api_cancel(w);
	ck_assert_int_eq(b.cancels, 1);
	ck_assert_int_eq(b.answers, 0);
	(void)fire(&b, "deploy", NULL);
	bench_free(&b);
	ck_assert_int_eq(b.cancels, 2);
}
END_TEST

START_TEST(lists_what_arrived_once_by_name)
{
	struct bench	 b;

	bench_init(&b);
	ck_assert_ptr_null(list(&b, NULL, 0, 0, 0));
	ck_assert_uint_eq(b.list.events.n, 0);
	ck_assert_uint_eq(b.list.index, 1);
	arrive(&b, "deploy", 1);
	arrive(&b, "other", 2);
	arrive(&b, "other", 2);
	arrive(&b, "_rexec", 3);
	(void)list(&b, NULL, 0, 0, 0);
	ck_assert_uint_eq(b.list.events.n, 2);
	ck_assert_uint_eq(b.list.index, 2);
	ck_assert_uint_eq(b.list.events.item[1].ltime, 2);
	(void)list(&b, "deploy", 0, 0, 0);
	ck_assert_uint_eq(b.list.events.n, 1);
	ck_assert_uint_eq(b.list.index, 1);
	(void)list(&b, "zzz", 0, 0, 0);
	ck_assert_uint_eq(b.list.events.n, 0);
	ck_assert_uint_eq(b.list.index, 1);
	bench_free(&b);
}
END_TEST

START_TEST(waits_for_another_event_of_that_name)
{
	struct bench	 b;

	bench_init(&b);
	arrive(&b, "deploy", 5);
	/* Another index: at once. */
	ck_assert_ptr_null(list(&b, "deploy", 4, 0, 0));
	ck_assert_ptr_nonnull(list(&b, "deploy", 5, 10 * NS_PER_S, 0));
	ck_assert_uint_eq(agent_api_run(b.api, 1 * SEC), 10 * SEC);
	arrive(&b, "other", 6);
	(void)agent_api_run(b.api, 2 * SEC);
	ck_assert_int_eq(b.answers, 1);
	arrive(&b, "deploy", 7);
	ck_assert_uint_eq(agent_api_run(b.api, 3 * SEC), AGENT_NEVER);
	ck_assert_int_eq(b.answers, 2);
	ck_assert_uint_eq(b.list.index, 7);

	/* Time is up: what is there. */
	ck_assert_ptr_nonnull(list(&b, NULL, 7, 1 * NS_PER_S, 4 * SEC));
	(void)agent_api_run(b.api, 4 * SEC + 999);
	ck_assert_int_eq(b.answers, 2);
	(void)agent_api_run(b.api, 5 * SEC);
	ck_assert_int_eq(b.answers, 3);
	ck_assert_uint_eq(b.list.events.n, 3);

	/* The longest wait is ten minutes, and the default. */
	ck_assert_ptr_nonnull(list(&b, NULL, 7, 0, 0));
	ck_assert_uint_eq(agent_api_run(b.api, 0), 600 * SEC);
	bench_free(&b);
}
END_TEST

UNIT_MAIN("catalogd_event", reads_and_writes_what_consul_sends,
    refuses_what_is_no_event, index_is_that_of_consul,
    filters_by_node_service_and_tag, checks_an_event_in_the_words_of_consul,
    ring_keeps_the_last_256_once_each,
    fires_by_a_server_and_answers_the_event, a_caller_that_left_ends_the_call,
    lists_what_arrived_once_by_name, waits_for_another_event_of_that_name)

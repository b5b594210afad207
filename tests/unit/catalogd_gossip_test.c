/*
 * What gossipd is asked for others, with a link whose other end plays it; and
 * when this node's coordinate is sent.
 */
#include <sys/socket.h>

#include "catalogd/coord_send.h"
#include "catalogd/gossip.h"
#include "common/mp.h"
#include "tests/unit/catalogd_agent_unit.h"

#define GUARD_MS 5000

struct bench {
	struct ev	*ev;
	struct gossip	*g;
	struct ipc	*here, *there;
	struct ev_timer	*guard;
	/* what gossipd was asked last */
	int		 asked;
	uint32_t	 id;
	char		*method;
	struct wbuf	 body;
	bool		 stop_at_answer;
	/* the last answer */
	int		 answers;
	enum call_status status;
	char		*error;
	struct wbuf	 reply;
};

static void
on_guard(void *arg)
{
	(void)arg;
	ck_abort_msg("nothing came");
}

static void
on_here(struct ipc *l, const struct imsg *m, void *arg)
{
	struct bench	*b = arg;

	(void)l;
	if (m == NULL) {
		gossip_link(b->g, NULL);
		return;
	}
	ck_assert_int_eq(m->type, IMSG_ANSWER);
	gossip_answer(b->g, m);
	if (b->stop_at_answer)
		ev_stop(b->ev);
}

static void
on_there(struct ipc *l, const struct imsg *m, void *arg)
{
	struct bench	*b = arg;
	struct msg_call	 c;
	const uint8_t	*p;
	size_t		 len;

	(void)l;
	if (m == NULL || m->type != IMSG_CALL)
		return;
	ck_assert_int_eq(call_read(m, &c, &p, &len), 0);
	b->asked++;
	b->id = m->id;
	str_set(&b->method, c.method);
	wb_reset(&b->body);
	wb_bytes(&b->body, p, len);
	schema_clear(&msg_call_schema, &c);
	ev_stop(b->ev);
}

static void
bench_init(struct bench *b, uint64_t port_wan)
{
	struct conf_agent	 conf;
	int			 fd[2];

	memset(b, 0, sizeof(*b));
	memset(&conf, 0, sizeof(conf));
	conf.node_name = (char *)(uintptr_t)"node1";
	conf.datacenter = (char *)(uintptr_t)"dc1";
	conf.server = true;
	conf.port_wan = port_wan;
	b->ev = ev_new();
	b->g = gossip_new(b->ev, &conf);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fd), 0);
	b->here = ipc_new(b->ev, fd[0], PROC_CATALOGD, PROC_GOSSIPD, on_here,
	    b);
	b->there = ipc_new(b->ev, fd[1], PROC_GOSSIPD, PROC_CATALOGD,
	    on_there, b);
	gossip_link(b->g, b->here);
	b->guard = ev_timer_new(b->ev, on_guard, b);
	ev_timer_set(b->guard, GUARD_MS);
}

static void
bench_free(struct bench *b)
{
	gossip_free(b->g);
	ipc_free(b->here);
	ipc_free(b->there);
	ev_timer_free(b->guard);
	ev_free(b->ev);
	free(b->method);
	free(b->error);
	wb_free(&b->body);
	wb_free(&b->reply);
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *p,
    size_t len, void *arg)
{
	struct bench	*b = arg;

	b->answers++;
	b->status = status;
	str_set(&b->error, error);
	wb_reset(&b->reply);
	if (len > 0)
		wb_bytes(&b->reply, p, len);
	ev_stop(b->ev);
}

static struct gossip_call *
call(struct bench *b, const char *method, struct schema *s, const void *obj)
{
	struct gossip_call	*c;
	struct msg_call		 m;
	struct wbuf		 w;

	memset(&m, 0, sizeof(m));
	m.method = (char *)(uintptr_t)method;
	wb_init(&w, 0);
	schema_encode(s, obj, &w);
	c = gossip_call(b->g, &m, w.p, w.len, on_answer, b);
	wb_free(&w);
	ck_assert_int_eq(b->answers, 0);
	return c;
}

static void
keyring(struct bench *b, const char *operation, const char *dc, bool local,
    bool forwarded)
{
	struct keyring_request	 q;

	memset(&q, 0, sizeof(q));
	q.operation = (char *)(uintptr_t)operation;
	q.key = (char *)(uintptr_t)"k==";
	q.datacenter = (char *)(uintptr_t)dc;
	q.local_only = local;
	q.forwarded = forwarded;
	q.relay_factor = 2;
	(void)call(b, "Internal.KeyringOperation", &keyring_request_schema,
	    &q);
	ev_run(b->ev);
}

/* gossipd was asked of this pool, and says that so many nodes have the key. */
static void
answer_pool(struct bench *b, bool wan, int64_t nodes)
{
	struct keyring_response	 r;
	struct gossip_keyring	 k;
	struct int_pair		*p;
	const char		*err;

	ck_assert_str_eq(b->method, "Gossip.Keyring");
	ck_assert_int_eq(schema_decode_all(&gossip_keyring_schema, b->body.p,
	    b->body.len, &k, &err), 0);
	ck_assert_str_eq(k.operation, "list");
	ck_assert_str_eq(k.key, "k==");
	ck_assert_uint_eq(k.relay_factor, 2);
	ck_assert(k.wan == wan);
	schema_clear(&gossip_keyring_schema, &k);
	memset(&r, 0, sizeof(r));
	p = VEC_ADD(&r.keys);
	p->key = xstrdup("k==");
	p->val = nodes;
	r.num_nodes = nodes;
	call_answer_schema(b->there, b->id, &keyring_response_schema, &r);
	schema_clear(&keyring_response_schema, &r);
	ev_run(b->ev);
}

static struct keyring_responses
responses(struct bench *b)
{
	struct keyring_responses	 a;
	const char			*err;

	ck_assert_int_eq(b->answers, 1);
	ck_assert_int_eq(b->status, CALL_OK);
	ck_assert_int_eq(schema_decode_all(&keyring_responses_schema,
	    b->reply.p, b->reply.len, &a, &err), 0);
	return a;
}

START_TEST(asks_the_wan_pool_and_then_the_lan)
{
	struct bench			 b;
	struct keyring_responses	 a;

	bench_init(&b, 8302);
	keyring(&b, "list", "", false, false);
	answer_pool(&b, true, 1);
	answer_pool(&b, false, 3);
	a = responses(&b);
	ck_assert_uint_eq(a.responses.n, 2);
	ck_assert(a.responses.item[0].wan);
	ck_assert_str_eq(a.responses.item[0].datacenter, "dc1");
	ck_assert(!a.responses.item[1].wan);
	ck_assert_int_eq(a.responses.item[1].num_nodes, 3);
	ck_assert_str_eq(a.responses.item[1].keys.item[0].key, "k==");
	schema_clear(&keyring_responses_schema, &a);
	bench_free(&b);
}
END_TEST

START_TEST(asks_the_lan_alone_without_a_wan_pool_or_when_told)
{
	static const struct { uint64_t wan; bool local, forwarded; } t[] = {
		{ 0, false, false }, { 8302, true, false },
		{ 8302, false, true }
	};
	struct bench			 b;
	struct keyring_responses	 a;
	size_t				 i;

	for (i = 0; i < NELEM(t); i++) {
		bench_init(&b, t[i].wan);
		keyring(&b, "list", "dc1", t[i].local, t[i].forwarded);
		answer_pool(&b, false, 2);
		a = responses(&b);
		ck_assert_uint_eq(a.responses.n, 1);
		schema_clear(&keyring_responses_schema, &a);
		bench_free(&b);
	}
}
END_TEST

START_TEST(one_pools_error_does_not_keep_the_other_from_being_asked)
{
	struct bench			 b;
	struct keyring_responses	 a;

	bench_init(&b, 8302);
	keyring(&b, "list", "", false, false);
	call_error(b.there, b.id, "illegal base64 data at input byte 0");
	ev_run(b.ev);
	answer_pool(&b, false, 1);
	a = responses(&b);
	ck_assert_uint_eq(a.responses.n, 2);
	ck_assert_str_eq(a.responses.item[0].error,
	    "illegal base64 data at input byte 0");
	ck_assert(a.responses.item[0].wan);
	ck_assert_str_eq(str_or(a.responses.item[1].error, ""), "");
	schema_clear(&keyring_responses_schema, &a);
	bench_free(&b);
}
END_TEST

START_TEST(refuses_without_asking_gossipd)
{
	static const struct {
		const char *op, *dc, *error; bool local;
	} t[] = {
		{ "use", "dc1", "argument error: LocalOnly can only be used "
		    "for List operations", true },
	};
	struct bench	 b;
	size_t		 i;

	for (i = 0; i < NELEM(t); i++) {
		bench_init(&b, 8302);
		keyring(&b, t[i].op, t[i].dc, t[i].local, false);
		ck_assert_int_eq(b.answers, 1);
		ck_assert_int_eq(b.asked, 0);
		ck_assert_int_eq(b.status, CALL_ERROR);
		ck_assert_str_eq(b.error, t[i].error);
		bench_free(&b);
	}
}
END_TEST

/* ---- other datacenters ---- */

static void
add_coordinate(struct node_coordinate_vec *l, const char *node, double height)
{
	struct node_coordinate	*nc = VEC_ADD(l);

	nc->node = xstrdup(node);
	nc->coord.height = height;
}

struct remote_call {
	char		*dc;
	struct wbuf	 body;
	call_fn		*fn;
	void		*arg;
};
static struct remote_call remotes[4];
static size_t nremotes;
static int ncancelled;

static void *
on_remote(const struct msg_call *m, const uint8_t *p, size_t len,
    uint64_t timeout_ms, call_fn *fn, void *fn_arg, void *arg)
{
	struct remote_call	*r = &remotes[nremotes++];

	(void)arg;
	ck_assert_uint_gt(timeout_ms, 14000);
	ck_assert_uint_eq(m->target, CALL_DC);
	ck_assert_str_eq(m->method, "Internal.KeyringOperation");
	r->dc = xstrdup(m->datacenter);
	wb_init(&r->body, 0);
	wb_bytes(&r->body, p, len);
	r->fn = fn;
	r->arg = fn_arg;
	return r;
}

static void
on_remote_cancel(void *handle, void *arg)
{
	(void)handle;
	(void)arg;
	ncancelled++;
}

/* dc2 and dc3 besides dc1. */
static void
remotes_init(struct bench *b)
{
	struct gossip_remote	 ops = { on_remote, on_remote_cancel, NULL };
	static const char *const dcs[] = { "dc3", "dc2", "dc1" };
	struct member		 m;
	size_t			 i;

	nremotes = 0;
	ncancelled = 0;
	gossip_set_remote(b->g, &ops);
	for (i = 0; i < NELEM(dcs); i++) {
		memset(&m, 0, sizeof(m));
		m.wan = true;
		m.status = MEMBER_ALIVE;
		xasprintf(&m.name, "node1.%s", dcs[i]);
		strmap_put(&m.tags, "role", "consul");
		strmap_put(&m.tags, "dc", dcs[i]);
		datacenters_member(gossip_datacenters(b->g), &m);
		schema_clear(&member_schema, &m);
	}
}

static void
remotes_clear(void)
{
	size_t	 i;

	for (i = 0; i < nremotes; i++) {
		free(remotes[i].dc);
		wb_free(&remotes[i].body);
	}
	nremotes = 0;
}

static void
remote_says(size_t i, int64_t nodes, const char *error)
{
	struct keyring_responses	 a;
	struct keyring_response		*r;
	struct keyring_request		 q;
	const char			*why;
	struct wbuf			 w;

	ck_assert_int_eq(schema_decode_all(&keyring_request_schema,
	    remotes[i].body.p, remotes[i].body.len, &q, &why), 0);
	ck_assert(q.forwarded);
	ck_assert_str_eq(q.operation, "list");
	ck_assert_str_eq(q.key, "k==");
	ck_assert_str_eq(q.datacenter, remotes[i].dc);
	schema_clear(&keyring_request_schema, &q);
	memset(&a, 0, sizeof(a));
	r = VEC_ADD(&a.responses);
	r->num_nodes = nodes;
	r->datacenter = xstrdup(remotes[i].dc);
	wb_init(&w, 0);
	schema_encode(&keyring_responses_schema, &a, &w);
	if (error != NULL)
		remotes[i].fn(CALL_ERROR, error, NULL, 0, remotes[i].arg);
	else
		remotes[i].fn(CALL_OK, NULL, w.p, w.len, remotes[i].arg);
	wb_free(&w);
	schema_clear(&keyring_responses_schema, &a);
}

START_TEST(other_datacenters_lans_are_asked_too)
{
	struct bench			 b;
	struct keyring_responses	 a;
	int				 last;

	/* The last answer is gossipd's, or another datacenter's. */
	for (last = 0; last < 2; last++) {
		bench_init(&b, 8302);
		remotes_init(&b);
		keyring(&b, "list", "dc1", false, false);
		ck_assert_uint_eq(nremotes, 0);
		answer_pool(&b, true, 1);
		ck_assert_uint_eq(nremotes, 2);
		ck_assert_str_eq(remotes[0].dc, "dc2");
		ck_assert_str_eq(remotes[1].dc, "dc3");
		remote_says(1, 7, NULL);
		if (last == 0) {
			remote_says(0, 0, "no server");
			answer_pool(&b, false, 3);
		} else {
			call_answer(b.there, b.id, "\x80", 1);
			b.stop_at_answer = true;
			ev_run(b.ev);
			ck_assert_int_eq(b.answers, 0);
			remote_says(0, 0, "no server");
		}
		a = responses(&b);
		ck_assert_uint_eq(a.responses.n, 4);
		ck_assert(a.responses.item[0].wan);
		ck_assert_str_eq(a.responses.item[1].datacenter, "dc1");
		ck_assert_str_eq(a.responses.item[2].datacenter, "dc2");
		ck_assert_str_eq(a.responses.item[2].error, "no server");
		ck_assert_str_eq(a.responses.item[3].datacenter, "dc3");
		ck_assert_int_eq(a.responses.item[3].num_nodes, 7);
		schema_clear(&keyring_responses_schema, &a);
		remotes_clear();
		bench_free(&b);
	}
}
END_TEST

START_TEST(forwarded_operation_goes_no_further)
{
	static const struct { bool local, forwarded; } t[] = {
		{ true, false }, { false, true }
	};
	struct bench	 b;
	size_t		 i;

	for (i = 0; i < NELEM(t); i++) {
		bench_init(&b, 8302);
		remotes_init(&b);
		/* Named as whoever asked first named it. */
		keyring(&b, "list", "dc2", t[i].local, t[i].forwarded);
		answer_pool(&b, false, 3);
		ck_assert_int_eq(b.status, CALL_OK);
		ck_assert_uint_eq(nremotes, 0);
		bench_free(&b);
	}
}
END_TEST

START_TEST(gossipd_that_dies_cancels_the_others)
{
	struct bench	 b;

	bench_init(&b, 8302);
	remotes_init(&b);
	keyring(&b, "list", "", false, false);
	answer_pool(&b, true, 1);
	gossip_link(b.g, NULL);
	ev_run(b.ev);
	ck_assert_int_eq(b.answers, 1);
	ck_assert_int_eq(b.status, CALL_LOST);
	ck_assert_int_eq(ncancelled, 2);
	remotes_clear();
	bench_free(&b);
}
END_TEST

START_TEST(names_come_by_distance_and_without_gossipd_by_name)
{
	/* The first is as recorded of a server that is alone. */
	static const char *const	 want[] = { "\x91\xa3" "dc1",
		"\x93\xa3" "dc1\xa3" "dc3\xa3" "dc2",
		"\x93\xa3" "dc1\xa3" "dc2\xa3" "dc3" };
	struct gossip_coordinates	 a;
	struct empty			 none = { 0 };
	struct bench			 b;
	size_t				 i;

	for (i = 0; i < NELEM(want); i++) {
		bench_init(&b, 8302);
		if (i > 0)
			remotes_init(&b);
		(void)call(&b, "Catalog.ListDatacenters", &empty_schema,
		    &none);
		ev_run(b.ev);
		ck_assert_str_eq(b.method, "Gossip.Coordinates");
		if (i == 2)
			gossip_link(b.g, NULL);
		else {
			memset(&a, 0, sizeof(a));
			add_coordinate(&a.others, "node1.dc2", 2);
			add_coordinate(&a.others, "node1.dc3", 1);
			call_answer_schema(b.there, b.id,
			    &gossip_coordinates_schema, &a);
			schema_clear(&gossip_coordinates_schema, &a);
		}
		ev_run(b.ev);
		ck_assert_int_eq(b.status, CALL_OK);
		ck_assert_uint_eq(b.reply.len, strlen(want[i]));
		ck_assert_mem_eq(b.reply.p, want[i], b.reply.len);
		bench_free(&b);
	}
}
END_TEST

START_TEST(a_gossipd_that_dies_ends_the_call)
{
	struct bench	 b;

	bench_init(&b, 8302);
	keyring(&b, "list", "", false, false);
	gossip_link(b.g, NULL);
	ev_run(b.ev);
	ck_assert_int_eq(b.answers, 1);
	ck_assert_int_eq(b.status, CALL_LOST);
	bench_free(&b);
}
END_TEST

START_TEST(a_cancelled_call_is_not_answered)
{
	struct bench		 b;
	struct gossip_call	*c;
	struct empty		 none = { 0 };

	bench_init(&b, 8302);
	c = call(&b, "Coordinate.ListDatacenters", &empty_schema, &none);
	ev_run(b.ev);
	ck_assert_int_eq(b.asked, 1);
	gossip_call_cancel(c);
	/* One that was not started yet, and one that is freed with it. */
	gossip_call_cancel(call(&b, "Coordinate.ListDatacenters",
	    &empty_schema, &none));
	(void)call(&b, "Coordinate.ListDatacenters", &empty_schema, &none);
	bench_free(&b);
	ck_assert_int_eq(b.answers, 0);
}
END_TEST

START_TEST(datacenters_are_those_of_the_wan_pool)
{
	struct bench			 b;
	struct gossip_coordinates	 a;
	struct datacenter_map		 m;
	struct empty			 none = { 0 };
	struct rbuf			 r;

	bench_init(&b, 8302);
	(void)call(&b, "Coordinate.ListDatacenters", &empty_schema, &none);
	ev_run(b.ev);
	ck_assert_str_eq(b.method, "Gossip.Coordinates");
	memset(&a, 0, sizeof(a));
	a.own.height = 0.5;
	add_coordinate(&a.others, "a.b.dc2", 2);
	add_coordinate(&a.others, "node1.dc1", 9);	/* own says it */
	add_coordinate(&a.others, "node2.dc1", 1);
	add_coordinate(&a.others, "nodot", 7);
	call_answer_schema(b.there, b.id, &gossip_coordinates_schema, &a);
	schema_clear(&gossip_coordinates_schema, &a);
	ev_run(b.ev);
	ck_assert_int_eq(b.status, CALL_OK);
	rb_init(&r, b.reply.p, b.reply.len);
	ck_assert_uint_eq(mp_get_array(&r), 2);
	ck_assert_int_eq(schema_decode(&datacenter_map_schema, &r, &m), 0);
	ck_assert_str_eq(m.datacenter, "dc1");
	ck_assert_str_eq(m.area_id, "wan");
	ck_assert_uint_eq(m.coordinates.n, 2);
	ck_assert_str_eq(m.coordinates.item[0].node, "node2");
	ck_assert_str_eq(m.coordinates.item[1].node, "node1");
	ck_assert_double_eq(m.coordinates.item[1].coord.height, 0.5);
	schema_clear(&datacenter_map_schema, &m);
	ck_assert_int_eq(schema_decode(&datacenter_map_schema, &r, &m), 0);
	ck_assert_str_eq(m.datacenter, "dc2");
	ck_assert_str_eq(m.coordinates.item[0].node, "a.b");
	schema_clear(&datacenter_map_schema, &m);
	ck_assert(rb_done(&r));
	bench_free(&b);

	/* Without the pool: none. */
	bench_init(&b, 0);
	(void)call(&b, "Coordinate.ListDatacenters", &empty_schema, &none);
	ev_run(b.ev);
	ck_assert_int_eq(b.asked, 0);
	ck_assert_uint_eq(b.reply.len, 1);
	ck_assert_uint_eq(b.reply.p[0], 0x90);
	bench_free(&b);
}
END_TEST

/* ---- sending this node's own ---- */

struct sender {
	struct effects			 e;
	struct agent			*agent;
	struct coord_send		*s;
	int				 asks, sends, logs;
	struct coordinate_update	 sent;
};

static void
on_ask(void *arg)
{
	((struct sender *)arg)->asks++;
}

static void
on_send(const struct coordinate_update *u, void *arg)
{
	struct sender	*x = arg;

	x->sends++;
	schema_clear(&coordinate_update_schema, &x->sent);
	schema_copy(&coordinate_update_schema, &x->sent, u);
}

static void
on_log(bool warning, const char *text, void *arg)
{
	(void)warning;
	(void)text;
	((struct sender *)arg)->logs++;
}

static void
sender_init(struct sender *x)
{
	struct coord_send_ops	 ops = { on_ask, on_send, on_log, x };

	memset(x, 0, sizeof(*x));
	x->agent = agent_make(&x->e);
	x->s = coord_send_new(x->agent, &ops, 0, 3);
}

static void
sender_free(struct sender *x)
{
	coord_send_free(x->s);
	effects_clear(&x->e);
	agent_free(x->agent);
	schema_clear(&coordinate_update_schema, &x->sent);
}

START_TEST(coordinate_is_sent_every_15_to_30_s)
{
	struct sender		 x;
	struct coordinate	 c = { .height = 0.25 };
	uint64_t		 at, now = 0;
	int			 i;

	sender_init(&x);
	for (i = 0; i < 20; i++) {
		at = coord_send_run(x.s, now);
		ck_assert_uint_ge(at, now + 15 * SEC);
		ck_assert_uint_lt(at, now + 30 * SEC);
		ck_assert_uint_eq(coord_send_run(x.s, at), AGENT_NEVER);
		ck_assert_int_eq(x.asks, i + 1);
		now = at + 5;
		coord_send_got(x.s, &c, now);
		ck_assert_int_eq(x.sends, i + 1);
		ck_assert_uint_eq(coord_send_run(x.s, now), AGENT_NEVER);
		coord_send_done(x.s, NULL, now);
	}
	ck_assert_str_eq(x.sent.node, "node1");
	ck_assert_str_eq(x.sent.datacenter, "dc1");
	ck_assert_str_eq(str_or(x.sent.segment, ""), "");
	ck_assert_double_eq(x.sent.coord.height, 0.25);
	sender_free(&x);
}
END_TEST

START_TEST(a_large_cluster_sends_64_a_second)
{
	struct sender	 x;
	uint64_t	 at;

	sender_init(&x);
	coord_send_members(x.s, 64000);
	(void)coord_send_run(x.s, 30 * SEC);
	coord_send_got(x.s, NULL, 30 * SEC);	/* they are off: none is sent */
	ck_assert_int_eq(x.sends, 0);
	at = coord_send_run(x.s, 30 * SEC);
	ck_assert_uint_ge(at, 1030 * SEC);
	ck_assert_uint_lt(at, 2030 * SEC);
	sender_free(&x);
}
END_TEST

START_TEST(a_coordinate_that_cannot_be_sent_is_said_once)
{
	struct sender		 x;
	struct coordinate	 c = { .height = 1 };
	uint64_t		 at;
	int			 i;

	sender_init(&x);
	for (i = 0, at = 0; i < 6; i++) {
		at = coord_send_run(x.s, at);
		(void)coord_send_run(x.s, at);
		coord_send_got(x.s, &c, at);
		coord_send_done(x.s, i < 3 ? "No cluster leader" : NULL, at);
	}
	ck_assert_int_eq(x.sends, 6);
	ck_assert_int_eq(x.logs, 2);	/* it failed; it works again */

	/* Leaving: what is under way ends nothing. */
	at = coord_send_run(x.s, at);
	(void)coord_send_run(x.s, at);
	coord_send_stop(x.s);
	coord_send_got(x.s, &c, at);
	ck_assert_int_eq(x.sends, 6);
	ck_assert_uint_eq(coord_send_run(x.s, at + 1000 * SEC), AGENT_NEVER);
	sender_free(&x);
}
END_TEST

UNIT_MAIN("catalogd_gossip", asks_the_wan_pool_and_then_the_lan,
    asks_the_lan_alone_without_a_wan_pool_or_when_told,
    one_pools_error_does_not_keep_the_other_from_being_asked,
    refuses_without_asking_gossipd, other_datacenters_lans_are_asked_too,
    forwarded_operation_goes_no_further, gossipd_that_dies_cancels_the_others,
    names_come_by_distance_and_without_gossipd_by_name,
    a_gossipd_that_dies_ends_the_call,
    a_cancelled_call_is_not_answered, datacenters_are_those_of_the_wan_pool,
    coordinate_is_sent_every_15_to_30_s, a_large_cluster_sends_64_a_second,
    a_coordinate_that_cannot_be_sent_is_said_once)

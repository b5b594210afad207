/*
 * The Serf layer in a conversation: messages, exchanges of state, questions of
 * our own and answers to them, keys, acks with coordinates, time.
 *
 * Records of a byte, what it is, a u16, how long, and as many bytes.
 */
#include "gossipd/tags.h"
#include "tests/fuzz/gossipd_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum op {
	OP_USER, OP_MESSAGE, OP_STATE, OP_ACK, OP_ASK, OP_KEYS, OP_ANSWER,
	OP_TIME, OP_LOCAL, OP_META, OP_MAX
};

static unsigned running;

static void
on_ack(void *arg, struct span from)
{
	(void)arg;
	if (from.n == 0)
		abort();
}

static void
on_answer(void *arg, struct span from, struct span payload)
{
	(void)arg, (void)payload;
	if (from.n == 0)
		abort();
}

static void
on_over(void *arg)
{
	(void)arg;
	running--;
}

static void
on_keys(void *arg, const struct serf_keys *k)
{
	(void)arg;
	if ((k->error == NULL) != (k->errors == 0 && k->answers == k->nodes) ||
	    k->nmessages > k->answers)
		abort();
}

static void
take_prefixed(struct world *w, uint8_t type, const uint8_t *p, size_t n)
{
	uint8_t	*msg = malloc(n + 1);

	msg[0] = type;
	memcpy(msg + 1, p, n);
	world_message(msg, n + 1, w);
	free(msg);
}

static void
take_state(struct world *w, const uint8_t *p, size_t n, bool ours)
{
	struct wbuf	state;

	wb_init(&state, 0);
	wb_u8(&state, ML_PUSHPULL);
	wb_bytes(&state, p, n);
	(void)serf_merge(w->serf, w->now, ours, state.p, state.len);
	/* What we say of it ourselves is well-formed. */
	wb_reset(&state);
	swim_state_write(serf_swim(w->serf), true, false, &state);
	if (serf_merge(w->serf, w->now, false, state.p, state.len) != NULL &&
	    swim_count(serf_swim(w->serf)) == 1)
		abort();
	wb_free(&state);
}

static void
take_ack(struct world *w, const uint8_t *p, size_t n)
{
	struct ml_ack	ack = { .payload = span_of(p, n) };

	world_pass(w, 200 * NS_PER_MS);
	ack.seq = w->probe_seq;
	world_body(w, ML_ACK, -1, &ml_ack_body, &ack);
}

/* A filter on a tag; the query asks ourselves, too. */
static void
take_ask(struct world *w, const uint8_t *p, size_t n)
{
	static const struct serf_hear	 hear = { on_ack, on_answer, on_over };
	struct serf_tag_filter		 tag = { span_str("role"), { p, n } };
	struct span			 node = span_of(p, n);
	struct serf_question		 q = {
		.name = span_str("_serf_conflict"),
		.payload = span_of(p, n < 5 ? n : 5), .ack = true,
		.relay = n % 7, .tags = &tag, .ntags = n % 2,
		.nodes = &node, .nnodes = n % 3 == 0
	};
	const char			*why = NULL;
	struct serf_query		*made;

	if (n > 3 && p[0] == '!')
		q.name = span_of(p, n);
	made = serf_ask(w->serf, w->now, &q, &hear, NULL, &why);
	if ((made == NULL) == (why == NULL))
		abort();
	running += made != NULL;
	world_pass(w, 300 * NS_PER_MS);
}

static void
take_keys(struct world *w, const uint8_t *p, size_t n)
{
	enum serf_key_op	op = n > 0 ? (enum serf_key_op)(p[0] % 4) :
				    KEY_LIST;

	(void)serf_keys(w->serf, w->now, op, p + (n > 0), n > 0 ? n - 1 : 0,
	    n % 3, on_keys, NULL);
	world_pass(w, 300 * NS_PER_MS);
}

/* From members in turn, to the last question that was sent. */
static void
take_answer(struct world *w, const uint8_t *p, size_t n)
{
	struct sf_response	a = {
		.ltime = w->ask_ltime, .id = w->ask_id,
		.from = span_str(n % 3 == 0 ? "alpha" : n % 3 == 1 ? "beta" :
		    "stranger"), .payload = span_of(p, n),
		.flags = n == 0
	};

	world_body(w, ML_USER, SF_RESPONSE, &sf_response_body, &a);
}

static void
take_time(struct world *w, const uint8_t *p, size_t n)
{
	static const uint64_t	 ms[] = { 10, 100, 1000, 5000, 40000 };

	world_pass(w, ms[n > 0 ? p[0] % NELEM(ms) : 0] * NS_PER_MS);
}

static void
take_local(struct world *w, const uint8_t *p, size_t n)
{
	struct span	name = span_of(p + 1, n > 0 ? n - 1 : 0);

	if (n == 0 || p[0] % 8 == 0)
		serf_leave(w->serf, w->now);
	else if (p[0] % 8 < 3)
		(void)serf_force_leave(w->serf, w->now, name, p[0] & 8);
	else if (p[0] % 8 < 6)
		(void)serf_fire(w->serf, w->now, name, name, p[0] & 8);
	else
		serf_announce(w->serf, w->now);
}

static void
take_meta(struct world *w, const uint8_t *p, size_t n)
{
	struct consul_rules	 us = { .name = "me", .id = "x", .dc = "dc1",
				    .server = true };
	struct swim_said	 a = { .meta = span_of(p, n) };
	struct strmap		 t = { 0 };

	tags_decode(a.meta, &t);
	strmap_clear(&t);
	(void)consul_valid_server(a.meta);
	(void)consul_admit(&us, &a, 1);
	if (n > 0 && n <= META_MAX)
		swim_set_meta(serf_swim(w->serf), w->now, a.meta);
}

static void
take(struct world *w, uint8_t op, const uint8_t *p, size_t n)
{
	switch ((enum op)(op % OP_MAX)) {
	case OP_USER:
		take_prefixed(w, ML_USER, p, n);
		break;
	case OP_MESSAGE:
		if (n > 0)
			world_message(p, n, w);
		break;
	case OP_STATE:
		take_state(w, p, n, (op & 128) != 0);
		break;
	case OP_ACK:
		take_ack(w, p, n);
		break;
	case OP_ASK:
		take_ask(w, p, n);
		break;
	case OP_KEYS:
		take_keys(w, p, n);
		break;
	case OP_ANSWER:
		take_answer(w, p, n);
		break;
	case OP_TIME:
		take_time(w, p, n);
		break;
	case OP_LOCAL:
		take_local(w, p, n);
		break;
	case OP_META:
		take_meta(w, p, n);
		break;
	case OP_MAX:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t	 key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
				    11, 12, 13, 14, 15 };
	struct keyring		*ring = keyring_new();
	struct world		 w;
	size_t			 n;
	uint8_t			 op;

	running = 0;
	world_init(&w, ring, NULL);
	if (size > 0 && (data[0] & 1) != 0)
		(void)keyring_add(ring, key, sizeof(key));
	for (data++, size = size > 0 ? size - 1 : 0; size >= 3;
	    data += n, size -= n) {
		op = data[0];
		n = (size_t)data[1] << 8 | data[2];
		data += 3;
		size -= 3;
		n = n < size ? n : size;
		take(&w, op, data, n);
	}
	world_pass(&w, 5 * NS_PER_S);
	world_check(&w);
	/* Questions without an end would run for ever. */
	if (running > 0)
		world_pass(&w, 40 * NS_PER_S);
	if (running > 0)
		abort();
	world_clear(&w);
	keyring_free(ring);
	return 0;
}

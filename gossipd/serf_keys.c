/*
 * The keys of the whole pool, changed and listed by query (gossip.md 10.5.3).
 *
 *	asked by others: the ring is changed, then written down; only then is
 *	    the answer "done".  What cannot be written is undone.
 *	asking: all members, ourselves included, until each that is alive has
 *	    answered or time is up; one that refuses or is silent is an error
 *	    of the whole, and what the others did stays done
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossipd/serf_int.h"

#define KEYS_MAX	256	/* different ones in answers */
#define KEY_TEXT_MAX	44	/* base64 of 32 bytes */
#define MESSAGE_MAX	512	/* of a member, kept */

/* In the order of enum serf_key_op. */
static const char *const query_name[] = {
	"_serf_install-key", "_serf_use-key", "_serf_remove-key",
	"_serf_list-keys"
};

/* ---- answering ---- */

static const char *
change(struct serf *s, enum serf_key_op op, struct span key)
{
	struct keyring	*ring = s->conf.ring, *before;
	const char	*why = NULL;

	before = keyring_dup(ring);
	switch (op) {
	case KEY_INSTALL:
		why = keyring_add(ring, key.p, key.n);
		break;
	case KEY_USE:
		why = keyring_use(ring, key.p, key.n);
		break;
	case KEY_REMOVE:
		why = keyring_remove(ring, key.p, key.n);
		break;
	case KEY_LIST:
		break;
	}
	if (why == NULL && s->ops.save_keys != NULL &&
	    (why = s->ops.save_keys(s->arg)) != NULL)
		keyring_restore(ring, before);
	keyring_free(before);
	return why;
}

static char *
key_text(const struct keyring *ring, size_t i)
{
	const uint8_t	*key;
	size_t		 len;

	key = keyring_key(ring, i, &len);
	return base64_text(key, len);
}

/* The first n keys, with a word about the rest. */
static void
write_list(const struct keyring *ring, size_t n, struct wbuf *w)
{
	struct sf_key_response	 a = { .result = true };
	struct wbuf		 keys;
	char			*text, message[96] = "";
	size_t			 i, all = keyring_count(ring);

	wb_init(&keys, 0);
	mp_array(&keys, n);
	for (i = 0; i < n; i++) {
		text = key_text(ring, i);
		mp_str(&keys, text);
		free(text);
	}
	if (n < all)
		(void)snprintf(message, sizeof(message), "truncated key list "
		    "response, showing first %zu of %zu keys", n, all);
	text = key_text(ring, 0);
	a.keys = span_of(keys.p, keys.len);
	a.message = span_str(message);
	a.primary = span_str(text);
	wb_reset(w);
	wb_u8(w, SF_KEY_RESPONSE);
	body_encode(&sf_key_response_body, &a, w);
	free(text);
	wb_free(&keys);
}

static void
answer_list(struct serf *s, const struct sf_query *q)
{
	size_t		n = keyring_count(s->conf.ring);
	struct wbuf	w;

	wb_init(&w, 0);
	do
		write_list(s->conf.ring, n, &w);
	while (serf_response(s, q, 0, span_of(w.p, w.len))->len - 1 >
	    SERF_QUERY_MAX && n-- > 0);
	serf_respond(s, q, 0, span_of(w.p, w.len));
	wb_free(&w);
}

static void
answer(struct serf *s, const struct sf_query *q, const char *why)
{
	struct sf_key_response	a = {
		.result = why == NULL, .message = span_str(why),
	};
	struct wbuf		w;

	wb_init(&w, 0);
	wb_u8(&w, SF_KEY_RESPONSE);
	body_encode(&sf_key_response_body, &a, &w);
	serf_respond(s, q, 0, span_of(w.p, w.len));
	wb_free(&w);
}

static void
answer_change(struct serf *s, const struct sf_query *q, enum serf_key_op op)
{
	struct sf_key	 req;
	struct rbuf	 r;
	const char	*why;

	rb_init(&r, q->payload.p, q->payload.n);
	if (rb_u8(&r) != SF_KEY)
		rb_fail(&r, "not a key request");
	body_decode(&sf_key_body, &r, &req);
	why = rb_ok(&r) ? change(s, op, req.key) : r.err;
	swim_note(s->swim, why == NULL ? SWIM_INFO : SWIM_WARN,
	    "keys: %s by word of %.*s: %s", query_name[op] + 6,
	    (int)q->src_node.n, (const char *)q->src_node.p,
	    why == NULL ? "done" : why);
	answer(s, q, why);
}

bool
serf_keys_answer(struct serf *s, const struct sf_query *q)
{
	size_t	op;

	for (op = 0; op < NELEM(query_name); op++)
		if (span_is(q->name, query_name[op]))
			break;
	if (op == NELEM(query_name))
		return false;
	if (keyring_count(s->conf.ring) == 0)
		answer(s, q, op == KEY_LIST ?
		    "Keyring is empty (encryption not enabled)" :
		    "No keyring to modify (encryption not enabled)");
	else if (op == KEY_LIST)
		answer_list(s, q);
	else
		answer_change(s, q, (enum serf_key_op)op);
	return true;
}

/* ---- asking ---- */

struct key_ask {
	LIST_ENTRY(key_ask)	 link;
	struct serf		*serf;
	struct serf_query	*query;
	enum serf_key_op	 op;
	serf_keys_fn		*fn;
	void			*arg;
	struct serf_keys	 r;
	char			 error[64];
};

static void
ask_free(struct key_ask *k)
{
	size_t	i;

	LIST_REMOVE(k, link);
	for (i = 0; i < k->r.nmessages; i++) {
		free(k->r.message[i].node);
		free(k->r.message[i].text);
	}
	for (i = 0; i < k->r.nkeys; i++)
		free(k->r.key[i].key);
	for (i = 0; i < k->r.nprimary; i++)
		free(k->r.primary[i].key);
	free(k->r.message);
	free(k->r.key);
	free(k->r.primary);
	free(k);
}

void
serf_keys_clear(struct serf *s)
{
	while (!LIST_EMPTY(&s->key_asks))
		ask_free(LIST_FIRST(&s->key_asks));
}

static void
ask_finish(struct key_ask *k)
{
	struct serf_keys	*r = &k->r;

	if (r->errors > 0)
		(void)snprintf(k->error, sizeof(k->error),
		    "%u/%u nodes reported failure", r->errors, r->nodes);
	else if (r->answers != r->nodes)
		(void)snprintf(k->error, sizeof(k->error),
		    "%u/%u nodes reported success", r->answers, r->nodes);
	if (k->error[0] != '\0')
		r->error = k->error;
	k->fn(k->arg, r);
	ask_free(k);
}

static void
say(struct key_ask *k, struct span from, struct span text)
{
	struct serf_keys	*r = &k->r;
	struct serf_key_message	*m;
	size_t			 n = text.n < MESSAGE_MAX ? text.n :
				     MESSAGE_MAX;

	r->message = xreallocarray(r->message, r->nmessages + 1,
	    sizeof(*r->message));
	m = &r->message[r->nmessages++];
	m->node = xmemdup_str(from.p, from.n);
	m->text = xmemdup_str(text.p, n);
}

static void
count(struct serf_key_count **list, size_t *n, struct span key)
{
	size_t	i;

	if (key.n == 0 || key.n > KEY_TEXT_MAX ||
	    memchr(key.p, '\0', key.n) != NULL)
		return;
	for (i = 0; i < *n; i++)
		if (span_is(key, (*list)[i].key)) {
			(*list)[i].nodes++;
			return;
		}
	if (*n == KEYS_MAX)
		return;
	*list = xreallocarray(*list, *n + 1, sizeof(**list));
	(*list)[*n].key = xmemdup_str(key.p, key.n);
	(*list)[(*n)++].nodes = 1;
}

static void
count_keys(struct key_ask *k, const struct sf_key_response *a)
{
	struct rbuf	r;
	struct span	key;
	size_t		i, n;

	rb_init(&r, a->keys.p, a->keys.n);
	n = a->keys.n == 0 ? 0 : mp_get_array(&r);
	for (i = 0; i < n; i++) {
		key.p = mp_get_raw(&r, &key.n);
		if (!rb_ok(&r))
			return;
		count(&k->r.key, &k->r.nkeys, key);
	}
	count(&k->r.primary, &k->r.nprimary, a->primary);
}

static void
on_answer(void *arg, struct span from, struct span payload)
{
	struct key_ask		*k = arg;
	struct sf_key_response	 a;
	struct rbuf		 r;
	bool			 typed;

	k->r.answers++;
	rb_init(&r, payload.p, payload.n);
	typed = rb_u8(&r) == SF_KEY_RESPONSE && rb_ok(&r);
	body_decode(&sf_key_response_body, &r, &a);
	if (!typed || !rb_ok(&r)) {
		k->r.errors++;
		say(k, from, span_str(typed ?
		    "Failed to decode key query response" :
		    "Invalid key query response type"));
	} else {
		k->r.errors += !a.result;
		if (!a.result || a.message.n > 0)
			say(k, from, a.message);
		if (k->op == KEY_LIST)
			count_keys(k, &a);
	}
	if (k->r.answers == k->r.nodes) {
		serf_ask_end(k->serf, k->query);
		ask_finish(k);
	}
}

static void
on_over(void *arg)
{
	ask_finish(arg);
}

static const struct serf_hear key_hear = {
	.answer = on_answer, .over = on_over
};

const char *
serf_keys(struct serf *s, uint64_t now, enum serf_key_op op,
    const uint8_t *key, size_t len, unsigned relay, serf_keys_fn *fn, void *arg)
{
	struct sf_key		 req = { .key = span_of(key, len) };
	struct serf_question	 ask = {
		.name = span_str(query_name[op]), .relay = relay
	};
	struct key_ask		*k;
	struct wbuf		 w;
	const char		*why = NULL;

	if (len == 0)
		req.key = span_str("");
	k = xcalloc(1, sizeof(*k));
	k->serf = s;
	k->op = op;
	k->fn = fn;
	k->arg = arg;
	k->r.nodes = (unsigned)swim_count_up(s->swim);
	wb_init(&w, 0);
	wb_u8(&w, SF_KEY);
	body_encode(&sf_key_body, &req, &w);
	ask.payload = span_of(w.p, w.len);
	k->query = serf_ask(s, now, &ask, &key_hear, k, &why);
	wb_free(&w);
	LIST_INSERT_HEAD(&s->key_asks, k, link);
	if (k->query == NULL)
		ask_free(k);
	return why;
}

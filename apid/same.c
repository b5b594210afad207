/*
 * One text for many: those who wait for the same thing get the same answer, one
 * after the other, and putting it into JSON is the most of what each costs.  So
 * the last text is kept, with the question and the message that it was made of.
 *
 * A handler of a read that asks catalogd once makes its answer of these alone;
 * how long to wait, and from which index on, do not show in it.
 */
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/util.h"

#define SAME_MAX (4u << 20)	/* of a text and its message: else not kept */
#define LARGE_BYTES (128u << 10)	/* from here on not for long */
#define LARGE_MS 5000

static bool
can_share(const struct request *r)
{
	return r->method == M_GET && r->state == NULL &&
	    r->give == NULL && !takes_gzip(r);
}

static void
put(struct wbuf *w, const char *s)
{
	wb_bytes(w, s, strlen(s) + 1);
}

/* Texts in order, each with its end. */
static void
question(const struct request *r, struct wbuf *w)
{
	const struct param *p;
	size_t i;

	put(w, r->path);
	for (i = 0; i < r->params.n; i++) {
		p = &r->params.item[i];
		if (strcmp(p->key, "index") == 0 || strcmp(p->key, "wait") == 0)
			continue;
		put(w, p->key);
		put(w, p->val);
	}
}

static void
forget(void *arg)
{
	struct apid *a = arg;
	struct same *s = &a->same;

	s->fn = NULL;
	wb_free(&s->body);
	wb_free(&s->text);
	wb_init(&s->body, 0);
	wb_init(&s->text, 0);
	child_give_back(a->child);
}

/* What is large goes soon, unless it is asked for again and again. */
static void
forget_later(struct apid *a)
{
	struct same *s = &a->same;

	if (s->body.len + s->text.len < LARGE_BYTES) {
		if (s->forget != NULL)
			ev_timer_stop(s->forget);
		return;
	}
	if (s->forget == NULL)
		s->forget = ev_timer_new(a->ev, forget, a);
	ev_timer_set(s->forget, LARGE_MS);
}

bool
same_reply(struct request *r, answered_fn *fn, const uint8_t *body, size_t len)
{
	struct same *s = &r->apid->same;
	struct header *h, *last = NULL;
	const char *p, *end;

	if (s->fn != fn || s->body.len != len || !can_share(r) ||
	    (len > 0 && memcmp(s->body.p, body, len) != 0))
		return false;
	wb_reset(&s->asked);
	question(r, &s->asked);
	if (s->asked.len != s->question.len ||
	    memcmp(s->asked.p, s->question.p, s->asked.len) != 0)
		return false;
	/* Those that it has already are among them. */
	while ((h = SLIST_FIRST(&r->headers)) != NULL) {
		SLIST_REMOVE_HEAD(&r->headers, entry);
		free(h->name);
		free(h->value);
		free(h);
	}
	end = (const char *)s->headers.p + s->headers.len;
	for (p = (const char *)s->headers.p; p < end; p += strlen(p) + 1) {
		h = xcalloc(1, sizeof(*h));
		h->name = xstrdup(p);
		p += strlen(p) + 1;
		h->value = xstrdup(p);
		if (last == NULL)
			SLIST_INSERT_HEAD(&r->headers, h, entry);
		else
			SLIST_INSERT_AFTER(last, h, entry);
		last = h;
	}
	wb_bytes(&r->answer, s->text.p, s->text.len);
	if (s->forget != NULL)
		forget_later(r->apid);
	r->type = s->type;
	reply_done(r, 200);
	return true;
}

void
same_keep(struct request *r, answered_fn *fn, const uint8_t *body, size_t len)
{
	struct same *s = &r->apid->same;
	const struct header *h;

	if (!can_share(r) || !r->answered || r->status != 200 ||
	    len + r->answer.len > SAME_MAX)
		return;
	s->fn = fn;
	s->type = r->type;
	wb_reset(&s->question);
	question(r, &s->question);
	wb_reset(&s->body);
	wb_bytes(&s->body, body, len);
	wb_reset(&s->text);
	wb_bytes(&s->text, r->answer.p, r->answer.len);
	wb_reset(&s->headers);
	SLIST_FOREACH(h, &r->headers, entry) {
		put(&s->headers, h->name);
		put(&s->headers, h->value);
	}
	forget_later(r->apid);
}

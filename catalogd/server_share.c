/*
 * One answer for many: the calls that a write wakes mostly ask the same, and
 * run in the same turn of the loop.  The first one's answer is kept for those
 * that follow it with the same question, until anything else happens.
 */
#include <string.h>

#include "catalogd/server_i.h"

#define SHARE_MAX (1u << 20)	/* of an answer: a larger one is not copied */

void
share_init(struct server *srv)
{
	wb_init(&srv->share.question, 0);
	wb_init(&srv->share.answer, 0);
}

void
share_drop(struct server *srv)
{
	struct share *s = &srv->share;

	if (s->method == NULL)
		return;
	s->method = NULL;
	wb_free(&s->question);
	wb_free(&s->answer);
	share_init(srv);
}

/* What is told besides the data must be the same, too. */
static bool
meta_same(const struct query_meta *a, const struct query_meta *b)
{
	return a->index == b->index && a->last_contact == b->last_contact &&
	    a->known_leader == b->known_leader;
}

bool
share_take(const struct server_call *c, const struct query_meta *meta,
    struct reply *r)
{
	const struct share *s = &c->srv->share;

	if (s->method != c->method || s->question.len != c->len ||
	    (c->len > 0 && memcmp(s->question.p, c->body, c->len) != 0) ||
	    !meta_same(&s->meta, meta))
		return false;
	wb_bytes(&r->body, s->answer.p, s->answer.len);
	return true;
}

void
share_keep(const struct server_call *c, const struct query_meta *meta,
    const struct reply *r)
{
	const struct server_call *next = TAILQ_NEXT(c, entry);
	struct share *s = &c->srv->share;

	/* A copy for nobody would be in vain.  What does not block may be
	 * another one each time: a query's instances are shuffled. */
	if (c->method->depends == NULL || next == NULL ||
	    next->method != c->method || next->len != c->len ||
	    r->error != NULL || r->body.len > SHARE_MAX)
		return;
	s->method = c->method;
	s->meta = *meta;
	wb_reset(&s->question);
	wb_bytes(&s->question, c->body, c->len);
	wb_reset(&s->answer);
	wb_bytes(&s->answer, r->body.p, r->body.len);
}

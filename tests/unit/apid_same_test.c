/*
 * Who may be answered with the text that somebody else was.
 */
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define BODY (const uint8_t *)"what catalogd said"
#define LEN 18

static void
handler(struct request *r, const uint8_t *body, size_t len)
{
	(void)body;
	(void)len;
	add_header(r, "B", "2");
	add_header(r, "A", "1");
	wb_str(&r->answer, "[text]");
	r->type = "application/json";
	reply_empty(r, 200);
}

static void
another(struct request *r, const uint8_t *body, size_t len)
{
	handler(r, body, len);
}

static void
asks(struct request *r, struct apid *a, const char *path, const char *key,
    const char *val)
{
	memset(r, 0, sizeof(*r));
	r->apid = a;
	r->method = M_GET;
	r->path = xstrdup(path);
	SLIST_INIT(&r->headers);
	params_add(&r->params, "index", "17");
	if (key != NULL)
		params_add(&r->params, key, val);
}

static void
done(struct request *r)
{
	struct header *h;

	while ((h = SLIST_FIRST(&r->headers)) != NULL) {
		SLIST_REMOVE_HEAD(&r->headers, entry);
		free(h->name);
		free(h->value);
		free(h);
	}
	params_clear(&r->params);
	wb_free(&r->answer);
	free(r->path);
}

static void
done_all(struct apid *a)
{
	wb_free(&a->same.question);
	wb_free(&a->same.body);
	wb_free(&a->same.text);
	wb_free(&a->same.headers);
	wb_free(&a->same.asked);
}

/* The first one's answer is kept. */
static void
first(struct apid *a)
{
	struct request r;

	memset(a, 0, sizeof(*a));
	asks(&r, a, "/v1/health/service/web", "passing", "");
	ck_assert(!same_reply(&r, handler, BODY, LEN));
	handler(&r, BODY, LEN);
	same_keep(&r, handler, BODY, LEN);
	done(&r);
}

START_TEST(same_question_and_message_get_the_same_text_and_headers)
{
	struct request r;
	struct header *h;
	struct apid a;

	first(&a);
	asks(&r, &a, "/v1/health/service/web", "passing", "");
	params_add(&r.params, "wait", "1m");
	ck_assert(same_reply(&r, handler, BODY, LEN));
	ck_assert(r.answered);
	ck_assert_uint_eq(r.status, 200);
	ck_assert_str_eq(r.type, "application/json");
	ck_assert_mem_eq(r.answer.p, "[text]", 6);
	h = SLIST_FIRST(&r.headers);
	ck_assert_str_eq(h->name, "A");
	ck_assert_str_eq(h->value, "1");
	h = SLIST_NEXT(h, entry);
	ck_assert_str_eq(h->name, "B");
	ck_assert_ptr_null(SLIST_NEXT(h, entry));
	done(&r);
	done_all(&a);
}
END_TEST

START_TEST(any_difference_that_may_show_is_another_answer)
{
	struct request r;
	struct apid a;
	size_t i;
	static const struct {
		const char	*path, *key, *val, *body;
		size_t		 len;
		answered_fn	*fn;
		enum method	 method;
	} t[] = {
		{ "/v1/health/service/wee", "passing", "", "", 0, handler,
		    M_GET },
		{ "/v1/health/service/web", "pretty", "", "", 0, handler,
		    M_GET },
		{ "/v1/health/service/web", "passing", "0", "", 0, handler,
		    M_GET },
		{ "/v1/health/service/web", NULL, NULL, "", 0, handler,
		    M_GET },
		{ "/v1/health/service/web", "passing", "", "what catalogd SAID",
		    LEN, handler, M_GET },
		{ "/v1/health/service/web", "passing", "", "what", 4, handler,
		    M_GET },
		{ "/v1/health/service/web", "passing", "", "", 0, another,
		    M_GET },
		{ "/v1/health/service/web", "passing", "", "", 0, handler,
		    M_PUT },
	};

	first(&a);
	for (i = 0; i < NELEM(t); i++) {
		asks(&r, &a, t[i].path, t[i].key, t[i].val);
		r.method = t[i].method;
		ck_assert_msg(!same_reply(&r, t[i].fn, t[i].len > 0 ?
		    (const uint8_t *)t[i].body : BODY, t[i].len > 0 ?
		    t[i].len : LEN), "%zu", i);
		ck_assert(!r.answered);
		done(&r);
	}
	done_all(&a);
}
END_TEST

START_TEST(failures_and_what_is_not_answered_yet_are_not_kept)
{
	struct request r;
	struct apid a;

	memset(&a, 0, sizeof(a));
	asks(&r, &a, "/v1/kv/none", NULL, NULL);
	same_keep(&r, handler, BODY, LEN);
	ck_assert_ptr_null((void *)(uintptr_t)a.same.fn);
	reply_empty(&r, 404);
	same_keep(&r, handler, BODY, LEN);
	ck_assert_ptr_null((void *)(uintptr_t)a.same.fn);
	done(&r);
	done_all(&a);
}
END_TEST

UNIT_MAIN("apid_same",
    same_question_and_message_get_the_same_text_and_headers,
    any_difference_that_may_show_is_another_answer,
    failures_and_what_is_not_answered_yet_are_not_kept)

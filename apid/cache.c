/*
 * ?cached: answers that are kept and followed.  The first who asks for
 * something waits for the servers (X-Cache: MISS); from then on a blocking
 * query of our own keeps it fresh, and who asks again gets what is there (HIT)
 * with the time since it was known to be true as Age: 0 while it is followed,
 * growing while no server answers.
 *
 * An entry goes when nobody has asked for IDLE_MS, or when it is the one that
 * was asked for longest ago and another needs the place.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/util.h"

#define ENTRIES_MAX 128
#define BODY_KEPT_MAX (4u << 20)	/* a longer one is passed on, not kept */
#define IDLE_MS (10u * 60 * 1000)
#define SWEEP_MS 5000
#define RETRY_MS 5000
#define HASTE_MS 1000	/* no news so soon: asked again by and by */
#define ONCE_MS 60000		/* what cannot be followed is true so long */
#define FOLLOW_NS (600 * NS_PER_S)
#define FETCH_MS 30000
#define WAIT_DEFAULT_MS (300u * 1000)

struct waiter {
	TAILQ_ENTRY(waiter)	 entry;
	struct cached		*of;
	struct request		*r;
	answered_fn		*fn;
	uint64_t		 index;		/* wants one above it */
	struct ev_timer		*timer;		/* until when */
};

struct cached {
	TAILQ_ENTRY(cached)	 entry;		/* the last used first */
	struct cache		*cache;
	const char		*method;
	struct schema		*schema;
	void			*q;		/* the request, index 0 */
	size_t			 index_off, wait_off;
	struct wbuf		 key, body;
	bool			 have, once;
	uint64_t		 index;
	uint64_t		 true_ms;	/* when it last was; 0: it is */
	uint64_t		 used_ms, asked_ms, retry_ms;
	struct call		*call;
	TAILQ_HEAD(, waiter)	 waiters;
};

struct cache {
	struct apid		*apid;
	TAILQ_HEAD(cached_list, cached) entries;
	size_t			 n;
	struct ev_timer		*sweep;
};

static void fetch(struct cached *);

/* ---- entries ---- */

static void
cached_free(struct cached *c)
{
	TAILQ_REMOVE(&c->cache->entries, c, entry);
	c->cache->n--;
	if (c->call != NULL)
		call_cancel(c->call);
	schema_clear(c->schema, c->q);
	free(c->q);
	wb_free(&c->key);
	wb_free(&c->body);
	free(c);
}

static struct cached *
find(struct cache *cache, const char *method, const struct wbuf *key)
{
	struct cached	*c;

	TAILQ_FOREACH(c, &cache->entries, entry)
		if (strcmp(c->method, method) == 0 && c->key.len == key->len &&
		    memcmp(c->key.p, key->p, key->len) == 0)
			return c;
	return NULL;
}

/* A place for one more; false: everybody is waited for. */
static bool
make_room(struct cache *cache)
{
	struct cached	*c;

	if (cache->n < ENTRIES_MAX)
		return true;
	TAILQ_FOREACH_REVERSE(c, &cache->entries, cached_list, entry)
		if (TAILQ_EMPTY(&c->waiters)) {
			cached_free(c);
			return true;
		}
	return false;
}

static void
on_sweep(void *arg)
{
	struct cache	*cache = arg;
	struct cached	*c, *next;
	uint64_t	 now = ev_now(cache->apid->ev);

	for (c = TAILQ_FIRST(&cache->entries); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (TAILQ_EMPTY(&c->waiters) && now - c->used_ms >= IDLE_MS)
			cached_free(c);
		else if (c->call == NULL && !c->once && now >= c->retry_ms)
			fetch(c);
	}
	if (cache->n > 0)
		ev_timer_set(cache->sweep, SWEEP_MS);
}

static struct cache *
cache_of(struct apid *a)
{
	if (a->cache == NULL) {
		a->cache = xcalloc(1, sizeof(*a->cache));
		a->cache->apid = a;
		TAILQ_INIT(&a->cache->entries);
		a->cache->sweep = ev_timer_new(a->ev, on_sweep, a->cache);
	}
	return a->cache;
}

/* ---- who waits ---- */

static void
waiter_free(void *arg)
{
	struct waiter	*w = arg;

	if (w->of != NULL)
		TAILQ_REMOVE(&w->of->waiters, w, entry);
	ev_timer_free(w->timer);
	free(w);
}

/* The request is done with it. */
static void
waiter_end(struct waiter *w)
{
	w->r->state = NULL;
	w->r->state_free = NULL;
	waiter_free(w);
}

static void
serve(struct request *r, answered_fn *fn, struct cached *c, bool hit)
{
	uint64_t	now = ev_now(r->apid->ev);

	if (hit)
		add_header(r, "Age", "%" PRIu64, c->true_ms == 0 ? 0 :
		    (now - c->true_ms) / 1000);
	add_header(r, "X-Cache", "%s", hit ? "HIT" : "MISS");
	fn(r, c->body.p, c->body.len);
}

static void
waiter_serve(struct waiter *w)
{
	struct cached	*c = w->of;
	struct request	*r = w->r;
	answered_fn	*fn = w->fn;

	waiter_end(w);
	if (!r->answered)
		serve(r, fn, c, false);
}

/* Nothing new within its time: what there is. */
static void
on_wait_over(void *arg)
{
	struct waiter	*w = arg;

	if (w->of->have)
		waiter_serve(w);
}

static void
waiter_new(struct request *r, struct cached *c, answered_fn *fn,
    uint64_t index, int64_t wait_ns)
{
	struct waiter	*w = xcalloc(1, sizeof(*w));

	w->of = c;
	w->r = r;
	w->fn = fn;
	w->index = index;
	TAILQ_INSERT_TAIL(&c->waiters, w, entry);
	if (index > 0) {
		w->timer = ev_timer_new(r->apid->ev, on_wait_over, w);
		ev_timer_set(w->timer, wait_ns > 0 ?
		    (uint64_t)(wait_ns / NS_PER_MS) : WAIT_DEFAULT_MS);
	}
	r->state = w;
	r->state_free = waiter_free;
}

/* ---- fetching ---- */

static void
on_failure(struct cached *c, enum call_status status, const char *error)
{
	struct waiter	*w, *next;
	struct request	*r;
	uint64_t	 now = ev_now(c->cache->apid->ev);

	if (c->have && c->true_ms == 0)
		c->true_ms = now;
	c->retry_ms = now + RETRY_MS;
	for (w = TAILQ_FIRST(&c->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		/* Who waits for news goes on; there may be some later. */
		if (c->have && !c->once)
			continue;
		r = w->r;
		waiter_end(w);
		if (r->answered)
			continue;
		failed_read_headers(r);
		reply_failure(r, status, error);
	}
	if (!c->have)
		cached_free(c);
}

static void
on_answer(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct cached		*c = arg;
	struct waiter		*w, *next;
	struct query_meta	 meta;
	struct rbuf		 rb;
	uint64_t		 now = ev_now(c->cache->apid->ev);
	uint64_t		 before = c->index;

	c->call = NULL;
	if (status != CALL_OK) {
		on_failure(c, status, error);
		return;
	}
	wb_free(&c->body);
	wb_init(&c->body, 0);
	wb_bytes(&c->body, body, len);
	c->have = true;
	c->true_ms = 0;
	c->index = 0;
	rb_init(&rb, body, len);
	if (schema_decode(&query_meta_schema, &rb, &meta) == 0) {
		c->index = meta.index;
		schema_clear(&query_meta_schema, &meta);
	}
	/* Without an index there is nothing to wait for at the servers. */
	c->once = c->once || c->index == 0;
	if (c->once)
		c->true_ms = now;
	for (w = TAILQ_FIRST(&c->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (w->index == 0 || c->index != w->index || c->once)
			waiter_serve(w);
	}
	if (len > BODY_KEPT_MAX && TAILQ_EMPTY(&c->waiters))
		cached_free(c);
	else if (!c->once && c->index == before && now - c->asked_ms < HASTE_MS)
		c->retry_ms = now + HASTE_MS;
	else if (!c->once)
		fetch(c);
}

/* Once there is something, waits for the next. */
static void
fetch(struct cached *c)
{
	struct apid	*a = c->cache->apid;
	struct msg_call	 call = { 0 };
	struct wbuf	 body;
	bool		 follow = c->have && !c->once;

	*(uint64_t *)((char *)c->q + c->index_off) = follow ? c->index : 0;
	*(int64_t *)((char *)c->q + c->wait_off) = follow ? FOLLOW_NS : 0;
	c->asked_ms = ev_now(a->ev);
	wb_init(&body, 0);
	schema_encode(c->schema, c->q, &body);
	str_set(&call.method, c->method);
	call.target = CALL_ANY_SERVER;
	call.timeout_ms = FETCH_MS + (follow ? (uint64_t)(FOLLOW_NS / NS_PER_MS)
	    * 17 / 16 : 0);
	c->call = call_start(a->catalogd, &call, body.p, body.len,
	    call.timeout_ms, on_answer, c);
	wb_free(&body);
	schema_clear(&msg_call_schema, &call);
}

/* ---- asking ---- */

static bool
usable(const struct cached *c, uint64_t index, uint64_t now)
{
	if (!c->have)
		return false;
	if (c->once)
		return now - c->true_ms < ONCE_MS;
	return index == 0 || c->index != index;
}

void
cache_ask(struct request *r, const char *method, struct schema *schema,
    void *q, size_t index_off, size_t wait_off, bool once, answered_fn *fn)
{
	struct cache	*cache = cache_of(r->apid);
	uint64_t	*index_at = (uint64_t *)((char *)q + index_off), index;
	int64_t		*wait_at = (int64_t *)((char *)q + wait_off), wait;
	struct cached	*c;
	struct wbuf	 key;

	index = *index_at;
	wait = *wait_at;
	*index_at = 0;
	*wait_at = 0;
	wb_init(&key, 0);
	schema_encode(schema, q, &key);
	if ((c = find(cache, method, &key)) == NULL && !make_room(cache)) {
		wb_free(&key);
		*index_at = index;
		*wait_at = wait;
		ask_catalogd(r, method, schema, q, 0, fn);
		return;
	}
	if (c == NULL) {
		c = xcalloc(1, sizeof(*c));
		c->cache = cache;
		c->method = method;
		c->schema = schema;
		c->once = once;
		c->index_off = index_off;
		c->wait_off = wait_off;
		c->q = xcalloc(1, schema->size);
		schema_copy(schema, c->q, q);
		c->key = key;
		wb_init(&c->body, 0);
		TAILQ_INIT(&c->waiters);
		cache->n++;
		if (!ev_timer_pending(cache->sweep))
			ev_timer_set(cache->sweep, SWEEP_MS);
	} else {
		wb_free(&key);
		TAILQ_REMOVE(&cache->entries, c, entry);
	}
	TAILQ_INSERT_HEAD(&cache->entries, c, entry);
	c->used_ms = ev_now(r->apid->ev);
	if (usable(c, index, c->used_ms)) {
		serve(r, fn, c, true);
		return;
	}
	waiter_new(r, c, fn, c->have && !c->once ? index : 0, wait);
	if (c->call == NULL)
		fetch(c);
}
